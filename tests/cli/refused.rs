//! What `explain` and `diff` say of calls that a node refuses, or sends elsewhere, for more than their route.

use super::*;

/// The home cluster's file of the pair with these places written otherwise.
fn hq(name: &str, edits: &[(&str, &str)]) -> String {
    edited("hq.toml", name, edits)
}

fn edited(which: &str, name: &str, edits: &[(&str, &str)]) -> String {
    let text = std::fs::read_to_string(pair(which)).unwrap();
    let write = |text: String, (from, to): &(&str, &str)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    file(name, &edits.iter().fold(text, write))
}

fn asked(config: &str, words: &str) -> Value {
    let mut arguments = vec!["explain", "call", "--json", "--at", "0", "--config", config];
    arguments.extend(words.split_whitespace());
    let ran = emcc_trunk(&arguments);
    assert_eq!(ran.code, Some(0), "{words}: {}", ran.err);
    ran.object()
}

/// Outcome, status, and whether the trail has a step that begins so.
fn assert_told(answer: &Value, outcome: &str, status: Value, step: &str) {
    assert_eq!((&answer["outcome"], &answer["status"]), (&json!(outcome), &status), "{answer:#}");
    assert_eq!(answer["next_hops"].as_array().unwrap().is_empty(), outcome == "reject", "{answer:#}");
    let steps = answer["because"].as_array().unwrap();
    assert!(steps.iter().any(|told| told.as_str().unwrap().starts_with(step)), "{step}: {answer:#}");
}

const SECURE: (&str, &str) =
    ("device = \"SEP001122334455\"", "device = \"SEP001122334455\"\nsecurity_mode = \"secure\"");
const LEFT_OUT: &str = "the EMCC trunk left out: a secure session needs TLS there";
const NO_TLS: &str = "rejected: 403 Forbidden: a secure session needs TLS on the trunk";

#[test]
fn s_7_a_secure_session_uses_no_trunk_without_tls_and_an_emergency_call_does() {
    let config = hq("secure.toml", &[SECURE]);
    let answer = asked(&config, "--from alice --to 901614960000");
    assert_told(&answer, "reject", json!(403), LEFT_OUT);
    assert_told(&answer, "reject", json!(403), NO_TLS);
    let left_out = json!({ "kind": "next-hop", "name": "BR", "why": "a secure session needs TLS there (S-7)" });
    assert!(answer["alternatives"].as_array().unwrap().contains(&left_out), "{answer:#}");
    assert_told(&asked(&config, "--from alice --to 9999"), "emcc-trunk", Value::Null, "emergency: ");
    assert_told(&asked(&config, "--from alice --to 919195551234"), "gateway", Value::Null, "closest match");
    // What stands behind the trunk in the list is tried.
    let list = ("members = [\"Standard Local Route Group\"]", "members = [\"Standard Local Route Group\", \"RG-HQ\"]");
    let answer = asked(&hq("secure-list.toml", &[SECURE, list]), "--from alice --to 901614960000");
    assert_told(&answer, "gateway", Value::Null, LEFT_OUT);
    // Seen from the visited cluster its phone is secure, and so the call must not come in the clear.
    let guest = ("security_mode = \"non-secure\"", "security_mode = \"secure\"");
    let br = edited("br.toml", "secure-guest.toml", &[guest]);
    let words = "--from SEP001122334455 --via HQ --to";
    assert_told(&asked(&br, &format!("{words} 02079460000")), "reject", json!(403), NO_TLS);
    assert_told(&asked(&br, &format!("{words} 999")), "gateway", Value::Null, "emergency: ");
    let remote = format!("--remote-config {br} --from alice --to 901614960000");
    assert_told(&asked(&pair("hq.toml"), &remote)["remote"], "reject", json!(403), NO_TLS);
}

#[test]
fn s_7_rows_of_a_file_and_changes_between_two_files_say_the_same() {
    let config = hq("secure-rows.toml", &[SECURE]);
    let calls = file("secure.csv", "from,to\nalice,901614960000\nalice,9999\n");
    let ran = emcc_trunk(&["explain", "call", "--json", "--config", &config, "--bulk", &calls]);
    let rows: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_told(&rows[0], "reject", json!(403), LEFT_OUT);
    assert_told(&rows[1], "emcc-trunk", Value::Null, "emergency: ");
    let guest = ("security_mode = \"non-secure\"", "security_mode = \"secure\"");
    let br = edited("br.toml", "secure-diff.toml", &[guest]);
    for (now, next, caller, number) in [
        (pair("hq.toml"), config, "phone SEP001122334455 abroad", "9.0!"),
        (pair("br.toml"), br, "device SEP001122334455 over the trunk of HQ", "0!"),
    ] {
        let object = emcc_trunk(&["diff", "--json", "--at", "0", "--config", &now, "--candidate", &next]).object();
        assert_eq!(object["complete"], true);
        let changes = object["changes"].as_array().unwrap();
        let is_it = |change: &&Value| change["callers"]["example"] == caller && change["next"]["status"] == 403;
        let refused: Vec<&Value> = changes.iter().filter(is_it).collect();
        assert!(refused.iter().any(|change| change["now"]["match"]["pattern"] == number), "{object:#}");
        assert!(changes.iter().all(|change| change["callers"]["example"] == caller), "{object:#}");
        assert!(changes.iter().all(|change| change["emergency"] == false), "{object:#}");
    }
}

/// An offer of G.729 with a key in it.
fn keyed(profile: &str) -> String {
    let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    file(&format!("{}.sdp", profile.replace('/', "-")), &format!("{head}m=audio 4000 {profile} 18\r\n{key}"))
}

#[test]
fn s_2_to_s_6_keys_of_an_offer_pass_as_they_do_on_the_wire() {
    let (savp, avp) = (keyed("RTP/SAVP"), keyed("RTP/AVP"));
    let hq_file = pair("hq.toml");
    let barred = "the EMCC trunk left out: SRTP keys may not leave without TLS";
    let answer = asked(&hq_file, &format!("--from alice --to 901614960000 --offer {savp}"));
    assert_told(&answer, "reject", json!(488), barred);
    assert_told(
        &answer,
        "reject",
        json!(488),
        "rejected: 488 Not Acceptable Here: SRTP keys may not leave without TLS",
    );
    assert_eq!(answer["codecs"], json!([]));
    let answer = asked(&hq_file, &format!("--from alice --to 901614960000 --offer {avp}"));
    assert_told(&answer, "emcc-trunk", Value::Null, "SRTP keys taken out");
    assert_eq!(answer["codecs"], json!(["G729"]));
    let answer = asked(&hq_file, &format!("--from alice --to 9999 --offer {savp}"));
    assert_told(&answer, "emcc-trunk", Value::Null, "emergency: SRTP keys leave in the clear");
    // S-2: on no hop of a non-secure session; S-3: elsewhere where the peer does not forbid it.
    let answer = asked(&hq_file, &format!("--from alice --to 919195551234 --offer {savp}"));
    assert_told(&answer, "reject", json!(488), "gw-hq left out: SRTP keys");
    let words = format!("--from bob --to 912025550123 --offer {savp}");
    assert_told(&asked(&hq_file, &words), "gateway", Value::Null, "closest match");
    let gateway = "name = \"gw-hq\"\nkind = \"gateway\"";
    let config = hq("keys.toml", &[(gateway, &format!("{gateway}\nsrtp_keys = \"tls\""))]);
    assert_told(&asked(&config, &words), "reject", json!(488), "gw-hq left out: SRTP keys");
}

/// Section 9.2 of the policies: what an empty link cannot hold is refused, or goes on as the policy says.
#[test]
fn v_9_a_link_that_can_never_hold_the_call_is_told() {
    let (audio, video) = ("link_audio_kbps = 2000", "link_video_kbps = 4000");
    let narrow = file("link.sdp", &sdp("18", ""));
    let seen = file("link-video.sdp", &sdp("18", "m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"));
    let none = hq("link-none.toml", &[(audio, "link_audio_kbps = 0")]);
    for words in [String::new(), format!("--offer {narrow}")] {
        let answer = asked(&none, &format!("--from alice --to 901614960000 {words}"));
        assert_told(&answer, "reject", json!(488), "link full: 40 kbit/s asked, 0 free");
        assert_told(&answer, "reject", json!(488), "rejected: 488 Not Acceptable Here: link full");
    }
    let words = format!("--from alice --to 9999 --offer {narrow}");
    assert_told(
        &asked(&none, &words),
        "emcc-trunk",
        Value::Null,
        "emergency: admitted 40 kbit/s above the link's limit",
    );
    let enough = hq("link-enough.toml", &[(audio, "link_audio_kbps = 40")]);
    let words = format!("--from alice --to 901614960000 --offer {narrow}");
    assert_told(&asked(&enough, &words), "emcc-trunk", Value::Null, "closest match");
    let desired = ("rsvp_policy = \"mandatory-video-desired\"", "rsvp_policy = \"optional-video-desired\"");
    let optional = hq("link-optional.toml", &[(audio, "link_audio_kbps = 0"), desired]);
    assert_told(&asked(&optional, &words), "emcc-trunk", Value::Null, "link full: goes on as best effort");
    let silent = hq("link-video.toml", &[(video, "link_video_kbps = 0")]);
    let words = format!("--from alice --to 901614960000 --offer {seen}");
    assert_told(&asked(&silent, &words), "emcc-trunk", Value::Null, "link full for video: goes on as audio only");
    assert_told(&asked(&pair("hq.toml"), &words), "emcc-trunk", Value::Null, "closest match");
}

#[test]
fn a_neighbour_that_may_send_no_invite_is_refused_with_405_and_an_emergency_call_is_not_p23() {
    let services = "services = [\"emcc\", \"pstn-access\", \"rsvp-agent\"]";
    let methods = (services, &*format!("{services}\nmethods = [\"OPTIONS\"]"));
    let br = edited("br.toml", "methods.toml", &[methods]);
    let words = "--from SEP001122334455 --via HQ --to";
    assert_told(&asked(&br, &format!("{words} 02079460000")), "reject", json!(405), "rejected: 405 Method Not Allowed");
    assert_told(&asked(&br, &format!("{words} 999")), "gateway", Value::Null, "emergency: ");
    let call_control = "name = \"cc-hq\"\nkind = \"call-control\"";
    let own: &[(&str, &str)] = &[(call_control, &format!("{call_control}\nmethods = [\"OPTIONS\"]"))];
    let config = hq("methods-hq.toml", own);
    assert_told(&asked(&config, "--from bob --to 5001"), "reject", json!(405), "rejected: 405");
    assert_told(&asked(&config, "--from bob --to 9911"), "gateway", Value::Null, "emergency: ");
    let object = emcc_trunk(&["diff", "--json", "--config", &pair("br.toml"), "--candidate", &br]).object();
    let changes = object["changes"].as_array().unwrap();
    let is_it = |change: &Value| {
        change["callers"]["example"] == "device SEP001122334455 over the trunk of HQ" && change["next"]["status"] == 405
    };
    assert!(changes.iter().any(is_it), "{object:#}");
}
