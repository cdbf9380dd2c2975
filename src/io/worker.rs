//! One worker: inputs go in, and after each batch everything they caused leaves.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use emcc_policies::moment::Moment;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::quarantine::Quarantine;
use super::stream::{Opening, Streams};
use super::tls::Tls;
use super::udp::{Backlog, Datagrams, Turnstile};
use super::{Clock, Driver, log};
use crate::engine::effects::{Effects, Hint, Input, Now, Send, StreamEnd, TransactionKey};
use crate::metrics::{Counters, DropReason};
use crate::neighbour::{Address, Flow, Transport};
use crate::sip::Malformed;
use crate::timer::{SLOT_MS, Wheel};

/// Rounds of "a send failed, the driver sends elsewhere" in one batch; more wait for the next slot.
const ROUNDS_MAX: usize = 8;
/// Deadlines worked on before what came meanwhile has its turn.
const DUE_A_TURN: usize = 32;
/// Longest time a line of the log waits to be written with others.
const LINES_WAIT_MS: u64 = 100;
/// More than this should not leave as a datagram when the path is not known (RFC 3261 section 18.1.1).
const LARGE_DATAGRAM_BYTES: usize = 1_300;
/// How often the driver may do what waits for no message.
const BEAT: Duration = Duration::from_secs(1);
/// A worker's scratch that replaces one lost in a panic draws its identifiers this far away.
const STREAM_STEP: u64 = 1 << 16;

/// What every worker of a node shares.
pub(super) struct Shared<D: Driver> {
    pub(super) driver: Arc<D>,
    pub(super) clock: Clock,
    pub(super) counters: Counters,
    pub(super) streams: Arc<Streams>,
    pub(super) quarantine: Quarantine,
    /// Where connections to be opened go: one queue a worker of streams.
    pub(super) openings: Box<[mpsc::Sender<Opening>]>,
    /// UDP sockets by listener; none where the listener is one of streams.
    pub(super) sockets: Box<[Option<Datagrams>]>,
    /// Who may read a UDP socket, by listener.
    pub(super) turnstiles: Box<[Turnstile]>,
    /// Local addresses by listener, as they were bound.
    pub(super) local: Vec<Address>,
    /// What connections over TLS need; none where no listener is one of TLS.
    pub(super) tls: Option<Tls>,
    /// Where the kernel keeps its accounts of threads and processors.
    pub(super) proc: PathBuf,
    pub(super) stopping: AtomicBool,
}

impl<D: Driver> Shared<D> {
    /// Whether the node is to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Ends every reader of datagrams, also one that waits in the kernel.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.sockets.iter().flatten().for_each(Datagrams::close);
        self.turnstiles.iter().for_each(Turnstile::ring);
    }
}

/// One worker thread's own.
pub(super) struct Worker<D: Driver> {
    pub(super) shared: Arc<Shared<D>>,
    state: RefCell<State<D>>,
    /// Until when the ticker sleeps: an earlier deadline wakes it. 0 where there is no ticker, or it is awake.
    sleeps_until: Cell<Moment>,
    wake: Notify,
}

/// What changes with every batch.
struct State<D: Driver> {
    scratch: D::Worker,
    /// Last stream the driver was asked for.
    stream: u64,
    wheel: Wheel<Hint>,
    due: VecDeque<Hint>,
    failed: Vec<TransactionKey>,
    backlogs: Vec<Backlog>,
    /// Calls whose lines are made together.
    ended: log::Ended,
    /// When the lines of calls are made and written.
    lines_at: Option<Moment>,
}

impl<D: Driver> Worker<D> {
    /// The worker of number `number`; called on its own thread.
    pub(super) fn new(shared: Arc<Shared<D>>, number: u64) -> Self {
        let state = State {
            scratch: shared.driver.worker(number),
            stream: number,
            wheel: Wheel::new(shared.clock.now().moment),
            due: VecDeque::new(),
            failed: Vec::new(),
            backlogs: shared.sockets.iter().map(|_| Backlog::default()).collect(),
            ended: log::Ended::default(),
            lines_at: None,
        };
        Self { shared, state: RefCell::new(state), sleeps_until: Cell::new(Moment(0)), wake: Notify::new() }
    }

    /// One batch: what `inputs` gives, then what is due, then everything leaves. The clock is read once; says what it
    /// showed.
    pub(super) fn turn(&self, inputs: impl FnOnce(&mut Feed<'_, D>)) -> Moment {
        let (now, wall_us) = self.shared.clock.read();
        let state = &mut *self.state.borrow_mut();
        inputs(&mut Feed { shared: &self.shared, state, now, wall_us });
        let mut due = mem::take(&mut state.due);
        state.wheel.turn(now.moment, |hint| due.push_back(hint));
        for hint in due.drain(..due.len().min(DUE_A_TURN)) {
            Feed { shared: &self.shared, state, now, wall_us: 0 }.input(Input::Due(hint));
        }
        state.due = due;
        self.retry_held(state, now);
        self.leave(state, now);
        for socket in self.shared.sockets.iter().flatten().filter(|socket| socket.has_bounces()) {
            socket.take_bounces(&mut Feed { shared: &self.shared, state, now, wall_us: 0 });
            self.leave(state, now);
        }
        if state.lines_at.is_some_and(|at| at <= now.moment) {
            state.lines_at = None;
            state.ended.make_lines();
            log::flush();
        }
        let sleeps_until = self.sleeps_until.get();
        if sleeps_until.0 > 0 && state.wait_ms(now.moment).is_some_and(|ms| now.moment.plus_ms(ms) < sleeps_until) {
            self.wake.notify_one();
        }
        now.moment
    }

    /// Whether deadlines that came wait for their turn.
    pub(super) fn is_late(&self) -> bool {
        !self.state.borrow().due.is_empty()
    }

    /// How long nothing is to be done unless something comes, milliseconds; `None`: for ever.
    pub(super) fn wait_ms(&self) -> Option<u64> {
        self.wait_ms_from(self.shared.clock.now().moment)
    }

    /// As [`Self::wait_ms`], from the last turn on.
    pub(super) fn wait_ms_from(&self, now: Moment) -> Option<u64> {
        self.state.borrow_mut().wait_ms(now)
    }

    /// Turns the wheel whenever something in it is due.
    pub(super) async fn tick(self: Rc<Self>) {
        loop {
            match self.wait_ms() {
                Some(ms) => {
                    self.sleeps_until.set(self.shared.clock.now().moment.plus_ms(ms));
                    let _ = timeout(Duration::from_millis(ms), self.wake.notified()).await;
                }
                None => {
                    self.sleeps_until.set(Moment(u64::MAX));
                    self.wake.notified().await;
                }
            }
            self.sleeps_until.set(Moment(0));
            self.turn(|_| ());
        }
    }

    /// Tells the driver of every second that passes. One worker does.
    pub(super) async fn beat(self: Rc<Self>) {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            self.turn(|feed| feed.input(Input::Beat));
        }
    }

    /// Ends every ordinary call, some in each turn, so that what comes meanwhile is served between them.
    pub(super) async fn end_calls(self: Rc<Self>) {
        let mut more = true;
        while more {
            self.turn(|feed| more = feed.end_calls());
            tokio::task::yield_now().await;
        }
    }

    /// Sends what waited for its socket; what never will leave fails.
    fn retry_held(&self, state: &mut State<D>, now: Now) {
        for (place, socket) in self.shared.sockets.iter().enumerate() {
            let (Some(socket), Some(backlog)) = (socket, state.backlogs.get_mut(place)) else { continue };
            if backlog.is_empty() {
                continue;
            }
            for key in backlog.shrink(socket, now.moment) {
                Feed { shared: &self.shared, state, now, wall_us: 0 }.not_sent(Transport::Udp, key);
            }
        }
    }

    /// Everything the batch caused, and what its failures cause in turn.
    fn leave(&self, state: &mut State<D>, now: Now) {
        for _ in 0..ROUNDS_MAX {
            let mut effects = mem::take(D::effects(&mut state.scratch));
            for (deadline, hint) in effects.hints.drain(..) {
                state.wheel.push(deadline, hint);
            }
            for note in effects.notes.drain(..) {
                if log::write(note, &mut state.ended) {
                    state.lines_at.get_or_insert(now.moment.plus_ms(LINES_WAIT_MS));
                }
            }
            effects.silences.iter().for_each(|silence| self.shared.streams.hang_up(*silence));
            self.send(&effects, state, now);
            effects.clear();
            *D::effects(&mut state.scratch) = effects;
            if state.failed.is_empty() {
                return;
            }
            let mut failed = mem::take(&mut state.failed);
            for key in failed.drain(..) {
                Feed { shared: &self.shared, state, now, wall_us: 0 }.input(Input::Failed(key));
            }
            // What failed while these were handled was put into the new list.
            mem::swap(&mut state.failed, &mut failed);
            state.failed.append(&mut failed);
        }
    }

    fn send(&self, effects: &Effects, state: &mut State<D>, now: Now) {
        let mut rest = effects.sends.as_slice();
        while let Some(first) = rest.first() {
            let flow = first.flow;
            let together = match flow.transport {
                Transport::Udp => rest
                    .iter()
                    .take_while(|send| send.flow.transport == Transport::Udp && send.flow.listener == flow.listener)
                    .count(),
                Transport::Tcp | Transport::Tls => 1,
            };
            let (run, after) = rest.split_at(together);
            rest = after;
            let listener = usize::from(flow.listener);
            let mut fails = |send: &Send| {
                self.shared.counters.send_failed(flow.transport);
                state.failed.extend(send.transaction);
            };
            match (flow.transport, self.shared.sockets.get(listener), state.backlogs.get_mut(listener)) {
                (Transport::Udp, Some(Some(socket)), Some(backlog)) => {
                    let large = run.iter().filter(|send| send.bytes.len() > LARGE_DATAGRAM_BYTES).count();
                    (0..large).for_each(|_| self.shared.counters.large_datagram());
                    socket.flush(run, &effects.arena, backlog, now.moment, &mut fails);
                }
                (Transport::Tcp | Transport::Tls, Some(None), _) => {
                    let bytes = effects.arena.get(first.bytes.clone()).unwrap_or_default();
                    if self.send_on_stream(flow, bytes, first.transaction, now.moment).is_err() {
                        fails(first);
                    }
                }
                // No listener of that number, or one of the other transport.
                _ => run.iter().for_each(fails),
            }
        }
    }
}

impl<D: Driver> State<D> {
    /// How long nothing is to be done from `now` on unless something comes, milliseconds.
    fn wait_ms(&mut self, now: Moment) -> Option<u64> {
        if !self.due.is_empty() {
            return Some(0);
        }
        let is_stuck = !self.failed.is_empty() || self.backlogs.iter().any(|backlog| !backlog.is_empty());
        let again = is_stuck.then(|| now.plus_ms(SLOT_MS));
        let next = [again, self.wheel.next_turn(), self.lines_at].into_iter().flatten().min()?;
        Some(next.since_ms(now))
    }
}

impl<D: Driver> Drop for Worker<D> {
    fn drop(&mut self) {
        self.state.get_mut().ended.make_lines();
        log::flush();
    }
}

/// Gives inputs to the driver, one after the other, all at one moment.
pub(super) struct Feed<'a, D: Driver> {
    shared: &'a Shared<D>,
    state: &'a mut State<D>,
    now: Now,
    /// Unix time of the batch, microseconds.
    wall_us: u64,
}

impl<D: Driver> Feed<'_, D> {
    /// One input. One that panics is answered once, and its copies go no further.
    pub(super) fn input(&mut self, input: Input<'_>) {
        let Input::Message { flow, bytes } = input else {
            self.guarded(|driver, scratch, now| driver.handle(scratch, now, input));
            return;
        };
        if self.shared.quarantine.holds(bytes) {
            return self.shared.counters.dropped(DropReason::Quarantined);
        }
        if !self.guarded(|driver, scratch, now| driver.handle(scratch, now, input)) {
            self.shared.quarantine.add(bytes);
            self.guarded(|driver, scratch, now| driver.panicked(scratch, now, flow, bytes));
        }
    }

    /// The first datagram of a batch came at that Unix time, microseconds.
    pub(super) fn arrived(&mut self, listener: u16, at_us: u64) {
        // A wall clock that was set back in between shows no delay.
        let delay_us = u32::try_from(self.wall_us.saturating_sub(at_us)).unwrap_or(u32::MAX);
        self.shared.driver.waited(self.now, listener, delay_us);
    }

    /// Some of the calls that outlasted the drain are ended; whether more stand.
    pub(super) fn end_calls(&mut self) -> bool {
        let mut more = false;
        self.guarded(|driver, scratch, now| more = driver.end_calls(scratch, now));
        more
    }

    /// Something came that the driver never sees.
    pub(super) fn dropped(&self, reason: DropReason) {
        self.shared.counters.dropped(reason);
    }

    /// A datagram of ours that came back.
    pub(super) fn bounced(&mut self, destination: SocketAddr, payload: &[u8]) {
        self.guarded(|driver, scratch, now| driver.bounced(scratch, now, destination, payload));
    }

    /// A stream's octets that are no message; what `why` and `head` hold is enough to answer.
    pub(super) fn refused(&mut self, flow: Flow, why: Malformed, head: &[u8]) {
        self.guarded(|driver, scratch, now| driver.refused(scratch, now, flow, why, head));
    }

    /// The answer to a ping, in its turn among the answers to messages.
    pub(super) fn pong(&mut self, flow: Flow) {
        D::effects(&mut self.state.scratch).send_copy(flow, b"\r\n", None);
    }

    /// Messages that were followed by octets their own length leaves out.
    pub(super) fn cut_bodies(&self, count: u64) {
        (0..count).for_each(|_| self.shared.counters.trailing_octets());
    }

    /// A message the rim took on and could not send.
    pub(super) fn not_sent(&mut self, transport: Transport, transaction: Option<TransactionKey>) {
        self.shared.counters.send_failed(transport);
        if let Some(key) = transaction {
            self.input(Input::Failed(key));
        }
    }

    /// A message that was to go by a stream which ended first.
    pub(super) fn cut_off(&mut self, transport: Transport, transaction: Option<TransactionKey>) {
        self.shared.counters.send_failed(transport);
        if let Some(transaction) = transaction {
            self.input(Input::StreamEnded { transaction, end: StreamEnd::Unwritten });
        }
    }

    /// A panic costs what this one input caused, and the scratch, which may be half changed; never the batch.
    /// Whether all went well.
    fn guarded(&mut self, work: impl FnOnce(&D, &mut D::Worker, Now)) -> bool {
        let State { scratch, stream, .. } = self.state;
        let driver = &*self.shared.driver;
        let effects = D::effects(scratch);
        let (arena, sends) = (effects.arena.len(), effects.sends.len());
        let (hints, notes, silences) = (effects.hints.len(), effects.notes.len(), effects.silences.len());
        if catch_unwind(AssertUnwindSafe(|| work(driver, scratch, self.now))).is_ok() {
            return true;
        }
        self.shared.counters.dropped(DropReason::Panic);
        let mut effects = mem::take(D::effects(scratch));
        effects.arena.truncate(arena);
        effects.sends.truncate(sends);
        effects.hints.truncate(hints);
        effects.notes.truncate(notes);
        effects.silences.truncate(silences);
        *stream += STREAM_STEP;
        *scratch = driver.worker(*stream);
        *D::effects(scratch) = effects;
        false
    }
}
