//! A new call: who calls, where it may go, what its media may be, whether there is room, and the first hop.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use emcc_policies::admission::{Ask, Grant, Held, Rate, RsvpPolicy, Video};
use emcc_policies::digits::{self, Digits};
use emcc_policies::region::{self, Allowed, Role as Half};
use emcc_policies::route::PeerKind;
use emcc_policies::trail::Step;
use smallvec::SmallVec;

use super::Turn;
use super::call::{Booking, Call, Carries, Offer, Phase, Told};
use super::decide::{Aside, Decision, Question, Role, Source, Target, decide};
use super::effects::{CallKey, Hint, Party};
use super::forward::{Outgoing, Urgency};
use super::ids::from_hex;
use super::in_dialog::Passing;
use super::keys::{Keys, Passage, way_of};
use super::loops;
use super::media::{Body, Rates, Shaping, ask};
use super::patience::Patience;
use super::reject::{Busy, Refusal, Reject};
use super::request::Request;
use super::session::{self, TooBrief};
use super::turns::Turns;
use crate::config::plan::{Neighbour, Plan};
use crate::limits::{EMERGENCY_PASSES_MAX, ORDINARY_ROWS_PERCENT, PASSES_MAX, SETUP_MS_MAX};
use crate::neighbour::{Flow, Transport};
use crate::sip::reply::Reply;
use crate::sip::{Message, Name, Scheme, UriRef, location, multipart};
use crate::table::{Full, Inserted};

impl Turn<'_> {
    /// A new INVITE outside a dialog.
    pub(crate) fn invite(&mut self, request: Request<'_>) {
        let plan = self.running.plan.clone();
        let mut decision = match self.question(&plan, &request) {
            Ok(question) => decide(&plan, &question),
            Err(refusal) => {
                return self.refuse_unseen(request.flow, request.message, request.method, refusal);
            }
        };
        decision.secure(&plan, way_of(&plan, Some(request.from), request.flow.transport));
        if decision.trail.iter().any(|step| matches!(step, Step::NoAddress { .. })) {
            self.engine.want_names();
        }
        if !decision.emergency
            && let Err(why) = self.may_call(&request)
        {
            return self.refuse_unseen(request.flow, request.message, request.method, why);
        }
        if !decision.emergency
            && let Err(refusal) = may_go_on(request.message, &plan)
        {
            return self.refuse_unseen(request.flow, request.message, request.method, Reject::Refusal(refusal));
        }
        if let Some(refusal) = decision.refusal.filter(|_| !decision.emergency && self.is_unverified(request.flow)) {
            let why = Reject::Refusal(refusal);
            self.refuse_unseen(request.flow, request.message, request.method, why);
            return self.note_refused(&plan, &Arc::new(decision), request.essentials.call_id, why.answer().status);
        }
        self.order(&mut decision);
        if !self.open(&request, false) {
            return;
        }
        if self.may_try_at_once(&decision, &request) {
            self.trying(&request);
        }
        if decision.emergency {
            self.engine.counters.emergency_call();
        }
        self.decision_alarms(&plan, &decision, request.essentials.call_id);
        let refusal = decision.refusal;
        let refusal =
            refusal.or_else(|| self.needs_tls(&plan, &decision, request.essentials.uri.as_ref(), request.flow));
        if let Some(refusal) = refusal {
            return self.refuse_new(&request, &Arc::new(decision), Reject::Refusal(refusal));
        }
        let (body, room) = match self.admit(&plan, &mut decision, &request) {
            Ok(admitted) => admitted,
            Err(why) => return self.refuse_new(&request, &Arc::new(decision), why),
        };
        self.begin(&plan, decision, &request, &body, room);
    }

    /// Whether the 100 leaves before all is decided: not to an unverified address, which gets one answer for one request
    /// where it is refused.
    fn may_try_at_once(&self, decision: &Decision, request: &Request<'_>) -> bool {
        decision.emergency || !self.is_unverified(request.flow)
    }

    /// Whether an ordinary call is let in now, from that neighbour.
    fn may_call(&self, request: &Request<'_>) -> Result<(), Reject> {
        self.may_send(request).map_err(Reject::Refusal)?;
        self.busy(request.flow, request.message).map_or(Ok(()), |busy| Err(Reject::Busy(busy)))
    }

    /// Whether an ordinary request outside a dialog is refused now: all of them while the node drains, save those of who was
    /// given priority (RFC 4412). Emergency calls keep the last rows for themselves.
    pub(crate) fn busy(&self, from: Flow, message: &Message<'_>) -> Option<Busy> {
        let engine = self.engine;
        if engine.is_draining() && !self.has_precedence(from, message) {
            return Some(Busy::Draining);
        }
        let is_full =
            engine.calls.is_above(ORDINARY_ROWS_PERCENT) || engine.transactions.is_above(ORDINARY_ROWS_PERCENT);
        is_full.then_some(Busy::Full)
    }

    /// What is asked of the policies.
    pub(crate) fn question<'q>(&'q self, plan: &'q Plan, request: &Request<'q>) -> Result<Question<'q>, Reject> {
        let source = match request.from {
            Neighbour::Remote { cluster, .. } => Source::Trunk(cluster),
            Neighbour::Peer(peer) => match plan.peer(peer).map(|peer| peer.kind) {
                Some(PeerKind::CallControl) => Source::CallControl,
                _ => Source::Gateway,
            },
            Neighbour::Phone => Source::Phone,
        };
        let message = request.message;
        let uri = request.essentials.uri.ok_or(Reject::Refusal(Refusal::NotANeighbour))?;
        let target = target(plan, &uri)?;
        // The trunk's mark is what a call over it stands on (P-13); identities are another matter.
        let is_believed = plan.trust(Some(request.from)).identity;
        let is_mark_believed = match source {
            Source::Gateway | Source::Phone => false,
            Source::CallControl => is_believed,
            Source::Trunk(_) => true,
        };
        let marks = is_mark_believed.then(|| plan.device_header(request.from));
        let mark = marks.and_then(|header| header.mark(message));
        let phone = match source {
            Source::CallControl => self.called_phone(plan, request),
            _ => Ok(None),
        };
        let (phone, unregistered) = phone.map_or_else(|refusal| (None, Some(refusal)), |phone| (phone, None));
        let session = match source {
            Source::Phone => self.registered_session(plan, request),
            _ => None,
        };
        let registered_there = match source {
            Source::Phone if session.is_none() => self.registered_there(plan, request.flow),
            _ => None,
        };
        let asserted = message.addresses(Name::PAssertedIdentity).find_map(|address| number(&address.ok()?.uri));
        let asserted = asserted.filter(|_| is_believed);
        let from = number(&request.essentials.from.uri);
        let mut question = Question {
            source,
            device: mark.map(|mark| mark.device),
            session,
            registered_there,
            phone,
            on_selected_trunk: !matches!(request.from, Neighbour::Remote { is_rsvp_trunk: true, .. }),
            numbers: [asserted, from],
            aside: Some(Aside { message, from: request.essentials.from.uri, marks }),
            calling: asserted.or(from),
            target,
            named: self.named_outside(request),
            is_routed: request.routes.is_foreign,
            is_believed,
            is_marked_emergency: matches!(source, Source::Trunk(_)) && is_marked_emergency(message),
            turns: Turns::at(0),
            at: self.now.civil,
        };
        // Recognised before anything else (P-23). Only asked: the call takes its turn in circular groups later.
        if let Some(refusal) = unregistered.filter(|_| !decide(plan, &question).emergency) {
            return Err(refusal);
        }
        question.turns = Turns::of_call(self.running.turns());
        Ok(question)
    }

    /// 100 at once: the caller stops repeating itself (RFC 3261 section 16.2).
    pub(crate) fn trying(&mut self, request: &Request<'_>) {
        self.trying_within(request, usize::MAX);
    }

    /// The same in so many octets at most; where they are too few nothing is said.
    pub(crate) fn trying_within(&mut self, request: &Request<'_>, octets_max: usize) {
        if let Some(range) = self.write_trying(request.flow, request.message, octets_max) {
            self.respond(request.key, 100, range);
        }
    }

    fn write_trying(&mut self, flow: Flow, message: &Message<'_>, octets_max: usize) -> Option<Range<usize>> {
        let plain = Reply { source: Some(flow.remote), load: Some(self.load()), ..Reply::new(100) };
        let compact = Reply { is_compact: true, reason: "", ..plain };
        let arena = &mut self.effects.arena;
        let replies = [plain, compact, Reply { load: None, ..compact }];
        replies.iter().find_map(|reply| reply.write_within(octets_max, message, arena))
    }

    /// Octets of the 100 that an unverified address was sent for the INVITE of a call that began; 0 where it had to wait for
    /// a copy.
    pub(crate) fn octets_of_trying(&mut self, flow: Flow, message: &Message<'_>) -> usize {
        let range = self.write_trying(flow, message, octets_of_trying_max(message));
        range.map_or(0, |range| {
            self.effects.arena.truncate(range.start);
            range.len()
        })
    }

    /// Region and admission of a new call. For an emergency call neither refuses (P-23).
    fn admit(&mut self, plan: &Plan, decision: &mut Decision, request: &Request<'_>) -> Result<(Body, Room), Reject> {
        let mut trail = region::Trail::new();
        let mut shaping = Shaping { role: Half::Offer, allowed: Allowed::AudioAndVideo, keeps_beyond: false };
        let mut body = self.shape(plan, decision.link, request.message, shaping, &mut trail);
        if body.is_refused() {
            if !decision.emergency {
                if matches!(body, Body::NoCodecLeft) {
                    self.engine.counters.codec_refused();
                }
                return Err(Reject::Refusal(body.refusal()));
            }
            decision.trail.push(Step::CodecsKept);
            let what = body.alarm("emergency offer without a codec within the region");
            self.alarm(what, request.essentials.call_id);
        }
        decision.region_trail = trail.as_slice().into();
        let Some(slot) = decision.link.and_then(|link| self.running.slot(link)) else {
            return Ok((body, Room::NotAsked));
        };
        if let Some((owner, audio_only)) = self.booked_by(plan, decision, request) {
            decision.trail.push(Step::BookedAlready);
            if audio_only && body.shaped().is_some() {
                shaping.allowed = Allowed::AudioOnly;
                body = self.shape(plan, decision.link, request.message, shaping, &mut Default::default());
            }
            return Ok((body, Room::Rides { owner, audio_only }));
        }
        let wanted = decision.wanted(plan, body.shaped(), request.flow.remote.is_ipv4());
        let is_emergency = decision.emergency;
        let reserved = self.engine.links.reserve(slot, decision.policy, wanted, is_emergency, self.now.moment);
        let (grant, hint) = match reserved {
            Some(Ok(granted)) => granted,
            Some(Err(full)) => {
                self.engine.counters.admission_refused();
                return Err(Reject::Refusal(decision.no_room(full, body.shaped())));
            }
            None => return Ok((body, Room::NotAsked)),
        };
        if let Some(at) = hint {
            self.effects.hints.push((at, Hint::Link(slot)));
        }
        if decision.policy != RsvpPolicy::None {
            decision.trail.push(booked(wanted, &grant));
            self.engine.counters.admission_granted(grant.audio_reserved);
        }
        if grant.over_limit_kbps > 0 {
            self.engine.counters.emergency_over_limit();
            decision.trail.push(Step::OverLimit { kbps: grant.over_limit_kbps });
            self.alarm("emergency call admitted above the link's limit", request.essentials.call_id);
        }
        if grant.video == Video::Refused && body.shaped().is_some() {
            decision.trail.push(Step::AudioOnly);
            shaping.allowed = Allowed::AudioOnly;
            let mut trail = region::Trail::from_slice(&decision.region_trail);
            body = self.shape(plan, decision.link, request.message, shaping, &mut trail);
            decision.region_trail = trail.as_slice().into();
        }
        Ok((body, Room::Granted(slot, grant, wanted.audio)))
    }

    /// The pass of this call that has booked on the decision's link already, and whether without video. Passes of one
    /// call share Call-ID and the caller's tag; a call control that makes a call of its own out of one is followed by the
    /// mark this node gave it.
    fn booked_by(&self, plan: &Plan, decision: &Decision, request: &Request<'_>) -> Option<(CallKey, bool)> {
        let cluster = &*plan.remote_cluster(decision.link?)?.id;
        let of = request.essentials;
        let is_believed = decision.believes_mark && decision.role != Role::Visiting && !plan.sip.phones.is_empty();
        let header = plan.device_header(request.from);
        let marked = if is_believed { header.mark(request.message).and_then(|mark| mark.call) } else { None };
        let marked = marked.and_then(from_hex).map(CallKey);
        let keys = (0..self.passes()).map(|pass| self.call_key(of.call_id, of.from_tag, pass));
        marked.into_iter().chain(keys).find_map(|key| {
            let carries = |key| self.engine.calls.with(&key, |call| call.carries(cluster, decision.policy));
            match carries(key)? {
                Carries::Itself { audio_only } => Some((key, audio_only)),
                Carries::Through(owner) => match carries(owner)? {
                    Carries::Itself { audio_only } => Some((owner, audio_only)),
                    _ => None,
                },
                Carries::Nothing => None,
            }
        })
    }

    /// Puts the call into the table and sends its INVITE to the first hop.
    fn begin(&mut self, plan: &Arc<Plan>, decision: Decision, request: &Request<'_>, body: &Body, room: Room) {
        let now = self.now.moment;
        let invite = Bytes::copy_from_slice(request.message.bytes());
        let call_id = request
            .message
            .span_of(request.essentials.call_id)
            .map_or_else(Bytes::new, |span| invite.slice(span.start as usize..span.end as usize));
        let (booking, audio_only, asked_audio) = match room {
            Room::NotAsked => (Booking::Nothing, false, Rate::default()),
            Room::Granted(slot, grant, asked) => {
                (Booking::Held(slot, grant.held), grant.video == Video::Refused, asked)
            }
            Room::Rides { owner, audio_only } => {
                let asked = body.shaped().map(|shaped| ask(&decision, shaped, Party::Caller, Rates::WorstCase).audio);
                (Booking::Rides(owner), audio_only, asked.unwrap_or_default())
            }
        };
        let is_narrowed = decision.emergency && matches!(body, Body::Changed(_));
        let mut call = Call {
            plan: plan.clone(),
            decision: Arc::new(decision),
            pass: 0,
            invite,
            call_id,
            answer: Bytes::new(),
            more_answers: Vec::new(),
            server: request.key,
            client: None,
            next: 0,
            phase: Phase::Hunting,
            alerted: false,
            place: Told::Nothing,
            offer: if is_narrowed { Offer::Narrowed } else { Offer::Ruled },
            is_without_annex_b: false,
            offered_modes: Default::default(),
            cancelled: false,
            had_offer: multipart::description(request.message).is_some(),
            audio_only,
            best: None,
            patience: None,
            caller: self.response_flow(request.flow, request.essentials),
            callee: None,
            booking,
            riders: Vec::new(),
            asked_audio,
            answered: None,
            early: Default::default(),
            adjust_at: None,
            settles_at: None,
            retry_at: None,
            legs: SmallVec::new(),
            began: now,
            answered_at: None,
            ends_at: now.plus_ms(SETUP_MS_MAX),
            session_ends_at: session::NEVER,
            session_waits: false,
            armed: None,
            status: 0,
            cseq: [request.essentials.cseq.number, 0],
        };
        let has_way = !call.decision.next_hops.is_empty();
        call.patience = call.decision.emergency.then(|| Box::new(Patience::new(now, has_way)));
        call.plan_retry(now);
        let owner = call.rides_on();
        let decision = call.decision.clone();
        let first = call.advance();
        if first.is_none() && !call.waits_for_names() {
            self.give_back(call.take());
            return self.refuse_new(request, &decision, Reject::Refusal(Refusal::NoMember));
        }
        let caller = call.caller;
        let Some((key, pass)) = self.place(call, request, &decision) else { return };
        if let Some(owner) = owner {
            // One that ended in between was an earlier pass of this very call, which will not live on without it.
            self.engine.calls.with(&owner, |call| call.take_on(key));
        }
        let is_emergency = decision.emergency;
        self.engine.transactions.with(&request.key, |row| (row.call, row.is_patient) = (Some(key), is_emergency));
        if !self.may_try_at_once(&decision, request) {
            self.trying_within(request, octets_of_trying_max(request.message));
        }
        // An emergency call whose ways have no address yet is looked at again soon (P-23).
        let Some(first) = first else { return };
        let outgoing = Outgoing { plan, decision: &decision, caller, pass, without_place: false };
        self.send_invite(key, &outgoing, request.message, request.essentials, &first, body);
    }

    /// Finds the call a place: the first pass whose row is free. A call that passes the node again, or is tried again
    /// while its first try still lingers, gets the next one.
    fn place(&mut self, mut call: Call, request: &Request<'_>, decision: &Arc<Decision>) -> Option<(CallKey, u8)> {
        let hint = call.arm();
        for pass in 0..if decision.emergency { EMERGENCY_PASSES_MAX } else { PASSES_MAX } {
            let key = self.call_key(request.essentials.call_id, request.essentials.from_tag, pass);
            call.pass = pass;
            match self.engine.calls.insert_or_return(key, call) {
                Ok(()) => {
                    if pass > 0 {
                        self.engine.highest_pass.fetch_max(pass, Relaxed);
                        self.engine.further_passes.fetch_add(1, Relaxed);
                    }
                    if let Some(at) = hint {
                        self.effects.hints.push((at, Hint::Call(key)));
                    }
                    return Some((key, pass));
                }
                Err((back, Ok(Inserted::Exists | Inserted::New))) => call = back,
                Err((mut back, Err(Full))) => {
                    self.give_back(back.take());
                    self.refuse_new(request, decision, Reject::Busy(Busy::Full));
                    return None;
                }
            }
        }
        self.give_back(call.take());
        self.refuse_new(request, decision, Reject::Refusal(Refusal::TooManyHops));
        None
    }

    /// The row of a call by Call-ID and the caller's tag.
    pub(crate) fn call_key(&self, call_id: &[u8], caller_tag: Option<&[u8]>, pass: u8) -> CallKey {
        CallKey(self.engine.hash(&[b"call", call_id, caller_tag.unwrap_or_default(), &[pass]]))
    }

    /// Gives a booking back to its link.
    pub(crate) fn give_back(&mut self, booking: Option<(u16, Held)>) {
        if let Some((slot, held)) = booking
            && self.engine.links.release(slot, held)
        {
            self.engine.counters.admission_released();
        }
    }

    /// Refuses a call that never got a row.
    fn refuse_new(&mut self, request: &Request<'_>, decision: &Arc<Decision>, why: Reject) {
        let is_emergency = decision.emergency;
        self.engine.transactions.with(&request.key, |row| row.is_patient = is_emergency);
        if let Some(range) = self.write_refusal(request.flow, request.message, why) {
            self.respond(request.key, why.answer().status, range);
        }
        let plan = self.running.plan.clone();
        self.note_refused(&plan, decision, request.essentials.call_id, why.answer().status);
    }

    /// A request outside a dialog that sets up no call: routed like an INVITE, to its first hop only.
    pub(crate) fn outside(&mut self, request: Request<'_>) {
        if loops::breadth(request.message) == Some(0) {
            let why = Reject::Refusal(Refusal::NoBreadthLeft);
            return self.refuse_unseen(request.flow, request.message, request.method, why);
        }
        if let Some(busy) = self.busy(request.flow, request.message) {
            return self.refuse_unseen(request.flow, request.message, request.method, Reject::Busy(busy));
        }
        let plan = self.running.plan.clone();
        let mut urgency = Urgency::default();
        let refuse = |turn: &mut Self, why| turn.refuse_unseen(request.flow, request.message, request.method, why);
        let hop = match self.question(&plan, &request) {
            Ok(question) => match question.target {
                Target::Other if question.source != Source::Phone && question.phone.is_none() => {
                    self.neighbour_target(&request)
                }
                _ => {
                    let mut decision = decide(&plan, &question);
                    match decision.refusal {
                        Some(refusal) => return refuse(self, Reject::Refusal(refusal)),
                        None if decision.next_hops.is_empty() => {
                            return refuse(self, Reject::Refusal(Refusal::NoMember));
                        }
                        None => {
                            urgency = Urgency::of(&decision);
                            self.order(&mut decision);
                            Some(decision.next_hops.swap_remove(0))
                        }
                    }
                }
            },
            Err(why) => return refuse(self, why),
        };
        let Some(flow) = hop.as_ref().and_then(|hop| self.way_to(hop, request.flow.listener)) else {
            return refuse(self, Reject::Refusal(Refusal::NotANeighbour));
        };
        let is_sips = request.essentials.uri.is_some_and(|uri| uri.scheme == Scheme::Sips);
        if is_sips && [request.flow, flow].iter().any(|hop| hop.transport != Transport::Tls) {
            return refuse(self, Reject::Refusal(Refusal::SipsNotAllowed));
        }
        let keys = self.keys(&plan, request.message, Passage { decision: None, from: request.flow, to: flow });
        if keys == Keys::Refused {
            return refuse(self, Reject::Refusal(Refusal::KeysInClear));
        }
        if self.spares(flow, request.flow, request.message, false) {
            return refuse(self, Reject::Refusal(Refusal::NextHopOverloaded));
        }
        if !self.open(&request, false) {
            return;
        }
        let body = if keys == Keys::Removed { self.without_keys(request.message, &Body::None) } else { Body::None };
        let passing = Passing { next: hop.as_ref(), is_routed_here: true, urgency, ..Passing::new(&body) };
        self.pass_on(&request, flow, &passing);
    }
}

/// What a new call asks of this node itself. An emergency call may ask what it likes (P-23).
///
/// # Errors
/// An extension of proxies that is not ours, no breadth left (RFC 5393), a location to route by that is none (RFC 6442), or
/// too brief a session (RFC 4028).
fn may_go_on(message: &Message<'_>, plan: &Plan) -> Result<(), Refusal> {
    if message.first(Name::ProxyRequire).is_some() {
        return Err(Refusal::BadExtension);
    }
    if loops::breadth(message) == Some(0) {
        return Err(Refusal::NoBreadthLeft);
    }
    if is_location_bad(message) {
        return Err(Refusal::BadLocation);
    }
    match session::terms(message, plan.sip.session_timer) {
        Ok(_) => Ok(()),
        Err(TooBrief(min_se_s)) => Err(Refusal::SessionTooBrief { min_se_s }),
    }
}

/// Whether a call asks to be routed by its location (RFC 6442 section 4.2) and has none that could be: its header points at
/// a part that is not there, or at one out of form. Whoever does not ask for that is no business of a proxy.
fn is_location_bad(message: &Message<'_>) -> bool {
    message.first(Name::Geolocation).is_some()
        && message.value(Name::GeolocationRouting).is_some_and(|value| value.eq_ignore_ascii_case(b"yes"))
        && location::conveyed(message).is_err()
}

/// What the link has for a new call.
enum Room {
    /// No link carries it.
    NotAsked,
    /// This, on the link in that slot, of so much asked for audio.
    Granted(u16, Grant, Rate),
    /// What another pass of it has booked.
    Rides { owner: CallKey, audio_only: bool },
}

/// What a grant of `wanted` books, as the trail tells it.
fn booked(wanted: Ask, grant: &Grant) -> Step {
    if !grant.audio_reserved {
        return Step::BestEffort;
    }
    let most = |rate: Rate| rate.outward_kbps.max(rate.inward_kbps);
    let video_kbps = if grant.video == Video::Admitted { most(wanted.video) } else { 0 };
    Step::Booked { audio_kbps: most(wanted.audio), video_kbps }
}

/// The target of a Request-URI. An emergency number that is written otherwise is read here, before anything is decided of
/// the call (P-23).
///
/// # Errors
/// 416 for a scheme this node does not route.
pub(crate) fn target<'u>(plan: &Plan, uri: &UriRef<'u>) -> Result<Target<'u>, Reject> {
    let called = |written| plan.emergency.read(&plan.dial_plan, written).ok();
    match uri.scheme {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => {
            Ok(uri.number().and_then(called).map_or(Target::Other, Target::Digits))
        }
        Scheme::Urn if is_service(uri.raw) => Ok(Target::Service(uri.raw)),
        _ => Err(Reject::Refusal(Refusal::UnsupportedScheme)),
    }
}

/// Octets a 100 to an unverified address may have, so that it and the refusal that may follow are together no longer than the
/// INVITE. Where it has more, the caller's copy of the INVITE gets one: that has paid for it.
fn octets_of_trying_max(invite: &Message<'_>) -> usize {
    invite.bytes().len().saturating_sub(REFUSAL_MORE_OCTETS) / 2
}

/// What the shortest refusal has beyond the shortest 100: a tag of ours and a Retry-After.
const REFUSAL_MORE_OCTETS: usize = b";tag=01234567".len() + b"Retry-After: 20\r\n".len();

fn is_service(raw: &[u8]) -> bool {
    raw.get(..12).is_some_and(|head| head.eq_ignore_ascii_case(b"urn:service:"))
}

/// The number a URI names, if it names one.
pub(crate) fn number(uri: &UriRef<'_>) -> Option<Digits> {
    digits::dialable(uri.number()?).ok()
}

/// The home cluster's mark of an emergency call (P-23), believed from a trunk alone; also where a hop on the way put it in
/// quotes or added parameters.
pub(crate) fn is_marked_emergency(message: &Message<'_>) -> bool {
    // Whichever of several a reader behind the sender would have taken.
    message.all(Name::Priority).any(|(_, line)| is_emergency(message.text(line.value)))
}

fn is_emergency(priority: &[u8]) -> bool {
    let value = priority.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    unquoted.unwrap_or(value).trim_ascii().eq_ignore_ascii_case(b"emergency")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_23_the_mark_is_one_in_any_case_quoted_and_with_parameters() {
        for (value, is_one) in [
            ("emergency", true),
            (" EMERGENCY\t", true),
            ("\r\n emergency", true),
            ("Emergency;x=y", true),
            ("emergency ; q", true),
            ("emergency;", true),
            ("\"emergency\"", true),
            ("\" Emergency \" ;x=\"y\"", true),
            ("\"emergency", false),
            ("emergency x", false),
            ("non-emergency", false),
            ("urgent;emergency", false),
            ("urgent", false),
            (";emergency", false),
            ("\"", false),
            ("", false),
        ] {
            assert_eq!(is_emergency(value.as_bytes()), is_one, "{value:?}");
        }
    }
}
