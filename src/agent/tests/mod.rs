//! Agents against each other over a network that loses, repeats, delays and turns round.

mod foreign;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use emcc_policies::moment::Moment;
use proptest::prelude::*;

use super::*;
use crate::engine::ids::Ids;

/// A caller, an answerer and what is on its way between them.
struct World {
    now: Moment,
    caller: Caller,
    answerer: Answerer,
    on_way: BTreeMap<(Moment, u64), (SocketAddr, Datagram)>,
    sent: u64,
    dice: Ids,
    /// Of a hundred datagrams, how many are lost and how many come twice.
    lost: u64,
    doubled: u64,
    /// Longest way in ms.
    way_ms: u64,
    events: Vec<(&'static str, Event)>,
    trace: Vec<String>,
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn talk(port: u16) -> Talk {
    Talk::new(at(port), &[Codec::G722, Codec::PCMU, Codec::G729])
}

fn setup() -> Setup {
    Setup::new("5001", "9911", at(1), at(2), talk(40_000))
}

impl World {
    fn new(setup: Setup, script: Script, seed: u64) -> Self {
        let answerer = Answerer::new(
            "gw",
            at(2),
            script,
            Talk::new(at(40_002), &[Codec::PCMU]),
            Timers::default(),
            256,
            Ids::new(seed, 2),
        );
        let mut world = Self {
            now: Moment(0),
            caller: Caller::new(setup, Ids::new(seed, 1)),
            answerer,
            on_way: BTreeMap::new(),
            sent: 0,
            dice: Ids::new(seed, 3),
            lost: 0,
            doubled: 0,
            way_ms: 5,
            events: Vec::new(),
            trace: Vec::new(),
        };
        let mut out = Outputs::default();
        world.caller.start(world.now, &mut out);
        world.take("caller", at(1), out);
        world
    }

    fn take(&mut self, who: &'static str, from: SocketAddr, out: Outputs) {
        for datagram in out.sends {
            self.trace.push(format!("{} {from} {}", self.now.0, summary(&datagram.bytes)));
            let copies = match self.dice.next_u64() % 100 {
                roll if roll < self.lost => 0,
                roll if roll < self.lost + self.doubled => 2,
                _ => 1,
            };
            for _ in 0..copies {
                self.sent += 1;
                let arrives = self.now.plus_ms(1 + self.dice.next_u64() % self.way_ms);
                self.on_way.insert((arrives, self.sent), (from, datagram.clone()));
            }
        }
        self.events.extend(out.events.into_iter().map(|(_, event)| (who, event)));
    }

    /// The next thing that happens; `false` when nothing will.
    fn step(&mut self) -> bool {
        let arrival = self.on_way.first_key_value().map(|((at, _), _)| *at);
        let due = earlier(self.caller.next_due(), self.answerer.next_due());
        let Some(next) = earlier(arrival, due) else { return false };
        self.now = self.now.max(next);
        let mut out = Outputs::default();
        if arrival.is_some_and(|at| at <= self.now) {
            let Some((_, (from, datagram))) = self.on_way.pop_first() else { return false };
            let input = Input::Datagram { from, bytes: &datagram.bytes };
            if datagram.to == at(1) {
                self.caller.handle(self.now, input, &mut out);
                self.take("caller", at(1), out);
            } else {
                self.answerer.handle(self.now, input, &mut out);
                self.take("answerer", at(2), out);
            }
            return true;
        }
        self.caller.handle(self.now, Input::Due, &mut out);
        self.take("caller", at(1), out);
        let mut out = Outputs::default();
        self.answerer.handle(self.now, Input::Due, &mut out);
        self.take("answerer", at(2), out);
        true
    }

    fn run_until(&mut self, at: Moment) {
        for _ in 0..100_000 {
            let arrival = self.on_way.first_key_value().map(|((at, _), _)| *at);
            let next = earlier(arrival, earlier(self.caller.next_due(), self.answerer.next_due()));
            if next.is_none_or(|next| next > at) {
                self.now = at;
                return;
            }
            self.step();
        }
        panic!("no end by {}: {:?}", self.now.0, self.trace.iter().rev().take(20).collect::<Vec<_>>());
    }

    fn run(&mut self) {
        self.run_until(Moment(3_600_000));
    }

    fn caller_does(&mut self, f: impl FnOnce(&mut Call, Moment, &mut Outputs)) {
        let mut out = Outputs::default();
        f(self.caller.call_mut(), self.now, &mut out);
        self.take("caller", at(1), out);
    }

    fn answerer_does(&mut self, mut f: impl FnMut(&mut Call, Moment, &mut Outputs)) {
        let mut out = Outputs::default();
        let (now, call_id) = (self.now, self.caller.call().call_id().to_vec());
        self.answerer.with_calls(&call_id, |call| f(call, now, &mut out));
        self.take("answerer", at(2), out);
    }

    fn has(&self, who: &str, event: &Event) -> bool {
        self.events.iter().any(|(w, e)| *w == who && e == event)
    }

    fn problems(&self) -> u64 {
        self.caller.counts().unexpected + self.answerer.counts().unexpected
    }
}

fn lines(call: &Call) -> Vec<&str> {
    call.record.seen.iter().map(|seen| seen.line.as_str()).collect()
}

#[test]
fn a_call_rings_is_answered_and_ends() {
    let mut world = World::new(Setup { hang_up_after_ms: Some(1_000), ..setup() }, Script::answering(300), 1);
    world.run();
    assert_eq!(world.caller.call().outcome(), Some(Outcome::Answered));
    assert_eq!(
        lines(world.caller.call()),
        ["INVITE 9911 [G722 PCMU G729]", "100 Trying", "180 Ringing", "200 OK [PCMU]", "ACK gw", "BYE gw", "200 OK"]
    );
    let agreed = Event::Agreed(Agreed { codec: "PCMU".into(), payload_type: 0, remote: at(40_002) });
    assert!(world.has("caller", &agreed), "{:?}", world.events);
    assert!(world.has("caller", &Event::Ended { by_peer: false }));
    assert!(world.has("answerer", &Event::Ended { by_peer: true }));
    let counts = world.caller.counts();
    assert_eq!((counts.retransmitted, counts.duplicates, world.problems()), (0, 0, 0));
    assert!(world.caller.call().is_gone() && world.answerer.calls().next().is_none());
}

#[test]
fn every_behaviour_ends_as_it_says() {
    let cancel = Setup { cancel_after_ms: Some(2_000), ..setup() };
    let impatient = Setup { timers: Timers { patience_ms: 5_000, ..Timers::default() }, ..setup() };
    for (setup, script, want) in [
        (setup(), Script::rejecting(486), Outcome::Refused(486)),
        (setup(), Script::new(Behaviour::Reject { after_ms: 900, status: 503 }), Outcome::Refused(503)),
        (setup(), Script::new(Behaviour::Silent), Outcome::TimedOut),
        (cancel.clone(), Script::new(Behaviour::Ring), Outcome::Refused(487)),
        (cancel.clone(), Script::new(Behaviour::Silent), Outcome::TimedOut),
        (impatient, Script::new(Behaviour::Ring), Outcome::Refused(487)),
        (cancel, Script { hang_up_after_ms: Some(10), ..Script::answering(100) }, Outcome::Answered),
    ] {
        let mut world = World::new(setup, script.clone(), 5);
        world.run();
        assert_eq!(world.caller.call().outcome(), Some(want), "{script:?}");
        assert_eq!(world.problems(), 0, "{script:?} {:?}", world.trace);
        assert!(world.caller.call().is_gone(), "{script:?} {:?}", world.trace);
    }
}

#[test]
fn an_invite_nobody_hears_goes_out_seven_times() {
    let mut world = World::new(setup(), Script::new(Behaviour::Silent), 1);
    world.run();
    // RFC 3261, section 17.1.1.2: at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s.
    assert_eq!(world.caller.counts().sent, 7);
    assert!(world.has("caller", &Event::Failed(Outcome::TimedOut)));
}

#[test]
fn a_delayed_offer_is_answered_in_the_ack() {
    let delayed = Setup { offering: Offering::Delayed, hang_up_after_ms: Some(100), ..setup() };
    let mut world = World::new(delayed, Script::answering(50), 1);
    world.run();
    assert_eq!(
        lines(world.caller.call())[3..5],
        ["200 OK [PCMU]", "ACK gw [PCMU]"],
        "{:?}",
        lines(world.caller.call())
    );
    assert_eq!(world.answerer.counts().unexpected, 0);
    assert!(world.events.iter().any(|(who, event)| *who == "answerer" && matches!(event, Event::Agreed(_))));
}

#[test]
fn a_reliable_ringing_is_acknowledged_once_and_carries_the_offer_where_it_is_late() {
    for (offering, early_media, want) in [
        (Offering::Codecs, false, ["180 Ringing", "PRACK gw", "200 OK", "200 OK [PCMU]", "ACK gw"]),
        (Offering::Codecs, true, ["183 Session Progress [PCMU]", "PRACK gw", "200 OK", "200 OK", "ACK gw"]),
        (Offering::Delayed, false, ["180 Ringing [PCMU]", "PRACK gw [PCMU]", "200 OK", "200 OK", "ACK gw"]),
    ] {
        let setup = Setup { offering, supports_100rel: true, hang_up_after_ms: Some(100), ..setup() };
        let script = Script { uses_100rel: true, has_early_media: early_media, ..Script::answering(100) };
        let mut world = World::new(setup, script, 1);
        world.run();
        assert_eq!(lines(world.caller.call())[2..7], want);
        assert_eq!(world.problems(), 0);
        assert_eq!(world.caller.call().talk.agreed().map(|agreed| agreed.codec.as_str()), Some("PCMU"));
    }
}

#[test]
fn both_ends_ask_within_the_dialog() {
    let mut world = World::new(setup(), Script::answering(0), 1);
    world.run_until(Moment(1_000));
    world.caller_does(|call, now, out| call.reinvite(now, true, out));
    world.run_until(Moment(2_000));
    world.answerer_does(|call, now, out| call.reinvite(now, false, out));
    world.run_until(Moment(3_000));
    world.answerer_does(|call, now, out| call.update(now, true, out));
    world.run_until(Moment(4_000));
    world.caller_does(|call, now, out| call.info(now, "application/dtmf-relay", b"Signal=5", out));
    world.run_until(Moment(5_000));
    world.answerer_does(|call, now, out| call.hang_up(now, out));
    world.run();
    for (who, event) in [
        ("answerer", Event::Asked(Method::Invite)),
        ("caller", Event::Told(Method::Invite, 200)),
        ("caller", Event::Asked(Method::Invite)),
        ("answerer", Event::Told(Method::Invite, 200)),
        ("caller", Event::Asked(Method::Update)),
        ("answerer", Event::Told(Method::Update, 200)),
        ("answerer", Event::Asked(Method::Info)),
        ("caller", Event::Asked(Method::Bye)),
        ("caller", Event::Ended { by_peer: true }),
    ] {
        assert!(world.has(who, &event), "{who} {event:?}: {:?}", world.trace);
    }
    assert_eq!(world.problems(), 0, "{:?}", world.trace);
}

#[test]
fn invites_that_cross_are_refused_with_491() {
    let mut world = World::new(setup(), Script::answering(0), 1);
    world.run_until(Moment(1_000));
    world.caller_does(|call, now, out| call.reinvite(now, true, out));
    world.answerer_does(|call, now, out| call.reinvite(now, true, out));
    world.run_until(Moment(2_000));
    assert!(world.has("caller", &Event::Told(Method::Invite, 491)));
    assert!(world.caller.call().is_up() && !world.caller.call().talk.is_offer_open());
}

#[test]
fn a_2xx_is_said_again_until_its_ack_and_the_call_ends_without_one() {
    let mut world = World::new(setup(), Script::answering(10), 1);
    world.run_until(Moment(10));
    world.lost = 100;
    world.run_until(Moment(60_000));
    assert!(world.has("answerer", &Event::Failed(Outcome::Unacknowledged)), "{:?}", world.trace);
    // 0, 0.5, 1.5, 3.5 s and then every 4 s up to 32 s: ten repetitions; BYE follows.
    let answers = world.trace.iter().filter(|line| line.contains("200 OK")).count();
    assert_eq!(answers, 11, "{:?}", world.trace);
}

#[test]
fn equal_seeds_give_equal_traces() {
    let trace = |seed| {
        let mut world = World::new(Setup { hang_up_after_ms: Some(500), ..setup() }, Script::answering(100), seed);
        (world.lost, world.doubled) = (30, 10);
        world.run();
        let datagrams: Vec<_> = world.caller.call().record.seen.clone();
        (world.trace, datagrams)
    };
    assert_eq!(trace(9), trace(9));
    assert_ne!(trace(9).0, trace(10).0);
}

#[test]
fn an_answerer_takes_probes_and_strangers() {
    let script = Script::answering(0);
    let mut gateway = Answerer::new("gw", at(2), script, talk(40_000), Timers::default(), 8, Ids::new(1, 1));
    for (method, to, want) in [
        ("OPTIONS", "<sip:gw@h>", Some("200 OK")),
        ("REGISTER", "<sip:gw@h>", Some("200 OK")),
        ("BYE", "<sip:gw@h>;tag=x", Some("481 Call/Transaction Does Not Exist")),
        ("CANCEL", "<sip:gw@h>", Some("481 Call/Transaction Does Not Exist")),
        ("ACK", "<sip:gw@h>;tag=x", None),
    ] {
        let text = format!(
            "{method} sip:gw@h SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK{method}\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: {to}\r\nCall-ID: {method}\r\nCSeq: 1 {method}\r\n\r\n"
        );
        let mut out = Outputs::default();
        gateway.handle(Moment(0), Input::Datagram { from: at(9), bytes: text.as_bytes() }, &mut out);
        assert_eq!(out.sends.first().map(|sent| summary(&sent.bytes)).as_deref(), want, "{method}");
        assert!(out.sends.iter().all(|sent| sent.to == at(9)));
    }
    assert_eq!(gateway.counts().unexpected, 3);
}

/// A script, a caller and when it cancels, drawn from a seed.
fn drawn(seed: u64) -> (Setup, Script) {
    let mut dice = Ids::new(seed, 7);
    let mut roll = |sides: u64| dice.next_u64() % sides;
    let behaviour = match roll(6) {
        0 => Behaviour::Reject { after_ms: roll(3_000), status: [404, 486, 500, 603][roll(4) as usize] },
        1 => Behaviour::Ring,
        2 => Behaviour::Silent,
        _ => Behaviour::Answer { after_ms: roll(8_000) },
    };
    let script = Script {
        behaviour,
        sends_trying: roll(2) == 0,
        ring_after_ms: [None, Some(0), Some(700)][roll(3) as usize],
        has_early_media: roll(3) == 0,
        uses_100rel: roll(2) == 0,
        hang_up_after_ms: [None, Some(0), Some(5_000)][roll(3) as usize],
    };
    let setup = Setup {
        offering: if roll(3) == 0 { Offering::Delayed } else { Offering::Codecs },
        supports_100rel: roll(2) == 0,
        hang_up_after_ms: Some(roll(20_000)),
        cancel_after_ms: [None, Some(roll(6_000))][roll(2) as usize],
        ..setup()
    };
    (setup, script)
}

#[test]
fn a_call_always_ends_whatever_the_network_does() {
    for seed in 0..300 {
        let (setup, script) = drawn(seed);
        let mut world = World::new(setup, script.clone(), seed);
        (world.lost, world.doubled, world.way_ms) = (seed % 60, seed % 20, 1 + seed % 900);
        world.run();
        let call = world.caller.call();
        assert!(call.outcome().is_some() && call.is_gone(), "seed {seed} {script:?}: {:#?}", world.trace);
        assert!(world.answerer.calls().all(Call::is_gone), "seed {seed} {script:?}: {:#?}", world.trace);
        let ends = world
            .events
            .iter()
            .filter(|(who, event)| *who == "caller" && matches!(event, Event::Failed(_) | Event::Ended { .. }));
        assert_eq!(ends.count(), 1, "seed {seed} {script:?}: {:#?}", world.events);
    }
}

proptest! {
    #[test]
    fn no_octets_make_an_agent_panic(noise: Vec<Vec<u8>>, seed: u64) {
        let mut world = World::new(setup(), Script::answering(100), seed);
        for bytes in noise {
            let mut out = Outputs::default();
            world.caller.handle(world.now, Input::Datagram { from: at(2), bytes: &bytes }, &mut out);
            world.answerer.handle(world.now, Input::Datagram { from: at(1), bytes: &bytes }, &mut out);
        }
        world.run_until(Moment(1_000));
        prop_assert!(world.caller.call().is_up());
    }

    #[test]
    fn a_damaged_message_makes_no_agent_panic(seed: u64, damage in prop::collection::vec((any::<u16>(), any::<u8>(), 0u8..3), 1..60)) {
        let (setup, script) = drawn(seed);
        let mut world = World::new(setup, script, seed);
        for (place, octet, kind) in damage {
            if let Some(mut entry) = world.on_way.first_entry() {
                let bytes = &mut entry.get_mut().1.bytes;
                let at = usize::from(place) % bytes.len().max(1);
                match kind {
                    0 if !bytes.is_empty() => bytes[at] = octet,
                    1 => bytes.truncate(at),
                    _ => bytes.insert(at, octet),
                }
            }
            world.step();
        }
        world.run();
    }
}
