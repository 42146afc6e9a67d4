//! The command that makes an artifact again.

use std::path::Path;

use hyper_flow_cache::{Record, Store};

use crate::commands::again::{line, store_of, text};
use crate::commands::context::Context;
use crate::commands::source::{Loaded, Overriding};
use crate::output::report::Remake;
use crate::plan::Provenance;
use crate::runs::Run;

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
    let (settings, note) = match planned.key == Some(record.key) {
        true => (Some(overriding.words()), None),
        false => then(&loaded.store, record, file),
    };
    let gone = || "with the settings of then: the log of its run is gone".to_owned();
    let note = note.or_else(|| settings.is_none().then(gone));
    let words = [text(file), node.to_owned()].into_iter().chain(settings.unwrap_or_default());
    Remake { command: line("run", words, store_of(context)), note }
}

/// This command line once more.
pub(super) fn again(words: &[&str], overriding: &Overriding, context: &Context) -> String {
    line("show", words.iter().map(|&word| word.to_owned()).chain(overriding.words()), store_of(context))
}

/// Of what is pinned: as the run had it that made it.
pub(super) fn of_run(store: &Store, record: &Record) -> Option<Remake> {
    let made = Provenance::of(record)?;
    let run = Run { path: store.runs().join(&made.run) }.description()?;
    let file = run.origin.find(store).unwrap_or_else(|| run.origin.path().to_owned());
    let (settings, note) = then(store, record, &file);
    let words = [text(&file), made.node].into_iter().chain(settings?);
    Some(Remake { command: line("run", words, Some(store.root())), note })
}

/// The settings of the run that made it, and whether its file is another now.
fn then(store: &Store, record: &Record, file: &Path) -> (Option<Vec<String>>, Option<String>) {
    let Some(made) = Provenance::of(record) else { return (None, None) };
    let run = Run { path: store.runs().join(&made.run) };
    let Some(asked) = run.description() else { return (None, None) };
    let set = asked.set.into_iter().flat_map(|set| ["--set".to_owned(), set]);
    let params = asked.params.map(|path| ["--params".to_owned(), path.to_string_lossy().into_owned()]);
    let text = run.path.join("pipeline.ron");
    let differs = std::fs::read(&text).ok().zip(std::fs::read(file).ok()).is_none_or(|(then, now)| then != now);
    let note = differs.then(|| format!("if the file is what it was then: {}", text.display()));
    (Some(set.chain(params.into_iter().flatten()).collect()), note)
}
