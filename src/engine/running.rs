//! The configuration as the engine runs on it, with what is worked out from it once.

use std::net::SocketAddr;
use std::sync::Arc;

use super::link::Links;
use crate::config::plan::{Plan, RemoteClusterId};
use crate::neighbour::{Address, Flow, Transport};

/// One of our listening addresses and how it is written in headers.
#[derive(Clone, Debug)]
pub struct Local {
    /// How it listens.
    pub transport: Transport,
    /// Where it listens.
    pub socket: SocketAddr,
    /// `host:port` as others are told to reach it.
    pub host_port: Box<str>,
}

impl Local {
    /// A listener that is reached where it listens, or at `advertise` when others see another host.
    #[must_use]
    pub fn new(transport: Transport, socket: SocketAddr, advertise: Option<&str>) -> Self {
        let host_port = match advertise {
            Some(host) if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{}", socket.port()),
            Some(host) => format!("{host}:{}", socket.port()),
            None => socket.to_string(),
        };
        Self { transport, socket, host_port: host_port.into() }
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
        self.slots.get(usize::from(remote.0)).copied()
    }

    /// The remote cluster whose link is in that slot.
    #[must_use]
    pub fn remote_of(&self, slot: u16) -> Option<RemoteClusterId> {
        let at = self.slots.iter().position(|s| *s == slot)?;
        u16::try_from(at).ok().map(RemoteClusterId)
    }

    /// The way to `address`: from the preferred listener when it fits, else from the first that does.
    #[must_use]
    pub fn way(&self, address: Address, preferred: u16) -> Option<Flow> {
        let fits = |local: &Local| {
            local.transport == address.transport && local.socket.is_ipv4() == address.socket.is_ipv4()
        };
        let listener = if self.locals.get(usize::from(preferred)).is_some_and(fits) {
            preferred
        } else {
            u16::try_from(self.locals.iter().position(fits)?).ok()?
        };
        Some(Flow { transport: address.transport, listener, remote: address.socket, connection: 0 })
    }

    /// The listener of a flow.
    #[must_use]
    pub fn local(&self, flow: Flow) -> Option<&Local> {
        self.locals.get(usize::from(flow.listener))
    }

    /// Whether `host` and `port`, as a URI or Via writes them, are one of our own addresses.
    #[must_use]
    pub fn is_ours(&self, host: &[u8], port: Option<u16>) -> bool {
        let port = port.unwrap_or(5060);
        self.locals.iter().any(|local| {
            local
                .host_port
                .rsplit_once(':')
                .is_some_and(|(h, p)| h.as_bytes().eq_ignore_ascii_case(host) && p.parse() == Ok(port))
        })
    }
}
