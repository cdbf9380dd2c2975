//! Calls of a visiting phone that pass the node twice, with SIPp as a call control that forwards them: one booking, one
//! cap, and who forwarded what stays to be read.

use crate::network::{Network, with};
use crate::node::Node;
use crate::phones::{at_phone, phone, registers};
use crate::script::{Body, Script};
use crate::tool::{Ended, Plan, Sipp};

/// A link as wide as one call while its packets are not known (V-18): a second booking of it would be refused.
const ONE_CALL: &str = "link_audio_kbps = 40";

/// The pair, the home node with a network of phones and a link for one call.
fn pair(network: &Network) -> (Node, Node) {
    let phones = format!("[sip]\nphones = [\"127.{}.3.0/24\"]\n", network.octet());
    let text = with(&network.pair("hq.toml"), "[sip]\n", &phones);
    let hq = Node::start(network, "hq.toml", &with(&text, "link_audio_kbps = 2000", ONE_CALL));
    (hq, Node::br(network))
}

/// The target of a pass of call control: the node, which finds the way to that number.
fn number(network: &Network, digits: &str) -> String {
    format!("sip:{digits}@{}", network.sip(1, 1))
}

fn call_control(network: &Network, script: &Script) -> Sipp {
    Plan::plays(network, "call_control", network.sip(1, 10), script).start()
}

fn gateway(network: &Network, script: &Script) -> Sipp {
    Plan::plays(network, "gateway", network.sip(2, 20), script).start()
}

/// Alice's phone registers and calls; the link has one call on it all the while. What the phone saw.
fn calls(network: &Network, hq: &Node, called: &str) -> Ended {
    let call = at_phone(network, "caller", called).value("hold_ms", "1800").start();
    hq.link_shows_kbps(40);
    hq.link_shows_kbps(24);
    call.done()
}

#[test]
fn rfc_3261_16_6_a_phones_call_passes_on_its_way_to_call_control_and_from_it_with_one_reservation() {
    let network = Network::claim("passes_twice");
    let (hq, br) = pair(&network);
    registers(&network, &hq);
    let proxy = Script::new().awaits("INVITE").takes().forwards("on", &number(&network, "902079460000"), "");
    let proxy = proxy.may_hear(100).expect(180).returns(180, Body::None).expect(200).returns(200, Body::Sdp);
    let (proxy, called) = (call_control(&network, &proxy), gateway(&network, &Script::answering("")));
    let caller = calls(&network, &hq, "902079460000");
    let (proxy, called) = (proxy.done(), called.done());
    let first = proxy.received("INVITE sip:902079460000@");
    let last = called.received(&format!("INVITE sip:02079460000@{} ", network.sip(2, 20)));
    assert_eq!((first.formats(), last.formats()), ("18 101", "18 101"), "M-1, in each pass");
    assert_eq!(last.values("Via").len(), 5, "phone, node, call control, node, the other cluster's node");
    assert_eq!(caller.received("SIP/2.0 200").formats(), "18 101");
    // Call control kept out of the dialog: ACK and BYE go through both passes by themselves.
    for start in ["ACK sip:gateway@", "BYE sip:gateway@"] {
        assert!(called.received(start).values("Route").is_empty());
    }
    hq.is_idle_after(2, 0, 0);
    br.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_3327_5_4_a_call_from_the_pstn_to_a_phone_passes_twice_along_its_path_with_one_reservation() {
    let network = Network::claim("comes_twice");
    let (hq, _br) = pair(&network);
    let registrar = registers(&network, &hq);
    let path = registrar.all_received("REGISTER ").last().unwrap().value("Path").to_owned();
    let target = format!("sip:5001@{};transport=UDP", phone(&network));
    let proxy = Script::new().awaits("INVITE").takes_unmarked().forwards("on", &target, &format!("Route: {path}\n"));
    let proxy = proxy.may_hear(100).expect(180).returns(180, Body::None).expect(200).returns(200, Body::Sdp);
    let (proxy, rings) = (call_control(&network, &proxy), Plan::called(&network, "gateway", phone(&network)).start());
    let caller = Plan::caller(&network, "caller", network.sip(1, 20), network.sip(1, 1), "5001");
    let caller = caller.value("from", "2125550199").value("headers", "").value("hold_ms", "1800").start();
    hq.link_shows_kbps(40);
    hq.link_shows_kbps(24);
    let caller = caller.done();
    proxy.done().received(&format!("INVITE sip:5001@{} ", network.sip(1, 10)));
    let rings = rings.done();
    let invite = rings.received(&format!("INVITE {target} "));
    assert_eq!((invite.formats(), invite.values("Route").len()), ("18 101", 0));
    assert_eq!(caller.received("SIP/2.0 200").formats(), "18 101");
    hq.is_idle_after(2, 0, 0);
}

#[test]
fn rfc_3261_16_7_rfc_5806_and_rfc_7044_a_302_recursed_by_call_control_keeps_cap_booking_and_history() {
    let network = Network::claim("forwarded");
    let (hq, br) = pair(&network);
    registers(&network, &hq);
    let began = "History-Info: <sip:902079460000@hq.example>;index=1\n";
    let moved = "History-Info: <sip:902079460001@hq.example;cause=302>;index=1.1;mp=1\n\
                 Diversion: \"Desk\" <sip:902079460000@hq.example>;reason=unconditional;counter=1;privacy=off\n";
    let refers = "Contact: <sip:902079460001@hq.example>;q=0.7\n\
                  Diversion: <sip:02079460000@br.example>;reason=unconditional;counter=1\n\
                  History-Info: <sip:02079460000@br.example?Reason=SIP%3Bcause%3D302>;index=1\n";
    let proxy = Script::new().awaits("INVITE").takes().forwards("on", &number(&network, "902079460000"), began);
    let proxy = proxy.may_hear(100).expect(302).ack_of("on");
    let proxy = proxy.forwards("anew", &number(&network, "902079460001"), &format!("{began}{moved}"));
    let proxy = proxy.may_hear(100).expect(180).returns(180, Body::None).expect(200).returns(200, Body::Sdp);
    let called = Script::new().awaits("INVITE").pause(50).redirects(refers).awaits("ACK").then(&Script::answering(""));
    let (proxy, called) = (call_control(&network, &proxy), gateway(&network, &called));
    let caller = calls(&network, &hq, "902079460000");
    let (proxy, called) = (proxy.done(), called.done());

    let redirection = proxy.received("SIP/2.0 302");
    for line in refers.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(redirection.value(name), value, "as the gateway wrote it");
    }
    let invites = called.all_received("INVITE");
    assert_eq!(invites.len(), 2);
    for (invite, digits) in invites.iter().zip(["02079460000", "02079460001"]) {
        assert!(invite.text.starts_with(&format!("INVITE sip:{digits}@{} ", network.sip(2, 20))), "{}", invite.text);
        assert_eq!(invite.formats(), "18 101", "M-1, also of the call that was forwarded");
    }
    let history = |headers: &str, name: &str| -> Vec<String> {
        headers.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned).collect()
    };
    for (invite, headers) in invites.iter().zip([began.to_owned(), format!("{began}{moved}")]) {
        for name in ["History-Info", "Diversion"] {
            assert_eq!(invite.values(name), history(&headers, name), "{}", invite.text);
        }
    }
    assert!(caller.all_received("SIP/2.0 302").is_empty(), "call control followed it");
    assert_eq!(caller.received("SIP/2.0 200").formats(), "18 101");
    hq.is_idle_after(2, 1, 0);
    br.is_idle_after(1, 1, 0);
}
