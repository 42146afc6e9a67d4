//! What the best engine that was measured does right, row by row, on five leaves and a merge.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::lab::{Lab, sh};

const LEAVES: [&str; 5] = ["a", "b", "c", "d", "e"];
const ALL: [&str; 6] = ["a", "b", "c", "d", "e", "merge"];

/// Each leaf takes the first four bytes of its source.
fn leaves(lab: &Lab, script: impl Fn(&str) -> String) {
    let mut nodes: Vec<(&str, String)> = LEAVES
        .iter()
        .map(|leaf| {
            (*leaf, sh(&(lab.tally("leaves") + &script(leaf)), &format!("files: {{\"src\": \"src/{leaf}.txt\"}}")))
        })
        .collect();
    let inputs: Vec<String> = LEAVES.iter().map(|leaf| format!("\"{leaf}\": \"{leaf}\"")).collect();
    let merge = lab.tally("merges")
        + "cat $FLOW_IN_A/out $FLOW_IN_B/out $FLOW_IN_C/out $FLOW_IN_D/out $FLOW_IN_E/out > $FLOW_OUT/all";
    nodes.push(("merge", sh(&merge, &format!("inputs: {{{}}}", inputs.join(", ")))));
    lab.pipeline(&nodes, "");
}

fn head(_: &str) -> String {
    "head -c 4 $FLOW_FILE_SRC > $FLOW_OUT/out".to_owned()
}

fn ready() -> Lab {
    let lab = Lab::new();
    for leaf in LEAVES {
        lab.write(&format!("src/{leaf}.txt"), &format!("{leaf}{leaf}{leaf}\nmore"));
    }
    leaves(&lab, head);
    lab.run(&[]).expect_ran(&ALL);
    assert_eq!((lab.tallied("leaves"), lab.tallied("merges")), (5, 1));
    lab
}

const ALL_TEXT: &str = "aaa\nbbb\nccc\nddd\neee\n";

#[test]
fn touched_inputs_run_nothing() {
    let lab = ready();
    for leaf in LEAVES {
        let file = File::options().append(true).open(lab.path(&format!("src/{leaf}.txt"))).unwrap();
        file.set_times(FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(3600))).unwrap();
    }
    // A copy in place of the original is another inode with the same content.
    fs::copy(lab.path("src/a.txt"), lab.path("copy")).unwrap();
    fs::rename(lab.path("copy"), lab.path("src/a.txt")).unwrap();
    let again = lab.run(&[]);
    again.expect_ran(&[]);
    assert_eq!(again.list("cached"), ALL);
    assert_eq!((lab.tallied("leaves"), lab.tallied("merges")), (5, 1));
}

#[test]
fn a_changed_input_whose_node_gives_the_same_bytes_runs_only_that_node() {
    let lab = ready();
    lab.write("src/b.txt", "bbb\nquite something else");
    let again = lab.run(&[]);
    again.expect_ran(&["b"]);
    assert_eq!(again.list("cached"), ["a", "c", "d", "e", "merge"]);
    assert_eq!((lab.tallied("leaves"), lab.tallied("merges")), (6, 1));
}

#[test]
fn a_reverted_input_runs_nothing_and_restores_the_artifact() {
    let lab = ready();
    lab.write("src/c.txt", "xyz\n");
    lab.run(&[]).expect_ran(&["c", "merge"]);
    assert_eq!(lab.artifact("merge", "all"), "aaa\nbbb\nxyz\nddd\neee\n");
    lab.write("src/c.txt", "ccc\nmore");
    lab.run(&[]).expect_ran(&[]);
    assert_eq!(lab.artifact("merge", "all"), ALL_TEXT);
    assert_eq!((lab.tallied("leaves"), lab.tallied("merges")), (6, 2));
}

#[test]
fn a_deleted_export_comes_back_and_runs_nothing() {
    let lab = ready();
    assert_eq!(lab.artifact("merge", "all"), ALL_TEXT);
    fs::remove_file(lab.path("exported/merge/all")).unwrap();
    lab.run(&[]).expect_ran(&[]);
    assert_eq!(lab.artifact("merge", "all"), ALL_TEXT);
    assert_eq!((lab.tallied("leaves"), lab.tallied("merges")), (5, 1));
}

/// Overwrites an object, as root or as its owner can, and keeps its stamps if asked to.
fn tamper(object: &Path, content: &str, stealthily: bool) {
    let before = fs::metadata(object).unwrap();
    fs::set_permissions(object, PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(object, content).unwrap();
    if stealthily {
        let file = File::options().append(true).open(object).unwrap();
        file.set_times(FileTimes::new().set_modified(before.modified().unwrap())).unwrap();
        fs::set_permissions(object, before.permissions()).unwrap();
    }
}

#[test]
fn a_tampered_object_is_noticed_and_made_anew() {
    let lab = ready();
    tamper(&lab.object("ddd\n"), "DDD\n", false);
    let again = lab.run(&[]);
    again.expect_ran(&["d"]);
    assert_eq!(lab.artifact("d", "out"), "ddd\n");
    assert_eq!(lab.artifact("merge", "all"), ALL_TEXT);
    lab.run(&[]).expect_ran(&[]);
}

#[test]
fn a_deleted_object_is_made_anew() {
    let lab = ready();
    fs::remove_file(lab.object("eee\n")).unwrap();
    lab.run(&[]).expect_ran(&["e"]);
    assert_eq!(lab.artifact("e", "out"), "eee\n");
}

/// Same size and time of change, so that no look at the stamps can tell.
#[test]
fn an_object_tampered_with_stealthily_is_never_exported() {
    let lab = ready();
    tamper(&lab.object("ddd\n"), "DDD\n", true);
    let output = lab.flow(&["export", "p.ron", "d", &lab.text_path("dest")]);
    assert!(!output.status.success());
    assert!(!lab.path("dest/out").exists(), "an altered file was handed out");
    lab.run(&[]).expect_ran(&["d"]);
    assert_eq!(lab.artifact("d", "out"), "ddd\n");
}

#[test]
fn an_object_tampered_with_stealthily_is_never_given_to_a_node() {
    let lab = ready();
    tamper(&lab.object("ddd\n"), "DDD\n", true);
    // Another merge must look into the leaf.
    let text = lab.read("p.ron").replace("> $FLOW_OUT/all", "| tr a-z A-Z > $FLOW_OUT/all");
    lab.write("p.ron", &text);
    let again = lab.run(&[]);
    again.expect_ran(&["d", "merge"]);
    assert!(again.find("node_repaired", "d").is_some());
    assert_eq!(lab.artifact("merge", "all"), "AAA\nBBB\nCCC\nDDD\nEEE\n");
    assert_eq!(lab.artifact("d", "out"), "ddd\n");
}

#[test]
fn an_edited_command_runs_it_and_the_merge() {
    let lab = ready();
    leaves(&lab, |leaf| match leaf {
        "a" => "echo new > $FLOW_OUT/out".to_owned(),
        other => head(other),
    });
    let again = lab.run(&[]);
    again.expect_ran(&["a", "merge"]);
    assert_eq!(lab.artifact("merge", "all"), "new\nbbb\nccc\nddd\neee\n");
}

#[test]
fn renaming_a_node_or_a_file_runs_nothing() {
    let lab = ready();
    fs::rename(lab.path("src/a.txt"), lab.path("src/renamed.txt")).unwrap();
    let text = lab.read("p.ron").replace("src/a.txt", "src/renamed.txt");
    let text =
        text.replace("        \"b\": Command", "        \"bee\": Command").replace("\"b\": \"b\"", "\"b\": \"bee\"");
    lab.write("p.ron", &text);
    lab.run(&[]).expect_ran(&[]);
    assert_eq!((lab.tallied("leaves"), lab.tallied("merges")), (5, 1));
}
