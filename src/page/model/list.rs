//! A line for each run, and the artifacts of a store.

use std::collections::{BTreeMap, HashMap, HashSet};

use hyper_flow_cache::{Key, Store};
use serde::Serialize;

use crate::plan::Provenance;
use crate::runs::{self, Ending, Past, Run, Seen};

/// A run, in short.
#[derive(Debug, Clone, Serialize)]
pub struct RunLine {
    /// Its id.
    pub id: String,
    /// The name of its pipeline.
    pub pipeline: String,
    /// The name of its pipeline's file.
    pub file: String,
    /// When it began, as RFC 3339.
    pub started: String,
    /// How long it took; none while it goes on.
    pub seconds: Option<f64>,
    /// What the command line set.
    pub set: Vec<String>,
    /// The nodes that were asked for.
    pub targets: Vec<String>,
    /// What became of it.
    pub state: Ending,
    /// How many nodes ended how.
    pub counts: BTreeMap<String, usize>,
}

/// The runs of a store, the newest first.
pub fn runs(store: &Store) -> Vec<RunLine> {
    runs::newest_first(store).iter().filter_map(line).collect()
}

/// Looks for runs that are new, or have ended, since it last looked; of those that are known and over nothing is read.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    over: HashSet<String>,
    going: HashSet<String>,
}

impl Watch {
    /// Knows none yet.
    pub fn new(store: Store) -> Watch {
        Watch { store, over: HashSet::new(), going: HashSet::new() }
    }

    /// The lines of runs that have begun or ended.
    pub fn look(&mut self) -> Vec<RunLine> {
        let mut changed = Vec::new();
        for run in runs::newest_first(&self.store) {
            let id = run.id();
            if self.over.contains(&id) || (self.going.contains(&id) && run.goes_on()) {
                continue;
            }
            // One that has no description yet is looked at again.
            let Some(line) = line(&run) else { continue };
            let set = if line.state == Ending::Running { &mut self.going } else { &mut self.over };
            if set.insert(id) {
                changed.push(line);
            }
        }
        changed
    }
}

fn line(run: &Run) -> Option<RunLine> {
    let past = Past::of(run)?;
    let mut counts = BTreeMap::new();
    for node in &past.course.nodes {
        let state =
            serde_json::to_value(&node.status).ok().and_then(|status| Some(status["state"].as_str()?.to_owned()));
        *counts.entry(state.unwrap_or_default()).or_default() += 1;
    }
    Some(RunLine {
        seconds: past.seconds(),
        id: past.id,
        file: past.asked.origin.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        pipeline: past.asked.name,
        started: past.asked.started,
        set: past.asked.set,
        targets: past.asked.targets,
        state: past.course.ending,
        counts,
    })
}

/// An artifact that some run knows.
#[derive(Debug, Clone, Serialize)]
pub struct ArtifactLine {
    /// The node.
    pub node: String,
    /// Its kind.
    pub kind: String,
    /// The type of the artifact.
    pub output: String,
    /// The name of its pipeline.
    pub pipeline: String,
    /// Its key.
    pub key: Key,
    /// The digest of its content.
    pub artifact: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was done, in seconds since 1970.
    pub finished: u64,
    /// The newest run that has it.
    pub run: String,
}

/// The artifacts of a store, by what runs noted. Records do not change, so that each is read once.
#[derive(Debug, Default)]
pub struct Artifacts {
    read: HashMap<Key, Option<ArtifactLine>>,
}

impl Artifacts {
    /// Artifacts whose node, kind, pipeline, key or digest has all of these words in it, the newest first: at most so many.
    pub fn search(&mut self, store: &Store, words: &str, most: usize) -> Vec<ArtifactLine> {
        let words: Vec<String> = words.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        for run in runs::newest_first(store) {
            let Some(description) = run.description() else { continue };
            for used in run.uses(&description, &mut Seen::new()).into_iter().rev() {
                if !seen.insert(used.key) {
                    continue;
                }
                let line = self.line(store, &used.key, &used.node, &run.id());
                found.extend(line.filter(|line| line.has(&words)).cloned());
                if found.len() == most {
                    return found;
                }
            }
        }
        found
    }

    fn line(&mut self, store: &Store, key: &Key, node: &str, run: &str) -> Option<&ArtifactLine> {
        let known = self.read.get(key).is_some_and(Option::is_some);
        if !known {
            self.read.insert(*key, artifact(store, key, node, run));
        }
        self.read.get(key)?.as_ref()
    }
}

impl ArtifactLine {
    fn has(&self, words: &[String]) -> bool {
        let texts = [&self.node, &self.kind, &self.output, &self.pipeline, &self.artifact, &self.key.to_string()];
        let texts = texts.map(|text| text.to_lowercase());
        words.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
    }
}

fn artifact(store: &Store, key: &Key, node: &str, run: &str) -> Option<ArtifactLine> {
    let record = store.record(key).ok().flatten()?;
    let made = Provenance::of(&record)?;
    Some(ArtifactLine {
        node: node.to_owned(),
        kind: made.kind,
        output: made.output.to_string(),
        pipeline: made.pipeline,
        key: *key,
        artifact: record.artifact.to_string(),
        bytes: record.bytes,
        finished: made.finished,
        run: run.to_owned(),
    })
}
