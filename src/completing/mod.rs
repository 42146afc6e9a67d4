//! What a shell may put in when the user asks it to complete: kinds, nodes, fields and runs, as they are now.
//!
//! The shell starts `hyper-flow` itself, with what is typed so far ([`clap_complete::env`]); the answer is printed by
//! clap_complete. Nothing is made in the store.

mod line;
mod names;

use std::ffi::OsStr;

use clap::{Command, CommandFactory};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::cli::Cli;

/// The variable by which a shell says that it wants to know what may come.
pub(crate) const VARIABLE: &str = "HYPER_FLOW_COMPLETE";

/// Answers a shell that asks what may come, and then ends the process; else does nothing.
pub(crate) fn complete() {
    CompleteEnv::with_factory(|| with_completers(Cli::command())).var(VARIABLE).complete();
}

/// What may come for an argument whose value starts as given.
type Completer = fn(&OsStr) -> Vec<CompletionCandidate>;

/// By name, so that a command has completion by calling its arguments as all do.
fn completer(command: &str, argument: &str) -> Option<Completer> {
    Some(match (command, argument) {
        ("check", "words") | (_, "file" | "files") => names::files,
        (_, "words") => names::files_and_nodes,
        (_, "force") => names::nodes,
        (_, "set") => names::settings,
        (_, "kind") => names::kinds,
        (_, "run" | "runs" | "id" | "ids") => names::runs,
        _ => return None,
    })
}

fn with_completers(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let command = command.mut_args(|argument| match completer(&name, argument.get_id().as_str()) {
        Some(completer) => argument.add(ArgValueCompleter::new(completer)),
        None => argument,
    });
    command.mut_subcommands(with_completers)
}
