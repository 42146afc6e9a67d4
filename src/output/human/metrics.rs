//! `metrics.json` as a table.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::Paint;
use super::table::Table;
use super::units::number;

/// Rows of numbers as a table, with the columns of the first row; anything else as JSON.
pub(super) fn metrics(out: &mut dyn Write, paint: Paint, metrics: &Value) -> io::Result<()> {
    let rows: Option<Vec<&Map<String, Value>>> =
        metrics["rows"].as_array().map(|rows| rows.iter().filter_map(Value::as_object).collect());
    match rows.as_deref() {
        Some([first, ..]) => {
            table(rows.as_deref().unwrap_or_default(), first).write(out, "  ", |row, _, cell| match row {
                0 => paint.dim(cell),
                _ => cell.to_owned(),
            })
        }
        _ => writeln!(out, "  {metrics:#}"),
    }
}

fn table(rows: &[&Map<String, Value>], first: &Map<String, Value>) -> Table {
    let columns: Vec<&String> = first.keys().collect();
    let numeric = (0..columns.len())
        .filter(|column| rows.iter().all(|row| !row.get(columns[*column]).is_some_and(Value::is_string)));
    let mut table = Table::default().right(numeric);
    table.push(columns.iter().map(|name| (*name).clone()));
    for row in rows {
        table.push(columns.iter().map(|name| cell(row.get(*name))));
    }
    table
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) if n.is_f64() => number(n.as_f64().unwrap_or_default()),
        Some(other) => other.to_string(),
    }
}
