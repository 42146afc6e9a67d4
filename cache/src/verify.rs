//! Reading everything again.

use std::path::PathBuf;

use serde::Serialize;

use crate::error::Result;
use crate::store::Store;

/// Something in the store that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, relative to the store.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// What a verification read and found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Objects hashed.
    pub objects: u64,
    /// Bytes hashed.
    pub bytes: u64,
    /// Manifests read.
    pub trees: u64,
    /// Records read.
    pub records: u64,
    /// Preimages read.
    pub preimages: u64,
    /// What is wrong, sorted by path. A repair has set each one aside.
    pub problems: Vec<Problem>,
}

impl Store {
    /// Hashes every object, manifest and preimage and checks every record. With `repair`, whatever is
    /// altered is set aside, and so are records that nothing whole stands behind, so that the next run
    /// makes anew what is needed, and a second verification finds nothing.
    pub fn verify(&self, repair: bool) -> Result<VerifyReport> {
        let _ = repair;
        todo!()
    }
}
