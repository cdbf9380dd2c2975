//! Numbers of the values that device pools have: what a phone says is looked up here, once a field.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Normalised values and their numbers.
pub(super) type Numbers = HashMap<Box<[u8]>, u32, BuildHasherDefault<Folded>>;

/// Hashes short values. They come from the configuration alone, so that nobody can choose them to collide.
#[derive(Clone, Default)]
pub(super) struct Folded(u64);

impl Folded {
    /// Any odd number with half of its bits set.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    fn fold(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(Self::FACTOR);
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.fold(u64::from_le_bytes(*word)));
        self.fold(rest.iter().fold(rest.len() as u64, |word, byte| word << 8 | u64::from(*byte)));
    }

    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn values_that_differ_in_one_letter_or_in_length_hash_apart() {
        let hash = |value: &[u8]| {
            let mut folded = Folded::default();
            folded.write(value);
            folded.finish()
        };
        let values: Vec<String> =
            (0..10_000).map(|value| format!("value {value}")).chain(["".into(), "\0".into()]).collect();
        let hashes: HashSet<u64> = values.iter().map(|value| hash(value.as_bytes())).collect();
        assert_eq!(hashes.len(), values.len());
        // The lowest bits choose the place in a table.
        let places: HashSet<u64> = hashes.iter().map(|hash| hash % 16_384).collect();
        assert!(places.len() > 6_000, "{} places", places.len());
    }
}
