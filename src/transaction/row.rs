//! A transaction as it stands in the table: its machine, its flow, what it may have to repeat, and its deadlines.

use bytes::Bytes;
use emcc_policies::moment::Moment;

use super::key::{CallKey, Party, TransactionKey};
use super::{LIFETIME_MS, T1_MS, T2_MS, T4_MS, TIMER_D_MS, client, client_invite, server, server_invite};
use crate::neighbour::Flow;

/// Which of the four machines runs, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// INVITE that came to us.
    ServerInvite(server_invite::State),
    /// Any other request that came to us.
    Server(server::State),
    /// INVITE that we sent.
    ClientInvite(client_invite::State),
    /// Any other request that we sent.
    Client(client::State),
}

/// What a client transaction is for, so that its outcome finds its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The INVITE that sets up a call: its failures are followed by the next hop (P-8).
    Hunt,
    /// A request passed on as it came; its responses go back the same way.
    Pass,
    /// A phone's REGISTER passed on to call control, at that place in the order of its addresses.
    Register {
        /// From 0.
        place: u8,
        /// No other follows.
        is_last: bool,
    },
    /// A BYE passed on: its outcome ends the call.
    PassBye,
    /// Our own CANCEL.
    Cancel,
    /// Our own BYE.
    Bye,
    /// Our own keepalive to the remote cluster of that slot (V-5).
    Keepalive(u16),
    /// Our own health probe.
    Probe,
    /// None: the row is a server transaction.
    Server,
}

/// What a request asked of its session's timer when it left (RFC 4028 section 8.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked(u32);

impl Asked {
    const UAC_AWARE: u32 = 1 << 31;

    /// That interval, in seconds, and whether the sender supports session timers.
    #[must_use]
    pub fn new(interval_s: u32, is_uac_aware: bool) -> Self {
        let interval_s = interval_s.min(Self::UAC_AWARE - 1);
        Self(if is_uac_aware { interval_s | Self::UAC_AWARE } else { interval_s })
    }

    /// The session interval it left with, seconds; 0 for none.
    #[must_use]
    pub fn interval_s(self) -> u32 {
        self.0 & !Self::UAC_AWARE
    }

    /// Whether its sender supports session timers.
    #[must_use]
    pub fn is_uac_aware(self) -> bool {
        self.0 & Self::UAC_AWARE != 0
    }
}

/// When a row repeats itself and when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Next retransmission, if any (Timers A, E, G).
    pub resend_at: Option<Moment>,
    /// Interval that led to it, milliseconds.
    pub interval_ms: u64,
    /// Deadline of the state (Timers B to D, F, H to M).
    pub ends_at: Moment,
    /// Earliest hint that waits in a wheel for this row; nothing is pushed when one waits that is early enough.
    pub armed: Option<Moment>,
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Row {
    /// The machine.
    pub machine: Machine,
    /// Server: where responses go. Client: where the request went.
    pub flow: Flow,
    /// Server: the request as it came, where replies may have to be made from it later. Client: the request as sent.
    pub request: Bytes,
    /// Server: the last response that went out. Client: the values of the Reason header of a CANCEL that is pending.
    pub response: Bytes,
    /// Server: the client transaction now at work for it. Client: the server transaction it works for.
    pub partner: Option<TransactionKey>,
    /// The call it belongs to.
    pub call: Option<CallKey>,
    /// What a client transaction is for.
    pub purpose: Purpose,
    /// Whether the request carried a session description, so that one in its response is an answer (RFC 3264).
    pub offered: bool,
    /// What the request asked of session timers, so that the answer can be understood (RFC 4028).
    pub session: Asked,
    /// Which party's side the request came from.
    pub by: Party,
    /// Whether ringing may last as long as it likes: an emergency call's.
    pub is_patient: bool,
    /// Server: whether the request went on with another top Via or CSeq than it came with, so that every response is
    /// given those it came with.
    pub is_mended: bool,
    /// Client: whether the request went out by a second stream, the first having ended before anything was heard.
    pub is_sent_again: bool,
    /// Client: whether the other end closed the stream that the request went by, and has said nothing since.
    pub is_cut: bool,
    /// Whether a CANCEL is to go out, or went out, for it (RFC 3261 section 9.1).
    pub cancel: Cancel,
    /// Deadlines.
    pub timing: Timing,
}

/// Three rows of every call stand for 64 T1.
const _: () = assert!(size_of::<Row>() <= 288);

/// Whether a client INVITE transaction was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// Nobody wants that.
    No,
    /// Wanted; a CANCEL may not go before the first provisional response.
    Pending,
    /// Sent.
    Sent,
}

impl Timing {
    /// A first transmission at `now` that is repeated after T1 on an unreliable transport and ends `life_ms` later.
    #[must_use]
    pub fn started(now: Moment, is_reliable: bool, life_ms: u64) -> Self {
        Self {
            resend_at: (!is_reliable).then(|| now.plus_ms(T1_MS)),
            interval_ms: T1_MS,
            ends_at: now.plus_ms(life_ms),
            armed: None,
        }
    }

    /// No retransmission, an end `life_ms` from `now`.
    #[must_use]
    pub fn waiting(now: Moment, life_ms: u64) -> Self {
        Self { resend_at: None, interval_ms: 0, ends_at: now.plus_ms(life_ms), armed: None }
    }

    /// The next moment something happens.
    #[must_use]
    pub fn next(&self) -> Moment {
        self.resend_at.map_or(self.ends_at, |resend| resend.min(self.ends_at))
    }

    /// The deadline a hint is needed for, or `None` when one waits that is early enough.
    pub fn arm(&mut self) -> Option<Moment> {
        let next = self.next();
        if self.armed.is_some_and(|armed| armed <= next) {
            return None;
        }
        self.armed = Some(next);
        Some(next)
    }

    /// Waits for nothing but an end `life_ms` from `now`.
    pub fn wait(&mut self, now: Moment, life_ms: u64) {
        self.resend_at = None;
        self.ends_at = now.plus_ms(life_ms);
    }

    /// Doubles the interval up to `interval_ms_max` and sets the next retransmission.
    pub fn repeat(&mut self, now: Moment, interval_ms_max: u64) {
        self.interval_ms = self.interval_ms.saturating_mul(2).min(interval_ms_max);
        self.resend_at = Some(now.plus_ms(self.interval_ms));
    }
}

impl Row {
    /// Whether the row is over and may be removed.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(
            self.machine,
            Machine::ServerInvite(server_invite::State::Gone)
                | Machine::Server(server::State::Gone)
                | Machine::ClientInvite(client_invite::State::Gone)
                | Machine::Client(client::State::Gone)
        )
    }

    /// Gives back the bytes nothing can need any more: an answered INVITE's, and those of a request that has its final
    /// response. They would stay for 64 T1. Those of one that was mended stay: a 2xx may come again, and is written by them.
    pub fn let_go(&mut self) {
        let is_done = matches!(
            self.machine,
            Machine::ServerInvite(server_invite::State::Accepted)
                | Machine::ClientInvite(client_invite::State::Accepted)
                | Machine::Client(client::State::Completed | client::State::Gone)
        );
        if is_done && !self.is_mended {
            self.request = Bytes::new();
        }
    }

    /// Sets the deadlines that belong to the state just entered (RFC 3261 table 4, RFC 6026).
    pub fn enter(&mut self, now: Moment) {
        let is_reliable = self.flow.transport.is_reliable();
        let timing = &mut self.timing;
        match self.machine {
            Machine::ServerInvite(server_invite::State::Accepted) => timing.wait(now, LIFETIME_MS),
            Machine::ServerInvite(server_invite::State::Completed) => {
                let armed = timing.armed;
                *timing = Timing { armed, ..Timing::started(now, is_reliable, LIFETIME_MS) };
            }
            Machine::ServerInvite(server_invite::State::Confirmed) => timing.wait(now, after(is_reliable, T4_MS)),
            Machine::Server(server::State::Completed) => timing.wait(now, after(is_reliable, LIFETIME_MS)),
            Machine::ClientInvite(client_invite::State::Completed) => timing.wait(now, after(is_reliable, TIMER_D_MS)),
            Machine::ClientInvite(client_invite::State::Accepted | client_invite::State::Abandoned) => {
                timing.wait(now, LIFETIME_MS);
            }
            Machine::Client(client::State::Proceeding) => {
                // RFC 3261 17.1.2.2: once a provisional came, the interval is T2 at once.
                timing.interval_ms = T2_MS;
            }
            Machine::Client(client::State::Completed) => timing.wait(now, after(is_reliable, T4_MS)),
            _ => {}
        }
    }
}

/// Timers D, I, J and K are zero on a reliable transport.
fn after(is_reliable: bool, ms: u64) -> u64 {
    if is_reliable { 0 } else { ms }
}
