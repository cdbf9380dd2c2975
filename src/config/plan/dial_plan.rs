//! The rows of the document into the dial plan, each still known by where it was written.

use crate::config::document::{Document, PatternKind, PatternRow, Text, TransformationRow};
use crate::config::plan::schedule::Schedule;
use crate::config::report::Place;
use ahash::{AHashMap, AHashSet};
use emcc_policies::digits::{Digits, Pattern, RowTransform};
use emcc_policies::moment::Civil;
use emcc_policies::route::{Party, PeerId, PeerKind, RouteListId};
use emcc_policies::search_space::{
    CssId, DialPlan, DialPlanBuilder, Hours, Outcome, PartitionId, PatternId, Row, Target, TranslateCss,
};
use std::collections::HashMap;
use std::sync::Arc;

/// A dial plan and the names its ids stand for.
pub(in crate::config) struct Dialing<'d> {
    pub(in crate::config) plan: DialPlan,
    /// Where each row was written, by its id.
    pub(in crate::config) origins: Vec<Origin<'d>>,
    pub(in crate::config) spaces: AHashMap<&'d str, CssId>,
    /// Names by id.
    pub(in crate::config) partition_names: Vec<&'d str>,
    /// Transformation patterns of calling and of called numbers; nothing where there are none.
    transformations: Option<[Transforming<'d>; 2]>,
}

/// The transformation patterns for one of the two numbers, and where each was written, by id.
type Transforming<'d> = (Party, DialPlan, Vec<&'d TransformationRow>);

/// What a row was made of.
pub(in crate::config) enum Origin<'d> {
    /// A table of patterns.
    Row(&'d PatternRow),
    /// A device's or user's number that no directory-number pattern covers.
    Number(&'d Text),
}

impl Origin<'_> {
    /// Where the pattern stands in the file.
    pub(in crate::config) fn place(&self) -> &Place {
        match self {
            Self::Row(row) => &row.pattern.place,
            Self::Number(number) => &number.place,
        }
    }
}

impl<'d> Dialing<'d> {
    /// Never fails: what a row names and nobody has becomes the first of its kind, and the names' own check says so.
    pub(in crate::config) fn of(document: &'d Document) -> Self {
        let mut builder = DialPlanBuilder::default();
        // Numbered as the plan of calls is: they share its search spaces.
        let mut transforming = [DialPlanBuilder::default(), DialPlanBuilder::default()];
        let mut partitions: AHashMap<&str, PartitionId> = AHashMap::new();
        let mut partition_names = Vec::new();
        let listed = document.spaces.iter().flat_map(|space| &space.partitions);
        let numbers = document.transformations.iter().filter_map(|row| row.partition.as_ref());
        let filled = document.patterns.iter().filter_map(|row| row.partition.as_ref()).chain(numbers);
        let schedules: HashMap<&str, Arc<dyn Hours>> = document
            .schedules
            .iter()
            .map(|row| (row.name.as_str(), Arc::new(Schedule::of(row)) as Arc<dyn Hours>))
            .collect();
        let declared = document.partitions.iter().map(|row| (&row.name, row.schedule.as_ref()));
        for (name, schedule) in declared.chain(listed.chain(filled).map(|name| (name, None))) {
            partitions.entry(name.as_str()).or_insert_with(|| {
                partition_names.push(name.as_str());
                let hours = schedule.and_then(|name| schedules.get(name.as_str()).cloned());
                for builder in &mut transforming {
                    builder.partition(hours.clone());
                }
                builder.partition(hours)
            });
        }
        let mut spaces = AHashMap::new();
        for space in &document.spaces {
            let ids = space.partitions.iter().filter_map(|name| partitions.get(name.as_str()).copied());
            let ids = ids.collect::<Vec<_>>();
            for builder in transforming.iter_mut().filter(|_| !document.transformations.is_empty()) {
                builder.css(&ids);
            }
            let id = builder.css(&ids);
            spaces.entry(space.name.as_str()).or_insert(id);
        }
        let mut dialing = Self {
            plan: DialPlanBuilder::default().build(),
            origins: Vec::new(),
            spaces,
            partition_names,
            transformations: None,
        };
        if !document.transformations.is_empty() {
            dialing.transformations = Some(transformations(document, &partitions, transforming));
        }
        let (peers, lists) = (
            positions(document.peers.iter().map(|peer| &peer.name)),
            positions(document.route_lists.iter().map(|list| &list.name)),
        );
        builder.reserve(document.patterns.len());
        dialing.origins.reserve(document.patterns.len());
        for row in &document.patterns {
            let named = row.target.as_ref().map(|name| name.as_str());
            let target = match row.kind {
                _ if row.block => Target::Block,
                PatternKind::Route => {
                    Target::RouteList(RouteListId(named.and_then(|name| lists.get(name).copied()).unwrap_or(0)))
                }
                PatternKind::Translation => Target::Translate { css: dialing.next_css(row) },
                PatternKind::DirectoryNumber => Target::DirectoryNumber {
                    peer: named.and_then(|name| peers.get(name).copied()).map(PeerId),
                    intercom: row.intercom,
                },
            };
            builder.row(Row {
                pattern: row.pattern.value.clone(),
                partition: row.partition.as_ref().and_then(|name| partitions.get(name.as_str()).copied()),
                urgent: row.urgent,
                emergency: row.emergency,
                transform: row.transform.clone(),
                target,
            });
            dialing.origins.push(Origin::Row(row));
        }
        dialing.add_bare_numbers(document, &mut builder);
        dialing.plan = builder.build();
        dialing
    }

    /// The transformation patterns of each number, and their rows by id.
    pub(in crate::config) fn transformations(&self) -> &[Transforming<'d>] {
        self.transformations.as_ref().map(|both| both.as_slice()).unwrap_or_default()
    }

    /// The transformation plans, calling and called, taken out.
    pub(in crate::config) fn take_transformations(&mut self) -> Option<[DialPlan; 2]> {
        self.transformations.take().map(|both| both.map(|(_, plan, _)| plan))
    }

    fn next_css(&self, row: &PatternRow) -> TranslateCss {
        match row.target.as_ref().and_then(|name| self.spaces.get(name.as_str())) {
            _ if row.originator_css => TranslateCss::Originator,
            Some(css) => TranslateCss::Css(*css),
            None => TranslateCss::None,
        }
    }

    /// Numbers of devices and users that no directory-number pattern covers get a row of their own, which everybody
    /// reaches; the first call control has them.
    fn add_bare_numbers(&mut self, document: &'d Document, builder: &mut DialPlanBuilder) {
        let mut bare = bare_numbers(document);
        let first =
            document.peers.iter().position(|peer| peer.kind.as_ref().is_some_and(|k| k.value == PeerKind::CallControl));
        let peer = first.and_then(|index| u32::try_from(index).ok()).map(PeerId);
        for number in numbers(document) {
            let Ok(digits) = Digits::from_bytes(number.value.as_bytes()) else { continue };
            if !bare.remove(&digits) {
                continue;
            }
            let Ok(pattern) = Pattern::parse(&number.value.replace('+', "\\+")) else { continue };
            let target = Target::DirectoryNumber { peer, intercom: false };
            builder.row(Row {
                pattern,
                partition: None,
                urgent: false,
                emergency: false,
                transform: RowTransform::default(),
                target,
            });
            self.origins.push(Origin::Number(number));
        }
    }

    /// A search space by its name: nothing inside where none is named, nothing at all where the name is nobody's.
    pub(in crate::config) fn css_if_there(&self, name: Option<&Text>) -> Option<Option<CssId>> {
        name.map_or(Some(None), |name| self.spaces.get(name.as_str()).copied().map(Some))
    }

    pub(in crate::config) fn css(&self, name: Option<&Text>) -> Option<CssId> {
        self.spaces.get(name?.as_str()).copied()
    }

    pub(in crate::config) fn origin(&self, id: PatternId) -> Option<&Origin<'d>> {
        self.origins.get(id.0 as usize)
    }
}

fn transformations<'d>(
    document: &'d Document,
    partitions: &AHashMap<&str, PartitionId>,
    builders: [DialPlanBuilder; 2],
) -> [Transforming<'d>; 2] {
    let mut parties = [Party::Calling, Party::Called].into_iter();
    builders.map(|mut builder| {
        let party = parties.next().unwrap_or(Party::Called);
        let rows: Vec<_> = document.transformations.iter().filter(|row| row.party == party).collect();
        for row in &rows {
            builder.row(Row {
                pattern: row.pattern.value.clone(),
                partition: row.partition.as_ref().and_then(|name| partitions.get(name.as_str()).copied()),
                urgent: false,
                emergency: false,
                transform: row.transform.clone(),
                target: Target::Block,
            });
        }
        (party, builder.build(), rows)
    })
}

/// Every directory number of a device or user.
pub(in crate::config) fn numbers(document: &Document) -> impl Iterator<Item = &Text> {
    let devices = document.devices.iter().flat_map(|device| &device.directory_numbers);
    devices.chain(document.users.iter().filter_map(|user| user.directory_number.as_ref()))
}

/// The numbers of devices and users that no directory-number pattern covers; whether one does not depend on who dials it.
fn bare_numbers(document: &Document) -> AHashSet<Digits> {
    let mut bare: AHashSet<Digits> =
        numbers(document).filter_map(|number| Digits::from_bytes(number.value.as_bytes()).ok()).collect();
    // Nearly all patterns are of one number; the others, reachable by everybody.
    let mut builder = DialPlanBuilder::default();
    for row in document.patterns.iter().filter(|row| row.kind == PatternKind::DirectoryNumber) {
        if let Some(digits) = row.pattern.value.only_number() {
            bare.remove(&digits);
            continue;
        }
        builder.row(Row {
            pattern: row.pattern.value.clone(),
            partition: None,
            urgent: false,
            emergency: false,
            transform: RowTransform::default(),
            target: Target::DirectoryNumber { peer: None, intercom: row.intercom },
        });
    }
    let several = builder.build();
    bare.retain(|digits| !finds(&several, &[], digits));
    bare
}

/// Whether some row takes the number.
pub(in crate::config) fn finds(plan: &DialPlan, css: &[CssId], digits: &Digits) -> bool {
    matches!(plan.analyse(css, digits, None, Civil(0)).outcome, Outcome::Found { .. })
}

fn positions<'d>(names: impl Iterator<Item = &'d Text>) -> AHashMap<&'d str, u32> {
    let mut found = AHashMap::new();
    for (index, name) in names.enumerate() {
        found.entry(name.as_str()).or_insert(u32::try_from(index).unwrap_or(u32::MAX));
    }
    found
}
