//! The configurations of a model's parts, which say what tensors it has.

use super::Component;
use crate::clip::{self, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, Pretrained};
use crate::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use crate::vae::{AutoencoderKl, AutoencoderKlConfig};
use crate::{DiffusionError, ModelIndex};
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, nn};

/// Name and shape of every tensor.
pub(crate) type Shapes = BTreeMap<String, Vec<i64>>;

/// The configurations of a model's parts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parts {
    pub(crate) unet: UNet2DConditionConfig,
    pub(crate) vae: Option<AutoencoderKlConfig>,
    pub(crate) text_encoder: ClipTextConfig,
    pub(crate) text_encoder_2: Option<ClipTextConfig>,
}

impl Parts {
    /// Reads the `config.json` of every part that a model folder has.
    pub(crate) fn read(model: &Path, index: &ModelIndex) -> Result<Self, DiffusionError> {
        let folder = |component: Component| model.join(component.folder());
        let config = |component| folder(component).join("config.json");
        let vae = index.vae.then(|| AutoencoderKlConfig::read(&config(Component::Vae)));
        let second = index
            .text_encoder_2
            .then(|| clip::read_config::<ClipTextModelWithProjection>(&folder(Component::TextEncoder2)));
        Ok(Self {
            unet: UNet2DConditionConfig::read(&config(Component::Unet))?,
            vae: vae.transpose()?,
            text_encoder: clip::read_config::<ClipTextModel>(&folder(Component::TextEncoder))?,
            text_encoder_2: second.transpose()?,
        })
    }

    /// Writes the `config.json` of every part.
    pub(crate) fn write(&self, model: &Path) -> Result<(), DiffusionError> {
        for component in self.components() {
            let folder = model.join(component.folder());
            let io = |source| DiffusionError::Io { action: "create", path: folder.clone(), source };
            std::fs::create_dir_all(&folder).map_err(io)?;
        }
        let folder = |component: Component| model.join(component.folder());
        self.unet.write(&folder(Component::Unet).join("config.json"))?;
        if let Some(vae) = &self.vae {
            vae.write(&folder(Component::Vae).join("config.json"))?;
        }
        clip::write_config::<ClipTextModel>(&folder(Component::TextEncoder), &self.text_encoder)?;
        self.text_encoder_2.as_ref().map_or(Ok(()), |config| {
            clip::write_config::<ClipTextModelWithProjection>(&folder(Component::TextEncoder2), config)
        })
    }

    /// The parts that there are.
    pub(crate) fn components(&self) -> Vec<Component> {
        let optional = [(Component::Vae, self.vae.is_some()), (Component::TextEncoder2, self.text_encoder_2.is_some())];
        let present = optional.into_iter().filter(|(_, there)| *there).map(|(component, _)| component);
        [Component::Unet, Component::TextEncoder].into_iter().chain(present).collect()
    }

    /// The tensors of a part. The model is built for it: its variables are not written, so it takes no memory.
    pub(crate) fn shapes(&self, component: Component) -> Result<Shapes, DiffusionError> {
        let vs = nn::VarStore::new(Device::Cpu);
        match component {
            Component::Unet => UNet2DConditionModel::new(&vs, &self.unet).map(|_| shapes(&vs)),
            Component::Vae => match &self.vae {
                Some(config) => AutoencoderKl::new(vs, config).map(|vae| shapes(vae.variables())),
                None => Ok(Shapes::new()),
            },
            Component::TextEncoder => Ok(clip_shapes::<ClipTextModel>(Some(&self.text_encoder))),
            Component::TextEncoder2 => Ok(clip_shapes::<ClipTextModelWithProjection>(self.text_encoder_2.as_ref())),
        }
    }
}

fn clip_shapes<M: Pretrained<Config = ClipTextConfig>>(config: Option<&ClipTextConfig>) -> Shapes {
    let vs = nn::VarStore::new(Device::Cpu);
    if let Some(config) = config {
        M::build(&vs.root(), config);
    }
    shapes(&vs)
}

fn shapes(vs: &nn::VarStore) -> Shapes {
    vs.variables().into_iter().map(|(name, variable)| (name, variable.size())).collect()
}
