//! The set of digit strings a pattern stands for: walked, counted by length (D-8), and intersected with another.
//!
//! A pattern is a chain of elements, each one character of a class, or any number of them. A set of places in that chain
//! is one `u128`: bit `i` says that element `i` comes next, the bit after the last element that the string may end here.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{DIGITS_MAX, Digits, SYMBOLS, character};

/// One link of a pattern: a class of characters, once or any number of times (none included).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Element(u32);

const ANY_NUMBER: u32 = 1 << 31;

/// Most distinct place sets followed at one length. `!1XXXXXXXXXX2?` needs about that many; a pattern that needs more is refused,
/// because every further X doubles them.
const PLACE_SETS_MAX: usize = 2_048;

impl Element {
    pub(crate) fn once(class: u32) -> Self {
        Self(class)
    }

    pub(crate) const fn any_number(class: u32) -> Self {
        Self(class | ANY_NUMBER)
    }

    pub(crate) fn class(self) -> u32 {
        self.0 & !ANY_NUMBER
    }

    pub(crate) fn repeats(self) -> bool {
        self.0 & ANY_NUMBER != 0
    }

    pub(crate) fn has(self, symbol: u8) -> bool {
        self.0 & (1 << symbol) != 0
    }

    /// It as a word, for who keeps many.
    pub(crate) fn word(self) -> u32 {
        self.0
    }

    /// What [`Self::word`] gave.
    pub(crate) fn of_word(word: u32) -> Self {
        Self(word)
    }

    /// Whether it stands for one character only.
    pub(crate) fn is_literal(self) -> bool {
        self.0.is_power_of_two()
    }
}

/// Where matching begins.
pub(crate) fn start(elements: &[Element]) -> u128 {
    closed(elements, 1)
}

/// Where matching stands after one more character.
pub(crate) fn step(elements: &[Element], set: u128, symbol: u8) -> u128 {
    let mut next = 0;
    let mut rest = set;
    while let Some((place, here)) = first_place(rest) {
        rest ^= here;
        if let Some(element) = elements.get(place).filter(|element| element.has(symbol)) {
            next |= if element.repeats() { here } else { here << 1 };
        }
    }
    closed(elements, next)
}

/// Adds the places reached by taking no character of a repeating element.
fn closed(elements: &[Element], mut set: u128) -> u128 {
    let mut rest = set;
    while let Some((place, here)) = first_place(rest) {
        rest ^= here;
        if elements.get(place).is_some_and(|element| element.repeats()) {
            let after = here << 1;
            rest |= after & !set;
            set |= after;
        }
    }
    set
}

/// The first place of a set, and the set of it alone.
fn first_place(set: u128) -> Option<(usize, u128)> {
    (set != 0).then(|| (set.trailing_zeros() as usize, set & set.wrapping_neg()))
}

/// Everywhere matching may stand after what `link` stands for.
pub(crate) fn taken(elements: &[Element], set: u128, link: Element) -> u128 {
    let once =
        |set| (0..SYMBOLS).filter(|symbol| link.has(*symbol)).fold(0, |all, symbol| all | step(elements, set, symbol));
    if !link.repeats() {
        return once(set);
    }
    let mut all = set;
    loop {
        let more = all | once(all);
        if more == all {
            return all;
        }
        all = more;
    }
}

/// Whether a string that led to `set` is matched whole.
pub(crate) fn accepts(elements: &[Element], set: u128) -> bool {
    set >> elements.len() & 1 == 1
}

/// The same strings in one spelling: within a run of one class the single characters come first, and a repetition that a
/// wider neighbour covers is gone. Two patterns with equal spellings match the same numbers.
pub(crate) fn canonical(elements: &[Element]) -> Cow<'_, [Element]> {
    if !elements.iter().any(|element| element.repeats()) {
        return Cow::Borrowed(elements);
    }
    struct Run {
        class: u32,
        once: usize,
        repeats: bool,
    }
    let mut runs: Vec<Run> = Vec::new();
    for element in elements {
        let (once, repeats) = (usize::from(!element.repeats()), element.repeats());
        match runs.last_mut() {
            Some(run) if run.class == element.class() => {
                run.once = run.once.saturating_add(once);
                run.repeats |= repeats;
            }
            _ => runs.push(Run { class: element.class(), once, repeats }),
        }
    }
    let mut at = 0;
    while at < runs.len() {
        let covers = |other: Option<&Run>| {
            other.is_some_and(|o| o.repeats && runs.get(at).is_some_and(|run| run.class & !o.class == 0))
        };
        let bare = runs.get(at).is_some_and(|run| run.once == 0);
        if bare
            && (covers(at.checked_sub(1).and_then(|before| runs.get(before))) || covers(runs.get(at.saturating_add(1))))
        {
            runs.remove(at);
            // The neighbours now touch: equal classes become one run, and a run before may be covered now.
            if let (Some(before), Some(after)) = (at.checked_sub(1), runs.get(at).map(|r| (r.class, r.once, r.repeats)))
                && let Some(run) = runs.get_mut(before).filter(|run| run.class == after.0)
            {
                run.once = run.once.saturating_add(after.1);
                run.repeats |= after.2;
                runs.remove(at);
            }
            at = 0;
        } else {
            at = at.saturating_add(1);
        }
    }
    let spelled = runs.iter().flat_map(|run| {
        std::iter::repeat_n(Element::once(run.class), run.once)
            .chain(run.repeats.then_some(Element::any_number(run.class)))
    });
    Cow::Owned(spelled.collect())
}

/// How many strings a pattern matches at each length, exact below 2^128 and that many above.
///
/// One of very many: what nearly all patterns need fits two words, the rest is on the heap.
#[derive(Clone, Debug)]
pub(crate) enum Counts {
    /// No repetition: all strings have one length.
    Fixed { length: u8, strings: u64 },
    /// One repetition: there is only one way to read a string, so the classes multiply.
    OneRepeats { shortest: u8, class: u8, strings: u64 },
    /// Several repetitions may read one string in several ways: counted once per string. Also what outgrows a word.
    Table(Box<[u128; LENGTHS]>),
}

/// Lengths a number may have, none included.
const LENGTHS: usize = DIGITS_MAX + 1;

impl Counts {
    /// Counts `elements`; nothing when they can be read in too many ways.
    pub(crate) fn of(elements: &[Element]) -> Option<Self> {
        if elements.iter().filter(|element| element.repeats()).nth(1).is_none()
            && let Some(counts) = multiplied(elements)
        {
            return Some(counts);
        }
        let elements = canonical(elements);
        multiplied(&elements).or_else(|| counted_by_length(&elements).map(Self::Table))
    }

    pub(crate) fn at(&self, length: usize) -> u128 {
        match self {
            Self::Fixed { length: only, strings } if usize::from(*only) == length => u128::from(*strings),
            Self::Fixed { .. } => 0,
            Self::OneRepeats { shortest, strings, class } => {
                let Some(more) = length.checked_sub(usize::from(*shortest)) else { return 0 };
                let repeated = u128::from(*class).saturating_pow(u32::try_from(more).unwrap_or(u32::MAX));
                u128::from(*strings).saturating_mul(repeated)
            }
            Self::Table(counts) => counts.get(length).copied().unwrap_or(0),
        }
    }
}

/// The counts of a pattern with one repetition at most, where the classes multiply within a word.
fn multiplied(elements: &[Element]) -> Option<Counts> {
    // A pattern has fewer links than a byte counts, and the alphabet fewer characters.
    let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    let single = || elements.iter().filter(|element| !element.repeats());
    let mut repeating = elements.iter().filter(|element| element.repeats());
    let (repeats, another) = (repeating.next(), repeating.next());
    if another.is_some() {
        return None;
    }
    let strings = single().try_fold(1u64, |all, element| all.checked_mul(u64::from(element.class().count_ones())))?;
    Some(match repeats {
        None => Counts::Fixed { length: byte(elements.len()), strings },
        Some(one) => Counts::OneRepeats {
            shortest: byte(single().count()),
            class: byte(one.class().count_ones() as usize),
            strings,
        },
    })
}

/// Every string leads to exactly one place set, so strings are counted by following the sets, length by length.
fn counted_by_length(elements: &[Element]) -> Option<Box<[u128; LENGTHS]>> {
    let mut kinds: HashMap<u128, (u8, u128)> = HashMap::new();
    for symbol in 0..SYMBOLS {
        let mut signature = 0u128;
        for (place, element) in elements.iter().enumerate() {
            signature |= u128::from(element.has(symbol)) << place;
        }
        if signature != 0 {
            let (_, symbols) = kinds.entry(signature).or_insert((symbol, 0));
            *symbols = symbols.saturating_add(1);
        }
    }
    let mut sets = HashMap::from([(start(elements), 1u128)]);
    let mut counts = Box::new([0; LENGTHS]);
    for count in counts.iter_mut() {
        let whole = sets.iter().filter(|(set, _)| accepts(elements, **set));
        *count = whole.map(|(_, strings)| *strings).fold(0, u128::saturating_add);
        let mut longer: HashMap<u128, u128> = HashMap::new();
        for (&set, &strings) in &sets {
            for &(symbol, symbols) in kinds.values() {
                let next = step(elements, set, symbol);
                if next != 0 {
                    let sum = longer.entry(next).or_insert(0);
                    *sum = sum.saturating_add(strings.saturating_mul(symbols));
                }
            }
        }
        if longer.len() > PLACE_SETS_MAX {
            return None;
        }
        sets = longer;
    }
    Some(counts)
}

/// A shortest string that both match and whose length pleases `wanted`; the lowest digits where there is a choice.
/// Follows at most [`PLACE_SETS_MAX`] pairs of sets a length: beyond that it may miss one.
pub(crate) fn in_common(a: &[Element], b: &[Element], wanted: impl Fn(usize) -> bool) -> Option<Digits> {
    let mut reached = vec![(start(a), start(b), Digits::EMPTY)];
    for length in 0..=DIGITS_MAX {
        if wanted(length) {
            let whole = reached.iter().find(|(in_a, in_b, _)| accepts(a, *in_a) && accepts(b, *in_b));
            if let Some((_, _, digits)) = whole {
                return Some(*digits);
            }
        }
        let mut seen = std::collections::HashSet::new();
        let mut longer = Vec::new();
        for (in_a, in_b, digits) in &reached {
            for symbol in 0..SYMBOLS {
                let next = (step(a, *in_a, symbol), step(b, *in_b, symbol));
                if next.0 == 0 || next.1 == 0 || longer.len() >= PLACE_SETS_MAX || !seen.insert(next) {
                    continue;
                }
                let mut digits = *digits;
                if digits.push(character(symbol)).is_ok() {
                    longer.push((next.0, next.1, digits));
                }
            }
        }
        reached = longer;
    }
    None
}
