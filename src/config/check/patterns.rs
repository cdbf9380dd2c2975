//! Patterns against each other: equal ones, translations that go in circles, numbers that belong to two.

use crate::config::document::{Document, PatternKind, Text};
use crate::config::plan::build::Routing;
use crate::config::plan::dial_plan::{Dialing, Origin};
use crate::config::report::{At, Place, Report};
use crate::config::words::STANDARD_LOCAL_ROUTE_GROUP;
use ahash::{AHashMap, AHashSet};
use emcc_policies::digits::{Discard, Pattern};
use emcc_policies::emergency::{Called, EmergencyNumbers};
use emcc_policies::moment::Civil;
use emcc_policies::route::{Member, RouteListId};
use emcc_policies::search_space::{Circle, Circles, Outcome, PatternId, SearchSpace, Target};

pub(super) fn check(
    document: &Document,
    dialing: &Dialing<'_>,
    routing: &Routing<'_>,
    spaces: &[SearchSpace],
    moments: &[Civil],
    report: &Report,
) {
    alone(document, dialing, report);
    circles(dialing, &routing.book.emergency, spaces, moments, report);
    discards(document, dialing, routing, report);
}

/// What is said of patterns and numbers whatever others there are.
pub(super) fn alone(document: &Document, dialing: &Dialing<'_>, report: &Report) {
    equal(dialing, report);
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
fn circles(dialing: &Dialing<'_>, own: &EmergencyNumbers, spaces: &[SearchSpace], moments: &[Civil], report: &Report) {
    let Circles { found, unproved } = dialing.plan.circles(spaces, moments);
    let looked_at = || spaces.iter().flat_map(|css| moments.iter().map(move |at| (css, *at)));
    for Circle { row, digits } in found {
        let Some(origin) = dialing.origin(row) else { continue };
        // An emergency is recognised as dialed, or by a pattern on the way (P-23).
        let mut rounds = looked_at().map(|(css, at)| dialing.plan.analyse(css, &digits, None, at));
        let is_emergency = own.recognise(&dialing.plan, Called::Number(&digits), false).is_some()
            || rounds
                .find(|way| {
                    way.translations.first() == Some(&row) && matches!(way.outcome, Outcome::StillTranslating { .. })
                })
                .is_some_and(|way| way.emergency);
        let so = if is_emergency { "the emergency call goes on by P-23 alone" } else { "the call is refused" };
        let message = format!("{digits} is still translated after ten passes, so {so} (D-15)");
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

/// Discard instructions that discard nothing, or everything (D-22).
fn discards(document: &Document, dialing: &Dialing<'_>, routing: &Routing<'_>, report: &Report) {
    let cuts = |discard: Option<Discard>| matches!(discard, Some(Discard::PreDot | Discard::PreDotTrailingHash));
    let dotless = |pattern: &At<Pattern>, discard| {
        if cuts(discard) && !pattern.value.has_dot() {
            let message = format!("PreDot discards nothing: there is no dot in \"{}\" (D-22)", pattern.value.text());
            report.warning(&pattern.place, message, "Put the dot behind the digits to discard, or remove PreDot.");
        }
    };
    document.transformations.iter().for_each(|row| dotless(&row.pattern, row.transform.discard));
    for (id, row) in dialing.plan.rows() {
        let Some(Origin::Row(written)) = dialing.origin(id) else { continue };
        dotless(&written.pattern, row.transform.discard);
        let by = match row.target {
            Target::RouteList(list) => {
                let mut members = routing.book.transforms(list, row);
                let emptied = members.find(|(_, transform)| transform.leaves_nothing(&row.pattern));
                emptied.map(|(member, _)| {
                    let (member, list) = (member_name(document, member), list_name(document, list));
                    format!(" by the member \"{member}\" of route list \"{list}\"")
                })
            }
            Target::Translate { .. } => row.transform.leaves_nothing(&row.pattern).then(String::new),
            Target::Block | Target::DirectoryNumber { .. } => None,
        };
        if let Some(by) = by {
            let text = row.pattern.text();
            let message = format!("\"{text}\" leaves nothing of the number it takes{by} (D-22)");
            let fix = "Put the dot before the digits to keep, or write prefix_digits.";
            report.error(&written.pattern.place, message, fix);
        }
    }
}

/// Numbers of several users, and numbers of a roaming user and a local device.
fn numbers(document: &Document, report: &Report) {
    if document.users.is_empty() {
        return;
    }
    let mut devices = AHashMap::new();
    for device in &document.devices {
        for number in &device.directory_numbers {
            devices.entry(number.as_str()).or_insert(device.name.as_str());
        }
    }
    let roaming = document.sessions.iter().filter(|session| session.visiting_cluster.is_some());
    let abroad: AHashSet<_> = roaming.filter_map(|session| session.user.as_ref()).map(|name| name.as_str()).collect();
    let mut owners: AHashMap<&str, &str> = AHashMap::new();
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

/// Intercom needs a static device, so nobody who may log in abroad, or is, may have such a line (domain table 4).
fn intercom(document: &Document, report: &Report) {
    let lines = document.patterns.iter().filter(|row| row.kind == PatternKind::DirectoryNumber && row.intercom);
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let has_session =
        |user: &str| document.sessions.iter().any(|session| session.user.as_ref().is_some_and(|of| of.value == user));
    for user in &document.users {
        let is_abroad = has_session(&user.id.value);
        let Some(number) = user.directory_number.as_ref().filter(|_| user.emcc_enabled || is_abroad) else { continue };
        let Ok(digits) = crate::config::words::digits(&number.value) else { continue };
        if lines.iter().any(|line| line.pattern.value.matches(&digits).full) {
            let message = format!("{} is an intercom line, which no EMCC user may have (table 4)", number.value);
            let fix = if is_abroad {
                "Give the user another number, or take the user's emcc_session away."
            } else {
                "Give the user another number, or write emcc_enabled = false."
            };
            report.error(&number.place, message, fix);
        }
    }
}

/// A route list by its id.
pub(super) fn list_name(document: &Document, id: RouteListId) -> &str {
    document.route_lists.get(id.0 as usize).map(|list| list.name.as_str()).unwrap_or_default()
}

/// A member of a route list.
pub(super) fn member_name(document: &Document, member: Member) -> &str {
    let mut local = document.device_pools.iter().flat_map(|pool| &pool.local_route_groups).map(|(name, _)| name);
    let name = match member {
        Member::Standard => return STANDARD_LOCAL_ROUTE_GROUP,
        Member::Group(id) => document.route_groups.get(id.0 as usize).map(|group| &group.name),
        Member::Named(id) => local.nth(id.0 as usize),
    };
    name.map(|name| name.as_str()).unwrap_or_default()
}
