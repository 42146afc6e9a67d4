//! The `Model` artifact, a diffusers folder, of which each node reads the parts that it needs.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use hyper_flow_diffusion::lora::{LoraTarget, TextTower};
use hyper_flow_diffusion::losses::Denoiser;
use hyper_flow_diffusion::schedulers::{NoiseSchedule, SchedulerConfig};
use hyper_flow_diffusion::unet::{self, PerBlock, UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::vae::{AutoencoderKl, AutoencoderKlConfig};
use hyper_flow_diffusion::weights::Weights;
use hyper_flow_diffusion::{DiffusionError, ModelIndex, TextEncoders};
use tch::{Device, Kind, Tensor, nn};

use crate::NodeError;
use crate::artifacts::dataset::{Dataset, Shape};
use crate::artifacts::decoder::Decoder;

/// A frozen UNet and its schedule, in memory; text encoders and VAE stay in the folder until they are asked for, and whom
/// they are given to decides how long they are held.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) unet: UNet2DConditionModel,
    /// The UNet's weights by name.
    pub(crate) weights: nn::VarStore,
    pub(crate) schedule: NoiseSchedule,
    /// The VAE's configuration; a model without one draws pixels.
    vae: Option<AutoencoderKlConfig>,
    folder: PathBuf,
    device: Device,
    kind: Kind,
}

impl Model {
    /// Reads UNet and schedule of a model folder. All of its networks are to be of `kind`.
    pub(crate) fn load(folder: &Path, device: Device, kind: Kind) -> Result<Self, NodeError> {
        let index = ModelIndex::read(folder)?;
        let (mut weights, unet) = unet::load(&folder.join("unet"), kind, device)?;
        weights.freeze();
        let schedule = NoiseSchedule::new(&SchedulerConfig::read(&folder.join("scheduler"))?)?;
        let vae = index.vae.then(|| AutoencoderKlConfig::read(&folder.join("vae/config.json"))).transpose()?;
        let model = Self { unet, weights, schedule, vae, folder: folder.to_owned(), device, kind };
        model.check_channels()?;
        Ok(model)
    }

    /// Reads the text encoders, which must be the UNet's.
    pub(crate) fn text_encoders(&self) -> Result<TextEncoders, NodeError> {
        let encoders = TextEncoders::load(&self.folder, self.kind, self.device)?;
        let config = self.unet.config();
        let (width, taken) = (encoders.width(), config.cross_attention_dim.get(0));
        let added = encoders.pooled_width().map(|pooled| pooled + 6 * config.addition_time_embed_dim.unwrap_or(0));
        let taken_added = config.addition_embed_type.and(config.projection_class_embeddings_input_dim);
        if width == taken && added == taken_added {
            return Ok(encoders);
        }
        let say = |width: i64, added: Option<i64>| match added {
            None => format!("texts of width {width}"),
            Some(added) => format!("texts of width {width} and {added} numbers for the time embedding"),
        };
        Err(self.unfit(format!(
            "the text encoders give {}, and the UNet takes {}: they are of different models",
            say(width, added),
            say(taken, taken_added)
        )))
    }

    /// The modules of UNet and text encoders that a LoRA can sit on.
    pub(crate) fn lora_modules(&self) -> Result<Vec<LoraTarget>, NodeError> {
        Ok([self.unet.modules().to_vec(), TextEncoders::lora_modules(&self.folder)?].concat())
    }

    /// Reads what makes pictures of samples.
    pub(crate) fn decoder(&self) -> Result<Decoder, NodeError> {
        if self.vae.is_none() {
            return Ok(Decoder::Pixels);
        }
        let vae = AutoencoderKl::load(&self.folder.join("vae"), self.kind, self.device)?;
        Ok(Decoder::Latents(Box::new(vae.with_slicing(true))))
    }

    /// What losses and samplers ask for predictions.
    pub(crate) fn denoiser(&self) -> Denoiser<'_> {
        Denoiser { unet: &self.unet, schedule: &self.schedule }
    }

    /// Whether it draws latents, which a VAE decodes.
    pub(crate) fn is_latent(&self) -> bool {
        self.vae.is_some()
    }

    /// That it can draw pictures as the dataset's: those that were read in as squares must be of its own size, and those
    /// with `buckets` may be of any.
    pub(crate) fn check_fits(&self, data: &Dataset) -> Result<(), NodeError> {
        let own = self.picture_shape()?;
        let wrong = |found: &Shape| match data.is_framed() {
            true => found.channels != own.channels,
            false => *found != own,
        };
        let mut shapes = data.shapes().map(|[channels, height, width]| Shape { channels, height, width });
        let Some(found) = shapes.find(wrong) else { return Ok(()) };
        Err(NodeError::Unfit(format!(
            "the model draws pictures of {} channels and {}, and the dataset's have {} and {}; train a model on this dataset",
            own.channels,
            own.size(),
            found.channels,
            found.size()
        )))
    }

    /// The pictures that it was trained on.
    pub(crate) fn picture_shape(&self) -> Result<Shape, NodeError> {
        let config = self.unet.config();
        let [height, width] = match &config.sample_size {
            Some(PerBlock::Same(side)) => [*side; 2],
            Some(PerBlock::Each(sides)) if sides.len() == 2 => [sides[0], sides[1]],
            Some(PerBlock::Each(_)) => {
                return Err(self.unfit("unet/config.json has a sample_size of neither one nor two numbers".into()));
            }
            None => return Err(self.unfit("unet/config.json has no sample_size".into())),
        };
        let [height, width] = [height, width].map(|side| side * self.downsampling());
        let channels = self.vae.as_ref().map_or(config.out_channels, |vae| vae.out_channels);
        Ok(Shape { channels, height, width })
    }

    /// (channels, height, width) of the samples that become pictures of this height and width.
    pub(crate) fn sample_shape(&self, size: [i64; 2]) -> Result<[i64; 3], NodeError> {
        let factor = self.downsampling();
        if let Some(side) = size.iter().find(|&side| side % factor != 0) {
            return Err(NodeError::Unfit(format!(
                "pictures of {side} pixels are no whole number of the model's latents, which stand for {factor} pixels \
                 each; use {} or {}",
                (side / factor).max(1) * factor,
                (side / factor + 1) * factor
            )));
        }
        Ok([self.unet.config().in_channels, size[0] / factor, size[1] / factor])
    }

    /// How many pixels a side of a sample's element stands for.
    fn downsampling(&self) -> i64 {
        self.vae.as_ref().map_or(1, AutoencoderKlConfig::downsampling)
    }

    fn check_channels(&self) -> Result<(), NodeError> {
        let config = self.unet.config();
        let (taken, given) = (config.in_channels, config.out_channels);
        let Some(vae) = &self.vae else {
            let drawable = taken == given && (given == 1 || given == 3);
            return if drawable {
                Ok(())
            } else {
                Err(self.unfit(format!(
                    "the UNet draws {given} channels, which are no picture, and model_index.json names no vae"
                )))
            };
        };
        if taken == given && given == vae.latent_channels {
            return Ok(());
        }
        Err(self.unfit(format!(
            "the UNet takes {taken} channels and gives {given}, and the VAE's latents have {}: models that draw over a \
             picture or by another one are not supported",
            vae.latent_channels
        )))
    }

    fn unfit(&self, message: String) -> NodeError {
        NodeError::content(&self.folder, message)
    }
}

/// The modules of a model folder's UNet that a LoRA can sit on, without its weights: a variable takes memory only when it
/// is written.
pub(crate) fn modules(folder: &Path) -> Result<Vec<LoraTarget>, NodeError> {
    let config = UNet2DConditionConfig::read(&folder.join("unet/config.json"))?;
    Ok(UNet2DConditionModel::new(&nn::VarStore::new(Device::Cpu), &config)?.modules().to_vec())
}

/// The modules of a model folder's UNet and text encoders that a LoRA can sit on.
pub(crate) fn lora_modules(folder: &Path) -> Result<Vec<LoraTarget>, NodeError> {
    Ok([modules(folder)?, TextEncoders::lora_modules(folder)?].concat())
}

/// The weights of [`lora_modules`], read when they are asked for.
pub(crate) struct BaseWeights {
    folder: PathBuf,
    unet: Weights,
    text: OnceCell<TextEncoders>,
}

impl BaseWeights {
    /// Those of a model folder.
    pub(crate) fn of(folder: &Path) -> Result<Self, NodeError> {
        Ok(Self { folder: folder.to_owned(), unet: unet_weights(folder)?, text: OnceCell::new() })
    }

    /// The weight of a module, in f64 on the CPU.
    pub(crate) fn weight(&self, module: &str) -> Result<Tensor, DiffusionError> {
        if TextTower::split(module).is_none() {
            return self.unet.tensor(&format!("{module}.weight"), Kind::Double, Device::Cpu);
        }
        if let Some(encoders) = self.text.get() {
            return encoders.weight(module);
        }
        let encoders = TextEncoders::load(&self.folder, Kind::Float, Device::Cpu)?;
        self.text.get_or_init(|| encoders).weight(module)
    }
}

/// The weights of a model folder's UNet, on disk.
pub(crate) fn unet_weights(folder: &Path) -> Result<Weights, NodeError> {
    Ok(unet::weights(&folder.join("unet"))?)
}

/// What a model folder is written from.
pub(crate) struct Parts<'a> {
    pub(crate) unet: (&'a nn::VarStore, &'a UNet2DConditionConfig),
    pub(crate) text: &'a TextEncoders,
    /// None for a model that draws pixels.
    pub(crate) vae: Option<&'a AutoencoderKl>,
    pub(crate) scheduler: &'a SchedulerConfig,
}

/// Writes a model folder.
pub(crate) fn save(folder: &Path, parts: &Parts<'_>) -> Result<(), NodeError> {
    unet::save(&folder.join("unet"), parts.unet.0, parts.unet.1)?;
    parts.text.save(folder)?;
    parts.vae.map_or(Ok(()), |vae| vae.save(&folder.join("vae")))?;
    parts.scheduler.write(&folder.join("scheduler"))?;
    Ok(parts.text.index(parts.vae.is_some()).write(folder, &parts.scheduler.class_name)?)
}
