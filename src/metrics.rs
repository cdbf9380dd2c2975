//! Every metric in one table, the counters the engine and the rim hold, and the text Prometheus reads.
//!
//! Counters and the histogram live in a recorder of the `metrics` crate and are registered once, before the first
//! message; nothing is looked up by name on the way of a packet. Gauges are not kept: whoever owns the truth is asked
//! for them at each scrape, so that a cluster that left the configuration leaves the text with it.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Histogram, Key, Label as KeyLabel, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

mod labels;
mod table;

pub use labels::{
    AdmissionOutcome, CallOutcome, DropReason, KeepaliveEvent, Label, MethodLabel, RefusalReason, ReloadOutcome,
    ResponseClass, StreamEvent,
};
pub use table::{Kind, METRICS, Metric};

use crate::neighbour::Transport;

/// How often the histogram's samples are folded into buckets: they are buffered without a bound until then.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Upper bounds of the buckets of `emcc_call_setup_seconds`: from one WAN round trip to Timer C.
const SETUP_BUCKETS_S: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 181.0];

/// Where `metrics` says its events come from; the exporter keeps every level.
const METADATA: Metadata<'static> = Metadata::new("emcc", Level::INFO, None);

/// The counters of one metric, one for each value of its label.
pub struct Family<L> {
    counters: Box<[Counter]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> Family<L> {
    fn new(name: &'static str, register: &Register<'_>) -> Self {
        let counters = L::ALL.iter().map(|value| register(name, Some((L::KEY, value.text())))).collect();
        Self { counters, label: PhantomData }
    }

    /// Counts one more of `value`.
    pub fn add(&self, value: L) {
        if let Some(counter) = self.counters.get(value.place()) {
            counter.increment(1);
        }
    }
}

type Register<'a> = dyn Fn(&'static str, Option<(&'static str, &'static str)>) -> Counter + 'a;

/// Every counter, registered. Who counts is said at each: the rim (`io`), the engine, or whoever reloads.
pub struct Counters {
    /// Engine: messages given to it, by transport.
    pub messages_received: Family<Transport>,
    /// Engine and rim: messages that went no further, by reason.
    pub messages_dropped: Family<DropReason>,
    /// Engine: requests read, by method.
    pub requests: Family<MethodLabel>,
    /// Engine: responses read, by class.
    pub responses_received: Family<ResponseClass>,
    /// Engine: responses sent, by class.
    pub responses_sent: Family<ResponseClass>,
    /// Engine: repeated messages that a transaction answered or swallowed.
    pub retransmissions_absorbed: Counter,
    /// Engine: messages sent again by a timer.
    pub retransmissions_sent: Counter,
    /// Rim: messages that could not be sent, by transport.
    pub send_failures: Family<Transport>,
    /// Engine: messages of more than 1,300 bytes sent as one datagram (RFC 3261 section 18.1.1).
    pub large_datagrams_sent: Counter,
    /// Rim: what became of connections.
    pub stream_events: Family<StreamEvent>,
    /// Engine: calls that are decided, by outcome.
    pub calls: Family<CallOutcome>,
    /// Engine: calls refused by this node, by reason.
    pub refusals: Family<RefusalReason>,
    /// Engine: emergency calls begun.
    pub emergency_calls: Counter,
    /// Engine: emergency calls let through above a link's bandwidth.
    pub emergency_over_limit: Counter,
    /// Engine: next hops a request was sent to.
    pub hops_tried: Counter,
    /// Engine: next hops that failed and were followed by another (P-8).
    pub hops_failed_over: Counter,
    /// Engine: decisions of the admission ledger.
    pub admissions: Family<AdmissionOutcome>,
    /// Engine: keepalives of RSVP trunks.
    pub keepalives: Family<KeepaliveEvent>,
    /// Whoever reloads: configurations read again.
    pub reloads: Family<ReloadOutcome>,
    /// Engine: seconds from INVITE to 2xx, of calls that were answered.
    pub call_setup_seconds: Histogram,
    recorder: Option<Arc<PrometheusRecorder>>,
}

impl Counters {
    /// Counters that count nothing: for simulations, tests and `explain`.
    #[must_use]
    pub fn noop() -> Self {
        Self::registered(&|_, _| Counter::noop(), Histogram::noop(), None)
    }

    /// Counts an alarm. Alarms are rare, so theirs are the only counters found by name; `kind` is written in the
    /// code, never taken from a message, which bounds them.
    pub fn alarm(&self, kind: &'static str) {
        if let Some(recorder) = &self.recorder {
            register(recorder, "emcc_alarms_total", Some(("kind", kind))).increment(1);
        }
    }

    fn registered(
        register: &Register<'_>,
        call_setup_seconds: Histogram,
        recorder: Option<Arc<PrometheusRecorder>>,
    ) -> Self {
        Self {
            messages_received: Family::new("emcc_sip_messages_received_total", register),
            messages_dropped: Family::new("emcc_sip_messages_dropped_total", register),
            requests: Family::new("emcc_sip_requests_total", register),
            responses_received: Family::new("emcc_sip_responses_received_total", register),
            responses_sent: Family::new("emcc_sip_responses_sent_total", register),
            retransmissions_absorbed: register("emcc_sip_retransmissions_absorbed_total", None),
            retransmissions_sent: register("emcc_sip_retransmissions_sent_total", None),
            send_failures: Family::new("emcc_sip_send_failures_total", register),
            large_datagrams_sent: register("emcc_sip_large_datagrams_sent_total", None),
            stream_events: Family::new("emcc_stream_events_total", register),
            calls: Family::new("emcc_calls_total", register),
            refusals: Family::new("emcc_refusals_total", register),
            emergency_calls: register("emcc_emergency_calls_total", None),
            emergency_over_limit: register("emcc_emergency_over_limit_total", None),
            hops_tried: register("emcc_hops_tried_total", None),
            hops_failed_over: register("emcc_hops_failed_over_total", None),
            admissions: Family::new("emcc_admissions_total", register),
            keepalives: Family::new("emcc_keepalives_total", register),
            reloads: Family::new("emcc_config_reloads_total", register),
            call_setup_seconds,
            recorder,
        }
    }
}

/// One value of a gauge, as it stands at a scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// A row of [`METRICS`] of kind gauge; others are left out of the text.
    pub name: &'static str,
    /// Label names and values. Values come from the configuration, never from a message.
    pub labels: Vec<(&'static str, String)>,
    /// In the unit the table names.
    pub value: f64,
}

/// The recorder behind the counters, and the text of a scrape.
pub struct Exporter {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl Exporter {
    /// A recorder of its own, so that two nodes in one process do not count into each other, and its counters.
    #[must_use]
    pub fn new() -> (Self, Counters) {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Full("emcc_call_setup_seconds".to_owned()), &SETUP_BUCKETS_S)
            // Fails only for an empty list of buckets; the default, a summary, would still be a metric.
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = Arc::new(builder.build_recorder());
        for metric in METRICS {
            match metric.kind {
                Kind::Counter => recorder.describe_counter(metric.name.into(), None, metric.help.into()),
                Kind::Histogram => recorder.describe_histogram(metric.name.into(), None, metric.help.into()),
                Kind::Gauge => {}
            }
        }
        let setup = recorder.register_histogram(&Key::from_static_name("emcc_call_setup_seconds"), &METADATA);
        let counters =
            Counters::registered(&|name, label| register(&recorder, name, label), setup, Some(Arc::clone(&recorder)));
        // A metric without a series has no HELP and no TYPE.
        register(&recorder, "emcc_alarms_total", Some(("kind", "none"))).increment(0);
        let handle = recorder.handle();
        (Self { recorder, handle }, counters)
    }

    /// The text of one scrape: the recorder's, then the gauges.
    #[must_use]
    pub fn render(&self, gauges: &[Gauge]) -> String {
        // Publishes the descriptions too; without it the first scrape would have no HELP.
        self.handle.run_upkeep();
        let mut text = self.handle.render();
        for metric in METRICS.iter().filter(|metric| metric.kind == Kind::Gauge) {
            render_gauge(&mut text, metric, gauges);
        }
        text
    }

    /// Folds the histogram's samples every five seconds, for as long as it is polled.
    pub async fn upkeep(&self) {
        let mut every = tokio::time::interval(UPKEEP_EVERY);
        loop {
            every.tick().await;
            self.recorder.handle().run_upkeep();
        }
    }
}

fn register(recorder: &PrometheusRecorder, name: &'static str, label: Option<(&'static str, &'static str)>) -> Counter {
    let labels: Vec<KeyLabel> = label.map(|(key, value)| KeyLabel::from_static_parts(key, value)).into_iter().collect();
    recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
}

fn render_gauge(text: &mut String, metric: &Metric, gauges: &[Gauge]) {
    use std::fmt::Write;
    // Writing to a String cannot fail, so the results are dropped.
    let _ = write!(text, "# HELP {} {}\n# TYPE {} gauge\n", metric.name, metric.help, metric.name);
    for gauge in gauges.iter().filter(|gauge| gauge.name == metric.name) {
        text.push_str(metric.name);
        for (place, (key, value)) in gauge.labels.iter().enumerate() {
            text.push(if place == 0 { '{' } else { ',' });
            let _ = write!(text, "{key}=\"");
            for letter in value.chars() {
                match letter {
                    '\\' => text.push_str("\\\\"),
                    '"' => text.push_str("\\\""),
                    '\n' => text.push_str("\\n"),
                    other => text.push(other),
                }
            }
            text.push('"');
        }
        let _ = writeln!(text, "{} {}", if gauge.labels.is_empty() { "" } else { "}" }, gauge.value);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bandwidth(pool: &str, value: f64) -> Gauge {
        Gauge {
            name: "emcc_link_used_bits_per_second",
            labels: vec![("cluster", "BR".to_owned()), ("pool", pool.to_owned()), ("direction", "out".to_owned())],
            value,
        }
    }

    #[test]
    fn every_metric_has_help_and_type_even_at_zero() {
        let (exporter, _counters) = Exporter::new();
        let text = exporter.render(&[]);
        for metric in METRICS {
            let help = format!("# HELP {} ", metric.name);
            let kind = format!("# TYPE {} {}\n", metric.name, metric.kind.text());
            assert_eq!(text.matches(&help).count(), 1, "{help}");
            assert_eq!(text.matches(&kind).count(), 1, "{kind}");
        }
        let described = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
        assert_eq!(described, METRICS.len(), "a metric is rendered that the table lacks:\n{text}");
    }

    #[test]
    fn every_line_belongs_to_the_last_type_line_above_it() {
        let (exporter, counters) = Exporter::new();
        counters.call_setup_seconds.record(0.3);
        counters.calls.add(CallOutcome::Answered);
        let text = exporter.render(&[bandwidth("audio", 80_000.0)]);
        let mut name = "";
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("# HELP")) {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                name = rest.split(' ').next().unwrap();
            } else {
                assert!(line.starts_with(name), "{line} below {name}");
                let value = line.rsplit(' ').next().unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn counters_count_by_label_and_the_histogram_in_its_buckets() {
        let (exporter, counters) = Exporter::new();
        counters.calls.add(CallOutcome::Answered);
        counters.calls.add(CallOutcome::Answered);
        counters.messages_received.add(Transport::Tcp);
        counters.requests.add(MethodLabel::of("INVITE"));
        counters.requests.add(MethodLabel::of("invite"));
        counters.responses_sent.add(ResponseClass::of(488));
        counters.emergency_calls.increment(1);
        counters.alarm("link-over-limit");
        counters.call_setup_seconds.record(0.3);
        let text = exporter.render(&[]);
        for want in [
            "emcc_calls_total{outcome=\"answered\"} 2\n",
            "emcc_calls_total{outcome=\"failed\"} 0\n",
            "emcc_sip_messages_received_total{transport=\"tcp\"} 1\n",
            "emcc_sip_requests_total{method=\"INVITE\"} 1\n",
            "emcc_sip_requests_total{method=\"other\"} 1\n",
            "emcc_sip_responses_sent_total{class=\"4xx\"} 1\n",
            "emcc_emergency_calls_total 1\n",
            "emcc_alarms_total{kind=\"link-over-limit\"} 1\n",
            "emcc_call_setup_seconds_bucket{le=\"0.25\"} 0\n",
            "emcc_call_setup_seconds_bucket{le=\"0.5\"} 1\n",
            "emcc_call_setup_seconds_count 1\n",
        ] {
            assert!(text.contains(want), "{want} is not in\n{text}");
        }
    }

    #[test]
    fn gauges_are_the_truth_of_the_scrape_with_their_labels_escaped() {
        let (exporter, _counters) = Exporter::new();
        let ready = Gauge { name: "emcc_ready", labels: Vec::new(), value: 1.0 };
        let text = exporter.render(&[bandwidth("a\"b\\c\nd", 80_000.0), ready]);
        assert!(text.contains(
            "emcc_link_used_bits_per_second{cluster=\"BR\",pool=\"a\\\"b\\\\c\\nd\",direction=\"out\"} 80000\n"
        ));
        assert!(text.contains("emcc_ready 1\n"));
        assert!(!exporter.render(&[]).contains("cluster=\"BR\""), "nothing of an earlier scrape stays");
    }

    #[test]
    fn counters_of_a_simulation_count_nothing_and_cost_no_recorder() {
        let counters = Counters::noop();
        counters.calls.add(CallOutcome::Refused);
        counters.alarm("link-over-limit");
        counters.call_setup_seconds.record(1.0);
        assert!(counters.recorder.is_none());
    }
}
