//! `hyper-flow pin`.

use crate::commands::again;
use crate::commands::context::Context;
use crate::commands::pins;
use crate::commands::source::{self, Overriding};
use crate::error::Failure;

/// Keeps a node's present artifact for good
///
/// Whatever becomes of the pipeline, garbage collection leaves it until `hyper-flow unpin`. It is the artifact
/// alone that is kept, not what it was made from. `show @NAME` and `export @NAME DEST` have it, also when the
/// node has another one by then; `cache pins` lists all that is kept.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow pin [OPTIONS] [FILE] NODE [NAME]")]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; the node; and a name for what is
    /// kept, if it is not to be made from the node's.
    #[arg(value_names = ["FILE", "NODE", "NAME"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, words) = source::split(&args.words, &args.overriding, context)?;
    let (node, name) = match words {
        [node] => (node, None),
        [node, name] => (node, Some(name.as_str())),
        _ => {
            let again = |command, words| again::about(&args.words, &args.overriding, context, command, words);
            let help = format!("`{}`; `{}` lists them", again("pin", &["NODE"]), again("ls", &[]));
            return Err(Failure::usage("no node is named", help));
        }
    };
    let report = pins::pin((&file, node), name, (&args.words, &args.overriding), context)?;
    context.print(|output, out| output.pinned(out, &report))
}
