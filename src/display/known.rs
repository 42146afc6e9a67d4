//! What was heard so far, as far as later lines need it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hyper_flow_spec::Event as Said;

use crate::run::{Event, node_directory};

/// The last losses of trainings, and where the run keeps what is drawn.
#[derive(Debug, Default)]
pub(super) struct Known {
    log: PathBuf,
    losses: BTreeMap<String, f64>,
}

impl Known {
    /// Something happened.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::RunStarted { log, .. } => self.log = log.clone(),
            Event::NodeStarted { node, .. } => drop(self.losses.remove(node)),
            Event::Worker { node, event: Said::Step { losses, .. } } => {
                self.losses.insert(node.clone(), losses.values().sum());
            }
            _ => {}
        }
    }

    /// The sum of the terms at the last step of a node that trains.
    pub(super) fn loss(&self, node: &str) -> Option<f64> {
        self.losses.get(node).copied()
    }

    /// Where a picture is that a node drew while it trained; from the working directory, if it is below that.
    pub(super) fn sample(&self, node: &str, path: &Path) -> PathBuf {
        let file = node_directory(&self.log, node).join("samples").join(path);
        let here = std::env::current_dir().and_then(std::fs::canonicalize).ok();
        here.and_then(|here| file.strip_prefix(here).ok().map(Path::to_owned)).unwrap_or(file)
    }
}
