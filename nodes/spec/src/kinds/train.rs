//! Kinds that train a model from nothing on a dataset.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Distance;
use super::SnrWeighting;
use super::training::training_kind;
use super::{Bar, Problem};
use crate::bounded::int;
use crate::{Amount, Count, Fraction, Int, NonNegative, Positive, Ref, Threshold, types};

/// What a diffusion model's output means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Prediction {
    /// The noise ε.
    Epsilon,
    /// The velocity v = α·ε − σ·x0, which keeps one-step pictures clean.
    V,
}

training_kind! {
    /// A small CLIP: a text and an image tower, trained so that a picture and its caption agree.
    ///
    /// Pairs of a batch that share a caption count as positives. Yields a `CLIPModel` folder of
    /// transformers, whose text tower is also what a teacher reads captions with.
    TrainClip {
        /// Pictures and captions.
        data: Ref<types::Dataset>,
        /// Width of both towers.
        #[serde(default = "int::count::<32>")]
        width: Count,
        /// Layers of each tower.
        #[serde(default = "int::count::<2>")]
        layers: Count,
        /// Attention heads; must divide the width.
        #[serde(default = "int::count::<4>")]
        heads: Count,
        /// Dimension in which pictures and captions are compared.
        #[serde(default = "int::count::<32>")]
        projection: Count,
        /// Side of the image tower's patches, in pixels; must divide the pictures' side.
        #[serde(default = "int::count::<2>")]
        patch: Count,
    }
}

training_kind! {
    /// A small classifier of the real pictures, to read the drawn ones with. No training node uses it.
    ///
    /// Fails when its accuracy on held-out pictures is below `min_accuracy`: numbers read off a poor judge
    /// mean nothing. Its last hidden layer gives the features of Fréchet distance and coverage.
    TrainJudge {
        /// Pictures; each distinct caption is a class.
        data: Ref<types::Dataset>,
        /// Channels of the first convolution.
        #[serde(default = "int::count::<16>")]
        width: Count,
        /// Dimension of the features.
        #[serde(default = "int::count::<64>")]
        features: Count,
        /// Largest random shift of a training picture, in pixels.
        #[serde(default = "int::amount::<1>")]
        shift: Amount,
        /// Accuracy on the held-out pictures below which the node fails. It is no part of the key: what was trained is judged
        /// by it again and again.
        #[serde(default = "min_accuracy")]
        min_accuracy: Threshold,
    }
}

training_kind! {
    /// A small network that tells the object in a picture from what is around it: for `perception` in `RewardFinetune`.
    ///
    /// It learns the masks of the data, which `Digits`, `ImageFolder` and `WebDataset` make when asked to (`masks`). Fails
    /// when its masks of held-out pictures fit worse than `min_iou`: nothing is learnt from a network that sees nothing.
    TrainSegmenter {
        /// Pictures with masks.
        data: Ref<types::Dataset>,
        /// Channels at the pictures' own size; each halving of the side doubles them.
        #[serde(default = "int::count::<16>")]
        width: Count,
        /// How often the side is halved: what is further away than about 2^`levels` · 4 pixels is not seen.
        #[serde(default = "segmenter_levels")]
        levels: Int<0, 8>,
        /// Intersection over union, the mean over held-out pictures, below which the node fails. It is no part of the key: what
        /// was trained is judged by it again and again.
        #[serde(default = "min_iou")]
        min_iou: Threshold,
    }
}

training_kind! {
    /// A small VAE in the structure of Stable Diffusion's, trained from nothing: pictures to latents and back.
    ///
    /// Minimises the distance of decoded pictures from what they were encoded from, and the divergence of their latents from
    /// normal noise (latent diffusion, arXiv 2112.10752, without its perceptual and adversarial terms). Yields an
    /// `AutoencoderKL` folder of diffusers, whose `scaling_factor` gives the training pictures' latents a deviation of 1.
    TrainVae {
        /// Pictures.
        data: Ref<types::Dataset>,
        /// Channels of each resolution level; each but the first halves the side. Multiples of 8.
        #[serde(default = "vae_channels")]
        channels: Vec<Count>,
        /// Residual blocks of each of the encoder's levels; one more in the decoder's.
        #[serde(default = "int::count::<1>")]
        layers_per_block: Count,
        /// Channels of a latent.
        #[serde(default = "int::count::<4>")]
        latent_channels: Count,
        /// How far apart pictures are. A small Huber constant is nearly the absolute error of latent diffusion.
        #[serde(default = "huber")]
        distance: Distance,
        /// Weight of the divergence, as in latent diffusion's code: of its sum over a latent, where the distance is summed
        /// over a picture.
        #[serde(default = "kl")]
        kl: NonNegative,
    }
}

training_kind! {
    /// A small text-conditioned diffusion model, trained from nothing: the teacher of the small pipelines.
    ///
    /// A `UNet2DConditionModel` with Stable Diffusion's noise schedule, over the latents of a VAE as Stable Diffusion's, or
    /// over the pixels. Yields a diffusers folder, with the VAE in it if there is one.
    TrainTeacher {
        /// Pictures and captions.
        data: Ref<types::Dataset>,
        /// The CLIP whose text tower encodes the captions; it is not trained further.
        text: Ref<types::Clip>,
        /// The VAE whose latents it draws; it is not trained further. Pixels when absent.
        #[serde(default)]
        vae: Option<Ref<types::Vae>>,
        /// What the model predicts.
        #[serde(default = "prediction")]
        prediction: Prediction,
        /// Share of the captions that are replaced by the empty one, for classifier-free guidance.
        #[serde(default = "caption_dropout")]
        caption_dropout: Fraction,
        /// How much each sample counts.
        #[serde(default, skip_serializing_if = "SnrWeighting::is_uniform")]
        weighting: SnrWeighting,
        /// Channels of each resolution level; each level halves the side. Multiples of 8.
        #[serde(default = "channels")]
        channels: Vec<Count>,
        /// Residual blocks of each level.
        #[serde(default = "int::count::<1>")]
        layers_per_block: Count,
        /// Levels without attention, counted from the finest.
        #[serde(default = "int::amount::<1>")]
        plain_levels: Amount,
        /// Attention heads.
        #[serde(default = "int::count::<4>")]
        heads: Count,
    }
}

impl TrainClip {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.width.get() % self.heads.get() != 0 {
            problems.push(Problem {
                field: "heads",
                message: format!("{} heads do not divide the width {}", self.heads.get(), self.width.get()),
                help: "choose a divisor of `width`".into(),
            });
        }
        problems
    }
}

impl TrainJudge {
    pub(super) fn bar(&self) -> Bar {
        Bar { metric: "held_out_accuracy", field: "min_accuracy", at_least: self.min_accuracy }
    }
}

impl TrainSegmenter {
    pub(super) fn bar(&self) -> Bar {
        Bar { metric: "held_out_iou", field: "min_iou", at_least: self.min_iou }
    }
}

impl TrainVae {
    pub(super) fn problems(&self) -> Vec<Problem> {
        levels_problem(&self.channels).into_iter().collect()
    }
}

impl TrainTeacher {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<_> = levels_problem(&self.channels).into_iter().collect();
        if self.plain_levels.index() >= self.channels.len() {
            problems.push(Problem {
                field: "plain_levels",
                message: "no level is left to attend to the caption".into(),
                help: format!("at most {} for this many levels", self.channels.len().saturating_sub(1)),
            });
        }
        if self.channels.iter().skip(self.plain_levels.index()).any(|c| c.get() % self.heads.get() != 0) {
            problems.push(Problem {
                field: "heads",
                message: format!("{} heads do not divide the channels of every attending level", self.heads.get()),
                help: "choose a divisor of the channels".into(),
            });
        }
        problems
    }
}

fn levels_problem(channels: &[Count]) -> Option<Problem> {
    let wrong = channels.is_empty() || channels.iter().any(|c| c.get() % 8 != 0);
    wrong.then(|| Problem {
        field: "channels",
        message: "every level needs a multiple of 8 channels, and there must be a level".into(),
        help: "for example `channels: [16, 32]`".into(),
    })
}

fn vae_channels() -> Vec<Count> {
    vec![int::count::<16>(), int::count::<32>(), int::count::<32>()]
}

fn huber() -> Distance {
    Distance::Huber(Positive::new(1e-3).expect("in range"))
}

fn kl() -> NonNegative {
    NonNegative::new(1e-6).expect("in range")
}

fn min_accuracy() -> Threshold {
    Threshold::new(0.97).expect("in range")
}

fn segmenter_levels() -> Int<0, 8> {
    Int::new(2).expect("in range")
}

fn min_iou() -> Threshold {
    Threshold::new(0.8).expect("in range")
}

fn caption_dropout() -> Fraction {
    Fraction::new(0.1).expect("in range")
}

fn channels() -> Vec<Count> {
    vec![int::count::<16>(), int::count::<32>()]
}

fn prediction() -> Prediction {
    Prediction::Epsilon
}
