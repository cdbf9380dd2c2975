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
        let value = match field {
            Field::Country => section.doubted(field.name(), words::country, |code| country_doubt(code)),
            _ => section.parsed(field.name(), words::line),
        };
        if let Some(value) = value {
            location.set(field, &value.value);
        }
    }
    location
}

/// What there is to doubt in two letters that are no code of a country; those for private use are none either.
fn country_doubt(code: &str) -> Option<Bad> {
    let written = code.to_ascii_uppercase();
    if COUNTRIES.split(' ').any(|country| country == written) {
        return None;
    }
    let meant = MISTAKEN.iter().find(|(wrong, _)| *wrong == written);
    let fix = match meant {
        Some((_, right)) => format!("Did you mean \"{right}\"?"),
        None => {
            "Write the country's code, as in \"GB\"; one for private use only where the other clusters use it.".into()
        }
    };
    Some(Bad { message: format!("\"{code}\" is the code of no country (ISO 3166)"), fix })
}

/// Codes taken for those of a country in other lists than that of ISO 3166.
const MISTAKEN: [(&str, &str); 2] = [("EL", "GR"), ("UK", "GB")];

/// The codes ISO 3166-1 assigns.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY \
    BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK \
    FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR \
    IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK \
    ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM \
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF \
    TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

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
