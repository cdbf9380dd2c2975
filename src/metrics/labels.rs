//! Label values, as closed lists: a number, a name or a Call-ID of a message never becomes one.

use crate::neighbour::Transport;

/// A closed list of values of one label.
pub trait Label: Copy + Sized + 'static {
    /// The label's name.
    const KEY: &'static str;
    /// Every value, each at its own [`Self::place`].
    const ALL: &'static [Self];
    /// The value as the text has it.
    fn text(self) -> &'static str;
    /// Its place in [`Self::ALL`].
    fn place(self) -> usize;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $key:literal, $($(#[$value_doc:meta])* $value:ident = $text:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl Label for $name {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$(Self::$value),+];
            fn text(self) -> &'static str {
                match self { $(Self::$value => $text),+ }
            }
            fn place(self) -> usize {
                self as usize
            }
        }
    };
}

impl Label for Transport {
    const KEY: &'static str = "transport";
    const ALL: &'static [Self] = &[Self::Udp, Self::Tcp];
    fn text(self) -> &'static str {
        self.uri_name()
    }
    fn place(self) -> usize {
        self as usize
    }
}

label! {
    /// Why a message went no further.
    DropReason, "reason",
    /// Not SIP at all.
    NotSip = "not_sip",
    /// Its sender is no neighbour.
    Stranger = "stranger",
    /// SIP, but not so that it could be answered.
    Malformed = "malformed",
    /// Longer than a message may be.
    Oversize = "oversize",
    /// A datagram longer than the buffer.
    Truncated = "truncated",
    /// Handling it failed inside this node.
    Panic = "panic",
    /// A response no transaction waits for.
    Stray = "stray",
    /// A table was full.
    Busy = "busy",
}

label! {
    /// Method of a request.
    MethodLabel, "method",
    /// INVITE.
    Invite = "INVITE",
    /// ACK.
    Ack = "ACK",
    /// BYE.
    Bye = "BYE",
    /// CANCEL.
    Cancel = "CANCEL",
    /// OPTIONS.
    Options = "OPTIONS",
    /// REGISTER.
    Register = "REGISTER",
    /// PRACK.
    Prack = "PRACK",
    /// UPDATE.
    Update = "UPDATE",
    /// INFO.
    Info = "INFO",
    /// SUBSCRIBE.
    Subscribe = "SUBSCRIBE",
    /// NOTIFY.
    Notify = "NOTIFY",
    /// REFER.
    Refer = "REFER",
    /// MESSAGE.
    Message = "MESSAGE",
    /// PUBLISH.
    Publish = "PUBLISH",
    /// Any other, together.
    Other = "other",
}

impl MethodLabel {
    /// The label of a method by its name, whose case matters (RFC 3261 section 7.1).
    #[must_use]
    pub fn of(method: &str) -> Self {
        Self::ALL.iter().copied().find(|label| label.text() == method).unwrap_or(Self::Other)
    }
}

label! {
    /// Class of a response.
    ResponseClass, "class",
    /// 100 to 199.
    Provisional = "1xx",
    /// 200 to 299.
    Success = "2xx",
    /// 300 to 399.
    Redirection = "3xx",
    /// 400 to 499.
    RequestFailure = "4xx",
    /// 500 to 599.
    ServerFailure = "5xx",
    /// 600 to 699.
    GlobalFailure = "6xx",
}

impl ResponseClass {
    /// The class of a status code from 100 to 699; others count as the nearest.
    #[must_use]
    pub fn of(status: u16) -> Self {
        match status {
            0..=199 => Self::Provisional,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::RequestFailure,
            500..=599 => Self::ServerFailure,
            _ => Self::GlobalFailure,
        }
    }
}

label! {
    /// What became of a call.
    CallOutcome, "outcome",
    /// A 2xx went back.
    Answered = "answered",
    /// This node refused it.
    Refused = "refused",
    /// Every next hop failed, or the last refused it.
    Failed = "failed",
    /// The caller gave up.
    Cancelled = "cancelled",
}

label! {
    /// Why this node refused a call.
    RefusalReason, "reason",
    /// The request is not well formed.
    Malformed = "malformed",
    /// No pattern matches.
    NoMatch = "no_match",
    /// Only the beginning of a pattern matches.
    Incomplete = "incomplete",
    /// A pattern blocks the number.
    Blocked = "blocked",
    /// No device of this cluster, or nobody logged in.
    UnknownCaller = "unknown_caller",
    /// The target is no gateway of this cluster (P-12).
    NotAGateway = "not_a_gateway",
    /// No codec is left (M-1).
    NoCodec = "no_codec",
    /// The link has no room.
    LinkFull = "link_full",
    /// PSTN access is not active.
    PstnAccessInactive = "pstn_access_inactive",
    /// No member of the route list resolves.
    NoRoute = "no_route",
    /// Every next hop failed without an answer.
    HopsExhausted = "hops_exhausted",
    /// No media port is free.
    PortsExhausted = "ports_exhausted",
    /// Max-Forwards is spent or the call came back.
    Loop = "loop",
    /// An extension or scheme this node does not know.
    Unsupported = "unsupported",
    /// A table is full or the node overloaded.
    Busy = "busy",
    /// The node is draining.
    Draining = "draining",
    /// Any other, together.
    Other = "other",
}

label! {
    /// What the admission ledger decided.
    AdmissionOutcome, "outcome",
    /// Reserved.
    Granted = "granted",
    /// No room.
    Refused = "refused",
    /// Let through without a reservation, as the policy allows.
    BestEffort = "best_effort",
    /// Changed to another rate.
    Adjusted = "adjusted",
    /// Given back.
    Released = "released",
    /// Released because the remote cluster fell silent (V-4).
    Lost = "lost",
}

label! {
    /// What happened on a keepalive.
    KeepaliveEvent, "event",
    /// One was sent.
    Sent = "sent",
    /// One, or the answer to ours, was received.
    Received = "received",
    /// A remote cluster was silent for two intervals (V-4).
    Lost = "lost",
}

label! {
    /// How a reload ended.
    ReloadOutcome, "outcome",
    /// The new configuration runs.
    Ok = "ok",
    /// It was refused; the old one runs on.
    Failed = "failed",
}

label! {
    /// What became of a TCP connection.
    StreamEvent, "event",
    /// A neighbour connected.
    Accepted = "accepted",
    /// We connected.
    Connected = "connected",
    /// We could not connect.
    ConnectFailed = "connect_failed",
    /// Closed at once: its other end is no neighbour.
    Stranger = "stranger",
    /// Closed at once: too many connections, in all or from that address.
    TooMany = "too_many",
    /// Closed: a message took too long to arrive or to be written.
    Slow = "slow",
    /// Closed: its write queue was full.
    Overflow = "overflow",
    /// Closed: what came is no SIP stream.
    Malformed = "malformed",
    /// Closed after an hour of silence.
    Idle = "idle",
    /// Closed by the other end, or broken.
    Closed = "closed",
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds<L: Label + PartialEq + std::fmt::Debug>() {
        for (place, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.place(), place, "{value:?}");
            assert!(L::ALL[..place].iter().all(|earlier| earlier.text() != value.text()), "{value:?}");
            assert!(value.text().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{value:?}");
        }
    }

    #[test]
    fn every_value_stands_at_its_own_place_with_its_own_text() {
        holds::<Transport>();
        holds::<DropReason>();
        holds::<MethodLabel>();
        holds::<ResponseClass>();
        holds::<CallOutcome>();
        holds::<RefusalReason>();
        holds::<AdmissionOutcome>();
        holds::<KeepaliveEvent>();
        holds::<ReloadOutcome>();
        holds::<StreamEvent>();
    }

    #[test]
    fn a_status_belongs_to_the_class_of_its_first_digit() {
        for (status, want) in
            [(100, "1xx"), (199, "1xx"), (200, "2xx"), (302, "3xx"), (404, "4xx"), (503, "5xx"), (603, "6xx")]
        {
            assert_eq!(ResponseClass::of(status).text(), want, "{status}");
        }
    }
}
