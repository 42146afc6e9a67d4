//! Command lines that are advised: what was said on this one is said on them, too, so that they mean the same.

use std::path::Path;

use crate::commands::context::Context;
use crate::commands::source::{Overriding, file_of};

/// `hyper-flow COMMAND`, in the same store.
pub(crate) fn command(context: &Context, command: &str, words: &[&str]) -> String {
    line(
        ["hyper-flow", command].into_iter().map(str::to_owned).chain(words.iter().map(|&word| word.to_owned())),
        context,
    )
}

/// `hyper-flow COMMAND`, about the same pipeline, changed in the same way, in the same store. `given` are the words of this
/// command line.
pub(crate) fn about(
    given: &[String],
    overriding: &Overriding,
    context: &Context,
    command: &str,
    words: &[&str],
) -> String {
    let start = ["hyper-flow", command].map(str::to_owned).into_iter();
    let words = words.iter().map(|&word| word.to_owned());
    line(start.chain(file_of(given).cloned()).chain(words).chain(overriding.words()), context)
}

fn line(words: impl Iterator<Item = String>, context: &Context) -> String {
    let store = is_said(context).then(|| ["--store".to_owned(), text(&context.store)]);
    let words: Vec<String> = words.chain(store.into_iter().flatten()).map(|word| quoted(&word)).collect();
    words.join(" ")
}

/// Whether the store has to be named on another command line: what the environment says holds there, too.
fn is_said(context: &Context) -> bool {
    let by_environment = std::env::var_os("HYPER_FLOW_STORE").is_some_and(|store| store == *context.store.as_os_str());
    context.store_is_named && !by_environment
}

pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |quoted| quoted.into_owned())
}
