//! `Eval`: LoRAs beside their teacher, at each step count.

mod album;
mod comparison;
mod grid;
mod meter;
mod reference;
mod row;
mod subject;
mod table;
mod tally;

use hyper_flow_spec::Level;
use hyper_flow_spec::kinds::Eval;
use hyper_flow_spec::metrics::{METRICS, Metrics, REAL};

use crate::artifacts::dataset::Dataset;
use crate::artifacts::lora;
use crate::artifacts::model::Model;
use crate::distilling::paint;
use crate::picture::write_png;
use crate::worker::Context;
use crate::{NodeError, files};
use meter::Meter;
use reference::Reference;
use row::Measured;
use subject::{Easel, Subject};
use tally::Tally;

const TABLE: &str = "table.txt";
const GRID: &str = "grid.png";

pub(super) fn run(context: &Context, params: &Eval) -> Result<(), NodeError> {
    let teacher = Model::load(context.input(&params.teacher)?, context.device, paint::kind(params.precision))?;
    let data = Dataset::read(context.input(&params.data)?)?;
    teacher.check_fits(&data)?;
    let modules = teacher.lora_modules()?;
    let mut loras = Vec::new();
    for (name, port) in &params.loras {
        loras.push((name.as_str(), lora::read(context, port, &modules, context.device)?));
    }
    let subjects = subject::all(params, &loras);
    let easel = Easel::new(context, params, &teacher, &loras, &data)?;
    let meter = Meter::new(context, params, &data, easel.captions())?;

    let reference = Reference::draw(&easel)?;
    let mut rows = Vec::new();
    match data.held_out.len() {
        0..=Eval::NEIGHBOURS => {
            let least = Eval::NEIGHBOURS + 1;
            let text = format!("there is no row of the real pictures: at least {least} must be held out for one");
            context.reporter.message(Level::Warning, text);
        }
        _ => rows.push(held_out(&meter, &data)?),
    }
    let mut sheet = grid::Sheet::new(&easel);
    for (done, subject) in subjects.iter().enumerate() {
        rows.push(row(&easel, &meter, subject, &reference, &mut sheet)?);
        context.progress(done + 1, subjects.len(), "rows")?;
    }
    let metrics = Metrics {
        rows: rows.iter().map(Measured::row).collect(),
        comparisons: comparison::all(&params.compare, &rows),
        resamples: params.resamples.get(),
        samples: params.samples.get(),
    };
    write(context, &metrics, &sheet)
}

/// The held-out real pictures: the floor under every distance.
fn held_out(meter: &Meter<'_>, data: &Dataset) -> Result<Measured, NodeError> {
    let mut tally = Tally::new(meter)?;
    for chunk in data.held_out.chunks() {
        meter.context.stop_if_asked()?;
        let captions: Vec<String> = chunk.iter().map(|&i| data.held_out.captions[i as usize].clone()).collect();
        tally.add(&data.held_out.images(&chunk, meter.context.device)?, &captions, None)?;
    }
    let resamples = meter.resamples_of("held out", &data.held_out.captions);
    Ok(Measured { candidate: REAL.to_owned(), steps: None, numbers: tally.numbers(&resamples)? })
}

/// Draws and measures a subject, a batch at a time.
fn row(
    easel: &Easel<'_>,
    meter: &Meter<'_>,
    subject: &Subject<'_>,
    reference: &Reference<'_>,
    sheet: &mut grid::Sheet<'_>,
) -> Result<Measured, NodeError> {
    sheet.begin(subject);
    let mut tally = Tally::new(meter)?;
    let is_reference = subject.is_teacher(easel.reference_steps());
    for batch in 0..easel.batches() {
        let goal = reference.pictures(easel, batch)?;
        let pictures = match is_reference {
            true => goal.shallow_clone(),
            false => easel.pictures(subject, &easel.samples(subject, batch)?)?,
        };
        tally.add(&pictures, easel.captions_of(batch), (!is_reference).then_some(&goal))?;
        sheet.add(easel.first(batch), &pictures);
    }
    let numbers = tally.numbers(&meter.resamples)?;
    Ok(Measured { candidate: subject.name.to_owned(), steps: Some(subject.steps.get()), numbers })
}

fn write(context: &Context, metrics: &Metrics, sheet: &grid::Sheet<'_>) -> Result<(), NodeError> {
    files::write_json(&context.output(METRICS), metrics)?;
    files::write(&context.output(TABLE), table::text(metrics))?;
    write_png(&context.output(GRID), &sheet.canvas())?;
    context.reporter.show(TABLE);
    context.reporter.show(GRID);
    Ok(())
}
