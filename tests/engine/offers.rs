//! Offers and answers in every order (RFC 6337 table 1, RFC 3262, RFC 3311): each is held to the region, and what was agreed
//! last is what is booked.

use crate::node::{BR, CC_HQ, GW_HQ, Node, Sent};
use crate::wire::{Dialog, Request, alice, answer, audio, audio_and_video, bob, says};

/// Alice's call over the trunk, where the region leaves G.729 alone.
fn invite(sdp: &str) -> Request {
    alice("901614960000").header("Supported: 100rel").header("Allow: PRACK, UPDATE").body(sdp)
}

/// A reliable provisional response.
fn reliable(node: &mut Node, sent: &Sent, tag: &str, rseq: u32, sdp: &str) -> Sent {
    let lines = ["Require: 100rel".to_owned(), format!("RSeq: {rseq}")];
    node.hear(BR, answer(sent, 183, tag, &[&lines[0], &lines[1]], sdp)).the("183")
}

/// PRACK from the caller's end; what arrived at the callee's.
fn prack(node: &mut Node, caller: &mut Dialog, rseq: u32, sdp: &str) -> Sent {
    let request = caller.request("PRACK").header(&format!("RAck: {rseq} 1 INVITE")).body(sdp);
    node.hear(CC_HQ, &request).the("PRACK")
}

fn is_g729(sent: &Sent) {
    assert_eq!(sent.formats("audio"), ["18"], "{}", sent.text());
}

const WIDE: &str = "0 18";

#[test]
fn rfc_6337_2_1_every_pattern_of_offer_and_answer_is_held_to_the_region_and_books_what_was_agreed() {
    let (wide, narrow) = (audio(WIDE), audio("18"));
    for (pattern, in_invite, in_183, in_prack, in_prack_200, in_200, in_ack) in [
        ("1: INVITE, 2xx", true, false, false, false, true, false),
        ("2: 2xx, ACK", false, false, false, false, true, true),
        ("3: INVITE, reliable 1xx", true, true, false, false, false, false),
        ("4: reliable 1xx, PRACK", false, true, true, false, false, false),
        ("5: PRACK, its 200, after 3", true, true, true, true, false, false),
    ] {
        let mut node = Node::hq();
        let body = |is_there: bool, is_offer: bool| match (is_there, is_offer) {
            (false, _) => "",
            (true, true) => wide.as_str(),
            (true, false) => narrow.as_str(),
        };
        let invite = invite(body(in_invite, true));
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        if in_invite {
            is_g729(&sent);
        }
        let mut caller = None;
        if in_183 {
            let early = reliable(&mut node, &sent, "b1", 1, body(true, !in_invite));
            is_g729(&early);
            let mut dialog = Dialog::of_caller(&invite, &early);
            let passed = prack(&mut node, &mut dialog, 1, body(in_prack, in_invite));
            assert_eq!(passed.to, BR, "{pattern}");
            if in_prack {
                is_g729(&passed);
            }
            let back = node.hear(BR, answer(&passed, 200, "b1", &[], body(in_prack_200, false))).the("200");
            if in_prack_200 {
                is_g729(&back);
            }
            caller = Some(dialog);
        }
        let answered = node.hear(BR, answer(&sent, 200, "b1", &[], body(in_200, !in_invite))).the("200");
        if in_200 {
            is_g729(&answered);
        }
        let mut caller = caller.unwrap_or_else(|| Dialog::of_caller(&invite, &answered));
        let ack = node.hear(CC_HQ, &caller.request("ACK").body(body(in_ack, false))).the("ACK");
        if in_ack {
            is_g729(&ack);
        }
        assert_ne!(node.booked(), [24, 24, 0, 0], "{pattern}: the worst case at first (V-18)");
        node.wait_with_peer(1_100);
        assert_eq!(node.booked(), [24, 24, 0, 0], "{pattern}: then what was agreed");
        // 6: UPDATE and its 2xx, from either side.
        let mut callee = Dialog::of_callee(&sent, "b1");
        for (from, to) in [(CC_HQ, BR), (BR, CC_HQ)] {
            let dialog = if from == CC_HQ { &mut caller } else { &mut callee };
            let passed = node.hear(from, &dialog.request("UPDATE").body(&wide)).the("UPDATE");
            assert_eq!(passed.to, to, "{pattern}");
            is_g729(&passed);
            let back = node.hear(to, answer(&passed, 200, "b1", &[], &narrow)).the("200");
            is_g729(&back);
            let refused = node.hear(from, &dialog.request("UPDATE").body(&audio("0"))).the("488");
            assert_eq!(refused.to, from, "{pattern}: M-6");
        }
        node.wait_with_peer(1_100);
        assert_eq!((node.booked(), node.engine.calls()), ([24, 24, 0, 0], 1), "{pattern}");
    }
}

#[test]
fn rfc_3262_5_after_the_answer_in_one_prack_a_description_in_the_next_is_an_offer() {
    let mut node = Node::hq();
    let invite = invite("");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let early = reliable(&mut node, &sent, "b1", 1, &audio(WIDE));
    let mut caller = Dialog::of_caller(&invite, &early);
    let first = prack(&mut node, &mut caller, 1, &audio("18"));
    node.hear(BR, says(&first, 200)).the("200");
    reliable(&mut node, &sent, "b1", 2, "");
    let second = prack(&mut node, &mut caller, 2, &audio(WIDE));
    is_g729(&second);
    is_g729(&node.hear(BR, answer(&second, 200, "b1", &[], &audio("18"))).the("200"));
    reliable(&mut node, &sent, "b1", 3, "");
    let refused = caller.request("PRACK").header("RAck: 3 1 INVITE").body(&audio("0"));
    assert_eq!(node.hear(CC_HQ, &refused).told(), ["488 to cc-hq"], "an offer that leaves nothing is refused here");
    node.hear(BR, answer(&sent, 200, "b1", &[], "")).the("200");
    node.hear(CC_HQ, &caller.request("ACK")).the("ACK");
    node.wait_with_peer(1_100);
    assert_eq!(node.booked(), [24, 24, 0, 0]);
}

#[test]
fn rfc_3262_3_several_reliable_responses_and_their_pracks_pass_and_copies_are_not_told_twice() {
    let mut node = Node::hq();
    let invite = invite(&audio(WIDE));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let early = reliable(&mut node, &sent, "b1", 41, &audio("18"));
    assert_eq!((early.header("RSeq"), early.header("Require")), ("41".to_owned(), "100rel".to_owned()));
    assert_eq!(
        reliable(&mut node, &sent, "b1", 41, &audio("18")).header("RSeq"),
        "41",
        "who rang repeats it until PRACK"
    );
    let mut caller = Dialog::of_caller(&invite, &early);
    for rseq in [41, 42, 43] {
        let request = caller.request("PRACK").header(&format!("RAck: {rseq} 1 INVITE"));
        let passed = node.hear(CC_HQ, &request).the("PRACK");
        assert_eq!(passed.header("RAck"), format!("{rseq} 1 INVITE"));
        assert!(node.hear(CC_HQ, &request).told().is_empty(), "a copy is absorbed");
        assert_eq!(node.hear(BR, says(&passed, 200)).told(), ["200 to cc-hq"]);
        assert_eq!(node.hear(CC_HQ, &request).told(), ["200 to cc-hq"], "and answered from its row");
        reliable(&mut node, &sent, "b1", rseq + 1, "");
    }
}

#[test]
fn rfc_3262_3_a_2xx_may_come_before_the_prack_and_the_prack_is_answered_all_the_same() {
    let mut node = Node::hq();
    let invite = invite(&audio(WIDE));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let early = reliable(&mut node, &sent, "b1", 1, &audio("18"));
    let mut caller = Dialog::of_caller(&invite, &early);
    let passed = prack(&mut node, &mut caller, 1, "");
    assert_eq!(node.hear(BR, answer(&sent, 200, "b1", &[], "")).told(), ["200 to cc-hq"]);
    assert_eq!(node.hear(CC_HQ, &caller.request("ACK")).told(), ["ACK to br"]);
    assert_eq!(node.hear(BR, says(&passed, 200)).told(), ["200 to cc-hq"]);
    let late = prack(&mut node, &mut caller, 1, "");
    assert_eq!(late.to, BR, "one that comes after the ACK passes too");
    assert_eq!(node.hear(BR, says(&late, 481)).told(), ["481 to cc-hq"]);
    assert_eq!(node.engine.calls(), 1);
}

#[test]
fn rfc_3311_5_an_update_before_the_answer_is_admitted_from_either_side() {
    let mut node = Node::hq();
    let invite = invite(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let early = reliable(&mut node, &sent, "b1", 1, &audio("18"));
    let (mut caller, mut callee) = (Dialog::of_caller(&invite, &early), Dialog::of_callee(&sent, "b1"));
    let passed = prack(&mut node, &mut caller, 1, "");
    node.hear(BR, says(&passed, 200));
    let down = node.hear(CC_HQ, &caller.request("UPDATE").body(&audio(WIDE))).the("UPDATE");
    is_g729(&down);
    let up = node.hear(BR, &callee.request("UPDATE").body(&audio(WIDE))).the("UPDATE");
    is_g729(&up);
    assert_eq!((down.to, up.to), (BR, CC_HQ));
    // They met: each end refuses the other's.
    assert_eq!(node.hear(BR, says(&down, 491)).told(), ["491 to cc-hq"]);
    assert_eq!(node.hear(CC_HQ, answer(&up, 500, "a", &["Retry-After: 3"], "")).the("500").header("Retry-After"), "3");
    let again = node.hear(BR, &callee.request("UPDATE").body(&audio(WIDE))).the("UPDATE");
    is_g729(&node.hear(CC_HQ, answer(&again, 200, "a", &[], &audio("18"))).the("200"));
    assert_eq!(node.hear(CC_HQ, &caller.request("UPDATE").body(&audio("0"))).told(), ["488 to cc-hq"]);
    node.hear(BR, answer(&sent, 200, "b1", &[], "")).the("200");
    node.hear(CC_HQ, &caller.request("ACK")).the("ACK");
    node.wait_with_peer(1_100);
    assert_eq!(node.booked(), [24, 24, 0, 0]);
}

#[test]
fn rfc_3311_5_2_an_update_that_crosses_a_re_invite_is_491_and_neither_ends_the_call() {
    let mut node = Node::hq();
    let mut call = crate::wire::stand(&mut node, invite(&audio("18")), &audio("18"));
    let down = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio(WIDE))).the("INVITE");
    let up = node.hear(BR, &call.callee.request("UPDATE").body(&audio(WIDE))).the("UPDATE");
    assert_eq!((down.to, up.to), (BR, CC_HQ));
    assert_eq!(node.hear(CC_HQ, says(&up, 491)).told(), ["491 to br"]);
    assert_eq!(node.hear(BR, says(&down, 491)).told(), ["ACK to br", "491 to cc-hq"]);
    node.wait_with_peer(5_000);
    assert_eq!((node.booked(), node.engine.calls()), ([24, 24, 0, 0], 1), "what stood still stands");
}

#[test]
fn m_6_a_description_in_a_reliable_183_that_may_not_pass_is_a_refused_call() {
    // Beyond the cap, and nobody says it again in the 200 (RFC 3262 section 5).
    let early = |sent: &Sent| answer(sent, 183, "b1", &["Require: 100rel", "RSeq: 1"], &audio("0"));
    for offer in [audio("18"), String::new()] {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &invite(&offer)).the("INVITE");
        assert_eq!(node.hear(BR, early(&sent)).told(), ["CANCEL to br", "488 to cc-hq"], "offer {offer:?}");
        assert_eq!((node.booked(), node.engine.calls()), ([0; 4], 0));
        assert_eq!(node.hear(BR, early(&sent)).told(), Vec::<String>::new(), "a copy");
        assert_eq!(node.hear(BR, says(&sent, 487)).told(), ["ACK to br"]);
    }
    // A gateway's is followed by the next one, and a 200 in spite of the CANCEL is hung up.
    let mut node = Node::br();
    let first = node.hear(crate::node::HQ, &crate::wire::from_hq("02079460000").body(&audio("18"))).the("INVITE");
    assert_eq!(node.hear(first.to, early(&first)).told(), ["CANCEL to gw-br-1", "INVITE to gw-br-2"]);
    assert_eq!(node.hear(first.to, answer(&first, 200, "b1", &[], "")).told(), ["ACK to gw-br-1", "BYE to gw-br-1"]);
    // An emergency's passes.
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
    assert_eq!(node.hear(BR, early(&sent)).the("183").formats("audio"), ["0"]);
}

#[test]
fn rfc_6337_2_1_of_early_dialogs_that_answer_differently_the_winners_answer_is_booked() {
    let (both, none) = (audio_and_video("18"), audio("18") + "m=video 0 RTP/AVP 97\r\n");
    let (yes, no) = (&both, &none);
    for (is_late, answers, winner, kbps) in [
        (false, vec![yes], "b1", 376),
        (false, vec![yes, no], "b1", 376),
        (false, vec![yes, no], "b2", 0),
        (false, vec![no, yes], "b1", 0),
        (false, vec![no, yes, no], "b2", 376),
        (false, vec![yes, no, no, no, no, no], "b1", 376),
        (true, vec![no], "b1", 0),
        (true, vec![yes, no], "b1", 376),
        (true, vec![yes, no], "b2", 0),
        (true, vec![no, yes], "b1", 0),
        (true, vec![no, yes], "b2", 376),
        (true, vec![no, no, yes, no], "b3", 376),
    ] {
        let what = format!("late offer: {is_late}, {} dialogs, {winner} wins", answers.len());
        let mut node = Node::hq();
        let invite = invite(if is_late { "" } else { &both });
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        for (place, sdp) in answers.iter().enumerate() {
            let tag = format!("b{}", place + 1);
            let early = reliable(&mut node, &sent, &tag, 1, if is_late { &both } else { sdp });
            let mut caller = Dialog::of_caller(&invite, &early);
            let passed = prack(&mut node, &mut caller, 1, if is_late { sdp } else { "" });
            assert_eq!(node.hear(BR, says(&passed, 200)).told(), ["200 to cc-hq"], "{what}");
        }
        let answered = node.hear(BR, answer(&sent, 200, winner, &[], "")).the("200");
        let mut caller = Dialog::of_caller(&invite, &answered);
        node.hear(CC_HQ, &caller.request("ACK")).the("ACK");
        node.wait_with_peer(1_100);
        assert_eq!(node.booked(), [24, 24, kbps, kbps], "{what}");
        // Inside the call a description is an offer again, and the last answer counts.
        let passed = node.hear(CC_HQ, &caller.request("UPDATE").body(&both)).the("UPDATE");
        node.hear(BR, answer(&passed, 200, winner, &[], &none)).the("200");
        node.wait_with_peer(1_100);
        assert_eq!(node.booked(), [24, 24, 0, 0], "{what}");
    }
}

#[test]
fn rfc_3311_5_what_an_early_dialog_agreed_last_is_booked_when_it_wins() {
    let (both, none) = (audio_and_video("18"), audio("18") + "m=video 0 RTP/AVP 97\r\n");
    for (is_by_caller, updated) in [(true, "b1"), (true, "b2"), (false, "b1"), (false, "b2")] {
        let mut node = Node::hq();
        let invite = invite(&both);
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        for tag in ["b1", "b2"] {
            let early = reliable(&mut node, &sent, tag, 1, &both);
            if tag != updated {
                continue;
            }
            let (from, mut dialog) = match is_by_caller {
                true => (CC_HQ, Dialog::of_caller(&invite, &early)),
                false => (BR, Dialog::of_callee(&sent, tag)),
            };
            let passed = node.hear(from, &dialog.request("UPDATE").body(&none)).the("UPDATE");
            node.hear(passed.to, answer(&passed, 200, tag, &[], &none)).the("200");
        }
        let answered = node.hear(BR, answer(&sent, 200, "b1", &[], "")).the("200");
        node.hear(CC_HQ, &Dialog::of_caller(&invite, &answered).request("ACK")).the("ACK");
        node.wait_with_peer(1_100);
        let kbps = if updated == "b1" { 0 } else { 376 };
        assert_eq!(node.booked(), [24, 24, kbps, kbps], "{updated} updated, by its caller: {is_by_caller}");
    }
}

#[test]
fn rfc_3262_4_pracks_of_forked_early_dialogs_each_reach_their_leg() {
    let mut node = Node::hq();
    let invite = bob("912025550123").body(&audio("0"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    // A proxy at the gateway's address forked; two phones behind it ring reliably.
    for (tag, phone) in [("b1", "one"), ("b2", "two")] {
        let early = answer(&sent, 183, tag, &["Require: 100rel", "RSeq: 1"], &audio("0"));
        let early = early.replace("<sip:callee@", &format!("<sip:{phone}@"));
        let early = node.hear(GW_HQ, early).the("183");
        assert!(early.header("To").ends_with(&format!(";tag={tag}")), "each early dialog is told of");
        let mut caller = Dialog::of_caller(&invite, &early);
        let passed = node.hear(CC_HQ, &caller.request("PRACK").header("RAck: 1 1 INVITE")).the("PRACK");
        assert_eq!(passed.start(), format!("PRACK sip:{phone}@{GW_HQ} SIP/2.0"));
        assert!(passed.header("To").ends_with(&format!(";tag={tag}")));
        assert_eq!(node.hear(GW_HQ, says(&passed, 200)).told(), ["200 to cc-hq"]);
    }
    // The second answers; the first's late PRACK still finds its way by its Route.
    let answered = node.hear(GW_HQ, answer(&sent, 200, "b2", &[], "")).the("200");
    node.hear(CC_HQ, &Dialog::of_caller(&invite, &answered).request("ACK")).the("ACK");
    assert_eq!(node.engine.calls(), 1);
}

#[test]
fn a_prack_for_a_hop_that_failed_meanwhile_goes_to_that_hop() {
    let mut node = Node::br();
    let invite = crate::wire::from_hq("02079460000").body(&audio("18"));
    let first = node.hear(crate::node::HQ, &invite).the("INVITE");
    let early = answer(&first, 183, "b1", &["Require: 100rel", "RSeq: 1"], &audio("18"));
    let early = node.hear(first.to, early).the("183");
    let second = node.hear(first.to, says(&first, 503)).the("INVITE");
    assert_ne!(second.to, first.to);
    let late = Dialog::of_caller(&invite, &early).request("PRACK").header("RAck: 1 1 INVITE");
    assert_eq!(node.hear(crate::node::HQ, &late).the("PRACK").to, first.to, "its Contact says where");
}
