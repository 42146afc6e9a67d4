//! `hyper-flow rm`.

use hyper_flow_cache::Pin;

use crate::commands::context::Context;
use crate::commands::source::{self, Loaded, Overriding};
use crate::commands::{again, artifact};
use crate::error::Failure;
use crate::output::report::Forgotten;
use crate::pipeline::suggest::quoted;

/// Forgets what a node yielded, and its checkpoint, so that the next run makes it anew
///
/// Nodes that take it are cached again if it comes out the same. Its bytes go with the next `cache gc`. To have
/// a node run again and its present artifact until then, use `run --force NODE`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow rm [OPTIONS] [FILE] NODE")]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; then the node.
    #[arg(value_names = ["FILE", "NODE"])]
    words: Vec<String>,
    /// Also if it is pinned; the pin goes, too.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, [node]) = source::split_exactly(&args.words, ["NODE"], &args.overriding, context)?;
    let Loaded { pipeline, store, plan } = source::load_one(&file, node, &args.overriding, context)?;
    context.require(&store)?;
    let planned = &plan.nodes[plan.nodes.len() - 1];
    let missing = || artifact::missing(planned, &again::Again::of(&args.words, &args.overriding, context));
    let key = planned.key.ok_or_else(missing)?;
    let checkpoint = store.has_scratch(&key)?;
    if store.record(&key)?.is_none() && !checkpoint {
        return Err(missing());
    }
    let pins: Vec<Pin> = store.pins()?.into_iter().filter(|pin| pin.key == key).collect();
    let pins: Vec<String> = pins.into_iter().map(|pin| pin.name).collect();
    if !pins.is_empty() && !args.force {
        let message = format!("node `{node}` is pinned as {}", quoted(pins.iter().map(String::as_str)));
        let unpin = again::command(context, "unpin", &[&pins[0]]);
        let rm = again::about(&args.words, &args.overriding, context, "rm", &[node, "--force"]);
        return Err(Failure::usage(message, format!("`{unpin}` first, or `{rm}`")));
    }
    store.forget(&key, &format!("hyper-flow rm (process {})", std::process::id()))?;
    pins.iter().try_for_each(|name| store.unpin(name))?;
    let taken_by = pipeline.nodes.values().filter(|other| other.inputs.values().any(|input| input == node));
    let taken_by = taken_by.map(|other| other.name.clone()).collect();
    let bytes = planned.record.as_ref().map(|record| record.bytes);
    let report = Forgotten { node: node.clone(), key, bytes, checkpoint, pins, taken_by };
    context.print(|output, out| output.forgotten(out, &report))
}
