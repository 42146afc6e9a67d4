//! Limits of the system: open files, the size of a file, CPU time.

use crate::lab::{Lab, Ran, sh};

const NODES: usize = 30;

/// `run --json p.ron` with more arguments, under a limit that `ulimit` sets.
fn limited(lab: &Lab, limit: &str, arguments: &[&str]) -> Ran {
    let all: Vec<&str> = ["run", "--json", "p.ron"].iter().chain(arguments).copied().collect();
    let output = lab.shell(&format!("ulimit {limit} && exec \"$0\" \"$@\""), &all).output().unwrap();
    Ran {
        code: output.status.code(),
        events: String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn warnings(run: &Ran) -> Vec<&str> {
    let warnings = run.events.iter().filter(|event| event["event"] == "warning");
    warnings.map(|event| event["message"].as_str().unwrap()).collect()
}

/// Many nodes that run side by side for a while.
fn many() -> Lab {
    let lab = Lab::new();
    let names: Vec<String> = (0..NODES).map(|i| format!("n{i:02}")).collect();
    let node = |name: &String| sh(&format!("echo said; echo {name} >&2; sleep 0.1; echo {name} > $FLOW_OUT/x"), "");
    let nodes: Vec<(&str, String)> = names.iter().map(|name| (name.as_str(), node(name))).collect();
    lab.pipeline(&nodes, "");
    lab
}

#[test]
fn with_few_open_files_fewer_nodes_run_at_once_and_none_fails() {
    let lab = many();
    let run = limited(&lab, "-n 64", &["-j", "100"]);
    assert_eq!((run.code, run.ran().len()), (Some(0), NODES), "{:#?}\n{}", run.events, run.stderr);
    let [warning] = warnings(&run)[..] else { panic!("{:?}", warnings(&run)) };
    assert!(warning.contains("at once") && warning.contains("ulimit -n"), "{warning}");
}

#[test]
fn a_soft_limit_of_open_files_is_raised_as_far_as_is_needed() {
    let lab = many();
    let run = limited(&lab, "-S -n 64", &["-j", "100"]);
    assert_eq!((run.code, run.ran().len()), (Some(0), NODES), "{:#?}\n{}", run.events, run.stderr);
    assert_eq!(warnings(&run), [""; 0]);
}

#[test]
fn programs_see_no_higher_limit_than_is_needed() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh("ulimit -S -n > $FLOW_OUT/n", ""))], "");
    limited(&lab, "-S -n 512", &["-j", "100"]).expect_ran(&["a"]);
    assert_eq!(lab.artifact("a", "n"), "512\n");
}

#[test]
fn a_file_that_grows_over_the_limit_fails_its_node_in_words() {
    let lab = Lab::new();
    let big = "head -c 9000000 /dev/zero > $FLOW_OUT/x";
    lab.pipeline(&[("a", sh(&format!("{big}; exit $?"), "")), ("b", sh(&format!("exec {big}"), ""))], "");
    let run = limited(&lab, "-f 8000", &["--keep-going"]);
    for node in ["a", "b"] {
        let message = run.failure(node);
        assert!(message.contains("SIGXFSZ") && message.contains("`ulimit -f`"), "{message}");
    }
}

/// What a node prints is kept by the engine itself.
#[test]
fn the_engine_survives_a_file_of_its_own_that_grows_over_the_limit() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh("head -c 9000000 /dev/zero; echo x > $FLOW_OUT/x", ""))], "");
    limited(&lab, "-f 8000", &[]).expect_ran(&["a"]);
    assert_eq!(lab.artifact("a", "x"), "x\n");
}

#[test]
fn a_program_that_uses_up_its_cpu_time_fails_in_words() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh("ulimit -S -t 1; while :; do :; done", ""))], "");
    let run = lab.run(&[]);
    let message = run.failure("a");
    assert!(message.contains("SIGXCPU") && message.contains("`ulimit -t`"), "{message}");
}
