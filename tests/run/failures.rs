//! How things go wrong, and what is said about it.

use crate::lab::{Lab, TICK, eventually, lives, sh};

fn one(script: &str) -> Lab {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh(script, ""))], "");
    lab
}

#[test]
fn a_program_that_fails() {
    let run = one("echo to stdout; echo the reason >&2; echo x > $FLOW_OUT/out; exit 3").run(&[]);
    assert_eq!(run.failure("a"), "it exited with code 3");
    let failed = run.find("node_failed", "a").unwrap();
    assert_eq!(failed["output"], "the reason");
}

#[test]
fn a_program_that_complains_on_standard_output() {
    let run = one("echo the reason; exit 1").run(&[]);
    run.failure("a");
    assert_eq!(run.find("node_failed", "a").unwrap()["output"], "the reason");
}

#[test]
fn a_program_that_is_killed() {
    let run = one("kill -9 $$").run(&[]);
    assert!(run.failure("a").contains("SIGKILL") && run.failure("a").contains("memory"));
    assert!(one("kill -SEGV $$").run(&[]).failure("a").contains("SIGSEGV"));
}

#[test]
fn a_program_that_writes_nothing() {
    let run = one("mkdir $FLOW_OUT/empty; echo hm >&2").run(&[]);
    assert!(run.failure("a").contains("wrote nothing into $FLOW_OUT"), "{}", run.failure("a"));
    assert_eq!(run.find("node_failed", "a").unwrap()["output"], "hm");
}

#[test]
fn a_program_that_removes_its_output() {
    let message = one("rm -r $FLOW_OUT; ln -s /tmp $FLOW_OUT").run(&[]).failure("a").to_owned();
    assert!(message.contains("removed or replaced $FLOW_OUT"), "{message}");
}

#[test]
fn programs_that_are_missing() {
    let lab = Lab::new();
    let command = |program: &str| format!("Command(program: [\"{program}\"])");
    lab.pipeline(&[("a", command("no-such-program")), ("b", command("./script.sh")), ("c", command("/no/such"))], "");
    let run = lab.run(&["--keep-going"]);
    assert_eq!(run.failure("a"), "there is no program `no-such-program`: install it, or see that it is on PATH");
    assert!(run.failure("b").contains("$FLOW_FILE_SCRIPT"), "{}", run.failure("b"));
    assert!(run.failure("c").contains("interpreter"), "{}", run.failure("c"));
    assert_eq!(run.list("failed"), ["a", "b", "c"]);
}

#[test]
fn a_program_that_may_not_be_executed() {
    let lab = Lab::new();
    lab.write("plain.txt", "text");
    lab.pipeline(&[("a", format!("Command(program: [\"{}\"])", lab.text_path("plain.txt")))], "");
    assert!(lab.run(&[]).failure("a").starts_with("failed to start `"));
}

#[test]
fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let lab = Lab::new();
    let script = format!("sleep 300 & echo $! > {}; wait", lab.text_path("pid"));
    lab.pipeline(&[("a", sh(&script, ""))], r#""a": (timeout: "1 s")"#);
    let run = lab.run(&[]);
    let message = run.failure("a");
    assert!(message.contains("timeout of 1 s") && message.contains("raise `timeout`"), "{message}");
    let pid: i32 = lab.read("pid").trim().parse().unwrap();
    eventually("the grandchild lives on", || !lives(pid));
}

#[test]
fn a_program_that_ignores_being_asked_is_killed_after_the_grace() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh(&format!("trap '' TERM; while :; do {TICK}; done"), ""))], r#""a": (timeout: "1 s")"#);
    assert!(lab.run(&["--grace", "0"]).failure("a").contains("timeout of 1 s"));
}

#[test]
fn symbolic_links_and_pipes_cannot_be_kept() {
    let run = one("ln -s /etc/hostname $FLOW_OUT/link").run(&[]);
    let message = run.failure("a");
    assert!(message.contains("link") && message.contains("symbolic link"), "{message}");
    let run = one("mkfifo $FLOW_OUT/pipe").run(&[]);
    assert!(run.failure("a").contains("fifo") || run.failure("a").contains("pipe"), "{}", run.failure("a"));
}

#[test]
fn an_altered_input_fails_the_node_and_is_made_anew() {
    let lab = Lab::new();
    let vandal = "chmod u+w $FLOW_IN_A/out; echo evil > $FLOW_IN_A/out; echo x > $FLOW_OUT/out";
    let nodes = |script: &str| [("a", sh("echo good > $FLOW_OUT/out", "")), ("b", sh(script, r#"inputs: {"a": "a"}"#))];
    lab.pipeline(&nodes(vandal), "");
    let run = lab.run(&[]);
    let message = run.failure("b");
    assert!(message.contains("changed its input `inputs.a` (`out`)"), "{message}");
    lab.pipeline(&nodes("cat $FLOW_IN_A/out > $FLOW_OUT/out"), "");
    let again = lab.run(&[]);
    assert_eq!(again.code, Some(0));
    assert!(again.ran().contains(&"b"));
    assert_eq!((lab.artifact("a", "out"), lab.artifact("b", "out")), ("good\n".into(), "good\n".into()));
}

#[test]
fn the_first_failure_keeps_more_nodes_from_starting_unless_told_to_keep_going() {
    let lab = Lab::new();
    lab.pipeline(
        &[
            ("a", sh("exit 1", "")),
            ("b", sh("echo x > $FLOW_OUT/out", r#"inputs: {"a": "a"}"#)),
            ("c", sh("echo x > $FLOW_OUT/out", r#"inputs: {"b": "b"}"#)),
            ("other", sh("echo y > $FLOW_OUT/out", "")),
        ],
        "",
    );
    let run = lab.run(&["--threads", "1"]);
    assert_eq!(run.code, Some(1));
    assert_eq!((run.list("failed"), run.list("skipped")), (vec!["a"], vec!["b", "c", "other"]));
    assert_eq!(run.find("node_skipped", "c").unwrap()["because"], "it needs `a`");
    assert_eq!(run.find("node_skipped", "other").unwrap()["because"], "the run stopped first");
    let run = lab.run(&["--threads", "1", "--keep-going"]);
    assert_eq!(run.code, Some(1));
    assert_eq!((run.list("failed"), run.ran(), run.list("skipped")), (vec!["a"], vec!["other"], vec!["b", "c"]));
}

#[test]
fn nodes_that_run_when_another_fails_are_let_finish() {
    let lab = Lab::new();
    let slow = format!("touch {}; {}echo x > $FLOW_OUT/out", lab.text_path("slow-runs"), lab.await_file("a-failed"));
    lab.pipeline(&[("a", sh(&(lab.await_file("slow-runs") + "exit 1"), "")), ("slow", sh(&slow, ""))], "");
    let mut running = lab.start(&["--threads", "2"], &[]);
    running.until("node_failed");
    lab.write("a-failed", "");
    let run = running.end();
    assert_eq!((run.code, run.list("failed"), run.ran()), (Some(1), vec!["a"], vec!["slow"]));
}

#[test]
fn retries_are_counted_and_say_so() {
    let lab = Lab::new();
    let script =
        lab.tally("tries") + &format!("[ $(wc -l < {}) -ge 3 ] && echo x > $FLOW_OUT/out", lab.text_path("tries"));
    lab.pipeline(&[("a", sh(&script, ""))], r#""a": (retries: 2)"#);
    let run = lab.run(&[]);
    run.expect_ran(&["a"]);
    let left: Vec<u64> = run
        .events
        .iter()
        .filter(|event| event["event"] == "node_retried")
        .map(|event| event["left"].as_u64().unwrap())
        .collect();
    assert_eq!(left, [1, 0]);
    let lab = Lab::new();
    lab.pipeline(&[("a", sh(&(lab.tally("tries") + "exit 1"), ""))], r#""a": (retries: 2)"#);
    lab.run(&[]).failure("a");
    assert_eq!(lab.tallied("tries"), 3);
}

#[test]
fn what_the_machine_cannot_give_is_said() {
    let lab = Lab::new();
    lab.pipeline(
        &[("gpus", sh("echo x > $FLOW_OUT/out", "")), ("memory", sh("echo y > $FLOW_OUT/out", ""))],
        r#""gpus": (gpus: 3), "memory": (memory: "2 GiB")"#,
    );
    let run = lab.run(&["--gpus", "0", "--memory", "1", "--keep-going"]);
    assert!(run.failure("gpus").contains("it wants 3 GPUs, and no GPU is seen here"));
    assert!(run.failure("memory").contains("declares 2.0 GiB of memory, and there are 1.0"));
}

#[test]
fn exit_codes_of_a_wrong_pipeline_and_a_broken_store() {
    let lab = Lab::new();
    lab.write("p.ron", "Pipeline(nodes: {");
    assert_eq!(lab.run(&[]).code, Some(2));
    let lab = one("echo x > $FLOW_OUT/out");
    assert_eq!(lab.run(&["no-such-node"]).code, Some(2));
    lab.write("occupied/file", "not a store");
    assert_eq!(lab.run(&["--store", "occupied"]).code, Some(3));
}
