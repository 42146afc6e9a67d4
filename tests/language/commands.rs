//! The commands `check`, `kinds` and `schema`.

use std::process::{Command, Output};

use crate::support::{FULL, Folder};

fn hyper_flow(folder: &Folder, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hyper-flow")).args(arguments).current_dir(folder.path("")).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn check_says_ok_or_what_is_wrong() {
    let folder = Folder::new();
    std::fs::write(folder.path("p.ron"), FULL).unwrap();
    let good = hyper_flow(&folder, &["check", "p.ron"]);
    assert_eq!((good.status.code(), stdout(&good), stderr(&good)), (Some(0), "ok: 11 nodes\n", ""));

    let bad = hyper_flow(&folder, &["check", "p.ron", "--set", "teacher.steps=0"]);
    assert_eq!((bad.status.code(), stdout(&bad)), (Some(2), ""));
    assert!(stderr(&bad).contains("`steps` must be at least 1, not 0"), "{}", stderr(&bad));

    let absent = hyper_flow(&folder, &["check", "q.ron"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(stderr(&absent).contains("failed to read q.ron"), "{}", stderr(&absent));
}

#[test]
fn check_tells_machines() {
    let folder = Folder::new();
    std::fs::write(folder.path("p.ron"), FULL.replace("text: \"clip\"", "text: \"clp\"")).unwrap();
    let good = json(&hyper_flow(&folder, &["check", "p.ron", "--json", "--set", "teacher.text=\"clip\""]));
    assert_eq!((&good["ok"], &good["nodes"]), (&true.into(), &11.into()));

    let output = hyper_flow(&folder, &["check", "p.ron", "--json"]);
    let bad = json(&output);
    assert_eq!((output.status.code(), &bad["ok"]), (Some(2), &false.into()));
    let mistake = &bad["mistakes"][0];
    assert_eq!(mistake["message"], "there is no node `clp`");
    assert_eq!((&mistake["file"], &mistake["line"]), (&"p.ron".into(), &11.into()));
}

#[test]
fn kinds_are_listed_and_described() {
    let folder = Folder::new();
    let list = hyper_flow(&folder, &["kinds"]);
    assert!(stdout(&list).contains("SegmentDistill  → Lora"), "{}", stdout(&list));

    let one = hyper_flow(&folder, &["kinds", "SegmentDistill"]);
    assert!(stdout(&one).contains("  segments: a whole number from 1 to 666 (required)\n"), "{}", stdout(&one));
    assert!(stdout(&one).contains("(default Ema)"), "{}", stdout(&one));
    let as_json = json(&hyper_flow(&folder, &["kinds", "SegmentDistill", "--json"]));
    assert_eq!((&as_json["name"], &as_json["yields"]), (&"SegmentDistill".into(), &"Lora".into()));

    let unknown = hyper_flow(&folder, &["kinds", "SegmentDestill"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("did you mean `SegmentDistill`?"), "{}", stderr(&unknown));
}

#[test]
fn schema_is_json() {
    let schema = json(&hyper_flow(&Folder::new(), &["schema"]));
    assert_eq!(schema["title"], "Pipeline");
}
