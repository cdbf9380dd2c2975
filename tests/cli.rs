//! The built program: what it prints where, and how it exits.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

/// What a run of the program left.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// The one JSON object on standard output.
    fn object(&self) -> Value {
        let value: Value =
            serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}{}", self.out, self.err));
        assert!(value.is_object() && self.out.ends_with('\n'), "{}", self.out);
        value
    }
}

fn emcc_trunk(arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_emcc-trunk")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The file of the example pair called `name`.
fn pair(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/pair").join(name);
    file.to_str().unwrap().into()
}

/// A file of this test's own with `text` in it.
fn file(name: &str, text: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().into()
}

#[test]
fn usage_errors_exit_2_and_print_nothing_for_programs() {
    for arguments in [
        &[][..],
        &["fly"],
        &["check"],
        &["check", "--config"],
        &["run"],
        &["explain"],
        &["explain", "call"],
        &["explain", "call", "--config", "a.toml", "--from", "alice"],
        &["explain", "login", "--hc-version", "12.0"],
        &["explain", "login", "--vc-version", "12", "--hc-version", "x"],
        &["explain", "login", "--vc-version", "12", "--hc-version", "12", "--login-type", "PIN"],
        &["explain", "codecs", "--config", "a.toml"],
        &["explain", "codecs", "--config", "a.toml", "--offer", "b", "--link-loss", "high"],
        &["explain", "codecs", "--config", "a.toml", "--offer", "b", "--max-audio-kbps", "5"],
        &["explain", "roaming", "--config", "a.toml", "--geolocation", "planet=Mars"],
        &["explain", "roaming", "--config", "a.toml", "--geolocation", "country"],
    ] {
        let ran = emcc_trunk(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_version_exit_0() {
    let version = emcc_trunk(&["--version"]);
    assert_eq!((version.code, version.out), (Some(0), format!("emcc-trunk {}\n", env!("CARGO_PKG_VERSION"))));
    let help = emcc_trunk(&["--help"]);
    assert_eq!(help.code, Some(0));
    for word in ["run", "check", "explain", "demo", "Exit codes"] {
        assert!(help.out.contains(word), "{word} in {}", help.out);
    }
}

#[test]
fn a_configuration_that_is_not_there_exits_3() {
    for arguments in [
        &["check", "--config", "/nowhere/at/all.toml", "--json"][..],
        &["explain", "call", "--config", "/nowhere/at/all.toml", "--from", "a", "--to", "1", "--json"],
        &["explain", "roaming", "--config", "/nowhere/at/all.toml", "--geolocation", "country=GB", "--json"],
        &["run", "--config", "/nowhere/at/all.toml"],
    ] {
        let ran = emcc_trunk(arguments);
        assert_eq!(ran.code, Some(3), "{arguments:?}: {}", ran.err);
        if arguments.contains(&"--json") {
            assert_eq!(ran.object()["problems"].as_array().map(Vec::len), Some(1), "{arguments:?}");
        }
    }
}

mod login {
    use super::*;

    fn asked(words: &str) -> Ran {
        let mut arguments = vec!["explain", "login", "--json"];
        arguments.extend(words.split_whitespace());
        emcc_trunk(&arguments)
    }

    /// Result, EMCC, code, display, prompt and encryption of tables 5 to 8.
    #[test]
    fn the_rows_of_the_tables_print_every_key() {
        let login_1 = "Login is unavailable (1)";
        let (unsuccessful_45, unsuccessful_46) = ("Login is unsuccessful (45)", "Login is unsuccessful (46)");
        for (words, want) in [
            ("--vc-version 12.0 --hc-version 12.0", json!(["success", "non-secure", null, null, "user-id", true])),
            (
                "--vc-version 12.0 --hc-version 11.5 --login-type UID",
                json!(["fail", null, 1, login_1, "user-id", true]),
            ),
            (
                "--vc-version 12.0 --hc-version 11.5 --login-type DN",
                json!(["fail", null, 1, login_1, "extension", true]),
            ),
            ("--vc-version 12.0 --hc-version 11.5", json!(["success", "non-secure", null, null, "user-id", true])),
            (
                "--vc-version 12.0 --hc-version 12.0 --login-type SP --phone-mode secure",
                json!(["success", "secure", null, null, "self-service", true]),
            ),
            (
                "--vc-version 11.5 --hc-version 12.0 --login-type DN",
                json!(["success", "non-secure", null, null, "user-id", true]),
            ),
            (
                "--vc-version 12.0 --hc-version 12.0 --login-type OTHER",
                json!(["fail", null, 215, "LoginType invalid (215)", null, true]),
            ),
            (
                "--vc-version 9.1 --hc-version 8.6 --phone-mode secure",
                json!(["fail", null, 45, unsuccessful_45, "user-id", false]),
            ),
            (
                "--vc-version 9.1 --hc-version 9.1 --hc-mode non-secure --phone-mode secure",
                json!(["fail", null, 46, unsuccessful_46, "user-id", true]),
            ),
            (
                "--vc-version 8.6 --hc-version 9.1 --phone-mode secure",
                json!(["not-supported", null, 43, "Login is unavailable (43)", "user-id", false]),
            ),
            (
                "--vc-version 9.1 --hc-version 8.6 --hc-mode non-secure --vc-mode non-secure --phone-mode secure",
                json!(["success", "non-secure", null, null, "user-id", false]),
            ),
        ] {
            let ran = asked(words);
            let mut object = ran.object();
            let because = object.as_object_mut().and_then(|keys| keys.remove("because")).unwrap();
            assert!(because.as_array().is_some_and(|steps| !steps.is_empty() && steps.iter().all(Value::is_string)));
            let keys = ["result", "emcc", "code", "display", "prompt", "config_encrypted_allowed"];
            let want: Value = keys.into_iter().zip(want.as_array().unwrap().clone()).collect();
            assert_eq!((ran.code, object), (Some(0), want), "{words}");
        }
    }

    /// C-5.
    #[test]
    fn an_impossible_state_exits_1_with_a_sentence() {
        let ran = asked("--vc-version 12.0 --hc-version 12.0 --vc-mode non-secure --phone-mode secure");
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.contains("a phone cannot be secure in a non-secure visiting cluster"), "{}", ran.err);
        assert!(ran.object()["error"].is_string());
    }

    /// C-9.
    #[test]
    fn checks_that_need_data_are_refused_in_plain_words() {
        let ran = emcc_trunk(&["explain", "login", "--vc-version", "12", "--hc-version", "12", "--user", "alice"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
        assert!(ran.err.contains("not part of this version"), "{}", ran.err);
    }

    #[test]
    fn people_read_the_answer_on_standard_error() {
        let ran = emcc_trunk(&["explain", "login", "--vc-version", "12.0", "--hc-version", "11.5"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
        assert!(
            ran.err.contains("login: success, non-secure EMCC") && ran.err.contains("table 5 row 3"),
            "{}",
            ran.err
        );
    }
}

mod call {
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
        assert!(
            because.as_array().is_some_and(|steps| !steps.is_empty() && steps.iter().all(Value::is_string)),
            "{words}"
        );
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
        assert_eq!(
            ran.object()["because"][0].as_str().map(|step| step.contains("emergency")),
            Some(true),
            "{}",
            ran.out
        );
        assert!(ran.object()["because"].as_array().unwrap().contains(&json!("pstn-access CSS: trunk")));
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
        assert_eq!(
            answer["match"],
            json!({ "pattern": "7XXX", "partition": "PT-Internal", "kind": "directory-number" })
        );
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
}

/// An audio offer of these payload types, and what follows it.
fn sdp(formats: &str, rest: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP {formats}\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=rtpmap:105 isac/16000\r\n{rest}"
    )
}

mod codecs {
    use super::*;

    fn asked(offer: &str, words: &[&str]) -> Ran {
        let config = pair("hq.toml");
        let arguments = ["explain", "codecs", "--json", "--config", &config, "--offer", offer];
        emcc_trunk(&[&arguments[..], words].concat())
    }

    /// M-3 to M-7 and the domain's traps 14 and 15.
    #[test]
    fn the_cap_filters_and_the_link_loss_orders() {
        let offer = file("codecs.sdp", &sdp("0 9 18 101 105", ""));
        for (words, want) in [
            (&[][..], json!(["G729"])),
            (&["--max-audio-kbps", "32"], json!(["isac", "G729"])),
            (&["--max-audio-kbps", "64"], json!(["G722", "isac", "PCMU", "G729"])),
            (&["--max-audio-kbps", "64", "--link-loss", "low-loss"], json!(["G722", "isac", "PCMU", "G729"])),
            (&["--max-audio-kbps", "64", "--link-loss", "lossy"], json!(["isac", "G722", "PCMU", "G729"])),
        ] {
            let ran = asked(&offer, words);
            let answer = ran.object();
            assert_eq!(
                (ran.code, &answer["codecs"], &answer["video_kbps"]),
                (Some(0), &want, &Value::Null),
                "{words:?}"
            );
            assert!(answer["sdp"].as_str().is_some_and(|sdp| sdp.starts_with("v=0\r\n")), "{words:?}");
            assert_eq!(answer.as_object().unwrap().len(), 4, "codecs, sdp, video_kbps and because");
        }
    }

    #[test]
    fn the_description_that_would_leave_lists_what_is_left_in_its_order() {
        let offer = file("order.sdp", &sdp("0 9 18 101 105", ""));
        let answer = asked(&offer, &["--max-audio-kbps", "64", "--link-loss", "lossy"]).object();
        let sdp = answer["sdp"].as_str().unwrap();
        assert!(sdp.contains("m=audio 4000 RTP/AVP 105 9 0 18 101\r\n"), "{sdp}");
    }

    /// M-6.
    #[test]
    fn nothing_left_is_a_decision() {
        let offer = file("nothing.sdp", &sdp("0 8", ""));
        let ran = asked(&offer, &[]);
        let answer = ran.object();
        assert_eq!((ran.code, &answer["codecs"], &answer["sdp"]), (Some(0), &json!([]), &Value::Null));
        assert_eq!(answer["video_kbps"], Value::Null);
    }

    /// M-21, trap 16.
    #[test]
    fn video_gets_the_cap_less_the_audio() {
        let offer = file("video.sdp", &sdp("0", "m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"));
        let answer = asked(&offer, &["--max-audio-kbps", "64"]).object();
        assert_eq!((&answer["codecs"], &answer["video_kbps"]), (&json!(["PCMU"]), &json!(320)));
    }

    #[test]
    fn an_offer_that_is_none_exits_1_and_one_that_is_not_there_3() {
        let offer = file("broken.sdp", "hello");
        let ran = asked(&offer, &[]);
        assert!(ran.code == Some(1) && ran.err.contains("is no session description"), "{}", ran.err);
        let ran = asked("/nowhere/at/all.sdp", &[]);
        assert!(ran.code == Some(3) && ran.err.contains("cannot be read"), "{}", ran.err);
    }
}

mod roaming {
    use super::*;

    /// G-6 to G-10.
    #[test]
    fn a_place_gives_its_pool_and_an_unknown_one_the_template_s() {
        for (place, want) in [
            ("country=GB,A3=London", json!(["DP-Roam-London", 2, false])),
            ("country=gb, A3= london ,FLR=2", json!(["DP-Roam-London", 2, false])),
            ("country=US,A1=NC,A3=RTP", json!(["DP-HQ", 2, false])),
            ("country=FR,A3=Paris", json!(["DP-Template", 0, true])),
        ] {
            let config = pair("hq.toml");
            let ran = emcc_trunk(&["explain", "roaming", "--json", "--config", &config, "--geolocation", place]);
            let answer = ran.object();
            assert_eq!(json!([answer["device_pool"], answer["score"], answer["fallback"]]), want, "{place}");
            assert!(answer["because"].as_array().is_some_and(|steps| !steps.is_empty()), "{place}");
            assert_eq!((ran.code, answer.as_object().unwrap().len()), (Some(0), 4), "{place}");
        }
    }
}

mod check {
    use super::*;

    #[test]
    fn the_example_pair_has_no_errors() {
        for name in ["hq.toml", "br.toml"] {
            let ran = emcc_trunk(&["check", "--config", &pair(name), "--json", "--offline"]);
            let answer = ran.object();
            assert_eq!((ran.code, &answer["ok"]), (Some(0), &json!(true)), "{name}: {}", ran.out);
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_place_and_remedy() {
        let text = std::fs::read_to_string(pair("hq.toml")).unwrap();
        let broken = text.replace("rsvp_keepalive_s = 15", "rsvp_keepalive_s = 601").replace("max_phones", "max_phone");
        let config = file("broken.toml", &broken);
        let ran = emcc_trunk(&["check", "--config", &config, "--json", "--offline"]);
        let answer = ran.object();
        assert_eq!((ran.code, &answer["ok"]), (Some(1), &json!(false)));
        let errors: Vec<&Value> =
            answer["problems"].as_array().unwrap().iter().filter(|problem| problem["severity"] == "error").collect();
        assert_eq!(errors.len(), 2, "{}", ran.out);
        for problem in errors {
            let keys: Vec<&String> = problem.as_object().unwrap().keys().collect();
            assert_eq!(keys.len(), 7, "{keys:?}");
            assert!(problem["file"] == config.as_str() && problem["line"].as_u64() > Some(0), "{problem}");
            assert!(problem["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{problem}");
        }
    }

    #[test]
    fn what_check_refuses_neither_explains_nor_runs() {
        let config = file("empty.toml", "[cluster]\n");
        let ran = emcc_trunk(&["explain", "call", "--config", &config, "--from", "a", "--to", "1", "--json"]);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.object()["problems"].as_array().is_some_and(|problems| !problems.is_empty()));
        let ran = emcc_trunk(&["run", "--config", &config]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert!(ran.err.contains(&config), "{}", ran.err);
    }
}

mod run {
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpStream, UdpSocket};
    use std::process::{Child, ChildStderr, Stdio};

    /// A running node, ended with the test.
    struct Node {
        child: Child,
        log: BufReader<ChildStderr>,
    }

    impl Drop for Node {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    impl Node {
        fn start(config: &str) -> Self {
            let mut command = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"));
            command.args(["run", "--config", config]).env_remove("EMCC_LOG").env_remove("EMCC_LOG_FORMAT");
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let log = BufReader::new(child.stderr.take().unwrap());
            Self { child, log }
        }

        /// Every line up to the first with `wanted` in it.
        fn read_until(&mut self, wanted: &str) -> String {
            let mut read = String::new();
            while !read.lines().last().is_some_and(|line| line.contains(wanted)) {
                let bytes = self.log.read_line(&mut read).unwrap();
                assert!(bytes > 0, "the log ended before '{wanted}':\n{read}");
            }
            read
        }

        fn signal(&self, name: &str) {
            let id = self.child.id().to_string();
            assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
        }
    }

    /// The home cluster on addresses of this test's own.
    fn home(network: &str) -> String {
        std::fs::read_to_string(pair("hq.toml")).unwrap().replace("127.0.1.", network)
    }

    #[test]
    fn a_node_serves_reloads_only_what_is_right_and_drains() {
        let right = home("127.0.77.");
        let config = file("run.toml", &right);
        let mut node = Node::start(&config);
        let ready = node.read_until("ready:");
        for address in ["cluster HQ", "udp:127.0.77.1:5060", "tcp:127.0.77.1:5060", "http://127.0.77.1:9411"] {
            assert!(ready.contains(address), "{address}: {ready}");
        }

        let second = emcc_trunk(&["run", "--config", &config]);
        assert_eq!((second.code, second.out.as_str()), (Some(3), ""));
        assert!(second.err.contains("127.0.77.1:5060 is in use"), "{}", second.err);

        let mut page = TcpStream::connect("127.0.77.1:9411").unwrap();
        page.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        page.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

        let phones = UdpSocket::bind("127.0.77.10:5060").unwrap();
        let options = "OPTIONS sip:127.0.77.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.77.10:5060;branch=z9hG4bK1\r\n\
            Max-Forwards: 70\r\nFrom: <sip:a@127.0.77.10>;tag=1\r\nTo: <sip:127.0.77.1>\r\nCall-ID: 1@127.0.77.10\r\n\
            CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
        phones.send_to(options.as_bytes(), "127.0.77.1:5060").unwrap();
        let mut answer = [0; 4096];
        let (length, from) = phones.recv_from(&mut answer).unwrap();
        assert_eq!(from.to_string(), "127.0.77.1:5060");
        assert!(answer[..length].starts_with(b"SIP/2.0 200"), "{}", String::from_utf8_lossy(&answer));

        std::fs::write(&config, right.replace("rsvp_keepalive_s = 15", "rsvp_keepalive_s = 601")).unwrap();
        node.signal("-HUP");
        let log = node.read_until("reload refused");
        assert!(log.contains("run.toml:") && log.contains("601"), "{log}");

        std::fs::write(&config, right.replace("\"tcp:127.0.77.1:5060\"", "\"tcp:127.0.77.1:5070\"")).unwrap();
        node.signal("-HUP");
        assert!(node.read_until("reload refused").contains("sip.listen"));

        std::fs::write(&config, right.replace("rsvp_keepalive_s = 15", "rsvp_keepalive_s = 30")).unwrap();
        node.signal("-HUP");
        node.read_until("reloaded:");

        node.signal("-TERM");
        node.read_until("draining");
        assert_eq!(node.child.wait().unwrap().code(), Some(0));
    }

    #[test]
    fn an_address_of_another_host_exits_3_and_is_named() {
        let config = file("foreign.toml", &home("127.0.78.").replace("udp:127.0.78.1:5060", "udp:192.0.2.1:5060"));
        let ran = emcc_trunk(&["run", "--config", &config]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(3), ""));
        assert!(ran.err.contains("udp:192.0.2.1:5060"), "{}", ran.err);
    }

    #[test]
    fn a_log_level_nobody_knows_is_a_usage_error() {
        let config = file("level.toml", &home("127.0.79."));
        let mut command = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"));
        let output = command.args(["run", "--config", &config]).env("EMCC_LOG", "a=loud").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("EMCC_LOG is not a level"));
    }
}
