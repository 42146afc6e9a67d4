//! Finding and asking the worker, with a script in its place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::scene::Scene;

const EXACT: &str = r#"Pipeline(name: "exact", reproducibility: Exact, settings: {"d": (device: Cpu, threads: 2)},
    nodes: {"d": Digits(file: "d.gz")})"#;

/// A worker that says what it is, and counts how often it was asked.
fn worker(scene: &Scene, version: &str, libtorch: &str) {
    let description = format!(
        r#"{{"worker": "{version}", "protocol": {}, "kinds": {{}}, "libtorch": "{libtorch}", "cpu": "cpu:avx2", "gpus": []}}"#,
        hyper_flow_spec::PROTOCOL
    );
    scene.write("worker", &format!("#!/bin/sh\necho asked >> \"$HOME/asked\"\necho '{description}'\n"));
    fs::set_permissions(scene.path().join("worker"), fs::Permissions::from_mode(0o755)).unwrap();
}

fn with_worker(scene: &Scene, line: &str) -> Command {
    let mut command = scene.command(line);
    command.env("HYPER_FLOW_WORKER", scene.path().join("worker"));
    command
}

fn key(scene: &Scene) -> String {
    let output = with_worker(scene, "plan --json").output().unwrap();
    let plan: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", scene.text(&output.stderr)));
    plan["nodes"][0]["key"].as_str().unwrap().to_owned()
}

fn exact() -> Scene {
    let scene = Scene::empty();
    scene.write("exact.ron", EXACT);
    scene.write("d.gz", "");
    scene
}

#[test]
fn exact_reproducibility_asks_a_worker_once() {
    let scene = exact();
    scene.ok("store init");
    worker(&scene, hyper_flow_spec::VERSION, "2.11.0");
    let first = key(&scene);
    assert_eq!(key(&scene), first);
    assert_eq!(scene.read("asked"), "asked\n");
    // Another worker file is asked anew, and another libtorch makes another key.
    worker(&scene, hyper_flow_spec::VERSION, "2.110.0");
    assert_ne!(key(&scene), first);
    assert_eq!(scene.read("asked"), "asked\nasked\n");
}

#[test]
fn the_threads_are_in_an_exact_key() {
    let scene = exact();
    worker(&scene, hyper_flow_spec::VERSION, "2.11.0");
    let two = key(&scene);
    scene.write("exact.ron", &EXACT.replace("threads: 2", "threads: 1"));
    assert_ne!(key(&scene), two);
}

#[test]
fn a_plan_that_is_not_exact_asks_nobody() {
    let scene = exact();
    worker(&scene, hyper_flow_spec::VERSION, "2.11.0");
    scene.write("exact.ron", &EXACT.replace("reproducibility: Exact,", ""));
    key(&scene);
    assert!(!scene.path().join("asked").exists());
}

#[test]
fn an_exact_pipeline_of_commands_needs_no_worker() {
    let scene = Scene::empty();
    scene.write("c.ron", r#"Pipeline(name: "c", reproducibility: Exact, nodes: {"a": Command(program: ["true"])})"#);
    assert_eq!(scene.ok("plan -q"), "a\n");
}

fn says(scene: &Scene) -> String {
    let output = with_worker(scene, "plan").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    scene.text(&output.stderr)
}

#[test]
fn a_worker_of_another_version_is_refused() {
    let scene = exact();
    worker(&scene, "9.9.9", "2.11.0");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&hyper_flow_spec::VERSION.replace('.', r"\."), "[VERSION]");
    settings.bind(|| {
        insta::assert_snapshot!(says(&scene), @r"
    × `[DIR]/worker` is of version 9.9.9 (protocol 1), and this engine of version [VERSION] (protocol 1)
    help: build both from one version: `make`, or `cargo build --workspace`
    ")
    });
}

#[test]
fn a_worker_that_is_not_there_or_broken_is_told_with_the_way_to_get_one() {
    let scene = exact();
    insta::assert_snapshot!(says(&scene), @r"
    × HYPER_FLOW_WORKER is `[DIR]/worker`, which is no file
    help: set it to the path of hyper-flow-worker, or unset it to have the one beside the engine
    ");
    scene.write("worker", "#!/bin/sh\necho cannot open libtorch.so >&2; exit 127\n");
    fs::set_permissions(scene.path().join("worker"), fs::Permissions::from_mode(0o755)).unwrap();
    insta::assert_snapshot!(says(&scene), @r"
    × `[DIR]/worker describe` failed: exit status: 127
    │ cannot open libtorch.so
    help: build it anew: `make`, or `cargo build --workspace`
    ");
}

#[test]
fn without_any_worker_the_message_says_where_it_was_looked_for() {
    let scene = exact();
    // An engine that has no worker beside it.
    fs::copy(env!("CARGO_BIN_EXE_hyper-flow"), scene.path().join("engine")).unwrap();
    let output = Command::new(scene.path().join("engine"))
        .args(["plan", "exact.ron"])
        .current_dir(scene.path())
        .env_clear()
        .env("PATH", scene.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(scene.text(&output.stderr), @r"
    × there is no hyper-flow-worker beside `[DIR]/engine` or on the path, and nodes of the kinds other than `Command` run in it
    help: build it: `make` (which also brings libtorch), or `cargo build --workspace`; or say where it is: HYPER_FLOW_WORKER
    ");
}
