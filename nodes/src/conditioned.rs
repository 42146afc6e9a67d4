//! Pictures of a dataset with their captions as the model reads them.

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::rng::Rng;
use tch::{Device, Kind, Tensor};

use crate::dataset::Split;
use crate::model::TextEncoder;
use crate::training::Draw;

/// Captions are encoded once, each distinct one once.
#[derive(Debug)]
pub(crate) struct Conditioned {
    data: Split,
    device: Device,
    /// Distinct captions of this half, sorted.
    pub(crate) captions: Vec<String>,
    /// Their texts (captions, length, dim).
    pub(crate) texts: Tensor,
    /// For each picture the position of its caption.
    caption_of: Vec<i64>,
    /// Text of no caption (1, length, dim).
    pub(crate) empty: Tensor,
}

impl Conditioned {
    /// Encodes the captions of one half of a dataset.
    pub(crate) fn new(data: &Split, encoder: &TextEncoder, device: Device) -> Result<Self, DiffusionError> {
        let mut captions = data.captions.clone();
        captions.sort();
        captions.dedup();
        let texts = encoder.encode(&captions)?;
        let empty = encoder.encode(&[String::new()])?;
        let caption_of = data.caption_indices(&captions);
        Ok(Self { data: data.shallow_clone(), device, captions, texts, caption_of, empty })
    }

    /// Pictures (b, c, h, w) in [−1, 1] and their texts (b, length, dim): the next samples of this training.
    pub(crate) fn batch(&self, draw: &Draw<'_>) -> (Tensor, Tensor) {
        let indices = draw.indices(self.data.len());
        (self.data.images(&indices, self.device), self.texts_of(&indices))
    }

    /// The texts of pictures by their indices.
    pub(crate) fn texts_of(&self, pictures: &[i64]) -> Tensor {
        let captions = self.caption_indices_of(pictures);
        self.texts.index_select(0, &Tensor::from_slice(&captions).to_device(self.device))
    }

    /// The positions of the captions of pictures.
    pub(crate) fn caption_indices_of(&self, pictures: &[i64]) -> Vec<i64> {
        pictures.iter().map(|&i| self.caption_of[i as usize]).collect()
    }

    /// The same noise and texts at every call, to look at a training by: (noise, texts).
    pub(crate) fn showcase(&self, seed: u64) -> (Tensor, Tensor) {
        let count = SHOWCASE;
        let [c, h, w] = self.picture_shape();
        let shape = [count, c, h, w];
        let noise = Rng::at(seed, "showcase", 0).randn(&shape, (Kind::Float, self.device));
        let captions: Vec<i64> = (0..count).map(|i| i % self.captions.len() as i64).collect();
        (noise, self.texts.index_select(0, &Tensor::from_slice(&captions).to_device(self.device)))
    }

    /// (channels, height, width) of a picture.
    pub(crate) fn picture_shape(&self) -> [i64; 3] {
        self.data.picture_shape()
    }

    /// How many pictures there are.
    pub(crate) fn len(&self) -> i64 {
        self.data.len()
    }
}

/// Pictures in a sample of a training.
const SHOWCASE: i64 = 20;
