//! What lost, or was left out, on the way of a call that is explained: patterns, roaming device pools, next hops.

use std::io::{self, Write};

use emcc_policies::device_pool::Standing;
use emcc_policies::moment::Civil;
use emcc_policies::route::DevicePoolId;
use emcc_policies::search_space::Lost;
use emcc_policies::trail::{Names as _, Step};
use serde::Serialize;

use super::walk::{Cluster, Rule, rule};
use crate::config::plan::{Plan, Side};
use crate::engine::decide::{Decision, Target};
use crate::limits::EXPLAINED_ALTERNATIVES_MAX;

/// One of them.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Alternative {
    /// A pattern that matches too.
    Pattern {
        /// The number compared: as dialed, or as a translation made it.
        dialed: String,
        #[serde(flatten)]
        rule: Rule,
        why: String,
    },
    /// A device pool the phone abroad was not placed in.
    DevicePool { device_pool: String, why: String },
    /// A next hop left out.
    NextHop { name: String, why: String },
}

/// Everything that lost or was left out, a bounded number of each kind.
pub(super) fn of(cluster: &Cluster, decision: &Decision, target: &Target<'_>, at: Civil) -> Vec<Alternative> {
    let mut found = match target {
        Target::Digits(dialed) => patterns(cluster, decision, dialed, at),
        Target::Service(_) | Target::Other => Vec::new(),
    };
    found.extend(device_pools(&cluster.plan, decision));
    found.extend(decision.trail.iter().filter_map(|step| left_out(&cluster.plan, decision, step)));
    found
}

/// What else matched, pass by pass of the search space in effect.
fn patterns(
    Cluster { plan, places, .. }: &Cluster,
    decision: &Decision,
    dialed: &emcc_policies::digits::Digits,
    at: Civil,
) -> Vec<Alternative> {
    let mut found = Vec::new();
    for pass in plan.dial_plan.passes_of(&decision.css, dialed, at) {
        let room = EXPLAINED_ALTERNATIVES_MAX.saturating_sub(found.len());
        let others = plan.dial_plan.alternatives(&pass, at, room);
        found.extend(others.into_iter().map(|other| Alternative::Pattern {
            dialed: pass.dialed.to_string(),
            rule: rule(plan, places, other.row),
            why: lost(other.why),
        }));
    }
    found
}

fn lost(why: Lost) -> String {
    match why {
        Lost::Wider { matches, winner_matches } => {
            format!("matches {matches} numbers of this length, the winner {winner_matches}")
        }
        Lost::LaterPartition => "as close, but its partition comes later".into(),
        Lost::ShorterBeginning => "as close, but begins with fewer literal digits".into(),
        Lost::ByteOrder => "as close, but later in byte order".into(),
        Lost::Closed => "its partition is closed at this hour".into(),
        Lost::NotReached => "its partition is in none of the search spaces".into(),
    }
}

/// The device pools the phone of a session abroad was not placed in: those that agree first, the best of them first
/// (G-10).
fn device_pools(plan: &Plan, decision: &Decision) -> Vec<Alternative> {
    let session = decision.session.and_then(|id| plan.session(id));
    let Some(Side::Home { geolocation: Some(phone), roaming, .. }) = session.map(|session| &session.side) else {
        return Vec::new();
    };
    let ids = (0..).map(DevicePoolId).zip(plan.device_pools.iter());
    let mut pools: Vec<(DevicePoolId, &str, Standing)> =
        ids.zip(plan.roaming_standings(phone)).map(|((id, pool), standing)| (id, &*pool.name, standing)).collect();
    let is_chosen = |id: DevicePoolId| !roaming.fallback && Some(id) == roaming.device_pool;
    let chosen = pools.iter().find(|(id, ..)| is_chosen(*id)).map(|(.., standing)| *standing);
    pools.retain(|(id, ..)| !is_chosen(*id));
    pools.sort_by(|a, b| b.2.compare(a.2).then_with(|| a.1.cmp(b.1)));
    pools.truncate(EXPLAINED_ALTERNATIVES_MAX);
    let told = pools.into_iter().map(|(_, name, standing)| Alternative::DevicePool {
        device_pool: name.to_owned(),
        why: standing.why_not(chosen),
    });
    told.collect()
}

/// A next hop that a step of the trail leaves out.
fn left_out(plan: &Plan, decision: &Decision, step: &Step) -> Option<Alternative> {
    let trunk = || {
        let remote = decision.link.and_then(|id| plan.remote_cluster(id));
        remote.map(|remote| remote.id.to_string()).unwrap_or_default()
    };
    let (name, why) = match *step {
        Step::LocalRouteGroup { pool, group: None } => {
            let pool = pool.map_or("no device pool", |pool| plan.device_pool(pool).map_or("", |pool| &*pool.name));
            ("local route group".to_owned(), format!("stands for nothing in {pool}, skipped (P-22)"))
        }
        Step::NotCoLocated { peer } => (
            plan.peer(peer).map(|peer| peer.name.to_string()).unwrap_or_default(),
            "not a gateway beside the visiting phone (P-12)".into(),
        ),
        Step::TooLong { list, member } => {
            (format!("{} member {member}", plan.route_list(list)), "a number would be too long".into())
        }
        Step::NoAddress { to } => (
            to.map_or_else(trunk, |peer| plan.peer(peer).map(|peer| peer.name.to_string()).unwrap_or_default()),
            "leads to no address".into(),
        ),
        Step::TrunkInactive => (trunk(), "PSTN access is not active with that cluster (P-14)".into()),
        Step::TrunkNotSecure => (trunk(), "a secure session needs TLS there (S-7)".into()),
        Step::KeysBarred { to } => (
            to.map_or_else(trunk, |peer| plan.peer(peer).map(|peer| peer.name.to_string()).unwrap_or_default()),
            "SRTP keys may not leave without TLS, and without them there is no audio (S-5)".into(),
        ),
        _ => return None,
    };
    Some(Alternative::NextHop { name, why })
}

/// The same for people.
pub(super) fn tell(alternatives: &[Alternative], out: &mut dyn Write) -> io::Result<()> {
    if alternatives.is_empty() {
        return Ok(());
    }
    writeln!(out, "lost, or left out:")?;
    alternatives.iter().try_for_each(|alternative| match alternative {
        Alternative::Pattern { dialed, rule: Rule { pattern, partition, file, line }, why } => {
            let partition = partition.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
            writeln!(out, "  - {pattern}{partition} for {dialed} ({file}:{line}): {why}")
        }
        Alternative::DevicePool { device_pool, why } => writeln!(out, "  - device pool {device_pool}: {why}"),
        Alternative::NextHop { name, why } => writeln!(out, "  - next hop {name}: {why}"),
    })
}
