//! Times as people and file names want them.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the clock says.
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A time of day in UTC.
pub(crate) struct Utc {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: u64,
    millis: u32,
}

impl Utc {
    pub(crate) fn now() -> Utc {
        Utc::at(since_epoch())
    }

    /// The civil calendar from days since 1970-01-01, counting years from March so that the leap day is
    /// the last of its year; eras are 400 years.
    pub(super) fn at(since_epoch: Duration) -> Utc {
        let seconds = since_epoch.as_secs();
        let days = i64::try_from(seconds / 86_400).unwrap_or(0) + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Utc {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            second_of_day: seconds % 86_400,
            millis: since_epoch.subsec_millis(),
        }
    }

    /// `2026-11-22T22:32:26.123Z`
    pub(crate) fn rfc3339(&self) -> String {
        let (h, m, s) = self.clock();
        format!("{:04}-{:02}-{:02}T{h:02}:{m:02}:{s:02}.{:03}Z", self.year, self.month, self.day, self.millis)
    }

    /// `20261122-223226-123`: sorts by time, and is a file name everywhere.
    pub(super) fn compact(&self) -> String {
        let (h, m, s) = self.clock();
        format!("{:04}{:02}{:02}-{h:02}{m:02}{s:02}-{:03}", self.year, self.month, self.day, self.millis)
    }

    /// The time since 1970 that begins a text in the form of [`Utc::compact`], whatever follows.
    pub(super) fn parse(text: &str) -> Option<Duration> {
        civil(text, [0..4, 4..6, 6..8, 9..11, 11..13, 13..15, 16..19])
    }

    /// The time since 1970 of a text in the form of [`Utc::rfc3339`].
    pub(crate) fn parse_rfc3339(text: &str) -> Option<Duration> {
        civil(text, [0..4, 5..7, 8..10, 11..13, 14..16, 17..19, 20..23])
    }

    fn clock(&self) -> (u64, u64, u64) {
        (self.second_of_day / 3600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }
}

/// The time since 1970 of a year, month, day, hour, minute, second and millisecond, whose digits stand in these places.
fn civil(text: &str, places: [Range<usize>; 7]) -> Option<Duration> {
    let mut numbers = [0; 7];
    for (number, place) in numbers.iter_mut().zip(places) {
        let digits = text.get(place).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
        *number = digits.parse::<i64>().ok()?;
    }
    let [year, month, day, hour, minute, second, millis] = numbers;
    // As in `at`, the other way round.
    let (year, month_from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    u64::try_from(seconds * 1000 + millis).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        let at = |seconds: u64| Utc::at(Duration::from_millis(seconds * 1000 + 5)).rfc3339();
        assert_eq!(at(0), "1970-01-01T00:00:00.005Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56.005Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59.005Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.005Z");
    }

    proptest::proptest! {
        #[test]
        fn a_compact_time_is_read_back(millis in 0_u64..253_402_300_800_000) {
            let time = Duration::from_millis(millis);
            proptest::prop_assert_eq!(Utc::parse(&(Utc::at(time).compact() + "-00ff")), Some(time));
            proptest::prop_assert_eq!(Utc::parse_rfc3339(&Utc::at(time).rfc3339()), Some(time));
        }
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        let read = ["", "run-0001", "2026", "20261130-15413x-123-ab12", "+0261130-154132-123"].map(Utc::parse);
        assert_eq!(read, [None; 5]);
    }
}
