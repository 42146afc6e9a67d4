//! Which pipeline a command means.

use std::path::{Path, PathBuf};

use hyper_flow_cache::Store;
use miette::Diagnostic;

use crate::commands::again;
use crate::commands::context::Context;
use crate::commands::revisions;
use crate::error::Failure;
use crate::pipeline::suggest::quoted;
use crate::pipeline::{self, Overrides, Pipeline, PipelineErrors};
use crate::plan::{Classes, Plan, plan};
use crate::runs::{self, Origin, Past, Run};

/// Changes to the pipeline file, or a run to take it from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overriding {
    /// Sets a field of a node or a parameter: `--set tscd-4.steps=300`, `--set params.guidance=2.0`.
    #[arg(long, value_name = "NODE.FIELD=RON")]
    set: Vec<String>,
    /// A RON file `{"name": value, …}` of parameters.
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
    /// The pipeline as it was in a run, with the changes of then: an id that `hyper-flow runs` lists, or its beginning
    /// or end; `last` is the pipeline's last run, `last~1` the one before.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["set", "params"])]
    run: Option<String>,
}

impl Overriding {
    /// The file of parameters.
    pub(crate) fn params(&self) -> Option<&Path> {
        self.params.as_deref()
    }

    /// Reads and checks the pipeline.
    pub fn load(&self, path: &Path, context: &Context) -> Result<Pipeline, PipelineErrors> {
        let pipeline = match &self.run {
            Some(word) => {
                let gone = |why: String, help: Option<String>| PipelineErrors::whole(path, why, help);
                let store = Store::open_existing(&context.store).map_err(|error| gone(error.to_string(), None))?;
                let run = runs::find(&store, Some(&Origin::of(path, &store)), word)
                    .map_err(|error| gone(error.to_string(), error.help().map(|help| help.to_string())))?;
                let past = Past::of(&run).ok_or_else(|| gone(undescribed(&run), None))?;
                past.pipeline(path, &context.store)
            }
            None => {
                let (set, params) = (self.set.clone(), self.params.clone());
                pipeline::load(path, &Overrides { set, params, store: Some(context.store.clone()) })
            }
        };
        pipeline.map_err(revisions::with_commits)
    }

    /// The run that is to be looked into, of this pipeline; none if it is what the file says now that is meant.
    pub(crate) fn past(&self, file: &Path, store: &Store) -> Result<Option<Past>, Failure> {
        let Some(word) = &self.run else { return Ok(None) };
        let run = runs::find(store, Some(&Origin::of(file, store)), word).map_err(Failure::user)?;
        Past::of(&run).map(Some).ok_or_else(|| no_description(&run))
    }

    /// As they stand on the command line.
    pub(crate) fn words(&self) -> Vec<String> {
        let named = |name: &str, value: String| [name.to_owned(), value];
        let set = self.set.iter().map(|set| named("--set", set.clone()));
        let params = self.params.iter().map(|path| named("--params", again::text(path)));
        let run = self.run.iter().map(|run| named("--run", run.clone()));
        set.chain(params).chain(run).flatten().collect()
    }
}

fn undescribed(run: &Run) -> String {
    format!("run `{}` does not say what was run: its `run.json` is damaged", run.id())
}

fn no_description(run: &Run) -> Failure {
    Failure::usage(undescribed(run), "name another run")
}

/// A pipeline, planned.
pub(crate) struct Loaded {
    pub(crate) pipeline: Pipeline,
    pub(crate) store: Store,
    pub(crate) plan: Plan,
}

/// Reads a pipeline and plans the targets and their ancestors.
pub(crate) fn load(
    file: &Path,
    targets: &[String],
    overriding: &Overriding,
    context: &Context,
) -> Result<Loaded, Failure> {
    let pipeline = overriding.load(file, context).map_err(Failure::user)?;
    let store = context.look_into_store()?;
    let classes = Classes::of(&pipeline, &store)?;
    let plan = plan(&pipeline, &store, targets, classes)?;
    Ok(Loaded { pipeline, store, plan })
}

/// As [`load`], for a command about one node: it is the last of the plan.
pub(crate) fn load_one(
    file: &Path,
    node: &String,
    overriding: &Overriding,
    context: &Context,
) -> Result<Loaded, Failure> {
    let loaded = load(file, std::slice::from_ref(node), overriding, context)?;
    match loaded.pipeline.swept.get(node) {
        Some(nodes) => {
            let message = format!("`{node}` is the name of {} nodes", nodes.len());
            Err(Failure::usage(message, format!("name one: {}", quoted(nodes.iter().map(String::as_str).take(12)))))
        }
        None => Ok(loaded),
    }
}

/// The pipeline file and the other words of a command line: the first word is the file if it ends in
/// `.ron`. Left out, it is that of `--run`, the only one of the working directory, or else that of the last run.
pub fn split<'a>(
    words: &'a [String],
    overriding: &Overriding,
    context: &Context,
) -> Result<(PathBuf, &'a [String]), Failure> {
    let file = match (file_of(words), &overriding.run) {
        (Some(file), _) => PathBuf::from(file),
        (None, Some(run)) if !runs::is_by_age(run) => of_run(run, &context.look_into_store()?)?,
        (None, _) => default(context)?,
    };
    if overriding.run.is_some() {
        overriding.past(&file, &context.look_into_store()?)?;
    }
    Ok((file, if file_of(words).is_some() { &words[1..] } else { words }))
}

/// As [`split`], for a command that wants exactly `names` after the file.
pub(crate) fn split_exactly<'a, const N: usize>(
    words: &'a [String],
    names: [&str; N],
    overriding: &Overriding,
    context: &Context,
) -> Result<(PathBuf, &'a [String; N]), Failure> {
    let rest = if file_of(words).is_some() { &words[1..] } else { words };
    let wanted = names.join(" ");
    let given = rest.try_into().map_err(|_| {
        let message = format!("{} given where [FILE] {wanted} is wanted", count(rest.len()));
        Failure::usage(message, "FILE is a pipeline, and its name ends in `.ron`")
    })?;
    Ok((split(words, overriding, context)?.0, given))
}

/// The word that names the pipeline, if there is one.
pub(super) fn file_of(words: &[String]) -> Option<&String> {
    words.first().filter(|word| word.ends_with(".ron"))
}

/// Where the pipeline of a run is now, or was.
fn of_run(run: &str, store: &Store) -> Result<PathBuf, Failure> {
    let run = runs::find(store, None, run).map_err(Failure::user)?;
    let origin = run.origin().ok_or_else(|| no_description(&run))?;
    Ok(origin.find(store).unwrap_or_else(|| origin.path().to_owned()))
}

/// For a command that takes any number of pipelines: those that are named, or else the one that is meant.
pub(crate) fn files(words: &[String], context: &Context) -> Result<Vec<PathBuf>, Failure> {
    match words.iter().find(|word| !word.ends_with(".ron")) {
        Some(word) => {
            let message = format!("`{word}` is no pipeline file");
            Err(Failure::usage(message, "the name of a pipeline ends in `.ron`"))
        }
        None if words.is_empty() => Ok(vec![default(context)?]),
        None => Ok(words.iter().map(PathBuf::from).collect()),
    }
}

fn count(words: usize) -> String {
    match words {
        0 => "nothing is".to_owned(),
        1 => "one word is".to_owned(),
        many => format!("{many} words are"),
    }
}

fn default(context: &Context) -> Result<PathBuf, Failure> {
    let here = in_working_directory();
    if let [only] = here.as_slice() {
        return Ok(only.clone());
    }
    last_run(&context.look_into_store()?).ok_or_else(|| {
        let message = match here.len() {
            0 => "no pipeline file is named, and there was no run to take it from".to_owned(),
            many => format!("no pipeline file is named, and there are {many} in this directory"),
        };
        Failure::usage(
            message,
            format!("name it first, for example `{}`", again::command(context, "plan", &["pipelines/hello.ron"])),
        )
    })
}

fn in_working_directory() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(".").into_iter().flatten().flatten();
    let names = entries.map(|entry| PathBuf::from(entry.file_name()));
    names.filter(|name| name.extension().is_some_and(|end| end == "ron") && name.is_file()).collect()
}

/// The pipeline file of the newest run that says so, if it is still there.
fn last_run(store: &Store) -> Option<PathBuf> {
    runs::newest_first(store).into_iter().find_map(|run| run.origin()?.find(store))
}
