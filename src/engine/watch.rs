//! The addresses whose health is watched. A watch goes from one configuration to the next with its address, so that a
//! reload forgets nothing; the lock of one is never held together with a table or with another watch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ahash::RandomState;
use emcc_policies::moment::Moment;

use crate::config::plan::Plan;
use crate::limits::WATCHED_MAX;
use crate::neighbour::Address;
use crate::neighbour::health::{Health, Standing};

/// One address of a neighbour.
#[derive(Debug)]
pub struct Watch {
    /// Name of the peer or id of the remote cluster.
    neighbour: Box<str>,
    address: Address,
    health: Mutex<Health>,
}

/// Every watched address of a configuration.
#[derive(Debug)]
pub struct Watches {
    /// In the order of the configuration, peers first.
    all: Box<[Arc<Watch>]>,
    by_address: HashMap<Address, Arc<Watch>, RandomState>,
}

/// One address as people and metrics see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Name of the peer or id of the remote cluster.
    pub neighbour: Box<str>,
    /// Which of its addresses.
    pub address: Address,
    /// Where it stands.
    pub standing: Standing,
    /// What is left of the rest a 503 asked for.
    pub rest: Option<Duration>,
}

impl Watch {
    /// Name of the peer or id of the remote cluster.
    #[must_use]
    pub fn neighbour(&self) -> &str {
        &self.neighbour
    }

    /// Which of its addresses.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Runs `work` on what is known of its health.
    pub fn with<R>(&self, work: impl FnOnce(&mut Health) -> R) -> R {
        work(&mut self.lock())
    }

    /// A worker that panicked left a health that is whole: its steps are a few assignments.
    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watches {
    /// Watches every address of the plan, peers, trunks and RSVP trunks; those that `before` watched for the same
    /// neighbour go on as they stand.
    #[must_use]
    pub fn new(plan: &Plan, before: Option<&Self>) -> Self {
        let peers = plan.peers.iter().flat_map(|peer| peer.addresses.iter().map(|address| (&peer.name, *address)));
        let remotes = plan
            .remote_clusters
            .iter()
            .flat_map(|remote| remote.addresses.iter().chain(&remote.rsvp_trunk).map(|address| (&remote.id, *address)));
        let mut by_address = HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4));
        let mut all = Vec::new();
        for (neighbour, address) in peers.chain(remotes) {
            if all.len() >= WATCHED_MAX || by_address.contains_key(&address) {
                continue;
            }
            let known = before.and_then(|before| before.at(address)).filter(|watch| watch.neighbour == *neighbour);
            let watch = known
                .cloned()
                .unwrap_or_else(|| Arc::new(Watch { neighbour: neighbour.clone(), address, health: Mutex::default() }));
            all.push(watch.clone());
            by_address.insert(address, watch);
        }
        Self { all: all.into(), by_address }
    }

    /// The watch on an address; none where it is no neighbour's or beyond the bound.
    #[must_use]
    pub fn at(&self, address: Address) -> Option<&Arc<Watch>> {
        self.by_address.get(&address)
    }

    /// Whether calls go elsewhere first.
    #[must_use]
    pub fn is_out(&self, address: Address, now: Moment) -> bool {
        self.at(address).is_some_and(|watch| watch.lock().is_out(now))
    }

    /// Since when the address is down; `None` while it is not, or is not watched.
    #[must_use]
    pub fn down_since(&self, address: Address) -> Option<Moment> {
        self.at(address)?.lock().down_since()
    }

    /// When the address went down last, whether it is up again or not; `None` where it never was, or is not watched.
    #[must_use]
    pub fn went_down(&self, address: Address) -> Option<Moment> {
        self.at(address)?.lock().went_down()
    }

    /// Whether emergency calls go elsewhere first: not where somebody only asked to be left alone.
    #[must_use]
    pub fn is_down(&self, address: Address) -> bool {
        self.at(address).is_some_and(|watch| watch.lock().is_down())
    }

    /// Whether nothing is known against it.
    #[must_use]
    pub fn is_well(&self, address: Address, now: Moment) -> bool {
        self.at(address).is_none_or(|watch| watch.lock().is_well(now))
    }

    /// Every watch.
    pub fn iter(&self) -> impl Iterator<Item = &Watch> {
        self.all.iter().map(AsRef::as_ref)
    }

    /// Every watched address as it stands.
    #[must_use]
    pub fn seen(&self, now: Moment) -> Vec<Seen> {
        let seen = |watch: &Watch| {
            let health = watch.lock();
            Seen {
                neighbour: watch.neighbour.clone(),
                address: watch.address,
                standing: health.standing(),
                rest: health.rest(now),
            }
        };
        self.iter().map(seen).collect()
    }
}

impl Seen {
    /// Every word of [`Self::state`].
    pub const STATES: [&'static str; 4] = ["up", "probing", "down", "resting"];

    /// The word of the admin API and of the metrics.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.rest, self.standing) {
            (Some(_), _) => "resting",
            (None, Standing::Up) => "up",
            (None, Standing::Probing { .. }) => "probing",
            (None, Standing::Down) => "down",
        }
    }
}
