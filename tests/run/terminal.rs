//! Runs and their terminals: ones that are closed, not read, or cannot do much; and outputs that are full or closed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Lab, eventually, sh};
use crate::pty::Pty;
use crate::workers::Workshop;

/// `a` waits for a file that the test makes, `b` takes what it yields.
fn waits() -> Lab {
    let lab = Lab::new();
    let wait = format!("touch {}; {}echo x > $FLOW_OUT/n", lab.text_path("begun"), lab.await_file("go"));
    lab.pipeline(&[("a", sh(&wait, "")), ("b", sh("cat $FLOW_IN_A/n > $FLOW_OUT/n", r#"inputs: {"a": "a"}"#))], "");
    lab
}

/// A shell to which its terminal belongs.
fn session(lab: &Lab, script: &str) -> Command {
    let shell = lab.shell(script, &["run", "p.ron"]);
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(shell.get_program()).args(shell.get_args());
    command.current_dir(lab.path("")).env("HOME", lab.path("")).env("TERM", "xterm");
    command
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let lab = waits();
    let terminal = Pty::new();
    let mut shell = terminal.start(&mut session(&lab, "nohup \"$0\" \"$@\"; echo ended"));
    eventually("it runs", || lab.path("begun").exists());
    drop(terminal);
    shell.wait().unwrap();
    lab.write("go", "");
    let printed = || std::fs::read_to_string(lab.path("nohup.out")).unwrap_or_default();
    eventually("it has not outlived its terminal", || printed().contains("2 ran"));
    lab.run(&[]).expect_ran(&[]);
}

#[test]
fn a_run_without_nohup_stops_with_its_terminal() {
    let lab = waits();
    let terminal = Pty::new();
    let mut shell = terminal.start(&mut session(&lab, "\"$0\" \"$@\"; echo ended"));
    eventually("it runs", || lab.path("begun").exists());
    drop(terminal);
    shell.wait().unwrap();
    eventually("it goes on without its terminal", || lab.events().contains(r#""interrupted":["a"]"#));
}

#[test]
fn what_a_script_starts_in_the_background_is_not_stopped_by_ctrl_c() {
    let lab = waits();
    let script = "\"$0\" \"$@\" > /dev/null 2>&1 & echo $! > pid; wait $!";
    let mut shell = lab.shell(script, &["run", "p.ron"]).spawn().unwrap();
    eventually("it runs", || lab.path("begun").exists());
    let pid: i32 = lab.read("pid").trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    lab.write("go", "");
    assert_eq!(shell.wait().unwrap().code(), Some(0));
    lab.run(&[]).expect_ran(&[]);
}

/// Five nodes that say much, and one that waits for a file.
fn chatty() -> Workshop {
    let mut shop = Workshop::new("");
    let does = r#"
        i=0; while [ $((i += 1)) -le 3000 ]; do say message "\"level\":\"info\",\"text\":\"word $i\""; done
        echo x > $out/x
    "#;
    let mut nodes = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        shop.lab.write(&format!("{name}.sh"), &format!("{does}# {name}"));
        nodes.push((name, format!("Digits(file: \"{name}.sh\")")));
    }
    shop.lab.write("last.sh", &format!("{}echo x > $out/x", shop.lab.await_file("go")));
    nodes.push(("last", "Digits(file: \"last.sh\")".to_owned()));
    shop.lab.pipeline(&nodes, "");
    shop.lab = shop.lab.with("TERM", "xterm");
    shop
}

fn published(shop: &Workshop) -> usize {
    shop.lab.stored("records").len()
}

#[test]
fn a_terminal_that_nobody_reads_does_not_hold_up_the_nodes() {
    let shop = chatty();
    let terminal = Pty::new();
    let mut run = terminal.start(&mut shop.command(&["run", "p.ron", "-j", "8"]));
    eventually("five nodes are published", || published(&shop) == 5);
    let reader = std::thread::spawn(move || terminal.read());
    shop.lab.write("go", "");
    assert_eq!(run.wait().unwrap().code(), Some(0));
    let text = reader.join().unwrap();
    assert!(text.contains("left out, which nobody read in time"), "{text}");
    for told in ["word 3000", "a  1 file", "last  1 file", "6 ran"] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn a_run_that_nobody_reads_ends() {
    let shop = chatty();
    shop.lab.write("go", "");
    let terminal = Pty::new();
    let mut command = shop.command(&["run", "p.ron", "-j", "8"]);
    assert_eq!(terminal.start(&mut command).wait().unwrap().code(), Some(0));
    assert_eq!(published(&shop), 6);
    let log = shop.lab.events();
    assert!(log.contains("\"summary\"") && log.contains("nobody read all that the run had to say"));
    assert_eq!(log.matches("word ").count(), 15_000, "the log has all");
}

#[test]
fn a_slow_reader_of_events_gets_every_one() {
    let shop = chatty();
    shop.lab.write("go", "");
    let mut run = shop.command(&["run", "--json", "p.ron"]).stdout(Stdio::piped()).spawn().unwrap();
    eventually("six nodes are published", || published(&shop) == 6);
    let lines: Vec<String> = BufReader::new(run.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!(run.wait().unwrap().code(), Some(0));
    let events: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "run_started");
    assert_eq!(events.last().unwrap()["event"], "summary");
    assert!(events.iter().all(|event| event.get("time").is_none()));
    let words = events.iter().filter(|event| event["node"] == "c" && event["event"] == "message");
    let expected = (1..=3000).map(|i| format!("word {i}"));
    assert!(words.map(|event| event["text"].as_str().unwrap().to_owned()).eq(expected));
}

fn one_node(script: &str) -> Lab {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh(script, ""))], "");
    lab
}

#[test]
fn where_bars_cannot_be_drawn_there_are_plain_lines() {
    for (kind, columns) in [(Some("dumb"), 80), (Some(""), 80), (Some("unknown"), 80), (None, 80), (Some("xterm"), 0)] {
        let lab = one_node("echo $0 was wrong >&2; exit 3");
        let mut command = lab.command(&["run", "p.ron"]);
        command.env("NO_COLOR", if columns == 0 { "1" } else { "" });
        match kind {
            Some(kind) => command.env("TERM", kind),
            None => command.env_remove("TERM"),
        };
        let (code, text) = Pty::of_size(columns, 24).run(&mut command);
        assert_eq!(code, Some(1), "{text}");
        for told in ["started  a", "failed  a  it exited with code 3", "| sh was wrong", "1 failed"] {
            assert!(text.contains(told), "{kind:?}: {told}: {text}");
        }
        assert!(!text.contains('\u{1b}'), "{kind:?}: {text:?}");
    }
}

#[test]
fn bars_are_drawn_where_they_can_be() {
    let lab = one_node("echo x > $FLOW_OUT/x");
    let (code, text) = Pty::new().run(lab.command(&["run", "p.ron"]).env("TERM", "xterm").env_remove("NO_COLOR"));
    assert_eq!(code, Some(0));
    assert!(text.contains("\u{1b}[32m       done\u{1b}[0m  a") && text.contains("1 ran"), "{text:?}");
    let lab = one_node("echo x > $FLOW_OUT/x");
    let (_, text) = Pty::new().run(lab.command(&["run", "p.ron"]).env("TERM", "xterm").env("NO_COLOR", "1"));
    assert!(text.contains("       done  a"), "{text:?}");
}

/// Outputs that take nothing: a full one, one that was closed, a pipe that nobody reads.
fn outputs() -> [(&'static str, &'static str); 3] {
    [("full", "exec \"$0\" \"$@\" > /dev/full"), ("closed", "exec \"$0\" \"$@\" >&-"), ("pipe", "exec \"$0\" \"$@\"")]
}

fn into(lab: &Lab, (name, script): (&str, &str), arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = lab.shell(script, arguments);
    if name == "pipe" {
        command.stdout(std::io::pipe().unwrap().1);
    }
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn events_that_cannot_be_written_are_exit_code_3_and_the_nodes_finish() {
    for output in outputs() {
        let lab = one_node("echo x > $FLOW_OUT/x");
        let (code, text) = into(&lab, output, &["run", "--json", "p.ron"]);
        assert_eq!(code, Some(3), "{output:?}: {text}");
        assert!(text.contains("not every event could be written"), "{output:?}: {text}");
        lab.run(&[]).expect_ran(&[]);
    }
}

#[test]
fn a_failed_node_is_worse_than_an_output_that_takes_nothing() {
    for output in outputs() {
        let (code, _) = into(&one_node("exit 3"), output, &["run", "--json", "p.ron"]);
        assert_eq!(code, Some(1), "{output:?}");
    }
}

#[test]
fn people_may_close_the_pipe_but_a_full_output_is_a_failure() {
    for (output, expected) in outputs().into_iter().zip([3, 3, 0]) {
        for more in [&[][..], &["--quiet"]] {
            let lab = one_node("mkdir $FLOW_OUT/x; echo x > $FLOW_OUT/x/y");
            let arguments: Vec<&str> = ["run", "p.ron"].iter().chain(more).copied().collect();
            // With nothing to show, nothing is printed that could fail.
            let expected = if more.is_empty() { expected } else { 0 };
            let (code, text) = into(&lab, output, &arguments);
            assert_eq!(code, Some(expected), "{output:?} {arguments:?}: {text}");
            lab.run(&[]).expect_ran(&[]);
        }
    }
}

#[test]
fn a_closed_output_is_a_failure_of_every_command() {
    let lab = one_node("true");
    let (code, text) = into(&lab, outputs()[1], &["check", "p.ron"]);
    assert!((code, text.contains("failed to write")) == (Some(3), true), "{text}");
    let (code, _) = into(&lab, ("null", "exec \"$0\" \"$@\" > /dev/null"), &["check", "p.ron"]);
    assert_eq!(code, Some(0));
}

#[test]
fn a_standard_error_that_takes_nothing_is_no_failure() {
    let lab = one_node("echo x > $FLOW_OUT/x");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = lab.command(&["run", "p.ron"]).stderr(full).output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), b"1 ran\n".to_vec()));
}
