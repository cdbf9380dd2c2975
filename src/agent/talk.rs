//! What an agent offers, what it answers and what both agreed on (RFC 3264, RFC 8866).

use std::net::{IpAddr, SocketAddr};

use emcc_codecs::sdp::{Media, MediaKind, Session, payload_type_and_rest};

/// A format an agent speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// RTP payload type it is offered with, 0 to 127.
    pub payload_type: u8,
    /// SDP encoding name.
    pub name: &'static str,
    /// RTP clock in Hz.
    pub clock_hz: u32,
}

impl Codec {
    /// G.711 mu-law.
    pub const PCMU: Self = Self { payload_type: 0, name: "PCMU", clock_hz: 8_000 };
    /// G.711 A-law.
    pub const PCMA: Self = Self { payload_type: 8, name: "PCMA", clock_hz: 8_000 };
    /// G.722 at 64 kbit/s; its clock is written as 8000 (RFC 3551, section 4.5.2).
    pub const G722: Self = Self { payload_type: 9, name: "G722", clock_hz: 8_000 };
    /// G.729.
    pub const G729: Self = Self { payload_type: 18, name: "G729", clock_hz: 8_000 };
    /// iSAC wideband.
    pub const ISAC: Self = Self { payload_type: 104, name: "isac", clock_hz: 16_000 };
    /// iLBC.
    pub const ILBC: Self = Self { payload_type: 97, name: "iLBC", clock_hz: 8_000 };
}

/// What both sides agreed on for audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Encoding name of the first format of the answer.
    pub codec: String,
    /// Its payload type.
    pub payload_type: u8,
    /// Where the other side hears.
    pub remote: SocketAddr,
}

/// The media side of an agent: what it can do and how far offer and answer are.
#[derive(Clone, Debug)]
pub struct Talk {
    /// Where it hears RTP.
    pub audio: SocketAddr,
    /// Where it hears video; without it video is refused.
    pub video: Option<SocketAddr>,
    /// Audio formats, the best first. An answer takes the first of the offer that is here.
    pub codecs: Vec<Codec>,
    version: u32,
    is_offer_open: bool,
    agreed: Option<Agreed>,
}

impl Talk {
    /// An agent that hears at `audio` and speaks `codecs`.
    #[must_use]
    pub fn new(audio: SocketAddr, codecs: &[Codec]) -> Self {
        Self { audio, video: None, codecs: codecs.to_vec(), version: 0, is_offer_open: false, agreed: None }
    }

    /// What was agreed last.
    #[must_use]
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Whether an offer of ours has no answer yet.
    #[must_use]
    pub fn is_offer_open(&self) -> bool {
        self.is_offer_open
    }

    /// Marks an offer somebody else wrote as ours.
    pub(super) fn offered(&mut self) {
        self.is_offer_open = true;
    }

    /// The offer failed with the request that carried it: what was agreed before stays (RFC 3264, section 8).
    pub(super) fn withdraw(&mut self) {
        self.is_offer_open = false;
    }

    /// An offer of every codec.
    pub(super) fn offer(&mut self) -> Vec<u8> {
        self.is_offer_open = true;
        let mut out = self.session();
        let tokens: Vec<String> = self.codecs.iter().map(|codec| codec.payload_type.to_string()).collect();
        out.push_str(&format!("m=audio {} RTP/AVP {} 101\r\n", self.audio.port(), tokens.join(" ")));
        for codec in &self.codecs {
            out.push_str(&format!("a=rtpmap:{} {}/{}\r\n", codec.payload_type, codec.name, codec.clock_hz));
            if codec.name == "G729" {
                out.push_str("a=fmtp:18 annexb=no\r\n");
            }
        }
        out.push_str("a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n");
        out.into_bytes()
    }

    /// The answer to an offer; `None` where nothing in it can be spoken or read (488).
    pub(super) fn answer(&mut self, offer: &[u8]) -> Option<Vec<u8>> {
        let session = Session::parse(offer).ok()?;
        let mut out = self.session();
        let mut agreed = None;
        for media in session.media() {
            let chosen = match media.kind {
                MediaKind::Audio if media.is_active() && agreed.is_none() => self.choose(media),
                _ => None,
            };
            if let Some((payload_type, name)) = chosen {
                self.answer_audio(&session, media, payload_type, &mut out);
                agreed = remote_of(&session, media).map(|remote| Agreed { codec: name, payload_type, remote });
            } else {
                let port = match (media.kind, self.video) {
                    (MediaKind::Video, Some(video)) if media.is_active() => video.port(),
                    _ => 0,
                };
                push_media(&session, media, port, &mut out);
            }
        }
        self.agreed = Some(agreed?);
        self.is_offer_open = false;
        Some(out.into_bytes())
    }

    /// Takes an answer to our offer; `false` where it agrees on nothing.
    pub(super) fn answered(&mut self, answer: &[u8]) -> bool {
        let Ok(session) = Session::parse(answer) else { return false };
        self.is_offer_open = false;
        let found = session.media().iter().find_map(|media| {
            if media.kind != MediaKind::Audio || !media.is_active() {
                return None;
            }
            let format = media.formats.first()?;
            let codec = String::from_utf8_lossy(format.encoding?.name).into_owned();
            Some(Agreed { codec, payload_type: format.payload_type?, remote: remote_of(&session, media)? })
        });
        let has_found = found.is_some();
        self.agreed = found.or_else(|| self.agreed.take());
        has_found
    }

    /// The first audio format of the offer that is one of ours.
    fn choose(&self, media: &Media<'_>) -> Option<(u8, String)> {
        media.formats.iter().find_map(|format| {
            let encoding = format.encoding?;
            let is_ours = self.codecs.iter().any(|codec| {
                encoding.name.eq_ignore_ascii_case(codec.name.as_bytes()) && encoding.clock_hz == codec.clock_hz
            });
            is_ours.then_some(())?;
            Some((format.payload_type?, String::from_utf8_lossy(encoding.name).into_owned()))
        })
    }

    fn answer_audio(&self, session: &Session<'_>, media: &Media<'_>, payload_type: u8, out: &mut String) {
        let tones = media.formats.iter().find_map(|format| {
            let is_tones = format.encoding?.name.eq_ignore_ascii_case(b"telephone-event");
            format.payload_type.filter(|_| is_tones)
        });
        let protocol = String::from_utf8_lossy(media.protocol);
        out.push_str(&format!("m=audio {} {protocol} {payload_type}", self.audio.port()));
        if let Some(tones) = tones {
            out.push_str(&format!(" {tones}"));
        }
        out.push_str("\r\n");
        // The offer's own lines for the formats kept: their numbers and parameters are the offerer's.
        for line in session.lines_of(media) {
            let text = session.text(*line);
            let value = text.strip_prefix(b"a=rtpmap:").or_else(|| text.strip_prefix(b"a=fmtp:"));
            let of = value.and_then(payload_type_and_rest).map(|(of, _)| of);
            if of == Some(payload_type) || (of.is_some() && of == tones) {
                out.push_str(&String::from_utf8_lossy(text));
                out.push_str("\r\n");
            }
        }
        let direction = match (media.direction.sends, media.direction.receives) {
            (true, true) => "sendrecv",
            (true, false) => "recvonly",
            (false, true) => "sendonly",
            (false, false) => "inactive",
        };
        out.push_str(&format!("a=ptime:20\r\na={direction}\r\n"));
    }

    fn session(&mut self) -> String {
        self.version = self.version.wrapping_add(1);
        let ip = self.audio.ip();
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        format!(
            "v=0\r\no=agent {} {} IN {family} {ip}\r\ns=call\r\nc=IN {family} {ip}\r\nt=0 0\r\n",
            self.audio.port(),
            self.version
        )
    }
}

/// A media block of the answer that repeats the offer's formats; port 0 refuses it (RFC 3264, section 6).
fn push_media(session: &Session<'_>, media: &Media<'_>, port: u16, out: &mut String) {
    let kind = session.lines_of(media).first().map(|line| session.text(*line)).unwrap_or_default();
    let kind = kind.strip_prefix(b"m=").unwrap_or_default().split(|b| *b == b' ').next().unwrap_or_default();
    out.push_str(&format!("m={} {port} {}", String::from_utf8_lossy(kind), String::from_utf8_lossy(media.protocol)));
    for format in &media.formats {
        out.push(' ');
        out.push_str(&String::from_utf8_lossy(format.token));
    }
    out.push_str("\r\n");
    if port == 0 {
        return;
    }
    for line in session.lines_of(media) {
        let text = session.text(*line);
        let is_kept = [&b"b="[..], b"a=rtpmap:", b"a=fmtp:"].iter().any(|start| text.starts_with(start));
        if is_kept {
            out.push_str(&String::from_utf8_lossy(text));
            out.push_str("\r\n");
        }
    }
}

/// Where a stream is heard: the block's `c=` line, or the session's.
fn remote_of(session: &Session<'_>, media: &Media<'_>) -> Option<SocketAddr> {
    let address = |line: &emcc_codecs::sdp::Line| {
        let text = std::str::from_utf8(session.text(*line).strip_prefix(b"c=")?).ok()?;
        text.split_ascii_whitespace().nth(2)?.parse::<IpAddr>().ok()
    };
    let of_block = session.lines_of(media).iter().find_map(address);
    let ip = of_block.or_else(|| session.session_lines().iter().find_map(address))?;
    Some(SocketAddr::new(ip, media.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(port: u16, codecs: &[Codec]) -> Talk {
        Talk::new(SocketAddr::from(([127, 0, 0, 1], port)), codecs)
    }

    #[test]
    fn an_answer_takes_the_first_offered_format_it_speaks() {
        for (theirs, ours, want) in [
            (&[Codec::G722, Codec::PCMU, Codec::G729][..], &[Codec::G729, Codec::PCMU][..], Some(("PCMU", 0))),
            (&[Codec::ISAC, Codec::G729], &[Codec::ISAC], Some(("isac", 104))),
            (&[Codec::PCMA], &[Codec::PCMU], None),
        ] {
            let (mut caller, mut answerer) = (talk(40_000, theirs), talk(40_002, ours));
            let offer = caller.offer();
            assert!(caller.is_offer_open());
            let Some(answer) = answerer.answer(&offer) else {
                assert_eq!(want, None);
                continue;
            };
            assert!(caller.answered(&answer));
            let (a, b) = (caller.agreed().unwrap(), answerer.agreed().unwrap());
            assert_eq!(Some((a.codec.as_str(), a.payload_type)), want);
            assert_eq!((a.remote.port(), b.remote.port()), (40_002, 40_000));
            assert_eq!(a.codec, b.codec);
            assert!(!caller.is_offer_open());
        }
    }

    #[test]
    fn an_answer_has_as_many_blocks_as_the_offer_and_refuses_what_it_cannot() {
        let offer = b"v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n\
            m=video 6000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 6002 RTP/SAVP 0 101\r\nc=IN IP4 127.0.0.8\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=sendonly\r\nm=application 6004 RTP/AVP 99\r\n";
        let mut answerer = talk(40_000, &[Codec::PCMU]);
        let text = String::from_utf8(answerer.answer(offer).unwrap()).unwrap();
        assert!(text.contains("m=video 0 RTP/AVP 96\r\n"), "{text}");
        assert!(text.contains("m=audio 40000 RTP/SAVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"), "{text}");
        assert!(text.contains("a=recvonly\r\n") && text.contains("m=application 0 RTP/AVP 99\r\n"), "{text}");
        assert_eq!(answerer.agreed().unwrap().remote.to_string(), "127.0.0.8:6002");
        answerer.video = Some("127.0.0.1:40004".parse().unwrap());
        let text = String::from_utf8(answerer.answer(offer).unwrap()).unwrap();
        assert!(text.contains("m=video 40004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"), "{text}");
    }

    #[test]
    fn an_answer_without_audio_keeps_what_stood() {
        let (mut caller, mut answerer) = (talk(1, &[Codec::PCMU]), talk(2, &[Codec::PCMU]));
        let answer = answerer.answer(&caller.offer()).unwrap();
        assert!(caller.answered(&answer));
        caller.offer();
        assert!(!caller.answered(b"v=0\r\nm=audio 0 RTP/AVP 0\r\n"));
        assert_eq!(caller.agreed().unwrap().codec, "PCMU");
    }
}
