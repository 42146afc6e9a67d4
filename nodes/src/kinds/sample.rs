//! `Sample`: draws pictures.

use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::sample::{Guidance, Painter};
use hyper_flow_diffusion::{Conditions, TimeIds};
use hyper_flow_spec::kinds::Sample;
use image::RgbImage;
use tch::{Kind, Tensor, no_grad};

use crate::artifacts::dataset::Shape;
use crate::artifacts::decoder::Decoder;
use crate::artifacts::lora;
use crate::artifacts::model::Model;
use crate::distilling::paint;
use crate::picture::{CAPTIONS, Canvas, Line, save, to_bytes, write_png};
use crate::worker::Context;
use crate::{NodeError, files};

const GRID: &str = "grid.png";

/// What the prompts give, a row each, and what guidance leads away from.
struct Prompts {
    positive: Conditions,
    negative: Conditions,
}

/// Draws one picture after the other, so that memory does not grow with their number.
struct Easel<'a> {
    context: &'a Context,
    params: &'a Sample,
    painter: Painter<'a>,
    decoder: Decoder,
    /// (channels, height, width) of what the painter draws.
    shape: [i64; 3],
}

pub(super) fn run(context: &Context, params: &Sample) -> Result<(), NodeError> {
    let model = Model::load(context.input(&params.model)?, context.device, paint::kind(params.precision))?;
    let lora = params
        .lora
        .as_ref()
        .map(|port| lora::read(context, port, &model.lora_modules()?, context.device))
        .transpose()?;
    let size = match params.size {
        Some(size) => size.height_width(),
        None => {
            let Shape { height, width, .. } = model.picture_shape()?;
            [height, width]
        }
    };
    let shape = model.sample_shape(size)?;
    let prompts = encode(&model, params, lora.as_ref(), TimeIds::uncropped(size))?;
    let plan = paint::sampler(params.sampler).plan(&model.schedule, params.steps.index())?;
    let scale = params.guidance.get();
    let painter = Painter {
        denoiser: model.denoiser(),
        plan: &plan,
        adapters: &lora.as_ref().map_or_else(Adapters::none, |lora: &Lora| Adapters::one(lora)),
        guidance: (scale != 1.0).then_some(Guidance { scale, empty: &prompts.negative }),
    };
    let easel = Easel { context, params, painter, decoder: model.decoder()?, shape };
    let mut drawn = Vec::new();
    for i in 0..params.prompts.len() {
        drawn.extend(easel.draw(&prompts.positive, i)?);
        context.progress(i + 1, params.prompts.len(), "captions")?;
    }
    write(context, params, &drawn)
}

/// The text encoders, with what the LoRA has for them, are dropped before anything is drawn.
fn encode(model: &Model, params: &Sample, lora: Option<&Lora>, time_ids: TimeIds) -> Result<Prompts, NodeError> {
    let encoders = model.text_encoders()?;
    lora.map_or(Ok(()), |lora| encoders.fuse(lora, 1.0))?;
    let negative = match &params.negative_prompt {
        Some(prompt) => encoders.encode(&[prompt], time_ids)?,
        None => encoders.empty(time_ids)?,
    };
    Ok(Prompts { positive: encoders.encode(&params.prompts, time_ids)?, negative })
}

impl Easel<'_> {
    /// The pictures of one prompt, each a function of seed, the prompt's place and its own number alone.
    fn draw(&self, prompts: &Conditions, prompt: usize) -> Result<Vec<RgbImage>, NodeError> {
        let conditions = prompts.select(&[prompt as i64]);
        let [c, h, w] = self.shape;
        let one = |i: i64| {
            let mut rng = Rng::at(self.context.seed(), &format!("Sample/{prompt}"), i as u64);
            let noise = rng.randn(&[1, c, h, w], (Kind::Float, self.context.device));
            self.picture(&self.painter.draw(&noise, &conditions, &mut rng))
        };
        (0..self.params.count.get()).map(one).collect()
    }

    fn picture(&self, sample: &Tensor) -> Result<RgbImage, NodeError> {
        let picture = no_grad(|| self.decoder.pictures(sample));
        paint::check_finite(&picture, "model", self.params.steps.get())?;
        Ok(to_bytes(&picture).remove(0))
    }
}

fn write(context: &Context, params: &Sample, drawn: &[RgbImage]) -> Result<(), NodeError> {
    let captions = params.prompts.iter().flat_map(|prompt| vec![prompt; params.count.index()]);
    let lines: Vec<_> = captions.enumerate().map(|(i, text)| Line { file_name: format!("{i:04}.png"), text }).collect();
    for (line, picture) in lines.iter().zip(drawn) {
        save(&context.output(&line.file_name), picture)?;
    }
    files::write_lines(&context.output(CAPTIONS), &lines)?;
    write_png(&context.output(GRID), &Canvas::grid(drawn))?;
    context.reporter.show(GRID);
    Ok(())
}
