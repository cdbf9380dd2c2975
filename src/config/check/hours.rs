//! Moments at which a dial plan is looked at: what a partition hides by day must not be missed because the check reads it
//! at night (D-4).

use crate::config::document::{self, Document};
use crate::config::plan::schedule::{HOURS_MAX, Schedule, hours};
use crate::config::report::Report;
use crate::limits::SCHEDULED_MOMENTS_MAX;
use emcc_policies::moment::Civil;
use emcc_policies::search_space::Hours;
use std::collections::HashSet;

/// Where more hours must be told apart than anybody can, the hours of one week stand for all.
const HOURS_OF_A_WEEK: i64 = 7 * 24;
const HOUR_S: i64 = 3_600;

/// When a dial plan is looked at.
pub(super) struct Looked {
    /// One hour of each kind there is; nothing where these are too many, and every mixture of open and closed schedules
    /// must be taken to occur.
    pub(super) hours: Option<Vec<Civil>>,
    /// One moment for each combination of open and closed schedules there is, [`SCHEDULED_MOMENTS_MAX`] at most; one moment
    /// where no partition has a schedule.
    pub(super) moments: Vec<Civil>,
}

/// When to look at the dial plan of a document. Says where that is not at every hour there is.
pub(super) fn looked(document: &Document, report: &Report) -> Looked {
    let scheduled = document.partitions.iter().filter_map(|row| row.schedule.as_ref());
    let named: HashSet<_> = scheduled.map(|name| name.as_str()).collect();
    let rows: Vec<_> = document.schedules.iter().filter(|row| named.contains(row.name.as_str())).collect();
    let schedules: Vec<Schedule> = rows.iter().map(|row| Schedule::of(row)).collect();
    let hours = hours(&schedules);
    let week = || (0..HOURS_OF_A_WEEK).map(|hour| Civil(hour * HOUR_S)).collect();
    let all: Vec<Civil> = hours.clone().unwrap_or_else(week);
    let (mut seen, mut moments) = (HashSet::new(), Vec::new());
    for at in all {
        let open: Vec<bool> = schedules.iter().map(|schedule| schedule.open(at)).collect();
        if seen.insert(open) {
            moments.push(at);
        }
    }
    tell(&rows, hours.is_some(), moments.len(), report);
    moments.truncate(SCHEDULED_MOMENTS_MAX);
    Looked { hours, moments }
}

/// Says what is not looked at, at the first schedule.
fn tell(rows: &[&document::Schedule], is_every_hour: bool, moments: usize, report: &Report) {
    let Some(first) = rows.first() else { return };
    let fix = "Use fewer schedules, fewer zones, or periods that begin and end together.";
    if !is_every_hour {
        let message = format!(
            "the schedules tell more than {HOURS_MAX} hours apart: which pattern takes an emergency number is told as if \
             any of them could be open while any other is closed, and what callers reach is told by the hours of one week"
        );
        report.warning(&first.name.place, message, fix);
    }
    if moments > SCHEDULED_MOMENTS_MAX {
        let message = format!(
            "the schedules are open and closed in {moments} ways: whether callers reach emergency numbers, and whether \
             translations go in circles, was looked at in {SCHEDULED_MOMENTS_MAX} of them"
        );
        report.warning(&first.name.place, message, fix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combinations(text: &str) -> Vec<Vec<bool>> {
        let head = "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n";
        let source = crate::config::source::read_text("test", &format!("{head}{text}"));
        assert!(!source.report.has_errors(), "{:?}", source.report.into_problems());
        let schedules: Vec<_> = source.document.schedules.iter().map(Schedule::of).collect();
        let moments = looked(&source.document, &source.report).moments;
        let mut seen: Vec<Vec<bool>> =
            moments.iter().map(|at| schedules.iter().map(|schedule| schedule.open(*at)).collect()).collect();
        seen.sort_unstable();
        seen
    }

    #[test]
    fn every_combination_that_occurs_is_looked_at_once_and_no_other_d4() {
        let partition = |name: &str| format!("[[partition]]\nname = \"PT-{name}\"\nschedule = \"{name}\"\n");
        let schedule = |name: &str, zone: &str, from: &str, to: &str| {
            format!(
                "{}[[schedule]]\nname = \"{name}\"\nzone = \"{zone}\"\n\
                 periods = [{{ days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"], from = \"{from}\", to = \"{to}\" }}]\n",
                partition(name)
            )
        };
        assert_eq!(combinations("").len(), 1);
        assert_eq!(combinations(&schedule("day", "Europe/Berlin", "08:00", "17:00")), [[false], [true]]);
        // Day and night are never both open, and never both closed.
        let day_and_night = schedule("day", "UTC", "08:00", "20:00") + &schedule("night", "UTC", "20:00", "08:00");
        assert_eq!(combinations(&day_and_night), [[false, true], [true, false]]);
        // Seven in New York is noon in Berlin in the two weeks in which only New York has put its clocks forward.
        let apart =
            schedule("a", "Europe/Berlin", "12:00", "13:00") + &schedule("b", "America/New_York", "07:00", "08:00");
        assert_eq!(combinations(&apart), [[false, false], [false, true], [true, false], [true, true]]);
    }

    /// The warnings of schedules, each on a partition of its own: `periods` of each, all in `zones`.
    fn told(zones: &[&str], periods: &[String]) -> Vec<String> {
        let mut text = "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n".to_owned();
        for (at, (zone, periods)) in zones.iter().flat_map(|zone| periods.iter().map(move |p| (zone, p))).enumerate() {
            text += &format!("[[partition]]\nname = \"PT-{at}\"\nschedule = \"hours-{at}\"\n");
            text += &format!("[[schedule]]\nname = \"hours-{at}\"\nzone = \"{zone}\"\nperiods = [{periods}]\n");
        }
        let source = crate::config::source::read_text("test", &text);
        assert!(!source.report.has_errors(), "{:?}", source.report.into_problems());
        let Looked { hours, moments } = looked(&source.document, &source.report);
        let problems = source.report.into_problems();
        let place = text.lines().position(|line| line.starts_with("name = \"hours-0\"")).unwrap() + 1;
        assert!(problems.iter().all(|problem| problem.line as usize == place), "{problems:?}");
        assert_eq!(hours.is_none(), problems.iter().any(|problem| problem.message.contains("hours apart")));
        assert!((1..=SCHEDULED_MOMENTS_MAX).contains(&moments.len()));
        problems.into_iter().map(|problem| problem.message).collect()
    }

    const EVERY_DAY: &str = "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";

    fn period(from_min: u16, to_min: u16) -> String {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        format!("{{ {EVERY_DAY}, from = \"{}\", to = \"{}\" }}", time(from_min), time(to_min))
    }

    /// Three minutes open, three closed: in zones that change their clocks in different weeks, so many hours differ that
    /// the proof of P-23 takes schedules as independent of each other.
    #[test]
    fn where_too_many_hours_are_told_apart_the_check_says_what_it_does_not_look_at_p23() {
        let minutes: Vec<_> = (0..240).map(|at| period(at * 6, at * 6 + 3)).collect();
        let often = [minutes.join(", ")];
        let zones = ["Europe/London", "America/New_York", "Australia/Sydney"];
        let said = told(&zones, &often);
        assert!(said.iter().any(|message| message.contains("more than 20000 hours apart")), "{said:?}");
        assert_eq!(told(&zones[..1], &often), [""; 0], "one zone is within the bound");
    }

    /// Seven schedules, each open in the hours whose number has one bit: more combinations than are looked at.
    #[test]
    fn where_too_many_combinations_occur_the_check_says_so_d4() {
        // Of fifteen minutes of a day, so that there are 96.
        let of_bit = |bit: u16| {
            let open = (0..96u16).filter(|quarter| quarter >> bit & 1 == 1);
            open.map(|quarter| period(quarter * 15, quarter * 15 + 15)).collect::<Vec<_>>().join(", ")
        };
        let bits: Vec<_> = (0..7).map(of_bit).collect();
        let said = told(&["UTC"], &bits);
        assert!(matches!(&*said, [one] if one.contains("in 96 ways") && one.contains("64 of them")), "{said:?}");
        assert_eq!(told(&["UTC"], &bits[..6]), [""; 0], "64 are all looked at");
    }
}
