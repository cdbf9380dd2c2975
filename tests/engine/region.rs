//! The region's codecs and bit rates on every description of a call of a visiting phone (M-1 to M-25).

use crate::node::{BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, Sent, name};
use crate::wire::{Dialog, Request, alice, answer, assert_refused, audio, audio_and_video, bob, from_hq, says, stand};

fn gateway_to(called: &str) -> Request {
    Request::new("INVITE", GW_HQ, HQ, "2025550100", called)
}

#[test]
fn m_1_every_call_of_a_visiting_phone_is_ruled_and_no_other_trap_21() {
    type Place = fn() -> Node;
    let cases: [(&str, Place, Request, &str); 9] = [
        ("over the trunk", Node::hq, alice("901614960000"), "18 101"),
        ("emergency over the trunk", Node::hq, alice("9999"), "18 101"),
        ("to the home gateway, Trap 21", Node::hq, alice("912025550123"), "18 101"),
        ("to a colleague", Node::hq, alice("5002"), "18 101"),
        ("from a colleague", Node::hq, bob("5001"), "18 101"),
        ("from the PSTN", Node::hq, gateway_to("5001"), "18 101"),
        ("at the visited cluster", Node::br, from_hq("02079460000"), "18 101"),
        ("a colleague to the PSTN", Node::hq, bob("912025550123"), "0 18 101"),
        ("the PSTN to a colleague", Node::hq, gateway_to("5002"), "0 18 101"),
    ];
    for (what, place, invite, want) in cases {
        let mut node = place();
        let sent = node.hear(invite.at, &invite.clone().body(&audio("0 18 101"))).the("INVITE");
        assert_eq!(sent.formats("audio").join(" "), want, "offer: {what}");
        for status in [183, 200] {
            let reply = answer(&sent, status, "b1", &[], &audio("0 18 101"));
            let back = node.hear(sent.to, reply).the(&status.to_string());
            assert_eq!(back.formats("audio").join(" "), want, "answer in {status}: {what}");
        }
    }
}

#[test]
fn m_6_an_offer_with_nothing_left_is_488_with_warning_305() {
    let mut node = Node::hq();
    let out = node.hear(CC_HQ, &alice("901614960000").body(&audio("0 8 101")));
    assert_eq!(out.told(), ["100 to cc-hq", "488 to cc-hq"]);
    assert_refused(&out, 488, "305 127.0.1.1:5060", "65");
    assert_eq!(node.booked(), [0; 4]);
}

/// A body of one description for each of these lists of formats.
fn descriptions(of: &[&str]) -> String {
    let part = |formats: &&str| format!("--b\r\nContent-Type: application/sdp\r\n\r\n{}\r\n", audio(formats));
    of.iter().map(part).collect::<String>() + "--b--\r\n"
}

fn with_type(mut request: Request, kind: &str) -> Request {
    kind.clone_into(&mut request.content_type);
    request
}

#[test]
fn m_1_a_second_description_does_not_leave_past_the_region() {
    let two = descriptions(&["18", "0"]);
    let within = format!("--o\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n{two}\r\n--o--\r\n");
    let first = format!("--o\r\nContent-Type: application/sdp\r\n\r\n{}\r\n", audio("18"));
    let beside = first.clone() + &within;
    for (kind, body) in [
        ("multipart/alternative;boundary=b", &two),
        ("multipart/mixed;boundary=b", &two),
        ("multipart/mixed;boundary=o", &within),
        ("multipart/mixed;boundary=o", &beside),
    ] {
        let mut node = Node::hq();
        let out = node.hear(CC_HQ, &with_type(alice("901614960000").body(body), kind));
        assert_eq!(out.told(), ["100 to cc-hq", "488 to cc-hq"], "{kind}");
        assert_refused(&out, 488, "305 127.0.1.1:5060", "65");
        assert!(out.the("488").start().ends_with("more than one session description"), "{}", out.the("488").start());
        // Without region policy it is nobody's business.
        let mut node = Node::hq();
        assert_eq!(node.hear(CC_HQ, &with_type(bob("912025550123").body(body), kind)).the("INVITE").body(), *body);
        // An emergency takes it along.
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &with_type(alice("9999").body(body), kind)).the("INVITE");
        let lines = |body: &str| ["m=audio", "RTP/AVP 0\r\n"].map(|line| body.matches(line).count());
        assert_eq!(lines(&sent.body()), lines(body), "{}", sent.body());
        assert_eq!(node.alarms(), ["emergency message with more than one description"]);
    }
}

#[test]
fn m_20_a_second_description_of_an_answer_or_within_a_call_is_refused_too() {
    let kind = "multipart/mixed;boundary=b";
    let two = descriptions(&["18", "0"]);
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("0 18"))).the("INVITE");
    let typed = format!("Content-Type: {kind}");
    let reply = answer(&sent, 200, "b1", &[], &two).replacen("Content-Type: application/sdp", &typed, 1);
    let out = node.hear(BR, reply);
    let bye = out.the("BYE");
    assert!(bye.header("Reason").contains("More than one session description"), "{}", bye.header("Reason"));
    assert_eq!(out.the("488").to, CC_HQ);
    let mut node = Node::hq();
    let mut call = stand(&mut node, alice("901614960000").body(&audio("0 18")), &audio("18"));
    let again = with_type(call.caller.request("INVITE").body(&two), kind);
    let refused = node.hear(CC_HQ, &again).refusal();
    assert!(refused.start().ends_with("more than one session description"), "{}", refused.start());
}

#[test]
fn m_20_a_description_that_is_hidden_in_a_body_is_one_that_cannot_be_read() {
    let sdp = format!("--b\r\nContent-Type: application/sdp\r\n\r\n{}\r\n", audio("0 18"));
    let text = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n";
    let encoded = sdp.replacen("sdp\r\n", "sdp\r\nContent-Transfer-Encoding: quoted-printable\r\n", 1);
    for (what, body) in [
        ("in a transfer encoding", format!("{encoded}--b--\r\n")),
        ("behind more parts than are looked through", format!("{}{sdp}--b--\r\n", text.repeat(16))),
        ("in a part without end", sdp.clone()),
        ("in a type that cannot be read", format!("{sdp}--b--\r\n")),
    ] {
        let kind = if what.contains("type") { "multipart/mixed (x);boundary=b" } else { "multipart/mixed;boundary=b" };
        let typed = |invite: Request| with_type(invite.body(&body), kind);
        let mut node = Node::hq();
        let out = node.hear(CC_HQ, &typed(alice("901614960000")));
        assert!(out.refusal().start().ends_with("the session description cannot be read"), "{what}: {out:?}");
        let sent = node.hear(CC_HQ, &typed(alice("9999"))).the("INVITE");
        let whole = body.strip_suffix("--b--\r\n").unwrap_or(&body);
        assert!(sent.body().starts_with(whole), "{what}: {}", sent.body());
        assert_eq!(node.alarms(), ["emergency description that cannot be read"], "{what}");
    }
    let plain = format!("{}{sdp}--b--\r\n", text.repeat(15)).replacen("application/sdp", "application / SDP", 1);
    let sent = Node::hq().hear(CC_HQ, &with_type(alice("901614960000").body(&plain), "multipart/mixed;boundary=b"));
    assert!(sent.the("INVITE").body().contains("RTP/AVP 18\r\n"), "ruled as any other");
}

#[test]
fn m_1_a_description_that_cannot_be_read_is_refused_for_that() {
    let spaced = audio("18") + " m=audio 40002 RTP/AVP 0\r\n";
    for body in ["hello", &audio("18").replacen("m=audio 40000", "m=audio x", 1), &spaced] {
        let mut node = Node::hq();
        let out = node.hear(CC_HQ, &alice("901614960000").body(body));
        assert_refused(&out, 488, "399 127.0.1.1:5060", "65");
        assert!(
            out.the("488").start().ends_with("the session description cannot be read"),
            "{}",
            out.the("488").start()
        );
        let mut node = Node::hq();
        assert!(node.hear(CC_HQ, &alice("9999").body(body)).the("INVITE").body().contains(body));
        assert_eq!(node.alarms(), ["emergency description that cannot be read"]);
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("0 18"))).the("INVITE");
        let out = node.hear(BR, answer(&sent, 200, "b1", &[], body));
        let reason = out.the("BYE").header("Reason");
        assert!(reason.contains("The session description cannot be read"), "{reason}");
    }
}

#[test]
fn p_23_an_emergency_offer_with_nothing_left_goes_on_as_it_came() {
    let mut node = Node::hq();
    let invite = alice("9999").body(&audio("0"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!((sent.to, sent.description()), (BR, audio("0")));
    assert_eq!(node.alarms(), ["emergency offer without a codec within the region"]);
    let reply = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("0"))).the("200");
    assert_eq!(reply.body(), audio("0"));
    let mut caller = Dialog::of_caller(&invite, &reply);
    let bye = caller.request("BYE");
    let passed = node.hear(CC_HQ, &bye).the("BYE");
    node.hear(BR, says(&passed, 200));
    let record = node.records().pop().expect("it ended");
    let because = record.decision.because(&record.plan);
    assert!(because.contains("codec"), "the step stands in its trail: {because}");
}

#[test]
fn p_23_an_emergency_refused_for_its_codecs_is_tried_again_with_all_it_offered() {
    for status in [488, 606, 415] {
        let mut node = Node::br();
        let invite = from_hq("999").body(&audio("0 18 101"));
        let sent = node.hear(HQ, &invite).the("INVITE");
        assert_eq!(
            (sent.to, sent.formats("audio").join(" ")),
            (GW_BR_1, "18 101".to_owned()),
            "the region first (M-1)"
        );
        let out = node.hear(GW_BR_1, says(&sent, status));
        assert!(!node.alarms().is_empty());
        let again = out.the("INVITE");
        let want = (GW_BR_1, "18 0 101".to_owned());
        assert_eq!((again.to, again.formats("audio").join(" ")), want, "behind what is within: {status}");
        // What the answer chooses passes, and whoever is asked next gets all as well.
        let back = node.hear(GW_BR_1, answer(&again, 200, "b2", &[], &audio("0 101"))).the("200");
        assert_eq!((back.to, back.formats("audio").join(" ")), (HQ, "0 101".to_owned()));
        let mut caller = Dialog::of_caller(&invite, &back);
        node.hear(HQ, &caller.request("ACK")).the("ACK");
        let bye = node.hear(HQ, &caller.request("BYE")).the("BYE");
        node.hear(GW_BR_1, says(&bye, 200));
        assert_eq!((node.ended(), node.booked()), (vec![(200, "caller")], [0; 4]));
    }
    // Refused once more, it goes on: whoever is asked next gets all at once.
    let mut node = Node::br();
    let first = node.hear(HQ, &from_hq("999").body(&audio("0 18"))).the("INVITE");
    let whole = node.hear(GW_BR_1, says(&first, 488)).the("INVITE");
    let next = node.hear(GW_BR_1, says(&whole, 488)).the("INVITE");
    assert_eq!((next.to, next.formats("audio").join(" ")), (GW_BR_2, "18 0".to_owned()));
    // An ordinary call, a call the caller gave up, and one of which nothing was taken out are not tried again.
    let mut node = Node::br();
    let sent = node.hear(HQ, &from_hq("02079460000").body(&audio("0 18"))).the("INVITE");
    let next = node.hear(sent.to, says(&sent, 488)).the("INVITE");
    assert_ne!(next.to, sent.to);
    let mut node = Node::br();
    let invite = from_hq("999").body(&audio("0 18"));
    let sent = node.hear(HQ, &invite).the("INVITE");
    node.hear(GW_BR_1, says(&sent, 180));
    node.hear(HQ, &invite.cancel()).the("CANCEL");
    assert_eq!(node.hear(GW_BR_1, says(&sent, 488)).told(), ["ACK to gw-br-1", "487 to hq"]);
    let mut node = Node::br();
    let sent = node.hear(HQ, &from_hq("999").body(&audio("18"))).the("INVITE");
    assert_eq!(node.hear(GW_BR_1, says(&sent, 488)).the("INVITE").to, GW_BR_2);
}

#[test]
fn m_1_a_delayed_offer_is_ruled_in_the_200_and_its_answer_in_the_ack() {
    let mut node = Node::hq();
    let invite = alice("901614960000");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let back = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("0 18"))).the("200");
    assert_eq!(back.formats("audio"), ["18"]);
    let mut caller = Dialog::of_caller(&invite, &back);
    let ack = node.hear(CC_HQ, &caller.request("ACK").body(&audio("18 0"))).the("ACK");
    assert_eq!(ack.formats("audio"), ["18"]);
}

#[test]
fn rfc_3264_a_location_alone_is_no_offer() {
    let mut node = Node::hq();
    let mut invite = alice("901614960000").body("<presence/>");
    "application/pidf+xml".clone_into(&mut invite.content_type);
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!(sent.body(), "<presence/>");
    let offer = audio_and_video("18 101");
    let back = node.hear(BR, answer(&sent, 200, "b1", &[], &offer)).the("200");
    let mut caller = Dialog::of_caller(&invite, &back);
    assert_eq!(node.booked(), [40, 40, 376, 376]);
    node.wait(1_500);
    assert_eq!(node.booked(), [40, 40, 376, 376], "an offer settles nothing");
    let ack = caller.request("ACK").body(&(audio("18") + "a=ptime:30\r\nm=video 0 RTP/AVP 97\r\n"));
    node.hear(CC_HQ, &ack).the("ACK");
    node.wait(1_100);
    assert_eq!(node.booked(), [19, 19, 0, 0]);
}

#[test]
fn m_6_an_answer_in_an_ack_with_nothing_left_ends_the_call() {
    let mut node = Node::hq();
    let invite = alice("901614960000");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let back = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("0 18"))).the("200");
    let mut caller = Dialog::of_caller(&invite, &back);
    let out = node.hear(CC_HQ, &caller.request("ACK").body(&audio("0")));
    assert_eq!(out.told(), ["ACK to br", "BYE to br", "BYE to cc-hq"]);
    assert_eq!((node.ended(), node.booked()), (vec![(200, "node")], [0; 4]));
}

#[test]
fn p_23_no_answer_ends_an_emergency_call() {
    // In the ACK.
    let mut node = Node::hq();
    let invite = alice("9999");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let back = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("0"))).the("200");
    assert_eq!(back.body(), audio("0"));
    let mut caller = Dialog::of_caller(&invite, &back);
    let out = node.hear(CC_HQ, &caller.request("ACK").body(&audio("0")));
    assert_eq!(out.told(), ["ACK to br"]);
    // In the answers of a re-INVITE and of an UPDATE.
    for method in ["INVITE", "UPDATE"] {
        let sent = node.hear(CC_HQ, &caller.request(method).body(&audio("0"))).the(method);
        let out = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("0")));
        assert_eq!(out.told(), ["200 to cc-hq"], "{method}");
        assert_eq!(out.the("200").body(), audio("0"), "{method}");
    }
    assert!(node.ended().is_empty());
}

#[test]
fn p_23_an_early_answer_of_an_emergency_passes_as_it_came() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("9999").body(&audio("0"))).the("INVITE");
    let back = node.hear(BR, answer(&sent, 183, "b1", &[], &audio("0"))).the("183");
    assert_eq!(back.body(), audio("0"));
}

#[test]
fn m_1_offers_inside_a_call_are_ruled_from_either_side() {
    for method in ["INVITE", "UPDATE"] {
        let mut node = Node::hq();
        let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
        let from_caller = node.hear(CC_HQ, &call.caller.request(method).body(&audio("0 18"))).the(method);
        assert_eq!((from_caller.to, from_caller.formats("audio")), (BR, vec!["18".to_owned()]), "{method}");
        let back = node.hear(BR, answer(&from_caller, 200, "b1", &[], &audio("0 18"))).the("200");
        assert_eq!((back.to, back.formats("audio")), (CC_HQ, vec!["18".to_owned()]), "{method}");
        let from_callee = node.hear(BR, &call.callee.request(method).body(&audio("0 18"))).the(method);
        assert_eq!((from_callee.to, from_callee.formats("audio")), (CC_HQ, vec!["18".to_owned()]), "{method}");
        let refused = node.hear(CC_HQ, &call.caller.request(method).body(&audio("0")));
        assert_refused(&refused, 488, "305", "65");
        assert!(node.ended().is_empty(), "the call stands: {method}");
    }
}

#[test]
fn m_1_an_answer_in_a_prack_is_ruled() {
    let mut node = Node::hq();
    let invite = alice("901614960000").header("Supported: 100rel");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let early = answer(&sent, 183, "b1", &["Require: 100rel", "RSeq: 1"], &audio("0 18"));
    let back = node.hear(BR, early).the("183");
    assert_eq!(back.formats("audio"), ["18"], "an offer in a reliable 183");
    let mut caller = Dialog::of_caller(&invite, &back);
    let prack = caller.request("PRACK").header("RAck: 1 1 INVITE").body(&audio("18 0"));
    let passed = node.hear(CC_HQ, &prack).the("PRACK");
    assert_eq!((passed.to, passed.formats("audio")), (BR, vec!["18".to_owned()]));
    assert_eq!(node.hear(BR, says(&passed, 200)).told(), ["200 to cc-hq"]);
}

#[test]
fn m_20_an_early_answer_with_nothing_left_is_left_out() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("0 18"))).the("INVITE");
    let back = node.hear(BR, answer(&sent, 183, "b1", &[], &audio("0"))).the("183");
    assert_eq!((back.body().as_str(), back.header("Content-Length").as_str()), ("", "0"));
    assert_eq!(back.header("Content-Type"), "");
}

#[test]
fn m_6_an_answer_with_nothing_left_is_hung_up_and_the_next_hop_tried() {
    let mut node = Node::br();
    let invite = from_hq("02079460000").body(&audio("0 18"));
    let first = node.hear(HQ, &invite).the("INVITE");
    let out = node.hear(GW_BR_1, answer(&first, 200, "b1", &[], &audio("0")));
    assert_eq!(out.told(), ["ACK to gw-br-1", "BYE to gw-br-1", "INVITE to gw-br-2"]);
    let (ack, bye) = (out.the("ACK"), out.the("BYE"));
    assert_eq!(ack.header("CSeq"), "1 ACK");
    assert_eq!(bye.header("CSeq"), "2 BYE");
    assert_eq!((bye.header("From"), bye.header("Call-ID")), (invite.from.clone(), invite.call_id.clone()));
    assert_eq!(bye.header("To"), format!("{};tag=b1", invite.to));
    assert_eq!(bye.start(), format!("BYE sip:callee@{GW_BR_1} SIP/2.0"));
    let second = out.the("INVITE");
    let out = node.hear(GW_BR_2, answer(&second, 200, "b2", &[], &audio("0")));
    assert_eq!(out.told(), ["ACK to gw-br-2", "BYE to gw-br-2", "488 to hq"]);
    assert_refused(&out, 488, "305", "65");
    assert_eq!((node.ended(), node.booked()), (vec![(488, "refused")], [0; 4]));
}

#[test]
fn m_21_to_m_23_video_is_bounded_and_a_lower_value_is_kept() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio_and_video("0 18"))).the("INVITE");
    let body = sent.body();
    assert!(body.contains("b=AS:376\r\n") && body.contains("b=TIAS:376000\r\n"), "Trap 16: {body}");
    assert_eq!(sent.port("video"), Some(40_002));
    let mut node = Node::hq();
    let low = audio_and_video("0 18").replace("b=AS:2000", "b=AS:128");
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&low)).the("INVITE");
    assert!(sent.has("b=AS:128\r\n"), "{}", sent.body());
}

#[test]
fn m_23_what_a_whole_session_is_said_to_take_is_the_most_its_video_takes_and_books() {
    let narrow = ("link_video_kbps = 4000", "link_video_kbps = 200");
    for (line, want) in
        [("b=AS:150", 150), ("b=TIAS:150000", 150), ("b=AS:1000", 376), ("b=AS:0", 376), ("b=CT:150", 376)]
    {
        let mut node = Node::hq_with(&[narrow]);
        let offer =
            audio_and_video("18").replace("b=AS:2000\r\n", "").replace("t=0 0\r\n", &format!("{line}\r\nt=0 0\r\n"));
        let sent = node.hear(CC_HQ, &alice("901614960000").body(&offer)).the("INVITE");
        if want > 200 {
            assert_eq!(sent.port("video"), Some(0), "{line}: the link is too narrow");
            continue;
        }
        assert!(
            sent.has(&format!("b=AS:{want}\r\n")) && sent.has(&format!("b=TIAS:{want}000\r\n")),
            "{line}: {}",
            sent.body()
        );
        assert_eq!(node.booked()[2..], [want, want], "{line}");
    }
}

#[test]
fn m_22_a_video_cap_of_nothing_closes_the_line_and_keeps_the_call() {
    let mut node = Node::hq_with(&[("region_max_video_kbps = 384", "region_max_video_kbps = 0")]);
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio_and_video("18"))).the("INVITE");
    assert_eq!((sent.port("audio"), sent.port("video")), (Some(40_000), Some(0)));
}

#[test]
fn m_14_and_m_15_preference_and_link_loss_order_what_leaves() {
    let cap = ("region_max_audio_kbps = 8", "region_max_audio_kbps = 64");
    let lossy = ("region_link_loss = \"low-loss\"", "region_link_loss = \"lossy\"");
    let isac = "a=rtpmap:105 isac/16000\r\n";
    for (changes, want) in [(vec![cap], "9 105 0 18"), (vec![cap, lossy], "105 9 0 18")] {
        let mut node = Node::hq_with(&changes);
        let offer = audio("18 0 105 9") + isac;
        let sent = node.hear(CC_HQ, &alice("901614960000").body(&offer)).the("INVITE");
        let formats = sent.formats("audio").join(" ");
        let place = |format: &str| want.split(' ').position(|known| known == format).expect("known");
        assert!(formats.split(' ').is_sorted_by_key(place), "Trap 15, M-7: {formats}");
        assert_eq!(formats.split(' ').count(), 4);
    }
}

#[test]
fn crypto_and_what_nobody_knows_stays_in_a_ruled_description() {
    let mut node = crate::tls::hq_with_a_secure_session();
    let kept = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n\
        a=x-private: odd  spacing\r\na=ice-lite\r\n";
    let offer = audio("0 18").replace("RTP/AVP", "RTP/SAVP") + kept;
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&offer)).the("INVITE");
    let want = offer.replace("SAVP 0 18", "SAVP 18").replace("a=rtpmap:0 PCMU/8000\r\n", "");
    assert_eq!(sent.description(), want);
}

#[test]
fn m_16_a_variable_codec_passes_only_when_it_is_bound() {
    let opus = audio("96 18");
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&opus)).the("INVITE");
    assert_eq!(sent.formats("audio"), ["18"], "M-17");
    let bound = [("variable_rate_codecs = \"exclude\"", "variable_rate_codecs = \"bound\"")];
    let mut node = Node::hq_with(&bound);
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&opus)).the("INVITE");
    assert!(sent.has("maxaveragebitrate=8000"), "{}", sent.body());
}

#[test]
fn bobs_mid_call_offers_are_untouched() {
    let mut node = Node::hq();
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("0 8"))).the("INVITE");
    assert_eq!(sent.body(), audio("0 8"));
}

/// G.729 alone, with this fmtp line.
fn g729(fmtp: &str) -> String {
    let line = if fmtp.is_empty() { String::new() } else { format!("a=fmtp:18 {fmtp}\r\n") };
    audio("18") + &line
}

#[test]
fn m_19_an_answer_has_annex_b_only_where_the_offer_had_it() {
    type Place = fn() -> Node;
    for (what, place, invite) in [
        ("at home, over the trunk", Node::hq as Place, alice("901614960000")),
        ("at home, to the gateway", Node::hq, alice("912025550123")),
        ("at the visited cluster", Node::br, from_hq("02079460000")),
        ("an emergency", Node::br, from_hq("999")),
    ] {
        for (offered, answered, want) in [
            ("annexb=no", "", "annexb=no"),
            ("annexb=no", "annexb=yes", "annexb=no"),
            ("annexb=no", "annexb=no", "annexb=no"),
            ("", "annexb=no", "annexb=no"),
            ("", "", ""),
            ("annexb=yes", "", ""),
        ] {
            let mut node = place();
            let sent = node
                .hear(
                    invite.at,
                    &Request { call_id: format!("{what}{offered}{answered}").replace(' ', ""), ..invite.clone() }
                        .body(&g729(offered)),
                )
                .the("INVITE");
            assert_eq!(sent.description(), g729(offered), "the offer leaves as it came: {what}");
            for status in [183, 200] {
                let back = node.hear(sent.to, answer(&sent, status, "b1", &[], &g729(answered)));
                let back = back.the(&status.to_string());
                assert_eq!(back.description(), g729(want), "{what}: {offered:?}, {answered:?} in {status}");
            }
        }
    }
}

/// AMR-WB and AMR alone, with these fmtp texts, and G.729 behind them.
fn amr(wide: &str, narrow: &str) -> String {
    let line = |number: u8, fmtp: &str| match fmtp {
        "" => String::new(),
        fmtp => format!("a=fmtp:{number} {fmtp}\r\n"),
    };
    audio("97 98 18")
        + "a=rtpmap:97 AMR-WB/16000\r\n"
        + &line(97, wide)
        + "a=rtpmap:98 AMR/8000\r\n"
        + &line(98, narrow)
}

#[test]
fn m_16_an_answer_has_no_mode_that_its_offer_had_not() {
    let wide = [("region_max_audio_kbps = 8\n", "region_max_audio_kbps = 24\n")];
    for (what, offered, answered, want) in [
        ("as offered", ("mode-set=0,1,2", "mode-set=0,2"), ("mode-set=0,1,2", "mode-set=0,2"), None),
        ("fewer", ("mode-set=0,1,2", "mode-set=0,2"), ("mode-set=0", "mode-set=2"), None),
        ("all to all", ("", ""), ("", ""), None),
        (
            "all to some",
            ("mode-set=0,1,2", "octet-align=1;mode-set=0,2"),
            ("", "octet-align=1"),
            Some(("mode-set=0,1,2", "octet-align=1;mode-set=0,2")),
        ),
        (
            "more",
            ("mode-set=0,1,2", "mode-set=0,2"),
            ("mode-set=0,2,8", "mode-set=1,2,7; octet-align=1"),
            Some(("mode-set=0,2", "mode-set=2; octet-align=1")),
        ),
    ] {
        let mut node = Node::hq_with(&wide);
        let invite = alice("901614960000").body(&amr(offered.0, offered.1));
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        assert_eq!(sent.description(), amr(offered.0, offered.1), "the offer leaves as it came: {what}");
        let back = node.hear(BR, answer(&sent, 200, "b1", &[], &amr(answered.0, answered.1))).the("200");
        let (wide, narrow) = want.unwrap_or(answered);
        assert_eq!(back.description(), amr(wide, narrow), "{what}");
        // An offer within the call takes the place of the first.
        let mut caller = Dialog::of_caller(&invite, &back);
        node.hear(CC_HQ, &caller.request("ACK"));
        let again = node.hear(CC_HQ, &caller.request("INVITE").body(&amr("mode-set=5", ""))).the("INVITE");
        let back = node.hear(BR, answer(&again, 200, "b1", &[], &amr("", "mode-set=7"))).the("200");
        assert_eq!(back.description(), amr("mode-set=5", "mode-set=7"), "{what}, within the call");
    }
}

#[test]
fn m_16_an_answer_with_none_of_the_offered_modes_is_one_without_a_codec() {
    let wide = [("region_max_audio_kbps = 8\n", "region_max_audio_kbps = 24\n")];
    let only = |fmtp: &str| audio("98") + "a=rtpmap:98 AMR/8000\r\na=fmtp:98 " + fmtp + "\r\n";
    let mut node = Node::hq_with(&wide);
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&only("mode-set=0,1"))).the("INVITE");
    let out = node.hear(BR, answer(&sent, 200, "b1", &[], &only("mode-set=7")));
    assert_eq!(out.the("488").what(), "488");
    // Nothing ends an emergency call.
    let mut node = Node::br();
    let sent = node.hear(HQ, &from_hq("999").body(&only("mode-set=0,1"))).the("INVITE");
    let back = node.hear(sent.to, answer(&sent, 200, "b1", &[], &only("mode-set=7"))).the("200");
    assert_eq!(back.description(), only("mode-set=7"));
}

#[test]
fn m_19_the_offer_of_a_2xx_and_one_within_the_call_count_as_the_first() {
    // Asked without an offer: the 200 offers, the ACK answers.
    let mut node = Node::hq();
    let invite = alice("901614960000");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let answered = node.hear(BR, answer(&sent, 200, "b1", &[], &g729("annexb=no"))).the("200");
    let mut caller = Dialog::of_caller(&invite, &answered);
    let ack = node.hear(CC_HQ, &caller.request("ACK").body(&g729(""))).the("ACK");
    assert_eq!(ack.description(), g729("annexb=no"));
    // An offer within the call takes the place of the first.
    for (offered, want) in [("", ""), ("annexb=no", "annexb=no"), ("annexb=yes", "")] {
        let again = node.hear(CC_HQ, &caller.request("INVITE").body(&g729(offered))).the("INVITE");
        let back = node.hear(BR, answer(&again, 200, "b1", &[], &g729(""))).the("200");
        assert_eq!(back.description(), g729(want), "{offered:?}");
        node.hear(CC_HQ, &caller.request("ACK"));
    }
}

/// A call whose callee answered its offer with a reliable 183; the INVITE sent and both ends of the early
/// dialog.
fn early(node: &mut Node, invite: Request) -> (Sent, Dialog, Dialog) {
    let invite = invite.header("Supported: 100rel").body(&audio("0 18"));
    let sent = node.hear(invite.at, &invite).the("INVITE");
    let back = node.hear(sent.to, answer(&sent, 183, "b1", &["Require: 100rel", "RSeq: 1"], &audio("18"))).the("183");
    let (caller, callee) = (Dialog::of_caller(&invite, &back), Dialog::of_callee(&sent, "b1"));
    (sent, caller, callee)
}

#[test]
fn m_6_an_answer_beyond_the_region_in_an_early_dialog_ends_the_try_and_the_caller_hears_488() {
    for what in ["PRACK", "UPDATE", "UPDATE of the callee"] {
        let mut node = Node::hq();
        let (sent, mut caller, mut callee) = early(&mut node, alice("901614960000"));
        let method = what.split(' ').next().unwrap();
        let (by, asks) = if what == method { (CC_HQ, &mut caller) } else { (BR, &mut callee) };
        let request = asks.request(method).body(&audio("18"));
        let request = if method == "PRACK" { request.header("RAck: 1 1 INVITE") } else { request };
        let asked = node.hear(by, &request).the(method);
        let out = node.hear(asked.to, answer(&asked, 200, "b1", &[], &audio("0")));
        let back = format!("200 to {}", name(by));
        assert_eq!(out.told(), [back.as_str(), "CANCEL to br", "488 to cc-hq"], "{what}");
        assert!(out.the("CANCEL").header("Reason").contains("cause=488"), "{what}");
        assert_refused(&out, 488, "305", "65");
        assert_eq!((node.ended(), node.booked()), (vec![(488, "refused")], [0; 4]), "{what}");
        // An answer that crosses the CANCEL is for nobody.
        let out = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("18")));
        assert_eq!(out.told(), ["ACK to br", "BYE to br"], "{what}");
    }
}

#[test]
fn p_8_an_answer_beyond_the_region_in_an_early_dialog_is_followed_by_the_next_gateway() {
    let mut node = Node::br();
    let (first, mut caller, _) = early(&mut node, from_hq("02079460000"));
    let asked = node.hear(HQ, &caller.request("UPDATE").body(&audio("18"))).the("UPDATE");
    let out = node.hear(GW_BR_1, answer(&asked, 200, "b1", &[], &audio("0")));
    assert_eq!(out.told(), ["200 to hq", "CANCEL to gw-br-1", "INVITE to gw-br-2"]);
    let second = out.the("INVITE");
    assert_eq!(node.hear(GW_BR_1, says(&first, 487)).told(), ["ACK to gw-br-1"]);
    assert_eq!(node.hear(GW_BR_2, answer(&second, 200, "b2", &[], &audio("18"))).told(), ["200 to hq"]);
    assert_eq!(node.ended(), [], "it stands");
}

#[test]
fn m_6_a_reliable_answer_of_a_re_invite_beyond_the_region_ends_the_call() {
    for by_callee in [false, true] {
        let mut node = Node::hq();
        let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
        let (from, asks) = if by_callee { (BR, &mut call.callee) } else { (CC_HQ, &mut call.caller) };
        let sent =
            node.hear(from, &asks.request("INVITE").header("Supported: 100rel").body(&audio("18"))).the("INVITE");
        let reliable = ["Require: 100rel", "RSeq: 1"];
        let out = node.hear(sent.to, answer(&sent, 183, "b1", &reliable, &audio("0")));
        let back = format!("183 to {}", name(from));
        assert_eq!(out.told(), [back.as_str(), "BYE to br", "BYE to cc-hq"]);
        assert_eq!(out.the("183").body(), "");
        assert_eq!((node.ended(), node.booked()), (vec![(200, "node")], [0; 4]));
        // The re-INVITE has its own end (RFC 3261 section 15.1.2).
        let out = node.hear(sent.to, says(&sent, 487));
        assert!(out.told().contains(&format!("487 to {}", name(from))), "{:?}", out.told());
    }
    // One that is not reliable is left out, and the final one decides.
    let mut node = Node::hq();
    let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("18"))).the("INVITE");
    assert_eq!(node.hear(BR, answer(&sent, 183, "b1", &[], &audio("0"))).told(), ["183 to cc-hq"]);
    assert_eq!(node.ended(), []);
    // Nothing ends an emergency call (P-23).
    let mut call = stand(&mut node, alice("9999").body(&audio("18")), &audio("18"));
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("18"))).the("INVITE");
    let out = node.hear(BR, answer(&sent, 183, "b1", &["Require: 100rel", "RSeq: 1"], &audio("0")));
    assert_eq!((out.told(), out.the("183").body()), (vec!["183 to cc-hq".to_owned()], audio("0")));
}
