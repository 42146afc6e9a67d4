//! Pictures and tables that nodes want seen when the run ends.

use std::fs;
use std::path::{Component, Path, PathBuf};

use hyper_flow_cache::{Record, StoreError};
use hyper_flow_spec::metrics::Metrics;
use hyper_flow_spec::{Artifact, Level};

use super::context::Context;
use super::event::Event;
use super::log::{file_name, io_error};
use super::made::Said;
use crate::output::evaluation;
use crate::plan::Provenance;

/// Puts a readable copy of everything that is to be seen into the directory of the run, also of nodes that
/// were cached, and tells where it is. An object in the store has a digest for a name, and must never be
/// opened by a program that might write to it.
pub(super) fn show(context: &Context, records: &[Option<Record>]) {
    for (index, record) in records.iter().enumerate() {
        let Some(record) = record else { continue };
        for path in Said::of(record).show {
            let node = context.name(index);
            context.emit(match copy(context, node, record, &path) {
                Ok((copy, text)) => {
                    let metrics = if text.is_some() { metrics(context, record) } else { None };
                    Event::Shown { node: node.to_owned(), path: copy, text, metrics }
                }
                Err(error) => Event::message(node, Level::Warning, format!("`{path}` cannot be shown: {error}")),
            });
        }
    }
}

/// Where the copies are, in the directory of a run.
pub(super) fn folder(run: &Path) -> PathBuf {
    run.join("show")
}

/// Where the copy of a node's file is, in the directory of a run.
pub(crate) fn shown_file(run: &Path, node: &str, path: &str) -> PathBuf {
    folder(run).join(file_name(node)).join(inside(path))
}

fn copy(context: &Context, node: &str, record: &Record, path: &str) -> Result<(PathBuf, Option<String>), StoreError> {
    let content = context.store.read(&record.artifact, path)?;
    let copy = shown_file(&context.directory, node, path);
    let folder = copy.parent().unwrap_or(&context.directory);
    fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    fs::write(&copy, &content).map_err(io_error("write", &copy))?;
    let is_text = copy.extension().is_some_and(|end| end == "txt" || end == "md");
    let text = is_text.then(|| String::from_utf8_lossy(&content).into_owned());
    Ok((copy, text))
}

/// Of an `Eval`.
fn metrics(context: &Context, record: &Record) -> Option<Box<Metrics>> {
    Provenance::of(record).filter(|made| made.output == Artifact::Metrics)?;
    evaluation::of(&context.store, &record.artifact).map(Box::new)
}

/// Without anything that would lead out of the directory.
pub(crate) fn inside(path: &str) -> PathBuf {
    Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect()
}
