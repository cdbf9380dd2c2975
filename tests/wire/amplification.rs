//! A source address can be forged: what goes there before anybody was heard at it is no more than what came from it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ground::{Ground, call_id, status, text, with};
use crate::line::UDP_V4;
use crate::torture::{Want, messages, routed};
use emcc_trunk::neighbour::Transport;
use emcc_trunk::sip::{Index, Message, Name, ViaRef, scan};

/// Silence after which nothing comes any more: longer than a next hop is waited for, 4 s, and the second repeat behind.
const QUIET: Duration = Duration::from_secs(6);

/// What a message was answered with.
struct Told {
    name: &'static str,
    call_id: Vec<u8>,
    transaction: Vec<String>,
    octets_in: usize,
    octets_out: usize,
}

/// What tells a message's transaction apart, as far as it can be read: Call-ID, CSeq and the branch of its top Via.
fn transaction(octets: &[u8]) -> Vec<String> {
    let look = |message: &Message<'_>| {
        let via = message.values(Name::Via).next().and_then(|value| ViaRef::parse(value.text).ok());
        let branch = via.and_then(|via| via.branch).unwrap_or_default();
        let values = [Name::CallId, Name::CSeq].map(|name| message.value(name).unwrap_or_default());
        values.into_iter().chain([branch]).map(text).collect()
    };
    let mut index = Index::new();
    match scan(octets, &mut index) {
        Ok(message) => look(&message),
        Err(broken) => broken.partial.as_ref().map(look).unwrap_or_default(),
    }
}

#[test]
fn no_torture_message_is_answered_with_more_octets_than_it_has() {
    let mut ground = Ground::new("amplification", UDP_V4);
    // What comes late is counted for the message it belongs to.
    let mut told: Vec<Told> = Vec::new();
    for (name, octets, want) in messages(Transport::Udp) {
        // What is passed on is not answered here; its 100 is.
        let octets = if want == Want::Forward { routed(&ground, &octets) } else { octets };
        ground.near.send(&octets);
        told.push(Told {
            name,
            call_id: call_id(&octets),
            transaction: transaction(&octets),
            octets_in: octets.len(),
            octets_out: 0,
        });
        let sentinel = ground.options();
        ground.near.send(&sentinel);
        loop {
            let heard = ground.near.next().unwrap();
            let id = call_id(&heard);
            if id == call_id(&sentinel) {
                assert_eq!(status(&heard), 200);
                assert!(heard.len() <= sentinel.len(), "the OPTIONS: {}", text(&heard));
                break;
            }
            let of = told.iter().rposition(|one| one.call_id == id).unwrap_or(told.len() - 1);
            told[of].octets_out += heard.len();
        }
    }
    for one in &told {
        assert!(one.octets_out <= one.octets_in, "{}: {} octets for {}", one.name, one.octets_out, one.octets_in);
    }
    // What is said again, by timer G 0.5 s and 1 s after a refusal, or late, when a hop was waited for, counts too: for the
    // transaction it belongs to, since some of the messages are copies of each other.
    let mut transactions: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for one in &told {
        let sum = transactions.entry(one.transaction.clone()).or_default();
        *sum = (sum.0 + one.octets_in, sum.1 + one.octets_out);
    }
    let mut late = 0;
    while let Some(heard) = ground.near.next_within(QUIET) {
        let sum = transactions.get_mut(&transaction(&heard)).unwrap_or_else(|| panic!("whose is\n{}", text(&heard)));
        sum.1 += heard.len();
        assert!(sum.1 <= sum.0, "{} octets for {} with\n{}", sum.1, sum.0, text(&heard));
        late += 1;
    }
    assert!(late > 0, "the gateway says nothing, and who asked for it hears so");
    let ratio = |one: &Told| one.octets_out as f64 / one.octets_in as f64;
    let most = told.iter().max_by(|a, b| ratio(a).total_cmp(&ratio(b))).unwrap();
    let (in_all, out_all): (usize, usize) =
        told.iter().fold((0, 0), |(i, o), one| (i + one.octets_in, o + one.octets_out));
    println!("{out_all} octets out for {in_all} in; the most, {:.2}, for {}", ratio(most), most.name);
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
