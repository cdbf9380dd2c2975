//! Numbers followed through translations, on both sides at once as long as both do the same with them, then on each alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use emcc_policies::digits::{Digits, Discard, Transform};
use emcc_policies::emergency::PLUS_DIGITS_MAX;
use emcc_policies::numbers::{
    Budget, Each, Exhausted, Part, Shape, Symbols, Traced, Watch, begun_shapes, split, transformed,
};
use emcc_policies::search_space::{Analysis, CssId, PASSES_MAX, PatternId, Row, Target};

use super::callers::{Who, search_spaces};
use super::fate::by_equal;
use super::paired::{Pair, Side, Space};
use super::reach::Reach;
use super::{Asked, decided, read_in};
use crate::engine::decide;

/// Most characters of a number that an emergency number is read in behind its `+`: the `+`, the number and a last `#`.
const WRITTEN_MAX: usize = PLUS_DIGITS_MAX + 2;

/// What makes the emergency number of what an emergency pattern takes: without what its dot sets apart (P-23).
const BEFORE_DOT: Transform = Transform { discard: Some(Discard::PreDot), ..Transform::NONE };

/// Gets a piece of a shape and what may be the emergency number of its numbers, and the budget left.
type EachRecognised<'e> = &'e mut dyn FnMut(Shape, Vec<Traced>, &mut Budget) -> Result<(), Exhausted>;

/// The search for one group.
pub(super) struct Follow<'a, 'p> {
    pair: &'a Pair<'p>,
    reach: &'a Reach<'a, 'p>,
    who: &'a Who,
    asked: &'a Asked,
    /// Search spaces that analysis begins with, of both sides.
    begins: [Vec<CssId>; 2],
    kept: RefCell<HashMap<Searched, Rc<Vec<Watch<'a>>>>>,
}

/// Which rows are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Searched {
    /// Those of a space in both configurations.
    Both(Space),
    /// Those of a space in one, with all emergency rows if so.
    One { is_now: bool, space: Option<Space>, emergency: bool },
}

/// One analysis at one side.
#[derive(Clone)]
struct Chain {
    is_now: bool,
    /// The search spaces it begins with; none: all emergency rows (P-23).
    css: Option<Vec<CssId>>,
    /// The number it begins with.
    start: Traced,
}

/// How far an analysis is.
#[derive(Clone)]
struct Way {
    /// The number this pass looks at.
    number: Traced,
    /// 1 to [`PASSES_MAX`].
    pass: usize,
}

impl<'a, 'p> Follow<'a, 'p> {
    pub(super) fn new(pair: &'a Pair<'p>, reach: &'a Reach<'a, 'p>, who: &'a Who, asked: &'a Asked) -> Self {
        let begins = [search_spaces(&pair.now, who, asked), search_spaces(&pair.next, who, asked)];
        Self { pair, reach, who, asked, begins, kept: RefCell::default() }
    }

    /// Shows every shape in which numbers may be decided otherwise; all numbers of one take the same way in each
    /// configuration. No number is in two.
    pub(super) fn run(&self, budget: &mut Budget, each: Each<'_>) -> Result<(), Exhausted> {
        let mut watches = (*self.watches(Searched::Both(Space::Root))).clone();
        watches.extend(self.reach.emergency_watches());
        let mut of_all = watches.clone();
        of_all.extend(self.reach.written_watches(false));
        begun_shapes(&of_all, self.reach.everything, self.asked.digits_max, budget, &mut |shape, budget| {
            let whole = Traced::dialed(shape.len(), 0);
            self.read(shape, budget)?.into_iter().filter(|(_, read)| is_all(read, &whole)).try_for_each(|(shape, _)| {
                let way = Way { number: whole.clone(), pass: 1 };
                self.both(shape, &way, budget, each)
            })
        })?;
        self.written(&watches, budget, each)
    }

    /// The numbers in which a side reads an emergency number that they are not as dialed (P-23).
    fn written(&self, watches: &[Watch<'_>], budget: &mut Budget, each: Each<'_>) -> Result<(), Exhausted> {
        let mut written: Vec<Watch<'_>> = self.reach.written_watches(true).collect();
        written.extend(self.reach.emergency_watches().map(|watch| Watch { leads: false, ..watch }));
        begun_shapes(&written, false, self.asked.digits_max, budget, &mut |shape, budget| {
            let whole = Traced::dialed(shape.len(), 0);
            for (shape, read) in self.read(shape, budget)?.into_iter().filter(|(_, read)| !is_all(read, &whole)) {
                let [now, next] = read.map(|number| Way { number, pass: 1 });
                split(&shape, &now.number, watches, true, budget, &mut |shape, budget| {
                    split(&shape, &next.number, watches, true, budget, &mut |shape, budget| {
                        if self.is_led(watches, &shape, [&now, &next], budget)? {
                            self.apart(shape, [&now, &next], budget, each)?;
                        }
                        Ok(())
                    })
                })?;
            }
            Ok(())
        })
    }

    /// Whether what the sides read may be decided otherwise.
    fn is_led(
        &self,
        watches: &[Watch<'_>],
        shape: &Shape,
        ways: [&Way; 2],
        budget: &mut Budget,
    ) -> Result<bool, Exhausted> {
        if self.reach.everything || self.reach.is_emergency_touched() {
            return Ok(true);
        }
        budget.spend(watches.len())?;
        let dialed = shape.example();
        let numbers = ways.map(|way| way.number.of(&dialed));
        let leading = watches.iter().filter(|watch| watch.leads).map(|watch| watch.pattern);
        let reached = leading.flat_map(|pattern| numbers.iter().map(|number| pattern.matches(number)));
        Ok(reached.into_iter().any(|reach| reach.full || reach.could_grow))
    }

    /// What each side reads in the numbers of a shape that no pattern tells apart. Only how long a country code is, which
    /// its first two digits say, may still differ among them: the shape in pieces.
    fn read(&self, shape: Shape, budget: &mut Budget) -> Result<Vec<(Shape, [Traced; 2])>, Exhausted> {
        let of = |shape: &Shape| [true, false].map(|is_now| self.start(is_now, &shape.example()));
        let (first, second) = (shape.at(1), shape.at(2));
        let may_have_code = shape.at(0) == Symbols::only(b'+') && shape.len() <= WRITTEN_MAX;
        if !may_have_code || first.len() * second.len() <= 1 {
            let read = of(&shape);
            return Ok(vec![(shape, read)]);
        }
        budget.spend(first.len() * second.len())?;
        let mut found: Vec<(Symbols, Symbols, [Traced; 2])> = Vec::new();
        for first in first.bytes().map(Symbols::only) {
            let mut of_first: Vec<(Symbols, [Traced; 2])> = Vec::new();
            for second in second.bytes().map(Symbols::only) {
                let read = of(&shape.with(1, first).with(2, second));
                match of_first.iter_mut().find(|(_, known)| *known == read) {
                    Some((symbols, _)) => *symbols = symbols.either(second),
                    None => of_first.push((second, read)),
                }
            }
            for (second, read) in of_first {
                match found.iter_mut().find(|(_, symbols, known)| *symbols == second && *known == read) {
                    Some((symbols, ..)) => *symbols = symbols.either(first),
                    None => found.push((first, second, read)),
                }
            }
        }
        Ok(found.into_iter().map(|(first, second, read)| (shape.with(1, first).with(2, second), read)).collect())
    }

    /// The number a side reads in a dialed one.
    fn start(&self, is_now: bool, dialed: &Digits) -> Traced {
        read_in(self.side(is_now).plan, dialed)
    }

    fn side(&self, is_now: bool) -> &'a Side<'p> {
        if is_now { &self.pair.now } else { &self.pair.next }
    }

    fn watches(&self, searched: Searched) -> Rc<Vec<Watch<'a>>> {
        if let Some(kept) = self.kept.borrow().get(&searched) {
            return kept.clone();
        }
        let made = Rc::new(match searched {
            Searched::Both(space) => self.reach.watches(space),
            Searched::One { is_now, space, emergency } => self.rows(is_now, space, emergency),
        });
        self.kept.borrow_mut().insert(searched, made.clone());
        made
    }

    fn rows(&self, is_now: bool, space: Option<Space>, emergency: bool) -> Vec<Watch<'a>> {
        let side = self.side(is_now);
        let mut ids: Vec<PatternId> = if emergency { side.emergency.clone() } else { Vec::new() };
        if let Some(space) = space {
            let partitions = self.reach.partitions(is_now, space).into_iter().chain([self.pair.none()]);
            ids.extend(partitions.filter_map(|number| side.rows.get(number as usize)).flatten());
        }
        let rows = ids.into_iter().filter_map(|id| side.plan.dial_plan.row(id));
        rows.map(|row| Watch { pattern: &row.pattern, leads: false }).collect()
    }

    fn chain(&self, is_now: bool, dialed: &Digits) -> Chain {
        let [now, next] = &self.begins;
        let css = if is_now { now } else { next };
        Chain { is_now, css: Some(css.clone()), start: self.start(is_now, dialed) }
    }

    fn analysed(&self, chain: &Chain, dialed: &Digits) -> Analysis {
        let plan = &self.side(chain.is_now).plan.dial_plan;
        let number = chain.start.of(dialed);
        match &chain.css {
            Some(css) => plan.analyse(css, &number, None, self.asked.at),
            None => plan.analyse_emergency(&number, None, self.asked.at),
        }
    }

    /// The row that wins a pass.
    fn won(&self, chain: &Chain, dialed: &Digits, pass: usize) -> Option<(PatternId, &'a Row)> {
        let analysis = self.analysed(chain, dialed);
        let before = pass.checked_sub(1)?;
        let id = match analysis.translations.get(before) {
            Some(id) => *id,
            None => analysis.outcome.row().filter(|_| analysis.translations.len() == before)?,
        };
        Some((id, self.side(chain.is_now).plan.dial_plan.row(id)?))
    }

    /// Follows numbers that both sides have come to in the same way: a piece that one translation of both takes goes on
    /// so, and only where it meets a row that may decide otherwise.
    fn both(&self, shape: Shape, way: &Way, budget: &mut Budget, each: Each<'_>) -> Result<(), Exhausted> {
        let dialed = shape.example();
        let (now, next) = (self.chain(true, &dialed), self.chain(false, &dialed));
        let translation = self.won(&now, &dialed, way.pass).filter(|(id, row)| {
            let same = self.pair.now.same.get(id.0 as usize).copied().flatten();
            matches!(row.target, Target::Translate { .. })
                && way.pass < PASSES_MAX
                && same.is_some()
                && same == self.won(&next, &dialed, way.pass).map(|(id, _)| id)
        });
        let is_alone = matches!(self.who, Who::Gateway) || self.reach.everything || self.is_emergency(&dialed);
        match translation.filter(|_| !is_alone) {
            Some((_, Row { pattern, transform, target: Target::Translate { css }, .. })) => {
                let onward = self.pair.now.space(*css);
                transformed(&shape, &way.number, pattern, transform, budget, &mut |piece, made, budget| {
                    // Too long on both sides: nothing either way.
                    let Some(number) = made else { return Ok(()) };
                    let way = Way { number, pass: way.pass + 1 };
                    let watches = self.watches(Searched::Both(onward));
                    split(&piece, &way.number, &watches, false, budget, &mut |piece, budget| {
                        self.both(piece, &way, budget, each)
                    })
                })
            }
            _ => self.apart(shape, [way; 2], budget, each),
        }
    }

    /// Whether the call is an emergency call, and what becomes of such a one may be another.
    fn is_emergency(&self, dialed: &Digits) -> bool {
        self.reach.is_emergency_touched()
            && [true, false].into_iter().any(|is_now| self.decides_emergency(is_now, dialed))
    }

    fn decides_emergency(&self, is_now: bool, dialed: &Digits) -> bool {
        let target = decide::Target::Digits(*dialed);
        let decision = decided(self.side(is_now).plan, self.who, target, self.asked, 0);
        decision.is_some_and(|decision| decision.emergency)
    }

    /// Follows numbers on each side to the end, one after the other, emergency calls also where they go past analysis.
    fn apart(&self, shape: Shape, ways: [&Way; 2], budget: &mut Budget, each: Each<'_>) -> Result<(), Exhausted> {
        let dialed = shape.example();
        let (now, next) = (self.chain(true, &dialed), self.chain(false, &dialed));
        let [way_now, way_next] = ways;
        self.alone(&now, shape, way_now, budget, &mut |shape, budget| {
            self.alone(&next, shape, way_next, budget, &mut |shape, budget| {
                self.behind_gateway(true, shape, budget, &mut |shape, budget| {
                    self.behind_gateway(false, shape, budget, &mut |shape, budget| {
                        self.emergencies(true, shape, budget, &mut |shape, budget| {
                            self.emergencies(false, shape, budget, each)
                        })
                    })
                })
            })
        })
    }

    /// A caller from the PSTN is analysed a second time, among patterns in no partition.
    fn behind_gateway(&self, is_now: bool, shape: Shape, budget: &mut Budget, each: Each<'_>) -> Result<(), Exhausted> {
        if !matches!(self.who, Who::Gateway) {
            return each(shape, budget);
        }
        let start = self.start(is_now, &shape.example());
        let chain = Chain { is_now, css: Some(Vec::new()), start: start.clone() };
        self.alone(&chain, shape, &Way { number: start, pass: 1 }, budget, each)
    }

    /// Follows numbers that take one way up to this pass to the end of their analysis.
    fn alone(
        &self,
        chain: &Chain,
        shape: Shape,
        way: &Way,
        budget: &mut Budget,
        each: Each<'_>,
    ) -> Result<(), Exhausted> {
        let won = self.won(chain, &shape.example(), way.pass);
        let Some((_, Row { pattern, transform, target: Target::Translate { css }, .. })) =
            won.filter(|_| way.pass < PASSES_MAX)
        else {
            return self.ended(chain.is_now, shape, way, won.map(|(_, row)| row), budget, each);
        };
        let space = match self.side(chain.is_now).space(*css) {
            // Back to where it began.
            Space::Root => chain.css.as_ref().map(|css| if css.is_empty() { Space::Nowhere } else { Space::Root }),
            other => Some(other),
        };
        let searched = Searched::One { is_now: chain.is_now, space, emergency: chain.css.is_none() };
        transformed(&shape, &way.number, pattern, transform, budget, &mut |piece, made, budget| {
            let Some(number) = made else { return each(piece, budget) };
            let way = Way { number, pass: way.pass + 1 };
            let watches = self.watches(searched);
            split(&piece, &way.number, &watches, true, budget, &mut |piece, budget| {
                self.alone(chain, piece, &way, budget, each)
            })
        })
    }

    /// Splits numbers that translations have brought to an emergency pattern by whether what they became is the emergency
    /// number they were with more before it: the last resort dials that number then, and else what they became (P-23).
    fn ended(
        &self,
        is_now: bool,
        shape: Shape,
        way: &Way,
        won: Option<&Row>,
        budget: &mut Budget,
        each: Each<'_>,
    ) -> Result<(), Exhausted> {
        let has_last_resort = !self.side(is_now).plan.routes.last_resort.is_empty();
        let Some(row) = won.filter(|row| row.emergency && way.pass > 1 && has_last_resort) else {
            return each(shape, budget);
        };
        transformed(&shape, &way.number, &row.pattern, &BEFORE_DOT, budget, &mut |piece, made, budget| {
            let Some(made) = made else { return each(piece, budget) };
            self.recognised(is_now, piece, budget, &mut |piece, numbers, budget| {
                let mut pieces = vec![piece];
                for number in numbers {
                    let before = made.parts().len().checked_sub(number.parts().len()).filter(|before| *before > 0);
                    let Some(end) = before.and_then(|before| made.parts().get(before..)) else { continue };
                    budget.spend(pieces.len())?;
                    pieces = by_equal(pieces, end, number.parts());
                }
                pieces.into_iter().try_for_each(|piece| each(piece, budget))
            })
        })
    }

    /// What may be the emergency number of the numbers of a shape: all of them, without an access code before, without what
    /// the dot of an emergency pattern sets apart.
    fn recognised(
        &self,
        is_now: bool,
        shape: Shape,
        budget: &mut Budget,
        each: EachRecognised<'_>,
    ) -> Result<(), Exhausted> {
        let plan = self.side(is_now).plan;
        let dialed = shape.example();
        let whole = self.start(is_now, &dialed);
        let number = whole.of(&dialed);
        let codes = plan.emergency.access_codes.iter().filter(|code| number.without_prefix(code).is_some());
        let mut starts = vec![whole.clone()];
        starts.extend(codes.map(|code| Traced::new(whole.parts().iter().copied().skip(code.len()))));
        let found = plan.dial_plan.emergency_match(&number).and_then(|id| plan.dial_plan.row(id));
        let Some(row) = found.filter(|row| row.pattern.has_dot()) else {
            return each(shape, starts, budget);
        };
        transformed(&shape, &whole, &row.pattern, &BEFORE_DOT, budget, &mut |piece, made, budget| {
            each(piece, starts.iter().cloned().chain(made).collect(), budget)
        })
    }

    /// Splits emergency calls by what their own search space and any emergency pattern make of them, with and without what
    /// may stand before an emergency number.
    fn emergencies(&self, is_now: bool, shape: Shape, budget: &mut Budget, each: Each<'_>) -> Result<(), Exhausted> {
        if !self.decides_emergency(is_now, &shape.example()) {
            return each(shape, budget);
        }
        let codes = &self.side(is_now).plan.emergency.access_codes;
        self.recognised(is_now, shape, budget, &mut |piece, mut starts, budget| {
            for at in 0..starts.len() {
                let parts = starts[at].parts().to_vec();
                starts.extend(codes.iter().map(|code| {
                    Traced::new(code.as_bytes().iter().copied().map(Part::Literal).chain(parts.iter().copied()))
                }));
            }
            self.each_start(is_now, piece, &starts, budget, each)
        })
    }

    fn each_start(
        &self,
        is_now: bool,
        shape: Shape,
        starts: &[Traced],
        budget: &mut Budget,
        each: Each<'_>,
    ) -> Result<(), Exhausted> {
        let Some((start, rest)) = starts.split_first() else { return each(shape, budget) };
        let [now, next] = &self.begins;
        let own = Some(if is_now { now } else { next }.clone());
        self.from(is_now, own, Some(Space::Root), shape, start, budget, &mut |piece, budget| {
            self.from(is_now, None, None, piece, start, budget, &mut |piece, budget| {
                self.each_start(is_now, piece, rest, budget, each)
            })
        })
    }

    /// Splits by what the analysis of a number makes of it from its first pass on.
    #[allow(clippy::too_many_arguments)] // what a pass needs, each of another kind
    fn from(
        &self,
        is_now: bool,
        css: Option<Vec<CssId>>,
        space: Option<Space>,
        shape: Shape,
        start: &Traced,
        budget: &mut Budget,
        each: Each<'_>,
    ) -> Result<(), Exhausted> {
        let watches = self.watches(Searched::One { is_now, space, emergency: css.is_none() });
        let chain = Chain { is_now, css, start: start.clone() };
        let way = Way { number: start.clone(), pass: 1 };
        split(&shape, start, &watches, true, budget, &mut |piece, budget| self.alone(&chain, piece, &way, budget, each))
    }
}

/// Whether both sides read the number as dialed.
fn is_all(read: &[Traced; 2], whole: &Traced) -> bool {
    read.iter().all(|number| number == whole)
}
