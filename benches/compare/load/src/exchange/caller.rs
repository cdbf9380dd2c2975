//! The calling side.

use super::{Alarm, Call, Exchange, GIVE_UP_NS, Marks, Progress, RING_NS, Side, T1_NS, T2_NS};
use crate::read::Received;
use crate::write::Dialog;

impl Exchange {
    /// Places the next call.
    pub fn begin(&mut self, now_ns: u64) {
        let call = self.calls.len();
        let in_hundred = call as u64 % 100;
        // Spread over the hundred: the k-th share begins where the product steps over a whole hundred.
        let share = self.run.emergency_percent;
        let emergency = (in_hundred + 1) * share / 100 > in_hundred * share / 100;
        let marks = Marks { emergency, ..Marks::default() };
        self.calls.push(Call {
            began_ns: now_ns,
            request_ns: now_ns,
            dialog: None,
            answered: None,
            cseq: 1,
            within_left: self.run.within,
            step: u16::try_from(self.step).unwrap_or(u16::MAX),
            repeats: 0,
            progress: Progress::Inviting,
            marks,
        });
        self.tally.steps[self.step].begin(now_ns, emergency);
        self.open += 1;
        self.tally.open_max = self.tally.open_max.max(self.open);
        self.ring_alarm(now_ns + T1_NS, call, Alarm::Repeat(1));
        self.send(Side::Caller, self.run.target, |words, out| words.invite(out, call, emergency));
    }

    /// Ends a standing call.
    pub fn hang_up(&mut self, call: usize, now_ns: u64) {
        if self.calls.get(call).is_some_and(|row| row.progress == Progress::Talking) {
            self.ask(call, "BYE", Progress::Ending, now_ns);
        }
    }

    /// The next request within a call, or its BYE.
    pub(super) fn go_on(&mut self, call: usize, now_ns: u64) {
        let Some(row) = self.calls.get_mut(call) else { return };
        if row.progress != Progress::Talking {
            return;
        }
        if row.within_left > 0 {
            row.within_left -= 1;
            self.ask(call, "INFO", Progress::Asking, now_ns);
        } else {
            self.ask(call, "BYE", Progress::Ending, now_ns);
        }
    }

    fn ask(&mut self, call: usize, method: &str, progress: Progress, now_ns: u64) {
        let row = &mut self.calls[call];
        row.cseq += 1;
        row.request_ns = now_ns;
        row.repeats = 0;
        row.progress = progress;
        let cseq = row.cseq;
        self.tally.within.0 += 1;
        self.ring_alarm(now_ns + T1_NS, call, Alarm::Repeat(cseq));
        self.send_within(call, method, cseq);
    }

    fn send_within(&mut self, call: usize, method: &str, cseq: u32) {
        let Some(row) = self.calls.get_mut(call) else { return };
        let emergency = row.marks.emergency;
        let Some(dialog) = row.dialog.take() else { return };
        self.send(Side::Caller, self.run.target, |words, out| {
            words.within(out, call, emergency, &dialog, method, cseq);
        });
        self.calls[call].dialog = Some(dialog);
    }

    /// Timers A, B, C, E and F.
    pub(super) fn repeat_request(&mut self, call: usize, cseq: u32, now_ns: u64) {
        let Some(row) = self.calls.get_mut(call) else { return };
        if row.cseq != cseq {
            return;
        }
        let waited = now_ns - row.request_ns;
        let is_given_up = match row.progress {
            Progress::Talking | Progress::Over => return,
            Progress::Ringing => waited >= RING_NS,
            _ => waited >= GIVE_UP_NS,
        };
        if is_given_up {
            return self.finish(call, |step| &mut step.failed);
        }
        if self.run.is_stream {
            // Streams lose nothing: only the end of patience is looked for.
            return self.ring_alarm(now_ns + T2_NS, call, Alarm::Repeat(cseq));
        }
        let doubled = T1_NS << u32::from(row.repeats + 1).min(16);
        row.repeats = row.repeats.saturating_add(1);
        let (emergency, repeats) = (row.marks.emergency, row.repeats);
        match row.progress {
            Progress::Ringing => return self.ring_alarm(now_ns + T2_NS, call, Alarm::Repeat(cseq)),
            Progress::Inviting => {
                self.send(Side::Caller, self.run.target, |words, out| words.invite(out, call, emergency));
                // The seventh would come when timer B does.
                let next = if repeats < 6 { now_ns + doubled } else { self.calls[call].request_ns + GIVE_UP_NS };
                self.ring_alarm(next, call, Alarm::Repeat(cseq));
            }
            progress => {
                self.send_within(call, if progress == Progress::Asking { "INFO" } else { "BYE" }, cseq);
                let give_up_ns = self.calls[call].request_ns + GIVE_UP_NS;
                self.ring_alarm((now_ns + doubled.min(T2_NS)).min(give_up_ns), call, Alarm::Repeat(cseq));
            }
        }
        self.tally.repeats_by_caller += 1;
        self.mark_repeated(call);
    }

    /// A response came to the caller.
    pub(super) fn response(&mut self, message: &Received<'_>, status: u16, now_ns: u64) {
        let call = message.call_number(self.words.run).filter(|call| *call < self.calls.len());
        let (Some(call), Some(cseq)) = (call, message.sequence()) else {
            self.tally.strays += 1;
            return;
        };
        if cseq == 1 {
            return match status {
                100..=199 => self.provisional(call, status, now_ns),
                200..=299 => self.answer(call, message, now_ns),
                _ => self.refusal(call, message, status),
            };
        }
        let row = &self.calls[call];
        if status < 200 || cseq != row.cseq || !matches!(row.progress, Progress::Asking | Progress::Ending) {
            return;
        }
        let (was_ending, took_ns) = (row.progress == Progress::Ending, now_ns - row.request_ns);
        let is_good = status < 300;
        if is_good {
            self.tally.within.1 += 1;
        } else {
            self.tally.within.2 += 1;
            self.tally.status(status);
        }
        if was_ending {
            self.note(call, now_ns, is_good, took_ns);
        } else {
            self.calls[call].progress = Progress::Talking;
            let interval_ns = self.interval_ns();
            self.ring_alarm(now_ns + interval_ns, call, Alarm::Next);
        }
    }

    /// The BYE of a call was answered.
    fn note(&mut self, call: usize, _now_ns: u64, is_good: bool, took_ns: u64) {
        let row = &self.calls[call];
        let (is_measured, emergency, step) = (row.step > 0, row.marks.emergency, usize::from(row.step));
        if !is_good {
            return self.finish(call, |step| &mut step.failed);
        }
        if is_measured {
            self.tally.ending_ns.push(took_ns);
        }
        self.tally.steps[step].emergency.1 += u64::from(emergency);
        self.tally.steps[self.step].completed_meanwhile += 1;
        self.finish(call, |step| &mut step.completed);
    }

    fn provisional(&mut self, call: usize, status: u16, now_ns: u64) {
        let row = &mut self.calls[call];
        if status > 100 && !std::mem::replace(&mut row.marks.rang, true) {
            if row.marks.answered {
                row.marks.reordered = true;
            } else if row.step > 0 {
                self.tally.ringing_ns.push(now_ns - row.began_ns);
            }
        }
        if row.progress == Progress::Inviting {
            row.progress = Progress::Ringing;
        }
    }

    fn answer(&mut self, call: usize, message: &Received<'_>, now_ns: u64) {
        let row = &mut self.calls[call];
        match row.progress {
            Progress::Inviting | Progress::Ringing => {}
            // A copy of it: its ACK was lost, or came late.
            Progress::Over => return,
            _ => return self.send_within(call, "ACK", 1),
        }
        row.progress = Progress::Talking;
        row.marks.answered = true;
        row.dialog = Some(Dialog::of(message));
        let (step, took_ns) = (row.step, now_ns - row.began_ns);
        if step > 0 {
            self.tally.answer_ns.push(took_ns);
        }
        let expected = self.run.expect_answer.as_deref();
        if expected.is_some_and(|expected| message.payload_types() != Some(expected.as_bytes())) {
            self.tally.wrong_descriptions += 1;
        }
        self.send_within(call, "ACK", 1);
        if step == 0 {
            return;
        }
        match self.interval_ns() {
            0 => self.go_on(call, now_ns),
            interval_ns => self.ring_alarm(now_ns + interval_ns, call, Alarm::Next),
        }
    }

    fn refusal(&mut self, call: usize, message: &Received<'_>, status: u16) {
        let emergency = self.calls[call].marks.emergency;
        self.send(Side::Caller, self.run.target, |words, out| words.ack_of_refusal(out, call, emergency, message));
        if matches!(self.calls[call].progress, Progress::Inviting | Progress::Ringing) {
            self.tally.status(status);
            self.finish(call, |step| &mut step.refused);
        }
    }

    /// From ACK to the first request within a call, and from each to the next.
    fn interval_ns(&self) -> u64 {
        self.run.hold_ms * 1_000_000 / (u64::from(self.run.within) + 1)
    }
}
