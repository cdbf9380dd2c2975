//! Two configurations side by side: what has one name has one number, and rows that say the same are known.

use std::collections::{HashMap, HashSet};

use emcc_policies::moment::Civil;
use emcc_policies::route::{Distribution, PeerId, RouteListId};
use emcc_policies::search_space::{CssId, PartitionId, PatternId, Row, Target, TranslateCss};
use emcc_policies::trail::Names;

use super::Asked;
use super::leave::{Called, Exits, called, exits, untransformed};
use crate::config::plan::Plan;

/// Turns of circular groups that are looked at: a group of more peers differs from another by them, too.
const TURNS_MAX: usize = 16;

/// One of two configurations; numbers are common to both.
pub(super) struct Side<'p> {
    pub(super) plan: &'p Plan,
    /// The same without transformation patterns, if it has any.
    pub(super) bare: Option<Plan>,
    /// What its transformation patterns do.
    pub(super) exits: Exits,
    pub(super) called: Called<'p>,
    partitions: Vec<u32>,
    spaces: Vec<u32>,
    lists: Vec<u32>,
    peers: Vec<u32>,
    partition_ids: HashMap<u32, PartitionId>,
    space_ids: HashMap<u32, CssId>,
    list_ids: HashMap<u32, RouteListId>,
    peer_ids: HashMap<u32, PeerId>,
    /// Rows by the number of their partition; those of none last.
    pub(super) rows: Vec<Vec<PatternId>>,
    /// The row of the other side that says the same, by row.
    pub(super) same: Vec<Option<PatternId>>,
    pub(super) emergency: Vec<PatternId>,
}

/// Where a row leads, as far as it depends on who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Aim {
    /// Out by a route list.
    List(u32),
    /// To the phones of a call control; of any.
    Phones(Option<u32>),
}

/// What a pass of analysis searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Space {
    /// What analysis began with.
    Root,
    /// A search space.
    Css(u32),
    /// Only patterns in no partition.
    Nowhere,
}

/// What the rows of one partition have among them, in either configuration.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) has_changed: bool,
    pub(super) has_emergency: bool,
    pub(super) aims: HashSet<Aim>,
    pub(super) leads_to: HashSet<Space>,
}

/// Both.
pub(super) struct Pair<'p> {
    pub(super) now: Side<'p>,
    pub(super) next: Side<'p>,
    /// By the number of the partition; that of none last.
    pub(super) summaries: Vec<Summary>,
    /// How many turns of circular groups are looked at.
    pub(super) turns: usize,
}

/// Names to numbers, in the order they come.
#[derive(Default)]
struct Numbering<'n>(HashMap<&'n str, u32>);

impl<'n> Numbering<'n> {
    fn of(&mut self, name: &'n str) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(name).or_insert(next)
    }
}

#[derive(Default)]
struct Numberings<'n> {
    partitions: Numbering<'n>,
    spaces: Numbering<'n>,
    lists: Numbering<'n>,
    peers: Numbering<'n>,
}

impl<'p> Side<'p> {
    fn of(plan: &'p Plan, names: &mut Numberings<'p>) -> Self {
        let count = |length: usize| 0..u32::try_from(length).unwrap_or(u32::MAX);
        let partitions = count(plan.dial_plan.partitions());
        let partitions: Vec<u32> = partitions.map(|id| names.partitions.of(plan.partition(PartitionId(id)))).collect();
        let spaces: Vec<u32> = plan.dial_plan.search_spaces().map(|id| names.spaces.of(plan.css(id))).collect();
        let lists: Vec<u32> =
            count(plan.routes.lists.len()).map(|id| names.lists.of(plan.route_list(RouteListId(id)))).collect();
        let peers: Vec<u32> = plan.peers.iter().map(|peer| names.peers.of(&peer.name)).collect();
        Self {
            plan,
            bare: untransformed(plan),
            exits: Exits::default(),
            called: Called::new(),
            partition_ids: partitions.iter().copied().zip((0..).map(PartitionId)).collect(),
            partitions,
            space_ids: spaces.iter().copied().zip((0..).map(CssId)).collect(),
            list_ids: lists.iter().copied().zip((0..).map(RouteListId)).collect(),
            peer_ids: peers.iter().copied().zip((0..).map(PeerId)).collect(),
            spaces,
            lists,
            peers,
            rows: Vec::new(),
            same: Vec::new(),
            emergency: Vec::new(),
        }
    }

    /// The number of a row's partition, `none` for none.
    pub(super) fn partition(&self, row: &Row, none: u32) -> u32 {
        row.partition.and_then(|id| self.partitions.get(id.0 as usize).copied()).unwrap_or(none)
    }

    /// The partitions of search spaces in order, each once.
    pub(super) fn partitions(&self, css: &[CssId]) -> Vec<u32> {
        let mut seen = HashSet::new();
        let ids = css.iter().flat_map(|css| self.plan.dial_plan.css_partitions(*css));
        ids.filter_map(|id| self.partitions.get(id.0 as usize).copied()).filter(|number| seen.insert(*number)).collect()
    }

    /// The partitions of these that can be reached at that time.
    pub(super) fn open(&self, numbers: &[u32], at: Civil) -> Vec<u32> {
        let is_open =
            |number: &u32| self.partition_ids.get(number).is_some_and(|id| self.plan.dial_plan.is_open(*id, at));
        numbers.iter().copied().filter(is_open).collect()
    }

    pub(super) fn css(&self, space: u32) -> Option<CssId> {
        self.space_ids.get(&space).copied()
    }

    pub(super) fn list(&self, list: u32) -> Option<RouteListId> {
        self.list_ids.get(&list).copied()
    }

    pub(super) fn peer(&self, peer: u32) -> Option<PeerId> {
        self.peer_ids.get(&peer).copied()
    }

    pub(super) fn peer_named(&self, name: &str) -> Option<PeerId> {
        (0..).map(PeerId).zip(&self.plan.peers).find(|(_, peer)| *peer.name == *name).map(|(id, _)| id)
    }

    pub(super) fn aim(&self, target: Target) -> Option<Aim> {
        match target {
            Target::RouteList(id) => self.lists.get(id.0 as usize).copied().map(Aim::List),
            Target::DirectoryNumber { peer, .. } => {
                Some(Aim::Phones(peer.and_then(|id| self.peers.get(id.0 as usize).copied())))
            }
            Target::Block | Target::Translate { .. } => None,
        }
    }

    pub(super) fn space(&self, css: TranslateCss) -> Space {
        match css {
            TranslateCss::Originator => Space::Root,
            TranslateCss::Css(id) => self.spaces.get(id.0 as usize).copied().map_or(Space::Nowhere, Space::Css),
            TranslateCss::None => Space::Nowhere,
        }
    }

    pub(super) fn is_changed(&self, id: PatternId) -> bool {
        self.same.get(id.0 as usize).copied().flatten().is_none()
    }

    fn sort_rows(&mut self, partitions: u32) {
        self.rows = vec![Vec::new(); partitions as usize + 1];
        for (id, row) in self.plan.dial_plan.rows() {
            let number = self.partition(row, partitions);
            if let Some(rows) = self.rows.get_mut(number as usize) {
                rows.push(id);
            }
            if row.emergency {
                self.emergency.push(id);
            }
            self.same.push(None);
        }
    }
}

impl<'p> Pair<'p> {
    pub(super) fn of(now: &'p Plan, next: &'p Plan, asked: &Asked) -> Self {
        let mut names = Numberings::default();
        let exits = exits(now, next, asked);
        let (mut now, mut next) = (Side::of(now, &mut names), Side::of(next, &mut names));
        [now.exits, next.exits] = exits;
        (now.called, next.called) = (called(now.plan, asked.at), called(next.plan, asked.at));
        let partitions = u32::try_from(names.partitions.0.len()).unwrap_or(u32::MAX);
        now.sort_rows(partitions);
        next.sort_rows(partitions);
        let turns = turns(&now).max(turns(&next));
        let mut pair = Self { now, next, summaries: Vec::new(), turns };
        pair.match_rows(partitions);
        pair.summaries = (0..=partitions).map(|_| Summary::default()).collect();
        for side in [&pair.now, &pair.next] {
            for (id, row) in side.plan.dial_plan.rows() {
                let Some(summary) = pair.summaries.get_mut(side.partition(row, partitions) as usize) else { continue };
                summary.has_changed |= side.is_changed(id);
                summary.has_emergency |= row.emergency;
                summary.aims.extend(side.aim(row.target));
                if let Target::Translate { css } = row.target {
                    summary.leads_to.insert(side.space(css));
                }
            }
        }
        pair
    }

    /// The number that stands for no partition.
    pub(super) fn none(&self) -> u32 {
        u32::try_from(self.summaries.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn match_rows(&mut self, none: u32) {
        let (now, next) = (&mut self.now, &mut self.next);
        let of_next: HashMap<(u32, &str), PatternId> =
            next.plan.dial_plan.rows().map(|(id, row)| ((next.partition(row, none), row.pattern.text()), id)).collect();
        for (id, row) in now.plan.dial_plan.rows() {
            let Some(&other) = of_next.get(&(now.partition(row, none), row.pattern.text())) else { continue };
            let Some(of_other) = next.plan.dial_plan.row(other) else { continue };
            if !says_the_same(now, row, next, of_other) {
                continue;
            }
            if let (Some(a), Some(b)) = (now.same.get_mut(id.0 as usize), next.same.get_mut(other.0 as usize)) {
                (*a, *b) = (Some(other), Some(id));
            }
        }
    }
}

/// Whether two rows of one pattern and partition do the same, targets taken by name. Urgency has no effect on whole numbers
/// (D-17).
fn says_the_same(now: &Side<'_>, a: &Row, next: &Side<'_>, b: &Row) -> bool {
    let leads = match (a.target, b.target) {
        (Target::Block, Target::Block) => true,
        (Target::Translate { css: a }, Target::Translate { css: b }) => now.space(a) == next.space(b),
        (Target::RouteList(_), Target::RouteList(_)) => now.aim(a.target) == next.aim(b.target),
        (Target::DirectoryNumber { intercom: x, .. }, Target::DirectoryNumber { intercom: y, .. }) => {
            x == y && now.aim(a.target) == next.aim(b.target)
        }
        _ => false,
    };
    leads && a.emergency == b.emergency && *a.transform == *b.transform
}

fn turns(side: &Side<'_>) -> usize {
    let circular = side.plan.routes.groups.iter().filter(|group| group.distribution == Distribution::Circular);
    circular.map(|group| group.peers.len()).max().unwrap_or(1).clamp(1, TURNS_MAX)
}
