//! Requests that come round again (RFC 3261 sections 16.3 and 16.6, RFC 5393).
//!
//! A request that is routed by what it says leaves with a mark in our branch: a hash of everything in it that decides where
//! it goes. One that comes back with a mark equal to its present one would only go the same way again: 482. One that comes
//! back changed is a spiral and is served. An emergency call is no exception, and is the better for it: round again
//! it would reach nobody, while the 482 makes the pass it comes from try its next hop (P-8).

use std::net::IpAddr;

use smallvec::SmallVec;

use super::Turn;
use super::forward::{BRANCH_BYTES, BRANCH_PREFIX};
use super::request::Request;
use crate::limits::MAX_BREADTH_FIRST;
use crate::sip::{Editor, Message, Name, Span, Start, ViaRef};

/// Octets of a loop's mark.
pub(crate) const MARK_BYTES: usize = 8;

impl Turn<'_> {
    /// The mark of a request from `source`: of its target, its Routes and whatever tells who calls, and from where.
    pub(crate) fn loop_mark(&self, source: IpAddr, message: &Message<'_>) -> [u8; MARK_BYTES] {
        let source = match source {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let uri = match message.start() {
            Start::Request { uri, .. } => message.text(uri),
            Start::Response { .. } => &[],
        };
        let mut parts: SmallVec<[&[u8]; 8]> = SmallVec::from_slice(&[b"loop".as_slice(), &source, uri]);
        let decides =
            |name| matches!(name, Name::Route | Name::CallInfo | Name::PAssertedIdentity | Name::Priority | Name::From);
        let marks = &self.running.plan.device_headers;
        let fields = message.fields().iter().filter(|field| {
            decides(field.name) || !marks.is_empty() && marks.hold(field.name, message.text(field.name_span))
        });
        parts.extend(fields.map(|field| message.text(field.value)));
        let mut bits = self.engine.hash(&parts) as u64;
        let mut mark = [0; MARK_BYTES];
        for digit in &mut mark {
            *digit = b"0123456789abcdef"[(bits & 15) as usize];
            bits >>= 4;
        }
        mark
    }

    /// Whether the request has left here before just as it comes now: one of its Vias is ours and has its mark.
    pub(crate) fn has_looped(&self, request: &Request<'_>) -> bool {
        let message = request.message;
        let mut vias = message.values(Name::Via).skip(1).filter(|via| {
            // Only a neighbour of our kind writes such branches: nothing else need be read.
            memchr::memmem::find(via.text, BRANCH_PREFIX).is_some()
        });
        let Some(first) = vias.next() else { return false };
        let mark = self.loop_mark(request.flow.remote.ip(), message);
        std::iter::once(first).chain(vias).any(|via| {
            let Ok(via) = ViaRef::parse(via.text) else { return false };
            let marked = via.branch.and_then(|branch| branch.get(BRANCH_BYTES - MARK_BYTES..));
            let is_ours = self.running.locals.iter().any(|local| local.host_port.as_bytes() == via.sent_by);
            is_ours && marked == Some(mark.as_slice())
        })
    }
}

/// How many ways a request may still be forked; `None` where nothing says so.
pub(crate) fn breadth(message: &Message<'_>) -> Option<u32> {
    message.number(Name::MaxBreadth)
}

/// A request outside a dialog leaves with the breadth it came with, since it is never forked here, and with the first one
/// where it came with none (RFC 5393 section 5.3.3). Nothing leaves with 0: of what comes so, only an emergency call does
/// not end here, and it leaves with 1.
pub(crate) fn write_breadth(editor: &mut Editor, message: &Message<'_>) {
    match message.first(Name::MaxBreadth) {
        None => editor.text().put(b"Max-Breadth: ").decimal(u64::from(MAX_BREADTH_FIRST)).append(message),
        Some((_, field)) if breadth(message) == Some(0) => {
            editor.replace(Span { start: field.value.start, end: field.value.end }, b"1");
        }
        Some(_) => {}
    }
}
