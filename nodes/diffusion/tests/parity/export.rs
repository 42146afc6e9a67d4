//! Model folders and LoRA files for tests/parity/open_exported.py, which opens them with diffusers and compares outputs.
//! They lie in `target/tmp/exported`; here, they are read back.

use crate::support::{lora_weight, weight};
use crate::unet::{formula_lora, forward, reference, sizes};
use hyper_flow_diffusion::lora::{Adapters, LORA_TARGETS, Lora, read_kohya, read_lora, write_kohya, write_peft};
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{load_var_store, save_var_store, write_tensors};
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, nn};

fn export(model: &str) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exported").join(model);
    std::fs::create_dir_all(&directory).unwrap();
    let original = reference(model);
    let size = sizes(&original.unet).0;
    let mut lora = formula_lora(&original.unet);
    // One module with an alpha and a rank of its own: they must survive both formats.
    let layer = lora.layers.values_mut().next().unwrap();
    layer.down = weight("own.down", &wider(&layer.down.size(), 0));
    layer.up = weight("own.up", &wider(&layer.up.size(), 1));
    layer.alpha = 7.0;
    original.unet.config().write(&directory.join("config.json")).unwrap();
    save_var_store(&original.vs, &directory.join("diffusion_pytorch_model.safetensors")).unwrap();
    write_kohya(&lora, &directory.join("kohya.safetensors")).unwrap();
    write_peft(&lora, &directory.join("peft.safetensors")).unwrap();
    // As `Export` writes them: of clipped ranks, one for all.
    let clipped = clipped(&original.unet).uniform();
    write_kohya(&clipped, &directory.join("clipped_kohya.safetensors")).unwrap();
    write_peft(&clipped, &directory.join("clipped_peft.safetensors")).unwrap();
    let outputs = BTreeMap::from([
        ("clipped".to_owned(), forward(&original.unet, size, &Adapters::one(&clipped))),
        ("base".to_owned(), forward(&original.unet, size, &Adapters::none())),
        ("lora".to_owned(), forward(&original.unet, size, &Adapters::one(&lora))),
    ]);
    write_tensors(&directory.join("outputs.safetensors"), &outputs, None).unwrap();
    read_back(&directory, size, &outputs);
}

/// A LoRA of a rank above the smaller side of some modules, with an alpha of twice its rank.
fn clipped(unet: &UNet2DConditionModel) -> Lora {
    let rank = 20;
    let (mut lora, clipped) = Lora::new(&unet.lora_targets(&LORA_TARGETS).unwrap(), rank, 40.0, 0);
    assert!(!clipped.is_empty() && clipped.len() < lora.layers.len());
    for (path, layer) in &mut lora.layers {
        layer.up = lora_weight(path, "up", &layer.up.size()) * 0.1;
    }
    lora
}

fn wider(shape: &[i64], dimension: usize) -> Vec<i64> {
    let mut shape = shape.to_vec();
    shape[dimension] += 1;
    shape
}

fn read_back(directory: &Path, size: [i64; 2], outputs: &BTreeMap<String, tch::Tensor>) {
    let config = UNet2DConditionConfig::read(&directory.join("config.json")).unwrap();
    let vs = nn::VarStore::new(Device::Cpu);
    let unet = UNet2DConditionModel::new(&vs, &config).unwrap();
    load_var_store(&vs, &directory.join("diffusion_pytorch_model.safetensors"), "").unwrap();
    assert_eq!(forward(&unet, size, &Adapters::none()), outputs["base"]);
    for lora in [
        read_kohya(&directory.join("kohya.safetensors"), unet.modules(), Device::Cpu).unwrap(),
        read_lora(&directory.join("peft.safetensors"), unet.modules(), None, Device::Cpu).unwrap(),
    ] {
        assert_eq!(forward(&unet, size, &Adapters::one(&lora)), outputs["lora"]);
    }
}

#[test]
fn digits_like() {
    export("digits");
}

#[test]
fn stable_diffusion_1_5_like() {
    export("sd15");
}

#[test]
fn sdxl_like() {
    export("sdxl");
}
