//! One line of the result, and the table of all.

use std::collections::BTreeMap;

use serde::Serialize;

/// The numbers of a candidate at a step count; absent where a number has no meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// Who drew.
    pub(super) candidate: String,
    /// In how many steps.
    pub(super) steps: Option<i64>,
    /// Fréchet distance to the real training pictures in the judge's features, or the CLIP's. Lower is better.
    pub(super) frechet: f64,
    /// 100 times the mean cosine of picture and caption, in a CLIP that no training used; not below 0.
    pub(super) clip_score: f64,
    /// Mean reward that was trained on: in-sample, not comparable between candidates that were and were not trained on it.
    pub(super) reward: Option<f64>,
    /// Mean distance in the features between two pictures of one caption.
    pub(super) diversity: Option<f64>,
    /// Share of the real pictures that have a drawn one in their neighbourhood.
    pub(super) coverage: f64,
    /// Share of the pictures that the judge reads as their caption.
    pub(super) accuracy: Option<f64>,
    /// Mean squared distance to what the teacher draws from the same noise in the reference's steps.
    pub(super) trajectory_mse: Option<f64>,
    /// The means of further scores, columns like the others.
    #[serde(flatten)]
    pub(super) scores: BTreeMap<String, f64>,
}

const NOTE: &str = "frechet, trajectory: lower is better; the others: higher. *in-sample: the reward was trained on.\n";

/// A heading, and each row's cell under it.
type Column = (String, Vec<String>);

/// All columns. Only a judge gives an accuracy: without one there is no such column.
fn columns(rows: &[Row]) -> Vec<Column> {
    let column = |name: &str, cell: &dyn Fn(&Row) -> String| (name.to_owned(), rows.iter().map(cell).collect());
    let number = |name: &str, digits: usize, value: &dyn Fn(&Row) -> Option<f64>| {
        column(name, &|row| value(row).map_or("-".to_owned(), |v| format!("{v:.digits$}")))
    };
    let mut columns = vec![
        column("candidate", &|row| row.candidate.clone()),
        column("steps", &|row| row.steps.map_or("-".to_owned(), |steps| steps.to_string())),
        number("frechet", 2, &|row| Some(row.frechet)),
        number("clip", 2, &|row| Some(row.clip_score)),
        number("reward*", 3, &|row| row.reward),
        number("diversity", 2, &|row| row.diversity),
        number("coverage", 3, &|row| Some(row.coverage)),
    ];
    if rows.iter().any(|row| row.accuracy.is_some()) {
        columns.push(number("accuracy", 3, &|row| row.accuracy));
    }
    columns.push(number("trajectory", 4, &|row| row.trajectory_mse));
    let names = rows.iter().flat_map(|row| row.scores.keys()).collect::<std::collections::BTreeSet<_>>();
    columns.extend(names.into_iter().map(|name| number(name, 4, &|row| row.scores.get(name).copied())));
    columns
}

/// The rows as text, numbers aligned to the right, a blank line between candidates.
pub(super) fn table(rows: &[Row]) -> String {
    let columns = columns(rows);
    let line = |cell: &dyn Fn(&Column) -> String| {
        let aligned = |(i, column): (usize, &Column)| {
            let width = column.1.iter().chain([&column.0]).map(|cell| cell.chars().count()).max().unwrap_or(0);
            if i == 0 { format!("{:<width$}", cell(column)) } else { format!("{:>width$}", cell(column)) }
        };
        columns.iter().enumerate().map(aligned).collect::<Vec<_>>().join("  ") + "\n"
    };
    let mut text = line(&|column| column.0.clone());
    let mut candidate = "";
    for (i, row) in rows.iter().enumerate() {
        if row.candidate != candidate {
            text.push('\n');
            candidate = &row.candidate;
        }
        text += &line(&|column| column.1[i].clone());
    }
    text + "\n" + NOTE
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper_flow_spec::kinds::Eval;

    #[test]
    fn columns_that_every_row_has_are_those_that_no_score_may_be_called() {
        let row = Row {
            candidate: String::new(),
            steps: None,
            frechet: 0.0,
            clip_score: 0.0,
            reward: None,
            diversity: None,
            coverage: 0.0,
            accuracy: None,
            trajectory_mse: None,
            scores: BTreeMap::new(),
        };
        let fields = serde_json::to_value(row).unwrap();
        assert_eq!(fields.as_object().unwrap().keys().collect::<Vec<_>>(), Eval::COLUMNS);
    }
}
