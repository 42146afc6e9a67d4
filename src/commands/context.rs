//! What every command is given.

use std::path::PathBuf;

use hyper_flow_cache::Store;

use crate::error::Failure;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// For machines.
    Json,
    /// Only the names or values asked for.
    Quiet,
}

/// The global options.
#[derive(Debug)]
pub struct Context {
    /// The directory of the store, as given.
    pub store: PathBuf,
    /// How results are printed.
    pub format: Format,
    /// Whether standard output takes colours.
    pub color_stdout: bool,
    /// Whether standard error takes colours.
    pub color_stderr: bool,
}

impl Context {
    /// Opens the store, creating it where there is none.
    pub fn open_store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.store)?)
    }
}
