//! What is sent away before anything is made of it, while this node is late or drains, and what never is.
//!
//! In this order (RFC 7339 section 5.10.1 leaves it to local policy): what of either comes from a neighbour whose
//! `rate_per_s` is spent, so that nobody else pays for it; what can wait (REGISTER, SUBSCRIBE and other requests outside a
//! dialog); then new ordinary calls, as many as it takes. Never: responses, ACK, CANCEL, everything inside a
//! dialog, trunk keepalives, calls with a Resource-Priority above routine (RFC 4412), emergency calls (P-23). OPTIONS to
//! the node itself is answered while the node is late: refusing it costs as much, and takes the node out of its
//! neighbours' routes, emergency calls included.
//!
//! A request sent away costs no transaction, no decision and one small response.

use super::Turn;
use super::decide::{Question, Target, decide};
use super::effects::TransactionKey;
use super::invite::{is_marked_emergency, target};
use super::overload::Stage;
use super::precedence::is_precedence;
use super::reject::{Busy, Refusal, Reject};
use super::request::Request;
use super::turns::Turns;
use crate::config::plan::Neighbour;
use crate::metrics::Shed;
use crate::neighbour::{Address, Flow};
use crate::sip::control::{ControlRef, Report};
use crate::sip::{
    Essentials, Message, Method, Name, NameAddrRef, Start, Strictness, UriRef, ViaRef, essentials, offers_control,
};
use emcc_policies::emergency::Called;

/// Seconds after which a call that was sent away may be tried again: a sender that obeys Retry-After sends nothing at all
/// meanwhile, emergency calls included (RFC 3261 section 21.5.4), so as few as can be written.
const RETRY_CALL_S: u8 = 1;
/// The same of what can wait: from this many seconds,
const RETRY_LATER_S: u8 = 5;
/// to so many more, so that those sent away together do not come back together.
const RETRY_SPREAD_S: u8 = 16;

/// What a request is to a node that cannot serve everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Served whatever happens.
    Kept,
    /// OPTIONS to the node itself.
    Probe,
    /// A request outside a dialog that sets up no call.
    CanWait,
    /// A new call.
    Call,
}

impl Turn<'_> {
    /// Sends a request away, or swallows the ACK of one that was. `false`: it is served as always. Asked only while the
    /// node is late or draining.
    pub(crate) fn sheds(&mut self, flow: Flow, from: Neighbour, message: &Message<'_>, method: Method) -> bool {
        if method == Method::Ack {
            return self.is_ack_of_refusal(flow, message);
        }
        let stage = self.engine.overload.stage();
        let is_draining = self.engine.is_draining();
        let is_late = stage != Stage::Normal;
        let (shed, why) = match self.kind(message, method) {
            Kind::Call | Kind::CanWait if is_late && self.is_rate_spent(from) => {
                (Shed::BeyondRate, Reject::Refusal(Refusal::TooManyRequests))
            }
            Kind::Call if stage == Stage::Shedding => {
                (Shed::Call, Reject::Busy(Busy::Overloaded { retry_after_s: RETRY_CALL_S }))
            }
            Kind::CanWait if is_draining => (Shed::CanWait, Reject::Busy(Busy::Draining)),
            Kind::Probe if is_draining => (Shed::Probe, Reject::Busy(Busy::Draining)),
            Kind::CanWait if is_late => {
                (Shed::CanWait, Reject::Busy(Busy::Overloaded { retry_after_s: self.later_s(message) }))
            }
            // A draining node looks at every call whole: it has the time, and takes emergency calls to the last.
            Kind::Call | Kind::CanWait | Kind::Probe | Kind::Kept => return false,
        };
        if shed == Shed::Call && self.admits(message)
            || self.transaction_of(flow, message, method).is_none_or(|key| self.engine.transactions.contains(&key))
            || self.is_exempt(flow, from, message, method)
        {
            return false;
        }
        self.engine.counters.shed(shed);
        self.refuse_unseen(flow, message, method, why);
        true
    }

    fn is_rate_spent(&self, from: Neighbour) -> bool {
        let rate_per_s = self.running.plan.terms(from).and_then(|terms| terms.rate_per_s);
        let bucket = rate_per_s.zip(self.running.bucket(from));
        bucket.is_some_and(|(rate_per_s, bucket)| !bucket.holds(rate_per_s, self.now.moment))
    }

    fn kind(&self, message: &Message<'_>, method: Method) -> Kind {
        match method {
            Method::Ack | Method::Bye | Method::Cancel | Method::Prack | Method::Update => Kind::Kept,
            _ if to_tag(message).is_some() => Kind::Kept,
            Method::Invite => Kind::Call,
            Method::Options if self.keepalive_mark(message).is_some() => Kind::Kept,
            Method::Options if self.names_us(message) => Kind::Probe,
            _ => Kind::CanWait,
        }
    }

    /// Whether the share of calls that is let in has this one. Every copy of it, and every pass through this node, meets
    /// the same answer while the share stands.
    fn admits(&self, message: &Message<'_>) -> bool {
        let call_id = message.value(Name::CallId).unwrap_or_default();
        let is_obedient = message.value(Name::Via).is_some_and(offers_control);
        self.engine.overload.admits(self.engine.hash(&[b"load", call_id]) as u64, is_obedient)
    }

    /// The transaction a request belongs to, by its Via alone; `None` where that does not tell, as with RFC 2543's.
    fn transaction_of(&self, flow: Flow, message: &Message<'_>, method: Method) -> Option<TransactionKey> {
        let via = ViaRef::parse(message.values(Name::Via).next()?.text).ok().filter(ViaRef::is_branch_unique)?;
        let Start::Request { token, .. } = message.start() else { return None };
        let token = if method == Method::Ack { b"INVITE" } else { message.text(token) };
        Some(self.unique_key(flow, &via, message.value(Name::CallId).unwrap_or_default(), token))
    }

    /// Whether an ACK acknowledges a refusal that has no transaction: its To tag is the one we gave (RFC 3261 section 8.2.7).
    fn is_ack_of_refusal(&self, flow: Flow, message: &Message<'_>) -> bool {
        to_tag(message).is_some_and(|tag| self.is_own_tag(message, tag))
            && self
                .transaction_of(flow, message, Method::Ack)
                .is_some_and(|key| !self.engine.transactions.contains(&key))
    }

    /// Whether the request has a right to be served before all others: emergencies (P-23) and calls of those who were
    /// given priority (RFC 4412).
    pub(crate) fn is_exempt(&mut self, flow: Flow, from: Neighbour, message: &Message<'_>, method: Method) -> bool {
        if self.has_precedence(flow, message)
            || matches!(from, Neighbour::Remote { .. }) && is_marked_emergency(message)
        {
            return true;
        }
        let Start::Request { uri, .. } = message.start() else { return false };
        let plan = self.running.plan.clone();
        // Refused for its form, unless it is an emergency call that is none.
        let Ok(uri) = UriRef::parse(message.text(uri)) else { return true };
        let Ok(target) = target(&plan, &uri) else { return false };
        let called = match &target {
            Target::Digits(digits) => Called::Number(digits),
            Target::Service(uri) => Called::Uri(uri),
            // A strict router's target stands elsewhere, and such a call is looked at whole.
            Target::Other => return self.names_us(message) && message.first(Name::Route).is_some(),
        };
        if plan.emergency.recognise(&plan.dial_plan, called, false).is_some() {
            return true;
        }
        match called {
            // What the number becomes on its way, only the whole decision tells.
            Called::Number(digits) if plan.dial_plan.may_translate(digits) => {
                let Ok(essentials) = essentials(message, Strictness::Salvage) else { return false };
                self.is_emergency(flow, from, message, method, &essentials)
            }
            _ => false,
        }
    }

    /// Whether the whole decision finds an emergency.
    pub(crate) fn is_emergency(
        &mut self,
        flow: Flow,
        from: Neighbour,
        message: &Message<'_>,
        method: Method,
        essentials: &Essentials<'_>,
    ) -> bool {
        let key = self.server_key(flow, essentials, essentials.cseq.token);
        let request = Request { flow, from, message, essentials, routes: &self.routes(message), method, key };
        let plan = self.running.plan.clone();
        // Only asked: the call, if it comes to one, takes its turn in circular groups later.
        let asked = |question: Question<'_>| decide(&plan, &Question { turns: Turns::at(0), ..question }).emergency;
        self.question(&plan, &request).is_ok_and(asked)
    }

    /// Whether the Request-URI is one of our own addresses without a user.
    fn names_us(&self, message: &Message<'_>) -> bool {
        let Start::Request { uri, .. } = message.start() else { return false };
        UriRef::parse(message.text(uri)).is_ok_and(|uri| uri.user.is_none() && self.running.is_ours(&uri))
    }

    /// What neighbours that ask are told of this node's load (RFC 7339). A draining node wants nothing new.
    pub(crate) fn load(&self) -> Report {
        let engine = self.engine;
        Report {
            loss_percent: if engine.is_draining() { 100 } else { engine.overload.loss_percent() },
            at_ms: engine.epoch_s * 1_000 + self.now.moment.0,
        }
    }

    /// Takes note of a report in our own Via of a response, where we asked for one.
    pub(crate) fn hear_load(&mut self, from: Flow, via: &ViaRef<'_>) {
        // An echo of our own offer says nothing.
        if offers_control(via.raw)
            && let Some(said) = ControlRef::of(via)
            && self.running.asks_load(from)
        {
            let from = Address { transport: from.transport, socket: from.remote };
            self.engine.controls.hear(from, said, self.now.moment);
        }
    }

    /// Whether a request has precedence over ordinary ones (RFC 4412), and came from whom that is believed.
    pub(crate) fn has_precedence(&self, from: Flow, message: &Message<'_>) -> bool {
        let plan = &self.running.plan;
        is_precedence(message) && plan.trust(plan.neighbour(from.transport, from.remote)).identity
    }

    /// Whether the neighbour at the end of `way` is to be spared this new request of `from`. Every copy of it, and every try of its
    /// call, draws the same lot.
    pub(crate) fn spares(&mut self, way: Flow, from: Flow, message: &Message<'_>, is_emergency: bool) -> bool {
        if self.engine.controls.is_empty() || is_emergency || self.has_precedence(from, message) {
            return false;
        }
        let draw = self.engine.hash(&[b"spare", message.value(Name::CallId).unwrap_or_default()]) as u64;
        let to = Address { transport: way.transport, socket: way.remote };
        let is_spared = !self.engine.controls.admits(to, draw, self.now.moment);
        if is_spared {
            self.engine.counters.neighbour_spared();
        }
        is_spared
    }

    /// Seconds after which what can wait may come again.
    fn later_s(&self, message: &Message<'_>) -> u8 {
        let call_id = message.value(Name::CallId).unwrap_or_default();
        RETRY_LATER_S + (self.engine.hash(&[b"later", call_id]) % u128::from(RETRY_SPREAD_S)) as u8
    }
}

fn to_tag<'m>(message: &Message<'m>) -> Option<&'m [u8]> {
    NameAddrRef::parse(message.value(Name::To)?, Strictness::Lenient).ok()?.tag()
}
