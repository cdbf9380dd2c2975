//! EMCC decisions: facts in, a choice with its reason or a refusal out. Pure: no IO, no clock, no randomness.
#![forbid(unsafe_code)]

pub mod admission;
pub mod device_pool;
pub mod digits;
pub mod emergency;
pub mod keepalive;
pub mod location;
pub mod login;
pub mod moment;
pub mod numbers;
pub mod pstn_access;
pub mod region;
pub mod route;
pub mod search_space;
pub mod srtp;
pub mod trail;
