//! Encoding names of formats: looked up without case, and kept by value.

use std::fmt;

use super::{CATALOGUE, CodecId};

/// What the region rules make of an encoding name, whatever its case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The catalogue has it: the first of its rows.
    Codec(CodecId),
    /// Tones or comfort noise, `telephone-event` (RFC 4733) and `CN` (RFC 3389): no speech of their own.
    Follower,
    /// Redundancy, `red` (RFC 2198).
    Redundancy,
    /// Any other.
    Unknown,
}

impl Named {
    /// Looks a name up.
    #[must_use]
    pub const fn of(name: &[u8]) -> Self {
        let name = folded(name);
        match NAMES.split_at_checked(slot(name)) {
            Some((_, [(known, named), ..])) if *known == name => *named,
            _ => Self::Unknown,
        }
    }
}

/// The other names the rules know.
const OTHER_NAMES: [(u128, Named); 3] = [
    (folded(b"telephone-event"), Named::Follower),
    (folded(b"CN"), Named::Follower),
    (folded(b"red"), Named::Redundancy),
];

/// Every name the rules know in a slot of its own, so that a look-up is one comparison.
#[expect(clippy::indexing_slicing, reason = "a constant: what is out of range does not build")]
const NAMES: [(u128, Named); 32] = {
    let mut names = [(NO_NAME, Named::Unknown); 32];
    let mut at = 0;
    while at < OTHER_NAMES.len() {
        names[slot(OTHER_NAMES[at].0)] = OTHER_NAMES[at];
        at += 1;
    }
    let mut row = 0_u8;
    while (row as usize) < CATALOGUE.len() {
        let name = FOLDED[row as usize];
        // The first row of a name stays.
        if name != NO_NAME && names[slot(name)].0 != name {
            names[slot(name)] = (name, Named::Codec(CodecId(row)));
        }
        row += 1;
    }
    names
};

/// No name took another's slot: where a new one does, another multiplier is to be found.
#[expect(clippy::indexing_slicing, reason = "a constant: what is out of range does not build")]
const _: () = {
    let mut row = 0;
    while row < CATALOGUE.len() {
        assert!(FOLDED[row] == NO_NAME || NAMES[slot(FOLDED[row])].0 == FOLDED[row]);
        row += 1;
    }
    let mut at = 0;
    while at < OTHER_NAMES.len() {
        assert!(NAMES[slot(OTHER_NAMES[at].0)].0 == OTHER_NAMES[at].0);
        at += 1;
    }
};

/// The slot of a folded name, less than 32; the multiplier was found by trying.
const fn slot(name: u128) -> usize {
    let (first, last) = halves(name);
    ((first ^ last).wrapping_mul(0x75a4_8863_3ef5_cce7) >> 59) as usize
}

/// The encoding names of the rows, folded: one comparison a row instead of one a letter.
const FOLDED: [u128; CATALOGUE.len()] = {
    let mut names = [NO_NAME; CATALOGUE.len()];
    let (mut left, mut rows) = (names.as_mut_slice(), CATALOGUE.as_slice());
    while let ([place, places @ ..], [row, behind @ ..]) = (left, rows) {
        if let Some(name) = row.encoding {
            *place = folded(name.as_bytes());
        }
        (left, rows) = (places, behind);
    }
    names
};

/// What a name folds to that no row can have.
const NO_NAME: u128 = 0;

/// Of each row the next one that has the same name.
#[expect(clippy::indexing_slicing, reason = "a constant: what is out of range does not build")]
pub(super) const NEXT_OF_NAME: [Option<CodecId>; CATALOGUE.len()] = {
    let mut next = [None; CATALOGUE.len()];
    let mut row = 0_u8;
    while (row as usize) < next.len() {
        let mut later = row + 1;
        while next[row as usize].is_none() && (later as usize) < next.len() {
            if FOLDED[later as usize] == FOLDED[row as usize] {
                next[row as usize] = Some(CodecId(later));
            }
            later += 1;
        }
        row += 1;
    }
    next
};

/// A name of 1 to 15 bytes in capitals with its length behind it: equal where names are equal but for case.
const fn folded(name: &[u8]) -> u128 {
    if name.len() > 15 {
        return NO_NAME;
    }
    let [length, ..] = name.len().to_le_bytes();
    let letters = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => joined(u64::from_le_bytes(*first), u64::from_le_bytes(*last), length, 8),
        _ => match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) => {
                joined(u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64, length, 4)
            }
            _ => match name {
                [] => return NO_NAME,
                [a] => *a as u128,
                [a, b] => u16::from_le_bytes([*a, *b]) as u128,
                [a, b, c, ..] => u32::from_le_bytes([*a, *b, *c, 0]) as u128,
            },
        },
    };
    let (first, last) = halves(letters);
    let capitals = in_capitals(first) as u128 | (in_capitals(last) as u128) << 64;
    capitals | (length as u128) << 120
}

/// The first eight bytes of sixteen and the last.
const fn halves(bytes: u128) -> (u64, u64) {
    ((bytes & 0xffff_ffff_ffff_ffff) as u64, (bytes >> 64) as u64)
}

/// Eight bytes with the letters in capitals.
const fn in_capitals(bytes: u64) -> u64 {
    const LOW_BITS: u64 = u64::MAX / 0xff;
    const HIGH_BITS: u64 = LOW_BITS << 7;
    const TO_A: u64 = LOW_BITS * (0x80 - b'a' as u64);
    const PAST_Z: u64 = LOW_BITS * (0x7f - b'z' as u64);
    // The highest bit of each byte of a sum tells whether the byte's other seven are at least that letter; no byte's sum
    // carries into the next.
    let others = bytes & !HIGH_BITS;
    let from_a = others.wrapping_add(TO_A);
    let past_z = others.wrapping_add(PAST_Z);
    bytes ^ (from_a & !past_z & !bytes & HIGH_BITS) >> 2
}

/// The first and the last `width` bytes of a name of `length`; those that are in both lie on each other.
const fn joined(first: u64, last: u64, length: u8, width: u8) -> u128 {
    let before_last = length.saturating_sub(width) as u32;
    first as u128 | (last as u128).wrapping_shl(before_last.wrapping_mul(8))
}

/// An encoding name kept by value, for trails and reports that outlive the description it stood in. At most 23 bytes
/// are kept, anything unprintable as `?`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(align(8))] // is moved in whole words
pub struct EncodingName {
    /// The name, zeros behind it, and its length in the last.
    bytes: [u8; Self::BYTES_MAX + 1],
}

impl EncodingName {
    /// Longest name kept; registered audio names stay below it.
    pub const BYTES_MAX: usize = 23;

    /// No name.
    pub(super) const EMPTY: Self = Self::of(b"");

    /// Keeps `name`, cut to [`Self::BYTES_MAX`] bytes.
    #[must_use]
    pub const fn of(name: &[u8]) -> Self {
        let length = if name.len() < Self::BYTES_MAX { name.len() } else { Self::BYTES_MAX };
        let mut bytes = [0; Self::BYTES_MAX + 1];
        let (kept, _) = bytes.split_at_mut(length);
        kept.copy_from_slice(name.split_at(length).0);
        let (mut left, mut letters) = (kept, 0_u8);
        while let [letter, behind @ ..] = left {
            if !letter.is_ascii_graphic() {
                *letter = b'?';
            }
            letters = letters.saturating_add(1);
            left = behind;
        }
        let [.., last] = &mut bytes;
        *last = letters;
        Self { bytes }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let [letters @ .., length] = &self.bytes;
        let kept = letters.get(..usize::from(*length)).unwrap_or_default();
        std::str::from_utf8(kept).unwrap_or_default()
    }
}

impl fmt::Display for EncodingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for EncodingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The encoding names of the rows as they are kept.
pub(super) const ENCODING_NAMES: [EncodingName; CATALOGUE.len()] = {
    let mut names = [EncodingName::EMPTY; CATALOGUE.len()];
    let (mut left, mut rows) = (names.as_mut_slice(), CATALOGUE.as_slice());
    while let ([place, places @ ..], [row, behind @ ..]) = (left, rows) {
        if let Some(name) = row.encoding {
            *place = EncodingName::of(name.as_bytes());
        }
        (left, rows) = (places, behind);
    }
    names
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_known_in_any_case_and_by_nothing_but_itself() {
        for id in CodecId::all() {
            let Some(name) = id.codec().encoding else { continue };
            let first = CodecId::all().find(|other| other.codec().encoding == Some(name)).unwrap();
            for spelled in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(Named::of(spelled.as_bytes()), Named::Codec(first), "{spelled}");
            }
            for other in [format!("{name}x"), format!("x{name}"), format!("{name}\0"), name.repeat(4)] {
                assert_eq!(Named::of(other.as_bytes()), Named::Unknown, "{other}");
            }
            assert_eq!(id.name().as_str(), name);
        }
        for (name, want) in [
            ("Telephone-Event", Named::Follower),
            ("cn", Named::Follower),
            ("RED", Named::Redundancy),
            ("telephone-events", Named::Unknown),
            ("", Named::Unknown),
            ("c", Named::Unknown),
        ] {
            assert_eq!(Named::of(name.as_bytes()), want, "{name}");
        }
    }

    #[test]
    fn a_kept_name_is_printable_and_short() {
        assert_eq!(EncodingName::of(b"G729").as_str(), "G729");
        assert_eq!(EncodingName::of(b"a\r\n\xffb").as_str(), "a???b");
        assert_eq!(EncodingName::of(&[b'x'; 99]).as_str().len(), EncodingName::BYTES_MAX);
    }

    proptest! {
        #[test]
        fn names_fold_alike_where_they_are_equal_but_for_case(a in "[a-cA-C@`{\\[]{0,17}", b in "[a-cA-C@`{\\[]{0,17}", is_same: bool) {
            let b = if is_same { a.to_ascii_uppercase() } else { b };
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let can_fold = (1..=15).contains(&a.len());
            prop_assert_eq!(can_fold && folded(a) == folded(b), can_fold && a.eq_ignore_ascii_case(b));
            prop_assert_eq!(folded(a) == NO_NAME, !can_fold);
        }
    }
}
