//! What names of neighbours led to. The last good answer stays until a better one comes: a DNS that is silent, or that has
//! forgotten a name, takes nobody out of service.

use std::cmp::Reverse;
use std::collections::HashMap;

use ahash::RandomState;
use emcc_policies::moment::Moment;

use super::Address;
use super::locate::{Located, Named};
use crate::limits::{ADDRESSES_PER_NAME_MAX, CALL_MS_MAX, NAMES_MAX};

/// The last good answers, by name.
#[derive(Clone, Debug)]
pub struct Names {
    answers: HashMap<Named, Answer, RandomState>,
}

#[derive(Clone, Debug, Default)]
struct Answer {
    /// Where the name leads now, in the order of its priorities.
    now: Vec<Located>,
    /// Where it led before, and until when its calls may still be heard from there.
    before: Vec<(Address, Moment)>,
}

impl Default for Names {
    fn default() -> Self {
        // Names come from the configuration, so a fixed seed is safe.
        Self { answers: HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4)) }
    }
}

impl Names {
    /// Takes in an answer. Gives back whether anything is other than before. An empty one changes nothing, nor does one
    /// that says the same in another order: a DNS turns its records round from answer to answer (RFC 1794), so within a
    /// priority the addresses known stay where they are, those that are new come behind them, and of more than there may
    /// be those known are the ones that stay.
    pub fn learn(&mut self, name: &Named, mut found: Vec<Located>, now: Moment) -> bool {
        if found.is_empty() || (!self.answers.contains_key(name) && self.answers.len() >= NAMES_MAX) {
            return false;
        }
        let known = self.now(name);
        let place = |of: &Located| known.iter().position(|known| known.address == of.address).unwrap_or(known.len());
        found.sort_by_key(|located| (located.rank.priority, place(located), Reverse(located.rank.weight)));
        let mut distinct: Vec<Located> = Vec::new();
        for located in found {
            if distinct.len() < ADDRESSES_PER_NAME_MAX && distinct.iter().all(|known| known.address != located.address)
            {
                distinct.push(located);
            }
        }
        let answer = self.answers.entry(name.clone()).or_default();
        let is_now = |address: Address| distinct.iter().any(|located| located.address == address);
        let gone = answer.now.iter().map(|located| located.address).filter(|address| !is_now(*address));
        // A call may stand as long as that, and its BYE comes from where the call went.
        let gone: Vec<_> = gone.map(|address| (address, now.plus_ms(CALL_MS_MAX))).collect();
        let count = answer.before.len();
        answer.before.retain(|(address, until)| *until > now && !is_now(*address));
        let is_other = answer.now != distinct || !gone.is_empty() || answer.before.len() != count;
        answer.before.extend(gone);
        let too_many = answer.before.len().saturating_sub(ADDRESSES_PER_NAME_MAX);
        answer.before.drain(..too_many);
        answer.now = distinct;
        is_other
    }

    /// Takes in an answer of which a part failed: what was known before and is not in it stays, behind it within its
    /// priority. Gives back whether anything is other than before.
    pub fn learn_part(&mut self, name: &Named, mut found: Vec<Located>, now: Moment) -> bool {
        if found.is_empty() {
            return false;
        }
        let is_new = |known: &&Located| found.iter().all(|found| found.address != known.address);
        let kept: Vec<Located> = self.now(name).iter().filter(is_new).copied().collect();
        found.extend(kept);
        self.learn(name, found, now)
    }

    /// Forgets every name that is not among these.
    pub fn keep<'n>(&mut self, names: impl Iterator<Item = &'n Named> + Clone) {
        self.answers.retain(|name, _| names.clone().any(|kept| kept == name));
    }

    /// Where the name leads, by priority; nothing before the first answer.
    #[must_use]
    pub fn now(&self, name: &Named) -> &[Located] {
        self.answers.get(name).map_or(&[], |answer| &answer.now)
    }

    /// Where it led within the time a call may stand.
    pub fn before(&self, name: &Named) -> impl Iterator<Item = Address> {
        self.answers.get(name).into_iter().flat_map(|answer| answer.before.iter().map(|(address, _)| *address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbour::Transport;
    use crate::neighbour::select::Rank;

    fn name(host: &str) -> Named {
        Named { host: host.into(), port: None, transport: Some(Transport::Udp) }
    }

    fn at(last: u8, priority: u32) -> Located {
        let socket = ([192, 0, 2, last], 5060).into();
        Located { address: Address { transport: Transport::Udp, socket }, rank: Rank { priority, weight: 0 } }
    }

    fn lasts(found: &[Located]) -> Vec<u8> {
        let last = |located: &Located| match located.address.socket.ip() {
            std::net::IpAddr::V4(ip) => ip.octets()[3],
            std::net::IpAddr::V6(_) => 0,
        };
        found.iter().map(last).collect()
    }

    #[test]
    fn an_answer_stands_by_priority_and_without_repeats() {
        let mut names = Names::default();
        assert!(names.now(&name("a")).is_empty());
        assert!(names.learn(&name("a"), vec![at(1, 20), at(2, 10), at(1, 5)], Moment(0)));
        assert_eq!(lasts(names.now(&name("a"))), [1, 2]);
        assert!(!names.learn(&name("a"), vec![at(1, 5), at(2, 10)], Moment(1)), "the same answer changes nothing");
        assert!(names.now(&name("b")).is_empty());
    }

    #[test]
    fn rfc_1794_the_same_addresses_in_another_order_are_the_same_answer() {
        let mut names = Names::default();
        let mut answer = vec![at(1, 5), at(2, 10), at(3, 10), at(4, 10)];
        assert!(names.learn(&name("a"), answer.clone(), Moment(0)));
        for turn in 1..=8 {
            answer.rotate_left(1);
            assert!(!names.learn(&name("a"), answer.clone(), Moment(turn)), "{:?}", lasts(&answer));
            assert_eq!(lasts(names.now(&name("a"))), [1, 2, 3, 4]);
        }
        assert!(names.learn(&name("a"), vec![at(4, 10), at(5, 10), at(2, 10), at(1, 5)], Moment(9)), "3 left, 5 came");
        assert_eq!(lasts(names.now(&name("a"))), [1, 2, 4, 5], "who is new comes behind who is known");
        assert!(names.learn(&name("a"), vec![at(4, 5), at(5, 10), at(2, 10), at(1, 10)], Moment(10)), "other ranks");
        assert_eq!(lasts(names.now(&name("a"))), [4, 1, 2, 5], "RFC 2782: the lower priority is preferred");
        let heavier = |last, weight| {
            let located = at(last, 10);
            Located { rank: Rank { weight, ..located.rank }, ..located }
        };
        assert!(names.learn(&name("b"), vec![heavier(1, 3), heavier(1, 7)], Moment(0)));
        assert!(!names.learn(&name("b"), vec![heavier(1, 7), heavier(1, 3)], Moment(1)), "one address twice");
    }

    #[test]
    fn of_more_addresses_than_are_kept_those_known_stay_however_the_answer_turns() {
        let mut names = Names::default();
        let mut answer: Vec<_> = (1..=40).map(|last| at(last, 0)).collect();
        assert!(names.learn(&name("a"), answer.clone(), Moment(0)));
        let first = lasts(names.now(&name("a")));
        for turn in 1..=40 {
            answer.rotate_left(1);
            assert!(!names.learn(&name("a"), answer.clone(), Moment(turn)));
        }
        assert_eq!(lasts(names.now(&name("a"))), first);
        assert_eq!(names.before(&name("a")).count(), 0);
    }

    #[test]
    fn the_last_good_answer_stays_when_nothing_comes() {
        let mut names = Names::default();
        names.learn(&name("a"), vec![at(1, 0)], Moment(0));
        assert!(!names.learn(&name("a"), Vec::new(), Moment(1)));
        assert_eq!(lasts(names.now(&name("a"))), [1]);
    }

    #[test]
    fn of_an_answer_in_part_nothing_known_is_lost() {
        let mut names = Names::default();
        names.learn(&name("a"), vec![at(1, 10), at(2, 20)], Moment(0));
        assert!(!names.learn_part(&name("a"), vec![at(2, 20)], Moment(1)), "1 may be where it was");
        assert!(names.learn_part(&name("a"), vec![at(3, 20)], Moment(2)));
        assert_eq!(lasts(names.now(&name("a"))), [1, 2, 3]);
        assert!(!names.learn_part(&name("a"), Vec::new(), Moment(3)));
        assert!(names.learn(&name("a"), vec![at(3, 20)], Moment(4)), "a whole answer says who is gone");
        assert_eq!(lasts(names.now(&name("a"))), [3]);
    }

    #[test]
    fn an_address_that_left_an_answer_is_known_as_long_as_a_call_may_stand() {
        let mut names = Names::default();
        names.learn(&name("a"), vec![at(1, 0), at(2, 0)], Moment(0));
        assert!(names.learn(&name("a"), vec![at(2, 0)], Moment(1_000)));
        assert_eq!(names.before(&name("a")).collect::<Vec<_>>(), [at(1, 0).address]);
        assert!(!names.learn(&name("a"), vec![at(2, 0)], Moment(CALL_MS_MAX)));
        assert!(names.learn(&name("a"), vec![at(2, 0)], Moment(1_000 + CALL_MS_MAX)), "its time is over");
        assert_eq!(names.before(&name("a")).count(), 0);
        names.learn(&name("a"), vec![at(3, 0)], Moment(CALL_MS_MAX * 2));
        assert!(names.learn(&name("a"), vec![at(2, 0)], Moment(CALL_MS_MAX * 2)), "back again");
        assert_eq!(names.before(&name("a")).collect::<Vec<_>>(), [at(3, 0).address]);
    }

    #[test]
    fn nothing_grows_without_a_bound() {
        let mut names = Names::default();
        for turn in 0..200u8 {
            names.learn(&name("a"), (0..=u8::MAX).map(|last| at(last.wrapping_add(turn), 0)).collect(), Moment(0));
            assert_eq!(names.now(&name("a")).len(), ADDRESSES_PER_NAME_MAX);
            assert!(names.before(&name("a")).count() <= ADDRESSES_PER_NAME_MAX);
        }
        for number in 0..NAMES_MAX * 2 {
            names.learn(&name(&number.to_string()), vec![at(1, 0)], Moment(0));
        }
        assert_eq!(names.answers.len(), NAMES_MAX);
        let kept = [name("7"), name("none")];
        names.keep(kept.iter());
        assert_eq!(names.answers.len(), 1);
        assert_eq!(lasts(names.now(&name("7"))), [1]);
    }
}
