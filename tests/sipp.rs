//! SIPp, which knows nothing of this program, as call control and gateways around two real processes of the pair.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

#[path = "pki/ends.rs"]
mod ends;
// Certificates of the tests, and what they are for.
#[path = "pki/mod.rs"]
mod pki;
#[path = "sipp/tls.rs"]
mod tls;

#[path = "sipp/bridge.rs"]
mod bridge;
#[path = "sipp/calls.rs"]
mod calls;
#[path = "sipp/control.rs"]
mod control;
#[path = "sipp/dns.rs"]
#[allow(dead_code)] // shared with the resolver's own tests
mod dns;
#[path = "sipp/failover.rs"]
mod failover;
#[path = "sipp/life.rs"]
mod life;
#[path = "sipp/load.rs"]
mod load;
#[path = "sipp/loops.rs"]
mod loops;
#[path = "sipp/names.rs"]
mod names;
#[path = "sipp/neighbours.rs"]
mod neighbours;
#[path = "sipp/network.rs"]
mod network;
#[path = "sipp/node.rs"]
mod node;
#[path = "sipp/phones.rs"]
mod phones;
#[path = "sipp/protocol.rs"]
mod protocol;
#[path = "sipp/refusals.rs"]
mod refusals;
#[path = "sipp/script.rs"]
mod script;
#[path = "sipp/tool.rs"]
mod tool;
#[path = "sipp/twice.rs"]
mod twice;
