//! Consistency distillation: along the segments of a trajectory (Hyper-SD, §3.1, eq. 7–9), and LCM's.

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

/// What a consistency loss compares, both (b, c, h, w).
#[derive(Debug)]
pub struct Jumps {
    /// Where the student leads; it has the gradient.
    pub prediction: Tensor,
    /// Where it should.
    pub goal: Tensor,
    /// The timestep that both are at (b), int64; −1 is the end of the trajectory.
    pub end: Tensor,
    /// How much the student's jump multiplies the network's output (b).
    gain: Tensor,
}

impl<'a> Consistency<'a> {
    /// d(prediction, goal), weighted.
    pub fn between(&self, jumps: &Jumps) -> Tensor {
        match self.weighting {
            Weighting::Uniform => self.distance.between(&jumps.prediction, &jumps.goal),
            Weighting::Jump => {
                let weights = jumps.gain.clamp_min(LEAST_GAIN).reciprocal();
                self.distance.weighted(&jumps.prediction, &jumps.goal, &weights)
            }
        }
    }

    /// A point of the trajectory, and where the teacher's guided solver step leads from there: x_{g_n} and x̂_{g_{n−1}}.
    fn solver_step(
        &self,
        draw: &SegmentDraw,
        x0: &Tensor,
        noise: &Tensor,
        conditions: &Conditions,
        w: &Tensor,
    ) -> (Tensor, Tensor) {
        let schedule = self.denoiser.schedule;
        no_grad(|| {
            let x_start = schedule.add_noise(x0, noise, &draw.start);
            let teacher = self.denoiser.guided(&x_start, &draw.start, conditions, self.empty, w, &Adapters::none());
            let x_previous = schedule.jump(&teacher, &x_start, &draw.start, &draw.previous);
            (x_start, x_previous)
        })
    }

    /// Where the student leads from x_{g_n}, and where the target does from x̂_{g_{n−1}}: `leap` is given a network's output, and
    /// the point and the timestep that it is of.
    fn lead(
        &self,
        tape: &Tape<'a>,
        draw: &SegmentDraw,
        (x_start, x_previous): (Tensor, Tensor),
        conditions: &Conditions,
        leap: impl Fn(&Tensor, &Tensor, &Tensor) -> Tensor + 'a,
    ) -> (Tensor, Tensor) {
        let goal = no_grad(|| {
            let target = self.denoiser.output(&x_previous, &draw.previous, conditions, &self.target);
            leap(&target, &x_previous, &draw.previous)
        });
        let start = draw.start.shallow_clone();
        let student = self.denoiser.output_on(tape, &x_start, &start, conditions, &self.student);
        let [prediction] = tape.run([&student], move |[student]| [leap(student, &x_start, &start)]);
        (prediction, goal)
    }
}

/// TSCD's jumps (Hyper-SD, eq. 7–9): Ψ(x_{g_n}, student, g_n → g_e) and stopgrad Ψ(x̂_{g_{n−1}}, target, g_{n−1} → g_e), where
/// the teacher's guided solver step leads from x_{g_n} to x̂_{g_{n−1}}. Where e = n − 1 the goal is the teacher's point itself.
///
/// Which e are drawn makes it TSCD, TCD or PCM: see [`Ends`](crate::schedulers::Ends).
///
/// x0 and noise (b, c, h, w), guidance w (b).
pub fn trajectory_jumps<'a>(
    tape: &Tape<'a>,
    of: &Consistency<'a>,
    draw: &SegmentDraw,
    x0: &Tensor,
    noise: &Tensor,
    conditions: &Conditions,
    w: &Tensor,
) -> Jumps {
    let (schedule, end, to) = (of.denoiser.schedule, draw.end.shallow_clone(), draw.end.shallow_clone());
    let gain = schedule.output_gain(&draw.start, &end, x0.device());
    let points = of.solver_step(draw, x0, noise, conditions, w);
    let leap = move |output: &Tensor, x: &Tensor, t: &Tensor| schedule.jump(output, x, t, &to);
    let (prediction, goal) = of.lead(tape, draw, points, conditions, leap);
    Jumps { prediction, goal, end, gain }
}

/// LCM's jumps (arXiv 2310.04378, algorithm 1): f(x_{g_n}, student) and stopgrad f(x̂_{g_{n−1}}, target), both to the end of
/// the trajectory by the consistency function, which is the identity at timestep 0. The draw's ends play no part; its grid's
/// N is T over LCM's skipping step k.
///
/// x0 and noise (b, c, h, w), guidance w (b).
pub fn latent_consistency_jumps<'a>(
    tape: &Tape<'a>,
    of: &Consistency<'a>,
    draw: &SegmentDraw,
    x0: &Tensor,
    noise: &Tensor,
    conditions: &Conditions,
    w: &Tensor,
) -> Jumps {
    let (schedule, end) = (of.denoiser.schedule, draw.start.full_like(-1));
    let gain = schedule.consistency_gain(&draw.start, x0.device());
    let points = of.solver_step(draw, x0, noise, conditions, w);
    let leap = move |output: &Tensor, x: &Tensor, t: &Tensor| schedule.consistency(output, x, t);
    let (prediction, goal) = of.lead(tape, draw, points, conditions, leap);
    Jumps { prediction, goal, end, gain }
}

/// [`Consistency::between`] of [`trajectory_jumps`].
pub fn consistency_loss<'a>(
    tape: &Tape<'a>,
    of: &Consistency<'a>,
    draw: &SegmentDraw,
    x0: &Tensor,
    noise: &Tensor,
    conditions: &Conditions,
    w: &Tensor,
) -> Tensor {
    of.between(&trajectory_jumps(tape, of, draw, x0, noise, conditions, w))
}
