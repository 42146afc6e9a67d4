//! How often the host waits for the device in an update: nothing is computed meanwhile.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use super::{is_there, on_device, with};
use crate::golden;

/// What a training of so many steps counted, by the name of the operation.
fn counted(kind: &str, steps: u64) -> BTreeMap<String, i64> {
    let folder = tempfile::tempdir().unwrap();
    let work = on_device(golden::work(kind)).env("STAND_IN_COUNTS", folder.path().to_str().unwrap());
    with(work, &[("steps", json!(steps))]).run().succeeded();
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(file).unwrap();
    let parse = |line: &str| line.split_once(' ').map(|(count, name)| (name.to_owned(), count.parse().unwrap()));
    text.lines().filter_map(parse).collect()
}

/// What four more steps added, of the operations for which the host waits, a step.
fn waits(kind: &str) -> BTreeMap<String, f64> {
    let (few, many) = (counted(kind, 2), counted(kind, 6));
    let added = |name: &String| (many[name] - few.get(name).copied().unwrap_or(0)) as f64 / 4.0;
    many.keys().filter(|name| name.starts_with("wait")).map(|name| (name.clone(), added(name))).collect()
}

#[track_caller]
fn at_most(kind: &str, most: f64) {
    if !is_there() {
        return;
    }
    let waits = waits(kind);
    let all: f64 = waits.values().sum();
    assert!(all <= most, "{kind} waits {all} times an update: {waits:#?}");
    assert!(all >= 1.0, "nothing was counted: {waits:#?}");
}

#[test]
fn an_update_of_a_segment_distillation_waits_four_times_at_most() {
    at_most("SegmentDistill", 4.0);
}

#[test]
fn an_update_of_a_score_distillation_waits_twelve_times_at_most() {
    at_most("ScoreDistill", 12.0);
}
