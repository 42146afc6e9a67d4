//! Plain lines, where no bars can be drawn.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use hyper_flow_spec::Event as Said;

use super::known::Known;
use super::pace::Pace;
use super::queue::Missed;
use super::results::Results;
use super::{Display, fit, words};
use crate::output::harmless;
use crate::run::Event;

/// How often a node's progress is worth a line.
const EVERY: Duration = Duration::from_secs(10);

/// Prints a line when something happens, and now and then one on how far a node is.
#[derive(Debug)]
pub(super) struct Plain {
    color: bool,
    progress: BTreeMap<String, (Pace, Instant)>,
    known: Known,
    results: Results,
}

impl Plain {
    /// With or without colours.
    pub(super) fn new(color: bool, results: Results) -> Plain {
        Plain { color, progress: BTreeMap::new(), known: Known::default(), results }
    }

    /// The first step and the last have a line, and between them one now and then.
    fn progress(&mut self, node: &str, event: &Said) {
        let (Said::Step { step: done, of, .. } | Said::Progress { done, of, .. }) = event else { return };
        let now = Instant::now();
        let known = self.progress.get(node).copied();
        let (pace, last) = known.unwrap_or((Pace::from(*done, now), now));
        if known.is_some() && done < of && now.duration_since(last) < EVERY {
            return;
        }
        self.progress.insert(node.to_owned(), (pace, now));
        if let Some(text) = fit::step(event, pace.left(*done, *of, now)) {
            print(&format!("{:>11}  {}  {text}", "step", harmless(node, false)));
        }
    }
}

impl Display for Plain {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.known.hear(event);
        match event {
            Event::Worker { node, event } => self.progress(node, event),
            Event::NodeRan { node, .. } | Event::NodeFailed { node, .. } => drop(self.progress.remove(node)),
            _ => {}
        }
        if let Some(line) = words::line(event, &self.known) {
            print(&line.render(self.color));
        }
        match self.results.take(event) {
            Some(summary) => self.results.print_all(summary),
            None => Ok(()),
        }
    }

    fn missed(&mut self, missed: &Missed) {
        self.progress.retain(|node, _| !missed.ended.contains(node));
        print(&words::missed(missed).render(self.color));
    }
}

fn print(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
