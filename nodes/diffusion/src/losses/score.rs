//! Score distillation (DMD, arXiv 2311.18828).

use super::Distance;
use tch::{Kind, Tensor, no_grad};

/// The distribution matching loss (eq. 7 and 8): its gradient with respect to `x` is
/// (x0_fake − x0_real) / mean|x − x0_real|, over the number of values.
///
/// `x` (b, c, h, w) are the student's pictures; `real` and `fake` are the x̂0 of the teacher and of the fake score at one
/// noised `x`. The normaliser is each sample's own, in float32 and never below 1e-6: a picture that the teacher would not
/// change is not pulled anywhere.
pub fn distribution_matching_loss(x: &Tensor, real: &Tensor, fake: &Tensor) -> Tensor {
    let goal = no_grad(|| {
        let (x, real, fake) = (x.to_kind(Kind::Float), real.to_kind(Kind::Float), fake.to_kind(Kind::Float));
        let scale = (&x - &real).abs().mean_dim([1, 2, 3].as_slice(), true, Kind::Float).clamp_min(1e-6);
        x - (fake - real) / scale
    });
    Distance::Mse.between(x, &goal) * 0.5
}
