//! Time schedules of partitions: when the clock on the wall of a zone says that one can be reached (D-4).

use crate::config::document;
use emcc_policies::moment::Civil;
use emcc_policies::search_space::Hours;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::ops::Range;

/// Minutes of a day.
pub(in crate::config) const DAY_MIN: u16 = 1_440;
/// Minutes of a week.
const WEEK_MIN: u16 = 7 * DAY_MIN;

/// A schedule.
#[derive(Debug)]
pub(in crate::config) struct Schedule {
    zone: TimeZone,
    /// Minutes since Monday, 0:00; none crosses the end of the week.
    open: Box<[Range<u16>]>,
}

impl Schedule {
    pub(in crate::config) fn of(row: &document::Schedule) -> Self {
        let mut open = Vec::new();
        for period in &row.periods {
            let (from, to) = (period.from.value, period.to.value);
            // A period that ends before it begins goes on into the next day.
            let minutes = if from < to { to - from } else { DAY_MIN - from + to };
            for day in &period.days {
                let begins = u16::from(day.value) * DAY_MIN + from;
                let ends = begins + minutes;
                open.push(begins..ends.min(WEEK_MIN));
                open.push(0..ends.saturating_sub(WEEK_MIN));
            }
        }
        open.retain(|range| !range.is_empty());
        Self { zone: row.zone.as_ref().map_or(TimeZone::UTC, |at| at.value.clone()), open: open.into() }
    }
}

/// Most hours that are told apart.
pub(in crate::config) const HOURS_MAX: usize = 20_000;
/// Weeks looked through for all ways in which the clocks of several zones stand to each other: a year of them.
const WEEKS: i64 = 53;
/// The Monday they begin with: 2026-01-05, 0:00 UTC.
const FIRST_MONDAY: i64 = 1_767_571_200;
const WEEK_S: i64 = WEEK_MIN as i64 * 60;

/// One hour of each kind there is: at any time the schedules are open and closed as at one of these, by the rules zones
/// have in 2026. Nothing where that would be too many.
pub(in crate::config) fn hours(schedules: &[Schedule]) -> Option<Vec<Civil>> {
    let mut zones: Vec<&TimeZone> = Vec::new();
    for Schedule { zone, .. } in schedules {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    let offset_s = |zone: &TimeZone, at: i64| {
        Timestamp::from_second(at).map_or(0, |time| i64::from(zone.to_offset(time).seconds()))
    };
    // Where every clock stands at the beginning and at the end, one week of a kind.
    let mut weeks: Vec<(Vec<[i64; 2]>, i64)> = Vec::new();
    for monday in (0..WEEKS).map(|week| FIRST_MONDAY + week * WEEK_S) {
        let clocks = zones.iter().map(|zone| [monday, monday + WEEK_S].map(|at| offset_s(zone, at))).collect();
        if !weeks.iter().any(|(known, _)| *known == clocks) {
            weeks.push((clocks, monday));
        }
    }
    let mut hours: Vec<i64> = Vec::new();
    for (clocks, monday) in weeks {
        let week = monday..monday + WEEK_S;
        hours.push(monday);
        for (zone, clocks) in zones.iter().zip(&clocks) {
            let edges = schedules.iter().filter(|schedule| schedule.zone == **zone).flat_map(|schedule| &schedule.open);
            let minutes = edges.flat_map(|range| [range.start, range.end]);
            let seconds = minutes.flat_map(|minute| clocks.map(|offset| monday + i64::from(minute) * 60 - offset));
            // A week of the zone's clock begins elsewhere than that of UTC.
            let all = seconds.flat_map(|at| [at - WEEK_S, at, at + WEEK_S]);
            hours.extend(all.filter(|at| week.contains(at)));
            let changes = Timestamp::from_second(monday).ok().into_iter().flat_map(|time| zone.following(time));
            let changes = changes.map(|change| change.timestamp().as_second());
            hours.extend(changes.take_while(|at| week.contains(at)));
        }
        hours.sort_unstable();
        hours.dedup();
        if hours.len() > HOURS_MAX {
            return None;
        }
    }
    Some(hours.into_iter().map(Civil).collect())
}

impl Hours for Schedule {
    fn open(&self, at: Civil) -> bool {
        // Years that a calendar does not have are at its ends.
        let time = Timestamp::from_second(at.0).unwrap_or(if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX });
        let local = self.zone.to_datetime(time);
        let part = |part: i8| u16::try_from(part).unwrap_or(0);
        let day = part(local.weekday().to_monday_zero_offset());
        let minute = day * DAY_MIN + part(local.hour()) * 60 + part(local.minute());
        self.open.iter().any(|range| range.contains(&minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(zone: &str, periods: &str) -> Schedule {
        let text = format!(
            "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n\
             [[schedule]]\nname = \"s\"\nzone = \"{zone}\"\nperiods = [{periods}]\n"
        );
        let source = crate::config::source::read_text("test", &text);
        assert!(!source.report.has_errors(), "{:?}", source.report.into_problems());
        Schedule::of(&source.document.schedules[0])
    }

    fn at(text: &str) -> Civil {
        Civil(text.parse::<Timestamp>().unwrap().as_second())
    }

    #[test]
    fn a_schedule_is_open_in_its_periods_by_the_clock_of_its_zone_d4() {
        let office = r#"{days = ["mon", "tue", "wed", "thu", "fri"], from = "08:00", to = "17:00"}"#;
        let night = r#"{days = ["fri", "sun"], from = "22:00", to = "06:00"}"#;
        let whole = r#"{days = ["sat"], from = "00:00", to = "24:00"}"#;
        for (zone, periods, time, want) in [
            // 2026-01-05 is a Monday; London is at UTC then, New York five hours behind.
            ("Europe/London", office, "2026-01-05T07:59:59Z", false),
            ("Europe/London", office, "2026-01-05T08:00:00Z", true),
            ("Europe/London", office, "2026-01-05T16:59:59Z", true),
            ("Europe/London", office, "2026-01-05T17:00:00Z", false),
            ("Europe/London", office, "2026-01-10T12:00:00Z", false),
            ("America/New_York", office, "2026-01-05T12:00:00Z", false),
            ("America/New_York", office, "2026-01-05T13:00:00Z", true),
            // In summer London is an hour ahead.
            ("Europe/London", office, "2026-07-06T07:00:00Z", true),
            ("Europe/London", office, "2026-07-06T06:59:59Z", false),
            // Over midnight into the next day, and from Sunday into Monday.
            ("UTC", night, "2026-01-09T21:59:59Z", false),
            ("UTC", night, "2026-01-09T22:00:00Z", true),
            ("UTC", night, "2026-01-10T05:59:59Z", true),
            ("UTC", night, "2026-01-10T06:00:00Z", false),
            ("UTC", night, "2026-01-09T05:00:00Z", false),
            ("UTC", night, "2026-01-11T23:00:00Z", true),
            ("UTC", night, "2026-01-12T05:00:00Z", true),
            ("UTC", night, "2026-01-12T23:00:00Z", false),
            ("UTC", whole, "2026-01-10T00:00:00Z", true),
            ("UTC", whole, "2026-01-10T23:59:59Z", true),
            ("UTC", whole, "2026-01-11T00:00:00Z", false),
        ] {
            assert_eq!(read(zone, periods).open(at(time)), want, "{zone} {periods} {time}");
        }
    }

    #[test]
    fn the_hour_that_comes_twice_is_open_twice_and_the_skipped_one_never() {
        let early = read("Europe/London", r#"{days = ["sun"], from = "01:30", to = "01:45"}"#);
        // Clocks go back at 01:00 UTC on 2026-10-25, forward at 01:00 UTC on 2026-03-29.
        let times = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"];
        assert_eq!(times.map(|time| early.open(at(time))), [true, true, false, false]);
    }

    /// Whatever the minute of some years, its kind is among the hours told apart.
    #[test]
    fn no_kind_of_hour_is_left_out_d4() {
        let day = r#"{days = ["mon", "tue", "wed", "thu", "fri"], from = "08:00", to = "17:30"}"#;
        let night = r#"{days = ["sat", "sun"], from = "22:00", to = "06:00"}"#;
        let early = r#"{days = ["sun"], from = "00:30", to = "02:30"}"#;
        for specs in [
            vec![("UTC", day)],
            vec![("Europe/London", day), ("Europe/London", night), ("Europe/London", early)],
            vec![("America/New_York", day), ("Europe/London", night), ("Australia/Sydney", early), ("Asia/Tokyo", day)],
        ] {
            let schedules: Vec<Schedule> = specs.iter().map(|(zone, periods)| read(zone, periods)).collect();
            let kind = |at: Civil| schedules.iter().map(|schedule| schedule.open(at)).collect::<Vec<bool>>();
            let known: std::collections::HashSet<Vec<bool>> =
                hours(&schedules).unwrap().into_iter().map(kind).collect();
            // Every 30 minutes of two years.
            for half_hour in 0..2 * 366 * 48 {
                let time = Civil(1_767_225_600 + half_hour * 1_800);
                assert!(known.contains(&kind(time)), "{time:?} {specs:?}");
            }
        }
        assert_eq!(hours(&[]).map(|hours| hours.len()), Some(1));
    }

    #[test]
    fn any_second_there_is_has_an_answer() {
        let always = read(
            "Asia/Tokyo",
            r#"{days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from = "00:00", to = "24:00"}"#,
        );
        assert!([i64::MIN, -1, 0, i64::MAX].into_iter().all(|second| always.open(Civil(second))));
    }
}
