//! Who may call, and which of its facts a decision depends on.

use std::fmt;
use std::mem::{Discriminant, discriminant};

use emcc_policies::digits::{Digits, dialable};
use emcc_policies::login::Security;
use emcc_policies::route::{DevicePoolId, LocalRouteGroupId, PeerKind, RouteGroupId};
use emcc_policies::search_space::CssId;

use super::paired::Side;
use super::{Asked, decided};
use crate::config::plan::{self, Plan, RemoteClusterId};
use crate::engine::decide::{Question, Role, Source, Target};
use crate::engine::reject::Refusal;
use crate::engine::turns::Turns;

/// A caller, as an INVITE shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A phone of this cluster, through call control.
    Device(Box<str>),
    /// A further number of a phone, or a user's, in From.
    Number(Box<str>),
    /// A phone abroad with one of our users on it, through call control.
    Abroad(Box<str>),
    /// The same, sending to this node itself.
    AbroadItself(Box<str>),
    /// Our phone with a guest on it, over the trunk of the guest's cluster.
    Guest {
        /// The phone.
        device: Box<str>,
        /// That cluster.
        home: Box<str>,
    },
    /// A phone this cluster does not have, over the trunk of that one.
    UnknownPhone(Box<str>),
    /// No phone named at all, over the trunk of that one.
    NoPhone(Box<str>),
    /// Somebody behind a gateway.
    Gateway,
    /// Somebody call control has and the configuration has not.
    Unknown,
    /// A phone in a network of phones that is not registered.
    Unregistered,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(name) => write!(f, "device {name}"),
            Self::Number(number) => write!(f, "number {number}"),
            Self::Abroad(device) => write!(f, "phone {device} abroad"),
            Self::AbroadItself(device) => write!(f, "phone {device} abroad, calling this node itself"),
            Self::Guest { device, home } => write!(f, "device {device} over the trunk of {home}"),
            Self::UnknownPhone(home) => write!(f, "an unknown phone over the trunk of {home}"),
            Self::NoPhone(home) => write!(f, "a call without a phone over the trunk of {home}"),
            Self::Gateway => f.write_str("a caller behind a gateway"),
            Self::Unknown => f.write_str("an unknown caller"),
            Self::Unregistered => f.write_str("a phone that is not registered"),
        }
    }
}

/// No device is called so: names have no control characters.
const NOBODYS_DEVICE: &[u8] = b"\x01";

impl Who {
    /// Equal for the same caller of both configurations.
    pub(super) fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }

    /// A call of it; nothing where the configuration does not have its cluster.
    pub(super) fn question<'q>(
        &'q self,
        plan: &Plan,
        target: Target<'q>,
        asked: &Asked,
        turn: usize,
    ) -> Option<Question<'q>> {
        let over = |home: &str| plan.remote_cluster_with_id(home).map(Source::Trunk);
        let (source, device) = match self {
            Self::Device(name) | Self::Abroad(name) => (Source::CallControl, Some(name.as_bytes())),
            Self::Number(_) | Self::Unknown => (Source::CallControl, None),
            Self::AbroadItself(_) | Self::Unregistered => (Source::Phone, None),
            Self::Guest { device, home } => (over(home)?, Some(device.as_bytes())),
            Self::UnknownPhone(home) => (over(home)?, Some(NOBODYS_DEVICE)),
            Self::NoPhone(home) => (over(home)?, None),
            Self::Gateway => (Source::Gateway, None),
        };
        let session = match self {
            Self::AbroadItself(device) => plan.session_on(device).filter(|id| plan.is_home(*id)),
            _ => None,
        };
        let number = match self {
            Self::Number(number) => dialable(number.as_bytes()).ok(),
            _ => None,
        };
        Some(Question {
            source,
            device,
            session,
            registered_there: None,
            phone: None,
            on_selected_trunk: true,
            numbers: [number, None],
            aside: None,
            calling: asked.calling,
            target,
            named: Default::default(),
            is_routed: false,
            is_marked_emergency: false,
            is_believed: true,
            turns: Turns::at(turn),
            at: asked.at,
        })
    }
}

/// Everybody who may call under a configuration, each once.
pub(super) fn callers(plan: &Plan) -> Vec<Who> {
    let mut found = Vec::new();
    for device in plan.devices.iter() {
        found.push(Who::Device(device.name.clone()));
        // The first is the one a device calls by.
        found.extend(device.directory_numbers.iter().skip(1).cloned().map(Who::Number));
    }
    for (id, user) in (0..).map(plan::UserId).zip(plan.users.iter()) {
        let is_abroad = plan.session_of(id).is_some_and(|session| plan.is_home(session));
        let own = user.directory_number.as_ref().filter(|number| plan.device_with_number(number).is_none());
        found.extend(own.filter(|_| !is_abroad).cloned().map(Who::Number));
    }
    let has_phones = !plan.sip.phones.is_empty();
    for session in plan.sessions.iter() {
        let device = session.device.clone();
        match &session.side {
            plan::Side::Home { .. } => {
                found.extend(has_phones.then(|| Who::AbroadItself(device.clone())));
                found.push(Who::Abroad(device));
            }
            plan::Side::Visiting { home } => {
                let home = plan.remote_cluster(*home).map(|remote| remote.id.clone());
                found.extend(home.map(|home| Who::Guest { device, home }));
            }
        }
    }
    for remote in &plan.remote_clusters {
        found.extend([Who::UnknownPhone(remote.id.clone()), Who::NoPhone(remote.id.clone())]);
    }
    found.extend(plan.peers.iter().any(|peer| peer.kind == PeerKind::Gateway).then_some(Who::Gateway));
    found.extend(has_phones.then_some(Who::Unregistered));
    found.push(Who::Unknown);
    let mut seen = std::collections::HashSet::new();
    found.retain(|who| seen.insert(who.key()));
    found
}

/// What is the same of all callers of a group under one configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Facts {
    source: Discriminant<Who>,
    pub(super) role: Role,
    /// What analysis begins with, as partitions by their number in both configurations.
    pub(super) partitions: Vec<u32>,
    /// The other cluster of its session or trunk.
    pub(super) link: Option<RemoteClusterId>,
    /// What its local route groups stand for.
    pub(super) standard: Option<RouteGroupId>,
    pub(super) named: Vec<(LocalRouteGroupId, RouteGroupId)>,
    /// What its session is by tables 6 to 8: calls of a secure one use no trunk without TLS (S-7), and keys of another only
    /// TLS (S-2).
    pub(super) security: Option<Security>,
    /// Why every ordinary call of it is refused, before any pattern is asked.
    refusal: Option<Discriminant<Refusal>>,
}

impl Facts {
    /// What the deciding function says of the caller, and nothing beside; nothing where the caller cannot be asked.
    pub(super) fn of(side: &Side<'_>, who: &Who, asked: &Asked) -> Option<Self> {
        // An emergency call is never refused, so that it shows search space and pool whatever becomes of others.
        let emergency = decided(side.plan, who, Target::Service(b"urn:service:sos"), asked, 0)?;
        let nobodys = Digits::from_bytes(b"DCBADCBADCBADCBA").ok()?;
        let ordinary = decided(side.plan, who, Target::Digits(nobodys), asked, 0)?;
        let refusal = ordinary.refusal.filter(|why| {
            matches!(
                why,
                Refusal::ServiceInactive
                    | Refusal::MissingPhone
                    | Refusal::UnknownPhone
                    | Refusal::NobodyLoggedIn
                    | Refusal::OtherCluster
                    | Refusal::RouteForbidden
                    | Refusal::OtherTrunk
                    | Refusal::CallerNotRegistered
                    | Refusal::TrunkNotSecure
                    | Refusal::MethodNotAllowed
            )
        });
        let is_home = emergency.role == Role::Home;
        let pool: Option<DevicePoolId> = emergency.device_pool.filter(|_| !is_home);
        let groups = pool.and_then(|pool| side.plan.local_route_groups(pool)).cloned().unwrap_or_default();
        let mut named = groups.named;
        named.sort_unstable();
        Some(Self {
            source: discriminant(who),
            role: emergency.role,
            partitions: side.partitions(&searched(side, who, &emergency.css)),
            link: emergency.link,
            standard: groups.standard,
            named,
            security: emergency.session.and_then(|id| side.plan.session(id)).map(|session| session.security),
            refusal: refusal.map(|why| discriminant(&why)),
        })
    }

    /// Whether its calls use no trunk without TLS (S-7).
    pub(super) fn is_secure(&self) -> bool {
        self.security == Some(Security::Secure)
    }

    /// Whether ordinary calls are refused for the same reason, or for none, in both.
    pub(super) fn is_refused_like(&self, other: &Self) -> bool {
        self.refusal == other.refusal
    }
}

/// What analysis begins with: of a caller behind a gateway every search space.
fn searched(side: &Side<'_>, who: &Who, css: &[CssId]) -> Vec<CssId> {
    match who {
        Who::Gateway => side.plan.dial_plan.search_spaces().collect(),
        _ => css.to_vec(),
    }
}

/// The search spaces an ordinary call of this caller is analysed in.
pub(super) fn search_spaces(side: &Side<'_>, who: &Who, asked: &Asked) -> Vec<CssId> {
    let emergency = decided(side.plan, who, Target::Service(b"urn:service:sos"), asked, 0);
    searched(side, who, &emergency.map(|decision| decision.css).unwrap_or_default())
}
