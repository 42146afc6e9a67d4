//! Computing them: what is noted of it, and how it is gone on with.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::RowWriter;
use hyper_flow_spec::{Event, Level};
use tch::{Kind, Tensor};

use super::prefix::{Part, Point, Prefix, whole};
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
        files::remove(&note)?;
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
        let due = saved.elapsed() >= context.between_checkpoints();
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
    /// What is written of each tensor.
    files: Vec<Prefix>,
    /// What the note says.
    points: Vec<Point>,
    done: i64,
}

impl<'a> Computation<'a> {
    /// Begins, or goes on where the scratch directory says.
    fn begin(context: &'a Context, tensors: &[Rows]) -> Result<Self, NodeError> {
        let note = tensors[0].note(context);
        if note.symlink_metadata().is_ok() {
            match Self::resume(context, tensors, &note) {
                Ok(computation) => return Ok(computation),
                Err(error) => {
                    warn(context, format!("what was computed before is damaged ({error}); it is computed anew"));
                    files::remove(&note)?;
                }
            }
        }
        let create = |rows: &Rows| {
            let path = rows.path(context);
            files::remove(&path)?;
            Ok(RowWriter::create(&path, rows.key, rows.kind, &rows.shape)?)
        };
        let writers = tensors.iter().map(create).collect::<Result<_, NodeError>>()?;
        Ok(Self { context, note, writers, files: prefixes(context, tensors), points: Vec::new(), done: 0 })
    }

    fn resume(context: &'a Context, tensors: &[Rows], note: &Path) -> Result<Self, NodeError> {
        let mut text = String::new();
        files::open(note).and_then(|mut file| file.read_to_string(&mut text)).map_err(NodeError::io("read", note))?;
        let computation = match text.parse() {
            Ok(rows) => Self::trusting(context, tensors, note, rows)?,
            Err(_) => Self::held_to_digests(context, tensors, note, &text)?,
        };
        context.reporter.event(&Event::Resumed { step: computation.done as u64 });
        Ok(computation)
    }

    /// Goes on with what a version before noted, which kept no digest.
    fn trusting(context: &'a Context, tensors: &[Rows], note: &Path, rows: u32) -> Result<Self, NodeError> {
        let writers = resume_writers(context, tensors, rows)?;
        warn(context, format!("the first {rows} rows are of a version that kept no digest: they fit, and are trusted"));
        let (note, files) = (note.to_owned(), prefixes(context, tensors));
        Ok(Self { context, note, writers, files, points: Vec::new(), done: rows.into() })
    }

    /// Goes on after the last point up to which all is as it was written.
    fn held_to_digests(context: &'a Context, tensors: &[Rows], note: &Path, text: &str) -> Result<Self, NodeError> {
        let damaged = || NodeError::content(note, "it and the rows that it notes do not fit");
        let mut points: Vec<Point> = text.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
        let mut files = prefixes(context, tensors);
        points.truncate(whole(&mut files, &points));
        let point = points.last().ok_or_else(damaged)?;
        let (writers, rows) = (resume_writers(context, tensors, point.rows)?, point.rows);
        if points.len() < text.lines().count() {
            warn(
                context,
                format!("what was computed before is damaged after row {rows}; it is computed anew from there"),
            );
            // What is behind that point is cut off, and no part of the digest any longer.
            files = prefixes(context, tensors);
        }
        let is_cut = |(file, part): (&Prefix, &Part)| file.size().is_ok_and(|size| size == part.bytes);
        match files.iter().zip(&point.parts).all(is_cut) && whole(&mut files, std::slice::from_ref(point)) == 1 {
            true => Ok(Self { context, note: note.to_owned(), writers, files, points, done: rows.into() }),
            false => Err(damaged()),
        }
    }

    fn push(&mut self, end: i64, rows: &[Tensor]) -> Result<(), DiffusionError> {
        self.writers.iter_mut().zip(rows).try_for_each(|(writer, rows)| writer.push(rows))?;
        self.done = end;
        Ok(())
    }

    /// Notes how far it is, once that is on disk.
    fn save(&mut self) -> Result<(), NodeError> {
        self.writers.iter_mut().try_for_each(RowWriter::sync)?;
        let part = |prefix: &mut Prefix| {
            let part = prefix.size().and_then(|size| prefix.part(size));
            part.map_err(NodeError::io("read", prefix.path()))
        };
        let parts = self.files.iter_mut().map(part).collect::<Result<_, _>>()?;
        self.points.push(Point { rows: self.done as u32, parts });
        files::replace(&self.note, &files::lines(&self.note, &self.points)?)?;
        self.context.reporter.event(&Event::Checkpoint { step: self.done as u64 });
        Ok(())
    }

    fn finish(self) -> Result<(), NodeError> {
        Ok(self.writers.into_iter().try_for_each(RowWriter::finish)?)
    }
}

/// Of the tensors' files, before anything of them is looked at.
fn prefixes(context: &Context, tensors: &[Rows]) -> Vec<Prefix> {
    let job = context.identity();
    tensors.iter().map(|rows| Prefix::new(rows.path(context), &job)).collect()
}

fn resume_writers(context: &Context, tensors: &[Rows], rows: u32) -> Result<Vec<RowWriter>, NodeError> {
    let resume = |of: &Rows| {
        let path = of.path(context);
        files::open(&path).map_err(NodeError::io("read", &path))?;
        Ok(RowWriter::resume(&path, of.key, of.kind, &of.shape, rows.into())?)
    };
    tensors.iter().map(resume).collect()
}

fn warn(context: &Context, text: String) {
    context.reporter.message(Level::Warning, text);
}
