//! What `explain roaming` prints.

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

/// G-1: a value may hold a comma, and is asked in quotation marks.
#[test]
fn a_value_with_a_comma_is_asked_in_quotation_marks() {
    let text = std::fs::read_to_string(pair("hq.toml")).unwrap();
    assert!(text.contains("A3 = \"London\""));
    let config = file("comma.toml", &text.replace("A3 = \"London\"", "A3 = \"London, City\""));
    for (place, want) in [
        ("country=GB,A3=\"London, City\"", json!(["DP-Roam-London", false])),
        ("A3=\"london, city\",country=GB", json!(["DP-Roam-London", false])),
        ("country=GB,A3=London", json!(["DP-Template", true])),
    ] {
        let ran = emcc_trunk(&["explain", "roaming", "--json", "--config", &config, "--geolocation", place]);
        assert_eq!(ran.code, Some(0), "{place}: {}", ran.err);
        let answer = ran.object();
        assert_eq!(json!([answer["device_pool"], answer["fallback"]]), want, "{place}");
    }
    let ran = emcc_trunk(&["explain", "roaming", "--config", &config, "--geolocation", "A3=\"London, City"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("quotation marks"), "{}", ran.err);
}
