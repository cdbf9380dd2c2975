//! A session description looked at where it lies (RFC 8866): an index of its lines, and per media block what the
//! region and admission rules ask about. Nothing is copied, and no line is judged that nobody asks about: what is not
//! known stays as it is, byte for byte, line ends included (CRLF or bare LF).

use std::ops::Range;

use smallvec::SmallVec;

use crate::bandwidth::AddressFamily;
use crate::catalogue::{Encoding, decimal, static_encoding};

/// Longest description read, in bytes.
pub const BYTES_MAX: usize = 262_144;
/// Most lines of a description.
pub const LINES_MAX: usize = 1_024;
/// Most media blocks of a description.
pub const MEDIA_MAX: usize = 32;
/// Most formats of one media block.
pub const FORMATS_MAX: usize = 64;

/// Positions in a description are kept as u32, line numbers as u16.
const _: () = assert!(BYTES_MAX <= u32::MAX as usize && LINES_MAX <= u16::MAX as usize);
/// The place of a format on its line is kept as u8.
const _: () = assert!(FORMATS_MAX <= u8::MAX as usize);

/// What is wrong with a description; lines count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It does not begin with `v=`.
    NoVersion,
    /// A zero byte, or a carriage return that ends no line: two readers would see different lines.
    ControlByte {
        /// Where.
        line: u16,
    },
    /// An `m=` line without port, protocol and format, or with a port above 65535 (RFC 8866, section 5.14).
    MediaLine {
        /// Where.
        line: u16,
    },
    /// Longer than [`BYTES_MAX`].
    TooLong,
    /// More than [`LINES_MAX`] lines.
    TooManyLines,
    /// More than [`MEDIA_MAX`] media blocks.
    TooManyMedia,
    /// More than [`FORMATS_MAX`] formats in one media block.
    TooManyFormats {
        /// Where.
        line: u16,
    },
}

/// One line: its type and text from `start` to `end`, its line end from `end` to `next`; byte positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// First byte of the line.
    pub start: u32,
    /// End of its text.
    pub end: u32,
    /// End of its line end: the start of the next line.
    pub next: u32,
    /// What it speaks of.
    pub(crate) about: About,
}

/// What of a line is asked again when the description is written. A format is the first of its payload type, by its place
/// on the `m=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Nothing.
    Other,
    /// `b=`.
    Bandwidth,
    /// `a=rtpmap` of a format.
    Rtpmap(u8),
    /// `a=fmtp` of a format.
    Fmtp(u8),
}

/// The media of an `m=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// `audio`.
    Audio,
    /// `video`.
    Video,
    /// `image`: fax over T.38.
    Image,
    /// Anything else: `application`, `text`, `message`, what is still to be invented.
    Other,
}

/// Which way a stream flows, seen by the author of the description (RFC 8866, section 6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// The author sends.
    pub sends: bool,
    /// The author receives.
    pub receives: bool,
}

impl Direction {
    /// Both ways: what a stream does that says nothing.
    pub const SENDRECV: Self = Self { sends: true, receives: true };

    fn of(attribute: &[u8]) -> Option<Self> {
        let (sends, receives) = match attribute {
            b"sendrecv" => (true, true),
            b"sendonly" => (true, false),
            b"recvonly" => (false, true),
            b"inactive" => (false, false),
            _ => return None,
        };
        Some(Self { sends, receives })
    }
}

/// One format of an `m=` line with the attribute lines that speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format<'a> {
    /// The token of the `m=` line.
    pub token: &'a [u8],
    /// The token as an RTP payload type, 0 to 127.
    pub payload_type: Option<u8>,
    /// What it is: by its one `a=rtpmap` line, else by RFC 3551. `None` where neither says, or where two lines do.
    pub encoding: Option<Encoding<'a>>,
    /// The text of its `a=fmtp` line after the payload type; empty where there is none or more than one.
    pub fmtp: &'a [u8],
    /// Number of its `a=fmtp` lines.
    pub fmtp_lines: u8,
    rtpmap_lines: u8,
}

/// One media block.
#[derive(Clone, Debug)]
pub struct Media<'a> {
    /// What it carries.
    pub kind: MediaKind,
    /// Port; 0 means refused or removed (RFC 3264, section 6).
    pub port: u16,
    /// Number of ports, 1 where the line names none.
    pub ports: u32,
    /// Transport, `RTP/AVP` for example.
    pub protocol: &'a [u8],
    /// Formats in their order.
    pub formats: SmallVec<[Format<'a>; 12]>,
    /// Which way it flows, the session's word where the block has none.
    pub direction: Direction,
    /// Family of the block's `c=` line, or of the session's.
    pub family: AddressFamily,
    /// `a=ptime` in whole milliseconds, at least 1.
    pub ptime_ms: Option<u32>,
    /// `a=maxptime` in whole milliseconds, at least 1.
    pub max_ptime_ms: Option<u32>,
    /// Whether it has an `a=crypto` line (RFC 4568).
    pub has_crypto: bool,
    /// Whether it has `curr`, `des` or `conf` lines for `qos` (RFC 3312).
    pub has_qos: bool,
    /// Whether one of its `des` lines for `qos` is mandatory.
    pub has_mandatory_qos: bool,
    /// Bytes of the port and its count on the `m=` line.
    pub(crate) port_bytes: Range<u32>,
    /// Bytes of all formats on the `m=` line.
    pub(crate) format_bytes: Range<u32>,
    lines: Range<u16>,
}

impl<'a> Media<'a> {
    /// A block of which nothing is read yet; its `m=` line is the line of this number.
    fn unread(number: u16, defaults: Defaults) -> Self {
        Self {
            kind: MediaKind::Other,
            port: 0,
            ports: 1,
            protocol: &[],
            formats: SmallVec::new(),
            direction: defaults.direction,
            family: defaults.family,
            ptime_ms: None,
            max_ptime_ms: None,
            has_crypto: false,
            has_qos: false,
            has_mandatory_qos: false,
            port_bytes: 0..0,
            format_bytes: 0..0,
            lines: number.saturating_sub(1)..number,
        }
    }

    /// Whether the stream is offered or accepted at all: its port is not 0.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.port != 0
    }

    /// Whether packets carry an SRTP tag: by the profile (RFC 3711, section 12) or by keys in the block.
    #[must_use]
    pub fn is_srtp(&self) -> bool {
        self.has_crypto || self.protocol.windows(4).any(|w| w.eq_ignore_ascii_case(b"SAVP"))
    }
}

/// A description, indexed.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    bytes: &'a [u8],
    lines: SmallVec<[Line; 64]>,
    session_lines: u16,
    media: SmallVec<[Media<'a>; 3]>,
}

impl<'a> Session<'a> {
    /// Indexes a description.
    ///
    /// # Errors
    /// [`Malformed`] where the bytes cannot be one, or pass a bound.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        if !bytes.starts_with(b"v=") {
            return Err(Malformed::NoVersion);
        }
        let mut session = Self { bytes, lines: SmallVec::new(), session_lines: 0, media: SmallVec::new() };
        session.read()?;
        Ok(session)
    }

    fn read(&mut self) -> Result<(), Malformed> {
        let Self { bytes, lines, session_lines, media: blocks } = self;
        index_lines(bytes, lines)?;
        let mut defaults = Defaults { direction: Direction::SENDRECV, family: AddressFamily::V4 };
        let mut block = Block::NEW;
        for (number, line) in (1_u16..).zip(lines) {
            let text = bytes.get(line.start as usize..line.end as usize).unwrap_or_default();
            if let [b'm', b'=', value @ ..] = text {
                if blocks.len() == MEDIA_MAX {
                    return Err(Malformed::TooManyMedia);
                }
                blocks.push(Media::unread(number, defaults));
                block = Block::NEW;
                if let Some(media) = blocks.last_mut() {
                    block.media_line(media, value, line.start + 2)?;
                }
            } else if let Some(media) = blocks.last_mut() {
                media.lines.end = number;
                line.about = block.line(media, text);
            } else {
                *session_lines = number;
                line.about = defaults.line(text);
            }
        }
        blocks.iter_mut().for_each(settle);
        Ok(())
    }

    /// The whole description as it came.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Media blocks in their order.
    #[must_use]
    pub fn media(&self) -> &[Media<'a>] {
        &self.media
    }

    /// Lines before the first `m=` line.
    #[must_use]
    pub fn session_lines(&self) -> &[Line] {
        self.lines.get(..usize::from(self.session_lines)).unwrap_or_default()
    }

    /// Lines of a media block, its `m=` line first.
    #[must_use]
    pub fn lines_of(&self, media: &Media<'_>) -> &[Line] {
        self.lines.get(usize::from(media.lines.start)..usize::from(media.lines.end)).unwrap_or_default()
    }

    /// Text of a line without its line end.
    #[must_use]
    pub fn text(&self, line: Line) -> &'a [u8] {
        self.bytes.get(line.start as usize..line.end as usize).unwrap_or_default()
    }

    /// The line end this description uses: that of its first line.
    #[must_use]
    pub fn line_end(&self) -> &'static [u8] {
        match self.lines.first() {
            Some(first) if first.next == first.end + 1 => b"\n",
            _ => b"\r\n",
        }
    }
}

/// Splits an `a=NAME` or `a=NAME:VALUE` line; `None` for any other line. The value is empty where there is none.
#[must_use]
pub fn attribute(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let body = text.strip_prefix(b"a=")?;
    // Names are short: a plain look ends before a search in steps has begun.
    Some(match body.iter().position(|byte| *byte == b':') {
        Some(colon) => (body.get(..colon)?, body.get(colon + 1..)?),
        None => (body, &[]),
    })
}

/// Splits the value of an `a=rtpmap` or `a=fmtp` line into its payload type and the rest.
#[must_use]
pub fn payload_type_and_rest(value: &[u8]) -> Option<(u8, &[u8])> {
    let (payload_type, rest) = beginning_payload_type(value.trim_ascii_start())?;
    rest.first().is_none_or(u8::is_ascii_whitespace).then(|| (payload_type, rest.trim_ascii()))
}

/// Words of a value, any run of spaces between them.
pub(crate) fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        // Most bytes are told by the first comparison.
        let is_space = |byte: &u8| *byte <= b' ' && byte.is_ascii_whitespace();
        let end = rest.iter().position(is_space).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(end)?;
        rest = behind;
        (!word.is_empty()).then_some(word)
    })
}

fn payload_type(token: &[u8]) -> Option<u8> {
    beginning_payload_type(token).filter(|(_, rest)| rest.is_empty()).map(|(payload_type, _)| payload_type)
}

/// The payload type that the digits at the beginning tell, and what stands behind them.
fn beginning_payload_type(text: &[u8]) -> Option<(u8, &[u8])> {
    let (mut number, mut rest) = (None, text);
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        number = Some(number.unwrap_or(0_u32) * 10 + u32::from(digit - b'0')).filter(|number| *number < 128);
        number?;
        rest = behind;
    }
    number.map(|number| (number as u8, rest))
}

/// Splits the bytes into lines; eight bytes are looked at in one step.
fn index_lines(bytes: &[u8], lines: &mut SmallVec<[Line; 64]>) -> Result<(), Malformed> {
    let (mut start, mut ended_by_both) = (0_u32, 0_usize);
    let (steps, tail) = bytes.as_chunks::<8>();
    let mut last = [b' '; 8];
    last.iter_mut().zip(tail).for_each(|(place, byte)| *place = *byte);
    let mut at = 0_u32;
    for steps in [steps, std::slice::from_ref(&last)] {
        for step in steps {
            let mut feeds = equal(u64::from_le_bytes(*step), b'\n');
            while feeds != 0 {
                if lines.len() == LINES_MAX {
                    return Err(Malformed::TooManyLines);
                }
                let feed = at + feeds.trailing_zeros() / 8;
                let is_both = feed > start && bytes.get(feed as usize - 1) == Some(&b'\r');
                ended_by_both += usize::from(is_both);
                lines.push(Line { start, end: feed - u32::from(is_both), next: feed + 1, about: About::Other });
                start = feed + 1;
                feeds &= feeds - 1;
            }
            at += 8;
        }
    }
    // A last line may lack its line end; half of one is none.
    let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if start < end {
        if lines.len() == LINES_MAX {
            return Err(Malformed::TooManyLines);
        }
        lines.push(Line { start, end, next: end, about: About::Other });
    }
    // Two looks at all bytes cost less than two at each line.
    if memchr::memchr_iter(b'\r', bytes).count() != ended_by_both || memchr::memchr(0, bytes).is_some() {
        return Err(control_byte(bytes, lines));
    }
    Ok(())
}

/// Where the first byte stands that must not be.
#[cold]
fn control_byte(bytes: &[u8], lines: &[Line]) -> Malformed {
    let text = |line: &Line| bytes.get(line.start as usize..line.end as usize).unwrap_or_default();
    let line = lines.iter().position(|line| memchr::memchr2(b'\r', 0, text(line)).is_some()).unwrap_or(0);
    Malformed::ControlByte { line: u16::try_from(line + 1).unwrap_or(u16::MAX) }
}

/// The lowest, and the highest bit of each of eight bytes.
const LOW_BITS: u64 = u64::MAX / 0xff;
const HIGH_BITS: u64 = LOW_BITS << 7;

/// The highest bit of each of eight bytes that is `byte`.
fn equal(step: u64, byte: u8) -> u64 {
    let differs = step ^ (LOW_BITS * u64::from(byte));
    // The sum of a byte's lower seven bits and 127 reaches its highest bit unless they are all 0, and no further.
    let sum = (differs & !HIGH_BITS) + !HIGH_BITS;
    !(sum | differs) & HIGH_BITS
}

/// What the session part says for blocks that say nothing.
#[derive(Clone, Copy)]
struct Defaults {
    direction: Direction,
    family: AddressFamily,
}

impl Defaults {
    fn line(&mut self, text: &[u8]) -> About {
        match text {
            [b'b', b'=', ..] => return About::Bandwidth,
            [b'c', b'=', value @ ..] => self.family = connection_family(value).unwrap_or(self.family),
            [b'a', b'=', ..] => {
                let direction = attribute(text).and_then(|(name, _)| Direction::of(name));
                self.direction = direction.unwrap_or(self.direction);
            }
            _ => {}
        }
        About::Other
    }
}

/// The family of a `c=` line by its value.
fn connection_family(value: &[u8]) -> Option<AddressFamily> {
    let mut words = words(value);
    let _network = words.next()?;
    Some(if words.next()?.eq_ignore_ascii_case(b"IP6") { AddressFamily::V6 } else { AddressFamily::V4 })
}

/// A media block being read, besides what its [`Media`] tells.
struct Block {
    /// Whether it said which way it flows.
    said_direction: bool,
    /// Of each payload type the place of its first format, from 1.
    places: [u8; 128],
    /// Whether a payload type has more than one format.
    has_twins: bool,
}

impl Block {
    const NEW: Self = Self { said_direction: false, places: [0; 128], has_twins: false };

    /// Reads `<media> <port>[/<count>] <protocol> <format>...`; `start` is where `value` lies in the description.
    fn media_line<'a>(&mut self, media: &mut Media<'a>, value: &'a [u8], start: u32) -> Result<(), Malformed> {
        let line = media.lines.end;
        let bad = Malformed::MediaLine { line };
        // Where a word of this line lies in the description: both are slices of the same bytes.
        let place = |word: &[u8]| {
            let from = start + u32::try_from(word.as_ptr().addr() - value.as_ptr().addr()).unwrap_or(0);
            from..from + u32::try_from(word.len()).unwrap_or(0)
        };
        let mut words = words(value);
        let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
            return Err(bad);
        };
        media.kind = match kind {
            k if k.eq_ignore_ascii_case(b"audio") => MediaKind::Audio,
            k if k.eq_ignore_ascii_case(b"video") => MediaKind::Video,
            k if k.eq_ignore_ascii_case(b"image") => MediaKind::Image,
            _ => MediaKind::Other,
        };
        let mut halves = port.splitn(2, |b| *b == b'/');
        media.port = halves.next().and_then(decimal).and_then(|n| u16::try_from(n).ok()).ok_or(bad)?;
        media.ports = halves.next().map_or(Some(1), decimal).ok_or(bad)?;
        media.port_bytes = place(port);
        media.protocol = protocol;
        for (number, token) in (1_u8..).zip(words) {
            if media.formats.len() == FORMATS_MAX {
                return Err(Malformed::TooManyFormats { line });
            }
            let payload_type = payload_type(token);
            if let Some(first) = payload_type.and_then(|payload_type| self.places.get_mut(usize::from(payload_type))) {
                self.has_twins |= *first != 0;
                *first = if *first == 0 { number } else { *first };
            }
            let format = Format { token, payload_type, encoding: None, fmtp: &[], fmtp_lines: 0, rtpmap_lines: 0 };
            media.formats.push(format);
        }
        let (Some(first), Some(last)) = (media.formats.first(), media.formats.last()) else { return Err(bad) };
        media.format_bytes = place(first.token).start..place(last.token).end;
        Ok(())
    }

    /// Takes another line in; what it speaks of.
    fn line<'a>(&mut self, media: &mut Media<'a>, text: &'a [u8]) -> About {
        if let Some(value) = text.strip_prefix(b"a=rtpmap:") {
            let Some((payload_type, rest)) = payload_type_and_rest(value) else { return About::Other };
            let encoding = encoding(rest);
            let first = self.each_format(media, payload_type, |format| {
                format.rtpmap_lines = format.rtpmap_lines.saturating_add(1);
                format.encoding = encoding;
            });
            return first.map_or(About::Other, About::Rtpmap);
        }
        if let Some(value) = text.strip_prefix(b"a=fmtp:") {
            let Some((payload_type, rest)) = payload_type_and_rest(value) else { return About::Other };
            let first = self.each_format(media, payload_type, |format| {
                format.fmtp_lines = format.fmtp_lines.saturating_add(1);
                format.fmtp = rest;
            });
            return first.map_or(About::Other, About::Fmtp);
        }
        match text {
            [b'a', b'=', ..] => self.attribute(media, text),
            [b'b', b'=', ..] => return About::Bandwidth,
            [b'c', b'=', value @ ..] => media.family = connection_family(value).unwrap_or(media.family),
            _ => {}
        }
        About::Other
    }

    /// Does something to every format of a payload type; the place of the first.
    fn each_format<'a>(
        &self,
        media: &mut Media<'a>,
        payload_type: u8,
        mut edit: impl FnMut(&mut Format<'a>),
    ) -> Option<u8> {
        let first = self.places.get(usize::from(payload_type))?.checked_sub(1)?;
        let formats = media.formats.get_mut(usize::from(first)..)?;
        let count = if self.has_twins { formats.len() } else { 1 };
        let formats = formats.iter_mut().take(count);
        formats.filter(|format| format.payload_type == Some(payload_type)).for_each(&mut edit);
        Some(first)
    }

    /// Takes an attribute in that speaks of the whole block.
    fn attribute(&mut self, media: &mut Media<'_>, text: &[u8]) {
        let Some((name, value)) = attribute(text) else { return };
        match name {
            b"ptime" => media.ptime_ms = milliseconds(value),
            b"maxptime" => media.max_ptime_ms = milliseconds(value),
            b"crypto" => media.has_crypto = true,
            b"curr" | b"des" | b"conf" => {
                let mut words = words(value);
                if words.next() == Some(b"qos") {
                    media.has_qos = true;
                    media.has_mandatory_qos |= name == b"des" && words.next() == Some(b"mandatory");
                }
            }
            _ => {
                if let Some(direction) = Direction::of(name)
                    && !self.said_direction
                {
                    media.direction = direction;
                    self.said_direction = true;
                }
            }
        }
    }
}

/// Decides what each format is once all lines of its block are known.
fn settle(media: &mut Media<'_>) {
    for format in &mut media.formats {
        match format.rtpmap_lines {
            0 => format.encoding = format.payload_type.and_then(static_encoding),
            1 => {}
            _ => format.encoding = None,
        }
        if format.fmtp_lines > 1 {
            format.fmtp = &[];
        }
    }
}

/// Reads `<encoding>/<clock>[/<channels>]`.
fn encoding(text: &[u8]) -> Option<Encoding<'_>> {
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
    let (mut number, mut rest) = (None, text.trim_ascii_start());
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        let sum = u64::from(number.unwrap_or(0)) * 10 + u64::from(digit - b'0');
        number = Some(u32::try_from(sum).ok()?);
        rest = behind;
    }
    match rest.trim_ascii_start() {
        [] => Some((number, None)),
        [b'/', behind @ ..] => Some((number, Some(behind))),
        _ => None,
    }
}

/// Whole milliseconds of `20` or `2.5`, at least 1; `None` where it is no number or is 0.
fn milliseconds(value: &[u8]) -> Option<u32> {
    let mut parts = value.trim_ascii().splitn(2, |b| *b == b'.');
    let whole = parts.next().and_then(decimal)?;
    let has_fraction = parts.next().is_some();
    if whole == 0 && !has_fraction { None } else { Some(whole.max(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CALL: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\n\
        m=audio 4000 RTP/AVP 0 18 96 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 opus/48000/2\r\n\
        a=fmtp:18 annexb=no\r\na=fmtp:101 0-15\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:30\r\na=maxptime:60\r\n\
        m=video 4002/2 RTP/SAVP 97\r\nc=IN IP6 2001:db8::1\r\nb=AS:512\r\na=rtpmap:97 H264/90000\r\na=recvonly\r\n\
        a=des:qos mandatory e2e sendrecv\r\nm=image 0 udptl t38\r\n";

    #[test]
    fn a_description_shows_its_blocks_and_formats() {
        let session = Session::parse(CALL).unwrap();
        let [audio, video, image] = session.media() else { panic!("three blocks") };
        assert_eq!((audio.kind, audio.port, audio.ports, audio.protocol), (MediaKind::Audio, 4000, 1, &b"RTP/AVP"[..]));
        assert_eq!(audio.direction, Direction { sends: true, receives: false }, "the session's word");
        assert_eq!((audio.ptime_ms, audio.max_ptime_ms, audio.is_srtp()), (Some(30), Some(60), false));
        let names: Vec<_> = audio.formats.iter().map(|f| f.encoding.map(|e| e.name)).collect();
        assert_eq!(names, [Some(&b"PCMU"[..]), Some(b"G729"), Some(b"opus"), Some(b"telephone-event")]);
        assert_eq!(audio.formats[1].fmtp, b"annexb=no");
        assert_eq!(audio.formats[2].encoding.unwrap().channels, 2);
        assert_eq!((video.kind, video.ports, video.family), (MediaKind::Video, 2, AddressFamily::V6));
        assert_eq!(video.direction, Direction { sends: false, receives: true }, "the block's word");
        assert!(video.is_srtp() && video.has_qos && video.has_mandatory_qos);
        assert_eq!((image.kind, image.is_active(), image.formats[0].payload_type), (MediaKind::Image, false, None));
        assert_eq!(session.session_lines().len(), 6);
        assert_eq!(session.lines_of(video).len(), 6);
    }

    #[test]
    fn a_format_that_two_lines_name_is_nothing_certain() {
        let text =
            b"v=0\nm=audio 1 RTP/AVP 96 0\na=rtpmap:96 G729/8000\na=rtpmap:96 PCMU/8000\na=fmtp:0 a=1\na=fmtp:0 b=2";
        let session = Session::parse(text).unwrap();
        let formats = &session.media()[0].formats;
        assert_eq!(formats[0].encoding, None);
        assert_eq!((formats[1].fmtp, formats[1].fmtp_lines), (&b""[..], 2));
        assert_eq!(session.line_end(), b"\n");
    }

    #[test]
    fn a_static_payload_type_may_be_bound_to_another_encoding() {
        let session = Session::parse(b"v=0\r\nm=audio 1 RTP/AVP 0\r\na=rtpmap:0 G729/8000\r\n").unwrap();
        assert_eq!(session.media()[0].formats[0].encoding.unwrap().name, b"G729");
    }

    #[test]
    fn what_cannot_be_a_description_is_refused_with_its_line() {
        let line_flood = [&b"v=0\n"[..], &b"a=x\n".repeat(LINES_MAX)].concat();
        let media_flood = [&b"v=0\n"[..], &b"m=audio 1 RTP/AVP 0\n".repeat(MEDIA_MAX + 1)].concat();
        let format_flood = [&b"v=0\nm=audio 1 RTP/AVP"[..], &b" 0".repeat(FORMATS_MAX + 1)].concat();
        for (text, want) in [
            (&b""[..], Malformed::NoVersion),
            (b"o=-\r\n", Malformed::NoVersion),
            (b"v=0\r\ns=a\rm=audio 1 RTP/AVP 0\r\n", Malformed::ControlByte { line: 2 }),
            (b"v=0\r\ns=a\0b\r\n", Malformed::ControlByte { line: 2 }),
            (b"v=0\r\ns=a\r", Malformed::ControlByte { line: 2 }),
            (b"v=0\r\nm=audio\r\n", Malformed::MediaLine { line: 2 }),
            (b"v=0\r\nm=audio 70000 RTP/AVP 0\r\n", Malformed::MediaLine { line: 2 }),
            (b"v=0\r\nm=audio 1/x RTP/AVP 0\r\n", Malformed::MediaLine { line: 2 }),
            (b"v=0\r\nm=audio 1 RTP/AVP\r\n", Malformed::MediaLine { line: 2 }),
            (&line_flood, Malformed::TooManyLines),
            (&media_flood, Malformed::TooManyMedia),
            (&format_flood, Malformed::TooManyFormats { line: 2 }),
            (&[&b"v=0\n"[..], &vec![b'a'; BYTES_MAX]].concat(), Malformed::TooLong),
        ] {
            assert_eq!(Session::parse(text).err(), Some(want), "{:?}", String::from_utf8_lossy(text).get(..40));
        }
    }

    #[test]
    fn a_ptime_of_nothing_is_none() {
        for (value, want) in
            [("20", Some(20)), (" 20 ", Some(20)), ("2.5", Some(2)), ("0.5", Some(1)), ("0", None), ("x", None)]
        {
            assert_eq!(milliseconds(value.as_bytes()), want, "{value}");
        }
    }

    proptest! {
        #[test]
        fn lines_cover_every_byte_once(tail in "([a-z]=[ -~]{0,30}(\r\n|\n)){0,40}") {
            let text = format!("v=0\r\n{tail}");
            if let Ok(session) = Session::parse(text.as_bytes()) {
                let blocks = session.media().iter().flat_map(|m| session.lines_of(m));
                let mut at = 0;
                for line in session.session_lines().iter().chain(blocks) {
                    prop_assert_eq!(line.start, at);
                    at = line.next;
                }
                prop_assert_eq!(at as usize, text.len());
            }
        }

        #[test]
        fn lines_are_what_a_look_at_each_byte_finds(tail in "[a\\x7f\u{e9} \r\n\x00\x0b-\x0e]{0,40}") {
            let text = format!("v=0\n{tail}").into_bytes();
            let mut lines = SmallVec::new();
            let got = index_lines(&text, &mut lines);
            let got_lines: Vec<_> = lines.iter().map(|line| (line.start, line.end, line.next)).collect();
            let mut want = Vec::new();
            let mut start = 0;
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                let kept = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line);
                want.push((start, start + kept.len() as u32, start + line.len() as u32, kept.contains(&b'\r') || kept.contains(&0)));
                start += line.len() as u32;
            }
            let stray = want.iter().position(|(.., is_stray)| *is_stray);
            prop_assert_eq!(got.err(), stray.map(|at| Malformed::ControlByte { line: at as u16 + 1 }));
            prop_assert_eq!(got_lines, want.into_iter().map(|(start, end, next, _)| (start, end, next)).collect::<Vec<_>>());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Session::parse(&bytes);
            let _ = Session::parse(&[b"v=0\n", &bytes[..]].concat());
        }
    }
}
