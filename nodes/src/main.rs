//! The worker: runs one node of a pipeline, in a process of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hyper_flow_nodes::{Outcome, describe, run};

/// Runs one node of a hyper-flow pipeline. The engine, `hyper-flow`, starts it.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a job; events are printed as JSON lines.
    Run {
        /// The job file.
        job: PathBuf,
    },
    /// Print what this worker is, as JSON.
    Describe,
}

/// As shells report a process that SIGTERM ended.
const INTERRUPTED: u8 = 143;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    // A panic becomes the job's error message; where it happened is for developers (RUST_LOG=debug).
    std::panic::set_hook(Box::new(|panic| tracing::debug!("{panic}")));
    match Cli::parse().command {
        Command::Run { job } => match run(&job) {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::Failed => ExitCode::FAILURE,
            Outcome::Interrupted => ExitCode::from(INTERRUPTED),
        },
        Command::Describe => print_description(),
    }
}

fn print_description() -> ExitCode {
    let written = serde_json::to_writer(std::io::stdout(), &describe())
        .map_err(std::io::Error::from)
        .and_then(|()| writeln!(std::io::stdout()));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
