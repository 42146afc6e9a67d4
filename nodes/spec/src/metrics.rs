//! What `metrics.json` of an `Eval` holds, for those who write it and those who read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The file, in an artifact of type `Metrics`.
pub const METRICS: &str = "metrics.json";

/// The row of the teacher, which no candidate may be called.
pub const TEACHER: &str = "teacher";
/// The row of the held-out real pictures, which no candidate may be called.
pub const REAL: &str = "real, held out";

/// A number of a row: its name in the file, and what is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// Its name.
    pub name: &'static str,
    /// Whether the lower one of two is the better.
    pub lower_is_better: bool,
    /// The least and the most that it can be.
    pub range: (f64, f64),
}

const fn score(name: &'static str, least: f64) -> Number {
    Number { name, lower_is_better: false, range: (least, f64::INFINITY) }
}

const fn share(name: &'static str) -> Number {
    Number { name, lower_is_better: false, range: (0.0, 1.0) }
}

const fn distance(name: &'static str) -> Number {
    Number { name, lower_is_better: true, range: (0.0, f64::INFINITY) }
}

/// The numbers that every row has, in the order of the table. Further scores come after them, and of these more is better.
///
/// | number | what |
/// |---|---|
/// | `frechet` | Fréchet distance to the real training pictures in the judge's features, or the CLIP's (Heusel et al. 2017) |
/// | `clip_score` | 100 times the mean cosine of picture and caption, in a CLIP that no training used; not below 0 |
/// | `reward` | mean reward that was trained on: in-sample, not comparable between candidates that were and were not trained on it |
/// | `diversity` | mean distance in the features between two pictures of one caption |
/// | `precision` | share of the pictures inside some ball of real ones (Kynkäänniemi et al. 2019) |
/// | `recall` | share of the real pictures inside some ball of drawn ones (Kynkäänniemi et al. 2019) |
/// | `coverage` | share of the real pictures that have a drawn one in their ball (Naeem et al. 2020) |
/// | `accuracy` | share of the pictures that the judge reads as their caption |
/// | `trajectory_mse` | mean squared distance to what the teacher draws from the same noise in the reference's steps |
///
/// A number without meaning in a row is null: `reward` without one, `trajectory_mse` of real pictures.
pub const NUMBERS: [Number; 9] = [
    distance("frechet"),
    score("clip_score", 0.0),
    score("reward", f64::NEG_INFINITY),
    score("diversity", 0.0),
    share("precision"),
    share("recall"),
    share("coverage"),
    share("accuracy"),
    distance("trajectory_mse"),
];

/// Names of a row's fields that are no numbers.
pub const FIELDS: [&str; 3] = ["candidate", "steps", "intervals"];

/// Whether less of this number is better.
pub fn lower_is_better(name: &str) -> bool {
    NUMBERS.iter().any(|number| number.name == name && number.lower_is_better)
}

/// All that was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The real pictures, the teacher at each step count, then each candidate at each.
    pub rows: Vec<Row>,
    /// Candidates beside each other, as asked for.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// Resamples of the pictures that intervals and `p` are of.
    #[serde(default)]
    pub resamples: i64,
    /// Pictures of each candidate and step count.
    #[serde(default)]
    pub samples: i64,
}

/// Which share of the resamples an interval holds.
pub const CONFIDENCE: f64 = 0.95;

/// The numbers of a candidate at a step count.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Who drew.
    pub candidate: String,
    /// In how many steps; none for real pictures.
    pub steps: Option<i64>,
    /// Where each number would lie for other pictures of the same candidate and captions: [`CONFIDENCE`] of the bootstrap's
    /// resamples. That of a share that holds for all pictures or none has no width, whatever their number.
    #[serde(default)]
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// [`NUMBERS`] and the further scores, each as a field of the row.
    #[serde(flatten)]
    pub numbers: BTreeMap<String, Option<f64>>,
}

/// A number of two candidates that drew from the same noise and captions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The one.
    pub candidate: String,
    /// The other.
    pub against: String,
    /// In how many steps both drew.
    pub steps: i64,
    /// The number's name.
    pub number: String,
    /// The one's number less the other's.
    pub difference: f64,
    /// Where the difference would lie for other pictures, both resampled alike.
    pub interval: [f64; 2],
    /// How often chance gives such a difference where there is none: two-sided, by the paired bootstrap. Not corrected for
    /// the number of comparisons.
    pub p: f64,
    /// Whether the one is better.
    pub verdict: Verdict,
}

/// What a comparison comes to, at the significance that [`CONFIDENCE`] leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Significantly better.
    Better,
    /// Significantly worse.
    Worse,
    /// No difference is shown.
    Undecided,
}

impl Metrics {
    /// The row of a candidate at a step count.
    pub fn row(&self, candidate: &str, steps: Option<i64>) -> Option<&Row> {
        self.rows.iter().find(|row| row.candidate == candidate && row.steps == steps)
    }
}

impl Row {
    /// A number that has a meaning in this row.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_flat_and_reads_what_it_writes() {
        let text = r#"{"rows":[{"candidate":"tscd","steps":1,"intervals":{"frechet":[4.5,5.5]},"frechet":5.0,"reward":null}]}"#;
        let metrics: Metrics = serde_json::from_str(text).unwrap();
        let row = metrics.row("tscd", Some(1)).unwrap();
        assert_eq!((row.number("frechet"), row.number("reward"), row.number("none")), (Some(5.0), None, None));
        assert_eq!(row.intervals["frechet"], [4.5, 5.5]);
        let again: Metrics = serde_json::from_str(&serde_json::to_string(&metrics).unwrap()).unwrap();
        assert_eq!(again, metrics);
        assert!(lower_is_better("frechet") && !lower_is_better("accuracy") && !lower_is_better("aesthetic"));
    }
}
