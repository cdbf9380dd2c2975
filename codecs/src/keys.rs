//! SRTP keys that stand in a description as text: SDES (RFC 4568), MIKEY (RFC 4567) and the `k=` line (RFC 4566, 5.12).
//! They stand as well in what a description only says it could do (RFC 3407, RFC 5939, RFC 6871). A fingerprint of
//! DTLS-SRTP is no key.

use crate::offer::Pen;
use crate::sdp::{About, Line, Media, MediaKind, Session};

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
    is_key(text)
        || memchr::memchr2_iter(b'\n', b'\r', text).any(|end| text.get(end.saturating_add(1)..).is_some_and(is_key))
}

/// Whether a line gives a key away; attribute names in any case and with space around them, since some peers read them so.
fn is_key(line: &[u8]) -> bool {
    line.get(..2).is_some_and(|head| head.eq_ignore_ascii_case(b"k="))
        || attribute(line).is_some_and(|text| {
            is_key_attribute(text) || capability_of_key(text).is_some() || is_key_of_capability(text)
        })
}

/// Whether a text is a parameter of a simple capability (`cpar: a=crypto:1 ...`, RFC 3407 section 3) or an attribute of media
/// capabilities (`mscap:1,2 crypto 1 ...`, RFC 6871 section 3.3.3) that gives a key away. No configuration names either.
fn is_key_of_capability(text: &[u8]) -> bool {
    let parameter = [&b"cpar"[..], b"cparmin", b"cparmax"].iter().find_map(|name| value(text, name));
    if let Some(held) = parameter.map(after_space) {
        let is_line = held.get(..2).is_some_and(|head| head.eq_ignore_ascii_case(b"k="));
        return is_line || attribute(held).is_some_and(is_key_attribute);
    }
    let Some(held) = value(text, b"mscap").map(after_space) else { return false };
    let numbers = held.iter().take_while(|octet| octet.is_ascii_digit() || b",-*".contains(octet)).count();
    let held = after_space(held.get(numbers..).unwrap_or_default());
    let end = held.iter().position(|octet| b" \t:".contains(octet)).unwrap_or(held.len());
    let (name, rest) = held.split_at(end);
    !rest.is_empty() && KEY_ATTRIBUTES.iter().any(|key| name.eq_ignore_ascii_case(key))
}

/// Attributes whose values are keys.
const KEY_ATTRIBUTES: [&[u8]; 2] = [b"crypto", b"key-mgmt"];

/// What follows `a=`.
fn attribute(line: &[u8]) -> Option<&[u8]> {
    let (head, text) = line.split_at_checked(2)?;
    head.eq_ignore_ascii_case(b"a=").then_some(text)
}

fn is_key_attribute(text: &[u8]) -> bool {
    KEY_ATTRIBUTES.iter().any(|name| value(text, name).is_some())
}

/// The value of an attribute that has this name.
fn value<'t>(text: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let (head, rest) = after_space(text).split_at_checked(name.len())?;
    head.eq_ignore_ascii_case(name).then(|| after_space(rest).strip_prefix(b":"))?
}

fn after_space(text: &[u8]) -> &[u8] {
    let space = text.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    text.get(space..).unwrap_or_default()
}

/// The number of an attribute capability that holds a key: `acap:1 crypto:1 ...` (RFC 5939, section 3.4.1).
fn capability_of_key(text: &[u8]) -> Option<u64> {
    let (number, held) = number(after_space(value(text, b"acap")?));
    is_key_attribute(held).then_some(number)
}

/// The number a text begins with, and what follows it. One that is too large stays at the largest.
fn number(text: &[u8]) -> (u64, &[u8]) {
    let (digits, rest) = text.split_at(text.iter().take_while(|octet| octet.is_ascii_digit()).count());
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')));
    (digits.iter().fold(0, add), rest)
}

/// The attribute capabilities a potential configuration names, as in `pcfg:1 t=1 a=-m:1,[2]|3` (RFC 5939, section 3.5.1); a
/// latent one (RFC 6871) names them so too.
fn named_capabilities(text: &[u8]) -> impl Iterator<Item = u64> {
    let list = value(text, b"pcfg").or_else(|| value(text, b"lcfg")).unwrap_or_default();
    let lists = list.split(|octet| matches!(octet, b' ' | b'\t')).filter_map(attribute);
    let numbers = lists.flat_map(|list| list.split(|octet| !octet.is_ascii_digit()));
    numbers.filter(|digits| !digits.is_empty()).map(|digits| number(digits).0)
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

/// Writes the description to the end of `out` without its keys: key lines are left out, and so are the potential
/// configurations that name one of them (RFC 5939); a stream whose profile demands a key is turned off by port 0 (RFC 3264,
/// 5.1 and 6). `RTP/SAVP` never becomes `RTP/AVP`: who offered the one did not offer the other. True when anything changed.
pub fn write_without(session: &Session<'_>, out: &mut Vec<u8>) -> bool {
    let begun = out.len();
    let gone = capabilities_of_keys(session);
    let mut pen = Pen { from: session, out, done: 0 };
    cut_keys(&mut pen, session.session_lines(), &gone, false);
    for media in session.media() {
        let is_off = must_encrypt(session, media);
        if is_off {
            pen.turn_off(media);
        }
        cut_keys(&mut pen, session.lines_of(media), &gone, is_off);
    }
    pen.finish(begun)
}

/// The numbers of the capabilities that hold a key, in order; a number stands for one capability in the whole description.
fn capabilities_of_keys(session: &Session<'_>) -> Vec<u64> {
    let lines = session.media().iter().flat_map(|media| session.lines_of(media)).chain(session.session_lines());
    let mut numbers: Vec<u64> = lines.filter_map(|line| capability_of_key(attribute(session.text(*line))?)).collect();
    numbers.sort_unstable();
    numbers
}

/// Leaves out the lines with keys, and of a block that is turned off (`is_off`) those that say it is on without a port.
fn cut_keys(pen: &mut Pen<'_, '_, '_>, lines: &[Line], gone: &[u64], is_off: bool) {
    let from = pen.from;
    let names_gone = |text: &[u8]| {
        !gone.is_empty()
            && attribute(text)
                .is_some_and(|text| named_capabilities(text).any(|number| gone.binary_search(&number).is_ok()))
    };
    let goes = |line: &Line| {
        let text = from.text(*line);
        is_key(text) || names_gone(text) || is_off && line.about == About::BundleOnly
    };
    for line in lines.iter().filter(|line| goes(line)) {
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
        for key in [
            KEY,
            "a=CRYPTO:1 X inline:abc\r\n",
            "a=key-mgmt:mikey AQAFgM0X\r\n",
            "k=base64:abc\r\n",
            "a=crypto :1 X inline:abc\r\n",
            "a= crypto:1 X inline:abc\r\n",
            "a=\tkey-mgmt \t:mikey AQAFgM0X\r\n",
        ] {
            let sdp = format!("{HEAD}{}", stream("audio", "RTP/AVP", &format!("{key}a=sendrecv\r\n")));
            let want = format!("{HEAD}{}", stream("audio", "RTP/AVP", "a=sendrecv\r\n"));
            assert_eq!(left(&sdp), (Without::Less, want), "{key}");
        }
    }

    #[test]
    fn rfc_8843_6_a_stream_that_is_turned_off_is_not_bundle_only_any_more() {
        let block = |rest: &str| format!("{HEAD}m=audio 0 RTP/SAVP 0\r\na=mid:0\r\n{rest}");
        let plain = block("a=sendrecv\r\n");
        for lines in [format!("a=bundle-only\r\n{KEY}"), format!("{KEY}a=bundle-only\r\n")] {
            let sdp = block(&format!("{lines}a=sendrecv\r\n"));
            assert_eq!(left(&sdp), (Without::NoAudio, plain.clone()), "{lines}");
        }
        let kept = stream("audio", "RTP/AVP", "a=bundle-only\r\n");
        let sdp = format!("{HEAD}{kept}{KEY}");
        assert_eq!(left(&sdp), (Without::Less, format!("{HEAD}{kept}")));
    }

    #[test]
    fn rfc_5939_a_capability_with_a_key_leaves_and_so_does_each_configuration_that_names_it() {
        let stays =
            "a=acap:3 ptime:20\r\na=tcap:1 RTP/SAVP\r\na=pcfg:3 t=1 a=3\r\na=pcfg:4 t=2\r\na=acap:4 cryptographic\r\n";
        for (key, named) in [
            ("a=acap:2 crypto:1 AES_CM_128_HMAC_SHA1_32 inline:abc\r\n", "a=pcfg:1 t=1 a=2\r\n"),
            ("a=acap:2 key-mgmt:mikey AQAFgM0X\r\n", "a=pcfg:1 t=1|3 a=-ms:3,[2]\r\n"),
            ("a= ACAP : 02\tcrypto :1 X inline:abc\r\n", "a=pcfg:1 a=3|4,[7,2] t=1\r\na=PCFG :5 A=2\r\n"),
            ("a=acap:2 crypto:1 X inline:abc\r\na=acap:7 crypto:2 X inline:def\r\n", "a=lcfg:1 a=7\r\n"),
            ("a=acap:2 crypto:1 X inline:abc\r\n", ""),
        ] {
            let sdp = format!("{HEAD}{}", stream("audio", "RTP/AVP", &format!("{key}{stays}{named}")));
            let want = format!("{HEAD}{}", stream("audio", "RTP/AVP", stays));
            assert_eq!(left(&sdp), (Without::Less, want), "{key}{named}");
            // A capability of the session is named by the streams, wherever it stands.
            let sdp = format!("{HEAD}{key}{}", stream("audio", "RTP/AVP", &format!("{named}{stays}")));
            let want = format!("{HEAD}{}", stream("audio", "RTP/AVP", stays));
            assert_eq!(left(&sdp), (Without::Less, want), "{key}{named}");
        }
        let sdp = format!("{HEAD}{}", stream("audio", "RTP/AVP", stays));
        assert_eq!(left(&sdp), (Without::Nothing, sdp.clone()), "capabilities without keys stay");
    }

    #[test]
    fn rfc_3407_and_rfc_6871_keys_among_simple_and_media_capabilities_leave() {
        let stays = "a=sqn: 0\r\na=cdsc: 1 audio RTP/SAVP 0\r\na=cpar: a=ptime:20\r\na=cparmin: b=AS:64\r\n\
            a=rmcap:1 PCMU/8000\r\na=mscap:1 rtcp-fb ccm fir\r\na=mscap:* cryptographic x\r\na=cpar: a=cryptographic\r\n";
        for key in [
            "a=cpar: a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n",
            "a=cpar:a=key-mgmt:mikey AQAFgM0X\r\n",
            "a=cparmin: A=CRYPTO :1 X inline:abc\r\n",
            "a=CPARMAX : k=base64:abc\r\n",
            "a=mscap:1 crypto 1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n",
            "a=mscap:1,2-3  crypto\t1 X inline:abc\r\n",
            "a= mscap :* Key-Mgmt:mikey AQAFgM0X\r\n",
        ] {
            let sdp = format!("{HEAD}{}", stream("audio", "RTP/AVP", &format!("{key}{stays}")));
            let want = format!("{HEAD}{}", stream("audio", "RTP/AVP", stays));
            assert_eq!(left(&sdp), (Without::Less, want), "{key}");
        }
        let sdp = format!("{HEAD}{}", stream("audio", "RTP/AVP", stays));
        assert_eq!(left(&sdp), (Without::Nothing, sdp.clone()), "capabilities without keys stay");
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
        fn whatever_came_no_key_is_left(lines in "((a=[ \t]?(crypto|key-mgmt|sendrecv|CRYPTO)[ \t]?:?[ -~]{0,20}|a=acap:[0-3][ \t](crypto|key-mgmt|ptime) ?:[ -~]{0,9}|a=(cpar: ?a=|mscap:[1*] )(crypto|key-mgmt|ptime)[: ][ -~]{0,9}|a=pcfg:1 (t=1 )?a=(-m:)?[0-3](,\\[[0-3]\\])?|k=[ -~]{0,9}|m=(audio|video) [0-9]{1,4} (RTP/AVP|RTP/SAVP|UDP/TLS/RTP/SAVP) 0|b=AS:64)(\r\n|\n)){0,20}") {
            let sdp = format!("{HEAD}{lines}");
            if let Ok(session) = Session::parse(sdp.as_bytes()) {
                let mut out = Vec::new();
                write_without(&session, &mut out);
                prop_assert!(!are_in(&out), "{}", String::from_utf8_lossy(&out));
                let gone = capabilities_of_keys(&session);
                let named = out.split(|octet| *octet == b'\n').filter_map(attribute).flat_map(named_capabilities);
                prop_assert!(named.into_iter().all(|number| !gone.contains(&number)), "{}", String::from_utf8_lossy(&out));
                prop_assert_eq!(without(&session) == Without::Nothing, !are_in(sdp.as_bytes()));
                prop_assert!(Session::parse(&out).is_ok());
            }
        }
    }
}
