//! Programs of other people around two real nodes: Kamailio as call control of the home cluster, baresip as its phones
//! and as the gateway of the visited one, tshark as the witness of what was said.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

#[path = "interop/call_control.rs"]
mod call_control;
#[path = "interop/calls.rs"]
mod calls;
#[allow(dead_code)] // shared with the SIPp tests, which ask for more
#[path = "sipp/network.rs"]
mod network;
#[allow(dead_code)] // shared with the SIPp tests, which ask for more
#[path = "sipp/node.rs"]
mod node;
#[path = "interop/phone.rs"]
mod phone;
#[path = "interop/witness.rs"]
mod witness;
