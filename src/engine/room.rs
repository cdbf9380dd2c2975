//! Room on the link for what is offered inside a call that stands (section 9.2 of the policies; V-11, V-18).

use emcc_policies::admission::{Ask, Rate, RsvpPolicy};
use emcc_policies::region::Role;

use super::Turn;
use super::effects::{CallKey, Party};
use super::media::{Body, Rates, ask};
use super::reject::Refusal;
use crate::sip::Message;

/// Whether an offer goes on whatever the link has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insists {
    /// It can be refused.
    No,
    /// It came in a response, which nobody refuses.
    Yes,
}

/// What the link has for a new offer.
#[derive(Clone, Copy)]
pub(crate) enum Room {
    /// As much as it needs, or none, and it goes on all the same.
    Enough,
    /// Its video must go.
    AudioOnly,
    /// Too little: it may not go on.
    Refused(Refusal),
}

impl Turn<'_> {
    /// Asks the link for what a new offer of `author` needs beyond what the call holds. Where video finds no room, the policy
    /// may let the audio go on alone (9.2); where audio finds none, a call goes on with what it holds if that is no more than
    /// it asked for before: to refuse that would end it for a refresh of its session (V-11).
    pub(crate) fn grow(&mut self, key: CallKey, author: Party, body: &Body, insists: Insists) -> Room {
        let Some(shaped) = body.shaped() else { return Room::Enough };
        // A pass that rides on another's booking makes that one grow: not every message goes through both.
        let owner = self.engine.calls.with(&key, |call| call.rides_on()).flatten().unwrap_or(key);
        let lent = self.engine.calls.with(&owner, |call| Some((call.decision.clone(), call.asked_audio, call.lend()?)));
        let Some((decision, asked_before, (slot, mut held))) = lent.flatten() else { return Room::Enough };
        let links = &self.engine.links;
        let booked = links.booked(slot, &held);
        let asked = ask(&decision, shaped, author, Rates::WorstCase);
        let wanted = at_least(booked, asked);
        let asked_audio = larger(asked_before, asked.audio);
        let is_video_new = wanted.video != Rate::default() && booked.video == Rate::default();
        let is_optional = decision.policy == RsvpPolicy::OptionalVideoDesired;
        let is_desired = is_optional || decision.policy == RsvpPolicy::MandatoryVideoDesired;
        let insists = insists == Insists::Yes;
        let may_drop_video = is_video_new && (is_desired || insists);
        // An optional policy goes on with what there is (9.2, V-11).
        let goes_on = is_optional || insists || asked_audio == asked_before;
        let has_all = !links.is_current(slot, &held) || links.adjust(slot, &mut held, wanted).is_ok();
        let has_audio = has_all
            || may_drop_video && links.adjust(slot, &mut held, Ask { video: Rate::default(), ..wanted }).is_ok();
        if has_audio {
            self.engine.calls.with(&owner, |call| call.asked_audio = asked_audio);
        }
        let room = if has_all {
            Room::Enough
        } else if may_drop_video && (has_audio || goes_on) {
            Room::AudioOnly
        } else if goes_on && (is_optional || insists || wanted.video == booked.video) {
            self.engine.counters.admission_adjusted(false);
            Room::Enough
        } else {
            Room::Refused(Refusal::LinkFull { precondition: shaped.has_mandatory_qos })
        };
        self.return_booking(owner, slot, held);
        match room {
            Room::AudioOnly => {
                for key in [key, owner] {
                    self.engine.calls.with(&key, |call| call.audio_only = true);
                }
            }
            Room::Refused(_) => self.engine.counters.admission_refused(),
            Room::Enough => {}
        }
        room
    }

    /// A body of a response inside a call, with room on the link for an offer in it: nobody can refuse one that comes so. Its
    /// video goes where there is none (9.2), its audio goes on with what the call holds (V-11).
    pub(crate) fn body_with_room(
        &mut self,
        call: Option<CallKey>,
        author: Party,
        message: &Message<'_>,
        body: Body,
    ) -> Body {
        let Some(call) = call else { return body };
        match self.grow(call, author, &body, Insists::Yes) {
            Room::AudioOnly => self.call_body(Some(call), message, Role::Offer),
            Room::Enough | Room::Refused(_) => body,
        }
    }
}

/// The larger of two asks, pool by pool and direction by direction.
fn at_least(a: Ask, b: Ask) -> Ask {
    Ask { audio: larger(a.audio, b.audio), video: larger(a.video, b.video) }
}

/// The larger of two rates, direction by direction.
fn larger(a: Rate, b: Rate) -> Rate {
    Rate { outward_kbps: a.outward_kbps.max(b.outward_kbps), inward_kbps: a.inward_kbps.max(b.inward_kbps) }
}
