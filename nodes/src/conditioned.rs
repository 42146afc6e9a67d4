//! Pictures of a dataset with their captions as the model reads them.

use std::rc::Rc;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::{Conditions, DiffusionError, TextEncoders, TimeIds};
use tch::{Device, Kind, Tensor};

use crate::dataset::Split;
use crate::training::Draw;

/// Captions are encoded once, each distinct one once.
#[derive(Debug)]
pub(crate) struct Conditioned {
    data: Rc<Split>,
    device: Device,
    /// Distinct captions of this half, sorted.
    pub(crate) captions: Vec<String>,
    /// What each of them gives.
    pub(crate) conditions: Conditions,
    /// For each picture the position of its caption.
    caption_of: Vec<i64>,
    /// What no caption gives, one row.
    pub(crate) empty: Conditions,
}

impl Conditioned {
    /// Encodes the captions of one half of a dataset.
    pub(crate) fn new(data: &Rc<Split>, encoders: &TextEncoders, device: Device) -> Result<Self, DiffusionError> {
        let mut captions = data.captions.clone();
        captions.sort();
        captions.dedup();
        let time_ids = TimeIds::square(data.picture_shape()[1]);
        let conditions = encoders.encode(&captions, time_ids)?;
        let empty = encoders.empty(time_ids)?;
        let caption_of = data.caption_indices(&captions);
        Ok(Self { data: data.clone(), device, captions, conditions, caption_of, empty })
    }

    /// Pictures (b, c, h, w) in [−1, 1] and what their captions give: the next samples of this training.
    pub(crate) fn batch(&self, draw: &Draw<'_>) -> Result<(Tensor, Conditions), DiffusionError> {
        let indices = draw.indices(self.data.len());
        Ok((self.data.images(&indices, self.device)?, self.conditions_of(&indices)))
    }

    /// What the captions of pictures give, by the pictures' indices.
    pub(crate) fn conditions_of(&self, pictures: &[i64]) -> Conditions {
        self.conditions.select(&self.caption_indices_of(pictures))
    }

    /// The positions of the captions of pictures.
    pub(crate) fn caption_indices_of(&self, pictures: &[i64]) -> Vec<i64> {
        pictures.iter().map(|&i| self.caption_of[i as usize]).collect()
    }

    /// The same noise and captions at every call, to look at a training by.
    pub(crate) fn showcase(&self, seed: u64) -> (Tensor, Conditions) {
        let count = SHOWCASE;
        let [c, h, w] = self.picture_shape();
        let shape = [count, c, h, w];
        let noise = Rng::at(seed, "showcase", 0).randn(&shape, (Kind::Float, self.device));
        let captions: Vec<i64> = (0..count).map(|i| i % self.captions.len() as i64).collect();
        (noise, self.conditions.select(&captions))
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
