//! Long chains and wide fans: nothing recurses, nothing is quadratic.

use std::fmt::Write;

use hyper_flow::plan::{Graph, State, causes};

use super::world::World;

fn chain(length: usize, first: &str) -> String {
    let mut nodes = format!("\"n0\": Command(program: [\"{first}\"]),\n");
    for i in 1..length {
        writeln!(nodes, "\"n{i}\": Command(program: [\"p\"], inputs: {{\"x\": \"n{}\"}}),", i - 1).unwrap();
    }
    nodes
}

#[test]
fn a_chain_of_ten_thousand_is_planned_and_explained() {
    const LENGTH: usize = 10_000;
    let world = World::new();
    let pipeline = world.pipeline(&chain(LENGTH, "first"));
    let last = format!("n{}", LENGTH - 1);
    let plan = world.plan_for(&pipeline, &[&last]);
    assert_eq!(plan.nodes.len(), LENGTH);
    assert!(plan.nodes.iter().all(|node| node.state == State::Run));
    assert!(causes(&pipeline, &world.store, &plan, &pipeline.nodes[&last]).unwrap().is_empty(), "it never ran");
}

#[test]
fn a_change_at_the_head_of_a_chain_is_the_cause_at_its_end() {
    let world = World::new();
    world.run(&world.pipeline(&chain(300, "one")));
    let cause = world.causes(&world.pipeline(&chain(300, "two")), "n299");
    assert_eq!(cause, r#"inputs.x: n298 changed because n0: params.program.0: "one" → "two""#);
}

#[test]
fn the_order_of_a_graph_has_inputs_first_and_is_by_name_else() {
    let world = World::new();
    let nodes = r#""z": Command(program: ["p"]), "a": Command(program: ["p"], inputs: {"x": "z", "y": "z"}), "m": Command(program: ["p"]),"#;
    let graph = Graph::new(&world.pipeline(nodes), &[]).unwrap();
    let names: Vec<&str> = (0..graph.len()).map(|index| graph.name(index)).collect();
    assert_eq!(names, ["m", "z", "a"]);
    assert_eq!(graph.dependencies(2), [1]);
    assert_eq!(graph.dependents(1), [2]);
    assert_eq!(graph.index("z"), Some(1));
}
