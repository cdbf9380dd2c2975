//! Neighbours given by name (RFC 3263): what the engine makes of where a name leads.

use std::net::SocketAddr;

use emcc_policies::moment::Moment;
use emcc_trunk::limits::CALL_MS_MAX;
use emcc_trunk::neighbour::locate::{Located, Named};
use emcc_trunk::neighbour::select::Rank;
use emcc_trunk::neighbour::{Address, Transport};

use crate::node::{BR, CC_BR, CC_HQ, GW_BR_1, GW_BR_2, HQ, Node, Out, plan};
use crate::wire::{Dialog, Request, alice, answer, audio, from_hq, says, stand};

const CALLED: &str = "02079460000";
const BY_NAME: (&str, &str) = ("\"udp:127.0.2.20:5060\"", "\"udp:gw.example.com\"");

fn name() -> Named {
    Named { host: "gw.example.com".into(), port: None, transport: Some(Transport::Udp) }
}

fn host(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 2, last], 5060))
}

fn at(last: u8, priority: u32, weight: u16) -> Located {
    let address = Address { transport: Transport::Udp, socket: host(last) };
    Located { address, rank: Rank { priority, weight } }
}

fn learn(node: &Node, found: Vec<Located>) -> bool {
    node.engine.located(&name(), found, Moment(node.now_ms))
}

fn invite_to(out: &Out) -> SocketAddr {
    out.the("INVITE").to
}

#[test]
fn before_the_first_answer_a_named_neighbour_is_nowhere_and_the_next_is_tried() {
    let mut node = Node::br_with(&[BY_NAME]);
    assert_eq!(invite_to(&node.hear(HQ, &from_hq(CALLED))), GW_BR_2);
    assert_eq!(invite_to(&node.hear(HQ, &from_hq("999"))), GW_BR_2, "an emergency call too has its other hops");
    assert!(node.hear(GW_BR_1, &Request::new("OPTIONS", GW_BR_1, BR, "x", "x")).0.is_empty(), "a stranger so far");
}

/// Every way of an emergency at BR, the last resort too, is given by a name.
const NO_ADDRESS: [(&str, &str); 3] = [
    BY_NAME,
    ("\"udp:127.0.2.21:5060\"", "\"udp:gw.example.com:5062\""),
    ("\"udp:127.0.2.22:5060\"", "\"udp:gw.example.com:5064\""),
];

/// What a node with these names says at once to an emergency call: nothing final, and that it wants them looked up.
fn waits_for_names(node: &mut Node, invite: &Request) {
    assert!(!node.engine.takes_wish_for_names());
    assert_eq!(node.hear(HQ, invite).told(), ["100 to hq"]);
    assert!(node.engine.takes_wish_for_names() && !node.engine.takes_wish_for_names(), "once");
}

/// Nothing is kept of a call that is over.
fn is_empty_in_the_end(node: &mut Node) {
    node.wait(70_000);
    assert_eq!((node.engine.transactions(), node.engine.calls(), node.booked()), (0, 0, [0; 4]));
}

#[test]
fn p_23_an_emergency_call_whose_hops_have_no_address_waits_for_one_and_goes_on_as_soon_as_there_is() {
    // The last resort alone is left to who says no number.
    let urn = Request { uri: "urn:service:sos".to_owned(), ..from_hq("999") };
    let last_resort = Named { port: Some(5062), ..name() };
    for (invite, called, name, address) in
        [(from_hq("999"), "999", name(), at(20, 0, 0)), (urn, "urn:service:sos", last_resort, at(21, 0, 0))]
    {
        let mut node = Node::br_with(&NO_ADDRESS);
        waits_for_names(&mut node, &invite);
        assert!(node.engine.leads_nowhere(&name));
        assert_eq!(node.wait_with_peer(10_000).told(), Vec::<String>::new());
        assert!(node.engine.takes_wish_for_names(), "it asks on");
        assert!(node.hear(HQ, &invite).told().iter().all(|told| told == "100 to hq"), "the caller's copy");
        node.engine.located(&name, vec![address], Moment(node.now_ms));
        let sent = node.wait(600).the("INVITE");
        assert_eq!((sent.to, sent.number()), (address.address.socket, called.to_owned()));
        assert_eq!(node.hear(sent.to, says(&sent, 180)).told(), ["180 to hq"]);
        assert_eq!(node.hear(sent.to, says(&sent, 200)).told(), ["200 to hq"]);
        assert_eq!((node.ended(), node.engine.calls()), (vec![], 1));
    }
}

#[test]
fn p_23_of_an_emergency_call_whose_names_lead_nowhere_for_as_long_as_a_silent_hop_is_waited_for_no_member_resolves() {
    let mut node = Node::br_with(&NO_ADDRESS);
    waits_for_names(&mut node, &from_hq("999"));
    assert_eq!(node.wait_with_peer(31_500).told(), Vec::<String>::new());
    let refused = node.wait_with_peer(1_000).refusal();
    assert_eq!((refused.what().as_str(), refused.header("Reason").contains("cause=27")), ("500", true));
    is_empty_in_the_end(&mut node);
    // Who is not known may be one whose name leads nowhere yet.
    assert!(node.engine.takes_wish_for_names(), "asked for to the end");
    node.hear("127.0.1.77:5060".parse().unwrap(), &from_hq("999"));
    assert!(node.engine.takes_wish_for_names());
}

#[test]
fn p_23_an_emergency_call_that_waits_for_names_is_cancelled_by_its_caller() {
    let mut node = Node::br_with(&NO_ADDRESS);
    let invite = from_hq("999");
    waits_for_names(&mut node, &invite);
    assert_eq!(node.hear(HQ, &invite.cancel()).told(), ["200 to hq", "487 to hq"]);
    is_empty_in_the_end(&mut node);
}

#[test]
fn p_23_a_way_that_is_found_after_the_others_failed_takes_the_emergency_call() {
    let mut node = Node::br_with(&[BY_NAME]);
    let second = node.hear(HQ, &from_hq("999")).the("INVITE");
    assert_eq!(second.to, GW_BR_2);
    let mut out = node.hear(GW_BR_2, says(&second, 503));
    // The last resort is the third gateway.
    while let Some(sent) = out.0.iter().find(|sent| sent.what() == "INVITE").cloned() {
        out = node.hear(sent.to, says(&sent, 503));
    }
    assert!(out.told().iter().all(|told| told.starts_with("ACK")), "{:?}", out.told());
    learn(&node, vec![at(20, 0, 0)]);
    assert_eq!(invite_to(&node.wait(2_100)), GW_BR_1);
}

#[test]
fn p_23_the_trunk_to_where_the_phone_is_takes_the_emergency_call_once_its_name_leads_there() {
    let by_name = ("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"udp:gw.example.com\"]");
    let mut node = Node::hq_with(&[by_name]);
    let mut out = node.hear(CC_HQ, &alice("911"));
    while let Some(sent) = out.0.iter().find(|sent| sent.what() == "INVITE").cloned() {
        out = node.hear(sent.to, says(&sent, 503));
    }
    learn(&node, vec![at(1, 0, 0)]);
    let sent = node.wait(2_100).the("INVITE");
    assert_eq!((sent.to, sent.header("Priority")), (BR, "emergency".to_owned()), "{out:?}");
}

#[test]
fn p_23_a_reload_that_gives_the_way_an_address_ends_the_wait() {
    let mut node = Node::br_with(&NO_ADDRESS);
    waits_for_names(&mut node, &from_hq("999"));
    node.engine.reload(plan("br", &[BY_NAME]));
    assert_eq!(invite_to(&node.wait(600)), GW_BR_2);
}

#[test]
fn rfc_3263_a_neighbour_is_tried_and_known_where_its_name_leads() {
    let mut node = Node::br_with(&[BY_NAME]);
    assert!(learn(&node, vec![at(20, 0, 0)]));
    assert!(!learn(&node, vec![at(20, 0, 0)]), "nothing new");
    let call = stand(&mut node, from_hq(CALLED).body(&audio("18")), &audio("18"));
    assert_eq!(call.callee_at, GW_BR_1);
    let seen = node.engine.neighbours(Moment(node.now_ms));
    assert!(seen.iter().any(|seen| &*seen.neighbour == "gw-br-1" && seen.address.socket == GW_BR_1), "{seen:?}");
}

#[test]
fn rfc_2782_the_records_priorities_and_weights_order_what_a_name_leads_to() {
    let mut node = Node::br_with(&[BY_NAME]);
    learn(&node, vec![at(42, 20, 0), at(40, 10, 30), at(41, 10, 10)]);
    let mut firsts = [0; 2];
    for _ in 0..200 {
        let mut sent = node.hear(HQ, &from_hq(CALLED)).the("INVITE");
        firsts[usize::from(sent.to == host(41))] += 1;
        let mut order = vec![sent.to];
        while let Some(next) = node.hear(sent.to, says(&sent, 500)).0.into_iter().find(|sent| sent.what() == "INVITE") {
            sent = next;
            order.push(sent.to);
        }
        order[..2].sort();
        assert_eq!(order, [host(40), host(41), host(42), GW_BR_2]);
    }
    assert!((110..190).contains(&firsts[0]), "three in four: {firsts:?}");
}

#[test]
fn a_configured_priority_stands_above_a_record_s() {
    let two = "[\"udp:gw.example.com\", \"udp:127.0.2.50:5060\"]\npriority = [1, 0]";
    let mut node = Node::br_with(&[("[\"udp:127.0.2.20:5060\"]", two)]);
    learn(&node, vec![at(40, 0, 0)]);
    assert_eq!(invite_to(&node.hear(HQ, &from_hq(CALLED))), host(50));
}

#[test]
fn a_call_can_be_ended_from_where_its_name_led_before() {
    let mut node = Node::br_with(&[BY_NAME]);
    learn(&node, vec![at(20, 0, 0)]);
    let mut call = stand(&mut node, from_hq(CALLED).body(&audio("18")), &audio("18"));
    assert!(learn(&node, vec![at(40, 0, 0)]));
    assert_eq!(invite_to(&node.hear(HQ, &from_hq(CALLED))), host(40), "new calls follow the name");
    let bye = node.hear(GW_BR_1, &call.callee.request("BYE")).the("BYE");
    assert_eq!(bye.to, HQ);
    // A day later nobody can have a call from there.
    node.now_ms += CALL_MS_MAX + 1_000;
    learn(&node, vec![at(40, 0, 0)]);
    assert!(node.hear(GW_BR_1, &Request::new("INVITE", GW_BR_1, BR, "x", "7001")).0.is_empty());
}

#[test]
fn a_reload_keeps_where_a_name_led_and_forgets_a_name_that_left() {
    let mut node = Node::br_with(&[BY_NAME]);
    learn(&node, vec![at(40, 0, 0)]);
    node.engine.reload(plan("br", &[BY_NAME]));
    assert_eq!(invite_to(&node.hear(HQ, &from_hq(CALLED))), host(40));
    node.engine.reload(plan("br", &[]));
    node.engine.reload(plan("br", &[BY_NAME]));
    assert_eq!(invite_to(&node.hear(HQ, &from_hq(CALLED))), GW_BR_2, "it must be looked up again");
}

#[test]
fn a_trunk_given_by_name_is_tried_and_known_where_it_leads() {
    let mut node = Node::hq_with(&[("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"udp:gw.example.com\"]")]);
    learn(&node, vec![at(1, 0, 0)]);
    let call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    assert_eq!((call.caller_at, call.callee_at), (CC_HQ, BR));
    // V-5: keepalives go there too.
    let beat = node.wait(15_100);
    assert!(beat.0.iter().any(|sent| sent.what() == "OPTIONS" && sent.to == BR), "{:?}", beat.told());
}

#[test]
fn a_target_that_is_a_neighbour_s_name_goes_to_that_neighbour() {
    let mut node = Node::br_with(&[BY_NAME]);
    learn(&node, vec![at(40, 0, 0)]);
    for uri in ["sip:carol@gw.example.com", "sip:carol@GW.Example.com"] {
        let mut invite = Request::new("INVITE", CC_BR, BR, "7001", "x");
        invite.uri = uri.to_owned();
        let sent = node.hear(CC_BR, &invite).the("INVITE");
        assert_eq!((sent.to, sent.start()), (host(40), format!("INVITE {uri} SIP/2.0")));
    }
    let mut stranger = Request::new("INVITE", CC_BR, BR, "7001", "x");
    stranger.uri = "sip:carol@gw.example.org".to_owned();
    assert_eq!(node.hear(CC_BR, &stranger).refusal().what(), "404");
}

/// Where the ACK of a call and what follows go, whose gateway answers from the second address and names itself by name.
fn a_call_at_the_second_address(node: &mut Node, number: &str) -> Dialog {
    learn(node, vec![at(40, 0, 0), at(41, 1, 0)]);
    let invite = from_hq(number).body(&audio("18"));
    let first = node.hear(HQ, &invite).to(host(40));
    let sent = node.hear(host(40), says(&first, 503)).to(host(41));
    let text = answer(&sent, 200, "b1", &[], &audio("18"));
    let text = text.replace("<sip:callee@127.0.2.41:5060>", "<sip:psap@GW.example.com>");
    assert!(text.contains("GW.example"));
    let mut caller = Dialog::of_caller(&invite, &node.hear(host(41), text).the("200"));
    assert_eq!(node.hear(HQ, &caller.request("ACK")).the("ACK").to, host(41), "{number}");
    caller
}

#[test]
fn rfc_3261_12_2_what_is_for_a_dialog_goes_to_the_address_that_has_it_whichever_its_name_leads_to_first() {
    for number in ["999", CALLED] {
        let mut node = Node::br_with(&[BY_NAME]);
        let mut caller = a_call_at_the_second_address(&mut node, number);
        for method in ["INFO", "UPDATE"] {
            assert_eq!(node.hear(HQ, &caller.request(method)).the(method).to, host(41), "{number}");
        }
        // Meanwhile the name has gone elsewhere.
        learn(&node, vec![at(50, 0, 0)]);
        assert_eq!(node.hear(HQ, &caller.request("BYE")).the("BYE").to, host(41), "{number}");
    }
}

#[test]
fn rfc_3263_4_3_a_call_for_a_neighbours_name_is_tried_at_every_address_of_that_name_and_at_no_other() {
    let two = "[\"udp:gw.example.com\", \"udp:gw2.example.com\"]";
    let mut node = Node::br_with(&[("[\"udp:127.0.2.20:5060\"]", two)]);
    learn(&node, vec![at(40, 0, 0)]);
    let second = Named { host: "gw2.example.com".into(), ..name() };
    node.engine.located(&second, vec![at(62, 9, 0), at(60, 0, 0), at(61, 5, 0)], Moment(node.now_ms));
    let mut invite = Request::new("INVITE", CC_BR, BR, "7001", "x");
    invite.uri = "sip:carol@gw2.example.com".to_owned();
    let mut sent = node.hear(CC_BR, &invite).the("INVITE");
    for next in [60, 61] {
        assert_eq!(sent.to, host(next));
        sent = node.hear(sent.to, says(&sent, 503)).the("INVITE");
    }
    assert_eq!((sent.to, sent.start()), (host(62), format!("INVITE {} SIP/2.0", invite.uri)));
    assert_eq!(node.hear(sent.to, says(&sent, 503)).refusal().what(), "500", "none is left");
    // What sets up no call goes to the first.
    let message = Request { uri: invite.uri.clone(), ..Request::new("INFO", CC_BR, BR, "7001", "x") };
    assert_eq!(node.hear(CC_BR, &message).the("INFO").to, host(60));
    // A Route that names it.
    let routed = Request::new("INVITE", CC_BR, BR, "7001", "7002").header("Route: <sip:gw.example.com;lr>");
    assert_eq!(node.hear(CC_BR, &routed).the("INVITE").to, host(40));
}

#[test]
fn rfc_3261_12_2_a_name_that_leads_to_another_neighbour_of_the_same_host_is_that_neighbour() {
    let mut node = Node::br_with(&[BY_NAME]);
    let beside = SocketAddr::from(([127, 0, 2, 21], 5070));
    let address = Address { transport: Transport::Udp, socket: beside };
    learn(&node, vec![Located { address, rank: Rank::default() }]);
    let invite = from_hq(CALLED).body(&audio("18"));
    let first = node.hear(HQ, &invite).to(beside);
    let sent = node.hear(beside, says(&first, 503)).to(GW_BR_2);
    let text = answer(&sent, 200, "b1", &[], &audio("18"));
    let text = text.replace("<sip:callee@127.0.2.21:5060>", "<sip:callee@gw.example.com>");
    let mut caller = Dialog::of_caller(&invite, &node.hear(GW_BR_2, text).the("200"));
    assert_eq!(node.hear(HQ, &caller.request("ACK")).the("ACK").to, beside);
}
