//! `hyper-flow completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::commands::context::Context;
use crate::error::Failure;

/// Prints completions for a shell
///
/// For bash: `hyper-flow completions bash > ~/.local/share/bash-completion/completions/hyper-flow`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hyper-flow", &mut script);
    context.print(|_, out| out.write_all(&script))
}
