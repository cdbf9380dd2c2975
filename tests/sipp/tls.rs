//! The trunk over TLS between two real processes; call control and gateways speak UDP to them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::bridge;
use crate::calls::alice;
use crate::dns::Dns;
use crate::ends::{client, server};
use crate::network::{Network, with};
use crate::node::Node;
use crate::pki::{Authority, Pair, write};
use crate::script::{Body, Script};
use crate::tool::{ALICE_PHONE, Ended, Plan};

const STREAMS: &str = "emcc_stream_events_total";

/// The pair's file of one node with a TLS listener and its trunk on TLS. The other node is known by `other`.
fn over_tls(network: &Network, name: &str, pair: &Pair, roots: &str, other: &str) -> String {
    let (here, there) = if name == "hq" { (1, 2) } else { (2, 1) };
    let [certificate, key, trust] = write(network.folder(), name, pair, roots).map(|path| path.display().to_string());
    let (ours, theirs) = (network.host(here, 1), network.host(there, 1));
    let text = network.pair(&format!("{name}.toml"));
    let listen = format!("\"tcp:{ours}:5060\"]");
    let files = format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\", trust = \"{trust}\" }}");
    let text = with(&text, &listen, &format!("\"tcp:{ours}:5060\", \"tls:{ours}:5061\"]\n{files}"));
    let trunk = format!("trunk = [\"udp:{theirs}:5060\"]");
    with(&text, &trunk, &format!("trunk = [\"tls:{theirs}:5061\"]\ntls_name = \"{other}\""))
}

const HQ: &str = "hq.example.com";
const BR: &str = "br.example.com";

/// Both nodes with certificates of one authority, `br` showing the names given.
fn pair(network: &Network, authority: &Authority, br_names: &[&str]) -> (Node, Node) {
    let hq = over_tls(network, "hq", &authority.sign(&[HQ]), &authority.pem, BR);
    let br = over_tls(network, "br", &authority.sign(br_names), &authority.pem, HQ);
    (Node::start(network, "hq.toml", &hq), Node::start(network, "br.toml", &br))
}

#[test]
fn rfc_3261_26_a_call_crosses_a_trunk_of_mutual_tls_end_to_end() {
    let (network, authority) = (Network::claim("tls_call"), Authority::new("root"));
    let (hq, br) = pair(&network, &authority, &[BR]);
    for (at, called) in (1..).zip(["902079460000", "9999"]) {
        let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
        let caller = alice(&network, "caller", called).done();
        let gateway = gateway.done();
        let invite = gateway.received("INVITE sip:");
        let routes = [
            format!("<sip:{};lr>", network.sip(2, 1)),
            format!("<sip:{}:5061;lr;transport=tls>", network.host(2, 1)),
            format!("<sip:{}:5061;lr;transport=tls>", network.host(1, 1)),
            format!("<sip:{};lr>", network.sip(1, 1)),
        ];
        assert_eq!(invite.values("Record-Route"), routes, "each side of each node has its own (RFC 5658)");
        let vias = invite.values("Via");
        assert!(vias[1].starts_with("SIP/2.0/TLS "), "{vias:?}");
        for start in ["ACK sip:gateway@", "BYE sip:gateway@"] {
            assert_eq!(gateway.received(start).values("Via").len(), 3, "{start} comes through both nodes");
        }
        assert_eq!(caller.received("SIP/2.0 200").formats(), "18 101");
        for node in [&hq, &br] {
            node.is_idle_after(at, 0, 0);
        }
    }
    assert_eq!(hq.metric(STREAMS, &["event=\"connected\""]), 1, "both calls on one connection");
    assert!(br.metric("emcc_sip_messages_received_total", &["transport=\"tls\""]) >= 6);
    assert_eq!(br.metric("emcc_sip_messages_received_total", &["transport=\"tcp\""]), 0);
    assert_eq!(br.metric(STREAMS, &["event=\"handshake_failed\""]), 0);
}

const KEY: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

/// A description of the scenarios' over that profile, with a key.
fn keyed(name: &str, profile: &str) -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp/scenarios").join(name);
    with(std::fs::read_to_string(file).unwrap().trim_end(), "RTP/AVP", profile) + "\n" + KEY
}

#[test]
fn s_1_srtp_of_a_secure_session_crosses_the_trunk_whole() {
    let (network, authority) = (Network::claim("tls_srtp"), Authority::new("root"));
    let hq = over_tls(&network, "hq", &authority.sign(&[HQ]), &authority.pem, BR);
    let br = over_tls(&network, "br", &authority.sign(&[BR]), &authority.pem, HQ);
    // Table 6, row 1: both clusters are mixed, and the phone is secure.
    let phone = "device = \"SEP001122334455\"";
    let hq = with(&hq, phone, &format!("{phone}\nsecurity_mode = \"secure\""));
    let br = with(&br, "security_mode = \"non-secure\"", "security_mode = \"secure\"");
    let (hq, br) = (Node::start(&network, "hq.toml", &hq), Node::start(&network, "br.toml", &br));
    let gateway =
        Plan::called(&network, "gateway", network.sip(2, 20)).value("answer", &keyed("answer.sdp", "RTP/SAVP"));
    let gateway = gateway.start();
    let caller = alice(&network, "caller", "902079460000").value("offer", &keyed("offer.sdp", "RTP/SAVP")).done();
    let gateway = gateway.done();
    for (who, described) in [("offer", gateway.received("INVITE sip:")), ("answer", caller.received("SIP/2.0 200"))] {
        assert!(
            described.text.contains("RTP/SAVP 18 101") && described.text.contains(KEY),
            "{who}: {}",
            described.text
        );
    }
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
        assert_eq!(node.metric("emcc_srtp_keys_total", &[]), 0);
    }
}

#[test]
fn s_2_s_5_keys_of_a_session_that_is_not_secure_never_reach_the_trunk() {
    let (network, authority) = (Network::claim("tls_no_keys"), Authority::new("root"));
    let (hq, br) = pair(&network, &authority, &[BR]);
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
    alice(&network, "caller", "902079460000").value("offer", &keyed("offer.sdp", "RTP/AVP")).done();
    let gateway = gateway.done();
    let invite = gateway.received("INVITE sip:");
    assert!(invite.text.contains("RTP/AVP 18 101") && !invite.text.contains("crypto"), "{}", invite.text);
    hq.shows("emcc_srtp_keys_total", &["outcome=\"removed\""], 1);
    let refused = alice(&network, "refused", "902079460000").value("status", "488");
    let refused = refused.value("offer", &keyed("offer.sdp", "RTP/SAVP")).done();
    assert!(refused.received("SIP/2.0 488").value("Warning").starts_with("305 "));
    hq.is_idle_after(1, 1, 0);
    br.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_4568_8_3_and_s_2_no_key_leaves_over_a_trunk_of_udp_in_offer_or_answer() {
    let network = Network::claim("udp_no_keys");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    // The gateway answers with a key although it was offered none.
    let gateway =
        Plan::called(&network, "gateway", network.sip(2, 20)).value("answer", &keyed("answer.sdp", "RTP/AVP"));
    let gateway = gateway.start();
    let caller = alice(&network, "caller", "902079460000").value("offer", &keyed("offer.sdp", "RTP/AVP")).done();
    let gateway = gateway.done();
    for described in [gateway.received("INVITE sip:"), caller.received("SIP/2.0 200")] {
        assert!(described.text.contains("RTP/AVP 18 101"), "{}", described.text);
        assert!(!described.text.contains("crypto") && !described.text.contains("inline:"), "{}", described.text);
    }
    hq.shows("emcc_srtp_keys_total", &["outcome=\"removed\""], 1);
    br.shows("emcc_srtp_keys_total", &["outcome=\"removed\""], 1);
    let refused = alice(&network, "refused", "902079460000").value("status", "488");
    let refused = refused.value("offer", &keyed("offer.sdp", "RTP/SAVP")).done();
    assert!(refused.received("SIP/2.0 488").value("Warning").starts_with("305 "));
    hq.is_idle_after(1, 1, 0);
    br.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_5922_7_3_a_trunk_whose_certificate_names_another_carries_nothing_and_the_call_fails_at_once() {
    let (network, authority) = (Network::claim("tls_name"), Authority::new("root"));
    let (hq, br) = pair(&network, &authority, &["evil.example.com"]);
    let caller = alice(&network, "refused", "902079460000").value("status", "500").done();
    assert_eq!(
        caller.received("SIP/2.0 500").value("Reason"),
        "Q.850;cause=27;text=\"Every next hop failed without an answer\""
    );
    assert!(caller.waited_ms("SIP/2.0 500") < 2_000, "nobody waits for a trunk that cannot be");
    hq.log_line("TLS handshake failed");
    hq.shows_such(STREAMS, &["event=\"connect_failed\""], "at least one", |count| count >= 1);
    assert_eq!(br.metric("emcc_sip_messages_received_total", &["transport=\"tls\""]), 0);
    hq.is_idle_after(0, 1, 0);
}

#[test]
fn rfc_5922_4_a_trunk_given_by_name_must_show_that_name_and_not_what_its_records_lead_to() {
    let (network, authority) = (Network::claim("tls_srv"), Authority::new("root"));
    let dns = Dns::start(SocketAddr::new(network.host(0, 53), 0));
    dns.service("_sips._tcp.br.example.com", 10, 5061, "node.somewhere.example");
    dns.host("node.somewhere.example", network.host(2, 1));
    for (shown, answered) in [(BR, true), ("node.somewhere.example", false)] {
        let hq = over_tls(&network, "hq", &authority.sign(&[HQ]), &authority.pem, BR);
        let hq =
            with(&hq, &format!("\"tls:{}:5061\"]\ntls_name = \"{BR}\"", network.host(2, 1)), "\"tls:br.example.com\"]");
        let hq = with(&hq, "[sip]\n", &format!("[sip]\ndns = [\"{}\"]\n", dns.at));
        let hq = Node::start(&network, "hq.toml", &hq);
        let br = over_tls(&network, "br", &authority.sign(&[shown]), &authority.pem, HQ);
        let br = Node::start(&network, "br.toml", &br);
        hq.shows("emcc_neighbour_addresses", &["neighbour=\"BR\"", "state=\"up\""], 1);
        if answered {
            let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
            alice(&network, "caller", "902079460000").done();
            gateway.done();
            br.is_idle_after(1, 0, 0);
        } else {
            alice(&network, "refused", "902079460000").value("status", "500").done();
            hq.log_line("TLS handshake failed");
            assert_eq!(br.metric("emcc_sip_messages_received_total", &["transport=\"tls\""]), 0);
        }
    }
}

#[test]
fn p_23_an_emergency_call_hunts_on_when_the_trunk_cannot_be_trusted() {
    let (network, authority) = (Network::claim("tls_emergency"), Authority::new("root"));
    let (ended, other) = (authority.sign_ended(&[BR]), Authority::new("somebody else"));
    let stranger = other.sign(&[BR]);
    for (name, shown) in [("ended", &ended), ("stranger", &stranger)] {
        let hq = over_tls(&network, "hq", &authority.sign(&[HQ]), &authority.pem, BR);
        let br = over_tls(&network, "br", shown, &authority.pem, HQ);
        let (hq, br) = (Node::start(&network, "hq.toml", &hq), Node::start(&network, "br.toml", &br));
        if name == "ended" {
            br.log_line("certificate ended");
        }
        let gateway = Plan::called(&network, "gateway", network.sip(1, 20)).start();
        let caller = alice(&network, "caller", "9999").done();
        gateway.done().received("INVITE sip:");
        assert!(caller.waited_ms("SIP/2.0 200") < 3_000, "{name}");
        hq.is_idle_after(1, 0, 0);
    }
}

#[test]
fn a_certificate_is_renewed_by_sighup_and_a_bad_one_changes_nothing() {
    let (network, authority) = (Network::claim("tls_renewal"), Authority::new("root"));
    let (hq, br) = pair(&network, &authority, &[BR]);
    let call = |called: &str| {
        let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
        alice(&network, "caller", called).done();
        gateway.done();
    };
    call("902079460000");
    let expiry = |node: &Node| node.metric("emcc_tls_certificate_expiry_seconds", &[]);
    let before = expiry(&br);
    write(
        network.folder(),
        "br",
        &authority.sign_with(&[BR], |p| p.not_after = rcgen::date_time_ymd(2100, 1, 1)),
        &authority.pem,
    );
    br.signal("HUP");
    br.shows("emcc_config_reloads_total", &["outcome=\"ok\""], 1);
    assert_ne!(expiry(&br), before);
    // The key of another pair: the log says which file does not fit which.
    std::fs::write(network.folder().join("br.key"), authority.sign(&[BR]).key).unwrap();
    br.signal("HUP");
    br.shows("emcc_config_reloads_total", &["outcome=\"failed\""], 1);
    let said = br.log_line("does not belong to the certificate in");
    assert!(said.contains("br.key") && said.contains("br.pem"), "{said}");
    call("902079460001");
    assert_eq!(hq.metric(STREAMS, &["event=\"connected\""]), 1, "the connection of before carried both");
    for node in [&hq, &br] {
        node.is_idle_after(2, 0, 0);
    }
}

#[test]
fn plain_sip_on_the_tls_port_is_closed_unanswered() {
    let (network, authority) = (Network::claim("tls_plain"), Authority::new("root"));
    let hq = over_tls(&network, "hq", &authority.sign(&[HQ]), &authority.pem, BR);
    let hq = Node::start(&network, "hq.toml", &hq);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from((network.host(2, 1), 0)).into()).unwrap();
    socket.connect(&std::net::SocketAddr::from((network.host(1, 1), 5061)).into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
        .write_all(b"OPTIONS sip:hq SIP/2.0\r\nVia: SIP/2.0/TLS x;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"SIP/2.0"), "{answer:?}");
    hq.shows(STREAMS, &["event=\"handshake_failed\""], 1);
}

#[test]
fn rfc_5630_5_3_a_sips_call_goes_from_tls_to_tls_and_nowhere_else_save_for_help() {
    let (network, authority) = (Network::claim("sips"), Authority::new("root"));
    let shows = |host: u8| authority.sign(&[network.host(1, host).to_string().as_str()]);
    let [certificate, key, trust] =
        write(network.folder(), "hq", &shows(1), &authority.pem).map(|path| path.display().to_string());
    let secret = |host: u8| SocketAddr::new(network.host(1, host), 5061);
    let files = format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\", trust = \"{trust}\" }}");
    let text = with(
        &network.pair("hq.toml"),
        "listen = [\"udp:",
        &format!("{files}\nlisten = [\"tls:{}\", \"udp:", secret(1)),
    );
    let text = [10, 20].iter().fold(text, |text, host| {
        with(&text, &format!("\"udp:{}\"", network.sip(1, *host)), &format!("\"tls:{}\"", secret(*host)))
    });
    let hq = Node::start(&network, "hq.toml", &text);
    // SIPp behind a bridge on either side.
    let near = SocketAddr::new(network.host(1, 10), 7_000);
    bridge::dials(client(&authority, Some(&shows(10))), near, secret(1));
    bridge::answers(server(&authority, &shows(20)), secret(20), network.sip(1, 20));
    let calls = |script: Script| -> Ended {
        Plan::calls(&network, "calls", network.sip(1, 10), near, &script.securely()).over_tcp().done()
    };
    let target = |digits: &str| format!("sips:{digits}@{}", secret(1));

    let gateway = Script::answering("").securely();
    let gateway = Plan::plays(&network, "called", network.sip(1, 20), &gateway).over_tcp().start();
    let caller = calls(Script::calling(&target("912125551234"), ""));
    let gateway = gateway.done();
    let invite = gateway.received(&format!("INVITE sips:12125551234@{} ", secret(20)));
    assert_eq!(invite.value("Record-Route"), format!("<sips:{};lr>", secret(1)));
    assert!(invite.values("Via").iter().all(|via| via.starts_with("SIP/2.0/TLS ")), "{}", invite.text);
    assert!(caller.received("SIP/2.0 200").value("Contact").starts_with("<sips:"));
    for start in ["ACK sips:gateway@", "BYE sips:gateway@"] {
        assert_eq!(gateway.received(start).values("Via").len(), 2);
    }
    // The trunk is UDP: nothing of the call leaves.
    let abroad = target("902079460000");
    let abroad = Script::new().invite(&abroad, ALICE_PHONE).may_hear(100).expect(480).ack_failure(&abroad);
    let refusal = calls(abroad).received("SIP/2.0 480").value("Warning").to_owned();
    assert!(refusal.starts_with("380 "), "{refusal}");
    hq.shows("emcc_sip_requests_sent_total", &["method=\"INVITE\""], 1);
    // For help it does (P-23), and is not called secret there.
    let trunk = Plan::plays(&network, "trunk", network.sip(2, 1), &Script::answering("")).start();
    calls(Script::calling(&target("9999"), ALICE_PHONE));
    let trunk = trunk.done();
    let invite = trunk.received(&format!("INVITE sip:999@{} ", network.sip(2, 1)));
    let routes = [format!("<sip:{};lr>", network.sip(1, 1)), format!("<sips:{};lr>", secret(1))];
    assert_eq!(invite.values("Record-Route"), routes);
    hq.is_idle_after(2, 1, 0);
}

#[test]
fn rfc_5630_5_3_a_sips_target_asked_for_without_tls_is_480_and_for_help_it_is_reached() {
    let network = Network::claim("sips_plain");
    let hq = Node::hq(&network);
    let target = "sips:912125551234@[remote_ip]:5061";
    let invite = Script::new().invite(target, "").may_hear(100).expect(480).ack_failure(target);
    let other = Script::new().asks("MESSAGE", target, "").expect(480);
    for (name, script) in [("invites", invite), ("asks", other)] {
        let asked = Plan::calls(&network, name, network.sip(1, 10), network.sip(1, 1), &script).done();
        let warning = asked.received("SIP/2.0 480").value("Warning").to_owned();
        assert!(warning.starts_with("380 "), "{warning}");
    }
    let gateway = Plan::plays(&network, "called", network.sip(1, 20), &Script::answering("")).start();
    let help = Script::new().invite("sips:9911@[remote_ip]:5061", "").may_hear(100).may_hear(180).expect(200);
    let help = help.ack(Body::None).pause(50).bye();
    Plan::calls(&network, "help", network.sip(1, 10), network.sip(1, 1), &help).done();
    let gateway = gateway.done();
    gateway.received(&format!("INVITE sip:911@{} ", network.sip(1, 20)));
    hq.is_idle_after(1, 1, 0);
}
