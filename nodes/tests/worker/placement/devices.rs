//! A GPU that was given and cannot be used is an error that says why, and one without room is told apart.

use hyper_flow_spec::{Device, Event};
use hyper_flow_stand_in::{DEVICE, DRIVER};

use super::{is_there, on_device};
use crate::golden;
use crate::lab::Work;

/// A small job that would compute on a GPU, on a machine like this.
fn given_a_gpu(environment: &[(&'static str, &str)]) -> Work {
    let work = on_device(golden::work("TrainJudge"));
    environment.iter().fold(work, |work, (name, value)| work.env(name, value))
}

#[test]
fn every_fault_of_a_gpu_is_named() {
    if !is_there() {
        return;
    }
    for (environment, expected) in [
        (&[("LD_PRELOAD", "")][..], "the one without CUDA; build anew on this machine with `HYPER_FLOW_CUDA=1 make`"),
        (&[("LD_LIBRARY_PATH", "")], "there is no libcuda.so.1"),
        (&[("STAND_IN_INIT", "100")], "it sees no GPU"),
        (&[("STAND_IN_INIT", "101")], "CUDA_VISIBLE_DEVICES names no GPU"),
        (&[("STAND_IN_INIT", "803")], "of two versions; restart the machine"),
        (&[("STAND_IN_GPUS", "")], "shows this worker no GPU"),
        (&[("STAND_IN_DRIVER", "12040")], "knows CUDA 12.4, and this libtorch needs 13.0"),
        (&[("STAND_IN_GPUS", "NVIDIA GTX 1080:6.1")], "NVIDIA GTX 1080 has compute capability 6.1"),
        (&[("STAND_IN_DEVICES", "0")], "libtorch sees 0 of them"),
    ] {
        let message = given_a_gpu(environment).failure();
        assert!(message.starts_with("it was given a GPU, and GPU 0 of this worker cannot be used: "), "{message}");
        assert!(message.contains(expected) && message.contains("`device: Cpu`"), "{environment:?}: {message}");
    }
}

fn device_of(work: &Work) -> String {
    let device = |event: &Event| if let Event::Started { device, .. } = event { Some(device.clone()) } else { None };
    work.run().succeeded().events.iter().find_map(device).expect("a worker says where it computes")
}

#[test]
fn the_class_is_that_of_the_device_that_is_used() {
    if !is_there() {
        return;
    }
    let gpus = [("STAND_IN_GPUS", "NVIDIA H200:9.0,NVIDIA T4:7.5")];
    assert_eq!(device_of(&given_a_gpu(&gpus)), "cuda:sm_90(NVIDIA H200)x1");
    assert_eq!(device_of(&given_a_gpu(&gpus).with(|job| job.device = Device::Auto)), "cuda:sm_90(NVIDIA H200)x1");
    assert!(device_of(&given_a_gpu(&gpus).with(|job| job.device = Device::Cpu)).starts_with("cpu:"));
}

#[test]
fn a_worker_describes_the_gpus_that_it_can_use() {
    if !is_there() {
        return;
    }
    let described = |gpus: &str| {
        let mut worker = std::process::Command::new(env!("CARGO_BIN_EXE_hyper-flow-worker"));
        worker.arg("describe").env("LD_PRELOAD", DEVICE).env("LD_LIBRARY_PATH", DRIVER).env("STAND_IN_GPUS", gpus);
        let answer: serde_json::Value = serde_json::from_slice(&worker.output().unwrap().stdout).unwrap();
        answer["gpus"].clone()
    };
    assert_eq!(described("NVIDIA H200:9.0,A:8.6"), serde_json::json!(["cuda:sm_90(NVIDIA H200)", "cuda:sm_86(A)"]));
    assert_eq!(described("NVIDIA GTX 1080:6.1"), serde_json::json!([]));
}

#[test]
fn a_gpu_without_room_is_told_apart_with_advice() {
    if !is_there() {
        return;
    }
    let work = on_device(golden::work("SegmentDistill")).env("STAND_IN_MEMORY", "20000");
    let ended = work.run();
    let message = ended.failed();
    assert!(message.starts_with("the GPU has no room for it: CUDA out of memory. Tried to allocate"), "{message}");
    assert!(message.contains("`batch: ") && message.contains("`precision: Bf16`"), "{message}");
    assert!(ended.events.contains(&Event::OutOfMemory {}), "{ended:#?}");
}

#[test]
fn the_most_memory_is_what_libtorch_took() {
    if !is_there() {
        return;
    }
    let gpu = given_a_gpu(&[]).run().memory().gpu;
    assert!(gpu.is_some_and(|bytes| bytes > 10_000), "{gpu:?}");
}
