//! Patterns against each other: equal ones, translations that go in circles, numbers that belong to two.

use crate::config::document::{Document, PatternKind, Text};
use crate::config::plan::dial_plan::{Dialing, Origin};
use crate::config::report::{At, Place, Report};
use emcc_policies::digits::Pattern;
use emcc_policies::moment::Civil;
use emcc_policies::search_space::{Circle, Circles, PatternId, SearchSpace};
use std::collections::{HashMap, HashSet};

pub(super) fn check(
    document: &Document,
    dialing: &Dialing<'_>,
    spaces: &[SearchSpace],
    moments: &[Civil],
    report: &Report,
) {
    equal(dialing, report);
    circles(dialing, spaces, moments, report);
    numbers(document, report);
    intercom(document, report);
}

/// Two patterns of one partition that match the same numbers.
fn equal(dialing: &Dialing<'_>, report: &Report) {
    for (_, plan, rows) in dialing.transformations() {
        for (first, other) in plan.equal_rows() {
            let row = |id: PatternId| rows.get(id.0 as usize);
            let (Some(first), Some(written)) = (row(first), row(other)) else { continue };
            same_numbers(&written.pattern, written.partition.as_ref(), &first.pattern.place, report);
        }
    }
    for (first, other) in dialing.plan.equal_rows() {
        let (Some(first), Some(Origin::Row(written))) = (dialing.origin(first), dialing.origin(other)) else {
            continue;
        };
        same_numbers(&written.pattern, written.partition.as_ref(), first.place(), report);
    }
}

fn same_numbers(pattern: &At<Pattern>, partition: Option<&Text>, first: &Place, report: &Report) {
    let (file, line, _) = report.locate(first);
    let partition = partition.map_or("no partition".to_owned(), |p| format!("partition \"{}\"", p.value));
    let text = pattern.value.text();
    let message = format!("\"{text}\" matches the same numbers as the pattern at {file}:{line}, both in {partition}");
    report.error(&pattern.place, message, "Remove one of them, or put it into another partition.");
}

/// Translations that take a number which the tenth pass still translates (D-15), in any search space at any hour.
fn circles(dialing: &Dialing<'_>, spaces: &[SearchSpace], moments: &[Civil], report: &Report) {
    let Circles { found, unproved } = dialing.plan.circles(spaces, moments);
    for Circle { row, digits } in found {
        let Some(origin) = dialing.origin(row) else { continue };
        let message = format!("{digits} is still translated after ten passes, so the call is refused (D-15)");
        report.warning(origin.place(), message, "Give the translation a CSS that does not reach it again.");
    }
    if let Some(origin) = unproved.first().and_then(|id| dialing.origin(*id)) {
        let message = format!(
            "the numbers of {} translations, this one the first, take too many ways for each to be followed: one that is \
             translated in a circle may be missing here",
            unproved.len()
        );
        report.warning(origin.place(), message, "Give translations search spaces that reach no other translation.");
    }
}

/// Numbers of several users, and numbers of a roaming user and a local device.
fn numbers(document: &Document, report: &Report) {
    let mut devices = HashMap::new();
    for device in &document.devices {
        for number in &device.directory_numbers {
            devices.entry(number.as_str()).or_insert(device.name.as_str());
        }
    }
    let roaming = document.sessions.iter().filter(|session| session.visiting_cluster.is_some());
    let abroad: HashSet<_> = roaming.filter_map(|session| session.user.as_ref()).map(|name| name.as_str()).collect();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for user in &document.users {
        let Some(number) = user.directory_number.as_ref() else { continue };
        if let Some(other) = owners.get(number.as_str()) {
            let message =
                format!("{} is the number of both \"{other}\" and \"{}\" (error 47)", number.value, user.id.value);
            report.warning(&number.place, message, "Give each user a number of their own.");
        }
        owners.entry(number.as_str()).or_insert(user.id.as_str());
        let roams = user.emcc_enabled || abroad.contains(user.id.as_str());
        if let Some(device) = devices.get(number.as_str()).filter(|_| roams) {
            let message = format!(
                "{} belongs to the roaming user \"{}\" and to device \"{device}\"",
                number.value, user.id.value
            );
            report.warning(
                &number.place,
                message,
                "Give one of them another number; calls from it count as the device's.",
            );
        }
    }
}

/// Intercom needs a static device, so no EMCC user may have such a line (domain table 4).
fn intercom(document: &Document, report: &Report) {
    let lines = document.patterns.iter().filter(|row| row.kind == PatternKind::DirectoryNumber && row.intercom);
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return;
    }
    for user in document.users.iter().filter(|user| user.emcc_enabled) {
        let Some(number) = user.directory_number.as_ref() else { continue };
        let Ok(digits) = crate::config::words::digits(&number.value) else { continue };
        if lines.iter().any(|line| line.pattern.value.matches(&digits).full) {
            let message = format!("{} is an intercom line, which no EMCC user may have (table 4)", number.value);
            report.error(&number.place, message, "Give the user another number, or write emcc_enabled = false.");
        }
    }
}
