//! When a reader lets datagrams gather before it reads on.
//!
//! One datagram at a time is the quickest answer and the dearest: where another program runs on the same processor, each
//! finds the caches full of that one's code, and each send hands the processor over. So a reader that waits long for its
//! processor, while none of those it may run on has room, pauses between two readings, and does once for several datagrams
//! what it did for each, a sixth cheaper in all. The price is less than a millisecond, paid only where waiting is the rule
//! anyway; a reader with a processor of its own never pauses.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use emcc_policies::moment::Moment;

/// Where the kernel keeps its accounts of threads and processors (proc(5)).
pub const PROC: &str = "/proc";
/// The pause between two readings.
pub(super) const PAUSE: Duration = Duration::from_micros(400);
/// So many datagrams at once need no pause after them: the next are there already.
pub(super) const ENOUGH: usize = 16;
/// How long the wait for a processor is watched, without a pause, before anything follows from it, milliseconds. Two such
/// times, one after the other, have to say the same.
const WATCH_MS: u64 = 125;
/// How long a reader gathers before it watches again, milliseconds. While it pauses it waits less, so that only watching
/// tells whether the others are still there.
const GATHER_MS: u64 = 5_000;
/// Waiting for one part in so many of the time watched, or more, may be sharing a processor that has no room left.
const WAITED_PART: u64 = 5;
/// Processors that together were idle for one part in so many of the time watched, or more, had room: then the wait was
/// for one to wake, which takes a virtual machine on a busy host as long as a neighbour's turn.
const IDLE_PART: u64 = 2;
/// Two numbers of at most twenty digits, one of a few, and what stands between them.
const SCHEDSTAT_BYTES: usize = 64;
/// As much of a thread's status as is read: it is a third of that.
const STATUS_BYTES: usize = 4_096;
/// As much of the processors' account as is read: the lines of some hundreds, which come first.
const STAT_BYTES: usize = 65_536;
/// The unit of the processors' account toward programs (proc(5), USER_HZ), milliseconds.
const TICK_MS: u64 = 10;

/// What one reader's thread knows of its processor.
pub(super) struct Gather {
    /// The kernel's accounts; none where it keeps none.
    accounts: Option<Accounts>,
    watch: Watch,
}

impl Gather {
    /// Of the thread it is called on; `proc` is [`PROC`], or what a test says instead.
    pub(super) fn new(proc: &Path, now: Moment) -> Self {
        let accounts = Accounts::open(proc).ok();
        let waited_ns = accounts.as_ref().and_then(Accounts::waited_ns).unwrap_or_default();
        Self { accounts, watch: Watch { since: now, until: now.plus_ms(WATCH_MS), waited_ns, state: State::Watches } }
    }

    /// Whether to pause before the next reading. Asks the kernel eight times a second at most.
    pub(super) fn is_due(&mut self, now: Moment) -> bool {
        if now >= self.watch.until {
            let Some(accounts) = &self.accounts else { return false };
            let Some(waited_ns) = accounts.waited_ns() else { return false };
            self.watch = self.watch.next(now, waited_ns, || accounts.idle_ms());
        }
        self.watch.state == State::Gathers
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
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Looks whether the thread waits.
    Watches,
    /// It waited; looks whether it goes on, and whether there was room all the same.
    Suspects {
        /// How long the processors had been idle when this began, milliseconds.
        idle_ms: u64,
    },
    Gathers,
}

impl Watch {
    /// What follows it; `idle_ms` is how long the processors the thread may run on have been idle, asked only where it
    /// matters: that account is a long one.
    fn next(self, now: Moment, waited_ns: u64, idle_ms: impl FnOnce() -> Option<u64>) -> Self {
        let took_ms = now.since_ms(self.since).max(1);
        let waited_ms = waited_ns.saturating_sub(self.waited_ns) / 1_000_000;
        let has_waited = self.state != State::Gathers && waited_ms.saturating_mul(WAITED_PART) >= took_ms;
        let state = match (has_waited.then(idle_ms).flatten(), self.state) {
            (None, _) => State::Watches,
            (Some(now_ms), State::Suspects { idle_ms })
                if now_ms.saturating_sub(idle_ms).saturating_mul(IDLE_PART) < took_ms =>
            {
                State::Gathers
            }
            (Some(idle_ms), _) => State::Suspects { idle_ms },
        };
        let until = now.plus_ms(if state == State::Gathers { GATHER_MS } else { WATCH_MS });
        Self { since: now, until, waited_ns, state }
    }
}

/// What the kernel says of one thread and its processors.
struct Accounts {
    schedstat: File,
    status: File,
    stat: File,
}

impl Accounts {
    /// Of the thread it is called on.
    fn open(proc: &Path) -> io::Result<Self> {
        let open = |name| File::open(proc.join(name));
        Ok(Self { schedstat: open("thread-self/schedstat")?, status: open("thread-self/status")?, stat: open("stat")? })
    }

    /// How long the thread was ready to run and waited for a processor, nanoseconds: the second number of its line
    /// (Linux, Documentation/scheduler/sched-stats.rst).
    fn waited_ns(&self) -> Option<u64> {
        let mut line = [0; SCHEDSTAT_BYTES];
        read(&self.schedstat, &mut line)?.split_ascii_whitespace().nth(1)?.parse().ok()
    }

    /// How long the processors that the thread may run on have been idle, all together, milliseconds.
    fn idle_ms(&self) -> Option<u64> {
        let (mut status, mut stat) = ([0; STATUS_BYTES], vec![0; STAT_BYTES]);
        let allowed =
            read(&self.status, &mut status)?.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        idle_ms(allowed.trim(), read(&self.stat, &mut stat)?)
    }
}

/// What a file begins with, as far as there is room for it.
fn read<'a>(file: &File, room: &'a mut [u8]) -> Option<&'a str> {
    let length = file.read_at(room, 0).ok()?;
    std::str::from_utf8(room.get(..length)?).ok()
}

/// The idle time of the processors `allowed` ("0-2,5") by the account `stat`: of a line `cpuN`, the fourth number, and the
/// fifth, idle while a disk works (proc(5)).
fn idle_ms(allowed: &str, stat: &str) -> Option<u64> {
    let ranges: Option<Vec<(u32, u32)>> = allowed
        .split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        })
        .collect();
    let ranges = ranges?;
    let mut idle_ticks = None;
    for line in stat.lines() {
        let mut words = line.split_ascii_whitespace();
        let number = words.next().and_then(|name| name.strip_prefix("cpu")?.parse::<u32>().ok());
        if number.is_some_and(|number| ranges.iter().any(|(first, last)| (*first..=*last).contains(&number))) {
            let ticks: u64 = words.skip(3).take(2).map_while(|word| word.parse::<u64>().ok()).sum();
            idle_ticks = Some(idle_ticks.unwrap_or(0) + ticks);
        }
    }
    Some(idle_ticks?.saturating_mul(TICK_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn watch(state: State, since: u64, waited_ns: u64) -> Watch {
        Watch { since: Moment(since), until: Moment(since + WATCH_MS), waited_ns, state }
    }

    fn unasked() -> Option<u64> {
        panic!("the long account is asked for nothing")
    }

    #[test]
    fn who_waits_a_fifth_of_the_time_is_suspected_and_who_waits_less_is_not() {
        for waited_ms in [0, 24] {
            let next = watch(State::Watches, 1_000, 5 * MS).next(Moment(1_125), (5 + waited_ms) * MS, unasked);
            assert_eq!(next, watch(State::Watches, 1_125, (5 + waited_ms) * MS), "{waited_ms} of 125 ms");
        }
        for waited_ms in [25, 90, 250] {
            let next = watch(State::Watches, 1_000, 5 * MS).next(Moment(1_125), (5 + waited_ms) * MS, || Some(40));
            assert_eq!(next.state, State::Suspects { idle_ms: 40 }, "{waited_ms} of 125 ms");
            assert_eq!(next.until, Moment(1_250));
        }
    }

    #[test]
    fn who_is_suspected_gathers_where_it_waits_on_and_no_processor_had_room() {
        let suspects = watch(State::Suspects { idle_ms: 1_000 }, 0, 0);
        for (waited_ms, idle_ms, want) in [
            (25, 1_000, State::Gathers),
            (25, 1_060, State::Gathers),
            (25, 1_070, State::Suspects { idle_ms: 1_070 }),
            (125, 1_250, State::Suspects { idle_ms: 1_250 }),
            (24, 1_000, State::Watches),
        ] {
            let next = suspects.next(Moment(125), waited_ms * MS, || Some(idle_ms));
            assert_eq!(next.state, want, "waited {waited_ms}, idle until {idle_ms}");
            assert_eq!(next.until, Moment(125 + if want == State::Gathers { GATHER_MS } else { WATCH_MS }));
        }
        assert_eq!(
            suspects.next(Moment(125), 90 * MS, || None).state,
            State::Watches,
            "nobody says whether there was room"
        );
    }

    #[test]
    fn a_time_that_took_longer_than_asked_counts_as_long_as_it_took() {
        // Nothing came for a while: 50 ms of a second are no fifth, and 400 ms no half.
        assert_eq!(watch(State::Watches, 0, 0).next(Moment(1_000), 50 * MS, unasked).state, State::Watches);
        let suspects = watch(State::Suspects { idle_ms: 0 }, 0, 0);
        assert_eq!(suspects.next(Moment(1_000), 200 * MS, || Some(400)).state, State::Gathers);
    }

    #[test]
    fn after_gathering_it_watches_before_it_gathers_again() {
        let first = watch(State::Gathers, 0, 0);
        let second = first.next(Moment(5_000), 4_000 * MS, unasked);
        assert_eq!(second, watch(State::Watches, 5_000, 4_000 * MS), "what it waited while it gathered says nothing");
    }

    #[test]
    fn the_kernel_says_how_long_this_thread_waited_and_it_never_gets_less() {
        let accounts = Accounts::open(Path::new(PROC)).unwrap();
        let (waited_ns, idle_ms) = (accounts.waited_ns().unwrap(), accounts.idle_ms().unwrap());
        std::thread::yield_now();
        assert!(accounts.waited_ns().unwrap() >= waited_ns);
        assert!(idle_ms > 0 && accounts.idle_ms().unwrap() + TICK_MS >= idle_ms);
    }

    #[test]
    fn only_the_processors_a_thread_may_run_on_count() {
        let stat = "cpu  9 9 9 999 9 9 9\ncpu0 1 1 1 100 20 1 1\ncpu1 1 1 1 3 4 1 1\ncpu10 1 1 1 5 0 1 1\nintr 7 0 1\n";
        for (allowed, want) in [
            ("0", Some(1_200)),
            ("0-1", Some(1_270)),
            ("1,10", Some(120)),
            ("0-31", Some(1_320)),
            ("2-9", None),
            ("", None),
            ("all", None),
        ] {
            assert_eq!(idle_ms(allowed, stat), want, "{allowed}");
        }
    }

    #[test]
    fn where_the_kernel_says_nothing_nobody_gathers() {
        let mut gather = Gather { accounts: None, watch: watch(State::Watches, 0, 0) };
        assert!(!gather.is_due(Moment(250)));
        assert!(!gather.is_due(Moment(100_000)));
    }
}
