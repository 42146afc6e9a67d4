//! `hyper-flow report`.

use std::path::PathBuf;

use serde_json::json;

use crate::commands::again;
use crate::commands::context::{Context, Format};
use crate::error::Failure;
use crate::output::units;
use crate::page::model::RunPage;
use crate::page::report::report;
use crate::runs;

/// Writes one HTML file with all of a run: graph, curves, measurements, pictures, settings, what to cite
///
/// The file needs no network and no server, has at most 10 MiB, and prints well. Pictures are made smaller where they would
/// not fit; what is left out is told here and on the page.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: `last`, `last~2`, or a piece of an id that begins or ends it; the last one without it.
    run: Option<String>,
    /// Where to write it; `-` is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let store = context.existing_store()?;
    let run = runs::find(&store, None, args.run.as_deref().unwrap_or("last")).map_err(Failure::user)?;
    let page = RunPage::of(&run, &store).ok_or_else(|| {
        let message = format!("run {} does not say what was run", run.id());
        let other = again::command(context, "report", &["RUN"]);
        Failure::usage(message, format!("its `run.json` is damaged; `{other}` reports another one"))
    })?;
    let report = report(page, &store);
    if args.output.as_os_str() == "-" {
        return context.write(|out| out.write_all(report.html.as_bytes()));
    }
    std::fs::write(&args.output, &report.html).map_err(|error| {
        let message = format!("failed to write {}: {error}", args.output.display());
        Failure::usage(message, "name another file with `--output`")
    })?;
    let bytes = report.html.len();
    context.print(|_, out| match context.format {
        Format::Quiet => writeln!(out, "{}", args.output.display()),
        Format::Json => {
            let told = json!({
                "run": run.id(), "report": args.output, "bytes": bytes, "pictures": report.pictures, "left_out": report.left_out,
            });
            serde_json::to_writer_pretty(&mut *out, &told)?;
            writeln!(out)
        }
        Format::Human => {
            writeln!(out, "{}  run {}, {}, {}", args.output.display(), run.id(), units::bytes(bytes as u64), units::count(report.pictures as u64, "picture"))?;
            report.left_out.iter().try_for_each(|what| writeln!(out, "left out: {what}"))
        }
    })
}
