//! What the training kinds minimise: one short function a loss, each naming its equation.
//!
//! A loss is a scalar in float32 (float64 of what is in float64), the mean over everything it compares, so that the mean over the parts of a batch is
//! the loss of the batch.

mod adversarial;
mod autoencoder;
mod consistency;
mod contrastive;
mod denoiser;
mod distance;
mod reward;
mod rollout;
mod score;

pub use adversarial::{discriminator_loss, generator_loss};
pub use autoencoder::autoencoder_losses;
pub use consistency::{Consistency, Jumps, Weighting, consistency_loss, latent_consistency_jumps, trajectory_jumps};
pub use contrastive::contrastive_loss;
pub use denoiser::{Denoiser, SnrWeighting, denoising_loss};
pub use distance::Distance;
pub use reward::reward_loss;
pub use rollout::Rollout;
pub use score::{Scores, distribution_matching_loss, score_loss};
