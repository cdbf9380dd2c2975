//! What is written for emergency calls (P-23) and does less than it seems to.

use super::emergency::NUMBERS_OF_PATTERN_MAX;
use crate::config::document::{Document, PatternKind};
use crate::config::plan::dial_plan::Dialing;
use crate::config::report::{At, Place, Report};
use emcc_policies::digits::Digits;
use emcc_policies::emergency::{Called, EmergencyNumbers, PLUS_DIGITS_MAX, number_of};
use emcc_policies::search_space::Row;
use std::collections::HashSet;

pub(super) fn check(document: &Document, dialing: &Dialing<'_>, own: &EmergencyNumbers, report: &Report) {
    as_dialed(document, dialing, own, report);
    idle_access_codes(document, dialing, own, report);
}

/// Patterns that are emergency ones and blocks: their numbers are emergencies, which the block then gives no way.
pub(super) fn blocks(document: &Document, report: &Report) {
    for row in document.patterns.iter().filter(|row| row.emergency && row.block) {
        let message = format!(
            "the emergency pattern \"{}\" is a block: its calls go on to other emergency patterns and the last resort",
            row.pattern.value.text()
        );
        let fix = match row.kind {
            PatternKind::Translation => "Take block = true off it, or emergency = true.",
            _ => "Write route_list in place of block = true, or take emergency = true off it.",
        };
        report.warning(&row.pattern.place, message, fix);
    }
}

fn is_emergency(dialing: &Dialing<'_>, own: &EmergencyNumbers, number: &Digits) -> bool {
    let read = own.read(&dialing.plan, number.as_bytes());
    read.is_ok_and(|read| own.recognise(&dialing.plan, Called::Number(&read), false).is_some())
}

/// Emergency numbers that only begin with a `+` or end with a `#`: what is dialled may have these and need not, the number
/// they are written with does not do without.
fn as_dialed(document: &Document, dialing: &Dialing<'_>, own: &EmergencyNumbers, report: &Report) {
    let mut told = HashSet::new();
    let mut tell = |place: &Place, numbers: &[Digits]| {
        let is_lost = |number: &&Digits| bare(number).is_some_and(|bare| is_new(dialing, own, &bare));
        let Some((number, bare)) = numbers.iter().find(is_lost).and_then(|number| Some((number, bare(number)?))) else {
            return;
        };
        if told.insert(bare) {
            let message = format!("{number} is an emergency number, and {bare}, as people dial it, is none");
            let fix = format!("List \"{bare}\" in emergency.numbers, or write it as an emergency pattern of its own.");
            report.warning(place, message, fix);
        }
    };
    for at in &document.emergency.numbers {
        tell(&at.place, &[at.value]);
    }
    for (id, row) in dialing.plan.rows().filter(|(_, row)| row.emergency) {
        if let Some(origin) = dialing.origin(id) {
            tell(origin.place(), &numbers_of(row));
        }
    }
}

fn numbers_of(row: &Row) -> Vec<Digits> {
    row.pattern.shortest_numbers(NUMBERS_OF_PATTERN_MAX)
}

/// The number without its last `#` and, where it is none of E.164, its `+`; nothing where it has neither.
fn bare(number: &Digits) -> Option<Digits> {
    let written = number.as_bytes();
    let without_end = written.strip_suffix(b"#").unwrap_or(written);
    let behind_plus = without_end.strip_prefix(b"+").filter(|rest| rest.len() <= PLUS_DIGITS_MAX);
    let bare = behind_plus.unwrap_or(without_end);
    let is_less = !bare.is_empty() && bare.len() < written.len();
    Digits::from_bytes(bare).ok().filter(|_| is_less)
}

/// Whether a number is no emergency number, and nothing behind what may be its country code either.
fn is_new(dialing: &Dialing<'_>, own: &EmergencyNumbers, bare: &Digits) -> bool {
    let behind = |code: usize| Digits::from_bytes(bare.as_bytes().get(code..)?).ok().filter(|rest| !rest.is_empty());
    !(0..=COUNTRY_CODE_DIGITS_MAX).filter_map(behind).any(|number| is_emergency(dialing, own, &number))
}

/// Digits of the longest country code.
const COUNTRY_CODE_DIGITS_MAX: usize = 3;

/// Access codes that stand before no emergency number: they count before those of `emergency.numbers`, and there are none.
fn idle_access_codes(document: &Document, dialing: &Dialing<'_>, own: &EmergencyNumbers, report: &Report) {
    if !own.numbers.is_empty() {
        return;
    }
    let rows = || dialing.plan.rows().filter(|(_, row)| row.emergency).map(|(_, row)| row);
    let flagged: Vec<Digits> = rows().flat_map(numbers_of).collect();
    let alone: Vec<Digits> =
        rows().flat_map(|row| numbers_of(row).into_iter().map(|dialed| number_of(row, &dialed))).collect();
    for At { value: code, place } in &document.emergency.access_codes {
        let counts =
            |number: &Digits| code.then(number).is_ok_and(|dialed| dialing.plan.emergency_match(&dialed).is_some());
        // Before the dot of a pattern it stands by that pattern alone.
        if flagged.iter().any(counts) {
            continue;
        }
        let lost = alone.iter().find(|number| !counts(number));
        let so = lost.map_or_else(String::new, |number| format!(": {code}{number} is no emergency number"));
        let message =
            format!("the access code \"{code}\" counts before emergency.numbers alone, and there are none{so}");
        let number = lost.or(alone.first()).map_or("112", Digits::as_str);
        let fix = format!("Write numbers = [\"{number}\"] in [emergency], or remove the access code.");
        report.warning(place, message, fix);
    }
}
