//! All that is known of an artifact, gathered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow_cache::{Key, Record, Store, StoreError, Tree};
use hyper_flow_spec::{Artifact, Kind};
use serde_json::Value;

use super::{lineage, parameters, remake};
use crate::commands::plan::state;
use crate::commands::source::Loaded;
use crate::error::Failure;
use crate::look;
use crate::output::Room;
use crate::output::report::{NodeState, Remake, Shown, Source, User};
use crate::pictures;
use crate::plan::{Planned, Provenance, State};
use crate::run::{Said, node_directory};
use crate::runs::{Origin, Run};

/// What is told beside the record.
pub(super) struct Subject {
    node: NodeState,
    output: Artifact,
    inputs: BTreeMap<String, String>,
    files: BTreeMap<String, PathBuf>,
    /// The present names of keys.
    names: BTreeMap<Key, String>,
    used_by: Vec<User>,
    origin: Option<Origin>,
    remake: Option<Remake>,
    again: String,
}

impl Subject {
    /// A node of a pipeline: the last of its plan.
    pub(super) fn planned(loaded: &Loaded, planned: &Planned, remake: Remake, again: String) -> Subject {
        let node = &loaded.pipeline.nodes[&planned.name];
        Subject {
            node: state(planned),
            output: node.kind.output(),
            inputs: node.inputs.clone(),
            files: node.files.clone(),
            names: loaded.plan.nodes.iter().filter_map(|node| Some((node.key?, node.name.clone()))).collect(),
            used_by: lineage::down(&loaded.pipeline, &planned.name),
            origin: Some(Origin::of(&loaded.pipeline.path, &loaded.store)),
            remake: Some(remake),
            again,
        }
    }

    /// Of what is pinned, that is what its record says.
    pub(super) fn pinned(store: &Store, record: &Record, again: String) -> Result<Subject, Failure> {
        let made = Provenance::of(record);
        let made = made.ok_or_else(|| Failure::usage("nothing is known of how it was made", "name a file of it"))?;
        let name_of = |key: Key| {
            let made = store.record(&key)?.as_ref().and_then(Provenance::of);
            Ok::<_, StoreError>(made.map_or_else(|| key.short(), |made| made.node))
        };
        let inputs = made.inputs.into_iter().map(|(port, key)| Ok((port, name_of(key)?)));
        let inputs = inputs.collect::<Result<_, StoreError>>()?;
        let kind = Kind::NAMES.iter().find(|name| **name == made.kind).copied().unwrap_or_default();
        let (state, reason) = (State::Cached, "pinned".to_owned());
        Ok(Subject {
            node: NodeState { name: made.node, kind, state, reason, key: None, attempt: None },
            output: made.output,
            inputs,
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            used_by: Vec::new(),
            origin: None,
            remake: remake::of_run(store, record),
            again,
        })
    }
}

/// Reads the record, its artifact's files as far as they tell something, and the runs.
pub(super) fn report(store: &Store, record: &Record, subject: Subject, room: Room) -> Result<Shown, Failure> {
    let Subject { mut node, output, inputs, files, names, mut used_by, origin, remake, again } = subject;
    let tree = store.tree(&record.artifact)?;
    let preimage: Value =
        store.preimage(&record.key)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    node.key = Some(record.key);
    let made = Provenance::of(record);
    let output = made.as_ref().map_or(output, |made| made.output);
    let lineage = lineage::up(store, record, &names)?;
    used_by.extend(lineage::elsewhere(store, &record.key, origin.as_ref())?);
    let kind = made.as_ref().map_or(node.kind, |made| made.kind.as_str());
    let parameters::Parameters { defaults, absent } = parameters::apart(kind, &preimage["params"]);
    let paths: Vec<&str> =
        tree.entries().iter().map(|entry| entry.path.as_str()).filter(|path| pictures::is_picture(path)).collect();
    let copied = pictures::copy(store, &node.name, &record.artifact, &paths)?;
    Ok(Shown {
        output,
        artifact: record.artifact,
        bytes: record.bytes,
        engine: made.as_ref().and_then(|made| engine(store, made)),
        version: preimage["version"].as_u64(),
        seed: preimage["seed"].as_u64(),
        params: preimage["params"].clone(),
        defaults,
        absent,
        sources: sources(&preimage, &files),
        inputs,
        base: if output == Artifact::Lora { lineage::base(store, &lineage)? } else { None },
        lineage,
        used_by,
        measured: Said::of(record).metrics,
        metrics: metrics(store, record, &tree)?,
        texts: texts(store, record, &tree)?,
        lora: lora(store, record, output, &tree)?,
        dataset: dataset(store, record, output, made.as_ref())?,
        remake,
        more_pictures: copied.more,
        uncopied: copied.failed,
        folder: copied.folder,
        pictures: copied.pictures,
        files: tree.entries().to_vec(),
        empty_directories: tree.empty_directories().map(str::to_owned).collect(),
        made,
        node,
        again,
        room,
    })
}

/// The version that the run says of itself.
fn engine(store: &Store, made: &Provenance) -> Option<String> {
    let version = Run { path: store.runs().join(&made.run) }.description()?.version;
    Some(version).filter(|version| !version.is_empty())
}

/// By what the key says of them, and where they are now.
fn sources(preimage: &Value, files: &BTreeMap<String, PathBuf>) -> BTreeMap<String, Source> {
    let digests = preimage["files"].as_object();
    let digest = |port: &String| digests?.get(port)?.as_str().map(str::to_owned);
    let ports = digests.into_iter().flat_map(|digests| digests.keys()).chain(files.keys());
    ports.map(|port| (port.clone(), Source { path: files.get(port).cloned(), digest: digest(port) })).collect()
}

/// The files of an artifact that hold its numbers; of each kind there is one at most.
const NUMBERS: [&str; 2] = ["metrics.json", "guard.json"];

fn metrics(store: &Store, record: &Record, tree: &Tree) -> Result<Option<Value>, StoreError> {
    match NUMBERS.into_iter().find(|name| tree.get(name).is_some()) {
        Some(name) => Ok(serde_json::from_slice(&store.read(&record.artifact, name)?).ok()),
        None => Ok(None),
    }
}

/// A text that is longer is not for a terminal.
const LONGEST: u64 = 64 << 10;

/// What the node wants seen, but for the text of numbers that are a table here.
fn texts(store: &Store, record: &Record, tree: &Tree) -> Result<BTreeMap<String, String>, StoreError> {
    let mut texts = BTreeMap::new();
    if NUMBERS.into_iter().any(|name| tree.get(name).is_some()) {
        return Ok(texts);
    }
    for path in Said::of(record).show {
        let is_text = path.ends_with(".txt") || path.ends_with(".md");
        if is_text && tree.get(&path).is_some_and(|entry| entry.size <= LONGEST) {
            let text = String::from_utf8_lossy(&store.read(&record.artifact, &path)?).into_owned();
            texts.insert(path, text);
        }
    }
    Ok(texts)
}

/// The file of a `Lora`.
const LORA: &str = "lora.safetensors";

fn lora(store: &Store, record: &Record, output: Artifact, tree: &Tree) -> Result<Option<look::Lora>, StoreError> {
    match output == Artifact::Lora && tree.get(LORA).is_some() {
        true => Ok(look::lora(&store.read(&record.artifact, LORA)?)),
        false => Ok(None),
    }
}

fn dataset(
    store: &Store,
    record: &Record,
    output: Artifact,
    made: Option<&Provenance>,
) -> Result<Option<look::Dataset>, StoreError> {
    let log = made.map(|made| node_directory(&store.runs().join(&made.run), &made.node));
    match output {
        Artifact::Dataset | Artifact::Latents => look::dataset(store, &record.artifact, log.as_deref()),
        _ => Ok(None),
    }
}
