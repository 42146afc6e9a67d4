//! Whatever a worker says, of its jobs or of itself: the run tells it, or says what is wrong, and does not hang or panic.
//!
//! `PROPTEST_CASES` sets how many answers are tried; without it a few seconds' worth.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::lab::Lab;

/// Answers `describe` with one file, and a job with another; what it yields is always the same.
const WORKER: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
if [ "$1" = describe ]; then exec cat described; fi
out=$(sed -n 's|^ *"output": "\([^"]*\)",*$|\1|p' "$2")
echo x > "$out/x"
cat said
exit "$(cat code)"
"#;

const DESCRIPTION: &str = r#"{"worker":"VERSION","protocol":1,"kinds":{"Digits":1},"libtorch":"none","cpu":"cpu:none","gpus":["cuda:sm_90"]}"#;

const EVENTS: [&str; 29] = [
    r#"{"event":"started","device":"cpu:nonex1","libtorch":"none","worker":"0"}"#,
    r#"{"event":"step","step":1,"of":10,"losses":{"mse":0.5},"speed":1e308}"#,
    r#"{"event":"step","step":18446744073709551615,"of":0,"losses":{}}"#,
    r#"{"event":"step","step":-1,"of":1.5,"losses":[]}"#,
    r#"{"event":"step","step":1,"of":10,"losses":{"mse":null}}"#,
    r#"{"event":"step","step":2,"of":10,"losses":{},"lr":{"a":1e-3},"grad_norm":{"a\u001b[2J":-0.0},"memory":{"resident":1}}"#,
    r#"{"event":"step","step":2,"of":10,"losses":{},"lr":{"a":null},"memory":{"resident":-1}}"#,
    r#"{"event":"progress","done":18446744073709551615,"of":0,"unit":"\u001b[2J\u0000"}"#,
    r#"{"event":"progress","done":7,"of":3,"unit":""}"#,
    r#"{"event":"checkpoint","step":0}"#,
    r#"{"event":"norms","step":3,"norms":{"\u001b]0;":1e300,"a":-1,"":0}}"#,
    r#"{"event":"resumed","step":18446744073709551615}"#,
    r#"{"event":"sample","step":1,"path":"../../../../etc/hostname"}"#,
    r#"{"event":"metric","name":"","value":-0.0}"#,
    r#"{"event":"metric","name":"x","value":1e999}"#,
    r#"{"event":"memory","peak":18446744073709551615,"gpu":0}"#,
    r#"{"event":"message","level":"warning","text":"\u202e two\nlines\r\u001b]0;title\u0007"}"#,
    r#"{"event":"message","level":"fatal","text":""}"#,
    r#"{"event":"message","level":"error","text":"it did not work"}"#,
    r#"{"event":"show","path":"x"}"#,
    r#"{"event":"show","path":"/etc/hostname"}"#,
    r#"{"event":"show","path":"../../../x"}"#,
    r#"{"event":"interrupted","step":0}"#,
    r#"{"event":"node_ran","node":"a"}"#,
    r#"{"event":"step","event":"checkpoint","step":1}"#,
    "{}",
    "null",
    "words of a library",
    "",
];

fn cases(bounded: u32) -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if asked { ProptestConfig::default().cases } else { bounded };
    ProptestConfig { cases, fork: false, failure_persistence: None, ..ProptestConfig::default() }
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        8 => prop::sample::select(&EVENTS[..]).prop_map(|line| line.as_bytes().to_vec()),
        2 => (prop::sample::select(&EVENTS[..]), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(line, at, byte)| {
            let mut line = line.as_bytes().to_vec();
            if !line.is_empty() {
                let at = at.index(line.len());
                line[at] = byte;
            }
            line
        }),
        2 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (1..20_000_usize).prop_map(|depth| b"{\"event\":".repeat(depth)),
        1 => (1..3_000_000_usize).prop_map(|length| vec![b'x'; length]),
    ];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.join(&b'\n'))
}

fn workshop() -> Lab {
    let lab = Lab::new();
    lab.write("worker/worker", WORKER);
    std::fs::set_permissions(lab.path("worker/worker"), PermissionsExt::from_mode(0o755)).unwrap();
    lab.write("worker/described", &DESCRIPTION.replace("VERSION", env!("CARGO_PKG_VERSION")));
    lab.write("worker/code", "0");
    lab.write("data", "");
    lab.pipeline(&[("a", "Digits(file: \"data\")".to_owned())], "");
    lab
}

fn forget(store: &Path) {
    for area in ["records", "memos"] {
        let _ = std::fs::remove_dir_all(store.join(area));
    }
}

#[test]
fn whatever_a_worker_says_of_its_job_is_told_or_kept() {
    let lab = workshop();
    let worker = lab.text_path("worker/worker");
    let tried =
        TestRunner::new(cases(24)).run(&(lines(), prop::sample::select(vec!["0", "0", "1", "75"])), |(said, code)| {
            forget(&lab.path(".hyper-flow"));
            std::fs::write(lab.path("worker/said"), &said).unwrap();
            lab.write("worker/code", code);
            // Every line of standard output is JSON, or this fails.
            let run = lab.run_with(&["--grace", "1"], &[("HYPER_FLOW_WORKER", &worker)]);
            prop_assert!(matches!(run.code, Some(0 | 1)), "{:?}: {}", run.code, run.stderr);
            prop_assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
            prop_assert_eq!(run.code == Some(0), run.ran() == ["a"], "{:?}", run.events);
            for line in ["ls p.ron", "log p.ron a", "why p.ron a", "show p.ron a"] {
                let words: Vec<&str> = line.split(' ').collect();
                let output = lab.flow(&words);
                let told = String::from_utf8_lossy(&output.stderr);
                prop_assert!(
                    matches!(output.status.code(), Some(0 | 2)) && !told.contains("panicked"),
                    "{line}: {told}"
                );
                prop_assert!(!output.stdout.contains(&b'\x1b'), "{line}: {}", String::from_utf8_lossy(&output.stdout));
            }
            Ok(())
        });
    tried.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn whatever_a_worker_says_of_itself_is_understood_or_told() {
    let lab = workshop();
    lab.write("p.ron", "Pipeline(name: \"p\", reproducibility: Exact, nodes: {\"a\": Digits(file: \"data\")})");
    lab.write("worker/said", "");
    let worker = lab.text_path("worker/worker");
    let good = DESCRIPTION.replace("VERSION", env!("CARGO_PKG_VERSION")).into_bytes();
    let mutated = prop::collection::vec(
        (any::<prop::sample::Index>(), 0..10_usize, prop::collection::vec(any::<u8>(), 0..4)),
        0..3,
    );
    let tried = TestRunner::new(cases(24)).run(&prop_oneof![mutated.prop_map(Some), Just(None)], |changes| {
        forget(&lab.path(".hyper-flow"));
        let mut said = good.clone();
        for (at, cut, piece) in changes.clone().unwrap_or_default() {
            let at = at.index(said.len() + 1);
            let end = (at + cut).min(said.len());
            said.splice(at..end, piece);
        }
        std::fs::write(lab.path("worker/described"), if changes.is_none() { b"[".repeat(100_000) } else { said })
            .unwrap();
        let run = lab.run_with(&[], &[("HYPER_FLOW_WORKER", &worker)]);
        prop_assert!(matches!(run.code, Some(0..=2)), "{:?}: {}", run.code, run.stderr);
        prop_assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
}
