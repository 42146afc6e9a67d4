//! The command line that is being typed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The pipeline that it names, else the only one in the working directory.
pub(super) fn pipeline() -> Option<PathBuf> {
    let words = words();
    // The last word is the one that is being typed.
    let named = words.iter().take(words.len().saturating_sub(1)).map(Path::new).find(|word| is_pipeline(word));
    named.map(Path::to_owned).or_else(only_one)
}

/// The directory of the store.
pub(super) fn store() -> PathBuf {
    let words = words();
    let after = words.iter().position(|word| word == "--store").and_then(|at| words.get(at + 1)).cloned();
    let joined = || words.iter().find_map(|word| Some(word.to_str()?.strip_prefix("--store=")?.into()));
    let variable = || std::env::var_os("HYPER_FLOW_STORE");
    after.or_else(joined).or_else(variable).map_or_else(|| PathBuf::from(".hyper-flow"), PathBuf::from)
}

/// Whether a file is called as pipelines are.
pub(super) fn is_pipeline(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "ron")
}

/// What is behind `--` and the name of the program.
fn words() -> Vec<OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(2).collect()
}

fn only_one() -> Option<PathBuf> {
    let entries = std::fs::read_dir(".").ok()?.flatten().map(|entry| PathBuf::from(entry.file_name()));
    let mut found = entries.filter(|name| is_pipeline(name) && name.is_file());
    found.next().filter(|_| found.next().is_none())
}
