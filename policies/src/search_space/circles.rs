//! Translations that go round: numbers that the last pass allowed still translates (D-15), found on the patterns.
//!
//! What a translation makes of its numbers is, or is within, what another chain of links stands for; so it is soon known
//! which translations have ten in a row behind them, and in most plans none has. The numbers of those that are left are
//! followed, split wherever some pattern tells two of them apart, and one is asked of each set.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::analyse::{Hour, Outcome, PASSES_MAX};
use super::{CssId, DialPlan, PartitionId, PatternId, Row, SearchSpace, Target, TranslateCss};
use crate::digits::{DIGITS_MAX, Digits, Discard, Element, SYMBOLS, symbol};
use crate::moment::Civil;
use crate::numbers::{Budget, Exhausted, Part, Shape, Traced, Watch, begun_shapes, split, transformed};

/// Pairs of translations, one of which may take what the other made, that are looked at.
const PAIRS_MAX: usize = 2_000_000;
/// Steps the numbers of one translation may take, and those of all: a tenth of a second or two, and a second or two.
const STEPS_MAX: u64 = 2_000_000;
/// See [`STEPS_MAX`].
const ALL_STEPS_MAX: u64 = 8 * STEPS_MAX;
/// What asking who wins a number costs, in these steps.
const STEPS_PER_WINNER: usize = 20;
/// Longest chain of links that can be compared with others.
const LINKS_MAX: usize = 120;
/// Any number.
const ANYTHING: Element = Element::any_number((1 << SYMBOLS) - 1);

/// A translation, and a number it takes that is translated until the passes are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circle {
    /// The first translation of the number.
    pub row: PatternId,
    /// The number.
    pub digits: Digits,
}

/// Where numbers are translated until the passes are used up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circles {
    /// Each translation that begins with such a number for somebody, once, in the order of their ids.
    pub found: Vec<Circle>,
    /// Translations of which not every number could be looked at: of these, one that goes round may be missing.
    pub unproved: Vec<PatternId>,
}

impl DialPlan {
    /// Every translation that takes a number, in one of these search spaces at one of these moments, which the last pass
    /// still translates: one number for each.
    #[must_use]
    pub fn circles(&self, spaces: &[SearchSpace], moments: &[Civil]) -> Circles {
        let (mut circles, mut left) = (Circles::default(), ALL_STEPS_MAX);
        let mut reaching: HashMap<Option<PartitionId>, Vec<&[CssId]>> = HashMap::new();
        for (id, row) in self.long_chains() {
            let spaces = reaching.entry(row.partition).or_insert_with(|| {
                let reaching = spaces.iter().filter(|css| self.rank(css, row.partition).is_some());
                reaching.map(AsRef::as_ref).collect()
            });
            let search = Search { plan: self, id, row, spaces, moments };
            let mut budget = Budget::new(STEPS_MAX.min(left));
            let found = search.run(&mut budget);
            left -= STEPS_MAX.min(left) - budget.left();
            circles.unproved.extend((found == Err(Exhausted)).then_some(id));
            let digits = found.unwrap_or_else(|Exhausted| search.first());
            circles.found.extend(digits.map(|digits| Circle { row: id, digits }));
        }
        circles
    }

    /// The translations that may begin a chain of so many that the passes are used up.
    fn long_chains(&self) -> Vec<(PatternId, &Row)> {
        let all: Vec<(PatternId, &Row)> = self.rows().filter(|(_, row)| is_translation(row)).collect();
        let place = |id: PatternId| all.binary_search_by_key(&id, |(known, _)| *known).ok();
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        let mut looked_at = 0;
        for (at, (_, row)) in all.iter().enumerate() {
            let made = image(row);
            for group in self.translations.overlapping(&made) {
                looked_at += 1;
                let first = self.translations.first(group).and_then(|id| self.row(id));
                if !first.is_some_and(|first| meet(&made, first.pattern.elements())) {
                    continue;
                }
                let rows = self.translations.rows(group);
                let rows =
                    rows.inspect(|_| looked_at += 1).filter(|id| self.row(*id).is_some_and(|to| leads(self, row, to)));
                pairs.extend(rows.filter_map(|to| Some((at, place(to)?))));
            }
            // So many that nobody looks at them all: any may lead to any.
            if looked_at > PAIRS_MAX {
                return all;
            }
        }
        let mut is_long = vec![true; all.len()];
        for _ in 1..PASSES_MAX {
            let mut longer = vec![false; all.len()];
            for (from, to) in &pairs {
                let goes_on = is_long.get(*to) == Some(&true);
                longer.get_mut(*from).into_iter().for_each(|is_long| *is_long |= goes_on);
            }
            is_long = longer;
        }
        all.into_iter().zip(is_long).filter(|(_, is_long)| *is_long).map(|(one, _)| one).collect()
    }
}

/// Whether what one translation makes is looked for where another is.
fn leads(plan: &DialPlan, from: &Row, to: &Row) -> bool {
    match from.target {
        Target::Translate { css: TranslateCss::Originator } => true,
        Target::Translate { css: TranslateCss::Css(css) } => plan.rank(&[css], to.partition).is_some(),
        Target::Translate { css: TranslateCss::None } => to.partition.is_none(),
        _ => false,
    }
}

/// Whether two chains of links may have a number in common; false where none of both repeats and they have none.
fn meet(a: &[Element], b: &[Element]) -> bool {
    let is_fixed = !a.iter().chain(b).any(|element| element.repeats());
    !is_fixed || a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.class() & b.class() != 0)
}

fn is_translation(row: &Row) -> bool {
    matches!(row.target, Target::Translate { .. })
}

/// Links that stand for every number a translation makes, and perhaps for others.
fn image(row: &Row) -> Vec<Element> {
    let (pattern, transform) = (&row.pattern, &row.transform);
    let is_fixed = !pattern.elements().iter().any(|element| element.repeats());
    let is_cut = matches!(transform.discard, Some(Discard::PreDot | Discard::PreDotTrailingHash));
    let is_trimmed = matches!(transform.discard, Some(Discard::TrailingHash | Discard::PreDotTrailingHash));
    let right = pattern.around_dot().filter(|_| is_cut).map_or(pattern.elements(), |(_, right)| right);
    let mut kept = if is_fixed { right.to_vec() } else { vec![ANYTHING] };
    let hash = symbol(b'#');
    if let Some(last) = kept.last_mut().filter(|last| is_trimmed && hash.is_some_and(|hash| last.has(hash))) {
        *last = Element::any_number(last.class());
    }
    let one = |byte: u8| symbol(byte).map(|symbol| Element::once(1 << symbol));
    let mut made: Vec<Element> = transform.prefix.as_bytes().iter().filter_map(|byte| one(*byte)).collect();
    match transform.called_mask {
        None => made.extend(kept),
        Some(mask) => {
            let (places, is_known) = (mask.places(), !kept.iter().any(|element| element.repeats()));
            let length = places.len();
            for (at, literal) in places.enumerate() {
                let under = kept.len().checked_sub(length - at).and_then(|place| kept.get(place)).copied();
                // Of a number of any length there may be a character here, or none.
                made.extend(literal.and_then(one).or(if is_known { under } else { Some(ANYTHING) }));
            }
        }
    }
    if made.len() > LINKS_MAX { vec![ANYTHING] } else { made }
}

/// The search among the numbers of one translation.
struct Search<'a> {
    plan: &'a DialPlan,
    id: PatternId,
    row: &'a Row,
    /// Search spaces that have it.
    spaces: &'a [&'a [CssId]],
    moments: &'a [Civil],
}

/// Numbers on their way: what they were when dialed, what they are, and who takes them.
struct Way<'a> {
    shape: Shape,
    number: Traced,
    row: &'a Row,
    /// From 1.
    pass: usize,
}

impl<'a> Search<'a> {
    /// A number that goes round, if there is one.
    fn run(&self, budget: &mut Budget) -> Result<Option<Digits>, Exhausted> {
        budget.spend(STEPS_PER_WINNER)?;
        let pattern = &self.row.pattern;
        let mut watches = self.watches(&pattern.canonical(), budget)?;
        watches.push(Watch { pattern, leads: true });
        let mut found = None;
        begun_shapes(&watches, false, DIGITS_MAX, budget, &mut |shape, budget| {
            let digits = shape.example();
            if found.is_some() || !pattern.matches(&digits).full {
                return Ok(());
            }
            for (css, at) in self.spaces.iter().flat_map(|css| self.moments.iter().map(move |at| (*css, *at))) {
                budget.spend(STEPS_PER_WINNER)?;
                if self.plan.winner(css, &digits, Hour::At(at)) != Some(self.id) {
                    continue;
                }
                let number = Traced::dialed(shape.len(), 0);
                let way = Way { shape: shape.clone(), number, row: self.row, pass: 1 };
                found = self.follow(&way, (css, at), budget)?;
                if found.is_some() {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// One number of those on their way that is still translated in the last pass.
    fn follow(&self, way: &Way<'a>, at: (&[CssId], Civil), budget: &mut Budget) -> Result<Option<Digits>, Exhausted> {
        let Target::Translate { css: next } = way.row.target else { return Ok(None) };
        if way.pass == PASSES_MAX {
            return Ok(Some(way.shape.example()).filter(|digits| self.goes_round(digits, at)));
        }
        let (begun, moment) = at;
        let named: SmallVec<[CssId; 1]> = match next {
            TranslateCss::Css(css) => SmallVec::from_slice(&[css]),
            TranslateCss::Originator | TranslateCss::None => SmallVec::new(),
        };
        let css = if next == TranslateCss::Originator { begun } else { &*named };
        let mut pieces = Vec::new();
        let Row { pattern, transform, .. } = way.row;
        transformed(&way.shape, &way.number, pattern, transform, budget, &mut |shape, made, budget| {
            budget.spend(1)?;
            pieces.extend(made.map(|made| (shape, made)));
            Ok(())
        })?;
        for (shape, number) in pieces {
            let watches = self.watches(&links(&shape, &number), budget)?;
            let mut smaller = Vec::new();
            split(&shape, &number, &watches, true, budget, &mut |shape, budget| {
                budget.spend(1)?;
                smaller.push(shape);
                Ok(())
            })?;
            for shape in smaller {
                budget.spend(STEPS_PER_WINNER)?;
                let won = self.plan.winner(css, &number.of(&shape.example()), Hour::At(moment));
                let Some(row) = won.and_then(|id| self.plan.row(id)) else { continue };
                let way = Way { shape, number: number.clone(), row, pass: way.pass + 1 };
                let found = self.follow(&way, at, budget)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// Where not all can be looked at: a shortest number of the translation, if that goes round in its first search space.
    fn first(&self) -> Option<Digits> {
        let digits = self.row.pattern.in_common(&self.row.pattern, |_| true)?;
        let css = self.spaces.first()?;
        self.moments.iter().any(|at| self.goes_round(&digits, (css, *at))).then_some(digits)
    }

    /// The last word is that of the function live calls ask.
    fn goes_round(&self, digits: &Digits, (css, at): (&[CssId], Civil)) -> bool {
        let analysis = self.plan.analyse(css, digits, None, at);
        matches!(analysis.outcome, Outcome::StillTranslating { .. }) && analysis.translations.first() == Some(&self.id)
    }

    /// Every pattern that has numbers in common with these links.
    fn watches(&self, links: &[Element], budget: &mut Budget) -> Result<Vec<Watch<'a>>, Exhausted> {
        let index = &self.plan.index;
        let groups = index.overlapping(links);
        budget.spend(groups.len())?;
        let rows = groups.into_iter().filter_map(|group| self.plan.row(index.first(group)?));
        Ok(rows.map(|row| Watch { pattern: &row.pattern, leads: false }).collect())
    }
}

/// What numbers of a shape have become, place by place.
fn links(shape: &Shape, number: &Traced) -> SmallVec<[Element; 16]> {
    let class = |part: &Part| match *part {
        Part::Literal(byte) => symbol(byte).map_or(0, |symbol| 1 << symbol),
        Part::Place(place) => shape.at(usize::from(place)).class(),
    };
    number.parts().iter().map(|part| Element::once(class(part))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::super::{DialPlanBuilder, Hours};
    use super::*;
    use crate::digits::{Mask, Pattern, RowTransform, Transform};
    use crate::route::RouteListId;

    const MOMENTS: [Civil; 2] = [Civil(0), Civil(1)];

    /// Open at the second moment alone.
    #[derive(Debug)]
    struct Late;

    impl Hours for Late {
        fn open(&self, at: Civil) -> bool {
            at.0 > 0
        }
    }

    fn digits(text: &str) -> Digits {
        Digits::from_bytes(text.as_bytes()).unwrap()
    }

    /// Pattern, partition (3: none), what it does, and where it leads: to a space, to that it began with (3), to none (4),
    /// out (more).
    type Spec<'s> = (&'s str, u32, &'s str, &'s str, &'s str, u32);

    fn plan(specs: &[Spec<'_>], spaces: &[Vec<u32>]) -> (DialPlan, Vec<SearchSpace>) {
        let mut builder = DialPlanBuilder::default();
        for hours in [None, None, Some(Arc::new(Late) as Arc<dyn Hours>)] {
            builder.partition(hours);
        }
        let spaces: Vec<CssId> = spaces
            .iter()
            .map(|listed| builder.css(&listed.iter().copied().map(PartitionId).collect::<Vec<_>>()))
            .collect();
        for (pattern, partition, discard, mask, prefix, to) in specs {
            let target = match *to {
                to @ 0..=2 if (to as usize) < spaces.len() => {
                    Target::Translate { css: TranslateCss::Css(spaces[to as usize]) }
                }
                3 => Target::Translate { css: TranslateCss::Originator },
                4 => Target::Translate { css: TranslateCss::None },
                _ => Target::RouteList(RouteListId(0)),
            };
            let transform = Transform {
                discard: Discard::parse(discard).unwrap(),
                called_mask: (!mask.is_empty()).then(|| Mask::parse(mask).unwrap()),
                prefix: digits(prefix),
                ..Transform::NONE
            };
            builder.row(Row {
                pattern: Pattern::parse(pattern).unwrap(),
                partition: (*partition < 3).then_some(PartitionId(*partition)),
                urgent: false,
                emergency: false,
                transform: RowTransform::from(transform),
                target,
            });
        }
        let single = spaces.iter().map(|css| SearchSpace::from_slice(&[*css]));
        let begun = single.chain([spaces.iter().copied().collect(), SearchSpace::new()]).collect();
        (builder.build(), begun)
    }

    /// Every number of some characters up to a length.
    fn numbers(of: &[u8], longest: usize) -> Vec<Digits> {
        let mut all = vec![Digits::EMPTY];
        let mut begun = 0;
        for _ in 0..longest {
            let heads = all[begun..].to_vec();
            begun = all.len();
            for head in heads {
                all.extend(of.iter().map(|byte| {
                    let mut longer = head;
                    longer.push(*byte).unwrap();
                    longer
                }));
            }
        }
        all.split_off(1)
    }

    /// The translations that numbers up to a length begin with and go round, each number tried.
    fn tried(plan: &DialPlan, spaces: &[SearchSpace]) -> BTreeSet<PatternId> {
        let mut found = BTreeSet::new();
        for number in numbers(b"012#", 4) {
            for (css, at) in spaces.iter().flat_map(|css| MOMENTS.map(|at| (css, at))) {
                let analysis = plan.analyse(css, &number, None, at);
                if matches!(analysis.outcome, Outcome::StillTranslating { .. }) {
                    found.extend(analysis.translations.first());
                }
            }
        }
        found
    }

    fn specs() -> impl Strategy<Value = Vec<Spec<'static>>> {
        let pattern = prop::sample::select(vec![
            "1", "2", "12", "1X", "X2", "XX", "[12]X", "X", "0.X", "0.12", "0.!", "!", "1!", "2X?", "1X#", "XX#",
            "120", "X[^2]X", "!.2",
        ]);
        let discard = prop::sample::select(vec!["", "", "PreDot", "Trailing-#", "PreDot Trailing-#"]);
        let mask = prop::sample::select(vec!["", "", "", "X", "1X", "X2", "XX", "12", "0XX", "2"]);
        let prefix = prop::sample::select(vec!["", "", "", "0", "1", "2", "01"]);
        prop::collection::vec((pattern, 0u32..4, discard, mask, prefix, 0u32..8), 1..7)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        /// What is found goes round, and of the translations that short numbers go round by none is missing of which every
        /// number could be looked at: a `!` beside others can have more kinds of numbers than the steps allow, and is told.
        #[test]
        fn d_15_what_goes_round_is_found_on_the_patterns_as_by_trying_every_number(
            specs in specs(),
            spaces in prop::collection::vec(prop::collection::vec(0u32..3, 0..4), 1..4),
        ) {
            let (plan, spaces) = plan(&specs, &spaces);
            let circles = plan.circles(&spaces, &MOMENTS);
            for Circle { row, digits } in &circles.found {
                let goes_round = spaces.iter().flat_map(|css| MOMENTS.map(|at| (css, at))).any(|(css, at)| {
                    let analysis = plan.analyse(css, digits, None, at);
                    matches!(analysis.outcome, Outcome::StillTranslating { .. }) && analysis.translations.first() == Some(row)
                });
                prop_assert!(goes_round, "{} by {:?}", digits, row);
            }
            let found: BTreeSet<PatternId> = circles.found.iter().map(|circle| circle.row).collect();
            prop_assert_eq!(found.len(), circles.found.len());
            let mut missing = tried(&plan, &spaces);
            missing.retain(|row| !found.contains(row) && !circles.unproved.contains(row));
            prop_assert_eq!(missing, BTreeSet::new());
            let has_any = specs.iter().any(|spec| spec.0.contains('!'));
            prop_assert!(has_any || circles.unproved.is_empty(), "{:?}", circles.unproved);
        }

        #[test]
        fn d_20_what_a_translation_makes_is_within_its_image(specs in specs(), from in 0usize..1_000) {
            let (plan, _) = plan(&specs, &[]);
            for (_, row) in plan.rows() {
                let links = image(row);
                for dialed in numbers(b"012#", 3).iter().cycle().skip(from).take(40) {
                    if !row.pattern.matches(dialed).full {
                        continue;
                    }
                    let Ok(made) = row.transform.called(&row.pattern, dialed) else { continue };
                    let set = made.symbols().fold(crate::digits::start(&links), |set, symbol| crate::digits::step(&links, set, symbol));
                    prop_assert!(set >> links.len() & 1 == 1, "{} of {} makes {}", dialed, row.pattern.text(), made);
                }
            }
        }
    }

    #[test]
    fn d_15_one_number_among_many_that_goes_round_is_found() {
        // Of a thousand numbers two go round, and none that a look at the first of each pattern would see.
        let specs = [("7XXX", 0, "", "8XXX", "", 0), ("8XXX", 0, "", "", "", 9), ("8123", 0, "", "7123", "", 0)];
        let (plan, spaces) = plan(&specs, &[vec![0]]);
        let circles = plan.circles(&spaces, &MOMENTS);
        let wanted = [(PatternId(0), "7123"), (PatternId(2), "8123")];
        assert_eq!(circles.found, wanted.map(|(row, text)| Circle { row, digits: digits(text) }));
        assert_eq!(circles.unproved, []);
    }

    #[test]
    fn d_15_nine_translations_in_a_row_are_no_circle_and_ten_are() {
        let chain: [Spec<'_>; 10] = [
            ("10", 0, "", "11", "", 0),
            ("11", 0, "", "12", "", 0),
            ("12", 0, "", "13", "", 0),
            ("13", 0, "", "14", "", 0),
            ("14", 0, "", "15", "", 0),
            ("15", 0, "", "16", "", 0),
            ("16", 0, "", "17", "", 0),
            ("17", 0, "", "18", "", 0),
            ("18", 0, "", "19", "", 0),
            ("19", 0, "", "20", "", 0),
        ];
        let (nine, spaces) = plan(&chain[1..], &[vec![0]]);
        assert_eq!(nine.circles(&spaces, &MOMENTS), Circles::default());
        let (ten, spaces) = plan(&chain, &[vec![0]]);
        assert_eq!(ten.circles(&spaces, &MOMENTS).found, [Circle { row: PatternId(0), digits: digits("10") }]);
    }

    #[test]
    fn d_15_translations_of_which_not_every_number_is_looked_at_are_told() {
        let mut texts: Vec<String> = (0..40).map(|number| format!("!{number}!{}!{}", number % 7, number % 5)).collect();
        texts.push("!".to_owned());
        let specs: Vec<Spec<'_>> = texts.iter().map(|text| (&**text, 0, "", "", "", 0)).collect();
        let (plan, spaces) = plan(&specs, &[vec![0]]);
        let Circles { found, unproved } = plan.circles(&spaces, &MOMENTS);
        assert!(!unproved.is_empty());
        // A shortest number of each is tried all the same.
        let last = PatternId(40);
        assert!(found.iter().any(|circle| circle.row == last && circle.digits.len() == 1), "{found:?}");
    }
}
