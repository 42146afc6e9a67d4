//! From what a model draws to pictures.

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::vae::AutoencoderKl;
use tch::Tensor;

/// What stands between a model's samples and pictures.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// Nothing: the model draws pixels.
    Pixels,
    /// A VAE, which takes one picture at a time.
    Latents(Box<AutoencoderKl>),
}

impl Decoder {
    /// Samples (b, c, h, w) → pictures (b, channels, height, width) in [−1, 1]. With gradient.
    pub(crate) fn pictures(&self, samples: &Tensor) -> Tensor {
        self.pictures_on(&Tape::off(), samples)
    }

    /// As [`pictures`](Self::pictures), recorded on a tape.
    pub(crate) fn pictures_on<'m>(&'m self, tape: &Tape<'m>, samples: &Tensor) -> Tensor {
        match self {
            Self::Pixels => samples.shallow_clone(),
            Self::Latents(vae) => vae.to_pictures_on(tape, samples),
        }
    }
}
