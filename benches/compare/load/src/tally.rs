//! What is counted, and the report made of it.

use std::fmt::Write;

/// Calls of one step, or those that stand.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Rate offered, calls a second.
    pub rate: u32,
    /// Calls begun.
    pub started: u64,
    /// Calls whose BYE was answered with 200.
    pub completed: u64,
    /// Calls whose INVITE got a final status above 299.
    pub refused: u64,
    /// Calls that ended in any other way.
    pub failed: u64,
    /// Calls of which a message had to be repeated by either side.
    pub repeated: u64,
    /// Calls of any step that were completed while this one was offered.
    pub completed_meanwhile: u64,
    /// First and last INVITE, nanoseconds of the run.
    pub span_ns: Option<(u64, u64)>,
    /// Emergency calls begun, and completed.
    pub emergency: (u64, u64),
}

impl Step {
    /// Notes a call that begins.
    pub fn begin(&mut self, now_ns: u64, emergency: bool) {
        self.started += 1;
        self.emergency.0 += u64::from(emergency);
        let first = self.span_ns.map_or(now_ns, |(first, _)| first);
        self.span_ns = Some((first, now_ns));
    }

    /// Calls a second that really began.
    #[must_use]
    pub fn started_per_s(&self) -> f64 {
        match self.span_ns {
            Some((first, last)) if last > first => (self.started - 1) as f64 * 1e9 / (last - first) as f64,
            _ => 0.0,
        }
    }
}

/// Counts of one run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The standing calls first, then the steps.
    pub steps: Vec<Step>,
    /// Requests the caller sent again.
    pub repeats_by_caller: u64,
    /// Answers the called side sent again.
    pub repeats_by_called: u64,
    /// Copies of an INVITE that came to the called side.
    pub copies_at_called: u64,
    /// INFO and BYE sent; answered with 200; refused.
    pub within: (u64, u64, u64),
    /// Calls in which a 180 came after its 200, or an ACK after what followed it.
    pub reordered: u64,
    /// Answered calls without any 180.
    pub without_ringing: u64,
    /// Descriptions that were not as expected.
    pub wrong_descriptions: u64,
    /// Calls the node ended by itself.
    pub ended_by_node: u64,
    /// Datagrams that belong to no call of the run.
    pub strays: u64,
    /// Datagrams the system did not take.
    pub not_sent: u64,
    /// OPTIONS answered.
    pub options: u64,
    /// Datagrams sent and received, and octets sent.
    pub traffic: (u64, u64, u64),
    /// Calls open at a time, at most.
    pub open_max: u64,
    /// Final statuses above 299, and how often each came.
    pub statuses: Vec<(u16, u64)>,
    /// INVITE from caller to called side, nanoseconds, calls of the steps only.
    pub transit_ns: Vec<u64>,
    /// INVITE to 180.
    pub ringing_ns: Vec<u64>,
    /// INVITE to 200.
    pub answer_ns: Vec<u64>,
    /// BYE to its 200.
    pub ending_ns: Vec<u64>,
    /// Whole run, nanoseconds.
    pub elapsed_ns: u64,
    /// CPU time of the generator, microseconds.
    pub cpu_us: u64,
}

impl Tally {
    /// Notes a final status above 299.
    pub fn status(&mut self, status: u16) {
        match self.statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => self.statuses.push((status, 1)),
        }
    }

    /// Sum of one count over the steps, the standing calls left out.
    fn sum(&self, count: impl Fn(&Step) -> u64) -> u64 {
        self.steps.iter().skip(1).map(count).sum()
    }

    /// Requests and answers sent again by either side.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.repeats_by_caller + self.repeats_by_called
    }

    /// Whether every call went through at once, and the step began its calls as fast as it was to.
    #[must_use]
    pub fn is_flawless(&self) -> bool {
        let on_time = |step: &Step| step.started < 2 || step.started_per_s() >= 0.98 * f64::from(step.rate);
        self.steps.iter().all(|step| step.completed == step.started && step.repeated == 0 && on_time(step))
            && self.sum(|step| step.started) > 0
            && self.reordered == 0
    }

    /// The first step with a repeated or failed call.
    #[must_use]
    pub fn first_troubled(&self) -> Option<&Step> {
        self.steps.iter().skip(1).find(|step| step.repeated + step.failed > 0)
    }

    /// One line of JSON. `proven` is the rate of the self test; none: it was left out.
    #[must_use]
    pub fn report(&mut self, proven: Option<u32>) -> String {
        let mut out = String::from("{");
        let mut put = |name: &str, value: u64| {
            // Writing to memory does not fail.
            let _ = write!(out, "\"{name}\":{value},");
        };
        put("self_test_rate", proven.unwrap_or(0).into());
        put("started", self.sum(|step| step.started));
        put("completed", self.sum(|step| step.completed));
        put("refused", self.sum(|step| step.refused));
        put("failed", self.sum(|step| step.failed));
        put("unfinished", self.sum(|step| step.started - step.completed - step.refused - step.failed));
        put("repeats", self.repeats());
        put("repeats_by_caller", self.repeats_by_caller);
        put("repeats_by_called", self.repeats_by_called);
        put("repeated_calls", self.sum(|step| step.repeated));
        put("copies_at_called", self.copies_at_called);
        put("first_repeated_at_rate", self.first_troubled().map_or(0, |step| step.rate.into()));
        put("within_sent", self.within.0);
        put("within_answered", self.within.1);
        put("within_refused", self.within.2);
        put("emergency_started", self.sum(|step| step.emergency.0));
        put("emergency_completed", self.sum(|step| step.emergency.1));
        put("reordered", self.reordered);
        put("without_ringing", self.without_ringing);
        put("wrong_descriptions", self.wrong_descriptions);
        put("ended_by_node", self.ended_by_node);
        put("strays", self.strays);
        put("not_sent", self.not_sent);
        put("options_answered", self.options);
        put("datagrams_sent", self.traffic.0);
        put("datagrams_received", self.traffic.1);
        put("octets_sent", self.traffic.2);
        put("open_max", self.open_max);
        put("elapsed_ms", self.elapsed_ns / 1_000_000);
        put("load_cpu_us", self.cpu_us);
        if let Some(standing) = self.steps.first() {
            put("standing_started", standing.started);
            put("standing_completed", standing.completed);
        }
        let samples = [
            ("transit", &mut self.transit_ns),
            ("ringing", &mut self.ringing_ns),
            ("answer", &mut self.answer_ns),
            ("ending", &mut self.ending_ns),
        ];
        for (name, values) in samples {
            values.sort_unstable();
            for (percentile, permille) in [("p50", 500), ("p99", 990), ("p999", 999), ("max", 1_000)] {
                let at = values.len().saturating_sub(1) * permille / 1_000;
                put(&format!("{name}_{percentile}_ns"), values.get(at).copied().unwrap_or(0));
            }
        }
        let statuses: Vec<String> = self.statuses.iter().map(|(status, count)| format!("[{status},{count}]")).collect();
        let steps: Vec<String> = self.steps.iter().skip(1).map(Step::told).collect();
        let _ = write!(out, "\"statuses\":[{}],\"steps\":[{}]}}", statuses.join(","), steps.join(","));
        out
    }
}

impl Step {
    fn told(&self) -> String {
        format!(
            "{{\"rate\":{},\"started\":{},\"started_per_s\":{:.0},\"completed\":{},\"refused\":{},\"failed\":{},\
             \"repeated\":{},\"completed_meanwhile\":{},\"emergency_started\":{},\"emergency_completed\":{}}}",
            self.rate,
            self.started,
            self.started_per_s(),
            self.completed,
            self.refused,
            self.failed,
            self.repeated,
            self.completed_meanwhile,
            self.emergency.0,
            self.emergency.1,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(rate: u32, started: u64, ms: u64) -> Step {
        Step { rate, started, completed: started, span_ns: Some((0, ms * 1_000_000)), ..Step::default() }
    }

    #[test]
    fn a_step_that_began_late_or_repeated_is_no_proof() {
        let of = |step: Step| Tally { steps: vec![Step::default(), step], ..Tally::default() };
        assert!(of(step(1_000, 1_001, 1_000)).is_flawless());
        assert!(!of(step(1_000, 1_001, 1_100)).is_flawless());
        assert!(!of(Step { repeated: 1, ..step(1_000, 1_001, 1_000) }).is_flawless());
        assert!(!of(Step { completed: 999, ..step(1_000, 1_001, 1_000) }).is_flawless());
        assert!(!of(Step::default()).is_flawless());
    }

    #[test]
    fn percentiles_are_samples_that_occurred() {
        let mut tally = Tally { steps: vec![Step::default()], ..Tally::default() };
        tally.transit_ns = (1..=1_000).rev().collect();
        let report = tally.report(Some(4_000));
        for part in ["\"transit_p50_ns\":500,", "\"transit_p99_ns\":990,", "\"transit_max_ns\":1000,"] {
            assert!(report.contains(part), "{part} in {report}");
        }
        assert!(report.starts_with("{\"self_test_rate\":4000,"), "{report}");
    }
}
