//! Whether an ordinary pattern takes a number of an emergency one (P-23): proved on the patterns, for every search space
//! and at every hour, each time with a number that shows it.
//!
//! The numbers of an emergency pattern fall into sets that no pattern which has some of them tells apart; all numbers of
//! one set are won by the same row, so that one is asked of each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::analyse::Hour;
use super::{CssId, DialPlan, Hours, PartitionId, PatternId, Row, SearchSpace};
use crate::digits::{Digits, Pattern};
use crate::moment::Civil;
use crate::numbers::{Budget, Exhausted, Watch, begun_shapes};

/// Steps one emergency pattern may take: a tenth of a second or two.
const STEPS_MAX: u64 = 2_000_000;
/// Emergency patterns that may take so many: what is left then is not looked at any closer than by pairs.
const UNPROVED_MAX: usize = 32;
/// What asking who wins a number costs, in these steps.
const STEPS_PER_WINNER: usize = 20;
/// What each of the numbers found that no pattern tells apart costs, so that they are 250 at most.
const STEPS_PER_APART: usize = 8_000;
/// Numbers tried for an emergency pattern that needs more steps: it has one for each other pattern that has numbers in
/// common with it, and nearly always the same one.
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

/// What takes numbers of emergency rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    /// Each ordinary row that does, once.
    pub found: Vec<Capture>,
    /// Emergency rows of which not every number could be looked at: of these, a row that takes some may be missing.
    pub unproved: Vec<PatternId>,
}

/// A set of hours, a bit each.
type HourSet = Vec<u64>;

/// When schedules are open, among the hours that are told apart.
struct Calendar<'a> {
    hours: Option<&'a [Civil]>,
    known: HashMap<*const (), HourSet>,
}

impl Calendar<'_> {
    /// All of them; nothing where schedules count as independent of each other.
    fn always(&self) -> Option<HourSet> {
        let hours = self.hours?.len();
        Some((0..hours.div_ceil(64)).map(|word| u64::MAX >> (64 - (hours - word * 64).min(64))).collect())
    }

    /// Those at which a schedule is open.
    fn open(&mut self, schedule: &Arc<dyn Hours>) -> &HourSet {
        let hours = self.hours.unwrap_or_default();
        self.known.entry(Arc::as_ptr(schedule).cast()).or_insert_with(|| {
            let word = |hours: &[Civil]| {
                (0..).zip(hours).fold(0, |word, (bit, at)| word | u64::from(schedule.open(*at)) << bit)
            };
            hours.chunks(64).map(word).collect()
        })
    }
}

impl DialPlan {
    /// Every ordinary row, a block or a translation too, that wins a number of an emergency row in a space that reaches
    /// this one: one number for each such row.
    ///
    /// `hours` has one hour of each kind there is: at any hour the schedules are open and closed as at one of these.
    /// Without it every mixture of open and closed schedules is taken to occur, and a row may be found that wins at none.
    #[must_use]
    pub fn captures(&self, spaces: &[SearchSpace], hours: Option<&[Civil]>) -> Captures {
        let mut proof = Proof {
            plan: self,
            calendar: Calendar { hours: hours.filter(|hours| !hours.is_empty()), known: HashMap::new() },
            captures: Captures::default(),
            told: HashSet::new(),
        };
        for group in self.emergencies.all() {
            let Some((lost, row)) = self.emergencies.first(group).and_then(|id| Some((id, self.row(id)?))) else {
                continue;
            };
            let partitions: HashSet<_> =
                self.emergencies.rows(group).filter_map(|id| self.row(id)).map(|row| row.partition).collect();
            let reaching: Vec<_> = (0..).zip(spaces).filter(|(_, css)| self.reaches(css, &partitions)).collect();
            proof.of(lost, row, &reaching);
        }
        proof.captures
    }

    /// For every emergency row and every ordinary pattern that has numbers in common with it, a shortest of those numbers:
    /// where a search space has the one and not the other, that number shows it.
    #[must_use]
    pub fn disputed_numbers(&self) -> Vec<(PatternId, Digits)> {
        let firsts = self.emergencies.all().filter_map(|group| self.emergencies.first(group));
        let rows = firsts.filter_map(|id| Some((id, self.row(id)?)));
        rows.flat_map(|(id, row)| {
            let mut numbers: Vec<_> = self.disputed(row).into_iter().collect();
            numbers.sort_unstable_by(|a, b| (a.len(), a.as_str()).cmp(&(b.len(), b.as_str())));
            numbers.into_iter().map(move |digits| (id, digits))
        })
        .collect()
    }

    /// The shortest numbers of a pattern: all of them where they are at most `most`, else one at least of each set that neither a
    /// row of the plan nor a pattern of `beside` tells apart. The first alone where these are too many to be found, or where
    /// `searches`, of which each takes one, are over.
    #[must_use]
    pub fn shortest_apart(
        &self,
        pattern: &Pattern,
        beside: &[Pattern],
        most: usize,
        searches: &mut usize,
    ) -> Vec<Digits> {
        let shortest = pattern.shortest_numbers(most);
        let Some(length) = shortest.first().map(Digits::len) else { return shortest };
        if shortest.len() > 1 || pattern.count(length) <= 1 {
            return shortest;
        }
        let Some(left) = searches.checked_sub(1) else { return shortest };
        *searches = left;
        let rows = self.index.overlapping(&pattern.canonical());
        let others = rows.iter().filter_map(|group| self.row(self.index.first(*group)?)).map(|row| &row.pattern);
        let others = others.chain(beside).map(|pattern| Watch { pattern, leads: false });
        let watches: Vec<Watch<'_>> = std::iter::once(Watch { pattern, leads: true }).chain(others).collect();
        let (mut apart, mut budget) = (Vec::new(), Budget::new(STEPS_MAX));
        let searched = begun_shapes(&watches, false, length, &mut budget, &mut |shape, budget| {
            let digits = shape.example();
            if digits.len() == length && pattern.matches(&digits).full {
                budget.spend(STEPS_PER_APART)?;
                apart.push(digits);
            }
            Ok(())
        });
        apart.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        if searched == Err(Exhausted) { shortest } else { apart }
    }

    /// Rows of one partition that match the same numbers: the one added first, and each of the others.
    pub fn equal_rows(&self) -> impl Iterator<Item = (PatternId, PatternId)> {
        self.index.equal()
    }

    /// Numbers of the row that another pattern might take, of each pair: a shortest on which the other is closer, one on
    /// which both are equally close, and one whichever is.
    fn disputed(&self, row: &Row) -> HashSet<Digits> {
        let (own, index) = (&row.pattern, &self.index);
        let mut numbers = HashSet::new();
        for group in index.overlapping(&own.canonical()) {
            let Some(other) = index.first(group).and_then(|id| self.row(id)).map(|row| &row.pattern) else {
                continue;
            };
            if !self.is_ordinary(group) {
                continue;
            }
            let closer = own.in_common(other, |length| other.count(length) < own.count(length));
            let as_close = own.in_common(other, |length| other.count(length) == own.count(length));
            numbers.extend([closer, as_close, own.in_common(other, |_| true)].into_iter().flatten());
            if numbers.len() >= NUMBERS_MAX {
                break;
            }
        }
        numbers
    }

    fn reaches(&self, css: &[CssId], partitions: &HashSet<Option<PartitionId>>) -> bool {
        partitions.contains(&None) || self.partitions_of(css).any(|partition| partitions.contains(&Some(partition)))
    }

    fn is_ordinary(&self, group: u32) -> bool {
        self.index.rows(group).filter_map(|id| self.row(id)).any(|row| !row.emergency)
    }

    fn schedule(&self, row: &Row) -> Option<&Arc<dyn Hours>> {
        self.hours.get(row.partition?.0 as usize)?.as_ref()
    }
}

/// The search for all that takes an emergency number.
struct Proof<'a> {
    plan: &'a DialPlan,
    calendar: Calendar<'a>,
    captures: Captures,
    told: HashSet<PatternId>,
}

impl Proof<'_> {
    /// Looks at every number of one emergency row.
    fn of(&mut self, lost: PatternId, row: &Row, reaching: &[(usize, &SearchSpace)]) {
        let plan = self.plan;
        let index = &plan.index;
        let overlapping = index.overlapping(&row.pattern.canonical());
        if !overlapping.iter().any(|group| plan.is_ordinary(*group)) {
            return;
        }
        let others = overlapping.iter().filter_map(|group| plan.row(index.first(*group)?));
        let others = others.map(|row| Watch { pattern: &row.pattern, leads: false });
        let own = Watch { pattern: &row.pattern, leads: true };
        let watches: Vec<Watch<'_>> = std::iter::once(own).chain(others).collect();
        let is_late = self.captures.unproved.len() >= UNPROVED_MAX;
        let mut budget = Budget::new(if is_late { 0 } else { STEPS_MAX });
        let searched = begun_shapes(&watches, false, crate::digits::DIGITS_MAX, &mut budget, &mut |shape, budget| {
            let digits = shape.example();
            if !row.pattern.matches(&digits).full {
                return Ok(());
            }
            budget.spend(STEPS_PER_WINNER)?;
            let met = index.walk(&plan.rows, &digits);
            if !met.whole.iter().any(|group| plan.is_ordinary(*group)) {
                return Ok(());
            }
            budget.spend(STEPS_PER_WINNER.saturating_mul(reaching.len()))?;
            reaching.iter().for_each(|(space, css)| self.winners(lost, digits, *space, css));
            Ok(())
        });
        if searched == Err(Exhausted) {
            self.captures.unproved.push(lost);
            for digits in plan.disputed(row) {
                reaching.iter().for_each(|(space, css)| self.winners(lost, digits, *space, css));
            }
        }
    }

    /// Every ordinary row that wins a number in a search space at some hour.
    fn winners(&mut self, lost: PatternId, digits: Digits, space: usize, css: &[CssId]) {
        let plan = self.plan;
        // The hours at which all that won so far are closed.
        let mut left = self.calendar.always();
        let mut closed: Vec<&Arc<dyn Hours>> = Vec::new();
        while let Some(won) = plan.winner(css, &digits, Hour::Without(&closed)) {
            let Some(row) = plan.row(won) else { return };
            let schedule = plan.schedule(row);
            let open = schedule.filter(|_| left.is_some()).map(|schedule| self.calendar.open(schedule));
            let wins = match (&left, open) {
                (Some(left), Some(open)) => left.iter().zip(open).any(|(left, open)| left & open != 0),
                _ => true,
            };
            if wins && !row.emergency && self.told.insert(won) {
                self.captures.found.push(Capture { won, lost, digits, space });
            }
            let Some(schedule) = schedule else { return };
            if let (Some(left), Some(open)) = (&mut left, open) {
                left.iter_mut().zip(open).for_each(|(left, open)| *left &= !open);
                if left.iter().all(|word| *word == 0) {
                    return;
                }
            }
            closed.push(schedule);
        }
    }
}
