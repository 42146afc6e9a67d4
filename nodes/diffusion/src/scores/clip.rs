//! CLIP score and PickScore: the cosine of picture and caption in a CLIP.

use super::{Captions, Score};
use crate::DiffusionError;
use crate::clip::{self, ClipModel, ClipTokenizer};
use crate::image_processor::{ImageProcessor, center_crop, resize};
use std::path::Path;
use tch::{Device, Kind, Tensor, nn, no_grad};

/// Captions encoded at once.
const CHUNK: usize = 256;

/// The cosine of picture and caption, from −1 to 1, in a frozen CLIP.
///
/// The CLIP score of the literature is a hundred times this, and 0 where it is negative ([`crate::metrics::clip_score`]).
/// PickScore (arXiv 2305.01569) is this in a CLIP-H that was trained on preferences: papers print the cosine (0.22), its
/// authors' code multiplies by [`ClipScore::scale`].
#[derive(Debug)]
pub struct ClipScore {
    store: nn::VarStore,
    model: ClipModel,
    tokenizer: ClipTokenizer,
    processor: Option<ImageProcessor>,
    channels: i64,
    side: i64,
}

impl ClipScore {
    /// Reads a `CLIPModel` folder of transformers with its tokenizer.
    ///
    /// With a `preprocessor_config.json` pictures are processed as it says. Without one the CLIP was trained on pictures
    /// in [−1, 1] as they are; those of another size are scaled to its own.
    ///
    /// # Errors
    /// As [`clip::load`] and [`ClipTokenizer::read`]; [`DiffusionError::Config`] if the preprocessing gives pictures of
    /// another size than the CLIP sees.
    pub fn load(folder: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        let (mut store, model, config) = clip::load::<ClipModel>(folder, kind, device)?;
        store.freeze();
        let (channels, side) = (config.vision_config.num_channels, config.vision_config.image_size);
        let processor = ImageProcessor::read(folder)?;
        if let Some(processor) = &processor {
            processor.check_side(folder, side)?;
        }
        Ok(Self { store, model, tokenizer: ClipTokenizer::read(folder)?, processor, channels, side })
    }

    /// Captions in the joint space (captions, projection), of length 1.
    ///
    /// # Errors
    /// As [`ClipTokenizer::encode`].
    pub fn texts(&self, captions: &[String]) -> Result<Tensor, DiffusionError> {
        let encode = |chunk: &[String]| {
            let ids = self.tokenizer.encode_batch(chunk, self.store.device())?;
            Ok(no_grad(|| unit(&self.model.text_features(&ids))))
        };
        let chunks: Result<Vec<_>, DiffusionError> = captions.chunks(CHUNK).map(encode).collect();
        Ok(Tensor::f_cat(&chunks?, 0)?)
    }

    /// Pictures (b, channels, h, w) in [−1, 1] in the joint space (b, projection), of length 1, in float32. With gradient.
    pub fn features(&self, pictures: &Tensor) -> Tensor {
        let pixels = match &self.processor {
            Some(processor) => processor.forward(pictures),
            None => center_crop(&resize(pictures, self.side), self.side),
        };
        unit(&self.model.image_features(&pixels))
    }

    /// The factor on cosines that training learnt: `exp(logit_scale)`.
    pub fn scale(&self) -> f64 {
        no_grad(|| self.model.scale()).double_value(&[])
    }
}

impl Score for ClipScore {
    fn channels(&self) -> i64 {
        self.channels
    }

    fn captions(&self, captions: &[String]) -> Result<Captions, DiffusionError> {
        self.texts(captions).map(Captions)
    }

    fn score(&self, pictures: &Tensor, captions: &Captions) -> Tensor {
        (self.features(pictures) * &captions.0).sum_dim_intlist([1].as_slice(), false, Kind::Float)
    }
}

/// Of length 1, in float32.
pub(super) fn unit(x: &Tensor) -> Tensor {
    let x = x.to_kind(Kind::Float);
    &x / x.norm_scalaropt_dim(2.0, [-1].as_slice(), true)
}
