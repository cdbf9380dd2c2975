//! Media formats as facts. No IO, no clock, no policy: what a codec is called, what it costs on the wire, and how a
//! session description is read and written without touching what nobody asked to change.
#![forbid(unsafe_code)]
// Session descriptions and RTP come from outside: no index, no sum and no cast that its bytes could make go wrong.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used
    )
)]

pub mod bandwidth;
pub mod catalogue;
pub mod keys;
pub mod offer;
pub mod rtp;
pub mod sdp;
