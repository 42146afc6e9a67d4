//! Which pipeline and which store are meant.

use super::scene::{PIPELINE, Scene};

#[test]
fn the_only_pipeline_here_needs_no_name() {
    let scene = Scene::new();
    assert_eq!(scene.ok("plan -q c"), "a\nc\n");
    assert_eq!(scene.ok("plan -q test.ron c"), "a\nc\n");
}

#[test]
fn one_of_many_must_be_named_until_one_has_run() {
    let scene = Scene::new();
    scene.write("other.ron", &PIPELINE.replace("\"test\"", "\"other\""));
    insta::assert_snapshot!(scene.fails("plan"), @r"
    exit 2
      × no pipeline file is named, and there are 2 in this directory
      help: name it first, for example `hyper-flow plan pipelines/hello.ron`
    ");
    scene.ok("run other.ron");
    assert_eq!(scene.json("plan --json")["pipeline"], "other");
    scene.ok("run test.ron");
    assert_eq!(scene.json("plan --json")["pipeline"], "test");
}

#[test]
fn without_a_pipeline_the_help_says_how_to_name_one() {
    insta::assert_snapshot!(Scene::empty().fails("ls"), @r"
    exit 2
      × no pipeline file is named, and there was no run to take it from
      help: name it first, for example `hyper-flow plan pipelines/hello.ron`
    ");
}

#[test]
fn the_store_is_where_it_is_told_to_be() {
    let scene = Scene::new();
    scene.ok("run test.ron --store elsewhere");
    assert_eq!(scene.ok("plan -q --store elsewhere"), "");
    assert!(scene.path().join("elsewhere/objects").is_dir() && !scene.path().join(".hyper-flow").exists());
    let from_environment = scene.command("plan -q").env("HYPER_FLOW_STORE", "elsewhere").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&from_environment.stdout), "");
}

#[test]
fn a_pipeline_is_found_from_another_directory() {
    let scene = Scene::new();
    scene.write("sub/x", "");
    scene.ok("run test.ron");
    let mut command = scene.command("plan -q ../test.ron --store ../.hyper-flow");
    let output = command.current_dir(scene.path().join("sub")).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}
