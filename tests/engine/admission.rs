//! What calls hold of the link to the other cluster, and when they give it back (V-4 to V-27).

use emcc_trunk::engine::Bounds;

use crate::node::{BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, plan};
use crate::wire::{
    Dialog, Request, Standing, alice, answer, assert_refused, audio, audio_and_video, bob, from_hq, hang_up, says,
    stand,
};

const WORST: [u64; 4] = [40, 40, 0, 0];
const ANSWERED: [u64; 4] = [24, 24, 0, 0];
const NOTHING: [u64; 4] = [0; 4];

/// The policy of the pair's link.
const POLICY: &str = "rsvp_policy = \"mandatory-video-desired\"";

fn standing(node: &mut Node) -> Standing {
    stand(node, alice("901614960000").body(&audio("18")), &audio("18"))
}

#[test]
fn v_18_the_worst_case_is_booked_and_the_answered_rate_a_second_after() {
    let mut node = Node::hq();
    let mut call = standing(&mut node);
    assert_eq!(node.booked(), WORST, "Trap 18");
    node.wait(999);
    assert_eq!(node.booked(), WORST);
    node.wait(20);
    assert_eq!(node.booked(), ANSWERED);
    hang_up(&mut node, &mut call);
    assert_eq!((node.booked(), node.ended()), (NOTHING, vec![(200, "caller")]));
}

#[test]
fn v_17_packet_time_and_address_family_count() {
    let v6 = |body: String| body.replace("IN IP4 127.0.9.9", "IN IP6 2001:db8::9");
    for (what, body, worst, answered) in
        [("30 ms", audio("18") + "a=ptime:30\r\n", 40, 19), ("IPv6", v6(audio("18")), 56, 32)]
    {
        let mut node = Node::hq();
        stand(&mut node, alice("901614960000").body(&body), &body);
        assert_eq!(node.booked(), [worst, worst, 0, 0], "{what}");
        node.wait(1_100);
        assert_eq!(node.booked(), [answered, answered, 0, 0], "{what}");
    }
}

#[test]
fn v_20_each_direction_is_booked_by_itself_and_the_phone_stands_at_the_visited_end() {
    let one_way = audio("18") + "a=sendonly\r\n";
    let mut node = Node::hq();
    node.hear(CC_HQ, &alice("901614960000").body(&one_way)).the("INVITE");
    assert_eq!(node.booked(), [0, 40, 0, 0], "the phone sends towards home");
    let mut node = Node::br();
    node.hear(HQ, &from_hq("02079460000").body(&one_way)).the("INVITE");
    assert_eq!(node.booked(), [40, 0, 0, 0], "the same seen from the visited end");
    let mut node = Node::hq();
    node.hear(CC_HQ, &bob("5001").body(&one_way)).the("INVITE");
    assert_eq!(node.booked(), [40, 0, 0, 0], "bob sends towards the phone");
}

#[test]
fn a_call_without_an_offer_books_the_dearest_within_the_cap() {
    let mut node = Node::hq();
    node.hear(CC_HQ, &alice("901614960000")).the("INVITE");
    assert_eq!(node.booked()[..2], WORST[..2]);
}

#[test]
fn v_21_video_is_booked_by_its_payload_in_its_own_pool() {
    let mut node = Node::hq();
    node.hear(CC_HQ, &alice("901614960000").body(&audio_and_video("18"))).the("INVITE");
    assert_eq!(node.booked(), [40, 40, 376, 376]);
}

#[test]
fn a_bye_from_the_callee_gives_back_as_well() {
    let mut node = Node::hq();
    let mut call = standing(&mut node);
    let bye = node.hear(BR, &call.callee.request("BYE")).the("BYE");
    assert_eq!(bye.to, CC_HQ);
    assert_eq!(node.hear(CC_HQ, says(&bye, 200)).told(), ["200 to br"]);
    assert_eq!((node.booked(), node.ended()), (NOTHING, vec![(200, "callee")]));
}

#[test]
fn a_bye_whose_answer_never_comes_gives_back_all_the_same() {
    let mut node = Node::hq();
    let mut call = standing(&mut node);
    node.hear(CC_HQ, &call.caller.request("BYE")).the("BYE");
    assert_ne!(node.booked(), NOTHING);
    node.wait(33_000);
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
}

#[test]
fn a_cancelled_call_gives_back() {
    let mut node = Node::hq();
    let invite = alice("901614960000").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(BR, says(&sent, 180));
    assert_eq!(node.hear(CC_HQ, &invite.cancel()).told(), ["200 to cc-hq", "CANCEL to br"]);
    assert_eq!(node.hear(BR, says(&sent, 487)).told(), ["ACK to br", "487 to cc-hq"]);
    assert_eq!((node.booked(), node.ended()), (NOTHING, vec![(487, "cancelled")]));
}

#[test]
fn every_final_failure_and_every_silence_gives_back() {
    for status in [302, 404, 486, 488, 500, 503, 603] {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
        assert_eq!(node.booked(), WORST);
        node.hear(BR, says(&sent, status));
        assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0), "{status}");
    }
    let mut node = Node::hq();
    node.hear(CC_HQ, &alice("901614960000").body(&audio("18")));
    let out = node.wait(4_100);
    assert_refused(&out, 500, "", "27");
    assert_eq!(node.booked(), NOTHING, "silence");
}

#[test]
fn nobody_acknowledging_gives_back_and_both_sides_get_a_bye() {
    let mut node = Node::hq();
    let invite = alice("901614960000").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(BR, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    node.wait_with_peer(63_000);
    assert_eq!(node.booked(), ANSWERED);
    let out = node.wait(1_100);
    let byes: Vec<_> = out.0.iter().filter(|sent| sent.what() == "BYE").collect();
    let to = |at| *byes.iter().find(|bye| bye.to == at).unwrap_or_else(|| panic!("a BYE to {at}"));
    let (callee, caller) = (to(BR), to(CC_HQ));
    assert_eq!((callee.header("From"), callee.header("To")), (invite.from.clone(), format!("{};tag=b1", invite.to)));
    assert_eq!((callee.header("CSeq").as_str(), callee.start()), ("2 BYE", format!("BYE sip:callee@{BR} SIP/2.0")));
    assert_eq!((caller.header("From"), caller.header("To")), (format!("{};tag=b1", invite.to), invite.from.clone()));
    assert_eq!(caller.start(), format!("BYE sip:5001@{CC_HQ} SIP/2.0"));
    assert_eq!((node.booked(), node.ended()), (NOTHING, vec![(200, "node")]));
}

#[test]
fn a_call_of_a_day_is_ended_and_gives_back() {
    let mut node = Node::hq_with(&[("rsvp_keepalive_s = 15", "rsvp_keepalive_s = 600")]);
    standing(&mut node);
    node.wait_with_peer(24 * 3_600_000 - 100);
    assert_eq!((node.booked(), node.engine.calls()), (ANSWERED, 1));
    let mut byes = node.wait(200);
    byes.0.retain(|sent| sent.what() == "BYE");
    // Its messages are long gone: what was kept of them tells both ways.
    assert_eq!(byes.told(), ["BYE to br", "BYE to cc-hq"]);
    for bye in &byes.0 {
        assert!(bye.header("From").contains("tag=") && bye.header("To").contains("tag="), "{}", bye.text());
        assert!(!bye.header("Call-ID").is_empty());
    }
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
    assert_eq!(node.alarms(), ["a call that stood longer than any may"]);
}

#[test]
fn v_4_a_lost_peer_gives_back_exactly_once() {
    let mut node = Node::hq();
    let mut call = standing(&mut node);
    node.wait(29_000);
    assert_eq!(node.booked(), ANSWERED);
    node.wait(1_500);
    assert_eq!(node.booked(), NOTHING);
    assert_eq!(node.alarms(), ["remote cluster lost: its resources were released"]);
    let other = node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
    assert_eq!(node.booked(), WORST);
    hang_up(&mut node, &mut call);
    assert_eq!(node.booked(), WORST, "what the lost call held is not given back a second time");
    node.hear(BR, says(&other, 486));
    assert_eq!(node.booked(), NOTHING);
}

#[test]
fn a_refused_re_invite_leaves_the_call_what_it_had() {
    let mut node = Node::hq();
    let mut call = standing(&mut node);
    node.wait(2_000);
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio_and_video("18"))).the("INVITE");
    assert_eq!(node.booked(), [40, 40, 376, 376]);
    assert_eq!(node.hear(BR, says(&sent, 488)).told(), ["ACK to br", "488 to cc-hq"]);
    node.wait(1_100);
    assert_eq!(node.booked(), ANSWERED);
}

#[test]
fn a_re_invite_that_adds_video_books_it_and_one_that_takes_it_away_gives_it_back() {
    let mut node = Node::hq();
    let mut call = standing(&mut node);
    node.wait(2_000);
    let both = audio_and_video("18");
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&both)).the("INVITE");
    node.hear(BR, answer(&sent, 200, "b1", &[], &both));
    node.hear(CC_HQ, &call.caller.request("ACK"));
    node.wait(1_100);
    assert_eq!(node.booked(), [24, 24, 376, 376]);
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("18"))).the("INVITE");
    node.hear(BR, answer(&sent, 200, "b1", &[], &audio("18")));
    node.wait(1_100);
    assert_eq!(node.booked(), ANSWERED);
}

/// Changes that make a link of `audio` and `video` kbit/s under a policy.
fn link(policy: &str, audio: u32, video: u32) -> Vec<(&'static str, String)> {
    vec![
        (POLICY, format!("rsvp_policy = \"{policy}\"")),
        ("link_audio_kbps = 2000", format!("link_audio_kbps = {audio}")),
        ("link_video_kbps = 4000", format!("link_video_kbps = {video}")),
    ]
}

fn hq_on(policy: &str, audio: u32, video: u32) -> Node {
    let changes = link(policy, audio, video);
    let changes: Vec<_> = changes.iter().map(|(from, to)| (*from, to.as_str())).collect();
    Node::hq_with(&changes)
}

#[test]
fn the_table_of_policies_holds_at_setup() {
    // Policy, audio and video of the link; whether it goes on, with video, and what is booked.
    let cases = [
        ("none", 0, 0, Some(true), NOTHING),
        ("optional-video-desired", 100, 400, Some(true), [40, 40, 376, 376]),
        ("optional-video-desired", 100, 100, Some(false), WORST),
        ("optional-video-desired", 39, 400, Some(false), NOTHING),
        ("mandatory", 100, 400, Some(true), [40, 40, 376, 376]),
        ("mandatory", 100, 100, None, NOTHING),
        ("mandatory", 39, 400, None, NOTHING),
        ("mandatory-video-desired", 100, 100, Some(false), WORST),
        ("mandatory-video-desired", 39, 400, None, NOTHING),
    ];
    for (policy, audio_kbps, video_kbps, goes_on, booked) in cases {
        let what = format!("{policy} {audio_kbps} {video_kbps}");
        let mut node = hq_on(policy, audio_kbps, video_kbps);
        let out = node.hear(CC_HQ, &alice("901614960000").body(&audio_and_video("18")));
        match goes_on {
            Some(video) => {
                assert_eq!(out.told(), ["100 to cc-hq", "INVITE to br"], "{what}");
                assert_eq!(out.the("INVITE").port("video") != Some(0), video, "{what}");
            }
            None => assert_refused(&out, 488, "370", "47"),
        }
        assert_eq!(node.booked(), booked, "{what}");
    }
}

#[test]
fn trap_18_a_link_of_the_answered_rate_refuses_the_call() {
    let mut node = hq_on("mandatory", 24, 0);
    let out = node.hear(CC_HQ, &alice("901614960000").body(&audio("18")));
    assert_eq!(out.told(), ["100 to cc-hq", "488 to cc-hq"]);
    assert_refused(&out, 488, "370", "47");
}

#[test]
fn v_25_a_full_link_under_a_mandatory_precondition_is_580() {
    let mut node = hq_on("mandatory", 24, 0);
    let qos = "a=curr:qos e2e none\r\na=des:qos mandatory e2e sendrecv\r\n";
    let invite = alice("901614960000").header("Require: precondition").body(&(audio("18") + qos));
    assert_refused(&node.hear(CC_HQ, &invite), 580, "370", "47");
    let qos = qos.replace("mandatory", "optional");
    let invite = alice("901614960000").body(&(audio("18") + &qos));
    assert_refused(&node.hear(CC_HQ, &invite), 488, "370", "47");
}

#[test]
fn p_23_an_emergency_goes_above_the_limit_counted_and_alarmed() {
    let mut node = hq_on("mandatory", 10, 0);
    node.hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
    assert_eq!(node.booked(), WORST);
    assert_eq!(node.engine.links().emergencies_over_limit(), 1);
    assert_eq!(node.alarms(), ["emergency call admitted above the link's limit"]);
    let mut node = hq_on("mandatory", 0, 0);
    node.hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
    assert_eq!(node.booked(), WORST, "a link of 0 is for emergencies");
}

#[test]
fn a_reload_that_shrinks_the_link_keeps_the_books() {
    let mut node = Node::hq();
    let mut call = standing(&mut node);
    node.engine.reload(plan("hq", &[("link_audio_kbps = 2000", "link_audio_kbps = 30")]));
    assert_eq!(node.booked(), WORST);
    let out = node.hear(CC_HQ, &alice("901614960000").body(&audio("18")));
    assert_refused(&out, 488, "370", "47");
    node.wait(1_100);
    assert_eq!(node.booked(), ANSWERED);
    hang_up(&mut node, &mut call);
    assert_eq!(node.booked(), NOTHING);
}

#[test]
fn a_full_link_refuses_a_mid_call_increase_and_the_call_stands() {
    let mut node = hq_on("mandatory", 40, 0);
    let mut call = standing(&mut node);
    let out = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio_and_video("18")));
    assert_refused(&out, 488, "370", "47");
    assert_eq!((node.booked(), node.engine.calls()), (WORST, 1));
}

#[test]
fn video_added_to_a_full_video_pool_goes_and_the_audio_stays() {
    for policy in ["mandatory-video-desired", "optional-video-desired"] {
        let mut node = hq_on(policy, 2_000, 100);
        let mut call = standing(&mut node);
        node.wait(2_000);
        let both = audio_and_video("18");
        let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&both)).the("INVITE");
        assert_eq!(sent.port("video"), Some(0), "{policy}");
        assert_eq!(node.booked(), WORST, "{policy}");
        let back = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
        assert_eq!(back.to, CC_HQ, "{policy}");
    }
}

/// A node whose link is full: a call of the answered rate stands on what others have left of it.
fn full(policy: &str) -> (Node, Standing) {
    let mut node = hq_on(policy, 64, 0);
    let call = standing(&mut node);
    node.wait(1_100);
    node.hear(CC_HQ, &alice("901614960001").body(&audio("18"))).the("INVITE");
    assert_eq!(node.booked(), [64, 64, 0, 0]);
    (node, call)
}

#[test]
fn v_11_a_full_link_refuses_no_call_what_it_asked_for_before() {
    for policy in ["mandatory", "mandatory-video-desired"] {
        for method in ["UPDATE", "INVITE"] {
            let (mut node, mut call) = full(policy);
            let hold = audio("18") + "a=sendonly\r\n";
            for (what, body) in [("a refresh", audio("18")), ("hold", hold), ("resume", audio("18"))] {
                let request = call.caller.request(method).body(&body);
                let sent = node.hear(CC_HQ, &request).the(method);
                node.hear(BR, answer(&sent, 200, "b1", &[], &body)).the("200");
                if method == "INVITE" {
                    node.hear(CC_HQ, &call.caller.request("ACK")).the("ACK");
                }
                assert_eq!(node.engine.calls(), 2, "{policy}, {method}: {what}");
            }
        }
    }
}

#[test]
fn v_9_an_offer_in_a_response_finds_room_or_goes_on_without_its_video() {
    let both = audio_and_video("18");
    for (policy, video_kbps, has_video) in
        [("mandatory-video-desired", 400, true), ("mandatory-video-desired", 100, false), ("mandatory", 100, false)]
    {
        let mut node = hq_on(policy, 2_000, video_kbps);
        let mut call = standing(&mut node);
        node.wait(1_100);
        let sent = node.hear(CC_HQ, &call.caller.request("INVITE")).the("INVITE");
        let back = node.hear(BR, answer(&sent, 200, "b1", &[], &both)).the("200");
        assert_eq!(back.port("video") != Some(0), has_video, "{policy}, {video_kbps}");
        let booked = if has_video { [40, 40, 376, 376] } else { WORST };
        assert_eq!(node.booked(), booked, "before any of it flows: {policy}, {video_kbps}");
        let ack = node.hear(CC_HQ, &call.caller.request("ACK").body(&both)).the("ACK");
        assert_eq!(ack.port("video") != Some(0), has_video, "{policy}, {video_kbps}");
        node.wait(1_100);
        assert_eq!(node.booked(), if has_video { [24, 24, 376, 376] } else { ANSWERED });
    }
}

#[test]
fn v_11_audio_that_found_room_without_its_video_may_be_offered_again() {
    let mut node = hq_on("mandatory-video-desired", 104, 100);
    let mut call = standing(&mut node);
    node.wait(1_100);
    // Two G.729 streams and a video that finds no room: the audio of both is booked.
    let stream = |text: &str| text.split_once("m=").map(|(_, media)| format!("m={media}")).unwrap();
    let two = audio("18") + &stream(&audio("18"));
    let with_video = audio("18") + &stream(&audio_and_video("18"));
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&with_video)).the("INVITE");
    assert_eq!((sent.port("video"), node.booked()), (Some(0), [80, 80, 0, 0]));
    node.hear(BR, answer(&sent, 200, "b1", &[], &two)).the("200");
    node.hear(CC_HQ, &call.caller.request("ACK")).the("ACK");
    node.wait(1_100);
    assert_eq!(node.booked(), [48, 48, 0, 0]);
    node.hear(CC_HQ, &alice("901614960001").body(&audio("18"))).the("INVITE");
    assert_eq!(node.booked(), [88, 88, 0, 0]);
    node.hear(CC_HQ, &call.caller.request("INVITE").body(&two)).the("INVITE");
    assert_eq!(node.engine.calls(), 2);
}

#[test]
fn a_refused_update_leaves_the_call_what_it_had() {
    for status in [408, 481, 488, 491, 500] {
        let mut node = Node::hq();
        let mut call = standing(&mut node);
        node.wait(2_000);
        let sent = node.hear(CC_HQ, &call.caller.request("UPDATE").body(&audio_and_video("18"))).the("UPDATE");
        assert_eq!(node.booked(), [40, 40, 376, 376]);
        let back = node.hear(BR, says(&sent, status)).told();
        // A 408 is told to nobody but who sent an INVITE (RFC 4320 section 4.2).
        assert_eq!(back, if status == 408 { vec![] } else { vec![format!("{status} to cc-hq")] });
        node.wait(1_100);
        assert_eq!(node.booked(), ANSWERED, "{status}");
    }
}

#[test]
fn what_is_no_offer_books_nothing() {
    let mut node = hq_on("mandatory", 40, 0);
    let mut call = standing(&mut node);
    node.wait(2_000);
    let sent = node.hear(CC_HQ, &call.caller.request("INFO").body(&audio_and_video("18"))).the("INFO");
    assert_eq!(node.booked(), ANSWERED);
    node.hear(BR, says(&sent, 200)).the("200");
    assert_eq!(node.booked(), ANSWERED);
}

#[test]
fn a_mid_call_offer_that_cannot_go_on_leaves_the_booking_as_it_is() {
    let mut node = hq_on("mandatory", 40, 0);
    let mut call = standing(&mut node);
    node.wait(2_000);
    assert_eq!(node.booked(), ANSWERED);
    let refused = call.caller.request("UPDATE").body(&audio_and_video("18"));
    let out = node.hear(CC_HQ, &refused);
    assert_refused(&out, 488, "370", "47");
    assert_eq!(node.booked(), ANSWERED);
    assert_eq!(node.hear(CC_HQ, &refused).told(), ["488 to cc-hq"], "a copy gets the same answer");
}

#[test]
fn an_optional_policy_never_refuses_a_mid_call_offer() {
    let mut node = hq_on("optional-video-desired", 30, 0);
    let mut call = standing(&mut node);
    assert_eq!(node.booked(), NOTHING, "best effort");
    let out = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("18")));
    assert_eq!(out.told(), ["100 to cc-hq", "INVITE to br"]);
}

#[test]
fn v_10_a_best_effort_call_is_asked_again_after_the_retry_time() {
    let mut node = hq_on("optional-video-desired", 45, 0);
    let mut first = standing(&mut node);
    standing(&mut node);
    assert_eq!(node.booked(), WORST, "the second goes on as best effort");
    hang_up(&mut node, &mut first);
    assert_eq!(node.booked(), NOTHING);
    node.wait_with_peer(60_100);
    assert_eq!(node.booked(), ANSWERED);
}

#[test]
fn forked_answers_release_only_with_the_last_leg() {
    let mut node = Node::hq();
    let invite = alice("901614960000").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let mut legs: Vec<_> = ["b1", "b2"]
        .into_iter()
        .map(|tag| {
            let back = node.hear(BR, answer(&sent, 200, tag, &[], &audio("18"))).the("200");
            assert!(back.header("To").ends_with(tag), "each answer passes");
            Dialog::of_caller(&invite, &back)
        })
        .collect();
    for leg in &mut legs {
        assert_eq!(node.hear(CC_HQ, &leg.request("ACK")).told(), ["ACK to br"]);
    }
    let bye = node.hear(CC_HQ, &legs[1].request("BYE")).the("BYE");
    node.hear(BR, says(&bye, 200));
    assert_eq!((node.booked(), node.engine.calls()), (WORST, 1), "one leg stands");
    let bye = node.hear(CC_HQ, &legs[0].request("BYE")).the("BYE");
    node.hear(BR, says(&bye, 200));
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
}

#[test]
fn the_booking_stays_while_hops_change() {
    let mut node = Node::br();
    let first = node.hear(HQ, &from_hq("02079460000").body(&audio("18"))).the("INVITE");
    let second = node.hear(GW_BR_1, says(&first, 503)).the("INVITE");
    assert_eq!((second.to, node.booked()), (GW_BR_2, WORST));
    node.hear(GW_BR_2, says(&second, 404));
    assert_eq!(node.booked(), NOTHING);
}

#[test]
fn a_call_that_found_no_row_gives_back() {
    let mut node = Node::new(plan("hq", &[]), Bounds { transactions: 1_000, calls: 1 });
    node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
    let out = node.hear(CC_HQ, &alice("9999").body(&audio("18")));
    assert_eq!(out.refusal().what(), "503");
    assert_eq!(node.booked(), WORST, "the first call's alone");
}

#[test]
fn a_colleagues_call_to_the_pstn_books_nothing() {
    let mut node = Node::hq();
    stand(&mut node, bob("912025550123").body(&audio("18")), &audio("18"));
    assert_eq!(node.booked(), NOTHING);
    stand(&mut node, Request::new("INVITE", GW_HQ, HQ, "2", "5002").body(&audio("18")), &audio("18"));
    assert_eq!(node.booked(), NOTHING);
}
