//! A seed's play: how bad the network is, who calls whom and when, and what they do meanwhile.

use emcc_policies::moment::Moment;
use emcc_trunk::agent::{Behaviour, Offering, Script};
use emcc_trunk::engine::Bounds;
use emcc_trunk::engine::ids::Ids;

use crate::cast::{GW_BR_1, GW_BR_2, GW_HQ, PARTS, Part};
use crate::network::{Cut, Weather};
use crate::node::{CLOCKS_MS, Stall, Variant, Which};
use crate::world::{Act, Deed, World};

/// Calls begin within this time.
const PLAY_MS: u64 = 120_000;
const FINAL_STATUSES: &[u16] = &[302, 400, 403, 404, 408, 480, 486, 488, 500, 503, 580, 600, 603];

struct Author {
    dice: Ids,
}

impl Author {
    fn roll(&mut self, end: u64) -> u64 {
        self.dice.next_u64() % end.max(1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len() as u64) as usize]
    }

    /// A third of all seeds has a perfect network, a third a bad one, a third a terrible one with cuts.
    fn weather(&mut self, seed: u64) -> Weather {
        match seed % 3 {
            0 => Weather::fine(),
            1 => Weather { lost: self.roll(11), doubled: self.roll(11), way_ms: 1 + self.roll(300), cuts: Vec::new() },
            _ => Weather {
                lost: self.roll(40),
                doubled: self.roll(30),
                way_ms: 1 + self.roll(1_500),
                cuts: (0..self.roll(4)).map(|_| self.cut()).collect(),
            },
        }
    }

    fn cut(&mut self) -> Cut {
        let hosts = [[127, 0, 2, 1], [127, 0, 1, 20], [127, 0, 1, 10]];
        let far = [[127, 0, 2, 20], [127, 0, 2, 21], [127, 0, 2, 10]];
        let between = if self.one_in(3) { ([127, 0, 2, 1], self.of(&far)) } else { ([127, 0, 1, 1], self.of(&hosts)) };
        let from = Moment(self.roll(PLAY_MS));
        let to = from.plus_ms(1_000 + self.roll(90_000));
        Cut { between: [between.0.into(), between.1.into()], from, to, is_told: self.one_in(3) }
    }

    /// Some seconds, or longer than the wheel takes for a turn, or longer than any transaction lives.
    fn stall(&mut self) -> Stall {
        let from = Moment(self.roll(PLAY_MS));
        let most_ms = self.of(&[3_000, 15_000, 70_000]);
        Stall { from, to: from.plus_ms(1 + self.roll(most_ms)) }
    }

    fn variant(&mut self, is_tight: bool) -> Variant {
        let usual = Variant::default();
        Variant {
            link_audio_kbps: if is_tight { self.of(&[0, 24, 40, 64, 100]) } else { usual.link_audio_kbps },
            link_video_kbps: if is_tight { self.of(&[0, 384]) } else { usual.link_video_kbps },
            keepalive_s: self.of(&[1, 5, 15, 15, 30]),
            no_response_s: self.of(&[1, 4, 4, 8]),
            retry_s: self.of(&[0, 30, 60, 60]),
            policy: self.of(&["none", "optional-video-desired", "mandatory", "mandatory-video-desired"]),
        }
    }

    /// What somebody does with calls; `must_answer` where it is the one who saves lives.
    fn script(&mut self, must_answer: bool) -> Script {
        let after_ms = self.of(&[0, 50, 1_000, 5_000, 20_000]);
        let mut script = match (must_answer, self.roll(8)) {
            (false, 0) => Script::new(Behaviour::Silent),
            (false, 1) => Script::new(Behaviour::Ring),
            (false, 2..=3) => Script::new(Behaviour::Reject { after_ms, status: self.of(FINAL_STATUSES) }),
            _ => Script::answering(after_ms),
        };
        // Who says nothing at all in its time is given up (P-8), and saves nobody.
        script.sends_trying = must_answer || !self.one_in(4);
        script.ring_after_ms = if self.one_in(4) { None } else { Some(self.roll(3_000)) };
        script.has_early_media = self.one_in(4);
        script.uses_100rel = self.one_in(4);
        script.hang_up_after_ms = self.one_in(3).then(|| self.roll(40_000));
        script
    }

    fn deed(&mut self) -> Deed {
        match self.roll(6) {
            0 => Deed::HangUp,
            1 => Deed::Cancel,
            2 | 3 => Deed::Reinvite { has_offer: !self.one_in(3) },
            4 => Deed::Update { has_offer: self.one_in(2) },
            _ => Deed::Info,
        }
    }
}

/// What one seed came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Played {
    /// Hash of everything anybody sent, and when.
    pub(crate) digest: u64,
    /// Whether a table ever was full.
    pub(crate) was_full: bool,
    /// Emergency calls that had to be answered, and were.
    pub(crate) rescued: u64,
}

/// Plays one seed. `is_shown`: its end on standard error.
pub(crate) fn play(seed: u64, is_shown: bool) -> Played {
    let mut author = Author { dice: Ids::new(seed, 7) };
    let weather = author.weather(seed);
    let is_tight = author.one_in(3);
    let mut variant = author.variant(is_tight);
    if weather.is_passable() {
        // Long enough for an INVITE to be sent four times.
        variant.no_response_s = variant.no_response_s.max(4);
    }
    let bounds = if author.one_in(5) {
        Bounds { transactions: 4 + author.roll(30) as usize, calls: 1 + author.roll(8) as usize }
    } else {
        Bounds { transactions: 10_000, calls: 1_000 }
    };
    let hands = 1 + author.roll(2);
    let mut world = World::new(seed, weather, [variant.clone(), variant.clone()], bounds, hands);
    for node in &mut world.nodes {
        node.set_clock(author.of(CLOCKS_MS));
        node.stall = author.one_in(8).then(|| author.stall());
    }
    let rescuers = cast_scripts(&mut world, &mut author);
    let calls = 2 + author.roll(18);
    for _ in 0..calls {
        place(&mut world, &mut author, &rescuers);
    }
    if author.one_in(3) {
        let (which, at) = (author.of(&Which::BOTH), Moment(author.roll(PLAY_MS)));
        variant.no_response_s += 1;
        let capacity = author.of(&[40, 2_000]);
        variant.link_audio_kbps = variant.link_audio_kbps.max(capacity);
        world.plan(at, Act::Reload(which, variant));
    }
    if author.one_in(6) {
        let (which, at) = (author.of(&Which::BOTH), Moment(author.roll(PLAY_MS)));
        world.plan(at, Act::Drain(which));
    }
    if author.one_in(4) {
        world.is_honest = false;
        for _ in 0..author.roll(200) {
            let (which, at) = (author.of(&Which::BOTH), Moment(author.roll(PLAY_MS)));
            world.plan(at, Act::Noise(which));
        }
    }
    world.run_until(Moment(PLAY_MS + 250_000));
    let rescued = check_emergencies(&world);
    world.finish();
    if is_shown {
        eprintln!("{} steps\n{}", world.steps(), world.told());
    }
    Played { digest: world.digest(), was_full: world.laws.was_full, rescued }
}

/// Everybody's first script; those who answer in this seed whatever comes.
fn cast_scripts(world: &mut World, author: &mut Author) -> Vec<usize> {
    let rescuers: Vec<usize> = [GW_HQ, GW_BR_1, GW_BR_2].into_iter().filter(|_| author.one_in(2)).collect();
    for place in 0..world.places.len() {
        let must_answer = rescuers.contains(&place);
        world.plan(Moment(0), Act::Script(place, author.script(must_answer)));
        for _ in 0..author.roll(3) {
            let at = Moment(author.roll(PLAY_MS));
            world.plan(at, Act::Script(place, author.script(must_answer)));
        }
    }
    rescuers
}

/// One call and what happens during it.
fn place(world: &mut World, author: &mut Author, rescuers: &[usize]) {
    let mut part: Part = author.of(PARTS);
    let at = Moment(author.roll(PLAY_MS));
    let cancel_after_ms = author.one_in(6).then(|| author.roll(12_000));
    let hang_up_after_ms = author.one_in(2).then(|| author.roll(60_000));
    let offering = if author.one_in(5) { Offering::Delayed } else { Offering::Codecs };
    let supports_100rel = author.one_in(3);
    if !part.rescuers.iter().any(|place| rescuers.contains(place)) {
        // Nobody promises to answer: nothing is promised of the call.
        part.is_hopeless = true;
    }
    let number = world.call(at, part, |mut setup| {
        setup.cancel_after_ms = cancel_after_ms;
        setup.hang_up_after_ms = hang_up_after_ms;
        setup.offering = offering;
        setup.supports_100rel = supports_100rel;
        setup
    });
    for _ in 0..author.roll(4) {
        let (when, deed) = (at.plus_ms(author.roll(45_000)), author.deed());
        // Who gives up or refuses an emergency call by hand breaks no promise of the node's.
        let deed = if part.is_emergency() && matches!(deed, Deed::Cancel | Deed::HangUp) { Deed::Info } else { deed };
        let act = if author.one_in(2) { Act::ByCaller(number, deed) } else { Act::ByCallee(number, deed) };
        world.plan(when, act);
    }
}

/// With somebody who answers and a network that lets through, an emergency call is answered unless its caller gave up.
/// How many were to be.
fn check_emergencies(world: &World) -> u64 {
    let mut promised = 0;
    if !world.is_honest || !world.is_passable() || world.laws.was_full {
        return promised;
    }
    for (number, placed) in world.callers.iter().enumerate() {
        if placed.part.is_promised() && !placed.has_cancelled {
            let outcome = placed.caller.call().outcome();
            let is_kept = outcome.is_some_and(|outcome| world.is_kept(number, outcome));
            assert!(is_kept, "emergency caller {number}: {outcome:?}, {:?}", placed.part);
            promised += 1;
        }
    }
    promised
}
