//! The world: what happens next, who hears of it, and what they do.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::rc::Rc;

use emcc_policies::moment::{Civil, Moment};
use emcc_trunk::agent::{Behaviour, Caller, Event, Input as AgentInput, Outcome, Outputs, Script, Setup, summary};
use emcc_trunk::engine::Bounds;
use emcc_trunk::engine::effects::{Effects, Input, Now, TransactionKey};
use emcc_trunk::engine::ids::Ids;
use emcc_trunk::neighbour::{Flow, Transport};
use emcc_trunk::transaction::LIFETIME_MS;

use crate::cast::{Part, Place, Placed, places};
use crate::laws::Laws;
use crate::network::{Fate, Weather};
use crate::node::{EPOCH_S, Node, Variant, Which};
use crate::{noise, read};

/// Lines of the trace that a failure shows.
const TRACE_LINES: usize = 40;
/// Steps of one world; more is a loop.
const STEPS_MAX: u64 = 2_000_000;

/// Somebody who wants to be asked when something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agent {
    Caller(usize),
    Answerer(usize),
}

/// What somebody does within a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    HangUp,
    Cancel,
    Reinvite { has_offer: bool },
    Update { has_offer: bool },
    Info,
}

/// What the play has planned.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Start(usize),
    ByCaller(usize, Deed),
    ByCallee(usize, Deed),
    Script(usize, Script),
    Reload(Which, Variant),
    Drain(Which),
    Noise(Which),
}

/// Something that happens.
enum Happening {
    Arrives {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Rc<[u8]>,
    },
    /// A worker's wheel, at the moment of its clock that was planned.
    Turn(Which, usize, Moment),
    Due(Agent),
    Fails(Which, TransactionKey),
    Bounces {
        which: Which,
        to: SocketAddr,
        bytes: Rc<[u8]>,
    },
    Act(Act),
}

impl Happening {
    /// The node that does it.
    fn node(&self) -> Option<Which> {
        match self {
            Self::Arrives { to, .. } => Which::of(*to),
            Self::Turn(which, ..) | Self::Fails(which, _) | Self::Bounces { which, .. } => Some(*which),
            Self::Due(_) | Self::Act(_) => None,
        }
    }
}

/// What a directed play does with a datagram before the weather does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fares {
    AsTheWeatherHasIt,
    Lost,
}

/// A datagram on its way, as a directed play sees it.
pub(crate) struct Passing<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) bytes: &'a [u8],
}

/// Looks at datagrams as they leave.
pub(crate) type Watch = Box<dyn FnMut(&Passing<'_>) -> Fares>;

/// A datagram somebody sent.
pub(crate) struct Sent {
    pub(crate) at: Moment,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Rc<[u8]>,
}

/// One line of the trace; formatted only when somebody looks.
struct Line {
    at: Moment,
    step: u64,
    what: What,
}

enum What {
    Datagram { verb: &'static str, from: SocketAddr, to: SocketAddr, bytes: Rc<[u8]> },
    Text(String),
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) now: Moment,
    pub(crate) nodes: [Node; 2],
    pub(crate) places: Vec<Place>,
    pub(crate) callers: Vec<Placed>,
    pub(crate) weather: Weather,
    pub(crate) laws: Laws,
    pub(crate) dice: Ids,
    /// Looks at every datagram before the weather does.
    pub(crate) watch: Option<Watch>,
    /// Every datagram sent, where a directed play asked for it.
    pub(crate) sent: Option<Vec<Sent>>,
    /// Alarms of the nodes, where a directed play asked for sends.
    pub(crate) alarms: Vec<(Moment, Which, &'static str)>,
    /// Whether the phones' own events may break a law (false where forged messages are about).
    pub(crate) is_honest: bool,
    queue: BTreeMap<(Moment, u64), Happening>,
    serial: u64,
    step: u64,
    trace: VecDeque<Line>,
    /// What nodes took lately, for those who forge.
    pub(crate) tap: VecDeque<Rc<[u8]>>,
    digest: DefaultHasher,
    out: Outputs,
}

impl World {
    /// Both nodes with so many workers each, everybody answering at once.
    pub(crate) fn new(seed: u64, weather: Weather, variants: [Variant; 2], bounds: Bounds, hands: u64) -> Self {
        let [hq, br] = variants;
        let nodes = [Node::new(Which::Hq, hq, bounds, hands, seed), Node::new(Which::Br, br, bounds, hands, seed)];
        Self {
            seed,
            now: Moment(0),
            nodes,
            places: places(seed),
            callers: Vec::new(),
            weather,
            laws: Laws::default(),
            dice: Ids::new(seed, 9),
            watch: None,
            sent: None,
            alarms: Vec::new(),
            is_honest: true,
            queue: BTreeMap::new(),
            serial: 0,
            step: 0,
            trace: VecDeque::new(),
            tap: VecDeque::new(),
            digest: DefaultHasher::new(),
            out: Outputs::default(),
        }
    }

    /// A world of fine weather and the pair as it is, that keeps every datagram.
    pub(crate) fn directed(seed: u64) -> Self {
        let variants = [Variant::default(), Variant::default()];
        let mut world = Self::new(seed, Weather::fine(), variants, Bounds::default(), 2);
        world.sent = Some(Vec::new());
        world
    }

    /// Whether network and nodes do their work throughout: what may be promised then is more.
    pub(crate) fn is_passable(&self) -> bool {
        self.weather.is_passable() && self.nodes.iter().all(|node| node.stall.is_none())
    }

    /// Whether an emergency call with that outcome got what it was promised.
    pub(crate) fn is_kept(&self, number: usize, outcome: Outcome) -> bool {
        outcome == Outcome::Answered || (outcome == Outcome::Unacknowledged && self.callers[number].was_left)
    }

    /// Whether who answered that caller took nothing while its answer to their re-INVITE was repeated: who then sends no
    /// ACK is the callee, and neither network nor node has a part in it.
    fn is_left(&self, number: usize) -> bool {
        let call_id = self.callers[number].caller.call().call_id();
        let answered = |place: &&Place| place.answerer.calls().any(|call| call.call_id() == call_id);
        let from = Moment(self.now.0.saturating_sub(LIFETIME_MS));
        self.places.iter().filter(answered).any(|place| place.was_silent_since(from))
    }

    /// A number below `end`, by the seed.
    pub(crate) fn roll(&mut self, end: u64) -> u64 {
        self.dice.next_u64() % end.max(1)
    }

    /// Adds a caller that begins at `at`.
    pub(crate) fn call(&mut self, at: Moment, part: Part, change: impl FnOnce(Setup) -> Setup) -> usize {
        let number = self.callers.len();
        let setup = change(part.setup(&self.places));
        let caller = Caller::new(setup, Ids::new(self.seed, 1_000 + number as u64));
        self.callers.push(Placed {
            part,
            caller,
            tag: String::new(),
            has_cancelled: false,
            was_left: false,
            armed: None,
        });
        self.plan(at, Act::Start(number));
        number
    }

    pub(crate) fn plan(&mut self, at: Moment, act: Act) {
        self.put(at, Happening::Act(act));
    }

    fn put(&mut self, at: Moment, happening: Happening) {
        self.serial += 1;
        self.queue.insert((at.max(self.now), self.serial), happening);
    }

    /// Plays until `until` or until nothing will happen any more; `false` in that case.
    pub(crate) fn run_until(&mut self, until: Moment) -> bool {
        while let Some(((at, _), _)) = self.queue.first_key_value() {
            if *at > until {
                self.now = until;
                return true;
            }
            self.next();
        }
        false
    }

    pub(crate) fn next(&mut self) {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return };
        self.now = self.now.max(at);
        self.step += 1;
        assert!(self.step < STEPS_MAX, "no end");
        if let Some(wakes) = happening.node().and_then(|which| self.nodes[which as usize].wakes(self.now)) {
            return self.put(wakes, happening);
        }
        match happening {
            Happening::Arrives { from, to, bytes } => self.arrives(from, to, &bytes),
            Happening::Turn(which, hand, planned) => self.turn(which, hand, Some(planned)),
            Happening::Due(agent) => self.due(agent),
            Happening::Fails(which, key) => {
                self.note(|| format!("{which:?} is told that a send failed"));
                self.node(which, None, Input::Failed(key));
            }
            Happening::Bounces { which, to, bytes } => self.bounces(which, to, &bytes),
            Happening::Act(act) => self.act(act),
        }
    }

    fn arrives(&mut self, from: SocketAddr, to: SocketAddr, bytes: &Rc<[u8]>) {
        self.line(What::Datagram { verb: "takes", from, to, bytes: Rc::clone(bytes) });
        if let Some(which) = Which::of(to) {
            self.tap.push_back(Rc::clone(bytes));
            if self.tap.len() > 16 {
                self.tap.pop_front();
            }
            self.laws.arrives(which, self.now, from, bytes);
            let flow = Flow { transport: Transport::Udp, listener: 0, remote: from, connection: 0 };
            return self.node(which, None, Input::Message { flow, bytes });
        }
        let Some(place) = self.places.iter().position(|place| place.at == to) else { return };
        // A request names its taker in To, a response in From.
        let tag = if read::status(bytes).is_some() { read::tag(bytes, "From") } else { read::tag(bytes, "To") };
        let is_its = |placed: &Placed| placed.part.place == place && tag == Some(placed.tag.as_str());
        let agent = self.callers.iter().position(is_its).map_or(Agent::Answerer(place), Agent::Caller);
        self.agent(agent, |now, actor, out| {
            let input = AgentInput::Datagram { from, bytes };
            match actor {
                Actor::Caller(caller) => caller.handle(now, input, out),
                Actor::Place(place) => place.answerer.handle(now, input, out),
            }
        });
    }

    fn due(&mut self, agent: Agent) {
        self.agent(agent, |now, actor, out| match actor {
            Actor::Caller(caller) => caller.handle(now, AgentInput::Due, out),
            Actor::Place(place) => {
                place.armed = None;
                place.answerer.handle(now, AgentInput::Due, out);
            }
        });
    }

    /// Lets an agent do something, and takes what it caused.
    fn agent(&mut self, agent: Agent, work: impl FnOnce(Moment, Actor<'_>, &mut Outputs)) {
        let mut out = std::mem::take(&mut self.out);
        let from = match agent {
            Agent::Caller(number) => {
                let placed = &mut self.callers[number];
                if placed.armed.is_some_and(|armed| armed <= self.now) {
                    placed.armed = None;
                }
                work(self.now, Actor::Caller(&mut placed.caller), &mut out);
                self.places[placed.part.place].at
            }
            Agent::Answerer(number) => {
                let place = &mut self.places[number];
                work(self.now, Actor::Place(place), &mut out);
                place.at
            }
        };
        for datagram in out.sends.drain(..) {
            if let Agent::Caller(number) = agent {
                let placed = &mut self.callers[number];
                if placed.tag.is_empty() {
                    placed.tag = read::tag(&datagram.bytes, "From").unwrap_or_default().to_owned();
                }
                placed.has_cancelled |= datagram.bytes.starts_with(b"CANCEL ");
            }
            self.send(from, datagram.to, datagram.bytes.into(), None);
        }
        for (_, event) in out.events.drain(..) {
            if let Agent::Caller(number) = agent {
                self.judge(number, &event);
            }
        }
        self.out = out;
        self.arm(agent);
    }

    /// Plans the next moment an agent wants to be asked.
    fn arm(&mut self, agent: Agent) {
        let (armed, next) = match agent {
            Agent::Caller(number) => {
                let placed = &mut self.callers[number];
                (&mut placed.armed, placed.caller.next_due())
            }
            Agent::Answerer(number) => {
                let place = &mut self.places[number];
                (&mut place.armed, place.answerer.next_due())
            }
        };
        let Some(next) = next.filter(|next| armed.is_none_or(|armed| *next < armed)) else { return };
        *armed = Some(next);
        self.put(next, Happening::Due(agent));
    }

    /// P-8, P-23: an emergency call that somebody can take comes to nothing only by its caller's own CANCEL.
    fn judge(&mut self, number: usize, event: &Event) {
        let placed = &self.callers[number];
        self.line(What::Text(format!("caller {number} ({} to {}): {event:?}", placed.part.user, placed.part.dialled)));
        let Event::Failed(outcome) = event else { return };
        if *outcome == Outcome::Unacknowledged {
            self.callers[number].was_left = self.is_left(number);
        }
        let placed = &self.callers[number];
        let is_promised = self.is_honest && self.is_passable() && !self.laws.was_full;
        if placed.part.is_promised() && !placed.has_cancelled && is_promised {
            let is_kept = self.is_kept(number, *outcome);
            assert!(is_kept, "caller {number}: an emergency call came to nothing (P-8, P-23): {outcome:?}");
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Rc<[u8]>, told: Option<(Which, TransactionKey)>) {
        (self.now.0, from, to, &*bytes).hash(&mut self.digest);
        if let Some(sent) = &mut self.sent {
            sent.push(Sent { at: self.now, from, to, bytes: Rc::clone(&bytes) });
        }
        let passing = Passing { from, bytes: &bytes };
        let fate = match self.watch.as_mut().map_or(Fares::AsTheWeatherHasIt, |watch| watch(&passing)) {
            Fares::AsTheWeatherHasIt => self.weather.fate(self.now, from, to, &mut self.dice),
            Fares::Lost => Fate::Lost,
        };
        match fate {
            Fate::Arrives(ways) => {
                for ms in ways {
                    self.put(self.now.plus_ms(ms), Happening::Arrives { from, to, bytes: Rc::clone(&bytes) });
                }
            }
            Fate::Lost => self.line(What::Datagram { verb: "lost", from, to, bytes }),
            Fate::Refused => {
                self.line(What::Datagram { verb: "refused", from, to, bytes: Rc::clone(&bytes) });
                if let Some(which) = Which::of(from) {
                    self.laws.given_back(which, &bytes);
                }
                match (told, Which::of(from)) {
                    (Some((which, key)), _) if self.roll(2) == 0 => self.put(self.now, Happening::Fails(which, key)),
                    (_, Some(which)) => self.put(self.now.plus_ms(1), Happening::Bounces { which, to, bytes }),
                    _ => {}
                }
            }
        }
    }

    /// What a node's clocks show.
    fn moment(&self, which: Which) -> Now {
        let civil = Civil((EPOCH_S + self.now.0 / 1_000) as i64);
        Now { moment: self.nodes[which as usize].clock(self.now), civil }
    }

    /// One input of a node, taken by any of its workers: whichever the seed says.
    fn node(&mut self, which: Which, hand: Option<usize>, input: Input<'_>) {
        let hands = self.nodes[which as usize].hands.len() as u64;
        let hand = hand.unwrap_or_else(|| self.roll(hands) as usize);
        let now = self.moment(which);
        let node = &mut self.nodes[which as usize];
        node.engine.handle(&mut node.hands[hand].worker, now, input);
        self.collect(which, hand);
    }

    fn bounces(&mut self, which: Which, to: SocketAddr, bytes: &[u8]) {
        let hand = self.roll(self.nodes[which as usize].hands.len() as u64) as usize;
        let now = self.moment(which);
        let node = &mut self.nodes[which as usize];
        node.engine.bounced(&mut node.hands[hand].worker, now, to, bytes);
        self.collect(which, hand);
    }

    fn turn(&mut self, which: Which, hand: usize, planned: Option<Moment>) {
        let mut due = Vec::new();
        let now = self.moment(which).moment;
        let owner = &mut self.nodes[which as usize].hands[hand];
        if let Some(planned) = planned {
            owner.planned.remove(&planned);
        }
        owner.wheel.turn(now, |hint| due.push(hint));
        for hint in due {
            self.node(which, Some(hand), Input::Due(hint));
        }
        self.plan_turn(which, hand);
    }

    /// Plans the next turn of a worker's wheel.
    fn plan_turn(&mut self, which: Which, hand: usize) {
        let node = &mut self.nodes[which as usize];
        if let Some(planned) = node.hands[hand].plan() {
            let at = node.world_time(planned);
            self.put(at, Happening::Turn(which, hand, planned));
        }
    }

    /// Turns every wheel, as a worker does as long as anything waits in its own.
    pub(crate) fn turn_wheels(&mut self) {
        for which in Which::BOTH {
            for hand in 0..self.nodes[which as usize].hands.len() {
                self.turn(which, hand, None);
            }
        }
    }

    /// Takes what a worker's input caused, and asks the laws.
    fn collect(&mut self, which: Which, hand: usize) {
        let index = which as usize;
        let mut effects: Effects = std::mem::take(&mut self.nodes[index].hands[hand].worker.effects);
        for (deadline, hint) in effects.hints.drain(..) {
            self.nodes[index].hands[hand].wheel.push(deadline, hint);
        }
        self.plan_turn(which, hand);
        for note in effects.notes.drain(..) {
            if let emcc_trunk::engine::effects::Note::Alarm { what, .. } = &note {
                self.alarms.push((self.now, which, what));
                self.line(What::Text(format!("{which:?} says: {what}")));
            }
            self.laws.noted(&self.nodes[index], self.now, &note);
        }
        for send in effects.sends.drain(..) {
            let bytes: Rc<[u8]> = effects.arena[send.bytes].into();
            self.line(What::Datagram {
                verb: "sends",
                from: which.at(),
                to: send.flow.remote,
                bytes: Rc::clone(&bytes),
            });
            self.laws.leaves(&self.nodes[index], self.now, send.flow.remote, &bytes);
            self.send(which.at(), send.flow.remote, bytes, send.transaction.map(|key| (which, key)));
        }
        effects.clear();
        self.nodes[index].hands[hand].worker.effects = effects;
        self.laws.stepped(&self.nodes[index], self.now);
    }

    fn act(&mut self, act: Act) {
        if !matches!(act, Act::Noise(_)) {
            self.line(What::Text(format!("{act:?}")));
        }
        match act {
            Act::Start(number) => {
                if self.callers[number].part.is_emergency() {
                    self.laws.emergency_placed();
                }
                self.agent(Agent::Caller(number), |now, actor, out| {
                    if let Actor::Caller(caller) = actor {
                        caller.start(now, out);
                    }
                });
            }
            Act::ByCaller(number, deed) => self.agent(Agent::Caller(number), |now, actor, out| {
                if let Actor::Caller(caller) = actor {
                    deed.done(caller.call_mut(), now, out);
                }
            }),
            Act::ByCallee(number, deed) => {
                let call_id = self.callers[number].caller.call().call_id().to_vec();
                for place in 0..self.places.len() {
                    self.agent(Agent::Answerer(place), |now, actor, out| {
                        if let Actor::Place(place) = actor {
                            place.answerer.with_calls(&call_id, |call| deed.done(call, now, out));
                        }
                    });
                }
            }
            Act::Script(place, script) => {
                let place = &mut self.places[place];
                if place.answerer.script.behaviour == Behaviour::Silent {
                    place.heard_again = Some(self.now);
                }
                place.answerer.script = script;
            }
            Act::Reload(which, variant) => self.nodes[which as usize].reload(variant),
            Act::Drain(which) => self.nodes[which as usize].engine.drain(),
            Act::Noise(which) => {
                let (from, bytes) = noise::forge(self, which);
                self.laws.forged(&bytes);
                self.is_honest = false;
                self.line(What::Datagram { verb: "forged", from, to: which.at(), bytes: Rc::clone(&bytes) });
                let is_stranger = self.nodes[which as usize].engine.plan().neighbour(Transport::Udp, from).is_none();
                let before = self.serial;
                let flow = Flow { transport: Transport::Udp, listener: 0, remote: from, connection: 0 };
                self.node(which, None, Input::Message { flow, bytes: &bytes });
                assert!(!is_stranger || self.serial == before, "{which:?} did something for a stranger");
            }
        }
    }

    /// Everybody hangs up, and the world goes on until every bound has passed.
    pub(crate) fn finish(&mut self) {
        for number in 0..self.callers.len() {
            self.plan(self.now, Act::ByCaller(number, Deed::HangUp));
            self.plan(self.now, Act::ByCallee(number, Deed::HangUp));
        }
        self.run_until(self.now.plus_ms(10 * 60_000));
        if self.nodes.iter().any(|node| node.engine.calls() > 0) {
            // What stands on at a node whose neighbours are gone waits for its bound; a day of keepalives is made short.
            for which in Which::BOTH {
                let variant = self.nodes[which as usize].variant.clone();
                self.act(Act::Reload(which, Variant { keepalive_s: 600, ..variant }));
            }
        }
        self.run_until(self.now.plus_ms(30 * 3_600_000));
        self.turn_wheels();
        for node in &self.nodes {
            self.laws.ended(node);
        }
    }

    /// A hash of everything anybody sent, and when.
    pub(crate) fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// Steps taken.
    pub(crate) fn steps(&self) -> u64 {
        self.step
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        self.line(What::Text(text()));
    }

    fn line(&mut self, what: What) {
        if self.trace.len() == TRACE_LINES {
            self.trace.pop_front();
        }
        self.trace.push_back(Line { at: self.now, step: self.step, what });
    }

    /// The last lines of the trace.
    pub(crate) fn told(&self) -> String {
        let name = |at: SocketAddr| match Which::of(at) {
            Some(which) => format!("{which:?}"),
            None => {
                self.places.iter().find(|place| place.at == at).map_or(at.to_string(), |place| place.name.to_owned())
            }
        };
        let mut text = format!("seed {}, step {}, {} ms\n", self.seed, self.step, self.now.0);
        for line in &self.trace {
            let what = match &line.what {
                What::Text(text) => text.clone(),
                What::Datagram { verb, from, to, bytes } => {
                    let cseq = read::header(bytes, "CSeq").unwrap_or("-");
                    let branch = read::branch(bytes).unwrap_or("-");
                    let branch = branch.get(branch.len().saturating_sub(4)..).unwrap_or(branch);
                    format!("{verb:8} {:8} > {:8} {} ({cseq}, ..{branch})", name(*from), name(*to), summary(bytes))
                }
            };
            text.push_str(&format!("{:>6} {:>9} {what}\n", line.step, line.at.0));
        }
        text
    }
}

/// Whom an agent's work is done with.
enum Actor<'a> {
    Caller(&'a mut Caller),
    Place(&'a mut Place),
}

impl Deed {
    fn done(self, call: &mut emcc_trunk::agent::Call, now: Moment, out: &mut Outputs) {
        match self {
            Self::HangUp => call.hang_up(now, out),
            Self::Cancel => call.cancel(now, out),
            Self::Reinvite { has_offer } => call.reinvite(now, has_offer, out),
            Self::Update { has_offer } => call.update(now, has_offer, out),
            Self::Info => call.info(now, "application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", out),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.told());
        }
    }
}
