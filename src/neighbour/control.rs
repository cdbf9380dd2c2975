//! What neighbours say of their load, and which new requests they are spared (RFC 7339, RFC 7415).
//!
//! Only what sets up something new is spared: requests inside a dialog, emergency and priority calls always go (RFC 7339
//! section 5.10.1 leaves the choice to local policy).

use emcc_policies::moment::Moment;

use super::Address;
use crate::limits::{CONTROL_VALIDITY_MS_MAX, CONTROLLED_MAX};
use crate::sip::control::{Algorithm, ControlRef, Sequence};
use crate::table::{Inserted, Table};

/// A request costs so many of the parts a bucket is counted in: a rate of 1 a second is one part a millisecond.
const REQUEST_PARTS: u64 = 1_000;
/// A bucket holds what the rate gives in this time, and one request at least: a smaller one refuses bursts that the
/// neighbour would not notice.
const BURST_MS: u64 = 250;

/// Every neighbour that reported a load, by address.
pub struct Controls {
    told: Table<Address, Told>,
}

/// What one neighbour said last.
#[derive(Clone, Copy, Debug)]
struct Told {
    algorithm: Algorithm,
    value: u32,
    until: Moment,
    sequence: Sequence,
    /// Of the rate algorithm: what may still be sent, and when that was reckoned.
    parts: u64,
    reckoned: Moment,
}

impl Controls {
    /// Nobody reported anything. `seed` is that of the table's hashes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { told: Table::new(CONTROLLED_MAX, seed) }
    }

    /// Whether nobody ever reported a load: the one look on the way of every call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// A response of that neighbour carried a report. One older than the last is late, not news (RFC 7339 section 4.4),
    /// unless the last one's time is over: then the neighbour may have begun to count anew.
    pub fn hear(&self, from: Address, said: ControlRef, now: Moment) {
        let known = self.told.with(&from, |told| {
            if now >= told.until || said.sequence >= told.sequence {
                told.hear(said, now);
            }
        });
        let is_calm = said.validity_ms == 0 || said.algorithm == Algorithm::Loss && said.value == 0;
        if known.is_none() && !is_calm {
            // A full table, or another worker that was faster: the next response says it again.
            let _: Result<Inserted, _> = self.told.insert(from, Told::new(said, now));
        }
    }

    /// Whether a new request may go to that neighbour now. `draw` is the same for every copy of the request.
    #[must_use]
    pub fn admits(&self, to: Address, draw: u64, now: Moment) -> bool {
        self.told.with(&to, |told| told.admits(draw, now)).unwrap_or(true)
    }
}

impl Told {
    fn new(said: ControlRef, now: Moment) -> Self {
        let mut told = Self {
            algorithm: said.algorithm,
            value: said.value,
            until: now,
            sequence: said.sequence,
            parts: 0,
            reckoned: now,
        };
        told.parts = told.parts_max();
        told.hear(said, now);
        told
    }

    fn hear(&mut self, said: ControlRef, now: Moment) {
        self.reckon(now);
        let is_new = self.algorithm != said.algorithm;
        (self.algorithm, self.value, self.sequence) = (said.algorithm, said.value, said.sequence);
        self.until = now.plus_ms(u64::from(said.validity_ms).min(CONTROL_VALIDITY_MS_MAX));
        self.parts = if is_new { self.parts_max() } else { self.parts.min(self.parts_max()) };
    }

    fn admits(&mut self, draw: u64, now: Moment) -> bool {
        if now >= self.until {
            return true;
        }
        match self.algorithm {
            Algorithm::Loss => draw % 100 >= u64::from(self.value),
            Algorithm::Rate => {
                self.reckon(now);
                let left = self.parts.checked_sub(REQUEST_PARTS);
                self.parts = left.unwrap_or(self.parts);
                left.is_some()
            }
        }
    }

    /// Adds what the rate gave since the last time.
    fn reckon(&mut self, now: Moment) {
        let gained = now.since_ms(self.reckoned).saturating_mul(u64::from(self.value));
        self.parts = self.parts.saturating_add(gained).min(self.parts_max());
        self.reckoned = now;
    }

    fn parts_max(&self) -> u64 {
        if self.value == 0 { 0 } else { (BURST_MS * u64::from(self.value)).max(REQUEST_PARTS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbour::Transport;
    use crate::sip::ViaRef;

    fn at(port: u16) -> Address {
        Address { transport: Transport::Udp, socket: ([127, 0, 0, 1], port).into() }
    }

    fn said(params: &str) -> ControlRef {
        ControlRef::of(&ViaRef::parse(format!("SIP/2.0/UDP h;branch=z9hG4bK1{params}").as_bytes()).unwrap()).unwrap()
    }

    fn admitted(controls: &Controls, to: Address, now: u64) -> usize {
        (0..1_000_u64)
            .filter(|draw| controls.admits(to, draw.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8, Moment(now)))
            .count()
    }

    #[test]
    fn rfc_7339_the_share_asked_for_is_left_out_for_as_long_as_it_holds() {
        let controls = Controls::new(7);
        assert!(controls.is_empty() && controls.admits(at(1), 0, Moment(0)));
        controls.hear(at(1), said(";oc=20;oc-algo=\"loss\";oc-validity=500;oc-seq=1282321615.782"), Moment(1_000));
        assert!((760..=840).contains(&admitted(&controls, at(1), 1_499)), "{}", admitted(&controls, at(1), 1_499));
        assert_eq!(admitted(&controls, at(2), 1_499), 1_000, "another neighbour");
        assert_eq!(admitted(&controls, at(1), 1_500), 1_000, "its time is over");
        controls.hear(at(1), said(";oc=100;oc-algo=\"loss\";oc-seq=1282321616.0"), Moment(2_000));
        assert_eq!(admitted(&controls, at(1), 2_499), 0, "500 ms where it does not say");
    }

    #[test]
    fn rfc_7339_section_4_4_an_older_report_changes_nothing_and_validity_0_ends_the_control() {
        let controls = Controls::new(7);
        let hear = |params: &str, now| controls.hear(at(1), said(params), Moment(now));
        hear(";oc=100;oc-validity=5000;oc-seq=10.5", 0);
        hear(";oc=0;oc-validity=5000;oc-seq=10.4", 10);
        assert_eq!(admitted(&controls, at(1), 20), 0, "overtaken on the way");
        hear(";oc=0;oc-validity=0;oc-seq=10.6", 30);
        assert_eq!(admitted(&controls, at(1), 31), 1_000);
        // A neighbour that was started anew counts from below, and is heard once the old word is void.
        hear(";oc=100;oc-validity=100;oc-seq=3.0", 40);
        assert_eq!(admitted(&controls, at(1), 41), 0);
    }

    #[test]
    fn a_report_of_no_load_takes_no_row_and_none_holds_for_ever() {
        let controls = Controls::new(7);
        controls.hear(at(1), said(";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1.1"), Moment(0));
        controls.hear(at(1), said(";oc=0;oc-algo=\"loss\";oc-validity=500;oc-seq=1.1"), Moment(0));
        assert!(controls.is_empty());
        controls.hear(at(1), said(";oc=100;oc-validity=4000000000"), Moment(0));
        assert_eq!(admitted(&controls, at(1), CONTROL_VALIDITY_MS_MAX), 1_000);
        for port in 2..=u16::MAX {
            controls.hear(at(port), said(";oc=100"), Moment(0));
        }
        assert!(controls.told.len() <= CONTROLLED_MAX);
    }

    #[test]
    fn rfc_7415_no_second_sees_more_than_the_rate_and_one_burst() {
        for rate in [1_u64, 3, 40, 150, 2_000] {
            let controls = Controls::new(7);
            let mut sent = Vec::new();
            for now in 0..10_000_u64 {
                if now % 100 == 0 {
                    let params = format!(";oc={rate};oc-algo=\"rate\";oc-validity=1000;oc-seq={}.0", 100 + now);
                    controls.hear(at(1), said(&params), Moment(now));
                }
                // Three offered a millisecond, whatever the rate.
                sent.extend((0..3).filter(|_| controls.admits(at(1), 0, Moment(now))).map(|_| now));
            }
            let burst = (rate / 4).max(1);
            for from in (0..9_000).step_by(50) {
                let second = sent.iter().filter(|at| (from..from + 1_000).contains(*at)).count() as u64;
                assert!(second <= rate + burst + 1, "rate {rate}: {second} in the second from {from}");
            }
            assert!(sent.len() as u64 >= 10 * rate - 1, "rate {rate}: {} in ten seconds", sent.len());
        }
        let none = Controls::new(7);
        none.hear(at(1), said(";oc=0;oc-algo=\"rate\";oc-validity=1000"), Moment(0));
        assert_eq!(admitted(&none, at(1), 999), 0);
        assert_eq!(admitted(&none, at(1), 1_000), 1_000);
    }
}
