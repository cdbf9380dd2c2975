//! Requests this node makes itself: from typed values where it is the caller, from the octets of a kept request where
//! the RFC wants a copy (ACK of a refusal, CANCEL).

use super::edit::push_decimal;
use super::message::{Message, Start};
use super::name::{Method, Name};
use super::reply::{push_field, push_header, push_safe};
use crate::limits::MAX_FORWARDS_FIRST;
use std::fmt::Write;
use std::ops::Range;

/// A request under construction. Start line, Max-Forwards, Content-Length and body are written here; every other
/// header is rsip's, or copied as it came.
#[derive(Clone, Debug)]
pub struct Build {
    method: Method,
    uri: Vec<u8>,
    headers: Vec<Line>,
    content_type: String,
    body: Vec<u8>,
}

/// A header of a request under construction.
#[derive(Clone, Debug)]
enum Line {
    Typed(rsip::Header),
    /// Name and value of one that somebody else wrote: it must come back as it was, whether or not rsip could hold it.
    Copied(Name, Vec<u8>),
}

impl Build {
    /// A request to `uri`, as text.
    pub fn request(method: Method, uri: impl Into<Vec<u8>>) -> Self {
        Self { method, uri: uri.into(), headers: Vec::new(), content_type: String::new(), body: Vec::new() }
    }

    /// Adds a header behind those already given.
    pub fn header(mut self, header: impl Into<rsip::Header>) -> Self {
        self.headers.push(Line::Typed(header.into()));
        self
    }

    /// Adds a header with a value that came in another message.
    pub fn copied(mut self, name: Name, value: &[u8]) -> Self {
        self.headers.push(Line::Copied(name, value.to_vec()));
        self
    }

    /// Sets Content-Type and body.
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Self {
        content_type.clone_into(&mut self.content_type);
        self.body = body.to_vec();
        self
    }

    /// Writes the request behind what `out` holds and gives back where it stands.
    pub fn write(&self, out: &mut Vec<u8>) -> Range<usize> {
        let from = out.len();
        push_start(out, self.method, &self.uri);
        let mut has_hops = false;
        let mut line = String::new();
        for header in &self.headers {
            let header = match header {
                Line::Typed(header) => header,
                Line::Copied(name, value) => {
                    push_header(out, name.as_str(), value);
                    continue;
                }
            };
            has_hops |= matches!(header, rsip::Header::MaxForwards(_));
            if matches!(header, rsip::Header::ContentLength(_) | rsip::Header::ContentType(_)) {
                continue;
            }
            line.clear();
            // Writing to a String cannot fail.
            let _ = write!(line, "{header}");
            push_safe(out, line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if !has_hops {
            push_hops(out);
        }
        if !self.content_type.is_empty() {
            push_header(out, "Content-Type", self.content_type.as_bytes());
        }
        out.extend_from_slice(b"Content-Length: ");
        push_decimal(out, self.body.len() as u64);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.body);
        from..out.len()
    }
}

/// One side's view of a dialog, as much of it as a request within it needs (RFC 3261, section 12). Everything is text as
/// the parties wrote it: they know it again, and a `tel:` or `urn:` among it is as good as any.
#[derive(Clone, Debug)]
pub struct DialogFacts {
    /// Call-ID.
    pub call_id: Vec<u8>,
    /// The value of From: our address with our tag.
    pub local: Vec<u8>,
    /// The value of To: their address with their tag.
    pub remote: Vec<u8>,
    /// The route set, nearest first.
    pub routes: Vec<RouteText>,
    /// The remote target.
    pub target: Vec<u8>,
}

/// One route of a dialog.
#[derive(Clone, Debug)]
pub struct RouteText {
    /// The value, as its proxy recorded it.
    pub value: Vec<u8>,
    /// The URI within it where its proxy is a strict router, which gets it as Request-URI.
    pub strict: Option<Vec<u8>>,
}

impl DialogFacts {
    /// A request within the dialog (RFC 3261, section 12.2.1.1), by strict routing where the first route is no loose
    /// router.
    pub fn request(&self, method: rsip::Method, cseq: u32, via: rsip::typed::Via) -> Build {
        let last = [b"<", &*self.target, b">"].concat();
        let values = |routes: &[RouteText]| routes.iter().map(|route| route.value.clone()).collect::<Vec<_>>();
        let (uri, routes) = match self.routes.split_first() {
            Some((RouteText { strict: Some(uri), .. }, rest)) => {
                let mut routes = values(rest);
                routes.push(last);
                (uri, routes)
            }
            _ => (&self.target, values(&self.routes)),
        };
        let mut build = Build::request(method.into(), uri.as_slice()).header(via);
        if !routes.is_empty() {
            build = build.copied(Name::Route, &routes.join(&b','));
        }
        build
            .copied(Name::From, &self.local)
            .copied(Name::To, &self.remote)
            .copied(Name::CallId, &self.call_id)
            .header(rsip::typed::CSeq { seq: cseq, method })
    }

    /// BYE.
    pub fn bye(&self, cseq: u32, via: rsip::typed::Via) -> Build {
        self.request(rsip::Method::Bye, cseq, via)
    }

    /// ACK of a 2xx: a transaction of its own, with the INVITE's number (RFC 3261, section 13.2.2.4).
    pub fn ack(&self, invite_cseq: u32, via: rsip::typed::Via) -> Build {
        self.request(rsip::Method::Ack, invite_cseq, via)
    }
}

/// OPTIONS outside a dialog, as a health probe or keepalive; the caller adds what marks it (Call-Info).
pub fn options(
    target: &rsip::Uri,
    via: rsip::typed::Via,
    from: rsip::typed::From,
    to: rsip::typed::To,
    call_id: &str,
    cseq: u32,
) -> Build {
    Build::request(Method::Options, target.to_string())
        .header(via)
        .header(from)
        .header(to)
        .header(rsip::headers::CallId::from(call_id))
        .header(rsip::typed::CSeq { seq: cseq, method: rsip::Method::Options })
}

/// ACK of a final response that is no 2xx, made of the INVITE as it was sent and To of the response (RFC 3261, section
/// 17.1.1.3). `None`, and nothing written, where `request` is none or lacks what must be copied.
pub fn ack_for(request: &Message<'_>, response: &Message<'_>, out: &mut Vec<u8>) -> Option<Range<usize>> {
    copy(request, response, Method::Ack, b"", out)
}

/// CANCEL of a request as it was sent (RFC 3261, section 9.1), with the values of a Reason header where there are any
/// (RFC 3326). `None`, and nothing written, as for [`ack_for`].
pub fn cancel_for(request: &Message<'_>, reason: &[u8], out: &mut Vec<u8>) -> Option<Range<usize>> {
    copy(request, request, Method::Cancel, reason, out)
}

fn copy(
    request: &Message<'_>,
    to: &Message<'_>,
    method: Method,
    reason: &[u8],
    out: &mut Vec<u8>,
) -> Option<Range<usize>> {
    let Start::Request { uri, .. } = request.start() else { return None };
    let via = request.values(Name::Via).next()?;
    let (_, from_field) = request.first(Name::From)?;
    let (_, to_field) = to.first(Name::To)?;
    let (_, call_id) = request.first(Name::CallId)?;
    let number = super::CSeq::parse(request.value(Name::CSeq)?).ok()?.number;
    let from = out.len();
    push_start(out, method, request.text(uri));
    // One Via alone: the top one, with the branch of the request it belongs to.
    push_header(out, "Via", via.text);
    for (_, route) in request.all(Name::Route) {
        push_field(request, route, b"", out);
    }
    push_field(request, from_field, b"", out);
    push_field(to, to_field, b"", out);
    push_field(request, call_id, b"", out);
    out.extend_from_slice(b"CSeq: ");
    push_decimal(out, u64::from(number));
    out.push(b' ');
    out.extend_from_slice(method.as_str().as_bytes());
    out.extend_from_slice(b"\r\n");
    push_hops(out);
    if !reason.is_empty() {
        push_header(out, "Reason", reason);
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    Some(from..out.len())
}

fn push_start(out: &mut Vec<u8>, method: Method, uri: &[u8]) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    push_safe(out, uri);
    out.extend_from_slice(b" SIP/2.0\r\n");
}

fn push_hops(out: &mut Vec<u8>) {
    out.extend_from_slice(b"Max-Forwards: ");
    push_decimal(out, u64::from(MAX_FORWARDS_FIRST));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, NameAddrRef, Strictness, UriRef, ViaRef, essentials, scan};

    fn address(raw: &str) -> NameAddrRef<'_> {
        NameAddrRef::parse(raw.as_bytes(), Strictness::Strict).unwrap()
    }

    fn route(raw: &str) -> RouteText {
        let uri = address(raw).uri;
        RouteText { value: raw.into(), strict: (!uri.is_loose()).then(|| uri.raw.to_vec()) }
    }

    fn via() -> rsip::typed::Via {
        ViaRef::parse(b"SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK7").unwrap().try_into().unwrap()
    }

    fn dialog(routes: &[&str]) -> DialogFacts {
        DialogFacts {
            call_id: b"c1".to_vec(),
            local: b"\"Me, myself\" <sip:john.smith@h>;tag=us".to_vec(),
            remote: b"<sip:b@h>;tag=them".to_vec(),
            routes: routes.iter().map(|raw| route(raw)).collect(),
            target: b"sip:b@[2001:db8::2]:5070".to_vec(),
        }
    }

    fn text(build: &Build) -> String {
        let mut out = b"before".to_vec();
        let range = build.write(&mut out);
        String::from_utf8(out[range].to_vec()).unwrap()
    }

    #[test]
    fn a_bye_carries_the_dialog_and_our_own_scanner_reads_it() {
        let bye = text(&dialog(&["<sip:r1;lr>", "<sip:r2;lr>"]).bye(8, via()));
        assert_eq!(
            bye,
            "BYE sip:b@[2001:db8::2]:5070 SIP/2.0\r\n\
             Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK7\r\n\
             Route: <sip:r1;lr>,<sip:r2;lr>\r\n\
             From: \"Me, myself\" <sip:john.smith@h>;tag=us\r\n\
             To: <sip:b@h>;tag=them\r\n\
             Call-ID: c1\r\n\
             CSeq: 8 BYE\r\n\
             Max-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let mut index = Index::new();
        let facts = essentials(&scan(bye.as_bytes(), &mut index).unwrap(), Strictness::Strict).unwrap();
        assert_eq!((facts.from_tag, facts.to_tag), (Some(&b"us"[..]), Some(&b"them"[..])));
    }

    #[test]
    fn a_strict_router_gets_its_own_uri() {
        let ack = text(&dialog(&["<sip:strict>", "<sip:r2;lr>"]).ack(1, via()));
        assert!(ack.starts_with("ACK sip:strict SIP/2.0\r\n"), "{ack}");
        assert!(ack.contains("Route: <sip:r2;lr>,<sip:b@[2001:db8::2]:5070>\r\n"), "{ack}");
    }

    #[test]
    fn a_probe_has_what_its_caller_adds_and_no_line_end_too_many() {
        let target = UriRef::parse(b"sip:b@h").unwrap().try_into().unwrap();
        let (from, to) = (address("<sip:a@h>;tag=us"), address("<sip:b@h>"));
        let probe = options(&target, via(), from.try_into().unwrap(), to.try_into().unwrap(), "id", 1)
            .header(rsip::Header::Other("Call-Info".into(), "<urn:x>;purpose=p\r\nEvil: 1".into()))
            .body("text/plain", b"\xff");
        let mut out = Vec::new();
        probe.write(&mut out);
        let mut index = Index::new();
        let message = scan(&out, &mut index).unwrap();
        assert_eq!(message.value_spelled("evil"), None);
        assert_eq!((message.body(), message.value(Name::ContentLength)), (&b"\xff"[..], Some(&b"1"[..])));
    }

    const INVITE: &[u8] = b"INVITE tel:911 SIP/2.0\r\nVia: SIP/2.0/UDP us;branch=z9hG4bK1, SIP/2.0/UDP them\r\n\
        Route: <sip:r1;lr>\r\nroute: <sip:r2;lr>\r\nf: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\n\
        CSeq: 0042 INVITE\r\nSubject: x\r\n\r\n";

    #[test]
    fn ack_and_cancel_copy_the_request_they_belong_to() {
        let (mut index, mut other) = (Index::new(), Index::new());
        let request = scan(INVITE, &mut index).unwrap();
        let response = scan(b"SIP/2.0 486 Busy\r\nTo: <sip:b@h>;tag=2\r\n\r\n", &mut other).unwrap();
        let want = |method: &str, to: &str| {
            format!(
                "{method} tel:911 SIP/2.0\r\nVia: SIP/2.0/UDP us;branch=z9hG4bK1\r\nRoute: <sip:r1;lr>\r\n\
                 route: <sip:r2;lr>\r\nf: <sip:a@h>;tag=1\r\n{to}\r\nCall-ID: c\r\nCSeq: 42 {method}\r\n\
                 Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
        };
        let mut out = Vec::new();
        let ack = ack_for(&request, &response, &mut out).unwrap();
        let cancel = cancel_for(&request, b"", &mut out).unwrap();
        let told = cancel_for(&request, b"SIP;cause=200\r\nEvil: 1", &mut out).unwrap();
        assert_eq!(out[ack], *want("ACK", "To: <sip:b@h>;tag=2").as_bytes());
        assert_eq!(out[cancel], *want("CANCEL", "To: <sip:b@h>").as_bytes());
        let told = String::from_utf8_lossy(&out[told]).into_owned();
        assert!(told.contains("\r\nReason: SIP;cause=200  Evil: 1\r\nContent-Length: 0\r\n"), "{told}");
        assert_eq!(cancel_for(&response, b"", &mut Vec::new()), None);
    }
}
