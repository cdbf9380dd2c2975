//! The engine, its wire formats and its rim.
#![deny(unsafe_code)]

pub mod agent;
pub mod limits;
pub mod sip;

/// The pure part: what goes in and what comes out.
pub mod engine {
    pub mod ids;
}
