//! INVITE server transaction: RFC 3261 section 17.2.1 as amended by RFC 6026 section 7.1.

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No final response went out yet.
    Proceeding,
    /// A 2xx went out; its retransmissions are the answerer's business and pass through.
    Accepted,
    /// A failure went out and waits for its ACK.
    Completed,
    /// The ACK came; later copies are absorbed.
    Confirmed,
    /// Over.
    Gone,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The INVITE, again.
    Invite,
    /// An ACK of this transaction.
    Ack,
    /// A response we are about to send, by its status.
    Reply(u16),
    /// Time to repeat the failure.
    TimerG,
    /// No ACK came in 64 T1.
    TimerH,
    /// Nothing more can come (T4).
    TimerI,
    /// The 2xx can no longer be repeated (64 T1).
    TimerL,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send the response.
    Send,
    /// Send the last response again.
    Resend,
    /// Nobody acknowledged the failure.
    GiveUp,
    /// Nothing: late or repeated.
    Absorb,
}

/// One step of the machine.
#[must_use]
pub fn step(state: State, event: Event) -> (State, Act) {
    use self::{Event as E, State as S};
    match (state, event) {
        (S::Proceeding, E::Invite) => (S::Proceeding, Act::Resend),
        (S::Proceeding, E::Reply(100..=199)) => (S::Proceeding, Act::Send),
        (S::Proceeding, E::Reply(200..=299)) => (S::Accepted, Act::Send),
        (S::Proceeding, E::Reply(_)) => (S::Completed, Act::Send),
        (S::Accepted, E::Reply(200..=299)) => (S::Accepted, Act::Send),
        (S::Accepted, E::TimerL) => (S::Gone, Act::Absorb),
        (S::Completed, E::Invite | E::TimerG) => (S::Completed, Act::Resend),
        (S::Completed, E::Ack) => (S::Confirmed, Act::Absorb),
        (S::Completed, E::TimerH) => (S::Gone, Act::GiveUp),
        (S::Confirmed, E::TimerI) => (S::Gone, Act::Absorb),
        (same, _) => (same, Act::Absorb),
    }
}

#[cfg(test)]
mod tests {
    use super::{Act, Event as E, State as S, step};

    #[test]
    fn every_arrow_of_the_figure_is_drawn() {
        for (state, event, next, act) in [
            (S::Proceeding, E::Invite, S::Proceeding, Act::Resend),
            (S::Proceeding, E::Reply(100), S::Proceeding, Act::Send),
            (S::Proceeding, E::Reply(183), S::Proceeding, Act::Send),
            (S::Proceeding, E::Reply(200), S::Accepted, Act::Send),
            (S::Proceeding, E::Reply(404), S::Completed, Act::Send),
            (S::Proceeding, E::Reply(603), S::Completed, Act::Send),
            (S::Accepted, E::Reply(200), S::Accepted, Act::Send),
            (S::Accepted, E::TimerL, S::Gone, Act::Absorb),
            (S::Completed, E::Invite, S::Completed, Act::Resend),
            (S::Completed, E::TimerG, S::Completed, Act::Resend),
            (S::Completed, E::Ack, S::Confirmed, Act::Absorb),
            (S::Completed, E::TimerH, S::Gone, Act::GiveUp),
            (S::Confirmed, E::TimerI, S::Gone, Act::Absorb),
        ] {
            assert_eq!(step(state, event), (next, act), "{state:?} {event:?}");
        }
    }

    #[test]
    fn a_repeated_invite_after_the_answer_is_absorbed() {
        assert_eq!(step(S::Accepted, E::Invite), (S::Accepted, Act::Absorb), "RFC 6026 section 7.1");
    }

    #[test]
    fn a_second_final_response_never_leaves() {
        for state in [S::Completed, S::Confirmed, S::Gone] {
            for status in [180, 200, 404] {
                assert_eq!(step(state, E::Reply(status)), (state, Act::Absorb));
            }
        }
        assert_eq!(step(S::Accepted, E::Reply(486)), (S::Accepted, Act::Absorb));
        assert_eq!(step(S::Accepted, E::Reply(180)), (S::Accepted, Act::Absorb));
    }
}
