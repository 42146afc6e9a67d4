//! A UNet with its noise schedule: what all losses and samplers ask for predictions.

use super::Distance;
use crate::lora::Adapters;
use crate::schedulers::{NoiseSchedule, PredictionType, Timesteps};
use crate::unet::UNet2DConditionModel;
use crate::{Conditions, Tape};
use tch::{Kind, Tensor};

/// A UNet and the schedule it was trained on.
#[derive(Debug, Clone, Copy)]
pub struct Denoiser<'a> {
    /// The network.
    pub unet: &'a UNet2DConditionModel,
    /// The schedule.
    pub schedule: &'a NoiseSchedule,
}

impl<'a> Denoiser<'a> {
    /// The network's output at (x_t, t).
    pub fn output<'t>(
        &self,
        x_t: &Tensor,
        t: impl Into<Timesteps<'t>>,
        conditions: &Conditions,
        adapters: &Adapters<'_>,
    ) -> Tensor {
        self.output_on(&Tape::off(), x_t, t, conditions, adapters)
    }

    /// As [`Denoiser::output`], with the parts of the network on a tape.
    pub fn output_on<'t>(
        &self,
        tape: &Tape<'a>,
        x_t: &Tensor,
        t: impl Into<Timesteps<'t>>,
        conditions: &Conditions,
        adapters: &Adapters<'a>,
    ) -> Tensor {
        let t = batched(t.into(), x_t);
        self.unet.forward(x_t, &t, &conditions.text, conditions.added.as_ref(), adapters, tape)
    }

    /// What the network makes in one step of samples x0 that were noised to t: x̂0(x_t), in float32. x0 and noise (b, c, h, w),
    /// t (b).
    pub fn denoised_on(
        &self,
        tape: &Tape<'a>,
        x0: &Tensor,
        noise: &Tensor,
        t: &Tensor,
        conditions: &Conditions,
        adapters: &Adapters<'a>,
    ) -> Tensor {
        let (schedule, t) = (self.schedule, t.shallow_clone());
        let x_t = schedule.add_noise(x0, noise, &t);
        let output = self.output_on(tape, &x_t, &t, conditions, adapters);
        let [x0] = tape.run([&output], move |[output]| [schedule.prediction(output, &x_t, &t).x0]);
        x0
    }

    /// Classifier-free guidance, o_u + w·(o_c − o_u), with both halves in one batch (Ho and Salimans 2022, where their w is
    /// ours less 1).
    ///
    /// `empty` is what no caption gives, one row; `w` is (b). Guiding the output is guiding ε: the one is affine
    /// in the other at a given x_t.
    pub fn guided<'t>(
        &self,
        x_t: &Tensor,
        t: impl Into<Timesteps<'t>>,
        conditions: &Conditions,
        empty: &Conditions,
        w: &Tensor,
        adapters: &Adapters<'_>,
    ) -> Tensor {
        let t = batched(t.into(), x_t);
        let both = |a: &Tensor| Tensor::cat(&[a, a], 0);
        let halves = Conditions::cat(&[conditions.shallow_clone(), empty.expand_as(conditions)]);
        let outputs = self.output(&both(x_t), &both(&t), &halves, adapters).chunk(2, 0);
        let (conditional, unconditional) = (&outputs[0], &outputs[1]);
        let w = w.reshape([-1, 1, 1, 1]).to_kind(conditional.kind());
        unconditional + w * (conditional - unconditional)
    }
}

fn batched(t: Timesteps<'_>, like: &Tensor) -> Tensor {
    match t {
        Timesteps::All(t) => Tensor::full([like.size()[0]], t, (Kind::Int64, like.device())),
        Timesteps::Each(t) => t.to_device(like.device()),
    }
}

/// How much each sample of a denoising loss counts, by the signal-to-noise ratio ᾱ/(1 − ᾱ) of its timestep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SnrWeighting {
    /// All alike.
    Uniform,
    /// Min-SNR-γ (arXiv 2303.09556, §3.4): min(SNR, γ) on the error of x̂0, which is min(SNR, γ)/SNR on that of ε, and
    /// min(SNR, γ)/(SNR + 1) on that of v.
    MinSnr {
        /// Above this ratio a sample counts less.
        gamma: f64,
    },
}

impl SnrWeighting {
    /// The weights of samples at timesteps t (b), float32; none where all count alike.
    fn weights(self, schedule: &NoiseSchedule, t: &Tensor) -> Option<Tensor> {
        let Self::MinSnr { gamma } = self else { return None };
        let (alpha, sigma) =
            schedule.alpha_sigma(Timesteps::Each(t), &Tensor::zeros([t.size()[0]], (Kind::Double, t.device())));
        let snr = (alpha / sigma).square();
        let weights = match schedule.prediction_type() {
            // Where there is no signal at all the ratio of the two is 1.
            PredictionType::Epsilon => (snr.reciprocal() * gamma).clamp_max(1.0),
            PredictionType::VPrediction => snr.clamp_max(gamma) / (snr + 1.0),
            PredictionType::Sample => snr.clamp_max(gamma),
        };
        Some(weights.to_kind(Kind::Float))
    }
}

/// The denoising loss (DDPM eq. 14, in the space of what the model predicts): the teacher's own, and the fake score's.
///
/// x0 and noise (b, c, h, w), t (b).
#[expect(clippy::too_many_arguments, reason = "a loss is a function of all of these")]
pub fn denoising_loss<'a>(
    tape: &Tape<'a>,
    denoiser: &Denoiser<'a>,
    x0: &Tensor,
    noise: &Tensor,
    t: &Tensor,
    conditions: &Conditions,
    adapters: &Adapters<'a>,
    weighting: SnrWeighting,
) -> Tensor {
    let x_t = denoiser.schedule.add_noise(x0, noise, t);
    let output = denoiser.output_on(tape, &x_t, t, conditions, adapters);
    let target = denoiser.schedule.target(x0, noise, t);
    match weighting.weights(denoiser.schedule, t) {
        Some(weights) => Distance::Mse.weighted(&output, &target, &weights),
        None => Distance::Mse.between(&output, &target),
    }
}
