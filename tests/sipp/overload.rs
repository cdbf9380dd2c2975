//! A real node offered more than it can do: emergencies and what stands come through, and it is itself again two seconds
//! later (RFC 7339 section 5.10.1, P-23).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::network::{Network, with};
use crate::node::Node;

/// How long more comes than the node can do, once it begins to send calls away.
const FLOOD: Duration = Duration::from_secs(3);
/// Longest time until it does.
const RISE: Duration = Duration::from_secs(12);
/// Calls a second at first; a quarter more every half second until the node sends calls away. What comes at twice the
/// rate where it begins to overflows the kernel's queue, and who is dropped there is nobody's choice.
const RATE_FIRST: u64 = 4_000;
/// Calls sent in one go.
const BURST: u64 = 50;
/// Messages taken in one go.
const TAKEN_MAX: usize = 500;
/// Longest time until the node is itself again.
const BACK: Duration = Duration::from_secs(2);
/// A repetition of what was not answered (RFC 3261 section 17.1.1.1).
const T1: Duration = Duration::from_millis(500);
/// Emergency calls, and requests in the call that stands, spread over the flood.
const PROBES: u32 = 20;
/// A header that makes the flood's calls as large as calls are.
const PADDING: usize = 600;

#[allow(clippy::disallowed_methods)] // real processes live in real time
fn now() -> Instant {
    Instant::now()
}

/// One socket that speaks SIP, large enough for what a flood brings back.
fn socket(at: std::net::SocketAddr) -> UdpSocket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1_048_576).unwrap();
    socket.bind(&at.into()).unwrap();
    let socket: UdpSocket = socket.into();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    socket
}

fn header<'t>(text: &'t str, name: &str) -> &'t str {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// The gateway: answers everything with 200, and repeats that of an INVITE until its ACK.
fn gateway(socket: UdpSocket, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut unacknowledged: HashMap<String, (std::net::SocketAddr, String)> = HashMap::new();
        // When an answer is repeated, soonest first. Nobody may wait for this gateway: it looks at what is due only.
        let mut repeats: VecDeque<(Instant, String)> = VecDeque::new();
        let mut buffer = [0; 65_535];
        while !stop.load(Relaxed) {
            while repeats.front().is_some_and(|(at, _)| at.elapsed() > T1)
                && let Some((_, call)) = repeats.pop_front()
            {
                if let Some((to, answer)) = unacknowledged.get(&call) {
                    socket.send_to(answer.as_bytes(), *to).unwrap();
                    repeats.push_back((now(), call));
                }
            }
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let call = header(&text, "Call-ID").to_owned();
            if text.starts_with("ACK ") {
                unacknowledged.remove(&call);
                continue;
            }
            let mut answer = String::with_capacity(length + 100);
            answer += "SIP/2.0 200 OK\r\n";
            for line in text.lines() {
                let copied = ["Via: ", "Record-Route: ", "From: ", "Call-ID: ", "CSeq: "];
                if copied.iter().any(|name| line.starts_with(name)) {
                    answer.extend([line, "\r\n"]);
                } else if line.starts_with("To: ") {
                    answer += &format!("{line}{}\r\n", if line.contains(";tag=") { "" } else { ";tag=gw" });
                }
            }
            answer += &format!("Contact: <sip:gw@{}>\r\nContent-Length: 0\r\n\r\n", socket.local_addr().unwrap());
            socket.send_to(answer.as_bytes(), from).unwrap();
            if text.starts_with("INVITE ") && unacknowledged.insert(call.clone(), (from, answer)).is_none() {
                repeats.push_back((now(), call));
            }
        }
    })
}

/// A request of bob's, in his dialog where there is a To tag.
fn request(
    [at, node]: [std::net::SocketAddr; 2],
    method: &str,
    called: &str,
    call: &str,
    cseq: u32,
    to_tag: &str,
    more: &str,
) -> String {
    let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    format!(
        "{method} sip:{called}@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-{call}-{cseq}-{method}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:5002@{at}>;tag=a\r\nTo: <sip:{called}@{node}>{to_tag}\r\nCall-ID: {call}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:5002@{at}>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// Ordinary calls, so many a second, until that is none; how many they were.
fn flood(socket: UdpSocket, node: std::net::SocketAddr, rate: Arc<AtomicU64>) -> JoinHandle<u64> {
    let (at, padding) = (socket.local_addr().unwrap(), format!("Subject: {}\r\n", "x".repeat(PADDING)));
    thread::spawn(move || {
        let mut number = 0;
        loop {
            let (began, per_second) = (now(), rate.load(Relaxed));
            if per_second == 0 {
                return number;
            }
            for _ in 0..BURST {
                number += 1;
                let call = format!("normal-{number}");
                let invite = request([at, node], "INVITE", "912025550123", &call, 1, "", &padding);
                // A full buffer is a lost datagram.
                let _ = socket.send_to(invite.as_bytes(), node);
            }
            while began.elapsed() < Duration::from_micros(1_000_000 * BURST / per_second) {
                std::hint::spin_loop();
            }
        }
    })
}

/// Call control: what it sends, and what came back by Call-ID and method.
struct CallControl {
    socket: UdpSocket,
    node: std::net::SocketAddr,
    /// Final responses: statuses by Call-ID and CSeq.
    finals: BTreeMap<String, u16>,
    /// What they said of the node's load, of a hundred.
    reports: BTreeSet<u16>,
}

impl CallControl {
    fn request(&self, method: &str, called: &str, call: &str, cseq: u32, to_tag: &str, more: &str) -> String {
        request([self.socket.local_addr().unwrap(), self.node], method, called, call, cseq, to_tag, more)
    }

    fn send(&self, text: &str) {
        // A full buffer is a lost datagram.
        let _ = self.socket.send_to(text.as_bytes(), self.node);
    }

    /// Takes what waits: notes final responses, and acknowledges those of an INVITE.
    fn listen(&mut self) {
        let mut buffer = [0; 65_535];
        for _ in 0..TAKEN_MAX {
            let Ok((length, _)) = self.socket.recv_from(&mut buffer) else { return };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let Some(status) = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok()) else {
                continue;
            };
            let (call, cseq) = (header(&text, "Call-ID").to_owned(), header(&text, "CSeq").to_owned());
            if status < 200 {
                continue;
            }
            self.finals.insert(format!("{call} {cseq}"), status);
            let report = header(&text, "Via").split(';').find_map(|param| param.strip_prefix("oc="));
            self.reports.extend(report.map(|share| share.parse::<u16>().unwrap()));
            if let Some(number) = cseq.strip_suffix(" INVITE") {
                let tag = header(&text, "To").split(";tag=").nth(1).unwrap_or_default();
                let called = if call.starts_with("emergency") { "112" } else { "912025550123" };
                let mut ack = self.request("ACK", called, &call, number.parse().unwrap(), tag, "");
                if status >= 300 {
                    ack = ack.replace("-ACK\r\n", "-INVITE\r\n");
                }
                self.send(&ack);
            }
        }
    }

    fn status(&self, call: &str, cseq: u32, method: &str) -> Option<u16> {
        self.finals.get(&format!("{call} {cseq} {method}")).copied()
    }

    /// Sends a request and repeats it until a final response comes, for ten seconds at most.
    fn ask(&mut self, text: &str, call: &str, cseq: u32, method: &str) -> Option<u16> {
        for _ in 0..20 {
            self.send(text);
            let sent = now();
            while sent.elapsed() < T1 {
                self.listen();
                if let Some(status) = self.status(call, cseq, method) {
                    return Some(status);
                }
            }
        }
        None
    }
}

#[test]
fn an_overloaded_node_completes_every_emergency_and_answers_every_request_of_a_call_that_stands() {
    let network = Network::claim("overload");
    let listed = "last_resort = [\"gw-hq\"]\nnumbers = [\"112\"]";
    let text = with(&network.pair("hq.toml"), "last_resort = [\"gw-hq\"]", listed);
    let hq = Node::start(&network, "hq.toml", &text);
    let stop = Arc::new(AtomicBool::new(false));
    let answering = gateway(socket(network.sip(1, 20)), Arc::clone(&stop));
    let node = network.sip(1, 1);
    let mut control =
        CallControl { socket: socket(network.sip(1, 10)), node, finals: BTreeMap::new(), reports: BTreeSet::new() };
    let standing = control.request("INVITE", "912025550123", "standing", 1, "", "");
    assert_eq!(control.ask(&standing, "standing", 1, "INVITE"), Some(200));

    control.socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let rate = Arc::new(AtomicU64::new(RATE_FIRST));
    let flooding = flood(control.socket.try_clone().unwrap(), node, Arc::clone(&rate));
    let probe = |control: &CallControl, (call, cseq, method): &(String, u32, &str)| {
        let text = match *method {
            "INFO" => control.request("INFO", "912025550123", call, *cseq, "gw", ""),
            _ => control.request("INVITE", "112", call, *cseq, "", ""),
        };
        // These ask for the load, and the calls of the flood do not: who asks is believed to obey.
        control.send(&text.replacen(";branch=", ";oc;oc-algo=\"loss\";branch=", 1));
    };
    let mut open: BTreeSet<(String, u32, &str)> = BTreeSet::new();
    let (mut begun, mut sheds, mut probes, mut probed_at) = (now(), false, 0, now());
    loop {
        let is_over = begun.elapsed() >= if sheds { FLOOD } else { RISE };
        if is_over && (!sheds || open.is_empty() || begun.elapsed() >= 5 * FLOOD) {
            break;
        }
        control.listen();
        open.retain(|(call, cseq, method)| control.status(call, *cseq, method).is_none());
        if !sheds && control.finals.values().any(|status| *status == 503) {
            (sheds, begun) = (true, now());
        }
        if sheds && begun.elapsed() >= FLOOD {
            rate.store(0, Relaxed);
        } else if sheds && probes < PROBES && begun.elapsed() > FLOOD / PROBES * probes {
            probes += 1;
            for new in [("standing".to_owned(), 1 + probes, "INFO"), (format!("emergency-{probes}"), 1, "INVITE")] {
                probe(&control, &new);
                open.insert(new);
            }
        }
        if probed_at.elapsed() > T1 {
            probed_at = now();
            open.iter().for_each(|one| probe(&control, one));
            if !sheds {
                rate.store(rate.load(Relaxed) * 5 / 4, Relaxed);
            }
        }
    }
    rate.store(0, Relaxed);
    let offered = flooding.join().unwrap();
    assert!(sheds, "{offered} calls in {RISE:?} are no overload");
    assert_eq!(open, BTreeSet::new(), "unanswered, of {offered} calls offered");
    let statuses = |prefix: &str, method: &str| -> BTreeSet<u16> {
        let of = |key: &&String| key.starts_with(prefix) && key.ends_with(method);
        control.finals.iter().filter(|(key, _)| of(key)).map(|(_, status)| *status).collect()
    };
    assert_eq!(statuses("emergency", "INVITE"), BTreeSet::from([200]), "every emergency call is completed");
    assert_eq!(statuses("standing", "INFO"), BTreeSet::from([200]), "every request inside a call is answered");
    let normal = statuses("normal", "INVITE");
    assert!(normal.contains(&200) && normal.contains(&503), "some are let in, others sent away: {normal:?}");
    assert!(hq.metric("emcc_shed_total", &["kind=\"call\""]) > 100);
    // RFC 7339 section 4: whoever asked was told that some are lost, and never all.
    let told = &control.reports;
    assert!(told.iter().any(|share| (1..100).contains(share)) && !told.contains(&100), "told {told:?}");
    // Two seconds after the last of it, everything is taken again.
    let calm = now();
    while !hq.page("/metrics").contains("emcc_overload_loss_ratio 0\n") {
        assert!(calm.elapsed() < BACK, "still sending calls away");
    }
    control.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let after = control.request("INVITE", "912025550123", "after", 1, "", "");
    assert_eq!(control.ask(&after, "after", 1, "INVITE"), Some(200));
    stop.store(true, Relaxed);
    answering.join().unwrap();
}
