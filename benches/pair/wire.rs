//! The messages of one call as its two sides write them, with places for what differs from call to call.
// Some who compile this file need the descriptions alone.
#![allow(dead_code)]

/// Stands for what is different in every call: its number, 16 digits.
const CALL: &[u8; 16] = b"CCCCCCCCCCCCCCCC";
/// Stands for the branch the node gave the request that a response answers.
const BRANCH: &[u8; 24] = b"BBBBBBBBBBBBBBBBBBBBBBBB";
/// What the node's branches begin with.
const BRANCH_BEGIN: &[u8] = b"z9hG4bK-emcc-";

/// What stands in the places of a [`Template`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    number: u64,
    call: [u8; 16],
    branch: [u8; 24],
}

impl Default for Slots {
    fn default() -> Self {
        Self { number: 0, call: *b"0000000000000000", branch: [b'0'; 24] }
    }
}

impl Slots {
    /// The marks of a new call.
    pub(crate) fn next_call(&mut self) {
        self.number += 1;
        let mut left = self.number;
        for digit in self.call.iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
    }

    /// Notes the branch of a request of the node.
    pub(crate) fn take_branch(&mut self, request: &[u8]) {
        let found = request.windows(BRANCH_BEGIN.len()).position(|part| part == BRANCH_BEGIN);
        let Some(at) = found.map(|at| at + BRANCH_BEGIN.len()) else { return };
        if let Some(branch) = request.get(at..at + 24) {
            self.branch.copy_from_slice(branch);
        }
    }
}

/// A message with places.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    octets: Vec<u8>,
    calls: Vec<usize>,
    branches: Vec<usize>,
}

impl Template {
    fn new(text: String) -> Self {
        let octets = text.into_bytes();
        let places = |mark: &[u8]| (0..octets.len()).filter(|at| octets[*at..].starts_with(mark)).collect();
        Self { calls: places(CALL), branches: places(BRANCH), octets }
    }

    /// Writes the marks into their places.
    pub(crate) fn fill(&mut self, slots: &Slots) {
        for (places, mark) in [(&self.calls, slots.call.as_slice()), (&self.branches, slots.branch.as_slice())] {
            for at in places {
                self.octets[*at..at + mark.len()].copy_from_slice(mark);
            }
        }
    }

    /// The message as it stands.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }
}

/// An offer of eight codecs and telephone events.
pub(crate) const OFFER: &str = "v=0\r\no=- 20518 0 IN IP4 127.0.2.50\r\ns=-\r\nc=IN IP4 127.0.2.50\r\nt=0 0\r\n\
    m=audio 24580 RTP/AVP 9 0 8 97 102 104 18 4 101\r\n\
    a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:97 iLBC/8000\r\n\
    a=fmtp:97 mode=20\r\na=rtpmap:102 L16/16000\r\na=rtpmap:104 isac/16000\r\na=rtpmap:18 G729/8000\r\n\
    a=fmtp:18 annexb=no\r\na=rtpmap:4 G723/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
    a=ptime:20\r\na=sendrecv\r\n";

/// Its answer, within the region of the pair.
pub(crate) const ANSWER: &str = "v=0\r\no=- 7 1 IN IP4 127.0.2.20\r\ns=-\r\nc=IN IP4 127.0.2.20\r\nt=0 0\r\n\
    m=audio 30000 RTP/AVP 18 101\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/// The INVITE of a call control: 1.1 to 1.3 kB, as phones write them.
pub(crate) fn invite() -> String {
    format!(
        "INVITE sip:902079460000@127.0.1.1:5060;user=phone SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.1.10:5060;branch=z9hG4bKiCCCCCCCCCCCCCCCC\r\n\
         From: \"Alice\" <sip:5001@127.0.1.10>;tag=aCCCCCCCCCCCCCCCC\r\n\
         To: <sip:902079460000@127.0.1.1>\r\n\
         Call-ID: CCCCCCCCCCCCCCCC@127.0.1.10\r\n\
         CSeq: 101 INVITE\r\n\
         Max-Forwards: 69\r\n\
         Contact: <sip:5001@127.0.1.10:5060>\r\n\
         Supported: 100rel, timer, replaces\r\n\
         Allow: INVITE, OPTIONS, INFO, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY\r\n\
         Call-Info: <urn:emcc:device:SEP001122334455>;purpose=emcc-device;cluster=HQ\r\n\
         P-Asserted-Identity: \"Alice\" <sip:5001@127.0.1.10>\r\n\
         Session-Expires: 1800;refresher=uac\r\n\
         Min-SE: 90\r\n\
         User-Agent: Call Control 12.0\r\n\
         Allow-Events: presence\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    )
}

/// What both answers of the trunk have in common, as text before the end of the head.
fn answered(status: &str, cseq: &str) -> String {
    format!(
        "SIP/2.0 {status}\r\n\
         Via: SIP/2.0/UDP 127.0.1.1:5060;branch=z9hG4bK-emcc-BBBBBBBBBBBBBBBBBBBBBBBB\r\n\
         Via: SIP/2.0/UDP 127.0.1.10:5060;branch=z9hG4bK{}CCCCCCCCCCCCCCCC\r\n\
         Record-Route: <sip:127.0.2.1:5060;lr>\r\nRecord-Route: <sip:127.0.1.1:5060;lr>\r\n\
         From: \"Alice\" <sip:5001@127.0.1.10>;tag=aCCCCCCCCCCCCCCCC\r\n\
         To: <sip:902079460000@127.0.1.1>;tag=gCCCCCCCCCCCCCCCC\r\n\
         Call-ID: CCCCCCCCCCCCCCCC@127.0.1.10\r\nCSeq: {cseq}\r\n\
         Contact: <sip:02079460000@127.0.2.20:5060>\r\n",
        if cseq.ends_with("INVITE") { 'i' } else { 'b' }
    )
}

/// A request of the call control inside the dialog.
fn within(method: &str, cseq: u32, branch: char) -> String {
    format!(
        "{method} sip:02079460000@127.0.2.20:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.1.10:5060;branch=z9hG4bK{branch}CCCCCCCCCCCCCCCC\r\n\
         Route: <sip:127.0.1.1:5060;lr>, <sip:127.0.2.1:5060;lr>\r\n\
         From: \"Alice\" <sip:5001@127.0.1.10>;tag=aCCCCCCCCCCCCCCCC\r\n\
         To: <sip:902079460000@127.0.1.1>;tag=gCCCCCCCCCCCCCCCC\r\n\
         Call-ID: CCCCCCCCCCCCCCCC@127.0.1.10\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 69\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// The messages of one call, in the order of [`super::Step`].
pub(crate) fn call() -> [Template; 6] {
    let empty = "Content-Length: 0\r\n\r\n";
    let answer = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{ANSWER}", ANSWER.len());
    [
        invite(),
        answered("180 Ringing", "101 INVITE") + empty,
        answered("200 OK", "101 INVITE") + &answer,
        within("ACK", 101, 'k'),
        within("BYE", 102, 'b'),
        answered("200 OK", "102 BYE") + empty,
    ]
    .map(Template::new)
}
