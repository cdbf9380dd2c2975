//! Partitions, calling search spaces and the rows in them: what a dialed number is compared with.

mod alternatives;
mod analyse;
mod circles;
mod index;
mod proof;
mod tail;

pub use alternatives::{Alternative, Asked, Lost};
pub use analyse::{Analysis, Outcome, Overlap, PASSES_MAX};
pub use circles::{Circle, Circles};
pub use proof::{Capture, Captures};

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use self::analyse::Hour;
use self::index::Index;
use crate::digits::{Pattern, RowTransform};
use crate::moment::Civil;
use crate::route::{PeerId, RouteListId};

/// A partition of the plan, numbered from 0 in the order added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u32);

/// A calling search space of the plan, numbered from 0 in the order added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CssId(pub u32);

/// A row of the plan (route pattern, translation or directory number), numbered from 0 in the order added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId(pub u32);

/// When a partition can be reached (D-4). The calendar and its time zone belong to whoever loads the plan.
pub trait Hours: fmt::Debug + Send + Sync {
    /// Whether the partition can be reached at `at`.
    fn open(&self, at: Civil) -> bool;
}

/// Search spaces in the order in which they are concatenated.
pub type SearchSpace = SmallVec<[CssId; 3]>;

/// The search space of an EMCC phone at home: adjunct CSS of its roaming pool, line CSS, EMCC CSS of the profile (P-2).
#[must_use]
pub fn of_emcc_phone(adjunct: Option<CssId>, line: Option<CssId>, emcc: Option<CssId>) -> SearchSpace {
    [adjunct, line, emcc].into_iter().flatten().collect()
}

/// The search space of any other phone: its line's, then its own (D-5).
#[must_use]
pub fn of_phone(line: Option<CssId>, device: Option<CssId>) -> SearchSpace {
    [line, device].into_iter().flatten().collect()
}

/// One pattern and what it stands for.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it matches.
    pub pattern: Pattern,
    /// Where it is; none: reachable by everybody, after all partitions (D-7).
    pub partition: Option<PartitionId>,
    /// Digit by digit, it is taken at once (D-17).
    pub urgent: bool,
    /// What it matches is an emergency number (P-23).
    pub emergency: bool,
    /// What it does to the numbers. Of a route pattern, unless the route list's member has its own (D-23).
    pub transform: RowTransform,
    /// Where it leads.
    pub target: Target,
}

/// Where a row leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Out by a route list.
    RouteList(RouteListId),
    /// Nowhere: the call is refused (D-14).
    Block,
    /// Back into digit analysis with the transformed number (D-15).
    Translate {
        /// What the next pass searches.
        css: TranslateCss,
    },
    /// A phone of this cluster.
    DirectoryNumber {
        /// The call control that has it; none: any, in configured order.
        peer: Option<PeerId>,
        /// An intercom line, which no EMCC phone may call.
        intercom: bool,
    },
}

/// The search space of a translation's next pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranslateCss {
    /// This one.
    Css(CssId),
    /// The one analysis began with.
    Originator,
    /// Only patterns in no partition.
    None,
}

/// Collects a plan.
#[derive(Debug, Default)]
pub struct DialPlanBuilder {
    hours: Vec<Option<Arc<dyn Hours>>>,
    css: Vec<Space>,
    rows: Vec<Row>,
}

impl DialPlanBuilder {
    /// Adds a partition, reachable at `hours` or always. Partitions of one schedule share it.
    pub fn partition(&mut self, hours: Option<Arc<dyn Hours>>) -> PartitionId {
        self.hours.push(hours);
        PartitionId(last(&self.hours))
    }

    /// Adds a search space of partitions in order.
    pub fn css(&mut self, partitions: &[PartitionId]) -> CssId {
        self.css.push(Space::of(partitions));
        CssId(last(&self.css))
    }

    /// Makes room for so many more rows.
    pub fn reserve(&mut self, rows: usize) {
        self.rows.reserve_exact(rows);
    }

    /// Adds a row.
    pub fn row(&mut self, row: Row) -> PatternId {
        self.rows.push(row);
        PatternId(last(&self.rows))
    }

    /// The plan, indexed.
    #[must_use]
    pub fn build(mut self) -> DialPlan {
        // A plan stands for months; what its growth left over goes back.
        self.rows.shrink_to_fit();
        let flat = |wanted: fn(&Row) -> bool| Index::of(&self.rows, None, wanted);
        DialPlan {
            index: Index::of(&self.rows, Some(self.hours.len()), |_| true),
            emergencies: flat(|row| row.emergency),
            emergency_ways: flat(|row| row.emergency && row.target != Target::Block),
            translations: flat(|row| matches!(row.target, Target::Translate { .. })),
            hours: self.hours,
            css: self.css,
            rows: self.rows,
        }
    }
}

/// The id of what was pushed last. A plan is bounded by its file long before 2^32 entries.
fn last<T>(entries: &[T]) -> u32 {
    u32::try_from(entries.len().saturating_sub(1)).unwrap_or(u32::MAX)
}

/// A search space.
#[derive(Debug)]
struct Space {
    partitions: Box<[PartitionId]>,
    /// Each partition once, in the order of their ids, and where it is first listed.
    ranks: Box<[(PartitionId, u32)]>,
}

impl Space {
    fn of(partitions: &[PartitionId]) -> Self {
        let mut ranks: Vec<_> = partitions.iter().copied().zip(0..).collect();
        ranks.sort_unstable();
        ranks.dedup_by_key(|(partition, _)| *partition);
        Self { partitions: partitions.into(), ranks: ranks.into() }
    }

    fn rank(&self, partition: PartitionId) -> Option<usize> {
        let at = self.ranks.binary_search_by_key(&partition, |(listed, _)| *listed).ok()?;
        self.ranks.get(at).map(|(_, rank)| *rank as usize)
    }
}

/// All partitions, search spaces and rows of a cluster; immutable.
#[derive(Debug)]
pub struct DialPlan {
    hours: Vec<Option<Arc<dyn Hours>>>,
    css: Vec<Space>,
    rows: Vec<Row>,
    /// Every row.
    index: Index,
    /// Emergency rows.
    emergencies: Index,
    /// Those of them that are no blocks.
    emergency_ways: Index,
    /// Translations.
    translations: Index,
}

impl DialPlan {
    /// One row; nothing for an id of another plan.
    #[must_use]
    pub fn row(&self, id: PatternId) -> Option<&Row> {
        self.rows.get(id.0 as usize)
    }

    /// Every row, in the order added.
    pub fn rows(&self) -> impl Iterator<Item = (PatternId, &Row)> {
        (0..).map(PatternId).zip(&self.rows)
    }

    /// The partitions of a search space, in order; empty for an id of another plan.
    #[must_use]
    pub fn css_partitions(&self, css: CssId) -> &[PartitionId] {
        self.css.get(css.0 as usize).map(|space| &*space.partitions).unwrap_or_default()
    }

    /// Whether a partition can be reached at `at` (D-4); one of another plan always.
    #[must_use]
    pub fn is_open(&self, partition: PartitionId, at: Civil) -> bool {
        self.is_open_in(partition, Hour::At(at))
    }

    /// Every search space, in the order added.
    pub fn search_spaces(&self) -> impl Iterator<Item = CssId> {
        (0..last(&self.css).wrapping_add(u32::from(!self.css.is_empty()))).map(CssId)
    }

    /// How many partitions there are: their ids are 0 up to this.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.hours.len()
    }

    /// Where the partition of a row stands in a concatenated search space: 0 is first, no partition is last (D-7);
    /// nothing when it is not reached.
    #[must_use]
    pub fn rank(&self, css: &[CssId], partition: Option<PartitionId>) -> Option<usize> {
        let Some(partition) = partition else { return Some(usize::MAX) };
        let mut before = 0;
        for space in css.iter().filter_map(|css| self.css.get(css.0 as usize)) {
            if let Some(rank) = space.rank(partition) {
                return Some(before + rank);
            }
            before += space.partitions.len();
        }
        None
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
