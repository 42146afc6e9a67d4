//! `hyper-flow unpin`.

use hyper_flow_cache::{Pin, Store};

use crate::commands::context::Context;
use crate::commands::pins;
use crate::commands::source::{self, Overriding};
use crate::error::Failure;

/// Keeps an artifact no longer than others: takes back `pin` and `tag`
///
/// The artifact itself stays until garbage collection has a reason to remove it.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow unpin [OPTIONS] NAME\n       hyper-flow unpin [OPTIONS] [FILE] NODE")]
pub struct Args {
    /// The name of a pin; or a node, perhaps after its pipeline, whose present artifact is pinned.
    #[arg(value_names = ["FILE", "NAME"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let store = context.existing_store()?;
    let gone = named(args, &store, context)?;
    gone.iter().try_for_each(|pin| store.unpin(&pin.name))?;
    let report = pins::list(&store, gone, context)?;
    context.print(|output, out| output.unpinned(out, &report))
}

/// The pin of this name, or else all of the present artifact of the node.
fn named(args: &Args, store: &Store, context: &Context) -> Result<Vec<Pin>, Failure> {
    let pins = store.pins()?;
    let only = if let [word] = args.words.as_slice() { Some(pins::unmarked(word)) } else { None };
    if let Some(pin) = pins.iter().find(|pin| only == Some(pin.name.as_str())) {
        return Ok(vec![pin.clone()]);
    }
    let (file, [node]) = match (source::split_exactly(&args.words, ["NODE"], &args.overriding, context), only) {
        // Without any pipeline it was the name of a pin that was meant.
        (Err(_), Some(name)) => return Err(pins::unknown(name, &pins)),
        (words, _) => words?,
    };
    let loaded = source::load(&file, &[], &args.overriding, context)?;
    let key = loaded.plan.get(node).and_then(|planned| planned.key);
    let of_node: Vec<Pin> = pins.iter().filter(|pin| Some(pin.key) == key).cloned().collect();
    if of_node.is_empty() { Err(pins::unknown(node, &pins)) } else { Ok(of_node) }
}
