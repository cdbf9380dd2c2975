//! The caller's place on its way: written where it is known and wanted (R-9, G-12 to G-17), and what becomes of a bad one.

use std::net::SocketAddr;

use emcc_trunk::limits::DATAGRAM_PAYLOAD_MAX;
use emcc_trunk::sip::location::conveyed;
use emcc_trunk::sip::{Index, scan};

use crate::node::{BR, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, HQ, Node, Sent};
use crate::wire::{Dialog, PHONE, Request, alice, answer, audio, bob, from_hq, says, stand};

/// What a message conveys as text, and the description in it.
fn read(sent: &Sent) -> (String, String) {
    let mut index = Index::default();
    let message = scan(&sent.bytes, &mut index).expect("a message");
    let location = conveyed(&message).expect("it is in form").map(|conveyed| conveyed.location.to_string());
    (location.unwrap_or_default(), sent.description())
}

/// Whether anything of a location is in a message.
fn is_bare(sent: &Sent) -> bool {
    sent.headers("Geolocation").is_empty() && sent.headers("Geolocation-Routing").is_empty() && !sent.has("pidf+xml")
}

const LONDON: &str = "country=GB,A3=London,FLR=2";
const TRUNK: &str = "[[remote_cluster]]\n";
const TOLD_NOTHING: &str = "[[remote_cluster]]\nsend_geolocation = false\n";

#[test]
fn r9_and_g16_a_call_over_the_trunk_says_where_the_phone_is_in_the_form_of_rfc_6442() {
    for (called, routing, passed_on) in [("901614960000", "no", "no"), ("9999", "yes", "yes")] {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &alice(called).body(&audio("18 101"))).the("INVITE");
        assert_eq!((sent.to, read(&sent)), (BR, (LONDON.to_owned(), audio("18 101"))), "{called}");
        let geolocation = sent.headers("Geolocation");
        let id = geolocation[0].strip_prefix("<cid:").and_then(|id| id.strip_suffix('>')).expect("a cid URI");
        assert_eq!((geolocation.len(), id.len()), (1, 32 + "@emcc.invalid".len()));
        assert!(sent.has(&format!("\r\nContent-ID: <{id}>\r\n")), "in brackets");
        assert_eq!(sent.header("Geolocation-Routing"), routing);
        assert!(sent.has(&format!("<gbp:retransmission-allowed>{passed_on}</gbp:retransmission-allowed>")));
        assert!(sent.has("<dm:deviceID>urn:emcc:device:SEP001122334455</dm:deviceID>"));
        assert!(sent.has("<dm:timestamp>2026-01-05T08:00:01Z</dm:timestamp>"), "{}", sent.text());
        let boundary = sent.header("Content-Type").replace("multipart/mixed;boundary=", "");
        let first =
            format!("--{boundary}\r\nContent-Type: application/sdp\r\n\r\n{}\r\n--{boundary}\r\n", audio("18 101"));
        assert!(
            sent.body().starts_with(&first) && sent.body().ends_with(&format!("\r\n--{boundary}--\r\n")),
            "{}",
            sent.text()
        );
        assert_eq!(sent.header("Content-Length"), sent.body().len().to_string());
    }
}

#[test]
fn g16_what_came_of_routing_by_a_place_yields_to_what_is_said_of_ours() {
    for (called, came, routing) in
        [("9999", vec!["no"], "yes"), ("9999", vec!["yes", "no"], "yes"), ("901614960000", vec!["yes"], "no")]
    {
        for body in [String::new(), audio("18")] {
            let mut invite = alice(called).body(&body);
            invite.more.extend(came.iter().map(|came| format!("geolocation-ROUTING: {came}")));
            let sent = Node::hq().hear(CC_HQ, &invite).the("INVITE");
            assert_eq!(read(&sent).0, LONDON);
            assert_eq!(sent.headers("Geolocation-Routing"), [routing], "RFC 6442 section 4.2: one, {came:?}");
        }
    }
}

#[test]
fn m6_the_region_shapes_the_description_beside_a_location_and_the_answer_passes() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("0 18"))).the("INVITE");
    assert_eq!(read(&sent), (LONDON.to_owned(), audio("18")));
    let answered = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    assert_eq!((answered.to, answered.body()), (CC_HQ, audio("18")));
}

#[test]
fn r9_nobody_is_told_where_send_geolocation_is_off_and_a_gateway_is_told_where_it_is_on() {
    let invite = || alice("901614960000").body(&audio("18"));
    let sent = Node::hq_with(&[(TRUNK, TOLD_NOTHING)]).hear(CC_HQ, &invite()).the("INVITE");
    assert!(is_bare(&sent) && sent.body() == audio("18"), "{}", sent.text());
    let call = || bob("912025550123").body(&audio("0"));
    assert!(is_bare(&Node::hq().hear(CC_HQ, &call()).the("INVITE")), "a gateway's default");
    let told = [("name = \"gw-hq\"\n", "name = \"gw-hq\"\nsend_geolocation = true\n")];
    let sent = Node::hq_with(&told).hear(CC_HQ, &call()).the("INVITE");
    assert_eq!((sent.to, read(&sent)), (GW_HQ, ("country=US,A1=NC,A3=RTP".to_owned(), audio("0"))), "its pool's (G-3)");
    for (place, want) in [("GL-London", "country=GB,A3=London"), ("Unspecified", "")] {
        let device =
            ("name = \"SEP00AA00AA0001\"\n", &*format!("name = \"SEP00AA00AA0001\"\ngeolocation = \"{place}\"\n"));
        let sent = Node::hq_with(&[told[0], device]).hear(CC_HQ, &call()).the("INVITE");
        assert_eq!(read(&sent).0, want, "its own before its pool's, and Unspecified is none (G-3, G-4)");
        assert_eq!(is_bare(&sent), want.is_empty());
    }
}

#[test]
fn g15_a_location_that_came_counts_and_none_is_put_beside_it() {
    let bad = "--b\r\nContent-Type: application/pidf+xml\r\nContent-ID: <p@h>\r\n\r\nnonsense\r\n--b--\r\n";
    for (geolocation, kind, body) in [
        ("Geolocation: <cid:p@h>", "multipart/mixed;boundary=b", bad),
        ("Geolocation: <https://h/1>", "application/sdp", &*audio("18")),
        ("Subject: no header points at it", "multipart/mixed;boundary=b", bad),
    ] {
        let mut invite = alice("9999").header(geolocation).body(body);
        invite.content_type = kind.to_owned();
        let sent = Node::hq().hear(CC_HQ, &invite).the("INVITE");
        assert_eq!((sent.to, sent.body().as_str()), (BR, body), "G-17: it leaves as it came");
        assert!(!sent.has("emcc.invalid"));
    }
}

#[test]
fn g17_every_try_of_a_call_and_every_copy_of_one_says_the_same() {
    let two = [("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"udp:127.0.2.1:5060\", \"udp:127.0.2.9:5060\"]")];
    let mut node = Node::hq_with(&two);
    let first = node.hear(CC_HQ, &alice("9999").body(&audio("0 18"))).the("INVITE");
    let mut tries = vec![first.clone()];
    let out = node.wait(9_000);
    tries.extend(out.0.iter().filter(|sent| sent.what() == "INVITE" && read(sent).0 == LONDON).cloned());
    let other: SocketAddr = "127.0.2.9:5060".parse().expect("an address");
    assert!(tries.iter().any(|sent| sent.to == other), "{:?}", out.told());
    for sent in &tries {
        assert_eq!((sent.body(), sent.header("Geolocation")), (first.body(), first.header("Geolocation")));
        assert!(sent.to != first.to || sent.bytes == first.bytes, "a copy is a copy");
    }
    let another = Node::hq().hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
    assert_ne!(another.header("Geolocation"), first.header("Geolocation"), "another call has another");
}

#[test]
fn rfc_6442_a_call_without_an_offer_carries_the_location_alone() {
    let sent = Node::hq().hear(CC_HQ, &alice("901614960000")).the("INVITE");
    assert_eq!(read(&sent), (LONDON.to_owned(), String::new()));
    assert_eq!(sent.header("Content-Type"), "application/pidf+xml");
    assert_eq!(sent.header("Content-Disposition"), "by-reference;handling=optional");
    assert_eq!(format!("<cid:{}", sent.header("Content-ID").trim_start_matches('<')), sent.header("Geolocation"));
    assert_eq!(sent.header("Content-Length"), sent.body().len().to_string());
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000")).the("INVITE");
    let offered = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("0 18"))).the("200");
    assert_eq!(offered.body(), audio("18"), "the offer in the answer passes the region as ever");
}

#[test]
fn rfc_2046_whatever_the_body_is_stays_octet_for_octet_and_the_location_joins_it() {
    let sdp = audio("18");
    let isup = format!(
        "--x y\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--x y\r\nContent-Type: application/ISUP\r\n\r\n\u{1}\r\n--x y--\r\nend"
    );
    let sent_with = |kind: &str, body: &str, header: &str| {
        let mut invite = alice("9999").header(header).body(body);
        invite.content_type = kind.to_owned();
        Node::hq().hear(CC_HQ, &invite).the("INVITE")
    };
    let sent = sent_with("multipart/mixed;boundary=\"x y\"", &isup, "Subject: x");
    assert_eq!(
        (read(&sent), sent.header("Content-Type")),
        ((LONDON.to_owned(), sdp.clone()), "multipart/mixed;boundary=\"x y\"".to_owned())
    );
    let (before, after) = isup.split_at(isup.find("\r\n--x y--").expect("an end"));
    assert!(sent.body().starts_with(before) && sent.body().ends_with(after), "{}", sent.text());
    let related = isup.replace("x y", "b");
    let sent = sent_with("multipart/related;boundary=b", &related, "Subject: x");
    assert!(sent.body().contains(&format!("Content-Type: multipart/related;boundary=b\r\n\r\n{related}\r\n--emcc-")));
    assert_eq!(read(&sent), (LONDON.to_owned(), sdp.clone()));
    let sent = sent_with("application/sdp", &sdp, "Content-Disposition: session;handling=required");
    assert!(
        sent.headers("Content-Disposition").is_empty()
            || !sent.text().split("\r\n\r\n").next().unwrap_or_default().contains("session")
    );
    assert!(sent.body().contains(&format!(
        "Content-Type: application/sdp\r\nContent-Disposition: session;handling=required\r\n\r\n{sdp}\r\n"
    )));
    let sent = sent_with("text/plain", "hello", "Subject: x");
    assert!(sent.body().contains("Content-Type: text/plain\r\n\r\nhello\r\n--emcc-") && read(&sent).0 == LONDON);
}

#[test]
fn g17_on_any_doubt_the_call_leaves_without() {
    let sdp = audio("18");
    let open = format!("--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n");
    let long = "x".repeat(DATAGRAM_PAYLOAD_MAX - 4_500);
    for (kind, body, header) in [
        ("multipart/mixed", &*open, "Subject: no boundary"),
        ("multipart/mixed;boundary=b", &*open, "Subject: no end"),
        ("nonsense", &*sdp, "Subject: no type"),
        ("application/sdp", &*sdp, "Content-Type: text/plain"),
        ("application/sdp", &*sdp, "Identity-Info: <https://h/cert>;alg=rsa-sha1"),
        ("text/plain", &*long, "Subject: larger than a datagram takes"),
    ] {
        let mut invite = alice("9999").header(header).body(body);
        invite.content_type = kind.to_owned();
        let sent = Node::hq().hear(CC_HQ, &invite).the("INVITE");
        assert!(sent.to == BR && is_bare(&sent) && sent.body() == body, "{kind} {header}");
    }
}

#[test]
fn g12_the_visited_nodes_gateway_hears_it_only_where_it_is_told_locations() {
    let at_home = Node::hq().hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
    let plain = Node::br().hear(HQ, at_home.text()).the("INVITE");
    assert!(plain.to == GW_BR_1 && is_bare(&plain) && plain.body() == audio("18"), "{}", plain.text());
    let told = [("name = \"gw-br-1\"\n", "name = \"gw-br-1\"\nsend_geolocation = true\n")];
    let sent = Node::br_with(&told).hear(HQ, at_home.text()).the("INVITE");
    assert_eq!(
        (sent.body(), sent.header("Geolocation")),
        (at_home.body(), at_home.header("Geolocation")),
        "HC's counts"
    );
    let sent = Node::br_with(&told).hear(HQ, &from_hq("999").body(&audio("18"))).the("INVITE");
    assert_eq!(read(&sent).0, "country=GB,A3=London", "none came: what VC knows of its own phone");
}

/// An INVITE with a location of that form.
fn located(mut request: Request, routing: &str, document: &str) -> Request {
    request = request.header("Geolocation: <cid:p@h>").header(&format!("Geolocation-Routing: {routing}"));
    request.content_type = "multipart/mixed;boundary=b".to_owned();
    let sdp = audio("18");
    request.body(&format!("--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b\r\n{document}\r\n--b--\r\n"))
}

const PART: &str = "Content-Type: application/pidf+xml\r\nContent-ID: <p@h>\r\n\r\n";

#[test]
fn rfc_6442_4_3_a_call_to_be_routed_by_a_bad_location_is_424_and_no_other_call_is() {
    let good = format!("{PART}<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"/>");
    let (bad, missing) = (format!("{PART}<presence>"), "Content-Type: text/plain\r\n\r\nx".to_owned());
    for (routing, document, is_refused) in [
        ("yes", &bad, true),
        ("YES", &bad, true),
        ("yes", &missing, true),
        ("yes", &good, false),
        ("no", &bad, false),
        ("no", &missing, false),
        ("unknown", &bad, false),
    ] {
        let invite = located(alice("901614960000"), routing, document);
        let out = Node::hq().hear(CC_HQ, &invite);
        if is_refused {
            let refusal = out.refusal();
            assert_eq!(refusal.start(), "SIP/2.0 424 Bad Location Information");
            assert_eq!(refusal.header("Geolocation-Error"), "100;code=\"Cannot Process Location\"");
        } else {
            assert_eq!(out.the("INVITE").body(), invite.body, "{routing} {document}: it passes as it came");
        }
        let sent = Node::hq().hear(CC_HQ, &located(alice("9999"), routing, document)).the("INVITE");
        assert_eq!((sent.to, sent.body()), (BR, invite.body), "G-17: an emergency call is never refused for it");
    }
    let mut alone = alice("901614960000").header("Geolocation-Routing: yes").body("nonsense");
    alone.content_type = "application/pidf+xml".to_owned();
    assert_eq!(Node::hq().hear(CC_HQ, &alone).the("INVITE").body(), "nonsense", "without the header never");
}

#[test]
fn p8_and_g17_a_gateways_424_ends_an_ordinary_call_and_an_emergency_goes_on() {
    let bad = ["Geolocation-Error: 100;code=\"x\""];
    let mut node = Node::br();
    let sent = node.hear(HQ, &from_hq("999").body(&audio("18"))).the("INVITE");
    let next = node.hear(GW_BR_1, answer(&sent, 424, "g", &bad, "")).the("INVITE");
    assert_eq!(next.to, GW_BR_2);
    assert_eq!(node.hear(GW_BR_2, says(&next, 200)).the("200").to, HQ);
    let sent = node.hear(HQ, &from_hq("02079460000").body(&audio("18"))).the("INVITE");
    let back = node.hear(GW_BR_1, answer(&sent, 424, "g", &bad, "")).the("424");
    assert_eq!((back.to, back.header("Geolocation-Error")), (HQ, "100;code=\"x\"".to_owned()));
}

#[test]
fn p13_a_phone_nobody_knows_is_nowhere_and_the_trunks_own_place_is_never_said_for_it() {
    let told = [
        ("name = \"gw-trunk-pool\"\n", "name = \"gw-trunk-pool\"\nsend_geolocation = true\n"),
        ("name = \"gw-br-2\"\n", "name = \"gw-br-2\"\nsend_geolocation = true\n"),
        ("name = \"DP-Trunk\"\n", "name = \"DP-Trunk\"\ngeolocation = \"GL-London\"\n"),
    ];
    let mut invite = from_hq("999").body(&audio("18")).header("Priority: emergency");
    invite.more.iter_mut().for_each(|line| *line = line.replace(PHONE, "SEP0000000000FF"));
    let sent = Node::br_with(&told).hear(HQ, &invite).the("INVITE");
    assert!(is_bare(&sent), "{}", sent.text());
}

/// A place as it was seen in the field: a blank before the namespace, `geopriv` right below the device (G-14).
const SEEN: &str = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
    xmlns:g=\"urn:ietf:params:xml:ns:pidf:geopriv10\" xmlns:c=\" urn:ietf:params:xml:ns:pidf:geopriv10:civicLoc\">\
    <dm:device id=\"d\"><g:geopriv><g:location-info><c:civicAddress><c:country>US</c:country><c:A1>TEX</c:A1>\
    </c:civicAddress></g:location-info></g:geopriv></dm:device></presence>";
const POINTS_AT_IT: [&str; 3] =
    ["Geolocation: <cid:p@h>;inserted-by=\"127.0.0.1\"", "Geolocation-Routing: no", "Supported: Geolocation"];

/// Type and body of a description, where there is one, and that place; the Content-ID lacks its brackets.
fn seen(sdp: &str) -> (String, String) {
    let id = "Content-ID: p@h";
    match sdp {
        "" => (format!("application/pidf+xml\r\n{id}"), SEEN.to_owned()),
        _ => (
            "multipart/mixed;boundary=b".to_owned(),
            format!(
                "--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b\r\nContent-Type: application/pidf+xml\r\n{id}\r\n\r\n\
                 {SEEN}\r\n--b--\r\n"
            ),
        ),
    }
}

/// An UPDATE of a dialog that says so.
fn moved(dialog: &mut Dialog, sdp: &str) -> Request {
    let (kind, body) = seen(sdp);
    let update = dialog.request("UPDATE").body(&body);
    let mut update = POINTS_AT_IT.iter().fold(update, |request, line| request.header(line));
    update.content_type = kind;
    update
}

/// A response that says so.
fn told_so(request: &Sent, status: u16, sdp: &str) -> String {
    let (kind, body) = seen(sdp);
    answer(request, status, "b1", &POINTS_AT_IT, &body).replacen(
        "Content-Type: application/sdp",
        &format!("Content-Type: {kind}"),
        1,
    )
}

const GATEWAY_TOLD: (&str, &str) = ("name = \"gw-hq\"\n", "name = \"gw-hq\"\nsend_geolocation = true\n");
const CALL_CONTROL_TOLD: (&str, &str) = ("name = \"cc-hq\"\n", "name = \"cc-hq\"\nsend_geolocation = true\n");

#[test]
fn g12_and_g14_a_location_in_an_update_leaves_only_where_it_may_and_as_it_came() {
    for sdp in ["", &*audio("0")] {
        let mut node = Node::hq();
        let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
        let sent = node.hear(CC_HQ, &moved(&mut call.caller, sdp)).the("UPDATE");
        assert_eq!((sent.to, is_bare(&sent), sent.body().as_str()), (GW_HQ, true, sdp), "{}", sent.text());
        let kind = if sdp.is_empty() { "" } else { "application/sdp" };
        assert_eq!(sent.header("Content-Type"), kind, "{}", sent.text());
        let mut node = Node::hq_with(&[GATEWAY_TOLD]);
        let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
        let update = moved(&mut call.caller, sdp);
        let sent = node.hear(CC_HQ, &update).the("UPDATE");
        assert_eq!((sent.to, sent.body()), (GW_HQ, update.body));
        assert_eq!(read(&sent), ("country=US,A1=TEX".to_owned(), sdp.to_owned()), "{}", sent.text());
    }
    // Over the trunk it goes, and the description beside it is under the region (M-1).
    let mut node = Node::hq();
    let mut call = stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    let sent = node.hear(CC_HQ, &moved(&mut call.caller, &audio("0 18"))).the("UPDATE");
    assert_eq!((sent.to, read(&sent)), (BR, ("country=US,A1=TEX".to_owned(), audio("18"))));
}

#[test]
fn g12_and_g15_a_location_in_a_response_leaves_only_where_it_may_and_as_it_came() {
    for sdp in ["", &*audio("0")] {
        for status in [183, 200] {
            let mut node = Node::hq();
            let sent = node.hear(CC_HQ, &bob("912025550123").body(&audio("0"))).the("INVITE");
            let back = node.hear(GW_HQ, told_so(&sent, status, sdp)).the(&status.to_string());
            assert_eq!((back.to, is_bare(&back), back.body().as_str()), (CC_HQ, true, sdp), "{}", back.text());
            assert_eq!(back.header("Content-Length"), back.body().len().to_string());
            let mut node = Node::hq_with(&[CALL_CONTROL_TOLD]);
            let sent = node.hear(CC_HQ, &bob("912025550123").body(&audio("0"))).the("INVITE");
            let back = node.hear(GW_HQ, told_so(&sent, status, sdp)).the(&status.to_string());
            assert_eq!((back.to, back.body()), (CC_HQ, seen(sdp).1));
            assert_eq!(read(&back), ("country=US,A1=TEX".to_owned(), sdp.to_owned()), "{}", back.text());
        }
    }
    let mut node = Node::hq();
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let sent = node.hear(CC_HQ, &call.caller.request("UPDATE")).the("UPDATE");
    let back = node.hear(GW_HQ, told_so(&sent, 200, "")).the("200");
    assert!(back.to == CC_HQ && is_bare(&back) && back.body().is_empty(), "{}", back.text());
    // A trunk is told (R-9), and its answer's description is under the region.
    let mut node = Node::br();
    let sent = node.hear(HQ, &from_hq("02079460000").body(&audio("18"))).the("INVITE");
    let back = node.hear(GW_BR_1, told_so(&sent, 200, &audio("18"))).the("200");
    assert_eq!((back.to, read(&back)), (HQ, ("country=US,A1=TEX".to_owned(), audio("18"))));
}

#[test]
fn g17_a_location_out_of_form_inside_a_call_or_in_a_response_is_passed_on_or_taken_off_and_refuses_nothing() {
    let bad = "--b\r\nContent-Type: application/pidf+xml\r\nContent-ID: p@h\r\n\r\n<!DOCTYPE x><presence\r\n--b--\r\n";
    for (told, is_kept) in [(false, false), (true, true)] {
        let changes = if told { vec![GATEWAY_TOLD, CALL_CONTROL_TOLD] } else { Vec::new() };
        let mut node = Node::hq_with(&changes);
        let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
        let mut update =
            call.caller.request("UPDATE").header("Geolocation: <cid:p@h>").header("Geolocation-Routing: yes");
        (update.content_type, update.body) = ("multipart/mixed;boundary=b".to_owned(), bad.to_owned());
        let sent = node.hear(CC_HQ, &update).the("UPDATE");
        assert_eq!((sent.to, sent.has("DOCTYPE"), is_bare(&sent)), (GW_HQ, is_kept, !is_kept), "{}", sent.text());
        let response = answer(&sent, 200, "b1", &["Geolocation: <cid:p@h>"], bad).replacen(
            "Content-Type: application/sdp",
            "Content-Type: multipart/mixed;boundary=b",
            1,
        );
        let back = node.hear(GW_HQ, response).the("200");
        assert_eq!((back.to, back.has("DOCTYPE"), is_bare(&back)), (CC_HQ, is_kept, !is_kept), "{}", back.text());
    }
}

#[test]
fn g_17_a_hop_that_refuses_our_location_is_tried_again_without_it() {
    for (called, statuses) in [("901614960000", &[415, 424][..]), ("9999", &[415, 424, 400, 406, 413, 513])] {
        for status in statuses {
            let mut node = Node::hq();
            let invite = alice(called).body(&audio("18 101"));
            let sent = node.hear(CC_HQ, &invite).the("INVITE");
            assert_eq!((sent.to, read(&sent).0.as_str()), (BR, LONDON));
            let out = node.hear(BR, answer(&sent, *status, "x", &[], ""));
            assert_eq!(out.told(), ["ACK to br", "INVITE to br"], "{called} {status}");
            let again = out.the("INVITE");
            assert!(is_bare(&again) && again.body() == audio("18 101"), "{}", again.text());
            assert_eq!(again.header("Content-Type"), "application/sdp");
            for name in ["Call-ID", "From", "CSeq", "Call-Info", "Priority"] {
                assert_eq!(again.headers(name), sent.headers(name), "{name}");
            }
            assert_eq!(node.hear(BR, answer(&again, 200, "y", &[], &audio("18"))).the("200").to, CC_HQ);
            assert_eq!(node.ended(), [], "it stands");
        }
    }
    // Once: what the hop says then is its answer.
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
    let again = node.hear(BR, answer(&sent, 415, "x", &[], "")).the("INVITE");
    let out = node.hear(BR, answer(&again, 415, "y", &["Accept: text/plain"], ""));
    assert_eq!((out.the("415").to, out.the("415").header("Accept").as_str()), (CC_HQ, "text/plain"));
    // A failure that has nothing to do with it goes by P-8, and an ordinary call's 400 is its answer.
    for status in [400, 486] {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
        assert_eq!(node.hear(BR, answer(&sent, status, "x", &[], "")).the(&status.to_string()).to, CC_HQ);
    }
    // Where none of ours was sent, nothing is tried again.
    let mut node = Node::hq_with(&[(TRUNK, TOLD_NOTHING)]);
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
    assert_eq!(node.hear(BR, answer(&sent, 415, "x", &[], "")).the("415").to, CC_HQ);
}

#[test]
fn g_17_and_p_8_an_emergency_call_whose_location_is_refused_twice_goes_on_and_the_next_hop_is_told_again() {
    let two = [("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"udp:127.0.2.1:5060\", \"udp:127.0.2.9:5060\"]")];
    let other: SocketAddr = "127.0.2.9:5060".parse().expect("an address");
    let mut node = Node::hq_with(&two);
    let sent = node.hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
    let (first, second) = if sent.to == BR { (BR, other) } else { (other, BR) };
    let again = node.hear(first, answer(&sent, 415, "x", &[], "")).the("INVITE");
    assert_eq!((again.to, is_bare(&again)), (first, true));
    let next = node.hear(first, answer(&again, 415, "x", &[], "")).the("INVITE");
    assert_eq!((next.to, read(&next).0.as_str()), (second, LONDON));
    // A caller who gives up is not called for once more.
    let mut node = Node::hq();
    let invite = alice("9999").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(BR, says(&sent, 180));
    node.hear(CC_HQ, &invite.cancel());
    let out = node.hear(BR, answer(&sent, 415, "b1", &[], ""));
    assert!(out.told().iter().all(|told| !told.starts_with("INVITE")), "{:?}", out.told());
}

#[test]
fn g_17_and_p_23_an_emergency_that_hears_nothing_from_its_last_hop_is_sent_there_once_more_without_a_location() {
    let alone = [("last_resort = [\"gw-hq\"]", "")];
    let invites = |out: &crate::node::Out| -> Vec<(SocketAddr, bool)> {
        let sent = out.0.iter().filter(|sent| sent.what() == "INVITE");
        sent.map(|sent| (sent.to, is_bare(sent))).collect()
    };
    let mut node = Node::hq_with(&alone);
    assert_eq!(invites(&node.hear(CC_HQ, &alice("9999").body(&audio("18")))), [(BR, false)]);
    let out = node.wait(4_100);
    assert_eq!(invites(&out).last(), Some(&(BR, true)), "{:?}", out.told());
    let again = out.0.iter().rfind(|sent| sent.what() == "INVITE").expect("it is there").clone();
    assert_eq!(node.hear(BR, answer(&again, 200, "y", &[], &audio("18"))).the("200").to, CC_HQ);
    assert_eq!(node.ended(), [], "it stands");
    // Silent twice, it fails; an ordinary call, or one with a hop left, is not tried twice.
    let mut node = Node::hq_with(&alone);
    node.hear(CC_HQ, &alice("9999").body(&audio("18")));
    node.wait(4_100);
    let out = node.wait(33_000);
    assert!(
        out.0.iter().any(|sent| sent.to == CC_HQ && sent.what().parse::<u16>().is_ok_and(|status| status > 399)),
        "{:?}",
        out.told()
    );
    for (called, changes) in [("901614960000", &alone[..]), ("9999", &[])] {
        let mut node = Node::hq_with(changes);
        node.hear(CC_HQ, &alice(called).body(&audio("18")));
        let out = node.wait(4_100);
        assert!(!invites(&out).contains(&(BR, true)), "{called}: {:?}", out.told());
    }
}
