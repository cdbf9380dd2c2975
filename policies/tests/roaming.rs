//! The roaming device pool (G-6 to G-10): the index against the rule as it is written, on any pools, filters and phones.

use std::cmp::Reverse;

use emcc_policies::device_pool::{Because, Roaming, RoamingIndex};
use emcc_policies::location::{Field, Geolocation};
use proptest::prelude::*;

/// G-10 word by word: every pool is looked at, and all that are not excluded are sorted.
fn slowly(filter: &[Field], phone: &Geolocation, pools: &[(&str, Option<&Geolocation>)]) -> Roaming {
    let template = |because| Roaming { pool: None, score: 0, because };
    if filter.is_empty() {
        return template(Because::NoFilter);
    }
    if phone.is_blank() {
        return template(Because::NoLocation);
    }
    let mut ranked = Vec::new();
    'pools: for (place, (name, location)) in pools.iter().enumerate() {
        let Some(location) = location else { continue };
        let (mut score, mut unknown, mut run, mut running) = (0, 0, 0, true);
        for field in Field::ALL.into_iter().filter(|field| filter.contains(field)) {
            let plain = |location: &Geolocation| {
                let text = location.get(field).unwrap_or_default().to_lowercase();
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            };
            let (asked, had) = (plain(phone), plain(location));
            match (asked.is_empty(), had.is_empty()) {
                (false, false) if asked != had => continue 'pools,
                (false, false) => {
                    score += 1;
                    run += usize::from(running);
                    continue;
                }
                (true, false) => unknown += 1,
                (_, true) => {}
            }
            running = false;
        }
        if score > 0 {
            ranked.push((Reverse(score), unknown, Reverse(run), *name, place));
        }
    }
    ranked.sort();
    let Some(best) = ranked.first() else { return template(Because::NoneMatches) };
    let because = match ranked.get(1) {
        Some(second) if (second.0, second.1, second.2) == (best.0, best.1, best.2) => Because::Name,
        Some(second) if (second.0, second.1) == (best.0, best.1) => Because::LongerRun,
        Some(second) if second.0 == best.0 => Because::FewerUnknown,
        _ => Because::Score,
    };
    Roaming { pool: Some(best.4), score: best.0.0, because }
}

/// A place by numbers: a field is blank, or one of so many values; some are written in capitals and with more space.
fn place(numbers: &[u8], values: u8, blanks: u8) -> Geolocation {
    let mut location = Geolocation::default();
    for (field, number) in Field::ALL.into_iter().zip(numbers) {
        if number % 16 >= blanks {
            let text = format!("Town  {}", number / 16 % values);
            location.set(field, &if number % 2 == 0 { text.to_uppercase() } else { text });
        }
    }
    location
}

fn agree(filter: &[Field], phones: &[Geolocation], places: &[Option<Geolocation>]) {
    // Names in another order than places.
    let names: Vec<_> = (0..places.len()).map(|place| format!("DP{}", place * 7 % 31 * 1_000 + place)).collect();
    let pools: Vec<_> = names.iter().map(String::as_str).zip(places.iter().map(Option::as_ref)).collect();
    let index = RoamingIndex::new(filter, &pools);
    for phone in phones {
        assert_eq!(index.choose(Some(phone)), slowly(filter, phone, &pools), "{filter:?} {phone} of {}", pools.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn g10_the_index_chooses_what_the_rule_chooses_whatever_the_pools_are(
        fields in proptest::collection::vec(0..17_usize, 0..9),
        (values, blanks) in (1..6_u8, 0..16_u8),
        pools in proptest::collection::vec(proptest::option::weighted(0.9, any::<[u8; 17]>()), 0..260),
        phones in proptest::collection::vec((any::<[u8; 17]>(), 0..16_u8), 1..6),
    ) {
        let filter: Vec<_> = fields.iter().map(|field| Field::ALL[*field]).collect();
        let places: Vec<_> = pools.iter().map(|pool| pool.map(|numbers| place(&numbers, values, blanks))).collect();
        let phones: Vec<_> = phones.iter().map(|(numbers, blanks)| place(numbers, values, *blanks)).collect();
        agree(&filter, &phones, &places);
    }

    #[test]
    fn g10_the_same_over_all_seventeen_fields_where_everything_agrees_or_nearly(
        pools in proptest::collection::vec((any::<[u8; 17]>(), 1..3_u8), 1..700),
        phones in proptest::collection::vec((any::<[u8; 17]>(), 0..16_u8), 1..4),
        blanks in 4..16_u8,
    ) {
        let places: Vec<_> = pools.iter().map(|(numbers, values)| Some(place(numbers, if *values == 1 { 1 } else { 2 }, blanks))).collect();
        let phones: Vec<_> = phones.iter().map(|(numbers, blanks)| place(numbers, 1, *blanks)).collect();
        agree(&Field::ALL, &phones, &places);
    }

    /// Few values of each field, so that two fields are asked together; phones also say what no pool has.
    #[test]
    fn g10_the_same_over_all_seventeen_fields_of_few_values_and_many_pools(
        pools in proptest::collection::vec(any::<[u8; 17]>(), 500..2_500),
        phones in proptest::collection::vec((any::<[u8; 17]>(), 2..5_u8, 0..10_u8), 1..4),
        blanks in 6..13_u8,
    ) {
        let places: Vec<_> = pools.iter().map(|numbers| Some(place(numbers, 3, blanks))).collect();
        let phones: Vec<_> = phones.iter().map(|(numbers, values, blanks)| place(numbers, *values, *blanks)).collect();
        agree(&Field::ALL, &phones, &places);
    }
}

#[test]
fn g10_many_pools_of_one_country_are_told_apart_by_what_else_the_phone_says() {
    let filter = [Field::Country, Field::A1, Field::A3, Field::Flr];
    let location = |text: &str| Geolocation::parse(text).expect("a place");
    let places: Vec<_> = (0..5_000)
        .map(|pool: usize| match pool % 5 {
            0 => location(&format!("country=GB,A3=Town {}", pool / 5)),
            1 => location(&format!("country=GB,A1=Shire {},A3=Town {}", pool % 7, pool / 5)),
            2 => location(&format!("country=GB,FLR={}", pool % 11)),
            3 => location("country=GB"),
            _ => location(&format!("country=gb,A1=shire {},FLR={}", pool % 3, pool % 13)),
        })
        .map(Some)
        .collect();
    let phones = [
        "country=GB",
        "country=GB,A3=Town 300",
        "country=GB,A1=Shire 2,A3=Town 300",
        "country=GB,A1=Shire 2",
        "country=GB,A1=Shire 2,FLR=4",
        "country=GB,A3=Nowhere",
        "country=FR",
        "FLR=4",
        "A3=Town 7,FLR=3",
        "NAM=x",
    ];
    agree(&filter, &phones.map(location), &places);
}

#[test]
fn g8_nothing_matches_where_there_are_no_pools_and_names_may_repeat() {
    let phone = Geolocation::parse("country=GB").expect("a place");
    assert_eq!(RoamingIndex::new(&[Field::Country], &[]).choose(Some(&phone)).because, Because::NoneMatches);
    assert_eq!(RoamingIndex::default().choose(Some(&phone)).because, Because::NoFilter);
    let twice = RoamingIndex::new(&[Field::Country], &[("a", Some(&phone)), ("a", Some(&phone))]).choose(Some(&phone));
    assert_eq!((twice.pool, twice.because), (Some(1), Because::Name));
}
