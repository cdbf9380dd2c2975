//! The answering end: a gateway or a call control that does what a script says (RFC 3261, section 13.3; RFC 3262).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use emcc_policies::moment::Moment;

use super::call::{Call, Phase, Step};
use super::caller::SDP;
use super::dialog::{ALLOW, Dialog, Reading, branch_of, description, reply_address, tag_of, unexpected};
use super::record::{Counts, Record};
use super::talk::Talk;
use super::transaction::Resend;
use super::{Datagram, Event, Input, Outcome, Outputs, Timers, earlier};
use crate::engine::ids::Ids;
use crate::sip::reply::Reply;
use crate::sip::{Index, Message, Method, Name, Start, scan};

/// What an answerer does with a new call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answer so many ms after the INVITE.
    Answer {
        /// In ms.
        after_ms: u64,
    },
    /// Refuse with this final status so many ms after the INVITE.
    Reject {
        /// In ms.
        after_ms: u64,
        /// 300 to 699.
        status: u16,
    },
    /// Ring until the caller gives up; 480 after [`Timers::patience_ms`].
    Ring,
    /// Say nothing at all, whatever comes.
    Silent,
}

/// What an answerer does, for every call that comes while it stands.
#[derive(Clone, Debug)]
pub struct Script {
    /// What it does with the call.
    pub behaviour: Behaviour,
    /// Whether it says 100 at once.
    pub sends_trying: bool,
    /// When it says 180, in ms after the INVITE; never where it comes later than the final response.
    pub ring_after_ms: Option<u64>,
    /// Whether the 180 is a 183 that carries a description.
    pub has_early_media: bool,
    /// Whether the 180 is reliable where the caller takes that.
    pub uses_100rel: bool,
    /// When it hangs up, in ms after its answer.
    pub hang_up_after_ms: Option<u64>,
}

impl Script {
    /// 100 and 180 at once, then `behaviour`.
    #[must_use]
    pub fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            sends_trying: true,
            ring_after_ms: Some(0),
            has_early_media: false,
            uses_100rel: false,
            hang_up_after_ms: None,
        }
    }

    /// Rings at once and answers `after_ms` after the INVITE.
    #[must_use]
    pub fn answering(after_ms: u64) -> Self {
        Self::new(Behaviour::Answer { after_ms })
    }

    /// Refuses at once.
    #[must_use]
    pub fn rejecting(status: u16) -> Self {
        Self { ring_after_ms: None, ..Self::new(Behaviour::Reject { after_ms: 0, status }) }
    }
}

/// Provisional responses that are acknowledged, of either end, and what an answer waits for.
#[derive(Debug, Default)]
pub(super) struct Reliable {
    /// RSeq a caller heard last.
    pub(super) heard: Option<u32>,
    /// RSeq an answerer sent last.
    pub(super) sent: Option<u32>,
    pub(super) resend: Resend,
    ends_at: Option<Moment>,
    /// The response said again.
    bytes: Vec<u8>,
    /// The answer waits for PRACK.
    is_answer_waiting: bool,
    /// What to do with the first INVITE; taken by it.
    pub(super) script: Option<Script>,
    has_early_media: bool,
    uses_100rel: bool,
    /// The description that went out early or waits for the 2xx, and whether a reliable response carried it.
    described: Option<(Vec<u8>, bool)>,
}

impl Reliable {
    pub(super) fn next_due(&self) -> Option<Moment> {
        earlier(self.resend.at, self.ends_at)
    }
}

/// An agent that answers: any number of calls, all by one script.
#[derive(Debug)]
pub struct Answerer {
    /// What it does with new calls.
    pub script: Script,
    /// The media new calls begin with.
    pub talk: Talk,
    /// Messages outside calls, and the sums of calls already forgotten.
    pub record: Record,
    user: String,
    me: SocketAddr,
    timers: Timers,
    ids: Ids,
    calls: BTreeMap<u64, Call>,
    next_number: u64,
    by_call_id: HashMap<Vec<u8>, Vec<u64>>,
    due: BTreeSet<(Moment, u64)>,
    index: Box<Index>,
}

impl Answerer {
    /// An answerer at `me` whose Contact has `user`. It keeps a line of up to `room` messages a call.
    #[must_use]
    pub fn new(user: &str, me: SocketAddr, script: Script, talk: Talk, timers: Timers, room: usize, ids: Ids) -> Self {
        Self {
            script,
            talk,
            record: Record::new(room),
            user: user.to_owned(),
            me,
            timers,
            ids,
            calls: BTreeMap::new(),
            next_number: 0,
            by_call_id: HashMap::new(),
            due: BTreeSet::new(),
            index: Box::default(),
        }
    }

    /// Takes a datagram or a due moment.
    pub fn handle(&mut self, now: Moment, input: Input<'_>, out: &mut Outputs) {
        match input {
            Input::Due => self.turn(now, out),
            Input::Datagram { from, bytes } => {
                // Lent for the call: the message looks into it while calls change.
                let mut index = std::mem::take(&mut self.index);
                match scan(bytes, &mut index) {
                    Ok(message) => self.message(now, from, &message, out),
                    Err(_) => self.record.counts.malformed += 1,
                }
                self.index = index;
            }
        }
    }

    /// When it next wants [`Input::Due`].
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Calls it still knows, in the order they came.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values()
    }

    /// Does something with the calls of a Call-ID that it still knows.
    pub fn with_calls(&mut self, call_id: &[u8], mut f: impl FnMut(&mut Call)) {
        for number in self.by_call_id.get(call_id).cloned().unwrap_or_default() {
            self.change(number, &mut f);
        }
    }

    /// Sums over all its messages.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.calls.values().fold(self.record.counts, |sum, call| add(sum, call.record.counts))
    }

    fn turn(&mut self, now: Moment, out: &mut Outputs) {
        while let Some((at, number)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, number));
            self.change(number, |call| call.due(now, out));
        }
    }

    /// Changes one call, keeps its deadline known and forgets it when it is gone.
    fn change(&mut self, number: u64, f: impl FnOnce(&mut Call)) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if let Some(at) = call.next_due() {
            self.due.remove(&(at, number));
        }
        f(call);
        if let Some(at) = call.next_due() {
            self.due.insert((at, number));
        }
        if !call.is_gone() {
            return;
        }
        self.record.counts = add(self.record.counts, call.record.counts);
        if let Some(numbers) = self.by_call_id.get_mut(call.call_id()) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.by_call_id.remove(call.call_id());
            }
        }
        self.calls.remove(&number);
    }

    fn message(&mut self, now: Moment, from: SocketAddr, message: &Message<'_>, out: &mut Outputs) {
        if self.script.behaviour == Behaviour::Silent {
            return self.record.received(now, from, message.bytes());
        }
        if let Some(number) = self.owner(message) {
            return self.change(number, |call| call.message(now, from, message, out));
        }
        let is_first = message.value(Name::To).and_then(tag_of).is_none();
        match message.method() {
            Some(Method::Invite) if is_first => self.invite(now, from, message, out),
            Some(Method::Options) if is_first => self.outside(now, from, 200, message, out),
            Some(Method::Ack) | None => {
                self.record.received(now, from, message.bytes());
                unexpected(&mut self.record);
            }
            Some(Method::Register | Method::Message | Method::Publish) if is_first => {
                self.outside(now, from, 200, message, out);
            }
            Some(_) => {
                unexpected(&mut self.record);
                self.outside(now, from, 481, message, out);
            }
        }
    }

    /// The call a message belongs to: by our tag, by the INVITE's branch before there is one, by ours in a response.
    fn owner(&self, message: &Message<'_>) -> Option<u64> {
        let numbers = self.by_call_id.get(message.value(Name::CallId)?)?;
        let to_tag = message.value(Name::To).and_then(tag_of);
        let branch = branch_of(message);
        let is_its = |call: &Call| match (message.start(), &to_tag) {
            (Start::Response { .. }, _) => call.clients.iter().any(|client| Some(&client.branch) == branch.as_ref()),
            (Start::Request { .. }, Some(tag)) => call.dialog.local_tag == *tag,
            (Start::Request { .. }, None) => call.servers.iter().any(|server| Some(&server.branch) == branch.as_ref()),
        };
        numbers.iter().copied().find(|number| self.calls.get(number).is_some_and(is_its))
    }

    fn invite(&mut self, now: Moment, from: SocketAddr, message: &Message<'_>, out: &mut Outputs) {
        let tag = self.ids.next_hex();
        let ids = Ids::new(self.ids.next_u64(), self.next_number);
        let Some(dialog) = Dialog::of_invite(message, from, self.me, self.user.as_bytes(), &tag) else {
            unexpected(&mut self.record);
            return self.outside(now, from, 400, message, out);
        };
        let number = self.next_number;
        self.next_number += 1;
        let mut call = Call::new(dialog, self.talk.clone(), ids, self.timers, self.record.room());
        call.reliable.script = Some(self.script.clone());
        self.by_call_id.entry(call.call_id().to_vec()).or_default().push(number);
        self.calls.insert(number, call);
        self.change(number, |call| call.message(now, from, message, out));
    }

    fn outside(&mut self, now: Moment, from: SocketAddr, status: u16, message: &Message<'_>, out: &mut Outputs) {
        self.record.received(now, from, message.bytes());
        let Some(to) = reply_address(message, from) else { return };
        let tag = self.ids.next_hex();
        let reply = Reply {
            to_tag: std::str::from_utf8(&tag).ok(),
            source: Some(from),
            headers: &[("Allow", ALLOW)],
            ..Reply::new(status)
        };
        let mut bytes = Vec::new();
        if reply.write(message, &mut bytes).is_some() {
            self.record.sent(now, to, &bytes, false);
            out.sends.push(Datagram { to, bytes });
        }
    }
}

fn add(a: Counts, b: Counts) -> Counts {
    Counts {
        sent: a.sent + b.sent,
        received: a.received + b.received,
        retransmitted: a.retransmitted + b.retransmitted,
        duplicates: a.duplicates + b.duplicates,
        unexpected: a.unexpected + b.unexpected,
        malformed: a.malformed + b.malformed,
    }
}

impl Call {
    /// The first INVITE: what the script says is put on the list.
    pub(super) fn invited(
        &mut self,
        now: Moment,
        place: usize,
        script: &Script,
        message: &Message<'_>,
        out: &mut Outputs,
    ) {
        self.event(out, Event::Invited);
        if script.sends_trying {
            self.respond(now, place, &Reply::new(100), out);
        }
        self.reliable.has_early_media = script.has_early_media;
        self.reliable.uses_100rel = script.uses_100rel && message.has_option(Name::Supported, b"100rel");
        self.hang_up_after_ms = script.hang_up_after_ms;
        let last = match script.behaviour {
            Behaviour::Answer { after_ms } => Some((after_ms, Step::Answer)),
            Behaviour::Reject { after_ms, status } => Some((after_ms, Step::Reject(status))),
            // A caller that vanished never cancels.
            Behaviour::Ring | Behaviour::Silent => Some((self.timers.patience_ms, Step::Reject(480))),
        };
        let status = if script.has_early_media { 183 } else { 180 };
        let ring = script.ring_after_ms.filter(|ring_ms| last.is_none_or(|(last_ms, _)| *ring_ms <= last_ms));
        self.steps.extend(ring.map(|after_ms| (now.plus_ms(after_ms), Step::Ring(status))));
        self.steps.extend(last.map(|(after_ms, step)| (now.plus_ms(after_ms), step)));
        self.due(now, out);
    }

    fn open_invite(&self) -> Option<usize> {
        self.servers.iter().position(|server| server.method == Method::Invite && !server.is_final())
    }

    /// Says 180 or 183.
    pub(super) fn ring(&mut self, now: Moment, status: u16, out: &mut Outputs) {
        let Some(place) = self.open_invite() else { return };
        let is_reliable = self.reliable.uses_100rel;
        // An INVITE without an offer gets one in the first reliable response (RFC 3262, section 5).
        let has_body = self.reliable.has_early_media || (is_reliable && !self.has_offered(place));
        if has_body && !self.describe(place, is_reliable) {
            return self.reject(now, 488, out);
        }
        let described = self.reliable.described.as_ref().filter(|_| has_body).map(|(sdp, _)| sdp.clone());
        let contact = self.dialog.contact.clone();
        let rseq = self.reliable.sent.map_or_else(|| (self.ids.next_u64() as u32 & 0xffff) + 1, |last| last + 1);
        let rseq_text = rseq.to_string();
        let mut headers: Vec<(&str, &[u8])> = vec![("Contact", &contact)];
        if is_reliable {
            headers.extend([("Require", &b"100rel"[..]), ("RSeq", rseq_text.as_bytes())]);
        }
        let body = described.as_deref().map(|sdp| (SDP, sdp));
        let reply = Reply { headers: &headers, body, has_record_route: true, ..Reply::new(status) };
        self.respond(now, place, &reply, out);
        if is_reliable {
            self.reliable.sent = Some(rseq);
            self.reliable.bytes = self.servers.get(place).map(|server| server.response.clone()).unwrap_or_default();
            self.reliable.resend = Resend::every(now, &self.timers, None);
            self.reliable.ends_at = Some(now.plus_ms(self.timers.whole_ms()));
        }
        if has_body {
            self.tell_agreed(out);
        }
    }

    /// Says 200, as soon as what was said reliably is acknowledged.
    pub(super) fn answer(&mut self, now: Moment, out: &mut Outputs) {
        let Some(place) = self.open_invite() else { return };
        if self.reliable.resend.at.is_some() {
            self.reliable.is_answer_waiting = true;
            return;
        }
        if !self.describe(place, false) {
            return self.reject(now, 488, out);
        }
        let described = self.reliable.described.take();
        let body = described.as_ref().filter(|(_, was_reliable)| !was_reliable).map(|(sdp, _)| (SDP, sdp.as_slice()));
        let contact = self.dialog.contact.clone();
        let headers: [(&str, &[u8]); 3] = [("Contact", &contact), ("Allow", ALLOW), ("Supported", b"100rel")];
        self.respond(now, place, &Reply { headers: &headers, body, has_record_route: true, ..Reply::new(200) }, out);
        self.phase = Phase::Up;
        self.outcome = Some(Outcome::Answered);
        self.reliable = Reliable { sent: self.reliable.sent, ..Reliable::default() };
        self.event(out, Event::Answered);
        if body.is_some() {
            self.tell_agreed(out);
        }
        self.steps.extend(self.hang_up_after_ms.map(|ms| (now.plus_ms(ms), Step::HangUp)));
    }

    /// Refuses a call that is not answered.
    pub(super) fn reject(&mut self, now: Moment, status: u16, out: &mut Outputs) {
        let Some(place) = self.open_invite() else { return };
        self.respond(now, place, &Reply::new(status), out);
        self.failed(Outcome::Refused(status), out);
    }

    fn has_offered(&self, place: usize) -> bool {
        let mut index = Index::new();
        let request = self.servers.get(place).map(|server| scan(&server.request, &mut index));
        matches!(request, Some(Ok(request)) if !description(&request).is_empty())
    }

    /// Makes the answer to the INVITE's offer, or our offer where it has none; `false` where nothing can be agreed.
    fn describe(&mut self, place: usize, is_reliable: bool) -> bool {
        if self.reliable.described.is_some() {
            return true;
        }
        let Some(server) = self.servers.get(place) else { return false };
        let mut index = Index::new();
        let Ok(request) = scan(&server.request, &mut index) else { return false };
        let sdp = match description(&request) {
            [] => Some(self.talk.offer()),
            offer => self.talk.answer(offer),
        };
        self.reliable.described = sdp.map(|sdp| (sdp, is_reliable));
        self.reliable.described.is_some()
    }

    /// PRACK: of the last reliable response, with the answer to its offer or with an offer of its own.
    pub(super) fn acknowledged_early(&mut self, now: Moment, place: usize, message: &Message<'_>, out: &mut Outputs) {
        let rack = message
            .value_spelled("RAck")
            .and_then(|value| std::str::from_utf8(value).ok()?.split_ascii_whitespace().next()?.parse::<u32>().ok());
        if rack.is_none() || rack != self.reliable.sent || self.reliable.resend.at.is_none() {
            unexpected(&mut self.record);
            return self.respond(now, place, &Reply::new(481), out);
        }
        self.reliable.resend.stop();
        self.reliable.ends_at = None;
        let answer = self.description_came(description(message), out);
        let body = answer.as_deref().map(|sdp| (SDP, sdp));
        self.respond(now, place, &Reply { body, ..Reply::new(200) }, out);
        self.event(out, Event::Asked(Method::Prack));
        if self.reliable.is_answer_waiting {
            self.answer(now, out);
        }
    }

    /// Says a reliable response again, and refuses the call when nobody acknowledges it (RFC 3262, section 3).
    pub(super) fn reliable_due(&mut self, now: Moment, out: &mut Outputs) {
        if self.reliable.ends_at.is_some_and(|at| at <= now) {
            self.reliable.resend.stop();
            self.reliable.ends_at = None;
            return self.reject(now, 500, out);
        }
        if self.reliable.resend.is_due(now) {
            let to = self.open_invite().and_then(|place| self.servers.get(place)).map(|server| server.to);
            if let Some(to) = to {
                let bytes = self.reliable.bytes.clone();
                self.send_bytes(now, to, bytes, true, out);
            }
        }
    }
}
