//! In which order the next hops of a decision are tried: chance among the addresses of one neighbour, and who does not
//! serve comes last.

use emcc_policies::trail::Step;
use smallvec::SmallVec;

use super::Turn;
use super::decide::{Decision, Next};
use crate::neighbour::select::draw;

impl Turn<'_> {
    /// Puts the hops into the order they are tried in. `explain` shows them as they stand before.
    ///
    /// None is taken away: an address that is down or asked to be left alone is tried when nothing else is left. An
    /// emergency call only yields to what is down: who is loaded or drains takes it still, and who would come instead may
    /// be in another country (P-23).
    pub(crate) fn order(&mut self, decision: &mut Decision) {
        if decision.next_hops.len() < 2 {
            return;
        }
        if decision.next_hops.iter().any(|hop| hop.rank.weight > 0) {
            // Not between an emergency's last resort and the same gateway before it, which is asked for another number.
            let is_one_choice =
                |a: &Next, b: &Next| a.to == b.to && a.called == b.called && a.rank.priority == b.rank.priority;
            for choice in decision.next_hops.chunk_by_mut(is_one_choice) {
                draw(choice, |hop| hop.rank.weight, || self.ids.next_u64());
            }
        }
        if self.engine.is_any_unwell() {
            let (watches, now) = (&self.running.watches, self.now.moment);
            let emergency = decision.emergency;
            let hops = &mut decision.next_hops;
            let mut last: SmallVec<[Next; 4]> = SmallVec::new();
            // Among those that serve, and among those that do not, the order stays.
            hops.retain(|hop| {
                let is_out = if emergency { watches.is_down(hop.address) } else { watches.is_out(hop.address, now) };
                if is_out {
                    last.push(*hop);
                }
                !is_out
            });
            if !last.is_empty() {
                let hops_out = u8::try_from(last.len()).unwrap_or(u8::MAX);
                hops.extend(last.drain(..));
                decision.trail.push(Step::TriedLast { hops: hops_out });
            }
        }
    }
}
