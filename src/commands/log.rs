//! `hyper-flow log`.

use std::convert::Infallible;
use std::path::Path;

use serde_json::Value;

use crate::commands::again;
use crate::commands::context::Context;
use crate::commands::source::{self, Overriding};
use crate::error::Failure;
use crate::output::report::{Logged, Messages, Steps};
use crate::run::node_directory;
use crate::runs::{self, Origin, Run};

/// Prints the log of a node's last run: losses, messages, standard error
///
/// The last run is the newest in which the node was started, whether it succeeded or not.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow log [OPTIONS] [FILE] NODE")]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; then the node.
    #[arg(value_names = ["FILE", "NODE"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, [name]) = source::split_exactly(&args.words, ["NODE"], &args.overriding, context)?;
    let store = context.look_into_store()?;
    context.require(&store)?;
    let origin = Origin::of(&file, &store);
    let meant = args.overriding.past(&file, &store)?;
    let is_meant = |run: &Run| meant.as_ref().is_none_or(|past| past.directory == run.path);
    let runs = runs::newest_first(&store).into_iter().filter(is_meant);
    let mut runs = runs.filter(|run| run.origin().is_some_and(|of| of.is(&origin)));
    let report = runs.find_map(|run| logged(&run, name)).ok_or_else(|| {
        let message = format!("node `{name}` of {} was not started in any run that is kept", origin.path().display());
        let again = |command| again::about(&args.words, &args.overriding, context, command, &[]);
        let help = format!("`{}` lists the nodes; `{}` starts those that are not cached", again("ls"), again("run"));
        Failure::usage(message, help)
    })?;
    context.print(|output, out| output.logged(out, &report))
}

/// What a run says of a node; `None` if the node was not started in it.
fn logged(run: &Run, node: &str) -> Option<Logged> {
    let (events, directory) = (run.events(node), node_directory(&run.path, node));
    let mut report = Logged { node: node.to_owned(), run: run.id(), ..Logged::default() };
    let (mut started, mut steps) = (false, 0);
    let Ok(()) = events.each(|name, line| {
        started |= name == "node_started";
        steps += usize::from(name == "step");
        add(&mut report, name, line);
        Ok::<_, Infallible>(())
    });
    report.messages = Messages::of(events.clone());
    report.steps = Steps::of(events, steps);
    report.stdout = text(&directory.join("stdout.log"));
    report.stderr = text(&directory.join("stderr.log"));
    report.directory = directory;
    started.then_some(report)
}

fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// How the node ended, and what it took.
fn add(report: &mut Logged, name: &str, line: &[u8]) {
    if !["memory", "node_ran", "node_failed", "node_interrupted"].contains(&name) {
        return;
    }
    let Ok(event) = serde_json::from_slice::<Value>(line) else { return };
    if name == "memory" {
        report.memory = serde_json::from_value(event).ok();
    } else {
        report.seconds = event["seconds"].as_f64();
        report.ended = Some(name.to_owned());
    }
}
