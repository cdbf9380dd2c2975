//! A node's life: reload, drain, keepalive, OPTIONS, other transports.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::calls::alice;
use crate::network::{Network, with};
use crate::node::{LINK, Node};
use crate::tool::Plan;

#[test]
fn a_bad_configuration_changes_nothing_and_the_log_says_where_it_is_bad() {
    let network = Network::claim("reload");
    let text = network.pair("hq.toml");
    let hq = Node::start(&network, "hq.toml", &text);
    let lines = text.lines().count();
    let bad = with(&text, "block = true", "route_list = \"RL-HQ\"") + "\n[nonsense]\nkey = 1\n";
    fs::write(hq.file(), bad).unwrap();
    hq.signal("HUP");
    hq.log_line("reload refused");
    let place = format!("hq.toml:{}:", lines + 2);
    assert!(hq.log().contains(&place), "no {place} in\n{}", hq.log());
    hq.shows_such("emcc_config_reloads_total", &[], "one", |reloads| reloads == 1);
    alice(&network, "refused", "91900123").value("status", "403").done();

    let good = with(&text, "block = true", "route_list = \"RL-HQ\"\ndiscard_digits = \"PreDot\"");
    fs::write(hq.file(), good).unwrap();
    hq.signal("HUP");
    hq.log_line("reloaded: new calls follow");
    let gateway = Plan::called(&network, "gateway", network.sip(1, 20)).start();
    alice(&network, "caller", "91900123").done();
    gateway.done().received("INVITE sip:1900123@");
    hq.is_idle_after(1, 1, 0);
}

#[test]
fn a_draining_node_refuses_ordinary_calls_takes_emergencies_and_ends_after_the_last_call() {
    let network = Network::claim("drain");
    let (hq, br) = (Node::hq(&network), Node::br(&network));
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).arguments("-m 2").start();
    let talks =
        alice(&network, "caller", "902079460000").value("hold_ms", "5000").at((network.host(1, 10), 5070).into());
    let mut talks = talks.start();
    hq.link_shows_kbps(24);
    hq.signal("TERM");
    hq.log_line("draining: ");
    assert!(hq.page("/ready").starts_with("HTTP/1.1 503"), "{}", hq.page("/ready"));
    let refused = alice(&network, "refused", "902079460000").value("status", "503").done();
    let refusal = refused.received("SIP/2.0 503");
    assert!(refusal.value("Retry-After").parse::<u32>().is_ok(), "{}", refusal.text);
    assert!(refusal.value("Reason").contains("cause=42;"), "{}", refusal.text);
    alice(&network, "caller", "9911").done();
    assert!(talks.is_running(), "the call that stood goes on");
    talks.done();
    gateway.done();
    let status = hq.ended();
    assert!(status.success(), "{status}");
    br.is_idle_after(2, 0, 0);
}

#[test]
fn a_drain_by_the_api_ends_what_outlasts_it_and_leaves_the_emergency_call() {
    let network = Network::claim("drain_limit");
    let token = network.file("token", "0123456789abcdef\n");
    let text = with(&network.pair("hq.toml"), "[sip]\n", "[sip]\ndrain_s = 2\n");
    let text = with(&text, "[admin]\n", &format!("[admin]\ntoken_file = \"{}\"\n", token.display()));
    let (hq, br) = (Node::start(&network, "hq.toml", &text), Node::br(&network));
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).arguments("-m 2").start();
    let emergency = alice(&network, "caller", "9911").value("hold_ms", "6000").start();
    hq.shows("emcc_calls", &[], 1);
    let ordinary =
        Plan::caller(&network, "ended", (network.host(1, 10), 5071).into(), network.sip(1, 1), "902079460000");
    let ordinary = ordinary.start();
    hq.shows("emcc_calls", &[], 2);
    assert!(hq.post("/api/v1/drain", "wrong").starts_with("HTTP/1.1 401"));
    assert!(hq.page("/ready").starts_with("HTTP/1.1 200"), "nothing changed");
    assert!(hq.post("/api/v1/drain", "0123456789abcdef").starts_with("HTTP/1.1 200"));
    hq.log_line("draining: ");
    hq.log_line("calls outlasted the drain");
    ordinary.done();
    assert_eq!(hq.metric("emcc_calls", &[]), 1, "the emergency call goes on");
    emergency.done();
    gateway.done();
    let status = hq.ended();
    assert!(status.success(), "{status}");
    br.is_idle_after(2, 0, 0);
}

#[test]
fn a_second_signal_stops_a_draining_node_at_once() {
    let network = Network::claim("drain_stop");
    let hq = Node::hq(&network);
    let gateway = Plan::called(&network, "gateway", network.sip(1, 20)).start();
    let caller = alice(&network, "caller", "912125551234").value("hold_ms", "30000").start();
    hq.shows("emcc_calls", &[], 1);
    hq.signal("TERM");
    hq.log_line("draining: ");
    hq.signal("TERM");
    assert!(hq.ended().success());
    drop((caller, gateway));
}

#[test]
fn rfc_3261_11_2_options_to_the_node_is_answered() {
    let network = Network::claim("options");
    let hq = Node::hq(&network);
    for local in [network.sip(1, 10), network.sip(1, 20), network.sip(2, 1)] {
        let asked = Plan::caller(&network, "options", local, network.sip(1, 1), "").done();
        let answer = asked.received("SIP/2.0 200");
        assert!(answer.value("Allow").contains("INVITE"), "{}", answer.text);
        assert!(answer.values("Call-Info").is_empty(), "only a keepalive is answered with one");
    }
    assert_eq!(hq.metric("emcc_keepalives_total", &["event=\"heard\""]), 0, "plain OPTIONS is no keepalive (V-4)");
}

#[test]
fn v_5_a_marked_options_goes_over_the_trunk_while_a_call_stands() {
    let network = Network::claim("keepalive");
    let text = with(&network.pair("hq.toml"), "rsvp_keepalive_s = 15", "rsvp_keepalive_s = 1");
    let (hq, br) = (Node::start(&network, "hq.toml", &text), Node::br(&network));
    let sent = |node: &Node| node.metric("emcc_keepalives_total", &["event=\"sent\""]);
    assert_eq!(sent(&hq), 0, "nothing is held yet");
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
    let caller = alice(&network, "caller", "902079460000").value("hold_ms", "4500").start();
    hq.shows_such("emcc_keepalives_total", &["event=\"heard\""], "two", |heard| heard >= 2);
    // The other end's own interval is 15 s: what it heard is what was sent to it.
    br.shows_such("emcc_keepalives_total", &["event=\"heard\""], "two", |heard| heard >= 2);
    assert_eq!(sent(&br), 0);
    hq.link_shows_kbps(24);
    caller.done();
    gateway.done();
    assert_eq!(hq.metric("emcc_keepalives_total", &["event=\"lost\""]), 0);
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}

#[test]
fn v_4_a_remote_cluster_that_falls_silent_loses_what_was_booked_once() {
    let network = Network::claim("silent_cluster");
    let text = with(&network.pair("hq.toml"), "rsvp_keepalive_s = 15", "rsvp_keepalive_s = 1");
    let (hq, br) = (Node::start(&network, "hq.toml", &text), Node::br(&network));
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
    let caller = alice(&network, "caller", "902079460000").value("hold_ms", "60000").start();
    hq.link_shows_kbps(24);
    drop(br);
    hq.shows("emcc_keepalives_total", &["event=\"lost\""], 1);
    hq.shows(LINK, &[], 0);
    hq.log_line("remote cluster lost");
    drop((caller, gateway));
    assert_eq!(hq.metric("emcc_keepalives_total", &["event=\"lost\""]), 1);
}

#[test]
fn neighbours_are_served_over_tcp() {
    let network = Network::claim("tcp");
    let text = network.pair("hq.toml");
    let text = [network.sip(1, 10), network.sip(1, 20)]
        .iter()
        .fold(text, |text, peer| with(&text, &format!("udp:{peer}"), &format!("tcp:{peer}")));
    let (hq, br) = (Node::start(&network, "hq.toml", &text), Node::br(&network));
    let gateway = Plan::called(&network, "gateway", network.sip(1, 20)).over_tcp().start();
    alice(&network, "caller", "912125551234").over_tcp().done();
    let gateway = gateway.done();
    let invite = gateway.received("INVITE sip:12125551234@");
    assert!(invite.values("Via").iter().all(|via| via.starts_with("SIP/2.0/TCP ")), "{}", invite.text);
    // One call, two transports: the trunk is UDP.
    let gateway = Plan::called(&network, "gateway", network.sip(2, 20)).start();
    let caller = alice(&network, "caller", "9911").over_tcp().done();
    assert_eq!(caller.received("SIP/2.0 200").formats(), "18 101");
    gateway.done();
    hq.is_idle_after(2, 0, 0);
    br.is_idle_after(1, 0, 0);
}

#[test]
fn v_17_the_pair_runs_on_ipv6_and_books_its_longer_headers() {
    let network = Network::claim("ipv6");
    // All share ::1, so that here neighbours are told apart by port.
    let hosts = [(1, 10), (1, 20), (1, 1), (2, 10), (2, 20), (2, 21), (2, 22), (2, 1)];
    let port = |place: usize| 20_000 + u16::from(network.octet()) * 16 + u16::try_from(place).unwrap();
    let at = |site: u8, host: u8| -> SocketAddr {
        let place = hosts.iter().position(|known| *known == (site, host)).unwrap();
        (IpAddr::V6(Ipv6Addr::LOCALHOST), port(place)).into()
    };
    let moved = |name| {
        hosts.iter().fold(network.pair(name), |text: String, (site, host)| {
            text.replace(&format!("{}\"", network.sip(*site, *host)), &format!("{}\"", at(*site, *host)))
        })
    };
    let hq = Node::start(&network, "hq.toml", &moved("hq.toml"));
    let br = Node::start(&network, "br.toml", &moved("br.toml"));
    let gateway = Plan::called(&network, "gateway", at(2, 20)).start();
    let caller = Plan::caller(&network, "caller", at(1, 10), at(1, 1), "9999").value("hold_ms", "2500").start();
    hq.link_shows_kbps(56);
    hq.link_shows_kbps(32);
    caller.done();
    let gateway = gateway.done();
    let invite = gateway.received(&format!("INVITE sip:999@{} ", at(2, 20)));
    assert_eq!(invite.values("Record-Route"), [at(2, 1), at(1, 1)].map(|node| format!("<sip:{node};lr>")));
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}
