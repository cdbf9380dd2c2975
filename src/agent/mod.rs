//! SIP user agents for demonstrations, measurements and simulations: a [`Caller`] that places one call and an
//! [`Answerer`] that plays a gateway or a call control.
//!
//! Pure: bytes and moments go in, datagrams, deadlines and events come out. Identifiers come from a seeded generator,
//! so equal seeds and equal inputs give equal octets. They are written apart from the node's own machines, so that
//! the two can find each other's mistakes.

mod answerer;
mod call;
mod caller;
mod dialog;
mod record;
mod talk;
#[cfg(test)]
mod tests;
mod transaction;
mod within;

use std::net::SocketAddr;

use emcc_policies::moment::Moment;

pub use answerer::{Answerer, Behaviour, Script};
pub use call::Call;
pub use caller::{Caller, Offering, Setup};
pub use record::{Counts, Direction, Record, Seen, summary, told};
pub use talk::{Agreed, Codec, Talk};

use crate::sip::Method;

/// What happens to an agent.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A datagram.
    Datagram {
        /// Who sent it.
        from: SocketAddr,
        /// Its octets.
        bytes: &'a [u8],
    },
    /// A moment an agent's `next_due` named has come. Too early or without need it changes nothing.
    Due,
}

/// One message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where to, as the agent sees it.
    pub to: SocketAddr,
    /// Its octets.
    pub bytes: Vec<u8>,
}

/// What inputs caused. Kept by whoever drives agents, and cleared after use.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Messages in the order they must leave.
    pub sends: Vec<Datagram>,
    /// What happened, each with the Call-ID of its call.
    pub events: Vec<(Vec<u8>, Event)>,
}

/// Something that happened to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An INVITE came; only answerers see it.
    Invited,
    /// A provisional response above 100 came.
    Ringing(u16),
    /// The call is answered: 2xx came, or was sent.
    Answered,
    /// Both descriptions are known: media can flow.
    Agreed(Agreed),
    /// The call came to nothing.
    Failed(Outcome),
    /// The other side sent a request within the dialog.
    Asked(Method),
    /// A request of ours within the dialog got this final status; 408 where nothing came.
    Told(Method, u16),
    /// The answered call is over.
    Ended {
        /// Whether the other side ended it.
        by_peer: bool,
    },
}

/// How the attempt to make a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a 2xx.
    Answered,
    /// With this final status, 300 to 699: received by a caller, sent by an answerer.
    Refused(u16),
    /// Nobody answered within the transaction's time.
    TimedOut,
    /// A 2xx was never acknowledged.
    Unacknowledged,
}

/// The timers an agent runs on; RFC 3261's unless a simulation wants shorter ones.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    /// T1 in ms: first interval of a retransmission.
    pub t1_ms: u64,
    /// T2 in ms: longest interval of a retransmission.
    pub t2_ms: u64,
    /// How long a call may ring, in ms: a caller then gives up with CANCEL, an answerer with 480.
    pub patience_ms: u64,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1_ms: 500, t2_ms: 4_000, patience_ms: 240_000 }
    }
}

impl Timers {
    /// 64 T1 in ms: when a transaction gives up (Timers B, F, H) or forgets (D, J, L).
    #[must_use]
    pub fn whole_ms(&self) -> u64 {
        self.t1_ms.saturating_mul(64)
    }
}

/// The earlier of two deadlines.
fn earlier(a: Option<Moment>, b: Option<Moment>) -> Option<Moment> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
