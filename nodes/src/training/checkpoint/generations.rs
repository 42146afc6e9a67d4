//! The checkpoints of a training: two are kept, so that a damaged one costs the time between two of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::remove_partials;
use tch::Tensor;

use super::file::{self, BEGIN, Checkpoint, Name, Wanted, Whole};
use crate::files;

/// Checkpoints that are kept.
const KEPT: usize = 2;
/// What a checkpoint is called until its digest is known.
const NEW: &str = "checkpoint.new";
/// What the name of one that was set aside ends in.
const ASIDE: &str = ".damaged";

/// The checkpoints in a job's scratch directory.
pub(in super::super) struct Generations {
    folder: PathBuf,
    /// Whose training it is, by any of these; what is written has the first.
    jobs: Vec<String>,
    steps: u64,
    /// From the oldest to the newest.
    kept: Vec<PathBuf>,
}

/// What a training begins with.
pub(in super::super) struct Begin {
    /// The newest checkpoint that is whole.
    pub(in super::super) checkpoint: Option<Checkpoint>,
    /// Whether that is one of an earlier version, of which nobody knows whether it is as it was written.
    pub(in super::super) is_old: bool,
    /// What is wrong with each of those that are newer and were set aside.
    pub(in super::super) damaged: Vec<String>,
}

impl Generations {
    /// Those of a training of so many steps. Each of `jobs` stands for all that the training depends on.
    pub(in super::super) fn new(folder: &Path, jobs: Vec<String>, steps: u64) -> Self {
        Self { folder: folder.to_owned(), jobs, steps, kept: Vec::new() }
    }

    /// Reads the newest that is whole and of this training, whose tensors have the names and shapes of `like`. Whatever else
    /// is in its place is set aside. What a kill left of one that was being written is removed.
    pub(in super::super) fn begin(&mut self, like: &BTreeMap<String, Tensor>) -> Result<Begin, DiffusionError> {
        self.remove_unfinished()?;
        let mut found = self.found()?;
        let wanted = Wanted { jobs: &self.jobs, steps: self.steps, like };
        let mut damaged = Vec::new();
        while let Some((name, path)) = found.pop() {
            match Whole::find(&path, name, &wanted) {
                Ok(whole) => {
                    self.kept = found.into_iter().map(|(_, path)| path).chain([path]).collect();
                    // It is whole: what goes wrong now is no reason to set it aside.
                    let checkpoint = Some(whole.read()?);
                    return Ok(Begin { checkpoint, is_old: name == Name::Old, damaged });
                }
                Err(error) => {
                    let aside = self.set_aside(&path, damaged.is_empty());
                    let but = aside.err().map(|error| format!("; it cannot be set aside: {error}")).unwrap_or_default();
                    damaged.push(format!("{error}{but}"));
                }
            }
        }
        Ok(Begin { checkpoint: None, is_old: false, damaged })
    }

    /// Writes a checkpoint and makes it the newest. At any moment there is a whole one, and there are never more than are
    /// kept, beside the one that is being written; on an error all are as they were, or the older one is gone because the
    /// disk is full.
    pub(in super::super) fn write(
        &mut self,
        step: u64,
        mut tensors: BTreeMap<String, Tensor>,
    ) -> Result<(), DiffusionError> {
        let new = self.folder.join(NEW);
        let mut written = file::write(&new, &self.jobs[0], step, &mut tensors);
        if written.as_ref().is_err_and(is_full) && self.kept.len() > 1 {
            self.forget(1)?;
            written = file::write(&new, &self.jobs[0], step, &mut tensors);
        }
        written?;
        let path = self.folder.join(Name::held(step, file::digest(&new)?));
        self.forget(KEPT - 1)?;
        rename(&new, &path).map_err(io_error("write", &path))?;
        self.kept.push(path);
        Ok(())
    }

    /// Removes all but the newest of so many.
    fn forget(&mut self, but: usize) -> Result<(), DiffusionError> {
        while self.kept.len() > but {
            files::remove_any(&self.kept[0]).map_err(io_error("remove", &self.kept[0]))?;
            self.kept.remove(0);
        }
        Ok(())
    }

    /// What lies where checkpoints are, in the order of their steps.
    fn found(&self) -> Result<Vec<(Name, PathBuf)>, DiffusionError> {
        let name = |path: PathBuf| Some((Name::of(path.file_name()?.to_str()?)?, path));
        let mut found: Vec<_> = self.list()?.into_iter().filter_map(name).collect();
        found.sort_by_key(|(name, _)| name.step());
        Ok(found)
    }

    /// Whatever is called like a checkpoint, sorted.
    fn list(&self) -> Result<Vec<PathBuf>, DiffusionError> {
        let entries = fs::read_dir(&self.folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(io_error("list", &self.folder))?;
        let is_one = |entry: &&fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(BEGIN.as_bytes());
        let mut paths: Vec<_> = entries.iter().filter(is_one).map(fs::DirEntry::path).collect();
        paths.sort();
        Ok(paths)
    }

    fn remove_unfinished(&self) -> Result<(), DiffusionError> {
        let new = self.folder.join(NEW);
        files::remove_any(&new).map_err(io_error("remove", &new))?;
        remove_partials(&new)?;
        // Those of earlier versions.
        remove_partials(&self.folder.join(format!("{BEGIN}.safetensors")))
    }

    /// Gives a thing a name that no checkpoint has. Of what was set aside before, only that of this start stays.
    fn set_aside(&self, path: &Path, is_first: bool) -> Result<(), DiffusionError> {
        if is_first {
            let is_aside = |path: &PathBuf| path.as_os_str().as_encoded_bytes().ends_with(ASIDE.as_bytes());
            for old in self.list()?.into_iter().filter(is_aside) {
                files::remove_any(&old).map_err(io_error("remove", &old))?;
            }
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(ASIDE);
        fs::rename(path, &aside).map_err(io_error("set aside", path))
    }
}

/// Gives a finished file its name, durably.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Whether there would have been room for it without an older one.
fn is_full(error: &DiffusionError) -> bool {
    let full = |kind| matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    matches!(error, DiffusionError::Io { source, .. } if full(source.kind()))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiffusionError {
    let path = path.to_owned();
    move |source| DiffusionError::Io { action, path, source }
}
