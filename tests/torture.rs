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
use valid::{IPV6, VALID, wire};

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
    for (name, section, text) in VALID.iter().chain(IPV6) {
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
    let bytes = wire(named("wsinv"));
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
    let bytes = wire(named("intmeth"));
    let mut index = Index::new();
    let message = scan(&bytes, &mut index).unwrap();
    let uri = essentials(&message, Strictness::Strict).unwrap().uri.unwrap();
    assert_eq!(uri.user, Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..]));
    assert_eq!(uri.password, Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..]));
    assert!(uri.headers.is_none() && uri.params.raw().is_empty());
}

#[test]
fn longreq_has_34_vias() {
    let bytes = wire(named("longreq"));
    let mut index = Index::new();
    assert_eq!(scan(&bytes, &mut index).unwrap().values(Name::Via).count(), 34);
}

/// The text of a valid message of RFC 4475 or RFC 5118.
fn named(wanted: &str) -> &'static str {
    VALID.iter().chain(IPV6).find(|(name, ..)| *name == wanted).unwrap().2
}

#[test]
fn every_length_is_that_of_its_body_as_in_the_rfcs_own_octets() {
    for (name, _, text) in VALID.iter().chain(IPV6) {
        let bytes = wire(text);
        let mut index = Index::new();
        let message = scan(&bytes, &mut index).unwrap();
        if let Some(stated) = message.number(Name::ContentLength) {
            assert_eq!(message.body().len(), stated as usize, "{name}");
        }
    }
    let bytes = wire(named("mpart01"));
    let mut index = Index::new();
    assert_eq!(scan(&bytes, &mut index).unwrap().body().len(), 553);
}

#[test]
fn an_unknown_scheme_is_left_to_whoever_answers_416() {
    for name in ["unkscm", "novelsc"] {
        let bytes = wire(named(name));
        let mut index = Index::new();
        let message = scan(&bytes, &mut index).unwrap();
        let facts = essentials(&message, Strictness::Strict).unwrap();
        assert_eq!(facts.uri.unwrap().scheme, Scheme::Other, "{name}");
    }
}

#[test]
fn addresses_of_rfc_5118_are_read() {
    for (name, section, text) in IPV6 {
        let bytes = wire(text);
        let mut index = Index::new();
        let message = scan(&bytes, &mut index).unwrap();
        let facts = essentials(&message, Strictness::Strict).unwrap();
        let by_name = name.starts_with("ipv6-bug") || name.starts_with("ipv6-correct");
        assert_eq!(facts.via.host.ip().is_none(), by_name, "{name} ({section})");
        if name.starts_with("via-received") {
            assert_eq!(facts.via.received(), "2001:db8::9:255".parse().ok(), "{name} ({section})");
        }
    }
}

#[test]
fn a_datagram_of_line_ends_is_no_message() {
    let mut index = Index::new();
    assert_eq!(scan(b"\r\n\r\n", &mut index).unwrap_err().why, Malformed::Empty);
}
