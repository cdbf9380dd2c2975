//! What the RFCs beside RFC 3261 ask of a node in the middle, one test a section, against the running program.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use crate::calls::alice;
use crate::network::{Network, with};
use crate::node::{LINK, Node};
use crate::script::{Body, Script};
use crate::tool::{Ended, Plan, Traced};

/// A number that leaves by the home cluster's gateway.
const OUT: &str = "sip:912125551234@[remote_ip]:[remote_port]";

/// The home cluster's node with lines added to its `[sip]` table.
fn hq_with(network: &Network, lines: &str) -> Node {
    Node::start(network, "hq.toml", &with(&network.pair("hq.toml"), "[sip]\n", &format!("[sip]\n{lines}")))
}

/// One call from call control to the home gateway, both by script; what each side saw.
fn play(network: &Network, caller: &Script, gateway: &Script) -> (Ended, Ended) {
    let gateway = Plan::plays(network, "called", network.sip(1, 20), gateway).start();
    let caller = Plan::calls(network, "calls", network.sip(1, 10), network.sip(1, 1), caller).done();
    (caller, gateway.done())
}

/// A call that is refused before anybody rings; the refusal.
fn refused(network: &Network, status: u16, uri: &str, headers: &str) -> String {
    let script = Script::new().invite(uri, headers).may_hear(100).expect(status).ack_failure(uri);
    let caller = Plan::calls(network, "refused", network.sip(1, 10), network.sip(1, 1), &script).done();
    caller.received(&format!("SIP/2.0 {status}")).text.clone()
}

#[test]
fn rfc_4028_8_1_too_brief_a_session_is_422_with_min_se_and_none_is_given_one() {
    let network = Network::claim("session_asked");
    let hq = hq_with(&network, "min_se_s = 120\nsession_expires_s = 900\n");
    let refusal = refused(&network, 422, OUT, "Session-Expires: 100\nSupported: timer\n");
    assert!(refusal.contains("\r\nMin-SE: 120\r\n"), "{refusal}");
    let (_, gateway) = play(&network, &Script::calling(OUT, ""), &Script::answering(""));
    assert_eq!(gateway.received("INVITE").value("Session-Expires"), "900");
    hq.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_4028_8_2_the_caller_is_told_to_refresh_where_the_callee_knows_no_timers() {
    let network = Network::claim("session_told");
    let hq = Node::hq(&network);
    let asks = Script::calling(OUT, "Supported: timer\nSession-Expires: 600\n");
    let (caller, _) = play(&network, &asks, &Script::answering(""));
    let answer = caller.received("SIP/2.0 200");
    assert_eq!((answer.value("Session-Expires"), answer.value("Require")), ("600;refresher=uac", "timer"));
    let (caller, _) = play(&network, &asks, &Script::answering("Session-Expires: 300;refresher=uas\n"));
    assert_eq!(caller.received("SIP/2.0 200").value("Session-Expires"), "300;refresher=uas");
    hq.is_idle_after(2, 0, 0);
}

#[test]
fn rfc_4028_8_3_and_rfc_3326_a_session_nobody_refreshes_is_ended_towards_both_sides() {
    let network = Network::claim("session_over");
    let hq = hq_with(&network, "min_se_s = 1\n");
    let mark = crate::tool::ALICE_PHONE;
    let caller = Script::new().invite(OUT, mark).may_hear(100).may_hear(180).expect(200).ack(Body::None);
    // One refresh, and then none.
    let caller = caller.pause(1_200).request("UPDATE", "Session-Expires: 2;refresher=uac\n", Body::None).expect(200);
    let caller = caller.awaits("BYE").agrees("", Body::None);
    let gateway = Script::new().awaits("INVITE").reply(180, "", Body::None).pause(50);
    let gateway = gateway.answers(200, "Session-Expires: 2;refresher=uac\n", Body::Sdp).awaits("ACK").awaits("UPDATE");
    let gateway = gateway.agrees("Session-Expires: 2;refresher=uac\n", Body::None).awaits("BYE").agrees("", Body::None);
    let gateway = Plan::plays(&network, "called", network.sip(1, 20), &gateway).start();
    let caller = Plan::calls(&network, "calls", network.sip(1, 10), network.sip(1, 1), &caller).start();
    hq.shows_such(LINK, &[], "something", |booked| booked > 0);
    let (caller, gateway) = (caller.done(), gateway.done());
    for bye in [caller.received("BYE"), gateway.received("BYE")] {
        assert_eq!(bye.value("Reason"), "SIP;cause=408;text=\"Session expired\"");
        assert_eq!(bye.values("Via").len(), 1, "it is the node's own");
    }
    assert!(caller.waited_ms("BYE") > 2_800, "the refresh moved the end");
    hq.is_idle_after(1, 0, 0);
    assert!(hq.log_line("call ended").contains("expired"), "{}", hq.log());
}

#[test]
fn rfc_3261_16_3_rfc_5393_5_3_3_and_rfc_4412_3_1_what_is_refused_before_it_is_forwarded_and_what_is_not() {
    let network = Network::claim("asked_of_us");
    let hq = Node::hq(&network);
    for (status, headers) in [(440, "Max-Breadth: 0\n"), (420, "Proxy-Require: x-one, x-two\n")] {
        let refusal = refused(&network, status, OUT, headers);
        assert_eq!(refusal.matches("\r\nUnsupported: x-").count(), if status == 420 { 2 } else { 0 }, "{refusal}");
    }
    let passes = "Max-Breadth: 5\nRequire: x-three\nResource-Priority: wps.3, x-own.1\n";
    let (_, gateway) = play(&network, &Script::calling(OUT, passes), &Script::answering(""));
    let invite = gateway.received("INVITE");
    assert_eq!((invite.value("Max-Breadth"), invite.value("Require")), ("5", "x-three"));
    assert_eq!(invite.value("Resource-Priority"), "wps.3, x-own.1");
    hq.is_idle_after(1, 0, 0);
}

/// A socket of a neighbour that is not SIPp: what SIPp cannot be, a proxy without a thought of its own.
fn neighbour(network: &Network, site: u8, host: u8) -> UdpSocket {
    let socket = UdpSocket::bind(network.sip(site, host)).unwrap();
    socket.connect(network.sip(site, 1)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

/// The next message whose first line begins so.
fn hears(socket: &UdpSocket, start: &str) -> Traced {
    for _ in 0..50 {
        let mut buffer = [0; 4_000];
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no {start}: {error}"));
        let heard = Traced::read(&buffer[..length]);
        if heard.text.starts_with(start) {
            return heard;
        }
    }
    panic!("no {start} among fifty messages")
}

/// An INVITE of call control for a number that leads back to call control.
fn to_itself(network: &Network, branch: &str) -> String {
    let local = network.sip(1, 10);
    format!(
        "INVITE sip:5002@{} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:5002@{local}>;tag=1\r\nTo: <sip:5002@h>\r\nCall-ID: {branch}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:5002@{local}>\r\nContent-Length: 0\r\n\r\n",
        network.sip(1, 1)
    )
}

#[test]
fn rfc_3325_5_and_7_identities_pass_within_the_trust_domain_and_come_off_where_it_ends() {
    let asserted = "P-Asserted-Identity: <sip:5002@h>\nP-Preferred-Identity: <sip:boss@h>\n";
    let network = Network::claim("identity");
    let inside = Node::hq(&network);
    let (_, gateway) = play(&network, &Script::calling(OUT, asserted), &Script::answering(""));
    let invite = gateway.received("INVITE");
    assert_eq!((invite.value("P-Asserted-Identity"), invite.values("P-Preferred-Identity").len()), ("<sip:5002@h>", 0));
    drop(inside);
    let text = with(&network.pair("hq.toml"), "name = \"gw-hq\"\n", "name = \"gw-hq\"\ntrust_identity = false\n");
    let outside = Node::start(&network, "hq.toml", &text);
    for (privacy, kept) in [("Privacy: id\n", 0), ("", 0), ("Privacy: none\n", 1)] {
        let caller = Script::calling(OUT, &format!("{asserted}{privacy}"));
        let connected = "P-Asserted-Identity: <sip:1@h>\n";
        let (caller, gateway) = play(&network, &caller, &Script::answering(connected));
        assert_eq!(gateway.received("INVITE").values("P-Asserted-Identity").len(), kept, "{privacy}");
        assert!(caller.received("SIP/2.0 200").values("P-Asserted-Identity").is_empty(), "it is not believed");
    }
    outside.is_idle_after(3, 0, 0);
}

#[test]
fn rfc_6442_4_1_a_location_reaches_the_gateway_that_is_told_locations_and_no_other() {
    let network = Network::claim("location");
    let body = "--b1\nContent-Type: application/pidf+xml\nContent-ID: <p@h>\n\n<presence/>\n--b1\n\
        Content-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n\
        m=audio 40000 RTP/AVP 18\n--b1--\n";
    let caller = Script::new().invite_with(
        "sip:9911@[remote_ip]",
        "Geolocation: <cid:p@h>\n",
        "multipart/mixed;boundary=b1",
        body,
    );
    let caller = caller.may_hear(100).may_hear(180).expect(200).ack(Body::None).pause(50).bye();
    let plain = Node::hq(&network);
    let (_, gateway) = play(&network, &caller, &Script::answering(""));
    let invite = gateway.received("INVITE sip:911@");
    assert_eq!(invite.value("Content-Type"), "application/sdp");
    assert!(!invite.text.contains("presence") && invite.values("Geolocation").is_empty(), "{}", invite.text);
    assert_eq!(invite.formats(), "18");
    drop(plain);
    let text = with(&network.pair("hq.toml"), "name = \"gw-hq\"\n", "name = \"gw-hq\"\nsend_geolocation = true\n");
    let told = Node::start(&network, "hq.toml", &text);
    let (_, gateway) = play(&network, &caller, &Script::answering(""));
    let invite = gateway.received("INVITE sip:911@");
    assert!(invite.text.contains("<presence/>") && invite.value("Geolocation") == "<cid:p@h>", "{}", invite.text);
    told.is_idle_after(1, 0, 0);
}

/// The target of the INVITE that the home gateway gets for a call to `uri`.
fn target_of(network: &Network, uri: &str) -> String {
    let (_, gateway) = play(network, &Script::calling(uri, ""), &Script::answering(""));
    gateway.received("INVITE").text.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn rfc_3966_5_1_and_rfc_5031_4_2_tel_uris_and_service_urns_reach_the_gateway() {
    let network = Network::claim("tel");
    let hq = Node::hq(&network);
    let gateway = network.sip(1, 20);
    for (uri, leaves) in [
        ("tel:9-1(212)555-1234;isub=12", format!("sip:12125551234;isub=12@{gateway};user=phone")),
        ("tel:912125551234;phone-context=example.com", format!("sip:12125551234@{gateway};user=phone")),
        // No number is configured for it: it leaves as it came (P-23).
        ("urn:service:sos.fire", "urn:service:sos.fire".to_owned()),
        ("urn:service:sos", "urn:service:sos".to_owned()),
    ] {
        assert_eq!(target_of(&network, uri), leaves, "{uri}");
    }
    hq.shows("emcc_emergency_calls_total", &[], 2);
    hq.is_idle_after(4, 0, 0);
}

#[test]
fn p_23_a_service_urn_leaves_as_the_first_of_the_emergency_numbers() {
    let network = Network::claim("urn");
    let listed = "last_resort = [\"gw-hq\"]\nnumbers = [\"112\", \"999\"]";
    let text = with(&network.pair("hq.toml"), "last_resort = [\"gw-hq\"]", listed);
    let hq = Node::start(&network, "hq.toml", &text);
    let leaves = format!("sip:112@{}", network.sip(1, 20));
    for uri in ["urn:service:sos", "urn:service:sos.fire", "URN:service:SOS.police"] {
        assert_eq!(target_of(&network, uri), leaves, "{uri}");
    }
    hq.shows("emcc_emergency_calls_total", &[], 3);
    hq.is_idle_after(3, 0, 0);
}

#[test]
fn rfc_3262_5_an_offer_in_a_reliable_response_is_answered_in_prack_and_the_next_prack_may_offer() {
    let network = Network::claim("prack_offers");
    let hq = Node::hq(&network);
    let invite = Script::new().invite_with(OUT, "Supported: 100rel\n", "", "");
    let caller = invite.may_hear(100).expect(183).request("PRACK", "RAck: 7 1 INVITE\n", Body::Sdp).expect(200);
    let caller = caller.expect(183).request("PRACK", "RAck: 8 1 INVITE\n", Body::Sdp).expect(200);
    let caller = caller.request("BYE", "", Body::None).expect(200).expect(487).ack_failure(OUT);
    let gateway = Script::new().awaits("INVITE").keeps().reply(183, "Require: 100rel\nRSeq: 7\n", Body::Sdp);
    let gateway = gateway.awaits("PRACK").agrees("", Body::None).pause(50);
    let gateway = gateway.kept(183, "Require: 100rel\nRSeq: 8\n", Body::None).awaits("PRACK").agrees("", Body::Sdp);
    let gateway = gateway.awaits("BYE").agrees("", Body::None).pause(50).kept(487, "", Body::None).awaits("ACK");
    let (caller, gateway) = play(&network, &caller, &gateway);
    let pracks = gateway.all_received("PRACK");
    assert_eq!((pracks[0].value("RAck"), pracks[1].value("RAck")), ("7 1 INVITE", "8 1 INVITE"));
    assert!(pracks.iter().all(|prack| prack.formats() == "18 101"));
    assert_eq!(caller.all_received("SIP/2.0 183").len(), 2);
    hq.shows("emcc_calls", &[], 0);
}

#[test]
fn rfc_3262_4_and_rfc_3311_5_1_the_called_partys_update_before_the_prack_and_a_prack_after_the_answer_pass() {
    let network = Network::claim("prack_orders");
    let hq = Node::hq(&network);
    let reliably = "Require: 100rel\nRSeq: 7\n";
    let invite = Script::new().invite(OUT, "Supported: 100rel\n").may_hear(100).expect(183);
    // The called party's UPDATE first, then PRACK, the caller's UPDATE with an offer, the answer.
    let caller = invite.clone().awaits("UPDATE").agrees("", Body::None);
    let caller = caller.request("PRACK", "RAck: 7 1 INVITE\n", Body::None).expect(200);
    let caller = caller.request("UPDATE", "", Body::Sdp).expect(200).expect(200).ack(Body::None).pause(50).bye();
    let gateway = Script::new().awaits("INVITE").keeps_caller().reply(183, reliably, Body::Sdp).pause(50);
    let gateway = gateway.asks_back("UPDATE", "").expect(200).awaits("PRACK").agrees("", Body::None);
    let gateway = gateway.awaits("UPDATE").agrees("", Body::Sdp).pause(50).kept(200, "", Body::None);
    let gateway = gateway.awaits("ACK").awaits("BYE").agrees("", Body::None);
    let (caller, gateway) = play(&network, &caller, &gateway);
    let update = caller.received("UPDATE sip:5002@");
    assert_eq!((update.values("Via").len(), update.values("Route").len()), (2, 0), "{}", update.text);
    assert_eq!(gateway.received("PRACK sip:gateway@").value("RAck"), "7 1 INVITE");
    assert_eq!(gateway.received("UPDATE sip:gateway@").formats(), "18 101");
    // The answer overtakes the PRACK, as it may where the 183 described nothing.
    let caller = invite.expect(200).ack(Body::None).pause(50);
    let caller = caller.request("PRACK", "RAck: 7 1 INVITE\n", Body::None).expect(200).bye();
    let gateway = Script::new().awaits("INVITE").keeps().reply(183, reliably, Body::None).pause(50);
    let gateway = gateway.kept(200, "", Body::Sdp).awaits("ACK").awaits("PRACK").agrees("", Body::None);
    let (_, gateway) = play(&network, &caller, &gateway.awaits("BYE").agrees("", Body::None));
    assert_eq!(gateway.received("PRACK sip:gateway@").value("RAck"), "7 1 INVITE");
    hq.is_idle_after(2, 0, 0);
}

#[test]
fn rfc_3311_5_2_an_update_that_meets_another_is_491_and_the_call_goes_on() {
    let network = Network::claim("update_491");
    let hq = Node::hq(&network);
    let caller = Script::new().invite(OUT, "").may_hear(100).may_hear(180).expect(200).ack(Body::None);
    let caller = caller.request("UPDATE", "", Body::Sdp).expect(491).request("UPDATE", "", Body::Sdp).expect(200).bye();
    let gateway = Script::new().awaits("INVITE").answers(200, "", Body::Sdp).awaits("ACK").awaits("UPDATE");
    let gateway = gateway.within(491).awaits("UPDATE").agrees("", Body::Sdp).awaits("BYE").agrees("", Body::None);
    play(&network, &caller, &gateway);
    hq.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_3581_4_responses_carry_rport_and_received_back_to_the_port_they_came_from() {
    let network = Network::claim("rport");
    let hq = Node::hq(&network);
    let (caller, gateway) = play(&network, &Script::calling(OUT, ""), &Script::answering(""));
    for heard in caller.trace.iter().filter(|message| !message.is_sent) {
        // The 100 is in compact form: nobody was heard at the caller's address before.
        let vias = [heard.values("Via"), heard.values("v")].concat();
        assert!(vias[0].contains(";rport=5060"), "{}", heard.text);
    }
    assert!(gateway.received("INVITE").values("Via")[1].contains(";rport=5060"));
    // A Via that names another place: the address is filled in, and the response comes here.
    let socket = neighbour(&network, 1, 10);
    let text = to_itself(&network, "elsewhere").replacen(&network.sip(1, 10).to_string(), "192.0.2.1:5099;rport", 1);
    socket.send(text.as_bytes()).unwrap();
    let via = hears(&socket, "SIP/2.0 100").value("Via").to_owned();
    assert!(via.contains("rport=5060") && via.contains(&format!("received={}", network.host(1, 10))), "{via}");
    drop(hq);
}

#[test]
fn rfc_5626_4_4_1_a_ping_on_a_stream_gets_its_pong_and_in_a_datagram_nothing() {
    let network = Network::claim("ping");
    let peer = network.sip(1, 10);
    let hq = Node::start(
        &network,
        "hq.toml",
        &with(&network.pair("hq.toml"), &format!("udp:{peer}"), &format!("tcp:{peer}")),
    );
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from((network.host(1, 10), 0)).into()).unwrap();
    socket.connect(&network.sip(1, 1).into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for _ in 0..3 {
        stream.write_all(b"\r\n\r\n").unwrap();
        let mut pong = [0; 2];
        stream.read_exact(&mut pong).unwrap();
        assert_eq!(&pong, b"\r\n");
    }
    let gateway = neighbour(&network, 1, 20);
    gateway.send(b"\r\n\r\n").unwrap();
    gateway.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(gateway.recv(&mut [0; 100]).is_err(), "a datagram's ping is not answered");
    drop(hq);
}

#[test]
fn rfc_3261_18_2_2_an_answer_whose_connection_is_gone_goes_to_where_its_caller_listens() {
    let network = Network::claim("anew");
    let (peer, node) = (network.sip(1, 10), network.sip(1, 1));
    let text = with(&network.pair("hq.toml"), &format!("udp:{peer}"), &format!("tcp:{peer}"));
    let hq = Node::start(&network, "hq.toml", &text);
    let listens = TcpListener::bind(peer).unwrap();
    let gateway = neighbour(&network, 1, 20);
    gateway.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from((network.host(1, 10), 0)).into()).unwrap();
    socket.connect(&node.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    let invite = format!(
        "INVITE sip:912025550123@{node} SIP/2.0\r\nVia: SIP/2.0/TCP {peer};branch=z9hG4bK-anew\r\nMax-Forwards: 70\r\n\
         From: <sip:5002@{peer}>;tag=1\r\nTo: <sip:912025550123@{node}>\r\nCall-ID: anew\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:5002@{peer};transport=tcp>\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(invite.as_bytes()).unwrap();
    let mut buffer = [0; 4_000];
    let length = gateway.recv(&mut buffer).unwrap();
    let sent = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(sent.starts_with("INVITE "), "{sent}");
    drop(stream);
    hq.shows("emcc_stream_events_total", &["event=\"closed\""], 1);
    let copied = ["Via: ", "Record-Route: ", "From: ", "Call-ID: ", "CSeq: "];
    let copied = sent.lines().filter(|line| copied.iter().any(|name| line.starts_with(name)));
    let copied: String = copied.map(|line| format!("{line}\r\n")).collect();
    let to = sent.lines().find(|line| line.starts_with("To: ")).unwrap();
    let contact = format!("Contact: <sip:gw@{}>", network.sip(1, 20));
    let answer = format!("SIP/2.0 200 OK\r\n{copied}{to};tag=2\r\n{contact}\r\nContent-Length: 0\r\n\r\n");
    gateway.send(answer.as_bytes()).unwrap();
    let (mut anew, _) = listens.accept().unwrap();
    anew.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let length = anew.read(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"SIP/2.0 200 "), "{}", String::from_utf8_lossy(&buffer[..length]));
}

#[test]
fn rfc_6026_7_copies_of_a_2xx_pass_until_the_caller_acknowledges() {
    let network = Network::claim("copies");
    let hq = Node::hq(&network);
    let caller = Script::new().invite(OUT, "").may_hear(100).may_hear(180).expect(200).pause(1_800);
    let (caller, gateway) = play(&network, &caller.ack(Body::None).pause(50).bye(), &Script::answering(""));
    assert!(caller.all_received("SIP/2.0 200").len() >= 3);
    assert_eq!(gateway.all_received("INVITE").len(), 1);
    hq.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_3261_16_4_what_a_strict_router_sends_reaches_the_target_in_its_last_route() {
    let network = Network::claim("strict");
    let hq = Node::hq(&network);
    let caller = Script::new().invite(OUT, "").may_hear(100).may_hear(180).expect(200).ack(Body::None);
    let ours = format!("sip:{};lr", network.sip(1, 1));
    let caller = caller.request_strictly("INFO", &ours).expect(200).pause(50).bye();
    let gateway = Script::new().awaits("INVITE").answers(200, "", Body::Sdp).awaits("ACK").awaits("INFO");
    let gateway = gateway.agrees("", Body::None).awaits("BYE").agrees("", Body::None);
    let (_, gateway) = play(&network, &caller, &gateway);
    let info = gateway.received(&format!("INFO sip:gateway@{} ", network.sip(1, 20)));
    assert!(info.values("Route").is_empty(), "{}", info.text);
    hq.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_3261_16_7_redirections_and_challenges_pass_as_they_came() {
    let network = Network::claim("passes");
    let hq = Node::hq(&network);
    for (status, line) in [
        (302, "Contact: <sip:elsewhere@192.0.2.7>;q=0.5\n"),
        (401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\"\n"),
        (407, "Proxy-Authenticate: Digest realm=\"p\", nonce=\"2\"\n"),
    ] {
        let caller = Script::new().invite(OUT, "").may_hear(100).expect(status).ack_failure(OUT);
        let gateway = Script::new().awaits("INVITE").answers(status, line, Body::None).awaits("ACK");
        let (caller, _) = play(&network, &caller, &gateway);
        let heard = caller.received(&format!("SIP/2.0 {status}"));
        let (name, value) = line.trim_end().split_once(": ").unwrap();
        assert!(heard.values(name).contains(&value), "{}", heard.text);
        assert!(caller.waited_ms("SIP/2.0 100") < 200, "RFC 3261 section 17.2.1");
    }
    hq.is_idle_after(0, 3, 0);
}

#[test]
fn rfc_3261_16_7_step_6_a_503_from_behind_is_500_inside_a_call_and_outside_of_one() {
    let network = Network::claim("not_ours");
    let hq = Node::hq(&network);
    let tired = "Retry-After: 30\n";
    let caller = Script::new().invite(OUT, "").may_hear(100).may_hear(180).expect(200).ack(Body::None).pause(50);
    let caller = caller.request("INFO", "", Body::None).expect(500).request("UPDATE", "", Body::Sdp).expect(500).bye();
    let gateway = Script::new().awaits("INVITE").answers(200, "", Body::Sdp).awaits("ACK");
    let gateway = gateway.awaits("INFO").within(503).awaits("UPDATE").within(503).awaits("BYE").agrees("", Body::None);
    let (caller, gateway) = play(&network, &caller, &gateway);
    assert!(caller.all_received("SIP/2.0 503").is_empty());
    assert_eq!((gateway.all_received("INFO").len(), gateway.all_received("UPDATE").len()), (1, 1));
    let target = format!("sip:x@{}", network.sip(1, 20));
    let gateway = Script::new().awaits("MESSAGE").reply(503, tired, Body::None);
    let (caller, _) = play(&network, &Script::new().asks("MESSAGE", &target, "").expect(500), &gateway);
    assert_eq!(caller.all_received("SIP/2.0 ").len(), 1);
    hq.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_3326_2_a_cancels_reasons_reach_the_far_end_of_the_call_it_gives_up() {
    let network = Network::claim("cancel_reason");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let (uri, elsewhere) =
        ("sip:902079460000@[remote_ip]:[remote_port]", "SIP;cause=200;text=\"Call completed elsewhere\"");
    for reasons in [&[elsewhere, "Q.850;cause=26"][..], &[]] {
        let lines: String = reasons.iter().map(|reason| format!("Reason: {reason}\n")).collect();
        let caller = Script::new().invite(uri, crate::tool::ALICE_PHONE).may_hear(100).expect(180);
        let caller = caller.cancel(uri, &lines).expect(200).expect(487).ack_failure(uri);
        let gateway = Script::new().awaits("INVITE").keeps_as("call", 3).reply(180, "", Body::None);
        let gateway = gateway.awaits("CANCEL").agrees("", Body::None).refuses("call", 3, 487).awaits("ACK");
        let gateway = Plan::plays(&network, "called", network.sip(2, 20), &gateway).start();
        Plan::calls(&network, "calls", network.sip(1, 10), network.sip(1, 1), &caller).done();
        let gateway = gateway.done();
        let told: Vec<_> =
            gateway.received("CANCEL").values("Reason").join(", ").split(", ").map(str::to_owned).collect();
        assert_eq!(told, if reasons.is_empty() { &[""] } else { reasons });
    }
    for node in [&hq, &br] {
        node.is_idle_after(0, 0, 2);
    }
}

#[test]
fn rfc_3261_18_2_2_and_rfc_4475_3_1_1_12_answers_go_where_the_request_came_from_whatever_its_via_names() {
    let network = Network::claim("via_path");
    let hq = Node::hq(&network);
    let own = network.sip(1, 1);
    for via in ["255.255.255.255:5060", "224.0.0.251:5060;maddr=224.0.0.251;ttl=255", &format!("{own}"), "0.0.0.0"] {
        // The node answers one of its own accord, and refuses the other.
        for (uri, status) in [("sip:[remote_ip]:[remote_port]", 200), ("sip:x@203.0.113.9", 404)] {
            let asks = Script::new().asks_by(via, "OPTIONS", uri, "").expect(status);
            Plan::calls(&network, "asks", network.sip(1, 10), own, &asks).done();
        }
    }
    assert_eq!(hq.metric("emcc_sip_send_failures_total", &[]), 0, "nothing was tried elsewhere");
    hq.shows("emcc_sip_messages_received_total", &[], 8);
}

#[test]
fn rfc_3261_16_10_a_cancel_of_nothing_we_know_is_481() {
    let network = Network::claim("stray_cancel");
    let hq = Node::hq(&network);
    let socket = neighbour(&network, 1, 10);
    socket.send(to_itself(&network, "stray").replace("INVITE", "CANCEL").as_bytes()).unwrap();
    hears(&socket, "SIP/2.0 481");
    assert_eq!(hq.metric("emcc_calls", &[]), 0);
    // An emergency call is untouched by all of it.
    drop(socket);
    let gateway = Plan::called(&network, "gateway", network.sip(1, 20)).start();
    alice(&network, "caller", "9911")
        .value("from", "5002")
        .value("headers", "Max-Breadth: 0\nProxy-Require: x\n")
        .done();
    gateway.done().received("INVITE sip:911@");
    hq.is_idle_after(1, 0, 0);
}
