//! What the engine tells the log: alarms, and one line for each call.

use std::sync::Arc;

use bytes::Bytes;

use super::Turn;
use super::decide::{Decision, alarm_text};
use super::effects::{CallKey, CallRecord, Note};
use crate::config::plan::Plan;

impl Turn<'_> {
    /// Somebody should look at this call.
    pub(crate) fn alarm(&mut self, what: &'static str, call_id: &[u8]) {
        self.alarm_with(what, call_id, "");
    }

    /// As [`Self::alarm`], with what is known of it.
    pub(crate) fn alarm_with(&mut self, what: &'static str, call_id: &[u8], detail: &str) {
        self.raise(what, Some(Bytes::copy_from_slice(call_id)), detail.to_owned());
    }

    /// Raises an alarm, of a call where one is named. Every alarm passes here, so that the log and the metric tell the same.
    pub(crate) fn raise(&mut self, what: &'static str, call_id: Option<Bytes>, detail: String) {
        self.engine.counters.alarm(what);
        self.effects.notes.push(Note::Alarm { what, call_id, detail });
    }

    /// As [`Self::alarm`], of a call that stands in the table.
    pub(crate) fn alarm_of(&mut self, what: &'static str, call: CallKey) {
        let call_id = self.engine.calls.with(&call, |call| call.call_id.clone());
        self.raise(what, call_id, String::new());
    }

    /// Every alarm a decision raised, each with the trail that led to it.
    pub(crate) fn decision_alarms(&mut self, plan: &Plan, decision: &Decision, call_id: &[u8]) {
        for alarm in &decision.alarms {
            self.alarm_with(alarm_text(alarm), call_id, &decision.because(plan));
        }
    }

    /// The line of a call that was refused before it had a row.
    pub(crate) fn note_refused(&mut self, plan: &Arc<Plan>, decision: &Arc<Decision>, call_id: &[u8], status: u16) {
        self.engine.counters.call_ended(status, false);
        self.effects.notes.push(Note::CallEnded(Box::new(CallRecord {
            call_id: Bytes::copy_from_slice(call_id),
            status,
            ended_by: "refused",
            lasted_ms: 0,
            answered_after_ms: None,
            decision: decision.clone(),
            plan: plan.clone(),
        })));
    }
}
