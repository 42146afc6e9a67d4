//! A UNet's way down and its middle, with the embedding of time: what a discriminator can be a copy of.

use super::down::DownBlock;
use super::mid::UNetMidBlock2DCrossAttn;
use super::time::{TimestepEmbedding, sinusoid};
use super::{AddedConditions, Context, Pass, UNet2DConditionConfig};
use crate::Tape;
use crate::error::DiffusionError;
use crate::layers::{Activation, Conv2d, ConvConfig};
use crate::lora::Adapters;
use tch::{Kind, Tensor, nn};

/// The half of a UNet up to its middle. Its variables have the names that they have in the whole.
#[derive(Debug)]
pub struct UNetEncoder {
    config: UNet2DConditionConfig,
    conv_in: Conv2d,
    time_embedding: TimestepEmbedding,
    add_embedding: Option<TimestepEmbedding>,
    down_blocks: Vec<DownBlock>,
    mid_block: UNetMidBlock2DCrossAttn,
}

/// What the way up begins with.
pub(super) struct Encoded {
    /// What the middle makes.
    pub(super) x: Tensor,
    /// What the way down keeps for the way up.
    pub(super) skips: Vec<Tensor>,
}

impl UNetEncoder {
    /// Makes the variables in `vs`, under the diffusers keys.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if the configuration does not fit itself.
    pub fn new(vs: &nn::VarStore, config: &UNet2DConditionConfig) -> Result<Self, DiffusionError> {
        config.check()?;
        let root = &vs.root();
        let (first, time_dim, down) = (config.block_out_channels[0], config.time_embed_dim(), root / "down_blocks");
        // diffusers, too, gives SiLU to the added embedding whatever `act_fn` is.
        let added = |dim| TimestepEmbedding::new(&(root / "add_embedding"), dim, time_dim, Activation::Silu);
        let added_dim = config.addition_embed_type.and(config.projection_class_embeddings_input_dim);
        Ok(Self {
            config: config.clone(),
            conv_in: Conv2d::new(&(root / "conv_in"), config.in_channels, first, ConvConfig::SAME_3),
            time_embedding: TimestepEmbedding::new(&(root / "time_embedding"), first, time_dim, config.act_fn),
            add_embedding: added_dim.map(added),
            down_blocks: (0..config.blocks()).map(|i| DownBlock::new(&(&down / i), i, config)).collect(),
            mid_block: UNetMidBlock2DCrossAttn::new(&(root / "mid_block"), config),
        })
    }

    /// The dtype of the weights.
    pub fn kind(&self) -> Kind {
        self.conv_in.kind()
    }

    /// What each block down and the middle make for the inputs of
    /// [`UNet2DConditionModel::forward`](super::UNet2DConditionModel::forward): the first of its features.
    ///
    /// # Panics
    /// On shapes that do not fit, as plain tensor operations do: see [`catch`](crate::catch).
    pub fn features<'m>(
        &'m self,
        sample: &Tensor,
        timesteps: &Tensor,
        text: &Tensor,
        added: Option<&AddedConditions>,
        adapters: &Adapters<'m>,
        tape: &Tape<'m>,
    ) -> Vec<Tensor> {
        let context = self.context(timesteps, text, added, Pass { adapters, tape });
        let mut features = Vec::new();
        self.encode(sample, &context, |x| features.push(x.shallow_clone()));
        features
    }

    /// What all blocks of one pass are given.
    pub(super) fn context<'c, 'm>(
        &'m self,
        timesteps: &Tensor,
        text: &Tensor,
        added: Option<&AddedConditions>,
        pass: Pass<'c, 'm>,
    ) -> Context<'c, 'm> {
        Context { emb: self.time(timesteps, added, pass), text: text.to_kind(self.kind()), pass }
    }

    /// The way down, then the middle; `seen` is shown what each block makes.
    pub(super) fn encode<'m>(
        &'m self,
        sample: &Tensor,
        context: &Context<'_, 'm>,
        mut seen: impl FnMut(&Tensor),
    ) -> Encoded {
        let kind = self.kind();
        let mut x = context.pass.run([sample], move |[x], adapters| self.conv_in.forward(&x.to_kind(kind), adapters));
        let mut skips = vec![x.shallow_clone()];
        for block in &self.down_blocks {
            x = block.forward(x, context, &mut skips);
            seen(&x);
        }
        x = self.mid_block.forward(&x, context);
        seen(&x);
        Encoded { x, skips }
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
