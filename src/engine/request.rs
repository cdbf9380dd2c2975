//! What a request is, before anybody asks what it wants: is its sender a neighbour, is it whole, has it been here.

use std::net::IpAddr;

use bytes::Bytes;
use smallvec::SmallVec;

use super::Turn;
use super::effects::{Hint, Party, TransactionKey};
use super::reject::{Refusal, Reject};
use super::routes::Routes;
use crate::config::plan::Neighbour;
use crate::neighbour::{Flow, Transport};
use crate::sip::reply::{Reply, TAG_BYTES_HINT, TAG_BYTES_LEAST};
use crate::sip::typed::reason_phrase;
use crate::sip::{Broken, Essentials, Index, Message, Method, Name, Start, Strictness, ViaRef, essentials, scan};
use crate::transaction::row::{Asked, Cancel, Machine, Purpose, Row, Timing};
use crate::transaction::{LIFETIME_MS, server, server_invite};

/// A request, whole and from a neighbour.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Where it came from.
    pub(crate) flow: Flow,
    /// Who sent it.
    pub(crate) from: Neighbour,
    /// The message.
    pub(crate) message: &'a Message<'a>,
    /// Its mandatory headers, read.
    pub(crate) essentials: &'a Essentials<'a>,
    /// Its Routes, read.
    pub(crate) routes: &'a Routes<'a>,
    /// Its method.
    pub(crate) method: Method,
    /// Its transaction.
    pub(crate) key: TransactionKey,
}

impl Turn<'_> {
    /// One datagram or frame.
    pub(crate) fn message(&mut self, flow: Flow, bytes: &[u8], index: &mut Index) {
        let counters = &self.engine.counters;
        counters.message_in(flow.transport);
        let from = match self.running.plan.neighbour(flow.transport, flow.remote) {
            Some(from) => from,
            // Heard in its call alone, and no further trusted than a phone.
            None if self.is_of_former_neighbour(flow, bytes, index) => Neighbour::Phone,
            None => {
                self.engine.want_names();
                return counters.dropped_stranger();
            }
        };
        // A datagram from a socket of ours is forged, or would have us answer ourselves: neighbours of this host have
        // ports of their own.
        if self.running.is_own(flow) {
            return counters.reflected();
        }
        let message = match scan(bytes, index) {
            Ok(message) => message,
            Err(broken) if self.takes_broken(flow, from, bytes, broken.why) => return,
            Err(broken) => return self.broken(flow, &broken),
        };
        if message.trailing() > 0 {
            counters.trailing_octets();
        }
        let method = match message.start() {
            Start::Response { status, .. } => return self.response(flow, &message, status),
            Start::Request { method, .. } => method,
        };
        counters.request_in(method);
        if !self.engine.keeps_up() && self.sheds(flow, from, &message, method) {
            return;
        }
        let essentials = match essentials(&message, Strictness::default()) {
            Ok(essentials) => essentials,
            Err(why) => return self.out_of_form(flow, from, &message, method, why),
        };
        self.in_form(flow, from, &message, method, essentials);
    }

    /// A request whose mandatory headers are read.
    pub(super) fn in_form(
        &mut self,
        flow: Flow,
        from: Neighbour,
        message: &Message<'_>,
        method: Method,
        essentials: Essentials<'_>,
    ) {
        let essentials = match self.strict_target(message, &essentials) {
            Some(target) => Essentials { uri: Some(target), ..essentials },
            None => essentials,
        };
        let token = if method == Method::Ack { b"INVITE" } else { essentials.cseq.token };
        let key = self.server_key(flow, &essentials, token);
        let routes = self.routes(message);
        self.request(Request { flow, from, message, essentials: &essentials, routes: &routes, method, key });
    }

    fn request(&mut self, request: Request<'_>) {
        match request.method {
            Method::Ack => return self.ack(request),
            Method::Cancel => return self.cancel(request),
            Method::Other if self.takes_other_case(&request) => return,
            _ => {}
        }
        if self.is_repeated(&request) {
            return;
        }
        let is_in_dialog = request.essentials.to_tag.is_some()
            || request.method != Method::Invite && self.is_of_untagged_leg(&request);
        let may_come = || {
            self.may_pass(&request)?;
            match request.method {
                // An emergency call is never refused for who sends it: known only when it is decided.
                Method::Invite => Ok(()),
                _ if is_in_dialog => self.may_send_within(&request),
                // Refusing what asks whether we live would take us out of service.
                Method::Options if self.is_for_us(&request) => Ok(()),
                _ => self.may_send(&request),
            }
        };
        if let Err(refusal) = may_come() {
            return self.refuse_unseen(request.flow, request.message, request.method, Reject::Refusal(refusal));
        }
        if is_in_dialog {
            return self.in_dialog(request);
        }
        match request.method {
            Method::Invite if self.is_emergency_routed_strictly(&request) => {}
            Method::Invite => self.invite(request),
            Method::Register if request.from == Neighbour::Phone => self.register(request),
            Method::Options | Method::Register if self.is_for_us(&request) => self.own(request),
            _ => self.outside(request),
        }
    }

    /// RFC 3261 section 16.3, steps 3 to 5. What a dialog's Routes carry round is ended by its hops alone.
    fn may_pass(&self, request: &Request<'_>) -> Result<(), Refusal> {
        if request.essentials.max_forwards == Some(0) && !(request.method == Method::Options && self.is_for_us(request))
        {
            return Err(Refusal::TooManyHops);
        }
        if request.essentials.to_tag.is_none() && self.has_looped(request) {
            return Err(Refusal::Looped);
        }
        // An emergency call goes on all the same (P-23): whether this is one is not known yet.
        let is_new_call = request.method == Method::Invite && request.essentials.to_tag.is_none();
        if !is_new_call
            && request.message.first(Name::ProxyRequire).is_some()
            && !self.is_of_emergency(request.essentials, request.message)
        {
            return Err(Refusal::BadExtension);
        }
        Ok(())
    }

    /// Whether its sender may send a request of that method outside a dialog, and another one now.
    pub(crate) fn may_send(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let Some(terms) = self.running.plan.terms(request.from) else { return Ok(()) };
        if !terms.methods.allow(request.method, request.essentials.cseq.token) {
            return Err(Refusal::MethodNotAllowed);
        }
        let bucket = terms.rate_per_s.zip(self.running.bucket(request.from));
        match bucket.is_none_or(|(rate_per_s, bucket)| bucket.take(rate_per_s, self.now.moment)) {
            true => Ok(()),
            false => Err(Refusal::TooManyRequests),
        }
    }

    /// Whether its sender may send a request of that method inside a dialog. What changes or ends a call always may, since a
    /// call that cannot be ended keeps its bandwidth, and so may everything of an emergency call (P-23).
    fn may_send_within(&self, request: &Request<'_>) -> Result<(), Refusal> {
        if matches!(request.method, Method::Invite | Method::Bye | Method::Prack | Method::Update) {
            return Ok(());
        }
        let terms = self.running.plan.terms(request.from);
        let of = request.essentials;
        let is_allowed = terms.is_none_or(|terms| terms.methods.allow(request.method, of.cseq.token));
        match is_allowed || self.is_of_emergency(of, request.message) {
            true => Ok(()),
            false => Err(Refusal::MethodNotAllowed),
        }
    }

    /// Whether the request is a copy of one whose transaction stands; its last response goes out again.
    fn is_repeated(&mut self, request: &Request<'_>) -> bool {
        let mut moved = None;
        let again = self.engine.transactions.with(&request.key, |row| {
            let back = self.response_flow(request.flow, request.essentials);
            let is_newer = row.flow.connection < back.connection && row.flow.transport == back.transport;
            if is_newer || row.flow.remote.ip() != back.remote.ip() {
                // The stream, or the address, it came by first may be gone.
                row.flow = back;
                moved = row.call.map(|call| (call, back));
            }
            let resend = match row.machine {
                Machine::ServerInvite(state) => {
                    let (next, act) = server_invite::step(state, server_invite::Event::Invite);
                    row.machine = Machine::ServerInvite(next);
                    act == server_invite::Act::Resend
                }
                Machine::Server(state) => {
                    let (next, act) = server::step(state, server::Event::Request);
                    row.machine = Machine::Server(next);
                    act == server::Act::Resend
                }
                Machine::ClientInvite(_) | Machine::Client(_) => false,
            };
            resend.then(|| (row.flow, row.response.clone(), row.is_patient))
        });
        let Some(resend) = again else { return false };
        moved.and_then(|(call, back)| self.engine.calls.with(&call, |call| call.speaks_over(request.key, back)));
        self.engine.counters.retransmission_absorbed();
        match resend {
            // Nothing but a 100 so far: it is made from the copy as it was from the first.
            Some((flow, response, is_patient)) if response.is_empty() && request.method == Method::Invite => {
                let is_bounded = !is_patient && self.is_unverified(flow);
                self.trying_within(request, if is_bounded { request.message.bytes().len() } else { usize::MAX });
            }
            Some((flow, response, _)) if !response.is_empty() => self.effects.send_copy(flow, &response, None),
            _ => {}
        }
        true
    }

    /// Opens the server transaction of a request. `false` when the table is full or another worker was faster.
    pub(crate) fn open(&mut self, request: &Request<'_>, keeps_request: bool) -> bool {
        let machine = match request.method {
            Method::Invite => Machine::ServerInvite(server_invite::State::Proceeding),
            _ => Machine::Server(server::State::Trying),
        };
        // Nothing ends an INVITE that rings but the client side; the bound is for rows whose other half was lost.
        let life_ms = match request.method {
            // Longer than its call may hunt, so that the call's own end finds it.
            Method::Invite => crate::limits::SETUP_MS_MAX + 2 * LIFETIME_MS,
            _ => 2 * LIFETIME_MS,
        };
        let mut row = Row {
            machine,
            flow: self.response_flow(request.flow, request.essentials),
            request: if keeps_request { Bytes::copy_from_slice(request.message.bytes()) } else { Bytes::new() },
            response: Bytes::new(),
            partner: None,
            call: None,
            purpose: Purpose::Server,
            offered: false,
            session: Asked::default(),
            by: Party::Caller,
            is_patient: false,
            is_mended: false,
            is_sent_again: false,
            is_cut: false,
            cancel: Cancel::No,
            timing: Timing::waiting(self.now.moment, life_ms),
        };
        let hint = row.timing.arm();
        match self.engine.transactions.insert(request.key, row) {
            Ok(crate::table::Inserted::New) => {
                if let Some(at) = hint {
                    self.effects.hints.push((at, Hint::Transaction(request.key)));
                }
                true
            }
            Ok(crate::table::Inserted::Exists) => {
                self.engine.counters.retransmission_absorbed();
                false
            }
            Err(crate::table::Full) => {
                self.refuse_unseen(
                    request.flow,
                    request.message,
                    request.method,
                    Reject::Busy(super::reject::Busy::Full),
                );
                false
            }
        }
    }

    /// Where responses to a request go (RFC 3261 section 18.2.2, RFC 3581): back to the address it came from, at the
    /// port of its Via unless the sender asked for the one it came from.
    pub(crate) fn response_flow(&self, flow: Flow, essentials: &Essentials<'_>) -> Flow {
        self.back(flow, &essentials.via)
    }

    fn back(&self, flow: Flow, via: &ViaRef<'_>) -> Flow {
        let mut back = flow;
        if flow.transport == Transport::Udp && via.rport().is_none() {
            back.remote.set_port(via.port.unwrap_or(5060));
            // A Via that names one of our own ports would have us answer ourselves.
            if back.remote != flow.remote && !self.running.is_answerable(back) {
                back.remote = flow.remote;
            }
        }
        back
    }

    /// The server transaction a request belongs to (RFC 3261 section 17.2.3). `method` is INVITE for an ACK, and for a
    /// CANCEL when the transaction to cancel is meant. The sender's address is a part of it: no neighbour can cancel,
    /// acknowledge or hide what another one asked for.
    pub(crate) fn server_key(&self, flow: Flow, of: &Essentials<'_>, method: &[u8]) -> TransactionKey {
        if of.via.is_branch_unique() {
            return self.unique_key(flow, &of.via, of.call_id, method);
        }
        // RFC 2543: tags, Call-ID, CSeq and the top Via as a whole tell transactions apart.
        let (tag, number) = (of.from_tag.unwrap_or_default(), of.cseq.number.to_be_bytes());
        self.key_from(flow, |source| self.engine.hash(&[b"o", source, of.call_id, tag, &number, of.via.raw, method]))
    }

    /// As [`Self::server_key`], where the branch tells transactions apart. Of a sender that writes the same into every call the
    /// Call-ID does; it is the same in all that belongs to one transaction (RFC 3261 section 17.2.3).
    pub(crate) fn unique_key(&self, flow: Flow, via: &ViaRef<'_>, call_id: &[u8], method: &[u8]) -> TransactionKey {
        let branch = via.branch.unwrap_or_default();
        self.key_from(flow, |source| self.engine.hash(&[b"s", source, branch, via.sent_by, call_id, method]))
    }

    /// The transaction that `hash` gives of a sender's address. A neighbour of several addresses may send what belongs to a
    /// transaction from another one than it began at: where none stands by its own, it is that one.
    fn key_from(&self, flow: Flow, hash: impl Fn(&[u8]) -> u128) -> TransactionKey {
        let by = |ip| TransactionKey(hash(&octets(ip)));
        let ip = flow.remote.ip();
        let (own, others) = (by(ip), self.running.plan.other_ips(ip));
        if others.is_empty() || self.engine.transactions.contains(&own) {
            return own;
        }
        others.iter().map(|other| by(*other)).find(|key| self.engine.transactions.contains(key)).unwrap_or(own)
    }

    /// The client transaction with this branch of ours.
    pub(crate) fn client_key(&self, branch: &[u8], method: &[u8]) -> TransactionKey {
        self.engine.client_key(branch, method)
    }

    /// A message that could not be read: answered when it is a request with a Via, dropped otherwise.
    fn broken(&mut self, flow: Flow, broken: &Broken<'_>) {
        let counters = &self.engine.counters;
        match broken.partial.filter(|message| message.first(Name::Via).is_some()) {
            Some(message) => {
                counters.malformed();
                let method = message.method().unwrap_or(Method::Ack);
                self.refuse_unseen(flow, &message, method, Reject::Malformed(broken.why));
            }
            None => counters.not_sip(),
        }
    }

    /// Octets that are not handled as a message, answered where they are a neighbour's request.
    pub(crate) fn refuse_octets(&mut self, flow: Flow, bytes: &[u8], index: &mut Index, why: Reject) {
        if self.running.plan.neighbour(flow.transport, flow.remote).is_none() {
            return;
        }
        let message = match scan(bytes, index) {
            Ok(message) => Some(message),
            Err(broken) => broken.partial,
        };
        if let Some(message) = message
            && let Some(method) = message.method()
        {
            self.refuse_unseen(flow, &message, method, why);
        }
    }

    /// Refuses a request without a transaction: once, and an ACK not at all.
    pub(crate) fn refuse_unseen(&mut self, flow: Flow, message: &Message<'_>, method: Method, why: Reject) {
        if method == Method::Ack {
            return;
        }
        let via = message.values(Name::Via).next().and_then(|value| ViaRef::parse(value.text).ok());
        let back = via.map_or(flow, |via| self.back(flow, &via));
        if !self.running.is_answerable(back) {
            return self.engine.counters.reflected();
        }
        if let Some(range) = self.write_refusal(flow, message, why) {
            self.engine.counters.response_out(why.answer().status);
            self.effects.send(back, range, None);
        }
    }

    /// Whether nobody has shown yet that they hear us at that UDP address: what we refuse goes there once, and is no
    /// longer than what came.
    pub(crate) fn is_unverified(&self, flow: Flow) -> bool {
        flow.transport == Transport::Udp && !self.engine.verified.holds(flow.remote.ip(), self.now.moment)
    }

    /// The other end of a flow has shown that it hears us.
    pub(crate) fn verify(&self, flow: Flow) {
        if flow.transport == Transport::Udp {
            self.engine.verified.note(flow.remote.ip(), self.now.moment);
        }
    }

    /// Writes a refusal into the arena; `None` when not even the top Via can be read. To an unverified address it is
    /// made as short as it has to be, and `None` where what came is shorter still: no request then, by its first line.
    pub(crate) fn write_refusal(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        why: Reject,
    ) -> Option<std::ops::Range<usize>> {
        self.write_refusal_after(0, flow, message, why)
    }

    /// The same where so many octets were said to the request already.
    pub(crate) fn write_refusal_after(
        &mut self,
        said: usize,
        flow: Flow,
        message: &Message<'_>,
        why: Reject,
    ) -> Option<std::ops::Range<usize>> {
        self.engine.counters.refused(why.answer().status);
        let octets_max = if self.is_unverified(flow) { message.bytes().len().saturating_sub(said) } else { usize::MAX };
        for fit in [Fit::Full, Fit::Causes, Fit::Bare] {
            if let Some(range) = self.write_fitted(flow, message, why, fit, octets_max) {
                return Some(range);
            }
        }
        None
    }

    fn write_fitted(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        why: Reject,
        fit: Fit,
        octets_max: usize,
    ) -> Option<std::ops::Range<usize>> {
        let answer = why.answer();
        let running = self.running.clone();
        let tag = self.local_tag(message);
        let load = matches!(fit, Fit::Full | Fit::Causes).then(|| self.load());
        let host_port = self.running.local(flow).map_or("-", |local| &*local.host_port);
        let mut headers: SmallVec<[(&str, &[u8]); 4]> = SmallVec::new();
        // The texts stand one after the other on the desk; the headers point into it.
        let text = &mut self.desk.text;
        text.clear();
        let phrase = if fit == Fit::Full { answer.phrase } else { reason_phrase(answer.status) };
        let reason = match (answer.cause, fit) {
            (Some(cause), Fit::Full) => Some(write_to(text, format_args!("Q.850;cause={cause};text=\"{phrase}\""))),
            (Some(cause), Fit::Causes) => Some(write_to(text, format_args!("Q.850;cause={cause}"))),
            _ => None,
        };
        let warning = answer.warning.filter(|_| matches!(fit, Fit::Full | Fit::Causes));
        let warning = warning.map(|code| write_to(text, format_args!("{code} {host_port} \"{phrase}\"")));
        let retry = answer.retry_after_s.map(|seconds| write_to(text, format_args!("{seconds}")));
        let min_se = answer.min_se_s.map(|seconds| write_to(text, format_args!("{seconds}")));
        for (name, range) in [("Reason", reason), ("Warning", warning), ("Retry-After", retry), ("Min-SE", min_se)] {
            if let Some(value) = range.and_then(|range| text.get(range)) {
                headers.push((name, value));
            }
        }
        if answer.status == 405 {
            let from = running.plan.neighbour(flow.transport, flow.remote);
            let limited = from.and_then(|from| running.plan.terms(from)?.methods.header());
            headers.push(("Allow", limited.unwrap_or(ALLOW)));
        }
        if answer.status == 421 {
            headers.push(("Require", b"path"));
        }
        if answer.status == 424 {
            // It cannot be processed, whichever the reason (RFC 6442 section 4.4).
            headers.push(("Geolocation-Error", b"100;code=\"Cannot Process Location\""));
        }
        if answer.status == 420 {
            headers.extend(message.values(Name::ProxyRequire).map(|value| ("Unsupported", value.text)));
        }
        let reply = Reply {
            reason: phrase,
            to_tag: std::str::from_utf8(&tag).ok(),
            source: Some(flow.remote),
            load,
            headers: &headers,
            ..Reply::new(answer.status)
        };
        let arena = &mut self.effects.arena;
        let shorter = reply.shorter().into_iter().filter(|_| fit == Fit::Bare);
        std::iter::once(reply).chain(shorter).find_map(|reply| reply.write_within(octets_max, message, arena))
    }

    /// Whether a To tag is the one our own response to this message's request has, long enough that nobody guesses it.
    pub(crate) fn is_own_tag(&self, message: &Message<'_>, tag: &[u8]) -> bool {
        tag.len() >= TAG_BYTES_LEAST && self.is_tag_hinted(message, tag)
    }

    /// Whether a To tag may be the one of our own response, however short that had to be: enough to go no further, not to
    /// be believed.
    pub(crate) fn is_tag_hinted(&self, message: &Message<'_>, tag: &[u8]) -> bool {
        tag.len() >= TAG_BYTES_HINT && self.local_tag(message).starts_with(tag)
    }

    /// The tag of our own responses: a seeded hash of the request, so that a repeated one, and its ACK, get the same. Of
    /// the top Via its sender and branch count: an ACK may carry it as our answer did, with `rport` and `received`.
    pub(crate) fn local_tag(&self, message: &Message<'_>) -> [u8; 16] {
        let call_id = message.value(Name::CallId).unwrap_or_default();
        let via = message.values(Name::Via).next().map(|value| value.text).unwrap_or_default();
        let (sent_by, branch) = match ViaRef::parse(via) {
            Ok(ViaRef { sent_by, branch: Some(branch), .. }) => (sent_by, branch),
            _ => (via, b"".as_slice()),
        };
        let mut bits = self.engine.hash(&[b"t", call_id, sent_by, branch]) as u64;
        let mut tag = [0; 16];
        for digit in &mut tag {
            *digit = b"0123456789abcdef"[(bits & 15) as usize];
            bits >>= 4;
        }
        tag
    }

    /// Whether the Request-URI is one of our own addresses without a user.
    pub(crate) fn is_for_us(&self, request: &Request<'_>) -> bool {
        let Some(uri) = request.essentials.uri else { return false };
        uri.user.is_none() && self.running.is_ours(&uri)
    }
}

/// How much of a refusal is written: each drops what the one before it could do without.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Everything that helps whoever reads it.
    Full,
    /// Causes and warnings without our own words.
    Causes,
    /// What a response must have, and where that is too much, less ([`Reply::shorter`]).
    Bare,
}

/// The address a request came from, as its transaction is known by.
fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The methods this node passes on or answers.
pub(crate) const ALLOW: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO";

/// Writes a header's value behind what `text` holds; gives back where.
fn write_to(text: &mut Vec<u8>, value: std::fmt::Arguments<'_>) -> std::ops::Range<usize> {
    use std::io::Write;
    let start = text.len();
    // Writing to memory cannot fail.
    let _ = text.write_fmt(value);
    start..text.len()
}
