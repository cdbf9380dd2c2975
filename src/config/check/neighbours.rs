//! Neighbours: addresses that tell them apart, links, services, region parameters.

use super::names::{Dangled, Names};
use crate::config::address::{Address, Transport};
use crate::config::document::{Document, RemoteCluster, Service, Sip, Terms, Text};
use crate::config::plan::build::{MIN_SE_S, SESSION_EXPIRES_S};
use crate::config::report::{At, Report};
use crate::limits::NAMES_MAX;
use crate::neighbour::locate::{Named, Place};
use emcc_policies::region::Region;
use emcc_policies::route::PeerKind;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

/// Smallest Timer C that RFC 3261 16.6 allows, in seconds: more than three minutes.
const RING_S_LEAST: u32 = 181;

pub(super) fn check(document: &Document, names: &Names<'_>, dangled: &Dangled<'_>, report: &Report) {
    let is_sip_slipped = dangled.is_slipped(&["sip"]);
    listening(document, is_sip_slipped, report);
    if !is_sip_slipped {
        tls(document, report);
    }
    addresses(document, report);
    reached(document, report);
    services(document, dangled, report);
    let is_slipped = |table: &str, name: &Text| dangled.is_slipped(&[table]) && report.has_errors_beside(&name.place);
    for cluster in &document.remote_clusters {
        if document.cluster.id.as_ref().is_some_and(|id| id.value == cluster.id.value) {
            let message = format!("remote cluster \"{}\" has the id of this cluster", cluster.id.value);
            report.error(&cluster.id.place, message, "Write the other cluster's own cluster ID (R-5).");
        }
        if !dangled.is_slipped(&["feature"]) {
            region(document, cluster, report);
        }
        // What a row seems to lack may be what is wrong in it.
        if !is_slipped("remote_cluster", &cluster.id) {
            link(cluster, report);
            locations(cluster, report);
            ranks(&cluster.terms, cluster.trunk.len(), report);
            strict_stream(&cluster.terms, cluster.trunk.iter().chain(&cluster.rsvp_trunk), report);
        }
        for (list, key) in [(&cluster.trunk, "trunk"), (&cluster.rsvp_trunk, "rsvp_trunk")] {
            repeated(list, key, report);
        }
    }
    for peer in &document.peers {
        repeated(&peer.addresses, "addresses", report);
        if !is_slipped("peer", &peer.name) {
            ranks(&peer.terms, peer.addresses.len(), report);
            strict_stream(&peer.terms, peer.addresses.iter(), report);
        }
        let datagrams = peer.addresses.iter().any(|address| address.value.transport() == Some(Transport::Udp));
        if let Some(flag) = peer.send_geolocation.as_ref().filter(|flag| flag.value && datagrams) {
            over_udp(flag, report);
        }
    }
    let are_gateways =
        || names.peers.values().all(|peer| peer.kind.as_ref().is_some_and(|kind| kind.value == PeerKind::Gateway));
    if !dangled.is_slipped(&["peer"]) && are_gateways() {
        let numbers = document.devices.iter().flat_map(|device| device.directory_numbers.first());
        let numbers = numbers.chain(document.users.iter().filter_map(|user| user.directory_number.as_ref()));
        if let Some(number) = numbers.into_iter().next() {
            let message = "calls to directory numbers have nowhere to go: there is no call-control peer";
            report.warning(&number.place, message, "Add [[peer]] with kind = \"call-control\".");
        }
    }
}

fn listening(document: &Document, is_slipped: bool, report: &Report) {
    let sip = &document.sip;
    if let Some(ring) = sip.ring_s.as_ref().filter(|ring| ring.value < RING_S_LEAST) {
        let message = format!("{} s of ringing is less than Timer C allows (RFC 3261, 16.6)", ring.value);
        report.warning(&ring.place, message, format!("Write at least {RING_S_LEAST}, or leave the key out."));
    }
    if !is_slipped {
        session_timer(sip, report);
    }
    let wildcard = sip.listen.iter().find(|listen| listen.value.socket.ip().is_unspecified());
    if let Some(listen) = wildcard.filter(|_| sip.advertise.is_none() && !is_slipped) {
        let message = format!("{} is no address that neighbours could answer to", listen.value);
        report.error(&listen.place, message, "Write the host's own address, or name it in advertise.");
    }
    if let Some(advertise) = sip.advertise.as_ref().filter(|a| a.value.0.is_unspecified() || a.value.0.is_multicast()) {
        let fix = "Write the IP address the neighbours reach this node at.";
        report.error(&advertise.place, format!("{} cannot be advertised", advertise.value.0), fix);
    }
    let mut seen = HashMap::new();
    for listen in &sip.listen {
        if seen.insert(listen.value, ()).is_some() {
            report.error(&listen.place, format!("{} is listened on twice", listen.value), "Remove one of the two.");
        }
        let other = match listen.value.transport {
            Transport::Udp => continue,
            Transport::Tcp => Transport::Tls,
            Transport::Tls => Transport::Tcp,
        };
        if seen.contains_key(&Address { transport: other, socket: listen.value.socket }) {
            let message = format!("{} is a port that tcp and tls cannot share", listen.value);
            report.error(&listen.place, message, "Give tls a port of its own, as in 5061.");
        }
    }
    if let Some(admin) = document.admin_listen.as_ref() {
        if !admin.value.ip().is_loopback() {
            let message =
                format!("the admin page would be open to the network at {}, without TLS and a token", admin.value);
            report.error(&admin.place, message, "Write a loopback address, as in \"127.0.0.1:9411\".");
        }
        let is_taken = |transport| seen.contains_key(&Address { transport, socket: admin.value });
        if is_taken(Transport::Tcp) || is_taken(Transport::Tls) {
            let message = format!("{} is listened on for SIP and for the admin page", admin.value);
            report.error(&admin.place, message, "Give the admin page another port.");
        }
    }
}

fn session_timer(sip: &Sip, report: &Report) {
    if let Some(least) = sip.min_se_s.as_ref().filter(|least| least.value < MIN_SE_S) {
        let message = format!("{} s is less than any session interval may be (RFC 4028, section 5)", least.value);
        report.warning(&least.place, message, format!("Write at least {MIN_SE_S}, or leave the key out."));
    }
    let least_s = sip.min_se_s.as_ref().map_or(MIN_SE_S, |least| least.value);
    let ours_s = sip.session_expires_s.as_ref().map_or(SESSION_EXPIRES_S, |ours| ours.value);
    let written = sip.session_expires_s.as_ref().or(sip.min_se_s.as_ref());
    if let Some(at) = written.filter(|_| ours_s != 0 && ours_s < least_s) {
        let message = format!("session_expires_s = {ours_s} is below min_se_s = {least_s}");
        report.error(&at.place, message, format!("Write session_expires_s = {least_s} or more, or 0 for none."));
    }
}

/// TLS both ways needs a certificate to show, and a listener, from whose address connections are opened too.
fn tls(document: &Document, report: &Report) {
    let listens = document.sip.listen.iter().find(|address| address.value.transport == Transport::Tls);
    let neighbour = document.places().find(|place| place.value.transport() == Some(Transport::Tls));
    let listens_at = listens.map(|address| (address.value.to_string(), &address.place));
    let uses_tls = listens_at.or_else(|| neighbour.map(|place| (place.value.to_string(), &place.place)));
    if let Some((address, at)) = uses_tls.filter(|_| document.sip.tls.is_none()) {
        let message = format!("{address} needs a certificate, and there is no [sip] tls");
        let fix = "Write tls = { certificate = \"node.pem\", key = \"node.key\", trust = \"roots.pem\" } into [sip].";
        return report.error(at, message, fix);
    }
    if let Some(address) = neighbour.filter(|_| listens.is_none()) {
        let message = format!("{} cannot be reached: this node listens on no tls address", address.value);
        report.error(&address.place, message, "Add a tls address to sip.listen, as in \"tls:127.0.0.1:5061\".");
    }
}

/// A neighbour is known by address and transport: two with one address cannot be told apart.
fn addresses(document: &Document, report: &Report) {
    let mut owners: HashMap<&Place, &str> = HashMap::new();
    // Who opens a stream comes from a port of its own choosing, so over TCP the IP address alone tells who it is.
    let mut streams: HashMap<IpAddr, &str> = HashMap::new();
    let peers = document.peers.iter().map(|peer| (peer.name.as_str(), peer.addresses.iter().collect::<Vec<_>>()));
    let clusters = document.remote_clusters.iter();
    let clusters = clusters.map(|c| (c.id.as_str(), c.trunk.iter().chain(&c.rsvp_trunk).collect()));
    for (owner, list) in peers.chain(clusters) {
        for place in list {
            if let Some(other) = owners.insert(&place.value, owner).filter(|other| *other != owner) {
                let message = format!("{} is the address of both \"{other}\" and \"{owner}\"", place.value);
                report.error(&place.place, message, "Give each neighbour an address of its own.");
            }
            let Some(value) = place.value.address() else { continue };
            let address = At { value, place: place.place.clone() };
            if document.sip.listen.iter().any(|listen| listen.value == address.value) {
                let message = format!("{} is this node's own listening address", address.value);
                report.error(&address.place, message, "Write the neighbour's address.");
            }
            let ip = address.value.socket.ip();
            if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
                report.error(
                    &address.place,
                    format!("{ip} is no address of one host"),
                    "Write the neighbour's own IP address.",
                );
            }
            if address.value.transport.is_reliable()
                && let Some(other) = streams.insert(ip, owner).filter(|other| *other != owner)
            {
                let message = format!("\"{other}\" and \"{owner}\" share {ip}: streams they open cannot be told apart");
                report.warning(&address.place, message, "Give each its own IP address, or use udp.");
            }
        }
    }
    let mut names: Vec<&Named> = Vec::new();
    for place in document.places() {
        let Some(named) = place.value.named().filter(|named| !names.contains(named)) else { continue };
        names.push(named);
        if names.len() == NAMES_MAX + 1 {
            let message = format!("more than {NAMES_MAX} names of neighbours");
            report.error(&place.place, message, "Write IP addresses in place of some.");
        }
    }
}

/// A neighbour is reached from a listener of its transport and family alone: one that none reaches gets no call, an
/// emergency call neither (P-23).
fn reached(document: &Document, report: &Report) {
    let listen = &document.sip.listen;
    // What a listening address that is wrong was to reach is not known: the next run says it.
    if listen.is_empty() || report.has_errors_at("sip.listen") {
        return;
    }
    let peers = document.peers.iter().map(|peer| (peer.name.as_str(), &peer.addresses, true));
    let clusters = document.remote_clusters.iter();
    // No call leaves to an RSVP trunk: calls come from there.
    let clusters = clusters.flat_map(|c| [(c.id.as_str(), &c.trunk, true), (c.id.as_str(), &c.rsvp_trunk, false)]);
    for (owner, list, is_called) in peers.chain(clusters) {
        let out_of_reach: Vec<_> = list.iter().filter_map(|at| Some((at, lacks(listen, &at.value)?))).collect();
        let is_none_reached = is_called && out_of_reach.len() == list.len();
        for (at, lacking) in out_of_reach {
            let message = format!("{} cannot be reached: this node listens on no {lacking} address", at.value);
            let fix = format!("Add a {lacking} address to sip.listen.");
            if is_none_reached {
                report.error(&at.place, format!("{message}, so no call reaches \"{owner}\""), fix);
            } else {
                report.warning(&at.place, message, fix);
            }
        }
    }
}

/// What `listen` lacks to reach a place; nothing where some listener reaches it, or may once its name is looked up.
fn lacks(listen: &[At<Address>], place: &Place) -> Option<String> {
    let is_heard = |transport| listen.iter().any(|listen| listen.value.transport == transport);
    match place {
        // TLS without a listener is said elsewhere.
        Place::Address(address) if address.transport == Transport::Tls && !is_heard(Transport::Tls) => None,
        Place::Address(address) => {
            let is_reached = listen.iter().any(|listen| listen.value.reaches(*address));
            let family = if address.socket.is_ipv4() { "IPv4" } else { "IPv6" };
            let lacking = if is_heard(address.transport) {
                format!("{} {family}", address.transport)
            } else {
                address.transport.to_string()
            };
            (!is_reached).then_some(lacking)
        }
        Place::Named(named) => {
            // With a port written and no transport it is a host, over UDP (RFC 3263 section 4.1).
            let transport = named.transport.or(named.port.map(|_| Transport::Udp))?;
            (transport != Transport::Tls && !is_heard(transport)).then(|| transport.to_string())
        }
    }
}

fn repeated(list: &[At<Place>], key: &str, report: &Report) {
    for (index, address) in list.iter().enumerate() {
        if list.iter().take(index).any(|earlier| earlier.value == address.value) {
            report.warning(
                &address.place,
                format!("{} is written twice in {key}", address.value),
                "Remove one of the two.",
            );
        }
    }
}

/// A rule for streams needs one.
fn strict_stream<'d>(terms: &Terms, mut addresses: impl Iterator<Item = &'d At<Place>>, report: &Report) {
    let flag = terms.strict_stream.as_ref().filter(|flag| flag.value);
    if let Some(flag) = flag.filter(|_| addresses.all(|at| at.value.transport() == Some(Transport::Udp))) {
        let message = "strict_stream changes nothing: every address is udp";
        report.warning(&flag.place, message, "Leave the key out, or write a tcp or tls address.");
    }
}

/// One number stands for every address; of several there must be one for each.
fn ranks(terms: &Terms, addresses: usize, report: &Report) {
    for (key, numbers) in [("priority", &terms.priority), ("weight", &terms.weight)] {
        if let [first, _, ..] = numbers.as_slice()
            && numbers.len() != addresses
        {
            let message = format!("{key} has {} numbers for {addresses} addresses", numbers.len());
            report.error(&first.place, message, "Write one number for each address in its order, or one for all.");
        }
    }
}

fn services(document: &Document, dangled: &Dangled<'_>, report: &Report) {
    let Some(first) = document.remote_clusters.first() else { return };
    let profile = &document.profile;
    for (flag, key, effect) in [
        (&profile.emcc, "emcc", "no EMCC login succeeds (201)"),
        (
            &profile.pstn_access,
            "pstn_access",
            "no EMCC login succeeds (211, P-19), and the trunk carries emergency calls alone",
        ),
        (&profile.rsvp_agent, "rsvp_agent", "no bandwidth is reserved on the trunk"),
    ] {
        let key = format!("intercluster_service_profile.{key}");
        let fix = format!("Write {key} = true to offer the service.");
        match flag {
            Some(flag) if flag.value => {}
            Some(flag) => report.warning(&flag.place, format!("{key} is off: {effect}"), fix),
            None if dangled.is_slipped(&["intercluster_service_profile"]) => {}
            None => {
                report.warning(&first.id.place.named(&key), format!("{key} is left out, so it is off: {effect}"), fix)
            }
        }
    }
    if document.emcc_trunk.is_none() && !dangled.is_slipped(&["emcc_trunk"]) {
        let message = "there is no [emcc_trunk]: calls of unknown phones reach patterns of no partition alone (P-15)";
        report.warning(&first.id.place.named("emcc_trunk"), message, "Write [emcc_trunk] with css and device_pool.");
    }
    // Services that are not written are the feature's.
    if dangled.is_slipped(&["feature"]) {
        return;
    }
    for session in &document.sessions {
        let Some(name) = session.visiting_cluster.as_ref().or(session.home_cluster.as_ref()) else { continue };
        let Some(cluster) = document.remote_clusters.iter().find(|c| c.id.value == name.value) else { continue };
        if dangled.is_slipped(&["remote_cluster"]) && report.has_errors_beside(&cluster.id.place) {
            continue;
        }
        for (service, word) in [(Service::Emcc, "emcc"), (Service::PstnAccess, "pstn-access")] {
            if !cluster.offers(service, &document.feature) {
                let message = format!("a session with \"{}\", whose services lack \"{word}\"", name.value);
                report.warning(&name.place, message, format!("Add \"{word}\" to the services of the remote cluster."));
            }
        }
    }
}

fn link(cluster: &RemoteCluster, report: &Report) {
    for (limit, key) in [(&cluster.link_audio_kbps, "link_audio_kbps"), (&cluster.link_video_kbps, "link_video_kbps")] {
        if limit.is_none() {
            let message = format!("the link to \"{}\" has no limit: {key} is left out", cluster.id.value);
            report.warning(&cluster.id.place.sibling(key), message, format!("Write {key} with what the link carries."));
        }
    }
}

/// Both ends must cap alike (M-8).
fn region(document: &Document, cluster: &RemoteCluster, report: &Report) {
    let (feature, ours) = (&document.feature, Region::default());
    let fix = "Agree on one value; until then the lower cap is used and nothing is reserved through this peer (M-8).";
    for (theirs, ours, default) in [
        (&cluster.region_max_audio_kbps, &feature.region_max_audio_kbps, ours.audio_kbps),
        (&cluster.region_max_video_kbps, &feature.region_max_video_kbps, ours.video_kbps),
    ] {
        let ours = ours.as_ref().map_or(default, |at| at.value);
        if let Some(theirs) = theirs.as_ref().filter(|theirs| theirs.value != ours) {
            let message = format!("\"{}\" caps at {} kbit/s, this cluster at {ours}", cluster.id.value, theirs.value);
            report.warning(&theirs.place, message, fix);
        }
    }
    let loss = feature.region_link_loss.as_ref().map_or(ours.link_loss, |at| at.value);
    if let Some(theirs) = cluster.region_link_loss.as_ref().filter(|theirs| theirs.value != loss) {
        let message = format!("\"{}\" has another link loss type than this cluster", cluster.id.value);
        report.warning(&theirs.place, message, fix);
    }
}

/// A message with a location body easily passes what a datagram should hold (RFC 3261, 18.1.1).
fn locations(cluster: &RemoteCluster, report: &Report) {
    let sends = cluster.send_geolocation.as_ref().is_none_or(|flag| flag.value);
    if let Some(address) = cluster.trunk.iter().find(|a| sends && a.value.transport() == Some(Transport::Udp)) {
        over_udp(address, report);
    }
}

fn over_udp<T>(at: &At<T>, report: &Report) {
    let message = "location bodies leave over UDP, where a message above 1300 bytes may be lost";
    report.warning(&at.place, message, "Write a tcp address, or send_geolocation = false.");
}
