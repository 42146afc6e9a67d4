//! `run --force`.

use crate::lab::{Lab, sh};

/// `a` yields what is in a file, and counts how often; `b` takes it.
fn lab() -> Lab {
    let lab = Lab::new();
    let script = format!("{}cat {} > $FLOW_OUT/n", lab.tally("runs"), lab.text_path("yields"));
    lab.write("yields", "1");
    lab.pipeline(&[("a", sh(&script, "")), ("b", sh("cat $FLOW_IN_A/n > $FLOW_OUT/n", r#"inputs: {"a": "a"}"#))], "");
    lab.run(&[]).expect_ran(&["a", "b"]);
    lab
}

#[test]
fn a_forced_node_runs_and_what_comes_out_the_same_runs_nothing() {
    let lab = lab();
    let dry = lab.flow(&["run", "p.ron", "--force", "a", "--dry-run"]);
    let dry = String::from_utf8(dry.stdout).unwrap();
    assert!(dry.contains("run    a  Command  forced") && dry.contains("maybe  b  Command  input a will run"), "{dry}");
    let run = lab.run(&["--force", "a"]);
    run.expect_ran(&["a"]);
    assert_eq!((run.list("cached"), lab.tallied("runs")), (vec!["b"], 2));
    assert_eq!(run.find("node_started", "a").unwrap()["reason"], "forced");
    lab.run(&[]).expect_ran(&[]);
}

#[test]
fn what_comes_out_different_takes_the_old_ones_place() {
    let lab = lab();
    lab.write("yields", "2");
    lab.run(&[]).expect_ran(&[]);
    lab.run(&["--force", "a"]).expect_ran(&["a", "b"]);
    assert_eq!(lab.artifact("b", "n"), "2");
    lab.run(&[]).expect_ran(&[]);
    let verified = lab.flow(&["cache", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn a_forced_node_that_fails_leaves_what_there_was() {
    let lab = lab();
    std::fs::remove_file(lab.path("yields")).unwrap();
    lab.run(&["--force", "a"]).failure("a");
    lab.run(&[]).expect_ran(&[]);
    assert_eq!(lab.artifact("a", "n"), "1");
}

#[test]
fn two_nodes_of_one_key_take_the_same_new_artifact() {
    let lab = Lab::new();
    let script = format!("{}cat {} > $FLOW_OUT/n", lab.tally("runs"), lab.text_path("yields"));
    lab.write("yields", "1");
    let both = r#"inputs: {"x": "a", "y": "twin"}"#;
    let last = sh("cat $FLOW_IN_X/n $FLOW_IN_Y/n > $FLOW_OUT/n", both);
    lab.pipeline(&[("a", sh(&script, "")), ("twin", sh(&script, "")), ("last", last)], "");
    lab.run(&[]).expect_ran(&["a", "last"]);
    lab.write("yields", "2");
    lab.run(&["--force", "twin"]).expect_ran(&["a", "last"]);
    assert_eq!((lab.artifact("last", "n"), lab.tallied("runs")), ("22".to_owned(), 2));
}

#[test]
fn only_what_is_run_can_be_forced() {
    let lab = lab();
    let told = |arguments: &[&str]| {
        let run = lab.run(arguments);
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        run.stderr
    };
    assert!(told(&["--force", "c"]).contains("there is no node `c`"));
    assert!(told(&["a", "--force", "b"]).contains("`b` cannot be forced to run"));
    assert_eq!(lab.tallied("runs"), 1);
}
