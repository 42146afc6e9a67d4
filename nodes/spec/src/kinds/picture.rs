//! Kinds that draw.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Precision, Problem};
use crate::bounded::int;
use crate::{Count, Fraction, NonNegative, Ref, Size, Steps, types};

/// How a picture is drawn from noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Sampler {
    /// DDIM on the "trailing" grid, without noise.
    Ddim,
    /// TCD on its 50-point grid, with this η: 0 adds no noise, 1 all of it. At most 50 steps.
    Tcd(Fraction),
    /// LCM on its 50-point grid. At most 50 steps.
    Lcm,
    /// Euler's method on the "trailing" grid, without noise.
    Euler,
}

/// Draws pictures.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The model that draws.
    pub model: Ref<types::Model>,
    /// The LoRA it draws with.
    #[serde(default)]
    pub lora: Option<Ref<types::Lora>>,
    /// The captions, each drawn `count` times.
    pub prompts: Vec<String>,
    /// What guidance leads away from, instead of no caption.
    #[serde(default)]
    pub negative_prompt: Option<String>,
    /// Pictures of each caption.
    #[serde(default = "int::count::<1>")]
    pub count: Count,
    /// Width and height of the pictures in pixels, `512` or `(768, 512)`; by default, those of the pictures which the model was
    /// trained on.
    #[serde(default)]
    pub size: Option<Size>,
    /// Steps.
    pub steps: Steps,
    /// Guidance scale w in ε_u + w·(ε_c − ε_u). 1 is no guidance, as distilled LoRAs want it.
    #[serde(default = "one")]
    pub guidance: NonNegative,
    /// The sampler.
    #[serde(default = "ddim")]
    pub sampler: Sampler,
    /// Number format of the networks.
    #[serde(default)]
    pub precision: Precision,
}

/// The largest step count that the 50-point grid of TCD and LCM gives.
const CONSISTENCY_GRID: i64 = 50;

pub(super) fn too_many_for(field: &'static str, sampler: Sampler, steps: i64) -> Option<Problem> {
    let whose = match sampler {
        Sampler::Tcd(_) => "TCD",
        Sampler::Lcm => "LCM",
        Sampler::Ddim | Sampler::Euler => return None,
    };
    (steps > CONSISTENCY_GRID).then(|| Problem {
        field,
        message: format!("{whose}'s grid has {CONSISTENCY_GRID} points and cannot give {steps} steps"),
        help: "use at most 50, or `sampler: Ddim`".into(),
    })
}

impl Sample {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = too_many_for("steps", self.sampler, self.steps.get()).into_iter().collect();
        if self.negative_prompt.is_some() && self.guidance.get() == 1.0 {
            problems.push(Problem {
                field: "negative_prompt",
                message: "there is no guidance that could lead away from it".into(),
                help: "set `guidance` above 1, or leave it out".into(),
            });
        }
        if self.prompts.is_empty() {
            problems.push(Problem {
                field: "prompts",
                message: "there is no caption to draw".into(),
                help: "name one, for example `prompts: [\"a handwritten digit seven\"]`".into(),
            });
        }
        problems
    }
}

pub(super) fn ddim() -> Sampler {
    Sampler::Ddim
}

fn one() -> NonNegative {
    NonNegative::new(1.0).expect("in range")
}
