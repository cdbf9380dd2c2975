//! What is refused, with which words, and what is not even answered.

use std::net::UdpSocket;
use std::time::Duration;

use crate::calls::alice;
use crate::network::{Network, with};
use crate::node::Node;
use crate::tool::{ALICE_PHONE, Plan};

/// A phone no cluster has.
const NOBODYS_PHONE: &str = "Call-Info: <urn:emcc:device:SEPFFFFFFFFFFFF>;purpose=emcc-device;cluster=HQ\n";

#[test]
fn a_blocked_number_is_403_and_an_unknown_one_404() {
    let network = Network::claim("blocked");
    let hq = Node::hq(&network);
    for (dialed, status, cause) in
        [("91900123", "403", "cause=21;"), ("8123", "404", "cause=1;"), ("9", "484", "cause=28;")]
    {
        let caller = alice(&network, "refused", dialed).value("status", status).done();
        let refusal = caller.received(&format!("SIP/2.0 {status}"));
        let reason = refusal.value("Reason");
        assert!(reason.starts_with("Q.850;") && reason.contains(cause), "{dialed}: {reason}");
    }
    hq.is_idle_after(0, 3, 0);
}

/// An INVITE over the trunk: SIPp stands where the home cluster's node would.
fn from_hq(network: &Network, scenario: &'static str, called: &str, mark: &str) -> Plan {
    Plan::caller(network, scenario, network.sip(1, 1), network.sip(2, 1), called).value("headers", mark)
}

#[test]
fn p_14_the_trunk_is_refused_for_a_phone_this_cluster_does_not_have_or_that_is_not_named() {
    let network = Network::claim("unknown_phone");
    let br = Node::br(&network);
    for mark in [NOBODYS_PHONE, ""] {
        let caller = from_hq(&network, "refused", "02079460000", mark).value("status", "403").done();
        assert!(caller.received("SIP/2.0 403").value("Reason").contains("cause=21;"));
    }
    br.is_idle_after(0, 2, 0);
}

#[test]
fn p_15_an_emergency_over_the_trunk_goes_through_for_an_unknown_phone_with_an_alarm() {
    let network = Network::claim("unknown_emergency");
    let br = Node::br(&network);
    for mark in [NOBODYS_PHONE, ""] {
        // The trunk's own device pool leads to this gateway.
        let gateway = Plan::called(&network, "gateway", network.sip(2, 22)).start();
        from_hq(&network, "caller", "911", mark).done();
        gateway.done().received(&format!("INVITE sip:999@{} ", network.sip(2, 22)));
    }
    br.is_idle_after(2, 0, 0);
    br.shows_such("emcc_alarms_total", &[], "two alarms", |alarms| alarms >= 2);
    assert!(br.log().contains("WARN"), "{}", br.log());
}

#[test]
fn p_14_the_trunk_is_refused_for_a_phone_on_which_nobody_is_logged_in() {
    let network = Network::claim("nobody");
    let text = network.pair("br.toml");
    let (text, _session) = text.split_once("[[emcc_session]]").unwrap();
    let br = Node::start(&network, "br.toml", text);
    let caller = from_hq(&network, "refused", "02079460000", ALICE_PHONE).value("status", "403").done();
    assert!(caller.received("SIP/2.0 403 Forbidden").value("Reason").contains("cause=21;"));
    // Not an emergency: the phone's own pool resolves it (P-15).
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
    from_hq(&network, "caller", "911", ALICE_PHONE).done();
    gateway.done().received("INVITE sip:999@");
    br.is_idle_after(1, 1, 0);
}

#[test]
fn p_12_the_trunk_reaches_no_directory_number() {
    let network = Network::claim("no_gateway");
    let text = with(&network.pair("br.toml"), "pstn_access_css = \"trunk\"", "pstn_access_css = \"original-device\"");
    let br = Node::start(&network, "br.toml", &text);
    from_hq(&network, "refused", "7001", ALICE_PHONE).value("status", "403").done();
    br.is_idle_after(0, 1, 0);
}

#[test]
fn strangers_get_no_answer_and_are_counted() {
    let network = Network::claim("strangers");
    let hq = Node::hq(&network);
    let stranger = UdpSocket::bind(network.sip(9, 9)).unwrap();
    for text in ["OPTIONS", "INVITE", "BYE", "ACK"] {
        let local = network.sip(9, 9);
        let message = request(text, local, &format!("Call-ID: stranger\r\nCSeq: 1 {text}\r\n"));
        stranger.send_to(&message, network.sip(1, 1)).unwrap();
    }
    stranger.send_to(b"no SIP at all", network.sip(1, 1)).unwrap();
    hq.shows("emcc_sip_messages_dropped_total", &["reason=\"stranger\""], 5);
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut [0; 100]).is_err(), "a stranger was answered");
    assert_eq!(hq.metric("emcc_sip_responses_sent_total", &[]), 0);
}

/// A request of a neighbour at `local` with those headers beside the ordinary ones.
fn request(method: &str, local: std::net::SocketAddr, headers: &str) -> Vec<u8> {
    let text = format!(
        "{method} sip:912125551234@127.0.1.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-test-{}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:5001@{local}>;tag=1\r\nTo: <sip:912125551234@127.0.1.1>\r\n\
         Contact: <sip:5001@{local}>\r\n{headers}Content-Length: 0\r\n\r\n",
        headers.len()
    );
    text.into_bytes()
}

#[test]
fn a_malformed_message_is_told_what_is_wrong_with_it_and_harms_nobody() {
    let network = Network::claim("malformed");
    let hq = Node::hq(&network);
    let local = network.sip(1, 10);
    let socket = UdpSocket::bind(local).unwrap();
    socket.connect(network.sip(1, 1)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let whole = request("INVITE", local, "Call-ID: a\r\nCSeq: 1 INVITE\r\n");
    let cut = |at: &str| {
        let text = String::from_utf8(whole.clone()).unwrap();
        text.split(at).next().unwrap().as_bytes().to_vec()
    };
    let another = String::from_utf8(whole.clone()).unwrap().replacen("SIP/2.0", "SIP/3.0", 1);
    let too_long = String::from_utf8(whole.clone()).unwrap().replace("Content-Length: 0", "Content-Length: 500");
    for (what, message, told) in [
        ("no Call-ID", request("INVITE", local, "CSeq: 1 INVITE\r\n"), "400 Missing Call-ID"),
        ("no CSeq", request("INVITE", local, "Call-ID: a\r\n"), "400 Missing CSeq"),
        (
            "another method in CSeq",
            request("INVITE", local, "Call-ID: a\r\nCSeq: 1 BYE\r\n"),
            "400 CSeq method does not match the request",
        ),
        (
            "two Call-IDs",
            request("INVITE", local, "Call-ID: a\r\nCall-ID: b\r\nCSeq: 1 INVITE\r\n"),
            "400 Two Call-ID headers",
        ),
        ("cut in its headers", cut("Content-Length"), "400 No empty line after the headers"),
        ("cut in its body", too_long.into_bytes(), "400 Content-Length larger than the datagram"),
        (
            "a line that is no header",
            request("INVITE", local, "Call-ID: a\r\nCSeq: 1 INVITE\r\nno header\r\n"),
            "400 Malformed header line",
        ),
        ("another version", another.into_bytes(), "505 Version Not Supported"),
    ] {
        socket.send(&message).unwrap();
        let mut buffer = [0; 4_000];
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{what}: {error}"));
        let answer = String::from_utf8_lossy(&buffer[..length]);
        assert!(answer.starts_with(&format!("SIP/2.0 {told}\r\n")), "{what}: {answer}");
    }
    for garbage in [&b"\x00\xff\xfe garbage"[..], b"GET / HTTP/1.1\r\n\r\n", b"SIP/2.0", &[b'A'; 9_000]] {
        socket.send(garbage).unwrap();
    }
    hq.shows("emcc_sip_messages_dropped_total", &["reason=\"not_sip\""], 4);
    drop(socket);
    let gateway = Plan::called(&network, "gateway", network.sip(1, 20)).start();
    alice(&network, "caller", "912125551234").done();
    gateway.done();
    hq.is_idle_after(1, 0, 0);
}
