//! What nobody uses or can reach: usually a name that was meant for another.

use super::callers::Spaces;
use super::emergency::{Whose, whose};
use super::names::{Dangled, Names};
use crate::config::document::{Document, PatternKind, SearchSpace, Text, TransformationRow};
use crate::config::plan::dial_plan::Dialing;
use crate::config::report::Report;
use crate::config::section::nearest;
use crate::config::words::STANDARD_LOCAL_ROUTE_GROUP;
use ahash::{AHashMap, AHashSet};
use emcc_policies::route::{Party, PeerKind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub(super) fn check(document: &Document, names: &Names<'_>, dangled: &Dangled<'_>, report: &Report) {
    let spaces = InUse::of(document);
    let is_known = !dangled.is_of("css");
    for space in document.spaces.iter().filter(|space| is_known && !spaces.has_any(space)) {
        let message = format!("no caller has the calling search space \"{}\"", space.name.value);
        report.warning(
            &space.name.place,
            message,
            "Name it at a device, a user, a pool, a trunk or a translation, or remove it.",
        );
    }
    partitions(document, &spaces, dangled, report);
    pools_and_places(document, dangled, report);
    routes(document, names, dangled, report);
}

/// What goes through search spaces and their partitions, each by itself: a pattern of one is never met by another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Use {
    Calls,
    Calling,
    Called,
}

impl Use {
    const ALL: [Self; 3] = [Self::Calls, Self::Calling, Self::Called];

    fn of(row: &TransformationRow) -> Self {
        match row.party {
            Party::Calling => Self::Calling,
            Party::Called => Self::Called,
        }
    }

    /// What names its search space.
    fn key(self) -> &'static str {
        match self {
            Self::Calls => "css",
            Self::Calling => "calling_transform_css",
            Self::Called => "called_transform_css",
        }
    }

    /// What its patterns are called.
    fn patterns(self) -> &'static str {
        match self {
            Self::Calls => "patterns of calls",
            Self::Calling => "calling transformation patterns",
            Self::Called => "called transformation patterns",
        }
    }
}

/// Search spaces in use. The trunk's always counts: unknown phones get it (P-15).
struct InUse<'d> {
    names: AHashMap<Use, AHashSet<&'d str>>,
}

impl<'d> InUse<'d> {
    fn of(document: &'d Document) -> Self {
        let devices = document.devices.iter().filter_map(|device| device.css.as_ref());
        let users = document.users.iter().flat_map(|user| user.line_css.iter().chain(&user.emcc_css));
        let pools = document.device_pools.iter().filter_map(|pool| pool.adjunct_css.as_ref());
        let trunks = document.emcc_trunk.iter().chain(&document.rsvp_trunk).filter_map(|trunk| trunk.css.as_ref());
        let translations = document.patterns.iter().filter(|row| row.kind == PatternKind::Translation);
        let translations = translations.filter_map(|row| row.target.as_ref());
        let mut calls: AHashSet<&str> =
            devices.chain(users).chain(pools).chain(trunks).chain(translations).map(|name| name.as_str()).collect();
        if document.peers.iter().any(|peer| peer.kind.as_ref().is_some_and(|kind| kind.value == PeerKind::Gateway)) {
            add_of_gateways(document, &mut calls);
        }
        let ends = || document.transform_spaces();
        let names = [
            (Use::Calls, calls),
            (Use::Calling, ends().filter_map(|spaces| spaces.calling.as_ref()).map(|name| name.as_str()).collect()),
            (Use::Called, ends().filter_map(|spaces| spaces.called.as_ref()).map(|name| name.as_str()).collect()),
        ];
        Self { names: names.into_iter().collect() }
    }

    fn has(&self, used: Use, space: &SearchSpace) -> bool {
        self.names.get(&used).is_some_and(|names| names.contains(space.name.as_str()))
    }

    fn has_any(&self, space: &SearchSpace) -> bool {
        Use::ALL.into_iter().any(|used| self.has(used, space))
    }
}

/// Callers behind a gateway reach the lines of every search space, and what is translated into one: adds those that nobody
/// else has and that have such patterns of their own.
fn add_of_gateways<'d>(document: &'d Document, calls: &mut AHashSet<&'d str>) {
    let arriving = document.patterns.iter().filter(|row| {
        matches!(row.kind, PatternKind::DirectoryNumber | PatternKind::Translation) && row.partition.is_some()
    });
    let mut left: AHashSet<&str> =
        arriving.filter_map(|row| row.partition.as_ref()).map(|name| name.as_str()).collect();
    let listed = |space: &'d SearchSpace| space.partitions.iter().map(|name| name.as_str());
    for name in document.spaces.iter().filter(|space| calls.contains(space.name.as_str())).flat_map(listed) {
        left.remove(name);
    }
    for space in &document.spaces {
        if listed(space).filter(|name| left.remove(name)).count() > 0 {
            calls.insert(space.name.as_str());
        }
    }
}

/// The partitions that have patterns of that use, and of each the first pattern that is lost where nobody reaches it. Of
/// emergency patterns there is none: they are reached from everywhere when all else fails (P-23).
type Filled<'d> = BTreeMap<(Use, &'d str), Option<&'d Text>>;

fn filled(document: &Document) -> Filled<'_> {
    let mut filled: AHashMap<(Use, &str), Option<&Text>> = AHashMap::new();
    let transformations = document.transformations.iter().map(|row| (Use::of(row), row.partition.as_ref(), false));
    let calls = document.patterns.iter().map(|row| (Use::Calls, row.partition.as_ref(), row.emergency));
    for (used, partition, is_emergency) in calls.chain(transformations) {
        if let Some(partition) = partition {
            let lost = filled.entry((used, partition.as_str())).or_default();
            if !is_emergency && lost.is_none() {
                *lost = Some(partition);
            }
        }
    }
    filled.into_iter().collect()
}

/// Transformation search spaces that have patterns, and none of the number they are named for. Gives back what these have.
fn idle_transforms<'d>(document: &'d Document, filled: &Filled<'d>, report: &Report) -> AHashSet<&'d str> {
    let mut told = HashSet::new();
    let mut meant = AHashSet::new();
    let named =
        document.transform_spaces().flat_map(|spaces| [(Use::Calling, &spaces.calling), (Use::Called, &spaces.called)]);
    for (used, name) in named {
        // A pattern of no partition is in every search space.
        let is_everywhere =
            || document.transformations.iter().any(|row| row.partition.is_none() && Use::of(row) == used);
        let Some(name) = name.as_ref().filter(|name| !told.contains(&(used, name.as_str()))) else { continue };
        let Some(space) = document.spaces.iter().find(|space| space.name.value == name.value) else { continue };
        let has = |used| space.partitions.iter().any(|name| filled.contains_key(&(used, name.as_str())));
        if has(used) || !Use::ALL.into_iter().any(has) || is_everywhere() {
            continue;
        }
        told.insert((used, name.as_str()));
        meant.extend(space.partitions.iter().map(|name| name.as_str()));
        let message = format!("{} \"{}\" changes no number: it has no {}", used.key(), name.value, used.patterns());
        report.warning(&name.place, message, "Name a CSS that has some, or leave the key out.");
    }
    meant
}

fn partitions(document: &Document, spaces: &InUse<'_>, dangled: &Dangled<'_>, report: &Report) {
    let patterns = filled(document);
    let filled: BTreeSet<&str> = patterns.keys().map(|(_, partition)| *partition).collect();
    let listed = |used| {
        let listing = document.spaces.iter().filter(move |space| spaces.has(used, space));
        listing.flat_map(move |space| space.partitions.iter().map(move |name| (used, name.as_str())))
    };
    let reachable: AHashSet<(Use, &str)> = Use::ALL.into_iter().flat_map(listed).collect();
    let declared: AHashSet<_> = document.partitions.iter().map(|row| row.name.as_str()).collect();
    let are_all_filled = !dangled.is_of("partition");
    let is_reach_known = !dangled.is_of("css") && !dangled.is_slipped(&["css"]);
    // Those that a name without patterns was most probably meant for.
    let mut meant: AHashSet<&str> = AHashSet::new();
    for space in &document.spaces {
        for partition in &space.partitions {
            let is_known = filled.contains(partition.as_str()) || declared.contains(partition.as_str());
            if are_all_filled && !is_known {
                let near = nearest(partition.as_str(), filled.iter().copied());
                meant.extend(near);
                let fix = match near {
                    Some(near) => format!("Did you mean \"{near}\"?"),
                    None => "Write a partition that has patterns, or remove it.".to_owned(),
                };
                report.warning(&partition.place, format!("no pattern is in partition \"{}\"", partition.value), fix);
            }
        }
        if chars(space) > CSS_CHARS_MAX + 1 {
            let message = format!("CSS \"{}\" is longer than {CSS_CHARS_MAX} characters (D-6)", space.name.value);
            report.warning(
                &space.name.place,
                message,
                "Use fewer partitions or shorter names; call control would refuse it.",
            );
        }
    }
    if is_reach_known && are_all_filled {
        // What such a key was to lead to elsewhere is its own mistake.
        meant.extend(idle_transforms(document, &patterns, report));
    }
    for ((used, name), first) in patterns.iter().filter(|((_, name), _)| is_reach_known && !meant.contains(name)) {
        let lists = |space: &&SearchSpace| space.partitions.iter().any(|listed| listed.value == **name);
        let Some(partition) = first.filter(|_| !reachable.contains(&(*used, *name))) else { continue };
        let is_listed = document.spaces.iter().filter(lists).any(|space| spaces.has_any(space));
        let (message, fix) = match used {
            _ if !is_listed => (
                format!("nobody reaches partition \"{name}\": no calling search space in use lists it"),
                "List it in a CSS, or remove its patterns.".to_owned(),
            ),
            Use::Calls => (
                format!("nobody reaches partition \"{name}\": no calling search space of a caller lists it"),
                "List it in a caller's CSS, or put its patterns into another partition.".to_owned(),
            ),
            Use::Calling | Use::Called => (
                format!("the {} in partition \"{name}\" never act: no {} lists it", used.patterns(), used.key()),
                format!("List it in a {}, or put them into another partition.", used.key()),
            ),
        };
        report.warning(&partition.place, message, fix);
    }
    let names = document.partitions.iter().map(|row| &row.name);
    for partition in names.filter(|name| are_all_filled && !filled.contains(name.as_str())) {
        let message = format!("no pattern is in partition \"{}\"", partition.value);
        report.warning(&partition.place, message, "Put a pattern into it, or remove it.");
    }
}

/// Longest text of a calling search space, partition names joined by colons (D-6).
const CSS_CHARS_MAX: usize = 1_024;

/// Characters of a search space, with a colon behind each name.
fn chars(space: &SearchSpace) -> usize {
    space.partitions.iter().map(|name| name.value.chars().count() + 1).sum()
}

/// The limit is for the text as a phone uses it: line and device CSS, or adjunct, line and EMCC CSS (D-6). One that is too
/// long alone is told of alone.
pub(super) fn combined(document: &Document, dialing: &Dialing<'_>, spaces: &Spaces<'_>, report: &Report) {
    let lengths: HashMap<_, _> = document
        .spaces
        .iter()
        .rev()
        .filter_map(|space| Some((dialing.css(Some(&space.name))?, chars(space))))
        .collect();
    for css in &spaces.callers {
        let parts = || css.iter().filter_map(|id| lengths.get(id));
        let text = parts().sum::<usize>().saturating_sub(1);
        if text > CSS_CHARS_MAX
            && parts().all(|chars| *chars <= CSS_CHARS_MAX + 1)
            && let Some(Whose { words, place }) = whose(document, dialing, spaces, css)
        {
            let message =
                format!("{words}, as a phone uses it, has {text} characters, and {CSS_CHARS_MAX} is most (D-6)");
            let fix = "Use fewer partitions or shorter names; call control would refuse it.";
            report.warning(place, message, fix);
        }
    }
}

fn pools_and_places(document: &Document, dangled: &Dangled<'_>, report: &Report) {
    let is_known = |table| !dangled.is_of(table);
    let pools = &document.device_pools;
    let trunks = document.emcc_trunk.iter().chain(&document.rsvp_trunk).filter_map(|trunk| trunk.device_pool.as_ref());
    let devices = document.devices.iter().filter_map(|device| device.device_pool.as_ref());
    let used: AHashSet<_> = trunks.chain(devices).chain(&document.template_pool).map(|name| name.as_str()).collect();
    // A pool with a place may be chosen for a visiting phone (G-6), whoever else names it.
    let unused = pools.iter().filter(|pool| pool.geolocation.is_none() && !used.contains(pool.name.as_str()));
    for pool in unused.filter(|_| is_known("device_pool") && !dangled.is_slipped(&["device_pool"])) {
        let message = format!("nothing is in device pool \"{}\"", pool.name.value);
        report.warning(&pool.name.place, message, "Put a device into it, give it a geolocation, or remove it.");
    }
    let places: AHashSet<_> = pools
        .iter()
        .filter_map(|pool| pool.geolocation.as_ref())
        .chain(document.devices.iter().filter_map(|device| device.geolocation.as_ref()))
        .chain(&document.feature.default_geolocation)
        .map(|name| name.as_str())
        .collect();
    let unused = document.geolocations.iter().filter(|place| !places.contains(place.name.as_str()));
    for place in unused.filter(|_| is_known("geolocation")) {
        let message = format!("nothing is at geolocation \"{}\"", place.name.value);
        report.warning(
            &place.name.place,
            message,
            "Name it at a device, a device pool or feature.default_geolocation, or remove it.",
        );
    }
    let filter = document.feature.geolocation_filter.as_ref().map(|name| name.as_str());
    let others = document.filters.iter().filter(|row| Some(row.name.as_str()) != filter);
    for unused in others.filter(|_| is_known("geolocation_filter")) {
        let message = format!("geolocation filter \"{}\" is not used", unused.name.value);
        report.warning(&unused.name.place, message, "Name it in feature.geolocation_filter, or remove it.");
    }
    let scheduled = document.partitions.iter().filter_map(|row| row.schedule.as_ref());
    let scheduled: AHashSet<_> = scheduled.map(|name| name.as_str()).collect();
    let schedules = document.schedules.iter().map(|row| &row.name);
    for schedule in schedules.filter(|name| is_known("schedule") && !scheduled.contains(name.as_str())) {
        let message = format!("no partition has the schedule \"{}\"", schedule.value);
        report.warning(&schedule.place, message, "Name it at a partition, or remove it.");
    }
}

fn routes(document: &Document, names: &Names<'_>, dangled: &Dangled<'_>, report: &Report) {
    let is_known = |table| !dangled.is_of(table);
    let targets = document.patterns.iter().filter(|row| row.kind == PatternKind::Route);
    let lists: AHashSet<_> = targets.filter_map(|row| row.target.as_ref()).map(|name| name.as_str()).collect();
    let unused = document.route_lists.iter().filter(|list| !lists.contains(list.name.as_str()));
    for list in unused.filter(|_| is_known("route_list")) {
        let message = format!("no pattern takes route list \"{}\"", list.name.value);
        report.warning(&list.name.place, message, "Name it at a route pattern, or remove it.");
    }
    let members: AHashSet<_> =
        document.route_lists.iter().flat_map(|list| &list.members).map(|name| name.as_str()).collect();
    let mapped = document.device_pools.iter().flat_map(|pool| &pool.local_route_groups);
    let mut groups = members.clone();
    for (local, group) in mapped {
        groups.insert(group.as_str());
        let is_local = local.value != STANDARD_LOCAL_ROUTE_GROUP && is_known("route_group");
        if is_local && !members.contains(local.as_str()) {
            let near =
                nearest(local.as_str(), members.iter().copied().filter(|name| !names.route_groups.contains_key(name)));
            let fix = match near.or_else(|| nearest(local.as_str(), [STANDARD_LOCAL_ROUTE_GROUP].into_iter())) {
                Some(near) => format!("Did you mean \"{near}\"?"),
                None => "Name it in the members of a route list, or remove it.".to_owned(),
            };
            report.warning(&local.place, format!("no route list has the local route group \"{}\"", local.value), fix);
        }
    }
    let unused = document.route_groups.iter().filter(|group| !groups.contains(group.name.as_str()));
    for group in unused.filter(|_| is_known("route_group")) {
        let message = format!("nothing leads to route group \"{}\"", group.name.value);
        report.warning(&group.name.place, message, "Name it in a route list or as a local route group, or remove it.");
    }
    let grouped = document.route_groups.iter().flat_map(|group| &group.peers).chain(&document.emergency.last_resort);
    let peers: AHashSet<_> = grouped.map(|name| name.as_str()).collect();
    for peer in &document.peers {
        let gateway = peer.kind.as_ref().is_some_and(|kind| kind.value == PeerKind::Gateway);
        if gateway && is_known("peer") && !peers.contains(peer.name.as_str()) {
            let message = format!("no call goes to gateway \"{}\"", peer.name.value);
            report.warning(
                &peer.name.place,
                message,
                "Name it in a route group or in emergency.last_resort, or remove it.",
            );
        }
    }
}
