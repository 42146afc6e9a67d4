//! The three distillation kinds, which all train LoRA adapters over one frozen base, and what is computed for them.

mod adversarial;
mod consistency;
mod guard;
mod ode_pairs;
mod perception;
mod reward;
mod reward_finetune;
mod score_distill;
mod segment_distill;

pub use adversarial::{Adversarial, Discriminator};
pub use consistency::{Distance, Target, Weighting};
pub use guard::Guard;
pub use ode_pairs::OdePairs;
pub use perception::Perception;
pub use reward::Reward;
pub use reward_finetune::{GradientStep, RewardFinetune};
pub use score_distill::ScoreDistill;
pub use segment_distill::{Method, SegmentDistill};
