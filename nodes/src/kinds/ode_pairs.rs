//! `OdePairs`: noise and what the teacher draws from it.

use std::ops::Range;

use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::sample::{Guidance, Painter};
use hyper_flow_diffusion::schedulers::Sampler;
use hyper_flow_spec::kinds::OdePairs;
use tch::{Kind, Tensor};

use crate::artifacts::dataset::Caption;
use crate::artifacts::pairs::{CAPTIONS, NOISE, SAMPLES};
use crate::artifacts::rows::{Rows, compute};
use crate::distilling::distillation::Distillation;
use crate::distilling::paint;
use crate::worker::Context;
use crate::{NodeError, files};

struct Drawing<'a> {
    context: &'a Context,
    params: &'a OdePairs,
    painter: Painter<'a>,
    with: &'a Distillation,
    /// For each pair the position of its caption.
    captions: Vec<i64>,
}

pub(super) fn run(context: &Context, params: &OdePairs) -> Result<(), NodeError> {
    let with = Distillation::load(context, &params.teacher, &params.data, params.precision)?;
    if with.data.sizes() > 1 {
        return Err(NodeError::Unfit(format!(
            "pairs are of one size, and the data of {}: draw them of data that were read in with one of the `buckets`",
            with.data.sizes()
        )));
    }
    let plan = Sampler::DDIM_TRAILING.plan(&with.teacher.schedule, params.steps.index())?;
    let scale = params.guidance.get();
    let painter = Painter {
        denoiser: with.teacher.denoiser(),
        plan: &plan,
        adapters: &Adapters::none(),
        guidance: (scale != 1.0).then_some(Guidance { scale, empty: &with.data.empty }),
    };
    let drawing = Drawing { context, params, painter, with: &with, captions: captions(context, params, &with) };
    let tensors = [NOISE, SAMPLES].map(|key| drawing.rows(key));
    compute(context, &tensors, params.batch.get(), "pairs", |range| drawing.draw(range))?;
    tensors.iter().try_for_each(|rows| rows.publish(context))?;
    let caption = |&at: &i64| Caption { text: with.data.captions[at as usize].clone() };
    files::write_lines(&context.output(CAPTIONS), &drawing.captions.iter().map(caption).collect::<Vec<_>>())
}

/// Those of the samples in turn, each time in another order.
fn captions(context: &Context, params: &OdePairs, with: &Distillation) -> Vec<i64> {
    let order = |epoch| Rng::at(context.seed(), "OdePairs/order", epoch).permutation(with.data.len());
    let samples: Vec<i64> = (0..).flat_map(order).take(params.count.index()).collect();
    with.data.caption_indices_of(&samples)
}

impl Drawing<'_> {
    fn rows(&self, key: &'static str) -> Rows {
        let shape = std::iter::once(self.params.count.get()).chain(self.with.data.sample_shape()).collect();
        Rows { file: key.to_owned(), key, kind: Kind::Float, shape }
    }

    /// Some of the pairs; the noise of each is a function of seed and place alone.
    fn draw(&self, range: Range<i64>) -> Result<Vec<Tensor>, NodeError> {
        let stream = |i: i64| Rng::at(self.context.seed(), "OdePairs", i as u64);
        let options = (Kind::Float, self.context.device);
        let noise = |i: i64| stream(i).randn(&self.with.data.sample_shape(), options);
        let noise = Tensor::stack(&range.clone().map(noise).collect::<Vec<_>>(), 0);
        let conditions = self.with.data.conditions(&self.captions[range.start as usize..range.end as usize])?;
        // DDIM mixes in no fresh noise: nothing is drawn from this stream.
        let samples = self.painter.draw(&noise, &conditions, &mut Rng::at(0, "DDIM", 0));
        paint::check_finite(&samples, "teacher", self.params.steps.get())?;
        Ok(vec![noise, samples])
    }
}
