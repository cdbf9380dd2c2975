//! What a configuration check says, and exactly where.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

use emcc_trunk::config::{Probe, Problem, Severity, check, load};
use pki::Authority;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

#[path = "config/bulk.rs"]
mod bulk;
#[path = "config/changes.rs"]
mod changes;
#[path = "config/dialing.rs"]
mod dialing;
#[path = "config/flagged.rs"]
mod flagged;
#[path = "config/followers.rs"]
mod followers;
#[path = "pki/mod.rs"]
mod pki;
#[path = "config/reach.rs"]
mod reach;
#[path = "config/slips.rs"]
mod slips;
#[path = "config/tls.rs"]
mod tls;

const CLEAN: &str = include_str!("config/clean.toml");

/// A folder of its own for each call, so that tests may run side by side.
fn folder() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("config-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn problems_of(text: &str) -> Vec<Problem> {
    let folder = folder();
    let path = folder.join("node.toml");
    std::fs::write(&path, text).expect("the target folder can be written");
    let problems = check(&path, Probe::Offline).problems;
    let _ = std::fs::remove_dir_all(folder);
    problems
}

/// Replaces `find` once (at the end where it is empty) by `put`, in which `§` marks where the problem must be.
///
/// A `mark` replaces the text it has without its `§`, where that stands elsewhere in the file.
fn broken(find: &str, put: &str, mark: Option<&str>) -> (String, u32, u32) {
    located(marked(find, put, mark))
}

fn marked(find: &str, put: &str, mark: Option<&str>) -> String {
    let text = if find.is_empty() {
        format!("{CLEAN}\n{put}\n")
    } else {
        assert!(CLEAN.contains(find), "{find} is not in clean.toml");
        CLEAN.replacen(find, put, 1)
    };
    match mark {
        Some(mark) => text.replacen(&mark.replace('§', ""), mark, 1),
        None => text,
    }
}

/// The text without its mark, and where that was.
fn located(text: String) -> (String, u32, u32) {
    let at = text.find('§').unwrap_or_else(|| panic!("no mark in {text}"));
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (text.replacen('§', "", 1), line as u32, column as u32)
}

struct Row {
    find: &'static str,
    put: &'static str,
    key: &'static str,
    severity: Severity,
    says: &'static str,
    /// Where the problem must be, if it is not in what was put.
    mark: Option<&'static str>,
    /// What else is replaced.
    also: Option<(&'static str, &'static str)>,
}

impl Row {
    const fn also(self, find: &'static str, put: &'static str) -> Self {
        Self { also: Some((find, put)), ..self }
    }

    const fn mark(self, mark: &'static str) -> Self {
        Self { mark: Some(mark), ..self }
    }
}

const fn error(find: &'static str, put: &'static str, key: &'static str, says: &'static str) -> Row {
    Row { find, put, key, severity: Severity::Error, says, mark: None, also: None }
}

const fn warning(find: &'static str, put: &'static str, key: &'static str, says: &'static str) -> Row {
    Row { find, put, key, severity: Severity::Warning, says, mark: None, also: None }
}

/// Each row breaks the clean file in one way and must give one problem, at the mark. An error may leave other things
/// unused, so warnings beside it are not looked at.
fn each_gives_exactly_its_problem(rows: &[Row]) {
    let mut wrong = Vec::new();
    for Row { find, put, key, severity, says, mark, also } in rows {
        let text = marked(find, put, *mark);
        let also = also.map(|(find, put)| text.replacen(find, put, 1));
        let (text, line, column) = located(also.unwrap_or(text));
        let mut problems = problems_of(&text);
        if *severity == Severity::Error {
            problems.retain(|problem| problem.severity == Severity::Error);
        }
        let right = match &problems[..] {
            [only] => {
                (only.line, only.column, only.key.as_str(), only.severity) == (line, column, *key, *severity)
                    && only.message.contains(says)
                    && only.fix.ends_with(['.', '?'])
                    && only.file.ends_with("node.toml")
            }
            _ => false,
        };
        if !right {
            let seen: Vec<_> = problems.iter().map(|p| format!("{} [{}]", p, p.key)).collect();
            wrong.push(format!(
                "{put}\n  wanted {line}:{column} {severity} {key} {says}\n  got {}",
                seen.join("\n      ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_clean_file_has_no_problem() {
    assert_eq!(problems_of(CLEAN), []);
}

#[test]
fn the_example_pair_loads_without_errors() {
    for name in ["hq", "br"] {
        let checked = check(Path::new(&format!("examples/pair/{name}.toml")), Probe::Offline);
        assert!(checked.is_ok() && checked.readable, "{name}: {:#?}", checked.problems);
    }
}

#[test]
fn what_is_written_wrongly_is_named_where_it_stands() {
    each_gives_exactly_its_problem(&[
        error("id = \"HQ\"", "id = \"HQ§", "", "not TOML"),
        error("id = \"HQ\"", "id = \"HQ\"\n§id = \"XX\"", "", "duplicate key"),
        error("version = \"12.0\"", "version = §12.0", "cluster.version", "a float, not a string"),
        error("version = \"12.0\"", "version = §\"twelve\"", "cluster.version", "is no version"),
        error(
            "kind = \"gateway\"",
            "kind = \"gateway\"\nheaders_removed = [\"Diversion\", §\"v\"]",
            "peer[1].headers_removed[1]",
            "no call gets by without v",
        ),
        error(
            "kind = \"gateway\"",
            "kind = \"gateway\"\nheaders_removed = [§\"P Charge\"]",
            "peer[1].headers_removed[0]",
            "no header name",
        ),
        error(
            "kind = \"gateway\"",
            "kind = \"gateway\"\nstrict_stream = §\"yes\"",
            "peer[1].strict_stream",
            "not true or false",
        ),
        error("version = \"12.0\"", "§versoin = \"12.0\"", "cluster.versoin", "unknown key"),
        error("emcc = true", "emcc = §\"yes\"", "intercluster_service_profile.emcc", "not true or false"),
        error("", "[§futrue]\nx = 1", "futrue", "unknown table"),
        error("[cluster]\nid = \"HQ\"\n", "§[cluster]\n", "cluster.id", "cluster has no id"),
        error("listen = [\"udp:127.0.1.1:5060\", \"tcp:127.0.1.1:5060\"]", "listen = §[]", "sip.listen", "is empty"),
        error(
            "[sip]\nlisten = [\"udp:127.0.1.1:5060\", \"tcp:127.0.1.1:5060\"]",
            "§[sip]",
            "sip.listen",
            "has no listen",
        ),
        error(
            "listen = [\"udp:127.0.1.1:5060\", \"tcp",
            "listen = [\"udp:127.0.1.1:5060\", §\"tls",
            "sip.listen[1]",
            "no [sip] tls",
        ),
        error("\"udp:127.0.1.20:5060\"", "§\"udp:127.0.1.20\"", "peer[1].addresses[0]", "has no port"),
        error("\"udp:127.0.1.20:5060\"", "§\"udp:gw..example.com:5060\"", "peer[1].addresses[0]", "gw..example.com"),
        error("\"udp:127.0.1.20:5060\"", "§\"tls:127.0.1.20:5061\"", "peer[1].addresses[0]", "no [sip] tls"),
        error("\"udp:127.0.1.20:5060\"", "§\"127.0.1.20:5060\"", "peer[1].addresses[0]", "begin with a transport"),
        error("\"udp:127.0.1.20:5060\"", "§\"udp:::1:5060\"", "peer[1].addresses[0]", "without brackets"),
        error("\"udp:127.0.1.20:5060\"", "§\"udp:0.0.0.0:5060\"", "peer[1].addresses[0]", "no address of one host"),
        error(
            "addresses = [\"udp:127.0.1.20:5060\"]",
            "addresses = §\"udp:127.0.1.20:5060\"",
            "peer[1].addresses",
            "not an array",
        ),
        error("kind = \"gateway\"", "kind = §\"gatway\"", "peer[1].kind", "is no value"),
        error("kind = \"gateway\"", "kind = \"gateway\"\nweight = §-1", "peer[1].weight", "outside"),
        error("kind = \"gateway\"", "kind = \"gateway\"\nweight = [§65536]", "peer[1].weight[0]", "outside"),
        error(
            "kind = \"gateway\"",
            "kind = \"gateway\"\npriority = [§1, 2]",
            "peer[1].priority[0]",
            "2 numbers for 1 addresses",
        ),
        error("[sip]", "[sip]\nhealth_lost = §0", "sip.health_lost", "outside"),
        error("name = \"SEP01\"", "name = §\"SEP 01\"", "device[0].name", "SIP header"),
        error(
            "services = [\"emcc\", ",
            "services = [\"emcc\", §\"tftp\", ",
            "remote_cluster[0].services[1]",
            "is no value",
        ),
        error("country = \"US\"", "country = §\"USA\"", "geolocation[0].country", "no country"),
        error(
            "fields = [\"country\", \"A3\"]",
            "fields = [\"country\", §\"A9\"]",
            "geolocation_filter[0].fields[1]",
            "no field",
        ),
        error("called_mask = \"5XXX\"", "called_mask = §\"5!\"", "translation_pattern[0].called_mask", "no mask"),
        error(
            "discard_digits = \"PreDot\"",
            "discard_digits = §\"predot\"",
            "route_pattern[0].discard_digits",
            "no discard",
        ),
        error(
            "directory_numbers = [\"5002\"]",
            "directory_numbers = [§\"5X\"]",
            "device[0].directory_numbers[0]",
            "no number",
        ),
        error("numbers = [\"112\"]", "numbers = [\"112\", §112]", "emergency.numbers[1]", "an integer, not a string"),
        error("listen = \"127.0.1.1:9411\"", "listen = §\"0.0.0.0:9411\"", "admin.listen", "open to the network"),
        error(
            "listen = \"127.0.1.1:9411\"",
            "listen = §\"127.0.1.1:5060\"",
            "admin.listen",
            "for SIP and for the admin",
        ),
    ]);
}

#[test]
fn numbers_out_of_the_documented_ranges_are_refused() {
    let find = "geolocation_filter = \"city\"";
    for (key, least, most) in [
        ("region_max_audio_kbps", 6, 510),
        ("region_max_video_kbps", 0, 8_128),
        ("rsvp_keepalive_s", 1, 600),
        ("stale_device_interval_min", 10, 1_440),
        ("remote_cluster_update_interval_min", 15, 10_080),
    ] {
        for value in [least - 1, most + 1] {
            let (text, line, column) = broken(find, &format!("{find}\n{key} = §{value}"), None);
            let problems = problems_of(&text);
            let errors: Vec<_> = problems.iter().filter(|p| p.severity == Severity::Error).collect();
            let [problem] = errors[..] else { panic!("{key} = {value}: {problems:#?}") };
            assert_eq!((problem.line, problem.column, &problem.key), (line, column, &format!("feature.{key}")));
            assert!(problem.fix.contains(&format!("from {least} to {most}")), "{}", problem.fix);
        }
        for value in [least, most] {
            let (text, ..) = broken(find, &format!("{find}\n§{key} = {value}"), None);
            assert!(problems_of(&text).iter().all(|p| p.severity == Severity::Warning), "{key} = {value}");
        }
    }
}

#[test]
fn names_that_do_not_fit_each_other_are_named_where_they_stand() {
    each_gives_exactly_its_problem(&[
        error(
            "geolocation_filter = \"city\"",
            "geolocation_filter = §\"ciyt\"",
            "feature.geolocation_filter",
            "there is no",
        ),
        error("last_resort = [\"gw\"]", "last_resort = [\"gw\", §\"cc\"]", "emergency.last_resort[1]", "not a gateway"),
        error(
            "last_resort = [\"gw\"]",
            "last_resort = [\"gw\", §\"gx\"]",
            "emergency.last_resort[1]",
            "there is no peer",
        ),
        error("css = \"CSS-Trunk\"", "css = \"CSS-Trunk\"\n§device_poool = 1", "emcc_trunk.device_poool", "unknown"),
        error("peers = [\"gw\"]", "peers = [\"gw\", §\"cc\"]", "route_group[0].peers[1]", "not a gateway"),
        error(
            "members = [\"Standard Local Route Group\"]",
            "members = [\"Standard Local Route Group\", §\"RX\"]",
            "route_list[0].members[1]",
            "there is no route_group",
        ),
        error(
            "pattern = \"9.1!\"\npartition = \"PT-Local\"\nroute_list = \"RL\"",
            "pattern = \"9.1!\"\npartition = \"PT-Local\"\nroute_list = §\"RX\"",
            "route_pattern[2].route_list",
            "there is no route_list",
        ),
        error("peer = \"cc\"", "peer = §\"gw\"", "directory_number[0].peer", "cannot be behind the gateway"),
        error("line_css = \"CSS-Phone\"", "line_css = §\"CSS-Fone\"", "user[0].line_css", "there is no css"),
        error(
            "visiting_cluster = \"BR\"",
            "visiting_cluster = §\"HQ\"",
            "emcc_session[0].visiting_cluster",
            "this cluster itself",
        ),
        error(
            "visiting_cluster = \"BR\"",
            "visiting_cluster = §\"XX\"",
            "emcc_session[0].visiting_cluster",
            "no remote_cluster",
        ),
        error(
            "",
            "[[emcc_session]]\nuser = \"bob\"\ndevice = \"SEP01\"\nhome_cluster = \"BR\"\n§visiting_cluster = \"BR\"",
            "emcc_session[1].visiting_cluster",
            "exclude each other",
        ),
        error("device = \"SEP02\"", "device = §\"sep01\"", "emcc_session[0].device", "both clusters"),
        error("user = \"alice\"\n", "user = §\"alise\"\n", "emcc_session[0].user", "there is no user"),
        error(
            "",
            "[[peer]]\nname = §\"gw\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.21:5060\"]",
            "peer[2].name",
            "two peers",
        ),
        error(
            "",
            "[[peer]]\nname = \"cc2\"\nkind = \"call-control\"\naddresses = [§\"udp:127.0.1.20:5060\"]",
            "peer[2].addresses[0]",
            "address of both",
        ),
        error(
            "",
            "[[peer]]\nname = \"cc2\"\nkind = \"call-control\"\naddresses = [§\"udp:127.0.1.1:5060\"]",
            "peer[2].addresses[0]",
            "own listening",
        ),
        error("", "[[device]]\nname = §\"sep01\"\ndevice_pool = \"DP-HQ\"", "device[1].name", "two devices"),
        error(
            "",
            "[[codec]]\nname = \"x\"\ncheck_kbps = 8\n[[codec]]\nname = §\"x\"\ncheck_kbps = 8",
            "codec[1].name",
            "two codecs",
        ),
        error(
            "",
            "§[[emcc_session]]\nuser = \"bob\"\ndevice = \"SEP03\"",
            "emcc_session[1].visiting_cluster",
            "has no visiting_cluster",
        ),
        error(
            "",
            "[[emcc_session]]\nuser = \"bob\"\ndevice = §\"SEP03\"\nhome_cluster = \"BR\"",
            "emcc_session[1].device",
            "there is no device",
        ),
        error(
            "",
            "[[remote_cluster]]\nid = §\"HQ\"\ntrunk = [\"tcp:127.0.3.1:5060\"]\nlink_audio_kbps = 0\nlink_video_kbps = 0",
            "remote_cluster[1].id",
            "id of this cluster",
        ),
        error(
            "route_list = \"RL\"\ndiscard",
            "block = true\n§route_list = \"RL\"\ndiscard",
            "route_pattern[0].route_list",
            "exclude",
        ),
        error(
            "originator_css = true",
            "css = \"CSS-Phone\"\n§originator_css = true",
            "translation_pattern[0].originator_css",
            "exclude",
        ),
        error(
            "[[translation_pattern]]\npattern = \"8XXX\"\npartition = \"PT-Internal\"\noriginator_css = true",
            "§[[translation_pattern]]\npattern = \"8XXX\"\npartition = \"PT-Internal\"",
            "translation_pattern[0].css",
            "has no css",
        ),
        error(
            "name = \"RL\"\nmembers = [\"Standard Local Route Group\"]",
            "name = \"RL\"\nmembers = [\"Standard Local Route Group\"]\n[route_list.transform.§RG]\nprefix_digits = \"9\"",
            "route_list[0].transform.RG",
            "no member",
        ),
        error("", "[[emcc_rsvp_trunk]]\n§[[emcc_rsvp_trunk]]", "emcc_rsvp_trunk[1]", "a third EMCC trunk"),
    ]);
}

#[test]
fn more_networks_of_phones_than_are_looked_through_are_refused() {
    for (count, wrong) in [(64, None), (65, Some("sip.phones[64]"))] {
        let networks: Vec<_> = (0..count).map(|third| format!("\"10.0.{third}.0/24\"")).collect();
        let text = CLEAN.replacen("[sip]", &format!("[sip]\nphones = [{}]", networks.join(", ")), 1);
        let problems = problems_of(&text);
        assert_eq!(problems.first().map(|problem| problem.key.as_str()), wrong, "{problems:?}");
    }
}

#[test]
fn doubts_are_warnings_at_their_place() {
    each_gives_exactly_its_problem(&[
        warning("", "[media]\n§ports = \"30000-39999\"", "media.ports", "no effect in this version"),
        warning(
            "geolocation_filter = \"city\"",
            "geolocation_filter = \"city\"\n§login_tftp_servers = [\"192.0.2.1\"]",
            "feature.login_tftp_servers",
            "no effect in this version",
        ),
        warning("", "[[codec]]\nname = §\"G.729\"\ncheck_kbps = 8", "codec[0].name", "no encoding name of the catalogue"),
        warning("", "[[codec]]\nname = §\"CN\"\ncheck_kbps = 8", "codec[0].name", "follows the codecs"),
        warning("", "[store]\n§path = \"x\"", "store.path", "no effect in this version"),
        warning("kind = \"gateway\"", "kind = \"gateway\"\nstrict_stream = §true", "peer[1].strict_stream", "every address is udp"),
        warning(
            "",
            "[[peer]]\nname = \"cc2\"\nkind = \"call-control\"\naddresses = [\"tcp:127.0.1.11:5060\"]\n[[peer]]\nname = \"cc3\"\nkind = \"call-control\"\naddresses = [§\"tcp:127.0.1.11:5061\"]",
            "peer[3].addresses[0]",
            "cannot be told apart",
        ),
        warning("[sip]", "[sip]\nphones = [\"10.0.0.0/8\", §\"10.1.0.0/16\"]", "sip.phones[1]", "overlaps 10.0.0.0/8"),
        warning("[sip]", "[sip]\nphones = [\"127.0.1.20/31\"]", "peer[1].addresses[0]", "stays a gateway").mark("addresses = [§\"udp:127.0.1.20:5060\"]"),
        error("[sip]", "[sip]\nphones = [§\"224.0.0.0/8\"]", "sip.phones[0]", "no address of a phone"),
        warning("[sip]", "[sip]\nphones = [§\"10.0.0.0/7\"]", "sip.phones[0]", "half the world"),
        warning("[sip]", "[sip]\nphones = [§\"2001:db8::/31\"]", "sip.phones[0]", "half the world"),
        warning("kind = \"gateway\"", "kind = \"gateway\"\ntls_name = §\"gw.example.com\"", "peer[1].tls_name", "no address of this neighbour is tls"),
        warning("[sip]", "[sip]\nring_s = §20", "sip.ring_s", "Timer C"),
        warning("[sip]", "[sip]\nmin_se_s = §20", "sip.min_se_s", "RFC 4028"),
        warning("link_video_kbps = 4000\n", "", "remote_cluster[0].link_video_kbps", "has no limit").mark("id = §\"BR\""),
        warning("link_video_kbps", "region_max_audio_kbps = §64\nlink_video_kbps", "remote_cluster[0].region_max_audio_kbps", "caps at 64"),
        warning("link_video_kbps", "region_link_loss = §\"lossy\"\nlink_video_kbps", "remote_cluster[0].region_link_loss", "another link loss"),
        warning("trunk = [\"tcp:", "trunk = [§\"udp:", "remote_cluster[0].trunk[0]", "leave over UDP"),
        warning("", "[[css]]\nname = §\"CSS-X\"\npartitions = [\"PT-Local\", \"PT-Emergency\"]", "css[2].name", "no caller has"),
        warning("\"PT-Emergency\", \"PT-Local\"]", "\"PT-Emergency\", \"PT-Local\", §\"PT-Lokal\"]", "css[1].partitions[3]", "no pattern is in"),
        warning("\"PT-Emergency\", \"PT-Local\"]", "\"PT-Emergency\"]", "route_pattern[2].partition", "nobody reaches").mark("pattern = \"9.1!\"\npartition = §"),
        warning("", "[[device_pool]]\nname = §\"DP-X\"", "device_pool[1].name", "nothing is in"),
        warning("", "[[geolocation]]\nname = §\"GL-X\"\ncountry = \"GB\"", "geolocation[1].name", "nothing is at"),
        warning("", "[[geolocation_filter]]\nname = §\"x\"\nfields = [\"A1\"]", "geolocation_filter[1].name", "not used"),
        warning("", "[[route_group]]\nname = §\"RG-X\"\npeers = [\"gw\"]", "route_group[1].name", "nothing leads to"),
        warning("", "[[route_list]]\nname = §\"RL-X\"\nmembers = [\"RG\"]", "route_list[1].name", "no pattern takes"),
        warning("", "[[peer]]\nname = §\"gw2\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.21:5060\"]", "peer[2].name", "no call goes to"),
        warning("", "[[device]]\nname = \"SEP09\"\ndevice_pool = \"DP-HQ\"\ncss = \"CSS-Phone\"\ngeolocation = \"Unspecified\"\n", "device[1].name", "no geolocation").mark("name = §\"SEP09\""),
        warning("", "[[device_pool]]\nname = §\"DP-Y\"\ngeolocation = \"GL-HQ\"", "device_pool[1].name", "one filtered geolocation"),
        warning("emcc_enabled = true", "emcc_enabled = false", "emcc_session[0].user", "not enabled for EMCC").mark("user = §\"alice\""),
        warning("pstn_access = true", "pstn_access = §false", "intercluster_service_profile.pstn_access", "P-19"),
        warning("services = [\"emcc\", \"pstn-access\", ", "services = [\"emcc\", ", "emcc_session[0].visiting_cluster", "lack \"pstn-access\"").mark("visiting_cluster = §\"BR\""),
        warning("[emcc_template]\ndevice_pool = \"DP-HQ\"\n", "", "remote_cluster[0].id", "G-8").mark("id = §\"BR\""),
        warning("\"Standard Local Route Group\" = \"RG\"", "\"Standard Local Route Group\" = \"RG\", §\"LRG-X\" = \"RG\"", "device_pool[0].local_route_groups.LRG-X", "no route list has"),
    ]);
}

#[test]
fn patterns_are_held_against_the_syntax_and_each_other() {
    each_gives_exactly_its_problem(&[
        error("pattern = \"9.1!\"", "pattern = §\"9.1@\"", "route_pattern[2].pattern", "numbering plan"),
        error("pattern = \"9.1!\"", "pattern = §\"9.1.2\"", "route_pattern[2].pattern", "second dot"),
        error("pattern = \"9.1!\"", "pattern = §\"9[1\"", "route_pattern[2].pattern", "no closing bracket"),
        error("pattern = \"9.1!\"", "pattern = §\"9[3-1]\"", "route_pattern[2].pattern", "no range"),
        error("pattern = \"9.1!\"", "pattern = §\"\"", "route_pattern[2].pattern", "matches nothing"),
        error("pattern = \"9.1!\"", "pattern = §\"?1\"", "route_pattern[2].pattern", "nothing before it"),
        error("pattern = \"9.1!\"", "pattern = §91", "route_pattern[2].pattern", "an integer, not a string"),
        error(
            "",
            "[[route_pattern]]\npattern = §\"91!\"\npartition = \"PT-Local\"\nroute_list = \"RL\"",
            "route_pattern[3].pattern",
            "matches the same numbers",
        ),
        error(
            "",
            "[[directory_number]]\npattern = \"[0-9]XXX\"\npartition = \"PT-Local\"\npeer = \"cc\"\n[[directory_number]]\npattern = §\"XXXX\"\npartition = \"PT-Local\"\npeer = \"cc\"",
            "directory_number[2].pattern",
            "matches the same numbers",
        ),
        error(
            "",
            "[[route_pattern]]\npattern = §\"9911\"\npartition = \"PT-Internal\"\nroute_list = \"RL\"",
            "route_pattern[3].pattern",
            "takes 9911 from the emergency pattern",
        ),
        error(
            "",
            "[[route_pattern]]\npattern = §\"11[2]\"\npartition = \"PT-Internal\"\nblock = true",
            "route_pattern[3].pattern",
            "takes 112 from the emergency pattern \"112\" in the search space CSS-Phone",
        ),
        error("peer = \"cc\"", "peer = \"cc\"\nintercom = true", "user[0].directory_number", "intercom line")
            .mark("directory_number = §\"5001\""),
        error(
            "",
            "[[user]]\nid = \"guest\"\ndirectory_number = §\"5099\"\n[[emcc_session]]\nuser = \"guest\"\ndevice = \"SEP00112233AABB\"\n\
             visiting_cluster = \"BR\"\n[[directory_number]]\npattern = \"5099\"\npartition = \"PT-Internal\"\npeer = \"cc\"\nintercom = true",
            "user[1].directory_number",
            "intercom line",
        ),
        warning(
            "originator_css = true\ncalled_mask = \"5XXX\"",
            "originator_css = true\ncalled_mask = \"8XXX\"",
            "translation_pattern[0].pattern",
            "after ten passes",
        )
        .mark("pattern = §\"8XXX\""),
        warning(
            "directory_numbers = [\"5002\"]",
            "directory_numbers = [\"5001\"]",
            "user[0].directory_number",
            "roaming user",
        )
        .mark("directory_number = §\"5001\""),
        warning(
            "",
            "[[user]]\nid = \"bob\"\nline_css = \"CSS-Phone\"\ndirectory_number = §\"5001\"",
            "user[1].directory_number",
            "number of both",
        ),
        warning(
            "name = \"CSS-Trunk\"\npartitions = [\"PT-Emergency\"]",
            "name = §\"CSS-Trunk\"\npartitions = []",
            "css[0].name",
            "CSS-Trunk does not reach the emergency numbers 112, 9911",
        ),
        warning(
            "name = \"CSS-Phone\"\npartitions = [\"PT-Internal\", \"PT-Emergency\", ",
            "name = §\"CSS-Phone\"\npartitions = [\"PT-Internal\", ",
            "css[1].name",
            "does not reach the emergency numbers 112, 9911",
        ),
    ]);
}

#[test]
fn one_pass_reports_every_mistake_sorted_by_position() {
    let text = CLEAN
        .replace("kind = \"gateway\"", "kind = \"gatway\"")
        .replace("version = \"12.0\"", "versoin = \"12.0\"")
        .replace("link_audio_kbps = 2000", "link_audio_kbps = \"2000\"")
        .replace("directory_numbers = [\"5002\"]", "directory_numbers = [\"5X\", 7]")
        .replace("partition = \"PT-Local\"\nroute_list = \"RL\"", "partition = \"PT-Local\"\nroute_list = \"RX\"");
    let problems = problems_of(&text);
    let errors: Vec<_> = problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.key.as_str()).collect();
    let want = [
        "cluster.versoin",
        "peer[1].kind",
        "remote_cluster[0].link_audio_kbps",
        "route_pattern[2].route_list",
        "device[0].directory_numbers[0]",
        "device[0].directory_numbers[1]",
    ];
    assert_eq!(errors, want, "{problems:#?}");
    assert!(problems.windows(2).all(|pair| pair[0] <= pair[1]));
}

#[test]
fn what_is_missing_in_a_torn_file_is_not_called_missing() {
    let problems = problems_of("[cluster]\nid = \"x\"\n[sip\nlisten = [\"udp:127.0.0.1:5060\"]\n");
    assert!(!problems.is_empty() && problems.iter().all(|p| p.message.starts_with("not TOML")), "{problems:#?}");
}

#[test]
fn a_file_that_is_not_there_has_no_line() {
    let checked = check(Path::new("no/such/file.toml"), Probe::Offline);
    assert!(!checked.readable && !checked.is_ok());
    let [problem] = &checked.problems[..] else { panic!("{:#?}", checked.problems) };
    assert_eq!((problem.file.as_str(), problem.line, problem.column), ("no/such/file.toml", 0, 0));
}

#[test]
fn an_address_in_use_is_a_doubt_and_one_this_host_lacks_a_mistake() {
    let held = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    let used = held.local_addr().expect("a bound socket has an address");
    let folder = folder();
    let path = folder.join("node.toml");
    let text = format!(
        "[cluster]\nid = \"N\"\n[sip]\nlisten = [\"udp:{used}\", \"udp:192.0.2.1:5060\"]\n[admin]\nlisten = \"127.0.0.1:{}\"\n",
        used.port()
    );
    std::fs::write(&path, text).expect("the target folder can be written");
    let said = |probe| {
        let problems = check(&path, probe).problems;
        problems.into_iter().map(|p| (p.line, p.column, p.severity, p.key)).collect::<Vec<_>>()
    };
    assert_eq!(said(Probe::Offline), []);
    let column = 14 + format!("\"udp:{used}\"").len() as u32;
    let want = [
        (4, 11, Severity::Warning, "sip.listen[0]".to_owned()),
        (4, column - 1, Severity::Error, "sip.listen[1]".to_owned()),
    ];
    assert_eq!(said(Probe::Bind), want);
    let _ = std::fs::remove_dir_all(folder);
}

/// Writes the files of one configuration, the first being the main one, and checks it.
fn check_files(files: &[(&str, impl AsRef<[u8]>)]) -> Vec<(String, u32, u32, String, String)> {
    let folder = folder();
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder"))
            .expect("the target folder can be written");
        std::fs::write(path, text).expect("the target folder can be written");
    }
    let problems = check(&folder.join(files[0].0), Probe::Offline).problems;
    let named = |p: Problem| {
        let file = Path::new(&p.file).strip_prefix(&folder).map_or(p.file.clone(), |f| f.display().to_string());
        (file, p.line, p.column, p.key, p.message)
    };
    let problems = problems.into_iter().map(named).collect();
    let _ = std::fs::remove_dir_all(folder);
    problems
}

#[test]
fn included_files_add_rows_and_are_named_in_problems() {
    let main = format!("include = [\"more/*.toml\"]\n{CLEAN}");
    let gateway = "[[peer]]\nname = \"gw2\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.22:5060\"]\n";
    let group = "[[route_group]]\nname = \"RG2\"\npeers = [\"gw2\", \"gw3\"]\n";
    let list = "[[route_list]]\nname = \"RL2\"\nmembers = [\"RG2\"]\n[[route_pattern]]\npattern = \"0!\"\npartition = \"PT-Local\"\nroute_list = \"RL2\"\n";
    let files = [("node.toml", main.as_str()), ("more/a.toml", gateway), ("more/b.toml", group), ("more/c.toml", list)];
    let problems = check_files(&files);
    let [(file, line, column, key, message)] = &problems[..] else { panic!("{problems:#?}") };
    assert_eq!((file.as_str(), *line, *column, key.as_str()), ("more/b.toml", 3, 17, "route_group[0].peers[1]"));
    assert!(message.contains("there is no peer"), "{message}");
}

#[test]
fn what_an_include_gets_wrong_is_said_at_the_include() {
    let with = |include: &str| format!("include = [{include}]\n{CLEAN}");
    for (include, file, line, column, says) in [
        ("\"gone.toml\"", "node.toml", 1, 12, "cannot be read"),
        ("\"node.toml\"", "node.toml", 1, 12, "a second time"),
        ("\"none/*.toml\"", "node.toml", 1, 12, "includes no file"),
        ("\"*/x.toml\"", "node.toml", 1, 12, "names no files"),
        ("\"again.toml\"", "again.toml", 1, 1, "a second time"),
        ("\"turn.toml\"", "turn.toml", 1, 12, "a second time"),
    ] {
        let main = with(include);
        let again = "[cluster]\nid = \"HQ\"\n";
        let problems =
            check_files(&[("node.toml", &*main), ("again.toml", again), ("turn.toml", "include = [\"node.toml\"]")]);
        let [problem] = &problems[..] else { panic!("{include}: {problems:#?}") };
        assert_eq!((problem.0.as_str(), problem.1, problem.2), (file, line, column), "{include}: {problems:#?}");
        assert!(problem.4.contains(says), "{include}: {}", problem.4);
    }
}

#[test]
fn an_include_that_does_not_parse_hides_no_mistake_that_it_could_not_mend() {
    let main = format!("include = [\"torn.toml\"]\n{CLEAN}")
        .replace("peers = [\"gw\"]", "peers = [\"gw\", \"cc\", \"gw9\"]")
        .replace("css = \"CSS-Trunk\"", "css = \"CSS-Other\"");
    let double =
        "\n[[css]]\nname = \"CSS-Phone\"\npartitions = []\n[[device]]\nname = \"SEP09\"\ncss = \"CSS-Phone\"\n";
    let torn = "[[css]]\nname = \"CSS-Other\"\npartitions = [\"PT-Emergency\"\n[[css]]\nname = \"CSS-Phone\"\npartitions = []\n";
    let problems = check_files(&[("node.toml", &*format!("{main}{double}")), ("torn.toml", torn)]);
    let told = problems.iter().filter(|problem| problem.0 == "node.toml").map(|problem| (&*problem.3, &*problem.4));
    let want = [
        ("route_group[0].peers[1]", "\"cc\" is call control, not a gateway: a route group leads to the PSTN"),
        ("css[2].name", "two calling search spaces are named \"CSS-Phone\""),
        ("device[1].device_pool", "device has no device_pool"),
    ];
    assert_eq!(told.collect::<Vec<_>>(), want, "{problems:#?}");
    assert!(
        problems.iter().any(|problem| problem.0 == "torn.toml" && problem.4.starts_with("not TOML")),
        "{problems:#?}"
    );
}

#[test]
fn includes_are_bounded_in_depth() {
    let main = format!("include = [\"f1.toml\"]\n{CLEAN}");
    let names: Vec<_> = (0..12).map(|n| (format!("f{n}.toml"), format!("include = [\"f{}.toml\"]\n", n + 1))).collect();
    let mut files = vec![("node.toml", main.as_str())];
    files.extend(names.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let problems = check_files(&files);
    let [problem] = &problems[..] else { panic!("{problems:#?}") };
    assert_eq!((problem.0.as_str(), problem.1), ("f8.toml", 1));
    assert!(problem.4.contains("8 deep"), "{}", problem.4);
}

#[test]
fn every_documented_key_is_accepted() {
    let (folder, authority) = (folder(), Authority::new("root"));
    let [certificate, key, trust] = pki::write(&folder, "node", &authority.sign(&["hq.example.com"]), &authority.pem);
    let [certificate, key, trust] = [certificate, key, trust].map(|path| format!("\"{}\"", path.display()));
    let mut text = include_str!("config/every_key.toml").to_owned();
    for (name, header) in [
        ("devices", "name,device_pool"),
        ("users", "id"),
        ("sessions", "user,device"),
        ("patterns", "kind,pattern"),
        ("transformation_patterns", "kind,pattern"),
        ("device_pools", "name"),
    ] {
        let path = folder.join(format!("{name}.csv"));
        std::fs::write(&path, header).expect("the target folder can be written");
        text = text.replace(&format!("\"{name}.csv\""), &format!("\"{}\"", path.display()));
    }
    let text =
        text.replace("\"node.pem\"", &certificate).replace("\"node.key\"", &key).replace("\"peers.pem\"", &trust);
    let problems = problems_of(&text);
    let _ = std::fs::remove_dir_all(folder);
    let wrong: Vec<_> = problems.iter().filter(|p| p.severity == Severity::Error).map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn no_mutation_of_the_pair_panics_and_what_passes_loads(
        home in any::<bool>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, "[\\[\\]{}=\",.#a-zA-Z0-9:!X\\- \n\\\\']{0,12}"), 1..6),
    ) {
        let text = if home { include_str!("../examples/pair/hq.toml") } else { include_str!("../examples/pair/br.toml") };
        let mut text: Vec<char> = text.chars().collect();
        for (at, length, put) in cuts {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, put.chars());
            if text.is_empty() { text.push('\n'); }
        }
        let text: String = text.into_iter().collect();
        let folder = folder();
        let path = folder.join("node.toml");
        std::fs::write(&path, &text).expect("the target folder can be written");
        let (checked, loaded) = (check(&path, Probe::Offline), load(&path));
        let _ = std::fs::remove_dir_all(folder);
        prop_assert_eq!(checked.is_ok(), loaded.is_ok(), "what passes the check must load");
        for problem in checked.problems {
            prop_assert!(!problem.fix.is_empty() && !problem.message.is_empty());
            prop_assert!(problem.line as usize <= text.matches('\n').count() + 1);
        }
    }
}
