//! What every training kind has in common, so that one loop serves them all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Count, Fraction, NonNegative, Positive, Rank};

/// How the learning rate falls over a training's steps, after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LrDecay {
    /// Not at all.
    Constant,
    /// In a straight line to 0.
    Linear,
    /// Along half a cosine to 0.
    Cosine,
}

/// How much each sample of a denoising loss counts, by the signal-to-noise ratio of its timestep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum SnrWeighting {
    /// All alike.
    #[default]
    Uniform,
    /// min(SNR, γ)/SNR where the model predicts ε, min(SNR, γ)/(SNR + 1) where it predicts v: the timesteps of little noise
    /// count less (Min-SNR-γ, arXiv 2303.09556, §3.4). γ is 5 there.
    MinSnr(Positive),
}

impl SnrWeighting {
    pub(super) fn is_uniform(&self) -> bool {
        *self == Self::Uniform
    }
}

/// The parameters of the training loop, which every training kind carries as fields of its own.
#[derive(Debug, Clone, Copy)]
pub struct Training {
    /// Optimiser steps.
    pub steps: Count,
    /// Samples in one batch.
    pub batch: Count,
    /// Batches whose gradients make one step.
    pub accumulate: Count,
    /// Learning rate of AdamW.
    pub lr: Positive,
    /// Steps over which the learning rate rises from 0.
    pub lr_warmup: Amount,
    /// How the learning rate falls.
    pub lr_decay: LrDecay,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: NonNegative,
    /// Largest L2 norm of the gradient of all trained weights.
    pub grad_clip: Positive,
    /// Decay of the moving average of the trained weights; 0 is none.
    pub ema: Fraction,
}

impl Training {
    /// Why a training of more steps does other things from its first step on than one of fewer; `None` if it does the same,
    /// and then goes on.
    pub fn spreads_over_steps(&self) -> Option<&'static str> {
        match self.lr_decay {
            LrDecay::Constant => None,
            LrDecay::Linear => Some("`lr_decay: Linear` spreads the learning rate over all steps"),
            LrDecay::Cosine => Some("`lr_decay: Cosine` spreads the learning rate over all steps"),
        }
    }
}

pub(super) mod default {
    use super::*;

    pub(crate) fn lr() -> Positive {
        Positive::new(1e-3).expect("in range")
    }

    pub(crate) fn lr_decay() -> LrDecay {
        LrDecay::Cosine
    }

    pub(crate) fn weight_decay() -> NonNegative {
        NonNegative::new(0.0).expect("in range")
    }

    pub(crate) fn one() -> Positive {
        Positive::new(1.0).expect("in range")
    }

    pub(crate) fn none() -> Fraction {
        Fraction::new(0.0).expect("in range")
    }

    pub(crate) fn ema() -> Fraction {
        Fraction::new(0.99).expect("in range")
    }
}

/// Defines the parameters of a training kind: its own fields, then those of [`Training`].
macro_rules! training_kind {
    ($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$meta])* pub $field: $ty,)*
            /// Optimiser steps.
            pub steps: crate::Count,
            /// Samples in one batch.
            #[serde(default = "crate::bounded::int::count::<64>")]
            pub batch: crate::Count,
            /// Batches whose gradients are averaged into one optimiser step: 4 of 16 give the gradients of 64. (Not in
            /// `TrainClip`, whose loss compares the pairs of one batch with each other.)
            #[serde(default = "crate::bounded::int::count::<1>")]
            pub accumulate: crate::Count,
            /// Learning rate of AdamW. 1e-3 suits the small models here; for Stable Diffusion use 2e-6 to 1e-4.
            #[serde(default = "crate::kinds::training::default::lr")]
            pub lr: crate::Positive,
            /// Steps over which the learning rate rises linearly from 0.
            #[serde(default = "crate::bounded::int::amount::<0>")]
            pub lr_warmup: crate::Amount,
            /// How the learning rate falls after the warm-up.
            #[serde(default = "crate::kinds::training::default::lr_decay")]
            pub lr_decay: crate::kinds::LrDecay,
            /// Decoupled weight decay of AdamW.
            #[serde(default = "crate::kinds::training::default::weight_decay")]
            pub weight_decay: crate::NonNegative,
            /// Largest L2 norm of the gradient of all trained weights; a larger one is scaled down to it.
            #[serde(default = "crate::kinds::training::default::one")]
            pub grad_clip: crate::Positive,
            /// Decay per step of the moving average of the trained weights, which is what the node yields; 0 yields the last weights.
            #[serde(default = "crate::kinds::training::default::ema")]
            pub ema: crate::Fraction,
        }

        impl $name {
            /// The parameters of the training loop.
            pub fn training(&self) -> crate::kinds::Training {
                crate::kinds::Training {
                    steps: self.steps,
                    batch: self.batch,
                    accumulate: self.accumulate,
                    lr: self.lr,
                    lr_warmup: self.lr_warmup,
                    lr_decay: self.lr_decay,
                    weight_decay: self.weight_decay,
                    grad_clip: self.grad_clip,
                    ema: self.ema,
                }
            }
        }
    };
}

/// Which LoRA a distillation trains; the fields that every distillation kind carries.
#[derive(Debug, Clone, Copy)]
pub struct LoraParams<'a> {
    /// Rank; clipped to a module's smaller side.
    pub rank: Rank,
    /// Numerator of the scale alpha/rank.
    pub alpha: Option<Positive>,
    /// Names of the modules to adapt.
    pub modules: Option<&'a [String]>,
}

/// Defines the parameters of a training kind that trains a LoRA: its own fields, those of [`LoraParams`], then those of
/// [`Training`].
macro_rules! distillation_kind {
    ($(#[$doc:meta])* $name:ident { $($fields:tt)* }) => {
        training_kind! {
            $(#[$doc])* $name {
                $($fields)*
                /// Rank of each LoRA that is trained; clipped to a module's smaller side. One that goes on from a
                /// `student` must have its rank.
                #[serde(default = "crate::bounded::int::rank::<16>")]
                rank: crate::Rank,
                /// Alpha of each LoRA that is trained (scale = alpha/rank); the rank when absent.
                #[serde(default)]
                alpha: Option<crate::Positive>,
                /// Names of the modules to adapt; the 14 of LCM-LoRA when absent.
                #[serde(default)]
                modules: Option<Vec<String>>,
                /// Share of the inputs of each trained adapter that is dropped in training.
                #[serde(default = "crate::kinds::training::default::none")]
                dropout: crate::Fraction,
                /// Share of the samples whose caption is replaced by the empty one, so that the LoRA is trained on what guidance
                /// leads away from, too. 0.1 is common.
                #[serde(
                    default = "crate::kinds::training::default::none",
                    skip_serializing_if = "crate::Fraction::is_zero"
                )]
                empty_captions: crate::Fraction,
                /// Number format of the frozen networks. The LoRA itself is always trained in fp32.
                #[serde(default)]
                precision: crate::kinds::Precision,
                /// Whether the inner values of the networks are computed again in the backward pass instead of kept:
                /// a fraction of the memory, for about a third more time.
                #[serde(default)]
                checkpointing: bool,
            }
        }

        impl $name {
            /// Which LoRA it trains.
            pub fn lora(&self) -> crate::kinds::LoraParams<'_> {
                crate::kinds::LoraParams { rank: self.rank, alpha: self.alpha, modules: self.modules.as_deref() }
            }
        }
    };
}

pub(super) use {distillation_kind, training_kind};

#[cfg(test)]
mod tests {
    use crate::Kind;
    use serde_json::json;

    #[test]
    fn steps_spread_by_a_schedule_or_seen_by_a_guard_are_no_longer_trainings_beginning() {
        let tied = |name: &str, params: serde_json::Value| Kind::from_json(name, params).unwrap().tied_to_steps();
        let judge = |decay: &str| tied("TrainJudge", json!({"data": "d", "steps": 1, "lr_decay": decay}));
        assert_eq!(judge("Constant"), None);
        assert!(judge("Linear").unwrap().contains("Linear") && judge("Cosine").unwrap().contains("Cosine"));
        let mut feedback = json!({
            "teacher": "t", "student": "s", "data": "d", "steps": 1, "rewards": [{"Brightness": {"weight": 1.0}}],
            "lr_decay": "Constant"
        });
        assert_eq!(tied("RewardFinetune", feedback.clone()), None);
        feedback["guard"] = json!({"watch": "guard.watch"});
        assert!(tied("RewardFinetune", feedback).unwrap().contains("guard"));
    }
}
