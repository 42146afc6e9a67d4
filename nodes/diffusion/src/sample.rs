//! Drawing: from noise to pictures by a sampler.

use tch::{Tensor, no_grad};

use crate::lora::Adapters;
use crate::losses::Denoiser;
use crate::rng::Rng;
use crate::schedulers::SamplingPlan;

/// Classifier-free guidance while drawing.
#[derive(Debug, Clone, Copy)]
pub struct Guidance<'a> {
    /// The scale w; 1 is no guidance.
    pub scale: f64,
    /// Text of no caption (1, length, dim).
    pub empty: &'a Tensor,
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
    /// Pictures or latents (b, c, h, w) from noise of that shape and text (b, length, dim). `rng` is for samplers that
    /// mix in fresh noise.
    pub fn draw(&self, noise: &Tensor, text: &Tensor, rng: &mut Rng) -> Tensor {
        self.advance(&self.plan.start(noise), text, self.plan.len(), rng)
    }

    /// The sample before step `steps`, from the first one. Without gradient.
    pub fn advance(&self, first: &Tensor, text: &Tensor, steps: usize, rng: &mut Rng) -> Tensor {
        no_grad(|| {
            let mut x = first.shallow_clone();
            for i in 0..steps {
                let fresh = self.plan.needs_noise(i).then(|| rng.randn(&x.size(), (x.kind(), x.device())));
                x = self.plan.step(i, &self.output(&x, i, text), &x, fresh.as_ref());
            }
            x
        })
    }

    /// The network's output for the sample `x` before step `i`.
    pub fn output(&self, x: &Tensor, i: usize, text: &Tensor) -> Tensor {
        let (input, t) = (self.plan.model_input(x, i), self.plan.timestep(i) as i64);
        match self.guidance {
            None => self.denoiser.output(&input, t, text, self.adapters),
            Some(Guidance { scale, empty }) => {
                let w = Tensor::full([x.size()[0]], scale, (x.kind(), x.device()));
                self.denoiser.guided(&input, t, text, empty, &w, self.adapters)
            }
        }
    }
}
