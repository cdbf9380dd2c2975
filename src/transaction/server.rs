//! Non-INVITE server transaction: RFC 3261 section 17.2.2.

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No response went out yet.
    Trying,
    /// A provisional response went out.
    Proceeding,
    /// The final response went out; copies of the request get it again.
    Completed,
    /// Over.
    Gone,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The request, again.
    Request,
    /// A response we are about to send, by its status.
    Reply(u16),
    /// Timer J: no copy of the request can come any more.
    TimerJ,
    /// Nothing final came from the next hop while the caller could still wait.
    Timeout,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send the response.
    Send,
    /// Send the last response again.
    Resend,
    /// Nothing: late or repeated.
    Absorb,
}

/// One step of the machine.
#[must_use]
pub fn step(state: State, event: Event) -> (State, Act) {
    use self::{Event as E, State as S};
    match (state, event) {
        (S::Trying | S::Proceeding, E::Reply(100..=199)) => (S::Proceeding, Act::Send),
        (S::Trying | S::Proceeding, E::Reply(_)) => (S::Completed, Act::Send),
        (S::Proceeding, E::Request) => (S::Proceeding, Act::Resend),
        (S::Completed, E::Request) => (S::Completed, Act::Resend),
        (S::Completed, E::TimerJ) => (S::Gone, Act::Absorb),
        (S::Trying | S::Proceeding, E::Timeout) => (S::Gone, Act::Absorb),
        (same, _) => (same, Act::Absorb),
    }
}

#[cfg(test)]
mod tests {
    use super::{Act, Event as E, State as S, step};

    #[test]
    fn every_arrow_of_the_figure_is_drawn() {
        for (state, event, next, act) in [
            (S::Trying, E::Request, S::Trying, Act::Absorb),
            (S::Trying, E::Reply(183), S::Proceeding, Act::Send),
            (S::Trying, E::Reply(200), S::Completed, Act::Send),
            (S::Trying, E::Timeout, S::Gone, Act::Absorb),
            (S::Proceeding, E::Request, S::Proceeding, Act::Resend),
            (S::Proceeding, E::Reply(500), S::Completed, Act::Send),
            (S::Completed, E::Request, S::Completed, Act::Resend),
            (S::Completed, E::Reply(200), S::Completed, Act::Absorb),
            (S::Completed, E::TimerJ, S::Gone, Act::Absorb),
        ] {
            assert_eq!(step(state, event), (next, act), "{state:?} {event:?}");
        }
    }
}
