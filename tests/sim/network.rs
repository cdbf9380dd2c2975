//! A bad network, as bad as its seed says.

use std::net::{IpAddr, SocketAddr};

use emcc_policies::moment::Moment;
use emcc_trunk::engine::ids::Ids;

/// Two hosts that cannot reach each other for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) between: [IpAddr; 2],
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    /// The network says so: sends fail or come back.
    pub(crate) is_told: bool,
}

/// What the network does to datagrams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// Of a hundred, lost.
    pub(crate) lost: u64,
    /// Of a hundred, arriving twice.
    pub(crate) doubled: u64,
    /// Longest way in ms; every datagram takes its own, so they overtake each other.
    pub(crate) way_ms: u64,
    pub(crate) cuts: Vec<Cut>,
}

/// What becomes of one datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives after so many ms, perhaps more than once.
    Arrives(Vec<u64>),
    /// It is gone.
    Lost,
    /// It is gone, and the sender is told.
    Refused,
}

impl Weather {
    /// Every datagram arrives once, within a few ms.
    pub(crate) fn fine() -> Self {
        Self { way_ms: 3, ..Self::default() }
    }

    pub(crate) fn fate(&self, now: Moment, from: SocketAddr, to: SocketAddr, dice: &mut Ids) -> Fate {
        let pair = [from.ip(), to.ip()];
        let is_cut = |cut: &&Cut| {
            let is_pair = cut.between == pair || cut.between == [pair[1], pair[0]];
            is_pair && cut.from <= now && now < cut.to
        };
        if let Some(cut) = self.cuts.iter().find(is_cut) {
            return if cut.is_told { Fate::Refused } else { Fate::Lost };
        }
        let roll = dice.next_u64() % 100;
        if roll < self.lost {
            return Fate::Lost;
        }
        let copies = if roll < self.lost + self.doubled { 2 } else { 1 };
        Fate::Arrives((0..copies).map(|_| 1 + dice.next_u64() % self.way_ms.max(1)).collect())
    }

    /// Whether nothing is ever parted and little is lost: what may be promised then is more.
    pub(crate) fn is_passable(&self) -> bool {
        self.cuts.is_empty() && self.lost <= 10 && self.way_ms <= 300
    }
}
