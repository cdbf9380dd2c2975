//! The home node of the example pair without sockets, and one call through it: octets go in, octets and deadlines come
//! out. The benches, the allocation test and the fuzz targets drive the same node.
// Each of the three compiles this file for itself and asks a part of it only.
#![allow(dead_code)]

pub(crate) mod wire;

use std::path::Path;

use emcc_policies::moment::{Civil, Moment};
use emcc_trunk::config::{self, Plan};
use emcc_trunk::engine::effects::{Hint, Input, Now};
use emcc_trunk::engine::running::Local;
use emcc_trunk::engine::{Bounds, Engine, Worker};
use emcc_trunk::metrics::Counters;
use emcc_trunk::neighbour::{Flow, Transport};
use emcc_trunk::timer::Wheel;

use wire::{Slots, Template};

/// Call control of the home cluster.
pub(crate) const CALL_CONTROL: ([u8; 4], u16) = ([127, 0, 1, 10], 5060);
/// Gateway of the home cluster.
pub(crate) const GATEWAY: ([u8; 4], u16) = ([127, 0, 1, 20], 5060);
/// Trunk of the visited cluster.
pub(crate) const TRUNK: ([u8; 4], u16) = ([127, 0, 2, 1], 5060);

/// Milliseconds of the node's time that pass from one call to the next: a thousand calls a second.
const BETWEEN_CALLS_MS: u64 = 1;

/// The configuration of the home node, as the repository ships it; but no location is told, as in most calls none is known.
pub(crate) fn plan() -> Plan {
    plan_with(&[("[[remote_cluster]]\n", "[[remote_cluster]]\nsend_geolocation = false\n")])
}

/// The configuration as shipped, with parts of its text replaced.
pub(crate) fn plan_with(changes: &[(&str, &str)]) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAIR);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let text = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{} has no {from:?}", path.display());
        text.replace(from, to)
    });
    config::load_text("hq", &text).unwrap_or_else(|problems| panic!("{problems:?}")).plan
}

/// From the manifest of the crate that compiles this file; the fuzz crate stands one folder further down.
const PAIR: &str = if matches!(env!("CARGO_PKG_NAME").as_bytes(), b"emcc-fuzz") {
    "../examples/pair/hq.toml"
} else {
    "examples/pair/hq.toml"
};

/// The engine of a node on that plan.
pub(crate) fn engine(plan: Plan, bounds: Bounds) -> Engine {
    let locals = plan.sip.listen.iter().map(|listen| Local::new(listen.address, listen.advertised)).collect();
    Engine::new(plan, locals, Counters::noop(), bounds, 1_700_000_000, 42)
}

/// A datagram's way from a neighbour.
pub(crate) fn from(end: ([u8; 4], u16)) -> Flow {
    Flow { transport: Transport::Udp, listener: 0, remote: end.into(), connection: 0 }
}

/// A moment of the node's time, `ms` after its start.
pub(crate) fn at(ms: u64) -> Now {
    Now { moment: Moment(ms), civil: Civil(1_700_000_000 + (ms / 1_000) as i64) }
}

/// A node and the traffic of its calls: the phone of an EMCC session calls a number at the place it visits, so that an
/// INVITE passes digit analysis, region and admission and leaves over the trunk.
pub(crate) struct Pair {
    /// The node.
    pub(crate) engine: Engine,
    worker: Worker,
    wheel: Wheel<Hint>,
    due: Vec<Hint>,
    now_ms: u64,
    slots: Slots,
    messages: [Template; 6],
    /// Octets that left so far.
    pub(crate) octets_out: u64,
    /// Messages that left so far.
    pub(crate) messages_out: u64,
}

/// One message of a call, in the order they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// INVITE of the call control; 100 and an INVITE leave.
    Invite,
    /// 180 of the trunk.
    Ringing,
    /// 200 of the trunk, with an answer.
    Answer,
    /// ACK of the call control.
    Ack,
    /// BYE of the call control.
    Bye,
    /// 200 to the BYE.
    ByeAnswer,
}

impl Step {
    /// Every step of a call.
    pub(crate) const ALL: [Self; 6] =
        [Self::Invite, Self::Ringing, Self::Answer, Self::Ack, Self::Bye, Self::ByeAnswer];

    fn from(self) -> Flow {
        match self {
            Self::Invite | Self::Ack | Self::Bye => from(CALL_CONTROL),
            Self::Ringing | Self::Answer | Self::ByeAnswer => from(TRUNK),
        }
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// A node that has seen nothing.
    pub(crate) fn new() -> Self {
        Self::on(plan())
    }

    /// The same on another configuration.
    pub(crate) fn on(plan: Plan) -> Self {
        let engine = engine(plan, Bounds::default());
        let worker = engine.worker(0);
        Self {
            engine,
            worker,
            wheel: Wheel::new(Moment(0)),
            due: Vec::new(),
            now_ms: 0,
            slots: Slots::default(),
            messages: wire::call(),
            octets_out: 0,
            messages_out: 0,
        }
    }

    /// Puts the marks of the next call, or of the next message of this one, into a message.
    pub(crate) fn write(&mut self, step: Step) {
        if step == Step::Invite {
            self.slots.next_call();
        }
        self.messages[step as usize].fill(&self.slots);
    }

    /// Hands a written message to the node; [`Self::settle`] takes what it causes.
    pub(crate) fn feed(&mut self, step: Step) {
        let input = Input::Message { flow: step.from(), bytes: self.messages[step as usize].octets() };
        self.engine.handle(&mut self.worker, at(self.now_ms), input);
    }

    /// Hands a written message to the node and takes what it causes. Gives back how many messages left.
    pub(crate) fn handle(&mut self, step: Step) -> usize {
        self.feed(step);
        self.settle(step)
    }

    /// Takes what the message of a step caused. Gives back how many messages left.
    pub(crate) fn settle(&mut self, step: Step) -> usize {
        // Answers of the far side must carry the branch the node chose.
        if matches!(step, Step::Invite | Step::Bye)
            && let Some(last) = self.worker.effects.sends.last()
        {
            assert_eq!(last.flow.remote, TRUNK.into(), "{step:?} goes on to the trunk");
            self.slots.take_branch(&self.worker.effects.arena[last.bytes.clone()]);
        }
        self.take()
    }

    /// Lets time pass until the next call and works on what came due.
    pub(crate) fn pass_time(&mut self) {
        self.now_ms += BETWEEN_CALLS_MS;
        let now = at(self.now_ms);
        self.wheel.turn(now.moment, |hint| self.due.push(hint));
        for hint in self.due.drain(..) {
            self.engine.handle(&mut self.worker, now, Input::Due(hint));
        }
        self.take();
    }

    /// One whole call.
    pub(crate) fn call(&mut self) {
        for step in Step::ALL {
            self.write(step);
            let sent = self.handle(step);
            assert_eq!(sent, if step == Step::Invite { 2 } else { 1 }, "{step:?} in, {sent} messages out");
        }
        self.pass_time();
    }

    /// The message of a step as it was last written.
    pub(crate) fn message(&self, step: Step) -> &[u8] {
        self.messages[step as usize].octets()
    }

    /// What a rim does with effects, sockets left out.
    fn take(&mut self) -> usize {
        let effects = &mut self.worker.effects;
        for (deadline, hint) in effects.hints.drain(..) {
            self.wheel.push(deadline, hint);
        }
        let sent = effects.sends.len();
        self.messages_out += sent as u64;
        self.octets_out += effects.sends.iter().map(|send| send.bytes.len() as u64).sum::<u64>();
        effects.clear();
        sent
    }
}
