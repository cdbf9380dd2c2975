//! Adjunct search spaces: the emergency patterns of the country visited, which must leave there (P-3).

use crate::config::document::{Document, PatternKind, RouteList};
use crate::config::report::Report;
use std::collections::{HashMap, HashSet};

/// Warns of each emergency pattern that an adjunct CSS has and whose route list has no local route group: an EMCC phone's
/// call to it leaves by a gateway of this cluster (P-6), for the wrong country.
pub(super) fn check(document: &Document, report: &Report) {
    let mut adjuncts: HashMap<&str, &str> = HashMap::new();
    for pool in &document.device_pools {
        if let Some(css) = &pool.adjunct_css {
            adjuncts.entry(css.as_str()).or_insert(pool.name.as_str());
        }
    }
    let mut carried: HashMap<&str, (&str, &str)> = HashMap::new();
    for space in &document.spaces {
        let Some(pool) = adjuncts.get(space.name.as_str()) else { continue };
        for partition in &space.partitions {
            carried.entry(partition.as_str()).or_insert((space.name.as_str(), pool));
        }
    }
    if carried.is_empty() {
        return;
    }
    let groups: HashSet<_> = document.route_groups.iter().map(|group| group.name.as_str()).collect();
    // A list that cannot be found, or has no members, is told elsewhere.
    let has_none =
        |list: &RouteList| !list.members.is_empty() && list.members.iter().all(|name| groups.contains(name.as_str()));
    let lists: HashSet<_> =
        document.route_lists.iter().filter(|list| has_none(list)).map(|list| list.name.as_str()).collect();
    let rows = document.patterns.iter().filter(|row| row.kind == PatternKind::Route && row.emergency && !row.block);
    for row in rows {
        let found = row.partition.as_ref().and_then(|name| carried.get(name.as_str()));
        let list = row.target.as_ref().filter(|name| lists.contains(name.as_str()));
        let (Some((css, pool)), Some(list)) = (found, list) else { continue };
        let message = format!(
            "the emergency pattern \"{}\" is in the adjunct CSS \"{css}\" of device pool \"{pool}\", and its route list \
             \"{}\" has no local route group: an EMCC phone's call leaves by a gateway here, not where the phone is (P-3)",
            row.pattern.value.text(),
            list.value
        );
        let fix = "Name a route list with the Standard Local Route Group.";
        report.warning(&row.pattern.place, message, fix);
    }
}
