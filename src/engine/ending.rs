//! How a call ends: refused before it is answered, by a BYE of its parties, by one of our own to both, and what it gives back.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use emcc_policies::admission::Held;
use smallvec::SmallVec;

use super::Turn;
use super::call::{Call, EndedBy, Phase};
use super::effects::{CallKey, CallRecord, Note, Party};
use super::forward::Launch;
use super::reject::{Busy, Refusal, Reject};
use crate::dialog::{self, Towards};
use crate::neighbour::Flow;
use crate::sip::build::DialogFacts;
use crate::sip::{Essentials, Index, Message, Method, ViaRef, essentials_of_taken, scan};
use crate::transaction::row::Purpose;

/// Why this node ends a call, or a try of one, itself: what its BYE or CANCEL tells in Reason (RFC 3326).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// An answer that had to pass left no codec within the region (M-6).
    NoCodecLeft,
    /// The description of an answer that had to pass cannot be read.
    Unreadable,
    /// An answer that had to pass has more descriptions than one, all but the first past region policy.
    SeveralDescriptions,
    /// An answer that had to pass left no audio without SRTP keys in the clear (S-5).
    KeysInClear,
    /// The caller never acknowledged its answer.
    NobodyAcknowledged,
    /// It stood longer than any call may.
    StoodTooLong,
    /// Nobody refreshed its session (RFC 4028).
    SessionExpired,
    /// Its node drains, and may do so no longer.
    Drained,
    /// Another party answered first.
    AnsweredElsewhere,
    /// The caller is gone.
    CallerGone,
    /// The hop said nothing in its time (P-8).
    HopSilent,
    /// It rang longer than it may (Timer C).
    RangTooLong,
}

impl Cut {
    /// What the log says.
    fn alarm(self) -> &'static str {
        match self {
            Self::NoCodecLeft => "an answer without a codec within the region's bit rate",
            Self::Unreadable => "an answer whose session description cannot be read",
            Self::SeveralDescriptions => "an answer with more than one session description",
            Self::KeysInClear => "an answer whose SRTP keys may not leave without TLS",
            Self::NobodyAcknowledged => "nobody acknowledged the answer",
            Self::StoodTooLong => "a call that stood longer than any may",
            Self::SessionExpired => "a session that nobody refreshed",
            Self::Drained => "a call that outlasted the drain",
            Self::AnsweredElsewhere => "another party answered",
            Self::CallerGone => "the caller is gone",
            Self::HopSilent => "a hop said nothing",
            Self::RangTooLong => "it rang too long",
        }
    }

    /// The values of the Reason header.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::NoCodecLeft => {
                "SIP;cause=488;text=\"No codec within the region's bit rate\", Q.850;cause=65;text=\"No codec left\""
            }
            Self::Unreadable => "SIP;cause=488;text=\"The session description cannot be read\", Q.850;cause=65",
            Self::SeveralDescriptions => "SIP;cause=488;text=\"More than one session description\", Q.850;cause=65",
            Self::KeysInClear => {
                "SIP;cause=488;text=\"SRTP keys may not leave without TLS\", Q.850;cause=65;text=\"No audio left\""
            }
            Self::NobodyAcknowledged => "SIP;cause=408;text=\"The answer was never acknowledged\"",
            Self::StoodTooLong => "Q.850;cause=31;text=\"The call stood longer than any may\"",
            Self::SessionExpired => "SIP;cause=408;text=\"Session expired\"",
            Self::Drained => "Q.850;cause=41;text=\"The node is going out of service\"",
            Self::AnsweredElsewhere => "SIP;cause=200;text=\"Call completed elsewhere\"",
            Self::CallerGone => "SIP;cause=487;text=\"Request Terminated\"",
            Self::HopSilent => "SIP;cause=408;text=\"No response in time\"",
            Self::RangTooLong => "SIP;cause=408;text=\"Nobody answered in time\", Q.850;cause=19;text=\"No answer\"",
        }
    }

    fn ended_by(self) -> EndedBy {
        if self == Self::SessionExpired { EndedBy::Expired } else { EndedBy::Node }
    }
}

impl Turn<'_> {
    /// Ends a call that was never answered with a refusal of ours.
    pub(crate) fn fail_with(&mut self, call_key: CallKey, why: Reject) {
        let facts = self
            .engine
            .calls
            .with(&call_key, |call| (call.server, call.invite.clone(), call.caller, call.decision.emergency));
        let Some((server, invite, caller, is_emergency)) = facts else { return };
        let mut index = self.desk.index.take().unwrap_or_default();
        if let Ok(message) = scan(&invite, &mut index) {
            let is_bounded = !is_emergency && self.is_unverified(caller);
            let said = if is_bounded { self.octets_of_trying(caller, &message) } else { 0 };
            if let Some(range) = self.write_refusal_after(said, caller, &message, why) {
                self.respond(server, why.answer().status, range);
            }
        }
        self.desk.index = Some(index);
        let ended_by = if why == Reject::Refusal(Refusal::Cancelled) { EndedBy::Cancelled } else { EndedBy::Refused };
        self.end(call_key, why.answer().status, ended_by);
    }

    /// A BYE was answered, or will never be: its leg is over, and with the last leg the call.
    ///
    /// A BYE of an early dialog finds no leg: the INVITE has its own final response (RFC 3261 section 15.1.2).
    pub(crate) fn bye_done(&mut self, of: &Essentials<'_>) {
        let legs = [of.from_tag, of.to_tag].map(|tag| self.leg_hash(tag.unwrap_or_default()));
        for key in self.rows_of_leg(of) {
            let caller = self.engine.calls.with(&key, |call| {
                let by_caller = call.legs.contains(&legs[1]);
                call.legs.retain(|leg| !legs.contains(leg));
                (call.legs.is_empty(), by_caller)
            });
            if let Some((true, by_caller)) = caller {
                let by = if by_caller { EndedBy::Caller } else { EndedBy::Callee };
                self.end(key, 0, by);
            }
        }
    }

    /// How many passes of one call there can be now: nearly always one, and only further passes make more to look at.
    pub(crate) fn passes(&self) -> u8 {
        if self.engine.further_passes.load(Relaxed) == 0 { 1 } else { self.engine.highest_pass.load(Relaxed) + 1 }
    }

    /// The rows of an answered dialog, one for each pass through this node. A call that a proxy sent back to us without
    /// a Record-Route of its own has our Routes side by side: one ACK, and one BYE, then speaks for every pass.
    pub(crate) fn rows_of_leg(&self, of: &Essentials<'_>) -> SmallVec<[CallKey; 2]> {
        let mut rows = SmallVec::new();
        for (caller, other) in [(of.from_tag, of.to_tag), (of.to_tag, of.from_tag)] {
            let leg = self.leg_hash(other.unwrap_or_default());
            let keys = (0..self.passes()).map(|pass| self.call_key(of.call_id, caller, pass));
            rows.extend(keys.filter(|key| self.is_leg(*key, leg)));
        }
        rows
    }

    /// Ends a call: gives back what it holds, writes its line, removes its row. `status` 0 keeps the one it has.
    pub(crate) fn end(&mut self, key: CallKey, status: u16, by: EndedBy) {
        let Some((mut call, owner, booking)) =
            self.engine.calls.remove_if(&key, |call| call.phase != Phase::Ended).map(|mut call| {
                let owner = call.rides_on();
                let booking = call.take();
                (call, owner, booking)
            })
        else {
            return;
        };
        if call.pass > 0 {
            self.engine.further_passes.fetch_sub(1, Relaxed);
        }
        if let Some(owner) = owner {
            self.engine.calls.with(&owner, |call| call.riders.retain(|rider| *rider != key));
        }
        // A booking in another worker's hand is given back by that worker: it finds no row to put it into.
        match booking {
            Some(booking) if !call.riders.is_empty() => self.hand_over(key, booking, &call.riders),
            booking => self.give_back(booking),
        }
        if status != 0 {
            call.status = status;
        }
        call.phase = Phase::Ended;
        self.close_open(call.patience.take(), None, Cut::CallerGone.reason());
        let now = self.now.moment;
        self.engine.counters.call_ended(call.status, by == EndedBy::Cancelled);
        self.effects.notes.push(Note::CallEnded(Box::new(CallRecord {
            call_id: call.call_id.clone(),
            status: call.status,
            ended_by: by.word(),
            lasted_ms: now.since_ms(call.began),
            answered_after_ms: call.answered_at.map(|at| at.since_ms(call.began)),
            decision: call.decision.clone(),
            plan: call.plan.clone(),
        })));
    }

    /// Gives what an ended pass of a call held to the first other pass that rides on it, or back to the link.
    fn hand_over(&mut self, owner: CallKey, booking: (u16, Held), riders: &[CallKey]) {
        let mut left = Some(booking);
        let mut others = riders.iter();
        while let (Some(booking), Some(heir)) = (left.take(), others.next()) {
            let mut offered = Some(booking);
            let taken = self.engine.calls.with(heir, |call| {
                offered = offered.take().and_then(|booking| call.inherit(owner, booking, others.as_slice()));
            });
            match (taken, offered) {
                (Some(()), None) => {
                    for other in others {
                        self.engine.calls.with(other, |call| call.follow(owner, *heir));
                    }
                    return;
                }
                (_, back) => left = back,
            }
        }
        self.give_back(left);
    }

    /// Ends a standing call towards both sides with BYE, and gives back what it holds.
    pub(crate) fn end_both(&mut self, key: CallKey, why: Cut) {
        let facts = self.engine.calls.with(&key, |call: &mut Call| {
            let answers: SmallVec<[Bytes; 1]> = call.answers().cloned().collect();
            (call.invite.clone(), answers, call.legs.clone(), call.caller, call.callee, call.cseq, call.call_id.clone())
        });
        let Some((invite, answers, legs, caller, callee, cseq, call_id)) = facts else { return };
        self.raise(why.alarm(), Some(call_id), String::new());
        let is_single = answers.len() == 1;
        for answer in answers {
            // Of several callees one may have hung up.
            if !is_single && !legs.contains(&self.leg_hash(&dialog::callee_tag(&answer))) {
                continue;
            }
            for (to, flow) in [(Party::Callee, callee), (Party::Caller, Some(caller))] {
                if let Some(flow) = flow {
                    self.bye(&invite, &answer, to, flow, cseq, why);
                }
            }
        }
        self.end(key, 0, why.ended_by());
    }

    /// Ends an ordinary call whose node may drain no longer: by BYE to both sides, or by a refusal where nobody answered.
    pub(crate) fn end_drained(&mut self, key: CallKey) {
        let facts = self.engine.calls.with(&key, |call| (call.phase, call.client, call.cancelled));
        let Some((phase, client, is_cancelled)) = facts else { return };
        if phase != Phase::Hunting {
            return self.end_both(key, Cut::Drained);
        }
        if let Some(client) = client {
            self.cancel_client(client, Bytes::from_static(Cut::Drained.reason().as_bytes()));
        }
        // Who gave it up is told that (RFC 3261 section 16.10).
        self.fail_with(
            key,
            if is_cancelled { Reject::Refusal(Refusal::Cancelled) } else { Reject::Busy(Busy::Draining) },
        );
    }

    /// Our own BYE to one side of a call.
    fn bye(&mut self, invite: &[u8], answer: &[u8], to: Party, flow: Flow, cseq: [u32; 2], why: Cut) {
        let branch = self.branch();
        let number = cseq[usize::from(to == Party::Caller)].saturating_add(1);
        let towards = if to == Party::Caller { Towards::Caller } else { Towards::Callee };
        let Some((facts, via)) = self.own_request(invite, answer, towards, flow, &branch) else { return };
        let reason = rsip::Header::Other("Reason".to_owned(), why.reason().to_owned());
        let range = facts.bye(number, via).header(reason).write(&mut self.effects.arena);
        let key = self.client_key(&branch, b"BYE");
        self.launch(key, flow, range, Launch::own(Purpose::Bye, Method::Bye));
    }

    /// What a request of our own in a dialog is built from.
    fn own_request(
        &mut self,
        invite: &[u8],
        answer: &[u8],
        towards: Towards,
        flow: Flow,
        branch: &[u8],
    ) -> Option<(DialogFacts, rsip::typed::Via)> {
        let running = self.running.clone();
        let local = running.local(flow)?;
        let (mut first, mut second) = (Index::new(), Index::new());
        let (invite, answer) = (scan(invite, &mut first).ok()?, scan(answer, &mut second).ok()?);
        let facts = dialog::facts(&invite, &answer, towards, |uri| running.is_ours(uri))?;
        let via = format!(
            "SIP/2.0/{} {};branch={}",
            local.address.transport.via_name(),
            local.host_port,
            String::from_utf8_lossy(branch)
        );
        let via = ViaRef::parse(via.as_bytes()).ok()?.try_into().ok()?;
        Some((facts, via))
    }

    /// Acknowledges a 2xx nobody waits for any more, and hangs up (RFC 3261 section 13.2.2.4).
    ///
    /// The answer alone tells it: it carries the INVITE's From and Call-ID, and the INVITE's bytes are gone by then.
    pub(crate) fn hang_up(&mut self, flow: Flow, answer: &Message<'_>, why: Cut) {
        let Ok(of) = essentials_of_taken(answer) else { return };
        let branch = self.branch();
        let own = self.own_request(answer.bytes(), answer.bytes(), Towards::Callee, flow, &branch);
        if let Some((facts, via)) = own {
            let range = facts.ack(of.cseq.number, via).write(&mut self.effects.arena);
            self.engine.counters.request_out(Method::Ack);
            self.effects.send(flow, range, None);
        }
        self.bye(answer.bytes(), answer.bytes(), Party::Callee, flow, [of.cseq.number, 0], why);
    }
}
