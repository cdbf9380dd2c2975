//! The engine, its wire formats and its rim.
#![deny(unsafe_code)]

pub mod admin;
pub mod io;
pub mod limits;
pub mod metrics;
pub mod neighbour;
pub mod sip;
pub mod table;
pub mod timer;

/// The pure part: what goes in and what comes out.
pub mod engine {
    pub mod effects;
    pub mod ids;
}
