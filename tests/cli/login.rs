//! What `explain login` prints.

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
        ("--vc-version 12.0 --hc-version 11.5 --login-type UID", json!(["fail", null, 1, login_1, "user-id", true])),
        ("--vc-version 12.0 --hc-version 11.5 --login-type DN", json!(["fail", null, 1, login_1, "extension", true])),
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
    assert!(ran.err.contains("login: success, non-secure EMCC") && ran.err.contains("table 5 row 3"), "{}", ran.err);
}
