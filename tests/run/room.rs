//! Disks that are full, and what writes where it should not.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::lab::{Lab, Running, sh};

/// A node that waits for the file `go` once its output is written.
fn finishes_late(script: &str) -> Lab {
    let lab = Lab::new();
    let script = format!("{}{script}; touch {}; {}", lab.tally("a"), lab.text_path("written"), lab.await_file("go"));
    lab.pipeline(&[("a", sh(script.trim_end_matches("; "), ""))], "");
    lab
}

/// Puts a plain file where the record's directory would have to be.
fn wall_off(lab: &Lab, running: &mut Running) -> std::path::PathBuf {
    let key = running.until("node_started")["key"].as_str().unwrap().to_owned();
    let shard = lab.path(&format!(".hyper-flow/records/{}", &key[..2]));
    std::fs::create_dir_all(shard.parent().unwrap()).unwrap();
    std::fs::write(&shard, "").unwrap();
    shard
}

#[test]
fn what_is_finished_and_cannot_be_published_is_published_by_the_next_run() {
    let script = "mkdir $FLOW_OUT/bin; echo content > $FLOW_OUT/out; printf '#!/bin/sh\\necho tool\\n' > $FLOW_OUT/bin/t; \
                  chmod +x $FLOW_OUT/bin/t";
    let lab = finishes_late(script);
    let mut running = lab.start(&[], &[]);
    let wall = wall_off(&lab, &mut running);
    lab.write("go", "");
    let run = running.end();
    assert_eq!(run.code, Some(3));
    let message = run.find("node_failed", "a").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("What it wrote is kept"), "{message}");
    std::fs::remove_file(wall).unwrap();

    let again = lab.run(&[]);
    again.expect_ran(&["a"]);
    assert_eq!(lab.tallied("a"), 1, "it did not run again");
    assert_eq!(lab.artifact("a", "out"), "content\n");
    let tool = Command::new(lab.path("exported/a/bin/t")).output().unwrap();
    assert_eq!(tool.stdout, b"tool\n");
    assert_eq!((lab.stored("scratch").len(), lab.stored("tmp").len()), (0, 0));
    assert!(lab.flow(&["cache", "verify"]).status.success());
}

#[test]
fn what_was_kept_and_altered_since_is_not_published() {
    let lab = finishes_late("echo content > $FLOW_OUT/out");
    let mut running = lab.start(&[], &[]);
    let wall = wall_off(&lab, &mut running);
    lab.write("go", "");
    assert_eq!(running.end().code, Some(3));
    std::fs::remove_file(wall).unwrap();
    let kept = lab.stored("scratch").into_iter().find(|path| path.ends_with("out")).unwrap();
    lab.overwrite_slyly(&kept, "CONTENT\n");
    lab.run(&[]).expect_ran(&["a"]);
    assert_eq!((lab.tallied("a"), lab.artifact("a", "out").as_str()), (2, "content\n"));
}

/// A file system of 64 MiB, for as long as it is held; `None`, with a word, where this user may not mount one.
struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    fn at(path: &Path) -> Option<SmallDisk<'_>> {
        std::fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(path));
        }
        let why = "SKIPPED: a small disk cannot be mounted here (it takes root, outside of a container)";
        let _ = writeln!(std::io::stderr(), "{why}");
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn what_a_node_discards_does_not_take_the_room_of_what_it_yields() {
    // Seven bytes of result; what is left of the disk goes to a file in the working directory.
    let lab = finishes_late("echo result > $FLOW_OUT/out; cat /dev/zero > discarded 2> /dev/null; true");
    let store = lab.path(".hyper-flow");
    let Some(_disk) = SmallDisk::at(&store) else { return };
    lab.write("go", "");
    lab.run(&[]).expect_ran(&["a"]);
    assert_eq!(lab.artifact("a", "out"), "result\n");
}

#[test]
fn what_is_finished_on_a_full_disk_is_published_when_there_is_room() {
    let lab = finishes_late("echo result > $FLOW_OUT/out");
    let store = lab.path(".hyper-flow");
    let Some(_disk) = SmallDisk::at(&store) else { return };
    let mut running = lab.start(&[], &[]);
    running.until("node_started");
    lab.await_here("written");
    // Somebody else fills the disk, to the last page.
    let filler = store.join("runs/filler");
    let status =
        Command::new("sh").arg("-c").arg(format!("cat /dev/zero > {} 2> /dev/null", filler.display())).status();
    assert!(!status.unwrap().success());
    lab.write("go", "");
    let run = running.end();
    assert_eq!(run.code, Some(3), "{:#?}", run.events);
    std::fs::remove_file(filler).unwrap();
    lab.run(&[]).expect_ran(&["a"]);
    assert_eq!((lab.tallied("a"), lab.artifact("a", "out").as_str()), (1, "result\n"));
}

/// A process that got away from its group truncates the output while it is hashed: with the file mapped, that is a SIGBUS.
#[test]
fn an_output_that_shrinks_while_it_is_published_does_not_kill_the_engine() {
    let lab = Lab::new();
    let script = "f=$FLOW_OUT/out; head -c 60000000 /dev/zero > $f; \
                  setsid sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); : > $0; truncate -s 60000000 $0; done' $f & sleep 0.1";
    lab.pipeline(&[("a", sh(script, ""))], "");
    for _ in 0..3 {
        let run = lab.run(&[]);
        assert!(matches!(run.code, Some(0 | 1 | 3)), "{run:?}");
    }
}
