//! The keepalive of the RSVP trunk on the wire (V-4, V-5): what is sent, what counts, what a loss costs.

use crate::node::{BR, CC_HQ, EPOCH_S, HQ, Node, Out, Sent};
use crate::wire::{Dialog, Request, Standing, alice, answer, audio, hang_up, says, stand};

const ANSWERED: [u64; 4] = [24, 24, 0, 0];

fn standing(node: &mut Node) -> Standing {
    stand(node, alice("901614960000").body(&audio("18")), &audio("18"))
}

fn beats(out: &Out) -> Vec<Sent> {
    // One branch is one KeepAlive, however often it is repeated.
    let mut beats: Vec<Sent> = Vec::new();
    for sent in out.0.iter().filter(|sent| sent.what() == "OPTIONS") {
        if beats.iter().all(|known| known.header("Via") != sent.header("Via")) {
            beats.push(sent.clone());
        }
    }
    beats
}

fn mark(cluster: &str, epoch: u64) -> String {
    format!("Call-Info: <urn:emcc:keepalive:{cluster}>;purpose=emcc-keepalive;epoch={epoch}")
}

fn options() -> Request {
    let mut options = Request::new("OPTIONS", BR, HQ, "x", "x");
    options.uri = format!("sip:{HQ}");
    options.more.clear();
    options
}

#[test]
fn v_5_a_marked_options_goes_out_each_interval_while_something_is_held() {
    let mut node = Node::hq();
    assert!(beats(&node.wait(60_000)).is_empty(), "nothing is held");
    let mut call = standing(&mut node);
    for _ in 0..4 {
        let beats = beats(&node.wait(15_000));
        assert_eq!(beats.len(), 1);
        let beat = &beats[0];
        assert_eq!((beat.to, beat.header("Call-Info")), (BR, mark("HQ", EPOCH_S)["Call-Info: ".len()..].to_owned()));
        node.hear(BR, says(beat, 200));
    }
    hang_up(&mut node, &mut call);
    assert!(beats(&node.wait(60_000)).is_empty(), "nothing is held any more");
}

/// Before `BR` in the trunk's list of addresses.
const BR_FIRST: &str = "127.0.2.2:5060";

/// A remote cluster of two addresses, a call standing over the second.
fn over_the_second(sip: &str) -> Node {
    let trunk = format!("trunk = [\"udp:{BR_FIRST}\", \"udp:{BR}\"]");
    let sip = format!("[sip]\n{sip}");
    let mut node = Node::hq_with(&[("trunk = [\"udp:127.0.2.1:5060\"]", &trunk), ("[sip]", &sip)]);
    let invite = alice("901614960000").body(&audio("18"));
    let first = node.hear(invite.at, &invite).the("INVITE");
    assert_eq!(first.to.to_string(), BR_FIRST);
    let sent = node.fail(&first).the("INVITE");
    assert_eq!(sent.to, BR);
    let answered = node.hear(BR, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
    node.hear(invite.at, &Dialog::of_caller(&invite, &answered).request("ACK")).the("ACK");
    node
}

#[test]
fn v_4_it_is_the_cluster_that_is_silent_and_not_one_of_its_addresses() {
    for sip in ["health_s = 0", "health_s = 30"] {
        let mut node = over_the_second(sip);
        for beat in 0..8 {
            node.wait_answered(15_000, |sent| sent.to == BR);
            assert_eq!((node.booked(), node.alarms()), (ANSWERED, vec![]), "{sip}, beat {beat}");
        }
        // The one that answered falls silent and the other has come to life.
        for beat in 0..8 {
            node.wait_answered(15_000, |sent| sent.to != BR);
            assert_eq!((node.booked(), node.alarms()), (ANSWERED, vec![]), "{sip}, the other, beat {beat}");
        }
        node.wait(31_000);
        assert_eq!(node.alarms(), ["remote cluster lost: its resources were released"], "{sip}");
    }
}

#[test]
fn v_5_an_address_that_answers_is_asked_once_an_interval_and_no_other() {
    let mut node = over_the_second("health_s = 30");
    node.wait_with_peer(30_500);
    for _ in 0..4 {
        let beats = beats(&node.wait(15_000));
        assert_eq!(beats.iter().map(|beat| beat.to).collect::<Vec<_>>(), [BR], "the first found nobody");
        node.hear(BR, says(&beats[0], 200));
    }
}

#[test]
fn our_own_200_repeats_the_mark_and_a_plain_one_does_not() {
    let mut node = Node::hq();
    let marked = node.hear(BR, &options().header(&mark("BR", 5))).the("200");
    assert_eq!(marked.header("Call-Info"), mark("HQ", EPOCH_S)["Call-Info: ".len()..]);
    let plain = node.hear(BR, &options()).the("200");
    assert_eq!(plain.header("Call-Info"), "");
    assert!(plain.header("Allow").contains("INVITE"));
}

#[test]
fn trap_17_two_intervals_count_from_the_last_of_any_message() {
    let mut node = Node::hq();
    standing(&mut node);
    let began = node.now_ms;
    let beat = beats(&node.wait(15_100)).remove(0);
    node.wait(began + 20_000 - node.now_ms);
    node.hear(BR, says(&beat, 503));
    node.wait(began + 49_900 - node.now_ms);
    assert_eq!(node.booked(), ANSWERED, "any final response counts, and 50 s have not passed");
    node.wait(200);
    assert_eq!(node.booked(), [0; 4]);
    assert_eq!(node.alarms(), ["remote cluster lost: its resources were released"]);
    node.wait(120_000);
    assert!(node.alarms().is_empty(), "once");
}

#[test]
fn their_marked_options_counts_and_a_plain_or_forged_one_does_not() {
    for (what, from, invite, counts) in [
        ("marked", BR, options().header(&mark("BR", 5)), true),
        ("plain", BR, options(), false),
        ("marked, from call control", CC_HQ, Request { at: CC_HQ, ..options().header(&mark("BR", 5)) }, false),
    ] {
        let mut node = Node::hq();
        standing(&mut node);
        node.wait(20_000);
        node.hear(from, &invite).the("200");
        node.wait(20_000);
        assert_eq!(node.booked() == ANSWERED, counts, "{what}");
    }
}

#[test]
fn a_provisional_answer_is_no_acknowledgment() {
    let mut node = Node::hq();
    standing(&mut node);
    let beat = beats(&node.wait(15_100)).remove(0);
    node.wait(5_000);
    node.hear(BR, answer(&beat, 100, "", &[], ""));
    node.wait(10_500);
    assert_eq!(node.booked(), [0; 4]);
}

#[test]
fn v_10_a_peer_that_is_back_has_its_calls_booked_again() {
    let mut node = Node::hq();
    let mut call = standing(&mut node);
    node.wait(31_000);
    assert_eq!(node.booked(), [0; 4]);
    node.alarms();
    node.hear(BR, &options().header(&mark("BR", 5)));
    assert_eq!(node.alarms(), ["remote cluster is back"]);
    node.wait_with_peer(60_000);
    assert_eq!(node.booked(), ANSWERED, "rsvp.retry_s is 60");
    hang_up(&mut node, &mut call);
    assert_eq!(node.booked(), [0; 4]);
}

#[test]
fn a_peer_that_stays_lost_is_not_booked_again() {
    let mut node = Node::hq();
    standing(&mut node);
    node.wait(31_000);
    node.wait(200_000);
    assert_eq!((node.booked(), node.engine.calls()), ([0; 4], 1), "the call goes on as best effort, V-11");
}

#[test]
fn a_restart_of_the_peer_is_told() {
    let mut node = Node::hq();
    standing(&mut node);
    node.hear(BR, &options().header(&mark("BR", 5)));
    node.hear(BR, &options().header(&mark("BR", 5)));
    assert!(node.alarms().is_empty());
    node.hear(BR, &options().header(&mark("BR", 6)));
    assert_eq!(node.alarms(), ["remote cluster was restarted and has lost its books"]);
}

#[test]
fn policy_none_sends_no_keepalive() {
    let mut node = Node::hq_with(&[("rsvp_policy = \"mandatory-video-desired\"", "rsvp_policy = \"none\"")]);
    standing(&mut node);
    assert!(beats(&node.wait(60_000)).is_empty());
}
