//! How a test neighbour speaks with the node: one row of [`LINES`] for each transport and address family, so that every
//! test that takes a line runs over all of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::DerefMut;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use emcc_trunk::neighbour::Transport;
use emcc_trunk::sip::frame::{Frame, Framer};
use rustls::{ConnectionCommon, SideData, StreamOwned};
use socket2::{Domain, Socket, Type};
use tokio_util::codec::Decoder;

use crate::papers::Papers;

/// Longest wait for anything; a test that reaches it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a reader waits before it looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(10);

/// One way to speak with the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) transport: Transport,
    pub(crate) is_v6: bool,
}

pub(crate) const UDP_V4: Line = Line { transport: Transport::Udp, is_v6: false };
pub(crate) const UDP_V6: Line = Line { transport: Transport::Udp, is_v6: true };
pub(crate) const TCP_V4: Line = Line { transport: Transport::Tcp, is_v6: false };
pub(crate) const TCP_V6: Line = Line { transport: Transport::Tcp, is_v6: true };

pub(crate) const TLS_V4: Line = Line { transport: Transport::Tls, is_v6: false };
pub(crate) const TLS_V6: Line = Line { transport: Transport::Tls, is_v6: true };

/// Whole messages to and from the node.
pub(crate) trait Wire {
    /// Sends octets as they are.
    fn send(&mut self, octets: &[u8]);

    /// The next message; none when the node has closed.
    fn next(&mut self) -> Option<Vec<u8>>;

    /// The next message, should one come within `wait`. Of datagrams alone.
    fn next_within(&mut self, _wait: Duration) -> Option<Vec<u8>> {
        panic!("a stream is read to its next message");
    }

    /// Sends nothing more, where there is such a thing.
    fn finish(&mut self) {}
}

/// A stream whose sending half can end alone.
pub(crate) trait Halves: Read + Write {
    /// Ends sending.
    fn end(&mut self);
}

impl Halves for TcpStream {
    fn end(&mut self) {
        let _ = self.shutdown(std::net::Shutdown::Write);
    }
}

impl<C, S> Halves for StreamOwned<C, TcpStream>
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    fn end(&mut self) {
        self.conn.send_close_notify();
        // The node may have closed already.
        let _ = self.flush();
        self.sock.end();
    }
}

/// A neighbour's end of datagrams: its own port, and those that Vias of its messages name.
pub(crate) struct Datagrams {
    socket: UdpSocket,
    to: SocketAddr,
    inbox: Receiver<Vec<u8>>,
    is_over: Arc<AtomicBool>,
    readers: Vec<JoinHandle<()>>,
}

impl Datagrams {
    pub(crate) fn open(own: SocketAddr, more_ports: &[u16], to: SocketAddr) -> Self {
        let (sender, inbox) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let socket = UdpSocket::bind(own).unwrap();
        let more = more_ports.iter().map(|port| UdpSocket::bind((own.ip(), *port)).unwrap());
        let readers = std::iter::once(socket.try_clone().unwrap())
            .chain(more)
            .map(|socket| read_from(socket, sender.clone(), Arc::clone(&is_over)))
            .collect();
        Self { socket, to, inbox, is_over, readers }
    }
}

/// Hears a socket until it is over.
fn read_from(socket: UdpSocket, sender: Sender<Vec<u8>>, is_over: Arc<AtomicBool>) -> JoinHandle<()> {
    socket.set_read_timeout(Some(LOOK)).unwrap();
    thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        while !is_over.load(Relaxed) {
            if let Ok((length, _)) = socket.recv_from(&mut buffer) {
                let _ = sender.send(buffer[..length].to_vec());
            }
        }
    })
}

impl Drop for Datagrams {
    /// Gives the ports back before another test takes the network.
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

impl Wire for Datagrams {
    fn send(&mut self, octets: &[u8]) {
        self.socket.send_to(octets, self.to).unwrap();
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        Some(self.inbox.recv_timeout(PATIENCE).expect("a datagram comes"))
    }

    fn next_within(&mut self, wait: Duration) -> Option<Vec<u8>> {
        self.inbox.recv_timeout(wait).ok()
    }
}

/// A neighbour's end of a stream of any kind.
pub(crate) struct Stream {
    stream: Box<dyn Halves>,
    framer: Framer,
    buffer: BytesMut,
}

impl Stream {
    pub(crate) fn of(stream: Box<dyn Halves>) -> Self {
        Self { stream, framer: Framer::new(), buffer: BytesMut::new() }
    }
}

impl Wire for Stream {
    fn send(&mut self, octets: &[u8]) {
        // The node may have closed already; what it said before is read all the same.
        let _ = self.stream.write_all(octets);
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.framer.decode(&mut self.buffer).unwrap() {
                Some(Frame::Message(bytes)) => return Some(bytes.to_vec()),
                // A lone CRLF answers a ping; the framer skips it.
                Some(other) => panic!("the node sent {other:?}"),
                None => {}
            }
            let mut octets = [0; 65_535];
            match self.stream.read(&mut octets) {
                Ok(0) => return None,
                Ok(length) => self.buffer.extend_from_slice(&octets[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    fn finish(&mut self) {
        self.stream.end();
    }
}

#[allow(clippy::disallowed_methods)] // a real node has a real clock
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A TCP connection to the node from an address of the neighbour's; port 0 for any.
pub(crate) fn connect(from: SocketAddr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(from), Type::STREAM, None).unwrap();
    // The same two ports are used again and again: closing leaves nothing behind.
    socket.set_reuse_address(true).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    socket.set_tcp_nodelay(true).unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The next hop's end: where the node sends what it passes on.
pub(crate) enum Far {
    Datagrams(Datagrams),
    Listening(TcpListener, Option<Rc<Papers>>),
    Connected(Stream),
}

impl Far {
    pub(crate) fn open(line: Line, at: SocketAddr, node: SocketAddr, papers: Option<Rc<Papers>>) -> Self {
        match line.transport {
            Transport::Udp => Self::Datagrams(Datagrams::open(at, &[], node)),
            _ => Self::Listening(TcpListener::bind(at).unwrap(), papers),
        }
    }
}

impl Wire for Far {
    fn send(&mut self, octets: &[u8]) {
        match self {
            Self::Datagrams(datagrams) => datagrams.send(octets),
            Self::Connected(stream) => stream.send(octets),
            Self::Listening(..) => panic!("the node has not connected yet"),
        }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        if let Self::Listening(listener, papers) = self {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let stream = match papers {
                Some(papers) => papers.accept(stream),
                None => Box::new(stream),
            };
            *self = Self::Connected(Stream::of(stream));
        }
        match self {
            Self::Datagrams(datagrams) => datagrams.next(),
            Self::Connected(stream) => stream.next(),
            Self::Listening(..) => None,
        }
    }
}
