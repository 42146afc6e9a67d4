//! Small files of an artifact.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::NodeError;

/// Makes the folder that a file is to lie in.
pub(crate) fn make_parent(path: &Path) -> Result<(), NodeError> {
    path.parent().map_or(Ok(()), |folder| fs::create_dir_all(folder).map_err(NodeError::io("create", folder)))
}

/// Writes a file, making its folder.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), NodeError> {
    make_parent(path)?;
    fs::write(path, content).map_err(NodeError::io("write", path))
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, NodeError> {
    fs::read_to_string(path).map_err(NodeError::io("read", path))
}

/// Writes a readable JSON file.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), NodeError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| NodeError::content(path, e))?;
    text.push('\n');
    write(path, text)
}

/// Reads a JSON file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, NodeError> {
    serde_json::from_str(&read(path)?).map_err(|e| NodeError::content(path, e))
}

/// Writes one JSON value a line.
pub(crate) fn write_lines<T: Serialize>(path: &Path, values: &[T]) -> Result<(), NodeError> {
    let lines: Result<Vec<_>, _> = values.iter().map(serde_json::to_string).collect();
    let mut text = lines.map_err(|e| NodeError::content(path, e))?.join("\n");
    text.push('\n');
    write(path, text)
}

/// A mistake in one line, which the parser takes for the first.
fn at_line(line: usize, error: &serde_json::Error) -> String {
    let (text, column) = (error.to_string(), error.column());
    let what = text.strip_suffix(&format!(" at line 1 column {column}")).unwrap_or(&text);
    format!("line {line}, column {column}: {what}")
}

/// Reads one JSON value a line; says which line is wrong.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, NodeError> {
    let text = read(path)?;
    let parse = |(i, line)| serde_json::from_str(line).map_err(|e| NodeError::content(path, at_line(i + 1, &e)));
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}
