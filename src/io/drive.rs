//! The engine as the rim drives it.

use std::net::SocketAddr;

use super::Driver;
use crate::config::plan::Neighbour;
use crate::engine::effects::{Effects, Input, Now};
use crate::engine::reject::Reject;
use crate::engine::{Engine, Worker};
use crate::neighbour::{CertificateName, Flow, Transport};
use crate::sip::Malformed;

impl Driver for Engine {
    type Worker = Worker;

    fn worker(&self, stream: u64) -> Worker {
        self.worker(stream)
    }

    fn handle(&self, worker: &mut Worker, now: Now, input: Input<'_>) {
        self.handle(worker, now, input);
    }

    fn effects(worker: &mut Worker) -> &mut Effects {
        &mut worker.effects
    }

    fn bounced(&self, worker: &mut Worker, now: Now, destination: SocketAddr, payload: &[u8]) {
        self.bounced(worker, now, destination, payload);
    }

    fn waited(&self, now: Now, listener: u16, delay_us: u32) {
        self.waited(now, listener, delay_us);
    }

    fn end_calls(&self, worker: &mut Worker, now: Now) -> bool {
        self.end_calls(worker, now)
    }

    fn refused(&self, worker: &mut Worker, now: Now, flow: Flow, why: Malformed, head: &[u8]) {
        self.refuse(worker, now, flow, Reject::Malformed(why), head);
    }

    fn panicked(&self, worker: &mut Worker, now: Now, flow: Flow, bytes: &[u8]) {
        self.refuse(worker, now, flow, Reject::Fault, bytes);
    }

    fn listens(&self, flow: Flow, bytes: &[u8]) -> Option<Flow> {
        self.listens(flow, bytes)
    }

    fn is_phone(&self, transport: Transport, remote: SocketAddr) -> bool {
        self.plan().neighbour(transport, remote) == Some(Neighbour::Phone)
    }

    fn is_strict(&self, flow: Flow) -> bool {
        let plan = self.plan();
        let neighbour = plan.neighbour(flow.transport, flow.remote);
        neighbour.and_then(|neighbour| plan.terms(neighbour)).is_some_and(|terms| terms.strict_stream)
    }

    fn is_trunk(&self, transport: Transport, remote: SocketAddr) -> bool {
        matches!(self.plan().neighbour(transport, remote), Some(Neighbour::Remote { .. }))
    }

    fn certificate_name(&self, remote: SocketAddr) -> Option<CertificateName> {
        self.plan().certificate_name(remote)
    }

    fn is_neighbour(&self, transport: Transport, remote: SocketAddr) -> bool {
        self.takes_connection(transport, remote)
    }
}
