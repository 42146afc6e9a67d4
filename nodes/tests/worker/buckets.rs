//! Pictures of several shapes: how they are read in, and every training on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_spec::Level;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use crate::chain::{
    eval, export, finetune_lora, ode_pairs, over, reward_finetune, score_distill, segment_distill, train_clip,
    train_judge, train_teacher, train_vae,
};
use crate::lab::Work;
use crate::tiny_models::{CAPTIONS, Family, Tiny};

/// Widths first; all of about one area.
pub(crate) const SIZES: [[u32; 2]; 5] = [[64, 64], [96, 48], [48, 96], [80, 56], [56, 80]];
/// The folder's pictures: as many of each shape, none of them just one of the sizes.
const SHAPES: [[u32; 2]; 5] = [[130, 133], [200, 99], [100, 202], [145, 100], [90, 130]];
const EACH: usize = 3;

/// A disc in the middle, as wide as half of the shorter side.
fn disc(shape: [u32; 2], shade: u8) -> RgbImage {
    let [width, height] = shape.map(f64::from);
    let radius = width.min(height) / 4.0;
    RgbImage::from_fn(shape[0], shape[1], |x, y| {
        let (dx, dy) = (f64::from(x) + 0.5 - width / 2.0, f64::from(y) + 0.5 - height / 2.0);
        if dx.hypot(dy) < radius { Rgb([0, 0, 0]) } else { Rgb([shade, 255, 255]) }
    })
}

fn folder(channels: i64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (i, shape) in (0..EACH).flat_map(|_| SHAPES).enumerate() {
        let picture = disc(shape, 200 + i as u8);
        let path = folder.path().join(format!("{i:02}.png"));
        match channels {
            1 => image::DynamicImage::from(picture).to_luma8().save(&path).unwrap(),
            _ => picture.save(&path).unwrap(),
        }
        fs::write(path.with_extension("txt"), CAPTIONS[i % CAPTIONS.len()]).unwrap();
    }
    folder
}

fn image_folder(sizes: &[[u32; 2]], changes: Value) -> (TempDir, Work) {
    let folder = folder(changes.get("channels").map_or(3, |channels| channels.as_i64().unwrap()));
    let base = json!({"folder": "folder", "buckets": sizes, "held_out": 0.2});
    let work = Work::new("ImageFolder", over(base, changes)).file("folder", folder.path());
    (folder, work)
}

fn made(work: (TempDir, Work)) -> (TempDir, PathBuf) {
    work.1.run().succeeded();
    work.1.into_artifact()
}

fn lines(folder: &Path, half: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(format!("{half}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rows(folder: &Path, file: &str, key: &str) -> Tensor {
    let path = folder.join(format!("{file}.safetensors"));
    read_tensors(&path, Kind::Float, Device::Cpu).unwrap().remove(key).unwrap()
}

#[test]
fn nothing_is_stretched_and_little_cut_off() {
    let (_made, dataset) = made(image_folder(&SIZES, json!({})));
    let mut seen = Vec::new();
    for half in ["train", "held_out"] {
        let mut next = std::collections::BTreeMap::<String, i64>::new();
        for line in lines(&dataset, half) {
            let [size, original, crop] = ["size", "original", "crop"].map(|field| {
                let of = &line["framing"][field];
                [0, 1].map(|side| of[side].as_i64().unwrap())
            });
            let shape = SHAPES.iter().position(|shape| shape.map(i64::from) == original).unwrap();
            assert_eq!(size, SIZES[shape].map(i64::from), "the size that is nearest to {original:?}");
            let file = format!("{half}.{}x{}", size[0], size[1]);
            let row = next.entry(file.clone()).or_default();
            let picture = rows(&dataset, &file, "images").get(*row);
            *row += 1;
            assert_eq!(picture.size(), [3, size[1], size[0]]);
            // The disc is as wide as it is high, half of the shorter side, and in the middle.
            let dark = picture.select(0, 1).lt(128.0);
            let extent = |dim: i64| {
                let any = Vec::<bool>::try_from(dark.any_dim(dim, false)).unwrap();
                let first = any.iter().position(|dark| *dark).unwrap();
                (first as i64, any.iter().rposition(|dark| *dark).unwrap() as i64 + 1)
            };
            let ((top, bottom), (left, right)) = (extent(1), extent(0));
            assert!(((bottom - top) - (right - left)).abs() <= 1, "{original:?}: {left}..{right} × {top}..{bottom}");
            assert!((top + bottom - size[1]).abs() <= 1 && (left + right - size[0]).abs() <= 1);
            let scale = size[0] as f64 / original[0] as f64;
            let scale = scale.max(size[1] as f64 / original[1] as f64);
            let expected = *original.iter().min().unwrap() as f64 / 2.0 * scale;
            assert!(((right - left) as f64 - expected).abs() <= 1.5, "{} and {expected}", right - left);
            // Of the scaled picture as much lies left and above as right and below.
            for side in 0..2 {
                let spare = original[side] as f64 * scale - size[side] as f64;
                assert!((crop[side] as f64 * 2.0 - spare).abs() <= 2.0, "{crop:?} of {original:?} scaled by {scale}");
            }
            seen.push(shape);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..5).flat_map(|shape| [shape; EACH]).collect::<Vec<_>>());
}

#[test]
fn what_would_be_enlarged_is_left_out_and_named() {
    let (_folder, work) = image_folder(&[[110, 110], [160, 80]], json!({"no_upscale": true}));
    let ended = work.run();
    let told = ended.succeeded().messages(Level::Warning).join("\n");
    // Of 130×133 and 200×99 the one covers a square, the other the wide size; 100×202, 145×100 and 90×130 neither.
    assert!(told.contains("9 smaller than every size that is wanted (`no_upscale`): 02.png, 03.png, 04.png"), "{told}");
    let sizes: Vec<Value> = ["train", "held_out"]
        .iter()
        .flat_map(|half| lines(&work.job.output, half))
        .map(|line| line["framing"]["size"].clone())
        .collect();
    assert_eq!(sizes.iter().filter(|size| **size == json!([110, 110])).count(), EACH);
    assert_eq!(sizes.iter().filter(|size| **size == json!([160, 80])).count(), EACH);
}

#[test]
fn repeats_and_mirrors_are_of_the_training_half() {
    let (folder, work) = image_folder(&[], json!({"size": 16, "flip": true, "repeats": [["few", 3]]}));
    fs::create_dir(folder.path().join("few")).unwrap();
    for name in ["00.png", "00.txt", "01.png", "01.txt"] {
        fs::rename(folder.path().join(name), folder.path().join("few").join(name)).unwrap();
    }
    work.run().succeeded();
    let train = lines(&work.job.output, "train");
    assert!(train.iter().all(|line| line["flip"] == json!(true) && line.get("framing").is_none()), "{train:?}");
    let held_out = lines(&work.job.output, "held_out");
    assert!(held_out.iter().all(|line| line.as_object().unwrap().len() == 1), "{held_out:?}");
    assert!(train.iter().any(|line| line["repeats"] == json!(3)), "{train:?}");
    assert!(train.iter().filter(|line| line.get("repeats").is_some()).count() <= 2, "{train:?}");
    let (_folder, work) = image_folder(&[], json!({"size": 16, "repeats": [["many", 3]]}));
    assert!(work.failure().starts_with("no picture lies in `many`, which `repeats` names"), "{}", work.failure());
}

/// SDXL in small, and the latents of the folder's pictures.
fn sdxl() -> &'static (TempDir, PathBuf) {
    static MADE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        Tiny::new(Family::Sdxl).write(&model);
        (folder, model)
    });
    &MADE
}

fn encoded() -> &'static Path {
    static MADE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let (_made, dataset) = made(image_folder(&SIZES, json!({"flip": true})));
        let work = Work::new("EncodeLatents", json!({"model": "model", "data": "data", "batch": 3}));
        let work = work.input("model", &sdxl().1).input("data", &dataset);
        work.run().succeeded();
        work.into_artifact()
    });
    &MADE.1
}

/// On SDXL in small and latents of five sizes.
pub(crate) fn on_buckets(work: Work) -> Work {
    work.input("teacher", &sdxl().1).input("data", encoded())
}

#[test]
fn latents_are_of_every_size_and_of_mirrored_pictures() {
    let folder = encoded();
    let train = lines(folder, "train");
    assert_eq!((train.len(), lines(folder, "held_out").len()), (24, 3), "each picture of the training half twice");
    assert!(train.iter().all(|line| line.get("flip").is_none()));
    let about: Value = serde_json::from_slice(&fs::read(folder.join("latents.json")).unwrap()).unwrap();
    assert!(about.get("side").is_none(), "{about}");
    let mut count = 0;
    for [width, height] in SIZES {
        let path = folder.join(format!("train.{width}x{height}.safetensors"));
        if path.exists() {
            let latents = rows(folder, &format!("train.{width}x{height}"), "latents");
            assert_eq!(latents.size()[1..], [4, i64::from(height) / 8, i64::from(width) / 8]);
            count += latents.size()[0];
        }
    }
    assert_eq!(count, 24);
}

#[test]
fn every_training_kind_takes_latents_of_several_sizes() {
    let small = json!({"steps": 3, "batch": 2, "accumulate": 2});
    let reward = json!({"Brightness": {"weight": 1.0, "threshold": 1.0}});
    let student = on_buckets(segment_distill(small.clone()));
    student.run().succeeded();
    let (_student, lora) = student.into_artifact();
    let works = [
        on_buckets(score_distill(small.clone())),
        on_buckets(reward_finetune(over(small.clone(), json!({"rewards": [reward]})))).input("student", &lora),
        finetune_lora(small.clone()).input("model", &sdxl().1).input("data", encoded()),
    ];
    for work in works {
        let kind = work.job.kind.name();
        let ended = work.run();
        assert_eq!(ended.succeeded().steps(), [1, 2, 3], "{kind}");
    }
    // What they yield is what other programs load: read back and compared.
    export(json!({"formats": ["Kohya", "Diffusers"]})).input("model", &sdxl().1).input("lora", &lora).run().succeeded();
}

#[test]
fn models_of_pixels_are_trained_on_several_sizes() {
    let sizes = [[8, 8], [16, 8], [8, 16]];
    let (_made, data) = made(image_folder(&sizes, json!({"channels": 1})));
    let small = json!({"steps": 3, "batch": 2});
    let works = [
        train_teacher(small.clone()).input("data", &data).input("text", crate::chain::clip()),
        train_vae(small.clone()).input("data", &data),
        train_judge(small.clone()).input("data", &data),
        segment_distill(small.clone()).input("data", &data),
        score_distill(small.clone()).input("data", &data),
    ];
    for work in works {
        let kind = work.job.kind.name();
        assert_eq!(work.run().succeeded().steps(), [1, 2, 3], "{kind}");
    }
}

#[test]
fn what_takes_one_size_says_so() {
    let (_made, data) = made(image_folder(&[[8, 8], [16, 8]], json!({"channels": 1})));
    for work in [train_clip(json!({"steps": 1})), eval(json!({}))] {
        let message = work.input("data", &data).failure();
        assert!(message.starts_with("the pictures are of 2 sizes (8×8, 16×8), and this takes one"), "{message}");
    }
    let message = ode_pairs(json!({})).input("data", &data).failure();
    assert!(message.starts_with("pairs are of one size, and the data of 2"), "{message}");
    let (_made, wide) = made(image_folder(&[[16, 8]], json!({"channels": 1})));
    let message = train_clip(json!({"steps": 1})).input("data", &wide).failure();
    assert_eq!(message, "this CLIP sees squares, and the pictures are of 16×8 pixels; give it squares");
}

#[test]
fn pictures_that_are_no_squares_are_drawn() {
    let work = crate::chain::sample(json!({"size": [24, 16], "count": 1, "steps": 1}));
    work.run().succeeded();
    let picture = image::open(work.job.output.join("0000.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (24, 16));
    let (_made, wide) = made(image_folder(&[[16, 8]], json!({"channels": 1, "held_out": 0.5})));
    let ended = eval(json!({"samples": 12, "judge": null})).input("data", &wide).run();
    ended.succeeded();
}
