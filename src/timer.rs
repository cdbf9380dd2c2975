//! A wheel of hints: (deadline, key). The row's own deadline decides; a hint that is too early or whose row is gone
//! costs one look-up, so nothing is ever cancelled. No hint waits longer than a minute: the row of a far deadline is
//! asked on the way there and hints again, and what a row that is gone leaves behind is soon gone too.

use emcc_policies::moment::Moment;

/// Milliseconds one slot stands for.
pub const SLOT_MS: u64 = 10;
/// Slots of the wheel; a deadline further away than one turn is looked at once a turn.
const SLOTS: usize = 1_024;
/// Longest wait of a hint, in slots. A call's last bound is a day away and nearly every call is over long before: at
/// 100 calls/s, hints that waited for it would be nine million.
const AHEAD_SLOTS: u64 = 60_000 / SLOT_MS;

/// Hints by deadline, one wheel a worker.
pub struct Wheel<K> {
    slots: Box<[Vec<(Moment, K)>]>,
    /// First slot number (moment / `SLOT_MS`) not yet visited.
    next_slot: u64,
    len: usize,
}

impl<K: Copy> Wheel<K> {
    /// An empty wheel that starts to turn at `now`.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), next_slot: now.0 / SLOT_MS, len: 0 }
    }

    /// Hints that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no hint waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a hint. It comes out of [`Self::turn`] at the first turn at or after `deadline`, at most one slot late; one
    /// more than a minute away comes out after a minute, for its row to hint again.
    pub fn push(&mut self, deadline: Moment, key: K) {
        // Rounded up: a near hint must never come before its deadline, or its row would only hint again.
        let wanted = deadline.0.div_ceil(SLOT_MS).max(self.next_slot);
        let slot = wanted.min(self.next_slot.saturating_add(AHEAD_SLOTS));
        let deadline = if slot < wanted { Moment(slot * SLOT_MS) } else { deadline };
        self.slots[Self::place(slot)].push((deadline, key));
        self.len += 1;
    }

    /// Moves the wheel to `now` and hands out every hint that is due, oldest slot first.
    pub fn turn(&mut self, now: Moment, mut due: impl FnMut(K)) {
        let last = now.0 / SLOT_MS;
        // After a long pause one whole turn visits every slot; more would only repeat it.
        let first = self.next_slot.max(last.saturating_sub(SLOTS as u64 - 1));
        if self.len > 0 {
            for slot in first..=last {
                let hints = &mut self.slots[Self::place(slot)];
                let before = hints.len();
                hints.retain(|(deadline, key)| {
                    let waits = *deadline > now;
                    if !waits {
                        due(*key);
                    }
                    waits
                });
                self.len -= before - hints.len();
            }
        }
        self.next_slot = self.next_slot.max(last + 1);
    }

    fn place(slot: u64) -> usize {
        (slot % SLOTS as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(wheel: &mut Wheel<u32>, now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.turn(Moment(now), |key| due.push(key));
        due
    }

    #[test]
    fn a_hint_comes_out_once_and_never_early() {
        let mut wheel = Wheel::new(Moment(0));
        wheel.push(Moment(500), 1);
        wheel.push(Moment(505), 2);
        assert_eq!(turned(&mut wheel, 499), Vec::<u32>::new());
        assert_eq!(turned(&mut wheel, 500), vec![1]);
        assert_eq!(turned(&mut wheel, 509), Vec::<u32>::new());
        assert_eq!(turned(&mut wheel, 510), vec![2]);
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_deadline_beyond_one_turn_waits_its_turns() {
        let mut wheel = Wheel::new(Moment(0));
        let far = SLOT_MS * SLOTS as u64 * 3 + 40;
        wheel.push(Moment(far), 9);
        let mut now = 0;
        while now + 70 < far {
            now += 70;
            assert_eq!(turned(&mut wheel, now), Vec::<u32>::new(), "at {now}");
        }
        assert_eq!(turned(&mut wheel, far + SLOT_MS), vec![9]);
    }

    #[test]
    fn a_hint_for_tomorrow_is_asked_about_every_minute() {
        let mut wheel = Wheel::new(Moment(0));
        wheel.push(Moment(86_400_000), 1);
        assert_eq!(turned(&mut wheel, 59_990), Vec::<u32>::new());
        assert_eq!(turned(&mut wheel, 60_000), vec![1]);
        assert!(wheel.is_empty());
    }

    #[test]
    fn nothing_is_lost_over_a_pause_longer_than_the_wheel() {
        let mut wheel = Wheel::new(Moment(0));
        for key in 0..2_000 {
            wheel.push(Moment(u64::from(key) * 7), key);
        }
        let mut due = turned(&mut wheel, 1_000_000);
        due.sort_unstable();
        assert_eq!(due, (0..2_000).collect::<Vec<_>>());
    }

    proptest::proptest! {
        #[test]
        fn every_hint_comes_out_within_a_slot_of_its_deadline(
            deadlines in proptest::collection::vec(0u64..40_000, 0..200), step in 1u64..300,
        ) {
            let mut wheel = Wheel::new(Moment(0));
            for (key, deadline) in deadlines.iter().enumerate() {
                wheel.push(Moment(*deadline), key);
            }
            let (mut now, mut seen) = (0, vec![false; deadlines.len()]);
            while now < 41_000 {
                now += step;
                wheel.turn(Moment(now), |key| {
                    assert!(deadlines[key] <= now && !seen[key]);
                    seen[key] = true;
                });
                for (key, deadline) in deadlines.iter().enumerate() {
                    assert!(seen[key] || deadline + SLOT_MS > now, "{deadline} not seen at {now}");
                }
            }
            assert!(wheel.is_empty());
        }
    }
}
