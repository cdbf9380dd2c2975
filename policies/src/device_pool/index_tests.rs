//! What the index is made of, each part against its plain meaning; what it chooses stands in `policies/tests/roaming.rs`.

use proptest::prelude::*;

use super::*;

/// Pools of three values and blanks in four fields, by numbers.
fn indexed(pools: &[[u8; 4]]) -> RoamingIndex {
    let fields = [Field::Country, Field::A1, Field::A3, Field::Flr];
    let location = |pool: &[u8; 4]| {
        let mut location = Geolocation::default();
        for (field, number) in fields.iter().zip(pool).filter(|(_, number)| **number % 4 != 0) {
            location.set(*field, &format!("Town {}", number % 4));
        }
        location
    };
    let places: Vec<_> = pools.iter().map(location).collect();
    let pools: Vec<_> = places.iter().map(|place| ("a", Some(place))).collect();
    RoamingIndex::new(&fields, &pools)
}

fn has(bits: &Bits, entry: usize) -> bool {
    bits[entry / LINE].0[entry % LINE / 64] >> (entry % 64) & 1 == 1
}

proptest! {
    #[test]
    fn a_class_has_the_bits_of_its_entries_alone(start in 0..40_usize, length in 0..2_000_usize) {
        let class = Class { entries: start * 64..start * 64 + length, step: 0 };
        let of_lines: Vec<usize> = class
            .lines()
            .flat_map(|line| class.of_line(line).0.into_iter().zip(line * WORDS..))
            .flat_map(|(bits, word)| (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit))
            .collect();
        prop_assert_eq!(of_lines, class.entries.collect::<Vec<_>>());
    }

    #[test]
    fn bits_and_pairs_of_bits_say_who_agrees(pools in proptest::collection::vec(any::<[u8; 4]>(), 0..400)) {
        let index = indexed(&pools);
        let width = index.fields.len();
        let value = |entry: usize, place: usize| index.values[entry * width + place] as usize;
        for entry in (0..index.masks.len()).filter(|entry| index.masks[*entry] != 0) {
            for place in 0..width {
                prop_assert_eq!(has(&index.blank[place], entry), value(entry, place) == 0);
                for (number, owners) in (1..).zip(&index.owners[place]) {
                    match owners {
                        Owners::Many(agree) => prop_assert_eq!(has(agree, entry), [0, number].contains(&value(entry, place))),
                        Owners::Few(list) => prop_assert_eq!(list.contains(&(entry as u32)), value(entry, place) == number),
                        Owners::All => prop_assert!([0, number].contains(&value(entry, place))),
                    }
                }
            }
            for (pair, both) in index.pairs.iter().enumerate() {
                let values = index.numbers[pair * 2 + 1].len() + 1;
                for (at, both) in both.iter().enumerate() {
                    let agrees = |number: usize, place: usize| [0, number].contains(&value(entry, place));
                    prop_assert_eq!(has(both, entry), agrees(at / values, pair * 2) && agrees(at % values, pair * 2 + 1));
                }
            }
        }
    }

    #[test]
    fn a_step_tells_of_every_entry_of_it(pools in proptest::collection::vec(any::<[u8; 4]>(), 0..400)) {
        let index = indexed(&pools);
        let width = index.fields.len();
        for class in &index.classes {
            for (line, step) in class.lines().zip(&index.steps[class.step..]) {
                let entries = class.entries.clone().filter(|entry| entry / LINE == line);
                for (entry, (at, lead)) in entries.flat_map(|entry| index.leads.iter().enumerate().map(move |lead| (entry, lead))) {
                    let (mask, value) = (index.masks[entry], index.values[entry * width + lead]);
                    prop_assert!(mask & !step.common.any == 0 && step.common.all & !mask == 0);
                    prop_assert!(step.common.order <= index.pools[entry].order);
                    prop_assert!(value == 0 || (step.spans[at].0..=step.spans[at].1).contains(&value));
                }
            }
        }
    }

    /// G-10: whatever is passed over as of no more account changes neither the choice nor what is told of it.
    #[test]
    fn who_may_not_change_the_best_does_not(offers in proptest::collection::vec((1..4_u32, 0..3_u32, 0..3_u32, any::<bool>()), 0..30)) {
        let told = |best: &Best| {
            let Some(first) = best.first else { return None };
            let second = best.second.filter(|second| second.0 == first.rank.0);
            let alike = second.map(|second| {
                (second.1 == first.rank.1, second == first.rank)
            });
            Some((first.entry, alike))
        };
        let (mut all, mut few) = (Best::default(), Best::default());
        for (entry, (equal, unknown, run, is_shared)) in offers.into_iter().enumerate() {
            // Names in another order than offers.
            let pool = Pool { place: 0, order: entry as u32 * 7 % 31, is_shared };
            let rank = (equal, Reverse(unknown), run);
            all.offer(rank, entry, pool);
            if few.may_change(rank, || pool.order) {
                few.offer(rank, entry, pool);
            }
            prop_assert_eq!(told(&few), told(&all));
        }
    }
}

#[test]
fn pairs_are_kept_where_both_fields_have_few_values() {
    let pools: Vec<[u8; 4]> = (0..=255).map(|pool| [pool, pool / 4, pool / 16, pool / 64]).collect();
    let kept: Vec<usize> = indexed(&pools).pairs.iter().map(Vec::len).collect();
    assert_eq!(kept, [PAIRED, PAIRED]);
    // One value alone needs no bits, and so no pair.
    let pools: Vec<[u8; 4]> = pools.iter().map(|[a, b, c, d]| [a % 2, *b, *c, *d]).collect();
    let index = indexed(&pools);
    assert!(index.pairs[0].is_empty() && matches!(index.owners[0][..], [Owners::All]));
}
