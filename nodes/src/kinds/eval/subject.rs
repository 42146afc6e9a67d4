//! What is measured, and how its pictures are drawn.

use std::collections::BTreeMap;
use std::ops::Range;

use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::sample::{Guidance, Painter};
use hyper_flow_diffusion::schedulers::Sampler;
use hyper_flow_diffusion::{Conditions, TimeIds};
use hyper_flow_spec::Steps;
use hyper_flow_spec::kinds::{Eval, Split};
use tch::{Device, Kind, Tensor, no_grad};

use crate::NodeError;
use crate::artifacts::dataset::{Dataset, Shape};
use crate::artifacts::decoder::Decoder;
use crate::artifacts::model::Model;
use crate::distilling::paint;
use crate::worker::Context;

/// Captions encoded before they are put away.
const CHUNK: usize = 1024;

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

    /// Whether it is the teacher at this step count.
    pub(super) fn is_teacher(&self, steps: Steps) -> bool {
        self.lora.is_none() && self.steps == steps
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

/// Draws the same captions from the same noise for every subject, a batch at a time.
pub(super) struct Easel<'a> {
    context: &'a Context,
    params: &'a Eval,
    teacher: &'a Model,
    decoder: Decoder,
    /// (channels, height, width) of a sample.
    shape: [i64; 3],
    /// The caption of each picture.
    captions: Vec<String>,
    /// The distinct ones, sorted.
    distinct: Vec<String>,
    /// For each picture the position of its caption among them.
    caption_of: Vec<i64>,
    texts: Texts,
    /// Of LoRAs that have parts for the text encoders, by their names.
    own_texts: BTreeMap<&'a str, Texts>,
}

/// What text encoders give.
struct Texts {
    /// For each distinct caption a row; in the computer's memory, for they may be many.
    conditions: Conditions,
    /// What no caption gives, one row.
    empty: Conditions,
}

impl Texts {
    /// By the teacher's text encoders, with what a LoRA has for them.
    fn new(teacher: &Model, lora: Option<&Lora>, captions: &[String], time_ids: TimeIds) -> Result<Self, NodeError> {
        let encoders = teacher.text_encoders()?;
        lora.map_or(Ok(()), |lora| encoders.fuse(lora, 1.0))?;
        let encode =
            |some: &[String]| encoders.encode(some, time_ids).map(|conditions| conditions.to_device(Device::Cpu));
        let conditions = captions.chunks(CHUNK).map(encode).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { conditions: Conditions::cat(&conditions), empty: encoders.empty(time_ids)? })
    }
}

impl<'a> Easel<'a> {
    /// Captions are those of the pictures of one half, in random order, as often as it takes.
    pub(super) fn new(
        context: &'a Context,
        params: &'a Eval,
        teacher: &'a Model,
        loras: &'a [(&'a str, Lora)],
        data: &Dataset,
    ) -> Result<Self, NodeError> {
        let half = match params.split {
            Split::Train => &data.train,
            Split::HeldOut => &data.held_out,
        };
        let order = Rng::at(context.seed(), "Eval/captions", 0).permutation(half.len());
        let pictures = order.into_iter().cycle().take(params.samples.index());
        let captions: Vec<String> = pictures.map(|i| half.captions[i as usize].clone()).collect();
        let mut distinct = captions.clone();
        distinct.sort();
        distinct.dedup();
        let position = |text: &String| distinct.binary_search(text).expect("the list holds every caption") as i64;
        let caption_of = captions.iter().map(position).collect();
        let Shape { height, width, .. } = data.shape()?;
        let texts = |lora| Texts::new(teacher, lora, &distinct, TimeIds::uncropped([height, width]));
        let own = loras.iter().filter(|(_, lora)| lora.text_modules() > 0);
        let own_texts = own.map(|(name, lora)| Ok((*name, texts(Some(lora))?))).collect::<Result<_, NodeError>>()?;
        let texts = texts(None)?;
        Ok(Self {
            context,
            params,
            teacher,
            decoder: teacher.decoder()?,
            shape: teacher.sample_shape([height, width])?,
            captions,
            distinct,
            caption_of,
            texts,
            own_texts,
        })
    }

    /// The captions to draw, one for each picture.
    pub(super) fn captions(&self) -> &[String] {
        &self.captions
    }

    /// Steps of the pictures that trajectories are measured to.
    pub(super) fn reference_steps(&self) -> Steps {
        self.params.reference_steps
    }

    /// The first picture of each distinct caption, and that caption.
    pub(super) fn showcase(&self) -> Vec<(i64, &str)> {
        let first = |i: usize| self.caption_of.iter().position(|&caption| caption == i as i64);
        let captions = self.distinct.iter().enumerate();
        captions.filter_map(|(i, text)| Some((first(i)? as i64, text.as_str()))).collect()
    }

    /// How many batches there are.
    pub(super) fn batches(&self) -> usize {
        self.captions.len().div_ceil(self.params.batch.index())
    }

    /// The first picture of a batch.
    pub(super) fn first(&self, batch: usize) -> i64 {
        (batch * self.params.batch.index()) as i64
    }

    /// The captions of a batch.
    pub(super) fn captions_of(&self, batch: usize) -> &[String] {
        &self.captions[self.range(batch)]
    }

    fn range(&self, batch: usize) -> Range<usize> {
        let size = self.params.batch.index();
        batch * size..self.captions.len().min((batch + 1) * size)
    }

    /// A subject's samples (b, c, h, w) of a batch.
    pub(super) fn samples(&self, subject: &Subject<'_>, batch: usize) -> Result<Tensor, NodeError> {
        self.context.stop_if_asked()?;
        let sampler = if subject.lora.is_some() { paint::sampler(self.params.sampler) } else { Sampler::DDIM_TRAILING };
        let plan = sampler.plan(&self.teacher.schedule, subject.steps.index())?;
        let scale = if subject.lora.is_some() { self.params.lora_guidance } else { self.params.guidance }.get();
        let texts = subject.lora.and_then(|_| self.own_texts.get(subject.name)).unwrap_or(&self.texts);
        let painter = Painter {
            denoiser: self.teacher.denoiser(),
            plan: &plan,
            adapters: &subject.lora.map_or_else(Adapters::none, Adapters::one),
            guidance: (subject.lora.is_none() || scale != 1.0).then_some(Guidance { scale, empty: &texts.empty }),
        };
        let (captions, device) = (&self.caption_of[self.range(batch)], self.context.device);
        let mut rng = Rng::at(self.context.seed(), "Eval/noise", batch as u64);
        let [c, h, w] = self.shape;
        let noise = rng.randn(&[captions.len() as i64, c, h, w], (Kind::Float, device));
        Ok(painter.draw(&noise, &texts.conditions.select(captions).to_device(device), &mut rng))
    }

    /// Pictures (b, channels, height, width) of a subject's samples, cut to [−1, 1] as a file would hold them.
    pub(super) fn pictures(&self, subject: &Subject<'_>, samples: &Tensor) -> Result<Tensor, NodeError> {
        let pictures = no_grad(|| self.decoder.pictures(&samples.to_device(self.context.device)));
        paint::check_finite(&pictures, subject.name, subject.steps.get())?;
        Ok(pictures.clamp(-1.0, 1.0))
    }
}
