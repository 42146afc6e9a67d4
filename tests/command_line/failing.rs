//! Exit codes and messages.

use std::process::Stdio;

use super::scene::{PIPELINE, Scene};

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let scene = Scene::new();
    insta::assert_snapshot!(scene.fails("why"), @r"
    exit 2
      × nothing is given where [FILE] NODE is wanted
      help: FILE is a pipeline, and its name ends in `.ron`
    ");
    insta::assert_snapshot!(scene.fails("why test.ron"), @r"
    exit 2
      × nothing is given where [FILE] NODE is wanted
      help: FILE is a pipeline, and its name ends in `.ron`
    ");
    insta::assert_snapshot!(scene.fails("why a b"), @r"
    exit 2
      × 2 words are given where [FILE] NODE is wanted
      help: FILE is a pipeline, and its name ends in `.ron`
    ");
    insta::assert_snapshot!(scene.fails("why mergd"), @r"
    exit 2
      × there is no node `mergd` in [DIR]/test.ron
      help: did you mean `merged`?
    ");
    assert!(scene.fails("check test.ron data.txt").starts_with("exit 2\n  × `data.txt` is no pipeline file"));
}

#[test]
fn mistakes_are_json_where_json_is_asked_for() {
    let scene = Scene::new();
    let told = scene.fails("why mergd --json");
    let (code, json) = told.split_once('\n').expect("an exit code, then the mistake");
    assert_eq!(code, "exit 2");
    let mistake: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(mistake["help"], "did you mean `merged`?");
}

#[test]
fn json_is_as_quiet_as_it_gets() {
    let scene = Scene::new();
    let nodes = scene.json("plan --json -q")["nodes"].as_array().unwrap().len();
    assert_eq!(nodes, 4);
}

#[test]
fn several_files_are_checked_at_once() {
    let scene = Scene::new();
    scene.write("wrong.ron", &PIPELINE.replacen("Command", "Comand", 1));
    scene.write("worse.ron", "Pipeline(");
    assert_eq!(scene.ok("check test.ron test.ron"), "test.ron: ok: 4 nodes\ntest.ron: ok: 4 nodes\n");
    assert_eq!(scene.ok("check test.ron"), "ok: 4 nodes\n");
    let told = scene.fails("check wrong.ron test.ron worse.ron");
    assert!(told.starts_with("exit 2\n  × 1 mistake in wrong.ron\n\n  × there is no kind `Comand`\n"), "{told}");
    assert!(told.contains("\n  × 1 mistake in worse.ron\n") && !told.contains("Error:"), "{told}");
    let output = scene.command("check --json test.ron wrong.ron").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let reports: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ok: Vec<_> = reports.as_array().unwrap().iter().map(|report| report["ok"].as_bool()).collect();
    assert_eq!(ok, [Some(true), Some(false)]);
}

#[test]
fn what_is_logged_is_what_this_program_does() {
    let scene = Scene::new();
    let output = scene.command("run -vvv").output().unwrap();
    let told = scene.text(&output.stderr);
    assert!(output.status.success() && !told.contains("sled"), "{told}");
}

#[test]
fn a_wrong_pipeline_is_exit_code_2() {
    let scene = Scene::empty();
    assert!(scene.fails("plan nothing.ron").starts_with("exit 2"));
    scene.write("wrong.ron", &PIPELINE.replace("Command", "Comand"));
    assert!(scene.fails("plan wrong.ron").starts_with("exit 2"));
}

#[test]
fn a_store_that_fails_is_exit_code_3() {
    let scene = Scene::new();
    scene.write("store", "not a store");
    assert!(scene.fails("plan --store store").starts_with("exit 3"));
    scene.write("photos/a.jpg", "");
    insta::assert_snapshot!(scene.fails("plan --store photos"), @r"
    exit 3
      × the store failed
      ╰─▶ open `photos`: it is not a store and not empty (it holds `a.jpg`); name a new or empty directory
    ");
}

#[test]
fn nobody_reading_is_no_failure() {
    let scene = Scene::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = scene.command("completions bash").stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), scene.text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn a_full_device_is_a_failure() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let scene = Scene::new();
    let output = scene.command("completions bash").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}
