//! Writing a description anew after a policy has judged it: formats dropped, put in order or bounded, video given its
//! allowance, streams removed (RFC 3264), preconditions set to a strength (RFC 3312). Whatever no edit names leaves as
//! it came, byte for byte; attribute lines keep their order.

use smallvec::SmallVec;

use crate::catalogue::{Named, OPUS_LOWEST_BPS, Parameter, ToldBy, Variant, decimal, highest_mode_bps, parameter};
use crate::sdp::{About, Format, Line, Media, MediaKind, Session, attribute, payload_type_and_rest, place_of, words};

/// Rank of formats the configuration added to the catalogue: behind all of it, in offered order (M-24).
pub const RANK_OWN: u8 = 253;
/// Rank of formats a region would take out and an emergency call keeps: behind all that is within, in offered order.
pub const RANK_BEYOND: u8 = 254;
/// Rank of formats that follow the codecs: telephone-event, comfort noise, red (M-24).
pub const RANK_FOLLOWS: u8 = 255;

/// What an fmtp line is made to say: a cap on an encoder of variable rate (M-16), or no Annex B (M-19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Opus: `maxaveragebitrate`, bit/s (RFC 7587, section 6.1).
    AverageBitrate {
        /// The bound in bit/s.
        bps: u32,
    },
    /// AMR, AMR-WB: `mode-set` (RFC 4867, section 8.1).
    Modes {
        /// A bit for each mode allowed.
        set: u16,
    },
    /// G.729: `annexb=no` (RFC 4856, section 2.1.9).
    NoAnnexB,
    /// Opus: no `maxaveragebitrate`, whose value is no rate.
    NoAverageBitrate,
    /// MP4A-LATM: no `bitrate`, whose value is no rate.
    NoBitrate,
}

impl Bound {
    /// The modes of AMR and AMR-WB it allows, a bit for each.
    #[must_use]
    pub fn modes(self) -> Option<u16> {
        if let Self::Modes { set } = self { Some(set) } else { None }
    }
}

/// What becomes of one format of an audio stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It leaves the `m=` line, with its `a=rtpmap` and `a=fmtp` lines.
    Drop,
    /// It stays, in the order of ranks; equal ranks keep their order.
    Keep {
        /// Smaller is earlier.
        rank: u8,
    },
    /// It stays with its fmtp line held to a bound.
    Bound {
        /// Smaller is earlier.
        rank: u8,
        /// What the fmtp line will say.
        bound: Bound,
    },
}

impl Verdict {
    fn rank(self) -> Option<u8> {
        match self {
            Self::Drop => None,
            Self::Keep { rank } | Self::Bound { rank, .. } => Some(rank),
        }
    }
}

/// A place in a list by its rank: in order by rank, equal ranks by place, which is what a stable sort on the rank would
/// do, without its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed(u16);

impl Placed {
    /// A place below 256 at a rank.
    #[must_use]
    pub fn new(rank: u8, place: u8) -> Self {
        Self(u16::from_be_bytes([rank, place]))
    }

    /// The place.
    #[must_use]
    pub fn place(self) -> usize {
        let [_, place] = self.0.to_be_bytes();
        usize::from(place)
    }
}

/// One verdict a format, in the order of the `m=` line.
pub type Verdicts = SmallVec<[Verdict; 12]>;

/// What becomes of one media block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Nothing.
    Leave,
    /// Its port becomes 0, nothing else changes (RFC 3264, sections 6 and 8.2).
    Remove,
    /// Its formats are dropped, ordered and bounded.
    Formats(Verdicts),
    /// Its `b=AS` and `b=TIAS` say at most this, both are there afterwards (M-23).
    Bandwidth {
        /// The allowance in kbit/s.
        kbps: u32,
    },
}

/// The bound that holds a format of variable rate within `cap_bps` and the modes `offered`, a bit for each, and its highest
/// rate in bit/s then. `None` where no fmtp line can say it: the rate is fixed, no mode is slow enough, or the line there is
/// cannot be read for certain.
#[must_use]
pub fn bound_within(format: &Format<'_>, variant: Variant, cap_bps: u32, offered: u16) -> Option<(Bound, u32)> {
    if format.fmtp_lines > 1 {
        return None;
    }
    match variant.id.codec().told_by {
        ToldBy::AverageBitrate => {
            let is_readable = match parameter(format.fmtp, b"maxaveragebitrate") {
                // What is no rate counts as absent, and the bound takes its place.
                Parameter::Absent | Parameter::Once(_) => true,
                Parameter::Repeated => false,
            };
            let bps = cap_bps.min(variant.highest_bps);
            (is_readable && bps >= OPUS_LOWEST_BPS).then_some((Bound::AverageBitrate { bps }, bps))
        }
        ToldBy::ModeSet(rates) => {
            let slow_enough = (0u16..).zip(rates).filter(|(_, bps)| **bps <= cap_bps);
            let set = slow_enough.fold(0u16, |set, (mode, _)| set | 1 << mode) & offered & variant.modes?;
            Some((Bound::Modes { set }, highest_mode_bps(set, rates)?))
        }
        _ => None,
    }
}

/// What takes Annex B out of a format of G.729. `None` where it has none, or where the line there cannot be read for
/// certain.
#[must_use]
pub fn without_annex_b(format: &Format<'_>) -> Option<Bound> {
    let Named::Codec(id) = format.named else { return None };
    id.codec().annex_b()?;
    let is_written = match parameter(format.fmtp, b"annexb") {
        Parameter::Absent => format.fmtp_lines <= 1,
        Parameter::Once(value) => !value.is_empty() && !value.eq_ignore_ascii_case(b"no"),
        Parameter::Repeated => false,
    };
    is_written.then_some(Bound::NoAnnexB)
}

/// What takes a rate out of a format that is no rate, so that everybody reads it as absent. `None` where there is none to
/// take out.
#[must_use]
pub fn without_stray_rate(variant: Variant) -> Option<Bound> {
    let is_average = variant.id.codec().told_by == ToldBy::AverageBitrate;
    variant.has_stray_rate.then_some(if is_average { Bound::NoAverageBitrate } else { Bound::NoBitrate })
}

/// Rate in bit/s that a block's `b=AS` and `b=TIAS` allow once held to `allowance_kbps`; a lower value stands (M-23).
#[must_use]
pub fn bounded_bps(session: &Session<'_>, media: &Media<'_>, allowance_kbps: u32) -> u64 {
    Stated::of(session, session.lines_of(media), allowance_kbps).lowest_bps
}

/// Rate in bit/s that the `b=AS` and `b=TIAS` of the session part leave of `cap_kbps` (M-23). One of 0 says nothing of media that
/// flows.
#[must_use]
pub fn session_bps(session: &Session<'_>, cap_kbps: u32) -> u64 {
    let stated = Stated::of(session, session.session_lines(), cap_kbps).lowest_bps;
    if stated == 0 { u64::from(cap_kbps) * 1_000 } else { stated }
}

/// Writes the description to the end of `out`, `edits` in the order of the media blocks (missing ones leave their
/// block alone), `session_kbps` the bandwidth of the session part where it shall have one. True when anything changed.
pub fn write(session: &Session<'_>, edits: &[Edit], session_kbps: Option<u32>, out: &mut Vec<u8>) -> bool {
    let begun = out.len();
    let mut pen = Pen { from: session, out, done: 0 };
    if let Some(kbps) = session_kbps {
        pen.bandwidth(session.session_lines(), |kind| matches!(kind, b't' | b'r' | b'z' | b'k' | b'a'), kbps);
    }
    for (media, edit) in session.media().iter().zip(edits) {
        match edit {
            Edit::Leave => {}
            Edit::Remove => {
                pen.turn_off(media);
                let alone = session.lines_of(media).iter().filter(|line| line.about == About::BundleOnly);
                alone.for_each(|line| pen.cut(line.start, line.next));
            }
            Edit::Formats(verdicts) => pen.formats(media, verdicts),
            Edit::Bandwidth { kbps } => {
                pen.bandwidth(session.lines_of(media), |kind| matches!(kind, b'k' | b'a'), *kbps);
            }
        }
    }
    pen.finish(begun)
}

/// What becomes of the `qos` precondition lines of one kind of media (V-27).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// They stay as they are.
    Keep,
    /// Their desired strength becomes `mandatory`.
    Mandatory,
    /// Their desired strength becomes `optional`.
    Optional,
    /// They leave, `curr` and `conf` with them.
    Remove,
}

/// Whether any active stream carries `qos` precondition lines: only then may an offer's be written (V-27a).
#[must_use]
pub fn has_qos(session: &Session<'_>) -> bool {
    session.media().iter().any(|m| m.is_active() && m.has_qos)
}

/// Whether any active stream wants a `qos` precondition met before anybody is alerted: then the message requires
/// `precondition` (V-23, V-24).
#[must_use]
pub fn has_mandatory_qos(session: &Session<'_>) -> bool {
    session.media().iter().any(|m| m.is_active() && m.has_mandatory_qos)
}

/// Writes the description to the end of `out` with the strengths of the `qos` lines it already has set for audio and
/// video; a block without such lines gets none (V-27a). `failure` and `unknown` are answers, not wishes, and stay.
/// True when anything changed.
pub fn write_qos(session: &Session<'_>, audio: Qos, video: Qos, out: &mut Vec<u8>) -> bool {
    let begun = out.len();
    let mut pen = Pen { from: session, out, done: 0 };
    for media in session.media().iter().filter(|m| m.has_qos) {
        match media.kind {
            MediaKind::Audio => pen.qos(media, audio),
            MediaKind::Video => pen.qos(media, video),
            MediaKind::Image | MediaKind::Other => {}
        }
    }
    pen.finish(begun)
}

/// Copies a description up to each edit, in the order of its bytes.
pub(crate) struct Pen<'s, 'a, 'o> {
    pub(crate) from: &'s Session<'a>,
    pub(crate) out: &'o mut Vec<u8>,
    pub(crate) done: u32,
}

impl Pen<'_, '_, '_> {
    /// Copies what lies before `at`.
    fn keep_to(&mut self, at: u32) {
        if at > self.done {
            let kept = self.from.bytes().get(self.done as usize..at as usize).unwrap_or_default();
            self.out.extend_from_slice(kept);
            self.done = at;
        }
    }

    /// Copies what lies before `start` and leaves out what lies before `end`.
    pub(crate) fn cut(&mut self, start: u32, end: u32) {
        self.keep_to(start);
        self.done = self.done.max(end);
    }

    /// Copies the rest; true when the whole differs from the original.
    pub(crate) fn finish(mut self, begun: usize) -> bool {
        self.keep_to(u32::try_from(self.from.bytes().len()).unwrap_or(u32::MAX));
        self.out.get(begun..) != Some(self.from.bytes())
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a number in decimal; `fmt` would take several times as long for it.
    fn put_number(&mut self, number: u64) {
        let (mut digits, mut left, mut first) = ([0u8; 20], number, 0);
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' | (left % 10) as u8;
            left /= 10;
            if left == 0 {
                first = place;
                break;
            }
        }
        self.out.extend_from_slice(digits.get(first..).unwrap_or_default());
    }

    /// Begins a line of our own at `at`, which is the start of a line or the end of the description.
    fn begin_line(&mut self, at: u32) {
        self.keep_to(at);
        if self.out.last() != Some(&b'\n') {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        self.out.extend_from_slice(self.from.line_end());
    }

    /// Turns a stream off by port 0 (RFC 3264, 5.1 and 6). Whoever does so leaves its `a=bundle-only` lines out too.
    pub(crate) fn turn_off(&mut self, media: &Media<'_>) {
        if media.is_active() {
            self.cut(media.port_bytes.start, media.port_bytes.end);
            self.out.push(b'0');
        }
    }

    fn formats(&mut self, media: &Media<'_>, verdicts: &[Verdict]) {
        let mut leaving: SmallVec<[Placed; 12]> = SmallVec::new();
        leaving.extend((0..).zip(verdicts).filter_map(|(place, verdict)| Some(Placed::new(verdict.rank()?, place))));
        leaving.sort_unstable();
        if !leaving.iter().map(|placed| placed.place()).eq(0..media.formats.len()) {
            self.cut(media.format_bytes.start, media.format_bytes.end);
            let tokens = leaving.iter().filter_map(|placed| media.formats.get(placed.place())).map(|f| f.token);
            for (at, token) in tokens.enumerate() {
                if at > 0 {
                    self.out.push(b' ');
                }
                self.out.extend_from_slice(token);
            }
        }
        for line in self.from.lines_of(media) {
            self.format_line(media, verdicts, *line);
        }
        let end = self.from.lines_of(media).last().map_or(0, |line| line.next);
        for (place, (format, verdict)) in media.formats.iter().zip(verdicts).enumerate() {
            // One of RFC 3551 need not have a line of its own.
            if let Verdict::Bound { bound, .. } = verdict
                && !takes_out(*bound)
                && (format.rtpmap_lines, format.fmtp_lines) == (0, 0)
                && media.formats.iter().take(place).all(|earlier| earlier.payload_type != format.payload_type)
            {
                self.add_bound(end, format, *bound);
            }
        }
    }

    /// Adds the fmtp line of a format that has none.
    fn add_bound(&mut self, at: u32, format: &Format<'_>, bound: Bound) {
        self.begin_line(at);
        self.put("a=fmtp:");
        self.put_number(u64::from(format.payload_type.unwrap_or_default()));
        self.put(" ");
        self.put(parameter_of(bound));
        self.put("=");
        self.bound_value(bound);
        self.end_line();
    }

    /// Drops or bounds one attribute line that speaks of a format.
    fn format_line(&mut self, media: &Media<'_>, verdicts: &[Verdict], line: Line) {
        let (place, is_fmtp) = match line.about {
            About::Rtpmap(place) => (usize::from(place), false),
            About::Fmtp(place) => (usize::from(place), true),
            About::Other | About::Bandwidth | About::BundleOnly => return,
        };
        let (Some(format), Some(verdict)) = (media.formats.get(place), verdicts.get(place)) else { return };
        match verdict {
            Verdict::Keep { .. } => {}
            Verdict::Drop => self.cut(line.start, line.next),
            Verdict::Bound { bound, .. } if is_fmtp => self.bound_line(line, *bound),
            Verdict::Bound { bound, .. } if format.fmtp_lines == 0 => self.add_bound(line.next, format, *bound),
            Verdict::Bound { .. } => {}
        }
    }

    /// Sets the parameter of a bound in an fmtp line, in its place or behind the others.
    fn bound_line(&mut self, line: Line, bound: Bound) {
        let text = self.from.text(line);
        let name = parameter_of(bound);
        let params = attribute(text).and_then(|(_, v)| payload_type_and_rest(v)).map_or(&[][..], |(_, rest)| rest);
        if takes_out(bound) {
            return self.without(line, params, name);
        }
        match parameter(params, name.as_bytes()) {
            Parameter::Once(value) if !value.is_empty() => {
                let place = place_of(value, self.from.bytes());
                self.cut(place.start, place.end);
            }
            Parameter::Once(_) => {
                let place = place_of(pair(params, name).unwrap_or_default(), self.from.bytes());
                self.cut(place.start, place.end);
                self.put(name);
                self.put("=");
            }
            _ => {
                self.keep_to(line.end);
                self.put(match params.last() {
                    None => " ",
                    Some(b';') => "",
                    Some(_) => ";",
                });
                self.put(name);
                self.put("=");
            }
        }
        self.bound_value(bound);
    }

    /// Takes a parameter out of an fmtp line with the semicolon beside it, and the line where nothing else is in it.
    fn without(&mut self, line: Line, params: &[u8], name: &str) {
        let Some(pair) = pair(params, name) else { return };
        let (all, own) = (place_of(params, self.from.bytes()), place_of(pair, self.from.bytes()));
        let between = |start: u32, end: u32| self.from.bytes().get(start as usize..end as usize).unwrap_or_default();
        let (before, behind) = (between(all.start, own.start), between(own.end, all.end));
        let is_idle = |octet: &u8| matches!(octet, b';' | b' ' | b'\t');
        let length = |idle: Option<usize>, all: &[u8]| u32::try_from(idle.unwrap_or(all.len())).unwrap_or(u32::MAX);
        if before.iter().chain(behind).all(is_idle) {
            self.cut(line.start, line.next);
        } else if let Some(last) = before.iter().rposition(|octet| !is_idle(octet)) {
            let kept = length(Some(last.saturating_add(1)), before);
            self.cut(all.start.saturating_add(kept), own.end);
        } else {
            let idle = length(behind.iter().position(|octet| !is_idle(octet)), behind);
            self.cut(own.start, own.end.saturating_add(idle));
        }
    }

    fn bound_value(&mut self, bound: Bound) {
        match bound {
            Bound::NoAverageBitrate | Bound::NoBitrate => {}
            Bound::AverageBitrate { bps } => self.put_number(u64::from(bps)),
            Bound::NoAnnexB => self.put("no"),
            Bound::Modes { set } => {
                for (at, mode) in (0..16).filter(|mode| set >> mode & 1 == 1).enumerate() {
                    self.put(if at > 0 { "," } else { "" });
                    self.put_number(mode);
                }
            }
        }
    }

    /// Lowers `b=AS` and `b=TIAS` of a section to `kbps` and adds the missing ones before the first line of a type that is
    /// later, where RFC 8866 (section 9) has them.
    fn bandwidth(&mut self, lines: &[Line], is_later: impl Fn(u8) -> bool, kbps: u32) {
        let mut missing = Some(Stated::of(self.from, lines, kbps));
        for line in lines {
            if self.from.bytes().get(line.start as usize).copied().is_some_and(&is_later)
                && let Some(stated) = missing.take()
            {
                self.missing_bandwidth(line.start, stated);
            }
            if line.about != About::Bandwidth {
                continue;
            }
            let Some((modifier, value)) = modifier(self.from.text(*line)) else { continue };
            if value_bps(modifier, value).is_none_or(|bps| bps > u64::from(kbps) * 1_000) {
                self.cut(line.start, line.end);
                self.bandwidth_text(modifier, u64::from(kbps) * 1_000);
            }
        }
        if let Some((last, stated)) = lines.last().zip(missing) {
            self.missing_bandwidth(last.next, stated);
        }
    }

    fn missing_bandwidth(&mut self, at: u32, stated: Stated) {
        let modifiers = [(Modifier::As, stated.has_as), (Modifier::Tias, stated.has_tias)];
        for (modifier, _) in modifiers.into_iter().filter(|(_, is_stated)| !is_stated) {
            self.begin_line(at);
            self.bandwidth_text(modifier, stated.lowest_bps);
            self.end_line();
        }
    }

    fn bandwidth_text(&mut self, modifier: Modifier, bps: u64) {
        let (name, value) = match modifier {
            Modifier::As => ("b=AS:", bps.div_ceil(1_000)),
            Modifier::Tias => ("b=TIAS:", bps),
        };
        self.put(name);
        self.put_number(value);
    }

    fn qos(&mut self, media: &Media<'_>, qos: Qos) {
        let wanted = match qos {
            Qos::Keep => return,
            Qos::Mandatory => Some("mandatory"),
            Qos::Optional => Some("optional"),
            Qos::Remove => None,
        };
        for line in self.from.lines_of(media) {
            let text = self.from.text(*line);
            let Some((name @ (b"curr" | b"des" | b"conf"), value)) = attribute(text) else { continue };
            let mut parts = words(value);
            if parts.next() != Some(b"qos") {
                continue;
            }
            match (wanted, parts.next()) {
                (None, _) => self.cut(line.start, line.next),
                (Some(wanted), Some(strength @ (b"mandatory" | b"optional" | b"none"))) if name == b"des" => {
                    let place = place_of(strength, self.from.bytes());
                    self.cut(place.start, place.end);
                    self.put(wanted);
                }
                _ => {}
            }
        }
    }
}

/// The text of a parameter with its value.
fn pair<'p>(params: &'p [u8], name: &str) -> Option<&'p [u8]> {
    let pairs = params.split(|octet| *octet == b';').map(<[u8]>::trim_ascii);
    pairs.into_iter().find(|pair| parameter(pair, name.as_bytes()) != Parameter::Absent)
}

/// Whether a bound is that a parameter is not there.
fn takes_out(bound: Bound) -> bool {
    matches!(bound, Bound::NoAverageBitrate | Bound::NoBitrate)
}

fn parameter_of(bound: Bound) -> &'static str {
    match bound {
        Bound::AverageBitrate { .. } | Bound::NoAverageBitrate => "maxaveragebitrate",
        Bound::NoBitrate => "bitrate",
        Bound::Modes { .. } => "mode-set",
        Bound::NoAnnexB => "annexb",
    }
}

/// The two bandwidth modifiers a cap is written in: kbit/s (RFC 8866, section 5.8) and bit/s (RFC 3890).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Modifier {
    As,
    Tias,
}

fn modifier(text: &[u8]) -> Option<(Modifier, &[u8])> {
    let [b'b', b'=', body @ ..] = text else { return None };
    Some(match body {
        [b'A' | b'a', b'S' | b's', b':', value @ ..] => (Modifier::As, value),
        [b'T' | b't', b'I' | b'i', b'A' | b'a', b'S' | b's', b':', value @ ..] => (Modifier::Tias, value),
        _ => return None,
    })
}

/// A bandwidth value in bit/s, a fraction rounded up (some cameras write `AS:64.5`); `None` where it is no number.
fn value_bps(modifier: Modifier, value: &[u8]) -> Option<u64> {
    let mut parts = value.trim_ascii().splitn(2, |b| *b == b'.');
    let whole = u64::from(decimal(parts.next()?)?).saturating_add(u64::from(parts.next().is_some()));
    Some(match modifier {
        Modifier::As => whole.saturating_mul(1_000),
        Modifier::Tias => whole,
    })
}

/// What the lines of a section say of its bandwidth.
#[derive(Clone, Copy)]
struct Stated {
    /// The lowest rate, that of a cap included.
    lowest_bps: u64,
    has_as: bool,
    has_tias: bool,
}

impl Stated {
    fn of(session: &Session<'_>, lines: &[Line], cap_kbps: u32) -> Self {
        let mut stated = Self { lowest_bps: u64::from(cap_kbps) * 1_000, has_as: false, has_tias: false };
        let lines = lines.iter().filter(|line| line.about == About::Bandwidth);
        for (modifier, value) in lines.filter_map(|line| modifier(session.text(*line))) {
            match modifier {
                Modifier::As => stated.has_as = true,
                Modifier::Tias => stated.has_tias = true,
            }
            stated.lowest_bps = value_bps(modifier, value).map_or(stated.lowest_bps, |bps| bps.min(stated.lowest_bps));
        }
        stated
    }
}
