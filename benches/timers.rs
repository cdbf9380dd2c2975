//! The wheel with a million hints in it, as many as a full table has rows.
#![allow(missing_docs)] // the macros of criterion make public items

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use emcc_policies::moment::Moment;
use emcc_trunk::limits::TRANSACTIONS_MAX;
use emcc_trunk::timer::{SLOT_MS, Wheel};

/// Longest deadline of the hints: that of a transaction (64 T1).
const SPREAD_MS: u64 = 32_000;

fn turning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timers");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut wheel: Wheel<u64> = Wheel::new(Moment(0));
    let hints = TRANSACTIONS_MAX as u64;
    for key in 0..hints {
        wheel.push(Moment(key * SPREAD_MS / hints), key);
    }
    let (mut now, mut due) = (0, Vec::new());
    // A turn of one slot hands out a 3,200th of all hints; each goes back in with a new deadline.
    let a_turn = hints * SLOT_MS / SPREAD_MS;
    group.throughput(Throughput::Elements(a_turn));
    group.bench_function("turn of one slot and as many pushes, at a million", |bencher| {
        bencher.iter(|| {
            now += SLOT_MS;
            wheel.turn(Moment(now), |key| due.push(key));
            for key in due.drain(..) {
                wheel.push(Moment(now + SPREAD_MS), key);
            }
        });
    });
    assert_eq!(wheel.len(), TRANSACTIONS_MAX);
    group.throughput(Throughput::Elements(1));
    group.bench_function("push", |bencher| {
        let mut wheel: Wheel<u64> = Wheel::new(Moment(0));
        let mut key = 0;
        bencher.iter(|| {
            key += 1;
            wheel.push(Moment(key % SPREAD_MS), key);
            // The wheel empties before it outgrows the table it stands for.
            if wheel.len() == TRANSACTIONS_MAX {
                wheel.turn(Moment(u64::MAX / 2), |_| ());
                wheel = Wheel::new(Moment(0));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, turning);
criterion_main!(benches);
