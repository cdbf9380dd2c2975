//! The configuration as the engine runs on it, with what is worked out from it once.

use std::net::SocketAddr;
use std::sync::Arc;

use super::link::Links;
use crate::config::plan::{Neighbour, Plan, RemoteClusterId};
use crate::neighbour::{Address, Flow};
use crate::sip::UriRef;

/// One of our listening addresses and how it is written in headers.
#[derive(Clone, Debug)]
pub struct Local {
    /// What it listens on.
    pub address: Address,
    /// Where others are told to reach it.
    pub advertised: SocketAddr,
    /// The same as headers write it.
    pub host_port: Box<str>,
}

impl Local {
    /// A listener at `address` that others reach at `advertised`.
    #[must_use]
    pub fn new(address: Address, advertised: SocketAddr) -> Self {
        Self { address, advertised, host_port: advertised.to_string().into() }
    }
}

/// An immutable configuration and what follows from it.
pub struct Running {
    /// The configuration.
    pub plan: Arc<Plan>,
    /// Our listeners; they stay over a reload.
    pub locals: Arc<[Local]>,
    /// Slot of each remote cluster's link.
    slots: Box<[u16]>,
}

impl Running {
    /// Works out what follows from `plan`; links of remote clusters that stay keep their slots and books.
    #[must_use]
    pub fn new(plan: Arc<Plan>, locals: Arc<[Local]>, links: &Links) -> Self {
        let slots = plan.remote_clusters.iter().map(|remote| links.slot_of(remote, &plan)).collect();
        Self { plan, locals, slots }
    }

    /// Slot of that remote cluster's link.
    #[must_use]
    pub fn slot(&self, remote: RemoteClusterId) -> Option<u16> {
        self.slots.get(remote.0 as usize).copied()
    }

    /// The remote cluster whose link is in that slot.
    #[must_use]
    pub fn remote_of(&self, slot: u16) -> Option<RemoteClusterId> {
        let at = self.slots.iter().position(|s| *s == slot)?;
        u32::try_from(at).ok().map(RemoteClusterId)
    }

    /// The way to `address`: from the preferred listener when it fits, else from the first that does.
    #[must_use]
    pub fn way(&self, address: Address, preferred: u16) -> Option<Flow> {
        let fits = |local: &Local| {
            local.address.transport == address.transport && local.address.socket.is_ipv4() == address.socket.is_ipv4()
        };
        let listener = if self.locals.get(usize::from(preferred)).is_some_and(fits) {
            preferred
        } else {
            u16::try_from(self.locals.iter().position(fits)?).ok()?
        };
        Some(Flow { transport: address.transport, listener, remote: address.socket, connection: 0 })
    }

    /// Whether the neighbour at the end of `way` is asked to tell its load (`overload_control`).
    #[must_use]
    pub fn asks_load(&self, way: Flow) -> bool {
        let asks = match self.plan.neighbour(way.transport, way.remote) {
            Some(Neighbour::Peer(id)) => self.plan.peer(id).map(|peer| peer.overload_control),
            Some(Neighbour::Remote { cluster, .. }) => {
                self.plan.remote_cluster(cluster).map(|remote| remote.overload_control)
            }
            None => None,
        };
        asks == Some(true)
    }

    /// The listener of a flow.
    #[must_use]
    pub fn local(&self, flow: Flow) -> Option<&Local> {
        self.locals.get(usize::from(flow.listener))
    }

    /// Whether a URI names one of our own addresses.
    #[must_use]
    pub fn is_ours(&self, uri: &UriRef<'_>) -> bool {
        let Some(ip) = uri.host.ip() else { return false };
        let port = uri.port.unwrap_or(5060);
        let here = |socket: SocketAddr| socket.ip() == ip && socket.port() == port;
        self.locals.iter().any(|local| here(local.advertised) || here(local.address.socket))
    }
}
