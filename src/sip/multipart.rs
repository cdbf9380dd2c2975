//! Where the session description stands in a body: the whole of it, or one part of a multipart body (RFC 2046).

use std::ops::Range;

use super::Message;
use crate::limits::BODY_PARTS_MAX;

/// The octets of the body that are an `application/sdp` description; `None` where there is none.
#[must_use]
pub fn description(message: &Message<'_>) -> Option<Range<usize>> {
    let body = message.body();
    if body.is_empty() {
        return None;
    }
    // RFC 3261 7.4.1 demands a Content-Type; a body that looks like a description without one must not slip past policy.
    let Some(kind) = message.content_type() else { return body.starts_with(b"v=0").then_some(0..body.len()) };
    if kind.is("application", "sdp") {
        return Some(0..body.len());
    }
    if !kind.kind.eq_ignore_ascii_case(b"multipart") {
        return None;
    }
    part(body, kind.params.get("boundary")?.unquoted()?)
}

/// The first `application/sdp` part of a multipart body.
fn part(body: &[u8], boundary: &[u8]) -> Option<Range<usize>> {
    let mut at = delimiter(body, 0, boundary)?.end;
    for _ in 0..BODY_PARTS_MAX {
        let next = delimiter(body, at, boundary)?;
        let part = body.get(at..next.start)?;
        let head_end = if part.starts_with(b"\r\n") { 0 } else { find(part, b"\r\n\r\n")? + 2 };
        let (head, content) = (part.get(..head_end)?, part.get(head_end + 2..)?);
        if is_description(head) {
            let start = at + head_end + 2;
            return Some(start..start + content.len());
        }
        at = next.end;
    }
    None
}

/// Whether a part's headers call it `application/sdp`.
fn is_description(head: &[u8]) -> bool {
    head.split(|octet| *octet == b'\n').any(|line| {
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { return false };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let kind = value.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
        let name = name.trim_ascii();
        (name.eq_ignore_ascii_case(b"content-type") || name.eq_ignore_ascii_case(b"c"))
            && kind.eq_ignore_ascii_case(b"application/sdp")
    })
}

/// The next delimiter line at or after `from`: its CRLF before, its dashes, and the line end after.
fn delimiter(body: &[u8], from: usize, boundary: &[u8]) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let found = at + find(body.get(at..)?, boundary)?;
        let dashes = found.checked_sub(2).filter(|start| body.get(*start..found) == Some(b"--".as_slice()));
        if let Some(start) = dashes
            && (start == 0 || body.get(..start).is_some_and(|before| before.ends_with(b"\r\n")))
        {
            let after = found + boundary.len();
            let line_end = find(body.get(after..)?, b"\r\n").map_or(body.len(), |end| after + end + 2);
            let start = if start >= 2 && start > from { start - 2 } else { start };
            return Some(start..line_end);
        }
        at = found + 1;
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
    fn a_description_between_other_parts_is_found() {
        let body = "--b1\r\nContent-Type: application/pidf+xml\r\n\r\n<x/>\r\n--b1\r\nContent-ID: <a>\r\n\
                    content-type: application/sdp;x=y\r\n\r\nv=0\r\ns=-\r\n\r\n--b1--\r\n";
        assert_eq!(found("multipart/mixed;boundary=b1", body).as_deref(), Some("v=0\r\ns=-\r\n"));
        assert_eq!(found("multipart/mixed; boundary=\"b1\"", body).as_deref(), Some("v=0\r\ns=-\r\n"));
        assert_eq!(found("multipart/mixed;boundary=other", body), None);
        assert_eq!(found("multipart/mixed", body), None);
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
