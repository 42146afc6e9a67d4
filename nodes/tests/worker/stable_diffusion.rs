//! Models of Stable Diffusion's structure: latents that a VAE decodes, one text encoder or two.

use std::fs;
use std::path::Path;

use hyper_flow_diffusion::lora::{LORA_TARGETS, Lora, write_kohya};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::unet::UNet2DConditionModel;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tch::{Device, Kind, nn, no_grad};

use crate::chain::{clip, digits, eval, over, segment_distill};
use crate::lab::{Files, Work, assert_same};
use crate::tiny_models::{Family, Tiny, edit};

const FAMILIES: [Family; 3] = [Family::Sd15, Family::Sd21, Family::Sdxl];

fn sample(model: &Path, changes: Value) -> Work {
    let base = json!({"model": "model", "prompts": ["a red fox", "the sea"], "steps": 2, "guidance": 3.0});
    Work::new("Sample", over(base, changes)).input("model", model)
}

fn size(picture: &[u8]) -> (u32, u32) {
    let picture = image::load_from_memory(picture).unwrap();
    (picture.width(), picture.height())
}

#[test]
fn every_family_draws_pictures_of_its_size() {
    for family in FAMILIES {
        let model = Tiny::new(family).folder();
        let files = sample(model.path(), json!({"count": 2})).artifact();
        let names: Vec<_> = files.keys().collect();
        assert_eq!(names, ["0000.png", "0001.png", "0002.png", "0003.png", "grid.png", "metadata.jsonl"]);
        assert_eq!(size(&files["0000.png"]), (64, 64), "{family:?}");
        assert_eq!(size(&files["grid.png"]), (2 * 66 + 2, 2 * 66 + 2));
        for other in ["0001.png", "0002.png", "0003.png"] {
            assert_ne!(files["0000.png"], files[other], "{family:?}");
        }
        assert_same("twice", &files, &sample(model.path(), json!({"count": 2})).artifact());
        let half = sample(model.path(), json!({"precision": "Bf16"})).artifact();
        assert_ne!(half["0000.png"], files["0000.png"]);
    }
}

#[test]
fn samplers_differ() {
    let model = Tiny::new(Family::Sdxl).folder();
    let samplers = [json!("Ddim"), json!({"Tcd": 0.0}), json!({"Tcd": 1.0}), json!("Lcm"), json!("Euler")];
    let drawn = samplers.map(|sampler| sample(model.path(), json!({"sampler": sampler, "steps": 3})).artifact());
    for (i, a) in drawn.iter().enumerate() {
        assert!(drawn[..i].iter().all(|b| a["0000.png"] != b["0000.png"]), "{i}");
    }
}

#[test]
fn guidance_leads_away_from_the_negative_prompt() {
    let drawn = |model: &Path, changes: Value| sample(model, changes).artifact()["0000.png"].clone();
    let sd = Tiny::new(Family::Sd15).folder();
    let none = drawn(sd.path(), json!({}));
    assert_eq!(none, drawn(sd.path(), json!({"negative_prompt": ""})));
    assert_ne!(none, drawn(sd.path(), json!({"negative_prompt": "a house"})));
    let sdxl = Tiny::new(Family::Sdxl).folder();
    let none = drawn(sdxl.path(), json!({}));
    assert_ne!(none, drawn(sdxl.path(), json!({"negative_prompt": ""})), "zeros are not the empty prompt's text");
    edit(&sdxl.path().join("model_index.json"), |index| index["force_zeros_for_empty_prompt"] = json!(false));
    assert_eq!(drawn(sdxl.path(), json!({})), drawn(sdxl.path(), json!({"negative_prompt": ""})));
}

#[test]
fn pictures_may_have_another_size() {
    let model = Tiny::new(Family::Sdxl).folder();
    // Latents of 11, which the UNet halves to 6.
    let files = sample(model.path(), json!({"size": 88})).artifact();
    assert_eq!(size(&files["0001.png"]), (88, 88));
    assert_snapshot!(sample(model.path(), json!({"size": 100})).failure(), @"pictures of 100 pixels are no whole number of the model's latents, which stand for 8 pixels each; use 96 or 104");
    edit(&model.path().join("unet/config.json"), |config| config["sample_size"] = Value::Null);
    assert_snapshot!(sample(model.path(), json!({})).failure(), @"<model>: unet/config.json has no sample_size");
    sample(model.path(), json!({"size": 64})).artifact();
}

/// A LoRA on all of a model's modules that changes what it draws.
pub(crate) fn write_lora(model: &Tiny, path: &Path) {
    let vs = nn::VarStore::new(Device::Cpu);
    let unet = UNet2DConditionModel::new(&vs, &model.unet()).unwrap();
    let (lora, _) = Lora::new(&unet.lora_targets(&LORA_TARGETS).unwrap(), 2, 2.0, 5);
    let mut lora = lora.requires_grad(false);
    for (path, layer) in &mut lora.layers {
        let noise = Rng::at(5, path, 0).randn(&layer.up.size(), (Kind::Float, Device::Cpu));
        no_grad(|| layer.up.copy_(&(noise * 0.2)));
    }
    write_kohya(&lora, path).unwrap();
}

#[test]
fn a_lora_moves_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    for family in FAMILIES {
        let (tiny, model) = (Tiny::new(family), Tiny::new(family).folder());
        write_lora(&tiny, &folder.path().join("lora.safetensors"));
        let adapted = sample(model.path(), json!({"lora": "lora"})).input("lora", folder.path()).artifact();
        assert_ne!(adapted["0000.png"], sample(model.path(), json!({})).artifact()["0000.png"], "{family:?}");
    }
}

/// A latent model whose pictures are of the digits' size is measured beside them.
#[test]
fn eval_measures_decoded_latents() {
    let model = Tiny::of_digits(Family::Sd15);
    let (folder, lora) = (model.folder(), tempfile::tempdir().unwrap());
    write_lora(&model, &lora.path().join("lora.safetensors"));
    let work = eval(json!({"loras": {"tscd": "loras.tscd"}, "samples": 20}))
        .input("teacher", folder.path())
        .input("loras.tscd", lora.path());
    let files: Files = work.artifact();
    let metrics: Value = serde_json::from_slice(&files["metrics.json"]).unwrap();
    assert_eq!(metrics["rows"].as_array().unwrap().len(), 6);
    let large = Tiny::new(Family::Sd15).folder();
    let message = eval(json!({})).input("teacher", large.path()).failure();
    assert_snapshot!(message, @"the model draws pictures of 3 channels and 64 pixels, and the dataset's have 1 and 8 pixels; train a model on this dataset");
}

#[test]
fn latents_are_not_distilled_on_pictures() {
    let model = Tiny::of_digits(Family::Sd15).folder();
    let message = segment_distill(json!({"steps": 1})).input("teacher", model.path()).input("data", digits()).failure();
    assert_snapshot!(message, @"the model draws latents, and the data are pictures; put an `EncodeLatents` node between");
}

#[test]
fn folders_that_are_not_whole_are_refused_by_part() {
    let refused = |family: Family, change: &dyn Fn(&Path)| {
        let model = Tiny::new(family).folder();
        change(model.path());
        sample(model.path(), json!({})).failure()
    };
    let remove = |name: &'static str| move |model: &Path| fs::remove_dir_all(model.join(name)).unwrap();
    let index = |part: &'static str, value: Value| {
        move |model: &Path| edit(&model.join("model_index.json"), |index| index[part] = value.clone())
    };
    assert_snapshot!(refused(Family::Sd15, &remove("vae")), @"read <model>/vae/config.json: No such file or directory (os error 2)");
    assert_snapshot!(refused(Family::Sdxl, &remove("text_encoder_2")), @"read <model>/text_encoder_2/config.json: No such file or directory (os error 2)");
    assert_snapshot!(refused(Family::Sdxl, &remove("tokenizer_2")), @"read <model>/tokenizer_2/vocab.json: No such file or directory (os error 2)");
    assert_snapshot!(refused(Family::Sd15, &remove("unet")), @"read <model>/unet/config.json: No such file or directory (os error 2)");
    assert_snapshot!(refused(Family::Sdxl, &|model| fs::remove_file(model.join("model_index.json")).unwrap()), @"read <model>/model_index.json: No such file or directory (os error 2)");
    assert_snapshot!(refused(Family::Sdxl, &index("text_encoder_2", json!([null, null]))), @"<model>: the text encoders give texts of width 16, and the UNet takes texts of width 40 and 36 numbers for the time embedding: they are of different models");
    assert_snapshot!(refused(Family::Sdxl, &index("text_encoder", json!([null, null]))), @"<model>/model_index.json: there is no text_encoder, without which no picture is drawn here");
    assert_snapshot!(refused(Family::Sd15, &index("unet", json!(["diffusers", "UNet2DModel"]))), @r#"<model>/model_index.json: unet is of class "UNet2DModel", and only UNet2DConditionModel is supported"#);
    assert_snapshot!(refused(Family::Sd15, &index("vae", json!(["diffusers", "AutoencoderTiny"]))), @r#"<model>/model_index.json: vae is of class "AutoencoderTiny", and only AutoencoderKL is supported"#);
    assert_snapshot!(refused(Family::Sd15, &index("vae", json!([null, null]))), @"<model>: the UNet draws 4 channels, which are no picture, and model_index.json names no vae");
    // A part of another model.
    let other = Tiny::new(Family::Sdxl).folder();
    let swap = |name: &'static str| {
        let from = other.path().join(name);
        move |model: &Path| {
            fs::remove_dir_all(model.join(name)).unwrap();
            crate::bad_inputs::copy_into(&from, &model.join(name));
        }
    };
    assert_snapshot!(refused(Family::Sd15, &swap("unet")), @"<model>: the text encoders give texts of width 16, and the UNet takes texts of width 40 and 36 numbers for the time embedding: they are of different models");
    // A whole CLIP in the place of the text encoder opens; of another width, it is refused.
    assert_snapshot!(refused(Family::Sd15, &|model| {
        fs::remove_dir_all(model.join("text_encoder")).unwrap();
        fs::remove_dir_all(model.join("tokenizer")).unwrap();
        crate::bad_inputs::copy_into(clip(), &model.join("text_encoder"));
        crate::bad_inputs::copy_into(clip(), &model.join("tokenizer"));
    }), @"<model>: the text encoders give texts of width 8, and the UNet takes texts of width 16: they are of different models");
}
