//! Messages out of a stream (RFC 3261, section 18.3; keep-alive of RFC 5626, section 4.4.1).
//!
//! What two parsers could frame differently closes the connection: a neighbour that is fooled about one boundary is
//! fooled about every message behind it. Sizes are judged when the head is complete, before the body is waited for.

use super::malformed::Malformed;
use super::message::{Index, narrow};
use super::name::Name;
use super::scan::{ContentLength, Head, head};
use crate::limits::{HEAD_BYTES_MAX, MESSAGE_BYTES_MAX};
use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder;

/// What a stream yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One message, start line to the last octet of its body. It may still be malformed in ways that do not touch
    /// framing; [`super::scan()`] tells.
    Message(Bytes),
    /// A keep-alive; to be answered with one CRLF.
    Ping,
    /// The stream can no longer be trusted: answer, where `head` is a request with a Via, and close.
    Refused {
        /// What was wrong.
        why: Malformed,
        /// The status to answer with: 400, 413 or 513.
        status: u16,
        /// What came of the message; scanning it gives the fields of the answer.
        head: Bytes,
    },
}

/// Cuts one connection's octets into frames. After [`Frame::Refused`] it yields nothing more.
#[derive(Debug, Default)]
pub struct Framer {
    index: Box<Index>,
    /// Where the first line without an end begins.
    line_start: usize,
    /// Length of the message whose head is complete.
    message_len: Option<usize>,
    /// The first line of the head that ends in LF alone.
    bare_lf: Option<Malformed>,
    /// Whether the message whose head is complete announces a body.
    has_body_type: bool,
    /// Whether the last message announced a body and ended without one, or in the middle of a line of it.
    is_cut: bool,
    cut_bodies: u64,
    is_closed: bool,
}

impl Framer {
    /// A framer for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often, since it was asked last, a message was followed by octets that its own Content-Length leaves out of
    /// a body it announced: legal framing, and the way a request is hidden behind another.
    pub fn take_cut_bodies(&mut self) -> u64 {
        std::mem::take(&mut self.cut_bodies)
    }

    /// The length of the message that `buffer` begins with, once its head is there. On a mistake, how much of `buffer`
    /// is the head an answer is made from: it ends where it would whatever came together with it.
    fn measure(&mut self, buffer: &[u8]) -> Result<Option<usize>, (Malformed, usize)> {
        let Some(head_len) = self.head_len(buffer) else {
            let is_full = buffer.len() >= HEAD_BYTES_MAX;
            return if is_full { Err((Malformed::HeadTooLarge, HEAD_BYTES_MAX)) } else { Ok(None) };
        };
        let octets = buffer.get(..head_len).unwrap_or(buffer);
        let Head { start_why, why, content_length, .. } = head(octets, &mut self.index);
        let start_why = start_why.filter(|why| matches!(why, Malformed::StartLine { .. }));
        if let Some(why) = self.bare_lf.take().or(why).or(start_why) {
            return Err((why, head_len));
        }
        let stated = match content_length {
            ContentLength::Absent => return Err((Malformed::ContentLengthMissing, head_len)),
            ContentLength::Bad => return Err((Malformed::ContentLengthConflict, head_len)),
            ContentLength::Octets(stated) => usize::try_from(stated).unwrap_or(usize::MAX),
        };
        self.has_body_type = self.index.fields.iter().take(self.index.used).any(|f| f.name == Name::ContentType);
        match head_len.checked_add(stated) {
            Some(length) if length <= MESSAGE_BYTES_MAX => Ok(Some(length)),
            _ => Err((Malformed::MessageTooLarge, head_len)),
        }
    }

    /// The length of the head, its empty line included, once it is there. Goes on where the last call stopped, and on
    /// after a line that ends in LF alone, so that the refusal finds the headers it must copy.
    fn head_len(&mut self, buffer: &[u8]) -> Option<usize> {
        let window = buffer.get(..HEAD_BYTES_MAX).unwrap_or(buffer);
        while let Some(line) = window.get(self.line_start..)
            && let Some(end) = memchr::memchr(b'\n', line)
        {
            let has_cr = end.checked_sub(1).and_then(|before| line.get(before)) == Some(&b'\r');
            if !has_cr {
                let at = narrow(self.line_start.saturating_add(end));
                self.bare_lf.get_or_insert(Malformed::BareLf { at });
            }
            self.line_start = self.line_start.saturating_add(end).saturating_add(1);
            if end == usize::from(has_cr) {
                return Some(self.line_start);
            }
        }
        None
    }

    /// What the end of a stream leaves unfinished: a refusal where a message had begun.
    pub fn finish(&mut self, buffer: &mut BytesMut) -> Option<Frame> {
        if self.is_closed || buffer.iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
            return None;
        }
        let Some(length) = self.message_len else {
            return Some(self.refused(Malformed::HeadUnfinished, buffer.len(), buffer));
        };
        let head_len = self.line_start;
        let have = u32::try_from(buffer.len().saturating_sub(head_len)).unwrap_or(u32::MAX);
        let stated = length.saturating_sub(head_len) as u64;
        Some(self.refused(Malformed::BodyTooShort { stated, have }, head_len, buffer))
    }

    fn refused(&mut self, why: Malformed, head_len: usize, buffer: &mut BytesMut) -> Frame {
        self.is_closed = true;
        let status = match why {
            Malformed::HeadTooLarge | Malformed::TooManyHeaders | Malformed::LineTooLong { .. } => 513,
            Malformed::MessageTooLarge => 413,
            _ => 400,
        };
        let head = buffer.split_to(buffer.len().min(head_len)).freeze();
        buffer.clear();
        Frame::Refused { why, status, head }
    }
}

impl Decoder for Framer {
    type Item = Frame;
    type Error = std::io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, std::io::Error> {
        if self.is_closed {
            buffer.clear();
            return Ok(None);
        }
        if self.is_cut && !buffer.is_empty() {
            self.is_cut = false;
            let is_inside = !matches!(buffer.first(), Some(b'\r' | b'\n'));
            self.cut_bodies = self.cut_bodies.saturating_add(u64::from(is_inside));
        }
        while self.line_start == 0 && buffer.first() == Some(&b'\r') {
            if buffer.starts_with(b"\r\n\r\n") {
                let _ = buffer.split_to(4);
                return Ok(Some(Frame::Ping));
            }
            if b"\r\n\r\n".starts_with(buffer) {
                return Ok(None);
            }
            if !buffer.starts_with(b"\r\n") {
                break;
            }
            // A single one answers a ping of ours, or ends a message whose sender miscounted nothing but that.
            let _ = buffer.split_to(2);
        }
        if self.message_len.is_none() {
            match self.measure(buffer) {
                Ok(length) => self.message_len = length,
                Err((why, head_len)) => return Ok(Some(self.refused(why, head_len, buffer))),
            }
        }
        let Some(length) = self.message_len else { return Ok(None) };
        if buffer.len() < length {
            return Ok(None);
        }
        self.message_len = None;
        self.line_start = 0;
        let message = buffer.split_to(length).freeze();
        self.is_cut = self.has_body_type && (!message.ends_with(b"\n") || message.ends_with(b"\r\n\r\n"));
        Ok(Some(Frame::Message(message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream yields: the message as text, `ping`, or the status of a refusal.
    fn frames(stream: &[u8], step: usize) -> Vec<String> {
        let (mut framer, mut buffer, mut out) = (Framer::new(), BytesMut::new(), Vec::new());
        for part in stream.chunks(step) {
            buffer.extend_from_slice(part);
            while let Some(frame) = framer.decode(&mut buffer).unwrap() {
                out.push(match frame {
                    Frame::Message(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                    Frame::Ping => "ping".to_owned(),
                    Frame::Refused { status, .. } => status.to_string(),
                });
            }
        }
        out
    }

    fn request(lines: &str, body: &str) -> String {
        format!("OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n{lines}\r\n{body}")
    }

    #[test]
    fn boundaries_do_not_depend_on_how_the_octets_arrive() {
        let one = request("Content-Length: 3\r\n", "abc");
        let two = request("l :\r\n 0\r\n", "");
        let stream = format!("{one}\r\n\r\n\r\n{two}\r\n\r\n{one}");
        let want = vec![one.clone(), "ping".to_owned(), two, "ping".to_owned(), one];
        for step in [1, 2, 3, 7, 64, 100_000] {
            assert_eq!(frames(stream.as_bytes(), step), want, "{step} octets at a time");
        }
    }

    #[test]
    fn a_length_that_two_parsers_could_read_differently_closes() {
        let hidden = request("Content-Length: 0\r\n", "");
        for (lines, status) in [
            ("Content-Length: 0\r\nContent-Length: 500\r\n", "400"),
            ("Content-Length: 500\r\nl: 0\r\n", "400"),
            ("Content-Length: -1\r\n", "400"),
            ("Content-Length: +0\r\n", "400"),
            ("Content-Length: 0x0\r\n", "400"),
            ("Content-Length: 0 500\r\n", "400"),
            ("Content-Length: 0, 0\r\n", "400"),
            ("Content-Length:\r\n", "400"),
            ("", "400"),
            ("Content-Length: 4294967296\r\n", "413"),
            ("Content-Length: 18446744073709551616\r\n", "413"),
            ("Content-Length: 4000000000\r\n", "413"),
            ("Content-Length: 0\nX: 1\r\n", "400"),
            ("Content-Length: 0\rX: 1\r\n", "400"),
            ("Content-Length\x0b: 5\r\nContent-Length: 0\r\n", "400"),
            (" Content-Length: 0\r\n", "400"),
        ] {
            let stream = request(lines, "") + &hidden;
            assert_eq!(frames(stream.as_bytes(), 100_000), [status], "{lines:?}");
        }
    }

    #[test]
    fn equal_lengths_and_folds_are_legal() {
        for lines in ["Content-Length: 0\r\nl: 00\r\n", "Content-Length:\r\n\t0\r\n", "CONTENT-LENGTH : 0\r\n"] {
            let stream = request(lines, "");
            assert_eq!(frames(stream.as_bytes(), 5), std::slice::from_ref(&stream));
        }
    }

    #[test]
    fn a_body_that_looks_like_a_request_stays_a_body() {
        let inner = request("Content-Length: 0\r\n", "");
        let outer = request(&format!("Content-Length: {}\r\n", inner.len()), &inner);
        assert_eq!(frames(outer.as_bytes(), 9), std::slice::from_ref(&outer));
    }

    #[test]
    fn sizes_are_judged_before_the_body_is_waited_for() {
        let filler = "X: ".to_owned() + &"y".repeat(8_000) + "\r\n";
        let cases = [
            (request(&filler.repeat(9), ""), "513"),
            (request(&format!("X: {}", "y".repeat(70_000)), ""), "513"),
            (request(&"X: y\r\n".repeat(200), ""), "513"),
            (request(&format!("X: {}\r\nl: 0\r\n", "y".repeat(9_000)), ""), "513"),
            (request(&format!("Content-Length: {MESSAGE_BYTES_MAX}\r\n"), ""), "413"),
        ];
        for (stream, status) in cases {
            assert_eq!(frames(stream.as_bytes(), 1_460), [status]);
        }
        let head = request("Content-Length: 0\r\n", "").len() + 5;
        let body = "z".repeat(MESSAGE_BYTES_MAX - head);
        let largest = request(&format!("Content-Length: {}\r\n", body.len()), &body);
        assert_eq!(largest.len(), MESSAGE_BYTES_MAX);
        assert_eq!(frames(largest.as_bytes(), 1_460), std::slice::from_ref(&largest));
    }

    #[test]
    fn what_is_not_sip_closes_and_what_is_bad_sip_goes_up() {
        assert_eq!(frames(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 100), ["400"]);
        assert_eq!(frames(b"\n\n", 1), ["400"]);
        let bad = "OPTIONS sip:a b SIP/2.0\r\nl: 0\r\n\r\n";
        assert_eq!(frames(bad.as_bytes(), 100), [bad]);
    }

    #[test]
    fn a_refusal_is_made_of_the_head_alone_however_it_came() {
        let bad = "OPTIONS sip:h SIP/2.0\nVia: SIP/2.0/TCP h\nl: 0\n\n";
        let long = format!("OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nX: {}", "y".repeat(HEAD_BYTES_MAX));
        let bare_after_the_limit = long.clone() + "\n\r\n";
        for (head, rest, want) in [
            (bad, "OPTIONS ", Malformed::BareLf { at: 21 }),
            ("\rX: y\r\n\r\n", "Z", Malformed::BareCr { at: 0 }),
            (long.get(..HEAD_BYTES_MAX).unwrap(), "y", Malformed::HeadTooLarge),
            (bare_after_the_limit.get(..HEAD_BYTES_MAX).unwrap(), "y\n\r\n", Malformed::HeadTooLarge),
        ] {
            for step in [1, 3, 100_000] {
                let (mut framer, mut buffer, mut found) = (Framer::new(), BytesMut::new(), None);
                for part in [head, rest].concat().as_bytes().chunks(step) {
                    buffer.extend_from_slice(part);
                    found = found.or(framer.decode(&mut buffer).unwrap());
                }
                let Some(Frame::Refused { why, head: told, .. }) = found else { panic!("{want:?}: {found:?}") };
                assert_eq!((why, told.len()), (want, head.len()), "{step} octets at a time");
                assert_eq!(told, head.as_bytes());
            }
        }
    }

    #[test]
    fn a_message_the_stream_ends_in_is_refused() {
        let whole = request("l: 5\r\n", "abcde");
        let head_len = whole.len() - 5;
        for (cut, want) in [
            (0, None),
            (whole.len(), None),
            (10, Some((Malformed::HeadUnfinished, 10))),
            (head_len - 1, Some((Malformed::HeadUnfinished, head_len - 1))),
            (head_len, Some((Malformed::BodyTooShort { stated: 5, have: 0 }, head_len))),
            (whole.len() - 1, Some((Malformed::BodyTooShort { stated: 5, have: 4 }, head_len))),
        ] {
            let (mut framer, mut buffer) = (Framer::new(), BytesMut::from(&whole.as_bytes()[..cut]));
            while framer.decode(&mut buffer).unwrap().is_some() {}
            let left = framer.finish(&mut buffer).map(|frame| match frame {
                Frame::Refused { why, status: 400, head } => (why, head.len()),
                other => panic!("{cut}: {other:?}"),
            });
            assert_eq!(left, want, "{cut}");
            assert!(framer.finish(&mut buffer).is_none(), "told once");
        }
        let mut ping = BytesMut::from("\r\n");
        assert_eq!(Framer::new().finish(&mut ping), None);
    }

    #[test]
    fn what_follows_a_body_cut_short_is_counted() {
        let body = "Content-Type: application/sdp\r\n";
        let whole = request(&format!("{body}l: 5\r\n"), "v=0\r\n");
        let cut = request(&format!("{body}l: 3\r\n"), "v=0");
        let none = request(&format!("{body}l: 0\r\n"), "");
        let plain = request("l: 0\r\n", "");
        for (first, count) in [(&whole, 0), (&cut, 1), (&none, 1), (&plain, 0)] {
            for (between, counts) in [("", count), ("\r\n", 0)] {
                for step in [1, 100_000] {
                    let (mut framer, mut buffer, mut messages) = (Framer::new(), BytesMut::new(), 0);
                    for part in [first, between, &plain].concat().as_bytes().chunks(step) {
                        buffer.extend_from_slice(part);
                        while let Some(frame) = framer.decode(&mut buffer).unwrap() {
                            messages += usize::from(matches!(frame, Frame::Message(_)));
                        }
                    }
                    assert_eq!((messages, framer.take_cut_bodies()), (2, counts), "{first:?} {step}");
                    assert_eq!(framer.take_cut_bodies(), 0);
                }
            }
        }
    }

    #[test]
    fn a_refusal_carries_what_an_answer_needs_and_ends_the_stream() {
        let (mut framer, mut buffer) = (Framer::new(), BytesMut::from(request("", "").as_bytes()));
        let Some(Frame::Refused { why, head, .. }) = framer.decode(&mut buffer).unwrap() else { panic!("accepted") };
        assert_eq!(why, Malformed::ContentLengthMissing);
        assert!(head.starts_with(b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n"));
        buffer.extend_from_slice(request("Content-Length: 0\r\n", "").as_bytes());
        assert_eq!(framer.decode(&mut buffer).unwrap(), None);
        assert!(buffer.is_empty());
    }
}
