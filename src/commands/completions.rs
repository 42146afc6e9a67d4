//! `hyper-flow completions`.

use std::io;

use clap::ValueEnum;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::commands::context::Context;
use crate::completing::VARIABLE;
use crate::error::Failure;

const INSTALLING: &str = "\
The shell asks the installed `hyper-flow` each time, so that it knows what is there now. To have it in every new shell:

    bash        echo 'source <(hyper-flow completions bash)' >> ~/.bashrc
    zsh         echo 'source <(hyper-flow completions zsh)' >> ~/.zshrc     # after compinit
    fish        hyper-flow completions fish > ~/.config/fish/completions/hyper-flow.fish
    elvish      echo 'eval (hyper-flow completions elvish | slurp)' >> ~/.elvish/rc.elv
    powershell  hyper-flow completions powershell >> $PROFILE";

/// Prints what makes a shell complete: commands, kinds, nodes of the pipeline, their fields after `--set`, runs
#[derive(Debug, clap::Args)]
#[command(after_long_help = INSTALLING)]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// A shell that can be told.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    /// Of GNU, from version 4.4 on.
    Bash,
    /// With its completion system (`compinit`).
    Zsh,
    /// From version 3 on.
    Fish,
    /// From version 0.18 on.
    Elvish,
    /// From version 5 on.
    Powershell,
}

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
            Shell::Elvish => &Elvish,
            Shell::Powershell => &Powershell,
        }
    }

    /// What goes before.
    fn preparation(self) -> &'static str {
        match self {
            // Else bash takes `eval@1` for three words, and what follows `=` for one of its own.
            Shell::Bash => "COMP_WORDBREAKS=${COMP_WORDBREAKS//[@=]/}\n",
            _ => "",
        }
    }
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let script = script(args.shell).map_err(Failure::Output)?;
    context.write(|out| out.write_all(&script))
}

fn script(shell: Shell) -> io::Result<Vec<u8>> {
    const NAME: &str = "hyper-flow";
    let mut script = shell.preparation().as_bytes().to_vec();
    shell.completer().write_registration(VARIABLE, "hyper_flow", NAME, NAME, &mut script)?;
    Ok(script)
}
