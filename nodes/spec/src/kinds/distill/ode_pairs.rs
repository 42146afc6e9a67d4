//! `OdePairs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounded::int;
use crate::kinds::Precision;
use crate::{Count, NonNegative, Ref, Steps, types};

/// Pairs of noise and what the teacher draws from it, computed once: `ScoreDistill` holds its one-step pictures to them (the
/// regression loss of DMD, arXiv 2311.18828, §3.3).
///
/// Drawn by DDIM, the deterministic solver: a noise has one picture. A latent model's pictures stay latents.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OdePairs {
    /// The model that draws.
    pub teacher: Ref<types::Model>,
    /// Captions to draw, those of the training half in turn: of a `Dataset` where the teacher draws pixels, of `Latents`
    /// where it has a VAE.
    pub data: Ref<types::Pictures>,
    /// How many pairs. DMD has 1,000 for each of CIFAR-10's classes, and 12,000 for each of 8 GPUs of Stable Diffusion.
    #[serde(default = "int::count::<2000>")]
    pub count: Count,
    /// Steps of the solver.
    #[serde(default = "int::steps::<50>")]
    pub steps: Steps,
    /// Guidance scale w in ε_u + w·(ε_c − ε_u). 1 is no guidance.
    #[serde(default = "super::score_distill::guidance")]
    pub guidance: NonNegative,
    /// Pictures drawn at once.
    #[serde(default = "int::count::<64>")]
    pub batch: Count,
    /// Number format of the network.
    #[serde(default)]
    pub precision: Precision,
}
