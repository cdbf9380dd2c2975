//! A call that nobody sent: `explain` and `diff` ask what would become of an INVITE and have none. What the live path reads
//! off message and connection is supposed here; every decision is made by the functions that decide live calls.

use emcc_codecs::keys;
use emcc_policies::admission::{Link, RsvpPolicy, Video};
use emcc_policies::region::{Allowed, Shaped};
use emcc_policies::route::{PeerId, PeerKind};
use emcc_policies::srtp::Way;
use emcc_policies::trail::Step;

use super::decide::{Decision, NextHop, Question, Source, decide};
use super::keys::{Judged, Keys, Offered, judged, way_of};
use super::reject::Refusal;
use crate::config::plan::{Neighbour, Plan};
use crate::neighbour::{Address, Transport};
use crate::sip::Method;

/// Who the INVITE is supposed to come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    way: Way,
    is_ipv4: bool,
    /// Whether what is agreed with it lets an INVITE through.
    may_invite: bool,
}

impl Sender {
    /// Of the neighbours a source may be, the first that may send an INVITE; over TLS where it has an address of TLS, unless
    /// the transport is known (`over`).
    pub(crate) fn of(plan: &Plan, source: Source, over: Option<Transport>) -> Self {
        let peer_of = |kind| {
            let ids = (0..).map(PeerId).take(plan.peers.len());
            let mut peers = ids.filter(|id| plan.routes.kind(*id) == Some(kind)).map(Neighbour::Peer);
            peers.clone().find(|peer| may_invite(plan, *peer)).or_else(|| peers.next())
        };
        let chosen = match source {
            Source::CallControl => peer_of(PeerKind::CallControl),
            Source::Gateway => peer_of(PeerKind::Gateway),
            Source::Trunk(cluster) => Some(Neighbour::Remote { cluster, is_rsvp_trunk: false }),
            Source::Phone => Some(Neighbour::Phone),
        };
        Self::chosen(plan, chosen, over)
    }

    /// The same of one peer.
    pub(crate) fn of_peer(plan: &Plan, peer: PeerId, over: Option<Transport>) -> Self {
        Self::chosen(plan, Some(Neighbour::Peer(peer)), over)
    }

    fn chosen(plan: &Plan, chosen: Option<Neighbour>, over: Option<Transport>) -> Self {
        let wanted = over.unwrap_or(Transport::Tls);
        let address = match chosen {
            Some(Neighbour::Peer(id)) => plan.peer(id).and_then(|peer| over_or_first(&peer.addresses, wanted)),
            Some(Neighbour::Remote { cluster, .. }) => {
                plan.remote_cluster(cluster).and_then(|remote| over_or_first(&remote.addresses, wanted))
            }
            Some(Neighbour::Phone) | None => {
                let listen: Vec<Address> = plan.sip.listen.iter().map(|listen| listen.address).collect();
                over_or_first(&listen, wanted)
            }
        };
        let transport = over.or(address.map(|address| address.transport)).unwrap_or(Transport::Udp);
        let way = match chosen {
            Some(_) => way_of(plan, chosen, transport),
            // Nobody is configured whose rules there were.
            None => Way { is_tls: transport == Transport::Tls, is_trunk: false, demands_tls: false },
        };
        Self {
            way,
            is_ipv4: address.is_none_or(|address| address.socket.is_ipv4()),
            may_invite: chosen.is_none_or(|neighbour| may_invite(plan, neighbour)),
        }
    }
}

/// Whether what is agreed with a neighbour lets an INVITE of it through.
fn may_invite(plan: &Plan, neighbour: Neighbour) -> bool {
    let terms = plan.terms(neighbour);
    terms.is_none_or(|terms| terms.methods.allow(Method::Invite, Method::Invite.as_str().as_bytes()))
}

/// The first address of a transport, and without one the first of all.
fn over_or_first(addresses: &[Address], transport: Transport) -> Option<Address> {
    addresses.iter().find(|address| address.transport == transport).or(addresses.first()).copied()
}

/// What is decided of the INVITE itself.
pub(crate) fn decided(plan: &Plan, question: &Question<'_>, sender: Sender) -> Decision {
    let mut decision = decide(plan, question);
    decision.secure(plan, sender.way);
    if !sender.may_invite && !decision.emergency {
        decision.next_hops.clear();
        decision.refusal = Some(Refusal::MethodNotAllowed);
    }
    decision
}

/// Asks the link of the call for room while nobody else holds any, and says what of the offer may leave; `shaped` is none
/// without an offer. What a call books is told of live ones.
///
/// # Errors
/// The link can never hold the call (9.2).
pub(crate) fn admitted(
    plan: &Plan,
    decision: &mut Decision,
    sender: Sender,
    shaped: Option<&Shaped>,
) -> Result<Allowed, Refusal> {
    let Some(remote) = decision.link.and_then(|link| plan.remote_cluster(link)) else {
        return Ok(Allowed::AudioAndVideo);
    };
    let wanted = decision.wanted(plan, shaped, sender.is_ipv4);
    let grant = match Link::new(0, remote.link).reserve(decision.policy, wanted, decision.emergency) {
        Ok(grant) => grant,
        Err(full) => return Err(decision.no_room(full, shaped)),
    };
    if decision.policy != RsvpPolicy::None && !grant.audio_reserved {
        decision.trail.push(Step::BestEffort);
    }
    if grant.over_limit_kbps > 0 {
        decision.trail.push(Step::OverLimit { kbps: grant.over_limit_kbps });
    }
    if grant.video == Video::Refused && shaped.is_some() {
        decision.trail.push(Step::AudioOnly);
        return Ok(Allowed::AudioOnly);
    }
    Ok(Allowed::AudioAndVideo)
}

/// Judges the SRTP keys of an offer on the way to each hop and leaves out those it may not go to (S-1 to S-6). Gives back
/// whether it leaves for the first one without its keys.
///
/// # Errors
/// No hop is left.
pub(crate) fn keyed(plan: &Plan, decision: &mut Decision, sender: Sender, offered: &[u8]) -> Result<bool, Refusal> {
    if !keys::are_in(offered) || decision.next_hops.is_empty() {
        return Ok(false);
    }
    let offered = Offered { description: offered, has_more: false };
    let mut hops = std::mem::take(&mut decision.next_hops);
    let mut steps: Vec<Step> = Vec::new();
    let mut first = None;
    hops.retain(|hop| match judged(plan, Some(decision), [sender.way, hop.way(plan)], offered) {
        Judged::Keys(Keys::Refused) => {
            let to = match hop.to {
                NextHop::Peer(peer) => Some(peer),
                NextHop::Remote(_) | NextHop::Named | NextHop::Phone { .. } => None,
            };
            let step = Step::KeysBarred { to };
            if !steps.contains(&step) {
                steps.push(step);
            }
            false
        }
        judged => {
            first = first.or(Some(judged));
            true
        }
    });
    decision.next_hops = hops;
    decision.trail.extend(steps);
    match first {
        None => Err(Refusal::KeysInClear),
        Some(Judged::Keys(Keys::Removed)) => {
            decision.trail.push(Step::KeysRemoved);
            Ok(true)
        }
        Some(Judged::Overheard) => {
            decision.trail.push(Step::KeysInClear);
            Ok(false)
        }
        Some(Judged::Keys(Keys::Pass | Keys::Refused)) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, plan::RemoteClusterId};

    fn plan(trunk: &str) -> Plan {
        let peer = |name: &str, rest: &str| {
            format!("[[peer]]\nname = \"{name}\"\nkind = \"call-control\"\naddresses = [\"{rest}\n")
        };
        let text = format!(
            "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.1.1:5060\"]\n{}{}\
             [[remote_cluster]]\nid = \"BR\"\ntrunk = {trunk}\n",
            peer("watch", "tls:127.0.1.9:5061\"]\nmethods = [\"OPTIONS\"]"),
            peer("cc", "udp:127.0.1.10:5060\"]\nsrtp_keys = \"tls\""),
        );
        config::unchecked(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
    }

    #[test]
    fn an_invite_is_supposed_to_come_from_who_may_send_it_and_over_tls_where_it_can() {
        let (plain, both) = ("[\"udp:127.0.2.1:5060\"]", "[\"udp:127.0.2.1:5060\", \"tls:[::2]:5061\"]");
        let trunk = Source::Trunk(RemoteClusterId(0));
        for (trunks, source, over, is_tls, is_trunk, demands_tls, is_ipv4) in [
            (plain, trunk, None, false, true, false, true),
            (both, trunk, None, true, true, false, false),
            (both, trunk, Some(Transport::Udp), false, true, false, true),
            (both, trunk, Some(Transport::Tcp), false, true, false, true),
            (plain, Source::CallControl, None, false, false, true, true),
            (plain, Source::Phone, None, false, false, false, true),
            // There is none, and so nobody whose keys were forbidden.
            (plain, Source::Gateway, None, false, false, false, true),
        ] {
            let sender = Sender::of(&plan(trunks), source, over);
            assert_eq!(sender.way, Way { is_tls, is_trunk, demands_tls }, "{source:?} {over:?}");
            assert_eq!((sender.is_ipv4, sender.may_invite), (is_ipv4, true), "{source:?} {over:?}");
        }
    }
}
