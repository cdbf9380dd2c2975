//! Gateways that fail, and what is tried then (P-8).

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use crate::calls::alice;
use crate::network::{Network, with};
use crate::node::Node;
use crate::script::{Body, Script};
use crate::tool::{Plan, Traced};

const DIALED: [(&str, &str); 2] = [("902079460000", "02079460000"), ("9911", "999")];

#[test]
fn p_8_a_gateway_that_answers_503_is_followed_by_the_next() {
    let network = Network::claim("answers_503");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    for (dialed, called) in DIALED {
        let first = Plan::called(&network, "gateway_refuses", network.sip(2, 20)).value("status", "503").start();
        let second = Plan::called(&network, "gateway", network.sip(2, 21)).start();
        alice(&network, "caller", dialed).done();
        first.done().received(&format!("INVITE sip:{called}@{} ", network.sip(2, 20)));
        second.done().received(&format!("INVITE sip:{called}@{} ", network.sip(2, 21)));
    }
    br.shows("emcc_hops_failed_over_total", &[], 2);
    hq.shows("emcc_hops_failed_over_total", &[], 0);
    br.is_idle_after(2, 0, 0);
    hq.is_idle_after(2, 0, 0);
}

#[test]
fn p_8_a_silent_gateway_is_given_up_after_four_seconds() {
    let network = Network::claim("silent");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let silent = UdpSocket::bind(network.sip(2, 20)).unwrap();
    silent.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let second = Plan::called(&network, "gateway", network.sip(2, 21)).start();
    let caller = alice(&network, "caller", "902079460000").done();
    let waited_ms = caller.waited_ms("SIP/2.0 200");
    assert!((3_900..9_000).contains(&waited_ms), "{waited_ms} ms");
    second.done();
    let mut copies = Vec::new();
    let mut buffer = [0; 4_000];
    while let Ok(length) = silent.recv(&mut buffer) {
        copies.push(buffer[..length].to_vec());
    }
    assert!(copies[0].starts_with(b"INVITE sip:02079460000@"));
    assert_eq!(copies.len(), 4, "RFC 3261 section 17.1.1.2: at 0, 0.5, 1.5 and 3.5 seconds");
    assert!(copies.iter().all(|copy| *copy == copies[0]), "copies are copies");
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}

#[test]
fn p_8_a_gateway_that_does_not_run_costs_no_wait() {
    let network = Network::claim("absent");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    for (dialed, called) in DIALED {
        let second = Plan::called(&network, "gateway", network.sip(2, 21)).start();
        let waited_ms = alice(&network, "caller", dialed).done().waited_ms("SIP/2.0 200");
        assert!(waited_ms < 2_000, "{waited_ms} ms: the host said at once that nobody listens");
        second.done().received(&format!("INVITE sip:{called}@{} ", network.sip(2, 21)));
    }
    br.shows("emcc_hops_failed_total", &[], 2);
    for node in [&hq, &br] {
        node.is_idle_after(2, 0, 0);
    }
}

#[test]
fn p_8_rfc_3261_16_7_step_6_when_every_gateway_fails_the_best_failure_goes_back_and_503_as_500() {
    let network = Network::claim("all_fail");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    for (first, second, status) in [("503", "503", "500"), ("503", "486", "486"), ("500", "603", "603")] {
        let gateways = [(20, first), (21, second)].map(|(host, status)| {
            Plan::called(&network, "gateway_refuses", network.sip(2, host)).value("status", status).start()
        });
        alice(&network, "refused", "902079460000").value("status", status).done();
        for gateway in gateways {
            gateway.done();
        }
    }
    for node in [&hq, &br] {
        node.is_idle_after(0, 3, 0);
    }
}

#[test]
fn p_8_a_busy_number_ends_an_ordinary_call_and_not_an_emergency() {
    let network = Network::claim("busy");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let refuses = || Plan::called(&network, "gateway_refuses", network.sip(2, 20)).value("status", "486").start();
    let first = refuses();
    alice(&network, "refused", "902079460000").value("status", "486").done();
    first.done();
    let (first, second) = (refuses(), Plan::called(&network, "gateway", network.sip(2, 21)).start());
    alice(&network, "caller", "9911").done();
    first.done();
    second.done();
    for node in [&hq, &br] {
        node.is_idle_after(1, 1, 0);
    }
}

#[test]
fn p_23_a_gateway_over_tcp_that_is_restarted_while_an_emergency_rings_is_asked_again() {
    let network = Network::claim("restarted_tcp");
    let gateway = network.sip(2, 20);
    let text = with(&network.pair("br.toml"), &format!("udp:{gateway}"), &format!("tcp:{gateway}"));
    let (hq, br) = (Node::hq(&network), Node::start(&network, "br.toml", &text));
    let listens = TcpListener::bind(gateway).unwrap();
    let caller = alice(&network, "caller", "9911").start();
    let (mut stream, _) = listens.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut buffer = [0; 8_000];
    let length = stream.read(&mut buffer).unwrap();
    let invite = Traced::read(&buffer[..length]);
    assert!(invite.text.starts_with("INVITE sip:999@"), "{}", invite.text);
    let copied = ["Via", "Record-Route", "From", "Call-ID", "CSeq"];
    let copied =
        copied.map(|name| invite.values(name).iter().map(|value| format!("{name}: {value}\r\n")).collect::<String>());
    let to = invite.value("To");
    write!(stream, "SIP/2.0 180 Ringing\r\n{}To: {to};tag=old\r\nContent-Length: 0\r\n\r\n", copied.concat()).unwrap();
    br.shows("emcc_stream_events_total", &["event=\"connected\""], 1);
    drop((stream, listens));
    // Its process starts again, and knows nothing of the call: nor of the INVITE that is given up for it.
    let script = Script::new().awaits("INVITE").answers(200, "", Body::Sdp).awaits("CANCEL").within(481).awaits("ACK");
    let script = script.awaits("BYE").agrees("", Body::None);
    let again = Plan::plays(&network, "restarted", gateway, &script).over_tcp().start();
    let caller = caller.done();
    again.done().received("INVITE sip:999@");
    let waited_ms = caller.waited_ms("SIP/2.0 200");
    assert!(waited_ms < 8_000, "{waited_ms} ms");
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}
