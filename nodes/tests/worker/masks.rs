//! Masks: which datasets have them, that they lie on their pictures, and that others are as they were.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hyper_flow_diffusion::weights::read_tensors;
use hyper_flow_spec::Level;
use image::{DynamicImage, GrayAlphaImage, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tar::{Builder, Header};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use crate::chain::{digits, digits_file};
use crate::lab::{Files, Work};
use crate::tiny_models::{Family, Tiny};

/// A tensor of one half.
fn half(folder: &Path, file: &str, key: &str) -> Tensor {
    read_tensors(&folder.join(format!("{file}.safetensors")), Kind::Float, Device::Cpu).unwrap().remove(key).unwrap()
}

/// The files of an artifact but its masks.
fn without_masks(mut files: Files) -> Files {
    files.retain(|name, _| !name.ends_with("_masks.safetensors"));
    files
}

#[test]
fn digits_are_masked_by_their_shade() {
    let work = Work::new("Digits", json!({"file": "file", "held_out": 0.2, "masks": 0.5})).file("file", &digits_file());
    let files = work.artifact();
    assert_eq!(files.len(), 6);
    for name in ["train", "held_out"] {
        let pictures = half(&work.job.output, name, "images");
        let masks = half(&work.job.output, &format!("{name}_masks"), "masks");
        assert_eq!(masks.kind(), Kind::Uint8);
        assert_eq!(masks, pictures.gt(127.5).to_kind(Kind::Uint8) * 255);
    }
    let plain = digits().parent().unwrap().join("out");
    for (name, bytes) in without_masks(files) {
        assert!(fs::read(plain.join(&name)).unwrap() == bytes, "{name} is as without masks");
    }
}

/// A disc of a colour, or of glass, in the left half of a picture twice as wide as high.
fn disc(colour: [u8; 3], alpha: u8) -> DynamicImage {
    let inside = |x: u32, y: u32| (x as f64 - 11.5).powi(2) + (y as f64 - 7.5).powi(2) < 36.0;
    let pixel = |x, y| match inside(x, y) {
        true => Rgba([colour[0], colour[1], colour[2], alpha]),
        // What nobody sees must not show.
        false => Rgba([0, 0, 0, 0]),
    };
    RgbaImage::from_fn(32, 16, pixel).into()
}

fn folder(pictures: &[(&str, DynamicImage)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, picture) in pictures {
        picture.save(folder.path().join(name)).unwrap();
        let text = Path::new(name).with_extension("txt");
        fs::write(folder.path().join(&text), text.file_stem().unwrap().as_encoded_bytes()).unwrap();
    }
    folder
}

fn read(folder: &Path, changes: Value) -> Work {
    let mut params = json!({"folder": "folder", "size": 16, "held_out": 0.5, "masks": true});
    params.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    Work::new("ImageFolder", params).file("folder", folder)
}

/// A dataset of two coloured pictures with masks.
pub(crate) fn discs() -> Work {
    let pictures = folder(&[("red.png", disc([255, 0, 0], 255)), ("blue.png", disc([0, 0, 255], 127))]);
    let work = read(pictures.path(), json!({}));
    work.artifact();
    work
}

/// Picture (3, 16, 16) and mask (1, 16, 16) by caption.
fn pairs(folder: &Path) -> BTreeMap<String, (Tensor, Tensor)> {
    let mut all = BTreeMap::new();
    for name in ["train", "held_out"] {
        let (pictures, masks) = (half(folder, name, "images"), half(folder, &format!("{name}_masks"), "masks"));
        for (i, line) in fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap().lines().enumerate() {
            let caption = serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
            all.insert(caption, (pictures.get(i as i64), masks.get(i as i64)));
        }
    }
    all
}

fn at(tensor: &Tensor, y: i64, x: i64) -> Vec<u8> {
    Vec::try_from(tensor.select(1, y).select(1, x).contiguous()).unwrap()
}

#[test]
fn pictures_are_masked_by_their_alpha_and_laid_on_white() {
    let glass = GrayAlphaImage::from_pixel(20, 20, LumaA([100, 51])).into();
    let pictures =
        folder(&[("red.png", disc([255, 0, 0], 255)), ("blue.png", disc([0, 0, 255], 127)), ("glass.png", glass)]);
    let work = read(pictures.path(), json!({}));
    let files = work.artifact();
    let pairs = pairs(&work.job.output);
    // The square is cut out of the middle, 8 pixels to the right, and the mask with it.
    let (red, mask) = &pairs["red"];
    assert_eq!((at(red, 7, 3), at(mask, 7, 3)), (vec![255, 0, 0], vec![255]));
    assert_eq!((at(red, 7, 14), at(mask, 7, 14)), (vec![255, 255, 255], vec![0]));
    assert_eq!((at(red, 7, 0), at(mask, 7, 0)), (vec![255, 0, 0], vec![255]), "the disc is cut");
    let (blue, mask) = &pairs["blue"];
    assert_eq!((at(blue, 7, 3), at(mask, 7, 3)), (vec![128, 128, 255], vec![127]));
    assert_eq!(at(&pairs["glass"].1, 9, 9), [51]);

    let plain = read(pictures.path(), json!({"masks": false}));
    assert_eq!(plain.artifact(), without_masks(files));
}

#[test]
fn a_mask_is_turned_and_scaled_with_its_picture() {
    let high = disc([0, 0, 0], 255).resize_exact(64, 32, image::imageops::FilterType::Triangle).rotate90();
    let pictures = folder(&[("a.png", high), ("b.png", disc([0, 0, 0], 255))]);
    let work = read(pictures.path(), json!({}));
    work.artifact();
    // Black where it is opaque: the mask is the picture's negative, but for what is soft.
    for (caption, (picture, mask)) in pairs(&work.job.output) {
        let negative: Tensor = 255 - picture.get(0).to_kind(Kind::Int64);
        let worst = (negative - mask.get(0).to_kind(Kind::Int64)).abs().max().int64_value(&[]);
        assert!(worst <= 1, "{caption}: {worst}");
    }
}

#[test]
fn pictures_without_an_alpha_channel() {
    let opaque = || RgbImage::from_pixel(16, 16, Rgb([9; 3])).into();
    let mixed = folder(&[("a.png", disc([1, 2, 3], 255)), ("b.png", opaque())]);
    let work = read(mixed.path(), json!({}));
    let ended = work.run();
    let told = ended.succeeded().messages(Level::Warning);
    assert_eq!(told, ["1 pictures have no alpha channel: the whole of each is its mask"]);
    assert_eq!(pairs(&work.job.output)["b"].1.min().int64_value(&[]), 255);
    let none = folder(&[("a.png", opaque()), ("b.png", opaque())]);
    assert_snapshot!(read(none.path(), json!({})).failure(), @"no picture has an alpha channel, which masks are made of; leave `masks` out");
}

#[test]
fn shards_are_masked_as_folders_are() {
    let pictures = folder(&[("red.png", disc([255, 0, 0], 255)), ("blue.png", disc([0, 0, 255], 127))]);
    let as_folder = read(pictures.path(), json!({})).artifact();
    let mut tar = Builder::new(Vec::new());
    for name in ["blue.png", "blue.txt", "red.png", "red.txt"] {
        let content = fs::read(pictures.path().join(name)).unwrap();
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    let shard = pictures.path().join("shard.tar");
    fs::write(&shard, tar.into_inner().unwrap()).unwrap();
    let params = json!({"shards": ["shard"], "size": 16, "held_out": 0.5, "masks": true});
    assert_eq!(Work::new("WebDataset", params).file("shard", &shard).artifact(), as_folder);
}

#[test]
fn latents_have_the_masks_of_their_pictures() {
    let pictures = folder(&[("red.png", disc([255, 0, 0], 255)), ("blue.png", disc([0, 0, 255], 127))]);
    let data = read(pictures.path(), json!({"size": 64}));
    let masks: Files = data.artifact().into_iter().filter(|(name, _)| name.ends_with("_masks.safetensors")).collect();
    let model = Tiny::new(Family::Sd15).folder();
    let encode = |data: &PathBuf| {
        Work::new("EncodeLatents", json!({"model": "model", "data": "data"}))
            .input("model", model.path())
            .input("data", data)
            .artifact()
    };
    let latents = encode(&data.job.output);
    assert_eq!(masks.len(), 2);
    assert!(masks.iter().all(|(name, bytes)| latents[name] == *bytes));
    let plain = read(pictures.path(), json!({"size": 64, "masks": false}));
    plain.artifact();
    assert_eq!(encode(&plain.job.output), without_masks(latents));
}
