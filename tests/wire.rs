//! The program as it runs, heard on the wire: test sockets are its neighbours on loopback, one says what a hostile or
//! careless one would, another hears what is passed on.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

#[path = "wire/amplification.rs"]
mod amplification;
#[path = "wire/control.rs"]
mod control;
#[path = "pki/ends.rs"]
mod ends;
#[path = "wire/framing.rs"]
mod framing;
#[path = "wire/ground.rs"]
mod ground;
#[path = "wire/hung.rs"]
mod hung;
#[path = "torture/invalid.rs"]
mod invalid;
#[path = "wire/line.rs"]
mod line;
#[path = "sipp/network.rs"]
#[allow(dead_code)] // shared with the tests that call SIPp
mod network;
#[path = "sipp/node.rs"]
#[allow(dead_code)] // shared with the tests that call SIPp
mod node;
#[path = "wire/papers.rs"]
mod papers;
#[path = "pki/mod.rs"]
mod pki;
#[path = "wire/reflection.rs"]
mod reflection;
#[path = "wire/silence.rs"]
mod silence;
#[path = "wire/strangers.rs"]
mod strangers;
#[path = "wire/torture.rs"]
mod torture;
#[path = "torture/valid.rs"]
mod valid;
