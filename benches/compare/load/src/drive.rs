//! The one thread: sockets, the clock, and when the next call is due.
#![allow(clippy::disallowed_methods)] // a load generator reads the clock: that is what it is for

use std::io::{self, Write};
use std::time::Instant;

use crate::arguments::Run;
use crate::exchange::{Exchange, Side};
use crate::line::Line;
use crate::system::{self, Batch};
use crate::tally::Tally;

/// Calls begun in one turn at most, so that a late generator still answers.
const BEGUN_AT_ONCE: usize = 16;
/// Alarms worked on in one turn at most.
const ALARMS_AT_ONCE: usize = 64;
/// Longest wait while nothing is due, nanoseconds.
const WAIT_NS_MAX: u64 = 50_000_000;
/// How often it is looked whether the standing calls stand, nanoseconds.
const LOOK_NS: u64 = 100_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Open,
    Stepping,
    Done,
    Closing,
    Over,
}

/// Things that are due at equal distances.
struct Pace {
    next_ns: f64,
    interval_ns: f64,
    left: u64,
}

impl Pace {
    fn new(rate: u32, count: u64, from_ns: f64) -> Self {
        Self { next_ns: from_ns, interval_ns: 1e9 / f64::from(rate), left: count }
    }

    /// Whether one is due; if so it is taken.
    fn take(&mut self, now_ns: u64) -> bool {
        let is_due = self.left > 0 && self.next_ns <= now_ns as f64;
        if is_due {
            self.left -= 1;
            self.next_ns += self.interval_ns;
        }
        is_due
    }
}

struct Driver<'r> {
    run: &'r Run,
    exchange: Exchange,
    caller: Line,
    called: Line,
    batch: Batch,
    phase: Phase,
    pace: Pace,
    closed: usize,
    looked_ns: u64,
}

/// Makes one run.
///
/// # Errors
///
/// An address that cannot be had.
pub fn drive(run: &Run, mark: u32) -> io::Result<Tally> {
    let (caller, called) = if run.is_stream {
        (Line::connected(run.caller, run.target)?, Line::listening(run.called)?)
    } else {
        (Line::datagrams(run.caller)?, Line::datagrams(run.called)?)
    };
    let exchange = Exchange::new(run, mark);
    let pace = Pace::new(run.standing_rate, run.standing, 0.0);
    let batch = Batch::default();
    let mut driver =
        Driver { run, exchange, caller, called, batch, phase: Phase::Opening, pace, closed: 0, looked_ns: 0 };
    let (began, cpu_us) = (Instant::now(), system::cpu_us());
    let now_ns = || began.elapsed().as_nanos() as u64;
    while driver.phase != Phase::Over && !system::is_stopped() && now_ns() < run.limit_s * 1_000_000_000 {
        driver.turn(&now_ns);
    }
    driver.exchange.close();
    let mut tally = driver.exchange.tally;
    tally.elapsed_ns = now_ns();
    tally.cpu_us = system::cpu_us() - cpu_us;
    Ok(tally)
}

impl Driver<'_> {
    fn turn(&mut self, now_ns: &impl Fn() -> u64) {
        let mut done = self.begin(now_ns);
        for side in [Side::Called, Side::Caller] {
            done += self.receive(side, now_ns);
        }
        done += self.exchange.expire(now_ns(), ALARMS_AT_ONCE);
        self.flush();
        self.advance(now_ns());
        if done == 0 {
            let now = now_ns();
            let due = if self.pace.left > 0 { self.pace.next_ns as u64 } else { u64::MAX };
            let due = due.min(self.exchange.next_alarm_ns().unwrap_or(u64::MAX));
            let mut polled = Vec::new();
            self.caller.descriptors(&mut polled);
            self.called.descriptors(&mut polled);
            system::wait(&polled, due.saturating_sub(now).min(WAIT_NS_MAX));
        }
    }

    /// Begins, or ends, the calls that are due.
    fn begin(&mut self, now_ns: &impl Fn() -> u64) -> usize {
        for done in 0..BEGUN_AT_ONCE {
            let now = now_ns();
            if !self.pace.take(now) {
                return done;
            }
            if self.phase == Phase::Closing {
                self.exchange.hang_up(self.closed, now);
                self.closed += 1;
            } else {
                self.exchange.begin(now);
            }
            self.flush();
        }
        BEGUN_AT_ONCE
    }

    fn receive(&mut self, side: Side, now_ns: &impl Fn() -> u64) -> usize {
        let line = if side == Side::Caller { &mut self.caller } else { &mut self.called };
        let got = line.receive(&mut self.batch);
        // One time for the batch: later ones of it have waited for the first, and that is not the node's doing.
        let now = now_ns();
        for at in 0..got {
            let (datagram, from) = self.batch.datagram(at);
            self.exchange.receive(side, datagram, from, now);
            Self::send(&mut self.exchange, &mut self.caller, &mut self.called);
        }
        got
    }

    fn flush(&mut self) {
        Self::send(&mut self.exchange, &mut self.caller, &mut self.called);
    }

    fn send(exchange: &mut Exchange, caller: &mut Line, called: &mut Line) {
        for leaving in exchange.leaving.drain(..) {
            let line = if leaving.side == Side::Caller { &mut *caller } else { &mut *called };
            if !line.send(&exchange.out[leaving.octets], leaving.to) {
                exchange.tally.not_sent += 1;
            }
        }
        exchange.out.clear();
    }

    /// Goes on to the next phase once this one is through.
    fn advance(&mut self, now_ns: u64) {
        let is_opened = self.phase == Phase::Opening && self.pace.left == 0 && self.looks(now_ns);
        let is_troubled = self.run.until_repeated && self.exchange.tally.first_troubled().is_some();
        match self.phase {
            Phase::Opening if is_opened && self.exchange.is_standing() => {
                self.phase = Phase::Open;
                if self.run.standing > 0 {
                    say("open");
                }
            }
            Phase::Open if self.run.standing == 0 || system::take_go() => {
                self.phase = Phase::Stepping;
                self.pace.next_ns = now_ns as f64;
                self.next_step();
            }
            Phase::Stepping if is_troubled => self.pace.left = 0,
            _ => {}
        }
        match self.phase {
            Phase::Stepping if self.pace.left == 0 => {
                if !is_troubled && self.exchange.step < self.run.steps.len() {
                    self.next_step();
                } else if self.exchange.open() <= self.run.standing {
                    self.phase = if self.run.standing > 0 { Phase::Done } else { Phase::Over };
                    if self.run.standing > 0 {
                        say("done");
                    }
                }
            }
            Phase::Done if system::take_go() => {
                self.phase = Phase::Closing;
                self.pace = Pace::new(self.run.standing_rate, self.run.standing, now_ns as f64);
            }
            Phase::Closing if self.pace.left == 0 && self.exchange.open() == 0 => self.phase = Phase::Over,
            _ => {}
        }
    }

    /// The next step begins when the one before should have ended, however late it was.
    fn next_step(&mut self) {
        let Some(step) = self.run.steps.get(self.exchange.step) else { return };
        self.exchange.step += 1;
        self.pace = Pace::new(step.rate, step.calls, self.pace.next_ns);
    }

    fn looks(&mut self, now_ns: u64) -> bool {
        let is_time = self.run.standing == 0 || now_ns >= self.looked_ns + LOOK_NS;
        if is_time {
            self.looked_ns = now_ns;
        }
        is_time
    }
}

fn say(word: &str) {
    println!("{word}");
    // Somebody waits for it behind a pipe; if nobody does any more, the limit ends the run.
    let _ = io::stdout().flush();
}
