//! `hyper-flow store`.

use clap::Subcommand;
use hyper_flow_cache::{Access, Store};
use nix::unistd::Group;

use crate::commands::context::Context;
use crate::error::Failure;
use crate::output::report::Initialised;

/// Makes a store
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the store, or shares one that is there
    ///
    /// `run` makes a private store by itself: others may read what the umask of its user lets them, and what is
    /// cached is cached for them too. This is for a store that its group has in common.
    Init(Init),
}

#[derive(Debug, clap::Args)]
struct Init {
    /// Share it with its group: all members may run, publish and collect, whatever their umask.
    ///
    /// A store that is there already is opened to the group with all that is in it; done again, it mends what was
    /// closed since. The programs that a run starts get a umask that lets the group in.
    #[arg(long)]
    shared: bool,
    /// The group, by name or number [default: the one that the directory has].
    #[arg(long, value_name = "GROUP", requires = "shared")]
    group: Option<String>,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let Command::Init(init) = &args.command;
    let group = init.group.as_deref().map(number).transpose()?;
    let made = !Store::open_existing(&context.store)?.is_there();
    let store = context.open_store()?;
    let (store, changed) = if init.shared { store.share(group)? } else { (store, 0) };
    let shared = store.access() == Access::Group;
    let report = Initialised { store: store.root().to_owned(), shared, made, changed };
    context.print(|output, out| output.initialised(out, &report))
}

/// The number of a group that is named, or told by its number.
fn number(group: &str) -> Result<u32, Failure> {
    let known = Group::from_name(group).ok().flatten().map(|group| group.gid.as_raw());
    known.or_else(|| group.parse().ok()).ok_or_else(|| {
        let message = format!("there is no group `{group}` on this machine");
        Failure::usage(message, "`getent group` lists them; its administrator makes one with `groupadd`")
    })
}
