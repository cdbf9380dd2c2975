//! Rows found by the dialed number: one trie over the patterns of all partitions.
//!
//! Rows that match the same numbers are one group, whatever their partitions: it is compared once, and its rows lie in
//! the order of their partitions. An edge of the trie is a link of patterns, a wildcard as well as a digit, so that a
//! number meets only patterns that begin as it does, however many there are. A group that shares its beginning with no
//! other hangs there by a leaf and is compared whole.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::analyse::within_partition;
use super::{PartitionId, PatternId, Row};
use crate::digits::Digits;
use crate::digits::language::{self, Element};

/// No partition, in an entry; comes after all others.
const NO_PARTITION: u32 = u32::MAX;
/// Marks an edge that leads to a group.
const LEAF: u32 = 1 << 31;
/// Marks a node at which a group ends.
const ENDS: u32 = 1 << 31;
/// A group of at least so many rows may say by one bit a partition where it has some.
const CROWD_ROWS_MIN: usize = 16;
/// Rows of a range that are looked at one by one before its partitions are asked.
const RANGE_ROWS_TRIED: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Where its edges begin: those of single characters in the order of the alphabet, then the others. They end where
    /// the next node's begin.
    edges: u32,
    /// The characters it has edges for, and [`ENDS`].
    literals: u32,
    /// The groups that begin with what leads here; if one ends here, it is the first.
    groups: (u32, u32),
    /// Characters that lead back here: the class of the repetition that led here, if one did.
    loops: u32,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    element: Element,
    /// A node, or [`LEAF`] and a group.
    to: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    partition: u32,
    row: PatternId,
}

/// Rows by what they match.
#[derive(Debug)]
pub(super) struct Index {
    nodes: Box<[Node]>,
    edges: Box<[Edge]>,
    /// Where the entries of each group begin; one more for the end of the last.
    groups: Box<[u32]>,
    /// The rows, by group, then partition, then D-13.
    entries: Box<[Entry]>,
    /// Groups of many rows, in order.
    crowds: Box<[u32]>,
    /// Of each crowd, a bit a partition.
    crowd_partitions: Box<[u64]>,
    /// Entries of each partition, in order, where it matters in which there is one; those without a partition last.
    places: Box<[u32]>,
    /// Where the places of each partition begin; one more for the end of the last.
    place_begins: Box<[u32]>,
    words: usize,
}

/// What a number leads to.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// Groups it matches.
    pub(super) whole: SmallVec<[u32; 16]>,
    /// Ranges of groups that match some longer number that begins so.
    pub(super) growing: SmallVec<[(u32, u32); 16]>,
}

/// What a walk has reached.
#[derive(Default)]
struct Front {
    nodes: SmallVec<[u32; 16]>,
    leaves: SmallVec<[u32; 16]>,
}

impl Index {
    /// Indexes the rows that `wanted` picks. Without `partitions` they are all taken as of none.
    pub(super) fn of(rows: &[Row], partitions: Option<usize>, wanted: impl Fn(&Row) -> bool) -> Self {
        let mut sorted: Vec<Sorted> =
            (0..).map(PatternId).zip(rows).filter(|(_, row)| wanted(row)).map(sorted).collect();
        if partitions.is_none() {
            sorted.iter_mut().for_each(|entry| entry.partition = NO_PARTITION);
        }
        sorted.sort_unstable_by(|a, b| {
            let (of_a, of_b) = (row_of(rows, a.row), row_of(rows, b.row));
            let language = a
                .key
                .cmp(&b.key)
                .then_with(|| if a.is_whole && b.is_whole { Ordering::Equal } else { spelled(of_a, of_b) });
            let within = || of_a.zip(of_b).map_or(Ordering::Equal, |(a, b)| within_partition(a, b));
            language.then(a.partition.cmp(&b.partition)).then_with(within).then(a.row.cmp(&b.row))
        });
        let same = |a: &Sorted, b: &Sorted| {
            a.key == b.key && (a.is_whole && b.is_whole || spelled(row_of(rows, a.row), row_of(rows, b.row)).is_eq())
        };
        let mut growth = Growth::default();
        let mut groups = Vec::new();
        let mut languages = Vec::new();
        for group in sorted.chunk_by(same) {
            groups.push(size(&growth.entries));
            growth.entries.extend(group.iter().map(|sorted| Entry { partition: sorted.partition, row: sorted.row }));
            let first = group.first().and_then(|first| row_of(rows, first.row));
            languages.extend(first.map(|row| row.pattern.canonical()));
        }
        groups.push(size(&growth.entries));
        let links: Vec<&[Element]> = languages.iter().map(AsRef::as_ref).collect();
        growth.node(&links, (0, links.len()), 0, 0);
        let past = growth.nodes.first().map_or(ROOT, |root| Node { edges: size(&growth.edges), ..*root });
        growth.nodes.push(past);
        let mut index = Self {
            nodes: growth.nodes.into(),
            edges: growth.edges.into(),
            groups: groups.into(),
            entries: growth.entries.into(),
            crowds: Box::default(),
            crowd_partitions: Box::default(),
            places: Box::default(),
            place_begins: Box::default(),
            words: 0,
        };
        if let Some(partitions) = partitions {
            index.find_crowds(partitions);
            index.find_places(partitions);
        }
        index
    }

    fn find_crowds(&mut self, partitions: usize) {
        self.words = partitions.div_ceil(u64::BITS as usize);
        let (mut crowds, mut bits) = (Vec::new(), Vec::new());
        for group in self.all() {
            let entries = self.entries(group);
            // Never more than a word a row.
            if entries.len() < CROWD_ROWS_MIN.max(self.words) {
                continue;
            }
            crowds.push(group);
            let first = bits.len();
            bits.resize(first + self.words, 0u64);
            for entry in entries {
                let word =
                    bits.get_mut(first + entry.partition as usize / 64).filter(|_| entry.partition != NO_PARTITION);
                word.into_iter().for_each(|word| *word |= 1 << (entry.partition % 64));
            }
        }
        (self.crowds, self.crowd_partitions) = (crowds.into(), bits.into());
    }

    fn find_places(&mut self, partitions: usize) {
        let column = |entry: &Entry| (entry.partition as usize).min(partitions);
        let mut begins = vec![0u32; partitions + 2];
        for entry in &self.entries {
            begins.get_mut(column(entry) + 1).into_iter().for_each(|count| *count += 1);
        }
        let mut sum = 0;
        for begin in &mut begins {
            sum += *begin;
            *begin = sum;
        }
        let mut next = begins.clone();
        let mut places = vec![0u32; self.entries.len()];
        for (at, entry) in (0..).zip(&self.entries) {
            let Some(place) = next.get_mut(column(entry)) else { continue };
            places.get_mut(*place as usize).into_iter().for_each(|free| *free = at);
            *place += 1;
        }
        (self.places, self.place_begins) = (places.into(), begins.into());
    }

    fn group_count(&self) -> u32 {
        size(&self.groups).saturating_sub(1)
    }

    fn entries(&self, group: u32) -> &[Entry] {
        self.entries_of((group, group + 1))
    }

    fn entries_of(&self, groups: (u32, u32)) -> &[Entry] {
        let bound = |group: u32| self.groups.get(group as usize).map(|at| *at as usize);
        let range = bound(groups.0).zip(bound(groups.1));
        range.and_then(|(begins, ends)| self.entries.get(begins..ends)).unwrap_or_default()
    }

    /// A row of the group: what it matches, all of them match.
    pub(super) fn first(&self, group: u32) -> Option<PatternId> {
        self.entries(group).first().map(|entry| entry.row)
    }

    /// How many rows are in the group.
    pub(super) fn rows_in(&self, group: u32) -> usize {
        self.entries(group).len()
    }

    /// Every group.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.group_count()
    }

    /// The rows of the group, by partition.
    pub(super) fn rows(&self, group: u32) -> impl Iterator<Item = PatternId> {
        self.entries(group).iter().map(|entry| entry.row)
    }

    /// The first row of the group in each of its partitions, in order.
    pub(super) fn firsts(&self, group: u32) -> impl Iterator<Item = (Option<PartitionId>, PatternId)> {
        let runs = self.entries(group).chunk_by(|a, b| a.partition == b.partition);
        runs.filter_map(|run| run.first()).map(|first| (first.partition(), first.row))
    }

    /// Rows that match the same numbers in one partition, each but the one added first with that one.
    pub(super) fn equal(&self) -> impl Iterator<Item = (PatternId, PatternId)> {
        let groups = self.all().map(|group| self.entries(group));
        let runs = groups.flat_map(|entries| entries.chunk_by(|a, b| a.partition == b.partition));
        runs.filter(|run| run.len() > 1).flat_map(|run| {
            let first = run.iter().map(|entry| entry.row).min().unwrap_or(PatternId(0));
            run.iter().filter(move |entry| entry.row != first).map(move |entry| (first, entry.row))
        })
    }

    /// Whether the group may have a row in the partition; nothing where that is not kept.
    pub(super) fn crowd(&self, group: u32) -> Option<impl Fn(PartitionId) -> bool> {
        if self.rows_in(group) < CROWD_ROWS_MIN {
            return None;
        }
        let first = self.crowds.binary_search(&group).ok()? * self.words;
        let bits = self.crowd_partitions.get(first..first + self.words)?;
        Some(move |partition: PartitionId| {
            bits.get(partition.0 as usize / 64).is_some_and(|word| word >> (partition.0 % 64) & 1 == 1)
        })
    }

    /// The group's first row in a partition, or in none.
    pub(super) fn row_in(&self, group: u32, partition: Option<PartitionId>) -> Option<PatternId> {
        let wanted = partition.map_or(NO_PARTITION, |partition| partition.0);
        let entries = self.entries(group);
        let at = entries.partition_point(|entry| entry.partition < wanted);
        entries.get(at).filter(|entry| entry.partition == wanted).map(|entry| entry.row)
    }

    /// Whether some row of these groups is in a partition that `reached` holds of, or in none. `among` are those partitions,
    /// some that are not reached perhaps among them.
    pub(super) fn any_reached(
        &self,
        groups: (u32, u32),
        among: impl Iterator<Item = PartitionId>,
        reached: impl Fn(PartitionId) -> bool,
    ) -> bool {
        let entries = self.entries_of(groups);
        let is_reached = |entry: &Entry| entry.partition().is_none_or(&reached);
        if entries.iter().take(RANGE_ROWS_TRIED).any(is_reached) {
            return true;
        }
        if entries.len() <= RANGE_ROWS_TRIED {
            return false;
        }
        let bound = |group: u32| self.groups.get(group as usize).copied().unwrap_or(0);
        let (begins, ends) = (bound(groups.0), bound(groups.1));
        let has = |column: usize| {
            let bound = |column: usize| self.place_begins.get(column).map(|at| *at as usize);
            let range = bound(column).zip(bound(column + 1));
            let places = range.and_then(|(first, past)| self.places.get(first..past)).unwrap_or_default();
            places.get(places.partition_point(|at| *at < begins)).is_some_and(|at| *at < ends)
        };
        has(self.place_begins.len().saturating_sub(2))
            || among.into_iter().any(|partition| has(partition.0 as usize) && reached(partition))
    }

    /// Follows `dialed`.
    pub(super) fn walk(&self, rows: &[Row], dialed: &Digits) -> Met {
        let (mut front, mut next) = (Front::default(), SmallVec::new());
        self.enter(0, &mut next, &mut front.leaves);
        for symbol in dialed.symbols() {
            std::mem::swap(&mut front.nodes, &mut next);
            next.clear();
            for &at in &front.nodes {
                self.take(at, symbol, &mut next, &mut front.leaves);
            }
            if next.is_empty() {
                break;
            }
        }
        let mut met = Met::default();
        for at in next {
            let Some(node) = self.nodes.get(at as usize) else { continue };
            let ends = node.literals & ENDS != 0;
            if ends {
                met.whole.push(node.groups.0);
            }
            // What ends here grows only where this place repeats.
            let longer = if ends && node.loops == 0 { node.groups.0 + 1 } else { node.groups.0 };
            if longer < node.groups.1 {
                met.growing.push((longer, node.groups.1));
            }
        }
        for group in front.leaves {
            let Some(row) = self.first(group).and_then(|id| rows.get(id.0 as usize)) else { continue };
            let reach = row.pattern.matches(dialed);
            if reach.full {
                met.whole.push(group);
            }
            if reach.could_grow {
                met.growing.push((group, group + 1));
            }
        }
        met
    }

    /// Takes one character at a node.
    fn take(&self, at: u32, symbol: u8, nodes: &mut SmallVec<[u32; 16]>, leaves: &mut SmallVec<[u32; 16]>) {
        let Some(node) = self.nodes.get(at as usize) else { return };
        let bit = 1u32 << symbol;
        if node.loops & bit != 0 {
            self.enter(at, nodes, leaves);
        }
        let literals = node.literals & !ENDS;
        if literals & bit != 0 {
            let before = (literals & (bit - 1)).count_ones();
            let edge = self.edges.get((node.edges + before) as usize);
            edge.into_iter().for_each(|edge| self.follow(edge, nodes, leaves));
        }
        for edge in self.wildcards(at).iter().filter(|edge| !edge.element.repeats() && edge.element.has(symbol)) {
            self.follow(edge, nodes, leaves);
        }
    }

    /// The edges of a node that stand for more than one character.
    fn wildcards(&self, at: u32) -> &[Edge] {
        let bounds = self.nodes.get(at as usize).zip(self.nodes.get(at as usize + 1));
        let range = bounds.map(|(node, next)| {
            let literals = (node.literals & !ENDS).count_ones();
            (node.edges + literals) as usize..next.edges as usize
        });
        range.and_then(|range| self.edges.get(range)).unwrap_or_default()
    }

    fn follow(&self, edge: &Edge, nodes: &mut SmallVec<[u32; 16]>, leaves: &mut SmallVec<[u32; 16]>) {
        let to = edge.to & !LEAF;
        if edge.to & LEAF == 0 {
            self.enter(to, nodes, leaves);
        } else if !leaves.contains(&to) {
            leaves.push(to);
        }
    }

    /// Stands at a node, and wherever a repetition that takes nothing leads from there.
    fn enter(&self, at: u32, nodes: &mut SmallVec<[u32; 16]>, leaves: &mut SmallVec<[u32; 16]>) {
        if nodes.contains(&at) {
            return;
        }
        nodes.push(at);
        for edge in self.wildcards(at).iter().filter(|edge| edge.element.repeats()) {
            self.follow(edge, nodes, leaves);
        }
    }

    /// Groups that may have a number in common with these links: all that have, and perhaps some that have not.
    pub(super) fn overlapping(&self, links: &[Element]) -> Vec<u32> {
        let mut found = Vec::new();
        let mut left = vec![(0, language::start(links))];
        while let Some((at, places)) = left.pop() {
            let Some((node, next)) = self.nodes.get(at as usize).zip(self.nodes.get(at as usize + 1)) else { continue };
            if node.literals & ENDS != 0 {
                found.push(node.groups.0);
            }
            let edges = self.edges.get(node.edges as usize..next.edges as usize).unwrap_or_default();
            for edge in edges {
                let places = language::taken(links, places, edge.element);
                if places == 0 {
                    continue;
                }
                if edge.to & LEAF == 0 { left.push((edge.to, places)) } else { found.push(edge.to & !LEAF) }
            }
        }
        found
    }
}

impl Entry {
    fn partition(&self) -> Option<PartitionId> {
        (self.partition != NO_PARTITION).then_some(PartitionId(self.partition))
    }
}

const ROOT: Node = Node { edges: 0, literals: 0, groups: (0, 0), loops: 0 };

/// A trie while it grows.
#[derive(Default)]
struct Growth {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    entries: Vec<Entry>,
}

impl Growth {
    /// Adds the node that the groups of a range share, all of them alike in the first `depth` links, and what is below it.
    fn node(&mut self, links: &[&[Element]], range: (usize, usize), depth: usize, loops: u32) {
        let groups = (count(range.0), count(range.1));
        let at = self.nodes.len();
        let mut node = Node { edges: size(&self.edges), literals: 0, groups, loops };
        let (mut literals, mut wildcards) = (Vec::new(), Vec::new());
        let mut begins = range.0;
        while begins < range.1 {
            let link = links.get(begins).and_then(|links| links.get(depth)).copied();
            let alike = |group: usize| links.get(group).and_then(|links| links.get(depth)).copied() == link;
            let past = (begins..range.1).find(|group| !alike(*group)).unwrap_or(range.1);
            match link {
                None => node.literals |= ENDS,
                Some(link) if link.is_literal() => {
                    node.literals |= link.class();
                    literals.push((link, (begins, past)));
                }
                Some(link) => wildcards.push((link, (begins, past))),
            }
            begins = past;
        }
        self.nodes.push(node);
        let first = self.edges.len();
        literals.append(&mut wildcards);
        // The nodes below come after all edges of this one, so that each node's edges lie together.
        self.edges
            .extend(literals.iter().map(|(element, (group, _))| Edge { element: *element, to: LEAF | count(*group) }));
        for (place, (link, below)) in (first..).zip(literals) {
            if below.1 - below.0 > 1 {
                let to = size(&self.nodes);
                self.edges.get_mut(place).into_iter().for_each(|edge| edge.to = to);
                let loops = if link.repeats() { link.class() } else { 0 };
                self.node(links, below, depth + 1, loops);
            }
        }
        debug_assert!(self.nodes.len() > at);
    }
}

/// A row while it is sorted.
struct Sorted {
    /// Its first links, five bits each: what cannot be told in five bits ends it.
    key: u128,
    /// Whether the key tells all of it.
    is_whole: bool,
    partition: u32,
    row: PatternId,
}

fn sorted((id, row): (PatternId, &Row)) -> Sorted {
    let links = row.pattern.canonical();
    let (mut key, mut is_whole, mut room) = (0u128, true, 125);
    for link in links.iter() {
        let code = code(*link);
        if room == 0 {
            is_whole = false;
            break;
        }
        room -= 5;
        key |= u128::from(code) << room;
        if code > ANY_DIGIT_CODE {
            is_whole = false;
            break;
        }
    }
    Sorted { key, is_whole, partition: row.partition.map_or(NO_PARTITION, |partition| partition.0), row: id }
}

/// The code of `X`, in five bits; those of single characters lie below, all others share the next.
const ANY_DIGIT_CODE: u8 = 18;

fn code(link: Element) -> u8 {
    if link.is_literal() {
        u8::try_from(link.class().trailing_zeros()).map_or(0, |symbol| symbol + 1)
    } else if link == Element::once(crate::digits::ANY_DIGIT) {
        ANY_DIGIT_CODE
    } else {
        ANY_DIGIT_CODE + 1
    }
}

/// The links of two rows, in the order that the keys begin.
fn spelled(a: Option<&Row>, b: Option<&Row>) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else { return Ordering::Equal };
    let (a, b) = (a.pattern.canonical(), b.pattern.canonical());
    a.iter().map(|link| (code(*link), *link)).cmp(b.iter().map(|link| (code(*link), *link)))
}

fn row_of(rows: &[Row], id: PatternId) -> Option<&Row> {
    rows.get(id.0 as usize)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn size<T>(entries: &[T]) -> u32 {
    count(entries.len())
}
