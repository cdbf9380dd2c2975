//! Plays that are written, not rolled: each shows one law at work.

use std::net::SocketAddr;

use emcc_policies::moment::Moment;
use emcc_trunk::agent::{Behaviour, Outcome, Script};
use emcc_trunk::engine::Bounds;

use crate::cast::{ALICE, CC_HQ, GW_BR_1, GW_BR_2, GW_HQ, Part};
use crate::network::{Cut, Weather};
use crate::node::{Variant, Which};
use crate::read;
use crate::world::{Act, Deed, Fares, Passing, Watch, World};

/// Seeds each directed play is run with: who takes which datagram, and when it arrives, differs.
const SEEDS: u64 = 8;

const HOME_AND_AWAY: Part = Part { dialled: "902079460000", ..ALICE };
const AWAY_ALARM: Part = Part { dialled: "9999", rescuers: &[GW_BR_1, GW_BR_2, GW_HQ], ..ALICE };

fn s(seconds: u64) -> Moment {
    Moment(seconds * 1_000)
}

/// Loses the first datagrams of a kind, so many of them.
fn losing(count: usize, mut is_it: impl FnMut(&Passing<'_>) -> bool + 'static) -> Watch {
    let mut left = count;
    Box::new(move |passing| {
        if left > 0 && is_it(passing) {
            left -= 1;
            return Fares::Lost;
        }
        Fares::AsTheWeatherHasIt
    })
}

fn is_answer(passing: &Passing<'_>) -> bool {
    read::status(passing.bytes) == Some(200) && read::cseq_method(passing.bytes) == "INVITE"
}

fn used(world: &World, which: Which) -> u64 {
    world.nodes[which as usize].engine.links().books().iter().map(|book| book.used_kbps).sum()
}

fn sent_by<'w>(
    world: &'w World,
    from: SocketAddr,
    to: SocketAddr,
    method: &'static str,
) -> impl Iterator<Item = (Moment, &'w [u8])> {
    let sent = world.sent.iter().flatten();
    sent.filter(move |sent| sent.from == from && sent.to == to && read::method(&sent.bytes) == method)
        .map(|sent| (sent.at, &*sent.bytes))
}

/// RFC 6026 section 7: the 2xx is its sender's to repeat, and every copy passes.
#[test]
fn a_lost_200_is_repeated_and_the_call_stands() {
    for seed in 0..SEEDS {
        for hop in [Which::Hq.at(), Which::Br.at()] {
            let mut world = World::directed(seed);
            world.watch = Some(losing(2, move |passing| is_answer(passing) && passing.from == hop));
            let caller = world.call(s(1), HOME_AND_AWAY, |setup| setup);
            world.run_until(s(10));
            assert!(world.callers[caller].caller.call().is_up(), "seed {seed}\n{}", world.told());
            assert!(used(&world, Which::Hq) > 0 && used(&world, Which::Br) > 0);
            world.finish();
        }
    }
}

/// RFC 3261 section 13.3.1.4: the 200 comes again, and the ACK with it.
#[test]
fn a_lost_ack_is_said_again() {
    for seed in 0..SEEDS {
        let mut world = World::directed(seed);
        world.watch = Some(losing(3, |passing| read::method(passing.bytes) == "ACK"));
        let caller = world.call(s(1), HOME_AND_AWAY, |setup| setup);
        world.run_until(s(60));
        let is_up = world.callers[caller].caller.call().is_up();
        let outcome = world.callers[caller].caller.call().outcome();
        assert!(is_up && outcome == Some(Outcome::Answered), "seed {seed}\n{}", world.told());
        world.plan(s(60), Act::ByCaller(caller, Deed::HangUp));
        world.run_until(s(61));
        assert_eq!((used(&world, Which::Hq), used(&world, Which::Br)), (0, 0), "seed {seed}");
        world.finish();
    }
}

/// An answer nobody ever acknowledges: the nodes end what they hold within two transaction lifetimes.
#[test]
fn an_answer_that_is_never_acknowledged_holds_nothing_for_long() {
    for seed in 0..SEEDS {
        let mut world = World::directed(seed);
        let never =
            |passing: &Passing<'_>| read::method(passing.bytes) == "ACK" || read::method(passing.bytes) == "BYE";
        world.watch = Some(losing(usize::MAX, never));
        world.call(s(1), HOME_AND_AWAY, |setup| setup);
        world.run_until(s(70));
        let calls = world.nodes.each_ref().map(|node| node.engine.calls());
        assert_eq!((calls, used(&world, Which::Hq), used(&world, Which::Br)), ([0, 0], 0, 0), "seed {seed}");
        world.finish();
    }
}

/// RFC 3261 section 9.1: who cancels too late has been answered and hangs up.
#[test]
fn a_cancel_that_crosses_the_200_leaves_nothing_behind() {
    let mut outcomes = Vec::new();
    for seed in 0..SEEDS {
        for at_ms in 995..1_012 {
            let mut world = World::directed(seed);
            world.plan(Moment(0), Act::Script(GW_BR_1, Script::answering(1_000)));
            let caller = world.call(Moment(0), HOME_AND_AWAY, |setup| setup);
            world.plan(Moment(at_ms), Act::ByCaller(caller, Deed::Cancel));
            world.run_until(s(5));
            let call = world.callers[caller].caller.call();
            let outcome = call.outcome();
            let is_known = matches!(outcome, Some(Outcome::Answered | Outcome::Refused(487)));
            assert!(is_known, "seed {seed} {at_ms} ms: {outcome:?}\n{}", world.told());
            // A caller who was answered after its CANCEL hangs up at once.
            let is_up = call.is_up();
            for which in Which::BOTH {
                let calls = world.nodes[which as usize].engine.calls();
                let holds = used(&world, which) > 0;
                assert_eq!((calls, holds), (usize::from(is_up), is_up), "seed {seed} {at_ms} ms {which:?}");
            }
            outcomes.push(outcome);
            world.finish();
        }
    }
    assert!(outcomes.contains(&Some(Outcome::Answered)) && outcomes.contains(&Some(Outcome::Refused(487))));
}

/// P-8: the next hop is tried at exactly `no_response_s`, and whoever answers first has the call.
#[test]
fn a_silent_gateway_is_followed_at_its_time() {
    for seed in 0..SEEDS {
        let mut world = World::directed(seed);
        world.plan(Moment(0), Act::Script(GW_BR_1, Script::new(Behaviour::Silent)));
        let caller = world.call(s(1), HOME_AND_AWAY, |setup| setup);
        world.run_until(s(20));
        let [first, second] = [GW_BR_1, GW_BR_2].map(|place| world.places[place].at);
        let (began, _) = sent_by(&world, Which::Br.at(), first, "INVITE").next().expect("the first gateway is tried");
        let (next, _) = sent_by(&world, Which::Br.at(), second, "INVITE").next().expect("then the second");
        let waited_ms = next.since_ms(began);
        // The wheel of hints turns in slots of 10 ms.
        assert!((4_000..4_020).contains(&waited_ms), "seed {seed}: {waited_ms} ms");
        let repeats: Vec<u64> =
            sent_by(&world, Which::Br.at(), first, "INVITE").map(|(at, _)| at.since_ms(began)).collect();
        assert_eq!(repeats.len(), 4, "seed {seed}: at 0, 500, 1500 and 3500 ms: {repeats:?}");
        assert!(world.callers[caller].caller.call().is_up());
        world.finish();
    }
}

/// The 200 of a hop that was given up comes while the next one rings: it has the call, the other is cancelled; or both
/// answer, and the second is thanked and hung up.
#[test]
fn a_late_200_of_an_abandoned_hop_has_the_call() {
    for seed in 0..SEEDS {
        for (second, is_cancelled) in [(Script::answering(30_000), true), (Script::answering(600), false)] {
            let mut world = World::directed(seed);
            let script = Script { sends_trying: false, ring_after_ms: None, ..Script::answering(4_500) };
            world.plan(Moment(0), Act::Script(GW_BR_1, script));
            world.plan(Moment(0), Act::Script(GW_BR_2, second));
            let [first, second] = [GW_BR_1, GW_BR_2].map(|place| world.places[place].at);
            if !is_cancelled {
                // The second answers as well, before it can hear of the CANCEL.
                world.watch = Some(losing(usize::MAX, |passing| read::method(passing.bytes) == "CANCEL"));
            }
            let caller = world.call(s(1), HOME_AND_AWAY, |setup| setup);
            world.run_until(s(20));
            let call = world.callers[caller].caller.call();
            assert!(call.is_up(), "seed {seed}\n{}", world.told());
            let remote = call.talk.agreed().map(|agreed| agreed.remote.ip());
            assert_eq!(remote, Some(first.ip()), "seed {seed}");
            let other = if is_cancelled { "CANCEL" } else { "BYE" };
            assert!(sent_by(&world, Which::Br.at(), second, other).next().is_some(), "seed {seed}\n{}", world.told());
            assert!(sent_by(&world, Which::Br.at(), first, "BYE").next().is_none(), "seed {seed}");
            world.finish();
        }
    }
}

/// V-4, V-6, V-10: parted for longer than two intervals, everything is given back once; together again, a call that
/// lives on is booked again.
#[test]
fn a_peer_lost_and_back_is_released_once_and_booked_again() {
    for seed in 0..SEEDS {
        let mut world = World::directed(seed);
        let between = [Which::Hq.at().ip(), Which::Br.at().ip()];
        world.weather.cuts.push(Cut { between, from: s(20), to: s(80), is_told: seed % 2 == 1 });
        let caller = world.call(s(1), HOME_AND_AWAY, |setup| setup);
        world.run_until(s(19));
        let booked = Which::BOTH.map(|which| used(&world, which));
        assert!(booked.iter().all(|kbps| *kbps > 0), "seed {seed}: {booked:?}");
        world.run_until(s(51));
        assert_eq!(Which::BOTH.map(|which| used(&world, which)), [0, 0], "seed {seed}");
        assert_eq!(Which::BOTH.map(|which| world.laws.losses(which)), [1, 1], "seed {seed}");
        world.run_until(s(79));
        assert_eq!(Which::BOTH.map(|which| world.laws.losses(which)), [1, 1], "seed {seed}: said once");
        world.run_until(s(79 + 61 + 15));
        assert!(world.callers[caller].caller.call().is_up());
        assert_eq!(Which::BOTH.map(|which| used(&world, which)), booked, "seed {seed}: booked again\n{}", world.told());
        let back = world.alarms.iter().filter(|(_, _, what)| *what == "remote cluster is back").count();
        assert_eq!(back, 2, "seed {seed}");
        world.finish();
    }
}

/// V-10: together again there may be no room any more; the call goes on and asks again.
#[test]
fn a_call_that_finds_no_room_after_a_loss_goes_on() {
    let tight = Variant { link_audio_kbps: 40, retry_s: 5, keepalive_s: 5, ..Variant::default() };
    for seed in 0..SEEDS {
        let variants = [tight.clone(), tight.clone()];
        let mut world = World::new(seed, Weather::fine(), variants, Bounds::default(), 2);
        let between = [Which::Hq.at().ip(), Which::Br.at().ip()];
        world.weather.cuts.push(Cut { between, from: s(10), to: s(30), is_told: false });
        let first = world.call(s(1), HOME_AND_AWAY, |setup| setup);
        // To bob, who sits at home: the media crosses the link all the same, the signalling does not.
        let second = world.call(s(25), Part { dialled: "5002", ..ALICE }, |setup| setup);
        world.run_until(s(60));
        assert!([first, second].into_iter().all(|number| world.callers[number].caller.call().is_up()), "seed {seed}");
        assert!(used(&world, Which::Hq) > 0);
        world.finish();
    }
}

/// Any worker may take any datagram: copies of one INVITE, in whichever order, make one call and one way out.
#[test]
fn two_workers_race_and_one_call_comes_of_it() {
    for seed in 0..40 {
        let mut world = World::directed(seed);
        world.weather.doubled = 100;
        world.weather.way_ms = 40;
        let caller = world.call(s(1), AWAY_ALARM, |setup| setup);
        world.run_until(s(10));
        assert!(world.callers[caller].caller.call().is_up(), "seed {seed}\n{}", world.told());
        assert_eq!(world.nodes.each_ref().map(|node| node.engine.calls()), [1, 1], "seed {seed}");
        let branches: std::collections::BTreeSet<&str> = sent_by(&world, Which::Hq.at(), Which::Br.at(), "INVITE")
            .filter_map(|(_, bytes)| read::branch(bytes))
            .collect();
        assert_eq!(branches.len(), 1, "seed {seed}: {branches:?}");
        world.plan(s(10), Act::ByCaller(caller, Deed::HangUp));
        world.finish();
    }
}

/// P-23: neither drain nor a full link nor gateways that fail stop an emergency call; the last resort takes it.
#[test]
fn an_emergency_call_gets_through_drain_full_link_and_failing_gateways() {
    let full = Variant { link_audio_kbps: 0, link_video_kbps: 0, ..Variant::default() };
    for seed in 0..SEEDS {
        for status in [404, 486, 503, 603] {
            let variants = [full.clone(), full.clone()];
            let mut world = World::new(seed, Weather::fine(), variants, Bounds::default(), 2);
            for place in [GW_BR_1, GW_BR_2] {
                world.plan(Moment(0), Act::Script(place, Script::rejecting(status)));
            }
            for which in Which::BOTH {
                world.plan(Moment(1), Act::Drain(which));
            }
            let caller = world.call(s(1), AWAY_ALARM, |setup| setup);
            let ordinary = world.call(s(1), HOME_AND_AWAY, |setup| setup);
            world.run_until(s(10));
            let outcomes = [caller, ordinary].map(|number| world.callers[number].caller.call().outcome());
            assert_eq!(outcomes, [Some(Outcome::Answered), Some(Outcome::Refused(503))], "seed {seed} {status}");
            world.finish();
        }
    }
}

/// Hints are never cancelled; those of rows that are gone must not wait for the longest bound of all.
#[test]
fn hints_of_calls_that_are_over_do_not_pile_up() {
    let mut world = World::directed(1);
    for number in 0..60 {
        let part = if number % 2 == 0 { HOME_AND_AWAY } else { Part { place: CC_HQ, dialled: "5002", ..ALICE } };
        world.call(s(1 + number), part, |mut setup| {
            setup.hang_up_after_ms = Some(2_000);
            setup
        });
    }
    world.run_until(s(60 + 180));
    world.turn_wheels();
    for node in &world.nodes {
        assert!(node.is_idle(), "{:?}", node.which);
        assert_eq!(node.hints(), 0, "{:?}: nobody is left to wait for", node.which);
    }
    world.finish();
}
