//! The patience of an emergency call (P-23). A hop it leaves behind without a final word keeps its INVITE: whatever comes
//! of that counts as any hop's, and no failure goes back while one is open (RFC 3261 section 16.7, steps 5 and 6).

use bytes::Bytes;
use smallvec::SmallVec;

use super::Turn;
use super::call::{Call, Phase, Told};
use super::effects::{CallKey, TransactionKey};
use super::reject::{Refusal, Reject};

/// Tries of one call that are open beside each other without a list on the heap.
const OPEN_INLINE: usize = 4;

/// Tries of a call, taken out of its row.
pub(crate) type Tries = SmallVec<[TransactionKey; OPEN_INLINE]>;

/// A hop the call went on from, whose INVITE still waits for its final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its transaction.
    pub client: TransactionKey,
    /// Its place in the order of hops.
    pub hop: usize,
    /// Whether it was told a location of ours.
    pub place: Told,
}

/// What an emergency call keeps in mind while it hunts; other calls have none.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    /// At most two a hop: with our location and without.
    open: SmallVec<[Open; OPEN_INLINE]>,
    /// Hops that refused the location of ours when the call had gone on already: each is tried once more without (G-17).
    again: SmallVec<[usize; OPEN_INLINE]>,
}

impl Patience {
    /// Keeps the INVITE of a hop open.
    pub fn keep(&mut self, open: Open) {
        self.open.push(open);
    }

    /// Whether an INVITE is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Takes a try that is over out of the open ones.
    pub fn close(&mut self, client: TransactionKey) -> Option<Open> {
        let at = self.open.iter().position(|open| open.client == client)?;
        Some(self.open.remove(at))
    }

    /// Notes a hop that is to be tried again without our location when the others are through.
    pub fn note_again(&mut self, hop: usize) {
        self.again.push(hop);
    }

    /// The next hop to be tried again.
    pub fn take_again(&mut self) -> Option<usize> {
        self.again.pop()
    }

    /// Its open tries.
    pub fn clients(&self) -> impl Iterator<Item = TransactionKey> {
        self.open.iter().map(|open| open.client)
    }
}

impl Call {
    /// Every try that may still be answered: the present one, and those left open.
    pub fn tries(&self) -> impl Iterator<Item = TransactionKey> {
        self.client.into_iter().chain(self.patience.iter().flat_map(|patience| patience.clients()))
    }
}

impl Turn<'_> {
    /// The caller gave the call up while it hunts: nothing else is tried, and every try is cancelled. `server` is the
    /// INVITE it is about. `false` where that call does not hunt.
    pub(crate) fn give_up(&mut self, key: CallKey, server: TransactionKey, reason: &Bytes) -> bool {
        let tries = self.engine.calls.with(&key, |call| {
            let is_hunting = call.server == server && call.phase == Phase::Hunting;
            is_hunting.then(|| {
                call.cancelled = true;
                // With none at work nobody would report its end.
                let waits = call.client.is_none() && call.patience.is_some();
                let tries: Tries = call.tries().collect();
                call.patience = None;
                (waits, tries)
            })
        });
        let Some(Some((waits, tries))) = tries else { return false };
        for client in tries {
            self.cancel_client(client, reason.clone());
        }
        if waits {
            self.fail_with(key, Reject::Refusal(Refusal::Cancelled));
        }
        true
    }

    /// Cancels what an emergency call left open, once that is over or answered by `winner`.
    pub(crate) fn close_open(
        &mut self,
        left: Option<Box<Patience>>,
        winner: Option<TransactionKey>,
        reason: &'static str,
    ) {
        for client in left.iter().flat_map(|left| left.clients()).filter(|client| Some(*client) != winner) {
            self.cancel_client(client, Bytes::from_static(reason.as_bytes()));
        }
    }
}
