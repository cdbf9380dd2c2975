//! Octets to positions: whatever comes, nothing panics, and what was found lies where it says it does.

use emcc_trunk::sip::reply::Reply;
use emcc_trunk::sip::uri::unescape;
use emcc_trunk::sip::{
    Broken, CSeq, Index, Message, Name, NameAddrRef, Strictness, UriRef, ViaRef, build, essentials, reframe, scan,
};

#[test]
fn scanning() {
    bolero::check!(name = "scan").with_iterations(0).for_each(|input: &[u8]| check(input));
    emcc_fuzz::replay("scan", 40_000, check);
}

fn check(input: &[u8]) {
    let mut index = Index::new();
    match scan(input, &mut index) {
        Ok(message) => {
            ask_everything(&message);
            let (fields, body) = (message.fields().len(), message.body().len());
            let mut index = Index::new();
            let again = scan(message.bytes(), &mut index).expect("a message stays one without what followed it");
            assert_eq!((again.fields().len(), again.body().len(), again.trailing()), (fields, body, 0));
        }
        Err(Broken { partial: Some(partial), .. }) => {
            assert!(partial.method().is_some(), "only a request can be refused");
            ask_everything(&partial);
        }
        Err(Broken { partial: None, .. }) => {}
    }
    [true, false].into_iter().for_each(|is_datagram| put_in_form(input, is_datagram));
}

/// What is put in form is a message, is not what came, and needs it no second time.
fn put_in_form(input: &[u8], is_datagram: bool) {
    let Some(whole) = reframe(input, is_datagram) else { return };
    assert_ne!(whole, input);
    let mut index = Index::new();
    match scan(&whole, &mut index) {
        Ok(message) => ask_everything(&message),
        Err(broken) => panic!("put in form and still broken: {:?}", broken.why),
    }
    assert_eq!(reframe(&whole, is_datagram), None);
}

fn ask_everything(message: &Message<'_>) {
    for strictness in [Strictness::Strict, Strictness::Lenient] {
        if let Ok(of) = essentials(message, strictness) {
            assert!(message.span_of(of.call_id).is_some_and(|span| message.text(span) == of.call_id));
        }
    }
    let mut end = 0;
    for (place, field) in message.fields().iter().enumerate() {
        assert!(field.line.start >= end && field.value.end <= field.line.end, "fields stand one after the other");
        end = field.line.end;
        for value in message.values_of(place) {
            assert_eq!(message.text(value.span), value.text);
            let _ = ViaRef::parse(value.text).map(|via| (via.rport(), via.received(), via.ttl()));
            let _ = NameAddrRef::parse(value.text, Strictness::Lenient).map(|address| address.tag());
            let _ = UriRef::parse(value.text).map(|uri| (uri.param("x").map(<[u8]>::len), uri.number()));
            let _ = CSeq::parse(value.text);
            let _ = unescape(value.text, &mut [0; 16]);
        }
        let _ = (message.number(field.name), message.addresses(field.name).count());
    }
    let _ = (message.call_infos().count(), message.contacts().count(), message.tokens(Name::Require).count());
    let _ = (message.content_type(), message.rack(), message.session_expires());
    let mut out = Vec::new();
    let source = Some(([127, 0, 0, 9], 9).into());
    let reply = Reply { to_tag: Some("t"), source, has_record_route: true, ..Reply::new(400) };
    if reply.write(message, &mut out).is_some() {
        let mut index = Index::new();
        let answer = match scan(&out, &mut index) {
            Ok(answer) => answer,
            Err(broken) => panic!("an answer of ours is broken: {:?}", broken.why),
        };
        assert_eq!(answer.all(Name::Via).count(), message.all(Name::Via).count());
    }
    let _ = build::cancel_for(message, b"SIP;cause=200", &mut out);
}
