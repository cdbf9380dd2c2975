//! Neighbours no listener reaches: their calls, emergency calls too, would be refused at once (P-23).

use super::*;

const LISTEN: &str = "listen = [\"udp:127.0.1.1:5060\", \"tcp:127.0.1.1:5060\"]";
const GATEWAY: &str = "[\"udp:127.0.1.20:5060\"]";

#[test]
fn p_23_a_neighbour_no_listener_reaches_is_a_mistake_and_one_address_of_several_a_doubt() {
    let (gateway, trunk) = ("peer[1].addresses[0]", "remote_cluster[0].trunk[0]");
    each_gives_exactly_its_problem(&[
        error(
            LISTEN,
            "listen = [\"udp:127.0.1.1:5060\"]",
            trunk,
            "listens on no tcp address, so no call reaches \"BR\"",
        )
        .mark("trunk = [§\"tcp:127.0.2.1:5060\"]"),
        error(GATEWAY, "[§\"udp:[2001:db8::20]:5060\"]", gateway, "listens on no udp IPv6 address, so no call reaches"),
        error(GATEWAY, "[§\"tcp:[2001:db8::20]:5060\"]", gateway, "listens on no tcp IPv6 address"),
        error(LISTEN, "listen = [\"udp:127.0.1.1:5060\", \"tcp:[::1]:5060\"]", trunk, "listens on no tcp IPv4 address")
            .mark("trunk = [§\"tcp:127.0.2.1:5060\"]"),
        warning(
            GATEWAY,
            "[\"udp:127.0.1.20:5060\", §\"udp:[2001:db8::20]:5060\"]",
            "peer[1].addresses[1]",
            "listens on no udp IPv6 address",
        ),
    ]);
}

#[test]
fn p_23_a_name_no_listener_reaches_is_a_mistake_too() {
    let udp_alone = CLEAN.replacen(LISTEN, "listen = [\"udp:127.0.1.1:5060\"]", 1).replacen("\"tcp:", "\"udp:", 1);
    for (written, want) in [
        ("tcp:gw.example.com", Some(Severity::Error)),
        ("tcp:gw.example.com\", \"udp:127.0.1.20:5060", Some(Severity::Warning)),
        ("udp:gw.example.com", None),
        ("gw.example.com", None),
    ] {
        let problems = problems_of(&udp_alone.replacen("udp:127.0.1.20:5060", written, 1));
        let of_it = problems.iter().find(|problem| problem.message.contains("listens on no tcp address"));
        assert_eq!(of_it.map(|problem| problem.severity), want, "{written}: {problems:?}");
    }
}

#[test]
fn a_wildcard_listener_of_ipv6_reaches_both_families() {
    let both = "listen = [\"udp:[::]:5060\", \"tcp:[::]:5060\"]\nadvertise = \"127.0.1.1\"";
    let text = CLEAN.replacen(LISTEN, both, 1);
    assert_eq!(problems_of(&text), []);
    assert_eq!(problems_of(&text.replacen("udp:127.0.1.20:5060", "udp:[2001:db8::20]:5060", 1)), []);
    let one = text.replace("[::]", "[::1]");
    let errors = problems_of(&one).into_iter().filter(|problem| problem.severity == Severity::Error).count();
    assert_eq!(errors, 3, "both peers and the trunk");
}
