//! The result for people.

use std::collections::BTreeSet;

use hyper_flow_spec::metrics::{CONFIDENCE, Comparison, Metrics, Row, Verdict};

/// A heading, and each line's cell under it.
type Column = (String, Vec<String>);

const NOTE: &str = "frechet, trajectory: lower is better; the others: higher. *in-sample: the reward was trained on.\n";

/// Heading, name in `metrics.json`, digits after the point.
const COLUMNS: [(&str, &str, usize); 9] = [
    ("frechet", "frechet", 2),
    ("clip", "clip_score", 2),
    ("reward*", "reward", 3),
    ("diversity", "diversity", 2),
    ("precision", "precision", 3),
    ("recall", "recall", 3),
    ("coverage", "coverage", 3),
    ("accuracy", "accuracy", 3),
    ("trajectory", "trajectory_mse", 4),
];

/// The rows, under each half of its intervals, and the comparisons.
pub(super) fn text(metrics: &Metrics) -> String {
    let mut text = rows(&metrics.rows) + "\n" + NOTE;
    text += &format!(
        "±: half of the interval that holds {:.0} % of {} resamples of the pictures.\n",
        100.0 * CONFIDENCE,
        metrics.resamples
    );
    if !metrics.comparisons.is_empty() {
        text += &comparisons(metrics);
    }
    text
}

/// Two lines a row, a blank line between candidates.
fn rows(rows: &[Row]) -> String {
    let columns = columns(rows);
    let mut lines = aligned(&columns).into_iter();
    let mut text = lines.next().unwrap_or_default();
    let mut candidate = "";
    for (row, pair) in rows.iter().zip(lines.collect::<Vec<_>>().chunks(2)) {
        if row.candidate != candidate {
            text.push('\n');
            candidate = &row.candidate;
        }
        text += &pair.concat();
    }
    text
}

/// All columns, two cells a row. Only a judge gives an accuracy: without one there is no such column.
fn columns(rows: &[Row]) -> Vec<Column> {
    let label = |name: &str, cell: &dyn Fn(&Row) -> String| {
        let cells = rows.iter().flat_map(|row| [cell(row), String::new()]);
        (name.to_owned(), cells.collect())
    };
    let mut columns = vec![
        label("candidate", &|row| row.candidate.clone()),
        label("steps", &|row| row.steps.map_or("-".to_owned(), |steps| steps.to_string())),
    ];
    let has = |name: &str| rows.iter().any(|row| row.number(name).is_some());
    let known = COLUMNS.iter().filter(|(_, name, _)| *name != "accuracy" || has(name));
    columns.extend(known.map(|(heading, name, digits)| numbers(rows, heading, name, *digits)));
    let scores: BTreeSet<&String> = rows.iter().flat_map(|row| row.numbers.keys()).collect();
    let is_known = |name: &&String| COLUMNS.iter().any(|(_, known, _)| known == name);
    columns.extend(scores.into_iter().filter(|name| !is_known(name)).map(|name| numbers(rows, name, name, 4)));
    columns
}

fn numbers(rows: &[Row], heading: &str, name: &str, digits: usize) -> Column {
    let value = |row: &Row| row.number(name).map_or("-".to_owned(), |value| format!("{value:.digits$}"));
    let half = |row: &Row| {
        let [low, high] = row.intervals.get(name)?;
        Some(format!("±{:.digits$}", (high - low) / 2.0))
    };
    let cells = rows.iter().flat_map(|row| [value(row), half(row).unwrap_or_default()]);
    (heading.to_owned(), cells.collect())
}

/// What was compared, a line each.
fn comparisons(metrics: &Metrics) -> String {
    let column = |name: &str, cell: &dyn Fn(&Comparison) -> String| {
        (name.to_owned(), metrics.comparisons.iter().map(cell).collect::<Vec<_>>())
    };
    let digits = |name: &str| COLUMNS.iter().find(|(_, known, _)| *known == name).map_or(4, |(_, _, digits)| *digits);
    let signed = |of: &Comparison, value: f64| format!("{value:+.0$}", digits(&of.number));
    let columns = [
        column("compared", &|c| format!("{} with {}", c.candidate, c.against)),
        column("steps", &|c| c.steps.to_string()),
        column("number", &|c| c.number.clone()),
        column("difference", &|c| signed(c, c.difference)),
        column("from", &|c| signed(c, c.interval[0])),
        column("to", &|c| signed(c, c.interval[1])),
        column("p", &|c| format!("{:.3}", c.p)),
        column("so it is", &|c| words(c.verdict).to_owned()),
    ];
    let text = aligned(&columns).concat();
    let chance = metrics.comparisons.len() as f64 * (1.0 - CONFIDENCE);
    format!(
        "\n{text}\np: how often resampling alone moves a difference so far, by the paired bootstrap. Of {} comparisons, chance \
         decides about {chance:.0}.\n",
        metrics.comparisons.len()
    )
}

fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Undecided => "undecided",
    }
}

/// The heading and then each line, all of one width, numbers aligned to the right.
fn aligned(columns: &[Column]) -> Vec<String> {
    let line = |cell: &dyn Fn(&Column) -> String| {
        let aligned = |(i, column): (usize, &Column)| {
            let width = column.1.iter().chain([&column.0]).map(|cell| cell.chars().count()).max().unwrap_or(0);
            if i == 0 { format!("{:<width$}", cell(column)) } else { format!("{:>width$}", cell(column)) }
        };
        columns.iter().enumerate().map(aligned).collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let lines = columns.first().map_or(0, |column| column.1.len());
    let heading = line(&|column| column.0.clone());
    [heading].into_iter().chain((0..lines).map(|i| line(&|column| column.1[i].clone()))).collect()
}
