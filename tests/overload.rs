//! A node with more to do than it can, alone on the machine: a flood is no neighbour for other tests.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

#[path = "sipp/overload.rs"]
mod flood;
#[allow(dead_code)] // shared with the SIPp tests, which ask for more
#[path = "sipp/network.rs"]
mod network;
#[allow(dead_code)] // shared with the SIPp tests, which ask for more
#[path = "sipp/node.rs"]
mod node;
