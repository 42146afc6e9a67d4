//! A small picture classifier: the judge of drawn pictures, and the features they are compared in.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor, nn};

use crate::error::DiffusionError;
use crate::layers::{Conv2d, ConvConfig, Linear};
use crate::lora::Adapters;
use crate::weights::{load_var_store, save_var_store};

/// Its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Channels of a picture.
    pub channels: i64,
    /// Channels after the first convolution.
    pub width: i64,
    /// Dimension of the features.
    pub features: i64,
    /// What each class is called, in the order of the logits.
    pub classes: Vec<String>,
}

/// Convolutions to `width` and twice that, pooled to 4×4 in between, then a hidden layer of features, then logits.
#[derive(Debug)]
pub struct Classifier {
    conv1: Conv2d,
    conv2: Conv2d,
    conv3: Conv2d,
    hidden: Linear,
    out: Linear,
}

/// Side to which feature maps are pooled.
const POOLED: i64 = 4;
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

impl Classifier {
    /// Makes the variables in an empty store.
    pub fn new(vs: &nn::VarStore, config: &ClassifierConfig) -> Self {
        let (root, width) = (&vs.root(), config.width);
        let classes = config.classes.len() as i64;
        Self {
            conv1: Conv2d::new(&(root / "conv1"), config.channels, width, ConvConfig::SAME_3),
            conv2: Conv2d::new(&(root / "conv2"), width, 2 * width, ConvConfig::SAME_3),
            conv3: Conv2d::new(&(root / "conv3"), 2 * width, 2 * width, ConvConfig::SAME_3),
            hidden: Linear::new(&(root / "hidden"), 2 * width * POOLED * POOLED, config.features, true),
            out: Linear::new(&(root / "out"), config.features, classes, true),
        }
    }

    /// Pictures (b, c, h, w) in [−1, 1] → features (b, features), none below 0.
    pub fn features(&self, pictures: &Tensor) -> Tensor {
        let base = &Adapters::none();
        let x = self.conv1.forward(pictures, base).relu();
        let x = self.conv2.forward(&x, base).relu().adaptive_max_pool2d([POOLED, POOLED]).0;
        let x = self.conv3.forward(&x, base).relu();
        self.hidden.forward(&x.flatten(1, -1), base).relu()
    }

    /// Features (b, features) → logits (b, classes).
    pub fn logits(&self, features: &Tensor) -> Tensor {
        self.out.forward(features, &Adapters::none())
    }

    /// Writes `config.json` and `model.safetensors` into a folder.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn save(vs: &nn::VarStore, config: &ClassifierConfig, folder: &Path) -> Result<(), DiffusionError> {
        let path = folder.join(CONFIG);
        let json = serde_json::to_string_pretty(config)
            .map_err(|e| DiffusionError::Config { what: path.display().to_string(), message: e.to_string() })?;
        std::fs::write(&path, json + "\n").map_err(|source| DiffusionError::Io { action: "write", path, source })?;
        save_var_store(vs, &folder.join(WEIGHTS))
    }

    /// Whether a folder holds what [`Classifier::save`] wrote: its configuration alone names classes.
    pub fn is_in(folder: &Path) -> bool {
        let config = std::fs::read(folder.join(CONFIG)).unwrap_or_default();
        serde_json::from_slice::<serde_json::Value>(&config).is_ok_and(|config| config.get("classes").is_some())
    }

    /// Reads what [`Classifier::save`] wrote; frozen.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], [`DiffusionError::Config`], or as [`load_var_store`].
    pub fn load(folder: &Path, device: Device) -> Result<(Self, ClassifierConfig), DiffusionError> {
        let path = folder.join(CONFIG);
        let io = |source| DiffusionError::Io { action: "read", path: path.clone(), source };
        let text = std::fs::read_to_string(&path).map_err(io)?;
        let config: ClassifierConfig = serde_json::from_str(&text)
            .map_err(|e| DiffusionError::Config { what: path.display().to_string(), message: e.to_string() })?;
        let mut vs = nn::VarStore::new(device);
        let classifier = Self::new(&vs, &config);
        load_var_store(&vs, &folder.join(WEIGHTS), "")?;
        vs.freeze();
        Ok((classifier, config))
    }
}
