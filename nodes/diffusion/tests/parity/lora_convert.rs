//! Adapters that are no plain LoRA, made into one: a fixture by tests/parity/lora_convert.py.

use crate::lora_spellings::{Described, modules, write_described};
use crate::support::{assert_within, config, fill, fixtures, sketch};
use flate2::read::GzDecoder;
use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::lora::{PublishedLora, extract, fuse, read_lora};
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{Weights, save_var_store};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use tch::{Device, Kind, Tensor, nn};

#[derive(Deserialize)]
struct Case {
    tensors: BTreeMap<String, Described>,
    alpha: Option<f64>,
    rank: i64,
    delta: BTreeMap<String, Vec<f64>>,
    nearest: BTreeMap<String, Vec<f64>>,
    error: BTreeMap<String, f64>,
}

fn cases() -> BTreeMap<String, Case> {
    let file = File::open(fixtures().join("lora_convert.json.gz")).unwrap();
    serde_json::from_reader(GzDecoder::new(file)).unwrap()
}

/// The weights of the "sd15" UNet by the formula, as a file.
fn base(folder: &Path) -> Weights {
    let config = UNet2DConditionConfig::read(config("sd15").path()).unwrap();
    let vs = nn::VarStore::new(Device::Cpu);
    UNet2DConditionModel::new(&vs, &config).unwrap();
    fill(&vs);
    let path = folder.join("base.safetensors");
    save_var_store(&vs, &path).unwrap();
    Weights::open(&path).unwrap()
}

fn go_on(_: usize, _: usize) -> Result<(), DiffusionError> {
    Ok(())
}

#[test]
fn other_adapters_become_the_nearest_lora() {
    let (modules, folder) = (modules("sd15"), tempfile::tempdir().unwrap());
    let base = base(folder.path());
    let weight = |module: &str| base.tensor(&format!("{module}.weight"), Kind::Double, Device::Cpu);
    for (name, case) in cases() {
        let path = folder.path().join("adapter.safetensors");
        write_described(&path, &case.tensors, None);
        let refused = read_lora(&path, &modules, case.alpha, Device::Cpu).unwrap_err().to_string();
        assert!(refused.contains("`convert: Svd(rank)`"), "{name}: {refused}");
        // At a rank that holds all, and at a lower one.
        for (rank, expected) in [(4096, &case.delta), (case.rank, &case.nearest)] {
            let published = PublishedLora::open(&path).unwrap().with_alpha(case.alpha);
            let (lora, error) = published.convert(&modules, rank, weight, go_on).unwrap();
            assert!(lora.layers.keys().eq(expected.keys()) && lora.rank() <= rank, "{name}");
            for (module, expected) in expected {
                let delta = lora.layers[module].delta().to_kind(Kind::Double);
                assert_within(
                    1e-5,
                    &format!("{name}: {module}"),
                    &sketch(module, &delta),
                    &Tensor::from_slice(expected),
                );
                let wanted = if rank == 4096 { 0.0 } else { case.error[module] };
                assert!((error.modules[module] - wanted).abs() < 1e-6, "{name}: {module}: {}", error.modules[module]);
            }
            let wanted = if rank == 4096 { 0.0 } else { case.error["total"] };
            assert!((error.total - wanted).abs() < 1e-6, "{name}: {}", error.total);
        }
    }
}

#[test]
fn what_a_lora_added_to_weights_is_extracted_again() {
    let (modules, folder) = (modules("sd15"), tempfile::tempdir().unwrap());
    let base = base(folder.path());
    let vs = nn::VarStore::new(Device::Cpu);
    UNet2DConditionModel::new(&vs, &UNet2DConditionConfig::read(config("sd15").path()).unwrap()).unwrap();
    fill(&vs);
    let case = &cases()["DoRA by inputs"];
    let plain = case.tensors.iter().filter(|(key, _)| !key.ends_with("dora_scale"));
    let path = folder.path().join("lora.safetensors");
    write_described(&path, &plain.map(|(key, value)| (key.clone(), value.clone())).collect(), None);
    let lora = read_lora(&path, &modules, None, Device::Cpu).unwrap();
    fuse(&vs, &lora, 1.0).unwrap();
    let mut bias = vs.variables().remove("conv_in.bias").unwrap();
    let _ = tch::no_grad(|| bias.g_add_scalar_(0.01));
    let tuned = folder.path().join("tuned.safetensors");
    save_var_store(&vs, &tuned).unwrap();
    let tuned = Weights::open(&tuned).unwrap();
    let found = extract(&modules, &tuned, &base, lora.rank(), Device::Cpu, go_on).unwrap();
    assert!(found.lora.layers.keys().eq(lora.layers.keys()));
    for (module, layer) in &lora.layers {
        assert_within(1e-5, module, &found.lora.layers[module].delta(), &layer.delta());
    }
    assert!(found.error.total < 1e-5 && 0.0 < found.left_out && found.left_out < 0.05, "{found:?}");
    let blocks = found.error.blocks();
    assert_eq!(blocks.keys().collect::<Vec<_>>(), ["down_blocks.0", "down_blocks.1"]);
    // Of half the rank, as of a merge.
    let half = extract(&modules, &tuned, &base, 1, Device::Cpu, go_on).unwrap();
    let (cut, error) = hyper_flow_diffusion::lora::truncate(&lora, 1).unwrap();
    assert!((half.error.total - error.total).abs() < 1e-5, "{} {}", half.error.total, error.total);
    for (module, layer) in &cut.layers {
        assert_within(1e-4, module, &half.lora.layers[module].delta(), &layer.delta());
    }
    let error = extract(&modules, &base, &base, 1, Device::Cpu, go_on).unwrap_err().to_string();
    assert_eq!(error, "lora: the two models have equal weights where a LoRA can sit");
}
