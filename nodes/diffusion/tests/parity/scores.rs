//! Score models against transformers and the image-reward package: fixtures by tests/parity/scores.py and
//! tests/parity/image_reward.py.

use crate::support::{assert_within, fill, fixtures, input, weight};
use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::clip::{self, ClipConfig, ClipModel, ClipTokenizer};
use hyper_flow_diffusion::image_processor::ImageProcessor;
use hyper_flow_diffusion::scores::{
    AestheticScore, BertTokenizer, ClipScore, ImageReward, ImageRewardConfig, ImageRewardModel, Score, load,
};
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor, nn, no_grad};
use tempfile::TempDir;

const CPU: Device = Device::Cpu;
/// Relative. Rounding makes up to 6e-6; the epsilon of another norm makes 2.3e-5 and more.
const TOLERANCE: f64 = 2e-5;

#[track_caller]
fn assert_near(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_within(TOLERANCE, what, ours, theirs);
}

fn reference(name: &str) -> (Value, BTreeMap<String, Tensor>) {
    let text = std::fs::read_to_string(fixtures().join(format!("{name}.json"))).unwrap();
    let tensors = read_tensors(&fixtures().join(format!("{name}.safetensors")), Kind::Float, CPU).unwrap();
    (serde_json::from_str(&text).unwrap(), tensors)
}

fn captions(json: &Value) -> Vec<String> {
    serde_json::from_value(json["captions"].clone()).unwrap()
}

fn pictures(h: i64, w: i64) -> Tensor {
    (input("pictures", &[3, 3, h, w]) / 3f64.sqrt()).set_requires_grad(true)
}

/// Scores three pictures, each with its caption, and compares scores and gradients.
#[track_caller]
fn assert_scores(what: &str, score: &dyn Score, captions: &[String], size: (i64, i64), theirs: [&Tensor; 2]) {
    let pictures = pictures(size.0, size.1);
    let prepared = score.captions(captions).unwrap();
    let scores = score.score(&pictures, &prepared);
    assert_near(what, &scores, theirs[0]);
    (scores * input("loss", &[3])).sum(Kind::Float).backward();
    assert_near(&format!("{what}'s gradient"), &pictures.grad(), theirs[1]);
    // A caption is a row, whichever captions it was prepared with.
    let again = score.score(&pictures.narrow(0, 1, 1), &prepared.select(&Tensor::from_slice(&[1i64])));
    assert_near(what, &again, &theirs[0].narrow(0, 1, 1));
}

/// Of networks of half the precision, whose rounding is 2⁻⁸ and 2⁻¹¹, scores are nearly the same, and in float32.
#[track_caller]
fn assert_halves(saved: &Path, captions: &[String], size: (i64, i64), theirs: &Tensor) {
    for (kind, tolerance) in [(Kind::BFloat16, 0.05), (Kind::Half, 0.01)] {
        let score = load(saved, kind, CPU).unwrap();
        let scores = score.score(&pictures(size.0, size.1), &score.captions(captions).unwrap());
        assert_eq!(scores.kind(), Kind::Float);
        assert_within(tolerance, &format!("{kind:?}"), &scores, theirs);
    }
}

/// The fixture's CLIP as a folder of transformers; `logit_scale` is 1.
fn clip_folder(config: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config: ClipConfig = serde_json::from_value(config.clone()).unwrap();
    let (vs, _) = clip::new::<ClipModel>(&config, 0, CPU).unwrap();
    for (name, mut variable) in vs.variables() {
        let shape = variable.size();
        let value = if shape.is_empty() { Tensor::from(1f32) } else { weight(&name, &shape) };
        no_grad(|| variable.copy_(&value));
    }
    clip::save::<ClipModel>(folder.path(), &vs, &config).unwrap();
    ClipTokenizer::read(&fixtures().join("tokenizer")).unwrap().write(folder.path()).unwrap();
    ImageProcessor::clip(28).write(folder.path()).unwrap();
    folder
}

/// The formula's head for features of this width.
fn head_file(folder: &Path, features: i64) -> PathBuf {
    let shapes = [(0, 1024, features), (2, 128, 1024), (4, 64, 128), (6, 16, 64), (7, 1, 16)];
    let layer = |(place, out, inner)| {
        let (weights, bias) = (format!("layers.{place}.weight"), format!("layers.{place}.bias"));
        [(weights.clone(), weight(&weights, &[out, inner])), (bias.clone(), weight(&bias, &[out]))]
    };
    let path = folder.join("linear.safetensors");
    write_tensors(&path, &shapes.into_iter().flat_map(layer).collect(), None).unwrap();
    path
}

#[test]
fn the_cosine_of_a_clip_and_its_gradient_are_those_of_transformers() {
    let (json, reference) = reference("scores");
    let folder = clip_folder(&json["clip"]);
    let score = ClipScore::load(folder.path(), Kind::Float, CPU).unwrap();
    let (cosine, gradient) = (&reference["cosine"], &reference["cosine.gradient"]);
    assert_scores("cosine", &score, &captions(&json), (35, 31), [cosine, gradient]);
    assert_near("PickScore", &(cosine * score.scale()), &reference["pick"]);
    assert_eq!(score.channels(), 3);
    // Of pictures that are as the network sees them, the preprocessing changes the values only.
    let square = pictures(28, 28);
    let normalised = ImageProcessor::clip(28).forward(&square);
    let (_vs, model, _) = clip::load::<ClipModel>(folder.path(), Kind::Float, CPU).unwrap();
    let embeds = model.image_features(&normalised);
    assert_eq!(score.features(&square), embeds);
}

#[test]
fn a_clip_without_preprocessing_takes_pictures_as_they_are() {
    let (json, _) = reference("scores");
    let folder = clip_folder(&json["clip"]);
    std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    let score = ClipScore::load(folder.path(), Kind::Float, CPU).unwrap();
    let (_vs, model, _) = clip::load::<ClipModel>(folder.path(), Kind::Float, CPU).unwrap();
    let square = pictures(28, 28);
    let embeds = model.image_features(&square);
    assert_eq!(score.features(&square), embeds);
    // Those of another size become as large, and nothing else.
    let halves = [0.5; 3];
    ImageProcessor { image_mean: halves, image_std: halves, ..ImageProcessor::clip(28) }.write(folder.path()).unwrap();
    let same = ClipScore::load(folder.path(), Kind::Float, CPU).unwrap();
    let large = pictures(35, 31);
    assert_near("resized", &score.features(&large), &same.features(&large));
}

#[test]
fn the_aesthetic_predictor_and_its_gradient_are_those_of_transformers() {
    let (json, reference) = reference("scores");
    let folder = clip_folder(&json["clip"]);
    let head = head_file(folder.path(), 12);
    let score = AestheticScore::open(folder.path(), &head, Kind::Float, CPU).unwrap();
    let theirs = [&reference["aesthetic"], &reference["aesthetic.gradient"]];
    assert_scores("aesthetic", &score, &captions(&json), (35, 31), theirs);

    let saved = tempfile::tempdir().unwrap();
    score.save(saved.path()).unwrap();
    assert_scores("saved", &*load(saved.path(), Kind::Float, CPU).unwrap(), &captions(&json), (35, 31), theirs);
    assert_halves(saved.path(), &captions(&json), (35, 31), theirs[0]);
}

#[test]
fn a_head_for_another_clip_is_refused() {
    let (json, _) = reference("scores");
    let folder = clip_folder(&json["clip"]);
    let head = head_file(folder.path(), 16);
    let message = AestheticScore::open(folder.path(), &head, Kind::Float, CPU).unwrap_err().to_string();
    assert!(message.ends_with("layers.0.weight is [1024, 16] where the model has [1024, 12]"), "{message}");
    ImageProcessor::clip(32).write(folder.path()).unwrap();
    let message = ClipScore::load(folder.path(), Kind::Float, CPU).unwrap_err().to_string();
    assert!(
        message.ends_with(
            "preprocessor_config.json: makes pictures of 3 channels and 32 pixels, and the CLIP sees 3 and 28"
        ),
        "{message}"
    );
}

#[test]
fn a_published_clip_may_lack_what_all_have_alike() {
    let (json, reference) = reference("scores");
    let folder = clip_folder(&json["clip"]);
    let tokenizer = tempfile::tempdir().unwrap();
    for name in ["vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"] {
        std::fs::rename(folder.path().join(name), tokenizer.path().join(name)).unwrap();
    }
    std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    let score = ClipScore::published(folder.path(), tokenizer.path(), Kind::Float, CPU).unwrap();
    let saved = tempfile::tempdir().unwrap();
    score.save(saved.path()).unwrap();
    let score = ClipScore::load(saved.path(), Kind::Float, CPU).unwrap();
    let theirs = [&reference["cosine"], &reference["cosine.gradient"]];
    assert_scores("cosine", &score, &captions(&json), (35, 31), theirs);

    let path = tokenizer.path().join("tokenizer_config.json");
    std::fs::write(path, r#"{"model_max_length": 25}"#).unwrap();
    let message = ClipScore::published(folder.path(), tokenizer.path(), Kind::Float, CPU).unwrap_err().to_string();
    assert!(message.contains("the tokenizer makes 25 of "), "{message}");
    assert!(message.contains(" and the model takes 24 of "), "{message}");
}

/// The small ImageReward's file, under the published keys, with `change` applied.
fn image_reward_file(keys: &Value, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shapes: BTreeMap<String, Vec<i64>> = serde_json::from_value(keys.clone()).unwrap();
    let value = |key: &str, shape: &[i64]| match key.ends_with("position_ids") {
        true => Tensor::arange(shape[1], (Kind::Int64, CPU)).unsqueeze(0),
        false => weight(key, shape),
    };
    let mut tensors = shapes.iter().map(|(key, shape)| (key.clone(), value(key, shape))).collect();
    change(&mut tensors);
    write_tensors(&folder.path().join("ImageReward.safetensors"), &tensors, None).unwrap();
    folder
}

fn open(folder: &TempDir) -> Result<ImageReward, DiffusionError> {
    let weights = folder.path().join("ImageReward.safetensors");
    ImageReward::open(&weights, &fixtures().join("wordpiece"), Kind::Float, CPU)
}

#[test]
fn image_rewards_and_their_gradients_are_those_of_the_published_code() {
    let (json, reference) = reference("image_reward");
    let folder = image_reward_file(&json["tiny"], |_| {});
    let score = open(&folder).unwrap();
    let theirs = [&reference["rewards"], &reference["gradient"]];
    assert_scores("reward", &score, &captions(&json), (35, 41), theirs);

    let saved = tempfile::tempdir().unwrap();
    score.save(saved.path()).unwrap();
    assert_scores("saved", &*load(saved.path(), Kind::Float, CPU).unwrap(), &captions(&json), (35, 41), theirs);
    assert_halves(saved.path(), &captions(&json), (35, 41), theirs[0]);

    // What no score needs may be absent, and is not kept.
    let file = saved.path().join("model.safetensors");
    let keys = read_tensors(&file, Kind::Float, CPU).unwrap().len();
    assert_eq!(keys, json["tiny"].as_object().unwrap().len() - 5);
    let again = tempfile::tempdir().unwrap();
    load(saved.path(), Kind::Float, CPU).map(drop).unwrap();
    ImageReward::load(saved.path(), Kind::Float, CPU).unwrap().save(again.path()).unwrap();
    for name in ["model.safetensors", "vocab.txt", "scorer.json"] {
        let [a, b] = [&saved, &again].map(|folder| std::fs::read(folder.path().join(name)).unwrap());
        assert!(a == b, "{name}");
    }
}

#[test]
fn image_rewards_that_do_not_fit_are_refused() {
    let (json, _) = reference("image_reward");
    let refused = |change: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        open(&image_reward_file(&json["tiny"], change)).unwrap_err().to_string()
    };
    let one = || Tensor::from_slice(&[1f32]);
    let message = refused(&|tensors| {
        tensors.remove("blip.text_encoder.encoder.layer.0.crossattention.self.key.bias");
        tensors.insert("blip.text_decoder.bias".into(), one());
        tensors.insert("mlp.layers.7.bias".into(), Tensor::from_slice(&[1f32, 2.0]));
    });
    let expected = "1 missing: blip.text_encoder.encoder.layer.0.crossattention.self.key.bias; 1 left over: \
                    blip.text_decoder.bias; 1 of another shape: mlp.layers.7.bias is [2] where the model has [1]";
    assert!(message.ends_with(expected), "{message}");
    let message = refused(&|tensors| drop(tensors.remove("blip.visual_encoder.pos_embed")));
    assert!(message.ends_with("keys do not fit: 1 missing: blip.visual_encoder.pos_embed"), "{message}");
    let message = refused(&|tensors| {
        let key = "blip.visual_encoder.patch_embed.proj.weight".to_owned();
        tensors.insert(key, Tensor::zeros([100, 3, 16, 16], (Kind::Float, CPU)));
    });
    assert!(message.ends_with("visual_encoder is 100 wide, not a multiple of its heads' 64"), "{message}");
    let message = refused(&|tensors| {
        let key = "blip.text_encoder.embeddings.word_embeddings.weight".to_owned();
        tensors.insert(key, Tensor::zeros([180, 64], (Kind::Float, CPU)));
    });
    assert!(message.ends_with("wordpiece: has 183 tokens with BLIP's two, and the weights have 180"), "{message}");
}

#[test]
fn the_full_size_keys_are_those_of_the_published_code() {
    let (json, _) = reference("image_reward");
    let mut theirs: BTreeMap<String, Vec<i64>> = serde_json::from_value(json["full"].clone()).unwrap();
    theirs.retain(|key, _| !key.ends_with("position_ids") && !key.contains("_proj."));
    let mut vs = nn::VarStore::new(CPU);
    vs.set_kind(Kind::BFloat16);
    let _ = ImageRewardModel::new(&vs.root(), &ImageRewardConfig::default());
    let ours: BTreeMap<_, _> = vs.variables().into_iter().map(|(name, variable)| (name, variable.size())).collect();
    assert_eq!(ours.len(), 620);
    assert_eq!(ours, theirs);
}

#[test]
fn the_head_stays_in_full_precision() {
    let (json, _) = reference("image_reward");
    let folder = image_reward_file(&json["tiny"], |_| {});
    let file = hyper_flow_diffusion::weights::Weights::open(&folder.path().join("ImageReward.safetensors")).unwrap();
    let mut vs = nn::VarStore::new(CPU);
    vs.set_kind(Kind::BFloat16);
    let _ = ImageRewardModel::new(&vs.root(), &ImageRewardConfig::of_weights(&file).unwrap());
    fill(&vs);
    for (name, variable) in vs.variables() {
        let kind = if name.starts_with("mlp.") { Kind::Float } else { Kind::BFloat16 };
        assert_eq!(variable.kind(), kind, "{name}");
    }
}

#[test]
fn prompts_get_the_ids_of_transformers() {
    let text = std::fs::read_to_string(fixtures().join("wordpiece_ids.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(rows.len() >= 200);
    let tokenizer = BertTokenizer::read(&fixtures().join("wordpiece/vocab.txt")).unwrap();
    assert_eq!(tokenizer.vocab_size(), 183);
    for row in &rows {
        let (prompt, expected): (&str, Vec<i64>) =
            (row["prompt"].as_str().unwrap(), serde_json::from_value(row["ids"].clone()).unwrap());
        assert_eq!(tokenizer.encode(prompt, 35).unwrap(), expected, "{prompt:?}");
    }
    let batch = tokenizer.encode_batch(&["", "seven"], 5, CPU).unwrap();
    assert_eq!(
        Vec::<i64>::try_from(batch.flatten(0, -1)).unwrap(),
        [[4, 5, 0, 0, 0], [1, 1, 0, 0, 0], [4, 102, 5, 0, 0], [1, 1, 1, 0, 0]].concat()
    );
}

#[test]
fn vocabularies_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str| {
        std::fs::write(folder.path().join("vocab.txt"), text).unwrap();
        let message = BertTokenizer::read(folder.path()).unwrap_err().to_string();
        message.split_once("vocab.txt: ").unwrap().1.to_owned()
    };
    assert_eq!(refused("[PAD]\n[UNK]\n[CLS]\n[MASK]\n"), "has no line `[SEP]`");
    assert_eq!(refused("[PAD]\na\nb\na\n"), "lines 2 and 4 are both `a`");
    std::fs::remove_file(folder.path().join("vocab.txt")).unwrap();
    assert!(BertTokenizer::read(folder.path()).unwrap_err().to_string().starts_with("read "));
}
