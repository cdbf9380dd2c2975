//! When this node has more to do than it can: how much of the new work is let in, decided by how long datagrams wait in
//! the kernel before a worker takes them (RFC 6357 section 5.1 calls it queue delay). Processor load would say the same
//! later and less clearly: a node that shares its processor is late at half of it.
//!
//! An interval's measure is the least delay seen in it, as CoDel takes it: a burst empties again and shows a short one, a
//! standing queue never does. Steps are relative to what is let in, so that twice and ten times the load are met alike.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use emcc_policies::moment::Moment;

/// Queue delay aimed at, microseconds.
pub const TARGET_US: u32 = 20_000;
/// Length of one interval, milliseconds.
pub const INTERVAL_MS: u64 = 50;
/// Queue delay at which neighbours that were told to send less are not believed to obey, microseconds.
const DISOBEYED_US: u32 = 4 * TARGET_US;
/// What [`Controller::admitted`] counts in: everything.
pub const ALL: u32 = 1 << 16;
/// Never less than this is let in, or nothing would tell that the load is gone.
const ADMITTED_MIN: f64 = 1.0 / 64.0;
/// More of the share in every calm interval: from the least to all of it in 1.2 seconds.
const GROWTH: f64 = 0.2;
/// A delay of twice the target takes this much of the share in one interval.
const CUT: f64 = 0.25;
/// No interval takes more than half of it.
const CUT_MOST: f64 = 0.5;
/// A queue that would be at the target after so many more intervals needs no further cut.
const FALLING_INTERVALS: u32 = 8;
/// Calm intervals with everything let in, before the node counts as normal again.
const CALM_INTERVALS: u8 = 4;
/// Listeners measured apart; more share a place.
const PLACES: usize = 8;
/// No datagram came in the interval.
const UNSEEN: u32 = u32::MAX;

/// How much a node has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It keeps up.
    #[default]
    Normal,
    /// It is late: what can wait is sent away.
    Late,
    /// It is late for longer: new ordinary calls are sent away, too, as many as it takes.
    Shedding,
}

/// The decision itself, one interval after the other.
#[derive(Clone, Copy, Debug)]
pub struct Controller {
    /// Share of new ordinary calls that is let in, above 0 to 1.
    share: f64,
    stage: Stage,
    /// The last interval's queue delay, microseconds.
    delay_us: u32,
    calm: u8,
}

impl Default for Controller {
    fn default() -> Self {
        Self { share: 1.0, stage: Stage::Normal, delay_us: 0, calm: 0 }
    }
}

impl Controller {
    /// One interval passed, in which `delay_us` was the least time a datagram waited; 0 when none came.
    pub fn interval(&mut self, delay_us: u32) {
        let before = std::mem::replace(&mut self.delay_us, delay_us);
        if delay_us > TARGET_US {
            self.calm = 0;
            let excess = delay_us - TARGET_US;
            let is_falling = before.saturating_sub(delay_us) > excess / FALLING_INTERVALS;
            if self.stage == Stage::Normal {
                self.stage = Stage::Late;
            } else if !is_falling {
                self.stage = Stage::Shedding;
                let cut = CUT * f64::from(excess) / f64::from(TARGET_US);
                self.share = (self.share * (1.0 - cut.min(CUT_MOST))).max(ADMITTED_MIN);
            }
        } else {
            // The nearer to the target, the slower: the delay settles below it, with the processor never idle. A node that
            // shares its processor waits for its own turn longer than half the target, whatever it lets in.
            let room = f64::from(TARGET_US - delay_us) / f64::from(TARGET_US / 2);
            self.share = (self.share * (1.0 + GROWTH * room.min(1.0))).min(1.0);
            if self.share >= 1.0 && self.stage != Stage::Normal {
                self.calm += 1;
                if self.calm == CALM_INTERVALS {
                    (self.stage, self.calm) = (Stage::Normal, 0);
                }
            }
        }
    }

    /// Share of new ordinary calls that is let in, in parts of [`ALL`].
    #[must_use]
    pub fn admitted(&self) -> u32 {
        (self.share * f64::from(ALL)) as u32
    }

    /// Where it stands.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The last interval's queue delay, microseconds.
    #[must_use]
    pub fn delay_us(&self) -> u32 {
        self.delay_us
    }
}

/// One [`Controller`] for all workers: each batch leaves its delay here, the first one of an interval closes the last.
#[derive(Debug)]
pub struct Overload {
    /// When the interval began, milliseconds.
    began_ms: AtomicU64,
    /// Least delay of the interval by listener, microseconds.
    least_us: [AtomicU32; PLACES],
    controller: Mutex<Controller>,
    /// What the controller said last: parts of [`ALL`], and the stage above them.
    word: AtomicU32,
    delay_us: AtomicU32,
}

/// The stage's place in [`Overload::word`]; the share needs 17 bits.
const STAGE_SHIFT: u32 = 24;

impl Default for Overload {
    fn default() -> Self {
        Self {
            began_ms: AtomicU64::new(0),
            least_us: [const { AtomicU32::new(UNSEEN) }; PLACES],
            controller: Mutex::default(),
            word: AtomicU32::new(ALL),
            delay_us: AtomicU32::new(0),
        }
    }
}

impl Overload {
    /// The oldest datagram of a batch waited so long at that listener. Gives back the delay of an interval that this
    /// closed, microseconds.
    pub fn waited(&self, now: Moment, listener: u16, delay_us: u32) -> Option<u32> {
        let closed = self.close(now, delay_us);
        if let Some(least) = self.least_us.get(usize::from(listener) % PLACES) {
            least.fetch_min(delay_us, Relaxed);
        }
        closed
    }

    /// Brings the controller up to `now`, for who asks while nothing comes.
    pub fn settle(&self, now: Moment) {
        self.close(now, 0);
    }

    fn close(&self, now: Moment, delay_us: u32) -> Option<u32> {
        let began = self.began_ms.load(Relaxed);
        let passed = now.0.saturating_sub(began) / INTERVAL_MS;
        // One worker closes an interval; another one's batch at that very moment counts for the next.
        if passed == 0 || self.began_ms.compare_exchange(began, now.0, Relaxed, Relaxed).is_err() {
            return None;
        }
        // The listener that is worst off decides; one nothing came to says nothing.
        let seen = self.least_us.iter().map(|least| least.swap(UNSEEN, Relaxed)).filter(|least| *least != UNSEEN);
        let measured = seen.max();
        let mut controller = self.controller.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(measured) = measured {
            controller.interval(measured);
        }
        // Intervals in which nothing came were idle, unless the workers were kept from their processor: then what comes
        // first waited as long.
        if delay_us <= TARGET_US {
            let idle = (passed - u64::from(measured.is_some())).min(u64::from(ALL));
            (0..idle).take_while(|_| controller_moves(&mut controller)).count();
        }
        self.word.store(controller.admitted() | (controller.stage as u32) << STAGE_SHIFT, Relaxed);
        self.delay_us.store(controller.delay_us(), Relaxed);
        measured
    }

    /// Where the node stands.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self.word.load(Relaxed) >> STAGE_SHIFT {
            0 => Stage::Normal,
            1 => Stage::Late,
            _ => Stage::Shedding,
        }
    }

    /// Whether anything at all is sent away: the one look on the way of every message.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        self.word.load(Relaxed) == ALL
    }

    /// Whether a new ordinary call is let in. `hash` is the same for every copy and every pass of the call, so that they
    /// meet the same answer. `is_obedient`: its sender was told to send less and is believed to.
    #[must_use]
    pub fn admits(&self, hash: u64, is_obedient: bool) -> bool {
        let word = self.word.load(Relaxed);
        let is_told = is_obedient && self.delay_us.load(Relaxed) <= DISOBEYED_US;
        is_told || (hash as u32 & (ALL - 1)) < (word & ((1 << STAGE_SHIFT) - 1))
    }

    /// Share of new ordinary calls that is not let in, in per cent: what neighbours are told (RFC 7339 section 4.1).
    #[must_use]
    pub fn loss_percent(&self) -> u8 {
        let admitted = self.word.load(Relaxed) & ((1 << STAGE_SHIFT) - 1);
        ((ALL - admitted.min(ALL)) * 100).div_ceil(ALL) as u8
    }

    /// The last interval's queue delay, microseconds.
    #[must_use]
    pub fn delay_us(&self) -> u32 {
        self.delay_us.load(Relaxed)
    }
}

/// One idle interval; whether another one could change anything.
fn controller_moves(controller: &mut Controller) -> bool {
    controller.interval(0);
    controller.stage != Stage::Normal
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that handles `capacity` calls in an interval, offered `offered`; what it cannot take waits.
    struct Server {
        capacity: f64,
        waiting: f64,
    }

    impl Server {
        /// What is done in one interval at that share, and the delay at its end, microseconds.
        fn interval(&mut self, offered: f64, share: f64) -> (f64, u32) {
            let work = self.waiting + offered * share;
            let done = work.min(self.capacity);
            self.waiting = work - done;
            (done, (self.waiting / self.capacity * INTERVAL_MS as f64 * 1_000.0) as u32)
        }
    }

    /// Control after so many intervals of that delay, microseconds.
    fn late(intervals: u64, delay_us: u32) -> Overload {
        let overload = Overload::default();
        for turn in 1..=intervals {
            overload.waited(Moment(turn * INTERVAL_MS), 0, delay_us);
        }
        overload
    }

    fn share(controller: &Controller) -> f64 {
        f64::from(controller.admitted()) / f64::from(ALL)
    }

    #[test]
    fn nothing_is_shed_while_the_delay_stays_below_the_target() {
        let mut controller = Controller::default();
        for round in 0..10_000_u32 {
            controller.interval(round.wrapping_mul(2_654_435_761) % (TARGET_US + 1));
            assert_eq!((controller.stage(), controller.admitted()), (Stage::Normal, ALL), "interval {round}");
        }
    }

    #[test]
    fn one_late_interval_sends_away_what_can_wait_and_no_call() {
        let mut controller = Controller::default();
        controller.interval(500_000);
        assert_eq!((controller.stage(), controller.admitted()), (Stage::Late, ALL));
        controller.interval(500_000);
        assert_eq!((controller.stage(), controller.admitted()), (Stage::Shedding, ALL / 2));
        (0..100).for_each(|_| controller.interval(500_000));
        assert_eq!(controller.admitted(), (f64::from(ALL) * ADMITTED_MIN) as u32, "never nothing");
    }

    #[test]
    fn whatever_the_load_the_work_done_is_near_the_capacity_and_the_delay_near_the_target() {
        for times in [1.1, 1.5, 2.0, 3.0, 5.0, 10.0] {
            let (mut controller, mut server) = (Controller::default(), Server { capacity: 100.0, waiting: 0.0 });
            let (mut done, mut worst) = (0.0, 0);
            for round in 0..400 {
                let (finished, delay) = server.interval(100.0 * times, share(&controller));
                controller.interval(delay);
                if round >= 100 {
                    done += finished;
                    worst = worst.max(delay);
                }
            }
            assert!(done / 300.0 >= 96.0, "{times} times the capacity: {} of 100 done", done / 300.0);
            assert!(worst <= 2 * TARGET_US, "{times} times the capacity: {worst} us");
        }
    }

    #[test]
    fn within_two_seconds_of_the_load_being_gone_everything_is_normal_whatever_went_before() {
        for late in 1..60_u32 {
            let mut controller = Controller::default();
            (0..late).for_each(|round| controller.interval(30_000 + 7_919 * round));
            let calm = (0..).take_while(|_| controller.stage() != Stage::Normal && controller_moves(&mut controller));
            let took_ms = (calm.count() as u64 + 1) * INTERVAL_MS;
            assert!(took_ms <= 2_000, "{took_ms} ms after {late} late intervals");
            assert_eq!(controller.admitted(), ALL);
        }
    }

    #[test]
    fn a_queue_that_drains_already_takes_no_further_cut() {
        let mut controller = Controller::default();
        for delay in [400_000, 400_000, 400_000] {
            controller.interval(delay);
        }
        let before = controller.admitted();
        for delay in [350_000, 300_000, 250_000, 200_000, 150_000, 100_000, 60_000, 30_000] {
            controller.interval(delay);
        }
        assert_eq!(controller.admitted(), before);
    }

    #[test]
    fn the_least_delay_of_the_listener_that_is_worst_off_decides() {
        let overload = Overload::default();
        let mut now = 0;
        for _ in 0..4 {
            // Bursts wait long and are gone; only listener 1 has a queue that stays.
            for (listener, delay) in [(0, 90_000), (0, 100), (1, 50_000), (1, 45_000), (9, 46_000)] {
                overload.waited(Moment(now), listener, delay);
                now += 10;
            }
        }
        assert_eq!((overload.stage(), overload.delay_us()), (Stage::Shedding, 45_000));
        let burst = Overload::default();
        for turn in 0..100 {
            burst.waited(Moment(turn * 25), 0, if turn % 2 == 0 { 90_000 } else { 100 });
        }
        assert!(burst.is_normal());
    }

    #[test]
    fn a_silent_while_is_calm_and_one_without_a_processor_is_not() {
        let late = || late(40, 300_000);
        assert_eq!(late().loss_percent(), 99);
        let silent = late();
        silent.waited(Moment(2_000 + 2_000), 0, 50);
        assert!(silent.is_normal() && silent.loss_percent() == 0);
        let starved = late();
        starved.waited(Moment(2_000 + 2_000), 0, 1_900_000);
        assert_eq!(starved.stage(), Stage::Shedding);
        let asked = late();
        asked.settle(Moment(4_000));
        assert!(asked.is_normal());
    }

    #[test]
    fn every_copy_of_a_call_meets_the_same_answer_and_the_share_is_kept() {
        let overload = late(3, 300_000);
        assert_eq!(overload.loss_percent(), 50);
        let hash = |call: u64| call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let admitted = (0..10_000).filter(|call| overload.admits(hash(*call), false)).count();
        assert!((4_800..5_200).contains(&admitted), "{admitted} of 10,000 at half");
        // Told to send less, and not late enough to doubt it: nothing is shed twice.
        let told = late(8, 40_000);
        assert!(told.loss_percent() > 0 && (0..1_000).all(|call| told.admits(hash(call), true)));
        assert!((0..1_000).any(|call| !overload.admits(hash(call), true)), "300 ms late: not believed");
    }
}
