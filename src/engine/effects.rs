//! What goes into the engine and what comes out: the only way the pure part meets the world.

use std::ops::Range;

use std::sync::Arc;

use bytes::Bytes;
use emcc_policies::moment::{Civil, Moment};

use super::decide::Decision;
use super::registered::RegisteredKey;
use crate::config::plan::Plan;
use crate::neighbour::Flow;
pub use crate::transaction::key::{CallKey, Party, TransactionKey};

/// Time as it stands for one batch of inputs.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For every duration.
    pub moment: Moment,
    /// For calendars and records.
    pub civil: Civil,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A datagram, or one framed message of a stream.
    Message {
        /// Where it came from.
        flow: Flow,
        /// The bytes as they came.
        bytes: &'a [u8],
    },
    /// A hint of the timer wheel came due.
    Due(Hint),
    /// A second has passed: work that waits for no message.
    Beat,
    /// A send of this transaction could not be made: no route, connection refused, a queue that is full.
    Failed(TransactionKey),
    /// The stream that a message of this transaction was to go by has ended.
    StreamEnded {
        /// Whose message.
        transaction: TransactionKey,
        /// How.
        end: StreamEnd,
    },
}

/// How a stream ended, seen from a message that was to go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Before the message was written.
    Unwritten,
    /// After that, by this node: it may have been read, but nothing will be answered by that stream.
    Ours,
    /// After that, by the other end, or because that is gone.
    Theirs,
}

/// Whose deadline may have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A transaction's retransmission or end.
    Transaction(TransactionKey),
    /// A call's adjustment, retry or end.
    Call(CallKey),
    /// The keepalive of one remote cluster, by its slot.
    Link(u16),
    /// The contacts of one registered phone.
    Registered(RegisteredKey),
}

/// One message to send.
#[derive(Clone, Debug)]
pub struct Send {
    /// Where to.
    pub flow: Flow,
    /// The bytes, in [`Effects::arena`].
    pub bytes: Range<usize>,
    /// Who wants to hear [`Input::Failed`] when it cannot be sent.
    pub transaction: Option<TransactionKey>,
}

/// A neighbour that left something of ours unanswered: if nothing at all has come over the connection to it either, that
/// connection is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The way it should have answered by.
    pub flow: Flow,
    /// Since when it has had time to.
    pub since: Moment,
}

/// What the rim writes to its log; nothing in it decides anything.
#[derive(Clone, Debug)]
pub enum Note {
    /// A call is over: one line at info.
    CallEnded(Box<CallRecord>),
    /// Somebody should look: one line at warning.
    Alarm {
        /// What happened.
        what: &'static str,
        /// Whose call, when it is one.
        call_id: Option<Bytes>,
        /// Plain facts for a person, rendered where the alarm was raised.
        detail: String,
    },
    /// A line at debug.
    Debug {
        /// What happened.
        what: &'static str,
        /// Whose call, when it is one.
        call_id: Option<Bytes>,
    },
}

/// One call as the log shows it.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// Call-ID as it came.
    pub call_id: Bytes,
    /// Final status that went to the caller; 0 when none did.
    pub status: u16,
    /// Who ended it.
    pub ended_by: &'static str,
    /// Milliseconds from INVITE to the end.
    pub lasted_ms: u64,
    /// Milliseconds from INVITE to the answer.
    pub answered_after_ms: Option<u64>,
    /// What was decided, with its trail.
    pub decision: Arc<Decision>,
    /// The configuration it was decided on.
    pub plan: Arc<Plan>,
}

/// Everything one or more inputs caused. Kept by a worker and cleared after each flush, so that its memory is reused.
#[derive(Debug, Default)]
pub struct Effects {
    /// Bytes of the messages to send.
    pub arena: Vec<u8>,
    /// Messages in the order they must leave.
    pub sends: Vec<Send>,
    /// Deadlines for the worker's wheel.
    pub hints: Vec<(Moment, Hint)>,
    /// Lines for the log.
    pub notes: Vec<Note>,
    /// Neighbours on a stream that were silent.
    pub silences: Vec<Silence>,
}

impl Effects {
    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.sends.clear();
        self.hints.clear();
        self.notes.clear();
        self.silences.clear();
    }

    /// Queues bytes that stand in the arena already.
    pub fn send(&mut self, flow: Flow, bytes: Range<usize>, transaction: Option<TransactionKey>) {
        self.sends.push(Send { flow, bytes, transaction });
    }

    /// Queues a copy of kept bytes.
    pub fn send_copy(&mut self, flow: Flow, bytes: &[u8], transaction: Option<TransactionKey>) {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        self.send(flow, start..self.arena.len(), transaction);
    }
}
