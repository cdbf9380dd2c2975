//! A message that is taken although it is out of form, put into form where that is easy: whoever reads it next, this node
//! included, finds one reading of it (P-23).

use super::edit::Editor;
use super::message::{Message, Span, Start};
use super::name::{Method, Name};
use super::read::{CSeq, ContactRef, Strictness, Value, hops, least_hops};
use super::reply::push_safe;
use super::uri::{NameAddrRef, Scheme, UriRef};
use super::via::{LooseVia, ViaRef};
use crate::limits::MAX_FORWARDS_FIRST;
use std::net::SocketAddr;

/// Records in `editor` what puts `message` into form: a method in capitals, headers that repeat themselves word for word once,
/// one Max-Forwards, a top Via and a CSeq as they were meant, a Request-URI without headers, a number that is no URI as a `tel`
/// URI, no Contact that is none beside one that is. What is left out of form passes as it came.
pub fn mend(editor: &mut Editor, message: &Message<'_>) {
    for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
        let mut same = message.all(name);
        let first = same.next().map(|(_, field)| message.text(field.value));
        for (place, field) in same {
            if Some(message.text(field.value)) == first {
                editor.remove_field(message, place);
            }
        }
    }
    mend_via(editor, message);
    mend_method(editor, message);
    mend_rack(editor, message);
    mend_hops(editor, message);
    mend_contact(editor, message);
    if let Start::Request { uri, .. } = message.start() {
        mend_uri(editor, message, message.text(uri));
    }
}

/// Methods in capitals, in the start line and in CSeq.
fn mend_method(editor: &mut Editor, message: &Message<'_>) {
    if let Start::Request { token, .. } = message.start()
        && let Some(method) = Method::of_other_case(message.text(token))
    {
        editor.replace(token, method.as_str().as_bytes());
    }
    let Some((_, field)) = message.first(Name::CSeq) else { return };
    match CSeq::parse(message.text(field.value)) {
        Ok(cseq) => {
            if let (Some(method), Some(span)) = (Method::of_other_case(cseq.token), message.span_of(cseq.token)) {
                editor.replace(span, method.as_str().as_bytes());
            }
        }
        Err(_) => {
            // A response that names no method is taken for one to an INVITE: what is worth mending is.
            let method =
                if message.status().is_some() { Method::Invite.as_str().as_bytes() } else { method_of(message) };
            let Some(cseq) = CSeq::salvage(message.text(field.value), method) else { return };
            let token = Method::of_other_case(cseq.token).map_or(cseq.token, |method| method.as_str().as_bytes());
            editor.text().decimal(u64::from(cseq.number)).put(b" ").put(token).replace(field.value);
        }
    }
}

/// The CSeq in RAck as that of the INVITE it acknowledges an answer to was read: who gets it knows no other.
fn mend_rack(editor: &mut Editor, message: &Message<'_>) {
    let Some((_, field)) = message.first(Name::RAck) else { return };
    let text = message.text(field.value).trim_ascii();
    let Some((rseq, rest)) = text.iter().position(u8::is_ascii_whitespace).and_then(|end| text.split_at_checked(end))
    else {
        return;
    };
    let (rest, is_read) = (rest.trim_ascii(), CSeq::parse(rest).is_ok());
    if let Some(cseq) = CSeq::salvage(rest, Method::Invite.as_str().as_bytes()).filter(|_| !is_read) {
        let token = Method::of_other_case(cseq.token).map_or(cseq.token, |method| method.as_str().as_bytes());
        editor.text().put(rseq).put(b" ").decimal(u64::from(cseq.number)).put(b" ").put(token).replace(field.value);
    }
}

/// The method of a request as written; nothing of a response.
fn method_of<'m>(message: &Message<'m>) -> &'m [u8] {
    match message.start() {
        Start::Request { token, .. } => message.text(token),
        Start::Response { .. } => b"",
    }
}

/// The top Via, where it is none and can be read all the same.
fn mend_via(editor: &mut Editor, message: &Message<'_>) {
    let Some(top) = message.values(Name::Via).next().filter(|via| ViaRef::parse(via.text).is_err()) else { return };
    if let Some(via) = LooseVia::read(top.text) {
        editor.replace(top.span, &via.in_form());
    }
}

/// Whether a request came with a top Via or a CSeq that [`mend()`] puts into form: an answer to what it became is not
/// known to its sender.
pub fn is_unlike_its_answer(request: &Message<'_>) -> bool {
    let via = request.values(Name::Via).next();
    via.is_some_and(|via| ViaRef::parse(via.text).is_err())
        || request.value(Name::CSeq).is_some_and(|cseq| CSeq::parse(cseq).is_err())
}

/// Records in `editor` what makes a response to what became of `request` one to `request` as it came from `source`: its own
/// top Via, with `received` and `rport`, and its own CSeq. Nothing where the response is to another request.
pub fn answer_as_it_came(editor: &mut Editor, response: &Message<'_>, request: &Message<'_>, source: SocketAddr) {
    let (Some(came), Some((_, field))) = (request.value(Name::CSeq), response.first(Name::CSeq)) else { return };
    let (Some(asked), Ok(told)) = (CSeq::salvage(came, method_of(request)), CSeq::parse(response.text(field.value)))
    else {
        return;
    };
    if response.status().is_none() || asked.number != told.number || !asked.token.eq_ignore_ascii_case(told.token) {
        return;
    }
    if CSeq::parse(came).is_err() {
        editor.replace(field.value, &on_one_line(came));
    }
    let tops = (request.values(Name::Via).next(), response.values(Name::Via).next());
    if let (Some(came), Some(told)) = tops
        && ViaRef::parse(came.text).is_err()
        && let Some(via) = LooseVia::read(came.text)
    {
        editor.replace(told.span, &on_one_line(&via.with_source(source)));
    }
}

/// What is copied of a message out of form begins no line.
fn on_one_line(text: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(text.len());
    push_safe(&mut line, text);
    line
}

fn mend_uri(editor: &mut Editor, message: &Message<'_>, written: &[u8]) {
    match UriRef::parse(written) {
        Ok(read) if matches!(read.scheme, Scheme::Sip | Scheme::Sips) && read.headers.is_some() => {
            editor.request_uri(message, read.without_headers().raw);
        }
        Ok(_) => {}
        Err(_) => {
            let number = number_alone(written).or_else(|| number_before_at(written).filter(|_| is_new_call(message)));
            if let Some(number) = number {
                editor.request_uri(message, &[b"tel:", number].concat());
            }
        }
    }
}

/// The number of a URI that is none, because pauses and what is dialled after them stand behind it (`tel:911,,5`, RFC 2806
/// section 2.2), which are the phone's own business, or because no host does (`sip:911`).
fn number_alone(written: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = written.split_at_checked(memchr::memchr(b':', written)?)?;
    let rest = rest.get(1..)?;
    let rest = rest.split(|octet| matches!(octet, b';' | b'?')).next()?;
    let is_digit = |octet: &u8| octet.is_ascii_digit() || b"+*#".contains(octet);
    let is_pause = |octet: &u8| b",pPwW".contains(octet);
    let number = if scheme.eq_ignore_ascii_case(b"tel") {
        let (number, behind) = rest.split_at_checked(rest.iter().position(is_pause)?)?;
        behind.iter().all(|octet| is_pause(octet) || is_digit(octet)).then_some(number)?
    } else if [&b"sip"[..], b"sips"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        let number = rest.strip_suffix(b"@").unwrap_or(rest);
        number.iter().all(is_digit).then_some(number)?
    } else {
        return None;
    };
    (!number.is_empty()).then_some(number)
}

/// The number of a `sip`, `sips` or `tel` URI that is none for what stands behind its first at sign: a host, a port, a
/// parameter or a second at sign.
fn number_before_at(written: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = written.split_at_checked(memchr::memchr(b':', written)?)?;
    let user = rest.get(1..memchr::memchr(b'@', rest)?)?;
    let number = user.split(|octet| matches!(octet, b';' | b':' | b',')).next()?;
    let is_number = |octet: &u8| octet.is_ascii_digit() || b"+*#-.()".contains(octet);
    let is_known = [&b"sip"[..], b"sips", b"tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    (is_known && !number.is_empty() && number.iter().all(is_number)).then_some(number)
}

/// Whether a Request-URI is what its sender dialled. In a dialog it is what the other side wrote into its Contact, and goes
/// back there as it came.
fn is_new_call(message: &Message<'_>) -> bool {
    let method = method_of(message);
    let is_invite = method.eq_ignore_ascii_case(Method::Invite.as_str().as_bytes());
    let to = message.value(Name::To).unwrap_or_default();
    let to = NameAddrRef::parse(to, Strictness::Salvage).unwrap_or_else(|_| NameAddrRef::unreadable(to));
    is_invite && (to.tag().is_none() || message.first(Name::Route).is_none())
}

/// Records in `editor` what makes a request one outside any dialog: To without its tag.
pub fn leave_dialog(editor: &mut Editor, message: &Message<'_>, to: &NameAddrRef<'_>) {
    let (Some(span), Some(tag)) = (message.span_of(to.raw), to.tag()) else { return };
    if to.params.value("tag").is_none() {
        // Of one that cannot be read the tag alone is known.
        let Some(tag) = message.span_of(tag) else { return };
        let before = message.text(Span { start: span.start, end: tag.start });
        let Some(parting) = memchr::memrchr(b';', before) else { return };
        return editor.replace(Span { start: span.behind(parting).start, end: tag.end }, b"");
    }
    let mut text = editor.text().put(to.raw.strip_suffix(to.params.raw()).unwrap_or(to.raw));
    for param in to.params.iter().filter(|param| !param.name.eq_ignore_ascii_case(b"tag")) {
        text = text.put(b";").put(param.name);
        if let Some(value) = param.value {
            text = text.put(b"=").put(value);
        }
    }
    text.replace(span);
}

/// Records in `editor` what makes a request that a strict router sent one that came loosely: the last Route, which is
/// `target`, in the Request-URI (RFC 3261 section 16.4).
pub fn leave_strict_route(editor: &mut Editor, message: &Message<'_>, last: &Value<'_>, target: &UriRef<'_>) {
    editor.request_uri(message, target.raw);
    editor.remove_values(message, Name::Route, |text| std::ptr::eq(text, last.text));
}

/// One Max-Forwards that can be read; none where none came.
fn mend_hops(editor: &mut Editor, message: &Message<'_>) {
    let mut fields = message.all(Name::MaxForwards);
    let Some((_, first)) = fields.next() else { return };
    let left = least_hops(message).unwrap_or(MAX_FORWARDS_FIRST);
    if hops(message.text(first.value)) != Some(left) {
        editor.text().decimal(u64::from(left)).replace(first.value);
    }
    for (place, _) in fields {
        editor.remove_field(message, place);
    }
}

/// Takes off the values of Contact that cannot be read where one is left that can.
fn mend_contact(editor: &mut Editor, message: &Message<'_>) {
    let is_read = |text: &[u8]| ContactRef::parse(text, Strictness::Lenient).is_ok();
    if message.values(Name::Contact).any(|value| is_read(value.text)) {
        editor.remove_values(message, Name::Contact, |text| !is_read(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, essentials, scan};

    const PLAIN: &str = "INVITE sip:911@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
        From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@h>\r\n\r\nbody";

    fn mended(text: &str) -> String {
        let mut index = Index::new();
        let message = scan(text.as_bytes(), &mut index).unwrap();
        let (mut editor, mut out) = (Editor::new(), Vec::new());
        mend(&mut editor, &message);
        editor.write(&message, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn p_23_what_is_easily_mended_is_and_then_every_reading_is_the_same() {
        for (from, slip, to) in [
            ("CSeq: 1 INVITE\r\n", "CSeq: 1 INVITE\r\ncseq : 1 INVITE\r\n", "CSeq: 1 INVITE\r\n"),
            ("Call-ID: c\r\n", "i: c\r\nCall-ID: c\r\nCall-ID: c\r\n", "i: c\r\n"),
            ("Max-Forwards: 70\r\n", "Max-Forwards: abc\r\n", "Max-Forwards: 70\r\n"),
            ("Max-Forwards: 70\r\n", "Max-Forwards:\r\n", "Max-Forwards:70\r\n"),
            ("Max-Forwards: 70\r\n", "Max-Forwards: 256\r\nMax-Forwards: 5\r\n", "Max-Forwards: 5\r\n"),
            ("Contact: <sip:a@h>\r\n", "Contact: <sip:a@h>,\r\n", "Contact: <sip:a@h>\r\n"),
            ("Contact: <sip:a@h>\r\n", "Contact: ;;\r\nm: <sip:a@h>\r\n", "m: <sip:a@h>\r\n"),
            ("sip:911@h", "sip:911@h;x?Subject=y", "sip:911@h;x"),
        ] {
            let (wrong, want) = (PLAIN.replacen(from, slip, 1), PLAIN.replacen(from, to, 1));
            assert_eq!(mended(&wrong), want, "{slip}");
            let (mut one, mut other) = (Index::new(), Index::new());
            let (before, after) =
                (scan(wrong.as_bytes(), &mut one).unwrap(), scan(want.as_bytes(), &mut other).unwrap());
            let salvaged = essentials(&before, Strictness::Salvage).unwrap();
            let read = essentials(&after, Strictness::Strict).unwrap();
            assert_eq!(
                (salvaged.call_id, salvaged.cseq, salvaged.from),
                (read.call_id, read.cseq, read.from),
                "{slip}"
            );
            assert_eq!((salvaged.to, salvaged.uri), (read.to, read.uri), "{slip}");
            assert_eq!(salvaged.max_forwards.unwrap_or(MAX_FORWARDS_FIRST), read.max_forwards.unwrap(), "{slip}");
        }
    }

    #[test]
    fn p_23_a_number_that_is_no_uri_becomes_a_tel_uri_and_a_method_capitals() {
        for (uri, want) in [
            ("tel:911,,5", "tel:911"),
            ("TEL:9-11p5w#;phone-context=x", "tel:9-11"),
            ("tel:911w", "tel:911"),
            ("sip:911", "tel:911"),
            ("SIPS:+911;user=phone", "tel:+911"),
            ("sip:911@", "tel:911"),
            ("sip:911?Subject=x", "tel:911"),
            ("sip:911@h;", "tel:911"),
            ("sips:9-1-1;x=y:pw@h:0", "tel:9-1-1"),
            ("tel:911@h", "tel:911"),
            ("sip:911,,5@a@b", "tel:911"),
        ] {
            assert!(UriRef::parse(uri.as_bytes()).is_err(), "{uri}");
            assert_eq!(mended(&PLAIN.replacen("sip:911@h", uri, 1)), PLAIN.replacen("sip:911@h", want, 1), "{uri}");
        }
        for (line, cseq) in [("invite", "INVITE"), ("INVITE", "invite"), ("Invite", "inVITE")] {
            let text = PLAIN.replacen("INVITE", line, 1).replacen("CSeq: 1 INVITE", &format!("CSeq: 1 {cseq}"), 1);
            assert_eq!(mended(&text), PLAIN, "{line} {cseq}");
        }
    }

    #[test]
    fn p_23_a_top_via_and_a_cseq_leave_as_they_were_meant() {
        for (from, slip, to) in [
            ("CSeq: 1 INVITE", "CSeq: 1", "CSeq: 1 INVITE"),
            ("CSeq: 1 INVITE", "CSeq: 1 INVITE;x", "CSeq: 1 INVITE"),
            ("CSeq: 1 INVITE", "CSeq: 4294967303 INVITE", "CSeq: 7 INVITE"),
            ("UDP h;branch=z9hG4bK1", "UDP h;;branch=z9hG4bK1;", "UDP h;rport;branch=z9hG4bK1"),
            ("UDP h;branch=z9hG4bK1", "UDP  h:1:2 ; branch = z9hG4bK1;rport=", "UDP h;rport;branch=z9hG4bK1"),
            (
                "UDP h;branch=z9hG4bK1",
                "UDP [fe80::1%25eth0]:0;branch=\"z9hG4bK1\"",
                "UDP [fe80::1];rport;branch=z9hG4bK1",
            ),
            ("UDP h;branch=z9hG4bK1", "UDP h i;branch=z9hG4bK1", "UDP unread.invalid;rport;branch=z9hG4bK1"),
            ("UDP h;branch=z9hG4bK1", "UDP h:70;;x, SIP/2.0/UDP i;;", "UDP h:70;rport, SIP/2.0/UDP i;;"),
        ] {
            let want = PLAIN.replacen(from, to, 1);
            assert_eq!(mended(&PLAIN.replacen(from, slip, 1)), want, "{slip}");
            let mut index = Index::new();
            assert!(essentials(&scan(want.as_bytes(), &mut index).unwrap(), Strictness::Strict).is_ok(), "{slip}");
        }
    }

    #[test]
    fn p_23_a_rack_names_the_cseq_its_invite_left_with() {
        let plain = PLAIN.replacen("INVITE", "PRACK", 1).replacen("1 INVITE", "8 PRACK", 1);
        let with = |rack: &str| plain.replacen("Contact:", &format!("RAck: {rack}\r\nContact:"), 1);
        for (slip, want) in [
            ("776656 4294967303 INVITE", "776656 7 INVITE"),
            ("1  4294967303\tInvite ", "1 7 INVITE "),
            ("1 7", "1 7 INVITE"),
            ("1 7 INVITE", "1 7 INVITE"),
            ("1", "1"),
            ("1 x INVITE", "1 x INVITE"),
        ] {
            assert_eq!(mended(&with(slip)), with(want), "{slip}");
        }
        // The same number as the INVITE's own CSeq becomes.
        let invite = mended(&PLAIN.replacen("CSeq: 1 INVITE", "CSeq: 4294967303 INVITE", 1));
        assert!(invite.contains("CSeq: 7 INVITE"), "{invite}");
    }

    fn told(request: &str, response: &str) -> String {
        let (mut one, mut other) = (Index::new(), Index::new());
        let (request, response) =
            (scan(request.as_bytes(), &mut one).unwrap(), scan(response.as_bytes(), &mut other).unwrap());
        let (mut editor, mut out) = (Editor::new(), Vec::new());
        answer_as_it_came(&mut editor, &response, &request, "10.0.0.9:7".parse().unwrap());
        editor.write(&response, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn p_23_an_answer_has_the_via_and_the_cseq_its_request_came_with() {
        let answer = |via: &str, cseq: &str| {
            format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {via}, SIP/2.0/UDP b\r\nCSeq: {cseq}\r\n\r\n")
        };
        let mended = answer("h;rport=7;received=10.0.0.9;branch=z9hG4bK1", "1 INVITE");
        for (via, cseq, back) in [
            (
                "h;;rport;branch=z9hG4bK1",
                "1 INVITE",
                answer("h;;rport=7;branch=z9hG4bK1;received=10.0.0.9", "1 INVITE"),
            ),
            ("10.0.0.9:;branch=z9hG4bK1;", "1", answer("10.0.0.9:;branch=z9hG4bK1;", "1")),
            ("h ;received=1.1.1.1;branch=z9hG4bK1;", "1\tx", mended.clone()),
            ("h;branch=z9hG4bK1;", "1\r\n ", answer("h;branch=z9hG4bK1;received=10.0.0.9", "1")),
            ("h;branch=z9hG4bK1", "1 INVITE;\r\n x", mended.replacen("INVITE", "INVITE;   x", 1)),
            // In form: as it is. To another request: as well.
            ("h;branch=z9hG4bK1", "1 INVITE", mended.clone()),
            ("h;;branch=z9hG4bK1", "2 INVITE", mended.clone()),
        ] {
            let request =
                PLAIN.replacen("h;branch=z9hG4bK1", via, 1).replacen("CSeq: 1 INVITE", &format!("CSeq: {cseq}"), 1);
            assert_eq!(told(&request, &mended), back, "{via} {cseq}");
            assert_eq!(told(&request, &back), back, "once is enough");
        }
        assert!(is_unlike_its_answer(&scan(PLAIN.replacen("h;b", "h;;b", 1).as_bytes(), &mut Index::new()).unwrap()));
        assert!(!is_unlike_its_answer(&scan(PLAIN.as_bytes(), &mut Index::new()).unwrap()));
    }

    #[test]
    fn rfc_3261_12_2_2_a_to_loses_its_tag_and_nothing_else() {
        for (to, want) in [
            ("<sip:b@h>;tag=1", "<sip:b@h>"),
            ("\"tag=2\" <sip:b@h;tag=3> ; x ; TAG = 1;y=\"z\"", "\"tag=2\" <sip:b@h;tag=3>;x;y=\"z\""),
            ("sip:b@h;tag=1;tag=2", "sip:b@h"),
            ("\"x;tag=y\" <sip:@h>;q;tag=1;z", "\"x;tag=y\" <sip:@h>;q;z"),
            ("<sip:@h> ; tag = 1", "<sip:@h> "),
            ("<sip:@h>", "<sip:@h>"),
            ("<sip:b@h>", "<sip:b@h>"),
        ] {
            let text = PLAIN.replacen("<sip:b@h>", to, 1);
            let mut index = Index::new();
            let message = scan(text.as_bytes(), &mut index).unwrap();
            let (mut editor, mut out) = (Editor::new(), Vec::new());
            leave_dialog(&mut editor, &message, &essentials(&message, Strictness::Salvage).unwrap().to);
            editor.write(&message, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), PLAIN.replacen("<sip:b@h>", want, 1), "{to}");
        }
    }

    #[test]
    fn rfc_3261_16_4_the_last_route_becomes_the_target() {
        for (routes, left) in [
            ("Route: <sip:9@x>\r\n", ""),
            ("Route: <sip:a;lr>, <sip:9@x>\r\n", "Route: <sip:a;lr>\r\n"),
            ("Route: <sip:9@x>\r\nRoute: <sip:9@x>\r\n", "Route: <sip:9@x>\r\n"),
        ] {
            let text = PLAIN.replacen("Max-Forwards", &format!("{routes}Max-Forwards"), 1);
            let mut index = Index::new();
            let message = scan(text.as_bytes(), &mut index).unwrap();
            let last = message.values(Name::Route).last().unwrap();
            let target = NameAddrRef::parse(last.text, Strictness::Lenient).unwrap().uri;
            let (mut editor, mut out) = (Editor::new(), Vec::new());
            leave_strict_route(&mut editor, &message, &last, &target);
            editor.write(&message, &mut out);
            let want = PLAIN.replacen("sip:911@h", "sip:9@x", 1);
            let want = want.replacen("Max-Forwards", &format!("{left}Max-Forwards"), 1);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{routes}");
        }
    }

    #[test]
    fn what_is_in_form_or_cannot_be_mended_passes_as_it_came() {
        for slip in [
            "Contact: <sip:a@h>",
            "Contact: <sip:a@h>, <sip:b@h>",
            "Contact: *",
            "Contact: sip:a@h?x=y",
            "Contact:",
            "Contact: <sip:a@h>\r\nCSeq: 2 INVITE",
            "Contact: <sip:a@h>\r\nDate: yesterday",
        ] {
            let text = PLAIN.replacen("Contact: <sip:a@h>", slip, 1);
            assert_eq!(mended(&text), text);
        }
        for uri in [
            "urn:service:sos?x",
            "sip:alice@h;",
            "sip:@h;",
            "mailto:911@h@i",
            "sip:911:5060",
            "sip:9-1-1",
            "sip:1.1.2",
            "sip:@h",
            "sip:@",
            "tel:,911",
            "tel:911,x",
        ] {
            let text = PLAIN.replacen("sip:911@h", uri, 1);
            assert_eq!(mended(&text), text);
        }
        for slip in ["", "x", "INVITE", "-1 INVITE", "1 ;"] {
            let text = PLAIN.replacen("CSeq: 1 INVITE", &format!("CSeq: {slip}"), 1);
            assert_eq!(mended(&text), text);
        }
        for slip in ["", "x", "SIP/2.0/UDP", "SIP/2.0/UDP ;branch=z9hG4bK1", "SIP/2.1/UDP h", "SIP/2.0/ h"] {
            let text = PLAIN.replacen("SIP/2.0/UDP h;branch=z9hG4bK1", slip, 1);
            assert_eq!(mended(&text), text);
        }
        // What its sender wrote into its Contact is a dialog's.
        let within = PLAIN.replacen("sip:911@h", "sip:911@h;", 1).replacen("To: <sip:b@h>", "To: <sip:b@h>;tag=2", 1);
        let routed = within.replacen("Contact", "Route: <sip:h;lr>\r\nContact", 1);
        assert_eq!(mended(&routed), routed);
        let other = PLAIN.replacen("sip:911@h", "sip:911@h;", 1).replace("INVITE", "BYE");
        assert_eq!(mended(&other), other);
        for line in ["BYE sip:h", "Bye-Bye sip:h", "InVitE2 sip:h"] {
            let text = PLAIN.replacen("INVITE sip:911@h", line, 1);
            assert_eq!(mended(&text), text);
        }
    }
}
