//! Everybody who is no node: who stands where, and the call of each caller.

use std::net::SocketAddr;

use emcc_policies::moment::Moment;
use emcc_trunk::agent::{Answerer, Behaviour, Caller, Codec, Script, Setup, Talk, Timers};
use emcc_trunk::engine::ids::Ids;

use crate::node::Which;

/// A host that is no node: a call control or a gateway. Callers stand at some of them beside its answerer.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) at: SocketAddr,
    /// Whose neighbour it is.
    pub(crate) node: Which,
    pub(crate) answerer: Answerer,
    /// When it last began to take what comes again, after it had taken nothing.
    pub(crate) heard_again: Option<Moment>,
    pub(crate) armed: Option<Moment>,
}

impl Place {
    /// Whether it took nothing at some moment since `from`.
    pub(crate) fn was_silent_since(&self, from: Moment) -> bool {
        self.answerer.script.behaviour == Behaviour::Silent || self.heard_again.is_some_and(|again| again > from)
    }
}

/// Places by their index in [`places`].
pub(crate) const CC_HQ: usize = 0;
pub(crate) const GW_HQ: usize = 1;
pub(crate) const CC_BR: usize = 2;
pub(crate) const GW_BR_1: usize = 3;
pub(crate) const GW_BR_2: usize = 4;

const HOSTS: [(&str, [u8; 4], Which); 5] = [
    ("cc-hq", [127, 0, 1, 10], Which::Hq),
    ("gw-hq", [127, 0, 1, 20], Which::Hq),
    ("cc-br", [127, 0, 2, 10], Which::Br),
    ("gw-br-1", [127, 0, 2, 20], Which::Br),
    ("gw-br-2", [127, 0, 2, 21], Which::Br),
];

/// What gateways and phones of the simulation speak.
pub(crate) const CODECS: &[Codec] = &[Codec::G722, Codec::PCMU, Codec::G729];

/// Everybody, each answering at once.
pub(crate) fn places(seed: u64) -> Vec<Place> {
    let place = |(number, (name, ip, node)): (u64, (&'static str, [u8; 4], Which))| {
        let at = SocketAddr::from((ip, 5060));
        let talk = Talk::new(SocketAddr::from((ip, 40_000)), CODECS);
        let ids = Ids::new(seed, 100 + number);
        let answerer = Answerer::new(name, at, Script::answering(0), talk, Timers::default(), 0, ids);
        Place { name, at, node, answerer, heard_again: None, armed: None }
    };
    (0..).zip(HOSTS).map(place).collect()
}

/// Who calls, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where the caller stands.
    pub(crate) place: usize,
    /// Its number.
    pub(crate) user: &'static str,
    /// The number it dials.
    pub(crate) dialled: &'static str,
    /// Whether call control names the visiting phone (P-13).
    pub(crate) is_marked: bool,
    /// Gateways that can take an emergency call of this caller: any of them must be enough. Empty for other calls.
    pub(crate) rescuers: &'static [usize],
    /// None of them promises to answer.
    pub(crate) is_hopeless: bool,
}

const fn part(place: usize, user: &'static str, dialled: &'static str) -> Part {
    Part { place, user, dialled, is_marked: false, rescuers: &[], is_hopeless: false }
}

const fn emergency(place: usize, user: &'static str, dialled: &'static str, rescuers: &'static [usize]) -> Part {
    Part { place, user, dialled, is_marked: false, rescuers, is_hopeless: false }
}

/// Alice's phone stands in London and belongs to HQ.
pub(crate) const ALICE: Part = Part { is_marked: true, ..part(CC_HQ, "5001", "9.0") };

/// Every part a caller may have.
pub(crate) const PARTS: &[Part] = &[
    Part { dialled: "9911", rescuers: &[GW_BR_1, GW_BR_2, GW_HQ], ..ALICE },
    Part { dialled: "9999", rescuers: &[GW_BR_1, GW_BR_2, GW_HQ], ..ALICE },
    emergency(CC_HQ, "5001", "911", &[GW_BR_1, GW_BR_2, GW_HQ]),
    emergency(CC_HQ, "5002", "9911", &[GW_HQ]),
    emergency(CC_BR, "7001", "999", &[GW_BR_1, GW_BR_2]),
    Part { dialled: "5002", ..ALICE },
    Part { dialled: "902079460000", ..ALICE },
    Part { dialled: "912025550123", ..ALICE },
    part(CC_HQ, "5001", "901614960000"),
    part(CC_HQ, "5001", "5002"),
    part(CC_HQ, "5002", "5001"),
    part(CC_HQ, "5002", "912025550188"),
    part(CC_HQ, "5002", "4"),
    part(GW_HQ, "2025550100", "5001"),
    part(GW_HQ, "2025550100", "5002"),
    part(CC_BR, "7001", "7002"),
    part(CC_BR, "7001", "0201"),
    part(GW_BR_1, "2079460000", "7001"),
];

impl Part {
    pub(crate) fn is_emergency(&self) -> bool {
        !self.rescuers.is_empty()
    }

    /// Whether the call must be answered when the network lets it through.
    pub(crate) fn is_promised(&self) -> bool {
        self.is_emergency() && !self.is_hopeless
    }

    /// The call as its caller begins it.
    pub(crate) fn setup(&self, places: &[Place]) -> Setup {
        let place = &places[self.place];
        let media = SocketAddr::new(place.at.ip(), 42_000);
        let setup = Setup::new(self.user, self.dialled, place.at, place.node.at(), Talk::new(media, CODECS));
        if self.is_marked { setup.on_device("SEP001122334455", "HQ") } else { setup }
    }
}

/// A caller and its call.
pub(crate) struct Placed {
    pub(crate) part: Part,
    pub(crate) caller: Caller,
    /// Its From tag, once it has begun.
    pub(crate) tag: String,
    /// It sent CANCEL.
    pub(crate) has_cancelled: bool,
    /// It gave up because who answered it took nothing any more.
    pub(crate) was_left: bool,
    pub(crate) armed: Option<Moment>,
}
