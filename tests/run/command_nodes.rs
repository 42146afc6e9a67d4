//! What a `Command` node sees, and what becomes of what it writes.

use std::os::unix::fs::PermissionsExt;

use crate::lab::{Lab, sh};

#[test]
fn it_sees_its_inputs_its_files_and_only_the_environment_it_lists() {
    let lab = Lab::new();
    lab.write("data/one.txt", "from a file");
    let show =
        "cat $FLOW_FILE_SRC/one.txt $FLOW_IN_LEFT/deep/l > $FLOW_OUT/seen; env > $FLOW_OUT/env; ls -A > $FLOW_OUT/ls";
    lab.pipeline(
        &[
            ("left", sh("mkdir $FLOW_OUT/deep; echo -n ' and an input' > $FLOW_OUT/deep/l", "")),
            ("show", sh(show, r#"inputs: {"left": "left"}, files: {"src": "data"}, env: ["LISTED", "UNSET"]"#)),
        ],
        "",
    );
    lab.run_with(&[], &[("LISTED", "yes"), ("SECRET", "no")]).expect_ran(&["left", "show"]);
    let lab = lab.with("LISTED", "yes");
    assert_eq!(lab.artifact("show", "seen"), "from a file and an input");
    assert_eq!(lab.artifact("show", "ls"), "");
    let env = lab.artifact("show", "env");
    let mut names: Vec<&str> = env.lines().map(|line| line.split('=').next().unwrap()).collect();
    // A shell's own.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["FLOW_FILE_SRC", "FLOW_IN_LEFT", "FLOW_OUT", "HOME", "LISTED", "PATH"]);
    assert!(env.lines().any(|line| line == "LISTED=yes"));
}

#[test]
fn a_listed_variable_is_keyed_and_any_other_is_not() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh("echo $LISTED > $FLOW_OUT/out", r#"env: ["LISTED"]"#))], "");
    lab.run_with(&[], &[("LISTED", "1")]).expect_ran(&["a"]);
    lab.run_with(&[], &[("LISTED", "1"), ("OTHER", "2")]).expect_ran(&[]);
    lab.run_with(&[], &[("LISTED", "2")]).expect_ran(&["a"]);
    lab.run_with(&[], &[]).expect_ran(&["a"]);
    lab.run_with(&[], &[("LISTED", "1")]).expect_ran(&[]);
}

#[test]
fn executables_stay_executable_and_inputs_are_read_only() {
    let lab = Lab::new();
    let make = "printf '#!/bin/sh\\necho run\\n' > $FLOW_OUT/tool; chmod +x $FLOW_OUT/tool; mkdir $FLOW_OUT/empty";
    let modes = "stat -c %A $FLOW_IN_MAKE/tool > $FLOW_OUT/mode; $FLOW_IN_MAKE/tool > $FLOW_OUT/said";
    lab.pipeline(&[("make", sh(make, "")), ("use", sh(modes, r#"inputs: {"make": "make"}"#))], "");
    lab.run(&[]).expect_ran(&["make", "use"]);
    assert_eq!(lab.artifact("use", "said"), "run\n");
    assert!(!lab.artifact("use", "mode").contains('w'));
    lab.artifact("make", "tool");
    let exported = std::fs::metadata(lab.path("exported/make/tool")).unwrap();
    assert!(exported.permissions().mode() & 0o100 != 0);
}

#[test]
fn files_left_outside_of_the_output_are_named_and_discarded() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh("touch stray; mkdir dir; touch dir/x; echo kept > $FLOW_OUT/out", ""))], "");
    let run = lab.run(&[]);
    run.expect_ran(&["a"]);
    let warning = run.find("message", "a").unwrap();
    assert_eq!(warning["level"], "warning");
    assert_eq!(warning["text"], "left outside of $FLOW_OUT, and discarded: `dir`, `stray`");
    assert_eq!(lab.artifact("a", "out"), "kept\n");
    assert!(!lab.path("exported/a/stray").exists());
    assert_eq!(lab.stored("tmp").len(), 0, "the job's directory is gone");
}

#[test]
fn what_it_prints_is_kept_up_to_a_limit() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh("head -c 50000000 /dev/zero; echo oh >&2; echo x > $FLOW_OUT/out", ""))], "");
    lab.run(&[]).expect_ran(&["a"]);
    let size = |name: &str| {
        let log = lab.stored("runs").into_iter().find(|path| path.ends_with(name)).unwrap();
        std::fs::metadata(log).unwrap().len()
    };
    assert_eq!(size("nodes/a/stderr.log"), 3);
    assert!((16_000_000..17_000_000).contains(&size("nodes/a/stdout.log")), "{}", size("nodes/a/stdout.log"));
}

#[test]
fn a_process_that_it_leaves_behind_is_ended_and_not_waited_for() {
    let lab = Lab::new();
    let script = format!("sleep 300 & echo $! > {}; echo x > $FLOW_OUT/out", lab.text_path("pid"));
    lab.pipeline(&[("a", sh(&script, ""))], "");
    lab.run(&[]).expect_ran(&["a"]);
    let pid: i32 = lab.read("pid").trim().parse().unwrap();
    crate::lab::eventually("the background process lives on", || !crate::lab::lives(pid));
}

#[test]
fn standard_input_is_empty() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh("cat > $FLOW_OUT/out", ""))], "");
    lab.run(&[]).expect_ran(&["a"]);
    assert_eq!(lab.artifact("a", "out"), "");
}

#[test]
fn names_can_be_any_text() {
    let lab = Lab::new();
    let name = "../Bär: 1/2 'x'";
    lab.pipeline(&[(name, sh("echo said; echo x > $FLOW_OUT/n", ""))], "");
    lab.run(&[]).expect_ran(&[name]);
    assert_eq!(lab.flow(&["export", "p.ron", name, "dest"]).status.code(), Some(0));
    let log = lab.stored("runs").into_iter().find(|path| path.ends_with("stdout.log")).unwrap();
    assert!(log.parent().unwrap().parent().unwrap().ends_with("nodes"), "{}", log.display());
}

#[test]
fn empty_directories_of_the_output_are_kept() {
    let lab = Lab::new();
    let make = "mkdir -p $FLOW_OUT/empty/deep; echo x > $FLOW_OUT/n";
    let look = "cd $FLOW_IN_MAKE; find . | sort > $FLOW_OUT/seen";
    lab.pipeline(&[("make", sh(make, "")), ("look", sh(look, r#"inputs: {"make": "make"}"#))], "");
    lab.run(&[]).expect_ran(&["make", "look"]);
    assert_eq!(lab.artifact("look", "seen"), ".\n./empty\n./empty/deep\n./n\n");
    lab.artifact("make", "n");
    assert!(lab.path("exported/make/empty/deep").is_dir());
    let shown = String::from_utf8(lab.flow(&["show", "p.ron", "make"]).stdout).unwrap();
    assert!(shown.contains("empty/deep/  empty"), "{shown}");
    lab.run(&[]).expect_ran(&[]);
}

/// As the system looks for it: what may not be executed is passed over, and a script that does not say what reads it is a shell's.
#[test]
fn a_program_is_the_first_on_path_that_can_be_executed() {
    let lab = Lab::new();
    lab.write("first/tool", "echo wrong > $FLOW_OUT/said\n");
    lab.write("second/tool", "echo $1 by a shell > $FLOW_OUT/said\n");
    std::fs::set_permissions(lab.path("second/tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
    lab.pipeline(
        &[
            ("tool", r#"Command(program: ["tool", "read"])"#.to_owned()),
            ("name", r#"Command(program: ["sh", "-c", "echo $0 > $FLOW_OUT/said"])"#.to_owned()),
        ],
        "",
    );
    let path = format!("{}:{}:/usr/bin:/bin", lab.text_path("first"), lab.text_path("second"));
    lab.run_with(&[], &[("PATH", &path)]).expect_ran(&["name", "tool"]);
    let lab = lab.with("PATH", &path);
    assert_eq!(
        (lab.artifact("tool", "said"), lab.artifact("name", "said")),
        ("read by a shell\n".into(), "sh\n".into())
    );
}
