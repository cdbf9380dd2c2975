//! A session description looked at where it lies (RFC 8866): an index of its lines, and per media block what the
//! region and admission rules ask about. Nothing is copied, and no line is judged that nobody asks about: what is not
//! known stays as it is, byte for byte, line ends included (CRLF or bare LF).

mod block;

use std::ops::Range;

use smallvec::SmallVec;
use wide::u8x16;

use crate::bandwidth::AddressFamily;
use crate::catalogue::{Encoding, Named, decimal};
use block::{Block, Defaults};

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
    /// A line that begins with a letter and an equals sign only for who overlooks case or spaces (RFC 8866, section 5): what
    /// stands in it one reader passes over and another takes for a line of media.
    NoType {
        /// Where.
        line: u16,
    },
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

impl Line {
    const NONE: Self = Self { start: 0, end: 0, next: 0, about: About::Other };
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
    /// `a=bundle-only`.
    BundleOnly,
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
    /// What the region rules make of its encoding's name: nothing known where it has none.
    pub named: Named,
    /// The text of its `a=fmtp` line after the payload type; empty where there is none or more than one.
    pub fmtp: &'a [u8],
    /// Number of its `a=fmtp` lines.
    pub fmtp_lines: u8,
    /// Number of its `a=rtpmap` lines.
    pub(crate) rtpmap_lines: u8,
}

/// One media block.
#[derive(Clone, Debug)]
pub struct Media<'a> {
    /// What it carries.
    pub kind: MediaKind,
    /// Port; 0 means refused or removed (RFC 3264, section 6), unless the block is bundle-only.
    pub port: u16,
    /// Whether it is offered on another block's port alone, and so on port 0 of its own (`a=bundle-only`, RFC 8843, section 6).
    pub is_bundle_only: bool,
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
            is_bundle_only: false,
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

    /// Whether the stream is offered or accepted at all: its port is not 0, or it has no port of its own.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.port != 0 || self.is_bundle_only
    }

    /// Whether packets carry an SRTP tag: by the profile (RFC 3711, section 12) or by keys in the block.
    #[must_use]
    pub fn is_srtp(&self) -> bool {
        self.has_crypto || self.protocol.windows(4).any(|w| w.eq_ignore_ascii_case(b"SAVP"))
    }
}

/// Lines of a description kept where it is read: more than any phone's has.
const LINES_KEPT: usize = 64;

/// A description, indexed.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    bytes: &'a [u8],
    lines: SmallVec<[Line; LINES_KEPT]>,
    session_lines: u16,
    media: SmallVec<[Media<'a>; 3]>,
}

impl<'a> Session<'a> {
    /// Indexes a description.
    ///
    /// # Errors
    /// [`Malformed`] where the bytes cannot be one, or pass a bound.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut session = Self::unread();
        session.read(bytes)?;
        Ok(session)
    }

    /// A description of nothing, to be [read](Self::read) where it lies: it is four kilobytes, and moving it costs as much
    /// as reading some of its lines.
    #[must_use]
    pub fn unread() -> Self {
        Self { bytes: &[], lines: SmallVec::new(), session_lines: 0, media: SmallVec::new() }
    }

    /// Indexes a description in place of what was read before.
    ///
    /// # Errors
    /// [`Malformed`] where the bytes cannot be one, or pass a bound.
    pub fn read(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        self.media.clear();
        (self.bytes, self.session_lines) = (bytes, 0);
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if bytes.len() > BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        if !bytes.starts_with(b"v=") {
            return Err(Malformed::NoVersion);
        }
        let Self { lines, media: blocks, .. } = self;
        // Filled rather than pushed to: asking at every line whether there is room costs more than the line.
        *lines = SmallVec::from_buf([Line::NONE; LINES_KEPT]);
        let mut cut = Cut {
            bytes,
            len,
            feeds: Feeds::of(bytes),
            start: 0,
            lines: 0,
            ended_by_both: 0,
            kept: lines.iter_mut(),
            more: Vec::new(),
        };
        let mut defaults = Defaults { direction: Direction::SENDRECV, family: AddressFamily::V4 };
        let mut media_line = cut.part(|text| defaults.line(text))?;
        self.session_lines = cut.lines.saturating_sub(u16::from(media_line.is_some()));
        while let Some(value) = media_line {
            if blocks.len() == MEDIA_MAX {
                return Err(Malformed::TooManyMedia);
            }
            blocks.push(Media::unread(cut.lines, defaults));
            let Some(media) = blocks.last_mut() else { break };
            let mut block = Block::NEW;
            block.media_line(media, value, bytes)?;
            media_line = cut.part(|text| block.line(media, text))?;
            media.lines.end = cut.lines.saturating_sub(u16::from(media_line.is_some()));
        }
        let Cut { lines: count, ended_by_both, more, .. } = cut;
        lines.truncate(usize::from(count));
        lines.extend(more);
        if !has_text_alone(bytes, ended_by_both) {
            return Err(control_byte(bytes, lines));
        }
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
            Some(first) if first.next.saturating_sub(first.end) == 1 => b"\n",
            _ => b"\r\n",
        }
    }
}

/// Splits an `a=NAME` or `a=NAME:VALUE` line; `None` for any other line. The value is empty where there is none.
#[must_use]
pub fn attribute(text: &[u8]) -> Option<(&[u8], &[u8])> {
    text.strip_prefix(b"a=").map(name_and_value)
}

/// Splits what stands behind `a=`.
fn name_and_value(body: &[u8]) -> (&[u8], &[u8]) {
    // Names are short: a plain look ends before a search in steps has begun.
    let name_len = body.iter().position(|byte| *byte == b':').unwrap_or(body.len());
    match body.split_at_checked(name_len) {
        Some((name, [_, value @ ..])) => (name, value),
        _ => (body, &[]),
    }
}

/// Where a slice of a description lies in it.
pub(crate) fn place_of(part: &[u8], description: &[u8]) -> Range<u32> {
    let before = part.as_ptr().addr().saturating_sub(description.as_ptr().addr());
    let start = u32::try_from(before).unwrap_or(0);
    start..start.saturating_add(u32::try_from(part.len()).unwrap_or(0))
}

/// Splits the value of an `a=rtpmap` or `a=fmtp` line into its payload type and the rest.
#[must_use]
#[inline(always)] // one call a line
pub fn payload_type_and_rest(value: &[u8]) -> Option<(u8, &[u8])> {
    let digits = |digits: &[&u8]| {
        digits.iter().fold(0_u32, |number, digit| number.wrapping_mul(10).wrapping_add(u32::from(**digit & 0x0f)))
    };
    let (number, rest) = match value {
        [a @ b'0'..=b'9', b' ', rest @ ..] => (digits(&[a]), rest),
        [a @ b'0'..=b'9', b @ b'0'..=b'9', b' ', rest @ ..] => (digits(&[a, b]), rest),
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', rest @ ..] => (digits(&[a, b, c]), rest),
        _ => return spelled_payload_type_and_rest(value),
    };
    // Nobody writes spaces around it.
    let is_trimmed = matches!(rest, [first, .., last] if *first > b' ' && *last > b' ');
    let payload_type = u8::try_from(number).ok().filter(|number| *number <= PAYLOAD_TYPE_MAX)?;
    Some((payload_type, if is_trimmed { rest } else { rest.trim_ascii() }))
}

/// Highest payload type (RFC 3550, section 5.1).
const PAYLOAD_TYPE_MAX: u8 = 127;

/// The same of a value that is written in an unusual way: with spaces before, zeros in front, or nothing behind.
#[cold]
fn spelled_payload_type_and_rest(value: &[u8]) -> Option<(u8, &[u8])> {
    let (payload_type, rest) = beginning_payload_type(value.trim_ascii_start())?;
    rest.first().is_none_or(u8::is_ascii_whitespace).then(|| (payload_type, rest.trim_ascii()))
}

/// Words of a value, any run of spaces between them.
pub(crate) fn words(value: &[u8]) -> Words<'_> {
    Words { rest: value }
}

pub(crate) struct Words<'a> {
    /// What stands behind the last word given.
    rest: &'a [u8],
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.trim_ascii_start();
        let (word, behind) = text.split_at_checked(text.iter().position(is_space).unwrap_or(text.len()))?;
        self.rest = behind;
        (!word.is_empty()).then_some(word)
    }
}

fn is_space(byte: &u8) -> bool {
    // Most bytes are told by the first comparison.
    *byte <= b' ' && byte.is_ascii_whitespace()
}

/// The payload type that the digits at the beginning tell, and what stands behind them.
fn beginning_payload_type(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.split_at_checked(text.iter().take_while(|byte| byte.is_ascii_digit()).count())?;
    let number = u8::try_from(decimal(digits)?).ok()?;
    (number <= PAYLOAD_TYPE_MAX).then_some((number, rest))
}

/// Whether a line begins with a letter and an equals sign once spaces are overlooked.
#[cold]
fn is_loosely_typed(text: &[u8]) -> bool {
    let Some((letter, behind)) = text.trim_ascii_start().split_first() else { return false };
    letter.is_ascii_alphabetic() && behind.trim_ascii_start().starts_with(b"=")
}

/// Whether bytes have so many carriage returns, and no zero. One look at all of them costs less than one at each line.
fn has_text_alone(bytes: &[u8], carriage_returns: usize) -> bool {
    let (chunks, behind) = bytes.as_chunks();
    let is_return = |byte: &&u8| **byte == b'\r';
    let (mut found, mut least) = (behind.iter().filter(is_return).count(), u8x16::splat(u8::MAX));
    // No more at once than a byte can count.
    for some in chunks.chunks(usize::from(u8::MAX)) {
        let mut counted = u8x16::splat(0);
        for chunk in some.iter().copied().map(u8x16::new) {
            counted = counted.saturating_add(chunk.simd_eq(u8x16::splat(b'\r')) & u8x16::splat(1));
            least = least.min(chunk);
        }
        found = counted.to_array().iter().fold(found, |found, lane| found.wrapping_add(usize::from(*lane)));
    }
    found == carriage_returns && least.reduce_min() != 0 && !behind.contains(&0)
}

/// Where the first byte stands that must not be.
#[cold]
fn control_byte(bytes: &[u8], lines: &[Line]) -> Malformed {
    let text = |line: &Line| bytes.get(line.start as usize..line.end as usize).unwrap_or_default();
    let line = lines.iter().position(|line| memchr::memchr2(b'\r', 0, text(line)).is_some()).unwrap_or(0);
    Malformed::ControlByte { line: u16::try_from(line.saturating_add(1)).unwrap_or(u16::MAX) }
}

/// A description being cut into lines.
struct Cut<'a, 'l> {
    bytes: &'a [u8],
    len: u32,
    feeds: Feeds<'a>,
    /// Where the next line begins.
    start: u32,
    /// Lines so far.
    lines: u16,
    /// Lines so far that ended in carriage return and line feed.
    ended_by_both: usize,
    /// Where the next lines go, and behind the last of them.
    kept: std::slice::IterMut<'l, Line>,
    more: Vec<Line>,
}

impl<'a> Cut<'a, '_> {
    /// Keeps the lines up to the next `m=` line, that one included, the others with what `about` says of each; the value of
    /// that line, `None` where there is none.
    fn part(&mut self, mut about: impl FnMut(&'a [u8]) -> About) -> Result<Option<&'a [u8]>, Malformed> {
        while let Some((text, mut line)) = self.line()? {
            if let [b'm', b'=', value @ ..] = text {
                self.keep(line);
                return Ok(Some(value));
            }
            if !matches!(text, [b'a'..=b'z', b'=', ..] | []) && is_loosely_typed(text) {
                return Err(Malformed::NoType { line: self.lines });
            }
            line.about = about(text);
            self.keep(line);
        }
        Ok(None)
    }

    #[inline]
    fn keep(&mut self, line: Line) {
        match self.kept.next() {
            Some(place) => *place = line,
            None => self.more.push(line),
        }
    }

    /// The next line: its text and where it lies. `None` behind the last, which may lack its line end; half of one is none.
    #[inline]
    fn line(&mut self) -> Result<Option<(&'a [u8], Line)>, Malformed> {
        let start = self.start;
        let (text, end, next) = match self.feeds.next() {
            Some(feed) => match self.bytes.get(start as usize..feed as usize).unwrap_or_default() {
                [text @ .., b'\r'] => {
                    self.ended_by_both = self.ended_by_both.wrapping_add(1);
                    (text, feed.wrapping_sub(1), feed.wrapping_add(1))
                }
                text => (text, feed, feed.wrapping_add(1)),
            },
            None => match self.bytes.get(start as usize..) {
                None | Some([]) => return Ok(None),
                Some(text) => (text, self.len, self.len),
            },
        };
        if usize::from(self.lines) == LINES_MAX {
            return Err(Malformed::TooManyLines);
        }
        self.lines = self.lines.wrapping_add(1);
        self.start = next;
        Ok(Some((text, Line { start, end, next, about: About::Other })))
    }
}

/// Where the line feeds of a text are. Lines are short: to begin a search anew behind each costs more than to look at every
/// sixteen bytes once.
struct Feeds<'a> {
    /// What is still to be looked at, and what is left of the text behind it, zeros added.
    chunks: std::slice::Iter<'a, [u8; 16]>,
    rest: Option<[u8; 16]>,
    /// Bytes looked at.
    past: u32,
    /// Of the last sixteen of them, a bit for each that is a line feed and not told yet.
    found: u32,
}

impl<'a> Feeds<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let (chunks, behind) = bytes.as_chunks();
        let mut rest = [0; 16];
        rest.iter_mut().zip(behind).for_each(|(kept, byte)| *kept = *byte);
        Self { chunks: chunks.iter(), rest: Some(rest), past: 0, found: 0 }
    }

    #[inline]
    fn next(&mut self) -> Option<u32> {
        while self.found == 0 {
            let chunk = self.chunks.next().copied().or_else(|| self.rest.take())?;
            self.past = self.past.wrapping_add(16);
            self.found = u8x16::new(chunk).simd_eq(u8x16::splat(b'\n')).to_bitmask();
        }
        let at = self.past.wrapping_sub(16).wrapping_add(self.found.trailing_zeros());
        self.found &= self.found.wrapping_sub(1);
        Some(at)
    }
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
    fn rfc_8843_6_a_block_that_is_bundle_only_is_active_on_port_0() {
        let block = |port: u8, line: &str| {
            let text = format!("v=0\r\nm=audio {port} RTP/AVP 0\r\n{line}a=mid:1\r\n");
            Session::parse(text.as_bytes()).unwrap().media()[0].is_active()
        };
        assert!(block(0, "a=bundle-only\r\n") && block(9, "a=bundle-only\r\n") && block(9, ""));
        assert!(!block(0, "") && !block(0, "a=bundle-only-not\r\n") && !block(0, "b=bundle-only\r\n"));
    }

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
        assert_eq!((formats[0].encoding, formats[0].named), (None, Named::Unknown));
        assert_eq!((formats[1].fmtp, formats[1].fmtp_lines), (&b""[..], 2));
        assert_eq!(session.line_end(), b"\n");
    }

    #[test]
    fn a_description_read_in_place_of_another_leaves_nothing_of_it() {
        let mut session = Session::unread();
        assert!(session.media().is_empty() && session.session_lines().is_empty() && session.bytes().is_empty());
        session.read(CALL).unwrap();
        let short = b"v=0\nm=audio 1 RTP/AVP 0\n";
        session.read(short).unwrap();
        assert_eq!((session.bytes(), session.media().len(), session.session_lines().len()), (&short[..], 1, 1));
        assert_eq!(session.lines_of(&session.media()[0]).len(), 1);
        assert_eq!(session.read(b"o=-"), Err(Malformed::NoVersion));
        assert!(session.media().is_empty() && session.session_lines().is_empty());
    }

    #[test]
    fn a_format_is_a_payload_type_where_it_is_a_number_below_128() {
        let session = Session::parse(b"v=0\nm=audio 1 RTP/AVP  0 127 128 007 12a3 t38 \t 99999999999 9").unwrap();
        let media = &session.media()[0];
        let types: Vec<_> = media.formats.iter().map(|format| format.payload_type).collect();
        assert_eq!(types, [Some(0), Some(127), None, Some(7), None, None, None, Some(9)]);
        let tokens: Vec<_> = media.formats.iter().map(|format| format.token).collect();
        assert_eq!(tokens.concat(), b"012712800712a3t38999999999999");
    }

    #[test]
    fn a_payload_type_is_read_alike_however_it_is_looked_at() {
        for value in [
            "0 x", "7 x", "99 x/1 ", "127 a b", "128 x", "999 x", "0", "12", "5\t x", " 5 x", "007 x", "0007 x",
            "1x 2", "", " ",
        ] {
            let value = value.as_bytes();
            assert_eq!(payload_type_and_rest(value), spelled_payload_type_and_rest(value), "{value:?}");
        }
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
            (b"v=0\r\ns=a\r\n m=audio 1 RTP/AVP 0\r\n", Malformed::NoType { line: 3 }),
            (b"v=0\r\n\r\n  \r\nm=audio 1 RTP/AVP 0\r\nx\r\n\ta = x\r\n", Malformed::NoType { line: 6 }),
            (b"v=0\r\nm =audio 1 RTP/AVP 0\r\n", Malformed::NoType { line: 2 }),
            (b"v=0\r\nM=audio 1 RTP/AVP 0\r\n", Malformed::NoType { line: 2 }),
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

    proptest! {
        /// Of texts around and beyond what is looked at or counted together.
        #[test]
        fn what_is_looked_at_together_is_what_each_byte_says(
            text in prop::collection::vec(prop::sample::select(b"\r\r\nax=\x0b\x0e\xff".to_vec()), 0..70),
            times in prop::sample::select(vec![1_usize, 2, 130, 300]),
            zero in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        ) {
            let mut text = text.repeat(times);
            if let Some(at) = zero.filter(|_| !text.is_empty()) {
                *at.get_mut(&mut text) = 0;
            }
            let mut feeds = Feeds::of(&text);
            let told: Vec<usize> = std::iter::from_fn(|| feeds.next()).map(|at| at as usize).collect();
            let each: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'\n').collect();
            prop_assert_eq!(told, each);
            let returns = text.iter().filter(|byte| **byte == b'\r').count();
            prop_assert_eq!(has_text_alone(&text, returns), !text.contains(&0));
            prop_assert!(!has_text_alone(&text, returns + 1));
        }

        #[test]
        fn lines_cover_every_byte_once(tail in "([a-z]=[ -~]{0,30}(\r\n|\n)){0,90}") {
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
            let got = Session::parse(&text);
            let mut want = Vec::new();
            let mut start = 0;
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                let kept = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line);
                want.push((start, start + kept.len() as u32, start + line.len() as u32, kept.contains(&b'\r') || kept.contains(&0)));
                start += line.len() as u32;
            }
            let stray = want.iter().position(|(.., is_stray)| *is_stray);
            let want_err = stray.map(|at| Malformed::ControlByte { line: at as u16 + 1 });
            prop_assert_eq!(got.as_ref().err(), want_err.as_ref());
            if let Ok(session) = got {
                let got: Vec<_> = session.session_lines().iter().map(|line| (line.start, line.end, line.next)).collect();
                prop_assert_eq!(got, want.into_iter().map(|(start, end, next, _)| (start, end, next)).collect::<Vec<_>>());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Session::parse(&bytes);
            let _ = Session::parse(&[b"v=0\n", &bytes[..]].concat());
        }
    }
}
