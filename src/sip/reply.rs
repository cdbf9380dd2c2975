//! Responses this node gives itself, made of the request's own octets (RFC 3261, section 8.2.6).

use super::control::{Report, control_spans, offers_control};
use super::edit::{push_decimal, push_ip};
use super::message::{Field, Message, Span};
use super::name::Name;
use super::read::Strictness;
use super::typed::reason_phrase;
use super::uri::NameAddrRef;
use super::via::{SourceChange, SourceFact, ViaRef, source_changes};
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::ops::Range;

/// A response to be written.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'x> {
    /// 100 to 699.
    pub status: u16,
    /// The reason phrase.
    pub reason: &'x str,
    /// The tag To gets where the request has none; a 100 never gets one.
    pub to_tag: Option<&'x str>,
    /// Where the request came from, to be written into its top Via; `None` where that Via is already filled in.
    pub source: Option<SocketAddr>,
    /// This node's load, for a top Via that asks for it (RFC 7339).
    pub load: Option<Report>,
    /// Whether Record-Route is copied, as in a response that makes a dialog (RFC 3261, section 12.1.1).
    pub has_record_route: bool,
    /// Whether it is written in as few octets as the grammar has for it: compact names, no Content-Length. Never on a
    /// stream, where Content-Length ends the message (RFC 3261, sections 7.3.3 and 18.3).
    pub is_compact: bool,
    /// More headers: names and values.
    pub headers: &'x [(&'x str, &'x [u8])],
    /// Content-Type and body.
    pub body: Option<(&'x str, &'x [u8])>,
}

/// Digits of the shortest tag of ours that tells who returns it from who guesses: 32 bits (RFC 3261, section 19.3).
pub const TAG_BYTES_LEAST: usize = 8;
/// Digits of a tag that only tells a request that returns it, where there is no room for more.
pub const TAG_BYTES_HINT: usize = 4;

impl<'x> Reply<'x> {
    /// A response with the usual reason phrase and nothing of its own.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            reason: reason_phrase(status),
            to_tag: None,
            source: None,
            load: None,
            has_record_route: false,
            is_compact: false,
            headers: &[],
            body: None,
        }
    }

    /// A refusal that says what is wrong.
    pub fn because(status: u16, reason: &'x str) -> Self {
        Self { reason, ..Self::new(status) }
    }

    /// The same in fewer and fewer octets, for a datagram alone: compact, without words, load and most of the tag; without
    /// headers of its own; with less of the tag, and without it; at last without what tells the request's source. That is no
    /// longer than a request in form: no request line is shorter than its status line, and all else is copied.
    pub fn shorter(self) -> [Self; 5] {
        let tag = |digits: usize| self.to_tag.map(|tag| tag.get(..digits).unwrap_or(tag));
        let least = Self { is_compact: true, reason: "", load: None, to_tag: tag(TAG_BYTES_LEAST), ..self };
        let alone = Self { headers: &[], ..least };
        let hinted = Self { to_tag: tag(TAG_BYTES_HINT), ..alone };
        let untagged = Self { to_tag: None, ..alone };
        [least, alone, hinted, untagged, Self { source: None, ..untagged }]
    }

    /// Writes the response behind what `out` holds and gives back where it stands.
    ///
    /// Copies every Via in order, From, To, Call-ID and CSeq as they came, whatever of them is there: the request may
    /// be [`super::Broken::partial`]. `None`, and nothing written, without a Via: nobody could match the response.
    pub fn write(&self, request: &Message<'_>, out: &mut Vec<u8>) -> Option<Range<usize>> {
        let (top_via, _) = request.first(Name::Via)?;
        let from = out.len();
        out.extend_from_slice(b"SIP/2.0 ");
        push_decimal(out, u64::from(self.status));
        out.push(b' ');
        push_safe(out, self.reason.as_bytes());
        out.extend_from_slice(b"\r\n");
        for (place, field) in request.fields().iter().enumerate() {
            match field.name {
                Name::Via if place == top_via => self.push_top_via(request, field, out),
                Name::To => self.push_to(request, field, out),
                Name::Via | Name::From | Name::CallId | Name::CSeq => self.push_copy(request, field, b"", out),
                Name::RecordRoute if self.has_record_route => push_field(request, field, b"", out),
                Name::Timestamp if self.status == 100 => push_field(request, field, b"", out),
                _ => {}
            }
        }
        for (name, value) in self.headers {
            push_header(out, name, value);
        }
        let (content_type, body) = self.body.unwrap_or(("", &[]));
        if !content_type.is_empty() {
            push_header(out, "Content-Type", content_type.as_bytes());
        }
        if !self.is_compact || !body.is_empty() {
            out.extend_from_slice(b"Content-Length: ");
            push_decimal(out, body.len() as u64);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        Some(from..out.len())
    }

    /// As [`Self::write`], in so many octets at most; `None`, and nothing written, where they are too few.
    pub fn write_within(&self, octets_max: usize, request: &Message<'_>, out: &mut Vec<u8>) -> Option<Range<usize>> {
        let range = self.write(request, out)?;
        if range.len() <= octets_max {
            return Some(range);
        }
        out.truncate(range.start);
        None
    }

    fn push_top_via(&self, request: &Message<'_>, field: &Field, out: &mut Vec<u8>) {
        let is_whole = !has_bare_end(request.text(field.line));
        let mut changes: SmallVec<[(Span, Piece); 8]> = SmallVec::new();
        let top = || ViaRef::parse(request.values(Name::Via).next()?.text).ok();
        if let Some(source) = self.source.filter(|_| is_whole)
            && let Some(via) = top()
        {
            let found = source_changes(request, &via, source).into_iter().flatten();
            changes.extend(found.map(|change| (change.span, Piece::Source(source, change))));
        }
        if let Some(load) = self.load.filter(|_| is_whole && offers_control(request.text(field.value)))
            && let Some(via) = request.values(Name::Via).next().filter(|via| offers_control(via.text))
            && ViaRef::parse(via.text).is_ok()
        {
            changes.extend(control_spans(request, &via).into_iter().map(|span| (span, Piece::Nothing)));
            changes.push((Span { start: via.span.end, end: via.span.end }, Piece::Load(load)));
        }
        if changes.is_empty() {
            return self.push_copy(request, field, b"", out);
        }
        changes.sort_by_key(|(span, _)| span.start);
        let mut at = field.line.start as usize;
        if self.is_compact {
            out.extend_from_slice(b"v:");
            at = field.value.start as usize;
        }
        for (span, piece) in changes {
            out.extend_from_slice(request.bytes().get(at..span.start as usize).unwrap_or(&[]));
            match piece {
                Piece::Source(source, change) => {
                    out.extend_from_slice(change.before);
                    match change.fact {
                        SourceFact::Port => push_decimal(out, u64::from(source.port())),
                        SourceFact::Address => push_ip(out, source.ip()),
                    }
                }
                Piece::Load(load) => load.write(out),
                Piece::Nothing => {}
            }
            at = span.end as usize;
        }
        out.extend_from_slice(request.bytes().get(at..field.value.end as usize).unwrap_or(&[]));
        out.extend_from_slice(b"\r\n");
    }

    fn push_to(&self, request: &Message<'_>, field: &Field, out: &mut Vec<u8>) {
        let tag = self.to_tag.filter(|_| {
            let to = NameAddrRef::parse(request.text(field.value), Strictness::Lenient);
            self.status > 100 && to.is_ok_and(|to| !to.params.has("tag"))
        });
        self.push_copy(request, field, tag.unwrap_or("").as_bytes(), out);
    }

    /// Copies a field, with a tag behind its value where there is one to add.
    fn push_copy(&self, request: &Message<'_>, field: &Field, tag: &[u8], out: &mut Vec<u8>) {
        let name: &[u8] = match field.name {
            _ if !self.is_compact => return push_field(request, field, tag, out),
            Name::Via => b"v",
            Name::From => b"f",
            Name::To => b"t",
            Name::CallId => b"i",
            _ => request.text(field.name_span),
        };
        out.extend_from_slice(name);
        out.push(b':');
        push_safe(out, request.text(field.value));
        if !tag.is_empty() {
            out.extend_from_slice(b";tag=");
            push_safe(out, tag);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// What takes the place of a part of the top Via.
#[derive(Clone, Copy)]
enum Piece {
    Nothing,
    Source(SocketAddr, SourceChange),
    Load(Report),
}

/// Copies a field as it came, with a tag behind its value where there is one to add.
pub(super) fn push_field(message: &Message<'_>, field: &Field, tag: &[u8], out: &mut Vec<u8>) {
    let line = message.text(field.line);
    if tag.is_empty() && line.ends_with(b"\r\n") && !has_bare_end(line) {
        return out.extend_from_slice(line);
    }
    out.extend_from_slice(message.text(field.name_span));
    out.extend_from_slice(b": ");
    push_safe(out, message.text(field.value));
    if !tag.is_empty() {
        out.extend_from_slice(b";tag=");
        push_safe(out, tag);
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a CR or LF stands alone, which must not go on from a message we refuse.
fn has_bare_end(line: &[u8]) -> bool {
    let mut ends = memchr::memchr2_iter(b'\r', b'\n', line);
    while let Some(at) = ends.next() {
        if !line.get(at..).is_some_and(|end| end.starts_with(b"\r\n")) {
            return true;
        }
        ends.next();
    }
    false
}

/// Writes a header of our own.
pub(super) fn push_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    push_safe(out, name.as_bytes());
    out.extend_from_slice(b": ");
    push_safe(out, value);
    out.extend_from_slice(b"\r\n");
}

/// Writes text with every CR and LF made a space, so that a value can never begin a header of its own.
pub(super) fn push_safe(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|octet| if matches!(octet, b'\r' | b'\n') { b' ' } else { *octet }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, scan};

    const INVITE: &str = "INVITE sip:911@h SIP/2.0\r\n\
        v: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1\r\n\
        Via:SIP/2.0/UDP\r\n b;branch=z9hG4bK2\r\n\
        Record-Route: <sip:r;lr>\r\n\
        FROM : <sip:a@h>;tag=1\r\n\
        t: \"x\" <sip:b@h;tag=no>\r\n\
        Call-ID: 9\r\n\
        Timestamp: 54\r\n\
        CSeq: 1   INVITE\r\n\
        Subject: not copied\r\n\
        l: 3\r\n\r\nabc";

    fn written(request: &str, reply: &Reply<'_>) -> Option<String> {
        let mut index = Index::new();
        let message = match scan(request.as_bytes(), &mut index) {
            Ok(message) => message,
            Err(broken) => broken.partial.unwrap(),
        };
        let mut out = b"before".to_vec();
        let range = reply.write(&message, &mut out);
        assert!(range.is_some() || out == b"before");
        Some(String::from_utf8(out[range?].to_vec()).unwrap())
    }

    #[test]
    fn a_response_copies_what_identifies_the_request() {
        let reply = Reply { to_tag: Some("us"), headers: &[("Allow", b"INVITE")], ..Reply::new(404) };
        assert_eq!(
            written(INVITE, &reply).unwrap(),
            "SIP/2.0 404 Not Found\r\n\
             v: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1\r\n\
             Via:SIP/2.0/UDP\r\n b;branch=z9hG4bK2\r\n\
             FROM : <sip:a@h>;tag=1\r\n\
             t: \"x\" <sip:b@h;tag=no>;tag=us\r\n\
             Call-ID: 9\r\n\
             CSeq: 1   INVITE\r\n\
             Allow: INVITE\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_100_carries_the_timestamp_and_no_tag() {
        let text = written(INVITE, &Reply { to_tag: Some("us"), ..Reply::new(100) }).unwrap();
        assert!(text.contains("\r\nTimestamp: 54\r\n") && !text.contains("tag=us"), "{text}");
    }

    #[test]
    fn the_source_and_the_recorded_route_come_in_when_asked_for() {
        let reply = Reply {
            source: Some("10.0.0.9:7".parse().unwrap()),
            has_record_route: true,
            body: Some(("text/plain", b"hi")),
            ..Reply::new(200)
        };
        let text = written(INVITE, &reply).unwrap();
        assert!(
            text.contains("v: SIP/2.0/UDP 10.0.0.1;rport=7;branch=z9hG4bK1;received=10.0.0.9\r\nVia:SIP"),
            "{text}"
        );
        assert!(text.contains("Record-Route: <sip:r;lr>\r\n"), "{text}");
        assert!(text.ends_with("Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"), "{text}");
    }

    #[test]
    fn the_shortest_form_keeps_what_identifies_the_request() {
        let reply = Reply {
            reason: "",
            to_tag: Some("us"),
            source: Some("10.0.0.9:7".parse().unwrap()),
            is_compact: true,
            ..Reply::new(404)
        };
        assert_eq!(
            written(INVITE, &reply).unwrap(),
            "SIP/2.0 404 \r\n\
             v:SIP/2.0/UDP 10.0.0.1;rport=7;branch=z9hG4bK1;received=10.0.0.9\r\n\
             v:SIP/2.0/UDP   b;branch=z9hG4bK2\r\n\
             f:<sip:a@h>;tag=1\r\n\
             t:\"x\" <sip:b@h;tag=no>;tag=us\r\n\
             i:9\r\n\
             CSeq:1   INVITE\r\n\r\n"
        );
    }

    #[test]
    fn a_via_that_asks_for_the_load_is_told_it_beside_its_source_rfc_7339() {
        let asking = INVITE.replace(";rport;branch", ";rport;oc;oc-algo=\"loss\";branch");
        let load = Some(Report { loss_percent: 30, at_ms: 1_500 });
        let reply = Reply { source: Some("10.0.0.9:7".parse().unwrap()), load, ..Reply::new(100) };
        let text = written(&asking, &reply).unwrap();
        let via = "v: SIP/2.0/UDP 10.0.0.1;rport=7;branch=z9hG4bK1;received=10.0.0.9\
                   ;oc=30;oc-algo=\"loss\";oc-validity=500;oc-seq=1.500\r\nVia:SIP";
        assert!(text.contains(via), "{text}");
        assert!(!written(INVITE, &reply).unwrap().contains("oc"), "only to those who ask");
    }

    #[test]
    fn an_existing_tag_stays_alone() {
        let tagged = INVITE.replace("<sip:b@h;tag=no>", "<sip:b@h>;tag=theirs");
        let text = written(&tagged, &Reply { to_tag: Some("us"), ..Reply::new(200) }).unwrap();
        assert!(text.contains(";tag=theirs\r\n") && !text.contains("tag=us"), "{text}");
    }

    #[test]
    fn a_broken_request_is_answered_with_what_it_has() {
        let text = written(
            "X sip:a b SIP/2.0\r\nVia: SIP/2.0/UDP h\nCSeq: 1\r\n 2\n X\r\njunk\r\n",
            &Reply::because(400, "No\r\nBad: 1"),
        );
        assert_eq!(
            text.unwrap(),
            "SIP/2.0 400 No  Bad: 1\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1   2  X\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn without_a_via_nothing_is_written() {
        assert_eq!(written("X sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n", &Reply::new(400)), None);
    }
}
