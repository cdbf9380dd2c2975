//! The called side, and requests that come to the caller.

use std::net::SocketAddrV4;

use super::{Alarm, Answered, Exchange, GIVE_UP_NS, Progress, Side, T1_NS, T2_NS};
use crate::read::Received;
use crate::write::reply;

impl Exchange {
    /// A request came.
    pub(super) fn request(&mut self, side: Side, message: &Received<'_>, from: SocketAddrV4, now_ns: u64) {
        let call = message.call_number(self.words.run).filter(|call| *call < self.calls.len());
        match (message.method(), call) {
            (b"INVITE", Some(call)) if side == Side::Called => self.invited(call, message, from, now_ns),
            (b"ACK", Some(call)) => self.confirmed(call),
            (b"ACK" | b"INVITE", _) => self.tally.strays += 1,
            (b"OPTIONS", _) => {
                self.tally.options += 1;
                self.send(side, from, |_, out| reply(out, message, "200 OK"));
            }
            (method, Some(call)) => {
                self.within(side, call, method);
                self.send(side, from, |_, out| reply(out, message, "200 OK"));
            }
            (_, None) => {
                self.tally.strays += 1;
                self.send(side, from, |_, out| reply(out, message, "481 Call Does Not Exist"));
            }
        }
    }

    fn invited(&mut self, call: usize, message: &Received<'_>, from: SocketAddrV4, now_ns: u64) {
        let row = &mut self.calls[call];
        if std::mem::replace(&mut row.marks.reached, true) {
            self.tally.copies_at_called += 1;
            if row.marks.confirmed {
                return;
            }
        } else {
            if row.step > 0 {
                self.tally.transit_ns.push(now_ns - row.began_ns);
            }
            let expected = self.run.expect_offer.as_deref();
            if expected.is_some_and(|expected| message.payload_types() != Some(expected.as_bytes())) {
                self.tally.wrong_descriptions += 1;
            }
        }
        if row.progress == Progress::Over {
            return;
        }
        self.send(Side::Called, from, |words, out| words.ringing(out, message, call));
        self.send(Side::Called, from, |words, out| words.answer(out, message, call));
        let last = self.leaving.last().map_or(0..0, |leaving| leaving.octets.clone());
        let octets = self.out[last].to_vec();
        let row = &mut self.calls[call];
        if row.answered.is_none() {
            row.answered = Some(Box::new(Answered { octets, to: from, since_ns: now_ns, repeats: 0 }));
            self.ring_alarm(now_ns + T1_NS, call, Alarm::RepeatAnswer);
        }
    }

    fn confirmed(&mut self, call: usize) {
        let row = &mut self.calls[call];
        row.answered = None;
        if !std::mem::replace(&mut row.marks.confirmed, true) && row.marks.followed {
            row.marks.reordered = true;
        }
    }

    /// INFO or BYE within a call; a BYE the other side did not send is the node's own.
    fn within(&mut self, side: Side, call: usize, method: &[u8]) {
        let row = &mut self.calls[call];
        if side == Side::Called && !row.marks.confirmed {
            row.marks.followed = true;
            row.answered = None;
        }
        let is_by_node = method == b"BYE" && (side == Side::Caller || row.progress == Progress::Talking);
        if is_by_node && row.progress != Progress::Over {
            self.tally.ended_by_node += 1;
            self.finish(call, |step| &mut step.failed);
        }
    }

    /// A 200 is repeated by who sent it until its ACK comes (RFC 3261 section 13.3.1.4).
    pub(super) fn repeat_answer(&mut self, call: usize, now_ns: u64) {
        let Some(row) = self.calls.get_mut(call) else { return };
        let Some(answered) = row.answered.as_mut() else { return };
        if now_ns - answered.since_ns >= GIVE_UP_NS {
            row.answered = None;
            return;
        }
        answered.repeats = answered.repeats.saturating_add(1);
        let interval_ns = (T1_NS << u32::from(answered.repeats).min(16)).min(T2_NS);
        let (octets, to) = (answered.octets.clone(), answered.to);
        self.send(Side::Called, to, |_, out| out.extend_from_slice(&octets));
        self.ring_alarm(now_ns + interval_ns, call, Alarm::RepeatAnswer);
        self.tally.repeats_by_called += 1;
        self.mark_repeated(call);
    }
}
