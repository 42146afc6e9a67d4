//! `metrics.json` and `guard.json` as tables.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::Paint;
use super::table::Table;
use super::units::number;

/// Where a row holds the interval of each of its numbers.
const INTERVALS: &str = "intervals";

/// Rows of numbers as a table, with the columns of the first row, each number with half of its interval, and what is said
/// beside them; anything else as JSON.
pub(super) fn metrics(out: &mut dyn Write, paint: Paint, metrics: &Value) -> io::Result<()> {
    let rows: Option<Vec<&Map<String, Value>>> =
        metrics["rows"].as_array().map(|rows| rows.iter().filter_map(Value::as_object).collect());
    match rows.as_deref() {
        Some([first, ..]) => {
            table(rows.as_deref().unwrap_or_default(), first).write(out, "  ", |row, _, cell| match row {
                0 => paint.dim(cell),
                _ => cell.to_owned(),
            })?;
            beside(metrics).write(out, "  ", |_, column, cell| match column {
                0 => paint.dim(cell),
                _ => cell.to_owned(),
            })
        }
        _ => writeln!(out, "  {metrics:#}"),
    }
}

/// What is neither rows nor anything else of several parts.
fn beside(metrics: &Value) -> Table {
    let mut table = Table::default();
    let plain = metrics.as_object().into_iter().flatten().filter(|(_, value)| !value.is_array() && !value.is_object());
    plain.for_each(|(name, value)| table.push([name.clone(), cell(Some(value))]));
    table
}

fn table(rows: &[&Map<String, Value>], first: &Map<String, Value>) -> Table {
    let columns: Vec<&String> = first.keys().filter(|name| *name != INTERVALS).collect();
    let numeric = (0..columns.len())
        .filter(|column| rows.iter().all(|row| !row.get(columns[*column]).is_some_and(Value::is_string)));
    let mut table = Table::default().right(numeric);
    table.push(columns.iter().map(|name| (*name).clone()));
    for row in rows {
        table.push(columns.iter().map(|name| cell(row.get(*name)) + &half(row, name)));
    }
    table
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
