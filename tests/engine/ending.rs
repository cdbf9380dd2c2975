//! Requests of our own in a call (RFC 3261 sections 12.2.1.1 and 13.2.2.4): they reach both parties however their
//! addresses are written, go to the targets that count now, and to every party that answered.

use crate::node::{BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, Out, Sent};
use crate::wire::{Dialog, Request, Standing, alice, answer, audio, bob, from_hq, says, serial};

const SHORT: &str = "Session-Expires: 1800;refresher=uas";

/// The call of that INVITE as the gateway answers it with those header lines, acknowledged.
fn stands(node: &mut Node, invite: Request, answer_lines: &[&str]) -> Standing {
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let answered = node.hear(sent.to, answer(&sent, 200, "b1", answer_lines, &audio("18"))).the("200");
    let mut caller = Dialog::of_caller(&invite, &answered);
    node.hear(CC_HQ, &caller.request("ACK")).the("ACK");
    let callee = Dialog::of_callee(&sent, "b1");
    Standing { caller, callee, caller_at: CC_HQ, callee_at: sent.to, invite: sent, answered }
}

/// The session is over.
fn expires(node: &mut Node) -> Out {
    let over = node.wait_with_peer(1_801_000);
    assert_eq!((node.engine.calls(), node.booked()), (0, [0; 4]));
    over
}

fn byes(out: &Out) -> Vec<Sent> {
    let mut byes: Vec<Sent> = Vec::new();
    for sent in out.0.iter().filter(|sent| sent.what() == "BYE") {
        if byes.iter().all(|known| known.bytes != sent.bytes) {
            byes.push(sent.clone());
        }
    }
    byes
}

#[test]
fn rfc_3261_12_2_1_1_our_bye_reaches_both_sides_however_their_addresses_are_written() {
    for (from, to) in [
        ("<tel:+442079460000>;tag=x", "<sip:901614960000@hq>"),
        ("tel:+442079460000;tag=x", "<tel:901614960000>"),
        ("<sip:5001@hq?Subject=x>;tag=x", "<urn:service:sos.police>"),
        ("\"A\" <sip:5001@hq;method=INVITE>;tag=x", "<any:thing>"),
    ] {
        let mut node = Node::hq();
        let mut invite = alice("901614960000").body(&audio("18"));
        invite.from = format!("{from}{}", serial());
        to.clone_into(&mut invite.to);
        let call = stands(&mut node, invite, &[SHORT]);
        let over = byes(&expires(&mut node));
        assert_eq!(over.iter().map(|bye| bye.to).collect::<Vec<_>>(), [BR, CC_HQ], "{from} {to}");
        assert_eq!(over[0].header("From"), call.invite.header("From"));
        assert_eq!(over[0].header("To"), format!("{to};tag=b1"));
        assert_eq!(over[1].header("To"), call.invite.header("From"));
    }
}

#[test]
fn rfc_3261_12_2_1_1_octets_that_are_no_utf_8_come_back_as_they_were() {
    let mut node = Node::hq();
    let invite = alice("901614960000").body(&audio("18"));
    let name = b"\"Ren\xe9\" ";
    let mut bytes = invite.text().into_bytes();
    let at = invite.text().find("From: ").unwrap() + 6;
    bytes.splice(at..at, name.iter().copied());
    let sent = node.hear(CC_HQ, bytes).the("INVITE");
    let mut answered = answer(&sent, 200, "b1", &[SHORT], &audio("18")).into_bytes();
    let lossy = String::from_utf8_lossy(&answered).find("From: ").unwrap() + 6;
    let end = answered[lossy..].iter().position(|octet| *octet == b'<').unwrap();
    answered.splice(lossy..lossy + end, name.iter().copied());
    let answered = node.hear(BR, answered).the("200");
    node.hear(CC_HQ, &Dialog::of_caller(&invite, &answered).request("ACK")).the("ACK");
    let over = byes(&expires(&mut node));
    assert_eq!(over.len(), 2);
    assert!(over.iter().all(|bye| bye.bytes.windows(name.len()).any(|part| part == name)), "{over:?}");
}

#[test]
fn rfc_3261_19_1_1_a_contact_with_header_fields_is_called_without_them() {
    let mut node = Node::hq();
    let mut invite = alice("901614960000").body(&audio("18"));
    invite.more[0] = format!("Contact: <sip:5001@{CC_HQ};x=1?X=y>");
    stands(&mut node, invite, &[SHORT]);
    let over = byes(&expires(&mut node));
    assert_eq!(over[1].start(), format!("BYE sip:5001@{CC_HQ};x=1 SIP/2.0"));
}

#[test]
fn rfc_3261_12_1_a_record_route_that_cannot_be_read_goes_back_as_it_is() {
    let mut node = Node::hq();
    let lines = [SHORT, "Record-Route: <sip:[far;lr>, <sip:further;lr>"];
    let invite = alice("901614960000").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    // Those of the callee's side stand before ours.
    let text = answer(&sent, 200, "b1", &[lines[0]], &audio("18"));
    let text = text.replacen("Record-Route: ", &format!("{}\r\nRecord-Route: ", lines[1]), 1);
    let answered = node.hear(BR, text).the("200");
    node.hear(CC_HQ, &Dialog::of_caller(&invite, &answered).request("ACK")).the("ACK");
    let over = byes(&expires(&mut node));
    assert_eq!(over.len(), 2, "{over:?}");
    assert_eq!(over[0].headers("Route"), ["<sip:further;lr>,<sip:[far;lr>"]);
}

#[test]
fn rfc_3261_13_2_2_4_a_late_answer_of_an_emergency_is_acknowledged_and_hung_up_whatever_was_called() {
    for to in ["<tel:999>", "<urn:service:sos>", "<sip:999@br>"] {
        let mut node = Node::br();
        let mut invite = from_hq("999").header("Priority: emergency");
        to.clone_into(&mut invite.to);
        let first = node.hear(HQ, &invite).the("INVITE");
        let second = node.wait(4_100).to(GW_BR_2);
        node.hear(GW_BR_2, answer(&second, 200, "b2", &[], "")).the("200");
        let out = node.hear(GW_BR_1, says(&first, 200));
        assert_eq!(out.told(), ["ACK to gw-br-1", "BYE to gw-br-1"], "{to}");
        assert_eq!(out.the("BYE").header("To"), format!("{to};tag=b1"));
    }
}

#[test]
fn rfc_3261_12_2_our_bye_goes_to_the_targets_that_were_refreshed_last() {
    for method in ["INVITE", "UPDATE"] {
        for from_caller in [true, false] {
            let mut node = Node::hq();
            let mut call = stands(&mut node, alice("901614960000").body(&audio("18")), &[SHORT]);
            // The call has settled: little is kept of its messages.
            node.wait_with_peer(100_000);
            let (at, other, dialog) = match from_caller {
                true => (CC_HQ, BR, &mut call.caller),
                false => (BR, CC_HQ, &mut call.callee),
            };
            let mut refresh = dialog.request(method);
            refresh.more.retain(|line| !line.starts_with("Contact"));
            let refresh = refresh.header(&format!("Contact: <sip:new-one@{at}>")).header("Supported: timer");
            let passed = node.hear(at, &refresh).the(method);
            let text = answer(&passed, 200, "b1", &[SHORT], "");
            let text = text.replace("sip:callee@", "sip:new-other@");
            node.hear(other, text).the("200");
            let over = byes(&expires(&mut node));
            let [callee, caller] = if from_caller { ["new-other", "new-one"] } else { ["new-one", "new-other"] };
            assert_eq!(over[0].start(), format!("BYE sip:{callee}@{BR} SIP/2.0"), "{method} {from_caller}");
            assert_eq!(over[1].start(), format!("BYE sip:{caller}@{CC_HQ} SIP/2.0"), "{method} {from_caller}");
        }
    }
}

#[test]
fn rfc_3261_12_2_a_refresh_that_was_refused_moves_no_target() {
    let mut node = Node::hq();
    let mut call = stands(&mut node, alice("901614960000").body(&audio("18")), &[SHORT]);
    let mut refresh = call.caller.request("UPDATE");
    refresh.more.retain(|line| !line.starts_with("Contact"));
    let passed = node.hear(CC_HQ, &refresh.header(&format!("Contact: <sip:new@{CC_HQ}>"))).the("UPDATE");
    node.hear(BR, says(&passed, 491)).the("491");
    let over = byes(&expires(&mut node));
    assert_eq!(over[1].start(), format!("BYE sip:5001@{CC_HQ} SIP/2.0"));
}

#[test]
fn rfc_3261_13_2_2_4_of_two_that_answered_both_get_our_bye_and_who_hung_up_gets_none() {
    for hung_up in [None, Some("b1"), Some("b2")] {
        let mut node = Node::hq();
        let mut call = stands(&mut node, alice("901614960000").body(&audio("18")), &[SHORT]);
        let mut other = Dialog::of_callee(&call.invite, "b2");
        let second = node.hear(BR, answer(&call.invite, 200, "b2", &[SHORT], &audio("18"))).the("200");
        let invite = alice("901614960000");
        let as_caller = Request { from: call.invite.header("From"), call_id: call.invite.header("Call-ID"), ..invite };
        node.hear(CC_HQ, &Dialog::of_caller(&as_caller, &second).request("ACK")).the("ACK");
        node.wait_with_peer(100_000);
        if let Some(tag) = hung_up {
            let dialog = if tag == "b1" { &mut call.callee } else { &mut other };
            let bye = node.hear(BR, &dialog.request("BYE")).the("BYE");
            node.hear(CC_HQ, says(&bye, 200)).the("200");
            assert_eq!(node.engine.calls(), 1, "the other one stands");
        }
        let over = byes(&expires(&mut node));
        let tags: Vec<_> = ["b1", "b2"].into_iter().filter(|tag| Some(*tag) != hung_up).collect();
        let to_callee = over.iter().filter(|bye| bye.to == BR).map(|bye| bye.header("To"));
        let want: Vec<_> = tags.iter().map(|tag| format!("{};tag={tag}", call.invite.header("To"))).collect();
        assert_eq!(to_callee.collect::<Vec<_>>(), want, "{hung_up:?}");
        let to_caller = over.iter().filter(|bye| bye.to == CC_HQ).map(|bye| bye.header("From"));
        assert_eq!(to_caller.collect::<Vec<_>>(), want, "{hung_up:?}");
    }
}

/// The text of a response without the To tag that [`answer`] gives it.
fn untagged(text: &str) -> String {
    text.replace(";tag=b1", "")
}

#[test]
fn rfc_3261_12_1_2_an_answer_without_a_tag_is_acknowledged_and_its_call_can_end() {
    for called in ["912025550123", "9911"] {
        let mut node = Node::hq();
        let invite = bob(called).body(&audio("0"));
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        let answered = node.hear(sent.to, untagged(&answer(&sent, 200, "b1", &[], &audio("0")))).the("200");
        let mut caller = Dialog::of_caller(&invite, &answered);
        assert_eq!(node.hear(CC_HQ, &caller.request("ACK")).the("ACK").to, sent.to, "{called}");
        assert!(node.wait_with_peer(200_000).told().is_empty(), "it was acknowledged");
        // Either side hangs up.
        let bye = node.hear(CC_HQ, &caller.request("BYE")).the("BYE");
        assert_eq!(bye.to, sent.to);
        node.hear(sent.to, untagged(&says(&bye, 200))).the("200");
        assert_eq!((node.engine.calls(), node.booked()), (0, [0; 4]), "{called}");
    }
}

#[test]
fn rfc_3261_12_1_2_a_callee_without_a_tag_hangs_up() {
    let mut node = Node::hq();
    let invite = bob("912025550123").body(&audio("0"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let answered = node.hear(GW_HQ, untagged(&answer(&sent, 200, "b1", &[], &audio("0")))).the("200");
    node.hear(CC_HQ, &Dialog::of_caller(&invite, &answered).request("ACK")).the("ACK");
    let mut bye = Dialog::of_callee(&sent, "b1").request("BYE");
    bye.from = sent.header("To");
    let passed = node.hear(GW_HQ, &bye).the("BYE");
    assert_eq!(passed.to, CC_HQ);
    node.hear(CC_HQ, says(&passed, 200)).the("200");
    assert_eq!((node.engine.calls(), node.ended()), (0, vec![(200, "callee")]));
}

#[test]
fn rfc_3261_12_1_1_a_caller_without_a_tag_keeps_its_call_and_ends_it() {
    for by_caller in [true, false] {
        let mut node = Node::hq();
        let mut invite = alice("901614960000").body(&audio("18"));
        invite.from = format!("<sip:5001@{CC_HQ}>");
        let mut call = stands(&mut node, invite, &[]);
        assert!(node.wait_with_peer(100_000).told().is_empty(), "it was acknowledged");
        let (at, other, dialog) = match by_caller {
            true => (CC_HQ, BR, &mut call.caller),
            false => (BR, CC_HQ, &mut call.callee),
        };
        let passed = node.hear(at, &dialog.request("BYE")).the("BYE");
        assert_eq!(passed.to, other, "{by_caller}");
        let answered = says(&passed, 200);
        // Whoever has no tag puts none into an answer either.
        let to = format!("\r\nTo: {}", passed.header("To"));
        let answered = if by_caller { answered } else { answered.replace(&format!("{to};tag=b1"), &to) };
        node.hear(other, answered).the("200");
        assert_eq!((node.engine.calls(), node.booked()), (0, [0; 4]), "{by_caller}");
    }
}

#[test]
fn rfc_3262_4_a_prack_of_an_emergency_reaches_the_hop_that_rang_though_another_one_is_tried() {
    let mut node = Node::br();
    let invite = from_hq("999").header("Priority: emergency");
    let first = node.hear(HQ, &invite).the("INVITE");
    let second = node.wait(4_100).to(GW_BR_2);
    node.hear(GW_BR_2, says(&second, 100));
    let reliable = ["Require: 100rel", "RSeq: 1"];
    let contact = |text: String, at| text.replace(&format!("callee@{at}"), "gw@sbc.example");
    for (hop, tag) in [(&first, "b1"), (&second, "b2")] {
        let ringing = contact(answer(hop, 183, tag, &reliable, ""), hop.to);
        let early = node.hear(hop.to, ringing).the("183");
        let mut caller = Dialog::of_caller(&invite, &early);
        for method in ["PRACK", "UPDATE"] {
            let passed = node.hear(HQ, &caller.request(method).header("RAck: 1 1 INVITE")).the(method);
            assert_eq!(passed.to, hop.to, "{method} of {tag}");
        }
    }
}
