//! Where the session description and a location stand in a body: the whole of it, or one part of a multipart body (RFC
//! 2046).

mod without;

use std::ops::{ControlFlow, Range};

pub use without::{Left, without_location};

use super::read::MediaTypeRef;
use super::{Message, Name};
use crate::limits::{BODY_DEPTH_MAX, BODY_PARTS_MAX};

/// The octets of the body that are an `application/sdp` description; `None` where there is none.
#[must_use]
pub fn description(message: &Message<'_>) -> Option<Range<usize>> {
    description_of(message.body(), message.content_type().as_ref())
}

fn description_of(body: &[u8], kind: Option<&MediaTypeRef<'_>>) -> Option<Range<usize>> {
    if body.is_empty() {
        return None;
    }
    // RFC 3261 7.4.1 demands a Content-Type; a body that looks like a description must not slip past policy without one that
    // can be read.
    let Some(kind) = kind else { return body.starts_with(b"v=").then_some(0..body.len()) };
    if kind.is("application", "sdp") {
        return Some(0..body.len());
    }
    part(body, kind, BODY_DEPTH_MAX, &is_description)
}

/// What a body says of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Described {
    /// Nothing.
    Nothing,
    /// These octets, plainly written.
    At(Range<usize>),
    /// More than one description.
    Several,
    /// What cannot be told from here: a description in a transfer encoding (RFC 2045, section 6), more parts or deeper ones
    /// than are looked through, a multipart body whose parts have no end.
    Hidden,
}

/// What a body says of the session, all of it looked through.
#[must_use]
pub fn described(message: &Message<'_>) -> Described {
    let (body, kind) = (message.body(), message.content_type());
    let Some(several) = kind.as_ref().filter(|kind| is_several(kind.kind) && !body.is_empty()) else {
        if kind.is_none() && !body.is_empty() && message.content_type_text().is_some_and(is_several) {
            return Described::Hidden;
        }
        return description_of(body, kind.as_ref()).map_or(Described::Nothing, Described::At);
    };
    let (mut first, mut has_more, mut is_plain) = (None, false, true);
    let end = walk(body, 0, several, BODY_DEPTH_MAX, &mut |head, place| {
        if is_description(head) {
            has_more |= first.is_some();
            first = first.take().or(Some(place));
            is_plain &= header(head, b"content-transfer-encoding").is_none_or(is_as_it_is);
        }
        ControlFlow::Continue(())
    });
    match first {
        _ if has_more => Described::Several,
        _ if end == ControlFlow::Continue(Walked::Beyond) || !is_plain => Described::Hidden,
        Some(part) => Described::At(part),
        None => Described::Nothing,
    }
}

/// Whether a transfer encoding leaves the octets as they are (RFC 2045, section 6.2).
fn is_as_it_is(encoding: &[u8]) -> bool {
    [&b"7bit"[..], b"8bit", b"binary"].iter().any(|one| encoding.eq_ignore_ascii_case(one))
}

/// The octets of the location (`application/pidf+xml`) that a `cid` URI names (RFC 2392): the body, or a part of it as deep as
/// a description is looked for. Its Content-ID may lack the angle brackets (G-14), and that of a body alone may be missing:
/// nothing else can be meant.
#[must_use]
pub fn location(message: &Message<'_>, id: &[u8]) -> Option<Range<usize>> {
    let (body, kind) = (message.body(), message.content_type()?);
    if kind.is("application", "pidf+xml") {
        let is_it = message.value(Name::ContentId).is_none_or(|value| bare_id(value) == id);
        return (is_it && !body.is_empty()).then_some(0..body.len());
    }
    let wanted = |head: &[u8]| {
        part_type(head).is_some_and(is_location)
            && header(head, b"content-id").is_some_and(|value| bare_id(value) == id)
    };
    part(body, &kind, BODY_DEPTH_MAX, &wanted)
}

/// A Content-ID without its angle brackets.
fn bare_id(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value.strip_prefix(b"<").and_then(|value| value.strip_suffix(b">")).unwrap_or(value).trim_ascii()
}

/// Whether a location stands in the body, or may: its type is named somewhere in the parts.
#[must_use]
pub fn may_hold_location(message: &Message<'_>) -> bool {
    let body = message.body();
    !body.is_empty() && message.content_type_text().is_some_and(|kind| may_be_location(kind, body))
}

/// Where the closing delimiter of a multipart body begins, its line end before it included: a further part goes there.
/// `None` where none is found among as many parts as are looked through.
#[must_use]
pub fn end_of_parts(body: &[u8], boundary: &[u8]) -> Option<usize> {
    let mut at = delimiter(body, 0, boundary, LineEnd::Both)?;
    for _ in 0..BODY_PARTS_MAX {
        at = delimiter(body, at.end, boundary, LineEnd::Both)?;
        if is_closing(body, &at, boundary) {
            return Some(at.start);
        }
    }
    None
}

/// Whether a body in which no description is found may hold one all the same: parts deeper than are looked through, a
/// message, or whatever it is that nobody said.
#[must_use]
pub fn may_hide_description(message: &Message<'_>) -> bool {
    let holds = |kind: &[u8]| [&b"multipart"[..], b"message"].iter().any(|one| kind.eq_ignore_ascii_case(one));
    !message.body().is_empty() && message.content_type().is_none_or(|kind| holds(kind.kind))
}

/// The first part of a multipart body, or of a multipart body in it so many levels down, whose headers are those wanted.
fn part(body: &[u8], kind: &MediaTypeRef<'_>, depth: usize, wanted: &impl Fn(&[u8]) -> bool) -> Option<Range<usize>> {
    let mut found = None;
    let _ = walk(body, 0, kind, depth, &mut |head, place| {
        if wanted(head) {
            found = Some(place);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    found
}

/// How a walk through a body ended that nobody stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walked {
    /// Every part was seen.
    All,
    /// There is more than is looked through.
    Beyond,
}

/// What is done with the headers of a part and the place of its content, until it breaks off.
type See<'s> = dyn FnMut(&[u8], Range<usize>) -> ControlFlow<()> + 's;

/// Shows each part of a multipart body, and of multipart bodies in it so many levels down: its headers, and where its content
/// lies in the whole body, of which `body` begins at `base`.
fn walk(body: &[u8], base: usize, kind: &MediaTypeRef<'_>, depth: usize, see: &mut See<'_>) -> ControlFlow<(), Walked> {
    if !kind.kind.eq_ignore_ascii_case(b"multipart") {
        return ControlFlow::Continue(Walked::All);
    }
    let boundary = boundary(kind).unwrap_or_default();
    let Some(first) = delimiter(body, 0, boundary, LineEnd::Both).filter(|_| depth > 0) else {
        return ControlFlow::Continue(Walked::Beyond);
    };
    let (mut at, mut walked) = (first, Walked::All);
    for seen in 0..=BODY_PARTS_MAX {
        if is_closing(body, &at, boundary) {
            return ControlFlow::Continue(walked);
        }
        let Some(next) = delimiter(body, at.end, boundary, LineEnd::Both).filter(|_| seen < BODY_PARTS_MAX) else {
            break;
        };
        let piece = body.get(at.end..next.start).unwrap_or_default();
        let head_end = if piece.starts_with(b"\r\n") {
            Some(0)
        } else {
            find(piece, b"\r\n\r\n").map(|end| end.saturating_add(2))
        };
        // A part without an empty line has nothing in it, and hides nothing behind it.
        if let Some(head_end) = head_end {
            let (head, behind) = piece.split_at(head_end);
            let content = behind.get(2..).unwrap_or_default();
            let start = base.saturating_add(next.start.saturating_sub(content.len()));
            see(head, start..base.saturating_add(next.start))?;
            if let Some(text) = part_type(head).filter(|text| is_several(text)) {
                let within = match MediaTypeRef::parse(text) {
                    Some(kind) => walk(content, start, &kind, depth.saturating_sub(1), see)?,
                    None => Walked::Beyond,
                };
                walked = if within == Walked::Beyond { within } else { walked };
            }
        }
        at = next;
    }
    ControlFlow::Continue(Walked::Beyond)
}

/// The boundary of a multipart body; `None` where it has none, or two that different readers may take.
fn boundary<'a>(kind: &MediaTypeRef<'a>) -> Option<&'a [u8]> {
    let mut named = kind.params.iter().filter(|param| param.name.eq_ignore_ascii_case(b"boundary"));
    named.next().filter(|_| named.next().is_none())?.unquoted()
}

/// Whether a delimiter line is the last: two dashes stand behind its boundary.
fn is_closing(body: &[u8], line: &Range<usize>, boundary: &[u8]) -> bool {
    let line = body.get(line.clone()).unwrap_or_default();
    let line = line.strip_prefix(b"\r\n").or(line.strip_prefix(b"\n")).unwrap_or(line);
    line.get(boundary.len().saturating_add(2)..).is_some_and(|behind| behind.starts_with(b"--"))
}

/// Whether a part's headers call it `application/sdp`; of several types any does.
fn is_description(head: &[u8]) -> bool {
    part_types(head).any(|kind| is_type(kind, b"application", b"sdp"))
}

/// Whether a Content-Type is that of a location.
fn is_location(kind: &[u8]) -> bool {
    is_type(kind, b"application", b"pidf+xml")
}

/// Whether a Content-Type begins as that of a multipart body.
fn is_several(kind: &[u8]) -> bool {
    kind.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart"))
}

/// Whether a Content-Type is this one, spaces around its slash or not.
fn is_type(text: &[u8], kind: &[u8], subtype: &[u8]) -> bool {
    let mut halves = essence(text).splitn(2, |octet| *octet == b'/').map(<[u8]>::trim_ascii);
    let mut is_next = |name: &[u8]| halves.next().is_some_and(|half| half.eq_ignore_ascii_case(name));
    is_next(kind) && is_next(subtype)
}

/// A media type without its parameters, and without what is no part of one: a comment, another value.
fn essence(kind: &[u8]) -> &[u8] {
    kind.split(|octet| matches!(octet, b';' | b'(' | b',')).next().unwrap_or_default().trim_ascii()
}

/// The Content-Type of a part's headers.
fn part_type(head: &[u8]) -> Option<&[u8]> {
    part_types(head).next()
}

fn part_types(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    headers(head)
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"content-type") || name.eq_ignore_ascii_case(b"c"))
        .map(|(_, value)| value)
}

/// A header of a part, by its name in lower case.
fn header<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    headers(head).find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The headers of a part: name and value of each that has a colon, its folds within the value (RFC 5322, section 2.2.3).
fn headers(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = head;
    let lines = std::iter::from_fn(move || {
        let (line, behind) = rest.split_at(line_len(rest));
        rest = behind;
        (!line.is_empty()).then_some(line)
    });
    lines.filter_map(|line| {
        let (name, value) = line.split_at(line.iter().position(|octet| *octet == b':')?);
        Some((name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii()))
    })
}

/// Length of the first line of a text and of its continuations, which begin with white space.
fn line_len(text: &[u8]) -> usize {
    let starts = memchr::memchr_iter(b'\n', text).map(|feed| feed.saturating_add(1));
    starts.into_iter().find(|next| !matches!(text.get(*next), Some(b' ' | b'\t'))).unwrap_or(text.len())
}

/// Whether a part is or holds a location whose type is out of form.
fn may_be_location(kind: &[u8], content: &[u8]) -> bool {
    is_location(kind) || is_several(kind) && mentions_location(content)
}

/// Whether the type of a location is named anywhere, as far as no space can stand in it.
fn mentions_location(body: &[u8]) -> bool {
    const SUBTYPE: &[u8] = b"pidf+xml";
    body.windows(SUBTYPE.len()).any(|here| here.eq_ignore_ascii_case(SUBTYPE))
}

/// What ends the lines around a delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    /// CRLF, as RFC 2046 has it.
    Both,
    /// CRLF or LF alone.
    Any,
}

/// The next delimiter line at or after `from`: its line end before, its dashes, and the line end after.
fn delimiter(body: &[u8], from: usize, boundary: &[u8], line_end: LineEnd) -> Option<Range<usize>> {
    let end: &[u8] = match line_end {
        LineEnd::Both => b"\r\n",
        LineEnd::Any => b"\n",
    };
    let mut at = from;
    loop {
        let found = at.checked_add(find(body.get(at..)?, boundary)?)?;
        let dashes = found.checked_sub(2).filter(|start| body.get(*start..found) == Some(b"--".as_slice()));
        if let Some(start) = dashes
            && (start == 0 || body.get(..start).is_some_and(|before| before.ends_with(end)))
        {
            let after = found.checked_add(boundary.len())?;
            let line_end = match find(body.get(after..)?, end) {
                Some(at) => after.checked_add(at)?.checked_add(end.len())?,
                None => body.len(),
            };
            let before = body.get(from..start).unwrap_or_default();
            let ended_by =
                [b"\r\n".as_slice(), b"\n"].into_iter().find(|end| before.ends_with(end)).map_or(0, <[u8]>::len);
            return Some(start.saturating_sub(ended_by)..line_end);
        }
        at = found.checked_add(1)?;
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    if what.is_empty() {
        return None;
    }
    memchr::memmem::find(bytes, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, scan};

    fn found(content_type: &str, body: &str) -> Option<String> {
        let text = format!(
            "INVITE sip:1@h SIP/2.0\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut index = Index::default();
        let message = scan(text.as_bytes(), &mut index).unwrap();
        description(&message).map(|range| String::from_utf8(message.body()[range].to_vec()).unwrap())
    }

    #[test]
    fn a_plain_description_is_the_whole_body() {
        assert_eq!(found("application/sdp", "v=0\r\n").as_deref(), Some("v=0\r\n"));
        assert_eq!(found("Application/SDP;charset=utf-8", "v=0\r\n").as_deref(), Some("v=0\r\n"));
        assert_eq!(found("text/plain", "v=0\r\n"), None);
    }

    #[test]
    fn a_description_in_parts_within_parts_is_found_as_deep_as_is_looked() {
        let mut body = String::from("v=0\r\n");
        let mut kind = String::from("application/sdp");
        for depth in 0..=BODY_DEPTH_MAX {
            assert!(found(&kind, &body).is_some_and(|found| found.starts_with("v=0")), "{depth} deep: {body}");
            body = format!("--b{depth}\r\nContent-Type: {kind}\r\n\r\n{body}\r\n--b{depth}--\r\n");
            kind = format!("multipart/related;boundary=b{depth}");
        }
        assert_eq!(found(&kind, &body), None, "no deeper");
        let broken = "--b\r\nno end of headers\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n";
        assert_eq!(found("multipart/mixed;boundary=b", broken).as_deref(), Some("v=0"));
        let beside = "--o\r\nContent-Type: multipart/mixed;boundary=i\r\n\r\n--i\r\n\r\ntext\r\n--i--\r\n\r\n\
                      --o\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--o--\r\n";
        assert_eq!(found("multipart/mixed;boundary=o", beside).as_deref(), Some("v=0"));
    }

    #[test]
    fn a_description_between_other_parts_is_found() {
        let body = "--b1\r\nContent-Type: application/pidf+xml\r\n\r\n<x/>\r\n--b1\r\nContent-ID: <a>\r\n\
                    content-type: application/sdp;x=y\r\n\r\nv=0\r\ns=-\r\n\r\n--b1--\r\n";
        assert_eq!(found("multipart/mixed;boundary=b1", body).as_deref(), Some("v=0\r\ns=-\r\n"));
        assert_eq!(found("multipart/mixed; boundary=\"b1\"", body).as_deref(), Some("v=0\r\ns=-\r\n"));
        assert_eq!(found("multipart/mixed;boundary=other", body), None);
        assert_eq!(found("multipart/mixed", body), None);
    }

    #[test]
    fn rfc_2046_a_type_that_is_folded_is_read() {
        for head in [
            "Content-Type:\r\n application/sdp",
            "X: y\r\nContent-Type: application/sdp\r\n\t;x=y",
            "Content-ID:\r\n <a>\r\nContent-Type:\r\n\tapplication/sdp;\r\n  x=y\r\nX: y",
        ] {
            let body = format!("--b\r\n{head}\r\n\r\nv=0\r\n--b--\r\n");
            assert_eq!(found("multipart/mixed;boundary=b", &body).as_deref(), Some("v=0"), "{head:?}");
        }
        let nested = "--o\r\nContent-Type: multipart/mixed;\r\n boundary=i\r\n\r\n--i\r\nContent-Type: application/sdp\r\n\r\n\
                      v=0\r\n--i--\r\n\r\n--o--\r\n";
        assert_eq!(found("multipart/mixed;boundary=o", nested).as_deref(), Some("v=0"));
        let folded_away = "--b\r\nX: y\r\n Content-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n";
        assert_eq!(found("multipart/mixed;boundary=b", folded_away), None, "a part of X");
    }

    fn described_as(content_type: &str, body: &str) -> Described {
        let text = format!(
            "INVITE sip:1@h SIP/2.0\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut index = Index::default();
        described(&scan(text.as_bytes(), &mut index).unwrap())
    }

    #[test]
    fn m_20_what_a_body_hides_is_told_from_what_it_says() {
        let of = |head: &str| format!("--b\r\n{head}\r\n\r\nv=0\r\n");
        let sdp = of("Content-Type: application/sdp");
        let text = of("Content-Type: text/plain");
        let many = |count: usize| text.repeat(count);
        let nested = |depth: usize| {
            let (mut body, mut kind) = (format!("{sdp}--b--\r\n"), String::from("multipart/mixed;boundary=b"));
            for level in 1..depth {
                body = format!("--w{level}\r\nContent-Type: {kind}\r\n\r\n{body}\r\n--w{level}--\r\n");
                kind = format!("multipart/mixed;boundary=w{level}");
            }
            described_as(&kind, &body)
        };
        let of_mixed = |body: &str| match described_as("multipart/mixed;boundary=b", body) {
            Described::At(_) => "at",
            Described::Nothing => "nothing",
            Described::Several => "several",
            Described::Hidden => "hidden",
        };
        for (what, body, want) in [
            ("one", format!("{sdp}--b--"), "at"),
            ("spaces around the slash", format!("{}--b--", of("Content-Type: application / SDP ;x=y")), "at"),
            ("none", format!("{text}--b--"), "nothing"),
            ("two", format!("{sdp}{text}{sdp}--b--"), "several"),
            ("no end", format!("{text}{sdp}"), "hidden"),
            ("as many as are looked through", format!("{}{sdp}--b--", many(BODY_PARTS_MAX - 1)), "at"),
            ("more", format!("{}{sdp}--b--", many(BODY_PARTS_MAX)), "hidden"),
            (
                "plainly encoded",
                format!("{}--b--", of("Content-Type: application/sdp\r\nContent-Transfer-Encoding: 8BIT")),
                "at",
            ),
            (
                "encoded",
                format!("{}--b--", of("Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64")),
                "hidden",
            ),
            (
                "a folded encoding",
                format!(
                    "{}--b--",
                    of("Content-Type: application/sdp\r\nContent-Transfer-Encoding:\r\n quoted-printable")
                ),
                "hidden",
            ),
            (
                "another part's encoding",
                format!("{sdp}{}--b--", of("Content-Type: image/png\r\nContent-Transfer-Encoding: base64")),
                "at",
            ),
            (
                "parts within that have no boundary",
                format!("{}{sdp}--b--", of("Content-Type: multipart/mixed")),
                "hidden",
            ),
            ("no part", "--b--".to_owned(), "nothing"),
            ("no line of ours", "--c--".to_owned(), "hidden"),
            ("no body", String::new(), "nothing"),
        ] {
            assert_eq!(of_mixed(&body), want, "{what}");
        }
        assert!(matches!(nested(BODY_DEPTH_MAX), Described::At(_)));
        assert_eq!(nested(BODY_DEPTH_MAX + 1), Described::Hidden);
        assert_eq!(described_as("multipart/mixed", &format!("{sdp}--b--")), Described::Hidden);
        let one = format!("{sdp}--b--");
        for kind in
            ["multipart/mixed;boundary=b;", "multipart/mixed; boundary=\"b\" ; ;", "Multipart / mixed;boundary=b"]
        {
            assert!(matches!(described_as(kind, &one), Described::At(_)), "{kind}");
        }
        for kind in [
            "multipart/mixed (x);boundary=b",
            "multipart/mixed;boundary=\"b",
            "multipart/mixed;=x;boundary=b",
            "multipart/mixed;boundary=c;boundary=b",
            "multipart/mixed;boundary*=b",
            "multipart/mixed;boundary=",
            "multipart/mixed, text/plain;boundary=b",
        ] {
            assert_eq!(described_as(kind, &one), Described::Hidden, "{kind}");
        }
        assert_eq!(described_as("application/sdp;", "v=0\r\n"), Described::At(0..5));
        assert_eq!(described_as("application/sdp (x)", "v=0\r\n"), Described::At(0..5));
        assert_eq!(described_as("application/sdp", "v=0\r\n"), Described::At(0..5));
        assert_eq!(described_as("text/plain", "v=0\r\n"), Described::Nothing);
    }

    #[test]
    fn a_boundary_inside_a_part_is_no_delimiter() {
        let body = "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\ns=--b\r\nx --b\r\n--b--";
        assert_eq!(found("multipart/mixed;boundary=b", body).as_deref(), Some("v=0\r\ns=--b\r\nx --b"));
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_looked_through_without_harm(body in "(--b|\r\n|v=0|Content-Type: application/sdp|[a-z-]){0,40}") {
            found("multipart/mixed;boundary=b", &body);
        }
    }
}
