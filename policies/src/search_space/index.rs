//! Rows found by their leading literal digits: a digit trie a partition, one of all emergency rows, and one of
//! all translations.
//!
//! A row hangs at the node its literal prefix leads to, so that a directory number of ten digits costs ten steps however
//! many there are, and a wildcard pattern is looked at only by numbers that begin like it.

use super::{PatternId, Row, Target};
use crate::digits::Digits;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    symbol: u8,
    first_child: u32,
    next_sibling: u32,
    /// Range of `rows`.
    rows: (u32, u32),
}

const ROOT: Node = Node { symbol: u8::MAX, first_child: NONE, next_sibling: NONE, rows: (0, 0) };

/// Where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// The emergency rows of every partition.
    Emergency,
    /// The translations of every partition.
    Translations,
    /// Rows in no partition.
    NoPartition,
    Partition(super::PartitionId),
}

#[derive(Debug)]
pub(super) struct Index {
    nodes: Vec<Node>,
    rows: Vec<PatternId>,
}

impl Index {
    /// Indexes `rows` of the given number of partitions.
    pub(super) fn of(rows: &[Row], partitions: usize) -> Self {
        let mut index = Self { nodes: vec![ROOT; partitions + ROOTS as usize], rows: Vec::new() };
        let mut hung: Vec<(u32, PatternId)> = Vec::with_capacity(rows.len());
        for (id, row) in (0..).map(PatternId).zip(rows) {
            let home = row.partition.map_or(Root::NoPartition, Root::Partition);
            if index.nodes.get(place(home) as usize).is_some() {
                hung.push((index.grown(place(home), row), id));
            }
            if row.emergency {
                hung.push((index.grown(place(Root::Emergency), row), id));
            }
            if matches!(row.target, Target::Translate { .. }) {
                hung.push((index.grown(place(Root::Translations), row), id));
            }
        }
        hung.sort_unstable();
        for run in hung.chunk_by(|a, b| a.0 == b.0) {
            let begins = size(&index.rows);
            index.rows.extend(run.iter().map(|(_, id)| *id));
            let ends = size(&index.rows);
            if let Some(node) = run.first().and_then(|(node, _)| index.nodes.get_mut(*node as usize)) {
                node.rows = (begins, ends);
            }
        }
        index.nodes.shrink_to_fit();
        index.rows.shrink_to_fit();
        index
    }

    fn grown(&mut self, root: u32, row: &Row) -> u32 {
        let mut at = root;
        for symbol in row.pattern.literal_prefix() {
            at = match self.child(at, symbol) {
                Some(child) => child,
                None => self.sprout(at, symbol),
            };
        }
        at
    }

    fn sprout(&mut self, parent: u32, symbol: u8) -> u32 {
        let child = size(&self.nodes);
        let mut next_sibling = NONE;
        if let Some(node) = self.nodes.get_mut(parent as usize) {
            next_sibling = std::mem::replace(&mut node.first_child, child);
        }
        self.nodes.push(Node { symbol, next_sibling, ..ROOT });
        child
    }

    fn child(&self, parent: u32, symbol: u8) -> Option<u32> {
        let mut at = self.nodes.get(parent as usize)?.first_child;
        while let Some(node) = self.nodes.get(at as usize) {
            if node.symbol == symbol {
                return Some(at);
            }
            at = node.next_sibling;
        }
        None
    }

    /// Shows every row whose literal prefix `dialed` begins with. True when some row begins with all of `dialed` and
    /// more: it could match a longer number.
    pub(super) fn walk(&self, root: Root, dialed: &Digits, mut each: impl FnMut(PatternId)) -> bool {
        let mut at = place(root);
        let mut symbols = dialed.symbols();
        loop {
            let Some(node) = self.nodes.get(at as usize) else { return false };
            let rows = self.rows.get(node.rows.0 as usize..node.rows.1 as usize).unwrap_or_default();
            rows.iter().for_each(|id| each(*id));
            let Some(symbol) = symbols.next() else { return node.first_child != NONE };
            let Some(child) = self.child(at, symbol) else { return false };
            at = child;
        }
    }
}

/// Roots that are always there; partitions follow them.
const ROOTS: u32 = 3;

/// The node of a root.
fn place(root: Root) -> u32 {
    match root {
        Root::Emergency => 0,
        Root::Translations => 1,
        Root::NoPartition => 2,
        Root::Partition(partition) => partition.0.saturating_add(ROOTS),
    }
}

fn size<T>(entries: &[T]) -> u32 {
    u32::try_from(entries.len()).unwrap_or(NONE)
}
