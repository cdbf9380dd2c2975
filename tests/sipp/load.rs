//! Many calls, lost messages, full links.

use std::net::UdpSocket;
use std::time::Duration;

use crate::calls::alice;
use crate::network::{Network, with};
use crate::node::Node;
use crate::tool::{ALICE_PHONE, Plan, Traced};

#[test]
fn a_hundred_calls_a_second_for_twenty_seconds_lose_none() {
    let network = Network::claim("hundred");
    // Wide enough for every call a slow host may have at once.
    let wide = |name| with(&network.pair(name), "link_audio_kbps = 2000", "link_audio_kbps = 40000");
    let hq = Node::start(&network, "hq.toml", &wide("hq.toml"));
    let br = Node::start(&network, "br.toml", &wide("br.toml"));
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).untraced().arguments("-m 2000").start();
    let caller = alice(&network, "caller", "902079460000").value("hold_ms", "200").untraced();
    let caller = caller.arguments("-m 2000 -r 100 -l 900").done();
    let gateway = gateway.done();
    assert_eq!((caller.calls, gateway.calls), ((2_000, 0), (2_000, 0)));
    for node in [&hq, &br] {
        node.is_idle_after(2_000, 0, 0);
        node.shows("emcc_call_setup_seconds_count", &[], 2_000);
        for reason in ["stranger", "not_sip", "malformed", "truncated", "panic"] {
            let reason = format!("reason=\"{reason}\"");
            assert_eq!(node.metric("emcc_sip_messages_dropped_total", &[&reason]), 0, "{reason}");
        }
    }
}

#[test]
fn calls_complete_over_paths_that_lose_one_message_in_twenty() {
    let network = Network::claim("lossy");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let gateway = Plan::called(&network, "gateway_lossy", network.sip(2, 20)).arguments("-m 50 -lost 5").start();
    let caller = alice(&network, "caller", "902079460000").value("hold_ms", "1500");
    let caller = caller.arguments("-m 50 -r 10 -lost 5").done();
    assert_eq!(caller.calls, (50, 0));
    gateway.done();
    for node in [&hq, &br] {
        node.is_idle_after(50, 0, 0);
    }
}

#[test]
fn rfc_3261_17_2_and_rfc_6026_7_1_a_repeated_invite_and_bye_are_one_call() {
    let network = Network::claim("repeated");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
    // SIPp repeats nothing that is answered; this caller does.
    let (local, node) = (network.sip(1, 10), network.sip(1, 1));
    let socket = UdpSocket::bind(local).unwrap();
    socket.connect(node).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let answer = |method: &str| loop {
        let mut buffer = [0; 4_000];
        let length = socket.recv(&mut buffer).unwrap();
        let answer = Traced::read(&buffer[..length]);
        if answer.text.starts_with("SIP/2.0 200") && answer.value("CSeq").ends_with(method) {
            return answer;
        }
    };
    let write = |method: &str, number: u8, target: &str, to: &str, more: &str| {
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-{method}\r\nMax-Forwards: 70\r\n\
             From: <sip:5001@{local}>;tag=1\r\nTo: {to}\r\nCall-ID: repeated\r\nCSeq: {number} {method}\r\n\
             Contact: <sip:5001@{local}>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    };
    let called = format!("sip:902079460000@{node}");
    let invite = write("INVITE", 1, &called, &format!("<{called}>"), &ALICE_PHONE.replace('\n', "\r\n"));
    for _ in 0..2 {
        socket.send(invite.as_bytes()).unwrap();
    }
    let answered = answer("INVITE");
    let (target, to) = (answered.value("Contact").trim_matches(['<', '>']), answered.value("To"));
    let recorded = answered.values("Record-Route").join(",");
    let routes: String = recorded.split(',').rev().map(|route| format!("Route: {}\r\n", route.trim())).collect();
    socket.send(write("ACK", 1, target, to, &routes).as_bytes()).unwrap();
    // Datagrams may overtake each other: the ACK gets a head start.
    br.shows("emcc_sip_requests_sent_total", &["method=\"ACK\""], 1);
    // A copy that came before the answer would be swallowed (RFC 3261 section 17.2.2).
    let [first, second] = [0, 1].map(|_| {
        socket.send(write("BYE", 2, target, to, &routes).as_bytes()).unwrap();
        answer("BYE").text
    });
    assert_eq!(first, second, "the copy is answered with a copy");
    let gateway = gateway.done();
    for method in ["INVITE", "ACK", "BYE"] {
        assert_eq!(gateway.all_received(method).len(), 1, "{method}");
    }
    hq.shows("emcc_sip_retransmissions_absorbed_total", &[], 2);
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}

#[test]
fn a_full_link_refuses_ordinary_calls_and_never_an_emergency() {
    let network = Network::claim("full");
    let narrow = with(&network.pair("hq.toml"), "link_audio_kbps = 2000", "link_audio_kbps = 100");
    let (hq, br) = (Node::start(&network, "hq.toml", &narrow), Node::br(&network));
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).arguments("-m 4").start();
    // Each is admitted with its worst case, and shrinks to what it takes before the next one asks (V-18).
    let talking: Vec<_> = (1..=3u16)
        .map(|call| {
            let local = (network.host(1, 10), 5_060 + call).into();
            let plan = alice(&network, "caller", "902079460000").value("hold_ms", "12000").at(local);
            let caller = plan.start();
            hq.link_shows_kbps(24 * u64::from(call));
            caller
        })
        .collect();
    for _ in 0..3 {
        let refused = alice(&network, "refused", "902079460000").value("status", "488").done();
        let refusal = refused.received("SIP/2.0 488");
        assert!(refusal.value("Warning").starts_with("370 "), "{}", refusal.text);
        assert!(refusal.value("Reason").starts_with("Q.850;cause=47;"), "{}", refusal.text);
    }
    alice(&network, "caller", "9911").done();
    hq.shows("emcc_emergency_over_limit_total", &[], 1);
    for caller in talking {
        caller.done();
    }
    gateway.done();
    hq.is_idle_after(4, 3, 0);
    br.is_idle_after(4, 0, 0);
}
