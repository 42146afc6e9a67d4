//! LoRAs with parts for text encoders: carried, applied where captions are encoded, told where they are not.

use std::path::Path;

use hyper_flow_diffusion::TextEncoders;
use hyper_flow_diffusion::lora::{Lora, LoraTarget, TextTower, read_kohya, read_lora, write_kohya};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{WeightFile, read_tensors, write_tensors};
use hyper_flow_spec::Level;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor, nn};
use tempfile::TempDir;

use crate::chain::{digits, eval, export, finetune_lora, lora_merge, over, sample, teacher, tscd};
use crate::lab::{Work, assert_same};
use crate::tiny_models::{Family, Tiny};

const FILE: &str = "lora.safetensors";
const DIFFUSERS_FILE: &str = "pytorch_lora_weights.safetensors";

/// A LoRA for a model's text encoders that changes what they give.
fn text_lora(model: &Path) -> Lora {
    let mut lora = Lora::new(&TextEncoders::lora_modules(model).unwrap(), 2, 3.0, 0).0.requires_grad(false);
    for (path, layer) in &mut lora.layers {
        layer.up = Rng::at(1, path, 0).randn(&layer.up.size(), (Kind::Float, Device::Cpu)) * 0.5;
    }
    lora
}

/// An artifact with the LoRA of `from`, if any, and one for the model's text encoders.
fn with_text(model: &Path, modules: &[LoraTarget], from: Option<&Path>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut lora = text_lora(model);
    if let Some(from) = from {
        lora.layers.extend(read_kohya(&from.join(FILE), modules, Device::Cpu).unwrap().layers);
    }
    write_kohya(&lora, &folder.path().join(FILE)).unwrap();
    folder
}

fn of_teacher() -> TempDir {
    with_text(teacher(), &teacher_modules(), Some(tscd()))
}

fn teacher_modules() -> Vec<LoraTarget> {
    let config = UNet2DConditionConfig::read(&teacher().join("unet/config.json")).unwrap();
    let vs = nn::VarStore::new(Device::Cpu);
    UNet2DConditionModel::new(&vs, &config).unwrap().modules().to_vec()
}

fn all_modules() -> Vec<LoraTarget> {
    [teacher_modules(), TextEncoders::lora_modules(teacher()).unwrap()].concat()
}

fn read(folder: &Path) -> Lora {
    read_kohya(&folder.join(FILE), &all_modules(), Device::Cpu).unwrap()
}

fn fuse(model: &Path, lora: &Path) -> Work {
    let work = Work::new("LoraFuse", json!({"model": "model", "loras": [["loras.0.0", 1.0]]}));
    let work = work.input("model", model).input("loras.0.0", lora);
    work.artifact();
    work
}

fn close(ours: &Lora, expected: &Lora, weight: f64) {
    assert!(ours.layers.keys().eq(expected.layers.keys()));
    for (path, layer) in &ours.layers {
        let expected = expected.delta(path).unwrap() * weight;
        let off = (layer.delta() - &expected).norm().double_value(&[]) / expected.norm().double_value(&[]);
        assert!(off < 1e-5, "{path} is off by {off}");
    }
}

fn pixels(folder: &Path) -> Vec<u8> {
    image::open(folder.join("grid.png")).unwrap().to_rgb8().into_raw()
}

fn apart(a: &[u8], b: &[u8]) -> u8 {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn they_come_in_are_merged_and_go_out() {
    let lora = of_teacher();
    let own = read(lora.path());
    assert_eq!(own.text(TextTower::Only).layers.len(), own.text_modules());
    let pretrained = |changes| {
        Work::new("PretrainedLora", over(json!({"model": "model", "path": "path"}), changes))
            .input("model", teacher())
            .file("path", &lora.path().join(FILE))
    };
    let work = pretrained(json!({}));
    assert_eq!(work.run().succeeded().messages(Level::Warning), Vec::<String>::new());
    close(&read(&work.job.output), &own, 1.0);
    assert_eq!(work.files()[FILE], std::fs::read(lora.path().join(FILE)).unwrap());
    let dropped = pretrained(json!({"text": "Drop"}));
    let ended = dropped.run();
    let told =
        format!("left out: {} modules of text encoders; what is left may draw something else", own.text_modules());
    assert_eq!(ended.succeeded().messages(Level::Warning), [told]);
    assert_eq!(dropped.files()[FILE], std::fs::read(tscd().join(FILE)).unwrap());

    let merged = lora_merge(json!({"loras": [["loras.0.0", 0.5], ["loras.1.0", 0.25]]}));
    let merged = merged.input("loras.0.0", lora.path()).input("loras.1.0", &work.job.output);
    merged.artifact();
    close(&read(&merged.job.output), &own, 0.75);

    let exported = export(json!({})).input("lora", lora.path());
    let ended = exported.run();
    for name in ["kohya_error", "diffusers_error"] {
        assert!(ended.succeeded().metric(name) < 1e-6, "{name}");
    }
    close(&read(&exported.job.output), &own, 1.0);
    let diffusers = exported.job.output.join(DIFFUSERS_FILE);
    close(&read_lora(&diffusers, &all_modules(), None, Device::Cpu).unwrap(), &own, 1.0);
    let file = WeightFile::open(&exported.job.output.join(FILE)).unwrap();
    let alphas = file.keys().filter(|key| key.starts_with("lora_te_") && key.ends_with(".alpha")).count();
    assert_eq!(alphas, own.text_modules());
}

#[test]
fn a_converted_one_keeps_them() {
    let lora = of_teacher();
    let path = lora.path().join(FILE);
    let mut tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    // A DoRA whose magnitudes are those of the weight that it changes: rows of W + ΔW get the lengths of W's.
    let module = "text_encoder.text_model.encoder.layers.0.mlp.fc1";
    let encoders = TextEncoders::load(teacher(), Kind::Float, Device::Cpu).unwrap();
    let weight = encoders.weight(module).unwrap();
    let lengths = |x: &Tensor| x.square().sum_dim_intlist(1, true, Kind::Double).sqrt();
    let delta = read(lora.path()).delta(module).unwrap().to_kind(Kind::Double);
    let changed = &weight + delta;
    let expected = &changed * (lengths(&weight) / lengths(&changed)) - &weight;
    let key = "lora_te_text_model_encoder_layers_0_mlp_fc1.dora_scale";
    tensors.insert(key.into(), lengths(&weight).to_kind(Kind::Float));
    write_tensors(&path, &tensors, None).unwrap();
    let work = Work::new("PretrainedLora", json!({"model": "model", "path": "path", "convert": {"Svd": 64}}))
        .input("model", teacher())
        .file("path", &path);
    let ended = work.run();
    assert!(ended.succeeded().metric("conversion_error") < 1e-6);
    let ours = read(&work.job.output).delta(module).unwrap().to_kind(Kind::Double);
    let off = (ours - &expected).norm().double_value(&[]) / expected.norm().double_value(&[]);
    assert!(off < 1e-5, "{off}");
    let report: Value = serde_json::from_slice(&work.files()["conversion.json"]).unwrap();
    assert!(report["blocks"]["text_encoder"].is_number(), "{report}");
}

/// Pictures with it are those of the model that has it in its weights, and others than with the UNet's part alone.
#[test]
fn pictures_are_drawn_with_them() {
    let lora = of_teacher();
    let fused = fuse(teacher(), lora.path());
    let with = |folder: &Path| sample(json!({"lora": "lora", "guidance": 2.0})).input("lora", folder);
    let works = [with(lora.path()), sample(json!({"guidance": 2.0})).input("model", &fused.job.output), with(tscd())];
    let [whole, fused, unet] = works.map(|work| {
        work.artifact();
        pixels(&work.job.output)
    });
    assert!(apart(&whole, &fused) <= 1, "{}", apart(&whole, &fused));
    assert!(apart(&whole, &unet) > 1);
}

#[test]
fn candidates_are_measured_with_them() {
    let lora = of_teacher();
    let measured = |folder: &Path| {
        let work = eval(json!({"loras": {"tscd": "loras.tscd"}, "samples": 20})).input("loras.tscd", folder);
        let files = work.artifact();
        let metrics: Value = serde_json::from_slice(&files["metrics.json"]).unwrap();
        let rows = metrics["rows"].as_array().unwrap().clone();
        let of = |name: &str| rows.iter().filter(|row| row["candidate"] == name).cloned().collect::<Vec<_>>();
        (of("teacher"), of("tscd"))
    };
    let (plain, with) = (measured(tscd()), measured(lora.path()));
    assert!(!plain.0.is_empty() && plain.0 == with.0);
    assert!(!plain.1.is_empty() && plain.1 != with.1);
}

fn latents(model: &Path, data: &Path, changes: Value) -> Work {
    let base = json!({"model": "model", "data": "data", "batch": 8});
    Work::new("EncodeLatents", over(base, changes)).input("model", model).input("data", data)
}

#[test]
fn captions_are_encoded_with_them() {
    for family in [Family::Sd15, Family::Sdxl] {
        let model = Tiny::of_digits(family).folder();
        let lora = with_text(model.path(), &[], None);
        let plain = latents(model.path(), digits(), json!({})).artifact();
        let encoded = latents(model.path(), digits(), json!({"lora": "lora"})).input("lora", lora.path());
        assert_eq!(encoded.run().succeeded().messages(Level::Warning), Vec::<String>::new());
        let with = encoded.files();
        let model_with = fuse(model.path(), lora.path());
        let fused = latents(&model_with.job.output, digits(), json!({}));
        fused.artifact();
        for (name, bytes) in &with {
            let is_text = ["text.safetensors", "pooled.safetensors", "empty.safetensors"].contains(&name.as_str());
            // No prompt is zeros for SDXL.
            let changes = is_text && !(family == Family::Sdxl && name == "empty.safetensors");
            assert_eq!(*bytes != plain[name], changes, "{family:?} {name}");
            if is_text {
                let [ours, theirs] = [&encoded, &fused].map(|work| {
                    read_tensors(&work.job.output.join(name), Kind::Float, Device::Cpu).unwrap().into_values()
                });
                for (ours, theirs) in ours.zip(theirs) {
                    let off = (ours - &theirs).abs().max().double_value(&[]);
                    assert!(off <= 1e-5 * theirs.abs().max().double_value(&[]), "{family:?} {name} is off by {off}");
                }
            }
        }
        // Of a LoRA without them nothing is left, which is told.
        let folder = tempfile::tempdir().unwrap();
        crate::stable_diffusion::write_lora(&Tiny::of_digits(family), &folder.path().join(FILE));
        let none = latents(model.path(), digits(), json!({"lora": "lora"})).input("lora", folder.path());
        let told = "lora has no modules of text encoders: captions are encoded as without it";
        assert_eq!(none.run().succeeded().messages(Level::Warning), [told]);
        assert_same("without them", &none.files(), &plain);
    }
}

#[test]
fn a_training_leaves_them_alone_and_says_so() {
    let lora = of_teacher();
    let changes = json!({"steps": 1, "lora": "lora"});
    let (plain, with) = (finetune_lora(changes.clone()), finetune_lora(changes).input("lora", lora.path()));
    let plain = plain.artifact();
    let ended = with.run();
    let warnings = ended.succeeded().messages(Level::Warning);
    let told = format!(
        "lora: its {} modules of text encoders are not applied, and not in what this node makes; `LoraFuse` puts them into \
         a model, and `EncodeLatents` encodes captions with them",
        read(lora.path()).text_modules()
    );
    assert_eq!(warnings, [told]);
    assert_eq!(with.files()[FILE], plain[FILE]);
}
