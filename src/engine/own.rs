//! Requests to the node itself: OPTIONS is answered, a keepalive is noted, everything else is not served here.

use super::Turn;
use super::reject::{Refusal, Reject};
use super::request::{ALLOW, Request};
use crate::sip::Method;
use crate::sip::reply::{self, Reply};

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
        let cluster = self.running.plan.cluster.id.clone();
        let text = &mut self.desk.text;
        text.clear();
        text.extend_from_slice(ALLOW);
        text.extend_from_slice(b"Accept: application/sdp\r\n");
        if mark.is_some() {
            super::keep::write_mark(text, &cluster, epoch_s);
        }
        let back = self.response_flow(request.flow, request.essentials);
        // No transaction: the answer to a repeated OPTIONS is made again, and costs no row.
        let answer = Reply {
            status: 200,
            phrase: "OK",
            to_tag: Some(&tag),
            source: Some(request.flow.remote),
            lines: text,
            record_route: false,
        };
        if let Some(range) = reply::write(request.message, &answer, &mut self.effects.arena) {
            self.engine.counters.response_out(200);
            self.effects.send(back, range, None);
        }
    }
}
