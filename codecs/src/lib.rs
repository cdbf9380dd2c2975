//! Media formats as facts. No IO, no clock, no policy: what a codec is called, what it costs on the wire, and how a
//! session description is read and written without touching what nobody asked to change.
#![forbid(unsafe_code)]

pub mod bandwidth;
pub mod catalogue;
pub mod keys;
pub mod offer;
pub mod rtp;
pub mod sdp;
