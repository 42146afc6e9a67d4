//! Tiny checkpoints of each structure: every tensor is the one that diffusers makes, and the folder opens.

use super::*;
use crate::clip::{self, ClipTextModel, ClipTokenizer};
use crate::schedulers::{PredictionType, SchedulerConfig};
use crate::vae::AutoencoderKl;
use crate::{ModelIndex, TextEncoders, unet};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Shape and checksum of every tensor.
fn sums(converted: &BTreeMap<String, BTreeMap<String, Tensor>>) -> Value {
    let sum = |tensor: &Tensor| {
        let mut bytes = vec![0; tensor.numel() * 4];
        tensor.copy_data_u8(&mut bytes, tensor.numel());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        serde_json::json!([tensor.size(), crc.sum()])
    };
    let part = |tensors: &BTreeMap<String, Tensor>| tensors.iter().map(|(name, t)| (name.clone(), sum(t))).collect();
    converted.iter().map(|(component, tensors)| (component.clone(), Value::Object(part(tensors)))).collect()
}

fn assert_is_diffusers(tiny: &Tiny) {
    let (ours, theirs) = (sums(&tiny.converted()), &tiny.fixture["tensors"]);
    for (component, tensors) in theirs.as_object().unwrap() {
        let (ours, theirs) = (ours[component].as_object().unwrap(), tensors.as_object().unwrap());
        assert_eq!(ours.len(), theirs.len(), "{component}");
        for (name, sum) in theirs {
            assert_eq!(&ours[name], sum, "{} {component} {name}", tiny.family);
        }
    }
}

#[test]
fn every_tensor_is_that_of_diffusers() {
    for (name, family) in FAMILIES {
        let tiny = Tiny::new(name);
        tiny.convert_with_config().unwrap();
        assert_eq!(Family::of(&Weights::open(&tiny.write()).unwrap()).unwrap(), family);
        assert_is_diffusers(&tiny);
    }
}

#[test]
fn what_other_programs_add_changes_nothing() {
    let mut tiny = Tiny::new("sdxl");
    for key in [
        "model_ema.diffusion_modelinput_blocks00weight",
        "model_ema.decay",
        "conditioner.embedders.0.logit_scale",
        "conditioner.embedders.0.transformer.text_projection.weight",
        "global_step",
    ] {
        tiny.tensors.insert(key.into(), Tensor::from_slice(&[1i64]));
    }
    tiny.convert_with_config().unwrap();
    assert_is_diffusers(&tiny);
}

#[test]
fn old_names_of_a_text_encoder() {
    let mut tiny = Tiny::new("sd15");
    let tensors = std::mem::take(&mut tiny.tensors);
    tiny.tensors = tensors.into_iter().map(|(key, tensor)| (key.replace("text_model.", ""), tensor)).collect();
    tiny.convert_with_config().unwrap();
    assert_is_diffusers(&tiny);
}

#[test]
fn dtypes_stay_and_nothing_is_rounded() {
    for kind in [Kind::Half, Kind::BFloat16] {
        let mut tiny = Tiny::new("sdxl");
        tiny.convert_with_config().unwrap();
        let whole = tiny.converted();
        let floating = tiny.tensors.values_mut().filter(|tensor| tensor.is_floating_point());
        floating.for_each(|tensor| *tensor = tensor.to_kind(kind));
        tiny.convert_with_config().unwrap();
        for (component, tensors) in tiny.converted() {
            for (name, tensor) in tensors {
                assert_eq!(tensor.kind(), kind, "{name}");
                assert_eq!(tensor, whole[&component][&name].to_kind(kind), "{name}");
            }
        }
    }
}

/// Writes a checkpoint with all matrices and kernels in eight bits, each code the next, and the rest in float16.
fn write_in_eight_bits(tiny: &Tiny, scaled: bool) -> PathBuf {
    let mut all: Vec<(String, Dtype, Vec<i64>, Vec<u8>)> = Vec::new();
    for (i, (key, tensor)) in tiny.tensors.iter().enumerate() {
        let (size, count) = (tensor.size(), tensor.numel());
        if tensor.dim() < 2 || !tensor.is_floating_point() {
            let mut bytes = vec![0; 2 * count];
            tensor.to_kind(Kind::Half).copy_data_u8(&mut bytes, count);
            all.push((key.clone(), Dtype::F16, size, bytes));
            continue;
        }
        // All codes but the two that are no numbers.
        let codes = (0..count).map(|at| ((at + i) % 127 + 128 * (at % 2)) as u8).collect();
        all.push((key.clone(), Dtype::F8_E4M3, size, codes));
        if let Some(module) = key.strip_suffix("weight").filter(|_| scaled) {
            let scale = (0.01 + i as f32 * 1e-4).to_le_bytes().to_vec();
            all.push((format!("{module}scale_weight"), Dtype::F32, vec![], scale));
        }
    }
    let view = |(key, dtype, size, bytes): &'_ (String, Dtype, Vec<i64>, Vec<u8>)| {
        let shape = size.iter().map(|&side| side as usize).collect();
        (key.clone(), *dtype, shape, bytes.clone())
    };
    let path = tiny.path("eight.safetensors");
    let views: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = all.iter().map(view).collect();
    let views = views
        .iter()
        .map(|(key, dtype, shape, bytes)| (key.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &path).unwrap();
    path
}

#[test]
fn a_checkpoint_in_eight_bits_is_widened() {
    for (family, scaled, wide) in
        [("sd15", true, Kind::Float), ("sdxl", true, Kind::Float), ("sd21", false, Kind::BFloat16)]
    {
        let mut tiny = Tiny::new(family);
        let path = write_in_eight_bits(&tiny, scaled);
        let config = tiny.path("config");
        let options = SingleFileOptions { config: Some(&config), ..Default::default() };
        let source = ModelSource::of_single_file(&path, &options).unwrap();
        let format = if scaled { "unet F16 and F8_E4M3 with scales" } else { "unet F16 and F8_E4M3" };
        assert!(source.summary().contains(format), "{}", source.summary());
        source.write(&tiny.path("out"), |_, _| Ok::<_, DiffusionError>(())).unwrap();
        let converted = tiny.converted();
        // The same numbers in float32 are the same model.
        tiny.tensors = crate::weights::read_tensors(&path, Kind::Float, CPU).unwrap();
        tiny.convert_with_config().unwrap();
        for (component, tensors) in tiny.converted() {
            for (name, tensor) in tensors {
                let ours = &converted[&component][&name];
                assert_eq!(ours.to_kind(Kind::Float), tensor, "{component} {name}");
                if tensor.dim() > 1 && name.ends_with("conv1.weight") {
                    assert_eq!(ours.kind(), wide, "{component} {name}");
                }
            }
        }
    }
}

#[test]
fn what_was_taken_is_told() {
    let summary = |tiny: &Tiny, prediction_type| {
        let config = tiny.path("config");
        let options = SingleFileOptions { prediction_type, config: Some(&config), ..Default::default() };
        ModelSource::of_single_file(&tiny.write(), &options).unwrap().summary()
    };
    let mut tiny = Tiny::new("sdxl");
    assert_eq!(
        summary(&tiny, None),
        "SDXL base; predicts epsilon; the only weights (no model_ema); unet F32, vae F32, text_encoder F32, text_encoder_2 F32"
    );
    for mark in ["v_pred", "ztsnr"] {
        tiny.tensors.insert(mark.into(), Tensor::zeros([0], (Kind::Float, CPU)));
    }
    tiny.tensors.insert("model_ema.decay".into(), Tensor::from(1f32));
    let bias = tiny.tensors.get_mut("model.diffusion_model.out.2.bias").unwrap();
    *bias = bias.to_kind(Kind::Half);
    assert_eq!(
        summary(&tiny, None),
        "SDXL base; predicts v, zero terminal SNR; the weights that were trained, without their average (model_ema); unet \
         F16 and F32, vae F32, text_encoder F32, text_encoder_2 F32"
    );
    assert!(
        summary(&Tiny::new("sd21"), Some(PredictionType::Epsilon)).starts_with("Stable Diffusion 2; predicts epsilon;")
    );
}

#[test]
fn the_folder_opens_and_its_bytes_are_a_function_of_the_file() {
    for (name, _) in FAMILIES {
        let tiny = Tiny::new(name);
        tiny.convert_with_config().unwrap();
        let out = tiny.path("out");
        unet::load(&out.join("unet"), Kind::Float, CPU).unwrap();
        AutoencoderKl::load(&out.join("vae"), Kind::Float, CPU).unwrap();
        TextEncoders::load(&out, Kind::Float, CPU).unwrap();
        assert!(SchedulerConfig::read(&out.join("scheduler")).is_ok());
        assert!(ModelIndex::read(&out).unwrap().vae);
        let before = files(&out);
        fs::remove_dir_all(&out).unwrap();
        tiny.convert_with_config().unwrap();
        assert_eq!(files(&out), before);
    }
}

#[test]
fn what_a_model_predicts_is_asked_of_the_option_then_the_file_then_diffusers() {
    use PredictionType::{Epsilon, VPrediction};
    let published = |family: &'static str, marks: &[&str], prediction_type| {
        let mut tiny = Tiny::new(family);
        for mark in marks {
            tiny.tensors.insert((*mark).into(), Tensor::zeros([0], (Kind::Float, CPU)));
        }
        fs::remove_dir_all(tiny.path("config/scheduler")).unwrap();
        let weights = Weights::open(&tiny.write()).unwrap();
        let options = SingleFileOptions { prediction_type, ..Default::default() };
        source::scheduler(&weights, Family::of(&weights).unwrap(), &options).unwrap()
    };
    for (family, marks, option, expected, rescaled) in [
        ("sd15", &[][..], None, "epsilon", false),
        ("sd21", &[], None, "v_prediction", false),
        ("sdxl", &[], None, "epsilon", false),
        ("sdxl", &["v_pred"], None, "v_prediction", false),
        ("sdxl", &["v_pred", "ztsnr"], None, "v_prediction", true),
        ("sdxl", &["v_pred", "ztsnr"], Some(Epsilon), "epsilon", false),
        ("sd21", &[], Some(Epsilon), "epsilon", false),
        ("sd15", &[], Some(VPrediction), "v_prediction", false),
    ] {
        let scheduler = published(family, marks, option);
        assert_eq!(scheduler["prediction_type"], expected, "{family} {marks:?}");
        assert_eq!(scheduler["rescale_betas_zero_snr"] == true, rescaled, "{family} {marks:?}");
        let spacing = if rescaled { "trailing" } else { "leading" };
        assert_eq!(scheduler["timestep_spacing"], spacing, "{family} {marks:?}");
    }
}

#[test]
fn a_header_says_what_the_model_predicts() {
    for (text, expected) in [("v", "v_prediction"), ("epsilon", "epsilon"), ("x", "v_prediction")] {
        let tiny = Tiny::new("sd21");
        let entry = crate::weights::Entry { name: "modelspec.prediction_type", text };
        let path = tiny.path("marked.safetensors");
        write_tensors(&path, &tiny.tensors, Some(entry)).unwrap();
        let weights = Weights::open(&path).unwrap();
        let found = source::scheduler(&weights, Family::StableDiffusion2, &Default::default()).unwrap();
        assert_eq!(found["prediction_type"], expected, "{text}");
    }
}

#[test]
fn a_512_pixel_stable_diffusion_2_is_the_one_that_predicts_noise() {
    for (prediction, side) in [(PredictionType::Epsilon, 64), (PredictionType::VPrediction, 96)] {
        let parts = configs::parts(Family::StableDiffusion2, prediction);
        assert_eq!(parts.unet.sample_size.unwrap().get(0), side);
    }
}

#[test]
fn tokenizers_pad_as_the_model_was_trained() {
    let folder = tempfile::tempdir().unwrap();
    ClipTokenizer::train(&["a!"], 0, 16).unwrap().write(folder.path()).unwrap();
    for (family, pads) in [("sd15", &["<|endoftext|>"][..]), ("sd21", &["!"]), ("sdxl", &["<|endoftext|>", "!"])] {
        let tiny = Tiny::new(family);
        let config = tiny.path("config");
        let options = SingleFileOptions { tokenizer: Some(folder.path()), config: Some(&config), ..Default::default() };
        tiny.convert(&options).unwrap();
        for (name, pad) in ["tokenizer", "tokenizer_2"].iter().zip(pads) {
            let map = tiny.path("out").join(name).join("special_tokens_map.json");
            let map: Value = serde_json::from_str(&fs::read_to_string(map).unwrap()).unwrap();
            assert_eq!(map["pad_token"], *pad, "{family} {name}");
            assert!(ClipTokenizer::read(&tiny.path("out").join(name)).is_ok());
        }
        assert_eq!(tiny.path("out/tokenizer_2").exists(), pads.len() == 2);
    }
}

#[test]
fn the_first_encoder_reads_what_it_read_before() {
    let tiny = Tiny::new("sd21");
    tiny.convert_with_config().unwrap();
    let (vs, ..) = clip::load::<ClipTextModel>(&tiny.path("out/text_encoder"), Kind::Float, CPU).unwrap();
    let q = &vs.variables()["text_model.encoder.layers.1.self_attn.q_proj.weight"];
    let all = &tiny.tensors["cond_stage_model.model.transformer.resblocks.1.attn.in_proj_weight"];
    assert_eq!(*q, all.narrow(0, 0, 8));
}
