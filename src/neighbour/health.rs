//! Whether an address of a neighbour serves: up, probing or down, and the rest a 503 asked for.
//!
//! An address is up until something goes unanswered there. Then it is probed with OPTIONS, again and again: so many
//! probes lost in a row and it is down, one good answer and it is up. A 503 says when to come back (RFC 3261 section
//! 20.33); until then the address is left alone.

use std::num::NonZero;
use std::time::Duration;

use emcc_policies::moment::Moment;

use crate::limits::RETRY_AFTER_S_MAX;

/// Where an address stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It serves, as far as anybody knows.
    #[default]
    Up,
    /// Something went unanswered; probes decide.
    Probing {
        /// Probes lost in a row.
        lost: u8,
    },
    /// As many probes were lost as may be.
    Down,
}

/// What was heard of an address, or was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A final response but 503, to whatever was sent there.
    Answered,
    /// A probe without an answer in its time, one that could not be sent, or one answered 503.
    ProbeLost,
    /// A call's request in the same case.
    TrafficLost,
}

/// The times of probing, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeTimes {
    /// From one probe of an address to the next, milliseconds; 0: none is sent.
    pub interval_ms: u64,
    /// A probe not answered for so long is lost, milliseconds.
    pub timeout_ms: u64,
    /// Probes lost in a row that make an address down; at least 1.
    pub lost_max: u8,
}

/// The next standing after `event`.
#[must_use]
pub fn step(standing: Standing, event: Event, lost_max: u8) -> Standing {
    use {Event::*, Standing::*};
    let lost_once_more = |lost: u8| {
        let lost = lost.saturating_add(1);
        if lost >= lost_max { Down } else { Probing { lost } }
    };
    match (standing, event) {
        (_, Answered) => Up,
        (Up, TrafficLost) => Probing { lost: 0 },
        (Up, ProbeLost) => lost_once_more(0),
        (Probing { lost }, ProbeLost) => lost_once_more(lost),
        // Calls that fail while probes are out say nothing new: one gateway fails a hundred calls in a second.
        (same, _) => same,
    }
}

/// One address: its standing, its rest, and its next probe.
#[derive(Clone, Copy, Debug, Default)]
pub struct Health {
    standing: Standing,
    /// Until when a 503 asked to be left alone.
    rests_until: Option<Moment>,
    /// When it went down last.
    down_at: Option<Moment>,
    /// When it is probed next; none before the first look.
    probe_at: Option<Moment>,
    /// When the probe that is out is lost at the latest; none: none is out.
    asked_until: Option<Moment>,
}

impl Health {
    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Since when it is down; `None` while it is not.
    #[must_use]
    pub fn down_since(&self) -> Option<Moment> {
        self.down_at.filter(|_| self.standing == Standing::Down)
    }

    /// When it went down last, whether it is up again or not.
    #[must_use]
    pub fn went_down(&self) -> Option<Moment> {
        self.down_at
    }

    /// What is left of the rest a 503 asked for.
    #[must_use]
    pub fn rest(&self, now: Moment) -> Option<Duration> {
        let left_ms = self.rests_until?.since_ms(now);
        (left_ms > 0).then(|| Duration::from_millis(left_ms))
    }

    /// Whether calls go elsewhere first: it is down, or asked to be left alone.
    #[must_use]
    pub fn is_out(&self, now: Moment) -> bool {
        self.standing == Standing::Down || self.rest(now).is_some()
    }

    /// Whether it is known not to answer. Asked to be left alone is not that: such a one takes emergency calls.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.standing == Standing::Down
    }

    /// Whether nothing is known against it.
    #[must_use]
    pub fn is_well(&self, now: Moment) -> bool {
        self.standing == Standing::Up && self.rest(now).is_none()
    }

    /// Takes in what was heard. Gives back the standing it left and the one it came to, where they differ in kind.
    ///
    /// Without probes nothing could bring an address back, so then none is ever taken out.
    pub fn heard(&mut self, event: Event, now: Moment, times: &ProbeTimes) -> Option<(Standing, Standing)> {
        let before = self.standing;
        if event != Event::TrafficLost {
            self.asked_until = None;
        }
        if times.interval_ms == 0 {
            self.standing = Standing::Up;
            return (before != Standing::Up).then_some((before, Standing::Up));
        }
        self.standing = step(before, event, times.lost_max);
        if matches!(self.standing, Standing::Probing { .. }) && (self.standing != before || event == Event::ProbeLost) {
            self.probe_at = Some(now);
        }
        let is_other_kind = std::mem::discriminant(&self.standing) != std::mem::discriminant(&before);
        if is_other_kind && self.standing == Standing::Down {
            self.down_at = Some(now);
        }
        is_other_kind.then_some((before, self.standing))
    }

    /// A 503 asked to be left alone for so long; longer than [`RETRY_AFTER_S_MAX`] counts as that.
    pub fn asked_for_rest(&mut self, seconds: u32, now: Moment) {
        let until = now.plus_ms(u64::from(seconds.min(RETRY_AFTER_S_MAX)) * 1_000);
        self.rests_until = Some(self.rests_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// Whether a probe is to be sent now, which then counts as sent. `chance` spreads the probes of many addresses: the
    /// first one over the interval, later ones over its last tenth.
    pub fn is_due(&mut self, now: Moment, times: &ProbeTimes, chance: u64) -> bool {
        let Some(interval_ms) = NonZero::new(times.interval_ms) else { return false };
        if self.rest(now).is_some() || self.asked_until.is_some_and(|until| until > now) {
            return false;
        }
        let Some(at) = self.probe_at else {
            self.probe_at = Some(now.plus_ms(chance % interval_ms));
            return false;
        };
        // After a reload with a shorter interval.
        if at > now.plus_ms(times.interval_ms) {
            self.probe_at = Some(now.plus_ms(chance % interval_ms));
            return false;
        }
        if at > now {
            return false;
        }
        let tenth_ms = NonZero::<u64>::MIN.saturating_add(times.interval_ms / 10);
        self.probe_at = Some(now.plus_ms(times.interval_ms.saturating_sub(chance % tenth_ms)));
        // Its transaction reports in time; this is for one that was lost on the way.
        self.asked_until = Some(now.plus_ms(times.timeout_ms.saturating_mul(2)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: ProbeTimes = ProbeTimes { interval_ms: 30_000, timeout_ms: 4_000, lost_max: 3 };

    fn at(ms: u64) -> Moment {
        Moment(ms)
    }

    #[test]
    fn the_table_of_standings_and_events() {
        use Event::*;
        use Standing::*;
        for (from, event, to) in [
            (Up, Answered, Up),
            (Up, TrafficLost, Probing { lost: 0 }),
            (Up, ProbeLost, Probing { lost: 1 }),
            (Probing { lost: 0 }, TrafficLost, Probing { lost: 0 }),
            (Probing { lost: 0 }, ProbeLost, Probing { lost: 1 }),
            (Probing { lost: 1 }, ProbeLost, Probing { lost: 2 }),
            (Probing { lost: 2 }, ProbeLost, Down),
            (Probing { lost: 2 }, TrafficLost, Probing { lost: 2 }),
            (Probing { lost: 2 }, Answered, Up),
            (Down, ProbeLost, Down),
            (Down, TrafficLost, Down),
            (Down, Answered, Up),
        ] {
            assert_eq!(step(from, event, 3), to, "{from:?} {event:?}");
        }
        assert_eq!(step(Up, ProbeLost, 1), Down, "one lost probe may be enough");
        assert_eq!(step(Up, TrafficLost, 1), Probing { lost: 0 }, "a call alone is never enough");
    }

    #[test]
    fn an_address_is_down_since_the_last_probe_that_made_it_so() {
        let mut health = Health::default();
        for ms in [1_000, 5_000] {
            health.heard(Event::ProbeLost, at(ms), &TIMES);
            assert_eq!(health.down_since(), None);
        }
        for ms in [9_000, 39_000] {
            health.heard(Event::ProbeLost, at(ms), &TIMES);
            assert_eq!(health.down_since(), Some(at(9_000)));
        }
        health.heard(Event::Answered, at(40_000), &TIMES);
        assert_eq!((health.down_since(), health.went_down()), (None, Some(at(9_000))), "up again");
    }

    #[test]
    fn an_address_nobody_knows_anything_of_is_up() {
        let health = Health::default();
        assert!(health.is_well(at(0)) && !health.is_out(at(0)));
    }

    #[test]
    fn the_first_probe_comes_within_the_interval_and_the_next_after_most_of_one() {
        for chance in [0, 1, 12_345, u64::MAX] {
            let mut health = Health::default();
            assert!(!health.is_due(at(0), &TIMES, chance));
            let first = (0..30_001).find(|ms| health.is_due(at(*ms), &TIMES, chance)).unwrap();
            assert_eq!(first, chance % 30_000);
            health.heard(Event::Answered, at(first), &TIMES);
            let second = (first + 1..first + 30_001).find(|ms| health.is_due(at(*ms), &TIMES, chance)).unwrap();
            assert!((27_000..=30_000).contains(&(second - first)), "{}", second - first);
        }
    }

    #[test]
    fn a_lost_call_is_followed_by_probes_at_once_until_they_decide() {
        let mut health = Health::default();
        let probing = |lost| Standing::Probing { lost };
        assert_eq!(health.heard(Event::TrafficLost, at(100), &TIMES), Some((Standing::Up, probing(0))));
        for lost in 1..=3u8 {
            let now = at(u64::from(lost) * 4_000);
            assert!(health.is_due(now, &TIMES, 0), "{lost}");
            assert!(!health.is_due(now, &TIMES, 0), "one is out");
            assert!(!health.is_out(now), "probing is not down");
            let changed = health.heard(Event::ProbeLost, now, &TIMES);
            assert_eq!(changed, (lost == 3).then_some((probing(2), Standing::Down)), "{lost}");
        }
        assert!(health.is_out(at(12_000)));
        assert!(!health.is_due(at(12_001), &TIMES, 0), "down is probed once an interval");
        assert!(health.is_due(at(42_000), &TIMES, 0));
        assert_eq!(health.heard(Event::Answered, at(42_010), &TIMES), Some((Standing::Down, Standing::Up)));
        assert!(health.is_well(at(42_010)));
    }

    #[test]
    fn a_probe_nobody_reports_on_does_not_stop_the_probing() {
        let mut health = Health::default();
        health.heard(Event::TrafficLost, at(0), &TIMES);
        assert!(health.is_due(at(0), &TIMES, 0));
        assert!(!health.is_due(at(7_999), &TIMES, 0));
        assert!(health.is_due(at(30_000), &TIMES, 0));
    }

    #[test]
    fn rfc_3261_20_33_a_retry_after_is_kept_and_capped() {
        let mut health = Health::default();
        health.asked_for_rest(10, at(0));
        assert!(health.is_out(at(9_999)) && !health.is_well(at(9_999)));
        assert!(!health.is_out(at(10_000)) && health.is_well(at(10_000)));
        health.asked_for_rest(5, at(11_000));
        health.asked_for_rest(1, at(11_001));
        assert_eq!(health.rest(at(11_001)), Some(Duration::from_millis(4_999)), "a shorter wish shortens nothing");
        health.asked_for_rest(u32::MAX, at(20_000));
        assert_eq!(health.rest(at(20_000)), Some(Duration::from_secs(u64::from(RETRY_AFTER_S_MAX))));
        let mut health = Health::default();
        health.asked_for_rest(0, at(0));
        assert!(health.is_well(at(0)));
    }

    #[test]
    fn rfc_3261_20_33_who_rests_is_not_probed() {
        let mut health = Health::default();
        health.heard(Event::ProbeLost, at(0), &TIMES);
        health.asked_for_rest(20, at(0));
        assert!(!health.is_due(at(19_999), &TIMES, 0));
        assert!(health.is_due(at(20_000), &TIMES, 0));
    }

    #[test]
    fn without_probes_nothing_is_ever_down_but_a_rest_is_kept() {
        let off = ProbeTimes { interval_ms: 0, ..TIMES };
        let mut health = Health::default();
        assert_eq!(health.heard(Event::TrafficLost, at(0), &off), None);
        assert!(health.is_well(at(0)) && !health.is_due(at(100_000), &off, 0));
        health.asked_for_rest(2, at(0));
        assert!(health.is_out(at(1_999)));
        // Switched off by a reload while an address is down: it counts as up again.
        let mut health = Health::default();
        for _ in 0..3 {
            health.heard(Event::ProbeLost, at(0), &TIMES);
        }
        assert!(health.is_out(at(0)));
        assert_eq!(health.heard(Event::TrafficLost, at(1), &off), Some((Standing::Down, Standing::Up)));
    }

    #[test]
    fn a_shorter_interval_after_a_reload_counts_at_once() {
        let mut health = Health::default();
        assert!(!health.is_due(at(0), &TIMES, 29_999));
        let short = ProbeTimes { interval_ms: 1_000, ..TIMES };
        assert!(!health.is_due(at(1), &short, 500));
        assert!(health.is_due(at(501), &short, 500));
    }
}
