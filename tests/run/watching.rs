//! `run --watch`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Lab, eventually, sh};
use crate::workers::Workshop;

/// A run that watches. Dropped, it is killed.
struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
}

impl Watching {
    fn of(mut command: std::process::Command) -> Watching {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Watching { child, lines }
    }

    /// What it says until a line contains this.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        let mut told = String::new();
        for line in self.lines.by_ref() {
            told += &(line.unwrap() + "\n");
            if told.lines().last().unwrap().contains(text) {
                return told;
            }
        }
        panic!("{text} never comes: {told}");
    }

    fn ends(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const WAITS: &str = "watching p.ron, and what it reads";

/// `a` tells what `data` holds, `b` takes that.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("data", "one");
    let read = sh("cat $FLOW_FILE_D > $FLOW_OUT/n", r#"files: {"d": "data"}"#);
    lab.pipeline(&[("a", read), ("b", sh("cat $FLOW_IN_A/n > $FLOW_OUT/n", r#"inputs: {"a": "a"}"#))], "");
    lab
}

#[test]
fn what_is_saved_is_run_again_and_what_changes_nothing_is_not() {
    let lab = lab();
    let mut watching = Watching::of(lab.command(&["run", "p.ron", "--watch"]));
    assert!(watching.until(WAITS).contains("done  b"));
    lab.write("data", "two");
    assert!(watching.until(WAITS).contains("started  a  Command, 1 thread: file data changed"));
    assert_eq!(lab.artifact("b", "n"), "two");
    // As editors do it, and with a comment only: nothing is run, and the next thing that is heard is of the change after it.
    lab.write("new", &(lab.read("p.ron") + "// a comment\n"));
    std::fs::rename(lab.path("new"), lab.path("p.ron")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    lab.write("p.ron", &lab.read("p.ron").replace("cat $FLOW_IN_A/n", "echo three"));
    let told = watching.until(WAITS);
    assert!(told.contains("cached  a") && told.contains("done  b") && told.matches(" run  ").count() == 1, "{told}");
    assert_eq!(watching.ends(Signal::INT), Some(130));
}

#[test]
fn a_mistake_is_told_and_waited_on() {
    let lab = lab();
    let good = lab.read("p.ron");
    lab.write("p.ron", &good.replace("Command(", "Comand("));
    let mut watching = Watching::of(lab.command(&["run", "p.ron", "--watch"]));
    assert!(watching.until("waiting until p.ron is saved").contains("Comand"));
    lab.write("p.ron", &good);
    watching.until(WAITS);
    lab.write("p.ron", &good.replace("Command(", "Comand("));
    watching.until("waiting until p.ron is saved");
    lab.write("p.ron", &good.replace("cat $FLOW_IN_A/n", "echo three"));
    assert!(watching.until(WAITS).contains("done  b"));
    assert_eq!(watching.ends(Signal::TERM), Some(130));
}

#[test]
fn what_runs_is_let_finish_if_it_is_as_before() {
    let lab = Lab::new();
    let write = |text: &str| {
        let slow = format!("touch {}; {}echo x > $FLOW_OUT/n", lab.text_path("begun"), lab.await_file("go"));
        let next = sh(&format!("echo {text} > $FLOW_OUT/n"), r#"inputs: {"a": "a"}"#);
        lab.pipeline(&[("a", sh(&(lab.tally("tally") + &slow), "")), ("b", next)], "");
    };
    write("one");
    let mut watching = Watching::of(lab.command(&["run", "p.ron", "--watch"]));
    eventually("it runs", || lab.path("begun").exists());
    write("two");
    watching.until("p.ron was saved: what runs is let finish");
    lab.write("go", "");
    let told = watching.until(WAITS);
    assert!(told.contains("skipped  b  the run stopped first"), "{told}");
    assert_eq!((lab.artifact("b", "n"), lab.tallied("tally")), ("two\n".to_owned(), 1));
    assert_eq!(watching.ends(Signal::INT), Some(130));
}

#[test]
fn what_runs_stops_with_a_checkpoint_if_it_is_another_one_now() {
    let shop = Workshop::new("");
    shop.lab.write("slow.sh", &format!("step 1; touch {}; {}", shop.lab.text_path("begun"), shop.lab.await_file("go")));
    shop.lab.write("quick.sh", "step 1; echo x > $out/x");
    let write = |file: &str| shop.lab.pipeline(&[("a", format!("Digits(file: \"{file}\")"))], "");
    write("slow.sh");
    let mut watching = Watching::of(shop.command(&["run", "p.ron", "--watch"]));
    eventually("it runs", || shop.lab.path("begun").exists());
    write("none.sh");
    watching.until("p.ron was saved with a mistake, and is not used");
    write("quick.sh");
    watching.until("p.ron was saved: what runs stops");
    let told = watching.until(WAITS);
    assert!(told.contains("stopped  a") && told.contains("done  a"), "{told}");
    assert_eq!(watching.ends(Signal::INT), Some(130));
}

#[test]
fn ctrl_c_ends_a_run_that_watches() {
    let lab = Lab::new();
    let slow = format!("touch {}; {}", lab.text_path("begun"), lab.await_file("go"));
    lab.pipeline(&[("a", sh(&slow, ""))], "");
    let mut watching = Watching::of(lab.command(&["run", "p.ron", "--watch"]));
    eventually("it runs", || lab.path("begun").exists());
    kill_process(Pid::from_child(&watching.child), Signal::INT).unwrap();
    let told = watching.until("stopped  a");
    assert!(told.contains("stopping"), "{told}");
    assert_eq!(watching.child.wait().unwrap().code(), Some(130));
}
