//! Networks of phones that register through this node.

use super::names::{Dangled, Names};
use crate::config::address::Address;
use crate::config::document::{Document, Peer};
use crate::config::report::{At, Report};
use crate::limits::PHONE_NETWORKS_MAX;
use crate::neighbour::Network;
use crate::neighbour::locate::Place;
use emcc_policies::route::PeerKind;
use std::net::IpAddr;

/// Shorter prefixes hold more addresses than any site has phones.
const PREFIX_LEAST_IPV4: u8 = 8;
const PREFIX_LEAST_IPV6: u8 = 32;

pub(super) fn check(document: &Document, names: &Names<'_>, dangled: &Dangled<'_>, report: &Report) {
    let phones = &document.sip.phones;
    let Some(first) = phones.first() else { return };
    if let Some(beyond) = phones.get(PHONE_NETWORKS_MAX) {
        let message = format!("{} networks of phones; {PHONE_NETWORKS_MAX} are served", phones.len());
        report.error(&beyond.place, message, "Join neighbouring networks into wider ones.");
    }
    for (index, at) in phones.iter().enumerate() {
        width(at, report);
        let earlier = phones.iter().take(index).find(|earlier| overlap(earlier, at));
        if let Some((ip, prefix)) = earlier.map(|earlier| earlier.value) {
            let message = format!("{}/{} overlaps {ip}/{prefix}", at.value.0, at.value.1);
            report.warning(&at.place, message, "Remove one of the two.");
        }
    }
    for (at, address, what) in neighbours(document) {
        if phones.iter().any(|at| network(at).is_some_and(|network| network.contains(address.socket.ip()))) {
            let message = format!("{address} lies in sip.phones; it stays a {what}, no phone registers there");
            report.warning(&at.place, message, "Narrow the network of phones if that is not meant.");
        }
    }
    let is_gateway = |peer: &&Peer| peer.kind.as_ref().is_some_and(|kind| kind.value == PeerKind::Gateway);
    if !dangled.is_slipped(&["peer"]) && names.peers.values().all(is_gateway) {
        let message = "phones have nowhere to register: there is no call-control peer";
        report.warning(&first.place, message, "Add [[peer]] with kind = \"call-control\".");
    }
}

fn network(at: &At<(IpAddr, u8)>) -> Option<Network> {
    Network::new(at.value.0, at.value.1)
}

fn overlap(a: &At<(IpAddr, u8)>, b: &At<(IpAddr, u8)>) -> bool {
    network(a).zip(network(b)).is_some_and(|(a, b)| a.overlaps(&b))
}

fn width(at: &At<(IpAddr, u8)>, report: &Report) {
    let (ip, prefix) = at.value;
    let least = if ip.is_ipv4() { PREFIX_LEAST_IPV4 } else { PREFIX_LEAST_IPV6 };
    if ip.is_multicast() {
        report.error(&at.place, format!("{ip} is no address of a phone"), "Write the network the phones stand in.");
    } else if prefix < least {
        let message = format!("{ip}/{prefix} lets half the world speak as a phone");
        report.warning(&at.place, message, format!("Write the phones' own networks, /{least} or longer."));
    }
}

/// Addresses that stay what they are, and what that is; where a name leads is not known before it is looked up.
fn neighbours(document: &Document) -> impl Iterator<Item = (&At<Place>, Address, &'static str)> {
    let peers = document.peers.iter().flat_map(|peer| {
        let is_gateway = peer.kind.as_ref().is_some_and(|kind| kind.value == PeerKind::Gateway);
        let what = if is_gateway { "gateway" } else { "call control" };
        peer.addresses.iter().map(move |address| (address, what))
    });
    let trunks = document.remote_clusters.iter().flat_map(|cluster| cluster.trunk.iter().chain(&cluster.rsvp_trunk));
    peers.chain(trunks.map(|address| (address, "trunk"))).filter_map(|(at, what)| match at.value {
        Place::Address(address) => Some((at, address, what)),
        Place::Named(_) => None,
    })
}
