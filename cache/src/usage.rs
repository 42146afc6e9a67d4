//! How much a store holds.

use serde::Serialize;

use crate::error::Result;
use crate::store::Store;

/// Files and bytes of one part of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Area {
    /// How many files.
    pub files: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

/// What a store holds, by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Contents of artifacts, each once.
    pub objects: Area,
    /// Manifests.
    pub trees: Area,
    /// Records.
    pub records: Area,
    /// Preimages.
    pub preimages: Area,
    /// Logs and events.
    pub runs: Area,
    /// Checkpoints of what is not finished.
    pub scratch: Area,
    /// Staging.
    pub tmp: Area,
    /// What was set aside.
    pub damaged: Area,
    /// The index.
    pub index: Area,
}

impl Store {
    /// What the store holds.
    pub fn du(&self) -> Result<Usage> {
        todo!()
    }
}
