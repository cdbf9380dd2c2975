//! The device pool a visiting phone is placed in at its home cluster (G-6 to G-10). Runs once a login, not once a call.

mod best;
mod index;
mod numbers;

use std::cmp::{Ordering, Reverse};

pub use index::RoamingIndex;

use crate::location::Field;
use unicase::UniCase;

/// Where a roaming phone is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roaming {
    /// Place of the pool in the list asked about; none: the pool of the EMCC template (G-8).
    pub pool: Option<usize>,
    /// Fields of the filter that agree; 0 with the template's pool.
    pub score: usize,
    /// What decided.
    pub because: Because,
}

/// What decided a roaming device pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// More equal fields than any other.
    Score,
    /// As many, and fewer fields the phone leaves blank.
    FewerUnknown,
    /// The same, and the longer run of equal fields from the top.
    LongerRun,
    /// The same, and the first name in byte order.
    Name,
    /// No field to compare: there is no filter, or an empty one.
    NoFilter,
    /// The phone came without a location.
    NoLocation,
    /// Every pool differs in some field, or agrees in none.
    NoneMatches,
}

impl Because {
    /// The reason in words.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Self::Score => "most fields of the filter equal",
            Self::FewerUnknown => "as many fields equal, fewer that the phone leaves blank",
            Self::LongerRun => "longer run of equal fields from the top",
            Self::Name => "first name in byte order among equals",
            Self::NoFilter => "no geolocation filter: the template's device pool",
            Self::NoLocation => "no location of the phone: the template's device pool",
            Self::NoneMatches => "no device pool matches: the template's device pool",
        }
    }
}

/// How one pool stands to a phone (G-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It agrees in every field that both have.
    Agrees {
        /// Equal fields.
        equal: u32,
        /// Fields of the pool that the phone leaves blank.
        unknown: u32,
        /// Equal fields from the top of the filter without a gap.
        run: u32,
    },
    /// This field is another one.
    Differs(Field),
    /// Both have no field in common (step 4).
    NothingEqual,
    /// It has none of the filter's fields.
    NoLocation,
}

impl Standing {
    /// The better of two greater; those that do not agree are all the least.
    #[must_use]
    pub fn compare(self, other: Self) -> Ordering {
        let rank = |standing| match standing {
            Self::Agrees { equal, unknown, run } => Some((equal, Reverse(unknown), run)),
            Self::Differs(_) | Self::NothingEqual | Self::NoLocation => None::<Rank>,
        };
        rank(self).cmp(&rank(other))
    }

    /// Why a pool that stands so was not chosen, where one that stands like `chosen` was, or none.
    #[must_use]
    pub fn why_not(self, chosen: Option<Self>) -> String {
        match (self, chosen) {
            (Self::Differs(field), _) => format!("{} is another", field.name()),
            (Self::NothingEqual, _) => "no field is equal".into(),
            (Self::NoLocation, _) => "has no field of the filter".into(),
            (Self::Agrees { equal, .. }, Some(Self::Agrees { equal: most, .. })) if equal < most => {
                format!("fewer fields equal: {equal}, of the one chosen {most}")
            }
            (Self::Agrees { unknown, .. }, Some(Self::Agrees { unknown: least, .. })) if unknown > least => {
                format!("more fields that the phone leaves blank: {unknown}, of the one chosen {least}")
            }
            (Self::Agrees { run, .. }, Some(Self::Agrees { run: longest, .. })) if run < longest => {
                format!("fewer equal fields from the top: {run}, of the one chosen {longest}")
            }
            (Self::Agrees { .. }, _) => "a tie, and its name comes later in byte order".into(),
        }
    }
}

/// What two pools are compared by, the better one greater (G-10 step 5): equal fields, fields the phone leaves blank, run.
type Rank = (u32, Reverse<u32>, u32);

/// A comparable value in UTF-8: words with one space between, case-folded; nothing where it is blank (G-10 step 2). Does the
/// country's upper-casing too, as only equality is asked.
fn normalised(value: &str, text: &mut Vec<u8>) {
    text.clear();
    if value.is_ascii() {
        let mut is_between = false;
        for byte in value.bytes() {
            if matches!(byte, b'\t'..=b'\r' | b' ') {
                is_between = !text.is_empty();
                continue;
            }
            if is_between {
                text.push(b' ');
                is_between = false;
            }
            text.push(byte.to_ascii_lowercase());
        }
        return;
    }
    for word in value.split_whitespace() {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(UniCase::unicode(word).to_folded_case().as_bytes());
    }
}

/// A value of a location as it is compared (G-10 step 2): equal ones are one. Empty where it is blank. It allocates.
#[must_use]
pub fn comparable(value: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    normalised(value, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::Field::{A1, A3, Country, Flr};
    use crate::location::Geolocation;

    fn choose(filter: &[Field], phone: Option<&Geolocation>, pools: &[(&str, Option<&Geolocation>)]) -> Roaming {
        RoamingIndex::new(filter, pools).choose(phone)
    }

    fn chosen(filter: &[Field], phone: &str, pools: &[(&str, &str)]) -> (String, usize, Because) {
        let read: Vec<_> = pools.iter().map(|(_, text)| Geolocation::parse(text).unwrap()).collect();
        let pools: Vec<_> = pools.iter().zip(&read).map(|((name, _), location)| (*name, Some(location))).collect();
        let roaming = choose(filter, Some(&Geolocation::parse(phone).unwrap()), &pools);
        let name = roaming.pool.and_then(|place| pools.get(place)).map_or("template", |(name, _)| name);
        (name.to_owned(), roaming.score, roaming.because)
    }

    const PAIR: &[(&str, &str)] = &[("DP-HQ", "country=US,A1=NC,A3=RTP"), ("DP-Roam-London", "country=GB,A3=London")];

    #[test]
    fn the_pool_with_most_equal_fields_wins() {
        let filter = [Country, A3];
        for (phone, want, score, because) in [
            ("country=GB,A3=London,FLR=2", "DP-Roam-London", 2, Because::Score),
            ("country=gb,A3=  LONDON ", "DP-Roam-London", 2, Because::Score),
            ("country=GB", "DP-Roam-London", 1, Because::Score),
            ("A3=RTP", "DP-HQ", 1, Because::Score),
            ("country=FR,A3=Paris", "template", 0, Because::NoneMatches),
            ("country=GB,A3=Leeds", "template", 0, Because::NoneMatches),
            ("FLR=2", "template", 0, Because::NoneMatches),
            ("", "template", 0, Because::NoLocation),
        ] {
            assert_eq!(chosen(&filter, phone, PAIR), (want.to_owned(), score, because), "{phone}");
        }
    }

    #[test]
    fn ties_fall_by_unknown_fields_then_run_then_name_g10() {
        let filter = [Country, A1, A3, Flr];
        for (phone, pools, want, because) in [
            ("country=GB", [("b", "country=GB,A3=London"), ("c", "country=GB")], "c", Because::FewerUnknown),
            ("country=GB,A1=E,FLR=2", [("a", "country=GB,FLR=2"), ("b", "country=GB,A1=E")], "b", Because::LongerRun),
            ("country=GB", [("b", "country=GB"), ("a", "country=GB")], "a", Because::Name),
            ("country=GB", [("a", "country=GB"), ("B", "country=GB")], "B", Because::Name),
        ] {
            let got = chosen(&filter, phone, &pools);
            assert_eq!((got.0.as_str(), got.2), (want, because), "{phone} {pools:?}");
        }
    }

    /// Every pool that stands like another is ranked as the index ranks it: no pool stands above the one chosen.
    #[test]
    fn a_pool_that_was_not_chosen_is_told_why_g10() {
        let filter = [Country, A1, A3, Flr];
        let pools = [
            ("a", "country=GB,A3=London"),
            ("b", "country=GB,A3=Leeds"),
            ("c", "country=GB,A3=London,FLR=2"),
            ("d", "country=GB"),
            ("e", "country=GB,A3=London"),
            ("f", "A1=England"),
            ("g", "NAM=Tower"),
            ("h", "A1=E,A3=London"),
        ];
        let phone = Geolocation::parse("country=GB,A3=London").unwrap();
        let read: Vec<_> = pools.iter().map(|(_, text)| Geolocation::parse(text).unwrap()).collect();
        let named: Vec<_> = pools.iter().zip(&read).map(|((name, _), place)| (*name, Some(place))).collect();
        let index = RoamingIndex::new(&filter, &named);
        let chosen = index.choose(Some(&phone)).pool.unwrap();
        assert_eq!((chosen, index.choose(Some(&phone)).because), (0, Because::Name));
        let standings: Vec<Standing> = index.standings(&phone, named.iter().map(|(_, place)| *place)).collect();
        let told: Vec<String> = standings.iter().map(|standing| standing.why_not(Some(standings[chosen]))).collect();
        assert_eq!(
            told[1..],
            [
                "A3 is another",
                "more fields that the phone leaves blank: 1, of the one chosen 0",
                "fewer fields equal: 1, of the one chosen 2",
                "a tie, and its name comes later in byte order",
                "no field is equal",
                "has no field of the filter",
                "fewer fields equal: 1, of the one chosen 2",
            ]
        );
        assert!(standings.iter().all(|standing| standing.compare(standings[chosen]).is_le()));
    }

    #[test]
    fn unselected_fields_never_count_g2() {
        let pools = [("DP", "country=GB,FLR=1")];
        assert_eq!(chosen(&[Country], "country=GB,FLR=2", &pools).0, "DP");
        assert_eq!(chosen(&[Country, Flr], "country=GB,FLR=2", &pools).0, "template");
    }

    /// G-11: logical partitioning drops fields from the end until something fits, and wants no gap between them. A
    /// roaming pool is chosen by neither.
    #[test]
    fn no_field_is_dropped_to_make_a_pool_fit_and_a_gap_is_none_g11() {
        let filter = [Country, A1, A3];
        for (phone, pools, want) in [
            // Without its last field the first would fit.
            ("country=GB,A1=E,A3=Leeds", [("a", "country=GB,A1=E,A3=London"), ("b", "country=GB")], "b"),
            ("country=GB,A1=E,A3=Leeds", [("a", "country=GB,A1=E,A3=London"), ("b", "country=US")], "template"),
            // A1 is blank on either side, or country is: what is told counts.
            ("country=GB,A3=London", [("a", "country=GB,A3=London"), ("b", "country=GB")], "a"),
            ("A3=London", [("a", "country=GB,A3=London"), ("b", "country=GB")], "a"),
        ] {
            assert_eq!(chosen(&filter, phone, &pools).0, want, "{phone} {pools:?}");
        }
    }

    #[test]
    fn case_and_inner_space_do_not_count_but_accents_do() {
        for (phone, pool, same) in [
            ("A3=STRASSE", "A3=Straße", true),
            ("A3=ΟΔΟΣ", "A3=οδος", true),
            // Full case folding: one letter may be several, and two of one sound one.
            ("A3=FINN", "A3=\u{fb01}nn", true),
            ("A3=\u{b5}", "A3=\u{3bc}", true),
            ("A3=SOFT", "A3=\u{17f}oft", true),
            ("A3=ΑΙΔΗΣ", "A3=ᾳδης", true),
            ("A3=ᾼ", "A3=αι", true),
            ("A3=İ", "A3=i", false),
            ("A3=New \t York", "A3=new york", true),
            ("A3=Zürich", "A3=Zurich", false),
        ] {
            let want = if same { "DP" } else { "template" };
            assert_eq!(chosen(&[A3], phone, &[("DP", pool)]).0, want, "{phone}");
        }
    }

    #[test]
    fn a_value_of_ascii_alone_is_read_as_any_other_is() {
        for byte in 0..=127_u8 {
            let value = format!("{0} A{0}{0}b C{0}", char::from(byte));
            let words: Vec<_> = value.split_whitespace().map(str::to_lowercase).collect();
            let (mut short, mut long) = (Vec::new(), Vec::new());
            normalised(&value, &mut short);
            assert_eq!(short, words.join(" ").as_bytes(), "{value:?}");
            // The same way round by a letter that is none of ASCII.
            normalised(&format!("{value} ä"), &mut long);
            assert_eq!(long, [&words.join(" "), "ä"].join(" ").as_bytes(), "{value:?}");
        }
    }

    #[test]
    fn a_filter_is_needed_and_a_pool_without_location_is_passed_over() {
        assert_eq!(chosen(&[], "country=GB", PAIR).2, Because::NoFilter);
        let gb = Geolocation::parse("country=GB").unwrap();
        assert_eq!(choose(&[Country], None, &[("a", Some(&gb))]).because, Because::NoLocation);
        assert_eq!(choose(&[Country], Some(&gb), &[("a", None), ("b", Some(&gb))]).pool, Some(1));
        assert_eq!(choose(&[Country, Country], Some(&gb), &[("b", Some(&gb))]).score, 1);
    }
}
