//! Emergency numbers (P-23): nothing may stand before them, and every caller should reach them.

use super::callers::{Bare, Spaces};
use super::hours::Looked;
use super::names::Dangled;
use super::patterns::{list_name, member_name};
use super::taken::Slipped;
use super::{helpless, sites, taken};
use crate::config::document::Document;
use crate::config::plan::build::Routing;
use crate::config::plan::dial_plan::Dialing;
use crate::config::report::{Place, Report};
use emcc_policies::digits::{Digits, Pattern};
use emcc_policies::emergency::{Called, EmergencyNumbers, Recognised};
use emcc_policies::moment::Civil;
use emcc_policies::search_space::{Capture, Captures, CssId, DialPlan, Outcome, PatternId, SearchSpace, Target};
use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};

pub(super) fn check(
    document: &Document,
    dialing: &Dialing<'_>,
    routing: &Routing<'_>,
    dangled: &Dangled<'_>,
    spaces: &Spaces<'_>,
    looked: &Looked,
    report: &Report,
) {
    let moments = looked.moments.as_slice();
    let captures = captures(dialing, &spaces.all, looked.hours.as_deref(), report);
    let slipped = Slipped::of(dialing, report);
    let taken = taken::check(document, dialing, routing, spaces, &captures, moments, (&slipped, report));
    let numbers = numbers(dialing, &routing.book.emergency);
    if !dangled.is_of_translations() {
        reach(document, dialing, spaces, (&numbers, &routing.book.emergency), moments, report);
    }
    strays(
        document,
        dialing,
        spaces,
        &|won, number| captures.contains(&won) || taken.contains(&(won, number)),
        moments,
        (&slipped, report),
    );
    changed(document, dialing, routing, report);
    sites::check(document, routing, report);
    if !dangled.is_of_routes() {
        helpless::check(document, dialing, routing, &numbers, moments, report);
    }
}

/// Emergency patterns of which a member of their route list makes what is no emergency number: the transform may have been
/// written for other calls of that list. What a pattern makes of its own number was meant for it.
fn changed(document: &Document, dialing: &Dialing<'_>, routing: &Routing<'_>, report: &Report) {
    let own = &routing.book.emergency;
    for (id, row) in dialing.plan.rows().filter(|(_, row)| row.emergency) {
        let (Target::RouteList(list), Some(origin)) = (row.target, dialing.origin(id)) else { continue };
        let numbers = row.pattern.shortest_numbers(NUMBERS_OF_PATTERN_MAX);
        for (member, transform) in routing.book.transforms(list, row) {
            let changed = numbers.iter().find_map(|number| {
                let called = transform.called(&row.pattern, number).ok()?;
                let is_meant = row.transform.called(&row.pattern, number) == Ok(called);
                let is_kept = is_meant || own.recognise(&dialing.plan, Called::Number(&called), false).is_some();
                (!is_kept).then_some((number, called))
            });
            let Some((number, called)) = changed else { continue };
            let (member, list) = (member_name(document, member), list_name(document, list));
            let message = format!(
                "the member \"{member}\" of route list \"{list}\" makes {called} of the emergency number {number}, which is none"
            );
            let fix = "Give emergency patterns a route list of their own, or take the transform off that member.";
            report.warning(origin.place(), message, fix);
        }
    }
}

/// Patterns that are no emergency ones and take a number of one that is, which the same search space has. Gives them back.
fn captures(
    dialing: &Dialing<'_>,
    spaces: &[SearchSpace],
    hours: Option<&[Civil]>,
    report: &Report,
) -> HashSet<PatternId> {
    let plan = &dialing.plan;
    let Captures { found, unproved } = plan.captures(spaces, hours);
    let told = found.iter().map(|capture| capture.won).collect();
    for Capture { won, lost, digits, space } in found {
        let (Some(winner), Some(row), Some(loser)) = (dialing.origin(won), plan.row(won), plan.row(lost)) else {
            continue;
        };
        let message = format!(
            "\"{}\" takes {digits} from the emergency pattern \"{}\" in {}",
            row.pattern.text(),
            loser.pattern.text(),
            named(dialing, spaces.get(space).map(AsRef::as_ref).unwrap_or_default())
        );
        report.error(winner.place(), message, "Narrow the pattern, or write emergency = true if it leads to help.");
    }
    for id in unproved {
        let (Some(origin), Some(row)) = (dialing.origin(id), plan.row(id)) else { continue };
        let message = format!(
            "too many patterns have numbers of the emergency pattern \"{}\": not every number was looked at",
            row.pattern.text()
        );
        report.warning(origin.place(), message, "Write the emergency numbers out, each as a pattern of its own.");
    }
    told
}

pub(super) fn named(dialing: &Dialing<'_>, css: &[CssId]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for id in css {
        names.extend(dialing.spaces.iter().find(|(_, other)| *other == id).map(|(name, _)| *name));
    }
    if names.is_empty() { "every search space".to_owned() } else { format!("the search space {}", names.join(" + ")) }
}

/// Most numbers of one emergency pattern that are looked at each; of one with more, one of each set that no pattern tells apart.
pub(super) const NUMBERS_OF_PATTERN_MAX: usize = 64;
/// Most patterns of more numbers that are searched for such sets; beyond, each has one number.
pub(super) const SEARCHES_MAX: usize = 64;
/// Most numbers one caller is said not to reach, by name.
const LOST_NAMED_MAX: usize = 64;
/// Most numbers that are looked at because of their patterns; beyond, each pattern has one.
const NUMBERS_MAX: usize = 4_096;

/// A number of each emergency there is, each once: the configured ones, and those of the emergency patterns, of numbers that
/// no pattern tells apart one.
fn numbers(dialing: &Dialing<'_>, own: &EmergencyNumbers) -> Vec<Digits> {
    let plan = &dialing.plan;
    let (mut seen, mut alike, mut texts) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut numbers = own.numbers.clone();
    numbers.retain(|number| seen.insert(*number));
    let (configured, mut searches) = (patterns_of(&own.numbers), SEARCHES_MAX);
    for (_, row) in plan.rows().filter(|(_, row)| row.emergency && texts.insert(row.pattern.text())) {
        let found = match seen.len() < NUMBERS_MAX {
            true => plan.shortest_apart(&row.pattern, &configured, NUMBERS_OF_PATTERN_MAX, &mut searches),
            false => row.pattern.shortest_numbers(1),
        };
        let found = found.into_iter().filter(|number| seen.insert(*number));
        numbers.extend(found.filter(|number| decided_by(plan, own, number).is_none_or(|key| alike.insert(key))));
    }
    numbers
}

/// Numbers as patterns that match these alone.
pub(super) fn patterns_of(numbers: &[Digits]) -> Vec<Pattern> {
    numbers.iter().filter_map(|number| Pattern::parse(&number.as_str().replace('+', "\\+")).ok()).collect()
}

/// What decides where an emergency call to a number goes: what it is recognised by, and length and rows of every number it is
/// looked for as.
type DecidedBy = (Discriminant<Recognised>, Vec<(usize, Vec<PatternId>)>);

/// What decides of a number, for finding those that go alike. Nothing where a translation makes of it what only it becomes.
fn decided_by(plan: &DialPlan, own: &EmergencyNumbers, dialed: &Digits) -> Option<DecidedBy> {
    let emergency = own.recognise(plan, Called::Number(dialed), false)?;
    let number = emergency.number?;
    let behind = own.access_codes.iter().filter_map(|code| code.then(&number).ok());
    let tried: Vec<Digits> = [*dialed, number].into_iter().chain(behind).collect();
    let is_translated = tried.iter().any(|number| plan.may_translate(number));
    let rows = || tried.iter().map(|number| (number.len(), plan.rows_of(number))).collect();
    (!is_translated).then(|| (discriminant(&emergency.by), rows()))
}

/// Emergency numbers some caller's search space has no way for, at some hour.
fn reach(
    document: &Document,
    dialing: &Dialing<'_>,
    spaces: &Spaces<'_>,
    (numbers, own): (&[Digits], &EmergencyNumbers),
    moments: &[Civil],
    report: &Report,
) {
    let plan = &dialing.plan;
    let configured: HashSet<_> = own.numbers.iter().copied().collect();
    let finds = |css: &[CssId], number: &Digits, at: Civil| match plan.analyse(css, number, None, at).outcome {
        Outcome::Found { .. } => true,
        // One that is a block is told at itself.
        Outcome::Blocked { row } => plan.row(row).is_some_and(|row| row.emergency),
        _ => false,
    };
    let behind = |number: &Digits, css: &[CssId], at: Civil| {
        configured.contains(number)
            && own.access_codes.iter().any(|code| code.then(number).is_ok_and(|digits| finds(css, &digits, at)))
    };
    for css in &spaces.callers {
        let reaches = |number: &Digits, at: Civil| finds(css, number, at) || behind(number, css, at);
        let lost = numbers.iter().filter(|number| moments.iter().any(|at| !reaches(number, *at)));
        let lost: Vec<_> = lost
            .map(|number| match moments.iter().any(|at| reaches(number, *at)) {
                true => format!("{number} (at some hours)"),
                false => number.to_string(),
            })
            .collect();
        if let Some(Whose { words, place, .. }) = whose(document, dialing, spaces, css).filter(|_| !lost.is_empty()) {
            let numbers = if lost.len() == 1 { "number" } else { "numbers" };
            let named = lost.get(..LOST_NAMED_MAX).unwrap_or(&lost).join(", ");
            let more = match lost.len().saturating_sub(LOST_NAMED_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message = format!("{words} does not reach the emergency {numbers} {named}{more}");
            let fix = match css.is_empty() {
                true => "Give it a search space that has them; until then such calls go on by P-23 alone.",
                false => "Add a partition that has them; until then such calls go on by P-23 alone.",
            };
            report.warning(place, message, fix);
        }
    }
}

/// Ordinary patterns that take the number of an emergency pattern in a search space that does not have this one: the call
/// is known to be an emergency, and goes where the ordinary pattern leads. Told once for each pattern and search space.
fn strays(
    document: &Document,
    dialing: &Dialing<'_>,
    spaces: &Spaces<'_>,
    is_told: &dyn Fn(PatternId, Digits) -> bool,
    moments: &[Civil],
    (slipped, report): (&Slipped<'_>, &Report),
) {
    let plan = &dialing.plan;
    let mut told = HashSet::new();
    for (lost, digits) in plan.disputed_numbers() {
        for css in &spaces.callers {
            let taken = moments.iter().find_map(|at| {
                let analysis = plan.analyse(css, &digits, None, *at);
                let Outcome::Found { row, .. } = analysis.outcome else { return None };
                let first = analysis.translations.first().copied().unwrap_or(row);
                Some((first, row)).filter(|_| !analysis.emergency)
            });
            let mut is_new = |won: &PatternId| !is_told(*won, digits) && told.insert((*won, css));
            let is_known = |won: &PatternId| !slipped.has(*won) && !slipped.has(lost);
            let Some((won, last)) = taken.filter(|(won, _)| is_known(won) && is_new(won)) else { continue };
            let (Some(Whose { words, place }), Some(loser)) = (whose(document, dialing, spaces, css), plan.row(lost))
            else {
                continue;
            };
            let text = |id: PatternId| plan.row(id).map(|row| row.pattern.text()).unwrap_or_default();
            let rings = plan.row(last).is_some_and(|row| matches!(row.target, Target::DirectoryNumber { .. }));
            let message = format!(
                "{words} does not have the emergency pattern \"{}\", and its number {digits} {} by \"{}\"",
                loser.pattern.text(),
                if rings { "rings a phone" } else { "leaves as any other" },
                text(won)
            );
            let fix = "Add the emergency pattern's partition to it, or narrow the other pattern.";
            report.warning(place, message, fix);
        }
    }
}

/// Whose calls begin with a search space, and where to look.
pub(super) struct Whose<'d> {
    pub(super) words: String,
    pub(super) place: &'d Place,
}

/// The search space itself, where it was written first; who has none, where calls begin with none.
pub(super) fn whose<'d>(
    document: &'d Document,
    dialing: &Dialing<'_>,
    spaces: &Spaces<'d>,
    css: &[CssId],
) -> Option<Whose<'d>> {
    let Some(first) = css.first() else {
        return spaces.bare.as_ref().map(|caller| Whose { words: bare(caller), place: caller.place });
    };
    let space = document.spaces.iter().find(|space| dialing.css(Some(&space.name)) == Some(*first))?;
    Some(Whose { words: named(dialing, css), place: &space.name.place })
}

/// Whose calls begin with no search space.
fn bare(caller: &Bare<'_>) -> String {
    match caller.more {
        0 => format!("{}, without a search space,", caller.who),
        more => format!("{} (and {more} more), without a search space,", caller.who),
    }
}
