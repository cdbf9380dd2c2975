//! Neighbours that fall silent, ask for rest, or send what they may not: health probing and what follows from it for the
//! order of next hops, the methods and the rate of a neighbour, and chance among its addresses (RFC 2782).

use std::net::SocketAddr;

use emcc_policies::moment::Moment;
use emcc_trunk::engine::overload::Stage;

use crate::node::{BR, CC_BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, Sent, name, plan};
use crate::wire::{Dialog, Request, alice, answer, assert_refused, audio, bob, from_hq, says, stand};

const CALLED: &str = "02079460000";
const PROBED: (&str, &str) = ("[sip]", "[sip]\nhealth_s = 10");

fn ok(probe: &Sent) -> Option<String> {
    Some(says(probe, 200))
}

/// Answers every probe but those to `dead`.
fn all_but(dead: SocketAddr) -> impl FnMut(&Sent) -> Option<String> {
    move |probe| (probe.to != dead).then(|| says(probe, 200))
}

#[test]
fn strict_stream_is_the_rule_of_the_neighbour_that_has_it_and_of_nobody_else() {
    use emcc_trunk::io::Driver;
    use emcc_trunk::neighbour::{Flow, Transport};
    let tcp = "[\"udp:127.0.1.20:5060\", \"tcp:127.0.1.20:5060\"]\nstrict_stream = true";
    let trunk = "trunk = [\"tcp:127.0.2.1:5060\"]\nstrict_stream = true";
    let node = Node::hq_with(&[
        ("[\"udp:127.0.1.20:5060\"]", tcp),
        ("trunk = [\"udp:127.0.2.1:5060\"]", trunk),
        ("\"udp:127.0.1.10:5060\"", "\"tcp:127.0.1.10:5060\""),
        ("[admin]", "phones = [\"127.0.3.0/24\"]\n\n[admin]"),
    ]);
    let phone = SocketAddr::from(([127, 0, 3, 5], 5060));
    let stranger = SocketAddr::from(([127, 0, 4, 5], 5060));
    for (at, want) in [(GW_HQ, true), (BR, true), (CC_HQ, false), (phone, false), (stranger, false)] {
        let remote = SocketAddr::new(at.ip(), 40_000);
        let flow = Flow { transport: Transport::Tcp, listener: 1, remote, connection: 3 };
        assert_eq!(node.engine.is_strict(flow), want, "{at}");
    }
}

fn first_hop(node: &mut Node, called: &str) -> Sent {
    node.hear(HQ, &from_hq(called)).the("INVITE")
}

/// The gateways an ordinary or emergency call is sent to, each refusing it.
fn hops_of(node: &mut Node, called: &str) -> Vec<String> {
    let mut sent = first_hop(node, called);
    let mut hops = vec![name(sent.to)];
    loop {
        let out = node.hear(sent.to, says(&sent, 500));
        match out.0.iter().find(|sent| sent.what() == "INVITE") {
            Some(next) => sent = next.clone(),
            None => return hops,
        }
        hops.push(name(sent.to));
    }
}

fn state(node: &Node, at: SocketAddr) -> &'static str {
    let seen = node.engine.neighbours(emcc_policies::moment::Moment(node.now_ms));
    seen.iter().find(|seen| seen.address.socket == at).expect("it is watched").state()
}

#[test]
fn rfc_3261_11_every_neighbour_is_asked_with_a_plain_options_once_an_interval() {
    let mut node = Node::br_with(&[PROBED]);
    for round in 0..3 {
        let out = node.beats(10, ok);
        let mut asked: Vec<String> = out.0.iter().map(|probe| name(probe.to)).collect();
        asked.sort();
        asked.dedup();
        assert_eq!(asked, ["cc-br", "gw-br-1", "gw-br-2", "gw-trunk-pool", "hq"], "round {round}");
        assert!((5..=6).contains(&out.0.len()), "{:?}", out.told());
        for probe in &out.0 {
            assert_eq!(probe.start(), format!("OPTIONS sip:{};transport=UDP SIP/2.0", probe.to));
            assert_eq!((probe.headers("Call-Info").len(), probe.header("Max-Forwards")), (0, "70".to_owned()));
        }
    }
}

#[test]
fn with_health_s_0_nobody_is_asked_and_nobody_is_ever_down() {
    let mut node = Node::br_with(&[("[sip]", "[sip]\nhealth_s = 0")]);
    assert!(node.beats(120, ok).0.is_empty());
    let sent = first_hop(&mut node, CALLED);
    node.fail(&sent).the("INVITE");
    assert_eq!(state(&node, GW_BR_1), "up");
}

#[test]
fn a_gateway_that_answers_no_probe_is_tried_last_and_first_again_when_it_does() {
    let mut node = Node::br_with(&[PROBED]);
    assert_eq!(hops_of(&mut node, CALLED), ["gw-br-1", "gw-br-2"]);
    // A first probe within 10 s, then three that are lost after 4 s each.
    node.beats(30, all_but(GW_BR_1));
    assert_eq!((state(&node, GW_BR_1), state(&node, GW_BR_2)), ("down", "up"));
    assert_eq!(node.alarms(), ["an address of a neighbour is down"]);
    assert_eq!(hops_of(&mut node, CALLED), ["gw-br-2", "gw-br-1"], "still tried when nothing else is left");
    node.beats(11, ok);
    assert_eq!(state(&node, GW_BR_1), "up");
    assert_eq!(node.alarms(), ["an address of a neighbour is up again"]);
    assert_eq!(hops_of(&mut node, CALLED), ["gw-br-1", "gw-br-2"]);
}

#[test]
fn p_23_an_emergency_call_loses_no_hop_to_health() {
    let mut node = Node::br_with(&[PROBED]);
    node.beats(30, all_but(GW_BR_1));
    assert_eq!(hops_of(&mut node, "999"), ["gw-br-2", "gw-br-1"]);
    node.beats(60, |probe| (probe.to != GW_BR_1 && probe.to != GW_BR_2).then(|| says(probe, 200)));
    assert_eq!((state(&node, GW_BR_1), state(&node, GW_BR_2)), ("down", "down"));
    assert_eq!(hops_of(&mut node, "999"), ["gw-br-1", "gw-br-2"], "all are down: the order of the route");
}

#[test]
fn the_trail_of_a_call_says_who_is_tried_last() {
    let mut node = Node::br_with(&[PROBED]);
    node.beats(30, all_but(GW_BR_1));
    hops_of(&mut node, CALLED);
    let record = node.records().remove(0);
    let because = record.decision.because(&record.plan);
    assert!(because.contains("tried last, because down or asked to be left alone: 1 hops"), "{because}");
}

#[test]
fn a_silent_or_unreachable_gateway_is_probed_at_once_and_keeps_its_place_meanwhile() {
    for is_silent in [true, false] {
        let mut node = Node::br_with(&[PROBED]);
        node.beats(11, ok);
        let sent = first_hop(&mut node, CALLED);
        if is_silent {
            node.wait(4_100);
        } else {
            node.fail(&sent);
        }
        assert_eq!(state(&node, GW_BR_1), "probing");
        assert_eq!(first_hop(&mut node, CALLED).to, GW_BR_1, "one lost call takes nobody out");
        let probes = node.beats(1, ok);
        assert!(probes.0.iter().any(|probe| probe.what() == "OPTIONS" && probe.to == GW_BR_1), "{:?}", probes.told());
        assert_eq!(state(&node, GW_BR_1), "up");
    }
}

#[test]
fn any_final_response_but_503_shows_that_a_neighbour_serves() {
    for (status, shows) in [(200, true), (404, true), (405, true), (500, true), (603, true), (503, false)] {
        let mut node = Node::br_with(&[PROBED]);
        let first = node.beats(10, |probe| Some(says(probe, if probe.to == GW_BR_1 { status } else { 200 })));
        assert!(first.0.iter().any(|probe| probe.to == GW_BR_1));
        assert_eq!(state(&node, GW_BR_1) == "up", shows, "{status}");
    }
}

#[test]
fn rfc_3261_20_33_a_call_s_503_with_retry_after_leaves_the_hop_alone_for_so_long() {
    for health in ["[sip]\nhealth_s = 10", "[sip]\nhealth_s = 0"] {
        let mut node = Node::br_with(&[("[sip]", health)]);
        let sent = first_hop(&mut node, CALLED);
        node.hear(GW_BR_1, answer(&sent, 503, "b1", &["Retry-After: 20 (tired);duration=60"], "")).the("INVITE");
        assert_eq!(state(&node, GW_BR_1), "resting");
        assert_eq!(hops_of(&mut node, CALLED), ["gw-br-2", "gw-br-1"]);
        let asked = node.beats(19, ok);
        assert!(asked.0.iter().all(|probe| probe.to != GW_BR_1), "no probe either: {:?}", asked.told());
        assert_eq!(first_hop(&mut node, CALLED).to, GW_BR_2);
        node.beats(1, ok);
        assert_eq!(first_hop(&mut node, CALLED).to, GW_BR_1);
    }
}

#[test]
fn rfc_3261_20_33_a_retry_after_is_capped_at_ten_minutes() {
    let mut node = Node::br_with(&[("[sip]", "[sip]\nhealth_s = 0")]);
    let sent = first_hop(&mut node, CALLED);
    node.hear(GW_BR_1, answer(&sent, 503, "b1", &["Retry-After: 4294967296"], ""));
    node.wait(599_000);
    assert_eq!(state(&node, GW_BR_1), "resting");
    node.wait(1_001);
    assert_eq!(state(&node, GW_BR_1), "up");
}

#[test]
fn rfc_3261_21_5_4_a_503_without_retry_after_takes_no_hop_out() {
    let mut node = Node::br_with(&[PROBED]);
    let sent = first_hop(&mut node, CALLED);
    node.hear(GW_BR_1, says(&sent, 503)).the("INVITE");
    assert_eq!(state(&node, GW_BR_1), "probing");
    assert_eq!(first_hop(&mut node, CALLED).to, GW_BR_1);
}

#[test]
fn a_reload_forgets_nothing_of_an_address_that_stays() {
    let mut node = Node::br_with(&[PROBED]);
    node.beats(30, all_but(GW_BR_1));
    node.engine.reload(plan("br", &[PROBED, ("name = \"gw-trunk-pool\"", "name = \"gw-trunk-pool\"\nweight = 1")]));
    assert_eq!(state(&node, GW_BR_1), "down");
    assert_eq!(first_hop(&mut node, CALLED).to, GW_BR_2);
    // The same address under another name is another neighbour.
    node.engine.reload(plan("br", &[PROBED, ("gw-br-1", "gw-new")]));
    assert_eq!(state(&node, GW_BR_1), "up");
}

#[test]
fn v_5_a_probe_and_its_answer_are_no_keepalive() {
    let mut node = Node::hq_with(&[PROBED]);
    stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    node.wait(1_100);
    assert_eq!(node.booked(), [24, 24, 0, 0]);
    let mut probes = 0;
    node.beats(31, |sent| {
        let is_probe = sent.what() == "OPTIONS" && sent.headers("Call-Info").is_empty();
        probes += usize::from(is_probe && sent.to == BR);
        is_probe.then(|| says(sent, 200))
    });
    assert!(probes >= 3, "{probes}");
    assert_eq!(node.booked(), [0; 4], "V-4: two intervals without a KeepAlive, whatever the probes heard");
}

#[test]
fn a_method_that_is_not_let_through_is_405_with_what_is() {
    let listed = ("name = \"cc-br\"", "name = \"cc-br\"\nmethods = [\"INVITE\", \"INFO\"]");
    let mut node = Node::br_with(&[listed]);
    for method in ["MESSAGE", "SUBSCRIBE", "REFER", "JUMP"] {
        let refusal = node.hear(CC_BR, &Request::new(method, CC_BR, BR, "7001", CALLED)).refusal();
        assert_eq!(refusal.what(), "405", "{method}");
        assert_eq!(refusal.header("Allow"), "ACK, BYE, CANCEL, INFO, INVITE, PRACK, UPDATE");
    }
    node.hear(CC_BR, &Request::new("INFO", CC_BR, BR, "7001", CALLED)).the("INFO");
    node.hear(CC_BR, &Request::new("INVITE", CC_BR, BR, "7001", CALLED)).the("INVITE");
    let mut options = Request::new("OPTIONS", CC_BR, BR, "x", "x");
    options.uri = format!("sip:{BR}");
    node.hear(CC_BR, &options).the("200");
    let mut free = Node::br();
    free.hear(CC_BR, &Request::new("MESSAGE", CC_BR, BR, "7001", CALLED)).the("MESSAGE");
}

#[test]
fn p_23_an_emergency_call_passes_any_list_of_methods() {
    let mut node = Node::br_with(&[("name = \"cc-br\"", "name = \"cc-br\"\nmethods = [\"OPTIONS\"]")]);
    let ordinary = node.hear(CC_BR, &Request::new("INVITE", CC_BR, BR, "7001", CALLED));
    assert_eq!(ordinary.refusal().what(), "405");
    node.hear(CC_BR, &Request::new("INVITE", CC_BR, BR, "7001", "999")).the("INVITE");
    // And so does every request of it, from either side.
    let none = ("name = \"gw-br-1\"", "name = \"gw-br-1\"\nmethods = []");
    let mut node = Node::br_with(&[("name = \"cc-br\"", "name = \"cc-br\"\nmethods = [\"OPTIONS\"]"), none]);
    let invite = Request::new("INVITE", CC_BR, BR, "7001", "999").body(&audio("18"));
    let mut call = stand(&mut node, invite, &audio("18"));
    for method in ["INFO", "MESSAGE", "REFER", "NOTIFY", "JUMP"] {
        let sent = node.hear(GW_BR_1, &call.callee.request(method)).the(method);
        assert_eq!(node.hear(CC_BR, says(&sent, 200)).told(), ["200 to gw-br-1"], "{method}");
        let sent = node.hear(CC_BR, &call.caller.request(method)).the(method);
        assert_eq!(node.hear(GW_BR_1, says(&sent, 200)).told(), ["200 to cc-br"], "{method}");
    }
}

#[test]
fn what_changes_or_ends_a_call_passes_any_list_of_methods() {
    let mut node = Node::br_with(&[("name = \"gw-br-1\"", "name = \"gw-br-1\"\nmethods = []")]);
    let mut call = stand(&mut node, from_hq(CALLED).body(&audio("18")), &audio("18"));
    for method in ["UPDATE", "INVITE"] {
        let passed = node.hear(GW_BR_1, &call.callee.request(method)).the(method);
        node.hear(HQ, says(&passed, 500)).the("500");
    }
    assert_eq!(node.hear(GW_BR_1, &call.callee.request("REFER")).refusal().what(), "405");
    node.hear(GW_BR_1, &call.callee.request("BYE")).the("BYE");
}

const LIMIT: (&str, &str) = ("id = \"HQ\"", "id = \"HQ\"\nrate_per_s = 6");

fn limited() -> Node {
    Node::br_with(&[LIMIT])
}

#[test]
fn new_requests_beyond_the_rate_are_500_with_retry_after_and_cost_no_row() {
    let mut node = limited();
    for _ in 0..6 {
        first_hop(&mut node, CALLED);
    }
    let (calls, rows) = (node.engine.calls(), node.engine.transactions());
    for method in ["INVITE", "MESSAGE"] {
        let out = node.hear(HQ, &Request { method: method.to_owned(), ..from_hq(CALLED) });
        assert_refused(&out, 500, "", "42");
        assert_eq!((out.0.len(), out.refusal().header("Retry-After")), (1, "1".to_owned()));
    }
    assert_eq!((node.engine.calls(), node.engine.transactions()), (calls, rows));
    node.hear(CC_BR, &Request::new("INVITE", CC_BR, BR, "7001", CALLED)).the("INVITE");
    node.now_ms += 1_000;
    for _ in 0..6 {
        first_hop(&mut node, CALLED);
    }
}

#[test]
fn a_late_node_sends_away_whose_rate_is_spent_before_anybody_else() {
    let (mut node, exporter) = Node::counted("br", &[LIMIT]);
    [HQ, CC_BR].iter().for_each(|at| node.engine.verify(at.ip(), Moment(node.now_ms)));
    for _ in 0..6 {
        first_hop(&mut node, CALLED);
    }
    node.now_ms += 50;
    node.waited(0, 300_000);
    node.now_ms += 50;
    node.waited(0, 300_000);
    assert_eq!(node.engine.overload().stage(), Stage::Late);
    let beyond = |node: &mut Node| {
        for method in ["INVITE", "MESSAGE"] {
            let out = node.hear(HQ, &Request { method: method.to_owned(), ..from_hq(CALLED) });
            assert_refused(&out, 500, "", "42");
            assert_eq!((out.0.len(), out.refusal().header("Retry-After")), (1, "1".to_owned()));
        }
    };
    beyond(&mut node);
    let is_shed = |times: u8| {
        let want = format!("emcc_shed_total{{kind=\"beyond_rate\"}} {times}\n");
        assert!(exporter.render(&[]).contains(&want), "nothing was made of {times}");
    };
    is_shed(2);
    node.hear(CC_BR, &Request::new("INVITE", CC_BR, BR, "7001", CALLED)).the("INVITE");
    node.hear(HQ, &from_hq("999")).the("INVITE");
    // Where calls are sent away too, it is told what it is: the lot of the others is not asked.
    node.now_ms += 50;
    node.waited(0, 300_000);
    assert_eq!(node.engine.overload().stage(), Stage::Shedding);
    beyond(&mut node);
    is_shed(4);
}

#[test]
fn p_23_the_rate_never_holds_an_emergency_call_nor_does_one_use_it_up() {
    let mut node = limited();
    for _ in 0..20 {
        node.hear(HQ, &from_hq("999")).the("INVITE");
    }
    for _ in 0..6 {
        first_hop(&mut node, CALLED);
    }
    assert_refused(&node.hear(HQ, &from_hq(CALLED)), 500, "", "42");
    node.hear(HQ, &from_hq("999")).the("INVITE");
}

#[test]
fn the_rate_never_holds_what_belongs_to_a_call_nor_who_asks_whether_we_live() {
    let mut node = limited();
    let invite = from_hq(CALLED).body(&audio("18"));
    let mut call = stand(&mut node, invite.clone(), &audio("18"));
    while node.hear(HQ, &from_hq(CALLED)).0.iter().any(|sent| sent.what() == "INVITE") {}
    let mut options = Request::new("OPTIONS", HQ, BR, "x", "x");
    options.uri = format!("sip:{BR}");
    node.hear(HQ, &options).the("200");
    let keepalive = "Call-Info: <urn:emcc:keepalive:HQ>;purpose=emcc-keepalive;epoch=5";
    let mut marked = Request::new("OPTIONS", HQ, BR, "x", "x").header(keepalive);
    marked.uri = format!("sip:{BR}");
    node.hear(HQ, &marked).the("200");
    let info = call.caller.request("INFO");
    let passed = node.hear(HQ, &info).the("INFO");
    node.hear(GW_BR_1, says(&passed, 200)).the("200");
    // A copy of a request that was let in is a copy, not a new one.
    assert!(node.hear(HQ, &info).told().iter().all(|told| told == "200 to hq"));
    node.hear(HQ, &call.caller.request("BYE")).the("BYE");
}

#[test]
fn the_rate_of_a_neighbour_outlives_a_reload() {
    let mut node = limited();
    for _ in 0..6 {
        first_hop(&mut node, CALLED);
    }
    node.engine.reload(plan("br", &[LIMIT]));
    assert_refused(&node.hear(HQ, &from_hq(CALLED)), 500, "", "42");
}

const FOUR: &str = "addresses = [\"udp:127.0.2.20:5060\", \"udp:127.0.2.30:5060\", \"udp:127.0.2.31:5060\", \
                    \"udp:127.0.2.32:5060\"]";

fn weighted(keys: &str) -> Node {
    Node::br_with(&[("addresses = [\"udp:127.0.2.20:5060\"]", &format!("{FOUR}\n{keys}"))])
}

/// Last octets of the addresses a call is sent to, in their order.
fn octets(node: &mut Node) -> Vec<u8> {
    let mut sent = first_hop(node, CALLED);
    let mut octets = Vec::new();
    loop {
        let SocketAddr::V4(at) = sent.to else { panic!("{}", sent.to) };
        octets.push(at.ip().octets()[3]);
        let out = node.hear(sent.to, says(&sent, 500));
        match out.0.into_iter().find(|sent| sent.what() == "INVITE") {
            Some(next) => sent = next,
            None => return octets,
        }
    }
}

#[test]
fn rfc_2782_a_lower_priority_is_tried_first_and_equal_ones_as_written() {
    assert_eq!(octets(&mut weighted("")), [20, 30, 31, 32, 21]);
    assert_eq!(octets(&mut weighted("priority = 7")), [20, 30, 31, 32, 21]);
    assert_eq!(octets(&mut weighted("priority = [5, 1, 5, 0]")), [32, 30, 20, 31, 21]);
}

#[test]
fn rfc_2782_weights_share_the_first_tries_within_a_priority_and_never_leave_the_route_s_order() {
    let mut node = weighted("priority = [1, 1, 0, 0]\nweight = [10, 0, 30, 10]");
    let mut firsts = [0; 2];
    for _ in 0..400 {
        let octets = octets(&mut node);
        firsts[usize::from(octets[0] == 32)] += 1;
        let (head, tail) = octets.split_at(2);
        assert!(head == [31, 32] || head == [32, 31], "{octets:?}");
        assert!(tail == [20, 30, 21] || tail == [30, 20, 21], "{octets:?}");
    }
    assert!((250..350).contains(&firsts[0]), "three in four: {firsts:?}");
    // One weight for all shares evenly.
    let mut node = weighted("weight = 1");
    let mut counts = [0; 33];
    for _ in 0..400 {
        counts[usize::from(octets(&mut node)[0])] += 1;
    }
    assert!([20, 30, 31, 32].iter().all(|octet| counts[*octet] > 60), "{counts:?}");
    assert_eq!(counts[21], 0, "the other gateway of the group comes after");
}

#[test]
fn the_trunk_s_addresses_are_chosen_like_a_peer_s() {
    let trunk = "trunk = [\"udp:127.0.2.1:5060\", \"udp:127.0.2.2:5060\"]\nweight = [0, 0]\npriority = [1, 0]";
    let mut node = Node::hq_with(&[("trunk = [\"udp:127.0.2.1:5060\"]", trunk), PROBED]);
    let second = SocketAddr::from(([127, 0, 2, 2], 5060));
    let sent = node.hear(CC_HQ, &alice("901614960000")).the("INVITE");
    assert_eq!(sent.to, second);
    node.beats(30, all_but(second));
    assert_eq!(node.hear(CC_HQ, &alice("901614960000")).the("INVITE").to, BR);
    assert_ne!(state(&node, GW_HQ), "down");
}

#[test]
fn a_request_outside_a_dialog_goes_to_a_hop_that_serves() {
    let mut node = Node::br_with(&[PROBED]);
    node.beats(30, all_but(GW_BR_1));
    let message = Request::new("MESSAGE", CC_BR, BR, "7001", CALLED);
    assert_eq!(node.hear(CC_BR, &message).the("MESSAGE").to, GW_BR_2);
}

#[test]
fn an_answer_to_a_call_brings_an_address_back_without_a_probe() {
    let mut node = Node::br_with(&[PROBED]);
    node.beats(60, |probe| (probe.to != GW_BR_1 && probe.to != GW_BR_2).then(|| says(probe, 200)));
    assert_eq!(state(&node, GW_BR_1), "down");
    let invite = from_hq(CALLED).body(&audio("18"));
    let sent = node.hear(HQ, &invite).the("INVITE");
    assert_eq!(sent.to, GW_BR_1);
    let answered = node.hear(GW_BR_1, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    node.hear(HQ, &Dialog::of_caller(&invite, &answered).request("ACK")).the("ACK");
    assert_eq!(state(&node, GW_BR_1), "up");
}

#[test]
fn rfc_3261_18_1_2_a_neighbour_with_two_addresses_may_answer_from_either_and_nobody_else() {
    let two =
        ("addresses = [\"udp:127.0.1.20:5060\"]", "addresses = [\"udp:127.0.1.20:5060\", \"udp:127.0.1.25:5060\"]");
    let mut node = Node::hq_with(&[two]);
    let sent = node.hear(CC_HQ, &bob("911")).the("INVITE");
    let other: SocketAddr = "127.0.1.25:5060".parse().unwrap();
    assert_eq!(sent.to, GW_HQ);
    for from in [BR, CC_HQ, "127.0.1.26:5060".parse().unwrap()] {
        assert_eq!(node.hear(from, says(&sent, 200)).told(), Vec::<String>::new(), "{from}");
    }
    for status in [180, 200] {
        assert_eq!(node.hear(other, says(&sent, status)).told(), [format!("{status} to cc-hq")]);
    }
    assert_eq!(node.ended(), [], "it stands");
}

/// The home node with a second address, after the one of the pair.
const TWO_ADDRESSES: (&str, &str) = ("[\"udp:127.0.1.1:5060\"]", "[\"udp:127.0.1.1:5060\", \"udp:127.0.1.9:5060\"]");

fn hq_2() -> SocketAddr {
    SocketAddr::from(([127, 0, 1, 9], 5060))
}

#[test]
fn rfc_3261_17_2_3_a_neighbour_of_several_addresses_repeats_and_cancels_an_invite_from_any() {
    for called in [CALLED, "999"] {
        let mut node = Node::br_with(&[TWO_ADDRESSES]);
        let invite = from_hq(called);
        let first = node.hear(HQ, &invite).the("INVITE");
        // What another neighbour sends is another request, whatever it says.
        assert_eq!(node.hear(CC_BR, &invite.cancel()).told(), ["481 to cc-br"]);
        assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), ["180 to hq"]);
        // Its first address may be gone: what follows goes to the other.
        let again = node.hear(hq_2(), &invite);
        assert_eq!(again.told(), ["180 to 127.0.1.9:5060"], "a copy");
        node.engine.reload(plan("br", &[TWO_ADDRESSES]));
        let out = node.hear(hq_2(), &invite.cancel());
        assert_eq!(out.told(), ["200 to 127.0.1.9:5060", "CANCEL to gw-br-1"]);
        node.hear(GW_BR_1, says(&out.the("CANCEL"), 200));
        let out = node.hear(GW_BR_1, says(&first, 487));
        assert_eq!(out.told(), ["ACK to gw-br-1", "487 to 127.0.1.9:5060"]);
        let failure = out.the("487");
        assert_eq!(node.hear(HQ, &invite.ack(&failure)).told(), Vec::<String>::new());
        assert_eq!(node.wait(600).told(), Vec::<String>::new(), "it is acknowledged");
        node.wait(70_000);
        assert_eq!((node.engine.transactions(), node.engine.calls(), node.booked()), (0, 0, [0; 4]));
    }
}

#[test]
fn rfc_3261_17_2_3_a_neighbour_of_several_addresses_acknowledges_a_refusal_from_any() {
    let mut node = Node::br_with(&[TWO_ADDRESSES]);
    let invite = from_hq(CALLED);
    let first = node.hear(HQ, &invite).the("INVITE");
    let refusal = node.hear(GW_BR_1, says(&first, 486)).the("486");
    assert_eq!(node.wait(600).told(), ["486 to hq"]);
    node.hear(hq_2(), &invite.ack(&refusal));
    assert_eq!(node.wait(4_100).told(), Vec::<String>::new());
    // One whose branch does not tell (RFC 2543).
    let mut node = Node::br_with(&[TWO_ADDRESSES]);
    let text = |what: String| what.replace("z9hG4bK", "old-");
    let invite = from_hq(CALLED);
    let first = node.hear(HQ, text(invite.text())).the("INVITE");
    assert_eq!(node.hear(GW_BR_1, says(&first, 180)).told(), ["180 to hq"]);
    assert_eq!(node.hear(hq_2(), text(invite.text())).told(), ["180 to 127.0.1.9:5060"]);
    assert_eq!(node.hear(HQ, text(invite.cancel().text())).told(), ["200 to hq", "CANCEL to gw-br-1"]);
}
