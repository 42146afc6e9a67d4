//! The `Model` artifact, a diffusers folder, and the text encoder in it.

use std::path::Path;

use hyper_flow_diffusion::clip::{self, ClipTextConfig, ClipTextModel, ClipTokenizer};
use hyper_flow_diffusion::losses::Denoiser;
use hyper_flow_diffusion::schedulers::{NoiseSchedule, SchedulerConfig};
use hyper_flow_diffusion::unet::{UNet2DConditionConfig, UNet2DConditionModel};
use hyper_flow_diffusion::weights::{load_var_store, save_var_store};
use hyper_flow_diffusion::{Conditions, DiffusionError};
use serde_json::json;
use tch::{Device, Kind, Tensor, nn, no_grad};

use crate::dataset::{Dataset, Shape};
use crate::{NodeError, files};

const UNET_WEIGHTS: &str = "diffusion_pytorch_model.safetensors";
/// The version of diffusers whose files these are; written where diffusers writes its own.
const DIFFUSERS: &str = "0.35.0";
/// Captions encoded at once.
const CHUNK: usize = 256;

/// A CLIP text tower with its tokenizer.
#[derive(Debug)]
pub(crate) struct TextEncoder {
    store: nn::VarStore,
    model: ClipTextModel,
    config: ClipTextConfig,
    tokenizer: ClipTokenizer,
}

impl TextEncoder {
    fn load(weights: &Path, tokenizer: &Path, device: Device) -> Result<Self, DiffusionError> {
        let (mut store, model, config) = clip::load::<ClipTextModel>(weights, Kind::Float, device)?;
        store.freeze();
        Ok(Self { store, model, config, tokenizer: ClipTokenizer::read(tokenizer)? })
    }

    /// The text tower of a `Clip` artifact; frozen.
    pub(crate) fn of_clip(folder: &Path, device: Device) -> Result<Self, DiffusionError> {
        Self::load(folder, folder, device)
    }

    /// Width of a text.
    pub(crate) fn width(&self) -> i64 {
        self.config.hidden_size
    }

    /// What captions give: the last hidden state, as Stable Diffusion 1 reads it.
    pub(crate) fn encode(&self, captions: &[String]) -> Result<Conditions, DiffusionError> {
        let encode = |chunk: &[String]| {
            let ids = self.tokenizer.encode_batch(chunk, self.store.device())?;
            Ok(no_grad(|| self.model.forward(&ids).last_hidden_state))
        };
        let chunks: Result<Vec<_>, DiffusionError> = captions.chunks(CHUNK).map(encode).collect();
        Ok(Tensor::f_cat(&chunks?, 0)?.into())
    }

    /// Writes `text_encoder/` and `tokenizer/` of a model folder.
    fn save(&self, model: &Path) -> Result<(), DiffusionError> {
        clip::save::<ClipTextModel>(&model.join("text_encoder"), &self.store, &self.config)?;
        self.tokenizer.write(&model.join("tokenizer"))
    }
}

/// A frozen diffusion model.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) unet: UNet2DConditionModel,
    pub(crate) text: TextEncoder,
    pub(crate) schedule: NoiseSchedule,
}

impl Model {
    /// Reads a model folder, the UNet as `kind`.
    pub(crate) fn load(folder: &Path, device: Device, kind: Kind) -> Result<Self, NodeError> {
        let config: UNet2DConditionConfig = UNet2DConditionConfig::read(&folder.join("unet/config.json"))?;
        let mut store = nn::VarStore::new(device);
        store.set_kind(kind);
        let unet = UNet2DConditionModel::new(&store, &config)?;
        load_var_store(&store, &folder.join("unet").join(UNET_WEIGHTS), "")?;
        store.freeze();
        let text = TextEncoder::load(&folder.join("text_encoder"), &folder.join("tokenizer"), device)?;
        let schedule = NoiseSchedule::new(&SchedulerConfig::read(&folder.join("scheduler"))?)?;
        Ok(Self { unet, text, schedule })
    }

    /// What losses and samplers ask for predictions.
    pub(crate) fn denoiser(&self) -> Denoiser<'_> {
        Denoiser { unet: &self.unet, schedule: &self.schedule }
    }

    /// That it draws pictures of the dataset's size.
    pub(crate) fn check_fits(&self, data: &Dataset) -> Result<(), NodeError> {
        let [channels, side, _] = self.sample_shape()?;
        let found = data.shape();
        if found == (Shape { channels, side }) {
            return Ok(());
        }
        Err(NodeError::Unfit(format!(
            "the model draws pictures of {channels} channels and {side} pixels, and the dataset's have {} and {}; train \
             a model on this dataset",
            found.channels, found.side
        )))
    }

    /// (channels, height, width) of what it draws.
    pub(crate) fn sample_shape(&self) -> Result<[i64; 3], NodeError> {
        let config = self.unet.config();
        let side = config.sample_size.as_ref().map(|size| size.get(0));
        let side = side.ok_or_else(|| NodeError::Unfit("the model's unet/config.json has no sample_size".into()))?;
        Ok([config.in_channels, side, side])
    }
}

/// Writes a model folder without a VAE.
pub(crate) fn save(
    folder: &Path,
    unet: (&nn::VarStore, &UNet2DConditionConfig),
    text: &TextEncoder,
    scheduler: &SchedulerConfig,
) -> Result<(), NodeError> {
    let unet_folder = folder.join("unet");
    let unet_config = unet_folder.join("config.json");
    files::make_parent(&unet_config)?;
    unet.1.write(&unet_config)?;
    save_var_store(unet.0, &unet_folder.join(UNET_WEIGHTS))?;
    text.save(folder)?;
    scheduler.write(&folder.join("scheduler"))?;
    let none = json!([null, null]);
    let index = json!({
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": DIFFUSERS,
        "feature_extractor": none,
        "image_encoder": none,
        "requires_safety_checker": false,
        "safety_checker": none,
        "scheduler": ["diffusers", scheduler.class_name],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": none,
    });
    files::write_json(&folder.join("model_index.json"), &index)
}
