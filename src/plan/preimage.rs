//! Everything that determines an artifact, in one form.

use std::collections::BTreeMap;

use hyper_flow_cache::{Digest, Key};
use hyper_flow_spec::Kind;
use serde::Serialize;
use serde_json::Value;

use super::environment;
use crate::pipeline::{Node, Pipeline};

/// Changes when the encoding of all keys does.
const FORMAT: u32 = 1;

/// Everything that determines a node's artifact. Its canonical bytes (JSON without white space, all names
/// sorted, absent things left out) are what the key is derived from, and what the store keeps beside the
/// record, so that two of them can be compared.
///
/// Not in it: names of nodes, paths, how a node is run (device, threads, memory, retries), where the store
/// is. Golden keys in the tests fail when the encoding changes by accident.
#[derive(Debug, Clone, Serialize)]
pub struct Preimage {
    // In order of name, as every map in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, Digest>,
    format: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    inputs: BTreeMap<String, Digest>,
    kind: &'static str,
    params: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    version: u32,
}

impl Preimage {
    /// Of a node whose inputs and files have these digests, by port, and (only where the pipeline asks for
    /// exact reproducibility) that runs on this class of device.
    pub fn new(
        pipeline: &Pipeline,
        node: &Node,
        inputs: &BTreeMap<String, Digest>,
        files: &BTreeMap<String, Digest>,
        class: Option<&str>,
    ) -> Preimage {
        Preimage {
            class: class.map(str::to_owned),
            env: environment::of(&node.kind),
            files: files.clone(),
            format: FORMAT,
            inputs: inputs.clone(),
            kind: node.kind.name(),
            params: node.kind.value().to_key(),
            seed: seed(pipeline, node),
            version: node.kind.version(),
        }
    }

    /// The canonical encoding.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a preimage has only text for names")
    }

    /// The key that is derived from the canonical encoding.
    pub fn key(&self) -> Key {
        Key::derive(&self.bytes())
    }
}

/// A `Command` never sees the seed, so that it does not belong in its key.
fn seed(pipeline: &Pipeline, node: &Node) -> Option<u64> {
    match node.kind {
        Kind::Command(_) => None,
        _ => Some(node.settings.seed.unwrap_or(pipeline.seed)),
    }
}
