//! SRTP keys on their way from one neighbour to another (S-1 to S-7), and what must leave over TLS or not at all.

use bytes::Bytes;
use emcc_codecs::keys::{self, Without};
use emcc_codecs::sdp::Session;
use emcc_policies::login::Security;
use emcc_policies::srtp::{Way, may_pass_keys, may_use_trunk};

use super::Turn;
use super::decide::Decision;
use super::media::Body;
use super::reject::Refusal;
use crate::config::SrtpKeys;
use crate::config::plan::{Neighbour, Plan, SessionId};
use crate::neighbour::{Flow, Transport};
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
        let (caller, callee) = match way.decision {
            Some(decision) => (decision.session, decision.called_session),
            None => (None, None),
        };
        // Both phones of a call may be of a session, and each counts (S-2).
        if [caller, callee].into_iter().all(|session| may_pass_keys(ways, security_of(plan, session))) {
            return Keys::Pass;
        }
        // A description beside the one that is read would take its keys along.
        let has_more = [body.get(..part.start), body.get(part.end..)].into_iter().flatten().any(keys::are_in);
        let description = body.get(part).unwrap_or_default();
        let without = Session::parse(description).map_or(Without::NoAudio, |session| keys::without(&session));
        match if has_more { Without::NoAudio } else { without } {
            Without::Nothing => Keys::Pass,
            Without::Less => Keys::Removed,
            Without::NoAudio if way.decision.is_some_and(|decision| decision.emergency) => {
                // Overheard is better than unheard (S-6).
                self.engine.counters.srtp_keys_in_the_clear();
                let call_id = message.value(Name::CallId).map(Bytes::copy_from_slice);
                self.raise("SRTP keys of an emergency call leave in the clear", call_id, String::new());
                Keys::Pass
            }
            Without::NoAudio => Keys::Refused,
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
        let is_allowed =
            !self.way(plan, at).is_trunk || may_use_trunk(false, security_of(plan, decision.session), false);
        (!is_allowed).then_some(Refusal::TrunkNotSecure)
    }

    fn way(&self, plan: &Plan, flow: Flow) -> Way {
        let neighbour = plan.neighbour(flow.transport, flow.remote);
        let peer = match neighbour {
            Some(Neighbour::Peer(peer)) => plan.peer(peer),
            _ => None,
        };
        Way {
            is_tls: flow.transport == Transport::Tls,
            is_trunk: matches!(neighbour, Some(Neighbour::Remote { .. })),
            // Whoever left the configuration is owed nothing.
            demands_tls: neighbour.is_none() || peer.is_some_and(|peer| peer.srtp_keys == SrtpKeys::Tls),
        }
    }
}

/// What a session is by tables 6 to 8, if it stands.
fn security_of(plan: &Plan, session: Option<SessionId>) -> Option<Security> {
    plan.session(session?).map(|session| session.security)
}
