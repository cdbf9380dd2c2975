//! Region policy on the session descriptions of a call, and what they ask of its link.

use bytes::Bytes;
use emcc_policies::admission::{Ask, Rate};
use emcc_policies::region::{self, Allowed, OfferedModes, Role, Shaped, Trail};

use super::Turn;
use super::call::{Call, Offer, Phase};
use super::decide::Decision;
use super::effects::{CallKey, Hint, Party, TransactionKey};
use super::ending::Cut;
use super::hunt::Failure;
use super::reject::Refusal;
use crate::config::plan::{Plan, RemoteClusterId};
use crate::limits::ADJUST_AFTER_MS;
use crate::sip::Message;
use crate::sip::multipart::{self, Described};

/// What became of a message's body. The large variants are the ordinary ones, and a box for them would be an allocation a
/// message.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Body {
    /// Nothing to change: no description, or a call without region policy.
    None,
    /// A description that leaves as it came.
    Same(Shaped),
    /// A description that leaves as it stands in the desk's media buffer, the other parts of the body around it.
    Changed(Shaped),
    /// It is to be left out.
    Left,
    /// No codec is left (M-6).
    NoCodecLeft,
    /// Its SRTP keys may not leave, and without them no audio is left (S-5).
    KeysInClear,
    /// It is no description.
    Unreadable,
    /// There is another beside it, which would leave without region policy.
    Several,
}

impl Body {
    /// The description that leaves, if one does.
    pub(crate) fn shaped(&self) -> Option<&Shaped> {
        match self {
            Self::Same(shaped) | Self::Changed(shaped) => Some(shaped),
            _ => None,
        }
    }

    /// Why a call ends that cannot do without it.
    pub(crate) fn cut(&self) -> Cut {
        match self {
            Self::KeysInClear => Cut::KeysInClear,
            Self::Unreadable => Cut::Unreadable,
            Self::Several => Cut::SeveralDescriptions,
            _ => Cut::NoCodecLeft,
        }
    }

    /// Why a request with it is refused.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::KeysInClear => Refusal::KeysInClear,
            Self::Unreadable => Refusal::Unreadable,
            Self::Several => Refusal::SeveralDescriptions,
            _ => Refusal::NoCodecLeft,
        }
    }

    /// What is told of an emergency call that takes it along all the same (P-23), where no codec is left `of_codecs`.
    pub(crate) fn alarm(&self, of_codecs: &'static str) -> &'static str {
        match self {
            Self::Unreadable => "emergency description that cannot be read",
            Self::Several => "emergency message with more than one description",
            _ => of_codecs,
        }
    }

    /// Whether it may not leave.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::NoCodecLeft | Self::KeysInClear | Self::Unreadable | Self::Several)
    }
}

/// The policy a call's descriptions pass.
#[derive(Clone, Copy)]
pub(crate) struct Shaping {
    /// Offer or answer.
    pub(crate) role: Role,
    /// Whether video may leave.
    pub(crate) allowed: Allowed,
    /// Whether no audio codec is taken out: the call is an emergency that was refused for its codecs (P-23).
    pub(crate) keeps_beyond: bool,
}

impl Turn<'_> {
    /// Applies the region of a link to a message's description; the new body is in the desk.
    pub(crate) fn shape(
        &mut self,
        plan: &Plan,
        link: Option<RemoteClusterId>,
        message: &Message<'_>,
        shaping: Shaping,
        trail: &mut Trail,
    ) -> Body {
        self.shape_to(plan, link, message, (shaping, &OfferedModes::default()), trail)
    }

    /// The same for an answer to an offer of these modes.
    fn shape_to(
        &mut self,
        plan: &Plan,
        link: Option<RemoteClusterId>,
        message: &Message<'_>,
        (shaping, offered): (Shaping, &OfferedModes),
        trail: &mut Trail,
    ) -> Body {
        let Some(remote) = link.and_then(|link| plan.remote_cluster(link)) else { return Body::None };
        let part = match multipart::described(message) {
            Described::Nothing => return Body::None,
            Described::At(part) => part,
            Described::Several => return Body::Several,
            Described::Hidden => return Body::Unreadable,
        };
        let body = message.body();
        let (Some(before), Some(description), Some(after)) =
            (body.get(..part.start), body.get(part.clone()), body.get(part.end..))
        else {
            return Body::Unreadable;
        };
        let media = &mut self.desk.media;
        media.clear();
        media.extend_from_slice(before);
        let region = if shaping.keeps_beyond { &remote.emergency_region } else { &remote.region };
        match region.apply_to(description, shaping.role, offered, shaping.allowed, trail, media) {
            Ok(shaped) if shaped.changed => {
                media.extend_from_slice(after);
                Body::Changed(shaped)
            }
            Ok(shaped) => Body::Same(shaped),
            Err(region::Refusal::NoCodecLeft) => Body::NoCodecLeft,
            Err(region::Refusal::Unreadable(_)) => Body::Unreadable,
        }
    }

    /// Applies a standing call's policy to a message of it.
    pub(crate) fn call_body(&mut self, key: Option<CallKey>, message: &Message<'_>, role: Role) -> Body {
        let Some(key) = key else { return Body::None };
        if message.body().is_empty() {
            return Body::None;
        }
        let facts = self.engine.calls.with(&key, |call| {
            let has_policy = call.decision.link.is_some();
            let keeps_beyond = call.offer == Offer::Whole;
            let of_call = || (call.plan.clone(), call.decision.clone(), call.audio_only);
            has_policy.then(|| (of_call(), keeps_beyond, (call.is_without_annex_b, call.offered_modes.clone())))
        });
        let Some(Some(((plan, decision, audio_only), keeps_beyond, offered))) = facts else {
            return Body::None;
        };
        let none = OfferedModes::default();
        let (judged_as, modes) = match role {
            Role::Answer if offered.0 => (Role::AnswerWithoutAnnexB, &offered.1),
            Role::Offer => (role, &none),
            _ => (role, &offered.1),
        };
        let shaping = Shaping { role: judged_as, allowed: allowed(audio_only), keeps_beyond };
        let body = self.shape_to(&plan, decision.link, message, (shaping, modes), &mut Trail::new());
        if body.is_refused() && decision.emergency {
            // Nothing ends or mutes an emergency call: the description leaves as it came (P-23).
            self.alarm_of(body.alarm("emergency description without a codec within the region"), key);
            // What is booked is what it says.
            let shaping = Shaping { keeps_beyond: true, ..shaping };
            return match self.shape_to(&plan, decision.link, message, (shaping, modes), &mut Trail::new()) {
                Body::Same(shaped) | Body::Changed(shaped) => Body::Same(shaped),
                _ => Body::None,
            };
        }
        if role == Role::Offer
            && let Some(shaped) = body.shaped()
            && (shaped.is_without_annex_b, &shaped.modes) != (offered.0, &offered.1)
        {
            self.engine.calls.with(&key, |call| {
                call.is_without_annex_b = shaped.is_without_annex_b;
                call.offered_modes.clone_from(&shaped.modes);
            });
        }
        body
    }

    /// Notes what an answer that passes settles, in the dialog of the callee with that tag; an offer settles nothing.
    pub(crate) fn settle_body(
        &mut self,
        key: Option<CallKey>,
        body: &Body,
        role: Role,
        (author, callee_tag): (Party, &[u8]),
    ) {
        let (Some(key), Some(shaped), Role::Answer) = (key, body.shaped(), role) else { return };
        let facts = self.engine.calls.with(&key, |call| (call.decision.clone(), call.rides_on()));
        let Some((decision, owner)) = facts else { return };
        let answered = Some((self.leg_hash(callee_tag), ask(&decision, shaped, author, Rates::Answered)));
        self.settle_media(Some(key), answered);
        if owner.is_some() {
            // What this pass rides on follows the answer too: not every message goes through both.
            self.settle_media(owner, answered);
        }
    }

    /// What nobody will say again may not pass, in a reliable response of a hop (RFC 3262 section 5) or in an early dialog with
    /// it: as a refused answer in the final response, it makes the hop of no use. Nor is what it answers in spite of that for
    /// the caller, who would have half of it.
    pub(crate) fn refuse_try(&mut self, call: CallKey, client: TransactionKey, body: &Body) {
        self.cancel_client(client, Bytes::from_static(body.cut().reason().as_bytes()));
        self.engine.transactions.with(&client, |row| row.partner = None);
        self.refused_body(call, client, body);
    }

    /// An answer within a call that its author believes in may not pass: the call cannot go on (M-6). Where nobody has taken it
    /// yet that is the try whose early dialog has `callee_tag`.
    pub(crate) fn refused_within(&mut self, call: CallKey, callee_tag: &[u8], body: &Body) {
        let tag = self.leg_hash(callee_tag);
        let hunts = self.engine.calls.with(&call, |call| (call.phase == Phase::Hunting).then(|| call.try_of(tag)));
        match hunts.flatten() {
            Some(Some(client)) => self.refuse_try(call, client, body),
            // Its try is over.
            Some(None) => {}
            None => self.end_both(call, body.cut()),
        }
    }

    /// A hop's answer, or its offer, may not pass: the hop counts as one that refused the call (M-6).
    pub(crate) fn refused_body(&mut self, call: CallKey, client: TransactionKey, body: &Body) {
        if matches!(body, Body::NoCodecLeft) {
            self.engine.counters.codec_refused();
        }
        let failure = match body {
            Body::KeysInClear => Failure::Barred(Refusal::KeysInClear),
            _ => Failure::Status(488),
        };
        self.after(call, client, failure, None);
    }

    /// An offer of a call came to nothing: the booking goes back to what the last answer needed.
    pub(crate) fn settle_as_before(&mut self, key: Option<CallKey>) {
        let owner = key.and_then(|key| self.engine.calls.with(&key, |call| call.rides_on()).flatten());
        self.settle_media(key, None);
        if owner.is_some() {
            self.settle_media(owner, None);
        }
    }

    /// Notes in which dialog was answered and what the answered codec needs, and that the booking is to follow it one second
    /// from now (V-18). Without an answer the booking goes back to what the last one needed.
    fn settle_media(&mut self, key: Option<CallKey>, answered: Option<(u64, Ask)>) {
        let Some(key) = key else { return };
        let now = self.now.moment;
        let hint = self.engine.calls.with(&key, |call: &mut Call| {
            let last = call.answered;
            if let Some((dialog, needs)) = answered {
                if call.phase == Phase::Hunting {
                    call.early.note(dialog, needs, last);
                }
                call.answered = Some(needs);
            }
            let is_new = call.answered != last;
            if matches!(call.phase, Phase::Answered | Phase::Standing)
                && call.answered.is_some()
                && (is_new || call.adjust_at.is_none())
            {
                call.adjust_at = Some(now.plus_ms(ADJUST_AFTER_MS));
            }
            call.arm()
        });
        if let Some(Some(at)) = hint {
            self.effects.hints.push((at, Hint::Call(key)));
        }
    }
}

/// What admission lets a call's descriptions carry.
pub(crate) fn allowed(audio_only: bool) -> Allowed {
    if audio_only { Allowed::AudioOnly } else { Allowed::AudioAndVideo }
}

/// Which rates of a description are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rates {
    /// The worst case of the dearest codec (V-18, V-19).
    WorstCase,
    /// The first codec at its packet time (V-17).
    Answered,
}

/// What a description asks of the link to the other cluster. The phone stands at the visited cluster: seen from there
/// what it sends goes outward, seen from home it comes inward (V-20).
pub(crate) fn ask(decision: &Decision, shaped: &Shaped, author: Party, rates: Rates) -> Ask {
    let directed = match rates {
        Rates::WorstCase => shaped.worst_case,
        Rates::Answered => shaped.answered,
    };
    let video_kbps = shaped.video_kbps.unwrap_or(0);
    let one_way = |flows: bool| if flows { video_kbps } else { 0 };
    let from_author_outward = (author == decision.phone_party) == decision.is_phone_here();
    let rate = |from_author_kbps: u32, to_author_kbps: u32| {
        if from_author_outward {
            Rate { outward_kbps: from_author_kbps, inward_kbps: to_author_kbps }
        } else {
            Rate { outward_kbps: to_author_kbps, inward_kbps: from_author_kbps }
        }
    };
    Ask {
        audio: rate(directed.from_author.0, directed.to_author.0),
        video: rate(one_way(shaped.video_direction.sends), one_way(shaped.video_direction.receives)),
    }
}

/// What a call asks for whose offer is still to come: the dearest within the cap, both ways (V-18).
pub(crate) fn ask_without_offer(plan: &Plan, decision: &Decision, is_ipv4: bool) -> Ask {
    use emcc_codecs::bandwidth::AddressFamily;
    let Some(remote) = decision.link.and_then(|link| plan.remote_cluster(link)) else {
        return Ask::default();
    };
    let family = if is_ipv4 { AddressFamily::V4 } else { AddressFamily::V6 };
    let (audio, video_kbps) = remote.region.dearest_within_cap(family, false);
    Ask { audio: Rate::both(audio.0), video: Rate::both(video_kbps) }
}
