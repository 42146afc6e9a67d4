//! What became of a node that has no artifact: it failed, was interrupted, or runs.

use hyper_flow::pipeline::Pipeline;
use hyper_flow::runs::{Begun, KeyLog, Use, begin};

use super::world::World;

/// Two trainings that only pretend, one after the other.
const NODES: &str = r#""a": Command(program: ["a"]), "b": Command(program: ["b"], inputs: {"x": "a"}),"#;

/// A run in which `a` was started, and these events came. It goes on as long as its keys are open.
fn run(world: &World, pipeline: &Pipeline, events: &[&str]) -> KeyLog {
    let key = world.plan(pipeline).get("a").unwrap().key.unwrap();
    let Begun { root, mut keys, .. } = begin(&world.store.runs(), &world.store, pipeline, &[]).unwrap();
    keys.note(&[Use { node: "a".to_owned(), key, done: false }]).unwrap();
    let started = r#"{"event":"node_started","node":"a","kind":"Command","attempt":1}"#;
    let lines: Vec<&str> = [started].into_iter().chain(events.iter().copied()).collect();
    std::fs::write(root.join("events.jsonl"), lines.join("\n") + "\n").unwrap();
    keys
}

#[test]
fn a_failure_is_told_and_whether_anything_was_changed_since() {
    let world = World::new();
    let pipeline = world.pipeline(NODES);
    drop(run(&world, &pipeline, &[r#"{"event":"node_failed","node":"a","message":"no room\nfor it"}"#]));
    assert_eq!(world.states(&pipeline), "a run: failed: no room\nb run: never ran");
    let edited = world.pipeline(&NODES.replace(r#"["a"]"#, r#"["a", "2"]"#));
    assert_eq!(world.states(&edited), "a run: failed: no room; changed since\nb run: never ran");
    world.run(&pipeline);
    assert_eq!(world.states(&pipeline), "a cached: in the store\nb cached: in the store");
}

#[test]
fn how_far_an_interrupted_node_came_is_told_as_long_as_that_is_kept() {
    let world = World::new();
    let pipeline = world.pipeline(NODES);
    let step = r#"{"node":"a","event":"step","step":23,"of":60,"losses":{}}"#;
    let stopped = r#"{"event":"node_interrupted","node":"a","checkpoint":20}"#;
    drop(run(&world, &pipeline, &[step, stopped]));
    let key = world.plan(&pipeline).get("a").unwrap().key.unwrap();
    assert_eq!(world.states(&pipeline), "a run: interrupted, without a checkpoint\nb run: never ran");
    std::fs::write(world.store.scratch(&key).unwrap().join("checkpoint"), "x").unwrap();
    assert_eq!(world.states(&pipeline), "a run: interrupted, 20 of 60 steps\nb run: never ran");
}

#[test]
fn a_node_runs_as_long_as_its_engine_does() {
    let world = World::new();
    let pipeline = world.pipeline(NODES);
    let step = r#"{"node":"a","event":"step","step":23,"of":60,"losses":{}}"#;
    let keys = run(&world, &pipeline, &[step]);
    let told = world.states(&pipeline);
    assert!(told.starts_with("a run: running in 2") && told.contains(", 23 of 60 steps\n"), "{told}");
    drop(keys);
    assert_eq!(world.states(&pipeline), "a run: interrupted, without a checkpoint\nb run: never ran");
}

#[test]
fn an_older_artifact_is_compared_with_too() {
    let world = World::new();
    world.run(&world.pipeline(NODES));
    let edited = world.pipeline(&NODES.replace(r#"["a"]"#, r#"["a2"]"#));
    drop(run(&world, &edited, &[r#"{"event":"node_failed","node":"a","message":"no"}"#]));
    assert_eq!(world.states(&edited), "a run: failed: no; params.program.0: \"a\" → \"a2\"\nb maybe: input a will run");
}
