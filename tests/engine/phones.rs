//! Phones that register and call through their home node (R-2, R-16): REGISTER with Path (RFC 3327), calls of phones and
//! to phones, and one booking however often a call passes.

use std::net::{IpAddr, SocketAddr};

use emcc_policies::moment::Moment;
use emcc_trunk::neighbour::{Flow, Transport};

use crate::node::{BR, CC_HQ, GW_HQ, HQ, Node, Out, Sent};
use crate::tls::{keyed, shows_key};
use crate::wire::{
    Dialog, PHONE, Request, Standing, alice, answer, assert_refused, audio, audio_and_video, bob, hang_up, says,
    serial, without_top_via,
};

const WORST: [u64; 4] = [40, 40, 0, 0];
const ANSWERED: [u64; 4] = [24, 24, 0, 0];
const NOTHING: [u64; 4] = [0; 4];

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Alice's phone in London, reached through the network of phones.
fn phone() -> SocketAddr {
    at("127.0.3.5:5060")
}

/// A second call control.
fn cc_2() -> SocketAddr {
    at("127.0.1.11:5060")
}

const LISTEN: &str = "listen = [\"udp:127.0.1.1:5060\", \"tcp:127.0.1.1:5060\"]";

fn node_with(changes: &[(&str, &str)]) -> Node {
    let phones = format!("{LISTEN}\nphones = [\"127.0.3.0/24\", \"2001:db8::/32\"]");
    let mut all = vec![(LISTEN, phones.as_str())];
    all.extend(changes);
    let node = Node::hq_with(&all);
    for host in 1..=99 {
        // Refusals to them are whole, as to neighbours that were heard before.
        node.engine.verify(IpAddr::from([127, 0, 3, host]), Moment(node.now_ms));
    }
    node
}

fn node() -> Node {
    node_with(&[])
}

/// Two addresses of call control.
fn with_two_registrars() -> Node {
    node_with(&[("[\"udp:127.0.1.10:5060\"]", "[\"udp:127.0.1.10:5060\", \"udp:127.0.1.11:5060\"]")])
}

fn register_of(at: SocketAddr, user: &str) -> Request {
    let mut request = Request::new("REGISTER", at, HQ, user, user);
    request.uri = format!("sip:{HQ}");
    request.header("Supported: path")
}

fn register() -> Request {
    register_of(phone(), "5001")
}

fn with_contact(mut request: Request, contact: &str) -> Request {
    request.more.retain(|line| !line.starts_with("Contact"));
    request.header(&format!("Contact: {contact}"))
}

/// A registrar's 200 that grants every contact `seconds`.
fn grants(sent: &Sent, seconds: u32) -> String {
    let contacts: Vec<_> = sent.headers("Contact").iter().map(|c| format!("Contact: {c};expires={seconds}")).collect();
    let lines: Vec<_> = contacts.iter().map(String::as_str).collect();
    let text = answer(sent, 200, "reg", &lines, "");
    text.replace(&format!("Contact: <sip:callee@{}>\r\n", sent.to), "")
}

/// A registrar's 200 after which nothing is registered.
fn grants_nothing(sent: &Sent) -> String {
    answer(sent, 200, "reg", &[], "").replace(&format!("Contact: <sip:callee@{}>\r\n", sent.to), "")
}

/// Registers a phone and gives back the Path call control got.
fn registered(node: &mut Node, request: &Request) -> String {
    let sent = node.hear(request.at, request).the("REGISTER");
    node.hear(sent.to, grants(&sent, 3600)).the("200");
    sent.header("Path")
}

fn a_registered_phone() -> (Node, String) {
    let mut node = node();
    let path = registered(&mut node, &register());
    (node, path)
}

/// Alice's own phone calls.
fn dials(called: &str) -> Request {
    Request::new("INVITE", phone(), HQ, "5001", called)
}

/// What a proxy sends on of a request: a Via more, another target, and what it adds.
fn passed_on(sent: &Sent, by: SocketAddr, target: &str, more: &[String]) -> String {
    let text = sent.text();
    let (start, rest) = text.split_once("\r\n").expect("a start line");
    let method = start.split(' ').next().expect("a method");
    let mut added = format!("Via: SIP/2.0/UDP {by};branch=z9hG4bK-p{}\r\n", serial());
    for line in more {
        added += &format!("{line}\r\n");
    }
    format!("{method} {target} SIP/2.0\r\n{added}{rest}")
}

/// Alice's phone calls, call control sends the call back with the mark, and both hops answer: the ends of the call as
/// its parties see it.
fn stands_twice(node: &mut Node) -> Standing {
    let invite = dials("901614960000").body(&audio("0 18"));
    let first = node.hear(phone(), &invite).the("INVITE");
    let second = node.hear(CC_HQ, passed_on(&first, CC_HQ, &format!("sip:901614960000@{HQ}"), &[])).the("INVITE");
    assert_eq!((first.to, second.to), (CC_HQ, BR));
    let back = node.hear(BR, answer(&second, 200, "b1", &[], &audio("18"))).the("200");
    assert_eq!(back.to, CC_HQ);
    let answered = node.hear(CC_HQ, without_top_via(&back)).the("200");
    assert_eq!(answered.to, phone());
    let caller = Dialog::of_caller(&invite, &answered);
    let callee = Dialog::of_callee(&second, "b1");
    Standing { caller, callee, caller_at: phone(), callee_at: BR, invite: second, answered }
}

#[test]
fn rfc_3327_a_register_goes_to_call_control_with_our_path_and_its_answer_back() {
    let mut node = node();
    let sent = node.hear(phone(), &register().header("Path: <sip:edge.example.com;lr>")).the("REGISTER");
    assert_eq!(sent.to, CC_HQ);
    assert_eq!(sent.start(), format!("REGISTER sip:{CC_HQ} SIP/2.0"), "our own address is call control's");
    assert_eq!((sent.header("Require").as_str(), sent.headers("Via").len()), ("path", 2));
    let paths = sent.headers("Path");
    assert!(paths[0].starts_with("<sip:") && paths[0].ends_with("@127.0.1.1:5060;lr>"), "{paths:?}");
    assert_eq!((paths.len(), paths[1].as_str()), (2, "<sip:edge.example.com;lr>"), "ours before what came");
    let challenge = ["WWW-Authenticate: Digest realm=\"hq\", nonce=\"n,1\", algorithm=SHA-256"];
    let back = node.hear(CC_HQ, answer(&sent, 401, "reg", &challenge, "")).the("401");
    assert_eq!((back.to, node.engine.registered()), (phone(), 0));
    assert!(back.has(challenge[0]));
    let credentials =
        "Authorization: Digest username=\"5001\", realm=\"hq\", uri=\"sip:127.0.1.1:5060\", response=\"x\"";
    let sent = node.hear(phone(), &register().header(credentials)).the("REGISTER");
    assert!(sent.has(credentials), "untouched");
    let granted =
        grants(&sent, 3600).replace("Content-Length", "Service-Route: <sip:orig@127.0.1.10;lr>\r\nContent-Length");
    let back = node.hear(CC_HQ, granted).the("200");
    assert_eq!((back.to, back.header("Service-Route").as_str()), (phone(), "<sip:orig@127.0.1.10;lr>"), "RFC 3608");
    assert_eq!((node.engine.registered(), node.engine.calls()), (1, 0));
}

#[test]
fn r_16_only_the_phone_of_an_emcc_session_may_register() {
    let named = |name: &str| format!("<sip:f8d1@127.0.3.5:5060>;+u.sip!devicename.ccm.cisco.com=\"{name}\"");
    let hardware =
        |mac: &str| format!("<sip:f8d1@127.0.3.5:5060>;+sip.instance=\"<urn:uuid:00000000-0000-0000-0000-{mac}>\"");
    let plain = "<sip:f8d1@127.0.3.5:5060>".to_owned();
    for (what, user, contact, may) in [
        ("directory number", "5001", plain.clone(), true),
        ("user id", "alice", plain.clone(), true),
        ("device name", PHONE, plain.clone(), true),
        ("device named in Contact", "5001", named(PHONE), true),
        ("hardware address", "alice", hardware("001122334455"), true),
        ("any other instance", "5001", hardware("123456789abc"), true),
        ("nobody, with the user in Contact", "x", "<sip:5001@127.0.3.5:5060>".to_owned(), false),
        ("a number of a device at home", "5002", plain.clone(), false),
        ("nobody", "x", plain, false),
        ("another device", "5001", named("SEP00AA00AA0001"), false),
        ("a device nobody has", "5001", named("SEP999999999999"), false),
        ("a device at home", "5001", hardware("00aa00aa0001"), false),
    ] {
        let mut node = node();
        let out = node.hear(phone(), &with_contact(register_of(phone(), user), &contact));
        if may {
            assert_eq!(out.told(), ["REGISTER to cc-hq"], "{what}");
        } else {
            assert_refused(&out, 403, "", "21");
            assert_eq!(out.0.len(), 1, "{what}");
        }
        assert_eq!(node.engine.registered(), 0, "{what}");
    }
}

/// Carol, who is logged in on no phone, and Alice's number on a desk phone at home as well.
const CAROL: (&str, &str) =
    ("[[user]]\nid = \"alice\"", "[[user]]\nid = \"carol\"\ndirectory_number = \"5003\"\n\n[[user]]\nid = \"alice\"");

#[test]
fn r_16_a_phone_registers_the_user_logged_in_on_it_and_nobody_else() {
    let named = |name: &str| format!("<sip:f8d1@127.0.3.5:5060>;+u.sip!devicename.ccm.cisco.com=\"{name}\"");
    let other = format!("{}, <sip:a@127.0.3.5:5061>;+u.sip!devicename.ccm.cisco.com=\"SEP00AA00AA0001\"", named(PHONE));
    let upper = PHONE.to_ascii_lowercase();
    for (what, from, to, contact, may) in [
        ("its user's number", "5001", "5001", named(PHONE), true),
        ("its user's id", "alice", "alice", named(PHONE), true),
        ("the device itself", &upper, PHONE, named(PHONE), true),
        ("two names of one user", "alice", "5001", named(PHONE), true),
        ("another user's number", "5003", "5003", named(PHONE), false),
        ("another user's id", "carol", "carol", named(PHONE), false),
        ("a number of a device at home", "5002", "5002", named(PHONE), false),
        ("a name nobody here has", "x", "x", named(PHONE), false),
        ("another device", "SEP00AA00AA0001", "SEP00AA00AA0001", named(PHONE), false),
        ("another user for its own", "carol", "alice", named(PHONE), false),
        ("its own user for another", "alice", "carol", named(PHONE), false),
        ("another device in one more Contact", "5001", "5001", other, false),
        ("everything of another user's", "carol", "carol", "*".to_owned(), false),
        ("everything of its own", "alice", "alice", "*".to_owned(), true),
    ] {
        let mut node = node_with(&[CAROL]);
        let mut request = with_contact(register_of(phone(), to), &contact).header("Expires: 0");
        request.from = format!("<sip:{from}@{HQ}>;tag=1");
        let out = node.hear(phone(), &request);
        if may {
            assert_eq!(out.told(), ["REGISTER to cc-hq"], "{what}");
        } else {
            assert_refused(&out, 403, "", "21");
            assert_eq!(
                out.the("403").start(),
                "SIP/2.0 403 Forbidden: no such user of this cluster is logged in on the phone"
            );
        }
    }
}

#[test]
fn r_16_a_user_whose_number_a_desk_phone_has_too_registers_on_the_phone_named() {
    let mut node = node_with(&[("[\"5002\"]", "[\"5002\", \"5001\"]")]);
    let named = format!("<sip:f8d1@127.0.3.5:5060>;+u.sip!devicename.ccm.cisco.com=\"{PHONE}\"");
    assert_eq!(node.hear(phone(), &with_contact(register(), &named)).told(), ["REGISTER to cc-hq"]);
    assert_refused(&node.hear(phone(), &register()), 403, "", "21");
}

#[test]
fn r_16_who_names_another_users_device_gets_none_of_its_calls_and_p_23_still_calls_for_help() {
    let mut node = node_with(&[CAROL]);
    let other = at("127.0.3.66:5060");
    let named = format!("<sip:5003@{other}>;+u.sip!devicename.ccm.cisco.com=\"{PHONE}\"");
    assert_refused(&node.hear(other, &with_contact(register_of(other, "5003"), &named)), 403, "", "21");
    let as_alice =
        |called: &str| with_contact(Request::new("INVITE", other, HQ, "5001", called), &named).body(&audio("0 18"));
    assert_refused(&node.hear(other, &as_alice("912025550123")), 403, "", "21");
    assert_eq!(node.hear(other, &as_alice("911")).the("INVITE").to, BR, "beside the phone of the number in From");
    assert_eq!(node.engine.registered(), 0);
}

#[test]
fn r_16_a_registration_is_worth_nothing_once_somebody_else_is_logged_in_on_the_phone() {
    let phones = format!("{LISTEN}\nphones = [\"127.0.3.0/24\", \"2001:db8::/32\"]");
    let (mut node, path) = a_registered_phone();
    let sent = node.hear(phone(), &register()).the("REGISTER");
    let session = "[[emcc_session]]\nuser = \"alice\"";
    let carols = "[[emcc_session]]\nuser = \"carol\"";
    node.engine.reload(crate::node::plan("hq", &[(LISTEN, phones.as_str()), CAROL, (session, carols)]));
    node.hear(CC_HQ, grants(&sent, 3600)).the("200");
    assert_refused(&node.hear(CC_HQ, &rings(&path, "sip:5001@127.0.3.5:5060")), 480, "", "20");
    assert_refused(&node.hear(phone(), &dials("912025550123").body(&audio("18"))), 403, "", "21");
    let contact = format!("<sip:5003@127.0.3.5:5060>;+u.sip!devicename.ccm.cisco.com=\"{PHONE}\"");
    let as_carol =
        |method: &str, called: &str| with_contact(Request::new(method, phone(), HQ, "5003", called), &contact);
    assert_refused(&node.hear(phone(), &as_carol("INVITE", "912025550123").body(&audio("18"))), 403, "", "21");
    registered(&mut node, &as_carol("REGISTER", "5003").header("Supported: path"));
    assert_eq!(node.hear(phone(), &as_carol("INVITE", "912025550123").body(&audio("18"))).the("INVITE").to, CC_HQ);
}

#[test]
fn who_is_in_no_network_of_phones_is_a_stranger_and_a_gateway_stays_one() {
    let mut node = node_with(&[("udp:127.0.1.20:5060", "udp:127.0.3.20:5060")]);
    assert!(node.hear(at("127.0.4.5:5060"), &register_of(at("127.0.4.5:5060"), "5001")).0.is_empty());
    let gateway = at("127.0.3.20:5060");
    assert_eq!(node.hear(gateway, &register_of(gateway, "5001")).told(), ["405 to 127.0.3.20:5060"]);
    let over_ipv6 = at("[2001:db8::5]:5060");
    assert_eq!(node.hear(over_ipv6, &register_of(over_ipv6, "5001")).told(), ["REGISTER to cc-hq"]);
    assert!(Node::hq().hear(phone(), &register()).0.is_empty(), "without the key nobody is a phone");
}

#[test]
fn rfc_3327_5_2_a_phone_without_path_is_told_and_a_registrar_without_it_tells() {
    let mut node = node();
    let mut bare = register();
    bare.more.retain(|line| !line.starts_with("Supported"));
    let refusal = node.hear(phone(), &bare).refusal();
    assert_eq!((refusal.what().as_str(), refusal.header("Require").as_str()), ("421", "path"));
    let sent = node.hear(phone(), &register()).the("REGISTER");
    let back = node.hear(CC_HQ, answer(&sent, 420, "reg", &["Unsupported: path"], "")).the("420");
    assert_eq!((back.header("Unsupported").as_str(), node.engine.registered()), ("path", 0));
}

#[test]
fn a_contact_nobody_here_can_reach_is_refused() {
    for contact in
        ["<sip:5001@192.168.1.7:5060>", "<sip:5001@phone.example.com>", "<tel:5001>", "<sip:5001@127.0.1.20>"]
    {
        let mut node = node();
        assert_refused(&node.hear(phone(), &with_contact(register(), contact)), 403, "", "21");
    }
    let mut node = node();
    let many: Vec<_> = (0..5).map(|port| format!("<sip:5001@127.0.3.5:{}>", 5060 + port)).collect();
    assert_refused(&node.hear(phone(), &with_contact(register(), &many.join(", "))), 403, "", "21");
}

#[test]
fn a_registration_lives_as_long_as_call_control_grants() {
    let (mut node, _) = a_registered_phone();
    node.wait(3_599_000);
    assert_eq!(node.engine.registered(), 1);
    node.wait(1_100);
    assert_eq!(node.engine.registered(), 0);
    let sent = node.hear(phone(), &register()).the("REGISTER");
    node.hear(CC_HQ, grants(&sent, 60)).the("200");
    node.wait(50_000);
    let sent = node.hear(phone(), &register()).the("REGISTER");
    node.hear(CC_HQ, grants(&sent, 60)).the("200");
    node.wait(50_000);
    assert_eq!(node.engine.registered(), 1, "refreshed");
    node.wait(11_000);
    assert_eq!((node.engine.registered(), node.engine.transactions()), (0, 0));
}

#[test]
fn what_call_control_says_of_a_register_is_what_stays() {
    let expires_0 = || with_contact(register(), "<sip:5001@127.0.3.5:5060>;expires=0");
    let all = || with_contact(register(), "*").header("Expires: 0");
    for (what, request, status, left) in [
        ("challenged", register(), 401, 1),
        ("too brief", register(), 423, 1),
        ("out of order", register(), 500, 1),
        ("overloaded", register(), 503, 1),
        ("forbidden", register(), 403, 1),
        ("not found", register(), 404, 1),
        ("another's wish to take all away", all(), 403, 1),
        ("taken away", expires_0(), 200, 0),
        ("all taken away", all(), 200, 0),
        ("taking away was challenged", expires_0(), 401, 1),
    ] {
        let (mut node, _) = a_registered_phone();
        let sent = node.hear(phone(), &request).the("REGISTER");
        let plain = answer(&sent, status, "reg", &["Min-Expires: 90"], "");
        let plain = plain.replace(&format!("Contact: <sip:callee@{CC_HQ}>\r\n"), "");
        let back = node.hear(CC_HQ, plain).the(&if status == 503 { 500 } else { status }.to_string());
        assert_eq!(back.header("Min-Expires"), "90", "{what}: passes as it came");
        assert_eq!(node.engine.registered(), left, "{what}");
    }
    let (mut node, _) = a_registered_phone();
    let sent = node.hear(phone(), &register()).the("REGISTER");
    node.hear(CC_HQ, answer(&sent, 200, "reg", &[], "")).the("200");
    assert_eq!(node.engine.registered(), 0, "a list of contacts without the phone's");
}

#[test]
fn p_8_a_register_goes_to_the_next_call_control_when_one_is_silent_or_out_of_order() {
    let mut node = with_two_registrars();
    assert_eq!(node.hear(phone(), &register()).told(), ["REGISTER to cc-hq"]);
    let out = node.wait(4_100);
    let second = out.to(cc_2());
    assert_eq!(second.what(), "REGISTER");
    node.hear(cc_2(), grants(&second, 3600)).the("200");
    assert_eq!(node.engine.registered(), 1);

    let mut node = with_two_registrars();
    let first = node.hear(phone(), &register()).the("REGISTER");
    let second = node.hear(CC_HQ, says(&first, 503)).the("REGISTER");
    assert_eq!(second.to, cc_2());
    assert_eq!(node.hear(cc_2(), says(&second, 503)).told(), ["500 to 127.0.3.5:5060"], "nobody is left");

    let mut node = with_two_registrars();
    let first = node.hear(phone(), &register()).the("REGISTER");
    let second = node.fail(&first).the("REGISTER");
    assert_eq!(second.to, cc_2());
    assert_eq!(node.fail(&second).told(), ["500 to 127.0.3.5:5060"]);
    node.wait(70_000);
    assert_eq!(node.engine.transactions(), 0);
}

#[test]
fn a_phones_call_goes_to_call_control_within_the_region_and_books_its_link() {
    let (mut node, _) = a_registered_phone();
    let forged = "Call-Info: <urn:emcc:device:SEP00AA00AA0001>;purpose=emcc-device;cluster=HQ";
    let invite = dials("912025550123").header("P-Asserted-Identity: <sip:5002@127.0.1.1>").header(forged);
    let sent = node.hear(phone(), &invite.body(&audio("0 18"))).the("INVITE");
    assert_eq!((sent.to, sent.number()), (CC_HQ, "912025550123".to_owned()));
    assert_eq!(sent.headers("Record-Route"), ["<sip:127.0.1.1:5060;lr>"]);
    assert_eq!(sent.formats("audio"), ["18"], "M-1");
    assert_eq!(node.booked(), WORST);
    assert!(sent.headers("P-Asserted-Identity").is_empty(), "RFC 3325 section 5: a phone asserts nothing");
    let marks = sent.headers("Call-Info");
    assert_eq!(marks.len(), 1, "the phone's own mark counts for nothing");
    assert!(marks[0].starts_with(&format!("<urn:emcc:device:{PHONE}>;purpose=emcc-device;cluster=HQ;call=")));
}

#[test]
fn a_challenged_call_gives_back_and_books_anew_with_its_credentials() {
    let (mut node, _) = a_registered_phone();
    let mut invite = dials("912025550123").body(&audio("18"));
    let sent = node.hear(phone(), &invite).the("INVITE");
    let challenge = ["Proxy-Authenticate: Digest realm=\"hq\", nonce=\"1\""];
    let back = node.hear(CC_HQ, answer(&sent, 407, "cc", &challenge, "")).the("407");
    assert!(back.has(challenge[0]));
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
    node.hear(phone(), &invite.ack(&back));
    invite.branch = format!("z9hG4bK-{}", serial());
    invite.cseq += 1;
    let again = node.hear(phone(), &invite.header("Proxy-Authorization: Digest username=\"5001\"")).the("INVITE");
    assert!(again.has("Proxy-Authorization: Digest username=\"5001\""));
    assert_eq!(node.booked(), WORST);
}

#[test]
fn a_call_of_nobody_registered_there_is_refused() {
    let mut node = node();
    assert_refused(&node.hear(phone(), &dials("912025550123").body(&audio("18"))), 403, "", "21");
    let (mut node, _) = a_registered_phone();
    let other = at("127.0.3.6:5060");
    let forged = Request::new("INVITE", other, HQ, "5001", "912025550123").body(&audio("18"));
    assert_refused(&node.hear(other, &forged), 403, "", "21");
    let away = with_contact(dials("912025550123"), "<sip:5001@192.168.0.9>");
    assert_refused(&node.hear(phone(), &away), 403, "", "21");
    let around = dials("912025550123").header(&format!("Route: <sip:{GW_HQ};lr>"));
    assert_refused(&node.hear(phone(), &around), 403, "", "21");
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
}

#[test]
fn rfc_3608_a_service_route_to_call_control_is_followed() {
    let (mut node, _) = a_registered_phone();
    let routes = format!("Route: <sip:{HQ};lr>, <sip:orig@{CC_HQ};lr>");
    let sent = node.hear(phone(), &dials("912025550123").header(&routes)).the("INVITE");
    assert_eq!((sent.to, sent.headers("Route")), (CC_HQ, vec![format!("<sip:orig@{CC_HQ};lr>")]));
}

#[test]
fn one_reservation_a_call_however_often_it_passes() {
    let (mut node, _) = a_registered_phone();
    let mut call = stands_twice(&mut node);
    assert_eq!((node.booked(), node.engine.calls()), (WORST, 2));
    assert_eq!(call.invite.formats("audio"), ["18"], "the cap applied twice is the cap");
    let ack = node.hear(phone(), &call.caller.request("ACK"));
    assert_eq!(ack.told(), ["ACK to br"], "call control kept itself out of the route");
    node.wait(1_100);
    assert_eq!(node.booked(), ANSWERED);
    let video = audio_and_video("18");
    let sent = node.hear(phone(), &call.caller.request("INVITE").body(&video)).the("INVITE");
    assert_eq!(node.booked(), [40, 40, 376, 376], "once");
    node.hear(BR, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    node.hear(phone(), &call.caller.request("ACK"));
    node.wait_with_peer(1_100);
    assert_eq!(node.booked(), ANSWERED);
    // The other end speaks through the second pass alone.
    let sent = node.hear(BR, &call.callee.request("INVITE").body(&video)).the("INVITE");
    assert_eq!((sent.to, node.booked()), (phone(), [40, 40, 376, 376]));
    node.hear(phone(), answer(&sent, 200, "b1", &[], &video)).the("200");
    node.hear(BR, &call.callee.request("ACK")).the("ACK");
    node.wait_with_peer(1_100);
    assert_eq!(node.booked(), [24, 24, 376, 376]);
    hang_up(&mut node, &mut call);
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
    assert_eq!(node.ended().len(), 2);
}

#[test]
fn rfc_6337_2_1_what_the_winner_answered_early_is_booked_by_whichever_pass_books() {
    let (both, none) = (audio_and_video("18"), audio("18") + "m=video 0 RTP/AVP 97\r\n");
    for (answers, kbps) in [([&both, &none], 376), ([&none, &both], 0)] {
        let (mut node, _) = a_registered_phone();
        let first = node.hear(phone(), &dials("901614960000").body(&both)).the("INVITE");
        let second = node.hear(CC_HQ, passed_on(&first, CC_HQ, &format!("sip:901614960000@{HQ}"), &[])).the("INVITE");
        for (tag, sdp) in ["b1", "b2"].into_iter().zip(answers) {
            let early = answer(&second, 183, tag, &["Require: 100rel", "RSeq: 1"], sdp);
            let back = node.hear(BR, early).the("183");
            assert_eq!(node.hear(CC_HQ, without_top_via(&back)).the("183").to, phone());
        }
        let back = node.hear(BR, answer(&second, 200, "b1", &[], "")).the("200");
        assert_eq!(node.hear(CC_HQ, without_top_via(&back)).the("200").to, phone());
        node.wait_with_peer(1_100);
        assert_eq!(node.booked(), [24, 24, kbps, kbps]);
    }
}

#[test]
fn a_call_control_in_the_dialog_is_passed_twice_and_booked_once() {
    let (mut node, _) = a_registered_phone();
    let invite = dials("901614960000").body(&audio("18"));
    let first = node.hear(phone(), &invite).the("INVITE");
    let own = [format!("Record-Route: <sip:{CC_HQ};lr>")];
    let second = node.hear(CC_HQ, passed_on(&first, CC_HQ, &format!("sip:901614960000@{HQ}"), &own)).the("INVITE");
    assert_eq!(second.headers("Record-Route").len(), 3);
    let back = node.hear(BR, answer(&second, 200, "b1", &[], &audio("18"))).the("200");
    let answered = node.hear(CC_HQ, without_top_via(&back)).the("200");
    let mut caller = Dialog::of_caller(&invite, &answered);
    let ack = node.hear(phone(), &caller.request("ACK")).the("ACK");
    assert_eq!(ack.to, CC_HQ);
    let bye = node.hear(phone(), &caller.request("BYE")).the("BYE");
    assert_eq!((bye.to, bye.headers("Route").len()), (CC_HQ, 2));
    let on = passed_on(&bye, CC_HQ, bye.start().split(' ').nth(1).expect("a target"), &[]);
    let on = on.replacen(&format!("Route: <sip:{CC_HQ};lr>\r\n"), "", 1);
    let last = node.hear(CC_HQ, on).the("BYE");
    assert_eq!(last.to, BR);
    let back = node.hear(BR, says(&last, 200)).the("200");
    node.hear(CC_HQ, without_top_via(&back)).the("200");
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
}

#[test]
fn a_call_control_that_makes_a_call_of_its_own_is_followed_by_the_mark() {
    let (mut node, _) = a_registered_phone();
    let first = node.hear(phone(), &dials("901614960000").body(&audio("18"))).the("INVITE");
    let mark = format!("Call-Info: {}", first.header("Call-Info"));
    let own = Request::new("INVITE", CC_HQ, HQ, "5001", "901614960000").header(&mark).body(&audio("18"));
    let second = node.hear(CC_HQ, &own).the("INVITE");
    assert_eq!((second.to, node.booked(), node.engine.calls()), (BR, WORST, 2));
    assert!(!second.has(";call="), "the other cluster is told the phone alone");
    node.hear(BR, says(&second, 486));
    assert_eq!((node.booked(), node.engine.calls()), (WORST, 1), "the phone's own pass still holds it");
    let other = Request::new("INVITE", CC_HQ, HQ, "5001", "901614960000").on(PHONE).body(&audio("18"));
    let unmarked = node.hear(CC_HQ, &other).the("INVITE");
    assert_eq!(node.booked(), [80, 80, 0, 0], "another call books for itself");
    node.hear(BR, says(&unmarked, 486));
    node.hear(CC_HQ, says(&first, 486));
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
}

#[test]
fn a_call_forwarded_by_302_keeps_its_one_booking_and_its_history() {
    let (mut node, _) = a_registered_phone();
    let history = "History-Info: <sip:901614960000@127.0.1.1>;index=1";
    let first = node.hear(phone(), &dials("901614960000").header(history).body(&audio("18"))).the("INVITE");
    let target = format!("sip:901614960000@{HQ}");
    let second = node.hear(CC_HQ, passed_on(&first, CC_HQ, &target, &[])).the("INVITE");
    assert_eq!((second.header("History-Info").as_str(), node.booked()), (&history[14..], WORST));
    let moved = node.hear(BR, answer(&second, 302, "b1", &["Diversion: <sip:1@x>;reason=no-answer"], "")).the("302");
    assert_eq!((moved.to, moved.header("Diversion").as_str()), (CC_HQ, "<sip:1@x>;reason=no-answer"), "RFC 5806");
    assert_eq!((node.booked(), node.engine.calls()), (WORST, 1));
    let diverted = ["Diversion: <sip:901614960000@127.0.1.1>;reason=unconditional".to_owned()];
    let third = node.hear(CC_HQ, passed_on(&first, CC_HQ, &format!("sip:901614960001@{HQ}"), &diverted)).the("INVITE");
    assert_eq!(third.header("Diversion"), diverted[0]["Diversion: ".len()..]);
    assert_eq!((third.to, node.booked(), third.formats("audio")), (BR, WORST, vec!["18".to_owned()]));
    let back = node.hear(BR, says(&third, 486)).the("486");
    node.hear(CC_HQ, without_top_via(&back)).the("486");
    assert_eq!((node.booked(), node.engine.calls(), node.ended().len()), (NOTHING, 0, 3));
}

#[test]
fn a_branch_that_lives_on_takes_over_what_the_first_one_booked() {
    let mut node = Node::hq();
    // Call control forks: the same call twice at once.
    let invite = alice("901614960000").body(&audio("18"));
    let one = node.hear(CC_HQ, &invite).the("INVITE");
    let other = Request { branch: format!("z9hG4bK-{}", serial()), ..invite.clone() };
    let two = node.hear(CC_HQ, &other).the("INVITE");
    let third = Request { branch: format!("z9hG4bK-{}", serial()), ..invite };
    let three = node.hear(CC_HQ, &third).the("INVITE");
    assert_eq!((node.booked(), node.engine.calls()), (WORST, 3));
    node.hear(BR, says(&one, 302));
    assert_eq!((node.booked(), node.engine.calls()), (WORST, 2), "handed over");
    let fourth = Request { branch: format!("z9hG4bK-{}", serial()), ..other };
    let four = node.hear(CC_HQ, &fourth).the("INVITE");
    assert_eq!((node.booked(), node.engine.calls()), (WORST, 3), "the recursed branch rides as well");
    node.hear(BR, says(&two, 486));
    node.hear(BR, says(&three, 486));
    assert_eq!(node.booked(), WORST);
    node.hear(BR, says(&four, 486));
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0), "given back exactly once");
}

#[test]
fn whatever_order_the_passes_of_a_call_end_in_it_is_booked_once_and_given_back_once() {
    for seed in 1..=200_u64 {
        let mut random = seed;
        let mut draw = move |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap_or_default() % below
        };
        let mut node = Node::hq();
        let first = alice("901614960000").body(&audio("18"));
        let mut standing: Vec<Sent> = Vec::new();
        for turn in 0..40 {
            // Eight passes of one call are all there may be (PASSES_MAX).
            if standing.len() < 8 && (standing.is_empty() || draw(2) == 0) {
                let branch = Request { branch: format!("z9hG4bK-{}", serial()), ..first.clone() };
                standing.push(node.hear(CC_HQ, &branch).the("INVITE"));
            } else {
                let one = standing.swap_remove(draw(standing.len()));
                node.hear(BR, says(&one, [302, 404, 486, 503, 603][draw(5)]));
            }
            let booked = if standing.is_empty() { NOTHING } else { WORST };
            assert_eq!((node.booked(), node.engine.calls()), (booked, standing.len()), "seed {seed}, turn {turn}");
        }
        for one in standing.drain(..) {
            assert_eq!(node.booked(), WORST, "seed {seed}");
            node.hear(BR, says(&one, 486));
        }
        assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0), "seed {seed}");
    }
}

#[test]
fn a_lost_peer_costs_the_one_booking_once_and_the_call_gets_it_again_once() {
    let (mut node, _) = a_registered_phone();
    let mut call = stands_twice(&mut node);
    node.hear(phone(), &call.caller.request("ACK"));
    node.wait(31_000);
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 2));
    assert_eq!(node.alarms(), ["remote cluster lost: its resources were released"]);
    let mut keepalive = Request::new("OPTIONS", BR, HQ, "br", "hq");
    keepalive.uri = format!("sip:{HQ}");
    node.hear(BR, &keepalive.header("Call-Info: <urn:emcc:keepalive:BR>;purpose=emcc-keepalive;epoch=1"));
    node.wait_with_peer(61_000);
    assert_eq!(node.booked(), ANSWERED);
    hang_up(&mut node, &mut call);
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
}

#[test]
fn two_registered_phones_in_one_call_are_booked_each_on_its_own_link() {
    const FRANCE: &str = "[[remote_cluster]]\nid = \"FR\"\ntrunk = [\"udp:127.0.5.1:5060\"]\n\
        services = [\"emcc\", \"pstn-access\", \"rsvp-agent\"]\nrsvp_policy = \"mandatory\"\n\
        link_audio_kbps = 2000\nlink_video_kbps = 4000\n\n[[remote_cluster]]\nid = \"BR\"";
    const CAROL: &str = "[[user]]\nid = \"carol\"\ndirectory_number = \"5003\"\nemcc_enabled = true\n\n\
        [[emcc_session]]\nuser = \"carol\"\ndevice = \"SEPCA501\"\nvisiting_cluster = \"FR\"\n\n\
        [[user]]\nid = \"alice\"";
    for (visited, links) in [("FR", [40, 40]), ("BR", [0, 40])] {
        let carol = CAROL.replace("\"FR\"", &format!("\"{visited}\""));
        let mut node =
            node_with(&[("[[remote_cluster]]\nid = \"BR\"", FRANCE), ("[[user]]\nid = \"alice\"", carol.as_str())]);
        let carols = at("127.0.3.6:5060");
        registered(&mut node, &register());
        let path = registered(&mut node, &register_of(carols, "5003"));
        let first = node.hear(phone(), &dials("5003").body(&audio("0 18"))).the("INVITE");
        let route = [format!("Route: {path}")];
        let second = node.hear(CC_HQ, passed_on(&first, CC_HQ, "sip:5003@127.0.3.6:5060", &route)).the("INVITE");
        assert_eq!((second.to, second.formats("audio")), (carols, vec!["18".to_owned()]));
        let audio = || node.engine.links().books().iter().step_by(4).map(|book| book.used_kbps).collect::<Vec<_>>();
        assert_eq!(audio(), links, "{visited}: on one link the call is booked once");
        let back = node.hear(carols, says(&second, 486)).the("486");
        node.hear(CC_HQ, without_top_via(&back)).the("486");
        let audio = || node.engine.links().books().iter().map(|book| book.used_kbps).sum::<u64>();
        assert_eq!((audio(), node.engine.calls()), (0, 0), "{visited}");
    }
}

/// A call of call control along a Path.
fn rings(path: &str, contact: &str) -> Request {
    let mut request = Request::new("INVITE", CC_HQ, HQ, "5555", "5001");
    request.uri = contact.to_owned();
    request.header(&format!("Route: {path}")).body(&audio("0 18"))
}

#[test]
fn a_call_to_the_phone_goes_along_its_path_to_the_contact_that_registered() {
    let (mut node, path) = a_registered_phone();
    let invite = rings(&path, "sip:5001@127.0.3.5:5060").on("SEP00AA00AA0001");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!((sent.to, sent.start()), (phone(), "INVITE sip:5001@127.0.3.5:5060 SIP/2.0".to_owned()));
    assert_eq!((sent.headers("Route").len(), sent.headers("Call-Info").len()), (0, 0), "no mark leaves to a phone");
    assert_eq!((sent.formats("audio"), node.booked()), (vec!["18".to_owned()], WORST));
    let answered = node.hear(phone(), answer(&sent, 200, "p1", &[], &audio("18"))).the("200");
    let mut caller = Dialog::of_caller(&invite, &answered);
    let mut callee = Dialog::of_callee(&sent, "p1");
    assert_eq!(node.hear(CC_HQ, &caller.request("ACK")).the("ACK").to, phone());
    let held = node.hear(phone(), &callee.request("INVITE").body(&audio("18"))).the("INVITE");
    assert_eq!(held.to, CC_HQ);
    node.hear(CC_HQ, answer(&held, 200, "p1", &[], &audio("18"))).the("200");
    node.hear(phone(), &callee.request("ACK")).the("ACK");
    let bye = node.hear(phone(), &callee.request("BYE")).the("BYE");
    node.hear(CC_HQ, says(&bye, 200)).the("200");
    assert_eq!((node.booked(), node.ended()), (NOTHING, vec![(200, "callee")]));
}

#[test]
fn rfc_3261_19_1_4_a_contact_with_escapes_is_the_one_they_spell() {
    let (escaped, plain) = ("sip:50%301@127.0.3.5:5060", "sip:5001@127.0.3.5:5060");
    for (asked, granted) in [(escaped, plain), (plain, escaped), (escaped, escaped)] {
        let mut node = node();
        let sent = node.hear(phone(), &with_contact(register(), &format!("<{asked}>"))).the("REGISTER");
        assert_eq!(sent.headers("Contact"), [format!("<{asked}>")], "it passes as it came");
        let line = format!("Contact: <{granted}>;expires=3600");
        let granting = answer(&sent, 200, "reg", &[&line], "");
        node.hear(CC_HQ, granting.replace(&format!("Contact: <sip:callee@{CC_HQ}>\r\n"), "")).the("200");
        assert_eq!(node.engine.registered(), 1, "{asked}, {granted}");
        assert_eq!(node.hear(phone(), &dials("901614960000").body(&audio("0 18"))).the("INVITE").to, CC_HQ);
        for target in [escaped, plain, "sip:%35%30%30%31@127.0.3.5:5060"] {
            let rung = node.hear(CC_HQ, &rings(&sent.header("Path"), target)).the("INVITE");
            assert_eq!((rung.to, rung.start()), (phone(), format!("INVITE {target} SIP/2.0")));
        }
        let other = node.hear(CC_HQ, &rings(&sent.header("Path"), "sip:50%302@127.0.3.5:5060"));
        assert_eq!(other.told(), ["480 to cc-hq"], "another user");
    }
}

#[test]
fn s_2_along_the_path_no_key_goes_to_or_from_the_phone_of_a_non_secure_session_over_udp() {
    let (mut node, path) = a_registered_phone();
    let ringing = |protocol: &str| rings(&path, "sip:5001@127.0.3.5:5060").body(&keyed(protocol, "18"));
    assert_refused(&node.hear(CC_HQ, &ringing("RTP/SAVP")), 488, "305", "65");
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
    let sent = node.hear(CC_HQ, &ringing("RTP/AVP")).the("INVITE");
    assert!(sent.to == phone() && !shows_key(&sent) && sent.headers("Call-Info").is_empty(), "{}", sent.text());
    let back = node.hear(phone(), answer(&sent, 200, "p1", &[], &keyed("RTP/AVP", "18"))).the("200");
    assert!(!shows_key(&back), "{}", back.text());
    // The other direction, as ever.
    let (mut node, _) = a_registered_phone();
    assert_refused(&node.hear(phone(), &dials("5002").body(&keyed("RTP/SAVP", "18"))), 488, "305", "65");
    // That of a secure session may.
    let secure = ("device = \"SEP001122334455\"", "device = \"SEP001122334455\"\nsecurity_mode = \"secure\"");
    let mut node = node_with(&[secure]);
    let path = registered(&mut node, &register());
    let invite = rings(&path, "sip:5001@127.0.3.5:5060").body(&keyed("RTP/SAVP", "18"));
    assert!(shows_key(&node.hear(CC_HQ, &invite).the("INVITE")));
}

#[test]
fn v_20_what_a_caller_sends_to_the_phone_goes_outward() {
    let (mut node, path) = a_registered_phone();
    let one_way = audio("18") + "a=sendonly\r\n";
    node.hear(CC_HQ, &rings(&path, "sip:5001@127.0.3.5:5060").body(&one_way)).the("INVITE");
    assert_eq!(node.booked(), [40, 0, 0, 0]);
}

#[test]
fn a_cancelled_call_to_the_phone_gives_back() {
    let (mut node, path) = a_registered_phone();
    let invite = rings(&path, "sip:5001@127.0.3.5:5060");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    node.hear(phone(), says(&sent, 180)).the("180");
    assert_eq!(node.hear(CC_HQ, &invite.cancel()).told(), ["200 to cc-hq", "CANCEL to 127.0.3.5:5060"]);
    node.hear(phone(), says(&sent, 487)).the("487");
    assert_eq!((node.booked(), node.ended()), (NOTHING, vec![(487, "cancelled")]));
}

#[test]
fn p_23_an_emergency_number_at_a_phones_address_is_an_emergency_call() {
    let (mut node, path) = a_registered_phone();
    let unknown = "<sip:00000000000000000000000000000000@127.0.1.1:5060;lr>";
    for (path, target) in [
        (path.as_str(), "sip:911@127.0.3.5:5060"),
        (path.as_str(), "sip:911@127.0.3.6"),
        (unknown, "sip:911@127.0.3.5:5060"),
    ] {
        let sent = node.hear(CC_HQ, &rings(path, target)).the("INVITE");
        assert_eq!((sent.to, sent.start().starts_with("INVITE sip:911@")), (GW_HQ, true), "{path} {target}");
    }
}

#[test]
fn nothing_is_sent_into_the_phones_networks_but_to_who_registered() {
    let (mut node, path) = a_registered_phone();
    for target in ["sip:5001@127.0.3.5:5062", "sip:5001@127.0.3.6:5060", "sip:other@127.0.3.5:5060"] {
        assert_refused(&node.hear(CC_HQ, &rings(&path, target)), 480, "", "20");
    }
    let unknown = "<sip:00000000000000000000000000000000@127.0.1.1:5060;lr>";
    assert_refused(&node.hear(CC_HQ, &rings(unknown, "sip:5001@127.0.3.5:5060")), 480, "", "20");
    for from in [CC_HQ, GW_HQ, BR] {
        let mut message = Request::new("MESSAGE", from, HQ, "5555", "bob");
        message.uri = "sip:bob@127.0.3.5:5060".to_owned();
        assert_eq!(node.hear(from, &message).refusal().what(), "404", "without the Path");
    }
    let mut routed = rings(&path, "sip:5001@127.0.3.5:5060");
    routed.at = GW_HQ;
    assert!(!node.hear(GW_HQ, &routed).0.iter().any(|sent| sent.to == phone()), "a gateway has no Path");
    node.wait(3_601_000);
    assert_eq!(node.hear(CC_HQ, &rings(&path, "sip:5001@127.0.3.5:5060")).refusal().what(), "480");
}

#[test]
fn a_phone_on_a_stream_is_reached_over_it_and_at_its_contact_once_that_is_gone() {
    let mut node = node();
    let from = at("127.0.3.5:40123");
    let mut request = with_contact(register_of(from, "5001"), "<sip:5001@127.0.3.5:5060;transport=tcp>");
    request.transport = "TCP";
    let sent = node.hear_on_stream(from, 7, &request).the("REGISTER");
    let back = node.hear(CC_HQ, grants(&sent, 3600)).the("200");
    assert_eq!((back.to, back.over), (from, Transport::Tcp));
    let path = sent.header("Path");
    assert!(path.ends_with("@127.0.1.1:5060;lr>"), "{path}: as call control is spoken with, over UDP");
    let invite = rings(&path, "sip:5001@127.0.3.5:5060;transport=tcp");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    assert_eq!((sent.to, sent.over), (from, Transport::Tcp), "over the stream it opened");
    let again = node.fail(&sent).the("INVITE");
    assert_eq!((again.to, again.over), (phone(), Transport::Tcp), "a new one to its contact");
    node.fail(&again);
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
}

#[test]
fn rfc_3261_18_2_2_what_a_lost_stream_was_to_carry_goes_to_where_the_phone_says_it_listens_and_nowhere_else() {
    let node = node_with(&[("udp:127.0.1.20:5060", "tcp:127.0.3.20:5060")]);
    let answer = |via: &str| {
        format!(
            "SIP/2.0 200 OK\r\nVia: {via};branch=z9hG4bK-1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let bye = |uri: &str| answer("SIP/2.0/TCP 127.0.1.1").replace("SIP/2.0 200 OK", &format!("BYE {uri} SIP/2.0"));
    let bye = |uri: &str| bye(uri).replace("1 INVITE", "1 BYE");
    for (from, text, port) in [
        ("127.0.3.5:40123", answer("SIP/2.0/TCP 127.0.3.5:5070;received=127.0.3.5"), Some(5070)),
        ("127.0.3.5:40123", answer("SIP/2.0/TCP phone.example.com"), Some(5060)),
        // The address is the one it came from, whatever it says of itself.
        ("127.0.3.5:40123", answer("SIP/2.0/TCP 127.0.1.20:5070;received=127.0.1.20"), Some(5070)),
        ("127.0.3.5:40123", answer("SIP/2.0/TCP 127.0.3.5:5070, SIP/2.0/TCP 127.0.3.6:5080"), Some(5070)),
        ("127.0.3.5:40123", answer("SIP/2.0/UDP 127.0.3.5:5070"), None),
        ("127.0.3.5:40123", answer("SIP/2.0/TLS 127.0.3.5:5070"), None),
        ("127.0.3.5:40123", bye("sip:5001@127.0.3.5:5072;transport=tcp"), Some(5072)),
        ("127.0.3.5:40123", bye("sip:5001@127.0.3.6:5072;transport=tcp"), None),
        ("127.0.3.5:40123", bye("sip:5001@127.0.3.5:5072"), None),
        ("127.0.3.5:40123", "no message".to_owned(), None),
        // A neighbour is where the configuration says.
        ("127.0.3.20:40123", answer("SIP/2.0/TCP 127.0.3.20:5070"), Some(5060)),
        ("127.0.4.5:40123", answer("SIP/2.0/TCP 127.0.4.5:5070"), None),
    ] {
        let flow = Flow { transport: Transport::Tcp, listener: 1, remote: at(from), connection: 7 };
        let way = node.engine.listens(flow, text.as_bytes());
        let want = port.map(|port| Flow { remote: SocketAddr::new(flow.remote.ip(), port), connection: 0, ..flow });
        assert_eq!(way, want, "{from}: {text}");
    }
    let wide = format!("{LISTEN}\nphones = [\"127.0.0.0/8\"]");
    let node = Node::hq_with(&[(LISTEN, &wide)]);
    let flow = Flow { transport: Transport::Tcp, listener: 1, remote: at("127.0.1.1:40123"), connection: 7 };
    assert_eq!(node.engine.listens(flow, answer("SIP/2.0/TCP 127.0.1.1:5060").as_bytes()), None, "this node itself");
}

#[test]
fn what_a_lost_stream_was_to_carry_goes_over_the_one_the_phone_registered_by_since() {
    let bye = |uri: &str| {
        format!(
            "BYE {uri} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.1.1;branch=z9hG4bK-1\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        )
    };
    // A phone that listens at 5060, and one whose contact is the port of its stream: the old one stands beside the new.
    let registered = |ports: [u16; 2]| {
        let mut node = node();
        for ((port, connection), contact) in [(40_123, 7), (40_124, 9)].into_iter().zip(ports) {
            let from = SocketAddr::new(phone().ip(), port);
            let contact = format!("<sip:5001@127.0.3.5:{contact};transport=tcp>");
            let mut request = with_contact(register_of(from, "5001"), &contact);
            request.transport = "TCP";
            let sent = node.hear_on_stream(from, connection, &request).the("REGISTER");
            node.hear(CC_HQ, grants(&sent, 3600)).the("200");
        }
        node
    };
    let (listens, listens_not) = (registered([5_060, 5_060]), registered([40_123, 40_124]));
    let lost = |connection| Flow { transport: Transport::Tcp, listener: 1, remote: at("127.0.3.5:40123"), connection };
    for (node, connection, uri, want) in [
        (&listens, 7, "sip:5001@127.0.3.5:5060;transport=tcp", (40_124, 9)),
        (&listens, 9, "sip:5001@127.0.3.5:5060;transport=tcp", (5_060, 0)),
        (&listens, 10, "sip:5001@127.0.3.5:5060;transport=tcp", (5_060, 0)),
        (&listens, 7, "sip:5001@127.0.3.5:5061;transport=tcp", (5_061, 0)),
        // The port of the lost stream itself, where nobody listens.
        (&listens, 7, "sip:5001@127.0.3.5:40123;transport=tcp", (40_124, 9)),
        (&listens, 9, "sip:5001@127.0.3.5:40123;transport=tcp", (40_123, 0)),
        (&listens_not, 7, "sip:5001@127.0.3.5:40123;transport=tcp", (40_124, 9)),
        (&listens_not, 7, "sip:5001@127.0.3.5:40124;transport=tcp", (40_124, 9)),
        (&listens_not, 9, "sip:5001@127.0.3.5:40123;transport=tcp", (40_123, 0)),
    ] {
        let way =
            node.engine.listens(lost(connection), bye(uri).as_bytes()).map(|way| (way.remote.port(), way.connection));
        assert_eq!(way, Some(want), "stream {connection}, {uri}");
    }
}

/// A phone's call over TCP, from that port of it.
fn over_tcp(mut request: Request, port: u16) -> Request {
    (request.at, request.transport) = (SocketAddr::new(phone().ip(), port), "TCP");
    request
}

#[test]
fn p_23_a_phone_that_speaks_over_another_stream_is_answered_over_it_ringing_and_in_its_call() {
    let mut node = node();
    let from = |port| SocketAddr::new(phone().ip(), port);
    let invite = over_tcp(Request::new("INVITE", phone(), HQ, "5002", "911").body(&audio("0")), 40_123);
    let invite = with_contact(invite, "<sip:5002@127.0.3.5:40123;transport=tcp>");
    let sent = node.hear_on_stream(from(40_123), 7, &invite).the("INVITE");
    assert_eq!(sent.to, GW_HQ);
    let early = answer(&sent, 183, "b1", &["Require: 100rel", "RSeq: 1"], &audio("0"));
    let early = node.hear(GW_HQ, early).the("183");
    assert_eq!(early.to, from(40_123));
    // It acknowledges over a second stream, and the first is gone.
    let mut call = Dialog::of_caller(&invite, &early);
    let prack = over_tcp(call.request("PRACK").header("RAck: 1 1 INVITE"), 40_124);
    node.hear_on_stream(from(40_124), 8, &prack).the("PRACK");
    let back = node.hear(GW_HQ, answer(&sent, 200, "b1", &[], "")).the("200");
    assert_eq!(back.to, from(40_124), "where it spoke last");
    node.hear_on_stream(from(40_125), 9, &over_tcp(call.request("ACK"), 40_125)).the("ACK");
    let mut callee = Dialog::of_callee(&sent, "b1");
    assert_eq!(node.hear(GW_HQ, &callee.request("INFO")).the("INFO").to, from(40_125));
    // An older one that still brings something is not gone back to, nor is anybody else's gone to.
    node.hear_on_stream(from(40_123), 7, &over_tcp(call.request("UPDATE"), 40_123));
    let stranger = at("127.0.3.6:40126");
    let mut foreign = call.request("UPDATE");
    (foreign.at, foreign.transport) = (stranger, "TCP");
    assert_eq!(node.hear_on_stream(stranger, 10, &foreign).told().len(), 1, "refused");
    assert_eq!(node.hear(GW_HQ, &callee.request("BYE")).the("BYE").to, from(40_125));
}

#[test]
fn rfc_3261_17_2_1_an_invite_that_comes_again_over_another_stream_is_answered_there() {
    let mut node = node();
    let from = |port| SocketAddr::new(phone().ip(), port);
    let invite = over_tcp(Request::new("INVITE", phone(), HQ, "5002", "911").body(&audio("0")), 40_123);
    let sent = node.hear_on_stream(from(40_123), 7, &invite).the("INVITE");
    let again = node.hear_on_stream(from(40_124), 8, &invite);
    assert_eq!(again.told().len(), 1, "{:?}", again.told());
    assert_eq!(node.hear(GW_HQ, says(&sent, 180)).the("180").to, from(40_124));
    node.hear_on_stream(from(40_123), 7, &invite);
    assert_eq!(node.hear(GW_HQ, answer(&sent, 200, "b1", &[], &audio("0"))).the("200").to, from(40_124), "the newest");
}

#[test]
fn whom_a_reload_moved_is_let_in_over_tcp_and_reached_while_its_call_stands() {
    let control = ("udp:127.0.1.10:5060", "tcp:127.0.1.10:5060");
    let moved = crate::node::plan("hq", &[("udp:127.0.1.10:5060", "tcp:127.0.1.30:5060")]);
    let mut node = Node::hq_with(&[control]);
    let from = at("127.0.1.10:40123");
    let mut invite = bob("911").body(&audio("0"));
    invite.transport = "TCP";
    let sent = node.hear_on_stream(from, 7, &invite).the("INVITE");
    node.engine.reload(moved);
    let lets_in =
        |node: &Node| emcc_trunk::io::Driver::is_neighbour(&node.engine, Transport::Tcp, at("127.0.1.10:40124"));
    assert!(lets_in(&node), "its call stands");
    let back = node.hear(GW_HQ, answer(&sent, 200, "b1", &[], &audio("0"))).the("200");
    let lost = Flow { transport: Transport::Tcp, listener: 1, remote: from, connection: 7 };
    let there = node.engine.listens(lost, back.text().as_bytes()).unwrap();
    assert_eq!((there.remote, there.connection), (CC_HQ, 0), "as its Via says");
    let mut call = Dialog::of_caller(&invite, &back);
    for method in ["ACK", "BYE"] {
        let mut request = call.request(method);
        request.transport = "TCP";
        let passed = node.hear_on_stream(at("127.0.1.10:40124"), 8, &request).the(method);
        assert_eq!(passed.to, GW_HQ);
        if method == "BYE" {
            assert_eq!(node.hear(GW_HQ, says(&passed, 200)).the("200").to, at("127.0.1.10:40124"));
        }
    }
    node.wait(80_000);
    assert_eq!(node.ended(), [(200, "caller")]);
    assert!(!lets_in(&node), "and ended");
}

#[test]
fn a_call_from_the_pstn_to_the_phone_books_once_in_both_passes() {
    let (mut node, path) = a_registered_phone();
    let first =
        node.hear(GW_HQ, &Request::new("INVITE", GW_HQ, HQ, "12025550199", "5001").body(&audio("0 18"))).the("INVITE");
    assert_eq!((first.to, node.booked()), (CC_HQ, WORST));
    let route = [format!("Route: {path}")];
    let second = node.hear(CC_HQ, passed_on(&first, CC_HQ, "sip:5001@127.0.3.5:5060", &route)).the("INVITE");
    assert_eq!((second.to, node.booked(), node.engine.calls()), (phone(), WORST, 2));
    let back = node.hear(phone(), says(&second, 486)).the("486");
    node.hear(CC_HQ, without_top_via(&back)).the("486");
    assert_eq!((node.booked(), node.engine.calls()), (NOTHING, 0));
}

fn is_emergency_to(out: &Out, to: SocketAddr) {
    let sent = out.the("INVITE");
    assert_eq!((sent.to, sent.number().as_str()), (to, if to == BR { "112" } else { "911" }), "{out:#?}");
}

#[test]
fn p_23_an_emergency_call_of_a_phone_waits_for_no_registration_and_no_call_control() {
    const NUMBERS: [(&str, &str); 1] =
        [("last_resort = [\"gw-hq\"]", "last_resort = [\"gw-hq\"]\nnumbers = [\"112\"]")];
    let emergency = |from: SocketAddr, caller: &str, number: &str| {
        Request::new("INVITE", from, HQ, caller, number).body(&audio("0"))
    };
    let mut node = node_with(&NUMBERS);
    let known = node.hear(phone(), &emergency(phone(), "5001", "112"));
    is_emergency_to(&known, BR);
    assert_eq!(known.the("INVITE").header("Priority"), "emergency");
    assert!(known.the("INVITE").has(PHONE), "the visited cluster is told the phone");
    is_emergency_to(&node.hear(at("127.0.3.9:5060"), &emergency(at("127.0.3.9:5060"), "nobody", "911")), GW_HQ);
    let away = with_contact(emergency(at("127.0.3.9:5060"), "5002", "911"), "<sip:x@192.168.0.1>");
    is_emergency_to(&node.hear(at("127.0.3.9:5060"), &away), GW_HQ);
    let around = emergency(phone(), "5001", "112").header("Route: <sip:192.0.2.1;lr>");
    is_emergency_to(&node.hear(phone(), &around), BR);
    registered(&mut node, &register());
    let sent = node.hear(phone(), &emergency(phone(), "5001", "112"));
    is_emergency_to(&sent, BR);
    assert_eq!(sent.the("INVITE").formats("audio"), ["0"], "no codec within the cap, and not refused for it");
    node.engine.drain();
    is_emergency_to(&node.hear(phone(), &emergency(phone(), "5001", "112")), BR);
    assert_refused(&node.hear(phone(), &dials("5555").body(&audio("18"))), 503, "", "42");
}

#[test]
fn a_phone_cannot_speak_in_anothers_call_nor_around_its_own() {
    let (mut node, path) = a_registered_phone();
    let invite = rings(&path, "sip:5001@127.0.3.5:5060");
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let answered = node.hear(phone(), answer(&sent, 200, "p1", &[], &audio("18"))).the("200");
    node.hear(CC_HQ, &Dialog::of_caller(&invite, &answered).request("ACK"));
    let mut callee = Dialog::of_callee(&sent, "p1");
    let other = at("127.0.3.66:5060");
    assert_eq!(node.hear(other, &callee.request("BYE")).told(), ["481 to 127.0.3.66:5060"]);
    let mut around = callee.request("INVITE").body(&audio("18"));
    around.uri = format!("sip:900@{GW_HQ}");
    assert_eq!(node.hear(phone(), &around).the("INVITE").to, CC_HQ, "the call's own other end");
    let mut unknown = Request::new("INVITE", phone(), HQ, "5001", "900").header("Route: <sip:127.0.1.1:5060;lr>");
    unknown.to += ";tag=made-up";
    unknown.uri = format!("sip:900@{GW_HQ}");
    assert_eq!(node.hear(phone(), &unknown).told(), ["481 to 127.0.3.5:5060"]);
    let mut after_restart = unknown.clone();
    after_restart.method = "BYE".to_owned();
    after_restart.branch = format!("z9hG4bK-{}", serial());
    after_restart.uri = format!("sip:5555@{CC_HQ}");
    assert_eq!(node.hear(phone(), &after_restart).the("BYE").to, CC_HQ, "a dialog of before a restart ends");
}

#[test]
fn other_requests_of_a_registered_phone_go_to_call_control() {
    let (mut node, path) = a_registered_phone();
    let subscribe = Request::new("SUBSCRIBE", phone(), HQ, "5001", "5001").header("Event: message-summary");
    let sent = node.hear(phone(), &subscribe).the("SUBSCRIBE");
    assert_eq!((sent.to, sent.number().as_str()), (CC_HQ, "5001"));
    assert_eq!(node.hear(CC_HQ, says(&sent, 200)).told(), ["200 to 127.0.3.5:5060"]);
    let named = Request::new("MESSAGE", phone(), HQ, "5001", "bob");
    assert_eq!(node.hear(phone(), &named).the("MESSAGE").start(), format!("MESSAGE sip:bob@{CC_HQ} SIP/2.0"));
    let mut notify = Request::new("NOTIFY", CC_HQ, HQ, "5001", "5001").header(&format!("Route: {path}"));
    notify.uri = "sip:5001@127.0.3.5:5060".to_owned();
    assert_eq!(node.hear(CC_HQ, &notify).the("NOTIFY").to, phone());
    let stranger = Request::new("SUBSCRIBE", at("127.0.3.7:5060"), HQ, "5001", "5001");
    assert_eq!(node.hear(at("127.0.3.7:5060"), &stranger).refusal().what(), "403");
}

#[test]
fn p_23_a_phone_that_never_registered_is_whoever_its_emergency_call_says_it_is() {
    let plain = "<sip:f8d1@127.0.3.5:5060>".to_owned();
    let named = format!("{plain};+u.sip!devicename.ccm.cisco.com=\"{PHONE}\"");
    let hardware = format!("{plain};+sip.instance=\"<urn:uuid:00000000-0000-0000-0000-001122334455>\"");
    for (what, from, contact, to) in [
        ("directory number", "5001", &plain, BR),
        ("user id", "alice", &plain, BR),
        ("device name", PHONE, &plain, BR),
        ("device named in Contact", "x", &named, BR),
        ("hardware address", "x", &hardware, BR),
        ("nobody", "x", &plain, GW_HQ),
    ] {
        let call = |called: &str| with_contact(Request::new("INVITE", phone(), HQ, from, called), contact);
        assert_eq!(node().hear(phone(), &call("9999")).the("INVITE").to, to, "{what}");
        let out = node().hear(phone(), &call("901614960000"));
        assert_eq!(out.told().last().map(String::as_str), Some(&*format!("403 to {}", phone())), "{what}");
    }
}

/// Alice's number is that of a desk phone at home too.
const SHARED: (&str, &str) = ("[\"5002\"]", "[\"5002\", \"5001\"]");

#[test]
fn p_23_the_phone_that_an_emergency_calls_contact_names_goes_before_a_number_several_have() {
    let contact = |at: SocketAddr, more: &str| format!("<sip:f8d1@{at}>{more}");
    let named = format!(";+u.sip!devicename.ccm.cisco.com=\"{PHONE}\"");
    let hardware = ";+sip.instance=\"<urn:uuid:00000000-0000-0000-0000-001122334455>\"";
    for from in [phone(), CC_HQ] {
        for (contact, to) in [
            (contact(from, &named), BR),
            (contact(from, hardware), BR),
            (format!("<sip:{PHONE}@{from}>"), BR),
            (contact(from, ""), GW_HQ),
            (contact(from, ";+u.sip!devicename.ccm.cisco.com=\"SEP00AA00AA0001\""), GW_HQ),
        ] {
            let mut node = node_with(&[SHARED]);
            let call = with_contact(Request::new("INVITE", from, HQ, "5001", "9999"), &contact);
            assert_eq!(node.hear(from, &call).the("INVITE").to, to, "{from} {contact}");
        }
    }
}

#[test]
fn p_23_a_registered_phone_is_known_by_its_address_when_its_emergency_call_does_not_say_who_it_is() {
    let mut node = node_with(&[SHARED]);
    let named = format!("<sip:f8d1@{}>;+u.sip!devicename.ccm.cisco.com=\"{PHONE}\"", phone());
    let call = |from: SocketAddr, caller: &str| {
        with_contact(Request::new("INVITE", from, HQ, caller, "9999"), "<sip:x@host.example.com>")
    };
    let other = at("127.0.3.6:5060");
    let goes_to =
        |node: &mut Node, from: SocketAddr, caller: &str| node.hear(from, &call(from, caller)).the("INVITE").to;
    assert_eq!(goes_to(&mut node, phone(), "anonymous"), GW_HQ, "nobody registered");
    registered(&mut node, &with_contact(register(), &named));
    for caller in ["anonymous", "5001", "5002"] {
        assert_eq!(goes_to(&mut node, phone(), caller), BR, "{caller}");
        assert_eq!(goes_to(&mut node, other, caller), GW_HQ, "{caller} from elsewhere");
    }
    // It registers from another place, and from there alone it is known once the first is over.
    let moved = with_contact(register_of(other, "5001"), &named.replace(&phone().to_string(), &other.to_string()));
    registered(&mut node, &moved);
    assert_eq!(goes_to(&mut node, other, "anonymous"), BR);
    let sent = node.hear(phone(), &with_contact(register(), &named).header("Expires: 0")).the("REGISTER");
    node.hear(CC_HQ, grants_nothing(&sent)).the("200");
    assert_eq!(goes_to(&mut node, phone(), "anonymous"), GW_HQ);
    assert_eq!(goes_to(&mut node, other, "anonymous"), BR);
    node.wait(3_601_000);
    assert_eq!((node.engine.registered(), goes_to(&mut node, other, "anonymous")), (0, GW_HQ));
}

#[test]
fn rfc_3261_10_2_2_a_phone_takes_everything_back_though_a_desk_phone_has_its_users_number_too() {
    let mut node = node_with(&[SHARED]);
    let named = format!("<sip:f8d1@{}>;+u.sip!devicename.ccm.cisco.com=\"{PHONE}\"", phone());
    let all = |at: SocketAddr| with_contact(register_of(at, "5001"), "*").header("Expires: 0");
    assert_refused(&node.hear(phone(), &all(phone())), 403, "", "21");
    registered(&mut node, &with_contact(register(), &named));
    let other = at("127.0.3.6:5060");
    assert_refused(&node.hear(other, &all(other)), 403, "", "21");
    let sent = node.hear(phone(), &all(phone())).the("REGISTER");
    node.hear(CC_HQ, grants_nothing(&sent)).the("200");
    assert_eq!(node.engine.registered(), 0);
}

#[test]
fn a_phone_that_registers_at_too_many_places_is_told_so() {
    let contacts: Vec<_> = (1..=5).map(|user| format!("<sip:{user}@{}>", phone())).collect();
    let out = node().hear(phone(), &with_contact(register(), &contacts.join(", ")));
    assert_eq!(out.the("403").start(), "SIP/2.0 403 Forbidden: more Contacts than a phone may register");
}

/// Alice's phone once it has another address.
fn moved() -> SocketAddr {
    at("127.0.3.6:5060")
}

/// A request of a dialog, as the phone sends it from there.
fn from_there(mut request: Request) -> Request {
    request.at = moved();
    with_contact(request, "<sip:5001@127.0.3.6:5060>")
}

#[test]
fn rfc_3261_14_a_phone_that_has_a_new_address_and_registered_from_it_speaks_in_its_call() {
    let (mut node, path) = a_registered_phone();
    let mut call = stands_twice(&mut node);
    let ring = rings(&path, "sip:5001@127.0.3.5:5060");
    let sent = node.hear(CC_HQ, &ring).the("INVITE");
    let answered = node.hear(phone(), answer(&sent, 200, "p1", &[], &audio("18"))).the("200");
    node.hear(CC_HQ, &Dialog::of_caller(&ring, &answered).request("ACK"));
    let called = Dialog::of_callee(&sent, "p1");
    assert_eq!(node.hear(moved(), &from_there(call.caller.request("UPDATE"))).told(), ["481 to 127.0.3.6:5060"]);
    registered(&mut node, &register_of(moved(), "5001"));
    let again = from_there(call.caller.request("INVITE").body(&audio("18")));
    let again = node.hear(moved(), &again).the("INVITE");
    assert_eq!(again.to, BR);
    assert_eq!(node.hear(BR, answer(&again, 200, "b1", &[], &audio("18"))).the("200").to, moved());
    assert_eq!(node.hear(moved(), &from_there(call.caller.request("ACK"))).the("ACK").to, BR);
    for (mut dialog, to) in [(call.caller, BR), (called, CC_HQ)] {
        assert_eq!(node.hear(moved(), &from_there(dialog.request("BYE"))).the("BYE").to, to);
    }
}

#[test]
fn p_23_a_phone_that_has_a_new_address_hangs_up_its_call_for_help_and_nobody_else_does() {
    let (mut node, _) = a_registered_phone();
    let invite = dials("911").body(&audio("18"));
    let sent = node.hear(phone(), &invite).the("INVITE");
    let answered = node.hear(sent.to, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    let mut call = Dialog::of_caller(&invite, &answered);
    node.hear(phone(), &call.request("ACK")).the("ACK");
    // Whoever has not registered from there has no word in it.
    let mut stranger = call.request("BYE");
    stranger.at = moved();
    assert_eq!(node.hear(moved(), &stranger).told(), ["481 to 127.0.3.6:5060"]);
    registered(&mut node, &register_of(moved(), "5001"));
    assert_eq!(node.hear(moved(), &from_there(call.request("BYE"))).the("BYE").to, sent.to);
}
