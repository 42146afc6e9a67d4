//! What jobs read that no kind here makes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use image::RgbImage;
use serde_json::json;
use tch::{Device, Tensor};
use tempfile::TempDir;

use hyper_flow_diffusion::weights::write_tensors;

use super::formula::{by_formula, weight};
use crate::chain::{digits_file, masked_digits, shard_file};
use crate::tiny_models::{Family, Tiny};

/// A model of the digits' latents.
pub(super) const LATENT_MODEL: &str = "latent model";
/// The teacher with other weights.
pub(super) const TUNED: &str = "tuned";
/// Digits with masks.
pub(super) const MASKED: &str = "masked digits";
/// What was measured, of round numbers.
pub(super) const MEASURED: &str = "measured";
/// The same, twice.
pub(super) const REPEATS: [&str; 2] = ["first", "second"];

/// What is made here under a name, weights set by the formula.
pub(super) fn artifact(name: &str) -> Option<&'static Path> {
    static LATENT: LazyLock<TempDir> =
        LazyLock::new(|| by_formula(LATENT_MODEL, Tiny::of_digits(Family::Sdxl).folder().path()));
    static DIGITS: LazyLock<TempDir> = LazyLock::new(|| by_formula(MASKED, masked_digits()));
    static ONE: LazyLock<TempDir> = LazyLock::new(measured);
    static TWO: LazyLock<[TempDir; 2]> = LazyLock::new(|| [repeat([9.0, 8.5]), repeat([9.5, 8.75])]);
    static OTHER: LazyLock<TempDir> = LazyLock::new(|| by_formula(TUNED, super::made("TrainTeacher").artifact.path()));
    let folder = match name {
        TUNED => &OTHER,
        LATENT_MODEL => &LATENT,
        MASKED => &DIGITS,
        MEASURED => &ONE,
        _ => return REPEATS.iter().position(|repeat| *repeat == name).map(|place| TWO[place].path()),
    };
    Some(folder.path())
}

/// The files that jobs may read, by their ports.
pub(super) fn files() -> [(&'static str, PathBuf); 5] {
    static DRAWN: LazyLock<TempDir> = LazyLock::new(|| {
        let all = tempfile::tempdir().unwrap();
        let at = |name: &str| all.path().join(name);
        draw_pictures(&at("folder"));
        pack(&at("folder"), &at("drawn"));
        write_head(&at("model.head"));
        all
    });
    let drawn = ["folder", "drawn", "model.head"].map(|port| (port, DRAWN.path().join(port)));
    let [folder, shard, head] = drawn;
    [("file", digits_file()), ("shard", shard_file()), folder, shard, head]
}

/// A shard of a folder's files. What belongs together is side by side.
fn pack(folder: &Path, shard: &Path) {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let mut shard = tar::Builder::new(File::create(shard).unwrap());
    names.iter().for_each(|name| shard.append_path_with_name(folder.join(name), name).unwrap());
    shard.finish().unwrap();
}

/// Three pictures of other sizes and shapes than they are read in.
fn draw_pictures(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for (i, (width, height)) in [(9, 12), (16, 8), (8, 8)].into_iter().enumerate() {
        let pixel = |x: u32, y: u32| image::Rgb([(x * 20) as u8, (y * 20) as u8, (x * y) as u8]);
        RgbImage::from_fn(width, height, pixel).save(folder.join(format!("{i}.png"))).unwrap();
        fs::write(folder.join(format!("{i}.txt")), format!("picture {i}")).unwrap();
    }
}

fn measured() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |candidate: &str, steps: i64, frechet: f64| {
        let intervals = json!({"frechet": [frechet - 0.5, frechet + 0.5]});
        json!({"candidate": candidate, "steps": steps, "frechet": frechet, "accuracy": 0.75, "intervals": intervals})
    };
    let rows = [row("tscd", 1, 4.0), row("tscd", 2, 2.0), row("parent", 1, 4.0), row("parent", 2, 2.5)];
    fs::write(folder.path().join("metrics.json"), json!({"rows": rows}).to_string()).unwrap();
    folder
}

/// The head of an aesthetic predictor for a CLIP of 8 dimensions.
fn write_head(path: &Path) {
    let layers = [(0, 1024, 8), (2, 128, 1024), (4, 64, 128), (6, 16, 64), (7, 1, 16)];
    let empty = |size: &[i64]| Tensor::zeros(size, (tch::Kind::Float, Device::Cpu));
    let layer = |(place, out, inner): (i64, i64, i64)| {
        let named = |name: &str, size: &[i64]| {
            let key = format!("layers.{place}.{name}");
            let value = weight("head", &key, &empty(size));
            (key, value)
        };
        [named("weight", &[out, inner]), named("bias", &[out])]
    };
    write_tensors(path, &layers.into_iter().flat_map(layer).collect(), None).unwrap();
}

fn repeat(numbers: [f64; 2]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |name: &str, frechet: f64| json!({"candidate": name, "steps": 2, "frechet": frechet});
    let rows = json!({"rows": [row("tcd", numbers[0]), row("tscd", numbers[1])]});
    fs::write(folder.path().join("metrics.json"), rows.to_string()).unwrap();
    folder
}
