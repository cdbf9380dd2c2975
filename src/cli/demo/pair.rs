//! The two clusters' nodes, each an engine behind its sockets, with everything they send and hear kept for the ladders.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use emcc_policies::admission::{Direction, Pool};
use emcc_policies::moment::Moment;

use crate::cli::halt::Halt;
use crate::config;
use crate::config::plan::Plan;
use crate::engine::effects::{Effects, Input, Note, Now};
use crate::engine::running::Local;
use crate::engine::{Bounds, Engine, Worker};
use crate::io::{Clock, Driver, Node, PROC, Setup, StreamLimits};
use crate::metrics::Counters;
use crate::neighbour::{Address, Flow, Transport};
use crate::sip::Malformed;

/// The home cluster's configuration.
pub(super) const HQ: &str = include_str!("../../../examples/pair/hq.toml");
/// The visited cluster's.
pub(super) const BR: &str = include_str!("../../../examples/pair/br.toml");

/// Messages kept of one call; more are not shown.
const HOPS_MAX: usize = 1_000;
/// Notes kept of one call.
const NOTES_MAX: usize = 100;

/// A change of the pair for one act: in which file what is replaced by what.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    /// Of the home cluster's file.
    Hq(&'static str, &'static str),
    /// Of the visited cluster's file.
    Br(&'static str, &'static str),
}

/// One message between two addresses.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) at: Moment,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// An engine whose messages are kept as they pass.
struct Tap {
    engine: Arc<Engine>,
    me: SocketAddr,
    nodes: [SocketAddr; 2],
    /// One list for both nodes: what causes something stands before it.
    hops: Arc<Mutex<Vec<Hop>>>,
    notes: Mutex<Vec<Note>>,
}

/// Whoever panicked left whole entries behind.
fn locked<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    fn keep(&self, at: Moment, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let mut hops = locked(&self.hops);
        if hops.len() < HOPS_MAX {
            hops.push(Hop { at, from, to, bytes: bytes.to_vec() });
        }
    }

    /// Runs the engine and keeps what it added to its effects.
    fn kept(&self, worker: &mut Worker, now: Now, work: impl FnOnce(&Engine, &mut Worker)) {
        let (sends, notes) = (worker.effects.sends.len(), worker.effects.notes.len());
        work(&self.engine, worker);
        for send in worker.effects.sends.get(sends..).unwrap_or_default() {
            let bytes = worker.effects.arena.get(send.bytes.clone()).unwrap_or_default();
            self.keep(now.moment, self.me, send.flow.remote, bytes);
        }
        let added = worker.effects.notes.get(notes..).unwrap_or_default();
        let mut kept = locked(&self.notes);
        let room = NOTES_MAX.saturating_sub(kept.len());
        kept.extend(added.iter().take(room).cloned());
    }
}

impl Driver for Tap {
    type Worker = Worker;

    fn worker(&self, stream: u64) -> Worker {
        self.engine.worker(stream)
    }

    fn handle(&self, worker: &mut Worker, now: Now, input: Input<'_>) {
        if let Input::Message { flow, bytes } = input
            && !self.nodes.contains(&flow.remote)
        {
            // Between the nodes the sender keeps the message; from a neighbour only this side sees it.
            self.keep(now.moment, flow.remote, self.me, bytes);
        }
        self.kept(worker, now, |engine, worker| engine.handle(worker, now, input));
    }

    fn effects(worker: &mut Worker) -> &mut Effects {
        &mut worker.effects
    }

    fn bounced(&self, worker: &mut Worker, now: Now, destination: SocketAddr, payload: &[u8]) {
        self.kept(worker, now, |engine, worker| engine.bounced(worker, now, destination, payload));
    }

    fn refused(&self, worker: &mut Worker, now: Now, flow: Flow, why: Malformed, head: &[u8]) {
        self.kept(worker, now, |engine, worker| Driver::refused(engine, worker, now, flow, why, head));
    }

    fn is_neighbour(&self, transport: Transport, remote: SocketAddr) -> bool {
        self.engine.plan().neighbour(transport, remote).is_some()
    }
}

/// One cluster's node.
pub(super) struct Side {
    tap: Arc<Tap>,
    node: Option<Node>,
}

impl Side {
    fn start(
        plan: Plan,
        clock: Clock,
        nodes: [SocketAddr; 2],
        hops: &Arc<Mutex<Vec<Hop>>>,
        seed: u64,
    ) -> Result<Self, Halt> {
        let listen: Vec<Address> = plan.sip.listen.iter().map(|listen| listen.address).collect();
        let locals = plan.sip.listen.iter().map(|listen| Local::new(listen.address, listen.advertised)).collect();
        let me = listen.first().map_or(SocketAddr::from(([0, 0, 0, 0], 0)), |address| address.socket);
        let started_s = u64::try_from(clock.now().civil.0).unwrap_or(0);
        let engine = Engine::new(plan, locals, Counters::noop(), Bounds::default(), started_s, seed);
        let hops = Arc::clone(hops);
        let tap = Arc::new(Tap { engine: Arc::new(engine), me, nodes, hops, notes: Mutex::default() });
        let driver = Arc::clone(&tap);
        // One worker: a ladder shows messages in the order they were handled.
        let streams = StreamLimits::default();
        let (counters, proc) = (Counters::noop(), PROC.into());
        let setup = Setup { listen, workers: 1, driver, clock, counters, certificates: None, seed, streams, proc };
        let node = Node::start(setup).map_err(|error| Halt::Start(error.into()))?;
        Ok(Self { tap, node: Some(node) })
    }

    /// The address it speaks from.
    pub(super) fn address(&self) -> SocketAddr {
        self.tap.me
    }

    /// Takes its sockets away, as if the host were gone.
    pub(super) fn vanish(&mut self) {
        self.node = None;
    }

    /// Calls it knows.
    pub(super) fn calls(&self) -> usize {
        self.tap.engine.calls()
    }

    /// Audio booked towards the other cluster, kbit/s.
    pub(super) fn booked_kbps(&self) -> u64 {
        let books = self.tap.engine.links().books();
        let is_audio_out = |pool, direction| pool == Pool::Audio && direction == Direction::Outward;
        books.iter().filter(|book| is_audio_out(book.pool, book.direction)).map(|book| book.used_kbps).sum()
    }

    /// What it decided of a call, in words: one a step; none while the call stands.
    pub(super) fn decided(&self, call_id: &[u8]) -> Option<Vec<String>> {
        locked(&self.tap.notes).iter().rev().find_map(|note| match note {
            Note::CallEnded(record) if record.call_id == call_id => Some(record.decision.reasons(&record.plan)),
            _ => None,
        })
    }

    /// Alarms it raised, in words.
    pub(super) fn alarms(&self) -> Vec<String> {
        let alarm = |note: &Note| match note {
            Note::Alarm { what, .. } => Some((*what).to_owned()),
            _ => None,
        };
        locked(&self.tap.notes).iter().filter_map(alarm).collect()
    }
}

/// Both nodes.
pub(super) struct Pair {
    pub(super) hq: Side,
    pub(super) br: Side,
    hops: Arc<Mutex<Vec<Hop>>>,
}

impl Pair {
    /// Binds the addresses of both configurations and starts to serve.
    pub(super) fn start(clock: Clock) -> Result<Self, Halt> {
        let (hq, br) = plans(&[])?;
        let address = |plan: &Plan| plan.sip.listen.first().map(|listen| listen.address.socket);
        let none = SocketAddr::from(([0, 0, 0, 0], 0));
        let nodes = [address(&hq).unwrap_or(none), address(&br).unwrap_or(none)];
        let hops = Arc::default();
        let (hq, br) = (Side::start(hq, clock, nodes, &hops, 1)?, Side::start(br, clock, nodes, &hops, 2)?);
        Ok(Self { hq, br, hops })
    }

    /// Reloads both nodes with the pair's configuration, changed as an act wants it.
    pub(super) fn reload(&self, edits: &[Edit]) -> Result<(), Halt> {
        let (hq, br) = plans(edits)?;
        self.hq.tap.engine.reload(hq);
        self.br.tap.engine.reload(br);
        Ok(())
    }

    /// Forgets what both heard.
    pub(super) fn forget(&self) {
        locked(&self.hops).clear();
        for side in [&self.hq, &self.br] {
            locked(&side.tap.notes).clear();
        }
    }

    /// Every message both sent or heard, causes before effects.
    pub(super) fn hops(&self) -> Vec<Hop> {
        locked(&self.hops).clone()
    }
}

/// Both plans, changed by edits.
pub(super) fn plans(edits: &[Edit]) -> Result<(Plan, Plan), Halt> {
    let (mut hq, mut br) = (HQ.to_owned(), BR.to_owned());
    for edit in edits {
        match edit {
            Edit::Hq(from, to) => hq = hq.replacen(from, to, 1),
            Edit::Br(from, to) => br = br.replacen(from, to, 1),
        }
    }
    let plan = |name, text: &str| {
        let mut plan = config::load_text(name, text).map_err(Halt::Configuration)?.plan;
        // A ladder shows one call and nothing that goes on beside it.
        plan.sip.probes.interval_ms = 0;
        Ok(plan)
    };
    Ok((plan("hq.toml", &hq)?, plan("br.toml", &br)?))
}
