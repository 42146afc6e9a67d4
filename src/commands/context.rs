//! What every command is given.

use std::io::{self, BufWriter, Write, stdout};
use std::path::PathBuf;

use hyper_flow_cache::Store;

use crate::error::{self, Failure};
use crate::output::{Output, output};
use crate::pipeline::Finding;

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
    /// Whether sizes and times of files tell nothing.
    pub paranoid: bool,
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
        let store = Store::open(&self.store)?;
        Ok(if self.paranoid { store.paranoid() } else { store })
    }
    /// Tells people, on standard error, what is probably not meant in a pipeline.
    pub(crate) fn warn(&self, warnings: &[Finding]) {
        if self.format == Format::Human {
            warnings.iter().for_each(|warning| error::print(warning, self.format, self.color_stderr));
        }
    }

    /// Writes a report to standard output.
    pub(crate) fn print(
        &self,
        write: impl FnOnce(&dyn Output, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut out = BufWriter::new(stdout().lock());
        let output = output(self.format, self.color_stdout);
        write(output.as_ref(), &mut out).and_then(|()| out.flush()).map_err(Failure::Output)
    }
}
