//! Patterns of route patterns, translations and directory numbers: the syntax, and what matches.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::language::{self, Counts, Element};
use super::{Digits, SYMBOLS, character, symbol};

/// Longest pattern, in links of its chain: a wildcard with `+`, and `!`, take two.
pub const ELEMENTS_MAX: usize = 96;

/// The class of `X`.
pub(crate) const ANY_DIGIT: u32 = 0x3ff;

/// A digit pattern: `0`-`9 * # A`-`D`, `X`, `!`, `?`, `+`, `[..]`, `[^..]`, `.`, `\+`.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Box<str>,
    elements: Box<[Element]>,
    /// How many links stand left of the `.`.
    dot: Option<u8>,
    literal_prefix: u8,
    repeats: bool,
    counts: Counts,
}

/// Where a pattern's text is wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Byte offset into the text.
    pub at: usize,
    /// What is wrong there.
    pub what: Wrong,
}

/// What can be wrong with a pattern's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing in it that a number could match.
    Empty,
    /// No character of the pattern syntax.
    Character,
    /// `@` needs a numbering plan, and there is none (D-2).
    NumberingPlan,
    /// A second `.`.
    SecondDot,
    /// `?` or `+` with no digit or wildcard before it.
    NothingToRepeat,
    /// `+` after `?` or `+`, or `?` after `+`.
    RepeatedTwice,
    /// `[` without `]`.
    OpenBracket,
    /// Brackets that match no character.
    EmptyBrackets,
    /// A range whose ends are not digits or run downwards.
    Range,
    /// A character that may not stand in brackets.
    InBrackets,
    /// `^` anywhere but first in brackets, or a second one in the pattern.
    Caret,
    /// `\` without `+` behind it.
    Escape,
    /// More than [`ELEMENTS_MAX`] links.
    TooLong,
    /// So many repetitions that one number reads in too many ways to be counted.
    TooManyReadings,
}

/// How far some digits go in a pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The digits match it whole.
    pub full: bool,
    /// Some longer number that begins with the digits matches.
    pub could_grow: bool,
}

/// What a pattern matches, in one spelling: equal values match the same numbers (`X`, `[0-9]`; `9.911`, `9911`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Language(Box<[Element]>);

impl Pattern {
    /// Reads a pattern's text.
    ///
    /// # Errors
    /// The first place where the text leaves the syntax.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Parser { text: text.as_bytes(), at: 0, elements: Vec::new(), dot: None, carets: 0, last: None, wrong: None }
            .pattern(text)
    }

    /// The text as configured.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How far `digits` go in this pattern.
    #[must_use]
    pub fn matches(&self, digits: &Digits) -> Reach {
        if !self.repeats {
            let fits = digits.len() <= self.elements.len()
                && digits.symbols().zip(&self.elements).all(|(symbol, element)| element.has(symbol));
            let whole = digits.len() == self.elements.len();
            return Reach { full: fits && whole, could_grow: fits && !whole };
        }
        let mut set = language::start(&self.elements);
        for symbol in digits.symbols() {
            set = language::step(&self.elements, set, symbol);
            if set == 0 {
                return Reach::default();
            }
        }
        let full = language::accepts(&self.elements, set);
        Reach { full, could_grow: set & !(1 << self.elements.len()) != 0 }
    }

    /// How many digit strings of exactly `length` characters match (D-8, alphabet of D-9); 0 beyond
    /// [`super::DIGITS_MAX`], never more than `u128::MAX`.
    #[must_use]
    pub fn count(&self, length: usize) -> u128 {
        if length > super::DIGITS_MAX { 0 } else { self.counts.at(length) }
    }

    /// How many characters are the same in every number it matches, from the first on.
    #[must_use]
    pub fn literal_prefix_len(&self) -> usize {
        usize::from(self.literal_prefix)
    }

    /// Whether it matches one number only.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.literal_prefix_len() == self.elements.len()
    }

    /// The number it matches, where that is the only one.
    #[must_use]
    pub fn only_number(&self) -> Option<Digits> {
        if !self.is_literal() {
            return None;
        }
        let symbols = self.elements.iter().filter_map(|element| u8::try_from(element.class().trailing_zeros()).ok());
        let text: SmallVec<[u8; ELEMENTS_MAX]> = symbols.map(character).collect();
        Digits::from_bytes(&text).ok()
    }

    /// The shortest numbers it matches, of one character at least and in the order of the alphabet: all of them where they are
    /// at most `most`, else the first alone. None where even these are longer than [`super::DIGITS_MAX`].
    #[must_use]
    pub fn shortest_numbers(&self, most: usize) -> Vec<Digits> {
        let single = || self.elements.iter().filter(|element| !element.repeats());
        // Where everything may be left out, one character of the first is a number.
        let links = single().chain(self.elements.first().filter(|_| single().next().is_none()));
        let choices = |link: &Element| link.class().count_ones() as usize;
        let count = links.clone().try_fold(1_usize, |all, link| all.checked_mul(choices(link)));
        let each = if count.is_some_and(|count| count <= most) { usize::from(SYMBOLS) } else { 1 };
        let mut numbers = vec![Digits::EMPTY];
        for link in links {
            let symbols = || (0..SYMBOLS).filter(|symbol| link.has(*symbol)).take(each);
            let longer = |head: &Digits, symbol| {
                let mut number = *head;
                number.push(character(symbol)).ok().map(|()| number)
            };
            numbers =
                numbers.iter().flat_map(|head| symbols().filter_map(move |symbol| longer(head, symbol))).collect();
        }
        numbers
    }

    /// Every number it matches, in the order of the alphabet, where these are at most `most`.
    #[must_use]
    pub fn every_number(&self, most: usize) -> Option<Vec<Digits>> {
        let is_few = !self.repeats && self.count(self.elements.len()) <= most as u128;
        is_few.then(|| self.shortest_numbers(most))
    }

    /// What it matches, for finding equal patterns.
    #[must_use]
    pub fn language(&self) -> Language {
        Language(language::canonical(&self.elements).into())
    }

    /// Whether some link of it may stand any number of times, so that it has numbers of several lengths.
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// Whether there is a `.` in it.
    #[must_use]
    pub fn has_dot(&self) -> bool {
        self.dot.is_some()
    }

    /// How many characters of `digits` stand left of the `.`: the fewest that leave a rest the pattern allows. Nothing
    /// without a `.` or when the digits do not match.
    #[must_use]
    pub fn before_dot(&self, digits: &Digits) -> Option<usize> {
        let (left, right) = self.elements.split_at_checked(usize::from(self.dot?))?;
        let mut set = language::start(left);
        let mut symbols = digits.symbols();
        for taken in 0..=digits.len() {
            if language::accepts(left, set) {
                let end = digits
                    .from(taken)
                    .symbols()
                    .fold(language::start(right), |set, symbol| language::step(right, set, symbol));
                if language::accepts(right, end) {
                    return Some(taken);
                }
            }
            set = language::step(left, set, symbols.next()?);
        }
        None
    }

    /// A shortest number both match whose length pleases `wanted`.
    pub(crate) fn in_common(&self, other: &Self, wanted: impl Fn(usize) -> bool) -> Option<Digits> {
        let fixed = |pattern: &Self| (!pattern.repeats).then_some(pattern.elements.len());
        if let (Some(a), Some(b)) = (fixed(self), fixed(other))
            && a != b
        {
            return None;
        }
        language::in_common(&self.elements, &other.elements, wanted)
    }

    /// Its links in one spelling: equal ones match the same numbers.
    pub(crate) fn canonical(&self) -> Cow<'_, [Element]> {
        language::canonical(&self.elements)
    }

    /// The links of its chain.
    pub(crate) fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The links left and right of the `.`; nothing without one.
    pub(crate) fn around_dot(&self) -> Option<(&[Element], &[Element])> {
        self.elements.split_at_checked(usize::from(self.dot?))
    }
}

/// What a following `?` or `+` repeats.
#[derive(Clone, Copy)]
struct Atom {
    class: u32,
    /// Links there were before it.
    begins: usize,
    repeated: Repeated,
}

#[derive(Clone, Copy, PartialEq)]
enum Repeated {
    Not,
    ByQuestion,
    ByPlus,
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    elements: Vec<Element>,
    dot: Option<usize>,
    carets: usize,
    last: Option<Atom>,
    /// Where something is wrong in brackets.
    wrong: Option<usize>,
}

impl Parser<'_> {
    fn pattern(mut self, text: &str) -> Result<Pattern, PatternError> {
        while let Some(&byte) = self.text.get(self.at) {
            let at = self.at;
            self.at = at.saturating_add(1);
            if let Err(what) = self.token(byte) {
                return Err(PatternError { at: self.wrong.unwrap_or(at), what });
            }
            if self.elements.len() > ELEMENTS_MAX {
                return Err(PatternError { at, what: Wrong::TooLong });
            }
        }
        if self.elements.is_empty() {
            return Err(PatternError { at: 0, what: Wrong::Empty });
        }
        let counts = Counts::of(&self.elements).ok_or(PatternError { at: text.len(), what: Wrong::TooManyReadings })?;
        let literal = self.elements.iter().take_while(|element| element.is_literal()).count();
        Ok(Pattern {
            text: text.into(),
            dot: self.dot.and_then(|dot| u8::try_from(dot).ok()),
            literal_prefix: u8::try_from(literal).unwrap_or(u8::MAX),
            repeats: self.elements.iter().any(|element| element.repeats()),
            elements: self.elements.into(),
            counts,
        })
    }

    fn token(&mut self, byte: u8) -> Result<(), Wrong> {
        match byte {
            b'X' => self.atom(ANY_DIGIT),
            b'!' => {
                self.atom(ANY_DIGIT);
                self.elements.push(Element::any_number(ANY_DIGIT));
            }
            b'[' => {
                let class = self.brackets()?;
                self.atom(class);
            }
            b'\\' => {
                if self.text.get(self.at) != Some(&b'+') {
                    return Err(Wrong::Escape);
                }
                self.at = self.at.saturating_add(1);
                self.atom(1 << 12);
            }
            b'.' if self.dot.is_some() => return Err(Wrong::SecondDot),
            b'.' => {
                self.dot = Some(self.elements.len());
                self.last = None;
            }
            b'?' => return self.question(),
            b'+' => return self.plus(),
            b'@' => return Err(Wrong::NumberingPlan),
            b'^' => return Err(Wrong::Caret),
            literal => {
                let place = symbol(literal).ok_or(Wrong::Character)?;
                self.atom(1 << place);
            }
        }
        Ok(())
    }

    fn atom(&mut self, class: u32) {
        self.last = Some(Atom { class, begins: self.elements.len(), repeated: Repeated::Not });
        self.elements.push(Element::once(class));
    }

    /// Zero or more of what stands before it. In `??` the second may not match nothing.
    fn question(&mut self) -> Result<(), Wrong> {
        let atom = self.last.ok_or(Wrong::NothingToRepeat)?;
        match atom.repeated {
            Repeated::ByPlus => return Err(Wrong::RepeatedTwice),
            Repeated::ByQuestion => self.elements.push(Element::once(atom.class)),
            Repeated::Not => self.elements.truncate(atom.begins),
        }
        self.elements.push(Element::any_number(atom.class));
        self.last = Some(Atom { repeated: Repeated::ByQuestion, ..atom });
        Ok(())
    }

    /// One or more of what stands before it.
    fn plus(&mut self) -> Result<(), Wrong> {
        let atom = self.last.ok_or(Wrong::NothingToRepeat)?;
        if atom.repeated != Repeated::Not {
            return Err(Wrong::RepeatedTwice);
        }
        self.elements.truncate(atom.begins);
        self.elements.extend([Element::once(atom.class), Element::any_number(atom.class)]);
        self.last = Some(Atom { repeated: Repeated::ByPlus, ..atom });
        Ok(())
    }

    /// The class of `[..]` or `[^..]`; the complement is one of digits only.
    fn brackets(&mut self) -> Result<u32, Wrong> {
        let begins = self.at;
        let inside = self.text.get(begins..).unwrap_or_default();
        let end = inside.iter().position(|&byte| byte == b']').ok_or(Wrong::OpenBracket)?;
        let ends = begins.saturating_add(end);
        let mut inside = inside.get(..end).unwrap_or_default();
        self.at = ends.saturating_add(1);
        let negated = inside.first() == Some(&b'^');
        if negated {
            self.carets = self.carets.saturating_add(1);
            inside = inside.get(1..).unwrap_or_default();
        }
        if self.carets > 1 && negated {
            self.wrong = Some(begins);
            return Err(Wrong::Caret);
        }
        let mut class = 0u32;
        while let Some((&first, rest)) = inside.split_first() {
            self.wrong = Some(ends.saturating_sub(inside.len()));
            if let [b'-', last, after @ ..] = rest {
                if !first.is_ascii_digit() || !last.is_ascii_digit() || first > *last {
                    return Err(Wrong::Range);
                }
                (first..=*last).filter_map(symbol).for_each(|digit| class |= 1 << digit);
                inside = after;
            } else if first == b'^' {
                return Err(Wrong::Caret);
            } else {
                let listed = symbol(first).filter(|_| first != b'+').ok_or(Wrong::InBrackets)?;
                class |= 1 << listed;
                inside = rest;
            }
        }
        self.wrong = None;
        if negated {
            class = if class == 0 { 0 } else { ANY_DIGIT & !class };
        }
        if class == 0 { Err(Wrong::EmptyBrackets) } else { Ok(class) }
    }
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
