//! Processes that outlive a killed engine.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Lab, Running, eventually, lives, sh};

/// A node that says that it begins, waits for a file, and says that it ends.
fn lab() -> Lab {
    let lab = Lab::new();
    let said = lab.text_path("said");
    let pid = lab.text_path("pid");
    // It is asked to end by what guards it, and does not.
    let script = format!(
        "trap '' TERM; echo begins >> {said}; echo $$ > {pid}.new; mv {pid}.new {pid}; {}echo ends >> {said}; \
         echo x > $FLOW_OUT/n",
        lab.await_file("go")
    );
    lab.pipeline(&[("a", sh(&script, ""))], "");
    lab
}

/// Starts the node, and kills its engine and what guards over it.
fn orphan(lab: &Lab) -> i32 {
    let running = lab.start(&["--grace", "60"], &[]);
    eventually("the node runs", || lab.path("pid").exists());
    let node: i32 = lab.read("pid").trim().parse().unwrap();
    let names_it = |lock: &PathBuf| fs::read_to_string(lock).unwrap().ends_with(&format!("(process {node})"));
    eventually("the lock names the node's process", || lab.stored("locks").iter().any(names_it));
    let engine = running.id();
    for guard in guards(engine) {
        kill_process(Pid::from_raw(guard).unwrap(), Signal::KILL).unwrap();
    }
    running.signal(Signal::KILL);
    assert_eq!(Running::end(running).code, None);
    fs::remove_file(lab.path("pid")).unwrap();
    node
}

/// The shells that end the processes of an engine when it is killed.
fn guards(engine: u32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_guard = |pid: &i32| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let parent = read("stat").rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        parent == Some(engine) && read("cmdline").contains("\0guard\0")
    };
    processes.filter(is_guard).collect()
}

#[test]
fn a_node_is_not_started_while_an_orphan_is_still_at_it() {
    let lab = lab();
    let orphan = orphan(&lab);
    assert!(lives(orphan));
    let mut second = lab.start(&[], &[]);
    let waiting = second.until("node_waiting");
    let holder = waiting["holder"].as_str().unwrap().to_owned();
    assert!(holder.starts_with(&format!("process {orphan} of run 2")), "{holder}");
    assert!(holder.ends_with(", whose engine is gone"), "{holder}");
    lab.write("go", "");
    second.end().expect_ran(&["a"]);
    assert_eq!(lab.read("said"), "begins\nends\nbegins\nends\n", "one after the other");
    assert!(!lives(orphan));
}

#[test]
fn what_guards_over_a_node_does_not_hold_its_key() {
    let lab = Lab::new();
    let pid = lab.text_path("pid");
    let wait = lab.await_file("go");
    lab.pipeline(&[("a", sh(&format!("echo $$ > {pid}.new; mv {pid}.new {pid}; {wait}echo x > $FLOW_OUT/n"), ""))], "");
    // The guard is there for so long, whether the node has ended or not.
    let running = lab.start(&["--grace", "20"], &[]);
    eventually("the node runs", || lab.path("pid").exists());
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, None);
    lab.write("go", "");
    let node = lab.read("pid").trim().parse().unwrap();
    eventually("the node ends", || !lives(node));
    let run = lab.run(&[]);
    run.expect_ran(&["a"]);
    assert_eq!(run.find("node_waiting", "a"), None);
}

#[test]
fn collection_leaves_what_an_orphan_works_on_and_says_so() {
    let lab = lab();
    let orphan = orphan(&lab);
    let collect = || {
        let output = lab.flow(&["cache", "gc", "--keep-days", "0", "--all"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let told = collect();
    assert!(told.contains("left alone: a of p.ron, which a process still works on whose engine is gone"), "{told}");
    assert!(lives(orphan) && fs::read_dir(lab.path(".hyper-flow/tmp")).unwrap().count() == 1);
    lab.write("go", "");
    eventually("the orphan ends", || !lives(orphan));
    let told = collect();
    assert!(told.contains("1 left-over") && !told.contains("left alone"), "{told}");
    assert_eq!(fs::read_dir(lab.path(".hyper-flow/tmp")).unwrap().count(), 0);
    assert_eq!(lab.stored("locks").iter().filter(|path| path.file_name().unwrap().len() == 64).count(), 0);
}
