//! Streams: a table of connections for the whole node, and on the worker that owns one the tasks that read and write.
//!
//! A worker that wants to send puts the bytes into the connection's queue; what comes in goes straight to the driver
//! on the worker that reads it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use emcc_policies::moment::Moment;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::codec::Decoder;

use super::bounds::{Rank, StreamLimits};
use super::budget::{Budget, Held};
use super::mmsg::{canonical, of_family};
use super::share::{Admission, Life, Share};
use super::worker::Worker;
use super::{Driver, sockets, tls};
use crate::engine::effects::{Input, Silence, StreamEnd, TransactionKey};
use crate::limits;
use crate::metrics::StreamEvent;
use crate::neighbour::{Flow, Transport};
use crate::sip::frame::{Frame, Framer};
use crate::table::{Inserted, Table};

/// Connections that wait for a worker to open them.
pub(super) const OPENINGS_MAX: usize = limits::CONNECTIONS_MAX;
/// Bytes asked from the kernel at a time.
const READ_BYTES: usize = 8_192;
/// A buffer that grew beyond this for one message is given back when it is empty.
const KEPT_BYTES_MAX: usize = 65_536;
/// Pause after the system had no descriptor for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Attempts to find or make a connection while others make and lose it.
const ATTEMPTS_MAX: usize = 3;
/// How long connecting may take: as long as a next hop may be silent.
const CONNECT: Duration = Duration::from_secs(4);

/// Every connection of the node, by its number and by its other end.
pub(super) struct Streams {
    by_number: Table<u64, Handle>,
    by_remote: Table<(u16, SocketAddr), u64>,
    shares: Table<IpAddr, Share>,
    open: AtomicUsize,
    last: AtomicU64,
    limits: StreamLimits,
    budget: Arc<Budget>,
}

/// What a sender needs of a connection.
struct Handle {
    queue: mpsc::Sender<Outgoing>,
    /// Octets in the queue.
    queued: Arc<Mutex<Held>>,
    /// Told when the queue ran over.
    overflow: Arc<Notify>,
    life: Arc<Life>,
}

/// One message for a connection.
pub(super) struct Outgoing {
    bytes: Bytes,
    transaction: Option<TransactionKey>,
}

/// A connection to be opened, with what is to be written on it.
pub(super) struct Opening {
    open: Open,
    place: Place,
    queue: mpsc::Receiver<Outgoing>,
}

/// The message could not be queued.
#[derive(Debug)]
pub(super) struct NotQueued;

impl Streams {
    /// An empty table; `seed` as for [`Table::new`].
    pub(super) fn new(seed: u64, limits: StreamLimits) -> Self {
        Self {
            by_number: Table::new(limits.connections, seed),
            by_remote: Table::new(limits.connections, seed),
            shares: Table::new(limits.connections, seed),
            open: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            limits,
            budget: Budget::new(limits.budget_bytes, limits::CONNECTION_SHARE_BYTES),
        }
    }

    /// Queues a message on a connection; gives it back when there is no such connection any more.
    fn queue(&self, number: u64, outgoing: Outgoing) -> Result<(), Queueing> {
        let queued = self.by_number.with(&number, |handle| {
            let mut held = handle.queued.lock().unwrap_or_else(PoisonError::into_inner);
            let octets = held.octets().saturating_add(outgoing.bytes.len());
            let fits = octets <= self.limits.queued_bytes && held.resize(octets);
            match if fits { handle.queue.try_send(outgoing) } else { Err(mpsc::error::TrySendError::Full(outgoing)) } {
                Ok(()) => Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => {
                    handle.overflow.notify_one();
                    Err(Queueing::Overflow)
                }
                Err(mpsc::error::TrySendError::Closed(_)) => Err(Queueing::Gone),
            }
        });
        queued.unwrap_or(Err(Queueing::Gone))
    }

    /// Ends our connection to a neighbour that left a request unanswered, if nothing came over it since: a process that hangs
    /// behind a kernel that goes on acknowledging would cost every call over it. The next message opens a fresh one.
    pub(super) fn hang_up(&self, Silence { flow, since }: Silence) {
        let key = (flow.listener, flow.remote);
        let Some(number) = self.by_remote.with(&key, |number| *number) else { return };
        let is_silent = self.by_number.with(&number, |handle| handle.life.end_if_silent(since));
        if is_silent == Some(true) {
            self.by_remote.remove_if(&key, |held| *held == number);
        }
    }

    /// Counts one more connection, unless there are as many as there may be of that rank.
    fn open(self: &Arc<Self>, claim: Option<Claim>, rank: Rank, now: Moment) -> Option<Open> {
        let most = self.limits.most(rank);
        if self.open.fetch_add(1, Relaxed) >= most {
            self.open.fetch_sub(1, Relaxed);
            return None;
        }
        let life = Life::new(Held::new(&self.budget), now);
        let mut open = Open { streams: Arc::clone(self), from: None, life, is_displacing: false };
        if let Some(claim) = claim {
            let admission = self.admit(claim, &open.life);
            if admission == Admission::Full {
                return None;
            }
            open.from = Some(claim.ip);
            open.is_displacing = admission == Admission::Displacing;
        }
        Some(open)
    }

    fn admit(&self, claim: Claim, life: &Arc<Life>) -> Admission {
        for _ in 0..ATTEMPTS_MAX {
            let admitted = self.shares.with(&claim.ip, |share| share.admit(life, claim.most, claim.may_displace));
            if let Some(admission) = admitted {
                return admission;
            }
            // The next round counts it, whoever has put the share there.
            if self.shares.insert(claim.ip, Share::default()).is_err() {
                return Admission::Full;
            }
        }
        Admission::Full
    }
}

/// Whose share one more connection is of.
#[derive(Clone, Copy)]
struct Claim {
    ip: IpAddr,
    /// As many as that address may have.
    most: usize,
    /// Whether one that is idle gives way to it.
    may_displace: bool,
}

enum Queueing {
    Gone,
    Overflow,
}

/// One connection as it is counted, from accepting or connecting until its descriptor is closed.
pub(super) struct Open {
    streams: Arc<Streams>,
    /// Whose share it is: what one address opened, or had us open to where it says it listens.
    from: Option<IpAddr>,
    life: Arc<Life>,
    /// Whether another had to go for it.
    is_displacing: bool,
}

impl Open {
    /// Waits until its place is another's.
    pub(super) async fn displaced(&self) {
        self.life.displaced().await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.streams.open.fetch_sub(1, Relaxed);
        if let Some(ip) = self.from {
            self.streams.shares.with(&ip, |share| share.leave(&self.life));
            self.streams.shares.remove_if(&ip, Share::is_empty);
        }
    }
}

/// A connection's place in the tables; given back when dropped.
pub(super) struct Place {
    streams: Arc<Streams>,
    pub(super) flow: Flow,
    /// Whether its other end opened it, and has to speak first.
    is_accepted: bool,
    overflow: Arc<Notify>,
    queued: Arc<Mutex<Held>>,
}

impl Place {
    /// Takes a place, unless the node has all it may or, for one we open, another is there already.
    fn take(
        open: &Open,
        transport: Transport,
        listener: u16,
        remote: SocketAddr,
        is_accepted: bool,
    ) -> Result<(Self, mpsc::Receiver<Outgoing>), NoPlace> {
        let streams = &open.streams;
        let number = streams.last.fetch_add(1, Relaxed) + 1;
        let (sender, queue) = mpsc::channel(streams.limits.queued);
        let overflow = Arc::new(Notify::new());
        let queued = Arc::clone(&open.life.queued);
        let flow = Flow { transport, listener, remote, connection: number };
        let handle = Handle {
            queue: sender,
            queued: Arc::clone(&queued),
            overflow: Arc::clone(&overflow),
            life: Arc::clone(&open.life),
        };
        streams.by_number.insert(number, handle).map_err(|_| NoPlace::TooMany)?;
        // From here on dropping gives everything back.
        let place = Self { streams: Arc::clone(streams), flow, is_accepted, overflow, queued };
        match streams.by_remote.insert((listener, remote), number) {
            Ok(Inserted::Exists) if !is_accepted => Err(NoPlace::Exists),
            Ok(_) => Ok((place, queue)),
            Err(_) => Err(NoPlace::TooMany),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.flow.connection;
        self.streams.by_number.remove(&number);
        self.streams.by_remote.remove_if(&(self.flow.listener, self.flow.remote), |held| *held == number);
    }
}

enum NoPlace {
    TooMany,
    Exists,
}

impl<D: Driver> Worker<D> {
    /// Queues a message on the connection it names, or on any to its other end, opening one if there is none.
    pub(super) fn send_on_stream(
        &self,
        flow: Flow,
        bytes: &[u8],
        transaction: Option<TransactionKey>,
        now: Moment,
    ) -> Result<(), NotQueued> {
        let outgoing = || Outgoing { bytes: Bytes::copy_from_slice(bytes), transaction };
        let streams = &self.shared.streams;
        if flow.connection != 0 {
            return match streams.queue(flow.connection, outgoing()) {
                Ok(()) => Ok(()),
                Err(Queueing::Overflow) => Err(NotQueued),
                // An answer to what came by it, or the end of a call: it goes to where its reader listens, or over a stream
                // it opened since. Numbers only grow, so that this ends.
                Err(Queueing::Gone) => match self.shared.driver.listens(flow, bytes) {
                    Some(anew) if anew.connection == 0 || anew.connection > flow.connection => {
                        self.send_on_stream(anew, bytes, transaction, now)
                    }
                    _ => Err(NotQueued),
                },
            };
        }
        let key = (flow.listener, flow.remote);
        for _ in 0..ATTEMPTS_MAX {
            if let Some(number) = streams.by_remote.with(&key, |number| *number) {
                match streams.queue(number, outgoing()) {
                    Ok(()) => return Ok(()),
                    Err(Queueing::Overflow) => return Err(NotQueued),
                    Err(Queueing::Gone) => streams.by_remote.remove_if(&key, |held| *held == number),
                };
            }
            // A phone says itself where it listens: what it has opened has its bound, and nothing kept for others goes.
            let is_phone = self.shared.driver.is_phone(flow.transport, flow.remote);
            let claim = Claim { ip: flow.remote.ip(), most: streams.limits.per_address, may_displace: false };
            // As old as the first message on it, so that its silence to that one counts.
            let rank = if is_phone { Rank::Phone } else { Rank::Trunk };
            let Some(open) = streams.open(is_phone.then_some(claim), rank, now) else {
                self.shared.counters.stream(StreamEvent::TooMany);
                return Err(NotQueued);
            };
            match Place::take(&open, flow.transport, flow.listener, flow.remote, false) {
                Ok((place, queue)) => {
                    let number = place.flow.connection;
                    // Any thread sends, those with a reactor connect.
                    let workers = self.shared.openings.len().max(1);
                    let opener = self.shared.openings.get(usize::try_from(number).unwrap_or(0) % workers);
                    if opener.is_none_or(|opener| opener.try_send(Opening { open, place, queue }).is_err()) {
                        return Err(NotQueued);
                    }
                    return streams.queue(number, outgoing()).map_err(|_| NotQueued);
                }
                Err(NoPlace::Exists) => {}
                Err(NoPlace::TooMany) => {
                    self.shared.counters.stream(StreamEvent::TooMany);
                    return Err(NotQueued);
                }
            }
        }
        Err(NotQueued)
    }

    /// Hands over what a connection's buffer holds, one turn for all of it; why the stream ends, if it does.
    fn take_frames(self: &Rc<Self>, flow: Flow, framer: &mut Framer, buffer: &mut BytesMut) -> Option<StreamEvent> {
        let mut end = None;
        self.turn(|feed| {
            while end.is_none() {
                let frame = framer.decode(buffer);
                let cut_bodies = framer.take_cut_bodies();
                feed.cut_bodies(cut_bodies);
                if cut_bodies > 0 && self.shared.driver.is_strict(flow) {
                    // What may be hidden behind a message is not looked at.
                    end = Some(StreamEvent::CutBody);
                    break;
                }
                match frame {
                    Ok(Some(Frame::Message(bytes))) => feed.input(Input::Message { flow, bytes: &bytes }),
                    Ok(Some(Frame::Ping)) => feed.pong(flow),
                    Ok(Some(Frame::Refused { why, head, .. })) => {
                        feed.refused(flow, why, &head);
                        end = Some(StreamEvent::Malformed);
                    }
                    Ok(None) => break,
                    Err(_) => end = Some(StreamEvent::Malformed),
                }
            }
        });
        end
    }
}

impl<D: Driver> Worker<D> {
    /// Tells the sender of a message that will not be whole any more.
    fn end_frames(self: &Rc<Self>, flow: Flow, framer: &mut Framer, buffer: &mut BytesMut) {
        if let Some(Frame::Refused { why, head, .. }) = framer.finish(buffer) {
            self.turn(|feed| feed.refused(flow, why, &head));
        }
    }
}

/// Accepts connections of one listener until the runtime ends. Strangers are closed at once.
pub(super) async fn accept<D: Driver>(worker: Rc<Worker<D>>, socket: TcpListener, listener: u16) {
    let shared = &worker.shared;
    loop {
        let Ok((stream, remote)) = socket.accept().await else {
            // No descriptor left, or the other end is gone again; a loop without a pause would only burn the worker.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let remote = canonical(remote);
        let transport = shared.local.get(usize::from(listener)).map_or(Transport::Tcp, |local| local.transport);
        if !shared.driver.is_neighbour(transport, remote) {
            shared.counters.stream(StreamEvent::Stranger);
            continue;
        }
        let limits = shared.streams.limits;
        let (rank, most) = if shared.driver.is_phone(transport, remote) {
            (Rank::Phone, limits.per_address)
        } else if shared.driver.is_trunk(transport, remote) {
            (Rank::Trunk, limits.per_neighbour)
        } else {
            (Rank::Neighbour, limits.per_neighbour)
        };
        let claim = Claim { ip: remote.ip(), most, may_displace: true };
        let Some(open) = shared.streams.open(Some(claim), rank, shared.clock.now().moment) else {
            shared.counters.stream(StreamEvent::TooMany);
            continue;
        };
        if open.is_displacing {
            tracing::warn!(%remote, "as many connections as one address may have: the one idle for longest is closed");
        }
        match Place::take(&open, transport, listener, remote, true) {
            Ok((place, queue)) => {
                shared.counters.stream(StreamEvent::Accepted);
                sockets::notice_silence(&stream, shared.streams.limits.write);
                if transport == Transport::Tls {
                    tokio::task::spawn_local(tls::accept(Rc::clone(&worker), stream, open, place, queue));
                } else {
                    let (read, write) = stream.into_split();
                    tokio::task::spawn_local(carry(Rc::clone(&worker), read, write, open, place, queue));
                }
            }
            Err(_) => shared.counters.stream(StreamEvent::TooMany),
        }
    }
}

/// Opens connections for every thread that wants one, until the runtime ends.
pub(super) async fn open<D: Driver>(worker: Rc<Worker<D>>, mut openings: mpsc::Receiver<Opening>) {
    while let Some(Opening { open, place, queue }) = openings.recv().await {
        tokio::task::spawn_local(connect(Rc::clone(&worker), open, place, queue));
    }
}

/// A connection of ours, ready to carry messages.
enum Opened {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

async fn connect<D: Driver>(worker: Rc<Worker<D>>, open: Open, place: Place, queue: mpsc::Receiver<Outgoing>) {
    let local = worker.shared.local.get(usize::from(place.flow.listener)).copied();
    let remote = place.flow.remote;
    let is_tls = place.flow.transport == Transport::Tls;
    let connecting = async {
        let local = local?.socket;
        let stream = sockets::outgoing(local).ok()?.connect(of_family(remote, local.is_ipv6())).await.ok()?;
        sockets::notice_silence(&stream, worker.shared.streams.limits.write);
        if is_tls {
            tls::open(&worker.shared, remote, stream).await.map(|stream| Opened::Tls(Box::new(stream)))
        } else {
            Some(Opened::Plain(stream))
        }
    };
    match timeout(CONNECT, connecting).await {
        Ok(Some(opened)) => {
            worker.shared.counters.stream(StreamEvent::Connected);
            match opened {
                Opened::Plain(stream) => {
                    let (read, write) = stream.into_split();
                    carry(worker, read, write, open, place, queue).await;
                }
                Opened::Tls(stream) => {
                    let (read, write) = tokio::io::split(*stream);
                    carry(worker, read, write, open, place, queue).await;
                }
            }
        }
        _ => {
            worker.shared.counters.stream(StreamEvent::ConnectFailed);
            let transport = place.flow.transport;
            drop(place);
            give_up(&worker, transport, queue);
        }
    }
}

/// Reads and writes one connection until it ends.
pub(super) async fn carry<D: Driver>(
    worker: Rc<Worker<D>>,
    mut read: impl AsyncRead + Unpin,
    write: impl AsyncWrite + Unpin,
    open: Open,
    place: Place,
    mut queue: mpsc::Receiver<Outgoing>,
) {
    let limits = open.streams.limits;
    let transport = place.flow.transport;
    let sent = Sent::default();
    let end = {
        let queued = Arc::clone(&place.queued);
        let mut writer = pin!(write_all(&mut queue, &queued, write, &sent, limits.write));
        let overflow = Arc::clone(&place.overflow);
        let speaks_first = if place.is_accepted { limits.first_byte } else { limits.idle };
        let (end, may_finish) = tokio::select! {
            biased;
            () = overflow.notified() => (StreamEvent::Overflow, false),
            () = open.life.fell_silent() => (StreamEvent::Unanswered, false),
            end = read_all(&worker, &place, &open.life, &mut read, speaks_first) => (end, true),
            () = open.displaced() => (StreamEvent::Displaced, true),
            end = &mut writer => (end, false),
        };
        // Nothing more is queued from here on. The other end may still read: answers to what it sent before it
        // stopped sending, and the refusal of what could not be framed.
        drop(place);
        worker.shared.counters.stream(end);
        if may_finish {
            // However it ends, the connection is over; the queue tells what was not written.
            let _ = timeout(limits.write, writer).await;
        }
        end
    };
    let is_theirs = matches!(end, StreamEvent::Closed | StreamEvent::Unanswered);
    let written = if is_theirs { StreamEnd::Theirs } else { StreamEnd::Ours };
    tell_of_end(&worker, transport, written, &sent, queue);
    if matches!(end, StreamEvent::Malformed | StreamEvent::CutBody) {
        // A close with octets unread resets the connection, and the last answer may be lost with it.
        let _ = timeout(limits.linger, discard(&mut read)).await;
    }
}

/// Reads on until the other end stops, for what is thrown away.
async fn discard(read: &mut (impl AsyncRead + Unpin)) {
    let mut octets = [0; READ_BYTES];
    while matches!(read.read(&mut octets).await, Ok(1..)) {}
}

/// What one connection's writer took from its queue.
#[derive(Default)]
struct Sent {
    /// What it writes.
    in_hand: Cell<Option<TransactionKey>>,
    /// Whose requests it wrote last.
    written: RefCell<VecDeque<TransactionKey>>,
}

impl Sent {
    /// The message in hand is written.
    fn is_written(&self, bytes: &[u8]) {
        let Some(transaction) = self.in_hand.take().filter(|_| !bytes.starts_with(b"SIP/2.0 ")) else { return };
        let mut written = self.written.borrow_mut();
        if written.len() == limits::WRITTEN_REQUESTS_MAX {
            written.pop_front();
        }
        written.push_back(transaction);
    }
}

/// Tells the driver what was queued for a connection that could not be made.
pub(super) fn give_up<D: Driver>(worker: &Rc<Worker<D>>, transport: Transport, mut queue: mpsc::Receiver<Outgoing>) {
    queue.close();
    worker.turn(|feed| {
        while let Ok(outgoing) = queue.try_recv() {
            feed.not_sent(transport, outgoing.transaction);
        }
    });
}

/// Tells the driver of what a connection that ended as `end` has written, and of what it will not write.
fn tell_of_end<D: Driver>(
    worker: &Rc<Worker<D>>,
    transport: Transport,
    end: StreamEnd,
    sent: &Sent,
    mut queue: mpsc::Receiver<Outgoing>,
) {
    queue.close();
    worker.turn(|feed| {
        for transaction in sent.written.take() {
            feed.input(Input::StreamEnded { transaction, end });
        }
        if let Some(transaction) = sent.in_hand.take() {
            feed.cut_off(transport, Some(transaction));
        }
        while let Ok(outgoing) = queue.try_recv() {
            feed.cut_off(transport, outgoing.transaction);
        }
    });
}

async fn read_all<D: Driver>(
    worker: &Rc<Worker<D>>,
    place: &Place,
    life: &Life,
    read: &mut (impl AsyncRead + Unpin),
    speaks_first: Duration,
) -> StreamEvent {
    let limits = place.streams.limits;
    let (mut framer, mut buffer) = (Framer::new(), BytesMut::new());
    let mut held = Held::new(&place.streams.budget);
    let mut silence = (speaks_first, StreamEvent::Slow);
    let mut begun = None;
    loop {
        let limit = match begun {
            None => silence.0,
            Some(begun) => {
                let spent_ms = worker.shared.clock.now().moment.since_ms(begun);
                limits.message.saturating_sub(Duration::from_millis(spent_ms))
            }
        };
        // The framer refuses what is too long, so this grows by one read beyond the longest message at most.
        buffer.reserve(READ_BYTES);
        if !held.resize(buffer.capacity()) {
            return StreamEvent::Crowded;
        }
        match timeout(limit, read.read_buf(&mut buffer)).await {
            Err(_) if begun.is_some() => {
                worker.end_frames(place.flow, &mut framer, &mut buffer);
                return StreamEvent::Slow;
            }
            Err(_) => return silence.1,
            Ok(Ok(0)) => {
                worker.end_frames(place.flow, &mut framer, &mut buffer);
                return StreamEvent::Closed;
            }
            Ok(Err(_)) => return StreamEvent::Closed,
            Ok(Ok(_)) => silence = (limits.idle, StreamEvent::Idle),
        }
        let before = buffer.len();
        if let Some(end) = worker.take_frames(place.flow, &mut framer, &mut buffer) {
            return end;
        }
        // Line ends between messages are no message that has begun.
        if buffer.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            begun = None;
        } else if begun.is_none() || buffer.len() < before {
            begun = Some(worker.shared.clock.now().moment);
        }
        life.read(worker.shared.clock.now().moment, begun.is_some());
        if buffer.is_empty() && buffer.capacity() > KEPT_BYTES_MAX {
            buffer = BytesMut::new();
        }
    }
}

async fn write_all(
    queue: &mut mpsc::Receiver<Outgoing>,
    queued: &Mutex<Held>,
    mut write: impl AsyncWrite + Unpin,
    sent: &Sent,
    limit: Duration,
) -> StreamEvent {
    while let Some(outgoing) = queue.recv().await {
        sent.in_hand.set(outgoing.transaction);
        // TLS keeps what the socket does not take at once, until it is flushed.
        let written = async {
            write.write_all(&outgoing.bytes).await?;
            write.flush().await
        };
        match timeout(limit, written).await {
            Ok(Ok(())) => sent.is_written(&outgoing.bytes),
            Ok(Err(_)) => return StreamEvent::Closed,
            Err(_) => return StreamEvent::Slow,
        }
        let mut held = queued.lock().unwrap_or_else(PoisonError::into_inner);
        let left = held.octets().saturating_sub(outgoing.bytes.len());
        held.resize(left);
    }
    // TLS says goodbye, so that the other end can tell this from a cut.
    let _ = timeout(limit, write.shutdown()).await;
    StreamEvent::Closed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(limits: StreamLimits) -> Arc<Streams> {
        Arc::new(Streams::new(7, limits))
    }

    const NOW: Moment = Moment(0);

    /// One more of that host, whom nobody gives way.
    fn claim(host: u8) -> Option<Claim> {
        let most = limits::CONNECTIONS_PER_ADDRESS_MAX;
        Some(Claim { ip: IpAddr::from([127, 0, 0, host]), most, may_displace: false })
    }

    #[test]
    fn one_address_gets_its_share_of_connections_and_no_more() {
        let streams = streams(StreamLimits::default());
        let [one, other] = [1, 2].map(claim);
        let mut open: Vec<Open> =
            (0..limits::CONNECTIONS_PER_ADDRESS_MAX).map(|_| streams.open(one, Rank::Phone, NOW).unwrap()).collect();
        assert!(streams.open(one, Rank::Trunk, NOW).is_none());
        assert!(streams.open(other, Rank::Phone, NOW).is_some(), "another address is not concerned");
        open.pop();
        assert!(streams.open(one, Rank::Phone, NOW).is_some(), "one that ended makes room");
        open.clear();
        assert_eq!((streams.open.load(Relaxed), streams.shares.len()), (0, 0));
    }

    #[test]
    fn the_last_connections_are_kept_for_trunks_and_for_our_own_and_those_before_for_neighbours() {
        let limits = StreamLimits { connections: 6, for_trunks: 2, for_neighbours: 2, ..StreamLimits::default() };
        let streams = streams(limits);
        let open = |host, rank| streams.open(claim(host), rank, NOW);
        let _phones = [open(1, Rank::Phone).unwrap(), open(2, Rank::Phone).unwrap()];
        assert!(open(3, Rank::Phone).is_none());
        let _neighbours = [open(4, Rank::Neighbour).unwrap(), open(5, Rank::Neighbour).unwrap()];
        assert!(open(6, Rank::Neighbour).is_none());
        let _trunk = open(7, Rank::Trunk).unwrap();
        let _own = streams.open(None, Rank::Trunk, NOW).unwrap();
        assert!(streams.open(None, Rank::Trunk, NOW).is_none(), "six in all");
    }

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        let limits = StreamLimits::default();
        assert_eq!(limits.within(1_000_000).connections, limits::CONNECTIONS_MAX);
        let few = limits.within(1_024);
        assert_eq!((few.connections, few.for_trunks), (1_024 - limits::DESCRIPTORS_KEPT, 192));
        assert_eq!((few.for_neighbours, few.most(Rank::Phone)), (96, 768 - 192 - 96));
        assert_eq!((few.per_neighbour, few.per_address), (192, limits::CONNECTIONS_PER_ADDRESS_MAX));
        assert_eq!(limits.within(10).most(Rank::Phone), 1);
    }

    #[test]
    fn a_connection_nothing_came_over_since_is_hung_up_and_one_that_was_heard_is_not() {
        let streams = streams(StreamLimits::default());
        let remote = SocketAddr::from(([127, 0, 0, 1], 5060));
        let open = streams.open(None, Rank::Trunk, Moment(1_000)).unwrap();
        let (place, _queue) = Place::take(&open, Transport::Tcp, 0, remote, false).ok().unwrap();
        let silent_since =
            |ms| streams.hang_up(Silence { flow: Flow { connection: 0, ..place.flow }, since: Moment(ms) });
        let stands = || streams.by_remote.with(&(0, remote), |number| *number).is_some();
        silent_since(999);
        assert!(stands(), "it was opened since");
        open.life.read(Moment(5_000), false);
        silent_since(4_999);
        assert!(stands(), "something came since");
        silent_since(5_000);
        assert!(!stands(), "the next message opens another");
    }

    #[test]
    fn a_connection_remembers_so_many_of_the_requests_it_wrote_and_no_answers() {
        let sent = Sent::default();
        for number in 0..2 * limits::WRITTEN_REQUESTS_MAX as u128 {
            sent.in_hand.set(Some(TransactionKey(number)));
            sent.is_written(if number % 2 == 0 { b"INVITE sip:a SIP/2.0" } else { b"SIP/2.0 200 OK" });
            assert_eq!(sent.in_hand.take(), None);
        }
        assert!(sent.written.borrow().iter().all(|key| key.0 % 2 == 0));
        assert_eq!(sent.written.borrow().len(), limits::WRITTEN_REQUESTS_MAX);
        sent.in_hand.set(Some(TransactionKey(7)));
        sent.is_written(b"BYE sip:a SIP/2.0");
        let written = sent.written.take();
        assert_eq!((written.len(), written.front().unwrap().0), (limits::WRITTEN_REQUESTS_MAX, 2), "the oldest goes");
    }

    #[test]
    fn a_queue_is_bounded_in_octets_and_gives_back_what_it_held() {
        let streams = streams(StreamLimits { queued_bytes: 100, ..StreamLimits::default() });
        let remote = SocketAddr::from(([127, 0, 0, 1], 5060));
        let open = streams.open(None, Rank::Trunk, NOW).unwrap();
        let (place, queue) = Place::take(&open, Transport::Tcp, 0, remote, true).ok().unwrap();
        let queue_of = |octets: usize| {
            let outgoing = Outgoing { bytes: Bytes::from(vec![b'x'; octets]), transaction: None };
            streams.queue(place.flow.connection, outgoing).is_ok()
        };
        assert!(queue_of(60) && queue_of(40));
        assert!(!queue_of(1), "one hundred octets wait already");
        assert_eq!(place.queued.lock().unwrap().octets(), 100);
        drop((place, queue));
        assert_eq!((streams.by_number.len(), streams.by_remote.len()), (0, 0));
    }
}
