//! Digit analysis: the closest match of a number in a search space (D-4 to D-17).

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::index::Root;
use super::{CssId, DialPlan, PartitionId, PatternId, Row, Target, TranslateCss};
use crate::digits::{Digits, Reach};
use crate::moment::Civil;

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

/// What one pass found.
struct Pass {
    best: Option<PatternId>,
    could_grow: bool,
}

struct Best<'a> {
    id: PatternId,
    row: &'a Row,
    count: u128,
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

    /// The closest emergency pattern of any partition that matches the number as written (P-23).
    #[must_use]
    pub fn emergency_match(&self, dialed: &Digits) -> Option<PatternId> {
        let mut best = None;
        let _longer = self.index.walk(Root::Emergency, dialed, |id| {
            let _reach = self.consider(&mut best, id, dialed);
        });
        best.map(|best: Best<'_>| best.id)
    }

    /// Whether a translation of any partition matches the number as written: only such a number may become an emergency
    /// one on its way, which nothing short of analysis can tell (P-23).
    #[must_use]
    pub fn may_translate(&self, dialed: &Digits) -> bool {
        let mut any = false;
        let _longer = self.index.walk(Root::Translations, dialed, |id| {
            any |= self.row(id).is_some_and(|row| row.pattern.matches(dialed).full);
        });
        any
    }

    /// What to do after each digit of a number dialed digit by digit (D-16, D-17).
    #[must_use]
    pub fn digit_by_digit(&self, css: &[CssId], dialed: &Digits, at: Civil) -> Overlap {
        let pass = self.closest(Scope::Css(css), dialed, at);
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
        let found = match css {
            TranslateCss::Originator => return self.closest(first, dialed, at),
            TranslateCss::Css(css) => self.closest(Scope::Css(&[css]), dialed, at),
            TranslateCss::None => self.closest(Scope::Css(&[]), dialed, at),
        };
        let leads_on = found.best.and_then(|id| self.row(id)).is_some_and(|row| row.target != Target::Block);
        match first {
            Scope::Emergency if !leads_on => self.closest(first, dialed, at),
            _ => found,
        }
    }

    /// The one row of the scope that matches the fewest numbers of this length (D-8); the earliest partition where that
    /// is equal (D-12), then D-13.
    fn closest(&self, scope: Scope<'_>, dialed: &Digits, at: Civil) -> Pass {
        let mut best: Option<Best<'_>> = None;
        let mut could_grow = false;
        let mut look = |root: Root| {
            let mut nearest = None;
            let mut grows = false;
            let longer = self.index.walk(root, dialed, |id| {
                let skipped = scope_is_emergency(scope) && self.row(id).is_some_and(|row| row.target == Target::Block);
                if !skipped {
                    grows |= self.consider(&mut nearest, id, dialed).could_grow;
                }
            });
            could_grow |= longer || grows;
            if let Some(nearest) = nearest
                && best.as_ref().is_none_or(|best: &Best<'_>| nearest.count < best.count)
            {
                best = Some(nearest);
            }
        };
        match scope {
            Scope::Emergency => look(Root::Emergency),
            Scope::Css(css) => {
                let mut seen: SmallVec<[PartitionId; 32]> = SmallVec::new();
                for &partition in css.iter().flat_map(|css| self.css_partitions(*css)) {
                    if seen.contains(&partition) {
                        continue;
                    }
                    seen.push(partition);
                    let hours = self.hours.get(partition.0 as usize).and_then(Option::as_deref);
                    if hours.is_none_or(|hours| hours.open(at)) {
                        look(Root::Partition(partition));
                    }
                }
                look(Root::NoPartition);
            }
        }
        Pass { best: best.map(|best| best.id), could_grow }
    }

    /// Takes `id` for `best` if it matches closer than that, both in one partition.
    fn consider<'a>(&'a self, best: &mut Option<Best<'a>>, id: PatternId, dialed: &Digits) -> Reach {
        let Some(row) = self.row(id) else { return Reach::default() };
        let reach = row.pattern.matches(dialed);
        if reach.full {
            let count = row.pattern.count(dialed.len());
            let closer = best.as_ref().is_none_or(|best| {
                count.cmp(&best.count).then_with(|| within_partition(row, best.row)).then(id.cmp(&best.id)).is_lt()
            });
            if closer {
                *best = Some(Best { id, row, count });
            }
        }
        reach
    }
}

fn scope_is_emergency(scope: Scope<'_>) -> bool {
    matches!(scope, Scope::Emergency)
}

/// Which of two equally close rows of one partition comes first: the longer literal prefix, then byte order (D-13).
pub(super) fn within_partition(a: &Row, b: &Row) -> Ordering {
    let longer = b.pattern.literal_prefix_len().cmp(&a.pattern.literal_prefix_len());
    longer.then_with(|| a.pattern.text().cmp(b.pattern.text()))
}
