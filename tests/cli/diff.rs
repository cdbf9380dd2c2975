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
    let nothing =
        json!({ "complete": true, "not_compared": [], "callers_only_now": [], "callers_only_next": [], "changes": [] });
    assert_eq!(compared(&pair("hq.toml")), nothing);
    let ran = asked(&pair("hq.toml"), &["--fail-on-change"]);
    assert_eq!(ran.code, Some(0));
    let (file, now) = (pair("hq.toml"), pair("hq.toml"));
    let ran = emcc_trunk(&["diff", "--config", &now, "--candidate", &file]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", "no decision changes\n"));
}

/// D-24, D-25: what is set aside is said, and numbers are told as they stand before it.
#[test]
fn transformation_patterns_that_differ_are_named_as_not_compared() {
    let table = |mask: &str| {
        format!(
            "name = \"gw-hq\"\ncalling_transform_css = \"CSS-Numbers\"\n\n[[css]]\nname = \"CSS-Numbers\"\n\
             partitions = [\"PT-Numbers\"]\n\n[[transformation_pattern]]\nkind = \"calling\"\npattern = \"5XXX\"\n\
             partition = \"PT-Numbers\"\nmask = \"{mask}\"\n\n[[peer]]\nname = \"gw-hq\"\n"
        )
    };
    // The peer keeps its own keys: they follow its name.
    let with = |mask: &str| {
        table(mask).replacen("\n\n[[css]]", "\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.29:5060\"]\n\n[[css]]", 1)
    };
    let (one, two) =
        (with("408555XXXX").replacen("gw-hq", "gw-other", 1), with("408556XXXX").replacen("gw-hq", "gw-other", 1));
    let now = edited("transform-now.toml", "name = \"gw-hq\"\n", &one);
    let next = edited("transform-next.toml", "name = \"gw-hq\"\n", &two);
    let ran = emcc_trunk(&["diff", "--json", "--config", &now, "--candidate", &next]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let object = ran.object();
    assert_eq!((&object["complete"], &object["changes"]), (&json!(false), &json!([])));
    assert_eq!(object["not_compared"], json!(["transformation patterns"]));
    let people = emcc_trunk(&["diff", "--config", &now, "--candidate", &next]);
    assert!(people.err.contains("transformation patterns of gateways or trunks differ"), "{}", people.err);
    let same = emcc_trunk(&["diff", "--json", "--config", &now, "--candidate", &now]);
    assert_eq!((same.code, &same.object()["complete"]), (Some(0), &json!(true)));
}

#[test]
fn a_changed_pattern_is_told_with_an_example_and_both_decisions() {
    let next = edited("pattern.toml", "pattern = \"9.0!\"", "pattern = \"9.00!\"");
    let object = compared(&next);
    let gone = change(&object, PHONE, "90[1-9]!");
    assert_eq!(
        *gone,
        json!({
            "emergency": false, "callers": { "count": 1, "example": PHONE }, "numbers": ["90[1-9]", "90[1-9]!"],
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
    let abroad = change(&object, ALICE, "90[1-9]!");
    assert_eq!(abroad["now"]["outcome"], "emcc-trunk");
    assert_eq!(asked(&next, &["--fail-on-change"]).code, Some(1));
    let ran = emcc_trunk(&["diff", "--config", &pair("hq.toml"), "--candidate", &next]);
    assert!(
        ran.out.is_empty() && ran.err.contains("  numbers: 90[1-9], 90[1-9]!\n  901\n    now:  gateway gw-hq"),
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
