//! Drawing with a LoRA in few steps, and the parameters of a kind in the terms of the library.

use hyper_flow_diffusion::Conditions;
use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::{Denoiser, Distance, SnrWeighting, Weighting};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::sample::Painter;
use hyper_flow_diffusion::schedulers::Sampler;
use hyper_flow_spec::kinds;
use tch::{Kind, Tensor};

use crate::NodeError;
use crate::training::{Conditioned, Gallery};

/// A distance of the library.
pub(crate) fn distance(distance: kinds::Distance) -> Distance {
    match distance {
        kinds::Distance::Mse => Distance::Mse,
        kinds::Distance::Huber(c) => Distance::Huber { c: c.get() },
    }
}

/// A weighting of the library.
pub(crate) fn weighting(weighting: kinds::Weighting) -> Weighting {
    match weighting {
        kinds::Weighting::Uniform => Weighting::Uniform,
        kinds::Weighting::Jump => Weighting::Jump,
    }
}

/// A weighting by noise of the library.
pub(crate) fn snr_weighting(weighting: kinds::SnrWeighting) -> SnrWeighting {
    match weighting {
        kinds::SnrWeighting::Uniform => SnrWeighting::Uniform,
        kinds::SnrWeighting::MinSnr(gamma) => SnrWeighting::MinSnr { gamma: gamma.get() },
    }
}

/// A sampler of the library.
pub(crate) fn sampler(sampler: kinds::Sampler) -> Sampler {
    match sampler {
        kinds::Sampler::Ddim => Sampler::DDIM_TRAILING,
        kinds::Sampler::Tcd(eta) => Sampler::Tcd { eta: eta.get() },
        kinds::Sampler::Lcm => Sampler::Lcm,
        kinds::Sampler::Euler => Sampler::EULER_TRAILING,
    }
}

/// A dtype of the tensor library.
pub(crate) fn kind(precision: kinds::Precision) -> Kind {
    match precision {
        kinds::Precision::Fp32 | kinds::Precision::Tf32 => Kind::Float,
        kinds::Precision::Fp16 => Kind::Half,
        kinds::Precision::Bf16 => Kind::BFloat16,
    }
}

/// Refuses pictures that are no numbers: they would be black squares, or rows of nothing.
pub(crate) fn check_finite(pictures: &Tensor, whose: &str, steps: i64) -> Result<(), NodeError> {
    if pictures.isfinite().all().int64_value(&[]) == 1 {
        return Ok(());
    }
    Err(NodeError::Unfit(format!("the pictures of `{whose}` in {steps} steps are not finite; its weights are broken")))
}

/// Values of the samples that are drawn at once, beside a training that has filled the memory: one of SDXL's, four of Stable
/// Diffusion's, all that are small.
const AT_ONCE: i64 = 4 * 128 * 128;

/// Rows of samples (n, c, h, w), as many together as may be drawn at once beside a training.
pub(crate) fn chunks(like: &Tensor) -> Vec<Vec<i64>> {
    let rows: Vec<i64> = (0..like.size()[0]).collect();
    let at_once = (AT_ONCE * like.size()[0] / like.numel() as i64).max(1);
    rows.chunks(at_once as usize).map(<[i64]>::to_vec).collect()
}

/// Steps of the pictures that are shown of a training which does not distil.
pub(crate) const SHOWN_STEPS: usize = 20;

/// Drawing in a few DDIM steps without guidance, as a student is meant to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Few<'a> {
    pub(crate) denoiser: Denoiser<'a>,
    pub(crate) steps: usize,
}

impl Few<'_> {
    /// Pictures from the showcase's noise and captions.
    pub(crate) fn showcase(&self, data: &Conditioned, adapters: &Adapters<'_>, seed: u64) -> Result<Tensor, NodeError> {
        let (noise, conditions) = data.showcase(seed)?;
        self.draw_in_chunks(&noise, &conditions, adapters)
    }

    /// What is shown of a training: some pictures of each of some captions, as `pictures` makes them of samples.
    pub(crate) fn gallery(
        &self,
        data: &Conditioned,
        adapters: &Adapters<'_>,
        seed: u64,
        pictures: impl Fn(&Tensor) -> Tensor,
    ) -> Result<Gallery, NodeError> {
        let (noise, captions) = data.gallery(seed);
        let each = noise.size()[0] / captions.len().max(1) as i64;
        let rows: Vec<i64> = captions.iter().flat_map(|&caption| vec![caption; each as usize]).collect();
        let drawn = pictures(&self.draw_in_chunks(&noise, &data.conditions(&rows)?, adapters)?);
        let row = |(i, caption): (i64, &i64)| {
            let caption = data.captions[*caption as usize].as_str();
            let caption = if caption.is_empty() { "(no caption)" } else { caption };
            (caption.to_owned(), drawn.narrow(0, i * each, each))
        };
        Ok((0..).zip(&captions).map(row).collect())
    }

    fn draw_in_chunks(
        &self,
        noise: &Tensor,
        conditions: &Conditions,
        adapters: &Adapters<'_>,
    ) -> Result<Tensor, NodeError> {
        let draw = |rows: Vec<i64>| {
            let noise = noise.narrow(0, rows[0], rows.len() as i64);
            self.draw(&noise, &conditions.select(&rows), adapters)
        };
        let drawn: Result<Vec<_>, _> = chunks(noise).into_iter().map(draw).collect();
        Ok(Tensor::cat(&drawn?, 0))
    }

    /// Pictures (b, c, h, w) from noise. Without gradient.
    pub(crate) fn draw(
        &self,
        noise: &Tensor,
        conditions: &Conditions,
        adapters: &Adapters<'_>,
    ) -> Result<Tensor, NodeError> {
        let plan = Sampler::DDIM_TRAILING.plan(self.denoiser.schedule, self.steps)?;
        let painter = Painter { denoiser: self.denoiser, plan: &plan, adapters, guidance: None };
        // DDIM mixes in no fresh noise: nothing is drawn from this stream.
        Ok(painter.draw(noise, conditions, &mut Rng::at(0, "DDIM", 0)))
    }
}
