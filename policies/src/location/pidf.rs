//! A location as it travels: PIDF-LO (RFC 4119, RFC 5139, RFC 5491), octets to a [`Geolocation`] and back.
//!
//! What the reader takes beyond the RFCs (G-14): white space around a namespace, `geopriv` wherever in a device, tuple or
//! person it stands, fields of RFC 4119 and RFC 5139 under either namespace. What it refuses: a DTD, an entity nobody
//! declared, and whatever is larger than the bounds below.

use super::Geolocation;

pub use super::pidf_read::read;
pub use super::pidf_write::{Writing, write};

/// Octets of a document that is read or written.
pub const PIDF_BYTES_MAX: usize = 65_536;

/// Elements within each other.
pub const XML_DEPTH_MAX: usize = 32;

/// Attributes of one element, and namespaces in force at one place: both are looked through for each name.
pub const XML_NAMES_MAX: usize = 64;

/// What a document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conveyed {
    /// The place; never blank.
    pub location: Geolocation,
    /// Whether it is the place of a border device, a gateway or a trunk, and not of a phone; none: not said (G-13).
    pub is_gateway: Option<bool>,
}

/// Why octets are no location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidfError {
    /// Byte offset near which it shows.
    pub at: usize,
    /// What is wrong.
    pub what: PidfWrong,
}

/// What can be wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PidfWrong {
    /// More octets than [`PIDF_BYTES_MAX`].
    TooLong,
    /// Not UTF-8, or a character that XML 1.0 has no place for.
    NotText,
    /// A DTD: nothing of it is ever read.
    DocType,
    /// A reference to an entity that XML itself does not have.
    UnknownEntity,
    /// Elements deeper than [`XML_DEPTH_MAX`].
    TooDeep,
    /// More attributes or namespaces than [`XML_NAMES_MAX`].
    TooManyNames,
    /// A prefix without a namespace.
    UndeclaredPrefix,
    /// Not well-formed XML.
    NotXml,
    /// The document is no `presence` of RFC 3863.
    NotPresence,
    /// Well-formed, and no civic address with a field we know: a point on the globe, or nothing.
    NoCivicAddress,
}

/// The namespaces that matter.
pub(super) mod namespace {
    /// RFC 3863.
    pub(in super::super) const PRESENCE: &str = "urn:ietf:params:xml:ns:pidf";
    /// RFC 4479.
    pub(in super::super) const DATA_MODEL: &str = "urn:ietf:params:xml:ns:pidf:data-model";
    /// RFC 4119.
    pub(in super::super) const GEOPRIV: &str = "urn:ietf:params:xml:ns:pidf:geopriv10";
    /// RFC 4119, `usage-rules`.
    pub(in super::super) const BASIC_POLICY: &str = "urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy";
    /// RFC 4119, section 2.2.1.
    pub(in super::super) const CIVIC_4119: &str = "urn:ietf:params:xml:ns:pidf:geopriv10:civicLoc";
    /// RFC 5139.
    pub(in super::super) const CIVIC_5139: &str = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr";
    /// RFC 5196.
    pub(in super::super) const CAPABILITIES: &str = "urn:ietf:params:xml:ns:pidf:caps";
}

/// Whether XML 1.0 has a place for a character (its production 2).
pub(super) fn is_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
