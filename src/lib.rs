//! The engine, its wire formats and its rim.
#![deny(unsafe_code)]

pub mod admin;
pub mod agent;
pub mod certificates;
pub mod changes;
pub mod cli;
pub mod config;
pub mod dialog;
pub mod engine;
pub mod io;
pub mod limits;
pub mod metrics;
pub mod neighbour;
mod rows;
pub mod sip;
pub mod table;
pub mod timer;
pub mod transaction;
