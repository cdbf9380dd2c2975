//! Ten thousand certificate swaps under live handshakes, in a process of their own, so that its memory is theirs.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere
#![allow(clippy::disallowed_methods)] // how long a wait may be

#[path = "pki/ends.rs"]
mod ends;
#[path = "pki/mod.rs"]
mod pki;
#[path = "tls/rim.rs"]
mod rim;

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;

use emcc_trunk::certificates::Material;
use ends::client;
use pki::{Authority, Pair};
use rim::{NEIGHBOUR, NODE, Rim, answer, dial, echoes, message};
use rustls::ClientConfig;

const SWAPS: u32 = 10_000;
/// Swaps before memory is first looked at: whatever is made once has been made.
const WARM: u32 = 1_000;
/// At most so many swaps for each handshake.
const SWAPS_A_HANDSHAKE: u32 = 8;
/// What allocators may keep for themselves between two looks.
const GROWTH_KIB_MAX: u64 = 1_024;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Handshakes begun while certificates are swapped.
#[derive(Default)]
struct Shaken {
    /// That neighbours began.
    answered: AtomicU32,
    /// That the node began.
    begun: AtomicU32,
    failed: AtomicU32,
    stop: AtomicBool,
}

impl Shaken {
    /// One connection to the node after the other until told to stop.
    fn come(&self, at: SocketAddr, config: &Arc<ClientConfig>) {
        while !self.stop.load(Relaxed) {
            let went = TcpStream::connect(at).is_ok_and(|stream| {
                stream.set_read_timeout(Some(rim::PATIENCE)).unwrap();
                // Without it a handshake is mostly the kernel's wait for more to send.
                stream.set_nodelay(true).unwrap();
                echoes(&mut dial(stream, Arc::clone(config)), 1)
            });
            self.failed.fetch_add(u32::from(!went), Relaxed);
            self.answered.fetch_add(1, Relaxed);
        }
    }

    /// One connection of the node's after the other: a message to an address nobody had before.
    fn are_called(&self, udp: SocketAddr, authority: &Authority, pair: &Pair) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        while !self.stop.load(Relaxed) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            socket2::SockRef::from(&listener).set_read_timeout(Some(rim::PATIENCE)).unwrap();
            let at = listener.local_addr().unwrap();
            socket.send_to(format!("send {at}").as_bytes(), udp).unwrap();
            let mut heard = vec![0; message(7).len()];
            let went = answer(&listener, authority, pair).read_exact(&mut heard).is_ok();
            self.failed.fetch_add(u32::from(!went || heard != message(7).as_bytes()), Relaxed);
            self.begun.fetch_add(1, Relaxed);
        }
    }

    fn done(&self) -> u32 {
        self.answered.load(Relaxed) + self.begun.load(Relaxed)
    }

    /// Stops them, however the test ends.
    fn ends(&self) -> impl Drop {
        struct Ends<'s>(&'s AtomicBool);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.store(true, Relaxed);
            }
        }
        Ends(&self.stop)
    }
}

#[test]
fn ten_thousand_swaps_lose_no_connection_no_handshake_and_no_memory() {
    let rim = Rim::new("ten_thousand", 2);
    let pair = rim.authority.sign(&[NEIGHBOUR]);
    let config = client(&rim.authority, Some(&pair));
    let mut standing: Vec<_> = (0..8).map(|_| rim.dial(Some(&pair))).collect();
    assert!(standing.iter_mut().all(|stream| echoes(stream, 1)));
    let sets = [0, 1]
        .map(|set| rim::files(&rim.folder.join(format!("set-{set}")), &rim.authority.sign(&[NODE]), &rim.authority));
    let shaken = Shaken::default();
    let (at, udp) = (rim.at(), rim.node.local()[1].socket);
    let (warm_kib, end_kib) = thread::scope(|scope| {
        let _ends = shaken.ends();
        for _ in 0..2 {
            scope.spawn(|| shaken.come(at, &config));
        }
        scope.spawn(|| shaken.are_called(udp, &rim.authority, &pair));
        let mut warm_kib = 0;
        for swap in 0..SWAPS {
            rim.certificates.swap(Material::load(&sets[swap as usize % 2]).unwrap());
            // A swap is much shorter than a handshake: so every handshake has some in it.
            while shaken.done() < swap / SWAPS_A_HANDSHAKE {
                thread::yield_now();
            }
            if swap == WARM {
                warm_kib = resident_kib();
            }
            if swap % 1_000 == 0 {
                assert!(standing.iter_mut().all(|stream| echoes(stream, 2)), "after {swap} swaps");
            }
        }
        (warm_kib, resident_kib())
    });
    let (answered, begun) = (shaken.answered.load(Relaxed), shaken.begun.load(Relaxed));
    let failed = shaken.failed.into_inner();
    println!(
        "{SWAPS} swaps, handshakes: {answered} answered, {begun} begun, {failed} failed; {warm_kib} KiB resident after \
         {WARM}, {end_kib} at the end"
    );
    assert_eq!(failed, 0);
    assert!(answered + begun >= 1_000 && begun >= 100, "{answered} and {begun} were there to be disturbed");
    assert!(standing.iter_mut().all(|stream| echoes(stream, 3)), "every connection stands");
    assert!(end_kib < warm_kib + GROWTH_KIB_MAX, "{warm_kib} KiB grew to {end_kib}");
    assert_eq!(rim.counted("connect_failed"), 0);
    assert_eq!((rim.counted("handshake_failed"), rim.counted("wrong_name"), rim.counted("too_many")), (0, 0, 0));
}
