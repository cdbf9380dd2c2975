//! Neighbours that live and die, ask for rest, and send what they may not.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::calls::alice;
use crate::network::{Network, with};
use crate::node::Node;
use crate::script::Script;
use crate::tool::{Plan, Sipp};

/// The visited cluster's node, which probes every second and takes out who lost two.
fn probing_br(network: &Network) -> Node {
    let keys = "[sip]\nhealth_s = 1\nhealth_timeout_s = 1\nhealth_lost = 2\n";
    Node::start(network, "br.toml", &with(&network.probing_pair("br.toml"), "[sip]\n", keys))
}

/// A gateway that answers probes and calls until it is dropped.
fn living(network: &Network, host: u8) -> Sipp {
    Plan::called(network, "living", network.sip(2, host)).arguments("-m 1000").start()
}

fn is(node: &Node, neighbour: &str, state: &str) {
    let labels = [format!("neighbour=\"{neighbour}\""), format!("state=\"{state}\"")];
    node.shows("emcc_neighbour_addresses", &[&labels[0], &labels[1]], 1);
}

#[test]
fn rfc_3261_11_a_gateway_that_answers_options_and_then_dies_is_up_and_then_down() {
    let network = Network::claim("lives_and_dies");
    let (hq, br) = (Node::hq(&network), probing_br(&network));
    is(&br, "gw-br-1", "up");
    let gateway = living(&network, 20);
    br.shows_such("emcc_health_probes_total", &["event=\"answered\""], "five", |answered| answered >= 5);
    // The other cluster's node answers as any neighbour does; nobody is at the other addresses.
    is(&br, "HQ", "up");
    is(&br, "gw-br-2", "down");
    is(&br, "gw-br-1", "up");
    let asked: Vec<_> = gateway.trace().into_iter().filter(|traced| traced.text.starts_with("OPTIONS ")).collect();
    assert!(!asked.is_empty() && asked.iter().all(|probe| probe.values("Call-Info").is_empty()), "no keepalive mark");
    let probing = || br.metric("emcc_neighbour_changes_total", &["state=\"probing\""]);
    let before = probing();
    drop(gateway);
    is(&br, "gw-br-1", "down");
    assert!(probing() > before, "one probe that was lost is no reason to take it out");
    br.log_line("an address of a neighbour is down");
    let page = br.page("/api/v1/neighbours");
    let row = format!(
        "{{\"neighbour\":\"gw-br-1\",\"address\":\"udp:{}\",\"state\":\"down\",\"rests_s\":null}}",
        network.sip(2, 20)
    );
    assert!(page.contains(&row), "{page}");
    let _gateway = living(&network, 20);
    is(&br, "gw-br-1", "up");
    assert_eq!(hq.metric("emcc_keepalives_total", &["event=\"heard\""]), 0, "V-4: probes are no keepalives");
}

#[test]
fn p_8_calls_go_round_a_gateway_that_is_down_and_reach_it_when_all_are() {
    let network = Network::claim("round_the_dead");
    let (hq, br) = (Node::hq(&network), probing_br(&network));
    let second = living(&network, 21);
    is(&br, "gw-br-1", "down");
    is(&br, "gw-br-2", "up");
    for dialed in ["902079460000", "9911"] {
        alice(&network, "caller", dialed).done();
    }
    assert_eq!(br.metric("emcc_hops_failed_over_total", &[]), 0, "nobody was tried in vain");
    assert_eq!(second.trace().iter().filter(|traced| traced.text.starts_with("INVITE ")).count(), 2);
    drop(second);
    is(&br, "gw-br-2", "down");
    // Both are down: the emergency call tries them all the same, in the order of its route.
    let first = Plan::called(&network, "living", network.sip(2, 20)).arguments("-m 1000").start();
    alice(&network, "caller", "9911").done();
    assert!(first.trace().iter().any(|traced| traced.text.starts_with("INVITE sip:999@")));
    for node in [&hq, &br] {
        node.is_idle_after(3, 0, 0);
    }
}

#[test]
fn rfc_3261_20_33_a_gateway_that_asked_for_rest_gets_no_call_until_it_is_over() {
    let network = Network::claim("tired");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let tired = Plan::called(&network, "gateway_tired", network.sip(2, 20)).value("seconds", "4").start();
    let second = Plan::called(&network, "gateway", network.sip(2, 21)).arguments("-m 2").start();
    alice(&network, "caller", "902079460000").done();
    tired.done();
    is(&br, "gw-br-1", "resting");
    let first = Plan::called(&network, "gateway", network.sip(2, 20)).start();
    alice(&network, "caller", "902079460000").done();
    second.done();
    assert_eq!(br.metric("emcc_hops_failed_over_total", &[]), 1, "the second call met nobody who rests");
    is(&br, "gw-br-1", "up");
    alice(&network, "caller", "902079460000").done();
    first.done();
    for node in [&hq, &br] {
        node.is_idle_after(3, 0, 0);
    }
}

/// An address of the home gateway that answers every call.
fn share(network: &Network, host: u8) -> Sipp {
    Plan::called(network, "living", network.sip(1, host)).arguments("-m 1000").start()
}

/// How many of the calls an address got.
fn invites(gateway: &Sipp) -> usize {
    gateway.trace().iter().filter(|traced| !traced.is_sent && traced.text.starts_with("INVITE ")).count()
}

#[test]
fn rfc_3263_4_3_and_rfc_2782_addresses_of_one_neighbour_are_tried_by_priority_and_share_its_calls_by_weight() {
    let network = Network::claim("shares");
    let one = format!("addresses = [\"udp:{}\"]", network.sip(1, 20));
    let three: Vec<_> = [20, 21, 22].iter().map(|host| format!("\"udp:{}\"", network.sip(1, *host))).collect();
    let terms = format!("addresses = [{}]\npriority = [5, 1, 1]\nweight = [0, 1, 3]", three.join(", "));
    let hq = Node::start(&network, "hq.toml", &with(&network.pair("hq.toml"), &one, &terms));
    let [last, little, much] = [20, 21, 22].map(|host| share(&network, host));
    alice(&network, "caller", "912125551234").arguments("-m 200 -r 50").done();
    let (little_got, much_got) = (invites(&little), invites(&much));
    assert_eq!((invites(&last), little_got + much_got), (0, 200));
    // One in four of 200: 50, and six standard deviations of 6.2.
    assert!((13..=87).contains(&little_got), "{little_got} and {much_got}");
    // Nobody listens at the addresses of the lower number: the higher one is tried.
    drop((little, much));
    alice(&network, "caller", "912125551234").done();
    assert_eq!(invites(&last), 1);
    hq.is_idle_after(201, 0, 0);
}

#[test]
fn rfc_3261_16_6_headers_that_are_not_taken_from_a_neighbour_go_no_further_in_either_direction() {
    let network = Network::claim("headers");
    let text = network.pair("hq.toml");
    let text = ["cc-hq", "gw-hq"].iter().fold(text, |text, peer| {
        let name = format!("name = \"{peer}\"\n");
        with(&text, &name, &format!("{name}headers_removed = [\"subject\", \"X-Billing\"]\n"))
    });
    let hq = Node::start(&network, "hq.toml", &text);
    let out = "sip:912125551234@[remote_ip]:[remote_port]";
    // Long and compact, in any case, with space before the colon.
    let headers = "Subject: one\ns: two\nX-BILLING : three\nX-Kept: four\n";
    let gateway = Plan::plays(&network, "called", network.sip(1, 20), &Script::answering(headers)).start();
    let caller = Script::calling(out, headers);
    let caller = Plan::calls(&network, "calls", network.sip(1, 10), network.sip(1, 1), &caller).done();
    let gateway = gateway.done();
    for message in [gateway.received("INVITE"), caller.received("SIP/2.0 200")] {
        for removed in ["Subject", "s", "X-Billing", "X-BILLING "] {
            assert!(message.values(removed).is_empty(), "{removed}: {}", message.text);
        }
        assert_eq!(message.value("X-Kept"), "four");
    }
    hq.is_idle_after(1, 0, 0);
}

/// A request of `me` to the visited cluster's node.
fn request(network: &Network, me: SocketAddr, method: &str, called: &str, number: u32) -> String {
    let node = network.sip(2, 1);
    format!(
        "{method} sip:{called}@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK-n{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:7001@{me}>;tag=a{number}\r\nTo: <sip:{called}@{node}>\r\nCall-ID: n{number}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:7001@{me}>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Sends a request from `socket` to the node and gives back the first final response.
fn asked(socket: &UdpSocket, network: &Network, method: &str, called: &str, number: u32) -> String {
    let text = request(network, socket.local_addr().unwrap(), method, called, number);
    socket.send_to(text.as_bytes(), network.sip(2, 1)).unwrap();
    let mut buffer = [0; 4_000];
    loop {
        let length = socket.recv(&mut buffer).expect("an answer comes");
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if !answer.starts_with("SIP/2.0 1") && answer.contains(&format!("Call-ID: n{number}\r\n")) {
            return answer;
        }
    }
}

#[test]
fn rfc_3261_21_4_6_and_21_5_1_what_a_neighbour_may_not_send_is_405_and_too_much_of_it_500() {
    let network = Network::claim("may_not");
    let terms = "name = \"cc-br\"\nmethods = [\"INVITE\"]\nrate_per_s = 5";
    let br = Node::start(&network, "br.toml", &with(&network.pair("br.toml"), "name = \"cc-br\"", terms));
    let socket = UdpSocket::bind(network.sip(2, 10)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for (number, method) in [(1, "MESSAGE"), (2, "SUBSCRIBE"), (3, "NOTIFY"), (4, "REFER")] {
        let answer = asked(&socket, &network, method, "02079460000", number);
        assert!(answer.starts_with("SIP/2.0 405 Method Not Allowed\r\n"), "{answer}");
        assert!(answer.contains("\r\nAllow: ACK, BYE, CANCEL, INVITE, PRACK, UPDATE\r\n"), "{answer}");
    }
    // A number no pattern matches: 404 at once, until the rate is spent.
    let answers: Vec<_> = (10..30).map(|number| asked(&socket, &network, "INVITE", "5", number)).collect();
    let (served, limited): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.starts_with("SIP/2.0 404 "));
    assert!((5..=10).contains(&served.len()), "{served:#?}");
    for answer in &limited {
        assert!(answer.starts_with("SIP/2.0 500 Server Internal Error\r\n"), "{answer}");
        assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    }
    // Nobody is at the gateways: an emergency call comes as far as that, and asks there for 32 s. The socket never showed that it hears the node,
    // so the answer is no longer than the question: it has the RFC's own phrase and leaves the reason out.
    socket.set_read_timeout(Some(Duration::from_secs(45))).unwrap();
    let emergency = asked(&socket, &network, "INVITE", "999", 40);
    assert!(emergency.starts_with("SIP/2.0 500 Server Internal Error\r\n"), "{emergency}");
    assert!(!emergency.contains("Retry-After"), "{emergency}");
    // An ACK with the answer's tag shows that it hears the node: from then on it is told in full.
    let to = emergency.lines().find(|line| line.starts_with("To: ")).unwrap();
    let ack = request(&network, socket.local_addr().unwrap(), "ACK", "999", 40);
    let plain = ack.lines().find(|line| line.starts_with("To: ")).unwrap().to_owned();
    socket.send_to(ack.replace(&plain, to).as_bytes(), network.sip(2, 1)).unwrap();
    let mut told = (50..80).map(|number| asked(&socket, &network, "INVITE", "5", number));
    let told = told.find(|answer| answer.starts_with("SIP/2.0 500 ")).expect("the rate is spent again");
    assert!(told.starts_with("SIP/2.0 500 Server Internal Error: more requests a second than agreed\r\n"), "{told}");
    assert_eq!(br.metric("emcc_emergency_calls_total", &[]), 1);
}
