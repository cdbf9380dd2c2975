//! Ordinary patterns that take a configured emergency number (P-23), with an access code or without. A call that rings a
//! phone, or leaves with another number, is misled; one that leaves as it is, or meets a block, is doubtful.

use super::callers::Spaces;
use super::emergency::{NUMBERS_OF_PATTERN_MAX, SEARCHES_MAX, named, patterns_of};
use super::patterns::{list_name, member_name};
use crate::config::document::Document;
use crate::config::plan::build::Routing;
use crate::config::plan::dial_plan::Dialing;
use crate::config::report::Report;
use emcc_policies::digits::{Digits, Pattern};
use emcc_policies::emergency::number_of;
use emcc_policies::moment::Civil;
use emcc_policies::route::{Member, RouteListId};
use emcc_policies::search_space::{CssId, DialPlan, Outcome, PatternId, Row, SearchSpace, Target};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// What becomes of a number that an ordinary row takes.
enum Fate {
    /// A phone rings.
    Rings,
    /// It leaves as another number by this member.
    Changes(Member, RouteListId, Digits),
    /// It leaves by this route list.
    Leaves(RouteListId),
    /// A block, behind which it goes on.
    Blocked,
}

impl Fate {
    fn misleads(&self) -> bool {
        matches!(self, Self::Rings | Self::Changes(..))
    }
}

/// A configured number, as it may be dialed.
struct Tried<'a> {
    number: Digits,
    dialed: Digits,
    codes: &'a [Digits],
}

impl Tried<'_> {
    /// Whether a number that leaves is still this one: alone, behind an access code, or as dialed.
    fn is_kept(&self, called: &Digits) -> bool {
        let is_behind = |code: &Digits| code.then(&self.number).is_ok_and(|whole| whole == *called);
        *called == self.number || *called == self.dialed || self.codes.iter().any(is_behind)
    }
}

/// Patterns of which nobody can read whether they are emergency ones: what they take is not known before that is right.
pub(super) struct Slipped<'a> {
    dialing: &'a Dialing<'a>,
    report: &'a Report,
    has_errors: bool,
    known: RefCell<HashMap<PatternId, bool>>,
}

impl<'a> Slipped<'a> {
    pub(super) fn of(dialing: &'a Dialing<'a>, report: &'a Report) -> Self {
        Self { dialing, report, has_errors: report.has_errors(), known: RefCell::default() }
    }

    pub(super) fn has(&self, id: PatternId) -> bool {
        let look = || {
            self.dialing.origin(id).is_some_and(|origin| self.report.has_error_at_beside(origin.place(), "emergency"))
        };
        self.has_errors && *self.known.borrow_mut().entry(id).or_insert_with(look)
    }
}

/// Tells of each such pattern once a number, and gives back the pairs. Of patterns that `captures` has, the worst is told
/// already.
pub(super) fn check(
    document: &Document,
    dialing: &Dialing<'_>,
    routing: &Routing<'_>,
    spaces: &Spaces<'_>,
    captures: &HashSet<PatternId>,
    moments: &[Civil],
    (slipped, report): (&Slipped<'_>, &Report),
) -> HashSet<(PatternId, Digits)> {
    let plan = &dialing.plan;
    let own = &routing.book.emergency;
    let codes = own.access_codes.as_slice();
    let nobody = SearchSpace::new();
    // Whoever is not known calls with the search space of nothing.
    let begun: Vec<_> = spaces.callers.iter().chain([&nobody]).collect();
    let known: HashSet<_> = begun.iter().copied().collect();
    let others: Vec<_> = spaces.all.iter().filter(|space| !known.contains(space)).collect();
    let (mut told, mut doubtful, mut doubts) = (HashSet::new(), HashSet::new(), Vec::new());
    for &number in &own.numbers {
        let behind = codes.iter().filter_map(|code| code.then(&number).ok());
        for dialed in std::iter::once(number).chain(behind) {
            let tried = Tried { number, dialed, codes };
            let looked_at = begun.iter().map(|css| (*css, true)).chain(others.iter().map(|css| (*css, false)));
            for (css, is_begun) in looked_at {
                for (won, fate) in moments.iter().filter_map(|at| fate(plan, routing, css, &tried, *at)) {
                    let pair = (won, number);
                    if slipped.has(won) {
                        continue;
                    }
                    if fate.misleads() && (is_begun || !doubtful.contains(&pair)) && told.insert(pair) {
                        misled(document, dialing, won, &fate, &dialed, (css, is_begun), report);
                    } else if !fate.misleads() && is_begun && doubtful.insert(pair) {
                        doubts.push((won, fate, dialed, number, css));
                    }
                }
            }
        }
    }
    behind_dots(document, dialing, routing, &begun, moments, (slipped, report));
    doubts.retain(|(won, _, _, number, _)| !captures.contains(won) && !told.contains(&(*won, *number)));
    for (won, fate, dialed, number, css) in doubts {
        doubt(document, dialing, (won, &fate), &dialed, css, report);
        told.insert((won, number));
    }
    told
}

/// Warns where people who leave the access code out are misled: of `9.911` the number is 911, and as dialed it is no
/// emergency number unless it is listed, so that `9.1!` makes 11 of it.
fn behind_dots(
    document: &Document,
    dialing: &Dialing<'_>,
    routing: &Routing<'_>,
    begun: &[&SearchSpace],
    moments: &[Civil],
    (slipped, report): (&Slipped<'_>, &Report),
) {
    let (plan, own) = (&dialing.plan, &routing.book.emergency);
    let flagged = plan.rows().filter(|(_, row)| row.emergency && row.pattern.has_dot());
    let (configured, mut searches) = (patterns_of(&own.numbers), SEARCHES_MAX);
    let mut numbers: Vec<Digits> =
        flagged.flat_map(|(_, row)| behind_dot(plan, row, &configured, &mut searches)).collect();
    numbers.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    numbers.dedup();
    numbers.retain(|number| plan.emergency_match(number).is_none() && !own.numbers.contains(number));
    for number in numbers {
        let tried = Tried { number, dialed: number, codes: &own.access_codes };
        let mut told = HashSet::new();
        for css in begun {
            for (won, fate) in moments.iter().filter_map(|at| fate(plan, routing, css, &tried, *at)) {
                let (Some(origin), Some(row)) = (dialing.origin(won), plan.row(won)) else { continue };
                if fate.misleads() && !slipped.has(won) && told.insert(won) {
                    let does = does(document, &fate);
                    let message = format!(
                        "\"{}\" takes {number}, an emergency number behind an access code, and {does} {}",
                        row.pattern.text(),
                        within(dialing, css)
                    );
                    let fix = format!("List \"{number}\" in emergency.numbers, or narrow the pattern.");
                    report.warning(origin.place(), message, fix);
                }
            }
        }
    }
}

/// What stands behind the dot of the numbers of a pattern that have one length: all of them, or of many one of each set that no
/// pattern tells apart.
fn behind_dot(plan: &DialPlan, row: &Row, configured: &[Pattern], searches: &mut usize) -> Vec<Digits> {
    if let Some(every) = row.pattern.every_number(NUMBERS_OF_PATTERN_MAX) {
        return every.iter().map(|dialed| number_of(row, dialed)).collect();
    }
    let behind = row.pattern.text().split_once('.').and_then(|(_, behind)| Pattern::parse(behind).ok());
    let behind = behind.filter(|_| !row.pattern.repeats());
    behind.map(|behind| plan.shortest_apart(&behind, configured, NUMBERS_OF_PATTERN_MAX, searches)).unwrap_or_default()
}

/// The ordinary row that takes the number first, and what becomes of the number.
fn fate(
    plan: &DialPlan,
    routing: &Routing<'_>,
    css: &[CssId],
    tried: &Tried<'_>,
    at: Civil,
) -> Option<(PatternId, Fate)> {
    let analysis = plan.analyse(css, &tried.dialed, None, at);
    if analysis.emergency {
        return None;
    }
    let won = |last: PatternId| analysis.translations.first().copied().unwrap_or(last);
    match &analysis.outcome {
        Outcome::Found { row: id, dialed, .. } => {
            let row = plan.row(*id)?;
            let fate = match row.target {
                Target::RouteList(list) => by_list(routing, list, row, dialed, tried),
                _ => Fate::Rings,
            };
            Some((won(*id), fate))
        }
        Outcome::Blocked { row } => Some((won(*row), Fate::Blocked)),
        Outcome::Nothing | Outcome::OnlyBeginnings | Outcome::StillTranslating { .. } => None,
    }
}

fn by_list(routing: &Routing<'_>, list: RouteListId, row: &Row, dialed: &Digits, tried: &Tried<'_>) -> Fate {
    // A member by which the number would be too long is skipped (D-23).
    let leaves = routing
        .book
        .transforms(list, row)
        .filter_map(|(member, transform)| transform.called(&row.pattern, dialed).ok().map(|called| (member, called)));
    let changed = leaves.into_iter().find(|(_, called)| !tried.is_kept(called));
    changed.map_or(Fate::Leaves(list), |(member, called)| Fate::Changes(member, list, called))
}

/// What becomes of a number that is misled.
fn does(document: &Document, fate: &Fate) -> String {
    match fate {
        Fate::Changes(_, _, called) if called.is_empty() => "leaves nothing of it".to_owned(),
        Fate::Changes(member, list, called) => {
            let (member, list) = (member_name(document, *member), list_name(document, *list));
            format!("changes it to {called} by the member \"{member}\" of route list \"{list}\"")
        }
        _ => "rings a phone".to_owned(),
    }
}

/// An error where a call begins so; elsewhere nobody is misled yet.
fn misled(
    document: &Document,
    dialing: &Dialing<'_>,
    won: PatternId,
    fate: &Fate,
    dialed: &Digits,
    (css, is_begun): (&[CssId], bool),
    report: &Report,
) {
    let (Some(origin), Some(row)) = (dialing.origin(won), dialing.plan.row(won)) else { return };
    let does = does(document, fate);
    let message =
        format!("\"{}\" takes the emergency number {dialed} and {does} {}", row.pattern.text(), within(dialing, css));
    let fix = "Narrow the pattern, or write emergency = true if it leads to help.";
    if is_begun {
        report.error(origin.place(), message, fix);
    } else {
        report.warning(origin.place(), message + ", which no call begins with", fix);
    }
}

fn doubt(
    document: &Document,
    dialing: &Dialing<'_>,
    (won, fate): (PatternId, &Fate),
    dialed: &Digits,
    css: &[CssId],
    report: &Report,
) {
    let (Some(origin), Some(row)) = (dialing.origin(won), dialing.plan.row(won)) else { return };
    let (does, fix) = match fate {
        Fate::Leaves(list) => (
            format!("it leaves by route list \"{}\" as any other call does", list_name(document, *list)),
            "Write emergency = true if it leads to help, or narrow the pattern.",
        ),
        _ => (
            "it is blocked, and goes on by P-23 alone".to_owned(),
            "Narrow the block, or give the number a pattern of its own with emergency = true.",
        ),
    };
    let (text, within) = (row.pattern.text(), within(dialing, css));
    let message =
        format!("\"{text}\" takes the emergency number {dialed} {within} and is no emergency pattern: {does}");
    report.warning(origin.place(), message, fix);
}

/// Where a pattern takes a number.
fn within(dialing: &Dialing<'_>, css: &[CssId]) -> String {
    if css.is_empty() { "where there is no search space".to_owned() } else { format!("in {}", named(dialing, css)) }
}
