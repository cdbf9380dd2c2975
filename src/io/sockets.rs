//! Every socket of the node is made here: listening ones and those that connect.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use thiserror::Error;

use super::mmsg;
use crate::neighbour::{Address, Transport};

/// Receive and send buffer asked for each UDP socket; the kernel's own limit may be lower. Linux takes it twice: room
/// for more than 3,000 datagrams of a kilobyte.
const BUFFER_BYTES: usize = 4 * 1_048_576;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;
/// A connection on which nothing came for so long is asked whether its other end lives,
const SILENCE_PROBED_AFTER: Duration = Duration::from_secs(30);
/// and again after so long.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// DSCP CS3 as the byte of the IP header: what networks expect of call signalling (RFC 4594 names CS5, the field uses
/// CS3).
const TOS_CS3: u32 = 0x60;

/// Why the rim could not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// Another program, or another listener of this one, has the address.
    #[error("{0} is in use")]
    InUse(Address),
    /// No interface of this host has the address.
    #[error("{0}: this host does not have that address")]
    NoSuchAddress(Address),
    /// The address may not be used by this user: ports below 1024 often.
    #[error("{0}: not permitted")]
    NotPermitted(Address),
    /// A TLS address, and no certificate to show there.
    #[error("{0}: no certificate is configured")]
    NoCertificate(Address),
    /// Any other reason the system gives.
    #[error("{address}: cannot listen ({kind})")]
    Listen {
        /// Which address.
        address: Address,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// A worker thread or its reactor could not be made.
    #[error("cannot start a worker ({0})")]
    Worker(io::ErrorKind),
    /// More than 65,536 listeners.
    #[error("too many listening addresses")]
    TooManyListeners,
}

impl StartError {
    fn listen(address: Address, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress(address),
            io::ErrorKind::PermissionDenied => Self::NotPermitted(address),
            kind => Self::Listen { address, kind },
        }
    }
}

/// A UDP socket, bound and not blocking.
pub(super) fn datagrams(local: SocketAddr) -> Result<UdpSocket, StartError> {
    let address = Address { transport: Transport::Udp, socket: local };
    let socket = plain(local, Type::DGRAM, Protocol::UDP).and_then(|socket| {
        // Best effort: a smaller buffer only loses more in a burst, and what it loses is seldom the new call.
        if mmsg::force_receive_buffer(socket.as_fd(), BUFFER_BYTES as i32).is_err() {
            let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        }
        let _ = socket.set_send_buffer_size(BUFFER_BYTES);
        socket.bind(&SockAddr::from(local))?;
        Ok(socket.into())
    });
    socket.map_err(|error| StartError::listen(address, &error))
}

/// A socket of TCP, or of TLS over it, that listens; not blocking.
pub(super) fn streams(address: Address) -> Result<std::net::TcpListener, StartError> {
    let local = address.socket;
    let socket = plain(local, Type::STREAM, Protocol::TCP).and_then(|socket| {
        // Streams only: two UDP sockets that both ask for it would silently share one address.
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(local))?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    });
    socket.map_err(|error| StartError::listen(address, &error))
}

/// A TCP socket that will connect from the address of one of our listeners, so that a neighbour that knows us by
/// address knows this connection too.
pub(super) fn outgoing(listener: SocketAddr) -> io::Result<tokio::net::TcpSocket> {
    let socket = plain(listener, Type::STREAM, Protocol::TCP)?;
    if !listener.ip().is_unspecified() {
        socket.bind(&SockAddr::from(SocketAddr::new(listener.ip(), 0)))?;
    }
    Ok(tokio::net::TcpSocket::from_std_stream(socket.into()))
}

/// Sends at once what is written, and has the kernel end a connection whose other end is gone without a word: what waits
/// unacknowledged for `limit` ends it, and so does silence to three probes. Without that a firewall that forgot the
/// connection costs every call over it until the system's own limit, a quarter of an hour.
pub(super) fn notice_silence(stream: &tokio::net::TcpStream, limit: Duration) {
    let socket = socket2::SockRef::from(stream);
    let probes = TcpKeepalive::new().with_time(SILENCE_PROBED_AFTER).with_interval(PROBE_INTERVAL).with_retries(3);
    // Best effort: what the system refuses here is noticed later, by SIP's own timers.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_user_timeout((!limit.is_zero()).then_some(limit));
    let _ = socket.set_tcp_keepalive(&probes);
}

/// File descriptors this process may have, after asking for as many as the system lets it.
pub(super) fn descriptors() -> usize {
    let most = rlimit::increase_nofile_limit(rlimit::INFINITY);
    most.ok().and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

fn plain(local: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(local), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if local.is_ipv6() {
        // Only `[::]` means "every address of both families"; any other v6 address is just itself.
        socket.set_only_v6(!local.ip().is_unspecified())?;
        let _ = socket.set_tclass_v6(TOS_CS3);
        // What it sends to IPv4 is marked by the other option.
        let _ = socket.set_tos_v4(TOS_CS3);
    } else {
        let _ = socket.set_tos_v4(TOS_CS3);
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(socket: SocketAddr) -> Address {
        Address { transport: Transport::Tcp, socket }
    }

    #[test]
    fn an_address_in_use_and_one_this_host_lacks_are_named() {
        let first = datagrams("127.0.0.1:0".parse().unwrap()).unwrap();
        let taken = first.local_addr().unwrap();
        let error = datagrams(taken).unwrap_err();
        assert_eq!(error, StartError::InUse(Address { transport: Transport::Udp, socket: taken }));
        assert_eq!(error.to_string(), format!("udp:{taken} is in use"));

        let listening = streams(tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        let taken = listening.local_addr().unwrap();
        assert_eq!(streams(tcp(taken)).unwrap_err(), StartError::InUse(tcp(taken)));

        let foreign = "192.0.2.1:5060".parse().unwrap();
        let error = streams(tcp(foreign)).unwrap_err();
        assert_eq!(error, StartError::NoSuchAddress(tcp(foreign)));
    }

    #[test]
    fn signalling_is_marked_cs3() {
        let socket = Socket::from(datagrams("127.0.0.1:0".parse().unwrap()).unwrap());
        assert_eq!(socket.tos_v4().unwrap(), TOS_CS3);
    }

    #[test]
    fn rfc_5482_a_connection_accepted_or_opened_ends_soon_when_its_other_end_is_gone_without_a_word() {
        let limit = Duration::from_millis(7_500);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let listening = streams(tcp("127.0.0.1:0".parse().unwrap())).unwrap();
            let at = listening.local_addr().unwrap();
            let listening = tokio::net::TcpListener::from_std(listening).unwrap();
            let (opened, accepted) = tokio::join!(outgoing(at).unwrap().connect(at), listening.accept());
            let (opened, (accepted, from)) = (opened.unwrap(), accepted.unwrap());
            assert_eq!(from, opened.local_addr().unwrap());
            for stream in [opened, accepted] {
                let socket = socket2::SockRef::from(&stream);
                assert_eq!(
                    (socket.keepalive().unwrap(), socket.tcp_user_timeout().unwrap()),
                    (false, None),
                    "as it is made"
                );
                notice_silence(&stream, limit);
                assert_eq!(socket.tcp_user_timeout().unwrap(), Some(limit));
                assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
                assert_eq!(socket.tcp_keepalive_time().unwrap(), SILENCE_PROBED_AFTER);
                assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_INTERVAL);
                assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
                notice_silence(&stream, Duration::ZERO);
                assert_eq!(socket.tcp_user_timeout().unwrap(), None, "no limit is the system's own");
            }
        });
    }

    #[test]
    fn only_the_unspecified_v6_address_hears_both_families() {
        // A host without IPv6 has nothing to show here.
        let Ok(both) = datagrams("[::]:0".parse().unwrap()) else { return };
        assert!(!Socket::from(both).only_v6().unwrap());
        if let Ok(six) = datagrams("[::1]:0".parse().unwrap()) {
            assert!(Socket::from(six).only_v6().unwrap());
        }
    }
}
