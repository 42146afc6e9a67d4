//! What a node yields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The type of an artifact: what a directory that a node yields holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Artifact {
    /// Pictures with captions, split into train and held-out: `<split>.safetensors` and `<split>.jsonl`, and masks of
    /// them if they were asked for.
    Dataset,
    /// VAE latents and text embeddings, computed once.
    Latents,
    /// A `CLIPModel` folder of transformers, with its tokenizer.
    Clip,
    /// A small picture classifier: `config.json`, `model.safetensors`.
    Classifier,
    /// A small network that masks the object in a picture: `config.json` names its form, `model.safetensors`.
    Segmenter,
    /// A score of pictures: `scorer.json` names its form, beside weights and tokenizer.
    Scorer,
    /// A program that scores pictures: `command.json`, and its files. It gives no gradient, so nothing can train on it.
    CommandScorer,
    /// An `AutoencoderKL` folder of diffusers.
    Vae,
    /// A diffusers pipeline folder.
    Model,
    /// Noise, what a model draws from it, and the captions: `noise.safetensors`, `samples.safetensors`, `captions.jsonl`.
    Pairs,
    /// `lora.safetensors`, kohya keys with explicit alpha.
    Lora,
    /// PNG pictures and their captions.
    Images,
    /// `metrics.json`, with a table and a grid of pictures.
    Metrics,
    /// A readable report.
    Report,
    /// Files of any kind.
    Files,
}

impl Artifact {
    /// Whether a port that wants `self` takes an artifact of type `other`. `Files` takes everything.
    pub fn accepts(self, other: Artifact) -> bool {
        self == Artifact::Files || self == other
    }
}

impl std::fmt::Display for Artifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

/// A marker type that stands for what a port takes, `Ref<types::Model>`.
pub trait ArtifactType: 'static {
    /// The artifacts that are taken: any one of them.
    const TAKES: &'static [Artifact];
    /// The name under which [`crate::Value`] recognises a reference when it is serialised.
    const TOKEN: &'static str;
}

macro_rules! artifact_types {
    ($($name:ident: $($artifact:ident)|+),* $(,)?) => {
        /// One marker type for everything that a port may take.
        pub mod types {
            $(
                #[doc = concat!("Marks a port that takes a `", stringify!($($artifact)|+), "`.")]
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub struct $name;

                impl super::ArtifactType for $name {
                    const TAKES: &'static [super::Artifact] = &[$(super::Artifact::$artifact),+];
                    const TOKEN: &'static str = concat!("$ref:", stringify!($name));
                }
            )*
        }

        /// The artifacts that a [`ArtifactType::TOKEN`] stands for.
        pub(crate) fn from_token(token: &str) -> Option<&'static [Artifact]> {
            $(if token == <types::$name as ArtifactType>::TOKEN {
                return Some(<types::$name as ArtifactType>::TAKES);
            })*
            None
        }
    };
}

artifact_types! {
    Dataset: Dataset,
    Latents: Latents,
    Pictures: Dataset | Latents,
    Clip: Clip,
    Classifier: Classifier,
    Segmenter: Segmenter,
    Scorer: Scorer,
    Score: Scorer | Clip | Classifier,
    Measure: Scorer | Clip | Classifier | CommandScorer,
    Vae: Vae,
    Model: Model,
    Pairs: Pairs,
    Lora: Lora,
    Images: Images,
    Metrics: Metrics,
    Report: Report,
    Files: Files,
}
