//! Human feedback learning (Hyper-SD, §3.2; ReFL, arXiv 2304.05977).

use tch::{Kind, Tensor};

/// E[ReLU(α − r)] over the rewards r (b): above the threshold α a picture is good enough.
pub fn reward_loss(rewards: &Tensor, threshold: f64) -> Tensor {
    (threshold - rewards.to_kind(Kind::Float)).relu().mean(Kind::Float)
}
