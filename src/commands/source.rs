//! Which pipeline a command means.

use std::path::{Path, PathBuf};

use hyper_flow_cache::Store;

use crate::commands::context::Context;
use crate::error::Failure;
use crate::pipeline::{self, Overrides, Pipeline};

/// The pipeline, its parameters, and what of it.
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
    /// As the pipeline language takes them.
    pub fn overrides(&self) -> Overrides {
        Overrides { set: self.set.clone(), params: self.params.clone() }
    }

    /// Reads and checks the pipeline.
    pub fn load(&self, path: &Path) -> Result<Pipeline, Failure> {
        pipeline::load(path, &self.overrides()).map_err(Failure::user)
    }
}

/// The pipeline file and the other words of a command line: the first word that ends in `.ron`, if it comes
/// first, is the file. Left out, it is the only one of the working directory, or else that of the last run.
pub fn split<'a>(words: &'a [String], context: &Context) -> Result<(PathBuf, &'a [String]), Failure> {
    match words.split_first() {
        Some((file, rest)) if file.ends_with(".ron") => Ok((PathBuf::from(file), rest)),
        _ => Ok((default(context)?, words)),
    }
}

fn default(context: &Context) -> Result<PathBuf, Failure> {
    let here = in_working_directory();
    if let [only] = here.as_slice() {
        return Ok(only.clone());
    }
    last_run(&context.open_store()?).ok_or_else(|| {
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
    crate::commands::runs::newest_first(store).into_iter().find_map(|run| run.pipeline.filter(|file| file.is_file()))
}
