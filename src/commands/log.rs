//! `hyper-flow log`.

use std::path::Path;

use serde_json::Value;

use crate::commands::context::Context;
use crate::commands::source;
use crate::error::Failure;
use crate::output::report::{Logged, Step};
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
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, [name]) = source::split_exactly(&args.words, ["NODE"], context)?;
    let store = context.look_into_store()?;
    context.require(&store)?;
    let origin = Origin::of(&file, &store);
    let mut runs = runs::newest_first(&store).into_iter().filter(|run| run.origin().is_some_and(|of| of.is(&origin)));
    let report = runs.find_map(|run| logged(&run, name)).ok_or_else(|| {
        let message = format!("node `{name}` of {} was not started in any run that is kept", origin.path().display());
        Failure::usage(message, "`hyper-flow ls` lists the nodes; `hyper-flow run` starts those that are not cached")
    })?;
    context.print(|output, out| output.logged(out, &report))
}

/// What a run says of a node; `None` if the node was not started in it.
fn logged(run: &Run, node: &str) -> Option<Logged> {
    let events: Vec<Value> = run.events().into_iter().filter(|event| event["node"] == node).collect();
    events.iter().find(|event| event["event"] == "node_started")?;
    let directory = node_directory(&run.path, node);
    let mut report = Logged {
        node: node.to_owned(),
        run: run.id(),
        stdout: text(&directory.join("stdout.log")),
        stderr: text(&directory.join("stderr.log")),
        directory,
        ..Logged::default()
    };
    events.iter().for_each(|event| add(&mut report, event));
    Some(report)
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

fn add(report: &mut Logged, event: &Value) {
    let said = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let name = said("event");
    match name.as_str() {
        "memory" => report.memory = serde_json::from_value(event.clone()).ok(),
        "step" => report.steps.extend(step(event)),
        "message" => report.messages.push(format!("{}: {}", said("level"), said("text"))),
        "resumed" => report.messages.push(format!("resumed after step {}", event["step"])),
        "metric" => report.messages.push(format!("{}: {}", said("name"), event["value"])),
        "node_retried" => report.messages.push(format!("failed, and was tried again: {}", said("message"))),
        "node_failed" => {
            report.messages.push(said("message"));
            report.ended = Some(name);
        }
        "node_ran" | "node_interrupted" => {
            report.seconds = event["seconds"].as_f64();
            report.ended = Some(name);
        }
        _ => {}
    }
}

fn step(event: &Value) -> Option<Step> {
    let losses = event["losses"].as_object()?.iter().filter_map(|(name, loss)| Some((name.clone(), loss.as_f64()?)));
    Some(Step { step: event["step"].as_u64()?, of: event["of"].as_u64()?, losses: losses.collect() })
}
