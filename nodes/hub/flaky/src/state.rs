//! What the server knows, and what it has seen.

use std::collections::{BTreeMap, VecDeque};

use crate::Fault;

/// A file of the repository.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lfs: bool,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// What the server knows, and what it has seen.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) repo: String,
    pub(crate) files: BTreeMap<String, Content>,
    /// For the requests of files.
    pub(crate) faults: VecDeque<Fault>,
    /// For all others.
    pub(crate) api_faults: VecDeque<Fault>,
    /// Where large files are instead.
    pub(crate) elsewhere: Option<String>,
    /// Entries of a page of the listing.
    pub(crate) page: usize,
    /// What the listing says of a file instead of the truth.
    pub(crate) lies: BTreeMap<String, Vec<u8>>,
    pub(crate) seen: Vec<Request>,
    pub(crate) closed: bool,
}
