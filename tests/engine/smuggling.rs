//! A mark that is not believed does not get past this node in another spelling: what is removed is what the most
//! lenient reader behind it would see.

use crate::node::{BR, CC_HQ, GW_HQ, HQ, Node};
use crate::tls::{keyed, shows_key};
use crate::wire::{Request, alice, answer, audio, bob, says, stand};

/// The mark of a phone as somebody might write it who may not set one.
const MARKS: [&str; 14] = [
    "Call-Info: <urn:emcc:device:SEP001122334455>;purpose=emcc-device",
    "CALL-INFO : <urn:emcc:device:SEP001122334455>;purpose=emcc-device",
    "call-info\t:\r\n <URN:EMCC:DEVICE:SEP001122334455>\r\n ;\r\n\tPURPOSE\r\n = EMCC-Device",
    "Call-Info: <http://h/x>;purpose=icon, <urn:emcc:device:SEP001122334455>;purpose=emcc-device",
    "Call-Info: <http://h/x>;purpose=icon\r\nCall-Info: <urn:emcc:device:SEP001122334455>;purpose=emcc-device",
    "Call-Info: <urn:emcc:device:SEP001122334455>;purpose=\"emcc-device\"",
    "Call-Info: <urn:emcc:device:SEP001122334455>",
    "Call-Info: urn:emcc:device:SEP001122334455;purpose=emcc-device",
    "Call-Info: \"<http://h/x>;purpose=icon, <urn:emcc:device:SEP001122334455>;purpose=emcc-device",
    "Call-Info: <http://h/x>;x=\",\", <urn:emcc:device:SEP001122334455>;purpose=emcc-device",
    "Call-Info: ,,<urn:emcc:device:SEP001122334455>;;purpose=emcc-device,",
    "Call-Info: <urn:emcc:device:SEP001122334455>;purpose=icon;purpose=emcc-device",
    "Call-Info: <urn:emcc:device:SEP001122334455>;purpose=emcc-device, <urn:emcc:device:SEP00AA00AA0001>;purpose=emcc-device",
    "Call-Info: <http://h/x>;purpose=icon, <urn:emcc:device:A>, ;purpose=emcc-device",
];

#[test]
fn a_device_mark_a_gateway_may_not_set_does_not_reach_call_control_in_any_spelling() {
    for mark in MARKS {
        let mut node = Node::hq();
        let sent =
            node.hear(GW_HQ, &Request::new("INVITE", GW_HQ, HQ, "12025550123", "5002").header(mark)).the("INVITE");
        assert_eq!(sent.to, CC_HQ, "{mark}");
        let text = sent.text().to_ascii_lowercase();
        assert!(!text.contains("emcc-device") && !text.contains("urn:emcc:device"), "{mark}:\n{text}");
        assert_eq!(text.matches("purpose=icon").count(), kept(mark), "what is no mark stays: {mark}:\n{text}");
        let lists = text.lines().filter_map(|line| line.strip_prefix("call-info:"));
        assert!(lists.map(str::trim).all(|list| !list.is_empty() && !list.ends_with(',')), "{mark}:\n{text}");
    }
}

/// Values that are no mark and stand apart from one.
fn kept(mark: &str) -> usize {
    usize::from(mark.contains("<http://h/x>;purpose=icon") && !mark.contains('"'))
}

#[test]
fn a_device_mark_does_not_reach_a_gateway_in_any_spelling() {
    for mark in MARKS {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &bob("912025550123").header(mark)).the("INVITE");
        let text = sent.text().to_ascii_lowercase();
        assert!(sent.to == GW_HQ && !text.contains("emcc-device"), "{mark}:\n{text}");
    }
}

#[test]
fn a_priority_that_is_not_believed_does_not_leave_in_any_spelling() {
    for mark in [
        "Priority: emergency",
        "PRIORITY :\r\n EMERGENCY ",
        "Priority: normal\r\nPriority: emergency",
        "Priority: normal, emergency",
        "Priority: emergency;x=y",
    ] {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &bob("912025550123").header(mark)).the("INVITE");
        assert!(!sent.text().to_ascii_lowercase().contains("emergency"), "{mark}:\n{}", sent.text());
    }
}

/// A claim that is not believed, and whether it may stand in a response.
const CLAIMS: [(&str, bool); 4] = [
    ("Call-Info: <http://h/x>;purpose=icon, <urn:emcc:device:SEP001122334455>;purpose=emcc-device", true),
    ("P-Preferred-Identity: <sip:5001@h>", true),
    ("Priority: emergency", false),
    ("Priority: normal, EMERGENCY", false),
];

fn is_clean(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    !["emcc-device", "urn:emcc", "preferred", "priority"].iter().any(|word| text.contains(word))
}

#[test]
fn p_13_and_p_23_what_is_not_believed_leaves_in_no_request_and_no_response() {
    for (claim, may_be_answered) in CLAIMS {
        let mut node = Node::hq();
        for (from, to, caller, called) in
            [(GW_HQ, CC_HQ, "12025550123", "5002"), (CC_HQ, GW_HQ, "5002", "912025550123")]
        {
            let message = Request::new("MESSAGE", from, HQ, caller, called).header(claim);
            let passed = node.hear(from, &message).the("MESSAGE");
            assert!(passed.to == to && is_clean(&passed.text()), "outside a call, {claim}:\n{}", passed.text());
            let claimed: &[&str] = if may_be_answered { &[claim] } else { &[] };
            let back = node.hear(to, answer(&passed, 202, "b1", claimed, "")).the("202");
            assert!(is_clean(&back.text()), "its answer, {claim}:\n{}", back.text());
        }
        let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
        for method in ["INFO", "INVITE", "BYE"] {
            let from_caller = node.hear(CC_HQ, &call.caller.request(method).header(claim)).the(method);
            assert!(from_caller.to == GW_HQ && is_clean(&from_caller.text()), "{method}: {}", from_caller.text());
            node.hear(GW_HQ, says(&from_caller, 488));
            if method == "INFO" {
                let from_callee = node.hear(GW_HQ, &call.callee.request(method).header(claim)).the(method);
                assert!(from_callee.to == CC_HQ && is_clean(&from_callee.text()), "{method}: {}", from_callee.text());
            }
        }
    }
}

#[test]
fn p_13_a_mark_between_those_who_are_believed_passes_inside_a_call() {
    let mark = "Call-Info: <urn:emcc:device:SEP001122334455>;purpose=emcc-device";
    let mut node = Node::hq();
    let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    let passed = node.hear(CC_HQ, &call.caller.request("INFO").header(mark)).the("INFO");
    assert!(passed.to == BR && passed.has(mark), "{}", passed.text());
    let back = node.hear(BR, answer(&passed, 200, "b1", &[mark], "")).the("200");
    assert!(back.to == CC_HQ && back.has(mark), "{}", back.text());
}

#[test]
fn a_header_name_that_is_no_token_and_a_line_without_one_are_refused() {
    for line in ["Call-Info\x0b: x", "Call Info: x", ": x", "Call-Info", "\u{a0}Call-Info: x", "Via\0: x"] {
        let mut node = Node::hq();
        let out = node.hear(CC_HQ, &bob("912025550123").header(line));
        assert_eq!(out.told(), ["400 to cc-hq"], "{line:?}");
    }
}

/// HQ whose call control marks phones in X-Device, and whose trunk carries the mark in X-Trunk-Device.
fn hq_with_headers_of_its_own() -> Node {
    Node::hq_with(&[
        ("name = \"cc-hq\"\n", "name = \"cc-hq\"\ndevice_header = \"X-Device\"\n"),
        ("[[remote_cluster]]\n", "[[remote_cluster]]\ndevice_header = \"X-Trunk-Device\"\n"),
    ])
}

const OF_ALICE: &str = "<urn:emcc:device:SEP001122334455>;purpose=emcc-device;cluster=HQ";

#[test]
fn p_13_the_mark_is_read_from_the_senders_header_and_written_into_the_next_hops() {
    let mut node = hq_with_headers_of_its_own();
    let invite = Request::new("INVITE", CC_HQ, HQ, "5001", "9999");
    let sent = node.hear(CC_HQ, &invite.clone().header(&format!("X-DEVICE: {OF_ALICE}"))).the("INVITE");
    assert_eq!((sent.to, sent.headers("X-Trunk-Device")), (BR, vec![OF_ALICE.to_owned()]));
    let text = sent.text().to_ascii_lowercase();
    assert!(text.matches("emcc-device").count() == 1 && !text.contains("x-device"), "{text}");
    // In Call-Info it is no mark here: 5001 is alice's number, found without it.
    let of_bobs = "Call-Info: <urn:emcc:device:SEP00AA00AA0001>;purpose=emcc-device";
    let mut invite = Request::new("INVITE", CC_HQ, HQ, "5001", "9999").header(of_bobs);
    invite.from = "<sip:5001@127.0.1.10>;tag=x".to_owned();
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!((sent.to, sent.headers("Call-Info").len()), (BR, 0));
}

#[test]
fn p_13_a_mark_in_a_header_of_its_own_reaches_nobody_it_is_not_for() {
    for mark in ["X-Device", "x-trunk-device", "Call-Info"].map(|header| format!("{header}: {OF_ALICE}")) {
        let mut node = hq_with_headers_of_its_own();
        let invite = Request::new("INVITE", GW_HQ, HQ, "12025550123", "5002").header(&mark);
        let to_control = node.hear(GW_HQ, &invite).the("INVITE");
        let to_gateway = node.hear(CC_HQ, &bob("912025550123").header(&mark)).the("INVITE");
        for (sent, to) in [(to_control, CC_HQ), (to_gateway, GW_HQ)] {
            let text = sent.text().to_ascii_lowercase();
            assert!(sent.to == to && !text.contains("emcc:device") && !text.contains("x-device"), "{mark}:\n{text}");
        }
    }
}

#[test]
fn p_13_a_mark_that_its_sender_may_not_send_comes_off_once() {
    for header in ["Call-Info", "X-Device"] {
        let mut node = Node::hq_with(&[(
            "name = \"cc-hq\"\n",
            &format!(
                "name = \"cc-hq\"\ndevice_header = \"{header}\"\nheaders_removed = [\"{header}\", \"Priority\"]\n"
            ),
        )]);
        let invite = bob("912025550123").header(&format!("{header}: {OF_ALICE}")).header("Priority: emergency");
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        let text = sent.text().to_ascii_lowercase();
        assert!(!text.contains("emcc:device") && !text.contains("priority"), "{header}:\n{text}");
    }
}

/// Headers that call a description something else, before the one that calls it what it is.
const OTHER_TYPES: [&str; 4] = [
    "Content-Type: text/plain",
    "c: text/plain",
    "CONTENT-TYPE :\r\n text/plain",
    "c: multipart/mixed;boundary=x\r\nContent-Type: text/plain",
];

#[test]
fn rfc_3261_7_3_1_content_types_that_differ_are_400_and_an_emergency_is_held_to_region_and_keys() {
    let sdp = keyed("RTP/AVP", "0 8 18");
    for line in OTHER_TYPES {
        let mut node = Node::hq();
        let out = node.hear(CC_HQ, &alice("901614960000").body(&sdp).header(line));
        assert_eq!(out.told(), ["400 to cc-hq"], "{line}");
        assert!(out.refusal().start().contains("Content-Type headers that differ"), "{}", out.refusal().start());
        let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
        let out = node.hear(CC_HQ, &call.caller.request("INVITE").body(&sdp).header(line));
        assert_eq!(out.told(), ["400 to cc-hq"], "{line}");
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &alice("9999").body(&sdp).header(line)).the("INVITE");
        assert_eq!((sent.to, shows_key(&sent), sent.formats("audio")), (BR, false, vec!["18".to_owned()]), "{line}");
        assert_eq!(
            sent.headers("Content-Type").last().map(String::as_str),
            Some("application/sdp"),
            "{line}: as it came"
        );
    }
    // Of one meaning they are one.
    for line in ["Content-Type: application/sdp", "c: Application / SDP;charset=utf-8"] {
        let sent = Node::hq().hear(CC_HQ, &alice("901614960000").body(&sdp).header(line)).the("INVITE");
        assert_eq!((shows_key(&sent), sent.formats("audio")), (false, vec!["18".to_owned()]), "{line}");
    }
}

#[test]
fn m_1_an_answer_with_content_types_that_differ_is_held_to_region_and_keys() {
    for line in OTHER_TYPES {
        for status in [183, 200] {
            let mut node = Node::hq();
            let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("0 8 18"))).the("INVITE");
            let out = node.hear(BR, answer(&sent, status, "b1", &[line], &keyed("RTP/AVP", "18 0")));
            let back = out.the(&status.to_string());
            assert_eq!((shows_key(&back), back.formats("audio")), (false, vec!["18".to_owned()]), "{line}");
        }
    }
}

#[test]
fn m_1_a_part_with_types_that_differ_is_a_description_where_one_says_so() {
    let body = format!(
        "--b\r\nContent-Type: text/plain\r\nc: application/sdp\r\n\r\n{}\r\n--b--\r\n",
        keyed("RTP/AVP", "0 8 18")
    );
    let mut invite = alice("901614960000").body(&body);
    "multipart/mixed;boundary=b".clone_into(&mut invite.content_type);
    let sent = Node::hq().hear(CC_HQ, &invite).the("INVITE");
    assert!(!shows_key(&sent) && sent.has("m=audio 40000 RTP/AVP 18\r\n"), "{}", sent.text());
}
