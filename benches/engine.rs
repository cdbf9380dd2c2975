//! The node without sockets: octets of a message in, octets of what it causes out.
//!
//! Calls follow each other at a thousand a second of the node's own time, so its tables hold what they hold in service:
//! the transactions and calls that linger after their end, and the hints of the wheel.
#![allow(missing_docs)] // the macros of criterion make public items
#![allow(clippy::disallowed_methods)] // a bench reads the clock: that is what it is for

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pair::{Pair, Step};

mod pair;

/// Calls before measuring: longer than a transaction of one of them lingers (64 T1).
const CALLS_BEFORE: usize = 35_000;

fn calls(criterion: &mut Criterion) {
    let mut pair = Pair::new();
    (0..CALLS_BEFORE).for_each(|_| pair.call());
    println!(
        "a call: {} messages and {} octets out; {} calls and {} transactions stand",
        pair.messages_out / CALLS_BEFORE as u64,
        pair.octets_out / CALLS_BEFORE as u64,
        pair.engine.calls(),
        pair.engine.transactions(),
    );
    let mut group = criterion.benchmark_group("engine");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(1));
    for step in [Step::Invite, Step::Ringing, Step::Bye] {
        group.bench_function(format!("{step:?} in, out again"), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    for other in Step::ALL {
                        pair.write(other);
                        let began = Instant::now();
                        let sent = pair.handle(other);
                        if other == step {
                            spent += began.elapsed();
                        }
                        assert!(sent > 0, "{other:?} caused nothing");
                    }
                    pair.pass_time();
                }
                spent
            });
        });
    }
    group.bench_function("whole call, INVITE to the answer of BYE, and its timers", |bencher| {
        bencher.iter(|| pair.call());
    });
    let mut pair = Pair::on(pair::plan_with(&[]));
    (0..CALLS_BEFORE).for_each(|_| pair.call());
    group.bench_function("the same, and the INVITE says where the phone is", |bencher| {
        bencher.iter(|| pair.call());
    });
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
