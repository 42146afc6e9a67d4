//! What a node yields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The type of an artifact: what a directory that a node yields holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Artifact {
    /// Pictures with captions, split into train and held-out: `<split>.safetensors` and `<split>.jsonl`.
    Dataset,
    /// VAE latents and text embeddings, computed once.
    Latents,
    /// A `CLIPModel` folder of transformers, with its tokenizer.
    Clip,
    /// A small picture classifier: `config.json`, `model.safetensors`.
    Classifier,
    /// A diffusers pipeline folder.
    Model,
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

/// A marker type that stands for one [`Artifact`] in the type of a port, `Ref<types::Model>`.
pub trait ArtifactType: 'static {
    /// The artifact that is stood for.
    const ARTIFACT: Artifact;
    /// The name under which [`crate::Value`] recognises a reference when it is serialised.
    const TOKEN: &'static str;
}

macro_rules! artifact_types {
    ($($name:ident),*) => {
        /// One marker type for each [`Artifact`].
        pub mod types {
            $(
                #[doc = concat!("Marks a port that takes a `", stringify!($name), "`.")]
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub struct $name;

                impl super::ArtifactType for $name {
                    const ARTIFACT: super::Artifact = super::Artifact::$name;
                    const TOKEN: &'static str = concat!("$ref:", stringify!($name));
                }
            )*
        }

        /// The artifact that a [`ArtifactType::TOKEN`] stands for.
        pub(crate) fn from_token(token: &str) -> Option<Artifact> {
            $(if token == <types::$name as ArtifactType>::TOKEN {
                return Some(Artifact::$name);
            })*
            None
        }
    };
}

artifact_types!(Dataset, Latents, Clip, Classifier, Model, Lora, Images, Metrics, Report, Files);
