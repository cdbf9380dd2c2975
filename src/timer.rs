//! A wheel of hints: (deadline, key). The row's own deadline decides; a hint that is too early or whose row is gone
//! costs one look-up, so nothing is ever cancelled. No hint waits longer than a minute: the row of a far deadline is
//! asked on the way there and hints again, and what a row that is gone leaves behind is soon gone too.

use std::mem;

use emcc_policies::moment::Moment;

/// Milliseconds one slot stands for.
pub const SLOT_MS: u64 = 10;
/// Slots of the wheel: more than the longest wait, so that whatever stands in a slot is due when the slot is.
const SLOTS: usize = 8_192;
/// Longest wait of a hint, in slots. A call's last bound is a day away and nearly every call is over long before: at
/// 100 calls/s, hints that waited for it would be nine million.
const AHEAD_SLOTS: u64 = 60_000 / SLOT_MS;
/// A hint that waits longer than this many slots may come late by a [`COARSE_SLOTS`]: it ends a row nobody asks for any
/// more, and one wake-up then serves many.
const FAR_SLOTS: u64 = 5_000 / SLOT_MS;
/// Slots from one that takes far hints to the next.
const COARSE_SLOTS: u64 = 250 / SLOT_MS;
/// A slot that grew beyond this many hints gives its memory back when it is empty.
const SPARE_HINTS_MAX: usize = 4_096;

const _: () = assert!(SLOTS as u64 > AHEAD_SLOTS + COARSE_SLOTS);

/// Hints by deadline, one wheel a worker.
pub struct Wheel<K> {
    slots: Box<[Vec<K>]>,
    /// Memory of the last slot that was emptied, for the next one that is filled.
    spare: Vec<K>,
    /// First slot number (moment / `SLOT_MS`) not yet visited.
    next_slot: u64,
    /// No hint stands in a slot before this one.
    first_slot: u64,
    len: usize,
}

impl<K: Copy> Wheel<K> {
    /// An empty wheel that starts to turn at `now`.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        Self { slots, spare: Vec::new(), next_slot: now.0 / SLOT_MS, first_slot: 0, len: 0 }
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

    /// Adds a hint. It comes out of [`Self::turn`] at the first turn at or after `deadline`, at most one slot late, and
    /// when that is more than five seconds away at most a quarter of a second late; one more than a minute away comes
    /// out after a minute, for its row to hint again.
    pub fn push(&mut self, deadline: Moment, key: K) {
        // Rounded up: a near hint must never come before its deadline, or its row would only hint again.
        let exact = deadline.0.div_ceil(SLOT_MS).clamp(self.next_slot, self.next_slot.saturating_add(AHEAD_SLOTS));
        let is_far = exact > self.next_slot.saturating_add(FAR_SLOTS);
        let slot = if is_far { exact.next_multiple_of(COARSE_SLOTS) } else { exact };
        let hints = &mut self.slots[Self::place(slot)];
        if hints.capacity() == 0 {
            *hints = mem::take(&mut self.spare);
        }
        hints.push(key);
        self.first_slot = if self.len == 0 { slot } else { self.first_slot.min(slot) };
        self.len += 1;
    }

    /// Moves the wheel to `now` and hands out every hint that is due, oldest slot first.
    pub fn turn(&mut self, now: Moment, mut due: impl FnMut(K)) {
        let last = now.0 / SLOT_MS;
        // After a long pause one whole turn visits every slot; more would only repeat it.
        let first = self.next_slot.max(self.first_slot).max(last.saturating_sub(SLOTS as u64 - 1));
        for slot in first..=last {
            if self.len == 0 {
                break;
            }
            let mut hints = mem::take(&mut self.slots[Self::place(slot)]);
            self.len -= hints.len();
            hints.drain(..).for_each(&mut due);
            if self.spare.capacity() < hints.capacity() && hints.capacity() <= SPARE_HINTS_MAX {
                self.spare = hints;
            }
        }
        self.next_slot = self.next_slot.max(last + 1);
    }

    /// When the next hint comes out; `None` where none waits.
    #[must_use]
    pub fn next_turn(&mut self) -> Option<Moment> {
        if self.len == 0 {
            return None;
        }
        let from = self.next_slot.max(self.first_slot);
        let found =
            (from..from.saturating_add(SLOTS as u64)).find(|slot| !self.slots[Self::place(*slot)].is_empty())?;
        self.first_slot = found;
        Some(Moment(found * SLOT_MS))
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
    fn far_deadlines_come_out_together_and_never_early() {
        let mut wheel = Wheel::new(Moment(0));
        for (key, deadline) in [(1, 5_000), (2, 5_011), (3, 5_250), (4, 32_001), (5, 32_249)] {
            wheel.push(Moment(deadline), key);
        }
        assert_eq!(turned(&mut wheel, 4_999), Vec::<u32>::new());
        assert_eq!((turned(&mut wheel, 5_000), wheel.next_turn()), (vec![1], Some(Moment(5_250))));
        assert_eq!(turned(&mut wheel, 5_249), Vec::<u32>::new());
        assert_eq!((turned(&mut wheel, 5_250), wheel.next_turn()), (vec![2, 3], Some(Moment(32_250))));
        assert_eq!(turned(&mut wheel, 32_249), Vec::<u32>::new());
        assert_eq!((turned(&mut wheel, 32_250), wheel.next_turn()), (vec![4, 5], None));
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
        fn every_hint_comes_out_within_a_slot_of_its_deadline_and_a_far_one_within_a_quarter_second(
            deadlines in proptest::collection::vec(0u64..40_000, 0..200), step in 1u64..300,
        ) {
            let mut wheel = Wheel::new(Moment(0));
            for (key, deadline) in deadlines.iter().enumerate() {
                wheel.push(Moment(*deadline), key);
            }
            let (mut now, mut seen) = (0, vec![false; deadlines.len()]);
            while now < 41_000 {
                now += step;
                assert!(wheel.next_turn().is_none_or(|next| next.0 / SLOT_MS >= (now - step) / SLOT_MS));
                wheel.turn(Moment(now), |key| {
                    assert!(deadlines[key] <= now && !seen[key]);
                    seen[key] = true;
                });
                for (key, deadline) in deadlines.iter().enumerate() {
                    // All were pushed at 0.
                    let late_ms = SLOT_MS * if *deadline > 5_000 { COARSE_SLOTS } else { 1 };
                    assert!(seen[key] || deadline + late_ms > now, "{deadline} not seen at {now}");
                }
            }
            assert!(wheel.is_empty());
        }
    }
}
