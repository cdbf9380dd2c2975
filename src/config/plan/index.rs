//! Who is who: names, numbers and addresses to rows, each in one step and without allocating.

use super::{DeviceId, Neighbour, RemoteClusterId, SessionId, UserId};
use crate::config::address::{Address, Transport};
use crate::limits::OTHER_ADDRESSES_MAX;
use crate::neighbour::PhoneNetworks;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};

/// Longest name or number that is looked up; longer ones are nobody's.
const KEY_BYTES_MAX: usize = 128;

/// Keys come from the configuration, so a fixed seed is safe: nobody on the wire can add one.
type Map<K, V> = HashMap<K, V, ahash::RandomState>;

fn map<K: Eq + Hash, V>(entries: impl IntoIterator<Item = (K, V)>) -> Map<K, V> {
    let mut made = Map::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4));
    for (key, value) in entries {
        // The first of a name counts.
        made.entry(key).or_insert(value);
    }
    made
}

/// Rows by name, letters compared without case.
#[derive(Debug)]
pub(super) struct ByName<V>(Map<Box<[u8]>, V>);

impl<V: Copy> ByName<V> {
    pub(super) fn new<'n>(entries: impl IntoIterator<Item = (&'n str, V)>) -> Self {
        Self(map(entries.into_iter().map(|(name, value)| (name.to_ascii_lowercase().into_bytes().into(), value))))
    }

    pub(super) fn get(&self, name: &str) -> Option<V> {
        let mut lower = [0; KEY_BYTES_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        self.0.get(&*lower).copied()
    }
}

/// Rows by exact text.
#[derive(Debug)]
pub(super) struct ByText<V>(Map<Box<str>, V>);

impl<V: Copy> ByText<V> {
    pub(super) fn new<'n>(entries: impl IntoIterator<Item = (&'n str, V)>) -> Self {
        Self(map(entries.into_iter().map(|(text, value)| (text.into(), value))))
    }

    pub(super) fn get(&self, text: &str) -> Option<V> {
        self.0.get(text).copied()
    }
}

/// Who sends from an IP address over a transport.
#[derive(Clone, Debug)]
enum Owner {
    /// Everything from there, whatever the port.
    One(Neighbour),
    /// Several neighbours share it, so the port decides; what comes from another port is the last field's, if anybody's.
    ByPort(Box<[(u16, Neighbour)]>, Option<Neighbour>),
}

/// Neighbours by where they send from.
#[derive(Clone, Debug)]
pub(super) struct ByAddress {
    owners: Map<(Transport, IpAddr), Owner>,
    /// Of each IP address whose neighbour has several, the others. Most configurations have none.
    others: Map<IpAddr, Box<[IpAddr]>>,
}

impl ByAddress {
    pub(super) fn new(addresses: &[(Address, Neighbour)]) -> Self {
        let mut grouped: HashMap<(Transport, IpAddr), Vec<(u16, Neighbour)>> = HashMap::new();
        for &(Address { transport, socket }, neighbour) in addresses {
            let ports = grouped.entry((transport, socket.ip().to_canonical())).or_default();
            // Both trunks of a remote cluster may be one address: then it counts as the first, the PSTN access trunk.
            if !ports.iter().any(|(port, _)| *port == socket.port()) {
                ports.push((socket.port(), neighbour));
            }
        }
        let owners = map(grouped.into_iter().filter_map(|(key, ports)| {
            let first = ports.first()?.1;
            let owner = if ports.iter().all(|(_, neighbour)| *neighbour == first) {
                Owner::One(first)
            } else {
                let same = ports.iter().all(|(_, neighbour)| neighbour.same_host(first));
                Owner::ByPort(ports.into(), same.then_some(first))
            };
            Some((key, owner))
        }));
        Self { owners, others: others(addresses) }
    }

    /// The other IP addresses of whoever has this one.
    pub(super) fn others(&self, ip: IpAddr) -> &[IpAddr] {
        if self.others.is_empty() {
            return &[];
        }
        self.others.get(&ip.to_canonical()).map_or(&[], AsRef::as_ref)
    }

    pub(super) fn get(&self, transport: Transport, from: SocketAddr) -> Option<Neighbour> {
        match self.owners.get(&(transport, from.ip().to_canonical()))? {
            Owner::One(neighbour) => Some(*neighbour),
            Owner::ByPort(ports, otherwise) => {
                let found = ports.iter().find(|(port, _)| *port == from.port());
                found.map(|(_, neighbour)| *neighbour).or(*otherwise)
            }
        }
    }
}

/// Of each IP address whose neighbour, or one of whose neighbours, has several, the others, at most
/// [`OTHER_ADDRESSES_MAX`]: the first of them in the configuration.
fn others(addresses: &[(Address, Neighbour)]) -> Map<IpAddr, Box<[IpAddr]>> {
    let mut of_each: HashMap<Neighbour, Vec<IpAddr>> = HashMap::new();
    let mut neighbours: Vec<Neighbour> = Vec::new();
    for (Address { socket, .. }, neighbour) in addresses {
        let ips = of_each.entry(neighbour.host()).or_insert_with_key(|neighbour| {
            neighbours.push(*neighbour);
            Vec::new()
        });
        let ip = socket.ip().to_canonical();
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    let mut others: HashMap<IpAddr, Vec<IpAddr>> = HashMap::new();
    for ips in neighbours.iter().filter_map(|neighbour| of_each.get(neighbour)).filter(|ips| ips.len() > 1) {
        for ip in ips {
            let known = others.entry(*ip).or_default();
            let new: Vec<IpAddr> = ips.iter().filter(|other| *other != ip && !known.contains(other)).copied().collect();
            known.extend(new);
            known.truncate(OTHER_ADDRESSES_MAX);
        }
    }
    map(others.into_iter().map(|(ip, others)| (ip, others.into())))
}

/// From where a neighbour or a phone sends, whoever it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Senders {
    /// With a port where only that one counts.
    sockets: HashSet<(Transport, IpAddr, Option<u16>), ahash::RandomState>,
    phones: PhoneNetworks,
}

impl Senders {
    pub(super) fn new(neighbours: &ByAddress, phones: &PhoneNetworks) -> Self {
        let mut sockets = HashSet::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4));
        for (&(transport, ip), owner) in &neighbours.owners {
            match owner {
                Owner::ByPort(ports, None) => {
                    sockets.extend(ports.iter().map(|(port, _)| (transport, ip, Some(*port))));
                }
                Owner::One(_) | Owner::ByPort(_, Some(_)) => drop(sockets.insert((transport, ip, None))),
            }
        }
        Self { sockets, phones: phones.clone() }
    }

    /// Whether somebody known sends from there.
    pub(crate) fn know(&self, transport: Transport, from: SocketAddr) -> bool {
        let ip = from.ip().to_canonical();
        let knows = |port| self.sockets.contains(&(transport, ip, port));
        knows(None) || knows(Some(from.port())) || self.phones.contains(from.ip())
    }
}

/// Every index of a plan.
#[derive(Debug)]
pub(super) struct Indexes {
    pub(super) devices: ByName<DeviceId>,
    pub(super) users: ByText<UserId>,
    pub(super) sessions: ByName<SessionId>,
    pub(super) sessions_of_users: HashMap<UserId, SessionId, ahash::RandomState>,
    pub(super) users_by_number: ByText<UserId>,
    pub(super) devices_by_number: ByText<DeviceId>,
    pub(super) clusters: ByText<RemoteClusterId>,
}

pub(super) fn by_user(
    entries: impl IntoIterator<Item = (UserId, SessionId)>,
) -> HashMap<UserId, SessionId, ahash::RandomState> {
    map(entries)
}
