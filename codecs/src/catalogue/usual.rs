//! What an `a=rtpmap` line says behind the payload type. The usual texts are known at a look; what is spelled otherwise is
//! read letter by letter, and means the same.

use super::{Encoding, Named, decimal, static_encoding};

/// An encoding as an `a=rtpmap` line spells it.
#[derive(Clone, Copy)]
pub(crate) struct Usual {
    text: &'static [u8],
    /// What it says.
    pub(crate) encoding: Encoding<'static>,
    /// What the region rules make of its name.
    pub(crate) named: Named,
}

impl Usual {
    /// Looks a text up, its case included.
    pub(crate) fn of(text: &[u8]) -> Option<&'static Self> {
        let usual = SLOTS.get(slot(text)?)?;
        is_same(usual.text, text).then_some(usual)
    }

    /// What [`static_encoding`] says of a payload type, its name looked up.
    pub(crate) fn of_payload_type(payload_type: u8) -> Option<&'static Self> {
        STATIC.get(usize::from(payload_type))?.as_ref()
    }
}

/// Reads `<encoding>/<clock>[/<channels>]` (RFC 8866, section 6.6), and looks its name up.
#[inline(always)] // one call a line
pub(crate) fn encoding_of(text: &[u8]) -> (Option<Encoding<'_>>, Named) {
    match Usual::of(text) {
        Some(usual) => (Some(usual.encoding), usual.named),
        None => {
            let encoding = spelled_out(text);
            (encoding, encoding.map_or(Named::Unknown, |encoding| Named::of(encoding.name)))
        }
    }
}

/// Reads `<encoding>/<clock>[/<channels>]` letter by letter.
fn spelled_out(text: &[u8]) -> Option<Encoding<'_>> {
    let slash = text.iter().position(|byte| *byte == b'/')?;
    let (name, rest) = text.split_at_checked(slash)?;
    let (clock_hz, rest) = number_to_slash(rest.get(1..)?)?;
    let channels = match rest {
        Some(rest) => number_to_slash(rest)?.0,
        None => None,
    };
    let name = Some(name.trim_ascii()).filter(|name| !name.is_empty())?;
    Some(Encoding { name, clock_hz: clock_hz?, channels: u8::try_from(channels.unwrap_or(1)).ok()? })
}

/// Reads what stands before a slash or the end, which is a number or nothing but spaces, and what stands behind the slash.
fn number_to_slash(text: &[u8]) -> Option<(Option<u32>, Option<&[u8]>)> {
    let text = text.trim_ascii_start();
    let (digits, behind) = text.split_at_checked(text.iter().take_while(|byte| byte.is_ascii_digit()).count())?;
    let number = if digits.is_empty() { None } else { Some(decimal(digits)?) };
    match behind.trim_ascii_start() {
        [] => Some((number, None)),
        [b'/', behind @ ..] => Some((number, Some(behind))),
        _ => None,
    }
}

/// Text, bytes of the name, clock in Hz, channels.
const USUAL: [Usual; 26] = [
    usual(b"PCMU/8000", 4, 8_000, 1),
    usual(b"PCMU/8000/1", 4, 8_000, 1),
    usual(b"PCMA/8000", 4, 8_000, 1),
    usual(b"PCMA/8000/1", 4, 8_000, 1),
    usual(b"G722/8000", 4, 8_000, 1),
    usual(b"G723/8000", 4, 8_000, 1),
    usual(b"G728/8000", 4, 8_000, 1),
    usual(b"G729/8000", 4, 8_000, 1),
    usual(b"G7221/16000", 5, 16_000, 1),
    usual(b"GSM/8000", 3, 8_000, 1),
    usual(b"iLBC/8000", 4, 8_000, 1),
    usual(b"isac/16000", 4, 16_000, 1),
    usual(b"iSAC/16000", 4, 16_000, 1),
    usual(b"AMR/8000", 3, 8_000, 1),
    usual(b"AMR/8000/1", 3, 8_000, 1),
    usual(b"AMR-WB/16000", 6, 16_000, 1),
    usual(b"AMR-WB/16000/1", 6, 16_000, 1),
    usual(b"opus/48000/2", 4, 48_000, 2),
    usual(b"L16/16000", 3, 16_000, 1),
    usual(b"MP4A-LATM/90000", 9, 90_000, 1),
    usual(b"telephone-event/8000", 15, 8_000, 1),
    usual(b"telephone-event/16000", 15, 16_000, 1),
    usual(b"telephone-event/48000", 15, 48_000, 1),
    usual(b"H264/90000", 4, 90_000, 1),
    usual(b"H265/90000", 4, 90_000, 1),
    usual(b"VP8/90000", 3, 90_000, 1),
];

const fn usual(text: &'static [u8], name_len: usize, clock_hz: u32, channels: u8) -> Usual {
    let (name, _) = text.split_at(name_len);
    Usual { text, encoding: Encoding { name, clock_hz, channels }, named: Named::of(name) }
}

/// Each in a slot of its own, so that a look-up is one comparison; no text is empty, so an empty slot is nobody's.
#[expect(clippy::indexing_slicing, reason = "a constant: what is out of range does not build")]
const SLOTS: [Usual; 64] = {
    let mut slots = [usual(b"", 0, 0, 0); 64];
    let mut at = 0;
    while at < USUAL.len() {
        if let Some(slot) = slot(USUAL[at].text) {
            // Where a new one takes another's slot, another multiplier is to be found.
            assert!(slots[slot].text.is_empty());
            slots[slot] = USUAL[at];
        }
        at += 1;
    }
    slots
};

/// By payload type, as far as RFC 3551 assigns any for audio.
const STATIC: [Option<Usual>; 19] = {
    let mut known = [None; 19];
    let (mut left, mut payload_type) = (known.as_mut_slice(), 0);
    while let [place, places @ ..] = left {
        if let Some(encoding) = static_encoding(payload_type) {
            *place = Some(Usual { text: &[], encoding, named: Named::of(encoding.name) });
        }
        (left, payload_type) = (places, payload_type + 1);
    }
    known
};

/// Whether two texts are the same. Eight bytes from either end are nearly always all there is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let first = |text: &[u8]| text.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let last = |text: &[u8]| text.last_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    a.len() == b.len() && first(a) == first(b) && last(a) == last(b) && (8..=16).contains(&a.len()) || a == b
}

/// The slot of a text, less than 64; `None` where it is shorter than any here. The multiplier was found by trying.
const fn slot(text: &[u8]) -> Option<usize> {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => {
            let mixed = u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23);
            Some((mixed.wrapping_mul(0x4389_2dfc_254c_b865) >> 58) as usize)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_static_payload_type_is_there() {
        for payload_type in 0..=u8::MAX {
            let found = Usual::of_payload_type(payload_type).map(|found| found.encoding);
            assert_eq!(found, static_encoding(payload_type), "{payload_type}");
        }
    }

    #[test]
    fn a_look_and_a_reading_say_the_same() {
        for usual in USUAL {
            let found = Usual::of(usual.text).map(|found| (found.encoding, found.named));
            let read = spelled_out(usual.text).map(|encoding| (encoding, Named::of(encoding.name)));
            assert_eq!((found, read), (Some((usual.encoding, usual.named)), Some((usual.encoding, usual.named))));
        }
        for other in ["", "CN/8000", "pcmu/8000", "PCMU/16000", "PCMU/8000/2", "telephone-event/80000", "opus/48000"] {
            assert!(Usual::of(other.as_bytes()).is_none(), "{other}");
        }
    }
}
