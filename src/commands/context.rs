//! What every command is given.

use std::io::{self, BufWriter, IsTerminal, Write, stdout};
use std::path::PathBuf;

use hyper_flow_cache::{Store, StoreError};

use crate::commands::again;
use crate::error::{self, Failure, NoStoreYet};
use crate::output::{Harmless, Output, Room, output, standard};
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
    /// Whether it was given, and is not the default.
    pub store_is_named: bool,
    /// Whether sizes and times of files tell nothing.
    pub paranoid: bool,
    /// How results are printed.
    pub format: Format,
    /// How wide results may be.
    pub room: Room,
    /// Whether standard output takes colours.
    pub color_stdout: bool,
    /// Whether standard error takes colours.
    pub color_stderr: bool,
}

impl Context {
    /// Opens the store, creating it where there is none: for what fills it.
    pub fn open_store(&self) -> Result<Store, Failure> {
        self.opened(Store::open(&self.store))
    }

    /// Opens the store to look things up, creating none: where there is none, it is as an empty one.
    pub fn look_into_store(&self) -> Result<Store, Failure> {
        self.opened(Store::open_existing(&self.store))
    }

    /// For what tells of artifacts: a store that was named must be there, for the name may be a slip of the pen.
    pub(crate) fn require(&self, store: &Store) -> Result<(), Failure> {
        if self.store_is_named && !store.is_there() { Err(self.no_store()) } else { Ok(()) }
    }

    /// For what tells what a run would do: it would make the store that was named.
    pub(crate) fn warn_if_missing(&self, store: &Store) {
        if self.store_is_named && !store.is_there() && self.format == Format::Human {
            let run = again::command(self, "run", &[]);
            error::print(&NoStoreYet { store: self.store.clone(), run }, self.format, self.color_stderr);
        }
    }

    /// Opens the store that must be there: for what looks after it.
    pub fn existing_store(&self) -> Result<Store, Failure> {
        let store = self.opened(Store::open_existing(&self.store))?;
        if store.is_there() { Ok(store) } else { Err(self.no_store()) }
    }

    /// As [`Context::existing_store`], also where things in it are not in their places.
    pub fn store_to_mend(&self) -> Result<Store, Failure> {
        let store = self.opened(Store::open_to_mend(&self.store))?;
        if store.is_there() { Ok(store) } else { Err(self.no_store()) }
    }

    /// What is made in a shared store is for its group, whatever the user's umask.
    fn opened(&self, store: Result<Store, StoreError>) -> Result<Store, Failure> {
        let store = store?;
        store.open_to_group();
        Ok(if self.paranoid { store.paranoid() } else { store })
    }

    fn no_store(&self) -> Failure {
        let message = format!("there is no store at `{}`", self.store.display());
        let (run, init) = (again::command(self, "run", &[]), again::command(self, "store", &["init"]));
        let help = format!("name another one with `--store` or HYPER_FLOW_STORE; `{run}` and `{init}` make one");
        Failure::usage(message, help)
    }

    /// Tells people, on standard error, what is probably not meant in a pipeline.
    pub(crate) fn warn(&self, warnings: &[Finding]) {
        if self.format == Format::Human {
            warnings.iter().for_each(|warning| error::print(warning, self.format, self.color_stderr));
        }
    }

    /// Writes a report to standard output. People are shown what a terminal would obey, whatever it came from; so is a
    /// terminal that is shown bare names.
    pub(crate) fn print(
        &self,
        write: impl FnOnce(&dyn Output, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let output = output(self.format, self.color_stdout, self.room);
        let raw = match self.format {
            Format::Json => true,
            Format::Quiet => !stdout().is_terminal(),
            Format::Human => false,
        };
        self.write(|out| match raw {
            true => write(output.as_ref(), out),
            false => write(output.as_ref(), &mut Harmless::new(out, self.color_stdout)),
        })
    }

    /// Writes to standard output as it is.
    pub(crate) fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let mut out = BufWriter::new(standard());
        write(&mut out).and_then(|()| out.flush()).map_err(Failure::Output)
    }
}
