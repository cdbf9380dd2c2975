//! How many connections one address may have, which of them gives way to a new one, and which has been silent for too long.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use emcc_policies::moment::Moment;
use tokio::sync::Notify;

use super::budget::Held;

/// What is known of one connection when another wants its place, or when its other end left a request unanswered.
pub(super) struct Life {
    /// Octets that wait to be written.
    pub(super) queued: Arc<Mutex<Held>>,
    /// When octets came last, at first when it was accepted or planned, milliseconds.
    last_read_ms: AtomicU64,
    /// Whether a message has begun to come and is not whole.
    is_within: AtomicBool,
    /// Whether it has to go. Written under the lock of its address's share.
    is_displaced: AtomicBool,
    displaced: Notify,
    /// Told when it is to end for its silence.
    silence: Notify,
}

impl Life {
    pub(super) fn new(queued: Held, now: Moment) -> Arc<Self> {
        Arc::new(Self {
            queued: Arc::new(Mutex::new(queued)),
            last_read_ms: AtomicU64::new(now.0),
            is_within: AtomicBool::new(false),
            is_displaced: AtomicBool::new(false),
            displaced: Notify::new(),
            silence: Notify::new(),
        })
    }

    /// Octets came, and a message is not whole, or none has begun.
    pub(super) fn read(&self, now: Moment, is_within: bool) {
        self.last_read_ms.store(now.0, Relaxed);
        self.is_within.store(is_within, Relaxed);
    }

    /// Waits until its place is another's.
    pub(super) async fn displaced(&self) {
        self.displaced.notified().await;
    }

    /// Has it end where nothing came since then; whether it has to.
    pub(super) fn end_if_silent(&self, since: Moment) -> bool {
        let is_silent = self.last_read_ms.load(Relaxed) <= since.0;
        if is_silent {
            self.silence.notify_one();
        }
        is_silent
    }

    /// Waits until its silence has been too long.
    pub(super) async fn fell_silent(&self) {
        self.silence.notified().await;
    }

    fn is_displaced(&self) -> bool {
        self.is_displaced.load(Relaxed)
    }

    /// A message is on its way, in or out.
    fn is_busy(&self) -> bool {
        self.is_within.load(Relaxed) || self.queued.lock().unwrap_or_else(PoisonError::into_inner).octets() > 0
    }
}

/// The connections of one address, those that have to go included.
#[derive(Default)]
pub(super) struct Share(Vec<Arc<Life>>);

/// What became of one more connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It has a place.
    Free,
    /// It has the place of another, which has to go.
    Displacing,
    /// There is none.
    Full,
}

impl Share {
    /// One more, where there are fewer than `most`, or where one may give way: the one that read nothing for longest, and
    /// one with a message on its way only where all have. As many as there may be can be on their way out.
    pub(super) fn admit(&mut self, life: &Arc<Life>, most: usize, may_displace: bool) -> Admission {
        let standing = || self.0.iter().filter(|life| !life.is_displaced());
        let admission = if standing().count() < most {
            Admission::Free
        } else if may_displace && self.0.len() < most.saturating_mul(2) {
            let idlest = standing().min_by_key(|life| (life.is_busy(), life.last_read_ms.load(Relaxed)));
            let Some(idlest) = idlest else { return Admission::Full };
            idlest.is_displaced.store(true, Relaxed);
            idlest.displaced.notify_one();
            Admission::Displacing
        } else {
            return Admission::Full;
        };
        self.0.push(Arc::clone(life));
        admission
    }

    /// That one is closed.
    pub(super) fn leave(&mut self, life: &Arc<Life>) {
        self.0.retain(|held| !Arc::ptr_eq(held, life));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::budget::Budget;

    fn lives(share: &mut Share, count: u64) -> Vec<Arc<Life>> {
        let budget = Budget::new(1_000, 0);
        let lives: Vec<_> = (0..count).map(|at| Life::new(Held::new(&budget), Moment(at))).collect();
        lives.iter().for_each(|life| assert_eq!(share.admit(life, lives.len(), true), Admission::Free));
        lives
    }

    fn displaced(lives: &[Arc<Life>]) -> Vec<usize> {
        (0..lives.len()).filter(|place| lives[*place].is_displaced()).collect()
    }

    #[test]
    fn who_read_nothing_for_longest_gives_way_and_who_has_a_message_on_its_way_last() {
        let mut share = Share::default();
        let lives = lives(&mut share, 4);
        lives[0].read(Moment(50), false);
        lives[1].read(Moment(2), true);
        assert!(lives[2].queued.lock().unwrap().resize(10));
        let budget = Budget::new(0, 0);
        let mut more = || share.admit(&Life::new(Held::new(&budget), Moment(60)), 4, true);
        for gone in [vec![3], vec![0, 3]] {
            assert_eq!(more(), Admission::Displacing);
            assert_eq!(displaced(&lives), gone);
        }
        // The two that came meanwhile are idle, and go before those that are not.
        assert_eq!([more(), more()], [Admission::Displacing; 2]);
        assert_eq!(displaced(&lives), [0, 3]);
        assert_eq!(more(), Admission::Full, "as many on their way out as there may be");
    }

    #[test]
    fn where_all_have_a_message_on_its_way_the_one_that_waits_longest_gives_way() {
        let mut share = Share::default();
        let lives = lives(&mut share, 2);
        lives[0].read(Moment(9), true);
        lives[1].read(Moment(8), true);
        let new = Life::new(Held::new(&Budget::new(0, 0)), Moment(10));
        assert_eq!(share.admit(&new, 2, false), Admission::Full, "only where one may give way");
        assert_eq!((share.admit(&new, 2, true), displaced(&lives)), (Admission::Displacing, vec![1]));
        lives.iter().chain([&new]).for_each(|life| share.leave(life));
        assert!(share.is_empty());
    }
}
