//! A visiting user's phone that registers and calls through its home node (`sip.phones`).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use crate::network::{Network, with};
use crate::node::Node;
use crate::script::Script;
use crate::tool::{Ended, Plan};

/// Longest wait for anything; a test that reaches it fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// The home cluster's node, with a network of phones.
fn hq(network: &Network) -> Node {
    let phones = format!("[sip]\nphones = [\"127.{}.3.0/24\"]\n", network.octet());
    Node::start(network, "hq.toml", &with(&network.pair("hq.toml"), "[sip]\n", &phones))
}

pub(crate) fn phone(network: &Network) -> SocketAddr {
    network.sip(3, 5)
}

/// Alice's phone in London, a scenario of its own at the home node.
pub(crate) fn at_phone(network: &Network, scenario: &'static str, called: &str) -> Plan {
    let plan = Plan::caller(network, scenario, phone(network), network.sip(1, 1), called);
    plan.value("headers", "")
}

/// The phone registers at call control; what the registrar saw.
pub(crate) fn registers(network: &Network, hq: &Node) -> Ended {
    let registrar = Plan::called(network, "registrar", network.sip(1, 10)).start();
    at_phone(network, "phone_registers", "5001").done();
    hq.shows("emcc_registered_phones", &[], 1);
    registrar.done()
}

#[test]
fn rfc_3327_5_2_a_phone_registers_through_the_node_with_the_digest_call_control_asks_for() {
    let network = Network::claim("registers");
    let hq = hq(&network);
    let registrar = Plan::called(&network, "registrar", network.sip(1, 10)).start();
    let registered = at_phone(&network, "phone_registers", "5001").done();
    let registrar = registrar.done();
    let both = registrar.all_received("REGISTER ");
    let target = format!("REGISTER sip:{} SIP/2.0", network.sip(1, 10));
    assert_eq!(both.len(), 2, "without credentials and with them");
    for register in both {
        assert!(register.text.starts_with(&target), "{}", register.text);
        let path = register.value("Path");
        assert!(path.ends_with(&format!("@{};lr>", network.sip(1, 1))), "{path}");
        assert_eq!((register.value("Require"), register.values("Via").len()), ("path", 2));
    }
    let route = format!("<sip:orig@{};lr>", network.sip(1, 10));
    assert_eq!(registered.received("SIP/2.0 200").value("Service-Route"), route, "RFC 3608");
    hq.shows("emcc_registered_phones", &[], 1);
    hq.shows("emcc_registrations_total", &["class=\"4xx\""], 1);
    hq.shows("emcc_registrations_total", &["class=\"2xx\""], 1);
    hq.is_idle_after(0, 0, 0);
}

#[test]
fn rfc_3327_5_2_a_phone_registers_over_tcp() {
    let network = Network::claim("registers_tcp");
    let hq = hq(&network);
    let registrar = Plan::called(&network, "registrar", network.sip(1, 10)).start();
    let registered = at_phone(&network, "phone_registers", "5001").over_tcp().done();
    registered.received("SIP/2.0 200");
    registrar.done();
    hq.shows("emcc_registered_phones", &[], 1);
}

#[test]
fn rfc_3261_18_2_2_an_answer_whose_phones_connection_is_gone_goes_to_where_the_phone_listens() {
    let network = Network::claim("phone_anew");
    let hq = hq(&network);
    let (node, phone) = (network.sip(1, 1), phone(&network));
    let registrar = UdpSocket::bind(network.sip(1, 10)).unwrap();
    registrar.set_read_timeout(Some(PATIENCE)).unwrap();
    let listens = TcpListener::bind(phone).unwrap();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(phone.ip(), 0).into()).unwrap();
    socket.connect(&node.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    let register = format!(
        "REGISTER sip:{node} SIP/2.0\r\nVia: SIP/2.0/TCP {phone};branch=z9hG4bK-anew\r\nMax-Forwards: 70\r\n\
         From: <sip:5001@{node}>;tag=1\r\nTo: <sip:5001@{node}>\r\nCall-ID: anew\r\nCSeq: 1 REGISTER\r\nSupported: path\r\n\
         Contact: <sip:5001@{phone};transport=tcp>\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(register.as_bytes()).unwrap();
    let mut buffer = [0; 4_000];
    let length = registrar.recv(&mut buffer).unwrap();
    let sent = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(sent.starts_with("REGISTER "), "{sent}");
    drop(stream);
    hq.shows("emcc_stream_events_total", &["event=\"closed\""], 1);
    let copied = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: ", "Contact: "];
    let copied = sent.lines().filter(|line| copied.iter().any(|name| line.starts_with(name)));
    let copied: String = copied.map(|line| format!("{line}\r\n")).collect();
    let answer = format!("SIP/2.0 200 OK\r\n{copied}Expires: 60\r\nContent-Length: 0\r\n\r\n");
    registrar.send_to(answer.as_bytes(), node).unwrap();
    let (mut anew, from) = listens.accept().unwrap();
    anew.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = anew.read(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"SIP/2.0 200 "), "{}", String::from_utf8_lossy(&buffer[..length]));
    assert_eq!(from.ip(), node.ip());
    hq.shows("emcc_registered_phones", &[], 1);
}

#[test]
fn r_2_a_registered_phones_call_goes_to_call_control_under_the_region_and_on_the_books() {
    let network = Network::claim("phone_calls");
    let hq = hq(&network);
    registers(&network, &hq);
    let call_control = Plan::called(&network, "gateway", network.sip(1, 10)).start();
    let call = at_phone(&network, "caller", "912025550123").value("hold_ms", "1800").start();
    hq.link_shows_kbps(40);
    hq.link_shows_kbps(24);
    let (call, call_control) = (call.done(), call_control.done());
    let invite = call_control.received(&format!("INVITE sip:912025550123@{} ", network.sip(1, 10)));
    assert_eq!(invite.formats(), "18 101", "M-1");
    assert!(invite.value("Call-Info").starts_with("<urn:emcc:device:SEP001122334455>;purpose=emcc-device;"));
    assert_eq!(invite.value("Record-Route"), format!("<sip:{};lr>", network.sip(1, 1)));
    assert_eq!(call.received("SIP/2.0 200").formats(), "18 101");
    hq.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_3327_5_4_a_call_to_the_phone_comes_along_its_path() {
    let network = Network::claim("phone_rings");
    let hq = hq(&network);
    let registrar = registers(&network, &hq);
    let path = registrar.all_received("REGISTER ").last().unwrap().value("Path").to_owned();
    let ringing = Plan::called(&network, "gateway", phone(&network)).start();
    let target = format!("sip:5001@{};transport=UDP", phone(&network));
    let call = Plan::caller(&network, "caller_along", network.sip(1, 10), network.sip(1, 1), "5001");
    let call = call.value("path", &path).value("target", &target).value("hold_ms", "1800").start();
    hq.link_shows_kbps(40);
    hq.link_shows_kbps(24);
    call.done();
    let ringing = ringing.done();
    let invite = ringing.received(&format!("INVITE {target} "));
    assert_eq!((invite.formats(), invite.values("Route").len()), ("18 101", 0));
    hq.is_idle_after(1, 0, 0);
}

#[test]
fn p_23_a_phone_that_never_registered_calls_for_help_while_call_control_is_down() {
    let network = Network::claim("phone_emergency");
    let hq = hq(&network);
    // SIPp stands where the visited cluster's node would; nobody stands where call control would.
    let trunk = Plan::called(&network, "gateway", network.sip(2, 1)).start();
    at_phone(&network, "caller", "9911").done();
    let trunk = trunk.done();
    let invite = trunk.received(&format!("INVITE sip:911@{} ", network.sip(2, 1)));
    assert_eq!(invite.value("Priority"), "emergency");
    hq.shows("emcc_registered_phones", &[], 0);
    hq.is_idle_after(1, 0, 0);
}

#[test]
fn rfc_3261_10_3_and_rfc_3327_5_2_a_phone_has_four_contacts_and_of_more_the_first_to_expire_goes() {
    let network = Network::claim("contacts");
    let hq = hq(&network);
    // The second of five is the one whose time is over first.
    let granted = [300, 100, 400, 500, 600];
    let contact = |place: u16| format!("<sip:5001@{}:{}>", network.host(3, 5), 6_000 + place);
    let (mut phone, mut registrar) = (Script::new(), Script::new());
    for (place, seconds) in (1..).zip(granted) {
        phone = phone.registers(&contact(place)).expect(200);
        registrar = registrar.awaits("REGISTER").grants(seconds);
    }
    let registrar = Plan::plays(&network, "registrar", network.sip(1, 10), &registrar).start();
    Plan::calls(&network, "registers", self::phone(&network), network.sip(1, 1), &phone).done();
    let registrar = registrar.done();
    hq.shows("emcc_registered_phones", &[], 1);
    let path = registrar.received("REGISTER ").value("Path").to_owned();
    for place in 1..=5 {
        let target = contact(place).trim_matches(['<', '>']).to_owned();
        if place == 2 {
            let route = format!("Route: {path}\n");
            let gone = Script::new().invite(&target, &route).may_hear(100).expect(480).ack_failure(&target);
            Plan::calls(&network, "gone", network.sip(1, 10), network.sip(1, 1), &gone).done();
            continue;
        }
        let rings = Plan::called(&network, "gateway", (network.host(3, 5), 6_000 + place).into()).start();
        let call = Plan::caller(&network, "caller_along", network.sip(1, 10), network.sip(1, 1), "5001");
        call.value("path", &path).value("target", &target).done();
        rings.done().received(&format!("INVITE {target} "));
    }
    // All at once is more than any phone has: nothing goes to call control, and what stands stays.
    let contacts: Vec<_> = (1..=5).map(contact).collect();
    let many = Script::new().registers(&contacts.join(", ")).expect(403);
    let many = Plan::calls(&network, "many", self::phone(&network), network.sip(1, 1), &many).done();
    let refusal = many.received("SIP/2.0 403");
    assert!(refusal.text.contains("more Contacts than a phone may register"), "{}", refusal.text);
    hq.shows("emcc_registered_phones", &[], 1);
    hq.shows("emcc_refusals_total", &[], 2);
    hq.is_idle_after(4, 0, 0);
}
