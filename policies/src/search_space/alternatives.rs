//! What a number might have matched instead: for whoever asks why a call went where it went.
//!
//! Looks at every row, one after the other, without the index that live calls use: right by being plain, and a second
//! opinion on the winner. Not for the path of a call.

use std::cmp::Ordering;

use super::analyse::within_partition;
use super::{CssId, DialPlan, PatternId, Row, Target, TranslateCss};
use crate::digits::Digits;
use crate::moment::Civil;

/// One number as one pass of analysis saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What this pass searched, in order.
    pub css: Vec<CssId>,
    /// The number it compared.
    pub dialed: Digits,
    /// What won it, if anything did.
    pub won: Option<PatternId>,
}

/// A row that matches a number and did not win it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// It.
    pub row: PatternId,
    /// Why it did not win.
    pub why: Lost,
}

/// Why a row that matches did not win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It matches more numbers of this length than the winner (D-8).
    Wider {
        /// How many.
        matches: u128,
        /// And the winner.
        winner_matches: u128,
    },
    /// As close, in a partition that comes later (D-12).
    LaterPartition,
    /// As close, in the same partition, with a shorter literal beginning (D-13).
    ShorterBeginning,
    /// The same, and later in byte order (D-13).
    ByteOrder,
    /// Its partition is closed at this hour (D-4).
    Closed,
    /// Its partition is in none of the search spaces (D-4).
    NotReached,
}

impl DialPlan {
    /// The passes of [`DialPlan::analyse`] for the same arguments: the number as dialed, then as each translation made
    /// it, each with what won there.
    #[must_use]
    pub fn passes_of(&self, css: &[CssId], dialed: &Digits, at: Civil) -> Vec<Asked> {
        let analysis = self.analyse(css, dialed, None, at);
        let winners = analysis.translations.iter().copied().map(Some).chain([analysis.outcome.row()]);
        let mut next = (css.to_vec(), *dialed);
        let mut passes = Vec::new();
        for won in winners {
            let (searched, number) = next.clone();
            passes.push(Asked { css: searched, dialed: number, won });
            let Some(row) = won.and_then(|won| self.row(won)) else { break };
            let Target::Translate { css: to } = row.target else { break };
            let Ok(number) = row.transform.called(&row.pattern, &number) else { break };
            let searched = match to {
                TranslateCss::Css(css) => vec![css],
                TranslateCss::Originator => css.to_vec(),
                TranslateCss::None => Vec::new(),
            };
            next = (searched, number);
        }
        passes
    }

    /// The rows that match the number of this pass and did not win it, the closest first, then those closed, then
    /// those not reached; `most` at most.
    #[must_use]
    pub fn alternatives(&self, pass: &Asked, at: Civil, most: usize) -> Vec<Alternative> {
        let winner = pass.won.and_then(|id| self.row(id).map(|row| (id, row)));
        let matching = self.rows().filter(|(id, row)| Some(*id) != pass.won && row.pattern.matches(&pass.dialed).full);
        let mut found: Vec<_> = matching.collect();
        found.sort_by(|a, b| self.closer(pass, at, *a, *b));
        found.truncate(most);
        let told = found.into_iter().map(|(id, row)| Alternative { row: id, why: self.lost(pass, at, row, winner) });
        told.collect()
    }

    /// Why `row` lost to `winner`, or was not looked at.
    fn lost(&self, pass: &Asked, at: Civil, row: &Row, winner: Option<(PatternId, &Row)>) -> Lost {
        let Some(rank) = self.rank(&pass.css, row.partition) else { return Lost::NotReached };
        let Some((_, winner)) = winner.filter(|_| self.is_row_open(row, at)) else { return Lost::Closed };
        let length = pass.dialed.len();
        let (matches, winner_matches) = (row.pattern.count(length), winner.pattern.count(length));
        if matches > winner_matches {
            Lost::Wider { matches, winner_matches }
        } else if self.rank(&pass.css, winner.partition).is_some_and(|first| first < rank) {
            Lost::LaterPartition
        } else if row.pattern.literal_prefix_len() < winner.pattern.literal_prefix_len() {
            Lost::ShorterBeginning
        } else {
            Lost::ByteOrder
        }
    }

    /// The order of D-4, D-8, D-12 and D-13, written down plainly.
    fn closer(&self, pass: &Asked, at: Civil, a: (PatternId, &Row), b: (PatternId, &Row)) -> Ordering {
        let standing = |row: &Row| match self.rank(&pass.css, row.partition) {
            None => (2, u128::MAX, usize::MAX),
            Some(rank) => (if self.is_row_open(row, at) { 0 } else { 1 }, row.pattern.count(pass.dialed.len()), rank),
        };
        standing(a.1).cmp(&standing(b.1)).then_with(|| within_partition(a.1, b.1)).then(a.0.cmp(&b.0))
    }

    fn is_row_open(&self, row: &Row, at: Civil) -> bool {
        row.partition.is_none_or(|partition| self.is_open(partition, at))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DialPlanBuilder, Hours};
    use super::*;
    use crate::digits::{Pattern, RowTransform, Transform};
    use std::sync::Arc;

    #[derive(Debug)]
    struct Never;

    impl Hours for Never {
        fn open(&self, _: Civil) -> bool {
            false
        }
    }

    fn digits(text: &str) -> Digits {
        Digits::from_bytes(text.as_bytes()).unwrap()
    }

    /// Rows as (pattern, partition), each a block, in partitions 0 (first), 1 (second), 2 (closed), 3 (not listed).
    fn plan(rows: &[(&str, Option<u32>)]) -> (DialPlan, CssId) {
        let mut builder = DialPlanBuilder::default();
        let first = builder.partition(None);
        let second = builder.partition(None);
        let closed = builder.partition(Some(Arc::new(Never)));
        let _elsewhere = builder.partition(None);
        let css = builder.css(&[first, second, closed]);
        for (pattern, partition) in rows {
            builder.row(row(pattern, *partition, Target::Block, RowTransform::default()));
        }
        (builder.build(), css)
    }

    fn row(pattern: &str, partition: Option<u32>, target: Target, transform: RowTransform) -> Row {
        let pattern = Pattern::parse(pattern).unwrap();
        let partition = partition.map(super::super::PartitionId);
        Row { pattern, partition, urgent: false, emergency: false, transform, target }
    }

    #[test]
    fn every_loser_is_told_why_closest_first() {
        let rows = [
            ("12XX", Some(1)),
            ("123X", Some(0)),
            ("12[0-9]4", Some(0)),
            ("123X", Some(1)),
            ("1234", Some(2)),
            ("1234", Some(3)),
            ("XXXX", None),
            ("99", Some(0)),
        ];
        let (plan, css) = plan(&rows);
        let passes = plan.passes_of(&[css], &digits("1234"), Civil(0));
        assert_eq!(passes, [Asked { css: vec![css], dialed: digits("1234"), won: Some(PatternId(1)) }]);
        let told: Vec<_> =
            plan.alternatives(&passes[0], Civil(0), 10).iter().map(|other| (other.row.0, other.why)).collect();
        let wider = |matches| Lost::Wider { matches, winner_matches: 10 };
        assert_eq!(
            told,
            [
                (2, Lost::ShorterBeginning),
                (3, Lost::LaterPartition),
                (0, wider(100)),
                (6, wider(10_000)),
                (4, Lost::Closed),
                (5, Lost::NotReached),
            ]
        );
        assert_eq!(plan.alternatives(&passes[0], Civil(0), 2).len(), 2);
    }

    #[test]
    fn byte_order_is_the_last_word_d13() {
        let (plan, css) = plan(&[("12X", Some(0)), ("12[0-9]", Some(0))]);
        let pass = plan.passes_of(&[css], &digits("123"), Civil(0)).remove(0);
        assert_eq!(pass.won, Some(PatternId(0)));
        assert_eq!(plan.alternatives(&pass, Civil(0), 9), [Alternative { row: PatternId(1), why: Lost::ByteOrder }]);
    }

    #[test]
    fn passes_follow_translations_with_their_own_search_space_d15() {
        let mut builder = DialPlanBuilder::default();
        let (outer, inner) = (builder.partition(None), builder.partition(None));
        let (first, second) = (builder.css(&[outer]), builder.css(&[inner]));
        let prefixed = Transform { prefix: digits("9"), ..Transform::default() }.into();
        let translate = Target::Translate { css: TranslateCss::Css(second) };
        builder.row(row("11X", Some(0), translate, prefixed));
        builder.row(row("9112", Some(1), Target::Block, RowTransform::default()));
        let plan = builder.build();
        let passes = plan.passes_of(&[first], &digits("112"), Civil(0));
        let want = [(vec![first], "112", Some(PatternId(0))), (vec![second], "9112", Some(PatternId(1)))];
        let want = want.map(|(css, dialed, won)| Asked { css, dialed: digits(dialed), won });
        assert_eq!(passes, want);
        let lost = plan.passes_of(&[second], &digits("112"), Civil(0));
        assert_eq!(lost, [Asked { css: vec![second], dialed: digits("112"), won: None }]);
        let others = plan.alternatives(&lost[0], Civil(0), 9);
        assert_eq!(others, [Alternative { row: PatternId(0), why: Lost::NotReached }]);
    }
}
