//! The device pool a visiting phone is placed in at its home cluster (G-6 to G-10). Runs once a login, not once a call.

use std::cmp::Reverse;

use crate::location::{FIELDS, Field, Geolocation};

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

/// What two pools are compared by, the better one greater (G-10 step 5).
type Rank = (usize, Reverse<usize>, usize);

/// Chooses the roaming device pool. `pools` are all pools by name, with their geolocation where they have one.
#[must_use]
pub fn choose(filter: &[Field], phone: Option<&Geolocation>, pools: &[(&str, Option<&Geolocation>)]) -> Roaming {
    let template = |because| Roaming { pool: None, score: 0, because };
    if filter.is_empty() {
        return template(Because::NoFilter);
    }
    let Some(phone) = phone.filter(|phone| !phone.is_blank()) else { return template(Because::NoLocation) };
    let asked = normalised(filter, phone);
    let ranked = pools.iter().enumerate().filter_map(|(place, (name, location))| {
        Some((rank(filter, &asked, &normalised(filter, (*location)?))?, Reverse(*name), place))
    });
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    let Some((best, _, place)) = ranked.first() else { return template(Because::NoneMatches) };
    let because = match ranked.get(1).map(|(second, _, _)| second) {
        Some(second) if second == best => Because::Name,
        Some(second) if (second.0, second.1) == (best.0, best.1) => Because::LongerRun,
        Some(second) if second.0 == best.0 => Because::FewerUnknown,
        _ => Because::Score,
    };
    Roaming { pool: Some(*place), score: best.0, because }
}

/// The comparable values of the filter's fields; every other field is blank (G-2).
fn normalised(filter: &[Field], location: &Geolocation) -> [Option<String>; FIELDS] {
    Field::ALL.map(|field| {
        let value = location.get(field).filter(|_| filter.contains(&field))?;
        let words: Vec<String> = value.split_whitespace().map(folded).collect();
        Some(words.join(" ")).filter(|value| !value.is_empty())
    })
}

/// Case-folded text: lower case, sharp s as ss, final sigma as any other. Does the country's upper-casing too, as only
/// equality is asked.
fn folded(word: &str) -> String {
    word.chars().flat_map(char::to_lowercase).fold(String::with_capacity(word.len()), |mut folded, letter| {
        match letter {
            'ß' => folded.push_str("ss"),
            'ς' => folded.push('σ'),
            letter => folded.push(letter),
        }
        folded
    })
}

/// How well a pool agrees; nothing when it differs anywhere or agrees nowhere (G-10 steps 3 to 5).
fn rank(filter: &[Field], phone: &[Option<String>; FIELDS], pool: &[Option<String>; FIELDS]) -> Option<Rank> {
    let (mut score, mut unknown, mut run, mut running) = (0, 0, 0, true);
    for (field, values) in Field::ALL.into_iter().zip(phone.iter().zip(pool)) {
        if !filter.contains(&field) {
            continue;
        }
        match values {
            (Some(a), Some(b)) if a != b => return None,
            (Some(_), Some(_)) => {
                score += 1;
                run += usize::from(running);
                continue;
            }
            (None, Some(_)) => unknown += 1,
            (_, None) => {}
        }
        running = false;
    }
    (score > 0).then_some((score, Reverse(unknown), run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Field::{A1, A3, Country, Flr};

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

    #[test]
    fn unselected_fields_never_count_g2() {
        let pools = [("DP", "country=GB,FLR=1")];
        assert_eq!(chosen(&[Country], "country=GB,FLR=2", &pools).0, "DP");
        assert_eq!(chosen(&[Country, Flr], "country=GB,FLR=2", &pools).0, "template");
    }

    #[test]
    fn case_and_inner_space_do_not_count_but_accents_do() {
        for (phone, pool, same) in [
            ("A3=STRASSE", "A3=Straße", true),
            ("A3=ΟΔΟΣ", "A3=οδος", true),
            ("A3=New \t York", "A3=new york", true),
            ("A3=Zürich", "A3=Zurich", false),
        ] {
            let want = if same { "DP" } else { "template" };
            assert_eq!(chosen(&[A3], phone, &[("DP", pool)]).0, want, "{phone}");
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
