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
