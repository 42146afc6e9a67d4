//! The three distillation kinds. All train LoRA adapters over one frozen base.

mod adversarial;
mod consistency;
mod guard;
mod perception;
mod reward;
mod reward_finetune;
mod score_distill;
mod segment_distill;

pub use adversarial::{Adversarial, Discriminator};
pub use consistency::{Distance, Target, Weighting};
pub use guard::Guard;
pub use perception::Perception;
pub use reward::Reward;
pub use reward_finetune::{GradientStep, RewardFinetune};
pub use score_distill::ScoreDistill;
pub use segment_distill::{Method, SegmentDistill};
