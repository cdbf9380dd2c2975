//! The only place where the parts meet. Pure: `handle(worker, now, input)` changes the tables and fills the worker's
//! effects; it reads no clock, draws no randomness of its own and touches no socket.

mod asserted;
pub mod call;
mod caller;
mod cancel;
pub mod decide;
pub mod early;
pub mod effects;
pub mod ending;
pub mod expire;
mod former;
pub mod forward;
pub mod hunt;
pub mod ids;
pub mod in_dialog;
pub mod invite;
pub mod keep;
pub mod keys;
pub mod link;
pub(crate) mod located;
pub(crate) mod loops;
pub mod media;
pub mod notes;
pub mod order;
pub mod overload;
pub mod own;
pub mod patience;
pub mod precedence;
pub mod probe;
pub mod register;
pub mod registered;
pub mod reject;
pub mod reply;
pub mod request;
pub(crate) mod room;
pub(crate) mod routes;
pub mod running;
mod salvage;
pub mod session;
pub mod shed;
pub(crate) mod strict;
pub(crate) mod trust;
pub mod turns;
pub(crate) mod unsent;
pub(crate) mod verified;
pub mod watch;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use ahash::RandomState;
use arc_swap::ArcSwap;
use emcc_policies::moment::Moment;

use self::call::{Call, Phase};
use self::effects::{CallKey, Effects, Input, Now, TransactionKey};
use self::former::Former;
use self::ids::Ids;
use self::link::Links;
use self::overload::Overload;
use self::registered::{Registered, RegisteredKey};
use self::reject::Reject;
use self::running::{Local, Running};
use self::verified::Verified;
use self::watch::Seen;
use crate::config::plan::{Neighbour, Plan};
use crate::limits::{CALLS_MAX, ENDED_AT_ONCE_MAX, REGISTERED_MAX, TRANSACTIONS_MAX};
use crate::metrics::Counters;
use crate::neighbour::control::Controls;
use crate::neighbour::locate::{Located, Named};
use crate::neighbour::names::Names;
use crate::neighbour::{Flow, Transport};
use crate::sip::{Editor, Index};
use crate::table::Table;
use crate::transaction::row::Row;

/// A node's engine: its tables, its links and the configuration it runs on. Shared by every worker.
pub struct Engine {
    running: ArcSwap<Running>,
    former: Former,
    /// Where names of neighbours lead. Its lock orders whoever changes `running`; no message waits for it.
    names: Mutex<Names>,
    transactions: Table<TransactionKey, Row>,
    calls: Table<CallKey, Call>,
    registered: Table<RegisteredKey, Registered>,
    /// Whose phone registered last from an address.
    registered_there: Table<IpAddr, RegisteredKey>,
    links: Links,
    verified: Verified,
    counters: Counters,
    hashers: [RandomState; 2],
    is_draining: AtomicBool,
    /// Whether a call found a hop without an address.
    wants_names: AtomicBool,
    /// Whether any address of a neighbour is not up, or asked to be left alone: while not, nothing of it is looked up.
    is_any_unwell: AtomicBool,
    overload: Overload,
    /// What neighbours said of their load.
    controls: Controls,
    /// Rows of calls that passed the node before and stand: how many further passes there are.
    further_passes: AtomicUsize,
    /// The highest pass any call ever had.
    highest_pass: AtomicU8,
    /// Start of the node, Unix seconds: the epoch of our keepalives.
    epoch_s: u64,
    seed: u64,
}

/// What one thread needs to work on the engine, reused from message to message.
pub struct Worker {
    ids: Ids,
    index: Box<Index>,
    desk: Desk,
    /// What the inputs so far caused; the rim takes it and clears it.
    pub effects: Effects,
}

/// The scratch memory of a worker.
pub(crate) struct Desk {
    /// For a second message, looked at while the first one is.
    pub(crate) index: Option<Box<Index>>,
    pub(crate) editor: Editor,
    pub(crate) media: Vec<u8>,
    pub(crate) text: Vec<u8>,
}

/// One input being worked on.
pub(crate) struct Turn<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) running: Arc<Running>,
    pub(crate) now: Now,
    pub(crate) ids: &'a mut Ids,
    pub(crate) desk: &'a mut Desk,
    pub(crate) effects: &'a mut Effects,
}

/// The bounds of an engine's tables; smaller ones let a test reach them.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Transactions at a time.
    pub transactions: usize,
    /// Calls at a time.
    pub calls: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { transactions: TRANSACTIONS_MAX, calls: CALLS_MAX }
    }
}

impl Engine {
    /// An engine on `plan` that speaks from `locals`, in the order of the rim's listeners. `epoch_s` is the start of
    /// the node in Unix seconds, `seed` random in service and fixed in simulation.
    #[must_use]
    pub fn new(plan: Plan, locals: Vec<Local>, counters: Counters, bounds: Bounds, epoch_s: u64, seed: u64) -> Self {
        let links = Links::default();
        let running = Running::new(Arc::new(plan), locals.into(), &links, None);
        Self {
            running: ArcSwap::from_pointee(running),
            former: Former::default(),
            names: Mutex::default(),
            transactions: Table::new(bounds.transactions, seed),
            calls: Table::new(bounds.calls, seed),
            registered: Table::new(REGISTERED_MAX, seed),
            registered_there: Table::new(REGISTERED_MAX, seed),
            links,
            verified: Verified::new(seed),
            counters,
            hashers: [RandomState::with_seeds(seed, 3, 5, 7), RandomState::with_seeds(seed, 11, 13, 17)],
            is_draining: AtomicBool::new(false),
            wants_names: AtomicBool::new(false),
            is_any_unwell: AtomicBool::new(false),
            overload: Overload::default(),
            controls: Controls::new(seed),
            further_passes: AtomicUsize::new(0),
            highest_pass: AtomicU8::new(0),
            epoch_s,
            seed,
        }
    }

    /// A thread's scratch; `stream` differs between threads so that their identifiers do.
    #[must_use]
    pub fn worker(&self, stream: u64) -> Worker {
        Worker {
            ids: Ids::new(self.seed, stream),
            index: Box::default(),
            desk: Desk { index: Some(Box::default()), editor: Editor::default(), media: Vec::new(), text: Vec::new() },
            effects: Effects::default(),
        }
    }

    /// Works on one input: tables change, `worker.effects` grows.
    pub fn handle(&self, worker: &mut Worker, now: Now, input: Input<'_>) {
        let Worker { ids, index, desk, effects } = worker;
        let mut turn = Turn { engine: self, running: self.running.load_full(), now, ids, desk, effects };
        match input {
            Input::Message { flow, bytes } => turn.message(flow, bytes, index),
            Input::Due(hint) => turn.due(hint),
            Input::Beat => turn.beat(),
            Input::Failed(key) => turn.failed(key),
            Input::StreamEnded { transaction, end } => turn.stream_ended(transaction, end),
        }
    }

    /// Takes a UDP address as verified from now on, as if it had just shown that it hears us: where a test or a bench
    /// begins in the middle of a node's life.
    pub fn verify(&self, ip: IpAddr, now: Moment) {
        self.verified.note(ip, now);
    }

    /// Answers what cannot be handled as a message: a neighbour's request that cannot be framed, or whose handling
    /// failed here. Once, without a transaction; a response or an ACK is left alone.
    pub fn refuse(&self, worker: &mut Worker, now: Now, flow: Flow, why: Reject, bytes: &[u8]) {
        let Worker { ids, index, desk, effects } = worker;
        let mut turn = Turn { engine: self, running: self.running.load_full(), now, ids, desk, effects };
        turn.refuse_octets(flow, bytes, index, why);
    }

    /// The network gave back a datagram of ours: the transaction whose branch it carries has failed. Anyone can forge
    /// this, so it counts only for a branch of ours that went to that address.
    pub fn bounced(&self, worker: &mut Worker, now: Now, destination: SocketAddr, payload: &[u8]) {
        let Some(key) = expire::bounced_branch(payload).map(|(branch, method)| self.client_key(branch, method)) else {
            return;
        };
        if self.transactions.with(&key, |row| row.flow.remote == destination) == Some(true) {
            self.handle(worker, now, Input::Failed(key));
        }
    }

    /// Swaps in a new configuration, whole. Calls keep the one they began with; links keep their books, and addresses
    /// what is known of their health. Names that stay lead where they led.
    pub fn reload(&self, plan: Plan) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.keep(plan.names());
        let plan = plan.located(&names);
        self.swap(plan);
    }

    /// A name of a neighbour was looked up: from now on the neighbour is where it leads. Gives back whether anything is
    /// other than before.
    pub fn located(&self, name: &Named, found: Vec<Located>, now: Moment) -> bool {
        self.learn(|names| names.learn(name, found, now))
    }

    /// As [`Self::located`], where the DNS failed for a part of the answer: what was known stays beside it.
    pub fn located_in_part(&self, name: &Named, found: Vec<Located>, now: Moment) -> bool {
        self.learn(|names| names.learn_part(name, found, now))
    }

    fn learn(&self, learn: impl FnOnce(&mut Names) -> bool) -> bool {
        // Held over the swap: whoever comes second sees what the first one made.
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = learn(&mut names);
        if is_other {
            self.swap(self.plan().located(&names));
        }
        is_other
    }

    /// Whether a name leads nowhere yet.
    #[must_use]
    pub fn leads_nowhere(&self, name: &Named) -> bool {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).now(name).is_empty()
    }

    /// Whether a call found a hop without an address, or a stranger spoke, since this was asked last: names that lead nowhere
    /// are worth a look-up now.
    #[must_use]
    pub fn takes_wish_for_names(&self) -> bool {
        self.wants_names.load(Relaxed) && self.wants_names.swap(false, Relaxed)
    }

    /// A call found a hop without an address, or somebody spoke who may be a neighbour whose name leads nowhere yet: after a
    /// power failure the DNS may be the last to be back.
    pub(crate) fn want_names(&self) {
        if !self.wants_names.load(Relaxed) {
            self.wants_names.store(true, Relaxed);
        }
    }

    fn swap(&self, plan: Plan) {
        let before = self.running.load_full();
        let plan = self.former.follow(&before.plan, plan);
        let after = Running::new(Arc::new(plan), before.locals.clone(), &self.links, Some(&before));
        self.running.store(Arc::new(after));
    }

    /// The configuration new calls begin with.
    #[must_use]
    pub fn plan(&self) -> Arc<Plan> {
        self.running.load().plan.clone()
    }

    /// From now on only emergency calls are admitted; what stands goes on.
    pub fn drain(&self) {
        self.is_draining.store(true, Relaxed);
    }

    /// Whether the node is draining.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Relaxed)
    }

    /// The oldest datagram of a batch waited `delay_us` microseconds for a worker at that listener.
    pub fn waited(&self, now: Now, listener: u16, delay_us: u32) {
        if let Some(measured_us) = self.overload.waited(now.moment, listener, delay_us) {
            self.counters.queue_delay(measured_us);
        }
    }

    /// The way to where the other end of `flow` listens, for a message whose connection is gone (RFC 3261 section 18.2.2):
    /// a neighbour's configured address of that transport and IP address. Of a phone nothing is configured: a response
    /// goes to the port of the phone's Via, a request to that of its Contact, at the address the connection came from and
    /// nowhere else; where it registered that address anew over another stream since, over that one.
    #[must_use]
    pub fn listens(&self, flow: Flow, bytes: &[u8]) -> Option<Flow> {
        let running = self.running.load_full();
        let Some(neighbour) = running.plan.neighbour(flow.transport, flow.remote) else {
            // Whom a reload took away is reached, until its calls end, where it says itself that it listens.
            let there = running.said_listens(flow, bytes)?;
            return Some(there).filter(|there| self.former.knew(there.transport, there.remote));
        };
        let addresses = match neighbour {
            Neighbour::Peer(peer) => &running.plan.peer(peer)?.addresses,
            Neighbour::Remote { cluster, .. } => &running.plan.remote_cluster(cluster)?.addresses,
            Neighbour::Phone => {
                let there = running.said_listens(flow, bytes)?;
                let is_phone = running.plan.neighbour(there.transport, there.remote) == Some(Neighbour::Phone);
                let there = Some(there).filter(|_| is_phone)?;
                return Some(self.stream_since(flow, there.remote).unwrap_or(there));
            }
        };
        let ip = flow.remote.ip().to_canonical();
        let address = addresses.iter().find(|at| at.transport == flow.transport && at.socket.ip() == ip)?;
        running.way(*address, flow.listener)
    }

    /// The stream over which a phone registered a contact address after it opened the one that is lost; where that address is
    /// the port of the lost stream itself, the one it registered by last. Connections are numbered in their order.
    fn stream_since(&self, lost: Flow, contact: SocketAddr) -> Option<Flow> {
        let key = self.registered_there.with(&lost.remote.ip(), |key| *key)?;
        // Nobody listens at the port of a stream that the phone opened.
        let newest = |row: &mut Registered| {
            if contact == lost.remote { row.newest_from(contact.ip()) } else { row.flow_of(contact) }
        };
        let flow = self.registered.with(&key, newest)??;
        (flow.transport == lost.transport && flow.connection > lost.connection).then_some(flow)
    }

    /// Whether a connection from there is taken: a neighbour's, or one of whom a reload took away while calls of it stand.
    pub(crate) fn takes_connection(&self, transport: Transport, remote: SocketAddr) -> bool {
        let is_taken = self.plan().neighbour(transport, remote).is_some() || self.former.knew(transport, remote);
        if !is_taken {
            self.want_names();
        }
        is_taken
    }

    /// How late the node is, and how much it sends away.
    #[must_use]
    pub fn overload(&self) -> &Overload {
        &self.overload
    }

    /// Whether everything is served: neither late nor draining.
    pub(crate) fn keeps_up(&self) -> bool {
        self.overload.is_normal() && !self.is_draining()
    }

    /// Ends ordinary calls that outlasted the drain, some at a time; whether more stand. Emergency calls are never ended:
    /// the node waits for them as long as they last.
    pub fn end_calls(&self, worker: &mut Worker, now: Now) -> bool {
        let keys =
            self.calls.keys_where(ENDED_AT_ONCE_MAX, |call| !call.decision.emergency && call.phase != Phase::Ended);
        let Worker { ids, desk, effects, .. } = worker;
        let mut turn = Turn { engine: self, running: self.running.load_full(), now, ids, desk, effects };
        keys.iter().for_each(|key| turn.end_drained(*key));
        keys.len() == ENDED_AT_ONCE_MAX
    }

    /// Calls in the table.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Transactions in the table.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// EMCC sessions whose phone is registered through this node.
    #[must_use]
    pub fn registered(&self) -> usize {
        self.registered.len()
    }

    /// The books of the links to remote clusters.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The counters it counts with.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Every watched address of a neighbour as it stands at `now`.
    #[must_use]
    pub fn neighbours(&self, now: Moment) -> Vec<Seen> {
        self.running.load().watches.seen(now)
    }

    /// Whether any address of a neighbour may be other than up. Set at once when one is; taken back by the next beat.
    pub(crate) fn is_any_unwell(&self) -> bool {
        self.is_any_unwell.load(Relaxed)
    }

    pub(crate) fn note_unwell(&self, is_any: bool) {
        self.is_any_unwell.store(is_any, Relaxed);
    }

    /// The client transaction with this branch of ours.
    pub(crate) fn client_key(&self, branch: &[u8], method: &[u8]) -> TransactionKey {
        TransactionKey(self.hash(&[b"c", branch, method]))
    }

    /// A seeded 128-bit hash over parts, each ended so that no two divisions meet.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> u128 {
        use std::hash::{BuildHasher, Hasher};
        let [mut low, mut high] = [self.hashers[0].build_hasher(), self.hashers[1].build_hasher()];
        for part in parts {
            low.write(part);
            low.write_usize(part.len());
            high.write(part);
            high.write_usize(part.len());
        }
        u128::from(low.finish()) | u128::from(high.finish()) << 64
    }
}
