//! Hunting through next hops, and what goes back when none takes the call (P-8, RFC 3261 section 16.7).

use crate::node::{BR, CC_BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, Sent, name, plan};
use crate::wire::{Request, alice, answer, assert_refused, bob, from_hq, says, serial};

const CALLED: &str = "02079460000";

fn ringing(node: &mut Node) -> (crate::wire::Request, Sent) {
    let invite = from_hq(CALLED);
    let sent = node.hear(HQ, &invite).the("INVITE");
    assert_eq!(sent.to, GW_BR_1);
    (invite, sent)
}

#[test]
fn p_8_says_which_statuses_are_followed_by_the_next_hop() {
    for (status, goes_on) in [
        (408, true),
        (480, true),
        (488, true),
        (500, true),
        (501, true),
        (503, true),
        (504, true),
        (302, false),
        (400, false),
        (403, false),
        (404, false),
        (486, false),
        (487, false),
        (600, false),
        (603, false),
    ] {
        let mut node = Node::br();
        let (_, first) = ringing(&mut node);
        let out = node.hear(GW_BR_1, says(&first, status));
        let want = if goes_on { "INVITE to gw-br-2".to_owned() } else { format!("{status} to hq") };
        assert_eq!(out.told(), ["ACK to gw-br-1".to_owned(), want], "{status}");
    }
}

#[test]
fn p_8_a_480_after_alerting_is_the_called_partys_own() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    node.hear(GW_BR_1, says(&first, 183));
    assert_eq!(node.hear(GW_BR_1, says(&first, 480)).told(), ["ACK to gw-br-1", "480 to hq"]);
}

#[test]
fn p_8_a_488_of_another_than_a_gateway_ends_the_hunt() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000")).the("INVITE");
    assert_eq!(node.hear(BR, says(&sent, 488)).told(), ["ACK to br", "488 to cc-hq"]);
}

#[test]
fn p_8_silence_and_a_send_that_fails_are_followed_by_the_next_hop() {
    let mut node = Node::br();
    ringing(&mut node);
    let out = node.wait(3_900);
    assert!(out.0.iter().all(|sent| sent.what() == "INVITE" && sent.to == GW_BR_1), "{:?}", out.told());
    assert_eq!(out.0.len(), 3, "Timer A: 500, 1,500 and 3,500 ms");
    assert_eq!(node.wait(200).told(), ["INVITE to gw-br-2"]);
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    assert_eq!(node.fail(&first).told(), ["INVITE to gw-br-2"]);
}

#[test]
fn rfc_3261_17_1_4_a_request_whose_stream_ends_unheard_goes_out_once_more_and_then_to_the_next_hop() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    for is_written in [true, false] {
        let mut node = Node::br();
        let (_, first) = ringing(&mut node);
        let again = node.stream_ends(&first, is_written).the("INVITE");
        assert_eq!(
            (again.to, again.text()),
            (GW_BR_1, first.text()),
            "the same, so that its reader knows it by its branch"
        );
        let out = node.stream_ends(&again, is_written);
        assert_eq!(out.told(), ["INVITE to gw-br-2"], "written: {is_written}");
        // A late answer of the first hop is one, where it may have read the request.
        let late = node.hear(GW_BR_1, answer(&first, 200, "late", &[], ""));
        let want: &[&str] = if is_written { &["200 to hq"] } else { &[] };
        assert_eq!(late.told(), want, "written: {is_written}");
    }
    // What was heard of a hop holds, whatever becomes of the stream.
    node.hear(GW_BR_1, says(&first, 180));
    for _ in 0..3 {
        assert_eq!(node.stream_ends(&first, true).told(), Vec::<String>::new());
    }
    assert!(node.hear(GW_BR_1, answer(&first, 200, "b1", &[], "")).told().contains(&"200 to hq".to_owned()));
}

#[test]
fn p_23_an_emergency_left_for_a_broken_stream_may_still_be_answered_there() {
    let mut node = Node::hq();
    let first = node.hear(CC_HQ, &alice("9999")).the("INVITE");
    let again = node.stream_ends(&first, true).the("INVITE");
    let second = node.stream_ends(&again, true).the("INVITE");
    assert_ne!(second.to, first.to);
    let out = node.hear(first.to, answer(&first, 200, "b1", &[], ""));
    assert!(out.told().contains(&"200 to cc-hq".to_owned()), "{:?}", out.told());
}

#[test]
fn a_bye_whose_stream_ends_goes_out_once_more_and_no_cancelled_invite_does() {
    let mut node = Node::br();
    let (invite, first) = ringing(&mut node);
    node.hear(HQ, &invite.cancel());
    assert_eq!(node.stream_ends(&first, true).told(), ["487 to hq"]);
    let mut call = crate::wire::stand(&mut node, from_hq(CALLED), "");
    let bye = node.hear(HQ, &call.caller.request("BYE")).the("BYE");
    assert_eq!(node.stream_ends(&bye, true).told(), [format!("BYE to {}", name(bye.to))]);
    assert_eq!(node.stream_ends(&bye, true).told(), Vec::<String>::new(), "once");
}

#[test]
fn a_100_ends_the_silence() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    assert_eq!(node.hear(GW_BR_1, says(&first, 100)).told(), Vec::<String>::new(), "100 is hop by hop");
    assert_eq!(node.wait_with_peer(100_000).told(), Vec::<String>::new());
}

#[test]
fn nothing_but_silence_is_500() {
    let mut node = Node::br();
    ringing(&mut node);
    let out = node.wait(8_100);
    assert_refused(&out, 500, "", "27");
    assert_eq!(node.ended(), [(500, "refused")]);
}

#[test]
fn a_503_leaves_as_500_with_its_own_headers() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    let second = node.hear(GW_BR_1, answer(&first, 503, "b1", &["Retry-After: 10"], "")).the("INVITE");
    let out = node.hear(GW_BR_2, answer(&second, 503, "b2", &["X-Kept: yes"], ""));
    assert_eq!(out.the("500").start(), "SIP/2.0 500 Server Internal Error");
}

#[test]
fn the_best_failure_goes_back() {
    for (first_status, second_status, back) in
        [(503, 404, 404), (408, 503, 408), (503, 603, 603), (500, 486, 486), (480, 500, 480), (503, 500, 500)]
    {
        let mut node = Node::br();
        let (_, first) = ringing(&mut node);
        let second = node.hear(GW_BR_1, answer(&first, first_status, "b1", &["X-Hop: 1"], "")).the("INVITE");
        let out = node.hear(GW_BR_2, answer(&second, second_status, "b2", &["X-Hop: 2"], ""));
        assert_eq!(out.told(), ["ACK to gw-br-2".to_owned(), format!("{back} to hq")]);
        assert_eq!(out.refusal().header("X-Hop"), if back == first_status { "1" } else { "2" });
    }
}

#[test]
fn a_failure_then_silence_sends_the_failure_back() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    node.hear(GW_BR_1, says(&first, 480)).the("INVITE");
    assert_eq!(node.wait(4_100).refusal().what(), "480");
}

#[test]
fn a_late_200_of_a_hop_given_up_still_wins() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    let second = node.wait(4_100).to(GW_BR_2);
    node.hear(GW_BR_2, says(&second, 180));
    let out = node.hear(GW_BR_1, says(&first, 200));
    assert_eq!(out.told(), ["CANCEL to gw-br-2", "200 to hq"]);
    // The other was answered too, across the CANCEL: it is thanked and hung up.
    let out = node.hear(GW_BR_2, answer(&second, 200, "b2", &[], ""));
    assert_eq!(out.told(), ["ACK to gw-br-2", "BYE to gw-br-2"]);
    assert_eq!(node.hear(GW_BR_2, says(&out.the("BYE"), 200)).told(), Vec::<String>::new());
    // Copies of the winner pass; copies of the loser get their ACK again.
    assert_eq!(node.hear(GW_BR_1, says(&first, 200)).told(), ["200 to hq"]);
    assert_eq!(node.hear(GW_BR_2, answer(&second, 200, "b2", &[], "")).told()[0], "ACK to gw-br-2");
}

#[test]
fn rfc_3261_8_2_6_2_an_answer_without_the_vias_below_ours_reaches_who_waits_for_it() {
    let without_vias = |text: String| {
        let mut vias = 0;
        let is_kept = |line: &&str| {
            vias += usize::from(line.starts_with("Via:"));
            !line.starts_with("Via:") || vias == 1
        };
        text.split_inclusive("\r\n").filter(is_kept).collect::<String>()
    };
    for called in [CALLED, "911"] {
        for status in [180, 200, 486, 603] {
            let mut node = Node::br();
            let invite = from_hq(called);
            let sent = node.hear(HQ, &invite).the("INVITE");
            let text = answer(&sent, status, "b", &[], "");
            let mut out = node.hear(sent.to, without_vias(text));
            while let Some(next) = out.0.iter().find(|sent| sent.what() == "INVITE").cloned() {
                out = node.hear(next.to, without_vias(answer(&next, status, "b", &[], "")));
            }
            let back = out.the(&status.to_string());
            assert_eq!(
                (back.to, back.headers("Via")),
                (HQ, vec![format!("SIP/2.0/UDP {};branch={}", invite.at, invite.branch)]),
                "{called} {status}"
            );
        }
    }
}

#[test]
fn a_late_200_of_a_try_that_failed_answers_no_later_try_of_the_same_call() {
    let mut node = Node::br();
    let (invite, first) = ringing(&mut node);
    node.wait(4_100).to(GW_BR_2);
    let failed = node.wait(4_100).refusal();
    node.hear(HQ, &invite.ack(&failed));
    let mut again = invite.clone();
    again.branch = format!("z9hG4bK-{}", serial());
    again.cseq += 1;
    let hop = node.hear(HQ, &again).the("INVITE");
    let late = node.hear(GW_BR_1, answer(&first, 200, "late", &[], ""));
    assert_eq!(late.told(), ["ACK to gw-br-1", "BYE to gw-br-1"]);
    node.hear(GW_BR_1, says(&late.the("BYE"), 200));
    assert_eq!(node.hear(hop.to, answer(&hop, 200, "now", &[], "")).told(), ["200 to hq"]);
}

#[test]
fn a_late_provisional_of_a_hop_given_up_is_cancelled() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    node.wait(4_100);
    assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), ["CANCEL to gw-br-1"]);
    assert_eq!(node.hear(GW_BR_1, says(&first, 487)).told(), ["ACK to gw-br-1"]);
}

#[test]
fn a_200_that_crosses_the_cancel_reaches_the_caller() {
    let mut node = Node::br();
    let (invite, first) = ringing(&mut node);
    node.hear(GW_BR_1, says(&first, 180));
    node.hear(HQ, &invite.cancel()).the("CANCEL");
    assert_eq!(node.hear(GW_BR_1, says(&first, 200)).told(), ["200 to hq"], "RFC 3261 section 16.7 step 5");
    assert!(node.ended().is_empty());
}

#[test]
fn a_cancel_before_any_response_waits_for_one() {
    let mut node = Node::br();
    let (invite, first) = ringing(&mut node);
    assert_eq!(node.hear(HQ, &invite.cancel()).told(), ["200 to hq"]);
    let out = node.hear(GW_BR_1, says(&first, 100));
    assert_eq!(out.told(), ["CANCEL to gw-br-1"]);
    let cancel = out.the("CANCEL");
    assert_eq!(cancel.header("Via"), first.header("Via"), "same branch");
    assert_eq!((cancel.headers("Via").len(), cancel.header("CSeq").as_str()), (1, "1 CANCEL"));
    assert_eq!(cancel.header("To"), first.header("To"));
    node.hear(GW_BR_1, says(&cancel, 200));
    assert_eq!(node.hear(GW_BR_1, says(&first, 487)).told(), ["ACK to gw-br-1", "487 to hq"]);
}

#[test]
fn a_cancel_to_a_silent_hop_tries_no_other() {
    let mut node = Node::br();
    let (invite, _) = ringing(&mut node);
    node.hear(HQ, &invite.cancel());
    let out = node.wait(4_100);
    assert!(out.0.iter().all(|sent| sent.to != GW_BR_2), "{:?}", out.told());
    assert_eq!(out.refusal().what(), "487");
    assert_eq!(node.ended(), [(487, "cancelled")]);
}

#[test]
fn a_hop_that_ignores_its_cancel_is_given_up() {
    let mut node = Node::br();
    let (invite, first) = ringing(&mut node);
    node.hear(GW_BR_1, says(&first, 180));
    let cancel = node.hear(HQ, &invite.cancel()).the("CANCEL");
    node.hear(GW_BR_1, says(&cancel, 200));
    let out = node.wait(33_000);
    assert!(out.0.iter().any(|sent| sent.what() == "487" && sent.to == HQ), "{:?}", out.told());
    assert_eq!(node.engine.calls(), 0);
}

#[test]
fn timer_c_moves_on_and_cancels() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    node.hear(GW_BR_1, says(&first, 180));
    node.wait(100_000);
    node.hear(GW_BR_1, says(&first, 180));
    assert!(node.wait(180_000).0.iter().all(|sent| sent.what() != "CANCEL"), "a provisional sets it anew");
    let out = node.wait(2_000);
    let told = out.told();
    assert!(
        told.contains(&"CANCEL to gw-br-1".to_owned()) && told.contains(&"INVITE to gw-br-2".to_owned()),
        "{told:?}"
    );
}

#[test]
fn a_failure_is_acknowledged_hop_by_hop() {
    let mut node = Node::hq();
    let invite = bob("912025550123");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let out = node.hear(GW_HQ, answer(&sent, 486, "b1", &[], ""));
    let ack = out.the("ACK");
    assert_eq!((ack.to, ack.header("Via"), ack.header("CSeq").as_str()), (GW_HQ, sent.header("Via"), "1 ACK"));
    assert!(ack.header("To").ends_with(";tag=b1"));
    let failure = out.the("486");
    assert_eq!(node.hear(CC_HQ, &invite.ack(&failure)).told(), Vec::<String>::new(), "the caller's ACK stays here");
    assert_eq!(node.hear(GW_HQ, answer(&sent, 486, "b1", &[], "")).told(), ["ACK to gw-hq"], "again for a copy");
}

#[test]
fn a_failure_repeats_until_its_ack() {
    let mut node = Node::hq();
    let invite = bob("912025550123");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let failure = node.hear(GW_HQ, says(&sent, 486)).the("486");
    assert_eq!(node.wait(1_600).told(), ["486 to cc-hq", "486 to cc-hq"], "Timer G");
    assert_eq!(node.hear(CC_HQ, &invite).told(), ["486 to cc-hq"], "a repeated INVITE gets it too");
    node.hear(CC_HQ, &invite.ack(&failure));
    assert_eq!(node.wait(40_000).told(), Vec::<String>::new());
    assert_eq!(node.engine.transactions(), 0);
}

#[test]
fn a_second_invite_of_the_same_call_id_after_a_refusal_is_a_new_call() {
    let mut node = Node::hq();
    let mut invite = bob("912025550123");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let out = node.hear(GW_HQ, answer(&sent, 407, "b1", &["Proxy-Authenticate: Digest realm=\"x\""], ""));
    node.hear(CC_HQ, &invite.ack(&out.the("407")));
    invite.cseq = 2;
    invite.branch += "-2";
    let out = node.hear(CC_HQ, &invite);
    assert_eq!(out.told(), ["100 to cc-hq", "INVITE to gw-hq"]);
    let back = node.hear(GW_HQ, says(&out.the("INVITE"), 200)).the("200");
    let mut caller = crate::wire::Dialog::of_caller(&invite, &back);
    assert_eq!(node.hear(CC_HQ, &caller.request("ACK")).told(), ["ACK to gw-hq"]);
    assert_eq!(node.engine.calls(), 1);
}

#[test]
fn a_200_after_everything_failed_is_thanked_and_hung_up() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    assert_eq!(node.wait(8_100).refusal().what(), "500");
    assert_eq!(node.hear(GW_BR_1, says(&first, 200)).told(), ["ACK to gw-br-1", "BYE to gw-br-1"]);
    assert_eq!(node.booked(), [0; 4]);
}

#[test]
fn provisionals_of_a_hop_given_up_do_not_reach_the_caller() {
    let mut node = Node::br();
    let (_, first) = ringing(&mut node);
    let second = node.hear(GW_BR_1, says(&first, 503)).the("INVITE");
    assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), Vec::<String>::new());
    assert_eq!(node.hear(GW_BR_2, says(&second, 183)).told(), ["183 to hq"]);
}

#[test]
fn the_next_hop_gets_a_branch_of_its_own_and_the_same_offer() {
    let mut node = Node::br();
    let invite = from_hq(CALLED).body(&crate::wire::audio("0 18"));
    let first = node.hear(HQ, &invite).the("INVITE");
    let second = node.hear(GW_BR_1, says(&first, 500)).the("INVITE");
    assert_ne!(first.header("Via"), second.header("Via"));
    assert_eq!((first.body(), first.number()), (second.body(), second.number()));
    assert_eq!(second.header("Max-Forwards"), "69");
}

#[test]
fn a_transaction_that_is_over_leaves_no_row() {
    let mut node = Node::br();
    let (invite, first) = ringing(&mut node);
    let failure = node.hear(GW_BR_1, says(&first, 404)).the("404");
    node.hear(HQ, &invite.ack(&failure));
    node.wait(40_000);
    assert_eq!((node.engine.transactions(), node.engine.calls()), (0, 0));
}

/// BR with two circular groups: the phone's own by `0!`, and RG-Two by `6!`; by `8!` RG-Two twice, with a prefix first.
const CIRCULAR: [(&str, &str); 3] = [
    ("distribution = \"top-down\"", "distribution = \"circular\""),
    (
        "[[route_group]]\nname = \"RG-Trunk\"",
        "[[route_group]]\nname = \"RG-Two\"\npeers = [\"gw-br-2\", \"gw-trunk-pool\"]\ndistribution = \"circular\"\n\n\
         [[route_list]]\nname = \"RL-Two\"\nmembers = [\"RG-Two\"]\n\n\
         [[route_list]]\nname = \"RL-Both\"\nmembers = [\"RG-Two\", \"Standard Local Route Group\", \"RG-Two\"]\n\n\
         [[route_group]]\nname = \"RG-Trunk\"",
    ),
    (
        "[[route_pattern]]\npattern = \"0!\"",
        "[[route_pattern]]\npattern = \"6!\"\npartition = \"PT-National\"\nroute_list = \"RL-Two\"\n\n\
         [[route_pattern]]\npattern = \"8!\"\npartition = \"PT-National\"\nroute_list = \"RL-Both\"\n\n\
         [[route_pattern]]\npattern = \"0!\"",
    ),
];

/// The first hop of a call of BR's own phone.
fn first_hop(node: &mut Node, called: &str) -> String {
    name(node.hear(CC_BR, &Request::new("INVITE", CC_BR, BR, "7001", called)).the("INVITE").to)
}

#[test]
fn p_8_each_circular_group_begins_behind_the_peer_of_the_call_before_that_used_it() {
    let mut node = Node::br_with(&CIRCULAR);
    for (place, called, want) in [
        (1, "0201", "gw-br-1"),
        (2, "6201", "gw-br-2"),
        (3, "0202", "gw-br-2"),
        (4, "6202", "gw-trunk-pool"),
        (5, "0203", "gw-br-1"),
        (6, "6203", "gw-br-2"),
        // Both lead the call on, and each moves by one, however often the list names it.
        (7, "8201", "gw-trunk-pool"),
        (8, "0204", "gw-br-1"),
        (9, "6204", "gw-br-2"),
        (10, "0205", "gw-br-2"),
    ] {
        assert_eq!(first_hop(&mut node, called), want, "{place}: {called}");
    }
}

#[test]
fn p_8_what_does_not_use_a_circular_group_does_not_move_it_on() {
    let mut node = Node::br_with(&CIRCULAR);
    assert_eq!(first_hop(&mut node, "0201"), "gw-br-1");
    // A phone, nothing, a group beside it, a gateway's call that may not go there, and a repeated INVITE.
    assert_eq!(first_hop(&mut node, "7001"), "cc-br");
    assert_eq!(node.hear(CC_BR, &Request::new("INVITE", CC_BR, BR, "7001", "4")).refusal().what(), "404");
    assert_eq!(first_hop(&mut node, "6201"), "gw-br-2");
    assert_eq!(node.hear(GW_BR_1, &Request::new("INVITE", GW_BR_1, BR, "2079460000", "6201")).refusal().what(), "404");
    let options = Request::new("OPTIONS", CC_BR, BR, "7001", "x");
    node.hear(CC_BR, &options);
    let twice = Request::new("INVITE", CC_BR, BR, "7001", "0202");
    assert_eq!(node.hear(CC_BR, &twice).the("INVITE").to, GW_BR_2);
    node.hear(CC_BR, &twice);
    assert_eq!(first_hop(&mut node, "0203"), "gw-br-1");
    assert_eq!(first_hop(&mut node, "6202"), "gw-trunk-pool");
    // A reload keeps whose turn it is, also where the group stands elsewhere in the file.
    let before = (
        "[[route_group]]\nname = \"RG-London\"",
        "[[route_group]]\nname = \"RG-New\"\npeers = [\"gw-br-1\"]\n\n[[route_group]]\nname = \"RG-London\"",
    );
    node.engine.reload(plan("br", &[&CIRCULAR[..], &[before]].concat()));
    assert_eq!(first_hop(&mut node, "0204"), "gw-br-2");
    assert_eq!(first_hop(&mut node, "6203"), "gw-br-2");
}
