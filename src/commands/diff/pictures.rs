//! Pictures side by side.

use std::path::{Path, PathBuf};

use hyper_flow_cache::{Digest, Entry, Store, StoreError};

use super::side::SideNode;
use crate::output::report::ComparedPicture;
use crate::run::shown_file;

/// The pictures that either artifact has, by the path in it.
pub(super) fn pictures(a: &SideNode, b: &SideNode, store: &Store) -> Result<Vec<ComparedPicture>, StoreError> {
    let (of_a, of_b) = (entries(a, store)?, entries(b, store)?);
    let find =
        |entries: &[Entry], path: &str| entries.iter().find(|entry| entry.path == path).map(|entry| entry.digest);
    let mut paths: Vec<&String> = of_a.iter().chain(&of_b).map(|entry| &entry.path).collect();
    paths.sort();
    paths.dedup();
    let compared = |path: &String| {
        let (in_a, in_b) = (find(&of_a, path), find(&of_b, path));
        ComparedPicture {
            path: path.clone(),
            a: in_a.map(|digest| place(a, path, &digest, store)),
            b: in_b.map(|digest| place(b, path, &digest, store)),
            same: in_a == in_b,
        }
    };
    Ok(paths.into_iter().map(compared).collect())
}

fn entries(node: &SideNode, store: &Store) -> Result<Vec<Entry>, StoreError> {
    let Some(artifact) = node.artifact else { return Ok(Vec::new()) };
    let is_picture = |entry: &&Entry| {
        let end = Path::new(&entry.path).extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
        matches!(end.as_deref(), Some("png" | "jpg" | "jpeg"))
    };
    match store.tree(&artifact) {
        Ok(tree) => Ok(tree.entries().iter().filter(is_picture).cloned().collect()),
        // What was collected has no pictures any more.
        Err(_) => Ok(Vec::new()),
    }
}

/// The readable copy that the run made of it, or else the object in the store.
fn place(node: &SideNode, path: &str, digest: &Digest, store: &Store) -> PathBuf {
    let copy = node.directory.as_ref().map(|run| shown_file(run, &node.name, path));
    copy.filter(|copy| copy.is_file()).unwrap_or_else(|| {
        let digest = digest.to_string();
        store.root().join("objects").join(&digest[..2]).join(&digest[2..])
    })
}
