//! Responses: the way back from the next hop to the caller, and what a call makes of them.

use std::ops::Range;

use bytes::Bytes;
use emcc_codecs::keys;
use emcc_policies::region::Role;

use super::Turn;
use super::call::{Best, EndedBy, Phase, Said};
use super::effects::{CallKey, Hint, Party, TransactionKey};
use super::ending::Cut;
use super::hunt::{Failure, outward};
use super::keys::{Keys, Passage};
use super::media::Body;
use super::reject::{Refusal, Reject};
use super::salvage::as_it_came;
use super::session::Agreed;
use super::trust::{self, Crossing};
use crate::config::plan::Neighbour;
use crate::dialog;
use crate::limits::{EMERGENCY_TRUNK_MORE_MS, LEGS_MAX, SETUP_MS_MAX};
use crate::neighbour::{Flow, Transport};
use crate::sip::build;
use crate::sip::{
    Editor, Essentials, Index, Message, Method, Name, Span, Start, Strictness, essentials, offers_control,
};
use crate::transaction::row::{Asked, Cancel, Machine, Purpose};
use crate::transaction::{LIFETIME_MS, client, client_invite, server, server_invite};

/// What a client transaction made of a response, taken out of its row.
struct Heard {
    act: Heed,
    server: Option<TransactionKey>,
    call: Option<CallKey>,
    purpose: Purpose,
    /// The request as it was sent, where something is to be made from it.
    request: Bytes,
    flow: Flow,
    offered: bool,
    session: Asked,
    by: Party,
    must_cancel: bool,
    /// The values of the Reason header of a CANCEL that is due.
    reason: Bytes,
    hint: Option<emcc_policies::moment::Moment>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Heed {
    Invite(client_invite::Act),
    Other(client::Act),
}

impl Heed {
    /// Whether an ACK or a CANCEL follows, which is written from the request.
    fn is_written_from_the_request(self) -> bool {
        use client_invite::Act;
        matches!(self, Self::Invite(Act::AckAndPassFailure | Act::Ack | Act::CancelLate))
    }
}

impl Turn<'_> {
    /// One response from the network.
    pub(crate) fn response(&mut self, flow: Flow, message: &Message<'_>, status: u16) {
        self.engine.counters.response_in(status);
        let Ok(of) = essentials(message, Strictness::Lenient) else {
            return self.response_out_of_form(flow, message, status);
        };
        let key = self.client_key(of.via.branch.unwrap_or_default(), of.cseq.token);
        self.response_in_form(flow, message, &of, key, status);
    }

    /// A response to the client transaction `key`, whose mandatory headers are read.
    pub(super) fn response_in_form(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        of: &Essentials<'_>,
        key: TransactionKey,
        status: u16,
    ) {
        if message.values(Name::Via).nth(1).is_none()
            && let Some(whole) = self.with_vias(key, flow, message)
        {
            let mut index = Index::new();
            if let Ok(message) = crate::sip::scan(&whole, &mut index) {
                return self.heard(key, flow, &message, of, status);
            }
        }
        self.heard(key, flow, message, of, status);
    }

    fn heard(&mut self, key: TransactionKey, flow: Flow, message: &Message<'_>, of: &Essentials<'_>, status: u16) {
        let Some(heard) = self.hear(key, flow, status) else {
            if let Some(key) = self.key_in_our_case(key, of) {
                return self.response_in_form(flow, message, of, key, status);
            }
            if Method::of_other_case(of.cseq.token).is_some() && self.takes_response(flow, message, status) {
                return;
            }
            self.engine.counters.stray_response();
            return;
        };
        self.verify(flow);
        if let Some(at) = heard.hint {
            self.effects.hints.push((at, Hint::Transaction(key)));
        }
        if status >= 200 {
            self.answered_by(heard.flow, heard.purpose, message, status);
        }
        self.hear_load(heard.flow, &of.via);
        match heard.act {
            Heed::Invite(act) => self.invite_response(key, &heard, act, message, of, status),
            Heed::Other(client::Act::Pass) => self.other_response(&heard, message, of, status),
            Heed::Other(_) => {}
        }
    }

    /// Steps the client transaction; `None` when there is none or the response is not from where the request went.
    fn hear(&mut self, key: TransactionKey, flow: Flow, status: u16) -> Option<Heard> {
        let now = self.now.moment;
        self.engine.transactions.with(&key, |row| {
            if !self.is_from_where(row.flow, flow) {
                return None;
            }
            let before = row.machine;
            let act = match row.machine {
                Machine::ClientInvite(state) => {
                    let event = match status {
                        100..=199 => client_invite::Event::Provisional,
                        200..=299 => client_invite::Event::Success,
                        _ => client_invite::Event::Failure,
                    };
                    let (next, act) = client_invite::step(state, event);
                    row.machine = Machine::ClientInvite(next);
                    Heed::Invite(act)
                }
                Machine::Client(state) => {
                    let event = if status < 200 { client::Event::Provisional } else { client::Event::Final };
                    let (next, act) = client::step(state, event);
                    row.machine = Machine::Client(next);
                    Heed::Other(act)
                }
                Machine::ServerInvite(_) | Machine::Server(_) => return None,
            };
            if row.machine != before {
                row.enter(now);
            }
            row.is_cut = false;
            let must_cancel = row.cancel == Cancel::Pending && status < 200;
            if must_cancel {
                row.cancel = Cancel::Sent;
            }
            if row.machine == Machine::ClientInvite(client_invite::State::Proceeding) {
                // Timer C is set anew by every provisional but 100 (RFC 3261 section 16.7, step 2).
                if before != row.machine || status > 100 {
                    let life_ms = match row.cancel {
                        Cancel::Sent => LIFETIME_MS,
                        // No ringing of an emergency call is too long (P-23); but a hop that said no more than 100 may have
                        // nothing behind it, and another one is tried after Timer C; or it hunts itself.
                        _ if row.is_patient && status > 100 => SETUP_MS_MAX + LIFETIME_MS,
                        _ if row.is_patient && self.is_trunk(row.flow) => {
                            self.running.plan.sip.ring_ms + EMERGENCY_TRUNK_MORE_MS
                        }
                        _ => self.running.plan.sip.ring_ms,
                    };
                    row.timing.wait(now, life_ms);
                }
            }
            let is_registration = matches!(row.purpose, Purpose::Register { .. });
            let refreshes = row.purpose == Purpose::Pass && row.call.is_some() && (200..300).contains(&status);
            let is_read = must_cancel || is_registration || refreshes || act.is_written_from_the_request();
            let request = if is_read { row.request.clone() } else { Bytes::new() };
            row.let_go();
            Some(Heard {
                act,
                server: row.partner,
                call: row.call,
                purpose: row.purpose,
                request,
                flow: row.flow,
                offered: row.offered,
                session: row.session,
                by: row.by,
                must_cancel,
                reason: if must_cancel { std::mem::take(&mut row.response) } else { Bytes::new() },
                hint: row.timing.arm(),
            })
        })?
    }

    /// Whether a response comes from where its request went: from that address, or from another of the same neighbour, as one
    /// with several may answer (RFC 3261 section 18.1.2 matches by branch, which nobody else knows). Phones are many.
    pub(super) fn is_from_where(&self, sent: Flow, from: Flow) -> bool {
        let plan = &self.running.plan;
        let neighbour = |flow: Flow| plan.neighbour(flow.transport, flow.remote).filter(|of| *of != Neighbour::Phone);
        sent.remote.ip() == from.remote.ip() || neighbour(sent).is_some_and(|sent| neighbour(from) == Some(sent))
    }

    fn invite_response(
        &mut self,
        key: TransactionKey,
        heard: &Heard,
        act: client_invite::Act,
        message: &Message<'_>,
        of: &Essentials<'_>,
        status: u16,
    ) {
        use client_invite::Act;
        if heard.must_cancel {
            self.send_cancel(heard.flow, &heard.request, &heard.reason);
        } else if act == Act::CancelLate {
            self.send_cancel(heard.flow, &heard.request, Cut::HopSilent.reason().as_bytes());
        }
        match act {
            Act::PassProvisional if status > 100 => self.provisional(key, heard, message, of, status),
            Act::PassSuccess => self.success(key, heard, message, of, status),
            Act::AckAndPassFailure => {
                self.acknowledge(heard, message);
                match (heard.purpose, heard.call) {
                    (Purpose::Hunt, Some(call)) => {
                        let said = Said { response: Bytes::copy_from_slice(message.bytes()), from: heard.flow };
                        self.after(call, key, Failure::Status(status), Some(said));
                    }
                    _ => {
                        self.settle_as_before(heard.call);
                        let carried = self.carried(heard.back(), message, status);
                        self.pass_back(heard.back(), message, status, carried, None);
                    }
                }
            }
            Act::Ack => self.acknowledge(heard, message),
            _ => {}
        }
    }

    fn other_response(&mut self, heard: &Heard, message: &Message<'_>, of: &Essentials<'_>, status: u16) {
        // No provisional goes to who sent no INVITE (RFC 4320 section 4.1).
        if status < 200 {
            return;
        }
        match heard.purpose {
            Purpose::Keepalive(slot) => self.keepalive_heard(slot, message),
            Purpose::Register { place, .. } => {
                let failure = Failure::Status(status);
                if status >= 300 && self.register_elsewhere(heard.server, place, failure) {
                    return;
                }
                self.registration(&heard.request, heard.server, message, status);
                let carried = self.carried(heard.back(), message, status);
                self.pass_back(heard.back(), message, status, carried, None);
            }
            Purpose::Pass | Purpose::PassBye => {
                let carried = self.carried(heard.back(), message, status);
                self.settle_body(heard.call, &carried.body, heard.role(), heard.answerer(of));
                if carried.body.is_refused() {
                    let Carried { body, keys } = carried;
                    self.pass_back(heard.back(), message, status, Carried { body: Body::None, keys }, None);
                    if let Some(call) = heard.call {
                        self.refused_within(call, heard.callee_tag(of), &body);
                    }
                    return;
                }
                let is_refreshed = of.cseq.token == b"UPDATE" && (200..300).contains(&status);
                let agreed = is_refreshed.then(|| Agreed::of(heard.session, message));
                if let (Some(call), Some(agreed)) = (heard.call, agreed) {
                    self.session_refreshed(call, agreed);
                    self.targets_refreshed(call, heard, message, of);
                }
                self.pass_back(heard.back(), message, status, carried, agreed);
                if status >= 300 && heard.offered {
                    self.settle_as_before(heard.call);
                }
                if let (Purpose::PassBye, Some(_)) = (heard.purpose, heard.call)
                    && status != 401
                    && status != 407
                {
                    self.bye_done(of);
                }
            }
            _ => {}
        }
    }

    fn provisional(
        &mut self,
        key: TransactionKey,
        heard: &Heard,
        message: &Message<'_>,
        of: &Essentials<'_>,
        status: u16,
    ) {
        if let (Purpose::Hunt, Some(call)) = (heard.purpose, heard.call) {
            let early = of.to_tag.map(|tag| self.leg_hash(tag));
            let is_tried = self.engine.calls.with(&call, |call| {
                let is_tried = call.phase == Phase::Hunting && call.tries().any(|client| client == key);
                if is_tried && status >= 180 {
                    call.rang(key);
                }
                if is_tried && let (Some(patience), Some(early)) = (&mut call.patience, early) {
                    patience.note_dialog(early, key);
                }
                is_tried
            });
            if is_tried != Some(true) {
                return;
            }
        }
        let mut carried = self.carried(heard.back(), message, status);
        if heard.purpose == Purpose::Pass {
            carried = self.with_room(heard, message, carried);
        }
        self.settle_body(heard.call, &carried.body, heard.role(), heard.answerer(of));
        if !carried.body.is_refused() {
            return self.pass_back(heard.back(), message, status, carried, None);
        }
        let Carried { body, keys } = carried;
        let reliable_in = heard.call.filter(|_| message.value(Name::RSeq).is_some());
        if let (Purpose::Hunt, Some(call)) = (heard.purpose, reliable_in) {
            return self.refuse_try(call, key, &body);
        }
        // What is not reliable and may not pass is left out; the final response decides.
        self.pass_back(heard.back(), message, status, Carried { body: Body::Left, keys }, None);
        if let Some(call) = reliable_in {
            self.refused_within(call, heard.callee_tag(of), &body);
        }
    }

    fn success(&mut self, key: TransactionKey, heard: &Heard, message: &Message<'_>, of: &Essentials<'_>, status: u16) {
        let (Purpose::Hunt, Some(call_key)) = (heard.purpose, heard.call) else {
            let carried = self.carried(heard.back(), message, status);
            let carried = self.with_room(heard, message, carried);
            self.settle_body(heard.call, &carried.body, heard.role(), heard.answerer(of));
            let agreed = Agreed::of(heard.session, message);
            if let Some(call) = heard.call {
                self.session_refreshed(call, agreed);
                self.targets_refreshed(call, heard, message, of);
            }
            if !carried.body.is_refused() {
                return self.pass_back(heard.back(), message, status, carried, Some(agreed));
            }
            let Carried { body, keys } = carried;
            self.pass_back(heard.back(), message, status, Carried { body: Body::None, keys }, Some(agreed));
            if let Some(call) = heard.call {
                self.refused_within(call, heard.callee_tag(of), &body);
            }
            return;
        };
        let leg = self.leg_hash(of.to_tag.unwrap_or_default());
        let known = self
            .engine
            .calls
            .with(&call_key, |call| (Some(call.server) == heard.server).then(|| call.legs.contains(&leg)));
        // The hop was given up with its whole INVITE. Whoever called may have tried again since, as the same call: that try
        // has hops of its own.
        let Some(is_known) = known.flatten() else {
            return self.hang_up(heard.flow, message, Cut::CallerGone);
        };
        let carried = self.carried(heard.back(), message, status);
        if !is_known {
            match self.first_answer(call_key, key, heard, message, of, leg, carried.body.is_refused()) {
                Verdict::Pass => {}
                Verdict::Refuse => {
                    self.hang_up(heard.flow, message, carried.body.cut());
                    return self.refused_body(call_key, key, &carried.body);
                }
                // Somebody else answered first, or the caller is gone: this one is thanked and hung up.
                Verdict::HangUp(why) => return self.hang_up(heard.flow, message, why),
            }
        }
        let carried = if carried.body.is_refused() { carried.with(Body::None) } else { carried };
        self.settle_body(heard.call, &carried.body, heard.role(), heard.answerer(of));
        self.pass_back(heard.back(), message, status, carried, Some(Agreed::of(heard.session, message)));
    }

    /// What a response inside a call carries, with room on the link for an offer in it.
    fn with_room(&mut self, heard: &Heard, message: &Message<'_>, mut carried: Carried) -> Carried {
        if heard.role() == Role::Offer {
            carried.body = self.body_with_room(heard.call, heard.author(), message, carried.body);
        }
        carried
    }

    /// A re-INVITE or UPDATE of a call was answered with a 2xx: what we send to its parties from now on goes to the
    /// Contacts of these two (RFC 3261 section 12.2).
    fn targets_refreshed(&mut self, call: CallKey, heard: &Heard, answer: &Message<'_>, of: &Essentials<'_>) {
        let mut index = Index::new();
        let Ok(request) = crate::sip::scan(&heard.request, &mut index) else { return };
        let callee_tag = heard.callee_tag(of);
        self.engine.calls.with(&call, |call| call.targets_refreshed(heard.by, callee_tag, &request, answer));
    }

    /// Judges the first 2xx of a leg.
    #[allow(clippy::too_many_arguments)]
    fn first_answer(
        &mut self,
        call_key: CallKey,
        key: TransactionKey,
        heard: &Heard,
        message: &Message<'_>,
        of: &Essentials<'_>,
        leg: u64,
        is_refused: bool,
    ) -> Verdict {
        if is_refused {
            return Verdict::Refuse;
        }
        let now = self.now.moment;
        let answer = Bytes::copy_from_slice(message.bytes());
        let cseq = of.cseq.number;
        let agreed = Agreed::of(heard.session, message);
        let verdict = self.engine.calls.with(&call_key, |call| match call.phase {
            Phase::Hunting => {
                call.phase = Phase::Answered;
                call.answer = answer;
                call.callee = Some(heard.flow);
                call.answered_at = Some(now);
                call.status = 200;
                call.cseq[0] = call.cseq[0].max(cseq);
                // The caller has 64 T1 for its ACK, and as long again for what was lost.
                call.ends_at = now.plus_ms(2 * LIFETIME_MS);
                call.session_agreed(now, agreed, false);
                // Its own answer counts, and not the last one that another early dialog gave.
                let early = std::mem::take(&mut call.early);
                call.had_offer |= early.hold(leg);
                call.answered = early.needs_of(leg).or(call.answered);
                if call.answered.is_some() {
                    call.adjust_at = Some(now.plus_ms(crate::limits::ADJUST_AFTER_MS));
                }
                call.settles_at = Some(now.plus_ms(crate::limits::SETTLES_AFTER_MS));
                call.legs.push(leg);
                // A hop given up may still win: from here on it is the one that answered.
                let other = call.client.replace(key).filter(|current| *current != key);
                let left = call.patience.take();
                (Verdict::Pass, Some((other, left)), call.arm(), Some(call.began))
            }
            Phase::Answered | Phase::Standing if call.client == Some(key) && call.legs.len() < LEGS_MAX => {
                call.legs.push(leg);
                call.more_answers.push(dialog::keep_answer(message));
                call.session_agreed(now, agreed, true);
                (Verdict::Pass, None, None, None)
            }
            Phase::Ended => (Verdict::HangUp(Cut::CallerGone), None, None, None),
            _ => (Verdict::HangUp(Cut::AnsweredElsewhere), None, None, None),
        });
        let Some((verdict, others, hint, began)) = verdict else {
            return Verdict::HangUp(Cut::CallerGone);
        };
        if let Some(at) = hint {
            self.effects.hints.push((at, Hint::Call(call_key)));
        }
        if let Some(began) = began {
            self.engine.counters.call_answered(now.since_ms(began));
        }
        if let Some((other, left)) = others {
            let reason = Cut::AnsweredElsewhere.reason();
            if let Some(other) = other {
                self.cancel_client(other, Bytes::from_static(reason.as_bytes()));
            }
            self.close_open(left, Some(key), reason);
        }
        verdict
    }

    pub(crate) fn is_leg(&self, call: CallKey, leg: u64) -> bool {
        self.engine.calls.with(&call, |call| call.legs.contains(&leg)) == Some(true)
    }

    pub(crate) fn leg_hash(&self, tag: &[u8]) -> u64 {
        self.engine.hash(&[b"leg", tag]) as u64
    }

    /// Ends a call that was never answered with the best failure that came back.
    pub(crate) fn fail(&mut self, call_key: CallKey, best: Option<Box<Best>>) {
        let Some(best) = best else {
            return self.fail_with(call_key, Reject::Refusal(Refusal::EveryHopFailed));
        };
        let Best { status, said, challenges, ours } = *best;
        let Some(Said { response, from }) = said else {
            return self.fail_with(call_key, Reject::Refusal(ours.unwrap_or(Refusal::NoCodecLeft)));
        };
        let Some(server) = self.engine.calls.with(&call_key, |call| call.server) else { return };
        let mut index = self.desk.index.take().unwrap_or_default();
        if let Ok(message) = crate::sip::scan(&response, &mut index) {
            let back = Back { server: Some(server), call: Some(call_key), from, role: Role::Answer };
            let carried = self.carried(back, &message, status);
            let status = outward(status);
            if self.edit_carried(back, &message, status, carried, None).is_some() {
                if matches!(status, 401 | 407) {
                    self.add_challenges(&message, &challenges);
                }
                let range = self.desk.editor.write(&message, &mut self.effects.arena);
                self.respond(server, status, range);
            }
        }
        self.desk.index = Some(index);
        let ended_by = if status == 487 { EndedBy::Cancelled } else { EndedBy::Refused };
        self.end(call_key, outward(status), ended_by);
    }

    /// What a response carries back: its description under the region, and its SRTP keys, judged once.
    fn carried(&mut self, back: Back, message: &Message<'_>, status: u16) -> Carried {
        if message.body().is_empty() {
            return Carried { body: Body::None, keys: Keys::Pass };
        }
        let body = if status >= 300 { Body::None } else { self.call_body(back.call, message, back.role) };
        let keys = self.answer_keys(back, message);
        let is_in_clear = keys == Keys::Refused && status < 300 && !body.is_refused();
        Carried { body: if is_in_clear { Body::KeysInClear } else { body }, keys }
    }

    /// What becomes of the SRTP keys in a response on its way back.
    fn answer_keys(&mut self, back: Back, message: &Message<'_>) -> Keys {
        // Most have none: then nothing is looked up.
        if !keys::are_in(message.body()) {
            return Keys::Pass;
        }
        let to = back.server.and_then(|server| self.engine.transactions.with(&server, |row| row.flow));
        let Some(to) = to else { return Keys::Pass };
        let facts =
            back.call.and_then(|call| self.engine.calls.with(&call, |call| (call.plan.clone(), call.decision.clone())));
        let (plan, decision) = match facts {
            Some((plan, decision)) => (plan, Some(decision)),
            None => (self.running.plan.clone(), None),
        };
        self.keys(&plan, message, Passage { decision: decision.as_deref(), from: back.from, to })
    }

    /// Passes a response to the server transaction its request came by.
    fn pass_back(&mut self, back: Back, message: &Message<'_>, status: u16, carried: Carried, agreed: Option<Agreed>) {
        let status = outward(status);
        if let Some(server) = self.edit_carried(back, message, status, carried, agreed) {
            let range = self.desk.editor.write(message, &mut self.effects.arena);
            self.respond(server, status, range);
        }
    }

    /// The changes of a response on its way back, not written yet: what it carries, and what comes off it. Gives back whom
    /// it goes to.
    fn edit_carried(
        &mut self,
        back: Back,
        message: &Message<'_>,
        status: u16,
        carried: Carried,
        agreed: Option<Agreed>,
    ) -> Option<TransactionKey> {
        let server = back.server?;
        let body = match carried {
            Carried { body: Body::Left, .. } => Body::Left,
            Carried { body, keys: Keys::Pass } => body,
            Carried { body, .. } => self.without_keys(message, &body),
        };
        let crossing = self.back_across(message, back.from, server);
        self.edit_back(message, status, &body, agreed, &crossing)?;
        let is_emergency = || self.engine.transactions.with(&server, |row| row.is_patient) == Some(true);
        if status >= 300 && message.first(Name::RetryAfter).is_some() && is_emergency() {
            // Who calls for help is never told to wait.
            self.desk.editor.remove_all(message, Name::RetryAfter);
        }
        Some(server)
    }

    /// What comes off a response from `from` on its way to the sender of that request: identities, where trust ends,
    /// locations where none may leave, and what its sender may not send.
    fn back_across(&self, message: &Message<'_>, from: Flow, server: TransactionKey) -> Crossing {
        let plan = &self.running.plan;
        let is_touched = trust::is_touched(plan, message);
        if plan.trusts_everybody() && !is_touched {
            return Crossing::FREE;
        }
        let neighbour = |flow: Flow| plan.neighbour(flow.transport, flow.remote);
        let to = if is_touched { self.engine.transactions.with(&server, |row| row.flow) } else { None };
        trust::crossing(plan, message, neighbour(from), to.and_then(neighbour))
    }

    /// Writes a response without our Via, with what the body became and what its session's timer is.
    pub(crate) fn write_back(
        &mut self,
        message: &Message<'_>,
        status: u16,
        body: &Body,
        agreed: Option<Agreed>,
        crossing: Crossing,
    ) -> Option<Range<usize>> {
        self.edit_back(message, status, body, agreed, &crossing)?;
        Some(self.desk.editor.write(message, &mut self.effects.arena))
    }

    /// The changes of [`Self::write_back`], not written yet.
    fn edit_back(
        &mut self,
        message: &Message<'_>,
        status: u16,
        body: &Body,
        agreed: Option<Agreed>,
        crossing: &Crossing,
    ) -> Option<()> {
        // The one Via is ours: a response to a request that we made ourselves goes nowhere.
        let next = message.values(Name::Via).nth(1)?;
        let load = offers_control(next.text).then(|| self.load());
        let editor = &mut self.desk.editor;
        editor.begin();
        editor.version(message);
        editor.remove_first_values(message, Name::Via, 1);
        if let Some(load) = load {
            editor.report(message, &next, load);
        }
        if message.status() != Some(status) {
            status_line(editor, message, status);
        }
        if !crossing.is_free() {
            crossing.write(editor, message);
        }
        if let Some(agreed) = agreed {
            agreed.write(editor, message);
        }
        match body {
            _ if crossing.location => self.write_body(message, body, true),
            Body::Changed(_) => editor.body(message, &self.desk.media),
            Body::Left => {
                editor.remove_all(message, Name::ContentType);
                editor.body(message, b"");
            }
            _ => {}
        }
        Some(())
    }

    /// Adds what other hops asked for in the way of credentials (RFC 3261 section 16.7, step 7).
    fn add_challenges(&mut self, message: &Message<'_>, challenges: &[Said]) {
        let (plan, mut index) = (&self.running.plan, Index::new());
        for Said { response, from } in challenges {
            let Ok(other) = crate::sip::scan(response, &mut index) else { continue };
            let removed = plan.headers_removed(plan.neighbour(from.transport, from.remote));
            for field in other.fields() {
                let is_challenge = matches!(field.name, Name::WwwAuthenticate | Name::ProxyAuthenticate);
                if is_challenge && !removed.hold(field.name, other.text(field.name_span)) {
                    self.desk.editor.append_header(message, other.text(field.line).trim_ascii_end());
                }
            }
        }
    }

    /// Hands a written response to a server transaction; what it may not send any more stays unsent.
    pub(crate) fn respond(&mut self, key: TransactionKey, status: u16, range: Range<usize>) {
        let (now, arena, verified) = (self.now.moment, &self.effects.arena, &self.engine.verified);
        let sent = self.engine.transactions.with(&key, |row| {
            let before = row.machine;
            let send = match row.machine {
                Machine::ServerInvite(state) => {
                    let (next, act) = server_invite::step(state, server_invite::Event::Reply(status));
                    row.machine = Machine::ServerInvite(next);
                    act == server_invite::Act::Send
                }
                // A 408 comes when its reader has given up already: nobody but who sent an INVITE gets one, and the row waits
                // its time out (RFC 4320 section 4.2).
                Machine::Server(_) if status == 408 => false,
                Machine::Server(state) => {
                    let (next, act) = server::step(state, server::Event::Reply(status));
                    row.machine = Machine::Server(next);
                    act == server::Act::Send
                }
                Machine::ClientInvite(_) | Machine::Client(_) => false,
            };
            if !send {
                return None;
            }
            let said = arena.get(range.clone()).unwrap_or_default();
            let other = if row.is_mended { as_it_came(said, &row.request, row.flow.remote) } else { None };
            if row.machine != before {
                row.enter(now);
                row.let_go();
                // Nobody has shown that they hear us there: what we repeat may go to somebody who never asked. An
                // emergency call's caller gets its answer all the same.
                let is_unverified =
                    || row.flow.transport == Transport::Udp && !verified.holds(row.flow.remote.ip(), now);
                if status >= 300 && !row.is_patient && is_unverified() {
                    row.timing.wait(now, LIFETIME_MS);
                }
            }
            // A 2xx to an INVITE is repeated by who answered, not by us (RFC 6026 section 7.1); a 100 is made again.
            row.response = match (row.machine, status) {
                (Machine::ServerInvite(server_invite::State::Accepted), _) | (_, 100) => Bytes::new(),
                _ => Bytes::copy_from_slice(other.as_deref().unwrap_or(said)),
            };
            Some((row.flow, row.timing.arm(), other))
        });
        let Some(Some((flow, hint, other))) = sent else {
            self.engine.counters.retransmission_absorbed();
            return;
        };
        if let Some(at) = hint {
            self.effects.hints.push((at, Hint::Transaction(key)));
        }
        self.engine.counters.response_out(status);
        match other {
            Some(other) => self.effects.send_copy(flow, &other, None),
            None => self.effects.send(flow, range, None),
        }
    }

    /// Acknowledges a failure hop by hop (RFC 3261 section 17.1.1.3).
    fn acknowledge(&mut self, heard: &Heard, response: &Message<'_>) {
        let mut index = self.desk.index.take().unwrap_or_default();
        if let Ok(request) = crate::sip::scan(&heard.request, &mut index)
            && let Some(range) = build::ack_for(&request, response, &mut self.effects.arena)
        {
            self.engine.counters.request_out(Method::Ack);
            self.effects.send(heard.flow, range, None);
        }
        self.desk.index = Some(index);
    }
}

/// Puts another status into the start line of a response.
fn status_line(editor: &mut Editor, message: &Message<'_>, status: u16) {
    if let Start::Response { reason, .. } = message.start() {
        // The status code stands right before its space and the reason phrase.
        let code = Span { start: reason.start.saturating_sub(4), end: reason.end };
        let text = editor.text().decimal(u64::from(status)).put(b" ");
        text.put(crate::sip::typed::reason_phrase(status).as_bytes()).replace(code);
    }
}

/// The way of a response back.
#[derive(Clone, Copy)]
struct Back {
    /// The transaction of the request it answers, where somebody waits for it.
    server: Option<TransactionKey>,
    call: Option<CallKey>,
    /// Where it came from.
    from: Flow,
    /// What a description in it is.
    role: Role,
}

/// What a response carries back.
struct Carried {
    body: Body,
    keys: Keys,
}

impl Carried {
    /// The same with another body.
    fn with(self, body: Body) -> Self {
        Self { body, ..self }
    }
}

impl Heard {
    fn back(&self) -> Back {
        Back { server: self.server, call: self.call, from: self.flow, role: self.role() }
    }

    /// What a description in the response is (RFC 3264).
    fn role(&self) -> Role {
        if self.offered { Role::Answer } else { Role::Offer }
    }

    /// The tag of the callee in a response to a request of a dialog.
    fn callee_tag<'t>(&self, of: &Essentials<'t>) -> &'t [u8] {
        let tag = if self.by == Party::Caller { of.to_tag } else { of.from_tag };
        tag.unwrap_or_default()
    }

    /// Who wrote it, and the tag of the callee in its dialog.
    fn answerer<'t>(&self, of: &Essentials<'t>) -> (Party, &'t [u8]) {
        (self.author(), self.callee_tag(of))
    }

    /// Who wrote it.
    fn author(&self) -> Party {
        if self.by == Party::Caller { Party::Callee } else { Party::Caller }
    }
}

enum Verdict {
    Pass,
    Refuse,
    HangUp(Cut),
}
