//! What transactions and calls are known by.

/// A transaction by the seeded hash of what RFC 3261 section 17 matches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionKey(pub u128);

/// A call by the seeded hash of Call-ID and the caller's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub u128);

/// One of the two parties of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Who sent the first INVITE.
    Caller,
    /// Who was called.
    Callee,
}
