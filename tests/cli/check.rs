//! What `check` prints.

use super::*;
use crate::dns::Dns;

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
fn a_warning_of_several_devices_lists_them_all_p23() {
    let text = std::fs::read_to_string(pair("hq.toml")).unwrap();
    let without = text.lines().filter(|line| !line.starts_with("last_resort")).collect::<Vec<_>>().join("\n");
    assert_ne!(without, text.trim_end(), "the example has a last resort");
    let device = |name: &str| format!("[[device]]\nname = \"{name}\"\ndevice_pool = \"DP-Poor\"\n");
    let names: Vec<String> = (0..3).map(|number| format!("SEP-POOR-{number}")).collect();
    let poor = names.iter().map(|name| device(name)).collect::<String>();
    let config = file("poor.toml", &format!("{without}\n[[device_pool]]\nname = \"DP-Poor\"\n{poor}"));
    let ran = emcc_trunk(&["check", "--config", &config, "--json", "--offline"]);
    let problems = ran.object()["problems"].as_array().unwrap().clone();
    let of_several = ["could be refused", "no geolocation"];
    let says = |problem: &serde_json::Value, text: &str| problem["message"].as_str().unwrap().contains(text);
    for text in of_several {
        let told = problems.iter().find(|problem| says(problem, "\"SEP-POOR-0\" (and 2 more") && says(problem, text));
        let told = told.unwrap_or_else(|| panic!("{text}: {}", ran.out));
        assert_eq!((&told["devices"], &told["devices_not_listed"]), (&json!(names), &json!(0)), "{told}");
    }
    let mut others = problems.iter().filter(|problem| !of_several.iter().any(|text| says(problem, text)));
    assert!(others.all(|problem| problem.get("devices").is_none()), "{}", ran.out);
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

#[test]
fn rfc_3263_check_says_which_name_is_not_found_and_offline_asks_nobody() {
    let dns = Dns::start("127.0.0.1:0".parse().unwrap());
    dns.host("gw.example.com", "127.0.1.20".parse().unwrap());
    let text = std::fs::read_to_string(pair("hq.toml")).unwrap();
    let named = |place: &str| {
        let keys = format!("[sip]\ndns = [\"{}\"]", dns.at);
        let text = text.replace("[sip]", &keys).replace("udp:127.0.1.20:5060", place);
        file(&format!("{}.toml", place.replace(':', "_")), &text)
    };
    let about_gateway = |config: &str, arguments: &[&str]| {
        let ran = emcc_trunk(&[&["check", "--config", config, "--json"], arguments].concat());
        let problems = ran.object()["problems"].as_array().unwrap().clone();
        let found = problems.into_iter().find(|problem| problem["message"].as_str().unwrap().contains("example.com"));
        (ran.code, found.unwrap_or_default())
    };
    let known = named("udp:gw.example.com:5060");
    assert_eq!(about_gateway(&known, &[]).1, Value::Null);
    let (code, problem) = about_gateway(&named("udp:nobody.example.com"), &[]);
    assert_eq!(
        (code, &problem["severity"], &problem["key"]),
        (Some(1), &json!("error"), &json!("peer[1].addresses[0]"))
    );
    assert_eq!(problem["message"], "udp:nobody.example.com: no such name, or no address for it");
    assert_eq!(about_gateway(&named("udp:nobody.example.com"), &["--offline"]).1, Value::Null);
    dns.silent(true);
    let (_, problem) = about_gateway(&known, &[]);
    assert_eq!((&problem["severity"], problem["line"].as_u64() > Some(0)), (&json!("warning"), true), "{problem}");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_file_is_told_and_waited_for_by_nobody() {
    let pipe = file("pipe.toml", "");
    std::fs::remove_file(&pipe).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let ran = emcc_trunk(&["check", "--config", &pipe]);
    std::fs::remove_file(&pipe).unwrap();
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.err.contains("it is a pipe, a device or a socket, and no file"), "{}", ran.err);
}
