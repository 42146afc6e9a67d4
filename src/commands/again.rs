//! Command lines that are advised: what was said on this one is said on them, too, so that they mean the same.

use std::path::{Path, PathBuf};

use crate::commands::context::Context;
use crate::commands::source::{Overriding, file_of};

/// `hyper-flow COMMAND`, in the same store.
pub(crate) fn command(context: &Context, command: &str, words: &[&str]) -> String {
    line(command, words.iter().map(|&word| word.to_owned()), store_of(context))
}

/// What this command line says that others about the same pipeline have to repeat.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    file: Option<String>,
    overriding: Vec<String>,
    store: Option<PathBuf>,
}

impl Again {
    /// `given` are its words.
    pub(crate) fn of(given: &[String], overriding: &Overriding, context: &Context) -> Again {
        Again {
            file: file_of(given).cloned(),
            overriding: overriding.words(),
            store: store_of(context).map(Path::to_owned),
        }
    }

    /// `hyper-flow COMMAND`, about the same pipeline, changed in the same way, in the same store.
    pub(crate) fn line(&self, command: &str, words: &[&str]) -> String {
        let words = words.iter().map(|&word| word.to_owned());
        let words = self.file.iter().cloned().chain(words).chain(self.overriding.iter().cloned());
        line(command, words, self.store.as_deref())
    }
}

/// One such line.
pub(crate) fn about(
    given: &[String],
    overriding: &Overriding,
    context: &Context,
    command: &str,
    words: &[&str],
) -> String {
    Again::of(given, overriding, context).line(command, words)
}

/// `hyper-flow COMMAND WORDS --store STORE`, as a shell takes it.
pub(crate) fn line(command: &str, words: impl IntoIterator<Item = String>, store: Option<&Path>) -> String {
    let start = ["hyper-flow", command].map(str::to_owned).into_iter();
    let store = store.map(|store| ["--store".to_owned(), text(store)]);
    let words = start.chain(words).chain(store.into_iter().flatten());
    words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
}

/// The store, if it has to be named on another command line: what the environment says holds there, too.
pub(crate) fn store_of(context: &Context) -> Option<&Path> {
    let by_environment = std::env::var_os("HYPER_FLOW_STORE").is_some_and(|store| store == *context.store.as_os_str());
    (context.store_is_named && !by_environment).then_some(context.store.as_path())
}

pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |quoted| quoted.into_owned())
}
