//! What is cached, what runs, and the reason in one line.

use hyper_flow::plan::{Classes, plan};

use super::world::{World, parse};

/// A diamond: `a` goes into `b` and `c`, both into `d`.
fn diamond(b: &str) -> String {
    format!(
        r#""a": Command(program: ["make", "a"]),
        "b": Command(program: ["{b}"], inputs: {{"x": "a"}}),
        "c": Command(program: ["c"], inputs: {{"x": "a"}}),
        "d": Command(program: ["d"], inputs: {{"left": "b", "right": "c"}}),"#
    )
}

#[test]
fn what_never_ran_runs_and_so_does_what_follows() {
    let world = World::new();
    let pipeline = world.pipeline(&diamond("b"));
    insta::assert_snapshot!(world.states(&pipeline), @r"
    a run: never ran
    b run: never ran
    c run: never ran
    d run: never ran
    ");
    assert_eq!(world.run(&pipeline), ["a", "b", "c", "d"]);
    insta::assert_snapshot!(world.states(&pipeline), @r"
    a cached: in the store
    b cached: in the store
    c cached: in the store
    d cached: in the store
    ");
}

#[test]
fn a_change_runs_its_node_and_no_other_branch() {
    let world = World::new();
    world.run(&world.pipeline(&diamond("b")));
    insta::assert_snapshot!(world.states(&world.pipeline(&diamond("b2"))), @r#"
    a cached: in the store
    b run: params.program.0: "b" → "b2"
    c cached: in the store
    d maybe: input b will run
    "#);
    // Changed back, everything is there.
    assert_eq!(world.run(&world.pipeline(&diamond("b2"))), ["b", "d"]);
    assert!(world.run(&world.pipeline(&diamond("b"))).is_empty());
}

#[test]
fn a_node_that_yields_the_same_bytes_stops_the_wave() {
    let world = World::new();
    world.run(&world.pipeline(&diamond(r#"b", "yields", "same"#)));
    let edited = world.pipeline(&diamond(r#"b2", "yields", "same"#));
    insta::assert_snapshot!(world.states(&edited), @r#"
    a cached: in the store
    b run: params.program.0: "b" → "b2"
    c cached: in the store
    d maybe: input b will run
    "#);
    assert_eq!(world.run(&edited), ["b"]);
}

#[test]
fn a_renamed_node_is_cached() {
    let world = World::new();
    world.run(&world.pipeline(&diamond("b")));
    let renamed =
        world.pipeline(&diamond("b").replace(r#""b":"#, r#""new":"#).replace(r#""left": "b""#, r#""left": "new""#));
    insta::assert_snapshot!(world.states(&renamed), @r"
    a cached: in the store
    c cached: in the store
    new cached: in the store, made by b
    d cached: in the store
    ");
}

#[test]
fn a_file_counts_by_content() {
    let world = World::new();
    let pipeline = |file: &str| {
        world.pipeline(&format!(r#""a": Command(program: ["a"], files: {{"src": "{file}"}}, inputs: {{}}),"#))
    };
    world.write("data/1.txt", "one");
    world.run(&pipeline("data/1.txt"));
    world.write("data/1.txt", "one");
    world.write("2.txt", "one");
    insta::assert_snapshot!(world.states(&pipeline("data/1.txt")), @"a cached: in the store");
    insta::assert_snapshot!(world.states(&pipeline("2.txt")), @"a cached: in the store");
    world.write("data/1.txt", "two");
    insta::assert_snapshot!(world.states(&pipeline("data/1.txt")), @"a run: file data/1.txt changed");
}

#[test]
fn a_folder_counts_by_what_is_in_it() {
    let world = World::new();
    world.write("data/1.txt", "one");
    let pipeline = world.pipeline(r#""a": Command(program: ["a"], files: {"src": "data"}),"#);
    world.run(&pipeline);
    world.write("data/2.txt", "two");
    insta::assert_snapshot!(world.states(&pipeline), @"a run: folder data changed");
}

#[test]
fn a_lost_object_is_made_again() {
    let world = World::new();
    let pipeline = world.pipeline(&diamond("b"));
    world.run(&pipeline);
    let record = world.plan(&pipeline).get("b").unwrap().record.clone().unwrap();
    let object = world.store.tree(&record.artifact).unwrap().entries()[0].digest.to_string();
    std::fs::remove_file(world.store.root().join("objects").join(&object[..2]).join(&object[2..])).unwrap();
    insta::assert_snapshot!(world.states(&pipeline), @r"
    a cached: in the store
    b run: object missing or altered
    c cached: in the store
    d maybe: input b will run
    ");
    assert_eq!(world.run(&pipeline), ["b"]);
}

#[test]
fn a_collected_record_is_made_again() {
    let world = World::new();
    let pipeline = world.pipeline(r#""a": Command(program: ["a"]),"#);
    world.run(&pipeline);
    world.store.gc(&hyper_flow_cache::GcPolicy::default()).unwrap();
    insta::assert_snapshot!(world.states(&pipeline), @"a run: its record was removed");
}

#[test]
fn of_two_nodes_with_one_key_the_second_waits_for_the_first() {
    let world = World::new();
    let nodes = r#""a": Command(program: ["same"]), "b": Command(program: ["same"]), "c": Command(program: ["c"], inputs: {"x": "b"}),"#;
    let pipeline = world.pipeline(nodes);
    insta::assert_snapshot!(world.states(&pipeline), @r"
    a run: never ran
    b maybe: the same as a, which will run
    c run: never ran
    ");
    assert_eq!(world.run(&pipeline), ["a", "c"]);
    insta::assert_snapshot!(world.states(&pipeline), @r"
    a cached: in the store
    b cached: in the store, made by a
    c cached: in the store
    ");
}

#[test]
fn another_wiring_is_named() {
    let world = World::new();
    let nodes = |of: &str| {
        format!(
            r#""a": Command(program: ["a"]), "b": Command(program: ["b"]), "c": Command(program: ["c"], inputs: {{{of}}}),"#
        )
    };
    world.run(&world.pipeline(&nodes(r#""x": "a""#)));
    insta::assert_snapshot!(world.states(&world.pipeline(&nodes(r#""x": "b""#))), @r"
    a cached: in the store
    b cached: in the store
    c run: inputs.x: a → b
    ");
    insta::assert_snapshot!(world.states(&world.pipeline(&nodes(r#""x": "a", "y": "b""#))), @r"
    a cached: in the store
    b cached: in the store
    c run: inputs.y: none → b
    ");
    insta::assert_snapshot!(world.states(&world.pipeline(&nodes(""))), @r"
    a cached: in the store
    b cached: in the store
    c run: inputs.x: removed
    ");
}

#[test]
fn a_target_selects_what_it_needs() {
    let world = World::new();
    let pipeline = world.pipeline(&diamond("b"));
    let plan_of = |targets: &[&str]| {
        let plan = world.plan_for(&pipeline, targets);
        plan.nodes.into_iter().map(|node| node.name).collect::<Vec<_>>()
    };
    assert_eq!(plan_of(&["c"]), ["a", "c"]);
    assert_eq!(plan_of(&["c", "b"]), ["a", "b", "c"]);
    assert_eq!(plan_of(&["d"]), ["a", "b", "c", "d"]);
}

const SWEPT: &str = r#"Pipeline(name: "test", matrix: {"seed": [1, 2], "word": ["a", "b"]}, nodes: {
    "shared": Command(program: ["shared"]),
    "first@{seed}": Command(program: ["first"], inputs: {"x": "shared"}),
    "second-{word}@{seed}": Command(program: ["second", "{word}", "{seed}"], inputs: {"x": "first@{seed}"}),
    "all": Command(program: ["all"], inputs: {"{word}{seed}": "second-{word}@{seed}"}),
})"#;

#[test]
fn nodes_of_a_matrix_that_are_alike_run_once() {
    let world = World::new();
    let pipeline = parse(SWEPT, world.dir.path().join("test.ron"));
    let ran = world.run(&pipeline);
    assert_eq!(ran, ["shared", "first@1", "second-a@1", "second-a@2", "second-b@1", "second-b@2", "all"]);
    assert_eq!(world.run(&pipeline), [""; 0]);

    let more = parse(&SWEPT.replace("\"b\"]", "\"b\", \"c\"]"), world.dir.path().join("test.ron"));
    assert_eq!(world.run(&more), ["second-c@1", "second-c@2", "all"]);
}

#[test]
fn a_name_with_axes_is_a_target_too() {
    let world = World::new();
    let pipeline = parse(SWEPT, world.dir.path().join("test.ron"));
    let plan = world.plan_for(&pipeline, &["second-{word}@{seed}"]);
    assert_eq!((plan.graph.len(), plan.graph.index("all")), (7, None));
    assert_eq!(world.plan_for(&pipeline, &["second-b@2"]).graph.len(), 3);
}

#[test]
fn an_unknown_target_is_refused_with_the_nearest_name() {
    let world = World::new();
    let pipeline = world.pipeline(r#""teacher": Command(program: ["a"]), "b": Command(program: ["b"]),"#);
    let error = |target: &str| {
        let error = plan(&pipeline, &world.store, &[target.into()], Classes::default()).unwrap_err();
        miette::Diagnostic::help(&error).unwrap().to_string()
    };
    assert_eq!(error("techer"), "did you mean `teacher`?");
    assert_eq!(error("xyz"), "the nodes are `b`, `teacher`");
}
