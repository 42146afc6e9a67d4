//! All of one run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use hyper_flow_cache::{Key, Store};
use serde::Serialize;

use super::cite::{Licence, Paper, licences, papers};
use super::node::{KindWords, Node};
use super::pictures::{Drawn, Grid, Training};
use super::results::Results;
use super::told::{NodeState, NodeTold, Told};
use crate::pipeline::{Pipeline, PipelineErrors};
use crate::run::file_name;
use crate::runs::{self, Ending, Past, Run, Seen, Use, read_outline};

/// What a page shows of a run.
#[derive(Debug, Clone, Serialize)]
pub struct RunPage {
    /// The run's id.
    pub id: String,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The name of its file.
    pub file: String,
    /// What was said on the command line.
    pub arguments: Vec<String>,
    /// What it set in the file.
    pub set: Vec<String>,
    /// The nodes that were asked for; all if none.
    pub targets: Vec<String>,
    /// What became of it.
    pub state: Ending,
    /// When it began, as RFC 3339.
    pub started: String,
    /// When the last thing happened in it.
    pub last: Option<String>,
    /// The version of the engine.
    pub version: String,
    /// What cannot be told, and why.
    pub notes: Vec<String>,
    /// What was probably not meant.
    pub warnings: Vec<String>,
    /// Its nodes, each after those that it needs.
    pub nodes: Vec<Node>,
    /// Nodes that are one in the pipeline file.
    pub groups: Vec<Group>,
    /// What the kinds and their fields are for.
    pub kinds: BTreeMap<String, KindWords>,
    /// What was measured.
    pub results: Vec<Results>,
    /// Pictures of evaluations.
    pub grids: Vec<Grid>,
    /// Pictures of samples.
    pub drawn: Vec<Drawn>,
    /// Pictures of trainings.
    pub training: Vec<Training>,
    /// What to cite.
    pub papers: Vec<Paper>,
    /// What the data says of its licence.
    pub licences: Vec<Licence>,
    /// How far the log was read: what comes after it is told as it happens.
    pub read: u64,
}

/// What is new of a node that has just ended: its artifact, and what that holds.
#[derive(Debug, Clone, Serialize)]
pub struct NodePage {
    /// The node, without what the log says of it.
    pub node: Node,
    /// What it measured.
    pub results: Option<Results>,
    /// The picture of an evaluation.
    pub grid: Option<Grid>,
    /// The pictures of a `Sample`.
    pub drawn: Option<Drawn>,
}

impl NodePage {
    /// Of a node of a run; `None` if there is no such.
    pub(crate) fn of(run: &Run, name: &str, store: &Store) -> Option<NodePage> {
        let uses = uses(run);
        let mut node = match recalled(&Past::of(run)?, store) {
            Ok(pipeline) => Node::planned(&pipeline, pipeline.nodes.get(name)?),
            Err(_) => recorded(run, &uses, store).into_iter().find(|node| node.name == name)?,
        };
        if let Some(used) = uses.iter().rev().find(|used| used.node == name) {
            node.with_record(used.key, store);
        }
        let (results, grid, drawn) = (Results::of(&node, store), Grid::of(&node, store), Drawn::of(&node, store));
        Some(NodePage { node, results, grid, drawn })
    }
}

/// A node with axes of `matrix` in its name, and the nodes that it stands for.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Its name in the file: `tscd@{seed}`.
    pub name: String,
    /// Their names.
    pub nodes: Vec<String>,
}

impl RunPage {
    /// Of a run in a store; `None` if its directory does not say what was run.
    pub(crate) fn of(run: &Run, store: &Store) -> Option<RunPage> {
        // Before the log, so that a run that ends meanwhile is told to go on until the rest of its log is read.
        let past = Past::of(run)?;
        let told = Told::of(&run.path, None);
        let uses = uses(run);
        let recalled = recalled(&past, store);
        let mut notes = Vec::new();
        let mut nodes = match &recalled {
            Ok(pipeline) => planned(pipeline, &past.asked.targets),
            Err(error) => {
                notes.push(format!(
                    "The pipeline cannot be read as it was run, so that only what the store knows is shown: {error}"
                ));
                recorded(run, &uses, store)
            }
        };
        let keys: HashMap<&str, Key> = uses.iter().map(|used| (used.node.as_str(), used.key)).collect();
        let mut training = Vec::new();
        let mut earlier = earlier(store, run, &uses);
        for node in &mut nodes {
            if let Some(key) = keys.get(node.name.as_str()) {
                node.with_record(*key, store);
            }
            node.folder = file_name(&node.name);
            let mut tells = told.nodes.get(&node.name).cloned().unwrap_or_default();
            if tells.state == NodeState::Running && !past.is_running() {
                tells.state = NodeState::Died;
            }
            let folder = |run: &str, name: &str| format!("r/{run}/{}", file_name(name));
            let mut from = vec![(folder(&run.id(), &node.name), tells.samples.clone())];
            for Earlier { run, node, told } in earlier.remove(&node.name).unwrap_or_default() {
                from.push((folder(&run, &node), told.samples.clone()));
                tells.precede(told);
            }
            training.extend(drawn_in(node, &from));
            take(node, tells);
        }
        let have = |node: &Node| node.made.is_some();
        let pipeline = recalled.as_ref().ok();
        Some(RunPage {
            id: run.id(),
            file: past.asked.origin.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            set: past.asked.set,
            state: past.course.ending,
            pipeline: past.asked.name,
            arguments: past.asked.arguments,
            targets: past.asked.targets,
            started: past.asked.started,
            version: past.asked.version,
            last: told.last,
            notes,
            warnings: told.warnings,
            groups: pipeline.map(|pipeline| groups(pipeline, &nodes)).unwrap_or_default(),
            kinds: kinds(&nodes),
            results: nodes.iter().filter(|node| have(node)).filter_map(|node| Results::of(node, store)).collect(),
            grids: nodes.iter().filter_map(|node| Grid::of(node, store)).collect(),
            drawn: nodes.iter().filter_map(|node| Drawn::of(node, store)).collect(),
            training,
            papers: papers(&nodes),
            licences: pipeline.map(licences).unwrap_or_default(),
            nodes,
            read: told.read,
        })
    }

    /// Leaves at most so many points of curves in all, and of no series more than `most`.
    pub(crate) fn thin(&mut self, most: usize, in_all: usize) {
        let series: usize = self.nodes.iter().map(|node| node.curve.series.len()).sum();
        let fair = in_all / series.max(1);
        self.nodes.iter_mut().for_each(|node| node.curve.thin(most.min(fair)));
    }

    /// How many points the curves have.
    pub(crate) fn points(&self) -> usize {
        self.nodes.iter().map(|node| node.curve.len()).sum()
    }
}

/// The pipeline as it was run, wherever its file is now.
fn recalled(past: &Past, store: &Store) -> Result<Pipeline, PipelineErrors> {
    let origin = &past.asked.origin;
    past.pipeline(&origin.find(store).unwrap_or_else(|| origin.path().to_owned()), store.root())
}

fn uses(run: &Run) -> Vec<Use> {
    run.description().map(|description| run.uses(&description, &mut Seen::new())).unwrap_or_default()
}

/// The nodes that were asked for, and what they need.
fn planned(pipeline: &Pipeline, targets: &[String]) -> Vec<Node> {
    let graph = crate::plan::Graph::new(pipeline, targets).or_else(|_| crate::plan::Graph::new(pipeline, &[]));
    let Ok(graph) = graph else { return Vec::new() };
    (0..graph.len()).map(|index| Node::planned(pipeline, &pipeline.nodes[graph.name(index)])).collect()
}

/// What the run's plan and the store know of its nodes.
fn recorded(run: &Run, uses: &[Use], store: &Store) -> Vec<Node> {
    let names: BTreeMap<Key, String> = uses.iter().map(|used| (used.key, used.node.clone())).collect();
    let keys: HashMap<&str, Key> = uses.iter().map(|used| (used.node.as_str(), used.key)).collect();
    let outlined = read_outline(&run.path);
    if outlined.is_empty() {
        // One of an earlier version: in the order in which they were noted, which is one in which they can run.
        let mut seen = BTreeSet::new();
        let first = uses.iter().filter(|used| seen.insert(&used.node));
        return first.map(|used| Node::recorded(&used.node, used.key, store, &names)).collect();
    }
    let node = |outlined: crate::runs::Outlined| {
        let known = keys.get(outlined.name.as_str()).map(|key| Node::recorded(&outlined.name, *key, store, &names));
        let inputs = outlined.inputs.into_iter().map(|(port, from)| [port, from]).collect();
        Node { name: outlined.name, kind: outlined.kind, inputs, ..known.unwrap_or_default() }
    };
    outlined.into_iter().map(node).collect()
}

/// What a run before this one told of the same training.
struct Earlier {
    run: String,
    /// The name that the node had then.
    node: String,
    told: NodeTold,
}

/// By node, the runs before this one in which its training was begun, the newest first.
fn earlier(store: &Store, run: &Run, uses: &[Use]) -> BTreeMap<String, Vec<Earlier>> {
    let wanted: HashMap<Key, &str> = uses.iter().map(|used| (used.key, used.node.as_str())).collect();
    let mut found: BTreeMap<String, Vec<Earlier>> = BTreeMap::new();
    for earlier in runs::newest_first(store).into_iter().filter(|other| other.path < run.path) {
        let begun = self::uses(&earlier).into_iter().filter(|used| !used.done);
        let begun: Vec<(String, &str)> = begun.filter_map(|used| Some((used.node, *wanted.get(&used.key)?))).collect();
        if begun.is_empty() {
            continue;
        }
        let only: HashSet<&str> = begun.iter().map(|(name, _)| name.as_str()).collect();
        let mut told = Told::of(&earlier.path, Some(&only));
        for (name, now) in &begun {
            if let Some(told) = told.nodes.remove(name) {
                let earlier = Earlier { run: earlier.id(), node: name.clone(), told };
                found.entry((*now).to_owned()).or_default().push(earlier);
            }
        }
    }
    found
}

/// Pictures of a training, by the folders of runs, from the newest run that has each.
fn drawn_in(node: &Node, folders: &[(String, BTreeMap<u64, String>)]) -> Option<Training> {
    let mut samples = BTreeMap::new();
    for (folder, drawn) in folders {
        for (step, path) in drawn {
            samples.entry(*step).or_insert_with(|| format!("{folder}/{path}"));
        }
    }
    (!samples.is_empty()).then(|| Training { node: node.name.clone(), samples: samples.into_iter().collect() })
}

fn take(node: &mut Node, told: NodeTold) {
    node.state = told.state;
    node.started = told.started;
    node.ended = told.ended;
    node.reason = told.reason;
    node.attempts = told.attempts;
    node.step = told.step;
    node.checkpoint = told.checkpoint;
    node.message = told.message;
    node.printed = told.output;
    node.said = told.said;
    node.metrics = told.metrics;
    node.curve = told.curve;
}

fn groups(pipeline: &Pipeline, nodes: &[Node]) -> Vec<Group> {
    let selected: HashSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    let group = |(name, all): (&String, &Vec<String>)| {
        let nodes: Vec<String> = all.iter().filter(|node| selected.contains(node.as_str())).cloned().collect();
        (nodes.len() > 1).then(|| Group { name: name.clone(), nodes })
    };
    pipeline.swept.iter().filter_map(group).collect()
}

fn kinds(nodes: &[Node]) -> BTreeMap<String, KindWords> {
    let names: BTreeSet<&String> = nodes.iter().map(|node| &node.kind).collect();
    names.into_iter().filter_map(|name| Some((name.clone(), KindWords::of(name)?))).collect()
}
