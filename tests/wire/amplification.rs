//! A source address can be forged: what goes there before anybody was heard at it is no more than what came from it.

use crate::ground::{Ground, call_id, status, text, with};
use crate::line::UDP_V4;
use crate::torture::{Want, messages, routed};
use emcc_trunk::neighbour::Transport;
use emcc_trunk::sip::Name;

#[test]
fn no_torture_message_is_answered_with_more_octets_than_it_has() {
    let mut ground = Ground::new("amplification", UDP_V4);
    let (mut in_all, mut out_all, mut most) = (0, 0, (0.0, ""));
    for (name, octets, want) in messages(Transport::Udp) {
        // What is passed on is not answered here; its 100 is.
        let octets = if want == Want::Forward { routed(&ground, &octets) } else { octets };
        ground.near.send(&octets);
        let sentinel = ground.options();
        ground.near.send(&sentinel);
        let mut out = 0;
        loop {
            let heard = ground.near.next().unwrap();
            if call_id(&heard) == call_id(&sentinel) {
                assert_eq!(status(&heard), 200);
                assert!(heard.len() <= sentinel.len(), "the OPTIONS: {}", text(&heard));
                break;
            }
            out += heard.len();
        }
        let ratio = out as f64 / octets.len() as f64;
        assert!(ratio <= 1.0, "{name}: {out} octets for {}", octets.len());
        (in_all, out_all) = (in_all + octets.len(), out_all + out);
        if ratio > most.0 {
            most = (ratio, name);
        }
    }
    println!("{out_all} octets out for {in_all} in; the most, {:.2}, for {}", most.0, most.1);
    assert_eq!(ground.node.metric("emcc_sip_refusals_longer_total", &[]), 0);
}

#[test]
fn a_refusal_grows_words_once_its_reader_was_heard() {
    let mut ground = Ground::new("verified", UDP_V4);
    let invite = ground.request("INVITE", "sip:4@example.com", "");
    ground.near.send(&invite);
    let first = ground.near.next().unwrap();
    assert!(first.len() <= invite.len(), "{}", text(&first));
    assert!(!text(&first).contains("text="), "{}", text(&first));
    // A copy costs as much again, and no more.
    ground.near.send(&invite);
    assert_eq!(ground.near.next().unwrap(), first);
    let to = with(&first, |message| text(message.value(Name::To).unwrap()));
    let ack = text(&invite).replace("INVITE", "ACK");
    let forged = ack.replace("To: <sip:gw@", "To: <sip:x@");
    ground.near.send(forged.as_bytes());
    let old_to = with(&invite, |message| text(message.value(Name::To).unwrap()));
    ground.near.send(ack.replace(&format!("To: {old_to}"), &format!("To: {to}")).as_bytes());
    let again = ground.request("INVITE", "sip:4@example.com", "");
    ground.near.send(&again);
    assert_eq!(status(&ground.near.next().unwrap()), 100);
    let second = ground.near.next().unwrap();
    assert_eq!(status(&second), status(&first));
    assert!(text(&second).contains("\r\nReason: Q.850;cause="), "{}", text(&second));
}
