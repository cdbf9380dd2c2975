//! Datagrams. One thread at a time waits in the kernel for each UDP socket and does everything a datagram causes before
//! it waits again: no reactor, no queue, no second system call to hear that nothing more came.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use emcc_policies::moment::Moment;
use smallvec::SmallVec;

use super::Driver;
use super::gather::{self, Gather};
use super::mmsg::{self, BATCH, DATAGRAM_BYTES_MAX, Inbox};
use super::worker::{Feed, Worker};
use crate::engine::effects::{Input, Send, TransactionKey};
use crate::metrics::DropReason;
use crate::neighbour::{Flow, Transport};
use crate::timer::SLOT_MS;

/// Datagrams one worker holds for a socket that takes no more.
const HELD_MAX: usize = 256;
/// How long a datagram waits for a socket that takes no more; about the time after which a SIP timer would repeat it.
const HELD_MS_MAX: u64 = 400;
/// Datagrams one by one in one millisecond after which a worker asks for a batch: below that, batches are one long and
/// only cost more.
const SINGLES_A_MS_MAX: u32 = 16;
/// Datagrams of one batch after which everything they caused leaves: what came first waits for so many and not for the whole
/// batch, and one send is still shared by several.
const LEAVE_AFTER: usize = 8;
/// As much of a returned datagram as is looked at: routers return 576 bytes or a little more.
const BOUNCE_BYTES: usize = 2_048;
/// Returned datagrams taken in one turn.
const BOUNCES_MAX: usize = 64;

/// One UDP socket, as every worker sends through it.
pub(super) struct Datagrams {
    socket: UdpSocket,
    is_v6: bool,
    /// The network gave something back, and a send heard of it.
    has_bounces: AtomicBool,
}

impl Datagrams {
    /// A bound socket whose readers will wait in the kernel.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let is_v6 = socket.local_addr()?.is_ipv6();
        // Best effort: without it a dead neighbour is noticed by its silence.
        let _ = mmsg::keep_errors(socket.as_fd(), is_v6);
        // Best effort: without it the node does not notice that it is late.
        let _ = mmsg::stamp_arrivals(socket.as_fd());
        socket.set_nonblocking(false)?;
        Ok(Self { socket, is_v6, has_bounces: AtomicBool::new(false) })
    }

    /// Wakes whoever waits for a datagram, for good.
    pub(super) fn close(&self) {
        // Fails, since a UDP socket has no other end, and wakes all the same.
        let _ = socket2::SockRef::from(&self.socket).shutdown(std::net::Shutdown::Both);
    }

    /// Sends a run of messages of this socket, in order. What the socket does not take now waits in the backlog; what
    /// it never will goes to `fails`.
    pub(super) fn flush(
        &self,
        run: &[Send],
        arena: &[u8],
        backlog: &mut Backlog,
        now: Moment,
        fails: &mut impl FnMut(&Send),
    ) {
        let mut rest = run;
        while !rest.is_empty() && backlog.0.is_empty() {
            let batch: SmallVec<[(SocketAddr, &[u8]); BATCH]> =
                rest.iter().take(BATCH).map(|send| (send.flow.remote, bytes_of(send, arena))).collect();
            match self.attempt(&batch) {
                Attempt::Left(count) => rest = rest.get(count..).unwrap_or_default(),
                Attempt::Full => break,
                Attempt::Lost => rest = rest.get(1..).unwrap_or_default(),
                Attempt::Refused => {
                    let (first, after) = rest.split_at(1);
                    first.iter().for_each(&mut *fails);
                    rest = after;
                }
            }
        }
        for send in rest {
            let held = Held {
                to: send.flow.remote,
                bytes: bytes_of(send, arena).into(),
                transaction: send.transaction,
                until: now.plus_ms(HELD_MS_MAX),
            };
            if !backlog.hold(held) {
                fails(send);
            }
        }
    }

    fn attempt(&self, batch: &[(SocketAddr, &[u8])]) -> Attempt {
        // An error an earlier datagram left on the socket is told to the next send, whoever makes it, and only once:
        // the second answer is about this datagram.
        for _ in 0..2 {
            let error = match mmsg::send(self.socket.as_fd(), self.is_v6, batch) {
                Ok(count) if count > 0 => return Attempt::Left(count),
                Ok(_) => return Attempt::Full,
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EAGAIN) => return Attempt::Full,
                // The interface's queue is full: lost like any other datagram, and repeated like any other.
                Some(libc::ENOBUFS | libc::ENOMEM) => return Attempt::Lost,
                _ => self.has_bounces.store(true, Relaxed),
            }
        }
        Attempt::Refused
    }

    /// Whether a send heard that the network gave something back, since this was asked last.
    pub(super) fn has_bounces(&self) -> bool {
        self.has_bounces.load(Relaxed) && self.has_bounces.swap(false, Relaxed)
    }

    /// Takes what the network gave back.
    pub(super) fn take_bounces<D: Driver>(&self, feed: &mut Feed<'_, D>) {
        let mut buffer = [0; BOUNCE_BYTES];
        for _ in 0..BOUNCES_MAX {
            let Some(bounce) = mmsg::bounced(self.socket.as_fd(), &mut buffer) else { return };
            // Too long for the path: the next copy leaves in fragments.
            if bounce.error.raw_os_error() != Some(libc::EMSGSIZE) {
                feed.bounced(bounce.to, bounce.bytes);
            }
        }
        self.has_bounces.store(true, Relaxed);
    }
}

/// What became of the first datagram of a batch, or of several.
enum Attempt {
    /// That many left.
    Left(usize),
    /// The socket takes no more now.
    Full,
    /// It is gone, without a fault of its destination.
    Lost,
    /// It will never leave.
    Refused,
}

/// Datagrams that wait for their socket.
#[derive(Default)]
pub(super) struct Backlog(VecDeque<Held>);

struct Held {
    to: SocketAddr,
    bytes: Box<[u8]>,
    transaction: Option<TransactionKey>,
    until: Moment,
}

impl Backlog {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one more, unless it is full.
    fn hold(&mut self, held: Held) -> bool {
        let has_room = self.0.len() < HELD_MAX;
        if has_room {
            self.0.push_back(held);
        }
        has_room
    }

    /// Sends what the socket takes; gives back whose datagrams never will leave.
    pub(super) fn shrink(&mut self, socket: &Datagrams, now: Moment) -> Vec<Option<TransactionKey>> {
        let mut failed = Vec::new();
        while let Some(first) = self.0.front() {
            match socket.attempt(&[(first.to, &first.bytes)]) {
                Attempt::Full => break,
                Attempt::Left(_) | Attempt::Lost => {}
                Attempt::Refused => failed.push(first.transaction),
            }
            self.0.pop_front();
        }
        self.expire(now, &mut failed);
        failed
    }

    /// Gives up what waited too long; the oldest stand first.
    fn expire(&mut self, now: Moment, failed: &mut Vec<Option<TransactionKey>>) {
        while self.0.front().is_some_and(|first| first.until <= now) {
            failed.extend(self.0.pop_front().map(|held| held.transaction));
        }
    }
}

/// Lets one worker at a time read a socket, so that what came in order leaves in order: a 180 before its 200, an ACK
/// before its BYE. Two workers with a datagram each would send them as the scheduler likes, and the kernel does not keep
/// the order of what two processors send one after the other either. A reader that is a whole batch behind calls another
/// one in: then all of them together matter more than the order among them.
#[derive(Debug, Default)]
pub(super) struct Turnstile {
    seats: Mutex<Seats>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Seats {
    readers: usize,
    /// Readers called in beside the first.
    helpers: usize,
}

/// The right to read; given back when dropped, a panic included.
struct Pass<'a> {
    turnstile: &'a Turnstile,
    /// Nobody else read when this one came: it stays, and waits for what comes.
    is_first: bool,
}

impl Turnstile {
    /// The right to read, as soon as there is one. `None` when `wait` is over, or whenever somebody rings in vain.
    fn enter(&self, wait: Option<Duration>) -> Option<Pass<'_>> {
        let mut seats = self.seats();
        if seats.readers > seats.helpers {
            seats = match wait {
                None => self.bell.wait(seats).unwrap_or_else(PoisonError::into_inner),
                Some(wait) => self.bell.wait_timeout(seats, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        (seats.readers <= seats.helpers).then(|| {
            seats.readers += 1;
            Pass { turnstile: self, is_first: seats.readers == 1 }
        })
    }

    /// Calls one more reader in.
    fn call_help(&self) {
        let mut seats = self.seats();
        seats.helpers = seats.readers;
        self.bell.notify_one();
    }

    /// Wakes everybody who waits for a seat.
    pub(super) fn ring(&self) {
        self.bell.notify_all();
    }

    /// The seats are counted in steps that cannot fail half-way.
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut seats = self.turnstile.seats();
        seats.readers -= 1;
        seats.helpers = seats.readers.saturating_sub(1);
        if seats.readers == 0 {
            // Whoever waits follows.
            self.turnstile.bell.notify_one();
        }
    }
}

/// Reads one socket, whenever it is this worker's turn, until the node stops.
pub(super) fn serve<D: Driver>(worker: &Worker<D>, listener: u16) {
    let shared = &worker.shared;
    let place = usize::from(listener);
    let (Some(Some(datagrams)), Some(turnstile)) = (shared.sockets.get(place), shared.turnstiles.get(place)) else {
        return;
    };
    let inbox = Inbox::new(DATAGRAM_BYTES_MAX);
    let mut reader = Reader { worker, datagrams, listener, inbox, patience: None, now: Moment(0), singles: 0 };
    while !shared.is_stopping() {
        let wait = worker.wait_ms().map(Duration::from_millis);
        match turnstile.enter(wait) {
            Some(pass) if pass.is_first => reader.stay(turnstile),
            Some(_) => reader.help(turnstile),
            // Others read; this worker's own deadlines go on.
            None => drop(worker.turn(|_| ())),
        }
    }
}

/// One worker at one socket.
struct Reader<'a, D: Driver> {
    worker: &'a Worker<D>,
    datagrams: &'a Datagrams,
    listener: u16,
    inbox: Inbox,
    /// How long the socket lets a reader wait, milliseconds; none: for ever.
    patience: Option<u64>,
    /// When the last turn was.
    now: Moment,
    /// Datagrams one by one in this millisecond.
    singles: u32,
}

/// How a reader reads next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// One datagram, waited for.
    Single,
    /// What came in a pause.
    Gathered,
    /// All that is there, up to a batch.
    Batch,
}

impl Mode {
    /// Who is behind has no time to wait for more.
    fn next(gathers: bool, is_behind: bool) -> Self {
        match (gathers, is_behind) {
            (_, true) => Self::Batch,
            (true, false) => Self::Gathered,
            (false, false) => Self::Single,
        }
    }
}

impl<D: Driver> Reader<'_, D> {
    /// Reads until the node stops: one datagram at a time while they come one at a time, else in batches; where the
    /// processor is shared, in batches that are waited for.
    fn stay(&mut self, turnstile: &Turnstile) {
        let mut is_behind = false;
        self.now = self.worker.turn(|_| ());
        let mut gather = Gather::new(&self.worker.shared.proc, self.now);
        // Whoever read before may have left another patience behind.
        self.patience = Some(SLOT_MS);
        let _ = self.datagrams.socket.set_read_timeout(Some(Duration::from_millis(SLOT_MS)));
        while !self.worker.shared.is_stopping() {
            is_behind = match Mode::next(gather.is_due(self.now), is_behind || self.worker.is_late()) {
                Mode::Single => self.take_single(),
                Mode::Gathered => self.take_gathered(),
                Mode::Batch => self.take_batch(turnstile),
            };
        }
    }

    /// Waits for one datagram. Whether so many came one by one that batches would be longer than one.
    fn take_single(&mut self) -> bool {
        let before = self.now;
        self.take_one();
        self.singles = if self.now == before { self.singles + 1 } else { 0 };
        self.singles >= SINGLES_A_MS_MAX
    }

    /// Reads what gathered, the first after a silence at once, and pauses so that more may gather: not after a wait in
    /// vain, which was pause enough. Whether a whole batch was there.
    fn take_gathered(&mut self) -> bool {
        let taken = self.take().unwrap_or_else(|| usize::from(self.take_one()));
        if (1..gather::ENOUGH).contains(&taken) {
            gather::pause();
        }
        taken == BATCH
    }

    /// Reads what is there, and calls help where that is a whole batch. Whether it was.
    fn take_batch(&mut self, turnstile: &Turnstile) -> bool {
        let taken = self.take();
        match taken {
            Some(BATCH) => turnstile.call_help(),
            Some(_) => {}
            None => self.now = self.worker.turn(|_| ()),
        }
        taken == Some(BATCH)
    }

    /// Reads for as long as whole batches wait.
    fn help(&mut self, turnstile: &Turnstile) {
        while self.take() == Some(BATCH) && !self.worker.shared.is_stopping() {
            turnstile.call_help();
        }
    }

    /// Waits for a datagram or a deadline, and does what it causes. Whether anything came.
    fn take_one(&mut self) -> bool {
        self.be_patient(false);
        let Self { worker, datagrams, listener, inbox, .. } = self;
        self.now = match inbox.receive_one(datagrams.socket.as_fd()) {
            Ok(()) => worker.turn(|feed| hand_over(feed, inbox, *listener, 0..1)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.now = worker.turn(|_| ());
                self.be_patient(true);
                return false;
            }
            // What the network said of an earlier datagram of ours.
            Err(_) => worker.turn(|feed| datagrams.take_bounces(feed)),
        };
        true
    }

    /// One batch of datagrams, if any wait, and everything it causes; how many they were.
    fn take(&mut self) -> Option<usize> {
        let Self { worker, datagrams, listener, inbox, .. } = self;
        match inbox.receive(datagrams.socket.as_fd()) {
            Ok(taken) => {
                for part in parts(taken) {
                    self.now = worker.turn(|feed| hand_over(feed, inbox, *listener, part));
                }
                Some(taken)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => {
                self.now = worker.turn(|feed| datagrams.take_bounces(feed));
                Some(0)
            }
        }
    }

    /// Has the kernel end the wait when the next deadline comes. A wait that is too short costs one turn in vain, and is
    /// made longer only after that: on a busy socket nothing changes from one datagram to the next.
    fn be_patient(&mut self, was_in_vain: bool) {
        let wanted = self.worker.wait_ms_from(self.now).map(|ms| ms.max(SLOT_MS));
        let is_too_long = match (self.patience, wanted) {
            (Some(patience), Some(wanted)) => patience > wanted,
            (None, wanted) => wanted.is_some(),
            (Some(_), None) => false,
        };
        if (is_too_long || was_in_vain) && wanted != self.patience {
            // Refused for no time at all only; then the old patience stays.
            if self.datagrams.socket.set_read_timeout(wanted.map(Duration::from_millis)).is_ok() {
                self.patience = wanted;
            }
        }
    }
}

/// The datagrams of one batch whose effects leave together.
fn parts(taken: usize) -> impl Iterator<Item = Range<usize>> {
    (0..taken).step_by(LEAVE_AFTER).map(move |first| first..taken.min(first + LEAVE_AFTER))
}

fn hand_over<D: Driver>(feed: &mut Feed<'_, D>, inbox: &Inbox, listener: u16, part: Range<usize>) {
    // The first datagram of all waited longest.
    if part.start == 0
        && let Some(at_us) = inbox.arrived_us()
    {
        feed.arrived(listener, at_us);
    }
    for datagram in part.filter_map(|place| inbox.datagram(place)) {
        if datagram.is_truncated {
            feed.dropped(DropReason::Truncated);
            continue;
        }
        let flow = Flow { transport: Transport::Udp, listener, remote: datagram.from, connection: 0 };
        feed.input(Input::Message { flow, bytes: datagram.bytes });
    }
}

fn bytes_of<'a>(send: &Send, arena: &'a [u8]) -> &'a [u8] {
    arena.get(send.bytes.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(number: u64, until: u64) -> Held {
        let transaction = Some(TransactionKey(number.into()));
        Held { to: "127.0.0.1:9".parse().unwrap(), bytes: Box::default(), transaction, until: Moment(until) }
    }

    #[test]
    fn who_is_behind_reads_batches_and_never_pauses() {
        for (gathers, is_behind, want) in [
            (false, false, Mode::Single),
            (true, false, Mode::Gathered),
            (false, true, Mode::Batch),
            (true, true, Mode::Batch),
        ] {
            assert_eq!(Mode::next(gathers, is_behind), want);
        }
    }

    #[test]
    fn every_datagram_of_a_batch_is_in_one_part_in_the_order_it_came() {
        for taken in 0..=BATCH {
            let parts: Vec<_> = parts(taken).collect();
            assert!(parts.iter().all(|part| (1..=LEAVE_AFTER).contains(&part.len())), "{taken}: {parts:?}");
            assert!(parts.into_iter().flatten().eq(0..taken), "{taken}");
        }
    }

    #[test]
    fn a_backlog_is_bounded_and_gives_up_the_oldest_at_their_time() {
        let mut backlog = Backlog::default();
        for number in 0..HELD_MAX as u64 {
            assert!(backlog.hold(held(number, 100 + number)));
        }
        assert!(!backlog.hold(held(0, 1_000)), "full");
        let mut failed = Vec::new();
        backlog.expire(Moment(99), &mut failed);
        assert!(failed.is_empty());
        backlog.expire(Moment(101), &mut failed);
        assert_eq!(failed, [Some(TransactionKey(0)), Some(TransactionKey(1))]);
        assert!(backlog.hold(held(9, 1_000)), "there is room again");
    }

    #[test]
    fn what_waited_leaves_in_order_when_the_socket_takes_more() {
        let [a, b] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        b.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let to = b.local_addr().unwrap();
        let socket = Datagrams::new(a).unwrap();
        let mut backlog = Backlog::default();
        for number in 1..=3 {
            assert!(backlog.hold(Held { to, bytes: [number].into(), transaction: None, until: Moment(1_000) }));
        }
        // A new message must not overtake those that wait.
        let flow = Flow { transport: Transport::Udp, listener: 0, remote: to, connection: 0 };
        let late = Send { flow, bytes: 0..1, transaction: None };
        socket.flush(&[late], &[4], &mut backlog, Moment(0), &mut |_| panic!("nothing fails"));
        assert!(backlog.shrink(&socket, Moment(10)).is_empty());
        for number in 1..=4 {
            let mut buffer = [0; 8];
            assert_eq!((b.recv(&mut buffer).unwrap(), buffer[0]), (1, number));
        }
    }

    #[test]
    fn one_bad_datagram_of_a_run_fails_alone() {
        let [a, b] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        b.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let flow = Flow { transport: Transport::Udp, listener: 0, remote: b.local_addr().unwrap(), connection: 0 };
        let send = |bytes, number| Send { flow, bytes, transaction: Some(TransactionKey(number)) };
        let run = [send(0..1, 1), send(0..65_535, 2), send(1..2, 3)];
        let arena: Vec<u8> = (0..=255).cycle().take(65_535).collect();
        let (mut failed, mut backlog) = (Vec::new(), Backlog::default());
        Datagrams::new(a).unwrap().flush(&run, &arena, &mut backlog, Moment(0), &mut |send| {
            failed.extend(send.transaction);
        });
        assert_eq!(failed, [TransactionKey(2)]);
        for want in [0, 1] {
            let mut buffer = [0; 8];
            assert_eq!((b.recv(&mut buffer).unwrap(), buffer[0]), (1, want));
        }
    }

    #[test]
    fn one_reads_at_a_time_until_it_calls_for_help() {
        let turnstile = Turnstile::default();
        let now = Some(Duration::ZERO);
        let first = turnstile.enter(now).unwrap();
        assert!(first.is_first);
        assert!(turnstile.enter(now).is_none(), "one reads");
        turnstile.call_help();
        let second = turnstile.enter(now).unwrap();
        assert!(!second.is_first && turnstile.enter(now).is_none(), "one was called, not two");
        drop(second);
        assert!(turnstile.enter(now).is_none(), "the help is over");
        drop(first);
        assert!(turnstile.enter(now).is_some_and(|pass| pass.is_first), "the next one follows");
    }

    #[test]
    fn a_reader_that_panics_gives_its_seat_back() {
        let turnstile = Turnstile::default();
        let panics = std::panic::AssertUnwindSafe(|| {
            let _pass = turnstile.enter(Some(Duration::ZERO)).unwrap();
            panic!("told to");
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(turnstile.enter(Some(Duration::ZERO)).is_some());
    }
}
