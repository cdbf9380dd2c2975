//! Bodies of many parts: what stands where, and what is left when a location goes.

use emcc_trunk::sip::location::{Whereabouts, whereabouts};
use emcc_trunk::sip::multipart::{Left, description, end_of_parts, may_hold_location, without_location};
use emcc_trunk::sip::read::MediaTypeRef;
use emcc_trunk::sip::{Index, scan};

#[test]
fn bodies() {
    bolero::check!(name = "multipart").with_iterations(0).for_each(|input: &[u8]| check(input));
    emcc_fuzz::replay("multipart", 40_000, check);
}

/// The input is a Content-Type, a line end, and the body.
fn check(input: &[u8]) {
    let end = input.iter().position(|octet| *octet == b'\n').unwrap_or(input.len());
    let (kind, body) = (input[..end].trim_ascii(), input.get(end + 1..).unwrap_or_default());
    let described = looked_through(kind, body);
    let mut out = b"kept".to_vec();
    let left = without_location(kind, body, &mut out);
    assert!(out.starts_with(b"kept"), "what stood in the buffer stays");
    let rest = out.split_off(4);
    let kind_left = match left {
        Left::Same | Left::Nothing => return assert!(rest.is_empty()),
        Left::Part(kind) => kind.unwrap_or_default(),
        Left::Multipart => kind,
    };
    let text = String::from_utf8_lossy(kind_left).to_ascii_lowercase();
    assert!(!text.trim().starts_with("application/pidf+xml;") && text.trim() != "application/pidf+xml");
    looked_through(kind_left, &rest);
    assert_eq!(without_location(kind_left, &rest, &mut Vec::new()), Left::Same, "{}", rest.escape_ascii());
    let Some(media) = MediaTypeRef::parse(kind) else { return };
    let boundary = media.params.value("boundary").unwrap_or_default();
    if let (Some(described), Some(at)) = (described, end_of_parts(body, boundary)) {
        let part = [b"\r\n--".as_slice(), boundary, b"\r\nContent-Type: text/plain\r\n\r\nx"].concat();
        let more = [&body[..at], &part, &body[at..]].concat();
        assert_eq!(looked_through(kind, &more), Some(described), "another part behind the others changes none");
    }
}

/// The description in such a body, looked for together with all else.
fn looked_through(kind: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    let mut text = b"INVITE sip:1@h SIP/2.0\r\nGeolocation: <cid:p@h>\r\nContent-Type: ".to_vec();
    text.extend_from_slice(kind);
    text.extend_from_slice(format!("\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
    text.extend_from_slice(body);
    let mut index = Index::default();
    let message = scan(&text, &mut index).ok()?;
    match whereabouts(&message) {
        Whereabouts::Here(range) => {
            assert!(message.body().get(range).is_some() && may_hold_location(&message));
        }
        other => assert_eq!(other, Whereabouts::Missing),
    }
    let range = description(&message)?;
    Some(message.body().get(range).expect("it lies in the body").to_vec())
}
