//! A node that is late: what it sends away and in which order, what it never does, and what it tells its neighbours
//! (RFC 7339, RFC 4412, P-23).

use std::net::SocketAddr;

use emcc_trunk::engine::overload::Stage;

use crate::node::{BR, CC_HQ, EPOCH_S, GW_BR_1, GW_HQ, HQ, Node, Sent};
use crate::wire::{Request, alice, answer, audio, bob, from_hq, hang_up, says, stand};

const LISTED: (&str, &str) =
    ("last_resort = [\"gw-hq\"]", "last_resort = [\"gw-hq\"]\nnumbers = [\"112\"]\naccess_codes = [\"9\"]");
/// Intervals of the overload control, milliseconds.
const INTERVAL_MS: u64 = 50;

/// So many intervals in which every datagram waited that long; the last one is not over yet.
fn late(node: &mut Node, intervals: u64, delay_us: u32) {
    for _ in 0..intervals {
        node.now_ms += INTERVAL_MS;
        node.waited(0, delay_us);
    }
}

/// A node that lets in one call of 64, and not the ones with these Call-IDs.
fn swamped(mut node: Node) -> Node {
    late(&mut node, 40, 300_000);
    assert_eq!((node.engine.overload().stage(), node.engine.overload().loss_percent()), (Stage::Shedding, 99));
    node
}

/// The same call each time, so that the share it falls into is always the same.
fn same(mut invite: Request) -> Request {
    "always-the-same".clone_into(&mut invite.call_id);
    invite
}

fn outside(method: &str, uri: &str) -> Request {
    let mut request = same(Request::new(method, CC_HQ, HQ, "5002", "5002"));
    uri.clone_into(&mut request.uri);
    request
}

/// Brings a node into a stage.
type Bring = fn(&mut Node);

#[test]
fn what_is_sent_away_and_in_which_order() {
    let us = format!("sip:{HQ}");
    // What it is, from whom, and the first answer of a node that is normal, late, shedding, draining.
    let rows: [(&str, SocketAddr, Request, [&str; 4]); 16] = [
        ("a new call", CC_HQ, same(bob("912025550123")), ["100", "100", "503", "503"]),
        ("a call of the trunk's phone", CC_HQ, same(alice("901614960000")), ["100", "100", "503", "503"]),
        ("REGISTER", CC_HQ, outside("REGISTER", &format!("sip:{GW_HQ}")), ["REGISTER", "503", "503", "503"]),
        ("SUBSCRIBE", CC_HQ, outside("SUBSCRIBE", &format!("sip:{GW_HQ}")), ["SUBSCRIBE", "503", "503", "503"]),
        ("OPTIONS through us", CC_HQ, outside("OPTIONS", &format!("sip:{GW_HQ}")), ["OPTIONS", "503", "503", "503"]),
        ("OPTIONS to us", CC_HQ, outside("OPTIONS", &us), ["200", "200", "200", "503"]),
        (
            "a keepalive",
            BR,
            outside("OPTIONS", &us).header("Call-Info: <urn:emcc:keepalive:BR>;purpose=emcc-keepalive;epoch=5"),
            ["200"; 4],
        ),
        ("an emergency number", CC_HQ, same(bob("112")), ["100"; 4]),
        ("the same behind an access code", CC_HQ, same(bob("9112")), ["100"; 4]),
        ("one without a host", CC_HQ, Request { uri: "sip:112".into(), ..same(bob("x")) }, ["100"; 4]),
        ("one before pauses", CC_HQ, Request { uri: "tel:112,,5".into(), ..same(bob("x")) }, ["100"; 4]),
        ("an emergency pattern of our own", CC_HQ, same(alice("9999")), ["100"; 4]),
        ("a service URN", CC_HQ, Request { uri: "urn:service:sos.fire".into(), ..same(bob("x")) }, ["100"; 4]),
        ("a priority call", CC_HQ, same(bob("912025550123")).header("Resource-Priority: ets.0"), ["100"; 4]),
        (
            "a routine call",
            CC_HQ,
            same(bob("912025550123")).header("Resource-Priority: dsn.routine, q735.4"),
            ["100", "100", "503", "503"],
        ),
        // The mark is the trunk's: from call control it counts for nothing.
        (
            "a mark not believed",
            CC_HQ,
            same(bob("912025550123")).header("Priority: emergency"),
            ["100", "100", "503", "503"],
        ),
    ];
    let stages: [(&str, Bring); 4] = [
        ("normal", |_| ()),
        ("late", |node| late(node, 2, 300_000)),
        ("shedding", |node| late(node, 40, 300_000)),
        ("draining", |node| node.engine.drain()),
    ];
    for (what, from, request, want) in rows {
        for ((stage, bring), want) in stages.iter().zip(want) {
            let mut node = Node::hq_with(&[LISTED]);
            bring(&mut node);
            let out = node.hear(from, &request);
            assert_eq!(
                out.0.first().map(|sent| sent.what()).as_deref(),
                Some(want),
                "{what} at a node that is {stage}"
            );
            if want == "503" {
                assert_eq!(out.0.len(), 1, "{what}: one small answer");
                let is_larger = out.0[0].bytes.len() > request.text().len();
                assert!(request.method != "INVITE" || !is_larger, "{what}: never more octets than came");
                assert_eq!(node.engine.transactions(), 0, "{what}: no row");
                assert_eq!(node.ended(), [], "{what}: no line in the log");
            }
        }
    }
}

#[test]
fn the_priority_mark_of_the_trunk_is_believed_while_the_node_sheds() {
    let mut node = swamped(Node::br());
    assert_eq!(node.hear(HQ, &same(from_hq("012079460000"))).told(), ["503 to hq"]);
    let out = node.hear(HQ, &same(from_hq("012079460000")).header("Priority: emergency"));
    assert_eq!(out.told(), ["100 to hq", "INVITE to gw-br-1"]);
    assert_eq!(out.the("INVITE").to, GW_BR_1);
}

#[test]
fn a_number_that_a_translation_makes_an_emergency_is_let_through() {
    let translated = "\n[[translation_pattern]]\npattern = \"0.911\"\npartition = \"PT-Emergency\"\ndiscard_digits = \"PreDot\"\noriginator_css = true\n";
    let text = std::fs::read_to_string("examples/pair/hq.toml").unwrap() + translated;
    let plan = emcc_trunk::config::load_text("hq", &text).unwrap_or_else(|problems| panic!("{problems:#?}")).plan;
    let mut node = swamped(Node::new(plan, emcc_trunk::engine::Bounds::default()));
    let out = node.hear(CC_HQ, &same(alice("0911")));
    assert_eq!(out.told()[0], "100 to cc-hq", "it becomes one only on its way");
}

#[test]
fn everything_of_a_call_that_stands_goes_on_while_the_node_sheds() {
    let mut node = Node::hq();
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let early = bob("912025550124");
    let ringing = node.hear(CC_HQ, &early).the("INVITE");
    let mut node = swamped(node);
    for method in ["INFO", "UPDATE", "PRACK", "INVITE", "OPTIONS", "REFER", "SUBSCRIBE", "MESSAGE"] {
        let down = node.hear(CC_HQ, &call.caller.request(method)).the(method);
        assert_eq!(down.to, GW_HQ, "{method}");
        let up = node.hear(GW_HQ, answer(&down, 200, "b1", &[], "")).the("200");
        assert_eq!(up.to, CC_HQ, "{method}");
    }
    assert_eq!(node.hear(CC_HQ, &call.caller.request("ACK")).told(), ["ACK to gw-hq"]);
    // A call that was let in before is rung, cancelled and acknowledged as ever.
    assert_eq!(node.hear(GW_HQ, says(&ringing, 180)).told(), ["180 to cc-hq"]);
    assert_eq!(node.hear(CC_HQ, &early).told(), ["180 to cc-hq"], "a repeated INVITE of it is no new call");
    let cancelled = node.hear(CC_HQ, &early.cancel());
    assert_eq!(cancelled.told(), ["200 to cc-hq", "CANCEL to gw-hq"]);
    let failed = node.hear(GW_HQ, says(&ringing, 487));
    assert_eq!(node.hear(CC_HQ, &early.ack(&failed.the("487"))).told(), Vec::<String>::new());
    hang_up(&mut node, &mut call);
    assert_eq!(node.engine.calls(), 0);
}

#[test]
fn a_call_sent_away_is_told_when_to_come_back_and_its_ack_ends_here() {
    let mut node = swamped(Node::hq());
    let invite = same(bob("912025550123").body(&audio("0")));
    let refusal = node.hear(CC_HQ, &invite).the("503");
    assert_eq!(refusal.header("Retry-After"), "1");
    assert!(refusal.header("Reason").starts_with("Q.850;cause=42;"), "{refusal:?}");
    assert_eq!(node.hear(CC_HQ, &invite).the("503").text(), refusal.text(), "a copy meets the same answer");
    assert_eq!(node.hear(CC_HQ, &invite.ack(&refusal)).told(), Vec::<String>::new());
    assert_eq!((node.engine.calls(), node.engine.transactions()), (0, 0));
    // Spread, so that those sent away together do not come back together.
    let waits: std::collections::BTreeSet<String> = (0..64)
        .map(|number| {
            let mut register = outside("REGISTER", &format!("sip:{GW_HQ}"));
            register.call_id = format!("register-{number}");
            node.hear(CC_HQ, &register).the("503").header("Retry-After")
        })
        .collect();
    let seconds: Vec<u8> = waits.iter().map(|wait| wait.parse().unwrap()).collect();
    assert!(seconds.len() > 8 && seconds.iter().all(|wait| (5..=20).contains(wait)), "{seconds:?}");
}

#[test]
fn a_stranger_is_still_never_answered() {
    let mut node = swamped(Node::hq());
    let stranger: SocketAddr = "127.0.9.9:5060".parse().unwrap();
    for request in [outside("OPTIONS", &format!("sip:{HQ}")), same(bob("112"))] {
        assert_eq!(node.hear(stranger, &request).told(), Vec::<String>::new());
    }
}

#[test]
fn two_seconds_after_the_load_is_gone_every_call_is_taken_again() {
    let mut node = swamped(Node::hq());
    late(&mut node, 2_000 / INTERVAL_MS, 100);
    assert_eq!(node.engine.overload().stage(), Stage::Normal);
    assert_eq!(node.hear(CC_HQ, &same(bob("912025550123"))).told(), ["100 to cc-hq", "INVITE to gw-hq"]);
}

const ASKING: &str = ";oc;oc-algo=\"loss\"";

fn asking(mut request: Request) -> Request {
    request.branch += ASKING;
    request
}

/// What the node's load looks like in a Via at that moment.
fn report(node: &Node, loss: u8) -> String {
    let validity = if loss > 0 { 500 } else { 0 };
    let at_ms = EPOCH_S * 1_000 + node.now_ms;
    format!(";oc={loss};oc-algo=\"loss\";oc-validity={validity};oc-seq={}.{:03}", at_ms / 1_000, at_ms % 1_000)
}

#[test]
fn rfc_7339_who_asks_is_told_the_load_in_its_own_via_of_every_response() {
    let mut node = Node::hq();
    let invite = asking(bob("912025550123").body(&audio("0")));
    let via = format!("SIP/2.0/UDP {CC_HQ};branch={}", invite.branch.strip_suffix(ASKING).unwrap());
    let out = node.hear(CC_HQ, &invite);
    assert_eq!(out.the("100").header("Via"), via.clone() + &report(&node, 0), "our own");
    let sent = out.the("INVITE");
    late(&mut node, 3, 300_000);
    for status in [180, 200] {
        let back = node.hear(GW_HQ, answer(&sent, status, "b1", &[], "")).the(&status.to_string());
        assert_eq!(back.headers("Via"), [via.clone() + &report(&node, 50)], "passed back: {status}");
    }
    // The next hop never sees what the last one asked for as its own, and the caller's Via goes on as it came.
    assert_eq!(sent.headers("Via")[1], via + ASKING);
    let plain = node.hear(CC_HQ, &outside("OPTIONS", &format!("sip:{HQ}"))).the("200");
    assert!(!plain.has(";oc"), "who does not ask is told nothing");
}

#[test]
fn rfc_7339_a_refusal_and_a_draining_node_tell_their_load_too() {
    let mut node = swamped(Node::hq());
    let refused = node.hear(CC_HQ, &asking(outside("REGISTER", &format!("sip:{GW_HQ}")))).the("503");
    assert!(refused.header("Via").ends_with(&report(&node, 99)), "{refused:?}");
    let mut node = Node::hq();
    node.engine.drain();
    let refused = node.hear(CC_HQ, &asking(same(bob("912025550123")))).the("503");
    assert!(refused.header("Via").ends_with(&report(&node, 100)), "{refused:?}");
}

#[test]
fn who_was_told_to_send_less_is_believed_until_the_node_is_very_late() {
    let mut node = Node::hq();
    late(&mut node, 60, 40_000);
    assert!(node.engine.overload().loss_percent() > 90);
    assert_eq!(node.hear(CC_HQ, &same(bob("912025550123"))).told(), ["503 to cc-hq"]);
    assert_eq!(node.hear(CC_HQ, &same(asking(bob("912025550123")))).told(), ["100 to cc-hq", "INVITE to gw-hq"]);
    late(&mut node, 2, 300_000);
    assert_eq!(node.hear(CC_HQ, &same(asking(bob("912025550124")))).told(), ["503 to cc-hq"]);
}

/// A report in the node's own Via of a response to `sent`.
fn reporting(sent: &Sent, status: u16, oc: &str) -> String {
    let via = &sent.headers("Via")[0];
    assert!(via.ends_with(ASKING), "{via}");
    answer(sent, status, "b1", &[], "").replacen(via, &format!("{}{oc}", via.strip_suffix(ASKING).expect("it asks")), 1)
}

#[test]
fn rfc_7339_trunks_and_call_control_are_asked_for_their_load_and_gateways_are_not() {
    let mut node = Node::hq();
    assert!(node.hear(CC_HQ, &alice("901614960000")).the("INVITE").headers("Via")[0].ends_with(ASKING), "a trunk");
    assert!(!node.hear(CC_HQ, &bob("912025550123")).the("INVITE").has(";oc"), "a gateway");
    let call = node.hear(GW_HQ, &Request::new("INVITE", GW_HQ, HQ, "2025550100", "5002")).the("INVITE");
    assert!(call.to == CC_HQ && call.headers("Via")[0].ends_with(ASKING), "call control");
    let off = [("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"udp:127.0.2.1:5060\"]\noverload_control = false")];
    assert!(!Node::hq_with(&off).hear(CC_HQ, &alice("901614960000")).the("INVITE").has(";oc"));
    // Every request that goes there asks, one inside a dialog too, and a CANCEL has the Via of its INVITE.
    let mut standing = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    let bye = node.hear(CC_HQ, &standing.caller.request("BYE")).the("BYE");
    assert!(bye.headers("Via")[0].ends_with(ASKING));
    let invite = alice("901614960001");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(BR, says(&sent, 180));
    assert_eq!(node.hear(CC_HQ, &invite.cancel()).the("CANCEL").headers("Via")[0], sent.headers("Via")[0]);
}

#[test]
fn rfc_7339_what_a_neighbour_asks_for_is_obeyed_for_as_long_as_it_holds() {
    let mut node = Node::hq();
    let mut standing = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    let sent = node.hear(CC_HQ, &alice("901614960001")).the("INVITE");
    let back = node.hear(BR, reporting(&sent, 180, ";oc=100;oc-algo=\"loss\";oc-validity=500;oc-seq=12.5"));
    assert!(!back.the("180").has(";oc"), "the report ends here");
    // Another hop is none: 500, since it is not this node that is overloaded.
    let refused = node.hear(CC_HQ, &alice("901614960002")).refusal();
    assert_eq!((refused.what().as_str(), refused.header("Retry-After").as_str()), ("500", "1"), "{refused:?}");
    assert!(refused.header("Reason").starts_with("Q.850;cause=42;"));
    assert_eq!(node.booked()[0], 24 + 56, "the one refused booked nothing: {:?}", node.booked());
    // Emergencies, priority calls and what stands are not new ordinary calls.
    assert_eq!(node.hear(CC_HQ, &alice("9999")).the("INVITE").to, BR);
    assert_eq!(node.hear(CC_HQ, &alice("901614960003").header("Resource-Priority: wps.0")).the("INVITE").to, BR);
    assert_eq!(node.hear(CC_HQ, &standing.caller.request("INFO")).the("INFO").to, BR);
    assert_eq!(node.hear(CC_HQ, &bob("912025550123")).the("INVITE").to, GW_HQ, "another neighbour");
    node.wait(500);
    assert_eq!(node.hear(CC_HQ, &alice("901614960004")).the("INVITE").to, BR, "its time is over");
}

#[test]
fn rfc_7339_a_report_counts_only_from_where_our_request_went() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960001")).the("INVITE");
    let report = reporting(&sent, 180, ";oc=100;oc-algo=\"loss\";oc-validity=500;oc-seq=12.5");
    node.hear(GW_HQ, report.clone());
    node.hear("127.0.9.9:5060".parse().unwrap(), report);
    assert_eq!(node.hear(CC_HQ, &alice("901614960002")).the("INVITE").to, BR);
    // Nor from a neighbour that was not asked.
    let plain = node.hear(CC_HQ, &bob("912025550123")).the("INVITE");
    let via = &plain.headers("Via")[0];
    node.hear(GW_HQ, says(&plain, 180).replacen(via.as_str(), &format!("{via};oc=100;oc-seq=1.0"), 1));
    assert_eq!(node.hear(CC_HQ, &bob("912025550124")).the("INVITE").to, GW_HQ);
}

#[test]
fn rfc_7415_a_rate_is_kept_to() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960001")).the("INVITE");
    node.hear(BR, reporting(&sent, 180, ";oc=8;oc-algo=\"rate\";oc-validity=5000;oc-seq=12.5"));
    let mut passed = 0;
    for _ in 0..40 {
        node.wait(50);
        passed += usize::from(node.hear(CC_HQ, &alice("901614960002")).0.iter().any(|sent| sent.what() == "INVITE"));
    }
    assert!((16..=18).contains(&passed), "{passed} of 40 in two seconds at 8 a second");
}

#[test]
fn an_overloaded_hop_is_followed_by_the_next_one() {
    let mut node = Node::br_with(&[("kind = \"gateway\"", "kind = \"gateway\"\noverload_control = true")]);
    let sent = node.hear(HQ, &from_hq("012079460000")).the("INVITE");
    node.hear(sent.to, reporting(&sent, 180, ";oc=100;oc-algo=\"loss\";oc-validity=500;oc-seq=12.5"));
    let next = node.hear(HQ, &from_hq("012079460001")).the("INVITE");
    assert_ne!(next.to, sent.to);
}

#[test]
fn a_503_from_behind_never_leaves_as_one() {
    let mut node = Node::hq();
    let out = node.hear(CC_HQ, &bob("912025550123").body(&audio("0")));
    let back = node.hear(GW_HQ, answer(&out.the("INVITE"), 503, "b1", &["Retry-After: 30"], ""));
    assert_eq!(back.told(), ["ACK to gw-hq", "500 to cc-hq"], "a call");
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    for method in ["INVITE", "UPDATE", "INFO", "PRACK", "BYE"] {
        let down = node.hear(CC_HQ, &call.caller.request(method)).the(method);
        let told = node.hear(GW_HQ, says(&down, 503)).told();
        assert!(
            told.contains(&"500 to cc-hq".to_owned()) && !told.contains(&"503 to cc-hq".to_owned()),
            "{method}: {told:?}"
        );
    }
    for method in ["OPTIONS", "REGISTER", "SUBSCRIBE", "MESSAGE"] {
        let request = outside(method, &format!("sip:{GW_HQ}"));
        let down = node.hear(CC_HQ, &request).the(method);
        assert_eq!(node.hear(GW_HQ, says(&down, 503)).told(), ["500 to cc-hq"], "{method} outside a dialog");
    }
}

#[test]
fn what_outlasts_the_drain_is_ended_and_an_emergency_call_never_is() {
    let mut node = Node::hq();
    let ordinary = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let emergency = stand(&mut node, alice("9999").body(&audio("18")), &audio("18"));
    let ringing = bob("912025550124");
    let sent = node.hear(CC_HQ, &ringing).the("INVITE");
    node.hear(GW_HQ, says(&sent, 180));
    let given_up = bob("912025550125");
    node.hear(CC_HQ, &given_up).the("INVITE");
    node.hear(CC_HQ, &given_up.cancel());
    node.engine.drain();
    let out = node.end_calls();
    let mut told = out.told();
    told.sort();
    assert_eq!(told, ["487 to cc-hq", "503 to cc-hq", "BYE to cc-hq", "BYE to gw-hq", "CANCEL to gw-hq"]);
    assert_eq!(out.the("487").header("Call-ID"), given_up.call_id, "who cancelled hears so");
    assert_eq!(out.the("503").header("Call-ID"), ringing.call_id);
    assert_eq!(node.engine.calls(), 1, "the emergency call");
    let mut ended = node.ended();
    ended.sort_unstable();
    assert_eq!(ended, [(200, "node"), (487, "cancelled"), (503, "refused")]);
    let mut emergency = emergency;
    assert_eq!(node.hear(CC_HQ, &emergency.caller.request("INFO")).the("INFO").to, BR, "it goes on");
    hang_up(&mut node, &mut emergency);
    assert_eq!(node.engine.calls(), 0);
    let _ = ordinary;
}
