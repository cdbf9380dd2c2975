//! SRTP keys that stand in a description as text: SDES (RFC 4568), MIKEY (RFC 4567) and the `k=` line (RFC 4566, 5.12).
//! A fingerprint of DTLS-SRTP is no key.

use crate::offer::Pen;
use crate::sdp::{Line, Media, MediaKind, Session};

/// What keys a description has and what it is without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// It has none.
    Nothing,
    /// It goes on without its keys: those that only offered to encrypt are gone, streams that must be encrypted are off,
    /// and there is audio left if there was any.
    Less,
    /// Every audio stream must be encrypted by a key that may not leave.
    NoAudio,
}

/// Whether any line of a text gives a key away.
#[must_use]
pub fn are_in(text: &[u8]) -> bool {
    // Key lines are rare: only the octets after a line end are looked at.
    is_key(text) || memchr::memchr2_iter(b'\n', b'\r', text).any(|end| text.get(end + 1..).is_some_and(is_key))
}

/// Whether a line gives a key away; attribute names in any case, since some peers read them so.
fn is_key(line: &[u8]) -> bool {
    let begins = |name: &[u8]| line.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
    begins(b"a=crypto:") || begins(b"a=key-mgmt:") || begins(b"k=")
}

/// Judges a description without its keys.
#[must_use]
pub fn without(session: &Session<'_>) -> Without {
    if !are_in(session.bytes()) {
        return Without::Nothing;
    }
    let audio = || session.media().iter().filter(|m| m.kind == MediaKind::Audio && m.is_active());
    let is_left = audio().next().is_none() || audio().any(|media| !must_encrypt(session, media));
    if is_left { Without::Less } else { Without::NoAudio }
}

/// Writes the description to the end of `out` without its keys: key lines are left out, and a stream whose profile
/// demands one of them is turned off by port 0 (RFC 3264, 5.1 and 6). `RTP/SAVP` never becomes `RTP/AVP`: who offered
/// the one did not offer the other. True when anything changed.
pub fn write_without(session: &Session<'_>, out: &mut Vec<u8>) -> bool {
    let begun = out.len();
    let mut pen = Pen { from: session, out, done: 0 };
    cut_keys(&mut pen, session.session_lines());
    for media in session.media() {
        if must_encrypt(session, media) {
            pen.remove(media);
        }
        cut_keys(&mut pen, session.lines_of(media));
    }
    pen.finish(begun)
}

fn cut_keys(pen: &mut Pen<'_, '_, '_>, lines: &[Line]) {
    let from = pen.from;
    for line in lines.iter().filter(|line| is_key(from.text(**line))) {
        pen.cut(line.start, line.next);
    }
}

/// Whether the stream is SRTP by its profile and keyed by text: then without its key it cannot be.
fn must_encrypt(session: &Session<'_>, media: &Media<'_>) -> bool {
    let says = |word: &[u8]| media.protocol.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
    let has_key = |lines: &[Line]| lines.iter().any(|line| is_key(session.text(*line)));
    says(b"SAVP") && !says(b"TLS") && (has_key(session.lines_of(media)) || has_key(session.session_lines()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    const KEY: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";

    fn stream(kind: &str, protocol: &str, lines: &str) -> String {
        format!("m={kind} 4000 {protocol} 0\r\na=rtpmap:0 PCMU/8000\r\n{lines}")
    }

    fn left(sdp: &str) -> (Without, String) {
        let session = Session::parse(sdp.as_bytes()).unwrap();
        let mut out = Vec::new();
        let changed = write_without(&session, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(changed, text != sdp);
        (without(&session), text)
    }

    #[test]
    fn a_description_without_keys_is_left_alone() {
        for body in [
            stream("audio", "RTP/AVP", ""),
            stream("audio", "RTP/SAVP", ""),
            stream("audio", "UDP/TLS/RTP/SAVPF", "a=fingerprint:sha-256 00:11\r\na=setup:actpass\r\n"),
            stream("audio", "RTP/AVP", "a=cryptographic\r\na=fmtp:0 k=1\r\n"),
        ] {
            let sdp = format!("{HEAD}{body}");
            assert_eq!(left(&sdp), (Without::Nothing, sdp.clone()), "{body}");
        }
    }

    #[test]
    fn best_effort_encryption_loses_its_keys_and_nothing_else() {
        for key in [KEY, "a=CRYPTO:1 X inline:abc\r\n", "a=key-mgmt:mikey AQAFgM0X\r\n", "k=base64:abc\r\n"] {
            let sdp = format!("{HEAD}{}", stream("audio", "RTP/AVP", &format!("{key}a=sendrecv\r\n")));
            let want = format!("{HEAD}{}", stream("audio", "RTP/AVP", "a=sendrecv\r\n"));
            assert_eq!(left(&sdp), (Without::Less, want), "{key}");
        }
    }

    #[test]
    fn rtp_savp_is_turned_off_and_never_down() {
        let (plain, secure) = (stream("audio", "RTP/AVP", ""), stream("audio", "RTP/SAVP", KEY));
        let off = stream("audio", "RTP/SAVP", "").replace("audio 4000", "audio 0");
        assert_eq!(left(&format!("{HEAD}{secure}")), (Without::NoAudio, format!("{HEAD}{off}")));
        assert_eq!(left(&format!("{HEAD}{secure}{plain}")), (Without::Less, format!("{HEAD}{off}{plain}")));
        let video = stream("video", "RTP/SAVPF", KEY);
        let video_off = stream("video", "RTP/SAVPF", "").replace("video 4000", "video 0");
        assert_eq!(left(&format!("{HEAD}{plain}{video}")), (Without::Less, format!("{HEAD}{plain}{video_off}")));
        assert_eq!(left(&format!("{HEAD}{video}")).0, Without::Less, "there was no audio to lose");
    }

    #[test]
    fn a_key_of_the_session_counts_for_every_stream() {
        let sdp = format!("{HEAD}k=clear:abc\r\n{}", stream("audio", "RTP/SAVP", ""));
        let (verdict, text) = left(&sdp);
        assert_eq!(verdict, Without::NoAudio);
        assert!(!text.contains("k=clear") && text.contains("audio 0 RTP/SAVP"), "{text}");
    }

    #[test]
    fn keys_of_a_stream_that_is_off_or_keyed_by_dtls_leave_too() {
        let dtls = stream("audio", "UDP/TLS/RTP/SAVP", &format!("a=fingerprint:sha-256 00\r\n{KEY}"));
        let (verdict, text) = left(&format!("{HEAD}{dtls}"));
        assert_eq!(verdict, Without::Less);
        assert!(text.contains("audio 4000 UDP/TLS/RTP/SAVP") && !text.contains("crypto"), "{text}");
        let off = stream("audio", "RTP/SAVP", KEY).replace("4000", "0");
        let (verdict, text) = left(&format!("{HEAD}{off}{}", stream("audio", "RTP/AVP", "")));
        assert_eq!((verdict, are_in(text.as_bytes())), (Without::Less, false));
    }

    proptest! {
        #[test]
        fn whatever_came_no_key_is_left(lines in "((a=(crypto|key-mgmt|sendrecv|CRYPTO):?[ -~]{0,20}|k=[ -~]{0,9}|m=(audio|video) [0-9]{1,4} (RTP/AVP|RTP/SAVP|UDP/TLS/RTP/SAVP) 0|b=AS:64)(\r\n|\n)){0,20}") {
            let sdp = format!("{HEAD}{lines}");
            if let Ok(session) = Session::parse(sdp.as_bytes()) {
                let mut out = Vec::new();
                write_without(&session, &mut out);
                prop_assert!(!are_in(&out), "{}", String::from_utf8_lossy(&out));
                prop_assert_eq!(without(&session) == Without::Nothing, !are_in(sdp.as_bytes()));
                prop_assert!(Session::parse(&out).is_ok());
            }
        }
    }
}
