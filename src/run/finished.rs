//! What nodes have finished and the store could not take, for want of space: kept, so that nothing is computed twice.

use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Digest, Key, Store, StoreError, remove_tree};
use serde_json::Value;

use super::log::{io_error, write_json};

/// An output that is whole, and what its record is to say.
pub(super) struct Finished {
    pub(super) out: PathBuf,
    pub(super) meta: Value,
}

/// Its digest follows. A name takes no room where there is none.
const PREFIX: &str = "finished-";
const META: &str = "finished.json";

/// Moves an output to where [`find`] finds it. What its record was to say is let go if there is no room for that.
pub(super) fn keep(store: &Store, key: &Key, out: &Path, meta: &Value) -> Result<(), StoreError> {
    let digest = store.digest_path(out)?.digest;
    let scratch = store.scratch(key)?;
    let _ = write_json(&scratch.join(META), meta);
    let place = scratch.join(format!("{PREFIX}{digest}"));
    // One that failed to be published again is already there.
    if place == out { Ok(()) } else { fs::rename(out, &place).map_err(io_error("move aside", out)) }
}

/// The output of a key, if one was kept. One that was altered since is removed.
pub(super) fn find(store: &Store, key: &Key) -> Result<Option<Finished>, StoreError> {
    let scratch = store.scratch_path(key);
    let entries = fs::read_dir(&scratch).into_iter().flatten().flatten();
    let digest = |name: &str| name.strip_prefix(PREFIX)?.parse::<Digest>().ok();
    let found = entries.filter_map(|entry| Some((entry.path(), digest(entry.file_name().to_str()?)?)));
    for (out, digest) in found.collect::<Vec<_>>() {
        if store.digest_path(&out)?.digest == digest {
            let meta = fs::read(scratch.join(META)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            return Ok(Some(Finished { out, meta: meta.unwrap_or_default() }));
        }
        remove_tree(&out)?;
    }
    Ok(None)
}
