//! Every codec the region rules rank: what session descriptions call it, what it weighs against a cap, what it sends.
//!
//! The two preference lists differ in one exchange only, G.722 64k and iSAC (M-7, M-13). Ranks and check rates are
//! those of the call control's own codec table, SDP names those of RFC 3551, 3640, 3952, 4856, 4867, 5577, 5993, 6416
//! and 7587 (M-12).

mod names;
mod usual;

use std::fmt;

use names::{ENCODING_NAMES, NEXT_OF_NAME};
pub use names::{EncodingName, Named};
pub(crate) use usual::{Usual, encoding_of};

/// Which preference list orders the codecs of a call: the session's link loss type (M-7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LinkLoss {
    /// Links that lose little: G.722 64k stands before iSAC.
    #[default]
    LowLoss,
    /// Links that lose packets: iSAC stands before G.722 64k.
    Lossy,
}

impl fmt::Display for LinkLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LowLoss => "low-loss",
            Self::Lossy => "lossy",
        })
    }
}

/// What in an `a=fmtp` line tells one variant or rate of an encoding from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldBy {
    /// Nothing: the encoding name, clock and channels say it all.
    Name,
    /// `annexb=yes` or `annexb=no`; absent means yes (RFC 4856, M-19). True: the row with Annex B.
    Annexb(bool),
    /// `bitrate=` in bit/s; a rate between two variants counts as the higher.
    Bitrate,
    /// `bitrate=5.3` or `6.3`, in kbit/s (RFC 4856, G.723.1).
    BitrateKbps,
    /// `mode=20` or `mode=30`, the frame length in ms (RFC 3952, iLBC).
    FrameMode,
    /// `maxaveragebitrate=` in bit/s bounds an encoder of any rate (RFC 7587, Opus).
    AverageBitrate,
    /// `mode-set=` lists the modes allowed, by their index in these rates in bit/s (RFC 4867, AMR and AMR-WB).
    ModeSet(&'static [u32]),
}

/// One row of the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct Codec {
    /// Name in the call control's region pages.
    pub cucm_name: &'static str,
    /// SDP encoding name; `None` for formats that only SCCP and H.323 can name.
    pub encoding: Option<&'static str>,
    /// RTP payload type assigned by RFC 3551, 0 to 34.
    pub static_payload_type: Option<u8>,
    /// RTP clock in Hz as the `a=rtpmap` line shows it (8000 for G.722, RFC 3551).
    pub clock_hz: u32,
    /// Rate that is compared with a region's audio cap, in kbit/s of payload (M-4).
    pub check_kbps: u32,
    /// Highest payload rate in bit/s.
    pub highest_bps: u32,
    /// Shortest frame in ms where it is longer than 10 ms, else 10 (V-19).
    pub shortest_frame_ms: u8,
    /// Place in the low loss list, from 1, smaller is preferred.
    pub low_loss_rank: u8,
    /// Place in the lossy list, from 1, smaller is preferred.
    pub lossy_rank: u8,
    /// What the fmtp parameters add.
    pub told_by: ToldBy,
}

impl Codec {
    /// Place in the list of `link_loss`, from 1, smaller is preferred.
    #[must_use]
    pub fn rank(&self, link_loss: LinkLoss) -> u8 {
        match link_loss {
            LinkLoss::LowLoss => self.low_loss_rank,
            LinkLoss::Lossy => self.lossy_rank,
        }
    }

    /// Of G.729, whether it may be sent with Annex B (M-19); nothing of any other.
    #[must_use]
    pub fn annex_b(&self) -> Option<bool> {
        if let ToldBy::Annexb(has_annex_b) = self.told_by { Some(has_annex_b) } else { None }
    }

    /// Whether the encoder moves between rates at will, so that its check rate is only its lowest (M-16).
    #[must_use]
    pub fn is_variable_rate(&self) -> bool {
        matches!(self.told_by, ToldBy::AverageBitrate | ToldBy::ModeSet(_))
    }
}

/// A codec of the catalogue, by its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodecId(u8);

impl CodecId {
    /// All codecs in the order of the low loss list.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).take(CATALOGUE.len()).map(Self)
    }

    /// Its SDP encoding name; empty for formats that only SCCP and H.323 can name.
    #[must_use]
    pub fn name(self) -> EncodingName {
        ENCODING_NAMES.get(usize::from(self.0)).copied().unwrap_or(EncodingName::EMPTY)
    }

    /// The row itself.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "only this module makes one, from a row of the table")]
    pub fn codec(self) -> &'static Codec {
        &CATALOGUE[usize::from(self.0)]
    }
}

/// How an `a=rtpmap` line, or RFC 3551 for a static payload type, names a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding<'a> {
    /// Encoding name, compared without case (RFC 4855, section 3).
    pub name: &'a [u8],
    /// RTP clock in Hz.
    pub clock_hz: u32,
    /// Audio channels; 1 where the line names none.
    pub channels: u8,
}

/// A format found in the catalogue, with what its parameters narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The row.
    pub id: CodecId,
    /// Highest payload rate in bit/s the parameters allow.
    pub highest_bps: u32,
    /// Shortest frame in ms with these parameters.
    pub frame_ms: u8,
    /// The modes of AMR and AMR-WB, a bit for each: all of them where the parameters say nothing (RFC 4867, section 8.1).
    /// `None` where that cannot be read for certain; of other codecs nothing.
    pub modes: Option<u16>,
    /// The parameters state a rate of Opus or of MPEG-4 audio that is none: no number, or for Opus none from 6000 to 510000
    /// bit/s.
    pub has_stray_rate: bool,
}

impl Variant {
    /// A row as its name alone tells it.
    fn whole(id: CodecId) -> Self {
        let Codec { highest_bps, shortest_frame_ms: frame_ms, .. } = *id.codec();
        Self { id, highest_bps, frame_ms, modes: None, has_stray_rate: false }
    }
}

/// Finds the row of a format by its encoding and its fmtp parameters (the text after the payload type; empty where
/// there is none). A parameter that is missing, repeated or unreadable stands for the highest variant (M-24). `None`
/// when no row fits: other clocks and channel counts are other rates.
#[must_use]
pub fn identify(encoding: &Encoding<'_>, fmtp: &[u8]) -> Option<Variant> {
    match Named::of(encoding.name) {
        Named::Codec(first) => variant(first, encoding, fmtp),
        Named::Follower | Named::Redundancy | Named::Unknown => None,
    }
}

/// The same for a name that is looked up already: `named` is the first row that has it.
#[must_use]
#[inline]
pub fn variant(named: CodecId, encoding: &Encoding<'_>, fmtp: &[u8]) -> Option<Variant> {
    // Nearly all are told by their name and have one row: no search, and no jump that is hard to foresee.
    if named.codec().told_by == ToldBy::Name && has_shape(named.codec(), encoding) {
        return Some(Variant::whole(named));
    }
    variant_of_parameters(named, encoding, fmtp)
}

/// The same of any codec.
fn variant_of_parameters(named: CodecId, encoding: &Encoding<'_>, fmtp: &[u8]) -> Option<Variant> {
    let next = |id: &CodecId| NEXT_OF_NAME.get(usize::from(id.0)).copied().flatten();
    let rows = || std::iter::successors(Some(named), next).filter(|id| has_shape(id.codec(), encoding));
    let first = rows().next()?;
    let codec = first.codec();
    let whole = Variant::whole;
    let narrowed = |highest_bps| Variant { highest_bps, ..whole(first) };
    Some(match codec.told_by {
        ToldBy::Name => whole(first),
        ToldBy::Annexb(_) => {
            let says_no = parameter(fmtp, b"annexb").once().is_some_and(|v| v.eq_ignore_ascii_case(b"no"));
            whole(rows().find(|id| id.codec().annex_b() == Some(!says_no)).unwrap_or(first))
        }
        ToldBy::Bitrate => {
            let rate = |id: &CodecId| id.codec().highest_bps;
            let stated = parameter(fmtp, b"bitrate").once().map(stream_bps);
            let row = match stated.flatten() {
                None => rows().max_by_key(rate)?,
                Some(bps) => rows().filter(|id| rate(id) >= bps).min_by_key(rate)?,
            };
            // RFC 5577 has G.722.1 always name its rate.
            let has_stray_rate = stated == Some(None) && row.codec().clock_hz == MP4A_LATM_HZ;
            Variant { has_stray_rate, ..whole(row) }
        }
        ToldBy::BitrateKbps => match parameter(fmtp, b"bitrate") {
            Parameter::Once(b"5.3") => narrowed(5_300),
            _ => whole(first),
        },
        ToldBy::FrameMode => match parameter(fmtp, b"mode") {
            Parameter::Once(b"30") => Variant { frame_ms: 30, ..narrowed(13_333) },
            _ => whole(first),
        },
        ToldBy::AverageBitrate => match parameter(fmtp, b"maxaveragebitrate").once().map(average_bps) {
            Some(Some(bps)) => narrowed(bps),
            Some(None) => Variant { has_stray_rate: true, ..whole(first) },
            None => whole(first),
        },
        ToldBy::ModeSet(rates) => {
            let stated = match parameter(fmtp, b"mode-set") {
                Parameter::Absent => return Some(Variant { modes: all_modes(rates), ..whole(first) }),
                Parameter::Once(list) => mode_set(list, rates),
                Parameter::Repeated => None,
            };
            let highest_bps = stated.and_then(|set| highest_mode_bps(set, rates)).unwrap_or(codec.highest_bps);
            Variant { modes: stated, ..narrowed(highest_bps) }
        }
    })
}

/// Whether a format of this row's name is this row.
fn has_shape(codec: &Codec, encoding: &Encoding<'_>) -> bool {
    let has_channels = match encoding.channels {
        1 => true,
        // RFC 7587 wants "/2" always; a description that forgets it still means the one Opus there is.
        0 | 2 => codec.told_by == ToldBy::AverageBitrate,
        _ => false,
    };
    // RFC 6416 lets the clock be the sampling rate and states the rate of all channels in `bitrate`.
    let has_any = codec.told_by == ToldBy::Bitrate && codec.clock_hz == MP4A_LATM_HZ;
    encoding.clock_hz == codec.clock_hz && has_channels || has_any
}

/// Lowest rate of Opus in bit/s: `maxaveragebitrate` may not be less (RFC 7587, section 6.1).
pub const OPUS_LOWEST_BPS: u32 = 6_000;
/// Highest rate of Opus in bit/s: `maxaveragebitrate` may not be more (RFC 7587, section 6.1).
pub const OPUS_HIGHEST_BPS: u32 = 510_000;

/// A `maxaveragebitrate` in bit/s; `None` where it is no number in the range of RFC 7587, section 6.1.
#[must_use]
pub fn average_bps(value: &[u8]) -> Option<u32> {
    decimal(value).filter(|bps| (OPUS_LOWEST_BPS..=OPUS_HIGHEST_BPS).contains(bps))
}

/// A `bitrate` in bit/s, `u32::MAX` where it is above; `None` where it is no number, or 0, which no stream has (RFC 6416,
/// section 6.1).
#[must_use]
pub fn stream_bps(value: &[u8]) -> Option<u32> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    is_number.then(|| decimal(value).unwrap_or(u32::MAX)).filter(|bps| *bps > 0)
}

/// How often a parameter stands in an fmtp line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter<'a> {
    /// Not at all.
    Absent,
    /// Once, with this value, spaces around it taken off.
    Once(&'a [u8]),
    /// More than once: nobody can tell which value the peer will take.
    Repeated,
}

impl<'a> Parameter<'a> {
    /// The value where there is exactly one.
    #[must_use]
    pub fn once(self) -> Option<&'a [u8]> {
        match self {
            Self::Once(value) => Some(value),
            Self::Absent | Self::Repeated => None,
        }
    }
}

/// Looks a parameter up in the text of an fmtp line (`name=value` separated by semicolons, names without case).
#[must_use]
pub fn parameter<'a>(fmtp: &'a [u8], name: &[u8]) -> Parameter<'a> {
    let mut found = Parameter::Absent;
    let mut rest = Some(fmtp).filter(|fmtp| !fmtp.is_empty());
    while let Some(pairs) = rest {
        let value = value_if(pairs.trim_ascii_start(), name);
        // Where it is another's, the way to the next pair is all that is left to look at.
        let looked_at = value.unwrap_or(pairs);
        let end = memchr::memchr(b';', looked_at).unwrap_or(looked_at.len());
        let (told, behind) = looked_at.split_at_checked(end).unwrap_or_default();
        rest = behind.split_first().map(|(_, pairs)| pairs);
        if value.is_some() {
            if found != Parameter::Absent {
                return Parameter::Repeated;
            }
            found = Parameter::Once(told.trim_ascii());
        }
    }
    found
}

/// What stands behind `name` and its equals sign, or behind the name alone where it has none; `None` where a text begins
/// with another name.
fn value_if<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (key, behind) = text.split_at_checked(name.len())?;
    // As it is nearly always written, at a look.
    if key != name && !key.eq_ignore_ascii_case(name) {
        return None;
    }
    match behind.trim_ascii_start() {
        [b'=', value @ ..] => Some(value),
        behind @ ([] | [b';', ..]) => Some(behind),
        _ => None,
    }
}

/// A bit for each mode there is.
fn all_modes(rates: &[u32]) -> Option<u16> {
    1u16.checked_shl(u32::try_from(rates.len()).ok()?)?.checked_sub(1)
}

/// Reads a `mode-set` value into a bit for each mode; `None` when empty or when a mode is not one of `rates`.
#[must_use]
pub fn mode_set(list: &[u8], rates: &[u32]) -> Option<u16> {
    let mut set = 0u16;
    for mode in list.split(|b| *b == b',') {
        let mode = decimal(mode.trim_ascii())?;
        let known = usize::try_from(mode).is_ok_and(|m| m < rates.len());
        set |= if known { 1u16.checked_shl(mode)? } else { return None };
    }
    Some(set)
}

/// Rate in bit/s of the fastest mode in `set`; `None` when the set is empty.
#[must_use]
pub fn highest_mode_bps(set: u16, rates: &[u32]) -> Option<u32> {
    let in_set = |(mode, bps): (usize, &u32)| (set >> mode & 1 == 1).then_some(*bps);
    rates.iter().take(16).enumerate().filter_map(in_set).max()
}

/// An unsigned decimal number of digits only; `None` when empty, signed or above `u32::MAX`.
#[must_use]
pub fn decimal(digits: &[u8]) -> Option<u32> {
    let mut sum = 0_u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        // Never wraps: it was below 2^32.
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
        if digit > 9 || sum > u64::from(u32::MAX) {
            return None;
        }
    }
    if digits.is_empty() { None } else { u32::try_from(sum).ok() }
}

/// What RFC 3551, table 4, says an audio payload type means where no `a=rtpmap` line says otherwise.
#[must_use]
pub const fn static_encoding(payload_type: u8) -> Option<Encoding<'static>> {
    let (name, clock_hz, channels): (&'static [u8], u32, u8) = match payload_type {
        0 => (b"PCMU", 8_000, 1),
        3 => (b"GSM", 8_000, 1),
        4 => (b"G723", 8_000, 1),
        5 => (b"DVI4", 8_000, 1),
        6 => (b"DVI4", 16_000, 1),
        7 => (b"LPC", 8_000, 1),
        8 => (b"PCMA", 8_000, 1),
        9 => (b"G722", 8_000, 1),
        10 => (b"L16", 44_100, 2),
        11 => (b"L16", 44_100, 1),
        12 => (b"QCELP", 8_000, 1),
        13 => (b"CN", 8_000, 1),
        14 => (b"MPA", 90_000, 1),
        15 => (b"G728", 8_000, 1),
        16 => (b"DVI4", 11_025, 1),
        17 => (b"DVI4", 22_050, 1),
        18 => (b"G729", 8_000, 1),
        _ => return None,
    };
    Some(Encoding { name, clock_hz, channels })
}

/// Rates of the AMR modes 0 to 7 in bit/s (RFC 4867, section 3.1).
pub const AMR_BPS: [u32; 8] = [4_750, 5_150, 5_900, 6_700, 7_400, 7_950, 10_200, 12_200];
/// Rates of the AMR-WB modes 0 to 8 in bit/s (RFC 4867, section 3.2).
pub const AMR_WB_BPS: [u32; 9] = [6_600, 8_850, 12_650, 14_250, 15_850, 18_250, 19_850, 23_050, 23_850];

const MP4A_LATM_HZ: u32 = 90_000;

/// Ranks (low loss, lossy), name, SDP (name, clock), static payload type, check kbit/s, highest bit/s, frame ms.
#[rustfmt::skip]
const CATALOGUE: [Codec; 31] = [
    row([1, 1], "OPUS (6k-510k)", Some("opus"), 48_000, None, 6, OPUS_HIGHEST_BPS, 10, ToldBy::AverageBitrate),
    row([2, 2], "MP4A-LATM 128k", Some("MP4A-LATM"), MP4A_LATM_HZ, None, 128, 128_000, 10, ToldBy::Bitrate),
    row([3, 3], "AAC-LD (MP4A Generic)", Some("mpeg4-generic"), 48_000, None, 256, 256_000, 10, ToldBy::Name),
    row([4, 4], "MP4A-LATM 64k", Some("MP4A-LATM"), MP4A_LATM_HZ, None, 64, 64_000, 10, ToldBy::Bitrate),
    row([5, 5], "MP4A-LATM 56k", Some("MP4A-LATM"), MP4A_LATM_HZ, None, 56, 56_000, 10, ToldBy::Bitrate),
    row([6, 6], "L16 256k", Some("L16"), 16_000, None, 256, 256_000, 10, ToldBy::Name),
    row([7, 7], "MP4A-LATM 48k", Some("MP4A-LATM"), MP4A_LATM_HZ, None, 48, 48_000, 10, ToldBy::Bitrate),
    row([8, 9], "G.722 64k", Some("G722"), 8_000, Some(9), 64, 64_000, 10, ToldBy::Name),
    row([9, 8], "ISAC 32k", Some("isac"), 16_000, None, 32, 32_000, 30, ToldBy::Name),
    row([10, 10], "MP4A-LATM 32k", Some("MP4A-LATM"), MP4A_LATM_HZ, None, 32, 32_000, 10, ToldBy::Bitrate),
    row([11, 11], "AMR-WB (7k-24k)", Some("AMR-WB"), 16_000, None, 7, 24_000, 20, ToldBy::ModeSet(&AMR_WB_BPS)),
    row([12, 12], "G.722.1 32k", Some("G7221"), 16_000, None, 32, 32_000, 20, ToldBy::Bitrate),
    row([13, 13], "G.722 56k", None, 8_000, None, 56, 56_000, 10, ToldBy::Name),
    row([14, 14], "G.722.1 24k", Some("G7221"), 16_000, None, 24, 24_000, 20, ToldBy::Bitrate),
    row([15, 15], "G.722 48k", None, 8_000, None, 48, 48_000, 10, ToldBy::Name),
    row([16, 16], "MP4A-LATM 24k", Some("MP4A-LATM"), MP4A_LATM_HZ, None, 24, 24_000, 10, ToldBy::Bitrate),
    row([17, 17], "G.711 U-Law 64k", Some("PCMU"), 8_000, Some(0), 64, 64_000, 10, ToldBy::Name),
    row([18, 18], "G.711 A-Law 64k", Some("PCMA"), 8_000, Some(8), 64, 64_000, 10, ToldBy::Name),
    row([19, 19], "G.711 U-Law 56k", None, 8_000, None, 56, 56_000, 10, ToldBy::Name),
    row([20, 20], "G.711 A-Law 56k", None, 8_000, None, 56, 56_000, 10, ToldBy::Name),
    row([21, 21], "ILBC 16k", Some("iLBC"), 8_000, None, 16, 15_200, 20, ToldBy::FrameMode),
    row([22, 22], "G.728 16k", Some("G728"), 8_000, Some(15), 16, 16_000, 10, ToldBy::Name),
    row([23, 23], "AMR (5k-13k)", Some("AMR"), 8_000, None, 5, 12_200, 20, ToldBy::ModeSet(&AMR_BPS)),
    row([24, 24], "GSM Enhanced Full Rate 13k", Some("GSM-EFR"), 8_000, None, 13, 12_200, 20, ToldBy::Name),
    row([25, 25], "GSM Full Rate 13k", Some("GSM"), 8_000, Some(3), 13, 13_000, 20, ToldBy::Name),
    row([26, 26], "G.729b 8k", Some("G729"), 8_000, Some(18), 8, 8_000, 10, ToldBy::Annexb(true)),
    row([27, 27], "G.729ab 8k", Some("G729"), 8_000, Some(18), 8, 8_000, 10, ToldBy::Annexb(true)),
    row([28, 28], "G.729 8k", Some("G729"), 8_000, Some(18), 8, 8_000, 10, ToldBy::Annexb(false)),
    row([29, 29], "G.729a 8k", Some("G729"), 8_000, Some(18), 8, 8_000, 10, ToldBy::Annexb(false)),
    row([30, 30], "GSM Half Rate 6k", Some("GSM-HR-08"), 8_000, None, 6, 5_600, 20, ToldBy::Name),
    row([31, 31], "G.723.1 7k", Some("G723"), 8_000, Some(4), 7, 6_300, 30, ToldBy::BitrateKbps),
];

#[allow(clippy::too_many_arguments)] // one argument a column of the table above
const fn row(
    ranks: [u8; 2],
    cucm_name: &'static str,
    encoding: Option<&'static str>,
    clock_hz: u32,
    static_payload_type: Option<u8>,
    check_kbps: u32,
    highest_bps: u32,
    shortest_frame_ms: u8,
    told_by: ToldBy,
) -> Codec {
    let [low_loss_rank, lossy_rank] = ranks;
    Codec {
        cucm_name,
        encoding,
        static_payload_type,
        clock_hz,
        check_kbps,
        highest_bps,
        shortest_frame_ms,
        low_loss_rank,
        lossy_rank,
        told_by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(name: &str, clock_hz: u32, channels: u8, fmtp: &str) -> Option<(&'static str, u32, u8)> {
        let encoding = Encoding { name: name.as_bytes(), clock_hz, channels };
        identify(&encoding, fmtp.as_bytes()).map(|v| (v.id.codec().cucm_name, v.highest_bps, v.frame_ms))
    }

    /// The published table once more, row by row: place in either list, name, check rate, highest rate, SDP name.
    #[test]
    fn every_row_is_the_published_one_m12() {
        type Published = (u8, u8, &'static str, u32, u32, Option<&'static str>);
        let rows: [Published; 31] = [
            (1, 1, "OPUS (6k-510k)", 6, 510_000, Some("opus")),
            (2, 2, "MP4A-LATM 128k", 128, 128_000, Some("MP4A-LATM")),
            (3, 3, "AAC-LD (MP4A Generic)", 256, 256_000, Some("mpeg4-generic")),
            (4, 4, "MP4A-LATM 64k", 64, 64_000, Some("MP4A-LATM")),
            (5, 5, "MP4A-LATM 56k", 56, 56_000, Some("MP4A-LATM")),
            (6, 6, "L16 256k", 256, 256_000, Some("L16")),
            (7, 7, "MP4A-LATM 48k", 48, 48_000, Some("MP4A-LATM")),
            (8, 9, "G.722 64k", 64, 64_000, Some("G722")),
            (9, 8, "ISAC 32k", 32, 32_000, Some("isac")),
            (10, 10, "MP4A-LATM 32k", 32, 32_000, Some("MP4A-LATM")),
            (11, 11, "AMR-WB (7k-24k)", 7, 24_000, Some("AMR-WB")),
            (12, 12, "G.722.1 32k", 32, 32_000, Some("G7221")),
            (13, 13, "G.722 56k", 56, 56_000, None),
            (14, 14, "G.722.1 24k", 24, 24_000, Some("G7221")),
            (15, 15, "G.722 48k", 48, 48_000, None),
            (16, 16, "MP4A-LATM 24k", 24, 24_000, Some("MP4A-LATM")),
            (17, 17, "G.711 U-Law 64k", 64, 64_000, Some("PCMU")),
            (18, 18, "G.711 A-Law 64k", 64, 64_000, Some("PCMA")),
            (19, 19, "G.711 U-Law 56k", 56, 56_000, None),
            (20, 20, "G.711 A-Law 56k", 56, 56_000, None),
            (21, 21, "ILBC 16k", 16, 15_200, Some("iLBC")),
            (22, 22, "G.728 16k", 16, 16_000, Some("G728")),
            (23, 23, "AMR (5k-13k)", 5, 12_200, Some("AMR")),
            (24, 24, "GSM Enhanced Full Rate 13k", 13, 12_200, Some("GSM-EFR")),
            (25, 25, "GSM Full Rate 13k", 13, 13_000, Some("GSM")),
            (26, 26, "G.729b 8k", 8, 8_000, Some("G729")),
            (27, 27, "G.729ab 8k", 8, 8_000, Some("G729")),
            (28, 28, "G.729 8k", 8, 8_000, Some("G729")),
            (29, 29, "G.729a 8k", 8, 8_000, Some("G729")),
            (30, 30, "GSM Half Rate 6k", 6, 5_600, Some("GSM-HR-08")),
            (31, 31, "G.723.1 7k", 7, 6_300, Some("G723")),
        ];
        let own = |codec: &'static Codec| {
            let ranks = (codec.low_loss_rank, codec.lossy_rank);
            (ranks.0, ranks.1, codec.cucm_name, codec.check_kbps, codec.highest_bps, codec.encoding)
        };
        assert_eq!(CodecId::all().map(|id| own(id.codec())).collect::<Vec<_>>(), rows);
    }

    /// M-13: whatever other lists do with G.722, between any two codecs but G.722 and iSAC both lists have one order.
    #[test]
    fn no_other_pair_changes_places_m13() {
        let moved = |id: CodecId| ["G.722 64k", "ISAC 32k"].contains(&id.codec().cucm_name);
        for (a, b) in CodecId::all().flat_map(|a| CodecId::all().map(move |b| (a, b))) {
            let order = |list| a.codec().rank(list).cmp(&b.codec().rank(list));
            if !(moved(a) && moved(b)) {
                assert_eq!(order(LinkLoss::LowLoss), order(LinkLoss::Lossy), "{:?} {:?}", a.codec(), b.codec());
            }
        }
    }

    #[test]
    fn both_lists_are_whole_and_differ_only_in_g722_and_isac_m7() {
        let (mut low, mut lossy): (Vec<_>, Vec<_>) =
            CodecId::all().map(|id| (id.codec().low_loss_rank, id.codec().lossy_rank)).unzip();
        let moved: Vec<_> = CodecId::all()
            .filter(|id| id.codec().low_loss_rank != id.codec().lossy_rank)
            .map(|id| id.codec().cucm_name)
            .collect();
        assert_eq!(moved, ["G.722 64k", "ISAC 32k"]);
        low.sort_unstable();
        lossy.sort_unstable();
        assert_eq!(low, (1..=31).collect::<Vec<u8>>());
        assert_eq!(low, lossy);
    }

    #[test]
    fn every_row_is_found_by_what_its_descriptions_say() {
        for (name, clock, channels, fmtp, want) in [
            ("opus", 48_000, 2, "", Some(("OPUS (6k-510k)", 510_000, 10))),
            ("OPUS", 48_000, 2, "minptime=10; MaxAverageBitrate=20000", Some(("OPUS (6k-510k)", 20_000, 10))),
            ("opus", 48_000, 2, "maxaveragebitrate=100", Some(("OPUS (6k-510k)", 510_000, 10))),
            ("opus", 48_000, 2, "maxaveragebitrate=6000", Some(("OPUS (6k-510k)", 6_000, 10))),
            ("opus", 48_000, 2, "maxaveragebitrate=510001", Some(("OPUS (6k-510k)", 510_000, 10))),
            ("opus", 48_000, 2, "maxaveragebitrate=8k", Some(("OPUS (6k-510k)", 510_000, 10))),
            ("opus", 48_000, 2, "maxaveragebitrate=9;maxaveragebitrate=9", Some(("OPUS (6k-510k)", 510_000, 10))),
            ("MP4A-LATM", 90_000, 1, "bitrate=128000", Some(("MP4A-LATM 128k", 128_000, 10))),
            ("MP4A-LATM", 90_000, 1, "bitrate=64000", Some(("MP4A-LATM 64k", 64_000, 10))),
            ("MP4A-LATM", 90_000, 1, "bitrate=56000", Some(("MP4A-LATM 56k", 56_000, 10))),
            ("MP4A-LATM", 90_000, 1, "bitrate=48000", Some(("MP4A-LATM 48k", 48_000, 10))),
            ("MP4A-LATM", 90_000, 1, "profile-level-id=24;bitrate=32000", Some(("MP4A-LATM 32k", 32_000, 10))),
            ("MP4A-LATM", 48_000, 2, "bitrate=24000", Some(("MP4A-LATM 24k", 24_000, 10))),
            ("MP4A-LATM", 90_000, 1, "bitrate=33000", Some(("MP4A-LATM 48k", 48_000, 10))),
            ("MP4A-LATM", 90_000, 1, "", Some(("MP4A-LATM 128k", 128_000, 10))),
            ("MP4A-LATM", 90_000, 1, "bitrate=256000", None),
            ("MP4A-LATM", 90_000, 1, "bitrate=99999999999", None),
            ("MP4A-LATM", 90_000, 1, "bitrate=0", Some(("MP4A-LATM 128k", 128_000, 10))),
            ("MP4A-LATM", 90_000, 1, "bitrate=64k", Some(("MP4A-LATM 128k", 128_000, 10))),
            ("MP4A-LATM", 90_000, 1, "bitrate=1", Some(("MP4A-LATM 24k", 24_000, 10))),
            ("mpeg4-generic", 48_000, 1, "mode=AAC-hbr", Some(("AAC-LD (MP4A Generic)", 256_000, 10))),
            ("mpeg4-generic", 96_000, 1, "", None),
            ("L16", 16_000, 1, "", Some(("L16 256k", 256_000, 10))),
            ("L16", 44_100, 2, "", None),
            ("L16", 16_000, 2, "", None),
            ("G722", 8_000, 1, "", Some(("G.722 64k", 64_000, 10))),
            ("iSAC", 16_000, 1, "", Some(("ISAC 32k", 32_000, 30))),
            ("isac", 32_000, 1, "", None),
            ("AMR-WB", 16_000, 1, "octet-align=1", Some(("AMR-WB (7k-24k)", 24_000, 20))),
            ("AMR-WB", 16_000, 1, "mode-set=0,2", Some(("AMR-WB (7k-24k)", 12_650, 20))),
            ("AMR-WB", 16_000, 1, "mode-set=9", Some(("AMR-WB (7k-24k)", 24_000, 20))),
            ("G7221", 16_000, 1, "bitrate=32000", Some(("G.722.1 32k", 32_000, 20))),
            ("G7221", 16_000, 1, "bitrate=24000", Some(("G.722.1 24k", 24_000, 20))),
            ("G7221", 16_000, 1, "", Some(("G.722.1 32k", 32_000, 20))),
            ("G7221", 32_000, 1, "bitrate=48000", None),
            ("PCMU", 8_000, 1, "", Some(("G.711 U-Law 64k", 64_000, 10))),
            ("pcma", 8_000, 1, "", Some(("G.711 A-Law 64k", 64_000, 10))),
            ("PCMU", 16_000, 1, "", None),
            ("iLBC", 8_000, 1, "mode=20", Some(("ILBC 16k", 15_200, 20))),
            ("iLBC", 8_000, 1, "mode=30", Some(("ILBC 16k", 13_333, 30))),
            ("iLBC", 8_000, 1, "", Some(("ILBC 16k", 15_200, 20))),
            ("G728", 8_000, 1, "", Some(("G.728 16k", 16_000, 10))),
            ("AMR", 8_000, 1, "", Some(("AMR (5k-13k)", 12_200, 20))),
            ("AMR", 8_000, 1, "mode-set=0,2,5", Some(("AMR (5k-13k)", 7_950, 20))),
            ("AMR", 8_000, 2, "", None),
            ("GSM-EFR", 8_000, 1, "", Some(("GSM Enhanced Full Rate 13k", 12_200, 20))),
            ("GSM", 8_000, 1, "", Some(("GSM Full Rate 13k", 13_000, 20))),
            ("G729", 8_000, 1, "", Some(("G.729b 8k", 8_000, 10))),
            ("G729", 8_000, 1, "annexb=yes", Some(("G.729b 8k", 8_000, 10))),
            ("G729", 8_000, 1, "annexb=no", Some(("G.729 8k", 8_000, 10))),
            ("G729", 8_000, 1, "AnnexB=NO", Some(("G.729 8k", 8_000, 10))),
            ("GSM-HR-08", 8_000, 1, "", Some(("GSM Half Rate 6k", 5_600, 20))),
            ("G723", 8_000, 1, "annexa=no", Some(("G.723.1 7k", 6_300, 30))),
            ("G723", 8_000, 1, "bitrate=5.3", Some(("G.723.1 7k", 5_300, 30))),
            ("speex", 8_000, 1, "", None),
        ] {
            assert_eq!(named(name, clock, channels, fmtp), want, "{name}/{clock}/{channels} {fmtp}");
        }
    }

    #[test]
    fn a_static_payload_type_means_the_row_that_claims_it() {
        for id in CodecId::all() {
            let codec = id.codec();
            let Some(payload_type) = codec.static_payload_type else { continue };
            let encoding = static_encoding(payload_type).unwrap();
            assert_eq!(codec.encoding.map(str::as_bytes), Some(encoding.name), "{}", codec.cucm_name);
            assert_eq!(codec.clock_hz, encoding.clock_hz, "{}", codec.cucm_name);
        }
    }

    #[test]
    fn rows_that_sdp_cannot_name_are_never_found() {
        let unnamed: Vec<_> =
            CodecId::all().map(CodecId::codec).filter(|c| c.encoding.is_none()).map(|c| c.cucm_name).collect();
        assert_eq!(unnamed, ["G.722 56k", "G.722 48k", "G.711 U-Law 56k", "G.711 A-Law 56k"]);
    }

    #[test]
    fn only_opus_amr_and_amr_wb_are_variable_rate_m16() {
        let variable: Vec<_> =
            CodecId::all().map(CodecId::codec).filter(|c| c.is_variable_rate()).map(|c| c.cucm_name).collect();
        assert_eq!(variable, ["OPUS (6k-510k)", "AMR-WB (7k-24k)", "AMR (5k-13k)"]);
    }

    proptest! {
        #[test]
        fn no_encoding_or_fmtp_panics(name: Vec<u8>, clock: u32, channels: u8, fmtp: Vec<u8>) {
            let _ = identify(&Encoding { name: &name, clock_hz: clock, channels }, &fmtp);
        }

        #[test]
        fn a_parameter_is_what_stands_between_its_semicolons(fmtp in "([aA=; ]|ab){0,16}") {
            let mut values = Vec::new();
            for pair in fmtp.split(';') {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                if key.trim().eq_ignore_ascii_case("a") {
                    values.push(value.trim());
                }
            }
            let want = match &values[..] {
                [] => Parameter::Absent,
                [value] => Parameter::Once(value.as_bytes()),
                _ => Parameter::Repeated,
            };
            prop_assert_eq!(parameter(fmtp.as_bytes(), b"a"), want);
        }

        #[test]
        fn parameters_never_raise_the_rate(row in 0usize..31, fmtp in "(mode-set|bitrate|mode|maxaveragebitrate)=[0-9,]{0,9}") {
            let codec = CodecId::all().nth(row).unwrap().codec();
            if let Some(name) = codec.encoding {
                let encoding = Encoding { name: name.as_bytes(), clock_hz: codec.clock_hz, channels: 1 };
                if let Some(found) = identify(&encoding, fmtp.as_bytes()) {
                    prop_assert!(found.highest_bps <= found.id.codec().highest_bps);
                }
            }
        }
    }
}
