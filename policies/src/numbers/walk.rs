//! Patterns walked together, symbol by symbol.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::shape::merged;
use super::{Part, Shape, Symbols, Traced};
use crate::digits::{DIGITS_MAX, Pattern, start, step};

/// A pattern that numbers are told apart by.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// It.
    pub pattern: &'a Pattern,
    /// The numbers it matches, and those that only begin like one, are looked for; without it, it only splits what others
    /// lead to.
    pub leads: bool,
}

/// Steps a search may take; one pattern followed by one character is one.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    left: u64,
}

/// The budget is used up: what was found is right, and not all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// So many steps.
    #[must_use]
    pub fn new(steps: u64) -> Self {
        Self { left: steps }
    }

    /// How many are left.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Takes steps from it.
    ///
    /// # Errors
    /// There are not so many.
    pub fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        self.left = u64::try_from(steps).ok().and_then(|steps| self.left.checked_sub(steps)).ok_or(Exhausted)?;
        Ok(())
    }
}

/// A watch that some number still may match, and the places it stands at.
type Alive = (u32, u128);

/// Gets a shape, the budget left, and may use it up.
pub type Each<'e> = &'e mut dyn FnMut(Shape, &mut Budget) -> Result<(), Exhausted>;

struct Walk<'a> {
    /// Those that lead first.
    watches: Vec<Watch<'a>>,
    leading: u32,
    /// Whatever leads or not.
    everything: bool,
}

impl<'a> Walk<'a> {
    fn new(watches: &[Watch<'a>], everything: bool) -> Self {
        let (mut ordered, rest): (Vec<_>, Vec<_>) = watches.iter().copied().partition(|watch| watch.leads);
        let leading = u32::try_from(ordered.len()).unwrap_or(u32::MAX);
        ordered.extend(rest);
        Self { watches: ordered, leading, everything }
    }

    /// The walk, and where it begins with the numbers of a shape; nowhere if there is nothing to look for.
    fn begin(
        watches: &[Watch<'a>],
        everything: bool,
        shape: &Shape,
        budget: &mut Budget,
    ) -> Result<(Self, Front), Exhausted> {
        budget.spend(watches.len())?;
        let walk = Self::new(watches, everything);
        let alive: Vec<Alive> =
            (0..).zip(&walk.watches).map(|(at, watch)| (at, start(watch.pattern.elements()))).collect();
        let is_led = everything || walk.leading > 0;
        let front = if is_led { vec![(alive, vec![shape.clone()])] } else { Front::new() };
        Ok((walk, front))
    }

    fn stepped(&self, (at, set): Alive, symbol: u8) -> Option<Alive> {
        let next = step(self.watches.get(at as usize)?.pattern.elements(), set, symbol);
        (next != 0).then_some((at, next))
    }

    /// Those still alive after a character, where there is something to look for.
    fn after(&self, alive: &[Alive], symbol: u8, budget: &mut Budget) -> Result<Option<Vec<Alive>>, Exhausted> {
        let leads = alive.iter().take_while(|(at, _)| *at < self.leading).count();
        let (first, rest) = alive.split_at_checked(leads).unwrap_or_default();
        budget.spend(1 + leads)?;
        let mut next: Vec<Alive> = first.iter().filter_map(|one| self.stepped(*one, symbol)).collect();
        if next.is_empty() && !self.everything {
            return Ok(None);
        }
        budget.spend(rest.len())?;
        next.extend(rest.iter().filter_map(|one| self.stepped(*one, symbol)));
        Ok(Some(next))
    }

    /// The characters of `among` in classes that nothing alive tells apart.
    fn classes(&self, alive: &[Alive], among: Symbols, budget: &mut Budget) -> Result<SmallVec<[u32; 17]>, Exhausted> {
        let mut classes: SmallVec<[u32; 17]> = SmallVec::from_slice(&[among.class()]);
        budget.spend(alive.len())?;
        for (at, set) in alive {
            if classes.len() == among.len() {
                break;
            }
            let elements = self.watches.get(*at as usize).map(|watch| watch.pattern.elements()).unwrap_or_default();
            let mut places = *set;
            while places != 0 {
                let place = places.trailing_zeros() as usize;
                places &= places - 1;
                let Some(class) = elements.get(place).map(|element| element.class()) else { continue };
                for index in 0..classes.len() {
                    let whole = classes.get(index).copied().unwrap_or(0);
                    let (inside, outside) = (whole & class, whole & !class);
                    if inside != 0 && outside != 0 {
                        if let Some(kept) = classes.get_mut(index) {
                            *kept = inside;
                        }
                        classes.push(outside);
                    }
                }
            }
        }
        Ok(classes)
    }

    /// One more character of every number on the way: what stood at equal places is put together, so that a pattern that
    /// can be read in many ways does not make as many shapes.
    fn on(
        &self,
        front: Front,
        taken: impl Fn(&Shape) -> Symbols,
        put: impl Fn(&Shape, Symbols) -> Shape,
        budget: &mut Budget,
    ) -> Result<Front, Exhausted> {
        let mut next: HashMap<Vec<Alive>, Vec<Shape>> = HashMap::new();
        let mut order = Vec::new();
        for (alive, shapes) in front {
            let Some(one) = shapes.first() else { continue };
            for class in self.classes(&alive, taken(one), budget)? {
                let symbols = Symbols::of_class(class);
                let Some(alive) = self.after(&alive, symbols.first(), budget)? else { continue };
                // Each is put together with the others, place by place.
                budget.spend(shapes.iter().map(|shape| 1 + shape.len()).sum())?;
                let put = shapes.iter().map(|shape| put(shape, symbols));
                match next.get_mut(&alive) {
                    Some(there) => there.extend(put),
                    None => {
                        order.push(alive.clone());
                        next.insert(alive, put.collect());
                    }
                }
            }
        }
        let taken_out = order.into_iter().filter_map(|alive| {
            let shapes = next.remove(&alive)?;
            Some((alive, if shapes.len() > 1 { merged(shapes) } else { shapes }))
        });
        Ok(taken_out.collect())
    }
}

/// The numbers on their way, by where they stand in the patterns.
type Front = Vec<(Vec<Alive>, Vec<Shape>)>;

/// Every shape of 1 to `longest` characters whose numbers a leading watch matches or could match longer, or with
/// `everything` any; no watch tells two numbers of one apart. No number is in two.
///
/// # Errors
/// The budget is used up.
pub fn begun_shapes(
    watches: &[Watch<'_>],
    everything: bool,
    longest: usize,
    budget: &mut Budget,
    each: Each<'_>,
) -> Result<(), Exhausted> {
    let (walk, mut front) = Walk::begin(watches, everything, &Shape::default(), budget)?;
    for _ in 0..longest.min(DIGITS_MAX) {
        front = walk.on(front, |_| Symbols::ALL, Shape::longer, budget)?;
        for (_, shapes) in &front {
            shapes.iter().try_for_each(|shape| each(shape.clone(), budget))?;
        }
    }
    Ok(())
}

/// The pieces of a shape in which no watch tells two numbers apart, once they are `number`; only those that a leading
/// watch matches or could match longer, or with `everything` all.
///
/// # Errors
/// The budget is used up.
pub fn split(
    shape: &Shape,
    number: &Traced,
    watches: &[Watch<'_>],
    everything: bool,
    budget: &mut Budget,
    each: Each<'_>,
) -> Result<(), Exhausted> {
    let (walk, mut front) = Walk::begin(watches, everything, shape, budget)?;
    for part in number.parts() {
        front = match *part {
            Part::Literal(byte) => walk.on(front, |_| Symbols::only(byte), |shape, _| shape.clone(), budget)?,
            Part::Place(place) => {
                let place = usize::from(place);
                walk.on(front, |shape| shape.at(place), |shape, symbols| shape.with(place, symbols), budget)?
            }
        };
    }
    for (_, shapes) in front {
        shapes.into_iter().try_for_each(|shape| each(shape, budget))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digits::Digits;

    fn patterns() -> impl Strategy<Value = Vec<String>> {
        let atom = prop::sample::select(vec!["1", "2", "9", "*", "X", "!", "[12]", "[2-9]", "X?", "1+", "[19]?"]);
        let text = prop::collection::vec(atom, 1..5).prop_map(|atoms| atoms.concat());
        prop::collection::vec(text, 1..6)
    }

    fn numbers(length: usize) -> Vec<Digits> {
        let mut all = vec![Digits::EMPTY];
        for _ in 0..length {
            all = all
                .iter()
                .flat_map(|head| {
                    b"129*+"
                        .iter()
                        .map(|byte| {
                            let mut longer = *head;
                            longer.push(*byte).unwrap();
                            longer
                        })
                        .collect::<Vec<_>>()
                })
                .collect();
        }
        all
    }

    proptest! {
        #[test]
        fn every_number_a_leading_pattern_reaches_is_in_one_shape_that_no_pattern_divides(
            texts in patterns(), leads in any::<u8>(),
        ) {
            let parsed: Vec<Pattern> = texts.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
            let watches: Vec<Watch<'_>> = parsed.iter().enumerate()
                .map(|(at, pattern)| Watch { pattern, leads: leads >> at & 1 == 1 }).collect();
            let mut found = Vec::new();
            begun_shapes(&watches, false, 4, &mut Budget::new(10_000_000), &mut |shape, _| {
                found.push(shape);
                Ok(())
            }).unwrap();
            let reach = |number: &Digits| watches.iter().map(|w| w.pattern.matches(number)).collect::<Vec<_>>();
            for length in 1..=4 {
                for number in numbers(length) {
                    let wanted = watches.iter().filter(|watch| watch.leads).any(|watch| {
                        let reach = watch.pattern.matches(&number);
                        reach.full || reach.could_grow
                    });
                    let of: Vec<&Shape> = found.iter().filter(|shape| shape.has(&number)).collect();
                    prop_assert_eq!(of.len(), usize::from(wanted), "{}", number);
                    for shape in of {
                        prop_assert_eq!(reach(&number), reach(&shape.example()), "{} in {}", number, shape);
                    }
                }
            }
        }

        #[test]
        fn a_shape_is_split_whole_and_nowhere_two_numbers_differ(texts in patterns(), from in 0usize..3) {
            let parsed: Vec<Pattern> = texts.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
            let watches: Vec<Watch<'_>> = parsed.iter().map(|pattern| Watch { pattern, leads: false }).collect();
            let shape = Shape::new([Symbols::ALL; 3]);
            let number = Traced::dialed(3, from);
            let mut pieces = Vec::new();
            split(&shape, &number, &watches, true, &mut Budget::new(10_000_000), &mut |piece, _| {
                pieces.push(piece);
                Ok(())
            }).unwrap();
            for dialed in numbers(3) {
                let of: Vec<&Shape> = pieces.iter().filter(|piece| piece.has(&dialed)).collect();
                prop_assert_eq!(of.len(), 1);
                for pattern in &parsed {
                    let (one, other) = (number.of(&dialed), number.of(&of[0].example()));
                    prop_assert_eq!(pattern.matches(&one), pattern.matches(&other));
                }
            }
        }
    }

    #[test]
    fn a_search_ends_with_its_budget() {
        let pattern = Pattern::parse("!").unwrap();
        let watches = [Watch { pattern: &pattern, leads: true }];
        let mut found = 0;
        let ended = begun_shapes(&watches, false, DIGITS_MAX, &mut Budget::new(200), &mut |_, _| {
            found += 1;
            Ok(())
        });
        assert_eq!(ended, Err(Exhausted));
        assert!(found > 2 && found < 40, "{found}");
    }
}
