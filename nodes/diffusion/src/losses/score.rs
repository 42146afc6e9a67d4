//! Score distillation (DMD, arXiv 2311.18828).

use super::{Denoiser, Distance};
use crate::Conditions;
use crate::computing::wide;
use crate::lora::Adapters;
use tch::{Tensor, no_grad};

/// The two scores that pull the student's pictures apart.
#[derive(Debug)]
pub struct Scores<'a> {
    /// The frozen base, and its schedule. With no adapters it is the real score, the teacher's.
    pub denoiser: Denoiser<'a>,
    /// The adapters of the fake score.
    pub fake: Adapters<'a>,
    /// What no caption gives, one row.
    pub empty: &'a Conditions,
}

/// The distribution matching loss of pictures `x` (b, c, h, w) that are noised by `noise` to `t` (b), where the teacher is
/// guided by `w` (b) and the fake score is not.
pub fn score_loss(
    of: &Scores<'_>,
    x: &Tensor,
    noise: &Tensor,
    t: &Tensor,
    conditions: &Conditions,
    w: &Tensor,
) -> Tensor {
    let (denoiser, schedule) = (&of.denoiser, of.denoiser.schedule);
    let (real, fake) = no_grad(|| {
        let x_t = schedule.add_noise(x, noise, t);
        let real = denoiser.guided(&x_t, t, conditions, of.empty, w, &Adapters::none());
        let fake = denoiser.output(&x_t, t, conditions, &of.fake);
        (schedule.prediction(&real, &x_t, t).x0, schedule.prediction(&fake, &x_t, t).x0)
    });
    distribution_matching_loss(x, &real, &fake)
}

/// The distribution matching loss (eq. 7 and 8): its gradient with respect to `x` is
/// (x0_fake − x0_real) / mean|x − x0_real|, over the number of values.
///
/// `x` (b, c, h, w) are the student's pictures; `real` and `fake` are the x̂0 of the teacher and of the fake score at one
/// noised `x`. The normaliser is each sample's own, in float32 (float64 for float64) and never below 1e-6: a picture that the teacher would not
/// change is not pulled anywhere.
pub fn distribution_matching_loss(x: &Tensor, real: &Tensor, fake: &Tensor) -> Tensor {
    let goal = no_grad(|| {
        let (x, real, fake) = (wide(x), wide(real), wide(fake));
        let scale = (&x - &real).abs().mean_dim([1, 2, 3].as_slice(), true, x.kind()).clamp_min(1e-6);
        x - (fake - real) / scale
    });
    Distance::Mse.between(x, &goal) * 0.5
}
