//! From borrowed views to rsip's owned, typed values, for what is kept, understood or compared.
//!
//! rsip's own parser never sees octets from the wire: it takes some messages for others without saying so (users with
//! dots, second Via values, IPv6, `tel`). Here its public fields are filled from views that were read rightly.

use super::name::Method;
use super::param::{Param, Params};
use super::read::CSeq;
use super::uri::{Host, NameAddrRef, Scheme, UriRef};
use super::via::{Transport, ViaRef};
use std::str::FromStr;

/// Why a view has no typed counterpart; it stays a view and is forwarded all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untyped {
    /// rsip's text is UTF-8, this is not.
    NotUtf8,
    /// A scheme without a host: `tel`, `urn` and unknown ones.
    Scheme,
    /// The URI carries header fields, which rsip cannot hold.
    UriHeaders,
    /// A method without a name of its own.
    Method,
    /// A transport rsip does not know.
    Transport,
}

fn text(octets: &[u8]) -> Result<&str, Untyped> {
    std::str::from_utf8(octets).map_err(|_| Untyped::NotUtf8)
}

impl TryFrom<UriRef<'_>> for rsip::Uri {
    type Error = Untyped;

    fn try_from(uri: UriRef<'_>) -> Result<Self, Untyped> {
        let scheme = match uri.scheme {
            Scheme::Sip => rsip::Scheme::Sip,
            Scheme::Sips => rsip::Scheme::Sips,
            Scheme::Tel | Scheme::Urn | Scheme::Other => return Err(Untyped::Scheme),
        };
        if uri.headers.is_some() {
            return Err(Untyped::UriHeaders);
        }
        let auth = match uri.user {
            None => None,
            Some(user) => {
                let password = uri.password.map(text).transpose()?.map(str::to_owned);
                Some(rsip::Auth { user: text(user)?.to_owned(), password })
            }
        };
        Ok(Self {
            scheme: Some(scheme),
            auth,
            host_with_port: place(&uri.host, uri.port)?,
            params: params(uri.params)?,
            headers: Vec::new(),
        })
    }
}

fn place(host: &Host<'_>, port: Option<u16>) -> Result<rsip::HostWithPort, Untyped> {
    let host = match host {
        Host::V4(address) => rsip::Host::IpAddr((*address).into()),
        // As an address rsip would print it without the brackets that a URI needs.
        Host::V6(address) => rsip::Host::Domain(format!("[{address}]").into()),
        Host::Name(name) => rsip::Host::Domain(text(name)?.into()),
        Host::None => return Err(Untyped::Scheme),
    };
    Ok(rsip::HostWithPort { host, port: port.map(Into::into) })
}

fn params(params: Params<'_>) -> Result<Vec<rsip::Param>, Untyped> {
    params.iter().map(param).collect()
}

fn param(param: Param<'_>) -> Result<rsip::Param, Untyped> {
    use rsip::param::{Branch, Expires, Maddr, OtherParam, OtherParamValue, Q, Received, Tag, Ttl, User};
    let name = text(param.name)?;
    let value = param.value.map(text).transpose()?;
    let lower = name.to_ascii_lowercase();
    let known = match (lower.as_str(), value) {
        ("lr", None) => Some(rsip::Param::Lr),
        ("transport", Some(v)) => rsip::Transport::from_str(v).ok().map(rsip::Param::Transport),
        // rsip reads methods in any case; only an exact one is the same method.
        ("method", Some(v)) => rsip::Method::try_from(Method::of(v.as_bytes())).ok().map(rsip::Param::Method),
        ("user", Some(v)) => Some(rsip::Param::User(User::new(v))),
        ("ttl", Some(v)) => Some(rsip::Param::Ttl(Ttl::new(v))),
        ("maddr", Some(v)) => Some(rsip::Param::Maddr(Maddr::new(v))),
        ("branch", Some(v)) => Some(rsip::Param::Branch(Branch::new(v))),
        ("received", Some(v)) => Some(rsip::Param::Received(Received::new(v))),
        ("tag", Some(v)) => Some(rsip::Param::Tag(Tag::new(v))),
        ("expires", Some(v)) => Some(rsip::Param::Expires(Expires::new(v))),
        ("q", Some(v)) => Some(rsip::Param::Q(Q::new(v))),
        _ => None,
    };
    Ok(known.unwrap_or_else(|| rsip::Param::Other(OtherParam::new(name), value.map(OtherParamValue::new))))
}

impl TryFrom<Method> for rsip::Method {
    type Error = Untyped;

    fn try_from(method: Method) -> Result<Self, Untyped> {
        Ok(match method {
            Method::Ack => Self::Ack,
            Method::Bye => Self::Bye,
            Method::Cancel => Self::Cancel,
            Method::Info => Self::Info,
            Method::Invite => Self::Invite,
            Method::Message => Self::Message,
            Method::Notify => Self::Notify,
            Method::Options => Self::Options,
            Method::Prack => Self::PRack,
            Method::Publish => Self::Publish,
            Method::Refer => Self::Refer,
            Method::Register => Self::Register,
            Method::Subscribe => Self::Subscribe,
            Method::Update => Self::Update,
            Method::Other => return Err(Untyped::Method),
        })
    }
}

impl From<rsip::Method> for Method {
    fn from(method: rsip::Method) -> Self {
        match method {
            rsip::Method::Ack => Self::Ack,
            rsip::Method::Bye => Self::Bye,
            rsip::Method::Cancel => Self::Cancel,
            rsip::Method::Info => Self::Info,
            rsip::Method::Invite => Self::Invite,
            rsip::Method::Message => Self::Message,
            rsip::Method::Notify => Self::Notify,
            rsip::Method::Options => Self::Options,
            rsip::Method::PRack => Self::Prack,
            rsip::Method::Publish => Self::Publish,
            rsip::Method::Refer => Self::Refer,
            rsip::Method::Register => Self::Register,
            rsip::Method::Subscribe => Self::Subscribe,
            rsip::Method::Update => Self::Update,
        }
    }
}

impl TryFrom<ViaRef<'_>> for rsip::typed::Via {
    type Error = Untyped;

    fn try_from(via: ViaRef<'_>) -> Result<Self, Untyped> {
        let transport = match via.transport {
            Transport::Udp => rsip::Transport::Udp,
            Transport::Tcp => rsip::Transport::Tcp,
            Transport::Tls => rsip::Transport::Tls,
            Transport::Sctp => rsip::Transport::Sctp,
            Transport::Ws => rsip::Transport::Ws,
            Transport::Wss => rsip::Transport::Wss,
            Transport::Other => return Err(Untyped::Transport),
        };
        let host_with_port = place(&via.host, via.port)?;
        let uri = rsip::Uri { scheme: None, auth: None, host_with_port, params: Vec::new(), headers: Vec::new() };
        Ok(Self { version: rsip::Version::V2, transport, uri, params: params(via.params)? })
    }
}

impl TryFrom<CSeq<'_>> for rsip::typed::CSeq {
    type Error = Untyped;

    fn try_from(cseq: CSeq<'_>) -> Result<Self, Untyped> {
        Ok(Self { seq: cseq.number, method: cseq.method.try_into()? })
    }
}

/// Display name, URI and parameters, owned.
fn parts(address: NameAddrRef<'_>) -> Result<(Option<String>, rsip::Uri, Vec<rsip::Param>), Untyped> {
    let display = address.display.map(text).transpose()?.map(str::to_owned);
    Ok((display, address.uri.try_into()?, params(address.params)?))
}

impl TryFrom<NameAddrRef<'_>> for rsip::typed::From {
    type Error = Untyped;

    fn try_from(address: NameAddrRef<'_>) -> Result<Self, Untyped> {
        parts(address).map(|(display_name, uri, params)| Self { display_name, uri, params })
    }
}

impl TryFrom<NameAddrRef<'_>> for rsip::typed::To {
    type Error = Untyped;

    fn try_from(address: NameAddrRef<'_>) -> Result<Self, Untyped> {
        parts(address).map(|(display_name, uri, params)| Self { display_name, uri, params })
    }
}

/// The status with rsip's name for it.
pub fn status_code(status: u16) -> rsip::StatusCode {
    status.into()
}

/// The reason phrase of the RFC that defines the status, or of its class. rsip would print `486 BusyHere`.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        417 => "Unknown Resource-Priority",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        424 => "Bad Location Information",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        433 => "Anonymity Disallowed",
        436 => "Bad Identity Info",
        437 => "Unsupported Credential",
        438 => "Invalid Identity Header",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        470 => "Consent Needed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        _ => match status / 100 {
            1 => "Provisional",
            2 => "Success",
            3 => "Redirection",
            4 => "Client Error",
            5 => "Server Error",
            _ => "Global Failure",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Strictness;

    fn uri(text: &str) -> Result<rsip::Uri, Untyped> {
        UriRef::parse(text.as_bytes()).unwrap().try_into()
    }

    #[test]
    fn what_rsip_reads_wrongly_survives_when_we_read_it() {
        for text in [
            "sip:john.smith@h",
            "sip:a@[2001:db8::1]:5070",
            "sips:a:secret@h;lr;x=%41;y=[z",
            "sip:911;phone-context=+1@h;user=phone",
            "sip:h;transport=UNKNOWN;method=invite",
        ] {
            assert_eq!(uri(text).unwrap().to_string(), text);
        }
        assert_eq!(uri("sip:john.smith@h").unwrap().user(), Some("john.smith"));
    }

    #[test]
    fn what_rsip_cannot_hold_says_so() {
        assert_eq!(uri("tel:911"), Err(Untyped::Scheme));
        assert_eq!(uri("urn:service:sos"), Err(Untyped::Scheme));
        assert_eq!(uri("sip:h?Replaces=x"), Err(Untyped::UriHeaders));
        let latin = UriRef::parse(b"sip:\xe9@h").unwrap();
        assert_eq!(rsip::Uri::try_from(latin), Err(Untyped::NotUtf8));
        let via = ViaRef::parse(b"SIP/2.0/UNKNOWN h").unwrap();
        assert_eq!(rsip::typed::Via::try_from(via), Err(Untyped::Transport));
        let cseq = CSeq::parse(b"1 FOO").unwrap();
        assert_eq!(rsip::typed::CSeq::try_from(cseq), Err(Untyped::Method));
    }

    #[test]
    fn header_values_become_typed_ones() {
        let address = NameAddrRef::parse(br#""A <b>" <sip:a@h>;tag=1;q=0.5"#, Strictness::Strict).unwrap();
        let from = rsip::typed::From::try_from(address).unwrap();
        assert_eq!((from.to_string().as_str(), from.tag().is_some()), (r#""A <b>" <sip:a@h>;tag=1;q=0.5"#, true));
        assert_eq!(rsip::typed::To::try_from(address).unwrap().to_string(), from.to_string());
        let via = rsip::typed::Via::try_from(ViaRef::parse(b"SIP/2.0/TLS h ;branch = z9hG4bK-a=b").unwrap()).unwrap();
        assert_eq!(via.to_string(), "SIP/2.0/TLS h;branch=z9hG4bK-a=b");
    }

    #[test]
    fn methods_go_both_ways() {
        for method in Method::KNOWN {
            let typed = rsip::Method::try_from(method).unwrap();
            assert_eq!(typed.to_string(), method.as_str());
            assert_eq!(Method::from(typed), method);
        }
    }

    #[test]
    fn reason_phrases_are_those_of_the_rfcs() {
        for (status, phrase) in
            [(486, "Busy Here"), (183, "Session Progress"), (580, "Precondition Failure"), (499, "Client Error")]
        {
            assert_eq!(reason_phrase(status), phrase);
            assert_eq!(status_code(status).code(), status);
        }
    }
}
