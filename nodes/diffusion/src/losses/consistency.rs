//! Trajectory segmented consistency distillation (Hyper-SD, §3.1, eq. 7–9).

use super::{Denoiser, Distance};
use crate::lora::Adapters;
use crate::schedulers::SegmentDraw;
use crate::{Conditions, Tape};
use tch::{Tensor, no_grad};

/// How much each sample of a consistency loss counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighting {
    /// All alike: long jumps, which multiply the network's errors, count most.
    Uniform,
    /// By 1 over how much the jump multiplies the network's output, so that long and short jumps count alike. A squared
    /// distance then grows with the gain instead of its square.
    Jump,
}

/// Gains below this weigh no more: at a jump of no length there is nothing to learn.
const LEAST_GAIN: f64 = 0.05;

/// Who takes part in a consistency loss.
#[derive(Debug)]
pub struct Consistency<'a> {
    /// The frozen base, and its schedule. With no adapters it is the teacher.
    pub denoiser: Denoiser<'a>,
    /// The adapters that are trained.
    pub student: Adapters<'a>,
    /// The adapters that make the target: the student's moving average, or the student.
    pub target: Adapters<'a>,
    /// What no caption gives, one row.
    pub empty: &'a Conditions,
    /// How prediction and target are compared.
    pub distance: Distance,
    /// How much each sample counts.
    pub weighting: Weighting,
}

/// d(Ψ(x_{g_n}, student, g_n → g_e), stopgrad Ψ(x̂_{g_{n−1}}, target, g_{n−1} → g_e)), where the teacher's guided solver step
/// leads from x_{g_n} to x̂_{g_{n−1}}. Where e = n − 1 the target is the teacher's point itself.
///
/// x0 and noise (b, c, h, w), guidance w (b).
pub fn consistency_loss<'a>(
    tape: &Tape<'a>,
    of: &Consistency<'a>,
    draw: &SegmentDraw,
    x0: &Tensor,
    noise: &Tensor,
    conditions: &Conditions,
    w: &Tensor,
) -> Tensor {
    let (denoiser, schedule) = (&of.denoiser, of.denoiser.schedule);
    // 1. a point of the trajectory
    let x_start = schedule.add_noise(x0, noise, &draw.start);
    // 2. the teacher's solver step, then the target's jump
    let goal = no_grad(|| {
        let teacher = denoiser.guided(&x_start, &draw.start, conditions, of.empty, w, &Adapters::none());
        let x_previous = schedule.jump(&teacher, &x_start, &draw.start, &draw.previous);
        let target = denoiser.output(&x_previous, &draw.previous, conditions, &of.target);
        schedule.jump(&target, &x_previous, &draw.previous, &draw.end)
    });
    // 3. the student's jump from the same point
    let student = denoiser.output_on(tape, &x_start, &draw.start, conditions, &of.student);
    let prediction = schedule.jump(&student, &x_start, &draw.start, &draw.end);
    match of.weighting {
        Weighting::Uniform => of.distance.between(&prediction, &goal),
        Weighting::Jump => {
            let gain = schedule.output_gain(&draw.start, &draw.end, x0.device()).clamp_min(LEAST_GAIN);
            of.distance.weighted(&prediction, &goal, &gain.reciprocal())
        }
    }
}
