//! Strangers, forgeries and broken messages: nobody is answered who is no neighbour, and nothing a message says sends us
//! to a stranger.

use std::net::SocketAddr;

use emcc_trunk::metrics::Exporter;

use crate::node::{BR, CC_HQ, GW_HQ, HQ, Node, name};
use crate::wire::{Request, alice, answer, audio, bob, says, stand};

fn stranger() -> SocketAddr {
    "203.0.113.9:5060".parse().expect("an address")
}

fn is_stranger(at: SocketAddr) -> bool {
    name(at) == at.to_string()
}

#[test]
fn a_stranger_is_never_answered() {
    let mut node = Node::hq();
    for method in ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "ACK"] {
        let request = Request::new(method, stranger(), HQ, "5002", "5001").header("Priority: emergency");
        assert_eq!(node.hear(stranger(), &request).told(), Vec::<String>::new(), "{method}");
    }
    for junk in ["", "\r\n\r\n", "junk", "INVITE sip:911@127.0.1.1 SIP/2.0\r\n\r\n"] {
        assert_eq!(node.hear(stranger(), junk).told(), Vec::<String>::new());
    }
    assert_eq!((node.engine.calls(), node.engine.transactions()), (0, 0));
}

/// A neighbour on the node's own host, told apart from it by its port: a forged datagram may then seem to come from the
/// node itself, and what would be answered to it is not sent.
#[test]
fn what_would_be_answered_to_this_node_itself_is_counted_and_not_sent() {
    let own = HQ;
    let advertised: SocketAddr = "127.0.1.1:5090".parse().expect("an address");
    let second: SocketAddr = "127.0.1.1:5070".parse().expect("an address");
    let changes = [
        ("\"udp:127.0.1.20:5060\"", "\"udp:127.0.1.1:5080\""),
        (
            "listen = [\"udp:127.0.1.1:5060\"",
            "advertise = \"127.0.1.1:5090\"\nlisten = [\"udp:127.0.1.1:5060\", \"udp:127.0.1.1:5070\"",
        ),
    ];
    let (mut node, exporter) = Node::counted("hq", &changes);
    let counted = |exporter: &Exporter| {
        let text = exporter.render(&[]);
        let line = text.lines().find_map(|line| line.strip_prefix("emcc_sip_responses_reflected_total "));
        line.expect("the metric is there").parse::<u64>().expect("a number")
    };
    let mut want = 0;
    let unknown = |from| Request::new("INVITE", from, HQ, "4", "5002").text();
    let broken = |from| unknown(from).replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    let whole = Request::new("OPTIONS", own, HQ, "x", "x").text();
    let all = [(own, whole), (own, unknown(own)), (own, broken(own)), (advertised, broken(advertised))];
    for (from, text) in all.into_iter().chain([(second, broken(second))]) {
        let told = node.hear(from, text.clone()).told();
        want += 1;
        assert_eq!((told, counted(&exporter)), (Vec::<String>::new(), want), "{from}: {text}");
    }
    // A neighbour of this host that has a port of its own hears what is wrong.
    let neighbour = "127.0.1.1:5080".parse().expect("an address");
    let told = node.hear(neighbour, broken(neighbour));
    assert_eq!((told.the("400").to, told.0.len(), counted(&exporter)), (neighbour, 1, want));
    // A Via without its port, or with one of ours, is no reason to say nothing.
    for sent_by in ["127.0.1.1", "127.0.1.1:5060", "127.0.1.1:5090"] {
        let told = node.hear(neighbour, broken(neighbour).replacen("UDP 127.0.1.1:5080", &format!("UDP {sent_by}"), 1));
        assert_eq!((told.the("400").to, told.0.len(), counted(&exporter)), (neighbour, 1, want), "{sent_by}");
    }
    let mut options = Request::new("OPTIONS", neighbour, HQ, "x", "x");
    options.uri = format!("sip:{HQ}");
    assert_eq!(node.hear(neighbour, &options).told(), ["200 to 127.0.1.1:5080"]);
}

#[test]
fn a_response_from_another_address_is_dropped() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("912025550123").body(&audio("0"))).the("INVITE");
    for forger in [BR, CC_HQ, stranger()] {
        for status in [180, 200, 486] {
            assert_eq!(node.hear(forger, says(&sent, status)).told(), Vec::<String>::new(), "{status}");
        }
    }
    assert_eq!(node.hear(GW_HQ, says(&sent, 180)).told(), ["180 to cc-hq"], "the right one still counts");
}

#[test]
fn a_response_without_a_transaction_of_ours_is_dropped() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("912025550123")).the("INVITE");
    let other = says(&sent, 200).replace("z9hG4bK-emcc-", "z9hG4bK-emcc-0");
    assert_eq!(node.hear(GW_HQ, other).told(), Vec::<String>::new());
    let wrong_method = says(&sent, 200).replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    assert_eq!(node.hear(GW_HQ, wrong_method).told(), Vec::<String>::new());
}

#[test]
fn a_via_that_names_another_host_is_answered_at_its_source() {
    let mut node = Node::hq();
    let text = bob("912025550123").text().replace("SIP/2.0/UDP 127.0.1.10:5060", "SIP/2.0/UDP 203.0.113.9:5060");
    let out = node.hear(CC_HQ, text.clone());
    assert!(out.0.iter().all(|sent| !is_stranger(sent.to)), "{:?}", out.told());
    assert_eq!(out.the("100").to, CC_HQ);
    let received = text.replace(";branch=z9hG4bK", ";received=203.0.113.9;maddr=203.0.113.9;branch=z9hG4bK-x");
    assert_eq!(node.hear(CC_HQ, received).the("100").to, CC_HQ);
    let refused = bob("4").text().replace("SIP/2.0/UDP 127.0.1.10:5060", "SIP/2.0/UDP 203.0.113.9:5060");
    assert!(node.hear(CC_HQ, refused).0.iter().all(|sent| sent.to == CC_HQ));
}

#[test]
fn responses_go_to_the_port_of_the_via_unless_rport_asks() {
    let mut node = Node::hq();
    let text = bob("912025550123").text().replace("127.0.1.10:5060;branch", "127.0.1.10:5070;branch");
    assert_eq!(node.hear(CC_HQ, text).the("100").to.port(), 5070);
    let text = bob("912025550123").text().replace("127.0.1.10:5060;branch", "127.0.1.10:5070;rport;branch");
    assert_eq!(node.hear(CC_HQ, text).the("100").to.port(), 5060);
}

#[test]
fn a_route_or_a_target_that_names_a_stranger_never_sends_there() {
    let route = format!("Route: <sip:{};lr>", stranger());
    let mut node = Node::hq();
    for invite in [
        bob("912025550123").header(&route),
        bob("912025550123").header("Route: <sip:127.0.1.1:5060;lr>").header(&route),
        alice("9999").header(&route),
        Request { uri: format!("sip:x@{}", stranger()), ..bob("x") },
        Request { method: "MESSAGE".to_owned(), uri: format!("sip:x@{}", stranger()), ..bob("x") },
        Request { method: "OPTIONS".to_owned(), uri: format!("sip:{}", stranger()), ..bob("x") },
    ] {
        let out = node.hear(CC_HQ, &invite);
        assert!(out.0.iter().all(|sent| !is_stranger(sent.to)), "{:?}", out.told());
    }
}

#[test]
fn a_contact_that_names_a_stranger_never_sends_there() {
    let mut node = Node::hq();
    let invite = Request { more: vec![format!("Contact: <sip:5002@{}>", stranger())], ..bob("912025550123") };
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let reply = answer(&sent, 200, "b1", &[], "").replace("callee@127.0.1.20:5060", "callee@203.0.113.9:5060");
    let back = node.hear(GW_HQ, reply).the("200");
    let (mut caller, mut callee) =
        (crate::wire::Dialog::of_caller(&invite, &back), crate::wire::Dialog::of_callee(&sent, "b1"));
    assert_eq!(node.hear(CC_HQ, &caller.request("ACK")).told(), ["ACK to gw-hq"]);
    assert_eq!(node.hear(CC_HQ, &caller.request("INFO")).told(), ["INFO to gw-hq"]);
    assert_eq!(node.hear(GW_HQ, &callee.request("BYE")).told(), ["BYE to cc-hq"]);
    // Nor do our own BYEs.
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(GW_HQ, answer(&sent, 200, "b1", &[], "").replace("callee@127.0.1.20", "callee@203.0.113.9"));
    let out = node.wait(70_000);
    assert!(out.told().contains(&"BYE to gw-hq".to_owned()) && out.told().contains(&"BYE to cc-hq".to_owned()));
    assert!(out.0.iter().all(|sent| !is_stranger(sent.to)), "{:?}", out.told());
}

#[test]
fn an_unknown_dialog_routed_to_a_stranger_is_481() {
    let mut node = Node::hq();
    let mut bye = Request::new("BYE", CC_HQ, HQ, "5002", "x").header("Route: <sip:127.0.1.1:5060;lr>");
    bye.to += ";tag=gone";
    bye.uri = format!("sip:x@{}", stranger());
    assert_eq!(node.hear(CC_HQ, &bye).told(), ["481 to cc-hq"]);
}

#[test]
fn a_cancel_from_another_neighbour_cancels_nothing() {
    let mut node = Node::hq();
    let invite = bob("912025550123");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180));
    let out = node.hear(BR, &invite.cancel());
    assert!(out.0.iter().all(|sent| sent.what() != "CANCEL"), "{:?}", out.told());
    let out = node.hear(CC_HQ, &invite.cancel());
    assert!(out.told().contains(&"CANCEL to gw-hq".to_owned()));
}

#[test]
fn a_bye_from_a_third_neighbour_does_not_end_the_call() {
    let mut node = Node::hq();
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let mut forged = call.caller.request("BYE");
    forged.to = forged.to.replace("tag=b1", "tag=guess");
    let out = node.hear(BR, &forged);
    assert_eq!(node.engine.calls(), 1, "{:?}", out.told());
}

#[test]
fn a_cancel_of_nothing_is_481() {
    let mut node = Node::hq();
    assert_eq!(node.hear(CC_HQ, &bob("912025550123").cancel()).told(), ["481 to cc-hq"]);
}

#[test]
fn broken_messages_of_neighbours_have_their_statuses() {
    let mut node = Node::hq();
    let good = || bob("912025550123").text();
    let oversized = "X-Long: ".to_owned() + &"x".repeat(9_000) + "\r\n";
    for (what, text, status) in [
        ("no Call-ID", good().replace("Call-ID: ", "X-Gone: "), "400"),
        ("two CSeq methods", good().replace("CSeq: 1 INVITE", "CSeq: 1 BYE"), "400"),
        ("a version nobody speaks", good().replacen("SIP/2.0\r\n", "SIP/3.0\r\n", 1), "505"),
        ("a long line", good().replace("Max-Forwards", &(oversized + "Max-Forwards")), "513"),
        ("no hops left", good().replace("Max-Forwards: 70", "Max-Forwards: 0"), "483"),
        ("an extension we lack", good().replace("Max-Forwards", "Proxy-Require: x-ext\r\nMax-Forwards"), "420"),
        ("a scheme nobody routes", good().replacen("sip:912025550123", "mailto:912025550123", 1), "416"),
    ] {
        let out = node.hear(CC_HQ, text);
        assert_eq!(out.told(), [format!("{status} to cc-hq")], "{what}");
        if status == "420" {
            assert_eq!(out.the("420").header("Unsupported"), "x-ext");
        }
    }
    let mut register = Request::new("REGISTER", CC_HQ, HQ, "5002", "x");
    register.uri = format!("sip:{HQ}");
    let out = node.hear(CC_HQ, &register).the("405");
    assert!(out.header("Allow").contains("INVITE"));
    assert_eq!((node.engine.calls(), node.engine.transactions()), (0, 0), "no row for any of them");
}

#[test]
fn every_answer_to_a_request_that_was_let_through_can_be_read() {
    // Via, Max-Forwards, From, To, Call-ID, CSeq, Contact and Content-Length are there already.
    for (line, most, beyond) in [
        ("Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\n", 63, "400"),
        ("Record-Route: <sip:10.0.0.1;lr>\r\n", 64, "400"),
        ("X-Header: y\r\n", 120, "513"),
    ] {
        for called in ["9911", "912025550123"] {
            let with = |count: usize| bob(called).text().replacen("From: ", &(line.repeat(count) + "From: "), 1);
            let mut node = Node::hq();
            let sent = node.hear(CC_HQ, with(most)).the("INVITE");
            assert_eq!(node.hear(GW_HQ, says(&sent, 180)).told(), ["180 to cc-hq"], "{called} {line}");
            assert_eq!(node.hear(GW_HQ, says(&sent, 200)).told(), ["200 to cc-hq"], "{called} {line}");
            let sent = node.hear(CC_HQ, with(most)).the("INVITE");
            let out = node.hear(GW_HQ, says(&sent, 404));
            assert_eq!(out.told(), ["ACK to gw-hq", "404 to cc-hq"], "{called} {line}");
            assert_eq!(node.hear(CC_HQ, with(most + 1)).told(), [format!("{beyond} to cc-hq")], "{called} {line}");
        }
    }
}

#[test]
fn a_body_that_is_no_description_is_no_codec_left() {
    let mut node = Node::hq();
    let out = node.hear(CC_HQ, &alice("901614960000").body("v=0\r\nm=audio\r\n"));
    assert_eq!(out.refusal().what(), "488");
}
