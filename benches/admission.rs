//! The ledger of a link: reserve, adjust, release; alone, and behind the one lock that two workers share.
#![allow(missing_docs)] // the macros of criterion make public items
#![allow(clippy::disallowed_methods)] // a bench reads the clock: that is what it is for

use std::hint::black_box;
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use emcc_policies::admission::{Ask, Capacity, Link, RsvpPolicy};

fn link() -> Link {
    Link::new(0, Capacity { audio_kbps: Some(2_000), video_kbps: Some(4_000) })
}

/// What a call does to a link over its life, each step under the lock for itself, as the engine has it.
fn call(link: &Mutex<Link>) {
    let with = |work: &mut dyn FnMut(&mut Link)| work(&mut link.lock().unwrap_or_else(PoisonError::into_inner));
    let mut held = None;
    with(&mut |link| {
        held = link.reserve(RsvpPolicy::Mandatory, black_box(Ask::audio(24)), false).ok().map(|grant| grant.held);
    });
    let Some(mut held) = held else { return };
    with(&mut |link| assert!(link.adjust(&mut held, black_box(Ask::audio(16))).is_ok()));
    let mut held = Some(held);
    with(&mut |link| {
        if let Some(held) = held.take() {
            assert!(link.release(held));
        }
    });
}

fn ledger(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("admission");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut alone = link();
    group.bench_function("reserve, adjust, release", |bencher| {
        bencher.iter(|| {
            let grant = alone.reserve(RsvpPolicy::Mandatory, black_box(Ask::audio(24)), false);
            let Ok(grant) = grant else { return false };
            let mut held = grant.held;
            alone.adjust(&mut held, black_box(Ask::audio(16))).is_ok() && alone.release(held)
        });
    });
    let shared = Mutex::new(link());
    group.bench_function("the same, locked", |bencher| bencher.iter(|| call(&shared)));
    group.bench_function("the same, locked, two threads", |bencher| {
        // The time in which two threads do `rounds` calls each, so a call of one of them.
        bencher.iter_custom(|rounds| {
            let start = Barrier::new(2);
            let lane = || {
                start.wait();
                let began = Instant::now();
                (0..rounds).for_each(|_| call(&shared));
                began.elapsed()
            };
            thread::scope(|scope| {
                let other = scope.spawn(lane);
                let mine = lane();
                other.join().map_or(mine, |theirs| theirs.max(mine))
            })
        });
    });
    assert_eq!(shared.into_inner().map(|link| link.holders()).unwrap_or(1), 0);
    group.finish();
}

criterion_group!(benches, ledger);
criterion_main!(benches);
