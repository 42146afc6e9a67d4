//! Escape sequences of programs, workers and names: visible wherever people read, and kept where they were printed.

use crate::lab::{Lab, sh};
use crate::pty::Pty;
use crate::workers::Workshop;

/// Clears a screen, renames a window, rings, goes back to the start of the line, and is red.
const PRINTS: &str = r"printf '\033[2J\033]0;title\007\033[31mred\033[0m\rover\302\2332J\n'";
const SHOWN: &str = "␛[2J␛]0;title␇red";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn harmless(text: &str) {
    let obeyed = |char: char| char.is_control() && char != '\n' && char != '\t';
    assert!(!text.contains(obeyed), "{text:?}");
}

/// What a command tells people on a pipe, both streams of it.
fn told(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.flow(arguments);
    text(&[output.stdout, output.stderr].concat())
}

#[test]
fn what_a_program_printed_is_shown_harmless_and_kept_as_it_is() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh(&format!("{PRINTS}; {PRINTS} >&2; exit 3"), ""))], "");
    for arguments in [["run", "p.ron"].as_slice(), &["run", "-q", "p.ron"], &["log", "p.ron", "a"]] {
        let said = told(&lab, arguments);
        harmless(&said);
        assert!(said.contains(SHOWN), "{arguments:?}: {said}");
    }
    let raw = "\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}[31mred\u{1b}[0m\rover\u{9b}2J\n";
    assert_eq!(told(&lab, &["log", "p.ron", "a", "-q"]), raw, "for scripts");
    let files =
        lab.stored("runs").into_iter().filter(|path| path.ends_with("stdout.log") || path.ends_with("stderr.log"));
    assert!(files.map(|path| text(&std::fs::read(path).unwrap())).all(|kept| kept == raw));
}

#[test]
fn a_terminal_is_not_told_what_to_do() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh(&format!("{PRINTS} >&2; exit 3"), ""))], "");
    for arguments in [["run", "p.ron"].as_slice(), &["log", "p.ron", "a"], &["log", "-q", "p.ron", "a"]] {
        let mut command = lab.command(arguments);
        let (_, said) = Pty::new().run(command.env("TERM", "xterm").env("NO_COLOR", "1"));
        assert!(said.contains(SHOWN) && !said.contains("\u{1b}[2J") && !said.contains("\u{1b}]0"), "{said:?}");
    }
}

#[test]
fn what_a_worker_says_is_shown_harmless() {
    let escape = r"\u001b[2J\u0007";
    let shop = Workshop::new(&format!(
        r#"
        say message '"level":"warning","text":"one {escape}"'; say metric '"name":"two {escape}","value":1'
        say progress '"done":1,"of":2,"unit":"three {escape}"'
        printf 'four \033[2J\007\n' > $out/t.txt; say show '"path":"t.txt"'
        [ -n "$FAILS" ] && say message '"level":"error","text":"five {escape}"' && exit 1
        true
        "#
    ));
    let run = |fails: &str| {
        let mut command = shop.command(&["run", "p.ron"]);
        if !fails.is_empty() {
            command.env("FAILS", fails);
        }
        let output = command.output().unwrap();
        text(&[output.stdout, output.stderr].concat())
    };
    let (failed, ran) = (run("1"), run(""));
    let shown = told(&shop.lab, &["show", "p.ron", "a"]);
    assert!(shown.contains("one ␛[2J␇"), "{shown}");
    let said = [failed, ran, shown, told(&shop.lab, &["log", "p.ron", "a"])].concat();
    harmless(&said);
    for number in ["one", "two", "three", "four", "five"] {
        assert!(said.contains(&format!("{number} ␛[2J␇")), "{number}: {said}");
    }
}

#[test]
fn names_and_metrics_are_shown_harmless() {
    let lab = Lab::new();
    let script =
        r#"cd $FLOW_OUT; echo x > "$(printf 'name\033[2J')"; echo '{"one": "metric\u001b[2J"}' > metrics.json"#;
    lab.pipeline(&[("a", sh(script, "output: Metrics"))], "");
    for arguments in [["run", "p.ron"].as_slice(), &["show", "p.ron", "a"], &["export", "p.ron", "a", "out"]] {
        harmless(&told(&lab, arguments));
    }
    let said = told(&lab, &["show", "p.ron", "a"]);
    assert!(said.contains("name␛[2J") && said.contains("metric"), "{said}");
    let missing = told(&lab, &["show", "p.ron", "a", "none\u{1b}[2J"]);
    assert!(missing.contains("none␛[2J") && missing.contains("name␛[2J"), "{missing}");
    harmless(&missing);
}

#[test]
fn a_file_is_raw_in_a_pipe_and_a_terminal_gets_only_text() {
    let lab = Lab::new();
    let script =
        r"cd $FLOW_OUT; printf 'a\033[2Jb\n' > text; printf 'a\000\033[2J' > zero; printf '\377\033[2J' > binary";
    lab.pipeline(&[("a", sh(script, ""))], "");
    lab.run(&[]).expect_ran(&["a"]);
    let show = |file| lab.command(&["show", "p.ron", "a", file]);
    for (file, raw) in [("text", &b"a\x1b[2Jb\n"[..]), ("zero", b"a\0\x1b[2J"), ("binary", b"\xff\x1b[2J")] {
        assert_eq!(show(file).output().unwrap().stdout, raw);
    }
    let (code, said) = Pty::new().run(&mut show("text"));
    assert_eq!((code, said.as_str()), (Some(0), "a␛[2Jb\r\n"));
    for file in ["zero", "binary"] {
        let (code, said) = Pty::new().run(&mut show(file));
        assert!(code == Some(2) && said.contains("is no text") && !said.contains("\u{1b}[2J"), "{said:?}");
    }
}
