//! A discriminator beside a distillation, trained in turn with the student.

use hyper_flow_diffusion::discriminator::Discriminator;
use hyper_flow_diffusion::losses::{Denoiser, discriminator_loss, generator_loss};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::{Conditions, Tape};
use hyper_flow_spec::kinds::{self, Adversarial};
use tch::Tensor;

use crate::NodeError;
use crate::artifacts::model::Model;
use crate::training::{Group, Losses};
use crate::worker::Context;

/// The group of the discriminator.
pub(crate) const DISCRIMINATOR: &str = "discriminator";

/// A discriminator of noised samples, how it is trained, and how much the student heeds it.
#[derive(Debug)]
pub(crate) struct Adversary<'a> {
    denoiser: Denoiser<'a>,
    discriminator: Discriminator<'a>,
    params: Adversarial,
    weight: f64,
}

/// Samples with the timesteps (b) that they have come to, from which an [`Adversary`] noises them further.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noising<'n> {
    /// The timesteps that the samples are at; negative is the end of the trajectory.
    pub(crate) from: &'n Tensor,
    /// Those that the discriminator sees them at, none below `from`.
    pub(crate) to: &'n Tensor,
    /// (b, c, h, w).
    pub(crate) noise: &'n Tensor,
    /// What the samples' captions give.
    pub(crate) conditions: &'n Conditions,
}

impl<'a> Adversary<'a> {
    /// The discriminator that a kind asks for, if it does and the student is to heed it; so many segments decide on the weight
    /// where it is left open.
    pub(crate) fn new(
        context: &Context,
        teacher: &'a Model,
        params: Option<&Adversarial>,
        segments: i64,
    ) -> Result<Option<Self>, NodeError> {
        let Some((params, weight)) = params.map(|params| (*params, params.weight(segments))) else { return Ok(None) };
        if weight == 0.0 {
            return Ok(None);
        }
        let seed = Rng::at(context.seed(), DISCRIMINATOR, 0).bits();
        let discriminator = match params.discriminator {
            kinds::Discriminator::Heads => Discriminator::heads(&teacher.unet, context.device, seed),
            kinds::Discriminator::Encoder => Discriminator::encoder(&teacher.unet, &teacher.weights, seed)?,
        };
        Ok(Some(Self { denoiser: teacher.denoiser(), discriminator, params, weight }))
    }

    /// What the loop trains; it comes before the student.
    pub(crate) fn group(&self) -> Group {
        Group {
            updates: self.params.updates.get() as u64,
            first_updates: self.params.warmup.get() as u64,
            decays: false,
            betas: (0.0, 0.999),
            ..Group::main(DISCRIMINATOR, self.discriminator.parameters(), self.params.lr.get())
        }
    }

    /// The discriminator's loss, of samples (b, c, h, w) without gradient.
    pub(crate) fn discriminator_losses<'t>(
        &'t self,
        tape: &Tape<'t>,
        real: &Tensor,
        fake: &Tensor,
        noising: Noising<'_>,
    ) -> Losses {
        self.discriminator.set_trained(true);
        let [real, fake] = [real, fake].map(|samples| self.logits(tape, &samples.detach(), noising));
        vec![("hinge".into(), discriminator_loss(&real, &fake))]
    }

    /// The student's loss, weighted, of its samples (b, c, h, w). Gradients lead to them and not to the discriminator.
    pub(crate) fn generator_loss<'t>(&'t self, tape: &Tape<'t>, fake: &Tensor, noising: Noising<'_>) -> Tensor {
        self.discriminator.set_trained(false);
        generator_loss(&self.logits(tape, fake, noising)) * self.weight
    }

    fn logits<'t>(&'t self, tape: &Tape<'t>, samples: &Tensor, noising: Noising<'_>) -> Vec<Tensor> {
        let schedule = self.denoiser.schedule;
        let [from, to, noise] = [noising.from, noising.to, noising.noise].map(Tensor::shallow_clone);
        let renoise = move |x: &Tensor| schedule.renoise(x, &noise, &from, &to);
        // On the tape only what has a gradient: what is recorded is computed again.
        let x_t = if samples.requires_grad() {
            let [x_t] = tape.run([samples], move |[x]| [renoise(x)]);
            x_t
        } else {
            renoise(samples)
        };
        self.discriminator.logits(&x_t, noising.to, noising.conditions, tape)
    }
}
