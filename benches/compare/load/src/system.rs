//! What the standard library lacks: batched receiving, waiting in nanoseconds, socket buffers, signals. All unsafe code
//! of the generator is in this file.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Datagrams taken from a socket at once.
const BATCH: usize = 64;
/// Longest datagram taken, octets; a longer one is cut and counted as a stray.
const DATAGRAM_BYTES_MAX: usize = 4_096;
/// Receive and send buffer asked for each socket, octets; the kernel's own limit may be lower.
static BUFFER_BYTES: libc::c_int = 4 * 1_048_576;

static STOP: AtomicBool = AtomicBool::new(false);
static GO: AtomicBool = AtomicBool::new(false);

/// Binds a socket that never blocks.
///
/// # Errors
///
/// What the system says of the address.
pub fn bind(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    for buffer in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
        // SAFETY: the value is a C int that outlives the call, and its size is given.
        // Best effort: a smaller buffer shows as retransmissions in the self test.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                buffer,
                (&raw const BUFFER_BYTES).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            );
        }
    }
    Ok(socket)
}

/// Opens a connection from any port of an address; waits until it stands.
///
/// # Errors
///
/// What the system says of either address, or no descriptor is left.
pub fn connect(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    let name = |address: SocketAddrV4| libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    };
    let is_done = |code: libc::c_int| if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code) };
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    let (from, to, yes) = (name(SocketAddrV4::new(from, 0)), name(to), 1 as libc::c_int);
    // SAFETY: the descriptor is new and has this one owner; addresses and option live through the calls, with their sizes.
    unsafe {
        let socket = is_done(libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0))?;
        let owned = OwnedFd::from_raw_fd(socket);
        // The port is chosen with the other end known: an address then has its ports once for every such end.
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        let option = libc::IP_BIND_ADDRESS_NO_PORT;
        is_done(libc::setsockopt(socket, libc::SOL_IP, option, (&raw const yes).cast(), size))?;
        is_done(libc::bind(socket, (&raw const from).cast(), length))?;
        is_done(libc::connect(socket, (&raw const to).cast(), length))?;
        Ok(owned.into())
    }
}

/// Waits until one of the sockets has something or `ns` nanoseconds are over; signals end it early.
pub fn wait(sockets: &[RawFd], ns: u64) {
    let polled = sockets.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 });
    let mut polled: Vec<libc::pollfd> = polled.collect();
    let time =
        libc::timespec { tv_sec: (ns / 1_000_000_000) as libc::time_t, tv_nsec: (ns % 1_000_000_000) as libc::c_long };
    // SAFETY: the list and the time live through the call; no signal mask is given.
    unsafe {
        libc::ppoll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, &raw const time, std::ptr::null());
    }
}

/// Room for one batch of datagrams.
pub struct Batch {
    datagrams: Box<[[u8; DATAGRAM_BYTES_MAX]; BATCH]>,
    senders: [libc::sockaddr_in; BATCH],
    lengths: [usize; BATCH],
    used: usize,
}

impl Default for Batch {
    fn default() -> Self {
        // SAFETY: an all-zero sockaddr_in is a valid value of that plain C structure.
        let senders = unsafe { std::mem::zeroed() };
        Self { datagrams: Box::new([[0; DATAGRAM_BYTES_MAX]; BATCH]), senders, lengths: [0; BATCH], used: 0 }
    }
}

impl Batch {
    /// Takes what a socket has, at most one batch. Gives back how many datagrams there are now.
    pub fn receive(&mut self, socket: &UdpSocket) -> usize {
        // SAFETY: all-zero iovec and mmsghdr are valid values; every pointer written below leads into `self`, which
        // outlives the call, and each length is the length of what it points to.
        unsafe {
            let mut pieces: [libc::iovec; BATCH] = std::mem::zeroed();
            let mut headers: [libc::mmsghdr; BATCH] = std::mem::zeroed();
            for at in 0..BATCH {
                pieces[at].iov_base = self.datagrams[at].as_mut_ptr().cast();
                pieces[at].iov_len = DATAGRAM_BYTES_MAX;
                headers[at].msg_hdr.msg_iov = &raw mut pieces[at];
                headers[at].msg_hdr.msg_iovlen = 1;
                headers[at].msg_hdr.msg_name = (&raw mut self.senders[at]).cast();
                headers[at].msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            let flags = libc::MSG_DONTWAIT;
            let got =
                libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), BATCH as u32, flags, std::ptr::null_mut());
            let got = usize::try_from(got).unwrap_or(0);
            for (length, header) in self.lengths.iter_mut().zip(&headers).take(got) {
                *length = header.msg_len as usize;
            }
            self.used = got;
            got
        }
    }

    /// Forgets what it holds.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Messages it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used
    }

    /// Takes in a message that came another way; `false`: there is no room. A longer one is cut.
    pub fn push(&mut self, octets: &[u8], from: SocketAddrV4) -> bool {
        let Some(room) = self.datagrams.get_mut(self.used) else { return false };
        let length = octets.len().min(room.len());
        room[..length].copy_from_slice(&octets[..length]);
        self.lengths[self.used] = length;
        self.senders[self.used].sin_addr.s_addr = u32::from(*from.ip()).to_be();
        self.senders[self.used].sin_port = from.port().to_be();
        self.used += 1;
        true
    }

    /// A message of the last batch, and who sent it.
    #[must_use]
    pub fn datagram(&self, at: usize) -> (&[u8], SocketAddrV4) {
        let sender = &self.senders[at];
        let address = Ipv4Addr::from(u32::from_be(sender.sin_addr.s_addr));
        (&self.datagrams[at][..self.lengths[at]], SocketAddrV4::new(address, u16::from_be(sender.sin_port)))
    }
}

/// Lets SIGTERM and SIGINT end the run, SIGUSR1 its pauses, and timers come without slack.
pub fn prepare() {
    extern "C" fn stop(_: libc::c_int) {
        STOP.store(true, Relaxed);
    }
    extern "C" fn go(_: libc::c_int) {
        GO.store(true, Relaxed);
    }
    let handlers: [(libc::c_int, extern "C" fn(libc::c_int)); 3] =
        [(libc::SIGTERM, stop), (libc::SIGINT, stop), (libc::SIGUSR1, go)];
    // SAFETY: the handlers only store to atomics; the action is zeroed, which is a valid value, before it is filled.
    unsafe {
        for (signal, handler) in handlers {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as libc::sighandler_t;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        // The kernel may otherwise be 50 us late with every wait.
        libc::prctl(libc::PR_SET_TIMERSLACK, 1);
    }
}

/// Whether somebody asked the run to end.
#[must_use]
pub fn is_stopped() -> bool {
    STOP.load(Relaxed)
}

/// Whether the pause was ended since this was last asked.
#[must_use]
pub fn take_go() -> bool {
    GO.swap(false, Relaxed)
}

/// CPU time this process has used, microseconds.
#[must_use]
pub fn cpu_us() -> u64 {
    // SAFETY: the structure is filled by the call and all-zero is a valid value of it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let us = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    us(usage.ru_utime) + us(usage.ru_stime)
}
