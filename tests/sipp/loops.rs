//! Requests that come round again or have no hop left, against the running program.

use crate::network::{Network, with};
use crate::node::Node;
use crate::script::{Body, Script};
use crate::tool::Plan;

/// A number that leads back to call control.
const ROUND: &str = "sip:5002@[remote_ip]:[remote_port]";

#[test]
fn rfc_5393_4_2_2_and_rfc_3261_16_3_item_4_a_request_that_loops_is_482_and_every_pass_of_it_ends() {
    let network = Network::claim("looped");
    let hq = Node::hq(&network);
    // Call control as a proxy without a thought of its own: it sends back what comes, with a Via more and a hop less. The
    // first time it does, the target is another one than that of the call: a spiral. The second time nothing is.
    let proxy = Script::new().awaits("INVITE").keeps_as("first", 2).sends_on("first", 2, 68);
    let proxy = proxy.may_hear(100).awaits("INVITE").keeps_as("second", 4).sends_on("second", 4, 66);
    let proxy = proxy.may_hear(100).expect(482).ack_of("second").refuses("second", 4, 482).awaits("ACK");
    let proxy = proxy.expect(482).ack_of("first").refuses("first", 2, 482).awaits("ACK");
    let proxy = Plan::plays(&network, "proxy", network.sip(1, 10), &proxy).start();
    let caller = Script::new().invite_with(ROUND, "", "", "").may_hear(100).expect(482).ack_failure(ROUND);
    let at = (network.host(1, 10), 5070).into();
    let caller = Plan::calls(&network, "calls", at, network.sip(1, 1), &caller).done();
    let (caller, proxy) = (caller, proxy.done());
    let looped = proxy.received("SIP/2.0 482");
    assert!(looped.text.starts_with("SIP/2.0 482 Loop Detected\r\n"), "{}", looped.text);
    assert_eq!(looped.values("Via").len(), 5, "the third pass: two of the proxy, two of the node, the caller's");
    assert_eq!(proxy.all_received("INVITE").len(), 2, "what looped went nowhere");
    assert_eq!(caller.received("SIP/2.0 482").values("Via").len(), 1);
    hq.shows("emcc_sip_requests_sent_total", &["method=\"INVITE\""], 2);
    hq.shows("emcc_calls", &[], 0);
}

#[test]
fn rfc_3261_16_3_item_3_a_request_without_a_hop_left_is_483_and_the_last_hop_still_reaches_its_end() {
    let network = Network::claim("spent");
    let hq = Node::hq(&network);
    let out = "sip:912125551234@[remote_ip]:[remote_port]";
    let spent = Script::new().invite(out, "").hops(0).may_hear(100).expect(483).ack_failure(out);
    let caller = Plan::calls(&network, "spent", network.sip(1, 10), network.sip(1, 1), &spent).done();
    assert!(caller.received("SIP/2.0 483").text.starts_with("SIP/2.0 483 Too Many Hops\r\n"));
    // OPTIONS to the node itself is answered (RFC 3261 section 11), whatever hops are left.
    let asks = Script::new().asks("OPTIONS", "sip:[remote_ip]:[remote_port]", "").hops(0).expect(200);
    Plan::calls(&network, "asks", network.sip(1, 10), network.sip(1, 1), &asks).done();
    let last = Script::new().invite(out, "").hops(1).may_hear(100).may_hear(180).expect(200).ack(Body::None);
    let gateway = Plan::plays(&network, "called", network.sip(1, 20), &Script::answering("")).start();
    Plan::calls(&network, "last", network.sip(1, 10), network.sip(1, 1), &last.pause(50).bye()).done();
    assert_eq!(gateway.done().received("INVITE").value("Max-Forwards"), "0");
    hq.shows("emcc_calls_total", &["outcome=\"answered\""], 1);
    hq.shows("emcc_calls", &[], 0);
}

#[test]
fn rfc_3261_16_8_who_rings_longer_than_timer_c_is_cancelled_and_told_why() {
    let network = Network::claim("timer_c");
    let hq = Node::start(&network, "hq.toml", &with(&network.pair("hq.toml"), "[sip]\n", "[sip]\nring_s = 2\n"));
    let out = "sip:912125551234@[remote_ip]:[remote_port]";
    let rings = Script::new().awaits("INVITE").keeps().reply(180, "", Body::None).awaits("CANCEL").within(200);
    let gateway = Plan::plays(&network, "rings", network.sip(1, 20), &rings.kept(487, "", Body::None).awaits("ACK"));
    let gateway = gateway.start();
    let caller = Script::new().invite(out, "").may_hear(100).expect(180).expect(500).ack_failure(out);
    let caller = Plan::calls(&network, "calls", network.sip(1, 10), network.sip(1, 1), &caller).done();
    let reason = gateway.done().received("CANCEL").value("Reason").to_owned();
    assert!(reason.contains("Q.850;cause=19"), "RFC 3326: {reason}");
    let waited_ms = caller.waited_ms("SIP/2.0 500");
    assert!((2_000..4_000).contains(&waited_ms), "{waited_ms} ms");
    hq.is_idle_after(0, 1, 0);
}
