//! Deadlines: hints that came due and sends that failed.

use super::Turn;
use super::call::{Call, Phase};
use super::effects::{CallKey, Hint, StreamEnd, TransactionKey};
use super::ending::Cut;
use super::hunt::Failure;
use super::link::Beat;
use super::media::Body;
use super::reject::{Refusal, Reject};
use super::session::NEVER;
use super::trust::Crossing;
use crate::limits::{ADJUST_AFTER_MS, CALL_MS_MAX};
use crate::sip::{essentials_of_taken, scan};
use crate::transaction::row::{Cancel, Machine, Purpose, Row};
use crate::transaction::{LIFETIME_MS, T2_MS, client, client_invite, server, server_invite};
use bytes::Bytes;
use emcc_policies::moment::Moment;

use crate::neighbour::Flow;

/// What a transaction's deadline asks for.
enum Due {
    Nothing,
    Resend(Flow, Bytes),
    Report(Box<Lost>),
}

/// A client transaction that will not hear any more.
struct Lost {
    failure: Failure,
    server: Option<TransactionKey>,
    call: Option<CallKey>,
    purpose: Purpose,
    request: Bytes,
    flow: Flow,
    must_cancel: bool,
    /// Whether its sender had taken it back.
    is_cancelled: bool,
}

impl Turn<'_> {
    /// A hint of the wheel.
    pub(crate) fn due(&mut self, hint: Hint) {
        match hint {
            Hint::Transaction(key) => self.transaction_due(key),
            Hint::Call(key) => self.call_due(key),
            Hint::Registered(key) => self.registered_due(key),
            Hint::Link(slot) => {
                let (beat, next) = self.engine.links.beat(slot, self.now.moment);
                if let Some(at) = next {
                    self.effects.hints.push((at, Hint::Link(slot)));
                }
                match beat {
                    Beat::Rest => {}
                    Beat::Send { turn } => self.send_keepalive(slot, turn),
                    Beat::Lost(released) => self.link_lost(slot, released),
                }
            }
        }
    }

    fn transaction_due(&mut self, key: TransactionKey) {
        let (now, no_response_ms) = (self.now.moment, self.running.plan.sip.no_response_ms);
        let due = self.engine.transactions.with(&key, |row| {
            row.timing.armed = None;
            let due = if row.timing.next() > now { Due::Nothing } else { expire(row, now, no_response_ms) };
            let hint = if row.is_gone() { None } else { row.timing.arm() };
            (due, hint, row.is_gone())
        });
        let Some((due, hint, is_gone)) = due else { return };
        if is_gone {
            self.engine.transactions.remove_if(&key, Row::is_gone);
        }
        if let Some(at) = hint {
            self.effects.hints.push((at, Hint::Transaction(key)));
        }
        match due {
            Due::Nothing => {}
            Due::Resend(flow, bytes) => {
                self.engine.counters.retransmission_sent();
                self.effects.send_copy(flow, &bytes, Some(key));
            }
            Due::Report(lost) => self.lost(key, &lost),
        }
    }

    /// A send that could not be made.
    pub(crate) fn failed(&mut self, key: TransactionKey) {
        let now = self.now.moment;
        let lost = self.engine.transactions.with(&key, |row| {
            let report = match row.machine {
                Machine::ClientInvite(state) => {
                    let (next, act) = client_invite::step(state, client_invite::Event::Unreachable);
                    row.machine = Machine::ClientInvite(next);
                    act == client_invite::Act::ReportUnreachable
                }
                Machine::Client(state) => {
                    let (next, act) = client::step(state, client::Event::Unreachable);
                    row.machine = Machine::Client(next);
                    act == client::Act::ReportTimeout
                }
                Machine::ServerInvite(_) | Machine::Server(_) => false,
            };
            row.timing.wait(now, 0);
            report.then(|| report_of(row, Failure::Unreachable, false))
        });
        self.engine.transactions.remove_if(&key, Row::is_gone);
        if let Some(Some(lost)) = lost {
            self.lost(key, &lost);
        }
    }

    /// The stream that a message went by has ended. A request that nothing was heard of goes out once more, by another: an
    /// idle stream may be closed from the other end at the moment it is used again, and a hop that did read it knows the
    /// copy by its branch. When that one breaks as well, a hop is not waited for any longer. What one that was heard of meant by it, an
    /// emergency call asks when it looks at it.
    pub(crate) fn stream_ended(&mut self, key: TransactionKey, end: StreamEnd) {
        enum Then {
            Again(Flow, Bytes),
            NotSent,
            GoesOn,
            Waits,
        }
        let now = self.now.moment;
        let then = self.engine.transactions.with(&key, |row| {
            let is_unheard = matches!(
                row.machine,
                Machine::ClientInvite(client_invite::State::Calling) | Machine::Client(client::State::Trying)
            );
            if is_unheard && row.cancel == Cancel::No && !row.is_sent_again {
                row.is_sent_again = true;
                return Then::Again(row.flow, row.request.clone());
            }
            row.is_cut |= end == StreamEnd::Theirs;
            if end == StreamEnd::Unwritten {
                return Then::NotSent;
            }
            let is_hop = row.purpose == Purpose::Hunt && is_unheard;
            if is_hop {
                row.timing.wait(now, 0);
            }
            if is_hop { Then::GoesOn } else { Then::Waits }
        });
        match then {
            Some(Then::Again(flow, request)) => {
                self.engine.counters.retransmission_sent();
                self.effects.send_copy(flow, &request, Some(key));
            }
            Some(Then::NotSent) => self.failed(key),
            Some(Then::GoesOn) => self.transaction_due(key),
            Some(Then::Waits) | None => {}
        }
    }

    fn lost(&mut self, key: TransactionKey, lost: &Lost) {
        if lost.must_cancel {
            self.send_cancel(lost.flow, &lost.request, Cut::RangTooLong.reason().as_bytes());
        }
        self.unanswered_by(lost.flow, lost.purpose, lost.failure);
        match (lost.purpose, lost.call) {
            (Purpose::Hunt, Some(call)) => {
                self.after(call, key, lost.failure, None);
            }
            (Purpose::Register { place, .. }, _) => {
                let goes_on = self.register_elsewhere(lost.server, place, lost.failure);
                if !goes_on {
                    self.answer_for(lost);
                }
            }
            (Purpose::Pass, call) => {
                self.settle_as_before(call);
                self.answer_for(lost);
            }
            // RFC 4320 section 4.2: nobody waits for a 408 to a BYE; but the call is over all the same.
            (Purpose::PassBye, Some(_)) => {
                let mut index = self.desk.index.take().unwrap_or_default();
                if let Ok(message) = scan(&lost.request, &mut index)
                    && let Ok(of) = essentials_of_taken(&message)
                {
                    self.bye_done(&of);
                }
                self.desk.index = Some(index);
                self.answer_for(lost);
            }
            _ => {}
        }
    }

    /// Tells the sender of a request inside a call that the next hop did not answer. A silent hop is told of an INVITE
    /// only: a 408 to anything else comes when its sender gave up already (RFC 4320 section 4.2). One that its sender
    /// cancelled is 487.
    fn answer_for(&mut self, lost: &Lost) {
        let Some(server) = lost.server else { return };
        if lost.failure == Failure::Unreachable && !lost.is_cancelled {
            return self.answer_unreachable(server, lost);
        }
        let invite = self.engine.transactions.with(&server, |row| match row.machine {
            Machine::ServerInvite(_) => Some((row.request.clone(), row.flow)),
            _ => None,
        });
        let Some(Some((invite, flow))) = invite else { return };
        let mut index = self.desk.index.take().unwrap_or_default();
        // At a 408 its sender would end the whole dialog (RFC 3261 section 12.2.1.2), and this it did not ask for.
        let why = Reject::Refusal(if lost.is_cancelled { Refusal::Cancelled } else { Refusal::NextHopSilent });
        if let Ok(message) = scan(&invite, &mut index)
            && let Some(range) = self.write_refusal(flow, &message, why)
        {
            self.respond(server, why.answer().status, range);
        }
        self.desk.index = Some(index);
    }

    /// A next hop that cannot be reached at all counts as one that answered 503 (RFC 3261 section 16.9). The refusal is
    /// made of the request as it was sent, so our own Via comes off again.
    fn answer_unreachable(&mut self, server: TransactionKey, lost: &Lost) {
        // The answer is for who asked: how long it may be is that address's matter, not the next hop's.
        let Some(caller) = self.engine.transactions.with(&server, |row| row.flow) else { return };
        let why = Reject::Refusal(Refusal::EveryHopFailed);
        let mut index = self.desk.index.take().unwrap_or_default();
        let refusal = scan(&lost.request, &mut index)
            .ok()
            .and_then(|message| self.write_refusal(caller, &message, why))
            .and_then(|range| self.effects.arena.get(range).map(<[u8]>::to_vec));
        if let Some(refusal) = refusal
            && let Ok(message) = scan(&refusal, &mut index)
            && let Some(range) = self.write_back(&message, why.answer().status, &Body::None, None, Crossing::FREE)
        {
            self.respond(server, why.answer().status, range);
        }
        self.desk.index = Some(index);
    }

    fn call_due(&mut self, key: CallKey) {
        enum What {
            Nothing,
            Adjust,
            Retry,
            Look,
            End(Phase),
            Expired {
                is_emergency: bool,
            },
            /// An answered emergency call.
            Unacknowledged,
        }
        let now = self.now.moment;
        let text = &mut self.desk.text;
        let what = self.engine.calls.with(&key, |call: &mut Call| {
            call.armed = None;
            if call.settles_at.is_some_and(|at| at <= now) {
                call.settles_at = None;
                call.settle(text);
            }
            if call.ends_at <= now && call.phase == Phase::Answered && call.decision.emergency {
                // Its ACK may have taken another way. It stands until its parties end it, or no call may stand longer.
                call.phase = Phase::Standing;
                call.ends_at = now.plus_ms(CALL_MS_MAX);
                return (What::Unacknowledged, call.arm());
            }
            if call.ends_at <= now {
                return (What::End(call.phase), None);
            }
            if call.session_ends_at <= now {
                call.session_ends_at = NEVER;
                return (What::Expired { is_emergency: call.decision.emergency }, call.arm());
            }
            let what = if call.adjust_at.is_some_and(|at| at <= now) {
                call.adjust_at = None;
                What::Adjust
            } else if call.retry_at.is_some_and(|at| at <= now) {
                call.plan_retry(now);
                What::Retry
            } else if call.looks(now) {
                What::Look
            } else {
                What::Nothing
            };
            (what, call.arm())
        });
        let Some((what, hint)) = what else { return };
        if let Some(at) = hint {
            self.effects.hints.push((at, Hint::Call(key)));
        }
        match what {
            What::Nothing => {}
            What::Adjust => self.adjust(key),
            What::Retry => self.retry(key),
            What::Look => {
                self.find_ways(key);
                self.look(key);
                self.knock(key);
            }
            What::End(Phase::Hunting) => {
                let client = self.engine.calls.with(&key, |call| call.client).flatten();
                if let Some(client) = client {
                    self.cancel_client(client, Bytes::from_static(Cut::RangTooLong.reason().as_bytes()));
                }
                self.fail_with(key, Reject::Refusal(Refusal::EveryHopFailed));
            }
            What::Unacknowledged => self.alarm_of("emergency call whose answer nobody acknowledged goes on", key),
            What::Expired { is_emergency: true } => {
                self.alarm_of("emergency call whose session nobody refreshed goes on", key);
            }
            What::Expired { is_emergency: false } => self.end_both(key, Cut::SessionExpired),
            What::End(Phase::Answered) => self.end_both(key, Cut::NobodyAcknowledged),
            What::End(_) => self.end_both(key, Cut::StoodTooLong),
        }
    }

    /// The answer's rate in place of the worst case, one second after the answer (V-18).
    fn adjust(&mut self, key: CallKey) {
        let lent = self.engine.calls.with(&key, |call| Some((call.answered?, call.lend()?))).flatten();
        let Some((to, (slot, mut held))) = lent else { return };
        let is_current = self.engine.links.is_current(slot, &held);
        if is_current {
            let adjusted = self.engine.links.adjust(slot, &mut held, to).is_ok();
            self.engine.counters.admission_adjusted(adjusted);
        }
        self.return_booking(key, slot, held);
    }

    /// Asks again for what a lost peer cost (V-6, V-10).
    fn retry(&mut self, key: CallKey) {
        let lent = self.engine.calls.with(&key, |call| Some((call.answered?, call.lend()?))).flatten();
        let Some((to, (slot, mut held))) = lent else { return };
        if let Some(Ok(_)) = self.engine.links.retry(slot, &mut held, to, self.now.moment) {
            self.engine.counters.admission_granted(true);
        }
        if let Some(at) = self.engine.links.arm(slot) {
            self.effects.hints.push((at, Hint::Link(slot)));
        }
        self.return_booking(key, slot, held);
    }

    /// Puts a lent booking back into its call; when the call is gone, or wants it released, to the link.
    pub(crate) fn return_booking(&mut self, key: CallKey, slot: u16, held: emcc_policies::admission::Held) {
        let mut held = Some(held);
        let back = self.engine.calls.with(&key, |call| held.take().and_then(|held| call.put_back(slot, held)));
        match back {
            Some(release) => self.give_back(release),
            None => self.give_back(held.map(|held| (slot, held))),
        }
    }
}

impl Call {
    /// Plans the next look at whether a lost booking can be had again.
    pub(crate) fn plan_retry(&mut self, now: Moment) {
        let retry_ms = u64::from(self.plan.rsvp.retry_s) * 1_000;
        self.retry_at =
            (retry_ms > 0 && self.decision.link.is_some()).then(|| now.plus_ms(retry_ms.max(ADJUST_AFTER_MS)));
    }
}

/// Steps a row whose deadline came. `no_response_ms` is how long a next hop may say nothing.
fn expire(row: &mut Row, now: Moment, no_response_ms: u64) -> Due {
    let resend_due = row.timing.resend_at.is_some_and(|at| at <= now) && row.timing.ends_at > now;
    let before = row.machine;
    let due = match row.machine {
        Machine::ServerInvite(state) => {
            use server_invite::{Act, Event, State};
            let event = match (resend_due, state) {
                (true, _) => Event::TimerG,
                (_, State::Accepted) => Event::TimerL,
                (_, State::Confirmed) => Event::TimerI,
                _ => Event::TimerH,
            };
            let (next, act) = server_invite::step(state, event);
            // A row that never got its final response is of a call whose other half was lost: it ends here.
            let next = if state == State::Proceeding && !resend_due { State::Gone } else { next };
            row.machine = Machine::ServerInvite(next);
            if act == Act::Resend { Due::Resend(row.flow, row.response.clone()) } else { Due::Nothing }
        }
        Machine::Server(state) => {
            use server::{Event, State};
            let event = if state == State::Completed { Event::TimerJ } else { Event::Timeout };
            row.machine = Machine::Server(server::step(state, event).0);
            Due::Nothing
        }
        Machine::ClientInvite(state) => {
            let due = client_invite_expires(row, state, resend_due);
            if row.machine == Machine::ClientInvite(client_invite::State::Overdue) && row.machine != before {
                // What is left of Timer B.
                row.timing.ends_at = now.plus_ms(LIFETIME_MS.saturating_sub(no_response_ms));
            }
            due
        }
        Machine::Client(state) => {
            use client::{Act, Event, State};
            let event = match (resend_due, state) {
                (true, _) => Event::TimerE,
                (_, State::Completed) => Event::TimerK,
                _ => Event::TimerF,
            };
            let (next, act) = client::step(state, event);
            row.machine = Machine::Client(next);
            match act {
                Act::Resend => Due::Resend(row.flow, row.request.clone()),
                Act::ReportTimeout => Due::Report(Box::new(report_of(row, Failure::Silent, false))),
                _ => Due::Nothing,
            }
        }
    };
    if row.machine != before {
        row.enter(now);
    }
    if resend_due {
        let is_doubling_freely = matches!(row.machine, Machine::ClientInvite(_));
        row.timing.repeat(now, if is_doubling_freely { u64::MAX / 2 } else { T2_MS });
    }
    due
}

fn client_invite_expires(row: &mut Row, state: client_invite::State, resend_due: bool) -> Due {
    use client_invite::{Act, Event, State};
    let event = match (resend_due, state) {
        (true, _) => Event::TimerA,
        (_, State::Calling) if row.is_patient && row.cancel == Cancel::No => Event::Overdue,
        (_, State::Calling | State::Overdue) => Event::Silence,
        (_, State::Proceeding) => Event::TimerC,
        _ => Event::End,
    };
    let (next, act) = client_invite::step(state, event);
    row.machine = Machine::ClientInvite(next);
    match act {
        Act::Resend => Due::Resend(row.flow, row.request.clone()),
        Act::ReportSilence => Due::Report(Box::new(report_of(row, Failure::Silent, false))),
        Act::ReportTimerC => {
            // Ringing too long: cancelled now. After a CANCEL that nobody heeded: just over.
            let must_cancel = row.cancel != Cancel::Sent;
            row.cancel = Cancel::Sent;
            Due::Report(Box::new(report_of(row, Failure::RangTooLong, must_cancel)))
        }
        _ => Due::Nothing,
    }
}

fn report_of(row: &Row, failure: Failure, must_cancel: bool) -> Lost {
    Lost {
        failure,
        server: row.partner,
        call: row.call,
        purpose: row.purpose,
        request: row.request.clone(),
        flow: row.flow,
        must_cancel,
        is_cancelled: row.cancel != Cancel::No && !must_cancel,
    }
}

/// Branch and method of a request of ours that came back, as much of it as came.
pub(super) fn bounced_branch(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let method = payload.split(|octet| *octet == b' ').next()?;
    let at = memchr::memmem::find(payload, b";branch=")? + b";branch=".len();
    let rest = payload.get(at..)?;
    let end = rest.iter().position(|octet| matches!(octet, b';' | b',' | b'\r' | b'\n' | b' ')).unwrap_or(rest.len());
    Some((rest.get(..end)?, method))
}
