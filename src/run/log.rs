//! The directory of a run: what was run, what happened, what the nodes printed.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Digest, Store, StoreError};
use serde::Serialize;

use super::event::Event;
use crate::pipeline::Pipeline;
use crate::plan::{Plan, Planned, State};
use crate::runs::{self, Begun, KeyLog, Outlined, Tally, Use, Utc};
pub(super) use crate::runs::{io_error, write_json};

/// `runs/<id>/` of a store.
#[derive(Debug)]
pub(super) struct RunLog {
    id: String,
    root: PathBuf,
    keys: KeyLog,
    events: File,
    /// Bytes of whole lines.
    end: u64,
    /// What became of the nodes so far.
    tally: Tally,
}

impl RunLog {
    /// Makes the directory of a new run, in this one.
    pub(super) fn create(
        runs: &Path,
        store: &Store,
        pipeline: &Pipeline,
        plan: &Plan,
        targets: &[String],
    ) -> Result<RunLog, StoreError> {
        let Begun { id, root, keys } = runs::begin(runs, store, pipeline, targets)?;
        let outline = outline(pipeline, plan);
        runs::write_outline(&root, &outline);
        let path = root.join("events.jsonl");
        let mut options = File::options();
        let events = options.create_new(true).read(true).append(true).open(&path).map_err(io_error("write", &path))?;
        Ok(RunLog { id, root, keys, events, end: 0, tally: Tally::of(&outline) })
    }

    /// The run's id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Says which keys nodes have, before they start or when they are done.
    pub(super) fn note(&mut self, uses: &[Use]) -> Result<(), StoreError> {
        self.keys.note(uses)
    }

    /// What is appended, to be read by somebody else.
    pub(super) fn reader(&self) -> io::Result<File> {
        self.events.try_clone()
    }

    /// Appends what happened at once with its time, as one write, so that killing the engine loses nothing; says where each is.
    /// A full disk must not stop a run for want of a log, so that an error is none; what is left of the lines goes.
    pub(super) fn append(&mut self, events: &[Event]) -> Vec<Option<Range<u64>>> {
        let time = Utc::now().rfc3339();
        let (mut lines, mut places) = (Vec::new(), Vec::with_capacity(events.len()));
        for event in events {
            let start = lines.len();
            serde_json::to_writer(&mut lines, &Timed { time: &time, event }).expect("an event has only text for names");
            lines.push(b'\n');
            self.tally.line(&lines[start..]);
            places.push(Some(self.end + start as u64..self.end + lines.len() as u64));
        }
        if self.tally.is_over() {
            self.tally.course(true).write(&self.root);
        }
        if self.events.write_all(&lines).is_err() {
            let _ = self.events.set_len(self.end);
            return vec![None; events.len()];
        }
        self.end += lines.len() as u64;
        places
    }
}

/// The nodes that were selected, as the plan has them.
fn outline(pipeline: &Pipeline, plan: &Plan) -> Vec<Outlined> {
    let outlined = |node: &Planned| Outlined {
        name: node.name.clone(),
        kind: node.kind.to_owned(),
        inputs: pipeline.nodes[&node.name].inputs.clone(),
        reason: (node.state != State::Cached).then(|| node.reason.clone()),
    };
    plan.nodes.iter().map(outlined).collect()
}

/// What is in a line of the log besides its time and the brace before that.
pub(crate) fn untimed(line: &[u8]) -> &[u8] {
    line.iter().position(|byte| *byte == b',').map_or(line, |comma| &line[comma + 1..])
}

#[derive(Serialize)]
struct Timed<'a> {
    time: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

/// Where a node's output is kept in the directory of a run.
pub(crate) fn node_directory(run: &Path, node: &str) -> PathBuf {
    run.join("nodes").join(file_name(node))
}

/// A name that is safe as a file name on every system, and different for different nodes: names that
/// need a change, or differ from others only by case, get a few digits of their digest.
pub(crate) fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if name.len() <= 80 && name.chars().all(plain) && !name.starts_with('.') && !name.is_empty() {
        return name.to_owned();
    }
    let safe: String =
        name.chars().take(40).map(|c| if plain(c) || c.is_ascii_uppercase() { c } else { '_' }).collect();
    // No plain name has an at-sign.
    format!("{}@{}", safe.trim_start_matches('.'), Digest::of(name.as_bytes()).short())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay() {
        for name in ["tscd-8", "a.b_c", "0"] {
            assert_eq!(file_name(name), name);
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_safe_component(a in any::<String>(), b in any::<String>()) {
            let name = file_name(&a);
            prop_assert!(!name.is_empty() && name.len() < 100 && !name.starts_with('.') && !name.contains(['/', '\0']));
            prop_assert_eq!(a == b, name.eq_ignore_ascii_case(&file_name(&b)));
        }
    }
}
