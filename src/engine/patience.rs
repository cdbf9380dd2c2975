//! The patience of an emergency call (P-23). A hop it leaves behind without a final word keeps its INVITE: whatever comes
//! of that counts as any hop's, and no failure goes back while one is open (RFC 3261 section 16.7, steps 5 and 6).

use std::sync::Arc;

use bytes::Bytes;
use emcc_policies::moment::Moment;
use smallvec::SmallVec;

use super::Turn;
use super::call::{Best, Call, Phase, Told};
use super::decide::{Decision, Next};
use super::effects::{CallKey, Hint, TransactionKey};
use super::ending::Cut;
use super::hunt::Failure;
use super::probe::address_of;
use super::reject::{Refusal, Reject};
use crate::config::plan::Neighbour;
use crate::limits::{
    EARLY_DIALOGS_MAX, EMERGENCY_LOOK_MS, EMERGENCY_NAMES_LOOK_MS, EMERGENCY_OPEN_MAX, EMERGENCY_TRUNK_TRYING_MS,
    EMERGENCY_TRYING_MS,
};
use crate::neighbour::{Address, Flow};
use crate::sip::Essentials;
use crate::transaction::LIFETIME_MS;
use crate::transaction::client_invite;
use crate::transaction::row::{Cancel, Machine};

/// Tries of one call that are open beside each other without a list on the heap.
const OPEN_INLINE: usize = 4;

/// Tries of a call, taken out of its row.
pub(crate) type Tries = SmallVec<[TransactionKey; OPEN_INLINE]>;

/// A hop the call went on from, whose INVITE still waits for its final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its transaction.
    pub client: TransactionKey,
    /// Its place in the order of hops.
    pub hop: usize,
    /// Whether it was told a location of ours.
    pub place: Told,
    /// It rings, or did.
    pub rang: bool,
    /// It spoke, and was found dead or restarted since.
    pub is_lost: bool,
}

/// A hop that is tried again once nothing else is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Its place in the order of hops.
    pub hop: usize,
    /// It had spoken before; the others could not be reached at all.
    pub was_lost: bool,
}

/// What an emergency call keeps in mind while it hunts; other calls have none.
#[derive(Clone, Debug)]
pub struct Patience {
    /// When the present hop was tried.
    pub tried_at: Moment,
    /// When its hops are looked at next.
    pub looks_at: Moment,
    /// At most two a hop: with our location and without.
    open: SmallVec<[Open; OPEN_INLINE]>,
    /// Hops that refused the location of ours when the call had gone on already: each is tried once more without (G-17).
    again: SmallVec<[usize; OPEN_INLINE]>,
    /// Hops whose process may be starting again, each once.
    missed: SmallVec<[Missed; OPEN_INLINE]>,
    /// The one of them that is tried again now.
    knocking: Option<Missed>,
    /// When it was last noticed that the hop it was at is dead.
    lost_at: Option<Moment>,
    /// Early dialogs: the hash of the tag of whoever said more than 100, and the try it came by. With several tries open a
    /// PRACK has to find its own (RFC 3262 section 4). At most [`EARLY_DIALOGS_MAX`].
    dialogs: SmallVec<[(u64, TransactionKey); OPEN_INLINE]>,
}

impl Patience {
    /// That of a call which begins at `now`; without a way it looks sooner.
    #[must_use]
    pub fn new(now: Moment, has_way: bool) -> Self {
        let looks_at = now.plus_ms(if has_way { EMERGENCY_LOOK_MS } else { EMERGENCY_NAMES_LOOK_MS });
        Self {
            tried_at: now,
            looks_at,
            open: SmallVec::new(),
            again: SmallVec::new(),
            missed: SmallVec::new(),
            knocking: None,
            lost_at: None,
            dialogs: SmallVec::new(),
        }
    }

    /// Keeps the INVITE of a hop open.
    pub fn keep(&mut self, open: Open) {
        self.open.push(open);
    }

    /// Whether an INVITE is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Takes a try that is over out of the open ones.
    pub fn close(&mut self, client: TransactionKey) -> Option<Open> {
        let at = self.open.iter().position(|open| open.client == client)?;
        Some(self.open.remove(at))
    }

    /// Notes by which try an early dialog came.
    pub fn note_dialog(&mut self, tag_hash: u64, client: TransactionKey) {
        if let Some((_, of)) = self.dialogs.iter_mut().find(|(known, _)| *known == tag_hash) {
            *of = client;
        } else if self.dialogs.len() < EARLY_DIALOGS_MAX {
            self.dialogs.push((tag_hash, client));
        }
    }

    /// Notes a hop that is to be tried again without our location when the others are through.
    pub fn note_again(&mut self, hop: usize) {
        self.again.push(hop);
    }

    /// The next hop to be tried again.
    pub fn take_again(&mut self) -> Option<usize> {
        self.again.pop()
    }

    /// Whether a hop is to be tried again.
    #[must_use]
    pub fn has_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// The hop that failed: `last`, unless one was tried again.
    pub fn tried(&mut self, last: usize) -> Missed {
        self.knocking.take().unwrap_or(Missed { hop: last, was_lost: false })
    }

    /// Notes a hop that is to be tried again.
    pub fn note_missed(&mut self, missed: Missed) {
        if self.missed.iter().all(|known| known.hop != missed.hop) {
            self.missed.push(missed);
        }
    }

    /// Notes that the hop it was at was found dead.
    pub fn note_lost(&mut self, hop: usize, at: Moment) {
        self.lost_at = Some(at);
        self.note_missed(Missed { hop, was_lost: true });
    }

    /// Whether a hop that had spoken was found dead.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.lost_at.is_some()
    }

    /// Whether a hop that was dead or could not be reached is to be tried again.
    #[must_use]
    pub fn has_missed(&self) -> bool {
        !self.missed.is_empty()
    }

    /// Open tries that have not rung, at hops that are not known to be dead since they spoke.
    pub fn quiet(&self) -> impl Iterator<Item = TransactionKey> {
        self.open.iter().filter(|open| !open.rang && !open.is_lost).map(|open| open.client)
    }

    /// Its open tries.
    pub fn clients(&self) -> impl Iterator<Item = TransactionKey> {
        self.open.iter().map(|open| open.client)
    }
}

impl Call {
    /// Every try that may still be answered: the present one, and those left open.
    pub fn tries(&self) -> impl Iterator<Item = TransactionKey> {
        self.client.into_iter().chain(self.patience.iter().flat_map(|patience| patience.clients()))
    }

    /// The try that a request in the early dialog with that tag belongs to: its own while that is open, else the present one.
    pub fn try_of(&self, tag_hash: u64) -> Option<TransactionKey> {
        let known = self.patience.iter().flat_map(|patience| &patience.dialogs).find(|(known, _)| *known == tag_hash);
        let own = known.map(|(_, client)| *client).filter(|own| self.tries().any(|client| client == *own));
        own.or_else(|| self.tries().next())
    }

    /// Its caller gives it up: it tries nothing else. `None` where it does not hunt.
    fn give_up(&mut self) -> Option<GivenUp> {
        if self.phase != Phase::Hunting {
            return None;
        }
        self.cancelled = true;
        let tries = self.tries().collect();
        let is_patient = self.patience.take().is_some();
        Some(GivenUp { tries, waits: is_patient && self.client.is_none(), is_patient })
    }

    /// One of its tries rings.
    pub fn rang(&mut self, client: TransactionKey) {
        self.alerted |= self.client == Some(client);
        let open = self.patience.iter_mut().flat_map(|patience| &mut patience.open);
        open.filter(|open| open.client == client).for_each(|open| open.rang = true);
    }

    /// The same hop is tried once more: `tried`, if that was one tried again.
    pub(super) fn tries_again(&mut self, tried: Option<Missed>) {
        if let Some(patience) = &mut self.patience {
            patience.knocking = tried;
        }
    }

    /// Hops found dead that are to be tried again, each with its place and its address.
    fn lost(&self) -> SmallVec<[(usize, Address); OPEN_INLINE]> {
        let missed = self.patience.iter().flat_map(|patience| &patience.missed).filter(|missed| missed.was_lost);
        missed.filter_map(|Missed { hop, .. }| Some((*hop, self.decision.next_hops.get(*hop)?.address))).collect()
    }

    /// Whether it waits for a name to lead to an address: it hunts, is an emergency, and knows ways that have none.
    #[must_use]
    pub fn waits_for_names(&self) -> bool {
        self.phase == Phase::Hunting && !self.cancelled && self.decision.nameless.is_some()
    }

    /// Takes in what was found of the ways that had no address: hops at the end of its own, and ways that still have none.
    fn take_in(&mut self, found: Decision) {
        let decision = Arc::make_mut(&mut self.decision);
        let is_same_try = |a: &Next, b: &Next| a.address == b.address && a.called == b.called;
        for hop in found.next_hops {
            if !decision.next_hops.iter().any(|known| is_same_try(known, &hop)) {
                decision.next_hops.push(hop);
            }
        }
        decision.nameless = found.nameless;
        decision.trail = found.trail;
    }

    /// What an emergency call does that waits for a hop it missed, or for one to have an address: it goes to one that has it
    /// now, tries the one that was tried longest ago again, or gives up when a silent one would be given up. While an INVITE is open a hop that spoke before is tried later too,
    /// unless it is among those that are `down`.
    fn knock(&mut self, now: Moment, down: &[usize]) -> Knock {
        let may_knock = self.phase == Phase::Hunting && !self.cancelled && self.client.is_none();
        if may_knock && let Some(next) = self.advance() {
            return Knock::Try(next);
        }
        let is_unanswered = self.is_unanswered();
        let (was_tried, waits_for_names) = (self.next > 0, self.waits_for_names());
        let may_knock = |patience: &Patience| may_knock && (patience.has_missed() || waits_for_names);
        let Some(patience) = self.patience.as_deref_mut().filter(|patience| may_knock(patience)) else {
            return Knock::Nothing;
        };
        let since = patience.lost_at.map_or(self.began, |lost_at| lost_at.max(self.began));
        let is_late = now.since_ms(since) >= LIFETIME_MS;
        if is_late && !patience.is_open() {
            patience.missed.clear();
            return if was_tried { Knock::Over(self.best.take()) } else { Knock::NoWay };
        }
        patience.missed.retain(|missed| missed.was_lost || !is_late);
        let may_try = |missed: &Missed| !missed.was_lost || is_unanswered && !(is_late && down.contains(&missed.hop));
        let Some(at) = patience.missed.iter().position(may_try) else { return Knock::Nothing };
        let missed = patience.missed.remove(at);
        patience.knocking = Some(missed);
        patience.tried_at = now;
        self.alerted = false;
        // The try of another hop may have gone without.
        self.place = Told::Nothing;
        self.decision.next_hops.get(missed.hop).map_or(Knock::Nothing, |hop| Knock::Try(*hop))
    }

    /// Whether the time to look at its hops has come; plans the next look.
    pub fn looks(&mut self, now: Moment) -> bool {
        let Some(patience) = self.patience.as_mut().filter(|patience| patience.looks_at <= now) else { return false };
        let has_way = !self.decision.next_hops.is_empty();
        patience.looks_at = now.plus_ms(if has_way { EMERGENCY_LOOK_MS } else { EMERGENCY_NAMES_LOOK_MS });
        true
    }
}

/// A call its caller gave up.
struct GivenUp {
    /// Its tries.
    tries: Tries,
    /// None was at work, so that nobody will report its end.
    waits: bool,
    /// It is an emergency call.
    is_patient: bool,
}

/// What becomes of a call none of whose hops is at work and some could not be reached.
enum Knock {
    Try(Next),
    Over(Option<Box<Best>>),
    NoWay,
    Nothing,
}

/// What a look finds.
enum Looked {
    /// A hop at work, tried at that moment; whether another one is next.
    At { client: TransactionKey, tried_at: Moment, rang: bool, has_next: bool },
    /// None at work; these were left open and have not rung.
    Waits(Tries),
}

impl Turn<'_> {
    /// The caller gave the call up while it hunts: nothing else is tried, and every try is cancelled. `server` is the
    /// INVITE it is about. `false` where that call does not hunt.
    pub(crate) fn give_up(&mut self, key: CallKey, server: TransactionKey, reason: &Bytes) -> bool {
        let given_up =
            self.engine.calls.with(&key, |call| if call.server == server { call.give_up() } else { None }).flatten();
        let Some(GivenUp { tries, waits, .. }) = given_up else { return false };
        for client in tries {
            self.cancel_client(client, reason.clone());
        }
        if waits {
            self.fail_with(key, Reject::Refusal(Refusal::Cancelled));
        }
        true
    }

    /// The caller ends an early dialog with BYE (RFC 3261 section 15): no pass of its call tries anything else. The BYE
    /// itself ends the try it goes to; others that an emergency call has open are cancelled.
    pub(crate) fn hangs_up_early(&mut self, of: &Essentials<'_>, to: Flow) {
        for pass in 0..self.passes() {
            let key = self.call_key(of.call_id, of.from_tag, pass);
            let given_up = self.engine.calls.with(&key, Call::give_up).flatten();
            let Some(GivenUp { tries, waits, is_patient: true }) = given_up else { continue };
            for client in tries {
                if self.engine.transactions.with(&client, |row| row.flow.remote == to.remote) == Some(true) {
                    // Should its INVITE get no final response all the same.
                    self.bound(client, LIFETIME_MS);
                } else {
                    self.cancel_client(client, Bytes::from_static(Cut::CallerGone.reason().as_bytes()));
                }
            }
            if waits {
                self.fail_with(key, Reject::Refusal(Refusal::Cancelled));
            }
        }
    }

    /// A look at the hops of an emergency call that hunts. One that says no more than 100 for long, or spoke and is known to
    /// be dead or restarted since, is left for the next one, its INVITE open all the same; where there is none, a dead or
    /// restarted one is asked again. One that is down and has not rung is waited for no longer when no other is at work. What probes know of a hop that was down before it was tried says nothing: it may answer no probe at all.
    pub(crate) fn look(&mut self, key: CallKey) {
        let looked = self.engine.calls.with(&key, |call| {
            let patience = call.patience.as_ref().filter(|_| call.phase == Phase::Hunting && !call.cancelled)?;
            let has_next = call.next < call.decision.next_hops.len() || patience.has_again();
            match call.client {
                Some(client) if has_next || call.is_unanswered() && patience.open.len() < EMERGENCY_OPEN_MAX => {
                    Some(Looked::At { client, tried_at: patience.tried_at, rang: call.alerted, has_next })
                }
                Some(_) => None,
                None => Some(Looked::Waits(patience.quiet().collect())),
            }
        });
        match looked.flatten() {
            Some(Looked::At { client, tried_at, rang, has_next }) => {
                let Some((flow, is_cut)) = self.proceeding(client) else { return };
                let lost_at = self.went_down(flow).max(self.restarted_at(flow));
                // Another node tells itself when it is a new one; a gateway whose stream ends may be.
                let is_lost = lost_at.is_some_and(|since| since > tried_at) || is_cut && !self.is_trunk(flow);
                if !has_next {
                    // However long it has rung: a late answer of whoever was there before still takes the call.
                    if is_lost {
                        self.after(key, client, Failure::Lost(self.now.moment), None);
                    }
                    return;
                }
                // Of who is no neighbour any more nothing is known: it may have been taken away because it is dead.
                let is_gone = self.running.plan.neighbour(flow.transport, flow.remote).is_none();
                let trying_ms = if self.is_trunk(flow) { EMERGENCY_TRUNK_TRYING_MS } else { EMERGENCY_TRYING_MS };
                let is_slow = !rang && self.now.moment.since_ms(tried_at) >= trying_ms;
                if is_lost || is_gone || is_slow {
                    if rang {
                        // No ringing is too long (P-23), but nobody may be there any more: the next word sets it anew.
                        self.bound(client, self.running.plan.sip.ring_ms);
                    }
                    let failure = if is_lost { Failure::Lost(self.now.moment) } else { Failure::Overtaken };
                    self.after(key, client, failure, None);
                }
            }
            Some(Looked::Waits(quiet)) => {
                for client in quiet {
                    let flow = self.engine.transactions.with(&client, |row| row.flow);
                    if flow.is_some_and(|flow| self.down_since(flow).is_some()) {
                        self.cancel_client(client, Bytes::from_static(Cut::HopSilent.reason().as_bytes()));
                        self.after(key, client, Failure::Silent, None);
                    }
                }
            }
            None => {}
        }
    }

    /// Looks for addresses of ways of an emergency call that had none, and has their names looked up again.
    pub(crate) fn find_ways(&mut self, key: CallKey) {
        let waits =
            |call: &mut Call| call.waits_for_names().then(|| (call.plan.clone(), Decision::clone(&call.decision)));
        let Some(Some((plan, mut found))) = self.engine.calls.with(&key, waits) else { return };
        self.engine.want_names();
        found.next_hops.clear();
        if found.find(&plan, &self.running.plan) {
            self.order(&mut found);
            self.engine.calls.with(&key, |call| call.take_in(found));
        }
    }

    /// Tries a hop of an emergency call again that was lost or could not be reached, where none is at work: a gateway whose
    /// process starts again refuses for a moment, and is asked for as long as a silent one.
    pub(crate) fn knock(&mut self, key: CallKey) {
        let now = self.now.moment;
        let lost = self.engine.calls.with(&key, |call| call.lost()).unwrap_or_default();
        let is_down = |(hop, address): (usize, Address)| self.running.watches.is_down(address).then_some(hop);
        let down: SmallVec<[usize; OPEN_INLINE]> = lost.into_iter().filter_map(is_down).collect();
        match self.engine.calls.with(&key, |call| call.knock(now, &down)) {
            Some(Knock::Try(next)) => self.hunt(key, next),
            Some(Knock::Over(best)) => self.fail(key, best),
            Some(Knock::NoWay) => self.fail_with(key, Reject::Refusal(Refusal::NoMember)),
            Some(Knock::Nothing) | None => {}
        }
    }

    /// Where a try went that said something, nothing final, and was not cancelled; and whether its stream was ended there.
    fn proceeding(&self, client: TransactionKey) -> Option<(Flow, bool)> {
        let proceeding = Machine::ClientInvite(client_invite::State::Proceeding);
        let row = self.engine.transactions.with(&client, |row| {
            (row.machine == proceeding && row.cancel == Cancel::No).then_some((row.flow, row.is_cut))
        });
        row.flatten()
    }

    /// Whether another node of this kind is there, which hunts itself.
    pub(crate) fn is_trunk(&self, flow: Flow) -> bool {
        matches!(self.running.plan.neighbour(flow.transport, flow.remote), Some(Neighbour::Remote { .. }))
    }

    /// When the remote cluster at the end of a way was last found restarted: nobody there knows of what it was asked before.
    fn restarted_at(&self, flow: Flow) -> Option<Moment> {
        match self.running.plan.neighbour(flow.transport, flow.remote)? {
            Neighbour::Remote { cluster, .. } => self.engine.links.restarted_at(self.running.slot(cluster)?),
            _ => None,
        }
    }

    /// When it went down last, be it up again: nobody there knows of what it was asked before, or not for certain.
    fn went_down(&self, flow: Flow) -> Option<Moment> {
        self.running.watches.went_down(address_of(flow))
    }

    fn down_since(&self, flow: Flow) -> Option<Moment> {
        self.engine.is_any_unwell().then(|| self.running.watches.down_since(address_of(flow))).flatten()
    }

    /// A try that has said something is cancelled in so many milliseconds unless it says another word.
    fn bound(&mut self, client: TransactionKey, ms: u64) {
        let now = self.now.moment;
        let hint = self.engine.transactions.with(&client, |row| {
            let speaks = row.machine == Machine::ClientInvite(client_invite::State::Proceeding);
            speaks.then(|| row.timing.wait(now, ms)).and_then(|()| row.timing.arm())
        });
        if let Some(Some(at)) = hint {
            self.effects.hints.push((at, Hint::Transaction(client)));
        }
    }

    /// Cancels what an emergency call left open, once that is over or answered by `winner`.
    pub(crate) fn close_open(
        &mut self,
        left: Option<Box<Patience>>,
        winner: Option<TransactionKey>,
        reason: &'static str,
    ) {
        for client in left.iter().flat_map(|left| left.clients()).filter(|client| Some(*client) != winner) {
            self.cancel_client(client, Bytes::from_static(reason.as_bytes()));
        }
    }
}
