//! Sockets, threads, signals and the one clock read: bytes in, bytes out, and no decision.
//!
//! Each worker has one thread with a reactor, which takes its share of new connections, and one thread for each UDP socket,
//! which waits in the kernel. Each thread owns one wheel of hints and calls the driver directly: between a datagram and
//! the state it changes there is no queue and no other task. The driver is shared and keeps its state in tables of its
//! own.

mod bounds;
mod budget;
mod clock;
mod drive;
mod gather;
pub mod log;
mod mmsg;
mod node;
mod quarantine;
pub mod resolve;
pub mod retire;
mod share;
pub mod signals;
mod sockets;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod udp;
mod worker;

use std::net::SocketAddr;

pub use bounds::StreamLimits;
pub use clock::Clock;
pub use gather::PROC;
pub use node::{Node, Setup};
pub use sockets::StartError;

use crate::engine::effects::{Effects, Input, Now};
use crate::neighbour::{CertificateName, Flow, Transport};
use crate::sip::Malformed;

/// What the rim drives: the engine, or a stand-in in tests.
///
/// Nothing here may block. A panic costs the one input that caused it.
pub trait Driver: Send + Sync + 'static {
    /// Scratch of one worker thread; made on that thread and never leaves it.
    type Worker: 'static;

    /// Scratch for a thread. No two calls on one driver get the same `stream`, so identifiers drawn from it differ.
    fn worker(&self, stream: u64) -> Self::Worker;

    /// One input. What it causes is added to [`Self::effects`], which the rim empties after each batch.
    fn handle(&self, worker: &mut Self::Worker, now: Now, input: Input<'_>);

    /// Where [`Self::handle`] leaves what it caused.
    fn effects(worker: &mut Self::Worker) -> &mut Effects;

    /// The network gave back a datagram of ours: nobody listens at `destination`, or there is no way to it. `payload`
    /// is as much of it as came back, at least its first line and usually our Via. Anyone who can guess where we send
    /// can forge this, so it counts only when the branch in it is one of ours.
    fn bounced(&self, worker: &mut Self::Worker, now: Now, destination: SocketAddr, payload: &[u8]) {
        let _ = (worker, now, destination, payload);
    }

    /// The oldest datagram of the batch that comes now waited `delay_us` microseconds for this worker.
    fn waited(&self, now: Now, listener: u16, delay_us: u32) {
        let _ = (now, listener, delay_us);
    }

    /// Ends ordinary calls that outlasted the drain, some at a time; whether more stand.
    fn end_calls(&self, worker: &mut Self::Worker, now: Now) -> bool {
        let _ = (worker, now);
        false
    }

    /// A neighbour's stream can no longer be framed and will be closed when what this causes is written. `why` is what
    /// to answer, `head` what came of the message.
    fn refused(&self, worker: &mut Self::Worker, now: Now, flow: Flow, why: Malformed, head: &[u8]) {
        let _ = (worker, now, flow, why, head);
    }

    /// Handling these octets failed inside the node, and what it caused is undone. They will not be handed over again
    /// for as long as they are remembered.
    fn panicked(&self, worker: &mut Self::Worker, now: Now, flow: Flow, bytes: &[u8]) {
        let _ = (worker, now, flow, bytes);
    }

    /// Where the other end of `flow` listens, now that the connection it came by is gone (RFC 3261 section 18.2.2), for
    /// the message `bytes`; `None` where nobody knows.
    fn listens(&self, flow: Flow, bytes: &[u8]) -> Option<Flow> {
        let _ = (flow, bytes);
        None
    }

    /// Whether connections to there are of that address's own share: where it listens is its own word.
    fn is_phone(&self, transport: Transport, remote: SocketAddr) -> bool {
        let _ = (transport, remote);
        false
    }

    /// Whether a neighbour's connection is closed when octets follow a body that its own length cut short.
    fn is_strict(&self, flow: Flow) -> bool {
        let _ = flow;
        false
    }

    /// Whether a neighbour's connections may take the places kept for trunks.
    fn is_trunk(&self, transport: Transport, remote: SocketAddr) -> bool {
        let _ = (transport, remote);
        false
    }

    /// What the certificate of the TLS neighbour at `remote` must name; `None` for a stranger.
    fn certificate_name(&self, remote: SocketAddr) -> Option<CertificateName> {
        let _ = remote;
        None
    }

    /// Whether a connection from there is let in.
    fn is_neighbour(&self, transport: Transport, remote: SocketAddr) -> bool;
}
