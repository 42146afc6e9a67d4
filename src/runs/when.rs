//! When runs were, although clocks go wrong.

use std::time::{SystemTime, UNIX_EPOCH};

/// When runs were, in their order, by what the clock said at each and says now. No run was before one that came
/// before it, however late the clock said it was then; and where the clock was ahead of now, the run was before
/// the next one, or, for want of one, now.
pub(crate) fn believed(said: &[SystemTime], now: SystemTime) -> Vec<SystemTime> {
    let mut latest = UNIX_EPOCH;
    let mut forward = |time: &SystemTime| {
        (*time <= now).then(|| {
            latest = latest.max(*time);
            latest
        })
    };
    let times: Vec<Option<SystemTime>> = said.iter().map(&mut forward).collect();
    let mut next = now;
    let mut believed: Vec<SystemTime> = times
        .into_iter()
        .rev()
        .map(|time| {
            next = time.unwrap_or(next);
            next
        })
        .collect();
    believed.reverse();
    believed
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn days(said: &[u64], now: u64) -> Vec<u64> {
        let at = |day: &u64| UNIX_EPOCH + Duration::from_secs(day * 86_400);
        let said: Vec<SystemTime> = said.iter().map(at).collect();
        let day = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
        believed(&said, at(&now)).into_iter().map(day).collect()
    }

    #[test]
    fn clocks_that_are_right_are_believed() {
        assert_eq!(days(&[1, 5, 5, 9], 9), [1, 5, 5, 9]);
        assert_eq!(days(&[], 9), [0; 0]);
    }

    #[test]
    fn a_clock_that_was_behind_makes_nothing_old() {
        assert_eq!(days(&[100, 0, 3, 101], 101), [100, 100, 100, 101]);
    }

    #[test]
    fn a_clock_that_was_ahead_makes_nothing_young_for_ever() {
        assert_eq!(days(&[100, 9000, 9001, 102, 103], 140), [100, 102, 102, 102, 103]);
        assert_eq!(days(&[100, 9000], 140), [100, 140], "until there is another run");
    }
}
