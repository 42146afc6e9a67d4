//! What garbage collection keeps of runs that did not come to their end.

use rustix::process::Signal;

use crate::lab::{Lab, eventually, lives, sh};
use crate::workers::Workshop;

fn collect(lab: &Lab, options: &[&str]) -> String {
    let output = lab.flow(&[&["cache", "gc", "--keep-days", "0"], options].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_key_is_written_down_before_its_node_starts() {
    let lab = Lab::new();
    let find = format!("grep -h first {}/.hyper-flow/runs/*/keys.jsonl > $FLOW_OUT/n", lab.text_path(""));
    lab.pipeline(&[("first", sh(&find, ""))], "");
    let run = lab.run(&[]);
    run.expect_ran(&["first"]);
    let key = run.find("node_started", "first").unwrap()["key"].as_str().unwrap();
    assert_eq!(lab.artifact("first", "n"), format!("{{\"node\":\"first\",\"key\":\"{key}\"}}\n"));
}

#[test]
fn what_was_made_before_an_engine_was_killed_is_kept() {
    let lab = Lab::new();
    let wait = format!(
        "echo $$ > {pid}.new; mv {pid}.new {pid}; {}cat $FLOW_IN_FIRST/n > $FLOW_OUT/n",
        lab.await_file("go"),
        pid = lab.text_path("pid")
    );
    let first = sh(&(lab.tally("firsts") + "echo x > $FLOW_OUT/n"), "");
    lab.pipeline(&[("first", first), ("slow", sh(&wait, r#"inputs: {"first": "first"}"#))], "");
    let running = lab.start(&[], &[]);
    eventually("the slow node runs", || lab.path("pid").exists());
    let process: i32 = lab.read("pid").trim().parse().unwrap();
    running.signal(Signal::KILL);
    running.end();
    lab.write("go", "");
    eventually("the command of a killed engine lives on", || !lives(process));
    assert!(collect(&lab, &[]).starts_with("removed 0 records"));
    lab.run(&[]).expect_ran(&["slow"]);
    assert_eq!(lab.tallied("firsts"), 1);
}

#[test]
fn what_a_node_yielded_is_kept_until_it_yields_something_else() {
    let lab = Lab::new();
    let pipeline = |script: &str| lab.pipeline(&[("a", sh(script, ""))], "");
    pipeline("echo x > $FLOW_OUT/n");
    lab.run(&[]).expect_ran(&["a"]);
    pipeline("exit 1");
    lab.run(&[]).failure("a");
    assert!(collect(&lab, &[]).starts_with("removed 0 records"));
    pipeline("echo x > $FLOW_OUT/n");
    lab.run(&[]).expect_ran(&[]);
    pipeline("echo y > $FLOW_OUT/n");
    lab.run(&[]).expect_ran(&["a"]);
    assert!(collect(&lab, &[]).starts_with("removed 1 record,"));
}

#[test]
fn checkpoints_of_what_is_not_finished_stay_and_go_on() {
    let shop = Workshop::new(
        r#"
        [ -e "$scratch/checkpoint" ] && { echo "$(cat "$scratch/checkpoint")" > $out/went-on-after; exit; }
        checkpoint 7; exit 1
        "#,
    );
    shop.run(&[]).failure("a");
    for options in [&[][..], &["--all"], &["--keep-checkpoints", "0"], &["--all", "--keep-checkpoints", "0"]] {
        let told = collect(&shop.lab, options);
        assert!(shop.scratch() == 1 && told.contains(" 0 checkpoints"), "{options:?}: {told}");
    }
    shop.run(&[]).expect_ran(&["a"]);
    assert_eq!(shop.lab.artifact("a", "went-on-after"), "7\n");
}

#[test]
fn a_checkpoint_that_no_pipeline_goes_on_from_goes_by_its_own_age_and_is_told_by_its_node() {
    let shop = Workshop::new("checkpoint 7; exit 1");
    shop.run(&[]).failure("a");
    shop.lab.write("does.sh", "checkpoint 8; exit 1");
    shop.run(&[]).failure("a");
    assert_eq!(shop.scratch(), 2);
    assert!(collect(&shop.lab, &[]).contains(" 0 checkpoints") && shop.scratch() == 2, "it is young");
    let told = |dry: &[&str]| {
        let text = collect(&shop.lab, &[&["--keep-checkpoints", "0"], dry].concat());
        text.lines().skip(1).map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let planned = told(&["--dry-run"]);
    assert_eq!((planned.as_slice(), shop.scratch()), (["1 checkpoint  a  p.ron".to_owned()].as_slice(), 2));
    assert_eq!((told(&[]), shop.scratch()), (planned, 1));
    shop.lab.write("does.sh", r#"cat "$scratch/checkpoint" > $out/checkpoint"#);
    std::fs::remove_file(shop.lab.path("p.ron")).unwrap();
    assert_eq!((told(&[]).len(), shop.scratch()), (1, 0), "its pipeline is gone");
}

#[test]
fn a_checkpoint_is_forgotten_with_its_node() {
    let shop = Workshop::new("checkpoint 7; exit 1");
    shop.run(&[]).failure("a");
    let output = shop.lab.flow(&["rm", "p.ron", "a"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("a: its checkpoint is forgotten") && shop.scratch() == 0, "{told}");
}

/// What runs anew has a record, so that its checkpoint looks left over.
#[test]
fn a_checkpoint_of_what_is_forced_to_run_anew_stays() {
    let shop = Workshop::new(
        r#"
        [ -e "$scratch/checkpoint" ] && { cp "$scratch/checkpoint" $out/went-on-after; exit; }
        if [ -e ../../../../again ]; then checkpoint 7; exit 1; fi
        echo x > $out/x
        "#,
    );
    shop.run(&[]).expect_ran(&["a"]);
    shop.lab.write("again", "");
    shop.run(&["--force", "a"]).failure("a");
    collect(&shop.lab, &[]);
    shop.run(&["--force", "a"]).expect_ran(&["a"]);
    assert_eq!(shop.lab.artifact("a", "went-on-after"), "7\n");
}
