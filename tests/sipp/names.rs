//! Neighbours given by name (RFC 3263): found by SRV, kept when the DNS falls silent, followed when the name moves.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::{fs, thread};

use hickory_resolver::proto::rr::RecordType;

use crate::calls::alice;
use crate::dns::Dns;
use crate::network::{Network, with};
use crate::node::Node;
use crate::tool::Plan;

const SERVICE: &str = "_sip._udp.gw.example.com";

/// The visited cluster's node with its first gateway by name.
fn named_br(network: &Network, dns: &Dns, place: &str) -> Node {
    let text = with(&network.pair("br.toml"), "[sip]\n", &format!("[sip]\ndns = [\"{}\"]\n", dns.at));
    let text = with(&text, &format!("\"udp:{}\"", network.sip(2, 20)), &format!("\"{place}\""));
    Node::start(network, "br.toml", &text)
}

fn dns(network: &Network) -> Dns {
    Dns::start(SocketAddr::new(network.host(0, 53), 0))
}

/// Waits until the gateway's name leads to so many addresses.
fn leads_to(br: &Node, addresses: u64) {
    br.shows("emcc_neighbour_addresses", &["neighbour=\"gw-br-1\"", "state=\"up\""], addresses);
}

/// Places a call that the gateway at `host` answers.
fn answered_at(network: &Network, host: u8) {
    let gateway = Plan::called(network, "gateway", network.sip(2, host)).start();
    alice(network, "caller", "902079460000").done();
    gateway.done().received(&format!("INVITE sip:02079460000@{} ", network.sip(2, host)));
}

#[test]
fn rfc_3263_4_2_a_gateway_is_found_by_srv_and_its_next_target_tried_when_the_first_is_not_there() {
    let network = Network::claim("srv");
    let dns = dns(&network);
    dns.service(SERVICE, 20, 5060, "b.example.com");
    dns.service(SERVICE, 10, 5060, "a.example.com");
    dns.host("a.example.com", network.host(2, 30));
    dns.host("b.example.com", network.host(2, 31));
    let (hq, br) = (Node::hq(&network), named_br(&network, &dns, "udp:gw.example.com"));
    leads_to(&br, 2);
    answered_at(&network, 30);
    assert_eq!(br.metric("emcc_hops_failed_over_total", &[]), 0);
    // Nobody is at the first target now.
    answered_at(&network, 31);
    assert_eq!(br.metric("emcc_hops_failed_over_total", &[]), 1);
    for node in [&hq, &br] {
        node.is_idle_after(2, 0, 0);
    }
}

#[test]
fn rfc_3263_4_2_a_silent_dns_takes_nobody_out_and_a_name_that_moved_is_followed() {
    let network = Network::claim("moves");
    let dns = dns(&network);
    dns.host("gw.example.com", network.host(2, 30));
    let (hq, br) = (Node::hq(&network), named_br(&network, &dns, "udp:gw.example.com:5060"));
    leads_to(&br, 1);
    dns.silent(true);
    br.shows_such("emcc_name_lookups_total", &["outcome=\"failed\""], "one", |failed| failed >= 1);
    br.log_line("was not found");
    answered_at(&network, 30);
    dns.clear();
    dns.host("gw.example.com", network.host(2, 31));
    dns.silent(false);
    let row = format!("\"udp:{}\"", network.sip(2, 31));
    let mut looks = 0;
    while !br.page("/api/v1/neighbours").contains(&row) {
        looks += 1;
        assert!(looks < 100_000, "the name was not followed:\n{}", br.log());
    }
    answered_at(&network, 31);
    for node in [&hq, &br] {
        node.is_idle_after(2, 0, 0);
    }
}

#[test]
fn p_23_a_start_and_a_reload_know_where_a_name_leads_before_the_first_call() {
    let network = Network::claim("first");
    let dns = dns(&network);
    dns.host("gw.example.com", network.host(2, 30));
    dns.host("other.example.com", network.host(2, 31));
    // The first question is lost; the second is asked 2 s later.
    dns.silent(true);
    let br = thread::scope(|scope| {
        scope.spawn(|| {
            while dns.asked().is_empty() {
                thread::yield_now();
            }
            dns.silent(false);
        });
        named_br(&network, &dns, "udp:gw.example.com:5060")
    });
    let leads = |host: u8| br.page("/api/v1/neighbours").contains(&format!("\"udp:{}\"", network.sip(2, host)));
    assert!(leads(30), "as soon as it says that it is ready");
    let text = fs::read_to_string(br.file()).unwrap();
    fs::write(br.file(), text.replace("gw.example.com", "other.example.com")).unwrap();
    br.signal("HUP");
    br.log_line("reloaded: new calls follow");
    assert!(leads(31) && !leads(30), "as soon as it says that it runs");
}

#[test]
fn rfc_3263_4_1_and_4_2_a_node_starts_and_serves_while_a_name_leads_nowhere() {
    let network = Network::claim("nowhere");
    let dns = dns(&network);
    let (hq, br) = (Node::hq(&network), named_br(&network, &dns, "gw.example.com"));
    br.log_line("was not found: no such name");
    for dialed in ["902079460000", "9911"] {
        let gateway = Plan::called(&network, "gateway", network.sip(2, 21)).start();
        alice(&network, "caller", dialed).done();
        gateway.done();
    }
    dns.service(SERVICE, 0, 5060, "a.example.com");
    dns.host("a.example.com", network.host(2, 30));
    leads_to(&br, 1);
    answered_at(&network, 30);
    for node in [&hq, &br] {
        node.is_idle_after(3, 0, 0);
    }
}

#[test]
fn rfc_3263_4_1_and_rfc_3403_a_bare_domain_is_resolved_by_naptr_then_srv_then_address() {
    let network = Network::claim("naptr");
    let dns = dns(&network);
    let domain = "gw.example.com";
    // The records choose the transport, and lead to names that are not the usual ones of the domain.
    dns.domain(domain, 20, "SIP+D2U", SERVICE);
    dns.domain(domain, 10, "SIP+D2T", "_sip._tcp.pool.example.net");
    dns.service("_sip._tcp.pool.example.net", 10, 5070, "a.example.net");
    dns.service(SERVICE, 10, 5060, "b.example.com");
    dns.host("a.example.net", network.host(2, 30));
    dns.host("b.example.com", network.host(2, 31));
    let (hq, br) = (Node::hq(&network), named_br(&network, &dns, domain));
    leads_to(&br, 1);
    let asked = dns.asked();
    let first = [(domain, RecordType::NAPTR), ("_sip._tcp.pool.example.net", RecordType::SRV)];
    let first = first.map(|(name, kind)| (name.to_owned(), kind));
    assert_eq!(asked[..2], first, "{asked:?}");
    assert!(asked[2..].contains(&("a.example.net".to_owned(), RecordType::A)), "{asked:?}");
    assert!(asked.iter().all(|(name, _)| *name != SERVICE), "the service that is preferred is there: {asked:?}");
    let at = SocketAddr::new(network.host(2, 30), 5070);
    let gateway = Plan::called(&network, "gateway", at).over_tcp().start();
    alice(&network, "caller", "902079460000").done();
    let gateway = gateway.done();
    let invite = gateway.received(&format!("INVITE sip:02079460000@{at};transport=tcp "));
    assert!(invite.values("Via")[0].starts_with("SIP/2.0/TCP "), "{}", invite.text);
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}

#[test]
fn rfc_3263_4_2_a_gateway_whose_name_has_an_aaaa_record_alone_is_reached_over_ipv6() {
    let network = Network::claim("aaaa");
    let dns = dns(&network);
    let local =
        |place: u16| SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 20_000 + u16::from(network.octet()) * 16 + place);
    // All of them share ::1: the pair on IPv6 has the first eight ports.
    let (node, gateway) = (local(8), local(9));
    dns.service(SERVICE, 10, gateway.port(), "six.example.com");
    dns.host("six.example.com", IpAddr::V6(Ipv6Addr::LOCALHOST));
    let text = with(&network.pair("br.toml"), "[sip]\n", &format!("[sip]\ndns = [\"{}\"]\n", dns.at));
    let text = with(&text, "listen = [\"udp:127", &format!("listen = [\"udp:{node}\", \"udp:127"));
    let text = with(&text, &format!("\"udp:{}\"", network.sip(2, 20)), "\"udp:gw.example.com\"");
    let (hq, br) = (Node::hq(&network), Node::start(&network, "br.toml", &text));
    leads_to(&br, 1);
    assert!(dns.asked().contains(&("six.example.com".to_owned(), RecordType::AAAA)));
    let answers = Plan::called(&network, "gateway", gateway).start();
    alice(&network, "caller", "902079460000").done();
    let answers = answers.done();
    let invite = answers.received(&format!("INVITE sip:02079460000@{gateway} "));
    assert!(invite.values("Via")[0].starts_with(&format!("SIP/2.0/UDP {node};")), "{}", invite.text);
    let routes = [format!("<sip:{node};lr>"), format!("<sip:{};lr>", network.sip(2, 1))];
    assert_eq!(invite.values("Record-Route")[..2], routes, "RFC 5658: each side has its own");
    for node in [&hq, &br] {
        node.is_idle_after(1, 0, 0);
    }
}
