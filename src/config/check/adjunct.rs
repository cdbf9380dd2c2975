//! Adjunct search spaces: the emergency patterns of the country visited, which must leave there (P-3).

use super::emergency::{NUMBERS_OF_PATTERN_MAX, SEARCHES_MAX};
use crate::config::document::{Document, RouteList};
use crate::config::plan::dial_plan::{Dialing, Origin};
use crate::config::report::Report;
use emcc_policies::moment::Civil;
use emcc_policies::search_space::{CssId, Outcome, PatternId, Target};
use std::collections::{HashMap, HashSet};

/// Warns of each emergency pattern that an adjunct CSS has and whose route list has no local route group: an EMCC phone's
/// call to it leaves by a gateway of this cluster (P-6), for the wrong country. A translation is followed to where it leads
/// at any of the `moments`.
pub(super) fn check(document: &Document, dialing: &Dialing<'_>, moments: &[Civil], report: &Report) {
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
    let (plan, mut searches) = (&dialing.plan, SEARCHES_MAX);
    for (id, row) in plan.rows().filter(|(_, row)| row.emergency) {
        let partition = row.partition.and_then(|id| dialing.partition_names.get(id.0 as usize));
        let Some((css, pool)) = partition.and_then(|name| carried.get(*name)) else { continue };
        let (Some(Origin::Row(written)), Some(space)) = (dialing.origin(id), dialing.spaces.get(*css)) else {
            continue;
        };
        let leads = match row.target {
            Target::RouteList(_) => vec![id],
            Target::Translate { .. } => followed(dialing, *space, id, moments, &mut searches),
            Target::Block | Target::DirectoryNumber { .. } => Vec::new(),
        };
        let list = leads.iter().find_map(|id| match dialing.origin(*id)? {
            Origin::Row(row) => row.target.as_ref().filter(|name| lists.contains(name.as_str())),
            Origin::Number(_) => None,
        });
        let Some(list) = list else { continue };
        let text = row.pattern.text();
        let (what, whose) = match row.target {
            Target::Translate { .. } => (
                format!("the emergency translation \"{text}\""),
                format!("the route list \"{}\" it leads to", list.value),
            ),
            _ => (format!("the emergency pattern \"{text}\""), format!("its route list \"{}\"", list.value)),
        };
        let message = format!(
            "{what} is in the adjunct CSS \"{css}\" of device pool \"{pool}\", and {whose} has no local route group: an EMCC \
             phone's call leaves by a gateway here, not where the phone is (P-3)"
        );
        let fix = "Name a route list with the Standard Local Route Group.";
        report.warning(&written.pattern.place, message, fix);
    }
}

/// The patterns that take the numbers of a translation once they are translated, in its search space, where these lead out.
fn followed(
    dialing: &Dialing<'_>,
    space: CssId,
    translation: PatternId,
    moments: &[Civil],
    searches: &mut usize,
) -> Vec<PatternId> {
    let row = dialing.plan.row(translation);
    let numbers = row
        .map(|row| dialing.plan.shortest_apart(&row.pattern, &[], NUMBERS_OF_PATTERN_MAX, searches))
        .unwrap_or_default();
    let looked_at = numbers.iter().flat_map(|number| moments.iter().map(move |at| (number, *at)));
    let found = looked_at.filter_map(|(number, at)| {
        let analysis = dialing.plan.analyse(&[space], number, None, at);
        let Outcome::Found { row, .. } = analysis.outcome else { return None };
        let leads_out = matches!(dialing.plan.row(row)?.target, Target::RouteList(_));
        (leads_out && analysis.translations.contains(&translation)).then_some(row)
    });
    found.collect()
}
