//! The command line: global options, and the list of commands.

use std::io::{IsTerminal, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::commands;
use crate::commands::context::{Context, Format};
use crate::completing;
use crate::display::takes_controls;
use crate::error::{self, Failure};
use crate::output::Room;
use crate::signals;

/// Pipelines as code that distil diffusion models into few-step ones.
///
/// A pipeline is a RON file of named nodes. `run` runs the nodes whose results are not in the store yet;
/// `plan` says which, and why.
///
/// Where a command wants FILE, the first argument that ends in `.ron` is it. Left out, it is the only
/// `.ron` file of the working directory, or else the pipeline of the last run in this store.
///
/// Exit codes: 0 done, 1 a node failed, 2 the pipeline or the command line is wrong, 3 the store failed or
/// standard output took not all, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "hyper-flow", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The directory of the store [default: .hyper-flow]. One that is named must be there, but for `run` and `store
    /// init`, which make it, and for `plan` and `why`, which tell what a run would do.
    #[arg(long, global = true, value_name = "DIR", env = "HYPER_FLOW_STORE")]
    store: Option<PathBuf>,
    /// Trust no size and no time: read every source and every cached artifact again, before what is cached is believed.
    #[arg(long, global = true)]
    paranoid: bool,
    /// Print JSON, for machines; mistakes too, on standard error.
    #[arg(long, global = true)]
    json: bool,
    /// Print only the names or values that were asked for; with `--json`, that is JSON as ever.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// All columns, rows and names, however wide and long it gets; into a pipe or a file, columns are never left out.
    #[arg(long, global = true)]
    wide: bool,
    /// When to colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: When,
    /// Log to standard error what is done; twice for more, three times for all.
    #[arg(long, short, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum When {
    /// On a terminal that has colours, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(commands::new::Args),
    Check(commands::check::Args),
    Fmt(commands::fmt::Args),
    Plan(commands::plan::Args),
    Run(commands::run::Args),
    Why(commands::why::Args),
    Graph(commands::graph::Args),
    Ls(commands::ls::Args),
    Show(commands::show::Args),
    Log(commands::log::Args),
    Runs(commands::runs::Args),
    Diff(commands::diff::Args),
    Export(commands::export::Args),
    Pin(commands::pin::Args),
    Tag(commands::tag::Args),
    Unpin(commands::unpin::Args),
    Rm(commands::rm::Args),
    Kinds(commands::kinds::Args),
    Schema(commands::schema::Args),
    Cache(commands::cache::Args),
    Store(commands::store::Args),
    Lsp(commands::lsp::Args),
    Completions(commands::completions::Args),
    Report(commands::report::Args),
    Ui(commands::ui::Args),
}

/// Runs the command line; errors are printed, and become the exit code.
pub fn main() -> ExitCode {
    completing::complete();
    let cli = Cli::parse();
    let color = cli.global.color;
    let _logging = log_to_stderr(cli.global.verbose, color.on(stderr().is_terminal()));
    if let Err(error) = signals::survive_the_limit_of_files() {
        tracing::warn!(%error, "SIGXFSZ is not handled");
    }
    let context = cli.global.context();
    match cli.command.execute(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(|report| error::print(report.as_ref(), context.format, context.color_stderr)),
    }
}

impl Command {
    fn execute(&self, context: &Context) -> Result<(), Failure> {
        match self {
            Command::New(args) => commands::new::execute(args, context),
            Command::Check(args) => commands::check::execute(args, context),
            Command::Fmt(args) => commands::fmt::execute(args, context),
            Command::Plan(args) => commands::plan::execute(args, context),
            Command::Run(args) => commands::run::execute(args, context),
            Command::Why(args) => commands::why::execute(args, context),
            Command::Graph(args) => commands::graph::execute(args, context),
            Command::Ls(args) => commands::ls::execute(args, context),
            Command::Show(args) => commands::show::execute(args, context),
            Command::Log(args) => commands::log::execute(args, context),
            Command::Diff(args) => commands::diff::execute(args, context),
            Command::Runs(args) => commands::runs::execute(args, context),
            Command::Export(args) => commands::export::execute(args, context),
            Command::Pin(args) => commands::pin::execute(args, context),
            Command::Tag(args) => commands::tag::execute(args, context),
            Command::Unpin(args) => commands::unpin::execute(args, context),
            Command::Rm(args) => commands::rm::execute(args, context),
            Command::Kinds(args) => commands::kinds::execute(args, context),
            Command::Schema(args) => commands::schema::execute(args, context),
            Command::Cache(args) => commands::cache::execute(args, context),
            Command::Store(args) => commands::store::execute(args, context),
            Command::Lsp(args) => commands::lsp::execute(args, context),
            Command::Completions(args) => commands::completions::execute(args, context),
            Command::Report(args) => commands::report::execute(args, context),
            Command::Ui(args) => commands::ui::execute(args, context),
        }
    }
}

impl Global {
    fn context(&self) -> Context {
        let format = match (self.json, self.quiet) {
            (true, _) => Format::Json,
            (_, true) => Format::Quiet,
            _ => Format::Human,
        };
        Context {
            store: self.store.clone().unwrap_or_else(|| PathBuf::from(".hyper-flow")),
            store_is_named: self.store.is_some(),
            paranoid: self.paranoid,
            format,
            room: Room::of_stdout(self.wide),
            color_stdout: self.color.on(stdout().is_terminal()),
            color_stderr: self.color.on(stderr().is_terminal()),
        }
    }
}

impl When {
    fn on(self, terminal: bool) -> bool {
        match self {
            When::Auto => {
                terminal && takes_controls() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
            When::Always => true,
            When::Never => false,
        }
    }
}

/// Only what the crates here log: what the libraries below them do inside is nothing that a user can act upon.
///
/// Lines that nobody reads in time are lost, so that they never hold up a run.
fn log_to_stderr(verbose: u8, color: bool) -> Option<WorkerGuard> {
    let level = match verbose {
        0 => return None,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let (lines, guard) = tracing_appender::non_blocking(stderr());
    let ours = Targets::new().with_target("hyper_flow", level);
    let layer = tracing_subscriber::fmt::layer().with_writer(lines).with_ansi(color);
    tracing_subscriber::registry().with(layer.with_filter(ours)).init();
    Some(guard)
}
