//! Targets and extensions: tel URIs (RFC 3966), service URNs (RFC 5031), Proxy-Require, Require.

use std::net::SocketAddr;

use crate::node::{BR, CC_HQ, GW_BR_1, GW_HQ, HQ, Node};
use crate::wire::{Request, alice, answer, audio, bob, from_hq, says, stand};

fn to(uri: &str) -> Request {
    Request { uri: uri.to_owned(), ..bob("x") }
}

#[test]
fn rfc_3966_3_a_tel_uri_is_its_number_whatever_it_is_written_with() {
    for (uri, leaves) in [
        ("tel:912025550123", "sip:12025550123@127.0.1.20:5060;user=phone"),
        ("tel:9-1(202)555.0123", "sip:12025550123@127.0.1.20:5060;user=phone"),
        ("TEL:912025550123;phone-context=example.com", "sip:12025550123@127.0.1.20:5060;user=phone"),
        ("tel:912025550123;isub=4711", "sip:12025550123;isub=4711@127.0.1.20:5060;user=phone"),
        ("tel:912025550123;phone-context=+1;ext=12;isub=3", "sip:12025550123;isub=3;ext=12@127.0.1.20:5060;user=phone"),
        ("sip:912025550123;isub=4711@127.0.1.1;user=phone", "sip:12025550123;isub=4711@127.0.1.20:5060;user=phone"),
        ("sip:912025550123@127.0.1.1;User=Phone", "sip:12025550123@127.0.1.20:5060;user=phone"),
        ("sip:912025550123@127.0.1.1", "sip:12025550123@127.0.1.20:5060"),
        ("sip:9%31202-555-0123@127.0.1.1", "sip:12025550123@127.0.1.20:5060"),
    ] {
        let sent = Node::hq().hear(CC_HQ, &to(uri)).the("INVITE");
        assert_eq!((sent.to, sent.start()), (GW_HQ, format!("INVITE {leaves} SIP/2.0")), "{uri}");
    }
}

#[test]
fn rfc_3966_a_tel_uri_in_from_or_an_asserted_identity_names_the_caller() {
    for (from, line) in
        [("<tel:5002>;tag=x", "Subject: x"), ("<sip:8888@h>;tag=x", "P-Asserted-Identity: <tel:50-02;phone-context=h>")]
    {
        let invite = Request { from: from.to_owned(), ..bob("912025550123").header(line) };
        assert_eq!(Node::hq().hear(CC_HQ, &invite).the("INVITE").to, GW_HQ, "{from} {line}");
    }
}

#[test]
fn rfc_5031_every_kind_of_sos_is_an_emergency_and_other_services_are_not() {
    for urn in [
        "urn:service:sos",
        "urn:service:sos.fire",
        "urn:service:sos.police.x",
        "URN:Service:SOS",
        "urn:service:sos.animal-control",
    ] {
        let mut invite = alice("x").body(&audio("18"));
        invite.uri = urn.to_owned();
        let sent = Node::hq().hear(CC_HQ, &invite).the("INVITE");
        assert_eq!((sent.to, sent.header("Priority").as_str()), (BR, "emergency"), "{urn}");
    }
    for urn in ["urn:service:counseling", "urn:service:sosx", "urn:service:"] {
        let refused = Node::hq().hear(CC_HQ, &to(urn)).refusal();
        assert_eq!(refused.what(), "404", "{urn}");
    }
    assert_eq!(Node::hq().hear(CC_HQ, &to("urn:isbn:1")).refusal().what(), "416", "RFC 3261 section 16.3, step 2");
}

#[test]
fn rfc_3261_16_3_an_extension_demanded_of_proxies_is_420_with_each_of_them() {
    let mut node = Node::hq();
    let asks = |request: Request| request.header("Proxy-Require: sec-agree, x-one").header("proxy-require: x-two");
    let refused = node.hear(CC_HQ, &asks(bob("912025550123"))).refusal();
    assert_eq!(
        (refused.what().as_str(), refused.headers("Unsupported")),
        ("420", ["sec-agree", "x-one", "x-two"].map(str::to_owned).to_vec())
    );
    let refused = node.hear(CC_HQ, &asks(Request::new("MESSAGE", CC_HQ, crate::node::HQ, "5002", "5001"))).refusal();
    assert_eq!(refused.what(), "420");
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    assert_eq!(node.hear(CC_HQ, &asks(call.caller.request("INFO"))).told(), ["420 to cc-hq"]);
    assert_eq!(
        node.hear(CC_HQ, &asks(call.caller.request("ACK"))).told(),
        ["ACK to gw-hq"],
        "an ACK cannot be refused"
    );
    let sent = node.hear(CC_HQ, &asks(bob("9911"))).the("INVITE");
    assert_eq!(sent.to, GW_HQ, "P-23: an emergency call goes on");
    assert_eq!(sent.headers("Proxy-Require").len(), 2, "as it came");
    let mut call = stand(&mut node, bob("9911").body(&audio("0")), &audio("0"));
    for method in ["INFO", "INVITE", "MESSAGE", "BYE"] {
        let sent = node.hear(CC_HQ, &asks(call.caller.request(method))).the(method);
        assert_eq!((sent.to, sent.headers("Proxy-Require").len()), (GW_HQ, 2), "P-23: and so does what belongs to it");
        let status = if method == "INVITE" { 488 } else { 200 };
        node.hear(GW_HQ, says(&sent, status)).the(&status.to_string());
    }
}

#[test]
fn rfc_3261_16_6_require_is_for_the_far_end_and_not_touched() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("912025550123").header("Require: nothing-we-know, 100rel")).the("INVITE");
    assert_eq!(sent.headers("Require"), ["nothing-we-know, 100rel"]);
    let back = node.hear(GW_HQ, answer(&sent, 420, "b", &["Unsupported: nothing-we-know"], "")).the("420");
    assert_eq!(back.headers("Unsupported"), ["nothing-we-know"]);
}

const TAKEN: &str = "emergency call taken that is not well formed";

#[test]
fn p_23_an_emergency_number_that_is_no_uri_is_called_and_leaves_in_form() {
    let leaves = |number: &str, at: SocketAddr, behind: &str| format!("INVITE sip:{number}@{at}{behind} SIP/2.0");
    for (uri, behind) in [
        // RFC 2806 section 2.2: pauses, and what is dialled after them.
        ("tel:911,,5", ";user=phone"),
        ("tel:911p5w#;phone-context=+1", ";user=phone"),
        ("sip:911,,5@127.0.1.1:5060", ""),
        // No host: one called 911 is never looked for.
        ("sip:911", ";user=phone"),
        ("sips:911", ";user=phone"),
        ("sip:+911;transport=udp", ";user=phone"),
        ("sip:9911@", ";user=phone"),
        // Spaces.
        ("sip:9 11@127.0.1.1:5060", ""),
        ("sip: 911 @127.0.1.1:5060", ""),
        ("sip:9 1 1@example.com;user=phone", ";user=phone"),
        ("tel:9 11;phone-context=+1", ";user=phone"),
    ] {
        for drains in [false, true] {
            let mut node = Node::hq();
            if drains {
                node.engine.drain();
            }
            let out = node.hear(CC_HQ, &to(uri));
            let sent = out.the("INVITE");
            assert_eq!((sent.to, sent.start()), (GW_HQ, leaves("911", GW_HQ, behind)), "{uri}");
            let is_in_form = uri.starts_with("sip:911,");
            assert_eq!(node.alarms(), if is_in_form { &[][..] } else { &[TAKEN] }, "{uri}");
            assert_eq!(node.hear(CC_HQ, &to(uri)).the("INVITE").to, GW_HQ, "another one: {uri}");
            assert_eq!(node.hear(GW_HQ, says(&sent, 200)).told(), ["200 to cc-hq"], "{uri}");
        }
    }
    // Over the trunk, then the last resort, each in form; and from the trunk.
    let mut node = Node::hq();
    let first = node.hear(CC_HQ, &Request { uri: "sip:9999".to_owned(), ..alice("x") }).the("INVITE");
    assert_eq!((first.to, first.start()), (BR, leaves("999", BR, ";user=phone")));
    let out = node.hear(BR, says(&first, 603));
    let second = out.0.iter().find(|sent| sent.what() == "INVITE").expect("the last resort");
    assert_eq!((second.to, second.start()), (GW_HQ, leaves("999", GW_HQ, ";user=phone")));
    let sent = Node::br().hear(HQ, &Request { uri: "tel:999,".to_owned(), ..from_hq("x") }).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_BR_1, "999"));
}

#[test]
fn p_23_an_emergency_to_a_target_that_is_no_uri_is_cancelled_by_it() {
    for uri in ["sip:911", "tel:911,,5", "sip:9 11@127.0.1.1:5060"] {
        let mut node = Node::hq();
        let invite = to(uri);
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        node.hear(GW_HQ, says(&sent, 180)).the("180");
        assert_eq!(node.hear(CC_HQ, &invite.cancel()).told(), ["200 to cc-hq", "CANCEL to gw-hq"], "{uri}");
        let refusal = node.hear(GW_HQ, says(&sent, 487)).the("487");
        node.hear(CC_HQ, &invite.ack(&refusal));
        assert!(node.wait(40_000).0.iter().all(|sent| sent.what() != "487"), "the ACK was heard: {uri}");
    }
}

#[test]
fn p_23_what_is_no_emergency_number_is_no_target_without_a_host() {
    for (uri, status) in [
        ("sip:912025550123", "400"),
        ("sip:5001", "400"),
        ("sips:5001@", "400"),
        ("sip:911:5060", "400"),
        ("sip:1.9.1.1.1", "400"),
        ("tel:912025550123,,5", "400"),
        ("tel:911,alice", "400"),
        ("tel:5001,911", "400"),
        ("sip:50 01@127.0.1.1:5060", "400"),
        ("sip:912025550123 sip:911@127.0.1.1", "400"),
        ("sip:911@127.0.1.1 x", "400"),
        // In form, and nobody's.
        ("sip:5001,,911@127.0.1.1:5060", "404"),
        ("sip:911,alice@127.0.1.1:5060", "404"),
    ] {
        let mut node = Node::hq();
        assert_eq!(node.hear(CC_HQ, &to(uri)).refusal().what(), status, "{uri}");
        assert!(node.alarms().is_empty() && node.engine.calls() == 0, "{uri}");
    }
    // Nor is another request a call.
    for uri in ["sip:911", "tel:911,,5", "sip:9 11@127.0.1.1:5060"] {
        let message = Request { method: "MESSAGE".to_owned(), ..to(uri) };
        assert_eq!(Node::hq().hear(CC_HQ, &message).told(), ["400 to cc-hq"], "{uri}");
    }
}

#[test]
fn p_23_what_stands_behind_a_service_names_no_other_and_goes() {
    let service = |uri: &str| Request { uri: uri.to_owned(), ..alice("x").body(&audio("18")) };
    for (uri, leaves) in [
        ("urn:service:sos;x=1", "urn:service:sos"),
        ("urn:service:sos?x", "urn:service:sos"),
        ("urn:service:sos?+a=b", "urn:service:sos"),
        ("urn:service:sos?=q", "urn:service:sos"),
        ("urn:service:sos#f", "urn:service:sos"),
        ("URN:Service:sos.fire;x?y#z", "URN:Service:sos.fire"),
        ("urn:service:sos", "urn:service:sos"),
    ] {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &service(uri)).the("INVITE");
        assert_eq!((sent.to, sent.start()), (BR, format!("INVITE {leaves} SIP/2.0")), "{uri}");
        assert_eq!(sent.header("Priority"), "emergency", "{uri}");
        let out = node.hear(BR, says(&sent, 603));
        let last = out.0.iter().find(|sent| sent.what() == "INVITE").expect("the last resort");
        assert_eq!((last.to, last.start()), (GW_HQ, format!("INVITE {leaves} SIP/2.0")), "{uri}");
    }
    for uri in ["urn:service:sosx;y", "urn:service:?sos", "urn:service:counseling;sos"] {
        assert_eq!(Node::hq().hear(CC_HQ, &to(uri)).refusal().what(), "404", "{uri}");
    }
}
