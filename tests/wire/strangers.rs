//! Who is no neighbour hears nothing, and takes nothing from those who are.

use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use emcc_trunk::limits::CONNECTIONS_PER_NEIGHBOUR_MAX;

use crate::ground::{Ground, status, text};
use crate::line::{Line, PATIENCE, TCP_V4, TLS_V4, UDP_V4, connect, now};

/// An address of the test's network that the configuration does not know.
fn stranger(ground: &Ground) -> SocketAddr {
    let mut at = ground.near_at;
    let SocketAddr::V4(v4) = &mut at else { panic!("IPv4") };
    let [a, b, c, _] = v4.ip().octets();
    v4.set_ip([a, b, c, 99].into());
    v4.set_port(5060);
    at
}

/// Answers to a trusted request that are timed with a scan before each, and as many without.
const TIMED: usize = 200;
/// Datagrams of the scan before each: as many at once as any receive buffer holds.
const SCANNED: usize = 100;
/// What a loaded host may add to any answer.
const NOISE: Duration = Duration::from_millis(10);

/// Calls beside connections nobody wants.
const CALLS: usize = 50;
/// Connections of one address that promise more than anybody waits for; call control's own is one more.
const PROMISING: usize = CONNECTIONS_PER_NEIGHBOUR_MAX - 8;
/// What they may cost together, kB: of 64 MB for ten thousand in turn a few hundred at once take a quarter at most.
const GROWN_KB_MAX: u64 = 16_384;

/// The time until a trusted OPTIONS is answered.
fn answer_time(ground: &mut Ground) -> Duration {
    let options = ground.options();
    let asked = now();
    ground.near.send(&options);
    assert_eq!(status(&ground.near.next().unwrap()), 200);
    asked.elapsed()
}

/// What 99 of a hundred took at most.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100 - 1]
}

#[test]
fn a_scan_by_a_stranger_learns_nothing_and_delays_nobody() {
    let mut ground = Ground::new("strangers-udp", UDP_V4);
    let socket = UdpSocket::bind(stranger(&ground)).unwrap();
    let (mut calm, mut scanned) = (Vec::new(), Vec::new());
    for round in 0..TIMED {
        // By turns, so that both meet the same host.
        calm.push(answer_time(&mut ground));
        for number in round * SCANNED..(round + 1) * SCANNED {
            let method = ["REGISTER", "INVITE", "OPTIONS", "ACK", "junk"][number % 5];
            let request = ground.request(method, &format!("sip:{number}@{}", ground.sip), "");
            socket.send_to(&request, ground.sip).unwrap();
        }
        scanned.push(answer_time(&mut ground));
    }
    let (calm, scanned) = (p99(calm), p99(scanned));
    assert!(scanned <= 2 * calm + NOISE, "p99 {scanned:?} behind a scan, {calm:?} without");
    // What the node has answered to call control it would have answered to the stranger before.
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.recv(&mut [0; 2_000]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let strangers = ground.node.metric("emcc_sip_messages_dropped_total", &["reason=\"stranger\""]);
    let all = u64::try_from(TIMED * SCANNED).unwrap();
    assert_eq!((strangers, ground.node.metric("emcc_transactions", &[])), (all, 0));
}

#[test]
fn idle_connections_of_one_neighbour_and_of_strangers_leave_room_for_another() {
    leave_room("strangers-tcp", TCP_V4);
}

/// What is idle before a handshake takes no more than what is idle after one.
#[test]
fn connections_that_never_shake_hands_leave_room_for_another_neighbours() {
    leave_room("strangers-tls", TLS_V4);
}

fn leave_room(test: &str, line: Line) {
    let mut ground = Ground::new(test, line);
    let own = |at: SocketAddr| SocketAddr::new(at.ip(), 0);
    let mut closed = 0;
    for _ in 0..300 {
        let mut stream = connect(own(stranger(&ground)), ground.sip);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        closed += usize::from(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
    assert_eq!(closed, 300, "a stranger's connection is closed at once");
    // The gateway's address opens more than it may and says nothing on any: the oldest give way.
    let idle: Vec<_> =
        (0..CONNECTIONS_PER_NEIGHBOUR_MAX + 40).map(|_| connect(own(ground.far_at), ground.sip)).collect();
    let options = ground.options();
    ground.near.send(&options);
    assert_eq!(status(&ground.near.next().unwrap()), 200);
    (0..CALLS).for_each(|_| ground.call());
    ground.node.shows("emcc_stream_events_total", &["event=\"displaced\""], 40);
    drop(idle);
}

/// The same at ten thousand connections is measured: `benches/compare/run siege promise`.
#[test]
fn promises_of_200_mb_on_hundreds_of_connections_at_once_cost_neither_memory_nor_calls() {
    let mut ground = Ground::new("promises", TCP_V4);
    ground.call();
    let own = |at: SocketAddr| SocketAddr::new(at.ip(), 0);
    let promise = text(&ground.options()).replace("Content-Length: 0", "Content-Length: 200000000");
    let begun = promise + &"x".repeat(8_192);
    let before_kb = ground.resident_kb();
    let mut open = Vec::new();
    for from in [ground.near_at, ground.far_at].iter().flat_map(|at| [own(*at); PROMISING]) {
        let mut stream = connect(from, ground.sip);
        // The node may have refused it before all is written.
        let _ = stream.write_all(begun.as_bytes());
        open.push(stream);
    }
    ground.call();
    let grown_kb = ground.resident_kb().saturating_sub(before_kb);
    assert!(grown_kb <= GROWN_KB_MAX, "{grown_kb} kB for {} connections at once", open.len());
    for stream in &mut open {
        let mut heard = [0; 12];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(text(&heard), "SIP/2.0 413 ");
    }
    (0..CALLS).for_each(|_| ground.call());
}
