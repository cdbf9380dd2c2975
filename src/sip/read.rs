//! Header values read when someone asks (RFC 3261, section 20): what every message must carry, lists, and the
//! headers this node understands.

use super::malformed::Malformed;
use super::message::{Message, Span, Start};
use super::name::{Method, Name};
use super::octet::{DIGIT, SPACE, TOKEN, behind, is, run};
use super::param::{Params, quoted_len, skip_space, trim};
use super::scan::decimal;
use super::uri::{NameAddrRef, Scheme, UriRef};
use super::via::ViaRef;
use crate::limits::{CONTACT_VALUES_MAX, HEADERS_MAX, ROUTE_VALUES_MAX, VALUES_ADDED_MAX, VIA_VALUES_MAX};

/// How closely a neighbour is held to the grammar where a slip can do no harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Every slip is refused.
    #[default]
    Strict,
    /// RFC 4475's `trws`, `baddate`, `badaspec` and `baddn` pass.
    Lenient,
    /// Whatever can be matched, routed and answered passes: for emergency calls and what belongs to them (P-23). Contact
    /// and Date are not looked at, an unreadable From or To names nobody and keeps its tag, an unreadable Max-Forwards
    /// counts as none, a header repeated word for word as one, and headers in the Request-URI are not seen.
    Salvage,
}

/// CSeq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method,
    /// The method as written.
    pub token: &'a [u8],
}

impl<'a> CSeq<'a> {
    /// Reads a CSeq value.
    ///
    /// # Errors
    /// [`Malformed::CSeqNumber`] beyond 32 bits, otherwise [`Malformed::Value`].
    pub fn parse(raw: &'a [u8]) -> Result<Self, Malformed> {
        const WRONG: Malformed = Malformed::Value(Name::CSeq);
        let raw = trim(raw);
        let (number, rest) = raw.split_at(run(raw, DIGIT));
        let token = skip_space(rest);
        if rest.len() == token.len() || token.is_empty() || run(token, TOKEN) != token.len() {
            return Err(WRONG);
        }
        let number = u32::try_from(decimal(number).ok_or(WRONG)?).map_err(|_| Malformed::CSeqNumber)?;
        Ok(Self { number, method: Method::of(token), token })
    }

    /// Reads a value that is none, as far as it can mean but one thing: without a method, which is `method` then, with
    /// something behind it, or with a number beyond 32 bits, of which the last 31 count, so that one after it stays one after
    /// it (RFC 3261 section 8.1.1.5). `None` without a number, or where neither tells the method.
    pub(super) fn salvage(raw: &'a [u8], method: &'a [u8]) -> Option<Self> {
        let raw = trim(raw);
        let (digits, rest) = raw.split_at(run(raw, DIGIT));
        let written = skip_space(rest);
        let token = written.get(..run(written, TOKEN))?;
        let token = if written.is_empty() { method } else { token };
        if digits.is_empty() || token.is_empty() {
            return None;
        }
        let number = match decimal(digits).map(u32::try_from)? {
            Ok(number) => number,
            Err(_) => low_bits(digits),
        };
        Some(Self { number, method: Method::of(token), token })
    }
}

/// The last 31 bits of a number of decimal digits.
fn low_bits(digits: &[u8]) -> u32 {
    let digit = |octet: &u8| u32::from(octet.wrapping_sub(b'0'));
    digits.iter().fold(0_u32, |sum, octet| sum.wrapping_mul(10).wrapping_add(digit(octet))) & (u32::MAX >> 1)
}

/// What every message carries, read and checked.
#[derive(Clone, Copy, Debug)]
pub struct Essentials<'a> {
    /// Call-ID.
    pub call_id: &'a [u8],
    /// From.
    pub from: NameAddrRef<'a>,
    /// From's tag; RFC 2543 elements leave it out.
    pub from_tag: Option<&'a [u8]>,
    /// To.
    pub to: NameAddrRef<'a>,
    /// To's tag: present within a dialog.
    pub to_tag: Option<&'a [u8]>,
    /// CSeq.
    pub cseq: CSeq<'a>,
    /// The top Via.
    pub via: ViaRef<'a>,
    /// Max-Forwards, where given.
    pub max_forwards: Option<u8>,
    /// The Request-URI; `None` in a response, and in a salvaged request where it cannot be read: that is none that could
    /// be routed by it. An unknown scheme is left to the caller, who answers 416.
    pub uri: Option<UriRef<'a>>,
}

/// Reads what every message must carry, and refuses what must not be forwarded.
///
/// # Errors
/// The first of: more headers than a request may have; a slip in the start line; a mandatory header missing, repeated or
/// malformed; too many Via, Route, Record-Route or Contact values; a malformed Contact; CSeq of another method; a
/// Request-URI that may not be acted on; in a request, Content-Type headers of different meaning.
pub fn essentials<'a>(message: &Message<'a>, strictness: Strictness) -> Result<Essentials<'a>, Malformed> {
    if message.method().is_some() && message.fields().len() > HEADERS_MAX {
        return Err(Malformed::TooManyHeaders);
    }
    let found = read(message, strictness)?;
    check_lists(message, strictness)?;
    if strictness != Strictness::Salvage && message.method().is_some() && message.has_content_types_that_differ() {
        return Err(Malformed::Twice(Name::ContentType));
    }
    if strictness == Strictness::Strict && message.value(Name::Date).is_some_and(|date| !is_date(date)) {
        return Err(Malformed::Value(Name::Date));
    }
    Ok(found)
}

/// As [`essentials`], of a message that was taken once, or that this node wrote: it is taken again, however it is written.
///
/// # Errors
/// As [`essentials`], for what nobody ever takes.
pub fn essentials_of_taken<'a>(message: &Message<'a>) -> Result<Essentials<'a>, Malformed> {
    read(message, Strictness::Lenient).or_else(|_| read(message, Strictness::Salvage))
}

fn read<'a>(message: &Message<'a>, strictness: Strictness) -> Result<Essentials<'a>, Malformed> {
    if strictness == Strictness::Strict && message.has_start_line_space() {
        return Err(Malformed::StartLineEnd);
    }
    let via = message.values(Name::Via).next().ok_or(Malformed::Missing(Name::Via))?;
    let via = ViaRef::parse(via.text)?;
    let address = |name| {
        let text = once(message, name, strictness)?.ok_or(Malformed::Missing(name))?;
        match (NameAddrRef::parse(text, strictness), strictness) {
            (Ok(address), _) => Ok(address),
            (Err(_), Strictness::Salvage) => Ok(NameAddrRef::unreadable(text)),
            (Err(_), _) => Err(Malformed::Value(name)),
        }
    };
    let (from, to) = (address(Name::From)?, address(Name::To)?);
    let call_id = once(message, Name::CallId, strictness)?.ok_or(Malformed::Missing(Name::CallId))?;
    if call_id.is_empty() || call_id.iter().any(|b| *b <= b' ' || *b == 0x7f) {
        return Err(Malformed::Value(Name::CallId));
    }
    let cseq = CSeq::parse(once(message, Name::CSeq, strictness)?.ok_or(Malformed::Missing(Name::CSeq))?)?;
    let max_forwards = match strictness {
        Strictness::Salvage => least_hops(message),
        _ => match once(message, Name::MaxForwards, strictness)? {
            None => None,
            Some(text) => Some(hops(text).ok_or(Malformed::MaxForwards)?),
        },
    };
    let uri = match message.start() {
        Start::Response { .. } => None,
        Start::Request { token, uri, .. } => {
            if message.text(token) != cseq.token {
                return Err(Malformed::CSeqMethod);
            }
            match (request_uri(message.text(uri), strictness), strictness) {
                (Ok(uri), _) => Some(uri),
                // Whoever was given a Contact that is none writes it here; the Routes of the dialog lead on.
                (Err(_), Strictness::Salvage) => None,
                (Err(why), _) => return Err(why),
            }
        }
    };
    Ok(Essentials { call_id, from, from_tag: from.tag(), to, to_tag: to.tag(), cseq, via, max_forwards, uri })
}

/// The value of a header that may stand once.
fn once<'a>(message: &Message<'a>, name: Name, strictness: Strictness) -> Result<Option<&'a [u8]>, Malformed> {
    let mut texts = message.all(name).map(|(_, field)| message.text(field.value));
    let first = texts.next();
    let is_one = match strictness {
        Strictness::Salvage => texts.all(|text| Some(text) == first),
        _ => texts.next().is_none(),
    };
    if is_one { Ok(first) } else { Err(Malformed::Twice(name)) }
}

/// A value of Max-Forwards; `None` where it is no number from 0 to 255.
pub(super) fn hops(text: &[u8]) -> Option<u8> {
    decimal(text).and_then(|hops| u8::try_from(hops).ok())
}

/// The least of the values of Max-Forwards that can be read.
pub(super) fn least_hops(message: &Message<'_>) -> Option<u8> {
    message.all(Name::MaxForwards).filter_map(|(_, field)| hops(message.text(field.value))).min()
}

fn request_uri(raw: &[u8], strictness: Strictness) -> Result<UriRef<'_>, Malformed> {
    let uri = UriRef::parse(raw).map_err(|_| Malformed::RequestUri)?;
    match (uri.scheme, strictness) {
        (Scheme::Sip | Scheme::Sips, Strictness::Salvage) => Ok(uri.without_headers()),
        (Scheme::Sip | Scheme::Sips, _) if uri.headers.is_some() => Err(Malformed::RequestUriHeaders),
        _ => Ok(uri),
    }
}

/// No list is longer than its bound, and every Contact that is looked at can be read.
fn check_lists(message: &Message<'_>, strictness: Strictness) -> Result<(), Malformed> {
    let (mut vias, mut routes, mut record_routes, mut contacts) = (0_usize, 0, 0, 0);
    // An answer carries back what was let through and what was added to it.
    let added_max = if message.method().is_some() { 0 } else { VALUES_ADDED_MAX };
    for (place, field) in message.fields().iter().enumerate() {
        let (values, values_max) = match field.name {
            Name::Via => (&mut vias, VIA_VALUES_MAX.saturating_add(added_max)),
            Name::Route => (&mut routes, ROUTE_VALUES_MAX),
            Name::RecordRoute => (&mut record_routes, ROUTE_VALUES_MAX.saturating_add(added_max)),
            Name::Contact if strictness != Strictness::Salvage => (&mut contacts, CONTACT_VALUES_MAX),
            _ => continue,
        };
        *values = values.saturating_add(values_in(message.text(field.value)));
        if *values > values_max {
            return Err(Malformed::TooManyValues(field.name));
        }
        let mut texts = message.values_of(place).map(|value| value.text);
        if field.name == Name::Contact && texts.any(|text| ContactRef::parse(text, strictness).is_err()) {
            return Err(Malformed::Value(Name::Contact));
        }
    }
    Ok(())
}

/// How many values a list holds, empty ones included.
fn values_in(mut text: &[u8]) -> usize {
    let mut values = 1_usize;
    while let Some(rest) = comma(text).and_then(|comma| behind(text, comma)) {
        values = values.saturating_add(1);
        text = rest;
    }
    values
}

/// A date as RFC 3261 section 20.17 has it: `Sat, 13 Nov 2010 23:29:00 GMT`, and no other zone (`baddate`).
fn is_date(text: &[u8]) -> bool {
    const SHAPE: &[u8] = b"Aaa, 00 Aaa 0000 00:00:00 GMT";
    const ZONE: usize = SHAPE.len() - 3;
    text.len() == SHAPE.len()
        && text.iter().zip(SHAPE).enumerate().all(|(place, (octet, shape))| match shape {
            _ if place >= ZONE => octet == shape,
            b'A' | b'a' => octet.is_ascii_alphabetic(),
            b'0' => octet.is_ascii_digit(),
            separator => octet == separator,
        })
}

/// One value of a comma-separated list.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// Place of its field among the message's fields.
    pub field: usize,
    /// Where it stands, without the white space around it.
    pub span: Span,
    /// Its octets.
    pub text: &'a [u8],
}

/// The values of one field or of all fields of a name, in order.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    message: Message<'a>,
    name: Name,
    field: usize,
    /// What is left of the current field.
    rest: Option<Span>,
    is_one_field: bool,
}

impl<'a> Message<'a> {
    /// The comma-separated values of all fields of this name, in order. An empty element is given as an empty value.
    pub fn values(&self, name: Name) -> Values<'a> {
        let mut values = Values { message: *self, name, field: 0, rest: None, is_one_field: false };
        values.go_on_at(0);
        values
    }

    /// The comma-separated values of one field.
    pub fn values_of(&self, field: usize) -> Values<'a> {
        let rest = self.fields().get(field).map(|field| field.value);
        Values { message: *self, name: Name::Other, field, rest, is_one_field: true }
    }
}

impl Values<'_> {
    /// Goes to the first field of the name at or after place `from`.
    fn go_on_at(&mut self, from: usize) {
        let fields = self.message.fields().get(from..).unwrap_or(&[]);
        let found = fields.iter().position(|field| field.name == self.name);
        self.rest = found.and_then(|found| fields.get(found)).map(|field| field.value);
        self.field = found.map_or(usize::MAX, |found| from.saturating_add(found));
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let rest = self.rest?;
        let text = self.message.text(rest);
        let field = self.field;
        let comma = comma(text);
        let mine = text.get(..comma.unwrap_or(text.len())).unwrap_or(&[]);
        let lead = run(mine, SPACE);
        let trimmed = trim(mine);
        let value = Value { field, span: rest.part(lead, trimmed.len()), text: trimmed };
        match comma {
            Some(comma) => self.rest = Some(rest.behind(comma.saturating_add(1))),
            None if self.is_one_field => self.rest = None,
            None => self.go_on_at(field.saturating_add(1)),
        }
        Some(value)
    }
}

/// The first comma outside quotes and angle brackets.
fn comma(text: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    loop {
        let found = at.checked_add(memchr::memchr3(b',', b'"', b'<', text.get(at..)?)?)?;
        let rest = text.get(found..)?;
        at = found.checked_add(match rest.first()? {
            b',' => return Some(found),
            b'"' => quoted_len(rest)?,
            _ => memchr::memchr(b'>', rest)?,
        })?;
    }
}

/// One value of Contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactRef<'a> {
    /// `*`: every binding, in a REGISTER.
    Any,
    /// An address.
    At(NameAddrRef<'a>),
}

impl<'a> ContactRef<'a> {
    /// Reads one value of Contact.
    ///
    /// # Errors
    /// As [`NameAddrRef::parse`].
    pub fn parse(raw: &'a [u8], strictness: Strictness) -> Result<Self, Malformed> {
        if trim(raw) == b"*" { Ok(Self::Any) } else { NameAddrRef::parse(raw, strictness).map(Self::At) }
    }
}

/// A URI in angle brackets with parameters: one value of Call-Info and its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoRef<'a> {
    /// What stands between the brackets, of any scheme.
    pub uri: &'a [u8],
    /// The parameters: `purpose`, `cluster`, `epoch`.
    pub params: Params<'a>,
}

impl<'a> InfoRef<'a> {
    /// Reads one value; `None` where it does not follow the grammar.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let inside = trim(raw).strip_prefix(b"<")?;
        let (uri, after) = inside.split_at(memchr::memchr(b'>', inside)?);
        Some(Self { uri: trim(uri), params: Params::parse(after.get(1..)?)? })
    }
}

/// `type/subtype` and parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaTypeRef<'a> {
    /// The type; compare in any case.
    pub kind: &'a [u8],
    /// The subtype; compare in any case.
    pub subtype: &'a [u8],
    /// The parameters: `boundary`, `charset`.
    pub params: Params<'a>,
}

impl<'a> MediaTypeRef<'a> {
    /// Reads a Content-Type value; `None` where it does not follow the grammar.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let raw = trim(raw);
        let (name, params) = raw.split_at(memchr::memchr(b';', raw).unwrap_or(raw.len()));
        let (kind, subtype) = name.split_at(memchr::memchr(b'/', name)?);
        let (kind, subtype) = (trim(kind), trim(subtype.get(1..)?));
        let is_name = |text: &[u8]| !text.is_empty() && run(text, TOKEN) == text.len();
        (is_name(kind) && is_name(subtype)).then_some(())?;
        Some(Self { kind, subtype, params: Params::parse(params)? })
    }

    /// Whether it is this type, in any case: `is("application", "sdp")`.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes()) && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }
}

/// RAck (RFC 3262, section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    /// RSeq of the response acknowledged.
    pub rseq: u32,
    /// CSeq of the response acknowledged.
    pub cseq: CSeq<'a>,
}

/// Session-Expires (RFC 4028, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires<'a> {
    /// The session interval in seconds.
    pub interval_s: u32,
    /// `uac` or `uas`, where given.
    pub refresher: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// The tokens of a list of option tags or methods: Require, Proxy-Require, Supported, Allow.
    pub fn tokens(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.values(name).map(|value| value.text).filter(|text| !text.is_empty())
    }

    /// Whether a list of tokens holds this one, in any case.
    pub fn has_token(&self, name: Name, token: &str) -> bool {
        self.tokens(name).any(|text| text.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The Call-Info values that follow the grammar, each with the list value it came from.
    pub fn call_infos(&self) -> impl Iterator<Item = (Value<'a>, InfoRef<'a>)> + use<'a> {
        self.values(Name::CallInfo).filter_map(|value| Some((value, InfoRef::parse(value.text)?)))
    }

    /// The addresses of a name-addr list (Route, Record-Route, P-Asserted-Identity, Diversion), read leniently; a
    /// value that is none gives an error in its place.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = Result<NameAddrRef<'a>, Malformed>> + use<'a> {
        let wrong = move |_| Malformed::Value(name);
        self.values(name).map(move |value| NameAddrRef::parse(value.text, Strictness::Lenient).map_err(wrong))
    }

    /// The Contact values, read leniently.
    pub fn contacts(&self) -> impl Iterator<Item = Result<ContactRef<'a>, Malformed>> + use<'a> {
        let wrong = |_| Malformed::Value(Name::Contact);
        self.values(Name::Contact).map(move |value| ContactRef::parse(value.text, Strictness::Lenient).map_err(wrong))
    }

    /// The number a header begins with (Expires, Min-Expires, Min-SE, RSeq, Retry-After), in the header's own unit;
    /// a number beyond 32 bits is read as the largest (RFC 3261, section 20.19).
    pub fn number(&self, name: Name) -> Option<u32> {
        leading_number(self.value(name)?)
    }

    /// RAck; `None` where absent or malformed.
    pub fn rack(&self) -> Option<RAck<'a>> {
        let text = trim(self.value(Name::RAck)?);
        let (rseq, rest) = text.split_at(text.iter().position(|b| is(*b, SPACE))?);
        Some(RAck { rseq: u32::try_from(decimal(rseq)?).ok()?, cseq: CSeq::parse(rest).ok()? })
    }

    /// Session-Expires; `None` where absent or malformed.
    pub fn session_expires(&self) -> Option<SessionExpires<'a>> {
        let text = self.value(Name::SessionExpires)?;
        let params = Params::parse(text.get(memchr::memchr(b';', text).unwrap_or(text.len())..)?)?;
        Some(SessionExpires { interval_s: leading_number(text)?, refresher: params.value("refresher") })
    }
}

fn leading_number(text: &[u8]) -> Option<u32> {
    let text = trim(text);
    let digits = text.get(..text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len()))?;
    decimal(digits).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, scan};

    fn with<R>(lines: &str, look: impl FnOnce(&Message<'_>) -> R) -> R {
        let text = format!("INVITE sip:1@h SIP/2.0\r\n{lines}\r\n\r\n");
        look(&scan(text.as_bytes(), &mut Index::new()).unwrap())
    }

    const PLAIN: &str =
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE";

    #[test]
    fn values_come_in_order_over_lines_and_commas() {
        let lines = "Route: \"a,b\" <sip:a,b@h;x=y>,<sip:c>\r\nX: 1\r\nroute:\r\nROUTE: <sip:d> ,\r\n <sip:e>";
        with(lines, |message| {
            let values: Vec<_> = message.values(Name::Route).map(|v| (v.field, v.text)).collect();
            assert_eq!(
                values,
                [
                    (0, &b"\"a,b\" <sip:a,b@h;x=y>"[..]),
                    (0, &b"<sip:c>"[..]),
                    (2, &b""[..]),
                    (3, &b"<sip:d>"[..]),
                    (3, &b"<sip:e>"[..])
                ]
            );
            assert!(message.values(Name::Route).all(|v| message.text(v.span) == v.text));
            assert_eq!(message.values_of(3).count(), 2);
            assert_eq!(message.values(Name::Via).count(), 0);
        });
    }

    #[test]
    fn essentials_are_read() {
        with(PLAIN, |message| {
            let facts = essentials(message, Strictness::Strict).unwrap();
            assert_eq!((facts.call_id, facts.cseq.number, facts.max_forwards), (&b"c"[..], 1, None));
            assert_eq!((facts.from_tag, facts.to_tag), (Some(&b"1"[..]), None));
            assert_eq!(facts.uri.unwrap().user, Some(&b"1"[..]));
        });
    }

    #[test]
    fn what_is_missing_repeated_or_wrong_is_named() {
        use Malformed::{CSeqMethod, CSeqNumber, MaxForwards, Missing, TooManyValues, Twice};
        for (from, to, want) in [
            ("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n", "", Missing(Name::Via)),
            ("From: <sip:a@h>;tag=1\r\n", "", Missing(Name::From)),
            ("To: <sip:b@h>\r\n", "", Missing(Name::To)),
            ("Call-ID: c\r\n", "", Missing(Name::CallId)),
            ("\r\nCSeq: 1 INVITE", "", Missing(Name::CSeq)),
            ("Call-ID: c", "Call-ID: c\r\ni: c", Twice(Name::CallId)),
            ("Call-ID: c", "Call-ID: c d", Malformed::Value(Name::CallId)),
            ("Call-ID: c", "Call-ID: c\r\nMax-Forwards: 1\r\nMax-Forwards: 1", Twice(Name::MaxForwards)),
            ("Call-ID: c", "Call-ID: c\r\nMax-Forwards: 256", MaxForwards),
            ("Call-ID: c", "Call-ID: c\r\nMax-Forwards: -1", MaxForwards),
            ("1 INVITE", "4294967296 INVITE", CSeqNumber),
            ("1 INVITE", "1 BYE", CSeqMethod),
            ("1 INVITE", "1 invite", CSeqMethod),
            ("1 INVITE", "1INVITE", Malformed::Value(Name::CSeq)),
            ("1 INVITE", "INVITE", Malformed::Value(Name::CSeq)),
            ("1 INVITE", "1 INVITE\r\nContact: sip:a@h, <sip:b", Malformed::Value(Name::Contact)),
            ("1 INVITE", &format!("1 INVITE\r\nRoute: x{}", ",x".repeat(ROUTE_VALUES_MAX)), TooManyValues(Name::Route)),
        ] {
            let lines = PLAIN.replacen(from, to, 1);
            let why = with(&lines, |message| essentials(message, Strictness::Strict).map(|_| ()));
            assert_eq!(why, Err(want), "{from:?} -> {to:?}");
        }
    }

    /// Messages out of form that can be matched, routed and answered, each made of [`PLAIN`].
    const SLIPS: &[(&str, &str)] = &[
        ("1 INVITE", "1 INVITE\r\nContact: sip:a@h?x=y"),
        ("1 INVITE", "1 INVITE\r\nContact: <sip:a@h>,"),
        ("1 INVITE", "1 INVITE\r\nContact: <sip:a@h;transport=>"),
        ("1 INVITE", "1 INVITE\r\nContact: <sip:a@h:>"),
        ("1 INVITE", "1 INVITE\r\nContact:"),
        ("1 INVITE", "1 INVITE\r\nDate: yesterday"),
        ("1 INVITE", "1 INVITE\r\nMax-Forwards: abc"),
        ("1 INVITE", "1 INVITE\r\nMax-Forwards: 256"),
        ("1 INVITE", "1 INVITE\r\nCSeq: 1 INVITE"),
        ("Call-ID: c", "Call-ID: c\r\ni: c"),
        ("From: <sip:a@h>", "From: \"Unknown\" <sip:@x>"),
        ("From: <sip:a@h>", "From: \"open <sip:5001@x>"),
        ("From: <sip:a@h>", "From: Anonymous"),
        ("From: <sip:a@h>", "From: sip:5001@h?x=y"),
        ("From: <sip:a@h>", "From: <sip:5001@h"),
        ("To: <sip:b@h>", "To: %%%"),
        ("To: <sip:b@h>", "To: "),
        ("To: <sip:b@h>", "To: \"x;tag=y\" <sip:@h>"),
        ("To: <sip:b@h>", "To: \"x;tag=y\" sip:@h"),
    ];

    #[test]
    fn p_23_what_can_be_matched_routed_and_answered_is_salvaged_and_nothing_else_reads_it() {
        for (from, to) in SLIPS {
            with(&PLAIN.replacen(from, to, 1), |message| {
                assert!(essentials(message, Strictness::Strict).is_err(), "{to}");
                let of = essentials(message, Strictness::Salvage).unwrap_or_else(|why| panic!("{to}: {why:?}"));
                assert_eq!((of.call_id, of.cseq.number, of.max_forwards), (&b"c"[..], 1, None), "{to}");
                assert_eq!((of.from_tag, of.to_tag), (Some(&b"1"[..]), None), "the tag that is there: {to}");
                assert_eq!(essentials_of_taken(message).map(|of| of.call_id), Ok(&b"c"[..]), "{to}");
            });
        }
    }

    #[test]
    fn p_23_an_address_that_cannot_be_read_names_nobody() {
        for from in [
            "\"5001\" <sip:@x>",
            "<sip:5001@x",
            "<sip:5001@>",
            "sip:5001@x?y",
            "5001",
            "<5001>",
            "\"a\" b <sip:5001@h>",
        ] {
            with(&PLAIN.replacen("<sip:a@h>", from, 1), |message| {
                let of = essentials(message, Strictness::Salvage).unwrap();
                assert_eq!((of.from.uri.scheme, of.from.uri.user, of.from.uri.number()), (Scheme::Other, None, None));
                assert_eq!((of.from.display, of.from.uri.host), (None, crate::sip::Host::None), "{from}");
            });
        }
    }

    #[test]
    fn p_23_headers_of_a_request_uri_are_not_seen() {
        for (uri, want) in [("sip:911@h?Subject=x", "sip:911@h"), ("sip:911@h;a?Route=%3Csip:x%3E", "sip:911@h;a")] {
            let text = format!("INVITE {uri} SIP/2.0\r\n{PLAIN}\r\n\r\n");
            let mut index = Index::new();
            let message = scan(text.as_bytes(), &mut index).unwrap();
            for strictness in [Strictness::Strict, Strictness::Lenient] {
                assert_eq!(essentials(&message, strictness).map(|_| ()), Err(Malformed::RequestUriHeaders));
            }
            let read = essentials(&message, Strictness::Salvage).unwrap().uri.unwrap();
            assert_eq!((read.raw, read.headers, read.user), (want.as_bytes(), None, Some(&b"911"[..])));
        }
    }

    #[test]
    fn p_23_a_request_uri_that_cannot_be_read_is_none() {
        let text = format!("INVITE sip:911@h: SIP/2.0\r\n{PLAIN}\r\n\r\n");
        let mut index = Index::new();
        let message = scan(text.as_bytes(), &mut index).unwrap();
        assert_eq!(essentials(&message, Strictness::Lenient).map(|_| ()), Err(Malformed::RequestUri));
        assert_eq!(essentials(&message, Strictness::Salvage).unwrap().uri, None);
    }

    #[test]
    fn p_23_the_least_of_several_max_forwards_counts() {
        for (lines, want) in [("0\r\nMax-Forwards: 70", Some(0)), ("x\r\nMax-Forwards: 9", Some(9)), ("-1", None)] {
            let lines = PLAIN.replacen("1 INVITE", &format!("1 INVITE\r\nMax-Forwards: {lines}"), 1);
            let hops = with(&lines, |message| essentials(message, Strictness::Salvage).unwrap().max_forwards);
            assert_eq!(hops, want, "{lines}");
        }
    }

    #[test]
    fn what_cannot_be_matched_is_never_salvaged() {
        use Malformed::{CSeqMethod, Missing, TooManyValues, Twice};
        for (from, to, want) in [
            ("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n", "", Missing(Name::Via)),
            ("Via: SIP/2.0/UDP h", "Via: h", Malformed::Value(Name::Via)),
            ("Call-ID: c\r\n", "", Missing(Name::CallId)),
            ("\r\nCSeq: 1 INVITE", "", Missing(Name::CSeq)),
            ("From: <sip:a@h>;tag=1\r\n", "", Missing(Name::From)),
            ("1 INVITE", "1 BYE", CSeqMethod),
            ("1 INVITE", "1 INVITE\r\nCSeq: 2 INVITE", Twice(Name::CSeq)),
            ("Call-ID: c", "Call-ID: c\r\ni: d", Twice(Name::CallId)),
            ("To: <sip:b@h>", "To: <sip:b@h>\r\nt: <sip:c@h>", Twice(Name::To)),
            ("1 INVITE", &format!("1 INVITE\r\nRoute: x{}", ",x".repeat(ROUTE_VALUES_MAX)), TooManyValues(Name::Route)),
        ] {
            let why =
                with(&PLAIN.replacen(from, to, 1), |message| essentials(message, Strictness::Salvage).map(|_| ()));
            assert_eq!(why, Err(want), "{from:?} -> {to:?}");
        }
    }

    #[test]
    fn what_a_narrower_reading_takes_every_wider_one_reads_the_same() {
        for more in
            ["", "\r\nMax-Forwards: 7", "\r\nContact: *", "\r\nContact: <sip:a@h>, <sip:b@h>", "\r\nRoute: <sip:h;lr>"]
        {
            with(&format!("{PLAIN}{more}"), |message| {
                let read = |strictness| format!("{:?}", essentials(message, strictness).unwrap());
                assert_eq!(read(Strictness::Strict), read(Strictness::Lenient), "{more}");
                assert_eq!(read(Strictness::Lenient), read(Strictness::Salvage), "{more}");
                assert_eq!(format!("{:?}", essentials_of_taken(message).unwrap()), read(Strictness::Strict), "{more}");
            });
        }
    }

    #[test]
    fn a_list_may_be_as_long_as_its_limit_and_no_longer() {
        for (name, line, value, values_max) in [
            // The request has one Via already.
            (Name::Via, "Via", "SIP/2.0/UDP h", VIA_VALUES_MAX - 1),
            (Name::Route, "Route", "<sip:h;lr>", ROUTE_VALUES_MAX),
            (Name::RecordRoute, "Record-Route", "<sip:h;lr>", ROUTE_VALUES_MAX),
            (Name::Contact, "Contact", "<sip:a@h>", CONTACT_VALUES_MAX),
        ] {
            for (values, want) in [(values_max, Ok(())), (values_max + 1, Err(Malformed::TooManyValues(name)))] {
                // On one line and on lines of their own.
                let one = format!("{line}: {}", vec![value; values].join(", "));
                let each = vec![format!("{line}: {value}"); values].join("\r\n");
                for list in [one, each] {
                    let lines = PLAIN.replacen("1 INVITE", &format!("1 INVITE\r\n{list}"), 1);
                    let why = with(&lines, |message| essentials(message, Strictness::Strict).map(|_| ()));
                    assert_eq!(why, want, "{values} of {line}");
                }
            }
        }
    }

    #[test]
    fn an_answer_may_carry_back_what_a_request_may_carry_in_and_what_is_added_to_it() {
        let read = |start: &str, lines: &str| {
            let text = format!("{start}\r\n{PLAIN}\r\n{lines}\r\n");
            essentials(&scan(text.as_bytes(), &mut Index::new()).unwrap(), Strictness::Lenient).map(|_| ())
        };
        let (request, answer) = ("INVITE sip:1@h SIP/2.0", "SIP/2.0 200 OK");
        for (name, line, had, values_max) in [
            (Name::Via, "Via: SIP/2.0/UDP h\r\n", 1, VIA_VALUES_MAX),
            (Name::RecordRoute, "Record-Route: <sip:h;lr>\r\n", 0, ROUTE_VALUES_MAX),
        ] {
            let lines = |values: usize| line.repeat(values - had);
            assert_eq!(read(request, &lines(values_max)), Ok(()));
            assert_eq!(read(request, &lines(values_max + 1)), Err(Malformed::TooManyValues(name)));
            assert_eq!(read(answer, &lines(values_max + VALUES_ADDED_MAX)), Ok(()));
            assert_eq!(read(answer, &lines(values_max + VALUES_ADDED_MAX + 1)), Err(Malformed::TooManyValues(name)));
        }
        // Five headers are there already.
        assert_eq!(read(request, &"X: y\r\n".repeat(HEADERS_MAX - 5)), Ok(()));
        assert_eq!(read(request, &"X: y\r\n".repeat(HEADERS_MAX - 4)), Err(Malformed::TooManyHeaders));
        assert_eq!(read(answer, &"X: y\r\n".repeat(crate::sip::message::FIELDS_MAX - 5)), Ok(()));
        // What this node wrote itself it reads again.
        let text = format!("{request}\r\n{PLAIN}\r\n{}\r\n", "Via: SIP/2.0/UDP h\r\n".repeat(VIA_VALUES_MAX));
        assert!(essentials_of_taken(&scan(text.as_bytes(), &mut Index::new()).unwrap()).is_ok());
    }

    #[test]
    fn lists_numbers_and_marks_are_read() {
        let lines = "Require: 100rel , Timer\r\nk: \r\nExpires: 99999999999\r\nRetry-After: 18 (soon);duration=9\r\n\
            x: 1800 ; refresher=uac\r\nRAck: 7 3 INVITE\r\nRSeq: 7\r\nPriority: emergency\r\n\
            c: Application / SDP ; charset=\"utf-8\"\r\nContact: *\r\n\
            Call-Info: <urn:emcc:device:A,B>;purpose=emcc-device;cluster=\"HQ\", junk, <x:y>;epoch=5";
        with(lines, |message| {
            assert_eq!(message.tokens(Name::Require).collect::<Vec<_>>(), [&b"100rel"[..], b"Timer"]);
            assert!(message.has_token(Name::Require, "timer") && !message.has_token(Name::Supported, "timer"));
            assert_eq!(message.tokens(Name::Supported).count(), 0);
            assert_eq!((message.number(Name::Expires), message.number(Name::RetryAfter)), (Some(u32::MAX), Some(18)));
            assert_eq!((message.number(Name::RSeq), message.number(Name::MinSe)), (Some(7), None));
            let session = message.session_expires().unwrap();
            assert_eq!((session.interval_s, session.refresher), (1800, Some(&b"uac"[..])));
            let rack = message.rack().unwrap();
            assert_eq!((rack.rseq, rack.cseq.number, rack.cseq.method), (7, 3, Method::Invite));
            let kind = message.content_type().unwrap();
            assert!(kind.is("application", "sdp") && kind.params.value("charset") == Some(b"utf-8"));
            assert_eq!(message.contacts().next(), Some(Ok(ContactRef::Any)));
            let infos: Vec<_> = message.call_infos().map(|(_, info)| info).collect();
            assert_eq!((infos.len(), infos[0].uri), (2, &b"urn:emcc:device:A,B"[..]));
            assert_eq!(
                (infos[0].params.value("cluster"), infos[1].params.value("epoch")),
                (Some(&b"HQ"[..]), Some(&b"5"[..]))
            );
        });
    }

    #[test]
    fn only_gmt_makes_a_date() {
        assert!(is_date(b"Sat, 13 Nov 2010 23:29:00 GMT"));
        for text in ["", "Sat, 13 Nov 2010 23:29:00 EST", "Sat, 13 Nov 2010 23:29:00GMT", "13 Nov 2010 23:29:00 GMT"] {
            assert!(!is_date(text.as_bytes()), "{text}");
        }
    }
}
