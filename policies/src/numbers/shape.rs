//! Numbers of one length, told as a set of characters at each place.

use std::cmp::Ordering;
use std::fmt;

use smallvec::SmallVec;

use crate::digits::{DIGITS_MAX, Digits, SYMBOLS, character, symbol};

/// A set of dialable characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbols(u32);

impl Symbols {
    /// Every dialable character.
    pub const ALL: Self = Self((1 << SYMBOLS) - 1);
    const DIGITS: Self = Self(0x3ff);

    pub(super) fn of_class(class: u32) -> Self {
        Self(class & Self::ALL.0)
    }

    pub(crate) fn class(self) -> u32 {
        self.0
    }

    /// The set of one character, a place of the alphabet.
    pub(super) fn one(place: u8) -> Self {
        Self(1 << place)
    }

    /// The set of one character; empty for one that cannot be dialed.
    #[must_use]
    pub fn only(byte: u8) -> Self {
        symbol(byte).map_or(Self(0), Self::one)
    }

    /// How many characters it has.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What both have.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What either has.
    #[must_use]
    pub fn either(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What this has and the other has not.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Its characters, digits first.
    pub fn bytes(self) -> impl Iterator<Item = u8> {
        (0..SYMBOLS).filter(move |place| self.0 >> place & 1 == 1).map(character)
    }

    /// The first of its characters as a place in the alphabet; 0 for none.
    pub(super) fn first(self) -> u8 {
        u8::try_from(self.0.trailing_zeros()).unwrap_or(0) % SYMBOLS
    }
}

impl fmt::Display for Symbols {
    /// As a pattern would: `7`, `X`, `[2-9*]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::DIGITS {
            return f.write_str("X");
        }
        let mut bytes = self.bytes();
        if let (Some(byte), None) = (bytes.next(), bytes.next()) {
            return if byte == b'+' { f.write_str("\\+") } else { write!(f, "{}", char::from(byte)) };
        }
        f.write_str("[")?;
        let mut rest = self.0;
        while rest != 0 {
            let first = rest.trailing_zeros();
            let run = (rest >> first).trailing_ones();
            // Ranges are of digits or of letters.
            let run = if first < 10 {
                run.min(10 - first)
            } else if first < 13 {
                1
            } else {
                run
            };
            let shown = |place: u32| char::from(character(u8::try_from(place).unwrap_or(0)));
            match run {
                1 => write!(f, "{}", shown(first))?,
                2 => write!(f, "{}{}", shown(first), shown(first + 1))?,
                _ => write!(f, "{}-{}", shown(first), shown(first + run - 1))?,
            }
            rest &= !(((1 << run) - 1) << first);
        }
        f.write_str("]")
    }
}

/// Numbers of one length: at each place any character of a set, none of which is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape(SmallVec<[Symbols; 16]>);

impl Shape {
    /// The numbers with these characters at each place.
    #[must_use]
    pub fn new(places: impl IntoIterator<Item = Symbols>) -> Self {
        Self(places.into_iter().take(DIGITS_MAX).collect())
    }

    /// The set of one number.
    #[must_use]
    pub fn of(number: &Digits) -> Self {
        Self::new(number.as_bytes().iter().map(|byte| Symbols::only(*byte)))
    }

    /// How long its numbers are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is the number of no characters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What may stand at each place.
    #[must_use]
    pub fn places(&self) -> &[Symbols] {
        &self.0
    }

    /// What may stand at a place; nothing beyond the last.
    #[must_use]
    pub fn at(&self, place: usize) -> Symbols {
        self.0.get(place).copied().unwrap_or(Symbols(0))
    }

    /// The same with other characters at one place.
    #[must_use]
    pub fn with(&self, place: usize, symbols: Symbols) -> Self {
        let mut changed = self.clone();
        if let Some(at) = changed.0.get_mut(place) {
            *at = symbols;
        }
        changed
    }

    pub(super) fn longer(&self, symbols: Symbols) -> Self {
        let mut longer = self.clone();
        longer.0.push(symbols);
        longer
    }

    /// One of its numbers: the first character at each place, or the last where `last` says so.
    #[must_use]
    pub fn number(&self, last: impl Fn(usize) -> bool) -> Digits {
        let mut number = Digits::EMPTY;
        for (place, symbols) in self.0.iter().enumerate() {
            let mut bytes = symbols.bytes();
            let byte = if last(place) { bytes.last() } else { bytes.next() };
            // No shape is longer than a number.
            let _fits = byte.map(|byte| number.push(byte));
        }
        number
    }

    /// The number of the first characters.
    #[must_use]
    pub fn example(&self) -> Digits {
        self.number(|_| false)
    }

    /// Whether a number is one of its.
    #[must_use]
    pub fn has(&self, number: &Digits) -> bool {
        number.len() == self.len()
            && number.as_bytes().iter().zip(&self.0).all(|(byte, at)| !at.both(Symbols::only(*byte)).is_empty())
    }
}

impl fmt::Display for Shape {
    /// As a pattern would, with a character in place of what has only one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|symbols| symbols.fmt(f))
    }
}

/// Shapes without a number in common as few lines in the syntax of patterns: what differs at one place is put together, and
/// lengths that follow on each other by one more character of the same kind, up to the longest there is, end in `!`, `+` or
/// `?`.
#[must_use]
pub fn listed(shapes: Vec<Shape>) -> Vec<String> {
    let mut merged = merged(shapes);
    merged.sort_unstable_by(by_length);
    let place = |wanted: &Shape| merged.binary_search_by(|known| by_length(known, wanted)).ok();
    let mut lines: Vec<Option<String>> = merged.iter().map(|shape| Some(shape.to_string())).collect();
    let mut is_in_run = vec![false; merged.len()];
    for (at, first) in merged.iter().enumerate() {
        let Some((tail, head)) = first.places().split_last() else { continue };
        if is_in_run.get(at) == Some(&true) {
            continue;
        }
        let longer = (first.len() + 1..=DIGITS_MAX).scan(first.clone(), |longest, _| {
            *longest = longest.longer(*tail);
            Some(place(longest).filter(|at| is_in_run.get(*at) == Some(&false)))
        });
        let Some(run) = longer.collect::<Option<Vec<usize>>>().filter(|run| !run.is_empty()) else { continue };
        for place in run.into_iter().chain([at]) {
            is_in_run.get_mut(place).into_iter().for_each(|is_in_run| *is_in_run = true);
            lines.get_mut(place).into_iter().for_each(|line| *line = None);
        }
        let head = Shape::new(head.iter().copied());
        let without = place(&head).filter(|at| is_in_run.get(*at) == Some(&false));
        let text = match without {
            Some(_) => format!("{head}{tail}?"),
            None if *tail == Symbols::DIGITS => format!("{head}!"),
            None => format!("{head}{tail}+"),
        };
        if let Some(without) = without.and_then(|at| is_in_run.get_mut(at)) {
            *without = true;
        }
        lines.get_mut(without.unwrap_or(at)).into_iter().for_each(|line| *line = Some(text.clone()));
    }
    lines.into_iter().flatten().collect()
}

fn by_length(a: &Shape, b: &Shape) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The same numbers in fewer shapes: two that differ at one place are one.
pub(super) fn merged(mut shapes: Vec<Shape>) -> Vec<Shape> {
    use std::collections::BTreeMap;
    let longest = shapes.iter().map(Shape::len).max().unwrap_or(0);
    loop {
        let before = shapes.len();
        for place in (0..longest).rev() {
            let mut alike: BTreeMap<Shape, Symbols> = BTreeMap::new();
            let mut shorter = Vec::new();
            for shape in shapes {
                if shape.len() <= place {
                    shorter.push(shape);
                    continue;
                }
                let here = alike.entry(shape.with(place, Symbols(0))).or_insert(Symbols(0));
                *here = here.either(shape.at(place));
            }
            shorter.extend(alike.into_iter().map(|(shape, symbols)| shape.with(place, symbols)));
            shapes = shorter;
        }
        if shapes.len() == before {
            return shapes;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digits::Pattern;

    fn digits(text: &str) -> Digits {
        Digits::from_bytes(text.as_bytes()).unwrap()
    }

    fn of(texts: &[&str]) -> Vec<Shape> {
        texts.iter().map(|text| Shape::of(&digits(text))).collect()
    }

    #[test]
    fn a_shape_reads_like_a_pattern() {
        let some = |bytes: &[u8]| bytes.iter().fold(Symbols(0), |set, byte| set.either(Symbols::only(*byte)));
        let shape = Shape::new([
            some(b"9"),
            some(b"23456789"),
            Symbols::DIGITS,
            some(b"01*"),
            some(b"+"),
            some(b"135"),
            Symbols::ALL,
            some(b"BCD"),
        ]);
        assert_eq!(shape.to_string(), "9[2-9]X[01*]\\+[135][0-9*#+A-D][B-D]");
        assert_eq!((shape.example(), shape.number(|_| true)), (digits("9200+10B"), digits("999*+5DD")));
        assert!(shape.has(&digits("9550+30C")) && !shape.has(&digits("9550+30A")) && !shape.has(&digits("955")));
    }

    #[test]
    fn what_differs_at_one_place_is_put_together() {
        assert_eq!(listed(of(&["11", "12", "21", "22", "31", "3"])), ["3", "[12][12]", "31"]);
        let all: Vec<String> = (0..1000).map(|number| format!("5{number:03}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(listed(of(&all)), ["5XXX"]);
    }

    #[test]
    fn lengths_up_to_the_longest_end_in_a_wildcard() {
        let run = |from: usize, to: usize| -> Vec<Shape> {
            let one =
                |length| Shape::new([Symbols::only(b'9')].into_iter().chain((1..length).map(|_| Symbols::DIGITS)));
            (from..=to).map(one).collect()
        };
        assert_eq!(listed(run(2, DIGITS_MAX)), ["9!"]);
        assert_eq!(listed(run(4, DIGITS_MAX)), ["9XX!"]);
        assert_eq!(listed(run(2, 4)), ["9X", "9XX", "9XXX"]);
        let behind =
            |head: &str, tail: &[Symbols]| Shape::new(head.bytes().map(Symbols::only).chain(tail.iter().copied()));
        let run_behind = |head: &str, from: usize, tail: Symbols| -> Vec<Shape> {
            (from..=DIGITS_MAX - head.len()).map(|more| behind(head, &vec![tail; more])).collect()
        };
        // With the number that has none of them, and with another.
        assert_eq!(listed(run_behind("95", 0, Symbols::DIGITS)), ["95X?"]);
        assert_eq!(listed(run_behind("95", 0, Symbols::only(b'*'))), ["95*?"]);
        let both = [run_behind("95", 1, Symbols::DIGITS), of(&["96"])].concat();
        assert_eq!(listed(both), ["96", "95!"]);
        let two = [run_behind("5", 0, Symbols::DIGITS), run_behind("5", 2, Symbols::only(b'*'))].concat();
        assert_eq!(listed(two), ["5X?", "5**+"]);
        let twos = (1..=DIGITS_MAX).map(|length| Shape::new((0..length).map(|_| Symbols::only(b'2'))));
        assert_eq!(listed(twos.collect()), ["2+"]);
    }

    fn sets() -> impl Strategy<Value = Symbols> {
        let class = |bytes: &[u8]| bytes.iter().fold(Symbols(0), |set, byte| set.either(Symbols::only(*byte)));
        prop::sample::select(vec![class(b"1"), class(b"2"), class(b"12"), class(b"*"), Symbols::DIGITS, class(b"1*")])
    }

    /// Shapes alone, and runs of one kind of character up to the longest; none has a number of another.
    fn disjoint() -> impl Strategy<Value = Vec<Shape>> {
        let one = (prop::collection::vec(sets(), 0..3), prop::option::of((sets(), 0usize..3)));
        prop::collection::vec(one, 1..6).prop_map(|specs| {
            let mut found: Vec<Shape> = Vec::new();
            for (head, run) in specs {
                let with = |tail: Symbols, more: usize| {
                    Shape::new(head.iter().copied().chain(std::iter::repeat_n(tail, more)))
                };
                let shapes: Vec<Shape> = match run {
                    None => vec![with(Symbols::ALL, 0)],
                    Some((tail, least)) => (least..=DIGITS_MAX - head.len()).map(|more| with(tail, more)).collect(),
                };
                for shape in shapes.into_iter().filter(|shape| !shape.is_empty()) {
                    let meets = |other: &Shape| {
                        other.len() == shape.len() && other.0.iter().zip(&shape.0).all(|(a, b)| !a.both(*b).is_empty())
                    };
                    if !found.iter().any(meets) {
                        found.push(shape);
                    }
                }
            }
            found
        })
    }

    proptest! {
        #[test]
        fn lines_read_as_patterns_have_the_numbers_of_the_shapes_each_once(shapes in disjoint()) {
            let lines: Vec<Pattern> = listed(shapes.clone()).iter().map(|line| Pattern::parse(line).unwrap()).collect();
            prop_assert!(lines.len() <= shapes.len());
            let mut numbers = vec![Digits::EMPTY];
            for _ in 0..4 {
                let longer = |head: &Digits, byte: u8| {
                    let mut longer = *head;
                    longer.push(byte).unwrap();
                    longer
                };
                numbers = numbers.iter().flat_map(|head| b"127*".map(|byte| longer(head, byte))).collect();
                for number in &numbers {
                    let times = lines.iter().filter(|line| line.matches(number).full).count();
                    let wanted = shapes.iter().filter(|shape| shape.has(number)).count();
                    prop_assert_eq!(times, wanted, "{}", number);
                }
            }
        }
    }
}
