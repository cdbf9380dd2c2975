//! Label values, as closed lists: a number, a name or a Call-ID of a message never becomes one.

use crate::neighbour::Transport;
use crate::sip::Method;

/// A closed list of values of one label.
pub(crate) trait Label: Copy + Sized + 'static {
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
        pub(crate) enum $name {
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
    const ALL: &'static [Self] = &[Self::Udp, Self::Tcp, Self::Tls];
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
    /// A datagram longer than the buffer.
    Truncated = "truncated",
    /// Handling it failed inside this node.
    Panic = "panic",
    /// The very octets whose handling failed before.
    Quarantined = "quarantined",
    /// A response no transaction waits for.
    Stray = "stray",
}

impl Label for Method {
    const KEY: &'static str = "method";
    const ALL: &'static [Self] = &[
        Self::Ack,
        Self::Bye,
        Self::Cancel,
        Self::Info,
        Self::Invite,
        Self::Message,
        Self::Notify,
        Self::Options,
        Self::Prack,
        Self::Publish,
        Self::Refer,
        Self::Register,
        Self::Subscribe,
        Self::Update,
        Self::Other,
    ];
    fn text(self) -> &'static str {
        match self {
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Info => "INFO",
            Self::Invite => "INVITE",
            Self::Message => "MESSAGE",
            Self::Notify => "NOTIFY",
            Self::Options => "OPTIONS",
            Self::Prack => "PRACK",
            Self::Publish => "PUBLISH",
            Self::Refer => "REFER",
            Self::Register => "REGISTER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Update => "UPDATE",
            // A method nobody knows must not become a label of its own.
            Self::Other => "other",
        }
    }
    fn place(self) -> usize {
        self as usize
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
    pub(crate) fn of(status: u16) -> Self {
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
    /// Refused here or elsewhere, or every next hop failed.
    Failed = "failed",
    /// The caller gave up.
    Cancelled = "cancelled",
}

label! {
    /// Status this node refused a request with.
    RefusalStatus, "status",
    /// Not well formed.
    BadRequest = "400",
    /// Blocked, or not allowed for that caller.
    Forbidden = "403",
    /// No pattern matches.
    NotFound = "404",
    /// Not a method for that target.
    MethodNotAllowed = "405",
    /// Nobody answered in time.
    RequestTimeout = "408",
    /// The message is too long.
    TooLarge = "413",
    /// Unknown scheme.
    UnsupportedScheme = "416",
    /// Unknown extension.
    BadExtension = "420",
    /// A phone's REGISTER without Path.
    PathRequired = "421",
    /// Too brief a session.
    SessionTooBrief = "422",
    /// A location that cannot be read.
    BadLocation = "424",
    /// No Max-Breadth left.
    NoBreadthLeft = "440",
    /// Not registered here, or not by a secure way.
    NotReachable = "480",
    /// No such call.
    NoSuchCall = "481",
    /// A loop.
    Looped = "482",
    /// Max-Forwards is spent.
    TooManyHops = "483",
    /// Only the beginning of a number.
    Incomplete = "484",
    /// Cancelled.
    Terminated = "487",
    /// No codec or no bandwidth.
    NotAcceptable = "488",
    /// Nothing resolves or every next hop failed.
    ServerError = "500",
    /// Unknown method.
    NotImplemented = "501",
    /// Busy or draining.
    Unavailable = "503",
    /// Another version of SIP.
    Version = "505",
    /// The head is too long.
    HeadTooLarge = "513",
    /// A mandatory precondition cannot be met.
    PreconditionFailure = "580",
    /// Any other, together.
    Other = "other",
}

impl RefusalStatus {
    /// The label of a status code.
    pub(crate) fn of(status: u16) -> Self {
        let text = |label: &Self| label.text().parse() == Ok(status);
        Self::ALL.iter().copied().find(text).unwrap_or(Self::Other)
    }
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
    /// To be changed, without room for it.
    NotAdjusted = "not_adjusted",
}

label! {
    /// What happened on a keepalive.
    KeepaliveEvent, "event",
    /// One was sent.
    Sent = "sent",
    /// One, or the answer to ours, was received.
    Heard = "heard",
    /// A remote cluster was silent for two intervals (V-4).
    Lost = "lost",
}

label! {
    /// What became of SRTP keys that would have left in the clear.
    KeysOutcome, "outcome",
    /// Left out.
    Removed = "removed",
    /// Of an emergency call, which is let through with them.
    InTheClear = "in_the_clear",
}

label! {
    /// What became of a health probe.
    ProbeEvent, "event",
    /// It was sent.
    Sent = "sent",
    /// A final response came.
    Answered = "answered",
    /// None came in time, or it could not leave.
    Lost = "lost",
}

label! {
    /// What an address of a neighbour came to be.
    NeighbourChange, "state",
    /// It answered a probe, or a call.
    Up = "up",
    /// Something went unanswered there.
    Probing = "probing",
    /// As many probes as may be were lost.
    Down = "down",
    /// A 503 asked to be left alone for a while.
    Resting = "resting",
}

label! {
    /// What was sent away unseen by a node that is late or draining.
    Shed, "kind",
    /// A new ordinary call.
    Call = "call",
    /// A request outside a dialog that sets up no call.
    CanWait = "can_wait",
    /// OPTIONS to a draining node.
    Probe = "probe",
    /// Either of the first two, of a neighbour whose rate is spent.
    BeyondRate = "beyond_rate",
}

label! {
    /// How a look-up of a neighbour's name ended.
    LookupOutcome, "outcome",
    /// With an address.
    Found = "found",
    /// Without one: there is none, or the DNS did not say.
    Failed = "failed",
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
    /// What became of a connection of TCP or TLS.
    StreamEvent, "event",
    /// A neighbour connected.
    Accepted = "accepted",
    /// We connected.
    Connected = "connected",
    /// We could not connect.
    ConnectFailed = "connect_failed",
    /// Closed: its TLS handshake failed, or took too long.
    HandshakeFailed = "handshake_failed",
    /// Closed: its certificate does not name the neighbour at that address.
    WrongName = "wrong_name",
    /// Closed at once: its other end is no neighbour.
    Stranger = "stranger",
    /// Closed at once: too many connections, in all or from that address.
    TooMany = "too_many",
    /// Closed: its address opened one more than it may have, and this one was idle for longest.
    Displaced = "displaced",
    /// Closed: a message took too long to arrive or to be written.
    Slow = "slow",
    /// Closed: its write queue was full.
    Overflow = "overflow",
    /// Closed: unfinished messages of all connections hold all the octets they may.
    Crowded = "crowded",
    /// Closed: what came is no SIP stream.
    Malformed = "malformed",
    /// Closed: octets followed a body cut short, from a neighbour with `strict_stream`.
    CutBody = "cut_body",
    /// Closed after an hour of silence.
    Idle = "idle",
    /// Closed: nothing came over it while a request of ours waited for its answer.
    Unanswered = "unanswered",
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
        holds::<Method>();
        holds::<ResponseClass>();
        holds::<CallOutcome>();
        holds::<RefusalStatus>();
        holds::<AdmissionOutcome>();
        holds::<KeepaliveEvent>();
        holds::<KeysOutcome>();
        holds::<ProbeEvent>();
        holds::<NeighbourChange>();
        holds::<Shed>();
        holds::<LookupOutcome>();
        holds::<ReloadOutcome>();
        holds::<StreamEvent>();
    }

    #[test]
    fn every_status_that_this_node_refuses_with_is_counted_by_itself() {
        let refusals = [
            400, 403, 404, 405, 408, 413, 416, 420, 421, 422, 424, 440, 480, 481, 482, 483, 484, 487, 488, 500, 501,
            503, 505, 513, 580,
        ];
        for status in refusals {
            assert_eq!(RefusalStatus::of(status).text(), status.to_string());
        }
        assert_eq!(RefusalStatus::of(599), RefusalStatus::Other);
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
