//! Rows found by the dialed number: one trie over the patterns of all partitions.
//!
//! Rows that match the same numbers are one group, whatever their partitions: it is compared once, and its rows lie in
//! the order of their partitions. An edge of the trie is a link of patterns, a wildcard as well as a digit, so that a
//! number meets only patterns that begin as it does, however many there are. A group that shares its beginning with no
//! other hangs there by a leaf.
//!
//! Among a million patterns a number waits for memory more than for anything else, so what is read together lies together:
//! the edges of a node behind it, the rows of a group behind what its patterns still ask of a number at the leaf.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::analyse::within_partition;
use super::tail::{self, ANY_DIGIT_CODE, code};
use super::{PartitionId, PatternId, Row};
use crate::digits::Digits;
use crate::digits::language::{self, Element};

/// No partition, in an entry; comes after all others.
const NO_PARTITION: u32 = u32::MAX;
/// Marks an edge that leads to a group.
const LEAF: u32 = 1 << 31;
/// Marks a node at which a group ends.
const ENDS: u32 = 1 << 31;
/// Marks a node that a repetition led to.
const LOOPS: u32 = 1 << 30;
/// Marks a node with edges that stand for more than one character.
const WILD: u32 = 1 << 29;
/// A group of at least so many rows may say by one bit a partition where it has some.
const CROWD_ROWS_MIN: usize = 16;
/// Rows of a range that are looked at one by one before its partitions are asked.
const RANGE_ROWS_TRIED: usize = 64;

/// A node as it is kept, in words: the marks and the characters it has edges for; the groups that begin with what leads
/// here, of which the first ends here if one does; the characters that lead back here, if [`LOOPS`]; where each of its
/// characters leads, in the order of the alphabet; and if [`WILD`], how many other edges, each an element and where it
/// leads.
struct Node<'a> {
    head: u32,
    groups: (u32, u32),
    loops: u32,
    literals: &'a [u32],
    wildcards: &'a [[u32; 2]],
}

/// A row of a group, as it is kept: its partition and itself.
type Entry = [u32; 2];

/// Rows by what they match. A node and a group are known by where they begin.
#[derive(Debug)]
pub(super) struct Index {
    /// The nodes, the root first.
    nodes: Box<[u32]>,
    /// The groups in order, each its [tail](tail::of), how many rows, and the rows, by partition, then D-13.
    groups: Box<[u32]>,
    /// Groups of many rows, in order.
    crowds: Box<[u32]>,
    /// Of each crowd, a bit a partition.
    crowd_partitions: Box<[u64]>,
    /// Where the rows of each partition are in the groups, in order, where it matters in which there is one; those
    /// without a partition last.
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
    /// Groups, and how many characters led to each.
    leaves: SmallVec<[(u32, usize); 16]>,
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
        let mut languages = Vec::new();
        for group in sorted.chunk_by(same) {
            growth.begins.push(size(&growth.groups));
            growth.groups.extend([0, size(group)]);
            growth.groups.extend(group.iter().flat_map(|sorted| [sorted.partition, sorted.row.0]));
            let first = group.first().and_then(|first| row_of(rows, first.row));
            languages.extend(first.map(|row| row.pattern.canonical()));
        }
        growth.begins.push(size(&growth.groups));
        let links: Vec<&[Element]> = languages.iter().map(AsRef::as_ref).collect();
        growth.node(&links, (0, links.len()), Path::default());
        let mut index = Self {
            nodes: growth.nodes.into(),
            groups: growth.groups.into(),
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
            for &[partition, _] in entries.iter().filter(|[partition, _]| *partition != NO_PARTITION) {
                let word = bits.get_mut(first + partition as usize / 64);
                word.into_iter().for_each(|word| *word |= 1 << (partition % 64));
            }
        }
        (self.crowds, self.crowd_partitions) = (crowds.into(), bits.into());
    }

    fn find_places(&mut self, partitions: usize) {
        let column = |[partition, _]: &Entry| (*partition as usize).min(partitions);
        let mut begins = vec![0u32; partitions + 2];
        let mut rows = 0;
        for entry in self.all().flat_map(|group| self.entries(group)) {
            begins.get_mut(column(entry) + 1).into_iter().for_each(|count| *count += 1);
            rows += 1;
        }
        let mut sum = 0;
        for begin in &mut begins {
            sum += *begin;
            *begin = sum;
        }
        let mut next = begins.clone();
        let mut places = vec![0u32; rows];
        for group in self.all() {
            for (at, entry) in (group..).zip(self.entries(group)) {
                let Some(place) = next.get_mut(column(entry)) else { continue };
                places.get_mut(*place as usize).into_iter().for_each(|free| *free = at);
                *place += 1;
            }
        }
        (self.places, self.place_begins) = (places.into(), begins.into());
    }

    /// Every group.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> {
        self.groups_in((0, size(&self.groups)))
    }

    /// The groups of a range.
    fn groups_in(&self, (mut next, past): (u32, u32)) -> impl Iterator<Item = u32> {
        std::iter::from_fn(move || {
            let group = (next < past).then_some(next)?;
            next = self.past(group);
            Some(group)
        })
    }

    /// What a group's patterns ask behind the leaf, and its rows.
    fn group(&self, group: u32) -> (u32, &[Entry]) {
        let words = self.groups.get(group as usize..).unwrap_or_default();
        let Some(([tail, rows], words)) = words.split_first_chunk() else { return (0, &[]) };
        (*tail, words.as_chunks().0.get(..*rows as usize).unwrap_or_default())
    }

    fn entries(&self, group: u32) -> &[Entry] {
        self.group(group).1
    }

    /// Where the next group begins.
    fn past(&self, group: u32) -> u32 {
        group + GROUP_WORDS + size(self.entries(group)) * ENTRY_WORDS
    }

    /// A row of the group: what it matches, all of them match.
    pub(super) fn first(&self, group: u32) -> Option<PatternId> {
        self.entries(group).first().map(row)
    }

    /// How many rows are in the group.
    pub(super) fn rows_in(&self, group: u32) -> usize {
        self.entries(group).len()
    }

    /// The rows of the group, by partition.
    pub(super) fn rows(&self, group: u32) -> impl Iterator<Item = PatternId> {
        self.entries(group).iter().map(row)
    }

    /// The first row of the group in each of its partitions, in order.
    pub(super) fn firsts(&self, group: u32) -> impl Iterator<Item = (Option<PartitionId>, PatternId)> {
        let runs = self.entries(group).chunk_by(|a, b| partition(a) == partition(b));
        runs.filter_map(|run| run.first()).map(|first| (partition(first), row(first)))
    }

    /// Rows that match the same numbers in one partition, each but the one added first with that one.
    pub(super) fn equal(&self) -> impl Iterator<Item = (PatternId, PatternId)> {
        let groups = self.all().map(|group| self.entries(group));
        let runs = groups.flat_map(|entries| entries.chunk_by(|a, b| partition(a) == partition(b)));
        runs.filter(|run| run.len() > 1).flat_map(|run| {
            let first = run.iter().map(row).min().unwrap_or(PatternId(0));
            run.iter().map(row).filter(move |row| *row != first).map(move |row| (first, row))
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
        let at = entries.partition_point(|[partition, _]| *partition < wanted);
        entries.get(at).filter(|[partition, _]| *partition == wanted).map(row)
    }

    /// Whether some row of these groups is in a partition that `reached` holds of, or in none. `among` are those partitions,
    /// some that are not reached perhaps among them.
    pub(super) fn any_reached(
        &self,
        groups: (u32, u32),
        among: impl Iterator<Item = PartitionId>,
        reached: impl Fn(PartitionId) -> bool,
    ) -> bool {
        let is_reached = |entry: &Entry| partition(entry).is_none_or(&reached);
        let mut entries = self.groups_in(groups).flat_map(|group| self.entries(group));
        if entries.by_ref().take(RANGE_ROWS_TRIED).any(is_reached) {
            return true;
        }
        if entries.next().is_none() {
            return false;
        }
        let (begins, ends) = groups;
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
        let symbols: SmallVec<[u8; 64]> = dialed.symbols().collect();
        let (mut front, mut next) = (Front::default(), SmallVec::new());
        self.enter(0, 0, &mut next, &mut front.leaves);
        for (taken, &symbol) in (1..).zip(&symbols) {
            std::mem::swap(&mut front.nodes, &mut next);
            next.clear();
            for &at in &front.nodes {
                self.take(at, symbol, taken, &mut next, &mut front.leaves);
            }
            if next.is_empty() {
                break;
            }
        }
        let mut met = Met::default();
        for node in next.iter().filter_map(|at| self.node(*at)) {
            let ends = node.head & ENDS != 0;
            if ends {
                met.whole.push(node.groups.0);
            }
            // What ends here grows only where this place repeats.
            let longer = if ends && node.loops == 0 { self.past(node.groups.0) } else { node.groups.0 };
            if longer < node.groups.1 {
                met.growing.push((longer, node.groups.1));
            }
        }
        for (group, taken) in front.leaves {
            let (tail, entries) = self.group(group);
            let left = symbols.get(taken..).unwrap_or_default();
            let reach =
                tail::reach(tail, left).or_else(|| Some(row_of(rows, row(entries.first()?))?.pattern.matches(dialed)));
            let Some(reach) = reach else { continue };
            if reach.full {
                met.whole.push(group);
            }
            if reach.could_grow {
                met.growing.push((group, self.past(group)));
            }
        }
        met
    }

    /// Takes one character at a node, the `taken`th of the number.
    fn take(&self, at: u32, symbol: u8, taken: usize, nodes: &mut SmallVec<[u32; 16]>, leaves: &mut Leaves) {
        let Some(node) = self.node(at) else { return };
        let bit = 1u32 << symbol;
        if node.loops & bit != 0 {
            self.enter(at, taken, nodes, leaves);
        }
        if node.head & bit != 0 {
            let before = (node.head & (bit - 1)).count_ones();
            let to = node.literals.get(before as usize);
            to.into_iter().for_each(|to| self.follow(*to, taken, nodes, leaves));
        }
        for &[element, to] in node.wildcards {
            let element = Element::of_word(element);
            if !element.repeats() && element.has(symbol) {
                self.follow(to, taken, nodes, leaves);
            }
        }
    }

    fn node(&self, at: u32) -> Option<Node<'_>> {
        let (&[head, begins, ends], words) = self.nodes.get(at as usize..)?.split_first_chunk()?;
        let (loops, words) = if head & LOOPS == 0 { (&[][..], words) } else { words.split_at_checked(1)? };
        let (literals, words) = words.split_at_checked((head & CHARACTERS).count_ones() as usize)?;
        let wildcards = if head & WILD == 0 { &[] } else { pairs(words)? };
        let loops = loops.first().copied().unwrap_or(0);
        Some(Node { head, groups: (begins, ends), loops, literals, wildcards })
    }

    fn follow(&self, to: u32, taken: usize, nodes: &mut SmallVec<[u32; 16]>, leaves: &mut Leaves) {
        if to & LEAF == 0 {
            self.enter(to, taken, nodes, leaves);
        } else if !leaves.iter().any(|(group, _)| *group == to & !LEAF) {
            // Two ways lead to a leaf only through a repetition, and then its tail is not asked.
            leaves.push((to & !LEAF, taken));
        }
    }

    /// Stands at a node, and wherever a repetition that takes nothing leads from there.
    fn enter(&self, at: u32, taken: usize, nodes: &mut SmallVec<[u32; 16]>, leaves: &mut Leaves) {
        if nodes.contains(&at) {
            return;
        }
        nodes.push(at);
        for &[element, to] in self.node(at).map(|node| node.wildcards).unwrap_or_default() {
            if Element::of_word(element).repeats() {
                self.follow(to, taken, nodes, leaves);
            }
        }
    }

    /// Groups that may have a number in common with these links: all that have, and perhaps some that have not.
    pub(super) fn overlapping(&self, links: &[Element]) -> Vec<u32> {
        let mut found = Vec::new();
        let mut left = vec![(0, language::start(links))];
        while let Some((at, places)) = left.pop() {
            let Some(node) = self.node(at) else { continue };
            if node.head & ENDS != 0 {
                found.push(node.groups.0);
            }
            let symbols = (0..CHARACTERS.count_ones()).filter(|symbol| node.head >> symbol & 1 == 1);
            let literals = symbols.map(|symbol| Element::once(1 << symbol)).zip(node.literals.iter().copied());
            let wildcards = node.wildcards.iter().map(|&[element, to]| (Element::of_word(element), to));
            for (element, to) in literals.chain(wildcards) {
                let places = language::taken(links, places, element);
                if places == 0 {
                    continue;
                }
                if to & LEAF == 0 { left.push((to, places)) } else { found.push(to & !LEAF) }
            }
        }
        found
    }
}

/// Words of a group before its rows, and of each row.
const GROUP_WORDS: u32 = 2;
/// See [`GROUP_WORDS`].
const ENTRY_WORDS: u32 = 2;
/// The characters in the first word of a node.
const CHARACTERS: u32 = (1 << crate::digits::SYMBOLS) - 1;
const _: () = assert!(CHARACTERS & (ENDS | LOOPS | WILD) == 0);

type Leaves = SmallVec<[(u32, usize); 16]>;

/// Pairs of words behind their number.
fn pairs(words: &[u32]) -> Option<&[[u32; 2]]> {
    let (pairs, words) = words.split_first()?;
    words.as_chunks().0.get(..*pairs as usize)
}

fn partition([partition, _]: &Entry) -> Option<PartitionId> {
    (*partition != NO_PARTITION).then_some(PartitionId(*partition))
}

fn row([_, row]: &Entry) -> PatternId {
    PatternId(*row)
}

/// A trie while it grows.
#[derive(Default)]
struct Growth {
    nodes: Vec<u32>,
    groups: Vec<u32>,
    /// Where each group begins; one more for the end of the last.
    begins: Vec<u32>,
}

/// The way to a node.
#[derive(Clone, Copy, Default)]
struct Path {
    /// How many links.
    depth: usize,
    /// Characters that lead back: the class of the last link, if it repeats.
    loops: u32,
    /// Whether any of them repeats, so that nobody knows how many characters they take.
    repeats: bool,
}

impl Path {
    fn then(self, link: Element) -> Self {
        let loops = if link.repeats() { link.class() } else { 0 };
        Self { depth: self.depth + 1, loops, repeats: self.repeats || link.repeats() }
    }
}

impl Growth {
    /// Adds the node that the groups of a range share, all of them alike in the links of `path`, and what is below it.
    fn node(&mut self, links: &[&[Element]], range: (usize, usize), path: Path) -> u32 {
        let mut head = if path.loops == 0 { 0 } else { LOOPS };
        let (mut literals, mut wildcards) = (Vec::new(), Vec::new());
        let mut begins = range.0;
        while begins < range.1 {
            let link_of = |group: usize| links.get(group).and_then(|links| links.get(path.depth)).copied();
            let link = link_of(begins);
            let past = (begins..range.1).find(|group| link_of(*group) != link).unwrap_or(range.1);
            match link {
                None => head |= ENDS,
                Some(link) if link.is_literal() => {
                    head |= link.class();
                    literals.push((link, (begins, past)));
                }
                Some(link) => {
                    head |= WILD;
                    wildcards.push((link, (begins, past)));
                }
            }
            begins = past;
        }
        let at = size(&self.nodes);
        self.nodes.extend([head, self.begin(range.0), self.begin(range.1)]);
        self.nodes.extend((path.loops != 0).then_some(path.loops));
        let first = self.nodes.len();
        self.nodes.extend(literals.iter().map(|_| 0));
        let past = self.nodes.len();
        self.nodes.extend((!wildcards.is_empty()).then(|| size(&wildcards)));
        self.nodes.extend(wildcards.iter().flat_map(|(link, _)| [link.word(), 0]));
        // Where each edge leads is known when what is below has its place; that of a wildcard stands behind its element.
        let places = (first..past).chain((past + 2..).step_by(2));
        for (place, (link, below)) in places.zip(literals.into_iter().chain(wildcards)) {
            let to = if below.1 - below.0 > 1 {
                self.node(links, below, path.then(link))
            } else {
                LEAF | self.leaf(links, below.0, path.then(link))
            };
            self.nodes.get_mut(place).into_iter().for_each(|edge| *edge = to);
        }
        at
    }

    /// Notes what a group's links ask behind its leaf.
    fn leaf(&mut self, links: &[&[Element]], group: usize, path: Path) -> u32 {
        let begins = self.begin(group);
        let behind = links.get(group).and_then(|links| links.get(path.depth..)).unwrap_or_default();
        let told = if path.repeats { tail::ASK } else { tail::of(behind) };
        self.groups.get_mut(begins as usize).into_iter().for_each(|tail| *tail = told);
        begins
    }

    fn begin(&self, group: usize) -> u32 {
        self.begins.get(group).copied().unwrap_or(0)
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
