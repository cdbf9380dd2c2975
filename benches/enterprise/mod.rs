//! A dial plan as a large enterprise has it, of any size: a thousand sites with a partition each.
//!
//! Two thirds are directory numbers, of eight digits and in E.164; the rest are route patterns to area codes and
//! countries, short numbers translated into full ones, and the patterns every site has, emergency numbers among them.
#![allow(dead_code, unreachable_pub)] // each bench and test uses its part

use emcc_policies::digits::{Digits, Mask, Pattern, RowTransform, Transform};
use emcc_policies::route::RouteListId;
use emcc_policies::search_space::{
    CssId, DialPlan, DialPlanBuilder, PartitionId, PatternId, Row, Target, TranslateCss,
};

/// Sites, each a partition.
pub const SITES: u32 = 1_000;
/// Partitions of the caller's search space.
pub const LISTED: u32 = 100;

/// What every site has, in the order sites get them.
const EVERYWHERE: [&str; 8] =
    ["9.911", "9.[2-9]XXXXXX", "9.1[2-9]XX[2-9]XXXXXX", "911", "9.011!", "9.011!#", "*7X", "9.1900XXXXXXX"];

/// What a pattern of the plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A phone.
    Number,
    /// A way out.
    Route,
    /// A number rewritten, and its mask.
    Translation(u32),
}

/// Pattern `number` of the plan: its site, its text, what it is.
pub fn pattern(number: u32) -> (u32, String, Kind) {
    let (site, at) = (number % SITES, number / SITES);
    // A bijection, so that numbers are spread and no two are equal.
    let spread = at * 7_919 % 10_000;
    let (text, kind) = match (site / (SITES / LISTED) + at) % 20 {
        0 if at / 20 < 8 => (EVERYWHERE[((at / 20 + site) % 8) as usize].to_owned(), Kind::Route),
        0 | 1 => (format!("9.1{:03}{:04}XXX", 200 + site % 800, spread), Kind::Route),
        2 => (format!("9.011{:03}{:04}!", 100 + site % 900, spread), Kind::Route),
        3 => (format!("9.00{:03}{:03}[2-9]X+", site, spread % 1_000), Kind::Route),
        4 | 5 => (format!("{spread:04}"), Kind::Translation(site)),
        6..=10 => (format!("\\+44{:03}{:04}{:03}", site, spread, (at * 31 + site) % 1_000), Kind::Number),
        _ => (format!("8{site:03}{spread:04}"), Kind::Number),
    };
    (site, text, kind)
}

fn row(text: &str, partition: PartitionId, transform: RowTransform, target: Target) -> Row {
    Row {
        pattern: Pattern::parse(text).unwrap_or_else(|why| panic!("{text}: {why:?}")),
        partition: Some(partition),
        urgent: false,
        emergency: text.ends_with("911"),
        transform,
        target,
    }
}

/// A plan of so many patterns, with the search space of a caller.
pub struct Plan {
    /// It.
    pub plan: DialPlan,
    /// Of the caller.
    pub css: CssId,
}

/// A plan of `patterns` patterns.
pub fn plan(patterns: u32) -> Plan {
    let mut builder = DialPlanBuilder::default();
    let partitions: Vec<PartitionId> = (0..SITES).map(|_| builder.partition(None)).collect();
    let every = (SITES / LISTED) as usize;
    let css = builder.css(&partitions.iter().copied().step_by(every).collect::<Vec<_>>());
    for number in 0..patterns {
        let (site, text, kind) = pattern(number);
        let (transform, target) = match kind {
            Kind::Number => (RowTransform::default(), Target::DirectoryNumber { peer: None, intercom: false }),
            Kind::Route => (RowTransform::default(), Target::RouteList(RouteListId(0))),
            Kind::Translation(site) => {
                let mask = Mask::parse(&format!("8{site:03}XXXX")).ok();
                let transform = Transform { called_mask: mask, ..Transform::NONE };
                (transform.into(), Target::Translate { css: TranslateCss::Css(css) })
            }
        };
        builder.row(row(&text, partitions[site as usize], transform, target));
    }
    Plan { plan: builder.build(), css }
}

/// A number of this row: wildcards stand for the digits of `seed`.
pub fn dialed(plan: &DialPlan, id: PatternId, seed: u32) -> Digits {
    let text = plan.row(id).map(|row| row.pattern.text().to_owned()).unwrap_or_default();
    let mut made = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            'X' => made.push(char::from(b'0' + (seed % 10) as u8)),
            '!' => made.push_str("4420794"),
            '[' => {
                made.extend(characters.by_ref().take_while(|inside| *inside != ']').last());
            }
            '\\' => made.extend(characters.next()),
            '.' | '+' => {}
            digit => made.push(digit),
        }
    }
    Digits::from_bytes(made.as_bytes()).unwrap_or(Digits::EMPTY)
}

/// So many numbers of rows that the caller reaches and `wanted` picks, spread over the plan.
pub fn numbers(plan: &Plan, count: usize, wanted: impl Fn(&Row) -> bool) -> Vec<Digits> {
    let reached = |row: &Row| plan.plan.rank(&[plan.css], row.partition).is_some();
    let ids: Vec<PatternId> =
        plan.plan.rows().filter(|(_, row)| reached(row) && wanted(row)).map(|(id, _)| id).collect();
    assert!(!ids.is_empty(), "no such row");
    (0..count).map(|at| dialed(&plan.plan, ids[at * 7_919 % ids.len()], at as u32)).collect()
}
