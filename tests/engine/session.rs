//! Session timers (RFC 4028): what a refresh leaves with, what its answer means, and a session nobody refreshes.

use crate::node::{BR, CC_HQ, GW_HQ, HQ, Node, Out};
use crate::wire::{Dialog, Request, Standing, alice, answer, audio, bob, from_hq, hang_up, says};

const KNOWS: &str = "Supported: timer";

/// Bob calls out; the gateway answers with those header lines.
fn bobs(node: &mut Node, invite: Request, answer_lines: &[&str]) -> Standing {
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let answered = node.hear(GW_HQ, answer(&sent, 200, "b1", answer_lines, &audio("0"))).the("200");
    let mut caller = Dialog::of_caller(&invite, &answered);
    let callee = Dialog::of_callee(&sent, "b1");
    node.hear(CC_HQ, &caller.request("ACK")).the("ACK");
    Standing { caller, callee, caller_at: CC_HQ, callee_at: GW_HQ, invite: sent, answered }
}

fn outward() -> Request {
    bob("912025550123").body(&audio("0"))
}

/// What was sent, repetitions left out.
fn told(out: &Out) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for told in out.told() {
        if !once.contains(&told) {
            once.push(told);
        }
    }
    once
}

#[test]
fn rfc_4028_8_1_a_call_without_a_session_timer_is_given_one_and_an_emergency_call_is_not() {
    let mut node = Node::hq();
    assert_eq!(node.hear(CC_HQ, &outward()).the("INVITE").headers("Session-Expires"), ["1800"]);
    let asked = outward().header("Session-Expires: 7200;refresher=uac").header(KNOWS);
    assert_eq!(node.hear(CC_HQ, &asked).the("INVITE").headers("Session-Expires"), ["1800;refresher=uac"]);
    let asked = outward().header("x: 600");
    assert_eq!(node.hear(CC_HQ, &asked).the("INVITE").headers("x"), ["600"]);
    assert!(node.hear(CC_HQ, &bob("9911")).the("INVITE").headers("Session-Expires").is_empty());
    let brief = bob("9911").header("Session-Expires: 30").header(KNOWS);
    let sent = node.hear(CC_HQ, &brief).the("INVITE");
    assert_eq!(sent.headers("Session-Expires"), ["30"], "an emergency call is not refused for its timer (P-23)");
    let mut off = Node::hq_with(&[("[sip]\n", "[sip]\nsession_expires_s = 0\n")]);
    assert!(off.hear(CC_HQ, &outward()).the("INVITE").headers("Session-Expires").is_empty());
}

#[test]
fn rfc_4028_8_1_too_brief_a_session_is_422_with_our_min_se_at_the_start_and_within_the_call() {
    let mut node = Node::hq_with(&[("[sip]\n", "[sip]\nmin_se_s = 300\n")]);
    let brief = outward().header("Session-Expires: 299").header(KNOWS);
    let out = node.hear(CC_HQ, &brief);
    assert_eq!(out.told(), ["422 to cc-hq"]);
    assert_eq!(out.refusal().headers("Min-SE"), ["300"]);
    assert_eq!((node.engine.calls(), node.booked()), (0, [0; 4]));
    // Who does not know timers could make nothing of a 422.
    let sent = node.hear(CC_HQ, &outward().header("Session-Expires: 299")).the("INVITE");
    assert_eq!((sent.header("Session-Expires"), sent.header("Min-SE")), ("300".to_owned(), "300".to_owned()));
    let mut call = bobs(&mut node, outward(), &[]);
    for (from, method) in [(CC_HQ, "INVITE"), (CC_HQ, "UPDATE"), (GW_HQ, "INVITE"), (GW_HQ, "UPDATE")] {
        let dialog = if from == CC_HQ { &mut call.caller } else { &mut call.callee };
        let refused = node.hear(from, &dialog.request(method).header("Session-Expires: 90").header(KNOWS)).the("422");
        assert_eq!((refused.to, refused.header("Min-SE").as_str()), (from, "300"), "{method}");
    }
    assert_eq!(node.engine.calls(), 2, "both calls stand");
}

#[test]
fn rfc_4028_8_2_a_caller_that_knows_timers_is_told_to_refresh_when_the_callee_does_not() {
    let mut node = Node::hq();
    let call = bobs(&mut node, outward().header(KNOWS), &["Require: 100rel"]);
    assert_eq!(call.answered.headers("Session-Expires"), ["1800;refresher=uac"]);
    assert_eq!(call.answered.headers("Require"), ["100rel, timer"]);
    let again = node.hear(GW_HQ, answer(&call.invite, 200, "b1", &["Require: 100rel"], &audio("0"))).the("200");
    assert_eq!(again.headers("Session-Expires"), ["1800;refresher=uac"], "and so does a copy of the answer");
    let call = bobs(&mut node, outward(), &[]);
    assert!(call.answered.headers("Session-Expires").is_empty(), "nobody knows timers");
    let theirs = ["Session-Expires: 900;refresher=uas", "Require: timer"];
    let call = bobs(&mut node, outward().header(KNOWS), &theirs);
    assert_eq!(call.answered.headers("Session-Expires"), ["900;refresher=uas"], "what was agreed is not touched");
    assert_eq!(call.answered.headers("Require"), ["timer"]);
}

#[test]
fn rfc_4028_8_3_a_session_nobody_refreshes_is_ended_towards_both_sides_and_gives_its_bandwidth_back() {
    let mut node = Node::hq();
    let theirs = ["Session-Expires: 1800;refresher=uas"];
    let invite = alice("901614960000").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let answered = node.hear(BR, answer(&sent, 200, "b1", &theirs, &audio("18"))).the("200");
    node.hear(CC_HQ, &Dialog::of_caller(&invite, &answered).request("ACK")).the("ACK");
    assert!(node.wait_with_peer(1_799_000).told().is_empty());
    assert_ne!(node.booked(), [0; 4]);
    let over = node.wait_with_peer(1_100);
    assert_eq!(told(&over), ["BYE to br", "BYE to cc-hq"]);
    let (down, up) = (over.to(BR), over.to(CC_HQ));
    assert_eq!(down.header("To"), format!("{};tag=b1", sent.header("To")));
    assert_eq!(up.header("To"), invite.from);
    assert_eq!((node.engine.calls(), node.booked(), node.ended()), (0, [0; 4], vec![(200, "expired")]));
}

#[test]
fn a_call_without_a_session_timer_stands() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node, outward(), &[]);
    assert!(node.wait_with_peer(4_000_000).told().is_empty());
    hang_up(&mut node, &mut call);
}

#[test]
fn rfc_4028_7_and_9_a_refresh_from_either_side_by_either_method_moves_the_end() {
    let mut node = Node::hq();
    let theirs = ["Session-Expires: 300;refresher=uas"];
    let mut call = bobs(&mut node, outward().header(KNOWS), &theirs);
    for (from, method) in [(CC_HQ, "INVITE"), (GW_HQ, "INVITE"), (CC_HQ, "UPDATE"), (GW_HQ, "UPDATE")] {
        assert!(node.wait_with_peer(295_000).told().is_empty(), "{method}");
        let dialog = if from == CC_HQ { &mut call.caller } else { &mut call.callee };
        let refresh = dialog.request(method).header("Session-Expires: 300;refresher=uac").header(KNOWS);
        let passed = node.hear(from, &refresh).the(method);
        assert_eq!(passed.headers("Session-Expires"), ["300;refresher=uac"]);
        let back = node.hear(passed.to, answer(&passed, 200, "b1", &["Session-Expires: 300;refresher=uac"], ""));
        assert_eq!(back.the("200").to, from);
        if method == "INVITE" {
            let dialog = if from == CC_HQ { &mut call.caller } else { &mut call.callee };
            node.hear(from, &dialog.request("ACK")).the("ACK");
        }
    }
    assert!(node.wait_with_peer(299_000).told().is_empty());
    assert_eq!(told(&node.wait_with_peer(1_500)), ["BYE to gw-hq", "BYE to cc-hq"]);
}

#[test]
fn what_is_no_refresh_moves_no_end() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node, outward().header(KNOWS), &["Session-Expires: 300;refresher=uas"]);
    node.wait_with_peer(290_000);
    let info = node.hear(CC_HQ, &call.caller.request("INFO")).the("INFO");
    node.hear(GW_HQ, says(&info, 200));
    assert_eq!(told(&node.wait_with_peer(10_500)), ["BYE to gw-hq", "BYE to cc-hq"]);
}

#[test]
fn a_refresh_on_its_way_when_the_session_would_be_over_has_time_to_be_answered() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node, outward().header(KNOWS), &["Session-Expires: 300;refresher=uac"]);
    node.wait_with_peer(299_000);
    let passed = node.hear(CC_HQ, &call.caller.request("UPDATE").header("Session-Expires: 300")).the("UPDATE");
    let meanwhile = node.wait_with_peer(20_000);
    assert!(meanwhile.0.iter().all(|sent| sent.what() == "UPDATE"), "{:?}", meanwhile.told());
    node.hear(GW_HQ, answer(&passed, 200, "b1", &["Session-Expires: 300;refresher=uac"], "")).the("200");
    assert!(node.wait_with_peer(299_000).told().is_empty());
}

#[test]
fn a_refresh_agreed_without_a_timer_ends_the_timer() {
    let mut node = Node::hq_with(&[("[sip]\n", "[sip]\nsession_expires_s = 0\n")]);
    let mut call = bobs(&mut node, outward().header(KNOWS), &["Session-Expires: 300;refresher=uac"]);
    let passed = node.hear(CC_HQ, &call.caller.request("UPDATE")).the("UPDATE");
    assert!(passed.headers("Session-Expires").is_empty());
    node.hear(GW_HQ, says(&passed, 200)).the("200");
    assert!(node.wait_with_peer(1_000_000).told().is_empty(), "RFC 4028 section 7.2");
    hang_up(&mut node, &mut call);
}

#[test]
fn rfc_4028_8_2_where_an_answers_interval_cannot_be_read_the_one_asked_for_counts() {
    for unreadable in ["abc", "", "-4", "99999999999", "; refresher=uas"] {
        let line = format!("Session-Expires: {unreadable}");
        let mut node = Node::hq();
        let call = bobs(&mut node, outward().header("Session-Expires: 600"), &[&line]);
        assert_eq!(call.answered.headers("Session-Expires"), [unreadable], "it passes as it came");
        assert!(node.wait_with_peer(599_000).told().is_empty(), "{line}");
        assert_eq!(told(&node.wait_with_peer(1_500)), ["BYE to gw-hq", "BYE to cc-hq"], "{line}");
        // So does the one this node asked for, and that of a refresh.
        let mut node = Node::hq();
        let mut call = bobs(&mut node, outward(), &[&line]);
        assert!(node.wait_with_peer(1_790_000).told().is_empty(), "{line}");
        let passed = node.hear(CC_HQ, &call.caller.request("UPDATE").header("Session-Expires: 600")).the("UPDATE");
        node.hear(GW_HQ, answer(&passed, 200, "b1", &[&line], "")).the("200");
        assert!(node.wait_with_peer(599_000).told().is_empty(), "{line}");
        assert_eq!(told(&node.wait_with_peer(1_500)), ["BYE to gw-hq", "BYE to cc-hq"], "{line}");
        // Where nobody asked for a timer there is none.
        let mut node = Node::hq_with(&[("[sip]\n", "[sip]\nsession_expires_s = 0\n")]);
        let mut call = bobs(&mut node, outward(), &[&line]);
        assert!(node.wait_with_peer(4_000_000).told().is_empty(), "{line}");
        hang_up(&mut node, &mut call);
    }
}

#[test]
fn a_refresh_that_fails_leaves_the_end_where_it_was() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node, outward().header(KNOWS), &["Session-Expires: 300;refresher=uac"]);
    node.wait_with_peer(200_000);
    let passed = node.hear(CC_HQ, &call.caller.request("UPDATE")).the("UPDATE");
    assert_eq!(node.hear(GW_HQ, says(&passed, 491)).told(), ["491 to cc-hq"]);
    assert!(node.wait_with_peer(99_000).told().is_empty());
    assert_eq!(told(&node.wait_with_peer(1_500)), ["BYE to gw-hq", "BYE to cc-hq"]);
}

#[test]
fn rfc_4028_10_refreshes_that_fail_one_after_the_other_keep_no_call() {
    for (status, method) in [(500, "UPDATE"), (491, "INVITE"), (481, "UPDATE")] {
        let mut node = Node::hq();
        let line = "Session-Expires: 300;refresher=uac";
        let mut call = bobs(&mut node, outward().header(KNOWS), &[line]);
        node.wait_with_peer(290_000);
        let mut fails = |node: &mut Node| {
            let request = call.caller.request(method).header(line);
            let passed = node.hear(CC_HQ, &request).the(method);
            let refusal = node.hear(GW_HQ, says(&passed, status)).the(&status.to_string());
            if method == "INVITE" {
                node.hear(CC_HQ, &request.ack(&refusal));
            }
            node.wait_with_peer(10_000)
        };
        // It has the time of one refresh beyond its end, whatever comes after that.
        for at_s in [290, 300, 310] {
            assert!(!told(&fails(&mut node)).contains(&"BYE to gw-hq".to_owned()), "{status} at {at_s} s");
        }
        let ended = told(&fails(&mut node));
        assert!(ended.ends_with(&["BYE to gw-hq".to_owned(), "BYE to cc-hq".to_owned()]), "{status}: {ended:?}");
    }
}

#[test]
fn p_23_an_emergency_call_goes_on_past_the_end_of_its_session_with_an_alarm() {
    let mut node = Node::br();
    let invite = from_hq("911").body(&audio("18")).header("Session-Expires: 90;refresher=uas").header(KNOWS);
    let sent = node.hear(HQ, &invite).the("INVITE");
    let answered = node.hear(sent.to, answer(&sent, 200, "b1", &["Session-Expires: 90;refresher=uas"], &audio("18")));
    let mut caller = Dialog::of_caller(&invite, &answered.the("200"));
    node.hear(HQ, &caller.request("ACK")).the("ACK");
    node.alarms();
    assert!(node.wait_with_peer(3_600_000).told().is_empty());
    assert_eq!(node.alarms(), ["emergency call whose session nobody refreshed goes on"], "once");
    assert_eq!(node.engine.calls(), 1);
    let bye = node.hear(HQ, &caller.request("BYE")).the("BYE");
    node.hear(sent.to, says(&bye, 200));
    assert_eq!((node.engine.calls(), node.booked()), (0, [0; 4]));
}

#[test]
fn an_update_before_the_answer_starts_no_session() {
    let mut node = Node::hq();
    let invite = outward().header(KNOWS);
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let early = node.hear(GW_HQ, answer(&sent, 183, "b1", &["Require: 100rel", "RSeq: 1"], &audio("0"))).the("183");
    let update = Dialog::of_caller(&invite, &early).request("UPDATE").header(KNOWS);
    let passed = node.hear(CC_HQ, &update).the("UPDATE");
    assert!(passed.headers("Session-Expires").is_empty(), "the answer to the INVITE decides");
    node.hear(GW_HQ, answer(&passed, 200, "b1", &["Session-Expires: 90;refresher=uac"], "")).the("200");
    node.wait_with_peer(100_000);
    assert_eq!(node.engine.calls(), 1);
}

#[test]
fn of_two_parties_that_answered_the_longer_session_counts() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node, outward().header(KNOWS), &["Session-Expires: 300;refresher=uac"]);
    let fork = answer(&call.invite, 200, "b2", &["Session-Expires: 600;refresher=uac"], &audio("0"));
    node.hear(GW_HQ, fork).the("200");
    assert!(node.wait_with_peer(590_000).told().is_empty());
    hang_up(&mut node, &mut call);
    assert_eq!(node.engine.calls(), 1, "the other one stands");
    assert!(told(&node.wait_with_peer(11_000)).contains(&"BYE to gw-hq".to_owned()));
    assert_eq!(node.engine.calls(), 0);
}
