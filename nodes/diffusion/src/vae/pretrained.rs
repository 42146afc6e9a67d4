//! Folders of diffusers: `config.json` and `diffusion_pytorch_model.safetensors`.

use super::{AutoencoderKl, AutoencoderKlConfig};
use crate::DiffusionError;
use crate::layers::init_weights;
use crate::weights::{find_weights, load_pretrained, save_var_store, vae_name};
use std::path::Path;
use tch::{Device, Kind, nn};

const CONFIG: &str = "config.json";
const STEM: &str = "diffusion_pytorch_model";

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
        load_pretrained(vae.variables(), &find_weights(folder, STEM, None)?, |key| Some(vae_name(key)))?;
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
        save_var_store(self.variables(), &folder.join(format!("{STEM}.safetensors")))
    }
}
