//! The one clock read of the node.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use emcc_policies::moment::{Civil, Moment};

use crate::engine::effects::Now;

/// A clock that counts from its own start. One a process; copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that stands at 0 now.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // the one place that may read a clock
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Time as it stands, for one batch.
    #[must_use]
    pub fn now(&self) -> Now {
        self.read().0
    }

    /// As [`Self::now`], with Unix time in microseconds: what the kernel stamps datagrams with.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // the one place that may read a clock
    pub(super) fn read(&self) -> (Now, u64) {
        let moment = Moment(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX));
        // A wall clock before 1970 is a broken one; schedules then see 1970.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let civil = Civil(i64::try_from(wall.as_secs()).unwrap_or(i64::MAX));
        (Now { moment, civil }, u64::try_from(wall.as_micros()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_never_go_back_and_copies_agree() {
        let clock = Clock::start();
        let copy = clock;
        let (first, second) = (clock.now(), copy.now());
        assert!(first.moment <= second.moment && second.moment <= clock.now().moment);
        assert!(second.moment.since_ms(first.moment) < 60_000);
        assert!(first.civil.0 > 1_700_000_000, "the year is at least 2023");
    }
}
