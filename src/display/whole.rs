//! The run as a whole, in one line.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::bar::Bar;
use super::forecast::{Forecast, Left, about};
use crate::run::Event;

/// How far the run is.
#[derive(Debug)]
pub(super) struct Whole {
    nodes: usize,
    done: BTreeSet<String>,
    failed: BTreeSet<String>,
    forecast: Forecast,
}

impl Whole {
    /// Of a run that has `forecast` before it.
    pub(super) fn new(forecast: Forecast) -> Whole {
        Whole { nodes: 0, done: BTreeSet::new(), failed: BTreeSet::new(), forecast }
    }

    /// Something happened.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::RunStarted { nodes, .. } => {
                self.nodes = *nodes;
                self.forecast.remember();
            }
            Event::NodeCached { node, .. } => self.cached(vec![node.clone()]),
            Event::NodeRan { node, seconds, .. } => {
                self.forecast.ran(node, *seconds);
                self.done.insert(node.clone());
            }
            Event::NodeFailed { node, .. } => drop(self.failed.insert(node.clone())),
            Event::NodeRepaired { node, .. } => drop(self.done.remove(node)),
            _ => {}
        }
    }

    /// These nodes need not run.
    pub(super) fn cached(&mut self, nodes: Vec<String>) {
        self.done.extend(nodes);
    }

    /// `5/14 nodes · 1 failed · about 3 min left`, and how many more run than are `shown`; none before the run is known.
    pub(super) fn line(&self, running: &BTreeMap<String, Bar>, more: usize, now: Instant) -> Option<String> {
        let mut parts = vec![format!("{}/{} nodes", self.done.len(), self.nodes)];
        parts.extend((more > 0).then(|| format!("{more} more run")));
        parts.extend((!self.failed.is_empty()).then(|| format!("{} failed", self.failed.len())));
        let over = |node: &str| self.done.contains(node) || self.failed.contains(node);
        parts.extend(match self.forecast.left(over, |node| running.get(node).map(|bar| bar.times(now))) {
            Left::Unknown => None,
            Left::AtLeast(left) => Some(format!("more than {} left", about(left))),
            Left::About(left) => Some(format!("about {} left", about(left))),
        });
        (self.nodes > 0).then(|| parts.join(" · "))
    }
}
