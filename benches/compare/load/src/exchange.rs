//! Both sides of all calls: what each does with a message, and what it repeats until it is answered (RFC 3261 sections
//! 13, 15, 17.1 and 17.2). It knows no socket and no clock: messages and times come in, messages go to a list.

mod called;
mod caller;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddrV4;

use crate::arguments::Run;
use crate::tally::{Step, Tally};
use crate::write::{Dialog, Words};

/// First interval of repetition, nanoseconds (T1).
const T1_NS: u64 = 500_000_000;
/// Longest interval of anything but INVITE, nanoseconds (T2).
const T2_NS: u64 = 4_000_000_000;
/// A request nobody answers is given up after this, nanoseconds (timers B and F).
const GIVE_UP_NS: u64 = 64 * T1_NS;
/// A call that rings is given up after this, nanoseconds (timer C).
const RING_NS: u64 = 180_000_000_000;

/// The two sides; each has a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Places calls.
    Caller,
    /// Takes them.
    Called,
}

/// A datagram that is to leave.
pub struct Leaving {
    /// From which side.
    pub side: Side,
    /// Where to.
    pub to: SocketAddrV4,
    /// Its place in [`Exchange::out`].
    pub octets: std::ops::Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Inviting,
    Ringing,
    Talking,
    Asking,
    Ending,
    Over,
}

/// One call, seen from both sides.
struct Call {
    began_ns: u64,
    request_ns: u64,
    dialog: Option<Dialog>,
    answered: Option<Box<Answered>>,
    cseq: u32,
    within_left: u32,
    step: u16,
    repeats: u8,
    progress: Progress,
    marks: Marks,
}

/// Facts of a call that outlive it.
#[derive(Clone, Copy, Default)]
struct Marks {
    emergency: bool,
    reached: bool,
    rang: bool,
    answered: bool,
    confirmed: bool,
    followed: bool,
    repeated: bool,
    reordered: bool,
}

/// The 200 of a called party until its ACK comes.
struct Answered {
    octets: Vec<u8>,
    to: SocketAddrV4,
    since_ns: u64,
    repeats: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// The request of that CSeq is repeated if it still is the last one and not answered.
    Repeat(u32),
    /// The 200 is repeated if its ACK has not come.
    RepeatAnswer,
    /// The next request within the call, or its BYE.
    Next,
}

/// All calls of a run.
pub struct Exchange {
    /// Messages that leave, one after the other.
    pub out: Vec<u8>,
    /// Where each of them goes.
    pub leaving: Vec<Leaving>,
    /// What was counted.
    pub tally: Tally,
    /// The step that is offered now; 0 while standing calls are opened.
    pub step: usize,
    run: Run,
    words: Words,
    calls: Vec<Call>,
    alarms: BinaryHeap<Reverse<(u64, u32, Alarm)>>,
    open: u64,
}

impl Exchange {
    /// Nothing has happened. `mark` tells the messages of this run from those of any other.
    #[must_use]
    pub fn new(run: &Run, mark: u32) -> Self {
        let mut tally = Tally::default();
        tally.steps.push(Step { rate: run.standing_rate, ..Step::default() });
        tally.steps.extend(run.steps.iter().map(|step| Step { rate: step.rate, ..Step::default() }));
        Self {
            out: Vec::new(),
            leaving: Vec::new(),
            tally,
            step: 0,
            words: Words::new(mark, run),
            calls: Vec::with_capacity(run.calls() as usize),
            alarms: BinaryHeap::new(),
            open: 0,
            run: run.clone(),
        }
    }

    /// Calls that are not over.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open
    }

    /// Standing calls that are answered or over.
    #[must_use]
    pub fn is_standing(&self) -> bool {
        let standing = self.calls.iter().take(self.run.standing as usize);
        standing.filter(|call| matches!(call.progress, Progress::Talking | Progress::Over)).count()
            == self.run.standing as usize
    }

    /// When something has to be repeated or sent next, nanoseconds of the run.
    #[must_use]
    pub fn next_alarm_ns(&self) -> Option<u64> {
        self.alarms.peek().map(|Reverse((at, ..))| *at)
    }

    /// Does what is due; at most `most` things, so that nothing else waits long.
    pub fn expire(&mut self, now_ns: u64, most: usize) -> usize {
        for done in 0..most {
            match self.alarms.peek() {
                Some(Reverse((at, call, alarm))) if *at <= now_ns => {
                    let (call, alarm) = (*call as usize, *alarm);
                    self.alarms.pop();
                    match alarm {
                        Alarm::Repeat(cseq) => self.repeat_request(call, cseq, now_ns),
                        Alarm::RepeatAnswer => self.repeat_answer(call, now_ns),
                        Alarm::Next => self.go_on(call, now_ns),
                    }
                }
                _ => return done,
            }
        }
        most
    }

    /// A datagram came.
    pub fn receive(&mut self, side: Side, datagram: &[u8], from: SocketAddrV4, now_ns: u64) {
        self.tally.traffic.1 += 1;
        let Some(message) = crate::read::Received::read(datagram) else {
            self.tally.strays += 1;
            return;
        };
        match (side, message.status()) {
            (Side::Caller, Some(status)) => self.response(&message, status, now_ns),
            (Side::Called, None) => self.request(side, &message, from, now_ns),
            (Side::Caller, None) => self.request(side, &message, from, now_ns),
            (Side::Called, Some(_)) => self.tally.strays += 1,
        }
    }

    /// Counts what only shows at the end.
    pub fn close(&mut self) {
        self.tally.reordered = self.calls.iter().filter(|call| call.marks.reordered).count() as u64;
        let silent = self.calls.iter().filter(|call| call.marks.answered && !call.marks.rang);
        self.tally.without_ringing = silent.count() as u64;
    }

    fn ring_alarm(&mut self, at_ns: u64, call: usize, alarm: Alarm) {
        // CALLS_MAX fits.
        self.alarms.push(Reverse((at_ns, call as u32, alarm)));
    }

    /// Writes a message and lets it leave.
    fn send(&mut self, side: Side, to: SocketAddrV4, write: impl FnOnce(&Words, &mut Vec<u8>)) {
        let begin = self.out.len();
        write(&self.words, &mut self.out);
        let octets = begin..self.out.len();
        self.tally.traffic.0 += 1;
        self.tally.traffic.2 += octets.len() as u64;
        self.leaving.push(Leaving { side, to, octets });
    }

    /// Notes that a message of a call had to be sent again.
    fn mark_repeated(&mut self, call: usize) {
        let Some(row) = self.calls.get_mut(call) else { return };
        if !std::mem::replace(&mut row.marks.repeated, true) {
            self.tally.steps[usize::from(row.step)].repeated += 1;
        }
    }

    /// Ends a call; `count` picks what it counts as.
    fn finish(&mut self, call: usize, count: impl FnOnce(&mut Step) -> &mut u64) {
        let Some(row) = self.calls.get_mut(call) else { return };
        if row.progress == Progress::Over {
            return;
        }
        row.progress = Progress::Over;
        row.dialog = None;
        row.answered = None;
        *count(&mut self.tally.steps[usize::from(row.step)]) += 1;
        self.open -= 1;
    }
}

#[cfg(test)]
mod tests;
