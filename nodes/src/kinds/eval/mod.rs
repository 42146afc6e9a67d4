//! `Eval`: LoRAs beside their teacher, at each step count.

mod grid;
mod measure;
mod row;
mod subject;

use hyper_flow_diffusion::Classifier;
use hyper_flow_spec::kinds::Eval;
use serde_json::json;

use crate::dataset::Dataset;
use crate::model::Model;
use crate::picture::write_png;
use crate::scorer::Scorer;
use crate::worker::Context;
use crate::{NodeError, files, paint, student};
use measure::Meter;
use row::{Row, table};
use subject::{Easel, Subject};

const METRICS: &str = "metrics.json";
const TABLE: &str = "table.txt";
const GRID: &str = "grid.png";

pub(super) fn run(context: &Context, params: &Eval) -> Result<(), NodeError> {
    let teacher = Model::load(context.input(&params.teacher)?, context.device, paint::kind(params.precision))?;
    let data = Dataset::read(context.input(&params.data)?)?;
    teacher.check_fits(&data)?;
    let (judge, config) = Classifier::load(context.input(&params.judge)?, context.device)?;
    let clip = Scorer::load(context.input(&params.clip)?, context.device)?;
    let reward =
        params.reward.as_ref().map(|port| Scorer::load(context.input(port)?, context.device).map_err(NodeError::from));
    let reward = reward.transpose()?;
    let mut loras = Vec::new();
    for (name, port) in &params.loras {
        loras.push((name.as_str(), student::read(context, port, &teacher.unet)?));
    }
    let subjects = subject::all(params, &loras);
    let easel = Easel::new(context, params, &teacher, &data)?;
    let meter = Meter::new(&judge, &config, &clip, reward.as_ref(), &data, easel.captions(), context.device)?;

    let reference = easel.draw(&Subject::teacher(params.reference_steps))?;
    let mut rows = vec![meter.held_out(&data)?];
    let mut sheet = grid::Sheet::new(&easel);
    for (done, subject) in subjects.iter().enumerate() {
        let is_reference = subject.lora.is_none() && subject.steps == params.reference_steps;
        let pictures = if is_reference { reference.shallow_clone() } else { easel.draw(subject)? };
        rows.push(meter.row(subject, &pictures, (!is_reference).then_some(&reference))?);
        sheet.add(subject, &pictures);
        context.progress(done + 1, subjects.len(), "rows")?;
    }
    write(context, &rows, &sheet)
}

fn write(context: &Context, rows: &[Row], sheet: &grid::Sheet<'_>) -> Result<(), NodeError> {
    files::write_json(&context.output(METRICS), &json!({ "rows": rows }))?;
    files::write(&context.output(TABLE), table(rows))?;
    write_png(&context.output(GRID), &sheet.canvas())?;
    context.reporter.show(TABLE);
    context.reporter.show(GRID);
    Ok(())
}
