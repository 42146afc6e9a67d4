//! What garbage collection spares, by what runs used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use hyper_flow_cache::{Key, Store, StoreError};

use crate::output::report::NodeOf;
use crate::plan::Provenance;
use crate::plan::going_on::Mark;
use crate::runs::{Folders, Place, Run, Seen, Use, believed, newest_first};

/// What the runs of a store tell about keys.
#[derive(Default)]
pub(super) struct Retention {
    /// The last artifact of every node of every pipeline whose file is still there, and what such a node has begun
    /// since.
    pub(super) keep: BTreeSet<Key>,
    /// Of these, what has begun: its checkpoints are an artifact in the making.
    pub(super) unfinished: BTreeSet<Key>,
    /// When each key was last used.
    pub(super) used: BTreeMap<Key, SystemTime>,
    /// Who used it last.
    names: BTreeMap<Key, NodeOf>,
    /// The runs of which nothing of this is known alone, and when they were.
    spare: Vec<(Run, SystemTime)>,
}

/// What is known of a node's keys so far, the newest run first.
#[derive(Default)]
struct Last {
    begun: bool,
    done: bool,
}

/// Reads the runs, the newest first.
struct Reader<'a> {
    store: &'a Store,
    folders: Folders,
    /// By the file of the pipeline and the node: two files are two pipelines, whatever they are called.
    last: BTreeMap<Place, BTreeMap<String, Last>>,
    /// By the files that a pipeline may be.
    seen: BTreeMap<BTreeSet<Place>, Seen>,
    found: Retention,
}

impl Retention {
    /// From the logs of all runs.
    pub(super) fn of(store: &Store) -> Result<Retention, StoreError> {
        let runs = newest_first(store);
        let said: Vec<SystemTime> = runs.iter().rev().map(Run::time).collect();
        let times = believed(&said, SystemTime::now()).into_iter().rev();
        let (folders, last, seen) = (Folders::default(), BTreeMap::new(), BTreeMap::new());
        let mut reader = Reader { store, folders, last, seen, found: Retention::default() };
        for (run, time) in runs.into_iter().zip(times) {
            reader.read(run, time)?;
        }
        reader.found.name_others(store)?;
        Ok(reader.found)
    }

    /// The node whose key this is, if anything tells.
    pub(super) fn name(&self, key: &Key) -> NodeOf {
        let unknown = || NodeOf { pipeline: "unknown".to_owned(), node: key.short() };
        self.names.get(key).cloned().unwrap_or_else(unknown)
    }

    /// The node whose checkpoints these are.
    pub(super) fn name_of_scratch(&self, store: &Store, key: &Key) -> NodeOf {
        let marked = || Mark::of(store, key).map(|Mark { pipeline, node, .. }| NodeOf { pipeline, node });
        self.names.get(key).cloned().or_else(marked).unwrap_or_else(|| self.name(key))
    }

    /// The runs that may be forgotten because they are older than `age`.
    pub(super) fn old_runs(&self, age: Duration) -> impl Iterator<Item = &Run> {
        let now = SystemTime::now();
        let old = move |time: &SystemTime| now.duration_since(*time).unwrap_or_default() >= age;
        self.spare.iter().filter(move |(_, time)| old(time)).map(|(run, _)| run)
    }

    /// Of records that no run knows any more, what they say themselves.
    fn name_others(&mut self, store: &Store) -> Result<(), StoreError> {
        for key in store.last_used()?.into_keys().filter(|key| !self.names.contains_key(key)).collect::<Vec<_>>() {
            if let Some(made) = store.record(&key)?.as_ref().and_then(Provenance::of) {
                self.names.insert(key, NodeOf { pipeline: made.pipeline, node: made.node });
            }
        }
        Ok(())
    }
}

impl Reader<'_> {
    fn read(&mut self, run: Run, time: SystemTime) -> Result<(), StoreError> {
        let Some(description) = run.description() else {
            self.found.spare.push((run, time));
            return Ok(());
        };
        let places = description.origin.places(self.store, &mut self.folders);
        // The newest run of a pipeline also says where it is.
        let mut needed = places.iter().any(|place| !self.last.contains_key(place));
        let pipeline = told(description.origin.path());
        let seen = self.seen.entry(places.clone()).or_default();
        for used in run.uses(&description, seen).into_iter().rev() {
            needed |= self.read_use(&used, &places)?;
            let latest = self.found.used.entry(used.key).or_insert(time);
            *latest = time.max(*latest);
            let name = || NodeOf { pipeline: pipeline.clone(), node: used.node };
            self.found.names.entry(used.key).or_insert_with(name);
        }
        if !needed {
            self.found.spare.push((run, time));
        }
        Ok(())
    }

    /// Whether this says something that no newer run does.
    fn read_use(&mut self, used: &Use, places: &BTreeSet<Place>) -> Result<bool, StoreError> {
        let store = self.store;
        // An engine that was killed may have published what it did not come to note.
        let is_done = || Ok::<_, StoreError>(used.done || store.record(&used.key)?.is_some());
        let mut news = !used.done && store.has_scratch(&used.key)?;
        for place in places {
            let last = self.last.entry(place.clone()).or_default().entry(used.node.clone()).or_default();
            let (begins, ends) = (!last.begun, !last.done && is_done()?);
            last.begun = true;
            last.done |= ends;
            if begins || ends {
                self.found.keep.insert(used.key);
                news = true;
            }
            if begins && !used.done {
                self.found.unfinished.insert(used.key);
            }
        }
        Ok(news)
    }
}

/// Relative to the working directory, where it is below that.
fn told(path: &std::path::Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_else(|_| PathBuf::from("/"));
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
