//! Going through what is filed in the store.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::digest::Key;
use crate::error::{Result, StoreError};
use crate::files;
use crate::store::Store;

/// A file under `objects/`, `trees/`, `records/` or `preimages/`.
#[derive(Debug)]
pub(crate) struct Filed {
    /// The digest its place stands for; `None` for a name that no digest has.
    pub(crate) name: Option<[u8; 32]>,
    pub(crate) path: PathBuf,
    pub(crate) meta: Metadata,
}

impl Store {
    /// Everything in `area/ab/`, sorted. What vanishes meanwhile is passed over.
    pub(crate) fn filed_in(&self, area: &str) -> Result<Vec<Filed>> {
        let mut filed = Vec::new();
        for shard in children(&self.root().join(area))? {
            for path in children(&shard)? {
                if let Some(meta) = files::stat(&path)? {
                    filed.push(Filed { name: name_of(&path), path, meta });
                }
            }
        }
        Ok(filed)
    }

    /// When each record was written.
    pub(crate) fn record_times(&self) -> Result<BTreeMap<Key, SystemTime>> {
        let filed = self.filed_in("records")?;
        let times =
            filed.into_iter().filter_map(|filed| Some((Key::from_bytes(filed.name?), filed.meta.modified().ok()?)));
        Ok(times.collect())
    }
}

/// What is in a directory, sorted; nothing if there is none.
pub(crate) fn children(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in files::list(dir)? {
        paths.push(entry.map_err(StoreError::io("read", dir))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The key that a file or directory has for a name.
pub(crate) fn key_named(path: &Path) -> Option<Key> {
    path.file_name()?.to_str()?.parse().ok()
}

/// `…/ab/cdef…` as a digest.
fn name_of(path: &Path) -> Option<[u8; 32]> {
    let shard = path.parent()?.file_name()?.to_str()?;
    let rest = path.file_name()?.to_str()?;
    let key: Key = format!("{shard}{rest}").parse().ok()?;
    (shard.len() == 2).then_some(*key.as_bytes())
}
