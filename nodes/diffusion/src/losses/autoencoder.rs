//! Training a VAE (Kingma and Welling 2014; latent diffusion, arXiv 2112.10752).

use super::Distance;
use crate::vae::{AutoencoderKl, Posterior};
use tch::{Kind, Tensor};

/// What latent diffusion's autoencoder minimises, but for its perceptual and adversarial terms: the distance of pictures
/// (b, c, h, w) from what is decoded of their latents' draws by `noise` (b, latent, h/d, w/d), and the Kullback–Leibler term, which is not
/// weighted yet.
pub fn autoencoder_losses(
    vae: &AutoencoderKl,
    pictures: &Tensor,
    noise: &Tensor,
    distance: Distance,
) -> (Tensor, Tensor) {
    let posterior = vae.encode(pictures);
    let decoded = vae.decode(&posterior.sample(noise));
    (distance.between(&decoded, pictures), kl_loss(&posterior, pictures))
}

/// KL(q(z|x) ‖ N(0, 1)) = ½·Σ(μ² + σ² − 1 − ln σ²), by value of a picture: as if distances were summed over a picture too,
/// which gives a weight the meaning that it has in latent diffusion's code.
fn kl_loss(posterior: &Posterior, pictures: &Tensor) -> Tensor {
    let variance = posterior.std.square();
    let each = posterior.mean.square() + variance - 1.0 - &posterior.logvar;
    0.5 * each.sum(Kind::Float) / pictures.numel() as f64
}
