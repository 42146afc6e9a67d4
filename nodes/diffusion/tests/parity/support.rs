//! What parity tests share: the closed formula of tests/parity/formula.py, the fixtures, and the comparison.

use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};
use tempfile::NamedTempFile;

/// Relative to the largest magnitude of what Python computed. float32 sums in another order differ by about 1e-6 here;
/// a wrong epsilon or activation by 1e-3 and more.
pub(crate) const TOLERANCE: f64 = 1e-4;
/// For what differs by 1.2e-6 at most: it tells a norm's epsilon of 1e-6 from 1e-5, which makes 5e-6 and more.
pub(crate) const SHARP: f64 = 4e-6;

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

/// Panics unless `ours` is `theirs` within [`TOLERANCE`].
pub(crate) fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_within(TOLERANCE, what, ours, theirs);
}

/// Panics unless `ours` is `theirs` within `tolerance`, relative to the largest magnitude in `theirs`.
pub(crate) fn assert_within(tolerance: f64, what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let difference = relative_difference(ours, theirs);
    assert!(difference < tolerance, "{what} differs by {difference:e}");
}

fn relative_difference(ours: &Tensor, theirs: &Tensor) -> f64 {
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
