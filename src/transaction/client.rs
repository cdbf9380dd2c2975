//! Non-INVITE client transaction: RFC 3261 section 17.1.2.

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Sent; nothing heard yet.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// The final response came; copies of it are absorbed.
    Completed,
    /// Over.
    Gone,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A 1xx.
    Provisional,
    /// Any final response.
    Final,
    /// Time to repeat the request.
    TimerE,
    /// Timer F: no final response in 64 T1.
    TimerF,
    /// Timer K: no copy of the final response can come any more.
    TimerK,
    /// The request could not be sent.
    Unreachable,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send the request again.
    Resend,
    /// Pass the response on.
    Pass,
    /// Tell who asked that nobody answered.
    ReportTimeout,
    /// Nothing: late or repeated.
    Absorb,
}

/// One step of the machine.
#[must_use]
pub fn step(state: State, event: Event) -> (State, Act) {
    use self::{Event as E, State as S};
    match (state, event) {
        (S::Trying | S::Proceeding, E::TimerE) => (state, Act::Resend),
        (S::Trying | S::Proceeding, E::TimerF | E::Unreachable) => (S::Gone, Act::ReportTimeout),
        (S::Trying | S::Proceeding, E::Provisional) => (S::Proceeding, Act::Pass),
        (S::Trying | S::Proceeding, E::Final) => (S::Completed, Act::Pass),
        (S::Completed, E::TimerK) => (S::Gone, Act::Absorb),
        (same, _) => (same, Act::Absorb),
    }
}

#[cfg(test)]
mod tests {
    use super::{Act, Event as E, State as S, step};

    #[test]
    fn every_arrow_of_the_figure_is_drawn() {
        for (state, event, next, act) in [
            (S::Trying, E::TimerE, S::Trying, Act::Resend),
            (S::Trying, E::Provisional, S::Proceeding, Act::Pass),
            (S::Trying, E::Final, S::Completed, Act::Pass),
            (S::Trying, E::TimerF, S::Gone, Act::ReportTimeout),
            (S::Trying, E::Unreachable, S::Gone, Act::ReportTimeout),
            (S::Proceeding, E::TimerE, S::Proceeding, Act::Resend),
            (S::Proceeding, E::Final, S::Completed, Act::Pass),
            (S::Proceeding, E::TimerF, S::Gone, Act::ReportTimeout),
            (S::Completed, E::Final, S::Completed, Act::Absorb),
            (S::Completed, E::TimerK, S::Gone, Act::Absorb),
        ] {
            assert_eq!(step(state, event), (next, act), "{state:?} {event:?}");
        }
    }
}
