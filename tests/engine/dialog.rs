//! Requests of calls that stand: by which way they go, and what becomes of them when the other end is gone.

use std::collections::BTreeSet;

use emcc_trunk::neighbour::Transport;

use crate::node::{BR, CC_HQ, GW_BR_1, GW_HQ, HQ, Node, Out, Sent, plan};
use crate::wire::{
    Dialog, Request, Standing, alice, answer, audio, bob, from_hq, hang_up, says, serial, stand, without_top_via,
};

fn bobs(node: &mut Node) -> Standing {
    stand(node, bob("912025550123").body(&audio("0")), &audio("0"))
}

#[test]
fn both_ends_see_our_record_route_and_reach_each_other_through_it() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    for response in [&call.invite, &call.answered] {
        assert_eq!(response.headers("Record-Route"), ["<sip:127.0.1.1:5060;lr>"]);
    }
    for method in ["INFO", "UPDATE", "INVITE"] {
        let down = node.hear(CC_HQ, &call.caller.request(method)).the(method);
        assert_eq!((down.to, down.headers("Route").len()), (GW_HQ, 0), "{method}");
        assert_eq!(node.hear(GW_HQ, says(&down, 200)).told(), ["200 to cc-hq"]);
        let up = node.hear(GW_HQ, &call.callee.request(method)).the(method);
        assert_eq!((up.to, up.headers("Route").len()), (CC_HQ, 0), "{method}");
        assert_eq!(node.hear(CC_HQ, says(&up, 200)).told(), ["200 to gw-hq"]);
    }
    hang_up(&mut node, &mut call);
    assert_eq!(node.ended(), [(200, "caller")]);
}

#[test]
fn a_request_without_our_route_finds_its_call_all_the_same() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    let bare = |mut request: Request| {
        request.more.retain(|line| !line.starts_with("Route"));
        request.uri = format!("sip:whoever@{HQ}");
        request
    };
    let down = node.hear(CC_HQ, &bare(call.caller.request("INFO"))).the("INFO");
    assert_eq!(down.to, GW_HQ);
    let up = node.hear(GW_HQ, &bare(call.callee.request("BYE"))).the("BYE");
    assert_eq!(up.to, CC_HQ);
    node.hear(CC_HQ, says(&up, 200));
    assert_eq!(node.ended(), [(200, "callee")]);
}

#[test]
fn a_call_no_longer_known_still_passes_the_region_of_the_trunk_it_crosses() {
    let mut node = Node::hq();
    let mut other = Node::hq();
    // The same call, on a node that was started anew.
    let mut call = stand(&mut other, alice("901614960000").body(&audio("18")), &audio("18"));
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("0 18"))).the("INVITE");
    assert_eq!((sent.to, sent.formats("audio")), (BR, vec!["18".to_owned()]), "M-1");
    assert_eq!(node.hear(CC_HQ, &call.caller.request("UPDATE").body(&audio("0"))).told(), ["488 to cc-hq"], "M-6");
}

#[test]
fn a_hold_in_a_call_no_longer_known_is_acknowledged_too() {
    let (mut node, mut other) = (Node::hq(), Node::hq());
    // The same call, on a node that was started anew.
    let mut call = stand(&mut other, bob("912025550123").body(&audio("0")), &audio("0"));
    let hold = call.caller.request("INVITE").body(&audio("0"));
    let sent = node.hear(CC_HQ, &hold).the("INVITE");
    node.hear(GW_HQ, answer(&sent, 200, "b1", &[], &audio("0"))).the("200");
    let mut ack = hold.clone();
    ack.method = "ACK".to_owned();
    ack.branch = format!("z9hG4bK-{}", serial());
    assert_eq!(node.hear(CC_HQ, &ack.clone().body("")).the("ACK").to, GW_HQ);
    // One that names no way on is nobody's.
    ack.more.retain(|header| !header.starts_with("Route"));
    ack.branch = format!("z9hG4bK-{}", serial());
    assert_eq!(node.hear(CC_HQ, &ack).told(), Vec::<String>::new());
}

#[test]
fn an_unknown_dialog_is_481_without_our_route_and_passes_with_it() {
    let mut node = Node::hq();
    let mut bye = Request::new("BYE", CC_HQ, HQ, "5002", "x");
    bye.to += ";tag=gone";
    bye.uri = format!("sip:x@{GW_HQ}");
    assert_eq!(node.hear(CC_HQ, &bye).told(), ["481 to cc-hq"]);
    bye.branch = format!("z9hG4bK-{}", serial());
    let routed = bye.header("Route: <sip:127.0.1.1:5060;lr>");
    assert_eq!(node.hear(CC_HQ, &routed).the("BYE").to, GW_HQ, "as after a restart of the node");
}

#[test]
fn a_re_invites_failure_passes_and_the_call_stands() {
    for (status, back) in [(491, 491), (500, 500), (503, 500), (488, 488), (603, 603)] {
        let mut node = Node::hq();
        let mut call = bobs(&mut node);
        let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("0"))).the("INVITE");
        let out = node.hear(GW_HQ, answer(&sent, status, "b1", &["Retry-After: 3"], ""));
        assert_eq!(out.told(), ["ACK to gw-hq".to_owned(), format!("{back} to cc-hq")], "503 speaks for its sender");
        assert_eq!(out.refusal().header("Retry-After"), "3");
        assert_eq!((node.engine.calls(), node.ended()), (1, vec![]), "{status}");
        hang_up(&mut node, &mut call);
    }
}

#[test]
fn our_own_refusal_of_a_re_invite_repeats_until_its_ack_and_the_ack_stays_here() {
    let mut node = Node::hq();
    let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    let again = call.caller.request("INVITE").body(&audio("0"));
    let refused = node.hear(CC_HQ, &again).the("488");
    assert_eq!(node.wait(600).told(), ["488 to cc-hq"], "Timer G");
    assert_eq!(node.hear(CC_HQ, &again).told(), ["488 to cc-hq"]);
    assert_eq!(node.hear(CC_HQ, &again.ack(&refused)).told(), Vec::<String>::new());
    assert_eq!(node.wait(10_000).told(), Vec::<String>::new());
    assert_eq!(node.engine.calls(), 1);
}

#[test]
fn two_re_invites_at_once_both_reach_the_other_end() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    let down = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("0"))).the("INVITE");
    let up = node.hear(GW_HQ, &call.callee.request("INVITE").body(&audio("0"))).the("INVITE");
    assert_eq!((down.to, up.to), (GW_HQ, CC_HQ));
    assert_eq!(node.hear(GW_HQ, says(&down, 491)).the("491").to, CC_HQ);
    assert_eq!(node.hear(CC_HQ, says(&up, 491)).the("491").to, GW_HQ);
}

#[test]
fn a_re_invite_is_cancelled_by_itself() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    let again = call.caller.request("INVITE").body(&audio("0"));
    let sent = node.hear(CC_HQ, &again).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180));
    let out = node.hear(CC_HQ, &again.cancel());
    assert_eq!(out.told(), ["200 to cc-hq", "CANCEL to gw-hq"]);
    assert_eq!(out.the("CANCEL").header("Via"), sent.header("Via"));
    assert_eq!(node.hear(GW_HQ, says(&sent, 487)).told(), ["ACK to gw-hq", "487 to cc-hq"]);
    assert_eq!(node.engine.calls(), 1);
}

#[test]
fn rfc_3261_9_1_a_cancelled_re_invite_whose_far_end_says_no_more_is_487() {
    let finals = |out: &Out| {
        let told: BTreeSet<_> = out.0.iter().filter(|sent| sent.to == CC_HQ).map(Sent::what).collect();
        told.into_iter().collect::<Vec<_>>()
    };
    // 408 would have its sender end the call (RFC 3261 section 12.2.1.2), one for help too (P-23).
    for called in ["912025550123", "9911"] {
        for said in [Some(100), Some(180), None] {
            let mut node = Node::hq();
            let mut call = stand(&mut node, bob(called).body(&audio("0")), &audio("0"));
            let again = call.caller.request("INVITE").body(&audio("0"));
            let sent = node.hear(CC_HQ, &again).the("INVITE");
            if let Some(status) = said {
                node.hear(sent.to, says(&sent, status));
            }
            assert_eq!(node.hear(CC_HQ, &again.cancel()).the("200").to, CC_HQ);
            assert_eq!(finals(&node.wait(33_000)), ["487"], "{called}, {said:?}");
            assert_eq!((node.engine.calls(), node.ended()), (1, vec![]), "{called}, {said:?}");
        }
        let mut node = Node::hq();
        let mut call = stand(&mut node, bob(called).body(&audio("0")), &audio("0"));
        let again = call.caller.request("INVITE").body(&audio("0"));
        let sent = node.hear(CC_HQ, &again).the("INVITE");
        node.hear(CC_HQ, &again.cancel());
        assert_eq!(finals(&node.fail(&sent)), ["487"], "{called}, unreachable");
    }
}

#[test]
fn a_bye_to_a_hop_that_cannot_be_reached_is_500_and_the_call_is_over() {
    let mut node = Node::hq();
    let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    let bye = node.hear(CC_HQ, &call.caller.request("BYE")).the("BYE");
    let out = node.fail(&bye);
    assert_eq!(out.told(), ["500 to cc-hq"]);
    assert_eq!(out.the("500").headers("Via").len(), 1);
    assert_eq!((node.engine.calls(), node.booked(), node.ended()), (0, [0; 4], vec![(200, "caller")]));
}

#[test]
fn a_bye_challenged_is_tried_again_and_the_call_stands_until_then() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    let bye = node.hear(CC_HQ, &call.caller.request("BYE")).the("BYE");
    assert_eq!(node.hear(GW_HQ, says(&bye, 401)).told(), ["401 to cc-hq"]);
    assert_eq!(node.engine.calls(), 1);
    hang_up(&mut node, &mut call);
    assert_eq!(node.engine.calls(), 0);
}

#[test]
fn a_repeated_request_is_answered_from_its_row() {
    let mut node = Node::hq();
    let invite = bob("912025550123").body(&audio("0"));
    let first = node.hear(CC_HQ, &invite);
    let sent = first.the("INVITE");
    let again = node.hear(CC_HQ, &invite);
    assert_eq!(again.told(), ["100 to cc-hq"]);
    assert_eq!(again.the("100").bytes, first.the("100").bytes, "made again, octet for octet");
    let ringing = node.hear(GW_HQ, says(&sent, 180)).the("180");
    assert_eq!(node.hear(CC_HQ, &invite).the("180").bytes, ringing.bytes);
    let back = node.hear(GW_HQ, answer(&sent, 200, "b1", &[], &audio("0"))).the("200");
    assert_eq!(node.hear(CC_HQ, &invite).told(), Vec::<String>::new(), "RFC 6026: who answered repeats its 200");
    let mut caller = Dialog::of_caller(&invite, &back);
    node.hear(CC_HQ, &caller.request("ACK"));
    let info = caller.request("INFO");
    let passed = node.hear(CC_HQ, &info).the("INFO");
    assert_eq!(node.hear(CC_HQ, &info).told(), Vec::<String>::new());
    let reply = node.hear(GW_HQ, says(&passed, 200)).the("200");
    assert_eq!(node.hear(CC_HQ, &info).the("200").bytes, reply.bytes);
    assert_eq!(node.hear(GW_HQ, says(&passed, 200)).told(), Vec::<String>::new(), "a copy of a final response");
}

#[test]
fn a_repeated_200_and_its_ack_pass_each_time() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    let again = node.hear(GW_HQ, answer(&call.invite, 200, "b1", &[], &audio("0")));
    assert_eq!(again.told(), ["200 to cc-hq"]);
    assert_eq!(node.hear(CC_HQ, &call.caller.request("ACK")).told(), ["ACK to gw-hq"]);
}

#[test]
fn a_request_that_nobody_answers_repeats_and_ends_without_408() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    node.hear(CC_HQ, &call.caller.request("INFO")).the("INFO");
    let out = node.wait(40_000);
    assert_eq!(out.0.len(), 10, "Timer E: {:?}", out.told());
    assert!(out.0.iter().all(|sent| sent.what() == "INFO" && sent.to == GW_HQ), "RFC 4320 section 4.2");
    assert_eq!(node.engine.transactions(), 1, "the INVITE server row is accepted for 32 s only: {:?}", node.ended());
}

#[test]
fn a_silent_re_invite_is_408() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("0"))).the("INVITE");
    let out = node.wait(33_000);
    assert!(out.told().contains(&"408 to cc-hq".to_owned()), "{:?}", out.told());
    assert_eq!(node.engine.calls(), 1);
}

#[test]
fn rfc_5658_between_transports_each_side_gets_its_own_record_route() {
    let mut node = Node::hq_with(&[("addresses = [\"udp:127.0.1.20:5060\"]", "addresses = [\"tcp:127.0.1.20:5060\"]")]);
    let invite = bob("912025550123").body(&audio("0"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!((sent.to, sent.over), (GW_HQ, Transport::Tcp));
    let ours = ["<sip:127.0.1.1:5060;lr;transport=tcp>", "<sip:127.0.1.1:5060;lr>"];
    assert_eq!(sent.headers("Record-Route"), ours);
    assert!(sent.header("Via").starts_with("SIP/2.0/TCP 127.0.1.1:5060;"));
    let back = node.hear_on_stream(GW_HQ, 9, answer(&sent, 200, "b1", &[], &audio("0"))).the("200");
    assert_eq!((back.to, back.over), (CC_HQ, Transport::Udp));
    let (mut caller, mut callee) = (Dialog::of_caller(&invite, &back), Dialog::of_callee(&sent, "b1"));
    let ack = node.hear(CC_HQ, &caller.request("ACK")).the("ACK");
    assert_eq!((ack.to, ack.over, ack.headers("Route").len()), (GW_HQ, Transport::Tcp, 0), "both of ours come off");
    let mut up = callee.request("INFO");
    up.transport = "TCP";
    let passed = node.hear_on_stream(GW_HQ, 9, &up).the("INFO");
    assert_eq!((passed.to, passed.over, passed.headers("Route").len()), (CC_HQ, Transport::Udp, 0));
    let down = node.hear(CC_HQ, &caller.request("BYE")).the("BYE");
    assert_eq!((down.to, down.over), (GW_HQ, Transport::Tcp));
    node.hear_on_stream(GW_HQ, 9, says(&down, 200)).the("200");
    assert_eq!(node.engine.calls(), 0);
}

#[test]
fn a_route_beyond_us_is_followed_to_a_neighbour() {
    let mut node = Node::hq();
    let mut call = bobs(&mut node);
    let mut info = call.caller.request("INFO").header(&format!("Route: <sip:{BR};lr>"));
    info.uri = "sip:far@203.0.113.9".to_owned();
    let sent = node.hear(CC_HQ, &info).the("INFO");
    assert_eq!((sent.to, sent.headers("Route")), (BR, vec![format!("<sip:{BR};lr>")]));
}

#[test]
fn a_call_that_passes_the_node_twice_keeps_two_rows() {
    let mut node = Node::hq();
    let invite = bob("5001").body(&audio("18"));
    let first = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!(first.to, CC_HQ, "to call control, which sends it on through us");
    let mut again = invite.clone();
    again.branch += "-again";
    again.uri = format!("sip:912025550123@{HQ}");
    again.more.push(format!("Record-Route: {}", first.header("Record-Route")));
    let second = node.hear(CC_HQ, &again).the("INVITE");
    assert_eq!(second.to, GW_HQ);
    assert_eq!(second.headers("Record-Route")[0], "<sip:127.0.1.1:5060;lr;pass=1>");
    assert_eq!(node.engine.calls(), 2);
}

#[test]
fn rfc_3261_16_12_a_call_back_to_its_gateway_through_a_silent_proxy_is_acknowledged_and_ended_there() {
    for from_callee in [false, true] {
        let mut node = Node::hq();
        let invite = Request::new("INVITE", GW_HQ, HQ, "12025550100", "5002").body(&audio("18"));
        let first = node.hear(GW_HQ, &invite).the("INVITE");
        assert_eq!(first.to, CC_HQ);
        // Call control sends it on through us, and is in no Record-Route.
        let mut again = invite.clone();
        (again.at, again.branch) = (CC_HQ, format!("{}-again", invite.branch));
        again.uri = format!("sip:912025550123@{HQ}");
        again.more.extend(first.headers("Via").iter().map(|via| format!("Via: {via}")));
        again.more.push(format!("Record-Route: {}", first.header("Record-Route")));
        again.more.push("P-Asserted-Identity: <sip:5002@hq>".to_owned());
        let second = node.hear(CC_HQ, &again).the("INVITE");
        assert_eq!((second.to, second.headers("Record-Route").len()), (GW_HQ, 2));
        let back = node.hear(GW_HQ, answer(&second, 200, "b1", &[], &audio("18"))).the("200");
        let answered = node.hear(CC_HQ, without_top_via(&back)).the("200");
        assert_eq!(answered.to, GW_HQ);
        let (mut caller, mut callee) = (Dialog::of_caller(&invite, &answered), Dialog::of_callee(&second, "b1"));
        let ack = node.hear(GW_HQ, &caller.request("ACK")).the("ACK");
        assert_eq!((ack.to, ack.headers("Route").len()), (GW_HQ, 0));
        let end = if from_callee { &mut callee } else { &mut caller };
        let bye = node.hear(GW_HQ, &end.request("BYE")).the("BYE");
        assert_eq!((bye.to, bye.headers("Route").len()), (GW_HQ, 0), "by the callee: {from_callee}");
        node.hear(GW_HQ, says(&bye, 200)).the("200");
        assert_eq!(node.engine.calls(), 0);
    }
}

#[test]
fn a_bye_in_an_early_dialog_leaves_the_invite_its_final_response() {
    let mut node = Node::hq();
    let invite = alice("901614960000").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let ringing = node.hear(BR, says(&sent, 180)).the("180");
    let bye = node.hear(CC_HQ, &Dialog::of_caller(&invite, &ringing).request("BYE")).the("BYE");
    assert_eq!(bye.to, BR);
    assert_eq!(node.hear(BR, says(&bye, 200)).told(), ["200 to cc-hq"]);
    assert_eq!(node.hear(BR, says(&sent, 487)).told(), ["ACK to br", "487 to cc-hq"], "RFC 3261 section 15.1.2");
    assert_eq!((node.engine.calls(), node.booked()), (0, [0; 4]));
}

#[test]
fn requests_of_an_early_dialog_reach_the_hop_that_rings() {
    let mut node = Node::br();
    let invite = crate::wire::from_hq("02079460000").body(&audio("18"));
    let first = node.hear(HQ, &invite).the("INVITE");
    let second = node.hear(first.to, says(&first, 503)).the("INVITE");
    let ringing = node.hear(second.to, says(&second, 180)).the("180");
    let mut caller = Dialog::of_caller(&invite, &ringing);
    for method in ["PRACK", "UPDATE", "INFO"] {
        assert_eq!(node.hear(HQ, &caller.request(method)).the(method).to, second.to, "{method}");
    }
    let mut callee = Dialog::of_callee(&second, "b1");
    assert_eq!(node.hear(second.to, &callee.request("UPDATE")).the("UPDATE").to, HQ);
}

#[test]
fn a_reload_leaves_standing_calls_their_way_and_their_region() {
    let mut node = Node::hq();
    let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    let wide = [("region_max_audio_kbps = 8", "region_max_audio_kbps = 64")];
    node.engine.reload(crate::node::plan("hq", &wide));
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("0 18"))).the("INVITE");
    assert_eq!(sent.formats("audio"), ["18"], "a call keeps the plan it began with");
    let new = node.hear(CC_HQ, &alice("901614960000").body(&audio("0 18"))).the("INVITE");
    assert_eq!(new.formats("audio"), ["0", "18"]);
    hang_up(&mut node, &mut call);
}

#[test]
fn a_call_that_call_control_proxies_back_through_us_is_acknowledged_and_ended_on_every_pass() {
    let mut node = Node::hq();
    let invite = bob("5001").body(&audio("18"));
    let first = node.hear(CC_HQ, &invite).the("INVITE");
    // Call control is a proxy that records no route of its own.
    let via = format!("Via: SIP/2.0/UDP {CC_HQ};branch=z9hG4bK-p{}\r\nVia: ", serial());
    let back =
        first.text().replacen("Via: ", &via, 1).replacen("sip:5001@127.0.1.10:5060", "sip:912025550123@127.0.1.1", 1);
    let second = node.hear(CC_HQ, back).the("INVITE");
    assert_eq!((second.to, node.engine.calls()), (GW_HQ, 2));
    let inner = node.hear(GW_HQ, answer(&second, 200, "b1", &[], &audio("18"))).the("200");
    let proxied = inner.text();
    let (start, rest) = proxied.split_once("\r\n").expect("a start line");
    let (_, rest) = rest.split_once("\r\n").expect("its own Via");
    let answered = node.hear(CC_HQ, format!("{start}\r\n{rest}")).the("200");
    let mut caller = Dialog::of_caller(&invite, &answered);
    let ack = node.hear(CC_HQ, &caller.request("ACK")).the("ACK");
    assert_eq!((ack.to, ack.headers("Route").len()), (GW_HQ, 0));
    assert!(node.wait_with_peer(100_000).told().is_empty(), "nobody hangs up a call that stands");
    let bye = node.hear(CC_HQ, &caller.request("BYE")).the("BYE");
    assert_eq!(node.hear(GW_HQ, says(&bye, 200)).told(), ["200 to cc-hq"]);
    assert_eq!((node.engine.calls(), node.booked()), (0, [0; 4]));
}

#[test]
fn rfc_3261_16_4_a_request_that_names_the_node_before_this_one_is_not_sent_back_to_it() {
    // The Request-URI of the INVITE, in all requests: what elements write that take no Contact.
    for method in ["INFO", "INVITE", "BYE"] {
        for with_route in [true, false] {
            let mut node = Node::br();
            let mut call = stand(&mut node, from_hq("999").body(&audio("18")), &audio("18"));
            let mut request = call.caller.request(method);
            request.uri = format!("sip:999@{HQ}");
            if !with_route {
                request.more.retain(|line| !line.starts_with("Route"));
            }
            assert_eq!(node.hear(HQ, &request).the(method).to, GW_BR_1, "{method}, with Route: {with_route}");
        }
    }
    let mut node = Node::br();
    let invite = from_hq("999").body(&audio("18"));
    let sent = node.hear(HQ, &invite).the("INVITE");
    let answered = node.hear(GW_BR_1, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    let mut ack = Dialog::of_caller(&invite, &answered).request("ACK");
    ack.uri = format!("sip:999@{HQ}");
    assert_eq!(node.hear(HQ, &ack).the("ACK").to, GW_BR_1);
}

/// The gateway of emergency calls has moved, and nobody is where it was.
const GATEWAY_MOVED: (&str, &str) = ("udp:127.0.2.20:5060", "udp:127.0.2.29:5060");
/// The trunk's other end has moved.
const TRUNK_MOVED: (&str, &str) = ("trunk = [\"udp:127.0.1.1:5060\"]", "trunk = [\"udp:127.0.1.9:5060\"]");

#[test]
fn a_reload_that_takes_a_neighbour_away_cuts_no_call_of_it() {
    // A call that rings while its gateway is taken away is answered, acknowledged and ended by either side.
    for by_callee in [false, true] {
        let mut node = Node::br();
        let invite = from_hq("999").body(&audio("18"));
        let sent = node.hear(HQ, &invite).the("INVITE");
        node.hear(GW_BR_1, says(&sent, 180)).the("180");
        node.engine.reload(plan("br", &[GATEWAY_MOVED, TRUNK_MOVED]));
        let answered = node.hear(GW_BR_1, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
        assert_eq!(answered.to, HQ);
        let (mut caller, mut callee) = (Dialog::of_caller(&invite, &answered), Dialog::of_callee(&sent, "b1"));
        assert_eq!(node.hear(HQ, &caller.request("ACK")).the("ACK").to, GW_BR_1);
        let info = node.hear(GW_BR_1, &callee.request("INFO")).the("INFO");
        assert_eq!((info.to, node.hear(HQ, says(&info, 200)).the("200").to), (HQ, GW_BR_1));
        let (from, to, end) = if by_callee { (GW_BR_1, HQ, &mut callee) } else { (HQ, GW_BR_1, &mut caller) };
        let bye = node.hear(from, &end.request("BYE")).the("BYE");
        assert_eq!((bye.to, node.hear(to, says(&bye, 200)).the("200").to), (to, from));
        assert_eq!((node.engine.calls(), node.booked()), (0, [0; 4]));
    }
    // Given up while it rings.
    let mut node = Node::br();
    let invite = from_hq("999").body(&audio("18"));
    let sent = node.hear(HQ, &invite).the("INVITE");
    node.hear(GW_BR_1, says(&sent, 180)).the("180");
    node.engine.reload(plan("br", &[GATEWAY_MOVED, TRUNK_MOVED]));
    let out = node.hear(HQ, &invite.cancel());
    assert_eq!((out.the("200").to, out.the("CANCEL").to), (HQ, GW_BR_1));
    let refused = node.hear(GW_BR_1, says(&sent, 487)).the("487");
    assert_eq!(node.hear(HQ, &invite.ack(&refused)).told(), Vec::<String>::new());
    node.wait(40_000);
    assert_eq!((node.engine.calls(), node.engine.transactions()), (0, 0));
}

#[test]
fn who_was_a_neighbour_is_heard_in_its_calls_and_in_nothing_else() {
    let mut node = Node::br();
    let mut call = stand(&mut node, from_hq("999").body(&audio("18")), &audio("18"));
    node.engine.reload(plan("br", &[GATEWAY_MOVED, TRUNK_MOVED]));
    for stranger in [
        from_hq("7001"),
        from_hq("999"),
        Request::new("OPTIONS", GW_BR_1, BR, "x", "y"),
        Request::new("BYE", HQ, BR, "x", "y").header("Route: <sip:127.0.2.1:5060;lr>, <sip:127.0.2.10>"),
    ] {
        assert_eq!(node.hear(stranger.at, &stranger).told(), Vec::<String>::new(), "{}", stranger.text());
    }
    // The tags of a call are of no use elsewhere than at its ends.
    let stolen = call.callee.request("BYE");
    assert_eq!(node.hear("127.0.9.9:5060".parse().expect("an address"), &stolen).told(), Vec::<String>::new());
    hang_up(&mut node, &mut call);
    // With its last call the neighbour is forgotten.
    node.wait(40_000);
    assert_eq!(node.hear(HQ, &call.caller.request("INFO")).told(), Vec::<String>::new());
    assert_eq!(node.engine.calls(), 0);
}

#[test]
fn p_23_whom_one_reload_moved_is_heard_however_many_follow() {
    // As many that move nobody, or move others to and fro, or each to another place.
    let moves: [fn(usize) -> String; 3] = [
        |_| "udp:127.0.2.29:5060".to_owned(),
        |reload| format!("udp:127.0.2.{}:5060", 29 + reload % 2),
        |reload| format!("udp:127.0.2.{}:5060", 29 + reload),
    ];
    for (way, place) in moves.iter().enumerate() {
        let mut node = Node::br();
        let mut emergency = stand(&mut node, from_hq("911").body(&audio("18")), &audio("18"));
        assert_eq!(emergency.callee_at, GW_BR_1);
        let mut others = Vec::new();
        for reload in 0..20 {
            node.engine.reload(plan("br", &[(GATEWAY_MOVED.0, &place(reload))]));
            // A call stands on each configuration.
            others.push(stand(&mut node, from_hq("02079460000").body(&audio("18")), &audio("18")));
        }
        let info = node.hear(GW_BR_1, &emergency.callee.request("INFO")).the("INFO");
        assert_eq!((info.to, node.hear(HQ, says(&info, 200)).the("200").to), (HQ, GW_BR_1), "{way}");
        let bye = node.hear(GW_BR_1, &emergency.callee.request("BYE")).the("BYE");
        assert_eq!((bye.to, node.hear(HQ, says(&bye, 200)).the("200").to), (HQ, GW_BR_1), "{way}");
        assert_eq!(node.engine.calls(), others.len(), "{way}");
    }
}
