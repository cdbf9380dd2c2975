//! Numbers as they leave: what the transformation patterns of a gateway or of the trunk make of them (D-24, D-25).

use std::collections::HashMap;

use emcc_policies::digits::{Digits, Transform};
use emcc_policies::moment::Civil;
use emcc_policies::numbers::{Budget, EachMade, Exhausted, Shape, Traced, Watch, begun_shapes, split, transformed};
use emcc_policies::route::{Party, PeerId, RouteBook, TransformSpaces};
use emcc_policies::search_space::{CssId, DialPlan, Row};

use super::fate::{self, Made};
use super::paired::{Pair, Side};
use super::{Asked, Disagreement, Stopped};
use crate::config::plan::{Plan, RemoteClusterId};
use crate::engine::decide::NextHop;
use crate::engine::trust::is_told_who_calls;

/// What the transformation patterns of one end do to numbers, as far as it shows on the calls that are compared. Equal in
/// both configurations: nothing becomes of a number there that is another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Exit {
    called: usize,
    calling: Calling,
}

/// What becomes of the calling number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calling {
    /// What one set of patterns makes of it; translations change it before.
    Set(usize),
    /// This; nothing: it stays as the route made it.
    Number(Option<Digits>),
}

impl Default for Calling {
    fn default() -> Self {
        Self::Number(None)
    }
}

/// Both numbers, in the order of [`Sets`].
const PARTIES: [Party; 2] = [Party::Calling, Party::Called];

/// The set of no patterns.
const NO_PATTERNS: usize = 0;

/// Numbers of the sets of patterns of one end: for the calling, for the called number.
type Sets = [usize; 2];

/// The ends of one configuration.
#[derive(Default)]
pub(super) struct Exits {
    trunk: (Exit, Sets),
    peers: Vec<(Exit, Sets)>,
}

impl Exits {
    pub(super) fn trunk(&self) -> Exit {
        self.trunk.0
    }

    pub(super) fn peer(&self, id: PeerId) -> Exit {
        self.peers.get(id.0 as usize).map(|(exit, _)| *exit).unwrap_or_default()
    }

    /// Those of a peer, or of the trunk.
    fn sets(&self, of: Option<PeerId>) -> Sets {
        of.map_or(Some(self.trunk), |id| self.peers.get(id.0 as usize).copied()).unwrap_or_default().1
    }
}

/// Rows a number may be transformed by, partition by partition in the order of the search space, those in none last.
type Patterns<'p> = Vec<Vec<&'p Row>>;

/// The rows of a search space that can be reached at that time.
fn reached<'p>(plan: &'p Plan, party: Party, css: Option<CssId>, at: Civil) -> Patterns<'p> {
    let (Some(css), Some(all)) = (css, plan.routes.transformations.as_ref()) else { return Vec::new() };
    let patterns = all.patterns(party);
    let mut by_rank: HashMap<usize, Vec<&Row>> = HashMap::new();
    for (_, row) in patterns.rows() {
        let is_open = row.partition.is_none_or(|id| patterns.is_open(id, at));
        if let Some(rank) = patterns.rank(&[css], row.partition).filter(|_| is_open) {
            by_rank.entry(rank).or_default().push(row);
        }
    }
    let mut ranks: Vec<(usize, Vec<&Row>)> = by_rank.into_iter().collect();
    ranks.sort_unstable_by_key(|(rank, _)| *rank);
    let sorted = ranks.into_iter().map(|(_, mut rows)| {
        rows.sort_unstable_by_key(|row| row.pattern.text());
        rows
    });
    sorted.collect()
}

/// What tells two sets of patterns apart.
fn told<'p>(patterns: &Patterns<'p>) -> Vec<Vec<(&'p str, Transform)>> {
    let row = |row: &&'p Row| (row.pattern.text(), *row.transform);
    patterns.iter().map(|rows| rows.iter().map(row).collect()).collect()
}

/// The ends of both configurations, sets of patterns numbered alike where they say the same.
pub(super) fn exits(now: &Plan, next: &Plan, asked: &Asked) -> [Exits; 2] {
    let is_translated = [now, next].into_iter().any(translates_calling);
    let mut known: Vec<Vec<Vec<(&str, Transform)>>> = vec![Vec::new()];
    [now, next].map(|plan| {
        let Some(all) = plan.routes.transformations.as_deref() else { return Exits::default() };
        let mut seen: HashMap<(Party, Option<CssId>), usize> = HashMap::new();
        let mut number = |party: Party, css: Option<CssId>| {
            *seen.entry((party, css)).or_insert_with(|| {
                let wanted = told(&reached(plan, party, css, asked.at));
                known.iter().position(|one| *one == wanted).unwrap_or_else(|| {
                    known.push(wanted);
                    known.len() - 1
                })
            })
        };
        let mut exit = |mut spaces: TransformSpaces, is_told: bool| {
            spaces.calling = spaces.calling.filter(|_| is_told);
            let sets = PARTIES.map(|party| number(party, spaces.of(party)));
            let [calling, called] = sets;
            let made = |css, number| all.made(Party::Calling, css, number, asked.at).map(|(_, made)| made);
            let one = || spaces.calling.zip(asked.calling.as_ref()).and_then(|(css, number)| made(css, number));
            let is_several = is_translated && calling != NO_PATTERNS;
            let calling = if is_several { Calling::Set(calling) } else { Calling::Number(one()) };
            (Exit { called, calling }, sets)
        };
        let is_told = |to| is_told_who_calls(plan, to);
        let clusters = (0..).map(RemoteClusterId).take(plan.remote_clusters.len());
        let trunk = exit(all.trunk, clusters.map(NextHop::Remote).any(is_told));
        let peers = (0..).map(PeerId).zip(&all.peers);
        Exits { trunk, peers: peers.map(|(id, spaces)| exit(*spaces, is_told(NextHop::Peer(id)))).collect() }
    })
}

/// Whether some translation changes the calling number, so that more than one may leave.
fn translates_calling(plan: &Plan) -> bool {
    use emcc_policies::search_space::Target;
    plan.dial_plan.rows().any(|(_, row)| {
        let changes = row.transform.calling_mask.is_some() || !row.transform.calling_prefix.is_empty();
        changes && matches!(row.target, Target::Translate { .. })
    })
}

/// The configuration as it is without transformation patterns, where it has any.
pub(super) fn untransformed(plan: &Plan) -> Option<Plan> {
    plan.routes.transformations.as_ref()?;
    let routes = RouteBook { transformations: None, ..RouteBook::clone(&plan.routes) };
    let mut bare = plan.clone();
    bare.routes = routes.into();
    Some(bare)
}

/// What called numbers are told apart by in each search space they leave by.
pub(super) type Called<'p> = HashMap<CssId, Vec<Watch<'p>>>;

pub(super) fn called(plan: &Plan, at: Civil) -> Called<'_> {
    let all = plan.routes.transformations.as_deref();
    let spaces = all.into_iter().flat_map(|all| all.peers.iter().chain([&all.trunk]));
    let mut found = Called::new();
    for css in spaces.filter_map(|spaces| spaces.called) {
        found.entry(css).or_insert_with(|| {
            let rows = reached(plan, Party::Called, Some(css), at).into_iter().flatten();
            rows.map(|row| Watch { pattern: &row.pattern, leads: false }).collect()
        });
    }
    found
}

fn spaces_of(plan: &Plan, to: NextHop) -> Option<TransformSpaces> {
    let all = plan.routes.transformations.as_ref()?;
    match to {
        NextHop::Remote(_) => Some(all.trunk),
        NextHop::Peer(id) => all.peers.get(id.0 as usize).copied(),
        NextHop::Named | NextHop::Phone { .. } => None,
    }
}

impl fate::Side<'_> {
    /// The pieces of a shape of which all numbers, as they leave by each hop, are transformed in one way.
    pub(super) fn leaving(&self, shape: Shape, turn: usize, budget: &mut Budget) -> Result<Vec<Shape>, Stopped> {
        let (Some(bare), Some(all)) = (self.bare, self.plan.routes.transformations.as_deref()) else {
            return Ok(vec![shape]);
        };
        let before = fate::Side { plan: bare, bare: None, ..*self };
        let example = shape.example();
        let decision = before.decided(&example, turn)?;
        let spaces: Vec<Option<CssId>> =
            decision.next_hops.iter().map(|hop| spaces_of(self.plan, hop.to)?.called).collect();
        // An emergency number leaves as it is (P-23).
        if decision.emergency || spaces.iter().all(Option::is_none) {
            return Ok(vec![shape]);
        }
        let called = before.fate(&shape, turn)?.called;
        let mut done: Vec<(CssId, Traced)> = Vec::new();
        let mut pieces = vec![shape];
        for (css, parts) in spaces.into_iter().zip(called) {
            let Some(one) = css.map(|css| (css, Traced::new(parts))).filter(|one| !done.contains(one)) else {
                continue;
            };
            let (css, number) = &one;
            let watches = self.called.get(css).map(Vec::as_slice).unwrap_or_default();
            let end = End { patterns: &all.called, css: *css, at: self.asked.at };
            let mut smaller = Vec::new();
            for piece in pieces {
                split(&piece, number, watches, true, budget, &mut |piece, budget| {
                    end.made(&piece, number, budget, &mut |piece, _, budget| {
                        budget.spend(fate::STEPS_PER_SHAPE)?;
                        smaller.push(piece);
                        Ok(())
                    })
                })?;
            }
            pieces = smaller;
            done.push(one);
        }
        Ok(pieces)
    }
}

/// Where numbers leave.
struct End<'p> {
    patterns: &'p DialPlan,
    css: CssId,
    at: Civil,
}

impl End<'_> {
    /// What becomes of numbers that no pattern tells apart: nothing where none matches, or too little or too much would be
    /// left.
    fn made(&self, shape: &Shape, number: &Traced, budget: &mut Budget, each: EachMade<'_>) -> Result<(), Exhausted> {
        let won = self.patterns.closest_row(&[self.css], &number.of(&shape.example()), self.at);
        match won.and_then(|id| self.patterns.row(id)) {
            None => each(shape.clone(), None, budget),
            Some(Row { pattern, transform, .. }) => {
                transformed(shape, number, pattern, transform, budget, &mut |piece, made, budget| {
                    each(piece, made.filter(|made| !made.parts().is_empty()), budget)
                })
            }
        }
    }
}

/// Numbers of which another becomes as they leave by some ends, whoever calls.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Which of the two numbers.
    pub party: Party,
    /// The peers; none: the EMCC trunk.
    pub to: Vec<Option<Box<str>>>,
    /// The numbers before the transformation patterns, each in one shape.
    pub shapes: Vec<Shape>,
    /// One of them.
    pub example: Digits,
    /// What the first configuration makes of it; none: no pattern, the number leaves as the route made it.
    pub now: Option<Digits>,
    /// And the second.
    pub next: Option<Digits>,
}

/// An end both configurations have.
struct Both {
    name: Option<Box<str>>,
    spaces: [TransformSpaces; 2],
    sets: [Sets; 2],
}

fn ends(pair: &Pair<'_>) -> Vec<Both> {
    let spaces = |side: &Side<'_>, id: Option<PeerId>| {
        let all = side.plan.routes.transformations.as_deref();
        all.and_then(|all| id.map_or(Some(all.trunk), |id| all.peers.get(id.0 as usize).copied())).unwrap_or_default()
    };
    let both = |name: Option<Box<str>>, now: Option<PeerId>, next: Option<PeerId>| {
        let ids = [(&pair.now, now), (&pair.next, next)];
        Both { name, spaces: ids.map(|(side, id)| spaces(side, id)), sets: ids.map(|(side, id)| side.exits.sets(id)) }
    };
    let peers = (0..).map(PeerId).zip(&pair.now.plan.peers).filter_map(|(id, peer)| {
        let other = pair.next.peer_named(&peer.name)?;
        Some(both(Some(peer.name.clone()), Some(id), Some(other)))
    });
    std::iter::once(both(None, None, None)).chain(peers).collect()
}

/// Ends that treat one of the two numbers alike in each configuration.
struct Alike {
    /// Which set of patterns, in each.
    sets: [usize; 2],
    css: [Option<CssId>; 2],
    names: Vec<Option<Box<str>>>,
}

/// Every set of numbers that leaves otherwise by an end both configurations have.
pub(super) fn left_otherwise(
    pair: &Pair<'_>,
    asked: &Asked,
    budget: &mut Budget,
    found: &mut Vec<Leaving>,
) -> Result<(), Stopped> {
    let ends = ends(pair);
    for (place, party) in PARTIES.into_iter().enumerate() {
        let mut alike: Vec<Alike> = Vec::new();
        for end in &ends {
            let sets = end.sets.map(|sets| sets.get(place).copied().unwrap_or_default());
            if sets.first() == sets.last() {
                continue;
            }
            match alike.iter_mut().find(|known| known.sets == sets) {
                Some(Alike { names, .. }) => names.push(end.name.clone()),
                None => {
                    let css = end.spaces.map(|spaces| spaces.of(party));
                    alike.push(Alike { sets, css, names: vec![end.name.clone()] });
                }
            }
        }
        for Alike { css, names, .. } in alike {
            let between = Between { pair, party, css, asked };
            between.differences(&names, budget, found)?;
        }
    }
    Ok(())
}

/// One number, one end, two configurations.
struct Between<'a, 'p> {
    pair: &'a Pair<'p>,
    party: Party,
    css: [Option<CssId>; 2],
    asked: &'a Asked,
}

impl<'p> Between<'_, 'p> {
    fn plans(&self) -> [&'p Plan; 2] {
        [self.pair.now.plan, self.pair.next.plan]
    }

    fn ends(&self) -> [Option<End<'p>>; 2] {
        let [now, next] = self.plans();
        let end = |plan: &'p Plan, css: Option<CssId>| {
            let all = plan.routes.transformations.as_deref()?;
            Some(End { patterns: all.patterns(self.party), css: css?, at: self.asked.at })
        };
        let [css_now, css_next] = self.css;
        [end(now, css_now), end(next, css_next)]
    }

    /// What the function that live calls ask says of a number.
    fn says(&self, number: &Digits) -> [Option<Digits>; 2] {
        let [now, next] = self.plans();
        let [css_now, css_next] = self.css;
        [(now, css_now), (next, css_next)].map(|(plan, css)| {
            let all = plan.routes.transformations.as_deref()?;
            all.made(self.party, css?, number, self.asked.at).map(|(_, made)| made)
        })
    }

    /// Rows of both; those lead that the other does not have in a partition of the same rank, or all where these differ.
    fn watches(&self) -> Vec<Watch<'p>> {
        let [now, next] = self.plans();
        let [css_now, css_next] = self.css;
        let sides = [(now, css_now), (next, css_next)].map(|(plan, css)| reached(plan, self.party, css, self.asked.at));
        let [of_now, of_next] = &sides;
        let names = |plan: &'p Plan, patterns: &Patterns<'p>| -> Vec<Option<&'p str>> {
            use emcc_policies::trail::Names as _;
            let first = patterns.iter().filter_map(|rows| rows.first());
            first.map(|row| row.partition.map(|id| plan.partition(id))).collect()
        };
        let is_in_order = names(now, of_now) == names(next, of_next);
        let told = sides.each_ref().map(told);
        let [told_now, told_next] = &told;
        let mut watches = Vec::new();
        for (patterns, other) in [(of_now, told_next), (of_next, told_now)] {
            for (rank, rows) in patterns.iter().enumerate() {
                let others = other.get(rank).map(Vec::as_slice).unwrap_or_default();
                for row in rows {
                    let text = row.pattern.text();
                    let same = others.binary_search_by_key(&text, |(text, _)| text).ok().and_then(|at| others.get(at));
                    let is_same = is_in_order && same.is_some_and(|(_, transform)| *transform == *row.transform);
                    watches.push(Watch { pattern: &row.pattern, leads: !is_same });
                }
            }
        }
        watches
    }

    fn differences(
        &self,
        names: &[Option<Box<str>>],
        budget: &mut Budget,
        found: &mut Vec<Leaving>,
    ) -> Result<(), Stopped> {
        let ends = self.ends();
        let mut pieces: Vec<(Shape, [Option<Traced>; 2])> = Vec::new();
        let searched = begun_shapes(&self.watches(), false, self.asked.digits_max, budget, &mut |shape, budget| {
            let number = Traced::dialed(shape.len(), 0);
            let [now, next] = &ends;
            made_by(now.as_ref(), &shape, &number, budget, &mut |piece, old, budget| {
                made_by(next.as_ref(), &piece, &number, budget, &mut |piece, new, _| {
                    pieces.push((piece, [old.clone(), new]));
                    Ok(())
                })
            })
        });
        let mut groups: HashMap<[Option<Made>; 2], usize> = HashMap::new();
        for (shape, made) in pieces {
            for shape in self.differing(shape, &made) {
                let told = made.each_ref().map(|made| made.as_ref().map(|made| fate::made(made.parts(), &shape)));
                let place = *groups.entry(told).or_insert(found.len());
                if let Some(known) = found.get_mut(place) {
                    known.shapes.push(shape);
                    continue;
                }
                let example = shape.example();
                // The last word is that of the function live calls ask.
                let [now, next] = self.says(&example);
                let as_it_was = Some(example).filter(|_| self.party == Party::Called);
                if now.or(as_it_was) == next.or(as_it_was) {
                    return Err(Disagreement { number: example }.into());
                }
                found.push(Leaving { party: self.party, to: names.to_vec(), shapes: vec![shape], example, now, next });
            }
        }
        Ok(searched?)
    }

    /// The numbers of a shape of which something else becomes. A called number that no pattern changes leaves as it was;
    /// so does a calling number, but then as the route made it, whatever that is.
    fn differing(&self, shape: Shape, made: &[Option<Traced>; 2]) -> Vec<Shape> {
        let whole = Traced::dialed(shape.len(), 0);
        let parts = made.each_ref().map(|made| match made {
            None if self.party == Party::Called => Some(whole.parts()),
            made => made.as_ref().map(Traced::parts),
        });
        match parts {
            [None, None] => Vec::new(),
            [Some(old), Some(new)] => {
                let (mut differing, mut equal) = (Vec::new(), Vec::new());
                fate::parted(&[old], &[new], shape, &mut differing, &mut equal);
                differing
            }
            _ => vec![shape],
        }
    }
}

fn made_by(
    end: Option<&End<'_>>,
    shape: &Shape,
    number: &Traced,
    budget: &mut Budget,
    each: EachMade<'_>,
) -> Result<(), Exhausted> {
    match end {
        None => each(shape.clone(), None, budget),
        Some(end) => end.made(shape, number, budget, each),
    }
}

/// Whether what becomes of a number that leaves by some end is another, asked of the function live calls ask: for tests.
#[cfg(test)]
pub(super) fn is_left_otherwise(pair: &Pair<'_>, party: Party, to: Option<&str>, number: &Digits, at: Civil) -> bool {
    let made = |side: &Side<'_>| {
        let all = side.plan.routes.transformations.as_deref()?;
        let spaces = match to {
            None => all.trunk,
            Some(name) => *all.peers.get(side.peer_named(name)?.0 as usize)?,
        };
        all.made(party, spaces.of(party)?, number, at).map(|(_, made)| made)
    };
    let as_it_was = Some(*number).filter(|_| party == Party::Called);
    made(&pair.now).or(as_it_was) != made(&pair.next).or(as_it_was)
}
