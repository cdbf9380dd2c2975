//! What RFC 3261 section 16 asks of a proxy beyond the way of an ordinary call: strict routers, challenges, redirections,
//! CANCEL, what comes late (RFC 6026), and where responses go (RFC 3581).

use std::net::SocketAddr;

use crate::node::{CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node};
use crate::wire::{Dialog, Request, answer, audio, bob, from_hq, hang_up, says, serial, stand};

const OURS: &str = "<sip:127.0.1.1:5060;lr>";

fn bobs(node: &mut Node) -> crate::wire::Standing {
    stand(node, bob("912025550123").body(&audio("0")), &audio("0"))
}

#[test]
fn rfc_3261_16_4_a_request_from_a_strict_router_goes_to_the_target_in_its_last_route() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    for method in ["INFO", "UPDATE", "ACK"] {
        let mut request = call.caller.request(method);
        let target = request.uri.clone();
        request.more.retain(|line| !line.starts_with("Route"));
        request.uri = OURS.trim_matches(['<', '>']).to_owned();
        let sent = node.hear(CC_HQ, &request.header(&format!("Route: <{target}>"))).the(method);
        assert_eq!((sent.to, sent.start()), (GW_HQ, format!("{method} {target} SIP/2.0")));
        assert!(sent.headers("Route").is_empty(), "{sent:?}");
    }
    // A loose router stands between: its Route stays, the target does not.
    let mut request = call.caller.request("INFO");
    let target = request.uri.clone();
    request.more.retain(|line| !line.starts_with("Route"));
    request.uri = OURS.trim_matches(['<', '>']).to_owned();
    let request = request.header(&format!("Route: <sip:{GW_HQ};lr>, <{target}>"));
    let sent = node.hear(CC_HQ, &request).the("INFO");
    assert_eq!((sent.to, sent.start()), (GW_HQ, format!("INFO {target} SIP/2.0")));
    assert_eq!(sent.headers("Route"), [format!("<sip:{GW_HQ};lr>")]);
}

#[test]
fn rfc_3261_16_6_6_and_16_12_1_2_a_strict_router_that_is_next_gets_its_own_uri_and_the_target_last() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    let mut info = call.caller.request("INFO");
    let target = "sip:far@203.0.113.9";
    info.uri = target.to_owned();
    info.more.retain(|line| !line.starts_with("Route"));
    let one = info.clone().header(&format!("Route: {OURS}, <sip:{GW_HQ}>"));
    let sent = node.hear(CC_HQ, &one).the("INFO");
    assert_eq!((sent.to, sent.start()), (GW_HQ, format!("INFO sip:{GW_HQ} SIP/2.0")));
    assert_eq!(sent.headers("Route"), [format!("<{target}>")]);
    let mut two =
        info.header(&format!("Route: {OURS}")).header(&format!("Route: <sip:{GW_HQ}>, <sip:beyond.example;lr>"));
    two.branch += "-2";
    two.cseq += 1;
    let sent = node.hear(CC_HQ, &two).the("INFO");
    assert_eq!(sent.headers("Route"), [format!("<sip:beyond.example;lr>, <{target}>")]);
}

#[test]
fn rfc_3261_16_6_a_request_routed_by_its_number_leaves_without_the_routes_its_sender_wrote() {
    let mut node = Node::hq();
    for route in ["sip:127.0.2.1", "sip:127.0.2.1;lr", "si:127.0.1.1:5060;lr", "si:127.0.2.1"] {
        let message =
            Request::new("MESSAGE", GW_HQ, HQ, "0", "5001").header(&format!("Route: <{route}>, <sip:127.0.2.1;lr>"));
        let sent = node.hear(GW_HQ, &message).the("MESSAGE");
        assert_eq!((sent.to, sent.start()), (CC_HQ, format!("MESSAGE sip:5001@{CC_HQ} SIP/2.0")), "{route}");
        assert!(sent.headers("Route").is_empty(), "{}", sent.text());
    }
}

#[test]
fn rfc_3261_16_7_6_a_redirection_passes_and_is_not_followed() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("912025550123").body(&audio("0"))).the("INVITE");
    let moved = ["Contact: <sip:elsewhere@198.51.100.1>;q=0.7", "Diversion: <sip:x@h>;reason=unconditional"];
    let out = node.hear(GW_HQ, answer(&sent, 302, "b", &moved, ""));
    assert_eq!(out.told(), ["ACK to gw-hq", "302 to cc-hq"]);
    assert!(out.the("302").has("<sip:elsewhere@198.51.100.1>;q=0.7") && out.the("302").has(moved[1]));
}

#[test]
fn rfc_3261_16_7_7_every_challenge_of_an_emergencys_hops_goes_back_with_the_best() {
    let mut node = Node::br();
    let first = node.hear(HQ, &from_hq("911").body(&audio("18"))).the("INVITE");
    let one = "Proxy-Authenticate: Digest realm=\"one\", nonce=\"1\"";
    let second = node.hear(GW_BR_1, answer(&first, 407, "b", &[one], "")).the("INVITE");
    assert_eq!(second.to, GW_BR_2);
    let two = [
        "WWW-Authenticate: Digest realm=\"two\", nonce=\"2\"",
        "WWW-Authenticate: Digest realm=\"three\", nonce=\"3\"",
    ];
    let mut last = node.hear(GW_BR_2, answer(&second, 401, "b", &two, ""));
    // Whatever else is tried fails without a challenge.
    while last.0.iter().any(|sent| sent.what() == "INVITE") {
        let next = last.the("INVITE");
        last = node.hear(next.to, says(&next, 503));
    }
    let back = last.refusal();
    assert!(["401", "407"].contains(&back.what().as_str()), "{back:?}");
    assert_eq!(back.headers("Proxy-Authenticate"), ["Digest realm=\"one\", nonce=\"1\""]);
    assert_eq!(back.headers("WWW-Authenticate").len(), 2, "{}", back.text());
}

#[test]
fn rfc_3261_22_3_an_ordinary_challenge_passes_at_once_and_the_second_try_is_a_call_of_its_own() {
    let mut node = Node::hq();
    let invite = bob("912025550123").body(&audio("0"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let refused =
        node.hear(GW_HQ, answer(&sent, 407, "b", &["Proxy-Authenticate: Digest realm=\"r\", nonce=\"1\""], ""));
    let refused = refused.the("407");
    assert_eq!(refused.header("Proxy-Authenticate"), "Digest realm=\"r\", nonce=\"1\"");
    node.hear(CC_HQ, &invite.ack(&refused));
    let mut again =
        invite.header("Proxy-Authorization: Digest username=\"u\", realm=\"r\", nonce=\"1\", response=\"x\"");
    again.branch = format!("z9hG4bK-{}", serial());
    again.cseq = 2;
    let sent = node.hear(CC_HQ, &again).the("INVITE");
    assert!(
        sent.header("Proxy-Authorization").contains("realm=\"r\""),
        "a realm we do not know is not ours to take off"
    );
    node.hear(GW_HQ, answer(&sent, 200, "b", &[], &audio("0"))).the("200");
}

#[test]
fn rfc_3261_16_10_a_cancel_of_nothing_we_know_is_481() {
    // Section 16.10 would have it forwarded; our branches are drawn, so that no element behind us could match it.
    let mut node = Node::hq();
    let invite = bob("912025550123");
    assert_eq!(node.hear(CC_HQ, &invite.cancel()).told(), ["481 to cc-hq"]);
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180));
    let other = Request { branch: "z9hG4bK-other".to_owned(), ..invite.cancel() };
    assert_eq!(node.hear(CC_HQ, &other).told(), ["481 to cc-hq"]);
    node.hear(GW_HQ, answer(&sent, 200, "b1", &[], "")).the("200");
    assert_eq!(node.hear(CC_HQ, &invite.cancel()).told(), ["200 to cc-hq"], "too late: answered, and without effect");
    assert_eq!(node.engine.calls(), 1);
}

#[test]
fn rfc_6026_7_and_8_7_copies_of_a_2xx_pass_for_64_t1_and_what_comes_later_is_dropped() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    let again = answer(&call.invite, 200, "b1", &[], &audio("0"));
    for _ in 0..4 {
        assert_eq!(node.wait(7_000).told(), Vec::<String>::new(), "we repeat no 2xx ourselves");
        assert_eq!(node.hear(GW_HQ, again.clone()).told(), ["200 to cc-hq"]);
        assert_eq!(node.hear(CC_HQ, &call.caller.request("ACK")).told(), ["ACK to gw-hq"]);
    }
    node.wait(8_000);
    assert!(node.hear(GW_HQ, again).told().is_empty(), "no transaction: it goes nowhere (RFC 6026 section 8.7)");
    assert_eq!(node.engine.calls(), 1);
    hang_up(&mut node, &mut call);
}

#[test]
fn rfc_6026_8_4_each_forks_2xx_passes_and_each_is_acknowledged_and_ended_by_its_own_route() {
    let mut node = Node::hq();
    let invite = bob("912025550123").body(&audio("0"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    for (tag, phone) in [("b1", "one"), ("b2", "two")] {
        let text = answer(&sent, 200, tag, &[], &audio("0")).replace("<sip:callee@", &format!("<sip:{phone}@"));
        let answered = node.hear(GW_HQ, text).the("200");
        let ack = node.hear(CC_HQ, &Dialog::of_caller(&invite, &answered).request("ACK")).the("ACK");
        assert_eq!(ack.start(), format!("ACK sip:{phone}@{GW_HQ} SIP/2.0"));
        assert!(ack.header("To").ends_with(&format!("tag={tag}")));
    }
    for (tag, left) in [("b2", 1), ("b1", 0)] {
        let mut dialog = Dialog::of_callee(&sent, tag);
        let bye = node.hear(GW_HQ, &dialog.request("BYE")).the("BYE");
        node.hear(CC_HQ, says(&bye, 200));
        assert_eq!(node.engine.calls(), left, "{tag}");
    }
}

#[test]
fn rfc_3581_4_and_rfc_3261_18_2_responses_go_where_the_via_and_the_packet_say() {
    let (asked, plain): (SocketAddr, SocketAddr) = ("127.0.1.10:40000".parse().expect("it is"), CC_HQ);
    for (via, from, back, filled) in [
        ("127.0.1.10:5060;rport", asked, asked, ";rport=40000;"),
        ("127.0.1.10;rport", asked, asked, ";rport=40000;"),
        ("127.0.1.10:5060", asked, plain, ""),
        ("127.0.1.10", asked, plain, ""),
        ("10.9.9.9:5060", asked, plain, ";received=127.0.1.10"),
        ("10.9.9.9:5077;rport", asked, asked, ";received=127.0.1.10"),
        ("127.0.1.10:5060;rport=1;received=203.0.113.1", asked, asked, ";received=127.0.1.10"),
    ] {
        let mut node = Node::hq();
        let text = bob("912025550123").body(&audio("0")).text().replacen(
            "127.0.1.10:5060;branch",
            &format!("{via};branch"),
            1,
        );
        let out = node.hear(from, text);
        assert_eq!(out.the("100").to, back, "{via}");
        assert!(out.the("100").header("Via").contains(filled), "{via}: {}", out.the("100").header("Via"));
        let sent = out.the("INVITE");
        assert!(sent.headers("Via")[1].contains(filled), "{via}: the next hop sees it too");
        assert!(!sent.text().contains("203.0.113.1"), "{via}: what the sender wrote itself is not believed");
        assert_eq!(node.hear(GW_HQ, says(&sent, 180)).the("180").to, back, "{via}");
    }
}

#[test]
fn rfc_5626_4_4_1_a_keepalive_in_a_datagram_is_not_answered_and_harms_nothing() {
    let mut node = Node::hq();
    for ping in [&b"\r\n\r\n"[..], b"\r\n", b"\0\0\0\0"] {
        assert!(node.hear(CC_HQ, ping).told().is_empty());
    }
    node.hear(CC_HQ, &bob("912025550123")).the("INVITE");
}

#[test]
fn rfc_3261_16_2_and_17_2_1_an_invite_has_its_100_before_anything_else_happens() {
    let mut node = Node::hq();
    for called in ["912025550123", "9911", "8888"] {
        let out = node.hear(CC_HQ, &bob(called).header("Timestamp: 54"));
        assert_eq!((out.0[0].what(), out.0[0].header("Timestamp")), ("100".to_owned(), "54".to_owned()), "{called}");
    }
}

#[test]
fn rfc_4320_4_1_a_provisional_of_the_next_hop_is_not_passed_to_who_sent_another_request_than_an_invite() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    for method in ["INFO", "UPDATE", "BYE"] {
        let sent = node.hear(CC_HQ, &call.caller.request(method)).the(method);
        for status in [100, 180, 183, 199] {
            assert_eq!(node.hear(GW_HQ, says(&sent, status)).told(), Vec::<String>::new(), "{method} {status}");
        }
        assert_eq!(node.hear(GW_HQ, says(&sent, 200)).told(), ["200 to cc-hq"], "{method}");
    }
    let message = Request::new("MESSAGE", GW_HQ, HQ, "0", "5001");
    let sent = node.hear(GW_HQ, &message).the("MESSAGE");
    assert_eq!(node.hear(CC_HQ, says(&sent, 182)).told(), Vec::<String>::new());
    assert_eq!(node.hear(CC_HQ, says(&sent, 202)).told(), ["202 to gw-hq"]);
}

#[test]
fn rfc_4320_4_2_a_408_of_the_next_hop_goes_back_to_an_invite_alone() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    for method in ["INFO", "UPDATE"] {
        let request = call.caller.request(method);
        let sent = node.hear(CC_HQ, &request).the(method);
        assert_eq!(node.hear(GW_HQ, says(&sent, 408)).told(), Vec::<String>::new(), "{method}");
        assert_eq!(node.hear(CC_HQ, &request).told(), Vec::<String>::new(), "a copy wakes nobody: {method}");
    }
    let again = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("0"))).the("INVITE");
    assert_eq!(node.hear(GW_HQ, says(&again, 408)).told(), ["ACK to gw-hq", "408 to cc-hq"]);
    assert_eq!(node.engine.calls(), 1);
    let message = Request::new("MESSAGE", GW_HQ, HQ, "0", "5001");
    let sent = node.hear(GW_HQ, &message).the("MESSAGE");
    assert_eq!(node.hear(CC_HQ, says(&sent, 408)).told(), Vec::<String>::new());
}

#[test]
fn rfc_4320_4_2_a_bye_that_comes_back_as_408_ends_the_call_and_tells_nobody() {
    let mut node = Node::hq();
    let mut call = stand(&mut node, crate::wire::alice("901614960000").body(&audio("18")), &audio("18"));
    assert_ne!(node.booked(), [0; 4]);
    let bye = node.hear(CC_HQ, &call.caller.request("BYE")).the("BYE");
    assert_eq!(node.hear(bye.to, says(&bye, 408)).told(), Vec::<String>::new());
    assert_eq!((node.engine.calls(), node.booked(), node.ended()), (0, [0; 4], vec![(200, "caller")]));
}

#[test]
fn rfc_6665_4_what_belongs_to_a_subscription_passes_between_neighbours() {
    let mut node = Node::hq();
    let mut subscribe = Request::new("SUBSCRIBE", GW_HQ, HQ, "x", "x").header("Event: dialog");
    subscribe.uri = format!("sip:{CC_HQ}");
    let sent = node.hear(GW_HQ, &subscribe).the("SUBSCRIBE");
    assert_eq!(sent.to, CC_HQ);
    assert_eq!(node.hear(CC_HQ, answer(&sent, 200, "s1", &["Expires: 60"], "")).told(), ["200 to gw-hq"]);
    let mut subscriber = Dialog::of_callee(&sent, "s1");
    for method in ["NOTIFY", "NOTIFY"] {
        let mut notify = subscriber.request(method).header("Event: dialog");
        notify.uri = format!("sip:x@{GW_HQ}");
        let passed = node.hear(CC_HQ, &notify).the("NOTIFY");
        assert_eq!(passed.to, GW_HQ);
        assert_eq!(node.hear(GW_HQ, says(&passed, 200)).told(), ["200 to cc-hq"]);
    }
    let mut astray = subscriber.request("NOTIFY");
    astray.uri = "sip:x@198.51.100.9".to_owned();
    assert_eq!(node.hear(CC_HQ, &astray).refusal().what(), "481");
    let mut info = subscriber.request("INFO");
    info.uri = format!("sip:x@{GW_HQ}");
    assert_eq!(node.hear(CC_HQ, &info).refusal().what(), "481", "no other request does");
}
