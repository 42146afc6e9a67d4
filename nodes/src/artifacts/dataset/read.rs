//! Reading a dataset, a few pictures at a time.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::WeightFile;
use tch::{Device, Kind, Tensor, no_grad};

use super::{Caption, HELD_OUT, IMAGES, Masks, Shape, TRAIN};
use crate::{NodeError, files};

/// Pictures that are looked at together where all are looked at: at most these, and fewer if they have more values.
const CHUNK: i64 = 500;
const CHUNK_VALUES: i64 = 1 << 24;

/// Pictures and captions of one half of a dataset.
#[derive(Debug)]
pub(crate) struct Split {
    images: WeightFile,
    /// (count, channels, height, width).
    size: [i64; 4],
    pub(crate) captions: Vec<String>,
    pub(crate) masks: Option<Masks>,
}

/// A dataset as nodes read it.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) train: Rc<Split>,
    pub(crate) held_out: Rc<Split>,
}

impl Dataset {
    /// Opens the artifact.
    pub(crate) fn read(folder: &Path) -> Result<Self, NodeError> {
        Ok(Self { train: Split::read(folder, TRAIN)?.into(), held_out: Split::read(folder, HELD_OUT)?.into() })
    }

    /// The size of its pictures.
    pub(crate) fn shape(&self) -> Shape {
        let [channels, side, _] = self.train.picture_shape();
        Shape { channels, side }
    }

    /// Every distinct caption of both halves, sorted.
    pub(crate) fn distinct_captions(&self) -> Vec<String> {
        let all: BTreeSet<_> = self.train.captions.iter().chain(&self.held_out.captions).collect();
        all.into_iter().cloned().collect()
    }
}

impl Split {
    fn read(folder: &Path, name: &str) -> Result<Self, NodeError> {
        let path = folder.join(format!("{name}.safetensors"));
        let images = WeightFile::open(&path)?;
        let size = images.shape(IMAGES).filter(|_| images.dtype(IMAGES) == Some(Kind::Uint8));
        let size = size.and_then(|size| <[i64; 4]>::try_from(size).ok());
        let size = size.ok_or_else(|| NodeError::content(&path, "has no `images` of four dimensions in uint8"))?;
        let lines: Vec<Caption> = files::read_lines(&folder.join(format!("{name}.jsonl")))?;
        if lines.len() as i64 != size[0] {
            return Err(NodeError::content(&path, format!("{} pictures and {} captions", size[0], lines.len())));
        }
        let masks = Masks::read(folder, name, size[0], size[2])?;
        Ok(Self { images, size, captions: lines.into_iter().map(|line| line.text).collect(), masks })
    }

    /// How many pictures there are.
    pub(crate) fn len(&self) -> i64 {
        self.size[0]
    }

    /// (channels, height, width) of a picture.
    pub(crate) fn picture_shape(&self) -> [i64; 3] {
        [self.size[1], self.size[2], self.size[3]]
    }

    /// Pictures in [−1, 1], float32, in the order asked for.
    pub(crate) fn images(&self, indices: &[i64], device: Device) -> Result<Tensor, DiffusionError> {
        let bytes = self.images.rows(IMAGES, indices, Kind::Uint8, device)?;
        Ok(bytes.to_kind(Kind::Float) / 127.5 - 1.0)
    }

    /// How many pictures are looked at together where all are looked at.
    pub(crate) fn chunk(&self) -> i64 {
        (CHUNK_VALUES / self.picture_shape().iter().product::<i64>().max(1)).clamp(1, CHUNK)
    }

    /// All pictures in their order, as [`images`](Self::images), a chunk at a time.
    pub(crate) fn chunks(&self, device: Device) -> impl Iterator<Item = Result<Tensor, DiffusionError>> {
        let count = self.chunk();
        let starts = (0..self.len()).step_by(count as usize);
        starts.map(move |at| self.images(&(at..self.len().min(at + count)).collect::<Vec<_>>(), device))
    }

    /// The share of pictures whose caption has the position in a list that `guess` gives: pictures (b, …) → positions (b).
    pub(crate) fn accuracy(
        &self,
        captions: &[String],
        device: Device,
        guess: impl Fn(&Tensor) -> Tensor,
    ) -> Result<f64, DiffusionError> {
        let own = Tensor::from_slice(&self.caption_indices(captions)).to_device(device);
        let mut right = 0;
        for (pictures, own) in self.chunks(device).zip(own.split(self.chunk(), 0)) {
            let pictures = pictures?;
            right += no_grad(|| guess(&pictures)).eq_tensor(&own).sum(Kind::Int64).int64_value(&[]);
        }
        Ok(right as f64 / self.len() as f64)
    }

    /// The position of each picture's caption in a list that holds them all.
    pub(crate) fn caption_indices(&self, distinct: &[String]) -> Vec<i64> {
        positions(&self.captions, distinct)
    }
}

/// The position of each caption in a sorted list that holds them all.
pub(crate) fn positions(captions: &[String], distinct: &[String]) -> Vec<i64> {
    captions.iter().map(|text| distinct.binary_search(text).expect("the list holds every caption") as i64).collect()
}
