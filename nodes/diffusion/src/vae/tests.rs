//! Files, dtypes, and where gradients go. What is computed is held to diffusers in tests/parity.

use super::{AutoencoderKl, AutoencoderKlConfig, DownEncoderBlockType, UpDecoderBlockType};
use crate::parity_support::{assert_within, input};
use crate::weights::{read_tensors, write_tensors};
use crate::{DiffusionError, Tape};
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Kind, Tensor};

const CPU: Device = Device::Cpu;

fn config() -> AutoencoderKlConfig {
    AutoencoderKlConfig {
        down_block_types: vec![DownEncoderBlockType::DownEncoderBlock2D; 2],
        up_block_types: vec![UpDecoderBlockType::UpDecoderBlock2D; 2],
        block_out_channels: vec![4, 8],
        norm_num_groups: 2,
        sample_size: 16,
        ..Default::default()
    }
}

fn fresh() -> AutoencoderKl {
    AutoencoderKl::fresh(&config(), 5, CPU).unwrap()
}

fn saved() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fresh().save(folder.path()).unwrap();
    folder
}

fn load(folder: &Path) -> Result<AutoencoderKl, DiffusionError> {
    AutoencoderKl::load(folder, Kind::Float, CPU)
}

/// Writes the weights of a folder again, changed.
fn change(folder: &Path, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
    let path = folder.join("diffusion_pytorch_model.safetensors");
    let mut tensors = read_tensors(&path, Kind::Float, CPU).unwrap();
    change(&mut tensors);
    write_tensors(&path, &tensors, None).unwrap();
}

#[test]
fn a_model_comes_back_from_its_folder() {
    let folder = saved();
    let loaded = load(folder.path()).unwrap();
    assert_eq!(*loaded.config(), config());
    assert_eq!(loaded.variables().variables(), fresh().variables().variables());
}

#[test]
fn older_names_and_shapes_are_the_same_model() {
    let folder = saved();
    let mut renamed = 0;
    change(folder.path(), |tensors| {
        for (name, tensor) in std::mem::take(tensors) {
            let (module, parameter) = name.rsplit_once('.').unwrap();
            let old = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")];
            let old = old.iter().find_map(|(new, old)| Some(format!("{}{old}.{parameter}", module.strip_suffix(new)?)));
            renamed += usize::from(old.is_some());
            let tensor = if old.is_some() && tensor.dim() == 2 { tensor.unsqueeze(-1).unsqueeze(-1) } else { tensor };
            tensors.insert(old.unwrap_or(name), tensor);
        }
    });
    assert_eq!(renamed, 16);
    assert_eq!(load(folder.path()).unwrap().variables().variables(), fresh().variables().variables());
}

#[test]
fn a_key_too_many_or_too_few_is_named() {
    let folder = saved();
    change(folder.path(), |tensors| {
        let weight = tensors.remove("quant_conv.weight").unwrap();
        tensors.insert("decoder.mid_block.attentions.0.query.bias".into(), weight.flatten(0, -1).narrow(0, 0, 8));
    });
    let error = load(folder.path()).unwrap_err().to_string();
    let twice = "left over: decoder.mid_block.attentions.0.";
    assert!(error.contains("1 missing: quant_conv.weight") && error.contains(twice), "{error}");
}

#[test]
fn float16_is_float32_where_the_model_overflows() {
    let folder = saved();
    let kind = |asked| AutoencoderKl::load(folder.path(), asked, CPU).unwrap().kind();
    assert_eq!([Kind::Half, Kind::BFloat16, Kind::Float].map(kind), [Kind::Float, Kind::BFloat16, Kind::Float]);
    AutoencoderKlConfig { force_upcast: false, ..config() }.write(&folder.path().join("config.json")).unwrap();
    assert_eq!(kind(Kind::Half), Kind::Half);
}

#[test]
fn bfloat16_is_close_and_gives_back_the_dtype_it_is_given() {
    let folder = saved();
    let half = AutoencoderKl::load(folder.path(), Kind::BFloat16, CPU).unwrap();
    let (pictures, z) = (input("pictures", &[2, 3, 16, 16]), input("z", &[2, 4, 8, 8]));
    let (latents, decoded) = (half.to_latents(&pictures, None), half.decode(&z));
    assert_eq!([latents.kind(), decoded.kind()], [Kind::Float; 2]);
    // Of 8 bits of mantissa some are lost on the way through two dozen layers.
    assert_within(0.05, "latents", &latents, &fresh().to_latents(&pictures, None));
    assert_within(0.05, "decoded", &decoded, &fresh().decode(&z));
    assert_ne!(decoded, fresh().decode(&z));
}

#[test]
fn gradients_reach_what_is_given_and_no_weight() {
    let vae = fresh().with_slicing(true).with_tiling(true);
    let latents = || input("z", &[2, 4, 8, 10]).set_requires_grad(true);
    let loss = |pictures: Tensor| pictures.square().sum(Kind::Float);
    let plain = latents();
    loss(vae.to_pictures(&plain)).backward();
    let (recomputed, tape) = (latents(), Tape::new());
    let pictures = vae.to_pictures_on(&tape, &recomputed);
    assert!(tape.len() > 10);
    tape.backward(loss(pictures)).unwrap();
    assert_within(1e-6, "gradient by the latents", &recomputed.grad(), &plain.grad());
    assert!(vae.variables().variables().values().all(|t| !t.grad().defined()));
}
