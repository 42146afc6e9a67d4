//! What is measured, and how its pictures are drawn.

use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::sample::{Guidance, Painter};
use hyper_flow_diffusion::schedulers::Sampler;
use hyper_flow_spec::Steps;
use hyper_flow_spec::kinds::Eval;
use tch::{Kind, Tensor, no_grad};

use crate::NodeError;
use crate::conditioned::Conditioned;
use crate::dataset::Dataset;
use crate::decoder::Decoder;
use crate::model::Model;
use crate::paint;
use crate::worker::Context;

/// A candidate at a step count.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) steps: Steps,
    /// None is the teacher.
    pub(super) lora: Option<&'a Lora>,
}

impl Subject<'_> {
    /// The teacher.
    pub(super) fn teacher(steps: Steps) -> Self {
        Subject { name: "teacher", steps, lora: None }
    }
}

/// The teacher at every step count and at the reference's, then each LoRA at every step count.
pub(super) fn all<'a>(params: &Eval, loras: &'a [(&'a str, Lora)]) -> Vec<Subject<'a>> {
    let mut counts: Vec<Steps> = params.steps.iter().copied().chain([params.reference_steps]).collect();
    counts.sort_unstable();
    counts.dedup();
    let mut subjects: Vec<Subject<'_>> = counts.into_iter().map(Subject::teacher).collect();
    for (name, lora) in loras {
        subjects.extend(params.steps.iter().map(|&steps| Subject { name, steps, lora: Some(lora) }));
    }
    subjects
}

/// Draws the same captions from the same noise for every subject.
pub(super) struct Easel<'a> {
    params: &'a Eval,
    teacher: &'a Model,
    data: Conditioned,
    /// For each picture to draw, the position of its caption among `data.captions`.
    captions: Vec<i64>,
    decoder: Decoder,
    shape: [i64; 3],
    context: &'a Context,
}

impl<'a> Easel<'a> {
    /// Captions are those of the training pictures, in random order, as often as it takes.
    pub(super) fn new(
        context: &'a Context,
        params: &'a Eval,
        teacher: &'a Model,
        data: &'a Dataset,
    ) -> Result<Self, NodeError> {
        let conditioned = Conditioned::new(&data.train, &teacher.text_encoders()?, context.device)?;
        let order = Rng::at(context.seed(), "Eval/captions", 0).permutation(conditioned.len());
        let pictures: Vec<i64> = order.into_iter().cycle().take(params.samples.index()).collect();
        Ok(Self {
            params,
            teacher,
            captions: conditioned.caption_indices_of(&pictures),
            data: conditioned,
            decoder: teacher.decoder()?,
            shape: teacher.sample_shape(teacher.picture_shape()?.side)?,
            context,
        })
    }

    /// The captions to draw, one for each picture.
    pub(super) fn captions(&self) -> Vec<&'_ str> {
        self.captions.iter().map(|&i| self.data.captions[i as usize].as_str()).collect()
    }

    /// The first picture of each distinct caption, and that caption.
    pub(super) fn showcase(&self) -> Vec<(i64, &str)> {
        let first = |i: usize| self.captions.iter().position(|&caption| caption == i as i64);
        let captions = self.data.captions.iter().enumerate();
        captions.filter_map(|(i, text)| Some((first(i)? as i64, text.as_str()))).collect()
    }

    /// Pictures (samples, c, h, w), cut to [−1, 1] as a file would hold them.
    pub(super) fn draw(&self, subject: &Subject<'_>) -> Result<Tensor, NodeError> {
        let sampler = if subject.lora.is_some() { paint::sampler(self.params.sampler) } else { Sampler::DDIM_TRAILING };
        let plan = sampler.plan(&self.teacher.schedule, subject.steps.index())?;
        let guidance = Guidance { scale: self.params.guidance.get(), empty: &self.data.empty };
        let painter = Painter {
            denoiser: self.teacher.denoiser(),
            plan: &plan,
            adapters: &subject.lora.map_or_else(Adapters::none, Adapters::one),
            guidance: subject.lora.is_none().then_some(guidance),
        };
        let device = self.context.device;
        let mut drawn = Vec::new();
        for (i, captions) in self.captions.chunks(self.params.batch.index()).enumerate() {
            self.context.stop_if_asked()?;
            let mut rng = Rng::at(self.context.seed(), "Eval/noise", i as u64);
            let [c, h, w] = self.shape;
            let noise = rng.randn(&[captions.len() as i64, c, h, w], (Kind::Float, device));
            let samples = painter.draw(&noise, &self.data.conditions.select(captions), &mut rng);
            drawn.push(no_grad(|| self.decoder.pictures(&samples)));
        }
        let pictures = Tensor::cat(&drawn, 0);
        paint::check_finite(&pictures, subject.name, subject.steps.get())?;
        Ok(pictures.clamp(-1.0, 1.0))
    }
}
