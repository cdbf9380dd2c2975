//! Where neighbours are: what is configured, and where its names lead.

use super::index::{ByAddress, Senders};
use super::{Neighbour, Peer, Plan, RemoteCluster, RemoteClusterId};
use crate::config::address::{Address, Transport};
use crate::neighbour::CertificateName;
use crate::neighbour::locate::{Named, Place};
use crate::neighbour::names::Names;
use crate::neighbour::select::Rank;
use emcc_policies::route::PeerId;
use std::net::IpAddr;
use std::sync::Arc;

/// An address or name of a neighbour as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// It.
    pub place: Place,
    /// Its place among those of its neighbour.
    pub rank: Rank,
}

/// A configured priority stands above whatever priorities an SRV record has.
const PRIORITY_SHIFT: u32 = 16;

/// The addresses sites lead to, each once, and their ranks. A name's own weights count where it has some.
pub(super) fn addresses(sites: &[Site], names: &Names) -> (Box<[Address]>, Box<[Rank]>) {
    let mut found: Vec<(Address, Rank)> = Vec::new();
    for Site { place, rank } in sites {
        let priority = rank.priority << PRIORITY_SHIFT;
        match place {
            Place::Address(address) => found.push((*address, Rank { priority, ..*rank })),
            Place::Named(name) => found.extend(names.now(name).iter().map(|located| {
                let weight = if located.rank.weight > 0 { located.rank.weight } else { rank.weight };
                (located.address, Rank { priority: priority | located.rank.priority, weight })
            })),
        }
    }
    // Stable: equal priorities stay as configured.
    found.sort_by_key(|(_, rank)| rank.priority);
    let mut seen = Vec::new();
    found.retain(|(address, _)| {
        !seen.contains(address) && {
            seen.push(*address);
            true
        }
    });
    let (addresses, ranks): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    (addresses.into(), ranks.into())
}

/// What the certificate of who is at these sites names unless configured (RFC 5922 section 4): the name that is written,
/// wherever records led from there, for records can be forged; of a written address, the IP address. The first site
/// that leads to an IP address counts.
pub(super) fn certificate_names<'s>(
    sites: impl IntoIterator<Item = &'s Site>,
    names: &Names,
) -> Box<[(IpAddr, CertificateName)]> {
    let mut found: Vec<(IpAddr, CertificateName)> = Vec::new();
    let mut leads = |address: Address, name: CertificateName| {
        let ip = address.socket.ip().to_canonical();
        if address.transport == Transport::Tls && found.iter().all(|(known, _)| *known != ip) {
            found.push((ip, name));
        }
    };
    for Site { place, .. } in sites {
        match place {
            Place::Address(address) => leads(*address, CertificateName::Ip(address.socket.ip().to_canonical())),
            Place::Named(named) => {
                let Some(name) = CertificateName::parse(&named.host) else { continue };
                let now = names.now(named).iter().map(|located| located.address);
                now.chain(names.before(named)).for_each(|address| leads(address, name.clone()));
            }
        }
    }
    found.into()
}

/// Who sends from which address. Where a name led before comes last: who is there now counts.
pub(super) fn owners(peers: &[Peer], clusters: &[RemoteCluster], names: &Names) -> ByAddress {
    let peers = || (0..).map(PeerId).zip(peers);
    let clusters = || (0..).map(RemoteClusterId).zip(clusters);
    let remote = |cluster, is_rsvp_trunk| Neighbour::Remote { cluster, is_rsvp_trunk };
    let of_peers =
        peers().flat_map(|(id, peer)| peer.addresses.iter().map(move |address| (*address, Neighbour::Peer(id))));
    let of_clusters = clusters().flat_map(|(id, row)| {
        let trunk = row.addresses.iter().map(move |address| (*address, remote(id, false)));
        trunk.chain(row.rsvp_trunk.iter().map(move |address| (*address, remote(id, true))))
    });
    let mut found: Vec<(Address, Neighbour)> = of_peers.chain(of_clusters).collect();
    let mut left = |sites: &[Site], owner| {
        let named = sites.iter().filter_map(|site| site.place.named());
        found.extend(named.flat_map(|name| names.before(name)).map(|address| (address, owner)));
    };
    for (id, peer) in peers() {
        left(&peer.sites, Neighbour::Peer(id));
    }
    for (id, row) in clusters() {
        left(&row.sites, remote(id, false));
        left(&row.rsvp_sites, remote(id, true));
    }
    ByAddress::new(&found)
}

impl Plan {
    /// Every name of a neighbour; one that is written twice comes twice.
    pub fn names(&self) -> impl Iterator<Item = &Named> + Clone {
        self.sites().filter_map(|site| site.place.named())
    }

    fn sites(&self) -> impl Iterator<Item = &Site> + Clone {
        let peers = self.peers.iter().flat_map(|peer| peer.sites.iter());
        let clusters = self.remote_clusters.iter().flat_map(|row| row.sites.iter().chain(row.rsvp_sites.iter()));
        peers.chain(clusters)
    }

    /// The same configuration with its neighbours where `names` lead. All but the neighbours is shared, not copied.
    #[must_use]
    pub fn located(&self, names: &Names) -> Self {
        let mut plan = self.clone();
        for peer in &mut plan.peers {
            (peer.addresses, peer.terms.ranks) = addresses(&peer.sites, names);
            peer.certificate_names = certificate_names(&*peer.sites, names);
        }
        for row in &mut plan.remote_clusters {
            (row.addresses, row.terms.ranks) = addresses(&row.sites, names);
            row.rsvp_trunk = addresses(&row.rsvp_sites, names).0;
            row.certificate_names = certificate_names(row.sites.iter().chain(&*row.rsvp_sites), names);
        }
        plan.led = led(plan.sites(), names);
        plan.neighbours = owners(&plan.peers, &plan.remote_clusters, names);
        plan.senders = Arc::new(Senders::new(&plan.neighbours, &plan.sip.phones));
        plan
    }

    /// Where the name that some neighbour is configured by leads; letters are compared without case, and a port that is
    /// not said is any.
    pub fn led_to(&self, host: &str, port: Option<u16>) -> impl Iterator<Item = &Led> {
        self.led.iter().filter(move |led| {
            led.name.host.eq_ignore_ascii_case(host) && port.is_none_or(|port| led.name.port == Some(port))
        })
    }
}

/// Where a name leads by which a neighbour is configured.
#[derive(Clone, Debug)]
pub struct Led {
    name: Named,
    /// Now, by their ranks.
    pub now: Box<[(Address, Rank)]>,
    /// Before, within the time a call may stand.
    pub before: Box<[Address]>,
}

impl Led {
    /// Now and before.
    pub fn any_address(&self) -> impl Iterator<Item = Address> {
        self.now.iter().map(|(address, _)| *address).chain(self.before.iter().copied())
    }
}

/// Where each of those names leads, each once.
pub(super) fn led<'s>(sites: impl Iterator<Item = &'s Site>, names: &Names) -> Arc<[Led]> {
    let mut found: Vec<Led> = Vec::new();
    for site in sites {
        let Some(name) = site.place.named().filter(|name| found.iter().all(|led| led.name != **name)) else { continue };
        let (now, ranks) = addresses(std::slice::from_ref(site), names);
        let now = now.into_iter().zip(ranks).collect();
        found.push(Led { name: name.clone(), now, before: names.before(name).collect() });
    }
    found.into()
}
