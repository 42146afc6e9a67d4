//! What is told to those who get a LoRA as a file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{NonNegative, SolverSteps, Steps};

/// What a LoRA's file does not say of itself, and whoever draws with it wants to know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct About {
    /// The model that it is for, as a hub calls it: `"owner/name"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Captions to try it with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<String>,
    /// Step counts to draw in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Steps>,
    /// Range of the teacher's guidance scale that was distilled into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guidance: Option<(NonNegative, NonNegative)>,
    /// Points of the solver's grid that it was distilled on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solver_steps: Option<SolverSteps>,
}

/// What a LoRA's file says of itself by its shapes, and the key under which it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured<'a> {
    /// The highest rank of a module.
    pub rank: i64,
    /// Width of the captions that its modules attend to, where it has such modules.
    pub text_width: Option<i64>,
    /// The key of the node that made it.
    pub key: &'a str,
}

impl About {
    /// The entry of a file's `__metadata__` that holds [`About::header`]. There is one, for safetensors writes several in an
    /// order that varies; programs that show metadata show what is inside of JSON.
    pub const ENTRY: &'static str = "modelspec";

    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is said here, and what `others` say where this says nothing.
    pub fn or(self, others: About) -> About {
        let first = |own: Vec<String>, other| if own.is_empty() { other } else { own };
        About {
            base: self.base.or(others.base),
            prompts: first(self.prompts, others.prompts),
            steps: if self.steps.is_empty() { others.steps } else { self.steps },
            guidance: self.guidance.or(others.guidance),
            solver_steps: self.solver_steps.or(others.solver_steps),
        }
    }

    /// The step counts in words: `1, 2, 4 or 8`.
    pub fn steps_in_words(&self) -> Option<String> {
        let counts: Vec<String> = self.steps.iter().map(|steps| steps.get().to_string()).collect();
        let (last, others) = counts.split_last()?;
        Some(if others.is_empty() { last.clone() } else { format!("{} or {last}", others.join(", ")) })
    }

    /// The step count to show: of those for which it was made, the one nearest to four.
    pub fn shown_steps(&self) -> i64 {
        self.steps.iter().map(|steps| steps.get()).min_by_key(|steps| (steps - 4).abs()).unwrap_or(4)
    }

    /// What a file's header tells, in the names of Stability AI's modelspec 1.0.0 where it has one. There is no
    /// `modelspec.date`: equal keys give equal bytes.
    pub fn header(&self, measured: Measured<'_>) -> Map<String, Value> {
        let Measured { rank, text_width, key } = measured;
        let steps = self.steps_in_words();
        let in_steps = steps.as_ref().map_or(String::new(), |steps| format!(" for {steps} steps"));
        let guidance = self.guidance.map(|(low, high)| match low == high {
            true => low.get().to_string(),
            false => format!("{} to {}", low.get(), high.get()),
        });
        // Guidance that was distilled is in it already; a plain LoRA is drawn as its model is.
        let usage = steps.as_ref().filter(|_| guidance.is_some());
        let usage = usage.map(|steps| format!("{steps} steps, without guidance (CFG scale 1), trailing timesteps"));
        let fields = [
            ("modelspec.sai_model_spec", Some("1.0.0".to_owned())),
            ("modelspec.architecture", architecture(text_width).map(|name| format!("{name}/lora"))),
            ("modelspec.implementation", Some("diffusers".to_owned())),
            ("modelspec.title", Some(format!("LoRA of rank {rank}{in_steps}"))),
            ("modelspec.usage_hint", usage),
            ("hyper_flow.base", self.base.clone()),
            ("hyper_flow.rank", Some(rank.to_string())),
            ("hyper_flow.steps", steps),
            ("hyper_flow.guidance", guidance),
            ("hyper_flow.solver_steps", self.solver_steps.map(|steps| steps.get().to_string())),
            ("hyper_flow.key", Some(key.to_owned())),
        ];
        // In order of name, whatever order JSON's maps are built with.
        let told: BTreeMap<_, _> =
            fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        told.into_iter().map(|(name, value)| (name, json!(value))).collect()
    }
}

/// modelspec's name of the published models, by the width of their captions.
fn architecture(text_width: Option<i64>) -> Option<&'static str> {
    match text_width? {
        768 => Some("stable-diffusion-v1"),
        1024 => Some("stable-diffusion-v2-512"),
        2048 => Some("stable-diffusion-xl-v1-base"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_is_known_and_nothing_else() {
        let measured = Measured { rank: 4, text_width: Some(768), key: "k" };
        let names = |about: &About| about.header(measured).keys().cloned().collect::<Vec<_>>();
        let known =
            "sai_model_spec architecture implementation title".split(' ').map(|name| format!("modelspec.{name}"));
        let mut least: Vec<String> = known.chain(["hyper_flow.rank".into(), "hyper_flow.key".into()]).collect();
        least.sort();
        assert_eq!(names(&About::default()), least);
        let about: About = serde_json::from_value(json!({
            "base": "a/b", "steps": [1, 4], "guidance": [1.5, 1.5], "solver_steps": 40, "prompts": ["a fox"]
        }))
        .unwrap();
        let header = about.header(measured);
        assert_eq!(header["hyper_flow.steps"], "1 or 4");
        assert_eq!(header["hyper_flow.guidance"], "1.5");
        assert_eq!(header["modelspec.title"], "LoRA of rank 4 for 1 or 4 steps");
        assert_eq!(header["modelspec.architecture"], "stable-diffusion-v1/lora");
    }
}
