//! `hyper-flow check`.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::commands::context::{Context, Format};
use crate::commands::source::{self, Overriding};
use crate::error::Failure;
use crate::pipeline::{Finding, Pipeline, PipelineErrors};

/// Checks a pipeline file, and tells all of its mistakes at once
///
/// Nothing is run, and the store is not looked at. With `--json`, mistakes and warnings come with file, line
/// and column.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pipeline.
    #[arg(value_name = "FILE")]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Checked<'a> {
    ok: bool,
    file: &'a Path,
    nodes: Option<usize>,
    mistakes: &'a [Finding],
    warnings: &'a [Finding],
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, []) = source::split_exactly(&args.words, [], &args.overriding, context)?;
    let checked = args.overriding.load(&file, context);
    if let Ok(pipeline) = &checked {
        context.warn(&pipeline.warnings);
    }
    context.print(|_, out| match context.format {
        Format::Human => human(out, &checked),
        Format::Json => json(out, &file, &checked),
        Format::Quiet => Ok(()),
    })?;
    checked.map(drop).map_err(Failure::user)
}

fn human(out: &mut dyn Write, checked: &Result<Pipeline, PipelineErrors>) -> io::Result<()> {
    match checked.as_ref().map(|pipeline| pipeline.nodes.len()) {
        Ok(1) => writeln!(out, "ok: 1 node"),
        Ok(nodes) => writeln!(out, "ok: {nodes} nodes"),
        Err(_) => Ok(()),
    }
}

fn json(out: &mut dyn Write, file: &Path, checked: &Result<Pipeline, PipelineErrors>) -> io::Result<()> {
    let report = match checked {
        Ok(Pipeline { nodes, warnings, .. }) => {
            Checked { ok: true, file, nodes: Some(nodes.len()), mistakes: &[], warnings }
        }
        Err(errors) => Checked { ok: false, file, nodes: None, mistakes: &errors.findings, warnings: &[] },
    };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}
