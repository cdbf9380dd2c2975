//! Digit analysis: the pair's own dial plan, and a large enterprise's of a thousand patterns up to a million.
#![allow(missing_docs)] // the macros of criterion make public items

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use emcc_policies::digits::Digits;
use emcc_policies::emergency::{Called, EmergencyNumbers};
use emcc_policies::moment::Civil;
use emcc_policies::search_space::{CssId, Outcome, Row, Target};

mod enterprise;
mod pair;

const NOW: Civil = Civil(1_700_000_000);
/// Different numbers dialed in turn: more than a cache holds the way to.
const NUMBERS: usize = 4_096;

fn digits(text: &str) -> Digits {
    Digits::from_bytes(text.as_bytes()).unwrap_or(Digits::EMPTY)
}

/// Numbers, each length once: what nobody has, and what is only the beginning of numbers.
fn unknown(beginning: &str, count: usize) -> Vec<Digits> {
    (0..count).map(|at| digits(&format!("{beginning}{at:04}"))).collect()
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
    for patterns in [1_000, 10_000, 100_000, 1_000_000] {
        let large = enterprise::plan(patterns);
        let (plan, css) = (&large.plan, [large.css]);
        let is_number = |row: &Row| matches!(row.target, Target::DirectoryNumber { .. });
        let is_route = |row: &Row| matches!(row.target, Target::RouteList(_)) && !row.emergency;
        let is_translation = |row: &Row| matches!(row.target, Target::Translate { .. });
        let kinds = [
            ("number", enterprise::numbers(&large, NUMBERS, is_number), true),
            ("route", enterprise::numbers(&large, NUMBERS, is_route), true),
            ("translation", enterprise::numbers(&large, NUMBERS, is_translation), true),
            ("no match", unknown("6555", NUMBERS), false),
            ("beginning", unknown("9001", 16).iter().map(|_| digits("90")).collect(), false),
        ];
        for (what, dialed, is_found) in kinds {
            let found = dialed.iter().filter(|dialed| plan.analyse(&css, dialed, None, NOW).outcome.row().is_some());
            let found = found.count();
            assert!(what == "translation" || found == if is_found { dialed.len() } else { 0 }, "{what}: {found} found");
            let mut at = 0;
            group.bench_function(BenchmarkId::new(what, patterns), |bencher| {
                bencher.iter(|| {
                    at = (at + 1) % dialed.len();
                    plan.analyse(&css, black_box(&dialed[at]), None, NOW)
                });
            });
        }
        // What grows with the digits dialed: numbers abroad, whose pattern takes any rest.
        let is_abroad =
            |row: &Row| is_route(row) && row.pattern.text().starts_with("9.011") && row.pattern.text().ends_with('!');
        for length in [16, 24, 32, 40, 48] {
            let mut dialed = enterprise::numbers(&large, NUMBERS, is_abroad);
            for number in &mut dialed {
                let rest = "5".repeat(length);
                *number = digits(&format!("{number}{rest}")[..length]);
            }
            assert!(dialed.iter().all(|dialed| plan.analyse(&css, dialed, None, NOW).outcome.row().is_some()));
            let mut at = 0;
            group.bench_function(BenchmarkId::new(format!("{length} digits"), patterns), |bencher| {
                bencher.iter(|| {
                    at = (at + 1) % dialed.len();
                    plan.analyse(&css, black_box(&dialed[at]), None, NOW)
                });
            });
        }
        let (emergencies, dialed) = (EmergencyNumbers::default(), digits("9911"));
        assert!(matches!(plan.analyse(&css, &dialed, None, NOW).outcome, Outcome::Found { .. }));
        group.bench_function(BenchmarkId::new("emergency recognised and analysed", patterns), |bencher| {
            bencher.iter(|| {
                let recognised = emergencies.recognise(plan, Called::Number(black_box(&dialed)), false);
                (recognised, plan.analyse(&css, &dialed, None, NOW))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, analysis);
criterion_main!(benches);
