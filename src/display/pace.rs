//! How fast a node gets on.

use std::time::{Duration, Instant};

/// Progress since it was first seen: a training that goes on from a checkpoint has not done the steps
/// before that in this run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    since: Instant,
    first: u64,
}

impl Pace {
    pub(super) fn from(done: u64, now: Instant) -> Pace {
        Pace { since: now, first: done }
    }

    /// The time that is left, once there is something to go by.
    pub(super) fn left(&self, done: u64, of: u64, now: Instant) -> Option<Duration> {
        let steps = done.checked_sub(self.first).filter(|steps| *steps > 0)?;
        let each = now.duration_since(self.since).as_secs_f64() / steps as f64;
        Duration::try_from_secs_f64(each * of.saturating_sub(done) as f64).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_counts_only_steps_that_were_seen() {
        let start = Instant::now();
        let pace = Pace::from(100, start);
        assert_eq!(pace.left(100, 200, start), None);
        let later = start + Duration::from_secs(5);
        assert_eq!(pace.left(110, 200, later), Some(Duration::from_secs(45)));
        assert_eq!(pace.left(200, 200, later), Some(Duration::ZERO));
        assert_eq!(pace.left(50, 200, later), None, "a node that starts over");
    }
}
