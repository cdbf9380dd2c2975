//! Datagrams: every worker hears every UDP socket, because a trunk has one remote address and the kernel's hash would
//! give all of it to one worker.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

use emcc_policies::moment::Moment;
use smallvec::SmallVec;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tokio::sync::Notify;

use super::Driver;
use super::mmsg::{self, BATCH};
use super::worker::Worker;
use crate::engine::effects::{Input, Send, TransactionKey};
use crate::metrics::DropReason;
use crate::neighbour::{Flow, Transport};

/// Datagrams one worker holds for a socket that takes no more.
const HELD_MAX: usize = 256;
/// How long a datagram waits for a socket that takes no more; about the time after which a SIP timer would repeat it.
const HELD_MS_MAX: u64 = 400;
/// How long a worker that reads a socket stays the one that does, milliseconds.
const STAYS_MS: u64 = 5;
/// Batches a worker takes from one socket before its other sockets and streams have their turn.
const TURNS_MAX: usize = 16;
/// As much of a returned datagram as is looked at: routers return 576 bytes or a little more.
const BOUNCE_BYTES: usize = 2_048;
/// Returned datagrams taken in one turn.
const BOUNCES_MAX: usize = 64;

/// One UDP socket as one worker sees it.
pub(super) struct Datagrams {
    socket: AsyncFd<UdpSocket>,
    is_v6: bool,
    /// Something waits in the backlog.
    held: Notify,
}

impl Datagrams {
    /// Registers the socket with the reactor of the current runtime.
    ///
    /// # Errors
    /// What the reactor says.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let is_v6 = socket.local_addr()?.is_ipv6();
        // Best effort: without it a dead neighbour is noticed by its silence.
        let _ = mmsg::keep_errors(socket.as_fd(), is_v6);
        // Best effort: without it the node does not notice that it is late.
        let _ = mmsg::stamp_arrivals(socket.as_fd());
        Ok(Self { socket: mmsg::register(socket)?, is_v6, held: Notify::new() })
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
        if !backlog.0.is_empty() {
            self.held.notify_one();
        }
    }

    fn attempt(&self, batch: &[(SocketAddr, &[u8])]) -> Attempt {
        // An error an earlier datagram left on the socket is told to the next send, whoever makes it, and only once:
        // the second answer is about this datagram.
        for _ in 0..2 {
            let error = match mmsg::send(self.socket.get_ref().as_fd(), self.is_v6, batch) {
                Ok(count) if count > 0 => return Attempt::Left(count),
                Ok(_) => return Attempt::Full,
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EAGAIN) => return Attempt::Full,
                // The interface's queue is full: lost like any other datagram, and repeated like any other.
                Some(libc::ENOBUFS | libc::ENOMEM) => return Attempt::Lost,
                _ => {}
            }
        }
        Attempt::Refused
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
    /// Takes one more, unless it is full.
    fn hold(&mut self, held: Held) -> bool {
        let has_room = self.0.len() < HELD_MAX;
        if has_room {
            self.0.push_back(held);
        }
        has_room
    }

    /// Sends what the socket takes; gives back whose datagrams never will leave.
    fn shrink(&mut self, socket: &Datagrams, now: Moment) -> Vec<Option<TransactionKey>> {
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

/// Hears one socket until the runtime ends.
pub(super) async fn listen<D: Driver>(worker: Rc<Worker<D>>, listener: u16) {
    let Some(Some(datagrams)) = worker.sockets.get(usize::from(listener)) else { return };
    loop {
        // Fails only when the reactor is gone.
        let Ok(mut guard) = datagrams.socket.ready(Interest::READABLE | Interest::ERROR).await else { return };
        // A guard clears only what it saw, so an event that comes while we read is never lost.
        if guard.ready().is_error() && !take_bounces(&worker, datagrams) {
            guard.clear_ready_matching(Ready::ERROR);
        }
        if guard.ready().is_readable() && !turn(&worker, datagrams, listener) {
            guard.clear_ready_matching(Ready::READABLE);
        }
        drop(guard);
        // One batch, then the other sockets and streams of this worker.
        tokio::task::yield_now().await;
    }
}

/// Lets one worker at a time read a socket, and the same one for as long as messages keep coming, so that what came in
/// order leaves in order: a 180 before its 200, an ACK before its BYE. Two workers with a datagram each would send them as
/// the scheduler likes, and the kernel does not keep the order of what two processors send one after the other either.
///
/// One word: the time of the last batch in milliseconds, the worker that took it, and whether it is at work now.
#[derive(Debug, Default)]
pub(super) struct Turnstile(AtomicU64);

/// The right to read; given back when dropped, a panic included.
struct Pass<'a> {
    turnstile: &'a Turnstile,
    word: u64,
}

impl Turnstile {
    /// `worker` counts from 1. `None` while another reads, or did so a moment ago: that one hears of what comes now, too.
    fn enter(&self, worker: u8, now: Moment) -> Option<Pass<'_>> {
        let seen = self.0.load(Acquire);
        let (at, owner, is_busy) = (seen >> 16, (seen >> 8) & 0xff, seen & 1 == 1);
        let is_others = owner != 0 && owner != u64::from(worker) && now.0 < at + STAYS_MS;
        let word = now.0 << 16 | u64::from(worker) << 8;
        let may = !is_busy && !is_others && self.0.compare_exchange(seen, word | 1, AcqRel, Relaxed).is_ok();
        // Not `then_some`: a pass made and dropped would give back the right of whoever has it.
        may.then(|| Pass { turnstile: self, word })
    }
}

impl Pass<'_> {
    /// Lets the next one in at once, whoever it is.
    fn open(mut self) {
        self.word = 0;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.turnstile.0.store(self.word, Release);
    }
}

/// What waits on a socket, batch after batch; whether more may wait.
fn turn<D: Driver>(worker: &Rc<Worker<D>>, datagrams: &Datagrams, listener: u16) -> bool {
    let now = worker.shared.clock.now().moment;
    let turnstile = worker.shared.turnstiles.get(usize::from(listener));
    let Some(pass) = turnstile.and_then(|turnstile| turnstile.enter(worker.place, now)) else { return false };
    for _ in 0..TURNS_MAX {
        match take(worker, datagrams, listener) {
            Some(taken) if taken < BATCH => {}
            // A full batch: this worker is behind, and all of them together matter more than the order among them.
            Some(_) => {
                pass.open();
                return true;
            }
            None => return false,
        }
    }
    true
}

/// One batch of datagrams, and everything it causes; how many they were, none where none waited.
fn take<D: Driver>(worker: &Rc<Worker<D>>, datagrams: &Datagrams, listener: u16) -> Option<usize> {
    let mut inbox = worker.inbox.borrow_mut();
    let taken = match inbox.receive(datagrams.socket.get_ref().as_fd()) {
        Ok(taken) => taken,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
        // What the network said of an earlier datagram of ours; the error queue has it too.
        Err(_) => return Some(0),
    };
    worker.turn(|feed| {
        if let Some(at_us) = inbox.arrived_us() {
            feed.arrived(listener, at_us);
        }
        for datagram in (0..taken).filter_map(|place| inbox.datagram(place)) {
            if datagram.is_truncated {
                worker.shared.counters.dropped(DropReason::Truncated);
                continue;
            }
            let flow = Flow { transport: Transport::Udp, listener, remote: datagram.from, connection: 0 };
            feed.input(Input::Message { flow, bytes: datagram.bytes });
        }
    });
    Some(taken)
}

/// Takes what the network gave back; whether more may wait.
fn take_bounces<D: Driver>(worker: &Rc<Worker<D>>, datagrams: &Datagrams) -> bool {
    let mut buffer = [0; BOUNCE_BYTES];
    let mut taken = 0;
    worker.turn(|feed| {
        while taken < BOUNCES_MAX
            && let Some(bounce) = mmsg::bounced(datagrams.socket.get_ref().as_fd(), &mut buffer)
        {
            taken += 1;
            // Too long for the path: the next copy leaves in fragments.
            if bounce.error.raw_os_error() != Some(libc::EMSGSIZE) {
                feed.bounced(bounce.to, bounce.bytes);
            }
        }
    });
    taken == BOUNCES_MAX
}

/// Sends what a full socket made wait, until the runtime ends.
pub(super) async fn send_held<D: Driver>(worker: Rc<Worker<D>>, listener: u16) {
    let Some(Some(datagrams)) = worker.sockets.get(usize::from(listener)) else { return };
    loop {
        if worker.with_backlog(listener, |backlog| backlog.0.is_empty()).unwrap_or(true) {
            datagrams.held.notified().await;
        }
        let writable = datagrams.socket.ready(Interest::WRITABLE);
        let ready = tokio::time::timeout(Duration::from_millis(HELD_MS_MAX), writable).await;
        let now = worker.shared.clock.now().moment;
        let failed = worker.with_backlog(listener, |backlog| backlog.shrink(datagrams, now)).unwrap_or_default();
        if let Ok(Ok(mut guard)) = ready
            && worker.with_backlog(listener, |backlog| !backlog.0.is_empty()) == Some(true)
        {
            guard.clear_ready_matching(Ready::WRITABLE);
        }
        if !failed.is_empty() {
            worker.turn(|feed| failed.into_iter().for_each(|key| feed.not_sent(Transport::Udp, key)));
        }
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

    #[tokio::test]
    async fn what_waited_leaves_in_order_when_the_socket_takes_more() {
        let [a, b] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        a.set_nonblocking(true).unwrap();
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

    #[tokio::test]
    async fn one_bad_datagram_of_a_run_fails_alone() {
        let [a, b] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        a.set_nonblocking(true).unwrap();
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
}
