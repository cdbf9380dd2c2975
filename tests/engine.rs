//! The pure engine driven message by message: no socket, no sleep, every claim with the number of its rule. `node.rs` is
//! a node with its clock, `wire.rs` the messages of those around it; the other files hold one subject each.

#[path = "engine/admission.rs"]
mod admission;
#[path = "engine/answers.rs"]
mod answers;
#[path = "engine/bad_input.rs"]
mod bad_input;
#[path = "engine/bytes.rs"]
mod bytes;
#[path = "engine/dialog.rs"]
mod dialog;
#[path = "engine/emergency.rs"]
mod emergency;
#[path = "engine/ending.rs"]
mod ending;
#[path = "engine/enumeration.rs"]
mod enumeration;
#[path = "engine/hunting.rs"]
mod hunting;
#[path = "engine/keepalive.rs"]
mod keepalive;
#[path = "engine/located.rs"]
mod located;
#[path = "engine/loops.rs"]
mod loops;
#[path = "engine/names.rs"]
mod names;
#[path = "engine/neighbours.rs"]
mod neighbours;
#[path = "engine/node.rs"]
mod node;
#[path = "engine/offers.rs"]
mod offers;
#[path = "engine/overload.rs"]
mod overload;
#[path = "engine/patience.rs"]
mod patience;
#[path = "engine/phones.rs"]
mod phones;
#[path = "engine/proxy.rs"]
mod proxy;
#[path = "engine/reach.rs"]
mod reach;
#[path = "engine/reason.rs"]
mod reason;
#[path = "engine/region.rs"]
mod region;
#[path = "engine/routes.rs"]
mod routes;
#[path = "engine/salvage.rs"]
mod salvage;
#[path = "engine/session.rs"]
mod session;
#[path = "engine/slips.rs"]
mod slips;
#[path = "engine/smuggling.rs"]
mod smuggling;
#[path = "engine/tls.rs"]
mod tls;
#[path = "engine/trust.rs"]
mod trust;
#[path = "engine/uris.rs"]
mod uris;
#[path = "engine/verified.rs"]
mod verified;
#[path = "engine/wire.rs"]
mod wire;
