//! One call as one of its ends sees it: what both kinds of agent share.

use std::net::SocketAddr;

use emcc_policies::moment::Moment;

use super::answerer::Reliable;
use super::dialog::{Dialog, Reading, branch_of, reply_address, unexpected};
use super::record::Record;
use super::talk::Talk;
use super::transaction::{Client, Resend, Server, Stage};
use super::{Datagram, Event, Outcome, Outputs, Timers, earlier};
use crate::engine::ids::Ids;
use crate::sip::reply::Reply;
use crate::sip::{Index, Message, Method, Name, Start, scan};

/// Where a call is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No final response yet.
    Early,
    /// Answered.
    Up,
    /// Our BYE is out.
    Leaving,
    /// Nothing will happen but repetitions.
    Over,
}

/// Something a script does at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send 180 or 183.
    Ring(u16),
    /// Send 200.
    Answer,
    /// Send this final status.
    Reject(u16),
    /// Send BYE.
    HangUp,
    /// Send CANCEL.
    Cancel,
}

/// One end of one call.
#[derive(Debug)]
pub struct Call {
    /// What it saw.
    pub record: Record,
    /// Its media.
    pub talk: Talk,
    pub(super) dialog: Dialog,
    pub(super) clients: Vec<Client>,
    pub(super) servers: Vec<Server>,
    pub(super) phase: Phase,
    pub(super) outcome: Option<Outcome>,
    pub(super) ids: Ids,
    pub(super) timers: Timers,
    pub(super) steps: Vec<(Moment, Step)>,
    /// A BYE waits until our 2xx is acknowledged (RFC 3261, section 15).
    pub(super) wants_hang_up: bool,
    /// After the answer, when this end hangs up.
    pub(super) hang_up_after_ms: Option<u64>,
    pub(super) reliable: Reliable,
}

impl Call {
    pub(super) fn new(dialog: Dialog, talk: Talk, ids: Ids, timers: Timers, room: usize) -> Self {
        Self {
            record: Record::new(room),
            talk,
            dialog,
            clients: Vec::new(),
            servers: Vec::new(),
            phase: Phase::Early,
            outcome: None,
            ids,
            timers,
            steps: Vec::new(),
            wants_hang_up: false,
            hang_up_after_ms: None,
            reliable: Reliable::default(),
        }
    }

    /// Its Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &[u8] {
        &self.dialog.call_id
    }

    /// How the attempt ended; `None` while it goes on.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Whether it is answered and nobody has hung up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Whether nothing will happen any more but repetitions.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether even repetitions are past: the call can be forgotten.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.is_over() && self.clients.is_empty() && self.servers.is_empty()
    }

    /// When it next wants [`super::Input::Due`].
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        let clients = self.clients.iter().filter_map(Client::next_due);
        let servers = self.servers.iter().filter_map(Server::next_due);
        let steps = self.steps.iter().map(|(at, _)| *at);
        let all = clients.chain(servers).chain(steps).min();
        earlier(all, self.reliable.next_due())
    }

    /// A message of this call.
    pub(super) fn message(&mut self, now: Moment, from: SocketAddr, message: &Message<'_>, out: &mut Outputs) {
        self.record.received(now, from, message.bytes());
        match message.start() {
            Start::Request { method, .. } => self.request(now, from, method, message, out),
            Start::Response { status, .. } => self.response(now, status, message, out),
        }
    }

    fn response(&mut self, now: Moment, status: u16, message: &Message<'_>, out: &mut Outputs) {
        let cseq = message.value(Name::CSeq).and_then(|value| crate::sip::CSeq::parse(value).ok());
        let branch = branch_of(message);
        let place = cseq.and_then(|cseq| {
            let is_its = |client: &Client| {
                client.cseq == cseq.number && client.method == cseq.method && Some(&client.branch) == branch.as_ref()
            };
            self.clients.iter().position(is_its)
        });
        match place.and_then(|place| Some((place, self.clients.get(place)?.method))) {
            None => unexpected(&mut self.record),
            Some((place, Method::Invite)) => self.invite_response(now, place, status, message, out),
            Some((place, _)) => self.plain_response(now, place, status, message, out),
        }
    }

    fn request(&mut self, now: Moment, from: SocketAddr, method: Method, message: &Message<'_>, out: &mut Outputs) {
        let (Some(branch), Some(cseq)) = (branch_of(message), message.cseq_number()) else {
            return unexpected(&mut self.record);
        };
        if method == Method::Ack {
            return self.acknowledged(now, cseq, message, out);
        }
        let known = self.servers.iter().position(|server| server.branch == branch && server.method == method);
        if let Some(server) = known.and_then(|place| self.servers.get(place)) {
            self.record.was_duplicate();
            let (to, response) = (server.to, server.response.clone());
            if !response.is_empty() {
                self.send_bytes(now, to, response, true, out);
            }
            return;
        }
        let Some(to) = reply_address(message, from) else { return unexpected(&mut self.record) };
        self.servers.push(Server {
            method,
            cseq,
            branch,
            to,
            request: message.bytes().to_vec(),
            response: Vec::new(),
            status: 0,
            is_acknowledged: false,
            resend: Resend::default(),
            ends_at: None,
        });
        let place = self.servers.len() - 1;
        self.within(now, place, method, message, out);
    }

    /// Everything that has come due.
    pub(super) fn due(&mut self, now: Moment, out: &mut Outputs) {
        self.clients_due(now, out);
        self.servers_due(now, out);
        self.reliable_due(now, out);
        while let Some(place) = self.steps.iter().position(|(at, _)| *at <= now) {
            let (_, step) = self.steps.remove(place);
            match step {
                Step::Ring(status) => self.ring(now, status, out),
                Step::Answer => self.answer(now, out),
                Step::Reject(status) => self.reject(now, status, out),
                Step::HangUp => self.hang_up(now, out),
                Step::Cancel => self.cancel(now, out),
            }
        }
    }

    fn clients_due(&mut self, now: Moment, out: &mut Outputs) {
        let mut resent = Vec::new();
        let mut ended = Vec::new();
        self.clients.retain_mut(|client| {
            if client.ends_at.is_some_and(|at| at <= now) {
                ended.push((client.method, client.stage));
                return false;
            }
            if client.resend.is_due(now) {
                resent.push((client.to, client.bytes.clone()));
            }
            true
        });
        for (to, bytes) in resent {
            self.send_bytes(now, to, bytes, true, out);
        }
        for (method, stage) in ended {
            if !matches!(stage, Stage::Done(_)) {
                self.gave_up(now, method, out);
            }
        }
    }

    fn servers_due(&mut self, now: Moment, out: &mut Outputs) {
        let mut resent = Vec::new();
        let mut is_unacknowledged = false;
        self.servers.retain_mut(|server| {
            if server.ends_at.is_some_and(|at| at <= now) {
                let is_answer = server.method == Method::Invite && server.status < 300;
                is_unacknowledged |= is_answer && !server.is_acknowledged;
                return false;
            }
            if server.resend.is_due(now) {
                resent.push((server.to, server.response.clone()));
            }
            true
        });
        for (to, bytes) in resent {
            self.send_bytes(now, to, bytes, true, out);
        }
        if is_unacknowledged && self.phase == Phase::Up {
            // RFC 3261, section 13.3.1.4: the session is ended, for the caller may believe in it.
            if self.outcome == Some(Outcome::Answered) && !self.wants_hang_up {
                self.outcome = Some(Outcome::Unacknowledged);
                self.event(out, Event::Failed(Outcome::Unacknowledged));
            }
            self.bye(now, out);
        }
    }

    /// Sends a request of ours and keeps it until it is answered.
    pub(super) fn ask(
        &mut self,
        now: Moment,
        method: Method,
        headers: &[(&str, &[u8])],
        body: Option<(&str, &[u8])>,
        out: &mut Outputs,
    ) {
        self.dialog.cseq = self.dialog.cseq.saturating_add(1);
        let cseq = self.dialog.cseq;
        let branch = self.next_branch();
        let bytes = self.dialog.request(method, cseq, &branch, headers, body);
        let to = self.dialog.destination();
        self.send_new(now, Sending { method, cseq, branch, to, has_offer: false }, bytes, out);
    }

    pub(super) fn send_new(&mut self, now: Moment, sending: Sending, bytes: Vec<u8>, out: &mut Outputs) {
        let Sending { method, cseq, branch, to, has_offer } = sending;
        let longest_ms = (method != Method::Invite).then_some(self.timers.t2_ms);
        self.clients.push(Client {
            method,
            cseq,
            branch,
            bytes: bytes.clone(),
            to,
            stage: Stage::Trying,
            resend: Resend::every(now, &self.timers, longest_ms),
            ends_at: Some(now.plus_ms(self.timers.whole_ms())),
            ack: None,
            wants_cancel: false,
            has_offer,
        });
        self.send_bytes(now, to, bytes, false, out);
    }

    /// Answers one of their requests; a final response ends what the row may still say.
    pub(super) fn respond(&mut self, now: Moment, place: usize, reply: &Reply<'_>, out: &mut Outputs) {
        let Some(server) = self.servers.get_mut(place) else { return };
        if server.is_final() {
            return;
        }
        let mut index = Index::new();
        let Ok(request) = scan(&server.request, &mut index) else { return };
        let tag = String::from_utf8_lossy(&self.dialog.local_tag).into_owned();
        let reply = Reply { to_tag: Some(&tag), source: Some(server.to), ..*reply };
        let mut bytes = Vec::with_capacity(1_024);
        if reply.write(&request, &mut bytes).is_none() {
            return;
        }
        server.status = reply.status;
        server.response = bytes.clone();
        if server.is_final() {
            server.ends_at = Some(now.plus_ms(self.timers.whole_ms()));
            server.request = Vec::new();
            if server.method == Method::Invite {
                server.resend = Resend::every(now, &self.timers, Some(self.timers.t2_ms));
            }
        }
        let to = server.to;
        self.send_bytes(now, to, bytes, false, out);
    }

    pub(super) fn send_bytes(
        &mut self,
        now: Moment,
        to: SocketAddr,
        bytes: Vec<u8>,
        is_repeated: bool,
        out: &mut Outputs,
    ) {
        self.record.sent(now, to, &bytes, is_repeated);
        out.sends.push(Datagram { to, bytes });
    }

    pub(super) fn event(&self, out: &mut Outputs, event: Event) {
        out.events.push((self.dialog.call_id.clone(), event));
    }

    pub(super) fn next_branch(&mut self) -> Vec<u8> {
        [b"z9hG4bK", &self.ids.next_hex()[..]].concat()
    }

    /// The attempt came to nothing.
    pub(super) fn failed(&mut self, outcome: Outcome, out: &mut Outputs) {
        self.over();
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            self.event(out, Event::Failed(outcome));
        }
    }

    /// Nothing is planned any more.
    pub(super) fn over(&mut self) {
        self.phase = Phase::Over;
        self.steps.clear();
        self.reliable = Reliable::default();
    }

    /// Tells once that both sides agreed on media.
    pub(super) fn tell_agreed(&self, out: &mut Outputs) {
        if let Some(agreed) = self.talk.agreed() {
            self.event(out, Event::Agreed(agreed.clone()));
        }
    }
}

/// What [`Call::send_new`] needs to know of a request.
pub(super) struct Sending {
    pub(super) method: Method,
    pub(super) cseq: u32,
    pub(super) branch: Vec<u8>,
    pub(super) to: SocketAddr,
    pub(super) has_offer: bool,
}
