//! The configuration as the engine runs on it, with what is worked out from it once.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use emcc_policies::route::{PeerId, RouteGroupId};
use emcc_policies::trail::Names as _;

use super::link::Links;
use super::watch::Watches;
use crate::config::plan::{Neighbour, Plan, RemoteClusterId};
use crate::neighbour::rate::Bucket;
use crate::neighbour::{Address, Flow, Transport};
use crate::sip::{Index, Scheme, Start, Transport as ViaTransport, UriRef, essentials_of_taken, scan};

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
    /// Health of every neighbour's addresses.
    pub watches: Watches,
    /// What is left of the rate of each peer and of each remote cluster.
    buckets: [Box<[Arc<Bucket>]>; 2],
    /// Slot of each remote cluster's link.
    slots: Box<[u16]>,
    /// How many calls used each route group.
    turns: Box<[Arc<AtomicUsize>]>,
}

impl Running {
    /// Works out what follows from `plan`; links of remote clusters that stay keep their slots and books, addresses
    /// that stay what was known `before` of their health, neighbours that stay what is left of their rate, route groups that
    /// stay whose turn it is.
    #[must_use]
    pub fn new(plan: Arc<Plan>, locals: Arc<[Local]>, links: &Links, before: Option<&Self>) -> Self {
        let slots = plan.remote_clusters.iter().map(|remote| links.slot_of(remote, &plan)).collect();
        let watches = Watches::new(&plan, before.map(|before| &before.watches));
        let [old_peers, old_remotes] =
            before.map_or([&[][..]; 2], |before| before.buckets.each_ref().map(|list| &**list));
        let place = |found: Option<usize>, old: &[Arc<Bucket>]| found.and_then(|place| old.get(place).cloned());
        let peers = plan.peers.iter().map(|peer| {
            let old = before.and_then(|before| before.plan.peers.iter().position(|old| old.name == peer.name));
            place(old, old_peers).unwrap_or_default()
        });
        let remotes = plan.remote_clusters.iter().map(|remote| {
            let old = before.and_then(|before| before.plan.remote_clusters.iter().position(|old| old.id == remote.id));
            place(old, old_remotes).unwrap_or_default()
        });
        let buckets = [peers.collect(), remotes.collect()];
        let groups = |plan: &Plan| (0..).map(RouteGroupId).take(plan.routes.groups.len());
        let old_turns: HashMap<&str, &Arc<AtomicUsize>> = before.map_or_else(HashMap::new, |before| {
            groups(&before.plan).map(|id| before.plan.route_group(id)).zip(&before.turns).collect()
        });
        let turn = |id| old_turns.get(plan.route_group(id)).map(|turn| Arc::clone(turn)).unwrap_or_default();
        let turns = groups(&plan).map(turn).collect();
        Self { plan, locals, watches, buckets, slots, turns }
    }

    /// What is left of a neighbour's rate.
    #[must_use]
    pub fn bucket(&self, of: Neighbour) -> Option<&Bucket> {
        let [peers, remotes] = &self.buckets;
        match of {
            Neighbour::Peer(PeerId(peer)) => peers.get(peer as usize),
            Neighbour::Remote { cluster, .. } => remotes.get(cluster.0 as usize),
            Neighbour::Phone => None,
        }
        .map(AsRef::as_ref)
    }

    /// Whose turn it is in each route group, by its id.
    #[must_use]
    pub(crate) fn turns(&self) -> &[Arc<AtomicUsize>] {
        &self.turns
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
        let fits = |local: &Local| local.address.reaches(address);
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
            Some(Neighbour::Phone) | None => None,
        };
        asks == Some(true)
    }

    /// The listener of a flow.
    #[must_use]
    pub fn local(&self, flow: Flow) -> Option<&Local> {
        self.locals.get(usize::from(flow.listener))
    }

    /// Whether a response may go there at all: not to a group, to everybody, or to ourselves.
    #[must_use]
    pub fn is_answerable(&self, flow: Flow) -> bool {
        let ip = flow.remote.ip().to_canonical();
        let is_one_host = match ip {
            IpAddr::V4(ip) => !ip.is_broadcast() && !ip.is_multicast() && !ip.is_unspecified(),
            IpAddr::V6(ip) => !ip.is_multicast() && !ip.is_unspecified(),
        };
        // On a stream the answer goes back on the connection, whatever its ports.
        flow.transport != Transport::Udp || is_one_host && !self.is_own(flow)
    }

    /// Whether a way leads to one of our own addresses.
    pub(crate) fn is_own(&self, way: Flow) -> bool {
        let ip = way.remote.ip().to_canonical();
        let here = |socket: SocketAddr| socket.port() == way.remote.port() && socket.ip().to_canonical() == ip;
        let is_own = |local: &Local| {
            local.address.transport == way.transport && (here(local.address.socket) || here(local.advertised))
        };
        self.locals.iter().any(is_own)
    }

    /// Where the other end of `flow`, a phone or a former neighbour, listens, as what is sent to it says: the topmost Via of a
    /// response, which is its own, or the target of a request, its Contact. At its own address alone, and over TCP alone,
    /// since no phone's certificate is known.
    pub(super) fn said_listens(&self, flow: Flow, bytes: &[u8]) -> Option<Flow> {
        let mut index = Index::new();
        let message = scan(bytes, &mut index).ok()?;
        let of = essentials_of_taken(&message).ok()?;
        let ip = flow.remote.ip().to_canonical();
        let (is_tcp, port) = match message.start() {
            Start::Response { .. } => (of.via.transport == ViaTransport::Tcp, of.via.port),
            Start::Request { .. } => {
                let uri = of.uri.filter(|uri| uri.host.ip().is_some_and(|at| at.to_canonical() == ip))?;
                (transport_of(&uri) == Transport::Tcp, uri.port)
            }
        };
        let remote = SocketAddr::new(flow.remote.ip(), port.unwrap_or(Transport::Tcp.default_port()));
        let way = Flow { remote, connection: 0, ..flow };
        (is_tcp && flow.transport == Transport::Tcp && !self.is_own(way)).then_some(way)
    }

    /// Whether a URI names one of our own addresses.
    #[must_use]
    pub fn is_ours(&self, uri: &UriRef<'_>) -> bool {
        let Some(ip) = uri.host.ip() else { return false };
        let port = uri.port.unwrap_or_else(|| transport_of(uri).default_port());
        let here = |socket: SocketAddr| socket.ip() == ip && socket.port() == port;
        self.locals.iter().any(|local| here(local.advertised) || here(local.address.socket))
    }
}

/// The transport a URI with an IP address leads over (RFC 3261 section 26.2.2, RFC 3263 section 4.1): TLS where its scheme
/// is `sips`, whatever its parameter says.
#[must_use]
pub fn transport_of(uri: &UriRef<'_>) -> Transport {
    match uri.param("transport") {
        _ if uri.scheme == Scheme::Sips => Transport::Tls,
        Some(name) if name.eq_ignore_ascii_case(b"tls") => Transport::Tls,
        Some(name) if name.eq_ignore_ascii_case(b"tcp") => Transport::Tcp,
        _ => Transport::Udp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_leads_over_the_transport_of_its_scheme_then_of_its_parameter() {
        for (text, want) in [
            ("sip:192.0.2.1", Transport::Udp),
            ("sip:192.0.2.1;transport=UDP", Transport::Udp),
            ("sip:192.0.2.1;transport=tcp", Transport::Tcp),
            ("sip:192.0.2.1:5061;transport=TLS;lr", Transport::Tls),
            ("sips:192.0.2.1", Transport::Tls),
            ("sips:192.0.2.1;transport=tcp", Transport::Tls),
            ("sip:192.0.2.1;transport=sctp", Transport::Udp),
        ] {
            let uri = UriRef::parse(text.as_bytes()).expect(text);
            assert_eq!(transport_of(&uri), want, "{text}");
        }
    }
}
