//! The roaming device pool among 100 to 100,000 pools (G-10): as a large enterprise has them, and at their worst.
#![allow(missing_docs)] // the macros of criterion make public items

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use emcc_policies::device_pool::RoamingIndex;
use emcc_policies::location::{Field, Geolocation};

/// A fixed generator: the same pools on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Fields of a filter, and what a pool and a phone have.
struct Mix {
    name: &'static str,
    fields: &'static [Field],
    /// Of a field by its place: how many values there are, and in how many of 16 pools it is blank.
    pool: fn(usize) -> (usize, usize),
    /// Of a field by its place: in how many of 16 phones it is blank.
    phone_blanks: fn(usize) -> usize,
}

const MIXES: [Mix; 5] = [
    // 200 countries of 500 pools, each with a town and often a street of its own.
    Mix {
        name: "country, state, town, street",
        fields: &[Field::Country, Field::A1, Field::A3, Field::A6],
        pool: |place| [(200, 0), (50, 4), (2_000, 2), (10_000, 8)][place],
        phone_blanks: |place| place * 2,
    },
    // Everything in one country.
    Mix {
        name: "one country",
        fields: &[Field::Country, Field::A1, Field::A3, Field::Flr],
        pool: |place| [(1, 0), (50, 8), (500, 8), (40, 8)][place],
        phone_blanks: |place| place * 4,
    },
    // The phone says little, every pool says more: nothing but what it leaves open tells them apart.
    Mix {
        name: "phones that say the country alone",
        fields: &[Field::Country, Field::A1, Field::A3, Field::A6, Field::Flr, Field::Pc],
        pool: |place| [(1, 0), (50, 4), (500, 4), (1_000, 4), (40, 4), (5_000, 4)][place],
        phone_blanks: |place| if place == 0 { 0 } else { 16 },
    },
    // All seventeen fields, half of them blank, few values: as many combinations as there are pools.
    Mix { name: "seventeen fields, half blank", fields: &Field::ALL, pool: |_| (3, 8), phone_blanks: |_| 2 },
    // The same with one value: every pool agrees with every phone.
    Mix { name: "seventeen fields, all agree", fields: &Field::ALL, pool: |_| (1, 8), phone_blanks: |_| 8 },
];

impl Mix {
    fn place(&self, dice: &mut Dice, blanks: impl Fn(usize) -> usize) -> Geolocation {
        let mut location = Geolocation::default();
        for (place, field) in self.fields.iter().enumerate() {
            if dice.below(16) >= blanks(place) {
                location.set(*field, &format!("Value {}", dice.below((self.pool)(place).0)));
            }
        }
        location
    }
}

fn choosing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("roaming pool");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for mix in MIXES {
        for count in [100, 1_000, 10_000, 100_000] {
            let mut dice = Dice(7);
            let places: Vec<_> = (0..count).map(|_| mix.place(&mut dice, |place| (mix.pool)(place).1)).collect();
            let names: Vec<_> = (0..count).map(|pool| format!("DP-{pool}")).collect();
            let pools: Vec<_> = names.iter().map(String::as_str).zip(places.iter().map(Some)).collect();
            let index = RoamingIndex::new(mix.fields, &pools);
            let phones: Vec<_> = (0..1_024).map(|_| mix.place(&mut dice, mix.phone_blanks)).collect();
            let mut next = 0;
            group.bench_function(BenchmarkId::new(mix.name, count), |bencher| {
                bencher.iter(|| {
                    next = (next + 1) % phones.len();
                    index.choose(black_box(Some(&phones[next])))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, choosing);
criterion_main!(benches);
