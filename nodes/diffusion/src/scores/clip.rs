//! CLIP score and PickScore: the cosine of picture and caption in a CLIP.

use super::clip_pictures::ClipPictures;
use super::{Captions, Score};
use crate::DiffusionError;
use crate::clip::{self, ClipConfig, ClipModel, ClipTokenizer, ClipVisionConfig};
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
    config: ClipConfig,
    tokenizer: ClipTokenizer,
    pictures: ClipPictures,
}

impl ClipScore {
    /// Reads a `CLIPModel` folder of transformers with its tokenizer.
    ///
    /// With a `preprocessor_config.json` pictures are processed as it says. Without one the CLIP was trained on pictures
    /// in [−1, 1] as they are; those of another size are scaled to its own.
    ///
    /// # Errors
    /// As [`clip::load`] and [`ClipTokenizer::read`]; [`DiffusionError::Config`] if tokenizer or preprocessing do not fit.
    pub fn load(folder: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        Self::open(folder, folder, ClipPictures::load, kind, device)
    }

    /// Reads a published `CLIPModel` folder, which may lack its tokenizer (`tokenizer` is where it is) and its
    /// `preprocessor_config.json` (then pictures are processed as photographs are for CLIP).
    ///
    /// # Errors
    /// As [`ClipScore::load`].
    pub fn published(folder: &Path, tokenizer: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        Self::open(folder, tokenizer, ClipPictures::published, kind, device)
    }

    fn open(
        folder: &Path,
        tokenizer: &Path,
        pictures: impl Fn(&Path, &ClipVisionConfig) -> Result<ClipPictures, DiffusionError>,
        kind: Kind,
        device: Device,
    ) -> Result<Self, DiffusionError> {
        let (mut store, model, config) = clip::load::<ClipModel>(folder, kind, device)?;
        store.freeze();
        let pictures = pictures(folder, &config.vision_config)?;
        let own = ClipTokenizer::read(tokenizer)?;
        check_tokenizer(&own, &config)
            .map_err(|message| DiffusionError::Config { what: tokenizer.display().to_string(), message })?;
        Ok(Self { store, model, config, tokenizer: own, pictures })
    }

    /// Writes a folder that [`ClipScore::load`] and transformers open.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or what the weight file says.
    pub fn save(&self, folder: &Path) -> Result<(), DiffusionError> {
        clip::save::<ClipModel>(folder, &self.store, &self.config)?;
        self.tokenizer.write(folder)?;
        self.pictures.save(folder)
    }

    /// Pictures (b, channels, h, w) in [−1, 1] in the joint space (b, projection), of any length, in float32. With
    /// gradient.
    pub fn features(&self, pictures: &Tensor) -> Tensor {
        self.model.image_features(&self.pictures.forward(pictures)).to_kind(Kind::Float)
    }

    /// The cosine of each of pictures' [`features`](Self::features) and its caption (b), float32.
    pub fn cosine(&self, features: &Tensor, captions: &Captions) -> Tensor {
        (unit(features) * &captions.0).sum_dim_intlist([1].as_slice(), false, Kind::Float)
    }

    /// The factor on cosines that training learnt: `exp(logit_scale)`.
    pub fn scale(&self) -> f64 {
        no_grad(|| self.model.scale()).double_value(&[])
    }
}

/// That the model has a place for each token, and for as many as a caption may have.
fn check_tokenizer(tokenizer: &ClipTokenizer, config: &ClipConfig) -> Result<(), String> {
    let (tokens, length) = (tokenizer.vocab_size(), tokenizer.max_length() as i64);
    let text = &config.text_config;
    if tokens > text.vocab_size || length > text.max_position_embeddings {
        return Err(format!(
            "the tokenizer makes {length} of {tokens} tokens, and the model takes {} of {}: they are of different models",
            text.max_position_embeddings, text.vocab_size
        ));
    }
    Ok(())
}

impl Score for ClipScore {
    fn channels(&self) -> i64 {
        self.pictures.channels()
    }

    /// Their embeddings in the joint space, of length 1.
    fn captions(&self, captions: &[String]) -> Result<Captions, DiffusionError> {
        let encode = |chunk: &[String]| {
            let ids = self.tokenizer.encode_batch(chunk, self.store.device())?;
            Ok(no_grad(|| unit(&self.model.text_features(&ids))))
        };
        let chunks: Result<Vec<_>, DiffusionError> = captions.chunks(CHUNK).map(encode).collect();
        Ok(Captions(Tensor::f_cat(&chunks?, 0)?))
    }

    fn score(&self, pictures: &Tensor, captions: &Captions) -> Tensor {
        self.cosine(&self.features(pictures), captions)
    }

    /// The picture's embedding in the joint space.
    fn features(&self, pictures: &Tensor) -> Tensor {
        Self::features(self, pictures)
    }
}

/// Of length 1, in float32.
pub(super) fn unit(x: &Tensor) -> Tensor {
    let x = x.to_kind(Kind::Float);
    &x / x.norm_scalaropt_dim(2.0, [-1].as_slice(), true)
}
