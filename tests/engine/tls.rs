//! A trunk over TLS: how it is written in headers, and who may come that way.

use emcc_trunk::neighbour::Transport;

use crate::node::{CC_HQ, GW_HQ, HQ, Node};
use crate::wire::{Dialog, Request, alice, answer, assert_refused, audio, bob, says};

/// The listeners of HQ with one of TLS behind the two of the pair, and the files it would show and trust.
const LISTEN: (&str, &str) = (
    "\"tcp:127.0.1.1:5060\"]",
    "\"tcp:127.0.1.1:5060\", \"tls:127.0.1.1:5061\"]\ntls = { certificate = \"c\", key = \"k\", trust = \"t\" }",
);

/// HQ whose trunk to BR is TLS.
fn hq() -> Node {
    Node::hq_with(&[LISTEN, ("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"tls:127.0.2.1:5061\"]")])
}

/// The same with a secure session abroad; call control speaks UDP and may have keys.
pub(crate) fn hq_with_a_secure_session() -> Node {
    let secure = ("device = \"SEP001122334455\"", "device = \"SEP001122334455\"\nsecurity_mode = \"secure\"");
    Node::hq_with(&[LISTEN, ("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"tls:127.0.2.1:5061\"]"), secure])
}

fn br_tls() -> std::net::SocketAddr {
    "127.0.2.1:5061".parse().expect("an address")
}

#[test]
fn a_call_over_a_tls_trunk_names_tls_in_via_route_and_request_uri() {
    let mut node = hq();
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
    assert_eq!((sent.to, sent.over), (br_tls(), Transport::Tls));
    assert!(sent.header("Via").starts_with("SIP/2.0/TLS 127.0.1.1:5061;branch="), "{}", sent.header("Via"));
    assert_eq!(sent.start(), "INVITE sip:01614960000@127.0.2.1:5061;transport=tls SIP/2.0");
}

#[test]
fn rfc_5658_udp_and_tls_get_a_record_route_each_and_the_dialog_goes_both_ways() {
    let mut node = hq();
    let invite = alice("901614960000").body(&audio("18"));
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let ours = ["<sip:127.0.1.1:5061;lr;transport=tls>", "<sip:127.0.1.1:5060;lr>"];
    assert_eq!(sent.headers("Record-Route"), ours);
    let back = node.hear_over_tls(br_tls(), 9, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    assert_eq!((back.to, back.over), (CC_HQ, Transport::Udp));
    let (mut caller, mut callee) = (Dialog::of_caller(&invite, &back), Dialog::of_callee(&sent, "b1"));
    let ack = node.hear(CC_HQ, &caller.request("ACK")).the("ACK");
    assert_eq!((ack.to, ack.over, ack.headers("Route").len()), (br_tls(), Transport::Tls, 0), "both of ours come off");
    let mut up = callee.request("INFO");
    up.transport = "TLS";
    let passed = node.hear_over_tls(br_tls(), 9, &up).the("INFO");
    assert_eq!((passed.to, passed.over), (CC_HQ, Transport::Udp));
    let down = node.hear(CC_HQ, &caller.request("BYE")).the("BYE");
    assert_eq!((down.to, down.over), (br_tls(), Transport::Tls));
    node.hear_over_tls(br_tls(), 9, says(&down, 200)).the("200");
    assert_eq!(node.engine.calls(), 0);
}

#[test]
fn a_neighbour_of_tls_is_a_stranger_over_anything_else() {
    let mut node = hq();
    let mut invite = bob("5002");
    invite.at = br_tls();
    assert!(node.hear(br_tls(), &invite).0.is_empty(), "over UDP nobody is there");
    assert!(node.hear_on_stream(br_tls(), 4, &invite).0.is_empty(), "nor over TCP");
    assert!(!node.hear_over_tls(br_tls(), 4, &invite).0.is_empty());
}

#[test]
fn rfc_3261_26_2_2_a_route_with_sips_or_without_a_port_leads_over_tls_to_5061() {
    for route in ["<sips:127.0.2.1;lr>", "<sip:127.0.2.1;transport=tls;lr>", "<sip:127.0.2.1:5061;lr;transport=TLS>"] {
        let mut node = hq();
        let mut options = bob("x").header(&format!("Route: {route}"));
        "OPTIONS".clone_into(&mut options.method);
        options.uri = "sip:127.0.2.1".to_owned();
        let sent = node.hear(CC_HQ, &options).the("OPTIONS");
        assert_eq!((sent.to, sent.over), (br_tls(), Transport::Tls), "{route}");
    }
}

#[test]
fn rfc_3261_16_6_a_sips_call_between_tls_hops_is_recorded_as_sips_with_its_number() {
    let mut node = Node::hq_with(&[
        LISTEN,
        ("addresses = [\"udp:127.0.1.20:5060\"]", "addresses = [\"tls:127.0.1.20:5060\"]"),
        ("trunk = [\"udp:127.0.2.1:5060\"]", "trunk = [\"tls:127.0.2.1:5061\"]"),
        ("addresses = [\"udp:127.0.1.10:5060\"]", "addresses = [\"tls:127.0.1.10:5060\"]"),
    ]);
    let mut invite = bob("912025550123").body(&audio("0"));
    invite.uri = "sips:912025550123@127.0.1.1:5061".to_owned();
    let sent = node.hear_over_tls(CC_HQ, 3, &invite).the("INVITE");
    assert_eq!((sent.to, sent.over), (GW_HQ, Transport::Tls));
    assert_eq!(sent.start(), "INVITE sips:12025550123@127.0.1.20:5060 SIP/2.0");
    assert_eq!(sent.headers("Record-Route"), ["<sips:127.0.1.1:5061;lr>"]);
}

pub(crate) const KEY: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";

/// Audio of that profile with a key.
pub(crate) fn keyed(protocol: &str, formats: &str) -> String {
    audio(formats).replace("RTP/AVP", protocol) + KEY
}

/// Whether any octet of a key left.
pub(crate) fn shows_key(sent: &crate::node::Sent) -> bool {
    sent.has("crypto") || sent.has("d0RmdmcmVCspeEc3")
}

#[test]
fn s_1_keys_go_over_a_tls_trunk_when_both_its_ends_are_tls_and_the_peer_is_trusted_with_them() {
    let mut node = hq_with_a_secure_session();
    let sdp = keyed("RTP/SAVP", "18");
    let invite = alice("901614960000").body(&sdp);
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!((sent.over, sent.description()), (Transport::Tls, sdp.clone()));
    let back = node.hear_over_tls(br_tls(), 9, answer(&sent, 200, "b1", &[], &sdp)).the("200");
    assert_eq!(back.body(), sdp, "the answer's key goes back the same way");
}

#[test]
fn s_2_s_5_no_key_leaves_over_a_trunk_without_tls() {
    let mut node = Node::hq();
    let best_effort = node.hear(CC_HQ, &alice("901614960000").body(&keyed("RTP/AVP", "18"))).the("INVITE");
    assert!(!shows_key(&best_effort) && best_effort.has("m=audio 40000 RTP/AVP 18"), "{}", best_effort.text());
    let booked = node.booked();
    let out = node.hear(CC_HQ, &alice("901614960000").body(&keyed("RTP/SAVP", "18")));
    assert_refused(&out, 488, "305", "65");
    assert_eq!(node.booked(), booked, "what was refused holds nothing");
    assert!(out.refusal().start().contains("keys"), "{}", out.refusal().start());
    assert!(out.0.iter().all(|sent| sent.what() != "INVITE" && !shows_key(sent)));
    let both = keyed("RTP/SAVP", "18") + "m=audio 40010 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n";
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&both)).the("INVITE");
    assert!(
        !shows_key(&sent) && sent.has("m=audio 0 RTP/SAVP") && sent.has("m=audio 40010 RTP/AVP"),
        "{}",
        sent.text()
    );
    // V-18: the worst case of what was offered is booked, and a second after the answer what was agreed.
    let answered = audio("18").replace("m=audio", "m=audio 0 RTP/SAVP 18\r\nm=audio");
    node.hear(sent.to, answer(&sent, 200, "b2", &[], &answered)).the("200");
    node.wait(1_000);
    let one_stream_of_g729_kbps = [24, 24, 0, 0];
    let want = std::array::from_fn(|book| booked[book] + one_stream_of_g729_kbps[book]);
    assert_eq!(node.booked(), want, "a stream that is off holds nothing");
}

#[test]
fn s_2_a_non_secure_session_gives_no_key_to_a_gateway_over_udp_and_a_local_call_may() {
    let mut node = Node::hq();
    let out = node.hear(CC_HQ, &alice("912025550123").body(&keyed("RTP/SAVP", "18")));
    assert_refused(&out, 488, "305", "65");
    let local = node.hear(CC_HQ, &bob("912025550123").body(&keyed("RTP/SAVP", "0"))).the("INVITE");
    assert!(shows_key(&local), "no session, and the peers are trusted with keys");
}

/// A call from the PSTN to alice, whose phone stands abroad.
fn to_alice(body: &str) -> Request {
    Request::new("INVITE", GW_HQ, HQ, "12025550123", "5001").body(body)
}

#[test]
fn s_2_a_call_to_a_phone_of_a_non_secure_session_shows_no_key_over_udp() {
    let mut node = Node::hq();
    assert_refused(&node.hear(GW_HQ, &to_alice(&keyed("RTP/SAVP", "18"))), 488, "305", "65");
    assert_eq!((node.booked(), node.engine.calls()), ([0; 4], 0));
    let sent = node.hear(GW_HQ, &to_alice(&keyed("RTP/AVP", "18"))).the("INVITE");
    assert!(sent.to == CC_HQ && !shows_key(&sent) && sent.has("m=audio 40000 RTP/AVP 18"), "{}", sent.text());
    assert_eq!(sent.headers("Call-Info").len(), 0, "whose phone is called says nothing of who calls");
    let back = node.hear(CC_HQ, answer(&sent, 200, "b1", &[], &keyed("RTP/AVP", "18"))).the("200");
    assert!(!shows_key(&back), "{}", back.text());
    // Nobody's phone abroad is called, or one of a secure session.
    let to_bob = Request::new("INVITE", GW_HQ, HQ, "12025550123", "5002").body(&keyed("RTP/SAVP", "18"));
    assert!(shows_key(&node.hear(GW_HQ, &to_bob).the("INVITE")));
    let mut node = hq_with_a_secure_session();
    let sent = node.hear(GW_HQ, &to_alice(&keyed("RTP/SAVP", "18"))).the("INVITE");
    assert!(shows_key(&sent), "{}", sent.text());
    let back = node.hear(CC_HQ, answer(&sent, 200, "b1", &[], &keyed("RTP/SAVP", "18"))).the("200");
    assert!(shows_key(&back), "{}", back.text());
}

#[test]
fn s_2_both_phones_of_a_call_count() {
    // Carol's session is secure by her phone and alice's is not, whoever of them calls.
    let carol = "[[user]]\nid = \"carol\"\ndirectory_number = \"5003\"\nline_css = \"CSS-Line\"\nemcc_css = \"CSS-EMCC\"\n\
        emcc_enabled = true\n\n[[emcc_session]]\nuser = \"carol\"\ndevice = \"SEP001122334466\"\n\
        visiting_cluster = \"BR\"\nsecurity_mode = \"secure\"\n\n[[emcc_session]]\nuser = \"alice\"";
    let changes = [("[[emcc_session]]\nuser = \"alice\"", carol)];
    for (caller, device, called) in [("5003", "SEP001122334466", "5001"), ("5001", "SEP001122334455", "5003")] {
        let mut node = Node::hq_with(&changes);
        let invite = Request::new("INVITE", CC_HQ, HQ, caller, called).on(device).body(&keyed("RTP/SAVP", "18"));
        assert_refused(&node.hear(CC_HQ, &invite), 488, "305", "65");
    }
    let mut node = Node::hq_with(&changes);
    let invite = Request::new("INVITE", GW_HQ, HQ, "12025550123", "5003").body(&keyed("RTP/SAVP", "18"));
    assert!(shows_key(&node.hear(GW_HQ, &invite).the("INVITE")), "a secure session alone may");
}

#[test]
fn s_6_an_emergency_call_to_a_phone_of_a_session_is_not_refused_for_its_keys() {
    // A number for help that leads to her.
    let help = "[[translation_pattern]]\npattern = \"777\"\npartition = \"PT-Internal\"\ncss = \"CSS-Phone\"\n\
        called_mask = \"5001\"\nemergency = true\n\n[[directory_number]]\n";
    let mut node = Node::hq_with(&[("[[directory_number]]\n", help)]);
    let sent = node.hear(CC_HQ, &bob("777").body(&keyed("RTP/SAVP", "18"))).the("INVITE");
    assert!(shows_key(&sent), "{}", sent.text());
    assert!(node.alarms().contains(&"SRTP keys of an emergency call leave in the clear"));
    let back = node.hear(sent.to, answer(&sent, 200, "b1", &[], &keyed("RTP/SAVP", "18"))).the("200");
    assert!(shows_key(&back), "{}", back.text());
}

#[test]
fn s_3_a_peer_may_be_trusted_with_keys_over_tls_alone() {
    let gateway = "addresses = [\"udp:127.0.1.20:5060\"]";
    let mut node = Node::hq_with(&[(gateway, "addresses = [\"udp:127.0.1.20:5060\"]\nsrtp_keys = \"tls\"")]);
    assert_refused(&node.hear(CC_HQ, &bob("912025550123").body(&keyed("RTP/SAVP", "0"))), 488, "305", "65");
    let sent = node.hear(CC_HQ, &bob("912025550123").body(&keyed("RTP/AVP", "0"))).the("INVITE");
    assert!(!shows_key(&sent));
    let tls = "addresses = [\"tls:127.0.1.20:5060\"]\nsrtp_keys = \"tls\"";
    let mut node = Node::hq_with(&[LISTEN, (gateway, tls)]);
    assert!(shows_key(&node.hear(CC_HQ, &bob("912025550123").body(&keyed("RTP/SAVP", "0"))).the("INVITE")));
}

#[test]
fn s_4_an_offer_that_came_in_the_clear_over_the_trunk_gets_no_key_back() {
    let mut node = Node::br_with(&[]);
    let out = node.hear(crate::node::HQ, &crate::wire::from_hq("02079460000").body(&keyed("RTP/SAVP", "18")));
    assert_refused(&out, 488, "305", "65");
    let invite = crate::wire::from_hq("02079460000").body(&keyed("RTP/AVP", "18"));
    let sent = node.hear(crate::node::HQ, &invite).the("INVITE");
    assert!(!shows_key(&sent));
    // A gateway that sends a key nobody asked for: it stays here, early and final.
    for status in [183, 200] {
        let back = node.hear(sent.to, answer(&sent, status, "b1", &[], &keyed("RTP/AVP", "18")));
        let back = back.the(&status.to_string());
        assert!(!shows_key(&back) && back.has("m=audio 40000 RTP/AVP 18"), "{}", back.text());
    }
}

#[test]
fn s_5_every_offer_and_answer_of_a_call_that_stands_is_held_to_it() {
    let mut node = Node::hq();
    let mut call = crate::wire::stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
    for method in ["INVITE", "UPDATE", "PRACK"] {
        let with_keys = call.caller.request(method).body(&keyed("RTP/SAVP", "18"));
        let out = node.hear(CC_HQ, &with_keys);
        assert!(out.0.iter().all(|sent| !shows_key(sent)), "{method}");
        assert_eq!(out.refusal().what(), "488", "{method}");
        if method == "INVITE" {
            node.hear(CC_HQ, &with_keys.ack(&out.refusal()));
        }
        let best_effort = call.callee.request(method).body(&keyed("RTP/AVP", "18"));
        let passed = node.hear(call.callee_at, &best_effort).the(method);
        assert!(!shows_key(&passed) && passed.has("m=audio 40000 RTP/AVP 18"), "{method}");
        let answered = node.hear(CC_HQ, answer(&passed, 200, "x", &[], &keyed("RTP/AVP", "18"))).the("200");
        assert!(!shows_key(&answered), "{method}");
    }
    assert_eq!(node.engine.calls(), 1, "the call stands");
}

#[test]
fn s_5_a_bye_with_keys_ends_the_call_without_them_and_an_info_is_refused() {
    let parts = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{0}\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{0}\r\n--b--\r\n",
        keyed("RTP/AVP", "18")
    );
    for (kind, body) in [
        ("application/sdp", keyed("RTP/SAVP", "18")),
        ("application/sdp", keyed("RTP/AVP", "18")),
        ("application/sdp", keyed("RTP/AVP", "0")),
        ("multipart/mixed;boundary=b", parts),
        ("application/sdp", format!("no description\r\n{KEY}")),
    ] {
        for by_caller in [true, false] {
            let mut node = Node::hq();
            let mut call = crate::wire::stand(&mut node, alice("901614960000").body(&audio("18")), &audio("18"));
            let (party, from, to) = match by_caller {
                true => (&mut call.caller, call.caller_at, call.callee_at),
                false => (&mut call.callee, call.callee_at, call.caller_at),
            };
            let info = party.request("INFO").body(&keyed("RTP/SAVP", "18"));
            assert_eq!(node.hear(from, &info).refusal().what(), "488");
            let mut bye = party.request("BYE").body(&body);
            kind.clone_into(&mut bye.content_type);
            let sent = node.hear(from, &bye).the("BYE");
            assert!(sent.to == to && !shows_key(&sent), "{}", sent.text());
            node.hear(to, says(&sent, 200)).the("200");
            assert_eq!((node.booked(), node.engine.calls()), ([0; 4], 0), "{body}");
        }
    }
}

#[test]
fn s_5_a_bye_with_keys_passes_where_nothing_is_known_of_its_call() {
    let mut before = Node::hq();
    let mut call = crate::wire::stand(&mut before, alice("901614960000").body(&audio("18")), &audio("18"));
    let mut node = Node::hq();
    let out = node.hear(CC_HQ, &call.caller.request("INFO").body(&keyed("RTP/SAVP", "18")));
    assert_eq!(out.refusal().what(), "488");
    for body in [keyed("RTP/SAVP", "18"), keyed("RTP/AVP", "18"), keyed("RTP/AVP", "0")] {
        let sent = node.hear(CC_HQ, &call.caller.request("BYE").body(&body)).the("BYE");
        assert!(sent.to == call.callee_at && !shows_key(&sent), "{}", sent.text());
    }
}

#[test]
fn s_5_a_delayed_offer_with_keys_ends_where_it_came() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("901614960000")).the("INVITE");
    let out = node.hear(sent.to, answer(&sent, 200, "b1", &[], &keyed("RTP/SAVP", "18")));
    assert!(out.0.iter().all(|sent| !shows_key(sent)));
    assert_eq!(out.to(CC_HQ).what(), "488");
    assert!(out.told().iter().any(|told| told.starts_with("BYE to")), "who answered is hung up: {:?}", out.told());
}

#[test]
fn s_5_a_key_beside_the_description_does_not_slip_past() {
    let mut node = Node::hq();
    let one = audio("18");
    let body = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{one}\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{}\r\n--b--\r\n",
        keyed("RTP/AVP", "18")
    );
    let mut invite = alice("901614960000").body(&body);
    "multipart/mixed;boundary=b".clone_into(&mut invite.content_type);
    let out = node.hear(CC_HQ, &invite);
    assert_refused(&out, 488, "305", "65");
}

#[test]
fn s_5_a_key_where_no_description_is_looked_for_stays_here_and_a_text_that_looks_like_one_passes() {
    let sdp = keyed("RTP/AVP", "18");
    let inner = format!("--i\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--i--\r\n");
    let within = |boundary: &str, inner: &str, kind: &str| {
        format!("--{boundary}\r\nContent-Type: {kind}\r\n\r\n{inner}\r\n--{boundary}--\r\n")
    };
    let twice = within("b", &inner, "multipart/alternative;boundary=i");
    let mut invite = alice("901614960000").body(&twice);
    "multipart/mixed;boundary=b".clone_into(&mut invite.content_type);
    assert!(!shows_key(&Node::hq().hear(CC_HQ, &invite).the("INVITE")), "a description two deep is read like any");
    // Deeper than anybody looks.
    let thrice = within("c", &twice, "multipart/mixed;boundary=b");
    let nested = within("d", &thrice, "multipart/mixed;boundary=c");
    let fragment = format!("SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n{sdp}");
    // Parts that cannot be told are refused for that; a fragment, which is none, for its keys.
    let unreadable = "399 127.0.1.1:5060";
    for (kind, body, warning) in [
        ("multipart/mixed;boundary=d", &nested, unreadable),
        ("multipart/mixed", &twice, unreadable),
        ("message/sipfrag", &fragment, "305"),
    ] {
        let mut invite = alice("901614960000").body(body);
        kind.clone_into(&mut invite.content_type);
        let out = Node::hq().hear(CC_HQ, &invite);
        assert_refused(&out, 488, warning, "65");
        let mut emergency = alice("9999").body(body);
        kind.clone_into(&mut emergency.content_type);
        Node::hq().hear(CC_HQ, &emergency).the("INVITE");
    }
    let mut node = Node::hq();
    let mut text = bob("912025550123").body("vowels are missing:\r\nk=keep\r\n");
    "MESSAGE".clone_into(&mut text.method);
    "text/plain".clone_into(&mut text.content_type);
    assert!(node.hear(CC_HQ, &text).the("MESSAGE").has("k=keep"));
}

#[test]
fn s_5_a_failure_that_ends_the_hunt_takes_no_key_back() {
    for (status, body) in [(488, keyed("RTP/AVP", "18")), (486, keyed("RTP/SAVP", "18"))] {
        let mut node = Node::hq();
        let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
        let back = node.hear(sent.to, answer(&sent, status, "b1", &[], &body)).the(&status.to_string());
        assert!(!shows_key(&back), "{}", back.text());
        assert_eq!(back.has("m=audio 40000 RTP/AVP 18"), status == 488, "what has no key is said all the same");
    }
    // Between peers that are trusted with keys it passes, as in any other response.
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &bob("912025550123").body(&keyed("RTP/SAVP", "0"))).the("INVITE");
    let back = node.hear(sent.to, answer(&sent, 488, "b1", &[], &keyed("RTP/SAVP", "8"))).the("488");
    assert!(shows_key(&back), "{}", back.text());
}

#[test]
fn s_6_an_emergency_call_is_never_refused_for_its_keys() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, &alice("9999").body(&keyed("RTP/SAVP", "18"))).the("INVITE");
    assert!(shows_key(&sent), "overheard is better than unheard");
    assert_eq!(node.alarms(), ["SRTP keys of an emergency call leave in the clear"]);
    let back = node.hear(sent.to, answer(&sent, 200, "b1", &[], &keyed("RTP/SAVP", "18"))).the("200");
    assert!(shows_key(&back), "the answer belongs to the offer");
    assert_eq!(node.alarms(), ["SRTP keys of an emergency call leave in the clear"], "once for the answer");
    let best_effort = node.hear(CC_HQ, &alice("9999").body(&keyed("RTP/AVP", "18"))).the("INVITE");
    assert!(!shows_key(&best_effort), "where it can go without, it does");
}

#[test]
fn s_7_a_secure_session_needs_tls_on_the_trunk_and_an_emergency_call_does_not() {
    let secure = ("device = \"SEP001122334455\"", "device = \"SEP001122334455\"\nsecurity_mode = \"secure\"");
    let mut node = Node::hq_with(&[secure]);
    assert_refused(&node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))), 403, "", "21");
    assert_eq!(node.booked(), [0; 4]);
    let sent = node.hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
    assert_eq!(sent.to, crate::node::BR);
    // The hop behind the trunk is tried.
    let list = ("members = [\"Standard Local Route Group\"]", "members = [\"Standard Local Route Group\", \"RG-HQ\"]");
    let sent = Node::hq_with(&[secure, list]).hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
    assert_eq!(sent.to, GW_HQ);
    // The other end holds to it as well: its phone is secure, so HQ's call must not come in the clear.
    let secure = ("security_mode = \"non-secure\"", "security_mode = \"secure\"");
    let mut node = Node::br_with(&[secure]);
    assert_refused(&node.hear(crate::node::HQ, &crate::wire::from_hq("02079460000")), 403, "", "21");
    node.hear(crate::node::HQ, &crate::wire::from_hq("999").header("Priority: emergency")).the("INVITE");
}

#[test]
fn s_7_a_trunk_with_a_tls_address_behind_a_plain_one_is_used_over_tls() {
    let secure = ("device = \"SEP001122334455\"", "device = \"SEP001122334455\"\nsecurity_mode = \"secure\"");
    let trunk = "trunk = [\"udp:127.0.2.1:5060\", \"tls:127.0.2.1:5061\"]";
    let mut node = Node::hq_with(&[LISTEN, ("trunk = [\"udp:127.0.2.1:5060\"]", trunk), secure]);
    let sent = node.hear(CC_HQ, &alice("901614960000").body(&audio("18"))).the("INVITE");
    assert_eq!((sent.to, sent.over), (br_tls(), Transport::Tls));
}

#[test]
fn rfc_5630_5_3_a_sips_target_goes_over_tls_or_nowhere_and_an_emergency_call_goes() {
    let call_control = ("addresses = [\"udp:127.0.1.10:5060\"]", "addresses = [\"tls:127.0.1.10:5060\"]");
    let to = |digits: &str| {
        let mut invite = alice(digits).body(&audio("18"));
        invite.uri = format!("sips:{digits}@127.0.1.1:5061");
        invite
    };
    let mut node = Node::hq_with(&[LISTEN, call_control]);
    assert_refused(&node.hear_over_tls(CC_HQ, 3, &to("901614960000")), 480, "380", "20");
    let sent = node.hear_over_tls(CC_HQ, 3, &to("9999")).the("INVITE");
    assert_eq!(sent.over, Transport::Udp);
    assert!(sent.start().starts_with("INVITE sip:999@127.0.2.1:5060 "), "{}", sent.start());
    assert_eq!(sent.headers("Record-Route"), ["<sip:127.0.1.1:5060;lr>", "<sips:127.0.1.1:5061;lr>"]);
    // It did not come over TLS, so the first hop was no secret already.
    let mut plain = Node::hq();
    assert_refused(&plain.hear(CC_HQ, &to("901614960000")), 480, "380", "20");
}

#[test]
fn p_23_a_trunk_that_cannot_be_set_up_is_followed_by_the_next_hop() {
    let mut node = hq();
    let sent = node.hear(CC_HQ, &alice("9999").body(&audio("18"))).the("INVITE");
    assert_eq!(sent.over, Transport::Tls);
    let next = node.fail(&sent).the("INVITE");
    assert_eq!((next.to, next.over), (GW_HQ, Transport::Udp), "the last resort, at once");
}
