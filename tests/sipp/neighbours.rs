//! Neighbours that live and die, ask for rest, and send what they may not.

use std::net::UdpSocket;
use std::time::Duration;

use crate::calls::alice;
use crate::network::{Network, with};
use crate::node::Node;
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
    drop(gateway);
    is(&br, "gw-br-1", "down");
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

/// Sends a request from `socket` to the node and gives back the first final response.
fn asked(socket: &UdpSocket, network: &Network, method: &str, called: &str, number: u32) -> String {
    let (me, node) = (socket.local_addr().unwrap(), network.sip(2, 1));
    let text = format!(
        "{method} sip:{called}@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK-n{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:7001@{me}>;tag=a{number}\r\nTo: <sip:{called}@{node}>\r\nCall-ID: n{number}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:7001@{me}>\r\nContent-Length: 0\r\n\r\n"
    );
    socket.send_to(text.as_bytes(), node).unwrap();
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
        assert!(answer.starts_with("SIP/2.0 405 "), "{answer}");
        assert!(answer.contains("\r\nAllow: ACK, BYE, CANCEL, INVITE, PRACK, UPDATE\r\n"), "{answer}");
    }
    // A number no pattern matches: 404 at once, until the rate is spent.
    let answers: Vec<_> = (10..30).map(|number| asked(&socket, &network, "INVITE", "5", number)).collect();
    let (served, limited): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.starts_with("SIP/2.0 404 "));
    assert!((5..=10).contains(&served.len()), "{served:#?}");
    for answer in limited {
        assert!(answer.starts_with("SIP/2.0 500 ") && answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    }
    // Nobody is at the gateways: an emergency call comes as far as that. The socket never showed that it hears the node,
    // so the answer is no longer than the question and leaves the reason out.
    let emergency = asked(&socket, &network, "INVITE", "999", 40);
    assert!(emergency.starts_with("SIP/2.0 500 ") && !emergency.contains("Retry-After"), "{emergency}");
    assert_eq!(br.metric("emcc_emergency_calls_total", &[]), 1);
}
