//! Emergency numbers (P-23): nothing may stand before them, and every caller should reach them.

use crate::config::document::Document;
use crate::config::plan::dial_plan::{Dialing, finds};
use crate::config::plan::schedule::{self, Schedule};
use crate::config::report::{Place, Report};
use emcc_policies::digits::{Digits, Pattern};
use emcc_policies::moment::Civil;
use emcc_policies::search_space::{
    Capture, Captures, CssId, DialPlan, Outcome, PatternId, SearchSpace, Target, of_emcc_phone, of_phone,
};
use std::collections::{HashMap, HashSet};

/// Different search spaces that are looked at; a cluster has tens.
const SPACES_MAX: usize = 4_096;

pub(super) fn check(document: &Document, dialing: &Dialing<'_>, report: &Report) {
    let callers = callers(document, dialing);
    let single = dialing.plan.search_spaces().map(|css| SearchSpace::from_slice(&[css]));
    let spaces: Vec<_> = single.chain(callers.iter().cloned()).chain([SearchSpace::new()]).collect();
    captures(document, dialing, &spaces, report);
    taken(document, dialing, &spaces, report);
    reach(document, dialing, &callers, report);
}

/// The search spaces calls begin with, each once.
fn callers(document: &Document, dialing: &Dialing<'_>) -> Vec<SearchSpace> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut add = |space: SearchSpace| {
        if found.len() < SPACES_MAX && !space.is_empty() && seen.insert(space.clone()) {
            found.push(space);
        }
    };
    for trunk in document.emcc_trunk.iter().chain(&document.rsvp_trunk) {
        add(dialing.css(trunk.css.as_ref()).into_iter().collect());
    }
    let mut lines = HashMap::new();
    for user in &document.users {
        if let Some(number) = &user.directory_number {
            lines.entry(number.as_str()).or_insert(dialing.css(user.line_css.as_ref()));
        }
    }
    for device in &document.devices {
        let css = dialing.css(device.css.as_ref());
        let line = device.directory_numbers.first().and_then(|number| lines.get(number.as_str()).copied().flatten());
        add(of_phone(line, css));
    }
    let roaming = document.device_pools.iter().filter(|pool| {
        pool.geolocation.is_some() || document.template_pool.as_ref().is_some_and(|name| name.value == pool.name.value)
    });
    let adjuncts: HashSet<_> = roaming.map(|pool| dialing.css(pool.adjunct_css.as_ref())).collect();
    let mut adjuncts: Vec<_> = adjuncts.into_iter().collect();
    adjuncts.sort_unstable();
    let roaming = document.users.iter().filter(|user| user.emcc_enabled);
    let mut profiles = HashSet::new();
    for user in roaming {
        let profile = (dialing.css(user.line_css.as_ref()), dialing.css(user.emcc_css.as_ref()));
        if profiles.len() < SPACES_MAX && profiles.insert(profile) {
            adjuncts.iter().take(SPACES_MAX).for_each(|adjunct| add(of_emcc_phone(*adjunct, profile.0, profile.1)));
        }
    }
    found
}

/// Patterns that are no emergency ones and take a number of one that is.
fn captures(document: &Document, dialing: &Dialing<'_>, spaces: &[SearchSpace], report: &Report) {
    let plan = &dialing.plan;
    let schedules: Vec<Schedule> = document.schedules.iter().map(Schedule::of).collect();
    let hours = schedule::hours(&schedules);
    let Captures { found, unproved } = plan.captures(spaces, hours.as_deref());
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
}

/// Ordinary patterns that take a configured number, with an access code or without: a phone rings, or the number is
/// changed. A block is none of them: an emergency call goes on behind it.
fn taken(document: &Document, dialing: &Dialing<'_>, spaces: &[SearchSpace], report: &Report) {
    let plan = &dialing.plan;
    let codes = document.emergency.access_codes.iter().map(|at| at.value);
    let codes: Vec<_> = std::iter::once(Digits::EMPTY).chain(codes).collect();
    let mut told = HashSet::new();
    for number in document.emergency.numbers.iter().map(|at| at.value) {
        let dialed = codes.iter().filter_map(|code| Digits::from_bytes(format!("{code}{number}").as_bytes()).ok());
        for dialed in dialed.collect::<Vec<_>>() {
            for css in spaces {
                let Some((won, does)) = misled(plan, css, &dialed, &number) else { continue };
                let Some(origin) = dialing.origin(won).filter(|_| told.insert((won, number))) else { continue };
                let text = plan.row(won).map(|row| row.pattern.text()).unwrap_or_default();
                let message =
                    format!("\"{text}\" takes the emergency number {dialed} and {does} in {}", named(dialing, css));
                report.error(
                    origin.place(),
                    message,
                    "Narrow the pattern, or write emergency = true if it leads to help.",
                );
            }
        }
    }
}

/// The ordinary row that takes the number first, and what becomes of it, where that is no way to help.
fn misled(plan: &DialPlan, css: &[CssId], dialed: &Digits, number: &Digits) -> Option<(PatternId, String)> {
    let won = plan.first_winner(css, dialed)?;
    let analysis = plan.analyse(css, dialed, None, Civil(0));
    if plan.row(won)?.emergency || analysis.emergency {
        return None;
    }
    let Outcome::Found { row: last, dialed, .. } = analysis.outcome else { return None };
    let last = plan.row(last)?;
    match last.target {
        Target::DirectoryNumber { .. } => Some((won, "rings a phone".to_owned())),
        _ => {
            let called = last.transform.called(&last.pattern, &dialed).ok()?;
            let kept = called.as_bytes().ends_with(number.as_bytes());
            (!kept).then(|| (won, format!("changes it to {called}")))
        }
    }
}

fn named(dialing: &Dialing<'_>, css: &[CssId]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for id in css {
        names.extend(dialing.spaces.iter().find(|(_, other)| *other == id).map(|(name, _)| *name));
    }
    if names.is_empty() { "every search space".to_owned() } else { format!("the search space {}", names.join(" + ")) }
}

/// A number that the pattern matches, if one is easily found.
pub(super) fn sample(pattern: &Pattern) -> Option<Digits> {
    let mut made = String::new();
    let mut characters = pattern.text().chars();
    while let Some(c) = characters.next() {
        match c {
            'X' | '!' => made.push('0'),
            '[' => {
                let inside: String = characters.by_ref().take_while(|c| *c != ']').collect();
                let one = match inside.strip_prefix('^') {
                    Some(not) => ('0'..='9').find(|digit| !in_brackets(not, *digit)),
                    None => inside.chars().next(),
                };
                made.extend(one);
            }
            '\\' => made.extend(characters.next()),
            '.' | '?' | '+' => {}
            literal => made.push(literal),
        }
    }
    Digits::from_bytes(made.as_bytes()).ok().filter(|digits| pattern.matches(digits).full)
}

fn in_brackets(text: &str, digit: char) -> bool {
    let written: Vec<_> = text.chars().collect();
    let ranged = written.windows(3).any(|range| range[1] == '-' && (range[0]..=range[2]).contains(&digit));
    ranged || written.contains(&digit)
}

/// Emergency numbers some caller's search space has no way for.
fn reach(document: &Document, dialing: &Dialing<'_>, callers: &[SearchSpace], report: &Report) {
    let plan = &dialing.plan;
    let mut numbers: Vec<Digits> = document.emergency.numbers.iter().map(|at| at.value).collect();
    numbers.extend(plan.rows().filter(|(_, row)| row.emergency).filter_map(|(_, row)| sample(&row.pattern)));
    let mut seen = HashSet::new();
    numbers.retain(|number| seen.insert(*number));
    let configured: HashSet<_> = document.emergency.numbers.iter().map(|at| at.value).collect();
    let codes = &document.emergency.access_codes;
    let behind = |number: &Digits, css: &[CssId]| {
        configured.contains(number)
            && codes.iter().any(|code| {
                let dialed = format!("{}{number}", code.value);
                Digits::from_bytes(dialed.as_bytes()).is_ok_and(|digits| finds(plan, css, &digits))
            })
    };
    for css in callers {
        let lost = numbers.iter().filter(|number| !finds(plan, css, number) && !behind(number, css));
        let lost: Vec<_> = lost.map(ToString::to_string).collect();
        if let Some(place) = place_of(document, dialing, css).filter(|_| !lost.is_empty()) {
            let message = format!(
                "{} does not reach the emergency number{} {}",
                named(dialing, css),
                if lost.len() == 1 { "" } else { "s" },
                lost.join(", ")
            );
            report.warning(place, message, "Add a partition that has them; until then such calls go on by P-23 alone.");
        }
    }
}

/// Where the first search space of a concatenation was written.
fn place_of<'d>(document: &'d Document, dialing: &Dialing<'_>, css: &[CssId]) -> Option<&'d Place> {
    let first = css.first()?;
    let space = document.spaces.iter().find(|space| dialing.css(Some(&space.name)) == Some(*first))?;
    Some(&space.name.place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_number_of_its_pattern() {
        for (text, want) in [
            ("9.911", Some("9911")),
            ("1[2-9]X", Some("120")),
            ("[^0-5]", Some("6")),
            ("\\+44!", Some("+440")),
            ("0!#", Some("00#")),
            ("91X?", Some("910")),
            ("1X+", Some("10")),
        ] {
            let pattern = Pattern::parse(text).unwrap();
            assert_eq!(sample(&pattern).map(|d| d.to_string()).as_deref(), want, "{text}");
        }
    }
}
