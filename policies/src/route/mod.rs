//! Where a call goes: route lists, route groups, local route groups, and the hops in the order they are tried.

mod decide;
mod resolve;
mod transformation;

pub use decide::{Call, Decision, decide};
pub use resolve::{Member, NoRoute, Outbound, RouteBook, RouteGroup, RouteList};
pub use transformation::{Party, TransformSpaces, Transformations};

use smallvec::SmallVec;

use crate::digits::Digits;

/// A route list of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteListId(pub u32);

/// A route group of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteGroupId(pub u32);

/// A peer of the plan: a gateway or a call control of this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u32);

/// A named local route group (P-21); the standard one needs no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalRouteGroupId(pub u32);

/// A device pool of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevicePoolId(pub u32);

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKind {
    /// A call control: its phones.
    CallControl,
    /// A gateway: the PSTN.
    Gateway,
}

/// In which order the peers of a route group are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// Always from the first.
    #[default]
    TopDown,
    /// From the one after that of the call before.
    Circular,
}

/// What the local route groups of one device pool stand for (P-21).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LocalRouteGroups {
    /// The Standard Local Route Group; none: its members are skipped (P-22).
    pub standard: Option<RouteGroupId>,
    /// The named ones; a name left out is skipped.
    pub named: Vec<(LocalRouteGroupId, RouteGroupId)>,
}

/// Who calls, as far as routes depend on it.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// An EMCC phone at its home cluster: a local route group is the trunk to the visited cluster (P-4, P-5).
    RoamingAtHome,
    /// A phone in the cluster it visits, come over the trunk: local route groups of its ORIGINAL device pool (P-11), and
    /// only gateways (P-12).
    Visiting {
        /// That pool.
        pool: Option<DevicePoolId>,
        /// Its local route groups.
        groups: &'a LocalRouteGroups,
    },
    /// Any other caller of this cluster (P-22).
    Local {
        /// The caller's device pool.
        pool: Option<DevicePoolId>,
        /// Its local route groups.
        groups: &'a LocalRouteGroups,
    },
}

/// Where a hop leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// The EMCC trunk to the cluster the caller visits (P-7).
    TrunkToVisiting,
    /// A peer of this cluster.
    Peer(PeerId),
}

impl NextHop {
    /// The peer, if it is one.
    #[must_use]
    pub fn peer(self) -> Option<PeerId> {
        match self {
            Self::TrunkToVisiting => None,
            Self::Peer(peer) => Some(peer),
        }
    }
}

/// One place to try, and the numbers as they leave to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where.
    pub to: NextHop,
    /// The called number; none: the request URI leaves as it came (a service URN with no number to stand for it).
    pub called: Option<Digits>,
    /// The calling number, where there is one.
    pub calling: Option<Digits>,
}

/// Hops in the order tried, no destination twice but as an emergency's last resort with another called number.
pub type Hops = SmallVec<[Hop; 4]>;

/// Adds a hop unless its destination is there already.
pub(crate) fn add(hops: &mut Hops, hop: Hop) {
    if hops.iter().all(|earlier| earlier.to != hop.to) {
        hops.push(hop);
    }
}

/// Adds a hop unless its destination is there already with the same called number.
pub(crate) fn add_called(hops: &mut Hops, hop: Hop) {
    if hops.iter().all(|earlier| (earlier.to, earlier.called) != (hop.to, hop.called)) {
        hops.push(hop);
    }
}
