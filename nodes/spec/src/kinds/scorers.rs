//! Kinds that bring published judges of pictures in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{File, Ref, types};

/// A published CLIP: ViT-B/32 or L/14 for the CLIP score, CLIP-H as PickScore trained it.
///
/// Takes a `CLIPModel` folder of transformers, with safetensors weights; single or in shards. Every key is checked. As a
/// reward it gives the cosine of picture and caption, which is what papers print of PickScore.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PretrainedClip {
    /// The folder. Without a `preprocessor_config.json` pictures are processed as CLIP's always are.
    pub path: File,
    /// The folder of the tokenizer, where `path` does not hold it.
    #[serde(default)]
    pub tokenizer: Option<File>,
}

/// A published score of pictures, to reward or to report.
///
/// Every key of the weights is checked. Weights are safetensors; for a pickle the message says how to convert it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreModel {
    /// Which one, and its files.
    pub model: ScoreForm,
}

/// A score that is known here.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum ScoreForm {
    /// The LAION aesthetic predictor: a mark from about 1 to 10, whatever the caption.
    Aesthetic {
        /// The CLIP whose picture embeddings it marks: ViT-L/14.
        clip: Ref<types::Clip>,
        /// The predictor's weights, `layers.0.weight` and so on: one of those without activations, such as
        /// `sac+logos+ava1-l14-linearMSE`.
        head: File,
    },
    /// ImageReward: how well people like a picture for its caption, in deviations from the average.
    ImageReward {
        /// The weights of `ImageReward.pt`, under its keys.
        weights: File,
        /// The `vocab.txt` of bert-base-uncased, or a folder with it.
        tokenizer: File,
    },
}
