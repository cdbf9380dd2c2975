//! The one place where an error becomes what the caller sees: status, reason phrase, Warning and Reason headers.

use crate::sip::Malformed;

/// Why a request is not served, by whose move it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Their bytes.
    Malformed(Malformed),
    /// Our policy.
    Refusal(Refusal),
    /// Our limits.
    Busy(Busy),
    /// Handling it failed inside this node.
    Fault,
}

/// Why policy does not serve a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No pattern of the search space matches.
    NoPattern,
    /// The tenth pass of analysis still translates (D-15).
    StillTranslating,
    /// The digits are only the beginning of patterns.
    OnlyBeginnings,
    /// A blocking pattern is the closest match (D-14).
    Blocked,
    /// The trunk's INVITE names no phone (P-15).
    MissingPhone,
    /// The trunk's INVITE names a phone this cluster does not have (P-14).
    UnknownPhone,
    /// Nobody is logged in on that phone (P-14).
    NobodyLoggedIn,
    /// The phone's user belongs to another cluster than the sender (P-14).
    OtherCluster,
    /// The target is no gateway of the phone's place (P-12), or not one a gateway's caller may reach.
    NoGateway,
    /// An intercom number, which EMCC does not support (table 4).
    Intercom,
    /// PSTN access is not active here or for that cluster (P-14).
    ServiceInactive,
    /// No member of the route list resolves (P-22).
    NoMember,
    /// Every next hop failed without an answer.
    EveryHopFailed,
    /// Every next hop asked for less than it gets (RFC 7339), or failed otherwise without an answer.
    NextHopOverloaded,
    /// Nothing is left of the codecs offered (M-6).
    NoCodecLeft,
    /// The session description cannot be read.
    Unreadable,
    /// A body with more session descriptions than one: all but the first would leave past region policy (M-1).
    SeveralDescriptions,
    /// The link to the other cluster is full (9.2); with a mandatory precondition the status is 580 (V-25).
    LinkFull {
        /// Whether the offer demanded the reservation.
        precondition: bool,
    },
    /// The session interval asked for is below our least (RFC 4028 section 8.1).
    SessionTooBrief {
        /// The least, seconds.
        min_se_s: u32,
    },
    /// Max-Forwards came to its end (RFC 3261 section 16.3).
    TooManyHops,
    /// The request has been here before as it is now (RFC 5393 section 4.2.2).
    Looped,
    /// Max-Breadth of 0: it may be forwarded nowhere (RFC 5393 section 5.3.3).
    NoBreadthLeft,
    /// A Proxy-Require we do not know (RFC 3261 section 16.3).
    BadExtension,
    /// The Request-URI's scheme is none of sip, sips, tel and urn:service.
    UnsupportedScheme,
    /// The method is not one this node serves for that target.
    MethodNotAllowed,
    /// The neighbour sends new requests faster than agreed.
    TooManyRequests,
    /// A target that is no number and no neighbour.
    NotANeighbour,
    /// No such call or transaction.
    NoSuchCall,
    /// A Route around this node's policies.
    RouteForbidden,
    /// A call over a trunk that is not the one for PSTN access (P-14).
    OtherTrunk,
    /// The caller gave up before anybody answered (RFC 3261 section 9.2).
    Cancelled,
    /// The next hop did not answer a request inside a call.
    NextHopSilent,
    /// A phone that nobody of ours is logged in on registers.
    NoSession,
    /// A phone registers somebody else than the user logged in on it.
    OtherUser,
    /// A phone is called that is not registered through this node.
    NotRegistered,
    /// A phone calls without having registered from where it calls.
    CallerNotRegistered,
    /// A contact that cannot be reached from here: a name, or an address of no network of phones.
    ContactForbidden,
    /// A phone registers at more places than one may.
    TooManyContacts,
    /// A phone's REGISTER without support for Path (RFC 3327 section 5.2).
    PathRequired,
    /// SRTP keys would leave in the clear, and without them no audio is left (S-5).
    KeysInClear,
    /// A secure EMCC session, and a trunk without TLS (S-7).
    TrunkNotSecure,
    /// A `sips` target, and a hop without TLS (RFC 5630 section 5.3).
    SipsNotAllowed,
    /// The call is to be routed by a location that is not there or cannot be read (RFC 6442 section 4.3).
    BadLocation,
}

/// Which of our limits stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// A table is full.
    Full,
    /// The node is draining.
    Draining,
    /// More comes than the node can do.
    Overloaded {
        /// Seconds after which it may come again.
        retry_after_s: u8,
    },
}

/// What the caller sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// SIP status.
    pub status: u16,
    /// Reason phrase, something a person can act on.
    pub phrase: &'static str,
    /// Warning code (RFC 3261 section 20.43).
    pub warning: Option<u16>,
    /// Q.850 cause for a Reason header (RFC 6432); none for errors of form.
    pub cause: Option<u8>,
    /// Seconds for Retry-After.
    pub retry_after_s: Option<u8>,
    /// Seconds for Min-SE (RFC 4028 section 5).
    pub min_se_s: Option<u32>,
}

/// Seconds after which a caller may try a busy or draining node again.
const RETRY_AFTER_S: u8 = 5;
/// Seconds after which a neighbour beyond its rate may try again: its bucket has filled by then.
const RETRY_AT_RATE_S: u8 = 1;

/// Seconds after which a call that a next hop was spared may be tried again: its report holds half a second.
const RETRY_SPARED_S: u8 = 1;

impl Reject {
    /// Maps any error to what the caller sees (design 3.3).
    #[must_use]
    pub fn answer(self) -> Answer {
        match self {
            Self::Malformed(malformed) => Answer::plain(status_of(malformed), malformed.reason()),
            Self::Refusal(refusal) => refusal.answer(),
            Self::Fault => Answer { cause: Some(41), ..Answer::plain(500, "Server Internal Error") },
            Self::Busy(busy) => Answer {
                status: 503,
                // Short: such a refusal must not be longer than the request.
                phrase: match busy {
                    Busy::Full => "Service Unavailable: every call row is in use",
                    Busy::Draining => "Draining",
                    Busy::Overloaded { .. } => "Overloaded",
                },
                warning: None,
                cause: Some(42),
                retry_after_s: Some(match busy {
                    Busy::Full | Busy::Draining => RETRY_AFTER_S,
                    Busy::Overloaded { retry_after_s } => retry_after_s,
                }),
                min_se_s: None,
            },
        }
    }
}

/// Status of a message that is not well formed (RFC 3261 sections 21.4.1, 21.4.11, 21.5.6 and 21.5.7).
fn status_of(malformed: Malformed) -> u16 {
    match malformed {
        Malformed::Version => 505,
        Malformed::HeadTooLarge | Malformed::TooManyHeaders | Malformed::LineTooLong { .. } => 513,
        Malformed::MessageTooLarge => 413,
        _ => 400,
    }
}

impl Refusal {
    fn answer(self) -> Answer {
        let caused = |status, phrase, cause| Answer { cause: Some(cause), ..Answer::plain(status, phrase) };
        match self {
            Self::NoPattern => caused(404, "Not Found: no pattern of the search space matches", 1),
            Self::StillTranslating => caused(404, "Not Found: more translations than are followed", 1),
            Self::OnlyBeginnings => caused(484, "Address Incomplete", 28),
            Self::Blocked => caused(403, "Forbidden: the pattern blocks the call", 21),
            Self::MissingPhone => caused(403, "Forbidden: the INVITE names no phone of this cluster", 21),
            // One answer for all: the sender of a name learns nothing about the phones of this cluster.
            Self::UnknownPhone | Self::NobodyLoggedIn | Self::OtherCluster => {
                caused(403, "Forbidden: no visiting user of the sender's cluster on that phone", 21)
            }
            Self::NoGateway => caused(403, "Forbidden: the target is no PSTN gateway of the phone's place", 21),
            Self::Intercom => caused(403, "Forbidden: intercom is not available to a visiting phone", 21),
            Self::ServiceInactive => caused(500, "PSTN Access is not active for the cluster", 27),
            Self::NoMember => caused(500, "No member of the route list resolves", 27),
            Self::EveryHopFailed => caused(500, "Every next hop failed without an answer", 27),
            Self::NextHopOverloaded => {
                Answer { retry_after_s: Some(RETRY_SPARED_S), ..caused(500, "The next hop is overloaded", 42) }
            }
            Self::NoCodecLeft => Answer {
                warning: Some(305),
                ..caused(488, "Not Acceptable Here: no codec within the region's bit rate", 65)
            },
            Self::Unreadable => Answer {
                warning: Some(399),
                ..caused(488, "Not Acceptable Here: the session description cannot be read", 65)
            },
            Self::SeveralDescriptions => Answer {
                warning: Some(305),
                ..caused(488, "Not Acceptable Here: more than one session description", 65)
            },
            Self::LinkFull { precondition } => Answer {
                warning: Some(370),
                ..caused(
                    if precondition { 580 } else { 488 },
                    if precondition { "Precondition Failure: link full" } else { "Not Acceptable Here: link full" },
                    47,
                )
            },
            Self::SessionTooBrief { min_se_s } => {
                Answer { min_se_s: Some(min_se_s), ..Answer::plain(422, "Session Interval Too Small") }
            }
            Self::TooManyHops => Answer::plain(483, "Too Many Hops"),
            Self::Looped => Answer::plain(482, "Loop Detected"),
            Self::NoBreadthLeft => Answer::plain(440, "Max-Breadth Exceeded"),
            Self::BadExtension => Answer::plain(420, "Bad Extension"),
            Self::UnsupportedScheme => Answer::plain(416, "Unsupported URI Scheme"),
            Self::MethodNotAllowed => Answer::plain(405, "Method Not Allowed"),
            // Not 503, which speaks for this whole node: others are served. 500 takes a Retry-After (RFC 3261, 21.5.1).
            Self::TooManyRequests => Answer {
                retry_after_s: Some(RETRY_AT_RATE_S),
                ..caused(500, "Server Internal Error: more requests a second than agreed", 42)
            },
            Self::NotANeighbour => caused(404, "Not Found: the target is neither a number nor a neighbour", 1),
            Self::NoSuchCall => Answer::plain(481, "Call/Transaction Does Not Exist"),
            Self::RouteForbidden => caused(403, "Forbidden: Route past this node's policies", 21),
            Self::OtherTrunk => caused(403, "Forbidden: not the trunk for PSTN access", 21),
            Self::Cancelled => Answer::plain(487, "Request Terminated"),
            // One answer for both: who names a phone learns nothing of who is logged in on it.
            Self::NoSession | Self::OtherUser => {
                caused(403, "Forbidden: no such user of this cluster is logged in on the phone", 21)
            }
            Self::NotRegistered => caused(480, "Temporarily Unavailable: the phone is not registered here", 20),
            Self::CallerNotRegistered => {
                caused(403, "Forbidden: no phone of an EMCC session registered from there", 21)
            }
            Self::ContactForbidden => caused(403, "Forbidden: a Contact outside the phones' networks", 21),
            Self::TooManyContacts => caused(403, "Forbidden: more Contacts than a phone may register", 21),
            Self::PathRequired => Answer::plain(421, "Extension Required"),
            Self::KeysInClear => Answer {
                warning: Some(305),
                ..caused(488, "Not Acceptable Here: SRTP keys may not leave without TLS", 65)
            },
            Self::TrunkNotSecure => caused(403, "Forbidden: a secure session needs TLS on the trunk", 21),
            Self::SipsNotAllowed => Answer {
                warning: Some(380),
                ..caused(480, "Temporarily Unavailable: no hop of TLS for a sips target", 20)
            },
            Self::BadLocation => Answer::plain(424, "Bad Location Information"),
            Self::NextHopSilent => caused(408, "Request Timeout: the next hop did not answer", 27),
        }
    }
}

impl Answer {
    fn plain(status: u16, phrase: &'static str) -> Self {
        Self { status, phrase, warning: None, cause: None, retry_after_s: None, min_se_s: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_refusal_table_has_its_status_warning_and_cause() {
        use Refusal as R;
        for (refusal, status, warning, cause) in [
            (R::NoPattern, 404, None, Some(1)),
            (R::StillTranslating, 404, None, Some(1)),
            (R::OnlyBeginnings, 484, None, Some(28)),
            (R::Blocked, 403, None, Some(21)),
            (R::UnknownPhone, 403, None, Some(21)),
            (R::MissingPhone, 403, None, Some(21)),
            (R::NobodyLoggedIn, 403, None, Some(21)),
            (R::OtherCluster, 403, None, Some(21)),
            (R::Intercom, 403, None, Some(21)),
            (R::NoGateway, 403, None, Some(21)),
            (R::NoSession, 403, None, Some(21)),
            (R::OtherUser, 403, None, Some(21)),
            (R::NoCodecLeft, 488, Some(305), Some(65)),
            (R::Unreadable, 488, Some(399), Some(65)),
            (R::SeveralDescriptions, 488, Some(305), Some(65)),
            (R::LinkFull { precondition: false }, 488, Some(370), Some(47)),
            (R::LinkFull { precondition: true }, 580, Some(370), Some(47)),
            (R::ServiceInactive, 500, None, Some(27)),
            (R::NoMember, 500, None, Some(27)),
            (R::EveryHopFailed, 500, None, Some(27)),
            (R::KeysInClear, 488, Some(305), Some(65)),
            (R::TrunkNotSecure, 403, None, Some(21)),
            (R::SipsNotAllowed, 480, Some(380), Some(20)),
            (R::BadLocation, 424, None, None),
            (R::MethodNotAllowed, 405, None, None),
            (R::TooManyRequests, 500, None, Some(42)),
            (R::NextHopOverloaded, 500, None, Some(42)),
        ] {
            let answer = Reject::Refusal(refusal).answer();
            assert_eq!((answer.status, answer.warning, answer.cause), (status, warning, cause), "{refusal:?}");
        }
    }

    #[test]
    fn nothing_but_this_whole_node_is_503() {
        for busy in [Busy::Full, Busy::Draining, Busy::Overloaded { retry_after_s: 1 }] {
            let answer = Reject::Busy(busy).answer();
            assert_eq!((answer.status, answer.cause, answer.retry_after_s.is_some()), (503, Some(42), true));
        }
    }
}
