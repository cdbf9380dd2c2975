//! A bounded, seeded-hashed table that lends its values to a closure: a guard never leaves.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ahash::RandomState;
use dashmap::{DashMap, Entry};

/// Rows by key, never more than `rows_max`. Counted here because `DashMap::len` visits every shard.
///
/// The closures given to it must be short and must not touch the same table again: two rows may share a shard.
pub struct Table<K, V> {
    rows: DashMap<K, V, RandomState>,
    used: AtomicUsize,
    rows_max: usize,
}

/// The table holds as many rows as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// What [`Table::insert`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The row is new.
    New,
    /// A row of that key stands already; nothing was changed.
    Exists,
}

impl<K: Eq + Hash, V> Table<K, V> {
    /// An empty table of at most `rows_max` rows. `seed` is random in service, so that nobody outside can aim at one
    /// bucket, and fixed in simulation, so that a run repeats.
    #[must_use]
    pub fn new(rows_max: usize, seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, 1, 2, 3);
        Self { rows: DashMap::with_hasher(hasher), used: AtomicUsize::new(0), rows_max }
    }

    /// Runs `work` on one row; `None` when there is none.
    pub fn with<R>(&self, key: &K, work: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.rows.get_mut(key).map(|mut row| work(row.value_mut()))
    }

    /// Whether a row of that key stands.
    pub fn contains(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    /// Adds a row unless one of that key stands.
    ///
    /// # Errors
    /// [`Full`] at the bound.
    pub fn insert(&self, key: K, value: V) -> Result<Inserted, Full> {
        self.place(key, || Some(value))
    }

    fn place(&self, key: K, value: impl FnOnce() -> Option<V>) -> Result<Inserted, Full> {
        if self.used.fetch_add(1, Relaxed) >= self.rows_max {
            self.used.fetch_sub(1, Relaxed);
            return Err(Full);
        }
        match self.rows.entry(key) {
            Entry::Occupied(_) => {
                self.used.fetch_sub(1, Relaxed);
                Ok(Inserted::Exists)
            }
            Entry::Vacant(place) => {
                match value() {
                    Some(value) => drop(place.insert(value)),
                    None => drop(self.used.fetch_sub(1, Relaxed)),
                }
                Ok(Inserted::New)
            }
        }
    }

    /// As [`Self::insert`], but a value that found no place comes back.
    ///
    /// # Errors
    /// The value, with what stood in its way.
    pub fn insert_or_return(&self, key: K, value: V) -> Result<(), (V, Result<Inserted, Full>)> {
        let mut value = Some(value);
        let outcome = self.place(key, || value.take());
        match value {
            None => Ok(()),
            Some(value) => Err((value, outcome)),
        }
    }

    /// Takes a row out.
    pub fn remove(&self, key: &K) -> Option<V> {
        let (_, value) = self.rows.remove(key)?;
        self.used.fetch_sub(1, Relaxed);
        Some(value)
    }

    /// Takes a row out if `condition` holds for it at that moment.
    pub fn remove_if(&self, key: &K, condition: impl FnOnce(&V) -> bool) -> Option<V> {
        let (_, value) = self.rows.remove_if(key, |_, value| condition(value))?;
        self.used.fetch_sub(1, Relaxed);
        Some(value)
    }

    /// Keys of rows that `condition` holds for, `most` at a time. Looks at every row: for the end of a node's life only.
    pub fn keys_where(&self, most: usize, condition: impl Fn(&V) -> bool) -> Vec<K>
    where
        K: Copy,
    {
        self.rows.iter().filter(|row| condition(row.value())).take(most).map(|row| *row.key()).collect()
    }

    /// Rows in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Whether no row is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether more than `percent` of the bound is in use.
    #[must_use]
    pub fn is_above(&self, percent: usize) -> bool {
        self.len() > self.rows_max.saturating_mul(percent) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_refuses_and_counts_what_it_holds() {
        let table = Table::new(2, 7);
        assert_eq!(table.insert(1, 'a'), Ok(Inserted::New));
        assert_eq!(table.insert(1, 'b'), Ok(Inserted::Exists), "an existing row is not replaced");
        assert_eq!(table.with(&1, |value| *value), Some('a'));
        assert_eq!(table.insert(2, 'c'), Ok(Inserted::New));
        assert_eq!(table.insert(3, 'd'), Err(Full));
        assert_eq!(table.remove(&1), Some('a'));
        assert_eq!(table.remove(&1), None);
        assert_eq!(table.len(), 1);
        assert_eq!(table.remove_if(&2, |value| *value == 'x'), None);
        assert_eq!(table.remove_if(&2, |value| *value == 'c'), Some('c'));
        assert!(table.is_empty());
    }
}
