//! When a reader lets datagrams gather before it reads on.
//!
//! One datagram at a time is the quickest answer and the dearest: where another program runs on the same processor, each
//! finds the caches full of that one's code, and each send hands the processor over. So a reader that waits long for its
//! processor pauses between two readings, and does once for several datagrams what it did for each, a sixth cheaper in
//! all. The price is less than a millisecond, paid only where waiting is the rule anyway; a reader with a processor of its
//! own never pauses.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use emcc_policies::moment::Moment;

/// Where the kernel says how long the thread that asks has run, and waited for a processor.
pub const SCHEDSTAT: &str = "/proc/thread-self/schedstat";
/// The pause between two readings.
pub(super) const PAUSE: Duration = Duration::from_micros(400);
/// So many datagrams at once need no pause after them: the next are there already.
pub(super) const ENOUGH: usize = 16;
/// How long the wait for a processor is watched, without a pause, before anything follows from it, milliseconds.
const WATCH_MS: u64 = 250;
/// How long a reader gathers before it watches again, milliseconds. While it pauses it waits less, so that only watching
/// tells whether the others are still there.
const GATHER_MS: u64 = 5_000;
/// Waiting for one part in so many of the time watched, or more, is sharing a processor that has no room left. A reader
/// that the scheduler puts beside its neighbours on an otherwise idle machine waits for up to a tenth.
const WAITED_PART: u64 = 5;
/// Two numbers of at most twenty digits, one of a few, and what stands between them.
const STAT_BYTES: usize = 64;

/// What one reader's thread knows of its processor.
pub(super) struct Gather {
    /// Where the kernel says how long the thread waited; none where it does not.
    stat: Option<File>,
    watch: Watch,
}

impl Gather {
    /// Of the thread it is called on; `schedstat` is [`SCHEDSTAT`], or what a test says instead.
    pub(super) fn new(schedstat: &Path, now: Moment) -> Self {
        let stat = File::open(schedstat).ok();
        let waited_ns = stat.as_ref().and_then(waited_ns).unwrap_or_default();
        Self { stat, watch: Watch { since: now, until: now.plus_ms(WATCH_MS), waited_ns, gathers: false } }
    }

    /// Whether to pause before the next reading. Asks the kernel four times a second at most.
    pub(super) fn is_due(&mut self, now: Moment) -> bool {
        if now >= self.watch.until {
            let Some(waited_ns) = self.stat.as_ref().and_then(waited_ns) else { return false };
            self.watch = self.watch.next(now, waited_ns);
        }
        self.watch.gathers
    }
}

/// Lets datagrams gather.
#[allow(clippy::disallowed_methods)] // shorter than a slot of the timer wheel, and the wheel turns after it
pub(super) fn pause() {
    std::thread::sleep(PAUSE);
}

/// A time in which a thread gathers, or watches whether it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Watch {
    since: Moment,
    until: Moment,
    /// How long the thread had waited for a processor in its life when this began, nanoseconds.
    waited_ns: u64,
    gathers: bool,
}

impl Watch {
    /// What follows it.
    fn next(self, now: Moment, waited_ns: u64) -> Self {
        let waited_ms = waited_ns.saturating_sub(self.waited_ns) / 1_000_000;
        let gathers = !self.gathers && waited_ms.saturating_mul(WAITED_PART) >= now.since_ms(self.since).max(1);
        let until = now.plus_ms(if gathers { GATHER_MS } else { WATCH_MS });
        Self { since: now, until, waited_ns, gathers }
    }
}

/// How long the thread was ready to run and waited for a processor, nanoseconds: the second number of its line
/// (Linux, Documentation/scheduler/sched-stats.rst).
fn waited_ns(stat: &File) -> Option<u64> {
    let mut line = [0; STAT_BYTES];
    let length = stat.read_at(&mut line, 0).ok()?;
    std::str::from_utf8(line.get(..length)?).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn watching(since: u64, waited_ns: u64) -> Watch {
        Watch { since: Moment(since), until: Moment(since + WATCH_MS), waited_ns, gathers: false }
    }

    #[test]
    fn who_waits_a_fifth_of_the_time_gathers_and_who_waits_less_does_not() {
        for (waited_ms, gathers) in [(0, false), (49, false), (50, true), (90, true), (250, true)] {
            let next = watching(1_000, 5 * MS).next(Moment(1_250), (5 + waited_ms) * MS);
            assert_eq!(next.gathers, gathers, "{waited_ms} of 250 ms");
            assert_eq!(next.until, Moment(1_250 + if gathers { GATHER_MS } else { WATCH_MS }));
        }
    }

    #[test]
    fn a_time_that_took_longer_than_asked_counts_as_long_as_it_took() {
        // Nothing came for a while: 50 ms of a second are no fifth.
        assert!(!watching(0, 0).next(Moment(1_000), 50 * MS).gathers);
        assert!(watching(0, 0).next(Moment(1_000), 200 * MS).gathers);
    }

    #[test]
    fn after_gathering_it_watches_before_it_gathers_again() {
        let first = watching(0, 0).next(Moment(250), 50 * MS);
        assert!(first.gathers);
        let second = first.next(first.until, 60 * MS);
        assert_eq!(second, watching(first.until.0, 60 * MS), "what it waited while it gathered says nothing");
        assert!(second.next(second.until, 110 * MS).gathers);
        assert!(!second.next(second.until, 60 * MS).gathers, "the others are gone");
    }

    #[test]
    fn the_kernel_says_how_long_this_thread_waited_and_it_never_gets_less() {
        let stat = File::open(SCHEDSTAT).unwrap();
        let before = waited_ns(&stat).unwrap();
        std::thread::yield_now();
        assert!(waited_ns(&stat).unwrap() >= before);
    }

    #[test]
    fn where_the_kernel_says_nothing_nobody_gathers() {
        let mut gather = Gather { stat: None, watch: watching(0, 0) };
        assert!(!gather.is_due(Moment(250)));
        assert!(!gather.is_due(Moment(100_000)));
    }
}
