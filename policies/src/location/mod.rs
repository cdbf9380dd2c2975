//! Civic locations: the 17 fields, whose location counts, and how they travel.
// They come as XML from outside: no index, no sum and no cast that its octets could make go wrong.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used
    )
)]

pub mod pidf;
mod pidf_read;
mod pidf_write;

use std::borrow::Cow;
use std::fmt;

/// One of the 17 fields of a geolocation, in canonical order (G-1, RFC 4119 section 2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the RFC's own; Field::ALL and the table of RFC 4119 say what they hold")]
pub enum Field {
    Country,
    A1,
    A2,
    A3,
    A4,
    A5,
    A6,
    Prd,
    Pod,
    Sts,
    Hno,
    Hns,
    Lmk,
    Loc,
    Flr,
    Nam,
    Pc,
}

/// How many fields there are.
pub const FIELDS: usize = 17;

impl Field {
    /// Every field in canonical order.
    pub const ALL: [Self; FIELDS] = [
        Self::Country,
        Self::A1,
        Self::A2,
        Self::A3,
        Self::A4,
        Self::A5,
        Self::A6,
        Self::Prd,
        Self::Pod,
        Self::Sts,
        Self::Hno,
        Self::Hns,
        Self::Lmk,
        Self::Loc,
        Self::Flr,
        Self::Nam,
        Self::Pc,
    ];

    /// The field's name as RFC 4119 writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::A1 => "A1",
            Self::A2 => "A2",
            Self::A3 => "A3",
            Self::A4 => "A4",
            Self::A5 => "A5",
            Self::A6 => "A6",
            Self::Prd => "PRD",
            Self::Pod => "POD",
            Self::Sts => "STS",
            Self::Hno => "HNO",
            Self::Hns => "HNS",
            Self::Lmk => "LMK",
            Self::Loc => "LOC",
            Self::Flr => "FLR",
            Self::Nam => "NAM",
            Self::Pc => "PC",
        }
    }

    /// The field of that name; letters compare without case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name().eq_ignore_ascii_case(name))
    }
}

/// A civic location: any of the 17 fields, the rest blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Geolocation {
    values: [Option<Box<str>>; FIELDS],
}

/// Why a text is no geolocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeolocationError {
    /// Byte offset of the part that is wrong.
    pub at: usize,
    /// What is wrong with it.
    pub what: GeolocationWrong,
}

/// What can be wrong with a part of a geolocation's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeolocationWrong {
    /// No `=` in it.
    NoValue,
    /// Its name is none of the 17.
    UnknownField,
    /// Its field was given before.
    Twice,
    /// The quotation mark its value begins with is never closed, or something stands behind the closing one.
    Quotes,
}

impl Geolocation {
    /// Reads `country=GB,A3=London`. White space around names and values is dropped; a value with a comma stands in quotation
    /// marks, and one of these in it is doubled, as in CSV: `NAM="Smith, Sons"`.
    ///
    /// # Errors
    /// The first part that is not a known field and its value. An empty text is a geolocation with every field blank.
    pub fn parse(text: &str) -> Result<Self, GeolocationError> {
        let mut location = Self::default();
        let (mut at, mut rest) = (0, Some(text));
        while let Some(left) = rest {
            let (part, behind) = first_part(left);
            rest = behind;
            let wrong = |what| GeolocationError { at, what };
            if !text.trim().is_empty() {
                let (name, value) = part.split_once('=').ok_or(wrong(GeolocationWrong::NoValue))?;
                let field = Field::named(name.trim()).ok_or(wrong(GeolocationWrong::UnknownField))?;
                if location.get(field).is_some() {
                    return Err(wrong(GeolocationWrong::Twice));
                }
                location.set(field, &unquoted(value).ok_or(wrong(GeolocationWrong::Quotes))?);
            }
            at = at.saturating_add(part.len()).saturating_add(1);
        }
        Ok(location)
    }

    /// The value of a field; blank is none.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&str> {
        self.values.get(field as usize)?.as_deref()
    }

    /// Sets a field; a value of white space makes it blank.
    pub fn set(&mut self, field: Field, value: &str) {
        if let Some(place) = self.values.get_mut(field as usize) {
            *place = Some(value.trim()).filter(|value| !value.is_empty()).map(Into::into);
        }
    }

    /// The fields that are not blank, in canonical order.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &str)> {
        Field::ALL.into_iter().filter_map(|field| Some((field, self.get(field)?)))
    }

    /// Whether every field is blank.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.fields().next().is_none()
    }
}

impl fmt::Display for Geolocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (field, value)) in self.fields().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}=", field.name())?;
            if value.contains(',') || value.starts_with('"') {
                write!(f, "\"{}\"", value.replace('"', "\"\""))?;
            } else {
                f.write_str(value)?;
            }
        }
        Ok(())
    }
}

/// The first part of a text and, where a comma ends it, what stands behind that. A comma in quotation marks ends nothing.
fn first_part(text: &str) -> (&str, Option<&str>) {
    let is_inside = |head: &str| {
        let value = head.split_once('=').map(|(_, value)| value.trim_start()).unwrap_or_default();
        value.starts_with('"') && value.matches('"').count() % 2 == 1
    };
    let mut split = text.match_indices(',').filter_map(|(at, _)| text.split_at_checked(at));
    match split.find(|(head, _)| !is_inside(head)) {
        Some((head, rest)) => (head, rest.strip_prefix(',')),
        None => (text, None),
    }
}

/// A value without its quotation marks; none where they do not close it.
fn unquoted(value: &str) -> Option<Cow<'_, str>> {
    let Some(inner) = value.trim().strip_prefix('"') else { return Some(value.into()) };
    let inner = inner.strip_suffix('"')?;
    let plain = inner.replace("\"\"", "");
    (!plain.contains('"')).then(|| inner.replace("\"\"", "\"").into())
}

/// A geolocation as configured on a device or a device pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Configured<T> {
    /// Nothing chosen: the next one counts.
    #[default]
    Inherit,
    /// "Unspecified" chosen: there is none, and nothing else counts (G-4).
    Unspecified,
    /// This one.
    At(T),
}

/// The geolocation that counts for a device: its own, its pool's, the enterprise default (G-3, G-4).
#[must_use]
pub fn effective<T>(device: Configured<T>, pool: Configured<T>, default: Option<T>) -> Option<T> {
    match (device, pool) {
        (Configured::At(location), _) | (Configured::Inherit, Configured::At(location)) => Some(location),
        (Configured::Unspecified, _) | (Configured::Inherit, Configured::Unspecified) => None,
        (Configured::Inherit, Configured::Inherit) => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_reads_back_in_canonical_order() {
        let location = Geolocation::parse(" A3 = London ,country=GB, flr=2,PC=").unwrap();
        assert_eq!(location.to_string(), "country=GB,A3=London,FLR=2");
        assert_eq!((location.get(Field::A3), location.get(Field::Pc)), (Some("London"), None));
        assert!(Geolocation::parse("  ").unwrap().is_blank());
    }

    #[test]
    fn a_wrong_part_is_told_where() {
        for (text, at, what) in [
            ("GB", 0, GeolocationWrong::NoValue),
            ("country=GB,", 11, GeolocationWrong::NoValue),
            ("country=GB,town=London", 11, GeolocationWrong::UnknownField),
            ("A3=London,A3=Leeds", 10, GeolocationWrong::Twice),
            ("A3=London,NAM=\"Smith, Sons", 10, GeolocationWrong::Quotes),
            ("NAM=\"Smith\" Sons", 0, GeolocationWrong::Quotes),
            ("NAM=\"Smith, \"Sons\"\",A3=London", 0, GeolocationWrong::Quotes),
        ] {
            assert_eq!(Geolocation::parse(text), Err(GeolocationError { at, what }), "{text}");
        }
    }

    #[test]
    fn a_value_in_quotation_marks_may_hold_a_comma_g1() {
        for (text, name, shown) in [
            ("NAM=\"Smith, Sons\",A3=London", "Smith, Sons", "A3=London,NAM=\"Smith, Sons\""),
            ("A3=London, NAM = \" Smith,\"\"Sons\"\" \" ", "Smith,\"Sons\"", "A3=London,NAM=\"Smith,\"\"Sons\"\"\""),
            ("NAM=Smith \"Sons,A3=London", "Smith \"Sons", "A3=London,NAM=Smith \"Sons"),
            ("A3=London,NAM=\"Sons\"", "Sons", "A3=London,NAM=Sons"),
        ] {
            let location = Geolocation::parse(text).unwrap();
            assert_eq!((location.get(Field::Nam), location.get(Field::A3)), (Some(name), Some("London")), "{text}");
            assert_eq!(location.to_string(), shown);
            assert_eq!(Geolocation::parse(shown), Ok(location));
        }
        assert!(Geolocation::parse("NAM=\"\"").unwrap().is_blank());
    }

    #[test]
    fn there_are_seventeen_fields_and_each_is_found_by_its_name_g1() {
        for (place, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!((field as usize, Field::named(field.name())), (place, Some(field)));
        }
        assert_eq!(Field::named("RD"), None);
    }

    #[test]
    fn a_devices_own_location_counts_first_and_unspecified_ends_the_search_g3_g4() {
        use Configured::{At, Inherit, Unspecified};
        for (device, pool, default, want) in [
            (At(1), At(2), Some(3), Some(1)),
            (Inherit, At(2), Some(3), Some(2)),
            (Inherit, Inherit, Some(3), Some(3)),
            (Inherit, Inherit, None, None),
            (Unspecified, At(2), Some(3), None),
            (Inherit, Unspecified, Some(3), None),
        ] {
            assert_eq!(effective(device, pool, default), want, "{device:?} {pool:?}");
        }
    }
}
