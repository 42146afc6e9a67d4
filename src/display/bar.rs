//! A node that runs, as a line.

use std::time::Instant;

use hyper_flow_spec::Event as Said;

use super::fit::{Part, line, parts};
use super::pace::Pace;
use crate::output::harmless;
use crate::output::units::seconds;

/// What a line goes through, so that it is seen to live.
const MARKS: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// What is known of a node that runs.
#[derive(Debug)]
pub(super) struct Bar {
    name: String,
    kind: String,
    since: Instant,
    /// What it counts, how far it is, and how fast.
    progress: Option<(Said, Pace)>,
}

impl Bar {
    /// Of a node that starts.
    pub(super) fn new(node: &str, kind: &str, now: Instant) -> Bar {
        Bar { name: harmless(node, false).into_owned(), kind: kind.to_owned(), since: now, progress: None }
    }

    /// It got on.
    pub(super) fn progress(&mut self, event: &Said, now: Instant) {
        let Some((done, of)) = counted(event) else { return };
        let before = self.progress.as_ref().and_then(|(before, pace)| Some((counted(before)?, *pace)));
        // A node may count one thing after another.
        let pace = match before {
            Some(((was, all), pace)) if all == of && was <= done => pace,
            _ => Pace::from(done, now),
        };
        self.progress = Some((event.clone(), pace));
    }

    /// The seconds that its training has before it, and those that it has run.
    pub(super) fn times(&self, now: Instant) -> (Option<f64>, f64) {
        let left = match &self.progress {
            Some((Said::Step { step, of, .. }, pace)) => pace.left(*step, *of, now),
            _ => None,
        };
        (left.map(|left| left.as_secs_f64()), now.duration_since(self.since).as_secs_f64())
    }

    /// As a line of less than so many columns.
    pub(super) fn line(&self, now: Instant, columns: usize) -> String {
        let lived = now.duration_since(self.since);
        let mark = MARKS[lived.as_millis() as usize / 200 % MARKS.len()];
        let Some((event, pace)) = &self.progress else {
            let parts = vec![Part::new(5, self.kind.as_str()), Part::new(7, seconds(lived.as_secs_f64()))];
            return line(mark, &self.name, None, parts, columns);
        };
        let (done, of) = counted(event).unwrap_or((0, 0));
        let share = done as f64 / of.max(1) as f64;
        line(mark, &self.name, Some(share), parts(event, pace.left(done, of, now)).unwrap_or_default(), columns)
    }
}

fn counted(event: &Said) -> Option<(u64, u64)> {
    match event {
        Said::Step { step: done, of, .. } | Said::Progress { done, of, .. } => Some((*done, *of)),
        _ => None,
    }
}
