//! What a pipeline file holds, as types: for the typed parse of its plain fields, and for the JSON Schema.

use std::collections::BTreeMap;

use hyper_flow_spec::{Amount, Count, Device, Kind, Positive};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::model::Settings;
use super::units::{Memory, Time};

/// A pipeline: named nodes, each of a kind.
///
/// References between nodes are by name. `Param("x")` may stand for any value in `nodes` and `settings`, and
/// is replaced by the value of `x` in `params`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Pipeline")]
#[expect(dead_code, reason = "describes the file for schemars; nodes are read one by one")]
pub(super) struct File {
    /// The name of the pipeline, under which its results are remembered.
    name: String,
    /// The seed of every node whose `settings` give none.
    #[schemars(default)]
    seed: u64,
    /// Values that `Param("name")` stands for, by name.
    #[schemars(default)]
    params: BTreeMap<String, Value>,
    /// Axes to sweep, by name: `{"seed": [1, 2, 3], "guidance": {"low": 1.5, "high": 7.5}}`.
    ///
    /// A node with `{seed}` in its name is one node for each value; in it `{seed}` in any text, and `Param("seed")`, is
    /// its value. Elsewhere an item of a list, or an entry of a map, with `{seed}` in it (or in the entry's key) stands
    /// for all of them. The axis `seed` is also the seed of the nodes that it names.
    #[schemars(default)]
    matrix: BTreeMap<String, Axis>,
    /// The nodes, by name.
    nodes: BTreeMap<String, Kind>,
    /// How nodes are run, by the name of the node; `"*"` holds for all nodes.
    #[schemars(default)]
    settings: BTreeMap<String, NodeSettings>,
    /// What may change the bytes of a result without running its node again.
    #[schemars(default)]
    reproducibility: Reproducibility,
}

/// The values of an axis.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "describes the file for schemars")]
enum Axis {
    /// Values that are their own names: numbers, texts and names.
    Values(Vec<Value>),
    /// Values by the names that they have in names of nodes.
    Named(BTreeMap<String, Value>),
}

/// The JSON Schema of a pipeline file, with all kinds in it.
pub fn json_schema() -> Value {
    schemars::schema_for!(File).to_value()
}

/// The plain fields of a [`File`].
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) name: String,
    #[serde(default)]
    pub(super) seed: u64,
    #[serde(default)]
    pub(super) reproducibility: Reproducibility,
}

/// What a key says of where its node ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
pub(super) enum Reproducibility {
    /// Nothing: what another machine computed is taken as it is.
    #[default]
    Any,
    /// The class of the device: only what an equal CPU or GPU, thread count and libtorch computed is taken.
    Exact,
}

/// How a node is run. Only the seed changes what it computes.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NodeSettings {
    /// The seed; the pipeline's when absent.
    seed: Option<u64>,
    /// Where it computes: `Auto` takes a GPU if there is one.
    device: Option<Device>,
    /// Threads it computes with; the machine's cores when absent.
    threads: Option<Count>,
    /// Memory that it needs: nodes that do not fit beside each other wait.
    memory: Option<Memory>,
    /// GPUs that it needs.
    gpus: Option<u32>,
    /// How often it is tried again after a failure.
    retries: Option<u32>,
    /// How long it may take, before it is stopped and has failed.
    timeout: Option<Time>,
    /// Training steps between samples in the run's log; 0 draws none.
    sample_every: Option<Amount>,
    /// Seconds between checkpoints of a training, or of another node that keeps some.
    checkpoint_seconds: Option<Positive>,
}

/// The setting that only a training obeys.
pub(super) const OF_TRAINING: &str = "sample_every";
/// The setting that only nodes with checkpoints obey.
pub(super) const OF_CHECKPOINTS: &str = "checkpoint_seconds";

impl NodeSettings {
    /// These settings, with this seed if they have none.
    pub(super) fn or_seed(mut self, seed: Option<u64>) -> Self {
        self.seed = self.seed.or(seed);
        self
    }

    /// These settings, and those of `defaults` where they are silent.
    pub(super) fn or(&self, defaults: &NodeSettings) -> Settings {
        let standard = Settings::default();
        let whole = |number: i64| number.unsigned_abs();
        Settings {
            seed: self.seed.or(defaults.seed),
            device: self.device.or(defaults.device).unwrap_or(standard.device),
            threads: self.threads.or(defaults.threads).map(|threads| threads.index()),
            memory: self.memory.or(defaults.memory).map(|memory| memory.0),
            gpus: self.gpus.or(defaults.gpus),
            retries: self.retries.or(defaults.retries).unwrap_or(standard.retries),
            timeout: self.timeout.or(defaults.timeout).map(|time| time.0),
            sample_every: self
                .sample_every
                .or(defaults.sample_every)
                .map_or(standard.sample_every, |steps| whole(steps.get())),
            checkpoint_seconds: self
                .checkpoint_seconds
                .or(defaults.checkpoint_seconds)
                .map_or(standard.checkpoint_seconds, Positive::get),
        }
    }
}
