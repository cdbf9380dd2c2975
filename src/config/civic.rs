//! Geolocations and their filters, as files write them (G-1, G-2).

use super::address::{Bad, bad};
use super::document::{Filter, Geolocation};
use super::section::{Section, nearest};
use super::words;
use emcc_policies::location::{Field, Geolocation as Civic};

/// The fields of a table that has them among others.
pub(super) fn read_location(section: &mut Section<'_, '_>) -> Civic {
    let mut location = Civic::default();
    for field in Field::ALL {
        let parse = if field == Field::Country { words::country } else { words::line };
        if let Some(value) = section.parsed(field.name(), parse) {
            location.set(field, &value.value);
        }
    }
    location
}

/// One `[[geolocation]]`; nothing without a name.
pub(super) fn read_geolocation(mut section: Section<'_, '_>) -> Option<Geolocation> {
    section.require("name", "Give the geolocation a name, as in name = \"GL-London\".");
    let name = section.parsed("name", words::name);
    let location = read_location(&mut section);
    section.parsed("description", words::line);
    section.finish();
    Some(Geolocation { name: name?, location })
}

fn field(text: &str) -> Result<Field, Bad> {
    if let Some(field) = Field::ALL.into_iter().find(|field| field.name() == text) {
        return Ok(field);
    }
    let names = Field::ALL.map(Field::name);
    let hint = nearest(text, names.into_iter()).map(|near| format!("Did you mean \"{near}\"? ")).unwrap_or_default();
    let fix = format!("{hint}Write fields of {}.", names.join(", "));
    bad(format!("\"{text}\" is no field of a geolocation"), fix)
}

/// One `[[geolocation_filter]]`; nothing without a name.
pub(super) fn read_filter(mut section: Section<'_, '_>) -> Option<Filter> {
    section.require("name", "Give the filter a name, as in name = \"country-and-city\".");
    section.require("fields", "Write the fields it compares, as in fields = [\"country\", \"A3\"].");
    let name = section.parsed("name", words::name);
    let fields = section.parsed_list("fields", field).unwrap_or_default();
    section.parsed("description", words::line);
    section.finish();
    Some(Filter { name: name?, fields })
}
