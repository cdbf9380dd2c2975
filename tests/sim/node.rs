//! A node as the simulation drives it: an engine, its workers with their wheels, and the configuration it runs on.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use emcc_policies::moment::Moment;
use emcc_trunk::config::{Plan, load};
use emcc_trunk::engine::effects::Hint;
use emcc_trunk::engine::running::Local;
use emcc_trunk::engine::{Bounds, Engine, Worker};
use emcc_trunk::metrics::Counters;
use emcc_trunk::timer::{SLOT_MS, Wheel};

/// Start of both nodes, Unix seconds: 2026-01-05 08:00 UTC, a Monday.
pub(crate) const EPOCH_S: u64 = 1_767_600_000;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Which {
    Hq,
    Br,
}

impl Which {
    pub(crate) const BOTH: [Self; 2] = [Self::Hq, Self::Br];

    pub(crate) fn at(self) -> SocketAddr {
        match self {
            Self::Hq => SocketAddr::from(([127, 0, 1, 1], 5060)),
            Self::Br => SocketAddr::from(([127, 0, 2, 1], 5060)),
        }
    }

    pub(crate) fn of(at: SocketAddr) -> Option<Self> {
        Self::BOTH.into_iter().find(|which| which.at() == at)
    }

    fn file(self) -> &'static str {
        match self {
            Self::Hq => "examples/pair/hq.toml",
            Self::Br => "examples/pair/br.toml",
        }
    }
}

/// What a configuration has that the pair's does not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variant {
    pub(crate) link_audio_kbps: u32,
    pub(crate) link_video_kbps: u32,
    pub(crate) keepalive_s: u16,
    pub(crate) no_response_s: u16,
    pub(crate) retry_s: u16,
    pub(crate) policy: &'static str,
}

impl Default for Variant {
    fn default() -> Self {
        Self {
            link_audio_kbps: 2_000,
            link_video_kbps: 4_000,
            keepalive_s: 15,
            no_response_s: 4,
            retry_s: 60,
            policy: "mandatory-video-desired",
        }
    }
}

impl Variant {
    /// The plan of one of the pair with this variant's values put in.
    pub(crate) fn plan(&self, which: Which) -> Plan {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let text = std::fs::read_to_string(which.file()).expect("the pair is there");
        let mut changed = text
            .replace("link_audio_kbps = 2000", &format!("link_audio_kbps = {}", self.link_audio_kbps))
            .replace("link_video_kbps = 4000", &format!("link_video_kbps = {}", self.link_video_kbps))
            .replace("rsvp_policy = \"mandatory-video-desired\"", &format!("rsvp_policy = \"{}\"", self.policy))
            .replace("rsvp_keepalive_s = 15\n", "")
            .replace("[feature]\n", &format!("[feature]\nrsvp_keepalive_s = {}\n", self.keepalive_s))
            .replace("[sip]\n", &format!("[sip]\nno_response_s = {}\n", self.no_response_s));
        changed.push_str(&format!("\n[rsvp]\nretry_s = {}\n", self.retry_s));
        let number = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("sim-{}-{number}.toml", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, changed).expect("the target folder can be written");
        let loaded = load(&path);
        let _ = std::fs::remove_file(&path);
        loaded.unwrap_or_else(|problems| panic!("{self:?}: {problems:#?}")).plan
    }
}

/// Where a node's own clock stands when the world begins, milliseconds: at its start, right before the wheel has gone
/// round once and many times, before 32 bits of milliseconds are over, and years on.
pub(crate) const CLOCKS_MS: &[u64] =
    &[0, TURN_MS - 15, TURN_MS, 1_000 * TURN_MS - 60_005, (1 << 32) - 61_000, (1 << 40) - 7, (1 << 46) + 3];
/// One turn of the wheel.
const TURN_MS: u64 = 8_192 * SLOT_MS;

/// A time in which a node does nothing: its machine was paused, or had no processor for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    pub(crate) from: Moment,
    pub(crate) to: Moment,
}

/// One worker: its scratch, its wheel, and the moments at which the world will turn it.
pub(crate) struct Hand {
    pub(crate) worker: Worker,
    pub(crate) wheel: Wheel<Hint>,
    pub(crate) planned: BTreeSet<Moment>,
}

impl Hand {
    /// The moment of the node's clock at which the wheel is to be turned next, when no turn is planned there yet.
    pub(crate) fn plan(&mut self) -> Option<Moment> {
        let at = self.wheel.next_turn()?;
        self.planned.insert(at).then_some(at)
    }
}

/// One node.
pub(crate) struct Node {
    pub(crate) which: Which,
    pub(crate) engine: Engine,
    pub(crate) hands: Vec<Hand>,
    pub(crate) variant: Variant,
    pub(crate) bounds: Bounds,
    /// How far its own clock is ahead of the world's.
    ahead_ms: u64,
    pub(crate) stall: Option<Stall>,
}

impl Node {
    pub(crate) fn new(which: Which, variant: Variant, bounds: Bounds, hands: u64, seed: u64) -> Self {
        let plan = variant.plan(which);
        let locals = plan.sip.listen.iter().map(|listen| Local::new(listen.address, listen.advertised)).collect();
        let engine = Engine::new(plan, locals, Counters::noop(), bounds, EPOCH_S, seed ^ which as u64);
        let hand =
            |stream| Hand { worker: engine.worker(stream), wheel: Wheel::new(Moment(0)), planned: BTreeSet::new() };
        let hands = (0..hands).map(hand).collect();
        Self { which, engine, hands, variant, bounds, ahead_ms: 0, stall: None }
    }

    /// Sets its clock ahead of the world's; before anything happened.
    pub(crate) fn set_clock(&mut self, ahead_ms: u64) {
        self.ahead_ms = ahead_ms;
        for hand in &mut self.hands {
            hand.wheel = Wheel::new(Moment(ahead_ms));
        }
    }

    /// What its clock shows at a moment of the world.
    pub(crate) fn clock(&self, at: Moment) -> Moment {
        at.plus_ms(self.ahead_ms)
    }

    /// The moment of the world at which its clock shows `shown`.
    pub(crate) fn world_time(&self, shown: Moment) -> Moment {
        Moment(shown.0.saturating_sub(self.ahead_ms))
    }

    /// When it goes on, where it does nothing at `at`.
    pub(crate) fn wakes(&self, at: Moment) -> Option<Moment> {
        self.stall.filter(|stall| stall.from <= at && at < stall.to).map(|stall| stall.to)
    }

    /// How long it ever did nothing, milliseconds.
    pub(crate) fn stalled_ms(&self) -> u64 {
        self.stall.map_or(0, |stall| stall.to.since_ms(stall.from))
    }

    /// Swaps in the configuration with other values.
    pub(crate) fn reload(&mut self, variant: Variant) {
        self.engine.reload(variant.plan(self.which));
        self.variant = variant;
    }

    /// Hints that wait in its wheels.
    pub(crate) fn hints(&self) -> usize {
        self.hands.iter().map(|hand| hand.wheel.len()).sum()
    }

    /// Whether no row stands.
    pub(crate) fn is_idle(&self) -> bool {
        self.engine.calls() == 0 && self.engine.transactions() == 0
    }
}
