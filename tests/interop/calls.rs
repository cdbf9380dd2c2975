//! Calls between people's own phones: audio in G.711 and G.722, hold, transfer, and video within its bound.

use crate::call_control::CallControl;
use crate::network::{Network, with};
use crate::node::Node;
use crate::phone::Phone;
use crate::witness::{Record, Witness};

/// baresip has neither G.729 nor anything else within 8 kbit/s, so these clusters allow 64.
fn cluster(network: &Network, file: &str) -> String {
    let filter = "geolocation_filter = \"country-and-city\"\n";
    let text = network.pair(file).replace("region_max_audio_kbps = 8 ", "");
    let text = text.replace("region_max_audio_kbps = 8\n", "");
    with(&text, filter, &format!("{filter}region_max_audio_kbps = 64\n"))
}

fn nodes(network: &Network) -> (Node, Node) {
    (
        Node::start(network, "hq.toml", &cluster(network, "hq.toml")),
        Node::start(network, "br.toml", &cluster(network, "br.toml")),
    )
}

const G722_FIRST: &str = "G722/16000/1,PCMU/8000/1,PCMA/8000/1";

/// RTP of that payload type reached the host.
fn has_audio(record: &Record, network: &Network, (site, host): (u8, u8), payload_type: u8) -> bool {
    let filter = format!("rtp && ip.dst == {} && rtp.p_type == {payload_type}", network.host(site, host));
    // A second of 20 ms packets is fifty; ten say that it is no stray.
    record.of(&filter, &["rtp.seq"]).len() >= 10
}

#[test]
fn phones_of_the_home_cluster_talk_in_g722_hold_resume_and_transfer() {
    let network = Network::claim("interop_home");
    let witness = Witness::start(&network);
    let (hq, _br) = nodes(&network);
    let _call_control = CallControl::start(&network);
    let alice = Phone::registered(&network, "alice", 50, "5001", G722_FIRST);
    let bob = Phone::registered(&network, "bob", 51, "5002", G722_FIRST);
    let carol = Phone::registered(&network, "carol", 52, "5003", "PCMU/8000/1");

    alice.command("dial", &format!("sip:5002@{}", network.host(1, 10)));
    alice.event("CALL_ESTABLISHED");
    bob.event("CALL_ESTABLISHED");
    hq.shows("emcc_calls", &[], 1);
    // Nothing but the sound itself tells when enough of it went by.
    alice.has_talked();
    alice.command("hold", "");
    bob.event("CALL_REMOTE_SDP");
    alice.command("resume", "");
    bob.event("CALL_REMOTE_SDP");

    alice.command("transfer", &format!("sip:5003@{}", network.host(1, 10)));
    bob.event("TRANSFER");
    carol.event("CALL_ESTABLISHED");
    alice.event("CALL_CLOSED");
    carol.has_talked();
    carol.command("hangup", "");
    hq.shows("emcc_calls", &[], 0);

    let record = witness.stop();
    record.nodes_are_well_formed(&network);
    assert!(has_audio(&record, &network, (1, 50), 9) && has_audio(&record, &network, (1, 51), 9), "G.722 both ways");
    assert!(has_audio(&record, &network, (1, 52), 0), "carol has G.711 only");
    let node = network.host(1, 1);
    let held = record.of(&format!("ip.src == {node} && sip.Method == INVITE && sdp"), &["sdp.media_attr"]);
    assert!(held.iter().any(|attributes| attributes.contains("sendonly")), "hold passed: {held:?}");
    let refer = record.of(&format!("ip.src == {node} && sip.Method == REFER"), &["sip.Refer-To"]);
    assert!(refer.first().is_some_and(|to| to.contains("5003")), "REFER passed as it came: {refer:?}");
    let notify = record.of(&format!("ip.src == {node} && sip.Method == NOTIFY"), &["sip.Event"]);
    assert!(notify.iter().any(|event| event.contains("refer")), "its NOTIFY came back: {notify:?}");
}

#[test]
fn a_visiting_phone_reaches_the_visited_gateway_in_g711_with_its_video_bounded() {
    let network = Network::claim("interop_trunk");
    let witness = Witness::start(&network);
    let (hq, br) = nodes(&network);
    let _call_control = CallControl::start(&network);
    let domain = network.host(1, 10);
    let alice = format!("<sip:5001@{domain}>;regint=600;audio_codecs={G722_FIRST}");
    let alice = Phone::start(&network, "alice", (1, 50), &[alice], true);
    let at = network.host(2, 20);
    let numbers = ["999", "02079460000"].map(|number| format!("<sip:{number}@{at}>;regint=0;audio_codecs=PCMU/8000/1"));
    let gateway = Phone::start(&network, "gateway", (2, 20), &numbers, true);

    for dialed in ["9911", "902079460000"] {
        alice.command("dial", &format!("sip:{dialed}@{domain}"));
        alice.event("CALL_ESTABLISHED");
        gateway.event("CALL_ESTABLISHED");
        hq.shows("emcc_calls", &[], 1);
        br.shows("emcc_calls", &[], 1);
        // One second after the answer the books hold what G.711 needs (V-17, V-18).
        br.link_shows_kbps(80);
        hq.link_shows_kbps(80);
        gateway.has_talked();
        // Either end hangs up; the gateway's control speaks for its first account.
        let who = if dialed == "9911" { &gateway } else { &alice };
        who.command("hangup", "");
        alice.event("CALL_CLOSED");
        gateway.event("CALL_CLOSED");
    }
    hq.is_idle_after(2, 0, 0);
    br.is_idle_after(2, 0, 0);

    let record = witness.stop();
    record.nodes_are_well_formed(&network);
    assert!(has_audio(&record, &network, (1, 50), 0) && has_audio(&record, &network, (2, 20), 0), "G.711 both ways");
    let gateway = format!("ip.dst == {at} && sip.Method == INVITE");
    for line in record.of(&gateway, &["sdp.media", "sdp.bandwidth"]) {
        let (media, bandwidth) = line.split_once('|').unwrap();
        assert!(media.starts_with("audio ") && media.contains("RTP/AVP 9 0 8 101"), "{media}");
        // 384 kbit/s include the audio: the dearest that leaves is 64 (M-21, M-25).
        assert!(media.contains("video ") && bandwidth.contains("TIAS:320000"), "{line}");
    }
    let answers = format!("ip.dst == {} && sip.Status-Code == 200 && sip.CSeq.method == INVITE", domain);
    let answers = record.of(&format!("{answers} && ip.src == {}", network.host(1, 1)), &["sdp.bandwidth"]);
    assert!(answers.len() >= 2 && answers.iter().all(|answer| answer.contains("TIAS:320000")), "{answers:?}");
}
