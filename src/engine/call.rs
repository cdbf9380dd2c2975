//! One call as it stands in the table: where it may go, where it went, what it holds, and when it must end.

use std::sync::Arc;

use bytes::Bytes;
use emcc_policies::admission::{Ask, Held, Rate, RsvpPolicy};
use emcc_policies::moment::Moment;
use emcc_policies::region::OfferedModes;
use smallvec::SmallVec;

use super::decide::{Decision, Next};
use super::early::EarlyAnswers;
use super::effects::{CallKey, Party, TransactionKey};
use super::hunt::{Failure, Hunt, rank};
use super::patience::{Missed, Open, Patience};
use super::reject::Refusal;
use crate::config::plan::Plan;
use crate::dialog::{self, Kept, Towards};
use crate::limits::{LEGS_MAX, RIDERS_MAX};
use crate::neighbour::Flow;
use crate::sip::{Index, Message, scan};

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Next hops are being tried; no final response went to the caller.
    Hunting,
    /// Answered; the 2xx went to the caller, its ACK has not come by yet.
    Answered,
    /// Answered and acknowledged.
    Standing,
    /// Over; what it held was given back.
    Ended,
}

/// What a call holds of its link. A worker takes the booking out to work on it, so that no two tables are ever locked
/// together; whoever wants it back meanwhile leaves word.
#[derive(Debug)]
pub enum Booking {
    /// Nothing: no policy, or the call is over.
    Nothing,
    /// Bandwidth of the link in that slot.
    Held(u16, Held),
    /// A worker has it in hand.
    Lent,
    /// A worker has it in hand and must give it back to the link, not to the call.
    ToRelease,
    /// Nothing of its own: another pass of the same call has booked what it needs on this link.
    Rides(CallKey),
}

/// Why a call ended, as the log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// A BYE from the caller's side.
    Caller,
    /// A BYE from the callee's side.
    Callee,
    /// A CANCEL.
    Cancelled,
    /// A final failure.
    Refused,
    /// This node, because nobody refreshed the session (RFC 4028).
    Expired,
    /// A limit of this node: nobody acknowledged, or the call stood longer than any may.
    Node,
}

impl EndedBy {
    /// The word of the log.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Node => "node",
        }
    }
}

/// One call.
pub struct Call {
    /// The configuration it began with.
    pub plan: Arc<Plan>,
    /// What was decided when it began.
    pub decision: Arc<Decision>,
    /// Which pass of this call through the node: the `pass` parameter of our Record-Route.
    pub pass: u8,
    /// The INVITE as it came; once the call has settled, what of it our own requests are written from.
    pub invite: Bytes,
    /// Call-ID, a part of `invite`.
    pub call_id: Bytes,
    /// The 2xx as it came, once there is one; once the call has settled, what of it our own requests are written from.
    pub answer: Bytes,
    /// What our own requests are written from of the 2xx of further callees, where somebody behind us forked; at most
    /// [`LEGS_MAX`] less one.
    pub more_answers: Vec<Bytes>,
    /// The transaction of the INVITE.
    pub server: TransactionKey,
    /// The transaction of the hop being tried; none while an emergency call waits for those it left open.
    pub client: Option<TransactionKey>,
    /// Index of the next hop to try.
    pub next: usize,
    /// Where it stands.
    pub phase: Phase,
    /// The present hop rang.
    pub alerted: bool,
    /// Whether the present hop was told a location of ours.
    pub place: Told,
    /// What became of the offer of its INVITE.
    pub offer: Offer,
    /// The offer that waits for its answer, or the last one answered, has G.729 without Annex B alone (M-19).
    pub is_without_annex_b: bool,
    /// The modes of AMR and AMR-WB that this offer has (RFC 4867, section 8.3.1).
    pub offered_modes: OfferedModes,
    /// The caller gave up.
    pub cancelled: bool,
    /// The INVITE carried an offer, or the one that came back in the dialog that won was answered in a PRACK (RFC 3262
    /// section 5).
    pub had_offer: bool,
    /// Video does not leave: the link refused it.
    pub audio_only: bool,
    /// The best failure so far.
    pub best: Option<Box<Best>>,
    /// What an emergency call keeps in mind while it hunts.
    pub patience: Option<Box<Patience>>,
    /// Where the INVITE came from.
    pub caller: Flow,
    /// Where the hop that answered is.
    pub callee: Option<Flow>,
    /// What it holds.
    pub booking: Booking,
    /// Other passes of this call that ride on its booking, at most `RIDERS_MAX`: when it ends, the first of them that
    /// stands takes the booking over.
    pub riders: Vec<CallKey>,
    /// The most it has asked for its audio, in each direction: an offer of no more is nothing new (V-18).
    pub asked_audio: Rate,
    /// What the answer needs, once known (V-17).
    pub answered: Option<Ask>,
    /// Which early dialogs have answered, until one of them wins.
    pub early: EarlyAnswers,
    /// When the booking is adjusted to `answered` (V-18).
    pub adjust_at: Option<Moment>,
    /// When it lets go of what only its setup needed.
    pub settles_at: Option<Moment>,
    /// When a booking that a lost peer cost is asked for again (V-10).
    pub retry_at: Option<Moment>,
    /// Hashes of the tags of those who answered: more than one when somebody behind us forked.
    pub legs: SmallVec<[u64; LEGS_MAX]>,
    /// When the INVITE came.
    pub began: Moment,
    /// When the 2xx went to the caller.
    pub answered_at: Option<Moment>,
    /// When the call is ended, whatever happens.
    pub ends_at: Moment,
    /// When the session is over unless somebody refreshes it (RFC 4028); [`super::session::NEVER`] without a timer.
    pub session_ends_at: Moment,
    /// Whether a refresh on its way moved that, and was not agreed to so far.
    pub session_waits: bool,
    /// Earliest hint that waits in a wheel for this row.
    pub armed: Option<Moment>,
    /// Final status that went to the caller; 0 when none did.
    pub status: u16,
    /// Highest CSeq number seen from the caller and from the callee.
    pub cseq: [u32; 2],
}

/// A hundred thousand calls stand at a time: a row, its decision and what is kept of its messages are 2 KiB together.
const _: () = assert!(size_of::<Call>() <= 640 && size_of::<Decision>() <= 640);

/// What a hop was told of where the caller is, beside what the call brought itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// The place this node knows.
    Ours,
    /// Nothing any more: it refused the call that said so (G-17).
    NotAgain,
}

/// What became of the offer in an INVITE on its way to the hops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offer {
    /// Nothing, or nothing that could be undone: the region holds.
    #[default]
    Ruled,
    /// It is an emergency call's, and codecs that are not within the region were taken out.
    Narrowed,
    /// No codec is taken out any more: a hop refused what was left (P-23).
    Whole,
}

/// What one pass of a call does for another of the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Nothing: the other books for itself.
    Nothing,
    /// Its booking is enough for both.
    Itself {
        /// Without video, for which the link had no room.
        audio_only: bool,
    },
    /// It rides itself, on the booking of that one.
    Through(CallKey),
}

/// The best failure of the hops tried so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Best {
    /// Its status.
    pub status: u16,
    /// The hop's own response; `None` where the hop answered and its answer could not pass (M-6).
    pub said: Option<Said>,
    /// Why the hop was not even tried, where it was not.
    pub ours: Option<Refusal>,
    /// Responses of other hops that asked for credentials (RFC 3261 section 16.7, step 7).
    pub challenges: Vec<Said>,
}

/// A failure as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The response.
    pub response: Bytes,
    /// The hop that sent it: what may leave of it depends on whose word it is.
    pub from: Flow,
}

/// What to do when a hop failed.
#[derive(Debug)]
pub enum Onward {
    /// Try this hop.
    Try(Next),
    /// Try the same hop once more, without the location this node put into the call (G-17).
    WithoutPlace(Next),
    /// Try the same hop once more, with all codecs of the offer (P-23).
    WithWholeOffer(Next),
    /// Send this failure back; `None` when no hop answered at all.
    Fail(Option<Box<Best>>),
    /// The caller gave up and no hop said so itself: 487.
    Cancelled,
    /// Nothing of its own: a hop that was left open may still take the call.
    Wait,
    /// Nothing: the call is past hunting, or tries another hop already.
    Nothing,
}

impl Call {
    /// What is kept of the 2xx of each callee, the first one first; nothing before there is one.
    pub fn answers(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.answer).filter(|answer| !answer.is_empty()).chain(&self.more_answers)
    }

    /// A request of `by` was answered with a 2xx: both may have told a new target (RFC 3261 section 12.2). `callee_tag` tells
    /// which callee it was.
    pub fn targets_refreshed(&mut self, by: Party, callee_tag: &[u8], request: &Message<'_>, answer: &Message<'_>) {
        let (of_caller, of_callee) = if by == Party::Caller { (request, answer) } else { (answer, request) };
        if let Some(invite) = dialog::refreshed(&self.invite, Towards::Caller, of_caller) {
            self.invite = invite;
        }
        let answers = std::iter::once(&mut self.answer).chain(&mut self.more_answers);
        for answer in answers {
            if dialog::callee_tag(answer) == callee_tag
                && let Some(refreshed) = dialog::refreshed(answer, Towards::Callee, of_callee)
            {
                *answer = refreshed;
            }
        }
    }

    /// The hop being tried.
    #[must_use]
    pub fn current(&self) -> Option<&Next> {
        self.decision.next_hops.get(self.next.checked_sub(1)?)
    }

    /// Its INVITE came again, over another stream or from another address of its caller.
    pub fn speaks_over(&mut self, server: TransactionKey, flow: Flow) {
        if self.server == server {
            self.caller = flow;
        }
    }

    /// Takes the next hop, if there is one.
    pub fn advance(&mut self) -> Option<Next> {
        let next = *self.decision.next_hops.get(self.next)?;
        self.next += 1;
        self.alerted = false;
        self.place = Told::Nothing;
        Some(next)
    }

    /// Decides what follows when the try of `client` failed (P-8).
    pub fn after(&mut self, client: TransactionKey, failure: Failure, said: Option<Said>) -> Onward {
        if self.phase != Phase::Hunting {
            return Onward::Nothing;
        }
        if self.client != Some(client) {
            return self.after_open(client, failure, said);
        }
        let tried = self.patience.as_mut().map(|patience| patience.tried(self.next.saturating_sub(1)));
        // One that had taken the location, and is asked again after it was lost, is not silent for that.
        let was_lost = tried.is_some_and(|tried| tried.was_lost);
        let is_last = self.next >= self.decision.next_hops.len() && !was_lost;
        let is_of_our_place =
            self.place == Told::Ours && !self.cancelled && failure.is_of_a_location(self.decision.emergency, is_last);
        if !self.cancelled
            && let Some(patience) = &mut self.patience
            && let Some(Missed { hop, .. }) = tried
        {
            match failure {
                Failure::Silent | Failure::Overtaken | Failure::Lost(_) => {
                    let place = if is_of_our_place { Told::NotAgain } else { self.place };
                    let is_lost = matches!(failure, Failure::Lost(_));
                    patience.keep(Open { client, hop, place, rang: self.alerted, is_lost });
                }
                Failure::Unreachable => patience.note_missed(Missed { hop, was_lost }),
                _ => {}
            }
            if let Failure::Lost(at) = failure {
                patience.note_lost(hop, at);
            }
        }
        let again = tried.map_or_else(|| self.current(), |tried| self.decision.next_hops.get(tried.hop)).copied();
        if is_of_our_place && let Some(hop) = again {
            self.place = Told::NotAgain;
            self.tries_again(tried);
            return Onward::WithoutPlace(hop);
        }
        if self.offer == Offer::Narrowed
            && !self.cancelled
            && failure.is_of_the_codecs()
            && let Some(hop) = again
        {
            self.tries_again(tried);
            self.offer = Offer::Whole;
            self.alerted = false;
            return Onward::WithWholeOffer(hop);
        }
        if let Some((status, ours)) = failure.verdict() {
            self.weigh(status, said, ours);
        }
        let hunt = Hunt {
            is_emergency: self.decision.emergency,
            is_cancelled: self.cancelled,
            alerted: self.alerted,
            is_gateway: self.current().is_some_and(|hop| hop.is_gateway),
        };
        if hunt.goes_on(failure)
            && let Some(next) = self.advance()
        {
            return Onward::Try(next);
        }
        self.client = None;
        self.at_the_end()
    }

    /// As [`Self::after`], of a hop that was left open.
    fn after_open(&mut self, client: TransactionKey, failure: Failure, said: Option<Said>) -> Onward {
        let Some((patience, open)) =
            self.patience.as_mut().and_then(|patience| patience.close(client).map(|open| (patience, open)))
        else {
            return Onward::Nothing;
        };
        if open.place == Told::Ours && failure.is_of_a_location(true, false) {
            patience.note_again(open.hop);
        } else if failure == Failure::Unreachable {
            patience.note_missed(Missed { hop: open.hop, was_lost: false });
        } else if failure == Failure::Silent && patience.has_lost() {
            // Nobody is there yet.
            patience.note_missed(Missed { hop: open.hop, was_lost: true });
        } else if let Some((status, ours)) = failure.verdict() {
            self.weigh(status, said, ours);
        }
        if self.client.is_some() { Onward::Nothing } else { self.at_the_end() }
    }

    /// What is left when no hop is at work and none is next.
    fn at_the_end(&mut self) -> Onward {
        let is_unanswered = self.is_unanswered();
        if !self.cancelled
            && let Some(patience) = &mut self.patience
        {
            if let Some(hop) = patience.take_again().and_then(|hop| self.decision.next_hops.get(hop)) {
                self.place = Told::NotAgain;
                return Onward::WithoutPlace(*hop);
            }
            // Where a callee has answered, the caller is told what.
            let is_way_left = patience.has_missed() || self.decision.nameless.is_some();
            if patience.is_open() || is_way_left && is_unanswered {
                return Onward::Wait;
            }
        }
        if self.cancelled && self.best.as_ref().is_none_or(|best| best.status != 487) {
            return Onward::Cancelled;
        }
        Onward::Fail(self.best.take())
    }

    /// Whether nobody has refused it but with a failure of their own.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.best.as_ref().is_none_or(|best| (500..600).contains(&best.status))
    }

    /// Lets go of what only setting the call up needed: the hops, and of INVITE and 2xx all but what a BYE of our own is
    /// written from; `text` is scratch.
    pub(crate) fn settle(&mut self, text: &mut Vec<u8>) {
        let (mut first, mut second) = (Index::new(), Index::new());
        if let (Ok(invite), Ok(answer)) = (scan(&self.invite, &mut first), scan(&self.answer, &mut second))
            && let Some(kept) = dialog::keep(&invite, &answer, text)
        {
            Kept { invite: self.invite, answer: self.answer, call_id: self.call_id } = kept;
        }
        self.best = None;
        Arc::make_mut(&mut self.decision).settle();
    }

    /// Keeps the better of two failures, and the challenges of both.
    fn weigh(&mut self, status: u16, said: Option<Said>, ours: Option<Refusal>) {
        let is_challenge = |status| matches!(status, 401 | 407);
        let mut next = Box::new(Best { status, said, ours, challenges: Vec::new() });
        if let Some(mut best) = self.best.take() {
            let mut challenges = std::mem::take(&mut best.challenges);
            if rank(next.status) >= rank(best.status) {
                std::mem::swap(&mut next, &mut best);
            }
            if is_challenge(best.status) {
                challenges.extend(best.said);
            }
            next.challenges = challenges;
        }
        self.best = Some(next);
    }

    /// The next moment something must happen.
    #[must_use]
    pub fn next_deadline(&self) -> Moment {
        let looks_at = self.patience.as_ref().map(|patience| patience.looks_at);
        let soon = [self.adjust_at, self.retry_at, self.settles_at, looks_at].into_iter().flatten();
        soon.fold(self.ends_at.min(self.session_ends_at), Moment::min)
    }

    /// The deadline a hint is needed for, or `None` when one waits that is early enough.
    pub fn arm(&mut self) -> Option<Moment> {
        let next = self.next_deadline();
        if self.phase == Phase::Ended || self.armed.is_some_and(|armed| armed <= next) {
            return None;
        }
        self.armed = Some(next);
        Some(next)
    }

    /// Whether another pass of this call, towards the cluster with that id and under that policy, may ride on its
    /// booking.
    #[must_use]
    pub fn carries(&self, cluster: &str, policy: RsvpPolicy) -> Carries {
        let remote = self.decision.link.and_then(|link| self.plan.remote_cluster(link));
        if self.phase == Phase::Ended || remote.is_none_or(|remote| *remote.id != *cluster) {
            return Carries::Nothing;
        }
        // A booking that was never asked for cannot stand in for one that must be.
        let is_firm = self.decision.policy != RsvpPolicy::None || policy == RsvpPolicy::None;
        match self.booking {
            Booking::Held(..) | Booking::Lent if is_firm && self.riders.len() < RIDERS_MAX => {
                Carries::Itself { audio_only: self.audio_only }
            }
            Booking::Rides(owner) => Carries::Through(owner),
            _ => Carries::Nothing,
        }
    }

    /// The pass it rides on, if it holds nothing of its own.
    #[must_use]
    pub fn rides_on(&self) -> Option<CallKey> {
        match self.booking {
            Booking::Rides(owner) => Some(owner),
            _ => None,
        }
    }

    /// Notes another pass that rides on its booking; `false` when it has none to ride on any more.
    pub fn take_on(&mut self, rider: CallKey) -> bool {
        let stands = self.phase != Phase::Ended && matches!(self.booking, Booking::Held(..) | Booking::Lent);
        if stands && self.riders.len() < RIDERS_MAX {
            self.riders.push(rider);
        }
        stands
    }

    /// Takes the booking over from `owner`, which is over, and its other riders; gives the booking back when it does not
    /// ride on it.
    pub fn inherit(&mut self, owner: CallKey, booking: (u16, Held), riders: &[CallKey]) -> Option<(u16, Held)> {
        match self.booking {
            Booking::Rides(known) if known == owner && self.phase != Phase::Ended => {
                self.booking = Booking::Held(booking.0, booking.1);
                self.riders = riders.to_vec();
                None
            }
            _ => Some(booking),
        }
    }

    /// Rides on what `heir` took over from `owner`.
    pub fn follow(&mut self, owner: CallKey, heir: CallKey) {
        if matches!(self.booking, Booking::Rides(known) if known == owner) {
            self.booking = Booking::Rides(heir);
        }
    }

    /// Takes the booking to work on it; `None` when there is none or somebody has it.
    pub fn lend(&mut self) -> Option<(u16, Held)> {
        match std::mem::replace(&mut self.booking, Booking::Lent) {
            Booking::Held(slot, held) => Some((slot, held)),
            other => {
                self.booking = other;
                None
            }
        }
    }

    /// Takes the booking to give it back to the link for good. When a worker has it in hand, that worker does.
    pub fn take(&mut self) -> Option<(u16, Held)> {
        match std::mem::replace(&mut self.booking, Booking::Nothing) {
            Booking::Held(slot, held) => Some((slot, held)),
            Booking::Nothing | Booking::Rides(_) => None,
            Booking::Lent | Booking::ToRelease => {
                self.booking = Booking::ToRelease;
                None
            }
        }
    }

    /// Puts a lent booking back; gives it to the caller of this function when it is to be released instead.
    pub fn put_back(&mut self, slot: u16, held: Held) -> Option<(u16, Held)> {
        if matches!(self.booking, Booking::ToRelease) {
            self.booking = Booking::Nothing;
            return Some((slot, held));
        }
        self.booking = Booking::Held(slot, held);
        None
    }
}
