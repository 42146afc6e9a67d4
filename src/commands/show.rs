//! `hyper-flow show`.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Entry, Key, Record, Store, StoreError, Tree};
use hyper_flow_spec::{Artifact, Kind};
use serde_json::Value;

use crate::commands::artifact;
use crate::commands::context::Context;
use crate::commands::pins;
use crate::commands::plan::state;
use crate::commands::source::{self, Overriding};
use crate::error::Failure;
use crate::output::harmless;
use crate::output::report::{NodeState, Shown};
use crate::plan::{Provenance, State};

/// Shows what a node produced: its files, how it was made, its parameters, metrics and pictures
///
/// Of a node that will run, the artifact of its last run is shown, and that it is one. `@NAME` is what was pinned
/// under that name.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "hyper-flow show [OPTIONS] [FILE] NODE [PATH]\n       hyper-flow show [OPTIONS] @NAME [PATH]"
)]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; the node; and a file of its
    /// artifact, to have its content alone.
    #[arg(value_names = ["FILE", "NODE", "PATH"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    if let [word, path @ ..] = args.words.as_slice()
        && word.starts_with(pins::MARK)
        && path.len() < 2
    {
        let store = context.existing_store()?;
        let record = pins::find(word, &store)?;
        return show(&store, record, path.first(), context, pinned);
    }
    let (file, words) = source::split(&args.words, context)?;
    let (name, path) = match words {
        [name] => (name, None),
        [name, path] => (name, Some(path)),
        _ => return Err(Failure::usage("no node is named", "`hyper-flow show NODE`; `hyper-flow ls` lists them")),
    };
    let loaded = source::load_one(&file, name, &args.overriding, context)?;
    context.require(&loaded.store)?;
    let planned = &loaded.plan.nodes[loaded.plan.nodes.len() - 1];
    let record = artifact::records(&loaded)?.pop().flatten().ok_or_else(|| artifact::missing(name, &planned.reason))?;
    let made_by = |_: &Store, _: &Record| {
        let node = &loaded.pipeline.nodes[name];
        Ok(MadeBy { node: state(planned), output: node.kind.output(), inputs: node.inputs.clone() })
    };
    show(&loaded.store, record, path, context, made_by)
}

/// What is told beside the record.
struct MadeBy {
    node: NodeState,
    output: Artifact,
    inputs: BTreeMap<String, String>,
}

/// Of what is pinned, that is what its record says.
fn pinned(store: &Store, record: &Record) -> Result<MadeBy, Failure> {
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
    Ok(MadeBy {
        node: NodeState { name: made.node, kind, state, reason, key: None, attempt: None },
        output: made.output,
        inputs,
    })
}

fn show(
    store: &Store,
    record: Record,
    path: Option<&String>,
    context: &Context,
    made_by: impl Fn(&Store, &Record) -> Result<MadeBy, Failure>,
) -> Result<(), Failure> {
    match path {
        Some(path) => content(store, &record, path, context),
        None => {
            let made_by = made_by(store, &record)?;
            let report = report(store, record, made_by)?;
            context.print(|output, out| output.shown(out, &report))
        }
    }
}

fn content(store: &Store, record: &Record, path: &str, context: &Context) -> Result<(), Failure> {
    match store.read(&record.artifact, path) {
        Ok(bytes) if stdout().is_terminal() => on_a_terminal(&bytes, path, context),
        Ok(bytes) => context.write(|out| out.write_all(&bytes)),
        Err(StoreError::NoSuchFile { .. }) => {
            let tree = store.tree(&record.artifact)?;
            let names: Vec<&str> = tree.entries().iter().map(|entry| entry.path.as_str()).take(20).collect();
            Err(Failure::usage(format!("the artifact has no file `{path}`"), format!("it has: {}", names.join(", "))))
        }
        Err(error) => Err(error.into()),
    }
}

/// A terminal would obey what is in a file that is no text.
fn on_a_terminal(bytes: &[u8], path: &str, context: &Context) -> Result<(), Failure> {
    match str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => context.write(|out| out.write_all(harmless(text, false).as_bytes())),
        _ => Err(Failure::usage(
            format!("`{path}` is no text, and standard output is a terminal"),
            "send it elsewhere: `> FILE`, or into a program; `hyper-flow export` copies all of the artifact",
        )),
    }
}

fn report(store: &Store, record: Record, made_by: MadeBy) -> Result<Shown, Failure> {
    let MadeBy { mut node, output, inputs } = made_by;
    let tree = store.tree(&record.artifact)?;
    let preimage: Value =
        store.preimage(&record.key)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    node.key = Some(record.key);
    let made = Provenance::of(&record);
    Ok(Shown {
        node,
        output: made.as_ref().map_or(output, |made| made.output),
        artifact: record.artifact,
        bytes: record.bytes,
        made,
        params: preimage["params"].clone(),
        inputs,
        metrics: metrics(store, &record, &tree)?,
        pictures: pictures(store, &tree),
        files: tree.entries().to_vec(),
        empty_directories: tree.empty_directories().map(str::to_owned).collect(),
    })
}

/// The files of an artifact that hold its numbers; of each kind there is one at most.
const NUMBERS: [&str; 2] = ["metrics.json", "guard.json"];

fn metrics(store: &Store, record: &Record, tree: &Tree) -> Result<Option<Value>, StoreError> {
    match NUMBERS.into_iter().find(|name| tree.get(name).is_some()) {
        Some(name) => Ok(serde_json::from_slice(&store.read(&record.artifact, name)?).ok()),
        None => Ok(None),
    }
}

/// The objects of the pictures: plain files, which can be opened where they lie.
fn pictures(store: &Store, tree: &Tree) -> BTreeMap<String, PathBuf> {
    let is_picture = |entry: &&Entry| {
        let end = Path::new(&entry.path).extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
        matches!(end.as_deref(), Some("png" | "jpg" | "jpeg"))
    };
    let object = |entry: &Entry| {
        let digest = entry.digest.to_string();
        (entry.path.clone(), store.root().join("objects").join(&digest[..2]).join(&digest[2..]))
    };
    tree.entries().iter().filter(is_picture).map(object).collect()
}
