//! `hyper-flow show`.

mod content;
mod drawn;
mod lineage;
mod parameters;
mod remake;
mod report;

use hyper_flow_cache::{Record, Store};

use crate::commands::context::{Context, Format};
use crate::commands::pins;
use crate::commands::source::{self, Overriding};
use crate::commands::{again, artifact};
use crate::error::Failure;
use crate::pictures::Wanted;
use report::Subject;

/// Shows what a node produced: what made it, what it says of itself, and its pictures
///
/// That is: seed, files and parameters (defaults apart), versions, device, time and memory; from what it was made, what was
/// made from it, and the command that makes it again; what it measured, what a dataset holds, how much a LoRA changes of
/// each block, the table of an `Eval`; and copies of its pictures, which a terminal that can draws, too.
///
/// Of a node that will run, the artifact of its last run is shown, and that it is one. `@NAME` is what was pinned
/// under that name.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "hyper-flow show [OPTIONS] [FILE] NODE [PATH]\n       hyper-flow show [OPTIONS] @NAME [PATH]"
)]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; the node; and a file of its
    /// artifact, to have its content alone.
    #[arg(value_names = ["FILE", "NODE", "PATH"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
    /// How pictures are drawn. Into a pipe or a file, nothing is.
    #[arg(long, value_name = "HOW", default_value = "auto", env = "HYPER_FLOW_PICTURES")]
    pictures: Wanted,
    /// Opens its picture, or the folder of several, with the program that the system has for them.
    #[arg(long)]
    open: bool,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    if let [word, path @ ..] = args.words.as_slice()
        && word.starts_with(pins::MARK)
        && path.len() < 2
    {
        let store = context.existing_store()?;
        let record = pins::find(word, &store)?;
        let subject = |store: &Store, record: &Record| {
            Subject::pinned(store, record, remake::again(&[word], &args.overriding, context))
        };
        return args.show(&store, &record, path.first(), context, subject);
    }
    let (file, words) = source::split(&args.words, &args.overriding, context)?;
    let (name, path) = match words {
        [name] => (name, None),
        [name, path] => (name, Some(path)),
        _ => {
            let again = |command, words| again::about(&args.words, &args.overriding, context, command, words);
            let help = format!("`{}`; `{}` lists them", again("show", &["NODE"]), again("ls", &[]));
            return Err(Failure::usage("no node is named", help));
        }
    };
    if let Some(past) = args.overriding.past(&file, &context.look_into_store()?)? {
        let store = context.existing_store()?;
        let record = artifact::of_run(&past, name, &store, context)?;
        let again = || remake::again(&[&file.to_string_lossy(), name], &args.overriding, context);
        return args.show(&store, &record, path, context, |store, record| Subject::pinned(store, record, again()));
    }
    let loaded = source::load_one(&file, name, &args.overriding, context)?;
    context.require(&loaded.store)?;
    let planned = &loaded.plan.nodes[loaded.plan.nodes.len() - 1];
    let record = artifact::records(&loaded)?
        .pop()
        .flatten()
        .ok_or_else(|| artifact::missing(planned, &again::Again::of(&args.words, &args.overriding, context)))?;
    let subject = |_: &Store, record: &Record| {
        let remake = remake::of(&file, name, &args.overriding, &loaded, record, context);
        let again = remake::again(&[&file.to_string_lossy(), name], &args.overriding, context);
        Ok(Subject::planned(&loaded, planned, remake, again))
    };
    args.show(&loaded.store, &record, path, context, subject)
}

impl Args {
    fn show(
        &self,
        store: &Store,
        record: &Record,
        path: Option<&String>,
        context: &Context,
        subject: impl Fn(&Store, &Record) -> Result<Subject, Failure>,
    ) -> Result<(), Failure> {
        if let Some(path) = path {
            return content::content(store, record, path, self.pictures, context);
        }
        let report = report::report(store, record, subject(store, record)?, context.room)?;
        context.print(|output, out| output.shown(out, &report))?;
        if context.format == Format::Human {
            drawn::draw(store, record, &report, self.pictures, context)?;
        }
        if self.open { drawn::open(&report) } else { Ok(()) }
    }
}
