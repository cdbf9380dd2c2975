//! What `explain codecs` prints.

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
        assert_eq!((ran.code, &answer["codecs"], &answer["video_kbps"]), (Some(0), &want, &Value::Null), "{words:?}");
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
