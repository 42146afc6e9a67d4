//! A directory with a store and a pipeline, and a run that only pretends: what a node yields is a text made
//! from its program and inputs, so that planning is tested without starting anything.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow::pipeline::{Node, Overrides, Pipeline};
use hyper_flow::plan::{Classes, Plan, Provenance, State, causes, plan};
use hyper_flow::runs::{Begun, Use, begin};
use hyper_flow_cache::{Digest, Key, Store};
use hyper_flow_spec::Kind;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
}

impl World {
    pub(crate) fn new() -> World {
        let dir = TempDir::new().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        World { dir, store }
    }

    pub(crate) fn write(&self, file: &str, content: &str) -> PathBuf {
        let path = self.dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A pipeline of these nodes.
    pub(crate) fn pipeline(&self, nodes: &str) -> Pipeline {
        parse(&format!("Pipeline(name: \"test\", nodes: {{{nodes}}})"), self.dir.path().join("test.ron"))
    }

    pub(crate) fn plan(&self, pipeline: &Pipeline) -> Plan {
        self.plan_for(pipeline, &[])
    }

    pub(crate) fn plan_for(&self, pipeline: &Pipeline, targets: &[&str]) -> Plan {
        let targets: Vec<String> = targets.iter().map(|&name| name.to_owned()).collect();
        plan(pipeline, &self.store, &targets, Classes::default()).unwrap()
    }

    /// "name state: reason", a line a node.
    pub(crate) fn states(&self, pipeline: &Pipeline) -> String {
        lines(self.plan(pipeline).nodes.iter().map(|node| {
            let state = format!("{:?}", node.state).to_lowercase();
            format!("{} {state}: {}", node.name, node.reason)
        }))
    }

    pub(crate) fn causes(&self, pipeline: &Pipeline, node: &str) -> String {
        let plan = self.plan_for(pipeline, &[node]);
        let causes = causes(pipeline, &self.store, &plan, &pipeline.nodes[node]).unwrap();
        lines(causes.into_iter().map(|cause| cause.text))
    }

    /// Runs everything that is not cached; gives the names of what ran.
    pub(crate) fn run(&self, pipeline: &Pipeline) -> Vec<String> {
        self.run_for(pipeline, &[])
    }

    pub(crate) fn run_for(&self, pipeline: &Pipeline, targets: &[&str]) -> Vec<String> {
        let Begun { id: run, mut keys, .. } = begin(&self.store.runs(), &self.store, pipeline, &[]).unwrap();
        let mut plan = self.plan_for(pipeline, targets);
        let mut ran = Vec::new();
        for index in 0..plan.nodes.len() {
            let node = &pipeline.nodes[plan.graph.name(index)];
            let preimage = plan.preimage(pipeline, node, &plan.inputs(node).unwrap());
            let record = self.store.lookup(&preimage.key()).unwrap().unwrap_or_else(|| {
                ran.push(node.name.clone());
                self.publish(pipeline, node, &plan, &preimage.bytes(), &run)
            });
            keys.note(&[Use { node: node.name.clone(), key: record.key, done: true }]).unwrap();
            let planned = &mut plan.nodes[index];
            (planned.state, planned.record) = (State::Cached, Some(record));
        }
        ran
    }

    fn publish(
        &self,
        pipeline: &Pipeline,
        node: &Node,
        plan: &Plan,
        preimage: &[u8],
        run: &str,
    ) -> hyper_flow_cache::Record {
        let staging = self.store.staging().unwrap();
        let content = content(node, &plan.inputs(node).unwrap());
        std::fs::write(staging.path().join("out.txt"), content).unwrap();
        let key = |name: &String| plan.get(name).unwrap().record.as_ref().unwrap().key;
        let meta = Provenance {
            kind: node.kind.name().into(),
            output: node.kind.output(),
            pipeline: pipeline.name.clone(),
            node: node.name.clone(),
            run: run.into(),
            inputs: node.inputs.iter().map(|(port, name)| (port.clone(), key(name))).collect(),
            device: None,
            libtorch: None,
            worker: "0".into(),
            threads: 1,
            seconds: 0.5,
            memory: None,
            told: Vec::new(),
            finished: 0,
        };
        let meta = serde_json::to_value(meta).unwrap();
        self.store.publish(&Key::derive(preimage), preimage, staging.path(), meta).unwrap()
    }
}

/// The text after `yields` in the program alone, where it has that word; or else program and inputs.
fn content(node: &Node, inputs: &BTreeMap<String, Digest>) -> String {
    let Kind::Command(command) = &node.kind else { return format!("{:?}", node.kind) };
    match command.program.iter().position(|word| word == "yields") {
        Some(at) => command.program[at + 1].clone(),
        None => format!("{:?} {inputs:?}", command.program),
    }
}

pub(crate) fn parse(text: &str, path: PathBuf) -> Pipeline {
    Pipeline::parse(text, &path, &Overrides::default())
        .unwrap_or_else(|errors| panic!("{errors}: {:#?}", errors.findings))
}

pub(crate) fn lines(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join("\n")
}
