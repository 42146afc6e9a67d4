//! Kinds that draw.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Precision, Problem};
use crate::bounded::int;
use crate::{Count, Fraction, NonNegative, Ref, Steps, types};

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
    /// Side of the pictures in pixels; by default, that of the pictures which the model was trained on.
    #[serde(default)]
    pub size: Option<Count>,
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

/// A half of a dataset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Split {
    /// What is trained on.
    #[default]
    Train,
    /// What no training sees.
    HeldOut,
}

/// Measures LoRAs beside their teacher, at each step count.
///
/// Yields `metrics.json`, `table.txt` and `grid.png` (the same noise and captions in every row). The
/// teacher is drawn by DDIM at the guidance that was distilled, the LoRAs without guidance.
///
/// Without a `judge` captions need not be classes: Fréchet distance, coverage and diversity are then measured in the
/// picture embeddings of `clip`, and there is no accuracy. (Diversity is that of pictures of one caption, of which there
/// are several only if there are more `samples` than captions, or captions that pictures share.)
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Eval {
    /// The model that was distilled.
    pub teacher: Ref<types::Model>,
    /// Real pictures, and the captions to draw.
    pub data: Ref<types::Dataset>,
    /// The half of `data` whose captions are drawn. Distances are to the training pictures in both cases, and the first row
    /// says how far the held-out pictures are from these.
    #[serde(default)]
    pub split: Split,
    /// The candidates, by the names they have in the table.
    pub loras: BTreeMap<String, Ref<types::Lora>>,
    /// Reads the pictures, and gives the features of Fréchet distance, coverage and diversity.
    #[serde(default)]
    pub judge: Option<Ref<types::Classifier>>,
    /// A CLIP that no reward uses: its score is reported as `clip_score`.
    pub clip: Ref<types::Clip>,
    /// What was trained on as reward: its mean is reported as the in-sample `reward`.
    #[serde(default)]
    pub reward: Option<Ref<types::Score>>,
    /// Further scores, whose means are columns of these names: `{"aesthetic": "aesthetic", "pick": "pickscore"}`. Of a CLIP it
    /// is the cosine, as papers print PickScore.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, Ref<types::Score>>,
    /// Step counts.
    #[serde(default = "step_counts")]
    pub steps: Vec<Steps>,
    /// Steps of the teacher's pictures that the trajectory error is measured to.
    #[serde(default = "int::steps::<40>")]
    pub reference_steps: Steps,
    /// The teacher's guidance scale w in ε_u + w·(ε_c − ε_u).
    #[serde(default = "guidance")]
    pub guidance: NonNegative,
    /// How the LoRAs are drawn.
    #[serde(default = "ddim")]
    pub sampler: Sampler,
    /// Pictures of each candidate and step count.
    #[serde(default = "int::count::<2000>")]
    pub samples: Count,
    /// Pictures drawn at once.
    #[serde(default = "int::count::<250>")]
    pub batch: Count,
    /// Number format of the networks that draw.
    #[serde(default)]
    pub precision: Precision,
}

/// The largest step count that the 50-point grid of TCD and LCM gives.
const CONSISTENCY_GRID: i64 = 50;

fn too_many_for(sampler: Sampler, steps: i64) -> Option<Problem> {
    let whose = match sampler {
        Sampler::Tcd(_) => "TCD",
        Sampler::Lcm => "LCM",
        Sampler::Ddim | Sampler::Euler => return None,
    };
    (steps > CONSISTENCY_GRID).then(|| Problem {
        field: "steps",
        message: format!("{whose}'s grid has {CONSISTENCY_GRID} points and cannot give {steps} steps"),
        help: "use at most 50, or `sampler: Ddim`".into(),
    })
}

impl Sample {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = too_many_for(self.sampler, self.steps.get()).into_iter().collect();
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

impl Eval {
    /// The columns that every result has, in `metrics.json`.
    pub const COLUMNS: [&str; 9] = [
        "candidate",
        "steps",
        "frechet",
        "clip_score",
        "reward",
        "diversity",
        "coverage",
        "accuracy",
        "trajectory_mse",
    ];

    /// Neighbours of the balls that coverage is counted by (Naeem et al. 2020); it takes more pictures than that.
    pub const NEIGHBOURS: i64 = 5;

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.steps.iter().filter_map(|steps| too_many_for(self.sampler, steps.get())).collect();
        if self.steps.is_empty() {
            problems.push(Problem {
                field: "steps",
                message: "there is no step count to measure".into(),
                help: "for example `steps: [1, 2, 4, 8]`".into(),
            });
        }
        if self.samples.get() <= Self::NEIGHBOURS {
            problems.push(Problem {
                field: "samples",
                message: format!("coverage cannot be measured with {} pictures", self.samples.get()),
                help: format!("draw more than {}", Self::NEIGHBOURS),
            });
        }
        let taken = self.scores.keys().filter(|name| Self::COLUMNS.contains(&name.as_str()));
        problems.extend(taken.map(|name| Problem {
            field: "scores",
            message: format!("every result has a column `{name}`"),
            help: "give the score another name".into(),
        }));
        problems
    }
}

pub(super) fn ddim() -> Sampler {
    Sampler::Ddim
}

fn one() -> NonNegative {
    NonNegative::new(1.0).expect("in range")
}

fn guidance() -> NonNegative {
    NonNegative::new(7.5).expect("in range")
}

fn step_counts() -> Vec<Steps> {
    vec![int::steps::<1>(), int::steps::<2>(), int::steps::<4>(), int::steps::<8>()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_may_not_be_called_as_a_column_that_every_result_has() {
        let eval = |name: &str| -> Eval {
            let fields =
                format!("(teacher: \"t\", data: \"d\", loras: {{}}, clip: \"c\", scores: {{{name:?}: \"s\"}})");
            ron::from_str(&fields).unwrap()
        };
        assert!(eval("aesthetic").problems().is_empty());
        let problems = eval("coverage").problems();
        assert_eq!(problems[0].message, "every result has a column `coverage`");
    }
}
