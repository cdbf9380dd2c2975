//! What the operator's signals mean: reload, drain, stop.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio::time::{MissedTickBehavior, interval};

/// How often a draining node is asked whether it is empty.
const DRAIN_LOOK: Duration = Duration::from_millis(100);
/// How long a node that ended its calls itself goes on: for the BYEs to be repeated where they are lost, and answered.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the process does at a signal.
pub trait Operate {
    /// SIGHUP: begin to read the configuration again. What is given back is told, or dropped, when that is done; signals
    /// are heard meanwhile. Never called while draining, nor while it still runs.
    fn reload(&mut self) -> oneshot::Receiver<()>;
    /// SIGHUP while draining: nothing is read any more.
    fn leave_unread(&mut self);
    /// First SIGTERM: take no new calls but emergencies.
    fn drain(&mut self);
    /// Longest wait for ordinary calls after [`Self::drain`].
    fn drain_bound(&self) -> Duration;
    /// The bound passed: end what is left but emergency calls.
    fn end_calls(&mut self);
    /// Whether nothing is left to drain.
    fn is_drained(&self) -> bool;
}

/// Why the process should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told to drain, and everything ended.
    Drained,
    /// It was told to drain, the bound passed, and what was left was ended.
    DrainBound,
    /// It was told to stop: SIGINT, or a SIGTERM after the one that let it drain, or after the first that came while it
    /// drained because it was asked to.
    Stopped,
}

/// SIGHUP, kept from now on until it is served. Without this it ends the process.
pub struct Hangup(Signal);

impl Hangup {
    /// Hears it from now on.
    ///
    /// # Errors
    /// When the system does not let the process hear it.
    pub fn hear(runtime: &Runtime) -> io::Result<Self> {
        let _within = runtime.enter();
        Ok(Self(signal(SignalKind::hangup())?))
    }
}

/// Every signal, kept from now on until it is served.
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Hears SIGTERM and SIGINT too from now on; before they end the process at once.
    ///
    /// # Errors
    /// When the system does not let the process hear them.
    pub fn hear(runtime: &Runtime, hangup: Hangup) -> io::Result<Self> {
        let _within = runtime.enter();
        let Hangup(hangup) = hangup;
        Ok(Self { hangup, terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }
}

/// Serves signals until one of them, or the end of draining, ends the process. `asked` is told by others that want the
/// node to drain; to be asked twice changes nothing. A SIGHUP that comes while a reload runs is served after it.
pub async fn serve(signals: Signals, operate: &mut impl Operate, asked: &Notify) -> End {
    let Signals { mut hangup, mut terminate, mut interrupt } = signals;
    let mut look = interval(DRAIN_LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut state = State::Serving;
    let mut reload: Option<oneshot::Receiver<()>> = None;
    loop {
        let event = tokio::select! {
            _ = interrupt.recv() => Event::Interrupt,
            _ = terminate.recv() => Event::Terminate,
            () = over(&mut reload), if reload.is_some() => {
                reload = None;
                continue;
            }
            _ = hangup.recv(), if reload.is_none() => Event::Hangup,
            () = asked.notified() => Event::Asked,
            _ = look.tick(), if state != State::Serving => Event::Look { is_drained: operate.is_drained() },
        };
        let (next, act) = step(state, event, operate.drain_bound());
        state = next;
        match act {
            Act::Nothing => {}
            Act::Reload => reload = Some(operate.reload()),
            Act::LeaveUnread => operate.leave_unread(),
            Act::Drain => operate.drain(),
            Act::EndCalls => operate.end_calls(),
            Act::End(end) => return end,
        }
    }
}

/// Waits until a reload is done.
async fn over(reload: &mut Option<oneshot::Receiver<()>>) {
    if let Some(done) = reload {
        // Dropped without a word it is over as well.
        let _ = done.await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving,
    Draining {
        looks: u32,
        /// A SIGTERM told it to, or one came since: the next one stops.
        is_told: bool,
    },
    /// The calls left were ended; what that caused is on its way, and emergency calls go on.
    Ending {
        looks: u32,
        is_told: bool,
    },
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Hangup,
    Terminate,
    Asked,
    Interrupt,
    Look { is_drained: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Nothing,
    Reload,
    LeaveUnread,
    Drain,
    EndCalls,
    End(End),
}

fn step(state: State, event: Event, drain_bound: Duration) -> (State, Act) {
    match (state, event) {
        (_, Event::Interrupt) => (state, Act::End(End::Stopped)),
        (State::Serving, Event::Hangup) => (state, Act::Reload),
        (State::Serving, Event::Terminate) => (State::Draining { looks: 0, is_told: true }, Act::Drain),
        (State::Serving, Event::Asked) => (State::Draining { looks: 0, is_told: false }, Act::Drain),
        // Who asked over HTTP is often not who signals: the first SIGTERM means the drain that is under way.
        (State::Draining { looks, is_told: false }, Event::Terminate) => {
            (State::Draining { looks, is_told: true }, Act::Nothing)
        }
        (State::Ending { looks, is_told: false }, Event::Terminate) => {
            (State::Ending { looks, is_told: true }, Act::Nothing)
        }
        (_, Event::Terminate) => (state, Act::End(End::Stopped)),
        (_, Event::Hangup) => (state, Act::LeaveUnread),
        (State::Serving, Event::Look { .. }) | (_, Event::Asked) => (state, Act::Nothing),
        (State::Draining { .. }, Event::Look { is_drained: true }) => (state, Act::End(End::Drained)),
        (State::Draining { looks, is_told }, Event::Look { is_drained: false }) => {
            let looks = looks.saturating_add(1);
            if DRAIN_LOOK.saturating_mul(looks) > drain_bound {
                (State::Ending { looks: 0, is_told }, Act::EndCalls)
            } else {
                (State::Draining { looks, is_told }, Act::Nothing)
            }
        }
        (State::Ending { looks, is_told }, Event::Look { is_drained }) => {
            let looks = looks.saturating_add(1);
            let ends = is_drained && DRAIN_LOOK.saturating_mul(looks) > LAST_WORDS;
            (State::Ending { looks, is_told }, if ends { Act::End(End::DrainBound) } else { Act::Nothing })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(30);
    const DRAINING: State = State::Draining { looks: 0, is_told: true };
    const ENDING: State = State::Ending { looks: 3, is_told: true };

    #[test]
    fn every_signal_means_what_the_command_line_promises() {
        for (state, event, want) in [
            (State::Serving, Event::Hangup, Act::Reload),
            (State::Serving, Event::Terminate, Act::Drain),
            (State::Serving, Event::Interrupt, Act::End(End::Stopped)),
            (DRAINING, Event::Hangup, Act::LeaveUnread),
            (State::Serving, Event::Asked, Act::Drain),
            (DRAINING, Event::Asked, Act::Nothing),
            (ENDING, Event::Asked, Act::Nothing),
            (ENDING, Event::Hangup, Act::LeaveUnread),
            (ENDING, Event::Terminate, Act::End(End::Stopped)),
            (ENDING, Event::Look { is_drained: false }, Act::Nothing),
            (DRAINING, Event::Terminate, Act::End(End::Stopped)),
            (DRAINING, Event::Interrupt, Act::End(End::Stopped)),
            (DRAINING, Event::Look { is_drained: true }, Act::End(End::Drained)),
            (DRAINING, Event::Look { is_drained: false }, Act::Nothing),
        ] {
            assert_eq!(step(state, event, BOUND).1, want, "{event:?} in {state:?}");
        }
    }

    #[test]
    fn after_a_drain_asked_for_over_http_the_first_sigterm_is_that_drain_and_the_second_stops() {
        for ends in [false, true] {
            let (mut state, act) = step(State::Serving, Event::Asked, BOUND);
            assert_eq!(act, Act::Drain);
            let is_over = |state| matches!(state, State::Ending { .. });
            while ends && !is_over(state) {
                state = step(state, Event::Look { is_drained: false }, BOUND).0;
            }
            // An emergency call goes on.
            let (state, act) = step(state, Event::Terminate, BOUND);
            assert_eq!((act, is_over(state)), (Act::Nothing, ends));
            let (state, act) = step(state, Event::Look { is_drained: false }, BOUND);
            assert_eq!((act, is_over(state)), (Act::Nothing, ends));
            assert_eq!(step(state, Event::Terminate, BOUND).1, Act::End(End::Stopped));
        }
    }

    #[test]
    fn what_outlasts_the_bound_is_ended_once_and_the_last_words_get_their_time() {
        let (mut state, mut looks, mut ended_at) = (DRAINING, 0, Vec::new());
        let (end, emergencies_until) = loop {
            // An emergency call outlasts the end of the others by a minute.
            let is_drained = looks >= 901;
            let (next, act) = step(state, Event::Look { is_drained }, BOUND);
            (state, looks) = (next, looks + 1);
            match act {
                Act::EndCalls => ended_at.push(looks),
                Act::End(end) => break (end, looks),
                _ => {}
            }
        };
        assert_eq!((end, ended_at, emergencies_until), (End::DrainBound, vec![301], 902));
        let (mut state, mut looks) = (State::Ending { looks: 0, is_told: true }, 0);
        while let (next, Act::Nothing) = step(state, Event::Look { is_drained: true }, BOUND) {
            (state, looks) = (next, looks + 1);
        }
        assert_eq!(looks, 20, "two seconds for what was said last to be answered, and repeated where it was lost");
    }

    #[derive(Default)]
    struct Operator {
        reloads: u32,
        drains: u32,
        unread: u32,
        looks: std::cell::Cell<u32>,
        running: Vec<oneshot::Sender<()>>,
    }

    impl Operate for Operator {
        fn reload(&mut self) -> oneshot::Receiver<()> {
            self.reloads += 1;
            raise("-TERM");
            let (done, reload) = oneshot::channel();
            // It goes on for as long as the process.
            self.running.push(done);
            reload
        }
        fn leave_unread(&mut self) {
            self.unread += 1;
        }
        fn drain(&mut self) {
            self.drains += 1;
        }
        fn drain_bound(&self) -> Duration {
            BOUND
        }
        fn end_calls(&mut self) {
            panic!("the bound is far");
        }
        fn is_drained(&self) -> bool {
            self.looks.set(self.looks.get() + 1);
            self.looks.get() == 2
        }
    }

    fn raise(name: &str) {
        let me = std::process::id().to_string();
        assert!(std::process::Command::new("kill").args([name, &me]).status().unwrap().success());
    }

    #[test]
    fn real_signals_reload_then_drain_until_empty_from_before_they_are_served_and_while_a_reload_runs() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let hangup = Hangup::hear(&runtime).unwrap();
        // The node is far from ready.
        raise("-HUP");
        let signals = Signals::hear(&runtime, hangup).unwrap();
        let mut operator = Operator::default();
        assert_eq!(runtime.block_on(serve(signals, &mut operator, &Notify::new())), End::Drained);
        assert_eq!((operator.reloads, operator.drains, operator.looks.get()), (1, 1, 2));
        assert_eq!(operator.unread, 0, "the SIGHUP came before it drained");
    }
}
