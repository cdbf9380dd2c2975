//! Who was a neighbour before a reload. A call ends under the configuration it began with: until then its ends are heard,
//! whatever the running one says of them.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

use super::Turn;
use crate::config::plan::{Plan, Senders};
use crate::limits::FORMER_SENDERS_MAX;
use crate::neighbour::{Flow, Transport};
use crate::sip::{Index, Message, Method, Start, Strictness, essentials, scan};

/// Sets of neighbours that ran before and that a call stands on, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Former(ArcSwap<Vec<Weak<Senders>>>);

impl Former {
    /// `plan` is to run in place of `before`. Gives it back with the senders of an earlier configuration where they are the
    /// same: only reloads that change who is a neighbour count here. Those no call stands on are forgotten.
    pub(crate) fn follow(&self, before: &Plan, plan: Plan) -> Plan {
        let (ended, new) = (before.senders(), plan.senders());
        let known = self.0.load();
        let others =
            known.iter().filter(|known| known.strong_count() > 0 && !Weak::ptr_eq(known, &Arc::downgrade(ended)));
        let standing: Vec<_> =
            std::iter::once(Arc::downgrade(ended)).chain(others.cloned()).take(FORMER_SENDERS_MAX).collect();
        let same = standing.iter().filter_map(Weak::upgrade).find(|known| known == new);
        self.0.store(Arc::new(standing));
        match same {
            Some(senders) => plan.with_senders(senders),
            None => plan,
        }
    }

    /// Whether somebody at that address was a neighbour when a call began that stands.
    pub(super) fn knew(&self, transport: Transport, from: SocketAddr) -> bool {
        let known = self.0.load();
        let mut standing = known.iter().filter_map(Weak::upgrade);
        standing.any(|senders| senders.know(transport, from))
    }
}

impl Turn<'_> {
    /// Whether a message is of who is no neighbour any more and belongs to a call, or to a request, from when it was one. A
    /// new request is not.
    pub(crate) fn is_of_former_neighbour(&self, flow: Flow, bytes: &[u8], index: &mut Index) -> bool {
        if !self.engine.former.knew(flow.transport, flow.remote) {
            return false;
        }
        let Ok(message) = scan(bytes, index) else { return false };
        match message.start() {
            // It goes nowhere unless a transaction waits for it, from there.
            Start::Response { .. } => true,
            Start::Request { method, .. } => self.is_of_its_call(flow, &message, method),
        }
    }

    fn is_of_its_call(&self, flow: Flow, message: &Message<'_>, method: Method) -> bool {
        let Ok(of) = essentials(message, Strictness::Salvage) else { return false };
        if matches!(method, Method::Cancel | Method::Ack) {
            let invite = self.server_key(flow, &of, b"INVITE");
            if self.engine.transactions.contains(&invite) {
                return true;
            }
        }
        method != Method::Cancel && self.is_end_of_call(flow, &of, message)
    }
}
