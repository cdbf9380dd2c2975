//! Targets and extensions: tel URIs (RFC 3966), service URNs (RFC 5031), Proxy-Require, Require.

use crate::node::{BR, CC_HQ, GW_HQ, Node};
use crate::wire::{Request, alice, answer, audio, bob, says, stand};

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
