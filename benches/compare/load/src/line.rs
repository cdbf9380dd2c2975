//! What one side speaks by: a socket of datagrams, or streams that messages are cut out of.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use crate::system::{self, Batch};

/// Streams one side has at most; the node opens one, and another when that is gone.
const STREAMS_MAX: usize = 8;
/// Octets that wait unread or unwritten in one stream at most; a stream with more is closed.
const WAITING_BYTES_MAX: usize = 1_048_576;
/// Octets read at a time.
const READ_BYTES: usize = 65_536;

/// The sockets of one side.
pub enum Line {
    /// One socket of datagrams.
    Datagrams(UdpSocket),
    /// Streams: one of the caller's own, or those that the called side has accepted.
    Streams(Option<TcpListener>, Vec<Stream>),
}

/// One connection.
pub struct Stream {
    socket: TcpStream,
    remote: SocketAddrV4,
    unread: Vec<u8>,
    unwritten: Vec<u8>,
}

impl Line {
    /// Datagrams from and to an address.
    ///
    /// # Errors
    ///
    /// What the system says of the address.
    pub fn datagrams(at: SocketAddrV4) -> io::Result<Self> {
        Ok(Self::Datagrams(system::bind(at)?))
    }

    /// One stream to the node, from any port of an address.
    ///
    /// # Errors
    ///
    /// What the system says of the two addresses.
    pub fn connected(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<Self> {
        let stream = Stream::new(system::connect(*from.ip(), to)?, to)?;
        Ok(Self::Streams(None, vec![stream]))
    }

    /// Streams that the node opens.
    ///
    /// # Errors
    ///
    /// What the system says of the address.
    pub fn listening(at: SocketAddrV4) -> io::Result<Self> {
        let listener = TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        Ok(Self::Streams(Some(listener), Vec::new()))
    }

    /// What is to be waited for.
    pub fn descriptors(&self, out: &mut Vec<RawFd>) {
        match self {
            Self::Datagrams(socket) => out.push(socket.as_raw_fd()),
            Self::Streams(listener, streams) => {
                out.extend(listener.as_ref().map(AsRawFd::as_raw_fd));
                out.extend(streams.iter().map(|stream| stream.socket.as_raw_fd()));
            }
        }
    }

    /// Takes what has come, at most one batch. Gives back how many messages there are now.
    pub fn receive(&mut self, batch: &mut Batch) -> usize {
        let (listener, streams) = match self {
            Self::Datagrams(socket) => return batch.receive(socket),
            Self::Streams(listener, streams) => (listener, streams),
        };
        if streams.len() < STREAMS_MAX
            && let Some(Ok((socket, SocketAddr::V4(remote)))) = listener.as_ref().map(TcpListener::accept)
        {
            streams.extend(Stream::new(socket, remote));
        }
        batch.clear();
        streams.retain_mut(|stream| stream.read(batch));
        batch.len()
    }

    /// Sends a message; `false`: the system, or the node, does not take it.
    pub fn send(&mut self, octets: &[u8], to: SocketAddrV4) -> bool {
        match self {
            // The first error may be an old one: a port that was closed once.
            Self::Datagrams(socket) => socket.send_to(octets, to).or_else(|_| socket.send_to(octets, to)).is_ok(),
            Self::Streams(_, streams) => {
                streams.iter_mut().find(|stream| stream.remote == to).is_some_and(|stream| stream.write(octets))
            }
        }
    }
}

impl Stream {
    fn new(socket: TcpStream, remote: SocketAddrV4) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, remote, unread: Vec::new(), unwritten: Vec::new() })
    }

    /// Reads what there is into the batch; whether the stream stands.
    fn read(&mut self, batch: &mut Batch) -> bool {
        let mut octets = [0; READ_BYTES];
        let stands = match self.socket.read(&mut octets) {
            Ok(0) => false,
            Ok(length) => {
                self.unread.extend_from_slice(&octets[..length]);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        let mut at = 0;
        while let Some((begin, end)) = next_message(&self.unread[at..]) {
            if !batch.push(&self.unread[at + begin..at + end], self.remote) {
                break;
            }
            at += end;
        }
        self.unread.drain(..at);
        stands && self.write(&[]) && self.unread.len() <= WAITING_BYTES_MAX
    }

    /// Writes what waits, and these octets behind it.
    fn write(&mut self, octets: &[u8]) -> bool {
        self.unwritten.extend_from_slice(octets);
        while !self.unwritten.is_empty() {
            match self.socket.write(&self.unwritten) {
                Ok(length) => drop(self.unwritten.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        self.unwritten.len() <= WAITING_BYTES_MAX
    }
}

/// Where the first whole message begins and ends; line ends before it belong to none (RFC 3261 section 18.3).
fn next_message(octets: &[u8]) -> Option<(usize, usize)> {
    let begin = octets.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let message = &octets[begin..];
    let head = message.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let lines = message[..head].split(|byte| *byte == b'\n');
    let length = lines.filter_map(|line| line.split_first_chunk::<15>()).find_map(|(name, value)| {
        let value = name.eq_ignore_ascii_case(b"content-length:").then_some(value)?;
        std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok()
    });
    let end = head.checked_add(length.unwrap_or(0))?;
    (message.len() >= end).then_some((begin, begin + end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_out_of_a_stream_wherever_it_is_torn() {
        let first = "\r\n\r\nOPTIONS sip:a SIP/2.0\r\ncontent-length:  5\r\n\r\na\r\n\r\n";
        let stream = format!("{first}SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\nBYE");
        let octets = stream.as_bytes();
        assert_eq!(next_message(octets), Some((4, first.len())));
        for torn in 0..first.len() {
            assert_eq!(next_message(&octets[..torn]), None, "{torn}");
        }
        let rest = &octets[first.len()..];
        assert_eq!(next_message(rest), Some((0, rest.len() - 3)));
        assert_eq!(next_message(b"BYE"), None);
    }

    #[test]
    fn what_one_stream_sends_another_receives_as_whole_messages() {
        let at = SocketAddrV4::new([127, 0, 7, 90].into(), 15_090);
        let mut called = Line::listening(at).unwrap();
        let mut caller = Line::connected(SocketAddrV4::new([127, 0, 7, 91].into(), 15_060), at).unwrap();
        let message = b"BYE sip:x SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";
        let mut batch = Batch::default();
        for _ in 0..3 {
            assert!(caller.send(message, at));
        }
        let mut seen = 0;
        while seen < 3 {
            let mut polled = Vec::new();
            called.descriptors(&mut polled);
            system::wait(&polled, 1_000_000_000);
            for number in 0..called.receive(&mut batch) {
                let (octets, from) = batch.datagram(number);
                assert_eq!((octets, *from.ip()), (&message[..], [127, 0, 7, 91].into()));
                assert!(called.send(octets, from), "back over the stream it came by");
                seen += 1;
            }
        }
        assert!(!caller.send(message, SocketAddrV4::new([127, 0, 7, 92].into(), 15_090)), "no such stream");
    }
}
