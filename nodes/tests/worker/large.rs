//! A dataset that no memory holds.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use hyper_flow_diffusion::weights::RowWriter;
use serde_json::json;
use tch::Kind;

use crate::lab::Work;

const SIDE: i64 = 512;

/// Pictures that are a hole in a file: 786 kB each, and none on the disk.
fn write_half(folder: &Path, name: &str, count: i64) {
    let path = folder.join(format!("{name}.safetensors"));
    // Just the header.
    drop(RowWriter::create(&path, "images", Kind::Uint8, &[count, 3, SIDE, SIDE]).unwrap());
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() + (count * 3 * SIDE * SIDE) as u64).unwrap();
    let mut lines = File::create(folder.join(format!("{name}.jsonl"))).unwrap();
    let captions: String = (0..count).map(|i| format!("{{\"text\":\"picture of kind {}\"}}\n", i % 2)).collect();
    lines.write_all(captions.as_bytes()).unwrap();
}

#[test]
fn a_dataset_larger_than_memory_is_trained_on() {
    let data = tempfile::tempdir().unwrap();
    write_half(data.path(), "train", 200_000);
    write_half(data.path(), "held_out", 3);
    assert!(fs::metadata(data.path().join("train.safetensors")).unwrap().len() > 150_000_000_000);
    let params = json!({"data": "data", "width": 4, "features": 8, "steps": 2, "batch": 2, "min_accuracy": 0.0});
    let work = Work::new("TrainJudge", params).input("data", data.path());
    assert_eq!(work.run().succeeded().steps(), [1, 2]);
}
