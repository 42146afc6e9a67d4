//! What the encoder says of a picture's latent.

use tch::Tensor;

/// The bounds of the logarithm of the variance.
const LOGVAR: (f64, f64) = (-30.0, 20.0);

/// A normal distribution at each place of a latent (b, latent, h, w).
#[derive(Debug)]
pub struct Posterior {
    /// The means.
    pub mean: Tensor,
    /// The logarithms of the variances.
    pub logvar: Tensor,
    /// The deviations.
    pub std: Tensor,
}

impl Posterior {
    /// Of moments (b, 2·latent, h, w): means, then logarithms of variances.
    pub(super) fn new(moments: &Tensor) -> Self {
        let parts = moments.chunk(2, 1);
        let logvar = parts[1].clamp(LOGVAR.0, LOGVAR.1);
        Self { mean: parts[0].shallow_clone(), std: (&logvar * 0.5).exp(), logvar }
    }

    /// The draw that standard normal numbers of the mean's shape make.
    pub fn sample(&self, noise: &Tensor) -> Tensor {
        &self.mean + &self.std * noise
    }

    /// The likeliest latent.
    pub fn mode(&self) -> Tensor {
        self.mean.shallow_clone()
    }
}
