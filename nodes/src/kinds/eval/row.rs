//! One line of the result, and the table of all.

use serde::Serialize;

/// The numbers of a candidate at a step count; absent where a number has no meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// Who drew.
    pub(super) candidate: String,
    /// In how many steps.
    pub(super) steps: Option<i64>,
    /// Fréchet distance to the real training pictures in the judge's features. Lower is better.
    pub(super) frechet: f64,
    /// 100 times the mean cosine of picture and caption, in a CLIP that no training used.
    pub(super) clip_score: f64,
    /// Mean reward that was trained on: in-sample, not comparable between candidates that were and were not trained on it.
    pub(super) reward: Option<f64>,
    /// Mean distance in the judge's features between two pictures of one caption.
    pub(super) diversity: f64,
    /// Share of the real pictures that have a drawn one in their neighbourhood.
    pub(super) coverage: f64,
    /// Share of the pictures that the judge reads as their caption.
    pub(super) accuracy: f64,
    /// Mean squared distance to what the teacher draws from the same noise in the reference's steps.
    pub(super) trajectory_mse: Option<f64>,
}

const HEADER: [&str; 9] =
    ["candidate", "steps", "frechet", "clip", "reward*", "diversity", "coverage", "accuracy", "trajectory"];
const NOTE: &str = "frechet, trajectory: lower is better; the others: higher. *in-sample: the reward was trained on.\n";

impl Row {
    fn cells(&self) -> [String; 9] {
        let optional = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |v| format!("{v:.digits$}"));
        [
            self.candidate.clone(),
            self.steps.map_or("-".to_owned(), |steps| steps.to_string()),
            format!("{:.2}", self.frechet),
            format!("{:.2}", self.clip_score),
            optional(self.reward, 3),
            format!("{:.2}", self.diversity),
            format!("{:.3}", self.coverage),
            format!("{:.3}", self.accuracy),
            optional(self.trajectory_mse, 4),
        ]
    }
}

/// The rows as text, numbers aligned to the right, a blank line between candidates.
pub(super) fn table(rows: &[Row]) -> String {
    let cells: Vec<[String; 9]> = rows.iter().map(Row::cells).collect();
    let width = |i: usize| cells.iter().map(|row| row[i].chars().count()).chain([HEADER[i].len()]).max().unwrap_or(0);
    let widths: [usize; 9] = std::array::from_fn(width);
    let line = |row: [&str; 9]| {
        let first = format!("{:<width$}", row[0], width = widths[0]);
        let rest = (1..9).map(|i| format!("{:>width$}", row[i], width = widths[i]));
        std::iter::once(first).chain(rest).collect::<Vec<_>>().join("  ")
    };
    let mut text = line(HEADER) + "\n";
    let mut candidate = "";
    for (row, cells) in rows.iter().zip(&cells) {
        if row.candidate != candidate {
            text.push('\n');
            candidate = &row.candidate;
        }
        text += &(line(std::array::from_fn(|i| cells[i].as_str())) + "\n");
    }
    text + "\n" + NOTE
}
