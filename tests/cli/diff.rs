//! What `diff` prints for the example pair and for edits of it.

use std::fmt::Write;

use super::*;

fn hq() -> String {
    std::fs::read_to_string(pair("hq.toml")).unwrap()
}

/// The example with one place of it written otherwise, in a file of its own.
fn edited(name: &str, from: &str, to: &str) -> String {
    let text = hq();
    assert!(text.contains(from), "{from}");
    file(name, &text.replacen(from, to, 1))
}

fn asked(candidate: &str, more: &[&str]) -> Ran {
    let now = pair("hq.toml");
    let mut arguments = vec!["diff", "--json", "--config", &now, "--candidate", candidate];
    arguments.extend(more);
    emcc_trunk(&arguments)
}

fn compared(candidate: &str) -> Value {
    let ran = asked(candidate, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let object = ran.object();
    assert_eq!(object["complete"], true);
    object
}

/// The change of a caller that has this set of numbers.
fn change<'c>(object: &'c Value, caller: &str, numbers: &str) -> &'c Value {
    let changes = object["changes"].as_array().unwrap();
    let is_it = |change: &&Value| {
        change["callers"]["example"] == caller && change["numbers"].as_array().unwrap().contains(&json!(numbers))
    };
    changes.iter().find(is_it).unwrap_or_else(|| panic!("{caller} {numbers}: {object:#}"))
}

const PHONE: &str = "device SEP00AA00AA0001";
const ALICE: &str = "phone SEP001122334455 abroad";

#[test]
fn nothing_changes_between_equal_files() {
    let nothing = json!({
        "complete": true, "callers_only_now": [], "callers_only_next": [], "changes": [], "leaving": [], "settings": []
    });
    assert_eq!(compared(&pair("hq.toml")), nothing);
    let ran = asked(&pair("hq.toml"), &["--fail-on-change"]);
    assert_eq!(ran.code, Some(0));
    let (file, now) = (pair("hq.toml"), pair("hq.toml"));
    let ran = emcc_trunk(&["diff", "--config", &now, "--candidate", &file]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", "nothing changes\n"));
}

/// The example with transformation patterns of its gateway: a mask for calling numbers, a prefix for called ones.
fn transforming(name: &str, mask: &str, prefix: &str) -> String {
    let text = hq().replacen(
        "name = \"gw-hq\"\n",
        "name = \"gw-hq\"\ncalling_transform_css = \"CSS-Numbers\"\ncalled_transform_css = \"CSS-Numbers\"\n",
        1,
    );
    let tables = format!(
        "[[css]]\nname = \"CSS-Numbers\"\npartitions = [\"PT-Numbers\"]\n\
         [[transformation_pattern]]\nkind = \"calling\"\npattern = \"5XXX\"\npartition = \"PT-Numbers\"\nmask = \"{mask}\"\n\
         [[transformation_pattern]]\nkind = \"called\"\npattern = \"0!\"\npartition = \"PT-Numbers\"\n\
         prefix_digits = \"{prefix}\"\n"
    );
    file(name, &(text + &tables))
}

/// RFC 3325: a calling number that does not leave is no change.
#[test]
fn a_calling_number_that_nobody_is_told_does_not_change() {
    let [now, next] = [("untold-now.toml", "408555XXXX"), ("untold-next.toml", "408556XXXX")].map(|(name, mask)| {
        let text = std::fs::read_to_string(transforming(name, mask, "1")).unwrap();
        file(name, &text.replacen("name = \"gw-hq\"\n", "name = \"gw-hq\"\ntrust_identity = false\n", 1))
    });
    let ran = emcc_trunk(&["diff", "--json", "--config", &now, "--candidate", &next, "--calling", "5002"]);
    let object = ran.object();
    assert_eq!((&object["changes"], &object["leaving"]), (&json!([]), &json!([])), "{object:#}");
}

/// D-24, D-25: by the end numbers leave by, and for the called number by who dials what.
#[test]
fn transformation_patterns_are_compared_where_numbers_leave_d24_d25() {
    let now = transforming("transform-now.toml", "408555XXXX", "1");
    let next = transforming("transform-next.toml", "408556XXXX", "2");
    let ran = emcc_trunk(&["diff", "--json", "--config", &now, "--candidate", &next]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let object = ran.object();
    assert_eq!(object["complete"], true);
    let leaving = |party: &str, numbers: Value, example: &str, now: &str, next: &str| {
        json!({
            "party": party, "to": ["gw-hq"], "numbers": numbers, "example": example, "now": now, "next": next
        })
    };
    let all = object["leaving"].as_array().unwrap();
    assert_eq!(all[0], leaving("calling", json!(["5XXX"]), "5000", "4085555000", "4085565000"));
    assert_eq!((&all[1]["party"], &all[1]["now"], &all[1]["next"]), (&json!("called"), &json!("100"), &json!("200")));
    let changed = change(&object, PHONE, "90!");
    assert_eq!(changed["now"]["next_hops"][0]["called"], "100");
    assert_eq!(changed["next"]["next_hops"][0]["called"], "200");
    // The user abroad leaves by the trunk, which has no such patterns.
    assert!(!object["changes"].as_array().unwrap().iter().any(|change| change["callers"]["example"] == ALICE));
    let people = emcc_trunk(&["diff", "--config", &now, "--candidate", &next]);
    assert!(
        people
            .err
            .contains("calling number that leaves by gw-hq\n  numbers: 5XXX\n  5000\n    now:  becomes 4085555000\n"),
        "{}",
        people.err
    );
    let same = emcc_trunk(&["diff", "--json", "--config", &now, "--candidate", &now, "--fail-on-change"]);
    assert_eq!(same.code, Some(0));
}

/// M-1, M-8, V-9: whose calls are under another region or link, without any number.
#[test]
fn settings_of_region_and_link_are_told_with_whose_calls_they_rule() {
    let text = hq()
        .replacen("region_max_audio_kbps = 8\n", "region_max_audio_kbps = 64\n", 1)
        .replacen("link_audio_kbps = 2000", "link_audio_kbps = 1000", 1)
        .replacen("rsvp_policy = \"mandatory-video-desired\"", "rsvp_policy = \"optional-video-desired\"", 1);
    let (now, next) = (pair("hq.toml"), file("terms.toml", &text));
    let object = compared(&next);
    assert_eq!(object["changes"], json!([]));
    let settings = object["settings"].as_array().unwrap();
    let setting = |name: &str| settings.iter().find(|setting| setting["setting"] == name).unwrap();
    let audio = setting("region_max_audio_kbps");
    assert_eq!((&audio["now"], &audio["next"]), (&json!("8"), &json!("64")));
    let callers = |setting: &Value| -> Vec<String> {
        let callers = setting["callers"].as_array().unwrap();
        callers.iter().map(|callers| callers["example"].as_str().unwrap().to_owned()).collect()
    };
    let whose = callers(audio);
    assert!(whose.contains(&ALICE.to_owned()) && whose.contains(&format!("calls to {ALICE}")), "{whose:?}");
    assert!(whose.contains(&"an unknown phone over the trunk of BR".to_owned()), "{whose:?}");
    assert!(!whose.contains(&PHONE.to_owned()), "{whose:?}");
    assert_eq!(
        (&setting("link_audio_kbps")["now"], &setting("link_audio_kbps")["next"]),
        (&json!("2000"), &json!("1000"))
    );
    let policy = setting("rsvp_policy");
    assert_eq!(
        (&policy["now"], &policy["next"]),
        (&json!("mandatory-video-desired"), &json!("optional-video-desired"))
    );
    // A call that comes over the trunk is one of PSTN access.
    assert!(!callers(policy).contains(&"an unknown phone over the trunk of BR".to_owned()));
    assert!(callers(setting("pstn_access_rsvp_policy")).contains(&"an unknown phone over the trunk of BR".to_owned()));
    let ran = emcc_trunk(&["diff", "--config", &now, "--candidate", &next, "--fail-on-change"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("link_audio_kbps\n    now:  2000\n    next: 1000\n  of "), "{}", ran.err);
}

/// The settings that an edit of the home cluster's configuration changes, which sends no number another way.
fn only_settings(name: &str, from: &str, to: &str) -> Value {
    let (now, next) = (pair("hq.toml"), edited(name, from, to));
    let ran = emcc_trunk(&["diff", "--json", "--fail-on-change", "--config", &now, "--candidate", &next]);
    assert_eq!(ran.code, Some(1), "{to}: {}", ran.out);
    let object = ran.object();
    assert_eq!((&object["changes"], &object["leaving"]), (&json!([]), &json!([])), "{to}");
    object["settings"].clone()
}

/// S-1 to S-3, S-7, 9.2: what turns the keys of a call away, and the room it needs, is a change though every number goes where it
/// went.
#[test]
fn srtp_keys_and_room_are_settings_and_fail_on_change_s1_to_s7() {
    let gateway = "kind = \"gateway\"\n";
    assert_eq!(
        only_settings("srtp-keys.toml", gateway, &format!("{gateway}srtp_keys = \"tls\"\n")),
        json!([{ "setting": "srtp_keys", "now": "pass, but for a non-secure EMCC session", "next": "never",
                 "callers": [{ "count": 1, "example": "calls to and from gw-hq" }] }])
    );
    let room = only_settings("room.toml", "link_audio_kbps = 2000", "link_audio_kbps = 400");
    assert_eq!(
        (room.as_array().unwrap().len(), &room[0]["setting"], &room[0]["now"], &room[0]["next"]),
        (1, &json!("link_audio_kbps"), &json!("2000"), &json!("400"))
    );
    let policy = only_settings("policy.toml", "\"mandatory-video-desired\"  ", "\"mandatory\"  ");
    let names: Vec<&Value> = policy.as_array().unwrap().iter().map(|setting| &setting["setting"]).collect();
    assert_eq!(names, ["rsvp_policy", "pstn_access_rsvp_policy"]);
    // A phone's mode is its session's (tables 6 to 8); on a trunk without TLS a secure one has no calls at all.
    let secure = edited(
        "secure.toml",
        "geolocation = { country = \"GB\"",
        "security_mode = \"secure\"\ngeolocation = { country = \"GB\"",
    );
    let object = compared(&secure);
    let setting = object["settings"].as_array().unwrap().iter().find(|setting| setting["setting"] == "security_mode");
    let setting = setting.unwrap_or_else(|| panic!("{object:#}"));
    assert_eq!((&setting["now"], &setting["next"]), (&json!("non-secure"), &json!("secure")));
    let whose: Vec<&Value> = setting["callers"].as_array().unwrap().iter().map(|callers| &callers["example"]).collect();
    assert_eq!(whose, [&json!(ALICE), &json!(format!("calls to {ALICE}"))]);
    let changes = object["changes"].as_array().unwrap();
    let is_barred = |change: &&Value| change["callers"]["example"] == ALICE && change["next"]["status"] == 403;
    assert!(changes.iter().any(|change| is_barred(&change)), "{object:#}");
}

/// G-3, R-9: where a caller is goes along with its calls, though no number goes another way.
#[test]
fn a_callers_place_that_is_another_is_told_with_whose_calls_say_it_g3() {
    let pool = "name = \"DP-HQ\"\ngeolocation = \"GL-HQ\"";
    let device = "device_pool = \"DP-HQ\"\ndirectory_numbers";
    let callers = |example: &str| json!([{ "count": 1, "example": example }]);
    let told = |now: Value, next: Value, example: &str| json!([{ "setting": "geolocation", "now": now, "next": next, "callers": callers(example) }]);
    let here = json!("country=US,A1=NC,A3=RTP");
    for (name, from, to, next) in [
        ("place.toml", "A3 = \"RTP\"", "A3 = \"Durham\"", json!("country=US,A1=NC,A3=Durham")),
        (
            "place-of-pool.toml",
            &format!("[[device_pool]]\n{pool}"),
            "[[geolocation]]\nname = \"GL-NY\"\ncountry = \"US\"\nA1 = \"NY\"\n\
             [[device_pool]]\nname = \"DP-HQ\"\ngeolocation = \"GL-NY\"",
            json!("country=US,A1=NY"),
        ),
        ("no-place.toml", pool, "name = \"DP-HQ\"", Value::Null),
        (
            "place-of-device.toml",
            device,
            "device_pool = \"DP-HQ\"\ngeolocation = \"Unspecified\"\ndirectory_numbers",
            Value::Null,
        ),
    ] {
        assert_eq!(only_settings(name, from, to), told(here.clone(), next, PHONE), "{to}");
    }
    // Of a phone abroad the visited cluster said it.
    let abroad = only_settings("floor.toml", "FLR = \"2\"", "FLR = \"3\"");
    assert_eq!(abroad, told(json!("country=GB,A3=London,FLR=2"), json!("country=GB,A3=London,FLR=3"), ALICE));
    let next = edited("place.toml", "A3 = \"RTP\"", "A3 = \"Durham\"");
    let ran = emcc_trunk(&["diff", "--config", &pair("hq.toml"), "--candidate", &next]);
    assert!(ran.err.contains("geolocation\n    now:  country=US,A1=NC,A3=RTP\n    next: country=US,A1=NC,A3=Durham\n  of device SEP00AA00AA0001"), "{}", ran.err);
}

#[test]
fn callers_of_one_configuration_alone_are_a_change() {
    let session = "[[emcc_session]]\nuser = \"alice\"\ndevice = \"SEP001122334455\"\nvisiting_cluster = \"BR\"\n\
                   geolocation = { country = \"GB\", A3 = \"London\", FLR = \"2\" }";
    let next = edited("logged-out.toml", session, "");
    let ran = asked(&next, &["--fail-on-change"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(asked(&next, &[]).code, Some(0));
    let ran = emcc_trunk(&["diff", "--config", &pair("hq.toml"), "--candidate", &next]);
    assert!(ran.err.ends_with("nothing changes for callers of both\n"), "{}", ran.err);
}

#[test]
fn a_changed_pattern_is_told_with_an_example_and_both_decisions() {
    let next = edited("pattern.toml", "pattern = \"9.0!\"", "pattern = \"9.00!\"");
    let object = compared(&next);
    let gone = change(&object, PHONE, "90[1-9]X?");
    assert_eq!(
        *gone,
        json!({
            "emergency": false, "callers": { "count": 1, "example": PHONE }, "numbers": ["90[1-9]X?"],
            "example": "901", "turn": 0,
            "now": {
                "outcome": "gateway", "match": { "pattern": "9.0!", "partition": "PT-Local" }, "translations": [],
                "emergency": false, "status": null,
                "next_hops": [{ "name": "gw-hq", "address": "udp:127.0.1.20:5060", "called": "01", "calling": null }]
            },
            "next": {
                "outcome": "reject", "match": null, "translations": [], "emergency": false, "next_hops": [],
                "status": 404
            }
        })
    );
    // 900 is no number any more, but the beginning of some.
    assert_eq!(change(&object, PHONE, "900")["next"]["status"], 484);
    // Of the user abroad the same numbers leave by the trunk.
    let abroad = change(&object, ALICE, "90[1-9]X?");
    assert_eq!(abroad["now"]["outcome"], "emcc-trunk");
    assert_eq!(asked(&next, &["--fail-on-change"]).code, Some(1));
    let ran = emcc_trunk(&["diff", "--config", &pair("hq.toml"), "--candidate", &next]);
    assert!(
        ran.out.is_empty() && ran.err.contains("  numbers: 90[1-9]X?\n  901\n    now:  gateway gw-hq"),
        "{}",
        ran.err
    );
}

#[test]
fn a_reordered_route_list_changes_the_order_of_hops_alone() {
    let groups = "[[peer]]\nname = \"gw-2\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.21:5060\"]\n\
                  [[route_group]]\nname = \"RG-2\"\npeers = [\"gw-2\"]\n";
    let with = |members: &str| hq().replacen("members = [\"RG-HQ\"]", &format!("members = [{members}]"), 1) + groups;
    let now = file("list-now.toml", &with("\"RG-HQ\", \"RG-2\""));
    let next = file("list-next.toml", &with("\"RG-2\", \"RG-HQ\""));
    let ran = emcc_trunk(&["diff", "--json", "--config", &now, "--candidate", &next]);
    let object = ran.object();
    let changed = change(&object, PHONE, "91[2-8]XX[2-9]XXXXXX");
    let hops = |side: &str| -> Vec<String> {
        let hops = changed[side]["next_hops"].as_array().unwrap();
        hops.iter().map(|hop| hop["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((hops("now"), hops("next")), (vec!["gw-hq".into(), "gw-2".into()], vec!["gw-2".into(), "gw-hq".into()]));
    assert_eq!(object["changes"].as_array().unwrap().len(), 2, "{object:#}");
}

#[test]
fn a_partition_less_in_a_search_space_changes_only_its_callers() {
    let from = "name = \"CSS-Phone\"\npartitions = [\"PT-Internal\", \"PT-Emergency\", \"PT-Local\"]";
    let next = edited("css.toml", from, "name = \"CSS-Phone\"\npartitions = [\"PT-Internal\", \"PT-Emergency\"]");
    let object = compared(&next);
    let changed = change(&object, PHONE, "90!");
    assert_eq!((&changed["now"]["outcome"], &changed["next"]["status"]), (&json!("gateway"), &json!(404)));
    for change in object["changes"].as_array().unwrap() {
        let who = change["callers"]["example"].as_str().unwrap();
        assert!(who == PHONE, "{who}");
    }
}

#[test]
fn a_changed_translation_is_followed_into_the_numbers_that_are_dialed() {
    let translation = |mask: &str| {
        hq() + &format!(
            "[[translation_pattern]]\npattern = \"8XXX\"\npartition = \"PT-Internal\"\ncalled_mask = \"{mask}\"\n\
             originator_css = true\n"
        )
    };
    let (now, next) = (file("mask-now.toml", &translation("5XXX")), file("mask-next.toml", &translation("52XX")));
    let object = emcc_trunk(&["diff", "--json", "--config", &now, "--candidate", &next]).object();
    // 82XX is translated to the same number by both.
    let changed = change(&object, PHONE, "8[013-9]XX");
    assert_eq!(changed["now"]["next_hops"][0]["called"], "5000");
    assert_eq!(changed["next"]["next_hops"][0]["called"], "5200");
    assert_eq!(changed["now"]["translations"], json!(["8XXX"]));
}

#[test]
fn a_changed_emergency_number_comes_first_and_is_marked_p23() {
    let text = hq().replacen("[emergency]\n", "[emergency]\nnumbers = [\"112\"]\n", 1);
    let next = file("emergency.toml", &text.replacen("pattern = \"9.0!\"", "pattern = \"9.00!\"", 1));
    let object = compared(&next);
    let changed = change(&object, PHONE, "112");
    assert_eq!((&changed["now"]["status"], &changed["next"]["emergency"]), (&json!(404), &json!(true)));
    assert_eq!(changed["next"]["next_hops"][0]["name"], "gw-hq");
    let marks: Vec<bool> =
        object["changes"].as_array().unwrap().iter().map(|change| change["emergency"].as_bool().unwrap()).collect();
    assert!(marks[0] && !marks[marks.len() - 1] && marks.is_sorted_by(|a, b| a >= b), "{marks:?}");
    let ran = emcc_trunk(&["diff", "--config", &pair("hq.toml"), "--candidate", &next]);
    assert!(ran.err.starts_with("EMERGENCY "), "{}", ran.err);
    // However it is written, it is one line for people; the object lists every form.
    let forms = changed["numbers"].as_array().unwrap().len() - 1;
    let line = format!("\n  numbers: 112 and {forms} forms with a +, a country code or a last # (--json lists them)\n");
    assert!(forms > 3 && ran.err.contains(&line), "{forms}: {}", ran.err);
}

#[test]
fn a_neighbour_that_moves_changes_the_numbers_that_go_there() {
    let by_name = |name: &str, host: &str| edited(name, "\"udp:127.0.1.20:5060\"", &format!("\"udp:{host}\""));
    let now = by_name("name-now.toml", "gw.example.com");
    let next = by_name("name-next.toml", "gw-2.example.com");
    let object = emcc_trunk(&["diff", "--json", "--config", &now, "--candidate", &next]).object();
    let changed = change(&object, PHONE, "90!");
    let address = |side: &str| changed[side]["next_hops"][0]["address"].clone();
    assert_eq!((address("now"), address("next")), (json!("udp:gw.example.com"), json!("udp:gw-2.example.com")));
}

#[test]
fn callers_of_one_side_alone_are_counted_and_not_compared() {
    let next = edited("device.toml", "name = \"SEP00AA00AA0001\"", "name = \"SEP00AA00AA0002\"");
    let object = compared(&next);
    assert_eq!(object["callers_only_now"], json!([{ "count": 1, "example": "device SEP00AA00AA0001" }]));
    assert_eq!(object["callers_only_next"], json!([{ "count": 1, "example": "device SEP00AA00AA0002" }]));
    assert_eq!(object["changes"], json!([]));
}

#[test]
fn a_configuration_with_mistakes_is_1_and_one_that_is_not_there_3() {
    let wrong = edited("wrong.toml", "route_list = \"RL-HQ\"", "route_list = \"RL-Nobody\"");
    let ran = asked(&wrong, &[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.object()["problems"].is_array());
    assert_eq!(asked("/nowhere/next.toml", &[]).code, Some(3));
}

/// Three rows of a hundred thousand: one gone, one new, one sent elsewhere.
#[test]
fn three_rows_of_a_hundred_thousand_are_found() {
    let mut text = hq().replacen(
        "partitions = [\"PT-Internal\", \"PT-Emergency\", \"PT-Local\"]",
        "partitions = [\"PT-Internal\", \"PT-Emergency\", \"PT-Local\", \"PT-0\", \"PT-1\", \"PT-2\", \"PT-3\"]",
        1,
    );
    let row = |number: usize, list: &str| {
        format!(
            "[[route_pattern]]\npattern = \"7{number:06}\"\npartition = \"PT-{}\"\nroute_list = \"{list}\"\n",
            number % 4
        )
    };
    for number in (0..100_000).filter(|number| ![5, 50_001, 77_777].contains(number)) {
        text.write_str(&row(number, "RL-HQ")).unwrap();
    }
    let now = file("large-now.toml", &format!("{text}{}{}", row(5, "RL-HQ"), row(50_001, "RL-HQ")));
    let other = "[[route_list]]\nname = \"RL-None\"\nmembers = [\"Standard Local Route Group\"]\n\
                 [route_list.transform.\"Standard Local Route Group\"]\nprefix_digits = \"0\"\n";
    let next = file("large-next.toml", &format!("{text}{}{}{other}", row(77_777, "RL-HQ"), row(50_001, "RL-None")));
    let ran = emcc_trunk(&["diff", "--json", "--config", &now, "--candidate", &next]);
    let object = ran.object();
    assert_eq!(object["complete"], true);
    for (numbers, now, next) in
        [("7000005", "gateway", "reject"), ("7077777", "reject", "gateway"), ("7050001", "gateway", "gateway")]
    {
        let changed = change(&object, PHONE, numbers);
        assert_eq!((&changed["now"]["outcome"], &changed["next"]["outcome"]), (&json!(now), &json!(next)), "{numbers}");
    }
    assert_eq!(object["changes"].as_array().unwrap().len(), 3, "{object:#}");
}
