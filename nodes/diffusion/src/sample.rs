//! Drawing: from noise to pictures by a sampler.

use tch::{Tensor, no_grad};

use crate::Conditions;
use crate::lora::Adapters;
use crate::losses::Denoiser;
use crate::rng::Rng;
use crate::schedulers::SamplingPlan;

/// Classifier-free guidance while drawing.
#[derive(Debug, Clone, Copy)]
pub struct Guidance<'a> {
    /// The scale w; 1 is no guidance.
    pub scale: f64,
    /// What no caption gives, one row.
    pub empty: &'a Conditions,
}

/// What draws.
#[derive(Debug, Clone, Copy)]
pub struct Painter<'a> {
    /// The network and its schedule.
    pub denoiser: Denoiser<'a>,
    /// The sampler's steps.
    pub plan: &'a SamplingPlan<'a>,
    /// The adapters in force.
    pub adapters: &'a Adapters<'a>,
    /// None draws without guidance, in half the time.
    pub guidance: Option<Guidance<'a>>,
}

impl Painter<'_> {
    /// Pictures or latents (b, c, h, w) from noise of that shape. `rng` is for samplers that mix in fresh noise.
    pub fn draw(&self, noise: &Tensor, conditions: &Conditions, rng: &mut Rng) -> Tensor {
        self.advance(&self.plan.start(noise), conditions, self.plan.len(), rng)
    }

    /// The sample before step `steps`, from the first one. Without gradient.
    pub fn advance(&self, first: &Tensor, conditions: &Conditions, steps: usize, rng: &mut Rng) -> Tensor {
        self.advance_with(first, conditions, steps, |_, x| rng.randn(&x.size(), (x.kind(), x.device())))
    }

    /// As [`advance`](Self::advance), with noise for the sampler's step `i` that looks like the sample from `fresh`.
    pub fn advance_with(
        &self,
        first: &Tensor,
        conditions: &Conditions,
        steps: usize,
        mut fresh: impl FnMut(usize, &Tensor) -> Tensor,
    ) -> Tensor {
        no_grad(|| {
            (0..steps).fold(first.shallow_clone(), |x, i| {
                let fresh = self.plan.needs_noise(i).then(|| fresh(i, &x));
                self.plan.step(i, &self.output(&x, i, conditions), &x, fresh.as_ref())
            })
        })
    }

    /// The network's output for the sample `x` before step `i`.
    pub fn output(&self, x: &Tensor, i: usize, conditions: &Conditions) -> Tensor {
        let (input, t) = (self.plan.model_input(x, i), self.plan.timestep(i) as i64);
        match self.guidance {
            None => self.denoiser.output(&input, t, conditions, self.adapters),
            Some(Guidance { scale, empty }) => {
                let w = Tensor::full([x.size()[0]], scale, (x.kind(), x.device()));
                self.denoiser.guided(&input, t, conditions, empty, &w, self.adapters)
            }
        }
    }
}
