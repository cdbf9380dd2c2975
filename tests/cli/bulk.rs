//! What `explain call --bulk` and `--remote-config` print.

use super::*;
use std::io::Write as _;
use std::process::Stdio;

const CALLS: &str = "to,from,via,calling,at\r\n\
    9911,alice,,,\r\n\
    \r\n\
    \"5001\",bob,,,\r\n\
    1,nobody,,,\r\n\
    12x,alice,,,\r\n\
    1,alice,MARS,,\r\n\
    1,alice,,,,,more\r\n\
    ,,,,\r\n\
    1,alice,,,yesterday\r\n\
    902079460000,alice,,5551234,2026-01-01T00:00:00Z\r\n\
    ,alice\r\n";

fn bulk(calls: &str, words: &str) -> Ran {
    let config = pair("hq.toml");
    let name = format!("calls-{}.csv", words.len() + calls.len());
    let calls = file(&name, calls);
    let mut arguments = vec!["explain", "call", "--config", &config, "--bulk", &calls];
    arguments.extend(words.split_whitespace());
    emcc_trunk(&arguments)
}

/// Rows of the answer by the names of its header.
fn rows(out: &str) -> Vec<Value> {
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let header = reader.headers().unwrap().clone();
    let object =
        |row: csv::StringRecord| header.iter().zip(row.iter()).map(|(k, v)| (k.to_owned(), json!(v))).collect();
    reader.records().map(|row| Value::Object(object(row.unwrap()))).collect()
}

#[test]
fn every_row_is_answered_in_its_order_and_a_wrong_one_says_why() {
    let br = pair("br.toml");
    let ran = bulk(CALLS, &format!("--remote-config {br}"));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("6 of 9 rows could not be explained"), "{}", ran.err);
    let rows = rows(&ran.out);
    let want = [
        ("2", "emcc-trunk", "911@BR 911@gw-hq", "999@gw-br-1 999@gw-br-2", ""),
        ("4", "call-control", "5001@cc-hq", "", ""),
        ("5", "", "", "", "'nobody' is no device, no user and no directory number of this cluster"),
        ("6", "", "", "", "to: '12x': a number has the digits 0-9, *, #, + and A-D, at most 48 of them"),
        (
            "7",
            "",
            "",
            "",
            "--via 'MARS' is neither local nor the id of a remote cluster or the name of a gateway in the configuration",
        ),
        ("8", "", "", "", "it has more fields than the header"),
        (
            "10",
            "",
            "",
            "",
            "at: 'yesterday': a time is RFC 3339 with its offset, as 2026-03-29T01:00:00Z, or Unix seconds",
        ),
        ("11", "emcc-trunk", "02079460000@BR", "02079460000@gw-br-1 02079460000@gw-br-2", ""),
        ("12", "", "", "", "to: it is empty"),
    ];
    assert_eq!(rows.len(), want.len(), "{}", ran.out);
    for (row, (line, outcome, hops, remote_hops, error)) in rows.iter().zip(want) {
        let got = ["line", "outcome", "next_hops", "remote_next_hops", "error"].map(|key| row[key].as_str().unwrap());
        assert_eq!(got, [line, outcome, hops, remote_hops, error], "{row}");
    }
    assert_eq!((&rows[0]["pattern"], &rows[0]["emergency"]), (&json!("9.911"), &json!("true")));
    assert!(rows[0]["rule"].as_str().unwrap().ends_with("hq.toml:130"), "{}", rows[0]);
    assert_eq!(rows[7]["calling"], "5551234");
}

#[test]
fn a_row_and_a_question_of_its_own_are_answered_alike() {
    let ran = bulk("from,to\nalice,9911\nbob,919195551234\nalice,777\n", "--json --at 0");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for (line, (from, to)) in lines.iter().zip([("alice", "9911"), ("bob", "919195551234"), ("alice", "777")]) {
        let config = pair("hq.toml");
        let alone =
            emcc_trunk(&["explain", "call", "--json", "--at", "0", "--config", &config, "--from", from, "--to", to]);
        let (mut line, mut alone) = (line.clone(), alone.object());
        for key in ["line", "from", "to", "error", "alternatives"] {
            line.as_object_mut().unwrap().remove(key);
        }
        assert!(alone.as_object_mut().unwrap().remove("alternatives").is_some_and(|others| others.is_array()));
        assert_eq!(line, alone, "{from} calls {to}");
    }
}

#[test]
fn calls_come_from_standard_input_too() {
    let config = pair("hq.toml");
    let mut child = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"))
        .args(["explain", "call", "--config", &config, "--bulk", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"from,to\nbob,5001\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(rows(std::str::from_utf8(&output.stdout).unwrap())[0]["next_hops"], "5001@cc-hq");
}

#[test]
fn a_file_that_is_no_file_of_calls_is_refused_whole() {
    for (calls, code, part) in [
        ("from,number\nalice,1\n", 1, "column 2 is called 'number'; columns are from, to, via, calling, at"),
        ("from;to\nalice;1\n", 1, "semicolons stand between the fields of the header, where a comma has to"),
        ("from\tto\nalice\t1\n", 1, "tabs stand between the fields"),
        ("from\nalice\n", 1, "the header needs the columns from and to"),
        ("from,to,to\n", 1, "column 3 is 'to' a second time"),
        ("", 1, "the header needs the columns from and to"),
    ] {
        let ran = bulk(calls, "");
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{calls:?}");
        assert!(ran.err.contains(part), "{calls:?}: {}", ran.err);
        let ran = bulk(calls, "--json");
        assert_eq!((ran.code, ran.out.lines().count()), (Some(code), 1), "{calls:?}: {}", ran.out);
        assert!(ran.object()["error"].as_str().is_some_and(|error| error.contains(part)), "{calls:?}: {}", ran.out);
    }
    let config = pair("hq.toml");
    let ran = emcc_trunk(&["explain", "call", "--config", &config, "--bulk", "/nonexistent.csv"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let ran = emcc_trunk(&["explain", "call", "--config", &config, "--bulk", "a.csv", "--from", "alice"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
}

/// A quote that is never closed takes no other row with it, and is told of at the row it stands in.
#[test]
fn a_quote_that_is_never_closed_is_an_error_of_its_own_row() {
    let ran = bulk("from,to\nalice,9911\n\"bob,5001\nbob,5001\nalice,\"9911\nbob,5001\n", "");
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("2 of 5 rows could not be explained"), "{}", ran.err);
    let open = "a quote opened here is never closed: close it in the same row, or remove it";
    let got: Vec<[String; 3]> = rows(&ran.out)
        .iter()
        .map(|row| ["line", "next_hops", "error"].map(|key| row[key].as_str().unwrap().to_owned()))
        .collect();
    let want = [
        ["2", "911@BR 911@gw-hq", ""],
        ["3", "", open],
        ["4", "5001@cc-hq", ""],
        ["5", "", open],
        ["6", "5001@cc-hq", ""],
    ];
    assert_eq!(got, want.map(|row| row.map(str::to_owned)));
    // A field may span lines all the same.
    let ran = bulk("from,to\n\"bob\n\",5001\nalice,9911\n", "");
    assert_eq!((ran.code, rows(&ran.out).len()), (Some(0), 2), "{}", ran.out);
    let ran = bulk("\"from,to\nalice,9911\n", "--json");
    assert_eq!((ran.code, ran.out.lines().count()), (Some(1), 1), "{}", ran.out);
    let error = ran.object()["error"].as_str().unwrap().to_owned();
    assert!(
        error.ends_with("line 1: a quote opened here is never closed: close it in the same row, or remove it"),
        "{error}"
    );
}

/// From a gateway a row names it in `via`, and is answered as alone.
#[test]
fn callers_behind_gateways_are_rows_like_others() {
    let ran = bulk("from,to,via\n4085550100,5002,gw-hq\nbob,5002,gw-hq\n4085550100,911,gw-hq\n", "");
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let rows = rows(&ran.out);
    let got: Vec<[&str; 4]> = rows
        .iter()
        .map(|row| ["outcome", "next_hops", "calling", "emergency"].map(|key| row[key].as_str().unwrap()))
        .collect();
    assert_eq!(got[0], ["call-control", "5002@cc-hq", "4085550100", "false"]);
    assert_eq!(got[2], ["gateway", "911@gw-hq", "4085550100", "true"]);
    assert!(rows[1]["error"].as_str().unwrap().contains("'bob' is no number"), "{}", rows[1]);
}

/// P-4, P-13, P-23: the mark, the number and the emergency go over the trunk, and the offer as the first node leaves it.
#[test]
fn a_call_over_the_trunk_is_followed_at_the_other_cluster() {
    let (hq, br) = (pair("hq.toml"), pair("br.toml"));
    let offer = file(
        "offer.sdp",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 18\r\n",
    );
    let ask = |remote: &str, to: &str| {
        emcc_trunk(&[
            "explain",
            "call",
            "--json",
            "--config",
            &hq,
            "--remote-config",
            remote,
            "--from",
            "alice",
            "--to",
            to,
            "--offer",
            &offer,
        ])
    };
    let answer = ask(&br, "9911").object();
    let there = &answer["remote"];
    assert_eq!(
        (&there["cluster"], &there["role"], &there["emergency"]),
        (&json!("BR"), &json!("visiting"), &json!(true))
    );
    assert_eq!(there["caller"]["device"], "SEP001122334455");
    assert_eq!((&answer["codecs"], &there["codecs"]), (&json!(["G729"]), &json!(["G729"])));
    let rules: Vec<_> = there["rules"].as_array().unwrap().iter().map(|rule| &rule["pattern"]).collect();
    assert_eq!(rules, ["911", "999"]);
    assert_eq!(there["rules"][1]["line"], 103);
    assert_eq!(ask(&br, "919195551234").object()["remote"], Value::Null, "a call of the home cluster's own gateway");
    let strangers = ask(&hq, "9911");
    assert_eq!(strangers.code, Some(1));
    assert!(strangers.err.contains("have to name each other as remote clusters"), "{}", strangers.err);
}

/// D-8, D-14: what lost is told with why it lost.
#[test]
fn alternatives_that_lost_are_told_with_their_place_and_why() {
    let hq = pair("hq.toml");
    let ran = emcc_trunk(&["explain", "call", "--json", "--config", &hq, "--from", "alice", "--to", "919005551234"]);
    let answer = ran.object();
    assert_eq!(answer["match"]["pattern"], "9.1900!");
    let others: Vec<&Value> =
        answer["alternatives"].as_array().unwrap().iter().filter(|other| other["kind"] == "pattern").collect();
    assert_eq!(others.len(), 1, "{others:?}");
    let (pattern, why) = (&others[0]["pattern"], others[0]["why"].as_str().unwrap());
    assert_eq!((pattern, &others[0]["line"]), (&json!("9.1[2-9]XX[2-9]XXXXXX"), &json!(145)));
    assert_eq!(why, "matches 6400000000 numbers of this length, the winner 10000000");
    let text = emcc_trunk(&["explain", "call", "--config", &hq, "--from", "alice", "--to", "919005551234"]);
    assert!(text.err.contains("9.1900! is written at ") && text.err.contains(why), "{}", text.err);
}

/// G-10, P-22: device pools that lost and next hops left out stand beside the patterns.
#[test]
fn device_pools_that_lost_and_next_hops_left_out_are_told_g10_p22() {
    let hq = pair("hq.toml");
    let ask = |config: &str, from: &str, to: &str| {
        emcc_trunk(&["explain", "call", "--json", "--config", config, "--from", from, "--to", to]).object()
    };
    let of_kind = |answer: &Value, kind: &str| -> Vec<Value> {
        let all = answer["alternatives"].as_array().unwrap();
        all.iter().filter(|other| other["kind"] == kind).cloned().collect()
    };
    let pool = |name: &str, why: &str| json!({ "kind": "device-pool", "device_pool": name, "why": why });
    assert_eq!(
        of_kind(&ask(&hq, "alice", "9911"), "device-pool"),
        [pool("DP-HQ", "country is another"), pool("DP-Template", "has no field of the filter")]
    );
    // Of another caller no pool was chosen.
    assert_eq!(of_kind(&ask(&hq, "SEP00AA00AA0001", "9911"), "device-pool"), [] as [Value; 0]);
    let text = std::fs::read_to_string(&hq).unwrap();
    let bare = text.replacen(
        "css = \"CSS-Phone\"\ndevice_pool = \"DP-HQ\"",
        "css = \"CSS-Phone\"\ndevice_pool = \"DP-Template\"",
        1,
    );
    assert_ne!(bare, text);
    let answer = ask(&file("no-local-group.toml", &bare), "SEP00AA00AA0001", "901234");
    assert_eq!(answer["outcome"], "reject");
    let why = "stands for nothing in DP-Template, skipped (P-22)";
    assert_eq!(of_kind(&answer, "next-hop"), [json!({ "kind": "next-hop", "name": "local route group", "why": why })]);
    let services = text.replacen("pstn_access = true", "pstn_access = false", 1);
    let answer = ask(&file("no-pstn-access.toml", &services), "alice", "901234");
    let why = "PSTN access is not active with that cluster (P-14)";
    assert_eq!(of_kind(&answer, "next-hop"), [json!({ "kind": "next-hop", "name": "BR", "why": why })]);
}

/// Whoever reads the answers has read enough: not a word, and the code a shell gives a process that SIGPIPE ended. A disk that
/// is full is out of reach.
#[test]
fn a_reader_that_goes_ends_it_quietly_and_a_full_disk_is_said() {
    let config = pair("hq.toml");
    for form in [&[][..], &["--json"]] {
        let arguments = [&["explain", "call", "--config", &config, "--bulk", "-"], form].concat();
        let mut child = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"))
            .args(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(b"from,to\nbob,5001\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(141), Vec::new()), "{form:?}");
    }
    let calls = file("full.csv", "from,to\nbob,5001\n");
    let bulk = ["explain", "call", "--config", &config, "--bulk", &calls];
    for arguments in [
        &bulk[..],
        &[&bulk[..], &["--json"]].concat(),
        &["explain", "call", "--config", &config, "--from", "bob", "--to", "5001", "--json"],
        &["check", "--offline", "--config", &config, "--json"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"));
        let output = command.args(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.contains("what was found cannot be written: No space left on device"), "{arguments:?}: {said}");
    }
}

/// What a terminal of its own shows of a run of the program whose answers go elsewhere.
fn on_a_terminal(arguments: &[&str]) -> String {
    let line = format!("{} {} > /dev/null", env!("CARGO_BIN_EXE_emcc-trunk"), arguments.join(" "));
    let mut command = Command::new("script");
    let shown = command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
    assert!(shown.status.success(), "{line}: {shown:?}");
    String::from_utf8(shown.stdout).unwrap()
}

#[test]
fn who_waits_at_a_terminal_sees_how_far_it_has_come_and_nobody_else_does() {
    let config = pair("hq.toml");
    let calls = file("many.csv", &format!("from,to\n{}", "alice,9911\n".repeat(20_000)));
    let explain = ["explain", "call", "--config", &config, "--bulk", &calls];
    let check = ["check", "--offline", "--config", &config];
    let bulk = on_a_terminal(&explain);
    for shown in ["reading ", "making the plan", "% of ", " left"] {
        assert!(bulk.contains(shown), "{shown:?}: {bulk:?}");
    }
    let checked = on_a_terminal(&check);
    for shown in ["reading ", "comparing 7 patterns"] {
        assert!(checked.contains(shown), "{shown:?}: {checked:?}");
    }
    // The line goes when it is over, and for programs there is none.
    assert!(bulk.contains("\r\u{1b}[2K") && !on_a_terminal(&[&check[..], &["--json"]].concat()).contains('\u{1b}'));
    for arguments in [&explain[..], &check] {
        let ran = emcc_trunk(arguments);
        assert!(!ran.err.contains('\u{1b}') && !ran.err.contains("reading "), "{}", ran.err);
    }
}
