//! Tiny score models with random weights, in the form of published files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hyper_flow_diffusion::clip::{
    self, ClipConfig, ClipModel, ClipTextConfig, ClipTokenizer, ClipVisionConfig, HiddenAct,
};
use hyper_flow_diffusion::layers::init_weights;
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::scores::{ImageRewardConfig, ImageRewardModel, TowerConfig};
use hyper_flow_diffusion::weights::{read_tensors, save_var_store, write_tensors};
use serde_json::json;
use tch::{Device, Kind, Tensor, nn};
use tempfile::TempDir;

use crate::lab::Work;

/// Dimension of the CLIP's joint space.
const JOINT: i64 = 12;
const SIDE: i64 = 32;

/// A folder with `clip/`, `clip-tokenizer/`, `head.safetensors`, `ImageReward.safetensors` and `bert/vocab.txt`.
pub(crate) struct Published(TempDir);

impl Published {
    pub(crate) fn new() -> Self {
        let published = Self(tempfile::tempdir().unwrap());
        write_clip(&published.at("clip"), &published.at("clip-tokenizer"));
        write_head(&published.at("head.safetensors"));
        write_image_reward(&published.at("ImageReward.safetensors"));
        published
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The CLIP brought in.
    pub(crate) fn clip(&self) -> Work {
        let params = json!({"path": "path", "tokenizer": "tokenizer"});
        Work::new("PretrainedClip", params).file("path", &self.at("clip")).file("tokenizer", &self.at("clip-tokenizer"))
    }

    /// The aesthetic predictor on top of a brought in CLIP.
    pub(crate) fn aesthetic(&self, clip: &Path) -> Work {
        let model = json!({"Aesthetic": {"clip": "model.clip", "head": "model.head"}});
        let work = Work::new("ScoreModel", json!({"model": model}));
        work.input("model.clip", clip).file("model.head", &self.at("head.safetensors"))
    }

    /// ImageReward brought in.
    pub(crate) fn image_reward(&self) -> Work {
        let model = json!({"ImageReward": {"weights": "model.weights", "tokenizer": "model.tokenizer"}});
        let work = Work::new("ScoreModel", json!({"model": model}));
        work.file("model.weights", &self.at("ImageReward.safetensors")).file("model.tokenizer", &vocab())
    }
}

/// A vocabulary that is laid out as BERT's.
pub(crate) fn vocab() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures/wordpiece/vocab.txt")
}

/// As PickScore's, and with a key that old files have.
fn write_clip(folder: &Path, tokenizer: &Path) {
    let words = ["a photo of a red fox", "a photo of the blue sea"];
    let own = ClipTokenizer::train(&[words, words].concat(), 60, 16).unwrap();
    own.write(tokenizer).unwrap();
    let text_config = ClipTextConfig {
        vocab_size: own.vocab_size(),
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        max_position_embeddings: 16,
        hidden_act: HiddenAct::Gelu,
        eos_token_id: 2,
        ..Default::default()
    };
    let vision_config = ClipVisionConfig {
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        image_size: SIDE,
        patch_size: 16,
        hidden_act: HiddenAct::Gelu,
        ..Default::default()
    };
    let config = ClipConfig { text_config, vision_config, projection_dim: JOINT, ..Default::default() };
    let (vs, _) = clip::new::<ClipModel>(&config, 5, Device::Cpu).unwrap();
    clip::save::<ClipModel>(folder, &vs, &config).unwrap();
    change(&folder.join("model.safetensors"), |tensors| {
        let ids = Tensor::arange(16, (Kind::Int64, Device::Cpu)).unsqueeze(0);
        tensors.insert("text_model.embeddings.position_ids".into(), ids);
    });
}

fn write_head(path: &Path) {
    let layers = [(0, 1024, JOINT), (2, 128, 1024), (4, 64, 128), (6, 16, 64), (7, 1, 16)];
    let layer = |(place, out, inner): (i64, i64, i64)| {
        let named = |name: &str, size: &[i64]| {
            let (key, bound) = (format!("layers.{place}.{name}"), (3.0 / inner as f64).sqrt());
            let value = Rng::at(0, &key, 0).uniform(-bound, bound, size, (Kind::Float, Device::Cpu));
            (key, value)
        };
        [named("weight", &[out, inner]), named("bias", &[out])]
    };
    write_tensors(path, &layers.into_iter().flat_map(layer).collect(), None).unwrap();
}

/// With keys that no score needs.
fn write_image_reward(path: &Path) {
    let tower = || TowerConfig { hidden_size: 64, intermediate_size: 96, num_hidden_layers: 1 };
    let config = ImageRewardConfig {
        image_size: SIDE,
        patch_size: 16,
        vision: tower(),
        text: tower(),
        vocab_size: 183,
        max_position_embeddings: 40,
    };
    let vs = nn::VarStore::new(Device::Cpu);
    let _ = ImageRewardModel::new(&vs.root(), &config);
    init_weights(&vs, 6);
    save_var_store(&vs, path).unwrap();
    change(path, |tensors| {
        for key in ["blip.text_proj.bias", "blip.vision_proj.bias"] {
            tensors.insert(key.into(), Tensor::zeros([8], (Kind::Float, Device::Cpu)));
        }
    });
}

/// Changes the tensors of a file.
pub(crate) fn change(path: &Path, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
    let mut tensors = read_tensors(path, Kind::Float, Device::Cpu).unwrap();
    change(&mut tensors);
    write_tensors(path, &tensors, None).unwrap();
}
