//! A number as it leaves a transform, each character known by where it came from.

use smallvec::SmallVec;

use super::walk::{Budget, Exhausted};
use super::{Shape, Symbols};
use crate::digits::{DIGITS_MAX, Digits, Discard, Element, Pattern, Transform};

/// One character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// This one, whatever was dialed.
    Literal(u8),
    /// The one dialed at that place.
    Place(u8),
}

/// A number made of the one dialed and of fixed characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Traced(SmallVec<[Part; 16]>);

impl Traced {
    /// The number of these characters, of the first [`DIGITS_MAX`] of them.
    #[must_use]
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        Self(parts.into_iter().take(DIGITS_MAX).collect())
    }

    /// The number as dialed, from one of its characters on.
    #[must_use]
    pub fn dialed(length: usize, from: usize) -> Self {
        Self((from..length).filter_map(|place| u8::try_from(place).ok()).map(Part::Place).collect())
    }

    /// Its characters.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// What it is when that was dialed.
    #[must_use]
    pub fn of(&self, dialed: &Digits) -> Digits {
        let mut number = Digits::EMPTY;
        for part in &self.0 {
            let byte = match *part {
                Part::Literal(byte) => Some(byte),
                Part::Place(place) => dialed.as_bytes().get(usize::from(place)).copied(),
            };
            // A traced number is no longer than a number may be.
            let _fits = byte.map(|byte| number.push(byte));
        }
        number
    }
}

/// Gets a piece of a shape and what is made of its numbers, and the budget left.
pub type EachMade<'e> = &'e mut dyn FnMut(Shape, Option<Traced>, &mut Budget) -> Result<(), Exhausted>;

/// What a pattern's transform makes of the numbers of a shape, once they are `number` and match `pattern`: the shape in
/// pieces, each with its number; none where that would be too long (D-20 to D-22).
///
/// # Errors
/// The budget is used up.
pub fn transformed(
    shape: &Shape,
    number: &Traced,
    pattern: &Pattern,
    transform: &Transform,
    budget: &mut Budget,
    each: EachMade<'_>,
) -> Result<(), Exhausted> {
    let pre_dot = matches!(transform.discard, Some(Discard::PreDot | Discard::PreDotTrailingHash));
    let trailing = matches!(transform.discard, Some(Discard::TrailingHash | Discard::PreDotTrailingHash));
    let fixed = |elements: &[Element]| (!elements.iter().any(|element| element.repeats())).then_some(elements.len());
    let cut = match pattern.around_dot().filter(|_| pre_dot) {
        None => Some(0),
        Some((left, right)) => fixed(left).or_else(|| number.0.len().checked_sub(fixed(right)?)),
    };
    let mut one = |shape: Shape, cut: usize, budget: &mut Budget| {
        for (shape, hash) in by_last(shape, number, cut, trailing) {
            each(shape, made(number, cut, hash, transform), budget)?;
        }
        Ok(())
    };
    match cut {
        Some(cut) => one(shape.clone(), cut, budget),
        // Where the dot falls depends on the digits: every number by the characters the pattern tells apart.
        None => atoms(shape, number, pattern, 0, budget, &mut |shape, budget| {
            let cut = pattern.before_dot(&number.of(&shape.example())).unwrap_or(0);
            one(shape, cut, budget)
        }),
    }
}

/// The shape where the number ends in a `#` that is dropped, and where not.
fn by_last(shape: Shape, number: &Traced, cut: usize, trailing: bool) -> SmallVec<[(Shape, bool); 2]> {
    let mut both = SmallVec::new();
    let last = number.0.get(cut..).and_then(<[Part]>::last).filter(|_| trailing);
    match last {
        Some(Part::Place(place)) => {
            let (place, hash) = (usize::from(*place), Symbols::only(b'#'));
            let here = shape.at(place);
            for (symbols, is_hash) in [(here.both(hash), true), (here.without(hash), false)] {
                if !symbols.is_empty() {
                    both.push((shape.with(place, symbols), is_hash));
                }
            }
        }
        Some(Part::Literal(byte)) => both.push((shape, *byte == b'#')),
        None => both.push((shape, false)),
    }
    both
}

fn made(number: &Traced, cut: usize, hash: bool, transform: &Transform) -> Option<Traced> {
    let kept = number.0.get(cut..).unwrap_or_default();
    let kept = kept.get(..kept.len() - usize::from(hash)).unwrap_or_default();
    let mut made: SmallVec<[Part; 16]> = transform.prefix.as_bytes().iter().map(|byte| Part::Literal(*byte)).collect();
    match transform.called_mask {
        None => made.extend_from_slice(kept),
        Some(mask) => {
            let places = mask.places();
            let length = places.len();
            for (at, literal) in places.enumerate() {
                let under = kept.len().checked_sub(length - at).and_then(|place| kept.get(place)).copied();
                made.extend(literal.map(Part::Literal).or(under));
            }
        }
    }
    (made.len() <= DIGITS_MAX).then_some(Traced(made))
}

/// Every piece of a shape in which the pattern tells no two characters apart at any place.
fn atoms(
    shape: &Shape,
    number: &Traced,
    pattern: &Pattern,
    at: usize,
    budget: &mut Budget,
    each: &mut dyn FnMut(Shape, &mut Budget) -> Result<(), Exhausted>,
) -> Result<(), Exhausted> {
    let Some(part) = number.0.get(at) else { return each(shape.clone(), budget) };
    let Part::Place(place) = *part else { return atoms(shape, number, pattern, at + 1, budget, each) };
    let mut left = shape.at(usize::from(place));
    while !left.is_empty() {
        budget.spend(1)?;
        let first = left.first();
        let alike = pattern.elements().iter().fold(left.class(), |alike, element| {
            if element.has(first) { alike & element.class() } else { alike & !element.class() }
        });
        let alike = Symbols::of_class(alike);
        atoms(&shape.with(usize::from(place), alike), number, pattern, at + 1, budget, each)?;
        left = left.without(alike);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digits::Mask;

    fn digits(text: &str) -> Digits {
        Digits::from_bytes(text.as_bytes()).unwrap()
    }

    fn discards() -> impl Strategy<Value = Option<Discard>> {
        prop::sample::select(vec![
            None,
            Some(Discard::NoDigits),
            Some(Discard::PreDot),
            Some(Discard::TrailingHash),
            Some(Discard::PreDotTrailingHash),
        ])
    }

    proptest! {
        /// D-20 to D-22, for every number of a shape at once.
        #[test]
        fn a_traced_transform_is_the_transform_of_every_number(
            pattern in prop::sample::select(vec!["9.1X", "9.!", "!.9X", "[19]?.9?1", "X.X#", "!#", "1!", "!.!"]),
            discard in discards(),
            mask in prop::sample::select(vec!["", "XXX", "5XX", "X1", "99", "123XXXXX"]),
            prefix in prop::sample::select(vec!["", "0", "+1"]),
            before in prop::sample::select(vec!["", "1"]),
            dialed in prop::collection::vec("[19#]{1,3}", 0..4),
        ) {
            let pattern = Pattern::parse(pattern).unwrap();
            let called_mask = (!mask.is_empty()).then(|| Mask::parse(mask).unwrap());
            let transform = Transform { discard, called_mask, prefix: digits(prefix), ..Transform::NONE };
            let some = |text: &String| text.bytes().fold(Symbols::of_class(0), |set, byte| set.either(Symbols::only(byte)));
            let shape = Shape::new(dialed.iter().map(some));
            // A number that an earlier transform has begun with a digit of its own.
            let own = before.bytes().map(Part::Literal);
            let number = Traced(own.chain(Traced::dialed(shape.len(), 0).0).collect());
            let mut pieces = Vec::new();
            transformed(&shape, &number, &pattern, &transform, &mut Budget::new(1_000_000), &mut |shape, made, _| {
                pieces.push((shape, made));
                Ok(())
            }).unwrap();
            let mut all = vec![Digits::EMPTY];
            for symbols in shape.places() {
                all = all.iter().flat_map(|head| symbols.bytes().map(|byte| {
                    let mut longer = *head;
                    longer.push(byte).unwrap();
                    longer
                }).collect::<Vec<_>>()).collect();
            }
            for dialed in all {
                let of: Vec<_> = pieces.iter().filter(|(shape, _)| shape.has(&dialed)).collect();
                prop_assert_eq!(of.len(), 1);
                let as_it_is = number.of(&dialed);
                if pattern.matches(&as_it_is).full {
                    let made = of[0].1.as_ref().map(|made| made.of(&dialed));
                    prop_assert_eq!(made, transform.called(&pattern, &as_it_is).ok());
                }
            }
        }
    }

    #[test]
    fn a_number_too_long_is_none() {
        let transform = Transform { prefix: digits(&"1".repeat(48)), ..Transform::NONE };
        let shape = Shape::of(&digits("1"));
        let mut pieces = Vec::new();
        let pattern = Pattern::parse("1").unwrap();
        transformed(&shape, &Traced::dialed(1, 0), &pattern, &transform, &mut Budget::new(9), &mut |_, made, _| {
            pieces.push(made);
            Ok(())
        })
        .unwrap();
        assert_eq!(pieces, [None]);
    }
}
