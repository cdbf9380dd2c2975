//! Moments at which a dial plan is looked at: what a partition hides by day must not be missed because the check reads it
//! at night (D-4).

use crate::config::document::Document;
use crate::config::plan::schedule::{Schedule, hours};
use crate::limits::SCHEDULED_MOMENTS_MAX;
use emcc_policies::moment::Civil;
use emcc_policies::search_space::Hours;
use std::collections::HashSet;

/// Where more hours must be told apart than anybody can, the hours of one week stand for all.
const HOURS_OF_A_WEEK: i64 = 7 * 24;
const HOUR_S: i64 = 3_600;

/// One moment for each combination of open and closed schedules there is, [`SCHEDULED_MOMENTS_MAX`] at most; one moment
/// where no partition has a schedule.
pub(super) fn moments(document: &Document) -> Vec<Civil> {
    let scheduled = document.partitions.iter().filter_map(|row| row.schedule.as_ref());
    let named: HashSet<_> = scheduled.map(|name| name.as_str()).collect();
    let rows = document.schedules.iter().filter(|row| named.contains(row.name.as_str()));
    let schedules: Vec<Schedule> = rows.map(Schedule::of).collect();
    let all = hours(&schedules).unwrap_or_else(|| (0..HOURS_OF_A_WEEK).map(|hour| Civil(hour * HOUR_S)).collect());
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    for at in all {
        let open: Vec<bool> = schedules.iter().map(|schedule| schedule.open(at)).collect();
        if seen.insert(open) {
            found.push(at);
        }
        if found.len() >= SCHEDULED_MOMENTS_MAX {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combinations(text: &str) -> Vec<Vec<bool>> {
        let head = "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n";
        let source = crate::config::source::read_text("test", &format!("{head}{text}"));
        assert!(!source.report.has_errors(), "{:?}", source.report.into_problems());
        let schedules: Vec<_> = source.document.schedules.iter().map(Schedule::of).collect();
        let moments = moments(&source.document);
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
}
