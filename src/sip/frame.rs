//! Messages out of a stream (RFC 3261, section 18.3; keep-alive of RFC 5626, section 4.4.1).
//!
//! What two parsers could frame differently closes the connection: a neighbour that is fooled about one boundary is
//! fooled about every message behind it. Sizes are judged when the head is complete, before the body is waited for.

use super::malformed::Malformed;
use super::scan::{ContentLength, Head, Index, head};
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
    is_closed: bool,
}

impl Framer {
    /// A framer for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// The length of the message that `buffer` begins with, once its head is there.
    fn measure(&mut self, buffer: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(head_len) = self.head_len(buffer)? else {
            return if buffer.len() > HEAD_BYTES_MAX { Err(Malformed::HeadTooLarge) } else { Ok(None) };
        };
        if head_len > HEAD_BYTES_MAX {
            return Err(Malformed::HeadTooLarge);
        }
        let Head { start, start_why, why, content_length, .. } =
            head(buffer.get(..head_len).unwrap_or(buffer), &mut self.index);
        if let Some(why) = why {
            return Err(why);
        }
        if let (None, Some(why @ Malformed::StartLine { .. })) = (start, start_why) {
            return Err(why);
        }
        let stated = match content_length {
            ContentLength::Absent => return Err(Malformed::ContentLengthMissing),
            ContentLength::Bad => return Err(Malformed::ContentLengthConflict),
            ContentLength::Octets(stated) => usize::try_from(stated).map_err(|_| Malformed::MessageTooLarge)?,
        };
        match head_len.checked_add(stated) {
            Some(length) if length <= MESSAGE_BYTES_MAX => Ok(Some(length)),
            _ => Err(Malformed::MessageTooLarge),
        }
    }

    /// The length of the head, its empty line included, once it is there. Goes on where the last call stopped.
    fn head_len(&mut self, buffer: &[u8]) -> Result<Option<usize>, Malformed> {
        while let Some(line) = buffer.get(self.line_start..)
            && let Some(end) = memchr::memchr(b'\n', line)
        {
            if end.checked_sub(1).and_then(|before| line.get(before)) != Some(&b'\r') {
                return Err(Malformed::BareLf { at: u32::try_from(self.line_start + end).unwrap_or(u32::MAX) });
            }
            self.line_start += end + 1;
            if end == 1 {
                return Ok(Some(self.line_start));
            }
        }
        Ok(None)
    }

    fn refused(&mut self, why: Malformed, buffer: &mut BytesMut) -> Frame {
        self.is_closed = true;
        let status = match why {
            Malformed::HeadTooLarge | Malformed::TooManyHeaders | Malformed::LineTooLong { .. } => 513,
            Malformed::MessageTooLarge => 413,
            _ => 400,
        };
        let head = buffer.split_to(buffer.len().min(HEAD_BYTES_MAX)).freeze();
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
        while self.line_start == 0 && buffer.first() == Some(&b'\r') {
            if buffer.starts_with(b"\r\n\r\n") {
                let _ = buffer.split_to(4);
                return Ok(Some(Frame::Ping));
            }
            if b"\r\n\r\n".starts_with(buffer) {
                return Ok(None);
            }
            if !buffer.starts_with(b"\r\n") {
                return Ok(Some(self.refused(Malformed::BareCr { at: 0 }, buffer)));
            }
            // A single one answers a ping of ours, or ends a message whose sender miscounted nothing but that.
            let _ = buffer.split_to(2);
        }
        if self.message_len.is_none() {
            match self.measure(buffer) {
                Ok(length) => self.message_len = length,
                Err(why) => return Ok(Some(self.refused(why, buffer))),
            }
        }
        let Some(length) = self.message_len else { return Ok(None) };
        if buffer.len() < length {
            buffer.reserve(length - buffer.len());
            return Ok(None);
        }
        self.message_len = None;
        self.line_start = 0;
        Ok(Some(Frame::Message(buffer.split_to(length).freeze())))
    }
}
