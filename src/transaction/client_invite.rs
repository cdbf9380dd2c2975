//! INVITE client transaction: RFC 3261 section 17.1.1 as amended by RFC 6026 section 7.2, with one state of our own for
//! a next hop that was given up before it said anything (P-8).

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Sent; nothing heard yet.
    Calling,
    /// Silent for too long, and an emergency call's: the next hop is being tried, and this one is asked on beside it.
    Overdue,
    /// A provisional response came.
    Proceeding,
    /// A failure came and was acknowledged; copies of it are acknowledged again.
    Completed,
    /// A 2xx came; copies of it pass through.
    Accepted,
    /// Silent for too long: the next hop is being tried, a late word of this one is still understood.
    Abandoned,
    /// Over.
    Gone,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A 1xx.
    Provisional,
    /// A 2xx.
    Success,
    /// A 3xx to 6xx.
    Failure,
    /// Time to repeat the request.
    TimerA,
    /// The next hop said nothing in its time, not even 100; it may have until Timer B.
    Overdue,
    /// The next hop said nothing in its time, or to Timer B where it was left open, not even 100.
    Silence,
    /// Timer B of an abandoned transaction, D or M: nothing more is waited for.
    End,
    /// Nothing final in the time a phone may ring (Timer C), or after our CANCEL.
    TimerC,
    /// The request could not be sent.
    Unreachable,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send the request again.
    Resend,
    /// Pass the provisional response to the caller's side.
    PassProvisional,
    /// Pass the 2xx to the caller's side.
    PassSuccess,
    /// Acknowledge the failure, then let the call decide.
    AckAndPassFailure,
    /// Acknowledge a repeated failure.
    Ack,
    /// Tell the call that this hop is silent.
    ReportSilence,
    /// Tell the call that this hop cannot be reached.
    ReportUnreachable,
    /// Tell the call that ringing took too long.
    ReportTimerC,
    /// A late provisional of a hop given up: it can be cancelled now.
    CancelLate,
    /// Nothing: late or repeated.
    Absorb,
}

/// One step of the machine.
#[must_use]
pub fn step(state: State, event: Event) -> (State, Act) {
    use self::{Event as E, State as S};
    match (state, event) {
        (S::Calling | S::Overdue, E::TimerA) => (state, Act::Resend),
        (S::Calling, E::Overdue) => (S::Overdue, Act::ReportSilence),
        (S::Calling | S::Overdue, E::Silence) => (S::Abandoned, Act::ReportSilence),
        (S::Calling | S::Overdue | S::Proceeding, E::Provisional) => (S::Proceeding, Act::PassProvisional),
        (S::Calling | S::Overdue | S::Proceeding | S::Abandoned, E::Success) => (S::Accepted, Act::PassSuccess),
        (S::Calling | S::Overdue | S::Proceeding, E::Failure) => (S::Completed, Act::AckAndPassFailure),
        (S::Calling | S::Overdue | S::Proceeding, E::Unreachable) => (S::Gone, Act::ReportUnreachable),
        (S::Proceeding, E::TimerC) => (S::Abandoned, Act::ReportTimerC),
        (S::Abandoned, E::Provisional) => (S::Abandoned, Act::CancelLate),
        (S::Abandoned, E::Failure) => (S::Completed, Act::Ack),
        (S::Completed, E::Failure) => (S::Completed, Act::Ack),
        (S::Accepted, E::Success) => (S::Accepted, Act::PassSuccess),
        (S::Completed | S::Accepted | S::Abandoned, E::End) => (S::Gone, Act::Absorb),
        (same, _) => (same, Act::Absorb),
    }
}

#[cfg(test)]
mod tests {
    use super::{Act, Event as E, State as S, step};

    #[test]
    fn every_arrow_of_the_figure_is_drawn() {
        for (state, event, next, act) in [
            (S::Calling, E::TimerA, S::Calling, Act::Resend),
            (S::Calling, E::Provisional, S::Proceeding, Act::PassProvisional),
            (S::Calling, E::Success, S::Accepted, Act::PassSuccess),
            (S::Calling, E::Failure, S::Completed, Act::AckAndPassFailure),
            (S::Calling, E::Silence, S::Abandoned, Act::ReportSilence),
            (S::Calling, E::Overdue, S::Overdue, Act::ReportSilence),
            (S::Calling, E::Unreachable, S::Gone, Act::ReportUnreachable),
            (S::Proceeding, E::Provisional, S::Proceeding, Act::PassProvisional),
            (S::Proceeding, E::Success, S::Accepted, Act::PassSuccess),
            (S::Proceeding, E::Failure, S::Completed, Act::AckAndPassFailure),
            (S::Proceeding, E::TimerC, S::Abandoned, Act::ReportTimerC),
            (S::Completed, E::Failure, S::Completed, Act::Ack),
            (S::Completed, E::End, S::Gone, Act::Absorb),
            (S::Accepted, E::Success, S::Accepted, Act::PassSuccess),
            (S::Accepted, E::End, S::Gone, Act::Absorb),
        ] {
            assert_eq!(step(state, event), (next, act), "{state:?} {event:?}");
        }
    }

    #[test]
    fn a_hop_given_up_can_still_be_cancelled_acknowledged_or_answer() {
        assert_eq!(step(S::Abandoned, E::Provisional), (S::Abandoned, Act::CancelLate));
        assert_eq!(step(S::Abandoned, E::Failure), (S::Completed, Act::Ack));
        assert_eq!(step(S::Abandoned, E::Success), (S::Accepted, Act::PassSuccess));
        assert_eq!(step(S::Abandoned, E::End), (S::Gone, Act::Absorb));
    }

    #[test]
    fn p_23_a_hop_that_is_overdue_is_asked_on_and_heard_as_any_other() {
        for event in [E::Provisional, E::Success, E::Failure, E::Unreachable, E::Silence] {
            assert_eq!(step(S::Overdue, event), step(S::Calling, event), "{event:?}");
        }
        assert_eq!(step(S::Overdue, E::TimerA), (S::Overdue, Act::Resend));
        assert_eq!(step(S::Overdue, E::Overdue), (S::Overdue, Act::Absorb));
    }

    #[test]
    fn nothing_is_resent_after_a_provisional_response() {
        assert_eq!(step(S::Proceeding, E::TimerA), (S::Proceeding, Act::Absorb));
        assert_eq!(step(S::Proceeding, E::Silence), (S::Proceeding, Act::Absorb));
    }
}
