//! The RSVP SIP trunk keepalive on the wire (V-4, V-5): a marked OPTIONS each interval, its answer, and the loss of a
//! remote cluster.

use emcc_policies::admission::Released;
use emcc_policies::keepalive::{Heard, PeerEpoch};

use super::Turn;
use super::forward::Launch;
use super::running::Local;
use crate::config::plan::Neighbour;
use crate::neighbour::{Address, Flow};
use crate::sip::build::{self, Build};
use crate::sip::{Message, Method, NameAddrRef, Strictness, UriRef, ViaRef};
use crate::transaction::row::Purpose;

const KEEPALIVE_URN: &[u8] = b"urn:emcc:keepalive:";

/// The mark of a keepalive: the sender's cluster and start.
pub(crate) struct Mark {
    epoch_s: Option<u64>,
}

impl Turn<'_> {
    /// Our KeepAlive to the remote cluster of that slot: to the first of its addresses that serve, or as many further on as
    /// stayed silent; those that do not serve come last.
    pub(crate) fn send_keepalive(&mut self, slot: u16, turn: usize) {
        let running = self.running.clone();
        let Some(remote) = running.remote_of(slot) else { return };
        let Some(remote) = running.plan.remote_cluster(remote) else { return };
        let serves = |address: &&Address| running.watches.is_well(**address, self.now.moment);
        let (serving, others) = (remote.rsvp_trunk.iter().filter(serves), remote.rsvp_trunk.iter());
        let mut in_order = serving.chain(others.filter(|address| !serves(address)));
        let place = turn % remote.rsvp_trunk.len().max(1);
        let Some(address) = in_order.nth(place) else { return };
        let Some(flow) = running.way(*address, 0) else { return };
        let Some(local) = running.local(flow) else { return };
        let branch = self.branch();
        let (call_id, tag) = (self.ids.next_hex(), self.ids.next_hex());
        let Some(build) = options(local, flow, &branch, &call_id, &tag) else { return };
        let mut mark = Vec::new();
        write_mark(&mut mark, &running.plan.cluster.id, self.engine.epoch_s);
        let mark = String::from_utf8_lossy(&mark).into_owned();
        let build = build.header(rsip::Header::Other("Call-Info".to_owned(), mark));
        let range = build.write(&mut self.effects.arena);
        let key = self.client_key(&branch, b"OPTIONS");
        if self.launch(key, flow, range, Launch::own(Purpose::Keepalive(slot), Method::Options)) {
            self.engine.counters.keepalive_sent();
        }
    }

    /// The mark of a keepalive, if the message carries one.
    pub(crate) fn keepalive_mark(&self, message: &Message<'_>) -> Option<Mark> {
        message.call_infos().find_map(|(_, info)| {
            let is_mark =
                info.params.value("purpose").is_some_and(|value| value.eq_ignore_ascii_case(b"emcc-keepalive"));
            let scheme = info.uri.get(..KEEPALIVE_URN.len())?;
            let epoch = info.params.value("epoch").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            (is_mark && scheme.eq_ignore_ascii_case(KEEPALIVE_URN)).then_some(Mark { epoch_s: epoch })
        })
    }

    /// A marked OPTIONS from a remote cluster's trunk.
    pub(crate) fn keepalive_came(&mut self, from: Neighbour, message: &Message<'_>) {
        if let Neighbour::Remote { cluster, .. } = from
            && let Some(slot) = self.running.slot(cluster)
        {
            self.keepalive_heard(slot, message);
        }
    }

    /// Anything that counts as heard: a marked OPTIONS, or a final response to one of ours.
    pub(crate) fn keepalive_heard(&mut self, slot: u16, message: &Message<'_>) {
        self.engine.counters.keepalive_heard();
        if self.engine.links.heard(slot, self.now.moment) == Heard::Back {
            self.raise("remote cluster is back", None, self.cluster_of(slot));
        }
        if let Some(Mark { epoch_s: Some(epoch) }) = self.keepalive_mark(message)
            && self.engine.links.peer_epoch(slot, epoch, self.now.moment) == PeerEpoch::Restarted
        {
            self.raise("remote cluster was restarted and has lost its books", None, self.cluster_of(slot));
        }
    }

    /// Two silent intervals: what is held with the remote cluster was released (V-4, V-6).
    pub(crate) fn link_lost(&mut self, slot: u16, released: Released) {
        self.engine.counters.keepalive_lost();
        let cluster = self.cluster_of(slot);
        let detail = format!("{cluster}: {} calls, {} kbit/s over both directions", released.calls, released.kbps);
        self.raise("remote cluster lost: its resources were released", None, detail);
    }

    fn cluster_of(&self, slot: u16) -> String {
        let remote = self.running.remote_of(slot);
        remote
            .and_then(|remote| self.running.plan.remote_cluster(remote))
            .map_or_else(String::new, |remote| remote.id.to_string())
    }
}

/// Writes the mark of our keepalives: the value of a Call-Info header.
pub(crate) fn write_mark(text: &mut Vec<u8>, cluster: &str, epoch_s: u64) {
    text.extend_from_slice(b"<urn:emcc:keepalive:");
    text.extend_from_slice(cluster.as_bytes());
    text.extend_from_slice(b">;purpose=emcc-keepalive;epoch=");
    text.extend_from_slice(epoch_s.to_string().as_bytes());
}

/// An OPTIONS to the other end of `flow`, without any mark.
pub(crate) fn options(local: &Local, flow: Flow, branch: &[u8], call_id: &[u8], tag: &[u8]) -> Option<Build> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let via = format!("SIP/2.0/{} {};branch={}", local.address.transport.via_name(), local.host_port, text(branch));
    let target = format!("sip:{};transport={}", flow.remote, flow.transport.uri_name());
    let from = format!("<sip:{}>;tag={}", local.host_port, text(tag));
    let to = format!("<sip:{}>", flow.remote);
    Some(build::options(
        &UriRef::parse(target.as_bytes()).ok()?.try_into().ok()?,
        ViaRef::parse(via.as_bytes()).ok()?.try_into().ok()?,
        NameAddrRef::parse(from.as_bytes(), Strictness::Strict).ok()?.try_into().ok()?,
        NameAddrRef::parse(to.as_bytes(), Strictness::Strict).ok()?.try_into().ok()?,
        &text(call_id),
        1,
    ))
}
