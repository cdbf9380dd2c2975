//! What a pattern still asks of a number where the trie has told it from all others, in one word: so that most numbers are
//! compared to their end without a look at the pattern, which lies elsewhere in memory.

use crate::digits::{ANY_DIGIT, Element, Reach};

/// Links told in a word, five bits each, the first lowest; a code of 0 is the end.
const LINKS: u32 = 6;
/// The code of `X`; those of single characters lie below.
pub(super) const ANY_DIGIT_CODE: u8 = 18;
/// Any number of digits, and nothing behind.
const REST_CODE: u8 = 20;
/// The pattern itself must be asked.
const ASK_CODE: u8 = 21;
/// Marks a tail that goes on where it has told all it can.
const GOES_ON: u32 = 1 << (LINKS * 5);
/// A tail of which nothing is told.
pub(super) const ASK: u32 = ASK_CODE as u32;

/// A link in five bits; all that are neither a single character nor `X` share a code above both.
pub(super) fn code(link: Element) -> u8 {
    if link.is_literal() {
        u8::try_from(link.class().trailing_zeros()).map_or(0, |symbol| symbol + 1)
    } else if link == Element::once(ANY_DIGIT) {
        ANY_DIGIT_CODE
    } else {
        ANY_DIGIT_CODE + 1
    }
}

/// The word for these links.
pub(super) fn of(links: &[Element]) -> u32 {
    let mut tail = if links.len() > LINKS as usize { GOES_ON } else { 0 };
    for (place, link) in (0..LINKS).zip(links) {
        let is_rest = *link == Element::any_number(ANY_DIGIT) && links.len() == place as usize + 1;
        let code = match code(*link) {
            code if code <= ANY_DIGIT_CODE => code,
            _ if is_rest => REST_CODE,
            _ => ASK_CODE,
        };
        tail |= u32::from(code) << (place * 5);
    }
    tail
}

/// How far characters go in a tail; nothing where only the pattern can tell.
pub(super) fn reach(tail: u32, symbols: &[u8]) -> Option<Reach> {
    let is_digit = |symbol: &u8| ANY_DIGIT >> symbol & 1 == 1;
    let mut left = symbols.iter();
    for place in 0..LINKS {
        let code = (tail >> (place * 5) & 31) as u8;
        match code {
            ASK_CODE => return None,
            REST_CODE => {
                let all = left.all(is_digit);
                return Some(Reach { full: all, could_grow: all });
            }
            0 => return Some(Reach { full: left.next().is_none(), could_grow: false }),
            _ => {}
        }
        let Some(symbol) = left.next() else { return Some(Reach { full: false, could_grow: true }) };
        let has = if code == ANY_DIGIT_CODE { is_digit(symbol) } else { code == symbol + 1 };
        if !has {
            return Some(Reach::default());
        }
    }
    (tail & GOES_ON == 0).then(|| Reach { full: left.next().is_none(), could_grow: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits::{Digits, Pattern};
    use proptest::prelude::*;

    fn told(pattern: &Pattern, dialed: &Digits) -> Option<Reach> {
        reach(of(&pattern.canonical()), &dialed.symbols().collect::<Vec<u8>>())
    }

    #[test]
    fn a_tail_tells_six_links_of_digits_and_x_and_a_last_repetition() {
        for (pattern, dialed, want) in [
            ("12X", "129", Some((true, false))),
            ("12X", "12", Some((false, true))),
            ("12X", "12*", Some((false, false))),
            ("12X", "1290", Some((false, false))),
            ("*#D", "*#D", Some((true, false))),
            ("1!", "1", Some((false, true))),
            ("1!", "123456789", Some((true, true))),
            ("1!", "12#", Some((false, false))),
            ("1!#", "12#", None),
            ("1[2-9]", "12", None),
            ("1[2-9]", "22", Some((false, false))),
            ("123456", "123456", Some((true, false))),
            ("123456", "1234567", Some((false, false))),
            ("1234567", "123456", None),
            ("1234567", "12345", Some((false, true))),
            ("1234567", "92345678", Some((false, false))),
        ] {
            let dialed = Digits::from_bytes(dialed.as_bytes()).unwrap();
            let want = want.map(|(full, could_grow)| Reach { full, could_grow });
            assert_eq!(told(&Pattern::parse(pattern).unwrap(), &dialed), want, "{pattern} {}", dialed.as_str());
        }
    }

    proptest! {
        #[test]
        fn what_a_tail_tells_is_what_the_pattern_says(
            pattern in r"[0-2X]{0,4}(|!|X\?|[01]|\[1-3\]|\*)[0-2X]{0,3}",
            dialed in "[0-3*]{0,9}",
        ) {
            let dialed = Digits::from_bytes(dialed.as_bytes()).unwrap();
            if let Ok(pattern) = Pattern::parse(&pattern)
                && let Some(reach) = told(&pattern, &dialed)
            {
                prop_assert_eq!(reach, pattern.matches(&dialed));
            }
        }
    }
}
