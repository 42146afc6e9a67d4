//! Metadata as a table: JSON lines, CSV or Parquet, as Hugging Face's imagefolder has them.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value};

use crate::artifacts::dataset::words;
use crate::{NodeError, files};

/// The names of such files.
pub(super) const NAMES: [&str; 3] = ["metadata.jsonl", "metadata.csv", "metadata.parquet"];
/// What pandas takes for nothing in a CSV.
const NOTHING: [&str; 18] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan",
];

/// A row and where it stands: what it holds by column, or why it cannot be read.
pub(super) type Line = (String, Result<Map<String, Value>, String>);

/// Reads the rows of a file by its ending.
pub(super) fn read(path: &Path) -> Result<Vec<Line>, NodeError> {
    let wrong = |why: String| NodeError::content(path, why);
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("parquet") => parquet(path).map_err(wrong),
        ending => {
            let bytes = files::read_bytes(path).map_err(NodeError::io("read", path))?;
            let text = words::text(&bytes).map_err(wrong)?;
            if ending == Some("csv") { csv(text).map_err(wrong) } else { Ok(json_lines(text)) }
        }
    }
}

fn json_lines(text: &str) -> Vec<Line> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let row = |line: &str| match words::json(line) {
        Ok(Value::Object(row)) => Ok(row),
        Ok(_) => Err("it is no object".to_owned()),
        // The parser takes every line for the first.
        Err(e) => Err(e.to_string().replace(" at line 1 column ", " at column ")),
    };
    lines.map(|(i, line)| (format!("line {}", i + 1), row(line))).collect()
}

fn csv(text: &str) -> Result<Vec<Line>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().map_err(|e| e.to_string())?.clone();
    let value = |text: &str| if NOTHING.contains(&text) { Value::Null } else { text.into() };
    let rows = reader.into_records().enumerate().map(|(i, record)| match record {
        Ok(record) => {
            let line = record.position().map_or(i as u64 + 2, csv::Position::line);
            let row = columns.iter().zip(record.iter()).map(|(column, text)| (column.to_owned(), value(text)));
            (format!("line {line}"), Ok(row.collect()))
        }
        Err(error) => {
            let line = error.position().map_or(i as u64 + 2, csv::Position::line);
            (format!("line {line}"), Err(error.to_string()))
        }
    });
    Ok(rows.collect())
}

/// What Parquet's reader cannot read it panics on, now and then.
fn parquet(path: &Path) -> Result<Vec<Line>, String> {
    let read = || {
        let rows = SerializedFileReader::new(File::open(path)?)?.get_row_iter(None)?.collect::<Result<Vec<_>, _>>()?;
        Ok(rows.iter().enumerate().map(|(i, row)| (format!("row {}", i + 1), Ok(columns(row)))).collect())
    };
    let outcome: Result<Result<_, parquet::errors::ParquetError>, _> = catch_unwind(AssertUnwindSafe(read));
    outcome.map_err(|_| "its reader gave up: it is damaged".to_owned())?.map_err(|e| e.to_string())
}

fn columns(row: &Row) -> Map<String, Value> {
    let value = |field: &Field| match field {
        Field::Null => Value::Null,
        Field::Str(text) => text.as_str().into(),
        Field::ListInternal(list) => vec![Value::Null; list.elements().len()].into(),
        other => Value::String(other.to_string()),
    };
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}
