//! Every bound of the engine, each with its own name. A queue, a table or a loop without one is a bug.

/// Longest SIP message accepted, in octets, start line to the last octet of the body.
pub const MESSAGE_BYTES_MAX: usize = 262_144;

/// Longest head (start line, headers and the empty line) accepted, in octets. Above it: 513.
pub const HEAD_BYTES_MAX: usize = 65_536;

/// Header fields in one message; a folded field counts once.
pub const HEADERS_MAX: usize = 128;

/// Longest start line or header field in octets, its folded continuation lines included.
pub const LINE_BYTES_MAX: usize = 8_192;

/// Via values in one message. RFC 4475's legal `longreq` carries 34, so the usual 32 would refuse it.
pub const VIA_VALUES_MAX: usize = 64;

/// Values of Route, and of Record-Route, in one message.
pub const ROUTE_VALUES_MAX: usize = 64;

/// Contact values in one message.
pub const CONTACT_VALUES_MAX: usize = 64;

/// Empty lines (CRLF) skipped before a start line in one datagram (RFC 3261, section 7.5).
pub const LEADING_CRLF_MAX: usize = 16;

/// Changes recorded against one message before the editor's list moves to the heap.
pub const SPLICES_INLINE: usize = 16;

/// Max-Forwards of a request this node makes itself (RFC 3261, section 8.1.1.6).
pub const MAX_FORWARDS_FIRST: u8 = 70;

/// Positions in a message are stored as `u32`, so a message must never outgrow them.
const _: () = assert!(MESSAGE_BYTES_MAX <= u32::MAX as usize);
const _: () = assert!(HEAD_BYTES_MAX <= MESSAGE_BYTES_MAX && LINE_BYTES_MAX <= HEAD_BYTES_MAX);
