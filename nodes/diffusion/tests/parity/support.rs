//! What parity tests share: the closed formula of tests/parity/formula.py, the fixtures, and the comparison.

#[path = "spread.rs"]
mod spread;

use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};
use tempfile::NamedTempFile;

/// Relative to the largest magnitude of what Python computed. float32 sums in another order differ by about 1e-6 here;
/// a wrong epsilon or activation by 1e-3 and more.
pub(crate) const TOLERANCE: f64 = 1e-4;
/// In float64 nothing but the fixture's float32 is rounded, by 6e-8; a norm's epsilon of 1e-5 for 1e-6 makes 2e-6.
const FP64: f64 = 1e-6;
/// Of one tensor's gradient, and of all together, in float32: gradients that nearly cancel keep few of its digits. Between
/// PyTorch's own float32 and float64, the worst tensor of the small UNets differs by 6.7e-4 of its length and all together
/// by 2.9e-4 (SD2.1's; the others by 7e-5 and less).
const FP32_GRADIENT: (f64, f64) = (2e-3, 4e-4);

/// The directory of fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/fixtures")
}

/// The `config.json` of one of the small UNets.
pub(crate) fn config(model: &str) -> NamedTempFile {
    config_file(&described(model))
}

/// The `config` of a described model, as a file.
pub(crate) fn config_file(described: &serde_json::Value) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), described["config"].to_string()).unwrap();
    file
}

/// What the fixture of a small UNet says of it: `config` and `keys`.
pub(crate) fn described(model: &str) -> serde_json::Value {
    fixture_json(&format!("unet_{model}"))
}

/// A fixture that is JSON.
pub(crate) fn fixture_json(name: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(fixtures().join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The formula's weight for a key.
pub(crate) fn weight(key: &str, shape: &[i64]) -> Tensor {
    match shape {
        [_] if key.ends_with("weight") => scaled(key, shape, 0.2, 1.0),
        [_] => scaled(key, shape, 0.2, 0.0),
        _ => scaled(key, shape, (3.0 / shape[1..].iter().product::<i64>() as f64).sqrt(), 0.0),
    }
}

/// The formula's weight for the half `part` ("down" or "up") of an adapter of the module at `path`.
pub(crate) fn lora_weight(path: &str, part: &str, shape: &[i64]) -> Tensor {
    weight(&format!("lora.{path}.{part}"), shape)
}

/// The formula's input of unit variance.
pub(crate) fn input(key: &str, shape: &[i64]) -> Tensor {
    scaled(key, shape, 3f64.sqrt(), 0.0)
}

/// Sets every variable by the formula, under its own name.
pub(crate) fn fill(vs: &tch::nn::VarStore) {
    for (name, mut variable) in vs.variables() {
        let value = weight(&name, &variable.size());
        tch::no_grad(|| variable.copy_(&value));
    }
}

/// Panics unless `ours` is `theirs` within [`TOLERANCE`], or [`FP64`] if it is of that dtype.
pub(crate) fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor) {
    let tolerance = if ours.kind() == Kind::Double { FP64 } else { TOLERANCE };
    assert_within(tolerance, what, ours, theirs);
}

/// Panics unless `ours` is `theirs` within `tolerance`, relative to the largest magnitude in `theirs`.
pub(crate) fn assert_within(tolerance: f64, what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let difference = relative_difference(ours, theirs);
    spread::note(what, difference, tolerance);
    assert!(difference < tolerance, "{what} differs by {difference:e}");
}

/// The norm and three products of a tensor, as in tests/parity/unet.py.
pub(crate) fn sketch(name: &str, tensor: &Tensor) -> Tensor {
    let flat = tensor.to_kind(Kind::Double).flatten(0, -1);
    let probe = |i| input(&format!("{name}.probe.{i}"), &flat.size()).to_kind(Kind::Double);
    let products = (0..3).map(|i| flat.dot(&probe(i)));
    Tensor::stack(&std::iter::once(flat.norm()).chain(products).collect::<Vec<_>>(), 0)
}

/// Panics unless each gradient has its sketch in `theirs`, in their order.
pub(crate) fn assert_gradients(gradients: &[(String, Tensor)], theirs: &Tensor) {
    let ours: Vec<_> = gradients.iter().map(|(name, gradient)| sketch(name, gradient)).collect();
    let double = gradients.iter().all(|(_, gradient)| gradient.kind() == Kind::Double);
    let (each, all) = if double { (FP64, FP64) } else { FP32_GRADIENT };
    assert_within(all, "all gradients", &Tensor::stack(&ours, 0), theirs);
    for (i, (name, _)) in gradients.iter().enumerate() {
        assert_within(each, name, &ours[i], &theirs.get(i as i64));
    }
}

pub(crate) fn relative_difference(ours: &Tensor, theirs: &Tensor) -> f64 {
    let [ours, theirs] = [ours, theirs].map(|t| t.detach().to_kind(Kind::Double));
    let largest = theirs.abs().max().double_value(&[]);
    // Not a number is not below anything, so it fails too.
    (&ours - &theirs).abs().max().double_value(&[]) / largest
}

fn scaled(key: &str, shape: &[i64], scale: f64, shift: f64) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    let values: Vec<f32> = unit(key).take(count).map(|u| (u * scale + shift) as f32).collect();
    Tensor::from_slice(&values).reshape(shape)
}

fn unit(key: &str) -> impl Iterator<Item = f64> {
    let step = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let mut state = key.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
}
