//! What goes to a UDP address nobody was heard at: a refusal no longer than its request, sent once (design 1).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use emcc_trunk::engine::Bounds;

use crate::node::{CC_HQ, GW_HQ, HQ, Node, Out, plan};
use crate::wire::{PHONE, Request, alice, answer, audio, bob, hang_up, says, stand};

/// An hour and what is left of its last minute.
const HOUR_MS: u64 = 3_660_000;

fn unheard() -> Node {
    Node::unheard(plan("hq", &[]), Bounds::default())
}

/// Whether a refusal has its words, as it has for somebody who was heard.
fn is_wordy(out: &Out) -> bool {
    out.refusal().header("Reason").contains("text=")
}

/// Whether call control counts as verified: what a request to nobody is told.
fn is_verified(node: &mut Node, at: SocketAddr) -> bool {
    let options = Request::new("OPTIONS", at, HQ, "5002", "x");
    let out = node.hear(at, &Request { uri: "sip:x@203.0.113.9".to_owned(), ..options });
    is_wordy(&out)
}

#[test]
fn a_refusal_to_an_unverified_address_is_no_longer_than_the_request_and_sent_once() {
    let mut node = unheard();
    let invite = bob("4");
    let out = node.hear(CC_HQ, &invite);
    assert_eq!(out.told(), ["404 to cc-hq"], "no 100 before it");
    assert!(out.refusal().bytes.len() <= invite.text().len(), "{}", out.refusal().text());
    assert_eq!(node.engine.transactions(), 0, "without a transaction");
    assert_eq!(node.wait(70_000).told(), Vec::<String>::new(), "and not again");
    assert_eq!(node.hear(CC_HQ, &invite).told(), ["404 to cc-hq"], "a copy gets a copy");
}

/// Requests with little in them but what a response copies, of many methods and faults.
fn shortest_requests() -> Vec<String> {
    let mut all = Vec::new();
    for via in ["127.0.1.10", "h", "h;rport", "127.0.1.10;rport", "h;received=1.1.1.1", "127.0.1.10;oc"] {
        for (line, more) in [
            ("INVITE sip:4@h SIP/2.0", "CSeq:1 INVITE\r\n"),
            ("INVITE sip:4@h SIP/2.0", "CSeq:1 INVITE\r\nMax-Forwards:0\r\n"),
            ("INVITE sip:4@h SIP/2.0", "CSeq:1 INVITE\r\nMax-Breadth:0\r\n"),
            ("INVITE sip:4@h SIP/2.0", "CSeq:1 INVITE\r\nProxy-Require:a,b,c,d\r\n"),
            ("INVITE sip:4@h SIP/2.0", "CSeq:1 BYE\r\n"),
            ("INVITE sip:4@h SIP/2.0", ""),
            ("INVITE x:4 SIP/2.0", "CSeq:1 INVITE\r\n"),
            ("INFO sip:127.0.1.1:5060 SIP/2.0", "CSeq:1 INFO\r\n"),
            ("X sip:127.0.1.1:5060 SIP/2.0", "CSeq:1 X\r\n"),
            ("CANCEL sip:4 SIP/2.0", "CSeq:1 CANCEL\r\n"),
            ("B a:b SIP/2.0", "CSeq:1 B\r\n"),
            ("B a:b SIP/9.0", "CSeq:1 B\r\n"),
            ("OPTIONS sip:127.0.1.1:5060 SIP/2.0", "CSeq:1 OPTIONS\r\n"),
        ] {
            for to in ["", ";tag=2"] {
                all.push(format!(
                    "{line}\r\nv:SIP/2.0/UDP {via};branch=z9hG4bK1\r\nf:<a:b>;tag=1\r\nt:<a:b>{to}\r\ni:1\r\n{more}\r\n"
                ));
            }
        }
    }
    all
}

#[test]
fn a_request_of_nothing_but_what_an_answer_copies_is_answered_and_no_longer() {
    let (mut tags, mut statuses, mut without_source) = (BTreeSet::new(), BTreeSet::new(), 0);
    for request in shortest_requests() {
        let mut node = unheard();
        let out = node.hear(CC_HQ, request.clone());
        assert!(out.0.len() == 1 && out.0[0].to == CC_HQ, "{:?} {request}", out.told());
        let answer = &out.0[0];
        assert!(
            answer.bytes.len() <= request.len(),
            "{} for {}:\n{}",
            answer.bytes.len(),
            request.len(),
            answer.text()
        );
        statuses.insert(answer.what());
        tags.insert(answer.headers("t").first().and_then(|to| Some(to.split_once(";tag=")?.1.len())).unwrap_or(0));
        without_source += usize::from(!answer.has("received") && request.contains("UDP h;branch"));
    }
    assert!([0, 4, 8].iter().all(|digits| tags.contains(digits)) && without_source > 0, "{tags:?}");
    for status in ["400", "404", "416", "483", "505"] {
        assert!(statuses.contains(status), "{statuses:?}");
    }
}

#[test]
fn the_ack_of_the_shortest_refusal_ends_here_and_verifies_nobody() {
    // Behind our Route one to the gateway: an ACK that is none of ours would go there.
    let routes = "Route:<sip:127.0.1.1;lr>,<sip:127.0.1.20;lr>\r\n";
    let mut tags = BTreeSet::new();
    for (via, more) in [("h", ""), ("127.0.1.10", ""), ("h", "X:1\r\n"), ("127.0.1.10", "X:1234\r\n")] {
        let lines = format!("v:SIP/2.0/UDP {via};branch=z9hG4bK1\r\nf:<a:b>;tag=1\r\n");
        let invite =
            format!("INVITE sip:4@h SIP/2.0\r\n{lines}t:<a:b>\r\ni:1\r\nCSeq:1 INVITE\r\nMax-Forwards:0\r\n{more}\r\n");
        let mut node = unheard();
        let refusal = node.hear(CC_HQ, invite.clone()).refusal();
        assert!(refusal.bytes.len() <= invite.len(), "{}", refusal.text());
        let to = refusal.header("t");
        tags.insert(to.split_once(";tag=").map_or(0, |(_, tag)| tag.len()));
        let ack = format!("ACK sip:4@h SIP/2.0\r\n{lines}t:{to}\r\ni:1\r\nCSeq:1 ACK\r\n{routes}\r\n");
        assert_eq!(node.hear(CC_HQ, ack).told(), Vec::<String>::new(), "{to}");
        assert_eq!(
            is_verified(&mut node, CC_HQ),
            to.split_once(";tag=").is_some_and(|(_, tag)| tag.len() >= 8),
            "{to}"
        );
    }
    assert!(tags.contains(&0) && tags.contains(&4), "{tags:?}");
}

#[test]
fn a_call_whose_every_hop_is_dead_is_refused_once_to_an_unverified_address() {
    let mut node = unheard();
    let invite = bob("912025550123").body(&audio("0"));
    let out = node.hear(CC_HQ, &invite);
    assert!(out.the("100").bytes.len() <= invite.text().len());
    let later = node.wait(120_000);
    let told: Vec<_> = later.0.iter().filter(|sent| sent.to == CC_HQ).collect();
    assert_eq!(told.len(), 1, "{:?}", later.told());
    assert!(told[0].bytes.len() <= invite.text().len(), "{}", told[0].text());
}

#[test]
fn what_an_unverified_invite_is_told_in_all_is_no_longer_than_what_came() {
    let described = bob("912025550123").body(&audio("0 8 18 101"));
    for (what, invite) in [("with a description", described), ("without", bob("912025550123"))] {
        let mut node = unheard();
        let octets = invite.text().len();
        let to_caller =
            |out: &Out| out.0.iter().filter(|sent| sent.to == CC_HQ).map(|sent| sent.bytes.len()).sum::<usize>();
        let mut told = to_caller(&node.hear(CC_HQ, &invite));
        told += to_caller(&node.wait(120_000));
        assert!(told <= octets, "{what}: {told} for {octets}");
        // Each copy of an INVITE pays for a 100 of its own.
        let mut node = unheard();
        let again = Request {
            branch: format!("{}-2", invite.branch),
            call_id: format!("{}-2", invite.call_id),
            ..invite.clone()
        };
        let first = to_caller(&node.hear(CC_HQ, &again));
        let second = node.hear(CC_HQ, &again);
        assert_eq!(second.told(), ["100 to cc-hq"], "{what}");
        let told = first + to_caller(&second) + to_caller(&node.wait(120_000));
        assert!(told <= 2 * again.text().len(), "{what}: {told}");
    }
}

#[test]
fn a_failure_from_behind_is_passed_on_once_to_an_unverified_address() {
    let mut node = unheard();
    let sent = node.hear(CC_HQ, &bob("912025550123")).the("INVITE");
    let failed = node.hear(GW_HQ, says(&sent, 486));
    assert_eq!(failed.to(CC_HQ).what(), "486");
    assert!(node.wait(70_000).0.iter().all(|sent| sent.to != CC_HQ));
}

#[test]
fn an_emergency_call_is_answered_as_ever() {
    let mut node = unheard();
    let invite = Request::new("INVITE", CC_HQ, HQ, "5002", "9911").body(&audio("0"));
    let out = node.hear(CC_HQ, &invite);
    assert_eq!(out.told(), ["100 to cc-hq", "INVITE to gw-hq"]);
    let sent = out.the("INVITE");
    node.hear(GW_HQ, says(&sent, 486));
    let repeated = node.wait(10_000);
    assert!(repeated.0.iter().filter(|sent| sent.to == CC_HQ).count() > 1, "{:?}", repeated.told());
}

#[test]
fn what_only_a_reader_of_ours_can_know_verifies_an_address_for_an_hour() {
    let acknowledge: fn(&mut Node) = |node| {
        let invite = bob("4");
        let refusal = node.hear(CC_HQ, &invite).refusal();
        assert_eq!(node.hear(CC_HQ, &invite.ack(&refusal)).told(), Vec::<String>::new());
    };
    // RFC 3261 section 17.1.1.3 wants the Via of the request, but SIPp sends back that of the answer.
    let acknowledge_by_the_answer: fn(&mut Node) = |node| {
        let invite = bob("4");
        let invite = Request { branch: format!("{};rport", invite.branch), ..invite };
        let refusal = node.hear(CC_HQ, &invite).refusal();
        let (ack, via) = (invite.ack(&refusal).text(), refusal.header("Via"));
        let ours = ack.lines().find_map(|line| line.strip_prefix("Via: ")).expect("a Via").to_owned();
        assert_ne!(ours, via);
        assert_eq!(node.hear(CC_HQ, ack.replacen(&ours, &via, 1)).told(), Vec::<String>::new());
    };
    let ack_of_an_answer: fn(&mut Node) = |node| drop(stand(node, bob("912025550123"), &audio("0")));
    let bye_in_a_dialog: fn(&mut Node) = |node| {
        let mut call = stand(node, bob("912025550123"), &audio("0"));
        node.wait(HOUR_MS);
        assert!(!is_verified(node, CC_HQ), "an hour of silence");
        hang_up(node, &mut call);
    };
    let answer_with_a_branch: fn(&mut Node) = |node| {
        let call = Request::new("INVITE", GW_HQ, HQ, "x", "5002");
        let sent = node.hear(GW_HQ, &call).the("INVITE");
        node.hear(CC_HQ, says(&sent, 180));
        node.hear(CC_HQ, says(&sent, 486));
    };
    for (what, verifies) in [
        ("an ACK with our tag", acknowledge),
        ("an ACK with our tag and the Via of our answer", acknowledge_by_the_answer),
        ("an ACK of a 2xx", ack_of_an_answer),
        ("a request in a dialog", bye_in_a_dialog),
        ("a response with our branch", answer_with_a_branch),
    ] {
        let mut node = unheard();
        assert!(!is_verified(&mut node, CC_HQ), "{what}");
        verifies(&mut node);
        assert!(is_verified(&mut node, CC_HQ), "{what}");
        node.wait(HOUR_MS);
        assert!(!is_verified(&mut node, CC_HQ), "{what}: an hour later");
    }
}

#[test]
fn a_refusal_to_a_verified_address_is_repeated_until_its_ack() {
    let mut node = unheard();
    let first = bob("4");
    let refusal = node.hear(CC_HQ, &first).refusal();
    node.hear(CC_HQ, &first.ack(&refusal));
    let second = bob("4");
    let refusal = node.hear(CC_HQ, &second).refusal();
    assert!(node.wait(3_000).told().len() > 1);
    node.hear(CC_HQ, &second.ack(&refusal));
    assert_eq!(node.wait(70_000).told(), Vec::<String>::new());
}

#[test]
fn what_a_forger_can_know_verifies_nobody() {
    let mut node = unheard();
    // The ACK of an INVITE of one's own, its tag guessed, left out, or another request's.
    let (one, other) = (bob("4"), bob("4"));
    let refusal = node.hear(CC_HQ, &one).refusal();
    let known = node.hear(CC_HQ, &other).refusal();
    for to in
        [one.to.clone(), format!("{};tag=", one.to), format!("{};tag=0123456789abcdef", one.to), known.header("To")]
    {
        let ack = Request { to, ..one.ack(&refusal) };
        node.hear(CC_HQ, &ack);
    }
    // An ACK by branch alone, of a call that failed behind us.
    let call = bob("912025550123");
    let sent = node.hear(CC_HQ, &call).the("INVITE");
    let failed = node.hear(GW_HQ, says(&sent, 486)).to(CC_HQ);
    node.hear(CC_HQ, &Request { to: call.to.clone(), ..call.ack(&failed) });
    // A request in a dialog of which only one tag is known, and in one that is still early.
    let call = bob("912025550123");
    let sent = node.hear(CC_HQ, &call).the("INVITE");
    let guessed =
        Request { to: format!("{};tag=guess", call.to), ..Request { method: "INFO".to_owned(), ..call.clone() } };
    node.hear(CC_HQ, &guessed);
    node.hear(GW_HQ, answer(&sent, 200, "b1", &[], ""));
    node.hear(CC_HQ, &Request { cseq: 2, ..guessed });
    // A response with a branch of nobody's, and a keepalive.
    node.hear(CC_HQ, says(&sent, 200).replace("z9hG4bK-emcc-", "z9hG4bK-emcc-0"));
    node.hear(CC_HQ, &Request { uri: format!("sip:{HQ}"), ..Request::new("OPTIONS", CC_HQ, HQ, "x", "x") });
    assert!(!is_verified(&mut node, CC_HQ));
    assert!(is_verified(&mut node, GW_HQ), "the gateway answered with our branch");
}

#[test]
fn a_dialog_verifies_the_party_it_is_and_no_other() {
    let mut node = unheard();
    let mut call = stand(&mut node, bob("912025550123"), &audio("0"));
    // A callee that knows both tags speaks with the caller's From, and from another's address.
    let forged = Request { at: crate::node::BR, ..call.caller.request("INFO") };
    node.hear(crate::node::BR, &forged);
    assert!(!is_verified(&mut node, crate::node::BR));
}

#[test]
fn who_is_unknown_and_who_is_not_logged_in_are_told_the_same() {
    let call = |device: &str| Request::new("INVITE", HQ, crate::node::BR, "5001", "02079460000").on(device);
    let no_session =
        [("[[emcc_session]]\nuser = \"alice\"\ndevice = \"SEP001122334455\"\nhome_cluster = \"HQ\"\n", "")];
    let mut told = Vec::new();
    for (changes, device) in [(&[][..], "SEP999999999999"), (&no_session, PHONE)] {
        let mut node = Node::br_with(changes);
        let refusal = node.hear(HQ, &call(device)).refusal();
        told.push((refusal.start(), refusal.header("Reason"), refusal.header("Warning"), refusal.bytes.len()));
    }
    // Of the number of the call itself nothing but its length differs.
    assert_eq!((&told[0].0, &told[0].1, &told[0].2), (&told[1].0, &told[1].1, &told[1].2));
    assert!(told[0].3.abs_diff(told[1].3) <= 8, "{told:?}");
    let _ = alice;
}
