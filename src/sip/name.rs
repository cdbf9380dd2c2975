//! Names: header fields, long and compact, and methods.

/// A header field's name, as far as this node knows it. Case and the compact form do not matter (RFC 3261, 7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each variant is the header it is called after
pub enum Name {
    Accept,
    AcceptContact,
    AcceptEncoding,
    AcceptLanguage,
    AlertInfo,
    Allow,
    AllowEvents,
    AuthenticationInfo,
    Authorization,
    CallId,
    CallInfo,
    Contact,
    ContentDisposition,
    ContentEncoding,
    ContentId,
    ContentLanguage,
    ContentLength,
    ContentType,
    CSeq,
    Date,
    Diversion,
    ErrorInfo,
    Event,
    Expires,
    From,
    Geolocation,
    GeolocationError,
    GeolocationRouting,
    HistoryInfo,
    Identity,
    IdentityInfo,
    InReplyTo,
    Join,
    MaxBreadth,
    MaxForwards,
    MimeVersion,
    MinExpires,
    MinSe,
    Organization,
    PAccessNetworkInfo,
    PAssertedIdentity,
    PPreferredIdentity,
    Path,
    Priority,
    Privacy,
    ProxyAuthenticate,
    ProxyAuthorization,
    ProxyRequire,
    RAck,
    RSeq,
    Reason,
    RecordRoute,
    ReferSub,
    ReferTo,
    ReferredBy,
    RejectContact,
    RemotePartyId,
    Replaces,
    ReplyTo,
    RequestDisposition,
    Require,
    ResourcePriority,
    RetryAfter,
    Route,
    Server,
    ServiceRoute,
    SessionExpires,
    SessionId,
    SipEtag,
    SipIfMatch,
    Subject,
    SubscriptionState,
    Supported,
    Timestamp,
    To,
    Unsupported,
    UserAgent,
    UserToUser,
    Via,
    Warning,
    WwwAuthenticate,
    /// Any other header: kept and forwarded, never understood.
    Other,
}

impl Name {
    /// The name these octets spell, in any case, long or compact.
    pub fn of(text: &[u8]) -> Self {
        if let [letter] = text {
            return compact(letter.to_ascii_lowercase());
        }
        let Some(first) = text.first() else { return Self::Other };
        // Most names of a length differ in their first letter already, and most are written as the RFCs write them.
        let is_it = |spelling: &[u8]| {
            spelling.first().is_some_and(|letter| (letter ^ first) & !0x20 == 0)
                && (text == spelling || text.eq_ignore_ascii_case(spelling))
        };
        by_length(text.len())
            .iter()
            .find(|(spelling, _)| is_it(spelling.as_bytes()))
            .map_or(Self::Other, |(_, name)| *name)
    }

    /// The long form as it is usually written; empty for [`Name::Other`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "Accept",
            Self::AcceptContact => "Accept-Contact",
            Self::AcceptEncoding => "Accept-Encoding",
            Self::AcceptLanguage => "Accept-Language",
            Self::AlertInfo => "Alert-Info",
            Self::Allow => "Allow",
            Self::AllowEvents => "Allow-Events",
            Self::AuthenticationInfo => "Authentication-Info",
            Self::Authorization => "Authorization",
            Self::CallId => "Call-ID",
            Self::CallInfo => "Call-Info",
            Self::Contact => "Contact",
            Self::ContentDisposition => "Content-Disposition",
            Self::ContentEncoding => "Content-Encoding",
            Self::ContentId => "Content-ID",
            Self::ContentLanguage => "Content-Language",
            Self::ContentLength => "Content-Length",
            Self::ContentType => "Content-Type",
            Self::CSeq => "CSeq",
            Self::Date => "Date",
            Self::Diversion => "Diversion",
            Self::ErrorInfo => "Error-Info",
            Self::Event => "Event",
            Self::Expires => "Expires",
            Self::From => "From",
            Self::Geolocation => "Geolocation",
            Self::GeolocationError => "Geolocation-Error",
            Self::GeolocationRouting => "Geolocation-Routing",
            Self::HistoryInfo => "History-Info",
            Self::Identity => "Identity",
            Self::IdentityInfo => "Identity-Info",
            Self::InReplyTo => "In-Reply-To",
            Self::Join => "Join",
            Self::MaxBreadth => "Max-Breadth",
            Self::MaxForwards => "Max-Forwards",
            Self::MimeVersion => "MIME-Version",
            Self::MinExpires => "Min-Expires",
            Self::MinSe => "Min-SE",
            Self::Organization => "Organization",
            Self::PAccessNetworkInfo => "P-Access-Network-Info",
            Self::PAssertedIdentity => "P-Asserted-Identity",
            Self::PPreferredIdentity => "P-Preferred-Identity",
            Self::Path => "Path",
            Self::Priority => "Priority",
            Self::Privacy => "Privacy",
            Self::ProxyAuthenticate => "Proxy-Authenticate",
            Self::ProxyAuthorization => "Proxy-Authorization",
            Self::ProxyRequire => "Proxy-Require",
            Self::RAck => "RAck",
            Self::RSeq => "RSeq",
            Self::Reason => "Reason",
            Self::RecordRoute => "Record-Route",
            Self::ReferSub => "Refer-Sub",
            Self::ReferTo => "Refer-To",
            Self::ReferredBy => "Referred-By",
            Self::RejectContact => "Reject-Contact",
            Self::RemotePartyId => "Remote-Party-ID",
            Self::Replaces => "Replaces",
            Self::ReplyTo => "Reply-To",
            Self::RequestDisposition => "Request-Disposition",
            Self::Require => "Require",
            Self::ResourcePriority => "Resource-Priority",
            Self::RetryAfter => "Retry-After",
            Self::Route => "Route",
            Self::Server => "Server",
            Self::ServiceRoute => "Service-Route",
            Self::SessionExpires => "Session-Expires",
            Self::SessionId => "Session-ID",
            Self::SipEtag => "SIP-ETag",
            Self::SipIfMatch => "SIP-If-Match",
            Self::Subject => "Subject",
            Self::SubscriptionState => "Subscription-State",
            Self::Supported => "Supported",
            Self::Timestamp => "Timestamp",
            Self::To => "To",
            Self::Unsupported => "Unsupported",
            Self::UserAgent => "User-Agent",
            Self::UserToUser => "User-to-User",
            Self::Via => "Via",
            Self::Warning => "Warning",
            Self::WwwAuthenticate => "WWW-Authenticate",
            Self::Other => "",
        }
    }
}

/// The registered one-letter forms.
fn compact(letter: u8) -> Name {
    match letter {
        b'a' => Name::AcceptContact,
        b'b' => Name::ReferredBy,
        b'c' => Name::ContentType,
        b'd' => Name::RequestDisposition,
        b'e' => Name::ContentEncoding,
        b'f' => Name::From,
        b'i' => Name::CallId,
        b'j' => Name::RejectContact,
        b'k' => Name::Supported,
        b'l' => Name::ContentLength,
        b'm' => Name::Contact,
        b'n' => Name::IdentityInfo,
        b'o' => Name::Event,
        b'r' => Name::ReferTo,
        b's' => Name::Subject,
        b't' => Name::To,
        b'u' => Name::AllowEvents,
        b'v' => Name::Via,
        b'x' => Name::SessionExpires,
        b'y' => Name::Identity,
        _ => Name::Other,
    }
}

/// Names by their length: a field is compared with a handful of candidates, not with all of them.
fn by_length(length: usize) -> &'static [(&'static str, Name)] {
    match length {
        2 => &[("To", Name::To)],
        3 => &[("Via", Name::Via)],
        4 => &[
            ("From", Name::From),
            ("CSeq", Name::CSeq),
            ("Date", Name::Date),
            ("Join", Name::Join),
            ("Path", Name::Path),
            ("RAck", Name::RAck),
            ("RSeq", Name::RSeq),
        ],
        5 => &[("Route", Name::Route), ("Allow", Name::Allow), ("Event", Name::Event)],
        6 => &[("Accept", Name::Accept), ("Min-SE", Name::MinSe), ("Reason", Name::Reason), ("Server", Name::Server)],
        7 => &[
            ("Contact", Name::Contact),
            ("Call-ID", Name::CallId),
            ("Expires", Name::Expires),
            ("Privacy", Name::Privacy),
            ("Require", Name::Require),
            ("Subject", Name::Subject),
            ("Warning", Name::Warning),
        ],
        8 => &[
            ("Identity", Name::Identity),
            ("Priority", Name::Priority),
            ("Refer-To", Name::ReferTo),
            ("Replaces", Name::Replaces),
            ("Reply-To", Name::ReplyTo),
            ("SIP-ETag", Name::SipEtag),
        ],
        9 => &[
            ("Supported", Name::Supported),
            ("Call-Info", Name::CallInfo),
            ("Diversion", Name::Diversion),
            ("Refer-Sub", Name::ReferSub),
            ("Timestamp", Name::Timestamp),
        ],
        10 => &[
            ("User-Agent", Name::UserAgent),
            ("Alert-Info", Name::AlertInfo),
            ("Content-ID", Name::ContentId),
            ("Error-Info", Name::ErrorInfo),
            ("Session-ID", Name::SessionId),
        ],
        11 => &[
            ("Geolocation", Name::Geolocation),
            ("In-Reply-To", Name::InReplyTo),
            ("Max-Breadth", Name::MaxBreadth),
            ("Min-Expires", Name::MinExpires),
            ("Referred-By", Name::ReferredBy),
            ("Retry-After", Name::RetryAfter),
            ("Unsupported", Name::Unsupported),
        ],
        12 => &[
            ("Content-Type", Name::ContentType),
            ("Max-Forwards", Name::MaxForwards),
            ("Record-Route", Name::RecordRoute),
            ("Allow-Events", Name::AllowEvents),
            ("History-Info", Name::HistoryInfo),
            ("MIME-Version", Name::MimeVersion),
            ("Organization", Name::Organization),
            ("SIP-If-Match", Name::SipIfMatch),
            ("User-to-User", Name::UserToUser),
        ],
        13 => &[
            ("Authorization", Name::Authorization),
            ("Identity-Info", Name::IdentityInfo),
            ("Proxy-Require", Name::ProxyRequire),
            ("Service-Route", Name::ServiceRoute),
        ],
        14 => &[
            ("Content-Length", Name::ContentLength),
            ("Accept-Contact", Name::AcceptContact),
            ("Reject-Contact", Name::RejectContact),
        ],
        15 => &[
            ("Accept-Encoding", Name::AcceptEncoding),
            ("Accept-Language", Name::AcceptLanguage),
            ("Remote-Party-ID", Name::RemotePartyId),
            ("Session-Expires", Name::SessionExpires),
        ],
        16 => &[
            ("Content-Encoding", Name::ContentEncoding),
            ("Content-Language", Name::ContentLanguage),
            ("WWW-Authenticate", Name::WwwAuthenticate),
        ],
        17 => &[("Geolocation-Error", Name::GeolocationError), ("Resource-Priority", Name::ResourcePriority)],
        18 => &[("Proxy-Authenticate", Name::ProxyAuthenticate), ("Subscription-State", Name::SubscriptionState)],
        19 => &[
            ("Authentication-Info", Name::AuthenticationInfo),
            ("Content-Disposition", Name::ContentDisposition),
            ("Geolocation-Routing", Name::GeolocationRouting),
            ("P-Asserted-Identity", Name::PAssertedIdentity),
            ("Proxy-Authorization", Name::ProxyAuthorization),
            ("Request-Disposition", Name::RequestDisposition),
        ],
        20 => &[("P-Preferred-Identity", Name::PPreferredIdentity)],
        21 => &[("P-Access-Network-Info", Name::PAccessNetworkInfo)],
        _ => &[],
    }
}

/// A request method. Methods are case-sensitive (RFC 3261, 7.1): `invite` is not INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each variant is the method it is called after
pub enum Method {
    Ack,
    Bye,
    Cancel,
    Info,
    Invite,
    Message,
    Notify,
    Options,
    Prack,
    Publish,
    Refer,
    Register,
    Subscribe,
    Update,
    /// Any other token: forwarded like a method we know, its text taken from the message.
    Other,
}

impl Method {
    /// Every method with a name of its own.
    pub const KNOWN: [Self; 14] = [
        Self::Ack,
        Self::Bye,
        Self::Cancel,
        Self::Info,
        Self::Invite,
        Self::Message,
        Self::Notify,
        Self::Options,
        Self::Prack,
        Self::Publish,
        Self::Refer,
        Self::Register,
        Self::Subscribe,
        Self::Update,
    ];

    /// The method these octets spell exactly.
    pub fn of(token: &[u8]) -> Self {
        match token {
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"INFO" => Self::Info,
            b"INVITE" => Self::Invite,
            b"MESSAGE" => Self::Message,
            b"NOTIFY" => Self::Notify,
            b"OPTIONS" => Self::Options,
            b"PRACK" => Self::Prack,
            b"PUBLISH" => Self::Publish,
            b"REFER" => Self::Refer,
            b"REGISTER" => Self::Register,
            b"SUBSCRIBE" => Self::Subscribe,
            b"UPDATE" => Self::Update,
            _ => Self::Other,
        }
    }

    /// The method these octets spell in letters of another case, which is another method (RFC 3261 section 7.1) that nobody
    /// has. `None` where they spell it exactly.
    pub fn of_other_case(token: &[u8]) -> Option<Self> {
        let is_it = |method: &Self| method.as_str().as_bytes().eq_ignore_ascii_case(token);
        Self::KNOWN.into_iter().find(is_it).filter(|method| method.as_str().as_bytes() != token)
    }

    /// The method's token; empty for [`Method::Other`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Info => "INFO",
            Self::Invite => "INVITE",
            Self::Message => "MESSAGE",
            Self::Notify => "NOTIFY",
            Self::Options => "OPTIONS",
            Self::Prack => "PRACK",
            Self::Publish => "PUBLISH",
            Self::Refer => "REFER",
            Self::Register => "REGISTER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Update => "UPDATE",
            Self::Other => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_in_other_letters_is_told_from_the_method_and_from_others() {
        for method in Method::KNOWN {
            let small = method.as_str().to_ascii_lowercase();
            assert_eq!(
                (Method::of(small.as_bytes()), Method::of_other_case(small.as_bytes())),
                (Method::Other, Some(method))
            );
            assert_eq!(Method::of_other_case(method.as_str().as_bytes()), None);
        }
        assert_eq!((Method::of_other_case(b"invites"), Method::of_other_case(b"")), (None, None));
    }

    #[test]
    fn every_name_is_found_by_its_text_in_any_case() {
        for length in 0..40 {
            for (spelling, name) in by_length(length) {
                assert_eq!(spelling.len(), length);
                assert_eq!(name.as_str(), *spelling);
                assert_eq!(Name::of(spelling.as_bytes()), *name);
                assert_eq!(Name::of(spelling.to_ascii_uppercase().as_bytes()), *name);
            }
        }
        assert_eq!(Name::of(b"X-Anything"), Name::Other);
        assert_eq!(Name::of(b""), Name::Other);
    }

    #[test]
    fn a_compact_letter_stands_for_its_header() {
        for (letter, name) in [
            (b"v", Name::Via),
            (b"F", Name::From),
            (b"t", Name::To),
            (b"i", Name::CallId),
            (b"m", Name::Contact),
            (b"k", Name::Supported),
            (b"L", Name::ContentLength),
            (b"c", Name::ContentType),
            (b"e", Name::ContentEncoding),
            (b"s", Name::Subject),
            (b"u", Name::AllowEvents),
            (b"r", Name::ReferTo),
            (b"b", Name::ReferredBy),
            (b"d", Name::RequestDisposition),
            (b"j", Name::RejectContact),
            (b"x", Name::SessionExpires),
            (b"n", Name::IdentityInfo),
            (b"o", Name::Event),
            (b"y", Name::Identity),
            (b"a", Name::AcceptContact),
            (b"q", Name::Other),
        ] {
            assert_eq!(Name::of(letter), name);
        }
    }

    #[test]
    fn methods_are_case_sensitive() {
        for method in Method::KNOWN {
            assert_eq!(Method::of(method.as_str().as_bytes()), method);
            assert_eq!(Method::of(method.as_str().to_ascii_lowercase().as_bytes()), Method::Other);
        }
    }
}
