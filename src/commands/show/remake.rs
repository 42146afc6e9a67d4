//! The command that makes an artifact again.

use std::path::Path;

use hyper_flow_cache::{Record, Store};
use serde_json::Value;

use crate::commands::context::Context;
use crate::commands::source::{Loaded, Overriding};
use crate::output::report::Remake;
use crate::plan::Provenance;

/// With the settings of this command line, if they mean the artifact, or else those of the run that made it.
pub(super) fn of(
    file: &Path,
    node: &str,
    overriding: &Overriding,
    loaded: &Loaded,
    record: &Record,
    context: &Context,
) -> Remake {
    let planned = &loaded.plan.nodes[loaded.plan.nodes.len() - 1];
    let store = if context.store_is_named { Some(context.store.as_path()) } else { None };
    let (settings, note) = match planned.key == Some(record.key) {
        true => (Some(overriding.words()), None),
        false => then(&loaded.store, record, file),
    };
    let gone = || "with the settings of then: the log of its run is gone".to_owned();
    let note = note.or_else(|| settings.is_none().then(gone));
    Remake { command: line(&file.to_string_lossy(), node, &settings.unwrap_or_default(), store), note }
}

/// Of what is pinned: as the run had it that made it.
pub(super) fn of_run(store: &Store, record: &Record) -> Option<Remake> {
    let made = Provenance::of(record)?;
    let run = described(store, &made.run)?;
    let file = run["pipeline"].as_str()?;
    let (settings, note) = then(store, record, Path::new(file));
    Some(Remake { command: line(file, &made.node, &settings?, Some(store.root())), note })
}

fn described(store: &Store, run: &str) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(store.runs().join(run).join("run.json")).ok()?).ok()
}

/// The settings of the run that made it, and whether its file is another now.
fn then(store: &Store, record: &Record, file: &Path) -> (Option<Vec<String>>, Option<String>) {
    let Some(made) = Provenance::of(record) else { return (None, None) };
    let Some(run) = described(store, &made.run) else { return (None, None) };
    let set = run["set"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let set = set.flat_map(|set| ["--set".to_owned(), set.to_owned()]);
    let params = run["params"].as_str().into_iter().flat_map(|path| ["--params".to_owned(), path.to_owned()]);
    let text = store.runs().join(&made.run).join("pipeline.ron");
    let differs = std::fs::read(&text).ok().zip(std::fs::read(file).ok()).is_none_or(|(then, now)| then != now);
    let note = differs.then(|| format!("if the file is what it was then: {}", text.display()));
    (Some(set.chain(params).collect()), note)
}

/// As a shell takes it.
fn line(file: &str, node: &str, settings: &[String], store: Option<&Path>) -> String {
    let mut words = vec!["hyper-flow".to_owned(), "run".to_owned(), file.to_owned(), node.to_owned()];
    words.extend(settings.iter().cloned());
    if let Some(store) = store {
        words.extend(["--store".to_owned(), store.to_string_lossy().into_owned()]);
    }
    let quoted = |word: &String| shlex::try_quote(word).map_or_else(|_| word.clone(), |quoted| quoted.into_owned());
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
