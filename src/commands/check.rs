//! `hyper-flow check`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::commands::context::{Context, Format};
use crate::commands::source::{self, Overriding};
use crate::error::{self, Failure};
use crate::pipeline::{Finding, Pipeline, PipelineErrors};

/// Checks pipeline files, and tells all of their mistakes at once
///
/// Nothing is run, and the store is not looked at. With `--json`, mistakes and warnings come with file, line
/// and column; of several files it prints a list.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pipelines.
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

/// A file, and what came of it.
type Outcome = (PathBuf, Result<Pipeline, PipelineErrors>);

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let load = |file: PathBuf| (args.overriding.load(&file, context), file);
    let checked: Vec<Outcome> =
        source::files(&args.words, context)?.into_iter().map(load).map(|(checked, file)| (file, checked)).collect();
    let pipelines = checked.iter().filter_map(|(_, checked)| checked.as_ref().ok());
    pipelines.for_each(|pipeline| context.warn(&pipeline.warnings));
    context.print(|_, out| match context.format {
        Format::Human => human(out, &checked),
        Format::Json => json(out, &checked),
        Format::Quiet => Ok(()),
    })?;
    let mut wrong: Vec<PipelineErrors> = checked.into_iter().filter_map(|(_, checked)| checked.err()).collect();
    let last = wrong.pop();
    wrong.iter().for_each(|errors| error::print(errors, context.format, context.color_stderr));
    last.map_or(Ok(()), |errors| Err(Failure::user(errors)))
}

fn human(out: &mut dyn Write, checked: &[Outcome]) -> io::Result<()> {
    let several = checked.len() > 1;
    for (file, checked) in checked.iter().filter_map(|(file, checked)| Some((file, checked.as_ref().ok()?))) {
        let of = if several { format!("{}: ", file.display()) } else { String::new() };
        match checked.nodes.len() {
            1 => writeln!(out, "{of}ok: 1 node")?,
            nodes => writeln!(out, "{of}ok: {nodes} nodes")?,
        }
    }
    Ok(())
}

fn json(out: &mut dyn Write, checked: &[Outcome]) -> io::Result<()> {
    let reports: Vec<Checked<'_>> = checked.iter().map(report).collect();
    match reports.as_slice() {
        [only] => serde_json::to_writer_pretty(&mut *out, only)?,
        several => serde_json::to_writer_pretty(&mut *out, several)?,
    }
    writeln!(out)
}

fn report((file, checked): &Outcome) -> Checked<'_> {
    match checked {
        Ok(Pipeline { nodes, warnings, .. }) => {
            Checked { ok: true, file, nodes: Some(nodes.len()), mistakes: &[], warnings }
        }
        Err(errors) => Checked { ok: false, file, nodes: None, mistakes: &errors.findings, warnings: &[] },
    }
}
