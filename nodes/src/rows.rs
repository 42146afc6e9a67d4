//! Tensors that are computed batch by batch into files of the scratch directory, where an interrupted node goes on.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::RowWriter;
use hyper_flow_spec::{Event, Level};
use tch::{Kind, Tensor};

use crate::worker::Context;
use crate::{NodeError, files};

/// A tensor to be computed: it will be `<file>.safetensors`.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) file: String,
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    /// With the number of rows first.
    pub(crate) shape: Vec<i64>,
}

impl Rows {
    fn path(&self, context: &Context) -> PathBuf {
        context.job.scratch.join(format!("{}.safetensors", self.file))
    }

    /// Where it is noted how many rows are safe, of this tensor and of those that are computed with it.
    fn note(&self, context: &Context) -> PathBuf {
        context.job.scratch.join(format!("{}.done", self.file))
    }

    /// Puts the finished file into the artifact.
    pub(crate) fn publish(&self, context: &Context) -> Result<(), NodeError> {
        // The note first: it must not speak of a file that is not there.
        let note = self.note(context);
        if note.exists() {
            fs::remove_file(&note).map_err(NodeError::io("remove", &note))?;
        }
        files::move_to(&self.path(context), &context.output(&format!("{}.safetensors", self.file)))
    }
}

/// Computes tensors, at least one, that have the same number of rows, `batch` of them at a time: `each` gives a range of
/// rows of every tensor. It must not depend on what was computed before, but may on the batches, which are always the same.
pub(crate) fn compute(
    context: &Context,
    tensors: &[Rows],
    batch: i64,
    unit: &str,
    mut each: impl FnMut(Range<i64>) -> Result<Vec<Tensor>, NodeError>,
) -> Result<(), NodeError> {
    let count = tensors[0].shape[0];
    let mut computation = Computation::begin(context, tensors)?;
    let mut saved = Instant::now();
    while computation.done < count {
        let range = computation.done..count.min(computation.done + batch);
        computation.push(range.end, &each(range)?)?;
        context.reporter.progress(computation.done as u64, count as u64, unit);
        let due = saved.elapsed() >= Duration::from_secs_f64(context.job.checkpoint_seconds);
        let stop = context.cancel.requested();
        if due || stop || computation.done == count {
            computation.save()?;
            saved = Instant::now();
        }
        if stop {
            return Err(NodeError::Interrupted { step: computation.done as u64 });
        }
    }
    computation.finish()
}

struct Computation<'a> {
    context: &'a Context,
    note: PathBuf,
    writers: Vec<RowWriter>,
    done: i64,
}

impl<'a> Computation<'a> {
    /// Begins, or goes on where the scratch directory says.
    fn begin(context: &'a Context, tensors: &[Rows]) -> Result<Self, NodeError> {
        let note = tensors[0].note(context);
        if note.exists() {
            match Self::resume(context, tensors, &note) {
                Ok(computation) => return Ok(computation),
                Err(error) => {
                    let text = format!("what was computed before is damaged ({error}); it is computed anew");
                    context.reporter.message(Level::Warning, text);
                    fs::remove_file(&note).map_err(NodeError::io("remove", &note))?;
                }
            }
        }
        let create = |rows: &Rows| RowWriter::create(&rows.path(context), rows.key, rows.kind, &rows.shape);
        let writers = tensors.iter().map(create).collect::<Result<_, _>>()?;
        Ok(Self { context, note, writers, done: 0 })
    }

    fn resume(context: &'a Context, tensors: &[Rows], note: &Path) -> Result<Self, NodeError> {
        let done = files::read(note)?.parse::<u32>().map(i64::from).map_err(|e| NodeError::content(note, e))?;
        let resume = |rows: &Rows| RowWriter::resume(&rows.path(context), rows.key, rows.kind, &rows.shape, done);
        let writers = tensors.iter().map(resume).collect::<Result<_, DiffusionError>>()?;
        context.reporter.event(&Event::Resumed { step: done as u64 });
        Ok(Self { context, note: note.to_owned(), writers, done })
    }

    fn push(&mut self, end: i64, rows: &[Tensor]) -> Result<(), DiffusionError> {
        self.writers.iter_mut().zip(rows).try_for_each(|(writer, rows)| writer.push(rows))?;
        self.done = end;
        Ok(())
    }

    /// Notes how far it is, once that is on disk.
    fn save(&mut self) -> Result<(), NodeError> {
        self.writers.iter_mut().try_for_each(RowWriter::sync)?;
        files::replace(&self.note, &self.done.to_string())?;
        self.context.reporter.event(&Event::Checkpoint { step: self.done as u64 });
        Ok(())
    }

    fn finish(self) -> Result<(), NodeError> {
        Ok(self.writers.into_iter().try_for_each(RowWriter::finish)?)
    }
}
