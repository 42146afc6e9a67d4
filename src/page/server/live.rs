//! What happens in a run, as it happens: lines that are added to its log, and nothing of what was before.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::extract::{Path as Named, Query, State as Given};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Deserialize;

use super::State;
use super::routes::{blocking, find};
use crate::page::model::Watch;
use crate::runs as logs;

#[derive(Deserialize)]
pub(super) struct From {
    /// How much of the log is known already.
    #[serde(default)]
    from: u64,
}

/// How often the log is looked at: file systems of a network do not tell.
const PAUSE: Duration = Duration::from_millis(250);
/// So much is sent at once.
const MOST: u64 = 1 << 20;

/// Server-sent events: `lines`, an array of events of the log with the place behind them as the event's id; `over`, when the
/// engine of the run is gone and all was told.
pub(super) async fn events(
    Given(state): Given<State>,
    Named(id): Named<String>,
    Query(From { from }): Query<From>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, StatusCode> {
    let run = find(&state, &id)?;
    // A browser that lost the connection says what it had last.
    let had = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let from = had.unwrap_or(from);
    let tail = Tail { store: state.store.clone(), id, path: run.path.join("events.jsonl"), at: from, over: false };
    let stream = stream::unfold(Some(tail), |tail| async move {
        let mut tail = tail?;
        loop {
            let (told, back) = blocking(move || (tail.next(), tail)).await.ok()?;
            tail = back;
            match told {
                Told::Lines(text) => {
                    let event = Event::default().event("lines").id(tail.at.to_string()).data(text);
                    return Some((Ok(event), Some(tail)));
                }
                Told::Over => return Some((Ok(Event::default().event("over").data("")), None)),
                Told::Nothing => tokio::time::sleep(PAUSE).await,
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// How often new runs are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Server-sent events: `runs`, an array of lines of runs: all of them at first, then those that have begun or ended since.
pub(super) async fn runs(Given(state): Given<State>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let watch = Watch::new(state.store);
    let stream = stream::unfold((watch, true), |(mut watch, first)| async move {
        loop {
            let (changed, back) = blocking(move || (watch.look(), watch)).await.ok()?;
            watch = back;
            if first || !changed.is_empty() {
                let text = serde_json::to_string(&changed).unwrap_or_default();
                return Some((Ok(Event::default().event("runs").data(text)), (watch, false)));
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// The end of a log that is read.
struct Tail {
    store: hyper_flow_cache::Store,
    id: String,
    path: PathBuf,
    at: u64,
    /// Whether the engine was gone when it was last looked: then what is there is all.
    over: bool,
}

enum Told {
    Lines(String),
    Nothing,
    Over,
}

impl Tail {
    fn next(&mut self) -> Told {
        let was_over = self.over;
        self.over = !logs::goes_on(&self.store, &self.id);
        let bytes = read(&self.path, self.at).unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.at += whole as u64;
        let lines: Vec<&str> = bytes[..whole].split(|byte| *byte == b'\n').filter_map(json).collect();
        match lines.is_empty() {
            false => Told::Lines(format!("[{}]", lines.join(","))),
            true if was_over => Told::Over,
            true => Told::Nothing,
        }
    }
}

/// A line that is an event, as it is.
fn json(line: &[u8]) -> Option<&str> {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).ok()?;
    str::from_utf8(line).ok()
}

fn read(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use hyper_flow_cache::Store;

    use super::*;

    #[test]
    fn only_what_is_new_and_whole_is_told_and_the_end_once_all_is() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let run = store.runs().join("r");
        std::fs::create_dir_all(&run).unwrap();
        // No engine has it open.
        std::fs::write(run.join("keys.jsonl"), "").unwrap();
        let path = run.join("events.jsonl");
        std::fs::write(&path, "{\"old\":1}\n{\"a\":1}\nno JSON\n{\"b\":").unwrap();
        let mut tail = Tail { store, id: "r".into(), path: path.clone(), at: 10, over: false };
        let lines = |told: Told| match told {
            Told::Lines(text) => text,
            Told::Nothing => "nothing".into(),
            Told::Over => "over".into(),
        };
        assert_eq!(lines(tail.next()), "[{\"a\":1}]");
        std::fs::write(&path, "{\"old\":1}\n{\"a\":1}\nno JSON\n{\"b\":2}\n").unwrap();
        assert_eq!([lines(tail.next()), lines(tail.next())], ["[{\"b\":2}]", "over"]);
    }
}
