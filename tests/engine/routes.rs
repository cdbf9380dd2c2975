//! Who may call whom and by which way (P-1 to P-15).

use crate::node::{BR, CC_BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, name};
use crate::wire::{PHONE, Request, alice, assert_refused, audio, bob, from_hq};

#[test]
fn p_4_a_visiting_phones_local_route_group_is_its_visited_cluster() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (BR, "01614960000"), "Trap 10: not the roaming pool's RG-HQ");
    assert_eq!(sent.header("Call-Info"), format!("<urn:emcc:device:{PHONE}>;purpose=emcc-device;cluster=HQ"), "P-13");
}

#[test]
fn p_6_another_route_group_is_the_home_gateway() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("912025550123")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, "12025550123"));
    assert_eq!(sent.header("Call-Info"), "", "no mark goes to a gateway");
}

#[test]
fn a_visiting_phone_is_found_by_mark_then_identity_then_from() {
    let identity = "P-Asserted-Identity: \"Alice\" <sip:5001@127.0.1.10>";
    let call = |from: &str| Request::new("INVITE", CC_HQ, HQ, from, "901614960000");
    for (what, invite, to) in [
        ("the mark", call("nobody").on(PHONE), BR),
        ("the mark before the numbers", call("5002").on(PHONE), BR),
        ("the identity", call("5002").header(identity), BR),
        ("the identity as tel", call("5002").header("P-Asserted-Identity: <tel:5001>"), BR),
        ("From", call("5001"), BR),
        ("From of a local device", call("5002"), GW_HQ),
    ] {
        let mut node = Node::hq();
        let out = node.hear(CC_HQ, &invite);
        assert_eq!(out.the("INVITE").to, to, "{what}");
    }
}

#[test]
fn an_unknown_caller_of_call_control_reaches_nothing() {
    let mut node = Node::hq();
    let out = node.hear(CC_HQ, &Request::new("INVITE", CC_HQ, HQ, "nobody", "901614960000"));
    assert_refused(&out, 404, "", "1");
}

#[test]
fn a_gateways_caller_is_never_one_of_ours() {
    for (called, want) in [("5002", Some(CC_HQ)), ("5001", Some(CC_HQ)), ("912025550123", None), ("901614960000", None)]
    {
        let mut node = Node::hq();
        let out = node.hear(GW_HQ, &Request::new("INVITE", GW_HQ, HQ, "5001", called).on(PHONE));
        match want {
            Some(to) => {
                let sent = out.the("INVITE");
                assert_eq!(sent.to, to, "{called}");
                assert_eq!(sent.header("Call-Info"), "", "its mark is not believed: {called}");
            }
            None => assert_eq!(out.refusal().what(), "404", "{called}"),
        }
    }
}

#[test]
fn p_10_digits_of_the_trunk_are_analysed_with_the_trunks_css() {
    let mut node = Node::br();
    let sent = node.hear(HQ, &from_hq("02079460000")).the("INVITE");
    assert_eq!(
        (sent.to, sent.number().as_str()),
        (GW_BR_1, "02079460000"),
        "Trap 11: the phone's pool, not the trunk's"
    );
    assert_eq!(sent.header("Call-Info"), "", "the mark does not go to a gateway");
}

#[test]
fn p_12_over_the_trunk_only_the_pstn_of_the_phone_is_reached() {
    let css = [("pstn_access_css = \"trunk\"", "pstn_access_css = \"original-device\"")];
    let mut node = Node::br_with(&css);
    assert_refused(&node.hear(HQ, &from_hq("7002")), 403, "", "21");
    let mut node = Node::br();
    assert_refused(&node.hear(HQ, &from_hq("7002")), 404, "", "1");
}

#[test]
fn p_14_and_p_15_name_what_is_wrong_with_the_phone() {
    let logged_out = [("home_cluster = \"HQ\"", "home_cluster = \"XX\""), ("[[geolocation]]", OTHER)];
    let no_session =
        [("[[emcc_session]]\nuser = \"alice\"\ndevice = \"SEP001122334455\"\nhome_cluster = \"HQ\"\n", "")];
    let inactive = [("pstn_access = true", "pstn_access = false")];
    let inactive_remote = [("\"pstn-access\", ", "")];
    let call = |device: Option<&str>| {
        let invite = Request::new("INVITE", HQ, BR, "5001", "02079460000");
        device.map_or(invite.clone(), |device| invite.on(device))
    };
    for (what, changes, invite, status, cause) in [
        ("no mark", &[][..], call(None), 403, "21"),
        ("unknown", &[], call(Some("SEP999999999999")), 403, "21"),
        ("not logged in", &no_session, call(Some(PHONE)), 403, "21"),
        ("of another cluster", &logged_out, call(Some(PHONE)), 403, "21"),
        ("inactive here", &inactive, call(Some(PHONE)), 500, "27"),
        ("inactive for that cluster", &inactive_remote, call(Some(PHONE)), 500, "27"),
    ] {
        let mut node = Node::br_with(changes);
        let out = node.hear(HQ, &invite);
        assert_eq!(out.refusal().what(), status.to_string(), "{what}");
        assert_refused(&out, status, "", cause);
        assert_eq!(node.ended(), [(status, "refused")], "{what}");
    }
}

/// A second remote cluster.
pub(crate) const OTHER: &str = "[[remote_cluster]]\nid = \"XX\"\nversion = \"12.0\"\nsecurity_mode = \"mixed\"\n\
    trunk = [\"udp:127.0.3.1:5060\"]\nservices = [\"emcc\", \"pstn-access\", \"rsvp-agent\"]\nlink_audio_kbps = 100\n\n\
    [[geolocation]]";

#[test]
fn digits_that_only_begin_patterns_a_block_and_nothing_have_their_refusals() {
    for (called, status, cause) in [("91202", 484, "28"), ("919005550123", 403, "21"), ("4", 404, "1")] {
        let mut node = Node::hq();
        assert_refused(&node.hear(CC_HQ, &alice(called)), status, "", cause);
    }
}

#[test]
fn home_calls_to_an_inactive_pstn_access_service_are_500() {
    let mut node = Node::hq_with(&[("pstn_access = true", "pstn_access = false")]);
    assert_refused(&node.hear(CC_HQ, &alice("901614960000")), 500, "", "27");
}

#[test]
fn r_10_p_14_an_inactive_trunk_is_left_out_wherever_it_stands_and_the_others_are_tried_p8() {
    const LRG: &str = "\"Standard Local Route Group\"";
    // The hops an ordinary and an emergency call of a phone abroad tries with PSTN access and without.
    for (members, active, inactive) in [
        (LRG.to_owned(), &["br"][..], &[][..]),
        (format!("{LRG}, \"RG-HQ\""), &["br", "gw-hq"], &["gw-hq"]),
        (format!("\"RG-HQ\", {LRG}"), &["gw-hq", "br"], &["gw-hq"]),
        (format!("\"RG-HQ\", {LRG}, \"RG-2\""), &["gw-hq", "br", "127.0.1.21:5060"], &["gw-hq", "127.0.1.21:5060"]),
        (format!("{LRG}, \"RG-2\", \"RG-HQ\""), &["br", "127.0.1.21:5060", "gw-hq"], &["127.0.1.21:5060", "gw-hq"]),
    ] {
        let list = format!("name = \"RL-Local\"\nmembers = [{members}]");
        let changes = [
            ("name = \"RL-Local\"\nmembers = [\"Standard Local Route Group\"]", list.as_str()),
            ("[[route_group]]", "[[route_group]]\nname = \"RG-2\"\npeers = [\"gw-hq-2\"]\n\n[[route_group]]"),
            ("[[remote_cluster]]", OTHER_GATEWAY),
        ];
        let off = [("pstn_access = true", "pstn_access = false")];
        let off_there = [("\"pstn-access\", ", "")];
        for (what, change, ordinary) in
            [("active", &[][..], active), ("inactive", &off, inactive), ("inactive there", &off_there, inactive)]
        {
            for (called, want) in [("901614960000", ordinary), ("9911", active)] {
                let mut node = Node::hq_with(&[&changes[..], change].concat());
                let (tried, status) = hunted(&mut node, &alice(called));
                // An emergency's last resort dials the same number, and is no other hop where the list has it.
                let is_there = called == "901614960000" || want.contains(&"gw-hq");
                let last = if is_there { None } else { Some("gw-hq") };
                let want: Vec<&str> = want.iter().copied().chain(last).collect();
                assert_eq!(tried, want, "{called}, {members}, {what}");
                assert_eq!(status, "500", "{called}, {members}, {what}");
            }
        }
    }
}

/// A second gateway of HQ.
const OTHER_GATEWAY: &str = "[[peer]]\nname = \"gw-hq-2\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.21:5060\"]\n\n\
    [[remote_cluster]]";

/// Whom a call is offered to where each says 503, and what the caller is told in the end.
fn hunted(node: &mut Node, invite: &Request) -> (Vec<String>, String) {
    let (mut tried, mut out) = (Vec::new(), node.hear(invite.at, invite));
    while let Some(sent) = out.0.iter().find(|sent| sent.what() == "INVITE").cloned() {
        tried.push(name(sent.to));
        assert!(tried.len() < 10, "{tried:?}");
        out = node.hear(sent.to, crate::wire::says(&sent, 503));
    }
    (tried, out.refusal().what())
}

#[test]
fn r_10_p_14_the_link_is_asked_by_the_policy_of_the_first_hop_that_is_left() {
    const LISTED: (&str, &str) = (
        "name = \"RL-Local\"\nmembers = [\"Standard Local Route Group\"]",
        "name = \"RL-Local\"\nmembers = [\"Standard Local Route Group\", \"RG-HQ\"]",
    );
    const POLICIES: (&str, &str) = (
        "rsvp_policy = \"mandatory-video-desired\"",
        "rsvp_policy = \"mandatory-video-desired\"\npstn_access_rsvp_policy = \"none\"",
    );
    let off = ("pstn_access = true", "pstn_access = false");
    for (what, changes, is_booked) in
        [("to the trunk", &[LISTED, POLICIES][..], false), ("past the trunk", &[LISTED, POLICIES, off], true)]
    {
        let mut node = Node::hq_with(changes);
        node.hear(CC_HQ, &alice("901614960000").body(&crate::wire::audio("18"))).the("INVITE");
        assert_eq!(node.booked() != [0; 4], is_booked, "{what}");
    }
}

#[test]
fn a_request_outside_a_dialog_takes_an_invites_way_to_its_first_hop() {
    let mut node = Node::br();
    let message = Request::new("MESSAGE", CC_BR, BR, "7001", "02079460000");
    let sent = node.hear(CC_BR, &message).the("MESSAGE");
    assert_eq!(sent.to, GW_BR_1);
    let back = node.hear(GW_BR_1, crate::wire::says(&sent, 200));
    assert_eq!(back.told(), ["200 to cc-br"]);
}

#[test]
fn a_target_that_is_no_number_goes_to_the_neighbour_it_names() {
    let mut node = Node::br();
    let mut to_neighbour = Request::new("INVITE", CC_BR, BR, "7001", "x");
    to_neighbour.uri = format!("sip:carol@{GW_BR_2}");
    let sent = node.hear(CC_BR, &to_neighbour).the("INVITE");
    assert_eq!((sent.to, sent.start()), (GW_BR_2, format!("INVITE sip:carol@{GW_BR_2} SIP/2.0")));
    let mut to_stranger = Request::new("INVITE", CC_BR, BR, "7001", "x");
    to_stranger.uri = "sip:carol@203.0.113.9".to_owned();
    assert_refused(&node.hear(CC_BR, &to_stranger), 404, "", "1");
}

#[test]
fn bobs_local_route_group_is_his_own_pools() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("901614960000")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, "01614960000"));
}

/// Call control's own words about the caller: its display name, and what it calls itself in From.
#[test]
fn p_16_nothing_is_decided_by_the_callers_name() {
    for name in ["", "\"Bob\" ", "\"SEP00AA00AA0001\" ", "\"5002\" ", "911 "] {
        let mut node = Node::hq();
        let mut invite = alice("901614960000");
        invite.from = format!("{name}<sip:5001@127.0.1.10>;tag=x");
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        assert_eq!((sent.to, sent.has("Priority: emergency")), (BR, false), "{name:?}");
    }
}

/// The pattern of an ordinary number is routed by the local route group at home: the call goes abroad and ends there,
/// where nobody has such a number.
#[test]
fn p_17_an_ordinary_number_by_the_standard_local_route_group_is_dialed_in_the_country_visited() {
    let us = ("route_list = \"RL-HQ\"\ndiscard", "route_list = \"RL-Local\"\ndiscard");
    let sent = Node::hq_with(&[us]).hear(CC_HQ, &alice("912025550123")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (BR, "12025550123"));
    assert_refused(&Node::br().hear(HQ, &from_hq("12025550123")), 404, "", "1");
}

#[test]
fn p_1_and_p_7_home_decides_and_the_trunk_leads_to_the_cluster_the_phone_is_in() {
    let moved = ("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"udp:127.0.2.77:5070\"]");
    let sent = Node::hq_with(&[moved]).hear(CC_HQ, &alice("901614960000")).the("INVITE");
    assert_eq!(sent.to.to_string(), "127.0.2.77:5070");
    // The visited cluster's own search space for the phone is not asked: 112 is in it, and home does not know it.
    assert_refused(&Node::hq().hear(CC_HQ, &alice("112")), 404, "", "1");
}

#[test]
fn p_3_the_adjunct_search_space_has_the_emergency_numbers_of_the_country_visited() {
    let sent = Node::hq().hear(CC_HQ, &alice("9999")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (BR, "999"));
    assert!(sent.has("Priority: emergency"));
    // Bob has no adjunct search space: 9999 means nothing in his, and is an emergency pattern of this cluster all the same.
    let sent = Node::hq().hear(CC_HQ, &bob("9999")).the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, "999"), "P-23: by the patterns of every partition");
}

/// Members of a route list are tried in order, P-20; one that stands for nothing is passed over, P-21, P-22.
#[test]
fn p_20_to_p_22_members_are_tried_in_order_and_one_that_stands_for_nothing_is_passed_over() {
    let named = (
        "members = [\"Standard Local Route Group\"]\n\n[[route_list]]",
        "members = [\"Fax\", \"RG-HQ\"]\n\n[[route_list]]",
    );
    let fax = (
        "local_route_groups = { \"Standard Local Route Group\" = \"RG-HQ\" }\n\n[[device_pool]]\nname = \"DP-Roam-London\"",
        "local_route_groups = { \"Standard Local Route Group\" = \"RG-HQ\", \"Fax\" = \"RG-Fax\" }\n\n\
         [[peer]]\nname = \"gw-fax\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.21:5060\"]\n\n\
         [[route_group]]\nname = \"RG-Fax\"\npeers = [\"gw-fax\"]\n\n[[device_pool]]\nname = \"DP-Roam-London\"",
    );
    let call = |changes: &[(&str, &str)]| Node::hq_with(changes).hear(CC_HQ, &bob("901614960000")).the("INVITE").to;
    assert_eq!(call(&[named, fax]).to_string(), "127.0.1.21:5060", "his pool maps Fax");
    let none = (
        "[[route_list]]\nname = \"RL-HQ\"",
        "[[device_pool]]\nname = \"DP-Fax\"\nlocal_route_groups = { \"Fax\" = \"RG-HQ\" }\n\n[[route_list]]\nname = \"RL-HQ\"",
    );
    assert_eq!(call(&[named, none]), GW_HQ, "his pool maps Fax to nothing: the next member");
}

#[test]
fn rfc_3261_16_4_our_own_routes_on_top_lead_nowhere_and_the_first_of_others_does() {
    const OURS: &str = "<sip:127.0.1.1:5060;lr>";
    let on = |at: std::net::SocketAddr| format!("<sip:{at};lr>");
    // A request outside a dialog whose target is no number, and an ordinary call: where each goes, or its refusal.
    for (routes, named, called) in [
        (vec![], "404", "INVITE"),
        (vec![OURS.to_owned()], "404", "INVITE"),
        (vec![on(GW_HQ)], "MESSAGE", "INVITE"),
        (vec![OURS.to_owned(), on(GW_HQ)], "MESSAGE", "INVITE"),
        (vec![format!("{OURS}, {OURS} , {}", on(GW_HQ))], "MESSAGE", "INVITE"),
        (vec![OURS.to_owned(), "<sip:192.0.2.1;lr>".to_owned()], "404", "404"),
        (vec![OURS.to_owned(), "<sip:192.0.2.1;lr>".to_owned(), on(GW_HQ)], "404", "404"),
        // One that cannot be read is none of ours, and says nothing itself.
        (vec!["<sip:@>".to_owned()], "404", "404"),
        (vec!["<sip:@>".to_owned(), OURS.to_owned(), on(GW_HQ)], "MESSAGE", "INVITE"),
    ] {
        let routed = |request: Request| routes.iter().fold(request, |to, route| to.header(&format!("Route: {route}")));
        let message = routed(Request {
            uri: "sip:bob@example.com".to_owned(),
            ..Request::new("MESSAGE", CC_HQ, HQ, "5002", "x")
        });
        let first = |out: crate::node::Out| out.0.iter().map(|sent| sent.what()).find(|what| what != "100").unwrap();
        assert_eq!(first(Node::hq().hear(CC_HQ, &message)), named, "{routes:?}");
        let out = Node::hq().hear(CC_HQ, &routed(bob("912025550123")));
        assert!(out.0.iter().all(|sent| sent.what() != "INVITE" || sent.to == GW_HQ), "{routes:?}");
        assert_eq!(first(out), called, "{routes:?}");
    }
}

/// A call from outside that call control sends on to the PSTN, as these headers tell.
fn forwarded(headers: &[&str]) -> Request {
    let invite = Request::new("INVITE", CC_HQ, HQ, "12025550199", "912125550100").body(&audio("0"));
    headers.iter().fold(invite, |invite, header| invite.header(header))
}

#[test]
fn rfc_5806_and_rfc_7044_a_call_that_call_control_forwards_for_one_of_ours_goes_where_that_one_may_call_d_5() {
    for headers in [
        &["Diversion: \"Bob\" <sip:5002@hq.example>;reason=no-answer"][..],
        &["Diversion: <tel:12025550177>;reason=unconditional, <sip:5002@hq.example>;reason=deflection"],
        &[
            "History-Info: <sip:5002@hq.example?Reason=SIP%3Bcause%3D302>;index=1, <sip:912125550100@hq.example>;index=1.1",
        ],
        &["Diversion: <sip:4711@elsewhere.example>", "History-Info: <sip:5002@hq.example>;index=1"],
    ] {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &forwarded(headers)).the("INVITE");
        assert_eq!((sent.to, sent.number().as_str()), (GW_HQ, "12125550100"), "{headers:?}");
        let name = if headers.len() > 1 { "History-Info" } else { headers[0].split(':').next().unwrap() };
        assert!(headers.iter().any(|header| header.ends_with(&sent.header(name))), "untouched: {}", sent.header(name));
        assert_eq!(node.booked(), [0; 4], "no EMCC phone has a part in it");
    }
}

#[test]
fn a_forwarded_call_has_no_caller_here_where_nobody_of_ours_forwarded_it_or_call_control_is_not_believed() {
    let bob = "Diversion: <sip:5002@hq.example>;reason=no-answer";
    let distrusted = ("name = \"cc-hq\"\n", "name = \"cc-hq\"\ntrust_identity = false\n");
    for (changes, headers) in [
        (&[][..], &[][..]),
        (&[], &["Diversion: <sip:4711@hq.example>;reason=no-answer"]),
        (&[], &["Diversion: <sip:bob@hq.example>", "History-Info: <>;index=1"]),
        (&[distrusted], &[bob]),
    ] {
        let refused = Node::hq_with(changes).hear(CC_HQ, &forwarded(headers)).refusal();
        assert_eq!(refused.what(), "404", "{headers:?}");
    }
    // Alice is abroad: her own line reaches no PSTN, and where her phone stands says nothing of who is forwarded.
    let by_alice = forwarded(&["Diversion: <sip:5001@hq.example>;reason=unconditional"]);
    assert_eq!(Node::hq().hear(CC_HQ, &by_alice).refusal().what(), "404");
    let line = (
        "partitions = [\"PT-Internal\", \"PT-Emergency\"]",
        "partitions = [\"PT-Internal\", \"PT-Emergency\", \"PT-Local\"]",
    );
    let mut node = Node::hq_with(&[line]);
    assert_eq!(node.hear(CC_HQ, &by_alice).the("INVITE").to, GW_HQ);
    assert_eq!(node.booked(), [0; 4]);
}

#[test]
fn p_23_who_forwarded_an_emergency_call_is_not_where_help_has_to_go() {
    let by_bob =
        Request { uri: "sip:911@127.0.1.1:5060".to_owned(), ..forwarded(&["Diversion: <sip:5002@hq.example>"]) };
    let mut node = Node::hq();
    assert_eq!(node.hear(CC_HQ, &by_bob).the("INVITE").to, GW_HQ);
    assert!(node.alarms().contains(&"emergency call went on past analysis"), "nobody's search space");
}

#[test]
fn d_14_what_some_callers_may_not_call_rings_for_the_pstn_5_3() {
    let arrives = |number: &str| Request::new("INVITE", GW_HQ, HQ, "12125550000", number).body(&audio("18"));
    let lobby = |rows: &str| {
        let rows = format!(
            "[[css]]\nname = \"CSS-Lobby\"\npartitions = [\"PT-Lobby\", \"PT-Internal\"]\n{rows}[[css]]\nname = \"CSS-Trunk\"\n"
        );
        Node::hq_with(&[("[[css]]\nname = \"CSS-Trunk\"\n", &rows)])
    };
    let of = |table: &str, pattern: &str, target: &str| {
        format!("[[{table}]]\npattern = \"{pattern}\"\npartition = \"PT-Lobby\"\n{target}\n")
    };
    let to_5009 = "called_mask = \"5009\"\ncss = \"CSS-Lobby\"";
    for (what, rows, number, rings) in [
        ("nothing", String::new(), "5001", Some("5001")),
        ("a block", of("route_pattern", "5001", "block = true"), "5001", Some("5001")),
        ("a way out", of("route_pattern", "500X", "route_list = \"RL-HQ\""), "5001", Some("5001")),
        ("a translation", of("translation_pattern", "5001", to_5009), "5001", Some("5009")),
        ("a number from outside", of("translation_pattern", "4085555001", to_5009), "4085555001", Some("5009")),
        ("a block of no line", of("route_pattern", "4XXX", "block = true"), "4001", None),
        ("the way out itself", String::new(), "912025550123", None),
    ] {
        let mut node = lobby(&rows);
        let out = node.hear(GW_HQ, &arrives(number));
        match rings {
            Some(rings) => {
                let sent = out.the("INVITE");
                assert_eq!((sent.to, sent.number().as_str()), (CC_HQ, rings), "{what}");
            }
            None => assert_refused(&out, 404, "", "1"),
        }
    }
}
