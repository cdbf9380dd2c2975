//! Which UDP addresses have shown that they hear us.
//!
//! A datagram's source can be forged, and what we answer then goes to somebody who never asked. So a neighbour's address
//! counts as verified for one hour after it sent something that only a reader of our messages can know: an ACK with a
//! tag of ours, a request in a dialog, a response with a branch of ours. Until then a refusal to it is no longer than
//! the request, and is sent once.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ahash::RandomState;
use emcc_policies::moment::Moment;

use crate::limits::VERIFIED_ADDRESSES_MAX;

/// How long an address stays verified, minutes; counted in whole ones, so up to one less.
const MINUTES: u64 = 60;
/// Places an address may stand in; with all of them taken it displaces the one heard of longest ago.
const WAYS: usize = 2;
const MINUTE_MS: u64 = 60_000;
/// The lower bits of a place hold the minute, the upper ones the address's mark.
const MINUTE_BITS: u32 = 24;

/// Addresses and the minute they were last heard, each in one word: noting and asking take no lock, and noting one
/// that was noted in the same minute writes nothing.
pub(crate) struct Verified {
    places: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Verified {
    /// Nobody yet. `seed` is random in service, so that nobody outside can aim at an address's place.
    pub(crate) fn new(seed: u64) -> Self {
        let places = (0..VERIFIED_ADDRESSES_MAX).map(|_| AtomicU64::new(0)).collect();
        Self { places, hasher: RandomState::with_seeds(seed, 43, 47, 53) }
    }

    /// The address has shown that it hears us.
    pub(crate) fn note(&self, ip: IpAddr, now: Moment) {
        let (places, mark) = self.places_of(ip);
        let word = mark | minute(now);
        let mut oldest = None;
        for place in places {
            let held = place.load(Relaxed);
            if held & !minute_mask() == mark {
                if held != word {
                    place.store(word, Relaxed);
                }
                return;
            }
            let age = held & minute_mask();
            if oldest.is_none_or(|(_, least)| age < least) {
                oldest = Some((place, age));
            }
        }
        if let Some((place, _)) = oldest {
            place.store(word, Relaxed);
        }
    }

    /// Whether it has done so within the last hour.
    pub(crate) fn holds(&self, ip: IpAddr, now: Moment) -> bool {
        let (places, mark) = self.places_of(ip);
        places.iter().any(|place| {
            let held = place.load(Relaxed);
            held & !minute_mask() == mark && held & minute_mask() != 0 && minute(now) < (held & minute_mask()) + MINUTES
        })
    }

    fn places_of(&self, ip: IpAddr) -> (&[AtomicU64], u64) {
        let hash = self.hasher.hash_one(ip.to_canonical());
        let sets = (self.places.len() / WAYS).max(1) as u64;
        let first = usize::try_from(hash % sets).unwrap_or(0) * WAYS;
        (self.places.get(first..first + WAYS).unwrap_or_default(), hash & !minute_mask())
    }
}

/// Minutes since the start, from one: nought stands for never.
fn minute(now: Moment) -> u64 {
    (now.0 / MINUTE_MS + 1) & minute_mask()
}

const fn minute_mask() -> u64 {
    (1 << MINUTE_BITS) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(number: u32) -> IpAddr {
        IpAddr::from((0x7f00_0000 + number).to_be_bytes())
    }

    #[test]
    fn an_address_stays_verified_for_an_hour_after_it_was_heard_last() {
        let verified = Verified::new(7);
        let at = |minutes: u64| Moment(minutes * MINUTE_MS + 30_000);
        assert!(!verified.holds(ip(1), at(0)));
        verified.note(ip(1), at(0));
        assert!(verified.holds(ip(1), at(0)) && verified.holds(ip(1), at(59)) && !verified.holds(ip(1), at(60)));
        assert!(!verified.holds(ip(2), at(0)), "another address is not concerned");
        verified.note(ip(1), at(59));
        assert!(verified.holds(ip(1), at(118)) && !verified.holds(ip(1), at(119)));
    }

    #[test]
    fn an_ipv4_address_is_the_same_on_a_socket_of_both_families() {
        let verified = Verified::new(7);
        verified.note("::ffff:127.0.0.1".parse().unwrap(), Moment(0));
        assert!(verified.holds("127.0.0.1".parse().unwrap(), Moment(0)));
        assert!(!verified.holds("::1".parse().unwrap(), Moment(0)));
    }

    #[test]
    fn any_number_of_addresses_takes_no_more_room_and_the_latest_is_there() {
        let verified = Verified::new(7);
        for number in 0..4 * VERIFIED_ADDRESSES_MAX as u32 {
            verified.note(ip(number), Moment(u64::from(number)));
            assert!(verified.holds(ip(number), Moment(u64::from(number))));
        }
        assert_eq!(verified.places.len(), VERIFIED_ADDRESSES_MAX);
        let held =
            (0..4 * VERIFIED_ADDRESSES_MAX as u32).filter(|number| verified.holds(ip(*number), Moment(0))).count();
        assert!(held <= VERIFIED_ADDRESSES_MAX, "{held}");
    }
}
