//! Requests within a dialog, in both directions (RFC 3261, sections 12, 14 and 15; RFC 3311; RFC 6086).

use emcc_policies::moment::Moment;

use super::call::{Call, Phase, Sending};
use super::caller::SDP;
use super::dialog::{ALLOW, Reading, description, unexpected};
use super::transaction::{Client, Stage};
use super::{Event, Outcome, Outputs};
use crate::sip::reply::Reply;
use crate::sip::{Message, Method};

impl Call {
    /// Ends the call: BYE when it is answered (as soon as our 2xx is acknowledged), CANCEL or 486 before.
    pub fn hang_up(&mut self, now: Moment, out: &mut Outputs) {
        match self.phase {
            Phase::Early if self.is_calling() => self.cancel(now, out),
            Phase::Early => self.reject(now, 486, out),
            Phase::Up if self.has_unacknowledged_answer() => self.wants_hang_up = true,
            Phase::Up => self.bye(now, out),
            Phase::Leaving | Phase::Over => {}
        }
    }

    /// Sends INVITE within the dialog with a new offer of all codecs; without `has_offer` the other side offers.
    pub fn reinvite(&mut self, now: Moment, has_offer: bool, out: &mut Outputs) {
        if self.phase == Phase::Up && !self.is_inviting() {
            let offer = has_offer.then(|| self.talk.offer());
            self.invite(now, &[], offer.as_deref(), out);
        }
    }

    /// Sends UPDATE, with a new offer of all codecs where `has_offer` (RFC 3311).
    pub fn update(&mut self, now: Moment, has_offer: bool, out: &mut Outputs) {
        if !matches!(self.phase, Phase::Up | Phase::Early) || self.dialog.remote_tag.is_none() {
            return;
        }
        // No second offer while one is open (RFC 3311, section 5.1).
        let offer = (has_offer && !self.talk.is_offer_open()).then(|| self.talk.offer());
        self.dialog.cseq = self.dialog.cseq.saturating_add(1);
        let (cseq, branch, to) = (self.dialog.cseq, self.next_branch(), self.dialog.destination());
        let body = offer.as_deref().map(|sdp| (SDP, sdp));
        let bytes = self.dialog.request(Method::Update, cseq, &branch, &[], body);
        let sending = Sending { method: Method::Update, cseq, branch, to, has_offer: offer.is_some() };
        self.send_new(now, sending, bytes, out);
    }

    /// Sends INFO with a body (RFC 6086).
    pub fn info(&mut self, now: Moment, content_type: &str, body: &[u8], out: &mut Outputs) {
        if self.phase == Phase::Up {
            self.ask(now, Method::Info, &[], Some((content_type, body)), out);
        }
    }

    /// Sends BYE now.
    pub(super) fn bye(&mut self, now: Moment, out: &mut Outputs) {
        if self.phase != Phase::Up {
            return;
        }
        self.phase = Phase::Leaving;
        self.steps.clear();
        self.stop_answer();
        self.ask(now, Method::Bye, &[], None, out);
    }

    fn is_calling(&self) -> bool {
        self.clients.iter().any(|client| client.method == Method::Invite)
    }

    fn is_inviting(&self) -> bool {
        let is_open = |client: &Client| client.method == Method::Invite && !matches!(client.stage, Stage::Done(_));
        self.clients.iter().any(is_open)
    }

    fn has_unacknowledged_answer(&self) -> bool {
        self.servers.iter().any(|s| s.method == Method::Invite && s.status / 100 == 2 && !s.is_acknowledged)
    }

    /// No 2xx is said again: the call it answered is over.
    fn stop_answer(&mut self) {
        for server in self.servers.iter_mut().filter(|server| server.method == Method::Invite) {
            server.resend.stop();
        }
    }

    /// A response to a request of ours that is no INVITE.
    pub(super) fn plain_response(
        &mut self,
        now: Moment,
        place: usize,
        status: u16,
        message: &Message<'_>,
        out: &mut Outputs,
    ) {
        let ends_at = now.plus_ms(self.timers.whole_ms());
        let Some(client) = self.clients.get_mut(place) else { return };
        if matches!(client.stage, Stage::Done(_)) {
            return self.record.was_duplicate();
        }
        if status < 200 {
            client.stage = Stage::Proceeding;
            return;
        }
        client.stage = Stage::Done(status);
        client.resend.stop();
        // Longer than Timer K, so that a late repetition still counts as one.
        client.ends_at = Some(ends_at);
        let (method, has_offer) = (client.method, client.has_offer);
        if has_offer && status >= 300 {
            self.talk.withdraw();
        }
        match method {
            Method::Cancel => {}
            Method::Bye => self.ended(false, out),
            _ => {
                self.event(out, Event::Told(method, status));
                if status < 300 && has_offer {
                    self.description_came(description(message), out);
                }
                self.lost(now, status, out);
            }
        }
    }

    /// A request of ours got no final response in its time.
    pub(super) fn gave_up(&mut self, now: Moment, method: Method, out: &mut Outputs) {
        match (method, self.phase) {
            (Method::Invite, Phase::Early) => self.failed(Outcome::TimedOut, out),
            (Method::Bye, _) => self.ended(false, out),
            (Method::Cancel, _) => {}
            _ => {
                self.event(out, Event::Told(method, 408));
                self.lost(now, 408, out);
            }
        }
    }

    /// 481 and 408 end the dialog (RFC 3261, section 12.2.1.2).
    pub(super) fn lost(&mut self, now: Moment, status: u16, out: &mut Outputs) {
        if matches!(status, 408 | 481) {
            self.bye(now, out);
        }
    }

    fn ended(&mut self, by_peer: bool, out: &mut Outputs) {
        if self.phase != Phase::Over {
            self.over();
            self.event(out, Event::Ended { by_peer });
        }
    }

    /// A request of theirs, new, in the row `place`.
    pub(super) fn within(
        &mut self,
        now: Moment,
        place: usize,
        method: Method,
        message: &Message<'_>,
        out: &mut Outputs,
    ) {
        if method == Method::Invite
            && let Some(script) = self.reliable.script.take()
        {
            return self.invited(now, place, &script, message, out);
        }
        if method == Method::Cancel {
            return self.cancelled(now, place, message, out);
        }
        let number = message.cseq_number().unwrap_or(0);
        if !self.dialog.is_of(message) || (self.phase == Phase::Over && method != Method::Bye) {
            unexpected(&mut self.record);
            return self.respond(now, place, &Reply::new(481), out);
        }
        if self.dialog.remote_cseq.is_some_and(|last| number <= last) {
            unexpected(&mut self.record);
            return self.respond(now, place, &Reply::because(500, "CSeq out of order"), out);
        }
        self.dialog.remote_cseq = Some(number);
        match method {
            Method::Bye => {
                self.respond(now, place, &Reply::new(200), out);
                self.event(out, Event::Asked(method));
                self.refuse_open_invites(now, out);
                self.stop_answer();
                self.ended(true, out);
            }
            Method::Invite if self.is_inviting() => self.respond(now, place, &Reply::new(491), out),
            Method::Invite => {
                self.event(out, Event::Asked(method));
                self.reanswer(now, place, message, out);
            }
            Method::Update => {
                self.event(out, Event::Asked(method));
                self.updated(now, place, message, out);
            }
            Method::Prack => self.acknowledged_early(now, place, message, out),
            Method::Info | Method::Message | Method::Options | Method::Notify => {
                self.event(out, Event::Asked(method));
                self.respond(now, place, &Reply { headers: &[("Allow", ALLOW)], ..Reply::new(200) }, out);
            }
            _ => {
                unexpected(&mut self.record);
                self.respond(now, place, &Reply { headers: &[("Allow", ALLOW)], ..Reply::new(405) }, out);
            }
        }
    }

    fn refuse_open_invites(&mut self, now: Moment, out: &mut Outputs) {
        let is_open = |place: &usize, call: &Self| {
            call.servers.get(*place).is_some_and(|server| server.method == Method::Invite && !server.is_final())
        };
        for place in 0..self.servers.len() {
            if is_open(&place, self) {
                self.respond(now, place, &Reply::new(487), out);
                self.failed(Outcome::Refused(487), out);
            }
        }
    }

    fn cancelled(&mut self, now: Moment, place: usize, message: &Message<'_>, out: &mut Outputs) {
        let branch = super::dialog::branch_of(message);
        let invite = self.servers.iter().position(|s| s.method == Method::Invite && Some(&s.branch) == branch.as_ref());
        let Some(invite) = invite else {
            unexpected(&mut self.record);
            return self.respond(now, place, &Reply::new(481), out);
        };
        self.respond(now, place, &Reply::new(200), out);
        self.event(out, Event::Asked(Method::Cancel));
        if self.servers.get(invite).is_some_and(|server| !server.is_final()) {
            self.respond(now, invite, &Reply::new(487), out);
            if self.phase == Phase::Early {
                self.failed(Outcome::Refused(487), out);
            }
        }
    }

    /// A new offer in an INVITE within the dialog; without one we offer.
    fn reanswer(&mut self, now: Moment, place: usize, message: &Message<'_>, out: &mut Outputs) {
        let before = self.talk.agreed().cloned();
        let sdp = match description(message) {
            [] => Some(self.talk.offer()),
            offer => self.talk.answer(offer),
        };
        let contact = self.dialog.contact.clone();
        let headers: [(&str, &[u8]); 2] = [("Contact", &contact), ("Allow", ALLOW)];
        let Some(sdp) = sdp else { return self.respond(now, place, &Reply::new(488), out) };
        let reply = Reply { headers: &headers, body: Some((SDP, &sdp)), has_record_route: true, ..Reply::new(200) };
        self.respond(now, place, &reply, out);
        if self.talk.agreed() != before.as_ref() {
            self.tell_agreed(out);
        }
    }

    fn updated(&mut self, now: Moment, place: usize, message: &Message<'_>, out: &mut Outputs) {
        let offer = description(message);
        let before = self.talk.agreed().cloned();
        let contact = self.dialog.contact.clone();
        let headers: [(&str, &[u8]); 1] = [("Contact", &contact)];
        let reply = Reply { headers: &headers, ..Reply::new(200) };
        if offer.is_empty() {
            return self.respond(now, place, &reply, out);
        }
        if self.talk.is_offer_open() {
            return self.respond(now, place, &Reply::new(491), out);
        }
        match self.talk.answer(offer) {
            None => self.respond(now, place, &Reply::new(488), out),
            Some(sdp) => self.respond(now, place, &Reply { body: Some((SDP, &sdp)), ..reply }, out),
        }
        if self.talk.agreed() != before.as_ref() {
            self.tell_agreed(out);
        }
    }

    /// ACK, of a 2xx or of a refusal.
    pub(super) fn acknowledged(&mut self, now: Moment, cseq: u32, message: &Message<'_>, out: &mut Outputs) {
        let server = self.servers.iter_mut().find(|s| s.method == Method::Invite && s.cseq == cseq && s.status >= 200);
        let Some(server) = server else { return unexpected(&mut self.record) };
        if server.is_acknowledged {
            return self.record.was_duplicate();
        }
        server.is_acknowledged = true;
        server.resend.stop();
        if server.status >= 300 {
            return;
        }
        let sdp = description(message);
        if self.talk.is_offer_open() && !sdp.is_empty() {
            self.description_came(sdp, out);
        }
        if self.wants_hang_up {
            self.bye(now, out);
        }
    }
}
