//! Every key of the configuration, changed alone: `diff` shows it, or it decides no call and is listed here with the reason.

use std::collections::BTreeSet;

use emcc_policies::moment::Civil;
use emcc_trunk::changes::{Asked, Changes, between};
use emcc_trunk::config::{Plan, load_text};

const EVERY_CALL: &str = include_str!("every_call.toml");

/// Monday, 2026-01-05 08:00 UTC.
const AT: Civil = Civil(1_767_600_000);

/// Longest numbers looked at: what differs differs on short ones.
const DIGITS_MAX: usize = 5;

/// Steps of a search, and of a second one where the first came to its bound and had told nothing: most keys show at once.
const STEPS: [u64; 2] = [1_000_000, 30_000_000];

/// Keys that decide calls, each with what its line becomes.
const DECIDING: &[(&str, &str)] = &[
    ("cluster.version", "version = \"8.6\""),
    ("cluster.security_mode", "security_mode = \"non-secure\""),
    ("sip.phones", ""),
    ("intercluster_service_profile.pstn_access", "pstn_access = false"),
    ("intercluster_service_profile.rsvp_agent", "rsvp_agent = false"),
    ("feature.pstn_access_css", "pstn_access_css = \"original-device\""),
    ("feature.geolocation_filter", "geolocation_filter = \"country\""),
    ("feature.region_max_audio_kbps", "region_max_audio_kbps = 8"),
    ("feature.region_max_video_kbps", "region_max_video_kbps = 0"),
    ("feature.region_link_loss", "region_link_loss = \"lossy\""),
    ("feature.variable_rate_codecs", "variable_rate_codecs = \"bound\""),
    ("feature.advertise_g722_codec", "advertise_g722_codec = false"),
    ("feature.opus_codec", "opus_codec = false"),
    ("feature.enable_services_on_new_remote_cluster", "enable_services_on_new_remote_cluster = true"),
    ("emcc_trunk.css", "css = \"CSS-Adjunct\""),
    ("emcc_trunk.device_pool", "device_pool = \"DP-Template\""),
    ("emcc_trunk.calling_transform_css", ""),
    ("emcc_trunk.called_transform_css", ""),
    ("emcc_template.device_pool", "device_pool = \"DP-A\""),
    ("emergency.last_resort", "last_resort = [\"gw-2\"]"),
    ("emergency.numbers", "numbers = [\"112\", \"118\"]"),
    ("emergency.access_codes", "access_codes = [\"0\", \"9\"]"),
    ("peer.kind", "kind = \"call-control\""),
    ("peer.addresses", "addresses = [\"udp:127.0.1.29:5060\"]"),
    ("peer.priority", "priority = [1, 0]"),
    ("peer.weight", "weight = [1, 9]"),
    ("peer.device_header", "device_header = \"Call-Info\""),
    ("peer.trust_identity", "trust_identity = false"),
    ("peer.methods", "methods = [\"INVITE\", \"OPTIONS\"]"),
    ("peer.rate_per_s", "rate_per_s = 1"),
    ("feature.default_geolocation", "default_geolocation = \"GL-London\""),
    ("peer.send_geolocation", "send_geolocation = true"),
    ("peer.srtp_keys", "srtp_keys = \"tls\""),
    ("peer.calling_transform_css", ""),
    ("peer.called_transform_css", ""),
    ("peer.tls_name", "tls_name = \"other.example.com\""),
    ("remote_cluster.version", "version = \"8.6\""),
    ("remote_cluster.security_mode", "security_mode = \"non-secure\""),
    ("remote_cluster.trunk", "trunk = [\"udp:127.0.2.1:5060\"]"),
    ("remote_cluster.services", "services = [\"emcc\"]"),
    ("remote_cluster.rsvp_policy", "rsvp_policy = \"none\""),
    ("remote_cluster.pstn_access_rsvp_policy", "pstn_access_rsvp_policy = \"none\""),
    ("remote_cluster.link_audio_kbps", "link_audio_kbps = 400"),
    ("remote_cluster.link_video_kbps", "link_video_kbps = 0"),
    ("remote_cluster.region_max_audio_kbps", "region_max_audio_kbps = 8"),
    ("remote_cluster.region_max_video_kbps", "region_max_video_kbps = 0"),
    ("remote_cluster.region_link_loss", "region_link_loss = \"lossy\""),
    ("remote_cluster.methods", "methods = [\"INVITE\"]"),
    ("remote_cluster.rate_per_s", "rate_per_s = 1"),
    ("remote_cluster.priority", "priority = [1, 0]"),
    ("remote_cluster.weight", "weight = [1, 9]"),
    ("remote_cluster.device_header", "device_header = \"X-Device\""),
    ("remote_cluster.send_geolocation", "send_geolocation = false"),
    ("remote_cluster.trust_identity", "trust_identity = false"),
    ("remote_cluster.tls_name", "tls_name = \"other.example.com\""),
    ("geolocation.country", "country = \"FR\""),
    ("geolocation.A1", "A1 = \"z\""),
    ("geolocation.A2", "A2 = \"z\""),
    ("geolocation.A3", "A3 = \"z\""),
    ("geolocation.A4", "A4 = \"z\""),
    ("geolocation.A5", "A5 = \"z\""),
    ("geolocation.A6", "A6 = \"z\""),
    ("geolocation.PRD", "PRD = \"z\""),
    ("geolocation.POD", "POD = \"z\""),
    ("geolocation.STS", "STS = \"z\""),
    ("geolocation.HNO", "HNO = \"z\""),
    ("geolocation.HNS", "HNS = \"z\""),
    ("geolocation.LMK", "LMK = \"z\""),
    ("geolocation.LOC", "LOC = \"z\""),
    ("geolocation.FLR", "FLR = \"z\""),
    ("geolocation.NAM", "NAM = \"z\""),
    ("geolocation.PC", "PC = \"z\""),
    ("geolocation_filter.fields", "fields = [\"country\"]"),
    ("device_pool.geolocation", ""),
    ("device_pool.adjunct_css", "adjunct_css = \"CSS-Trunk\""),
    ("device_pool.local_route_groups", "local_route_groups = { \"Standard Local Route Group\" = \"RG-2\" }"),
    ("css.partitions", "partitions = [\"PT\", \"PT-Internal\"]"),
    ("partition.schedule", "schedule = \"weekend\""),
    ("schedule.zone", "zone = \"America/New_York\""),
    ("schedule.periods", "periods = [{ days = [\"mon\"], from = \"09:00\", to = \"20:00\" }]"),
    ("route_pattern.pattern", "pattern = \"9.00!\""),
    ("route_pattern.partition", "partition = \"PT-Abroad\""),
    ("route_pattern.route_list", "route_list = \"RL-Plain\""),
    ("route_pattern.discard_digits", ""),
    ("route_pattern.prefix_digits", "prefix_digits = \"45\""),
    ("route_pattern.calling_mask", "calling_mask = \"408556XXXX\""),
    ("route_pattern.calling_prefix", "calling_prefix = \"2\""),
    ("route_pattern.called_mask", "called_mask = \"XXX\""),
    ("route_pattern.block", "route_list = \"RL\""),
    ("route_pattern.emergency", "emergency = false"),
    ("translation_pattern.pattern", "pattern = \"7.2XX\""),
    ("translation_pattern.partition", "partition = \"PT-Internal\""),
    ("translation_pattern.css", "css = \"CSS-Adjunct\""),
    ("translation_pattern.discard_digits", ""),
    ("translation_pattern.prefix_digits", "prefix_digits = \"900\""),
    ("translation_pattern.calling_mask", "calling_mask = \"556XXXX\""),
    ("translation_pattern.calling_prefix", "calling_prefix = \"3\""),
    ("translation_pattern.originator_css", "css = \"CSS-Adjunct\""),
    ("translation_pattern.called_mask", "called_mask = \"61XX\""),
    ("translation_pattern.emergency", "emergency = true"),
    ("transformation_pattern.kind", "kind = \"called\""),
    ("transformation_pattern.pattern", "pattern = \"14089!\""),
    ("transformation_pattern.partition", "partition = \"PT\""),
    ("transformation_pattern.discard_digits", ""),
    ("transformation_pattern.mask", "mask = \"778XXXX\""),
    ("transformation_pattern.prefix_digits", "prefix_digits = \"4\""),
    ("directory_number.pattern", "pattern = \"61XX\""),
    ("directory_number.partition", "partition = \"PT\""),
    ("directory_number.peer", "peer = \"cc-2\""),
    ("directory_number.intercom", "intercom = true"),
    ("route_list.members", "members = [\"RG-2\"]"),
    ("route_list.transform.discard_digits", "discard_digits = \"NoDigits\""),
    ("route_list.transform.called_mask", "called_mask = \"XX\""),
    ("route_list.transform.prefix_digits", "prefix_digits = \"1\""),
    ("route_list.transform.calling_mask", "calling_mask = \"XXXX\""),
    ("route_list.transform.calling_prefix", "calling_prefix = \"1\""),
    ("route_group.peers", "peers = [\"gw\", \"gw-2\"]"),
    ("route_group.distribution", "distribution = \"top-down\""),
    ("codec.name", "name = \"Y-CODEC\""),
    ("codec.check_kbps", "check_kbps = 32"),
    ("device.name", "name = \"SEP-OTHER\""),
    ("device.css", "css = \"CSS-Trunk\""),
    ("device.device_pool", "device_pool = \"DP-Template\""),
    ("device.geolocation", ""),
    ("device.directory_numbers", "directory_numbers = [\"5009\"]"),
    ("device.security_mode", "security_mode = \"non-secure\""),
    ("user.directory_number", "directory_number = \"5008\""),
    ("user.line_css", "line_css = \"CSS-Trunk\""),
    ("user.emcc_css", "emcc_css = \"CSS-Adjunct\""),
    ("emcc_session.user", "user = \"bob\""),
    ("emcc_session.device", "device = \"SEP-ELSEWHERE\""),
    ("emcc_session.visiting_cluster", "visiting_cluster = \"SF\""),
    ("emcc_session.home_cluster", "home_cluster = \"SF\""),
    ("emcc_session.security_mode", "security_mode = \"non-secure\""),
    ("emcc_session.geolocation", "geolocation = { country = \"US\" }"),
];

/// What a period says beside its beginning.
const PERIODS: &[(&str, &str)] = &[
    ("schedule.periods", "periods = [{ days = [\"tue\"], from = \"07:00\", to = \"20:00\" }]"),
    ("schedule.periods", "periods = [{ days = [\"mon\"], from = \"07:00\", to = \"07:30\" }]"),
];

/// Keys of a table within a line, changed with it.
const WITHIN: [&str; 6] = ["certificate", "key", "trust", "days", "from", "to"];

const NAME: &str = "what other keys call it: changed with them it decides nothing, and alone it is a mistake";
const TIMER: &str = "says when, and not whether or where";
const HEARD: &str = "says where the node is heard and reached, and nothing of a call";
const SILENT: &str = "has no effect in this version";
const CHECKED: &str = "is checked alone";
const LIST: &str = "holds rows of other tables, which are compared as these";
const TEXT: &str = "is for people";

/// Keys that decide no call, and why.
const NOT_DECIDING: &[(&str, &str)] = &[
    ("include", LIST),
    ("cluster.id", "is told to others; a caller's cluster is known by its trunk"),
    ("cluster.max_phones", SILENT),
    ("sip.listen", HEARD),
    ("sip.advertise", HEARD),
    ("sip.workers", HEARD),
    ("sip.tls", HEARD),
    ("sip.dns", HEARD),
    ("sip.no_response_s", TIMER),
    ("sip.ring_s", TIMER),
    ("sip.health_s", TIMER),
    ("sip.health_timeout_s", TIMER),
    ("sip.health_lost", TIMER),
    ("sip.drain_s", TIMER),
    ("sip.min_se_s", TIMER),
    ("sip.session_expires_s", TIMER),
    ("store.path", SILENT),
    ("store.redis", SILENT),
    ("admin.listen", HEARD),
    ("admin.token_file", HEARD),
    ("admin.tls", SILENT),
    ("intercluster_service_profile.emcc", "is of logins; a session that stands stays"),
    ("feature.rsvp_keepalive_s", TIMER),
    ("feature.stale_device_interval_min", SILENT),
    ("feature.remote_cluster_update_interval_min", SILENT),
    ("feature.login_tftp_servers", SILENT),
    ("feature.remote_cluster_update_servers", SILENT),
    ("emcc_rsvp_trunk.css", CHECKED),
    ("emcc_rsvp_trunk.device_pool", CHECKED),
    ("emergency.priority_kbps", SILENT),
    ("rsvp.retry_s", TIMER),
    ("rsvp.mid_call", SILENT),
    ("rsvp.mid_call_retries", SILENT),
    ("rsvp.dscp_audio", SILENT),
    ("rsvp.dscp_video", SILENT),
    ("rsvp.dscp_failed", SILENT),
    ("media.ports", SILENT),
    ("media.addresses", SILENT),
    ("media.learn_ms", SILENT),
    ("media.over_rate", SILENT),
    ("media.silence_s", SILENT),
    ("media.on_silence", SILENT),
    ("csv.devices", LIST),
    ("csv.users", LIST),
    ("csv.patterns", LIST),
    ("csv.transformation_patterns", LIST),
    ("csv.sessions", LIST),
    ("csv.device_pools", LIST),
    ("peer.name", NAME),
    ("peer.description", TEXT),
    ("peer.headers_removed", "takes headers off that nothing was decided by"),
    ("peer.overload_control", "counts where a neighbour has too much to do, which a running node alone knows"),
    ("peer.strict_stream", "closes a connection, and serves what came"),
    ("remote_cluster.id", NAME),
    ("remote_cluster.fqdn", SILENT),
    ("remote_cluster.rsvp_trunk", "is where keepalives go"),
    ("remote_cluster.media", SILENT),
    (
        "remote_cluster.overload_control",
        "counts where a neighbour has too much to do, which a running node alone knows",
    ),
    ("remote_cluster.strict_stream", "closes a connection, and serves what came"),
    ("geolocation.name", NAME),
    ("geolocation_filter.name", NAME),
    ("device_pool.name", NAME),
    ("device_pool.description", TEXT),
    ("device_pool.location", SILENT),
    ("css.name", NAME),
    ("partition.name", NAME),
    ("schedule.name", NAME),
    ("route_pattern.urgent", "counts where digits come one by one"),
    ("route_pattern.description", TEXT),
    ("translation_pattern.urgent", "counts where digits come one by one"),
    ("translation_pattern.description", TEXT),
    ("transformation_pattern.description", TEXT),
    ("route_list.name", NAME),
    ("route_group.name", NAME),
    ("device.location", SILENT),
    ("device.description", TEXT),
    ("user.id", NAME),
    ("user.emcc_enabled", CHECKED),
    ("user.pin_hash", SILENT),
    ("user.profiles", SILENT),
];

fn plan(text: &str) -> Result<Plan, String> {
    load_text("every_call.toml", text).map(|loaded| loaded.plan).map_err(|why| format!("{why:#?}"))
}

/// The line of a key written otherwise.
fn edited(key: &str, line: &str) -> String {
    let tag = format!(" # {key}");
    let mut times = 0;
    let lines = EVERY_CALL.lines().map(|old| {
        let is_it = old.ends_with(&tag);
        times += usize::from(is_it);
        if is_it { line } else { old }
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(times, 1, "{key} has a line of its own in every_call.toml");
    text
}

fn is_empty(changes: &Changes) -> bool {
    changes.changes.is_empty()
        && changes.leaving.is_empty()
        && changes.settings.is_empty()
        && changes.only_now.is_empty()
        && changes.only_next.is_empty()
}

#[test]
fn every_key_that_decides_calls_shows_when_it_alone_is_changed() {
    let now = plan(EVERY_CALL).unwrap_or_else(|why| panic!("{why}"));
    let shows = |next: &Plan| {
        STEPS.into_iter().any(|steps_max| {
            let asked = Asked { digits_max: DIGITS_MAX, steps_max, ..Asked::everything(AT) };
            !is_empty(&between(&now, next, &asked).unwrap())
        })
    };
    assert!(!shows(&now));
    let mut silent = Vec::new();
    for (key, line) in DECIDING.iter().chain(PERIODS) {
        match plan(&edited(key, line)) {
            Ok(next) if shows(&next) => {}
            Ok(_) => silent.push((*key).to_owned()),
            Err(why) => silent.push(format!("{key} is a mistake: {why}")),
        }
    }
    assert!(silent.is_empty(), "nothing changes with\n{}", silent.join("\n"));
}

/// The keys of every table, as `every_key.toml` has them.
fn keys() -> BTreeSet<String> {
    let mut table = String::new();
    let mut found = BTreeSet::new();
    for line in include_str!("every_key.toml").lines() {
        if let Some(header) = line.strip_prefix('[') {
            header.trim_matches(['[', ']']).trim_end_matches(".RG").clone_into(&mut table);
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with('#')) {
            found.insert(if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") });
        }
    }
    found
}

#[test]
fn every_key_decides_calls_or_says_why_it_decides_none() {
    let deciding: BTreeSet<&str> = DECIDING.iter().map(|(key, _)| *key).collect();
    let not: BTreeSet<&str> = NOT_DECIDING.iter().map(|(key, _)| *key).collect();
    assert_eq!((deciding.len(), not.len()), (DECIDING.len(), NOT_DECIDING.len()), "a key stands in a list once");
    assert!(deciding.is_disjoint(&not));
    assert!(NOT_DECIDING.iter().all(|(_, why)| !why.is_empty()));
    let known = keys();
    let listed: BTreeSet<String> = deciding.union(&not).map(|key| (*key).to_owned()).collect();
    let diff = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!((diff(&known, &listed), diff(&listed, &known)), (vec![], vec![]), "in no list; not in every_key.toml");
    // What the reference names is among them.
    let contracts = include_str!("../../docs/contracts.md");
    let section = contracts.split("\n## ").find(|text| text.starts_with("2. Configuration")).unwrap();
    let names: BTreeSet<&str> = listed.iter().filter_map(|key| key.rsplit('.').next()).chain(WITHIN).collect();
    let mut missing = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() > 2) {
        let cell = row.trim_start_matches("| ").split(" | ").next().unwrap_or_default();
        for token in cell.split('`').skip(1).step_by(2) {
            let name = token.rsplit('.').next().unwrap_or_default();
            let is_key = !token.contains(['[', '*', '=', ' ']);
            if is_key && !names.contains(name) && !known.iter().any(|key| key.starts_with(&format!("{token}."))) {
                missing.push(format!("{token} in: {row}"));
            }
        }
    }
    assert!(missing.is_empty(), "in the reference and in no list:\n{}", missing.join("\n"));
}
