//! Requests of a call that stands: ACK, CANCEL, and everything with a To tag, from either side.

use std::net::SocketAddr;

use bytes::Bytes;
use emcc_policies::region::{Allowed, Role};

use super::Turn;
use super::call::Phase;
use super::decide::{NamedHops, Next, NextHop};
use super::effects::{CallKey, Hint, Party};
use super::ending::Cut;
use super::forward::{self, Launch, Urgency, is_neighbour};
use super::keys::{Keys, Passage};
use super::loops;
use super::media::{Body, Shaping};
use super::patience::Tries;
use super::reject::{Busy, Refusal, Reject};
use super::request::Request;
use super::room::{Insists, Room};
use super::routes::Routes;
use super::running::transport_of;
use super::session::{self, Terms, TooBrief};
use super::{strict, trust};
use crate::config::plan::{Led, Neighbour, RemoteClusterId, SessionTimer};
use crate::limits::{ADJUST_AFTER_MS, CALL_MS_MAX};
use crate::neighbour::select::Rank;
use crate::neighbour::{Address, Flow, Transport};
use crate::sip::reply::Reply;
use crate::sip::{Essentials, Host, Message, Method, Name, multipart};
use crate::transaction::row::Purpose;

/// A call found for a request in its dialog.
struct Found {
    key: CallKey,
    /// Whose side the request comes from.
    by: Party,
    caller: Flow,
    callee: Option<Flow>,
    /// What is asked of a refresh of its session; nothing of an emergency call's (P-23).
    session: Option<SessionTimer>,
    /// Whether the answer that made the dialog passed here: its tags are known to its two ends alone.
    is_leg: bool,
}

/// How a request is passed on.
#[derive(Clone, Copy)]
pub(crate) struct Passing<'a> {
    /// What became of its body.
    pub(crate) body: &'a Body,
    /// The call it belongs to.
    pub(crate) call: Option<CallKey>,
    /// Whose side it comes from.
    pub(crate) by: Party,
    /// The hop whose number it gets.
    pub(crate) next: Option<&'a Next>,
    /// What it asks of the session's timer.
    pub(crate) terms: Terms,
    /// Whether this node decided where it goes, and not the Routes of its dialog.
    pub(crate) is_routed_here: bool,
    /// What a trunk is told of it.
    pub(crate) urgency: Urgency,
}

impl<'a> Passing<'a> {
    /// A request that belongs to no call.
    pub(crate) fn new(body: &'a Body) -> Self {
        let (terms, urgency) = (Terms::default(), Urgency::default());
        Self { body, call: None, by: Party::Caller, next: None, terms, is_routed_here: false, urgency }
    }
}

impl Found {
    /// Whose description the request carries, and the tag of the callee in its dialog.
    fn answerer<'m>(&self, request: &Request<'m>) -> (Party, &'m [u8]) {
        let of = request.essentials;
        let tag = if self.by == Party::Caller { of.to_tag } else { of.from_tag };
        (self.by, tag.unwrap_or_default())
    }

    /// Whether the request comes from the side its tags say. Of a phone its address is asked too: whoever learnt the tags
    /// of another phone's call cannot speak in it.
    fn is_from(&self, request: &Request<'_>) -> bool {
        let ip = request.flow.remote.ip();
        request.from != Neighbour::Phone || self.side().is_some_and(|side| side.remote.ip() == ip)
    }

    /// Where the side it comes from is.
    fn side(&self) -> Option<Flow> {
        match self.by {
            Party::Caller => Some(self.caller),
            Party::Callee => self.callee,
        }
    }
}

impl Turn<'_> {
    /// An ACK: absorbed when it acknowledges a failure of ours, passed on when it acknowledges a 2xx.
    pub(crate) fn ack(&mut self, request: Request<'_>) {
        use crate::transaction::row::Machine;
        use crate::transaction::server_invite::{Event, State, step};
        let now = self.now.moment;
        let absorbed = self.engine.transactions.with(&request.key, |row| {
            let Machine::ServerInvite(state) = row.machine else { return None };
            if !matches!(state, State::Completed | State::Confirmed) {
                return None;
            }
            let (next, _) = step(state, Event::Ack);
            row.machine = Machine::ServerInvite(next);
            if next != state {
                row.enter(now);
            }
            Some(row.timing.arm())
        });
        if let Some(Some(hint)) = absorbed {
            self.verify_reader(&request);
            if let Some(at) = hint {
                self.effects.hints.push((at, Hint::Transaction(request.key)));
            }
            return;
        }
        if request.essentials.max_forwards == Some(0) {
            return;
        }
        let Some(found) = self.find(request.essentials, request.routes) else {
            self.verify_reader(&request);
            return self.ack_without_row(&request);
        };
        if !found.is_from(&request) && !self.has_moved(&found, &request) {
            return;
        }
        // Before an answer there is nothing to acknowledge; such an ACK must not touch a call that still hunts.
        if self.engine.calls.with(&found.key, |call| call.phase == Phase::Hunting) != Some(false) {
            return;
        }
        let found = self.follow(found, &request);
        self.verify_party(&found, request.flow);
        let body = self.call_body(Some(found.key), request.message, Role::Answer);
        for key in self.rows_of_leg(request.essentials) {
            self.acknowledged(key);
        }
        self.settle_body(Some(found.key), &body, Role::Answer, found.answerer(&request));
        let Some(flow) = self.way_on(&found, &request) else { return };
        // An ACK cannot be refused: what may not leave is left out, and the stream it was for is off.
        let keys = self.call_keys(&found, &request, flow);
        let cut = match keys {
            _ if body.is_refused() => Some(body.cut()),
            Keys::Refused => Some(Cut::KeysInClear),
            _ => None,
        };
        let body = if keys == Keys::Pass { body } else { self.without_keys(request.message, &body) };
        let branch = self.branch();
        let range = self.write_with(&request, flow, &Passing::new(&body), &branch);
        self.engine.counters.request_out(Method::Ack);
        self.effects.send(flow, range, None);
        if let Some(cut) = cut {
            self.end_both(found.key, cut);
        }
    }

    /// What becomes of the SRTP keys in a request of a call.
    fn call_keys(&mut self, found: &Found, request: &Request<'_>, to: Flow) -> Keys {
        if request.message.body().is_empty() {
            return Keys::Pass;
        }
        let facts = self.engine.calls.with(&found.key, |call| (call.plan.clone(), call.decision.clone()));
        let Some((plan, decision)) = facts else { return Keys::Pass };
        self.keys(&plan, request.message, Passage { decision: Some(&decision), from: request.flow, to })
    }

    /// The caller acknowledged its answer: the call stands.
    fn acknowledged(&mut self, key: CallKey) {
        let now = self.now.moment;
        let hint = self.engine.calls.with(&key, |call| {
            if call.phase == Phase::Answered {
                call.phase = Phase::Standing;
                call.ends_at = now.plus_ms(CALL_MS_MAX);
                if call.answered.is_some() && call.adjust_at.is_none() {
                    call.adjust_at = Some(now.plus_ms(ADJUST_AFTER_MS));
                }
            }
            call.arm()
        });
        if let Some(Some(at)) = hint {
            self.effects.hints.push((at, Hint::Call(key)));
        }
    }

    /// A CANCEL: answered here, and the hop being tried is cancelled (RFC 3261 sections 9.2 and 16.10).
    pub(crate) fn cancel(&mut self, request: Request<'_>) {
        let invite = self.server_key(request.flow, request.essentials, b"INVITE");
        let standing = self.engine.transactions.with(&invite, |row| (row.call, row.partner));
        let Some((call, partner)) = standing else {
            return self.refuse_unseen(
                request.flow,
                request.message,
                request.method,
                Reject::Refusal(Refusal::NoSuchCall),
            );
        };
        let back = self.response_flow(request.flow, request.essentials);
        let tag = self.local_tag(request.message);
        let reply = Reply {
            to_tag: std::str::from_utf8(&tag).ok(),
            source: Some(request.flow.remote),
            load: Some(self.load()),
            ..Reply::new(200)
        };
        if let Some(range) = reply.write(request.message, &mut self.effects.arena) {
            self.engine.counters.response_out(200);
            self.effects.send(back, range, None);
        }
        let reason = reasons(request.message);
        let client = match call {
            Some(call) if self.give_up(call, invite, &reason) => None,
            // A re-INVITE is cancelled by itself; the call stands.
            Some(call) => partner.filter(|_| self.engine.calls.with(&call, |call| call.server != invite) == Some(true)),
            None => partner,
        };
        if let Some(client) = client {
            self.cancel_client(client, reason);
        }
    }

    /// A request inside a dialog, from either side.
    pub(crate) fn in_dialog(&mut self, request: Request<'_>) {
        let found = self.find(request.essentials, request.routes);
        let Some(found) = found else { return self.without_row(request) };
        if !found.is_from(&request) && !self.has_moved(&found, &request) {
            let why = Reject::Refusal(Refusal::NoSuchCall);
            return self.refuse_unseen(request.flow, request.message, request.method, why);
        }
        let found = self.follow(found, &request);
        self.verify_party(&found, request.flow);
        let role = match request.method {
            Method::Prack => self.prack_role(&found, &request),
            _ => Role::Offer,
        };
        let terms = match found.session.filter(|_| session::is_refresh(request.method)) {
            Some(policy) => session::terms(request.message, policy),
            None => Ok(Terms::default()),
        };
        let terms = match terms {
            Ok(terms) => terms,
            Err(TooBrief(min_se_s)) => {
                return self.refuse_in_call(&request, Refusal::SessionTooBrief { min_se_s });
            }
        };
        // Nothing in it may keep a call from its end: what may not leave is left out.
        let is_bye = request.method == Method::Bye;
        let mut body = self.call_body(Some(found.key), request.message, role);
        if body.is_refused() {
            if !is_bye {
                return self.refuse_in_call(&request, body.refusal());
            }
            body = Body::Left;
        }
        let Some(flow) = self.way_on(&found, &request) else {
            return self.refuse_in_call(&request, Refusal::NotANeighbour);
        };
        let keys = self.call_keys(&found, &request, flow);
        if keys == Keys::Refused && !is_bye {
            return self.refuse_in_call(&request, Refusal::KeysInClear);
        }
        if !self.open(&request, request.method == Method::Invite) {
            return;
        }
        self.settle_body(Some(found.key), &body, role, found.answerer(&request));
        // What other methods carry is no offer (RFC 3264, RFC 6337 section 2).
        let may_offer = matches!(request.method, Method::Invite | Method::Update | Method::Prack);
        if role == Role::Offer && may_offer {
            match self.grow(found.key, found.by, &body, Insists::No) {
                Room::Enough => {}
                Room::AudioOnly => body = self.call_body(Some(found.key), request.message, role),
                Room::Refused(refusal) => return self.refuse_open(&request, Reject::Refusal(refusal)),
            }
        }
        let (now, number) = (self.now.moment, request.essentials.cseq.number);
        self.engine.calls.with(&found.key, |call| {
            let side = usize::from(found.by == Party::Callee);
            call.cseq[side] = call.cseq[side].max(number);
            if session::is_refresh(request.method) {
                call.session_refreshing(now);
            }
            // The offer of a reliable provisional response has its answer: the next description is an offer again. Early
            // dialogs have their answers each.
            call.had_offer |= role == Role::Answer && body.shaped().is_some() && call.phase != Phase::Hunting;
        });
        if keys != Keys::Pass && !matches!(body, Body::Left) {
            body = self.without_keys(request.message, &body);
        }
        if is_bye && found.by == Party::Caller && !found.is_leg {
            self.hangs_up_early(request.essentials, flow);
        }
        let passing = Passing { call: Some(found.key), by: found.by, terms, ..Passing::new(&body) };
        self.pass_on(&request, flow, &passing);
    }

    /// Whoever acknowledges a refusal of ours by its tag has read it.
    fn verify_reader(&self, request: &Request<'_>) {
        if request.essentials.to_tag.is_some_and(|tag| self.is_own_tag(request.message, tag)) {
            self.verify(request.flow);
        }
    }

    /// Whether a phone speaks in its call from another address than it had, and has registered from there since: by the
    /// REGISTER its call control knows it (RFC 3261 section 14.2).
    fn has_moved(&self, found: &Found, request: &Request<'_>) -> bool {
        let is_phone = |side: Flow| self.running.plan.neighbour(side.transport, side.remote) == Some(Neighbour::Phone);
        if request.from != Neighbour::Phone || !found.side().is_some_and(is_phone) {
            return false;
        }
        let key = self.engine.calls.with(&found.key, |call| {
            let of_callee = call.decision.called_session;
            let session = if found.by == Party::Caller { call.decision.session } else { of_callee };
            Some(self.registered_key(call.plan.session(session?)?))
        });
        let is_from = |key| self.engine.registered.with(&key, |row| row.is_from(request.flow)) == Some(true);
        key.flatten().is_some_and(is_from)
    }

    /// A phone speaks in its call over another stream than it had, or from another address: what is for it goes there from
    /// now on, and so does the answer to an INVITE that is still open. The one before may be gone, and nothing listens where
    /// a phone is.
    fn follow(&mut self, mut found: Found, request: &Request<'_>) -> Found {
        let flow = request.flow;
        let is_newer = |side: &Flow| {
            let is_stream = flow.connection != 0 && side.transport == flow.transport;
            is_stream && side.connection < flow.connection || side.remote.ip() != flow.remote.ip()
        };
        if request.from != Neighbour::Phone {
            return found;
        }
        match found.by {
            Party::Caller if is_newer(&found.caller) => {
                found.caller = flow;
                let server = self.engine.calls.with(&found.key, |call| {
                    call.caller = flow;
                    call.server
                });
                server.and_then(|server| self.engine.transactions.with(&server, |row| row.flow = flow));
            }
            Party::Callee if found.is_leg && found.callee.as_ref().is_some_and(is_newer) => {
                found.callee = Some(flow);
                self.engine.calls.with(&found.key, |call| call.callee = Some(flow));
            }
            _ => {}
        }
        found
    }

    /// A party of a dialog has shown that it hears us, if it is the one whose side the request claims to be.
    fn verify_party(&self, found: &Found, flow: Flow) {
        if found.is_leg && found.side().is_some_and(|side| side.remote.ip() == flow.remote.ip()) {
            self.verify(flow);
        }
    }

    /// Refuses a request of a call that stands. The refusal of an INVITE is repeated until its ACK, and the ACK stays
    /// here (RFC 3261 section 17.2.1).
    fn refuse_in_call(&mut self, request: &Request<'_>, refusal: Refusal) {
        let why = Reject::Refusal(refusal);
        if request.method != Method::Invite {
            return self.refuse_unseen(request.flow, request.message, request.method, why);
        }
        if self.open(request, false) {
            self.refuse_open(request, why);
        }
    }

    /// Refuses a request whose transaction stands.
    fn refuse_open(&mut self, request: &Request<'_>, why: Reject) {
        if let Some(range) = self.write_refusal(request.flow, request.message, why) {
            self.respond(request.key, why.answer().status, range);
        }
    }

    /// Passes a request on in a transaction of its own.
    pub(crate) fn pass_on(&mut self, request: &Request<'_>, flow: Flow, passing: &Passing<'_>) {
        if request.method == Method::Invite {
            self.trying(request);
        }
        let branch = if passing.is_routed_here {
            self.marked_branch(self.loop_mark(request.flow.remote.ip(), request.message))
        } else {
            self.branch()
        };
        let client = self.client_key(&branch, request.essentials.cseq.token);
        let range = self.write_with(request, flow, passing, &branch);
        let purpose = if request.method == Method::Bye { Purpose::PassBye } else { Purpose::Pass };
        let launch = Launch {
            purpose,
            server: Some(request.key),
            call: passing.call,
            offered: multipart::description(request.message).is_some(),
            session: passing.terms.asked,
            by: passing.by,
            is_patient: false,
            method: request.method,
        };
        self.engine.transactions.with(&request.key, |row| row.call = passing.call);
        if !self.launch(client, flow, range, launch) {
            self.refuse_open(request, Reject::Busy(Busy::Full));
        }
    }

    /// The call of a request with two tags, or with one where the other side has none, as RFC 2543 allowed (RFC 3261 sections
    /// 12.1.1 and 12.1.2): by its Record-Route's pass when our Route says so, else the first pass whose row fits; from the
    /// caller when the From tag is the caller's.
    fn find(&self, of: &Essentials<'_>, routes: &Routes<'_>) -> Option<Found> {
        let (from, to, pass) = (of.from_tag, of.to_tag, routes.pass);
        from.or(to)?;
        let passes = std::iter::once(pass).chain((0..self.passes()).filter(|other| *other != pass));
        for pass in passes {
            let mut any = false;
            for (tag, other, by) in [(from, to, Party::Caller), (to, from, Party::Callee)] {
                let key = self.call_key(of.call_id, tag, pass);
                let leg = self.leg_hash(other.unwrap_or_default());
                let found = self.engine.calls.with(&key, |call| {
                    let is_early = call.phase == Phase::Hunting;
                    let is_leg = is_early || call.legs.contains(&leg);
                    (is_leg && call.phase != Phase::Ended).then_some({
                        // A dialog that is still early gets no timer: its answer decides.
                        let ours_s = if is_early { 0 } else { call.plan.sip.session_timer.expires_s };
                        let policy = SessionTimer { expires_s: ours_s, ..call.plan.sip.session_timer };
                        let session = (!call.decision.emergency).then_some(policy);
                        (call.caller, call.callee, call.try_of(leg), session, call.legs.contains(&leg))
                    })
                });
                any |= found.is_some();
                if let Some(Some((caller, callee, client, session, is_leg))) = found {
                    let early = client.and_then(|client| self.engine.transactions.with(&client, |row| row.flow));
                    return Some(Found { key, by, caller, callee: callee.or(early), session, is_leg });
                }
            }
            if !any && pass > 0 {
                break;
            }
        }
        None
    }

    /// Whether a request without a To tag is of an answered call all the same: one of its sides has no tag.
    pub(crate) fn is_of_untagged_leg(&self, request: &Request<'_>) -> bool {
        self.find(request.essentials, request.routes).is_some_and(|found| found.is_leg)
    }

    /// Whether a request is of a call that stands, and comes from where that side of it is.
    pub(crate) fn is_end_of_call(&self, flow: Flow, of: &Essentials<'_>, message: &Message<'_>) -> bool {
        let Some(found) = self.find(of, &self.routes(message)) else { return false };
        let side = match found.by {
            Party::Caller => Some(found.caller),
            Party::Callee => found.callee,
        };
        side.is_some_and(|side| side.remote.ip() == flow.remote.ip())
    }

    /// Where a request goes on: to the address its next Route or its Request-URI names when that is a neighbour's,
    /// else to the side of the call it is for. Nothing a message says can send us to a stranger.
    fn way_on(&self, found: &Found, request: &Request<'_>) -> Option<Flow> {
        // Of passes side by side it is for who is behind the last (RFC 3261 section 16.12).
        let Routes { pass, last_pass, .. } = *request.routes;
        let last = (last_pass != pass).then_some(Routes { pass: last_pass, ..*request.routes });
        let last = last.and_then(|routes| self.find(request.essentials, &routes));
        let found = last.as_ref().unwrap_or(found);
        let side = match found.by {
            Party::Caller => found.callee,
            Party::Callee => Some(found.caller),
        };
        // A name that leads to where the dialog is, or did, is that place: of several it may lead to one alone has the call.
        let plan = &self.running.plan;
        let is_at_side = |address: &Address| {
            let is_same_host =
                |side: &Flow| side.transport == address.transport && side.remote.ip() == address.socket.ip();
            // Two neighbours may share a host.
            let owner = |side: Flow| plan.neighbour(side.transport, side.remote);
            side.filter(is_same_host)
                .is_some_and(|side| owner(side) == plan.neighbour(address.transport, address.socket))
        };
        if self.named_by(request).any(|led| led.any_address().any(|address| is_at_side(&address))) {
            return side;
        }
        let named = self.named_target(request).and_then(|address| {
            let listener = side.map_or(request.flow.listener, |side| side.listener);
            self.running.way(address, listener)
        });
        // A phone chooses no way around the policies of its call.
        let named =
            named.filter(|way| request.from != Neighbour::Phone || self.is_on_way(way.remote, request.essentials));
        // An INVITE's Request-URI, kept for the whole dialog by elements that take no Contact, names this node or the
        // one before it. Back to where it came from goes nothing but what is for that side.
        let named =
            named.filter(|way| side.is_none_or(|side| !is_back(*way, request.flow) || is_back(side, request.flow)));
        match (named, side) {
            // The same place on a stream: keep to the connection that stands.
            (Some(named), Some(side)) if self.is_same_end(named, side) => Some(side),
            (Some(named), _) => Some(named),
            (None, side) => side,
        }
    }

    /// Whether a way leads to where `side` is: the same address, or the phone that opened the stream.
    fn is_same_end(&self, named: Flow, side: Flow) -> bool {
        let is_phones_stream = || {
            let is_same_host = side.connection != 0 && named.remote.ip() == side.remote.ip();
            is_same_host && self.running.plan.neighbour(side.transport, side.remote) == Some(Neighbour::Phone)
        };
        named.transport == side.transport && (named.remote == side.remote || is_phones_stream())
    }

    /// Whether call control, or an end of any pass of the call, is at that address.
    fn is_on_way(&self, remote: SocketAddr, of: &Essentials<'_>) -> bool {
        if self.running.plan.call_controls().any(|(_, address)| address.socket == remote) {
            return true;
        }
        let keys = (0..self.passes())
            .flat_map(|pass| [of.from_tag, of.to_tag].map(|tag| self.call_key(of.call_id, tag, pass)));
        keys.into_iter().any(|key| {
            let ends = self.engine.calls.with(&key, |call| {
                let early: Tries = if call.callee.is_some() { Tries::new() } else { call.tries().collect() };
                (call.caller, call.callee, early)
            });
            let Some((caller, callee, early)) = ends else { return false };
            let is_early = |client| self.engine.transactions.with(client, |row| row.flow.remote) == Some(remote);
            [Some(caller), callee].into_iter().flatten().any(|end| end.remote == remote) || early.iter().any(is_early)
        })
    }

    /// The neighbour's address that the next Route after ours, or else the Request-URI, names: of a name the first.
    pub(crate) fn named_target(&self, request: &Request<'_>) -> Option<Address> {
        self.named_targets(request).first().map(|(address, _)| *address)
    }

    /// Every address of a neighbour that it names, by its rank: a name may lead to several (RFC 3263 section 4.3).
    fn named_targets(&self, request: &Request<'_>) -> NamedHops {
        let Some(uri) = request.routes.next.or(request.essentials.uri) else { return NamedHops::new() };
        let Some(ip) = uri.host.ip() else {
            let mut found: NamedHops = self.named_by(request).flat_map(|led| led.now.iter().copied()).collect();
            found.sort_by_key(|(_, rank)| rank.priority);
            return found;
        };
        let transport = transport_of(&uri);
        let port = uri.port.unwrap_or(transport.default_port());
        let address = Address { transport, socket: (ip, port).into() };
        let is_there = is_neighbour(&self.running, ip, port, transport);
        is_there.then_some((address, Rank::default())).into_iter().collect()
    }

    /// The names of neighbours that it is, if it is a name.
    fn named_by(&self, request: &Request<'_>) -> impl Iterator<Item = &Led> {
        let uri = request.routes.next.or(request.essentials.uri);
        let name = uri.and_then(|uri| match uri.host {
            Host::Name(name) => Some((std::str::from_utf8(name).ok()?, uri.port)),
            _ => None,
        });
        name.into_iter().flat_map(|(name, port)| self.running.plan.led_to(name, port))
    }

    /// As [`Self::named_targets`], of a request outside a dialog: a phone is called along its Path alone, at an address
    /// that was registered.
    pub(crate) fn named_outside(&self, request: &Request<'_>) -> NamedHops {
        let is_phone = |at: Address| self.running.plan.neighbour(at.transport, at.socket) == Some(Neighbour::Phone);
        let mut found = self.named_targets(request);
        found.retain(|(address, _)| !is_phone(*address));
        found
    }

    /// The target of a request outside a dialog that names no number: the first address that is not known to be down.
    pub(crate) fn neighbour_target(&self, request: &Request<'_>) -> Option<Next> {
        let found = self.named_outside(request);
        let serves = found.iter().find(|(address, _)| !self.running.watches.is_down(*address));
        serves.or(found.first()).map(|(address, rank)| Next::as_named(*address, *rank))
    }

    /// A request in a dialog we have no row of: after a restart, or once the row's time is over. It passes between
    /// neighbours by its Route; a dialog nobody routes through us does not exist here.
    fn without_row(&mut self, request: Request<'_>) {
        let Some(flow) = self.way_without_row(&request) else {
            if self.begins_emergency(&request) {
                return;
            }
            let why = Reject::Refusal(Refusal::NoSuchCall);
            return self.refuse_unseen(request.flow, request.message, request.method, why);
        };
        let (mut body, keys) = self.body_without_row(&request, flow, Role::Offer);
        let is_bye = request.method == Method::Bye;
        if body.is_refused() {
            if !is_bye {
                return self.refuse_in_call(&request, body.refusal());
            }
            body = Body::Left;
        }
        if keys == Keys::Refused && !is_bye {
            return self.refuse_in_call(&request, Refusal::KeysInClear);
        }
        if self.open(&request, request.method == Method::Invite) {
            if keys != Keys::Pass && !matches!(body, Body::Left) {
                body = self.without_keys(request.message, &body);
            }
            self.pass_on(&request, flow, &Passing::new(&body));
        }
    }

    /// The ACK of a re-INVITE that passed without a row. Without it whoever answered would hang up. That of a refusal of
    /// our own ends here.
    fn ack_without_row(&mut self, request: &Request<'_>) {
        if request.essentials.to_tag.is_none_or(|tag| self.is_tag_hinted(request.message, tag)) {
            return;
        }
        let Some(flow) = self.way_without_row(request) else { return };
        let (body, keys) = self.body_without_row(request, flow, Role::Answer);
        let body = if keys == Keys::Pass { body } else { self.without_keys(request.message, &body) };
        let branch = self.branch();
        let range = self.write_with(request, flow, &Passing::new(&body), &branch);
        self.engine.counters.request_out(Method::Ack);
        self.effects.send(flow, range, None);
    }

    /// Where a request goes whose dialog is not known here: to the neighbour its Route behind ours names. The requests of a
    /// subscription (RFC 6665) may come without one, since its SUBSCRIBE got no Record-Route of ours.
    fn way_without_row(&self, request: &Request<'_>) -> Option<Flow> {
        let is_of_subscription = matches!(request.method, Method::Subscribe | Method::Notify);
        let may_pass = request.routes.own > 0 || is_of_subscription && request.from != Neighbour::Phone;
        let target = if may_pass { self.named_target(request) } else { None };
        let is_call_control = |at: &Address| self.running.plan.call_controls().any(|(_, known)| known == *at);
        let target = target.filter(|at| request.from != Neighbour::Phone || is_call_control(at));
        target.and_then(|address| self.running.way(address, request.flow.listener))
    }

    /// What becomes of its body. What is no longer known of the call does not lift the region of the trunk it crosses
    /// (M-1).
    fn body_without_row(&mut self, request: &Request<'_>, flow: Flow, role: Role) -> (Body, Keys) {
        let trunk =
            [request.flow.remote, flow.remote].into_iter().find_map(|at| self.trunk_at(request.flow.transport, at));
        let shaping = Shaping { role, allowed: Allowed::AudioAndVideo, keeps_beyond: false };
        let plan = self.running.plan.clone();
        let body = self.shape(&plan, trunk, request.message, shaping, &mut Default::default());
        let keys = self.keys(&plan, request.message, Passage { decision: None, from: request.flow, to: flow });
        (body, keys)
    }

    /// Whether a message belongs to a call that stands.
    pub(crate) fn is_of_call(&self, of: &Essentials<'_>, message: &Message<'_>) -> bool {
        self.find(of, &self.routes(message)).is_some()
    }

    /// Whether a message belongs to an emergency call that stands.
    pub(crate) fn is_of_emergency(&self, of: &Essentials<'_>, message: &Message<'_>) -> bool {
        let found = self.find(of, &self.routes(message));
        found.and_then(|found| self.engine.calls.with(&found.key, |call| call.decision.emergency)) == Some(true)
    }

    /// The remote cluster whose trunk is at that address.
    fn trunk_at(&self, transport: Transport, at: SocketAddr) -> Option<RemoteClusterId> {
        match self.running.plan.neighbour(transport, at)? {
            Neighbour::Remote { cluster, .. } => Some(cluster),
            Neighbour::Peer(_) | Neighbour::Phone => None,
        }
    }

    /// The first PRACK with a description, in a dialog of a call whose INVITE had no offer, carries the answer (RFC 3262
    /// section 5).
    fn prack_role(&self, found: &Found, request: &Request<'_>) -> Role {
        let dialog = self.leg_hash(found.answerer(request).1);
        let had_offer = self.engine.calls.with(&found.key, |call| call.had_offer || call.early.hold(dialog));
        if had_offer == Some(false) { Role::Answer } else { Role::Offer }
    }

    /// Writes a request as it goes on: our Routes off, our Via on, one hop less.
    fn write_with(
        &mut self,
        request: &Request<'_>,
        flow: Flow,
        passing: &Passing<'_>,
        branch: &[u8],
    ) -> std::ops::Range<usize> {
        let running = self.running.clone();
        let (message, of) = (request.message, request.essentials);
        let editor = &mut self.desk.editor;
        editor.begin();
        editor.version(message);
        strict::write_way(editor, message, of, request.routes.own, passing.next.map(|next| &next.to));
        if let Some(next) = passing.next {
            forward::request_uri(editor, message, of, next, &running);
        }
        if let Some(local) = running.local(flow) {
            forward::via(editor, message, local, branch, running.asks_load(flow));
        }
        editor.received_and_rport(message, &of.via, request.flow.remote);
        editor.max_forwards(message, forward::hops_left(of));
        if passing.is_routed_here {
            loops::write_breadth(editor, message);
        }
        passing.terms.write(editor, message);
        let plan = &running.plan;
        let to = plan.neighbour(flow.transport, flow.remote);
        let crossing = trust::crossing(plan, message, Some(request.from), to);
        crossing.write(editor, message);
        let is_routed_to_trunk = matches!(passing.next, Some(Next { to: NextHop::Remote(_), .. }));
        // A remote cluster's mark goes on as it came; anybody else's is not believed.
        if is_routed_to_trunk || !matches!(request.from, Neighbour::Remote { .. }) {
            passing.urgency.write(editor, message, is_routed_to_trunk, &crossing);
        }
        self.write_body(message, passing.body, crossing.location);
        let editor = &mut self.desk.editor;
        editor.write(message, &mut self.effects.arena)
    }
}

/// Whether a way leads to where `from` is: the same address, or the same host on a stream.
fn is_back(way: Flow, from: Flow) -> bool {
    let is_stream = from.transport != Transport::Udp;
    way.transport == from.transport
        && if is_stream { way.remote.ip() == from.remote.ip() } else { way.remote == from.remote }
}

/// The values of every Reason header of a CANCEL, for the one it causes (RFC 3326 section 2).
fn reasons(cancel: &Message<'_>) -> Bytes {
    let mut values = cancel.all(Name::Reason).map(|(_, field)| cancel.text(field.value));
    let Some(first) = values.next() else { return Bytes::new() };
    let mut joined = first.to_vec();
    for value in values {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(value);
    }
    joined.into()
}
