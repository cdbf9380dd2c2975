//! A body without the location in it (RFC 6442): what leaves towards a neighbour that is not told where a caller is.
//!
//! What is out of form is read here as its most generous reader might: a location that any reader would find has to go, and
//! the description beside it is what an emergency call cannot do without (P-23). So lines may end in LF alone, the end of the
//! body ends a part that has no end, and where no boundary is named that stands in the body, or none that can be read, the
//! first line that begins with two dashes shows it.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::{
    LineEnd, delimiter, find, is_closing, is_description, is_location, is_several, mentions_location, part_type,
    part_types,
};
use crate::limits::{BODY_DEPTH_MAX, BODY_PARTS_MAX};
use crate::sip::read::MediaTypeRef;

/// Most boundaries of one type that are looked for.
const BOUNDARIES_MAX: usize = 2;

/// What is left of a body whose location was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left<'b> {
    /// There was none: the body stays.
    Same,
    /// Nothing.
    Nothing,
    /// One part, which is the body from now on; its type, where it has one.
    Part(Option<&'b [u8]>),
    /// A multipart body still, with the type it had.
    Multipart,
}

/// Takes every location (`application/pidf+xml`, RFC 6442) out of a body of that Content-Type and writes what is left behind
/// what `out` holds.
///
/// It is looked for in parts within parts as deep as a description is; deeper, a part goes as a whole when a location stands
/// in it. Of a body of more parts than are looked through, the description alone is left. A body that speaks of a location and
/// in which no part can be found goes as a whole.
pub fn without_location<'b>(content_type: &[u8], body: &'b [u8], out: &mut Vec<u8>) -> Left<'b> {
    match stripped(content_type, body, BODY_DEPTH_MAX) {
        Stripped::Same => Left::Same,
        Stripped::Nothing => Left::Nothing,
        Stripped::Part { head, content } => {
            out.extend_from_slice(&content);
            // A description that also calls itself a location leaves as what it is.
            Left::Part(part_types(head).find(|kind| !is_location(kind)))
        }
        Stripped::Multipart(content) => {
            out.extend_from_slice(&content);
            Left::Multipart
        }
    }
}

/// A part: its headers, and its content as it came or without a location.
type Piece<'b> = (&'b [u8], Cow<'b, [u8]>);

/// As [`Left`], with the octets; a single part with its headers.
enum Stripped<'b> {
    Same,
    Nothing,
    Part { head: &'b [u8], content: Cow<'b, [u8]> },
    Multipart(Vec<u8>),
}

fn stripped<'b>(kind: &[u8], body: &'b [u8], depth: usize) -> Stripped<'b> {
    if is_location(kind) {
        return Stripped::Nothing;
    }
    if !is_several(kind) || !mentions_location(body) {
        return Stripped::Same;
    }
    let Some((boundary, first)) = boundary_in(kind, body).filter(|_| depth > 0) else { return Stripped::Nothing };
    let mut kept: SmallVec<[Piece<'_>; BODY_PARTS_MAX]> = SmallVec::new();
    let mut is_same = !mentions_location(body.get(..first.start).unwrap_or_default());
    let (mut count, mut at) = (0_usize, Some(first));
    while let Some(begun) = at {
        let next = delimiter(body, begun.end, boundary, LineEnd::Any);
        let part = begun.end..next.as_ref().map_or(body.len(), |next| next.start);
        if next.is_none() && (part.is_empty() || is_closing(body, &begun, boundary)) {
            is_same &= !mentions_location(body.get(part).unwrap_or_default());
            break;
        }
        count = count.saturating_add(1);
        if count > BODY_PARTS_MAX {
            kept.retain(|(head, _)| is_description(head));
            kept.truncate(1);
            is_same = false;
            break;
        }
        let (head, content) = split(body, &part);
        let within = match part_type(head) {
            _ if is_place(body.get(part).unwrap_or_default(), head, content) => Stripped::Nothing,
            Some(kind) if is_several(kind) => stripped(kind, content, depth.saturating_sub(1)),
            _ => match before_place(content) {
                [] if !content.is_empty() => Stripped::Nothing,
                kept if kept.len() < content.len() => Stripped::Part { head, content: Cow::Borrowed(kept) },
                _ => Stripped::Same,
            },
        };
        is_same &= matches!(within, Stripped::Same);
        match within {
            Stripped::Same => kept.push((head, Cow::Borrowed(content))),
            Stripped::Nothing => {}
            Stripped::Part { head, content } => kept.push((head, content)),
            Stripped::Multipart(content) => kept.push((head, Cow::Owned(content))),
        }
        at = next;
    }
    match kept.len() {
        _ if is_same => Stripped::Same,
        0 => Stripped::Nothing,
        1 => kept.pop().map_or(Stripped::Nothing, |(head, content)| Stripped::Part { head, content }),
        _ => Stripped::Multipart(joined(&kept, boundary)),
    }
}

/// Whether a part is a location to any reader: one takes the first empty line for the end of its headers, another the first that
/// ends in CRLF, and of several types any may count. A description that a generous reader finds stays.
fn is_place(part: &[u8], head: &[u8], content: &[u8]) -> bool {
    let is_media = is_description(head) && content.starts_with(b"v=");
    let strict = find(part, b"\r\n\r\n").and_then(|end| part.get(..end)).unwrap_or_default();
    !is_media && [head, strict].into_iter().any(|head| part_types(head).any(is_location))
}

/// What stands in a part before a line that begins with two dashes, where a location is named behind it: parts of another body
/// that some reader may find there.
fn before_place(content: &[u8]) -> &[u8] {
    let is_dashed = |start: &usize| content.get(*start..).is_some_and(|line| line.starts_with(b"--"));
    let starts = memchr::memchr_iter(b'\n', content).map(|feed| feed.saturating_add(1));
    match std::iter::once(0).chain(starts).find(is_dashed).and_then(|start| content.split_at_checked(start)) {
        Some((kept, behind)) if mentions_location(behind) => kept,
        _ => content,
    }
}

/// The boundary of a body and its first delimiter line: the first that its type names and that stands in it, else what the
/// first line that begins with two dashes has behind them.
fn boundary_in<'b>(kind: &[u8], body: &'b [u8]) -> Option<(&'b [u8], Range<usize>)> {
    let at = |boundary: &[u8]| {
        let line = delimiter(body, 0, boundary, LineEnd::Any)?;
        let text = body.get(line.clone())?;
        let own = find(text, boundary).and_then(|start| text.get(start..start.saturating_add(boundary.len())))?;
        Some((own, line))
    };
    let kind = MediaTypeRef::parse(kind);
    let params = kind.iter().flat_map(|kind| kind.params.iter());
    let named = params.filter(|param| param.name.eq_ignore_ascii_case(b"boundary")).take(BOUNDARIES_MAX);
    let mut named = named.filter_map(|param| param.unquoted());
    named.find_map(at).or_else(|| {
        let lines = body.split(|octet| *octet == b'\n').filter_map(|line| line.strip_prefix(b"--"));
        lines.map(<[u8]>::trim_ascii_end).find(|behind| !behind.is_empty()).and_then(at)
    })
}

/// Parts with their headers as one body.
fn joined(parts: &[Piece<'_>], boundary: &[u8]) -> Vec<u8> {
    let (dashes, line_end) = (b"--".as_slice(), b"\r\n".as_slice());
    let mut out = Vec::new();
    for (head, content) in parts {
        let head_end = if head.is_empty() { line_end } else { b"\r\n\r\n" };
        for piece in [dashes, boundary, line_end, *head, head_end, content, line_end] {
            out.extend_from_slice(piece);
        }
    }
    for piece in [dashes, boundary, dashes, line_end] {
        out.extend_from_slice(piece);
    }
    out
}

/// Headers and content of a part, the first empty line between them.
fn split<'b>(body: &'b [u8], part: &Range<usize>) -> (&'b [u8], &'b [u8]) {
    let part = body.get(part.clone()).unwrap_or_default();
    if let Some(content) = without_line_end(part) {
        return (&[], content);
    }
    let mut lines = memchr::memchr_iter(b'\n', part).filter_map(|feed| part.split_at_checked(feed.saturating_add(1)));
    let parted = lines.find_map(|(head, behind)| Some((head, without_line_end(behind)?)));
    parted.map_or((part, &[]), |(head, content)| (head.trim_ascii_end(), content))
}

fn without_line_end(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\r\n").or(text.strip_prefix(b"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "--b\r\nContent-Type: Application/PIDF+XML\r\nContent-ID: <p@h>\r\n\r\n<presence/>\r\n";
    const MEDIA: &str = "--b\r\nContent-Type: application/sdp;x=1\r\n\r\nv=0\r\ns=-\r\n\r\n";
    const ISUP: &str = "--b\r\nContent-Type: application/ISUP\r\n\r\n\x01\r\n";
    const NESTED: &str = "--b\r\nContent-Type: multipart/related;boundary=c\r\n\r\n--c\r\nContent-Type: application/pidf+xml\r\n\r\n<x/>\r\n--c--\r\n";

    fn left(kind: &str, body: &str) -> (String, String) {
        let mut out = Vec::new();
        let left = format!("{:?}", without_location(kind.as_bytes(), body.as_bytes(), &mut out).told());
        (left.replace('"', ""), String::from_utf8(out).expect("text"))
    }

    impl Left<'_> {
        fn told(self) -> String {
            match self {
                Self::Part(kind) => format!("Part {}", String::from_utf8_lossy(kind.unwrap_or(b"none"))),
                other => format!("{other:?}"),
            }
        }
    }

    #[test]
    fn rfc_6442_a_location_leaves_and_everything_else_stays() {
        let mixed = "multipart/mixed;boundary=b";
        let sdp = "v=0\r\ns=-\r\n";
        let around =
            |inner: &str| format!("--b\r\nContent-Type: multipart/related;boundary=c\r\nX: y\r\n\r\n{inner}\r\n");
        let inner = |boundary: &str| format!("{PLACE}{MEDIA}--b--\r\n").replace("--b", &format!("--{boundary}"));
        let inner_three = format!("{PLACE}{MEDIA}{ISUP}--b--\r\n").replace("--b", "--c");
        let inner_left = format!("{MEDIA}{ISUP}--b--\r\n").replace("--b", "--c");
        let within_within =
            around(&format!("--c\r\nContent-Type: multipart/mixed;boundary=d\r\n\r\n{}\r\n--c--", inner("d")));
        let no_type = around(&inner("c")).replace(";boundary=c", "");
        let many = format!("{}{MEDIA}--b--\r\n", PLACE.repeat(BODY_PARTS_MAX + 4));
        for (kind, body, want, text) in [
            ("application/sdp", sdp.to_owned(), "Same", String::new()),
            ("application/pidf+xml", "<presence/>".to_owned(), "Nothing", String::new()),
            (mixed, format!("{MEDIA}{ISUP}--b--"), "Same", String::new()),
            (mixed, format!("{PLACE}{MEDIA}--b--\r\n"), "Part application/sdp;x=1", sdp.to_owned()),
            (mixed, format!("{MEDIA}{PLACE}--b--\r\n"), "Part application/sdp;x=1", sdp.to_owned()),
            (mixed, format!("{NESTED}{MEDIA}--b--\r\n"), "Part application/sdp;x=1", sdp.to_owned()),
            (mixed, format!("{}--b--\r\n", around(&inner("c"))), "Part application/sdp;x=1", sdp.to_owned()),
            (mixed, format!("{}{ISUP}--b--\r\n", around(&inner("c"))), "Multipart", format!("{MEDIA}{ISUP}--b--\r\n")),
            (
                mixed,
                format!("{}{ISUP}--b--\r\n", around(&inner_three)),
                "Multipart",
                format!("{}{ISUP}--b--\r\n", around(&inner_left)),
            ),
            (
                mixed,
                format!("{}--b--\r\n", around(&inner_three)),
                "Part multipart/related;boundary=c",
                inner_left.clone(),
            ),
            (mixed, format!("{within_within}--b--\r\n"), "Part application/sdp;x=1", sdp.to_owned()),
            (mixed, format!("{MEDIA}{no_type}--b--\r\n"), "Multipart", format!("{MEDIA}{MEDIA}--b--\r\n")),
            (mixed, format!("before\r\n{PLACE}--b--\r\nafter"), "Nothing", String::new()),
            (mixed, format!("{MEDIA}{PLACE}{ISUP}--b--\r\n"), "Multipart", format!("{MEDIA}{ISUP}--b--\r\n")),
            ("multipart/mixed", "<presence/> application/pidf+xml".to_owned(), "Nothing", String::new()),
            (mixed, many, "Nothing", String::new()),
        ] {
            assert_eq!(left(kind, &body), (want.to_owned(), text), "{kind} {body}");
        }
    }

    #[test]
    fn r_9_and_p_23_what_is_out_of_form_keeps_its_description_and_no_location() {
        let mixed = "multipart/mixed;boundary=b";
        let (sdp, sdp_and_end) = ("v=0\r\ns=-\r\n", "v=0\r\ns=-\r\n\r\n");
        let feeds = |body: String| body.replace("\r\n", "\n");
        let feeds_left = "v=0\ns=-\n";
        for (what, kind, body, want) in [
            ("no end, description last", mixed, format!("{PLACE}{MEDIA}"), sdp_and_end),
            ("no end, location last", mixed, format!("{MEDIA}{PLACE}"), sdp),
            ("cut off within the location", mixed, format!("{MEDIA}{}", &PLACE[..60]), sdp),
            ("the last delimiter cut off", mixed, format!("{PLACE}{MEDIA}--b"), sdp),
            ("lines end in LF", mixed, feeds(format!("{PLACE}{MEDIA}--b--\r\n")), feeds_left),
            ("the same, location last", mixed, feeds(format!("{MEDIA}{PLACE}--b--\r\n")), feeds_left),
            ("one delimiter behind LF", mixed, format!("{MEDIA}{}--b--", PLACE).replacen("\r\n--b", "\n--b", 1), sdp),
            ("a location before the parts", mixed, format!("application/pidf+xml\r\n{MEDIA}--b--"), sdp),
            ("a location behind the parts", mixed, format!("{MEDIA}--b--\r\n{}", &PLACE[5..]), sdp),
            (
                "a line of dashes before",
                "multipart/mixed",
                format!("-- x\r\n{MEDIA}{PLACE}--b--"),
                "v=0\r\ns=-\r\n\r\n",
            ),
            (
                "a type twice",
                mixed,
                format!("{MEDIA}{PLACE}--b--").replace("Content-ID:", "Content-Type: text/plain\r\nX:"),
                sdp,
            ),
            (
                "the other type first",
                mixed,
                format!("{MEDIA}{PLACE}--b--")
                    .replace("Content-Type: App", "Content-Type: text/plain\r\nContent-Type: App"),
                sdp,
            ),
            (
                "an empty line in LF",
                mixed,
                format!("{MEDIA}{PLACE}--b--").replace("Content-Type: App", "X: y\n\nContent-Type: App"),
                sdp,
            ),
            (
                "a description that says it is a location too",
                mixed,
                format!("{PLACE}{MEDIA}--b--").replace(
                    "Content-Type: application/sdp",
                    "Content-Type: application/pidf+xml\r\nContent-Type: application/sdp",
                ),
                sdp,
            ),
            (
                "one at once",
                mixed,
                format!("{MEDIA}{PLACE}--b--").replace("Content-Type: App", "\nContent-Type: App"),
                sdp,
            ),
            ("no boundary", "multipart/mixed", format!("{PLACE}{MEDIA}--b--"), sdp),
            ("another boundary", "multipart/mixed;boundary=x", format!("{MEDIA}{PLACE}--b--"), sdp),
            ("two boundaries", "multipart/mixed;boundary=x;boundary=b", format!("{PLACE}{MEDIA}--b--"), sdp),
            ("a comment", "multipart/mixed (x);boundary=b", format!("{PLACE}{MEDIA}--b--"), sdp),
            ("a semicolon at the end", "Multipart/Mixed;boundary=b;", format!("{PLACE}{MEDIA}--b--"), sdp),
        ] {
            let (told, text) = left(kind, &body);
            assert_eq!((told.as_str(), text.as_str()), ("Part application/sdp;x=1", want), "{what}");
        }
        let (told, text) = left(mixed, &format!("{ISUP}{PLACE}{MEDIA}"));
        assert_eq!((told.as_str(), text.as_str()), ("Multipart", &*format!("{ISUP}{MEDIA}\r\n--b--\r\n")));
        let (told, text) = left(mixed, &format!("{ISUP}{MEDIA}"));
        assert_eq!((told.as_str(), text.as_str()), ("Same", ""), "without a location whatever its form");
    }

    #[test]
    fn rfc_6442_no_location_is_left_however_deep_it_stands_and_the_description_beside_it_is_as_far_as_is_looked() {
        let mut body = format!("{PLACE}{MEDIA}--b--\r\n");
        let mut kind = String::from("multipart/mixed;boundary=b");
        for depth in 1..BODY_DEPTH_MAX + 3 {
            let want = if depth <= BODY_DEPTH_MAX { "Part application/sdp;x=1" } else { "Nothing" };
            let (what, text) = left(&kind, &body);
            assert_eq!((what.as_str(), mentions_location(text.as_bytes())), (want, false), "{depth} deep");
            body = format!("--w{depth}\r\nContent-Type: {kind}\r\n\r\n{body}\r\n--w{depth}--\r\n");
            kind = format!("multipart/mixed;boundary=w{depth}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_left_of_a_body_has_no_location_to_take(
            body in "(--b\r\n|\r\n--b\r\n|--b--|\r\n|v=0|Content-Type: application/(sdp|pidf\\+xml)\r\n\r\n|<x/>){0,40}"
        ) {
            let (what, text) = left("multipart/mixed;boundary=b", &body);
            if what == "Multipart" {
                proptest::prop_assert_eq!(left("multipart/mixed;boundary=b", &text).0, "Same");
            }
        }
    }
}
