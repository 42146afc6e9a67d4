//! The numbers of an `Eval`, for people: one table for all who show them, in the terms in which a `Gate` is told what must
//! hold (candidate, steps, number).

use std::io::{self, Write};

use hyper_flow_cache::{Digest, Store};
use hyper_flow_spec::metrics::{CONFIDENCE, Comparison, METRICS, Metrics, NUMBERS, Row, Verdict, lower_is_better};
use serde::Deserialize;
use serde_json::Value;

use super::human::units::number;
use super::human::{Column, Fitted, Paint};
use super::room::{Room, wrap};

/// In which order columns are left out where there is no room: the last first. Scores of the user's come before `SCORES`.
const DEAR: [&str; 9] =
    ["frechet", "clip_score", "diversity", "accuracy", "trajectory_mse", "recall", "precision", "coverage", "reward"];
const SCORES: usize = 5;

/// What an `Eval` wrote; none of what another did.
pub fn read(found: &Value) -> Option<Metrics> {
    Metrics::deserialize(found).ok().filter(|metrics| !metrics.rows.is_empty())
}

/// What the `Eval` wrote whose artifact this is; none of what another did.
pub fn of(store: &Store, artifact: &Digest) -> Option<Metrics> {
    let bytes = store.read(artifact, METRICS).ok()?;
    read(&serde_json::from_slice(&bytes).ok()?)
}

/// The names of the numbers that some row has: those that every `Eval` measures, then further scores.
pub fn numbers(metrics: &Metrics) -> Vec<&str> {
    let has = |name: &str| metrics.rows.iter().any(|row| row.number(name).is_some());
    let known = NUMBERS.iter().map(|number| number.name);
    let mut scores: Vec<&str> = metrics.rows.iter().flat_map(|row| row.numbers.keys()).map(String::as_str).collect();
    scores.sort_unstable();
    scores.dedup();
    let scores = scores.into_iter().filter(|name| NUMBERS.iter().all(|number| number.name != *name));
    known.chain(scores).filter(|name| has(name)).collect()
}

/// The comparisons that chance does not decide: the least likely ones first.
pub fn decided(metrics: &Metrics) -> Vec<&Comparison> {
    let mut decided: Vec<&Comparison> =
        metrics.comparisons.iter().filter(|comparison| comparison.verdict != Verdict::Undecided).collect();
    // Of many with the least p that resamples can give, the clearest.
    let distance = |of: &Comparison| of.difference.abs() / (of.interval[1] - of.interval[0]).max(f64::MIN_POSITIVE);
    decided.sort_by(|a, b| a.p.total_cmp(&b.p).then_with(|| distance(b).total_cmp(&distance(a))));
    decided
}

/// Prints the rows and the comparisons. `more` is the command that shows what there is no room for.
pub(crate) fn evaluation(
    out: &mut dyn Write,
    paint: Paint,
    metrics: &Metrics,
    room: Room,
    more: &str,
) -> io::Result<()> {
    let all_columns = rows(out, paint, metrics, room)?;
    let all_comparisons = metrics.comparisons.is_empty() || comparisons(out, paint, metrics, room)?;
    if all_columns && all_comparisons {
        Ok(())
    } else {
        writeln!(out, "  {}", paint.dim(&format!("all of it: {more}")))
    }
}

/// Says whether all columns are there.
fn rows(out: &mut dyn Write, paint: Paint, metrics: &Metrics, room: Room) -> io::Result<bool> {
    let rows = &metrics.rows;
    let steps = rows.iter().map(|row| row.steps.map_or_else(|| "-".to_owned(), |steps| steps.to_string()));
    let mut columns = vec![
        Column::words("candidate", rows.iter().map(|row| row.candidate.clone())),
        Column::numbers("steps", 0, steps),
    ];
    let cells = |name: &str| rows.iter().map(|row| cell(row, name)).collect::<Vec<_>>();
    columns.extend(numbers(metrics).into_iter().map(|name| Column::numbers(name, rank(name), cells(name))));
    let table = Fitted::of(columns, room.table());
    let begins = |row: usize| row > 0 && rows[row].candidate != rows[row - 1].candidate;
    table.write(out, begins, |row, _, cell| if row == 0 { paint.dim(cell) } else { cell.to_owned() })?;
    writeln!(out)?;
    notes(metrics, &table).iter().try_for_each(|note| dim(out, paint, room, note))?;
    Ok(table.left_out.is_empty())
}

fn dim(out: &mut dyn Write, paint: Paint, room: Room, text: &str) -> io::Result<()> {
    wrap(text, room.text() - 2).iter().try_for_each(|line| writeln!(out, "  {}", paint.dim(line)))
}

fn rank(name: &str) -> usize {
    DEAR.iter().position(|dear| *dear == name).map_or(SCORES, |at| if at < SCORES { at + 1 } else { at + 2 })
}

fn cell(row: &Row, name: &str) -> String {
    let Some(value) = row.number(name) else { return "-".to_owned() };
    let digits = digits(name);
    let half = row.intervals.get(name).map(|[low, high]| format!(" ±{}", fixed((high - low) / 2.0, digits)));
    fixed(value, digits) + &half.unwrap_or_default()
}

/// With so many digits after the point, unless nothing of it would be left.
fn fixed(value: f64, digits: usize) -> String {
    let lost = value != 0.0 && value.abs() < 10f64.powi(-(digits as i32));
    if lost { number(value) } else { format!("{value:.digits$}") }
}

/// Digits after the point.
fn digits(name: &str) -> usize {
    match name {
        "frechet" | "clip_score" | "diversity" => 2,
        "reward" | "precision" | "recall" | "coverage" | "accuracy" => 3,
        _ => 4,
    }
}

fn notes(metrics: &Metrics, table: &Fitted) -> Vec<String> {
    let shown = |name: &&str| table.has(name);
    let lower: Vec<&str> = numbers(metrics).into_iter().filter(|name| lower_is_better(name)).filter(shown).collect();
    let mut notes = Vec::new();
    if !lower.is_empty() {
        notes.push(format!("Of {} lower is better, of all else higher.", lower.join(" and ")));
    }
    if table.has("reward") {
        notes.push("The trainings have seen the reward.".to_owned());
    }
    if metrics.rows.iter().any(|row| !row.intervals.is_empty()) {
        let of =
            if metrics.resamples > 0 { format!("{} resamples", metrics.resamples) } else { "resamples".to_owned() };
        notes.push(format!("±: half of what holds {:.0} % of {of} of the pictures.", 100.0 * CONFIDENCE));
    }
    if !table.left_out.is_empty() {
        notes.push(format!("There is no room for {}.", table.left_out.join(", ")));
    }
    notes
}

/// Says whether all comparisons are there.
fn comparisons(out: &mut dyn Write, paint: Paint, metrics: &Metrics, room: Room) -> io::Result<bool> {
    let decided = decided(metrics);
    let undecided = metrics.comparisons.iter().filter(|other| other.verdict == Verdict::Undecided);
    let shown: Vec<&Comparison> = decided.iter().copied().chain(undecided.filter(|_| room.is_wide())).collect();
    writeln!(out)?;
    if !shown.is_empty() {
        table(out, paint, &shown, room)?;
        writeln!(out)?;
    }
    let (all, decided) = (metrics.comparisons.len(), decided.len());
    let chance = (all as f64 * (1.0 - CONFIDENCE)).round();
    let note = format!(
        "Of {all} comparisons {decided} are decided, of which chance alone decides about {chance}; {} are not. p: how often \
         resampling moves a difference so far.",
        all - decided
    );
    dim(out, paint, room, &note)?;
    Ok(shown.len() == all)
}

fn table(out: &mut dyn Write, paint: Paint, shown: &[&Comparison], room: Room) -> io::Result<()> {
    let table = Fitted::of(columns(shown), room.table());
    table.write(
        out,
        |_| false,
        |row, name, cell| match (row, name) {
            (0, _) => paint.dim(cell),
            (row, "it is") => match shown[row - 1].verdict {
                Verdict::Better => paint.good(cell),
                Verdict::Worse => paint.bad(cell),
                Verdict::Undecided => cell.to_owned(),
            },
            _ => cell.to_owned(),
        },
    )
}

fn columns(shown: &[&Comparison]) -> Vec<Column> {
    let texts = |text: &dyn Fn(&Comparison) -> String| shown.iter().map(|of| text(of)).collect::<Vec<_>>();
    let signed = |of: &Comparison, value: f64| format!("{value:+.0$}", digits(&of.number));
    vec![
        Column::words("candidate", texts(&|of| of.candidate.clone())),
        Column::words("it is", texts(&|of| word(of.verdict).to_owned())),
        Column::words("against", texts(&|of| of.against.clone())),
        Column::numbers("steps", 0, texts(&|of| of.steps.to_string())),
        Column::words("number", texts(&|of| of.number.clone())),
        Column::numbers("by", 1, texts(&|of| signed(of, of.difference))),
        Column::numbers("from", 3, texts(&|of| signed(of, of.interval[0]))),
        Column::numbers("to", 3, texts(&|of| signed(of, of.interval[1]))),
        Column::numbers("p", 2, texts(&|of| format!("{:.3}", of.p))),
    ]
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Undecided => "undecided",
    }
}
