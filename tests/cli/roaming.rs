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
