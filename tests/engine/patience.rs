//! The patience of an emergency call (P-23, P-8): an INVITE it left behind stays open, whatever comes of it counts, and no
//! failure goes back before (RFC 3261 section 16.7, steps 5 and 6).

use std::net::SocketAddr;

use crate::node::{BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, Out, Sent};
use crate::wire::{Dialog, Request, alice, answer, audio, from_hq, says};

fn emergency() -> Request {
    from_hq("999").header("Priority: emergency")
}

/// What was sent there, in order.
fn sent_to(out: &Out, to: SocketAddr) -> Vec<String> {
    out.0.iter().filter(|sent| sent.to == to).map(Sent::what).collect()
}

/// An emergency at `node` of BR whose first gateway says nothing for 4 s; the INVITEs to both gateways.
fn overdue(node: &mut Node) -> (Request, Sent, Sent) {
    let invite = emergency();
    let first = node.hear(HQ, &invite).the("INVITE");
    assert_eq!(first.to, GW_BR_1);
    let second = node.wait(4_100).to(GW_BR_2);
    (invite, first, second)
}

/// As [`overdue`], and the second gateway refuses.
fn waiting(node: &mut Node) -> (Request, Sent) {
    let (invite, first, second) = overdue(node);
    let out = node.hear(GW_BR_2, answer(&second, 404, "b2", &[], ""));
    assert_eq!(out.told(), ["ACK to gw-br-2"], "one hop is open: nothing goes back");
    (invite, first)
}

fn is_empty_in_the_end(node: &mut Node) {
    node.wait(70_000);
    assert_eq!((node.engine.transactions(), node.engine.calls(), node.booked()), (0, 0, [0; 4]));
}

#[test]
fn rfc_3261_16_7_no_failure_of_an_emergency_goes_back_while_a_silent_hop_may_still_answer() {
    let mut node = Node::br();
    let (_, first) = waiting(&mut node);
    assert_eq!(node.wait(900).told(), Vec::<String>::new());
    assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), ["180 to hq"]);
    assert_eq!(node.wait_with_peer(600_000).told(), Vec::<String>::new(), "no ringing of it is too long");
    assert_eq!(node.hear(GW_BR_1, says(&first, 200)).told(), ["200 to hq"]);
    assert_eq!(node.ended(), [], "it stands");
    let mut node = Node::br();
    let (_, first) = waiting(&mut node);
    assert_eq!(node.hear(GW_BR_1, says(&first, 200)).told(), ["200 to hq"], "without ringing too");
}

#[test]
fn p_23_hops_that_cannot_be_reached_are_asked_again_until_timer_b_and_one_that_is_back_takes_the_call() {
    let mut node = Node::br();
    let invite = emergency();
    let mut tried = vec![node.hear(HQ, &invite).the("INVITE")];
    tried.push(node.fail(&tried[0]).to(GW_BR_2));
    assert_eq!(node.fail(&tried[1]).told(), Vec::<String>::new(), "no way at the moment");
    // A port that is closed while a process starts again: each is asked in turn.
    for (round, to) in [GW_BR_1, GW_BR_2, GW_BR_1].into_iter().enumerate() {
        let again = node.wait_with_peer(2_100).the("INVITE");
        assert_eq!(again.to, to, "round {round}");
        assert!(tried.iter().all(|before| before.header("Via") != again.header("Via")), "a try of its own");
        if round < 2 {
            assert_eq!(node.fail(&again).told(), Vec::<String>::new());
        }
        tried.push(again);
    }
    let last = tried.pop().unwrap();
    assert_eq!(node.hear(GW_BR_1, says(&last, 180)).told(), ["180 to hq"]);
    assert_eq!(node.hear(GW_BR_1, answer(&last, 200, "b1", &[], "")).told(), ["200 to hq"]);
    assert_eq!((node.ended(), node.engine.calls()), (vec![], 1));
}

#[test]
fn p_23_what_cannot_be_reached_for_as_long_as_a_silent_hop_is_waited_for_is_500_and_what_was_answered_goes_back_at_once()
 {
    let mut node = Node::br();
    let invite = emergency();
    let mut next = Some(node.hear(HQ, &invite).the("INVITE"));
    let mut waited_ms = 0;
    let refusal = loop {
        let out = match next.take() {
            Some(sent) => node.fail(&sent),
            None => {
                waited_ms += 500;
                node.wait_with_peer(500)
            }
        };
        next = out.0.iter().find(|sent| sent.what() == "INVITE").cloned();
        if let Some(refusal) = out.0.iter().find(|sent| sent.to == HQ && sent.what() != "100") {
            break refusal.clone();
        }
        assert!(waited_ms < 40_000, "no end");
    };
    assert_eq!((refusal.what().as_str(), (32_000..36_000).contains(&waited_ms)), ("500", true), "{waited_ms} ms");
    node.hear(HQ, &invite.ack(&refusal));
    is_empty_in_the_end(&mut node);
    // A callee's word is not held back for a hop that may come.
    let mut node = Node::br();
    let first = node.hear(HQ, &emergency()).the("INVITE");
    let second = node.fail(&first).to(GW_BR_2);
    assert!(node.hear(GW_BR_2, says(&second, 486)).told().contains(&"486 to hq".to_owned()));
    // An ordinary call is refused as ever; and who gives up while nothing is tried hears so.
    let mut node = Node::br();
    let first = node.hear(HQ, &from_hq("02079460000")).the("INVITE");
    let second = node.fail(&first).to(GW_BR_2);
    assert_eq!(node.fail(&second).told(), ["500 to hq"]);
    let mut node = Node::br();
    let invite = emergency();
    let first = node.hear(HQ, &invite).the("INVITE");
    let second = node.fail(&first).to(GW_BR_2);
    node.fail(&second);
    assert_eq!(node.hear(HQ, &invite.cancel()).told(), ["200 to hq", "487 to hq"]);
    is_empty_in_the_end(&mut node);
}

#[test]
fn p_23_a_gateway_that_rings_and_is_a_neighbour_no_more_is_left_for_the_next_way() {
    let mut node = Node::br();
    let first = node.hear(HQ, &emergency()).the("INVITE");
    node.hear(GW_BR_1, says(&first, 180)).the("180");
    assert_eq!(node.wait_with_peer(10_000).told(), Vec::<String>::new());
    node.engine.reload(crate::node::plan("br", &[("udp:127.0.2.20:5060", "udp:127.0.2.29:5060")]));
    assert_eq!(node.wait_with_peer(2_100).to(GW_BR_2).what(), "INVITE");
    assert!(node.hear(GW_BR_1, says(&first, 200)).told().contains(&"200 to hq".to_owned()), "it was alive");
}

#[test]
fn rfc_3261_17_1_1_2_an_overdue_hop_of_an_emergency_is_asked_on_until_timer_b() {
    let mut node = Node::br();
    let (invite, first) = waiting(&mut node);
    let out = node.wait_with_peer(27_800);
    assert_eq!(out.told(), ["INVITE to gw-br-1"; 3], "7.5, 15.5 and 31.5 s after the first");
    assert!(out.0.iter().all(|sent| sent.bytes == first.bytes));
    let out = node.wait_with_peer(400);
    let failure = out.the("404");
    assert_eq!((failure.to, failure.header("To").ends_with(";tag=b2")), (HQ, true), "the best of those that came");
    assert_eq!(node.ended(), [(404, "refused")]);
    node.hear(HQ, &invite.ack(&failure));
    // Whoever rings now rings for nobody.
    assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), ["CANCEL to gw-br-1"]);
    is_empty_in_the_end(&mut node);
}

#[test]
fn an_emergency_whose_every_hop_is_silent_fails_at_the_last_timer_b() {
    let mut node = Node::br();
    overdue(&mut node);
    let out = node.wait_with_peer(31_800);
    assert!(out.0.iter().all(|sent| sent.what() == "INVITE"), "{:?}", out.told());
    assert!(node.wait_with_peer(400).told().contains(&"500 to hq".to_owned()));
    is_empty_in_the_end(&mut node);
}

#[test]
fn rfc_3261_16_7_a_late_failure_of_an_overdue_hop_counts_among_the_others() {
    for (late, back) in [(503, 404), (407, 407), (603, 603)] {
        let mut node = Node::br();
        let (_, first) = waiting(&mut node);
        let out = node.hear(GW_BR_1, answer(&first, late, "b1", &[], ""));
        assert_eq!(out.told(), ["ACK to gw-br-1".to_owned(), format!("{back} to hq")], "{late}");
        // Before the last hop has said its word it ends nothing.
        let mut node = Node::br();
        let (_, first, second) = overdue(&mut node);
        assert_eq!(node.hear(GW_BR_1, answer(&first, late, "b1", &[], "")).told(), ["ACK to gw-br-1"], "{late}");
        let out = node.hear(GW_BR_2, answer(&second, 404, "b2", &[], ""));
        assert_eq!(out.told(), ["ACK to gw-br-2".to_owned(), format!("{back} to hq")], "{late}");
    }
}

#[test]
fn rfc_3261_16_7_of_two_hops_that_ring_for_an_emergency_the_first_to_answer_takes_it() {
    for (winner, loser) in [(0, 1), (1, 0)] {
        let mut node = Node::br();
        let (_, first, second) = overdue(&mut node);
        let hops = [first, second];
        let tags = ["b1", "b2"];
        for (hop, tag) in [(1, "b2"), (0, "b1")] {
            let out = node.hear(hops[hop].to, answer(&hops[hop], 180, tag, &[], ""));
            assert_eq!(out.told(), ["180 to hq"], "both are heard");
        }
        let out = node.hear(hops[winner].to, answer(&hops[winner], 200, tags[winner], &[], ""));
        assert_eq!(out.told(), [format!("CANCEL to {}", crate::node::name(hops[loser].to)), "200 to hq".to_owned()]);
        assert!(out.the("CANCEL").has("SIP;cause=200"), "answered elsewhere (RFC 3326)");
        let out = node.hear(hops[loser].to, answer(&hops[loser], 487, tags[loser], &[], ""));
        assert_eq!(out.told(), [format!("ACK to {}", crate::node::name(hops[loser].to))]);
    }
}

#[test]
fn rfc_3261_9_1_an_overdue_hop_is_cancelled_as_soon_as_it_says_a_word_once_another_has_answered() {
    let mut node = Node::br();
    let (_, first, second) = overdue(&mut node);
    assert_eq!(node.hear(GW_BR_2, answer(&second, 200, "b2", &[], "")).told(), ["200 to hq"]);
    let out = node.wait_with_peer(10_000);
    assert_eq!(sent_to(&out, GW_BR_1), Vec::<String>::new(), "it is not asked on: {:?}", out.told());
    let out = node.hear(GW_BR_1, says(&first, 100));
    assert_eq!(out.told(), ["CANCEL to gw-br-1"]);
    assert!(out.the("CANCEL").has("SIP;cause=200"));
    assert_eq!(node.hear(GW_BR_1, says(&first, 487)).told(), ["ACK to gw-br-1"]);
}

#[test]
fn rfc_3261_16_10_a_cancel_of_the_caller_ends_every_try_of_an_emergency() {
    // One rings, one is at work.
    let mut node = Node::br();
    let (invite, first, second) = overdue(&mut node);
    node.hear(GW_BR_1, says(&first, 180));
    node.hear(GW_BR_2, answer(&second, 100, "b2", &[], ""));
    let out = node.hear(HQ, &invite.cancel());
    assert_eq!(out.told(), ["200 to hq", "CANCEL to gw-br-2", "CANCEL to gw-br-1"]);
    assert_eq!(node.hear(GW_BR_1, says(&first, 487)).told(), ["ACK to gw-br-1"]);
    let out = node.hear(GW_BR_2, answer(&second, 487, "b2", &[], ""));
    assert_eq!(out.told(), ["ACK to gw-br-2", "487 to hq"]);
    node.hear(HQ, &invite.ack(&out.the("487")));
    is_empty_in_the_end(&mut node);
    // None is at work: it is over at once.
    let mut node = Node::br();
    let (invite, first) = waiting(&mut node);
    let out = node.hear(HQ, &invite.cancel());
    assert_eq!(out.told(), ["200 to hq", "487 to hq"]);
    assert_eq!(node.ended(), [(487, "cancelled")]);
    node.hear(HQ, &invite.ack(&out.the("487")));
    assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), ["CANCEL to gw-br-1"]);
    is_empty_in_the_end(&mut node);
}

#[test]
fn an_overdue_hop_that_turns_out_to_be_out_of_reach_is_waited_for_no_longer() {
    let mut node = Node::br();
    let (_, first) = waiting(&mut node);
    assert_eq!(node.fail(&first).told(), ["404 to hq"]);
}

#[test]
fn g_17_an_overdue_hop_of_an_emergency_that_refuses_our_location_is_tried_once_more_without() {
    for comes_first in [false, true] {
        let mut node = Node::hq();
        let first = node.hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
        let second = node.wait(4_100).to(GW_HQ);
        let refusal = answer(&first, 424, "b1", &[], "");
        if comes_first {
            assert_eq!(node.hear(BR, refusal.clone()).told(), ["ACK to br"], "the other is at work");
        }
        let mut out = node.hear(GW_HQ, answer(&second, 503, "g", &[], ""));
        if !comes_first {
            assert_eq!(out.told(), ["ACK to gw-hq"]);
            out = node.hear(BR, refusal);
        }
        let again = out.the("INVITE");
        assert_eq!((again.to, again.headers("Geolocation").len(), again.has("pidf+xml")), (BR, 0, false));
        assert_eq!(node.hear(BR, answer(&again, 424, "b1", &[], "")).told(), ["ACK to br", "424 to cc-hq"], "once");
    }
}

#[test]
fn an_ordinary_call_waits_for_no_silent_hop() {
    let mut node = Node::br();
    node.hear(HQ, &from_hq("02079460000")).the("INVITE");
    let second = node.wait(4_100).to(GW_BR_2);
    assert_eq!(node.hear(GW_BR_2, says(&second, 404)).told(), ["ACK to gw-br-2", "404 to hq"]);
    assert_eq!(sent_to(&node.wait(10_000), GW_BR_1), Vec::<String>::new());
}

const PROBED: (&str, &str) = ("[sip]", "[sip]\nhealth_s = 10");

/// Lets seconds pass in which everybody but `dead` answers probes, and nobody anything else; what else was sent.
fn seconds(node: &mut Node, seconds: u64, dead: &[SocketAddr]) -> Out {
    let is_probe = |sent: &Sent| sent.what() == "OPTIONS";
    let out = node.beats(seconds, |sent| (is_probe(sent) && !dead.contains(&sent.to)).then(|| says(sent, 200)));
    Out(out.0.into_iter().filter(|sent| !is_probe(sent)).collect())
}

#[test]
fn p_23_a_hop_that_rang_and_is_known_to_be_dead_since_is_left_for_the_next_and_stays_open() {
    let mut node = Node::br_with(&[PROBED]);
    let first = node.hear(HQ, &emergency()).the("INVITE");
    node.hear(GW_BR_1, says(&first, 180));
    let out = seconds(&mut node, 22, &[GW_BR_1]);
    let second = out.0.first().expect("another is tried").clone();
    assert_eq!((second.what().as_str(), second.to, sent_to(&out, GW_BR_1).len()), ("INVITE", GW_BR_2, 0));
    node.hear(GW_BR_2, answer(&second, 180, "b2", &[], ""));
    assert_eq!(seconds(&mut node, 100, &[GW_BR_1]).told(), Vec::<String>::new(), "both ring");
    // It was not dead after all.
    assert_eq!(node.hear(GW_BR_1, says(&first, 200)).told(), ["CANCEL to gw-br-2", "200 to hq"]);
    assert_eq!(node.ended(), [], "it stands");
}

#[test]
fn p_23_the_home_node_leaves_a_visited_node_that_rang_and_died() {
    let mut node = Node::hq_with(&[PROBED]);
    let first = node.hear(CC_HQ, &alice("9999")).the("INVITE");
    node.hear(BR, says(&first, 180));
    let out = seconds(&mut node, 22, &[BR]);
    let second = out.0.first().expect("another is tried").clone();
    assert_eq!((second.what().as_str(), second.to), ("INVITE", GW_HQ));
    assert_eq!(node.hear(GW_HQ, answer(&second, 200, "g", &[], "")).told(), ["CANCEL to br", "200 to cc-hq"]);
}

/// The keepalive of BR's node, which began at that epoch.
fn beat(epoch: u64) -> Request {
    let mut options = Request::new("OPTIONS", BR, HQ, "x", "x");
    options.uri = format!("sip:{HQ}");
    options.more.clear();
    options.header(&format!("Call-Info: <urn:emcc:keepalive:BR>;purpose=emcc-keepalive;epoch={epoch}"))
}

#[test]
fn p_23_the_home_node_leaves_a_visited_node_that_rang_and_was_restarted() {
    let mut node = Node::hq();
    node.hear(BR, &beat(5));
    let first = node.hear(CC_HQ, &alice("9999")).the("INVITE");
    assert_eq!(first.to, BR);
    node.hear(BR, says(&first, 180));
    node.hear(BR, &beat(5));
    assert_eq!(sent_to(&node.wait_with_peer(10_000), GW_HQ), Vec::<String>::new(), "it rings");
    node.hear(BR, &beat(9));
    let second = node.wait_with_peer(2_100).to(GW_HQ);
    assert_eq!(node.hear(GW_HQ, answer(&second, 200, "g", &[], "")).told(), ["CANCEL to br", "200 to cc-hq"]);
}

#[test]
fn p_23_a_caller_that_tries_again_and_again_is_no_loop() {
    let mut node = Node::hq();
    let mut invite = alice("9999");
    for cseq in 1..=20 {
        invite.cseq = cseq;
        invite.branch += "x";
        assert_eq!(node.hear(CC_HQ, &invite).the("INVITE").to, BR, "try {cseq}");
    }
    assert_eq!(node.engine.calls(), 20);
    let mut ordinary = alice("901614960000");
    let tries = (1..=9).map(|cseq| {
        ordinary.cseq = cseq;
        ordinary.branch += "x";
        node.hear(CC_HQ, &ordinary).told().last().cloned().unwrap_or_default()
    });
    assert_eq!(tries.last().as_deref(), Some("483 to cc-hq"), "more of another than may linger");
    is_empty_in_the_end(&mut node);
}

#[test]
fn p_23_a_dead_hop_that_rang_is_waited_for_as_long_as_ring_s_when_the_others_have_failed() {
    for speaks_again in [false, true] {
        let mut node = Node::br_with(&[PROBED]);
        let first = node.hear(HQ, &emergency()).the("INVITE");
        node.hear(GW_BR_1, says(&first, 180));
        let second = seconds(&mut node, 22, &[GW_BR_1]).to(GW_BR_2);
        assert_eq!(node.hear(GW_BR_2, answer(&second, 404, "b2", &[], "")).told(), ["ACK to gw-br-2"]);
        assert_eq!(seconds(&mut node, 150, &[GW_BR_1]).told(), Vec::<String>::new());
        if speaks_again {
            assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), ["180 to hq"]);
            assert_eq!(seconds(&mut node, 600, &[]).told(), Vec::<String>::new(), "no ringing is too long");
            continue;
        }
        let out = seconds(&mut node, 40, &[GW_BR_1]);
        assert_eq!((sent_to(&out, GW_BR_1)[0].as_str(), sent_to(&out, HQ)[0].as_str()), ("CANCEL", "404"));
    }
}

#[test]
fn p_23_a_hop_that_answered_no_probe_before_is_not_left_for_that() {
    let mut node = Node::br_with(&[PROBED]);
    seconds(&mut node, 30, &[GW_BR_1, GW_BR_2]);
    let first = node.hear(HQ, &emergency()).the("INVITE");
    assert_eq!(first.to, GW_BR_1);
    node.hear(GW_BR_1, says(&first, 180));
    assert_eq!(seconds(&mut node, 120, &[GW_BR_1, GW_BR_2]).told(), Vec::<String>::new());
}

#[test]
fn p_23_the_only_hop_left_is_not_left_for_being_dead() {
    let mut node = Node::br_with(&[PROBED]);
    let first = node.hear(HQ, &emergency()).the("INVITE");
    let second = node.hear(GW_BR_1, says(&first, 404)).the("INVITE");
    node.hear(GW_BR_2, answer(&second, 180, "b2", &[], ""));
    assert_eq!(seconds(&mut node, 600, &[GW_BR_2]).told(), Vec::<String>::new());
    assert_eq!(node.hear(GW_BR_2, answer(&second, 200, "b2", &[], "")).told(), ["200 to hq"]);
}

#[test]
fn p_8_a_silent_hop_that_is_known_to_be_dead_is_waited_for_no_longer() {
    // Known already: it is tried last, and then nothing is waited for.
    let mut node = Node::br_with(&[PROBED]);
    seconds(&mut node, 30, &[GW_BR_1]);
    let first = node.hear(HQ, &emergency()).the("INVITE");
    assert_eq!(first.to, GW_BR_2);
    node.hear(GW_BR_2, says(&first, 404)).the("INVITE");
    let out = node.wait(4_100);
    assert_eq!(sent_to(&out, HQ), ["404"], "{:?}", out.told());
    // Found out meanwhile.
    let mut node = Node::br_with(&[PROBED]);
    let (_, first) = waiting(&mut node);
    let out = seconds(&mut node, 20, &[GW_BR_1]);
    assert_eq!(sent_to(&out, HQ)[0], "404", "before Timer B: {:?}", out.told());
    assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), ["CANCEL to gw-br-1"]);
    // Answering probes, it is slow and not dead.
    let mut node = Node::br_with(&[PROBED]);
    waiting(&mut node);
    let out = seconds(&mut node, 20, &[]);
    assert_eq!(sent_to(&out, HQ), Vec::<String>::new());
}

#[test]
fn an_ordinary_call_is_not_moved_by_health_while_it_rings() {
    let mut node = Node::br_with(&[PROBED]);
    let first = node.hear(HQ, &from_hq("02079460000")).the("INVITE");
    node.hear(GW_BR_1, says(&first, 180));
    assert_eq!(seconds(&mut node, 120, &[GW_BR_1]).told(), Vec::<String>::new());
}

#[test]
fn rfc_3261_15_a_bye_of_the_caller_in_an_early_dialog_ends_the_hunt() {
    // What follows an emergency's 487 and an ordinary call's 503 otherwise.
    for (called, status) in [("999", 487), ("999", 404), ("02079460000", 503)] {
        for bye_first in [true, false] {
            let mut node = Node::br();
            let invite = from_hq(called);
            let first = node.hear(HQ, &invite).the("INVITE");
            let rings = node.hear(GW_BR_1, says(&first, 180)).the("180");
            let mut caller = Dialog::of_caller(&invite, &rings);
            let out = node.hear(HQ, &caller.request("BYE"));
            assert_eq!(out.told(), ["BYE to gw-br-1"], "{called} {status}");
            let bye = out.the("BYE");
            if bye_first {
                assert_eq!(node.hear(GW_BR_1, says(&bye, 200)).told(), ["200 to hq"]);
            }
            let out = node.hear(GW_BR_1, says(&first, status));
            assert_eq!(out.told(), ["ACK to gw-br-1", "487 to hq"], "{called} {status}");
            node.hear(HQ, &invite.ack(&out.the("487")));
            if !bye_first {
                assert_eq!(node.hear(GW_BR_1, says(&bye, 200)).told(), ["200 to hq"]);
            }
            is_empty_in_the_end(&mut node);
        }
    }
}

#[test]
fn rfc_3261_15_a_bye_of_the_callee_in_an_early_dialog_does_not_end_an_emergency() {
    let mut node = Node::br();
    let first = node.hear(HQ, &emergency()).the("INVITE");
    node.hear(GW_BR_1, says(&first, 180));
    node.hear(GW_BR_1, &Dialog::of_callee(&first, "b1").request("BYE")).the("BYE");
    assert_eq!(node.hear(GW_BR_1, says(&first, 487)).told(), ["ACK to gw-br-1", "INVITE to gw-br-2"]);
}

#[test]
fn rfc_3261_15_an_early_bye_cancels_the_other_tries_of_an_emergency() {
    let mut node = Node::br();
    let (invite, first, second) = overdue(&mut node);
    let rings = node.hear(GW_BR_1, says(&first, 180)).the("180");
    node.hear(GW_BR_2, answer(&second, 180, "b2", &[], ""));
    let mut caller = Dialog::of_caller(&invite, &rings);
    let out = node.hear(HQ, &caller.request("BYE"));
    assert_eq!(out.told(), ["CANCEL to gw-br-2", "BYE to gw-br-1"]);
    assert_eq!(node.hear(GW_BR_1, says(&first, 487)).told(), ["ACK to gw-br-1"]);
    let out = node.hear(GW_BR_2, answer(&second, 487, "b2", &[], ""));
    assert_eq!(out.told(), ["ACK to gw-br-2", "487 to hq"]);
    assert_eq!(node.ended(), [(487, "cancelled")]);
}

#[test]
fn rfc_3261_15_an_early_bye_that_ends_no_invite_is_followed_by_a_cancel() {
    let mut node = Node::br();
    let invite = emergency();
    let first = node.hear(HQ, &invite).the("INVITE");
    let rings = node.hear(GW_BR_1, says(&first, 180)).the("180");
    let bye = node.hear(HQ, &Dialog::of_caller(&invite, &rings).request("BYE")).the("BYE");
    node.hear(GW_BR_1, says(&bye, 200));
    let out = node.wait_with_peer(33_000);
    assert_eq!((sent_to(&out, GW_BR_1)[0].as_str(), sent_to(&out, HQ)[0].as_str()), ("CANCEL", "487"));
    assert_eq!(sent_to(&out, GW_BR_2), Vec::<String>::new());
    is_empty_in_the_end(&mut node);
}

#[test]
fn p_23_a_gateway_that_says_no_more_than_100_is_left_for_the_next_and_stays_open() {
    let mut node = Node::br();
    let first = node.hear(HQ, &emergency()).the("INVITE");
    node.hear(GW_BR_1, says(&first, 100));
    assert_eq!(node.wait_with_peer(7_900).told(), Vec::<String>::new());
    let second = node.wait_with_peer(300).the("INVITE");
    assert_eq!(second.to, GW_BR_2);
    node.hear(GW_BR_2, answer(&second, 100, "b2", &[], ""));
    assert_eq!(node.wait_with_peer(60_000).told(), Vec::<String>::new(), "none is next");
    assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), ["180 to hq"]);
    assert_eq!(node.hear(GW_BR_1, says(&first, 200)).told(), ["CANCEL to gw-br-2", "200 to hq"]);
    // One that rings is not left.
    let mut node = Node::br();
    let first = node.hear(HQ, &emergency()).the("INVITE");
    node.hear(GW_BR_1, says(&first, 180));
    assert_eq!(node.wait_with_peer(600_000).told(), Vec::<String>::new());
}

#[test]
fn p_8_hops_of_an_emergency_that_never_say_more_than_100_end_it_with_timer_c() {
    let mut node = Node::br();
    let first = node.hear(HQ, &emergency()).the("INVITE");
    node.hear(GW_BR_1, says(&first, 100));
    let second = node.wait_with_peer(8_200).the("INVITE");
    node.hear(GW_BR_2, answer(&second, 100, "b2", &[], ""));
    let out = node.wait_with_peer(174_000);
    assert_eq!((sent_to(&out, GW_BR_1)[0].as_str(), sent_to(&out, HQ)), ("CANCEL", vec![]), "the other is open");
    let out = node.wait_with_peer(12_000);
    assert_eq!((sent_to(&out, GW_BR_2)[0].as_str(), sent_to(&out, HQ)[0].as_str()), ("CANCEL", "500"));
    is_empty_in_the_end(&mut node);
}

#[test]
fn p_23_a_trunk_that_says_no_more_than_100_gets_time_for_the_gateways_behind_it() {
    for ring_s in [5, 181] {
        let mut node = Node::hq_with(&[("[sip]", &format!("[sip]\nring_s = {ring_s}"))]);
        let first = node.hear(CC_HQ, &alice("9999")).the("INVITE");
        node.hear(BR, says(&first, 100));
        let out = node.wait(23_900);
        assert_eq!((sent_to(&out, GW_HQ), sent_to(&out, CC_HQ)), (vec![], vec![]), "{ring_s}");
        let out = node.wait(2_200);
        assert_eq!(sent_to(&out, GW_HQ)[0], "INVITE", "{ring_s}");
        assert!(!sent_to(&out, BR).contains(&"CANCEL".to_owned()), "{ring_s}");
        let second = out.to(GW_HQ);
        assert_eq!(node.hear(GW_HQ, answer(&second, 503, "g", &[], "")).told(), ["ACK to gw-hq"], "{ring_s}");
        assert_eq!(node.hear(BR, says(&first, 200)).told(), ["200 to cc-hq"], "{ring_s}");
    }
}

/// Carries what the nodes send each other and what `gateway` answers until nothing is on its way; gives back what went to
/// others.
fn carry(
    pair: &mut [(Node, SocketAddr); 2],
    sent: Vec<(usize, Sent)>,
    gateway: &dyn Fn(&Sent) -> Option<u16>,
) -> Vec<Sent> {
    let mut on_the_way = std::collections::VecDeque::from(sent);
    let mut others = Vec::new();
    while let Some((by, sent)) = on_the_way.pop_front() {
        let other = 1 - by;
        if sent.to == pair[other].1 {
            let from = pair[by].1;
            on_the_way.extend(pair[other].0.hear(from, sent.bytes).0.into_iter().map(|sent| (other, sent)));
        } else if let Some(status) = gateway(&sent) {
            on_the_way.extend(pair[by].0.hear(sent.to, says(&sent, status)).0.into_iter().map(|sent| (by, sent)));
            others.push(sent);
        } else {
            others.push(sent);
        }
    }
    others
}

#[test]
fn p_23_an_emergency_goes_to_the_next_gateway_of_its_country_before_the_home_node_leaves_it() {
    for ring_s in [5, 181] {
        let ring = format!("[sip]\nring_s = {ring_s}");
        let changes = [("[sip]", ring.as_str())];
        let mut pair = [(Node::hq_with(&changes), HQ), (Node::br_with(&changes), BR)];
        let gateway = |sent: &Sent| match (sent.what().as_str(), sent.to) {
            ("INVITE", GW_BR_1) => Some(100),
            ("INVITE", GW_BR_2) => Some(200),
            ("CANCEL" | "OPTIONS", _) => Some(200),
            _ => None,
        };
        let sent = pair[0].0.hear(CC_HQ, &alice("9999").body(&audio("18"))).0;
        let mut told = carry(&mut pair, sent.into_iter().map(|sent| (0, sent)).collect(), &gateway);
        for _ in 0..150 {
            for by in [0, 1] {
                let sent = pair[by].0.wait(100).0.into_iter().map(|sent| (by, sent)).collect();
                told.extend(carry(&mut pair, sent, &gateway));
            }
        }
        let to = |to: SocketAddr| told.iter().filter(|sent| sent.to == to).map(Sent::what).collect::<Vec<_>>();
        assert_eq!((to(GW_BR_2)[0].as_str(), to(GW_HQ)), ("INVITE", vec![]), "{ring_s}");
        assert_eq!(to(CC_HQ), ["100", "200"], "{ring_s}");
    }
}

/// The first gateway refuses with `status`, and the second rings.
fn rings_at_the_last(node: &mut Node, status: u16) -> (Request, Sent) {
    let invite = emergency();
    let first = node.hear(HQ, &invite).the("INVITE");
    let last = node.hear(GW_BR_1, says(&first, status)).to(GW_BR_2);
    assert_eq!(node.hear(GW_BR_2, answer(&last, 180, "b2", &[], "")).told(), ["180 to hq"]);
    (invite, last)
}

/// The INVITEs sent there.
fn invites_to(out: &Out, to: SocketAddr) -> Vec<Sent> {
    out.0.iter().filter(|sent| sent.to == to && sent.what() == "INVITE").cloned().collect()
}

#[test]
fn p_23_the_last_gateway_that_dies_while_it_rings_is_asked_again_and_both_tries_count() {
    for late in [false, true] {
        let mut node = Node::br_with(&[PROBED]);
        let (_, old) = rings_at_the_last(&mut node, 503);
        let asked = (0..24).map(|_| seconds(&mut node, 1, &[GW_BR_2])).find(|out| !out.0.is_empty());
        let asked = asked.expect("it is asked again");
        assert_eq!(asked.told(), ["INVITE to gw-br-2"], "the old one stays open");
        let again = asked.the("INVITE");
        assert_ne!(again.header("Via"), old.header("Via"), "a try of its own");
        if late {
            // It was there all the time.
            assert_eq!(node.hear(GW_BR_2, answer(&old, 200, "b2", &[], "")).told(), ["200 to hq"]);
            assert_eq!(node.hear(GW_BR_2, answer(&again, 180, "b3", &[], "")).told(), ["CANCEL to gw-br-2"]);
        } else {
            assert_eq!(node.hear(GW_BR_2, answer(&again, 180, "b3", &[], "")).told(), ["180 to hq"]);
            let out = node.hear(GW_BR_2, answer(&again, 200, "b3", &[], ""));
            assert_eq!(out.told(), ["CANCEL to gw-br-2", "200 to hq"]);
        }
        assert_eq!(node.ended(), [], "it stands");
    }
}

#[test]
fn p_23_a_lost_gateway_is_asked_every_2_s_until_32_s_after_that_is_noticed_and_once_it_is_back() {
    let mut node = Node::br_with(&[PROBED]);
    let (invite, _) = rings_at_the_last(&mut node, 503);
    let (mut asked_at, mut refused) = (Vec::new(), Vec::new());
    for second in 0..120 {
        let out = seconds(&mut node, 1, &[GW_BR_2]);
        assert_eq!(sent_to(&out, HQ), Vec::<String>::new(), "the old INVITE is open");
        for again in invites_to(&out, GW_BR_2) {
            asked_at.push(second);
            refused.append(&mut node.fail(&again).told());
        }
    }
    let (first, last) = (asked_at[0], asked_at[asked_at.len() - 1]);
    assert!((14..=16).contains(&asked_at.len()) && (28..32).contains(&(last - first)), "{asked_at:?}");
    assert_eq!(refused, Vec::<String>::new());
    // Two minutes to boot.
    let out = seconds(&mut node, 14, &[]);
    let again = invites_to(&out, GW_BR_2).first().expect("it is asked again").clone();
    assert_eq!(invites_to(&out, GW_BR_2).iter().filter(|sent| sent.header("Via") != again.header("Via")).count(), 0);
    assert_eq!(node.hear(GW_BR_2, answer(&again, 180, "b3", &[], "")).told(), ["180 to hq"]);
    // Who called gives up: every try is cancelled.
    let out = node.hear(HQ, &invite.cancel());
    assert_eq!(out.told(), ["200 to hq", "CANCEL to gw-br-2", "CANCEL to gw-br-2", "487 to hq"]);
}

#[test]
fn p_23_a_lost_gateway_that_takes_every_octet_and_says_nothing_is_asked_again_and_again() {
    let mut node = Node::br_with(&[PROBED]);
    rings_at_the_last(&mut node, 503);
    let out = seconds(&mut node, 45, &[GW_BR_2]);
    let mut tries: Vec<_> = invites_to(&out, GW_BR_2).iter().map(|sent| sent.header("Via")).collect();
    tries.dedup();
    assert!((3..=8).contains(&tries.len()), "one every few seconds: {tries:#?}");
    assert_eq!(sent_to(&out, HQ), Vec::<String>::new());
    // Each took the place of the one before, so that whoever starts again there hears of one call.
    let open = seconds(&mut node, 3, &[]);
    assert!(open.0.iter().all(|sent| sent.what() == "INVITE"), "{:?}", open.told());
}

#[test]
fn p_23_a_gateway_lost_while_it_rings_is_asked_again_when_the_others_have_failed() {
    let mut node = Node::br_with(&[PROBED]);
    let first = node.hear(HQ, &emergency()).the("INVITE");
    node.hear(GW_BR_1, says(&first, 180));
    let second = seconds(&mut node, 22, &[GW_BR_1]).to(GW_BR_2);
    assert_eq!(node.fail(&second).told(), Vec::<String>::new());
    let mut asked = Vec::new();
    for _ in 0..5 {
        let again = node.wait(2_100).0.into_iter().rfind(|sent| sent.what() == "INVITE").expect("one of them is asked");
        asked.push(again.to);
        assert_eq!(node.fail(&again).told(), Vec::<String>::new());
    }
    assert!(asked.contains(&GW_BR_1) && asked.contains(&GW_BR_2), "in turn: {asked:?}");
}

#[test]
fn p_23_a_visited_node_that_rang_and_was_restarted_is_asked_again_where_no_gateway_is_left() {
    let mut node = Node::hq();
    node.hear(BR, &beat(5));
    let first = node.hear(CC_HQ, &alice("9999")).the("INVITE");
    node.hear(BR, says(&first, 180));
    node.wait_with_peer(1_000);
    node.hear(BR, &beat(9));
    let mut gateways = Vec::new();
    let again = (0..8).find_map(|_| {
        let out = node.wait_with_peer(2_100);
        let sent = out.0.into_iter().rfind(|sent| sent.what() == "INVITE")?;
        if sent.to == BR {
            return Some(sent);
        }
        gateways.push(sent.to);
        node.hear(sent.to, answer(&sent, 503, "g", &[], ""));
        None
    });
    assert!(gateways.contains(&GW_HQ), "the gateway first: {gateways:?}");
    let again = again.expect("the node that was restarted is asked again");
    assert!(node.hear(BR, answer(&again, 200, "b9", &[], "")).told().contains(&"200 to cc-hq".to_owned()));
}

#[test]
fn p_23_a_gateway_that_ends_its_stream_while_it_rings_is_left_for_the_next_or_asked_again() {
    // The next one is asked, and the first to answer takes the call.
    let mut node = Node::br();
    let first = node.hear(HQ, &emergency()).the("INVITE");
    node.hear(GW_BR_1, says(&first, 180));
    assert_eq!(node.stream_ends(&first, true).told(), Vec::<String>::new());
    let second = node.wait_with_peer(2_100).to(GW_BR_2);
    assert_eq!(second.what(), "INVITE");
    assert_eq!(node.hear(GW_BR_1, says(&first, 200)).told(), ["200 to hq"]);
    assert_eq!(node.hear(GW_BR_2, says(&second, 180)).told(), ["CANCEL to gw-br-2"]);
    // The last one is asked anew. If it lives, it knows the call by its Call-ID, tag and CSeq (RFC 3261 section 8.2.2.2) and
    // rings on.
    for is_alive in [false, true] {
        let mut node = Node::br();
        let (_, old) = rings_at_the_last(&mut node, 503);
        assert_eq!(node.stream_ends(&old, true).told(), Vec::<String>::new());
        let out = node.wait_with_peer(2_100);
        assert_eq!(out.told(), ["INVITE to gw-br-2"]);
        let again = out.the("INVITE");
        if is_alive {
            assert_eq!(node.hear(GW_BR_2, answer(&again, 482, "b3", &[], "")).told(), ["ACK to gw-br-2"]);
            assert_eq!(node.wait_with_peer(60_000).told(), Vec::<String>::new(), "it is asked once");
            assert_eq!(node.hear(GW_BR_2, answer(&old, 200, "b2", &[], "")).told(), ["200 to hq"]);
        } else {
            let out = node.hear(GW_BR_2, answer(&again, 200, "b3", &[], ""));
            assert_eq!(out.told(), ["CANCEL to gw-br-2", "200 to hq"]);
        }
        assert_eq!(node.ended(), [], "it stands");
    }
}

#[test]
fn a_stream_that_says_nothing_of_a_gateway_moves_no_call() {
    // The gateway speaks again after its stream has ended.
    let mut node = Node::br();
    let (_, last) = rings_at_the_last(&mut node, 503);
    node.stream_ends(&last, true);
    assert_eq!(node.hear(GW_BR_2, answer(&last, 180, "b2", &[], "")).told(), ["180 to hq"]);
    assert_eq!(node.wait_with_peer(60_000).told(), Vec::<String>::new());
    // This node ended it.
    let mut node = Node::br();
    let (_, last) = rings_at_the_last(&mut node, 503);
    assert_eq!(node.stream_closed(&last).told(), Vec::<String>::new());
    assert_eq!(node.wait_with_peer(60_000).told(), Vec::<String>::new());
    // An ordinary call rings on.
    let mut node = Node::br();
    let first = node.hear(HQ, &from_hq("02079460000")).the("INVITE");
    node.hear(GW_BR_1, says(&first, 180));
    node.stream_ends(&first, true);
    assert_eq!(node.wait_with_peer(60_000).told(), Vec::<String>::new());
    // Another node of this kind tells itself when it was restarted.
    let mut node = Node::hq();
    let first = node.hear(CC_HQ, &alice("9999")).the("INVITE");
    node.hear(BR, says(&first, 180));
    node.stream_ends(&first, true);
    let out = node.wait_with_peer(60_000);
    assert_eq!(invites_to(&out, BR).len() + invites_to(&out, GW_HQ).len(), 0, "{:?}", out.told());
}
