//! Looking things up in a plan.

use super::{
    Device, DeviceId, DevicePool, EmccSession, Neighbour, Peer, Plan, RemoteCluster, RemoteClusterId, RoamingPool,
    Senders, SessionId, Terms, User, UserId,
};
use crate::config::address::{Address, Transport};
use crate::neighbour::CertificateName;
use emcc_policies::device_pool::{Roaming, RoamingIndex, Standing};
use emcc_policies::location::{Field, Geolocation};
use emcc_policies::route::{DevicePoolId, Party, PeerId, PeerKind, RouteGroupId, RouteListId};
use emcc_policies::search_space::{CssId, PartitionId, PatternId};
use emcc_policies::trail::Names;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Names that only trails and answers need, by id.
#[derive(Debug)]
pub(super) struct NameTables {
    pub(super) partitions: Box<[Box<str>]>,
    pub(super) spaces: Box<[Box<str>]>,
    pub(super) route_lists: Box<[Box<str>]>,
    pub(super) route_groups: Box<[Box<str>]>,
}

impl Plan {
    /// The device of this name, letters compared without case.
    #[must_use]
    pub fn device_named(&self, name: &str) -> Option<DeviceId> {
        self.indexes.devices.get(name)
    }

    /// The first device that has this directory number.
    #[must_use]
    pub fn device_with_number(&self, number: &str) -> Option<DeviceId> {
        self.indexes.devices_by_number.get(number)
    }

    /// The user with this id.
    #[must_use]
    pub fn user_with_id(&self, id: &str) -> Option<UserId> {
        self.indexes.users.get(id)
    }

    /// The first user who has this directory number.
    #[must_use]
    pub fn user_with_number(&self, number: &str) -> Option<UserId> {
        self.indexes.users_by_number.get(number)
    }

    /// The session on the device of this name, letters compared without case.
    #[must_use]
    pub fn session_on(&self, device: &str) -> Option<SessionId> {
        self.indexes.sessions.get(device)
    }

    /// The first session of a user of ours who is abroad.
    #[must_use]
    pub fn session_of(&self, user: UserId) -> Option<SessionId> {
        self.indexes.sessions_of_users.get(&user).copied()
    }

    /// The remote cluster with this cluster ID.
    #[must_use]
    pub fn remote_cluster_with_id(&self, id: &str) -> Option<RemoteClusterId> {
        self.indexes.clusters.get(id)
    }

    /// Who sends from this address: by IP address and transport, by port too only where several share an address. A
    /// phone is whoever sends from a network of phones and has no address of another neighbour.
    #[must_use]
    pub fn neighbour(&self, transport: Transport, from: SocketAddr) -> Option<Neighbour> {
        let configured = self.neighbours.get(transport, from);
        configured.or_else(|| self.sip.phones.contains(from.ip()).then_some(Neighbour::Phone))
    }

    /// The other IP addresses of the configured neighbour that has this one, where it has several.
    #[must_use]
    pub(crate) fn other_ips(&self, ip: IpAddr) -> &[IpAddr] {
        self.neighbours.others(ip)
    }

    /// From where neighbours and phones send.
    pub(crate) const fn senders(&self) -> &Arc<Senders> {
        &self.senders
    }

    /// The same configuration with `senders`, which are equal to its own.
    pub(crate) fn with_senders(self, senders: Arc<Senders>) -> Self {
        Self { senders, ..self }
    }

    /// Every address of every call control, in the order they are tried.
    pub fn call_controls(&self) -> impl Iterator<Item = (PeerId, Address)> {
        let peers = (0..).map(PeerId).zip(&self.peers).filter(|(_, peer)| peer.kind == PeerKind::CallControl);
        peers.flat_map(|(id, peer)| peer.addresses.iter().map(move |address| (id, *address)))
    }

    /// What the certificate of the TLS neighbour at this address must name (RFC 5922): its `tls_name`, or the name or IP
    /// address it is configured by.
    #[must_use]
    pub fn certificate_name(&self, remote: SocketAddr) -> Option<CertificateName> {
        let (configured, otherwise) = match self.neighbour(Transport::Tls, remote)? {
            Neighbour::Peer(peer) => self.peer(peer).map(|peer| (&peer.tls_name, &peer.certificate_names))?,
            Neighbour::Remote { cluster, .. } => {
                self.remote_cluster(cluster).map(|remote| (&remote.tls_name, &remote.certificate_names))?
            }
            // No phone's certificate is known here.
            Neighbour::Phone => return None,
        };
        let ip = remote.ip().to_canonical();
        let name = configured.as_ref().or_else(|| otherwise.iter().find(|(at, _)| *at == ip).map(|(_, name)| name));
        Some(name.cloned().unwrap_or(CertificateName::Ip(ip)))
    }

    /// Where a visiting phone at this place belongs (G-6 to G-10). Runs once a login: it allocates.
    #[must_use]
    pub fn roaming_pool(&self, phone: Option<&Geolocation>) -> RoamingPool {
        roaming_pool(&self.roaming, self.template_pool, phone)
    }

    /// How every device pool stands to a phone at this place, in the order of [`Plan::device_pools`]: for whoever asks why
    /// it was not placed there.
    pub fn roaming_standings<'a>(&'a self, phone: &'a Geolocation) -> impl Iterator<Item = Standing> + 'a {
        self.roaming.standings(phone, self.device_pools.iter().map(|pool| pool.geolocation.as_deref()))
    }

    /// A device; nothing for an id of another plan.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(id.0 as usize)
    }

    /// A user; nothing for an id of another plan.
    #[must_use]
    pub fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(id.0 as usize)
    }

    /// A session; nothing for an id of another plan.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&EmccSession> {
        self.sessions.get(id.0 as usize)
    }

    /// A peer; nothing for an id of another plan.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&Peer> {
        self.peers.get(id.0 as usize)
    }

    /// A remote cluster; nothing for an id of another plan.
    #[must_use]
    pub fn remote_cluster(&self, id: RemoteClusterId) -> Option<&RemoteCluster> {
        self.remote_clusters.get(id.0 as usize)
    }

    /// What is agreed with a neighbour; nothing for an id of another plan.
    #[must_use]
    pub fn terms(&self, of: Neighbour) -> Option<&Terms> {
        match of {
            Neighbour::Peer(id) => self.peer(id).map(|peer| &peer.terms),
            Neighbour::Remote { cluster, .. } => self.remote_cluster(cluster).map(|remote| &remote.terms),
            Neighbour::Phone => None,
        }
    }

    /// A device pool; nothing for an id of another plan.
    #[must_use]
    pub fn device_pool(&self, id: DevicePoolId) -> Option<&DevicePool> {
        self.device_pools.get(id.0 as usize)
    }
}

/// Every device pool by its place under the filter of the configuration.
pub(super) fn roaming_index(filter: &[Field], pools: &[DevicePool]) -> RoamingIndex {
    let places: Vec<_> = pools.iter().map(|pool| (&*pool.name, pool.geolocation.as_deref())).collect();
    RoamingIndex::new(filter, &places)
}

pub(super) fn roaming_pool(
    index: &RoamingIndex,
    template: Option<DevicePoolId>,
    phone: Option<&Geolocation>,
) -> RoamingPool {
    let Roaming { pool, score, because } = index.choose(phone);
    let chosen = pool.and_then(|place| u32::try_from(place).ok()).map(DevicePoolId);
    RoamingPool { device_pool: chosen.or(template), score, fallback: chosen.is_none(), because }
}

fn named(table: &[Box<str>], id: u32) -> &str {
    table.get(id as usize).map(AsRef::as_ref).unwrap_or_default()
}

impl Names for Plan {
    fn partition(&self, id: PartitionId) -> &str {
        named(&self.names.partitions, id.0)
    }

    fn css(&self, id: CssId) -> &str {
        named(&self.names.spaces, id.0)
    }

    fn pattern(&self, id: PatternId) -> &str {
        self.dial_plan.row(id).map(|row| row.pattern.text()).unwrap_or_default()
    }

    fn transformation(&self, party: Party, id: PatternId) -> &str {
        self.routes.transformations.as_ref().map(|all| all.text(party, id)).unwrap_or_default()
    }

    fn device_pool(&self, id: DevicePoolId) -> &str {
        self.device_pools.get(id.0 as usize).map(|pool| &*pool.name).unwrap_or_default()
    }

    fn peer(&self, id: PeerId) -> &str {
        self.peers.get(id.0 as usize).map(|peer| &*peer.name).unwrap_or_default()
    }

    fn route_list(&self, id: RouteListId) -> &str {
        named(&self.names.route_lists, id.0)
    }

    fn route_group(&self, id: RouteGroupId) -> &str {
        named(&self.names.route_groups, id.0)
    }
}
