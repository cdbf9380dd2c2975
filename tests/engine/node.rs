//! One node of the pair with a clock of its own, and what it sends.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use emcc_policies::moment::{Civil, Moment};
use emcc_trunk::config::{Plan, load_text};
use emcc_trunk::engine::effects::{CallRecord, Hint, Input, Note, Now, StreamEnd, TransactionKey};
use emcc_trunk::engine::running::Local;
use emcc_trunk::engine::{Bounds, Engine, Worker};
use emcc_trunk::metrics::{Counters, Exporter};
use emcc_trunk::neighbour::{Flow, Transport};

/// Start of the nodes, Unix seconds.
pub(crate) const EPOCH_S: u64 = 1_767_600_000;

const fn host(cluster: u8, host: u8) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 0, cluster, host), 5060))
}

pub(crate) const HQ: SocketAddr = host(1, 1);
pub(crate) const CC_HQ: SocketAddr = host(1, 10);
pub(crate) const GW_HQ: SocketAddr = host(1, 20);
pub(crate) const BR: SocketAddr = host(2, 1);
pub(crate) const CC_BR: SocketAddr = host(2, 10);
pub(crate) const GW_BR_1: SocketAddr = host(2, 20);
pub(crate) const GW_BR_2: SocketAddr = host(2, 21);
pub(crate) const GW_TRUNK_POOL: SocketAddr = host(2, 22);

/// The name of a host of the pair, or its address.
pub(crate) fn name(at: SocketAddr) -> String {
    let names = [
        (HQ, "hq"),
        (CC_HQ, "cc-hq"),
        (GW_HQ, "gw-hq"),
        (BR, "br"),
        (CC_BR, "cc-br"),
        (GW_BR_1, "gw-br-1"),
        (GW_BR_2, "gw-br-2"),
        (GW_TRUNK_POOL, "gw-trunk-pool"),
    ];
    names.iter().find(|(host, _)| *host == at).map_or_else(|| at.to_string(), |(_, name)| (*name).to_owned())
}

/// A node.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) now_ms: u64,
    worker: Worker,
    hints: BTreeMap<(u64, u64), Hint>,
    hinted: u64,
    notes: Vec<Note>,
}

/// The pair's configuration of one node with texts replaced; every text must be there.
pub(crate) fn plan(file: &str, changes: &[(&str, &str)]) -> Plan {
    let mut text = std::fs::read_to_string(format!("examples/pair/{file}.toml")).expect("the pair is there");
    for (from, to) in changes {
        assert!(text.contains(from), "{file}.toml has no {from:?}");
        text = text.replace(from, to);
    }
    load_text(file, &text).unwrap_or_else(|problems| panic!("{problems:#?}")).plan
}

impl Node {
    /// The home cluster's node.
    pub(crate) fn hq() -> Self {
        Self::hq_with(&[])
    }

    pub(crate) fn hq_with(changes: &[(&str, &str)]) -> Self {
        Self::new(plan("hq", changes), Bounds::default())
    }

    /// The visited cluster's node.
    pub(crate) fn br() -> Self {
        Self::br_with(&[])
    }

    pub(crate) fn br_with(changes: &[(&str, &str)]) -> Self {
        Self::new(plan("br", changes), Bounds::default())
    }

    /// A node that has heard everybody of the pair before.
    pub(crate) fn new(plan: Plan, bounds: Bounds) -> Self {
        let node = Self::unheard(plan, bounds);
        for at in [HQ, CC_HQ, GW_HQ, BR, CC_BR, GW_BR_1, GW_BR_2, GW_TRUNK_POOL] {
            node.engine.verify(at.ip(), Moment(node.now_ms));
        }
        node
    }

    /// A node that has just started: nobody has shown that they hear it.
    pub(crate) fn unheard(plan: Plan, bounds: Bounds) -> Self {
        Self::counting(plan, bounds, Counters::noop())
    }

    /// A cluster's node, just started, and its metrics.
    pub(crate) fn counted(cluster: &str, changes: &[(&str, &str)]) -> (Self, Exporter) {
        let (exporter, counters) = Exporter::new();
        (Self::counting(plan(cluster, changes), Bounds::default(), counters), exporter)
    }

    fn counting(plan: Plan, bounds: Bounds, counters: Counters) -> Self {
        let locals = plan.sip.listen.iter().map(|listen| Local::new(listen.address, listen.advertised)).collect();
        let engine = Engine::new(plan, locals, counters, bounds, EPOCH_S, 7);
        let worker = engine.worker(0);
        Self { engine, now_ms: 1_000, worker, hints: BTreeMap::new(), hinted: 0, notes: Vec::new() }
    }

    fn now(&self) -> Now {
        let unix_s = EPOCH_S + self.now_ms / 1_000;
        Now { moment: Moment(self.now_ms), civil: Civil(unix_s.cast_signed()) }
    }

    fn handle(&mut self, input: Input<'_>) -> Out {
        let now = self.now();
        self.engine.handle(&mut self.worker, now, input);
        self.caused()
    }

    /// What the worker's effects hold.
    fn caused(&mut self) -> Out {
        let effects = &mut self.worker.effects;
        let sent = effects
            .sends
            .iter()
            .map(|send| Sent {
                to: send.flow.remote,
                over: send.flow.transport,
                transaction: send.transaction,
                bytes: effects.arena[send.bytes.clone()].to_vec(),
            })
            .collect();
        for (at, hint) in effects.hints.drain(..) {
            self.hinted += 1;
            self.hints.insert((at.0, self.hinted), hint);
        }
        self.notes.append(&mut effects.notes);
        effects.clear();
        Out(sent)
    }

    /// A datagram from `from`; gives back what it made the node send.
    pub(crate) fn hear(&mut self, from: SocketAddr, bytes: impl Into<Vec<u8>>) -> Out {
        let flow = Flow { transport: Transport::Udp, listener: 0, remote: from, connection: 0 };
        self.handle(Input::Message { flow, bytes: &bytes.into() })
    }

    /// How long the engine alone takes for a datagram from `from`, nanoseconds by `clock`; what it sends is dropped.
    pub(crate) fn times(&mut self, from: SocketAddr, bytes: &[u8], clock: impl Fn() -> std::time::Instant) -> u64 {
        let flow = Flow { transport: Transport::Udp, listener: 0, remote: from, connection: 0 };
        let now = self.now();
        let begun = clock();
        self.engine.handle(&mut self.worker, now, Input::Message { flow, bytes });
        let ended = clock();
        self.worker.effects.clear();
        u64::try_from(ended.duration_since(begun).as_nanos()).unwrap_or(u64::MAX)
    }

    /// A message on a stream.
    pub(crate) fn hear_on_stream(&mut self, from: SocketAddr, connection: u64, bytes: impl Into<Vec<u8>>) -> Out {
        let flow = Flow { transport: Transport::Tcp, listener: 1, remote: from, connection };
        self.handle(Input::Message { flow, bytes: &bytes.into() })
    }

    /// The time to drain is over.
    pub(crate) fn end_calls(&mut self) -> Out {
        let now = self.now();
        assert!(!self.engine.end_calls(&mut self.worker, now), "a few calls are one turn");
        self.caused()
    }

    /// The oldest datagram of a batch waited so long at that listener.
    pub(crate) fn waited(&mut self, listener: u16, delay_us: u32) {
        self.engine.waited(self.now(), listener, delay_us);
    }

    /// A message on a TLS connection; the node's third listener is the one of TLS.
    pub(crate) fn hear_over_tls(&mut self, from: SocketAddr, connection: u64, bytes: impl Into<Vec<u8>>) -> Out {
        let flow = Flow { transport: Transport::Tls, listener: 2, remote: from, connection };
        self.handle(Input::Message { flow, bytes: &bytes.into() })
    }

    /// What was sent cannot be delivered.
    pub(crate) fn fail(&mut self, sent: &Sent) -> Out {
        self.handle(Input::Failed(sent.transaction.expect("it belongs to a transaction")))
    }

    /// The stream it went by has ended, after it was written or before.
    pub(crate) fn stream_ends(&mut self, sent: &Sent, is_written: bool) -> Out {
        let transaction = sent.transaction.expect("it belongs to a transaction");
        let end = if is_written { StreamEnd::Theirs } else { StreamEnd::Unwritten };
        self.handle(Input::StreamEnded { transaction, end })
    }

    /// This node has closed the stream it went by.
    pub(crate) fn stream_closed(&mut self, sent: &Sent) -> Out {
        let transaction = sent.transaction.expect("it belongs to a transaction");
        self.handle(Input::StreamEnded { transaction, end: StreamEnd::Ours })
    }

    /// Lets time pass; gives back everything sent meanwhile.
    pub(crate) fn wait(&mut self, ms: u64) -> Out {
        let until = self.now_ms + ms;
        let mut sent = Vec::new();
        while let Some(entry) = self.hints.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, _), hint) = entry.remove_entry();
            self.now_ms = self.now_ms.max(at);
            sent.append(&mut self.handle(Input::Due(hint)).0);
        }
        self.now_ms = until;
        Out(sent)
    }

    /// Lets seconds pass, each with its beat; `answers` what is sent meanwhile. Gives back everything sent.
    pub(crate) fn beats(&mut self, seconds: u64, mut answers: impl FnMut(&Sent) -> Option<String>) -> Out {
        let mut sent = Vec::new();
        for _ in 0..seconds {
            let mut batch = self.wait(1_000).0;
            batch.append(&mut self.handle(Input::Beat).0);
            for one in batch {
                if let Some(answer) = answers(&one) {
                    sent.append(&mut self.hear(one.to, answer).0);
                }
                sent.push(one);
            }
        }
        Out(sent)
    }

    /// As [`Self::wait`], with the other cluster answering every KeepAlive at once; what else was sent.
    pub(crate) fn wait_with_peer(&mut self, ms: u64) -> Out {
        self.wait_answered(ms, |sent| sent.what() == "OPTIONS")
    }

    /// As [`Self::wait`], with whatever `answers` says 200 to at once; what else was sent.
    pub(crate) fn wait_answered(&mut self, ms: u64, answers: impl Fn(&Sent) -> bool) -> Out {
        let until = self.now_ms + ms;
        let mut sent = Vec::new();
        while self.now_ms < until {
            let next = self.hints.first_key_value().map_or(until, |((at, _), _)| (*at).clamp(self.now_ms, until));
            for one in self.wait(next - self.now_ms).0 {
                if answers(&one) {
                    sent.append(&mut self.hear(one.to, crate::wire::says(&one, 200)).0);
                } else {
                    sent.push(one);
                }
            }
        }
        Out(sent)
    }

    /// What the link's books count: audio outward and inward, video outward and inward, kbit/s.
    pub(crate) fn booked(&self) -> [u64; 4] {
        let books = self.engine.links().books();
        std::array::from_fn(|at| books[at].used_kbps)
    }

    /// Lines of calls that ended since the last look: final status and who ended them.
    pub(crate) fn ended(&mut self) -> Vec<(u16, &'static str)> {
        self.records().iter().map(|record| (record.status, record.ended_by)).collect()
    }

    /// As [`Self::ended`], whole.
    pub(crate) fn records(&mut self) -> Vec<CallRecord> {
        let (ended, rest) =
            std::mem::take(&mut self.notes).into_iter().partition(|note| matches!(note, Note::CallEnded(_)));
        self.notes = rest;
        let record = |note| match note {
            Note::CallEnded(record) => Some(*record),
            _ => None,
        };
        Vec::into_iter(ended).filter_map(record).collect()
    }

    /// Alarms since the last look.
    pub(crate) fn alarms(&mut self) -> Vec<&'static str> {
        self.alarms_told().into_iter().map(|(what, _)| what).collect()
    }

    /// As [`Self::alarms`], each with its detail.
    pub(crate) fn alarms_told(&mut self) -> Vec<(&'static str, String)> {
        let (alarms, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.notes).into_iter().partition(|note| matches!(note, Note::Alarm { .. }));
        self.notes = rest;
        let told = |note| match note {
            Note::Alarm { what, detail, .. } => Some((what, detail)),
            _ => None,
        };
        alarms.into_iter().filter_map(told).collect()
    }
}

/// One message the node sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) to: SocketAddr,
    pub(crate) over: Transport,
    pub(crate) transaction: Option<TransactionKey>,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn start(&self) -> String {
        self.text().lines().next().unwrap_or_default().to_owned()
    }

    /// The method, or the status as text.
    pub(crate) fn what(&self) -> String {
        let start = self.start();
        let mut words = start.split(' ');
        let first = words.next().unwrap_or_default();
        if first == "SIP/2.0" { words.next().unwrap_or_default() } else { first }.to_owned()
    }

    /// The number a request is for.
    pub(crate) fn number(&self) -> String {
        let start = self.start();
        let uri = start.split(' ').nth(1).unwrap_or_default();
        uri.strip_prefix("sip:").and_then(|uri| uri.split('@').next()).unwrap_or(uri).to_owned()
    }

    /// Every value line of a header in its long name.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let of = |line: &str| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.lines().skip(1).filter_map(of).collect()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers(name).into_iter().next().unwrap_or_default()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    pub(crate) fn body(&self) -> String {
        self.text().split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    /// The description in the body, alone or beside a location.
    pub(crate) fn description(&self) -> String {
        let mut index = emcc_trunk::sip::Index::default();
        let message = emcc_trunk::sip::scan(&self.bytes, &mut index).expect("a message");
        let range = emcc_trunk::sip::multipart::description(&message).unwrap_or_default();
        String::from_utf8_lossy(&message.body()[range]).into_owned()
    }

    /// The formats of the first line of that kind of media: `["0", "18"]`.
    pub(crate) fn formats(&self, kind: &str) -> Vec<String> {
        let body = self.body();
        let line = body.lines().find(|line| line.starts_with(&format!("m={kind} "))).unwrap_or_default();
        line.split(' ').skip(3).map(str::to_owned).collect()
    }

    /// The port of the first line of that kind of media.
    pub(crate) fn port(&self, kind: &str) -> Option<u16> {
        let body = self.body();
        let line = body.lines().find(|line| line.starts_with(&format!("m={kind} ")))?;
        line.split(' ').nth(1)?.parse().ok()
    }
}

/// What one input made the node send.
#[derive(Clone, Debug)]
pub(crate) struct Out(pub(crate) Vec<Sent>);

impl Out {
    /// `["100 to cc-hq", "INVITE to br"]`.
    pub(crate) fn told(&self) -> Vec<String> {
        self.0.iter().map(|sent| format!("{} to {}", sent.what(), name(sent.to))).collect()
    }

    /// The last message to `to`.
    pub(crate) fn to(&self, to: SocketAddr) -> Sent {
        self.0
            .iter()
            .rfind(|sent| sent.to == to)
            .unwrap_or_else(|| panic!("nothing to {}: {self:#?}", name(to)))
            .clone()
    }

    /// The only message of that kind, a method or a status.
    pub(crate) fn the(&self, what: &str) -> Sent {
        let mut all = self.0.iter().filter(|sent| sent.what() == what);
        let first = all.next().unwrap_or_else(|| panic!("no {what}: {:?}", self.told()));
        assert!(all.next().is_none(), "more than one {what}: {:?}", self.told());
        first.clone()
    }

    /// The final response to the caller of a refused call.
    pub(crate) fn refusal(&self) -> Sent {
        self.0.last().filter(|sent| sent.start().starts_with("SIP/2.0")).cloned().expect("a response came last")
    }
}
