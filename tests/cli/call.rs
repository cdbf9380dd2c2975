//! What `explain call` prints.

use super::*;

fn asked(file: &str, words: &str) -> Ran {
    let config = pair(file);
    let mut arguments = vec!["explain", "call", "--json", "--config", &config];
    arguments.extend(words.split_whitespace());
    emcc_trunk(&arguments)
}

/// The answer without its reasons, which have to be there.
fn decided(file: &str, words: &str) -> Value {
    let ran = asked(file, words);
    assert_eq!(ran.code, Some(0), "{words}: {}", ran.err);
    let mut object = ran.object();
    let because = object.as_object_mut().and_then(|keys| keys.remove("because")).unwrap();
    assert!(because.as_array().is_some_and(|steps| !steps.is_empty() && steps.iter().all(Value::is_string)), "{words}");
    for key in ["rules", "alternatives", "remote"] {
        assert!(object.as_object_mut().is_some_and(|keys| keys.remove(key).is_some()), "{words}: {key}");
    }
    object
}

fn alice_at_hq() -> Value {
    json!({ "device": "SEP001122334455", "user": "alice", "home_cluster": "HQ", "visiting_cluster": "BR",
            "device_pool": "DP-Roam-London" })
}

fn alice_at_br() -> Value {
    json!({ "device": "SEP001122334455", "user": "alice", "home_cluster": "HQ", "visiting_cluster": "BR",
            "device_pool": "DP-London" })
}

fn nobodys(device: &str, device_pool: Value) -> Value {
    json!({ "device": device, "user": null, "home_cluster": null, "visiting_cluster": null,
            "device_pool": device_pool })
}

/// The example of the contract: 911 comes over the trunk, is translated, and leaves by London's gateways.
#[test]
fn an_emergency_over_the_trunk_is_answered_as_the_contract_shows() {
    let ran = asked("br.toml", "--from SEP001122334455 --to 911 --via HQ");
    assert_eq!(ran.object()["because"][0], "pstn-access CSS: trunk");
    let keys: Vec<String> = ordered_keys(&ran.out);
    let want = [
        "cluster",
        "role",
        "caller",
        "css",
        "match",
        "translations",
        "emergency",
        "outcome",
        "called",
        "calling",
        "next_hops",
        "status",
        "codecs",
        "because",
        "rules",
        "alternatives",
        "remote",
    ];
    assert_eq!(keys, want);
    assert_eq!(
        decided("br.toml", "--from SEP001122334455 --to 911 --via HQ"),
        json!({
            "cluster": "BR", "role": "visiting", "caller": alice_at_br(), "css": ["CSS-Trunk"],
            "match": { "pattern": "999", "partition": "PT-Emergency", "kind": "route" }, "translations": ["911"],
            "emergency": true, "outcome": "gateway", "called": "999", "calling": null,
            "next_hops": [
                { "name": "gw-br-1", "address": "udp:127.0.2.20:5060", "called": "999" },
                { "name": "gw-br-2", "address": "udp:127.0.2.21:5060", "called": "999" }
            ],
            "status": null, "codecs": null
        })
    );
}

/// Names of the outer object in the order printed; values are skipped by depth, and no string here holds a brace.
fn ordered_keys(object: &str) -> Vec<String> {
    let (mut depth, mut keys, mut rest) = (0, Vec::new(), object);
    while let Some(at) = rest.find(['{', '}', '[', ']', '"']) {
        let (sign, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = after;
        match sign {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {
                let end = after.find('"').unwrap();
                rest = &after[end + 1..];
                if depth == 1 && rest.starts_with(':') {
                    keys.push(after[..end].to_owned());
                }
            }
        }
    }
    keys
}

/// P-2 to P-6, D-12, D-14, P-23.
#[test]
fn alice_abroad_calls_by_the_rules_of_her_home() {
    let css = json!(["CSS-Adjunct-London", "CSS-Line", "CSS-EMCC"]);
    let trunk = |called: &str| json!({ "name": "BR", "address": "udp:127.0.2.1:5060", "called": called });
    let gateway = |called: &str| json!({ "name": "gw-hq", "address": "udp:127.0.1.20:5060", "called": called });
    let phones = |called: &str| json!({ "name": "cc-hq", "address": "udp:127.0.1.10:5060", "called": called });
    let pattern =
        |text: &str, partition: &str, kind: &str| json!({ "pattern": text, "partition": partition, "kind": kind });
    for (dialed, matched, emergency, outcome, hops, status) in [
        (
            "9999",
            pattern("9.999", "PT-Emergency-London", "route"),
            true,
            "emcc-trunk",
            vec![trunk("999"), gateway("999")],
            Value::Null,
        ),
        (
            "9911",
            pattern("9.911", "PT-Emergency", "route"),
            true,
            "emcc-trunk",
            vec![trunk("911"), gateway("911")],
            Value::Null,
        ),
        (
            "919195551234",
            pattern("9.1[2-9]XX[2-9]XXXXXX", "PT-Local", "route"),
            false,
            "gateway",
            vec![gateway("19195551234")],
            Value::Null,
        ),
        (
            "902079460000",
            pattern("9.0!", "PT-Local", "route"),
            false,
            "emcc-trunk",
            vec![trunk("02079460000")],
            Value::Null,
        ),
        ("919005551234", pattern("9.1900!", "PT-Local", "block"), false, "reject", vec![], json!(403)),
        (
            "5002",
            pattern("5XXX", "PT-Internal", "directory-number"),
            false,
            "call-control",
            vec![phones("5002")],
            Value::Null,
        ),
        ("777", Value::Null, false, "reject", vec![], json!(404)),
        ("99", Value::Null, false, "reject", vec![], json!(484)),
    ] {
        let called = hops.first().map_or(Value::Null, |hop: &Value| hop["called"].clone());
        assert_eq!(
            decided("hq.toml", &format!("--from alice --to {dialed}")),
            json!({
                "cluster": "HQ", "role": "home", "caller": alice_at_hq(), "css": css, "match": matched,
                "translations": [], "emergency": emergency, "outcome": outcome, "called": called, "calling": null,
                "next_hops": hops, "status": status, "codecs": null
            }),
            "{dialed}"
        );
    }
}

/// A caller is one whichever of the three names is used.
#[test]
fn user_number_and_device_name_the_same_caller() {
    let by_user = decided("hq.toml", "--from alice --to 9999");
    for who in ["5001", "SEP001122334455", "sep001122334455"] {
        assert_eq!(decided("hq.toml", &format!("--from {who} --to 9999")), by_user, "{who}");
    }
    let by_user = decided("hq.toml", "--from bob --to 9911");
    for who in ["5002", "SEP00AA00AA0001"] {
        assert_eq!(decided("hq.toml", &format!("--from {who} --to 9911")), by_user, "{who}");
    }
}

/// P-22: at home the local route group is the own device pool's.
#[test]
fn bob_at_home_leaves_by_the_gateway_of_his_own_pool() {
    assert_eq!(
        decided("hq.toml", "--from bob --to 9911"),
        json!({
            "cluster": "HQ", "role": "local", "caller": nobodys("SEP00AA00AA0001", json!("DP-HQ")),
            "css": ["CSS-Line", "CSS-Phone"],
            "match": { "pattern": "9.911", "partition": "PT-Emergency", "kind": "route" }, "translations": [],
            "emergency": true, "outcome": "gateway", "called": "911", "calling": null,
            "next_hops": [{ "name": "gw-hq", "address": "udp:127.0.1.20:5060", "called": "911" }],
            "status": null, "codecs": null
        })
    );
}

/// P-12, P-14, P-15.
#[test]
fn over_the_trunk_only_a_known_phone_in_use_gets_out_and_only_by_a_gateway() {
    for (file, words, status) in [
        ("br.toml", "--from SEPFFFFFFFFFFFF --to 02079460000 --via HQ", 403),
        ("hq.toml", "--from SEP00AA00AA0001 --to 919195551234 --via BR", 403),
        ("br.toml", "--from SEP001122334455 --to 7001 --via HQ", 404),
    ] {
        let answer = decided(file, words);
        assert_eq!(
            (&answer["role"], &answer["outcome"], &answer["status"], &answer["next_hops"], &answer["called"]),
            (&json!("visiting"), &json!("reject"), &json!(status), &json!([]), &Value::Null),
            "{words}"
        );
    }
    let unknown = decided("br.toml", "--from SEPFFFFFFFFFFFF --to 02079460000 --via HQ");
    assert_eq!(unknown["caller"], nobodys("SEPFFFFFFFFFFFF", Value::Null));
}

/// P-12: a directory number the trunk's search space reaches is still no gateway.
#[test]
fn a_target_that_is_no_gateway_is_refused() {
    let text = std::fs::read_to_string(pair("br.toml")).unwrap();
    let trunk = r#"partitions = ["PT-Emergency", "PT-Translate", "PT-National"]"#;
    assert!(text.contains(trunk));
    let wider = r#"partitions = ["PT-Emergency", "PT-Translate", "PT-National", "PT-Internal"]"#;
    let config = file("wider.toml", &text.replace(trunk, wider));
    let arguments = ["explain", "call", "--json", "--config", &config, "--from", "SEP001122334455"];
    let ran = emcc_trunk(&[&arguments[..], &["--to", "7001", "--via", "HQ"]].concat());
    let answer = ran.object();
    assert_eq!((&answer["outcome"], &answer["status"]), (&json!("reject"), &json!(403)));
    assert_eq!(answer["match"], json!({ "pattern": "7XXX", "partition": "PT-Internal", "kind": "directory-number" }));
}

/// P-15, P-23.
#[test]
fn an_emergency_over_the_trunk_is_taken_from_an_unknown_phone() {
    let answer = decided("br.toml", "--from SEPFFFFFFFFFFFF --to 999 --via HQ");
    assert_eq!((&answer["emergency"], &answer["outcome"]), (&json!(true), &json!("gateway")));
    let names: Vec<&Value> = answer["next_hops"].as_array().unwrap().iter().map(|hop| &hop["name"]).collect();
    assert_eq!(names, ["gw-trunk-pool", "gw-br-2"]);
    assert_eq!(answer["caller"], nobodys("SEPFFFFFFFFFFFF", json!("DP-Trunk")));
}

#[test]
fn an_unknown_caller_or_source_exits_1_with_a_sentence() {
    for (words, said) in [
        ("--from mallory --to 911", "'mallory' is no device, no user and no directory number"),
        ("--from 4711 --to 911", "'4711' is no device"),
        ("--from alice --to 911 --via MARS", "'MARS' is neither local nor the id of a remote cluster"),
    ] {
        let ran = asked("hq.toml", words);
        assert_eq!(ran.code, Some(1), "{words}");
        assert!(ran.err.contains(said), "{words}: {}", ran.err);
        assert!(ran.object()["error"].as_str().is_some_and(|error| error.contains(said)));
    }
}

#[test]
fn a_calling_number_leaves_with_the_call_and_not_with_a_refusal() {
    let with =
        |dialed: &str| decided("hq.toml", &format!("--from alice --calling 5001 --to {dialed}"))["calling"].clone();
    assert_eq!(with("919195551234"), "5001");
    assert_eq!(with("777"), Value::Null);
}

/// RFC 3325: towards a gateway that does not belong to the trust domain no transform shows, as none does on the wire.
#[test]
fn a_calling_number_that_a_transform_made_shows_where_it_leaves() {
    let text = std::fs::read_to_string(pair("hq.toml")).unwrap();
    let gateway = "name = \"gw-hq\"\n";
    let pattern = "pattern = \"9.1[2-9]XX[2-9]XXXXXX\"\n";
    assert!(text.contains(gateway) && text.contains(pattern));
    let tables = "[[css]]\nname = \"CSS-Numbers\"\npartitions = [\"PT-Numbers\"]\n\
        [[transformation_pattern]]\nkind = \"calling\"\npattern = \"5XXX\"\npartition = \"PT-Numbers\"\nmask = \"408555XXXX\"\n";
    for (what, of_gateway, of_pattern, told, shown) in [
        ("a pattern", "calling_transform_css = \"CSS-Numbers\"\n", "", "4085555002", "by transformation pattern 5XXX"),
        ("a mask", "", "calling_mask = \"919444XXXX\"\n", "9194445002", ""),
    ] {
        for is_told in [true, false] {
            let trust = if is_told { "" } else { "trust_identity = false\n" };
            let text = text.replacen(gateway, &format!("{gateway}{trust}{of_gateway}"), 1);
            let text = text.replacen(pattern, &format!("{pattern}{of_pattern}"), 1) + tables;
            let config = file("call-told.toml", &text);
            let dials = ["--from", "bob", "--calling", "5002", "--to", "912025550123"];
            let ran = emcc_trunk(&[&["explain", "call", "--json", "--config", &config][..], &dials].concat());
            let answer = ran.object();
            let because: Vec<&str> = answer["because"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert_eq!(answer["outcome"], "gateway", "{what}: {answer:#}");
            // As it came: From is the caller's own.
            assert_eq!(answer["calling"], if is_told { told } else { "5002" }, "{what}: {answer:#}");
            let is_withheld =
                because.contains(&"gw-hq is not told the calling number that transforms make (trust_identity)");
            assert_eq!(is_withheld, !is_told, "{what}: {because:?}");
            let is_shown = because.iter().any(|step| step.starts_with("calling number") && step.ends_with(shown));
            assert_eq!(is_shown, is_told && !shown.is_empty(), "{what}: {because:?}");
        }
    }
}

/// M-1, M-6: the trunk's calls and the EMCC phone's have the region's codecs, whichever way they leave.
#[test]
fn codecs_of_an_offer_are_those_of_the_region() {
    let wide = file("call-wide.sdp", &sdp("0 9 18 101", ""));
    let narrow = file("call-narrow.sdp", &sdp("0 8", ""));
    let codecs = |words: String| {
        let answer = decided("hq.toml", &words);
        (answer["codecs"].clone(), answer["status"].clone(), answer["outcome"].clone())
    };
    for (dialed, outcome) in [("9999", "emcc-trunk"), ("919195551234", "gateway"), ("5002", "call-control")] {
        let got = codecs(format!("--from alice --to {dialed} --offer {wide}"));
        assert_eq!(got, (json!(["G729"]), Value::Null, json!(outcome)), "{dialed}");
    }
    let got = codecs(format!("--from alice --to 919195551234 --offer {narrow}"));
    assert_eq!(got, (json!([]), json!(488), json!("reject")));
    let got = codecs(format!("--from bob --to 5001 --offer {wide}"));
    assert_eq!(got, (json!(["G729"]), Value::Null, json!("call-control")), "a call to the EMCC phone is one of it");
    let got = codecs(format!("--from bob --to 919195551234 --offer {narrow}"));
    assert_eq!(got, (json!(["PCMU", "PCMA"]), Value::Null, json!("gateway")), "no EMCC phone, no region");
}

#[test]
fn people_read_the_trail_on_standard_error() {
    let config = pair("br.toml");
    let ran = emcc_trunk(&[
        "explain",
        "call",
        "--config",
        &config,
        "--from",
        "SEP001122334455",
        "--to",
        "911",
        "--via",
        "HQ",
    ]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
    for line in [
        "cluster BR, visiting call of SEP001122334455, alice of HQ visiting BR, device pool DP-London",
        "translated by: 911",
        "match: 999 in PT-Emergency (route)",
        "  1. gw-br-1 at udp:127.0.2.20:5060, called 999",
        "  - pstn-access CSS: trunk",
    ] {
        assert!(ran.err.lines().any(|read| read == line), "{line}\n{}", ran.err);
    }
}

/// R-2, R-16, P-23: what a phone that registers at its home node dials goes to call control, an emergency at once.
#[test]
fn a_call_of_the_phone_itself_goes_to_call_control_and_an_emergency_straight_on() {
    let call_control = json!([{ "name": "cc-hq", "address": "udp:127.0.1.10:5060", "called": "912025550123" }]);
    let listen = "listen = [\"udp:127.0.1.1:5060\", \"tcp:127.0.1.1:5060\"]";
    let text = std::fs::read_to_string(pair("hq.toml")).unwrap();
    assert!(text.contains(listen));
    let config = file("phones.toml", &text.replace(listen, &format!("{listen}\nphones = [\"127.9.0.0/16\"]")));
    let decided = |words: &str| {
        let arguments: Vec<&str> = words.split_whitespace().collect();
        let ran = emcc_trunk(&[&["explain", "call", "--json", "--config", &config], &arguments[..]].concat());
        assert_eq!(ran.code, Some(0), "{words}: {}", ran.err);
        ran.object()
    };
    let answer = decided("--from alice --to 912025550123 --via phone");
    assert_eq!((&answer["outcome"], &answer["next_hops"]), (&json!("call-control"), &call_control));
    assert_eq!((&answer["role"], &answer["caller"]), (&json!("home"), &alice_at_hq()));
    for (who, outcome, status) in [("5001", "emcc-trunk", json!(null)), ("bob", "gateway", json!(null))] {
        let answer = decided(&format!("--from {who} --to 911 --via phone"));
        assert_eq!(
            (&answer["outcome"], &answer["status"], &answer["emergency"]),
            (&json!(outcome), &status, &json!(true))
        );
    }
    assert_eq!(decided("--from bob --to 5001 --via phone")["status"], json!(403));
    // Where no network of phones is configured no call comes from one.
    let ran = asked("hq.toml", "--from alice --to 912025550123 --via phone");
    assert_eq!(ran.code, Some(1));
    assert!(ran.object()["error"].as_str().is_some_and(|error| error.contains("no sip.phones")), "{}", ran.out);
}

/// The pair's visiting cluster with one text replaced, asked with these words.
fn asked_with(name: &str, from: &str, to: &str, words: &str) -> Value {
    let text = std::fs::read_to_string(pair("br.toml")).unwrap();
    assert!(text.contains(from), "{from}");
    let config = file(name, &text.replace(from, to));
    let mut arguments = vec!["explain", "call", "--json", "--config", &config];
    arguments.extend(words.split_whitespace());
    let ran = emcc_trunk(&arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.object()
}

/// P-9, P-11, trap 12: the phone's own search space reaches 112, the trunk's does not.
#[test]
fn the_original_device_css_is_the_phone_s() {
    let setting = r#"pstn_access_css = "original-device""#;
    let words = "--from SEP001122334455 --to 112 --via HQ";
    let answer = asked_with("original.toml", r#"pstn_access_css = "trunk""#, setting, words);
    assert_eq!((&answer["css"], &answer["outcome"]), (&json!(["CSS-Phone"]), &json!("gateway")));
    assert_eq!(answer["match"], json!({ "pattern": "112", "partition": "PT-Europe", "kind": "route" }));
    assert_eq!(answer["because"][0], "pstn-access CSS: original device");
}

/// P-14: the service is one of the profile, and its absence is not the caller's fault.
#[test]
fn an_inactive_service_refuses_calls_and_no_emergency() {
    let inactive = |words| asked_with("inactive.toml", "pstn_access = true", "pstn_access = false", words);
    let answer = inactive("--from SEP001122334455 --to 02079460000 --via HQ");
    assert_eq!((&answer["outcome"], &answer["status"]), (&json!("reject"), &json!(500)));
    let answer = inactive("--from SEP001122334455 --to 911 --via HQ");
    assert_eq!((&answer["outcome"], &answer["status"]), (&json!("gateway"), &Value::Null));
}

/// D-15.
#[test]
fn translations_in_a_circle_end_as_a_translation() {
    let circle = r#"css = "CSS-Trunk"
called_mask = "911""#;
    let own = r#"css = "CSS-Emergency"
called_mask = "999""#;
    let words = "--from SEP001122334455 --to 911 --via HQ";
    let answer = asked_with("circle.toml", own, circle, words);
    assert_eq!(answer["match"], json!({ "pattern": "911", "partition": "PT-Translate", "kind": "translation" }));
    assert_eq!((&answer["emergency"], &answer["outcome"]), (&json!(true), &json!("gateway")), "P-23");
    assert_eq!(answer["translations"].as_array().map(Vec::len), Some(9));
}

/// A circular group is asked from its first member on.
#[test]
fn a_circular_group_starts_at_its_first_member() {
    let (from, to) = (r#"distribution = "top-down""#, r#"distribution = "circular""#);
    let answer = asked_with("circular.toml", from, to, "--from 7001 --to 02079460000");
    let names: Vec<&Value> = answer["next_hops"].as_array().unwrap().iter().map(|hop| &hop["name"]).collect();
    assert_eq!(names, ["gw-br-1", "gw-br-2"]);
}

/// P-7, P-8, P-23: a neighbour given by name is a hop as any other, told by its name; nobody asks the DNS.
#[test]
fn a_neighbour_given_by_name_is_a_hop_told_by_its_name_p23() {
    let hq = std::fs::read_to_string(pair("hq.toml")).unwrap();
    let named = |changes: &[(&str, &str)]| {
        changes.iter().fold(hq.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        })
    };
    let gateway = ("udp:127.0.1.20:5060", "udp:gw.example.com:5060");
    let trunk = ("udp:127.0.2.1:5060", "br.example.com");
    let (alone, both) =
        (file("named-gateway.toml", &named(&[gateway])), file("named-both.toml", &named(&[gateway, trunk])));
    let hop = |name: &str, address: &str, called: &str| json!({ "name": name, "address": address, "called": called });
    let gw = |called: &str| hop("gw-hq", "udp:gw.example.com:5060", called);
    for (config, from, to, outcome, hops) in [
        // The last resort is the gateway too, and comes once.
        (&alone, "5002", "9911", "gateway", vec![gw("911")]),
        (&alone, "5002", "9999", "gateway", vec![gw("999")]),
        (&alone, "5002", "912025550123", "gateway", vec![gw("12025550123")]),
        (&alone, "alice", "9999", "emcc-trunk", vec![hop("BR", "udp:127.0.2.1:5060", "999"), gw("999")]),
        (&both, "alice", "9999", "emcc-trunk", vec![hop("BR", "br.example.com", "999"), gw("999")]),
        (&both, "alice", "901614960000", "emcc-trunk", vec![hop("BR", "br.example.com", "01614960000")]),
        (&both, "alice", "5002", "call-control", vec![hop("cc-hq", "udp:127.0.1.10:5060", "5002")]),
    ] {
        let ran = emcc_trunk(&["explain", "call", "--json", "--config", config, "--from", from, "--to", to]);
        assert_eq!(ran.code, Some(0), "{to}: {}", ran.err);
        let answer = ran.object();
        assert_eq!((&answer["outcome"], &answer["status"]), (&json!(outcome), &Value::Null), "{to}");
        assert_eq!(answer["next_hops"], json!(hops), "{to}");
    }
    // Followed to the other cluster as if the trunk were given by address.
    let words = ["explain", "call", "--json", "--config", &both, "--from", "alice", "--to", "9999", "--remote-config"];
    let answer = emcc_trunk(&[&words[..], &[&pair("br.toml")]].concat()).object();
    assert_eq!(answer["remote"]["next_hops"][0], hop("gw-br-1", "udp:127.0.2.20:5060", "999"));
}

/// P-13: what the other cluster would not hear, it is not asked about.
#[test]
fn a_call_is_followed_with_what_the_other_cluster_would_hear_of_it() {
    let text = std::fs::read_to_string(pair("br.toml")).unwrap();
    let br = |name: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        file(name, &text.replacen(from, to, 1))
    };
    let asked = |br: &str, dialed: &str| {
        let hq = pair("hq.toml");
        let words =
            ["explain", "call", "--json", "--config", &hq, "--from", "alice", "--to", dialed, "--remote-config"];
        emcc_trunk(&[&words[..], &[br]].concat())
    };
    let trunk = "trunk = [\"udp:127.0.1.1:5060\"]";
    let other_header = br("br-header.toml", trunk, &format!("{trunk}\ndevice_header = \"X-Device\""));
    for (br, status, device) in
        [(&pair("br.toml"), Value::Null, json!("SEP001122334455")), (&other_header, json!(403), Value::Null)]
    {
        let ran = asked(br, "901614960000");
        let remote = &ran.object()["remote"];
        assert_eq!((&remote["status"], &remote["caller"]["device"], ran.err.as_str()), (&status, &device, ""));
    }
    for (name, from, to, said) in [
        (
            "br-knows.toml",
            trunk,
            "trunk = [\"udp:127.0.1.77:5060\"]",
            "BR knows HQ at udp:127.0.1.77:5060 alone, where HQ does not listen",
        ),
        (
            "br-listens.toml",
            "udp:127.0.2.1:5060",
            "udp:127.0.2.77:5060",
            "HQ sends to BR at udp:127.0.2.1:5060, where BR does not listen",
        ),
    ] {
        let ran = asked(&br(name, from, to), "9999");
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let told = format!("emcc-trunk: {said}: unless addresses are translated on the way");
        assert!(ran.err.lines().any(|line| line.starts_with(&told)), "{}", ran.err);
    }
}

/// The pair's home cluster with one text replaced, in a file of its own.
fn hq_with(name: &str, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(pair("hq.toml")).unwrap();
    assert!(text.contains(from), "{from}");
    file(name, &text.replacen(from, to, 1))
}

/// P-4, P-23: from the PSTN come calls to directory numbers, roaming users among them, and emergencies; nothing passes through.
#[test]
fn a_caller_behind_a_gateway_is_asked_by_the_gateway_s_name_p23() {
    let nobody =
        json!({ "device": null, "user": null, "home_cluster": null, "visiting_cluster": null, "device_pool": null });
    for (dialed, outcome, hops, status) in [
        ("5002", "call-control", json!(["5002@cc-hq"]), Value::Null),
        ("911", "gateway", json!(["911@gw-hq"]), Value::Null),
        ("919195551234", "reject", json!([]), json!(404)),
        ("7777", "reject", json!([]), json!(404)),
    ] {
        let answer = decided("hq.toml", &format!("--from +14085550100 --to {dialed} --via gw-hq"));
        assert_eq!((&answer["role"], &answer["caller"]), (&json!("local"), &nobody), "{dialed}");
        assert_eq!((&answer["outcome"], &answer["status"]), (&json!(outcome), &status), "{dialed}");
        let told = answer["next_hops"].as_array().unwrap().iter();
        let told: Vec<String> =
            told.map(|hop| format!("{}@{}", hop["called"].as_str().unwrap(), hop["name"].as_str().unwrap())).collect();
        assert_eq!(json!(told), hops, "{dialed}");
        // It is the number the call comes with.
        let calling = if outcome == "reject" { Value::Null } else { json!("+14085550100") };
        assert_eq!(answer["calling"], calling, "{dialed}");
    }
    let other = decided("hq.toml", "--from 4085550100 --calling 0100 --to 5002 --via gateway:gw-hq");
    assert_eq!(other["calling"], "0100");
    // A call to a user abroad is under the region of the link to where that user is (M-1).
    let wide = file("gateway-wide.sdp", &sdp("0 9 18 101", ""));
    let codecs = |dialed: &str| {
        decided("hq.toml", &format!("--from 4085550100 --to {dialed} --via gw-hq --offer {wide}"))["codecs"].clone()
    };
    assert_eq!((codecs("5001"), codecs("5002")), (json!(["G729"]), json!(["PCMU", "G722", "G729"])));
    let br = pair("br.toml");
    let answer = asked("hq.toml", &format!("--from 4085550100 --to 911 --via gw-hq --remote-config {br}")).object();
    assert_eq!((&answer["outcome"], &answer["remote"]), (&json!("gateway"), &Value::Null));
    let config = pair("hq.toml");
    let arguments = ["explain", "call", "--config", &config, "--from", "4085550100", "--to", "5002", "--via", "gw-hq"];
    let ran = emcc_trunk(&arguments);
    assert!(ran.err.starts_with("cluster HQ, local call from gateway gw-hq\n"), "{}", ran.err);
    let help = emcc_trunk(&["explain", "call", "--help"]).out;
    assert!(
        help.split_whitespace().collect::<Vec<_>>().join(" ").contains("or the gateway that brings it from number WHO"),
        "{help}"
    );
}

#[test]
fn a_name_of_both_a_gateway_and_a_cluster_is_refused_and_each_has_a_way_of_its_own() {
    for (words, said) in [
        (
            "--from alice --to 5002 --via gw-hq",
            "'alice' is no number; of a caller behind a gateway nothing else is known",
        ),
        ("--from 4085550100 --to 5002 --via cc-hq", "'cc-hq' is neither local nor the id of a remote cluster"),
        (
            "--from 4085550100 --to 5002 --via gateway:BR",
            "'gateway:BR' is neither local nor the id of a remote cluster",
        ),
        ("--from alice --to 5002 --via cluster:gw-hq", "'cluster:gw-hq' is neither local nor the id of a remote"),
    ] {
        let ran = asked("hq.toml", words);
        assert_eq!(ran.code, Some(1), "{words}: {}", ran.out);
        assert!(ran.object()["error"].as_str().is_some_and(|error| error.contains(said)), "{words}: {}", ran.out);
    }
    // One name for both is refused, and each has a way of its own.
    let second =
        "[[peer]]\nname = \"BR\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.21:5060\"]\n\n[[remote_cluster]]";
    let config = hq_with("two-names.toml", "[[remote_cluster]]", second);
    let ask = |via: &str| {
        let words = ["explain", "call", "--json", "--config", &config, "--from", "5002", "--to", "911", "--via", via];
        emcc_trunk(&words)
    };
    let ran = ask("BR");
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    let said = "--via 'BR' is a remote cluster and a gateway: write cluster:BR or gateway:BR";
    assert_eq!(ran.object(), json!({ "error": said }));
    assert_eq!(ask("cluster:BR").object()["role"], "visiting");
    assert_eq!((&ask("gateway:BR").object()["role"], ask("gateway:gw-hq").code), (&json!("local"), Some(0)));
}

/// Of each gateway what is agreed with it holds: a call that it may not send is refused as a live one is.
#[test]
fn what_a_gateway_may_send_is_its_own() {
    let text = "name = \"gw-hq\"\n";
    let with = "name = \"gw-hq\"\nmethods = [\"OPTIONS\"]\n";
    let second = "[[peer]]\nname = \"gw-2\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.21:5060\"]\n\n[[peer]]\n";
    let config = hq_with("gateway-methods.toml", &format!("[[peer]]\n{text}"), &format!("{second}{with}"));
    for (via, dialed, status) in
        [("gw-hq", "5002", json!(405)), ("gw-hq", "911", Value::Null), ("gw-2", "5002", Value::Null)]
    {
        let words =
            ["explain", "call", "--json", "--config", &config, "--from", "4085550100", "--to", dialed, "--via", via];
        assert_eq!(emcc_trunk(&words).object()["status"], status, "{via} {dialed}");
    }
}

/// M-8: the lower of both ends' caps rules, and whose that is stands in the reasons where they are not the same.
#[test]
fn whose_cap_rules_is_said_m8() {
    let wide = file(
        "cap-wide.sdp",
        &format!("{}m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n", sdp("0 9 18 101", "")),
    );
    let reasons = |name: &str, theirs: &str| -> Vec<String> {
        let config = hq_with(name, "rsvp_policy =", &format!("{theirs}rsvp_policy ="));
        let text = std::fs::read_to_string(&config).unwrap();
        let config = file(name, &text.replacen("region_max_audio_kbps = 8\n", "region_max_audio_kbps = 64\n", 1));
        let words =
            ["explain", "call", "--json", "--config", &config, "--from", "alice", "--to", "9999", "--offer", &wide];
        let because = emcc_trunk(&words).object()["because"].as_array().unwrap().clone();
        because.iter().map(|step| step.as_str().unwrap().to_owned()).collect()
    };
    let of_caps = |because: Vec<String>| -> Vec<String> {
        because.into_iter().filter(|step| step.contains("cap of ") && step.contains(" rules")).collect()
    };
    let lower = reasons("cap-lower.toml", "region_max_audio_kbps = 8\nregion_max_video_kbps = 512\n");
    assert!(lower.contains(&"G722 (9) dropped: 64 kbps is over the cap of 8 kbps".to_owned()), "{lower:?}");
    assert_eq!(
        of_caps(lower),
        [
            "the other cluster's audio cap of 8 kbps rules: ours is 64 kbps",
            "our video cap of 384 kbps rules: the other cluster's is 512 kbps"
        ]
    );
    let higher = reasons("cap-higher.toml", "region_max_audio_kbps = 256\n");
    assert_eq!(of_caps(higher), ["our audio cap of 64 kbps rules: the other cluster's is 256 kbps"]);
    assert_eq!(of_caps(reasons("cap-equal.toml", "region_max_audio_kbps = 64\n")), [] as [&str; 0]);
}
