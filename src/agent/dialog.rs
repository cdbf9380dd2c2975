//! A dialog as one of its ends keeps it (RFC 3261, section 12), and the requests it writes.

use std::net::{IpAddr, SocketAddr};

use super::record::Record;
use crate::limits::MAX_FORWARDS_FIRST;
use crate::sip::read::ContactRef;
use crate::sip::{Host, Message, Method, Name, NameAddrRef, Strictness, UriRef, ViaRef};

/// Port of SIP where none is written.
const SIP_PORT: u16 = 5060;

/// One end of a dialog, early or confirmed.
#[derive(Clone, Debug)]
pub(super) struct Dialog {
    pub(super) call_id: Vec<u8>,
    /// Our From or To value, tag included.
    pub(super) local: Vec<u8>,
    pub(super) local_tag: Vec<u8>,
    /// Their To or From value as they wrote it.
    pub(super) remote: Vec<u8>,
    pub(super) remote_tag: Option<Vec<u8>>,
    /// Request-URI of our requests.
    pub(super) target: Vec<u8>,
    /// Values of Route, first hop first.
    pub(super) routes: Vec<Vec<u8>>,
    /// Where a request goes whose first URI is no address.
    pub(super) next_hop: SocketAddr,
    /// Our last sequence number.
    pub(super) cseq: u32,
    /// Their last sequence number.
    pub(super) remote_cseq: Option<u32>,
    pub(super) me: SocketAddr,
    /// Our Contact value.
    pub(super) contact: Vec<u8>,
}

impl Dialog {
    /// The answering end of what `invite` begins; `None` where it lacks what a dialog needs.
    pub(super) fn of_invite(
        invite: &Message<'_>,
        from: SocketAddr,
        me: SocketAddr,
        user: &[u8],
        tag: &[u8],
    ) -> Option<Self> {
        let remote = invite.value(Name::From)?;
        let mut local = invite.value(Name::To)?.to_vec();
        local.extend_from_slice(b";tag=");
        local.extend_from_slice(tag);
        Some(Self {
            call_id: invite.value(Name::CallId)?.to_vec(),
            local,
            local_tag: tag.to_vec(),
            remote: remote.to_vec(),
            remote_tag: tag_of(remote),
            target: contact_of(invite)?,
            routes: invite.values(Name::RecordRoute).map(|route| route.text.to_vec()).collect(),
            next_hop: from,
            cseq: 0,
            remote_cseq: Some(invite.cseq_number()?),
            me,
            contact: contact(user, me),
        })
    }

    /// Takes over what a response to our INVITE says of the other end (RFC 3261, section 12.1.2).
    pub(super) fn adopt(&mut self, response: &Message<'_>) {
        if let Some(to) = response.value(Name::To) {
            self.remote = to.to_vec();
            self.remote_tag = tag_of(to);
        }
        if let Some(target) = contact_of(response) {
            self.target = target;
        }
        self.routes = response.values(Name::RecordRoute).map(|route| route.text.to_vec()).collect();
        self.routes.reverse();
    }

    /// Where our requests go: the first route, or the target.
    pub(super) fn destination(&self) -> SocketAddr {
        let first = self.routes.first().map_or_else(
            || UriRef::parse(&self.target).ok(),
            |route| NameAddrRef::parse(route, Strictness::Lenient).ok().map(|route| route.uri),
        );
        first.and_then(|uri| address(&uri)).unwrap_or(self.next_hop)
    }

    /// A request of ours within the dialog, or the INVITE that begins it.
    pub(super) fn request(
        &self,
        method: Method,
        cseq: u32,
        branch: &[u8],
        headers: &[(&str, &[u8])],
        body: Option<(&str, &[u8])>,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_024);
        let mut push = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
        push(&[method.as_str().as_bytes(), b" ", &self.target, b" SIP/2.0\r\nVia: SIP/2.0/UDP "]);
        push(&[self.me.to_string().as_bytes(), b";rport;branch=", branch, b"\r\n"]);
        for route in &self.routes {
            push(&[b"Route: ", route, b"\r\n"]);
        }
        push(&[b"Max-Forwards: ", MAX_FORWARDS_FIRST.to_string().as_bytes(), b"\r\nFrom: ", &self.local]);
        push(&[b"\r\nTo: ", &self.remote, b"\r\nCall-ID: ", &self.call_id, b"\r\nCSeq: "]);
        push(&[cseq.to_string().as_bytes(), b" ", method.as_str().as_bytes(), b"\r\n"]);
        if matches!(method, Method::Invite | Method::Update) {
            push(&[b"Contact: ", &self.contact, b"\r\nAllow: ", ALLOW, b"\r\n"]);
        }
        for (name, value) in headers {
            push(&[name.as_bytes(), b": ", value, b"\r\n"]);
        }
        let (content_type, octets) = body.unwrap_or(("", b""));
        if !octets.is_empty() {
            push(&[b"Content-Type: ", content_type.as_bytes(), b"\r\n"]);
        }
        push(&[b"Content-Length: ", octets.len().to_string().as_bytes(), b"\r\n\r\n", octets]);
        out
    }

    /// Whether a request within a dialog is one of this dialog's.
    pub(super) fn is_of(&self, message: &Message<'_>) -> bool {
        let to_tag = message.value(Name::To).and_then(tag_of);
        let from_tag = message.value(Name::From).and_then(tag_of);
        to_tag.as_ref() == Some(&self.local_tag) && (self.remote_tag.is_none() || from_tag == self.remote_tag)
    }
}

/// What our agents take.
pub(super) const ALLOW: &[u8] = b"INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, MESSAGE";

/// `<sip:USER@ADDRESS>`.
pub(super) fn contact(user: &[u8], me: SocketAddr) -> Vec<u8> {
    [b"<sip:", user, b"@", me.to_string().as_bytes(), b">"].concat()
}

/// The tag of a From or To value.
pub(super) fn tag_of(value: &[u8]) -> Option<Vec<u8>> {
    NameAddrRef::parse(value, Strictness::Lenient).ok()?.tag().map(<[u8]>::to_vec)
}

/// Where the response to a request goes (RFC 3261, section 18.2.2; RFC 3581): its source where rport asks for that.
pub(super) fn reply_address(request: &Message<'_>, source: SocketAddr) -> Option<SocketAddr> {
    let via = ViaRef::parse(request.values(Name::Via).next()?.text).ok()?;
    if via.params.has("rport") {
        return Some(source);
    }
    Some(SocketAddr::new(source.ip(), via.port.unwrap_or(SIP_PORT)))
}

/// Branch of the top Via.
pub(super) fn branch_of(message: &Message<'_>) -> Option<Vec<u8>> {
    ViaRef::parse(message.values(Name::Via).next()?.text).ok()?.branch.map(<[u8]>::to_vec)
}

/// The description a message carries, empty where it carries none.
pub(super) fn description<'a>(message: &Message<'a>) -> &'a [u8] {
    let is_sdp = message.value(Name::ContentType).is_some_and(|kind| {
        let kind = kind.split(|b| *b == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"application/sdp")
    });
    if is_sdp { message.body() } else { &[] }
}

fn contact_of(message: &Message<'_>) -> Option<Vec<u8>> {
    let value = message.values(Name::Contact).next()?;
    match ContactRef::parse(value.text, Strictness::Lenient).ok()? {
        ContactRef::At(address) => Some(address.uri.raw.to_vec()),
        ContactRef::Any => None,
    }
}

fn address(uri: &UriRef<'_>) -> Option<SocketAddr> {
    let ip = match uri.host {
        Host::V4(ip) => IpAddr::V4(ip),
        Host::V6(ip) => IpAddr::V6(ip),
        Host::Name(_) | Host::None => return None,
    };
    Some(SocketAddr::new(ip, uri.port.unwrap_or(SIP_PORT)))
}

/// Readings agents take from a message without a complaint.
pub(super) trait Reading {
    /// Number of CSeq.
    fn cseq_number(&self) -> Option<u32>;
    /// Whether a Require or Supported list has this option tag.
    fn has_option(&self, name: Name, option: &[u8]) -> bool;
}

impl Reading for Message<'_> {
    fn cseq_number(&self) -> Option<u32> {
        crate::sip::CSeq::parse(self.value(Name::CSeq)?).ok().map(|cseq| cseq.number)
    }

    fn has_option(&self, name: Name, option: &[u8]) -> bool {
        self.tokens(name).any(|token| token.eq_ignore_ascii_case(option))
    }
}

/// Counts a message that fits nothing.
pub(super) fn unexpected(record: &mut Record) {
    record.counts.unexpected += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, scan};

    fn end() -> Dialog {
        Dialog {
            call_id: b"1".to_vec(),
            local: b"<sip:a@h>;tag=l".to_vec(),
            local_tag: b"l".to_vec(),
            remote: b"<sip:911@h>".to_vec(),
            remote_tag: None,
            target: b"sip:911@127.0.0.9".to_vec(),
            routes: Vec::new(),
            next_hop: "127.0.0.1:5060".parse().unwrap(),
            cseq: 1,
            remote_cseq: None,
            me: "127.0.0.2:5060".parse().unwrap(),
            contact: contact(b"a", "127.0.0.2:5060".parse().unwrap()),
        }
    }

    #[test]
    fn the_route_set_of_a_caller_is_the_recorded_one_reversed() {
        let response = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nRecord-Route: <sip:127.0.0.5;lr>\r\n\
            Record-Route: <sip:127.0.0.4:5070;lr>\r\nTo: <sip:911@h>;tag=r\r\nContact: \"gw\" <sip:911@127.0.0.6>\r\n\r\n";
        let mut index = Index::new();
        let mut dialog = end();
        assert_eq!(dialog.destination().to_string(), "127.0.0.9:5060");
        dialog.adopt(&scan(response, &mut index).unwrap());
        assert_eq!(dialog.routes, [&b"<sip:127.0.0.4:5070;lr>"[..], b"<sip:127.0.0.5;lr>"]);
        assert_eq!(dialog.target, b"sip:911@127.0.0.6");
        assert_eq!(dialog.destination().to_string(), "127.0.0.4:5070");
        assert_eq!(dialog.remote_tag.as_deref(), Some(&b"r"[..]));
        let bye = dialog.request(Method::Bye, 2, b"z9hG4bK2", &[], None);
        let mut index = Index::new();
        let bye = scan(&bye, &mut index).unwrap();
        crate::sip::essentials(&bye, Strictness::Strict).unwrap();
        assert_eq!(bye.values(Name::Route).count(), 2);
    }

    #[test]
    fn a_target_that_is_a_name_is_reached_over_the_next_hop() {
        let mut dialog = end();
        dialog.target = b"sip:911@example.com".to_vec();
        assert_eq!(dialog.destination(), dialog.next_hop);
    }

    #[test]
    fn a_response_goes_to_the_source_only_where_rport_asks() {
        let source = "10.0.0.1:9999".parse().unwrap();
        for (via, want) in [
            ("SIP/2.0/UDP h:5070;rport;branch=z9hG4bK1", Some("10.0.0.1:9999")),
            ("SIP/2.0/UDP h:5070;branch=z9hG4bK1", Some("10.0.0.1:5070")),
            ("SIP/2.0/UDP h", Some("10.0.0.1:5060")),
            ("nonsense", None),
        ] {
            let text = format!("BYE sip:a@b SIP/2.0\r\nVia: {via}\r\n\r\n");
            let mut index = Index::new();
            let message = scan(text.as_bytes(), &mut index).unwrap();
            assert_eq!(reply_address(&message, source).map(|a| a.to_string()).as_deref(), want, "{via}");
        }
    }
}
