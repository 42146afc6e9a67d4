//! `Eval`: what is measured, and how.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::picture::{Sampler, ddim, too_many_for};
use super::{Precision, Problem};
use crate::bounded::int;
use crate::metrics::{FIELDS, NUMBERS, REAL, TEACHER};
use crate::{Count, NonNegative, Ref, Steps, types};

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
/// teacher is drawn by DDIM at the guidance that was distilled, the LoRAs without guidance unless `lora_guidance` says otherwise.
///
/// Every number has an interval: where 95 % of the bootstrap's `resamples` of the pictures put it. It tells what other noise
/// would have given, for these networks, captions and real pictures; not what other training seeds would give, nor how far a
/// Fréchet distance of so few pictures is from that of many. Pictures are resampled alike in all rows, so candidates can be
/// compared in pairs (`compare`); those of a caption among themselves, if there are ten at least. Fréchet distance, recall and
/// coverage are resampled to first order. What must hold of the numbers is a `Gate`'s to say.
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
    /// is the cosine, as papers print PickScore; a `CommandScorer` can stand here and nowhere else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, Ref<types::Measure>>,
    /// Pairs of candidates to compare, at every step count and in every number: `[("unified", "tscd"), ("tscd", "teacher")]`
    /// says of the first of each whether it is better, and how significant that is.
    #[serde(default)]
    pub compare: Vec<(String, String)>,
    /// Step counts.
    #[serde(default = "step_counts")]
    pub steps: Vec<Steps>,
    /// Steps of the teacher's pictures that the trajectory error is measured to.
    #[serde(default = "int::steps::<40>")]
    pub reference_steps: Steps,
    /// The teacher's guidance scale w in ε_u + w·(ε_c − ε_u).
    #[serde(default = "guidance")]
    pub guidance: NonNegative,
    /// The LoRAs' guidance scale. 1 is none, as LoRAs that were distilled with guidance want it.
    #[serde(default = "no_guidance", skip_serializing_if = "is_no_guidance")]
    pub lora_guidance: NonNegative,
    /// How the LoRAs are drawn.
    #[serde(default = "ddim")]
    pub sampler: Sampler,
    /// Pictures of each candidate and step count.
    #[serde(default = "int::count::<2000>")]
    pub samples: Count,
    /// Resamples of the pictures that intervals and comparisons are of. Below a thousand their ends are themselves unsure.
    #[serde(default = "int::count::<1000>")]
    pub resamples: Count,
    /// Pictures drawn at once.
    #[serde(default = "int::count::<250>")]
    pub batch: Count,
    /// Number format of the networks that draw.
    #[serde(default)]
    pub precision: Precision,
}

impl Eval {
    /// Neighbours of the balls that precision, recall and coverage are counted by; it takes more pictures than that.
    pub const NEIGHBOURS: i64 = 5;

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.steps.iter().filter_map(|steps| too_many_for("steps", self.sampler, steps.get())).collect();
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
        problems.extend(self.taken_names());
        problems.extend(self.compare.iter().filter_map(|pair| self.comparison_problem(pair)));
        problems
    }

    fn taken_names(&self) -> impl Iterator<Item = Problem> {
        let is_number = |name: &&String| NUMBERS.iter().any(|number| number.name == *name);
        let scores = self.scores.keys().filter(move |name| is_number(name) || FIELDS.contains(&name.as_str()));
        let scores = scores.map(|name| Problem {
            field: "scores",
            message: format!("every result has a column `{name}`"),
            help: "give the score another name".into(),
        });
        let loras = self.loras.keys().filter(|name| [TEACHER, REAL].contains(&name.as_str()));
        let loras = loras.map(|name| Problem {
            field: "loras",
            message: format!("every result has rows `{name}`"),
            help: "give the LoRA another name".into(),
        });
        scores.chain(loras)
    }

    fn comparison_problem(&self, (one, other): &(String, String)) -> Option<Problem> {
        let unknown = |name: &&String| *name != TEACHER && !self.loras.contains_key(*name);
        let message = match [one, other].into_iter().find(unknown) {
            Some(name) => format!("there is no candidate `{name}`"),
            None if one == other => format!("`{one}` would be compared with itself"),
            None => return None,
        };
        let names = self.loras.keys().map(String::as_str).chain([TEACHER]).collect::<Vec<_>>().join("`, `");
        Some(Problem { field: "compare", message, help: format!("name two of `{names}`") })
    }
}

fn no_guidance() -> NonNegative {
    NonNegative::new(1.0).expect("in range")
}

fn is_no_guidance(scale: &NonNegative) -> bool {
    *scale == no_guidance()
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
        assert_eq!(eval("intervals").problems()[0].message, "every result has a column `intervals`");
    }

    #[test]
    fn only_candidates_are_compared() {
        let problems = |compare: &str| {
            let fields = format!(
                "(teacher: \"t\", data: \"d\", loras: {{\"a\": \"l\", \"b\": \"m\"}}, clip: \"c\", compare: {compare})"
            );
            let eval: Eval = ron::from_str(&fields).unwrap();
            eval.problems().into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        assert!(problems("[(\"a\", \"b\"), (\"a\", \"teacher\")]").is_empty());
        assert_eq!(problems("[(\"a\", \"a\")]"), ["`a` would be compared with itself"]);
        assert_eq!(
            problems("[(\"a\", \"z\"), (\"y\", \"b\")]"),
            ["there is no candidate `z`", "there is no candidate `y`"]
        );
    }
}
