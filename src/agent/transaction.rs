//! An agent's own transactions over datagrams: what it must say again, until when (RFC 3261, section 17; RFC 6026).

use std::net::SocketAddr;

use emcc_policies::moment::Moment;

use super::{Timers, earlier};
use crate::sip::Method;

/// When something is said again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resend {
    pub(super) at: Option<Moment>,
    wait_ms: u64,
    /// Longest interval; none where it doubles for ever (Timer A).
    longest_ms: Option<u64>,
}

impl Resend {
    pub(super) fn every(now: Moment, timers: &Timers, longest_ms: Option<u64>) -> Self {
        Self { at: Some(now.plus_ms(timers.t1_ms)), wait_ms: timers.t1_ms, longest_ms }
    }

    pub(super) fn stop(&mut self) {
        self.at = None;
    }

    /// Whether it is time; the next time is then twice as far away.
    pub(super) fn is_due(&mut self, now: Moment) -> bool {
        if self.at.is_none_or(|at| at > now) {
            return false;
        }
        self.wait_ms = self.wait_ms.saturating_mul(2).min(self.longest_ms.unwrap_or(u64::MAX));
        self.at = Some(now.plus_ms(self.wait_ms));
        true
    }
}

/// How far a request of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing came.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// This final status came; kept for its repetitions.
    Done(u16),
}

/// A request of ours.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) method: Method,
    pub(super) cseq: u32,
    pub(super) branch: Vec<u8>,
    pub(super) bytes: Vec<u8>,
    pub(super) to: SocketAddr,
    pub(super) stage: Stage,
    pub(super) resend: Resend,
    pub(super) ends_at: Option<Moment>,
    /// ACK of the final response, said again with each repetition.
    pub(super) ack: Option<(SocketAddr, Vec<u8>)>,
    /// CANCEL goes out with the first provisional response (RFC 3261, section 9.1).
    pub(super) wants_cancel: bool,
    /// Whether the request carried an offer.
    pub(super) has_offer: bool,
}

impl Client {
    pub(super) fn next_due(&self) -> Option<Moment> {
        earlier(self.resend.at, self.ends_at)
    }
}

/// A request of theirs.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) method: Method,
    pub(super) cseq: u32,
    pub(super) branch: Vec<u8>,
    /// Where responses go.
    pub(super) to: SocketAddr,
    /// The request, for responses that come later; empty once a final one is written.
    pub(super) request: Vec<u8>,
    /// The last response, empty while there is none.
    pub(super) response: Vec<u8>,
    /// Its status; 0 while there is none.
    pub(super) status: u16,
    pub(super) is_acknowledged: bool,
    pub(super) resend: Resend,
    pub(super) ends_at: Option<Moment>,
}

impl Server {
    pub(super) fn is_final(&self) -> bool {
        self.status >= 200
    }

    pub(super) fn next_due(&self) -> Option<Moment> {
        earlier(self.resend.at, self.ends_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_double_up_to_the_longest() {
        let timers = Timers::default();
        for (longest_ms, want) in
            [(None, vec![500, 1_500, 3_500, 7_500, 15_500]), (Some(1_000), vec![500, 1_500, 2_500])]
        {
            let mut resend = Resend::every(Moment(0), &timers, longest_ms);
            for at in want {
                assert_eq!(resend.at, Some(Moment(at)));
                assert!(!resend.is_due(Moment(at - 1)));
                assert!(resend.is_due(Moment(at)));
            }
            resend.stop();
            assert!(!resend.is_due(Moment(u64::MAX)));
        }
    }
}
