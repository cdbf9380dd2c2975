//! The node under arbitrary datagrams of neighbours and strangers: it never panics, never speaks to a stranger, keeps
//! its tables within their bounds, and when everybody falls silent everything it holds ends.

mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use emcc_fuzz::Dials;
use emcc_trunk::config::plan::Plan;
use emcc_trunk::engine::effects::{Hint, Input, StreamEnd, TransactionKey};
use emcc_trunk::engine::{Bounds, Engine, Worker};
use emcc_trunk::neighbour::{Flow, Transport};
use emcc_trunk::sip::reply::Reply;
use emcc_trunk::sip::{Index, Message, Method, Name, scan};

use crate::pair::{self, at, from, wire};

/// Rows of the small tables: a few dozen steps reach them.
const BOUNDS: Bounds = Bounds { transactions: 40, calls: 10 };
/// Steps of one input.
const STEPS_MAX: usize = 96;
/// Messages one input may cause: a failed call tells every leg of both sides, and a full turn of timers repeats.
const SENDS_MAX: usize = 32;
/// Messages kept to be answered or echoed.
const SENT_KEPT: usize = 24;
/// Interval of keepalives, in seconds.
const KEEPALIVE_S: u16 = 600;
/// Hints until all has ended: a day's keepalives of a call nobody ends, and a little.
const HINTS_MAX: usize = 60_000;

#[test]
fn datagrams() {
    bolero::check!(name = "engine").with_iterations(0).for_each(|input: &[u8]| _ = check(input));
    emcc_fuzz::replay("engine", 6_000, |input| _ = check(input));
}

#[test]
fn the_inputs_reach_phones_probes_shedding_and_tls() {
    let corpus = emcc_fuzz::corpus("engine");
    let mut seen = Seen::default();
    for seed in 0..2_000 {
        let one = check(&emcc_fuzz::changed(&corpus, seed));
        seen.phone |= one.phone;
        seen.probe |= one.probe;
        seen.shed |= one.shed;
        seen.tls |= one.tls;
    }
    assert_eq!(seen, Seen { phone: true, probe: true, shed: true, tls: true });
}

/// What left the node, of the less usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// A phone that registered.
    phone: bool,
    /// A health probe of the node's own.
    probe: bool,
    /// A 503.
    shed: bool,
    /// Anything over TLS.
    tls: bool,
}

/// The node's listeners in the pair.
const LISTEN: &str = "\"tcp:127.0.1.1:5060\"]";
/// How an address of the trunk is written in the pair.
const TRUNK: &str = "trunk = [\"udp:127.0.2.1:5060\"]";

/// What the node may be: that of the pair; one that phones register through, with two addresses of call control; one that
/// asks its neighbours whether they live and takes more than it can; one whose trunk is TLS and whose session is secure.
static PLANS: LazyLock<[Plan; 4]> = LazyLock::new(|| {
    let changes: [&[(&str, &str)]; 4] = [
        &[],
        &[
            (LISTEN, "\"tcp:127.0.1.1:5060\"]\nphones = [\"127.0.3.0/24\"]"),
            ("[\"udp:127.0.1.10:5060\"]", "[\"udp:127.0.1.10:5060\", \"udp:127.0.1.11:5060\"]"),
        ],
        &[("[sip]", "[sip]\nhealth_s = 10")],
        &[
            (
                LISTEN,
                "\"tcp:127.0.1.1:5060\", \"tls:127.0.1.1:5061\"]\n\
                 tls = { certificate = \"c\", key = \"k\", trust = \"t\" }",
            ),
            (TRUNK, "trunk = [\"tls:127.0.2.1:5061\"]"),
            ("device = \"SEP001122334455\"", "device = \"SEP001122334455\"\nsecurity_mode = \"secure\""),
        ],
    ];
    changes.map(|changes| {
        let mut plan = pair::plan_with(changes);
        // A day of keepalives to a silent cluster is most of a run; fewer of them show the same.
        plan.feature.rsvp_keepalive_s = KEEPALIVE_S;
        plan
    })
});

/// The input is a list of steps, see [`World::step`]; its last octet says what the node is.
fn check(input: &[u8]) -> Seen {
    let mut dials = Dials::new(input);
    let variant = input.last().map_or(0, |last| usize::from(*last) % PLANS.len());
    let mut world = World::new(PLANS[variant].clone());
    for _ in 0..STEPS_MAX {
        if dials.is_over() {
            break;
        }
        world.step(&mut dials);
    }
    world.run_down();
    world.seen
}

/// A message that left.
struct Sent {
    flow: Flow,
    octets: Vec<u8>,
    transaction: Option<TransactionKey>,
}

struct World {
    engine: Engine,
    plan: std::sync::Arc<Plan>,
    worker: Worker,
    now_ms: u64,
    hints: BTreeMap<(u64, u64), Hint>,
    pushed: u64,
    sent: Vec<Sent>,
    /// Top Via of every INVITE that was told 100 and nothing final yet.
    promised: BTreeSet<Vec<u8>>,
    /// Whether octets of a message were changed: where it then goes is its sender's doing.
    is_garbled: bool,
    seen: Seen,
}

/// How many may send.
const SOURCES: usize = 11;

/// Who may send: three neighbours, one of them also on a stream and over TLS, two phones, and two strangers, one with a
/// neighbour's port. Some of them are strangers to some of the nodes.
fn source(number: usize) -> Flow {
    let tls = |end| Flow { transport: Transport::Tls, listener: 2, connection: 9, ..from(end) };
    match number {
        8 => tls(([127, 0, 2, 1], 5061)),
        9 => from(requests::PHONE),
        10 => Flow { transport: Transport::Tcp, listener: 1, connection: 8, ..from(([127, 0, 3, 6], 5060)) },
        0 | 1 => from(pair::CALL_CONTROL),
        2 | 3 => from(pair::TRUNK),
        4 => from(pair::GATEWAY),
        5 => Flow { transport: Transport::Tcp, listener: 1, connection: 7, ..from(pair::TRUNK) },
        6 => from(([203, 0, 113, 5], 5060)),
        _ => from(([127, 0, 1, 11], 5060)),
    }
}

impl World {
    fn new(plan: Plan) -> Self {
        let engine = pair::engine(plan, BOUNDS);
        let (plan, worker) = (engine.plan(), engine.worker(0));
        Self {
            engine,
            plan,
            worker,
            now_ms: 1_000,
            hints: BTreeMap::new(),
            pushed: 0,
            sent: Vec::new(),
            promised: BTreeSet::new(),
            is_garbled: false,
            seen: Seen::default(),
        }
    }

    /// One step by its first octet; what it needs beside follows.
    fn step(&mut self, dials: &mut Dials<'_>) {
        match dials.below(12) {
            0..=2 => {
                let (request, source) = (dials.below(requests::COUNT), source(dials.below(SOURCES)));
                let octets = requests::write(request, dials.octet());
                let heard = self.spoilt(octets, dials);
                self.receive(source, &heard);
            }
            3..=6 => self.answer(dials),
            7 => {
                let Some(sent) = self.pick(dials.octet()) else { return };
                let octets = sent.octets.clone();
                let source = source(dials.below(SOURCES));
                let heard = self.spoilt(octets, dials);
                self.receive(source, &heard);
            }
            8 => {
                let ms = 1_u64 << dials.below(20);
                self.pass_time(self.now_ms + ms, STEPS_MAX * 64);
            }
            9 => {
                let Some(sent) = self.pick(dials.octet()) else { return };
                let (flow, octets, transaction) = (sent.flow, sent.octets.clone(), sent.transaction);
                let now = at(self.now_ms);
                match (dials.below(3), transaction) {
                    (0, Some(key)) if octets.len() % 2 == 0 => {
                        self.engine.handle(&mut self.worker, now, Input::Failed(key));
                    }
                    (0, Some(transaction)) => {
                        let end = match octets.len() % 8 {
                            1 => StreamEnd::Theirs,
                            5 => StreamEnd::Ours,
                            _ => StreamEnd::Unwritten,
                        };
                        self.engine.handle(&mut self.worker, now, Input::StreamEnded { transaction, end });
                    }
                    (1, _) => self.engine.bounced(&mut self.worker, now, flow.remote, &octets),
                    _ => self.engine.bounced(&mut self.worker, now, source(7).remote, &octets),
                }
                self.take(None);
            }
            10 => {
                // What the second brings, and how late its first datagram was: the node sheds when it is late for long.
                let late_us = u32::from(dials.octet()) * 1_000;
                self.engine.waited(at(self.now_ms), 0, late_us);
                self.engine.handle(&mut self.worker, at(self.now_ms), Input::Beat);
                self.take(None);
            }
            _ => {
                let (source, count) = (source(dials.below(SOURCES)), dials.octet());
                let octets = dials.take(usize::from(count));
                self.receive(source, octets);
            }
        }
    }

    fn pick(&self, number: u8) -> Option<&Sent> {
        // Counted from behind: the youngest is the most likely to be answered.
        self.sent.iter().rev().nth(usize::from(number) % self.sent.len().max(1))
    }

    /// Answers a request that left, from where it went or from elsewhere.
    fn answer(&mut self, dials: &mut Dials<'_>) {
        let Some(sent) = self.pick(dials.octet()) else { return };
        let mut index = Index::new();
        let Ok(request) = scan(&sent.octets, &mut index) else { return };
        let status = [100, 180, 183, 200, 200, 200, 302, 404, 408, 481, 486, 487, 488, 500, 503, 603][dials.below(16)];
        let choices = dials.octet();
        let tags = ["g1", "g2", "g3", "g4"];
        // A registrar grants what it was asked for, or something else.
        let asked = request.value(Name::Contact).filter(|_| request.method() == Some(Method::Register));
        let granted = asked.filter(|_| choices & 4 != 0).map(|asked| [asked, b";expires=60"].concat());
        let contact: (&str, &[u8]) = ("Contact", granted.as_deref().unwrap_or(b"<sip:020@127.0.2.20:5060>"));
        let reliable: (&str, &[u8]) = ("RSeq", b"7");
        let headers = if choices & 4 == 0 || granted.is_some() {
            vec![contact]
        } else {
            vec![contact, reliable, ("Require", b"100rel")]
        };
        let body = [None, Some(wire::ANSWER), Some(wire::OFFER), Some("v=0\r\n")][usize::from(choices >> 3) % 4];
        let reply = Reply {
            to_tag: Some(tags[usize::from(choices) % 4]),
            has_record_route: choices & 32 == 0,
            headers: &headers,
            body: body.map(|body| ("application/sdp", body.as_bytes())),
            ..Reply::new(status)
        };
        let mut octets = Vec::new();
        if reply.write(&request, &mut octets).is_none() {
            return;
        }
        let flow = if choices & 192 == 192 { source(dials.below(SOURCES)) } else { sent.flow };
        let heard = self.spoilt(octets, dials);
        self.receive(flow, &heard);
    }

    /// A message with up to three octets changed, put in or left out; three of four stay whole.
    fn spoilt(&mut self, mut octets: Vec<u8>, dials: &mut Dials<'_>) -> Vec<u8> {
        let choice = dials.octet();
        if choice & 3 != 3 {
            return octets;
        }
        self.is_garbled = true;
        for _ in 0..=(choice >> 2) % 3 {
            let (place, octet) = (dials.wide() % octets.len().max(1), dials.octet());
            match choice >> 4 & 3 {
                0 if place < octets.len() => drop(octets.remove(place)),
                1 => octets.insert(place, octet),
                2 => octets.truncate(place),
                _ if place < octets.len() => octets[place] = octet,
                _ => {}
            }
        }
        octets
    }

    fn receive(&mut self, flow: Flow, octets: &[u8]) {
        self.engine.handle(&mut self.worker, at(self.now_ms), Input::Message { flow, bytes: octets });
        self.take(Some(flow));
    }

    /// Lets time pass up to a moment and works on what comes due until then; gives back how much that was.
    fn pass_time(&mut self, until_ms: u64, hints_max: usize) -> usize {
        let mut worked = 0;
        while worked < hints_max
            && let Some(entry) = self.hints.first_entry()
            && entry.key().0 <= until_ms
        {
            let ((due_ms, _), hint) = entry.remove_entry();
            self.now_ms = self.now_ms.max(due_ms);
            self.engine.handle(&mut self.worker, at(self.now_ms), Input::Due(hint));
            self.take(None);
            worked += 1;
        }
        if worked < hints_max {
            self.now_ms = self.now_ms.max(until_ms);
        }
        worked
    }

    /// Everybody is silent from now on: every deadline comes, and nothing may be left.
    fn run_down(&mut self) {
        let worked = self.pass_time(u64::MAX / 2, HINTS_MAX);
        if worked >= HINTS_MAX {
            let waiting: Vec<_> = self.hints.iter().take(8).collect();
            panic!("after {worked} deadlines, at {} ms, more wait: {waiting:?}", self.now_ms);
        }
        let left = (self.engine.calls(), self.engine.transactions(), self.engine.registered());
        assert_eq!(left, (0, 0, 0), "calls, transactions and registered phones left");
        let unkept: Vec<_> = self.promised.iter().map(|via| via.escape_ascii().to_string()).collect();
        assert!(self.is_garbled || unkept.is_empty(), "100 and nothing after it: {unkept:?}");
        for book in self.engine.links().books() {
            assert_eq!(book.used_kbps, 0, "{book:?} is still booked");
        }
    }

    /// Judges and keeps what an input caused.
    fn take(&mut self, came_from: Option<Flow>) {
        let effects = &mut self.worker.effects;
        assert!(effects.sends.len() <= SENDS_MAX, "{} messages for one input", effects.sends.len());
        if let Some(flow) = came_from
            && self.plan.neighbour(flow.transport, flow.remote).is_none()
        {
            assert!(effects.sends.is_empty() && effects.hints.is_empty(), "a stranger moved the node");
        }
        for send in effects.sends.drain(..) {
            let flow = send.flow;
            assert!(self.plan.neighbour(flow.transport, flow.remote).is_some(), "a message to {}", flow.remote);
            let octets = effects.arena[send.bytes].to_vec();
            let mut index = Index::new();
            match scan(&octets, &mut index) {
                Ok(message) => {
                    promises(&message, &mut self.promised);
                    self.seen.probe |= message.method() == Some(Method::Options) && came_from.is_none();
                    self.seen.shed |= message.status() == Some(503);
                    self.seen.tls |= flow.transport == Transport::Tls;
                }
                Err(broken) => panic!("{:?} leaves: {}", broken.why, octets.escape_ascii()),
            }
            self.sent.push(Sent { flow, octets, transaction: send.transaction });
        }
        for (deadline, hint) in effects.hints.drain(..) {
            self.pushed += 1;
            self.hints.insert((deadline.0, self.pushed), hint);
        }
        effects.clear();
        self.seen.phone |= self.engine.registered() > 0;
        let surplus = self.sent.len().saturating_sub(SENT_KEPT);
        self.sent.drain(..surplus);
        assert!(self.engine.calls() <= BOUNDS.calls && self.engine.transactions() <= BOUNDS.transactions);
    }
}

/// A 100 promises that a final response will come (RFC 3261, section 16.7).
fn promises(message: &Message<'_>, promised: &mut BTreeSet<Vec<u8>>) {
    let value = |name| message.value(name).map(<[u8]>::to_vec).unwrap_or_default();
    let Some(status) = message.status().filter(|_| value(Name::CSeq).ends_with(b"INVITE")) else { return };
    // A report of load stands at the end of the Via and says when it was made (RFC 7339, section 4.4); where a copy came from
    // another address of the same neighbour, the answer to that one alone says so (RFC 3261, section 18.2.1).
    let mut via = value(Name::Via);
    for ours in [b";oc=".as_slice(), b";received="] {
        let end = via.windows(ours.len()).position(|part| part == ours).unwrap_or(via.len());
        via.truncate(end);
    }
    match status {
        100 => drop(promised.insert(via)),
        200.. => drop(promised.remove(&via)),
        _ => {}
    }
}
