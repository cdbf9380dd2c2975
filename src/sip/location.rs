//! What a message says of where its sender is (RFC 6442): the `Geolocation` header, and the document it points at.
//!
//! A document nobody points at conveys nothing. Of several values the first that names a document in the message counts; a
//! location kept elsewhere (`sip`, `pres`, `http`, `https`) is not fetched. `inserted-by` and every other parameter is passed
//! over (G-14).

use std::ops::Range;

use emcc_policies::location::pidf::{self, Conveyed, PidfError, PidfWrong};
use smallvec::SmallVec;

use super::{Message, Name, multipart};

/// Where the location of a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// None is conveyed.
    Nowhere,
    /// Elsewhere, under a URI.
    Elsewhere,
    /// In these octets of the body.
    Here(Range<usize>),
    /// In a part of the body that is not there.
    Missing,
}

/// What of a message's location cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The header points at a part that is not there.
    Missing,
    /// The document is out of form.
    Malformed(PidfError),
}

/// Looks for the location of a message, whatever its method or status.
#[must_use]
pub fn whereabouts(message: &Message<'_>) -> Whereabouts {
    let mut found = Whereabouts::Nowhere;
    for value in message.values(Name::Geolocation) {
        let Some(id) = content_id(value.text) else {
            if found == Whereabouts::Nowhere {
                found = Whereabouts::Elsewhere;
            }
            continue;
        };
        match multipart::location(message, &id) {
            Some(octets) => return Whereabouts::Here(octets),
            None => found = Whereabouts::Missing,
        }
    }
    found
}

/// Reads the location of a message; none where it conveys none, one kept elsewhere, or one that is no civic address.
///
/// # Errors
/// What is wrong with it.
pub fn conveyed(message: &Message<'_>) -> Result<Option<Conveyed>, Unusable> {
    match whereabouts(message) {
        Whereabouts::Nowhere | Whereabouts::Elsewhere => Ok(None),
        Whereabouts::Missing => Err(Unusable::Missing),
        Whereabouts::Here(octets) => match pidf::read(message.body().get(octets).unwrap_or_default()) {
            Ok(conveyed) => Ok(Some(conveyed)),
            Err(PidfError { what: PidfWrong::NoCivicAddress, .. }) => Ok(None),
            Err(error) => Err(Unusable::Malformed(error)),
        },
    }
}

/// The Content-ID that a value of `Geolocation` names, its `%` escapes resolved (RFC 2392 section 2); the brackets around the
/// URI may be missing.
fn content_id(value: &[u8]) -> Option<SmallVec<[u8; 64]>> {
    let value = value.trim_ascii();
    let uri = match value.strip_prefix(b"<") {
        Some(inside) => inside.split(|octet| *octet == b'>').next()?,
        None => value.split(|octet| *octet == b';').next()?,
    };
    let (scheme, id) = uri.trim_ascii().split_at_checked(4)?;
    if !scheme.eq_ignore_ascii_case(b"cid:") {
        return None;
    }
    let mut plain = SmallVec::new();
    let mut rest = id;
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        let escaped = (*first == b'%').then(|| Some(digit(0)? << 4 | digit(1)?)).flatten();
        match escaped.and_then(|octet| u8::try_from(octet).ok()) {
            Some(octet) => {
                plain.push(octet);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, scan};

    const PLACE: &str = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:g=\"urn:ietf:params:xml:ns:pidf:geopriv10\" \
        xmlns:c=\" urn:ietf:params:xml:ns:pidf:geopriv10:civicLoc\"><g:geopriv><g:location-info><c:civicAddress>\
        <c:A3>London</c:A3></c:civicAddress></g:location-info></g:geopriv></presence>";

    /// What is told of a message with these headers and body.
    fn told(start: &str, headers: &str, body: &str) -> String {
        let text = format!("{start}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        let mut index = Index::default();
        let message = scan(text.as_bytes(), &mut index).expect("a message");
        match conveyed(&message) {
            Ok(None) => format!("{:?}", whereabouts(&message)),
            Ok(Some(conveyed)) => conveyed.location.to_string(),
            Err(Unusable::Missing) => "missing".to_owned(),
            Err(Unusable::Malformed(error)) => format!("{:?}", error.what),
        }
    }

    const INVITE: &str = "INVITE sip:1@h SIP/2.0";

    /// A description and a location in two parts.
    fn mixed(id: &str) -> String {
        format!(
            "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\nContent-Type: application/pidf+xml;charset=utf-8\r\n\
             Content-ID: {id}\r\n\r\n{PLACE}\r\n--b--\r\n"
        )
    }

    #[test]
    fn g12_a_location_is_found_alone_and_beside_a_description_in_requests_and_responses() {
        let (alone, both) = ("Content-Type: application/pidf+xml\r\n", "Content-Type: multipart/mixed;boundary=b\r\n");
        for start in [INVITE, "UPDATE sip:1@h SIP/2.0", "SIP/2.0 200 OK", "SIP/2.0 183 Session Progress"] {
            let header = "Geolocation: <cid:p@h>;inserted-by=\"127.0.0.1\"\r\nSupported: Geolocation\r\n";
            assert_eq!(told(start, &format!("{header}{alone}Content-ID: <p@h>\r\n"), PLACE), "A3=London");
            assert_eq!(told(start, &format!("{header}{both}"), &mixed("<p@h>")), "A3=London");
        }
    }

    #[test]
    fn g14_brackets_and_escapes_are_written_in_every_way() {
        let both = "Content-Type: multipart/mixed;boundary=b\r\n";
        for (value, id) in [
            ("<cid:p@h>", "p@h"),
            ("<cid:p@h>", "<p@h>"),
            ("<CID:p@h>", " < p@h > "),
            ("<cid:p%40h>", "<p@h>"),
            ("<cid:a%25b@h>", "<a%b@h>"),
            ("<cid:a%zz@h>", "<a%zz@h>"),
            ("cid:p@h;inserted-by=\"h\"", "<p@h>"),
            ("<https://h/1>, <cid:p@h>", "<p@h>"),
            ("<cid:gone@h>,<cid:p@h>", "<p@h>"),
            ("<cid:p@h>", "\r\n <p@h>"),
        ] {
            assert_eq!(
                told(INVITE, &format!("Geolocation: {value}\r\n{both}"), &mixed(id)),
                "A3=London",
                "{value} {id}"
            );
        }
        let alone = "Content-Type: application/pidf+xml\r\nGeolocation: <cid:p@h>\r\n";
        for id in ["Content-ID: p@h\r\n", "Content-ID: <p@h>\r\n", ""] {
            assert_eq!(told("UPDATE sip:1@h SIP/2.0", &format!("{alone}{id}"), PLACE), "A3=London", "{id}");
        }
    }

    #[test]
    fn what_conveys_nothing_and_what_cannot_be_used_are_told_apart() {
        let header = "Geolocation: <cid:p@h>\r\n";
        let both = "Content-Type: multipart/mixed;boundary=b\r\n";
        let inside = mixed("<p@h>");
        let nested = format!("--o\r\nContent-Type: multipart/related;boundary=b\r\n\r\n{inside}\r\n--o--\r\n");
        for (headers, body, want) in [
            (both.to_owned(), inside.clone(), "Nowhere"),
            ("Content-Type: application/pidf+xml\r\n".to_owned(), PLACE.to_owned(), "Nowhere"),
            ("Geolocation: <sips:place@h>\r\n".to_owned(), String::new(), "Elsewhere"),
            (format!("{header}{both}"), mixed("<other@h>"), "missing"),
            (format!("{header}Geolocation: <https://h/1>\r\n{both}"), mixed("<other@h>"), "missing"),
            (header.to_owned(), String::new(), "missing"),
            (format!("{header}Content-Type: application/pidf+xml\r\n"), String::new(), "missing"),
            (
                format!("{header}Content-Type: application/pidf+xml\r\nContent-ID: <x@h>\r\n"),
                PLACE.to_owned(),
                "missing",
            ),
            (format!("{header}Content-Type: application/sdp\r\n"), "v=0\r\n".to_owned(), "missing"),
            (format!("{header}Content-Type: multipart/mixed\r\n"), inside.clone(), "missing"),
            (format!("{header}Content-Type: multipart/mixed;boundary=o\r\n"), nested, "A3=London"),
            (format!("{header}{both}"), inside.replace("<presence", "<!DOCTYPE x><presence"), "DocType"),
            (format!("{header}{both}"), inside.replace("</presence>", ""), "NotXml"),
            (format!("{header}{both}"), inside.replace("c:A3", "c:zz"), "Here(92..379)"),
        ] {
            let told = told(INVITE, &headers, &body);
            assert!(told == want || want.starts_with("Here") && told.starts_with("Here"), "{headers}{body}: {told}");
        }
    }

    #[test]
    fn the_end_of_parts_is_where_another_part_goes() {
        use crate::sip::multipart::end_of_parts;
        for (body, want) in [
            ("--b\r\n\r\nx\r\n--b--\r\n", Some(8)),
            ("pre\r\n--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--", Some(23)),
            ("--b\r\n\r\nx\r\n--b--epilogue", Some(8)),
            ("--b\r\n\r\nx\r\n--b\r\n", None),
            ("--b\r\n\r\nx", None),
            ("--b--\r\n", None),
            ("", None),
        ] {
            assert_eq!(end_of_parts(body.as_bytes(), b"b"), want, "{body:?}");
        }
        assert_eq!(end_of_parts(b"--b--", b""), None);
    }
}
