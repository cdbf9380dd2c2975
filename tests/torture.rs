//! The torture messages of RFC 4475 and RFC 5118, judged for a proxy that says no aloud and changes nothing it does not
//! understand.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

#[path = "torture/invalid.rs"]
mod invalid;
#[path = "torture/valid.rs"]
mod valid;

use emcc_trunk::sip::reply::Reply;
use emcc_trunk::sip::{Editor, Index, Malformed, Message, Name, Scheme, Start, Strictness, essentials, scan};
use invalid::{INVALID, Verdict};
use valid::{IPV6, VALID};

/// The message as it goes over the wire: LF becomes CRLF, `~XX~` the octet.
fn wire(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (place, part) in text.split('~').enumerate() {
        match (place % 2, u8::from_str_radix(part, 16)) {
            (1, Ok(octet)) => out.push(octet),
            _ => out.extend_from_slice(part.replace('\n', "\r\n").as_bytes()),
        }
    }
    out
}

fn judge(bytes: &[u8], strictness: Strictness) -> Verdict {
    let mut index = Index::new();
    let (why, is_request) = match scan(bytes, &mut index) {
        Ok(message) => match essentials(&message, strictness) {
            Ok(_) => return Verdict::Forward { trailing: message.trailing() },
            Err(why) => (why, matches!(message.start(), Start::Request { .. })),
        },
        Err(broken) => (broken.why, broken.partial.is_some()),
    };
    if is_request { Verdict::Refuse(why) } else { Verdict::Drop(why) }
}

fn assert_unchanged(message: &Message<'_>, name: &str) {
    let mut out = Vec::new();
    Editor::new().write(message, &mut out);
    assert!(out == message.bytes(), "{name} is changed by forwarding");
}

#[test]
fn valid_messages_are_forwarded_octet_for_octet() {
    for (name, section, text) in VALID {
        let bytes = wire(text);
        assert_eq!(judge(&bytes, Strictness::Strict), Verdict::Forward { trailing: 0 }, "{name} ({section})");
        let mut index = Index::new();
        assert_unchanged(&scan(&bytes, &mut index).unwrap(), name);
    }
}

#[test]
fn invalid_messages_get_their_verdict() {
    for (name, section, want, text) in INVALID {
        assert_eq!(judge(&wire(text), Strictness::Strict), *want, "{name} ({section})");
    }
}

#[test]
fn a_lenient_neighbour_may_slip_where_it_harms_nobody() {
    for (name, section, _, text) in INVALID {
        let may_pass = matches!(*name, "trws" | "baddate" | "badaspec" | "baddn" | "dblreq");
        let passes = matches!(judge(&wire(text), Strictness::Lenient), Verdict::Forward { .. });
        assert_eq!(passes, may_pass, "{name} ({section})");
    }
}

#[test]
fn every_refused_request_can_be_answered() {
    for (name, _, want, text) in INVALID {
        let Verdict::Refuse(why) = want else { continue };
        let bytes = wire(text);
        let mut index = Index::new();
        let message = match scan(&bytes, &mut index) {
            Ok(message) => message,
            Err(broken) => broken.partial.unwrap(),
        };
        let mut out = Vec::new();
        let reply = Reply { to_tag: Some("t"), ..Reply::because(400, why.reason()) };
        assert!(reply.write(&message, &mut out).is_some(), "{name}");
        let mut index = Index::new();
        let answer = scan(&out, &mut index).unwrap();
        assert_eq!(answer.status(), Some(400), "{name}");
        for header in [Name::Via, Name::From, Name::CallId, Name::CSeq] {
            assert_eq!(answer.value(header), message.value(header), "{name}: {header:?}");
        }
    }
}

#[test]
fn wsinv_is_read_through_its_spaces() {
    let bytes = wire(VALID[0].2);
    let mut index = Index::new();
    let message = scan(&bytes, &mut index).unwrap();
    let facts = essentials(&message, Strictness::Strict).unwrap();
    assert_eq!((facts.from_tag, facts.to_tag), (Some(&b"98asjd8"[..]), Some(&b"1918181833n"[..])));
    assert_eq!((facts.cseq.number, facts.max_forwards, facts.via.branch), (9, Some(68), Some(&b"390skdjuw"[..])));
    assert!(!facts.via.is_branch_unique());
    assert_eq!(facts.from.display, Some(&br#""J Rosenberg \\\"""#[..]));
    assert_eq!((message.values(Name::Via).count(), message.value(Name::Subject)), (3, Some(&b""[..])));
    assert_eq!(message.body().len(), 150);
    let contact = message.addresses(Name::Contact).next().unwrap().unwrap();
    assert_eq!(
        (contact.params.value("newparam"), contact.params.value("q")),
        (Some(&b"newvalue"[..]), Some(&b"0.33"[..]))
    );
}

#[test]
fn intmeth_keeps_its_login_apart_from_its_host() {
    let bytes = wire(VALID[1].2);
    let mut index = Index::new();
    let message = scan(&bytes, &mut index).unwrap();
    let uri = essentials(&message, Strictness::Strict).unwrap().uri.unwrap();
    assert_eq!(uri.user, Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..]));
    assert_eq!(uri.password, Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..]));
    assert!(uri.headers.is_none() && uri.params.raw().is_empty());
}

#[test]
fn longreq_is_forwarded_for_all_its_length() {
    let mut text = format!(
        "INVITE sip:user@example.com SIP/2.0\nTo: \"I have a user name of {}proportion\" <sip:user@example.com:6000;\
         unknownparam1=very{}value;longparam{}name=shortvalue;very{}NameWithNoValue>\n\
         F: sip:amazinglylong{}callername@example.net;tag=12982{}424;unknownheaderparam{}name=v;valueless{}\n\
         Call-ID: longreq.one{}longcallid\nCSeq: 3882340 INVITE\nUnknown-{}-Name: unknown-{}-value\n",
        "extreme".repeat(10),
        "long".repeat(20),
        "name".repeat(25),
        "long".repeat(25),
        "call".repeat(5),
        "982".repeat(50),
        "name".repeat(20),
        "param".repeat(10),
        "really".repeat(20),
        "Long".repeat(20),
        "long".repeat(20),
    );
    for hop in (1..=33).rev() {
        text.push_str(&format!("{}: SIP/2.0/TCP sip{hop}.example.com\n", ["Via", "v", "V"][hop % 3]));
    }
    text.push_str(&format!(
        "V: SIP/2.0/TCP host.example.com;received=192.0.2.5;branch=very{}branchvalue\nMax-Forwards: 70\n\
         Contact: <sip:amazinglylong{}callername@host5.example.net>\nContent-Type: application/sdp\nl: 3\n\nv=0",
        "long".repeat(50),
        "call".repeat(5)
    ));
    let bytes = wire(&text);
    assert_eq!(judge(&bytes, Strictness::Strict), Verdict::Forward { trailing: 0 });
    let mut index = Index::new();
    assert_eq!(scan(&bytes, &mut index).unwrap().values(Name::Via).count(), 34);
}

#[test]
fn an_unknown_scheme_is_left_to_whoever_answers_416() {
    for (name, uri) in
        [("unkscm", "nobodyKnowsThisScheme:totallyopaquecontent"), ("novelsc", "soap.beep://192.0.2.103:3002")]
    {
        let bytes = plain(uri, "192.0.2.1;branch=z9hG4bK1");
        let mut index = Index::new();
        let message = scan(&bytes, &mut index).unwrap();
        let facts = essentials(&message, Strictness::Strict).unwrap();
        assert_eq!(facts.uri.unwrap().scheme, Scheme::Other, "{name}");
    }
}

#[test]
fn addresses_of_rfc_5118_are_read() {
    for (uri, via) in IPV6 {
        let bytes = plain(uri, via);
        assert_eq!(judge(&bytes, Strictness::Strict), Verdict::Forward { trailing: 0 }, "{uri} {via}");
        let mut index = Index::new();
        let message = scan(&bytes, &mut index).unwrap();
        let facts = essentials(&message, Strictness::Strict).unwrap();
        assert!(facts.via.host.ip().is_some(), "{via}");
        if via.contains("received") {
            assert_eq!(facts.via.received(), "2001:db8::9:255".parse().ok());
        }
    }
}

fn plain(uri: &str, via: &str) -> Vec<u8> {
    wire(&format!(
        "OPTIONS {uri} SIP/2.0\nVia: SIP/2.0/UDP {via}\nTo: <sip:a@b>\nFrom: <sip:a@b>;tag=1\nCall-ID: 1\n\
         CSeq: 1 OPTIONS\nContent-Length: 0\n\n"
    ))
}

#[test]
fn a_datagram_of_line_ends_is_no_message() {
    let mut index = Index::new();
    assert_eq!(scan(b"\r\n\r\n", &mut index).unwrap_err().why, Malformed::Empty);
}
