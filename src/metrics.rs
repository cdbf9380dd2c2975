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

use labels::{
    AdmissionOutcome, CallOutcome, KeepaliveEvent, KeysOutcome, Label, LookupOutcome, NeighbourChange, ProbeEvent,
    RefusalStatus, ReloadOutcome, ResponseClass,
};
pub(crate) use labels::{DropReason, Shed, StreamEvent};
pub use table::{Kind, METRICS, Metric};

use crate::neighbour::Transport;
use crate::neighbour::health::Standing;
use crate::sip::Method;

/// How often the histogram's samples are folded into buckets: they are buffered without a bound until then.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Upper bounds of the buckets of `emcc_call_setup_seconds`: from one WAN round trip to Timer C.
const SETUP_BUCKETS_S: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 181.0];

/// Upper bounds of the buckets of `emcc_queue_delay_seconds`, around the 20 ms aimed at.
const DELAY_BUCKETS_S: [f64; 9] = [0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.5, 2.0];

/// Where `metrics` says its events come from; the exporter keeps every level.
const METADATA: Metadata<'static> = Metadata::new("emcc", Level::INFO, None);

/// The counters of one metric, one for each value of its label.
#[derive(Clone)]
struct Family<L> {
    counters: Arc<[Counter]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> Family<L> {
    fn new(name: &'static str, register: &Register<'_>) -> Self {
        let counters = L::ALL.iter().map(|value| register(name, Some((L::KEY, value.text())))).collect();
        Self { counters, label: PhantomData }
    }

    fn add(&self, value: L) {
        if let Some(counter) = self.counters.get(value.place()) {
            counter.increment(1);
        }
    }
}

type Register<'a> = dyn Fn(&'static str, Option<(&'static str, &'static str)>) -> Counter + 'a;

/// Every counter, registered; copies count together. What each verb counts is said in [`METRICS`].
#[derive(Clone)]
pub struct Counters {
    messages_received: Family<Transport>,
    messages_dropped: Family<DropReason>,
    trailing_octets: Counter,
    reflected: Counter,
    requests_received: Family<Method>,
    requests_sent: Family<Method>,
    responses_received: Family<ResponseClass>,
    responses_sent: Family<ResponseClass>,
    registrations: Family<ResponseClass>,
    retransmissions_absorbed: Counter,
    retransmissions_sent: Counter,
    send_failures: Family<Transport>,
    large_datagrams_sent: Counter,
    stream_events: Family<StreamEvent>,
    calls: Family<CallOutcome>,
    refusals: Family<RefusalStatus>,
    codec_refusals: Counter,
    emergency_calls: Counter,
    emergency_over_limit: Counter,
    hops_tried: Counter,
    hops_failed: Counter,
    hops_failed_over: Counter,
    admissions: Family<AdmissionOutcome>,
    keepalives: Family<KeepaliveEvent>,
    srtp_keys: Family<KeysOutcome>,
    probes: Family<ProbeEvent>,
    neighbour_changes: Family<NeighbourChange>,
    name_lookups: Family<LookupOutcome>,
    reloads: Family<ReloadOutcome>,
    shed: Family<Shed>,
    neighbour_spared: Counter,
    call_setup_seconds: Histogram,
    queue_delay_seconds: Histogram,
    recorder: Option<Arc<PrometheusRecorder>>,
}

impl Counters {
    /// Counters that count nothing: for simulations, tests and `explain`.
    #[must_use]
    pub fn noop() -> Self {
        Self::registered(&|_, _| Counter::noop(), [Histogram::noop(), Histogram::noop()], None)
    }

    fn registered(
        register: &Register<'_>,
        [call_setup_seconds, queue_delay_seconds]: [Histogram; 2],
        recorder: Option<Arc<PrometheusRecorder>>,
    ) -> Self {
        Self {
            messages_received: Family::new("emcc_sip_messages_received_total", register),
            messages_dropped: Family::new("emcc_sip_messages_dropped_total", register),
            trailing_octets: register("emcc_sip_trailing_octets_total", None),
            reflected: register("emcc_sip_responses_reflected_total", None),
            requests_received: Family::new("emcc_sip_requests_received_total", register),
            requests_sent: Family::new("emcc_sip_requests_sent_total", register),
            responses_received: Family::new("emcc_sip_responses_received_total", register),
            responses_sent: Family::new("emcc_sip_responses_sent_total", register),
            registrations: Family::new("emcc_registrations_total", register),
            retransmissions_absorbed: register("emcc_sip_retransmissions_absorbed_total", None),
            retransmissions_sent: register("emcc_sip_retransmissions_sent_total", None),
            send_failures: Family::new("emcc_sip_send_failures_total", register),
            large_datagrams_sent: register("emcc_sip_large_datagrams_sent_total", None),
            stream_events: Family::new("emcc_stream_events_total", register),
            calls: Family::new("emcc_calls_total", register),
            refusals: Family::new("emcc_refusals_total", register),
            codec_refusals: register("emcc_codec_refusals_total", None),
            emergency_calls: register("emcc_emergency_calls_total", None),
            emergency_over_limit: register("emcc_emergency_over_limit_total", None),
            hops_tried: register("emcc_hops_tried_total", None),
            hops_failed: register("emcc_hops_failed_total", None),
            hops_failed_over: register("emcc_hops_failed_over_total", None),
            admissions: Family::new("emcc_admissions_total", register),
            keepalives: Family::new("emcc_keepalives_total", register),
            srtp_keys: Family::new("emcc_srtp_keys_total", register),
            probes: Family::new("emcc_health_probes_total", register),
            neighbour_changes: Family::new("emcc_neighbour_changes_total", register),
            name_lookups: Family::new("emcc_name_lookups_total", register),
            reloads: Family::new("emcc_config_reloads_total", register),
            shed: Family::new("emcc_shed_total", register),
            neighbour_spared: register("emcc_neighbour_spared_total", None),
            call_setup_seconds,
            queue_delay_seconds,
            recorder,
        }
    }
}

/// What the rim counts.
impl Counters {
    /// A datagram or connection input the rim did not hand over, or whose handling failed.
    pub(crate) fn dropped(&self, reason: DropReason) {
        self.messages_dropped.add(reason);
    }

    /// A message that could not be sent.
    pub(crate) fn send_failed(&self, transport: Transport) {
        self.send_failures.add(transport);
    }

    /// A datagram of more than 1,300 bytes left (RFC 3261 section 18.1.1).
    pub(crate) fn large_datagram(&self) {
        self.large_datagrams_sent.increment(1);
    }

    /// Something became of a connection.
    pub(crate) fn stream(&self, event: StreamEvent) {
        self.stream_events.add(event);
    }

    /// A name of a neighbour was looked up.
    pub(crate) fn name_looked_up(&self, found: bool) {
        self.name_lookups.add(if found { LookupOutcome::Found } else { LookupOutcome::Failed });
    }

    /// A configuration was read again, and runs now or was refused.
    pub fn reloaded(&self, runs: bool) {
        self.reloads.add(if runs { ReloadOutcome::Ok } else { ReloadOutcome::Failed });
    }
}

/// What the engine counts of messages.
impl Counters {
    /// A message came.
    pub fn message_in(&self, transport: Transport) {
        self.messages_received.add(transport);
    }

    /// SRTP keys were left out of a message.
    pub fn srtp_keys_removed(&self) {
        self.srtp_keys.add(KeysOutcome::Removed);
    }

    /// SRTP keys of an emergency call left in the clear.
    pub fn srtp_keys_in_the_clear(&self) {
        self.srtp_keys.add(KeysOutcome::InTheClear);
    }

    /// A message was of no neighbour.
    pub fn dropped_stranger(&self) {
        self.dropped(DropReason::Stranger);
    }

    /// A message was no SIP.
    pub fn not_sip(&self) {
        self.dropped(DropReason::NotSip);
    }

    /// A message was SIP that breaks its rules.
    pub fn malformed(&self) {
        self.dropped(DropReason::Malformed);
    }

    /// A response answers nothing we sent.
    pub fn stray_response(&self) {
        self.dropped(DropReason::Stray);
    }

    /// A response would have gone to a group, to everybody or to ourselves.
    pub fn reflected(&self) {
        self.reflected.increment(1);
    }

    /// A datagram held more than its message, or a message of a stream hid what follows it.
    pub fn trailing_octets(&self) {
        self.trailing_octets.increment(1);
    }

    /// A request came.
    pub fn request_in(&self, method: Method) {
        self.requests_received.add(method);
    }

    /// A request leaves.
    pub fn request_out(&self, method: Method) {
        self.requests_sent.add(method);
    }

    /// A response came.
    pub fn response_in(&self, status: u16) {
        self.responses_received.add(ResponseClass::of(status));
    }

    /// A response leaves.
    pub fn response_out(&self, status: u16) {
        self.responses_sent.add(ResponseClass::of(status));
    }

    /// Call control answered a phone's REGISTER for good.
    pub fn registration(&self, status: u16) {
        self.registrations.add(ResponseClass::of(status));
    }

    /// A transaction answered or swallowed a repeated message.
    pub fn retransmission_absorbed(&self) {
        self.retransmissions_absorbed.increment(1);
    }

    /// A request was sent away unseen, because this node is late or draining.
    pub(crate) fn shed(&self, kind: Shed) {
        self.shed.add(kind);
    }

    /// A neighbour that reported its load is spared a new request (RFC 7339).
    pub fn neighbour_spared(&self) {
        self.neighbour_spared.increment(1);
    }

    /// An interval of the overload control passed in which no datagram waited less than `least_us` microseconds.
    pub fn queue_delay(&self, least_us: u32) {
        self.queue_delay_seconds.record(f64::from(least_us) / 1e6);
    }

    /// A timer sends a message again.
    pub fn retransmission_sent(&self) {
        self.retransmissions_sent.increment(1);
    }
}

/// What the engine counts of calls.
impl Counters {
    /// A call was answered, that many milliseconds after its INVITE.
    pub fn call_answered(&self, after_ms: u64) {
        self.call_setup_seconds.record(Duration::from_millis(after_ms).as_secs_f64());
    }

    /// A call is over. `status` is the final one its caller got, 0 when none.
    pub fn call_ended(&self, status: u16, by_cancel: bool) {
        self.calls.add(match status {
            200..=299 => CallOutcome::Answered,
            _ if by_cancel => CallOutcome::Cancelled,
            _ => CallOutcome::Failed,
        });
    }

    /// This node refused a request.
    pub fn refused(&self, status: u16) {
        self.refusals.add(RefusalStatus::of(status));
    }

    /// Region policy left no codec (M-6).
    pub fn codec_refused(&self) {
        self.codec_refusals.increment(1);
    }

    /// An emergency call began.
    pub fn emergency_call(&self) {
        self.emergency_calls.increment(1);
    }

    /// An emergency call is let through above a link's bandwidth.
    pub fn emergency_over_limit(&self) {
        self.emergency_over_limit.increment(1);
    }

    /// A request goes to a next hop.
    pub fn hop_tried(&self) {
        self.hops_tried.increment(1);
    }

    /// A next hop was silent or could not be reached.
    pub fn hop_failed(&self) {
        self.hops_failed.increment(1);
    }

    /// A next hop's failure is followed by another next hop (P-8).
    pub fn failed_over(&self) {
        self.hops_failed_over.increment(1);
    }

    /// Bandwidth was reserved, or the call let through without as the policy allows.
    pub fn admission_granted(&self, is_reserved: bool) {
        self.admissions.add(if is_reserved { AdmissionOutcome::Granted } else { AdmissionOutcome::BestEffort });
    }

    /// The link had no room.
    pub fn admission_refused(&self) {
        self.admissions.add(AdmissionOutcome::Refused);
    }

    /// A reservation was to be changed to another rate (V-18).
    pub fn admission_adjusted(&self, fitted: bool) {
        self.admissions.add(if fitted { AdmissionOutcome::Adjusted } else { AdmissionOutcome::NotAdjusted });
    }

    /// A reservation was given back.
    pub fn admission_released(&self) {
        self.admissions.add(AdmissionOutcome::Released);
    }

    /// A keepalive of an RSVP trunk leaves.
    pub fn keepalive_sent(&self) {
        self.keepalives.add(KeepaliveEvent::Sent);
    }

    /// A keepalive, or the answer to ours, came.
    pub fn keepalive_heard(&self) {
        self.keepalives.add(KeepaliveEvent::Heard);
    }

    /// A remote cluster was silent for two intervals (V-4).
    pub fn keepalive_lost(&self) {
        self.keepalives.add(KeepaliveEvent::Lost);
    }

    /// A health probe leaves.
    pub fn probe_sent(&self) {
        self.probes.add(ProbeEvent::Sent);
    }

    /// A health probe got its final response.
    pub fn probe_answered(&self) {
        self.probes.add(ProbeEvent::Answered);
    }

    /// A health probe got none, or could not leave.
    pub fn probe_lost(&self) {
        self.probes.add(ProbeEvent::Lost);
    }

    /// An address of a neighbour came to another standing.
    pub fn neighbour_changed(&self, to: Standing) {
        self.neighbour_changes.add(match to {
            Standing::Up => NeighbourChange::Up,
            Standing::Probing { .. } => NeighbourChange::Probing,
            Standing::Down => NeighbourChange::Down,
        });
    }

    /// A 503 asked to be left alone.
    pub fn neighbour_rests(&self) {
        self.neighbour_changes.add(NeighbourChange::Resting);
    }

    /// An alarm was raised. Alarms are rare, so theirs are the only counters found by name; `kind` stands in the
    /// code and never comes from a message, which bounds them.
    pub fn alarm(&self, kind: &'static str) {
        if let Some(recorder) = &self.recorder {
            register(recorder, "emcc_alarms_total", Some(("kind", kind))).increment(1);
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
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Full("emcc_queue_delay_seconds".to_owned()), &DELAY_BUCKETS_S)
            })
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
        let histograms = ["emcc_call_setup_seconds", "emcc_queue_delay_seconds"]
            .map(|name| recorder.register_histogram(&Key::from_static_name(name), &METADATA));
        let counters = Counters::registered(
            &|name, label| register(&recorder, name, label),
            histograms,
            Some(Arc::clone(&recorder)),
        );
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
        counters.call_answered(300);
        counters.call_ended(200, false);
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
    fn every_verb_counts_in_its_own_series_and_copies_count_together() {
        let (exporter, counters) = Exporter::new();
        let copy = counters.clone();
        for (status, by_cancel) in [(200, false), (200, true), (487, true), (503, false), (0, false)] {
            copy.call_ended(status, by_cancel);
        }
        counters.call_answered(300);
        counters.message_in(Transport::Tcp);
        counters.message_in(Transport::Tls);
        counters.request_in(Method::Invite);
        counters.request_out(Method::Other);
        counters.response_in(183);
        counters.response_out(488);
        counters.refused(580);
        counters.refused(599);
        counters.stray_response();
        counters.not_sip();
        counters.malformed();
        counters.dropped_stranger();
        counters.trailing_octets();
        counters.retransmission_absorbed();
        counters.retransmission_sent();
        counters.codec_refused();
        counters.emergency_call();
        counters.emergency_over_limit();
        counters.hop_tried();
        counters.hop_failed();
        counters.failed_over();
        counters.admission_granted(true);
        counters.admission_granted(false);
        counters.admission_adjusted(false);
        counters.admission_adjusted(true);
        counters.admission_refused();
        counters.admission_released();
        counters.keepalive_sent();
        counters.keepalive_heard();
        counters.keepalive_lost();
        counters.srtp_keys_removed();
        counters.srtp_keys_in_the_clear();
        counters.reloaded(false);
        counters.shed(Shed::CanWait);
        counters.queue_delay(15_000);
        counters.neighbour_spared();
        counters.alarm("link-over-limit");
        let text = exporter.render(&[]);
        for want in [
            "emcc_calls_total{outcome=\"answered\"} 2\n",
            "emcc_calls_total{outcome=\"cancelled\"} 1\n",
            "emcc_calls_total{outcome=\"failed\"} 2\n",
            "emcc_sip_messages_received_total{transport=\"tcp\"} 1\n",
            "emcc_sip_messages_received_total{transport=\"tls\"} 1\n",
            "emcc_sip_requests_received_total{method=\"INVITE\"} 1\n",
            "emcc_sip_requests_sent_total{method=\"other\"} 1\n",
            "emcc_sip_responses_received_total{class=\"1xx\"} 1\n",
            "emcc_sip_responses_sent_total{class=\"4xx\"} 1\n",
            "emcc_refusals_total{status=\"580\"} 1\n",
            "emcc_refusals_total{status=\"other\"} 1\n",
            "emcc_sip_messages_dropped_total{reason=\"stray\"} 1\n",
            "emcc_sip_messages_dropped_total{reason=\"not_sip\"} 1\n",
            "emcc_sip_messages_dropped_total{reason=\"malformed\"} 1\n",
            "emcc_sip_messages_dropped_total{reason=\"stranger\"} 1\n",
            "emcc_sip_trailing_octets_total 1\n",
            "emcc_sip_retransmissions_absorbed_total 1\n",
            "emcc_sip_retransmissions_sent_total 1\n",
            "emcc_codec_refusals_total 1\n",
            "emcc_emergency_calls_total 1\n",
            "emcc_emergency_over_limit_total 1\n",
            "emcc_hops_tried_total 1\n",
            "emcc_hops_failed_total 1\n",
            "emcc_hops_failed_over_total 1\n",
            "emcc_admissions_total{outcome=\"granted\"} 1\n",
            "emcc_admissions_total{outcome=\"best_effort\"} 1\n",
            "emcc_admissions_total{outcome=\"refused\"} 1\n",
            "emcc_admissions_total{outcome=\"adjusted\"} 1\n",
            "emcc_admissions_total{outcome=\"not_adjusted\"} 1\n",
            "emcc_admissions_total{outcome=\"released\"} 1\n",
            "emcc_keepalives_total{event=\"sent\"} 1\n",
            "emcc_keepalives_total{event=\"heard\"} 1\n",
            "emcc_keepalives_total{event=\"lost\"} 1\n",
            "emcc_config_reloads_total{outcome=\"failed\"} 1\n",
            "emcc_alarms_total{kind=\"link-over-limit\"} 1\n",
            "emcc_shed_total{kind=\"can_wait\"} 1\n",
            "emcc_neighbour_spared_total 1\n",
            "emcc_queue_delay_seconds_bucket{le=\"0.01\"} 0\n",
            "emcc_queue_delay_seconds_bucket{le=\"0.02\"} 1\n",
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
        counters.call_ended(200, false);
        counters.alarm("link-over-limit");
        counters.call_answered(1_000);
        assert!(counters.recorder.is_none());
    }
}
