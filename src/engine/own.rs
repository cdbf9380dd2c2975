//! Requests to the node itself: OPTIONS is answered, a keepalive is noted, everything else is not served here.

use super::Turn;
use super::reject::{Refusal, Reject};
use super::request::{ALLOW, Request};
use crate::sip::Method;
use crate::sip::reply::Reply;
use smallvec::{SmallVec, smallvec};

impl Turn<'_> {
    /// A request whose target is one of our own addresses.
    pub(crate) fn own(&mut self, request: Request<'_>) {
        if request.method != Method::Options {
            let why = Reject::Refusal(Refusal::MethodNotAllowed);
            return self.refuse_unseen(request.flow, request.message, request.method, why);
        }
        let mark = self.keepalive_mark(request.message);
        if mark.is_some() {
            self.keepalive_came(request.from, request.message);
        }
        let tag = self.local_tag(request.message);
        let epoch_s = self.engine.epoch_s;
        let back = self.response_flow(request.flow, request.essentials);
        let is_unverified = self.is_unverified(request.flow);
        let load = Some(self.load());
        let text = &mut self.desk.text;
        text.clear();
        let mut headers: SmallVec<[(&str, &[u8]); 3]> =
            smallvec![("Allow", ALLOW), ("Accept", b"application/sdp".as_slice())];
        if mark.is_some() {
            super::keep::write_mark(text, &self.running.plan.cluster.id, epoch_s);
            headers.push(("Call-Info", text));
        }
        let reply = Reply {
            to_tag: std::str::from_utf8(&tag).ok(),
            source: Some(request.flow.remote),
            load,
            headers: &headers,
            ..Reply::new(200)
        };
        // To an address nobody has been heard at, the answer is no longer than the question if it can be. A keepalive's is
        // what V-5 asks for, whatever its length.
        let octets_max = if is_unverified && mark.is_none() { request.message.bytes().len() } else { usize::MAX };
        let plain = Reply { headers: reply.headers.get(2..).unwrap_or_default(), ..reply };
        let arena = &mut self.effects.arena;
        let mut replies = [reply, plain].into_iter().chain(plain.shorter());
        let written = replies.find_map(|reply| reply.write_within(octets_max, request.message, arena));
        // No transaction: the answer to a repeated OPTIONS is made again, and costs no row.
        if let Some(range) = written {
            self.engine.counters.response_out(200);
            self.effects.send(back, range, None);
        }
    }
}
