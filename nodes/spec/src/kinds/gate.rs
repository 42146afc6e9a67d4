//! `Gate`: what must hold of what was measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::{Finite, Ref, Steps, types};

/// Fails the run unless what an `Eval` measured is good enough.
///
/// It is a node of its own: the measurement is kept whatever comes of it, and a changed margin measures nothing again. All
/// that was missed is told together, with what it was missed by. Where all holds, yields `gate.json` and `report.md`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What was measured.
    pub metrics: Ref<types::Metrics>,
    /// What must hold, all of it: `[(candidate: "unified", steps: 1, number: "frechet", at_most: 0.6, of: Candidate("tscd"))]`.
    pub require: Vec<Require>,
}

/// A bound on a number of a candidate.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// The candidate, as `Eval` calls it.
    pub candidate: String,
    /// Its step count; by default each at which it was measured.
    #[serde(default)]
    pub steps: Option<Steps>,
    /// The number's name in `metrics.json`: `frechet`, `clip_score`, `reward`, `diversity`, `precision`, `recall`, `coverage`,
    /// `accuracy`, `trajectory_mse`, or that of one of the `scores`.
    pub number: String,
    /// What it may be at most.
    #[serde(default)]
    pub at_most: Option<Finite>,
    /// What it must be at least.
    #[serde(default)]
    pub at_least: Option<Finite>,
    /// What the bounds are multiples of: with `Candidate("tscd")`, `at_most: 1.1` is a tenth more than it. By default they are
    /// the number itself.
    #[serde(default)]
    pub of: Option<Standard>,
}

/// What a candidate is held to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Standard {
    /// Another candidate, or the teacher, in as many steps.
    Candidate(String),
    /// The teacher in this many steps.
    Teacher(Steps),
    /// The held-out real pictures.
    Real,
}

impl Gate {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let problem = |message: String, help: &str| Problem { field: "require", message, help: help.to_owned() };
        if self.require.is_empty() {
            return vec![problem("nothing is required".into(), "say what must hold, or leave the node out")];
        }
        let check = |require: &Require| match (require.at_most, require.at_least) {
            (None, None) => Some(problem(
                format!("`{}` of `{}` has no bound", require.number, require.candidate),
                "give `at_most` or `at_least`",
            )),
            (Some(most), Some(least)) if most < least => Some(problem(
                format!("`{}` of `{}` cannot be both", require.number, require.candidate),
                "`at_least` must not be above `at_most`",
            )),
            _ => None,
        };
        self.require.iter().filter_map(check).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(require: &str) -> Vec<String> {
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        let gate: Gate = options.from_str(&format!("(metrics: \"eval\", require: [{require}])")).unwrap();
        gate.problems().into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_requirement_has_bounds_that_can_hold() {
        assert_eq!(problems(""), ["nothing is required"]);
        assert_eq!(problems("(candidate: \"a\", number: \"frechet\")"), ["`frechet` of `a` has no bound"]);
        let good = "(candidate: \"a\", number: \"frechet\", at_most: 1.1, of: Candidate(\"b\")), \
                    (candidate: \"a\", steps: 1, number: \"clip_score\", at_least: -1, at_most: 2, of: Teacher(50))";
        assert!(problems(good).is_empty());
        let never = "(candidate: \"a\", number: \"frechet\", at_most: 1, at_least: 2)";
        assert_eq!(problems(never), ["`frechet` of `a` cannot be both"]);
    }
}
