//! Trainings that differ in how many steps they have and in nothing else: a longer one goes on from where a shorter one is.
//!
//! Whatever their number follows from, as a learning rate that falls to 0 at the last step, makes each of them another training
//! from its first step on. The others have a *course*: the key of all that is in their own keys but the steps. A job's `scratch`
//! says of which course it is, and what is left when one is done lies in that of the course itself.

use std::fs;
use std::path::PathBuf;

use hyper_flow_cache::{Key, Store, StoreError};
use hyper_flow_spec::{Kind, checkpoint_step};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::history::History;
use super::{Difference, Part, Plan};
use crate::pipeline::Node;

/// The field that is in no course.
const STEPS: &str = "steps";
/// What says of which course a scratch directory is.
const MARK: &str = "course.json";

/// The course of a training with this preimage, if a longer one goes on from it.
pub(crate) fn course(kind: &Kind, preimage: &[u8]) -> Option<Key> {
    kind.training().filter(|_| kind.tied_to_steps().is_none())?;
    let mut all: Value = serde_json::from_slice(preimage).ok()?;
    all["params"].as_object_mut()?.remove(STEPS)?;
    Some(Key::derive(all.to_string().as_bytes()))
}

/// What a scratch directory says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The course of its training.
    pub(crate) course: String,
    /// The pipeline, and the node of it.
    pub(crate) pipeline: String,
    pub(crate) node: String,
}

impl Mark {
    /// Of the scratch directory of a key, if it says anything.
    pub(crate) fn of(store: &Store, key: &Key) -> Option<Mark> {
        let bytes = fs::read(store.scratch_path(key).join(MARK)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Marks the scratch directory of a key, which is there.
    pub(crate) fn write(&self, store: &Store, key: &Key) -> std::io::Result<()> {
        fs::write(store.scratch_path(key).join(MARK), serde_json::to_vec(self)?)
    }
}

/// A checkpoint, by its step and its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Checkpoint {
    /// The last step that is in it.
    pub(crate) step: u64,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// The checkpoints in the scratch directory of a key, in the order of their steps.
pub(crate) fn checkpoints(store: &Store, key: &Key) -> Vec<Checkpoint> {
    let entries = fs::read_dir(store.scratch_path(key)).into_iter().flatten().flatten();
    let step = |path: &PathBuf| checkpoint_step(path.file_name()?.to_str()?);
    let found = entries.map(|entry| entry.path()).filter_map(|path| Some(Checkpoint { step: step(&path)?, path }));
    let mut found: Vec<_> = found.collect();
    found.sort();
    found
}

/// The last checkpoint of a course that a training of `most` steps can go on from.
pub(crate) fn furthest(store: &Store, course: &Key, most: u64) -> Result<Option<Checkpoint>, StoreError> {
    let course = course.to_string();
    let of_course = |key: &Key| Mark::of(store, key).is_some_and(|mark| mark.course == course);
    let keys = store.scratches()?.into_iter().filter(of_course);
    Ok(keys.flat_map(|key| checkpoints(store, &key)).filter(|found| found.step <= most).max())
}

/// Where a node begins whose steps were raised and of which nothing else differs from its last record; `None` of any other.
pub(super) fn begins(
    history: &History<'_>,
    plan: &Plan,
    node: &Node,
    found: &[Difference],
) -> Result<Option<String>, StoreError> {
    let Some(training) = node.kind.training().filter(|_| is_longer(found)) else { return Ok(None) };
    if let Some(why) = node.kind.tied_to_steps() {
        return Ok(Some(format!("starts anew, because {why}")));
    }
    let Some(inputs) = plan.inputs(node) else { return Ok(None) };
    let preimage = plan.preimage(history.pipeline, node, &inputs).bytes();
    let Some(course) = course(&node.kind, &preimage) else { return Ok(None) };
    let begun = furthest(history.store, &course, training.steps.get().unsigned_abs())?;
    Ok(Some(match begun {
        Some(begun) => format!("goes on after step {}", begun.step),
        None => "starts anew, because no checkpoint of the shorter training is kept".to_owned(),
    }))
}

fn is_longer(found: &[Difference]) -> bool {
    let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_i64);
    match found {
        [only] => only.part == Part::Params && only.path == STEPS && number(&only.old) < number(&only.new),
        _ => false,
    }
}
