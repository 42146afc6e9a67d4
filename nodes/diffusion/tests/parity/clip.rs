//! CLIP against transformers: fixtures by tests/parity/clip.py.

use crate::support::{assert_close, fill, fixtures, input, weight};
use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::clip::*;
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Kind, Tensor, nn};

fn reference() -> (Value, BTreeMap<String, Tensor>) {
    let text = std::fs::read_to_string(fixtures().join("clip.json")).unwrap();
    let tensors = read_tensors(&fixtures().join("clip.safetensors"), Kind::Float, Device::Cpu).unwrap();
    (serde_json::from_str(&text).unwrap(), tensors)
}

fn config<M: Pretrained>(json: &Value) -> M::Config {
    serde_json::from_value(json.clone()).unwrap()
}

fn ids(json: &Value) -> Tensor {
    let rows: Vec<Vec<i64>> = serde_json::from_value(json["ids"].clone()).unwrap();
    Tensor::from_slice2(&rows)
}

fn pixels() -> Tensor {
    input("pixels", &[3, 1, 8, 8])
}

/// A model with the formula's weights.
fn filled<M: Pretrained>(json: &Value) -> (nn::VarStore, M) {
    let (vs, model) = new::<M>(&config::<M>(json), 0, Device::Cpu).unwrap();
    fill(&vs);
    (vs, model)
}

#[test]
fn text_towers_are_those_of_transformers() {
    let (json, reference) = reference();
    for (name, text) in json["texts"].as_object().unwrap() {
        let (_vs, model) = filled::<ClipTextModelWithProjection>(text);
        let (output, embeds) = model.forward(&ids(&json));
        let close = |what: &str, ours: &Tensor| {
            let what = format!("{name}.{what}");
            assert_close(&what, ours, &reference[&what]);
        };
        close("last_hidden_state", &output.last_hidden_state);
        close("hidden_states", &Tensor::stack(&output.hidden_states, 0));
        close("pooled", &output.pooled);
        close("text_embeds", &embeds);
    }
    let (_vs, bare) = filled::<ClipTextModel>(&json["texts"]["text"]);
    let output = bare.forward(&ids(&json));
    assert_close("bare", &output.last_hidden_state, &reference["text_bare.last_hidden_state"]);
    // The rules of pooling differ where a pad has a higher id than the end.
    assert_ne!(reference["text.pooled"].get(2), reference["text_legacy.pooled"].get(2));
}

#[test]
fn the_image_tower_is_that_of_transformers() {
    let (json, reference) = reference();
    let (_vs, model) = filled::<ClipVisionModelWithProjection>(&json["vision"]);
    let (output, embeds) = model.forward(&pixels());
    assert_close("vision", &output.last_hidden_state, &reference["vision.last_hidden_state"]);
    assert_close("embeds", &embeds, &reference["vision.image_embeds"]);
    // Transformers' first hidden state is the encoder's input, as ours.
    assert_close("states", &Tensor::stack(&output.hidden_states, 0), &reference["vision.hidden_states"]);
}

#[test]
fn the_joint_model_and_its_gradients_are_those_of_transformers() {
    let (json, reference) = reference();
    let (vs, model) = new::<ClipModel>(&config::<ClipModel>(&json["clip"]), 0, Device::Cpu).unwrap();
    fill_joint(&vs);
    let output = model.forward(&ids(&json), &pixels());
    assert_close("text_embeds", &output.text_embeds, &reference["clip.text_embeds"]);
    assert_close("image_embeds", &output.image_embeds, &reference["clip.image_embeds"]);
    assert_close("logits", &output.logits_per_text, &reference["clip.logits_per_text"]);
    (output.logits_per_text * input("loss", &[3, 3])).sum(Kind::Float).backward();
    let gradients: Vec<_> = reference.iter().filter(|(name, _)| name.starts_with("clip.grad.")).collect();
    assert_eq!(gradients.len(), 7);
    for (name, theirs) in gradients {
        assert_close(name, &vs.variables()[name.trim_start_matches("clip.grad.")].grad(), theirs);
    }
}

/// The formula, which has no law for a number alone: that is one.
fn fill_joint(vs: &nn::VarStore) {
    for (name, mut variable) in vs.variables() {
        let shape = variable.size();
        let value = if shape.is_empty() { Tensor::from(1f32) } else { weight(&name, &shape) };
        tch::no_grad(|| variable.copy_(&value));
    }
}

fn shapes(vs: &nn::VarStore) -> BTreeMap<String, Vec<i64>> {
    vs.variables().into_iter().map(|(name, variable)| (name, variable.size())).collect()
}

#[test]
fn keys_and_shapes_are_those_of_transformers() {
    let (json, _) = reference();
    let theirs =
        |name: &str| -> BTreeMap<String, Vec<i64>> { serde_json::from_value(json["keys"][name].clone()).unwrap() };
    let text = &json["texts"]["text"];
    assert_eq!(shapes(&filled::<ClipTextModel>(text).0), theirs("text"));
    assert_eq!(shapes(&filled::<ClipTextModelWithProjection>(text).0), theirs("text_projection"));
    assert_eq!(shapes(&filled::<ClipVisionModelWithProjection>(&json["vision"]).0), theirs("vision"));
    let clip = new::<ClipModel>(&config::<ClipModel>(&json["clip"]), 0, Device::Cpu).unwrap();
    assert_eq!(shapes(&clip.0), theirs("clip"));
}

#[test]
fn fresh_weights_follow_the_laws_of_transformers() {
    let (text, vision) = (
        ClipTextConfig {
            vocab_size: 500,
            hidden_size: 64,
            num_hidden_layers: 3,
            intermediate_size: 128,
            ..Default::default()
        },
        ClipVisionConfig {
            hidden_size: 96,
            num_hidden_layers: 2,
            initializer_factor: 0.5,
            image_size: 32,
            patch_size: 8,
            ..Default::default()
        },
    );
    let config = ClipConfig { text_config: text, vision_config: vision, initializer_factor: 2.0, ..Default::default() };
    let (vs, _) = new::<ClipModel>(&config, 5, Device::Cpu).unwrap();
    let variables = vs.variables();
    // (name, deviation): with widths 64 and 96, depths 3 and 2, factors 1, 0.5 and (joint) 2.
    let laws = [
        ("text_model.embeddings.token_embedding.weight", 0.02),
        ("text_model.embeddings.position_embedding.weight", 0.02),
        ("text_model.encoder.layers.1.self_attn.k_proj.weight", 0.125 / 6f64.sqrt()),
        ("text_model.encoder.layers.1.self_attn.out_proj.weight", 0.125),
        ("text_model.encoder.layers.2.mlp.fc1.weight", 128f64.powf(-0.5)),
        ("text_model.encoder.layers.2.mlp.fc2.weight", 0.125 / 6f64.sqrt()),
        ("vision_model.embeddings.patch_embedding.weight", 0.01),
        ("vision_model.embeddings.position_embedding.weight", 0.01),
        ("vision_model.encoder.layers.0.self_attn.q_proj.weight", 0.5 * 96f64.powf(-0.5) / 2.0),
        ("text_projection.weight", 0.25),
        ("visual_projection.weight", 2.0 * 96f64.powf(-0.5)),
    ];
    for (name, law) in laws {
        let deviation = variables[name].std(true).double_value(&[]);
        assert!((deviation / law - 1.0).abs() < 0.06, "{name}: {deviation} instead of {law}");
    }
    let class = variables["vision_model.embeddings.class_embedding"].std(true).double_value(&[]);
    assert!((class / (0.5 * 96f64.powf(-0.5)) - 1.0).abs() < 0.25, "{class}");
    assert_eq!(variables["vision_model.pre_layrnorm.weight"].min().double_value(&[]), 1.0);
    assert_eq!(variables["text_model.encoder.layers.0.mlp.fc1.bias"].abs().max().double_value(&[]), 0.0);
    assert!((variables["logit_scale"].double_value(&[]) - 2.6592).abs() < 1e-6);

    let again = new::<ClipModel>(&config, 5, Device::Cpu).unwrap().0.variables();
    assert!(variables.iter().all(|(name, variable)| &again[name] == variable));
    let other = new::<ClipModel>(&config, 6, Device::Cpu).unwrap().0.variables();
    assert_ne!(variables["text_projection.weight"], other["text_projection.weight"]);
}

#[test]
fn configurations_that_make_no_model_are_refused() {
    let message = |config: &ClipTextConfig| new::<ClipTextModel>(config, 0, Device::Cpu).unwrap_err().to_string();
    let heads = ClipTextConfig { num_attention_heads: 7, ..Default::default() };
    assert_eq!(message(&heads), "CLIPTextModel: hidden_size 512 is not a multiple of num_attention_heads 7");
    let patch = ClipVisionConfig { patch_size: 300, ..Default::default() };
    let message = new::<ClipVisionModelWithProjection>(&patch, 0, Device::Cpu).unwrap_err().to_string();
    assert!(message.ends_with("patch_size 300 is not in 1..=image_size 224"), "{message}");
}

/// A joint model's folder, and what it makes of the fixture's input.
fn saved(folder: &Path) -> (Value, Tensor) {
    let (json, _) = reference();
    let config = config::<ClipModel>(&json["clip"]);
    let (vs, model) = new::<ClipModel>(&config, 3, Device::Cpu).unwrap();
    save::<ClipModel>(folder, &vs, &config).unwrap();
    let embeds = model.forward(&ids(&json), &pixels()).text_embeds;
    (json, embeds)
}

#[test]
fn folders_round_trip_and_a_tower_opens_from_the_joint_one() {
    let folder = tempfile::tempdir().unwrap();
    let (json, embeds) = saved(folder.path());
    let (_vs, clip, config) = load::<ClipModel>(folder.path(), Kind::Float, Device::Cpu).unwrap();
    assert_eq!(config, serde_json::from_value(json["clip"].clone()).unwrap());
    assert_eq!(clip.forward(&ids(&json), &pixels()).text_embeds, embeds);

    let (vs, text, config) = load::<ClipTextModel>(folder.path(), Kind::Float, Device::Cpu).unwrap();
    assert_eq!(text.forward(&ids(&json)).pooled, clip.text(&ids(&json)).pooled);
    let own = folder.path().join("text_encoder");
    save::<ClipTextModel>(&own, &vs, &config).unwrap();
    let again = load::<ClipTextModel>(&own, Kind::Float, Device::Cpu).unwrap();
    assert_eq!(again.1.forward(&ids(&json)).pooled, clip.text(&ids(&json)).pooled);

    let (_vs, text, _) = load::<ClipTextModelWithProjection>(folder.path(), Kind::Float, Device::Cpu).unwrap();
    assert_eq!(text.forward(&ids(&json)).1, clip.text_features(&ids(&json)));
    let (_vs, vision, _) = load::<ClipVisionModelWithProjection>(folder.path(), Kind::Float, Device::Cpu).unwrap();
    assert_eq!(vision.forward(&pixels()).1, clip.image_features(&pixels()));
    let half = load::<ClipTextModel>(folder.path(), Kind::BFloat16, Device::Cpu).unwrap();
    assert_eq!(half.1.forward(&ids(&json)).pooled.kind(), Kind::BFloat16);
}

#[test]
fn both_spellings_of_a_bare_text_encoder_open() {
    let folder = tempfile::tempdir().unwrap();
    let (json, _) = reference();
    let config = config::<ClipTextModel>(&json["texts"]["text"]);
    let (vs, model) = new::<ClipTextModel>(&config, 1, Device::Cpu).unwrap();
    save::<ClipTextModel>(folder.path(), &vs, &config).unwrap();
    let file = folder.path().join("model.safetensors");
    let tensors = read_tensors(&file, Kind::Float, Device::Cpu).unwrap();
    let positions = Tensor::arange(10, (Kind::Int64, Device::Cpu)).unsqueeze(0);
    let expected = model.forward(&ids(&json)).pooled;
    let open = |tensors: BTreeMap<String, Tensor>| {
        write_tensors(&file, &tensors, None).unwrap();
        let (_vs, model, _) = load::<ClipTextModel>(folder.path(), Kind::Float, Device::Cpu).unwrap();
        assert_eq!(model.forward(&ids(&json)).pooled, expected);
    };
    let short = |key: &str| key.trim_start_matches("text_model.").to_owned();
    open(tensors.iter().map(|(key, t)| (short(key), t.shallow_clone())).collect());
    let mut old: BTreeMap<_, _> = tensors.iter().map(|(key, t)| (key.clone(), t.shallow_clone())).collect();
    old.insert("text_model.embeddings.position_ids".into(), positions);
    open(old);
}

#[test]
fn files_that_do_not_fit_are_refused_with_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let _ = saved(folder.path());
    let file = folder.path().join("model.safetensors");
    let mut tensors = read_tensors(&file, Kind::Float, Device::Cpu).unwrap();
    tensors.remove("text_projection.weight");
    tensors.insert("logit_scale".into(), Tensor::from_slice(&[1f32, 2.0]));
    tensors.insert("text_model.extra".into(), Tensor::from(1f32));
    tensors.insert("stranger".into(), Tensor::from(1f32));
    write_tensors(&file, &tensors, None).unwrap();
    match load::<ClipModel>(folder.path(), Kind::Float, Device::Cpu) {
        Err(DiffusionError::Keys { report, .. }) => {
            assert_eq!(report.missing, ["text_projection.weight"]);
            assert_eq!(report.left_over, ["stranger", "text_model.extra"]);
            assert_eq!(report.shapes.iter().map(|s| s.key.as_str()).collect::<Vec<_>>(), ["logit_scale"]);
        }
        other => panic!("{:?}", other.map(drop)),
    }
    let config = folder.path().join("config.json");
    std::fs::write(&config, r#"{"model_type": "bert"}"#).unwrap();
    let message = load::<ClipModel>(folder.path(), Kind::Float, Device::Cpu).unwrap_err().to_string();
    assert!(message.ends_with("config.json: model_type is bert, not clip"), "{message}");
    std::fs::write(&config, r#"{"model_type": "clip", "text_config": {"hidden_act": "tanh"}}"#).unwrap();
    let message = load::<ClipModel>(folder.path(), Kind::Float, Device::Cpu).unwrap_err().to_string();
    assert!(message.contains("unknown variant `tanh`"), "{message}");
    std::fs::remove_file(&config).unwrap();
    let missing = load::<ClipModel>(folder.path(), Kind::Float, Device::Cpu).map(drop);
    assert!(matches!(missing, Err(DiffusionError::Io { .. })));
}
