//! One mistake is one problem: what only follows from it is not told beside it, and hides nothing else.

use super::*;

/// The clean file, and that without a last resort, so that more is to be told of emergencies.
fn files() -> [String; 2] {
    [CLEAN.to_owned(), CLEAN.replacen("last_resort = [\"gw\"]\n", "", 1)]
}

/// Each change of the clean files must give its one error and nothing else.
fn each_is_told_alone(changes: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (find, put) in changes {
        assert!(CLEAN.contains(find), "{find} is not in clean.toml");
        for text in files().iter().filter(|text| text.contains(find)) {
            let text = match find.is_empty() {
                true => format!("{text}\n{put}\n"),
                false => text.replacen(find, put, 1),
            };
            let problems = problems_of(&text);
            if !matches!(&problems[..], [one] if one.severity == Severity::Error) {
                let seen: Vec<_> = problems.iter().map(ToString::to_string).collect();
                wrong.push(format!("{put}\n  {}", seen.join("\n  ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_slip_in_the_head_of_a_table_is_told_alone() {
    each_is_told_alone(&[
        ("[[device_pool]]", "[[devicepool]]"),
        ("[[device_pool]]", "[device_pool]"),
        ("[[device_pool]]\nname", "[[device_pool]]\nnaem"),
        ("[[device_pool]]\nname = \"DP-HQ\"", "[[device_pool]]\nname = 5"),
        ("[[css]]\nname = \"CSS-Phone\"", "[[css]]\nnaem = \"CSS-Phone\""),
        ("[[css]]\nname = \"CSS-Trunk\"", "[[csss]]\nname = \"CSS-Trunk\""),
        ("[[geolocation]]", "[geolocation]"),
        ("[[geolocation_filter]]", "[geolocation_filter]"),
        ("[[geolocation_filter]]", "[[geolocation_filters]]"),
        ("[[remote_cluster]]", "[remote_cluster]"),
        ("[[remote_cluster]]\nid = \"BR\"\n", "[[remote_cluster]]\n"),
        ("[[route_group]]", "[route_group]"),
        ("[[route_group]]", "[[route_groups]]"),
        ("[[route_group]]\nname = \"RG\"\n", "[[route_group]]\n"),
        ("[[route_list]]", "[route_list]"),
        ("[[route_list]]\nname", "[[route_list]]\nnmae"),
        ("[[peer]]\nname = \"gw\"", "[[peers]]\nname = \"gw\""),
        ("[[peer]]\nname = \"gw\"\n", "[[peer]]\n"),
        ("[[peer]]\nname = \"cc\"\n", "[[peer]]\n"),
        ("[[device]]", "[device]"),
        ("[[user]]\nid = \"alice\"", "[[user]]\nids = \"alice\""),
        ("[[emcc_session]]", "[emcc_session]"),
        ("[[translation_pattern]]", "[translation_pattern]"),
        ("[[directory_number]]", "[[directory_numbers]]"),
        ("[sip]", "[[sip]]"),
        ("[cluster]", "[[cluster]]"),
        ("[feature]", "[[feature]]"),
        ("[emergency]", "[[emergency]]"),
        ("[emcc_template]", "[emcc_tmplate]"),
        ("", "[[csv]]\ndevices = \"devices.csv\""),
    ]);
}

#[test]
fn nothing_that_only_follows_from_a_row_not_understood_is_told_beside_it() {
    let new = |pattern: &str| {
        format!(
            "partitions = [\"PT-New\", \"PT-Internal\", \"PT-Emergency\", \"PT-Local\"]\n\
             [[route_list]]\nname = \"RL-New\"\nmembers = [\"RG-New\"]\n\
             [[route_group]]\nname = \"RG-New\"\npeers = [\"gw\"]\n[[route_pattern]]\n{pattern}"
        )
    };
    let find = "partitions = [\"PT-Internal\", \"PT-Emergency\", \"PT-Local\"]";
    let rest = "partition = \"PT-New\"\nroute_list = \"RL-New\"";
    let patterns = [
        format!("pattern = \"8Y00\"\n{rest}"),
        format!("pattern = \"9.@\"\n{rest}"),
        format!("pattern = 8000\n{rest}"),
        format!("patern = \"8000\"\n{rest}"),
        "pattern = \"8000\"\npartion = \"PT-New\"\nroute_list = \"RL-New\"".to_owned(),
        "pattern = \"8000\"\npartition = \"PT-New\"\nroutelist = \"RL-New\"".to_owned(),
    ]
    .map(|pattern| new(&pattern));
    each_is_told_alone(&patterns.each_ref().map(|put| (find, put.as_str())));
    let right = CLEAN.replacen(find, &new(&format!("pattern = \"8000\"\n{rest}")), 1);
    assert_eq!(problems_of(&right), []);
    each_is_told_alone(&[
        (find, "partitions = \"PT-Internal\""),
        ("members = [\"Standard Local Route Group\"]", "members = \"Standard Local Route Group\""),
        ("peers = [\"gw\"]", "peer = [\"gw\"]"),
        ("fields = [\"country\", \"A3\"]", "fields = [\"Country\", \"A3\"]"),
        ("name = \"SEP01\"\ncss = ", "name = \"SEP01\"\nccs = "),
        ("geolocation_filter = \"city\"", "geolocation_filtr = \"city\""),
        ("geolocation = \"GL-HQ\"", "geolocaton = \"GL-HQ\""),
        ("line_css = ", "line_cs = "),
        ("last_resort = [\"gw\"]\nnumbers", "last_resort = [\"gw\"]\nnumber"),
    ]);
}

#[test]
fn a_name_that_nothing_has_is_told_once_where_it_is_named_first() {
    let devices: String = (0..1_500)
        .map(|n| format!("[[device]]\nname = \"SEPX{n:04}\"\ndevice_pool = \"DP-HX\"\ncss = \"CSS-Phone\"\n"))
        .collect();
    let text =
        format!("{CLEAN}{devices}[[emcc_session]]\nuser = \"alicia\"\ndevice = \"SEP03\"\nvisiting_cluster = \"BR\"\n");
    let told: Vec<_> = problems_of(&text).into_iter().map(|p| (p.line, p.key, p.message)).collect();
    let lines = CLEAN.lines().count() as u32;
    let pool = "there is no device_pool \"DP-HX\", named here and at 1499 more places".to_owned();
    let user = "there is no user \"alicia\"".to_owned();
    let last = (lines + 1_500 * 4 + 2, "emcc_session[1].user".to_owned(), user);
    assert_eq!(told, [(lines + 3, "device[1].device_pool".to_owned(), pool), last]);
    // With the table's own head misspelt it may be there.
    let text = text.replacen("[[user]]", "[[usr]]", 1);
    assert!(problems_of(&text).iter().all(|problem| !problem.message.contains("alicia")));
}

#[test]
fn a_name_that_two_tables_lack_is_told_where_it_stands_first_in_the_file() {
    let text = CLEAN.replacen("css = \"CSS-Phone\"\ndevice_pool", "css = \"CSS-Fone\"\ndevice_pool", 1);
    let text = text.replacen("line_css = \"CSS-Phone\"", "line_css = \"CSS-Fone\"", 1);
    let text = text.replacen("originator_css = true", "css = \"CSS-Fone\"", 1);
    let told: Vec<_> = problems_of(&text).into_iter().map(|p| (p.key, p.message)).collect();
    let message = "there is no css \"CSS-Fone\", named here and at 2 more places";
    assert_eq!(told, [("translation_pattern[0].css".to_owned(), message.to_owned())]);
}

#[test]
fn a_value_not_understood_is_not_told_as_left_out() {
    let audio = "link_audio_kbps = 2000";
    let services = "services = [\"emcc\", \"pstn-access\", \"rsvp-agent\"]";
    let trunk = "trunk = [\"tcp:127.0.2.1:5060\"]";
    let kind = "kind = \"gateway\"";
    let feature = "geolocation_filter = \"city\"";
    let caps = "link_video_kbps = 4000";
    each_is_told_alone(&[
        (audio, "link_audio_kbps = -1"),
        (audio, "link_audio_kbps = \"2 Mbit/s\""),
        (audio, "link_audio_kbps = 2000.5"),
        (audio, "link_audio_kbps = 1000000000"),
        (audio, "link_audio_kbs = 2000"),
        ("link_video_kbps = 4000", "link_video_kbps = true"),
        (services, "services = [\"emcc\", \"pstn_access\"]"),
        (services, "service = [\"emcc\", \"pstn-access\", \"rsvp-agent\"]"),
        (trunk, "trunk = [\"udp:127.0.2.1:5060\"]\nsend_geolocation = \"no\""),
        (
            trunk,
            "trunk = [\"udp:127.0.2.1:5060\", \"tcp;127.0.2.1:5060\"]\nsend_geolocation = false\nstrict_stream = true",
        ),
        (trunk, "trunk = [\"tcp:127.0.2.1:5060\", \"tcp;127.0.2.2:5060\"]\npriority = [1, 2]"),
        (kind, "kind = \"gateway\"\naddress = [\"tcp:127.0.1.20:5060\"]\nstrict_stream = true"),
        ("emcc = true\n", "emcc = \"yes\"\n"),
        ("pstn_access = true", "pstn_acess = true"),
        ("[intercluster_service_profile]", "[intercluster_service_profil]"),
        ("[emcc_trunk]", "[emcc_trnk]"),
        ("[emcc_trunk]", "[[emcc_trunk]]\n[[emcc_trunk]]"),
        (caps, "link_video_kbps = 4000\nregion_max_audio_kbps = \"8\""),
        (feature, "geolocation_filter = \"city\"\nregion_max_audio_kbps = \"64\""),
        (feature, "geolocation_filter = \"city\"\nregion_link_loss = \"losy\""),
    ]);
    let listen = "listen = [\"udp:127.0.1.1:5060\", \"tcp:127.0.1.1:5060\"]";
    let everywhere = "listen = [\"udp:0.0.0.0:5060\", \"tcp:0.0.0.0:5060\"]\nadvertis = \"127.0.1.1\"";
    let secured = "listen = [\"udp:127.0.1.1:5060\", \"tcp:127.0.1.1:5060\", \"tls:127.0.1.1:5061\"]\ntls = true";
    let timed = format!("{listen}\nmin_se_s = 3600\nsession_expires = 7200");
    each_is_told_alone(&[(listen, everywhere), (listen, secured), (listen, timed.as_str())]);
    let theirs = CLEAN.replacen(caps, "link_video_kbps = 4000\nregion_max_audio_kbps = 64", 1);
    let slipped = theirs.replacen(feature, "geolocation_filter = \"city\"\nregion_max_audio_kbps = \"64\"", 1);
    let told: Vec<_> = problems_of(&slipped).into_iter().map(|problem| problem.key).collect();
    assert_eq!(told, ["feature.region_max_audio_kbps"]);
    // Of another row it is.
    let other = "[[remote_cluster]]\nid = \"SF\"\ntrunk = [\"tcp:127.0.3.1:5060\"]\nlink_video_kbps = 1\n";
    let text = CLEAN.replacen(audio, "link_audio_kbps = -1", 1) + other;
    let told: Vec<_> = problems_of(&text).into_iter().map(|problem| problem.key).collect();
    assert_eq!(told, ["remote_cluster[0].link_audio_kbps", "remote_cluster[1].link_audio_kbps"]);
}
