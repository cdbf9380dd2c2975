//! The engine, its wire formats and its rim.
#![deny(unsafe_code)]

pub mod cli;
pub mod config;
pub mod limits;
pub mod sip;
