//! Changed copies of a message: a list of splices, and one copy in order. What nobody touched leaves octet for octet
//! as it came, unknown headers, odd case, folds and body included (RFC 3261, section 16.6).

use super::message::{Message, Span, Start};
use super::name::Name;
use super::read::Value;
use super::via::{SourceFact, ViaRef, source_changes};
use crate::limits::SPLICES_INLINE;
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// Octets `removed` of the message give way to octets `text` of the editor's scratch.
#[derive(Clone, Copy, Debug)]
struct Splice {
    removed: Span,
    text: Span,
}

/// Collects the changes of one message and writes it. Kept and reused, so that a hop allocates nothing.
///
/// Changes count from the message as it came, in any order. Two changes of the same octets are a mistake of the
/// caller: a debug build stops, a release build inserts both texts and removes the union.
#[derive(Debug, Default)]
pub struct Editor {
    splices: SmallVec<[Splice; SPLICES_INLINE]>,
    text: Vec<u8>,
    /// Where the text of the change being written begins in `text`.
    begun: usize,
}

impl Editor {
    /// An editor without changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets every change and keeps the room.
    pub fn begin(&mut self) {
        self.splices.clear();
        self.text.clear();
        self.begun = 0;
    }

    /// Whether no change is recorded.
    pub fn is_empty(&self) -> bool {
        self.splices.is_empty()
    }

    /// Writes a text piece by piece; where it goes is said at its end: `editor.text().put(b"Via: ")...top(message)`.
    pub fn text(&mut self) -> Text<'_> {
        self.begun = self.text.len();
        Text { editor: self }
    }

    /// Puts `text` where `span` stood.
    pub fn replace(&mut self, span: Span, text: &[u8]) {
        self.text().put(text).replace(span);
    }

    /// Removes a whole field, its continuation lines included.
    pub fn remove_field(&mut self, message: &Message<'_>, field: usize) {
        if let Some(field) = message.fields().get(field) {
            self.replace(field.line, b"");
        }
    }

    /// Removes every field of this name.
    pub fn remove_all(&mut self, message: &Message<'_>, name: Name) {
        for (field, _) in message.all(name) {
            self.remove_field(message, field);
        }
    }

    /// Removes the values of a list that `goes` says, in all its fields, and keeps the rest octet for octet; a field
    /// goes whole with its last value.
    pub fn remove_values(&mut self, message: &Message<'_>, name: Name, goes: impl Fn(&[u8]) -> bool) {
        for (place, _) in message.all(name) {
            if !message.values_of(place).any(|value| goes(value.text)) {
                continue;
            }
            let (mut kept, mut going): (Option<Span>, Option<Span>) = (None, None);
            for Value { span, text, .. } in message.values_of(place) {
                // What stands between two commas is no value (RFC 3261 section 7.3.1), and nothing to keep.
                if text.is_empty() || goes(text) {
                    going = Some(Span { start: going.map_or(span.start, |run| run.start), end: span.end });
                    continue;
                }
                if let Some(run) = going.take() {
                    self.replace(Span { start: run.start, end: span.start }, b"");
                }
                kept = Some(span);
            }
            match (going, kept) {
                (Some(run), Some(kept)) => self.replace(Span { start: kept.end, end: run.end }, b""),
                (Some(_), None) => self.remove_field(message, place),
                (None, _) => {}
            }
        }
    }

    /// Removes the first `count` values of a list, over as many fields as they stand in: the top Via of a response,
    /// the Route values that name this node.
    pub fn remove_first_values(&mut self, message: &Message<'_>, name: Name, count: usize) {
        let mut left = count;
        for (place, _) in message.all(name) {
            let Some(others) = left.checked_sub(1) else { return };
            let mut values = message.values_of(place);
            let Some(first) = values.next() else { continue };
            match values.nth(others) {
                Some(kept) => return self.replace(Span { start: first.span.start, end: kept.span.start }, b""),
                None => {
                    left = left.saturating_sub(message.values_of(place).take(left).count());
                    self.remove_field(message, place);
                }
            }
        }
    }

    /// Inserts a header line, given without its line end, before a field.
    pub fn insert_before_field(&mut self, message: &Message<'_>, field: usize, line: &[u8]) {
        self.text().put(line).before_field(message, field);
    }

    /// Inserts a header line, given without its line end, right after the start line.
    pub fn push_top(&mut self, message: &Message<'_>, line: &[u8]) {
        self.text().put(line).top(message);
    }

    /// Adds a header line, given without its line end, after the last one.
    pub fn append_header(&mut self, message: &Message<'_>, line: &[u8]) {
        self.text().put(line).append(message);
    }

    /// Writes the version in upper case, and no white space behind it in a request line, where a message came otherwise: it
    /// is read in any case and sent in one (RFC 3261, section 7.1).
    pub fn version(&mut self, message: &Message<'_>) {
        match message.start() {
            Start::Request { uri, .. } => {
                let version = Span { start: uri.end.saturating_add(1), end: message.headers_start() };
                if message.text(version) != b"SIP/2.0\r\n" {
                    self.replace(version, b"SIP/2.0\r\n");
                }
            }
            Start::Response { .. } if message.bytes().starts_with(b"SIP/2.0") => {}
            Start::Response { .. } => self.replace(Span::new(0, b"SIP/2.0".len()), b"SIP/2.0"),
        }
    }

    /// Puts another Request-URI; no change to a response.
    pub fn request_uri(&mut self, message: &Message<'_>, uri: &[u8]) {
        if let Start::Request { uri: span, .. } = message.start() {
            self.replace(span, uri);
        }
    }

    /// Sets Max-Forwards, adding it where absent.
    pub fn max_forwards(&mut self, message: &Message<'_>, hops: u8) {
        match message.first(Name::MaxForwards) {
            Some((_, field)) => self.text().decimal(u64::from(hops)).replace(field.value),
            None => self.text().put(b"Max-Forwards: ").decimal(u64::from(hops)).append(message),
        }
    }

    /// Puts another body and sets every Content-Length, long or compact, or adds one. Content-Type is the caller's.
    pub fn body(&mut self, message: &Message<'_>, body: &[u8]) {
        let mut is_stated = false;
        for (_, field) in message.all(Name::ContentLength) {
            self.text().decimal(body.len() as u64).replace(field.value);
            is_stated = true;
        }
        if !is_stated {
            self.text().put(b"Content-Length: ").decimal(body.len() as u64).append(message);
        }
        self.replace(Span::new(message.head_end() as usize, message.bytes().len()), body);
    }

    /// Writes into `via`, the top one, where the request really came from: `received` where it is asked for or the sent-by
    /// differs, and `rport` where it is asked for (RFC 3261, section 18.2.1; RFC 3581, section 4).
    ///
    /// Values the sender wrote there itself are replaced: responses follow them.
    pub fn received_and_rport(&mut self, message: &Message<'_>, via: &ViaRef<'_>, source: SocketAddr) {
        for change in source_changes(message, via, source).into_iter().flatten() {
            let text = self.text().put(change.before);
            match change.fact {
                SourceFact::Port => text.decimal(u64::from(source.port())).replace(change.span),
                SourceFact::Address => text.ip(source.ip()).replace(change.span),
            }
        }
    }

    /// Writes the changed message behind what `out` holds and gives back where it stands.
    pub fn write(&mut self, message: &Message<'_>, out: &mut Vec<u8>) -> Range<usize> {
        let from = out.len();
        // Texts for one place stay in the order they were given, which is their order in the scratch; an insertion
        // comes before a removal there.
        self.splices.sort_unstable_by_key(|s| (s.removed.start, s.removed.end, s.text.start));
        let bytes = message.bytes();
        let mut at = 0;
        for splice in &self.splices {
            // Two reasons to take off one field take it off once.
            if splice.removed.start < at && splice.removed.end <= at && splice.text.start == splice.text.end {
                continue;
            }
            debug_assert!(splice.removed.start >= at, "two changes of the same octets");
            out.extend_from_slice(Span { start: at, end: splice.removed.start }.of(bytes));
            out.extend_from_slice(splice.text.of(&self.text));
            at = at.max(splice.removed.end);
        }
        out.extend_from_slice(Span::new(at as usize, bytes.len()).of(bytes));
        from..out.len()
    }
}

/// A text being written into an editor. Dropping it without saying where it goes records nothing.
#[derive(Debug)]
pub struct Text<'e> {
    editor: &'e mut Editor,
}

impl Text<'_> {
    /// Adds octets.
    pub fn put(self, octets: &[u8]) -> Self {
        self.editor.text.extend_from_slice(octets);
        self
    }

    /// Adds a number in decimal digits.
    pub fn decimal(self, number: u64) -> Self {
        push_decimal(&mut self.editor.text, number);
        self
    }

    /// Adds an address, without brackets; a mapped IPv4 address as IPv4.
    pub fn ip(self, ip: IpAddr) -> Self {
        push_ip(&mut self.editor.text, ip);
        self
    }

    /// Adds an address as a host: IPv6 in brackets.
    pub fn host(self, ip: IpAddr) -> Self {
        push_host(&mut self.editor.text, ip);
        self
    }

    /// Puts the text where `span` stood; an empty span inserts.
    pub fn replace(self, span: Span) {
        let text = Span::new(self.editor.begun, self.editor.text.len());
        self.editor.splices.push(Splice { removed: span, text });
        self.editor.begun = self.editor.text.len();
    }

    /// Inserts the text as a header line before a field.
    pub fn before_field(self, message: &Message<'_>, field: usize) {
        let at = message.fields().get(field).map_or(message.headers_end(), |field| field.line.start);
        self.line_at(at);
    }

    /// Inserts the text as the first header line.
    pub fn top(self, message: &Message<'_>) {
        self.line_at(message.headers_start());
    }

    /// Inserts the text as the last header line.
    pub fn append(self, message: &Message<'_>) {
        self.line_at(message.headers_end());
    }

    fn line_at(self, at: u32) {
        self.put(b"\r\n").replace(Span { start: at, end: at });
    }
}

/// Appends a number in decimal digits.
pub fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let (mut digits, mut left, mut first) = ([0_u8; 20], number, 0);
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' | (left % 10) as u8;
        left /= 10;
        if left == 0 {
            first = place;
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or(&[]));
}

/// Appends an address without brackets; a mapped IPv4 address as IPv4.
pub fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip.to_canonical() {
        IpAddr::V4(address) => {
            for (place, octet) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                push_decimal(out, u64::from(octet));
            }
        }
        IpAddr::V6(address) => {
            use std::io::Write;
            // Writing to a Vec cannot fail, and the standard library's shortest form is not worth doing again.
            let _ = write!(out, "{address}");
        }
    }
}

/// Appends an address as a host: IPv6 in brackets.
pub fn push_host(out: &mut Vec<u8>, ip: IpAddr) {
    let is_v6 = ip.to_canonical().is_ipv6();
    if is_v6 {
        out.push(b'[');
    }
    push_ip(out, ip);
    if is_v6 {
        out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, scan};

    const INVITE: &[u8] = b"INVITE sip:5555@10.0.0.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP a.example.com;rport;branch=z9hG4bK1 , SIP/2.0/TCP 10.0.0.9;branch=z9hG4bK0\r\n\
        v: SIP/2.0/UDP b.example.com;branch=z9hG4bKb\r\n\
        Route: <sip:one;lr>,\r\n <sip:two;lr>\r\n\
        Route: <sip:three;lr>\r\n\
        MAX-forwards :  0070 \r\n\
        X-Odd:   kept,\t as it is \r\n\
        l: 3\r\n\
        \r\n\
        abc";

    /// Applies `change` and gives back the text that leaves.
    fn edited(bytes: &[u8], change: impl FnOnce(&mut Editor, &Message<'_>)) -> String {
        let mut index = Index::new();
        let message = scan(bytes, &mut index).unwrap();
        let (mut editor, mut out) = (Editor::new(), b"before".to_vec());
        change(&mut editor, &message);
        let range = editor.write(&message, &mut out);
        assert_eq!(&out[..6], b"before");
        String::from_utf8(out[range].to_vec()).unwrap()
    }

    fn without(text: &str) -> String {
        String::from_utf8(INVITE.to_vec()).unwrap().replacen(text, "", 1)
    }

    fn with(text: &str, other: &str) -> String {
        let before = String::from_utf8(INVITE.to_vec()).unwrap();
        assert!(before.contains(text), "{text}");
        before.replacen(text, other, 1)
    }

    #[test]
    fn what_is_taken_off_twice_is_gone_once() {
        let without = without("v: SIP/2.0/UDP b.example.com;branch=z9hG4bKb\r\n");
        let twice = edited(INVITE, |e, m| {
            let (place, _) = m.all(Name::Via).nth(1).unwrap();
            e.remove_field(m, place);
            e.remove_field(m, place);
            e.remove_values(m, Name::Via, |value| value.ends_with(b"z9hG4bKb"));
        });
        assert_eq!(twice, without);
    }

    #[test]
    fn no_change_leaves_every_octet() {
        assert_eq!(edited(INVITE, |_, _| {}).as_bytes(), INVITE);
    }

    #[test]
    fn a_value_leaves_its_list_and_the_rest_of_the_line_stays() {
        let nth = |name, n: usize| {
            edited(INVITE, |e, m| {
                let value = m.values(name).nth(n).unwrap().text;
                e.remove_values(m, name, |text| text == value);
            })
        };
        assert_eq!(nth(Name::Via, 0), without("SIP/2.0/UDP a.example.com;rport;branch=z9hG4bK1 , "));
        assert_eq!(nth(Name::Via, 1), without(" , SIP/2.0/TCP 10.0.0.9;branch=z9hG4bK0"));
        assert_eq!(nth(Name::Via, 2), without("v: SIP/2.0/UDP b.example.com;branch=z9hG4bKb\r\n"));
        assert_eq!(nth(Name::Route, 0), without("<sip:one;lr>,\r\n "));
    }

    #[test]
    fn any_values_leave_a_list_and_the_rest_stays_a_list() {
        for (line, want) in [
            ("x1, x2", None),
            ("a, x1, x2", Some("a")),
            ("x1, x2, a", Some("a")),
            ("x1, a, x2", Some("a")),
            ("a, x1, x2, b", Some("a, b")),
            ("x1, a, x2, b, x3, x4", Some("a, b")),
            ("x1", None),
            (",,x1,", None),
            (",a,x1,", Some("a")),
            (",a,", Some(",a,")),
            ("a ,\r\n b", Some("a ,\r\n b")),
        ] {
            let message = with("Route: <sip:three;lr>\r\n", &format!("Route: <sip:three;lr>\r\nCall-Info: {line}\r\n"));
            let edited = edited(message.as_bytes(), |e, m| e.remove_values(m, Name::CallInfo, |v| v.starts_with(b"x")));
            let left = want.map(|left| format!("Call-Info: {left}\r\n")).unwrap_or_default();
            let want = with("Route: <sip:three;lr>\r\n", &format!("Route: <sip:three;lr>\r\n{left}"));
            assert_eq!(edited, want, "{line}");
        }
    }

    #[test]
    fn the_first_values_leave_over_several_lines() {
        let pop = |count| edited(INVITE, |e, m| e.remove_first_values(m, Name::Route, count));
        assert_eq!(pop(0).as_bytes(), INVITE);
        assert_eq!(pop(1), without("<sip:one;lr>,\r\n "));
        assert_eq!(pop(2), without("Route: <sip:one;lr>,\r\n <sip:two;lr>\r\n"));
        let none = without("Route: <sip:one;lr>,\r\n <sip:two;lr>\r\n").replacen("Route: <sip:three;lr>\r\n", "", 1);
        assert_eq!(pop(3), none);
        assert_eq!(pop(9), none);
    }

    #[test]
    fn lines_go_to_the_top_before_a_field_and_to_the_end() {
        let text = edited(INVITE, |e, m| {
            e.append_header(m, b"Z: 1");
            e.append_header(m, b"Z: 2");
            e.push_top(m, b"Via: first");
            e.text().put(b"Via: ").decimal(0).put(b"/").host("::1".parse().unwrap()).top(m);
            let (route, _) = m.first(Name::Route).unwrap();
            e.insert_before_field(m, route, b"Route: <sip:zero>");
            e.remove_field(m, route);
        });
        let want = with("SIP/2.0\r\n", "SIP/2.0\r\nVia: first\r\nVia: 0/[::1]\r\n")
            .replace("Route: <sip:one;lr>,\r\n <sip:two;lr>\r\n", "Route: <sip:zero>\r\n")
            .replace("l: 3\r\n", "l: 3\r\nZ: 1\r\nZ: 2\r\n");
        assert_eq!(text, want);
    }

    #[test]
    fn uri_hops_and_body_change_in_place() {
        let text = edited(INVITE, |e, m| {
            e.body(m, b"0123456789");
            e.max_forwards(m, 69);
            e.request_uri(m, b"tel:+1");
        });
        let want = with("sip:5555@10.0.0.1", "tel:+1")
            .replace("0070", "69")
            .replace("l: 3\r\n\r\nabc", "l: 10\r\n\r\n0123456789");
        assert_eq!(text, want);
    }

    #[test]
    fn rfc_3261_7_1_the_version_leaves_in_upper_case() {
        for (line, want) in [
            ("INVITE sip:h SIP/2.0", "INVITE sip:h SIP/2.0"),
            ("INVITE sip:h sip/2.0", "INVITE sip:h SIP/2.0"),
            ("INVITE sip:h SIP/2.0 \t ", "INVITE sip:h SIP/2.0"),
            ("SIP/2.0 200 OK", "SIP/2.0 200 OK"),
            ("sIp/2.0 200 sip/2.0", "SIP/2.0 200 sip/2.0"),
        ] {
            let text = edited(format!("{line}\r\nTo: x\r\n\r\n").as_bytes(), |e, m| {
                e.version(m);
                e.push_top(m, b"Via: y");
            });
            assert_eq!(text, format!("{want}\r\nVia: y\r\nTo: x\r\n\r\n"));
        }
        let text = edited(b"INVITE sip:h sip/2.0 \r\nTo: x\r\n\r\n", |e, m| {
            e.request_uri(m, b"sip:other");
            e.version(m);
        });
        assert_eq!(text, "INVITE sip:other SIP/2.0\r\nTo: x\r\n\r\n");
    }

    #[test]
    fn a_missing_length_or_hop_count_is_added() {
        let text = edited(b"OPTIONS sip:h SIP/2.0\r\nTo: x\r\n\r\n", |e, m| {
            e.max_forwards(m, 70);
            e.body(m, b"");
        });
        assert_eq!(text, "OPTIONS sip:h SIP/2.0\r\nTo: x\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn a_text_without_a_place_is_not_written() {
        let text = edited(INVITE, |e, m| {
            let _ = e.text().put(b"lost");
            e.request_uri(m, b"sip:x");
        });
        assert_eq!(text, with("sip:5555@10.0.0.1", "sip:x"));
    }

    #[test]
    fn the_source_is_written_where_rfc_3261_and_3581_want_it() {
        for (via, source, want) in [
            ("10.0.0.1;branch=b", "10.0.0.1:5060", "10.0.0.1;branch=b"),
            ("10.0.0.1;branch=b", "[::ffff:10.0.0.1]:5060", "10.0.0.1;branch=b"),
            ("10.0.0.1;branch=b", "10.0.0.2:5060", "10.0.0.1;branch=b;received=10.0.0.2"),
            ("h;branch=b", "10.0.0.2:5060", "h;branch=b;received=10.0.0.2"),
            ("10.0.0.1;rport;branch=b", "10.0.0.1:99", "10.0.0.1;rport=99;branch=b;received=10.0.0.1"),
            ("h;rport", "10.0.0.1:99", "h;rport=99;received=10.0.0.1"),
            ("h;rport=1;received=6.6.6.6", "10.0.0.1:99", "h;rport=99;received=10.0.0.1"),
            ("h;received=6.6.6.6", "10.0.0.1:99", "h;received=10.0.0.1"),
            ("h ; rport ; branch = b", "[2001:db8::1]:99", "h ; rport=99 ; branch = b;received=2001:db8::1"),
            ("[2001:db8::1]", "[2001:db8::1]:99", "[2001:db8::1]"),
            ("h;branch=b, SIP/2.0/UDP i", "10.0.0.2:1", "h;branch=b;received=10.0.0.2, SIP/2.0/UDP i"),
        ] {
            let message = |via: &str| format!("OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\n\r\n");
            let text = edited(message(via).as_bytes(), |e, m| {
                let top = m.values(Name::Via).next().unwrap();
                e.received_and_rport(m, &ViaRef::parse(top.text).unwrap(), source.parse().unwrap());
            });
            assert_eq!(text, message(want));
        }
    }

    #[test]
    fn an_editor_begun_again_has_forgotten_everything() {
        let mut index = Index::new();
        let message = scan(INVITE, &mut index).unwrap();
        let (mut editor, mut out) = (Editor::new(), Vec::new());
        editor.push_top(&message, b"Via: gone");
        editor.begin();
        assert!(editor.is_empty());
        editor.write(&message, &mut out);
        assert_eq!(out, INVITE);
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 4_294_967_296, u64::MAX] {
            let mut out = Vec::new();
            push_decimal(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
