//! What must hold after every step, whatever the network, the phones and strangers do. A broken law panics; the world
//! then prints seed, step and the last lines of its trace.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use emcc_policies::moment::Moment;
use emcc_trunk::engine::effects::Note;
use emcc_trunk::engine::link::Book;
use emcc_trunk::neighbour::Transport;
use emcc_trunk::timer::SLOT_MS;
use emcc_trunk::transaction::LIFETIME_MS;

use crate::node::{Node, Which};
use crate::read;

/// From this interval on a node may hint at the end of a silence more than five seconds ahead, milliseconds.
const FAR_MS: u64 = 5_000;
/// A hint of the wheel that was set so far ahead comes less than this late, milliseconds: one wake-up then serves many
/// (`timer.rs`). A law of less would be a law against that; a nearer hint comes within a slot.
const FAR_LATE_MS: u64 = 250;

/// What the laws remember of one node.
#[derive(Default)]
struct Memory {
    books: Vec<Book>,
    over_limit: u64,
    has_emergency: bool,
    /// When something was heard of the other node, or the books ceased to be empty, whichever came last.
    silent_since: Moment,
    /// When something was last heard.
    heard: Option<Moment>,
    /// Keepalives that wait for their final response, by branch: when each was first sent.
    asked: HashMap<String, Moment>,
    losses: u32,
}

/// The laws and what they remember.
#[derive(Default)]
pub(crate) struct Laws {
    /// Final responses to INVITEs that left a node, by node, destination and branch: status and To tag.
    finals: HashMap<(Which, SocketAddr, String), (u16, String)>,
    /// Call-IDs somebody has forged a message of: no promise holds for those calls.
    forged: HashSet<String>,
    /// Whether anybody forged anything: what was heard of the other node is not known then.
    is_forged: bool,
    /// Whether a table ever was full.
    pub(crate) was_full: bool,
    memory: [Memory; 2],
}

impl Laws {
    /// Somebody put this forged message on the way, or made it of this one.
    pub(crate) fn forged(&mut self, bytes: &[u8]) {
        self.is_forged = true;
        self.forged.extend(read::header(bytes, "Call-ID").map(str::to_owned));
    }

    /// An emergency call reaches a node; its link may go above its limit from now on.
    pub(crate) fn emergency_placed(&mut self) {
        for memory in &mut self.memory {
            memory.has_emergency = true;
        }
    }

    /// How often a node said that the other was lost.
    pub(crate) fn losses(&self, which: Which) -> u32 {
        self.memory[which as usize].losses
    }

    /// A node is about to take this datagram.
    pub(crate) fn arrives(&mut self, which: Which, now: Moment, from: SocketAddr, bytes: &[u8]) {
        if Which::of(from).is_none() {
            return;
        }
        let memory = &mut self.memory[which as usize];
        let is_keepalive = read::header(bytes, "Call-Info").is_some_and(|info| info.contains("emcc-keepalive"));
        let counts = match read::method(bytes) {
            "OPTIONS" => is_keepalive,
            "" => {
                let branch = read::branch(bytes).unwrap_or_default();
                let is_final = read::status(bytes).is_some_and(|status| status >= 200);
                // The first answer counts, and none that comes when its transaction is over.
                let asked = if is_final { memory.asked.remove(branch) } else { None };
                asked.is_some_and(|asked| now.since_ms(asked) < LIFETIME_MS)
            }
            _ => false,
        };
        if counts {
            memory.heard = Some(now);
            memory.silent_since = now;
        }
    }

    /// A node hears that this could not be sent: it waits for no answer to it any more.
    pub(crate) fn given_back(&mut self, which: Which, bytes: &[u8]) {
        self.memory[which as usize].asked.remove(read::branch(bytes).unwrap_or_default());
    }

    /// A node sends this.
    pub(crate) fn leaves(&mut self, node: &Node, now: Moment, to: SocketAddr, bytes: &[u8]) {
        let known = node.engine.plan().neighbour(Transport::Udp, to).is_some();
        assert!(known, "{:?} sends to {to}, who is no neighbour", node.which);
        let is_keepalive = read::header(bytes, "Call-Info").is_some_and(|info| info.contains("emcc-keepalive"));
        if is_keepalive && read::method(bytes) == "OPTIONS" {
            // Kept small: what was asked long ago is answered or over.
            let asked = &mut self.memory[node.which as usize].asked;
            asked.retain(|_, at| now.since_ms(*at) < 2 * LIFETIME_MS);
            asked.entry(read::branch(bytes).unwrap_or_default().to_owned()).or_insert(now);
        }
        let Some(status) = read::status(bytes).filter(|status| *status >= 200) else { return };
        if read::cseq_method(bytes) != "INVITE" {
            return;
        }
        let branch = read::branch(bytes).unwrap_or_default();
        if read::header(bytes, "Call-ID").is_none_or(|call_id| self.forged.contains(call_id)) {
            return;
        }
        let tag = read::tag(bytes, "To").unwrap_or_default().to_owned();
        let (first, first_tag) =
            self.finals.entry((node.which, to, branch.to_owned())).or_insert_with(|| (status, tag.clone()));
        // 503 of a busy node leaves without a transaction: a late copy of the INVITE may find room (RFC 3261, 8.2.7).
        if *first == 503 {
            (*first, *first_tag) = (status, tag);
            return;
        }
        let is_repeat = *first == status && (status >= 300 || *first_tag == tag);
        assert!(
            is_repeat,
            "{:?} sends {status} ({tag}) to {to} after {first} ({first_tag}): a second final response",
            node.which
        );
    }

    /// A note of a node.
    pub(crate) fn noted(&mut self, node: &Node, now: Moment, note: &Note) {
        let Note::Alarm { what, .. } = note else { return };
        if *what != "remote cluster lost: its resources were released" {
            return;
        }
        let memory = &mut self.memory[node.which as usize];
        memory.losses += 1;
        let interval_ms = u64::from(node.variant.keepalive_s) * 1_000;
        if let Some(heard) = memory.heard.filter(|_| !self.is_forged) {
            let silence = now.since_ms(heard);
            assert!(silence >= 2 * interval_ms, "{:?} gave up after {silence} ms of silence (V-4)", node.which);
        }
        let held: u64 = node.engine.links().books().iter().map(|book| book.used_kbps).sum();
        assert_eq!(held, 0, "{:?} lost the other end and holds something with it (V-4)", node.which);
    }

    /// After every step of a node.
    pub(crate) fn stepped(&mut self, node: &Node, now: Moment) {
        let engine = &node.engine;
        let (calls, transactions) = (engine.calls(), engine.transactions());
        assert!(calls <= node.bounds.calls, "{calls} calls");
        assert!(transactions <= node.bounds.transactions, "{transactions} transactions");
        self.was_full |= calls == node.bounds.calls || transactions == node.bounds.transactions;
        let memory = &mut self.memory[node.which as usize];
        let books = engine.links().books();
        let over_limit = engine.links().emergencies_over_limit();
        for (book, before) in books.iter().zip(&memory.books) {
            assert!(book.used_kbps < u64::from(u32::MAX), "{book:?} fell below nothing");
            let is_above = book.capacity_kbps.is_some_and(|capacity| book.used_kbps > u64::from(capacity));
            let may_grow = memory.has_emergency || over_limit > memory.over_limit;
            assert!(
                !is_above || book.used_kbps <= before.used_kbps || may_grow,
                "{:?} books above its capacity without an emergency: {book:?}",
                node.which
            );
        }
        let is_empty = |books: &[Book]| books.iter().all(|book| book.used_kbps == 0);
        if is_empty(&memory.books) || is_empty(&books) {
            memory.silent_since = now;
        }
        let silence = now.since_ms(memory.silent_since);
        let interval_ms = u64::from(node.variant.keepalive_s) * 1_000;
        // Whoever sends each interval is asked about the silence at least as often: no hint is further ahead.
        let late_ms = if interval_ms > FAR_MS { FAR_LATE_MS } else { SLOT_MS };
        assert!(
            silence < 2 * interval_ms + late_ms + node.stalled_ms() || self.is_forged,
            "{:?} holds on after {silence} ms of silence (V-4): {books:?}",
            node.which
        );
        memory.books = books;
        memory.over_limit = over_limit;
    }

    /// When everybody is done and every bound has passed.
    pub(crate) fn ended(&self, node: &Node) {
        let (calls, transactions) = (node.engine.calls(), node.engine.transactions());
        assert_eq!((calls, transactions), (0, 0), "{:?}: calls and transactions that outlive their bound", node.which);
        for book in node.engine.links().books() {
            assert_eq!(book.used_kbps, 0, "{:?}: {book:?} is never released", node.which);
        }
        assert_eq!(node.hints(), 0, "{:?}: hints that wait for nobody", node.which);
    }
}
