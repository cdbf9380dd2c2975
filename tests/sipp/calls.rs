//! Calls that go where they should: the trunk, its marks, media, the parts of a dialog.

use crate::network::Network;
use crate::node::Node;
use crate::tool::Plan;

/// Alice's phone calls from the home cluster's call control.
fn alice(network: &Network, scenario: &'static str, called: &str) -> Plan {
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
