//! `Sample`: draws pictures.

use hyper_flow_diffusion::Conditions;
use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::sample::{Guidance, Painter};
use hyper_flow_spec::kinds::Sample;
use serde::Serialize;
use tch::{Kind, Tensor};

use crate::model::Model;
use crate::picture::{Canvas, save, to_bytes, write_png};
use crate::worker::Context;
use crate::{NodeError, files, paint, student};

/// A line of `metadata.jsonl`, as the imagefolder convention has it.
#[derive(Serialize)]
struct Line<'a> {
    file_name: String,
    text: &'a str,
}

const GRID: &str = "grid.png";

pub(super) fn run(context: &Context, params: &Sample) -> Result<(), NodeError> {
    let model = Model::load(context.input(&params.model)?, context.device, paint::kind(params.precision))?;
    let lora = params.lora.as_ref().map(|port| student::read(context, port, &model.unet)).transpose()?;
    let empty = model.text.encode(&[String::new()])?;
    let plan = paint::sampler(params.sampler).plan(&model.schedule, params.steps.index())?;
    let painter = Painter {
        denoiser: model.denoiser(),
        plan: &plan,
        adapters: &lora.as_ref().map_or_else(Adapters::none, |lora: &Lora| Adapters::one(lora)),
        guidance: (params.guidance.get() != 1.0).then(|| Guidance { scale: params.guidance.get(), empty: &empty }),
    };
    let shape = model.sample_shape()?;
    let (mut drawn, mut lines) = (Vec::new(), Vec::new());
    for (i, prompt) in params.prompts.iter().enumerate() {
        let conditions = model.text.encode(std::slice::from_ref(prompt))?;
        for picture in draw(context, params, &painter, &conditions, shape, i as u64) {
            lines.push(Line { file_name: format!("{:04}.png", drawn.len()), text: prompt });
            drawn.push(picture);
        }
        context.progress(i + 1, params.prompts.len(), "captions")?;
    }
    let pictures = Tensor::cat(&drawn, 0);
    paint::check_finite(&pictures, "model", params.steps.get())?;
    for (line, picture) in lines.iter().zip(to_bytes(&pictures)) {
        save(&context.output(&line.file_name), &picture)?;
    }
    files::write_lines(&context.output("metadata.jsonl"), &lines)?;
    write_png(&context.output(GRID), &Canvas::grid(&pictures))?;
    context.reporter.show(GRID);
    Ok(())
}

/// The pictures of one caption, one at a time: each a function of seed, caption's place and number alone.
fn draw(
    context: &Context,
    params: &Sample,
    painter: &Painter<'_>,
    conditions: &Conditions,
    [c, h, w]: [i64; 3],
    prompt: u64,
) -> Vec<Tensor> {
    let one = |i: i64| {
        let mut rng = Rng::at(context.seed(), &format!("Sample/{prompt}"), i as u64);
        let noise = rng.randn(&[1, c, h, w], (Kind::Float, context.device));
        painter.draw(&noise, conditions, &mut rng)
    };
    (0..params.count.get()).map(one).collect()
}
