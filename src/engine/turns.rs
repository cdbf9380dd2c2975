//! Whose turn it is in circular route groups: each group has a counter of its own, moved on by the calls that use it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use emcc_policies::route::RouteGroupId;

use crate::limits::GROUPS_REMEMBERED_MAX;

/// The turns one question takes.
#[derive(Clone, Debug)]
pub struct Turns<'a> {
    /// Of each route group, by its id; none: for a question that is no call.
    counters: Option<&'a [Arc<AtomicUsize>]>,
    /// The turn where nothing counts.
    fixed: usize,
    /// Whether a group moves on.
    moves: bool,
    /// What the call took before: it takes one turn of a group however often it leads there. A group beyond the last place
    /// moves on each time.
    taken: Cell<[Option<(RouteGroupId, usize)>; GROUPS_REMEMBERED_MAX]>,
}

impl<'a> Turns<'a> {
    /// The same turn in every group, and nothing moves.
    #[must_use]
    pub fn at(turn: usize) -> Self {
        Self { counters: None, fixed: turn, moves: false, taken: Cell::default() }
    }

    /// Those of a call.
    #[must_use]
    pub(crate) fn of_call(counters: &'a [Arc<AtomicUsize>]) -> Self {
        Self { counters: Some(counters), moves: true, ..Self::at(0) }
    }

    /// The turns that would be taken now: for a question whose answer may be dropped.
    #[must_use]
    pub(crate) fn looked_at(&self) -> Self {
        Self { moves: false, ..self.clone() }
    }

    /// The call's turn in a group, which moves the group on.
    #[must_use]
    pub fn take(&self, group: RouteGroupId) -> usize {
        let Some(counters) = self.counters else { return self.fixed };
        let mut taken = self.taken.get();
        if let Some((_, turn)) = taken.iter().flatten().find(|(known, _)| *known == group) {
            return *turn;
        }
        let Some(counter) = counters.get(group.0 as usize) else { return 0 };
        if !self.moves {
            return counter.load(Relaxed);
        }
        let turn = counter.fetch_add(1, Relaxed);
        if let Some(free) = taken.iter_mut().find(|place| place.is_none()) {
            *free = Some((group, turn));
            self.taken.set(taken);
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_takes_one_turn_of_each_group_and_the_next_call_the_one_after() {
        let counters: Vec<Arc<AtomicUsize>> = (0..3).map(|_| Arc::default()).collect();
        let (first, second) = (RouteGroupId(0), RouteGroupId(2));
        for turn in 0..3 {
            let call = Turns::of_call(&counters);
            assert_eq!((call.looked_at().take(first), call.take(first), call.take(first)), (turn, turn, turn));
            if turn == 1 {
                assert_eq!((call.take(second), call.take(first), call.take(second)), (0, 1, 0));
            }
        }
        assert_eq!(Turns::of_call(&counters).looked_at().take(second), 1, "moved by the one call that used it");
        assert_eq!(Turns::of_call(&counters).take(RouteGroupId(9)), 0, "of another plan");
        assert_eq!((Turns::at(5).take(first), Turns::at(5).take(first)), (5, 5));
    }
}
