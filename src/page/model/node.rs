//! A node as the page shows it.

use std::collections::BTreeMap;

use hyper_flow_cache::{Key, Store, StoreError};
use hyper_flow_spec::{Artifact, Kind, Leaf, Memory, Value};
use serde::Serialize;
use serde_json::Value as Json;

use super::curve::Curve;
use super::told::{NodeState, Said};
use crate::pipeline::{KindDescription, Node as Planned, Pipeline, Settings};
use crate::plan::{Provenance, ron};

/// A node: what it is, what became of it in the run, and how its artifact was made.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Where its pictures are, among those of a run.
    pub folder: String,
    /// Its kind.
    pub kind: String,
    /// The type of its artifact.
    pub output: String,
    /// The version of what the kind computes.
    pub version: u64,
    /// The seed of its random numbers; none for a `Command`.
    pub seed: Option<u64>,
    /// Port and node of each artifact that it takes.
    pub inputs: Vec<[String; 2]>,
    /// Port and name of each file or folder that it reads.
    pub files: Vec<[String; 2]>,
    /// The digests of these files, by port.
    pub digests: BTreeMap<String, String>,
    /// Its parameters, in the order of the kind's documentation.
    pub params: Vec<Param>,
    /// How it was run, where the pipeline says so.
    pub settings: Vec<[String; 2]>,
    /// What became of it.
    pub state: NodeState,
    /// Its key.
    pub key: Option<Key>,
    /// When it began, as RFC 3339.
    pub started: Option<String>,
    /// When it ended, as RFC 3339.
    pub ended: Option<String>,
    /// Why it ran.
    pub reason: Option<String>,
    /// How often it was tried.
    pub attempts: u64,
    /// The step it came to, and of how many.
    pub step: Option<[u64; 2]>,
    /// The step that its last checkpoint has.
    pub checkpoint: Option<u64>,
    /// Why it failed or was not started.
    pub message: Option<String>,
    /// The end of what it printed when it failed.
    pub printed: Option<String>,
    /// What was said of it.
    pub said: Vec<Said>,
    /// Numbers that it reported.
    pub metrics: BTreeMap<String, f64>,
    /// Its training.
    pub curve: Curve,
    /// How its artifact was made.
    pub made: Option<Made>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Param {
    /// The field of the kind.
    pub name: String,
    /// Its value, as a pipeline file has it.
    pub value: String,
    /// Whether that is the default.
    pub default: bool,
}

/// An artifact, and how it was made.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// The digest of its content.
    pub artifact: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its files and their sizes, as many as are shown.
    pub files: Vec<(String, u64)>,
    /// How many files it has.
    pub count: u64,
    /// The run that made it.
    pub run: String,
    /// The name that its node had then.
    pub node: String,
    /// The pipeline that its node was in then.
    pub pipeline: String,
    /// The class of the device.
    pub device: Option<String>,
    /// The version of libtorch.
    pub libtorch: Option<String>,
    /// The version of the worker.
    pub worker: String,
    /// Threads that it had.
    pub threads: usize,
    /// How long it took.
    pub seconds: f64,
    /// The most memory that it had.
    pub memory: Option<Memory>,
    /// What the worker had to say.
    pub told: Vec<String>,
    /// When, in seconds since 1970.
    pub finished: u64,
}

/// What is said of a kind and its fields.
#[derive(Debug, Clone, Serialize)]
pub struct KindWords {
    /// What it does, in a sentence.
    pub doc: String,
    /// What each field is for.
    pub fields: BTreeMap<String, String>,
}

/// Of more files than this no names are told.
const FILES: usize = 40;

impl Node {
    /// As the pipeline has it.
    pub(super) fn planned(pipeline: &Pipeline, node: &Planned) -> Node {
        let value = node.kind.value();
        let leaves = value.leaves();
        let files = leaves.into_iter().filter_map(|(port, leaf)| match leaf {
            Leaf::File(path) => Some([port, path.clone()]),
            Leaf::Node { .. } => None,
        });
        let seed = (!matches!(node.kind, Kind::Command(_))).then(|| node.settings.seed.unwrap_or(pipeline.seed));
        Node {
            name: node.name.clone(),
            kind: node.kind.name().to_owned(),
            output: node.kind.output().to_string(),
            version: node.kind.version().into(),
            seed,
            inputs: node.inputs.iter().map(|(port, from)| [port.clone(), from.clone()]).collect(),
            files: files.collect(),
            params: params(node.kind.name(), &value),
            settings: settings(&node.settings),
            ..Node::default()
        }
    }

    /// As the store knows it, where the pipeline cannot be read any more; `name_of` gives the nodes behind keys.
    pub(super) fn recorded(name: &str, key: Key, store: &Store, names: &BTreeMap<Key, String>) -> Node {
        let mut node = Node { name: name.to_owned(), ..Node::default() };
        let record = store.record(&key).ok().flatten();
        if let Some(made) = record.as_ref().and_then(Provenance::of) {
            let known = |(port, key): (String, Key)| Some([port, names.get(&key)?.clone()]);
            node.inputs = made.inputs.into_iter().filter_map(known).collect();
            node.output = made.output.to_string();
        }
        let preimage = preimage(store, &key);
        node.kind = preimage["kind"].as_str().unwrap_or_default().to_owned();
        node.version = preimage["version"].as_u64().unwrap_or_default();
        node.seed = preimage["seed"].as_u64();
        let fields = preimage["params"].as_object().into_iter().flatten();
        let param =
            |(name, value): (&String, &Json)| Param { name: name.clone(), value: ron(Some(value)), default: false };
        node.params = fields.map(param).collect();
        node
    }

    /// Adds what the store knows of its key.
    pub(super) fn with_record(&mut self, key: Key, store: &Store) {
        self.key = Some(key);
        let files = preimage(store, &key)["files"].as_object().cloned().unwrap_or_default();
        self.digests = files.into_iter().filter_map(|(port, file)| Some((port, file.as_str()?.to_owned()))).collect();
        self.made = made(store, &key).ok().flatten();
    }

    /// Whether its artifact is of this type.
    pub(super) fn yields(&self, artifact: Artifact) -> bool {
        self.output == artifact.to_string()
    }

    /// A parameter as it is written.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|param| param.name == name).map(|param| param.value.as_str())
    }

    /// The node at a port.
    pub(super) fn input(&self, port: &str) -> Option<&str> {
        self.inputs.iter().find(|[own, _]| own == port).map(|[_, node]| node.as_str())
    }
}

fn preimage(store: &Store, key: &Key) -> Json {
    let bytes = store.preimage(key).ok().flatten().unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn made(store: &Store, key: &Key) -> Result<Option<Made>, StoreError> {
    let Some(record) = store.record(key)? else { return Ok(None) };
    let Some(made) = Provenance::of(&record) else { return Ok(None) };
    let files = store
        .tree(&record.artifact)
        .map(|tree| tree.entries().iter().take(FILES).map(|entry| (entry.path.clone(), entry.size)).collect());
    Ok(Some(Made {
        artifact: record.artifact.to_string(),
        bytes: record.bytes,
        files: files.unwrap_or_default(),
        count: record.files,
        run: made.run,
        node: made.node,
        pipeline: made.pipeline,
        device: made.device,
        libtorch: made.libtorch,
        worker: made.worker,
        threads: made.threads,
        seconds: made.seconds,
        memory: made.memory,
        told: made.told,
        finished: made.finished,
    }))
}

/// Every field of a kind, with what it is here.
fn params(kind: &str, value: &Value) -> Vec<Param> {
    let (Some(kind), Value::Map(given)) = (KindDescription::of(kind), value) else { return Vec::new() };
    let param = |field: &crate::pipeline::Field| {
        let default = kind.params.default(field);
        let (value, is_default) = match given.get(&field.name) {
            Some(Value::Null) | None => (default.clone().unwrap_or_else(|| "None".to_owned()), true),
            Some(value) => (written(value), field.default.as_ref() == Some(&json(value))),
        };
        Param { name: field.name.clone(), value, default: is_default }
    };
    kind.params.fields.iter().map(param).collect()
}

/// A value as a pipeline file has it.
fn written(value: &Value) -> String {
    let list = |items: &[Value]| items.iter().map(written).collect::<Vec<_>>().join(", ");
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Threshold(value) => written(value),
        Value::Str(text) | Value::Leaf(Leaf::Node { name: text, .. } | Leaf::File(text)) => format!("{text:?}"),
        Value::Seq(items) => format!("[{}]", list(items)),
        Value::Map(fields) => {
            let plain = |name: &String| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let structure = !fields.is_empty()
                && fields.keys().all(plain)
                && fields.values().all(|value| !matches!(value, Value::Leaf(_)));
            let (open, close) = if structure { ("(", ")") } else { ("{", "}") };
            let name = |name: &String| if structure { name.clone() } else { format!("{name:?}") };
            let fields = fields.iter().map(|(field, value)| format!("{}: {}", name(field), written(value)));
            format!("{open}{}{close}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Variant(name, payload) => match written(payload) {
            none if none == "None" => name.clone(),
            fields if fields.starts_with('(') => format!("{name}{fields}"),
            one => format!("{name}({one})"),
        },
    }
}

/// As the schema has defaults.
fn json(value: &Value) -> Json {
    match value {
        Value::Leaf(Leaf::Node { name, .. } | Leaf::File(name)) => Json::from(name.as_str()),
        other => other.to_job(),
    }
}

/// What differs from how nodes are run by default.
fn settings(settings: &Settings) -> Vec<[String; 2]> {
    let usual = Settings::default();
    let mut told = Vec::new();
    let mut tell = |name: &str, value: String| told.push([name.to_owned(), value]);
    if settings.device != usual.device {
        tell("device", format!("{:?}", settings.device));
    }
    settings.threads.into_iter().for_each(|threads| tell("threads", threads.to_string()));
    settings.memory.into_iter().for_each(|bytes| tell("memory", format!("{} MiB", bytes >> 20)));
    settings.gpus.into_iter().for_each(|gpus| tell("gpus", gpus.to_string()));
    settings.timeout.into_iter().for_each(|time| tell("timeout", format!("{} s", time.as_secs())));
    if settings.retries != usual.retries {
        tell("retries", settings.retries.to_string());
    }
    if settings.sample_every != usual.sample_every {
        tell("sample_every", settings.sample_every.to_string());
    }
    if settings.checkpoint_seconds != usual.checkpoint_seconds {
        tell("checkpoint_every", format!("{} s", settings.checkpoint_seconds));
    }
    told
}

impl KindWords {
    /// Of a kind that there is.
    pub(super) fn of(kind: &str) -> Option<KindWords> {
        let kind = KindDescription::of(kind)?;
        let fields = kind.params.fields.iter().map(|field| (field.name.clone(), field.doc.clone())).collect();
        Some(KindWords { doc: kind.params.summary(), fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_marked_and_values_written_as_in_a_file() {
        let text = r#"Pipeline(name: "p", nodes: {
            "t": Diffusers(path: "."),
            "s": Sample(model: "t", prompts: ["a \"b\""], steps: 4, sampler: Tcd(0.5)),
        })"#;
        let folder = tempfile::tempdir().unwrap();
        let pipeline = Pipeline::parse(text, &folder.path().join("p.ron"), &Default::default()).unwrap();
        let node = Node::planned(&pipeline, &pipeline.nodes["s"]);
        let told =
            |name: &str| node.params.iter().find(|param| param.name == name).map(|p| (p.value.as_str(), p.default));
        assert_eq!(told("prompts"), Some((r#"["a \"b\""]"#, false)));
        assert_eq!(told("sampler"), Some(("Tcd(0.5)", false)));
        assert_eq!(told("guidance"), Some(("1", true)));
        assert_eq!(told("lora"), Some(("None", true)));
        assert_eq!((node.input("model"), node.kind.as_str()), (Some("t"), "Sample"));
    }
}
