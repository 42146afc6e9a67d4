//! What `show` tells of how an artifact came to be, and of what became of it.

use super::scene::{Scene, filters};

/// Both use the same `a`; the second has it under another name.
fn two_pipelines() -> Scene {
    let scene = Scene::new();
    scene.ok("run test.ron");
    scene.write(
        "other.ron",
        r#"Pipeline(name: "other", nodes: {
            "first": Command(program: ["sh", "-c", "tr a-z A-Z < $FLOW_FILE_SRC > $FLOW_OUT/a.txt; echo said >&2"], files: {"src": "data.txt"}),
            "last": Command(program: ["sh", "-c", "cat $FLOW_IN_Y/a.txt > $FLOW_OUT/last.txt"], inputs: {"y": "first"}),
        })"#,
    );
    scene.ok("run other.ron");
    scene
}

#[test]
fn the_lineage_goes_up_and_down_and_into_other_pipelines() {
    let scene = two_pipelines();
    let _filters = filters();
    let sections = |line: &str, from: &str, to: &str| {
        let text = scene.ok(line);
        let start = text.find(from).unwrap_or_else(|| panic!("{text}"));
        text[start..][..text[start..].find(to).unwrap()].to_owned()
    };
    insta::assert_snapshot!(sections("show test.ron merged", "made from", "files\n"), @r"
    made from
      inputs.left: b (Command)  [KEY]
        inputs.x: a (Command)  [KEY]
      inputs.right: c (Command)  [KEY]
        inputs.x: a (Command)  [KEY]
    ");
    insta::assert_snapshot!(sections("show test.ron a", "used by", "files\n"), @r"
    used by
      b (Command) as inputs.x
      c (Command) as inputs.x
      last (Command) as inputs.y
        of [DIR]/other.ron, run [RUN]
    ");
    insta::assert_snapshot!(sections("show other.ron first", "used by", "files\n"), @r"
    used by
      last (Command) as inputs.y
      b (Command) as inputs.x
        of [DIR]/test.ron, run [RUN]
      c (Command) as inputs.x
        of [DIR]/test.ron, run [RUN]
    ");
    let json = scene.json("show test.ron a --json");
    let users = json["used_by"].as_array().unwrap();
    assert_eq!(users.len(), 3, "{users:?}");
    assert_eq!(users[2]["node"], "last");
    assert_eq!(scene.json("show test.ron merged --json")["lineage"].as_array().unwrap().len(), 4);
}

#[test]
fn the_command_that_makes_it_again_is_a_whole_line() {
    let scene = Scene::new();
    let command = |line: &str| scene.json(line)["remake"]["command"].as_str().unwrap().to_owned();
    let variant = r#"b.program=["sh","-c","sort -r $FLOW_IN_X/a.txt > $FLOW_OUT/b.txt"]"#;
    let mut run = scene.command("run test.ron --set");
    assert!(run.arg(variant).output().unwrap().status.success());
    let again = format!("hyper-flow run test.ron b --set '{variant}'");
    assert_eq!(command("show test.ron b --json"), again, "the settings are those of the run that made it");
    let mut shown = scene.command("show test.ron b --json --set");
    let shown: serde_json::Value = serde_json::from_slice(&shown.arg(variant).output().unwrap().stdout).unwrap();
    assert_eq!(shown["remake"]["command"], again);
    scene.ok("run test.ron");
    assert_eq!(command("show test.ron b --json"), "hyper-flow run test.ron b");
    scene.edit("sort ", "sort -u ");
    let old = scene.json("show test.ron b --json");
    assert_eq!(old["remake"]["command"], "hyper-flow run test.ron b");
    let note = old["remake"]["note"].as_str().unwrap();
    assert!(note.starts_with("if the file is what it was then: ") && note.ends_with("pipeline.ron"), "{note}");
    let text = std::fs::read_to_string(note.rsplit_once(": ").unwrap().1).unwrap();
    assert!(text.contains("sort $FLOW_IN_X"));
    let shell = scene.ok("show test.ron b");
    assert!(shell.contains("made again by\n  hyper-flow run test.ron b\n"), "{shell}");
}

#[test]
fn what_went_in_from_outside_is_told_with_its_place() {
    let scene = Scene::new();
    let _filters = filters();
    scene.ok("run test.ron");
    let shown = scene.json("show test.ron a --json");
    assert!(shown["sources"]["files.src"]["path"].as_str().unwrap().ends_with("/data.txt"), "{shown:#}");
    assert_eq!(shown["sources"]["files.src"]["digest"].as_str().unwrap().len(), 64);
    assert_eq!((&shown["version"], &shown["seed"]), (&1.into(), &serde_json::Value::Null));
    assert_eq!(shown["engine"], env!("CARGO_PKG_VERSION"));
    assert_eq!(scene.ok("show test.ron a -q").trim().len(), 64);
}
