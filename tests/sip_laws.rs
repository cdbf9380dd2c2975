//! Laws of the SIP layer over generated messages: nothing panics, nothing untouched changes, framing does not depend on
//! segments, and rsip agrees wherever rsip is right.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

use bytes::BytesMut;
use emcc_trunk::sip::frame::{Frame, Framer};
use emcc_trunk::sip::reply::Reply;
use emcc_trunk::sip::uri::unescape;
use emcc_trunk::sip::{
    CSeq, Editor, Index, Message, Name, NameAddrRef, Strictness, UriRef, ViaRef, build, essentials, reframe, scan,
};
use proptest::collection::vec;
use proptest::prelude::*;
use rsip::headers::ToTypedHeader;
use rsip::prelude::{HeadersExt, UntypedHeader};
use tokio_util::codec::Decoder;

const SEEDS: [&[u8]; 3] = [
    b"INVITE sip:911;phone-context=+1@[2001:db8::1]:5060;lr?a=b SIP/2.0\r\nv: SIP / 2.0/UDP h;rport;branch=z9hG4bK1 ,\r\n \
      SIP/2.0/TCP 10.0.0.1\r\nFROM : \"A, \\\"B\" <sip:a%41@h>;tag=1\r\nt: sip:b@h\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
      Max-Forwards: 070\r\nRoute: <sip:r;lr>, <sip:s;lr>\r\nm: *, <tel:+1;ext=2>;q=0.5\r\nx: 90;refresher=uac\r\n\
      Call-Info: <urn:x:y>;purpose=z;epoch=4\r\nRAck: 1 2 INVITE\r\nc: a/b;c=\"d\"\r\nRequire: x,y\r\nl: 4\r\n\r\nbody",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS [::1]:5061;received=::2;branch=z9hG4bKx\r\nFrom: <sip:a@h>\r\nTo: <sip:b@h>;tag=2\r\n\
      Call-ID: c\r\nCSeq: 7 BYE\r\nRecord-Route: <sip:a;lr>,<sip:b>\r\nContent-Length: 0\r\n\r\n",
    b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK2\r\nFrom: sip:a@h;tag=1\r\nTo: sip:h\r\nCall-ID: 1@h\r\n\
      CSeq: 2 OPTIONS\r\nTimestamp: 5\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\n\r\n",
];

/// Octets that mean something to a SIP parser, and a few that should not.
const SHARP: &[u8] = b"\r\n \t:;,<>\"\\@=?%/[]*0aSl\0\x7f\xff";

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(SHARP));
    (prop::sample::select(&SEEDS[..]), vec(change, 0..6)).prop_map(|(seed, changes)| {
        let mut bytes = seed.to_vec();
        for (place, kind, octet) in changes {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = octet,
                1 => bytes.insert(at, octet),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![prop::sample::select(SHARP), any::<u8>()], 0..200)
}

/// Asks everything there is to ask of a message.
fn exercise(message: &Message<'_>) {
    for strictness in [Strictness::Strict, Strictness::Lenient] {
        let _ = essentials(message, strictness);
    }
    for (place, field) in message.fields().iter().enumerate() {
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
    let source = "[2001:db8::9]:9".parse().expect("an address");
    let mut out = Vec::new();
    let reply = Reply { to_tag: Some("t"), source: Some(source), has_record_route: true, ..Reply::new(200) };
    if reply.write(message, &mut out).is_some() {
        let mut index = Index::new();
        let answer = scan(&out, &mut index).expect("an answer of ours is well formed");
        assert_eq!(answer.all(Name::Via).count(), message.all(Name::Via).count());
    }
    out.clear();
    let _ = build::cancel_for(message, b"SIP;cause=200", &mut out);
    let mut editor = Editor::new();
    if let Some(Ok(via)) = message.values(Name::Via).next().map(|top| ViaRef::parse(top.text)) {
        editor.received_and_rport(message, &via, source);
    }
    editor.request_uri(message, b"sip:x");
    editor.max_forwards(message, 1);
    editor.remove_first_values(message, Name::Route, 1);
    editor.push_top(message, b"Via: SIP/2.0/UDP us");
    editor.body(message, b"new");
    editor.write(message, &mut out);
}

fn frames(stream: &[u8], cuts: &[usize]) -> Vec<Frame> {
    let (mut framer, mut buffer, mut found, mut rest) = (Framer::new(), BytesMut::new(), Vec::new(), stream);
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (part, after) = rest.split_at(cut.min(rest.len()));
        buffer.extend_from_slice(part);
        rest = after;
        while let Some(frame) = framer.decode(&mut buffer).expect("decoding does no input or output") {
            // How much of a refused message is at hand does depend on segments.
            found.push(match frame {
                Frame::Refused { why, status, .. } => Frame::Refused { why, status, head: bytes::Bytes::new() },
                other => other,
            });
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_octets_make_the_scanner_or_a_reader_panic(bytes in prop_oneof![mutated(), noise()]) {
        let mut index = Index::new();
        match scan(&bytes, &mut index) {
            Ok(message) => exercise(&message),
            Err(broken) => {
                if let Some(partial) = broken.partial {
                    let mut out = Vec::new();
                    let _ = essentials(&partial, Strictness::Lenient);
                    if Reply::because(400, broken.why.reason()).write(&partial, &mut out).is_some() {
                        let mut index = Index::new();
                        prop_assert!(scan(&out, &mut index).is_ok(), "{}", String::from_utf8_lossy(&out));
                    }
                }
            }
        }
    }

    #[test]
    fn p_23_what_is_put_into_form_is_a_message_and_needs_it_no_more(
        bytes in prop_oneof![mutated(), noise()],
        is_bare in any::<bool>(),
        is_datagram in any::<bool>(),
    ) {
        let bytes = if is_bare { bytes.into_iter().filter(|octet| *octet != b'\r').collect() } else { bytes };
        if let Some(whole) = reframe(&bytes, is_datagram) {
            prop_assert!(scan(&whole, &mut Index::new()).is_ok());
            prop_assert_eq!(reframe(&whole, is_datagram), None);
        }
    }

    #[test]
    fn a_message_nobody_touched_leaves_as_it_came(bytes in mutated()) {
        let mut index = Index::new();
        if let Ok(message) = scan(&bytes, &mut index) {
            let mut out = Vec::new();
            Editor::new().write(&message, &mut out);
            prop_assert_eq!(&out[..], message.bytes());
            let lines: usize = message.fields().iter().map(|field| field.line.len()).sum();
            prop_assert!(lines < out.len());
        }
    }

    #[test]
    fn a_via_pushed_and_popped_leaves_no_trace(bytes in mutated()) {
        let mut index = Index::new();
        if let Ok(message) = scan(&bytes, &mut index) {
            let (mut editor, mut there, mut back) = (Editor::new(), Vec::new(), Vec::new());
            editor.push_top(&message, b"Via: SIP/2.0/UDP us;branch=z9hG4bKz");
            editor.write(&message, &mut there);
            let mut index = Index::new();
            let pushed = scan(&there, &mut index).unwrap();
            editor.begin();
            editor.remove_first_values(&pushed, Name::Via, 1);
            editor.write(&pushed, &mut back);
            prop_assert_eq!(&back[..], message.bytes());
        }
    }

    #[test]
    fn frames_do_not_depend_on_segments(parts in vec(mutated(), 1..4), cuts in vec(0_usize..90, 0..20)) {
        let stream = parts.concat();
        prop_assert_eq!(frames(&stream, &cuts), frames(&stream, &[]));
    }

    #[test]
    fn decimal_length_and_body_agree_after_a_new_body(body in vec(any::<u8>(), 0..300)) {
        let mut index = Index::new();
        let message = scan(SEEDS[0], &mut index).unwrap();
        let (mut editor, mut out) = (Editor::new(), Vec::new());
        editor.body(&message, &body);
        editor.write(&message, &mut out);
        let mut index = Index::new();
        let changed = scan(&out, &mut index).unwrap();
        prop_assert_eq!((changed.body(), changed.trailing()), (&body[..], 0));
    }

    /// Long names, one value a line, no dots in users, no IPv6, no folds: where rsip reads rightly.
    #[test]
    fn rsip_agrees_where_rsip_is_right(
        method in prop::sample::select(vec!["INVITE", "BYE", "OPTIONS", "REGISTER", "UPDATE"]),
        user in "[a-z0-9]{1,8}",
        host in "[a-z]{1,8}(\\.[a-z]{2,5})?",
        port in 1_u16..,
        tag in "[a-z0-9]{1,12}",
        number in 0_u32..0x8000_0000,
        hops in 0_u8..,
        subject in "[a-zA-Z0-9]([ -~]{0,20}[a-z])?",
        body in "[ -~\r\n]{0,40}",
    ) {
        let text = format!(
            "{method} sip:{user}@{host}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{tag}\r\n\
             From: <sip:{user}@{host}>;tag={tag}\r\nTo: <sip:{host}>\r\nCall-ID: {tag}@{host}\r\n\
             CSeq: {number} {method}\r\nMax-Forwards: {hops}\r\nSubject: {subject}\r\n\
             Content-Length: {}\r\n\r\n{body}", body.len()
        );
        let mut index = Index::new();
        let message = scan(text.as_bytes(), &mut index).unwrap();
        let ours = essentials(&message, Strictness::Strict).unwrap();
        let theirs = rsip::Request::try_from(text.as_bytes()).unwrap();
        prop_assert_eq!(message.fields().len(), theirs.headers.iter().count());
        prop_assert_eq!(rsip::Uri::try_from(ours.uri.unwrap()).unwrap(), theirs.uri.clone());
        prop_assert_eq!(rsip::Method::try_from(ours.cseq.method).unwrap(), theirs.method);
        prop_assert_eq!(rsip::typed::CSeq::try_from(ours.cseq).unwrap(), theirs.cseq_header().unwrap().typed().unwrap());
        prop_assert_eq!(rsip::typed::From::try_from(ours.from).unwrap(), theirs.from_header().unwrap().typed().unwrap());
        prop_assert_eq!(rsip::typed::To::try_from(ours.to).unwrap(), theirs.to_header().unwrap().typed().unwrap());
        prop_assert_eq!(rsip::typed::Via::try_from(ours.via).unwrap(), theirs.via_header().unwrap().typed().unwrap());
        prop_assert_eq!(ours.call_id, theirs.call_id_header().unwrap().value().as_bytes());
        prop_assert_eq!(ours.max_forwards.unwrap().to_string(), theirs.max_forwards_header().unwrap().value());
        prop_assert_eq!(message.body(), &theirs.body[..]);
    }
}
