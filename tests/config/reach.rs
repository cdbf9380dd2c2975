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

/// The clean file, whose gateway changes calling numbers by one search space and called ones by another.
fn transforming(find: &str, put: &str) -> Vec<(String, String)> {
    let keys = "kind = \"gateway\"\ncalling_transform_css = \"CSS-Calling\"\ncalled_transform_css = \"CSS-Called\"";
    let rows = "\n[[css]]\nname = \"CSS-Calling\"\npartitions = [\"PT-Calling\"]\n\
                [[css]]\nname = \"CSS-Called\"\npartitions = [\"PT-Called\"]\n\
                [[transformation_pattern]]\nkind = \"calling\"\npattern = \"5XXX\"\npartition = \"PT-Calling\"\nmask = \"1\"\n\
                [[transformation_pattern]]\nkind = \"called\"\npattern = \"9!\"\npartition = \"PT-Called\"\nmask = \"2\"\n";
    let text = CLEAN.replacen("kind = \"gateway\"", keys, 1) + rows;
    assert!(text.contains(find), "{find}");
    let text = if find.is_empty() { text + put } else { text.replacen(find, put, 1) };
    problems_of(&text).into_iter().map(|problem| (problem.key, problem.message)).collect()
}

#[test]
fn a_pattern_that_its_search_spaces_can_never_meet_is_told_d24() {
    assert_eq!(transforming("", ""), []);
    let trunk = "device_pool = \"DP-HQ\"\n\n[emcc_template]";
    let also_called = "device_pool = \"DP-HQ\"\ncalling_transform_css = \"CSS-Called\"\n\n[emcc_template]";
    let row = |kind: &str, partition: &str| {
        format!(
            "[[transformation_pattern]]\nkind = \"{kind}\"\npattern = \"6XXX\"\npartition = \"{partition}\"\nmask = \"3\"\n"
        )
    };
    let plain = "[[route_pattern]]\npattern = \"6XXX\"\npartition = \"PT-Calling\"\nroute_list = \"RL\"\n";
    let never = "PT-Calling\" never act: no called_transform_css lists it";
    let [called, callers, calling] =
        [row("called", "PT-Calling"), row("called", "PT-Local"), row("calling", "PT-Emergency")];
    for (find, put, told) in [
        (
            trunk,
            also_called,
            Some(("emcc_trunk.calling_transform_css", "\"CSS-Called\" changes no number: it has no calling")),
        ),
        ("", &called, Some(("transformation_pattern[2].partition", never))),
        ("", &callers, Some(("transformation_pattern[2].partition", "PT-Local\" never act: no called_transform_css"))),
        ("", &calling, Some(("transformation_pattern[2].partition", "PT-Emergency\" never act: no calling_transform"))),
        ("", plain, Some(("route_pattern[3].partition", "no calling search space of a caller lists it"))),
        // A pattern of no partition is in every search space.
        ("partition = \"PT-Calling\"\n", "", Some(("css[2].partitions[0]", "no pattern is in"))),
        // One search space may have both.
        ("[\"PT-Called\"]", "[\"PT-Called\", \"PT-Calling\"]", None),
    ] {
        let seen = transforming(find, put);
        match told {
            Some((key, says)) => {
                assert!(matches!(&seen[..], [(at, said)] if at == key && said.contains(says)), "{put}: {seen:?}");
            }
            None => assert_eq!(seen, [], "{put}"),
        }
    }
    // The two keys in one another's place are two mistakes, not four.
    let swapped = "calling_transform_css = \"CSS-Called\"\ncalled_transform_css = \"CSS-Calling\"";
    let keys = "calling_transform_css = \"CSS-Calling\"\ncalled_transform_css = \"CSS-Called\"";
    let told: Vec<_> = transforming(keys, swapped).into_iter().map(|(key, _)| key).collect();
    assert_eq!(told, ["peer[1].calling_transform_css", "peer[1].called_transform_css"]);
}
