//! `LoraMerge`: the sum of what the LoRAs add to each weight.

use std::collections::BTreeMap;
use std::path::Path;

use hyper_flow_diffusion::lora::{Lora, read_kohya_flat};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::chain::{delta, lora_merge, tscd};

fn read(artifact: &Path) -> Lora {
    read_kohya_flat(&artifact.join("lora.safetensors"), Device::Cpu).unwrap()
}

fn norm(x: &Tensor) -> f64 {
    x.to_kind(Kind::Double).norm().double_value(&[])
}

/// The relative distance of a LoRA to `tscd` + 0.5 · `delta`, over all modules together.
fn distance_to_sum(lora: &Lora) -> f64 {
    let (base, delta) = (read(tscd()), read(delta()));
    let (mut lost, mut all) = (0.0, 0.0);
    for path in base.layers.keys() {
        let sum = base.delta(path).unwrap() + delta.delta(path).unwrap() * 0.5;
        lost += norm(&(lora.delta(path).unwrap() - &sum)).powi(2);
        all += norm(&sum).powi(2);
    }
    (lost / all).sqrt()
}

const WEIGHTED: [(&str, f64); 2] = [("loras.0.0", 1.0), ("loras.1.0", 0.5)];

#[test]
fn without_a_rank_nothing_is_lost() {
    let work = lora_merge(json!({"loras": WEIGHTED}));
    assert_eq!(work.artifact().keys().collect::<Vec<_>>(), ["lora.safetensors"]);
    let merged = read(&work.job.output);
    assert_eq!(merged.rank(), 4);
    assert_eq!(merged.layers.len(), read(tscd()).layers.len());
    let lost = distance_to_sum(&merged);
    assert!(lost < 1e-6, "{lost:e}");
}

#[test]
fn what_a_rank_cuts_off_is_reported() {
    let work = lora_merge(json!({"loras": WEIGHTED, "rank": 2}));
    let ended = work.run();
    let (total, worst) = (ended.succeeded().metric("truncation_error"), ended.metric("worst_truncation_error"));
    let merged = read(&work.job.output);
    assert_eq!(merged.rank(), 2);
    let lost = distance_to_sum(&merged);
    assert!((lost - total).abs() < 1e-5, "{lost} is lost and {total} reported");
    assert!(0.0 < total && total <= worst && worst < 1.0, "{total}, {worst}");
    let report: Value = serde_json::from_slice(&work.files()["truncation.json"]).unwrap();
    let modules: BTreeMap<String, f64> = serde_json::from_value(report["modules"].clone()).unwrap();
    assert_eq!((&report["rank"], &report["error"]), (&json!(2), &json!(total)));
    assert_eq!(modules.keys().collect::<Vec<_>>(), merged.layers.keys().collect::<Vec<_>>());
    assert_eq!(modules.values().copied().fold(0.0, f64::max), worst);
}

#[test]
fn a_rank_that_holds_everything_loses_nothing() {
    let work = lora_merge(json!({"loras": WEIGHTED, "rank": 4}));
    let lost = work.run().succeeded().metric("truncation_error");
    assert!(lost < 1e-6, "{lost:e}");
    assert!(distance_to_sum(&read(&work.job.output)) < 1e-6);
}
