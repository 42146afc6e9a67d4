//! One file of an artifact.

use std::io::{IsTerminal, stdout};

use hyper_flow_cache::{Record, Store, StoreError};

use super::drawn;
use crate::commands::context::Context;
use crate::error::Failure;
use crate::output::harmless;
use crate::pictures::{self, Wanted};

pub(super) fn content(
    store: &Store,
    record: &Record,
    path: &str,
    wanted: Wanted,
    context: &Context,
) -> Result<(), Failure> {
    match store.read(&record.artifact, path) {
        Ok(bytes) if stdout().is_terminal() => on_a_terminal(&bytes, path, wanted, context),
        Ok(bytes) => context.write(|out| out.write_all(&bytes)),
        Err(StoreError::NoSuchFile { .. }) => {
            let tree = store.tree(&record.artifact)?;
            let names: Vec<&str> = tree.entries().iter().map(|entry| entry.path.as_str()).take(20).collect();
            Err(Failure::usage(format!("the artifact has no file `{path}`"), format!("it has: {}", names.join(", "))))
        }
        Err(error) => Err(error.into()),
    }
}

/// A terminal would obey what is in a file that is no text. A picture is drawn, if it can be.
fn on_a_terminal(bytes: &[u8], path: &str, wanted: Wanted, context: &Context) -> Result<(), Failure> {
    if pictures::is_drawn(path)
        && let Some(canvas) = drawn::Canvas::of(wanted, context)
    {
        return canvas.file(path, bytes);
    }
    match str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => context.write(|out| out.write_all(harmless(text, false).as_bytes())),
        _ => Err(Failure::usage(
            format!("`{path}` is no text, and standard output is a terminal"),
            "send it elsewhere: `> FILE`, or into a program; `hyper-flow export` copies all of the artifact",
        )),
    }
}
