//! What calls of EMCC phones are under wherever they go: the region, the link's policy (M-1, V-9), and whether their session is
//! secure (S-2, S-7).

use emcc_policies::login::Security;
use emcc_policies::region::Region;

use super::agreed::with_neighbours;
use super::callers::{Facts, Who};
use super::paired::Pair;
use super::places::places;
use crate::config::plan::{Plan, RemoteClusterId, Side};
use crate::engine::decide::Role;

/// A setting that is another for calls of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The configuration's key.
    pub name: &'static str,
    /// Its value in the first configuration, that of both ends met where it is a cap (M-8); none: no link, no region, no
    /// session.
    pub now: Option<String>,
    /// And in the second.
    pub next: Option<String>,
    /// Whose calls.
    pub whose: Vec<Whose>,
}

/// Calls that are under the same region and link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of a group of callers, a place in [`super::Changes::groups`].
    Group(usize),
    /// Those of callers of several groups: one of them, and how many.
    Callers {
        /// One of them.
        example: Who,
        /// How many there are.
        size: usize,
    },
    /// Those to phones abroad with our users on them: how many phones, and one of them.
    Called {
        /// Its name.
        example: Box<str>,
        /// How many.
        size: usize,
    },
    /// Those to and from a peer or remote cluster.
    Neighbour(Box<str>),
}

/// Which of a link's two policies a call may be under (V-7).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Policies {
    ordinary: bool,
    pstn_access: bool,
}

/// Every setting that is another for somebody both configurations have.
pub(super) fn settings(pair: &Pair<'_>, groups: &[(Facts, Facts)]) -> Vec<Setting> {
    let mut found = Vec::new();
    for (place, (now, next)) in groups.iter().enumerate() {
        let values = [(pair.now.plan, now), (pair.next.plan, next)].map(|(plan, facts)| {
            let role = facts.role;
            let policies = Policies { ordinary: role == Role::Home, pstn_access: role != Role::Local };
            values(plan, Under { link: facts.link, security: facts.security }, policies)
        });
        add(&mut found, values, &Whose::Group(place));
    }
    for ((now, next), whose) in called(pair) {
        let policies = Policies { ordinary: true, pstn_access: false };
        let values = [(pair.now.plan, now), (pair.next.plan, next)].map(|(plan, under)| values(plan, under, policies));
        add(&mut found, values, &whose);
    }
    with_neighbours(pair, &mut found);
    places(pair, &mut found);
    found
}

pub(super) fn add<const N: usize>(found: &mut Vec<Setting>, [now, next]: [Values<N>; 2], whose: &Whose) {
    for ((name, now), (_, next)) in now.into_iter().zip(next) {
        if now == next {
            continue;
        }
        match found.iter_mut().find(|known| known.name == name && known.now == now && known.next == next) {
            Some(known) => known.whose.push(whose.clone()),
            None => found.push(Setting { name, now, next, whose: vec![whose.clone()] }),
        }
    }
}

/// The link a call is on, and what its session is by tables 6 to 8.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Under {
    link: Option<RemoteClusterId>,
    security: Option<Security>,
}

/// What calls to a phone are under, in both configurations, and whose those are.
type Both = ((Under, Under), Whose);

/// Phones abroad in both configurations.
fn called(pair: &Pair<'_>) -> Vec<Both> {
    let abroad = |plan: &Plan, device: &str| {
        let session = plan.session(plan.session_on(device)?)?;
        match session.side {
            Side::Home { visiting, .. } => Some(Under { link: Some(visiting), security: Some(session.security) }),
            Side::Visiting { .. } => None,
        }
    };
    let mut found: Vec<Both> = Vec::new();
    for session in pair.now.plan.sessions.iter() {
        let device = &session.device;
        let both = (abroad(pair.now.plan, device), abroad(pair.next.plan, device));
        let (Some(now), Some(next)) = both else { continue };
        match found.iter_mut().find(|(under, _)| *under == (now, next)) {
            Some((_, Whose::Called { size, .. })) => *size += 1,
            _ => found.push(((now, next), Whose::Called { example: device.clone(), size: 1 })),
        }
    }
    found
}

/// Settings by their keys, always the same keys in the same order.
type Values<const N: usize> = [(&'static str, Option<String>); N];

fn values(plan: &Plan, under: Under, policies: Policies) -> Values<12> {
    let Under { link, security } = under;
    let remote = link.and_then(|id| plan.remote_cluster(id));
    let region = |value: fn(&Region) -> String| remote.map(|remote| value(&remote.region));
    let kbps = |value: Option<u32>| value.map_or_else(|| "no limit".to_owned(), |kbps| kbps.to_string());
    let policy = |asked: bool, is_pstn_access: bool| {
        link.filter(|_| asked).map(|id| plan.policy(id, is_pstn_access).name().to_owned())
    };
    [
        ("region_max_audio_kbps", region(|region| region.audio_kbps.to_string())),
        ("region_max_video_kbps", region(|region| region.video_kbps.to_string())),
        ("region_link_loss", region(|region| region.link_loss.to_string())),
        ("variable_rate_codecs", region(|region| region.variable_rate.name().to_owned())),
        ("advertise_g722_codec", region(|region| (!region.switched_off.g722).to_string())),
        ("opus_codec", region(|region| (!region.switched_off.opus).to_string())),
        ("codec.check_kbps", region(check_rates)),
        ("link_audio_kbps", remote.map(|remote| kbps(remote.link.audio_kbps))),
        ("link_video_kbps", remote.map(|remote| kbps(remote.link.video_kbps))),
        ("rsvp_policy", policy(policies.ordinary, false)),
        ("pstn_access_rsvp_policy", policy(policies.pstn_access, true)),
        ("security_mode", security.map(|security| security.name().to_owned())),
    ]
}

/// In the order in which the first of a name counts.
fn check_rates(region: &Region) -> String {
    let rates = region.check_rates.iter().map(|rate| format!("{} {}", rate.encoding, rate.check_kbps));
    rates.collect::<Vec<_>>().join(", ")
}

impl Whose {
    /// One of them in words, and how many there are.
    #[must_use]
    pub fn told(&self, groups: &[super::Group]) -> (String, usize) {
        match self {
            Self::Group(place) => {
                groups.get(*place).map(|group| (group.example.to_string(), group.size)).unwrap_or_default()
            }
            Self::Callers { example, size } => (example.to_string(), *size),
            Self::Called { example, size } => (format!("calls to {}", Who::Abroad(example.clone())), *size),
            Self::Neighbour(name) => (format!("calls to and from {name}"), 1),
        }
    }
}
