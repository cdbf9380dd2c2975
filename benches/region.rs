//! Region policy on an offer of eight codecs: filtered by the pair's cap, and only ordered under a high one.
#![allow(missing_docs)] // the macros of criterion make public items

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use emcc_policies::region::{Allowed, Region, Role, Trail, VariableRate};

#[path = "pair/wire.rs"]
mod wire;

fn applying(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("region");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Bytes(wire::OFFER.len() as u64));
    let wide = Region { audio_kbps: 510, variable_rate: VariableRate::Bound, ..Region::default() };
    for (what, region) in [("filter at 8 kbit/s", Region::default()), ("order at 510 kbit/s", wide)] {
        let (mut out, mut trail) = (Vec::with_capacity(2_048), Trail::new());
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                out.clear();
                trail.clear();
                let offer = black_box(wire::OFFER.as_bytes());
                let shaped = region.apply(offer, Role::Offer, Allowed::AudioAndVideo, &mut trail, &mut out);
                assert!(shaped.is_ok_and(|shaped| shaped.changed));
                out.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, applying);
criterion_main!(benches);
