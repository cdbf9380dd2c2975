//! Via values as views (RFC 3261, section 20.42; RFC 3581).

use super::edit::{push_decimal, push_host, push_ip};
use super::malformed::Malformed;
use super::message::{Message, Span};
use super::name::Name;
use super::octet::{SPACE, TOKEN, is, run};
use super::param::{Param, Params, first_param, skip_space, trim};
use super::scan::decimal;
use super::uri::{Host, host_port, ipv6};
use std::net::{IpAddr, SocketAddr};

/// The prefix of branches that are unique in space and time (RFC 3261, section 8.1.1.7).
pub const BRANCH_COOKIE: &[u8] = b"z9hG4bK";

/// The transport a Via names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is the transport it is called after
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Sctp,
    Ws,
    Wss,
    /// Any other token (RFC 4475, `transports`): forwarded, never sent to.
    Other,
}

impl Transport {
    /// The transport these octets spell, in any case.
    pub fn of(token: &[u8]) -> Self {
        match token {
            _ if token.eq_ignore_ascii_case(b"UDP") => Self::Udp,
            _ if token.eq_ignore_ascii_case(b"TCP") => Self::Tcp,
            _ if token.eq_ignore_ascii_case(b"TLS") => Self::Tls,
            _ if token.eq_ignore_ascii_case(b"SCTP") => Self::Sctp,
            _ if token.eq_ignore_ascii_case(b"WS") => Self::Ws,
            _ if token.eq_ignore_ascii_case(b"WSS") => Self::Wss,
            _ => Self::Other,
        }
    }
}

/// One Via value taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViaRef<'a> {
    /// The whole value.
    pub raw: &'a [u8],
    /// The transport.
    pub transport: Transport,
    /// The transport as written.
    pub transport_text: &'a [u8],
    /// Sent-by: the host.
    pub host: Host<'a>,
    /// Sent-by: the port, where one is written.
    pub port: Option<u16>,
    /// Sent-by as written, for the key of a transaction (RFC 3261, section 17.2.3).
    pub sent_by: &'a [u8],
    /// The branch.
    pub branch: Option<&'a [u8]>,
    /// The parameter `rport`; [`ViaRef::rport`] reads it.
    rport: Option<Param<'a>>,
    /// The parameter `received`; [`ViaRef::received`] reads it.
    received: Option<Param<'a>>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> ViaRef<'a> {
    /// Takes one Via value apart, whatever white space it was written with.
    ///
    /// # Errors
    /// [`Malformed::Value`] of [`Name::Via`].
    pub fn parse(raw: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(trim(raw)).ok_or(Malformed::Value(Name::Via))
    }

    fn read(raw: &'a [u8]) -> Option<Self> {
        let (transport_text, rest) = protocol(raw)?;
        let (sent_by, params) = rest.split_at(memchr::memchr(b';', rest).unwrap_or(rest.len()));
        let sent_by = trim(sent_by);
        let (host, port) = host_port(sent_by)?;
        let (mut branch, mut rport, mut received) = (None, None, None);
        let params = Params::parse_each(params, |param| {
            let (name, slot) = match param.name.len() {
                5 => ("rport", &mut rport),
                6 => ("branch", &mut branch),
                8 => ("received", &mut received),
                _ => return,
            };
            // Of two, the first counts.
            if slot.is_none() && param.name.eq_ignore_ascii_case(name.as_bytes()) {
                *slot = Some(param);
            }
        })?;
        let transport = Transport::of(transport_text);
        let branch = branch.and_then(|param| param.unquoted());
        Some(Self { raw, transport, transport_text, host, port, sent_by, branch, rport, received, params })
    }

    /// Whether the branch identifies the transaction alone; otherwise RFC 2543's comparison holds.
    pub fn is_branch_unique(&self) -> bool {
        self.branch.is_some_and(|branch| {
            let (cookie, rest) = branch.split_at_checked(BRANCH_COOKIE.len()).unwrap_or((&[], &[]));
            // The cookie is compared in any case, as branches are tokens; alone it tells nothing apart (`badbranch`).
            cookie.eq_ignore_ascii_case(BRANCH_COOKIE) && !rest.is_empty()
        })
    }

    /// `rport`: `None` where absent, `Some(None)` where the sender asks for it, `Some(Some(port))` once filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        Some(self.rport?.value.and_then(decimal).and_then(|port| u16::try_from(port).ok()))
    }

    /// `received`, with or without brackets around an IPv6 address (RFC 5118, section 4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.received?.unquoted()?;
        let bare = text.strip_prefix(b"[").and_then(|t| t.strip_suffix(b"]")).unwrap_or(text);
        match Host::parse(bare) {
            Some(Host::V4(address)) => Some(IpAddr::V4(address)),
            _ => ipv6(bare).map(IpAddr::V6),
        }
    }

    /// `maddr`.
    pub fn maddr(&self) -> Option<&'a [u8]> {
        self.params.value("maddr")
    }

    /// `ttl`, 0 to 255.
    pub fn ttl(&self) -> Option<u8> {
        self.params.value("ttl").and_then(decimal).and_then(|ttl| u8::try_from(ttl).ok())
    }
}

/// A Via value that [`ViaRef::parse`] refuses, as far as it can be read: who wrote it finds itself in it, and nobody is sent
/// anything by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LooseVia<'a> {
    /// The transport as written.
    transport: &'a [u8],
    /// What stands where sent-by should, up to the first semicolon.
    sent_by: &'a [u8],
    /// What stands behind it, first semicolon included.
    params: &'a [u8],
}

impl<'a> LooseVia<'a> {
    /// Reads one Via value; `None` without version, transport or anything for sent-by.
    pub(super) fn read(raw: &'a [u8]) -> Option<Self> {
        let (transport, rest) = protocol(trim(raw))?;
        let (sent_by, params) = rest.split_at(memchr::memchr(b';', rest).unwrap_or(rest.len()));
        let sent_by = trim(sent_by);
        (!sent_by.is_empty()).then_some(Self { transport, sent_by, params })
    }

    /// The value in form, which asks for the port its request came from: no port of it can be trusted.
    pub(super) fn in_form(&self) -> Vec<u8> {
        let mut text = [b"SIP/2.0/", self.transport, b" "].concat();
        match (host_port(self.sent_by), self.host()) {
            (Some(_), _) => text.extend_from_slice(self.sent_by),
            (None, Some(Host::V6(address))) => push_host(&mut text, address.into()),
            (None, Some(_)) => text.extend_from_slice(self.host_text()),
            (None, None) => text.extend_from_slice(HOST_UNREAD),
        }
        text.extend_from_slice(b";rport");
        if let Some(branch) = self.branch() {
            text.extend_from_slice(b";branch=");
            text.extend_from_slice(branch);
        }
        text
    }

    /// The value as it came, with where its request came from (RFC 3261, section 18.2.1; RFC 3581, section 4).
    pub(super) fn with_source(&self, source: SocketAddr) -> Vec<u8> {
        let mut text = [b"SIP/2.0/", self.transport, b" ", self.sent_by].concat();
        let (mut is_asked, mut has_address, mut is_open) = (false, false, false);
        for part in self.parts() {
            let name = trim(part.split(|octet| *octet == b'=').next().unwrap_or_default());
            text.push(b';');
            is_open = trim(part).is_empty();
            if name.eq_ignore_ascii_case(b"rport") {
                is_asked = true;
                text.extend_from_slice(b"rport=");
                push_decimal(&mut text, u64::from(source.port()));
            } else if name.eq_ignore_ascii_case(b"received") {
                has_address = true;
                text.extend_from_slice(b"received=");
                push_ip(&mut text, source.ip());
            } else {
                text.extend_from_slice(part);
            }
        }
        let is_same =
            self.host().and_then(|host| host.ip()).is_some_and(|ip| ip.to_canonical() == source.ip().to_canonical());
        if !has_address && (is_asked || !is_same) {
            text.extend_from_slice(if is_open { b"received=" } else { b";received=" });
            push_ip(&mut text, source.ip());
        }
        text
    }

    /// The branch: the first that has a value.
    fn branch(&self) -> Option<&'a [u8]> {
        let named = self.parts().filter_map(first_param).filter(|param| param.name.eq_ignore_ascii_case(b"branch"));
        named.filter_map(|param| param.unquoted()).find(|branch| !branch.is_empty())
    }

    /// What stands between the semicolons.
    fn parts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.params.split(|octet| *octet == b';').skip(1)
    }

    /// The host, where one can be read: whatever its port, and without the zone of a link-local address, which means
    /// nothing to anybody else (RFC 6874 section 1).
    fn host(&self) -> Option<Host<'a>> {
        if let Some(inside) = self.sent_by.strip_prefix(b"[") {
            let address = inside.split(|octet| matches!(octet, b'%' | b']')).next()?;
            return ipv6(address).map(Host::V6);
        }
        Host::parse(self.host_text())
    }

    fn host_text(&self) -> &'a [u8] {
        trim(self.sent_by.split(|octet| *octet == b':').next().unwrap_or_default())
    }
}

/// Stands for a host that cannot be read (RFC 2606 section 2): nobody is sent anything there.
const HOST_UNREAD: &[u8] = b"unread.invalid";

/// The transport of a Via in version 2.0, and what stands behind it.
fn protocol(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let (protocol, rest) = token(raw)?;
    let (version, rest) = token(skip_space(rest).strip_prefix(b"/")?)?;
    let (transport, rest) = token(skip_space(rest).strip_prefix(b"/")?)?;
    if !protocol.eq_ignore_ascii_case(b"SIP") || version != b"2.0" || !rest.first().is_some_and(|b| is(*b, SPACE)) {
        return None;
    }
    Some((transport, skip_space(rest)))
}

fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = skip_space(text);
    let split = text.split_at(run(text, TOKEN));
    (!split.0.is_empty()).then_some(split)
}

/// What a change to the top Via writes about the source of the request.
#[derive(Clone, Copy, Debug)]
pub(super) enum SourceFact {
    Port,
    Address,
}

/// One change to the top Via: `before` and then the fact take the place of `span`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceChange {
    pub(super) span: Span,
    pub(super) before: &'static [u8],
    pub(super) fact: SourceFact,
}

/// The changes that record in `via`, the top one of `message`, where a request really came from (RFC 3261, section
/// 18.2.1; RFC 3581, section 4), `rport` first.
pub(super) fn source_changes(message: &Message<'_>, via: &ViaRef<'_>, source: SocketAddr) -> [Option<SourceChange>; 2] {
    let Some(value) = message.span_of(via.raw) else { return [None; 2] };
    let asked = via.rport;
    let rport = asked.and_then(|param| {
        let span = message.span_of(param.value.unwrap_or(param.name))?;
        Some(match param.value {
            Some(_) => SourceChange { span, before: b"", fact: SourceFact::Port },
            None => SourceChange { span: Span { start: span.end, ..span }, before: b"=", fact: SourceFact::Port },
        })
    });
    let claimed = via.received.and_then(|param| message.span_of(param.value?));
    // A dual-stack socket shows IPv4 peers as mapped addresses; those are the same host.
    let is_same = via.host.ip().is_some_and(|ip| ip.to_canonical() == source.ip().to_canonical());
    let received = match claimed {
        Some(span) => Some(SourceChange { span, before: b"", fact: SourceFact::Address }),
        None if asked.is_none() && is_same => None,
        None => Some(SourceChange {
            span: Span { start: value.end, end: value.end },
            before: b";received=",
            fact: SourceFact::Address,
        }),
    };
    [rport, received]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_via_is_read_whatever_its_spacing() {
        for raw in [
            "SIP/2.0/UDP h:5070;branch=z9hG4bK-a=b;rport;ttl=16;maddr=m",
            "sip / 2.0 /\r\n udp  h : 5070 ; BRANCH = z9hG4bK-a=b ;rport ; ttl=16 ; maddr = m ",
        ] {
            let via = ViaRef::parse(raw.as_bytes()).unwrap();
            assert_eq!((via.transport, via.host, via.port), (Transport::Udp, Host::Name(b"h"), Some(5070)), "{raw}");
            assert_eq!((via.branch, via.rport()), (Some(&b"z9hG4bK-a=b"[..]), Some(None)), "{raw}");
            assert_eq!((via.ttl(), via.maddr(), via.received()), (Some(16), Some(&b"m"[..]), None));
            assert!(via.is_branch_unique());
        }
    }

    #[test]
    fn received_and_rport_are_read_in_either_form() {
        let read = |raw: &'static str| {
            let via = ViaRef::parse(raw.as_bytes()).unwrap();
            (via.received(), via.rport())
        };
        assert_eq!(read("SIP/2.0/TLS h;received=10.0.0.1;rport=99"), ("10.0.0.1".parse().ok(), Some(Some(99))));
        assert_eq!(read("SIP/2.0/TLS h;received=[::1]"), ("::1".parse().ok(), None));
        assert_eq!(read("SIP/2.0/TLS h;received=::1;rport=99999"), ("::1".parse().ok(), Some(None)));
    }

    #[test]
    fn only_a_cookie_with_something_behind_it_is_unique() {
        for (branch, want) in [("z9hG4bK1", true), ("Z9HG4BKx", true), ("z9hG4bK", false), ("390skdjuw", false)] {
            let raw = format!("SIP/2.0/UDP h;branch={branch}");
            assert_eq!(ViaRef::parse(raw.as_bytes()).unwrap().is_branch_unique(), want, "{branch}");
        }
        assert!(!ViaRef::parse(b"SIP/2.0/UDP h").unwrap().is_branch_unique());
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for raw in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 h",
            "SIP/7.0/UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDPh",
            "SIP/2.0/UDP h;;",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP h:0",
            "SIP/2.0/UDP h:65536",
            "SIP/2.0/UDP h i",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP ::1",
        ] {
            assert_eq!(ViaRef::parse(raw.as_bytes()), Err(Malformed::Value(Name::Via)), "{raw}");
        }
    }
}
