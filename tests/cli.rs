//! The built program: what it prints where, and how it exits.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

#[path = "cli/bulk.rs"]
mod bulk;
#[path = "cli/call.rs"]
mod call;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/codecs.rs"]
mod codecs;
#[path = "cli/diff.rs"]
mod diff;
#[allow(dead_code)] // a service is asked for by other tests
#[path = "sipp/dns.rs"]
mod dns;
#[path = "cli/login.rs"]
mod login;
#[path = "cli/refused.rs"]
mod refused;
#[path = "cli/roaming.rs"]
mod roaming;
#[path = "cli/run.rs"]
mod run;

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
        &["diff", "--config", "a.toml"],
        &["diff", "--config", "a.toml", "--candidate", "b.toml", "--at", "noon"],
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
    for word in ["run", "check", "explain", "Exit codes"] {
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

/// An audio offer of these payload types, and what follows it.
fn sdp(formats: &str, rest: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP {formats}\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=rtpmap:105 isac/16000\r\n{rest}"
    )
}
