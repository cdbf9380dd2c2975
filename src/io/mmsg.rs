//! Datagrams in batches: recvmmsg, sendmmsg and the error queue. The unsafe code of the project is here, and in the name of the
//! heap's settings in main.rs.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_int, c_void, iovec, mmsghdr, msghdr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};
use socket2::SockAddr;

/// Datagrams taken or given in one system call.
pub(super) const BATCH: usize = 32;
/// The longest datagram there is.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Datagrams that leave one by one rather than in a batch.
const FEW: usize = 3;
/// Room for the ancillary data of one datagram, or of one entry of the error queue.
const CONTROL_BYTES: usize = 256;

/// One datagram as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    /// Who sent it; an IPv4 sender is IPv4 on a socket of both families too.
    pub(super) from: SocketAddr,
    /// What it holds.
    pub(super) bytes: &'a [u8],
    /// It was longer than the buffer, and its rest is lost.
    pub(super) is_truncated: bool,
}

/// Ancillary data; the kernel reads and writes its headers at the alignment of usize.
#[repr(align(8))]
struct Control([u8; CONTROL_BYTES]);

/// Buffers of one worker, reused for every batch.
pub(super) struct Inbox {
    buffers: Vec<Box<[u8]>>,
    names: [sockaddr_storage; BATCH],
    /// Length and truncation of each datagram of the last batch.
    filled: [(usize, bool); BATCH],
    arrived_us: Option<u64>,
}

impl Inbox {
    /// Buffers of `bytes` each. Pages nobody writes to cost no memory.
    pub(super) fn new(bytes: usize) -> Self {
        let buffers = (0..BATCH).map(|_| vec![0; bytes].into_boxed_slice()).collect();
        // SAFETY: sockaddr_storage is plain integers, for which all zeros is a value.
        let names = unsafe { mem::zeroed() };
        Self { buffers, names, filled: [(0, false); BATCH], arrived_us: None }
    }

    /// Waits for one datagram, for as long as the socket's own timeout says.
    ///
    /// # Errors
    /// `WouldBlock` when none came in that time; an error an earlier send left on the socket.
    pub(super) fn receive_one(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let (Some(buffer), Some(name)) = (self.buffers.first_mut(), self.names.first_mut()) else { return Ok(()) };
        // A socket that was shut down gives nothing, and no sender.
        name.ss_family = 0;
        let mut part = iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: msghdr is plain pointers and integers, for which all zeros is a value.
        let mut header: msghdr = unsafe { mem::zeroed() };
        header.msg_name = ptr::from_mut(name).cast();
        header.msg_namelen = size_as_socklen::<sockaddr_storage>();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        let mut control = Control([0; CONTROL_BYTES]);
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = CONTROL_BYTES as _;
        // SAFETY: name, part, buffer and control are alive and borrowed mutably until the call returns, with their true
        // lengths.
        let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        self.arrived_us = arrival_us(&header);
        if let Some(filled) = self.filled.first_mut() {
            *filled = (length, header.msg_flags & libc::MSG_TRUNC != 0);
        }
        Ok(())
    }

    /// Takes up to [`BATCH`] datagrams that wait; says how many.
    ///
    /// # Errors
    /// `WouldBlock` when none waits; an error an earlier send left on the socket.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: iovec and mmsghdr are plain pointers and integers, for which all zeros is a value.
        let (mut parts, mut headers): ([iovec; BATCH], [mmsghdr; BATCH]) = unsafe { mem::zeroed() };
        let slots = self.buffers.iter_mut().zip(&mut self.names).zip(&mut parts).zip(&mut headers);
        for (((buffer, name), part), header) in slots {
            *part = iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = size_as_socklen::<sockaddr_storage>();
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
        }
        // Of the first one alone, which waited longest, the kernel says when it came.
        let mut control = Control([0; CONTROL_BYTES]);
        if let Some(first) = headers.first_mut() {
            first.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            first.msg_hdr.msg_controllen = CONTROL_BYTES as _;
        }
        // SAFETY: every header points to one part, one name and one buffer of `self`, and the first one to
        // `control`, all alive and borrowed mutably until the call returns, with their true lengths; the count is that of the array; no timeout is given.
        let taken = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as _,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let taken = usize::try_from(taken).map_err(|_| io::Error::last_os_error())?;
        for (filled, header) in self.filled.iter_mut().zip(&headers).take(taken) {
            *filled = (header.msg_len as usize, header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0);
        }
        self.arrived_us = headers.first().and_then(|first| arrival_us(&first.msg_hdr));
        Ok(taken)
    }

    /// When the first datagram of the last batch came, in microseconds of Unix time, where [`stamp_arrivals`] asked for
    /// it.
    pub(super) fn arrived_us(&self) -> Option<u64> {
        self.arrived_us
    }

    /// One datagram of the last batch; `None` beyond its end, or when its sender has no address.
    pub(super) fn datagram(&self, place: usize) -> Option<Datagram<'_>> {
        let (length, is_truncated) = *self.filled.get(place)?;
        let bytes = self.buffers.get(place)?.get(..length)?;
        Some(Datagram { from: address(self.names.get(place)?)?, bytes, is_truncated })
    }
}

/// Sends up to [`BATCH`] datagrams, in order; says how many left. `is_v6` is the family of the socket.
///
/// # Errors
/// Why the first one could not leave; an error of a later one shows when it is the first.
pub(super) fn send(socket: BorrowedFd<'_>, is_v6: bool, batch: &[(SocketAddr, &[u8])]) -> io::Result<usize> {
    let batch = batch.get(..BATCH).unwrap_or(batch);
    if batch.len() <= FEW {
        return send_few(socket, is_v6, batch);
    }
    let mut names: [Option<SockAddr>; BATCH] = [const { None }; BATCH];
    // SAFETY: iovec and mmsghdr are plain pointers and integers, for which all zeros is a value.
    let (mut parts, mut headers): ([iovec; BATCH], [mmsghdr; BATCH]) = unsafe { mem::zeroed() };
    for ((((to, bytes), name), part), header) in batch.iter().zip(&mut names).zip(&mut parts).zip(&mut headers) {
        let name = name.insert(SockAddr::from(of_family(*to, is_v6)));
        // The kernel only reads what is sent; the field is mutable because receiving shares the type.
        *part = iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        header.msg_hdr.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_hdr.msg_namelen = name.len();
        header.msg_hdr.msg_iov = part;
        header.msg_hdr.msg_iovlen = 1;
    }
    // SAFETY: the first `batch.len()` headers, at most BATCH, point to names, parts and bytes that are alive until the
    // call returns, with their true lengths, and are only read.
    let sent =
        unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), batch.len() as _, libc::MSG_DONTWAIT as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// One system call each: cheaper than a batch of so few.
fn send_few(socket: BorrowedFd<'_>, is_v6: bool, few: &[(SocketAddr, &[u8])]) -> io::Result<usize> {
    for (sent, (to, bytes)) in few.iter().enumerate() {
        let name = SockAddr::from(of_family(*to, is_v6));
        // SAFETY: the bytes and the name are alive until the call returns, with their true lengths, and are only read.
        let result = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                name.as_ptr().cast(),
                name.len(),
            )
        };
        if result < 0 {
            return if sent > 0 { Ok(sent) } else { Err(io::Error::last_os_error()) };
        }
    }
    Ok(few.len())
}

/// A datagram of ours that the network gave back.
#[derive(Debug)]
pub(super) struct Bounce<'a> {
    /// Where it was going.
    pub(super) to: SocketAddr,
    /// What the network said of it.
    pub(super) error: io::Error,
    /// As much of it as came back.
    pub(super) bytes: &'a [u8],
}

/// Asks the kernel to keep what the network says of our datagrams.
///
/// # Errors
/// What the system says; the socket works without it, only slower to notice a dead neighbour.
pub(super) fn keep_errors(socket: BorrowedFd<'_>, is_v6: bool) -> io::Result<()> {
    let of_v4 = set_option(socket, libc::SOL_IP, libc::IP_RECVERR, 1);
    // A socket of both families is asked for both: what comes back of its IPv4 datagrams is told by the other option.
    if is_v6 { set_option(socket, libc::SOL_IPV6, libc::IPV6_RECVERR, 1) } else { of_v4 }
}

/// Asks the kernel to say when each datagram came.
///
/// # Errors
/// What the system says; without it the node does not notice that it is late.
pub(super) fn stamp_arrivals(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// Asks for a receive buffer beyond the system's limit (`net.core.rmem_max`).
///
/// # Errors
/// What the system says: a process without CAP_NET_ADMIN may not.
pub(super) fn force_receive_buffer(socket: BorrowedFd<'_>, bytes: c_int) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
}

fn set_option(socket: BorrowedFd<'_>, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the value is one c_int that outlives the call, and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(&value).cast::<c_void>(),
            size_as_socklen::<c_int>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The arrival time in a received message's ancillary data, microseconds of Unix time.
fn arrival_us(header: &msghdr) -> Option<u64> {
    // SAFETY: the kernel has filled `header` and the control data it points to, which its caller still holds; the macros
    // walk only within msg_controllen, and the time is read only when its entry holds a whole timespec, at whatever
    // alignment.
    let time = unsafe {
        let entry = libc::CMSG_FIRSTHDR(header);
        let found = entry.as_ref()?;
        let whole = libc::CMSG_LEN(mem::size_of::<libc::timespec>() as u32) as usize;
        let is_time = (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS);
        if !is_time || found.cmsg_len < whole {
            return None;
        }
        libc::CMSG_DATA(entry).cast::<libc::timespec>().read_unaligned()
    };
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).ok()?, u64::try_from(time.tv_nsec).ok()?);
    Some(seconds * 1_000_000 + nanoseconds / 1_000)
}

/// Takes one entry of the error queue; `None` when it is empty or the entry names no destination.
pub(super) fn bounced<'a>(socket: BorrowedFd<'_>, buffer: &'a mut [u8]) -> Option<Bounce<'a>> {
    let mut control = Control([0; CONTROL_BYTES]);
    // SAFETY: both are plain pointers and integers, for which all zeros is a value.
    let (mut name, mut header): (sockaddr_storage, msghdr) = unsafe { mem::zeroed() };
    let mut part = iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    header.msg_name = ptr::from_mut(&mut name).cast();
    header.msg_namelen = size_as_socklen::<sockaddr_storage>();
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_BYTES;
    // SAFETY: name, part, buffer and control are alive until the call returns, with their true lengths.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) };
    let length = usize::try_from(length).ok()?;
    // SAFETY: the kernel has filled `header` and `control`; the macros walk only within msg_controllen, and an entry
    // is read only when its own length holds a whole sock_extended_err, at whatever alignment.
    let error = unsafe {
        let mut errno = 0;
        let mut entry = libc::CMSG_FIRSTHDR(&raw const header);
        while let Some(found) = entry.as_ref() {
            let is_error = (found.cmsg_level, found.cmsg_type) == (libc::SOL_IP, libc::IP_RECVERR)
                || (found.cmsg_level, found.cmsg_type) == (libc::SOL_IPV6, libc::IPV6_RECVERR);
            let whole = libc::CMSG_LEN(mem::size_of::<libc::sock_extended_err>() as u32) as usize;
            if is_error && found.cmsg_len >= whole {
                let data = libc::CMSG_DATA(entry).cast::<libc::sock_extended_err>().read_unaligned();
                errno = c_int::try_from(data.ee_errno).unwrap_or(0);
            }
            entry = libc::CMSG_NXTHDR(&raw const header, entry);
        }
        io::Error::from_raw_os_error(errno)
    };
    Some(Bounce { to: address(&name)?, error, bytes: buffer.get(..length)? })
}

fn address(name: &sockaddr_storage) -> Option<SocketAddr> {
    match c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: sockaddr_storage is larger than, and aligned for, every socket address; the family says which.
            let v4 = unsafe { &*ptr::from_ref(name).cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*ptr::from_ref(name).cast::<sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(canonical(SocketAddr::new(IpAddr::V6(ip), u16::from_be(v6.sin6_port))))
        }
        _ => None,
    }
}

/// An IPv4 address that a socket of both families wrote as IPv6, as IPv4: neighbours are known by it.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// An address as a socket of that family takes it: a socket of both families is of IPv6, and takes IPv4 as mapped.
pub(super) fn of_family(address: SocketAddr, is_v6: bool) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if is_v6 => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), address.port()),
        _ => address,
    }
}

fn size_as_socklen<T>() -> socklen_t {
    // Socket addresses and options are a few hundred bytes at most.
    mem::size_of::<T>() as socklen_t
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    fn pair() -> (UdpSocket, UdpSocket) {
        let [a, b] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        b.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (a, b)
    }

    #[test]
    fn a_batch_arrives_whole_in_order_with_its_sender() {
        let (a, b) = pair();
        let to = b.local_addr().unwrap();
        let texts: Vec<String> = (0..40).map(|n| format!("datagram {n}")).collect();
        let batch: Vec<(SocketAddr, &[u8])> = texts.iter().map(|text| (to, text.as_bytes())).collect();
        assert_eq!(send(a.as_fd(), false, &batch).unwrap(), BATCH, "never more than a batch");
        assert_eq!(send(a.as_fd(), false, &batch[BATCH..]).unwrap(), 8);
        let mut inbox = Inbox::new(64);
        let mut seen = Vec::new();
        while seen.len() < texts.len() {
            // On loopback a sent datagram waits at the receiver when the send returns.
            let taken = inbox.receive(b.as_fd()).unwrap();
            for place in 0..taken {
                let datagram = inbox.datagram(place).unwrap();
                assert_eq!(datagram.from, a.local_addr().unwrap());
                assert!(!datagram.is_truncated);
                seen.push(String::from_utf8(datagram.bytes.to_vec()).unwrap());
            }
        }
        assert_eq!(seen, texts);
        assert_eq!(inbox.receive(b.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(inbox.datagram(BATCH), None);
    }

    #[test]
    fn one_datagram_is_waited_for_until_the_sockets_own_time_is_over() {
        let (a, b) = pair();
        let mut inbox = Inbox::new(64);
        b.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(inbox.receive_one(b.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        a.send_to(b"hello", b.local_addr().unwrap()).unwrap();
        inbox.receive_one(b.as_fd()).unwrap();
        let from = a.local_addr().unwrap();
        assert_eq!(inbox.datagram(0), Some(Datagram { from, bytes: b"hello", is_truncated: false }));
        // Shut down: the wait ends with nothing, from nobody.
        let _ = socket2::SockRef::from(&b).shutdown(std::net::Shutdown::Both);
        inbox.receive_one(b.as_fd()).unwrap();
        assert_eq!(inbox.datagram(0), None);
    }

    #[test]
    fn the_kernel_says_when_the_first_datagram_of_a_batch_came() {
        let (a, b) = pair();
        let mut inbox = Inbox::new(64);
        let clock = super::super::Clock::start();
        let unix_us = || clock.read().1;
        a.send_to(b"unasked", b.local_addr().unwrap()).unwrap();
        assert_eq!((inbox.receive(b.as_fd()).unwrap(), inbox.arrived_us()), (1, None));
        stamp_arrivals(b.as_fd()).unwrap();
        let before = unix_us();
        for text in ["first", "second"] {
            a.send_to(text.as_bytes(), b.local_addr().unwrap()).unwrap();
        }
        assert_eq!(inbox.receive(b.as_fd()).unwrap(), 2);
        let arrived = inbox.arrived_us().unwrap();
        assert!((before..=unix_us()).contains(&arrived), "{before} {arrived}");
        assert!(inbox.receive(b.as_fd()).is_err());
    }

    #[test]
    fn a_datagram_longer_than_the_buffer_says_so() {
        let (a, b) = pair();
        a.send_to(&[7; 100], b.local_addr().unwrap()).unwrap();
        let mut inbox = Inbox::new(64);
        assert_eq!(inbox.receive(b.as_fd()).unwrap(), 1);
        let datagram = inbox.datagram(0).unwrap();
        assert!(datagram.is_truncated);
        assert_eq!(datagram.bytes, [7; 64]);
    }

    #[test]
    fn a_closed_port_gives_the_datagram_back() {
        let (a, b) = pair();
        let dead = b.local_addr().unwrap();
        drop(b);
        keep_errors(a.as_fd(), false).unwrap();
        assert_eq!(send(a.as_fd(), false, &[(dead, b"OPTIONS sip:nobody SIP/2.0\r\n")]).unwrap(), 1);
        // Loopback answers within the send.
        let mut buffer = [0; 256];
        let bounce = bounced(a.as_fd(), &mut buffer).unwrap();
        assert_eq!((bounce.to, bounce.bytes), (dead, &b"OPTIONS sip:nobody SIP/2.0\r\n"[..]));
        assert_eq!(bounce.error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(bounced(a.as_fd(), &mut buffer).is_none(), "taken once");
    }

    #[test]
    fn a_datagram_nobody_can_carry_is_an_error_of_its_own() {
        let (a, b) = pair();
        let to = b.local_addr().unwrap();
        let long = vec![0; 65_535];
        let batch: [(SocketAddr, &[u8]); 3] = [(to, b"first"), (to, &long), (to, b"last")];
        assert_eq!(send(a.as_fd(), false, &batch).unwrap(), 1, "those before it leave");
        let error = send(a.as_fd(), false, &batch[1..]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    }

    #[test]
    fn ipv4_on_a_socket_of_both_families_stays_ipv4() {
        let Ok(both) = super::super::sockets::datagrams("[::]:0".parse().unwrap()) else { return };
        let four = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), both.local_addr().unwrap().port());
        four.send_to(b"hello", to).unwrap();
        let mut inbox = Inbox::new(64);
        assert_eq!(inbox.receive(both.as_fd()).unwrap(), 1);
        let from = inbox.datagram(0).unwrap().from;
        assert_eq!(from, four.local_addr().unwrap());
        assert_eq!(send(both.as_fd(), true, &[(from, b"back")]).unwrap(), 1);
        four.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        assert_eq!(four.recv(&mut [0; 16]).unwrap(), 4);
    }
}
