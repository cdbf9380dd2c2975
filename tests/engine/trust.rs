//! Where trust ends: identities (RFC 3325), privacy (RFC 3323), locations (RFC 6442).

use crate::node::{BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, Sent};
use crate::wire::{Request, alice, answer, audio, bob, from_hq, hang_up, says, stand};

const ASSERTED: &str = "P-Asserted-Identity: <sip:5002@127.0.1.10>";

/// HQ with call control, its gateway, or the trunk outside the trust domain.
fn hq_without_trust_in(which: &str) -> Node {
    let (from, to) = match which {
        "cc" => ("name = \"cc-hq\"\n", "name = \"cc-hq\"\ntrust_identity = false\n"),
        "gw" => ("name = \"gw-hq\"\n", "name = \"gw-hq\"\ntrust_identity = false\n"),
        _ => ("[[remote_cluster]]\n", "[[remote_cluster]]\ntrust_identity = false\n"),
    };
    Node::hq_with(&[(from, to)])
}

fn identities(sent: &crate::node::Sent) -> Vec<String> {
    ["P-Asserted-Identity", "Remote-Party-ID", "P-Access-Network-Info", "P-Preferred-Identity"]
        .iter()
        .flat_map(|name| sent.headers(name))
        .collect()
}

fn with_identities(invite: Request) -> Request {
    invite
        .header(ASSERTED)
        .header("Remote-Party-ID: <sip:5002@h>;party=calling")
        .header("P-Access-Network-Info: 3GPP-E-UTRAN; utran-cell-id-3gpp=1")
        .header("P-Preferred-Identity: <sip:boss@h>")
}

#[test]
fn rfc_3325_5_within_the_trust_domain_an_asserted_identity_passes_and_a_preferred_one_does_not() {
    let mut node = Node::hq();
    for privacy in ["Privacy: id", "Privacy: none", "Subject: x"] {
        let invite = with_identities(bob("912025550123")).header(privacy);
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        assert_eq!(sent.headers("P-Asserted-Identity"), ["<sip:5002@127.0.1.10>"], "{privacy}");
        assert_eq!(identities(&sent).len(), 3, "{privacy}");
    }
}

#[test]
fn d_20_what_a_transform_made_of_the_caller_leaves_alone() {
    let own = "[[route_pattern]]\npattern = \"9.0!\"\n";
    let mut node = Node::hq_with(&[(own, &format!("{own}calling_mask = \"919555XXXX\"\n"))]);
    let sent = node.hear(CC_HQ, &with_identities(bob("90441234"))).the("INVITE");
    let told = identities(&sent);
    assert!(told.iter().any(|identity| identity.starts_with("<sip:9195555002@")), "{told:?}");
    assert!(!told.iter().any(|identity| identity.contains("<sip:5002@")), "{told:?}");
}

/// Both identities are of one user, who has the name of either.
#[test]
fn rfc_3325_9_1_a_transform_keeps_the_display_name_and_both_identities_of_the_caller() {
    let own = "[[route_pattern]]\npattern = \"9.0!\"\n";
    for (mask, asserted, leaves) in [
        ("919555XXXX", &["\"Bob, B.\" <sip:5002@127.0.1.10;user=phone>"][..], "\"Bob, B.\" <sip:9195555002@127.0.1.1>"),
        ("919555XXXX", &["Bob B <sip:5002@h>, <sip:5002@g>"], "Bob B <sip:9195555002@127.0.1.1>"),
        ("919555XXXX", &["sip:5002@h"], "<sip:9195555002@127.0.1.1>"),
        ("+1919555XXXX", &["\"Bob\" <tel:5002;phone-context=h>"], "\"Bob\" <tel:+19195555002>"),
        (
            "+1919555XXXX",
            &["\"Bob\" <sip:5002@h>, \"B\" <tel:+14085555002>"],
            "\"Bob\" <sip:+19195555002@127.0.1.1>, \"B\" <tel:+19195555002>",
        ),
        ("XXXX", &["<tel:+14085555002>", "\"Bob\" <sips:+14085555002@h>"], "\"Bob\" <sip:5002@127.0.1.1>"),
        ("919555XXXX", &["<tel:5002;phone-context=h>"], "<tel:9195555002;phone-context=h>"),
        ("919555XXXX", &["<tel:5002>, <sip:bob@h>"], "<sip:9195555002@127.0.1.1>, <tel:9195555002>"),
        // A number of one network alone is no global one, and says of no other which that is.
        ("XXXX", &["\"Bob\" <tel:+14085555002>"], "\"Bob\" <sip:5002@127.0.1.1>"),
        ("919555XXXX", &["\"Bob\" <urn:x:y>, <sip:5002@h>"], "<sip:9195555002@127.0.1.1>"),
        ("919555XXXX", &[], "<sip:9195555002@127.0.1.1>"),
    ] {
        let mut node = Node::hq_with(&[(own, &format!("{own}calling_mask = \"{mask}\"\n"))]);
        let mut invite = bob("90441234");
        for value in asserted {
            invite = invite.header(&format!("P-Asserted-Identity: {value}"));
        }
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        assert_eq!(sent.headers("P-Asserted-Identity"), [leaves], "{mask} {asserted:?}");
    }
    // What a stranger asserts is no name either, nor what its rules take off.
    for (find, more) in [
        ("name = \"cc-hq\"\n", "trust_identity = false\n"),
        ("name = \"cc-hq\"\n", "headers_removed = [\"P-Asserted-Identity\"]\n"),
    ] {
        let mut node =
            Node::hq_with(&[(own, &format!("{own}calling_mask = \"919555XXXX\"\n")), (find, &format!("{find}{more}"))]);
        let invite = bob("90441234").header("P-Asserted-Identity: \"Boss\" <sip:5002@h>");
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        assert_eq!(sent.headers("P-Asserted-Identity"), ["<sip:9195555002@127.0.1.1>"], "{more}");
    }
}

#[test]
fn d_5_of_a_phones_lines_the_one_that_calls_has_its_css() {
    let mut node = Node::hq_with(&[
        ("directory_numbers = [\"5002\"]", "directory_numbers = [\"5004\", \"5002\"]"),
        (
            "directory_number = \"5002\"\nline_css = \"CSS-Line\"",
            "directory_number = \"5002\"\nline_css = \"CSS-Toll\"\n[[partition]]\nname = \"PT-Toll\"\n\
             [[css]]\nname = \"CSS-Toll\"\npartitions = [\"PT-Toll\"]\n[[route_pattern]]\npattern = \"77XX\"\n\
             partition = \"PT-Toll\"\nroute_list = \"RL-HQ\"",
        ),
    ]);
    let mut calls = |from: &str, device: &str| {
        let invite = Request::new("INVITE", CC_HQ, HQ, from, "7700");
        node.hear(CC_HQ, &if device.is_empty() { invite } else { invite.on(device) }).told().pop().unwrap_or_default()
    };
    let phone = "SEP00AA00AA0001";
    for device in [phone, ""] {
        assert_eq!(calls("5002", device), "INVITE to gw-hq", "{device}");
        assert_eq!(calls("5004", device), "404 to cc-hq", "{device}");
    }
    assert_eq!(calls("7999", phone), "404 to cc-hq", "a number of nobody's: its first line");
}

#[test]
fn rfc_3325_7_towards_a_stranger_to_the_domain_identities_come_off_unless_privacy_is_none() {
    for (privacy, kept) in [("Privacy: id", 0), ("Privacy: user;id", 0), ("Subject: x", 0), ("Privacy: none", 3)] {
        let mut node = hq_without_trust_in("gw");
        let sent = node.hear(CC_HQ, &with_identities(bob("912025550123")).header(privacy)).the("INVITE");
        assert_eq!((sent.to, identities(&sent).len()), (GW_HQ, kept), "{privacy}");
        assert!(sent.has(privacy), "the wish itself passes");
    }
}

#[test]
fn rfc_3325_5_what_a_stranger_to_the_domain_asserts_is_neither_believed_nor_passed_on() {
    // The asserted number is bob's, who may call out; From is nobody's.
    let stranger = |node: &mut Node| {
        let mut invite = with_identities(bob("912025550123")).header("Privacy: none");
        invite.from = "<sip:8888@h>;tag=x".to_owned();
        node.hear(CC_HQ, &invite)
    };
    let sent = stranger(&mut Node::hq()).the("INVITE");
    assert_eq!(sent.to, GW_HQ);
    let out = stranger(&mut hq_without_trust_in("cc"));
    assert!(out.0.iter().all(|sent| identities(sent).is_empty()), "{out:?}");
    // Nor is its mark of a phone.
    let mut node = hq_without_trust_in("cc");
    let mut marked = alice("9999");
    marked.from = "<sip:5002@h>;tag=x".to_owned();
    assert_eq!(node.hear(CC_HQ, &marked).the("INVITE").to, GW_HQ, "bob's own emergency call");
}

#[test]
fn rfc_3325_5_the_same_holds_within_a_call_and_for_its_answers() {
    let mut node = hq_without_trust_in("gw");
    let invite = bob("912025550123").body(&audio("0"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let connected = ["P-Asserted-Identity: <sip:other@h>", "Privacy: none"];
    let ringing = node.hear(GW_HQ, answer(&sent, 180, "b1", &connected, "")).the("180");
    assert!(identities(&ringing).is_empty(), "it is not believed");
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let passed = node.hear(CC_HQ, &call.caller.request("UPDATE").header(ASSERTED)).the("UPDATE");
    assert!(identities(&passed).is_empty());
    let passed = node.hear(GW_HQ, &call.callee.request("UPDATE").header(ASSERTED)).the("UPDATE");
    assert!(identities(&passed).is_empty());
    let back = node.hear(CC_HQ, answer(&passed, 200, "a", &[ASSERTED], "")).the("200");
    assert!(identities(&back).is_empty(), "towards it neither");
    let refused = node.hear(CC_HQ, &bob("912025550123")).the("INVITE");
    let back = node.hear(GW_HQ, answer(&refused, 486, "b", &connected, "")).the("486");
    assert!(identities(&back).is_empty(), "nor in a failure");
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("912025550123")).the("INVITE");
    let ringing = node.hear(GW_HQ, answer(&sent, 180, "b1", &connected, "")).the("180");
    assert_eq!(identities(&ringing), ["<sip:other@h>"], "within the domain it passes");
}

#[test]
fn p_13_a_trunk_outside_the_domain_still_gets_the_phones_mark_and_no_identity() {
    let mut node = hq_without_trust_in("trunk");
    let sent = node.hear(CC_HQ, &with_identities(alice("901614960000")).body(&audio("18"))).the("INVITE");
    assert_eq!((sent.to, identities(&sent)), (BR, vec![]));
    assert!(sent.header("Call-Info").contains("emcc-device"));
}

const PLACE: &str = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"/>";

/// A request with a location beside its description.
fn located(mut request: Request, sdp: &str) -> Request {
    request = request.header("Geolocation: <cid:place@h>").header("Geolocation-Routing: yes");
    request.content_type = "multipart/mixed;boundary=b".to_owned();
    request.body = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b\r\nContent-Type: application/pidf+xml\r\n\
         Content-ID: <place@h>\r\n\r\n{PLACE}\r\n--b--\r\n"
    );
    request
}

#[test]
fn r_9_a_location_leaves_over_the_trunk_with_the_description_the_region_left() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &located(alice("9999"), &audio("0 18"))).the("INVITE");
    assert_eq!((sent.to, sent.headers("Geolocation")), (BR, vec!["<cid:place@h>".to_owned()]));
    assert!(sent.body().contains(PLACE) && sent.header("Content-Type").starts_with("multipart/mixed"));
    assert_eq!(sent.formats("audio"), ["18"]);
    let mut node = Node::hq_with(&[("[[remote_cluster]]\n", "[[remote_cluster]]\nsend_geolocation = false\n")]);
    let sent = node.hear(CC_HQ, &located(alice("9999"), &audio("0 18"))).the("INVITE");
    assert!(sent.headers("Geolocation").is_empty() && !sent.body().contains(PLACE), "{}", sent.text());
}

#[test]
fn a_gateway_gets_the_plain_description_unless_it_is_told_locations() {
    let mut node = Node::br();
    let sent = node.hear(HQ, &located(from_hq("911"), &audio("18"))).the("INVITE");
    assert_eq!(sent.to, GW_BR_1);
    assert_eq!(sent.header("Content-Type"), "application/sdp");
    assert_eq!(sent.body(), audio("18"));
    assert_eq!(sent.header("Content-Length"), audio("18").len().to_string());
    assert!(sent.headers("Geolocation").is_empty() && sent.headers("Geolocation-Routing").is_empty());
    let mut node = Node::br_with(&[
        ("name = \"gw-br-1\"\n", "name = \"gw-br-1\"\nsend_geolocation = true\n"),
        ("name = \"gw-br-2\"\n", "name = \"gw-br-2\"\nsend_geolocation = true\n"),
    ]);
    let invite = located(from_hq("911"), &audio("18"));
    let sent = node.hear(HQ, &invite).the("INVITE");
    assert_eq!((sent.body(), sent.headers("Geolocation").len()), (invite.body, 1), "not an octet of it is touched");
    let failed = node.hear(GW_BR_1, answer(&sent, 424, "b", &["Geolocation-Error: 100;code=\"x\""], ""));
    assert_eq!(failed.the("INVITE").headers("Geolocation").len(), 1, "and so at the next hop (RFC 6442 section 4.3)");
}

#[test]
fn r_9_and_p_23_a_body_out_of_form_loses_its_location_and_keeps_its_description() {
    let sdp = audio("0");
    let media = format!("--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n");
    let place = format!("--b\r\nContent-Type: application/pidf+xml\r\nContent-ID: <place@h>\r\n\r\n{PLACE}\r\n");
    let mixed = "multipart/mixed;boundary=b";
    for (what, kind, body) in [
        ("no end, the description last", mixed, format!("{place}{media}")),
        ("no end, the location last", mixed, format!("{media}{place}")),
        ("lines that end in LF", mixed, format!("{media}{place}--b--\r\n").replace("\r\n", "\n")),
        ("no boundary", "multipart/mixed", format!("{place}{media}--b--\r\n")),
        ("a type that cannot be read", "multipart/mixed (x);boundary=b", format!("{place}{media}--b--\r\n")),
    ] {
        let is_clean = |sent: &Sent| {
            let same = sent.body().replace("\r\n", "\n").trim_end() == sdp.replace("\r\n", "\n").trim_end();
            same && sent.header("Content-Type") == "application/sdp" && sent.headers("Geolocation").is_empty()
        };
        for number in ["911", "912025550123"] {
            let mut invite = bob(number).header("Geolocation: <cid:place@h>").body(&body);
            invite.content_type = kind.to_owned();
            let sent = Node::hq().hear(CC_HQ, &invite).the("INVITE");
            assert!(sent.to == GW_HQ && is_clean(&sent), "{number}, {what}: {}", sent.text());
        }
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &bob("911").body(&sdp)).the("INVITE");
        let answered = answer(&sent, 200, "b1", &[], &body)
            .replace("application/sdp\r\nContent-Length", &format!("{kind}\r\nContent-Length"));
        assert!(answered.contains(&format!("\r\nContent-Type: {kind}\r\n")), "{answered}");
        let back = node.hear(GW_HQ, answered).the("200");
        assert!(is_clean(&back), "the answer, {what}: {}", back.text());
    }
}

#[test]
fn a_location_alone_leaves_nothing_and_one_within_a_call_comes_off_too() {
    let mut node = Node::hq();
    let mut alone = bob("912025550123");
    alone.content_type = "application/pidf+xml".to_owned();
    let sent = node.hear(CC_HQ, &alone.body(PLACE)).the("INVITE");
    assert_eq!((sent.header("Content-Length").as_str(), sent.headers("Content-Type").len()), ("0", 0));
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let update = located(call.caller.request("UPDATE"), &audio("0"));
    let passed = node.hear(CC_HQ, &update).the("UPDATE");
    assert_eq!((passed.body(), passed.headers("Geolocation").len()), (audio("0"), 0));
    node.hear(GW_HQ, says(&passed, 200));
    hang_up(&mut node, &mut call);
}

#[test]
fn what_a_neighbour_may_not_send_goes_no_further_in_a_call_its_answers_and_what_follows() {
    const REMOVED: [&str; 3] =
        ["Subject: to be read by nobody", "X-Billing: 7", "Diversion: <sip:5003@h>;reason=deflection"];
    let kept = |sent: &crate::node::Sent| ["Subject", "X-Billing", "Diversion"].map(|name| sent.headers(name).len());
    let listed = |name: &str| format!("name = \"{name}\"\nheaders_removed = [\"s\", \"x-billing\", \"DIVERSION\"]\n");
    for (which, from_control, from_gateway) in [("cc-hq", 0, 1), ("gw-hq", 1, 0)] {
        let mut node = Node::hq_with(&[(&format!("name = \"{which}\"\n"), &listed(which))]);
        let invite = REMOVED.iter().fold(bob("912025550123").body(&audio("0")), |invite, header| invite.header(header));
        let sent = node.hear(CC_HQ, &invite).the("INVITE");
        assert_eq!(kept(&sent), [from_control; 3], "{which}: a new call");
        let ringing = node.hear(GW_HQ, answer(&sent, 180, "b1", &REMOVED, "")).the("180");
        assert_eq!(kept(&ringing), [from_gateway; 3], "{which}: its answer");
        let busy = node.hear(GW_HQ, answer(&sent, 486, "b1", &REMOVED, "")).the("486");
        assert_eq!(kept(&busy), [from_gateway; 3], "{which}: the failure that ends the hunt");
        let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
        let with = |request: Request| REMOVED.iter().fold(request, |request, header| request.header(header));
        let passed = node.hear(CC_HQ, &with(call.caller.request("INFO"))).the("INFO");
        assert_eq!(kept(&passed), [from_control; 3], "{which}: a request inside it");
        let passed = node.hear(GW_HQ, &with(call.callee.request("INFO"))).the("INFO");
        assert_eq!(kept(&passed), [from_gateway; 3], "{which}: from the other side");
    }
}

#[test]
fn rfc_4412_and_rfc_5806_what_a_neighbour_claims_that_is_not_believed_counts_for_nothing_and_goes_no_further() {
    const CLAIMS: [&str; 2] = ["Resource-Priority: ets.0", "Diversion: <sip:5003@h>;reason=deflection"];
    let distrusted = ("name = \"gw-hq\"\n", "name = \"gw-hq\"\ntrust_identity = false\n");
    for (changes, is_believed) in [(vec![], true), (vec![distrusted], false)] {
        let from_pstn = || {
            let invite = Request::new("INVITE", GW_HQ, HQ, "12025550199", "5002").body(&audio("0"));
            CLAIMS.iter().fold(invite, |invite, header| invite.header(header))
        };
        let mut node = Node::hq_with(&changes);
        let sent = node.hear(GW_HQ, &from_pstn()).the("INVITE");
        let kept = ["Resource-Priority", "Diversion"].map(|name| sent.headers(name).len());
        assert_eq!((sent.to, kept), (CC_HQ, [usize::from(is_believed); 2]));
        node.engine.drain();
        let out = node.hear(GW_HQ, &from_pstn());
        assert_eq!(
            out.told().first().map(String::as_str),
            Some(if is_believed { "100 to gw-hq" } else { "503 to gw-hq" })
        );
    }
}

#[test]
fn rfc_3261_16_7_of_the_best_failure_comes_off_what_its_own_hop_may_not_send() {
    const ASSERTED: &str = "P-Asserted-Identity: <sip:5555@127.0.2.20>";
    const CHALLENGE: &str = "Proxy-Authenticate: Digest realm=\"gw\", nonce=\"1\"";
    let gateway = |number: u8, more: &str| {
        let name = format!("name = \"gw-br-{number}\"\n");
        (name.clone(), format!("{name}{more}\n"))
    };
    let rules = "headers_removed = [\"Subject\", \"Proxy-Authenticate\"]\ntrust_identity = false";
    for ruled in [1, 2] {
        let (name, changed) = gateway(ruled, rules);
        let mut node = Node::br_with(&[(&name, &changed)]);
        let says = |node: &mut Node, sent: &Sent, status: u16| {
            node.hear(sent.to, answer(sent, status, "g", &["Subject: not for you", ASSERTED, CHALLENGE], ""))
        };
        // Both are out of order: the first one's 500 is better than the second one's 503.
        let first = node.hear(HQ, &from_hq("02079460000").body(&audio("18"))).the("INVITE");
        let second = says(&mut node, &first, 500).the("INVITE");
        assert_eq!((first.to, second.to), (GW_BR_1, GW_BR_2));
        let back = says(&mut node, &second, 503).the("500");
        let passes = usize::from(ruled != 1);
        assert_eq!(
            (back.headers("Subject").len(), back.headers("P-Asserted-Identity").len()),
            (passes, passes),
            "{ruled}"
        );
        // An emergency call asks them all: what each demands goes back together, but for who may not demand it.
        let first = node.hear(HQ, &from_hq("999").body(&audio("18"))).the("INVITE");
        let mut sent = first;
        let back = loop {
            let out = says(&mut node, &sent, 407);
            match out.0.iter().find(|sent| sent.what() == "INVITE").cloned() {
                Some(next) => sent = next,
                None => break out.the("407"),
            }
        };
        assert_eq!(back.headers("Proxy-Authenticate").len(), 1, "{ruled}: {}", back.text());
    }
}
