//! `Gate`: whether what was measured is good enough.

use hyper_flow_spec::kinds::{Gate, Require, Standard};
use hyper_flow_spec::metrics::{METRICS, Metrics, REAL, Row, TEACHER};
use serde::Serialize;

use crate::worker::Context;
use crate::{NodeError, files};

const GATE: &str = "gate.json";
const REPORT: &str = "report.md";
/// What to do about a standard that nothing is a multiple of.
const ADVICE: &str =
    "if that is what it should be, give the bound without `of`; else look at it first, it may be trained too little";

pub(super) fn run(context: &Context, params: &Gate) -> Result<(), NodeError> {
    let metrics: Metrics = files::read_json(&context.input(&params.metrics)?.join(METRICS))?;
    let mut checks = Vec::new();
    for require in &params.require {
        checks.extend(check(&metrics, require)?);
    }
    let missed: Vec<_> = checks.iter().filter(|check| !check.holds).map(|check| format!("\n{}", check.text)).collect();
    if !missed.is_empty() {
        let message = format!("{} of {} requirements are not met:{}", missed.len(), checks.len(), missed.concat());
        return Err(NodeError::Unfit(message));
    }
    files::write_json(&context.output(GATE), &checks)?;
    let lines: String = checks.iter().map(|check| format!("- {}\n", check.text)).collect();
    files::write(&context.output(REPORT), format!("All {} requirements are met.\n\n{lines}", checks.len()))?;
    context.reporter.show(REPORT);
    Ok(())
}

/// What became of a requirement at a step count.
#[derive(Debug, Serialize)]
struct Check {
    candidate: String,
    steps: Option<i64>,
    number: String,
    /// The candidate's number, or how often it holds the standard's.
    value: f64,
    at_least: Option<f64>,
    at_most: Option<f64>,
    holds: bool,
    /// All of it in words.
    text: String,
}

/// A requirement at each step count that it is for.
fn check(metrics: &Metrics, require: &Require) -> Result<Vec<Check>, NodeError> {
    let wanted = require.steps.map(|steps| steps.get());
    let own = |row: &&Row| row.candidate == require.candidate && wanted.is_none_or(|steps| row.steps == Some(steps));
    let rows: Vec<&Row> = metrics.rows.iter().filter(own).collect();
    if rows.is_empty() {
        return Err(not_measured(metrics, &require.candidate, wanted));
    }
    rows.into_iter().map(|row| check_row(metrics, require, row)).collect()
}

fn check_row(metrics: &Metrics, require: &Require, row: &Row) -> Result<Check, NodeError> {
    let name = &require.number;
    let own = number(row, name)?;
    let what = format!("{}: {name} is {}", label(row), shown(row, name, own));
    let (value, measured) = match &require.of {
        None => (Some(own), what),
        Some(standard) => {
            let standard = standard_row(metrics, standard, row)?;
            let theirs = number(standard, name)?;
            let (whose, shown) = (label(standard), shown(standard, name, theirs));
            match theirs > 0.0 {
                true => (Some(own / theirs), format!("{what}, {:.3} times the {shown} of {whose}", own / theirs)),
                false => {
                    (None, format!("{what}, and that of {whose} is {shown}, of which nothing is a multiple: {ADVICE}"))
                }
            }
        }
    };
    let (least, most) = (require.at_least.map(|bound| bound.get()), require.at_most.map(|bound| bound.get()));
    let bounds = [("at least", least), ("at most", most)];
    let bounds = bounds.into_iter().filter_map(|(words, bound)| Some(format!("{words} {}", bound?)));
    Ok(Check {
        candidate: row.candidate.clone(),
        steps: row.steps,
        number: name.clone(),
        value: value.unwrap_or(own),
        at_least: least,
        at_most: most,
        holds: value
            .is_some_and(|value| least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most)),
        text: format!("{measured}; required is {}", bounds.collect::<Vec<_>>().join(" and ")),
    })
}

fn standard_row<'m>(metrics: &'m Metrics, standard: &Standard, row: &Row) -> Result<&'m Row, NodeError> {
    let (candidate, steps) = match standard {
        Standard::Candidate(name) => (name.as_str(), row.steps),
        Standard::Teacher(steps) => (TEACHER, Some(steps.get())),
        Standard::Real => (REAL, None),
    };
    metrics.row(candidate, steps).ok_or_else(|| not_measured(metrics, candidate, steps))
}

fn number(row: &Row, name: &str) -> Result<f64, NodeError> {
    row.number(name).ok_or_else(|| {
        let has = row.numbers.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name.as_str());
        NodeError::Unfit(format!("{} has no {name}; it has: {}", label(row), has.collect::<Vec<_>>().join(", ")))
    })
}

fn not_measured(metrics: &Metrics, candidate: &str, steps: Option<i64>) -> NodeError {
    let rows: Vec<_> = metrics.rows.iter().map(label).collect();
    let steps = steps.map_or(String::new(), |steps| format!(" at {steps} steps"));
    NodeError::Unfit(format!("`{candidate}`{steps} was not measured; there is: {}", rows.join("; ")))
}

fn label(row: &Row) -> String {
    match row.steps {
        None => row.candidate.clone(),
        Some(1) => format!("{} at 1 step", row.candidate),
        Some(steps) => format!("{} at {steps} steps", row.candidate),
    }
}

/// A number with its interval.
fn shown(row: &Row, name: &str, value: f64) -> String {
    match row.intervals.get(name) {
        Some([low, high]) => format!("{value:.4} ({low:.4} to {high:.4})"),
        None => format!("{value:.4}"),
    }
}
