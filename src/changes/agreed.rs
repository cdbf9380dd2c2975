//! What is agreed with a neighbour and rules every call to and from it, whoever calls and whatever is dialed: what it may send,
//! what of it is believed, what it is told, and whether SRTP keys may be on its hops (S-1 to S-3).

use emcc_policies::login::Security;
use emcc_policies::route::PeerId;
use emcc_policies::srtp::may_carry_keys;

use super::paired::Pair;
use super::terms::{Setting, Whose, add};
use crate::config::plan::{Neighbour, Plan, RemoteClusterId, Site, Terms};
use crate::engine::keys::way_of;
use crate::neighbour::mark::DeviceHeader;
use crate::neighbour::{Address, CertificateName, Transport};

/// A peer or remote cluster, as far as it is no decision of one call.
struct Agreed<'p> {
    neighbour: Neighbour,
    addresses: &'p [Address],
    sites: &'p [Site],
    terms: &'p Terms,
    device_header: &'p DeviceHeader,
    send_geolocation: bool,
    trust_identity: bool,
    tls_name: Option<&'p CertificateName>,
}

impl<'p> Agreed<'p> {
    fn peer(plan: &'p Plan, id: PeerId) -> Option<Self> {
        let peer = plan.peer(id)?;
        Some(Self {
            neighbour: Neighbour::Peer(id),
            addresses: &peer.addresses,
            sites: &peer.sites,
            terms: &peer.terms,
            device_header: &peer.device_header,
            send_geolocation: peer.send_geolocation,
            trust_identity: peer.trust_identity,
            tls_name: peer.tls_name.as_ref(),
        })
    }

    fn remote(plan: &'p Plan, id: RemoteClusterId) -> Option<Self> {
        let remote = plan.remote_cluster(id)?;
        Some(Self {
            neighbour: Neighbour::Remote { cluster: id, is_rsvp_trunk: false },
            addresses: &remote.addresses,
            sites: &remote.sites,
            terms: &remote.terms,
            device_header: &remote.device_header,
            send_geolocation: remote.send_geolocation,
            trust_identity: remote.trust_identity,
            tls_name: remote.tls_name.as_ref(),
        })
    }
}

/// Every setting of a neighbour both configurations have that is another.
pub(super) fn with_neighbours(pair: &Pair<'_>, found: &mut Vec<Setting>) {
    let (now, next) = (pair.now.plan, pair.next.plan);
    for (id, peer) in (0..).map(PeerId).zip(&now.peers) {
        let both = (Agreed::peer(now, id), pair.next.peer_named(&peer.name).and_then(|id| Agreed::peer(next, id)));
        compare(found, &peer.name, [now, next], both);
    }
    for (id, remote) in (0..).map(RemoteClusterId).zip(&now.remote_clusters) {
        let other = next.remote_cluster_with_id(&remote.id);
        let both = (Agreed::remote(now, id), other.and_then(|id| Agreed::remote(next, id)));
        compare(found, &remote.id, [now, next], both);
    }
}

fn compare(found: &mut Vec<Setting>, name: &str, plans: [&Plan; 2], both: (Option<Agreed<'_>>, Option<Agreed<'_>>)) {
    let ((Some(now), Some(next)), [of_now, of_next]) = (both, plans) else { return };
    add(found, [values(of_now, &now), values(of_next, &next)], &Whose::Neighbour(name.into()));
}

fn values(plan: &Plan, agreed: &Agreed<'_>) -> [(&'static str, Option<String>); 8] {
    let of_header = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let methods = agreed.terms.methods.header().map_or_else(|| "all".to_owned(), of_header);
    let rate = agreed.terms.rate_per_s.map_or_else(|| "no limit".to_owned(), |rate| rate.to_string());
    [
        ("methods", Some(methods)),
        ("rate_per_s", Some(rate)),
        ("weight", Some(weights(agreed.sites))),
        ("trust_identity", Some(agreed.trust_identity.to_string())),
        ("device_header", Some(agreed.device_header.name().to_owned())),
        ("send_geolocation", Some(agreed.send_geolocation.to_string())),
        ("tls_name", agreed.tls_name.map(ToString::to_string)),
        ("srtp_keys", keys(plan, agreed)),
    ]
}

/// The share of each address that is configured, in their order.
fn weights(sites: &[Site]) -> String {
    let weights = sites.iter().map(|site| site.rank.weight.to_string());
    weights.collect::<Vec<_>>().join(", ")
}

/// Whether SRTP keys may be on a hop to or from it, by the transports of its addresses where these are not treated alike; none
/// where it has no address.
fn keys(plan: &Plan, agreed: &Agreed<'_>) -> Option<String> {
    let mut told: Vec<(Transport, &str)> = Vec::new();
    for Address { transport, .. } in agreed.addresses {
        if !told.iter().any(|(known, _)| known == transport) {
            told.push((*transport, carried(plan, agreed.neighbour, *transport)));
        }
    }
    let (_, first) = *told.first()?;
    if told.iter().all(|(_, word)| *word == first) {
        return Some(first.to_owned());
    }
    let words = told.iter().map(|(transport, word)| format!("{transport}: {word}"));
    Some(words.collect::<Vec<_>>().join(", "))
}

/// What the function that live calls ask says of every kind of session.
fn carried(plan: &Plan, neighbour: Neighbour, transport: Transport) -> &'static str {
    let way = way_of(plan, Some(neighbour), transport);
    let may = |session| may_carry_keys(way, session);
    match (may(None) && may(Some(Security::Secure)), may(Some(Security::NonSecure))) {
        (true, true) => "pass",
        (true, false) => "pass, but for a non-secure EMCC session",
        (false, _) => "never",
    }
}
