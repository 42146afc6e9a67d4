//! `Summary`: repeated measurements, put together.

mod data;
mod groups;
mod plot;
mod table;

use hyper_flow_spec::kinds::Summary;
use hyper_flow_spec::metrics::{METRICS, Metrics};

use crate::worker::Context;
use crate::{NodeError, files};
use groups::Groups;

const TABLE: &str = "table.txt";
const PLOT: &str = "plot.svg";
const REPORT: &str = "report.md";

pub(super) fn run(context: &Context, params: &Summary) -> Result<(), NodeError> {
    let mut metrics: Vec<Metrics> = Vec::new();
    for port in &params.metrics {
        metrics.push(files::read_json(&context.input(port)?.join(METRICS))?);
    }
    let groups = Groups::of(&metrics, params)?;
    let table = table::Table::of(&groups, params.spread);
    files::write_json(&context.output("summary.json"), &data::json(&groups))?;
    files::write(&context.output("summary.csv"), data::csv(&groups))?;
    files::write(&context.output(TABLE), table.text())?;
    files::write(&context.output(REPORT), table.markdown(PLOT))?;
    files::write(&context.output(PLOT), plot::draw(&groups, params.spread)?)?;
    context.reporter.show(TABLE);
    context.reporter.show(PLOT);
    Ok(())
}
