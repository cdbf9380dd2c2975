//! Octets whose handling failed once: the same ones are not handled again.
//!
//! A panic costs the input that caused it, its sender is told once, and a copy of that very input is dropped at the
//! door. Only a few patterns are remembered, the latest ones.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ahash::RandomState;

use crate::limits::QUARANTINED_MAX;

/// The patterns, by their hashes: 128 bits under a seed nobody outside knows.
pub(super) struct Quarantine {
    patterns: Mutex<VecDeque<u128>>,
    /// Whether there is anything to look for; while there is not, a message costs one flag.
    is_used: AtomicBool,
    hashers: [RandomState; 2],
}

impl Quarantine {
    /// An empty one; `seed` random in service.
    pub(super) fn new(seed: u64) -> Self {
        let hashers = [RandomState::with_seeds(seed, 19, 23, 29), RandomState::with_seeds(seed, 31, 37, 41)];
        Self { patterns: Mutex::default(), is_used: AtomicBool::new(false), hashers }
    }

    /// Whether these octets failed before.
    pub(super) fn holds(&self, octets: &[u8]) -> bool {
        self.is_used.load(Relaxed) && self.patterns().contains(&self.hash(octets))
    }

    /// Remembers octets that failed, in place of the oldest when there is no room.
    pub(super) fn add(&self, octets: &[u8]) {
        let hash = self.hash(octets);
        let mut patterns = self.patterns();
        if patterns.contains(&hash) {
            return;
        }
        if patterns.len() >= QUARANTINED_MAX {
            patterns.pop_front();
        }
        patterns.push_back(hash);
        self.is_used.store(true, Relaxed);
    }

    fn patterns(&self) -> MutexGuard<'_, VecDeque<u128>> {
        // Nothing in here can be left half done.
        self.patterns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, octets: &[u8]) -> u128 {
        let [low, high] = &self.hashers;
        u128::from(low.hash_one(octets)) | u128::from(high.hash_one(octets)) << 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_pattern_is_remembered_and_the_oldest_gives_way() {
        let quarantine = Quarantine::new(7);
        assert!(!quarantine.holds(b"one"));
        quarantine.add(b"one");
        quarantine.add(b"one");
        assert!(quarantine.holds(b"one") && !quarantine.holds(b"one ") && !quarantine.holds(b""));
        for number in 0..QUARANTINED_MAX {
            quarantine.add(&number.to_be_bytes());
        }
        assert!(!quarantine.holds(b"one"), "the oldest of {QUARANTINED_MAX}");
        assert!(quarantine.holds(&0_usize.to_be_bytes()));
        assert_eq!(quarantine.patterns().len(), QUARANTINED_MAX);
    }
}
