//! A received message, as far as a caller and a called party look at it: lines of interest, still in the datagram.

/// Lines of one header kept at most; further ones are not copied into an answer, which the far side then refuses.
const LINES_MAX: usize = 16;

/// Lines of one header, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines<'m> {
    lines: [&'m [u8]; LINES_MAX],
    used: usize,
}

impl<'m> Lines<'m> {
    fn push(&mut self, line: &'m [u8]) {
        if let Some(free) = self.lines.get_mut(self.used) {
            *free = line;
            self.used += 1;
        }
    }

    /// The lines, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[&'m [u8]] {
        &self.lines[..self.used]
    }
}

/// A message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received<'m> {
    /// Request or status line.
    pub start: &'m [u8],
    /// Values of Via.
    pub vias: Lines<'m>,
    /// Values of Record-Route.
    pub record_routes: Lines<'m>,
    /// From.
    pub from: &'m [u8],
    /// To.
    pub to: &'m [u8],
    /// Call-ID.
    pub call_id: &'m [u8],
    /// CSeq.
    pub cseq: &'m [u8],
    /// Contact, the first of them.
    pub contact: &'m [u8],
    /// Everything after the empty line.
    pub body: &'m [u8],
}

impl<'m> Received<'m> {
    /// Reads a datagram; none: no SIP message this generator could do anything with.
    #[must_use]
    pub fn read(datagram: &'m [u8]) -> Option<Self> {
        let mut message = Self::default();
        let (start, mut rest) = line_of(datagram)?;
        message.start = start;
        loop {
            let (line, after) = line_of(rest)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            let colon = line.iter().position(|byte| *byte == b':')?;
            message.take(line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        }
        message.body = rest;
        let all = [message.from, message.to, message.call_id, message.cseq];
        (!message.vias.as_slice().is_empty() && all.iter().all(|value| !value.is_empty())).then_some(message)
    }

    fn take(&mut self, name: &[u8], value: &'m [u8]) {
        let is = |long: &str, short: &str| {
            name.eq_ignore_ascii_case(long.as_bytes()) || name.eq_ignore_ascii_case(short.as_bytes())
        };
        // By the first letter: most headers are none of these.
        match name.first().map(u8::to_ascii_lowercase) {
            Some(b'v') if is("via", "v") => self.vias.push(value),
            Some(b'r') if is("record-route", "record-route") => self.record_routes.push(value),
            Some(b'f') if is("from", "f") => self.from = value,
            Some(b't') if is("to", "t") => self.to = value,
            Some(b'i') if is("i", "i") => self.call_id = value,
            Some(b'c') if is("call-id", "i") => self.call_id = value,
            Some(b'c') if is("cseq", "cseq") => self.cseq = value,
            Some(b'c' | b'm') if is("contact", "m") && self.contact.is_empty() => self.contact = value,
            _ => {}
        }
    }

    /// Status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        number(self.start.strip_prefix(b"SIP/2.0 ")?)
    }

    /// Method of a request, or of the request a response answers.
    #[must_use]
    pub fn method(&self) -> &'m [u8] {
        let blank = self.cseq.iter().position(|byte| *byte == b' ').unwrap_or(0);
        self.cseq[blank..].trim_ascii()
    }

    /// Number of the CSeq.
    #[must_use]
    pub fn sequence(&self) -> Option<u32> {
        number(self.cseq)
    }

    /// The number a Call-ID of the given run begins with.
    #[must_use]
    pub fn call_number(&self, run: u32) -> Option<usize> {
        let dash = self.call_id.iter().position(|byte| *byte == b'-')?;
        let of_run: u32 = number(&self.call_id[dash + 1..])?;
        (of_run == run).then(|| number(self.call_id)).flatten()
    }

    /// The tag of To, empty without one.
    #[must_use]
    pub fn far_tag(&self) -> &'m [u8] {
        let Some(at) = self.to.windows(5).position(|part| part == b";tag=") else { return b"" };
        let tag = &self.to[at + 5..];
        &tag[..tag.iter().position(|byte| *byte == b';').unwrap_or(tag.len())]
    }

    /// The URI of Contact.
    #[must_use]
    pub fn target(&self) -> &'m [u8] {
        let Some(begin) = self.contact.iter().position(|byte| *byte == b'<') else { return self.contact };
        let uri = &self.contact[begin + 1..];
        &uri[..uri.iter().position(|byte| *byte == b'>').unwrap_or(uri.len())]
    }

    /// Payload types of the first m-line, as text.
    #[must_use]
    pub fn payload_types(&self) -> Option<&'m [u8]> {
        let mut rest = self.body;
        while let Some((line, after)) = line_of(rest) {
            rest = after;
            if let Some(media) = line.strip_prefix(b"m=") {
                let types = media.windows(9).position(|part| part == b" RTP/AVP ")?;
                return Some(&media[types + 9..]);
            }
        }
        None
    }
}

/// A line without its end, and what follows it.
fn line_of(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = octets.iter().position(|byte| *byte == b'\n')?;
    let line = &octets[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &octets[end + 1..]))
}

/// The number a text begins with.
fn number<N: TryFrom<u64>>(text: &[u8]) -> Option<N> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(&text[..digits]).ok()?.parse::<u64>().ok()?;
    N::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 127.0.7.1;branch=z9\r\nVia: SIP/2.0/UDP 127.0.7.10\r\n\
        Record-Route: <sip:a;lr>, <sip:b;lr>\r\nrecord-route: <sip:c;lr>\r\nf: <sip:x>;tag=1\r\n\
        To: <sip:y>;tag=b7;x=1\r\nCall-ID: 12-34@127.0.7.10\r\nCSeq: 3 INVITE\r\nm: <sip:b7@127.0.7.20:5060>;x\r\n\
        Content-Length: 5\r\n\r\nv=0\r\nm=audio 4000 RTP/AVP 18 101\r\na=x\r\n";

    #[test]
    fn long_and_short_names_are_read_alike() {
        let message = Received::read(ANSWER).unwrap();
        assert_eq!(message.status(), Some(200));
        assert_eq!(message.vias.as_slice().len(), 2);
        assert_eq!(message.record_routes.as_slice(), [&b"<sip:a;lr>, <sip:b;lr>"[..], b"<sip:c;lr>"]);
        assert_eq!((message.method(), message.sequence()), (&b"INVITE"[..], Some(3)));
        assert_eq!((message.call_number(34), message.call_number(35)), (Some(12), None));
        assert_eq!((message.far_tag(), message.target()), (&b"b7"[..], &b"sip:b7@127.0.7.20:5060"[..]));
        assert_eq!(message.payload_types(), Some(&b"18 101"[..]));
    }

    #[test]
    fn what_is_cut_or_lacks_a_mandatory_header_is_not_read() {
        for end in 0..ANSWER.len() - 60 {
            let _ = Received::read(&ANSWER[..end]);
        }
        assert!(Received::read(&ANSWER[..80]).is_none());
        assert!(Received::read(b"INVITE sip:a SIP/2.0\r\nFrom: a\r\n\r\n").is_none());
    }
}
