//! Folders of diffusers: `config.json` and `diffusion_pytorch_model.safetensors`.

use super::{AutoencoderKl, AutoencoderKlConfig};
use crate::layers::init_weights;
use crate::weights::{WeightFile, save_var_store};
use crate::{DiffusionError, KeyReport, ShapeMismatch};
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Kind, nn, no_grad};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

/// The names that the layers of the middle block's attention have, and had in files that are still about.
const ALIASES: [(&str, &str); 4] = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")];

impl AutoencoderKl {
    /// A model with fresh weights, in float32.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for a configuration that makes no model.
    pub fn fresh(config: &AutoencoderKlConfig, seed: u64, device: Device) -> Result<Self, DiffusionError> {
        let vae = Self::new(nn::VarStore::new(device), config)?;
        init_weights(vae.variables(), seed);
        Ok(vae)
    }

    /// Opens a folder that [`save`](Self::save) or diffusers wrote. Where the configuration has `force_upcast`, as
    /// SDXL's has and as is the default, a model asked for in float16 is one of float32.
    ///
    /// The keys must be those of the model, but that the layers of the middle blocks' attention may have the names
    /// (`query`, `key`, `value`, `proj_attn`) and the shape (of a 1×1 convolution) that they had in older files.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for a configuration that makes no such model, [`DiffusionError::Keys`] listing every
    /// key that does not fit, [`DiffusionError::Io`], or what the weight file says.
    pub fn load(folder: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        let config = AutoencoderKlConfig::read(&folder.join(CONFIG))?;
        let mut vs = nn::VarStore::new(device);
        vs.set_kind(if kind == Kind::Half && config.force_upcast { Kind::Float } else { kind });
        let vae = Self::new(vs, &config)?;
        fill(vae.variables(), &folder.join(WEIGHTS))?;
        Ok(vae)
    }

    /// Writes `config.json` and `diffusion_pytorch_model.safetensors` into a folder, which is made if need be.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or what the weight file says.
    pub fn save(&self, folder: &Path) -> Result<(), DiffusionError> {
        let io = |source| DiffusionError::Io { action: "create", path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        self.config().write(&folder.join(CONFIG))?;
        save_var_store(self.variables(), &folder.join(WEIGHTS))
    }
}

fn fill(vs: &nn::VarStore, path: &Path) -> Result<(), DiffusionError> {
    let file = WeightFile::open(path)?;
    let keys: BTreeMap<_, _> = file.keys().map(|key| (current_name(key), key)).collect();
    let report = compare(vs, &file, &keys);
    if !report.is_empty() {
        return Err(DiffusionError::Keys { path: path.to_owned(), report });
    }
    for (name, mut variable) in vs.variables() {
        let tensor = file.tensor(keys[&name], variable.kind(), variable.device())?;
        no_grad(|| variable.f_copy_(&tensor.f_reshape(variable.size())?))?;
    }
    Ok(())
}

/// The name of today.
fn current_name(key: &str) -> String {
    let rename = |key: &str| {
        let (path, parameter) = key.rsplit_once('.')?;
        let (path, layer) = path.rsplit_once('.')?;
        let (today, _) = ALIASES.iter().find(|(_, old)| *old == layer)?;
        path.ends_with("mid_block.attentions.0").then(|| format!("{path}.{today}.{parameter}"))
    };
    rename(key).unwrap_or_else(|| key.to_owned())
}

fn compare(vs: &nn::VarStore, file: &WeightFile, keys: &BTreeMap<String, &str>) -> KeyReport {
    let variables: BTreeMap<_, _> = vs.variables().into_iter().collect();
    let mut report = KeyReport::default();
    for (name, variable) in &variables {
        let expected = variable.size();
        match keys.get(name).and_then(|key| file.shape(key)) {
            None => report.missing.push(name.clone()),
            Some(found) if found != expected && found != [expected.as_slice(), &[1, 1]].concat() => {
                report.shapes.push(ShapeMismatch { key: name.clone(), expected, found });
            }
            Some(_) => {}
        }
    }
    let left_over = keys.iter().filter(|(name, _)| !variables.contains_key(*name));
    report.left_over = left_over.map(|(_, key)| (*key).to_owned()).collect();
    report
}
