//! Copies of pictures under readable names.
//!
//! An object of the store has its digest for a name, and must never be opened by a program that might write to it; what only
//! reads creates nothing in a store. The directory of a run has copies of what nodes wanted seen in it, but not of all
//! pictures, and goes with the run. So they are in the user's cache, a folder an artifact, and can be deleted at any time.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hyper_flow_cache::{Digest, Store, StoreError};

use crate::run::{file_name, inside};

/// More pictures of one artifact are not copied: `export` has them all.
const MOST: usize = 200;
/// Folders that were not used for so long go.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// Copies of an artifact's pictures.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    /// The folder they are in.
    pub(crate) folder: Option<PathBuf>,
    /// Where the copy of each is, by its path in the artifact.
    pub(crate) pictures: BTreeMap<String, PathBuf>,
    /// How many were not copied.
    pub(crate) more: usize,
    /// Why none could be written.
    pub(crate) failed: Option<String>,
}

/// Copies the pictures of an artifact that a node yielded, those that are not there yet.
pub(crate) fn copy(store: &Store, node: &str, artifact: &Digest, paths: &[&str]) -> Result<Copied, StoreError> {
    let (some, more) = paths.split_at(paths.len().min(MOST));
    let mut copied = Copied { more: more.len(), ..Copied::default() };
    if some.is_empty() {
        return Ok(copied);
    }
    let Some(all) = folder() else {
        copied.failed = Some("neither XDG_CACHE_HOME nor HOME is set".to_owned());
        return Ok(copied);
    };
    let folder = all.join(format!("{}-{}", file_name(node), &artifact.to_string()[..8]));
    forget_old(&all);
    for path in some {
        let copy = folder.join(readable(path));
        let content = store.read(artifact, path)?;
        if let Err(error) = write(&copy, &content) {
            copied.failed = Some(format!("{}: {error}", copy.display()));
            return Ok(copied);
        }
        copied.pictures.insert((*path).to_owned(), copy);
    }
    let _ = File::open(&folder).and_then(|folder| folder.set_modified(SystemTime::now()));
    copied.folder = Some(folder);
    Ok(copied)
}

/// Of this program, among the caches of its user.
fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(caches.join("hyper-flow").join("pictures"))
}

/// A path within the folder, in characters that terminals and shells take as they are; different for different paths.
fn readable(path: &str) -> PathBuf {
    let plain = |c: char| c.is_alphanumeric() || "-_.,+=@{} ".contains(c);
    let part = |part: &std::ffi::OsStr| {
        let part = part.to_string_lossy();
        match part.chars().all(plain) && part.len() <= 200 {
            true => part.into_owned(),
            false => {
                let safe: String = part.chars().map(|c| if plain(c) { c } else { '_' }).collect();
                let from = safe.char_indices().rev().nth(60).map_or(0, |(at, _)| at);
                format!("{}-{}", &Digest::of(part.as_bytes()).short()[..6], &safe[from..])
            }
        }
    };
    inside(path).iter().map(part).collect()
}

/// Leaves a file alone that is as it should be: somebody may look at it.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let new = folder.join(format!(".{}.new", std::process::id()));
    fs::write(&new, content)?;
    fs::rename(&new, path)
}

fn forget_old(all: &Path) {
    let old = |path: &Path| {
        let changed = path.metadata().and_then(|found| found.modified());
        changed.is_ok_and(|time| time.elapsed().is_ok_and(|since| since > KEPT))
    };
    let folders = fs::read_dir(all).into_iter().flatten().flatten().map(|entry| entry.path());
    for folder in folders.filter(|path| old(path)) {
        let gone = hyper_flow_cache::remove_tree(&folder);
        tracing::debug!(folder = %folder.display(), ?gone, "pictures that nobody looked at for a month");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_lead_nowhere_else() {
        assert_eq!(readable("grid.png"), Path::new("grid.png"));
        assert_eq!(readable("../../deep/a b.png"), Path::new("deep/a b.png"));
        let escape = readable("a\u{1b}[2J.png");
        assert!(escape.to_str().unwrap().ends_with("-a__2J.png"), "{escape:?}");
        assert_ne!(escape, readable("a\u{7}[2J.png"));
        let long = readable(&format!("{}.png", "x".repeat(250)));
        assert!(long.as_os_str().len() < 100 && long.to_str().unwrap().ends_with("xx.png"));
    }

    #[test]
    fn a_folder_of_last_year_goes() {
        let dir = tempfile::tempdir().unwrap();
        for (name, age) in [("old-1", 31), ("new-2", 29)] {
            let folder = dir.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("a.png"), "").unwrap();
            let time = SystemTime::now() - Duration::from_secs(age * 86_400);
            File::open(&folder).unwrap().set_modified(time).unwrap();
        }
        forget_old(dir.path());
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["new-2"]);
    }
}
