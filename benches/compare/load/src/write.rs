//! The messages of both sides. One INVITE has about 1,090 octets and offers eight codecs; its answer names one codec that
//! the policies of both servers take out again, so that a description is rewritten in either direction.

use std::io::Write;

use crate::arguments::Run;
use crate::read::Received;

/// Home cluster of the EMCC session that every call comes from.
const CLUSTER: &str = "HQ";
/// Number an emergency call dials.
const EMERGENCY: &str = "911";
/// Beginnings of the numbers dialled, country codes; the digit tables of both servers begin with the same.
const COUNTRY_CODES: [&str; 10] = ["1", "44", "49", "33", "39", "34", "86", "91", "7", "55"];
/// Digits of a number dialled.
const DIGITS: usize = 11;
/// Different numbers dialled, over and over.
const NUMBERS: usize = 10_000;

const OFFER: &str = "v=0\r\no=- 7310 7310 IN IP4 127.0.7.10\r\ns=-\r\nc=IN IP4 127.0.7.10\r\nt=0 0\r\n\
    m=audio 30000 RTP/AVP 96 97 9 8 0 18 98 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
    a=rtpmap:97 AMR-WB/16000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:98 iLBC/8000\r\na=fmtp:98 mode=20\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

const ANSWER: &str = "v=0\r\no=- 7320 7320 IN IP4 127.0.7.20\r\ns=-\r\nc=IN IP4 127.0.7.20\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 18 8 101\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/// What is the same in every message of a run.
pub struct Words {
    /// Marks the run in every Call-ID, tag and branch.
    pub run: u32,
    // Written thousands of times a second: kept as text.
    caller: String,
    host: String,
    called: String,
    target: String,
    phone: String,
    /// Transport as Via names it, and what a URI says of it.
    transport: (&'static str, &'static str),
    numbers: Vec<[u8; DIGITS]>,
}

/// What a caller keeps of an answered call: tag of the far side, remote target, Route lines.
pub struct Dialog {
    octets: Box<[u8]>,
    tag: u16,
    target: u16,
}

impl Words {
    /// Words of a run.
    #[must_use]
    pub fn new(mark: u32, run: &Run) -> Self {
        // Any fixed generator will do: equal runs dial equal numbers.
        let mut seed = 11_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let number = |_| {
            let mut digits = [0; DIGITS];
            let code = COUNTRY_CODES[next(COUNTRY_CODES.len() as u64) as usize].as_bytes();
            digits[..code.len()].copy_from_slice(code);
            for digit in &mut digits[code.len()..] {
                *digit = b'0' + next(10) as u8;
            }
            digits
        };
        Self {
            run: mark,
            caller: run.caller.to_string(),
            host: run.caller.ip().to_string(),
            called: run.called.to_string(),
            target: run.target.to_string(),
            phone: run.phone.clone(),
            transport: if run.is_stream { ("TCP", ";transport=tcp") } else { ("UDP", "") },
            numbers: (0..NUMBERS).map(number).collect(),
        }
    }

    fn dialled(&self, call: usize, emergency: bool) -> &str {
        if emergency {
            return EMERGENCY;
        }
        std::str::from_utf8(&self.numbers[call % NUMBERS]).unwrap_or_default()
    }

    /// The INVITE of a call.
    pub fn invite(&self, out: &mut Vec<u8>, call: usize, emergency: bool) {
        let Self { run, caller, host, target, phone, transport: (via, parameter), .. } = self;
        let number = self.dialled(call, emergency);
        put(
            out,
            format_args!(
                "INVITE sip:{number}@{target} SIP/2.0\r\n\
                 Via: SIP/2.0/{via} {caller};rport;branch=z9hG4bK-{run}-{call}-1\r\nMax-Forwards: 70\r\n\
                 From: \"Alice\" <sip:5001@{host}>;tag=a{call}-{run}\r\nTo: <sip:{number}@{host}>\r\n\
                 Call-ID: {call}-{run}@{host}\r\nCSeq: 1 INVITE\r\nContact: <sip:5001@{caller}{parameter}>\r\n\
                 Call-Info: <urn:emcc:device:{phone}>;purpose=emcc-device;cluster={CLUSTER}\r\n\
                 Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO\r\nSupported: timer, replaces\r\n\
                 Session-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\nP-Asserted-Identity: <sip:5001@{host}>\r\n\
                 User-Agent: CallControl/1.0\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
                OFFER.len()
            ),
        );
    }

    /// ACK of a final answer above 299: it goes the INVITE's way (RFC 3261 section 17.1.1.3).
    pub fn ack_of_refusal(&self, out: &mut Vec<u8>, call: usize, emergency: bool, refusal: &Received<'_>) {
        let Self { run, caller, host, target, transport: (via, _), .. } = self;
        let number = self.dialled(call, emergency);
        put(
            out,
            format_args!(
                "ACK sip:{number}@{target} SIP/2.0\r\n\
                 Via: SIP/2.0/{via} {caller};rport;branch=z9hG4bK-{run}-{call}-1\r\nMax-Forwards: 70\r\n\
                 From: \"Alice\" <sip:5001@{host}>;tag=a{call}-{run}\r\nTo: "
            ),
        );
        out.extend_from_slice(refusal.to);
        put(out, format_args!("\r\nCall-ID: {call}-{run}@{host}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"));
    }

    /// A request of the caller inside the dialog: ACK, INFO or BYE.
    pub fn within(&self, out: &mut Vec<u8>, call: usize, emergency: bool, dialog: &Dialog, method: &str, cseq: u32) {
        let Self { run, caller, host, transport: (via, _), .. } = self;
        let number = self.dialled(call, emergency);
        let letter = &method[..1];
        put(out, format_args!("{method} "));
        out.extend_from_slice(dialog.target());
        put(
            out,
            format_args!(
                " SIP/2.0\r\nVia: SIP/2.0/{via} {caller};rport;branch=z9hG4bK-{run}-{call}-{letter}{cseq}\r\n"
            ),
        );
        out.extend_from_slice(dialog.routes());
        put(
            out,
            format_args!(
                "Max-Forwards: 70\r\nFrom: \"Alice\" <sip:5001@{host}>;tag=a{call}-{run}\r\n\
                 To: <sip:{number}@{host}>;tag="
            ),
        );
        out.extend_from_slice(dialog.tag());
        put(
            out,
            format_args!(
                "\r\nCall-ID: {call}-{run}@{host}\r\nCSeq: {cseq} {method}\r\nUser-Agent: CallControl/1.0\r\n\
                 Content-Length: 0\r\n\r\n"
            ),
        );
    }

    /// 180 of the called party.
    pub fn ringing(&self, out: &mut Vec<u8>, invite: &Received<'_>, call: usize) {
        out.extend_from_slice(b"SIP/2.0 180 Ringing\r\n");
        echo(out, invite, Some(call));
        put(
            out,
            format_args!("Contact: <sip:b{call}@{}{}>\r\nContent-Length: 0\r\n\r\n", self.called, self.transport.1),
        );
    }

    /// 200 of the called party, with an answer.
    pub fn answer(&self, out: &mut Vec<u8>, invite: &Received<'_>, call: usize) {
        out.extend_from_slice(b"SIP/2.0 200 OK\r\n");
        echo(out, invite, Some(call));
        put(
            out,
            format_args!(
                "Contact: <sip:b{call}@{}{}>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO\r\n\
                 Require: timer\r\nSupported: timer, replaces\r\nSession-Expires: 1800;refresher=uac\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{ANSWER}",
                self.called,
                self.transport.1,
                ANSWER.len()
            ),
        );
    }
}

/// An answer without a body to anything but INVITE.
pub fn reply(out: &mut Vec<u8>, request: &Received<'_>, status: &str) {
    put(out, format_args!("SIP/2.0 {status}\r\n"));
    echo(out, request, None);
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}

/// What a response repeats of its request; with a call, the tag and the Record-Route lines of a new dialog too.
fn echo(out: &mut Vec<u8>, request: &Received<'_>, dialog: Option<usize>) {
    let line = |out: &mut Vec<u8>, name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    for via in request.vias.as_slice() {
        line(out, "Via: ", via);
    }
    line(out, "From: ", request.from);
    out.extend_from_slice(b"To: ");
    out.extend_from_slice(request.to);
    if let Some(call) = dialog {
        put(out, format_args!(";tag=b{call}"));
    }
    out.extend_from_slice(b"\r\n");
    line(out, "Call-ID: ", request.call_id);
    line(out, "CSeq: ", request.cseq);
    if dialog.is_some() {
        for route in request.record_routes.as_slice() {
            line(out, "Record-Route: ", route);
        }
    }
}

impl Dialog {
    /// The dialog a 200 makes at the caller (RFC 3261 section 12.1.2): its route set is the Record-Route list backwards.
    #[must_use]
    pub fn of(answer: &Received<'_>) -> Self {
        let (tag, target) = (answer.far_tag(), answer.target());
        let mut octets = Vec::with_capacity(256);
        octets.extend_from_slice(tag);
        octets.extend_from_slice(target);
        let values = answer.record_routes.as_slice().iter().flat_map(|line| values(line));
        let values: Vec<&[u8]> = values.collect();
        for value in values.iter().rev() {
            octets.extend_from_slice(b"Route: ");
            octets.extend_from_slice(value);
            octets.extend_from_slice(b"\r\n");
        }
        // A datagram has 4,096 octets at most.
        Self { octets: octets.into(), tag: tag.len() as u16, target: (tag.len() + target.len()) as u16 }
    }

    fn tag(&self) -> &[u8] {
        &self.octets[..usize::from(self.tag)]
    }

    fn target(&self) -> &[u8] {
        &self.octets[usize::from(self.tag)..usize::from(self.target)]
    }

    fn routes(&self) -> &[u8] {
        &self.octets[usize::from(self.target)..]
    }
}

/// Values of a Record-Route line; a comma inside angle brackets belongs to the URI.
fn values(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut inside = false;
    line.split(move |byte| {
        inside = match byte {
            b'<' => true,
            b'>' => false,
            _ => inside,
        };
        *byte == b',' && !inside
    })
    .map(<[u8]>::trim_ascii)
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        words_of("")
    }

    fn words_of(more: &str) -> Words {
        let addresses = "--target 127.0.7.1:15060 --caller 127.0.7.10:15060 --called 127.0.7.20:15060 --steps 1:1";
        let words = format!("{addresses} {more}");
        Words::new(123_456, &Run::read(words.split_whitespace().map(str::to_owned)).unwrap())
    }

    #[test]
    fn an_invite_has_the_size_the_field_sees() {
        let mut out = Vec::new();
        words().invite(&mut out, 4_711, false);
        assert!((1_050..1_300).contains(&out.len()), "{} octets", out.len());
        let invite = Received::read(&out).unwrap();
        assert_eq!(invite.body.len(), OFFER.len());
        assert_eq!(invite.payload_types(), Some(&b"96 97 9 8 0 18 98 101"[..]));
        assert_eq!(invite.call_number(123_456), Some(4_711));
    }

    #[test]
    fn over_tcp_every_message_says_so_and_the_phone_is_the_one_asked_for() {
        let words = words_of("--tcp --phone SEP000000000002");
        let (mut invite, mut answer, mut bye) = (Vec::new(), Vec::new(), Vec::new());
        words.invite(&mut invite, 7, false);
        words.answer(&mut answer, &Received::read(&invite).unwrap(), 7);
        words.within(&mut bye, 7, false, &Dialog::of(&Received::read(&answer).unwrap()), "BYE", 2);
        let [invite, bye] = [invite, bye].map(|octets| String::from_utf8(octets).unwrap());
        assert!(
            invite.contains("Via: SIP/2.0/TCP ")
                && invite.contains("Contact: <sip:5001@127.0.7.10:15060;transport=tcp>")
        );
        assert!(invite.contains("<urn:emcc:device:SEP000000000002>"), "{invite}");
        assert!(bye.starts_with("BYE sip:b7@127.0.7.20:15060;transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP "), "{bye}");
    }

    #[test]
    fn a_request_within_the_dialog_takes_the_recorded_routes_backwards() {
        let words = words();
        let (mut invite, mut answer, mut bye) = (Vec::new(), Vec::new(), Vec::new());
        words.invite(&mut invite, 7, false);
        let text = String::from_utf8(invite).unwrap();
        let recorded = text.replace("Max-Forwards", "Record-Route: <sip:n2;x=a,b;lr>, <sip:n1;lr>\r\nMax-Forwards");
        words.answer(&mut answer, &Received::read(recorded.as_bytes()).unwrap(), 7);
        let dialog = Dialog::of(&Received::read(&answer).unwrap());
        words.within(&mut bye, 7, false, &dialog, "BYE", 2);
        let bye = String::from_utf8(bye).unwrap();
        assert!(bye.starts_with("BYE sip:b7@127.0.7.20:15060 SIP/2.0\r\n"), "{bye}");
        assert!(bye.contains("Route: <sip:n1;lr>\r\nRoute: <sip:n2;x=a,b;lr>\r\n"), "{bye}");
        assert!(bye.contains(";tag=b7\r\n"), "{bye}");
    }

    #[test]
    fn numbers_have_eleven_digits_and_differ() {
        let words = words();
        let mut numbers: Vec<&str> = (0..NUMBERS).map(|call| words.dialled(call, false)).collect();
        assert!(numbers.iter().all(|number| number.len() == DIGITS));
        numbers.sort_unstable();
        numbers.dedup();
        assert!(numbers.len() > 9_900);
        assert_eq!(words.dialled(5, true), "911");
    }
}
