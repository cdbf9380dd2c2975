//! A point in time as people and programs write it: RFC 3339, or Unix seconds.

use emcc_policies::moment::Civil;
use toml::value::{Datetime, Offset};

/// Reads `2026-03-29T01:00:00Z`, any other RFC 3339 time with its offset, or Unix seconds.
pub(in crate::cli) fn parse(text: &str) -> Result<Civil, &'static str> {
    const WANTED: &str = "a time is RFC 3339 with its offset, as 2026-03-29T01:00:00Z, or Unix seconds";
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(Civil(seconds));
    }
    let instant: Datetime = text.parse().map_err(|_| WANTED)?;
    let (Some(date), Some(time), Some(offset)) = (instant.date, instant.time, instant.offset) else {
        return Err(WANTED);
    };
    let ahead_min = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let days = days_since_1970(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let minutes = days * 24 * 60 + i64::from(time.hour) * 60 + i64::from(time.minute) - ahead_min;
    Ok(Civil(minutes * 60 + i64::from(time.second.unwrap_or(0))))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Counted from March, so that the leap day ends its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    const DAYS_TO_1970_FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    year * 365 + leap_days + day_of_year - DAYS_TO_1970_FROM_MARCH_OF_YEAR_0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_and_unix_seconds_name_the_same_instants() {
        for (text, want) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("1774746000", Some(1_774_746_000)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59Z", Some(-1)),
            ("2000-02-29T00:00:00Z", Some(951_782_400)),
            ("2000-03-01T00:00:00Z", Some(951_868_800)),
            ("2026-03-29T01:00:00Z", Some(1_774_746_000)),
            ("2026-03-29T01:00:00.25Z", Some(1_774_746_000)),
            ("2026-03-29T03:00:00+02:00", Some(1_774_746_000)),
            ("2026-03-28T20:00:00-05:00", Some(1_774_746_000)),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-03-29T01:00:00", None),
            ("2026-03-29", None),
            ("noon", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok(), want.map(Civil), "{text}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let mut last = days_since_1970(1899, 12, 31);
        for year in 1900..2110 {
            for month in 1..=12 {
                let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                let days = match month {
                    2 if leap => 29,
                    2 => 28,
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                for day in 1..=days {
                    let this = days_since_1970(year, month, day);
                    assert_eq!(this, last + 1, "{year}-{month}-{day}");
                    last = this;
                }
            }
        }
    }
}
