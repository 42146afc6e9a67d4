//! Folders as people have them, made canonical.

use super::*;
use crate::DiffusionError;
use crate::single_file::tests::{Tiny, files};
use crate::weights::{Entry, WeightFile, read_tensors, write_tensors};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tch::{Device, Kind, Tensor};

const UNET: &str = "unet/diffusion_pytorch_model";

fn rewrite(from: &Path, variant: Option<&str>, to: &Path) -> Result<(), DiffusionError> {
    ModelSource::of_folder(from, variant)?.write(to, |_, _| Ok(()))
}

/// A canonical folder `out` of a tiny SDXL.
fn model() -> Tiny {
    let tiny = Tiny::new("sdxl");
    tiny.convert_with_config().unwrap();
    tiny
}

fn change(path: &Path, change: impl FnOnce(BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor>) {
    let tensors = read_tensors(path, Kind::Float, Device::Cpu).unwrap();
    write_tensors(path, &change(tensors), None).unwrap();
}

fn renamed(
    tensors: BTreeMap<String, Tensor>,
    name: impl Fn(&str, Tensor) -> (String, Tensor),
) -> BTreeMap<String, Tensor> {
    tensors.into_iter().map(|(key, tensor)| name(&key, tensor)).collect()
}

/// The folder as older versions of diffusers and transformers would have written it.
fn age(folder: &Path) {
    change(&folder.join("vae/diffusion_pytorch_model.safetensors"), |tensors| {
        let old = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")];
        renamed(tensors, |key, tensor| {
            let Some((new, old)) = old.iter().find(|(new, _)| key.contains(&format!("{new}."))) else {
                return (key.to_owned(), tensor);
            };
            let tensor = if tensor.dim() == 2 { tensor.unsqueeze(2).unsqueeze(3) } else { tensor };
            (key.replace(new, old), tensor)
        })
    });
    change(&folder.join("text_encoder/model.safetensors"), |tensors| {
        let mut tensors = renamed(tensors, |key, tensor| (key.replace("text_model.", ""), tensor));
        tensors.insert("embeddings.position_ids".into(), Tensor::from_slice(&[1i64]));
        tensors
    });
    for name in ["unet/config.json", "vae/config.json", "text_encoder/config.json"] {
        let path = folder.join(name);
        let config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        fs::write(path, config.to_string()).unwrap();
    }
}

/// The UNet in two shards.
fn shard(folder: &Path) {
    let path = folder.join(format!("{UNET}.safetensors"));
    let tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
    fs::remove_file(&path).unwrap();
    let shards =
        ["diffusion_pytorch_model-00001-of-00002.safetensors", "diffusion_pytorch_model-00002-of-00002.safetensors"];
    let mut map = BTreeMap::new();
    for (i, shard) in shards.iter().enumerate() {
        let part: BTreeMap<_, _> = tensors
            .iter()
            .filter(|(key, _)| key.len() % 2 == i)
            .map(|(key, t)| (key.clone(), t.shallow_clone()))
            .collect();
        map.extend(part.keys().map(|key| (key.clone(), *shard)));
        write_tensors(&folder.join("unet").join(shard), &part, None).unwrap();
    }
    fs::write(folder.join(format!("{UNET}.safetensors.index.json")), json!({"weight_map": map}).to_string()).unwrap();
}

#[test]
fn old_names_and_shards_become_one_form_with_the_same_numbers() {
    let tiny = model();
    let out = tiny.path("out");
    let canonical = files(&out);
    age(&out);
    shard(&out);
    assert_ne!(files(&out), canonical);
    rewrite(&out, None, &tiny.path("copy")).unwrap();
    assert_eq!(files(&tiny.path("copy")), canonical);
    rewrite(&tiny.path("copy"), None, &tiny.path("again")).unwrap();
    assert_eq!(files(&tiny.path("again")), canonical);
}

#[test]
fn a_variant_is_taken_where_there_is_one() {
    let tiny = model();
    let out = tiny.path("out");
    let (plain, half) = (out.join(format!("{UNET}.safetensors")), out.join(format!("{UNET}.fp16.safetensors")));
    let tensors = read_tensors(&plain, Kind::Half, Device::Cpu).unwrap();
    write_tensors(&half, &tensors, None).unwrap();
    rewrite(&out, Some("fp16"), &tiny.path("copy")).unwrap();
    let kind = |path: &str| {
        let file = WeightFile::open(&tiny.path("copy").join(path)).unwrap();
        let key = file.keys().next().unwrap().to_owned();
        file.dtype(&key).unwrap()
    };
    assert_eq!(kind("unet/diffusion_pytorch_model.safetensors"), Kind::Half);
    assert_eq!(kind("vae/diffusion_pytorch_model.safetensors"), Kind::Float);
    let error = rewrite(&out, Some("bf16"), &tiny.path("none")).unwrap_err().to_string();
    assert!(error.contains("diffusion_pytorch_model.bf16.safetensors: there is only"), "{error}");
    assert!(!tiny.path("none").exists());
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_written() {
    let damaged = |damage: &dyn Fn(&Path)| {
        let tiny = model();
        damage(&tiny.path("out"));
        let error = rewrite(&tiny.path("out"), None, &tiny.path("copy")).unwrap_err().to_string();
        assert!(!tiny.path("copy").exists());
        error.replace(&format!("{}/", tiny.path("out").display()), "")
    };
    let without = damaged(&|out| {
        change(&out.join("text_encoder_2/model.safetensors"), |mut tensors| {
            tensors.retain(|key, _| key != "text_projection.weight");
            tensors
        })
    });
    assert_eq!(without, "text_encoder_2/model.safetensors: keys do not fit: 1 missing: text_projection.weight");
    let extra = damaged(&|out| {
        change(&out.join(format!("{UNET}.safetensors")), |mut tensors| {
            tensors.insert("extra".into(), Tensor::from(1f32));
            tensors
        })
    });
    assert_eq!(extra, "unet/diffusion_pytorch_model.safetensors: keys do not fit: 1 left over: extra");
    let whole = damaged(&|out| {
        change(&out.join(format!("{UNET}.safetensors")), |mut tensors| {
            tensors.insert("conv_out.bias".into(), Tensor::from_slice(&[1i64, 2, 3, 4]));
            tensors
        })
    });
    assert_eq!(whole, "unet/diffusion_pytorch_model.safetensors: conv_out.bias has dtype I64, which is not supported");
    let pickle = damaged(&|out| {
        let path = out.join(format!("{UNET}.safetensors"));
        fs::rename(&path, path.with_extension("bin")).unwrap();
    });
    assert!(pickle.starts_with("unet/diffusion_pytorch_model.bin: a Python pickle"), "{pickle}");
    for file in ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json", "tokenizer_2/vocab.json"] {
        let message = damaged(&|out| fs::write(out.join(file), "{").unwrap());
        assert!(message.starts_with(file), "{message}");
    }
}

#[test]
fn a_scheduler_that_contradicts_the_weights_is_told_with_the_field_to_edit() {
    let tiny = model();
    let out = tiny.path("out");
    let unet = out.join(format!("{UNET}.safetensors"));
    let plain = read_tensors(&unet, Kind::Float, Device::Cpu).unwrap();
    let mark = |keys: &[&str], specified: &str| {
        let mut tensors: BTreeMap<_, _> =
            plain.iter().map(|(key, tensor)| (key.clone(), tensor.shallow_clone())).collect();
        tensors.extend(keys.iter().map(|key| ((*key).to_owned(), Tensor::zeros([0], (Kind::Float, Device::Cpu)))));
        let entry = Entry { name: "modelspec.prediction_type", text: specified };
        write_tensors(&unet, &tensors, Some(entry)).unwrap();
    };
    let path = out.join("scheduler/scheduler_config.json");
    let set = |changes: &[(&str, Value)]| {
        let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        changes.iter().for_each(|(field, value)| config[*field] = value.clone());
        fs::write(&path, config.to_string()).unwrap();
    };
    let told = || {
        let error = ModelSource::of_folder(&out, None).unwrap_err().to_string();
        error.replace(&format!("{}/", out.display()), "")
    };
    mark(&["v_pred", "ztsnr"], "v");
    let beside = "scheduler/scheduler_config.json (beside unet/diffusion_pytorch_model.safetensors): ";
    let predicts = |own: &str, other: &str| {
        format!(
            "{beside}says that the model predicts \"{own}\", and its weights say \"{other}\": set \"prediction_type\": \
             \"{other}\" here"
        )
    };
    assert_eq!(told(), predicts("epsilon", "v_prediction"));
    set(&[("prediction_type", json!("v_prediction"))]);
    assert_eq!(
        told(),
        format!(
            "{beside}says nothing of zero terminal SNR, and the weights are marked ztsnr: set \"rescale_betas_zero_snr\": \
             true and \"timestep_spacing\": \"trailing\" here"
        )
    );
    set(&[("rescale_betas_zero_snr", json!(true)), ("timestep_spacing", json!("trailing"))]);
    let source = ModelSource::of_folder(&out, None).unwrap();
    assert_eq!(
        source.summary(),
        "SDXL base; predicts v, zero terminal SNR; plain weights; unet F32, text_encoder F32, vae F32, text_encoder_2 F32"
    );
    mark(&[], "epsilon");
    assert_eq!(told(), predicts("v_prediction", "epsilon"));
    set(&[("prediction_type", json!("epsilon"))]);
    let error = told();
    assert!(error.starts_with("scheduler/scheduler_config.json: rescale_betas_zero_snr leaves no x0"), "{error}");
    assert!(error.contains("set \"prediction_type\": \"v_prediction\""), "{error}");
}

#[test]
fn a_file_that_shrinks_while_it_is_copied_leaves_no_file() {
    let tiny = model();
    let path = tiny.path("out").join(format!("{UNET}.safetensors"));
    let source = ModelSource::of_folder(&tiny.path("out"), None).unwrap();
    let size = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(size / 2).unwrap();
    let copy = tiny.path("copy");
    assert!(source.write(&copy, |_, _| Ok::<_, DiffusionError>(())).is_err());
    assert_eq!(fs::read_dir(copy.join("unet")).unwrap().count(), 1, "config.json alone");
    assert!(!copy.join("model_index.json").exists());
}

#[test]
fn who_listens_hears_of_each_part_and_can_stop() {
    let tiny = model();
    let source = ModelSource::of_folder(&tiny.path("out"), None).unwrap();
    let mut heard = Vec::new();
    let stopped = source.write(&tiny.path("copy"), |done, of| {
        heard.push((done, of));
        if done == 2 { Err(DiffusionError::Lora("stop".into())) } else { Ok(()) }
    });
    assert_eq!(stopped.unwrap_err().to_string(), "lora: stop");
    assert_eq!(heard, [(1, 4), (2, 4)]);
    assert!(!tiny.path("copy/model_index.json").exists());
}
