//! LoRAs in the weights of text encoders.

use super::TextEncoders;
use crate::clip::{ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, read_config};
use crate::lora::{self, Lora, LoraTarget, TextTower};
use crate::{DiffusionError, ModelIndex};
use std::path::Path;
use tch::{Device, Kind, Tensor, nn};

impl TextEncoders {
    /// The modules of a model folder's text encoders that a LoRA can sit on, without their weights.
    ///
    /// # Errors
    /// [`DiffusionError::Io`] and [`DiffusionError::Config`] of `model_index.json` and the encoders' `config.json`.
    pub fn lora_modules(model: &Path) -> Result<Vec<LoraTarget>, DiffusionError> {
        let two = ModelIndex::read(model)?.text_encoder_2;
        let first = read_config::<ClipTextModel>(&model.join("text_encoder"))?;
        let mut modules = layers(if two { TextTower::First } else { TextTower::Only }, &first);
        if two {
            let second = read_config::<ClipTextModelWithProjection>(&model.join("text_encoder_2"))?;
            modules.extend(layers(TextTower::Second, &second));
            let shape = [second.projection_dim, second.hidden_size];
            modules.push(target(TextTower::Second, "text_projection", shape));
        }
        Ok(modules)
    }

    /// Adds weight·ΔW to the weight of every module of a text encoder that `lora` adapts, rounded once to the encoders' dtype.
    ///
    /// # Errors
    /// [`DiffusionError::Lora`] for modules that the encoders do not have in that shape.
    pub fn fuse(&self, lora: &Lora, weight: f64) -> Result<(), DiffusionError> {
        self.stores().into_iter().try_for_each(|(tower, store)| lora::fuse(store, &lora.text(tower), weight))
    }

    /// The weight of a module of [`Self::lora_modules`], in f64 on the CPU.
    ///
    /// # Errors
    /// [`DiffusionError::Lora`] if there is no such module.
    pub fn weight(&self, path: &str) -> Result<Tensor, DiffusionError> {
        let of = |(tower, store): (TextTower, &nn::VarStore)| {
            store.variables().remove(&format!("{}.weight", path.strip_prefix(tower.prefix())?))
        };
        let found = self.stores().into_iter().find_map(of);
        let found = found.map(|weight| weight.to_device(Device::Cpu).to_kind(Kind::Double));
        found.ok_or_else(|| DiffusionError::Lora(format!("{path} is no module of the model")))
    }

    fn stores(&self) -> Vec<(TextTower, &nn::VarStore)> {
        match &self.second {
            None => vec![(TextTower::Only, &self.first.store)],
            Some(second) => vec![(TextTower::First, &self.first.store), (TextTower::Second, &second.store)],
        }
    }
}

/// The linear layers of a tower's transformer.
fn layers(tower: TextTower, config: &ClipTextConfig) -> Vec<LoraTarget> {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let members = [
        ("self_attn.q_proj", [width, width]),
        ("self_attn.k_proj", [width, width]),
        ("self_attn.v_proj", [width, width]),
        ("self_attn.out_proj", [width, width]),
        ("mlp.fc1", [inner, width]),
        ("mlp.fc2", [width, inner]),
    ];
    let layer = |i| {
        let path = move |member: &str| format!("text_model.encoder.layers.{i}.{member}");
        members.map(|(member, shape)| target(tower, &path(member), shape))
    };
    (0..config.num_hidden_layers).flat_map(layer).collect()
}

fn target(tower: TextTower, path: &str, shape: [i64; 2]) -> LoraTarget {
    LoraTarget { path: format!("{}{path}", tower.prefix()), shape: shape.to_vec() }
}
