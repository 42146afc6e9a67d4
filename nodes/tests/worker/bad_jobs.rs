//! Jobs that the worker cannot run at all.

use hyper_flow_spec::{Device, PROTOCOL};
use insta::assert_snapshot;
use serde_json::json;

use crate::chain::train_judge;
use crate::lab::Work;

/// The message for a job file of other content, without what varies with the fields that there are.
fn refused(content: &str) -> String {
    let message = Work::raw(content).failed();
    let message = message.split_once(", expected one of").map_or(message.as_str(), |(start, _)| start);
    let message = message.split_once(" at line 1 column").map_or(message, |(start, _)| start);
    message.split_once("/job.json").map_or_else(|| message.to_owned(), |(_, rest)| format!("<job>{rest}"))
}

fn changed(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut job = train_judge(json!({"steps": 1})).json();
    change(&mut job);
    refused(&job.to_string())
}

#[test]
fn a_kind_that_this_worker_does_not_know() {
    assert_snapshot!(changed(|job| job["kind"] = json!({"TrainJuge": {"data": "data", "steps": 1}})), @"<job>: unknown variant `TrainJuge`");
}

#[test]
fn parameters_that_are_wrong() {
    assert_snapshot!(changed(|job| job["kind"]["TrainJudge"]["steps"] = json!(0)), @"<job>: must be at least 1, not 0");
    assert_snapshot!(changed(|job| job["kind"]["TrainJudge"]["stesp"] = json!(1)), @"<job>: unknown field `stesp`");
}

#[test]
fn another_protocol() {
    assert_snapshot!(changed(|job| job["protocol"] = json!(PROTOCOL + 1)), @"<job>: the job speaks protocol 2, this worker 1; build both from one version");
    // Another protocol means other fields: that they are unknown is not what the user needs to hear.
    let message = changed(|job| {
        job["protocol"] = json!(PROTOCOL + 1);
        job["world_size"] = json!(2);
    });
    assert!(message.contains(&format!("protocol {}", PROTOCOL + 1)), "{message}");
}

#[test]
fn a_job_file_that_is_none() {
    assert_snapshot!(refused(""), @"<job>: EOF while parsing a value");
    assert_snapshot!(refused("{\"protocol\": 1"), @"<job>: EOF while parsing an object");
}

#[test]
fn a_port_that_nothing_fills() {
    assert_snapshot!(changed(|job| job["inputs"] = json!({})), @"the job has no input for port data; engine and worker disagree, build both from one version");
}

#[test]
fn a_command_is_not_for_the_worker() {
    assert_snapshot!(changed(|job| job["kind"] = json!({"Command": {"program": ["true"]}})), @"a `Command` is run by the engine, not by the worker");
}

#[test]
fn a_gpu_that_is_not_there() {
    let message = train_judge(json!({"steps": 1})).with(|job| job.device = Device::Cuda(77)).failure();
    assert!(message.starts_with("it was given a GPU, and GPU 77 of this worker cannot be used: "), "{message}");
    assert!(message.ends_with("`device: Cpu` in `settings`, or `--gpus 0`"), "{message}");
}
