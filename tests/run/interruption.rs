//! Being stopped: Ctrl-C, SIGTERM, kill -9.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::lab::{Lab, TICK, eventually, lives, sh};

/// `first` is done at once; `slow` waits for a file that the test makes.
fn slow() -> Lab {
    let lab = Lab::new();
    let wait = format!(
        "echo $$ > {pid}.new; mv {pid}.new {pid}; {}cat $FLOW_IN_FIRST/n > $FLOW_OUT/n",
        lab.await_file("go"),
        pid = lab.text_path("pid")
    );
    lab.pipeline(
        &[
            ("first", sh(&(lab.tally("firsts") + "echo x > $FLOW_OUT/n"), "")),
            ("slow", sh(&wait, r#"inputs: {"first": "first"}"#)),
            ("slower", sh("cat $FLOW_IN_SLOW/n > $FLOW_OUT/n", r#"inputs: {"slow": "slow"}"#)),
        ],
        "",
    );
    lab
}

fn pid(lab: &Lab) -> i32 {
    eventually("the slow node runs", || lab.path("pid").exists());
    lab.read("pid").trim().parse().unwrap()
}

#[test]
fn ctrl_c_stops_what_runs_and_keeps_what_is_done() {
    for signal in [Signal::INT, Signal::TERM] {
        let lab = slow();
        let running = lab.start(&[], &[]);
        let process = pid(&lab);
        running.signal(signal);
        let run = running.end();
        assert_eq!(run.code, Some(130));
        assert_eq!(
            (run.ran(), run.list("interrupted"), run.list("skipped")),
            (vec!["first"], vec!["slow"], vec!["slower"])
        );
        assert!(!lives(process));
        lab.write("go", "");
        lab.run(&[]).expect_ran(&["slow", "slower"]);
        assert_eq!(lab.tallied("firsts"), 1);
    }
}

#[test]
fn ctrl_c_twice_kills_what_will_not_listen() {
    let lab = Lab::new();
    let script = format!("trap '' TERM; touch {}; while :; do {TICK}; done", lab.text_path("deaf"));
    lab.pipeline(&[("deaf", sh(&script, ""))], "");
    let mut running = lab.start(&["--grace", "600"], &[]);
    eventually("it runs", || lab.path("deaf").exists());
    running.signal(Signal::INT);
    assert_eq!(running.until("stopping")["now"], false);
    // At once it would be the same request.
    std::thread::sleep(Duration::from_millis(1100));
    running.signal(Signal::INT);
    assert_eq!(running.until("stopping")["now"], true);
    let run = running.end();
    assert_eq!((run.code, run.list("interrupted")), (Some(130), vec!["deaf"]));
}

/// As Slurm does it: every process of the job gets the signal, and the engine not first.
#[test]
fn a_program_that_a_signal_to_the_whole_job_ended_was_interrupted() {
    let lab = slow();
    let running = lab.start(&[], &[]);
    let process = pid(&lab);
    kill_process_group(Pid::from_raw(process).unwrap(), Signal::USR1).unwrap();
    eventually("the program lives", || !lives(process));
    running.signal(Signal::USR1);
    let run = running.end();
    assert_eq!((run.code, run.list("interrupted")), (Some(130), vec!["slow"]));
}

/// A program that ends well because it was asked to stop has not done its work.
#[test]
fn what_ends_well_after_being_asked_to_stop_is_not_published() {
    let lab = Lab::new();
    let script = format!(
        "trap 'echo half > $FLOW_OUT/n; exit 0' TERM; touch {}; while :; do {TICK}; done",
        lab.text_path("begun")
    );
    lab.pipeline(&[("a", sh(&script, ""))], "");
    let running = lab.start(&[], &[]);
    eventually("it runs", || lab.path("begun").exists());
    running.signal(Signal::INT);
    let run = running.end();
    assert_eq!((run.code, run.list("interrupted")), (Some(130), vec!["a"]));
    assert_eq!(lab.stored("records").len(), 0);
}

#[test]
fn after_kill_9_the_next_run_goes_on() {
    let lab = slow();
    let running = lab.start(&[], &[]);
    let process = pid(&lab);
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, None);
    eventually("the command of a killed engine lives on", || !lives(process));
    lab.write("go", "");
    let run = lab.run(&[]);
    run.expect_ran(&["slow", "slower"]);
    assert_eq!(run.list("cached"), ["first"]);
    assert_eq!((lab.tallied("firsts"), lab.artifact("slower", "n")), (1, "x\n".to_owned()));
    let verified = lab.flow(&["cache", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
