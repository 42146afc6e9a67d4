//! `hyper-flow export`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow_cache::{Digest, ExportOptions, Record, Store, StoreError};
use hyper_flow_spec::Artifact;
use hyper_flow_spec::kinds::About;

use crate::commands::context::Context;
use crate::commands::header;
use crate::commands::one_rank;
use crate::commands::pins;
use crate::commands::source::{self, Loaded, Overriding};
use crate::commands::{again, artifact};
use crate::error::Failure;
use crate::output::report::Exported;
use crate::pipeline::of_lora;
use crate::plan::Provenance;

/// Copies a node's artifact out of the store
///
/// The files may be edited: they are copies, never links into the store. What an earlier export of the same
/// node put into DEST is brought up to date, and other files there are left alone; so several nodes can be
/// exported to one directory. A LoRA is called after its node: `unified.safetensors`. It has one rank and one
/// alpha in all modules, which all programs read alike: lower ranks are filled up with zeros. Its header tells what the
/// pipeline says of it: base, rank, step counts, guidance, the solver's grid, and the key of the node.
///
/// Only what the node's key produces is exported; a node that has to run is an error. `@NAME` is what was
/// pinned under that name.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "hyper-flow export [OPTIONS] [FILE] NODE DEST\n       hyper-flow export [OPTIONS] @NAME DEST"
)]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; the node; and the directory
    /// to copy to.
    #[arg(value_names = ["FILE", "NODE", "DEST"])]
    words: Vec<String>,
    /// Overwrite files that are not from an earlier export of this node, or were edited since.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    overriding: Overriding,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    if let [name, dest] = args.words.as_slice()
        && name.starts_with(pins::MARK)
    {
        let store = context.existing_store()?;
        let record = pins::find(name, &store)?;
        let output = Provenance::of(&record).map(|made| made.output);
        let what = What {
            name: pins::unmarked(name),
            by: format!("`{name}`"),
            output,
            record: &record,
            about: About::default(),
        };
        return export(args, &store, &what, dest, context);
    }
    let (file, [name, dest]) = source::split_exactly(&args.words, ["NODE", "DEST"], &args.overriding, context)?;
    if let Some(past) = args.overriding.past(&file, &context.look_into_store()?)? {
        let store = context.existing_store()?;
        let record = artifact::of_run(&past, name, &store, context)?;
        let output = Provenance::of(&record).map(|made| made.output);
        let by = format!("`{name}` of `{}`", past.asked.name);
        let pipeline = args.overriding.load(&file, context);
        let about = pipeline.map(|pipeline| of_lora(&pipeline.nodes, name)).unwrap_or_default();
        let what = What { name, by, output, record: &record, about };
        return export(args, &store, &what, dest, context);
    }
    let Loaded { pipeline, store, plan } = source::load_one(&file, name, &args.overriding, context)?;
    context.require(&store)?;
    let planned = &plan.nodes[plan.nodes.len() - 1];
    let record = planned
        .record
        .as_ref()
        .ok_or_else(|| artifact::missing(planned, &again::Again::of(&args.words, &args.overriding, context)))?;
    let (by, output) = (format!("`{name}` of `{}`", pipeline.name), pipeline.nodes[name].kind.output());
    let about = of_lora(&pipeline.nodes, name);
    export(args, &store, &What { name, by, output: Some(output), record, about }, dest, context)
}

/// What is exported.
struct What<'a> {
    name: &'a str,
    /// In whose name.
    by: String,
    output: Option<Artifact>,
    record: &'a Record,
    /// What its pipeline says of it.
    about: About,
}

fn export(args: &Args, store: &Store, what: &What<'_>, dest: &str, context: &Context) -> Result<(), Failure> {
    let dest = PathBuf::from(dest);
    let mut options = ExportOptions { force: args.force, by: what.by.clone(), ..ExportOptions::default() };
    if what.output == Some(Artifact::Lora) {
        options.names = names_of_lora(store, &what.record.artifact, what.name)?;
        let one_rank = one_rank::of_artifact(store, &what.record.artifact)?;
        options.instead = header::describe(store, &what.record.artifact, &what.about, &what.record.key, one_rank)?;
    }
    let done = store.export(&what.record.artifact, &dest, &options).map_err(failure)?;
    let node = what.name.to_owned();
    let report = Exported { node, dest, written: done.written, unchanged: done.unchanged, removed: done.removed };
    context.print(|output, out| output.exported(out, &report))
}

/// Programs keep all LoRAs in one folder, so that each needs a name of its own, and so do the files beside it.
fn names_of_lora(store: &Store, artifact: &Digest, node: &str) -> Result<BTreeMap<String, String>, StoreError> {
    let node = file_stem(node);
    let name = |path: &str| match path.strip_prefix("lora.") {
        Some(end) => format!("{node}.{end}"),
        None => format!("{node}.{path}"),
    };
    Ok(store.tree(artifact)?.entries().iter().map(|entry| (entry.path.clone(), name(&entry.path))).collect())
}

/// The name of a node as that of a file on any system: where it had to be changed, some digits keep it apart from
/// others.
fn file_stem(node: &str) -> String {
    let allowed = |c: char| !c.is_control() && !r#"/\:*?"<>|"#.contains(c);
    let safe: String = node.chars().take(50).map(|c| if allowed(c) { c } else { '_' }).collect();
    let safe = safe.trim_matches(['.', ' ']);
    if safe == node && !node.is_empty() {
        node.to_owned()
    } else {
        format!("{safe}-{}", Digest::of(node.as_bytes()).short())
    }
}

/// A destination that holds something else is the user's to decide about, not a failure of the store.
fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Foreign { .. } => {
            Failure::usage(error.to_string(), "move them, name another directory, or overwrite them with `--force`")
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_and_others_become_safe() {
        for name in ["unified", "tscd@1", "Bär 2", "a.b_c"] {
            assert_eq!(file_stem(name), name);
        }
        let long = "x".repeat(300);
        let odd = ["../etc/passwd", "a/b", "a_b/", ".hidden", "a:b", "", "tab\t", long.as_str()];
        let mut safe: Vec<String> = odd.into_iter().map(file_stem).collect();
        let good = |name: &String| !name.contains(['/', '\t', ':']) && !name.starts_with('.') && name.len() < 100;
        assert!(safe.iter().all(good), "{safe:?}");
        safe.sort();
        safe.dedup();
        assert_eq!(safe.len(), odd.len(), "none like another");
    }
}
