//! The `Pairs` artifact: noise, and what a model draws from it.

use std::path::Path;

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::WeightFile;
use tch::{Device, Kind, Tensor};

use crate::artifacts::dataset::Caption;
use crate::{NodeError, files};

pub(crate) const NOISE: &str = "noise";
pub(crate) const SAMPLES: &str = "samples";
pub(crate) const CAPTIONS: &str = "captions.jsonl";

/// Pairs as a distillation reads them, a few rows at a time.
#[derive(Debug)]
pub(crate) struct Pairs {
    noise: WeightFile,
    samples: WeightFile,
    /// For each pair the position of its caption in the data.
    captions: Vec<i64>,
    device: Device,
}

/// Some pairs: noise and samples (b, c, h, w), and the positions of their captions in the data.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) noise: Tensor,
    pub(crate) samples: Tensor,
    pub(crate) captions: Vec<i64>,
}

impl Pairs {
    /// Opens the artifact, to distil on data of these captions, sorted, which it must share, and samples of this shape.
    pub(crate) fn read(
        folder: &Path,
        of_data: &[String],
        sample_shape: [i64; 3],
        device: Device,
    ) -> Result<Self, NodeError> {
        let path = folder.join(CAPTIONS);
        let lines: Vec<Caption> = files::read_lines(&path)?;
        let position = |line: &Caption| {
            of_data.binary_search(&line.text).map(|at| at as i64).map_err(|_| {
                let message = format!(
                    "the data have no caption `{}`; draw the pairs of the same data: `OdePairs(data: …)`",
                    line.text
                );
                NodeError::content(&path, message)
            })
        };
        let captions = lines.iter().map(position).collect::<Result<Vec<_>, _>>()?;
        let open = |key: &str| open(folder, key, captions.len(), sample_shape);
        Ok(Self { noise: open(NOISE)?, samples: open(SAMPLES)?, captions, device })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> i64 {
        self.captions.len() as i64
    }

    /// Those with these indices.
    pub(crate) fn batch(&self, indices: &[i64]) -> Result<Batch, DiffusionError> {
        let captions = indices.iter().map(|&i| self.captions[i as usize]).collect();
        let rows = |file: &WeightFile, key| file.rows(key, indices, Kind::Float, self.device);
        let (noise, samples) = (rows(&self.noise, NOISE)?, rows(&self.samples, SAMPLES)?);
        Ok(Batch { noise, samples, captions })
    }
}

/// A file of as many samples of this shape.
fn open(folder: &Path, key: &str, count: usize, shape: [i64; 3]) -> Result<WeightFile, NodeError> {
    let path = folder.join(format!("{key}.safetensors"));
    let file = WeightFile::open(&path)?;
    let wrong = |message: String| Err(NodeError::content(&path, message));
    match file.shape(key).filter(|_| file.dtype(key) == Some(Kind::Float)).as_deref() {
        Some([rows, ..]) if *rows != count as i64 => wrong(format!("{rows} rows and {count} captions")),
        Some([_, own @ ..]) if own != shape => wrong(format!(
            "the samples are {own:?}, and the teacher's {shape:?}; draw the pairs with this teacher: `OdePairs(teacher: …)`"
        )),
        Some([_, ..]) => Ok(file),
        _ => wrong(format!("has no `{key}` in fp32")),
    }
}
