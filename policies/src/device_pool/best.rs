//! The best device pool found so far, and what could still change it or what is told of it (G-10 step 5).

use std::cmp::Reverse;

use super::Rank;

/// The pool an entry stands for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pool {
    /// The place of the first one by name.
    pub(super) place: u32,
    /// Where that one stands among those of other entries by name.
    pub(super) order: u32,
    /// Whether others share the entry.
    pub(super) is_shared: bool,
}

/// The best entry so far, and the rank of the one after it, which says what decided.
pub(super) struct Best {
    pub(super) first: Option<Found>,
    pub(super) second: Option<Rank>,
    /// Entries of a lower rank change nothing.
    pub(super) least: Rank,
}

impl Default for Best {
    fn default() -> Self {
        // Who agrees in no field is no match (G-10 step 4).
        Self { first: None, second: None, least: (1, Reverse(u32::MAX), 0) }
    }
}

/// An entry with its rank and its place by name.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) rank: Rank,
    pub(super) order: u32,
    pub(super) entry: usize,
}

impl Best {
    /// Whether an entry of this rank and this place by name could change anything.
    pub(super) fn may_change(&self, rank: Rank, order: impl FnOnce() -> u32) -> bool {
        rank > self.least || rank == self.least && !self.is_late(order())
    }

    /// Whether an entry of the least rank and this place by name comes too late: of equal ranks the first by name wins.
    pub(super) fn is_late(&self, order: u32) -> bool {
        self.first.is_some_and(|first| self.second == Some(first.rank) && order >= first.order)
    }

    pub(super) fn offer(&mut self, rank: Rank, entry: usize, pool: Pool) {
        let found = Found { rank, order: pool.order, entry };
        let first = match self.first {
            Some(first) if (rank, Reverse(found.order)) < (first.rank, Reverse(first.order)) => {
                self.second = self.second.max(Some(rank));
                first
            }
            before => {
                self.second = if pool.is_shared { Some(rank) } else { before.map(|first| first.rank) };
                found
            }
        };
        self.first = Some(first);
        // A second one matters as far as it says what decided: nothing of a lower score, and of its score only what comes
        // nearer to the first than it does.
        let (equal, unknown, run) = first.rank;
        self.least = match self.second {
            Some(second) if (second.0, second.1) == (equal, unknown) => (equal, unknown, run),
            Some(second) if second.0 == equal => (equal, unknown, 0),
            _ => (equal, Reverse(u32::MAX), 0),
        };
    }
}
