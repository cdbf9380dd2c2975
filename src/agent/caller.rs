//! The calling end: INVITE, what comes back, and CANCEL (RFC 3261, sections 9, 13 and 17.1.1; RFC 3262).

use std::net::SocketAddr;

use emcc_policies::moment::Moment;

use super::call::{Call, Phase, Sending, Step};
use super::dialog::{Dialog, Reading, contact, description, tag_of, unexpected};
use super::record::Counts;
use super::talk::Talk;
use super::transaction::Stage;
use super::{Event, Input, Outcome, Outputs, Timers};
use crate::engine::ids::Ids;
use crate::sip::build::{ack_for, cancel_for};
use crate::sip::{Index, Message, Method, Name, scan};

/// The content type of descriptions.
pub(super) const SDP: &str = "application/sdp";

/// What an INVITE offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offering {
    /// Every codec of the caller's [`Talk`].
    Codecs,
    /// Nothing: the answerer offers in its first reliable response (RFC 3261, section 13.2.1).
    Delayed,
    /// This description as it is.
    Written(Vec<u8>),
}

/// The call to place.
#[derive(Clone, Debug)]
pub struct Setup {
    /// User part of From and Contact.
    pub user: String,
    /// The number dialled.
    pub dialled: String,
    /// Where the caller hears SIP.
    pub me: SocketAddr,
    /// Where the INVITE goes.
    pub next_hop: SocketAddr,
    /// More headers of the INVITE, names and values: `Call-Info`, `P-Asserted-Identity`.
    pub headers: Vec<(String, String)>,
    /// What it offers.
    pub offering: Offering,
    /// Its media.
    pub talk: Talk,
    /// Whether it says that it takes reliable provisional responses.
    pub supports_100rel: bool,
    /// When it hangs up, in ms after the answer; without it the other side or [`Call::hang_up`] does.
    pub hang_up_after_ms: Option<u64>,
    /// When it cancels, in ms after the start, unless it is answered by then.
    pub cancel_after_ms: Option<u64>,
    /// Its timers.
    pub timers: Timers,
    /// How many messages it keeps a line of.
    pub record_room: usize,
}

impl Setup {
    /// A call from `user` to `dialled` that offers every codec of `talk` and stays up until told otherwise.
    #[must_use]
    pub fn new(user: &str, dialled: &str, me: SocketAddr, next_hop: SocketAddr, talk: Talk) -> Self {
        Self {
            user: user.to_owned(),
            dialled: dialled.to_owned(),
            me,
            next_hop,
            headers: Vec::new(),
            offering: Offering::Codecs,
            talk,
            supports_100rel: false,
            hang_up_after_ms: None,
            cancel_after_ms: None,
            timers: Timers::default(),
            record_room: 256,
        }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With the mark of a visiting phone, as call control and trunk write it (P-13).
    #[must_use]
    pub fn on_device(self, device: &str, home_cluster: &str) -> Self {
        self.with("Call-Info", &format!("<urn:emcc:device:{device}>;purpose=emcc-device;cluster={home_cluster}"))
    }
}

/// An agent that places one call.
#[derive(Debug)]
pub struct Caller {
    call: Call,
    setup: Setup,
    index: Box<Index>,
}

impl Caller {
    /// A caller that has not begun. `ids` makes its Call-ID, tag and branches.
    #[must_use]
    pub fn new(setup: Setup, mut ids: Ids) -> Self {
        let tag = ids.next_hex();
        let call_id = ids.next_hex().to_vec();
        let host = setup.me.ip().to_string();
        let local = [b"<sip:", setup.user.as_bytes(), b"@", host.as_bytes(), b">;tag=", &tag].concat();
        let at_next_hop = [b"sip:", setup.dialled.as_bytes(), b"@", setup.next_hop.to_string().as_bytes()].concat();
        let dialog = Dialog {
            call_id,
            local,
            local_tag: tag.to_vec(),
            remote: [b"<", &at_next_hop[..], b">"].concat(),
            remote_tag: None,
            target: at_next_hop,
            routes: Vec::new(),
            next_hop: setup.next_hop,
            cseq: 0,
            remote_cseq: None,
            me: setup.me,
            contact: contact(setup.user.as_bytes(), setup.me),
        };
        let mut call = Call::new(dialog, setup.talk.clone(), ids, setup.timers, setup.record_room);
        call.hang_up_after_ms = setup.hang_up_after_ms;
        Self { call, setup, index: Box::default() }
    }

    /// Sends the INVITE.
    pub fn start(&mut self, now: Moment, out: &mut Outputs) {
        let Setup { headers, offering, supports_100rel, cancel_after_ms, .. } = &self.setup;
        let mut headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        if *supports_100rel {
            headers.push(("Supported", b"100rel"));
        }
        let offer = match offering {
            Offering::Codecs => Some(self.call.talk.offer()),
            Offering::Delayed => None,
            Offering::Written(sdp) => {
                self.call.talk.offered();
                Some(sdp.clone())
            }
        };
        self.call.steps.extend(cancel_after_ms.map(|ms| (now.plus_ms(ms), Step::Cancel)));
        self.call.invite(now, &headers, offer.as_deref(), out);
    }

    /// Takes a datagram or a due moment.
    pub fn handle(&mut self, now: Moment, input: Input<'_>, out: &mut Outputs) {
        match input {
            Input::Due => self.call.due(now, out),
            Input::Datagram { from, bytes } => match scan(bytes, &mut self.index) {
                Err(_) => self.call.record.counts.malformed += 1,
                Ok(message) if message.value(Name::CallId) == Some(self.call.call_id()) => {
                    self.call.message(now, from, &message, out);
                }
                Ok(_) => unexpected(&mut self.call.record),
            },
        }
    }

    /// When it next wants [`Input::Due`].
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        self.call.next_due()
    }

    /// Its call.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Its call, to hang up, cancel or ask something within the dialog.
    pub fn call_mut(&mut self) -> &mut Call {
        &mut self.call
    }

    /// Its sums.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.call.record.counts
    }
}

impl Call {
    /// Sends an INVITE: the first one, or one within the dialog.
    pub(super) fn invite(&mut self, now: Moment, headers: &[(&str, &[u8])], offer: Option<&[u8]>, out: &mut Outputs) {
        self.dialog.cseq = self.dialog.cseq.saturating_add(1);
        let cseq = self.dialog.cseq;
        let branch = self.next_branch();
        let bytes = self.dialog.request(Method::Invite, cseq, &branch, headers, offer.map(|sdp| (SDP, sdp)));
        // A call that has not begun goes where it was told to, whatever its number's host is.
        let to = if self.dialog.remote_tag.is_some() { self.dialog.destination() } else { self.dialog.next_hop };
        self.send_new(
            now,
            Sending { method: Method::Invite, cseq, branch, to, has_offer: offer.is_some() },
            bytes,
            out,
        );
    }

    /// Gives a call up that is not answered: CANCEL, at once or with the first provisional response.
    pub fn cancel(&mut self, now: Moment, out: &mut Outputs) {
        let whole_ms = self.timers.whole_ms();
        if self.clients.iter().any(|client| client.method == Method::Cancel) {
            return;
        }
        let Some(client) = self.clients.iter_mut().find(|client| client.method == Method::Invite) else { return };
        match client.stage {
            Stage::Done(_) => {}
            Stage::Trying => client.wants_cancel = true,
            Stage::Proceeding => {
                client.wants_cancel = true;
                // RFC 3261, section 9.1: without a final response the call counts as given up.
                client.ends_at = Some(now.plus_ms(whole_ms));
                let (cseq, branch, to) = (client.cseq, client.branch.clone(), client.to);
                let mut index = Index::new();
                let mut bytes = Vec::new();
                let written =
                    scan(&client.bytes, &mut index).ok().and_then(|invite| cancel_for(&invite, b"", &mut bytes));
                if written.is_some() {
                    let sending = Sending { method: Method::Cancel, cseq, branch, to, has_offer: false };
                    self.send_new(now, sending, bytes, out);
                }
            }
        }
    }

    /// A response to an INVITE of ours.
    pub(super) fn invite_response(
        &mut self,
        now: Moment,
        place: usize,
        status: u16,
        message: &Message<'_>,
        out: &mut Outputs,
    ) {
        let Some(client) = self.clients.get_mut(place) else { return };
        match (client.stage, status) {
            (Stage::Done(_), 100..=199) => {}
            (Stage::Done(before), _) if (before < 300) != (status < 300) => unexpected(&mut self.record),
            (Stage::Done(200..=299), _) if message.value(Name::To).and_then(tag_of) != self.dialog.remote_tag => {
                self.second_answer(now, message, out);
            }
            (Stage::Done(_), _) => {
                self.record.was_duplicate();
                if let Some((to, ack)) = self.clients.get(place).and_then(|client| client.ack.clone()) {
                    self.send_bytes(now, to, ack, true, out);
                }
            }
            (_, 100..=199) => {
                let is_first = client.stage == Stage::Trying;
                client.stage = Stage::Proceeding;
                client.resend.stop();
                if is_first {
                    let patience_ms = self.timers.patience_ms;
                    client.ends_at = Some(now.plus_ms(patience_ms.saturating_add(self.timers.whole_ms())));
                    if client.wants_cancel {
                        self.cancel(now, out);
                    } else if self.phase == Phase::Early {
                        self.steps.push((now.plus_ms(patience_ms), Step::Cancel));
                    }
                }
                self.provisional(now, status, message, out);
            }
            (_, 200..=299) => self.answered(now, place, status, message, out),
            _ => self.refused(now, place, status, message, out),
        }
    }

    fn provisional(&mut self, now: Moment, status: u16, message: &Message<'_>, out: &mut Outputs) {
        if status == 100 || self.phase != Phase::Early {
            return;
        }
        let tag = message.value(Name::To).and_then(tag_of);
        if tag.is_some() && tag != self.dialog.remote_tag {
            // Another branch of a search begins its own numbers (RFC 3262, section 4).
            self.reliable.heard = None;
            self.dialog.adopt(message);
        }
        let rseq = message.value_spelled("RSeq").and_then(|v| std::str::from_utf8(v).ok()?.trim().parse::<u32>().ok());
        let Some(rseq) = rseq.filter(|_| message.has_option(Name::Require, b"100rel")) else {
            return self.event(out, Event::Ringing(status));
        };
        if self.reliable.heard.is_some_and(|heard| rseq <= heard) {
            return self.record.was_duplicate();
        }
        self.reliable.heard = Some(rseq);
        let Some(cseq) = message.cseq_number() else { return };
        self.event(out, Event::Ringing(status));
        let answer = self.description_came(description(message), out);
        let rack = format!("{rseq} {cseq} INVITE");
        self.ask(now, Method::Prack, &[("RAck", rack.as_bytes())], answer.as_deref().map(|sdp| (SDP, sdp)), out);
    }

    /// The 2xx: the dialog stands, ACK goes out, and after a CANCEL that came too late BYE.
    fn answered(&mut self, now: Moment, place: usize, status: u16, message: &Message<'_>, out: &mut Outputs) {
        let ends_at = now.plus_ms(self.timers.whole_ms());
        let Some(client) = self.clients.get_mut(place) else { return };
        client.stage = Stage::Done(status);
        client.resend.stop();
        client.ends_at = Some(ends_at);
        let (cseq, was_cancelled, is_first) = (client.cseq, client.wants_cancel, self.phase == Phase::Early);
        self.dialog.adopt(message);
        let answer = self.description_came(description(message), out);
        let branch = self.next_branch();
        let ack = self.dialog.request(Method::Ack, cseq, &branch, &[], answer.as_deref().map(|sdp| (SDP, sdp)));
        let to = self.dialog.destination();
        if let Some(client) = self.clients.get_mut(place) {
            client.ack = Some((to, ack.clone()));
        }
        self.send_bytes(now, to, ack, false, out);
        if !is_first {
            return self.event(out, Event::Told(Method::Invite, status));
        }
        self.phase = Phase::Up;
        self.outcome = Some(Outcome::Answered);
        self.steps.retain(|(_, step)| *step != Step::Cancel);
        self.steps.extend(self.hang_up_after_ms.map(|ms| (now.plus_ms(ms), Step::HangUp)));
        self.event(out, Event::Answered);
        if was_cancelled {
            self.bye(now, out);
        }
    }

    fn refused(&mut self, now: Moment, place: usize, status: u16, message: &Message<'_>, out: &mut Outputs) {
        let ends_at = now.plus_ms(self.timers.whole_ms());
        let Some(client) = self.clients.get_mut(place) else { return };
        client.stage = Stage::Done(status);
        client.resend.stop();
        client.ends_at = Some(ends_at);
        let mut index = Index::new();
        let mut ack = Vec::new();
        let request = scan(&client.bytes, &mut index).ok();
        let to = client.to;
        if request.and_then(|request| ack_for(&request, message, &mut ack)).is_some() {
            client.ack = Some((to, ack.clone()));
            self.send_bytes(now, to, ack, false, out);
        }
        if self.phase == Phase::Early {
            self.failed(Outcome::Refused(status), out);
        } else {
            self.talk.withdraw();
            self.event(out, Event::Told(Method::Invite, status));
            self.lost(now, status, out);
        }
    }

    /// Somebody else answered too: nobody can talk to both, so that one is thanked and sent away.
    fn second_answer(&mut self, now: Moment, message: &Message<'_>, out: &mut Outputs) {
        let Some(cseq) = message.cseq_number() else { return };
        unexpected(&mut self.record);
        let mut other = self.dialog.clone();
        other.adopt(message);
        let to = other.destination();
        let branch = self.next_branch();
        let ack = other.request(Method::Ack, cseq, &branch, &[], None);
        self.send_bytes(now, to, ack, false, out);
        self.dialog.cseq = self.dialog.cseq.saturating_add(1);
        let cseq = self.dialog.cseq;
        let branch = self.next_branch();
        let bye = other.request(Method::Bye, cseq, &branch, &[], None);
        self.send_bytes(now, to, bye, false, out);
    }

    /// Takes a description of theirs: the answer to our offer, or an offer to which this gives back our answer.
    pub(super) fn description_came(&mut self, sdp: &[u8], out: &mut Outputs) -> Option<Vec<u8>> {
        if sdp.is_empty() {
            return None;
        }
        let had_agreed = self.talk.agreed().cloned();
        let answer = if self.talk.is_offer_open() {
            self.talk.answered(sdp);
            None
        } else if self.outcome.is_none() && self.talk.agreed().is_some() {
            // The 2xx repeats what a reliable response agreed on already.
            None
        } else {
            self.talk.answer(sdp)
        };
        if self.talk.agreed() != had_agreed.as_ref() {
            self.tell_agreed(out);
        }
        answer
    }
}
