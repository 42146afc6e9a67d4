//! A discriminator over a UNet's features.

use super::head::{FeatureHead, PoolingHead};
use crate::computing::wide;
use crate::layers::init_weights;
use crate::lora::Adapters;
use crate::unet::{UNet2DConditionModel, UNetEncoder};
use crate::{Conditions, DiffusionError, Tape};
use std::collections::BTreeMap;
use tch::{Tensor, nn, no_grad};

/// A trained network over a UNet's features that tells real noised samples from fake ones. Its weights are fp32.
#[derive(Debug)]
pub struct Discriminator<'a> {
    store: nn::VarStore,
    form: Form<'a>,
}

#[derive(Debug)]
enum Form<'a> {
    Heads { unet: &'a UNet2DConditionModel, heads: Vec<FeatureHead> },
    Encoder(Box<Encoder>),
}

/// A copy of a UNet's first half, and what sits on its middle.
#[derive(Debug)]
struct Encoder {
    encoder: UNetEncoder,
    head: PoolingHead,
}

impl<'a> Discriminator<'a> {
    /// Fresh heads on all features of a UNet that stays frozen (PCM, arXiv 2405.18407, §3.3): nothing of the UNet is copied.
    pub fn heads(unet: &'a UNet2DConditionModel, device: tch::Device, seed: u64) -> Self {
        let store = nn::VarStore::new(device);
        let (root, groups) = (store.root() / "heads", unet.config().norm_num_groups);
        let channels = unet.feature_channels().into_iter().enumerate();
        let heads = channels.map(|(i, channels)| FeatureHead::new(&(&root / i), channels, groups)).collect();
        init_weights(&store, seed);
        Self { store, form: Form::Heads { unet, heads } }
    }

    /// A copy of a UNet's way down and middle under a fresh head, all of it trained (SDXL-Lightning, arXiv 2402.13929, §3.2,
    /// which Hyper-SD takes over). `weights` are the UNet's own.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if the weights are another UNet's.
    pub fn encoder(unet: &UNet2DConditionModel, weights: &nn::VarStore, seed: u64) -> Result<Self, DiffusionError> {
        let store = nn::VarStore::new(weights.device());
        let config = unet.config();
        let encoder = UNetEncoder::new(&store, config)?;
        let copied = store.variables();
        let channels = config.block_out_channels[config.blocks() - 1];
        let head = PoolingHead::new(&(store.root() / "head"), channels, config.norm_num_groups);
        init_weights(&store, seed);
        let originals = weights.variables();
        for (name, variable) in copied {
            let original = originals.get(&name).filter(|original| original.size() == variable.size());
            let Some(original) = original else {
                let message = format!("{name} is not in the weights that it should be copied from");
                return Err(DiffusionError::Config { what: "discriminator".into(), message });
            };
            no_grad(|| variable.shallow_clone().copy_(original));
        }
        Ok(Self { store, form: Form::Encoder(Box::new(Encoder { encoder, head })) })
    }

    /// What it says of samples x_t (b, c, h, w) at timesteps t (b), fp32: above 0 for real ones. Each output is (b, 1, …).
    ///
    /// The parts of the UNet go onto the tape where a gradient passes through them.
    ///
    /// # Panics
    /// As [`UNet2DConditionModel::forward`].
    pub fn logits<'m>(&'m self, x_t: &Tensor, t: &Tensor, conditions: &Conditions, tape: &Tape<'m>) -> Vec<Tensor> {
        let (text, added, none) = (&conditions.text, conditions.added.as_ref(), Adapters::none());
        match &self.form {
            Form::Heads { unet, heads } => {
                let features = if x_t.requires_grad() {
                    unet.features(x_t, t, text, added, &none, tape)
                } else {
                    no_grad(|| unet.features(x_t, t, text, added, &none, tape))
                };
                let each = heads.iter().zip(features);
                each.map(|(head, feature)| head.forward(&wide(&feature))).collect()
            }
            Form::Encoder(own) => {
                let features = own.encoder.features(x_t, t, text, added, &none, tape);
                features.last().map(|middle| own.head.forward(middle)).into_iter().collect()
            }
        }
    }

    /// Its weights by name, sorted.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        self.store.variables().into_iter().collect::<BTreeMap<_, _>>().into_iter().collect()
    }

    /// Whether losses have gradients with respect to its weights: not while it judges what another network is trained by.
    pub fn set_trained(&self, trained: bool) {
        for (_, parameter) in self.parameters() {
            let _ = parameter.set_requires_grad(trained);
        }
    }
}
