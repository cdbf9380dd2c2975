//! A trunk over TLS: how it is written in headers, and who may come that way.

use emcc_trunk::neighbour::Transport;

use crate::node::{CC_HQ, GW_HQ, Node};
use crate::wire::{Dialog, alice, answer, audio, bob, says};

/// The listeners of HQ with one of TLS behind the two of the pair, and the files it would show and trust.
const LISTEN: (&str, &str) = (
    "\"tcp:127.0.1.1:5060\"]",
    "\"tcp:127.0.1.1:5060\", \"tls:127.0.1.1:5061\"]\ntls = { certificate = \"c\", key = \"k\", trust = \"t\" }",
);

/// HQ whose trunk to BR is TLS.
fn hq() -> Node {
    Node::hq_with(&[LISTEN, ("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"tls:127.0.2.1:5061\"]")])
}

fn br_tls() -> std::net::SocketAddr {
    "127.0.2.1:5061".parse().expect("an address")
}

#[test]
fn a_call_over_a_tls_trunk_names_tls_in_via_route_and_request_uri() {
    let mut node = hq();
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
    assert_eq!((sent.to, sent.over), (br_tls(), Transport::Tls));
    assert!(sent.header("Via").starts_with("SIP/2.0/TLS 127.0.1.1:5061;branch="), "{}", sent.header("Via"));
    assert_eq!(sent.start(), "INVITE sip:01614960000@127.0.2.1:5061;transport=tls SIP/2.0");
}

#[test]
fn rfc_5658_udp_and_tls_get_a_record_route_each_and_the_dialog_goes_both_ways() {
    let mut node = hq();
    let invite = alice("901614960000").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let ours = ["<sip:127.0.1.1:5061;lr;transport=tls>", "<sip:127.0.1.1:5060;lr>"];
    assert_eq!(sent.headers("Record-Route"), ours);
    let back = node.hear_over_tls(br_tls(), 9, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    assert_eq!((back.to, back.over), (CC_HQ, Transport::Udp));
    let (mut caller, mut callee) = (Dialog::of_caller(&invite, &back), Dialog::of_callee(&sent, "b1"));
    let ack = node.hear(CC_HQ, &caller.request("ACK")).the("ACK");
    assert_eq!((ack.to, ack.over, ack.headers("Route").len()), (br_tls(), Transport::Tls, 0), "both of ours come off");
    let mut up = callee.request("INFO");
    up.transport = "TLS";
    let passed = node.hear_over_tls(br_tls(), 9, &up).the("INFO");
    assert_eq!((passed.to, passed.over), (CC_HQ, Transport::Udp));
    let down = node.hear(CC_HQ, &caller.request("BYE")).the("BYE");
    assert_eq!((down.to, down.over), (br_tls(), Transport::Tls));
    node.hear_over_tls(br_tls(), 9, says(&down, 200)).the("200");
    assert_eq!(node.engine.calls(), 0);
}

#[test]
fn a_neighbour_of_tls_is_a_stranger_over_anything_else() {
    let mut node = hq();
    let mut invite = bob("5002");
    invite.at = br_tls();
    assert!(node.hear(br_tls(), &invite).0.is_empty(), "over UDP nobody is there");
    assert!(node.hear_on_stream(br_tls(), 4, &invite).0.is_empty(), "nor over TCP");
    assert!(!node.hear_over_tls(br_tls(), 4, &invite).0.is_empty());
}

#[test]
fn rfc_3261_26_2_2_a_route_with_sips_or_without_a_port_leads_over_tls_to_5061() {
    for route in ["<sips:127.0.2.1;lr>", "<sip:127.0.2.1;transport=tls;lr>", "<sip:127.0.2.1:5061;lr;transport=TLS>"] {
        let mut node = hq();
        let mut options = bob("x").header(&format!("Route: {route}"));
        "OPTIONS".clone_into(&mut options.method);
        options.uri = "sip:127.0.2.1".to_owned();
        let sent = node.hear(CC_HQ, &options).the("OPTIONS");
        assert_eq!((sent.to, sent.over), (br_tls(), Transport::Tls), "{route}");
    }
}

#[test]
fn rfc_3261_16_6_a_sips_call_between_tls_hops_is_recorded_as_sips_with_its_number() {
    let mut node = Node::hq_with(&[
        LISTEN,
        ("addresses = [\"udp:127.0.1.20:5060\"]", "addresses = [\"tls:127.0.1.20:5060\"]"),
        ("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"tls:127.0.2.1:5061\"]"),
        ("addresses = [\"udp:127.0.1.10:5060\"]", "addresses = [\"tls:127.0.1.10:5060\"]"),
    ]);
    let mut invite = bob("912025550123").body(&audio("0"));
    invite.uri = "sips:912025550123@127.0.1.1:5061".to_owned();
    let sent = node.hear_over_tls(CC_HQ, 3, &invite).the("INVITE");
    assert_eq!((sent.to, sent.over), (GW_HQ, Transport::Tls));
    assert_eq!(sent.start(), "INVITE sips:12025550123@127.0.1.20:5060 SIP/2.0");
    assert_eq!(sent.headers("Record-Route"), ["<sips:127.0.1.1:5061;lr>"]);
}
