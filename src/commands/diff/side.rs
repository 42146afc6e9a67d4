//! What is on one side of a comparison.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Digest, Key, Record, Store, StoreError};

use crate::commands::context::Context;
use crate::commands::source::{self, Overriding};
use crate::error::Failure;
use crate::pipeline::Pipeline;
use crate::pipeline::suggest::instead;
use crate::plan::Preimage;
use crate::runs::{self, Origin, Past, PastNode};

/// A run, or one node of it or of the pipeline.
pub(super) struct Side {
    /// What it is called.
    pub(super) label: String,
    /// The run, if it is of one.
    pub(super) run: Option<Past>,
    /// Its nodes, in an order in which they can run.
    pub(super) nodes: Vec<SideNode>,
    /// Whether it is one node, which is compared with one of any name.
    pub(super) is_node: bool,
}

/// A node on one side.
pub(super) struct SideNode {
    pub(super) name: String,
    pub(super) key: Option<Key>,
    pub(super) artifact: Option<Digest>,
    /// What determines its artifact; without the inputs where those never came to be known.
    pub(super) preimage: Option<Vec<u8>>,
    /// The last losses and other numbers that it told.
    pub(super) numbers: BTreeMap<String, f64>,
    /// The directory of its run.
    pub(super) directory: Option<PathBuf>,
}

impl Side {
    pub(super) fn of(
        word: &str,
        pipeline: (&Path, &Overriding),
        store: &Store,
        context: &Context,
    ) -> Result<Side, Failure> {
        let origin = Origin::of(pipeline.0, store);
        let past = |word: &str| {
            let of = runs::is_by_age(word).then_some(&origin);
            runs::find(store, of, word).ok().and_then(|run| Past::of(&run))
        };
        if let Some(past) = past(word) {
            return Ok(Side::of_run(past, store)?);
        }
        if let Some((node, past)) = word.rsplit_once('@').and_then(|(node, run)| Some((node, past(run)?))) {
            return Side::of_node(node, past, store);
        }
        Side::of_pipeline(word, pipeline, context)
    }

    fn of_run(past: Past, store: &Store) -> Result<Side, StoreError> {
        let pipeline = past.pipeline(past.asked.origin.path(), store.root()).ok();
        let nodes = past.course.nodes.iter().map(|node| of_past(node, &past, pipeline.as_ref(), store));
        let nodes = nodes.collect::<Result<_, _>>()?;
        Ok(Side { label: past.id.clone(), nodes, is_node: false, run: Some(past) })
    }

    fn of_node(node: &str, past: Past, store: &Store) -> Result<Side, Failure> {
        let mut side = Side::of_run(past, store)?;
        let names: Vec<String> = side.nodes.iter().map(|node| node.name.clone()).collect();
        side.nodes.retain(|found| found.name == node);
        if side.nodes.is_empty() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let message = format!("run `{}` has no node `{node}`", side.label);
            return Err(Failure::usage(message, instead(node, &names, "nodes that it had")));
        }
        Ok(Side { label: format!("{node}@{}", side.label), is_node: true, ..side })
    }

    /// A node as the pipeline is now.
    fn of_pipeline(word: &str, (file, overriding): (&Path, &Overriding), context: &Context) -> Result<Side, Failure> {
        let loaded = source::load_one(file, &word.to_owned(), overriding, context)?;
        let node = &loaded.pipeline.nodes[word];
        let planned = &loaded.plan.nodes[loaded.plan.nodes.len() - 1];
        let inputs = loaded.plan.inputs(node).unwrap_or_default();
        let side = SideNode {
            name: word.to_owned(),
            key: planned.key,
            artifact: planned.record.as_ref().map(|record| record.artifact),
            preimage: Some(loaded.plan.preimage(&loaded.pipeline, node, &inputs).bytes()),
            numbers: planned.record.as_ref().map(measured).unwrap_or_default(),
            directory: None,
        };
        let label = format!("{word} of {}, as it is now", loaded.pipeline.name);
        Ok(Side { label, run: None, nodes: vec![side], is_node: true })
    }
}

fn of_past(node: &PastNode, past: &Past, pipeline: Option<&Pipeline>, store: &Store) -> Result<SideNode, StoreError> {
    let record = node.key.map(|key| store.record(&key)).transpose()?.flatten();
    let kept = node.key.map(|key| store.preimage(&key)).transpose()?.flatten();
    let parsed = || {
        let pipeline = pipeline?;
        let node = pipeline.nodes.get(&node.name)?;
        Some(Preimage::new(pipeline, node, &BTreeMap::new(), &BTreeMap::new(), None).bytes())
    };
    let mut numbers = record.as_ref().map(measured).unwrap_or_default();
    numbers.extend(node.metrics.clone());
    numbers.extend(node.losses.iter().map(|(name, loss)| (format!("loss {name}"), *loss)));
    Ok(SideNode {
        name: node.name.clone(),
        key: node.key,
        artifact: node.artifact.or(record.map(|record| record.artifact)),
        preimage: kept.or_else(parsed),
        numbers,
        directory: Some(past.directory.clone()),
    })
}

/// What the worker measured, as the record has it.
fn measured(record: &Record) -> BTreeMap<String, f64> {
    serde_json::from_value(record.meta.value()["metrics"].clone()).unwrap_or_default()
}
