//! A message that is taken although it is out of form, put into form where that is easy: whoever reads it next, this node
//! included, finds one reading of it (P-23).

use super::edit::Editor;
use super::message::{Message, Span, Start, narrow};
use super::name::{Method, Name};
use super::read::{CSeq, ContactRef, Strictness, Value, hops, least_hops};
use super::uri::{NameAddrRef, Scheme, UriRef};
use crate::limits::MAX_FORWARDS_FIRST;

/// Records in `editor` what puts `message` into form: a method in capitals, headers that repeat themselves word for word once,
/// one Max-Forwards, a Request-URI without headers, a number that is no URI as a `tel` URI, no Contact that is none beside one
/// that is. What is left out of form passes as it came.
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
    mend_method(editor, message);
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
    if let Some(cseq) = message.value(Name::CSeq).and_then(|value| CSeq::parse(value).ok())
        && let Some(method) = Method::of_other_case(cseq.token)
        && let Some(span) = message.span_of(cseq.token)
    {
        editor.replace(span, method.as_str().as_bytes());
    }
}

fn mend_uri(editor: &mut Editor, message: &Message<'_>, written: &[u8]) {
    match UriRef::parse(written) {
        Ok(read) if matches!(read.scheme, Scheme::Sip | Scheme::Sips) && read.headers.is_some() => {
            editor.request_uri(message, read.without_headers().raw);
        }
        Ok(_) => {}
        Err(_) => {
            if let Some(number) = number_alone(written) {
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

/// Records in `editor` what makes a request one outside any dialog: To without its tag.
pub fn leave_dialog(editor: &mut Editor, message: &Message<'_>, to: &NameAddrRef<'_>) {
    let (Some(span), Some(tag)) = (message.span_of(to.raw), to.tag()) else { return };
    if to.params.value("tag").is_none() {
        // Of one that cannot be read the tag alone is known.
        let Some(tag) = message.span_of(tag) else { return };
        let before = message.text(Span { start: span.start, end: tag.start });
        let Some(parting) = memchr::memrchr(b';', before) else { return };
        return editor.replace(Span { start: span.start + narrow(parting), end: tag.end }, b"");
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
        for uri in
            ["urn:service:sos?x", "sip:911:5060", "sip:9-1-1", "sip:1.1.2", "sip:@h", "sip:@", "tel:,911", "tel:911,x"]
        {
            let text = PLAIN.replacen("sip:911@h", uri, 1);
            assert_eq!(mended(&text), text);
        }
        for line in ["BYE sip:h", "Bye-Bye sip:h", "InVitE2 sip:h"] {
            let text = PLAIN.replacen("INVITE sip:911@h", line, 1);
            assert_eq!(mended(&text), text);
        }
    }
}
