//! Requests that come round again: loops, spirals, hops and breadth (RFC 3261 section 16.3, RFC 5393).

use crate::node::{BR, CC_HQ, GW_BR_1, GW_HQ, HQ, Node, Sent};
use crate::wire::{alice, audio, bob, from_hq, says, serial, stand};

/// What a proxy without any thought of its own makes of a request: its Via on top, a hop less, back to the node.
fn proxied(sent: &Sent) -> String {
    let via = format!("Via: SIP/2.0/UDP {};branch=z9hG4bK-p{}\r\nVia: ", sent.to, serial());
    let hops: u32 = sent.header("Max-Forwards").parse().expect("it says how many hops are left");
    let text = sent.text().replacen("Via: ", &via, 1);
    text.replacen(&format!("Max-Forwards: {hops}"), &format!("Max-Forwards: {}", hops - 1), 1)
}

#[test]
fn rfc_5393_4_2_2_a_request_that_comes_round_unchanged_is_482() {
    let mut node = Node::hq();
    let first = node.hear(CC_HQ, &bob("5001").body(&audio("18"))).the("INVITE");
    assert_eq!(first.to, CC_HQ);
    // Its target is another one now: a spiral, so far as we can tell.
    let second = node.hear(CC_HQ, proxied(&first)).the("INVITE");
    assert_eq!((second.to, node.engine.calls()), (CC_HQ, 2));
    let third = proxied(&second);
    let looped = node.hear(CC_HQ, third.clone());
    assert_eq!(looped.told(), ["482 to cc-hq"]);
    assert_eq!(node.hear(CC_HQ, third).told(), ["482 to cc-hq"], "a copy is told the same");
    assert_eq!(node.engine.calls(), 2, "the round that looped has no row");
    // The proxy hands it back, and every pass ends.
    let out = node.hear(CC_HQ, says(&second, 482));
    assert_eq!(out.told(), ["ACK to cc-hq", "482 to cc-hq"]);
    let out = node.hear(CC_HQ, says(&first, 482));
    assert_eq!(out.told(), ["ACK to cc-hq", "482 to cc-hq"]);
    assert_eq!((node.engine.calls(), node.booked()), (0, [0; 4]));
}

#[test]
fn rfc_5393_4_2_1_the_mark_is_of_what_decides_where_a_request_goes() {
    let mark = |change: &str, to: &str| {
        let mut node = Node::hq();
        let mut invite = alice("912025550123").body(&audio("18"));
        invite.from = "<sip:5001@127.0.1.10>;tag=x".to_owned();
        let text = invite.text().replace(change, to);
        let via = node.hear(CC_HQ, text).the("INVITE").header("Via");
        via[via.len() - 8..].to_owned()
    };
    let plain = mark("nothing", "nothing");
    assert_eq!(mark("Max-Forwards: 70", "Max-Forwards: 12"), plain);
    assert_eq!(mark("m=audio 40000", "m=audio 40002"), plain);
    assert_ne!(mark("sip:912025550123@", "sip:912025550124@"), plain, "another target");
    assert_ne!(mark("Contact:", "P-Asserted-Identity: <sip:5001@h>\r\nContact:"), plain, "another caller");
    assert_ne!(mark("cluster=HQ", "cluster=BR"), plain, "another mark");
}

#[test]
fn a_via_that_only_looks_like_ours_is_no_loop() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("912025550123").body(&audio("0"))).the("INVITE");
    let mark = sent.header("Via").split("branch=").nth(1).expect("a branch").to_owned();
    for via in [
        format!("SIP/2.0/UDP 127.0.2.1:5060;branch={mark}"),
        "SIP/2.0/UDP 127.0.1.1:5060;branch=z9hG4bK-emcc-00000000000000000000000".to_owned(),
        "SIP/2.0/UDP 127.0.1.1:5060;branch=z9hG4bK-emcc-".to_owned(),
    ] {
        let other = bob("912025550123").header(&format!("Via: {via}")).body(&audio("0"));
        assert_eq!(node.hear(CC_HQ, &other).the("INVITE").to, GW_HQ, "{via}");
    }
    // With the very branch it is one.
    let other = bob("912025550123").header(&format!("Via: SIP/2.0/UDP 127.0.1.1:5060;branch={mark}"));
    let text = other.text().replace(&other.from, &sent.header("From"));
    assert_eq!(node.hear(CC_HQ, text).told(), ["482 to cc-hq"]);
}

#[test]
fn p_8_an_emergency_call_that_loops_is_482_to_who_sent_it_round_and_its_first_pass_tries_the_next_hop() {
    let mut node = Node::br();
    let first = node.hear(HQ, &from_hq("911").body(&audio("18"))).the("INVITE");
    assert_eq!(first.to, GW_BR_1);
    let mut rounds = vec![first];
    let told = loop {
        let last = rounds.last().expect("there is one").clone();
        let out = node.hear(last.to, proxied(&last));
        if out.told().iter().any(|told| told.starts_with("482")) {
            break out.told();
        }
        rounds.push(out.the("INVITE"));
        assert!(rounds.len() < 5, "{rounds:?}");
    };
    assert_eq!(told.len(), 1, "{told:?}");
    let first = rounds.first().expect("there is one");
    let onward = node.hear(first.to, says(first, 482)).the("INVITE");
    assert_ne!(onward.to, first.to, "an emergency call goes on after every failure");
}

#[test]
fn rfc_3261_16_3_hops_that_are_spent_are_483_and_options_to_us_is_answered_all_the_same() {
    let mut node = Node::hq();
    let spent = |text: String| text.replace("Max-Forwards: 70", "Max-Forwards: 0");
    let mut ours = crate::wire::Request::new("OPTIONS", CC_HQ, HQ, "5002", "x");
    ours.uri = format!("sip:{HQ}");
    assert_eq!(node.hear(CC_HQ, spent(ours.text())).told(), ["200 to cc-hq"]);
    let theirs = crate::wire::Request::new("OPTIONS", CC_HQ, HQ, "5002", "5001");
    assert_eq!(node.hear(CC_HQ, spent(theirs.text())).told(), ["483 to cc-hq"]);
    assert_eq!(node.hear(CC_HQ, spent(bob("912025550123").text())).told(), ["483 to cc-hq"]);
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    assert_eq!(node.hear(CC_HQ, spent(call.caller.request("INFO").text())).told(), ["483 to cc-hq"]);
    assert!(node.hear(CC_HQ, spent(call.caller.request("ACK").text())).told().is_empty(), "an ACK has no answer");
    let last = bob("912025550124").text().replace("Max-Forwards: 70", "Max-Forwards: 1");
    assert_eq!(node.hear(CC_HQ, last).the("INVITE").header("Max-Forwards"), "0");
    let none = bob("912025550125").text().replace("Max-Forwards: 70\r\n", "");
    assert_eq!(node.hear(CC_HQ, none).the("INVITE").header("Max-Forwards"), "70", "section 16.6, step 3");
}

#[test]
fn rfc_5393_5_3_3_breadth_is_carried_along_or_begun_and_0_is_440() {
    let mut node = Node::hq();
    for (line, leaves) in [("X: y", "60"), ("Max-Breadth: 7", "7"), ("max-breadth : 1", "1")] {
        let sent = node.hear(CC_HQ, &bob("912025550123").header(line)).the("INVITE");
        assert_eq!(sent.headers("Max-Breadth"), [leaves], "{line}");
    }
    let out = node.hear(CC_HQ, &bob("912025550123").header("Max-Breadth: 0"));
    assert_eq!(out.told(), ["440 to cc-hq"]);
    let emergency = node.hear(CC_HQ, &bob("9911").header("Max-Breadth: 0")).the("INVITE");
    assert_eq!(emergency.headers("Max-Breadth"), ["1"], "P-23: it is not refused, and still nobody may fork it");
    let asked = crate::wire::Request::new("MESSAGE", CC_HQ, HQ, "5002", "912025550123");
    assert_eq!(node.hear(CC_HQ, &asked).the("MESSAGE").headers("Max-Breadth"), ["60"]);
    let asked = crate::wire::Request::new("MESSAGE", CC_HQ, HQ, "5002", "912025550123").header("Max-Breadth: 0");
    assert_eq!(node.hear(CC_HQ, &asked).told(), ["440 to cc-hq"]);
    let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    let info = node.hear(CC_HQ, &call.caller.request("INFO").header("Max-Breadth: 3")).the("INFO");
    assert_eq!((info.to, info.headers("Max-Breadth")), (BR, vec!["3".to_owned()]));
}
