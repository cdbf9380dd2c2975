//! The names: one row a metric, in the order the text has no say in.

/// What Prometheus is told the metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down; read from its owner at each scrape.
    Gauge,
    /// Samples in fixed buckets.
    Histogram,
}

impl Kind {
    /// The word of a TYPE line.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric, for the HELP line and for the documentation.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Begins with `emcc_`; a counter ends with `_total`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// A base unit, or what is counted.
    pub unit: &'static str,
    /// Label names, comma separated.
    pub labels: &'static str,
    /// One sentence.
    pub help: &'static str,
}

const fn counter(name: &'static str, unit: &'static str, labels: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit, labels, help }
}

const fn gauge(name: &'static str, unit: &'static str, labels: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, labels, help }
}

/// Every metric of the node.
pub const METRICS: &[Metric] = &[
    counter("emcc_sip_messages_received_total", "messages", "transport", "SIP messages received."),
    counter(
        "emcc_sip_messages_dropped_total",
        "messages",
        "reason",
        "Messages not served: dropped, or refused for their form.",
    ),
    counter(
        "emcc_sip_trailing_octets_total",
        "messages",
        "",
        "Datagrams that held more than their message, and messages of a stream that cut their body short.",
    ),
    counter(
        "emcc_sip_responses_reflected_total",
        "responses",
        "",
        "Responses not sent: to a group address, to everybody, or to this node itself.",
    ),
    counter("emcc_sip_requests_received_total", "requests", "method", "Requests received."),
    counter("emcc_sip_requests_sent_total", "requests", "method", "Requests sent, repetitions left out."),
    counter("emcc_sip_responses_received_total", "responses", "class", "Responses received."),
    counter("emcc_sip_responses_sent_total", "responses", "class", "Responses sent."),
    counter("emcc_registrations_total", "responses", "class", "Final answers of call control to REGISTERs of phones."),
    counter(
        "emcc_sip_retransmissions_absorbed_total",
        "messages",
        "",
        "Repeated messages a transaction answered or swallowed.",
    ),
    counter("emcc_sip_retransmissions_sent_total", "messages", "", "Messages sent again by a timer."),
    counter("emcc_sip_send_failures_total", "messages", "transport", "Messages that could not be sent."),
    counter("emcc_sip_large_datagrams_sent_total", "messages", "", "Datagrams sent with more than 1300 bytes of SIP."),
    counter("emcc_stream_events_total", "connections", "event", "What became of TCP connections."),
    counter("emcc_calls_total", "calls", "outcome", "Calls that are over."),
    counter("emcc_refusals_total", "requests", "status", "Requests this node refused."),
    counter("emcc_codec_refusals_total", "calls", "", "Calls refused because region policy left no codec."),
    counter("emcc_emergency_calls_total", "calls", "", "Emergency calls begun."),
    counter("emcc_emergency_over_limit_total", "calls", "", "Emergency calls let through above a link's bandwidth."),
    counter("emcc_hops_tried_total", "requests", "", "Next hops a request was sent to."),
    counter("emcc_hops_failed_total", "requests", "", "Next hops that were silent or could not be reached."),
    counter("emcc_hops_failed_over_total", "requests", "", "Next hops that failed and were followed by another."),
    counter("emcc_admissions_total", "reservations", "outcome", "Decisions of bandwidth admission."),
    counter("emcc_keepalives_total", "keepalives", "event", "Keepalives of RSVP trunks."),
    counter(
        "emcc_srtp_keys_total",
        "messages",
        "outcome",
        "Messages whose SRTP keys would have left in the clear: removed, or let through for an emergency.",
    ),
    counter("emcc_health_probes_total", "probes", "event", "OPTIONS sent to see whether a neighbour serves."),
    counter("emcc_neighbour_changes_total", "changes", "state", "Addresses of neighbours that came to another state."),
    counter("emcc_name_lookups_total", "look-ups", "outcome", "Look-ups of names of neighbours."),
    counter("emcc_config_reloads_total", "reloads", "outcome", "Configurations read again."),
    counter("emcc_shed_total", "requests", "kind", "Requests sent away unseen while the node is late or draining."),
    counter("emcc_neighbour_spared_total", "requests", "", "New requests not sent to a neighbour that is overloaded."),
    counter("emcc_alarms_total", "alarms", "kind", "Alarms raised."),
    Metric {
        name: "emcc_call_setup_seconds",
        kind: Kind::Histogram,
        unit: "seconds",
        labels: "",
        help: "Time from INVITE to the answer, of answered calls.",
    },
    Metric {
        name: "emcc_queue_delay_seconds",
        kind: Kind::Histogram,
        unit: "seconds",
        labels: "",
        help: "Least time a datagram waited for a worker, in each interval of 50 ms with any.",
    },
    gauge(
        "emcc_overload_loss_ratio",
        "ratio",
        "",
        "Share of new ordinary calls the node sends away, or asks its neighbours not to send.",
    ),
    gauge("emcc_transactions", "transactions", "", "Transactions that live."),
    gauge("emcc_calls", "calls", "", "Calls that live."),
    gauge("emcc_registered_phones", "phones", "", "Visiting users' phones registered through this node."),
    gauge(
        "emcc_link_used_bits_per_second",
        "bits per second",
        "cluster,pool,direction",
        "Bandwidth reserved on the link to a remote cluster.",
    ),
    gauge(
        "emcc_link_capacity_bits_per_second",
        "bits per second",
        "cluster,pool,direction",
        "Bandwidth configured for the link to a remote cluster.",
    ),
    gauge(
        "emcc_neighbour_addresses",
        "addresses",
        "neighbour,state",
        "Addresses of a neighbour that are up, probing, down, or resting as a 503 asked.",
    ),
    gauge("emcc_ready", "1 or 0", "", "Whether the node takes new calls."),
    gauge("emcc_build_info", "1", "version,cluster", "The version that runs, and for which cluster."),
    gauge(
        "emcc_tls_certificate_expiry_seconds",
        "seconds",
        "",
        "When this node's TLS certificate ends, in Unix time; only where it has one.",
    ),
    gauge("emcc_process_start_time_seconds", "seconds", "", "Start of the process in Unix time."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for metric in METRICS {
            let name = metric.name;
            assert!(name.starts_with("emcc_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
            for part in ["_ms", "kbps", "_bytes_total", "_count", "_sum", "_bucket", "__"] {
                assert!(!name.contains(part), "{name} has {part}");
            }
            if metric.unit == "seconds" {
                assert!(name.ends_with("_seconds"), "{name}");
            }
            if metric.unit == "bits per second" {
                assert!(name.ends_with("_bits_per_second"), "{name}");
            }
            assert!(metric.help.ends_with('.') && !metric.help.contains('\n') && !metric.help.contains('\\'), "{name}");
        }
    }

    #[test]
    fn no_name_stands_twice() {
        for (place, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..place].iter().all(|earlier| earlier.name != metric.name), "{}", metric.name);
        }
    }
}
