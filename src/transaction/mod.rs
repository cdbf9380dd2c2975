//! RFC 3261 section 17 with RFC 6026: four machines, one file each, and the rows they live in. Pure: a machine takes
//! its state by value and gives back the next one and what is to be done.
// Its keys are of what comes from outside: no index, no sum and no cast that its octets could make go wrong.
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

pub mod client;
pub mod client_invite;
pub mod key;
pub mod row;
pub mod server;
pub mod server_invite;

/// Round-trip estimate (RFC 3261 section 17.1.1.1), milliseconds.
pub const T1_MS: u64 = 500;
/// Longest interval between retransmissions but of an INVITE, milliseconds.
pub const T2_MS: u64 = 4_000;
/// How long a message may stay in the network, milliseconds.
pub const T4_MS: u64 = 5_000;
/// Timers B, F, H, J, L and M: 64 times T1, milliseconds.
pub const LIFETIME_MS: u64 = 64 * T1_MS;
/// Timer D: how long a client INVITE transaction absorbs repeated failures on UDP, milliseconds (at least 32 s).
pub const TIMER_D_MS: u64 = LIFETIME_MS;
