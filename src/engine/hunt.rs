//! When the next hop is tried, and which failure goes back when there is none (P-8, RFC 3261 section 16.7).

use emcc_policies::moment::Moment;

use super::reject::{Refusal, Reject};

/// How one hop failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It sent nothing in its time, not even 100.
    Silent,
    /// The request could not be sent to it.
    Unreachable,
    /// The request may not be sent over it, for this reason of ours.
    Barred(Refusal),
    /// It said no more than 100 for long, or is no neighbour any more: an emergency call tries the next one beside it.
    Overtaken,
    /// It spoke and is known to be dead or restarted since, noticed at that moment: an emergency call tries the next one
    /// beside it, and asks it again where there is none.
    Lost(Moment),
    /// It asked for less than it gets, and is spared this one (RFC 7339).
    Overloaded,
    /// It rang longer than a phone may ring.
    RangTooLong,
    /// It answered with that status.
    Status(u16),
}

impl Failure {
    /// Whether it may be the location this node put into the call that made the hop fail: it takes no such body, or cannot
    /// use the place; of an emergency call also that the body or the message is too much for it, or, where no other hop is
    /// left (`is_last`), for the network on the way: one that loses fragments loses every copy.
    #[must_use]
    pub fn is_of_a_location(self, is_emergency: bool, is_last: bool) -> bool {
        match self {
            Self::Status(415 | 424) => true,
            Self::Status(400 | 406 | 413 | 513) => is_emergency,
            Self::Silent => is_emergency && is_last,
            _ => false,
        }
    }

    /// Whether it may be the codecs of the offer that made the hop fail (RFC 3261, sections 21.4.13, 21.4.26 and 21.6.4).
    #[must_use]
    pub fn is_of_the_codecs(self) -> bool {
        matches!(self, Self::Status(415 | 488 | 606))
    }

    /// The status it counts as among the failures of a call, and whose word that is where it is ours.
    #[must_use]
    pub fn verdict(self) -> Option<(u16, Option<Refusal>)> {
        match self {
            Self::Status(status) => Some((status, None)),
            Self::Barred(refusal) => Some((Reject::Refusal(refusal).answer().status, Some(refusal))),
            Self::Silent
            | Self::Unreachable
            | Self::Overtaken
            | Self::Lost(_)
            | Self::Overloaded
            | Self::RangTooLong => None,
        }
    }
}

/// What is known of the call when a hop fails.
#[derive(Clone, Copy, Debug)]
pub struct Hunt {
    /// An emergency call goes on after every failure.
    pub is_emergency: bool,
    /// The caller gave up: nothing more is tried.
    pub is_cancelled: bool,
    /// The hop rang before it failed.
    pub alerted: bool,
    /// The hop is a gateway.
    pub is_gateway: bool,
}

impl Hunt {
    /// Whether the next hop is tried after this failure (P-8).
    #[must_use]
    pub fn goes_on(self, failure: Failure) -> bool {
        if self.is_cancelled {
            return false;
        }
        if self.is_emergency {
            return true;
        }
        match failure {
            Failure::Silent
            | Failure::Unreachable
            | Failure::Overtaken
            | Failure::Lost(_)
            | Failure::Overloaded
            | Failure::RangTooLong
            | Failure::Barred(_) => true,
            Failure::Status(480) => !self.alerted,
            Failure::Status(488) => self.is_gateway,
            Failure::Status(status) => status == 408 || (500..=599).contains(&status),
        }
    }
}

/// How good a failure is to send back; lower is better (RFC 3261 section 16.7, step 6).
#[must_use]
pub fn rank(status: u16) -> u16 {
    match status {
        600..=699 => 0,
        300..=399 => 10,
        // Of their class they tell the caller how to do better.
        401 | 407 | 415 | 420 | 484 => 20,
        400..=499 => 30,
        503 => 50,
        _ => 40,
    }
}

/// The status that leaves for a status that came: a 503 speaks for the node that sent it, never for us.
#[must_use]
pub fn outward(status: u16) -> u16 {
    if status == 503 { 500 } else { status }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Hunt = Hunt { is_emergency: false, is_cancelled: false, alerted: false, is_gateway: true };

    #[test]
    fn g_17_a_hop_that_may_have_failed_for_our_location_is_known_by_its_status() {
        for status in 300..=699 {
            let (always, in_an_emergency) = (matches!(status, 415 | 424), matches!(status, 400 | 406 | 413 | 513));
            for is_last in [false, true] {
                assert_eq!(Failure::Status(status).is_of_a_location(false, is_last), always, "{status}");
                assert_eq!(
                    Failure::Status(status).is_of_a_location(true, is_last),
                    always || in_an_emergency,
                    "{status}"
                );
            }
        }
        for (is_emergency, is_last) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_eq!(Failure::Silent.is_of_a_location(is_emergency, is_last), is_emergency && is_last);
            for other in [Failure::Unreachable, Failure::Overtaken, Failure::Overloaded, Failure::RangTooLong] {
                assert!(!other.is_of_a_location(is_emergency, is_last), "{other:?}");
            }
        }
    }

    #[test]
    fn p_8_says_which_failures_are_followed_by_the_next_hop() {
        for (failure, want) in [
            (Failure::Silent, true),
            (Failure::Unreachable, true),
            (Failure::Overtaken, true),
            (Failure::Lost(Moment(1)), true),
            (Failure::Overloaded, true),
            (Failure::RangTooLong, true),
            (Failure::Barred(Refusal::KeysInClear), true),
            (Failure::Status(408), true),
            (Failure::Status(480), true),
            (Failure::Status(488), true),
            (Failure::Status(500), true),
            (Failure::Status(503), true),
            (Failure::Status(599), true),
            (Failure::Status(302), false),
            (Failure::Status(404), false),
            (Failure::Status(486), false),
            (Failure::Status(487), false),
            (Failure::Status(600), false),
            (Failure::Status(603), false),
        ] {
            assert_eq!(PLAIN.goes_on(failure), want, "{failure:?}");
        }
        assert!(!Hunt { alerted: true, ..PLAIN }.goes_on(Failure::Status(480)), "it rang");
        assert!(!Hunt { is_gateway: false, ..PLAIN }.goes_on(Failure::Status(488)), "P-8 names gateways");
    }

    #[test]
    fn p_8_an_emergency_call_goes_on_after_every_failure_but_its_own_cancel() {
        let emergency = Hunt { is_emergency: true, alerted: true, ..PLAIN };
        for status in [302, 403, 404, 480, 486, 487, 488, 503, 600, 603] {
            assert!(emergency.goes_on(Failure::Status(status)), "{status}");
        }
        assert!(!Hunt { is_cancelled: true, ..emergency }.goes_on(Failure::Status(487)));
    }

    #[test]
    fn the_best_failure_goes_back_and_503_as_500() {
        let best = |statuses: &[u16]| statuses.iter().copied().min_by_key(|status| rank(*status)).map(outward);
        assert_eq!(best(&[503, 480, 603]), Some(603));
        assert_eq!(best(&[503, 404, 407]), Some(407));
        assert_eq!(best(&[500, 404]), Some(404));
        assert_eq!(best(&[503, 500]), Some(500));
        assert_eq!(best(&[503]), Some(500));
        // A class before what helps within the next one.
        assert_eq!((best(&[484, 302]), best(&[401, 302, 603])), (Some(302), Some(603)));
    }
}
