//! `Summary`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::{Ref, types};

/// What is written after ±.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Spread {
    /// The sample standard deviation of the repeats (divisor n − 1).
    Deviation,
    /// Half the width of the 95 % interval of the mean (Student's t).
    Interval,
}

/// Puts repeated measurements together: mean and spread of each number, as a table, as data, and as a plot.
///
/// Rows of one candidate and step count in different `metrics` are repeats of one another; rows that are equal to the last
/// digit are one repeat. Yields `table.txt`, `report.md`, `plot.svg`, and all numbers with all their values in
/// `summary.json` and `summary.csv`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The measurements, usually one of each seed: `["eval@{seed}"]`.
    pub metrics: Vec<Ref<types::Metrics>>,
    /// The numbers to show, in this order; by default all that there are.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// What is written after ±.
    #[serde(default = "deviation")]
    pub spread: Spread,
    /// Candidates to compare, (the one, the other): the mean difference of their rows in the same `metrics`, which drew from
    /// the same noise, with the paired t-test over the repeats.
    #[serde(default)]
    pub compare: Vec<(String, String)>,
}

impl Summary {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.metrics.is_empty() {
            problems.push(Problem {
                field: "metrics",
                message: "there is nothing to put together".into(),
                help: "name measurements, for example `metrics: [\"eval@{seed}\"]`".into(),
            });
        }
        let alike = self.compare.iter().filter(|(one, other)| one == other);
        problems.extend(alike.map(|(one, _)| Problem {
            field: "compare",
            message: format!("`{one}` is compared with itself"),
            help: "name two candidates".into(),
        }));
        problems
    }
}

fn deviation() -> Spread {
    Spread::Deviation
}
