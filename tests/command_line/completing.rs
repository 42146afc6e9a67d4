//! Completion in real shells: what they put in when tab is pressed.

use std::path::PathBuf;
use std::process::Command;

use super::scene::{PIPELINE, Scene};

/// The folder of the program, for `PATH`.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_hyper-flow")).parent().unwrap().to_owned()
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write(
        "test.ron",
        &PIPELINE
            .replace("\"merged\":", "\"teacher\": TrainTeacher(data: \"a\", text: \"b\", steps: 1),\n    \"merged\":"),
    );
    std::fs::create_dir_all(scene.path().join(".hyper-flow/runs/20260102-030405-678-abcd")).unwrap();
    scene
}

/// What a shell prints for a script.
fn shell(scene: &Scene, shell: &str, arguments: &[&str], script: &str) -> String {
    let path = format!("{}:{}", folder().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(shell);
    command
        .args(arguments)
        .arg(script)
        .current_dir(scene.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", scene.path());
    let output = command.env("TERM", "dumb").output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    scene.text(&output.stdout)
}

/// What bash offers for words, of which the last is being typed: it is asked as readline asks it.
fn bash(scene: &Scene, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = words.last().unwrap();
    let script = format!(
        "source <(hyper-flow completions bash); COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; \
         _clap_complete_hyper_flow hyper-flow '{last}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words.len() - 1
    );
    shell(scene, "bash", &["--norc", "-c"], &script).lines().map(str::to_owned).collect()
}

#[test]
fn bash_puts_in_what_there_is() {
    let scene = scene();
    assert_eq!(bash(&scene, &["hyper-flow", "complet"]), ["completions"]);
    assert_eq!(bash(&scene, &["hyper-flow", "kinds", "Segm"]), ["SegmentDistill"]);
    assert_eq!(bash(&scene, &["hyper-flow", "kinds", "mat"]), ["matrix"]);
    assert_eq!(bash(&scene, &["hyper-flow", "show", "test.ron", "me"]), ["merged"]);
    // The only pipeline here need not be named.
    assert_eq!(bash(&scene, &["hyper-flow", "why", "te"]), ["teacher", "test.ron"]);
    assert_eq!(bash(&scene, &["hyper-flow", "check", "te"]), ["test.ron"]);
    assert_eq!(bash(&scene, &["hyper-flow", "run", "test.ron", "--set", "teacher.ste"]), ["teacher.steps="]);
    assert_eq!(
        bash(&scene, &["hyper-flow", "run", "--set", "teacher.prediction="]),
        ["teacher.prediction=Epsilon", "teacher.prediction=V"]
    );
    assert_eq!(bash(&scene, &["hyper-flow", "run", "--set", "b.pro"]), ["b.program="]);
    assert_eq!(bash(&scene, &["hyper-flow", "run", "--force", "mer"]), ["merged"]);
}

#[test]
fn a_name_that_a_shell_would_run_is_not_offered() {
    let scene = scene();
    scene.write(
        "test.ron",
        &PIPELINE
            .replace("\"merged\"", "\"me$(touch pwned)\"")
            .replace("\"c\":", "\"mess\":")
            .replace("\"c\"}", "\"mess\"}"),
    );
    assert_eq!(bash(&scene, &["hyper-flow", "show", "test.ron", "me"]), ["mess"]);
    assert!(!scene.path().join("pwned").exists());
}

#[test]
fn nodes_of_a_matrix_complete_at_their_signs() {
    let scene = Scene::empty();
    scene.write(
        "m.ron",
        "Pipeline(name: \"m\", matrix: {\"seed\": [1, 2]}, nodes: {\"n@{seed}\": Command(program: [\"true\"])})",
    );
    assert_eq!(bash(&scene, &["hyper-flow", "show", "n@"]), ["n@1", "n@2"]);
    let breaks = shell(
        &scene,
        "bash",
        &["--norc", "-c"],
        "source <(hyper-flow completions bash); printf %s \"$COMP_WORDBREAKS\"",
    );
    assert!(!breaks.contains(['@', '=']), "{breaks}");
}

#[test]
fn fish_and_zsh_do_where_they_are() {
    let scene = scene();
    let is_there =
        |shell: &str| Command::new(shell).arg("--version").output().is_ok_and(|output| output.status.success());
    if is_there("fish") {
        let script = "hyper-flow completions fish | source; complete -C 'hyper-flow show test.ron mer'";
        let offered = shell(&scene, "fish", &["--no-config", "-c"], script);
        assert_eq!(offered, "merged\tCommand\n");
    }
    if is_there("zsh") {
        // Completion of zsh needs a terminal: this asks as its function does.
        let script = "source <(hyper-flow completions zsh) 2>/dev/null; HYPER_FLOW_COMPLETE=zsh _CLAP_IFS=$'\\n' _CLAP_COMPLETE_INDEX=2 hyper-flow -- hyper-flow kinds Segm";
        let offered = shell(&scene, "zsh", &["-f", "-c"], script);
        assert!(offered.starts_with("SegmentDistill:"), "{offered}");
    }
}

#[test]
fn the_command_says_how_to_install_it() {
    let help = Scene::empty().ok("completions --help");
    assert!(help.contains("echo 'source <(hyper-flow completions bash)' >> ~/.bashrc"), "{help}");
}
