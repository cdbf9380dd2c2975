//! What policy takes off is gone for whoever reads the message next. Requests and responses with the headers that policy
//! believes, takes off or replaces, in every spelling a seed makes up, go through the engine; all that leaves is read by this
//! node's own reader, by tshark, by Kamailio and, where it can, by `rsip`: they see one message, and none of them what must
//! not have left.
//!
//! `spelling.rs` makes the messages up, `play.rs` has the engine pass them on, `view.rs` is one reader's view; each other file
//! is a reader.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

#[path = "views/kamailio.rs"]
mod kamailio;
#[allow(dead_code)] // shared with the SIPp tests, which ask for more
#[path = "sipp/network.rs"]
mod network;
#[allow(dead_code)] // shared with the tests of the engine, which ask for more
#[path = "engine/node.rs"]
mod node;
#[path = "views/play.rs"]
mod play;
#[path = "views/spelling.rs"]
mod spelling;
#[path = "views/tshark.rs"]
mod tshark;
#[path = "views/view.rs"]
mod view;
#[allow(dead_code)] // shared with the tests of the engine, which ask for more
#[path = "engine/wire.rs"]
mod wire;

use std::collections::BTreeMap;

use network::Network;
use play::{Emitted, Fate, Played, play};
use spelling::Kind;
use view::{View, shown};

/// Rounds of a dozen calls or requests each.
const ROUNDS: usize = 105;
const SEED: u64 = 20_261_127;
/// Times each kind of claim is made and meets each of its fates, and each kind of message is heard, at least.
const OFTEN: usize = 10;

/// What was found wrong: of each sort how often, and the first.
#[derive(Default)]
struct Faults(BTreeMap<String, (usize, String)>);

impl Faults {
    fn note(&mut self, sort: String, first: impl FnOnce() -> String) {
        self.0.entry(sort).or_insert_with(|| (0, first())).0 += 1;
    }
}

#[test]
fn every_reader_finds_the_same_message_and_nothing_that_was_taken_off() {
    let network = Network::claim("views");
    let kamailio = kamailio::Kamailio::start(&network);
    let played = play(SEED, ROUNDS);
    let messages: Vec<&[u8]> = played.emitted.iter().map(|emitted| &emitted.sent.bytes[..]).collect();
    let (by_tshark, by_kamailio) = (tshark::read(network.folder(), &messages), kamailio.read(&messages));
    let (mut faults, mut read_by_rsip) = (Faults::default(), 0);
    for ((emitted, dissected), told) in played.emitted.iter().zip(&by_tshark).zip(&by_kamailio) {
        let bytes = &emitted.sent.bytes;
        let ours = view::ours(bytes);
        let mut views = vec![("this node", ours.clone()), ("tshark", dissected.view.clone())];
        for what in &dissected.faults {
            faults.note(format!("tshark: {what}"), || shown(bytes));
        }
        match told {
            None => faults.note("no message to Kamailio".to_owned(), || shown(bytes)),
            Some(told) => {
                for (name, many) in told.asked.iter().filter(|(name, many)| ours.count(name) != *many) {
                    faults.note(format!("Kamailio asked for {name}"), || format!("{many} of\n{}", shown(bytes)));
                }
                views.push(("Kamailio", told.view.clone()));
            }
        }
        if let Some(view) = view::of_rsip(bytes) {
            read_by_rsip += 1;
            views.push(("rsip", view));
        }
        for (who, view) in &views {
            for (what, unlike) in ours.unlike(view) {
                faults.note(format!("{who}, {what}"), || format!("{unlike} in\n{}", shown(bytes)));
            }
            claims_hold(emitted, who, view, &mut faults);
        }
    }
    let found: Vec<_> = faults.0.iter().map(|(sort, (many, first))| format!("{many} times {sort}: {first}")).collect();
    println!(
        "{} messages left, {read_by_rsip} of them read by rsip: {:?} {:?}",
        messages.len(),
        played.heard,
        played.fates
    );
    assert!(found.is_empty(), "seed {SEED}:\n{}", found.join("\n"));
    was_tried(&played);
    assert!(read_by_rsip > OFTEN, "{read_by_rsip}");
}

/// What must have gone is in no header, nor anywhere else, and what must have stayed is where it was.
fn claims_hold(emitted: &Emitted, who: &str, view: &View, faults: &mut Faults) {
    let bytes = &emitted.sent.bytes;
    for (claim, fate) in &emitted.claims {
        let holds = bytes.windows(claim.word.len()).any(|part| part == claim.word.as_bytes());
        let is_in_head = view.holding(&claim.name, &claim.word) == 1;
        let is_right = match fate {
            Fate::Gone => !holds && view.headers.iter().all(|(_, value)| !view::holds(value, &claim.word)),
            Fate::Kept if claim.name == spelling::BODY => holds,
            Fate::Kept => is_in_head,
            Fate::Either => true,
        };
        if !is_right {
            faults.note(format!("{:?} is not {fate:?} to {who}", claim.kind), || {
                format!("{claim:?}\nheard {}\nsent {}", shown(&emitted.heard), shown(bytes))
            });
        }
    }
}

/// Every kind was there, and went or stayed, often.
fn was_tried(played: &Played) {
    for kind in [Kind::Asserted, Kind::RemoteParty, Kind::AccessNetwork, Kind::Diversion, Kind::Resource, Kind::Listed]
    {
        for fate in [Fate::Gone, Fate::Kept] {
            assert!(played.fates.get(&(kind, fate)) > Some(&OFTEN), "{kind:?} {fate:?}: {:?}", played.fates);
        }
    }
    for (kind, fate) in [
        (Kind::Preferred, Fate::Gone),
        (Kind::Nowhere, Fate::Gone),
        (Kind::Device, Fate::Gone),
        (Kind::Urgent, Fate::Gone),
        (Kind::Urgent, Fate::Kept),
        (Kind::Place, Fate::Gone),
        (Kind::Place, Fate::Kept),
        (Kind::Icon, Fate::Kept),
        (Kind::Calm, Fate::Kept),
        (Kind::Privacy, Fate::Kept),
        (Kind::Free, Fate::Kept),
    ] {
        assert!(played.fates.get(&(kind, fate)) > Some(&OFTEN), "{kind:?} {fate:?}: {:?}", played.fates);
    }
    for what in [
        "INVITE",
        "CANCEL",
        "response to INVITE",
        "request outside a dialog",
        "request in a call",
        "response to another request",
        "passed on",
        "mended and passed on",
        "out of form and not passed on",
    ] {
        assert!(played.heard.get(what) > Some(&OFTEN), "{what}: {:?}", played.heard);
    }
}
