use super::*;
use crate::layers::{Conv2d, ConvConfig, Linear};
use crate::rng::Rng;
use tch::{Device, Kind, Tensor, nn, no_grad};

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

fn targets() -> Vec<LoraTarget> {
    let target = |path: &str, shape: &[i64]| LoraTarget { path: path.into(), shape: shape.into() };
    vec![target("a.conv1", &[6, 4, 3, 3]), target("a.to_q", &[5, 8]), target("b.to_q", &[2, 8])]
}

/// A LoRA that does something.
fn lora(seed: u64) -> Lora {
    let (lora, _) = Lora::new(&targets(), 3, 6.0, seed);
    for (i, up) in (0..).zip(lora.layers.values().map(|l| &l.up)) {
        let value = Rng::at(seed, "up", i).randn(&up.size(), CPU);
        no_grad(|| up.shallow_clone().copy_(&value));
    }
    lora
}

fn close(a: &Tensor, b: &Tensor) -> bool {
    a.size() == b.size() && (a - b).abs().max().double_value(&[]) < 1e-5
}

#[test]
fn a_new_lora_adds_nothing_and_is_a_function_of_the_seed() {
    let (first, clipped) = Lora::new(&targets(), 3, 6.0, 1);
    assert_eq!(clipped, [Clipped { path: "b.to_q".into(), rank: 2 }]);
    assert_eq!(first.delta("a.to_q").unwrap().abs().max().double_value(&[]), 0.0);
    assert!(first.layers.values().all(|layer| layer.scale() == 2.0));
    assert!(first.tensors().iter().all(Tensor::requires_grad));
    let bound = 1.0 / f64::sqrt(8.0);
    let largest = first.layers["a.to_q"].down.abs().max().double_value(&[]);
    assert!(largest <= bound && largest > 0.8 * bound, "{largest}");
    let down = |targets: &[LoraTarget], seed| Lora::new(targets, 3, 6.0, seed).0.layers["a.to_q"].down.copy();
    assert_eq!(down(&targets()[1..], 1), first.layers["a.to_q"].down);
    assert_ne!(down(&targets(), 2), first.layers["a.to_q"].down);
}

#[test]
fn adapters_act_as_their_delta_in_the_weight_would() {
    let vs = nn::VarStore::new(Device::Cpu);
    let linear = Linear::new(&(vs.root() / "a" / "to_q"), 8, 5, false);
    let conv_config = ConvConfig { kernel: 3, stride: 2, padding: 1 };
    let conv = Conv2d::new(&(vs.root() / "a" / "conv1"), 4, 6, conv_config);
    crate::layers::init_weights(&vs, 0);
    let (one, two) = (lora(1), lora(2));
    let adapters = Adapters::one(&one).with(&two, -0.5);
    let delta = |path| one.delta(path).unwrap() - two.delta(path).unwrap() * 0.5;
    let variables = vs.variables();
    let x = Rng::at(0, "x", 0).randn(&[2, 7, 8], CPU);
    let fused = x.linear(&(&variables["a.to_q.weight"] + delta("a.to_q")), None::<Tensor>);
    assert!(close(&linear.forward(&x, &adapters), &fused));
    assert!(!close(&linear.forward(&x, &Adapters::none()), &fused));
    let x = Rng::at(0, "x", 1).randn(&[2, 4, 9, 9], CPU);
    let weight = &variables["a.conv1.weight"] + delta("a.conv1");
    let fused = conv_config.apply(&x, &weight, Some(&variables["a.conv1.bias"]));
    assert!(close(&conv.forward(&x, &adapters), &fused));
}

#[test]
fn the_output_keeps_the_dtype_of_the_base() {
    let mut vs = nn::VarStore::new(Device::Cpu);
    let linear = Linear::new(&(vs.root() / "a" / "to_q"), 8, 5, true);
    crate::layers::init_weights(&vs, 0);
    vs.bfloat16();
    let lora = lora(1);
    let x = Rng::at(0, "x", 0).randn(&[2, 8], (Kind::BFloat16, Device::Cpu));
    let y = linear.forward(&x, &Adapters::one(&lora));
    assert_eq!(y.kind(), Kind::BFloat16);
    y.to_kind(Kind::Float).sum(Kind::Float).backward();
    assert_eq!(lora.layers["a.to_q"].down.grad().kind(), Kind::Float);
}

#[test]
fn an_average_moves_by_its_decay_and_shares_nothing() {
    let (source, mut average) = (lora(1), lora(2).deep_copy());
    let expected = &average.layers["a.to_q"].up * 0.75 + &source.layers["a.to_q"].up * 0.25;
    let copy = average.deep_copy();
    average.ema_update(&source, 0.75).unwrap();
    assert!(close(&average.layers["a.to_q"].up, &expected));
    assert!(average.tensors().iter().all(|t| !t.requires_grad()));
    assert!(!close(&copy.layers["a.to_q"].up, &expected));
    let (other, _) = Lora::new(&targets()[..2], 3, 6.0, 0);
    let error = average.ema_update(&other, 0.5).unwrap_err().to_string();
    assert_eq!(error, "lora: b.to_q differs between average and source");
}

#[test]
fn what_does_not_fit_is_named() {
    let lora = lora(1);
    lora.check(&targets()).unwrap();
    lora.check_rank(&targets(), 3).unwrap();
    let error = lora.check_rank(&targets(), 4).unwrap_err().to_string();
    assert_eq!(error, "lora: a.conv1 has rank 3 where 4 is asked for; a.to_q has rank 3 where 4 is asked for");
    let mut smaller = targets();
    smaller[1].shape = vec![5, 9];
    let error = lora.check(&smaller[..2]).unwrap_err().to_string();
    assert_eq!(error, "lora: a.to_q adapts [5, 8] where the model has [5, 9]; b.to_q is no module of the model");
}

#[test]
fn names_choose_modules_by_their_ends() {
    let chosen = select_targets(&targets(), &["to_q"]).unwrap();
    assert_eq!(chosen, targets()[1..]);
    assert_eq!(select_targets(&targets(), &["b.to_q", "conv1"]).unwrap().len(), 2);
    assert_eq!(select_targets(&targets(), &LORA_TARGETS).unwrap(), targets());
    let error = select_targets(&targets(), &["q", "to_q"]).unwrap_err().to_string();
    assert_eq!(error, "lora: no module is named q");
    assert!(select_targets(&targets(), &["to_k"]).is_err());
}

#[test]
fn merging_takes_modules_that_only_one_has() {
    let whole = lora(1);
    let mut part = lora(2);
    part.layers.remove("a.to_q");
    let merged = concat(&[(&whole, 1.0), (&part, 2.0)]).unwrap();
    assert!(close(&merged.delta("a.to_q").unwrap(), &whole.delta("a.to_q").unwrap()));
    let (kept, errors) = truncate(&merged, 100).unwrap();
    assert!(errors.total < 1e-12, "{errors:?}");
    assert_eq!(kept.layers["b.to_q"].rank(), 2);
    for path in merged.layers.keys() {
        assert!(close(&kept.delta(path).unwrap(), &merged.delta(path).unwrap()), "{path}");
    }
    assert!(truncate(&merged, 0).is_err());
    assert!(concat(&[]).is_err());
    part.layers.insert("a.to_q".into(), lora(2).layers.remove("b.to_q").unwrap());
    let error = concat(&[(&whole, 1.0), (&part, 1.0)]).unwrap_err().to_string();
    assert_eq!(error, "lora: a.to_q has different shapes in the LoRAs to merge");
}

#[test]
fn nothing_truncated_is_no_error() {
    let (empty, _) = Lora::new(&targets(), 3, 6.0, 1);
    let (truncated, errors) = truncate(&empty, 1).unwrap();
    assert_eq!(errors.total, 0.0);
    assert_eq!(truncated.delta("a.conv1").unwrap().abs().max().double_value(&[]), 0.0);
}

#[test]
fn halves_that_do_not_fit_each_other_are_refused() {
    let path = tempfile::NamedTempFile::new().unwrap();
    let mut wrong = lora(1);
    wrong.layers.get_mut("a.to_q").unwrap().up = Tensor::ones([5, 4], CPU);
    write_kohya(&wrong, path.path()).unwrap();
    let error = read_kohya(path.path(), &targets(), Device::Cpu).unwrap_err().to_string();
    let place = path.path().display();
    assert_eq!(error, format!("lora: {place}: a.to_q: down [3, 8], up [5, 4] and alpha 6 do not fit together"));
    write_kohya(&Lora::default(), path.path()).unwrap();
    let error = read_kohya(path.path(), &targets(), Device::Cpu).unwrap_err().to_string();
    assert!(error.ends_with("holds no adapter"), "{error}");
}

#[test]
fn a_kohya_file_without_alpha_has_scale_one() {
    let path = tempfile::NamedTempFile::new().unwrap();
    write_kohya(&lora(1), path.path()).unwrap();
    let mut tensors = crate::weights::read_tensors(path.path(), Kind::Float, Device::Cpu).unwrap();
    tensors.retain(|key, _| !key.ends_with(".alpha"));
    crate::weights::write_tensors(path.path(), &tensors, None).unwrap();
    let read = read_kohya(path.path(), &targets(), Device::Cpu).unwrap();
    assert!(read.layers.values().all(|layer| layer.scale() == 1.0));
}

#[test]
fn other_adapters_in_kohya_files_are_refused_by_name() {
    let path = tempfile::NamedTempFile::new().unwrap();
    write_kohya(&lora(1), path.path()).unwrap();
    let tensors = crate::weights::read_tensors(path.path(), Kind::Float, Device::Cpu).unwrap();
    for (key, kind) in [
        ("lora_unet_a_to_q.dora_scale", "is a DoRA"),
        ("lora_unet_a_to_q.hada_w1_a", "is a LoHa"),
        ("lora_unet_a_to_q.lokr_w1", "is a LoKr"),
        ("lora_unet_a_conv1.lora_mid.weight", "is a LoRA of three factors"),
        ("lora_te_text_model_encoder_layers_0_mlp_fc1.alpha", "also has 1 module of text encoders"),
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha", "also has 1 module of text encoders"),
    ] {
        let mut tensors: std::collections::BTreeMap<_, _> =
            tensors.iter().map(|(key, t)| (key.clone(), t.shallow_clone())).collect();
        tensors.insert(key.into(), Tensor::ones([1], CPU));
        crate::weights::write_tensors(path.path(), &tensors, None).unwrap();
        for error in [
            read_kohya(path.path(), &targets(), Device::Cpu).unwrap_err(),
            read_kohya_flat(path.path(), Device::Cpu).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains(&format!("{kind} ({key}")), "{error}");
        }
    }
}

#[test]
fn one_rank_and_alpha_for_all_change_nothing() {
    let mut lora = lora(1);
    lora.layers.get_mut("a.to_q").unwrap().alpha = 1e-5;
    let uniform = lora.uniform();
    for (path, layer) in &uniform.layers {
        assert_eq!((layer.rank(), layer.alpha, layer.scale()), (3, 3.0, 1.0), "{path}");
        let (ours, theirs) = (layer.delta(), lora.delta(path).unwrap());
        assert!(close(&(ours / theirs.norm()), &(&theirs / theirs.norm())), "{path}");
        assert!(!layer.up.requires_grad() && !layer.down.requires_grad());
        let [up, down] = [&layer.up, &layer.down].map(|half| half.norm().double_value(&[]));
        assert!((0.5..=2.0).contains(&(up / down)), "{path} {up} {down}");
    }
    assert_eq!(lora.layers["b.to_q"].rank(), 2);
    assert_eq!(Lora::default().uniform().layers.len(), 0);
    let untrained = Lora::new(&targets(), 3, 6.0, 1).0.uniform();
    assert_eq!(untrained.delta("a.to_q").unwrap().abs().max().double_value(&[]), 0.0);
}

#[test]
fn a_module_under_two_names_is_refused() {
    let path = tempfile::NamedTempFile::new().unwrap();
    let module = LoraTarget { path: "down_blocks.0.resnets.0.conv1".into(), shape: vec![6, 4, 3, 3] };
    let published = LoraTarget { path: "input_blocks.1.0.in_layers.2".into(), ..module.clone() };
    let (both, _) = Lora::new(&[module.clone(), published.clone()], 1, 1.0, 0);
    write_kohya(&both, path.path()).unwrap();
    let error = read_lora(path.path(), std::slice::from_ref(&module), None, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("3 left over: lora_unet_input_blocks_1_0_in_layers_2.alpha"), "{error}");
    write_kohya(&Lora::new(&[published], 1, 1.0, 0).0, path.path()).unwrap();
    assert!(read_lora(path.path(), std::slice::from_ref(&module), None, Device::Cpu).is_ok());
    assert!(read_kohya(path.path(), &[module], Device::Cpu).is_err());
}

#[test]
fn norms_are_those_of_the_deltas() {
    let lora = lora(4);
    let norms = lora.view().norms();
    assert_eq!(norms.keys().collect::<Vec<_>>(), lora.layers.keys().collect::<Vec<_>>());
    for (path, norm) in norms {
        let delta = lora.delta(&path).unwrap().norm().double_value(&[]);
        assert!((norm - delta).abs() < 1e-5 * delta, "{path}: {norm} and {delta}");
    }
    let (fresh, _) = Lora::new(&targets(), 3, 6.0, 1);
    assert!(fresh.norms().values().all(|norm| *norm == 0.0));
    assert!(Lora::default().norms().is_empty());
}
