//! How well pictures and captions agree, by a `Clip` artifact.

use std::path::Path;

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::clip::{self, ClipConfig, ClipModel, ClipTokenizer};
use tch::{Device, Kind, Tensor, nn, no_grad};

use crate::NodeError;

/// A frozen CLIP with its tokenizer.
#[derive(Debug)]
pub(crate) struct Scorer {
    store: nn::VarStore,
    model: ClipModel,
    config: ClipConfig,
    tokenizer: ClipTokenizer,
}

impl Scorer {
    /// Reads a `Clip` artifact.
    pub(crate) fn load(folder: &Path, device: Device) -> Result<Self, DiffusionError> {
        let (mut store, model, config) = clip::load::<ClipModel>(folder, Kind::Float, device)?;
        store.freeze();
        Ok(Self { store, model, config, tokenizer: ClipTokenizer::read(folder)? })
    }

    /// Captions in the joint space (captions, projection), of length 1.
    pub(crate) fn captions(&self, captions: &[String]) -> Result<Tensor, DiffusionError> {
        let ids = self.tokenizer.encode_batch(captions, self.store.device())?;
        Ok(no_grad(|| unit(&self.model.text_features(&ids))))
    }

    /// Pictures (b, c, h, w) in [−1, 1] in the joint space (b, projection), of length 1. With gradient.
    pub(crate) fn pictures(&self, pictures: &Tensor) -> Result<Tensor, NodeError> {
        let (size, vision) = (pictures.size(), &self.config.vision_config);
        if size[1] != vision.num_channels || size[2] != vision.image_size {
            return Err(NodeError::Unfit(format!(
                "the CLIP sees pictures of {} channels and {} pixels, not {} and {}; train one on this dataset",
                vision.num_channels, vision.image_size, size[1], size[2]
            )));
        }
        Ok(unit(&self.model.image_features(pictures)))
    }
}

/// Cosine of each picture with its caption (b), both of length 1.
pub(crate) fn cosine(pictures: &Tensor, captions: &Tensor) -> Tensor {
    (pictures * captions).sum_dim_intlist([1].as_slice(), false, Kind::Float)
}

fn unit(x: &Tensor) -> Tensor {
    x / x.norm_scalaropt_dim(2.0, [-1].as_slice(), true)
}
