//! What is done to the called and the calling number: discard instructions, masks, prefixes (D-20 to D-22).

use std::ops::Deref;

use super::{Digits, Pattern, TooLong, symbol};

/// A discard instruction of a pattern without `@` (D-22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// Keep everything.
    NoDigits,
    /// Drop what stands left of the `.`.
    PreDot,
    /// Drop a final `#`.
    TrailingHash,
    /// Drop both.
    PreDotTrailingHash,
}

/// Why a discard instruction cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscardError {
    /// It works on `@`, and there is no numbering plan.
    NumberingPlan,
    /// No such instruction.
    Unknown,
}

impl Discard {
    /// Reads an instruction as configured; `<None>` is none: at a route list's member, the pattern's own.
    ///
    /// # Errors
    /// An instruction that is unknown or needs a numbering plan.
    pub fn parse(text: &str) -> Result<Option<Self>, DiscardError> {
        match text {
            "" | "<None>" => Ok(None),
            "NoDigits" => Ok(Some(Self::NoDigits)),
            "PreDot" => Ok(Some(Self::PreDot)),
            "Trailing-#" => Ok(Some(Self::TrailingHash)),
            "PreDot Trailing-#" => Ok(Some(Self::PreDotTrailingHash)),
            _ if ["PreAt", "10-10-Dialing", "11D->10D", "11/10D->7D", "IntlTollBypass", "IntlAccess"]
                .iter()
                .any(|plan| text.contains(plan)) =>
            {
                Err(DiscardError::NumberingPlan)
            }
            _ => Err(DiscardError::Unknown),
        }
    }

    /// The digits that stay. `PreDot` needs digits that match `pattern`; it keeps any others as they are.
    #[must_use]
    pub fn apply(self, pattern: &Pattern, dialed: &Digits) -> Digits {
        let kept = match self {
            Self::PreDot | Self::PreDotTrailingHash => dialed.from(pattern.before_dot(dialed).unwrap_or(0)),
            Self::NoDigits | Self::TrailingHash => *dialed,
        };
        match (self, kept.as_bytes()) {
            (Self::TrailingHash | Self::PreDotTrailingHash, [rest @ .., b'#']) => Digits::of_valid(rest),
            _ => kept,
        }
    }
}

/// A transform mask: laid over a number from the right; `X` keeps the digit under it, anything else takes its place, and
/// digits left of the mask are dropped (D-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The mask with `X` written as `0`; `keeps` tells them apart.
    shape: Digits,
    /// Bit `i`: place `i` from the left is an `X`.
    keeps: u64,
}

/// Why a text is no mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskError {
    /// Nothing in it.
    Empty,
    /// The byte at this offset is neither `X` nor dialable.
    Character {
        /// Offset from the start of the text.
        at: usize,
    },
    /// Longer than a number may be.
    TooLong,
}

impl Mask {
    /// Reads a mask of `X`, digits, `*`, `#`, `+`.
    ///
    /// # Errors
    /// The first character that may not stand in a mask; an empty or too long mask.
    pub fn parse(text: &str) -> Result<Self, MaskError> {
        let mut mask = Self { shape: Digits::EMPTY, keeps: 0 };
        for (at, byte) in text.bytes().enumerate() {
            let shown = if byte == b'X' { b'0' } else { byte };
            symbol(shown).ok_or(MaskError::Character { at })?;
            mask.shape.push(shown).map_err(|TooLong| MaskError::TooLong)?;
            mask.keeps |= u64::from(byte == b'X') << at;
        }
        if mask.shape.is_empty() { Err(MaskError::Empty) } else { Ok(mask) }
    }

    /// Whether it leaves any digit of a number.
    #[must_use]
    pub fn keeps_any(&self) -> bool {
        self.keeps != 0
    }

    /// The number as the mask leaves it. An `X` with no digit under it leaves nothing.
    #[must_use]
    pub fn apply(&self, number: &Digits) -> Digits {
        let (mask, number) = (self.shape.as_bytes(), number.as_bytes());
        let mut made = Digits::EMPTY;
        for (at, &literal) in mask.iter().enumerate() {
            let from_right = mask.len().saturating_sub(at);
            let under = number.len().checked_sub(from_right).and_then(|place| number.get(place));
            let shown = if self.keeps_at(at) { under.copied() } else { Some(literal) };
            // As long as the mask at most, which is as long as a number at most.
            let _fits = shown.map(|byte| made.push(byte));
        }
        made
    }

    /// What stands at each place, from the left: a character, or nothing for an `X`.
    pub(crate) fn places(&self) -> impl ExactSizeIterator<Item = Option<u8>> + '_ {
        self.shape.as_bytes().iter().enumerate().map(|(at, byte)| (!self.keeps_at(at)).then_some(*byte))
    }

    fn keeps_at(&self, at: usize) -> bool {
        self.keeps >> at & 1 == 1
    }
}

/// What a pattern, or a route list's member in its place, does to the two numbers of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transform {
    /// Digits dropped from the called number; none at a member means those of the pattern.
    pub discard: Option<Discard>,
    /// Mask over what is left of the called number.
    pub called_mask: Option<Mask>,
    /// Digits put before the called number; empty for none.
    pub prefix: Digits,
    /// Mask over the calling number.
    pub calling_mask: Option<Mask>,
    /// Digits put before the calling number; empty for none.
    pub calling_prefix: Digits,
}

impl Transform {
    /// Changes nothing.
    pub const NONE: Self = Self {
        discard: None,
        called_mask: None,
        prefix: Digits::EMPTY,
        calling_mask: None,
        calling_prefix: Digits::EMPTY,
    };
}

impl Default for Transform {
    fn default() -> Self {
        Self::NONE
    }
}

/// The transform of one row among very many: one that changes nothing, as nearly all do, takes a word and no more.
#[derive(Clone, Debug, Default)]
pub struct RowTransform(Option<Box<Transform>>);

impl From<Transform> for RowTransform {
    fn from(transform: Transform) -> Self {
        Self((transform != Transform::NONE).then(|| Box::new(transform)))
    }
}

impl Deref for RowTransform {
    type Target = Transform;

    fn deref(&self) -> &Transform {
        self.0.as_deref().unwrap_or(&Transform::NONE)
    }
}

impl Transform {
    /// The called number in the order of D-20: discard, mask, prefix.
    ///
    /// # Errors
    /// The prefix makes it longer than a number may be.
    pub fn called(&self, pattern: &Pattern, dialed: &Digits) -> Result<Digits, TooLong> {
        let kept = self.discard.map_or(*dialed, |discard| discard.apply(pattern, dialed));
        let masked = self.called_mask.map_or(kept, |mask| mask.apply(&kept));
        self.prefix.then(&masked)
    }

    /// Whether its discard instruction leaves nothing of any number of the pattern, and nothing is put in its place (D-22).
    #[must_use]
    pub fn leaves_nothing(&self, pattern: &Pattern) -> bool {
        let is_cut = match self.discard {
            None | Some(Discard::NoDigits) => return false,
            Some(Discard::TrailingHash) => false,
            Some(Discard::PreDot | Discard::PreDotTrailingHash) => {
                pattern.around_dot().is_some_and(|(_, right)| right.is_empty())
            }
        };
        // A number of a pattern of many is dear to find, and tells nothing where some of each is left.
        let of_many = || if is_cut { pattern.in_common(pattern, |_| true) } else { None };
        let any = pattern.only_number().or_else(of_many);
        any.is_some_and(|number| self.called(pattern, &number).is_ok_and(|called| called.is_empty()))
    }

    /// The calling number in the order of D-20: mask, prefix. Where there is none, only a mask without `X` makes one.
    ///
    /// # Errors
    /// The prefix makes it longer than a number may be.
    pub fn calling(&self, calling: Option<&Digits>) -> Result<Option<Digits>, TooLong> {
        let masked = match (self.calling_mask, calling) {
            (Some(mask), Some(number)) => mask.apply(number),
            (Some(mask), None) if mask.keeps == 0 => mask.shape,
            (None, Some(number)) => *number,
            (_, None) => return Ok(None),
        };
        if masked.is_empty() {
            return Ok(None);
        }
        self.calling_prefix.then(&masked).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Digits {
        Digits::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_discard_instruction_removes_what_d22_says() {
        for (instruction, pattern, dialed, want) in [
            ("NoDigits", "9.1XXX", "91234", "91234"),
            ("<None>", "9.1XXX", "91234", "91234"),
            ("PreDot", "9.911", "9911", "911"),
            ("PreDot", "9911", "9911", "9911"),
            ("Trailing-#", "9011!#", "901144207#", "901144207"),
            ("Trailing-#", "9011!", "901144207", "901144207"),
            ("PreDot Trailing-#", "9.011!#", "9011442071234567#", "011442071234567"),
            ("PreDot", "!.99", "12399", "99"),
            ("PreDot", "9?.9X", "9991", "91"),
            ("PreDot", "9.", "9", ""),
        ] {
            let transform = Transform { discard: Discard::parse(instruction).unwrap(), ..Transform::default() };
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(transform.called(&pattern, &digits(dialed)), Ok(digits(want)), "{instruction} {dialed}");
        }
    }

    #[test]
    fn d_22_a_pattern_of_which_nothing_is_left_is_known() {
        for (instruction, pattern, mask, prefix, want) in [
            ("PreDot", "9911.", "", "", true),
            ("PreDot", "9XX!.", "", "", true),
            ("PreDot Trailing-#", "9911.#", "", "", true),
            ("PreDot", "9911.#", "", "", false),
            ("Trailing-#", "#", "", "", true),
            ("PreDot", "9911.", "XXX", "", true),
            ("PreDot", "9911.", "911", "", false),
            ("PreDot", "9911.", "", "911", false),
            ("PreDot", "9.911", "", "", false),
            ("PreDot", "9.X?", "", "", false),
            ("PreDot", "9911", "", "", false),
            ("<None>", "9911.", "", "", false),
            ("NoDigits", "9911.", "", "", false),
        ] {
            let called_mask = if mask.is_empty() { None } else { Some(Mask::parse(mask).unwrap()) };
            let discard = Discard::parse(instruction).unwrap();
            let transform = Transform { discard, called_mask, prefix: digits(prefix), ..Transform::default() };
            let read = Pattern::parse(pattern).unwrap();
            assert_eq!(transform.leaves_nothing(&read), want, "{instruction} of {pattern} {mask} {prefix}");
        }
    }

    #[test]
    fn an_instruction_for_a_numbering_plan_is_told_from_an_unknown_one() {
        assert_eq!(Discard::parse("PreAt"), Err(DiscardError::NumberingPlan));
        assert_eq!(Discard::parse("PreDot 10-10-Dialing"), Err(DiscardError::NumberingPlan));
        assert_eq!(Discard::parse("predot"), Err(DiscardError::Unknown));
    }

    #[test]
    fn a_mask_is_laid_from_the_right_d21() {
        for (mask, number, want) in [
            ("408555XXXX", "1234", "4085551234"),
            ("XXXX", "4085551234", "1234"),
            ("999", "911", "999"),
            ("408555XXXX", "34", "40855534"),
            ("+1XXX", "5123", "+1123"),
            ("*X#", "55", "*5#"),
        ] {
            assert_eq!(Mask::parse(mask).unwrap().apply(&digits(number)), digits(want), "{mask} over {number}");
        }
        assert_eq!(Mask::parse("4Y"), Err(MaskError::Character { at: 1 }));
        assert_eq!(Mask::parse(""), Err(MaskError::Empty));
        assert_eq!(Mask::parse(&"X".repeat(49)), Err(MaskError::TooLong));
    }

    #[test]
    fn discard_comes_before_mask_and_prefix_last_d20() {
        let transform = Transform {
            discard: Some(Discard::PreDot),
            called_mask: Some(Mask::parse("5XX").unwrap()),
            prefix: digits("0"),
            calling_mask: Some(Mask::parse("555XXXX").unwrap()),
            calling_prefix: digits("1"),
        };
        let pattern = Pattern::parse("9.911").unwrap();
        assert_eq!(transform.called(&pattern, &digits("9911")), Ok(digits("0511")));
        assert_eq!(transform.calling(Some(&digits("5001"))), Ok(Some(digits("15555001"))));
        assert_eq!(transform.calling(None), Ok(None));
    }

    #[test]
    fn a_calling_number_comes_from_nothing_only_by_a_whole_mask() {
        let fixed = Transform { calling_mask: Some(Mask::parse("5550").unwrap()), ..Transform::default() };
        assert_eq!(fixed.calling(None), Ok(Some(digits("5550"))));
        let prefixed = Transform { calling_prefix: digits("9"), ..Transform::default() };
        assert_eq!(prefixed.calling(None), Ok(None));
    }

    #[test]
    fn a_number_never_outgrows_its_room() {
        let long = Transform { prefix: digits(&"1".repeat(40)), ..Transform::default() };
        assert_eq!(long.called(&Pattern::parse("!").unwrap(), &digits(&"2".repeat(9))), Err(TooLong));
    }
}
