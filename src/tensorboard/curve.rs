//! What one attempt at a node told, as it tells it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Key, Store};
use hyper_flow_spec::metrics::{METRICS, Metrics};
use hyper_flow_spec::{Event as Said, Kind};

use super::file::EventFile;
use super::hparams::Hparams;
use super::picture::{below, picture, read};
use super::place;
use super::proto::Value;
use super::values::{by_optimiser, histogram, memory, scalar};
use crate::run::file_name;

/// So many steps of a training are told, in even distances.
const STEPS: u64 = 10_000;
/// And so many pictures of it: they are large.
const PICTURES: u64 = 100;

/// Where an attempt at a node is at home.
#[derive(Debug, Clone)]
pub(crate) struct Source<'a> {
    /// The directory of the run.
    pub(crate) run: &'a Path,
    /// The pipeline's name.
    pub(crate) pipeline: &'a str,
    /// The node's name.
    pub(crate) node: &'a str,
    /// What it does.
    pub(crate) kind: &'a Kind,
    /// Its seed.
    pub(crate) seed: u64,
    /// Where its samples are.
    pub(crate) samples: PathBuf,
    /// What becomes the artifact.
    pub(crate) out: PathBuf,
}

/// The event files of an attempt at a node, which there are none of before it tells something for them.
#[derive(Debug)]
pub(crate) struct Curve {
    run: PathBuf,
    folder: PathBuf,
    hparams: Hparams,
    samples: PathBuf,
    out: PathBuf,
    /// None before there is something for it, or as long as it cannot be begun.
    file: Option<EventFile>,
    /// The step from which on this attempt tells.
    first: u64,
    /// The last step that was told, and how many there are.
    step: u64,
    of: u64,
    /// The step of the last picture.
    pictured: u64,
}

impl Curve {
    /// Of an attempt that has not said anything yet.
    pub(crate) fn new(source: Source<'_>) -> Curve {
        let Source { run, pipeline, node, kind, seed, samples, out } = source;
        Curve {
            run: run.to_owned(),
            folder: place::folder(run, pipeline, node),
            hparams: Hparams::of(kind.name(), &kind.value(), seed),
            samples,
            out,
            file: None,
            first: 0,
            step: 0,
            of: 0,
            pictured: 0,
        }
    }

    /// The training goes on after a step of an earlier attempt, maybe in another run: its curve does too.
    pub(crate) fn goes_on(&mut self, store: &Store, key: &Key, step: u64) {
        place::take_over(store, key, &self.run, &self.folder);
        (self.first, self.step, self.pictured) = (step.saturating_add(1), step, step);
    }

    /// Takes what the worker says.
    pub(crate) fn take(&mut self, event: &Said) {
        match event {
            Said::Step { step, of, .. } => {
                (self.step, self.of) = (*step, *of);
                if is_told(*step, *of) {
                    self.add(*step, numbers(event));
                }
            }
            Said::Norms { step, norms } => {
                self.add(*step, histogram("lora/norms", norms.values().copied()).into_iter().collect());
            }
            Said::Sample { step, path } => self.sample(*step, path),
            // A number of what does not train is no curve.
            Said::Metric { name, value } if self.step > 0 => {
                self.add(self.step, vec![scalar(format!("metric/{name}"), *value)])
            }
            Said::Show { path } => self.show(path),
            _ => {}
        }
    }

    /// The worker has said all: what an Eval measured lies in its artifact.
    pub(crate) fn end(&mut self) {
        let found = read(&self.out.join(METRICS)).and_then(|bytes| serde_json::from_slice::<Metrics>(&bytes).ok());
        for (candidate, rows) in by_candidate(found.unwrap_or_default()) {
            let folder = self.folder.join(file_name(&candidate));
            let Ok(mut file) = self.create(&folder, 0) else { return };
            for (steps, values) in rows {
                let _ = file.add(steps, values);
            }
        }
    }

    fn sample(&mut self, step: u64, path: &Path) {
        let value = below(&self.samples, path).and_then(|file| picture("samples".to_owned(), &file));
        if let Some(value) = value.filter(|_| step >= self.pictured + self.of / PICTURES) {
            self.pictured = step;
            self.add(step, vec![value]);
        }
    }

    fn show(&mut self, path: &Path) {
        let tag = path.with_extension("").to_string_lossy().into_owned();
        let value = below(&self.out, path).and_then(|file| picture(format!("artifact/{tag}"), &file));
        self.add(self.step, value.into_iter().collect());
    }

    /// What cannot be written is let go.
    fn add(&mut self, step: u64, values: Vec<Value>) {
        if values.is_empty() {
            return;
        }
        if self.file.is_none() {
            self.file = self.open().ok();
        }
        let _ = self.file.as_mut().map(|file| file.add(step, values));
    }

    fn open(&self) -> io::Result<EventFile> {
        let mut file = self.create(&self.folder, self.first)?;
        file.add(self.first, vec![self.hparams.value()])?;
        Ok(file)
    }

    fn create(&self, folder: &Path, first: u64) -> io::Result<EventFile> {
        let run = self.run.file_name().unwrap_or_default().to_string_lossy();
        let path = place::next(folder, &run)?;
        // What stays of it is passed over by the mark that the new file begins with.
        let _ = place::cut(folder, first);
        EventFile::create(&path, first)
    }
}

/// Whether a step is one of those in even distances, the first or the last.
fn is_told(step: u64, of: u64) -> bool {
    step == 1 || step == of || step.is_multiple_of(of.div_ceil(STEPS).max(1))
}

/// The numbers of a step.
fn numbers(event: &Said) -> Vec<Value> {
    let Said::Step { losses, speed, lr, grad_norm, memory: held, .. } = event else { return Vec::new() };
    let losses = losses.iter().map(|(name, loss)| scalar(format!("loss/{name}"), *loss));
    let speed = speed.map(|speed| scalar("train/images_per_second", speed));
    let rates = by_optimiser("train/lr", lr).chain(by_optimiser("train/grad_norm", grad_norm));
    losses.chain(rates).chain(speed).chain(held.iter().flat_map(memory)).collect()
}

/// What an Eval measured of each candidate, by step count; 0 is that of real pictures.
fn by_candidate(metrics: Metrics) -> BTreeMap<String, BTreeMap<u64, Vec<Value>>> {
    let mut candidates: BTreeMap<String, BTreeMap<u64, Vec<Value>>> = BTreeMap::new();
    for row in metrics.rows {
        let steps = row.steps.and_then(|steps| u64::try_from(steps).ok()).unwrap_or(0);
        let numbers =
            row.numbers.into_iter().filter_map(|(name, number)| Some(scalar(format!("eval/{name}"), number?)));
        candidates.entry(row.candidate).or_default().insert(steps, numbers.collect());
    }
    candidates
}
