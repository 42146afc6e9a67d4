//! Nodes of a `matrix` on the command line.

use super::scene::Scene;

const SWEPT: &str = r#"Pipeline(name: "test", matrix: {"word": ["one", "two"], "seed": [1, 2]}, nodes: {
    "data": Command(program: ["sh", "-c", "echo data > $FLOW_OUT/x"]),
    "{word}@{seed}": Command(program: ["sh", "-c", "echo {word} {seed} > $FLOW_OUT/x"], inputs: {"data": "data"}),
    "all": Command(program: ["sh", "-c", "cat $FLOW_IN_A1/x $FLOW_IN_A2/x > $FLOW_OUT/x"], inputs: {"a{seed}": "two@{seed}"}),
})"#;

fn swept() -> Scene {
    let scene = Scene::empty();
    scene.write("test.ron", SWEPT);
    scene
}

#[test]
fn all_nodes_of_a_name_run_or_one() {
    let scene = swept();
    scene.ok("run one@2");
    assert_eq!(scene.ok("plan -q"), "one@1\ntwo@1\ntwo@2\nall\n");
    scene.ok("run {word}@{seed}");
    assert_eq!(scene.ok("plan -q"), "all\n");
    scene.ok("run");
    assert_eq!(scene.ok("show all x"), "two 1\ntwo 2\n");
    assert_eq!(scene.ok("plan -q --set matrix.seed=[1,2,3]"), "one@3\ntwo@3\nall\n");
}

#[test]
fn a_command_about_one_node_names_those_that_a_name_stands_for() {
    insta::assert_snapshot!(swept().fails("why {word}@{seed}"), @r"
    exit 2
      × `{word}@{seed}` is the name of 4 nodes
      help: name one: `one@1`, `one@2`, `two@1`, `two@2`
    ");
}

#[test]
fn what_changed_in_one_node_of_many_is_told() {
    let scene = swept();
    scene.ok("run");
    scene.edit("echo {word} {seed}", "echo {word}, {seed}");
    let told = scene.ok("why two@1");
    assert!(told.contains("params.program.2: \"echo two 1 > $FLOW_OUT/x\" → \"echo two, 1 > $FLOW_OUT/x\""), "{told}");
}
