//! Which listener reaches a neighbour, and the one form an address has.

use emcc_trunk::neighbour::Transport;

use crate::node::{GW_BR_1, HQ, Node};
use crate::wire::{Dialog, answer, audio, from_hq};

const LISTEN: &str = "listen = [\"udp:127.0.2.1:5060\", \"tcp:127.0.2.1:5060\"]";
const BOTH: &str = "listen = [\"udp:[::]:5060\", \"tcp:[::]:5060\"]\nadvertise = \"127.0.2.1\"";
const BESIDE: &str = "listen = [\"udp:127.0.2.1:5060\", \"udp:[::1]:5060\"]";
const GATEWAY: &str = "addresses = [\"udp:127.0.2.20:5060\"]";

#[test]
fn p_23_a_wildcard_listener_of_ipv6_reaches_neighbours_of_both_families() {
    for (gateway, to, over) in [
        ("udp:127.0.2.20:5060", "127.0.2.20:5060", Transport::Udp),
        ("tcp:127.0.2.20:5060", "127.0.2.20:5060", Transport::Tcp),
        ("udp:[2001:db8::20]:5060", "[2001:db8::20]:5060", Transport::Udp),
    ] {
        let gateway = format!("addresses = [\"{gateway}\"]");
        let mut node = Node::br_with(&[(LISTEN, BOTH), (GATEWAY, &gateway)]);
        for called in ["999", "02079460000"] {
            let sent = node.hear(HQ, &from_hq(called).body(&audio("18"))).the("INVITE");
            assert_eq!((sent.to.to_string().as_str(), sent.over), (to, over), "{called}");
            let word = over.via_name();
            assert!(sent.headers("Via")[0].starts_with(&format!("SIP/2.0/{word} 127.0.2.1:5060;")), "{}", sent.text());
            assert!(sent.headers("Record-Route")[0].contains("127.0.2.1:5060"), "{}", sent.text());
        }
    }
}

#[test]
fn rfc_4291_2_5_5_2_an_ipv4_address_in_ipv6_form_in_a_contact_is_where_ack_and_bye_go() {
    for called in ["999", "02079460000"] {
        let mut node = Node::br_with(&[(LISTEN, BESIDE)]);
        let invite = from_hq(called).body(&audio("18"));
        let sent = node.hear(HQ, &invite).the("INVITE");
        assert_eq!(sent.to, GW_BR_1);
        let text = answer(&sent, 200, "b1", &[], &audio("18"));
        let text = text.replace("<sip:callee@127.0.2.20:5060>", "<sip:callee@[::ffff:127.0.2.20]:5060>");
        assert!(text.contains("[::ffff:"));
        let answered = node.hear(GW_BR_1, text).the("200");
        let mut caller = Dialog::of_caller(&invite, &answered);
        for method in ["ACK", "BYE"] {
            assert_eq!(node.hear(HQ, &caller.request(method)).the(method).to, GW_BR_1, "{called}");
        }
    }
}

#[test]
fn rfc_4291_2_5_5_2_an_ipv4_address_in_ipv6_form_is_the_same_in_the_configuration_and_in_a_route() {
    let mapped = "addresses = [\"udp:[::ffff:127.0.2.20]:5060\"]";
    let own = "listen = [\"udp:[::ffff:127.0.2.1]:5060\"]";
    let mut node = Node::br_with(&[(LISTEN, own), (GATEWAY, mapped)]);
    assert_eq!(node.hear(HQ, &from_hq("999")).the("INVITE").to, GW_BR_1);
    let route = "Route: <sip:[::ffff:127.0.2.1]:5060;lr>";
    let sent = Node::br().hear(HQ, &from_hq("999").header(route)).the("INVITE");
    assert_eq!((sent.to, sent.headers("Route")), (GW_BR_1, Vec::new()), "our own Route, however it is written");
}
