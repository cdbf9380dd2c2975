//! Overload control between SIPp and the node, both ways (RFC 7339), and the rate a neighbour asks for (RFC 7415).

use crate::calls::alice;
use crate::network::{Network, with};
use crate::node::Node;
use crate::script::{Body, Script};
use crate::tool::{Plan, Sipp, Traced};

/// A number that leaves by the home cluster's gateways.
const NUMBER: &str = "912125551234";
const OUT: &str = "sip:912125551234@[remote_ip]:[remote_port]";

/// The home cluster's node with two gateways that are asked for their load.
fn two_gateways(network: &Network) -> Node {
    let text = with(&network.pair("hq.toml"), "name = \"gw-hq\"\n", "name = \"gw-hq\"\noverload_control = true\n");
    let text = with(&text, "peers = [\"gw-hq\"]", "peers = [\"gw-hq\", \"gw-hq-2\"]");
    let second = format!("name = \"gw-hq-2\"\nkind = \"gateway\"\naddresses = [\"udp:{}\"]", network.sip(1, 21));
    Node::start(network, "hq.toml", &format!("{text}\n[[peer]]\n{second}\noverload_control = true\n"))
}

/// A gateway that answers every call until it is dropped.
fn living(network: &Network, host: u8) -> Sipp {
    Plan::called(network, "living", network.sip(1, host)).arguments("-m 1000").start()
}

/// The INVITEs a gateway got.
fn invites(gateway: &Sipp) -> Vec<Traced> {
    let trace = gateway.trace().into_iter();
    trace.filter(|traced| !traced.is_sent && traced.text.starts_with("INVITE ")).collect()
}

/// A gateway refuses one call as busy, and tells its load.
fn tells(network: &Network, host: u8, report: &str) {
    let busy = Script::new().awaits("INVITE").reports(486, report).awaits("ACK");
    let busy = Plan::plays(network, "tells", network.sip(1, host), &busy).start();
    let refused = alice(network, "refused", NUMBER).value("status", "486").done();
    let via = refused.received("SIP/2.0 486").value("Via").to_owned();
    assert!(!via.contains(";oc"), "a report is for who asked: {via}");
    let asked = busy.done().received("INVITE").values("Via")[0].to_owned();
    assert!(asked.ends_with(";oc;oc-algo=\"loss\""), "section 4: {asked}");
}

/// The top Via's overload parameters.
fn report(message: &Traced) -> (String, String) {
    let via = message.values("Via")[0];
    let of = |name: &str| via.split(';').find_map(|param| param.strip_prefix(name)).unwrap_or("none").to_owned();
    (of("oc="), of("oc-validity="))
}

#[test]
fn rfc_7339_4_who_asks_is_told_the_load_in_every_response_and_100_by_a_node_that_drains() {
    let network = Network::claim("load_told");
    let hq = Node::hq(&network);
    let gateway = Plan::plays(&network, "called", network.sip(1, 20), &Script::answering("")).start();
    // The caller shows that it hears us: a node that does not know that has room in a 100 for no more than it must say.
    let known = Script::new().invite(OUT, "Proxy-Require: x-one\n").may_hear(100).expect(420).ack_failure(OUT).asking();
    let known_at = (network.host(1, 10), 5071).into();
    Plan::calls(&network, "known", known_at, network.sip(1, 1), &known).done();
    // It stands for as long as the test looks at it.
    let stands = Script::new().invite(OUT, "").expect(100).may_hear(180).expect(200).ack(Body::None).pause(60_000);
    let stands = Plan::calls(&network, "stands", network.sip(1, 10), network.sip(1, 1), &stands.asking()).start();
    hq.shows("emcc_sip_requests_sent_total", &["method=\"ACK\""], 1);
    hq.signal("TERM");
    hq.log_line("draining: ");
    let refused = Script::new().invite(OUT, "").may_hear(100).expect(503).ack_failure(OUT).asking();
    let at = (network.host(1, 10), 5070).into();
    let refused = Plan::calls(&network, "refused", at, network.sip(1, 1), &refused).done();
    assert_eq!(report(refused.received("SIP/2.0 503")).0, "100");
    let stood = stands.trace();
    let heard: Vec<_> = stood.iter().filter(|traced| !traced.is_sent && traced.text.starts_with("SIP/2.0 ")).collect();
    assert!(heard.iter().any(|answer| answer.text.starts_with("SIP/2.0 100")), "the node's own answer");
    assert!(heard.iter().any(|answer| answer.text.starts_with("SIP/2.0 200")), "one that passes by");
    for answer in heard {
        assert_eq!(report(answer), ("0".to_owned(), "0".to_owned()), "nothing is lost: {}", answer.text);
    }
    assert!(!invites(&gateway)[0].values("Via")[0].contains(";oc"), "a gateway is not asked");
}

#[test]
fn rfc_7339_5_who_reports_loss_is_spared_new_calls_and_no_emergency_until_it_says_otherwise() {
    let network = Network::claim("load_heard");
    let hq = two_gateways(&network);
    tells(&network, 20, ";oc=100;oc-algo=\"loss\";oc-validity=60000;oc-seq=1.1");
    let second = living(&network, 21);
    for _ in 0..3 {
        alice(&network, "caller", NUMBER).done();
    }
    assert_eq!(invites(&second).len(), 3);
    hq.shows("emcc_neighbour_spared_total", &[], 3);
    drop(second);
    // Nor is there room at the other one: it is not this node that is overloaded (RFC 3261 section 16.7).
    tells(&network, 21, ";oc=100;oc-algo=\"loss\";oc-validity=60000;oc-seq=1.1");
    let refused = alice(&network, "refused", NUMBER).value("status", "500").done();
    assert_eq!(refused.received("SIP/2.0 500").value("Retry-After"), "1");
    // An emergency call is never held back (section 5.10.1), and what comes back of it says that the load is over.
    let calm = Script::new().awaits("INVITE").reports(180, ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1.2").pause(50);
    let calm = calm.answers(200, "", Body::Sdp).awaits("ACK").awaits("BYE").agrees("", Body::None);
    let calm = Plan::plays(&network, "calm", network.sip(1, 20), &calm).start();
    alice(&network, "caller", "9911").value("from", "5002").value("headers", "").done();
    calm.done().received("INVITE sip:911@");
    let first = living(&network, 20);
    alice(&network, "caller", NUMBER).done();
    assert_eq!(invites(&first).len(), 1);
    hq.is_idle_after(5, 3, 0);
}

#[test]
fn rfc_7339_5_10_1_who_reports_half_is_spared_about_half_of_new_calls_and_no_emergency() {
    const CALLS: usize = 200;
    const EMERGENCIES: usize = 40;
    let network = Network::claim("load_half");
    let hq = two_gateways(&network);
    tells(&network, 20, ";oc=50;oc-algo=\"loss\";oc-validity=600000;oc-seq=1.1");
    let (first, second) = (living(&network, 20), living(&network, 21));
    let many = |calls: usize| format!("-m {calls} -r 50");
    alice(&network, "caller", NUMBER).value("hold_ms", "10").arguments(&many(CALLS)).done();
    let (taken, spared) = (invites(&first).len(), invites(&second).len());
    assert_eq!(taken + spared, CALLS, "who is spared a call is followed by the other");
    // Half of 200: 100, and six standard deviations of 7.1.
    assert!((57..=143).contains(&spared), "{taken} calls taken, {spared} spared");
    hq.shows("emcc_neighbour_spared_total", &[], spared as u64);
    // Were half of these spared too, all forty would come to the first once in 2^40.
    let emergencies =
        alice(&network, "caller", "9911").value("from", "5002").value("headers", "").value("hold_ms", "10");
    emergencies.arguments(&many(EMERGENCIES)).done();
    let (first, second) = (invites(&first), invites(&second));
    assert_eq!((first.len(), second.len()), (taken + EMERGENCIES, spared));
    assert!(first[taken..].iter().all(|invite| invite.text.starts_with("INVITE sip:911@")));
    hq.shows("emcc_neighbour_spared_total", &[], spared as u64);
    hq.is_idle_after((CALLS + EMERGENCIES) as u64, 1, 0);
}

#[test]
fn rfc_7415_3_a_neighbour_that_asks_for_a_rate_gets_no_more_calls_than_that_and_the_others_go_elsewhere() {
    const CALLS: usize = 60;
    let network = Network::claim("rate");
    let hq = two_gateways(&network);
    // Two calls a second.
    tells(&network, 20, ";oc=2;oc-algo=\"rate\";oc-validity=60000;oc-seq=1.1");
    let (first, second) = (living(&network, 20), living(&network, 21));
    let calls = alice(&network, "caller", NUMBER).value("hold_ms", "10").arguments(&format!("-m {CALLS} -r 30"));
    let calls = calls.done();
    let (first, second) = (invites(&first).len(), invites(&second).len());
    assert_eq!(first + second, CALLS);
    assert!(first >= 1, "it is not shut out");
    // What the rate gives in the time that all of them took, the hour of the trace's clock over or not, what was saved
    // up before, and one for what is begun of another.
    let [began, ended] = [calls.trace.first(), calls.trace.last()].map(|traced| traced.unwrap().at_ms);
    let allowed = 2 * ((ended + 3_600_000 - began) % 3_600_000) / 1_000 + 2;
    assert!(first as u64 <= allowed, "{first} of {CALLS} calls where {allowed} may come");
    hq.shows("emcc_neighbour_spared_total", &[], second as u64);
    hq.is_idle_after(CALLS as u64, 1, 0);
}
