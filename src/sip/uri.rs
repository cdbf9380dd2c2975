//! URIs and name-addrs as views into a message (RFC 3261, sections 19.1, 20.10 and 25.1; RFC 3966).

use super::malformed::Malformed;
use super::octet::{DIGIT, HOST, SPACE, TOKEN, URI_INNER, behind, is, run};
use super::param::{Param, Params, first_param, quoted_len, skip_space, trim};
use super::read::Strictness;
use super::scan::decimal;
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
        if let Some((address, [])) = ipv4(text) {
            return Some(Self::V4(address));
        }
        if text.is_empty() || run(text, HOST) != text.len() {
            return None;
        }
        let trimmed = text.strip_suffix(b".").unwrap_or(text);
        let last_label = trimmed.rsplit(|b| *b == b'.').next()?;
        // A top label never begins with a digit, so this would have to be an address, and it is none.
        let is_number = !last_label.is_empty() && run(last_label, DIGIT) == last_label.len();
        (!last_label.is_empty() && !is_number).then_some(Self::Name(text))
    }

    /// The address, where the host is one; an IPv4 address in IPv6 form is that IPv4 address, as which its host is known.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address).to_canonical()),
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

/// The dotted IPv4 address `text` begins with, and what follows; numbers of up to three digits, none with a zero before
/// it, which some readers take for octal.
fn ipv4(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (mut address, mut dots) = (0_u32, 0_u8);
    // The number that is being read, once it has a digit.
    let mut number: Option<u32> = None;
    let mut end = text.len();
    for (place, octet) in text.iter().enumerate() {
        let digit = octet.wrapping_sub(b'0');
        if digit <= 9 {
            if number == Some(0) {
                return None;
            }
            let longer = number.unwrap_or(0).wrapping_mul(10).wrapping_add(u32::from(digit));
            if longer > 255 {
                return None;
            }
            number = Some(longer);
        } else if let (b'.', 0..=2, Some(whole)) = (*octet, dots, number) {
            address = address << 8 | whole;
            (dots, number) = (dots.saturating_add(1), None);
        } else {
            end = place;
            break;
        }
    }
    let last = number.filter(|_| dots == 3)?;
    Some((Ipv4Addr::from_bits(address << 8 | last), text.get(end..)?))
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
        let end = part.len().checked_add(at)?;
        fixed.get_mut(at..end)?.copy_from_slice(part);
        at = end;
    }
    std::str::from_utf8(fixed.get(..at)?).ok()?.parse().ok()
}

/// The host and port `text` spells, white space around the colon allowed; what follows must be cut off before.
pub(super) fn host_port(text: &[u8]) -> Option<(Host<'_>, Option<u16>)> {
    match ipv4(text) {
        Some((address, [])) => return Some((Host::V4(address), None)),
        Some((address, [b':', digits @ ..])) if !digits.is_empty() && run(digits, DIGIT) == digits.len() => {
            return Some((Host::V4(address), Some(port(digits)?)));
        }
        _ => {}
    }
    let host_len = match text.first()? {
        b'[' => memchr::memchr(b']', text)?.checked_add(1)?,
        _ => memchr::memchr(b':', text).unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(host_len)?;
    let host = Host::parse(trim(host))?;
    let rest = skip_space(rest);
    if rest.is_empty() {
        return Some((host, None));
    }
    Some((host, Some(port(trim(rest.strip_prefix(b":")?))?)))
}

/// A port, 1 to 65535.
fn port(text: &[u8]) -> Option<u16> {
    u16::try_from(decimal(text)?).ok().filter(|port| *port != 0)
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

impl Scheme {
    /// The scheme these octets spell, in any case; `None` where they spell none.
    fn of(name: &[u8]) -> Option<Self> {
        let is_scheme = name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        Some(match name {
            _ if name.eq_ignore_ascii_case(b"sip") => Self::Sip,
            _ if name.eq_ignore_ascii_case(b"sips") => Self::Sips,
            _ if name.eq_ignore_ascii_case(b"tel") => Self::Tel,
            _ if name.eq_ignore_ascii_case(b"urn") => Self::Urn,
            _ if is_scheme => Self::Other,
            _ => return None,
        })
    }
}

/// Where the parts of a SIP URI are parted, in octets behind the colon of the scheme.
#[derive(Default)]
struct Marks {
    /// The first at sign.
    at: Option<usize>,
    has_two_ats: bool,
    /// The first colon before the at sign.
    login_colon: Option<usize>,
    /// A percent sign before the at sign.
    has_login_escape: bool,
    /// The first question mark behind the at sign.
    question: Option<usize>,
    /// The first semicolon behind the at sign and before that question mark.
    semicolon: Option<usize>,
}

impl Marks {
    /// Finds them in one pass; `None` for what stands in no URI. The user part may hold `;`, `?` and `/`, so nothing
    /// found before an at sign counts behind it.
    fn of(rest: &[u8]) -> Option<Self> {
        let mut marks = Self::default();
        let (mut colon, mut has_escape) = (None, false);
        for (place, octet) in rest.iter().enumerate() {
            if is(*octet, URI_INNER) {
                continue;
            }
            match octet {
                b'@' if marks.at.is_some() => marks.has_two_ats = true,
                b'@' => {
                    (marks.at, marks.login_colon, marks.has_login_escape) = (Some(place), colon, has_escape);
                    (marks.question, marks.semicolon) = (None, None);
                }
                b':' => colon = colon.or(Some(place)),
                b'%' => has_escape = true,
                b'?' => marks.question = marks.question.or(Some(place)),
                b';' if marks.question.is_none() => marks.semicolon = marks.semicolon.or(Some(place)),
                b';' => {}
                _ => return None,
            }
        }
        Some(marks)
    }
}

impl<'a> UriRef<'a> {
    /// Takes a URI apart. `raw` is the URI alone, without brackets or white space.
    ///
    /// # Errors
    /// [`Malformed::Uri`], or [`Malformed::Escape`] for a broken percent escape in the user part.
    pub fn parse(raw: &'a [u8]) -> Result<Self, Malformed> {
        let (name, rest) = raw.split_at(raw.iter().position(|b| *b == b':').ok_or(Malformed::Uri)?);
        let rest = rest.get(1..).unwrap_or(&[]);
        let scheme = Scheme::of(name).filter(|_| !rest.is_empty()).ok_or(Malformed::Uri)?;
        let marks = Marks::of(rest).ok_or(Malformed::Uri)?;
        let bare = Self::bare(raw, scheme);
        match scheme {
            Scheme::Sip | Scheme::Sips => bare.with_sip_parts(rest, &marks),
            Scheme::Tel => bare.with_tel_parts(rest).ok_or(Malformed::Uri),
            Scheme::Urn | Scheme::Other => Ok(bare),
        }
    }

    /// One that is known by its scheme alone.
    fn bare(raw: &'a [u8], scheme: Scheme) -> Self {
        Self {
            raw,
            scheme,
            user: None,
            password: None,
            host: Host::None,
            port: None,
            params: Params::default(),
            headers: None,
        }
    }

    fn with_sip_parts(mut self, rest: &'a [u8], marks: &Marks) -> Result<Self, Malformed> {
        // A second at sign would let two parsers see two hosts.
        if marks.has_two_ats {
            return Err(Malformed::Uri);
        }
        let mut place = 0;
        if let Some(at) = marks.at {
            let login = rest.get(..at).unwrap_or(&[]);
            let user = login.get(..marks.login_colon.unwrap_or(at)).unwrap_or(&[]);
            if user.is_empty() {
                return Err(Malformed::Uri);
            }
            if marks.has_login_escape && !are_escapes_whole(login) {
                return Err(Malformed::Escape);
            }
            self.user = Some(user);
            self.password = marks.login_colon.and_then(|colon| behind(login, colon));
            place = at.saturating_add(1);
        }
        self.sip_place(rest, place, marks).ok_or(Malformed::Uri)
    }

    /// Host, port, parameters and headers, from octet `place` on.
    fn sip_place(mut self, rest: &'a [u8], place: usize, marks: &Marks) -> Option<Self> {
        let params_end = marks.question.unwrap_or(rest.len());
        let host_end = marks.semicolon.unwrap_or(params_end);
        self.headers = marks.question.and_then(|question| behind(rest, question));
        (self.host, self.port) = host_port(rest.get(place..host_end)?)?;
        self.params = Params::parse(rest.get(host_end..params_end)?)?;
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

    /// The same without what follows the question mark.
    pub(crate) fn without_headers(mut self) -> Self {
        if let Some(headers) = self.headers.take() {
            let question = self.raw.len().saturating_sub(headers.len()).saturating_sub(1);
            self.raw = self.raw.get(..question).unwrap_or(self.raw);
        }
        self
    }

    /// Whether this is a loose router's URI (RFC 3261, section 19.1.1).
    pub fn is_loose(&self) -> bool {
        self.params.has("lr")
    }
}

fn are_escapes_whole(text: &[u8]) -> bool {
    let digits = |at| behind(text, at)?.get(..2);
    memchr::memchr_iter(b'%', text).all(|at| digits(at).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// Decodes percent escapes into `into` and gives back the decoded part of it.
///
/// # Errors
/// [`Malformed::Escape`] for a broken escape, [`Malformed::Uri`] where `into` is too small.
pub fn unescape<'b>(text: &[u8], into: &'b mut [u8]) -> Result<&'b [u8], Malformed> {
    let mut used = 0_usize;
    let mut rest = text.iter();
    while let Some(octet) = rest.next() {
        let decoded = if *octet == b'%' {
            let mut digit = || rest.next().and_then(|b| char::from(*b).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else { return Err(Malformed::Escape) };
            u8::try_from(high << 4 | low).map_err(|_| Malformed::Escape)?
        } else {
            *octet
        };
        *into.get_mut(used).ok_or(Malformed::Uri)? = decoded;
        used = used.saturating_add(1);
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
    /// The parameter `tag`; [`NameAddrRef::tag`] reads it.
    tag: Option<Param<'a>>,
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
        let is_token_list = || run(display, TOKEN | SPACE) == display.len();
        let is_plain = match strictness {
            Strictness::Strict => display.first() == Some(&b'"') || is_token_list(),
            Strictness::Lenient | Strictness::Salvage => display.first() == Some(&b'"') || !display.contains(&b'"'),
        };
        let inside = skip_space(rest).strip_prefix(b"<").filter(|_| is_plain).ok_or(Malformed::Uri)?;
        let (uri, after) = inside.split_at(memchr::memchr(b'>', inside).ok_or(Malformed::Uri)?);
        let uri = match strictness {
            Strictness::Strict => uri,
            Strictness::Lenient | Strictness::Salvage => trim(uri),
        };
        Self { raw, display: (!display.is_empty()).then_some(display), ..Self::of(UriRef::parse(uri)?, true) }
            .with_params(after.get(1..).unwrap_or(&[]))
    }

    fn without_brackets(raw: &'a [u8]) -> Result<Self, Malformed> {
        let end = raw.iter().position(|b| *b == b';' || is(*b, SPACE)).unwrap_or(raw.len());
        let (uri, params) = raw.split_at(end);
        // A comma, question mark or semicolon in the URI demands brackets; a Route smuggled in here must not be seen
        // as one by anybody (RFC 4475, `regbadct`).
        if uri.iter().any(|b| matches!(b, b'?' | b',')) {
            return Err(Malformed::Uri);
        }
        Self { raw, ..Self::of(UriRef::parse(uri)?, false) }.with_params(params)
    }

    /// A value that cannot be read: it names nobody, and only its tag is looked for, behind the bracket or the quotes that
    /// end, so that what an address or a name holds is not taken for it.
    pub(super) fn unreadable(raw: &'a [u8]) -> Self {
        let raw = trim(raw);
        let name_len = if raw.first() == Some(&b'"') { quoted_len(raw) } else { None };
        let tail = match memchr::memrchr(b'>', raw) {
            Some(bracket) => behind(raw, bracket),
            None => raw.get(name_len.unwrap_or(0)..),
        };
        let tail = tail.unwrap_or(&[]);
        let params = memchr::memchr_iter(b';', tail).filter_map(|at| first_param(behind(tail, at)?));
        let tag = params.into_iter().find(|param| param.name.eq_ignore_ascii_case(b"tag") && param.value.is_some());
        Self { tag, ..Self::of(UriRef::bare(raw, Scheme::Other), false) }
    }

    fn of(uri: UriRef<'a>, is_bracketed: bool) -> Self {
        Self { raw: uri.raw, display: None, uri, is_bracketed, params: Params::default(), tag: None }
    }

    fn with_params(mut self, raw: &'a [u8]) -> Result<Self, Malformed> {
        let tag = &mut self.tag;
        let params = Params::parse_each(raw, |param| {
            // Of two, the first counts.
            if tag.is_none() && param.name.eq_ignore_ascii_case(b"tag") {
                *tag = Some(param);
            }
        });
        self.params = params.ok_or(Malformed::Uri)?;
        Ok(self)
    }

    /// The tag parameter.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.tag?.unquoted()
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
        assert_eq!(uri("sip:[::ffff:10.0.0.1]:5070").host.ip(), "10.0.0.1".parse().ok(), "RFC 4291 2.5.5.2");
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
