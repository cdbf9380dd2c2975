//! Emergency numbers (P-23): nothing may stand before them, and every caller should reach them.

use crate::config::document::Document;
use crate::config::plan::dial_plan::{Dialing, finds};
use crate::config::report::{Place, Report};
use emcc_policies::digits::{Digits, Pattern};
use emcc_policies::moment::Civil;
use emcc_policies::search_space::{CssId, PartitionId, PatternId, SearchSpace, of_emcc_phone, of_phone};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Different search spaces that are looked at; a cluster has tens.
const SPACES_MAX: usize = 4_096;

pub(super) fn check(document: &Document, dialing: &Dialing<'_>, report: &Report) {
    let callers = callers(document, dialing);
    shadows(dialing, &callers, report);
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
    for user in document.users.iter().filter(|user| user.emcc_enabled) {
        let (line, emcc) = (dialing.css(user.line_css.as_ref()), dialing.css(user.emcc_css.as_ref()));
        for adjunct in &adjuncts {
            add(of_emcc_phone(*adjunct, line, emcc));
        }
    }
    found
}

/// A pattern that is no emergency one and takes a number of one that is.
fn shadows(dialing: &Dialing<'_>, callers: &[SearchSpace], report: &Report) {
    let plan = &dialing.plan;
    let single = plan.search_spaces().map(|css| SearchSpace::from_slice(&[css]));
    let spaces: Vec<_> = single.chain(callers.iter().cloned()).chain([SearchSpace::new()]).collect();
    let mut by_partition: BTreeMap<Option<PartitionId>, (Vec<PatternId>, Vec<PatternId>)> = BTreeMap::new();
    for (id, row) in plan.rows() {
        let (emergency, other) = by_partition.entry(row.partition).or_default();
        if row.emergency { emergency.push(id) } else { other.push(id) }
    }
    // Which of two rows of equal count wins depends on the order of their partitions alone, so each order of each
    // pair of partitions is looked at once.
    let mut looked_at: HashSet<(Option<PartitionId>, Option<PartitionId>, Ordering)> = HashSet::new();
    let mut told: HashSet<PatternId> = HashSet::new();
    for css in &spaces {
        let mut ranked: Vec<_> = css.iter().flat_map(|css| plan.css_partitions(*css)).copied().map(Some).collect();
        ranked.push(None);
        for &lost_in in &ranked {
            let Some((emergency, _)) = by_partition.get(&lost_in).filter(|(emergency, _)| !emergency.is_empty()) else {
                continue;
            };
            for &won_in in &ranked {
                let order = plan.rank(css, won_in).cmp(&plan.rank(css, lost_in));
                if !looked_at.insert((won_in, lost_in, order)) {
                    continue;
                }
                let Some((_, others)) = by_partition.get(&won_in) else { continue };
                for &won in others {
                    for &lost in emergency {
                        shadow(dialing, css, (won, lost), &mut told, report);
                    }
                }
            }
        }
    }
}

fn shadow(
    dialing: &Dialing<'_>,
    css: &[CssId],
    pair: (PatternId, PatternId),
    told: &mut HashSet<PatternId>,
    report: &Report,
) {
    let ((won, lost), plan) = (pair, &dialing.plan);
    let Some(digits) = plan.shadows(won, lost, css).filter(|_| !told.contains(&won)) else { return };
    let analysis = plan.analyse(css, &digits, None, Civil(0));
    // A closer emergency pattern may take the number from both.
    if analysis.translations.first().copied().or(analysis.outcome.row()) != Some(won) {
        return;
    }
    let (Some(winner), Some(row), Some(loser)) = (dialing.origin(won), plan.row(won), plan.row(lost)) else { return };
    told.insert(won);
    let message = format!(
        "\"{}\" takes {digits} from the emergency pattern \"{}\" in {}",
        row.pattern.text(),
        loser.pattern.text(),
        named(dialing, css)
    );
    report.error(winner.place(), message, "Narrow the pattern, or write emergency = true if it leads to help.");
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
