//! What the engine gets from a configuration.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

use emcc_policies::admission::RsvpPolicy;
use emcc_policies::digits::Digits;
use emcc_policies::location::Geolocation;
use emcc_policies::moment::{Civil, Moment};
use emcc_policies::route::{PeerId, PeerKind};
use emcc_policies::search_space::{Outcome, Target};
use emcc_policies::trail::Names;
use emcc_trunk::config::plan::{Neighbour, RemoteClusterId, Side};
use emcc_trunk::config::{Plan, Transport, load, load_text};
use emcc_trunk::neighbour::Address;
use emcc_trunk::neighbour::locate::{Located, Named};
use emcc_trunk::neighbour::names::Names as NamesKnown;
use emcc_trunk::neighbour::select::Rank;
use std::net::SocketAddr;
use std::path::Path;

fn home() -> Plan {
    load(Path::new("examples/pair/hq.toml")).expect("the pair loads").plan
}

fn visited() -> Plan {
    load(Path::new("examples/pair/br.toml")).expect("the pair loads").plan
}

fn plan_of(name: &str, text: &str) -> Plan {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("plan-{name}-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("the target folder can be written");
    let loaded = load(&path);
    let _ = std::fs::remove_file(&path);
    loaded.unwrap_or_else(|problems| panic!("{name}: {problems:#?}")).plan
}

fn socket(text: &str) -> SocketAddr {
    text.parse().expect("a socket address")
}

#[test]
fn the_home_plan_has_what_its_file_says() {
    let plan = home();
    assert_eq!((&*plan.cluster.id, plan.cluster.max_phones), ("HQ", 60_000));
    assert_eq!(plan.sip.listen.len(), 2);
    assert_eq!(plan.sip.listen[0].address.to_string(), "udp:127.0.1.1:5060");
    assert_eq!(plan.sip.listen[0].advertised, socket("127.0.1.1:5060"));
    assert_eq!((plan.sip.no_response_ms, plan.sip.ring_ms), (4_000, 181_000));
    assert!(plan.sip.workers >= 1);
    assert_eq!(plan.admin_listen, socket("127.0.1.1:9411"));
    assert!(plan.profile.emcc && plan.profile.pstn_access && plan.profile.rsvp_agent);
    assert_eq!(
        (plan.feature.region.audio_kbps, plan.feature.region.video_kbps, plan.feature.rsvp_keepalive_s),
        (8, 384, 15)
    );
    let branch = plan.remote_cluster(RemoteClusterId(0)).unwrap();
    assert_eq!((&*branch.id, branch.rsvp_policy), ("BR", RsvpPolicy::MandatoryVideoDesired));
    assert_eq!(branch.pstn_access_rsvp_policy, branch.rsvp_policy);
    assert_eq!((branch.link.audio_kbps, branch.link.video_kbps), (Some(2_000), Some(4_000)));
    assert_eq!(branch.rsvp_trunk, branch.addresses);
    assert!(!branch.region_differs && branch.services.rsvp_agent && branch.send_geolocation);
    assert_eq!(plan.peer(PeerId(1)).map(|peer| (&*peer.name, peer.kind)), Some(("gw-hq", PeerKind::Gateway)));
    assert_eq!(plan.routes.last_resort, [PeerId(1)]);
}

#[test]
fn a_user_abroad_is_placed_by_geolocation_with_adjunct_line_and_emcc_css() {
    let plan = home();
    let session = plan.session(plan.session_on("sep001122334455").unwrap()).unwrap();
    let Side::Home { user, visiting, roaming, search_space, .. } = &session.side else { panic!("{session:?}") };
    assert_eq!(plan.user_with_id("alice"), Some(*user));
    assert_eq!(plan.remote_cluster_with_id("BR"), Some(*visiting));
    assert_eq!(
        roaming.device_pool.map(|pool| plan.device_pool(pool).unwrap().name.to_string()).as_deref(),
        Some("DP-Roam-London")
    );
    assert_eq!((roaming.score, roaming.fallback), (2, false));
    let names: Vec<_> = search_space.iter().map(|css| plan.css(*css)).collect();
    assert_eq!(names, ["CSS-Adjunct-London", "CSS-Line", "CSS-EMCC"]);
    assert_eq!(plan.session_of(*user), plan.session_on("SEP001122334455"));
}

#[test]
fn a_place_nobody_has_falls_back_to_the_templates_pool() {
    let plan = home();
    for (place, pool, fallback) in [
        ("country=GB,A3=London", "DP-Roam-London", false),
        ("country=US,A3=RTP", "DP-HQ", false),
        ("country=FR", "DP-Template", true),
    ] {
        let chosen = plan.roaming_pool(Geolocation::parse(place).ok().as_ref());
        assert_eq!(chosen.device_pool.map(|pool| Names::device_pool(&plan, pool)), Some(pool), "{place}");
        assert_eq!(chosen.fallback, fallback, "{place}");
    }
}

#[test]
fn g5_to_g9_each_session_is_placed_by_what_the_visited_cluster_said_under_our_own_filter() {
    let text = std::fs::read_to_string("examples/pair/hq.toml").expect("the pair is there");
    let place = "geolocation = { country = \"GB\", A3 = \"London\", FLR = \"2\" }\n";
    let filter = "fields = [\"country\", \"A3\"]";
    assert!(text.contains(place) && text.contains(filter));
    for (said, fields, pool, warned) in [
        (place, filter, "DP-Roam-London", ""),
        ("geolocation = { country = \"gb\", A3 = \" LONDON \" }\n", filter, "DP-Roam-London", ""),
        ("geolocation = { country = \"US\" }\n", filter, "DP-HQ", ""),
        ("geolocation = { FLR = \"2\" }\n", filter, "DP-Template", ""),
        ("", filter, "DP-Template", ""),
        // Our filter decides, not what the phone's cluster thinks of its place (G-6).
        (place, "fields = [\"A1\"]", "DP-Template", ""),
        // Nothing tells these two apart, so that their names do (G-7).
        ("geolocation = { country = \"GB\" }\n", "fields = [\"country\"]", "DP-Also-London", "(G-7)"),
    ] {
        let mut text = text.replace(place, said).replace(filter, fields);
        if !warned.is_empty() {
            text += "\n[[device_pool]]\nname = \"DP-Also-London\"\ngeolocation = \"GL-London\"\n";
        }
        let loaded = load_text("hq", &text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let plan = &loaded.plan;
        let session = plan.session(plan.session_on("SEP001122334455").unwrap()).unwrap();
        let Side::Home { roaming, .. } = &session.side else { panic!("{session:?}") };
        assert_eq!(roaming.device_pool.map(|pool| Names::device_pool(plan, pool)), Some(pool), "{said} {fields}");
        let is_warned = loaded.warnings.iter().any(|problem| format!("{problem:?}").contains("(G-7)"));
        assert_eq!(is_warned, !warned.is_empty(), "{said} {fields}: {:#?}", loaded.warnings);
    }
    let text = std::fs::read_to_string("examples/pair/br.toml").expect("the pair is there");
    let nowhere = text.replace("name = \"DP-London\"\ngeolocation = \"GL-London\"\n", "name = \"DP-London\"\n");
    for (text, is_warned) in [(&text, false), (&nowhere, true)] {
        let loaded = load_text("br", text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(loaded.warnings.iter().any(|problem| format!("{problem:?}").contains("(G-5)")), is_warned);
    }
}

#[test]
fn g_3_and_g_4_the_enterprise_default_is_the_place_of_a_device_when_neither_it_nor_its_pool_has_one() {
    use emcc_policies::location::Field;
    let text = std::fs::read_to_string("examples/pair/br.toml").expect("the pair is there");
    let of_pool = "name = \"DP-London\"\ngeolocation = \"GL-London\"\n";
    let device = "name = \"SEP001122334455\"\n";
    assert!(text.contains(of_pool) && text.contains(device));
    let paris = "[[geolocation]]\nname = \"GL-Paris\"\nA3 = \"Paris\"\n";
    for (own, pool, default, want) in [
        ("", "\"GL-London\"", "\"GL-Paris\"", Some("London")),
        ("", "", "\"GL-Paris\"", Some("Paris")),
        ("", "", "\"Unspecified\"", None),
        ("", "", "", None),
        ("", "\"Unspecified\"", "\"GL-Paris\"", None),
        ("\"Unspecified\"", "", "\"GL-Paris\"", None),
        ("\"GL-London\"", "", "\"GL-Paris\"", Some("London")),
    ] {
        let key = |key: &str, value: &str| if value.is_empty() { String::new() } else { format!("{key} = {value}\n") };
        let text = text
            .replace(of_pool, &format!("name = \"DP-London\"\n{}", key("geolocation", pool)))
            .replacen(device, &format!("{device}{}", key("geolocation", own)), 1)
            .replace("[feature]\n", &format!("[feature]\n{}", key("default_geolocation", default)));
        let loaded = load_text("br", &format!("{text}\n{paris}")).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let plan = &loaded.plan;
        let found = plan.device(plan.device_named("SEP001122334455").unwrap()).unwrap();
        let place = found.geolocation.as_ref().and_then(|place| place.get(Field::A3));
        assert_eq!(place, want, "device {own}, pool {pool}, default {default}");
        let named = |problem: &emcc_trunk::config::Problem| {
            problem.message.contains("SEP001122334455") && problem.message.contains("(G-5)")
        };
        assert_eq!(loaded.warnings.iter().any(named), want.is_none(), "{:#?}", loaded.warnings);
    }
}

#[test]
fn a_guest_keeps_the_phones_own_device_pool_and_css() {
    let plan = visited();
    let device = plan.device(plan.device_named("Sep001122334455").unwrap()).unwrap();
    assert_eq!(Names::device_pool(&plan, device.device_pool), "DP-London");
    assert_eq!(device.css.map(|css| plan.css(css)), Some("CSS-Phone"));
    assert_eq!(
        device.geolocation.as_ref().and_then(|place| place.get(emcc_policies::location::Field::A3)),
        Some("London")
    );
    let session = plan.session(plan.session_on("SEP001122334455").unwrap()).unwrap();
    assert_eq!(session.side, Side::Visiting { home: RemoteClusterId(0) });
    assert_eq!(&*session.user, "alice");
}

#[test]
fn an_ordinary_phone_searches_its_line_then_its_own_css() {
    let plan = home();
    let device = plan.device(plan.device_with_number("5002").unwrap()).unwrap();
    let names: Vec<_> = device.search_space.iter().map(|css| plan.css(*css)).collect();
    assert_eq!(names, ["CSS-Line", "CSS-Phone"], "bob has 5002");
    assert_eq!(plan.user_with_number("5002"), plan.user_with_id("bob"));
    assert_eq!((plan.device_with_number("5001"), plan.user_with_number("7777")), (None, None));
}

#[test]
fn names_too_long_or_unknown_are_nobodys() {
    let plan = home();
    assert_eq!(plan.device_named(&"x".repeat(1_000)), None);
    assert_eq!(plan.session_on(""), None);
    assert_eq!((plan.user_with_id("Alice"), plan.remote_cluster_with_id("XX")), (None, None));
}

const NUMBERS: &str = r#"
[cluster]
id = "N"
[sip]
listen = ["udp:127.0.9.1:5060", "tcp:127.0.9.1:5070"]
advertise = "192.0.2.9"
workers = 3
[[peer]]
name = "gw"
kind = "gateway"
addresses = ["udp:127.0.9.20:5060"]
[[peer]]
name = "cc"
kind = "call-control"
addresses = ["udp:127.0.9.10:5060", "tcp:127.0.9.10:5060"]
[[peer]]
name = "cc2"
kind = "call-control"
addresses = ["udp:127.0.9.10:5080"]
[[remote_cluster]]
id = "R"
trunk = ["udp:127.0.8.1:5060"]
rsvp_trunk = ["udp:127.0.8.1:5062", "udp:127.0.8.2:5062"]
region_max_audio_kbps = 64
region_link_loss = "lossy"
services = ["rsvp-agent"]
[[directory_number]]
pattern = "5XXX"
partition = "PT"
peer = "cc2"
[[css]]
name = "CSS"
partitions = ["PT"]
[[device_pool]]
name = "DP"
[[device]]
name = "SEP1"
device_pool = "DP"
directory_numbers = ["5001", "6001", "+446001"]
[[user]]
id = "u"
directory_number = "6002"
line_css = "CSS"
"#;

#[test]
fn a_number_without_a_pattern_is_reached_by_everybody_at_the_first_call_control() {
    let plan = plan_of("numbers", NUMBERS);
    let found = |css: &[_], number: &str| {
        let digits = Digits::from_bytes(number.as_bytes()).expect("digits");
        match plan.dial_plan.analyse(css, &digits, None, Civil(0)).outcome {
            Outcome::Found { row, .. } => plan.dial_plan.row(row).map(|row| row.target),
            _ => None,
        }
    };
    let at = |peer| Some(Target::DirectoryNumber { peer: Some(PeerId(peer)), intercom: false });
    let css: Vec<_> = plan.dial_plan.search_spaces().collect();
    for (number, from_nowhere, from_css) in [
        ("6001", at(1), at(1)),
        ("6002", at(1), at(1)),
        ("+446001", at(1), at(1)),
        ("5001", None, at(2)),
        ("5002", None, at(2)),
        ("6003", None, None),
    ] {
        assert_eq!((found(&[], number), found(&css, number)), (from_nowhere, from_css), "{number}");
    }
}

#[test]
fn a_neighbour_is_known_by_address_and_by_port_only_where_two_share_one() {
    let plan = plan_of("neighbours", NUMBERS);
    let remote = |is_rsvp_trunk| Some(Neighbour::Remote { cluster: RemoteClusterId(0), is_rsvp_trunk });
    for (transport, from, want) in [
        (Transport::Udp, "127.0.9.20:5060", Some(Neighbour::Peer(PeerId(0)))),
        (Transport::Udp, "127.0.9.20:40000", Some(Neighbour::Peer(PeerId(0)))),
        (Transport::Tcp, "127.0.9.20:5060", None),
        (Transport::Udp, "[::ffff:127.0.9.20]:5060", Some(Neighbour::Peer(PeerId(0)))),
        (Transport::Udp, "127.0.9.10:5060", Some(Neighbour::Peer(PeerId(1)))),
        (Transport::Udp, "127.0.9.10:5080", Some(Neighbour::Peer(PeerId(2)))),
        (Transport::Udp, "127.0.9.10:5090", None),
        (Transport::Tcp, "127.0.9.10:40000", Some(Neighbour::Peer(PeerId(1)))),
        (Transport::Udp, "127.0.8.1:5060", remote(false)),
        (Transport::Udp, "127.0.8.1:5062", remote(true)),
        (Transport::Udp, "127.0.8.1:6000", remote(false)),
        (Transport::Udp, "127.0.8.2:5062", remote(true)),
        (Transport::Udp, "127.0.7.7:5060", None),
    ] {
        assert_eq!(plan.neighbour(transport, socket(from)), want, "{transport} {from}");
    }
    let one_address = home();
    assert_eq!(one_address.neighbour(Transport::Udp, socket("127.0.2.1:5060")), remote(false));
}

#[test]
fn a_peer_whose_region_differs_gets_the_lower_cap_and_no_agent() {
    let plan = plan_of("region", NUMBERS);
    let remote = plan.remote_cluster(RemoteClusterId(0)).unwrap();
    assert!(remote.region_differs && !remote.services.rsvp_agent);
    assert_eq!((remote.region.audio_kbps, remote.region.link_loss), (8, plan.feature.region.link_loss));
}

#[test]
fn what_is_left_out_has_its_documented_default() {
    let plan = plan_of("defaults", NUMBERS);
    assert_eq!(plan.sip.listen[1].advertised, socket("192.0.2.9:5070"));
    assert_eq!((plan.sip.workers, plan.admin_listen), (3, socket("127.0.0.1:9411")));
    assert_eq!((plan.rsvp.retry_s, plan.rsvp.mid_call_retries), (60, Some(1)));
    let remote = plan.remote_cluster(RemoteClusterId(0)).unwrap();
    assert_eq!((remote.rsvp_policy, remote.link.audio_kbps), (RsvpPolicy::None, None));
    assert!(!plan.profile.emcc && !plan.profile.pstn_access && plan.template_pool.is_none());
    assert_eq!(plan.peers[0].device_header.name(), "Call-Info");
}

#[test]
fn a_wrong_file_gives_no_plan_and_every_problem() {
    let problems = load(Path::new("tests/no-such.toml")).expect_err("there is no such file");
    assert_eq!(problems.len(), 1);
}

/// HQ with TLS towards BR and a gateway.
fn over_tls(trunk: &str, gateway: &str) -> Plan {
    let text = std::fs::read_to_string("examples/pair/hq.toml").expect("the pair is there");
    let change = |text: String, old: &str, new: &str| {
        assert!(text.contains(old), "{old}");
        text.replacen(old, new, 1)
    };
    let tls = "\"tls:127.0.1.1:5061\"]\ntls = { certificate = \"c\", key = \"k\", trust = \"t\" }";
    let text = change(text, "\"tcp:127.0.1.1:5060\"]", &format!("\"tcp:127.0.1.1:5060\", {tls}"));
    let text = change(text, "trunk = [\"udp:127.0.2.1:5060\"]", trunk);
    let text = change(text, "addresses = [\"udp:127.0.1.20:5060\"]", gateway);
    load_text("hq", &text).unwrap_or_else(|problems| panic!("{problems:#?}")).plan
}

#[test]
fn rfc_5922_4_a_neighbour_is_known_by_tls_name_or_by_the_name_or_address_it_is_configured_by() {
    let named = |host: &str| Named { host: host.into(), port: None, transport: Some(Transport::Tls) };
    let at = |text: &str, transport| Located {
        address: Address { transport, socket: socket(text) },
        rank: Rank { priority: 0, weight: 0 },
    };
    let plan = over_tls(
        "trunk = [\"tls:br.example.com\", \"tls:127.0.2.9:5061\"]",
        "addresses = [\"tls:gw.example.com\"]\ntls_name = \"other.example.com\"",
    );
    let name = |plan: &Plan, at: &str| plan.certificate_name(socket(at)).map(|name| name.to_string());
    assert_eq!(name(&plan, "127.0.2.9:40000").as_deref(), Some("127.0.2.9"), "written by its address");
    assert_eq!(name(&plan, "127.0.2.1:5061"), None, "no name leads there yet");
    let mut names = NamesKnown::default();
    // The records' own target is another host; who made them up would be believed if that counted.
    names.learn(&named("br.example.com"), vec![at("127.0.2.1:5061", Transport::Tls)], Moment(0));
    names.learn(&named("gw.example.com"), vec![at("127.0.1.20:5061", Transport::Tls)], Moment(0));
    let plan = plan.located(&names);
    for from in ["127.0.2.1:5061", "127.0.2.1:40000", "[::ffff:127.0.2.1]:40000"] {
        assert_eq!(name(&plan, from).as_deref(), Some("br.example.com"), "{from}");
    }
    assert_eq!(name(&plan, "127.0.1.20:5061").as_deref(), Some("other.example.com"), "configured");
    names.learn(&named("br.example.com"), vec![at("127.0.2.2:5061", Transport::Tls)], Moment(1));
    let plan = plan.located(&names);
    for from in ["127.0.2.2:5061", "127.0.2.1:40000"] {
        assert_eq!(
            name(&plan, from).as_deref(),
            Some("br.example.com"),
            "{from}: its calls may still come from before"
        );
    }
}

#[test]
fn a_replaced_plan_is_free_when_the_last_call_lets_go_of_it() {
    let runs = home();
    let (kept, call) = (runs.keep(), runs.clone());
    drop(runs);
    assert!(!kept.is_free(), "a call holds it");
    drop(call);
    assert!(kept.is_free());
}

#[test]
fn a_schedule_closes_a_partition_and_a_gateway_transforms_by_its_search_space_d4_d24() {
    let text = std::fs::read_to_string("examples/pair/br.toml").expect("the pair is there");
    let closing = "[[partition]]\nname = \"PT-Out\"\n[[css]]\nname = \"CSS-Out\"\npartitions = [\"PT-Out\"]\n\
                   [[transformation_pattern]]\nkind = \"called\"\npattern = \"0!\"\npartition = \"PT-Out\"\nprefix_digits = \"9\"\n\
                   [[partition]]\nname = \"PT-Day\"\nschedule = \"day\"\n[[schedule]]\nname = \"day\"\nzone = \"Europe/London\"\n\
                   periods = [{ days = [\"mon\"], from = \"08:00\", to = \"17:00\" }]\n\
                   [[css]]\nname = \"CSS-Day\"\npartitions = [\"PT-Day\"]\n\
                   [[route_pattern]]\npattern = \"77\"\npartition = \"PT-Day\"\nblock = true\n";
    let gateway = "kind = \"gateway\"";
    let with = format!("{gateway}\ncalled_transform_css = \"CSS-Out\"");
    let plan = plan_of("transforming", &format!("{}\n{closing}", text.replacen(gateway, &with, 1)));
    let css = plan.dial_plan.search_spaces().last().expect("a search space");
    let dialed = Digits::from_bytes(b"77").expect("a number");
    // Monday, 5 January 2026, at 08:00 and 17:00 in London.
    let found = [1_767_600_000, 1_767_632_400]
        .map(|second| plan.dial_plan.analyse(&[css], &dialed, None, Civil(second)).outcome.row().is_some());
    assert_eq!(found, [true, false]);
    let all = plan.routes.transformations.as_deref().expect("there is one");
    let gateways = plan.peers.iter().zip(&all.peers).filter(|(peer, _)| peer.kind == PeerKind::Gateway);
    let with_one: Vec<_> = gateways.filter_map(|(_, spaces)| spaces.called).collect();
    assert_eq!(with_one.len(), 1);
    let number = Digits::from_bytes(b"0207").expect("a number");
    assert!(all.called.closest_row(&with_one, &number, Civil(0)).is_some());
    assert!(all.calling.closest_row(&with_one, &number, Civil(0)).is_none());
}
