//! The numbers of an artifact: an `Eval`'s as its table, those of others as rows.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::shown::plain_rows;
use super::units::number;
use super::{Column, Fitted, Paint};
use crate::output::evaluation::{self, evaluation};
use crate::output::report::Shown;

/// Where a row holds the interval of each of its numbers.
const INTERVALS: &str = "intervals";

/// Rows of numbers as a table, and what is said beside them; anything else as JSON.
pub(super) fn metrics(out: &mut dyn Write, paint: Paint, found: &Value, report: &Shown) -> io::Result<()> {
    let more = format!("{} --wide", report.again);
    if let Some(metrics) = evaluation::read(found) {
        return evaluation(out, paint, &metrics, report.room, &more);
    }
    let rows: Option<Vec<&Map<String, Value>>> =
        found["rows"].as_array().map(|rows| rows.iter().filter_map(Value::as_object).collect());
    match rows.as_deref() {
        Some(rows @ [_, ..]) => {
            let table = Fitted::of(columns(rows), report.room.table());
            table.plain(out, paint)?;
            table.rest(out, paint)?;
            beside(out, paint, found, report)
        }
        _ => writeln!(out, "  {found:#}"),
    }
}

/// What is neither rows nor anything else of several parts, and was not told before.
fn beside(out: &mut dyn Write, paint: Paint, metrics: &Value, report: &Shown) -> io::Result<()> {
    let told = |text: &str| report.made.iter().flat_map(|made| &made.told).any(|told| told == text);
    let plain = |value: &Value| !value.is_array() && !value.is_object() && !value.is_null();
    let fields = metrics.as_object().into_iter().flatten();
    let fields = fields.filter(|(_, value)| plain(value) && !value.as_str().is_some_and(told));
    let rows = fields.map(|(name, value)| (name.clone(), cell(Some(value)))).collect();
    plain_rows(out, paint, report.room, &rows)
}

/// The columns that some row has, in the order of the first; the first is dearest. Each number has half of its interval.
fn columns(rows: &[&Map<String, Value>]) -> Vec<Column> {
    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()).filter(|name| *name != INTERVALS) {
        if !names.contains(&name) && rows.iter().any(|row| row.get(name).is_some_and(|value| !value.is_null())) {
            names.push(name);
        }
    }
    let column = |(rank, name): (usize, &&String)| {
        let cells = rows.iter().map(|row| cell(row.get(*name)) + &half(row, name));
        match rows.iter().any(|row| row.get(*name).is_some_and(Value::is_string)) {
            true => Column::words(name, cells),
            false => Column::numbers(name, rank, cells),
        }
    };
    names.iter().enumerate().map(column).collect()
}

/// Half of the interval of a number, if it has one.
fn half(row: &Map<String, Value>, name: &str) -> String {
    let interval = row.get(INTERVALS).map(|intervals| &intervals[name]);
    let ends = interval.and_then(|interval| interval[0].as_f64().zip(interval[1].as_f64()));
    ends.map_or(String::new(), |(low, high)| format!(" ±{}", number((high - low) / 2.0)))
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) if n.is_f64() => number(n.as_f64().unwrap_or_default()),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(" "),
        Some(other) => other.to_string(),
    }
}
