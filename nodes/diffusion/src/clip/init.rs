//! Fresh weights as transformers gives them, as a function of (seed, name).

use super::{ClipConfig, ClipTextConfig, ClipVisionConfig};
use crate::rng::Rng;
use tch::{Device, Kind, nn, no_grad};

/// The law of one variable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Law {
    /// Every element is this.
    Constant(f64),
    /// Normal with mean 0 and this deviation.
    Normal(f64),
}

/// Draws every variable of `vs` by the law of its name.
pub(super) fn init_weights(vs: &nn::VarStore, seed: u64, law: impl Fn(&str) -> Law) {
    for (name, mut variable) in vs.variables() {
        let shape = variable.size();
        no_grad(|| match law(&name) {
            Law::Constant(value) => drop(variable.fill_(value)),
            Law::Normal(deviation) => {
                let normals = Rng::at(seed, &name, 0).randn(&shape, (Kind::Float, Device::Cpu));
                variable.copy_(&(normals * deviation));
            }
        });
    }
}

/// What the deviations in a tower depend on.
#[derive(Debug)]
struct Tower {
    width: f64,
    layers: f64,
    factor: f64,
    /// Deviation of the tables of embeddings, before the factor.
    embedding: f64,
}

impl Tower {
    /// The law of a tower's variable or of its projection. Inputs of a residual sum shrink with the depth.
    fn law(&self, name: &str) -> Law {
        let root = self.width.powf(-0.5);
        let residual = root * (2.0 * self.layers).powf(-0.5);
        let (module, parameter) = name.rsplit_once('.').unwrap_or(("", name));
        let deviation = match (module.rsplit('.').next().unwrap_or_default(), parameter) {
            (_, "bias") => return Law::Constant(0.0),
            ("layer_norm1" | "layer_norm2" | "final_layer_norm" | "pre_layrnorm" | "post_layernorm", _) => {
                return Law::Constant(1.0);
            }
            ("q_proj" | "k_proj" | "v_proj" | "fc2", _) => residual,
            ("fc1", _) => (2.0 * self.width).powf(-0.5),
            ("token_embedding" | "position_embedding" | "patch_embedding", _) => self.embedding,
            // The class token, the attention's output and the projection into the joint space.
            _ => root,
        };
        Law::Normal(deviation * self.factor)
    }
}

impl ClipTextConfig {
    pub(super) fn law(&self, name: &str) -> Law {
        self.tower().law(name)
    }

    fn tower(&self) -> Tower {
        let (width, layers) = (self.hidden_size as f64, self.num_hidden_layers as f64);
        Tower { width, layers, factor: self.initializer_factor, embedding: 0.02 }
    }
}

impl ClipVisionConfig {
    pub(super) fn law(&self, name: &str) -> Law {
        self.tower().law(name)
    }

    fn tower(&self) -> Tower {
        let (width, layers) = (self.hidden_size as f64, self.num_hidden_layers as f64);
        Tower { width, layers, factor: self.initializer_factor, embedding: self.initializer_range }
    }
}

impl ClipConfig {
    pub(super) fn law(&self, name: &str) -> Law {
        let joint = |tower| Tower { factor: self.initializer_factor, ..tower };
        match name.split('.').next() {
            Some("logit_scale") => Law::Constant(self.logit_scale_init_value),
            Some("text_projection") => joint(self.text_config.tower()).law(name),
            Some("visual_projection") => joint(self.vision_config.tower()).law(name),
            Some("text_model") => self.text_config.law(name),
            _ => self.vision_config.law(name),
        }
    }
}
