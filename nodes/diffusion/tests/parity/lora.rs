//! LoRA files and merging against diffusers, peft and a float64 SVD: fixtures by tests/parity/lora.py.

use crate::support::{assert_close, config, fixtures, weight};
use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::lora::{
    Lora, LoraLayer, LoraTarget, concat, read_kohya, read_lora, truncate, write_kohya, write_peft,
};
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{WeightFile, read_tensors, write_tensors};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tch::{Device, Kind, Tensor, nn};

/// Files by diffusers say their alphas.
fn read_said(path: &Path, modules: &[LoraTarget], device: Device) -> Result<Lora, DiffusionError> {
    read_lora(path, modules, None, device)
}

type Reader = fn(&Path, &[LoraTarget], Device) -> Result<Lora, DiffusionError>;
type Writer = fn(&Lora, &Path) -> Result<(), DiffusionError>;

fn modules() -> Vec<LoraTarget> {
    let config = UNet2DConditionConfig::read(config("digits").path()).unwrap();
    UNet2DConditionModel::new(&nn::VarStore::new(Device::Cpu), &config).unwrap().modules().to_vec()
}

/// The formula's factors for a module.
fn factors(prefix: &str, target: &LoraTarget, rank: i64, alpha: f64) -> LoraLayer {
    let (mut down, mut up) = (target.shape.clone(), vec![1; target.shape.len()]);
    down[0] = rank;
    (up[0], up[1]) = (target.shape[0], rank);
    let tensor = |part: &str, shape: &[i64]| weight(&format!("{prefix}.{}.{part}", target.path), shape);
    LoraLayer { down: tensor("down", &down), up: tensor("up", &up), alpha }
}

fn assert_same(ours: &Lora, theirs: &Lora) {
    assert_eq!(ours.layers.keys().collect::<Vec<_>>(), theirs.layers.keys().collect::<Vec<_>>());
    for (path, layer) in &ours.layers {
        assert_eq!((layer.alpha, layer.rank()), (theirs.layers[path].alpha, theirs.layers[path].rank()), "{path}");
        assert_eq!(layer.delta(), theirs.layers[path].delta(), "{path}");
    }
}

/// Reads a file by Python, compares it with the formula, writes it and reads it back.
fn round_trip(file: &str, read: Reader, write: Writer, rank_alpha: fn(&str) -> (i64, f64)) {
    let modules = modules();
    let theirs = fixtures().join(file);
    let lora = read(&theirs, &modules, Device::Cpu).unwrap();
    assert_eq!(lora.layers.len(), 30);
    for target in modules.iter().filter(|m| lora.layers.contains_key(&m.path)) {
        let (rank, alpha) = rank_alpha(&target.path);
        let expected = factors("lora", target, rank, alpha);
        assert_close(&target.path, &lora.delta(&target.path).unwrap(), &expected.delta());
    }
    let directory = tempfile::tempdir().unwrap();
    let ours = directory.path().join("ours.safetensors");
    write(&lora, &ours).unwrap();
    assert_same(&read(&ours, &modules, Device::Cpu).unwrap(), &lora);
    let keys = |path| WeightFile::open(path).unwrap().keys().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(keys(&ours), keys(&theirs));
}

#[test]
fn kohya_files_are_read_and_written_as_diffusers_does() {
    round_trip("lora_kohya.safetensors", read_kohya, write_kohya, |_| (2, 3.0));
}

#[test]
fn peft_files_are_read_and_written_as_diffusers_does() {
    let rank_alpha = |path: &str| if path.ends_with("to_q") { (3, 5.0) } else { (2, 3.0) };
    round_trip("lora_peft.safetensors", read_said, write_peft, rank_alpha);
}

#[test]
fn keys_that_fit_no_module_are_refused_by_name() {
    let modules = modules();
    for (file, read, key) in [
        ("lora_kohya.safetensors", read_kohya as Reader, "lora_unet_mid_block_resnets_7_conv1.lora_up.weight"),
        ("lora_peft.safetensors", read_said, "unet.mid_block.resnets.7.conv1.lora_B.weight"),
    ] {
        let mut tensors = read_tensors(&fixtures().join(file), Kind::Float, Device::Cpu).unwrap();
        tensors.insert(key.to_owned(), Tensor::ones([16, 2, 1, 1], (Kind::Float, Device::Cpu)));
        let dropped = tensors.keys().find(|k| k.contains("down.") || k.contains("lora_A")).cloned().unwrap();
        tensors.remove(&dropped);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(file);
        write_tensors(&path, &tensors, None).unwrap();
        match read(&path, &modules, Device::Cpu) {
            Err(DiffusionError::Keys { report, .. }) => {
                assert_eq!(report.left_over, [key]);
                assert_eq!(report.missing, [dropped]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn merging_equals_the_sum_and_its_svd() {
    let expected = read_tensors(&fixtures().join("lora_merge.safetensors"), Kind::Double, Device::Cpu).unwrap();
    let paths = expected.keys().filter_map(|key| key.strip_suffix(".sum"));
    let targets: Vec<_> =
        paths.map(|path| LoraTarget { path: path.into(), shape: expected[&format!("{path}.sum")].size() }).collect();
    assert_eq!(targets.len(), 4);
    let lora = |prefix, rank, alpha| Lora {
        layers: targets.iter().map(|t| (t.path.clone(), factors(prefix, t, rank, alpha))).collect::<BTreeMap<_, _>>(),
    };
    let (a, b) = (lora("a", 2, 3.0), lora("b", 3, 1.5));
    let sum = concat(&[(&a, 0.75), (&b, -0.5)]).unwrap();
    let (truncated, errors) = truncate(&sum, 2).unwrap();
    for LoraTarget { path, .. } in &targets {
        assert_eq!((sum.layers[path].rank(), truncated.layers[path].rank()), (5, 2));
        assert_close(path, &sum.delta(path).unwrap(), &expected[&format!("{path}.sum")]);
        assert_close(path, &truncated.delta(path).unwrap(), &expected[&format!("{path}.truncated")]);
        assert_close(path, &Tensor::from_slice(&[errors.modules[path]]), &expected[&format!("{path}.error")]);
    }
    assert_close("total", &Tensor::from_slice(&[errors.total]), &expected["total"]);
}
