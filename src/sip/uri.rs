//! URIs and name-addrs as views into a message (RFC 3261, sections 19.1, 20.10 and 25.1; RFC 3966).

use super::malformed::Malformed;
use super::name::is_token;
use super::param::{Params, quoted_len, skip_space, trim};
use super::read::Strictness;
use super::scan::{decimal, is_space};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip`
    Sip,
    /// `sips`
    Sips,
    /// `tel`
    Tel,
    /// `urn`
    Urn,
    /// Any other: kept; as a Request-URI it is answered 416.
    Other,
}

/// The host of a URI or of a Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A dotted IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
    /// A domain name as written; compare it in any case.
    Name(&'a [u8]),
    /// A scheme without a host.
    None,
}

impl<'a> Host<'a> {
    /// The host `text` spells: an address, a bracketed IPv6 address or a domain name.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        if let Some(inside) = text.strip_prefix(b"[") {
            return ipv6(inside.strip_suffix(b"]")?).map(Self::V6);
        }
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if text.is_empty() || !text.iter().all(is_name) {
            return None;
        }
        let trimmed = text.strip_suffix(b".").unwrap_or(text);
        let last_label = trimmed.rsplit(|b| *b == b'.').next()?;
        // A top label never begins with a digit, so this is an address or nothing.
        if last_label.first()?.is_ascii_digit() && last_label.iter().all(u8::is_ascii_digit) {
            return std::str::from_utf8(text).ok()?.parse().ok().map(Self::V4);
        }
        Some(Self::Name(text))
    }

    /// The address, where the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
            Self::Name(_) | Self::None => None,
        }
    }

    /// Whether both name the same host: addresses by value, names in any case.
    pub fn is_same(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Self::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::None, Host::None) => true,
            _ => self.ip().is_some() && self.ip() == other.ip(),
        }
    }
}

/// An IPv6 address, also with the third colon that an error in the RFC 3261 grammar invites (RFC 5118, section 4.9).
pub(super) fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let spelled = std::str::from_utf8(text).ok()?;
    if let Ok(address) = spelled.parse() {
        return Some(address);
    }
    let (before, after) = spelled.split_once(":::")?;
    let mut fixed = [0_u8; 48];
    let mut at = 0;
    for part in [before.as_bytes(), b"::", after.as_bytes()] {
        fixed.get_mut(at..at + part.len())?.copy_from_slice(part);
        at += part.len();
    }
    std::str::from_utf8(fixed.get(..at)?).ok()?.parse().ok()
}

/// The host and port `text` spells, white space around the colon allowed; what follows must be cut off before.
pub(super) fn host_port(text: &[u8]) -> Option<(Host<'_>, Option<u16>)> {
    let host_len = match text.first()? {
        b'[' => memchr::memchr(b']', text)? + 1,
        _ => memchr::memchr(b':', text).unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(host_len)?;
    let host = Host::parse(trim(host))?;
    let rest = skip_space(rest);
    if rest.is_empty() {
        return Some((host, None));
    }
    let port = decimal(trim(rest.strip_prefix(b":")?))?;
    Some((host, Some(u16::try_from(port).ok().filter(|port| *port != 0)?)))
}

/// A URI taken apart. Nothing is decoded; [`unescape`] does that where a policy asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriRef<'a> {
    /// The whole URI as written.
    pub raw: &'a [u8],
    /// The scheme.
    pub scheme: Scheme,
    /// The user part (`sip`, `sips`), possibly with telephone parameters inside, or the number (`tel`).
    pub user: Option<&'a [u8]>,
    /// The password, forwarded and never looked at.
    pub password: Option<&'a [u8]>,
    /// The host; [`Host::None`] outside `sip` and `sips`.
    pub host: Host<'a>,
    /// The port, 1 to 65535, where one is written.
    pub port: Option<u16>,
    /// The URI parameters.
    pub params: Params<'a>,
    /// What follows the question mark.
    pub headers: Option<&'a [u8]>,
}

impl<'a> UriRef<'a> {
    /// Takes a URI apart. `raw` is the URI alone, without brackets or white space.
    ///
    /// # Errors
    /// [`Malformed::Uri`], or [`Malformed::Escape`] for a broken percent escape in the user part.
    pub fn parse(raw: &'a [u8]) -> Result<Self, Malformed> {
        if raw.iter().any(|b| *b <= b' ' || matches!(b, 0x7f | b'<' | b'>' | b'"')) {
            return Err(Malformed::Uri);
        }
        let colon = memchr::memchr(b':', raw).ok_or(Malformed::Uri)?;
        let (name, rest) = raw.split_at(colon);
        let rest = rest.get(1..).unwrap_or(&[]);
        let is_scheme = name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !is_scheme || rest.is_empty() {
            return Err(Malformed::Uri);
        }
        let scheme = match name {
            _ if name.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
            _ if name.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
            _ if name.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
            _ if name.eq_ignore_ascii_case(b"urn") => Scheme::Urn,
            _ => Scheme::Other,
        };
        let bare = Self {
            raw,
            scheme,
            user: None,
            password: None,
            host: Host::None,
            port: None,
            params: Params::default(),
            headers: None,
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => bare.with_sip_parts(rest),
            Scheme::Tel => bare.with_tel_parts(rest).ok_or(Malformed::Uri),
            Scheme::Urn | Scheme::Other => Ok(bare),
        }
    }

    fn with_sip_parts(mut self, rest: &'a [u8]) -> Result<Self, Malformed> {
        let mut place = rest;
        // The user part may hold `;`, `?` and `/`, so the at sign is looked for before anything else; a second
        // one would let two parsers see two hosts.
        if let Some(at) = memchr::memchr(b'@', rest) {
            let (login, after) = rest.split_at(at);
            place = after.get(1..).unwrap_or(&[]);
            if memchr::memchr(b'@', place).is_some() {
                return Err(Malformed::Uri);
            }
            let colon = memchr::memchr(b':', login);
            let user = login.get(..colon.unwrap_or(login.len())).unwrap_or(&[]);
            if user.is_empty() {
                return Err(Malformed::Uri);
            }
            if !are_escapes_whole(login) {
                return Err(Malformed::Escape);
            }
            self.user = Some(user);
            self.password = colon.and_then(|colon| login.get(colon + 1..));
        }
        self.sip_place(place).ok_or(Malformed::Uri)
    }

    fn sip_place(mut self, place: &'a [u8]) -> Option<Self> {
        let question = memchr::memchr(b'?', place);
        let (place, headers) = place.split_at(question.unwrap_or(place.len()));
        self.headers = question.and(headers.get(1..));
        let (host, params) = place.split_at(memchr::memchr(b';', place).unwrap_or(place.len()));
        (self.host, self.port) = host_port(host)?;
        self.params = Params::parse(params)?;
        Some(self)
    }

    fn with_tel_parts(mut self, rest: &'a [u8]) -> Option<Self> {
        let (number, params) = rest.split_at(memchr::memchr(b';', rest).unwrap_or(rest.len()));
        let is_number = |b: &u8| b.is_ascii_hexdigit() || b"+*#-.()%".contains(b);
        if number.is_empty() || !number.iter().all(is_number) {
            return None;
        }
        self.user = Some(number);
        self.params = Params::parse(params)?;
        Some(self)
    }

    /// The value of a URI parameter, or of a parameter inside the user part (`911;phone-context=+1`).
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params.value(name).or_else(|| self.user_params().value(name))
    }

    /// The user part up to its first semicolon: the number of a telephone subscriber.
    pub fn number(&self) -> Option<&'a [u8]> {
        let user = self.user?;
        user.get(..memchr::memchr(b';', user).unwrap_or(user.len()))
    }

    /// The parameters inside the user part; none where what follows the semicolon is no parameter.
    pub fn user_params(&self) -> Params<'a> {
        let tail = self.user.and_then(|user| user.get(memchr::memchr(b';', user)?..));
        tail.and_then(Params::parse).unwrap_or_default()
    }

    /// Whether this is a loose router's URI (RFC 3261, section 19.1.1).
    pub fn is_loose(&self) -> bool {
        self.params.has("lr")
    }
}

fn are_escapes_whole(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text)
        .all(|at| text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// Decodes percent escapes into `into` and gives back the decoded part of it.
///
/// # Errors
/// [`Malformed::Escape`] for a broken escape, [`Malformed::Uri`] where `into` is too small.
pub fn unescape<'b>(text: &[u8], into: &'b mut [u8]) -> Result<&'b [u8], Malformed> {
    let mut used = 0;
    let mut rest = text.iter();
    while let Some(octet) = rest.next() {
        let decoded = if *octet == b'%' {
            let mut digit = || rest.next().and_then(|b| char::from(*b).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else { return Err(Malformed::Escape) };
            u8::try_from(high * 16 + low).map_err(|_| Malformed::Escape)?
        } else {
            *octet
        };
        *into.get_mut(used).ok_or(Malformed::Uri)? = decoded;
        used += 1;
    }
    Ok(into.get(..used).unwrap_or(&[]))
}

/// A display name, a URI and parameters: the value of From, To, Contact, Route and their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddrRef<'a> {
    /// The whole value.
    pub raw: &'a [u8],
    /// The display name as written, quotes included.
    pub display: Option<&'a [u8]>,
    /// The URI.
    pub uri: UriRef<'a>,
    /// Whether the URI stands in angle brackets.
    pub is_bracketed: bool,
    /// The parameters of the header value, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddrRef<'a> {
    /// Takes one value apart. Without brackets every parameter belongs to the header (RFC 3261, section 20).
    ///
    /// # Errors
    /// [`Malformed::Uri`] where it does not follow the grammar; [`Strictness::Lenient`] lets pass white space inside
    /// the brackets and separators in an unquoted display name (RFC 4475, `badaspec` and `baddn`).
    pub fn parse(raw: &'a [u8], strictness: Strictness) -> Result<Self, Malformed> {
        let raw = trim(raw);
        let (display, rest) = if raw.first() == Some(&b'"') {
            raw.split_at_checked(quoted_len(raw).ok_or(Malformed::Uri)?).ok_or(Malformed::Uri)?
        } else {
            match memchr::memchr(b'<', raw) {
                Some(bracket) => raw.split_at(bracket),
                None => return Self::without_brackets(raw),
            }
        };
        let display = trim(display);
        let is_token_list = || display.iter().all(|b| is_token(*b) || is_space(*b));
        let is_plain = match strictness {
            Strictness::Strict => display.first() == Some(&b'"') || is_token_list(),
            Strictness::Lenient => display.first() == Some(&b'"') || !display.contains(&b'"'),
        };
        let inside = skip_space(rest).strip_prefix(b"<").filter(|_| is_plain).ok_or(Malformed::Uri)?;
        let (uri, after) = inside.split_at(memchr::memchr(b'>', inside).ok_or(Malformed::Uri)?);
        let uri = match strictness {
            Strictness::Strict => uri,
            Strictness::Lenient => trim(uri),
        };
        Ok(Self {
            raw,
            display: (!display.is_empty()).then_some(display),
            uri: UriRef::parse(uri)?,
            is_bracketed: true,
            params: Params::parse(after.get(1..).unwrap_or(&[])).ok_or(Malformed::Uri)?,
        })
    }

    fn without_brackets(raw: &'a [u8]) -> Result<Self, Malformed> {
        let end = raw.iter().position(|b| *b == b';' || is_space(*b)).unwrap_or(raw.len());
        let (uri, params) = raw.split_at(end);
        // A comma, question mark or semicolon in the URI demands brackets; a Route smuggled in here must not be seen
        // as one by anybody (RFC 4475, `regbadct`).
        if uri.iter().any(|b| matches!(b, b'?' | b',')) {
            return Err(Malformed::Uri);
        }
        Ok(Self {
            raw,
            display: None,
            uri: UriRef::parse(uri)?,
            is_bracketed: false,
            params: Params::parse(params).ok_or(Malformed::Uri)?,
        })
    }

    /// The tag parameter.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.value("tag")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> UriRef<'_> {
        UriRef::parse(text.as_bytes()).unwrap_or_else(|why| panic!("{text}: {why:?}"))
    }

    #[test]
    fn a_uri_comes_apart_at_the_right_places() {
        let full = uri("sips:john.smith:se?cret@example.com:5061;transport=tls;lr?Subject=x&y=z");
        assert_eq!((full.scheme, full.user), (Scheme::Sips, Some(&b"john.smith"[..])));
        assert_eq!((full.password, full.port), (Some(&b"se?cret"[..]), Some(5061)));
        assert_eq!((full.host, full.headers), (Host::Name(b"example.com"), Some(&b"Subject=x&y=z"[..])));
        assert_eq!((full.param("Transport"), full.is_loose()), (Some(&b"tls"[..]), true));
        let bare = uri("SIP:10.0.0.1");
        assert_eq!((bare.user, bare.host.ip(), bare.port), (None, "10.0.0.1".parse().ok(), None));
        assert_eq!(uri("sip:[2001:db8::1]:5070").host.ip(), "2001:db8::1".parse().ok());
        assert_eq!(uri("sip:h?a=b").headers, Some(&b"a=b"[..]));
    }

    #[test]
    fn telephone_parameters_are_found_in_the_user_part_and_in_tel() {
        let sip = uri("sip:911;phone-context=+1;x=1@h;user=phone");
        assert_eq!((sip.number(), sip.param("phone-context")), (Some(&b"911"[..]), Some(&b"+1"[..])));
        assert_eq!(sip.param("user"), Some(&b"phone"[..]));
        let tel = uri("tel:+1-201-555-0123;ext=7");
        assert_eq!((tel.scheme, tel.number()), (Scheme::Tel, Some(&b"+1-201-555-0123"[..])));
        assert_eq!((tel.host, tel.param("ext")), (Host::None, Some(&b"7"[..])));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_no_uri() {
        for text in [
            "",
            "sip",
            "sip:",
            ":x",
            "1ip:h",
            "sip:@h",
            "sip:a@",
            "sip:a@b@c",
            "sip:a b@h",
            "sip:a@h:",
            "sip:a@h:x",
            "sip:a@h:70000",
            "sip:a@h:0",
            "sip:a@[::1",
            "sip:a@::1",
            "sip:a@h;",
            "sip:a@h;;x",
            "sip:a@1.2.3.256",
            "sip:a@1.2.3",
            "sip:a@h_%41",
            "sip:<a@h>",
            "tel:",
            "tel:abcxyz",
            "sip:a\u{7f}@h",
        ] {
            assert!(UriRef::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(UriRef::parse(b"sip:a%4@h"), Err(Malformed::Escape));
    }

    #[test]
    fn escapes_are_decoded_into_the_buffer_given() {
        let mut buffer = [0; 8];
        assert_eq!(unescape(b"%2b1%30a", &mut buffer), Ok(&b"+10a"[..]));
        assert_eq!(unescape(b"%00", &mut buffer), Ok(&b"\0"[..]));
        for (text, why) in [("%", Malformed::Escape), ("%4", Malformed::Escape), ("%zz", Malformed::Escape)] {
            assert_eq!(unescape(text.as_bytes(), &mut buffer), Err(why));
        }
        assert_eq!(unescape(b"123456789", &mut buffer), Err(Malformed::Uri));
    }

    #[test]
    fn hosts_are_the_same_by_value() {
        let same = |a: &str, b: &str| Host::parse(a.as_bytes()).unwrap().is_same(&Host::parse(b.as_bytes()).unwrap());
        assert!(same("Example.com", "eXample.COM") && same("[::1]", "[0:0::1]") && same("10.0.0.1", "10.0.0.1"));
        assert!(!same("a", "b") && !same("10.0.0.1", "10.0.0.2") && !same("[::1]", "a"));
    }

    #[test]
    fn addresses_are_read_with_and_without_brackets() {
        let read = |raw: &'static str| NameAddrRef::parse(raw.as_bytes(), Strictness::Strict).unwrap();
        let quoted = read(r#""A <b>; \"c\", d"  <sip:a@h;lr> ; tag = 1"#);
        assert_eq!(quoted.display, Some(&br#""A <b>; \"c\", d""#[..]));
        assert_eq!((quoted.tag(), quoted.uri.is_loose()), (Some(&b"1"[..]), true));
        let bare = read("sip:a@h;tag=1");
        assert_eq!((bare.tag(), bare.uri.params.raw(), bare.is_bracketed), (Some(&b"1"[..]), &b""[..], false));
        assert_eq!(read("Two Words <tel:1>").display, Some(&b"Two Words"[..]));
        assert_eq!(read("<tel:1>").display, None);
    }

    #[test]
    fn broken_addresses_are_refused_in_either_strictness() {
        for raw in [
            "",
            "<sip:a@h",
            "\"a <sip:a@h>",
            "a\" <sip:a@h>",
            "\"a\" b <sip:a@h>",
            "\"a\" sip:a@h",
            "<sip:a@h>x",
            "<sip:a@h>;",
            "sip:a@h?b=c",
            "sip:a,b@h",
            "<>",
            "sip:a@h junk",
        ] {
            for strictness in [Strictness::Strict, Strictness::Lenient] {
                assert!(NameAddrRef::parse(raw.as_bytes(), strictness).is_err(), "{raw}");
            }
        }
    }
}
