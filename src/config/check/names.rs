//! Names: each given once, each used one given.

use crate::config::document::{
    Device, DevicePool, Document, Filter, Geolocation, PatternKind, Peer, RemoteCluster, RouteGroup, RouteList,
    Schedule, SearchSpace, Text, User,
};
use crate::config::report::Report;
use crate::config::section::nearest;
use crate::config::source::Unread;
use crate::config::words::{STANDARD_LOCAL_ROUTE_GROUP, UNSPECIFIED};
use ahash::{AHashMap, AHashSet};
use emcc_policies::route::PeerKind;
use std::cell::RefCell;
use std::collections::HashMap;

/// Every named row of a document; of two with one name, the first.
pub(super) struct Names<'d> {
    pub(super) peers: AHashMap<&'d str, &'d Peer>,
    pub(super) remote_clusters: AHashMap<&'d str, &'d RemoteCluster>,
    pub(super) geolocations: AHashMap<&'d str, &'d Geolocation>,
    pub(super) filters: AHashMap<&'d str, &'d Filter>,
    pub(super) device_pools: AHashMap<&'d str, &'d DevicePool>,
    pub(super) spaces: AHashMap<&'d str, &'d SearchSpace>,
    pub(super) schedules: AHashMap<&'d str, &'d Schedule>,
    pub(super) route_lists: AHashMap<&'d str, &'d RouteList>,
    pub(super) route_groups: AHashMap<&'d str, &'d RouteGroup>,
    pub(super) users: AHashMap<&'d str, &'d User>,
    /// By name in lower case: phones are not of one mind about it.
    pub(super) devices: AHashMap<String, &'d Device>,
    /// Local route groups that some device pool maps, and the standard one.
    pub(super) local_route_groups: AHashSet<&'d str>,
}

/// Tables of which a row is named that is not there, or of which it is not known who names them. Nothing is said of what nobody
/// names there or of what would come of a call that leads there: the name's own error, or that of what slipped, is enough.
pub(super) struct Dangled<'u> {
    tables: RefCell<Vec<&'static str>>,
    unread: &'u Unread,
}

/// Stands for the search spaces of translations, apart from those of callers.
const TRANSLATION: &str = "translation_pattern";

/// What decides which emergency numbers a search space has a way for.
const SEARCHED: [&str; 11] = [
    "css",
    "partition",
    "schedule",
    "route_pattern",
    "translation_pattern",
    "device",
    "user",
    "device_pool",
    "emcc_session",
    "emcc_trunk",
    "emergency",
];

/// What decides where a way leads, beside that.
const ROUTED: [&str; 6] =
    ["route_list", "route_group", "peer", "remote_cluster", "directory_number", "emcc_rsvp_trunk"];

/// What rows of a table name; partitions among it, which are there where a pattern is.
fn named_in(table: &str) -> &'static [&'static str] {
    match table {
        "feature" => &["geolocation_filter", "geolocation"],
        "emcc_template" => &["device_pool"],
        "emcc_trunk" | "emcc_rsvp_trunk" => &["css", "device_pool"],
        "emergency" | "route_group" => &["peer"],
        "peer" | "user" => &["css"],
        "device_pool" => &["css", "geolocation", "route_group"],
        "partition" => &["schedule"],
        "route_pattern" => &["route_list", "partition"],
        "translation_pattern" => &["css", "partition", TRANSLATION],
        "directory_number" => &["peer", "partition"],
        "transformation_pattern" => &["partition"],
        "route_list" => &["route_group"],
        "device" => &["css", "device_pool", "geolocation"],
        _ => &[],
    }
}

impl<'u> Dangled<'u> {
    fn of(unread: &'u Unread) -> Self {
        let tables = unread.slipped.iter().flat_map(|slip| named_in(slip.table)).copied().collect();
        Self { tables: RefCell::new(tables), unread }
    }

    /// Whether a row of that table is.
    pub(super) fn is_of(&self, table: &str) -> bool {
        self.tables.borrow().contains(&table)
    }

    /// Whether something of one of the tables was not understood.
    pub(super) fn is_slipped(&self, tables: &[&str]) -> bool {
        tables.iter().any(|table| self.unread.is_slipped(table))
    }

    /// Whether it is unknown where some route leads.
    pub(super) fn is_of_routes(&self) -> bool {
        ["route_list", "route_group", "peer", TRANSLATION].into_iter().any(|table| self.is_of(table))
            || self.is_slipped(&SEARCHED)
            || self.is_slipped(&ROUTED)
    }

    /// Whether it is unknown where some translation goes on, or what else a search space has.
    pub(super) fn is_of_translations(&self) -> bool {
        self.is_of(TRANSLATION) || self.is_slipped(&SEARCHED)
    }

    fn add(&self, table: &'static str) {
        if !self.is_of(table) {
            self.tables.borrow_mut().push(table);
        }
    }
}

/// A name that nothing has.
struct Missing<'r> {
    table: &'static str,
    /// Where it is named first.
    name: &'r Text,
    /// How often it is named.
    count: usize,
    fix: String,
}

/// Names that nothing has, each once, in the order met.
#[derive(Default)]
struct AllMissing<'r> {
    found: Vec<Missing<'r>>,
    at: HashMap<(&'static str, &'r str), usize>,
}

impl AllMissing<'_> {
    fn tell(self, report: &Report) {
        for Missing { table, name, count, fix } in self.found {
            let more = match count - 1 {
                0 => String::new(),
                1 => ", named here and at 1 more place".to_owned(),
                more => format!(", named here and at {more} more places"),
            };
            report.error(&name.place, format!("there is no {table} \"{}\"{more}", name.value), fix);
        }
    }
}

/// Where mistakes of names go, but of those that may stand in what could not be read.
#[derive(Clone, Copy)]
struct Dangling<'r, 'd> {
    report: &'r Report,
    unread: &'r Unread,
    dangled: &'r Dangled<'r>,
    missing: &'r RefCell<AllMissing<'d>>,
}

impl<'d> Names<'d> {
    /// Reports names given twice.
    pub(super) fn of(document: &'d Document, report: &Report) -> Self {
        index(&document.partitions, |row| &row.name, "partitions", report);
        // Encoding names compare without case (RFC 4855, section 3).
        let mut codecs = AHashSet::new();
        for codec in &document.codecs {
            if !codecs.insert(codec.name.value.to_ascii_lowercase()) {
                duplicate(&codec.name, "codecs", report);
            }
        }
        let mut devices = AHashMap::new();
        for device in &document.devices {
            if devices.insert(device.name.value.to_lowercase(), device).is_some() {
                duplicate(&device.name, "devices", report);
            }
        }
        let pools = &document.device_pools;
        let mapped = pools.iter().flat_map(|pool| pool.local_route_groups.iter().map(|(name, _)| name.as_str()));
        Self {
            peers: index(&document.peers, |row| &row.name, "peers", report),
            remote_clusters: index(&document.remote_clusters, |row| &row.id, "remote clusters", report),
            geolocations: index(&document.geolocations, |row| &row.name, "geolocations", report),
            filters: index(&document.filters, |row| &row.name, "geolocation filters", report),
            device_pools: index(&document.device_pools, |row| &row.name, "device pools", report),
            spaces: index(&document.spaces, |row| &row.name, "calling search spaces", report),
            schedules: index(&document.schedules, |row| &row.name, "schedules", report),
            route_lists: index(&document.route_lists, |row| &row.name, "route lists", report),
            route_groups: index(&document.route_groups, |row| &row.name, "route groups", report),
            users: index(&document.users, |row| &row.id, "users", report),
            devices,
            local_route_groups: mapped.chain([STANDARD_LOCAL_ROUTE_GROUP]).collect(),
        }
    }
}

fn index<'d, T>(
    rows: &'d [T],
    name: impl Fn(&'d T) -> &'d Text,
    what: &str,
    report: &Report,
) -> AHashMap<&'d str, &'d T> {
    let mut found = AHashMap::with_capacity(rows.len());
    for row in rows {
        let name = name(row);
        if found.contains_key(name.as_str()) {
            duplicate(name, what, report);
        } else {
            found.insert(name.as_str(), row);
        }
    }
    found
}

fn duplicate(name: &Text, what: &str, report: &Report) {
    report.error(&name.place, format!("two {what} are named \"{}\"", name.value), "Rename or remove one of them.");
}

/// Keeps a name that nothing has.
fn refer<'r, V>(name: Option<&'r Text>, rows: &AHashMap<&str, V>, table: &'static str, to: Dangling<'_, 'r>) {
    if let Some(name) = name.filter(|name| !rows.contains_key(name.as_str())) {
        dangling(name, table, || nearest(name.as_str(), rows.keys().copied()), to);
    }
}

fn dangling<'r, 'n>(
    name: &'r Text,
    table: &'static str,
    near: impl FnOnce() -> Option<&'n str>,
    Dangling { unread, dangled, missing, .. }: Dangling<'_, 'r>,
) {
    dangled.add(table);
    if unread.may_have(table) {
        return;
    }
    let AllMissing { found, at } = &mut *missing.borrow_mut();
    if let Some(known) = at.get(&(table, name.as_str())).and_then(|at| found.get_mut(*at)) {
        known.count += 1;
        if name.place.is_before(&known.name.place) {
            known.name = name;
        }
        return;
    }
    let key = if matches!(table, "remote_cluster" | "user") { "id" } else { "name" };
    let add = format!("add [[{table}]] with {key} = \"{}\"", name.value);
    let fix = match near() {
        Some(near) => format!("Did you mean \"{near}\"? Otherwise {add}."),
        None => format!("Write the name of one there is, or {add}."),
    };
    at.insert((table, name.as_str()), found.len());
    found.push(Missing { table, name, count: 1, fix });
}

/// Reports every name used that nothing has, and every name of the wrong kind of thing. Gives back of which tables.
pub(super) fn references<'u>(
    document: &Document,
    names: &Names<'_>,
    unread: &'u Unread,
    report: &Report,
) -> Dangled<'u> {
    let (dangled, missing) = (Dangled::of(unread), RefCell::new(AllMissing::default()));
    named(document, names, Dangling { report, unread, dangled: &dangled, missing: &missing });
    missing.into_inner().tell(report);
    dangled
}

fn named<'r>(document: &'r Document, names: &Names<'_>, to: Dangling<'_, 'r>) {
    refer(document.feature.geolocation_filter.as_ref(), &names.filters, "geolocation_filter", to);
    let default = document.feature.default_geolocation.as_ref().filter(|name| name.value != UNSPECIFIED);
    refer(default, &names.geolocations, "geolocation", to);
    refer(document.template_pool.as_ref(), &names.device_pools, "device_pool", to);
    for trunk in document.emcc_trunk.iter().chain(&document.rsvp_trunk) {
        refer(trunk.css.as_ref(), &names.spaces, "css", to);
        refer(trunk.device_pool.as_ref(), &names.device_pools, "device_pool", to);
    }
    for name in &document.emergency.last_resort {
        gateway(name, names, "an emergency call must end at the PSTN", to);
    }
    for pool in &document.device_pools {
        refer(
            pool.geolocation.as_ref().filter(|name| name.value != UNSPECIFIED),
            &names.geolocations,
            "geolocation",
            to,
        );
        refer(pool.adjunct_css.as_ref(), &names.spaces, "css", to);
        for (_, group) in &pool.local_route_groups {
            refer(Some(group), &names.route_groups, "route_group", to);
        }
    }
    for partition in &document.partitions {
        refer(partition.schedule.as_ref(), &names.schedules, "schedule", to);
    }
    dial_plan(document, names, to);
    for device in &document.devices {
        refer(device.css.as_ref(), &names.spaces, "css", to);
        refer(device.device_pool.as_ref(), &names.device_pools, "device_pool", to);
        let geolocation = device.geolocation.as_ref().filter(|name| name.value != UNSPECIFIED);
        refer(geolocation, &names.geolocations, "geolocation", to);
    }
    for user in &document.users {
        refer(user.line_css.as_ref(), &names.spaces, "css", to);
        refer(user.emcc_css.as_ref(), &names.spaces, "css", to);
    }
    sessions(document, names, to);
}

fn dial_plan<'r>(document: &'r Document, names: &Names<'_>, to: Dangling<'_, 'r>) {
    let report = to.report;
    for css in document.transform_spaces().flat_map(|spaces| spaces.calling.iter().chain(&spaces.called)) {
        refer(Some(css), &names.spaces, "css", to);
    }
    for peer in document.peers.iter().filter(|peer| is(peer, PeerKind::CallControl)) {
        for css in peer.transform_spaces.calling.iter().chain(&peer.transform_spaces.called) {
            let message = "call control is found by the number of its phone, which must not change on the way";
            report.error(&css.place, message, "Write it at a gateway or at [emcc_trunk].");
        }
    }
    for row in &document.patterns {
        match row.kind {
            PatternKind::Route => refer(row.target.as_ref(), &names.route_lists, "route_list", to),
            PatternKind::Translation => {
                refer(row.target.as_ref(), &names.spaces, "css", to);
                if row.target.as_ref().is_some_and(|name| !names.spaces.contains_key(name.as_str())) {
                    to.dangled.add(TRANSLATION);
                }
            }
            PatternKind::DirectoryNumber => {
                refer(row.target.as_ref(), &names.peers, "peer", to);
                let peer = row.target.as_ref().and_then(|name| Some((name, names.peers.get(name.as_str())?)));
                if let Some((name, _)) = peer.filter(|(_, peer)| is(peer, PeerKind::Gateway)) {
                    let message = format!("directory numbers cannot be behind the gateway \"{}\"", name.value);
                    report.error(&name.place, message, "Name a peer of kind \"call-control\".");
                }
            }
        }
    }
    for list in &document.route_lists {
        let is_whole = !to.unread.tables && !to.unread.is_slipped("route_list");
        if list.members.is_empty() && is_whole {
            report.warning(
                &list.name.place,
                format!("route list \"{}\" has no members", list.name.value),
                "Name a route group in members.",
            );
        }
        for member in &list.members {
            let (group, local) =
                (names.route_groups.contains_key(member.as_str()), names.local_route_groups.contains(member.as_str()));
            if group && local {
                let message = format!("\"{}\" is both a route group and a local route group", member.value);
                report.error(&member.place, message, "Rename the local route group in local_route_groups.");
            } else if !group && !local {
                let all = names.route_groups.keys().chain(&names.local_route_groups).copied();
                if !to.unread.may_have("local_route_group") {
                    dangling(member, "route_group", || nearest(member.as_str(), all), to);
                }
            }
        }
        for (member, _) in &list.transforms {
            if is_whole && !list.members.iter().any(|name| name.value == member.value) {
                let message = format!("\"{}\" is no member of route list \"{}\"", member.value, list.name.value);
                report.error(&member.place, message, "Write the name of one of its members.");
            }
        }
    }
    for group in &document.route_groups {
        for name in &group.peers {
            gateway(name, names, "a route group leads to the PSTN", to);
        }
        if group.peers.is_empty() && !to.unread.tables && !to.unread.is_slipped("route_group") {
            report.warning(
                &group.name.place,
                format!("route group \"{}\" has no peers", group.name.value),
                "Name a gateway in peers.",
            );
        }
    }
}

fn is(peer: &Peer, kind: PeerKind) -> bool {
    peer.kind.as_ref().is_some_and(|found| found.value == kind)
}

fn gateway<'r>(name: &'r Text, names: &Names<'_>, why: &str, to: Dangling<'_, 'r>) {
    let report = to.report;
    match names.peers.get(name.as_str()) {
        None => refer(Some(name), &names.peers, "peer", to),
        Some(peer) if is(peer, PeerKind::CallControl) => {
            to.dangled.add("peer");
            let message = format!("\"{}\" is call control, not a gateway: {why}", name.value);
            report.error(&name.place, message, "Name a peer of kind \"gateway\".");
        }
        Some(_) => {}
    }
}

/// A session's phone belongs to the visited cluster and its user to the home cluster.
fn sessions<'r>(document: &'r Document, names: &Names<'_>, to: Dangling<'_, 'r>) {
    let report = to.report;
    let ours = document.cluster.id.as_ref().map(|id| id.as_str());
    let (mut devices, mut users) = (AHashSet::new(), AHashSet::new());
    for session in &document.sessions {
        let lower = session.device.value.to_lowercase();
        let here = names.devices.get(&lower);
        for cluster in session.visiting_cluster.iter().chain(&session.home_cluster) {
            if Some(cluster.as_str()) == ours {
                let fix = "Name the other cluster; a login within one cluster is no EMCC session.";
                report.error(&cluster.place, format!("\"{}\" is this cluster itself", cluster.value), fix);
            } else {
                refer(Some(cluster), &names.remote_clusters, "remote_cluster", to);
            }
        }
        if session.home_cluster.is_some() && here.is_none() {
            let near = document.devices.iter().map(|device| device.name.as_str());
            dangling(&session.device, "device", || nearest(session.device.as_str(), near), to);
        }
        if session.visiting_cluster.is_some() && session.home_cluster.is_none() {
            if here.is_some() {
                let message = format!("device \"{}\" is configured in both clusters (error 37)", session.device.value);
                report.error(&session.device.place, message, "Remove the [[device]] here, or write home_cluster.");
            }
            refer(session.user.as_ref(), &names.users, "user", to);
            let user = session.user.as_ref().and_then(|name| Some((name, names.users.get(name.as_str())?)));
            if let Some((name, _)) = user.filter(|(_, user)| !user.emcc_enabled) {
                let message = format!("user \"{}\" is logged in abroad and not enabled for EMCC (L-22)", name.value);
                report.warning(&name.place, message, "Write emcc_enabled = true at the user, or remove the session.");
            }
            if let Some(name) = session.user.as_ref().filter(|name| !users.insert(name.as_str())) {
                let message = format!("user \"{}\" is logged in on a second phone (L-19)", name.value);
                report.warning(&name.place, message, "Remove one session; calls to the number find the first.");
            }
        }
        if !devices.insert(lower) {
            let message = format!("two sessions are on device \"{}\"", session.device.value);
            report.error(&session.device.place, message, "Keep one session a phone.");
        }
    }
}
