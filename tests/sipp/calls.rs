//! Calls that go where they should: the trunk, its marks, media, the parts of a dialog.

use crate::network::{Network, with};
use crate::node::Node;
use crate::tool::{ALICE_PHONE, Plan};

/// Alice's phone calls from the home cluster's call control.
pub(crate) fn alice(network: &Network, scenario: &'static str, called: &str) -> Plan {
    Plan::caller(network, scenario, network.sip(1, 10), network.sip(1, 1), called)
}

#[test]
fn the_pair_carries_an_emergency_call_to_the_visited_gateway() {
    let network = Network::claim("emergency");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    for called in ["9911", "9999"] {
        let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
        let caller = alice(&network, "caller", called).value("hold_ms", "1800").start();
        br.link_shows_kbps(40);
        assert_eq!(hq.link_kbps(), 40, "10 ms packets are assumed at first (V-18)");
        br.link_shows_kbps(24);
        hq.link_shows_kbps(24);
        let (caller, gateway) = (caller.done(), gateway.done());
        let invite = gateway.received(&format!("INVITE sip:999@{} SIP/2.0", network.sip(2, 20)));
        assert_eq!(invite.formats(), "18 101", "8 kbit/s leave G.729 and the tones");
        assert_eq!(invite.value("Priority"), "emergency");
        assert!(!invite.text.contains("emcc-device"), "{}", invite.text);
        let routes = [2, 1].map(|site| format!("<sip:{};lr>", network.sip(site, 1)));
        assert_eq!(invite.values("Record-Route"), routes);
        for start in ["ACK sip:gateway@", "BYE sip:gateway@"] {
            assert_eq!(gateway.received(start).values("Via").len(), 3, "{start} comes through both nodes");
        }
        assert_eq!(caller.received("SIP/2.0 200").formats(), "18 101");
    }
    for node in [&hq, &br] {
        node.is_idle_after(2, 0, 0);
        node.shows("emcc_emergency_calls_total", &[], 2);
    }
}

#[test]
fn r_9_and_rfc_6442_4_1_and_4_2_the_phones_place_crosses_the_trunk_and_reaches_the_gateway_that_is_told_locations() {
    let network = Network::claim("place");
    let hq = Node::hq(&network);
    for (is_told, called) in [(false, "9999"), (true, "9999"), (true, "902079460000")] {
        let name = "name = \"gw-br-1\"\n";
        let text = with(&network.pair("br.toml"), name, &format!("{name}send_geolocation = {is_told}\n"));
        let br = Node::start(&network, "br.toml", &text);
        let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
        let caller = alice(&network, "caller", called).done();
        let gateway = gateway.done();
        let invite = gateway.received("INVITE");
        assert_eq!(invite.formats(), "18 101", "{called}");
        assert_eq!(caller.received("SIP/2.0 200").formats(), "18 101", "{called}");
        assert_eq!(invite.values("Geolocation").len(), usize::from(is_told), "{}", invite.text);
        assert_eq!(invite.text.contains("<cl:A3>London</cl:A3><cl:FLR>2</cl:FLR>"), is_told, "{}", invite.text);
        if is_told {
            assert!(invite.value("Content-Type").starts_with("multipart/mixed;boundary="));
            let routing = if called == "9999" { "yes" } else { "no" };
            assert_eq!(invite.value("Geolocation-Routing"), routing);
        } else {
            assert_eq!(invite.value("Content-Type"), "application/sdp");
        }
        br.is_idle_after(1, 0, 0);
    }
    hq.is_idle_after(3, 0, 0);
}

#[test]
fn p_13_the_trunk_carries_the_phones_mark_and_the_emergencys_and_no_other_does() {
    let network = Network::claim("trunk_marks");
    let hq = Node::hq(&network);
    for (dialed, called, priority) in
        [("9911", "911", &["emergency"][..]), ("9999", "999", &["emergency"]), ("902079460000", "02079460000", &[])]
    {
        // SIPp stands where the visited cluster's node would.
        let trunk = Plan::called(&network, "gateway", network.sip(2, 1)).start();
        // Call control's own Priority counts for nothing.
        let plan = alice(&network, "caller", dialed);
        plan.value("headers", &format!("{ALICE_PHONE}Priority: emergency\n")).done();
        let trunk = trunk.done();
        let invite = trunk.received(&format!("INVITE sip:{called}@{} SIP/2.0", network.sip(2, 1)));
        assert_eq!(invite.value("Call-Info"), "<urn:emcc:device:SEP001122334455>;purpose=emcc-device;cluster=HQ");
        assert_eq!(invite.values("Priority"), priority, "{dialed}");
        assert_eq!(invite.value("Max-Forwards"), "69");
        assert_eq!(invite.formats(), "18 101");
    }
    hq.is_idle_after(3, 0, 0);
}

#[test]
fn an_ordinary_call_over_the_trunk_reaches_the_visited_gateway() {
    let network = Network::claim("ordinary");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
    alice(&network, "caller", "902079460000").done();
    let gateway = gateway.done();
    let invite = gateway.received(&format!("INVITE sip:02079460000@{} ", network.sip(2, 20)));
    assert_eq!((invite.values("Priority"), invite.values("Call-Info")), (vec![], vec![]));
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
        node.shows("emcc_emergency_calls_total", &[], 0);
    }
}

#[test]
fn rfc_3261_9_1_and_16_10_a_cancelled_call_ends_with_487_and_leaves_nothing_held() {
    let network = Network::claim("cancelled");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let gateway = Plan::called(&network, "gateway_cancelled", network.sip(2, 20)).start();
    let caller = alice(&network, "cancelled", "902079460000").done();
    assert!(caller.received("SIP/2.0 487").value("CSeq").ends_with("INVITE"));
    let waited_ms = caller.waited_ms("SIP/2.0 487");
    assert!(waited_ms < 5_000, "{waited_ms} ms: the gateway's own, and not what is said when nothing more comes");
    let gateway = gateway.done();
    let (invite, cancel) = (gateway.received("INVITE"), gateway.received("CANCEL"));
    assert_eq!(cancel.value("Via"), invite.values("Via")[0], "RFC 3261 section 9.1: the branch of the INVITE");
    assert_eq!(cancel.text.split(' ').nth(1), invite.text.split(' ').nth(1), "the same Request-URI");
    for node in [&hq, &br] {
        node.is_idle_after(0, 0, 1);
    }
}

#[test]
fn rfc_3261_16_6_requests_inside_a_call_pass_both_ways_and_every_offer_is_filtered() {
    let network = Network::claim("inside");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let gateway = Plan::called(&network, "gateway_talker", network.sip(2, 20)).start();
    let caller = alice(&network, "talker", "902079460000").done();
    let gateway = gateway.done();
    let invites = gateway.all_received("INVITE");
    assert_eq!(invites.len(), 2, "the first and the re-INVITE");
    for offer in invites.into_iter().chain(gateway.all_received("UPDATE")) {
        assert_eq!(offer.formats(), "18 101", "{}", offer.text);
    }
    assert!(gateway.received("INFO").text.contains("Signal=5"));
    assert_eq!(caller.received("BYE").values("Via").len(), 3, "the gateway's BYE comes through both nodes");
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}

#[test]
fn rfc_3262_3_and_rfc_3311_5_1_reliable_provisional_responses_prack_and_an_early_update_pass() {
    let network = Network::claim("reliable");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let gateway = Plan::called(&network, "gateway_reliable", network.sip(2, 20)).start();
    let caller = alice(&network, "reliable", "902079460000").done();
    let early = caller.received("SIP/2.0 183");
    assert_eq!((early.value("Require"), early.value("RSeq")), ("100rel", "1"));
    let gateway = gateway.done();
    assert_eq!(gateway.received("PRACK").value("RAck"), "1 1 INVITE");
    assert_eq!(gateway.received("UPDATE").formats(), "18 101");
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}

#[test]
fn rfc_3261_13_2_1_an_offer_that_comes_with_the_answer_is_filtered_too() {
    let network = Network::claim("delayed");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let gateway = Plan::called(&network, "gateway_offers", network.sip(2, 20)).start();
    let caller = alice(&network, "delayed", "902079460000").done();
    let gateway = gateway.done();
    assert_eq!(gateway.received("INVITE").value("Content-Length"), "0");
    assert_eq!(caller.received("SIP/2.0 200").formats(), "18 101");
    assert_eq!(gateway.received("ACK").formats(), "18 101", "the answer goes with the ACK");
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}

#[test]
fn a_route_group_of_the_home_cluster_keeps_the_call_at_home() {
    let network = Network::claim("at_home");
    let hq = Node::hq(&network);
    let gateway = Plan::called(&network, "gateway", network.sip(1, 20)).start();
    let caller = alice(&network, "caller", "912125551234").value("hold_ms", "500").start();
    hq.link_shows_kbps(40);
    caller.done();
    let gateway = gateway.done();
    let invite = gateway.received(&format!("INVITE sip:12125551234@{} ", network.sip(1, 20)));
    assert_eq!(invite.formats(), "18 101", "M-1: region policy holds off the trunk too");
    assert!(!invite.text.contains("emcc-device"), "{}", invite.text);
    hq.is_idle_after(1, 0, 0);
}

#[test]
fn a_directory_number_is_reached_at_call_control() {
    let network = Network::claim("number");
    let hq = Node::hq(&network);
    let callers = [
        alice(&network, "caller", "5002").value("headers", ALICE_PHONE),
        Plan::caller(&network, "caller", network.sip(1, 20), network.sip(1, 1), "5002").value("from", "12125551234"),
    ];
    for (caller, local) in callers.into_iter().zip([(network.host(1, 10), 5070), (network.host(1, 20), 5060)]) {
        let called = Plan::called(&network, "gateway", network.sip(1, 10)).start();
        caller.at(local.into()).done();
        called.done().received(&format!("INVITE sip:5002@{} ", network.sip(1, 10)));
    }
    hq.is_idle_after(2, 0, 0);
}

#[test]
fn an_emergency_call_of_a_phone_at_home_leaves_by_the_home_gateway() {
    let network = Network::claim("bob");
    let hq = Node::hq(&network);
    let gateway = Plan::called(&network, "gateway", network.sip(1, 20)).start();
    // No mark: the caller is found by From.
    alice(&network, "caller", "9911").value("from", "5002").value("headers", "").done();
    let gateway = gateway.done();
    let invite = gateway.received(&format!("INVITE sip:911@{} ", network.sip(1, 20)));
    assert_eq!(invite.formats(), "9 0 8 18 101", "bob has no EMCC session: his media is not our business");
    hq.shows("emcc_emergency_calls_total", &[], 1);
    hq.is_idle_after(1, 0, 0);
}
