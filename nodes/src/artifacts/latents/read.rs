//! Reading latents, a few rows at a time.

use std::path::Path;
use std::rc::Rc;

use hyper_flow_diffusion::unet::AddedConditions;
use hyper_flow_diffusion::weights::WeightFile;
use hyper_flow_diffusion::{Conditions, DiffusionError, TimeIds};
use tch::{Device, Kind, Tensor};

use super::{ABOUT, About, CAPTIONS, EMPTY, LATENTS, POOLED, TEXT};
use crate::artifacts::dataset::{Caption, Masks, TRAIN};
use crate::artifacts::samples::{Layout, Table};
use crate::{NodeError, files};

/// Latents as nodes read them. (No node asks for the held-out half yet.)
#[derive(Debug)]
pub(crate) struct Latents {
    pub(crate) about: About,
    pub(crate) train: Split,
    /// Distinct captions of both halves, sorted.
    pub(crate) captions: Vec<String>,
    text: WeightFile,
    pooled: Option<WeightFile>,
    empty: WeightFile,
    /// What the encoders' output is wanted in.
    kind: Kind,
    device: Device,
}

/// Latents and captions of one half.
#[derive(Debug)]
pub(crate) struct Split {
    latents: Table,
    pub(crate) layout: Rc<Layout>,
    pub(crate) captions: Vec<String>,
    /// Of the pictures, in pixels.
    pub(crate) masks: Option<Masks>,
}

impl Latents {
    /// Whether a folder holds latents, and not pictures.
    pub(crate) fn are_in(folder: &Path) -> bool {
        folder.join(ABOUT).exists()
    }

    /// Opens the artifact. Conditions are to be of `kind`.
    pub(crate) fn read(folder: &Path, kind: Kind, device: Device) -> Result<Self, NodeError> {
        let about: About = files::read_json(&folder.join(ABOUT))?;
        let captions = read_captions(&folder.join(CAPTIONS))?;
        let text = open(folder, TEXT, 3, captions.len())?;
        let has_pooled = folder.join(format!("{POOLED}.safetensors")).exists();
        let pooled = has_pooled.then(|| open(folder, POOLED, 2, captions.len())).transpose()?;
        let train = Split::read(folder, TRAIN, about.side)?;
        if about.side.is_none() && train.layout.time_ids(0).is_none() {
            return Err(NodeError::content(&folder.join(ABOUT), "has no `side`, and the samples have no `framing`"));
        }
        if let Some(unknown) = train.captions.iter().find(|caption| captions.binary_search(caption).is_err()) {
            return Err(NodeError::content(&folder.join(CAPTIONS), format!("the caption `{unknown}` is not in it")));
        }
        let empty = WeightFile::open(&folder.join(EMPTY))?;
        Ok(Self { about, train, captions, text, pooled, empty, kind, device })
    }

    /// What captions give, by their positions among all.
    pub(crate) fn conditions(&self, captions: &[i64]) -> Result<Conditions, DiffusionError> {
        let read = |file: &WeightFile, key| file.rows(key, captions, self.kind, self.device);
        let pooled = self.pooled.as_ref().map(|pooled| read(pooled, POOLED)).transpose()?;
        Ok(self.with_added(read(&self.text, TEXT)?, pooled))
    }

    /// What no caption gives, one row.
    pub(crate) fn empty(&self) -> Result<Conditions, DiffusionError> {
        let read = |key| self.empty.tensor(key, self.kind, self.device);
        let pooled = self.pooled.as_ref().map(|_| read(POOLED)).transpose()?;
        Ok(self.with_added(read(TEXT)?, pooled))
    }

    fn with_added(&self, text: Tensor, pooled: Option<Tensor>) -> Conditions {
        // Whoever draws samples of several sizes says of which.
        let time_ids = TimeIds::square(self.about.side.unwrap_or_default()).tensor(text.size()[0], self.device);
        Conditions { text, added: pooled.map(|text_embeds| AddedConditions { text_embeds, time_ids }) }
    }
}

impl Split {
    fn read(folder: &Path, name: &str, side: Option<i64>) -> Result<Self, NodeError> {
        let (layout, captions) = Layout::read(folder, name)?;
        let latents = Table::open(folder, name, LATENTS, &[Kind::Float, Kind::Half, Kind::BFloat16], &layout)?;
        let masks = Masks::read(folder, name, &layout, side.unwrap_or_default())?;
        Ok(Self { latents, layout, captions, masks })
    }

    /// (channels, height, width) of a sample.
    pub(crate) fn shape_of(&self, sample: i64) -> [i64; 3] {
        self.latents.shape_of(sample)
    }

    /// Latents in float32, of slots of one bucket.
    pub(crate) fn drawn(&self, slots: &[i64], device: Device) -> Result<Tensor, DiffusionError> {
        self.layout.slots().mirrored(slots, |samples| self.latents.samples(samples, Kind::Float, device))
    }
}

fn read_captions(path: &Path) -> Result<Vec<String>, NodeError> {
    let lines: Vec<Caption> = files::read_lines(path)?;
    Ok(lines.into_iter().map(|line| line.text).collect())
}

/// A file named as its only tensor.
fn open(folder: &Path, key: &str, dimensions: usize, rows: usize) -> Result<WeightFile, NodeError> {
    let path = folder.join(format!("{key}.safetensors"));
    checked(WeightFile::open(&path)?, &path, key, dimensions, rows)
}

/// That a file has a tensor of floats with so many dimensions and a row for each caption.
fn checked(file: WeightFile, path: &Path, key: &str, dimensions: usize, rows: usize) -> Result<WeightFile, NodeError> {
    let float = matches!(file.dtype(key), Some(Kind::Float | Kind::Half | Kind::BFloat16));
    match file.shape(key).filter(|shape| float && shape.len() == dimensions) {
        None => Err(NodeError::content(path, format!("has no `{key}` of {dimensions} dimensions in floats"))),
        Some(shape) if shape[0] != rows as i64 => {
            Err(NodeError::content(path, format!("{} rows and {rows} captions", shape[0])))
        }
        Some(_) => Ok(file),
    }
}
