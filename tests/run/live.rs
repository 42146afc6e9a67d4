//! What a terminal shows while a run goes on, as somebody in front of it sees it.

use unicode_width::UnicodeWidthStr;

use crate::lab::{Lab, sh};
use crate::pty::Pty;
use crate::workers::Workshop;

/// The rows of a terminal on which this was printed, without those that are empty.
fn seen(text: &str, columns: u16) -> String {
    let mut terminal = vt100::Parser::new(24, columns, 0);
    terminal.process(text.as_bytes());
    let rows = terminal.screen().rows(0, columns).map(|row| row.trim_end().to_owned());
    rows.filter(|row| !row.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Without what differs from run to run.
fn plain(text: &str) -> String {
    let text = text.lines().map(|line| match line.find(": p, ") {
        Some(at) => format!("        run  [RUN]{}", &line[at..]),
        None => line.to_owned(),
    });
    text.collect::<Vec<_>>().join("\n")
}

/// A training of ten steps that waits after three of them, and one that takes what it yields.
fn waiting() -> Workshop {
    let mut shop = Workshop::new("");
    let does = format!("step 1; step 2; step 3; {}step 10; echo x > $out/x", shop.lab.await_file("go"));
    shop.lab.write("does.sh", &does);
    let takes = sh("echo y > $FLOW_OUT/y", r#"inputs: {"a": "a-training-with-a-long-name"}"#);
    shop.lab.pipeline(
        &[
            ("a-training-with-a-long-name", "Digits(file: \"does.sh\")".to_owned()),
            ("b", takes),
            ("cached", sh("echo z > $FLOW_OUT/z", "")),
        ],
        r#""*": (threads: 1)"#,
    );
    shop.lab = shop.lab.with("TERM", "xterm").with("NO_COLOR", "1");
    assert!(shop.command(&["run", "p.ron", "cached"]).output().unwrap().status.success());
    shop
}

#[test]
fn what_runs_and_the_whole_are_in_the_last_lines_as_wide_as_the_terminal_allows() {
    for columns in [200, 80, 40, 20] {
        let shop = waiting();
        let terminal = Pty::of_size(columns, 24);
        let mut run = terminal.start(&mut shop.command(&["run", "p.ron", "-j", "1"]));
        let text = terminal.read_until("3/10") + &terminal.read_until("nodes");
        let shown = seen(&text, columns);
        let [.., bar, whole] = &shown.lines().collect::<Vec<_>>()[..] else { panic!("{shown}") };
        assert!(bar.contains("a-train") && bar.width() < usize::from(columns), "{shown}");
        assert!(whole.starts_with("  1/3 nodes") && whole.width() < usize::from(columns), "{shown}");
        assert_eq!(bar.contains("loss 0.5000"), columns > 40, "{bar}");
        shop.lab.write("go", "");
        let after = terminal.read();
        assert_eq!(run.wait().unwrap().code(), Some(0));
        let shown = seen(&(text + &after), columns);
        assert!(!shown.contains("/3 nodes") && shown.ends_with("2 ran, 1 cached"), "{shown}");
    }
}

#[test]
fn lines_say_why_a_node_starts_and_with_what_loss_it_is_done() {
    let shop = waiting();
    shop.lab.write("go", "");
    let (code, text) = Pty::of_size(80, 24).run(&mut shop.command(&["run", "p.ron", "-j", "1"]));
    assert_eq!(code, Some(0));
    let shown = plain(&seen(&text, 80));
    let done = shown.lines().filter(|line| !line.contains(" 1 file, ")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(done, @r"
            run  [RUN]: p, 3 nodes
         cached  cached
        started  a-training-with-a-long-name  Digits, 1 thread: never ran
        started  b  Command, 1 thread: never ran
    2 ran, 1 cached
    ");
    assert!(shown.contains(", last loss 0.5000\n"), "{shown}");
}

#[test]
fn no_line_stays_after_ctrl_c_or_in_a_narrower_terminal() {
    let shop = waiting();
    let terminal = Pty::of_size(80, 24);
    let inner = shop.command(&["run", "p.ron", "-j", "1"]);
    let mut command = std::process::Command::new("setsid");
    command.arg("--ctty").arg(inner.get_program()).args(inner.get_args());
    command.current_dir(shop.lab.path(""));
    inner.get_envs().for_each(|(name, value)| {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    });
    let mut run = terminal.start(&mut command);
    let mut text = terminal.read_until("3/10") + &terminal.read_until("nodes");
    terminal.type_in(b"\x03");
    text += &terminal.read();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let shown = seen(&text, 80);
    assert!(text.contains("^C") && shown.contains("stopped  a-training"), "{shown}");
    for gone in ["━", "nodes ·", "3/3 nodes", "1/3 nodes", "^C"] {
        assert!(!shown.contains(gone), "{gone}: {shown}");
    }
}

#[test]
fn a_terminal_that_gets_narrower_is_drawn_on_as_wide_as_it_is() {
    let shop = waiting();
    let terminal = Pty::of_size(120, 24);
    let mut run = terminal.start(&mut shop.command(&["run", "p.ron", "-j", "1"]));
    terminal.read_until("3/10");
    terminal.resize(50, 24);
    // Each of the two lines was a row, and the longer one is two now.
    terminal.read_until("\u{1b}[3A");
    let lines = terminal.read_until("nodes");
    let widest = lines.split("\r\n").map(|line| line.trim_start_matches("\u{1b}[J").width()).max();
    assert!(widest < Some(50), "{lines:?}");
    shop.lab.write("go", "");
    terminal.read();
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn the_time_that_is_left_is_what_earlier_runs_took() {
    let shop = waiting();
    shop.lab.write("go", "");
    assert!(shop.command(&["run", "p.ron"]).output().unwrap().status.success());
    std::fs::remove_file(shop.lab.path("go")).unwrap();
    shop.lab.write("does.sh", &(shop.lab.read("does.sh") + "\n# another one"));
    let terminal = Pty::new();
    let mut run = terminal.start(&mut shop.command(&["run", "p.ron", "-j", "1"]));
    terminal.read_until("1/3 nodes · about 10 s left");
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn pictures_that_are_drawn_while_training_are_named() {
    let shop = Workshop::new(
        r#"step 1; mkdir -p $log; echo picture > $log/step-1.png; say sample '"step":1,"path":"step-1.png"'; echo x > $out/x"#,
    );
    let output = shop.command(&["run", "p.ron"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let line = text.lines().find(|line| line.contains("drew")).unwrap_or_else(|| panic!("{text}"));
    let path = line.strip_prefix("       drew  a  after step 1: ").unwrap();
    assert!(path.starts_with(".hyper-flow/runs/"), "{path}");
    assert_eq!(shop.lab.read(path), "picture\n");
    assert!(text.contains("last loss 0.5000"), "{text}");
}

#[test]
fn a_node_whose_input_came_out_different_says_so() {
    let lab = Lab::new();
    let write = |what: &str| {
        let takes = sh("cat $FLOW_IN_X/n > $FLOW_OUT/n", r#"inputs: {"x": "a"}"#);
        lab.pipeline(&[("a", sh(&format!("echo {what} > $FLOW_OUT/n"), "")), ("b", takes)], "");
    };
    write("one");
    lab.run(&[]).expect_ran(&["a", "b"]);
    write("two");
    let run = lab.run(&[]);
    run.expect_ran(&["a", "b"]);
    assert_eq!(run.find("node_started", "b").unwrap()["reason"], "inputs.x: a changed");
}
