//! Dialed digits, the patterns they are compared with, and what is done to them on the way out.
// What was dialed comes from outside: no index, no sum and no cast that its digits could make go wrong.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used
    )
)]

pub(crate) mod language;
mod pattern;
mod transform;

pub(crate) use language::{Element, start, step};
pub(crate) use pattern::ANY_DIGIT;
pub use pattern::{ELEMENTS_MAX, Language, Pattern, PatternError, Reach, Wrong};
pub use transform::{Discard, DiscardError, Mask, MaskError, RowTransform, Transform};

use std::fmt;

/// Longest number that is analysed, in characters. E.164 stops at 15; feature codes and access codes come on top.
pub const DIGITS_MAX: usize = 48;

/// A dialed number: at most [`DIGITS_MAX`] of the characters `0`-`9`, `*`, `#`, `+`, `A`-`D`. May be empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digits {
    len: u8,
    /// Unused places stay zero, so that derived equality and hashing hold.
    bytes: [u8; DIGITS_MAX],
}

/// Why some bytes are not a dialed number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitsError {
    /// The byte at this offset is no dialable character.
    NotDialable {
        /// Offset from the start of the text.
        at: usize,
    },
    /// More than [`DIGITS_MAX`] characters.
    TooLong,
}

/// A transform would make a number longer than [`DIGITS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Digits {
    /// The number of no characters.
    pub const EMPTY: Self = Self { len: 0, bytes: [0; DIGITS_MAX] };

    /// Reads a bare number: no separators, letters `A`-`D` in upper case.
    pub fn from_bytes(text: &[u8]) -> Result<Self, DigitsError> {
        let mut digits = Self::EMPTY;
        for (at, &byte) in text.iter().enumerate() {
            symbol(byte).ok_or(DigitsError::NotDialable { at })?;
            digits.push(byte).map_err(|TooLong| DigitsError::TooLong)?;
        }
        Ok(digits)
    }

    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The number as ASCII bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// How many characters there are, 0 to [`DIGITS_MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there is no character at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is left after `head`, or nothing when the number does not begin with it.
    #[must_use]
    pub fn without_prefix(&self, head: &Self) -> Option<Self> {
        self.as_bytes().strip_prefix(head.as_bytes()).map(Self::of_valid)
    }

    /// The number from character `at` on; empty when it has no more.
    #[must_use]
    pub(crate) fn from(&self, at: usize) -> Self {
        Self::of_valid(self.as_bytes().get(at..).unwrap_or_default())
    }

    /// Copies bytes that are already known to be dialable; what exceeds the room is never reached by its callers.
    pub(crate) fn of_valid(text: &[u8]) -> Self {
        let mut digits = Self::EMPTY;
        for (place, &byte) in digits.bytes.iter_mut().zip(text) {
            *place = byte;
            digits.len = digits.len.saturating_add(1);
        }
        digits
    }

    pub(crate) fn push(&mut self, byte: u8) -> Result<(), TooLong> {
        *self.bytes.get_mut(usize::from(self.len)).ok_or(TooLong)? = byte;
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// `self` followed by `tail`.
    ///
    /// # Errors
    /// Both are longer than a number may be.
    pub fn then(mut self, tail: &Self) -> Result<Self, TooLong> {
        tail.as_bytes().iter().try_for_each(|&byte| self.push(byte))?;
        Ok(self)
    }

    pub(crate) fn symbols(&self) -> impl Iterator<Item = u8> + '_ {
        self.as_bytes().iter().filter_map(|&byte| symbol(byte))
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The number in the user part of a SIP or tel URI: visual separators `-` `.` `(` `)` are dropped (RFC 3966 section 3),
/// escapes such as `%23` for `#` are read (RFC 3261 section 19.1.2), `a`-`d` become upper case, parameters after `;` are
/// left out.
pub fn dialable(user_part: &[u8]) -> Result<Digits, DigitsError> {
    read(user_part, |byte| matches!(byte, b'-' | b'.' | b'(' | b')'))
}

fn read(user_part: &[u8], is_separator: impl Fn(u8) -> bool) -> Result<Digits, DigitsError> {
    let mut digits = Digits::EMPTY;
    let mut at = 0;
    while let Some(&byte) = user_part.get(at) {
        let (byte, width) = match byte {
            b';' => break,
            b'%' => (escaped(user_part, at).ok_or(DigitsError::NotDialable { at })?, 3),
            plain => (plain, 1),
        };
        if !is_separator(byte) {
            let byte = byte.to_ascii_uppercase();
            symbol(byte).ok_or(DigitsError::NotDialable { at })?;
            digits.push(byte).map_err(|TooLong| DigitsError::TooLong)?;
        }
        at = at.saturating_add(width);
    }
    Ok(digits)
}

/// As [`dialable`], with the spaces left out, plain or escaped, which no number has: whether one is meant all the same is for
/// the caller to know (P-23).
///
/// # Errors
/// As [`dialable`], for what is no number without its spaces either.
pub fn without_spaces(written: &[u8]) -> Result<Digits, DigitsError> {
    read(written, |byte| matches!(byte, b'-' | b'.' | b'(' | b')' | b' '))
}

fn escaped(text: &[u8], at: usize) -> Option<u8> {
    let [_percent, high, low, ..] = text.get(at..)? else { return None };
    let hex = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(hex(*high)? << 4 | hex(*low)?).ok()
}

/// How many different characters can be dialed: the alphabet of D-9 and the letters `A`-`D`, which no wildcard matches.
pub(crate) const SYMBOLS: u8 = 17;

/// The place of a dialable character in the alphabet, 0 to 16.
pub(crate) fn symbol(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'*' => Some(10),
        b'#' => Some(11),
        b'+' => Some(12),
        b'A'..=b'D' => Some(byte.wrapping_sub(b'A' - 13)),
        _ => None,
    }
}

/// The character at a place of the alphabet.
pub(crate) fn character(symbol: u8) -> u8 {
    b"0123456789*#+ABCD".get(usize::from(symbol)).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_what_was_dialed() {
        for text in ["", "911", "+4420", "*21#", "ABCD", "0123456789*#+ABCD"] {
            let digits = Digits::from_bytes(text.as_bytes()).unwrap();
            assert_eq!((digits.as_str(), digits.len(), digits.is_empty()), (text, text.len(), text.is_empty()));
        }
        assert_eq!(Digits::from_bytes(b"91x"), Err(DigitsError::NotDialable { at: 2 }));
        assert_eq!(Digits::from_bytes(&[b'1'; 48]).map(|d| d.len()), Ok(48));
        assert_eq!(Digits::from_bytes(&[b'1'; 49]), Err(DigitsError::TooLong));
    }

    #[test]
    fn visual_separators_escapes_and_parameters_are_not_digits() {
        for (user, want) in [
            ("+1-(408).555;phone-context=x", Ok("+1408555")),
            ("9011%23", Ok("9011#")),
            ("%2a21", Ok("*21")),
            ("12ab", Ok("12AB")),
            ("alice", Err(DigitsError::NotDialable { at: 1 })),
            ("1%2", Err(DigitsError::NotDialable { at: 1 })),
            ("1%", Err(DigitsError::NotDialable { at: 1 })),
        ] {
            assert_eq!(dialable(user.as_bytes()).as_ref().map(Digits::as_str).map_err(|e| *e), want, "{user}");
        }
    }

    #[test]
    fn spaces_are_left_out_where_they_are_asked_to_be() {
        for (written, want) in [
            ("9 1 1", Ok("911")),
            ("%209%2011%20", Ok("911")),
            (" +1-4%2b ;x y", Ok("+14+")),
            ("911", Ok("911")),
            ("9 1x", Err(DigitsError::NotDialable { at: 3 })),
            ("9%2 01", Err(DigitsError::NotDialable { at: 1 })),
            (" ", Ok("")),
        ] {
            let read = without_spaces(written.as_bytes());
            assert_eq!(read.as_ref().map(Digits::as_str).map_err(|why| *why), want, "{written}");
        }
    }

    #[test]
    fn the_alphabet_reads_back() {
        for place in 0..SYMBOLS {
            assert_eq!(symbol(character(place)), Some(place));
        }
    }
}
