//! Emergency calls whose messages are out of form, and what belongs to them: taken, mended where that is easy, answered
//! (P-23). Ordinary calls of the same form are refused as ever.

use crate::node::{BR, CC_BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, Out};
use crate::wire::{Dialog, Request, Standing, alice, answer, audio, bob, from_hq, hang_up, says, stand};

const TAKEN: &str = "emergency call taken that is not well formed";

/// A slip, written over a part of a request, and what the alarm says of it.
const SLIPS: &[(&str, &str, &str)] = &[
    ("Contact: <", "Contact: sip:a@h?x=y\r\nX: <", "Malformed Contact"),
    ("\r\nContent-Length", ",\r\nContent-Length", "Malformed Contact"),
    ("\r\nContent-Length", ", <sip:a@h;transport=>\r\nContent-Length", "Malformed Contact"),
    ("Contact: <", "Contact: <sip:a@h:>\r\nX: <", "Malformed Contact"),
    ("Contact: <", "Contact:\r\nX: <", "Malformed Contact"),
    ("Max-Forwards: 70", "Max-Forwards: abc", "Max-Forwards out of range"),
    ("Max-Forwards: 70", "Max-Forwards: 256", "Max-Forwards out of range"),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\nMax-Forwards: 70", "Two Max-Forwards headers"),
    ("From: <sip:5002@", "From: \"Unknown\" <sip:@", "Malformed From"),
    ("From: <sip:5002@", "From: \"open <sip:5002@", "Malformed From"),
    ("To: <", "To: \"x;tag=y\" <sip:@x>\r\nX: <", "Malformed To"),
    ("CSeq: 1 INVITE", "CSeq: 1 INVITE\r\nCSeq: 1 INVITE", "Two CSeq headers"),
    ("@127.0.1.1:5060 SIP", "@127.0.1.1:5060?Subject=x SIP", "Header fields in the Request-URI"),
    ("Max-Forwards", "Date: yesterday\r\nMax-Forwards", "Malformed Date"),
    (
        "Max-Forwards",
        "c: text/plain\r\nContent-Type: application/sdp\r\nMax-Forwards",
        "Content-Type headers that differ",
    ),
];

fn slipped(request: &Request, from: &str, to: &str) -> String {
    let text = request.text();
    assert!(text.contains(from), "{from}: {text}");
    text.replacen(from, to, 1)
}

fn invite_to(out: &Out, at: std::net::SocketAddr) -> bool {
    out.0.iter().any(|sent| sent.what() == "INVITE" && sent.to == at)
}

#[test]
fn p_23_an_emergency_out_of_form_is_taken_with_an_alarm_and_an_ordinary_call_is_refused() {
    for (from, to, why) in SLIPS {
        let mut node = Node::hq();
        let text = slipped(&bob("9911").body(""), from, to);
        let sent = node.hear(CC_HQ, text.clone()).the("INVITE");
        assert_eq!(sent.to, GW_HQ, "{to}");
        let told: Vec<_> = node.alarms_told().into_iter().filter(|(what, _)| *what == TAKEN).collect();
        assert_eq!(told, [(TAKEN, (*why).to_owned())], "{to}");
        assert_eq!(node.hear(CC_HQ, text).told(), ["100 to cc-hq"], "a copy is absorbed: {to}");
        assert!(node.alarms().is_empty(), "and raises no further alarm: {to}");
        assert_eq!(node.hear(GW_HQ, says(&sent, 200)).told(), ["200 to cc-hq"], "{to}");
        let out = Node::hq().hear(CC_HQ, slipped(&bob("912025550123"), from, to));
        assert_eq!(out.told(), ["400 to cc-hq"], "{to}");
    }
}

#[test]
fn p_23_what_the_next_hop_gets_is_mended_where_that_is_easy() {
    for (from, to, name, want) in [
        ("Max-Forwards: 70", "Max-Forwards: abc", "Max-Forwards", vec!["69"]),
        ("Max-Forwards: 70", "Max-Forwards: 5\r\nMax-Forwards: x", "Max-Forwards", vec!["4"]),
        ("CSeq: 1 INVITE", "CSeq: 1 INVITE\r\nCSeq: 1 INVITE", "CSeq", vec!["1 INVITE"]),
        ("Contact: <", "Contact: ,<", "Contact", vec!["<sip:5002@127.0.1.10:5060>"]),
        ("Contact: <", "Contact: ;;;\r\nX: <", "Contact", vec![";;;"]),
    ] {
        let sent = Node::hq().hear(CC_HQ, slipped(&bob("9911"), from, to)).the("INVITE");
        assert_eq!(sent.headers(name), want, "{to}");
    }
    // A target that leaves as it came leaves without its headers.
    let mut urn = bob("x");
    urn.uri = format!("sip:x@{GW_HQ}?Subject=y");
    assert_eq!(Node::hq().hear(CC_HQ, &urn).told(), ["400 to cc-hq"]);
    let sent = Node::hq().hear(CC_HQ, slipped(&bob("9911"), ":5060 SIP", ":5060?Priority=x SIP")).the("INVITE");
    assert_eq!(sent.start(), format!("INVITE sip:911@{GW_HQ} SIP/2.0"));
}

#[test]
fn p_23_every_hop_of_an_emergency_out_of_form_is_tried() {
    for (from, to, _) in SLIPS {
        let (from, to) = (from.replace("5002", "5001"), to.replace("5002", "5001"));
        let mut node = Node::hq();
        let first = node.hear(CC_HQ, slipped(&alice("9999"), &from, &to)).the("INVITE");
        assert_eq!(first.to, BR, "its mark says whose it is: {to}");
        let out = node.hear(BR, says(&first, 603));
        assert!(invite_to(&out, GW_HQ), "{to}: {:?}", out.told());
        let mut node = Node::br();
        let passed = first.text().replacen("Via: ", "Via: SIP/2.0/UDP 127.0.1.1:5060;branch=z9hG4bK-hq\r\nVia: ", 1);
        let first = node.hear(HQ, passed).the("INVITE");
        assert_eq!(first.to, GW_BR_1, "the other node takes what this one could not mend: {to}");
        assert!(invite_to(&node.hear(GW_BR_1, says(&first, 486)), GW_BR_2), "{to}");
    }
}

/// A call whose caller writes no From that can be read stands.
fn nameless(node: &mut Node, called: &str) -> Standing {
    let mut invite = bob(called).body(&audio("0"));
    invite.from = invite.from.replace("<sip:5002@", "\"Unknown\" <sip:@");
    stand(node, invite, &audio("0"))
}

#[test]
fn p_23_a_call_of_a_caller_nobody_can_read_stands_and_ends_from_either_side() {
    for ends in ["caller", "callee"] {
        let mut node = Node::hq();
        let mut call = nameless(&mut node, "9911");
        assert_eq!(node.hear(CC_HQ, &call.caller.request("INFO")).the("INFO").to, GW_HQ);
        let info = node.hear(GW_HQ, &call.callee.request("INFO")).the("INFO");
        assert_eq!(info.to, CC_HQ);
        assert_eq!(node.hear(CC_HQ, says(&info, 200)).told(), ["200 to gw-hq"]);
        if ends == "caller" {
            hang_up(&mut node, &mut call);
        } else {
            let bye = node.hear(GW_HQ, &call.callee.request("BYE")).the("BYE");
            assert_eq!(node.hear(CC_HQ, says(&bye, 200)).told(), ["200 to gw-hq"]);
        }
        assert_eq!(node.ended(), [(200, ends)]);
        assert_eq!(node.engine.calls(), 0);
    }
}

#[test]
fn p_23_an_emergency_out_of_form_is_cancelled_and_its_refusal_acknowledged() {
    let mut node = Node::hq();
    let mut invite = bob("9911").body(&audio("0"));
    invite.from = invite.from.replace("<sip:5002@", "\"Unknown\" <sip:@");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180)).the("180");
    let cancel = slipped(&invite.cancel(), "Max-Forwards: 70", "Max-Forwards: x");
    assert_eq!(node.hear(CC_HQ, cancel).told(), ["200 to cc-hq", "CANCEL to gw-hq"]);
    let refusal = node.hear(GW_HQ, says(&sent, 487)).the("487");
    node.hear(CC_HQ, &invite.ack(&refusal));
    let out = node.wait(40_000);
    assert!(out.0.iter().all(|sent| sent.what() != "487"), "the ACK was heard: {:?}", out.told());
    // Nobody else's.
    let ordinary = bob("912025550123");
    let sent = node.hear(CC_HQ, &ordinary).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180));
    let cancel = slipped(&ordinary.cancel(), "Max-Forwards: 70", "Max-Forwards: x");
    assert_eq!(node.hear(CC_HQ, cancel).told(), ["400 to cc-hq"]);
}

#[test]
fn p_23_nothing_out_of_form_is_believed_for_who_calls() {
    // Alice's number, in a From that two readers would read differently: no session of hers, no trunk.
    for from in ["<sip:5001@x", "\"a\" b <sip:5001@x>", "sip:5001@x?y=z", "<sip:5001@x>;;"] {
        let mut node = Node::hq();
        let mut invite = Request::new("INVITE", CC_HQ, HQ, "x", "9911");
        invite.from = format!("{from};tag=1");
        assert_eq!(node.hear(CC_HQ, &invite).the("INVITE").to, GW_HQ, "{from}");
        let told = node.alarms_told();
        assert!(told.contains(&(TAKEN, "Malformed From".to_owned())), "{from}: {told:?}");
    }
}

#[test]
fn p_23_no_ordinary_call_gets_through_by_looking_like_an_emergency() {
    let slip = |request: &Request| slipped(request, "Max-Forwards: 70", "Max-Forwards: x");
    for (node, at, request) in [
        // What makes a call served first makes none an emergency (RFC 4412).
        (Node::hq(), CC_HQ, bob("912025550123").header("Resource-Priority: dsn.flash")),
        // The mark of call control or a gateway is not believed.
        (Node::hq(), CC_HQ, bob("912025550123").header("Priority: emergency")),
        // Its digits stand behind the question mark, or in another header.
        (Node::hq(), CC_HQ, Request { uri: format!("sip:x@{HQ}?To=9911"), ..bob("912025550123") }),
        (Node::hq(), CC_HQ, Request { to: format!("<sip:9911@{HQ}>"), ..bob("912025550123") }),
        (Node::hq(), CC_HQ, Request { method: "MESSAGE".to_owned(), ..bob("9911") }),
    ] {
        let mut node = node;
        let out = node.hear(at, slip(&request));
        assert_eq!(out.told(), ["400 to cc-hq"], "{}", request.text());
        assert!(node.alarms().is_empty());
    }
    // The trunk's mark is.
    let marked = from_hq("12345").header("Priority: emergency");
    assert!(Node::br().hear(HQ, slip(&marked)).0.iter().any(|sent| sent.what() == "INVITE"));
}

#[test]
fn p_23_an_emergency_out_of_form_that_cannot_be_matched_is_refused() {
    for (from, to) in [("Call-ID: ", "X-Gone: "), ("CSeq: 1 INVITE", "CSeq: 1 BYE"), ("CSeq: ", "X-Gone: ")] {
        assert_eq!(Node::hq().hear(CC_HQ, slipped(&bob("9911"), from, to)).told(), ["400 to cc-hq"], "{to}");
    }
    let out = Node::hq().hear(CC_HQ, slipped(&bob("9911"), "CSeq: 1 INVITE", "CSeq: 1 INVITE\r\nCSeq: 2 INVITE"));
    assert_eq!(out.told(), ["400 to cc-hq"]);
}

/// What a gateway does to its answers.
const ANSWERS: &[(&str, &str)] = &[
    ("Contact: <", "Contact: sip:gw@h?x=y\r\nX: <"),
    ("Contact: <", "Contact: <sip:gw@h:>\r\nX: <"),
    ("Contact: <", "Contact:\r\nX: <"),
    ("Contact: <", "Contact: ,<"),
    ("CSeq: 1 INVITE", "CSeq: 1 INVITE\r\nCSeq: 1 INVITE"),
    ("Call-ID: ", "From: \"x <sip:zzz\r\nCall-ID: "),
    ("SIP/2.0 ", "sip/2.0 "),
];

#[test]
fn p_23_an_emergencys_answer_out_of_form_reaches_its_caller_and_an_ordinary_calls_does_not() {
    for (from, to) in ANSWERS {
        let mut node = Node::hq();
        let invite = bob("9911").body(&audio("0"));
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        assert_eq!(node.hear(GW_HQ, slip_of(&says(&sent, 180), from, to)).told(), ["180 to cc-hq"], "{to}");
        let back = node.hear(GW_HQ, slip_of(&answer(&sent, 200, "b1", &[], &audio("0")), from, to)).the("200");
        assert!(back.start().starts_with("SIP/2.0 "), "RFC 3261 section 7.1");
        assert_eq!(back.headers("CSeq"), ["1 INVITE"], "{to}");
        let mut call = Dialog::of_caller(&invite, &back);
        // The caller's requests go to that Contact, where there is one.
        let mut within = |method: &str| {
            let request = call.request(method);
            let uri = Some(request.uri.clone()).filter(|uri| !uri.is_empty());
            Request { uri: uri.unwrap_or_else(|| format!("sip:{GW_HQ}")), ..request }
        };
        assert_eq!(node.hear(CC_HQ, &within("ACK")).told(), ["ACK to gw-hq"], "{to}");
        let bye = node.hear(CC_HQ, &within("BYE")).the("BYE");
        assert!(bye.headers("Route").is_empty(), "{bye:?}");
        let (from_bye, to_bye) = (from.replace("1 INVITE", "3 BYE"), to.replace("1 INVITE", "3 BYE"));
        let bye = says(&bye, 200).replace(&bye.header("CSeq"), "3 BYE");
        assert_eq!(node.hear(GW_HQ, slip_of(&bye, &from_bye, &to_bye)).told(), ["200 to cc-hq"], "{to}");
        // A failure is acknowledged, and the next hop tried.
        let mut node = Node::hq();
        let first = node.hear(CC_HQ, &alice("9999")).the("INVITE");
        let out = node.hear(BR, slip_of(&says(&first, 486), from, to));
        assert!(out.told().contains(&"ACK to br".to_owned()) && invite_to(&out, GW_HQ), "{to}: {:?}", out.told());
        // An ordinary call's is dropped as ever; the version is no slip.
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &bob("912025550123").body(&audio("0"))).the("INVITE");
        let out = node.hear(GW_HQ, slip_of(&answer(&sent, 200, "b1", &[], &audio("0")), from, to));
        assert_eq!(out.told().len(), usize::from(to.starts_with("sip")), "{to}: {:?}", out.told());
    }
}

fn slip_of(text: &str, from: &str, to: &str) -> String {
    let text = if to.contains("From") { text.replacen("From: ", "X-Was: ", 1) } else { text.to_owned() };
    assert!(text.contains(from), "{from}: {text}");
    text.replacen(from, to, 1)
}

#[test]
fn p_23_an_answer_out_of_form_from_elsewhere_is_dropped() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("9911")).the("INVITE");
    let text = slip_of(&says(&sent, 200), "Contact: <", "Contact:\r\nX: <");
    assert_eq!(node.hear(BR, text.clone()).told(), Vec::<String>::new());
    assert_eq!(node.hear(GW_HQ, text.replace("CSeq: 1 INVITE", "CSeq: 1 BYE")).told(), Vec::<String>::new());
    assert_eq!(node.hear(GW_HQ, text).told(), ["200 to cc-hq"]);
}

#[test]
fn p_23_an_answer_whose_cseq_names_its_method_in_small_letters_or_not_at_all_is_the_answer() {
    for cseq in ["CSeq: 1 invite", "CSeq: 1"] {
        let of = |text: String| text.replacen("CSeq: 1 INVITE", cseq, 1);
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &bob("9911")).the("INVITE");
        let ringing = node.hear(GW_HQ, of(says(&sent, 180))).the("180");
        assert_eq!((ringing.to, ringing.header("CSeq").as_str()), (CC_HQ, "1 INVITE"), "{cseq}");
        assert_eq!(node.hear(GW_HQ, of(says(&sent, 200))).the("200").header("CSeq"), "1 INVITE", "{cseq}");
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &bob("9911")).the("INVITE");
        assert_eq!(node.hear(GW_HQ, of(says(&sent, 486))).told(), ["ACK to gw-hq", "486 to cc-hq"], "{cseq}");
        // Of an ordinary call it is nobody's.
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &bob("912025550123")).the("INVITE");
        assert_eq!(node.hear(GW_HQ, of(says(&sent, 200))).told(), Vec::<String>::new(), "{cseq}");
    }
    // What may be the answer to a CANCEL answers no call.
    let mut node = Node::hq();
    let invite = bob("9911");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180));
    let cancel = node.hear(CC_HQ, &invite.cancel()).the("CANCEL");
    let told = node.hear(GW_HQ, says(&cancel, 200).replacen("CSeq: 1 CANCEL", "CSeq: 1", 1)).told();
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(node.hear(GW_HQ, says(&sent, 487)).told(), ["ACK to gw-hq", "487 to cc-hq"]);
}

/// How a request or a response may come whose lines nobody should write so, and what an ordinary call's is refused with.
type Write = fn(&str) -> String;
const LINES: &[(&str, Write, &str)] = &[
    ("two spaces", |text| text.replacen(' ', "  ", 1), "400"),
    ("another minor version", |text| text.replacen("SIP/2.0", "SIP/2.1", 1), "505"),
    ("its Via too", |text| text.replacen("SIP/2.0", "SIP/2.1", 1 + usize::from(!text.starts_with("SIP"))), "505"),
    ("bare LF", |text| text.replace("\r\n", "\n"), "400"),
    ("bare LF in the head", |text| text.split("\r\n\r\n").collect::<Vec<_>>().join("\n\n"), "400"),
    ("two lengths", |text| text.replacen("Content-Length: ", "Content-Length: 7\r\nContent-Length: ", 1), "400"),
    ("too long a length", |text| text.replacen("Content-Length: ", "Content-Length: 9", 1), "400"),
    ("no number", |text| text.replacen("Content-Length: ", "Content-Length: x", 1), "400"),
    (
        "a line that is no header",
        |text| text.replacen("\r\nCall-ID", "\r\nGarbage line\r\n so: too\r\nCall-ID", 1),
        "400",
    ),
    ("all", |text| text.replacen(' ', " \t ", 1).replacen("SIP/2.0", "SIP/2.1", 1).replace("\r\n", "\n"), "400"),
];

#[test]
fn p_23_an_emergency_in_lines_out_of_form_is_taken_stands_and_ends() {
    for (what, write, status) in LINES {
        let mut node = Node::hq();
        let invite = bob("9911").body(&audio("0"));
        let out = node.hear(CC_HQ, write(&invite.text()));
        let sent = out.the("INVITE");
        assert_eq!((sent.to, sent.start()), (GW_HQ, format!("INVITE sip:911@{GW_HQ} SIP/2.0")), "{what}");
        assert_eq!(sent.headers("Content-Length"), [sent.body().len().to_string()], "{what}");
        assert!(node.alarms().contains(&TAKEN), "{what}");
        assert_eq!(node.hear(CC_HQ, write(&invite.text())).told(), ["100 to cc-hq"], "a copy is absorbed: {what}");
        let ringing = node.hear(GW_HQ, write(&says(&sent, 180))).the("180");
        assert_eq!(ringing.to, CC_HQ, "{what}");
        let back = node.hear(GW_HQ, write(&answer(&sent, 200, "b1", &[], &audio("0")))).the("200");
        assert_eq!((back.start().as_str(), back.to), ("SIP/2.0 200 Said So", CC_HQ), "{what}");
        assert_eq!(back.headers("Content-Length"), [back.body().len().to_string()], "{what}");
        let mut call = Dialog::of_caller(&invite, &back);
        assert_eq!(node.hear(CC_HQ, write(&call.request("ACK").text())).told(), ["ACK to gw-hq"], "{what}");
        let bye = node.hear(CC_HQ, write(&call.request("BYE").text())).the("BYE");
        assert_eq!(bye.to, GW_HQ, "{what}");
        assert_eq!(node.hear(GW_HQ, write(&says(&bye, 200))).told(), ["200 to cc-hq"], "{what}");
        assert_eq!((node.ended(), node.engine.calls()), (vec![(200, "caller")], 0), "{what}");
        // A CANCEL, and a failure that the next hop follows.
        let mut node = Node::hq();
        let first = node.hear(CC_HQ, write(&alice("9999").text())).the("INVITE");
        let out = node.hear(BR, write(&says(&first, 486)));
        assert!(out.told().contains(&"ACK to br".to_owned()) && invite_to(&out, GW_HQ), "{what}: {:?}", out.told());
        let ringing = bob("9911");
        let sent = node.hear(CC_HQ, write(&ringing.text())).the("INVITE");
        node.hear(GW_HQ, write(&says(&sent, 180))).the("180");
        let cancelled = node.hear(CC_HQ, write(&ringing.cancel().text()));
        assert_eq!(cancelled.told(), ["200 to cc-hq", "CANCEL to gw-hq"], "{what}");
        // Ordinary calls as ever.
        let mut node = Node::hq();
        let refused = node.hear(CC_HQ, write(&bob("912025550123").body(&audio("0")).text()));
        assert_eq!(refused.told(), [format!("{status} to cc-hq")], "{what}");
        let sent = node.hear(CC_HQ, &bob("912025550123").body(&audio("0"))).the("INVITE");
        let dropped = node.hear(GW_HQ, write(&answer(&sent, 200, "b1", &[], &audio("0"))));
        assert_eq!(dropped.told(), Vec::<String>::new(), "{what}");
        assert!(node.alarms().is_empty(), "{what}");
    }
}

#[test]
fn rfc_3261_7_3_1_a_branch_returned_in_other_letters_is_ours() {
    for (called, write) in [
        ("9911", str::to_ascii_uppercase as fn(&str) -> String),
        ("912025550123", str::to_ascii_uppercase),
        ("9911", str::to_ascii_lowercase),
    ] {
        let mut node = Node::hq();
        let invite = bob(called);
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        let branch = sent.header("Via").split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
        let other = |status: u16| {
            let text = says(&sent, status);
            assert!(text.contains(&branch), "{text}");
            text.replace(&branch, &write(&branch))
        };
        assert_eq!(node.hear(GW_HQ, other(180)).told(), ["180 to cc-hq"], "{called}");
        // Also where it is out of form besides, which only an emergency's may be.
        let bare = other(183).replace("\r\n", "\n");
        assert_eq!(node.hear(GW_HQ, bare).told().len(), usize::from(called == "9911"), "{called}");
        // From elsewhere, to another request, or with another branch it is nobody's.
        for stray in [
            other(200).replace("CSeq: 1 INVITE", "CSeq: 1 BYE"),
            says(&sent, 200).replace(&branch, &write(&branch).replace("emcc", "EMCX").replace("EMCC", "EMCX")),
            says(&sent, 200).replace(&branch, &write(&branch[..branch.len() - 1])),
        ] {
            assert_eq!(node.hear(GW_HQ, stray).told(), Vec::<String>::new(), "{called}");
        }
        assert_eq!(node.hear(BR, other(200)).told(), Vec::<String>::new(), "{called}");
        assert_eq!(node.hear(GW_HQ, other(486)).told(), ["ACK to gw-hq", "486 to cc-hq"], "{called}");
    }
}

const NO_DIALOG: &str = "emergency call taken that is in no dialog of its To tag";

#[test]
fn rfc_3261_12_2_2_an_emergency_with_a_to_tag_of_no_dialog_is_a_new_call() {
    let tagged = |request: Request| Request { to: request.to.clone() + ";tag=gone", ..request };
    let mut node = Node::hq();
    let invite = tagged(bob("9911").body(&audio("0")));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, "911"));
    assert_eq!(sent.header("To"), format!("<sip:9911@{HQ}>"), "who is called gives the tag");
    assert_eq!(node.alarms(), [NO_DIALOG]);
    assert_eq!(node.hear(CC_HQ, &invite).told(), ["100 to cc-hq"], "a copy is absorbed");
    assert!(node.alarms().is_empty());
    let back = node.hear(GW_HQ, answer(&sent, 200, "b1", &[], &audio("0"))).the("200");
    let mut call = Dialog::of_caller(&invite, &back);
    assert_eq!(node.hear(CC_HQ, &call.request("ACK")).told(), ["ACK to gw-hq"]);
    let bye = node.hear(CC_HQ, &call.request("BYE")).the("BYE");
    assert_eq!(node.hear(GW_HQ, says(&bye, 200)).told(), ["200 to cc-hq"]);
    assert_eq!((node.ended(), node.engine.calls()), (vec![(200, "caller")], 0));
    // Its next hop is tried, it can be cancelled, and its refusal is acknowledged.
    let first = node.hear(CC_HQ, &tagged(alice("9999"))).the("INVITE");
    assert!(invite_to(&node.hear(BR, says(&first, 603)), GW_HQ));
    let invite = tagged(bob("9911"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180)).the("180");
    assert_eq!(node.hear(CC_HQ, &invite.cancel()).told(), ["200 to cc-hq", "CANCEL to gw-hq"]);
    let refusal = node.hear(GW_HQ, says(&sent, 487)).the("487");
    node.hear(CC_HQ, &invite.ack(&refusal));
    assert!(node.wait(40_000).0.iter().all(|sent| sent.what() != "487"), "the ACK was heard");
    // Over the trunk too, and with our Route, which phones write into new calls.
    assert_eq!(Node::br().hear(HQ, &tagged(from_hq("999"))).the("INVITE").to, GW_BR_1);
    for uri in [format!("sip:9911@{HQ}"), "sip:9911@example.invalid".to_owned(), "tel:9911".to_owned()] {
        let routed = Request { uri, ..tagged(bob("9911")) }.header("Route: <sip:127.0.1.1:5060;lr>");
        let sent = Node::hq().hear(CC_HQ, &routed).the("INVITE");
        assert_eq!((sent.to, sent.headers("Route")), (GW_HQ, vec![]), "{}", routed.uri);
    }
}

#[test]
fn rfc_3261_12_2_2_whatever_else_is_in_no_dialog_is_481() {
    let tagged = |request: Request| Request { to: request.to.clone() + ";tag=gone", ..request };
    for (what, request) in [
        ("an ordinary call", tagged(bob("912025550123"))),
        ("another method", tagged(Request { method: "BYE".to_owned(), ..bob("9911") })),
        ("one that names who answered", Request { uri: "sip:911@127.0.1.20".to_owned(), ..tagged(bob("9911")) }),
        ("one routed on", tagged(bob("9911")).header("Route: <sip:127.0.1.1:5060;lr>, <sip:192.0.2.1;lr>")),
        (
            "one that names a stranger behind our Route",
            Request { uri: "sip:911@192.0.2.1".to_owned(), ..tagged(bob("9911")) }
                .header("Route: <sip:127.0.1.1:5060;lr>"),
        ),
    ] {
        let mut node = Node::hq();
        assert_eq!(node.hear(CC_HQ, &request).told(), ["481 to cc-hq"], "{what}");
        assert!(node.alarms().is_empty(), "{what}");
    }
}

#[test]
fn rfc_3261_16_4_an_emergency_that_a_strict_router_sends_is_taken_by_its_last_route() {
    for (called, takes, uri) in [
        (format!("sip:9911@{HQ}"), Some("911"), "sip:127.0.1.1:5060;lr"),
        (format!("sip:+911@{HQ}"), Some("911"), "sip:127.0.1.1"),
        ("tel:911".to_owned(), Some("911"), "sip:127.0.1.1"),
        ("sip:911@example.invalid".to_owned(), Some("911"), "sip:127.0.1.1"),
        // As ever: what is no emergency, and what has no target at all.
        (format!("sip:912025550123@{HQ}"), None, "sip:127.0.1.1:5060;lr"),
        (format!("sip:{HQ};lr"), None, "sip:127.0.1.1:5060;lr"),
    ] {
        let mut node = Node::hq();
        let invite = Request { uri: uri.to_owned(), ..bob("x") }.header(&format!("Route: <{called}>"));
        let out = node.hear(CC_HQ, &invite);
        let Some(number) = takes else {
            assert_eq!(out.refusal().what(), "404", "{called}");
            continue;
        };
        let sent = out.the("INVITE");
        assert_eq!((sent.to, sent.number().as_str(), sent.headers("Route")), (GW_HQ, number, vec![]), "{called}");
        assert_eq!(node.alarms(), ["emergency call taken from a strict router"], "{called}");
        assert_eq!(node.hear(CC_HQ, &invite).told(), ["100 to cc-hq"], "a copy is absorbed: {called}");
    }
    // Every hop gets it.
    let mut node = Node::hq();
    let invite = Request { uri: format!("sip:{HQ};lr"), ..alice("x") }.header(&format!("Route: <sip:9999@{HQ}>"));
    let first = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!((first.to, first.number().as_str()), (BR, "999"));
    let out = node.hear(BR, says(&first, 603));
    let second = out.0.iter().find(|sent| sent.what() == "INVITE").expect("the last resort");
    assert_eq!((second.to, second.number().as_str()), (GW_HQ, "999"));
}

#[test]
fn p_23_a_request_uri_in_angle_brackets_is_the_one_in_them() {
    let write = |request: &Request| {
        let (method, rest) =
            request.text().split_once(' ').map(|(method, rest)| (method.to_owned(), rest.to_owned())).unwrap();
        let (uri, rest) = rest.split_once(' ').unwrap();
        format!("{method} <{uri}> {rest}")
    };
    let mut node = Node::hq();
    let invite = bob("9911").body(&audio("0"));
    let sent = node.hear(CC_HQ, write(&invite)).the("INVITE");
    assert_eq!((sent.to, sent.start()), (GW_HQ, format!("INVITE sip:911@{GW_HQ} SIP/2.0")));
    let back = node.hear(GW_HQ, answer(&sent, 200, "b1", &[], &audio("0"))).the("200");
    let mut call = Dialog::of_caller(&invite, &back);
    assert_eq!(node.hear(CC_HQ, write(&call.request("ACK"))).told(), ["ACK to gw-hq"]);
    assert_eq!(node.hear(CC_HQ, write(&call.request("BYE"))).told(), ["BYE to gw-hq"]);
    let ringing = bob("9911");
    let sent = node.hear(CC_HQ, write(&ringing)).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180)).the("180");
    assert_eq!(node.hear(CC_HQ, write(&ringing.cancel())).told(), ["200 to cc-hq", "CANCEL to gw-hq"]);
    // RFC 4475 section 3.1.2.7: of any other call it is refused.
    assert_eq!(Node::hq().hear(CC_HQ, write(&bob("912025550123"))).told(), ["400 to cc-hq"]);
}

#[test]
fn rfc_3261_7_1_a_version_in_lower_case_leaves_in_upper_case() {
    let mut node = Node::hq();
    let invite = bob("912025550123").text().replacen("SIP/2.0\r\n", "sip/2.0\r\n", 1);
    let sent = node.hear(CC_HQ, invite).the("INVITE");
    assert!(sent.start().ends_with(" SIP/2.0"), "{}", sent.start());
    let back = node.hear(GW_HQ, says(&sent, 486).replacen("SIP/2.0 ", "sip/2.0 ", 1)).the("486");
    assert_eq!(back.start(), "SIP/2.0 486 Said So");
}

#[test]
fn p_23_lines_that_are_no_header_are_left_out_of_what_goes_on() {
    for line in ["Garbage line", ": x", "X[]{}: x", "Subject is nothing", "x\r\n\ty"] {
        let text = slipped(&bob("9911").body(&audio("0")), "\r\nTo: ", &format!("\r\n{line}\r\nTo: "));
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, text).the("INVITE");
        let plain = Node::hq().hear(CC_HQ, &bob("9911").body(&audio("0"))).the("INVITE");
        assert_eq!(sent.text().lines().count(), plain.text().lines().count(), "{}", sent.text());
        let told = node.alarms_told();
        assert_eq!(told, [(TAKEN, "Malformed header line".to_owned())], "{line}");
    }
    // What must be there is not found in a line that is none.
    for (from, to) in [("From: ", "From "), ("Call-ID: ", "Call-ID "), ("CSeq: ", "CSeq ")] {
        assert_eq!(Node::hq().hear(CC_HQ, slipped(&bob("9911"), from, to)).told(), ["400 to cc-hq"], "{to}");
    }
}

/// A request whose method is in small letters, in its start line, in its CSeq, or in both.
fn small(request: &Request, what: &str) -> String {
    let method = &request.method;
    let in_line = |text: String| text.replacen(method, &method.to_lowercase(), 1);
    let in_cseq = |text: String| text.replacen(&format!(" {method}\r"), &format!(" {}\r", method.to_lowercase()), 1);
    match what {
        "line" => in_line(request.text()),
        "CSeq" => in_cseq(request.text()),
        _ => in_cseq(in_line(request.text())),
    }
}

#[test]
fn p_23_a_method_in_small_letters_means_the_one_in_capitals() {
    for what in ["line", "CSeq", "both"] {
        let mut node = Node::hq();
        let invite = bob("9911").body(&audio("0"));
        let sent = node.hear(CC_HQ, small(&invite, what)).the("INVITE");
        assert_eq!((sent.to, sent.start()), (GW_HQ, format!("INVITE sip:911@{GW_HQ} SIP/2.0")), "{what}");
        assert_eq!(sent.headers("CSeq"), ["1 INVITE"], "{what}");
        assert_eq!(node.alarms(), [TAKEN], "{what}");
        assert_eq!(node.hear(CC_HQ, small(&invite, what)).told(), ["100 to cc-hq"], "a copy is absorbed: {what}");
        let back = node.hear(GW_HQ, answer(&sent, 200, "b1", &[], &audio("0"))).the("200");
        let mut call = Dialog::of_caller(&invite, &back);
        assert_eq!(node.hear(CC_HQ, small(&call.request("ACK"), what)).told(), ["ACK to gw-hq"], "{what}");
        let info = node.hear(CC_HQ, small(&call.request("INFO"), what)).the("INFO");
        assert_eq!(node.hear(GW_HQ, says(&info, 200)).told(), ["200 to cc-hq"], "{what}");
        let bye = node.hear(CC_HQ, small(&call.request("BYE"), what)).the("BYE");
        assert_eq!(node.hear(GW_HQ, says(&bye, 200)).told(), ["200 to cc-hq"], "{what}");
        assert_eq!((node.ended(), node.engine.calls()), (vec![(200, "caller")], 0), "{what}");
        let ringing = bob("9911");
        let sent = node.hear(CC_HQ, small(&ringing, what)).the("INVITE");
        node.hear(GW_HQ, says(&sent, 180)).the("180");
        let cancelled = node.hear(CC_HQ, small(&ringing.cancel(), what));
        assert_eq!(cancelled.told(), ["200 to cc-hq", "CANCEL to gw-hq"], "{what}");
        let refusal = node.hear(GW_HQ, says(&sent, 487)).the("487");
        node.hear(CC_HQ, small(&ringing.ack(&refusal), what));
        assert!(node.wait(40_000).0.iter().all(|sent| sent.what() != "487"), "the ACK was heard: {what}");
        // It passes any list of methods, and a node that drains.
        let mut node = Node::br_with(&[("name = \"cc-br\"", "name = \"cc-br\"\nmethods = [\"OPTIONS\"]")]);
        let called = Request::new("INVITE", CC_BR, BR, "2000", "999");
        assert!(node.hear(CC_BR, small(&called, what)).told().iter().any(|told| told.starts_with("INVITE")), "{what}");
        let mut node = Node::hq();
        node.engine.drain();
        assert_eq!(node.hear(CC_HQ, small(&bob("9911"), what)).the("INVITE").to, GW_HQ, "{what}");
    }
}

#[test]
fn rfc_3261_7_1_an_ordinary_calls_method_in_small_letters_is_another_method() {
    let ordinary = bob("912025550123").body(&audio("0"));
    for (what, told) in [("line", "400 to cc-hq"), ("CSeq", "400 to cc-hq"), ("both", "invite to gw-hq")] {
        let mut node = Node::hq();
        assert_eq!(node.hear(CC_HQ, small(&ordinary, what)).told(), [told], "{what}");
        assert!(node.alarms().is_empty() && node.engine.calls() == 0, "{what}");
    }
    // Nor is what is no call a call by its number, nor a method that is near one.
    for method in ["MESSAGE", "OPTIONS", "INVITES"] {
        let mut node = Node::hq();
        let other = Request { method: method.to_owned(), ..bob("9911") };
        node.hear(CC_HQ, small(&other, "both"));
        assert!(node.alarms().is_empty() && node.engine.calls() == 0, "{method}");
    }
    let mut call = stand(&mut Node::hq(), ordinary, &audio("0"));
    let mut node = Node::hq();
    assert_eq!(node.hear(CC_HQ, small(&call.caller.request("BYE"), "line")).told(), ["400 to cc-hq"]);
}

#[test]
fn p_23_an_emergency_out_of_form_with_a_to_tag_of_no_dialog_is_a_new_call() {
    let tagged = |request: Request| Request { to: request.to.clone() + ";tag=gone", ..request };
    let begins = |text: String, what: &str| {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, text.clone()).the("INVITE");
        assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, "911"), "{what}");
        assert!(!sent.header("To").contains("gone"), "{what}: {}", sent.header("To"));
        let alarms = node.alarms();
        assert!(alarms.contains(&NO_DIALOG) && alarms.contains(&TAKEN), "{what}: {alarms:?}");
        assert_eq!(node.hear(CC_HQ, text).told(), ["100 to cc-hq"], "a copy is absorbed: {what}");
        assert!(node.alarms().is_empty(), "{what}");
        assert_eq!(node.hear(GW_HQ, says(&sent, 200)).told(), ["200 to cc-hq"], "{what}");
    };
    for (from, to, _) in SLIPS.iter().filter(|(from, ..)| *from != "To: <") {
        begins(slipped(&tagged(bob("9911").body("")), from, to), to);
        let ordinary = slipped(&tagged(bob("912025550123")), from, to);
        assert_eq!(Node::hq().hear(CC_HQ, ordinary).told(), ["400 to cc-hq"], "{to}");
    }
    for (what, write, status) in LINES {
        begins(write(&tagged(bob("9911").body(&audio("0"))).text()), what);
        let ordinary = write(&tagged(bob("912025550123").body(&audio("0"))).text());
        assert_eq!(Node::hq().hear(CC_HQ, ordinary).told(), [format!("{status} to cc-hq")], "{what}");
    }
    begins(small(&tagged(bob("9911")), "both"), "small letters");
    begins(Request { to: "\"x;tag=y\" <sip:@x>;tag=gone".to_owned(), ..bob("9911") }.text(), "a To that is none");
    // That of a call which stands is no new one, nor one that may be of a dialog made here.
    let slip = |request: &Request| slipped(request, "Max-Forwards: 70", "Max-Forwards: x");
    let mut node = Node::hq();
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let again = Request { uri: format!("sip:9911@{HQ}"), ..call.caller.request("INVITE") };
    assert_eq!(node.hear(CC_HQ, slip(&again)).told(), ["400 to cc-hq"]);
    let routed = tagged(bob("9911")).header("Route: <sip:127.0.1.1:5060;lr>, <sip:192.0.2.1;lr>");
    assert_eq!(node.hear(CC_HQ, slip(&routed)).told(), ["400 to cc-hq"]);
    assert!(node.alarms().is_empty());
}

#[test]
fn p_23_no_form_of_an_emergency_is_taken_from_a_stranger() {
    let stranger = "192.0.2.66:5060".parse().unwrap();
    let plain = || Request::new("INVITE", stranger, HQ, "5002", "9911").body(&audio("0"));
    let mut texts: Vec<_> = LINES.iter().map(|(_, write, _)| write(&plain().text())).collect();
    texts.extend(["line", "CSeq", "both"].map(|what| small(&plain(), what)));
    let uris = ["tel:911,,5", "urn:service:sos;x=1", "sip:911", "sips:911", "sip:9 11@127.0.1.1"];
    texts.extend(uris.map(|uri| Request { uri: uri.to_owned(), ..plain() }.text()));
    texts.push(Request { to: "<sip:911@h>;tag=gone".to_owned(), ..plain() }.text());
    for text in texts {
        let mut node = Node::hq();
        assert_eq!(node.hear(stranger, text.clone()).told(), Vec::<String>::new(), "{text}");
        assert!(node.alarms().is_empty() && node.engine.calls() == 0, "{text}");
    }
}
