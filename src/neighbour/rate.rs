//! How many new requests a neighbour may send: a token bucket, kept as one number so that no lock is needed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use emcc_policies::moment::Moment;

/// New requests that may come at once, however low the rate: a bucket too small refuses the arrivals of a calm day.
const AT_ONCE_LEAST: u64 = 5;
const NS_PER_S: u64 = 1_000_000_000;
const NS_PER_MS: u64 = 1_000_000;

/// A bucket that fills with so many tokens a second and holds one second's worth, at least five.
#[derive(Debug, Default)]
pub struct Bucket {
    /// When it is full again, nanoseconds since the start of the node.
    full_at_ns: AtomicU64,
}

impl Bucket {
    /// Takes a token, if there is one. `rate_per_s` is at least 1.
    pub fn take(&self, rate_per_s: u32, now: Moment) -> bool {
        self.full_at_ns.fetch_update(Relaxed, Relaxed, |full_at_ns| after(full_at_ns, rate_per_s, now)).is_ok()
    }

    /// Whether there is a token to take.
    #[must_use]
    pub fn holds(&self, rate_per_s: u32, now: Moment) -> bool {
        after(self.full_at_ns.load(Relaxed), rate_per_s, now).is_some()
    }
}

/// When a bucket is full again once a token is taken, nanoseconds; `None` when it holds none.
fn after(full_at_ns: u64, rate_per_s: u32, now: Moment) -> Option<u64> {
    let now_ns = now.0.saturating_mul(NS_PER_MS);
    let token_ns = NS_PER_S.checked_div(u64::from(rate_per_s)).unwrap_or(NS_PER_S);
    let depth_ns = token_ns.saturating_mul(u64::from(rate_per_s).max(AT_ONCE_LEAST));
    let after = full_at_ns.max(now_ns).saturating_add(token_ns);
    (after.saturating_sub(now_ns) <= depth_ns).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_may_come_at_once_and_then_the_rate() {
        for rate in [10, 100, 1_000] {
            let bucket = Bucket::default();
            let at_once = (0..10 * rate).filter(|_| bucket.take(rate, Moment(5_000))).count();
            assert_eq!(at_once, rate as usize, "{rate}");
            let next_second = (0..10_000).filter(|ms| bucket.take(rate, Moment(5_001 + ms / 10))).count();
            assert!(next_second.abs_diff(rate as usize) <= 1, "{rate}: {next_second}");
        }
    }

    #[test]
    fn a_low_rate_still_lets_a_few_come_together() {
        let bucket = Bucket::default();
        let taken = |now| (0..20).filter(|_| bucket.take(1, Moment(now))).count();
        assert_eq!((taken(0), taken(999), taken(1_000), taken(60_000)), (5, 0, 1, 5));
    }

    #[test]
    fn who_stays_within_the_rate_is_never_refused() {
        let bucket = Bucket::default();
        assert!((0..100_000u64).all(|turn| bucket.take(50, Moment(turn * 20))));
    }

    #[test]
    fn a_refused_request_costs_no_token() {
        let bucket = Bucket::default();
        while bucket.holds(2, Moment(0)) {
            assert!(bucket.take(2, Moment(0)));
        }
        for _ in 0..1_000 {
            assert!(!bucket.take(2, Moment(100)));
        }
        assert!(bucket.take(2, Moment(500)));
    }
}
