//! The whole UNet.

use super::down::DownBlock;
use super::mid::UNetMidBlock2DCrossAttn;
use super::time::{TimestepEmbedding, sinusoid};
use super::up::UpBlock;
use super::{Context, Pass, UNet2DConditionConfig};
use crate::Tape;
use crate::error::DiffusionError;
use crate::layers::{Activation, Conv2d, ConvConfig, GroupNorm};
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
    conv_in: Conv2d,
    time_embedding: TimestepEmbedding,
    add_embedding: Option<TimestepEmbedding>,
    down_blocks: Vec<DownBlock>,
    mid_block: UNetMidBlock2DCrossAttn,
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
        config.check()?;
        let root = &vs.root();
        let (first, time_dim) = (config.block_out_channels[0], config.time_embed_dim());
        let (down, up) = (root / "down_blocks", root / "up_blocks");
        // diffusers, too, gives SiLU to the added embedding whatever `act_fn` is.
        let added = |dim| TimestepEmbedding::new(&(root / "add_embedding"), dim, time_dim, Activation::Silu);
        let added_dim = config.addition_embed_type.and(config.projection_class_embeddings_input_dim);
        let mut model = Self {
            config: config.clone(),
            modules: Vec::new(),
            conv_in: Conv2d::new(&(root / "conv_in"), config.in_channels, first, ConvConfig::SAME_3),
            time_embedding: TimestepEmbedding::new(&(root / "time_embedding"), first, time_dim, config.act_fn),
            add_embedding: added_dim.map(added),
            down_blocks: (0..config.blocks()).map(|i| DownBlock::new(&(&down / i), i, config)).collect(),
            mid_block: UNetMidBlock2DCrossAttn::new(&(root / "mid_block"), config),
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
        self.conv_in.kind()
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
        let kind = self.kind();
        // 1. time and text
        let pass = Pass { adapters, tape };
        let context = Context { emb: self.time(timesteps, added, pass), text: text.to_kind(kind), pass };
        // 2. down, keeping what the way up takes
        let mut x = pass.run([sample], move |[x], adapters| self.conv_in.forward(&x.to_kind(kind), adapters));
        let mut skips = vec![x.shallow_clone()];
        for block in &self.down_blocks {
            x = block.forward(x, &context, &mut skips);
        }
        // 3. middle
        x = self.mid_block.forward(&x, &context);
        // 4. up
        for block in &self.up_blocks {
            x = block.forward(x, &context, &mut skips);
        }
        // 5. out
        let x = pass.run([&x], |[x], adapters| {
            self.conv_out.forward(&self.config.act_fn.forward(&self.conv_norm_out.forward(x)), adapters)
        });
        x.to_kind(sample.kind())
    }

    /// The time embedding (b, time), with what is added to it.
    fn time<'m>(&'m self, timesteps: &Tensor, added: Option<&AddedConditions>, pass: Pass<'_, 'm>) -> Tensor {
        let kind = self.kind();
        let sines = self.sinusoid(timesteps, self.config.block_out_channels[0]).to_kind(kind);
        let emb = pass.run([&sines], |[t], adapters| self.time_embedding.forward(t, adapters));
        match (&self.add_embedding, added) {
            (None, None) => emb,
            (Some(layer), Some(added)) => {
                let added = self.added(added).to_kind(kind);
                pass.run([&emb, &added], |[emb, x], adapters| emb + layer.forward(x, adapters))
            }
            (Some(_), None) => panic!("the model needs added conditions: addition_embed_type is text_time"),
            (None, Some(_)) => panic!("the model takes no added conditions: addition_embed_type is null"),
        }
    }

    /// Pooled text and embedded numbers side by side (b, projection_class_embeddings_input_dim).
    fn added(&self, added: &AddedConditions) -> Tensor {
        let dim = self.config.addition_time_embed_dim.unwrap_or_default();
        let ids = self.sinusoid(&added.time_ids.flatten(0, 1), dim);
        let ids = ids.reshape([added.time_ids.size()[0], -1]);
        Tensor::cat(&[added.text_embeds.to_kind(Kind::Float), ids], 1)
    }

    fn sinusoid(&self, values: &Tensor, dim: i64) -> Tensor {
        sinusoid(values, dim, self.config.flip_sin_to_cos, self.config.freq_shift)
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
