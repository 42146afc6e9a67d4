//! What a run computed, as a tree of JSON.

use std::collections::BTreeMap;
use std::path::Path;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_spec::Event;
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use crate::lab::{Ended, Work};

/// Weights that nothing depends on, and which are trained to what is rounding alone. A constant that is added to all keys
/// changes no attention, and one that is added to a channel is taken away by the next norm, where each channel is a group.
const FREE: [(&str, &[&str]); 2] = [
    ("", &["k_proj.bias", "to_k.bias"]),
    (
        "TrainVae",
        &[
            "encoder.down_blocks.0.resnets.0.conv1.bias",
            "decoder.up_blocks.1.resnets.0.conv1.bias",
            "decoder.up_blocks.1.resnets.0.conv2.bias",
            "decoder.up_blocks.1.resnets.0.conv_shortcut.bias",
            "decoder.up_blocks.1.resnets.1.conv1.bias",
            "decoder.up_blocks.1.resnets.1.conv2.bias",
        ],
    ),
];

/// A metric below this is of rounding alone, and differs between CPUs.
const ROUNDING: f64 = 1e-6;

/// Losses and metrics as reported, and what the artifact's files hold.
pub(super) fn computed(work: &Work, ended: &Ended) -> Value {
    let metrics = ended.events.iter().filter_map(|event| match event {
        Event::Metric { name, value } => Some((name.clone(), json!(if value.abs() < ROUNDING { 0.0 } else { *value }))),
        _ => None,
    });
    let (files, kind, losses) = (work.files(), &work.job.kind, ended.losses());
    let tensors = |path: &Path| if losses.is_empty() { sketches(path) } else { norms(kind.name(), path) };
    let described =
        files.iter().map(|(name, bytes)| (name.clone(), describe(&work.job.output.join(name), name, bytes, &tensors)));
    json!({
        "version": kind.version(),
        "losses": losses,
        "metrics": metrics.collect::<Map<_, _>>(),
        "moved": if losses.is_empty() { Value::Null } else { moved(&work.checkpoint()) },
        "files": described.collect::<Map<_, _>>(),
    })
}

/// Tensors and pictures by few numbers each, JSON as it is, texts as hashes, but for their numbers where those are computed.
fn describe(path: &Path, name: &str, bytes: &[u8], tensors: &dyn Fn(&Path) -> Value) -> Value {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "safetensors" => tensors(path),
        "png" => json!(length(image::open(path).unwrap().to_rgb8().as_raw().iter().map(|&byte| f64::from(byte)))),
        // Its columns are rounded numbers of metrics.json.
        _ if name == "table.txt" => Value::Null,
        // Of a tokenizer's many words no number is computed.
        "json" if !name.ends_with("vocab.json") => serde_json::from_slice(bytes).unwrap(),
        "md" | "csv" | "svg" => numbers_apart(std::str::from_utf8(bytes).unwrap()),
        _ => hash(bytes),
    }
}

fn flat(path: &Path) -> BTreeMap<String, Tensor> {
    let tensors = read_tensors(path, tch::Kind::Float, Device::Cpu).unwrap();
    tensors.into_iter().map(|(key, x)| (key, x.to_kind(tch::Kind::Double).flatten(0, -1))).collect()
}

fn norm(x: &Tensor) -> f64 {
    x.norm().double_value(&[])
}

/// The L2 norm of each trained tensor.
fn norms(kind: &str, path: &Path) -> Value {
    let pinned = flat(path).into_iter().filter(|(key, _)| !is_free(kind, key));
    pinned.map(|(key, x)| (key, json!(norm(&x)))).collect::<Map<_, _>>().into()
}

/// The norm of each tensor, and its product with a direction of its own: what turns a tensor leaves its norm.
fn sketches(path: &Path) -> Value {
    let sketch = |(key, x): (String, Tensor)| {
        let direction = Rng::at(0, &key, 0).uniform(-1.0, 1.0, &x.size(), (tch::Kind::Double, Device::Cpu));
        (key, json!([norm(&x), x.dot(&direction).double_value(&[])]))
    };
    flat(path).into_iter().map(sketch).collect::<Map<_, _>>().into()
}

/// Where the last checkpoint's parameters are along their gradients' means, and how long those are. Weighted by its
/// gradient, a parameter whose gradient is rounding, and which Adam moves as far as any other, counts for nothing.
fn moved(checkpoint: &Path) -> Value {
    let tensors = flat(checkpoint);
    let mean_of = |key: &str| tensors.get(&format!("{}.exp_avg", key.replacen("/parameter/", "/optimiser/", 1)));
    let trained: Vec<_> = tensors.iter().filter_map(|(key, x)| Some((key, x, mean_of(key)?))).collect();
    let along =
        |(key, x, mean): (&String, &Tensor, &Tensor)| (key.clone(), json!([norm(mean), x.dot(mean).double_value(&[])]));
    trained.into_iter().map(along).collect::<Map<_, _>>().into()
}

fn is_free(kind: &str, key: &str) -> bool {
    let of_kind = FREE.iter().filter(|(of, _)| of.is_empty() || *of == kind);
    of_kind.flat_map(|(_, keys)| *keys).any(|free| key.ends_with(free))
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// A text's numbers, and a hash of what is around them.
fn numbers_apart(text: &str) -> Value {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let (mut around, mut numbers) = (String::new(), Vec::new());
    for part in text.split_inclusive(|c| !is_number(c)) {
        let (number, rest) = part.split_at(part.find(|c| !is_number(c)).unwrap_or(part.len()));
        match number.parse::<f64>() {
            Ok(value) => numbers.push(value),
            Err(_) => around += number,
        }
        around += "#";
        around += rest;
    }
    json!({"text": hash(around.as_bytes()), "numbers": numbers})
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> Value {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    json!(format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)))
}
