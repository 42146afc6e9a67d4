//! `Export`: what is written for other programs adds what the LoRA adds.

use std::collections::BTreeMap;
use std::path::Path;

use hyper_flow_diffusion::lora::{Lora, LoraTarget, read_kohya, read_lora};
use hyper_flow_diffusion::schedulers::{SchedulerConfig, TimestepSpacing};
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{WeightFile, read_tensors, write_tensors};
use insta::assert_snapshot;
use serde_json::json;
use tch::{Device, Kind, Tensor, nn};

use crate::bad_inputs::copy;
use crate::chain::{export, sample, segment_distill, teacher, train_teacher, tscd};
use crate::lab::{Work, assert_same};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

fn modules(model: &Path) -> Vec<LoraTarget> {
    let config = UNet2DConditionConfig::read(&model.join("unet/config.json")).unwrap();
    UNet2DConditionModel::new(&nn::VarStore::new(Device::Cpu), &config).unwrap().modules().to_vec()
}

/// The LoRA of an artifact or an export.
fn kohya(folder: &Path) -> Lora {
    read_kohya(&folder.join("lora.safetensors"), &modules(teacher()), Device::Cpu).unwrap()
}

fn diffusers(folder: &Path) -> Lora {
    let path = folder.join("pytorch_lora_weights.safetensors");
    read_lora(&path, &modules(teacher()), None, Device::Cpu).unwrap()
}

fn tensors(path: &Path) -> BTreeMap<String, Tensor> {
    read_tensors(path, Kind::Float, Device::Cpu).unwrap()
}

/// ‖a − b‖ / ‖b‖.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).norm().double_value(&[]) / b.norm().double_value(&[])
}

/// A LoRA of two ranks and scales, in an artifact of its own.
fn mixed() -> Work {
    let work = segment_distill(json!({"steps": 3, "rank": 2, "alpha": 0.5, "lr": 0.02}));
    work.artifact();
    mix(&work.job.output.join("lora.safetensors"));
    work
}

/// Gives one attention layer of a LoRA a rank and an alpha of its own.
pub(crate) fn mix(path: &Path) {
    let mut lora = tensors(path);
    let part = |part: &str| format!("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q.{part}");
    for (half, dimension) in [(part("lora_down.weight"), 0), (part("lora_up.weight"), 1)] {
        let wide = Tensor::cat(&[&lora[&half], &(&lora[&half] * 0.5)], dimension);
        lora.insert(half, wide);
    }
    lora.insert(part("alpha"), Tensor::from(7f32));
    write_tensors(path, &lora, None).unwrap();
}

#[test]
fn lora_files_add_what_the_lora_adds() {
    let mixed = mixed();
    let work = export(json!({})).input("lora", &mixed.job.output);
    let ended = work.run();
    let errors = ["kohya_error", "diffusers_error"].map(|name| ended.succeeded().metric(name));
    assert!(errors.iter().all(|error| *error < 1e-6), "{errors:?}");
    let own = kohya(&mixed.job.output);
    assert_eq!(own.rank(), 4);
    for lora in [kohya(&work.job.output), diffusers(&work.job.output)] {
        assert!(own.layers.keys().eq(lora.layers.keys()));
        for (path, layer) in &lora.layers {
            assert_eq!((layer.rank(), layer.alpha), (4, 4.0), "{path}");
            assert!(distance(&layer.delta(), &own.delta(path).unwrap()) < 1e-6, "{path}");
        }
    }
}

#[test]
fn a_fused_model_draws_as_the_model_with_the_lora_does() {
    let mixed = mixed();
    let work = export(json!({"formats": ["Fused", "Model"], "sampler": {"Tcd": 0.5}})).input("lora", &mixed.job.output);
    let ended = work.run();
    assert!(ended.succeeded().metric("fused_error") < 1e-3 && ended.metric("model_error") == 0.0);
    // 1. weights
    let (fused, lora) = (work.job.output.join("fused"), kohya(&mixed.job.output));
    let (before, after) = (tensors(&teacher().join(UNET)), tensors(&fused.join(UNET)));
    for (key, before) in &before {
        let delta = key.strip_suffix(".weight").and_then(|module| lora.delta(module));
        let expected = delta.map_or_else(|| before.shallow_clone(), |delta| before + delta);
        assert_eq!(after[key], expected, "{key}");
    }
    // 2. pictures
    let with = sample(json!({"lora": "lora"})).input("lora", &mixed.job.output);
    let without = sample(json!({})).input("model", &fused);
    let plain = sample(json!({}));
    let [with, without, plain] = [with, without, plain].map(|work| {
        work.artifact();
        image::open(work.job.output.join("grid.png")).unwrap().to_rgb8().into_raw()
    });
    let apart = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(apart(&with, &without) <= 1 && apart(&with, &plain) > 1);
    // 3. all else
    let config = SchedulerConfig::read(&fused.join("scheduler")).unwrap();
    assert_eq!((config.class_name.as_str(), config.timestep_spacing), ("TCDScheduler", TimestepSpacing::Trailing));
    let index = std::fs::read_to_string(fused.join("model_index.json")).unwrap();
    assert!(index.contains("\"TCDScheduler\"") && !index.contains("DDIMScheduler"), "{index}");
    let (files, original) = (work.files(), export(json!({})).input("model", teacher()));
    for (name, bytes) in files {
        let Some(name) = name.strip_prefix("model/") else { continue };
        assert_eq!(bytes, std::fs::read(original.job.inputs["model"].join(name)).unwrap(), "{name}");
    }
}

#[test]
fn half_precision_halves_every_file_and_says_what_it_costs() {
    let mixed = mixed();
    let formats = json!(["Kohya", "Diffusers", "Fused"]);
    for (precision, kind, most) in [("Fp16", Kind::Half, 5e-3), ("Bf16", Kind::BFloat16, 5e-2)] {
        let work = export(json!({"formats": formats, "precision": precision})).input("lora", &mixed.job.output);
        let ended = work.run();
        for name in ["kohya_error", "diffusers_error"] {
            let error = ended.succeeded().metric(name);
            assert!(1e-5 < error && error < most, "{precision} {name} {error}");
        }
        for name in work.files().keys().filter(|name| name.ends_with(".safetensors")) {
            let file = WeightFile::open(&work.job.output.join(name)).unwrap();
            let halves = file.keys().filter(|key| !key.ends_with(".alpha")).map(|key| file.dtype(key));
            assert!(halves.into_iter().all(|found| found == Some(kind)), "{name}");
        }
    }
    // Numbers that 16 bits cannot hold.
    let path = mixed.job.output.join("lora.safetensors");
    let small = |(key, x): (String, Tensor)| if key.contains("lora_up") { (key, x * 1e-12) } else { (key, x) };
    write_tensors(&path, &tensors(&path).into_iter().map(small).collect(), None).unwrap();
    let message = export(json!({"precision": "Fp16"})).input("lora", &mixed.job.output).failure();
    assert!(message.starts_with("read back, lora.safetensors does not add to "), "{message}");
    assert!(message.ends_with("leave `precision` out"), "{message}");
    export(json!({"precision": "Bf16"})).input("lora", &mixed.job.output).artifact();
}

#[test]
fn equal_exports_are_equal_to_the_byte() {
    let all = json!({"formats": ["Kohya", "Diffusers", "Model", "Fused"]});
    let (first, second) = (export(all.clone()).artifact(), export(all).artifact());
    assert_same("Export", &first, &second);
    let below = |folder: &str| first.keys().filter(|name| name.starts_with(folder)).count();
    assert_eq!(below("model/"), below("fused/"));
    let names: Vec<_> = first.keys().filter(|name| !name.contains('/')).collect();
    assert_eq!(names, ["README.md", "lora.safetensors", "pytorch_lora_weights.safetensors"]);
}

#[test]
fn a_lora_of_another_model_is_refused() {
    let other = train_teacher(json!({"steps": 1, "channels": [16, 32]}));
    other.artifact();
    let message = export(json!({})).input("model", &other.job.output).failure();
    assert!(message.starts_with("lora: ") && message.contains("where the model has"), "{message}");
    let folder = copy(tscd());
    let path = folder.path().join("lora.safetensors");
    let mut lora = tensors(&path);
    lora.insert("lora_unet_mid_block_resnets_7_conv1.alpha".into(), Tensor::from(1f32));
    write_tensors(&path, &lora, None).unwrap();
    let message = export(json!({})).input("lora", folder.path()).failure();
    assert!(message.contains("1 left over: lora_unet_mid_block_resnets_7_conv1.alpha"), "{message}");
}

fn readme(params: serde_json::Value) -> String {
    let files = export(params).artifact();
    String::from_utf8(files["README.md"].clone()).unwrap()
}

#[test]
fn a_readme_says_how_to_draw() {
    assert_snapshot!(readme(json!({"sampler": {"Tcd": 0.5}})), @r#"
    # How to draw with this

    Without guidance, in as few steps as the LoRA was distilled for.

    The model draws pixels: it has no VAE, which pipelines of diffusers need.

    ## diffusers

    ```python
    import torch
    from diffusers import DiffusionPipeline, TCDScheduler

    pipe = DiffusionPipeline.from_pretrained("the model that was distilled", torch_dtype=torch.float16).to("cuda")
    pipe.load_lora_weights(".", weight_name="pytorch_lora_weights.safetensors")  # needs peft
    pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
    pipe("your prompt", num_inference_steps=4, guidance_scale=0, eta=0.5).images[0].save("picture.png")
    ```

    ## ComfyUI

    `lora.safetensors` goes into `models/loras`. Load it with strength 1; sample with cfg 1 and the scheduler `sgm_uniform`.

    ## stable-diffusion-webui

    `lora.safetensors` goes into `models/Lora`. Write `<lora:lora:1>` into the prompt; sample with CFG scale 1.
    "#);
    assert_snapshot!(readme(json!({"formats": ["Fused"]})), @r#"
    # How to draw with this

    Without guidance, in as few steps as the LoRA was distilled for.

    The model draws pixels: it has no VAE, which pipelines of diffusers need.

    ## diffusers

    ```python
    import torch
    from diffusers import DiffusionPipeline

    pipe = DiffusionPipeline.from_pretrained("fused", torch_dtype=torch.float16).to("cuda")
    pipe("your prompt", num_inference_steps=4, guidance_scale=0).images[0].save("picture.png")
    ```
    "#);
}

fn about() -> serde_json::Value {
    json!({
        "base": "owner/model", "steps": [1, 2, 8], "guidance": [5.0, 9.0], "solver_steps": 40,
        "prompts": ["a \"red\" fox", "ein Füchslein"],
    })
}

#[test]
fn a_readme_says_what_the_pipeline_says() {
    assert_snapshot!(readme(json!({"formats": ["Diffusers"], "about": about()})), @r#"
    # How to draw with this

    Without guidance, in 1, 2 or 8 steps.

    Of the LoRA: it is for `owner/model`; guidance of 5 to 9 is in it; it was distilled on a grid of 40 points.

    The model draws pixels: it has no VAE, which pipelines of diffusers need.

    ## diffusers

    ```python
    import torch
    from diffusers import DiffusionPipeline, DDIMScheduler

    pipe = DiffusionPipeline.from_pretrained("owner/model", torch_dtype=torch.float16).to("cuda")
    pipe.load_lora_weights(".", weight_name="pytorch_lora_weights.safetensors")  # needs peft
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    prompts = [
        "a \"red\" fox",
        "ein Füchslein",
    ]
    for i, prompt in enumerate(prompts):
        pipe(prompt, num_inference_steps=2, guidance_scale=0).images[0].save(f"picture-{i}.png")
    ```
    "#);
    let one = readme(json!({"formats": ["Fused"], "about": {"prompts": ["a fox"], "steps": [1]}}));
    assert!(one.contains("\nWithout guidance, in 1 step.\n"), "{one}");
    assert!(one.contains("pipe(\"a fox\", num_inference_steps=1, "), "{one}");
}

#[test]
fn the_headers_of_lora_files_tell_of_the_lora_in_one_entry() {
    let work = export(json!({"about": about()}));
    work.artifact();
    let entry = |file: &str, name: &str| -> serde_json::Value {
        let file = WeightFile::open(&work.job.output.join(file)).unwrap();
        assert_eq!(file.metadata().len(), 1, "{:?}", file.metadata());
        serde_json::from_str(&file.metadata()[name]).unwrap()
    };
    let kohya = entry("lora.safetensors", "modelspec");
    assert_snapshot!(serde_json::to_string_pretty(&kohya).unwrap(), @r#"
    {
      "hyper_flow.base": "owner/model",
      "hyper_flow.guidance": "5 to 9",
      "hyper_flow.key": "scratch",
      "hyper_flow.rank": "2",
      "hyper_flow.solver_steps": "40",
      "hyper_flow.steps": "1, 2 or 8",
      "modelspec.implementation": "diffusers",
      "modelspec.sai_model_spec": "1.0.0",
      "modelspec.title": "LoRA of rank 2 for 1, 2 or 8 steps",
      "modelspec.usage_hint": "1, 2 or 8 steps, without guidance (CFG scale 1), trailing timesteps"
    }
    "#);
    let diffusers = entry("pytorch_lora_weights.safetensors", "lora_adapter_metadata");
    for (name, told) in kohya.as_object().unwrap() {
        assert_eq!(&diffusers[name], told, "{name}");
    }
    assert!(diffusers["unet.lora_alpha"].is_number(), "{diffusers}");
}
