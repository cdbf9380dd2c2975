//! A message in lines nobody should write, put into the lines it means: to refuse one costs an emergency call more than a
//! copy of it does (P-23).

use std::borrow::Cow;

use super::message::Index;
use super::name::Name;
use super::octet::{DIGIT, TOKEN, run};
use super::scan::{ContentLength, head, scan};
use super::uri::{Scheme, UriRef};
use crate::limits::{HEAD_BYTES_MAX, MESSAGE_BYTES_MAX};

/// A copy of a message that [`scan()`] refused, in form, where it can mean but one thing: with more than one space in its
/// start line, spaces in the user part of its Request-URI, which are escaped, that URI in angle brackets, or a minor version
/// other than 0. Of a datagram,
/// which ends where it ends (RFC 3261 section 18.3), also with lines that end in LF alone, with lines that are no header, which
/// are left out, and with a length of the body that is none, two lengths, or one of more than came: the body is all that came
/// then; and without the empty line at its end. `None` where that makes no message of it.
pub fn reframe(bytes: &[u8], is_datagram: bool) -> Option<Vec<u8>> {
    rewrite(bytes, is_datagram).filter(|whole| scan(whole, &mut Index::new()).is_ok())
}

/// As [`reframe`], for who scans it next: what comes of it may be no message yet.
pub(crate) fn rewrite(bytes: &[u8], is_datagram: bool) -> Option<Vec<u8>> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return None;
    }
    let mut whole = in_lines(bytes, is_datagram)?;
    if is_datagram {
        keep_headers(&mut whole);
    }
    (whole != bytes).then_some(whole)
}

/// The message with a start line as it should be, of a datagram with line ends as they should be. `None` where its head does
/// not end.
fn in_lines(bytes: &[u8], is_datagram: bool) -> Option<Vec<u8>> {
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let mut rest = bytes.get(bytes.iter().position(|byte| !is_line_end(byte))?..)?;
    let mut whole = Vec::with_capacity(bytes.len().saturating_add(ROOM_BYTES));
    let (mut is_first, mut is_other_version) = (true, false);
    loop {
        if is_datagram && !is_first && matches!(rest, b"" | b"\r") {
            // It ends with a whole line: nothing but the empty one can have been meant.
            whole.extend_from_slice(LINE_END);
            return Some(whole);
        }
        let length = memchr::memchr(b'\n', rest.get(..HEAD_BYTES_MAX).unwrap_or(rest))?.saturating_add(1);
        let (line, behind) = rest.split_at_checked(length)?;
        rest = behind;
        let content = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line);
        if is_first {
            is_other_version = start_line(content, &mut whole);
        } else if is_other_version && is_via(content) {
            via(content, &mut whole);
        } else {
            whole.extend_from_slice(content);
        }
        is_first = false;
        whole.extend_from_slice(if is_datagram { b"\r\n" } else { line.get(content.len()..).unwrap_or_default() });
        if content.is_empty() {
            whole.extend_from_slice(rest);
            return Some(whole);
        }
        if whole.len() > HEAD_BYTES_MAX {
            return None;
        }
    }
}

/// Writes a start line with single spaces and in version 2.0, where it is one; whether it was of another version.
fn start_line(line: &[u8], out: &mut Vec<u8>) -> bool {
    let (first, rest) = word(line);
    let escaped;
    let (version, parts) = if is_version(first) {
        let (status, rest) = word(rest);
        // The reason phrase has spaces of its own.
        (first, [VERSION, status, rest.trim_ascii()])
    } else {
        let rest = rest.trim_ascii();
        let version = rest.rsplit(is_space).next().unwrap_or_default();
        let uri = rest.strip_suffix(version).unwrap_or_default().trim_ascii();
        let uri = uri.strip_prefix(b"<").and_then(|uri| uri.strip_suffix(b">")).unwrap_or(uri);
        escaped = if is_version(version) { without_spaces(uri) } else { uri.into() };
        let is_whole = !uri.is_empty() && !escaped.iter().any(is_space);
        (if is_whole { version } else { b"" }, [first, &escaped, VERSION])
    };
    if !is_version(version) {
        out.extend_from_slice(line);
        return false;
    }
    out.extend_from_slice(&parts.join(&b' '));
    !version.eq_ignore_ascii_case(VERSION)
}

/// A Request-URI with the spaces of its user part, or of its number, escaped, where it is one URI but for them. Where it may be
/// two, or spaces stand elsewhere, it is left alone.
fn without_spaces(uri: &[u8]) -> Cow<'_, [u8]> {
    if !uri.contains(&b' ') {
        return uri.into();
    }
    let escaped: Vec<u8> = uri.split(|octet| *octet == b' ').collect::<Vec<_>>().join(&b"%20"[..]);
    let is_one = UriRef::parse(&escaped).is_ok_and(|read| {
        let end = if read.scheme == Scheme::Tel { b';' } else { b'@' };
        let behind = memchr::memchr(end, uri).and_then(|end| uri.get(end..)).unwrap_or_default();
        read.user.is_some() && read.password.is_none() && !behind.contains(&b' ')
    });
    if is_one { escaped.into() } else { uri.into() }
}

/// The first word of a line, and what is behind it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let start = line.iter().position(|byte| !is_space(byte)).unwrap_or(line.len());
    let line = line.get(start..).unwrap_or_default();
    line.split_at(line.iter().position(is_space).unwrap_or(line.len()))
}

fn is_space(octet: &u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// `SIP/2.0`, or with another number behind the point.
fn is_version(word: &[u8]) -> bool {
    let minor = word.split_at_checked(MAJOR.len()).filter(|(major, _)| major.eq_ignore_ascii_case(MAJOR));
    minor.is_some_and(|(_, minor)| (1..=MINOR_DIGITS_MAX).contains(&minor.len()) && run(minor, DIGIT) == minor.len())
}

/// Whether a line begins a Via header.
fn is_via(line: &[u8]) -> bool {
    Name::of(line.get(..run(line, TOKEN)).unwrap_or_default()) == Name::Via
}

/// Writes a Via whose sender named its own version there too.
fn via(line: &[u8], out: &mut Vec<u8>) {
    let value = memchr::memchr(b':', line).map_or(line.len(), |colon| colon.saturating_add(1));
    let (name, value) = line.split_at(value);
    let version_len = memchr::memchr_iter(b'/', value).nth(1).unwrap_or_default();
    out.extend_from_slice(name);
    match value.split_at_checked(version_len) {
        Some((version, rest)) if is_version(version.trim_ascii()) => {
            out.push(b' ');
            out.extend_from_slice(VERSION);
            out.extend_from_slice(rest);
        }
        _ => out.extend_from_slice(value),
    }
}

/// Leaves out the lines that are no header, and writes the length of the body that came where the message says none that
/// could be.
fn keep_headers(whole: &mut Vec<u8>) {
    let mut index = Index::new();
    let found = head(whole, &mut index);
    let fields = index.fields.get(..index.used).unwrap_or_default();
    // With no place left in the index there may be more of them: too many for a message.
    if !found.is_ended || fields.len() == index.fields.len() {
        return;
    }
    let have = whole.len().saturating_sub(found.end);
    let is_length_wrong = match found.content_length {
        ContentLength::Absent => false,
        ContentLength::Octets(stated) => stated > have as u64,
        ContentLength::Bad => true,
    };
    let lines = whole.get(found.headers_start..found.end.saturating_sub(LINE_END.len())).unwrap_or_default();
    if !is_length_wrong && fields.iter().map(|field| field.line.len()).sum::<usize>() == lines.len() {
        return;
    }
    let mut kept = Vec::with_capacity(whole.len().saturating_add(ROOM_BYTES));
    kept.extend_from_slice(whole.get(..found.headers_start).unwrap_or_default());
    for field in fields.iter().filter(|field| !is_length_wrong || field.name != Name::ContentLength) {
        kept.extend_from_slice(field.line.of(whole));
    }
    if is_length_wrong {
        kept.extend_from_slice(format!("Content-Length: {have}\r\n").as_bytes());
    }
    kept.extend_from_slice(LINE_END);
    kept.extend_from_slice(whole.get(found.end..).unwrap_or_default());
    *whole = kept;
}

const LINE_END: &[u8] = b"\r\n";
const MAJOR: &[u8] = b"SIP/2.";
const VERSION: &[u8] = b"SIP/2.0";
/// Digits of a minor version that is taken for one.
const MINOR_DIGITS_MAX: usize = 2;
/// What a copy may be longer by before its memory is asked for again.
const ROOM_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::FIELDS_MAX;

    const HEAD: &str = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCall-ID: c\r\n";

    fn reframed(text: &str, is_datagram: bool) -> Option<String> {
        reframe(text.as_bytes(), is_datagram).map(|whole| String::from_utf8(whole).unwrap())
    }

    #[test]
    fn p_23_a_start_line_is_read_whatever_its_spaces_and_minor_version() {
        for (line, want) in [
            ("SIP/2.0  200 OK", "SIP/2.0 200 OK"),
            ("SIP/2.0 \t200   Said  so ", "SIP/2.0 200 Said  so"),
            ("SIP/2.1 200 OK", "SIP/2.0 200 OK"),
            ("sip/2.10 180", "SIP/2.0 180 "),
            ("INVITE  sip:911@h SIP/2.0", "INVITE sip:911@h SIP/2.0"),
            ("INVITE sip:911@h  SIP/2.0", "INVITE sip:911@h SIP/2.0"),
            (" INVITE\tsip:911@h \t SIP/2.3  ", "INVITE sip:911@h SIP/2.0"),
            ("INVITE <sip:911@h;user=phone> SIP/2.0", "INVITE sip:911@h;user=phone SIP/2.0"),
            // Spaces that can only be of the number.
            ("INVITE sip:9 11@h SIP/2.0", "INVITE sip:9%2011@h SIP/2.0"),
            ("INVITE  sip: 9  1 1 ;x@h SIP/2.1", "INVITE sip:%209%20%201%201%20;x@h SIP/2.0"),
            ("INVITE tel:9 11;ext=5 SIP/2.0 ", "INVITE tel:9%2011;ext=5 SIP/2.0"),
        ] {
            for is_datagram in [true, false] {
                let text = format!("{line}\r\n{HEAD}\r\nbody");
                let want = format!("{want}\r\n{HEAD}\r\nbody");
                assert_eq!(reframed(&text, is_datagram), Some(want), "{line}");
            }
        }
    }

    #[test]
    fn what_could_mean_several_things_or_none_is_left_alone() {
        for line in [
            "SIP/3.0 200 OK",
            "SIP/2. 200 OK",
            "SIP/2.100 200 OK",
            "SIP/2.x 200 OK",
            "SIP/2.1 2000 OK",
            "SIP/2.1",
            "INVITE sip:9 11@h SIP/3.0",
            "INVITE sip:911@h 5001 SIP/2.0",
            "INVITE sip:911@h sip:5001@h SIP/2.0",
            "INVITE sip:5001 sip:911@h SIP/2.0",
            "INVITE 5001 sip:911@h SIP/2.0",
            "INVITE sip:9 11 SIP/2.0",
            "INVITE sip:9\t11@h SIP/2.0",
            "INVITE sip:911@h;x=1 2 SIP/2.0",
            "INVITE sip:911@h ;x SIP/2.0",
            "INVITE tel:911;ext=1 2 SIP/2.0",
            "INVITE urn:service:sos x SIP/2.0",
            "INVITE  sip:911@h SIP/3.0",
            "INVITE  sip:911@h",
            "INVITE <sip:911@h SIP/2.0",
            "INVITE <> SIP/2.0",
            "INVITE Help <sip:911@h> SIP/2.0",
            "INVITE SIP/2.1",
            "INV@ITE  sip:911@h SIP/2.0",
            "",
            // In form already.
            "SIP/2.0 200 OK",
            "INVITE sip:911@h SIP/2.0",
        ] {
            for is_datagram in [true, false] {
                assert_eq!(reframed(&format!("{line}\r\n{HEAD}\r\n"), is_datagram), None, "{line}");
            }
        }
        for text in ["", "\r\n", "x", "INVITE sip:911@h SIP/2.1", "INVITE sip:911@h SIP/2.1\r\nVia: x", "\r\n\r\n\r"] {
            assert_eq!(reframed(text, true), None, "{text:?}");
        }
        let long = format!("SIP/2.1 200 OK\r\nX: {}", "y".repeat(HEAD_BYTES_MAX));
        assert_eq!(reframed(&(long + "\r\n\r\n"), true), None);
        let large = format!("SIP/2.1 200 OK\r\n\r\n{}", "y".repeat(MESSAGE_BYTES_MAX));
        assert_eq!(reframed(&large, true), None);
    }

    #[test]
    fn p_23_lines_of_a_datagram_may_end_in_lf_alone_and_its_body_stays() {
        let want = format!("SIP/2.0 200 OK\r\n{HEAD}X:\r\n y\r\nl: 6\r\n\r\na\nb\n\nc");
        let bare = want.replace("\r\n", "\n");
        let mixed = want.replacen("\r\n", "\n", 2);
        for text in [&bare, &mixed, &format!("\n\r\n\n{bare}")] {
            assert_eq!(reframed(text, true), Some(want.clone()), "{text:?}");
            assert_eq!(reframed(text, false), None, "a stream is framed by them");
        }
        assert_eq!(reframed(&want.replacen("\r\n", "\r", 1), true), None);
    }

    #[test]
    fn p_23_lines_of_a_datagram_that_are_no_header_are_left_out_with_what_goes_on_with_them() {
        let want = format!("SIP/2.0 200 OK\r\n{HEAD}X\r\n : y\r\nl: 4\r\n\r\nbody");
        for line in ["Garbage line\r\n", ": x\r\n", "X[]: x\r\n\t: y\r\n z\r\n", "no colon\n", "\0\rTo: x\r\n", "x\r\n"]
        {
            for before in ["Via", "Call-ID", "X", "l: 4", "\r\nbody"] {
                let text = want.replacen(before, &format!("{line}{before}"), 1);
                assert_eq!(reframed(&text, true), Some(want.clone()), "{text:?}");
                assert_eq!(reframed(&text, false), None, "a stream is closed for it");
            }
        }
        // One with a length that cannot be.
        let text = want.replacen("l: 4", "Garbage\r\nl: 5", 1);
        assert_eq!(reframed(&text, true), Some(want.replacen("l: 4", "Content-Length: 4", 1)));
        // More than a message has.
        let many = "X: y\r\n".repeat(FIELDS_MAX);
        assert_eq!(reframed(&format!("SIP/2.0 200 OK\r\nGarbage\r\n{many}\r\n"), true), None);
        assert_eq!(reframed("SIP/2.0 200 OK\r\nGarbage", true), None, "no end");
    }

    #[test]
    fn p_23_a_datagrams_head_may_lack_the_empty_line_at_its_end() {
        for (length, kept) in [("l: 0\r\n", "l: 0\r\n"), ("", ""), ("l: 5\r\n", "Content-Length: 0\r\n")] {
            for end in ["", "\r"] {
                let text = format!("SIP/2.0 200 OK\r\n{HEAD}{length}{end}");
                let want = format!("SIP/2.0 200 OK\r\n{HEAD}{kept}\r\n");
                assert_eq!(reframed(&text, true), Some(want), "{text:?}");
                assert_eq!(reframed(&text, false), None, "a stream goes on");
            }
        }
        // A line that does not end may have been another.
        assert_eq!(reframed(&format!("SIP/2.0 200 OK\r\n{HEAD}l: 0"), true), None);
    }

    #[test]
    fn p_23_a_datagram_ends_where_it_ends_whatever_it_says_of_its_body() {
        for lengths in [
            "Content-Length: 3\r\nContent-Length: 4\r\n",
            "l: 4\r\nContent-Length:\r\n 0\r\n",
            "Content-Length: x\r\n",
            "Content-Length: 4, 4\r\n",
            "Content-Length:\r\n",
            "Content-Length: 5\r\n",
            "l: 18446744073709551616\r\n",
        ] {
            for more in ["", "To: x\r\n"] {
                let text = format!("SIP/2.0 200 OK\r\n{HEAD}{lengths}{more}\r\nbody");
                let want = format!("SIP/2.0 200 OK\r\n{HEAD}{more}Content-Length: 4\r\n\r\nbody");
                assert_eq!(reframed(&text, true), Some(want), "{lengths}");
                assert_eq!(reframed(&text, false), None, "a stream is framed by it");
            }
        }
        // One that may be true is kept: what follows it is not of the message.
        let text = format!("SIP/2.1 200 OK\r\n{HEAD}l: 2\r\n\r\nbody");
        assert_eq!(reframed(&text, true), Some(text.replacen("2.1", "2.0", 1)));
    }

    #[test]
    fn a_sender_of_another_version_may_name_it_in_its_via_too() {
        for (via, want) in [
            ("Via: SIP/2.1/UDP h", "Via: SIP/2.0/UDP h"),
            ("v:SIP/2.1/UDP h;x=1", "v: SIP/2.0/UDP h;x=1"),
            ("Via: SIP/2.0/UDP h", "Via: SIP/2.0/UDP h"),
            ("Via : SIP / 2.1 / UDP h", "Via : SIP / 2.1 / UDP h"),
            ("Via: x", "Via: x"),
            ("X: SIP/2.1/UDP h", "X: SIP/2.1/UDP h"),
        ] {
            let text = format!("BYE sip:h SIP/2.1\r\n{via}\r\n\r\n");
            assert_eq!(reframed(&text, true), Some(format!("BYE sip:h SIP/2.0\r\n{want}\r\n\r\n")), "{via}");
        }
    }
}
