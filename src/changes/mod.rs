//! What changes between two configurations: for every group of callers who are treated alike, the sets of numbers whose
//! decision differs, found on the patterns themselves.
//!
//! Rows, lists and neighbours that mean the same in both are told apart from those that do not (`paired`, `reach`).
//! Only numbers that a row with another meaning matches, or begins, can be decided otherwise; they are followed through
//! every translation and split wherever some pattern tells two of them apart (`follow`). Of each piece that is left every
//! number takes the same way, so the function that decides live calls is asked a few of them, and says where each character
//! of what leaves came from (`fate`).

mod agreed;
mod callers;
mod fate;
mod follow;
mod leave;
mod paired;
mod places;
mod reach;
mod terms;

pub use callers::Who;
pub use leave::Leaving;
pub use terms::{Setting, Whose};

use std::collections::HashMap;

use emcc_policies::digits::{DIGITS_MAX, Digits};
use emcc_policies::moment::Civil;
use emcc_policies::numbers::{Budget, Exhausted, Part, Shape, Traced};

use self::callers::{Facts, callers};
use self::fate::{Found, differences};
use self::follow::Follow;
use self::paired::Pair;
use self::reach::Reach;
use crate::config::plan::Plan;
use crate::engine::decide::{Decision, Target};
use crate::engine::unsent::{self, Sender};

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// When the calls are made.
    pub at: Civil,
    /// The calling number; transforms show on it.
    pub calling: Option<Digits>,
    /// Longest number looked at, in characters; [`DIGITS_MAX`] for all there are.
    pub digits_max: usize,
    /// Steps the search may take.
    pub steps_max: u64,
}

impl Asked {
    /// Every number there is, with a calling number no mask is likely to have any character of: what changes with it shows.
    #[must_use]
    pub fn everything(at: Civil) -> Self {
        let calling = Digits::from_bytes(b"ABCDABCDABCDABC").ok();
        Self { at, calling, digits_max: DIGITS_MAX, steps_max: crate::limits::DIFF_STEPS_MAX }
    }
}

/// Callers who are treated alike in both configurations.
#[derive(Clone, Debug)]
pub struct Group {
    /// One of them.
    pub example: Who,
    /// How many there are.
    pub size: usize,
}

/// Numbers whose decision differs for the callers of a group, all in the same way.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which group, a place in [`Changes::groups`].
    pub group: usize,
    /// The numbers, each in one shape; none for the service URN.
    pub shapes: Vec<Shape>,
    /// One of them; none for the service URN.
    pub example: Option<Digits>,
    /// Whose turn it was in circular groups.
    pub turn: usize,
    /// Its decision in the first configuration.
    pub now: Decision,
    /// And in the second.
    pub next: Decision,
}

impl Change {
    /// Whether it is, or was, an emergency call (P-23).
    #[must_use]
    pub fn is_emergency(&self) -> bool {
        self.now.emergency || self.next.emergency
    }
}

/// Everything that changes.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Callers that both configurations have.
    pub groups: Vec<Group>,
    /// Callers that only the first has.
    pub only_now: Vec<Group>,
    /// Callers that only the second has.
    pub only_next: Vec<Group>,
    /// Emergency calls first.
    pub changes: Vec<Change>,
    /// Numbers of which another becomes as they leave.
    pub leaving: Vec<Leaving>,
    /// Settings of region, link, session, neighbours and places that are other ones for calls of somebody.
    pub settings: Vec<Setting>,
    /// False: the bound on steps was reached, and there may be more.
    pub is_complete: bool,
}

/// What was found on the patterns is not what the deciding function says: a fault of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The number it shows on.
    pub number: Digits,
}

/// What becomes of numbers as they leave is searched with this part of the steps the rest has.
const LEAVING_SHARE: u64 = 4;

/// Why a search ends early.
enum Stopped {
    Exhausted,
    Disagreement(Disagreement),
}

impl From<Exhausted> for Stopped {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl From<Disagreement> for Stopped {
    fn from(fault: Disagreement) -> Self {
        Self::Disagreement(fault)
    }
}

/// Whether a search came to its end.
fn is_whole(searched: Result<(), Stopped>) -> Result<bool, Disagreement> {
    match searched {
        Ok(()) => Ok(true),
        Err(Stopped::Exhausted) => Ok(false),
        Err(Stopped::Disagreement(fault)) => Err(fault),
    }
}

/// Compares two configurations.
///
/// # Errors
/// A fault of this program; nothing it found is to be relied upon.
pub fn between(now: &Plan, next: &Plan, asked: &Asked) -> Result<Changes, Disagreement> {
    let pair = Pair::of(now, next, asked);
    let mut changes = Changes { is_complete: true, ..Changes::default() };
    let (both, groups) = grouped(&pair, asked, &mut changes);
    changes.settings = terms::settings(&pair, &both);
    let mut budget = Budget::new(asked.steps_max / LEAVING_SHARE);
    changes.is_complete &= is_whole(leave::left_otherwise(&pair, asked, &mut budget, &mut changes.leaving))?;
    let mut budget = Budget::new(asked.steps_max);
    for (place, (now_facts, next_facts)) in both.iter().enumerate() {
        let Some(Group { example: who, .. }) = groups.get(place) else { continue };
        let reach = Reach::of(&pair, now_facts, next_facts, who, asked.at);
        changes.changes.extend(of_service(&pair, who, asked, place));
        if reach.is_nothing() {
            continue;
        }
        let follow = Follow::new(&pair, &reach, who, asked);
        let mut shapes = Vec::new();
        let searched = follow.run(&mut budget, &mut |shape, budget| {
            budget.spend(fate::STEPS_PER_SHAPE)?;
            shapes.push(shape);
            Ok(())
        });
        let mut found = Vec::new();
        let told = is_whole(differences(&pair, who, asked, shapes, &mut budget, &mut found))?;
        changes.is_complete &= searched != Err(Exhausted) && told && reach.is_complete();
        for Found { shapes, example, turn } in found {
            let (Some(now), Some(next)) = (
                decided(now, who, Target::Digits(example), asked, turn),
                decided(next, who, Target::Digits(example), asked, turn),
            ) else {
                continue;
            };
            changes.changes.push(Change { group: place, shapes, example: Some(example), turn, now, next });
        }
    }
    changes.groups = groups;
    changes.changes.sort_by_key(|change| !change.is_emergency());
    Ok(changes)
}

/// The groups of callers both have, with their facts in each; those of one alone go to `changes`.
fn grouped(pair: &Pair<'_>, asked: &Asked, changes: &mut Changes) -> (Vec<(Facts, Facts)>, Vec<Group>) {
    let (of_now, of_next) = (callers(pair.now.plan), callers(pair.next.plan));
    let mut places: HashMap<(Option<Facts>, Option<Facts>), usize> = HashMap::new();
    let mut found: Vec<(Option<Facts>, Option<Facts>, Group)> = Vec::new();
    let mut add = |now: Option<Facts>, next: Option<Facts>, who: Who| {
        let place = *places.entry((now.clone(), next.clone())).or_insert(found.len());
        match found.get_mut(place) {
            Some((.., group)) => group.size += 1,
            None => found.push((now, next, Group { example: who, size: 1 })),
        }
    };
    let known: HashMap<String, ()> = of_next.iter().map(|who| (who.key(), ())).collect();
    let gone: HashMap<String, ()> = of_now.iter().map(|who| (who.key(), ())).collect();
    for who in of_now {
        let now = Facts::of(&pair.now, &who, asked);
        let next = known.contains_key(&who.key()).then(|| Facts::of(&pair.next, &who, asked)).flatten();
        add(now, next, who);
    }
    for who in of_next.into_iter().filter(|who| !gone.contains_key(&who.key())) {
        let next = Facts::of(&pair.next, &who, asked);
        add(None, next, who);
    }
    let (mut both, mut groups) = (Vec::new(), Vec::new());
    for (now, next, group) in found {
        match (now, next) {
            (Some(now), Some(next)) => {
                both.push((now, next));
                groups.push(group);
            }
            (Some(_), None) => changes.only_now.push(group),
            (None, Some(_)) => changes.only_next.push(group),
            (None, None) => {}
        }
    }
    (both, groups)
}

/// The number a configuration reads in a dialed one: the emergency number it is but for how it is written (P-23).
pub(crate) fn read(plan: &Plan, dialed: &Digits) -> Digits {
    plan.emergency.read(&plan.dial_plan, dialed.as_bytes()).unwrap_or(*dialed)
}

/// The same by where its characters stand in the dialed one.
fn read_in(plan: &Plan, dialed: &Digits) -> Traced {
    let read = read(plan, dialed);
    let without_last = |count: usize| {
        let end = dialed.len().checked_sub(count)?;
        let begin = end.checked_sub(read.len())?;
        let is_there = dialed.as_bytes().get(begin..end)? == read.as_bytes();
        is_there.then(|| Traced::dialed(end, begin))
    };
    let literal = || Traced::new(read.as_bytes().iter().copied().map(Part::Literal));
    without_last(0).or_else(|| without_last(1)).unwrap_or_else(literal)
}

/// The decision of a call to what is dialed, as the node reads it.
fn decided(plan: &Plan, who: &Who, target: Target<'_>, asked: &Asked, turn: usize) -> Option<Decision> {
    let target = match target {
        Target::Digits(dialed) => Target::Digits(read(plan, &dialed)),
        other => other,
    };
    let question = who.question(plan, target, asked, turn)?;
    Some(unsent::decided(plan, &question, Sender::of(plan, question.source, None)))
}

/// The emergency service URN, which no pattern matches (P-23).
fn of_service(pair: &Pair<'_>, who: &Who, asked: &Asked, group: usize) -> Option<Change> {
    let target = Target::Service(b"urn:service:sos");
    (0..pair.turns).find_map(|turn| {
        let now = decided(pair.now.plan, who, target, asked, turn)?;
        let next = decided(pair.next.plan, who, target, asked, turn)?;
        let differs = fate::is_other(&now, &next, [&Digits::EMPTY; 2]);
        differs.then(|| Change { group, shapes: Vec::new(), example: None, turn, now, next })
    })
}

#[cfg(test)]
mod tests;
