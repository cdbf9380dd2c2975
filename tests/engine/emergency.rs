//! Emergency calls: recognised first, refused by nothing, sent to the phone's place (P-23).

use emcc_trunk::engine::Bounds;

use crate::node::{BR, CC_BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, GW_TRUNK_POOL, HQ, Node, name, plan};
use crate::routes::OTHER;
use crate::wire::{PHONE, Request, alice, assert_refused, audio, bob, from_hq, says, stand};

const LISTED: (&str, &str) =
    ("last_resort = [\"gw-hq\"]", "last_resort = [\"gw-hq\"]\nnumbers = [\"112\"]\naccess_codes = [\"9\"]");
const LISTED_AT_BR: (&str, &str) = ("last_resort = [\"gw-br-2\"]", "last_resort = [\"gw-br-2\"]\nnumbers = [\"112\"]");
const MARK: &str = "Priority: emergency";

fn marked(called: &str) -> Request {
    from_hq(called).header(MARK)
}

fn service(at: std::net::SocketAddr, node: std::net::SocketAddr, caller: &str) -> Request {
    let mut invite = Request::new("INVITE", at, node, caller, "x");
    "urn:service:sos.fire".clone_into(&mut invite.uri);
    invite
}

#[test]
fn the_mark_is_set_on_the_trunk_and_taken_from_those_not_believed() {
    // Set by us, once, whatever call control wrote.
    let mut node = Node::hq();
    let urgent = alice("9999").header("Priority: urgent").header("Priority: non-urgent");
    for invite in [alice("9999"), alice("9999").header(MARK), urgent] {
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        assert_eq!((sent.to, sent.headers("Priority")), (BR, vec!["emergency".to_owned()]));
    }
    // Not believed from call control: an ordinary number stays ordinary, and unmarked.
    let sent = node.hear(CC_HQ, &alice("901614960000").header(MARK)).the("INVITE");
    assert_eq!((sent.to, sent.headers("Priority")), (BR, vec![]));
    let sent = node.hear(CC_HQ, &bob("912025550123").header("priority :  EMERGENCY")).the("INVITE");
    assert_eq!((sent.to, sent.headers("Priority")), (GW_HQ, vec![]));
    // Nor from a gateway.
    let from_pstn = Request::new("INVITE", GW_HQ, HQ, "2025550100", "5002").header(MARK);
    assert_eq!(node.hear(GW_HQ, &from_pstn).the("INVITE").headers("Priority"), Vec::<String>::new());
    // Another priority is nobody's mark.
    let sent = node.hear(CC_HQ, &bob("912025550123").header("Priority: urgent")).the("INVITE");
    assert_eq!(sent.headers("Priority"), ["urgent"]);
    // Believed from the trunk, and kept towards the gateway.
    let mut node = Node::br();
    let sent = node.hear(HQ, &marked("999")).the("INVITE");
    assert_eq!((sent.to, sent.headers("Priority")), (GW_BR_1, vec!["emergency".to_owned()]));
}

#[test]
fn p_23_calls_for_help_that_share_a_branch_are_as_many() {
    let mut node = Node::hq();
    let first = alice("9999");
    let second = Request { branch: first.branch.clone(), ..alice("9999") };
    node.hear(CC_HQ, &first).the("INVITE");
    node.hear(CC_HQ, &second).the("INVITE");
    assert_eq!(node.hear(CC_HQ, &second).told(), ["100 to cc-hq"], "a copy is one all the same");
    assert_eq!(node.engine.calls(), 2);
}

#[test]
fn p_23_a_message_to_an_emergency_number_gets_the_mark_on_the_trunk_too() {
    let message =
        |caller: &str, called: &str| Request::new("MESSAGE", CC_HQ, HQ, caller, called).on(PHONE).body("help");
    for request in [message("5001", "9999"), message("5001", "9999").header(MARK), message("5001", "+9999")] {
        let sent = Node::hq().hear(CC_HQ, &request).the("MESSAGE");
        assert_eq!((sent.to, sent.number().as_str()), (BR, "999"));
        assert_eq!((sent.headers("Priority"), sent.body().as_str()), (vec!["emergency".to_owned()], "help"));
    }
    // One that is none has none, whoever wrote it; a gateway is told nothing, and another priority is nobody's mark.
    let ordinary = message("5001", "901614960000");
    let sent = Node::hq().hear(CC_HQ, &ordinary.clone().header("Priority: Emergency;q")).the("MESSAGE");
    assert_eq!((sent.to, sent.headers("Priority")), (BR, vec![]));
    let sent = Node::hq().hear(CC_HQ, &ordinary.header("Priority: urgent")).the("MESSAGE");
    assert_eq!((sent.to, sent.headers("Priority")), (BR, vec!["urgent".to_owned()]));
    let to_gateway = Request::new("MESSAGE", CC_HQ, HQ, "5002", "9911");
    let sent = Node::hq().hear(CC_HQ, &to_gateway).the("MESSAGE");
    assert_eq!((sent.to, sent.headers("Priority")), (GW_HQ, vec![]));
    // At the other node the mark is believed and kept.
    let marked = Request::new("MESSAGE", HQ, BR, "5001", "12345").on(PHONE).header(MARK);
    let sent = Node::br().hear(HQ, &marked).the("MESSAGE");
    assert_eq!((sent.to, sent.headers("Priority")), (GW_BR_2, vec!["emergency".to_owned()]));
}

#[test]
fn a_marked_call_of_the_trunk_is_an_emergency_whatever_its_digits() {
    let mut node = Node::br();
    let sent = node.hear(HQ, &marked("12345")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_BR_2, "12345"), "no emergency pattern has it: the last resort");
    assert!(node.alarms().contains(&"emergency call went on past analysis"));
    // A number the trunk's CSS does not reach, but the emergency patterns of another partition do.
    let sent = node.hear(HQ, &marked("112")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_BR_1, "112"), "resolved from the phone's pool");
}

#[test]
fn p_23_the_trunks_mark_is_one_however_it_is_written_and_nobody_elses_is() {
    for mark in ["Priority: emergency;x=y", "Priority: \"emergency\"", "PRIORITY:\r\n  Emergency ; q"] {
        let sent = Node::br().hear(HQ, &from_hq("12345").header(mark)).the("INVITE");
        assert_eq!((sent.to, sent.number().as_str()), (GW_BR_2, "12345"), "{mark}");
        let mut node = Node::br();
        node.engine.drain();
        node.hear(HQ, &from_hq("12345").header(mark)).the("INVITE");
        // What the other node would believe does not leave with an ordinary call.
        let sent = Node::hq().hear(CC_HQ, &alice("901614960000").header(mark)).the("INVITE");
        assert_eq!((sent.to, sent.headers("Priority")), (BR, vec![]), "{mark}");
    }
    assert_eq!(Node::br().hear(HQ, &from_hq("12345").header("Priority: non-emergency")).refusal().what(), "404");
}

#[test]
fn p_15_an_emergency_is_not_refused_for_its_phone_or_its_service() {
    let no_session =
        [("[[emcc_session]]\nuser = \"alice\"\ndevice = \"SEP001122334455\"\nhome_cluster = \"HQ\"\n", "")];
    let other = [("home_cluster = \"HQ\"", "home_cluster = \"XX\""), ("[[geolocation]]", OTHER)];
    let inactive = [("pstn_access = true", "pstn_access = false")];
    let inactive_remote = [("\"pstn-access\", ", "")];
    for (what, changes) in [
        ("nobody logged in", &no_session[..]),
        ("of another cluster", &other),
        ("inactive here", &inactive),
        ("inactive for that cluster", &inactive_remote),
    ] {
        let mut node = Node::br_with(changes);
        let sent = node.hear(HQ, &from_hq("999").body(&audio("18"))).the("INVITE");
        assert_eq!(sent.to, GW_BR_1, "as if logged in, P-11: {what}");
    }
}

#[test]
fn p_15_an_unknown_or_missing_phone_goes_by_the_trunks_own_pool_with_an_alarm() {
    let missing = Request::new("INVITE", HQ, BR, "5001", "999");
    let unknown = missing.clone().on("SEP999999999999");
    for (invite, alarm) in
        [(missing, "emergency call that names no phone"), (unknown, "emergency call of an unknown phone")]
    {
        let mut node = Node::br();
        let sent = node.hear(HQ, &invite).the("INVITE");
        assert_eq!(sent.to, GW_TRUNK_POOL);
        assert_eq!(node.alarms(), [alarm]);
        assert_eq!(node.hear(GW_TRUNK_POOL, says(&sent, 603)).the("INVITE").to, GW_BR_2, "then the last resort");
    }
}

#[test]
fn p_13_of_several_marks_on_the_trunk_the_first_phone_of_this_cluster_counts() {
    for number in ["999", "02079460000"] {
        let unknown = Request::new("INVITE", HQ, BR, "5001", number).on("SEP999999999999").body(&audio("18"));
        let mut node = Node::br();
        let sent = node.hear(HQ, &unknown.on(crate::wire::PHONE)).the("INVITE");
        assert_eq!((sent.to, node.alarms()), (GW_BR_1, Vec::<&str>::new()), "{number}");
    }
}

#[test]
fn p_15_without_any_gateway_of_its_pool_the_last_resort_takes_the_call() {
    let no_group = [("local_route_groups = { \"Standard Local Route Group\" = \"RG-Trunk\" }", "")];
    let mut node = Node::br_with(&no_group);
    let sent = node.hear(HQ, &Request::new("INVITE", HQ, BR, "5001", "999")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_BR_2, "999"));
}

#[test]
fn a_block_does_not_stop_an_emergency() {
    let block = (
        "[[directory_number]]",
        "[[route_pattern]]\npattern = \"112\"\npartition = \"PT-Internal\"\nblock = true\n\n[[directory_number]]",
    );
    let mut node = Node::hq_with(&[LISTED, block]);
    let sent = node.hear(CC_HQ, &alice("112")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (BR, "112"));
    assert_eq!(node.alarms(), ["emergency call went on past analysis"]);
}

#[test]
fn trap_22_a_listed_number_hq_has_no_pattern_for_goes_to_the_phones_place() {
    let mut node = Node::hq_with(&[LISTED]);
    let sent = node.hear(CC_HQ, &alice("112")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (BR, "112"));
    assert_eq!(sent.headers("Priority"), ["emergency"]);
    // Behind an access code it goes on without it.
    let sent = node.hear(CC_HQ, &alice("9112")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (BR, "112"));
    // The trunk first, then the last resort.
    assert_eq!(node.hear(BR, says(&sent, 404)).the("INVITE").to, GW_HQ);
}

#[test]
fn p_23_an_emergency_number_written_otherwise_is_one_and_leaves_as_it_is_configured() {
    let listed =
        ("last_resort = [\"gw-hq\"]", "last_resort = [\"gw-hq\"]\nnumbers = [\"112\"]\naccess_codes = [\"9\"]");
    for (written, leaves) in [
        ("+911", "911"),
        ("911%23", "911"),
        ("911#", "911"),
        ("9-1-1", "911"),
        ("9.911", "911"),
        ("%2B911%23", "911"),
        ("+9911", "911"),
        ("9%2011", "911"),
        ("%209%20911", "911"),
        ("+112", "112"),
        // A phone that writes what is dialled as E.164.
        ("+1911", "911"),
        ("+44112", "112"),
        ("9112%23", "112"),
        ("(9)%20112", "112"),
    ] {
        let sent = Node::hq_with(&[listed]).hear(CC_HQ, &bob(written)).the("INVITE");
        assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, leaves), "{written}");
        let mut tel = bob(written);
        tel.uri = format!("tel:{written};phone-context=x.invalid");
        if !written.contains("%20") && !written.ends_with('#') {
            let sent = Node::hq_with(&[listed]).hear(CC_HQ, &tel).the("INVITE");
            assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, leaves), "{}", tel.uri);
        }
        // It is served when little else is.
        let mut node = Node::hq_with(&[listed]);
        node.engine.drain();
        assert_eq!(node.hear(CC_HQ, &bob(written)).the("INVITE").to, GW_HQ, "{written}");
    }
    // Over the trunk with our mark.
    let sent = Node::hq().hear(CC_HQ, &alice("+9999%23")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str(), sent.header("Priority").as_str()), (BR, "999", "emergency"));
    // From the trunk, a gateway and the mark alike.
    let sent = Node::br().hear(HQ, &from_hq("+999")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_BR_1, "999"));
    let sent = Node::br().hear(GW_BR_1, &Request::new("INVITE", GW_BR_1, BR, "2079460000", "9%2099")).the("INVITE");
    assert_eq!(sent.number(), "999");
}

#[test]
fn p_23_a_number_that_means_no_emergency_stays_as_written() {
    for (written, status) in
        [("+9112345678", "404"), ("5002#", "404"), ("50%2002", "404"), ("911%2A", "404"), ("+19112345", "404")]
    {
        let mut node = Node::hq();
        assert_eq!(node.hear(CC_HQ, &bob(written)).refusal().what(), status, "{written}");
        assert!(node.alarms().is_empty(), "{written}");
    }
    // One that an ordinary pattern takes as written is an emergency number first; one nobody flagged is that pattern's.
    let both = (
        "[[route_pattern]]\npattern = \"911\"\n",
        "[[route_pattern]]\npattern = \"911#\"\npartition = \"PT-Local\"\nblock = true\n\n\
         [[route_pattern]]\npattern = \"61#\"\npartition = \"PT-Local\"\nroute_list = \"RL-Local\"\n\n\
         [[route_pattern]]\npattern = \"911\"\n",
    );
    let mut node = Node::hq_with(&[both]);
    assert_eq!(node.hear(CC_HQ, &bob("911%23")).the("INVITE").number(), "911");
    assert_eq!(node.hear(CC_HQ, &bob("61%23")).the("INVITE").number(), "61#");
}

#[test]
fn a_listed_number_of_a_colleague_goes_to_the_last_resort() {
    let mut node = Node::hq_with(&[LISTED]);
    let sent = node.hear(CC_HQ, &bob("112")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, "112"));
    let alarms = node.alarms();
    assert!(!alarms.is_empty() && alarms.iter().all(|alarm| *alarm == "emergency call went on past analysis"));
}

#[test]
fn a_number_nobody_listed_is_no_emergency() {
    let mut node = Node::hq();
    assert_eq!(node.hear(CC_HQ, &alice("112")).refusal().what(), "404", "there is no built-in list");
}

#[test]
fn a_service_urn_is_an_emergency_with_and_without_a_list() {
    for (changes, uri) in [(&[LISTED][..], format!("sip:112@{BR}")), (&[], "urn:service:sos.fire".to_owned())] {
        let mut node = Node::hq_with(changes);
        let sent = node.hear(CC_HQ, &service(CC_HQ, HQ, "5001").on(PHONE)).the("INVITE");
        assert_eq!((sent.to, sent.start()), (BR, format!("INVITE {uri} SIP/2.0")));
        assert_eq!(sent.headers("Priority"), ["emergency"]);
    }
    let mut node = Node::br_with(&[LISTED_AT_BR]);
    let sent = node.hear(CC_BR, &service(CC_BR, BR, "7001")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_BR_1, "112"), "resolved from the caller's pool");
    let mut node = Node::br();
    let sent = node.hear(HQ, &service(HQ, BR, "5001").on(PHONE).header(MARK)).the("INVITE");
    assert!([GW_BR_1, GW_BR_2].contains(&sent.to), "{sent:?}");
    // An unreserved character may be written by its number (RFC 3986 section 6.2.2.2); it leaves as itself.
    let mut node = Node::hq();
    let mut written = service(CC_HQ, HQ, "5001").on(PHONE);
    "urn:service:sos%2Efire".clone_into(&mut written.uri);
    let sent = node.hear(CC_HQ, &written).the("INVITE");
    assert_eq!((sent.to, sent.start()), (BR, "INVITE urn:service:sos.fire SIP/2.0".to_owned()));
    assert_eq!(sent.headers("Priority"), ["emergency"]);
    let mut node = Node::br();
    let mut other = service(CC_BR, BR, "7001");
    "urn:service:counseling".clone_into(&mut other.uri);
    assert_ne!(node.hear(CC_BR, &other).refusal().what(), "100", "only sos and its sub-services");
}

#[test]
fn every_failure_of_a_hop_is_followed_by_the_next() {
    for status in [302, 401, 403, 404, 480, 484, 486, 488, 500, 503, 600, 603, 606] {
        let mut node = Node::br();
        let first = node.hear(HQ, &marked("999")).the("INVITE");
        node.hear(GW_BR_1, says(&first, 180));
        let out = node.hear(GW_BR_1, says(&first, status));
        assert_eq!(out.told(), ["ACK to gw-br-1", "INVITE to gw-br-2"], "{status}");
        let last = node.hear(GW_BR_2, says(&out.the("INVITE"), status));
        let back = if status == 503 { 500 } else { status };
        assert_eq!(last.told(), ["ACK to gw-br-2".to_owned(), format!("{back} to hq")], "nothing is left");
    }
}

#[test]
fn a_home_emergency_falls_back_from_the_trunk_to_the_last_resort() {
    for how in ["failure", "silence", "unreachable"] {
        let mut node = Node::hq();
        let first = node.hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
        let out = match how {
            "failure" => node.hear(BR, says(&first, 603)),
            "silence" => node.wait(4_100),
            _ => node.fail(&first),
        };
        let second = out.0.iter().find(|sent| sent.what() == "INVITE" && sent.to == GW_HQ).expect(how);
        assert_eq!(second.number(), "999", "{how}");
        assert_eq!((second.header("Call-Info").as_str(), second.header("Priority").as_str()), ("", ""), "{how}");
    }
}

#[test]
fn timer_c_never_stops_an_emergencys_ringing() {
    let mut node = Node::br();
    let sent = node.hear(HQ, &marked("999")).the("INVITE");
    node.hear(GW_BR_1, says(&sent, 180));
    let out = node.wait(3_600_000);
    assert!(out.0.iter().all(|sent| sent.what() == "OPTIONS"), "{:?}", out.told());
    assert_eq!(node.hear(GW_BR_1, says(&sent, 200)).told(), ["200 to hq"]);
    // An ordinary call's ringing ends.
    let sent = node.hear(HQ, &from_hq("02079460000")).the("INVITE");
    node.hear(GW_BR_1, says(&sent, 180));
    let out = node.wait(182_000);
    assert!(out.0.iter().any(|sent| sent.what() == "CANCEL" && sent.to == GW_BR_1), "{:?}", out.told());
    assert!(out.0.iter().any(|sent| sent.what() == "INVITE" && sent.to == GW_BR_2), "{:?}", out.told());
}

#[test]
fn p_8_an_emergency_leaves_a_hop_that_never_said_more_than_100() {
    let mut node = Node::br();
    let sent = node.hear(HQ, &marked("999")).the("INVITE");
    node.hear(GW_BR_1, says(&sent, 100));
    let out = node.wait(182_000);
    assert!(out.0.iter().any(|sent| sent.what() == "INVITE" && sent.to == GW_BR_2), "{:?}", out.told());
}

#[test]
fn an_answered_emergency_goes_on_when_its_ack_takes_another_way() {
    let mut node = Node::br();
    let sent = node.hear(HQ, &marked("999")).the("INVITE");
    node.hear(GW_BR_1, says(&sent, 200)).the("200");
    let out = node.wait(3_600_000);
    assert!(out.0.iter().all(|sent| sent.what() == "OPTIONS"), "{:?}", out.told());
    assert_eq!(node.engine.calls(), 1);
    assert!(node.alarms().contains(&"emergency call whose answer nobody acknowledged goes on"));
    // Not for ever: what no call may outlast ends it.
    node.wait(24 * 3_600_000);
    assert_eq!(node.engine.calls(), 0);
}

#[test]
fn p_23_an_emergency_is_not_refused_for_its_form_nor_what_belongs_to_it() {
    const ODD: &str = "Date: Thu, 26 Nov 2026 10:00:00 EST";
    for (called, is_one) in [("9911", true), ("912025550123", false)] {
        let mut node = Node::hq();
        let out = node.hear(CC_HQ, &bob(called).header(ODD).body(&audio("0")));
        if !is_one {
            assert_eq!(out.told(), ["400 to cc-hq"], "{called}");
            continue;
        }
        let sent = out.the("INVITE");
        assert_eq!((sent.to, node.alarms()), (GW_HQ, vec!["emergency call taken that is not well formed"]));
        let mut call = stand(&mut node, bob(called).header(ODD).body(&audio("0")), &audio("0"));
        assert_eq!(node.hear(CC_HQ, &call.caller.request("INFO").header(ODD)).the("INFO").to, GW_HQ);
        let cancelled = bob(called).header(ODD).body(&audio("0"));
        let rings = node.hear(CC_HQ, &cancelled).the("INVITE");
        node.hear(GW_HQ, says(&rings, 180));
        assert_eq!(node.hear(CC_HQ, &cancelled.cancel().header(ODD)).the("CANCEL").to, GW_HQ);
        // The next hop gets it too.
        let mut node = Node::hq();
        let first = node.hear(CC_HQ, &alice("9999").header(ODD).body(&audio("18"))).the("INVITE");
        let out = node.hear(BR, says(&first, 603));
        assert!(out.0.iter().any(|sent| sent.what() == "INVITE" && sent.to == GW_HQ), "{:?}", out.told());
    }
}

#[test]
fn rows_kept_for_emergencies_go_to_no_request_outside_a_dialog() {
    let mut node = Node::new(plan("hq", &[]), Bounds { transactions: 60, calls: 1_000 });
    let message = || Request::new("MESSAGE", CC_HQ, HQ, "5002", "912025550123");
    let mut passed = 0;
    while node.hear(CC_HQ, &message()).0.iter().any(|sent| sent.what() == "MESSAGE") {
        passed += 1;
        assert!(passed <= 30, "two rows each");
    }
    assert!(passed > 20);
    assert_eq!(node.hear(CC_HQ, &message()).told(), ["503 to cc-hq"]);
    node.hear(CC_HQ, &bob("9911")).the("INVITE");
}

#[test]
fn a_full_table_and_a_drain_refuse_ordinary_calls_alone() {
    let mut full = Node::new(plan("br", &[]), Bounds { transactions: 1_000, calls: 40 });
    for _ in 0..37 {
        full.hear(HQ, &from_hq("02079460000")).the("INVITE");
    }
    let draining = Node::br();
    draining.engine.drain();
    for mut node in [full, draining] {
        let out = node.hear(HQ, &from_hq("02079460000"));
        assert_refused(&out, 503, "", "42");
        assert_ne!(out.refusal().header("Retry-After"), "");
        assert_eq!(node.hear(HQ, &marked("999")).the("INVITE").to, GW_BR_1);
    }
}

#[test]
fn transactions_run_out_for_ordinary_calls_first() {
    let mut node = Node::new(plan("br", &[]), Bounds { transactions: 60, calls: 1_000 });
    let mut ordinary = Vec::new();
    while let Some(sent) = node.hear(HQ, &from_hq("02079460000")).0.into_iter().find(|sent| sent.what() == "INVITE") {
        ordinary.push(sent);
        assert!(ordinary.len() <= 30);
    }
    assert_refused(&node.hear(HQ, &from_hq("02079460000")), 503, "", "42");
    node.hear(HQ, &marked("999")).the("INVITE");
}

#[test]
fn a_draining_node_lets_calls_go_on() {
    let mut node = Node::br();
    let mut call = stand(&mut node, from_hq("02079460000"), "");
    node.engine.drain();
    crate::wire::hang_up(&mut node, &mut call);
    assert_eq!(node.ended(), [(200, "caller")]);
}

#[test]
fn a_cancelled_emergency_is_over() {
    let mut node = Node::br();
    let invite = marked("999");
    let sent = node.hear(HQ, &invite).the("INVITE");
    node.hear(GW_BR_1, says(&sent, 180));
    assert_eq!(node.hear(HQ, &invite.cancel()).told(), ["200 to hq", "CANCEL to gw-br-1"]);
    assert_eq!(node.hear(GW_BR_1, says(&sent, 487)).told(), ["ACK to gw-br-1", "487 to hq"]);
}

#[test]
fn the_last_resort_keeps_its_order_and_each_address_comes_once() {
    let more = ("last_resort = [\"gw-br-2\"]", "last_resort = [\"gw-trunk-pool\", \"gw-br-1\", \"gw-br-2\"]");
    let mut node = Node::br_with(&[more]);
    let mut tried = Vec::new();
    let mut out = node.hear(HQ, &marked("999"));
    while let Some(sent) = out.0.iter().find(|sent| sent.what() == "INVITE").cloned() {
        tried.push(sent.to);
        out = node.hear(sent.to, says(&sent, 503));
    }
    assert_eq!(tried, [GW_BR_1, GW_BR_2, GW_TRUNK_POOL]);
}

/// BR, whose own gateways take an emergency number behind a 0 that the last resort, one of them, does not want.
const PREFIXED: (&str, &str) = (
    "members = [\"Standard Local Route Group\"]\n",
    "members = [\"Standard Local Route Group\"]\n\n\
     [route_list.transform.\"Standard Local Route Group\"]\nprefix_digits = \"0\"\n",
);

/// INVITEs of an emergency call that every hop refuses with that status, or leaves unanswered: `gw-br-1 0999`.
fn tried(node: &mut Node, called: &str, status: Option<u16>) -> Vec<String> {
    let mut tried = Vec::new();
    let mut out = node.hear(HQ, &marked(called));
    while let Some(sent) = out.0.iter().rfind(|sent| sent.what() == "INVITE").cloned() {
        tried.push(format!("{} {}", name(sent.to), sent.number()));
        assert!(tried.len() < 10, "{tried:?}");
        out = match status {
            Some(status) => node.hear(sent.to, says(&sent, status)),
            None => node.fail(&sent),
        };
    }
    tried
}

#[test]
fn p_23_the_last_resort_is_asked_for_the_emergency_number_after_the_same_gateway_refused_another() {
    for called in ["999", "911"] {
        for status in [Some(404), Some(486), Some(503), Some(603), None] {
            let mut node = Node::br_with(&[PREFIXED]);
            let want = ["gw-br-1 0999", "gw-br-2 0999", "gw-br-2 999"];
            assert_eq!(tried(&mut node, called, status), want, "{called} {status:?}");
            if status.is_none() {
                // Hops out of reach are asked again for half a minute.
                assert_eq!(node.engine.calls(), 1);
                node.wait(120_000);
            }
            assert_eq!(node.engine.calls(), 0, "nothing of it stays");
        }
    }
    // Whoever is silent is asked again beside the INVITE left open; that may still win, and the other is let go.
    let mut node = Node::br_with(&[PREFIXED]);
    let first = node.hear(HQ, &marked("999")).the("INVITE");
    let second = node.hear(GW_BR_1, says(&first, 503)).the("INVITE");
    let third = node.wait(4_100).0.into_iter().rfind(|sent| sent.number() == "999").expect("the last resort");
    assert_eq!((second.to, third.to), (GW_BR_2, GW_BR_2));
    node.hear(GW_BR_2, says(&third, 180));
    assert_eq!(node.hear(GW_BR_2, says(&second, 200)).told(), ["CANCEL to gw-br-2", "200 to hq"]);
    assert_eq!(node.hear(GW_BR_2, says(&third, 487)).told(), ["ACK to gw-br-2"]);
}

#[test]
fn p_23_the_last_resort_with_another_number_is_no_choice_beside_the_first() {
    // By weight the addresses of one gateway come in any order; those of the last resort come behind them all.
    let weighted = (
        "addresses = [\"udp:127.0.2.21:5060\"]",
        "addresses = [\"udp:127.0.2.21:5060\", \"udp:127.0.2.23:5060\"]\nweight = [1, 1]",
    );
    let alone = ("peers = [\"gw-br-1\", \"gw-br-2\"]", "peers = [\"gw-br-2\"]");
    let mut node = Node::br_with(&[PREFIXED, weighted, alone]);
    for _ in 0..20 {
        let numbers = tried(&mut node, "999", Some(503));
        let numbers: Vec<&str> = numbers.iter().filter_map(|hop| hop.split(' ').nth(1)).collect();
        assert_eq!(numbers, ["0999", "0999", "999", "999"]);
    }
}

#[test]
fn a_gateways_emergency_goes_on_too() {
    let mut node = Node::br();
    let sent = node.hear(GW_BR_1, &Request::new("INVITE", GW_BR_1, BR, "2079460000", "999")).the("INVITE");
    assert!([GW_BR_2, GW_TRUNK_POOL].contains(&sent.to), "{sent:?}");
}

#[test]
fn p_23_a_number_from_the_pstn_that_is_translated_into_an_emergency_number_is_an_emergency() {
    let translated = (
        "[[route_pattern]]\npattern = \"911\"\n",
        "[[translation_pattern]]\npattern = \"6911\"\npartition = \"PT-Internal\"\ncss = \"CSS-Phone\"\ncalled_mask = \"911\"\n\n\
         [[route_pattern]]\npattern = \"911\"\n",
    );
    let mut node = Node::hq_with(&[translated]);
    let from_pstn = Request::new("INVITE", GW_HQ, HQ, "2025550100", "6911").body(&audio("0"));
    let sent = node.hear(GW_HQ, &from_pstn).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, "911"));
    // Without the translation it is a number nobody here has.
    assert_eq!(Node::hq().hear(GW_HQ, &from_pstn).refusal().what(), "404");
}

#[test]
fn p_23_call_control_may_name_the_caller_of_an_emergency_in_any_way() {
    let call = |caller: &str, called: &str| Request::new("INVITE", CC_HQ, HQ, caller, called);
    let mark = |device: &str| format!("Call-Info: <urn:emcc:device:{device}>;purpose=emcc-device;cluster=HQ");
    let asserted = "P-Asserted-Identity: <sip:+14085555001@x>, <tel:5001>";
    for (what, invite, is_ordinary_too) in [
        ("RFC 3325 section 9.1, the second value", call("x", "9999").header(asserted), true),
        ("the second of two marks", call("x", "9999").header(&mark("SEPNOBODYS")).header(&mark(PHONE)), true),
        ("the device in From", call(PHONE, "9999"), false),
        ("the user in From", call("alice", "9999"), false),
    ] {
        assert_eq!(Node::hq().hear(CC_HQ, &invite).the("INVITE").to, BR, "{what}");
        let ordinary = Request { uri: format!("sip:901614960000@{HQ}"), ..invite };
        let is_passed = Node::hq().hear(CC_HQ, &ordinary).0.iter().any(|sent| sent.what() == "INVITE" && sent.to == BR);
        assert_eq!(is_passed, is_ordinary_too, "{what}");
    }
    // The first that is known counts.
    let both = "P-Asserted-Identity: <sip:5002@x>, <tel:5001>";
    assert_eq!(Node::hq().hear(CC_HQ, &call("x", "9911").header(both)).the("INVITE").to, GW_HQ);
    assert_eq!(Node::hq().hear(CC_HQ, &call("x", "9999")).the("INVITE").to, GW_HQ, "nobody: the last resort");
}

#[test]
fn v_18_an_emergency_beyond_the_region_is_booked_as_what_it_was_answered_with() {
    let mut node = Node::hq();
    let mut call = crate::wire::stand(&mut node, alice("9999").body(&audio("0")), &audio("0"));
    node.wait_with_peer(1_500);
    assert_eq!(node.booked(), [80, 80, 0, 0], "G.711 both ways, and no video");
    // A change inside the call is followed.
    let sent = node.hear(CC_HQ, &call.caller.request("INVITE").body(&audio("0 18"))).the("INVITE");
    node.hear(sent.to, crate::wire::answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    node.hear(CC_HQ, &call.caller.request("ACK"));
    node.wait_with_peer(1_500);
    assert_eq!(node.booked(), [24, 24, 0, 0]);
}

#[test]
fn p_23_a_caller_for_help_is_not_told_to_wait() {
    for (called, kept) in [("911", false), ("912025550123", true)] {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &crate::wire::bob(called)).the("INVITE");
        let out = node.hear(GW_HQ, crate::wire::answer(&sent, 503, "b1", &["Retry-After: 600"], ""));
        assert_eq!(out.the("500").headers("Retry-After").is_empty(), !kept, "{called}");
    }
}
