//! Emergency calls with a slip in what their answers are known by, or in where they are called: taken, passed on in form, and
//! answered as they came (P-23). Ordinary calls with the same slip are refused as ever.

use std::net::SocketAddr;

use crate::node::{BR, CC_HQ, GW_BR_1, GW_HQ, HQ, Node, Out};
use crate::wire::{Dialog, Request, alice, answer, audio, bob, from_hq, says};

const TAKEN: &str = "emergency call taken that is not well formed";

/// Where the caller really sends from: not the port of its Via.
const SOURCE: SocketAddr = SocketAddr::new(CC_HQ.ip(), 32_000);

/// What stands in the place of `ADDRESS;branch=BRANCH` in a Via, and how it is told back.
const VIAS: &[(&str, &str)] = &[
    ("A;rport=;branch=B", "A;rport=32000;branch=B;received=127.0.1.10"),
    ("A;branch=B;rport=", "A;branch=B;rport=32000;received=127.0.1.10"),
    ("A;rport;;branch=B", "A;rport=32000;;branch=B;received=127.0.1.10"),
    ("A;received=;branch=B", "A;received=127.0.1.10;branch=B"),
    ("A;branch=B;maddr=", "A;branch=B;maddr="),
    ("A;branch=B;", "A;branch=B;"),
    ("A;branch=B;rport; ", "A;branch=B;rport=32000;received=127.0.1.10"),
    ("A;;branch=B", "A;;branch=B"),
    ("A;branch=B;x=\"y", "A;branch=B;x=\"y"),
    ("127.0.1.10:;branch=B", "127.0.1.10:;branch=B"),
    ("127.0.1.10:99999;branch=B", "127.0.1.10:99999;branch=B"),
    ("127.0.1.10:0;branch=B", "127.0.1.10:0;branch=B"),
    ("[fe80::1%eth0];branch=B", "[fe80::1%eth0];branch=B;received=127.0.1.10"),
    ("[fe80::1%eth0]:5060;rport;branch=B", "[fe80::1%eth0]:5060;rport=32000;branch=B;received=127.0.1.10"),
    ("phone:x;branch=B", "phone:x;branch=B;received=127.0.1.10"),
    ("my phone;branch=B", "my phone;branch=B;received=127.0.1.10"),
    ("1.2.3.4.5:5060;branch=B", "1.2.3.4.5:5060;branch=B;received=127.0.1.10"),
    // None to tell it apart by but the whole, as RFC 2543 has it.
    ("A;branch=;rport", "A;branch=;rport=32000;received=127.0.1.10"),
];

/// The request with that Via.
fn by(request: &Request, via: &str) -> String {
    let text = request.text();
    let plain = format!("UDP {};branch={}\r\n", request.at, request.branch);
    assert!(text.contains(&plain), "{text}");
    text.replacen(&plain, &format!("UDP {}\r\n", written(request, via)), 1)
}

fn written(request: &Request, via: &str) -> String {
    via.replace('A', &request.at.to_string()).replace('B', &request.branch)
}

/// What one is told goes back to the source, under the Via it came with.
fn told_back(out: &Out, status: &str, request: &Request, via: &str) {
    let sent = out.the(status);
    assert_eq!(sent.to, SOURCE, "{via}");
    assert_eq!(sent.headers("Via"), [format!("SIP/2.0/UDP {}", written(request, via))], "{via}");
}

#[test]
fn p_23_and_rfc_3581_4_an_emergency_whose_top_via_has_a_slip_is_answered_where_it_came_from_by_its_own_via() {
    for (came, told) in VIAS {
        let mut node = Node::hq();
        let invite = bob("9911").body(&audio("0"));
        let out = node.hear(SOURCE, by(&invite, came));
        let sent = out.the("INVITE");
        assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, "911"), "{came}");
        told_back(&out, "100", &invite, told);
        let alarms = node.alarms_told();
        assert!(alarms.contains(&(TAKEN, "Malformed Via".to_owned())), "{came}: {alarms:?}");
        for via in sent.headers("Via") {
            assert!(emcc_trunk::sip::ViaRef::parse(via.as_bytes()).is_ok(), "the next hop takes it: {via}");
        }
        let copy = node.hear(SOURCE, by(&invite, came));
        assert_eq!(copy.0.len(), 1, "a copy is absorbed: {came}");
        told_back(&copy, "100", &invite, told);
        told_back(&node.hear(GW_HQ, says(&sent, 180)), "180", &invite, told);
        let ok = answer(&sent, 200, "b1", &[], &audio("0"));
        let answered = node.hear(GW_HQ, ok.clone());
        told_back(&answered, "200", &invite, told);
        told_back(&node.hear(GW_HQ, ok), "200", &invite, told);
        // What belongs to it has the same slip.
        let mut call = Dialog::of_caller(&invite, &answered.the("200"));
        let ack = call.request("ACK");
        assert_eq!(node.hear(SOURCE, by(&ack, came)).the("ACK").to, GW_HQ, "{came}");
        let bye = call.request("BYE");
        let passed = node.hear(SOURCE, by(&bye, came)).the("BYE");
        told_back(&node.hear(GW_HQ, says(&passed, 200)), "200", &bye, told);
        assert_eq!((node.ended(), node.engine.calls()), (vec![(200, "caller")], 0), "{came}");
    }
}

#[test]
fn p_23_an_emergency_whose_top_via_has_a_slip_is_cancelled_and_its_failure_acknowledged() {
    for (came, told) in VIAS.iter().filter(|(came, _)| came.contains("=B")) {
        let mut node = Node::hq();
        let invite = bob("9911");
        let sent = node.hear(SOURCE, by(&invite, came)).the("INVITE");
        node.hear(GW_HQ, says(&sent, 180)).the("180");
        let cancel = invite.cancel();
        let out = node.hear(SOURCE, by(&cancel, came));
        assert_eq!(out.the("CANCEL").to, GW_HQ, "{came}");
        told_back(&out, "200", &cancel, told);
        let failed = node.hear(GW_HQ, says(&sent, 487));
        told_back(&failed, "487", &invite, told);
        told_back(&node.wait(600), "487", &invite, told);
        node.hear(SOURCE, by(&invite.ack(&failed.the("487")), came));
        assert!(node.wait(40_000).0.iter().all(|sent| sent.what() != "487"), "the ACK was heard: {came}");
    }
}

#[test]
fn p_23_every_hop_of_an_emergency_whose_via_has_a_slip_is_tried_and_no_answer_of_ours_is_lost() {
    for (came, told) in VIAS {
        let mut node = Node::hq();
        let invite = alice("9999");
        let first = node.hear(SOURCE, by(&invite, came)).the("INVITE");
        assert_eq!(first.to, BR, "{came}");
        let out = node.hear(BR, says(&first, 603));
        let last = out.0.iter().find(|sent| sent.what() == "INVITE").expect("the last resort");
        told_back(&node.hear(GW_HQ, says(last, 486)), "603", &invite, told);
        // A refusal of ours.
        let mut node = Node::hq();
        let spent = bob("9911");
        let text = by(&spent, came).replacen("Max-Forwards: 70", "Max-Forwards: 0", 1);
        told_back(&node.hear(SOURCE, text), "483", &spent, told);
    }
}

#[test]
fn rfc_3261_20_42_an_ordinary_call_whose_top_via_has_a_slip_is_refused() {
    for (came, _) in VIAS {
        for request in [bob("912025550123"), Request { method: "MESSAGE".to_owned(), ..bob("9911") }] {
            let mut node = Node::hq();
            let out = node.hear(SOURCE, by(&request, came));
            assert_eq!((out.0.len(), out.refusal().what().as_str()), (1, "400"), "{came}");
            assert!(out.refusal().start().contains("Malformed Via"), "{came}");
            assert!(node.alarms().is_empty() && node.engine.calls() == 0, "{came}");
        }
    }
    // What nobody could be answered by is none even of an emergency.
    for via in ["SIP/7.0/UDP h;branch=z9hG4bK1", "SIP/2.0/UDP", "SIP/2.0/UDP ;branch=z9hG4bK1", "x"] {
        let text = bob("9911").text();
        let line = text.lines().find(|line| line.starts_with("Via: ")).expect("a Via").to_owned();
        let out = Node::hq().hear(CC_HQ, text.replacen(&line, &format!("Via: {via}"), 1));
        assert!(out.0.iter().all(|sent| sent.what() == "400"), "{via}: {:?}", out.told());
    }
}

#[test]
fn p_23_a_gateways_answer_to_an_emergency_whose_via_has_a_slip_reaches_the_caller() {
    for slip in [";received=", ";;", ";rport=", ";"] {
        for (called, is_taken) in [("9911", true), ("912025550123", false)] {
            let mut node = Node::hq();
            let sent = node.hear(CC_HQ, &bob(called).body(&audio("0"))).the("INVITE");
            let ours = sent.headers("Via").remove(0);
            let text = answer(&sent, 200, "b1", &[], &audio("0")).replacen(&ours, &format!("{ours}{slip}"), 1);
            assert_eq!(node.hear(GW_HQ, text).told().len(), usize::from(is_taken), "{slip}");
        }
    }
}

/// What stands in the place of `CSeq: 1 INVITE`, and what leaves.
const CSEQS: &[(&str, &str)] = &[
    ("1", "1 INVITE"),
    ("1 INVITE;x", "1 INVITE"),
    ("1 INVITE, 2", "1 INVITE"),
    ("1INVITE", "1 INVITE"),
    ("4294967296 INVITE", "0 INVITE"),
    ("4294967301 INVITE", "5 INVITE"),
    ("99999999999999999999999 INVITE", "1 INVITE"),
    ("4294967301", "5 INVITE"),
    ("1 invite;x", "1 INVITE"),
];

fn numbered(request: &Request, from: &str, to: &str) -> String {
    let text = request.text();
    let line = format!("CSeq: {from}\r\n");
    assert!(text.contains(&line), "{text}");
    text.replacen(&line, &format!("CSeq: {to}\r\n"), 1)
}

#[test]
fn p_23_and_rfc_3261_8_1_1_5_an_emergency_whose_cseq_has_a_slip_leaves_with_one_and_is_answered_by_its_own() {
    for (came, leaves) in CSEQS {
        let mut node = Node::hq();
        let invite = bob("9911").body(&audio("0"));
        let out = node.hear(CC_HQ, numbered(&invite, "1 INVITE", came));
        let sent = out.the("INVITE");
        if !came.starts_with("9999") {
            assert_eq!(sent.headers("CSeq"), [*leaves], "{came}");
        }
        assert!(emcc_trunk::sip::CSeq::parse(sent.header("CSeq").as_bytes()).is_ok(), "{came}");
        assert_eq!((sent.to, out.the("100").headers("CSeq")), (GW_HQ, vec![(*came).to_owned()]), "{came}");
        assert!(node.alarms().contains(&TAKEN), "{came}");
        let copy = node.hear(CC_HQ, numbered(&invite, "1 INVITE", came));
        assert_eq!((copy.told(), copy.the("100").header("CSeq").as_str()), (vec!["100 to cc-hq".to_owned()], *came));
        assert_eq!(node.hear(GW_HQ, says(&sent, 180)).the("180").headers("CSeq"), [*came]);
        let ok = answer(&sent, 200, "b1", &[], &audio("0"));
        let back = node.hear(GW_HQ, ok.clone()).the("200");
        assert_eq!(back.headers("CSeq"), [*came], "{came}");
        assert_eq!(node.hear(GW_HQ, ok).the("200").headers("CSeq"), [*came], "again: {came}");
        // ACK and BYE of such a caller.
        let mut call = Dialog::of_caller(&invite, &back);
        let ack = numbered(&call.request("ACK"), "1 ACK", &came.replace("INVITE", "ACK").replace("invite", "ACK"));
        let ack = node.hear(CC_HQ, ack).the("ACK");
        assert_eq!((ack.to, ack.header("CSeq")), (GW_HQ, sent.header("CSeq").replace("INVITE", "ACK")), "{came}");
        let bye = node.hear(CC_HQ, numbered(&call.request("BYE"), "2 BYE", "2")).the("BYE");
        assert_eq!(bye.headers("CSeq"), ["2 BYE"], "{came}");
        assert_eq!(node.hear(GW_HQ, says(&bye, 200)).the("200").headers("CSeq"), ["2"], "{came}");
        assert_eq!((node.ended(), node.engine.calls()), (vec![(200, "caller")], 0), "{came}");
        // Ordinary calls as ever.
        let mut node = Node::hq();
        assert_eq!(node.hear(CC_HQ, numbered(&bob("912025550123"), "1 INVITE", came)).told(), ["400 to cc-hq"]);
        assert!(node.alarms().is_empty(), "{came}");
    }
    for came in ["INVITE", "-1 INVITE", "x", "1 BYE", "1 BYE;x", "1 ;INVITE", ""] {
        let mut node = Node::hq();
        assert_eq!(node.hear(CC_HQ, numbered(&bob("9911"), "1 INVITE", came)).told(), ["400 to cc-hq"], "{came}");
        assert!(node.alarms().is_empty(), "{came}");
    }
}

#[test]
fn p_23_an_emergency_whose_cseq_has_a_slip_is_cancelled_and_its_failure_acknowledged() {
    for (came, _) in CSEQS {
        let mut node = Node::hq();
        let invite = bob("9911");
        let sent = node.hear(CC_HQ, numbered(&invite, "1 INVITE", came)).the("INVITE");
        node.hear(GW_HQ, says(&sent, 180)).the("180");
        let other = |method: &str| came.replace("INVITE", method).replace("invite", method);
        let out = node.hear(CC_HQ, numbered(&invite.cancel(), "1 CANCEL", &other("CANCEL")));
        assert_eq!((out.the("CANCEL").to, out.the("200").header("CSeq")), (GW_HQ, other("CANCEL")), "{came}");
        let failed = node.hear(GW_HQ, says(&sent, 487)).the("487");
        assert_eq!(failed.headers("CSeq"), [*came]);
        node.hear(CC_HQ, numbered(&invite.ack(&failed), "1 ACK", &other("ACK")));
        assert!(node.wait(40_000).0.iter().all(|sent| sent.what() != "487"), "the ACK was heard: {came}");
    }
}

#[test]
fn p_23_the_number_before_the_first_at_sign_is_called_whatever_stands_behind_it() {
    for behind in [
        "h;",
        "h:",
        "h:0",
        "h:99999",
        "1.2.3.4.5",
        "[fe80::1%25eth0]",
        "h:5060;;transport=udp",
        "a@b",
        "h;x=",
        "h:5060:5060",
        "[::1",
        "h:x?y",
        ";",
    ] {
        for (user, number) in
            [("9911", "911"), ("911", "911"), ("9-1-1", "911"), ("+911", "911"), ("911;ext=5:pw", "911")]
        {
            for scheme in ["sip", "sips", "tel", "SIP"] {
                // One in form: all of it is its parameter.
                if scheme == "tel" && user.contains(';') {
                    continue;
                }
                let uri = format!("{scheme}:{user}@{behind}");
                let mut node = Node::hq();
                let invite = Request { uri: uri.clone(), ..bob("x") };
                let sent = node.hear(CC_HQ, &invite).the("INVITE");
                assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, number), "{uri}");
                assert_eq!(node.alarms(), [TAKEN], "{uri}");
                assert_eq!(node.hear(CC_HQ, &invite).told(), ["100 to cc-hq"], "a copy is absorbed: {uri}");
                node.hear(GW_HQ, says(&sent, 180)).the("180");
                assert_eq!(node.hear(CC_HQ, &invite.cancel()).told(), ["200 to cc-hq", "CANCEL to gw-hq"], "{uri}");
            }
        }
        for user in ["912025550123", "5001", "5001@911", "alice", "", "911alice"] {
            let uri = format!("sip:{user}@{behind}");
            let mut node = Node::hq();
            let out = node.hear(CC_HQ, &Request { uri: uri.clone(), ..bob("x") });
            assert_eq!((out.0.len(), out.refusal().what().as_str()), (1, "400"), "{uri}");
            assert!(node.alarms().is_empty() && node.engine.calls() == 0, "{uri}");
        }
    }
    let sent = Node::br().hear(HQ, &Request { uri: "sip:999@h;".to_owned(), ..from_hq("x") }).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_BR_1, "999"));
}

#[test]
fn p_23_what_a_gateway_wrote_into_its_contact_goes_back_to_it_as_it_came() {
    let mut node = Node::hq();
    let invite = bob("9911").body(&audio("0"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let text = answer(&sent, 200, "b1", &[], &audio("0")).replacen("<sip:callee@", "<sip:911@", 1);
    let back = node.hear(GW_HQ, text.replacen("5060>\r\nContent-Type", "5060;>\r\nContent-Type", 1)).the("200");
    let mut call = Dialog::of_caller(&invite, &back);
    for method in ["ACK", "INVITE", "BYE"] {
        let request = call.request(method);
        assert_eq!(request.uri, format!("sip:911@{GW_HQ};"));
        let passed = node.hear(CC_HQ, &request).the(method);
        assert_eq!((passed.to, passed.start()), (GW_HQ, format!("{method} sip:911@{GW_HQ}; SIP/2.0")));
    }
}

#[test]
fn p_23_an_emergency_datagram_without_its_last_empty_line_is_taken() {
    for end in ["\r\n", "\r\n\r", "\n"] {
        let cut = |text: String| text.strip_suffix("\r\n\r\n").expect("no body").to_owned() + end;
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, cut(bob("9911").text())).the("INVITE");
        assert_eq!((sent.to, node.alarms().contains(&TAKEN)), (GW_HQ, true), "{end:?}");
        assert_eq!(node.hear(GW_HQ, cut(says(&sent, 180))).told(), ["180 to cc-hq"], "{end:?}");
        assert_eq!(node.hear(GW_HQ, cut(says(&sent, 200))).told(), ["200 to cc-hq"], "{end:?}");
        let mut node = Node::hq();
        assert_eq!(node.hear(CC_HQ, cut(bob("912025550123").text())).told(), ["400 to cc-hq"], "{end:?}");
    }
}

#[test]
fn p_23_none_of_these_slips_is_taken_from_a_stranger() {
    let stranger = "192.0.2.66:5060".parse().unwrap();
    let plain = || Request::new("INVITE", stranger, HQ, "5002", "9911");
    let mut texts: Vec<_> = VIAS.iter().map(|(came, _)| by(&plain(), came)).collect();
    texts.extend(CSEQS.iter().map(|(came, _)| numbered(&plain(), "1 INVITE", came)));
    texts.push(Request { uri: "sip:911@h;".to_owned(), ..plain() }.text());
    texts.push(plain().text().replacen("\r\n\r\n", "\r\n", 1));
    for text in texts {
        let mut node = Node::hq();
        assert_eq!(node.hear(stranger, text.clone()).told(), Vec::<String>::new(), "{text}");
        assert!(node.alarms().is_empty() && node.engine.calls() == 0, "{text}");
    }
}
