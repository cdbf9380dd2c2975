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

/// Says when a node has come down from a peak, so that what the peak took goes back: each time half of its rows are gone,
/// and so a few times only, however slowly they go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tide {
    high: usize,
}

impl Tide {
    /// There are so many rows now. Whether it is time to give memory back.
    pub fn ebbs(&mut self, rows: usize) -> bool {
        self.high = self.high.max(rows);
        let ebbs = self.high >= ROWS_MIN && rows <= self.high / 2;
        if ebbs {
            self.high = rows;
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
        let falling: Vec<usize> = (0..100_000).rev().step_by(100).filter(|rows| tide.ebbs(*rows)).collect();
        assert_eq!(falling.len(), 6, "{falling:?}");
        assert!(falling.iter().zip(falling.iter().skip(1)).all(|(before, after)| after * 2 <= *before));
        assert!((0..ROWS_MIN).chain((0..ROWS_MIN).rev()).all(|rows| !tide.ebbs(rows)), "a small node is left alone");
    }
}
