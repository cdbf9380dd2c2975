//! What is not well formed and belongs to an emergency call: taken where it can be matched, routed and answered (P-23). And
//! answers without the Vias they should copy, whoever waits for them.
//!
//! It is mended first, and the mended copy alone decides whether it is an emergency's and goes on: no two readings of one
//! message. What is well formed never comes here.

use std::net::SocketAddr;

use bytes::Bytes;

use super::Turn;
use super::effects::{Effects, TransactionKey};
use super::forward::{BRANCH_BYTES, BRANCH_PREFIX};
use super::reject::Reject;
use super::request::Request;
use crate::config::plan::Neighbour;
use crate::neighbour::{Flow, Transport};
use crate::sip::{
    Editor, Essentials, Index, Malformed, Message, Method, Name, NameAddrRef, Start, Strictness, UriRef,
    answer_as_it_came, essentials, is_unlike_its_answer, leave_dialog, leave_strict_route, mend, rewrite, scan,
};
use crate::transaction::row::Cancel;

/// What the alarm says of an emergency call that is taken out of form.
const TAKEN: &str = "emergency call taken that is not well formed";

/// A response to what became of `request`, as one to `request` as it came from `source`. `None` where it is that already, or
/// is a response to something else.
pub(super) fn as_it_came(response: &[u8], request: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let (mut told, mut asked) = (Index::new(), Index::new());
    let (response, request) = (scan(response, &mut told).ok()?, scan(request, &mut asked).ok()?);
    let mut editor = Editor::new();
    answer_as_it_came(&mut editor, &response, &request, source);
    let mut whole = Vec::with_capacity(response.bytes().len() + request.bytes().len());
    (!editor.is_empty()).then(|| editor.write(&response, &mut whole))?;
    Some(whole)
}

/// Whether the CSeq of a message has more than a number.
fn names_method(message: &Message<'_>) -> bool {
    message.value(Name::CSeq).is_some_and(|cseq| !cseq.trim_ascii().iter().all(u8::is_ascii_digit))
}

impl Turn<'_> {
    /// What cannot be read as a message: taken where it is an emergency call's and can mean but one message. Nothing was done
    /// with it otherwise.
    pub(super) fn takes_broken(&mut self, flow: Flow, from: Neighbour, bytes: &[u8], why: Malformed) -> bool {
        let Some(whole) = rewrite(bytes, flow.transport == Transport::Udp) else { return false };
        let mut index = Index::new();
        let Ok(message) = scan(&whole, &mut index) else { return false };
        let counters = &self.engine.counters;
        match message.start() {
            Start::Request { method, .. } => {
                let is_taken = self.takes_request(flow, from, &message, why);
                if is_taken {
                    counters.request_in(method);
                }
                is_taken
            }
            Start::Response { status, .. } => {
                let is_taken = self.takes_response(flow, &message, status);
                if is_taken {
                    counters.response_in(status);
                }
                is_taken
            }
        }
    }

    /// A request that is not well formed: refused for `why`, unless it is an emergency call or belongs to one.
    pub(super) fn out_of_form(
        &mut self,
        flow: Flow,
        from: Neighbour,
        message: &Message<'_>,
        method: Method,
        why: Malformed,
    ) {
        if !self.takes_request(flow, from, message, why) {
            self.engine.counters.malformed();
            self.refuse_unseen(flow, message, method, Reject::Malformed(why));
        }
    }

    /// A request in form whose method is one only in letters of another case: taken as that method where it is an emergency
    /// call or belongs to one. Nothing was done with it otherwise.
    pub(super) fn takes_other_case(&mut self, request: &Request<'_>) -> bool {
        Method::of_other_case(request.essentials.cseq.token).is_some()
            && self.takes_request(request.flow, request.from, request.message, Malformed::StartLine { at: 0 })
    }

    fn takes_request(&mut self, flow: Flow, from: Neighbour, message: &Message<'_>, why: Malformed) -> bool {
        let (mut whole, mut index) = (Vec::new(), Index::new());
        if let Some(mended) = self.mended(message, &mut whole, &mut index)
            && let Some(method) = mended.method()
            && let Ok(of) = essentials(&mended, Strictness::Salvage)
        {
            let said = self.effects.sends.len();
            let is_taken = if self.is_salvaged(flow, from, &mended, method, &of, why) {
                self.in_form(flow, from, &mended, method, of);
                true
            } else {
                self.begins_out_of_form(flow, from, &mended, method, &of, why)
            };
            // Nobody answers an ACK.
            if is_taken && method != Method::Ack && is_unlike_its_answer(message) {
                self.answer_as_it_came(flow, message, self.server_key(flow, &of, of.cseq.token), said);
            }
            return is_taken;
        }
        false
    }

    /// Every response to a request that was mended carries its top Via and CSeq as they came: by them its sender knows it (RFC
    /// 3261 sections 17.1.3 and 18.1.2). Those from the send `said` on at once, the others as they are handed to its
    /// transaction `key`.
    fn answer_as_it_came(&mut self, flow: Flow, message: &Message<'_>, key: TransactionKey, said: usize) {
        self.engine.transactions.with(&key, |row| {
            if let Some(response) = as_it_came(&row.response, message.bytes(), flow.remote) {
                row.response = response.into();
            }
            row.request = Bytes::copy_from_slice(message.bytes());
            row.is_mended = true;
        });
        let Effects { arena, sends, .. } = &mut *self.effects;
        for send in sends.iter_mut().skip(said).filter(|send| send.flow.remote == flow.remote) {
            let response = arena.get(send.bytes.clone()).unwrap_or_default();
            if let Some(response) = as_it_came(response, message.bytes(), flow.remote) {
                send.bytes = arena.len()..arena.len() + response.len();
                arena.extend_from_slice(&response);
            }
        }
    }

    /// As [`Self::begins_emergency`], of an INVITE that is not well formed besides.
    fn begins_out_of_form(
        &mut self,
        flow: Flow,
        from: Neighbour,
        message: &Message<'_>,
        method: Method,
        of: &Essentials<'_>,
        why: Malformed,
    ) -> bool {
        let key = self.server_key(flow, of, of.cseq.token);
        let request = Request { flow, from, message, essentials: of, routes: &self.routes(message), method, key };
        let is_taken = of.to_tag.is_some() && !self.is_of_call(of, message) && self.begins_emergency(&request);
        if is_taken {
            self.alarm_with(TAKEN, of.call_id, why.reason());
        }
        is_taken
    }

    /// A response that is not well formed: dropped, unless an emergency call waits for it.
    pub(super) fn response_out_of_form(&mut self, flow: Flow, message: &Message<'_>, status: u16) {
        self.engine.counters.malformed();
        self.takes_response(flow, message, status);
    }

    pub(super) fn takes_response(&mut self, flow: Flow, message: &Message<'_>, status: u16) -> bool {
        let (mut whole, mut index) = (Vec::new(), Index::new());
        if let Some(mended) = self.mended(message, &mut whole, &mut index)
            && let Ok(of) = essentials(&mended, Strictness::Salvage)
        {
            let key = self.client_key(of.via.branch.unwrap_or_default(), of.cseq.token);
            let is_known = self.engine.transactions.contains(&key);
            let key = if is_known { key } else { self.key_in_our_case(key, &of).unwrap_or(key) };
            // With the branch of an INVITE comes the answer to its CANCEL too.
            let is_certain = names_method(message)
                || self.engine.transactions.with(&key, |row| row.cancel == Cancel::No) == Some(true);
            if is_certain && self.is_awaited_by_emergency(key, flow) {
                self.response_in_form(flow, &mended, &of, key, status);
                return true;
            }
        }
        false
    }

    /// The client transaction of a response whose sender wrote our branch in letters of another case, as a token may be
    /// (RFC 3261 section 7.3.1). `None` where that is the one `tried`.
    pub(super) fn key_in_our_case(&self, tried: TransactionKey, of: &Essentials<'_>) -> Option<TransactionKey> {
        let branch = of.via.branch?;
        let mut ours: [u8; BRANCH_BYTES] = branch.try_into().ok()?;
        let (cookie, rest) = ours.split_at_mut_checked(BRANCH_PREFIX.len())?;
        if !cookie.eq_ignore_ascii_case(BRANCH_PREFIX) {
            return None;
        }
        cookie.copy_from_slice(BRANCH_PREFIX);
        rest.make_ascii_lowercase();
        let key = (ours != branch).then(|| self.client_key(&ours, of.cseq.token));
        key.filter(|key| *key != tried)
    }

    /// Whether a request that is not well formed is an emergency call or belongs to one; of a new one the alarm says what
    /// is wrong with it.
    fn is_salvaged(
        &mut self,
        flow: Flow,
        from: Neighbour,
        message: &Message<'_>,
        method: Method,
        of: &Essentials<'_>,
        why: Malformed,
    ) -> bool {
        let invite = self.server_key(flow, of, b"INVITE");
        let is_patient = |turn: &Self| turn.engine.transactions.with(&invite, |row| row.is_patient);
        match (method, of.to_tag) {
            (Method::Invite, None) => {
                // A copy of one that was taken.
                if is_patient(self) == Some(true) {
                    return true;
                }
                let is_one = self.is_emergency(flow, from, message, method, of);
                if is_one {
                    self.alarm_with(TAKEN, of.call_id, why.reason());
                }
                is_one
            }
            (Method::Invite, Some(_)) => is_patient(self) == Some(true) || self.is_of_emergency(of, message),
            (Method::Cancel, _) => is_patient(self) == Some(true),
            // That of a refusal belongs to the INVITE's transaction.
            (Method::Ack, _) => is_patient(self) == Some(true) || self.is_of_emergency(of, message),
            _ => self.is_of_emergency(of, message),
        }
    }

    /// A new INVITE with a To tag, of no dialog that is or could be known here: an emergency call begins with it all the same, and
    /// its tag, which is nobody's, goes (RFC 3261 section 12.2.2 lets the one who is called take it; with the tag it would
    /// hardly be). `false` where it is none, with nothing done. One of a dialog names a neighbour or has the Routes of its way.
    pub(super) fn begins_emergency(&mut self, request: &Request<'_>) -> bool {
        if request.method != Method::Invite || self.may_be_of_dialog(request) {
            return false;
        }
        let editor = &mut self.desk.editor;
        editor.begin();
        leave_dialog(editor, request.message, &request.essentials.to);
        self.is_taken_as(request, "emergency call taken that is in no dialog of its To tag")
    }

    /// Whether an INVITE may belong to a dialog that was made here before. A Route of ours alone says nothing: phones write it
    /// into new calls too, but those name us, or a domain.
    fn may_be_of_dialog(&self, request: &Request<'_>) -> bool {
        let is_stranger = |uri: UriRef<'_>| uri.host.ip().is_some() && !self.running.is_ours(&uri);
        self.named_target(request).is_some()
            || request.routes.is_foreign
            || request.routes.own > 0 && request.essentials.uri.is_some_and(is_stranger)
    }

    /// A new INVITE that a strict router sent here, with what it is for behind the last Route: an emergency call is taken by
    /// it (RFC 3261 section 16.4). `false` where it is none, with nothing done.
    pub(super) fn is_emergency_routed_strictly(&mut self, request: &Request<'_>) -> bool {
        if !self.is_for_us(request) {
            return false;
        }
        let message = request.message;
        let Some(last) = message.values(Name::Route).last() else { return false };
        let Ok(NameAddrRef { uri: target, .. }) = NameAddrRef::parse(last.text, Strictness::Lenient) else {
            return false;
        };
        if target.user.is_none() && self.running.is_ours(&target) {
            return false;
        }
        let editor = &mut self.desk.editor;
        editor.begin();
        leave_strict_route(editor, message, &last, &target);
        self.is_taken_as(request, "emergency call taken from a strict router")
    }

    /// Goes on with a new INVITE as the editor's changes make it, where that is an emergency call.
    fn is_taken_as(&mut self, request: &Request<'_>, alarm: &'static str) -> bool {
        let mut whole = Vec::with_capacity(request.message.bytes().len());
        self.desk.editor.write(request.message, &mut whole);
        let mut index = Index::new();
        if let Ok(message) = scan(&whole, &mut index)
            && let Ok(of) = essentials(&message, Strictness::Salvage)
            && of.to_tag.is_none()
            && self.is_emergency(request.flow, request.from, &message, request.method, &of)
        {
            self.alarm(alarm, of.call_id);
            self.in_form(request.flow, request.from, &message, request.method, of);
            return true;
        }
        false
    }

    /// A response that lacks the Vias below ours, with those its request left with: what a hop leaves out would keep the
    /// answer from who waits for it, and be it an emergency call's (RFC 3261 section 8.2.6.2 has it copy them all). `None`
    /// where nobody waits.
    pub(super) fn with_vias(&mut self, key: TransactionKey, flow: Flow, message: &Message<'_>) -> Option<Vec<u8>> {
        let request = self.engine.transactions.with(&key, |row| {
            (row.partner.is_some() && self.is_from_where(row.flow, flow)).then(|| row.request.clone())
        })??;
        let mut index = Index::new();
        let sent = scan(&request, &mut index).ok()?;
        let editor = &mut self.desk.editor;
        editor.begin();
        for via in sent.values(Name::Via).skip(1) {
            editor.text().put(b"Via: ").put(via.text).append(message);
        }
        self.engine.counters.malformed();
        let mut whole = Vec::with_capacity(message.bytes().len() + request.len());
        editor.write(message, &mut whole);
        Some(whole)
    }

    /// Whether that client transaction is an emergency call's, and the response from where its request went.
    fn is_awaited_by_emergency(&self, key: TransactionKey, flow: Flow) -> bool {
        let found = self
            .engine
            .transactions
            .with(&key, |row| self.is_from_where(row.flow, flow).then_some((row.is_patient, row.call)));
        match found.flatten() {
            Some((false, Some(call))) => self.engine.calls.with(&call, |call| call.decision.emergency) == Some(true),
            Some((is_patient, _)) => is_patient,
            None => false,
        }
    }

    /// The message as [`mend()`] puts it into form, written into `whole` where that changes anything. `None` where it is no
    /// message then.
    fn mended<'m>(
        &mut self,
        message: &Message<'m>,
        whole: &'m mut Vec<u8>,
        index: &'m mut Index,
    ) -> Option<Message<'m>> {
        let editor = &mut self.desk.editor;
        editor.begin();
        mend(editor, message);
        if editor.is_empty() {
            return Some(*message);
        }
        whole.reserve_exact(message.bytes().len());
        editor.write(message, whole);
        scan(whole, index).ok()
    }
}
