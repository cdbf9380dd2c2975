//! Many calls, lost messages, full links.

use crate::calls::alice;
use crate::network::{Network, with};
use crate::node::Node;
use crate::tool::Plan;

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
fn a_repeated_invite_and_bye_are_one_call() {
    let network = Network::claim("repeated");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
    alice(&network, "twice", "902079460000").done();
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
