//! Memory that is free and that the allocator keeps.
#![allow(unsafe_code)]

/// Gives it back to the system. Reading a configuration takes several times the memory its plan does, and the small pieces of
/// the plan that lie between keep the allocator from giving the rest back by itself: of 100 MB after 50,000 patterns, 70
/// are free. Takes milliseconds, so it has no place on the way of a message. Does nothing where the allocator is not
/// glibc's.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes a number and no pointer; the allocator's state is behind the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// A node with fewer rows than this has nothing to give back that anybody would miss.
const ROWS_MIN: usize = 2_048;

/// Looks between two times memory goes back because a fall has come to rest: it takes milliseconds, and a load that goes
/// up and down must not ask for it again and again.
const LOOKS_APART: u32 = 30;
/// A fall of less than one part in so many since the last look has come to rest.
const AT_REST: usize = 64;
/// A peak is over when one part in so many of its rows is gone.
const OVER: usize = 8;

/// Says when a node has come down from a peak, so that what the peak took goes back: each time half of its rows are gone,
/// and so a few times only, however slowly they go; and when a smaller fall comes to rest, as where the transactions of
/// many calls end and the calls stand. Asked in equal steps, once a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tide {
    high: usize,
    before: usize,
    looks: u32,
}

impl Tide {
    /// There are so many rows now. Whether it is time to give memory back.
    pub fn ebbs(&mut self, rows: usize) -> bool {
        let before = std::mem::replace(&mut self.before, rows);
        self.high = self.high.max(rows);
        self.looks = self.looks.saturating_add(1);
        let is_at_rest = before.saturating_sub(rows) <= before / AT_REST;
        let is_over = rows <= self.high - self.high / OVER && is_at_rest && self.looks >= LOOKS_APART;
        let ebbs = self.high >= ROWS_MIN && (rows <= self.high / 2 || is_over);
        if ebbs {
            (self.high, self.looks) = (rows, 0);
        }
        ebbs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_back_each_time_half_of_the_rows_are_gone_and_not_in_between() {
        let mut tide = Tide::default();
        let rising = (0..100_000).step_by(100).filter(|rows| tide.ebbs(*rows)).count();
        assert_eq!(rising, 0);
        let fall = std::iter::successors(Some(100_000), |rows| (*rows > 0).then_some(rows * 31 / 32));
        let falling: Vec<usize> = fall.filter(|rows| tide.ebbs(*rows)).collect();
        assert_eq!(falling.len(), 6, "{falling:?}");
        assert!(falling.iter().zip(falling.iter().skip(1)).all(|(before, after)| after * 2 <= *before));
        assert!((0..ROWS_MIN).chain((0..ROWS_MIN).rev()).all(|rows| !tide.ebbs(rows)), "a small node is left alone");
    }

    #[test]
    fn a_fall_that_comes_to_rest_above_the_half_gives_memory_back_once() {
        let mut tide = Tide::default();
        let rise = (0..40).map(|second| second * 3_750);
        let fall = (0..40).map(|second| 150_000 - second * 2_250);
        let rest = std::iter::repeat_n(62_250, 300);
        let times: Vec<usize> = rise
            .chain(fall)
            .chain(rest)
            .enumerate()
            .filter(|(_, rows)| tide.ebbs(*rows))
            .map(|(second, _)| second)
            .collect();
        assert_eq!(times.len(), 2, "{times:?}");
        assert!(times.iter().all(|second| (60..140).contains(second)), "{times:?}");
    }

    #[test]
    fn a_load_that_goes_up_and_down_gives_memory_back_twice_a_minute_at_most() {
        let mut tide = Tide::default();
        let waves = (0..3_600_usize).map(|second| 50_000 + [0, 10_000, 20_000, 10_000][second / 5 % 4]);
        assert!(waves.filter(|rows| tide.ebbs(*rows)).count() <= 120);
    }
}
