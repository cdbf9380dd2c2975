//! SRTP keys on their way from one neighbour to another (S-1 to S-7), and what must leave over TLS or not at all.

use bytes::Bytes;
use emcc_codecs::keys::{self, Without};
use emcc_codecs::sdp::Session;
use emcc_policies::login::Security;
use emcc_policies::srtp::{Way, may_pass_keys, may_use_trunk};
use emcc_policies::trail::Step;

use super::Turn;
use super::decide::{Decision, Next, NextHop};
use super::media::Body;
use super::reject::Refusal;
use crate::config::SrtpKeys;
use crate::config::plan::{Neighbour, Plan, SessionId};
use crate::neighbour::{Address, Flow, Transport};
use crate::sip::{Message, Name, Scheme, UriRef, multipart};

/// What becomes of the keys in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// There are none, or they may pass.
    Pass,
    /// The message passes without them.
    Removed,
    /// Without them it is of no use.
    Refused,
}

/// The way of a message: its call, where it comes from and where it goes.
#[derive(Clone, Copy)]
pub(crate) struct Passage<'a> {
    pub(crate) decision: Option<&'a Decision>,
    pub(crate) from: Flow,
    pub(crate) to: Flow,
}

/// A description with keys in it, or beside it.
#[derive(Clone, Copy)]
pub(crate) struct Offered<'a> {
    pub(crate) description: &'a [u8],
    /// Whether the body has keys beside it.
    pub(crate) has_more: bool,
}

/// What is decided of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Keys(Keys),
    /// They pass in the clear, in an emergency: overheard is better than unheard (S-6).
    Overheard,
}

/// What becomes of the keys of a description on its way from one hop to another (S-1 to S-6).
pub(crate) fn judged(plan: &Plan, decision: Option<&Decision>, ways: [Way; 2], offered: Offered<'_>) -> Judged {
    let (caller, callee) = match decision {
        Some(decision) => (decision.session, decision.called_session),
        None => (None, None),
    };
    // Both phones of a call may be of a session, and each counts (S-2).
    if [caller, callee].into_iter().all(|session| may_pass_keys(ways, security_of(plan, session))) {
        return Judged::Keys(Keys::Pass);
    }
    let without = Session::parse(offered.description).map_or(Without::NoAudio, |session| keys::without(&session));
    match if offered.has_more { Without::NoAudio } else { without } {
        Without::Nothing => Judged::Keys(Keys::Pass),
        Without::Less => Judged::Keys(Keys::Removed),
        Without::NoAudio if decision.is_some_and(|decision| decision.emergency) => Judged::Overheard,
        Without::NoAudio => Judged::Keys(Keys::Refused),
    }
}

/// The way to or from a neighbour; none: whoever left the configuration.
pub(crate) fn way_of(plan: &Plan, neighbour: Option<Neighbour>, transport: Transport) -> Way {
    let peer = match neighbour {
        Some(Neighbour::Peer(peer)) => plan.peer(peer),
        _ => None,
    };
    Way {
        is_tls: transport == Transport::Tls,
        is_trunk: matches!(neighbour, Some(Neighbour::Remote { .. })),
        // Whoever left the configuration is owed nothing.
        demands_tls: neighbour.is_none() || peer.is_some_and(|peer| peer.srtp_keys == SrtpKeys::Tls),
    }
}

/// Whether a call may not be on this way: a secure EMCC session needs TLS on a trunk (S-7). An emergency call needs nothing
/// (P-23).
pub(crate) fn is_barred(plan: &Plan, decision: &Decision, way: Way) -> bool {
    way.is_trunk && !may_use_trunk(way.is_tls, security_of(plan, decision.session), decision.emergency)
}

impl Decision {
    /// Keeps the call of a secure session off every trunk without TLS (S-7): refused where it came by one, and to no hop that
    /// is one. The others keep their order (P-8).
    pub(crate) fn secure(&mut self, plan: &Plan, from: Way) {
        if self.emergency || security_of(plan, self.session) != Some(Security::Secure) {
            return;
        }
        if is_barred(plan, self, from) {
            self.next_hops.clear();
            self.refusal = Some(Refusal::TrunkNotSecure);
            return;
        }
        let mut hops = std::mem::take(&mut self.next_hops);
        let (before, was_trunk) = (hops.len(), hops.first().is_some_and(Next::is_trunk));
        hops.retain(|hop| !is_barred(plan, self, hop.way(plan)));
        self.next_hops = hops;
        if self.next_hops.len() == before {
            return;
        }
        self.trail.push(Step::TrunkNotSecure);
        match self.next_hops.first() {
            None => self.refusal = Some(Refusal::TrunkNotSecure),
            // The policy of its link is that of the way it takes (V-7).
            Some(first) if was_trunk && !first.is_trunk() => {
                self.policy = self.link.map_or(self.policy, |link| plan.policy(link, false));
            }
            Some(_) => {}
        }
    }
}

impl Next {
    /// The way to it.
    pub(crate) fn way(&self, plan: &Plan) -> Way {
        let Address { transport, socket } = self.address;
        let neighbour = match self.to {
            NextHop::Remote(cluster) => Some(Neighbour::Remote { cluster, is_rsvp_trunk: false }),
            NextHop::Peer(peer) => Some(Neighbour::Peer(peer)),
            NextHop::Named | NextHop::Phone { .. } => plan.neighbour(transport, socket),
        };
        way_of(plan, neighbour, transport)
    }
}

impl Turn<'_> {
    /// Judges the keys of a message on its way. Most messages have none and cost one look through their body.
    pub(crate) fn keys(&mut self, plan: &Plan, message: &Message<'_>, way: Passage<'_>) -> Keys {
        let body = message.body();
        let is_tls = |flow: Flow| flow.transport == Transport::Tls;
        if body.is_empty() || is_tls(way.from) && is_tls(way.to) || !keys::are_in(body) {
            return Keys::Pass;
        }
        let part = match multipart::description(message) {
            Some(part) => part,
            // What is not read cannot go on without its keys.
            None if multipart::may_hide_description(message) => 0..0,
            // In any other text a line may begin like a key.
            None => return Keys::Pass,
        };
        let ways = [self.way(plan, way.from), self.way(plan, way.to)];
        // A description beside the one that is read would take its keys along.
        let has_more = [body.get(..part.start), body.get(part.end..)].into_iter().flatten().any(keys::are_in);
        let offered = Offered { description: body.get(part).unwrap_or_default(), has_more };
        match judged(plan, way.decision, ways, offered) {
            Judged::Keys(keys) => keys,
            Judged::Overheard => {
                self.engine.counters.srtp_keys_in_the_clear();
                let call_id = message.value(Name::CallId).map(Bytes::copy_from_slice);
                self.raise("SRTP keys of an emergency call leave in the clear", call_id, String::new());
                Keys::Pass
            }
        }
    }

    /// The body as it leaves without its keys; it stands in the desk's media buffer.
    pub(crate) fn without_keys(&mut self, message: &Message<'_>, body: &Body) -> Body {
        let Some(part) = multipart::description(message) else { return Body::Left };
        let original = message.body();
        let leaving = match body {
            Body::Changed(_) => std::mem::take(&mut self.desk.media),
            _ => original.to_vec(),
        };
        let after = original.len().saturating_sub(part.end);
        let end = leaving.len().saturating_sub(after);
        let (Some(head), Some(description), Some(tail)) =
            (leaving.get(..part.start), leaving.get(part.start..end), leaving.get(end..))
        else {
            return Body::Left;
        };
        let Ok(session) = Session::parse(description) else { return Body::Left };
        if keys::are_in(head) || keys::are_in(tail) {
            return Body::Left;
        }
        let media = &mut self.desk.media;
        media.clear();
        media.extend_from_slice(head);
        keys::write_without(&session, media);
        media.extend_from_slice(tail);
        self.engine.counters.srtp_keys_removed();
        Body::Changed(body.shaped().cloned().unwrap_or_default())
    }

    /// Why a new call may not leave over `to`, or come in from where it came: a `sips` target and a secure EMCC session
    /// need TLS. An emergency call needs nothing (P-23).
    pub(crate) fn needs_tls(
        &self,
        plan: &Plan,
        decision: &Decision,
        uri: Option<&UriRef<'_>>,
        at: Flow,
    ) -> Option<Refusal> {
        if at.transport == Transport::Tls || decision.emergency {
            return None;
        }
        if uri.is_some_and(|uri| uri.scheme == Scheme::Sips) {
            return Some(Refusal::SipsNotAllowed);
        }
        is_barred(plan, decision, self.way(plan, at)).then_some(Refusal::TrunkNotSecure)
    }

    /// The way a flow is.
    fn way(&self, plan: &Plan, flow: Flow) -> Way {
        way_of(plan, plan.neighbour(flow.transport, flow.remote), flow.transport)
    }
}

/// What a session is by tables 6 to 8, if it stands.
fn security_of(plan: &Plan, session: Option<SessionId>) -> Option<Security> {
    plan.session(session?).map(|session| session.security)
}
