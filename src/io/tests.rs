//! The rim over real loopback sockets, driven by a stand-in that does what the datagrams tell it.

mod ended;

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::str;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emcc_policies::moment::Moment;
use socket2::{Domain, Socket, Type};

use super::*;
use crate::engine::effects::{Hint, StreamEnd, TransactionKey};
use crate::limits::{CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_PER_NEIGHBOUR_MAX};
use crate::metrics::Exporter;
use crate::neighbour::Address;

/// Longest wait for anything; a test that reaches it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// Place of the UDP and of the TCP listener.
const UDP: u16 = 0;
const TCP: u16 = 1;

#[derive(Debug, PartialEq)]
enum Seen {
    Failed(u128),
    /// The stream it was written to.
    Ended(u128),
    Bounced(SocketAddr, String),
}

/// Echoes messages; a datagram that begins with a command does something else.
struct Echo {
    seen: Mutex<Sender<Seen>>,
    client: Mutex<Option<Flow>>,
    deadline: Mutex<Moment>,
}

impl Echo {
    fn tell(&self, seen: Seen) {
        let _ = self.seen.lock().unwrap().send(seen);
    }

    fn command(&self, effects: &mut Effects, now: Now, flow: Flow, text: &str) -> bool {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["hint", ms] => {
                *self.client.lock().unwrap() = Some(flow);
                let deadline = now.moment.plus_ms(ms.parse().unwrap());
                *self.deadline.lock().unwrap() = deadline;
                effects.hints.push((deadline, Hint::Transaction(TransactionKey(1))));
            }
            ["panic"] => {
                effects.send_copy(flow, b"half done", None);
                panic!("told to");
            }
            ["send", transport, listener, to, count, bytes] => {
                *self.client.lock().unwrap() = Some(flow);
                let transport = if *transport == "tcp" { Transport::Tcp } else { Transport::Udp };
                let (listener, remote) = (listener.parse().unwrap(), to.parse().unwrap());
                let flow = Flow { transport, listener, remote, connection: 0 };
                for number in 0..count.parse().unwrap() {
                    let mut message = format!("message {number}\n").into_bytes();
                    message.resize(bytes.parse::<usize>().unwrap().max(message.len()), b'.');
                    effects.send_copy(flow, &message, Some(TransactionKey(number)));
                }
            }
            _ => return false,
        }
        true
    }
}

impl Driver for Echo {
    type Worker = Effects;

    fn worker(&self, _stream: u64) -> Effects {
        Effects::default()
    }

    fn handle(&self, effects: &mut Effects, now: Now, input: Input<'_>) {
        match input {
            Input::Message { flow, bytes } => {
                let command = str::from_utf8(bytes).unwrap_or_default();
                if !self.command(effects, now, flow, command) {
                    effects.send_copy(flow, bytes, None);
                }
            }
            Input::Due(_) => {
                let text: &[u8] = if now.moment < *self.deadline.lock().unwrap() { b"early" } else { b"due" };
                let client = self.client.lock().unwrap().unwrap();
                effects.send_copy(client, text, None);
            }
            Input::Beat => {}
            Input::StreamEnded { transaction, end: StreamEnd::Ours | StreamEnd::Theirs } => {
                self.tell(Seen::Ended(transaction.0))
            }
            Input::Failed(key) | Input::StreamEnded { transaction: key, end: StreamEnd::Unwritten } => {
                self.tell(Seen::Failed(key.0));
                let client = self.client.lock().unwrap().unwrap();
                effects.send_copy(client, b"next hop", None);
            }
        }
    }

    fn effects(effects: &mut Effects) -> &mut Effects {
        effects
    }

    fn bounced(&self, _: &mut Effects, _: Now, destination: SocketAddr, payload: &[u8]) {
        self.tell(Seen::Bounced(destination, String::from_utf8(payload.to_vec()).unwrap()));
    }

    fn refused(&self, effects: &mut Effects, _: Now, flow: Flow, why: Malformed, _head: &[u8]) {
        effects.send_copy(flow, format!("{}\r\n", why.reason()).as_bytes(), None);
    }

    fn panicked(&self, effects: &mut Effects, _: Now, flow: Flow, bytes: &[u8]) {
        effects.send_copy(flow, &[b"failed: ", bytes].concat(), None);
    }

    fn is_neighbour(&self, _: Transport, remote: SocketAddr) -> bool {
        remote.ip().to_string() != "127.0.0.9"
    }

    fn is_phone(&self, _: Transport, remote: SocketAddr) -> bool {
        remote.ip().to_string() == "127.0.0.7"
    }

    fn is_strict(&self, flow: Flow) -> bool {
        flow.remote.ip().to_string() == "127.0.0.6"
    }
}

struct World {
    node: Node,
    exporter: Exporter,
    seen: Receiver<Seen>,
    client: UdpSocket,
}

impl World {
    fn new(workers: usize) -> Self {
        Self::within(StreamLimits::default(), workers)
    }

    fn within(streams: StreamLimits, workers: usize) -> Self {
        Self::beside(PROC.into(), streams, workers)
    }

    fn beside(proc: PathBuf, streams: StreamLimits, workers: usize) -> Self {
        Self::at_host("127.0.0.1", proc, streams, workers)
    }

    fn at_host(host: &str, proc: PathBuf, streams: StreamLimits, workers: usize) -> Self {
        let (sender, seen) = channel();
        let driver = Echo { seen: Mutex::new(sender), client: Mutex::default(), deadline: Mutex::default() };
        let (exporter, counters) = Exporter::new();
        let listen = [Transport::Udp, Transport::Tcp]
            .map(|transport| Address { transport, socket: format!("{host}:0").parse().unwrap() });
        let node = Node::start(Setup {
            listen: listen.to_vec(),
            workers,
            driver: Arc::new(driver),
            clock: Clock::start(),
            counters,
            certificates: None,
            seed: 7,
            streams,
            proc,
        });
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { node: node.unwrap(), exporter, seen, client }
    }

    fn at(&self, listener: u16) -> SocketAddr {
        self.node.local()[usize::from(listener)].socket
    }

    fn tell(&self, text: &str) {
        self.client.send_to(text.as_bytes(), self.at(UDP)).unwrap();
    }

    fn hear(&self) -> String {
        let mut buffer = [0; 65_535];
        let (length, from) = self.client.recv_from(&mut buffer).unwrap();
        assert_eq!(from, self.at(UDP));
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn next(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).unwrap()
    }

    /// The first message that was not written.
    fn next_failure(&self) -> u128 {
        let failed = |seen| if let Seen::Failed(number) = seen { Some(number) } else { None };
        std::iter::repeat_with(|| self.next()).find_map(failed).unwrap()
    }

    fn connect(&self, from: &str) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&format!("{from}:0").parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.connect(&self.at(TCP).into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn counted(&self, series: &str) -> u64 {
        let text = self.exporter.render(&[]);
        let line = text.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("{series} in {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

fn request(number: u32, body: &str) -> String {
    format!(
        "MESSAGE sip:1@hq SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK{number}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn read_exactly(stream: &mut TcpStream, want: &str) {
    let mut buffer = vec![0; want.len()];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(str::from_utf8(&buffer).unwrap(), want);
}

/// A port of 127.0.0.1 on which nobody listens.
fn dead(transport: Transport) -> SocketAddr {
    match transport {
        Transport::Udp => UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
        Transport::Tcp | Transport::Tls => TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
    }
}

#[test]
fn two_workers_answer_every_datagram_of_thousands() {
    let world = World::new(2);
    let mut missing: HashSet<String> = (0..6_000).map(|number| format!("datagram {number}")).collect();
    let all: Vec<String> = missing.iter().cloned().collect();
    // As many at once as any receive buffer holds.
    for burst in all.chunks(100) {
        burst.iter().for_each(|text| world.tell(text));
        for _ in burst {
            assert!(missing.remove(&world.hear()), "each comes back once");
        }
    }
    assert!(missing.is_empty());
}

#[test]
fn what_comes_in_order_leaves_in_order_whichever_worker_takes_it() {
    let world = World::new(4);
    for round in 0..2_000 {
        // Fewer than a batch, as a call's own messages are: a 180 and its 200, an ACK and its BYE.
        let burst: Vec<String> = (0..3).map(|number| format!("datagram {round} {number}")).collect();
        burst.iter().for_each(|text| world.tell(text));
        for text in &burst {
            assert_eq!(&world.hear(), text, "round {round}");
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // how long a round takes is what is asked
fn where_the_processor_is_shared_what_comes_in_order_leaves_in_order_and_together() {
    let proc = std::env::temp_dir().join(format!("emcc-proc-{}", std::process::id()));
    std::fs::create_dir_all(proc.join("thread-self")).unwrap();
    let says = |waited_ms: u64| {
        std::fs::write(proc.join("thread-self/schedstat"), format!("0 {} 0\n", waited_ms * 1_000_000)).unwrap();
    };
    says(0);
    std::fs::write(proc.join("thread-self/status"), "Cpus_allowed_list:\t0\n").unwrap();
    std::fs::write(proc.join("stat"), "cpu0 5 0 5 7 0 0 0\n").unwrap();
    let world = World::beside(proc.clone(), StreamLimits::default(), 2);
    let round = |number: u32| {
        let burst: Vec<String> = (0..3).map(|place| format!("datagram {number} {place}")).collect();
        burst.iter().for_each(|text| world.tell(text));
        burst.iter().for_each(|text| assert_eq!(&world.hear(), text));
    };
    round(0);
    let began = std::time::Instant::now();
    let mut slow = 0;
    while slow < 200 {
        let before = std::time::Instant::now();
        // More waiting than there was time, always: after two looks the reader pauses.
        says(u64::try_from((before - began).as_millis()).unwrap() * 2 + 1_000);
        round(1);
        slow = if before.elapsed() >= gather::PAUSE / 2 { slow + 1 } else { 0 };
        assert!(began.elapsed() < PATIENCE, "the reader never paused");
    }
    // It notices a deadline, too.
    world.tell("hint 25");
    assert_eq!(world.hear(), "due");
    std::fs::remove_dir_all(proc).unwrap();
}

#[test]
fn a_hint_comes_back_at_its_time_and_never_early() {
    let world = World::new(1);
    for _ in 0..3 {
        world.tell("hint 25");
        assert_eq!(world.hear(), "due");
    }
}

#[test]
fn a_panic_costs_one_message_and_is_counted() {
    let world = World::new(1);
    world.tell("panic");
    world.tell("after it");
    assert_eq!(world.hear(), "failed: panic", "nothing half done left");
    assert_eq!(world.hear(), "after it");
    assert_eq!(world.counted("emcc_sip_messages_dropped_total{reason=\"panic\"}"), 1);
}

#[test]
fn octets_that_failed_are_told_of_once_and_their_copies_go_no_further() {
    let world = World::new(2);
    for _ in 0..3 {
        world.tell("panic");
    }
    assert_eq!(world.hear(), "failed: panic");
    world.tell("panic ");
    assert_eq!(world.hear(), "panic ", "other octets are not concerned");
    assert_eq!(world.counted("emcc_sip_messages_dropped_total{reason=\"panic\"}"), 1);
    assert_eq!(world.counted("emcc_sip_messages_dropped_total{reason=\"quarantined\"}"), 2);
}

#[test]
fn messages_of_a_stream_are_framed_however_they_are_cut() {
    let world = World::new(2);
    let mut stream = world.connect("127.0.0.1");
    let (first, second, third) = (request(1, "hello"), request(2, ""), request(3, &"x".repeat(40_000)));
    let all = format!("{first}{second}{third}");
    stream.write_all(all.as_bytes()).unwrap();
    read_exactly(&mut stream, &all);
    let (start, end) = first.split_at(first.len() - 3);
    for part in [&start[..10], &start[10..], end] {
        // Each part in a segment of its own; how the reads fall does not matter.
        stream.write_all(part.as_bytes()).unwrap();
    }
    read_exactly(&mut stream, &first);
}

#[test]
fn a_ping_is_answered_and_does_not_disturb_what_follows() {
    let world = World::new(1);
    let mut stream = world.connect("127.0.0.1");
    stream.write_all(b"\r\n\r\n").unwrap();
    read_exactly(&mut stream, "\r\n");
    stream.write_all(request(1, "").as_bytes()).unwrap();
    read_exactly(&mut stream, &request(1, ""));
}

#[test]
fn one_that_stopped_sending_still_gets_its_answers() {
    let world = World::new(1);
    let mut stream = world.connect("127.0.0.1");
    let sent: String = (0..20).map(|number| request(number, &"y".repeat(9_000))).collect();
    stream.write_all(sent.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, sent);
}

#[test]
fn a_stream_that_cannot_be_framed_is_told_and_closed() {
    let world = World::new(1);
    let mut stream = world.connect("127.0.0.1");
    stream.write_all(b"MESSAGE sip:1@hq SIP/2.0\r\nContent-Length: 4294967296\r\n\r\n").unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "Message too large\r\n");
    assert_eq!(world.counted("emcc_stream_events_total{event=\"malformed\"}"), 1);
}

#[test]
fn a_refusal_arrives_although_octets_it_did_not_wait_for_are_unread() {
    let world = World::new(1);
    let mut stream = world.connect("127.0.0.1");
    let head = format!("MESSAGE sip:1@hq SIP/2.0\r\nX: {}\r\n", "y".repeat(300_000));
    // The node may stop the sender before all is written.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "Headers too large\r\n");
}

const SHORT: Duration = Duration::from_millis(40);

/// What is heard until the node closes, and the event it counted.
fn closed_with(world: &World, stream: &mut TcpStream, event: &str) -> String {
    let mut heard = String::new();
    // A reset is an end, too.
    let _ = stream.read_to_string(&mut heard);
    // The close is counted right before the descriptor goes.
    assert_eq!(world.counted(&format!("emcc_stream_events_total{{event=\"{event}\"}}")), 1, "{event}");
    heard
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let world = World::within(StreamLimits { first_byte: SHORT, ..StreamLimits::default() }, 1);
    let mut stream = world.connect("127.0.0.1");
    assert_eq!(closed_with(&world, &mut stream, "slow"), "");
    let mut speaks = world.connect("127.0.0.1");
    speaks.write_all(b"\r\n\r\n").unwrap();
    read_exactly(&mut speaks, "\r\n");
}

#[test]
fn one_of_our_own_connections_need_not_speak_first() {
    let world = World::within(StreamLimits { first_byte: Duration::ZERO, ..StreamLimits::default() }, 1);
    let listener = TcpListener::bind("127.0.0.4:0").unwrap();
    world.tell(&format!("send tcp {TCP} {} 1 0", listener.local_addr().unwrap()));
    let (mut stream, _) = listener.accept().unwrap();
    read_exactly(&mut stream, "message 0\n");
    stream.write_all(request(1, "").as_bytes()).unwrap();
    read_exactly(&mut stream, &request(1, ""));
}

#[test]
fn a_message_that_takes_too_long_closes_whether_its_octets_stop_or_trickle() {
    let world = World::within(StreamLimits { message: SHORT, ..StreamLimits::default() }, 1);
    let mut stream = world.connect("127.0.0.1");
    stream.write_all(&request(1, "").as_bytes()[..40]).unwrap();
    assert_eq!(closed_with(&world, &mut stream, "slow"), "No empty line after the headers\r\n");
    let mut trickling = world.connect("127.0.0.1");
    trickling.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let text = request(2, &"z".repeat(20_000));
    let mut is_open = |octet: &u8| {
        let waits = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
        trickling.write_all(&[*octet]).is_ok() && trickling.read(&mut [0; 8]).as_ref().is_err_and(waits)
    };
    let sent = text.as_bytes().iter().take_while(|octet| is_open(octet)).count();
    assert!(sent < text.len(), "a new octet buys no time");
}

#[test]
fn a_silent_connection_is_closed_and_line_ends_keep_it() {
    let limits = StreamLimits { idle: SHORT * 5, message: Duration::ZERO, ..StreamLimits::default() };
    let world = World::within(limits, 1);
    let mut stream = world.connect("127.0.0.1");
    stream.set_read_timeout(Some(SHORT)).unwrap();
    for _ in 0..10 {
        stream.write_all(b"\r\n\r\n").unwrap();
        read_exactly(&mut stream, "\r\n");
        // Nothing comes: the wait between two pings.
        assert!(stream.read(&mut [0; 8]).is_err());
    }
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(closed_with(&world, &mut stream, "idle"), "");
}

#[test]
fn one_that_takes_nothing_is_closed_and_every_message_is_given_back() {
    // All of them are queued long before the first one is given up: a later one would go to a new connection.
    let limits = StreamLimits { write: SHORT * 10, queued: 1_000, queued_bytes: usize::MAX, ..StreamLimits::default() };
    let world = World::within(limits, 1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    world.tell(&format!("send tcp {TCP} {} 200 60000", listener.local_addr().unwrap()));
    let (_stream, _) = listener.accept().unwrap();
    let first = world.next_failure();
    for number in first + 1..200 {
        assert_eq!(world.next(), Seen::Failed(number));
    }
    assert_eq!(world.counted("emcc_stream_events_total{event=\"slow\"}"), 1);
}

#[test]
fn unfinished_messages_share_one_budget_and_an_ordinary_message_never_needs_it() {
    let world = World::within(StreamLimits { budget_bytes: 150_000, ..StreamLimits::default() }, 1);
    let large = request(1, &"x".repeat(120_000));
    let mut first = world.connect("127.0.0.1");
    first.write_all(&large.as_bytes()[..119_000]).unwrap();
    let mut second = world.connect("127.0.0.2");
    let _ = second.write_all(&large.as_bytes()[..119_000]);
    // Which of the two is the one too many depends on how the octets arrive.
    let (mut ordinary, text) = (world.connect("127.0.0.3"), request(2, "hello"));
    ordinary.write_all(text.as_bytes()).unwrap();
    read_exactly(&mut ordinary, &text);
    let _ = [first, second].map(|mut stream| {
        let _ = stream.write_all(&large.as_bytes()[119_000..]);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert_eq!(world.counted("emcc_stream_events_total{event=\"crowded\"}"), 1);
    let (mut third, large) = (world.connect("127.0.0.1"), request(3, &"x".repeat(40_000)));
    third.write_all(large.as_bytes()).unwrap();
    read_exactly(&mut third, &large);
}

#[test]
fn a_stranger_is_closed_at_once() {
    let world = World::new(1);
    let mut stream = world.connect("127.0.0.9");
    let gone = stream.read(&mut [0; 8]);
    assert!(matches!(gone, Ok(0)) || gone.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert_eq!(world.counted("emcc_stream_events_total{event=\"stranger\"}"), 1);
    assert_eq!(world.counted("emcc_stream_events_total{event=\"accepted\"}"), 0);
}

#[test]
fn one_address_opens_its_share_of_connections_and_then_the_idlest_gives_way_to_a_new_one() {
    let tell = |stream: &mut TcpStream, number: u32| {
        let told = stream.write_all(request(number, "").as_bytes());
        told.and_then(|()| stream.read_exact(&mut vec![0; request(number, "").len()])).is_ok()
    };
    // A phone's address, then a configured neighbour's.
    for (address, most) in [("127.0.0.7", CONNECTIONS_PER_ADDRESS_MAX), ("127.0.0.2", CONNECTIONS_PER_NEIGHBOUR_MAX)] {
        let world = World::new(2);
        let displaced = || world.counted("emcc_stream_events_total{event=\"displaced\"}");
        let mut open: Vec<TcpStream> = (0..most).map(|_| world.connect(address)).collect();
        assert!((0..).zip(&mut open).all(|(number, stream)| tell(stream, number)), "{address}");
        // The first has a message on its way.
        let text = request(0, "");
        let (begun, rest) = text.split_at(40);
        open[0].write_all(format!("\r\n\r\n{begun}").as_bytes()).unwrap();
        read_exactly(&mut open[0], "\r\n");
        assert_eq!(displaced(), 0, "{address}");
        open.push(world.connect(address));
        assert!(tell(&mut open[most], 1_000), "{address}: the new one is heard");
        open[0].write_all(rest.as_bytes()).unwrap();
        read_exactly(&mut open[0], &text);
        let served = open.iter_mut().filter_map(|stream| tell(stream, 2_000).then_some(())).count();
        assert_eq!((served, displaced()), (most, 1), "{address}");
        assert!(tell(&mut world.connect("127.0.0.3"), 1), "another address is not concerned");
        assert_eq!(world.counted("emcc_stream_events_total{event=\"too_many\"}"), 0, "{address}");
    }
}

#[test]
fn connections_of_phones_leave_room_for_a_neighbours() {
    let limits =
        StreamLimits { connections: 16, for_trunks: 2, for_neighbours: 2, per_address: 16, ..StreamLimits::default() };
    let world = World::within(limits, 1);
    let _phones = [0; 16].map(|_| world.connect("127.0.0.7"));
    let mut neighbour = world.connect("127.0.0.2");
    neighbour.write_all(b"\r\n\r\n").unwrap();
    read_exactly(&mut neighbour, "\r\n");
}

#[test]
fn connections_to_where_a_phone_says_it_listens_are_of_its_own_share() {
    let limits =
        StreamLimits { connections: 4, for_trunks: 1, for_neighbours: 0, per_address: 2, ..StreamLimits::default() };
    let world = World::within(limits, 1);
    let phones = [0; 3].map(|_| TcpListener::bind("127.0.0.7:0").unwrap());
    let mut open = Vec::new();
    for (phone, number) in phones.iter().zip(0..) {
        world.tell(&format!("send tcp {TCP} {} 1 0", phone.local_addr().unwrap()));
        if number == 2 {
            assert_eq!(world.next(), Seen::Failed(0), "the third port of one address");
        } else {
            open.push(phone.accept().unwrap().0);
            read_exactly(&mut open[number], "message 0\n");
        }
    }
    assert_eq!(world.counted("emcc_stream_events_total{event=\"too_many\"}"), 1);
    let other = TcpListener::bind("127.0.0.4:0").unwrap();
    world.tell(&format!("send tcp {TCP} {} 1 0", other.local_addr().unwrap()));
    read_exactly(&mut other.accept().unwrap().0, "message 0\n");
}

#[test]
fn rfc_3261_18_3_what_follows_a_body_cut_short_closes_a_strict_neighbours_stream_unread() {
    let world = World::new(1);
    let announced = request(1, "abc").replace("Content-Length", "Content-Type: text/plain\r\nContent-Length");
    for hidden in [request(2, ""), "MESS".to_owned(), "no SIP at all\n\n".to_owned()] {
        let mut strict = world.connect("127.0.0.6");
        strict.write_all(format!("{announced}{hidden}").as_bytes()).unwrap();
        let mut heard = String::new();
        strict.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, announced, "the message before is served, and nothing behind it");
    }
    assert_eq!(world.counted("emcc_stream_events_total{event=\"cut_body\"}"), 3);
    assert_eq!(world.counted("emcc_sip_trailing_octets_total"), 3);
    let mut strict = world.connect("127.0.0.6");
    let whole = announced.replace("abc", "a\r\n");
    for first in [&announced, &whole] {
        // What comes with an empty line between, or behind a whole body, is no body's rest.
        let both = format!("{first}{}{}", if *first == announced { "\r\n" } else { "" }, request(2, ""));
        strict.write_all(both.as_bytes()).unwrap();
        read_exactly(&mut strict, &format!("{first}{}", request(2, "")));
    }
    let mut other = world.connect("127.0.0.1");
    let both = format!("{announced}{}", request(2, ""));
    other.write_all(both.as_bytes()).unwrap();
    read_exactly(&mut other, &both);
    assert_eq!(world.counted("emcc_stream_events_total{event=\"cut_body\"}"), 3, "counted, and served");
}

/// What the kernel waits for on a connection of the node, seen from its local and remote end: the timer that runs and what
/// is left of it, seconds (proc(5), `/proc/net/tcp`).
fn kernel_timer(local: SocketAddr, remote: SocketAddr) -> (u8, u64) {
    let hex = |at: SocketAddr| match at {
        SocketAddr::V4(at) => format!("{:08X}:{:04X}", u32::from_le_bytes(at.ip().octets()), at.port()),
        SocketAddr::V6(_) => String::new(),
    };
    let ends = format!(": {} {} ", hex(local), hex(remote));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let line = table.lines().find(|line| line.contains(&ends)).unwrap_or_else(|| panic!("{ends} in {table}"));
    let (timer, left) = line.split_whitespace().nth(5).and_then(|field| field.split_once(':')).unwrap();
    (u8::from_str_radix(timer, 16).unwrap(), u64::from_str_radix(left, 16).unwrap() / 100)
}

#[test]
fn rfc_1122_4_2_3_6_connections_accepted_and_opened_are_asked_whether_they_live_after_half_a_minute_of_silence() {
    const KEEPALIVE: u8 = 2;
    let world = World::new(1);
    let mut accepted = world.connect("127.0.0.1");
    accepted.write_all(b"\r\n\r\n").unwrap();
    read_exactly(&mut accepted, "\r\n");
    let listener = TcpListener::bind("127.0.0.4:0").unwrap();
    world.tell(&format!("send tcp {TCP} {} 1 0", listener.local_addr().unwrap()));
    let (mut opened, _) = listener.accept().unwrap();
    read_exactly(&mut opened, "message 0\n");
    for stream in [accepted, opened] {
        let (node, here) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
        let (clock, patience_ms) = (Clock::start(), PATIENCE.as_millis() as u64);
        // Until its last octets are acknowledged, their repetition is what the kernel waits for.
        let (timer, left_s) = loop {
            let found = kernel_timer(node, here);
            if found.0 == KEEPALIVE || clock.now().moment.0 > patience_ms {
                break found;
            }
            std::thread::yield_now();
        };
        assert_eq!((timer, left_s <= 30), (KEEPALIVE, true), "{left_s}");
    }
}

#[test]
fn a_connection_is_opened_from_the_listeners_address_and_used_again() {
    let world = World::new(2);
    let listener = TcpListener::bind("127.0.0.4:0").unwrap();
    let to = listener.local_addr().unwrap();
    world.tell(&format!("send tcp {TCP} {to} 2 0"));
    let (mut stream, from) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(from.ip(), world.at(TCP).ip());
    read_exactly(&mut stream, "message 0\nmessage 1\n");
    world.tell(&format!("send tcp {TCP} {to} 1 0"));
    read_exactly(&mut stream, "message 0\n");
    // What the other end sends on it comes in like anything else.
    stream.write_all(request(5, "").as_bytes()).unwrap();
    read_exactly(&mut stream, &request(5, ""));
    assert_eq!(world.counted("emcc_stream_events_total{event=\"connected\"}"), 1);
}

#[test]
fn a_refused_connection_fails_every_message_that_waited_for_it() {
    let world = World::new(1);
    world.tell(&format!("send tcp {TCP} {} 3 0", dead(Transport::Tcp)));
    assert_eq!([world.next(), world.next(), world.next()], [0, 1, 2].map(Seen::Failed));
    assert_eq!(world.hear(), "next hop", "what a failure causes leaves at once");
    assert_eq!(world.counted("emcc_sip_send_failures_total{transport=\"tcp\"}"), 3);
}

#[test]
fn one_that_does_not_read_is_closed_when_its_queue_is_full() {
    // What is sent after the close opens another connection, so the numbers are such that one runs over, whatever the
    // kernel takes off it, and a second cannot: less than twice the queue, and more than it by all a kernel buffers.
    const QUEUED: usize = 16 * 1_048_576;
    const MESSAGES: usize = 550;
    const OCTETS: usize = 60_000;
    let world = World::within(StreamLimits { queued_bytes: QUEUED, ..StreamLimits::default() }, 1);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Fixed, so that the kernel does not let it grow.
    socket.set_recv_buffer_size(65_536).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(8).unwrap();
    let listener = TcpListener::from(socket);
    let to = listener.local_addr().unwrap();
    world.tell(&format!("send tcp {TCP} {to} {MESSAGES} {OCTETS}"));
    world.next_failure();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Closed: what was written before ends, instead of waiting for more.
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    assert!(heard.len() < MESSAGES * OCTETS - QUEUED, "its queue went nowhere: {}", heard.len());
    assert_eq!(world.counted("emcc_stream_events_total{event=\"overflow\"}"), 1);
}

#[test]
fn a_datagram_to_a_closed_port_bounces_at_once() {
    let world = World::new(2);
    let to = dead(Transport::Udp);
    for _ in 0..3 {
        world.tell(&format!("send udp {UDP} {to} 1 0"));
        assert_eq!(world.next(), Seen::Bounced(to, "message 0\n".to_owned()));
    }
    world.tell("still here");
    assert_eq!(world.hear(), "still here");
}

#[test]
fn a_wildcard_listener_of_ipv6_sends_to_ipv4_and_knows_it_as_such() {
    // A host without IPv6 has nothing to show here.
    if UdpSocket::bind("[::]:0").is_err() {
        return;
    }
    let world = World::at_host("[::]", PROC.into(), StreamLimits::default(), 2);
    let at = |listener| SocketAddr::from(([127, 0, 0, 1], world.at(listener).port()));
    let hears = |count| {
        let mut buffer = [0; 64];
        let heard: Vec<String> = (0..count)
            .map(|_| {
                let (length, from) = world.client.recv_from(&mut buffer).unwrap();
                assert_eq!(from, at(UDP));
                String::from_utf8(buffer[..length].to_vec()).unwrap()
            })
            .collect();
        heard
    };
    let tell = |text: &str| world.client.send_to(text.as_bytes(), at(UDP)).unwrap();
    let client = world.client.local_addr().unwrap();
    tell(&format!("send udp {UDP} {client} 5 0"));
    assert_eq!(hears(5), ["message 0\n", "message 1\n", "message 2\n", "message 3\n", "message 4\n"]);
    let listener = TcpListener::bind("127.0.0.4:0").unwrap();
    let to = listener.local_addr().unwrap();
    socket2::SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
    tell(&format!("send tcp {TCP} {to} 1 0"));
    let (mut stream, _) = listener.accept().expect("a connection over IPv4");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    read_exactly(&mut stream, "message 0\n");
    // The Echo knows strangers by their IPv4 address.
    stream.write_all(request(5, "").as_bytes()).unwrap();
    read_exactly(&mut stream, &request(5, ""));
    let closed = dead(Transport::Udp);
    tell(&format!("send udp {UDP} {closed} 1 0"));
    let bounced = world.seen.recv_timeout(Duration::from_secs(5)).expect("what the network gave back");
    assert_eq!(bounced, Seen::Bounced(closed, "message 0\n".to_owned()));
}

#[test]
fn what_no_socket_can_carry_fails_and_the_next_hop_is_tried_in_the_same_batch() {
    let world = World::new(1);
    let to = world.client.local_addr().unwrap();
    for (told, why) in [
        (format!("send udp {UDP} {to} 1 65530"), "longer than any datagram"),
        (format!("send udp {TCP} {to} 1 0"), "a listener of streams"),
        (format!("send tcp {UDP} {to} 1 0"), "a listener of datagrams"),
        (format!("send udp 99 {to} 1 0"), "no such listener"),
        (format!("send udp {UDP} 255.255.255.255:5060 1 0"), "broadcast"),
    ] {
        world.tell(&told);
        assert_eq!(world.next(), Seen::Failed(0), "{why}");
        assert_eq!(world.hear(), "next hop", "{why}");
    }
}

#[test]
fn a_node_that_cannot_have_one_address_takes_none() {
    let world = World::new(1);
    let taken = world.node.local()[0];
    let free = Address { transport: Transport::Tcp, socket: dead(Transport::Tcp) };
    let (sender, _seen) = channel();
    let driver = Echo { seen: Mutex::new(sender), client: Mutex::default(), deadline: Mutex::default() };
    let error = Node::start(Setup {
        listen: vec![free, taken],
        workers: 1,
        driver: Arc::new(driver),
        clock: Clock::start(),
        counters: crate::metrics::Counters::noop(),
        certificates: None,
        seed: 7,
        streams: StreamLimits::default(),
        proc: PROC.into(),
    });
    assert_eq!(error.err(), Some(StartError::InUse(taken)));
    TcpListener::bind(free.socket).unwrap();
}

#[test]
fn after_shutdown_every_thread_and_address_is_free() {
    let world = World::new(2);
    let (udp, tcp) = (world.at(UDP), world.at(TCP));
    let mut stream = world.connect("127.0.0.1");
    stream.write_all(request(1, "").as_bytes()).unwrap();
    read_exactly(&mut stream, &request(1, ""));
    world.node.shutdown();
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    UdpSocket::bind(udp).unwrap();
    assert!(TcpStream::connect(tcp).is_err());
}
