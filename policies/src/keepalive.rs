//! The RSVP SIP trunk's keepalive towards one remote cluster (V-4, V-5): two silent intervals and what is held with it
//! is released.
//!
//! State is kept per pair of clusters, not per call. The wire form, the ledger and the clock belong to the caller: it
//! says when something is held and when something was heard, and asks [`Keepalive::poll`] what to do. A remote cluster of
//! several addresses is silent when none of them is heard: one that does not answer gives the turn to the next.

use crate::moment::Moment;

/// Shortest interval a configuration may ask for, in seconds.
pub const INTERVAL_S_MIN: u16 = 1;
/// Longest interval a configuration may ask for, in seconds.
pub const INTERVAL_S_MAX: u16 = 600;
/// Interval where the configuration is silent, in seconds.
pub const INTERVAL_S_DEFAULT: u16 = 15;

/// Silent intervals after which the remote cluster counts as lost (V-4).
const SILENT_INTERVALS: u64 = 2;

/// What the caller must do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing before `next`; nothing at all without one.
    Nothing {
        /// When to ask again.
        next: Option<Moment>,
    },
    /// Send a KeepAlive.
    Send {
        /// When to ask again.
        next: Moment,
    },
    /// The remote cluster is lost: release everything held with it. Said once for what is held.
    Lost {
        /// When to ask again: probing goes on. It may already be due.
        next: Moment,
    },
}

/// What hearing from the remote cluster means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was there all along.
    Noted,
    /// It was lost and is back: calls that live on may be reserved again. Said once a loss.
    Back,
}

/// What a start time in a remote cluster's KeepAlive says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEpoch {
    /// The start we knew, or the first we hear of.
    Same,
    /// It has been started anew and has lost its books.
    Restarted,
}

/// An exchange that is under way.
#[derive(Clone, Copy, Debug)]
struct Watch {
    next_send: Moment,
    /// The latest KeepAlive or acknowledgment, at first the first reservation; `None` when lost and nothing is held.
    last_heard: Option<Moment>,
    /// Lost, and not heard since.
    is_lost: bool,
    /// When the latest KeepAlive was sent, where nothing was heard since.
    unanswered: Option<Moment>,
    /// How often an address that stayed silent gave the turn to the next.
    turn: usize,
}

/// The keepalive towards one remote cluster.
#[derive(Debug)]
pub struct Keepalive {
    interval_ms: u64,
    /// Addresses of the remote cluster, at least 1.
    addresses: u16,
    watch: Option<Watch>,
    peer_epoch: Option<u64>,
}

impl Keepalive {
    /// An idle keepalive of `interval_s` seconds; `None` outside 1 to 600 s.
    #[must_use]
    pub fn new(interval_s: u16) -> Option<Self> {
        let interval_ms = interval_ms(interval_s)?;
        Some(Self { interval_ms, addresses: 1, watch: None, peer_epoch: None })
    }

    /// A new interval, as on reload: it counts for the silence at once, for sending after the send already planned.
    /// False, and nothing changed, outside 1 to 600 s.
    pub fn set_interval(&mut self, interval_s: u16) -> bool {
        let Some(ms) = interval_ms(interval_s) else { return false };
        self.interval_ms = ms;
        true
    }

    /// How many addresses the remote cluster has; none counts as one. While one stays silent, the next is asked after an
    /// interval's part: all of them are asked within one interval, before the silence of two.
    pub fn set_addresses(&mut self, addresses: usize) {
        self.addresses = u16::try_from(addresses).unwrap_or(u16::MAX).max(1);
    }

    /// How many turns were given on: the place of the address to ask, counted round and round.
    #[must_use]
    pub fn turn(&self) -> usize {
        self.watch.map_or(0, |watch| watch.turn)
    }

    /// From one address that stays silent to the next; `None` where there is no other.
    fn step_ms(&self) -> Option<u64> {
        (self.addresses > 1).then(|| self.interval_ms.div_ceil(u64::from(self.addresses)))
    }

    /// Something is held with the remote cluster: the first reservation starts the silence and plans the first send one
    /// interval later. Repeating it changes nothing. A reservation made while the remote cluster is lost starts a
    /// silence of its own, so that nothing stays held with a silent cluster; see [`Keepalive::is_lost`].
    pub fn resources_held(&mut self, now: Moment) {
        let next_send = now.plus_ms(self.interval_ms);
        let new = Watch { next_send, last_heard: None, is_lost: false, unanswered: None, turn: 0 };
        let watch = self.watch.get_or_insert(new);
        watch.last_heard.get_or_insert(now);
    }

    /// Nothing is held any more and no call wants back what it lost: the exchange ends.
    pub const fn resources_gone(&mut self) {
        self.watch = None;
    }

    /// A KeepAlive or an acknowledgment came from the remote cluster.
    pub fn heard(&mut self, now: Moment) -> Heard {
        let Some(watch) = &mut self.watch else { return Heard::Noted };
        // Several workers read the clock, so moments may come slightly out of order.
        watch.last_heard = watch.last_heard.max(Some(now));
        watch.unanswered = None;
        if std::mem::take(&mut watch.is_lost) { Heard::Back } else { Heard::Noted }
    }

    /// What to do at `now`, and when to ask again. A late question never makes up for the sends it missed.
    pub fn poll(&mut self, now: Moment) -> Action {
        let (interval_ms, step_ms) = (self.interval_ms, self.step_ms());
        let Some(watch) = &mut self.watch else { return Action::Nothing { next: None } };
        if watch.silent_at(interval_ms).is_some_and(|silent_at| now >= silent_at) {
            watch.last_heard = None;
            watch.is_lost = true;
            return Action::Lost { next: watch.next_send };
        }
        let is_beat = now >= watch.next_send;
        if !is_beat && watch.next_turn(step_ms).is_none_or(|at| now < at) {
            return Action::Nothing { next: Some(watch.next(interval_ms, step_ms)) };
        }
        if watch.unanswered.replace(now).is_some() {
            watch.turn = watch.turn.wrapping_add(1);
        }
        if is_beat {
            let on_beat = watch.next_send.plus_ms(interval_ms);
            watch.next_send = if on_beat > now { on_beat } else { now.plus_ms(interval_ms) };
        }
        Action::Send { next: watch.next(interval_ms, step_ms) }
    }

    /// When [`Keepalive::poll`] has something to say; `None` while nothing is held.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.watch.map(|watch| watch.next(self.interval_ms, self.step_ms()))
    }

    /// The remote cluster was silent for two intervals and has not been heard since. There is no point in reserving
    /// again before [`Heard::Back`].
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.watch.is_some_and(|watch| watch.is_lost)
    }

    /// Notes the start the remote cluster names in its KeepAlive (Unix seconds). Any other than the known one is a
    /// restart, an earlier one too: its clock may have been set back.
    pub fn peer_epoch(&mut self, epoch: u64) -> PeerEpoch {
        match self.peer_epoch.replace(epoch) {
            Some(known) if known != epoch => PeerEpoch::Restarted,
            _ => PeerEpoch::Same,
        }
    }
}

impl Watch {
    fn silent_at(&self, interval_ms: u64) -> Option<Moment> {
        self.last_heard.map(|heard| heard.plus_ms(SILENT_INTERVALS.saturating_mul(interval_ms)))
    }

    /// When the address asked last has been silent for long enough that the next is asked.
    fn next_turn(&self, step_ms: Option<u64>) -> Option<Moment> {
        Some(self.unanswered?.plus_ms(step_ms?))
    }

    fn next(&self, interval_ms: u64, step_ms: Option<u64>) -> Moment {
        let sooner = [self.silent_at(interval_ms), self.next_turn(step_ms)];
        sooner.into_iter().flatten().fold(self.next_send, Moment::min)
    }
}

fn interval_ms(interval_s: u16) -> Option<u64> {
    (INTERVAL_S_MIN..=INTERVAL_S_MAX).contains(&interval_s).then_some(u64::from(interval_s) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(seconds: u64) -> Moment {
        Moment(seconds * 1_000)
    }

    fn keepalive(interval_s: u16) -> Keepalive {
        Keepalive::new(interval_s).unwrap()
    }

    #[test]
    fn an_interval_is_one_to_six_hundred_seconds() {
        for (interval_s, fits) in [(0, false), (1, true), (15, true), (600, true), (601, false), (u16::MAX, false)] {
            assert_eq!(Keepalive::new(interval_s).is_some(), fits, "{interval_s}");
            assert_eq!(keepalive(15).set_interval(interval_s), fits, "{interval_s}");
        }
        assert!(Keepalive::new(INTERVAL_S_DEFAULT).is_some());
    }

    /// Trap 17: T = 15, a KeepAlive at 0 and an acknowledgment at 20: released at 50, not at 30.
    #[test]
    fn two_intervals_count_from_the_last_of_any_message() {
        let mut k = keepalive(15);
        k.resources_held(s(0));
        assert_eq!(k.heard(s(0)), Heard::Noted);
        assert_eq!(k.poll(s(15)), Action::Send { next: s(30) });
        assert_eq!(k.heard(s(20)), Heard::Noted);
        assert_eq!(k.poll(s(30)), Action::Send { next: s(45) });
        assert_eq!(k.poll(s(45)), Action::Send { next: s(50) }, "the silence ends before the next send");
        assert_eq!(k.poll(Moment(49_999)), Action::Nothing { next: Some(s(50)) });
        assert_eq!(k.poll(s(50)), Action::Lost { next: s(60) });
        assert!(k.is_lost());
    }

    #[test]
    fn nothing_is_sent_while_nothing_is_held() {
        let mut k = keepalive(15);
        assert_eq!(k.poll(s(100)), Action::Nothing { next: None });
        assert_eq!(k.heard(s(100)), Heard::Noted);
        k.resources_held(s(100));
        assert_eq!(k.poll(s(100)), Action::Nothing { next: Some(s(115)) });
        k.resources_gone();
        assert_eq!(k.poll(s(500)), Action::Nothing { next: None });
    }

    #[test]
    fn the_silence_starts_at_the_first_reservation_and_not_at_later_ones() {
        let mut k = keepalive(10);
        k.resources_held(s(7));
        k.resources_held(s(20));
        assert_eq!(k.poll(s(20)), Action::Send { next: s(27) });
        assert_eq!(k.poll(s(27)), Action::Lost { next: s(27) }, "the send due at the same moment is next");
        assert_eq!(k.poll(s(27)), Action::Send { next: s(37) });
    }

    #[test]
    fn a_lost_cluster_is_probed_until_it_is_back_and_back_is_said_once() {
        let mut k = keepalive(15);
        k.resources_held(s(0));
        assert_eq!(k.poll(s(15)), Action::Send { next: s(30) });
        assert_eq!(k.poll(s(30)), Action::Lost { next: s(30) });
        for beat in 2..10 {
            assert_eq!(k.poll(s(15 * beat)), Action::Send { next: s(15 * (beat + 1)) }, "no second loss");
        }
        assert_eq!(k.heard(s(151)), Heard::Back);
        assert_eq!(k.heard(s(152)), Heard::Noted);
        assert!(!k.is_lost());
        assert_eq!(k.poll(s(181)), Action::Send { next: s(182) });
        assert_eq!(k.poll(s(182)), Action::Lost { next: s(196) }, "a new silence is a new loss");
    }

    #[test]
    fn a_reservation_made_while_lost_is_released_in_its_turn() {
        let mut k = keepalive(15);
        k.resources_held(s(0));
        assert_eq!(k.poll(s(30)), Action::Lost { next: s(15) });
        k.resources_held(s(40));
        assert!(k.is_lost());
        assert_eq!(k.poll(s(40)), Action::Send { next: s(55) });
        assert_eq!(k.poll(s(70)), Action::Lost { next: s(55) });
        assert_eq!(k.heard(s(71)), Heard::Back);
    }

    #[test]
    fn when_the_last_call_has_gone_a_loss_is_forgotten() {
        let mut k = keepalive(15);
        k.resources_held(s(0));
        assert_eq!(k.poll(s(30)), Action::Lost { next: s(15) });
        k.resources_gone();
        assert!(!k.is_lost());
        assert_eq!(k.heard(s(31)), Heard::Noted);
        k.resources_held(s(100));
        assert_eq!(k.poll(s(100)), Action::Nothing { next: Some(s(115)) });
    }

    #[test]
    fn a_late_question_sends_once() {
        let mut k = keepalive(15);
        k.resources_held(s(0));
        k.heard(s(100));
        assert_eq!(k.poll(s(101)), Action::Send { next: s(116) });
        assert_eq!(k.poll(s(102)), Action::Nothing { next: Some(s(116)) });
    }

    #[test]
    fn a_new_interval_counts_for_the_silence_at_once() {
        let mut k = keepalive(600);
        k.resources_held(s(0));
        assert!(k.set_interval(10));
        assert_eq!(k.poll(s(19)), Action::Nothing { next: Some(s(20)) });
        assert_eq!(k.poll(s(20)), Action::Lost { next: s(600) });
    }

    #[test]
    fn v_4_every_address_is_asked_before_the_cluster_is_lost() {
        let mut k = keepalive(15);
        k.set_addresses(3);
        k.resources_held(s(0));
        for (at, next, turn) in [(15, 20, 0), (20, 25, 1), (25, 30, 2)] {
            assert_eq!((k.poll(s(at)), k.turn()), (Action::Send { next: s(next) }, turn), "{at}");
        }
        assert_eq!(k.poll(s(30)), Action::Lost { next: s(30) });
        assert_eq!((k.poll(s(30)), k.turn()), (Action::Send { next: s(35) }, 3), "and the first again");
    }

    #[test]
    fn v_4_who_answered_is_asked_again() {
        let mut k = keepalive(15);
        k.set_addresses(2);
        k.resources_held(s(0));
        assert_eq!(k.poll(s(15)), Action::Send { next: Moment(22_500) });
        assert_eq!(k.poll(Moment(22_500)), Action::Send { next: s(30) });
        assert_eq!(k.heard(s(23)), Heard::Noted);
        for beat in 2..5 {
            assert_eq!(k.poll(s(15 * beat)), Action::Send { next: Moment(15_000 * beat + 7_500) });
            assert_eq!(k.turn(), 1, "the one that answers keeps its turn");
            assert_eq!(k.heard(s(15 * beat + 1)), Heard::Noted);
            assert_eq!(k.poll(s(15 * beat + 10)), Action::Nothing { next: Some(s(15 * (beat + 1))) }, "once a beat");
        }
    }

    #[test]
    fn another_start_time_is_a_restart() {
        let mut k = keepalive(15);
        for (epoch, want) in [
            (1_000, PeerEpoch::Same),
            (1_000, PeerEpoch::Same),
            (2_000, PeerEpoch::Restarted),
            (2_000, PeerEpoch::Same),
            (1_500, PeerEpoch::Restarted),
        ] {
            assert_eq!(k.peer_epoch(epoch), want, "{epoch}");
        }
    }

    proptest! {
        /// A peer that is heard at the given moments and a clock that asks every `tick_ms`.
        #[test]
        fn a_silence_is_a_loss_exactly_once_and_nothing_else_is(
            interval_s in 1u16..20, addresses in 1usize..5, tick_ms in 100u64..5_000,
            gaps_ms in prop::collection::vec(1u64..100_000, 0..40),
        ) {
            let mut k = keepalive(interval_s);
            k.set_addresses(addresses);
            let two_intervals = 2_000 * u64::from(interval_s);
            k.resources_held(Moment(0));
            let (mut now, mut last_heard, mut lost, mut last_sent) = (0, 0, false, 0);
            for gap in gaps_ms {
                let heard_at = last_heard + gap;
                while now + tick_ms < heard_at {
                    now += tick_ms;
                    match k.poll(Moment(now)) {
                        Action::Lost { .. } => {
                            prop_assert!(!lost, "lost twice in one silence");
                            prop_assert!(now - last_heard >= two_intervals);
                            lost = true;
                        }
                        Action::Send { next } => {
                            prop_assert!(next > Moment(now));
                            // One tick late itself, one more when the loss took the turn before it, and one for
                            // each address that gave its turn on late.
                            let (apart_ms, late) = (1_000 * u64::from(interval_s) / addresses as u64, addresses as u64 + 1);
                            prop_assert!(now - last_sent + late * tick_ms >= apart_ms);
                            last_sent = now;
                        }
                        Action::Nothing { next } => prop_assert!(next.is_some_and(|next| next > Moment(now))),
                    }
                    prop_assert_eq!(lost, now - last_heard >= two_intervals);
                    prop_assert_eq!(k.is_lost(), lost);
                }
                last_heard = heard_at;
                let want = if std::mem::take(&mut lost) { Heard::Back } else { Heard::Noted };
                prop_assert_eq!(k.heard(Moment(heard_at)), want);
            }
        }

        /// Asking only when told to is enough: the loss comes at exactly two intervals.
        #[test]
        fn following_next_finds_every_deadline(
            interval_s in 1u16..=600, addresses in 1usize..=4, start_ms in 0u64..1_000_000,
        ) {
            let mut k = keepalive(interval_s);
            k.set_addresses(addresses);
            let mut asked = Vec::new();
            let interval_ms = 1_000 * u64::from(interval_s);
            k.resources_held(Moment(start_ms));
            let mut at = Moment(start_ms);
            for turn in 0..10 {
                at = match k.poll(at) {
                    Action::Nothing { next } => next.unwrap(),
                    Action::Send { next } => {
                        asked.push(k.turn());
                        next
                    }
                    Action::Lost { .. } => {
                        prop_assert_eq!(at, Moment(start_ms + 2 * interval_ms));
                        prop_assert_eq!(asked, (0..addresses).collect::<Vec<_>>());
                        return Ok(());
                    }
                };
                prop_assert!(turn < 9, "never lost");
            }
        }
    }
}
