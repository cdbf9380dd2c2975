//! Who was a neighbour before a reload. A call ends under the configuration it began with: until then its ends are heard,
//! whatever the running one says of them.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

use super::Turn;
use crate::config::plan::Plan;
use crate::limits::FORMER_PLANS_MAX;
use crate::neighbour::{Flow, Transport};
use crate::sip::{Index, Message, Method, Start, Strictness, essentials, scan};

/// Configurations that ran before and that a call stands on, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Former(ArcSwap<Vec<Weak<Plan>>>);

impl Former {
    /// Another configuration runs now. Those no call stands on are forgotten.
    pub(crate) fn note(&self, plan: &Arc<Plan>) {
        let before = self.0.load();
        let standing = before.iter().filter(|plan| plan.strong_count() > 0).cloned();
        let plans = std::iter::once(Arc::downgrade(plan)).chain(standing).take(FORMER_PLANS_MAX).collect();
        self.0.store(Arc::new(plans));
    }

    /// Whether somebody at that address was a neighbour when a call began that stands.
    fn knew(&self, transport: Transport, from: SocketAddr) -> bool {
        let plans = self.0.load();
        let mut standing = plans.iter().filter_map(Weak::upgrade);
        standing.any(|plan| plan.neighbour(transport, from).is_some())
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
