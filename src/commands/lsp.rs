//! `hyper-flow lsp`.

use crate::commands::context::Context;
use crate::error::Failure;
use crate::lsp;

/// Serves an editor: mistakes as you type, completion, documentation, renaming, formatting
///
/// Editors start it by themselves, and speak the Language Server Protocol with it over standard input and output. How to tell
/// them is in `src/lsp/vscode/README.md`: for VS Code, Neovim and Helix.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What editors add; there is no other way to speak with it.
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Carries the command out.
pub fn execute(Args { .. }: &Args, _: &Context) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Output)?;
    runtime.block_on(lsp::serve());
    // Standard input may be waited for in a thread of its own, which ends with the process.
    runtime.shutdown_background();
    Ok(())
}
