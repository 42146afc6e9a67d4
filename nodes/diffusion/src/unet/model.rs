//! The whole UNet.

use super::encoder::{Encoded, UNetEncoder};
use super::up::UpBlock;
use super::{Context, Pass, UNet2DConditionConfig};
use crate::Tape;
use crate::error::DiffusionError;
use crate::layers::{Conv2d, ConvConfig, GroupNorm};
use crate::lora::{Adapters, LoraTarget, select_targets};
use tch::{Kind, Tensor, nn};

/// What SDXL is conditioned on besides the text.
#[derive(Debug)]
pub struct AddedConditions {
    /// Pooled text embedding (b, pooled).
    pub text_embeds: Tensor,
    /// Original size, crop, target size (b, 6).
    pub time_ids: Tensor,
}

/// A UNet that predicts from a noised sample, timesteps and text. The variables are not numbers until
/// [`init_weights`](crate::layers::init_weights) or [`load_var_store`](crate::weights::load_var_store) sets them.
#[derive(Debug)]
pub struct UNet2DConditionModel {
    config: UNet2DConditionConfig,
    modules: Vec<LoraTarget>,
    encoder: UNetEncoder,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl UNet2DConditionModel {
    /// Makes the variables in `vs`, which must be the model's own and empty: its names are the diffusers keys.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if the configuration does not fit itself.
    pub fn new(vs: &nn::VarStore, config: &UNet2DConditionConfig) -> Result<Self, DiffusionError> {
        let root = &vs.root();
        let (first, up) = (config.block_out_channels[0], root / "up_blocks");
        let mut model = Self {
            config: config.clone(),
            modules: Vec::new(),
            encoder: UNetEncoder::new(vs, config)?,
            up_blocks: (0..config.blocks()).map(|i| UpBlock::new(&(&up / i), i, config)).collect(),
            conv_norm_out: GroupNorm::new(&(root / "conv_norm_out"), config.norm_num_groups, first, config.norm_eps),
            conv_out: Conv2d::new(&(root / "conv_out"), first, config.out_channels, ConvConfig::SAME_3),
        };
        model.modules = modules(vs);
        Ok(model)
    }

    /// The configuration.
    pub fn config(&self) -> &UNet2DConditionConfig {
        &self.config
    }

    /// The dtype of the weights.
    pub fn kind(&self) -> Kind {
        self.encoder.kind()
    }

    /// Every module that an adapter may sit on, sorted by path.
    pub fn modules(&self) -> &[LoraTarget] {
        &self.modules
    }

    /// The modules that `names` name: whole paths or their ends, such as [`LORA_TARGETS`](crate::lora::LORA_TARGETS).
    ///
    /// # Errors
    /// [`DiffusionError::Lora`] for names that name nothing.
    pub fn lora_targets(&self, names: &[&str]) -> Result<Vec<LoraTarget>, DiffusionError> {
        select_targets(&self.modules, names)
    }

    /// sample (b, in, h, w), timesteps (b), text (b, length, dim) → (b, out, h, w), in the sample's dtype.
    ///
    /// `added` is for models with `addition_embed_type`. Inputs are cast to the weights' dtype. On a tape that is not off,
    /// each ResNet block and each block of a transformer is a part.
    ///
    /// # Panics
    /// On shapes that do not fit, as plain tensor operations do: see [`catch`](crate::catch).
    pub fn forward<'m>(
        &'m self,
        sample: &Tensor,
        timesteps: &Tensor,
        text: &Tensor,
        added: Option<&AddedConditions>,
        adapters: &Adapters<'m>,
        tape: &Tape<'m>,
    ) -> Tensor {
        let pass = Pass { adapters, tape };
        let context = self.encoder.context(timesteps, text, added, pass);
        // 1. down and middle
        let encoded = self.encoder.encode(sample, &context, |_| ());
        // 2. up
        let x = self.decode(encoded, &context, |_| ());
        // 3. out
        let x = pass.run([&x], |[x], adapters| {
            self.conv_out.forward(&self.config.act_fn.forward(&self.conv_norm_out.forward(x)), adapters)
        });
        x.to_kind(sample.kind())
    }

    /// What each block makes for the inputs of [`UNet2DConditionModel::forward`]: on the way down, in the middle and on the
    /// way up, each (b, its channels, its h, its w) in the dtype of the weights.
    ///
    /// # Panics
    /// As [`UNet2DConditionModel::forward`].
    pub fn features<'m>(
        &'m self,
        sample: &Tensor,
        timesteps: &Tensor,
        text: &Tensor,
        added: Option<&AddedConditions>,
        adapters: &Adapters<'m>,
        tape: &Tape<'m>,
    ) -> Vec<Tensor> {
        let context = self.encoder.context(timesteps, text, added, Pass { adapters, tape });
        let mut features = Vec::new();
        let encoded = self.encoder.encode(sample, &context, |x| features.push(x.shallow_clone()));
        let _ = self.decode(encoded, &context, |x| features.push(x.shallow_clone()));
        features
    }

    /// The channels of each of [`UNet2DConditionModel::features`].
    pub fn feature_channels(&self) -> Vec<i64> {
        let channels = &self.config.block_out_channels;
        channels.iter().chain(channels.last()).chain(channels.iter().rev()).copied().collect()
    }

    /// The way up; `seen` is shown what each block makes.
    fn decode<'m>(&'m self, encoded: Encoded, context: &Context<'_, 'm>, mut seen: impl FnMut(&Tensor)) -> Tensor {
        let Encoded { mut x, mut skips } = encoded;
        for block in &self.up_blocks {
            x = block.forward(x, context, &mut skips);
            seen(&x);
        }
        x
    }
}

/// Linear layers and convolutions: what has a weight of more than one dimension.
fn modules(vs: &nn::VarStore) -> Vec<LoraTarget> {
    let variables = vs.variables();
    let target = |(name, tensor): (&String, &Tensor)| {
        let path = name.strip_suffix(".weight")?.to_owned();
        (tensor.dim() > 1).then(|| LoraTarget { path, shape: tensor.size() })
    };
    let mut modules: Vec<_> = variables.iter().filter_map(target).collect();
    modules.sort_by(|a, b| a.path.cmp(&b.path));
    modules
}
