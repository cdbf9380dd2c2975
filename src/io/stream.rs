//! Streams: a table of connections for the whole node, and on the worker that owns one the tasks that read and write.
//!
//! A worker that wants to send puts the bytes into the connection's queue; what comes in goes straight to the driver
//! on the worker that reads it.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::codec::Decoder;

use super::mmsg::canonical;
use super::worker::{Shared, Worker};
use super::{Driver, sockets, tls};
use crate::engine::effects::{Input, TransactionKey};
use crate::metrics::StreamEvent;
use crate::neighbour::{Flow, Transport};
use crate::sip::frame::{Frame, Framer};
use crate::table::{Inserted, Table};

/// Connections of the node, whoever opened them.
const CONNECTIONS_MAX: usize = 4_096;
/// Connections accepted from one IP address.
const ACCEPTED_PER_ADDRESS_MAX: u32 = 64;
/// Messages that wait to be written to one connection; one more closes it.
const QUEUE_MAX: usize = 256;
/// How long connecting may take: as long as a next hop may be silent.
const CONNECT: Duration = Duration::from_secs(4);
/// How long a message may take from its first byte to its last.
const MESSAGE_MS_MAX: u64 = 8_000;
/// How long the other end may take to accept one message of ours.
const WRITE: Duration = Duration::from_secs(8);
/// Silence after which a neighbour's connection is closed.
const IDLE: Duration = Duration::from_secs(3_600);
/// Bytes asked from the kernel at a time.
const READ_BYTES: usize = 8_192;
/// A buffer that grew beyond this for one message is given back when it is empty.
const KEPT_BYTES_MAX: usize = 65_536;
/// Pause after the system had no descriptor for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Attempts to find or make a connection while others make and lose it.
const ATTEMPTS_MAX: usize = 3;

/// Every connection of the node, by its number and by its other end.
pub(super) struct Streams {
    by_number: Table<u64, Handle>,
    by_remote: Table<(u16, SocketAddr), u64>,
    accepted: Table<IpAddr, u32>,
    last: AtomicU64,
}

/// What a sender needs of a connection.
struct Handle {
    queue: mpsc::Sender<Outgoing>,
    /// Told when the queue ran over.
    overflow: Arc<Notify>,
}

/// One message for a connection.
pub(super) struct Outgoing {
    bytes: Bytes,
    transaction: Option<TransactionKey>,
}

/// The message could not be queued.
#[derive(Debug)]
pub(super) struct NotQueued;

impl Streams {
    /// An empty table; `seed` as for [`Table::new`].
    pub(super) fn new(seed: u64) -> Self {
        Self {
            by_number: Table::new(CONNECTIONS_MAX, seed),
            by_remote: Table::new(CONNECTIONS_MAX, seed),
            accepted: Table::new(CONNECTIONS_MAX, seed),
            last: AtomicU64::new(0),
        }
    }

    /// Queues a message on a connection; gives it back when there is no such connection any more.
    fn queue(&self, number: u64, outgoing: Outgoing) -> Result<(), Queueing> {
        let queued = self.by_number.with(&number, |handle| match handle.queue.try_send(outgoing) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                handle.overflow.notify_one();
                Err(Queueing::Overflow)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Queueing::Gone),
        });
        queued.unwrap_or(Err(Queueing::Gone))
    }

    fn admit(&self, ip: IpAddr) -> bool {
        let fits = |count: &mut u32| {
            let fits = *count < ACCEPTED_PER_ADDRESS_MAX;
            *count += u32::from(fits);
            fits
        };
        for _ in 0..ATTEMPTS_MAX {
            if let Some(fits) = self.accepted.with(&ip, fits) {
                return fits;
            }
            match self.accepted.insert(ip, 1) {
                Ok(Inserted::New) => return true,
                Ok(Inserted::Exists) => {}
                Err(_) => return false,
            }
        }
        false
    }
}

enum Queueing {
    Gone,
    Overflow,
}

/// A connection's place in the tables; given back when dropped.
pub(super) struct Place<D: Driver> {
    shared: Arc<Shared<D>>,
    pub(super) flow: Flow,
    overflow: Arc<Notify>,
    accepted_from: Option<IpAddr>,
}

impl<D: Driver> Place<D> {
    /// Takes a place, unless the node has all it may or, for one we open, another is there already.
    fn take(
        shared: &Arc<Shared<D>>,
        listener: u16,
        remote: SocketAddr,
        accepted_from: Option<IpAddr>,
    ) -> Result<(Self, mpsc::Receiver<Outgoing>), NoPlace> {
        let number = shared.streams.last.fetch_add(1, Relaxed) + 1;
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let overflow = Arc::new(Notify::new());
        let transport = shared.local.get(usize::from(listener)).map_or(Transport::Tcp, |local| local.transport);
        let flow = Flow { transport, listener, remote, connection: number };
        let handle = Handle { queue: sender, overflow: Arc::clone(&overflow) };
        shared.streams.by_number.insert(number, handle).map_err(|_| NoPlace::TooMany)?;
        // From here on dropping gives everything back.
        let place = Self { shared: Arc::clone(shared), flow, overflow, accepted_from };
        match shared.streams.by_remote.insert((listener, remote), number) {
            Ok(Inserted::Exists) if accepted_from.is_none() => Err(NoPlace::Exists),
            Ok(_) => Ok((place, queue)),
            Err(_) => Err(NoPlace::TooMany),
        }
    }
}

impl<D: Driver> Drop for Place<D> {
    fn drop(&mut self) {
        let (streams, number) = (&self.shared.streams, self.flow.connection);
        streams.by_number.remove(&number);
        streams.by_remote.remove_if(&(self.flow.listener, self.flow.remote), |held| *held == number);
        if let Some(ip) = self.accepted_from {
            streams.accepted.with(&ip, |count| *count = count.saturating_sub(1));
            streams.accepted.remove_if(&ip, |count| *count == 0);
        }
    }
}

enum NoPlace {
    TooMany,
    Exists,
}

impl<D: Driver> Worker<D> {
    /// Queues a message on the connection it names, or on any to its other end, opening one if there is none.
    pub(super) fn send_on_stream(
        self: &Rc<Self>,
        flow: Flow,
        bytes: &[u8],
        transaction: Option<TransactionKey>,
    ) -> Result<(), NotQueued> {
        let outgoing = || Outgoing { bytes: Bytes::copy_from_slice(bytes), transaction };
        let streams = &self.shared.streams;
        if flow.connection != 0 {
            return streams.queue(flow.connection, outgoing()).map_err(|_| NotQueued);
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
            match Place::take(&self.shared, flow.listener, flow.remote, None) {
                Ok((place, queue)) => {
                    let number = place.flow.connection;
                    tokio::task::spawn_local(connect(Rc::clone(self), place, queue));
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

    /// Hands over what a connection's buffer holds, one turn for all of it; whether the stream may go on.
    fn take_frames(self: &Rc<Self>, flow: Flow, framer: &mut Framer, buffer: &mut BytesMut) -> bool {
        let mut goes_on = true;
        self.turn(|feed| {
            while goes_on {
                match framer.decode(buffer) {
                    Ok(Some(Frame::Message(bytes))) => feed.input(Input::Message { flow, bytes: &bytes }),
                    Ok(Some(Frame::Ping)) => {
                        let pong = Outgoing { bytes: Bytes::from_static(b"\r\n"), transaction: None };
                        // A connection that is gone needs no answer, and one that overflows is told already.
                        let _ = self.shared.streams.queue(flow.connection, pong);
                    }
                    Ok(Some(Frame::Refused { status, head, .. })) => {
                        feed.refused(flow, status, &head);
                        goes_on = false;
                    }
                    Ok(None) => break,
                    Err(_) => goes_on = false,
                }
            }
        });
        goes_on
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
        if !shared.streams.admit(remote.ip()) {
            shared.counters.stream(StreamEvent::TooMany);
            continue;
        }
        match Place::take(shared, listener, remote, Some(remote.ip())) {
            Ok((place, queue)) => {
                shared.counters.stream(StreamEvent::Accepted);
                // Best effort: messages would only wait for each other a little.
                let _ = stream.set_nodelay(true);
                if transport == Transport::Tls {
                    tokio::task::spawn_local(tls::accept(Rc::clone(&worker), stream, place, queue));
                } else {
                    let (read, write) = stream.into_split();
                    tokio::task::spawn_local(carry(Rc::clone(&worker), read, write, place, queue));
                }
            }
            Err(_) => shared.counters.stream(StreamEvent::TooMany),
        }
    }
}

/// A connection of ours, ready to carry messages.
enum Opened {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

async fn connect<D: Driver>(worker: Rc<Worker<D>>, place: Place<D>, queue: mpsc::Receiver<Outgoing>) {
    let local = worker.shared.local.get(usize::from(place.flow.listener)).copied();
    let remote = place.flow.remote;
    let is_tls = place.flow.transport == Transport::Tls;
    let connecting = async {
        let stream = sockets::outgoing(local?.socket).ok()?.connect(remote).await.ok()?;
        // Best effort: messages would only wait for each other a little.
        let _ = stream.set_nodelay(true);
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
                    carry(worker, read, write, place, queue).await;
                }
                Opened::Tls(stream) => {
                    let (read, write) = tokio::io::split(*stream);
                    carry(worker, read, write, place, queue).await;
                }
            }
        }
        _ => {
            worker.shared.counters.stream(StreamEvent::ConnectFailed);
            let transport = place.flow.transport;
            drop(place);
            give_up(&worker, transport, queue, None);
        }
    }
}

/// Reads and writes one connection until it ends.
pub(super) async fn carry<D: Driver>(
    worker: Rc<Worker<D>>,
    read: impl AsyncRead + Unpin,
    write: impl AsyncWrite + Unpin,
    place: Place<D>,
    mut queue: mpsc::Receiver<Outgoing>,
) {
    let in_hand = Cell::new(None);
    let transport = place.flow.transport;
    {
        let mut writer = pin!(write_all(&mut queue, write, &in_hand));
        let overflow = Arc::clone(&place.overflow);
        let (end, may_finish) = tokio::select! {
            biased;
            () = overflow.notified() => (StreamEvent::Overflow, false),
            end = read_all(&worker, place.flow, read) => (end, true),
            end = &mut writer => (end, false),
        };
        // Nothing more is queued from here on. The other end may still read: answers to what it sent before it
        // stopped sending, and the refusal of what could not be framed.
        drop(place);
        worker.shared.counters.stream(end);
        if may_finish {
            // However it ends, the connection is over; the queue tells what was not written.
            let _ = timeout(WRITE, writer).await;
        }
    }
    give_up(&worker, transport, queue, in_hand.take());
}

/// Tells the driver what was queued and will not be written.
pub(super) fn give_up<D: Driver>(
    worker: &Rc<Worker<D>>,
    transport: Transport,
    mut queue: mpsc::Receiver<Outgoing>,
    in_hand: Option<TransactionKey>,
) {
    queue.close();
    worker.turn(|feed| {
        if in_hand.is_some() {
            feed.not_sent(transport, in_hand);
        }
        while let Ok(outgoing) = queue.try_recv() {
            feed.not_sent(transport, outgoing.transaction);
        }
    });
}

async fn read_all<D: Driver>(worker: &Rc<Worker<D>>, flow: Flow, mut read: impl AsyncRead + Unpin) -> StreamEvent {
    let (mut framer, mut buffer) = (Framer::new(), BytesMut::new());
    let mut begun = None;
    loop {
        let limit = match begun {
            None => IDLE,
            Some(begun) => {
                let spent_ms = worker.shared.clock.now().moment.since_ms(begun);
                Duration::from_millis(MESSAGE_MS_MAX.saturating_sub(spent_ms))
            }
        };
        // The framer refuses what is too long, so this grows by one read beyond the longest message at most.
        buffer.reserve(READ_BYTES);
        match timeout(limit, read.read_buf(&mut buffer)).await {
            Err(_) if begun.is_some() => return StreamEvent::Slow,
            Err(_) => return StreamEvent::Idle,
            Ok(Ok(0) | Err(_)) => return StreamEvent::Closed,
            Ok(Ok(_)) => {}
        }
        let held = buffer.len();
        if !worker.take_frames(flow, &mut framer, &mut buffer) {
            return StreamEvent::Malformed;
        }
        // Line ends between messages are no message that has begun.
        if buffer.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            begun = None;
        } else if begun.is_none() || buffer.len() < held {
            begun = Some(worker.shared.clock.now().moment);
        }
        if buffer.is_empty() && buffer.capacity() > KEPT_BYTES_MAX {
            buffer = BytesMut::new();
        }
    }
}

async fn write_all(
    queue: &mut mpsc::Receiver<Outgoing>,
    mut write: impl AsyncWrite + Unpin,
    in_hand: &Cell<Option<TransactionKey>>,
) -> StreamEvent {
    while let Some(outgoing) = queue.recv().await {
        in_hand.set(outgoing.transaction);
        // TLS keeps what the socket does not take at once, until it is flushed.
        let written = async {
            write.write_all(&outgoing.bytes).await?;
            write.flush().await
        };
        match timeout(WRITE, written).await {
            Ok(Ok(())) => in_hand.set(None),
            Ok(Err(_)) => return StreamEvent::Closed,
            Err(_) => return StreamEvent::Slow,
        }
    }
    // TLS says goodbye, so that the other end can tell this from a cut.
    let _ = timeout(WRITE, write.shutdown()).await;
    StreamEvent::Closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_gets_its_share_of_connections_and_no_more() {
        let streams = Streams::new(7);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        for _ in 0..ACCEPTED_PER_ADDRESS_MAX {
            assert!(streams.admit(one));
        }
        assert!(!streams.admit(one));
        assert!(streams.admit(other), "another address is not concerned");
    }
}
