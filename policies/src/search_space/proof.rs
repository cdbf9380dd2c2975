//! Whether an ordinary pattern takes a number of an emergency one (P-23): found on the patterns, for every search space
//! at once, each time with a number that shows it.

use std::collections::HashSet;
use std::sync::Arc;

use super::analyse::Hour;
use super::{CssId, DialPlan, Hours, PartitionId, PatternId, Row, SearchSpace};
use crate::digits::Digits;

/// Numbers tried for one emergency pattern: it has one for each other pattern that has numbers in common with it, and nearly
/// always the same one.
const NUMBERS_MAX: usize = 4_096;

/// An ordinary row that takes a number of an emergency row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The ordinary row.
    pub won: PatternId,
    /// The emergency row.
    pub lost: PatternId,
    /// The number.
    pub digits: Digits,
    /// For callers of which of the search spaces.
    pub space: usize,
}

/// Hours at which partitions with emergency rows are closed.
type Closed<'a> = Vec<&'a Arc<dyn Hours>>;

impl DialPlan {
    /// Every ordinary row, a block or a translation too, that wins a number of an emergency row in a space that reaches
    /// this one, at any hour: one number for each such row.
    ///
    /// Numbers are tried of each pair of patterns: a shortest on which the ordinary one is closer, and a shortest on which
    /// both are equally close. Schedules count as independent of each other, two of them at a time.
    #[must_use]
    pub fn captures(&self, spaces: &[SearchSpace]) -> Vec<Capture> {
        let hours = self.hours_without_emergencies();
        let (mut found, mut told) = (Vec::new(), HashSet::new());
        for group in self.emergencies.all() {
            let Some((lost, row)) = self.emergencies.first(group).and_then(|id| Some((id, self.row(id)?))) else {
                continue;
            };
            let partitions: HashSet<_> =
                self.emergencies.rows(group).filter_map(|id| self.row(id)).map(|row| row.partition).collect();
            let reaching: Vec<_> = (0..).zip(spaces).filter(|(_, css)| self.reaches(css, &partitions)).collect();
            for digits in self.disputed(row, hours.len() > 1) {
                for &(space, css) in &reaching {
                    for closed in &hours {
                        let won = self.winner(css, &digits, Hour::Without(closed));
                        let ordinary = won.filter(|id| self.row(*id).is_some_and(|row| !row.emergency));
                        found.extend(ordinary.filter(|won| told.insert(*won)).map(|won| Capture {
                            won,
                            lost,
                            digits,
                            space,
                        }));
                    }
                }
            }
        }
        found
    }

    /// For every emergency row and every ordinary pattern that has numbers in common with it, a shortest of those numbers:
    /// where a search space has the one and not the other, that number shows it.
    #[must_use]
    pub fn disputed_numbers(&self) -> Vec<(PatternId, Digits)> {
        let firsts = self.emergencies.all().filter_map(|group| self.emergencies.first(group));
        let rows = firsts.filter_map(|id| Some((id, self.row(id)?)));
        rows.flat_map(|(id, row)| {
            let mut numbers: Vec<_> = self.disputed(row, true).into_iter().collect();
            numbers.sort_unstable_by(|a, b| (a.len(), a.as_str()).cmp(&(b.len(), b.as_str())));
            numbers.into_iter().map(move |digits| (id, digits))
        })
        .collect()
    }

    /// Rows of one partition that match the same numbers: the one added first, and each of the others.
    pub fn equal_rows(&self) -> impl Iterator<Item = (PatternId, PatternId)> {
        self.index.equal()
    }

    fn reaches(&self, css: &[CssId], partitions: &HashSet<Option<PartitionId>>) -> bool {
        partitions.contains(&None) || self.partitions_of(css).any(|partition| partitions.contains(&Some(partition)))
    }

    /// Numbers of the row that another pattern might take; `sleeps`: even one that is never as close.
    fn disputed(&self, row: &Row, sleeps: bool) -> HashSet<Digits> {
        let own = &row.pattern;
        let mut numbers = HashSet::new();
        for group in self.index.overlapping(&own.canonical()) {
            let Some(other) = self.index.first(group).and_then(|id| self.row(id)).map(|row| &row.pattern) else {
                continue;
            };
            if self.index.rows(group).filter_map(|id| self.row(id)).all(|row| row.emergency) {
                continue;
            }
            let closer = own.in_common(other, |length| other.count(length) < own.count(length));
            let as_close = own.in_common(other, |length| other.count(length) == own.count(length));
            let any = if sleeps { own.in_common(other, |_| true) } else { None };
            numbers.extend([closer, as_close, any].into_iter().flatten());
            if numbers.len() >= NUMBERS_MAX {
                break;
            }
        }
        numbers
    }

    /// An hour when everything is open, one for each schedule of emergency rows when it is closed, one when all those are.
    fn hours_without_emergencies(&self) -> Vec<Closed<'_>> {
        let rows = self.emergencies.all().flat_map(|group| self.emergencies.rows(group));
        let partitions: HashSet<_> = rows.filter_map(|id| self.row(id)?.partition).collect();
        let mut all: Closed<'_> = Vec::new();
        for schedule in partitions.into_iter().filter_map(|id| self.hours.get(id.0 as usize)?.as_ref()) {
            if !all.iter().any(|known| Arc::ptr_eq(known, schedule)) {
                all.push(schedule);
            }
        }
        let each = all.iter().map(|schedule| vec![*schedule]);
        let mut hours: Vec<_> = std::iter::once(Vec::new()).chain(each).collect();
        if all.len() > 1 {
            hours.push(all);
        }
        hours
    }
}
