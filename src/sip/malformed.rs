//! What was wrong with a message somebody sent: facts, and the reason phrase they are told.

use super::name::Name;

/// Why a message is not well formed. Positions (`at`) are octets from the first octet of the start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Nothing but line ends.
    Empty,
    /// The first line is neither a request line nor a status line.
    StartLine {
        /// Where the line stops being one.
        at: u32,
    },
    /// The request line names a protocol version other than SIP/2.0; told with 505.
    Version,
    /// White space inside the Request-URI, or more than one space around it.
    RequestUriSpace,
    /// White space between the version and the line end.
    StartLineEnd,
    /// The Request-URI stands in angle brackets.
    RequestUriBrackets,
    /// The Request-URI carries header fields (`?Route=`), which must never be acted on.
    RequestUriHeaders,
    /// The Request-URI does not follow its scheme's syntax.
    RequestUri,
    /// The status code is not three digits from 100 to 699.
    StatusCode,
    /// A line ends in LF without CR.
    BareLf {
        /// Position of the LF.
        at: u32,
    },
    /// A CR that no LF follows.
    BareCr {
        /// Position of the CR.
        at: u32,
    },
    /// A header line without a colon, or with something that is no token before it.
    HeaderLine {
        /// Where the line begins.
        at: u32,
    },
    /// No empty line ends the headers.
    HeadUnfinished,
    /// The head is longer than [`crate::limits::HEAD_BYTES_MAX`]; told with 513.
    HeadTooLarge,
    /// More header fields than [`crate::limits::HEADERS_MAX`] in a request, or than an answer to one may have; told with 513.
    TooManyHeaders,
    /// One field is longer than [`crate::limits::LINE_BYTES_MAX`]; told with 513.
    LineTooLong {
        /// Where the line begins.
        at: u32,
    },
    /// The message is longer than [`crate::limits::MESSAGE_BYTES_MAX`]; told with 413.
    MessageTooLarge,
    /// A Content-Length that is no number.
    ContentLength {
        /// Where its value begins.
        at: u32,
    },
    /// Two Content-Length headers that differ.
    ContentLengthConflict,
    /// A stream message without Content-Length (RFC 3261, section 18.3).
    ContentLengthMissing,
    /// Content-Length says more than the datagram holds.
    BodyTooShort {
        /// Octets the header promised.
        stated: u64,
        /// Octets that came.
        have: u32,
    },
    /// A mandatory header is absent.
    Missing(Name),
    /// A header that may stand once stands more often.
    Twice(Name),
    /// More comma-separated values than the limit of this header.
    TooManyValues(Name),
    /// The value of this header does not follow its syntax.
    Value(Name),
    /// CSeq's number is not within 32 bits.
    CSeqNumber,
    /// CSeq names another method than the request line.
    CSeqMethod,
    /// Max-Forwards is not within 0 to 255.
    MaxForwards,
    /// A URI, wherever it stands, that does not follow its scheme's syntax.
    Uri,
    /// A percent sign that two hexadecimal digits do not follow.
    Escape,
}

impl Malformed {
    /// The reason phrase of the response that refuses the message.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "Empty message",
            Self::StartLine { .. } => "Malformed start line",
            Self::Version => "Version Not Supported",
            Self::RequestUriSpace => "White space in the Request-URI",
            Self::StartLineEnd => "White space at the end of the request line",
            Self::RequestUriBrackets => "Request-URI in angle brackets",
            Self::RequestUriHeaders => "Header fields in the Request-URI",
            Self::RequestUri => "Malformed Request-URI",
            Self::StatusCode => "Malformed status code",
            Self::BareLf { .. } => "Line end without CR",
            Self::BareCr { .. } => "CR without LF",
            Self::HeaderLine { .. } => "Malformed header line",
            Self::HeadUnfinished => "No empty line after the headers",
            Self::HeadTooLarge => "Headers too large",
            Self::TooManyHeaders => "Too many headers",
            Self::LineTooLong { .. } => "Header line too long",
            Self::MessageTooLarge => "Message too large",
            Self::ContentLength { .. } => "Malformed Content-Length",
            Self::ContentLengthConflict => "Content-Length headers that differ",
            Self::ContentLengthMissing => "Missing Content-Length",
            Self::BodyTooShort { .. } => "Content-Length larger than the datagram",
            Self::Missing(name) => missing(*name),
            Self::Twice(name) => twice(*name),
            Self::TooManyValues(name) => match name {
                Name::Via => "Too many Via values",
                Name::Route => "Too many Route values",
                Name::RecordRoute => "Too many Record-Route values",
                Name::Contact => "Too many Contact values",
                _ => "Too many values of a header",
            },
            Self::Value(name) => value(*name),
            Self::CSeqNumber => "CSeq number out of range",
            Self::CSeqMethod => "CSeq method does not match the request",
            Self::MaxForwards => "Max-Forwards out of range",
            Self::Uri => "Malformed URI",
            Self::Escape => "Malformed percent escape",
        }
    }
}

fn missing(name: Name) -> &'static str {
    match name {
        Name::Via => "Missing Via",
        Name::From => "Missing From",
        Name::To => "Missing To",
        Name::CallId => "Missing Call-ID",
        Name::CSeq => "Missing CSeq",
        _ => "Missing mandatory header",
    }
}

fn twice(name: Name) -> &'static str {
    match name {
        Name::From => "Two From headers",
        Name::To => "Two To headers",
        Name::CallId => "Two Call-ID headers",
        Name::CSeq => "Two CSeq headers",
        Name::MaxForwards => "Two Max-Forwards headers",
        Name::ContentType => "Content-Type headers that differ",
        _ => "Header repeated that may stand once",
    }
}

fn value(name: Name) -> &'static str {
    match name {
        Name::Via => "Malformed Via",
        Name::From => "Malformed From",
        Name::To => "Malformed To",
        Name::CallId => "Malformed Call-ID",
        Name::CSeq => "Malformed CSeq",
        Name::Contact => "Malformed Contact",
        Name::Route => "Malformed Route",
        Name::RecordRoute => "Malformed Record-Route",
        Name::Date => "Malformed Date",
        Name::RAck => "Malformed RAck",
        Name::PAssertedIdentity => "Malformed P-Asserted-Identity",
        Name::CallInfo => "Malformed Call-Info",
        Name::ContentType => "Malformed Content-Type",
        _ => "Malformed header value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_line_of_plain_text() {
        let all = [
            Malformed::Empty,
            Malformed::BodyTooShort { stated: 9, have: 1 },
            Malformed::Missing(Name::CSeq),
            Malformed::Missing(Name::Date),
            Malformed::Twice(Name::From),
            Malformed::Twice(Name::Date),
            Malformed::Value(Name::Via),
            Malformed::Value(Name::Other),
            Malformed::TooManyValues(Name::Route),
        ];
        for why in all {
            let reason = why.reason();
            assert!(!reason.is_empty() && reason.bytes().all(|b| (0x20..0x7f).contains(&b)), "{why:?}: {reason}");
        }
    }

    #[test]
    fn a_reason_names_the_header_at_fault() {
        assert_eq!(Malformed::Missing(Name::CSeq).reason(), "Missing CSeq");
        assert_eq!(Malformed::Twice(Name::From).reason(), "Two From headers");
        assert_eq!(Malformed::BodyTooShort { stated: 9, have: 1 }.reason(), "Content-Length larger than the datagram");
    }
}
