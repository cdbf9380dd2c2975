//! Digit analysis: the closest match of a number in a search space (D-4 to D-17).

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use super::index::{Index, Met};
use super::{CssId, DialPlan, Hours, PartitionId, PatternId, Row, SearchSpace, Target, TranslateCss};
use crate::digits::Digits;
use crate::moment::Civil;

/// Most emergency patterns of one number that a call which goes on is tried with, one after the other.
const EMERGENCY_WAYS_MAX: usize = 64;

/// Most directory numbers of one number that are looked for in search spaces, and most search spaces that each is looked for in.
const LINES_MAX: usize = 16;
const LINE_SPACES_MAX: usize = 1_024;

/// How often a number is analysed before translations are given up (D-15).
pub const PASSES_MAX: usize = 10;

/// What became of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// Where it ended.
    pub outcome: Outcome,
    /// Translations it passed on the way, in order.
    pub translations: SmallVec<[PatternId; 4]>,
    /// Some pattern that won, the last included, is an emergency one.
    pub emergency: bool,
}

/// Where analysis ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A route pattern or directory number won.
    Found {
        /// It.
        row: PatternId,
        /// The number it matched, before its own transform (D-23 may replace that).
        dialed: Digits,
        /// The calling number after the translations on the way.
        calling: Option<Digits>,
    },
    /// A blocking pattern won (D-14).
    Blocked {
        /// It.
        row: PatternId,
    },
    /// No pattern matches, however the number went on.
    Nothing,
    /// No pattern matches, but longer numbers that begin so do.
    OnlyBeginnings,
    /// The last pass allowed won a translation again.
    StillTranslating {
        /// It.
        row: PatternId,
    },
}

impl Outcome {
    /// The last pattern that won.
    #[must_use]
    pub fn row(&self) -> Option<PatternId> {
        match *self {
            Self::Found { row, .. } | Self::Blocked { row } | Self::StillTranslating { row } => Some(row),
            Self::Nothing | Self::OnlyBeginnings => None,
        }
    }
}

/// What to do with the digits dialed so far (D-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Route at once.
    Route,
    /// Wait for more digits, T302 at most.
    Wait,
    /// No number begins like this.
    Reorder,
}

/// Which rows a pass looks at.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Css(&'a [CssId]),
    /// Emergency rows of every partition, at any hour, blocks aside (P-23).
    Emergency,
}

/// At which hour partitions are looked at.
#[derive(Clone, Copy)]
pub(super) enum Hour<'a> {
    /// This one.
    At(Civil),
    /// One at which the partitions of these schedules are closed and all others open.
    Without(&'a [&'a Arc<dyn Hours>]),
}

/// What one pass found.
struct Pass {
    best: Option<PatternId>,
    could_grow: bool,
}

struct Best<'a> {
    id: PatternId,
    row: &'a Row,
    count: u128,
    /// Where its partition stands in the search space.
    rank: usize,
}

impl DialPlan {
    /// The fate of a whole number `dialed` by a caller with these search spaces at `at`; `calling` is the caller's own
    /// number. Never waits for more digits (D-19).
    #[must_use]
    pub fn analyse(&self, css: &[CssId], dialed: &Digits, calling: Option<&Digits>, at: Civil) -> Analysis {
        self.passes(Scope::Css(css), dialed, calling, at)
    }

    /// As [`Self::analyse`], among the emergency patterns of every partition: where an emergency call goes on when its
    /// search space has no way for it (P-23). A translation's own search space is asked before them.
    #[must_use]
    pub fn analyse_emergency(&self, dialed: &Digits, calling: Option<&Digits>, at: Civil) -> Analysis {
        self.passes(Scope::Emergency, dialed, calling, at)
    }

    /// The emergency patterns of every partition that match the number and lead out, blocks and translations not among them:
    /// the closest first, at most [`EMERGENCY_WAYS_MAX`] (P-23).
    #[must_use]
    pub fn emergency_rows(&self, dialed: &Digits) -> SmallVec<[PatternId; 4]> {
        let index = &self.emergency_ways;
        let groups = index.walk(&self.rows, dialed).whole;
        let rows = groups.iter().flat_map(|group| index.rows(*group)).filter_map(|id| Some((id, self.row(id)?)));
        let mut found: SmallVec<[(PatternId, &Row); 4]> =
            rows.filter(|(_, row)| !matches!(row.target, Target::Translate { .. })).collect();
        found.sort_by(|(a, of_a), (b, of_b)| {
            let counts = of_a.pattern.count(dialed.len()).cmp(&of_b.pattern.count(dialed.len()));
            counts.then_with(|| within_partition(of_a, of_b)).then(a.cmp(b))
        });
        found.into_iter().map(|(id, _)| id).take(EMERGENCY_WAYS_MAX).collect()
    }

    /// A search space in which a directory number wins the number as written: that of a caller who has none of their own and
    /// reaches whatever line anybody reaches (5.3). Nothing in it, or one search space: the first, of the closest such line. Of
    /// more lines or search spaces than [`LINES_MAX`] and [`LINE_SPACES_MAX`] the first are looked at.
    #[must_use]
    pub fn of_line(&self, dialed: &Digits, at: Civil) -> Option<SearchSpace> {
        let groups = self.index.walk(&self.rows, dialed).whole;
        let rows = groups.iter().flat_map(|group| self.index.rows(*group)).filter_map(|id| Some((id, self.row(id)?)));
        let lines = rows.filter(|(_, row)| matches!(row.target, Target::DirectoryNumber { .. })).take(LINES_MAX);
        // As all search spaces together would have them.
        let all: SearchSpace = self.search_spaces().collect();
        let standing = |row: &Row| {
            let rank = self.rank(&all, row.partition).unwrap_or(usize::MAX);
            (row.pattern.count(dialed.len()), rank)
        };
        let mut lines: SmallVec<[_; 4]> = lines.map(|(id, row)| (standing(row), id, row)).collect();
        lines.sort_by(|(standing_a, a, of_a), (standing_b, b, of_b)| {
            standing_a.cmp(standing_b).then_with(|| within_partition(of_a, of_b)).then(a.cmp(b))
        });
        let nothing = SearchSpace::new();
        lines.iter().find_map(|(_, id, row)| {
            let listed = |css: &CssId| self.rank(&[*css], row.partition).is_some();
            let each =
                self.search_spaces().filter(listed).take(LINE_SPACES_MAX).map(|css| SearchSpace::from_slice(&[css]));
            std::iter::once(nothing.clone()).chain(each).find(|css| self.closest_row(css, dialed, at) == Some(*id))
        })
    }

    /// The closest emergency pattern of any partition that matches the number as written (P-23).
    #[must_use]
    pub fn emergency_match(&self, dialed: &Digits) -> Option<PatternId> {
        self.best(&self.emergencies, Scope::Emergency, dialed, Hour::Without(&[])).0.map(|best| best.id)
    }

    /// The rows of any partition that match the number as written, open or closed: of rows with equal patterns one, in the
    /// order added. Numbers of one length with the same rows are won by the same row in every search space at
    /// any hour.
    #[must_use]
    pub fn rows_of(&self, dialed: &Digits) -> Vec<PatternId> {
        let groups = self.index.walk(&self.rows, dialed).whole;
        let mut rows: Vec<_> = groups.iter().filter_map(|group| self.index.first(*group)).collect();
        rows.sort_unstable();
        rows
    }

    /// Whether a translation of any partition matches the number as written: only such a number may become an emergency
    /// one on its way, which nothing short of analysis can tell (P-23).
    #[must_use]
    pub fn may_translate(&self, dialed: &Digits) -> bool {
        !self.translations.walk(&self.rows, dialed).whole.is_empty()
    }

    /// What to do after each digit of a number dialed digit by digit (D-16, D-17).
    #[must_use]
    pub fn digit_by_digit(&self, css: &[CssId], dialed: &Digits, at: Civil) -> Overlap {
        let pass = self.closest(Scope::Css(css), dialed, Hour::At(at), true);
        match (pass.best.and_then(|id| self.row(id)), pass.could_grow) {
            (None, false) => Overlap::Reorder,
            (None, true) => Overlap::Wait,
            (Some(_), false) => Overlap::Route,
            (Some(best), true) => {
                if best.urgent {
                    Overlap::Route
                } else {
                    Overlap::Wait
                }
            }
        }
    }

    fn passes(&self, first: Scope<'_>, dialed: &Digits, calling: Option<&Digits>, at: Civil) -> Analysis {
        let mut analysis = Analysis { outcome: Outcome::Nothing, translations: SmallVec::new(), emergency: false };
        let (mut dialed, mut calling) = (*dialed, calling.copied());
        let mut next_css = TranslateCss::Originator;
        for pass in 1..=PASSES_MAX {
            let found = self.pass(first, next_css, &dialed, at);
            let Some((id, row)) = found.best.and_then(|id| self.row(id).map(|row| (id, row))) else {
                if found.could_grow {
                    analysis.outcome = Outcome::OnlyBeginnings;
                }
                return analysis;
            };
            analysis.emergency |= row.emergency;
            next_css = match row.target {
                Target::Block => {
                    analysis.outcome = Outcome::Blocked { row: id };
                    return analysis;
                }
                Target::RouteList(_) | Target::DirectoryNumber { .. } => {
                    analysis.outcome = Outcome::Found { row: id, dialed, calling };
                    return analysis;
                }
                Target::Translate { .. } if pass == PASSES_MAX => {
                    analysis.outcome = Outcome::StillTranslating { row: id };
                    return analysis;
                }
                Target::Translate { css } => css,
            };
            analysis.translations.push(id);
            let transformed = row.transform.called(&row.pattern, &dialed);
            let (Ok(next), Ok(from)) = (transformed, row.transform.calling(calling.as_ref())) else {
                // A number too long to be kept matches nothing.
                return analysis;
            };
            (dialed, calling) = (next, from);
        }
        analysis
    }

    fn pass(&self, first: Scope<'_>, css: TranslateCss, dialed: &Digits, at: Civil) -> Pass {
        let closest = |scope: Scope<'_>| self.closest(scope, dialed, Hour::At(at), false);
        let found = match css {
            TranslateCss::Originator => return closest(first),
            TranslateCss::Css(css) => closest(Scope::Css(&[css])),
            TranslateCss::None => closest(Scope::Css(&[])),
        };
        let leads_on = found.best.and_then(|id| self.row(id)).is_some_and(|row| row.target != Target::Block);
        match first {
            Scope::Emergency if !leads_on => closest(first),
            _ => found,
        }
    }

    /// The row that matches the number closest, translations not followed (D-8, D-25).
    #[must_use]
    pub fn closest_row(&self, css: &[CssId], number: &Digits, at: Civil) -> Option<PatternId> {
        self.winner(css, number, Hour::At(at))
    }

    /// The row that wins a number in a search space at such an hour, translations not followed.
    pub(super) fn winner(&self, css: &[CssId], dialed: &Digits, hour: Hour<'_>) -> Option<PatternId> {
        self.best(&self.index, Scope::Css(css), dialed, hour).0.map(|best| best.id)
    }

    /// The one row of the scope that matches the fewest numbers of this length (D-8); the earliest partition where that
    /// is equal (D-12), then D-13. Whether a longer number could match is found where it matters: nothing matches, or it
    /// is `asked`.
    fn closest(&self, scope: Scope<'_>, dialed: &Digits, hour: Hour<'_>, asked: bool) -> Pass {
        let index = match scope {
            Scope::Css(_) => &self.index,
            Scope::Emergency => &self.emergency_ways,
        };
        let (best, met) = self.best(index, scope, dialed, hour);
        let could_grow = (asked || best.is_none())
            && met.growing.iter().any(|groups| match scope {
                Scope::Emergency => true,
                Scope::Css(css) => {
                    let reached =
                        |partition| self.rank(css, Some(partition)).is_some() && self.is_open_in(partition, hour);
                    index.any_reached(*groups, self.partitions_of(css), reached)
                }
            });
        Pass { best: best.map(|best| best.id), could_grow }
    }

    fn best<'a>(&'a self, index: &Index, scope: Scope<'_>, dialed: &Digits, hour: Hour<'_>) -> (Option<Best<'a>>, Met) {
        let met = index.walk(&self.rows, dialed);
        let mut best: Option<Best<'a>> = None;
        for &group in &met.whole {
            let Some(row) = index.first(group).and_then(|id| self.row(id)) else { continue };
            let count = row.pattern.count(dialed.len());
            if best.as_ref().is_some_and(|best| count > best.count) {
                continue;
            }
            let nearest = match scope {
                Scope::Css(css) => self.nearest(index, group, css, hour),
                Scope::Emergency => index.first(group).map(|id| (usize::MAX, id)),
            };
            let Some((rank, id, row)) = nearest.and_then(|(rank, id)| Some((rank, id, self.row(id)?))) else {
                continue;
            };
            let closer = best.as_ref().is_none_or(|best| {
                let order = count.cmp(&best.count).then(rank.cmp(&best.rank));
                order.then_with(|| within_partition(row, best.row)).then(id.cmp(&best.id)).is_lt()
            });
            if closer {
                best = Some(Best { id, row, count, rank });
            }
        }
        (best, met)
    }

    /// Of rows that match the same, the one in the earliest partition that is open, and where that stands (D-12).
    pub(super) fn nearest(
        &self,
        index: &Index,
        group: u32,
        css: &[CssId],
        hour: Hour<'_>,
    ) -> Option<(usize, PatternId)> {
        if let Some(has) = index.crowd(group) {
            let mut listed = self.partitions_of(css).enumerate();
            let first = listed.find(|(_, partition)| has(*partition) && self.is_open_in(*partition, hour));
            return match first {
                Some((rank, partition)) => index.row_in(group, Some(partition)).map(|id| (rank, id)),
                None => index.row_in(group, None).map(|id| (usize::MAX, id)),
            };
        }
        let reached =
            index.firsts(group).filter_map(|(partition, id)| Some((self.rank(css, partition)?, partition, id)));
        let open =
            reached.filter(|(_, partition, _)| partition.is_none_or(|partition| self.is_open_in(partition, hour)));
        open.min_by_key(|(rank, ..)| *rank).map(|(rank, _, id)| (rank, id))
    }

    pub(super) fn partitions_of(&self, css: &[CssId]) -> impl Iterator<Item = PartitionId> {
        css.iter().flat_map(|css| self.css_partitions(*css)).copied()
    }

    pub(super) fn is_open_in(&self, partition: PartitionId, hour: Hour<'_>) -> bool {
        let Some(schedule) = self.hours.get(partition.0 as usize).and_then(Option::as_ref) else { return true };
        match hour {
            Hour::At(at) => schedule.open(at),
            Hour::Without(closed) => !closed.iter().any(|other| Arc::ptr_eq(schedule, other)),
        }
    }
}

/// Which of two equally close rows of one partition comes first: the longer literal prefix, then byte order (D-13).
pub(super) fn within_partition(a: &Row, b: &Row) -> Ordering {
    let longer = b.pattern.literal_prefix_len().cmp(&a.pattern.literal_prefix_len());
    longer.then_with(|| a.pattern.text().cmp(b.pattern.text()))
}
