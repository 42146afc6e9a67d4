//! What changes while a run goes on: no key may ever get the result of another content.

use crate::lab::{Lab, names, sh};
use crate::workers::Workshop;

/// What the program of the tests below reads.
const ORIGINAL: &str = "original\n";

/// A node `a` that waits for the file `go` before it reads its source.
fn reads_late() -> Lab {
    let lab = Lab::new();
    lab.write("src/text", ORIGINAL);
    let script =
        format!("touch {}; {}cat $FLOW_FILE_S/text > $FLOW_OUT/out", lab.text_path("ready"), lab.await_file("go"));
    lab.pipeline(&[("a", sh(&script, r#"files: {"s": "src"}"#))], "");
    lab
}

#[test]
fn a_command_reads_what_its_key_says_whatever_becomes_of_the_source() {
    let lab = reads_late();
    let mut running = lab.start(&[], &[]);
    running.until("node_started");
    lab.await_here("ready");
    // Another branch is checked out, the node reads, and the first branch is checked out again.
    lab.write("src/text", "of another branch\n");
    lab.write("go", "");
    let done = running.end();
    done.expect_ran(&["a"]);
    lab.write("src/text", ORIGINAL);
    lab.run(&[]).expect_ran(&[]);
    assert_eq!(lab.artifact("a", "out"), ORIGINAL);
}

#[test]
fn a_command_may_write_to_its_copies() {
    let lab = Lab::new();
    lab.write("src/text", ORIGINAL);
    let script = "echo mine > $FLOW_FILE_S/text; echo new > $FLOW_FILE_S/new; cat $FLOW_FILE_S/* > $FLOW_OUT/out";
    lab.pipeline(&[("a", sh(script, r#"files: {"s": "src"}"#))], "");
    lab.run(&[]).expect_ran(&["a"]);
    assert_eq!((lab.read("src/text").as_str(), lab.path("src/new").exists()), (ORIGINAL, false));
    lab.run(&[]).expect_ran(&[]);
}

#[test]
fn a_copy_has_the_name_of_the_file() {
    let lab = Lab::new();
    lab.write("tools/make.sh", "basename $0; echo made");
    let script = "sh $FLOW_FILE_SCRIPT > $FLOW_OUT/out";
    lab.pipeline(&[("a", sh(script, r#"files: {"script": "tools/make.sh"}"#))], "");
    lab.run(&[]).expect_ran(&["a"]);
    assert_eq!(lab.artifact("a", "out"), "make.sh\nmade\n");
}

#[test]
fn a_source_that_changed_before_its_node_starts_is_told_before() {
    let lab = Lab::new();
    lab.write("src.txt", ORIGINAL);
    lab.pipeline(
        &[
            ("a", sh(&format!("{}echo x > $FLOW_OUT/out", lab.await_file("go")), "")),
            (
                "b",
                sh(
                    &format!("{}cat $FLOW_FILE_S > $FLOW_OUT/out", lab.tally("b")),
                    r#"inputs: {"a": "a"}, files: {"s": "src.txt"}"#,
                ),
            ),
        ],
        "",
    );
    let mut running = lab.start(&[], &[]);
    running.until("node_started");
    lab.write("src.txt", "edited\n");
    lab.write("go", "");
    let run = running.end();
    let message = run.failure("b");
    assert!(message.contains("src.txt` was changed or touched since the run was planned"), "{message}");
    assert_eq!((lab.tallied("b"), names(&run.summary()["ran"])), (0, vec!["a"]));
    lab.run(&[]).expect_ran(&["b"]);
    assert_eq!(lab.artifact("b", "out"), "edited\n");
}

/// Workers read their sources where they are: there the stamps must be those of before.
#[test]
fn a_source_that_changed_and_changed_back_spoils_what_a_worker_makes_of_it() {
    let does = |lab: &Lab| format!("step 1; {}echo x > $out/x", lab.await_file("go"));
    let shop = Workshop::new("");
    let does = does(&shop.lab);
    shop.lab.write("does.sh", &does);
    let mut running = shop.start();
    running.until("step");
    shop.lab.write("does.sh", "echo of another branch > $out/x");
    shop.lab.write("does.sh", &does);
    shop.lab.write("go", "");
    let run = running.end();
    let message = run.failure("a");
    assert!(message.contains("does.sh` was changed or touched while the node ran"), "{message}");
    shop.run(&[]).expect_ran(&["a"]);
}

#[test]
fn a_node_that_alters_its_input_slyly_spoils_no_other() {
    let lab = Lab::new();
    let alter = format!(
        "f=$FLOW_IN_A/out; {}stamp=$(stat -c %y $f); chmod u+w $f; echo ALTERED > $f; touch -d \"$stamp\" $f; chmod a-w $f; \
         touch {}; {}echo x > $FLOW_OUT/out",
        lab.await_file("reader"),
        lab.text_path("altered"),
        lab.await_file("read"),
    );
    let read = format!(
        "touch {}; {}cat $FLOW_IN_A/out > $FLOW_OUT/out; touch {}",
        lab.text_path("reader"),
        lab.await_file("altered"),
        lab.text_path("read"),
    );
    lab.pipeline(
        &[
            ("a", sh("echo original > $FLOW_OUT/out", "")),
            ("alter", sh(&alter, r#"inputs: {"a": "a"}"#)),
            ("read", sh(&read, r#"inputs: {"a": "a"}"#)),
        ],
        "",
    );
    let run = lab.run(&["--keep-going", "-j", "2"]);
    let message = run.failure("alter");
    assert!(message.contains("changed its input `inputs.a` (`out`)"), "{message}");
    if rustix::process::geteuid().is_root() {
        assert_eq!(run.ran(), ["a", "read"], "root's programs have files of their own");
    }
    lab.run(&["read"]);
    assert_eq!(lab.artifact("read", "out"), ORIGINAL);
}

#[test]
fn two_rotten_inputs_are_mended_in_one_run() {
    let lab = Lab::new();
    let join = |salt: &str| {
        sh(&format!("cat $FLOW_IN_A/out $FLOW_IN_B/out > $FLOW_OUT/out # {salt}"), r#"inputs: {"a": "a", "b": "b"}"#)
    };
    let pipeline = |salt| {
        let [a, b] = ["alpha", "beta"].map(|text| sh(&format!("echo {text} > $FLOW_OUT/out"), ""));
        lab.pipeline(&[("a", a), ("b", b), ("join", join(salt))], "");
    };
    pipeline("1");
    lab.run(&[]).expect_ran(&["a", "b", "join"]);
    for content in ["alpha\n", "beta\n"] {
        let object = lab.object(content);
        lab.overwrite_slyly(&object, &content.to_uppercase());
    }
    pipeline("2");
    let run = lab.run(&[]);
    run.expect_ran(&["a", "b", "join"]);
    assert_eq!(lab.artifact("join", "out"), "alpha\nbeta\n");
}

/// A write through a memory map need not move any stamp. Here it is an object in the store whose stamps are put back.
#[test]
fn a_paranoid_run_believes_no_stamp() {
    let lab = Lab::new();
    lab.pipeline(&[("a", sh("echo content > $FLOW_OUT/out", ""))], "");
    lab.run(&[]).expect_ran(&["a"]);
    lab.overwrite_slyly(&lab.object("content\n"), "CONTENT\n");
    lab.run(&[]).expect_ran(&[]);
    lab.run(&["--paranoid"]).expect_ran(&["a"]);
    lab.run(&["--paranoid"]).expect_ran(&[]);
}
