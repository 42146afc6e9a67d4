//! Whatever stands in the directories of runs, of other versions or damaged: every command that reads them works, or says what
//! is wrong, and none panics.
//!
//! `PROPTEST_CASES` sets how many changes are tried; without it a few seconds' worth.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use super::scene::Scene;

const COMMANDS: [&str; 6] = [
    "log test.ron a",
    "why test.ron a",
    "ls test.ron",
    "plan test.ron --json",
    "cache gc --keep-days 0 --dry-run",
    "cache rebuild",
];

/// Pieces of what runs write, and of what they never do.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\n",
    "\\",
    "null",
    "true",
    "-1",
    "1e308",
    "18446744073709551616",
    "{\"event\":\"node_started\",\"node\":\"a\"}\n",
    "{\"event\":\"step\",\"node\":\"a\",\"step\":-1,\"of\":0,\"losses\":{\"x\":null}}\n",
    "{\"event\":7,\"node\":\"a\"}\n",
    "{\"event\":\"memory\",\"node\":\"a\",\"peak\":1e99}\n",
    "{\"event\":\"node_failed\",\"node\":\"a\",\"message\":\"\\u001b[2J\"}\n",
    "\"name\":7",
    "\"pipeline\":null",
    "\"pipeline\":\"/\"",
    "\u{0}",
    "\"test/a\":\"xyz\"",
];

fn cases(bounded: u32) -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if asked { ProptestConfig::default().cases } else { bounded };
    ProptestConfig { cases, fork: false, failure_persistence: None, ..ProptestConfig::default() }
}

/// Other bytes in the place of some: which file, and what happens to it.
type Change = (Index, Vec<(Index, usize, Vec<u8>)>);

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        4 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
        1 => (1..50_000_usize).prop_map(|depth| b"[".repeat(depth)),
    ];
    (any::<Index>(), prop::collection::vec((any::<Index>(), prop_oneof![0..20_usize, Just(usize::MAX)], piece), 1..4))
}

fn apply(before: &[u8], changes: &[(Index, usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = before.to_vec();
    for (at, cut, piece) in changes {
        let at = at.index(bytes.len() + 1);
        let end = at.saturating_add(*cut).min(bytes.len());
        bytes.splice(at..end, piece.iter().copied());
    }
    bytes
}

/// The files that runs have left, their memos too.
fn files_of_runs(store: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![store.join("runs"), store.join("memos")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

#[test]
fn whatever_runs_have_left_is_read_or_told() {
    let scene = Scene::new();
    scene.ok("run test.ron");
    scene.write("data.txt", "three\n");
    scene.ok("run test.ron");
    let files = files_of_runs(&scene.path().join(".hyper-flow"));
    assert!(files.len() > 5, "{files:?}");
    let tried = TestRunner::new(cases(24)).run(&prop::collection::vec(change(), 1..3), |changes| {
        let before: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
        for (which, change) in &changes {
            let which = which.index(files.len());
            fs::write(&files[which], apply(&before[which], change)).unwrap();
        }
        for line in COMMANDS {
            let output = scene.command(line).output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            prop_assert!(matches!(output.status.code(), Some(0 | 2)), "{line}: {:?} {told}", output.status);
            prop_assert!(!told.contains("panicked"), "{line}: {told}");
            prop_assert!(!output.stdout.contains(&b'\x1b'), "{line}: {:?}", String::from_utf8_lossy(&output.stdout));
        }
        files.iter().zip(before).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
}
