//! The one message type: positions over the octets as they came.

use super::name::{Method, Name};
use crate::limits::{HEADERS_ADDED_MAX, HEADERS_MAX};

/// A stretch of a message, in octets from the first octet of its start line; `end` is the octet after the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First octet.
    pub start: u32,
    /// Octet after the last.
    pub end: u32,
}

impl Span {
    /// The span of these positions; positions within a message always fit.
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: narrow(start), end: narrow(end) }
    }

    /// The octets of the span; empty where `bytes` is not the message the span was made of.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or(&[])
    }

    /// What is left of the span behind its first octets.
    pub(super) fn behind(self, skipped: usize) -> Self {
        Self { start: self.start.saturating_add(narrow(skipped)), end: self.end }
    }

    /// So many octets of the span behind its first.
    pub(super) fn part(self, skipped: usize, len: usize) -> Self {
        let start = self.behind(skipped).start;
        Self { start, end: start.saturating_add(narrow(len)) }
    }

    /// Length in octets.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

pub(super) fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// One header field, its continuation lines included.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name as understood, long or compact.
    pub name: Name,
    /// The name as written.
    pub name_span: Span,
    /// The value without the white space around it; folds inside it are still there.
    pub value: Span,
    /// The whole field, line end included.
    pub line: Span,
}

impl Field {
    const NONE: Self = Self {
        name: Name::Other,
        name_span: Span { start: 0, end: 0 },
        value: Span { start: 0, end: 0 },
        line: Span { start: 0, end: 0 },
    };
}

/// Header fields of any message: more than a request may come with, since its answer and our own copy of it have more.
pub(super) const FIELDS_MAX: usize = HEADERS_MAX + HEADERS_ADDED_MAX;

/// Room for the fields of one message. Kept and reused: a new scan overwrites only what it needs.
#[derive(Debug)]
pub struct Index {
    pub(super) fields: [Field; FIELDS_MAX],
    pub(super) used: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Index {
    /// An empty index, about 5 kB.
    pub const fn new() -> Self {
        Self { fields: [Field::NONE; FIELDS_MAX], used: 0 }
    }
}

/// The start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A request line.
    Request {
        /// The method.
        method: Method,
        /// The method as written.
        token: Span,
        /// The Request-URI.
        uri: Span,
    },
    /// A status line.
    Response {
        /// 100 to 699.
        status: u16,
        /// The reason phrase, possibly empty, any octets (RFC 4475, `unreason`).
        reason: Span,
    },
}

/// A message: its octets and where its parts are. A view, as cheap to copy as a slice.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) fields: &'a [Field],
    pub(super) start: Start,
    pub(super) headers_start: u32,
    pub(super) head_end: u32,
    pub(super) trailing: u32,
    pub(super) has_start_line_space: bool,
    pub(super) has_more_content_types: bool,
}

impl<'a> Message<'a> {
    /// The octets of the message: first of the start line to last of the body. Every [`Span`] counts from here.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The start line.
    pub fn start(&self) -> Start {
        self.start
    }

    /// The method, of a request.
    pub fn method(&self) -> Option<Method> {
        match self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The status, of a response.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// The fields in the order they came.
    pub fn fields(&self) -> &'a [Field] {
        self.fields
    }

    /// The first field of this name, with its place among the fields.
    pub fn first(&self, name: Name) -> Option<(usize, &'a Field)> {
        self.fields.iter().enumerate().find(|(_, field)| field.name == name)
    }

    /// The fields of this name in order, each with its place among the fields.
    pub fn all(&self, name: Name) -> impl Iterator<Item = (usize, &'a Field)> + use<'a> {
        self.fields.iter().enumerate().filter(move |(_, field)| field.name == name)
    }

    /// The value of the first field of this name.
    pub fn value(&self, name: Name) -> Option<&'a [u8]> {
        self.first(name).map(|(_, field)| self.text(field.value))
    }

    /// The value of the first field spelled like this in any case; for headers [`Name`] does not know.
    pub fn value_spelled(&self, spelling: &str) -> Option<&'a [u8]> {
        self.fields
            .iter()
            .find(|field| self.text(field.name_span).eq_ignore_ascii_case(spelling.as_bytes()))
            .map(|field| self.text(field.value))
    }

    /// The octets of a span of this message.
    pub fn text(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes)
    }

    /// The span of a part that one of the readers gave back; `None` for octets that are not this message's.
    pub fn span_of(&self, part: &[u8]) -> Option<Span> {
        let start = (part.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize)?;
        let end = start.checked_add(part.len())?;
        (end <= self.bytes.len()).then(|| Span::new(start, end))
    }

    /// The body.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(self.head_end as usize..).unwrap_or(&[])
    }

    /// Octets of start line, headers and the empty line.
    pub fn head_end(&self) -> u32 {
        self.head_end
    }

    /// Where the first header line begins.
    pub(crate) fn headers_start(&self) -> u32 {
        self.headers_start
    }

    /// Where the empty line that ends the headers begins.
    pub(super) fn headers_end(&self) -> u32 {
        self.fields.last().map_or(self.headers_start, |field| field.line.end)
    }

    /// Octets that followed the message in its datagram and do not belong to it (RFC 4475, `dblreq`).
    pub fn trailing(&self) -> u32 {
        self.trailing
    }

    /// Whether white space follows the version in the request line (RFC 4475, `trws`).
    pub fn has_start_line_space(&self) -> bool {
        self.has_start_line_space
    }
}
