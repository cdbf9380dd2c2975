//! Moments at which a dial plan is looked at: what a partition hides by day must not be missed because the check reads it
//! at night (D-4).

use crate::config::document::{Document, Schedule as Row};
use crate::config::plan::schedule::{DAY_MIN, Schedule};
use crate::limits::SCHEDULED_MOMENTS_MAX;
use emcc_policies::moment::Civil;
use emcc_policies::search_space::Hours;
use std::collections::HashSet;

/// Mondays 0:00 UTC of weeks in which zones stand differently to each other: winter, between the American and the
/// European change of clocks in spring and in autumn, and summer.
const WEEKS_FROM: [i64; 4] = [1_768_176_000, 1_773_619_200, 1_783_900_800, 1_792_972_800];
const DAY_S: i64 = 86_400;
const MINUTE_S: i64 = 60;

/// One moment for each combination of open and closed schedules that those weeks have, [`SCHEDULED_MOMENTS_MAX`] at most;
/// one moment where there is no schedule. Between two changes of any schedule nothing changes, so each change is enough.
pub(super) fn moments(document: &Document) -> Vec<Civil> {
    let scheduled = document.partitions.iter().filter_map(|row| row.schedule.as_ref());
    let named: HashSet<_> = scheduled.map(|name| name.as_str()).collect();
    let rows: Vec<&Row> = document.schedules.iter().filter(|row| named.contains(row.name.as_str())).collect();
    let schedules: Vec<Schedule> = rows.iter().map(|row| Schedule::of(row)).collect();
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    for at in changes(&rows) {
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

/// Every moment of those weeks at which a schedule may change, and the beginning of each.
fn changes(rows: &[&Row]) -> Vec<Civil> {
    let mut walls: Vec<_> = Vec::new();
    for row in rows {
        for period in &row.periods {
            walls.extend(
                [period.from.value % DAY_MIN, period.to.value % DAY_MIN]
                    .map(|minute| (row.zone.as_ref().map(|at| &at.value), minute)),
            );
        }
    }
    let mut found = Vec::new();
    for week in WEEKS_FROM {
        found.push(Civil(week));
        // A day more on either side: a zone's Monday begins before or after that of UTC.
        for (zone, minute) in &walls {
            for day in -1..8 {
                let utc = week + day * DAY_S + i64::from(*minute) * MINUTE_S;
                let Ok(time) = jiff::Timestamp::from_second(utc) else { continue };
                let offset = zone.map_or(0, |zone| i64::from(zone.to_offset(time).seconds()));
                found.push(Civil(utc - offset));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
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
