//! One pass over a message that finds its start line and fields and copies nothing (RFC 3261, sections 7 and 25).
//!
//! Every later reader and policy works on what this pass found, so a header cannot be one thing to a policy and
//! another to the wire: odd spacing, odd case, folding and compact names all end in the same [`Field`].

use super::malformed::Malformed;
use super::message::{Field, Index, Message, Span, Start, narrow};
use super::name::{Method, Name};
use super::octet::{DIGIT, SPACE, TOKEN, behind, is, run};
use super::param::trim_end;
use crate::limits::{HEAD_BYTES_MAX, LEADING_CRLF_MAX, LINE_BYTES_MAX, MESSAGE_BYTES_MAX};

/// A message that cannot be used, with what could still be read of it.
#[derive(Clone, Copy, Debug)]
pub struct Broken<'a> {
    /// The first thing found wrong.
    pub why: Malformed,
    /// What a refusal can be built from: present unless the first line is a status line. Never route by it.
    pub partial: Option<Message<'a>>,
}

/// Finds the parts of one datagram, or of one frame of a stream.
///
/// CRLFs before the start line are skipped; octets after Content-Length are left out and counted in
/// [`Message::trailing`]. Without Content-Length the body runs to the end of `bytes` (RFC 3261, 18.3).
///
/// # Errors
/// [`Broken`] with the first thing wrong and, for a request, everything that could be read nevertheless.
pub fn scan<'a>(bytes: &'a [u8], index: &'a mut Index) -> Result<Message<'a>, Broken<'a>> {
    let mut bytes = bytes;
    for _ in 0..LEADING_CRLF_MAX {
        let Some(behind) = bytes.strip_prefix(b"\r\n") else { break };
        bytes = behind;
    }
    let mut head = head(bytes, index);
    if bytes.len() > MESSAGE_BYTES_MAX {
        head.wrong(Malformed::MessageTooLarge);
    }
    let have = bytes.len().saturating_sub(head.end);
    let body_len = match head.content_length {
        ContentLength::Absent | ContentLength::Bad => have,
        ContentLength::Octets(stated) => match usize::try_from(stated) {
            Ok(stated) if stated <= have => stated,
            _ => {
                if head.is_ended {
                    head.wrong(Malformed::BodyTooShort { stated, have: narrow(have) });
                }
                have
            }
        },
    };
    let message = head.start.map(|start| Message {
        bytes: bytes.get(..head.end.saturating_add(body_len)).unwrap_or(bytes),
        fields: index.fields.get(..index.used).unwrap_or(&[]),
        start,
        headers_start: narrow(head.headers_start),
        head_end: narrow(head.end),
        trailing: narrow(have.saturating_sub(body_len)),
        has_start_line_space: head.has_start_line_space,
        has_more_content_types: head.content_types > 1,
    });
    match (head.start_why.or(head.why), message) {
        (None, Some(message)) => Ok(message),
        (why, partial) => Err(Broken {
            why: why.unwrap_or(Malformed::Empty),
            partial: partial.filter(|message| matches!(message.start, Start::Request { .. })),
        }),
    }
}

/// What a head says about the length of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentLength {
    Absent,
    Octets(u64),
    Bad,
}

/// The outcome of scanning the lines up to the empty one.
pub(super) struct Head {
    /// The first thing wrong with the start line.
    pub(super) start_why: Option<Malformed>,
    /// The first thing wrong with the lines, of which framing depends.
    pub(super) why: Option<Malformed>,
    pub(super) start: Option<Start>,
    pub(super) headers_start: usize,
    /// Octet after the empty line, or the end of `bytes` where there is none.
    pub(super) end: usize,
    pub(super) is_ended: bool,
    pub(super) content_length: ContentLength,
    has_start_line_space: bool,
    content_types: usize,
}

impl Head {
    fn wrong(&mut self, why: Malformed) {
        self.why.get_or_insert(why);
    }

    fn wrong_start(&mut self, why: Malformed) {
        self.start_why.get_or_insert(why);
    }
}

/// Scans the head. Goes on after a mistake, so that a refusal finds the fields it must copy.
pub(super) fn head(bytes: &[u8], index: &mut Index) -> Head {
    index.used = 0;
    let mut head = Head {
        start_why: None,
        why: None,
        start: None,
        headers_start: 0,
        end: bytes.len(),
        is_ended: false,
        content_length: ContentLength::Absent,
        has_start_line_space: false,
        content_types: 0,
    };
    let window = bytes.get(..HEAD_BYTES_MAX).unwrap_or(bytes);
    if bytes.is_empty() {
        head.wrong(Malformed::Empty);
        return head;
    }
    let mut at = 0;
    let mut is_first = true;
    while let Some(line) = line(window, at) {
        if let Some(why) = line.why {
            head.wrong(why);
        }
        if is_first {
            start_line(&mut head, window, line.content);
            head.headers_start = line.next;
            is_first = false;
        } else if line.content.is_empty() {
            head.end = line.next;
            head.is_ended = true;
            return head;
        } else {
            field(&mut head, window, index, &line);
        }
        at = line.next;
    }
    head.wrong(if bytes.len() > window.len() { Malformed::HeadTooLarge } else { Malformed::HeadUnfinished });
    head
}

/// One line, or one field with its continuation lines.
struct Line {
    content: Span,
    next: usize,
    why: Option<Malformed>,
}

/// The line that begins at `at`; `None` where no line end follows.
fn line(bytes: &[u8], at: usize) -> Option<Line> {
    let mut why = None;
    let mut from = at;
    loop {
        let found = from.checked_add(memchr::memchr2(b'\r', b'\n', bytes.get(from..)?)?)?;
        let (next, behind) = match bytes.get(found..)? {
            [b'\r', b'\n', behind @ ..] => (found.saturating_add(2), behind),
            [b'\n', behind @ ..] => {
                why = why.or(Some(Malformed::BareLf { at: narrow(found) }));
                (found.saturating_add(1), behind)
            }
            _ => {
                why = why.or(Some(Malformed::BareCr { at: narrow(found) }));
                from = found.saturating_add(1);
                continue;
            }
        };
        // A line that begins with white space goes on with the field before it; an empty line never does.
        if found > at && matches!(behind, [b' ' | b'\t', ..]) {
            from = next;
            continue;
        }
        if next.saturating_sub(at) > LINE_BYTES_MAX {
            why = why.or(Some(Malformed::LineTooLong { at: narrow(at) }));
        }
        return Some(Line { content: Span::new(at, found), next, why });
    }
}

fn field(head: &mut Head, bytes: &[u8], index: &mut Index, line: &Line) {
    let at = line.content.start;
    let text = line.content.of(bytes);
    let name_len = run(text, TOKEN);
    let after = text.get(name_len..).unwrap_or(&[]);
    // `FROM :` and a fold before the colon are legal (HCOLON), and a favourite way past careless filters.
    let space = run(after, SPACE);
    let Some([b':', value @ ..]) = after.get(space..).filter(|_| name_len > 0) else {
        head.wrong(Malformed::HeaderLine { at });
        return;
    };
    let name_span = line.content.part(0, name_len);
    let value = trim(bytes, line.content.behind(text.len().saturating_sub(value.len())));
    let name = Name::of(name_span.of(bytes));
    let Some(slot) = index.fields.get_mut(index.used) else {
        head.wrong(Malformed::TooManyHeaders);
        return;
    };
    *slot = Field { name, name_span, value, line: Span { start: at, end: narrow(line.next) } };
    index.used = index.used.saturating_add(1);
    match name {
        Name::ContentLength => content_length(head, value.of(bytes), value.start),
        Name::ContentType => head.content_types = head.content_types.saturating_add(1),
        _ => {}
    }
}

fn content_length(head: &mut Head, text: &[u8], at: u32) {
    let stated = decimal(text);
    head.content_length = match (stated, head.content_length) {
        (None, _) => {
            head.wrong(Malformed::ContentLength { at });
            ContentLength::Bad
        }
        (_, ContentLength::Bad) => ContentLength::Bad,
        (Some(stated), ContentLength::Octets(before)) if stated != before => {
            head.wrong(Malformed::ContentLengthConflict);
            ContentLength::Bad
        }
        (Some(stated), _) => ContentLength::Octets(stated),
    };
}

/// A number of ASCII digits only; beyond 64 bits it stays at the largest, so that it is too large and never wraps.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, digit| {
        is(*digit, DIGIT).then(|| sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0'))))
    })
}

fn trim(bytes: &[u8], span: Span) -> Span {
    let text = span.of(bytes);
    let lead = run(text, SPACE);
    span.part(lead, trim_end(text.get(lead..).unwrap_or(&[])).len())
}

fn start_line(head: &mut Head, bytes: &[u8], line: Span) {
    let text = line.of(bytes);
    if text.len() >= 4 && text.get(..4).is_some_and(|t| t.eq_ignore_ascii_case(b"SIP/")) {
        status_line(head, text);
    } else {
        request_line(head, text);
    }
}

fn status_line(head: &mut Head, text: &[u8]) {
    let (version, rest) = text.split_at_checked(7).unwrap_or((text, &[]));
    if !version.eq_ignore_ascii_case(b"SIP/2.0") || rest.first().is_some_and(|b| *b != b' ') {
        return head.wrong_start(Malformed::Version);
    }
    // `SIP/2.0 404` without the space before an empty reason is common enough to be taken.
    let code = rest.get(1..4).filter(|_| matches!(rest.get(4), None | Some(b' ')));
    match code.and_then(decimal).and_then(|code| u16::try_from(code).ok()) {
        Some(status @ 100..=699) => {
            let reason = Span::new((7 + 5).min(text.len()), text.len());
            head.start = Some(Start::Response { status, reason });
        }
        _ => head.wrong_start(Malformed::StatusCode),
    }
}

/// A first line that is no status line is a request's, however little of it can be read: its sender waits for an
/// answer.
fn request_line(head: &mut Head, text: &[u8]) {
    let token_len = run(text, TOKEN);
    let token = Span::new(0, token_len);
    let method = Method::of(token.of(text));
    if token_len == 0 || text.get(token_len) != Some(&b' ') {
        head.start = Some(Start::Request { method, token, uri: Span::new(token_len, token_len) });
        return head.wrong_start(Malformed::StartLine { at: narrow(token_len) });
    }
    let trimmed = text.iter().rposition(|b| !matches!(b, b' ' | b'\t')).map_or(0, |last| last.saturating_add(1));
    head.has_start_line_space = trimmed < text.len();
    let uri_start = token_len.saturating_add(1);
    let rest = text.get(uri_start..trimmed).unwrap_or(&[]);
    let rest_span = Span::new(uri_start, uri_start.saturating_add(rest.len()));
    let Some(space) = memchr::memrchr(b' ', rest) else {
        head.start = Some(Start::Request { method, token, uri: rest_span });
        return head.wrong_start(Malformed::StartLine { at: narrow(trimmed) });
    };
    let version = behind(rest, space).unwrap_or(&[]);
    let uri = trim(text, rest_span.part(0, space));
    head.start = Some(Start::Request { method, token, uri });
    if uri.len() != space || uri.of(text).iter().any(|b| is(*b, SPACE)) {
        head.wrong_start(Malformed::RequestUriSpace);
    }
    if !version.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/")) {
        head.wrong_start(Malformed::StartLine { at: rest_span.behind(space).start });
    } else if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        head.wrong_start(Malformed::Version);
    }
    if uri.of(text).first() == Some(&b'<') {
        head.wrong_start(Malformed::RequestUriBrackets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::FIELDS_MAX;

    fn why(text: &str) -> Option<Malformed> {
        scan(text.as_bytes(), &mut Index::new()).err().map(|broken| broken.why)
    }

    #[test]
    fn fields_are_found_whatever_their_spelling() {
        let text = b"\r\n\r\nBYE sip:h SIP/2.0\r\nFROM : a \r\nt\t:\r\n b\r\nX-y:\r\nv:c\r\n\r\nbody";
        let mut index = Index::new();
        let message = scan(text, &mut index).unwrap();
        let found: Vec<_> = message.fields().iter().map(|f| (f.name, message.text(f.value))).collect();
        assert_eq!(
            found,
            [(Name::From, &b"a"[..]), (Name::To, &b"b"[..]), (Name::Other, &b""[..]), (Name::Via, &b"c"[..])]
        );
        assert_eq!((message.method(), message.body(), message.trailing()), (Some(Method::Bye), &b"body"[..], 0));
        assert_eq!(message.value_spelled("x-Y"), Some(&b""[..]));
        assert!(message.bytes().starts_with(b"BYE"));
        assert_eq!(message.text(message.fields()[1].line), b"t\t:\r\n b\r\n");
        let body = message.span_of(message.body()).unwrap();
        assert_eq!((body.start, message.text(body)), (message.head_end(), &b"body"[..]));
        assert_eq!(message.span_of(b"elsewhere"), None);
    }

    #[test]
    fn an_index_used_again_holds_nothing_of_the_message_before() {
        let mut index = Index::new();
        scan(b"BYE sip:h SIP/2.0\r\nTo: a\r\nFrom: b\r\n\r\n", &mut index).unwrap();
        assert_eq!(scan(b"BYE sip:h SIP/2.0\r\nVia: c\r\n\r\n", &mut index).unwrap().fields().len(), 1);
    }

    #[test]
    fn a_body_ends_where_content_length_says() {
        let mut index = Index::new();
        let message = scan(b"BYE sip:h SIP/2.0\r\nl: 2\r\n\r\nabcd", &mut index).unwrap();
        assert_eq!((message.body(), message.trailing()), (&b"ab"[..], 2));
        assert!(message.bytes().ends_with(b"ab"));
    }

    #[test]
    fn status_lines_are_read() {
        for (line, want) in [
            ("SIP/2.0 200 OK", Some((200, "OK"))),
            ("sip/2.0 486 Busy Here", Some((486, "Busy Here"))),
            ("SIP/2.0 100 ", Some((100, ""))),
            ("SIP/2.0 100", Some((100, ""))),
            ("SIP/2.0 99 x", None),
            ("SIP/2.0 0200 x", None),
            ("SIP/2.0 700 x", None),
            ("SIP/2.0  200 x", None),
            ("SIP/3.0 200 x", None),
        ] {
            let text = format!("{line}\r\n\r\n");
            let mut index = Index::new();
            let found = scan(text.as_bytes(), &mut index).ok().map(|message| match message.start() {
                Start::Response { status, reason } => (status, message.text(reason)),
                Start::Request { .. } => panic!("{line}"),
            });
            assert_eq!(found, want.map(|(status, reason): (u16, &str)| (status, reason.as_bytes())), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, want) in [
            ("", Malformed::Empty),
            ("BYE\r\n\r\n", Malformed::StartLine { at: 3 }),
            ("BYE sip:h\r\n\r\n", Malformed::StartLine { at: 9 }),
            ("B@E sip:h SIP/2.0\r\n\r\n", Malformed::StartLine { at: 1 }),
            ("BYE sip:h SIP/2.1\r\n\r\n", Malformed::Version),
            ("BYE sip:h\tx SIP/2.0\r\n\r\n", Malformed::RequestUriSpace),
            ("BYE sip:h SIP/2.0\r\nTo: a\r\n", Malformed::HeadUnfinished),
            ("BYE sip:h SIP/2.0\r\nTo: a\n\r\n", Malformed::BareLf { at: 24 }),
            ("BYE sip:h SIP/2.0\r\nTo: a\rb\r\n\r\n", Malformed::BareCr { at: 24 }),
            ("BYE sip:h SIP/2.0\r\nTo a\r\n\r\n", Malformed::HeaderLine { at: 19 }),
            ("BYE sip:h SIP/2.0\r\n: a\r\n\r\n", Malformed::HeaderLine { at: 19 }),
            ("BYE sip:h SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\nab", Malformed::ContentLengthConflict),
            ("BYE sip:h SIP/2.0\r\nl: 4294967296\r\n\r\n", Malformed::BodyTooShort { stated: 1 << 32, have: 0 }),
        ] {
            assert_eq!(why(text), Some(want), "{text:?}");
        }
    }

    #[test]
    fn limits_are_limits() {
        let with = |lines: &str| why(&format!("BYE sip:h SIP/2.0\r\n{lines}\r\n"));
        assert_eq!(with(&"X: y\r\n".repeat(FIELDS_MAX)), None);
        assert_eq!(with(&"X: y\r\n".repeat(FIELDS_MAX + 1)), Some(Malformed::TooManyHeaders));
        let line = |length: usize| format!("X: {}\r\n", "y".repeat(length - 5));
        assert_eq!(with(&line(LINE_BYTES_MAX)), None);
        assert_eq!(with(&line(LINE_BYTES_MAX + 1)), Some(Malformed::LineTooLong { at: 19 }));
        assert_eq!(with(&line(LINE_BYTES_MAX).repeat(8)), Some(Malformed::HeadTooLarge));
        let body = "z".repeat(MESSAGE_BYTES_MAX);
        assert_eq!(why(&format!("BYE sip:h SIP/2.0\r\n\r\n{body}")), Some(Malformed::MessageTooLarge));
    }

    #[test]
    fn a_broken_request_still_shows_its_fields_and_a_broken_response_does_not() {
        let mut index = Index::new();
        let broken = scan(b"BYE sip:h SIP/7.0\r\njunk\r\nVia: v\nTo: t\r\n", &mut index).unwrap_err();
        assert_eq!(broken.why, Malformed::Version);
        let partial = broken.partial.unwrap();
        assert_eq!((partial.value(Name::Via), partial.value(Name::To)), (Some(&b"v"[..]), Some(&b"t"[..])));
        let mut index = Index::new();
        assert!(scan(b"SIP/2.0 200 OK\r\nVia: v\n\r\n", &mut index).unwrap_err().partial.is_none());
    }
}
