//! Hinge losses of a discriminator and of what it judges (Geometric GAN, arXiv 1705.02894), in the form of PCM
//! (arXiv 2405.18407, §3.3).

use crate::computing::{mean, wide};
use tch::Tensor;

/// E[ReLU(1 − D(real))] + E[ReLU(1 + D(fake))], the mean over the discriminator's outputs.
///
/// # Panics
/// If there are none, or not as many of both.
pub fn discriminator_loss(real: &[Tensor], fake: &[Tensor]) -> Tensor {
    assert_eq!(real.len(), fake.len(), "a discriminator has as many outputs for each");
    hinge(real) + hinge(&fake.iter().map(Tensor::neg).collect::<Vec<_>>())
}

/// E[ReLU(1 − D(fake))], the mean over the discriminator's outputs. Unlike −E[D(fake)] it asks for no more where the
/// discriminator takes the fake for real.
///
/// # Panics
/// If there are none.
pub fn generator_loss(fake: &[Tensor]) -> Tensor {
    hinge(fake)
}

fn hinge(logits: &[Tensor]) -> Tensor {
    let each = logits.iter().map(|logits| mean(&(-wide(logits) + 1.0).relu()));
    mean(&Tensor::stack(&each.collect::<Vec<_>>(), 0))
}
