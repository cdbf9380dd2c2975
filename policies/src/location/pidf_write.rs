//! PIDF-LO, a place to octets: one device with one civic address of RFC 5139, as RFC 5491 and RFC 6442 want it.

use super::pidf::{is_xml, namespace as ns};
use super::{Field, Geolocation};
use crate::moment::Civil;

/// What a document is written from. Equal values give equal octets.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// The place.
    pub location: &'a Geolocation,
    /// Whose presence it is, a URI (RFC 3863 section 4.1.1), in pieces that stand one after the other.
    pub entity: &'a [&'a str],
    /// Name of the phone; `urn:emcc:device:` is put before it.
    pub device: &'a str,
    /// When it was there; the document may be kept for a day from then (G-13).
    pub at: Civil,
    /// Whether who gets it may pass it on (RFC 4119 section 2.2.2).
    pub may_be_passed_on: bool,
}

/// Seconds a location may be kept (G-13).
const RETENTION_S: i64 = 86_400;
/// First second of the year 10000: dates have four digits.
const YEAR_10000_S: i64 = 253_402_300_800;

/// The elements of RFC 5139 in the order of its schema, and what they are written from. The street stands in RD.
const ELEMENTS: [(Field, &str); super::FIELDS] = [
    (Field::Country, "country"),
    (Field::A1, "A1"),
    (Field::A2, "A2"),
    (Field::A3, "A3"),
    (Field::A4, "A4"),
    (Field::A5, "A5"),
    (Field::Prd, "PRD"),
    (Field::A6, "RD"),
    (Field::Sts, "STS"),
    (Field::Pod, "POD"),
    (Field::Hno, "HNO"),
    (Field::Hns, "HNS"),
    (Field::Lmk, "LMK"),
    (Field::Loc, "LOC"),
    (Field::Flr, "FLR"),
    (Field::Nam, "NAM"),
    (Field::Pc, "PC"),
];

/// Writes a document behind what `out` holds. A character that XML has no place for is left out.
pub fn write(writing: &Writing<'_>, out: &mut Vec<u8>) {
    let put =
        |out: &mut Vec<u8>, pieces: &[&str]| pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
    put(out, &["<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence xmlns=\"", ns::PRESENCE]);
    put(out, &["\" xmlns:dm=\"", ns::DATA_MODEL, "\" xmlns:gp=\"", ns::GEOPRIV, "\" xmlns:gbp=\"", ns::BASIC_POLICY]);
    put(out, &["\" xmlns:cl=\"", ns::CIVIC_5139, "\" entity=\""]);
    writing.entity.iter().for_each(|part| escape(part, out));
    put(out, &["\">\r\n<dm:device id=\"phone\"><gp:geopriv><gp:location-info><cl:civicAddress>"]);
    for (field, name) in ELEMENTS {
        if let Some(value) = writing.location.get(field) {
            put(out, &["<cl:", name, ">"]);
            escape(value, out);
            put(out, &["</cl:", name, ">"]);
        }
    }
    put(out, &["</cl:civicAddress></gp:location-info><gp:usage-rules><gbp:retransmission-allowed>"]);
    put(out, &[if writing.may_be_passed_on { "yes" } else { "no" }]);
    put(out, &["</gbp:retransmission-allowed><gbp:retention-expiry>"]);
    push_time(writing.at.0.saturating_add(RETENTION_S), out);
    put(out, &["</gbp:retention-expiry></gp:usage-rules><gp:method>Manual</gp:method></gp:geopriv>"]);
    put(out, &["<dm:deviceID>urn:emcc:device:"]);
    escape(writing.device, out);
    put(out, &["</dm:deviceID><dm:timestamp>"]);
    push_time(writing.at.0, out);
    put(out, &["</dm:timestamp></dm:device></presence>\r\n"]);
}

/// Text as it stands in an element or between quotes. Line ends are written as references, so that no reader folds them.
fn escape(text: &str, out: &mut Vec<u8>) {
    // Most texts have nothing to escape, and every octet is looked at, which a processor does many at a time.
    let is_plain = text.bytes().fold(true, |is_plain, octet| {
        is_plain & matches!(octet, b' '..=b'~') & !matches!(octet, b'&' | b'<' | b'>' | b'"' | b'\'')
    });
    if is_plain {
        return out.extend_from_slice(text.as_bytes());
    }
    let mut octets = [0; 4];
    for letter in text.chars() {
        let reference: &[u8] = match letter {
            '&' => b"&amp;",
            '<' => b"&lt;",
            '>' => b"&gt;",
            '"' => b"&quot;",
            '\'' => b"&apos;",
            '\t' => b"&#9;",
            '\n' => b"&#10;",
            '\r' => b"&#13;",
            letter if is_xml(letter) => letter.encode_utf8(&mut octets).as_bytes(),
            _ => b"",
        };
        out.extend_from_slice(reference);
    }
}

/// A date and time in UTC (RFC 3339), from 1970 to 9999.
fn push_time(unix_s: i64, out: &mut Vec<u8>) {
    let unix_s = unix_s.clamp(0, YEAR_10000_S - 1);
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = date(days);
    let parts = [
        (year, 4, "-"),
        (month, 2, "-"),
        (day, 2, "T"),
        (second / 3_600, 2, ":"),
        (second / 60 % 60, 2, ":"),
        (second % 60, 2, "Z"),
    ];
    for (number, digits, after) in parts {
        for place in (0..digits).rev() {
            let digit = number.checked_div(10_i64.pow(place)).unwrap_or_default() % 10;
            out.push(b'0' | u8::try_from(digit).unwrap_or_default());
        }
        out.extend_from_slice(after.as_bytes());
    }
}

/// Year, month and day of a day since 1970, counted in years that begin in March, so that a leap day ends one.
#[expect(clippy::arithmetic_side_effects, reason = "days end with the year 9999, and no number here passes 2^32")]
fn date(days: i64) -> (i64, i64, i64) {
    /// Days from 1 March of the year 0 to 1970.
    const TO_1970: i64 = 719_468;
    /// Days of 400 years, 100 years and 4 years.
    const DAYS_400: i64 = 146_097;
    const DAYS_100: i64 = 36_524;
    const DAYS_4: i64 = 1_461;
    let days = days + TO_1970;
    let (era, day) = (days / DAYS_400, days % DAYS_400);
    let year = (day - day / (DAYS_4 - 1) + day / DAYS_100 - day / (DAYS_400 - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day_of_month)
}
