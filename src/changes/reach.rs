//! Which rows may decide a number otherwise, for the callers of one group: those that say something else, whose target is
//! something else, that stand elsewhere in a search space, or that translate into a search space in which such a row is.

use std::collections::{HashMap, HashSet};

use emcc_policies::digits::{Digits, Pattern, Transform};
use emcc_policies::emergency::PLUS_DIGITS_MAX;
use emcc_policies::moment::Civil;
use emcc_policies::numbers::Watch;
use emcc_policies::route::{Distribution, LocalRouteGroupId, Member, PeerId, PeerKind, RouteGroupId, RouteListId};
use emcc_policies::search_space::{PatternId, Target};

use super::callers::{Facts, Who};
use super::leave::Exit;
use super::paired::{Aim, Pair, Side, Space};
use crate::engine::decide::Role;
use crate::neighbour::Address;

/// The ways numbers of one group may be decided otherwise.
pub(super) struct Reach<'a, 'p> {
    pair: &'a Pair<'p>,
    facts: (&'a Facts, &'a Facts),
    at: Civil,
    /// Targets that mean something else to this group.
    aims: HashSet<Aim>,
    /// Partitions that stand elsewhere in a space, or are only in one of the two.
    moved: HashMap<Space, HashSet<u32>>,
    /// Of a gateway's callers, whose lines are looked for in each search space alone: partitions of those that are only in one of
    /// the two.
    apart: HashSet<u32>,
    /// Spaces in which something is decided otherwise.
    touched: HashSet<Space>,
    /// What becomes of emergency calls is another.
    emergency: bool,
    /// Every number is in question.
    pub(super) everything: bool,
    /// Emergency numbers, with and without access codes, that are no row's own pattern.
    numbers: Vec<Pattern>,
    /// How every emergency number may be written otherwise (P-23).
    written: Vec<Pattern>,
    is_complete: bool,
}

/// The partitions of search spaces that list what none of the other configuration does in that order.
fn apart(pair: &Pair<'_>) -> HashSet<u32> {
    let [now, next] = [&pair.now, &pair.next].map(|side| -> HashSet<Vec<u32>> {
        side.plan.dial_plan.search_spaces().map(|css| side.partitions(&[css])).collect()
    });
    now.symmetric_difference(&next).flatten().copied().collect()
}

/// A member of a route list, as one group of callers meets it.
#[derive(PartialEq)]
enum Leg<'p> {
    /// The trunk to the cluster visited, what numbers are there, whether it takes ordinary calls, and whether they need TLS
    /// there (S-7).
    Trunk(&'p [Address], Exit, bool, bool),
    /// Gateways, and where trying begins.
    Group(Distribution, Vec<Neighbour<'p>>),
    /// A local route group that stands for nothing.
    Nothing,
}

/// What a peer is, where, and what numbers are there.
type Neighbour<'p> = (PeerKind, &'p [Address], Exit);

impl<'a, 'p> Reach<'a, 'p> {
    pub(super) fn of(pair: &'a Pair<'p>, now: &'a Facts, next: &'a Facts, who: &Who, at: Civil) -> Self {
        let is_itself = matches!(who, Who::AbroadItself(_));
        let everything = !now.is_refused_like(next)
            || is_itself && (now.role != next.role || phones(&pair.now, None) != phones(&pair.next, None));
        let Recognised { numbers, written, is_complete } = emergency_patterns(pair);
        let has_emergencies = [&pair.now, &pair.next]
            .iter()
            .any(|side| !side.emergency.is_empty() || !side.plan.emergency.numbers.is_empty());
        let mut reach = Self {
            pair,
            facts: (now, next),
            at,
            aims: HashSet::new(),
            moved: HashMap::new(),
            apart: if matches!(who, Who::Gateway) { apart(pair) } else { HashSet::new() },
            touched: HashSet::new(),
            emergency: false,
            everything,
            numbers,
            written,
            is_complete,
        };
        reach.aims = reach.other_aims();
        reach.emergency = everything || reach.is_emergency_other();
        reach.touch();
        // An emergency that goes on asks its caller's own search space with what it goes on as.
        let is_in_own = has_emergencies && reach.touched.contains(&Space::Root);
        if !reach.emergency && (is_in_own || reach.emergency_leads_to().any(|space| reach.touched.contains(&space))) {
            reach.emergency = true;
            reach.touch();
        }
        reach
    }

    /// Whether nothing can be decided otherwise.
    pub(super) fn is_nothing(&self) -> bool {
        !self.everything && !self.emergency && !self.touched.contains(&Space::Root)
    }

    /// False: an emergency number behind an access code cannot be written as a pattern.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether what becomes of emergency calls is another.
    pub(super) fn is_emergency_touched(&self) -> bool {
        self.emergency
    }

    /// The partitions of a space in order, by their number in both.
    pub(super) fn partitions(&self, is_now: bool, space: Space) -> Vec<u32> {
        let (side, facts) = if is_now { (&self.pair.now, self.facts.0) } else { (&self.pair.next, self.facts.1) };
        match space {
            Space::Root => facts.partitions.clone(),
            Space::Css(number) => side.css(number).map(|css| side.partitions(&[css])).unwrap_or_default(),
            Space::Nowhere => Vec::new(),
        }
    }

    /// Rows of both configurations that a pass in this space is decided by; those lead that may decide otherwise.
    pub(super) fn watches(&self, space: Space) -> Vec<Watch<'p>> {
        let mut watches = Vec::new();
        let (of_now, of_next) = (self.partitions(true, space), self.partitions(false, space));
        let in_now: HashSet<u32> = of_now.iter().copied().collect();
        for (is_now, partitions) in [(true, of_now), (false, of_next)] {
            let side = if is_now { &self.pair.now } else { &self.pair.next };
            for partition in partitions.into_iter().chain([self.pair.none()]) {
                let is_in_both = !is_now && (in_now.contains(&partition) || partition == self.pair.none());
                for &id in side.rows.get(partition as usize).into_iter().flatten() {
                    // A row that says the same is there already.
                    if is_in_both && !side.is_changed(id) {
                        continue;
                    }
                    let Some(row) = side.plan.dial_plan.row(id) else { continue };
                    watches.push(Watch { pattern: &row.pattern, leads: self.leads(side, id, space, partition) });
                }
            }
        }
        watches
    }

    /// What emergency calls are recognised by, in either configuration.
    pub(super) fn emergency_watches(&self) -> impl Iterator<Item = Watch<'_>> {
        let leads = self.emergency;
        let rows = [&self.pair.now, &self.pair.next].into_iter().flat_map(|side| {
            side.emergency.iter().filter_map(move |id| side.plan.dial_plan.row(*id)).map(|row| &row.pattern)
        });
        rows.chain(&self.numbers).map(move |pattern| Watch { pattern, leads })
    }

    /// What may be an emergency number written otherwise, in either configuration.
    pub(super) fn written_watches(&self, leads: bool) -> impl Iterator<Item = Watch<'_>> {
        self.written.iter().map(move |pattern| Watch { pattern, leads })
    }

    fn leads(&self, side: &Side<'_>, id: PatternId, space: Space, partition: u32) -> bool {
        let Some(row) = side.plan.dial_plan.row(id) else { return false };
        side.is_changed(id)
            || self.emergency && row.emergency
            || side.aim(row.target).is_some_and(|aim| self.aims.contains(&aim))
            || self.moved.get(&space).is_some_and(|moved| moved.contains(&partition))
            || matches!(row.target, Target::Translate { css } if self.touched.contains(&side.space(css)))
    }

    fn other_aims(&self) -> HashSet<Aim> {
        let aims: HashSet<Aim> = self.pair.summaries.iter().flat_map(|summary| summary.aims.iter().copied()).collect();
        let (now, next) = self.facts;
        let is_other = |aim: &Aim| {
            now.role != next.role
                || match *aim {
                    Aim::List(number) => legs(&self.pair.now, number, now) != legs(&self.pair.next, number, next),
                    Aim::Phones(peer) => phones(&self.pair.now, peer) != phones(&self.pair.next, peer),
                }
        };
        aims.into_iter().filter(is_other).collect()
    }

    fn is_emergency_other(&self) -> bool {
        let (a, b) = (&self.pair.now, &self.pair.next);
        let (now, next) = self.facts;
        let other_row = |side: &Side<'_>| {
            side.emergency.iter().any(|id| {
                let aim = side.plan.dial_plan.row(*id).and_then(|row| side.aim(row.target));
                side.is_changed(*id) || aim.is_some_and(|aim| self.aims.contains(&aim))
            })
        };
        let is_closed_otherwise = |side: &Side<'_>| {
            side.emergency.iter().filter_map(|id| side.plan.dial_plan.row(*id)).any(|row| {
                let number = side.partition(row, self.pair.none());
                number != self.pair.none() && a.open(&[number], self.at) != b.open(&[number], self.at)
            })
        };
        // Of those that match as closely the first one is taken, whatever partition it is in.
        let kept: Vec<_> = a.emergency.iter().filter_map(|id| a.same.get(id.0 as usize).copied().flatten()).collect();
        let is_in_other_order = !kept.is_sorted();
        a.plan.emergency.numbers != b.plan.emergency.numbers
            || a.plan.emergency.access_codes != b.plan.emergency.access_codes
            || last_resort(a) != last_resort(b)
            || now.role != next.role
            || now.role == Role::Home && trunk(a, now) != trunk(b, next)
            || other_row(a)
            || other_row(b)
            || is_closed_otherwise(a)
            || is_in_other_order
    }

    fn emergency_leads_to(&self) -> impl Iterator<Item = Space> {
        [&self.pair.now, &self.pair.next].into_iter().flat_map(|side| {
            side.emergency.iter().filter_map(move |id| match side.plan.dial_plan.row(*id)?.target {
                Target::Translate { css } => Some(side.space(css)),
                _ => None,
            })
        })
    }

    /// Finds the spaces in which something is decided otherwise: where a row is, then all that lead there.
    fn touch(&mut self) {
        let mut open: Vec<Space> = [Space::Root].into_iter().chain(self.emergency_leads_to()).collect();
        let mut edges: Vec<(Space, Space)> = Vec::new();
        let mut seen = HashSet::new();
        while let Some(space) = open.pop() {
            if !seen.insert(space) {
                continue;
            }
            let (now, next) = (self.partitions(true, space), self.partitions(false, space));
            let all: HashSet<u32> = now.iter().chain(&next).copied().chain([self.pair.none()]).collect();
            let mut moved = self.moved_between(&now, &next);
            if space == Space::Root {
                moved.extend(&self.apart);
            }
            let summaries = all.iter().filter_map(|number| self.pair.summaries.get(*number as usize));
            let mut is_touched = !moved.is_empty();
            for summary in summaries {
                is_touched |= summary.has_changed
                    || self.emergency && summary.has_emergency
                    || summary.aims.iter().any(|aim| self.aims.contains(aim));
                edges.extend(summary.leads_to.iter().map(|to| (space, *to)));
                open.extend(summary.leads_to.iter().copied());
            }
            self.moved.insert(space, moved);
            if is_touched {
                self.touched.insert(space);
            }
        }
        loop {
            let before = self.touched.len();
            for (from, to) in &edges {
                if self.touched.contains(to) {
                    self.touched.insert(*from);
                }
            }
            if self.touched.len() == before {
                return;
            }
        }
    }

    /// Partitions in only one of two search spaces, those open at only one, and those of both that change places.
    fn moved_between(&self, now: &[u32], next: &[u32]) -> HashSet<u32> {
        let all: HashSet<u32> = now.iter().chain(next).copied().collect();
        let (now, next) = (self.pair.now.open(now, self.at), self.pair.next.open(next, self.at));
        if now == next {
            return HashSet::new();
        }
        let place = |list: &[u32]| -> HashMap<u32, usize> { list.iter().copied().zip(0..).collect() };
        let (in_now, in_next) = (place(&now), place(&next));
        let is_moved = |number: &u32| match (in_now.get(number), in_next.get(number)) {
            (Some(a), Some(b)) => all.iter().any(|other| match (in_now.get(other), in_next.get(other)) {
                (Some(x), Some(y)) => (a < x) != (b < y) && other != number,
                _ => false,
            }),
            (None, None) => false,
            _ => true,
        };
        all.iter().copied().filter(is_moved).collect()
    }
}

/// Where a route list leads callers with these facts, member by member.
fn legs<'p>(side: &Side<'p>, list: u32, facts: &Facts) -> Vec<(Leg<'p>, Option<Transform>)> {
    let list = side.list(list).and_then(|id: RouteListId| side.plan.routes.lists.get(id.0 as usize));
    let members = list.map(|list| list.members.as_slice()).unwrap_or_default();
    let local = |name: Option<LocalRouteGroupId>| match name {
        None => facts.standard,
        Some(name) => facts.named.iter().find(|(known, _)| *known == name).map(|(_, group)| *group),
    };
    let leg = |member: &Member| match *member {
        Member::Group(group) => gateways(side, Some(group)),
        Member::Standard | Member::Named(_) if facts.role == Role::Home => trunk(side, facts),
        Member::Standard => gateways(side, local(None)),
        Member::Named(name) => gateways(side, local(Some(name))),
    };
    members.iter().map(|(member, transform)| (leg(member), *transform)).collect()
}

fn gateways<'p>(side: &Side<'p>, group: Option<RouteGroupId>) -> Leg<'p> {
    let Some(group) = group.and_then(|id| side.plan.routes.groups.get(id.0 as usize)) else { return Leg::Nothing };
    Leg::Group(group.distribution, group.peers.iter().filter_map(|id| peer(side, *id)).collect())
}

fn trunk<'p>(side: &Side<'p>, facts: &Facts) -> Leg<'p> {
    let Some((link, remote)) = facts.link.and_then(|id| Some((id, side.plan.remote_cluster(id)?))) else {
        return Leg::Nothing;
    };
    Leg::Trunk(&remote.addresses, side.exits.trunk(), side.plan.pstn_access_active(link), facts.is_secure())
}

fn peer<'p>(side: &Side<'p>, id: PeerId) -> Option<Neighbour<'p>> {
    side.plan.peer(id).map(|peer| (peer.kind, &*peer.addresses, side.exits.peer(id)))
}

/// The call control a directory number is at, or all of them.
fn phones<'p>(side: &Side<'p>, number: Option<u32>) -> Vec<Neighbour<'p>> {
    match number {
        Some(number) => side.peer(number).and_then(|id| peer(side, id)).into_iter().collect(),
        None => {
            let all = (0..).map(PeerId).take(side.plan.peers.len()).filter_map(|id| peer(side, id));
            all.filter(|(kind, ..)| *kind == PeerKind::CallControl).collect()
        }
    }
}

fn last_resort<'p>(side: &Side<'p>) -> Vec<Neighbour<'p>> {
    side.plan.routes.last_resort.iter().filter_map(|id| peer(side, *id)).collect()
}

/// What emergency calls are recognised by, beside the rows themselves.
struct Recognised {
    /// Emergency numbers that stand in no row: those configured, and every emergency number behind an access code (P-23).
    numbers: Vec<Pattern>,
    /// All emergency numbers as they may be written otherwise.
    written: Vec<Pattern>,
    /// False: one of them is too long to be written as a pattern.
    is_complete: bool,
}

/// What may stand before an emergency number without counting: a `+` and no country code, or one of up to three digits.
const PLUS_FORMS: [&str; 4] = ["\\+", "\\+X", "\\+XX", "\\+XXX"];

fn emergency_patterns(pair: &Pair<'_>) -> Recognised {
    let mut is_complete = true;
    let mut parsed = |mut texts: Vec<String>| -> Vec<Pattern> {
        texts.sort_unstable();
        texts.dedup();
        let patterns: Vec<Pattern> = texts.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
        is_complete &= patterns.len() == texts.len();
        patterns
    };
    let (mut numbers, mut rows): (Vec<String>, Vec<String>) = Default::default();
    for side in [&pair.now, &pair.next] {
        let emergency = &side.plan.emergency;
        let escaped = |digits: &Digits| digits.as_str().replace('+', "\\+");
        let own_rows = side.emergency.iter().filter_map(|id| side.plan.dial_plan.row(*id));
        let of_rows: Vec<String> = own_rows.map(|row| row.pattern.text().to_owned()).collect();
        let own: Vec<String> = emergency.numbers.iter().map(escaped).collect();
        for code in emergency.access_codes.iter().map(escaped) {
            numbers.extend(of_rows.iter().chain(&own).map(|number| format!("{code}{number}")));
        }
        numbers.extend(own);
        rows.extend(of_rows);
    }
    let numbers = parsed(numbers);
    let rows = parsed(rows);
    let mut written = Vec::new();
    for pattern in numbers.iter().chain(&rows) {
        let text = pattern.text();
        let is_short = pattern.only_number().is_none_or(|number| number.len() <= PLUS_DIGITS_MAX);
        let plus = PLUS_FORMS.iter().filter(|_| is_short).map(|plus| format!("{plus}{text}"));
        for form in plus.chain([text.to_owned()]) {
            written.push(format!("{form}#"));
            written.extend((form != text).then_some(form));
        }
    }
    let written = parsed(written);
    Recognised { numbers, written, is_complete }
}
