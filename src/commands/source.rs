//! Which pipeline a command means.

use std::path::{Path, PathBuf};

use hyper_flow_cache::Store;

use crate::commands::context::Context;
use crate::commands::revisions;
use crate::error::Failure;
use crate::pipeline::suggest::quoted;
use crate::pipeline::{self, Overrides, Pipeline, PipelineErrors};
use crate::plan::{Classes, Plan, plan};
use crate::runs;

/// Changes to the pipeline file.
#[derive(Debug, Clone, clap::Args)]
pub struct Overriding {
    /// Sets a field of a node or a parameter: `--set tscd-4.steps=300`, `--set params.guidance=2.0`.
    #[arg(long, value_name = "NODE.FIELD=RON")]
    set: Vec<String>,
    /// A RON file `{"name": value, …}` of parameters.
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
}

impl Overriding {
    /// Reads and checks the pipeline.
    pub fn load(&self, path: &Path, context: &Context) -> Result<Pipeline, PipelineErrors> {
        let overrides =
            Overrides { set: self.set.clone(), params: self.params.clone(), store: Some(context.store.clone()) };
        pipeline::load(path, &overrides).map_err(revisions::with_commits)
    }

    /// As they stand on the command line.
    pub(crate) fn words(&self) -> Vec<String> {
        let set = self.set.iter().flat_map(|set| ["--set".to_owned(), set.clone()]);
        let params = self.params.iter().flat_map(|path| ["--params".to_owned(), path.to_string_lossy().into_owned()]);
        set.chain(params).collect()
    }
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
/// `.ron`. Left out, it is the only one of the working directory, or else that of the last run.
pub fn split<'a>(words: &'a [String], context: &Context) -> Result<(PathBuf, &'a [String]), Failure> {
    match words.split_first() {
        Some((file, rest)) if is_file(file) => Ok((PathBuf::from(file), rest)),
        _ => Ok((default(context)?, words)),
    }
}

/// As [`split`], for a command that wants exactly `names` after the file.
pub(crate) fn split_exactly<'a, const N: usize>(
    words: &'a [String],
    names: [&str; N],
    context: &Context,
) -> Result<(PathBuf, &'a [String; N]), Failure> {
    let rest = if words.first().is_some_and(|word| is_file(word)) { &words[1..] } else { words };
    let wanted = names.join(" ");
    let given = rest.try_into().map_err(|_| {
        let message = format!("{} given where [FILE] {wanted} is wanted", count(rest.len()));
        Failure::usage(message, "FILE is a pipeline, and its name ends in `.ron`")
    })?;
    Ok((split(words, context)?.0, given))
}

fn count(words: usize) -> String {
    match words {
        0 => "nothing is".to_owned(),
        1 => "one word is".to_owned(),
        many => format!("{many} words are"),
    }
}

fn is_file(word: &str) -> bool {
    word.ends_with(".ron")
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
        Failure::usage(message, "name it first, for example `hyper-flow plan pipelines/hello.ron`")
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
