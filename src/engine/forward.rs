//! Requests on their way out: written once into the arena, and the client transaction that goes with them.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use emcc_policies::emergency::service_sos;

use super::Turn;
use super::asserted;
use super::call::{Offer, Onward, Phase, Said, Told};
use super::decide::{Decision, Next, NextHop, Role};
use super::effects::{CallKey, Hint, Note, Party, TransactionKey};
use super::hunt::Failure;
use super::ids::hex;
use super::keys::{Keys, Passage};
use super::loops::{self, MARK_BYTES};
use super::media::{Body, Shaping};
use super::reject::{Busy, Refusal, Reject};
use super::running::{Local, Running};
use super::session::{self, Terms};
use super::strict;
use super::trust::{self, Crossing};
use crate::config::plan::{Neighbour, Plan};
use crate::limits::MAX_FORWARDS_FIRST;
use crate::neighbour::{Address, Flow, Transport};
use crate::sip::control;
use crate::sip::{
    Editor, Essentials, Message, Method, Name, NameAddrRef, Scheme, Strictness, UriRef, essentials_of_taken, multipart,
};
use crate::table::Inserted;
use crate::transaction::row::{Asked, Cancel, Machine, Purpose, Row, Timing};
use crate::transaction::{LIFETIME_MS, client, client_invite};

/// What a new client transaction is for.
#[derive(Clone, Copy)]
pub(crate) struct Launch {
    pub(crate) purpose: Purpose,
    pub(crate) server: Option<TransactionKey>,
    pub(crate) call: Option<CallKey>,
    /// Whether the request carries an offer.
    pub(crate) offered: bool,
    /// What it asks of session timers.
    pub(crate) session: Asked,
    /// Which party's side it comes from.
    pub(crate) by: Party,
    /// Whether it is an emergency call's INVITE, which may ring as long as it likes.
    pub(crate) is_patient: bool,
    pub(crate) method: Method,
}

impl Launch {
    /// A request of our own, that nobody waits for.
    pub(crate) fn own(purpose: Purpose, method: Method) -> Self {
        Self {
            purpose,
            server: None,
            call: None,
            offered: false,
            session: Asked::default(),
            by: Party::Caller,
            is_patient: false,
            method,
        }
    }
}

/// What the INVITE of a hop is written from.
pub(crate) struct Outgoing<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) decision: &'a Decision,
    /// Where the INVITE came from.
    pub(crate) caller: Flow,
    pub(crate) pass: u8,
    /// The hop refused the location of ours (G-17).
    pub(crate) without_place: bool,
}

impl Turn<'_> {
    /// Opens the client transaction of a request that stands in the arena, and sends it. `false` when the table is full.
    pub(crate) fn launch(&mut self, key: TransactionKey, flow: Flow, range: Range<usize>, launch: Launch) -> bool {
        let (now, is_reliable) = (self.now.moment, flow.transport.is_reliable());
        let (machine, life_ms) = match (launch.method, launch.purpose) {
            (Method::Invite, Purpose::Hunt) => {
                (Machine::ClientInvite(client_invite::State::Calling), self.running.plan.sip.no_response_ms)
            }
            (Method::Invite, _) => (Machine::ClientInvite(client_invite::State::Calling), LIFETIME_MS),
            (_, Purpose::Register { is_last: false, .. }) => {
                (Machine::Client(client::State::Trying), self.running.plan.sip.no_response_ms)
            }
            (_, Purpose::Probe) => (Machine::Client(client::State::Trying), self.running.plan.sip.probes.timeout_ms),
            _ => (Machine::Client(client::State::Trying), LIFETIME_MS),
        };
        let bytes = self.effects.arena.get(range.clone()).unwrap_or_default();
        let mut row = Row {
            machine,
            flow,
            request: Bytes::copy_from_slice(bytes),
            response: Bytes::new(),
            partner: launch.server,
            call: launch.call,
            purpose: launch.purpose,
            offered: launch.offered,
            session: launch.session,
            by: launch.by,
            is_patient: launch.is_patient,
            is_mended: false,
            is_sent_again: false,
            is_cut: false,
            cancel: Cancel::No,
            timing: Timing::started(now, is_reliable, life_ms),
        };
        let hint = row.timing.arm();
        if self.engine.transactions.insert(key, row) != Ok(Inserted::New) {
            return false;
        }
        if let Some(at) = hint {
            self.effects.hints.push((at, Hint::Transaction(key)));
        }
        if let Some(server) = launch.server {
            self.engine.transactions.with(&server, |row| row.partner = Some(key));
        }
        self.engine.counters.request_out(launch.method);
        self.effects.send(flow, range, Some(key));
        true
    }

    /// Sends a call's INVITE to its next hop, and to the one after when that cannot be reached at all.
    pub(crate) fn hunt(&mut self, key: CallKey, next: Next) {
        let facts = self.engine.calls.with(&key, |call| {
            let (without_place, keeps_beyond) = (call.place == Told::NotAgain, call.offer == Offer::Whole);
            let of_call = (call.plan.clone(), call.decision.clone(), call.invite.clone(), call.caller, call.pass);
            (of_call, call.audio_only, without_place, keeps_beyond)
        });
        let Some(((plan, decision, invite, caller, pass), audio_only, without_place, keeps_beyond)) = facts else {
            return;
        };
        let mut index = self.desk.index.take().unwrap_or_default();
        if let Ok(message) = crate::sip::scan(&invite, &mut index)
            && let Ok(of) = essentials_of_taken(&message)
        {
            let allowed = super::media::allowed(audio_only);
            let shaping = Shaping { role: emcc_policies::region::Role::Offer, allowed, keeps_beyond };
            let body = self.shape(&plan, decision.link, &message, shaping, &mut Default::default());
            let outgoing = Outgoing { plan: &plan, decision: &decision, caller, pass, without_place };
            self.send_invite(key, &outgoing, &message, &of, &next, &body);
        }
        self.desk.index = Some(index);
    }

    /// What follows when the hop of `client` failed (P-8).
    pub(crate) fn after(&mut self, call_key: CallKey, client: TransactionKey, failure: Failure, said: Option<Said>) {
        let onward = self.engine.calls.with(&call_key, |call| {
            // A silent hop that was left open is silent twice, and counts once.
            let is_news = call.phase == Phase::Hunting && call.client == Some(client);
            (call.after(client, failure, said), is_news)
        });
        let (onward, is_news) = onward.unwrap_or((Onward::Nothing, false));
        if is_news && matches!(failure, Failure::Silent | Failure::Unreachable) {
            self.engine.counters.hop_failed();
        }
        match onward {
            Onward::Try(next) => {
                self.engine.counters.failed_over();
                let call_id = self.engine.calls.with(&call_key, |call| call.call_id.clone());
                self.effects.notes.push(Note::Debug { what: "a hop failed: the next one is tried", call_id });
                self.hunt(call_key, next);
            }
            Onward::WithoutPlace(hop) => {
                let call_id = self.engine.calls.with(&call_key, |call| call.call_id.clone());
                self.effects
                    .notes
                    .push(Note::Debug { what: "a hop failed with our location: it is tried without", call_id });
                self.hunt(call_key, hop);
            }
            Onward::WithWholeOffer(hop) => {
                self.alarm_of("emergency call refused for its codecs, tried with all it offered", call_key);
                self.hunt(call_key, hop);
            }
            Onward::Fail(None) if failure == Failure::Overloaded => {
                self.fail_with(call_key, Reject::Refusal(Refusal::NextHopOverloaded));
            }
            Onward::Fail(best) => self.fail(call_key, best),
            Onward::Cancelled => self.fail_with(call_key, Reject::Refusal(Refusal::Cancelled)),
            Onward::Wait => self.look(call_key),
            Onward::Nothing => {}
        }
    }

    /// Writes and sends the INVITE of one hop. The call row stands already.
    pub(crate) fn send_invite(
        &mut self,
        key: CallKey,
        out: &Outgoing<'_>,
        message: &Message<'_>,
        of: &Essentials<'_>,
        next: &Next,
        body: &Body,
    ) {
        let branch = self.marked_branch(self.loop_mark(out.caller.remote.ip(), message));
        let client = self.client_key(&branch, b"INVITE");
        let now = self.now.moment;
        let shaped = body.shaped();
        let is_without_annex_b = shaped.is_some_and(|shaped| shaped.is_without_annex_b);
        let offered_modes = shaped.map(|shaped| shaped.modes.clone()).unwrap_or_default();
        let server = self.engine.calls.with(&key, |call| {
            let hunting = call.phase == Phase::Hunting && !call.cancelled;
            hunting.then(|| {
                call.client = Some(client);
                call.is_without_annex_b = is_without_annex_b;
                call.offered_modes = offered_modes;
                if let Some(patience) = &mut call.patience {
                    patience.tried_at = now;
                }
                call.server
            })
        });
        let Some(server) = server else { return };
        let Some(server) = server else {
            return self.fail_with(key, Reject::Refusal(Refusal::Cancelled));
        };
        self.engine.counters.hop_tried();
        let Some(flow) = self.way_to(next, out.caller.listener) else {
            return self.after(key, client, Failure::Unreachable, None);
        };
        if let Some(why) = self.needs_tls(out.plan, out.decision, of.uri.as_ref(), flow) {
            return self.after(key, client, Failure::Barred(why), None);
        }
        let bare;
        let body =
            match self.keys(out.plan, message, Passage { decision: Some(out.decision), from: out.caller, to: flow }) {
                Keys::Pass => body,
                Keys::Removed => {
                    bare = self.without_keys(message, body);
                    &bare
                }
                Keys::Refused => return self.after(key, client, Failure::Barred(Refusal::KeysInClear), None),
            };
        if self.spares(flow, out.caller, message, out.decision.emergency) {
            return self.after(key, client, Failure::Overloaded, None);
        }
        // An emergency call gets no session timer of ours (P-23).
        let policy = out.plan.sip.session_timer;
        let terms = if out.decision.emergency { Ok(Terms::default()) } else { session::terms(message, policy) };
        let terms = terms.unwrap_or_default();
        let range = self.write_invite(key, out, message, of, next, body, terms, flow, &branch);
        let launch = Launch {
            purpose: Purpose::Hunt,
            server: Some(server),
            call: Some(key),
            offered: multipart::description(message).is_some(),
            session: terms.asked,
            by: Party::Caller,
            is_patient: out.decision.emergency,
            method: Method::Invite,
        };
        if !self.launch(client, flow, range, launch) {
            self.fail_with(key, Reject::Busy(Busy::Full));
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn write_invite(
        &mut self,
        key: CallKey,
        out: &Outgoing<'_>,
        message: &Message<'_>,
        of: &Essentials<'_>,
        next: &Next,
        body: &Body,
        terms: Terms,
        flow: Flow,
        branch: &[u8],
    ) -> Range<usize> {
        let running = Arc::clone(&self.running);
        let editor = &mut self.desk.editor;
        editor.begin();
        editor.version(message);
        request_uri(editor, message, of, next, &running);
        let own = self.routes(message).own;
        let editor = &mut self.desk.editor;
        strict::write_way(editor, message, of, own, Some(&next.to));
        let (Some(inward), Some(outward)) = (running.local(out.caller), running.local(flow)) else {
            return 0..0;
        };
        via(editor, message, outward, branch, running.asks_load(flow));
        let is_sips = needs_sips(message, of, own);
        record_route(editor, message, outward, out.pass, is_sips);
        if out.caller.listener != flow.listener {
            record_route(editor, message, inward, out.pass, is_sips);
        }
        editor.received_and_rport(message, &of.via, out.caller.remote);
        editor.max_forwards(message, hops_left(of));
        loops::write_breadth(editor, message);
        terms.write(editor, message);
        let to = match next.to {
            NextHop::Remote(cluster) => Some(Neighbour::Remote { cluster, is_rsvp_trunk: false }),
            NextHop::Peer(peer) => Some(Neighbour::Peer(peer)),
            NextHop::Phone { .. } => Some(Neighbour::Phone),
            NextHop::Named => out.plan.neighbour(flow.transport, flow.remote),
        };
        let from = out.plan.neighbour(out.caller.transport, out.caller.remote);
        let mut crossing = trust::crossing(out.plan, message, from, to);
        let is_told = out.plan.trust(to).identity;
        let passes_marks = out.decision.believes_mark && is_told && !is_trunk(next) && !next.is_gateway;
        crossing.marks = (!passes_marks).then(|| out.plan.device_headers.clone());
        crossing.write(editor, message);
        marks(editor, message, key, out, next, &crossing);
        if let (Some(calling), Some(local)) = (next.calling, running.local(flow)) {
            asserted::write(editor, message, &calling, local.advertised.ip(), &crossing);
        }
        let may_be_told = !crossing.location && !out.without_place && out.plan.trust(to).location;
        if may_be_told && self.write_place(key, out, message, body, flow) {
            self.engine.calls.with(&key, |call| call.place = Told::Ours);
        } else {
            self.write_body(message, body, crossing.location);
        }
        let editor = &mut self.desk.editor;
        editor.write(message, &mut self.effects.arena)
    }

    /// The way to a hop: a phone's is the one it registered on.
    pub(crate) fn way_to(&self, next: &Next, preferred: u16) -> Option<Flow> {
        let Address { transport, socket } = next.address;
        match next.to {
            NextHop::Phone { listener, connection } if connection != 0 => {
                Some(Flow { transport, listener, remote: socket, connection })
            }
            NextHop::Phone { listener, .. } => self.running.way(next.address, listener),
            _ => self.running.way(next.address, preferred),
        }
    }

    /// A branch of our own (RFC 3261 section 8.1.1.7), of a request that its dialog's Routes lead.
    pub(crate) fn branch(&mut self) -> [u8; BRANCH_BYTES] {
        self.marked_branch(*b"00000000")
    }

    /// A branch of our own with the mark its request is known by when it comes round again (RFC 5393 section 4.2.1).
    pub(crate) fn marked_branch(&mut self, mark: [u8; MARK_BYTES]) -> [u8; BRANCH_BYTES] {
        let mut branch = [0; BRANCH_BYTES];
        let (cookie, rest) = branch.split_at_mut(BRANCH_PREFIX.len());
        let (id, end) = rest.split_at_mut(rest.len() - MARK_BYTES);
        cookie.copy_from_slice(BRANCH_PREFIX);
        id.copy_from_slice(&self.ids.next_hex());
        end.copy_from_slice(&mark);
        branch
    }
}

/// How every branch of ours begins.
pub(crate) const BRANCH_PREFIX: &[u8] = b"z9hG4bK-emcc-";
/// Octets of a branch of ours.
pub(crate) const BRANCH_BYTES: usize = BRANCH_PREFIX.len() + 16 + MARK_BYTES;

/// Hops left for the next one (RFC 3261 section 16.6, step 3).
pub(crate) fn hops_left(of: &Essentials<'_>) -> u8 {
    of.max_forwards.map_or(MAX_FORWARDS_FIRST, |hops| hops.saturating_sub(1))
}

/// Pushes our Via on top; `asks_load`: the next hop is to tell its load (RFC 7339).
pub(crate) fn via(editor: &mut Editor, message: &Message<'_>, local: &Local, branch: &[u8], asks_load: bool) {
    let text = editor
        .text()
        .put(b"Via: SIP/2.0/")
        .put(local.address.transport.via_name().as_bytes())
        .put(b" ")
        .put(local.host_port.as_bytes())
        .put(b";branch=")
        .put(branch);
    let text = if asks_load { text.put(control::OFFER) } else { text };
    text.top(message);
}

/// Puts our Record-Route before those that came; with two listeners in play each gets its own (RFC 5658). Both are `sips`
/// where the request is, save on the side of an emergency call that has no TLS.
fn record_route(editor: &mut Editor, message: &Message<'_>, local: &Local, pass: u8, is_sips: bool) {
    let transport = local.address.transport;
    let text = if is_sips && transport == Transport::Tls {
        editor.text().put(b"Record-Route: <sips:").put(local.host_port.as_bytes()).put(b";lr")
    } else {
        let text = editor.text().put(b"Record-Route: <sip:").put(local.host_port.as_bytes()).put(b";lr");
        text.put(transport.uri_parameter())
    };
    let text = if pass > 0 { text.put(b";pass=").decimal(u64::from(pass)) } else { text };
    let text = text.put(b">");
    match message.first(Name::RecordRoute) {
        Some((field, _)) => text.before_field(message, field),
        None => text.top(message),
    }
}

/// Whether every way on must be TLS (RFC 3261 section 16.6, step 4): the Request-URI, or the Route behind our own, is `sips`.
fn needs_sips(message: &Message<'_>, of: &Essentials<'_>, own: usize) -> bool {
    let is_sips = |uri: &UriRef<'_>| uri.scheme == Scheme::Sips;
    let route = message.values(Name::Route).nth(own);
    of.uri.as_ref().is_some_and(is_sips)
        || route.is_some_and(|value| {
            NameAddrRef::parse(value.text, Strictness::Lenient).is_ok_and(|route| is_sips(&route.uri))
        })
}

/// The number at the next hop, or the URI unchanged where there is no number to put (P-23).
pub(crate) fn request_uri(
    editor: &mut Editor,
    message: &Message<'_>,
    of: &Essentials<'_>,
    next: &Next,
    running: &Running,
) {
    let crate::sip::Start::Request { uri: span, .. } = message.start() else { return };
    let Some(called) = next.called else {
        if matches!(next.to, NextHop::Remote(_) | NextHop::Peer(_))
            && let Some(urn) = of.uri.filter(|uri| uri.scheme == Scheme::Urn)
            && let Some(service) = service_sos(urn.raw).filter(|service| service.len() < urn.raw.len())
        {
            // Without what stands behind it: the next hop may take that for a part of the name.
            editor.request_uri(message, &service);
        }
        // What names this node would come back from a neighbour that does not know that name.
        if matches!(next.to, NextHop::Peer(_)) {
            our_host(editor, message, of, next.address, running);
        }
        return;
    };
    let transport = next.address.transport;
    // What came as `sip` is not made `sips` (RFC 5630 section 5.3).
    let is_sips = transport == Transport::Tls && of.uri.is_some_and(|uri| uri.scheme == Scheme::Sips);
    let text = editor.text().put(if is_sips { b"sips:" } else { b"sip:" });
    let mut text = text.put(called.as_str().as_bytes());
    // What is behind the number is the callee's, and goes with it (RFC 3966 section 5.1).
    let behind = of.uri.map(|uri| if uri.scheme == Scheme::Tel { uri.params } else { uri.user_params() });
    for name in ["isub", "ext"] {
        if let Some(value) = behind.as_ref().and_then(|params| params.value(name)) {
            text = text.put(b";").put(name.as_bytes()).put(b"=").put(value);
        }
    }
    let text = text.put(b"@").host(next.address.socket.ip());
    let text = text.put(b":").decimal(u64::from(next.address.socket.port()));
    let text = if is_sips { text } else { text.put(transport.uri_parameter()) };
    // A tel URI becomes a SIP URI of the same number (RFC 3261 section 19.1.6).
    let is_phone = of.uri.is_some_and(|uri| {
        uri.scheme == Scheme::Tel || uri.param("user").is_some_and(|user| user.eq_ignore_ascii_case(b"phone"))
    });
    let text = if is_phone { text.put(b";user=phone") } else { text };
    text.replace(span);
}

/// Another neighbour's address where a Request-URI names this node.
pub(crate) fn our_host(
    editor: &mut Editor,
    message: &Message<'_>,
    of: &Essentials<'_>,
    at: Address,
    running: &Running,
) {
    let crate::sip::Start::Request { uri: span, .. } = message.start() else { return };
    let Some(uri) = of.uri.filter(|uri| running.is_ours(uri)) else { return };
    let text = editor.text().put(b"sip:");
    let text = match uri.user {
        Some(user) => text.put(user).put(b"@"),
        None => text,
    };
    let text = text.host(at.socket.ip()).put(b":").decimal(u64::from(at.socket.port()));
    text.put(at.transport.uri_parameter()).replace(span);
}

/// Takes away every mark that is not believed and sets our own (design 3.3, P-13, P-23).
fn marks(
    editor: &mut Editor,
    message: &Message<'_>,
    key: CallKey,
    out: &Outgoing<'_>,
    next: &Next,
    crossing: &Crossing,
) {
    let is_trunk = is_trunk(next);
    Urgency::of(out.decision).write(editor, message, is_trunk, crossing);
    let is_relayed = out.decision.is_from_phone && !is_trunk && !next.is_gateway;
    if !is_trunk && !is_relayed {
        return;
    }
    if let Some(device) = out.decision.device_name(out.plan) {
        let header = match next.to {
            NextHop::Remote(cluster) => Some(Neighbour::Remote { cluster, is_rsvp_trunk: false }),
            NextHop::Peer(peer) => Some(Neighbour::Peer(peer)),
            NextHop::Named | NextHop::Phone { .. } => None,
        };
        let header = header.map_or("Call-Info", |to| out.plan.device_header(to).name());
        let text = editor
            .text()
            .put(header.as_bytes())
            .put(b": <urn:emcc:device:")
            .put(device.as_bytes())
            .put(b">;purpose=emcc-device;cluster=")
            .put(out.plan.cluster.id.as_bytes());
        // Call control may make a call of its own out of this one: what it sends back says which it was.
        let text = if is_relayed { text.put(b";call=").put(&hex(key.0)) } else { text };
        text.append(message);
    }
}

/// What is told of an emergency to the next hop (P-23).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Urgency {
    is_emergency: bool,
    /// Its mark is the home cluster's.
    is_marked: bool,
}

impl Urgency {
    /// What a decision makes of it.
    pub(crate) fn of(decision: &Decision) -> Self {
        let is_emergency = decision.emergency;
        Self { is_emergency, is_marked: is_emergency && decision.role == Role::Visiting }
    }

    /// Takes away every mark that is not believed, and sets ours for a trunk, in place of whatever else is said there: a
    /// message has one Priority (RFC 3261 section 7.3.1).
    pub(crate) fn write(self, editor: &mut Editor, message: &Message<'_>, is_trunk: bool, crossing: &Crossing) {
        if self.is_marked {
            return;
        }
        let is_set = is_trunk && self.is_emergency;
        for (field, line) in message.all(Name::Priority) {
            // What the crossing takes off is gone already.
            let is_left = !crossing.headers.hold(Name::Priority, b"");
            if is_left && (is_set || trust::holds(message.text(line.value), b"emergency")) {
                editor.remove_field(message, field);
            }
        }
        if is_set {
            editor.append_header(message, b"Priority: emergency");
        }
    }
}

fn is_trunk(next: &Next) -> bool {
    matches!(next.to, NextHop::Remote(_))
}

/// Whether an address a header names may be sent to: that of a neighbour.
pub(crate) fn is_neighbour(running: &Running, ip: IpAddr, port: u16, transport: Transport) -> bool {
    running.plan.neighbour(transport, (ip, port).into()).is_some()
}
