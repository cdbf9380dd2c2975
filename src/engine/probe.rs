//! Health of neighbours on the wire: an OPTIONS without any mark to each address in turn, and what every answer, or
//! silence, says of who should have sent it. The keepalive of a trunk (V-5) is another matter and takes no part.

use super::Turn;
use super::effects::Silence;
use super::forward::Launch;
use super::hunt::Failure;
use super::keep;
use super::watch::Watch;
use crate::limits::PROBES_PER_BEAT_MAX;
use crate::neighbour::health::{Event, Standing};
use crate::neighbour::{Address, Flow, Transport};
use crate::sip::{Message, Method, Name};
use crate::transaction::row::Purpose;
use emcc_policies::moment::Moment;

impl Turn<'_> {
    /// A second has passed: probes that are due leave.
    pub(crate) fn beat(&mut self) {
        let running = self.running.clone();
        let (times, now) = (running.plan.sip.probes, self.now.moment);
        // Nothing may have come for as long: then nobody else has closed the last interval.
        self.engine.overload.settle(now);
        let (mut is_any_unwell, mut sent) = (false, 0);
        // Where more are due than one beat probes, the next beat begins behind them.
        let begins = (now.0 / 1_000) as usize * PROBES_PER_BEAT_MAX % running.watches.iter().count().max(1);
        for watch in running.watches.iter().skip(begins).chain(running.watches.iter().take(begins)) {
            let chance = self.ids.next_u64();
            let is_due = watch.with(|health| {
                is_any_unwell |= !health.is_well(now);
                sent < PROBES_PER_BEAT_MAX && health.is_due(now, &times, chance)
            });
            if is_due {
                sent += 1;
                self.send_probe(watch);
            }
        }
        self.engine.note_unwell(is_any_unwell);
    }

    fn send_probe(&mut self, watch: &Watch) {
        let running = self.running.clone();
        let way = running.way(watch.address(), 0).and_then(|flow| Some((flow, running.local(flow)?)));
        let Some((flow, local)) = way else { return self.heard_of(watch, Event::ProbeLost) };
        let branch = self.branch();
        let (call_id, tag) = (self.ids.next_hex(), self.ids.next_hex());
        let Some(build) = keep::options(local, flow, &branch, &call_id, &tag) else { return };
        let range = build.write(&mut self.effects.arena);
        let key = self.client_key(&branch, b"OPTIONS");
        // A full table says nothing of the neighbour.
        if self.launch(key, flow, range, Launch::own(Purpose::Probe, Method::Options)) {
            self.engine.counters.probe_sent();
        }
    }

    /// A final response came from where a request went.
    pub(crate) fn answered_by(&mut self, flow: Flow, purpose: Purpose, message: &Message<'_>, status: u16) {
        let is_probe = purpose == Purpose::Probe;
        if is_probe {
            self.engine.counters.probe_answered();
        }
        // The common case costs a look at a flag.
        if status != 503 && !self.engine.is_any_unwell() && !is_probe {
            return;
        }
        let Some(watch) = self.running.watches.at(address_of(flow)).cloned() else { return };
        if status != 503 {
            return self.heard_of(&watch, Event::Answered);
        }
        // RFC 3261 section 21.5.4: without Retry-After it is as good as a 500, but a probe answered so found nobody who
        // would take a call.
        if let Some(seconds) = message.number(Name::RetryAfter).filter(|seconds| *seconds > 0) {
            watch.with(|health| health.asked_for_rest(seconds, self.now.moment));
            self.engine.note_unwell(true);
            self.engine.counters.neighbour_rests();
        }
        self.heard_of(&watch, if is_probe { Event::ProbeLost } else { Event::TrafficLost });
    }

    /// Nothing came back from where a request went, or it could not leave.
    pub(crate) fn unanswered_by(&mut self, flow: Flow, purpose: Purpose, failure: Failure) {
        if !matches!(failure, Failure::Silent | Failure::Unreachable) {
            return;
        }
        let is_probe = purpose == Purpose::Probe;
        if is_probe {
            self.engine.counters.probe_lost();
        }
        if let Some(watch) = self.running.watches.at(address_of(flow)).cloned() {
            if failure == Failure::Silent && flow.transport != Transport::Udp {
                // The kernel behind it may take every octet while nobody reads them: the next request is to find a fresh
                // connection. One that something came by since is left alone.
                let sip = &self.running.plan.sip;
                let waited_ms = sip.no_response_ms.min(sip.probes.timeout_ms);
                let since = Moment(self.now.moment.0.saturating_sub(waited_ms));
                self.effects.silences.push(Silence { flow, since });
            }
            self.heard_of(&watch, if is_probe { Event::ProbeLost } else { Event::TrafficLost });
        }
    }

    fn heard_of(&mut self, watch: &Watch, event: Event) {
        let times = self.running.plan.sip.probes;
        let changed = watch.with(|health| health.heard(event, self.now.moment, &times));
        let Some((before, standing)) = changed else { return };
        if standing != Standing::Up {
            self.engine.note_unwell(true);
        }
        self.engine.counters.neighbour_changed(standing);
        let what = match (before, standing) {
            (_, Standing::Down) => "an address of a neighbour is down",
            (Standing::Down, _) => "an address of a neighbour is up again",
            _ => return,
        };
        self.raise(what, None, format!("{} at {}", watch.neighbour(), watch.address()));
    }
}

/// Where the other end of a flow of ours listens.
pub(crate) fn address_of(flow: Flow) -> Address {
    Address { transport: flow.transport, socket: flow.remote }
}
