//! Digit analysis: the pair's own dial plan, and one of a hundred thousand patterns.
#![allow(missing_docs)] // the macros of criterion make public items

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use emcc_policies::digits::{Digits, Pattern, RowTransform};
use emcc_policies::moment::Civil;
use emcc_policies::route::RouteListId;
use emcc_policies::search_space::{CssId, DialPlan, DialPlanBuilder, Row, Target};

mod pair;

const NOW: Civil = Civil(1_700_000_000);
/// Patterns of the large plan.
const PATTERNS: u32 = 100_000;

fn digits(text: &str) -> Digits {
    Digits::from_bytes(text.as_bytes()).unwrap_or(Digits::EMPTY)
}

fn row(pattern: &str, partition: emcc_policies::search_space::PartitionId) -> Row {
    Row {
        pattern: Pattern::parse(pattern).unwrap_or_else(|why| panic!("{pattern}: {why:?}")),
        partition: Some(partition),
        urgent: false,
        emergency: false,
        transform: RowTransform::default(),
        target: Target::RouteList(RouteListId(0)),
    }
}

/// Numbers of offices, ranges of them, and what catches the rest, spread over ten partitions of one search space.
fn large() -> (DialPlan, CssId) {
    let mut builder = DialPlanBuilder::default();
    let partitions: Vec<_> = (0..10).map(|_| builder.partition(None)).collect();
    let css = builder.css(&partitions);
    for number in 0..PATTERNS {
        let partition = partitions[number as usize % partitions.len()];
        let pattern = match number % 10 {
            0 => format!("9.{number:06}!"),
            1..=3 => format!("9.{number:06}XX[2-9]X"),
            _ => format!("{:07}", 2_000_000 + number),
        };
        builder.row(row(&pattern, partition));
    }
    (builder.build(), css)
}

fn analysis(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("analyse");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let plan = pair::plan();
    let css: Vec<CssId> = plan.dial_plan.search_spaces().take(3).collect();
    let abroad = digits("902079460000");
    assert!(plan.dial_plan.analyse(&css, &abroad, None, NOW).outcome.row().is_some());
    group.bench_function("pair", |bencher| {
        bencher.iter(|| plan.dial_plan.analyse(&css, black_box(&abroad), None, NOW));
    });
    let (plan, css) = large();
    for (what, number) in [("directory number", "2077777"), ("route pattern", "90500011234"), ("no match", "3123456")] {
        let dialed = digits(number);
        assert_eq!(plan.analyse(&[css], &dialed, None, NOW).outcome.row().is_some(), what != "no match", "{what}");
        group.bench_function(format!("100k patterns, {what}"), |bencher| {
            bencher.iter(|| plan.analyse(&[css], black_box(&dialed), None, NOW));
        });
    }
    group.finish();
}

criterion_group!(benches, analysis);
criterion_main!(benches);
