//! `Gate` and `CommandScorer`: what must hold, and scores by other programs.

use std::fs;

use hyper_flow_spec::Event;
use hyper_flow_spec::metrics::Metrics;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chain::{digits_file, eval};
use crate::lab::Work;

/// Two candidates at two step counts, the teacher at 50 and real pictures.
fn measured() -> TempDir {
    let row = |candidate: &str, steps: Option<i64>, frechet: f64, clip_score: f64| {
        let intervals = json!({"frechet": [frechet * 0.5, frechet * 1.5]});
        json!({"candidate": candidate, "steps": steps, "frechet": frechet, "clip_score": clip_score, "reward": null,
            "intervals": intervals})
    };
    let rows = [
        row("real, held out", None, 2.0, 30.0),
        row("teacher", Some(50), 4.0, 32.0),
        row("parent", Some(1), 10.0, 20.0),
        row("parent", Some(2), 5.0, 28.0),
        row("unified", Some(1), 6.0, 31.0),
        row("unified", Some(2), 6.0, 0.0),
    ];
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("metrics.json"), json!({"rows": rows}).to_string()).unwrap();
    folder
}

fn gate(metrics: &TempDir, require: Value) -> Work {
    Work::new("Gate", json!({"metrics": "metrics", "require": require})).input("metrics", metrics.path())
}

#[test]
fn what_holds_is_reported() {
    let metrics = measured();
    let require = json!([
        {"candidate": "unified", "steps": 1, "number": "frechet", "at_most": 0.6, "of": {"Candidate": "parent"}},
        {"candidate": "unified", "steps": 1, "number": "clip_score", "at_least": 0.95, "of": {"Teacher": 50}},
        {"candidate": "unified", "number": "frechet", "at_least": 1.0, "at_most": 3.0, "of": "Real"},
        {"candidate": "parent", "steps": 2, "number": "clip_score", "at_least": 28.0},
    ]);
    let work = gate(&metrics, require);
    let ended = work.run();
    let shown = |event: &Event| matches!(event, Event::Show { path } if path.to_str() == Some("report.md"));
    assert!(ended.succeeded().events.iter().any(shown));
    let files = work.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["gate.json", "report.md"]);
    let report = String::from_utf8(files["report.md"].clone()).unwrap();
    insta::assert_snapshot!(report, @"
    All 5 requirements are met.

    - unified at 1 step: frechet is 6.0000 (3.0000 to 9.0000), 0.600 times the 10.0000 (5.0000 to 15.0000) of parent at 1 step; required is at most 0.6
    - unified at 1 step: clip_score is 31.0000, 0.969 times the 32.0000 of teacher at 50 steps; required is at least 0.95
    - unified at 1 step: frechet is 6.0000 (3.0000 to 9.0000), 3.000 times the 2.0000 (1.0000 to 3.0000) of real, held out; required is at least 1 and at most 3
    - unified at 2 steps: frechet is 6.0000 (3.0000 to 9.0000), 3.000 times the 2.0000 (1.0000 to 3.0000) of real, held out; required is at least 1 and at most 3
    - parent at 2 steps: clip_score is 28.0000; required is at least 28
    ");
    let checks: Vec<Value> = serde_json::from_slice(&files["gate.json"]).unwrap();
    assert!(checks.len() == 5 && checks.iter().all(|check| check["holds"] == true));
}

#[test]
fn all_that_is_missed_is_told_and_by_how_much() {
    let metrics = measured();
    let require = json!([
        {"candidate": "unified", "number": "frechet", "at_most": 1.1, "of": {"Candidate": "parent"}},
        {"candidate": "unified", "steps": 2, "number": "clip_score", "at_least": 10},
    ]);
    let work = gate(&metrics, require);
    insta::assert_snapshot!(work.failure(), @"
    2 of 3 requirements are not met:
    unified at 2 steps: frechet is 6.0000 (3.0000 to 9.0000), 1.200 times the 5.0000 (2.5000 to 7.5000) of parent at 2 steps; required is at most 1.1
    unified at 2 steps: clip_score is 0.0000; required is at least 10
    ");
    assert!(work.files().is_empty());
}

#[test]
fn what_was_not_measured_cannot_be_required() {
    let metrics = measured();
    let failure = |require: Value| gate(&metrics, json!([require])).failure();
    let there = "real, held out; teacher at 50 steps; parent at 1 step; parent at 2 steps; unified at 1 step; unified at 2 steps";
    assert_eq!(
        failure(json!({"candidate": "unifid", "number": "frechet", "at_most": 1})),
        format!("`unifid` was not measured; there is: {there}")
    );
    assert_eq!(
        failure(json!({"candidate": "unified", "number": "frechet", "at_most": 1, "of": {"Teacher": 40}})),
        format!("`teacher` at 40 steps was not measured; there is: {there}")
    );
    assert_eq!(
        failure(json!({"candidate": "parent", "number": "reward", "at_most": 1})),
        "parent at 1 step has no reward; it has: clip_score, frechet"
    );
    let of_nothing = json!({"candidate": "parent", "steps": 2, "number": "clip_score", "at_least": 1, "of": {"Candidate": "unified"}});
    let message = failure(of_nothing);
    assert!(message.starts_with("1 of 1 requirements are not met:\nparent at 2 steps: clip_score is "), "{message}");
    assert!(
        message.contains(", and that of unified at 2 steps is 0.0000, of which nothing is a multiple: "),
        "{message}"
    );
    assert!(message.ends_with("; required is at least 1"), "{message}");
}

/// A scorer that is a shell's script.
fn scorer(script: &str) -> Work {
    let params = json!({"program": ["sh", "-c", script], "files": {"digits": "digits"}});
    let work = Work::new("CommandScorer", params).file("digits", &digits_file());
    work.artifact();
    work
}

fn scored_by(scorer: &Work) -> Work {
    let changes = json!({"scores": {"mine": "scores.mine"}, "loras": {}, "steps": [1], "reference_steps": 1});
    eval(changes).input("scores.mine", &scorer.job.output)
}

/// Scores 1, 2, 3, … when pictures, captions and file are there, and the name of its node is not.
const COUNTS: &str = r#"set -e
    echo "printed, which must not be taken for an event"
    [ -s "$FLOW_FILE_DIGITS" ] && [ -z "$LAB_SECRET" ]
    [ "$(ls "$FLOW_IN_PICTURES" | grep -c png)" = "$(grep -c '"text":"a handwritten digit' "$FLOW_IN_PICTURES/metadata.jsonl")" ]
    awk 'BEGIN { printf "[" } { printf "%s%d", (NR > 1 ? "," : ""), NR } END { print "]" }' "$FLOW_IN_PICTURES/metadata.jsonl" \
        > "$FLOW_OUT/scores.json""#;

#[test]
fn a_program_scores_pictures() {
    let scorer = scorer(COUNTS);
    assert_eq!(scorer.files().keys().collect::<Vec<_>>(), ["command.json", "files/digits"]);
    let work = scored_by(&scorer).env("LAB_SECRET", "not for programs");
    let metrics: Metrics = serde_json::from_slice(&work.artifact()["metrics.json"]).unwrap();
    let drawn = metrics.row("teacher", Some(1)).unwrap();
    assert_eq!(drawn.number("mine"), Some(20.5));
    let [low, high] = drawn.intervals["mine"];
    assert!(low < 20.5 && 20.5 < high);
    assert!(metrics.rows[0].number("mine").is_some_and(|mean| mean > 100.0), "real pictures are scored too");
    let left = fs::read_dir(&work.job.scratch).unwrap().count();
    assert_eq!(left, 0, "pictures are not left behind");
}

#[test]
fn a_program_that_fails_is_told() {
    let failure = |script: &str| scored_by(&scorer(script)).failure();
    let message = failure("echo why >&2; exit 3");
    assert_eq!(message, "the scorer `sh`: it ended with exit status: 3; what it printed is in the node's log");
    assert!(failure("true").contains("scores.json: No such file"));
    let message = failure("echo '[1, 2]' > $FLOW_OUT/scores.json");
    assert_eq!(message, "the scorer `sh`: `scores.json` holds 2 numbers, of 359 pictures");
    assert!(failure("echo '[1, NaN]' > $FLOW_OUT/scores.json").contains("expected value"));
}

#[test]
fn a_program_that_ends_with_what_asks_the_node_to_stop_has_not_failed() {
    let ended = scored_by(&scorer("kill -HUP $PPID; exit 129")).run();
    assert_eq!((ended.status.code(), ended.interrupted()), (Some(143), Some(0)), "{ended:#?}");
}

#[test]
fn a_program_ends_when_the_node_is_asked_to() {
    let scorer = scorer("touch \"$FLOW_OUT/began\"; exec sleep 600");
    let work = scored_by(&scorer);
    let worker = work.start();
    let began = work.job.scratch.join("program/out/began");
    while !began.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let ended = worker.signal(Signal::TERM);
    assert_eq!(ended.interrupted(), Some(0), "{ended:#?}");
}
