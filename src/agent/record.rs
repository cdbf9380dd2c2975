//! What an agent saw and counted.

use std::net::SocketAddr;

use emcc_codecs::sdp::{MediaKind, Session};
use emcc_policies::moment::Moment;

use crate::sip::{Index, Start, scan};

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the agent.
    Sent,
    /// To the agent.
    Received,
}

/// One message an agent saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Moment,
    /// Which way.
    pub direction: Direction,
    /// The other end.
    pub peer: SocketAddr,
    /// Its first line in short and its codecs, as [`summary`] writes them.
    pub line: String,
    /// Whether the agent had seen or sent it before.
    pub is_repeated: bool,
}

/// Sums over an agent's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages sent, repetitions included.
    pub sent: u64,
    /// Messages received, repetitions included.
    pub received: u64,
    /// Messages sent again.
    pub retransmitted: u64,
    /// Messages received again.
    pub duplicates: u64,
    /// Messages that fit nothing: no transaction, no dialog, or against the protocol.
    pub unexpected: u64,
    /// Datagrams that are no message.
    pub malformed: u64,
}

/// The messages of one agent or call, as many as there is room for, and sums over all of them.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Messages in order; none where the record has no room.
    pub seen: Vec<Seen>,
    /// Sums.
    pub counts: Counts,
    room: usize,
}

impl Record {
    /// A record with room for that many messages; 0 keeps sums alone.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self { seen: Vec::new(), counts: Counts::default(), room }
    }

    /// Room for messages.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room
    }

    pub(super) fn sent(&mut self, at: Moment, peer: SocketAddr, bytes: &[u8], is_repeated: bool) {
        self.counts.sent += 1;
        self.counts.retransmitted += u64::from(is_repeated);
        self.keep(at, Direction::Sent, peer, bytes, is_repeated);
    }

    pub(super) fn received(&mut self, at: Moment, peer: SocketAddr, bytes: &[u8]) {
        self.counts.received += 1;
        self.keep(at, Direction::Received, peer, bytes, false);
    }

    /// The message received last was one seen before.
    pub(super) fn was_duplicate(&mut self) {
        self.counts.duplicates += 1;
        if let Some(last) = self.seen.iter_mut().rev().find(|seen| seen.direction == Direction::Received) {
            last.is_repeated = true;
        }
    }

    fn keep(&mut self, at: Moment, direction: Direction, peer: SocketAddr, bytes: &[u8], is_repeated: bool) {
        if self.seen.len() < self.room {
            self.seen.push(Seen { at, direction, peer, line: summary(bytes), is_repeated });
        }
    }
}

/// A message in one short line: method and user part, or status and reason, then the audio codecs of its description.
#[must_use]
pub fn summary(bytes: &[u8]) -> String {
    let (mut line, codecs) = told(bytes);
    if !codecs.is_empty() {
        line.push_str(" [");
        line.push_str(&codecs.join(" "));
        line.push(']');
    }
    line
}

/// The two parts of a [`summary`]: its first line in short, and the audio codecs of its description in order.
#[must_use]
pub fn told(bytes: &[u8]) -> (String, Vec<String>) {
    let mut index = Index::new();
    let Ok(message) = scan(bytes, &mut index) else { return ("(no SIP message)".to_owned(), Vec::new()) };
    let line = match message.start() {
        Start::Request { token, uri, .. } => {
            let uri = message.text(uri);
            let uri = uri.strip_prefix(b"sip:").unwrap_or(uri);
            let user = uri.split(|b| *b == b'@' || *b == b';').next().unwrap_or_default();
            let method = String::from_utf8_lossy(message.text(token));
            match uri.contains(&b'@') {
                true => format!("{method} {}", String::from_utf8_lossy(user)),
                false => method.into_owned(),
            }
        }
        Start::Response { status, reason } => {
            format!("{status} {}", String::from_utf8_lossy(message.text(reason)))
        }
    };
    (line, codecs(message.body()))
}

/// Encoding names of the audio formats of a description, in order; tones and comfort noise left out.
fn codecs(body: &[u8]) -> Vec<String> {
    // A body of several parts is looked at from its description on.
    let Some(at) = body.windows(4).position(|w| w == b"v=0\r" || w == b"v=0\n") else { return Vec::new() };
    let Ok(session) = Session::parse(body.get(at..).unwrap_or_default()) else { return Vec::new() };
    let audio = session.media().iter().filter(|media| media.kind == MediaKind::Audio && media.is_active());
    audio
        .flat_map(|media| media.formats.iter())
        .filter_map(|format| format.encoding)
        .filter(|encoding| !encoding.name.eq_ignore_ascii_case(b"telephone-event") && encoding.name != b"CN")
        .map(|encoding| String::from_utf8_lossy(encoding.name).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_method_number_status_and_codecs() {
        let sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4 RTP/AVP 0 18 101\r\na=rtpmap:101 telephone-event/8000\r\n";
        for (head, body, want) in [
            ("INVITE sip:911@127.0.0.1;user=phone SIP/2.0", sdp, "INVITE 911 [PCMU G729]"),
            ("OPTIONS sip:127.0.0.1:5060 SIP/2.0", "", "OPTIONS"),
            ("SIP/2.0 488 Not Acceptable Here", "", "488 Not Acceptable Here"),
            ("SIP/2.0 200 OK", sdp, "200 OK [PCMU G729]"),
            ("SIP/2.0 200 OK", "v=0\r\nm=audio 0 RTP/AVP 0\r\n", "200 OK"),
        ] {
            assert_eq!(summary(format!("{head}\r\nVia: x\r\n\r\n{body}").as_bytes()), want);
        }
        assert_eq!(summary(b"\xff\x00"), "(no SIP message)");
    }

    #[test]
    fn a_record_counts_beyond_its_room() {
        let mut record = Record::new(1);
        let peer = "127.0.0.1:5060".parse().unwrap();
        record.sent(Moment(1), peer, b"BYE sip:a@b SIP/2.0\r\n\r\n", false);
        record.sent(Moment(2), peer, b"BYE sip:a@b SIP/2.0\r\n\r\n", true);
        record.received(Moment(3), peer, b"");
        assert_eq!((record.seen.len(), record.counts.sent, record.counts.retransmitted), (1, 2, 1));
        assert_eq!((record.counts.received, record.room()), (1, 1));
    }
}
