//! What a node printed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use axum::Json;
use axum::extract::{Path as Named, Query, State as Given};
use axum::http::StatusCode;
use serde::Serialize;

use super::State;
use super::routes::{Of, blocking, find};
use crate::run::node_directory;

/// The ends of what a node printed in a run.
#[derive(Serialize)]
pub(super) struct Printed {
    stdout: End,
    stderr: End,
}

/// The end of a text.
#[derive(Debug, Default, PartialEq, Serialize)]
struct End {
    text: String,
    /// Bytes before it.
    before: u64,
}

/// So much of it is shown.
const MOST: u64 = 128 << 10;

pub(super) async fn log(
    Given(state): Given<State>,
    Named(id): Named<String>,
    Query(Of { node }): Query<Of>,
) -> Result<Json<Printed>, StatusCode> {
    let run = find(&state, &id)?;
    let printed = blocking(move || {
        let folder = node_directory(&run.path, &node);
        let end = |name: &str| end(&folder.join(name)).unwrap_or_default();
        Printed { stdout: end("stdout.log"), stderr: end("stderr.log") }
    });
    Ok(Json(printed.await?))
}

fn end(path: &Path) -> std::io::Result<End> {
    let mut file = File::open(path)?;
    let before = file.metadata()?.len().saturating_sub(MOST);
    file.seek(SeekFrom::Start(before))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(End { text: String::from_utf8_lossy(&bytes).into_owned(), before })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_read_from_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stderr.log");
        std::fs::write(&path, format!("{}end", "x".repeat(MOST as usize))).unwrap();
        let end = end(&path).unwrap();
        assert!(end.text.ends_with("xend") && end.text.len() as u64 == MOST && end.before == 3);
    }
}
