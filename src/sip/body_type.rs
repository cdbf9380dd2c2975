//! What a message says its body is, where it says so more than once.

use super::message::{Field, Message};
use super::name::Name;
use super::read::MediaTypeRef;

impl<'a> Message<'a> {
    /// Content-Type; `None` where absent or malformed. Of several the one that asks most of a policy, since whoever reads the
    /// body next may read it by any of them: a description, then parts, then a location, then what cannot be read.
    pub fn content_type(&self) -> Option<MediaTypeRef<'a>> {
        let raw = self.content_type_text()?;
        MediaTypeRef::parse(raw).or_else(|| without_last_semicolons(raw))
    }

    /// The text of [`Self::content_type`], whatever it is.
    pub(crate) fn content_type_text(&self) -> Option<&'a [u8]> {
        self.content_type_field().map(|(_, field)| self.text(field.value))
    }

    /// The field of [`Self::content_type`], with its place among the fields.
    pub(crate) fn content_type_field(&self) -> Option<(usize, &'a Field)> {
        if !self.has_more_content_types {
            return self.first(Name::ContentType);
        }
        let rank = |field: &Field| match MediaTypeRef::parse(self.text(field.value)) {
            Some(kind) if kind.is("application", "sdp") && self.body().starts_with(b"v=") => 0,
            Some(kind) if kind.kind.eq_ignore_ascii_case(b"multipart") => 1,
            Some(kind) if kind.is("application", "sdp") => 2,
            Some(kind) if kind.is("application", "pidf+xml") => 3,
            None => 4,
            Some(_) => 5,
        };
        self.all(Name::ContentType).min_by_key(|(_, field)| rank(field))
    }

    /// Whether a body has Content-Type headers that do not mean the same (RFC 3261, section 7.3.1): one type, and one boundary
    /// where it has parts.
    pub(super) fn has_content_types_that_differ(&self) -> bool {
        if !self.has_more_content_types {
            return false;
        }
        let mut texts = self.all(Name::ContentType).map(|(_, field)| self.text(field.value));
        let first = texts.next().unwrap_or_default();
        let is_same = |other: &[u8]| match (MediaTypeRef::parse(first), MediaTypeRef::parse(other)) {
            (Some(first), Some(other)) => is_same_type(&first, &other),
            _ => first == other,
        };
        !texts.all(is_same)
    }
}

fn is_same_type(one: &MediaTypeRef<'_>, other: &MediaTypeRef<'_>) -> bool {
    one.kind.eq_ignore_ascii_case(other.kind)
        && one.subtype.eq_ignore_ascii_case(other.subtype)
        && one.params.value("boundary") == other.params.value("boundary")
}

/// A media type behind which semicolons stand that nothing follows: everybody reads it.
#[cold]
fn without_last_semicolons(raw: &[u8]) -> Option<MediaTypeRef<'_>> {
    let is_filler = |octet: &u8| *octet == b';' || octet.is_ascii_whitespace();
    let kept = raw.iter().rposition(|octet| !is_filler(octet))?;
    MediaTypeRef::parse(raw.get(..=kept)?)
}

#[cfg(test)]
mod tests {
    use crate::sip::{Index, Malformed, Name, Strictness, essentials, scan};

    const HEAD: &str = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n";

    /// What a request, an answer and a request that is salvaged are with these lines, and what their body is read as.
    fn read(types: &str, body: &str) -> ([Result<(), Malformed>; 3], Option<String>) {
        let text = |start: &str| format!("{start}\r\n{HEAD}{types}\r\n{body}");
        let (request, answer) = (text("INVITE sip:b@h SIP/2.0"), text("SIP/2.0 200 OK"));
        let (mut of_request, mut of_answer) = (Index::new(), Index::new());
        let request = scan(request.as_bytes(), &mut of_request).expect("a request");
        let answer = scan(answer.as_bytes(), &mut of_answer).expect("an answer");
        let why = [(&request, Strictness::Lenient), (&answer, Strictness::Strict), (&request, Strictness::Salvage)]
            .map(|(message, strictness)| essentials(message, strictness).map(|_| ()));
        let kind = request.content_type().map(|kind| {
            let name = |text: &[u8]| String::from_utf8_lossy(text).to_ascii_lowercase();
            format!("{}/{}", name(kind.kind), name(kind.subtype))
        });
        (why, kind)
    }

    #[test]
    fn rfc_3261_7_3_1_content_types_of_one_meaning_are_nothing() {
        for types in [
            "Content-Type: application/sdp\r\n",
            "Content-Type: application/sdp\r\nc: Application / SDP ;charset=utf-8\r\n",
            "c: multipart/mixed;boundary=a\r\nCONTENT-TYPE :\r\n Multipart/Mixed; x=y; boundary=\"a\"\r\n",
            "c: what\r\nc: what\r\n",
            "",
        ] {
            assert_eq!(read(types, "v=0\r\n").0, [Ok(()); 3], "{types}");
        }
    }

    #[test]
    fn rfc_3261_7_3_1_content_types_that_differ_are_refused_of_a_request_and_the_body_is_what_asks_most() {
        let sdp = Some("application/sdp");
        for (one, other, body, want) in [
            ("text/plain", "application/sdp", "v=0\r\n", sdp),
            ("text/plain", "application/sdp", "\r\nv=0\r\n", sdp),
            ("text/plain", "multipart/mixed;boundary=a", "--a\r\n", Some("multipart/mixed")),
            ("application/sdp", "multipart/mixed;boundary=a", "--a\r\n", Some("multipart/mixed")),
            ("application/sdp", "multipart/mixed;boundary=a", "v=0\r\n--a\r\n", sdp),
            ("text/plain", "application/pidf+xml", "<x/>", Some("application/pidf+xml")),
            ("text/plain", "application/sdp, x", "v=0\r\n", None),
            ("text/plain", "text/html", "v=0\r\n", Some("text/plain")),
            ("multipart/mixed;boundary=a", "multipart/mixed;boundary=b", "--a\r\n", Some("multipart/mixed")),
        ] {
            for (first, second) in [(one, other), (other, one)] {
                let (why, kind) = read(&format!("c: {first}\r\nX: y\r\nContent-Type:\r\n\t{second}\r\n"), body);
                assert_eq!(why, [Err(Malformed::Twice(Name::ContentType)), Ok(()), Ok(())], "{first} {second}");
                // Of two that ask for nothing the first is read.
                let want = if want == Some("text/plain") { Some(first) } else { want };
                assert_eq!(kind.as_deref(), want, "{first} {second}");
            }
        }
    }
}
