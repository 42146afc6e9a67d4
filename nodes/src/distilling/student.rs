//! The LoRA that a distillation trains: where it starts, how it is averaged, what is written.

use hyper_flow_diffusion::lora::{LORA_TARGETS, Lora};
use hyper_flow_diffusion::unet::UNet2DConditionModel;
use hyper_flow_spec::kinds::LoraParams;
use hyper_flow_spec::{Level, Positive, Ref, types};
use tch::{Tensor, no_grad};

use crate::NodeError;
use crate::artifacts::lora;
use crate::training::Group;
use crate::worker::Context;

/// A LoRA in training and its moving average, which is what the node yields.
#[derive(Debug)]
pub(crate) struct Student {
    pub(crate) lora: Lora,
    pub(crate) average: Lora,
}

/// A fresh LoRA that adds nothing yet; says which modules got a lower rank. `purpose` separates its random start.
pub(crate) fn fresh(
    context: &Context,
    unet: &UNet2DConditionModel,
    spec: LoraParams<'_>,
    purpose: &str,
) -> Result<Lora, NodeError> {
    let names: Vec<&str> = match spec.modules {
        Some(modules) => modules.iter().map(String::as_str).collect(),
        None => LORA_TARGETS.to_vec(),
    };
    let rank = spec.rank.get();
    let alpha = spec.alpha.map_or(rank as f64, Positive::get);
    let seed = hyper_flow_diffusion::rng::Rng::at(context.seed(), purpose, 0).bits();
    let (lora, clipped) = Lora::new(&unet.lora_targets(&names)?, rank, alpha, seed);
    if !clipped.is_empty() {
        let modules: Vec<String> = clipped.iter().map(|c| format!("{} ({})", c.path, c.rank)).collect();
        let text =
            format!("rank {rank} is clipped to the smaller side of {} modules: {}", clipped.len(), modules.join(", "));
        context.reporter.message(Level::Info, text);
    }
    Ok(lora.to_device(context.device).requires_grad(true))
}

impl Student {
    /// Goes on from a LoRA, or starts a fresh one. Another rank, alpha or other modules than the parent's are an error: they would
    /// silently not be what was asked for.
    pub(crate) fn new(
        context: &Context,
        unet: &UNet2DConditionModel,
        parent: Option<&Ref<types::Lora>>,
        spec: LoraParams<'_>,
    ) -> Result<Self, NodeError> {
        let lora = match parent {
            None => fresh(context, unet, spec, "student")?,
            Some(port) => {
                let parent = lora::read_unet(context, port, unet)?;
                check(&parent, unet, spec)?;
                parent.requires_grad(true)
            }
        };
        let average = lora.deep_copy();
        Ok(Self { lora, average })
    }

    /// What the loop trains.
    pub(crate) fn group(&self, lr: f64) -> Group {
        Group { lora: Some(self.lora.view()), ..Group::main("student", named(&self.lora), lr) }
    }

    /// What the loop averages into.
    pub(crate) fn averages(&self) -> Vec<(String, Tensor)> {
        named(&self.average)
    }

    /// Writes the artifact.
    pub(crate) fn write(&self, context: &Context) -> Result<(), NodeError> {
        lora::write(context, &self.average)
    }
}

/// The tensors of a LoRA by name, sorted.
pub(crate) fn named(lora: &Lora) -> Vec<(String, Tensor)> {
    let halves = lora.layers.iter().flat_map(|(path, layer)| {
        [(format!("{path}.down"), layer.down.shallow_clone()), (format!("{path}.up"), layer.up.shallow_clone())]
    });
    halves.collect()
}

/// Copies the numbers of a LoRA into another of the same modules and ranks.
pub(crate) fn copy(from: &Lora, to: &Lora) {
    for (from, mut to) in from.tensors().into_iter().zip(to.tensors()) {
        no_grad(|| to.copy_(&from));
    }
}

fn check(parent: &Lora, unet: &UNet2DConditionModel, spec: LoraParams<'_>) -> Result<(), NodeError> {
    match spec.modules {
        Some(modules) => {
            let names: Vec<&str> = modules.iter().map(String::as_str).collect();
            parent.check_rank(&unet.lora_targets(&names)?, spec.rank.get())?;
        }
        None => {
            let adapted: Vec<_> =
                unet.modules().iter().filter(|m| parent.layers.contains_key(&m.path)).cloned().collect();
            parent.check_rank(&adapted, spec.rank.get())?;
        }
    }
    let scale = spec.alpha.map(|alpha| alpha.get() / spec.rank.get() as f64);
    let other = parent.layers.iter().find(|(_, layer)| scale.is_some_and(|scale| (layer.scale() - scale).abs() > 1e-6));
    match other {
        Some((path, layer)) => Err(NodeError::Unfit(format!(
            "the student's {path} has scale {} where `alpha` and `rank` give {}; leave `alpha` out to keep the student's",
            layer.scale(),
            scale.unwrap_or_default()
        ))),
        None => Ok(()),
    }
}
