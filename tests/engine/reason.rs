//! Why something ends, on the wire: Reason (RFC 3326) passed through and set; Resource-Priority (RFC 4412) left alone.

use crate::node::{CC_HQ, GW_BR_1, GW_HQ, HQ, Node};
use crate::wire::{alice, answer, audio, bob, from_hq, says, stand};

const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

#[test]
fn rfc_3326_2_a_bye_keeps_its_reason() {
    let mut node = Node::hq();
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let bye =
        call.caller.request("BYE").header("Reason: Q.850;cause=16;text=\"Terminated\"").header("reason: SIP;cause=600");
    let passed = node.hear(CC_HQ, &bye).the("BYE");
    assert_eq!(passed.headers("Reason"), ["Q.850;cause=16;text=\"Terminated\"", "SIP;cause=600"]);
}

#[test]
fn rfc_3326_2_a_cancels_reasons_go_on_with_ours_at_once_and_when_it_had_to_wait() {
    let lines = ["Reason: SIP;cause=200;text=\"Call completed elsewhere\"", "Reason: Q.850;cause=26"];
    for rings in [true, false] {
        let mut node = Node::hq();
        let invite = bob("912025550123").body(&audio("0"));
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        if rings {
            node.hear(GW_HQ, says(&sent, 180));
        }
        let mut cancel = invite.cancel();
        cancel.more.extend(lines.map(str::to_owned));
        let mut out = node.hear(CC_HQ, &cancel);
        if !rings {
            assert_eq!(out.told(), ["200 to cc-hq"], "no CANCEL before a provisional response");
            out = node.hear(GW_HQ, says(&sent, 100));
        }
        assert_eq!(out.the("CANCEL").headers("Reason"), [format!("{ELSEWHERE}, Q.850;cause=26")], "rings: {rings}");
    }
    let mut node = Node::hq();
    let invite = bob("912025550123").body(&audio("0"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180));
    assert!(node.hear(CC_HQ, &invite.cancel()).the("CANCEL").headers("Reason").is_empty(), "none came");
}

#[test]
fn rfc_3326_3_1_a_hop_given_up_that_rings_late_and_one_that_lost_are_told_why() {
    let mut node = Node::br();
    let first = node.hear(HQ, &from_hq("02079460000").body(&audio("18"))).the("INVITE");
    let second = node.wait(4_100).0.into_iter().find(|sent| sent.what() == "INVITE" && sent.to != GW_BR_1);
    let second = second.expect("the next hop is tried");
    let cancel = node.hear(first.to, says(&first, 180)).the("CANCEL");
    assert_eq!(cancel.headers("Reason"), ["SIP;cause=408;text=\"No response in time\""]);
    // The silent one wins after all.
    node.hear(second.to, says(&second, 180));
    let out = node.hear(first.to, answer(&first, 200, "b1", &[], &audio("18")));
    let cancel = out.the("CANCEL");
    assert_eq!((cancel.to, cancel.headers("Reason")), (second.to, vec![ELSEWHERE.to_owned()]));
    // And the other answers across its CANCEL.
    let out = node.hear(second.to, answer(&second, 200, "b2", &[], &audio("18")));
    assert_eq!(out.the("BYE").headers("Reason"), [ELSEWHERE]);
}

#[test]
fn what_this_node_ends_itself_says_why() {
    let mut node = Node::hq();
    let invite = alice("901614960000").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    // An answer the region does not let through.
    let out = node.hear(sent.to, answer(&sent, 200, "b1", &[], &audio("0")));
    assert!(out.the("BYE").header("Reason").starts_with("SIP;cause=488;"), "{out:?}");
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("912025550123").body(&audio("0"))).the("INVITE");
    node.hear(GW_HQ, answer(&sent, 200, "b1", &["Session-Expires: 90;refresher=uas"], &audio("0")));
    let byes = node.wait(130_000);
    let byes: Vec<_> = byes.0.iter().filter(|sent| sent.what() == "BYE").collect();
    assert!(byes.iter().any(|bye| bye.to == CC_HQ) && byes.iter().any(|bye| bye.to == GW_HQ));
    assert!(byes.iter().all(|bye| bye.header("Reason").starts_with("SIP;cause=408;text=\"The answer was never")));
}

#[test]
fn rfc_3326_3_1_ringing_too_long_is_told_to_who_rings() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("912025550123").body(&audio("0"))).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180));
    let cancel = node.wait(182_000).0.into_iter().find(|sent| sent.what() == "CANCEL").expect("Timer C");
    assert!(cancel.header("Reason").contains("Q.850;cause=19"), "{cancel:?}");
}

#[test]
fn rfc_4412_4_6_resource_priority_and_its_require_pass_as_they_came() {
    let mut node = Node::hq();
    let lines =
        ["Resource-Priority: wps.3, unheard-of.7", "Require: resource-priority", "resource-priority : dsn.flash"];
    let invite = lines.iter().fold(bob("912025550123").body(&audio("0")), |invite, line| invite.header(line));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    for line in lines {
        assert!(sent.has(&format!("\r\n{line}\r\n")), "{line}: {}", sent.text());
    }
    let back = node.hear(GW_HQ, answer(&sent, 417, "b1", &["Accept-Resource-Priority: wps.4"], "")).the("417");
    assert_eq!(back.headers("Accept-Resource-Priority"), ["wps.4"], "who understands answers, and its answer passes");
}
