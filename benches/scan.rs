//! Octets to positions: scanning an INVITE as phones write them, and reading its mandatory headers.
#![allow(missing_docs)] // the macros of criterion make public items

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use emcc_trunk::sip::{Index, Strictness, essentials, scan};

#[path = "pair/wire.rs"]
mod wire;

fn scanning(criterion: &mut Criterion) {
    let invite = wire::invite();
    let octets = invite.as_bytes();
    assert!((1_100..=1_300).contains(&octets.len()), "an INVITE of {} octets", octets.len());
    let mut group = criterion.benchmark_group("scan");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Bytes(octets.len() as u64));
    let mut index = Index::new();
    group.bench_function("INVITE", |bencher| {
        bencher.iter(|| {
            let message = scan(black_box(octets), &mut index);
            message.map(|message| message.fields().len()).unwrap_or_default()
        });
    });
    group.bench_function("INVITE and essentials", |bencher| {
        bencher.iter(|| {
            let Ok(message) = scan(black_box(octets), &mut index) else { return 0 };
            essentials(&message, Strictness::default()).map(|of| of.call_id.len()).unwrap_or_default()
        });
    });
    group.finish();
}

criterion_group!(benches, scanning);
criterion_main!(benches);
