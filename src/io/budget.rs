//! Octets that connections hold: each has a share of its own, and what goes beyond comes out of one budget for all.
//!
//! So nobody is without the room of an ordinary message, whatever others hold, and the sum has a bound all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The common part.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    octets_max: usize,
    share: usize,
}

impl Budget {
    /// `octets_max` for all together, beyond a `share` that each holder has anyway.
    pub(super) fn new(octets_max: usize, share: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), octets_max, share })
    }

    fn take(&self, octets: usize) -> bool {
        let fits = self.used.fetch_add(octets, Relaxed).saturating_add(octets) <= self.octets_max;
        if !fits {
            self.used.fetch_sub(octets, Relaxed);
        }
        fits
    }
}

/// What one holder holds; given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    octets: usize,
}

impl Held {
    /// Nothing yet.
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), octets: 0 }
    }

    /// Octets held, the share included.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Holds so many from now on; `false`, and nothing changed, when they are not there.
    pub(super) fn resize(&mut self, octets: usize) -> bool {
        let beyond = |octets: usize| octets.saturating_sub(self.budget.share);
        let (before, after) = (beyond(self.octets), beyond(octets));
        if after > before && !self.budget.take(after - before) {
            return false;
        }
        self.budget.used.fetch_sub(before.saturating_sub(after), Relaxed);
        self.octets = octets;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_always_there_and_the_rest_is_bounded_for_all() {
        let budget = Budget::new(100, 10);
        let (mut one, mut other) = (Held::new(&budget), Held::new(&budget));
        assert!(one.resize(110), "its share and all of the budget");
        assert!(!other.resize(11) && other.octets() == 0);
        assert!(other.resize(10), "its own share");
        assert!(one.resize(60) && other.resize(60));
        assert!(!one.resize(61), "together they hold what there is");
        drop(one);
        assert!(other.resize(110), "what is dropped is given back");
        assert!(other.resize(0));
        assert_eq!(budget.used.load(Relaxed), 0);
    }
}
