//! Plain lines, where there is no terminal.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use hyper_flow_spec::Event as Said;

use super::pace::Pace;
use super::results::Results;
use super::{Display, words};
use crate::run::Event;

/// How often a node's progress is worth a line.
const EVERY: Duration = Duration::from_secs(10);
/// With more nodes than this, cached ones are only counted.
pub(super) const FEW: usize = 50;

/// Prints a line when something happens, and now and then one on how far a node is.
#[derive(Debug)]
pub struct Plain {
    color: bool,
    nodes: usize,
    progress: BTreeMap<String, (Pace, Instant)>,
    results: Results,
}

impl Plain {
    /// With or without colours.
    pub fn new(color: bool) -> Plain {
        Plain { color, nodes: 0, progress: BTreeMap::new(), results: Results::default() }
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
        if let Some(text) = words::step(event, pace.left(*done, *of, now)) {
            print(&format!("{:>11}  {node}  {text}", "step"));
        }
    }
}

impl Display for Plain {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { nodes, .. } => self.nodes = *nodes,
            Event::NodeCached { .. } if self.nodes > FEW => return,
            Event::Worker { node, event } => self.progress(node, event),
            Event::NodeRan { node, .. } | Event::NodeFailed { node, .. } => drop(self.progress.remove(node)),
            _ => {}
        }
        if let Some(line) = words::line(event) {
            print(&line.render(self.color));
        }
        if let Some(summary) = self.results.take(event) {
            self.results.print_all(summary);
        }
    }
}

fn print(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
