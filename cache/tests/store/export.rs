use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use hyper_flow_cache::{Digest, ExportOptions, Store, StoreError};
use serde_json::json;

use crate::common::*;

const FILES: [(&str, &str); 3] = [("a", "alpha"), ("sub/b", "beta"), ("run*", "gamma")];
const PLAIN: [(&str, &str); 3] = [("a", "alpha"), ("sub/b", "beta"), ("run", "gamma")];

/// For one exporter.
fn polite() -> ExportOptions {
    ExportOptions { by: "`n`".to_owned(), ..ExportOptions::default() }
}

fn force() -> ExportOptions {
    ExportOptions { force: true, ..polite() }
}

/// For another.
fn other() -> ExportOptions {
    ExportOptions { by: "`m`".to_owned(), ..ExportOptions::default() }
}

/// What a refusal says, and that it wrote nothing.
#[track_caller]
fn refusal(store: &Store, artifact: &Digest, out: &Path, options: &ExportOptions) -> String {
    let before = content_of(out);
    let refused = store.export(artifact, out, options);
    assert!(matches!(refused, Err(StoreError::Foreign { .. })), "{refused:?}");
    assert_eq!(content_of(out), before);
    refused.unwrap_err().to_string()
}

#[test]
fn an_export_is_the_users_own() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let out = dir.path().join("deep/out");
    let done = store.export(&record.artifact, &out, &polite()).unwrap();
    assert_eq!(done.written, ["a", "run", "sub/b"]);
    assert_eq!(content_of(&out), contents(&PLAIN));
    let meta = fs::metadata(out.join("a")).unwrap();
    assert_ne!(meta.ino(), fs::metadata(object(store, "alpha")).unwrap().ino());
    assert_eq!(meta.permissions().mode() & 0o700, 0o600, "writable");
    assert_eq!(fs::metadata(out.join("run")).unwrap().permissions().mode() & 0o700, 0o700);
    fs::write(out.join("a"), "edited").unwrap();
    assert_eq!(store.read(&record.artifact, "a").unwrap(), b"alpha");
}

#[test]
fn a_second_export_restores_what_is_gone() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let out = dir.path().join("out");
    store.export(&record.artifact, &out, &polite()).unwrap();
    let done = store.export(&record.artifact, &out, &polite()).unwrap();
    assert_eq!((done.written.len(), done.unchanged.len()), (0, 3));

    fs::remove_file(out.join("a")).unwrap();
    fs::remove_dir_all(out.join("sub")).unwrap();
    fs::set_permissions(out.join("run"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(out.join("notes"), "mine").unwrap();
    let done = store.export(&record.artifact, &out, &polite()).unwrap();
    assert_eq!(done.written, ["a", "run", "sub/b"]);
    let mut now = contents(&PLAIN);
    now.insert("notes".to_owned(), "mine".to_owned());
    assert_eq!(content_of(&out), now);

    fs::remove_dir_all(&out).unwrap();
    store.export(&record.artifact, &out, &polite()).unwrap();
    assert_eq!(content_of(&out), contents(&PLAIN));
}

#[test]
fn what_the_user_edited_is_the_users() {
    let Home { store, dir } = &home();
    let out = dir.path().join("out");
    let first = publish(store, "one", &[("a", "1"), ("b", "1"), ("c", "1")]).artifact;
    let second = publish(store, "two", &[("a", "2"), ("b", "2"), ("c", "2")]).artifact;
    store.export(&first, &out, &polite()).unwrap();
    fs::write(out.join("a"), "x").unwrap();
    fs::write(out.join("b"), "longer than before").unwrap();
    for artifact in [&first, &second] {
        let said = refusal(store, artifact, &out, &polite());
        assert!(said.contains("`a`, which was edited since it was exported; `b`, which"), "{said}");
        assert!(!said.contains("`c`"), "{said}");
    }
    store.export(&second, &out, &force()).unwrap();
    assert_eq!(content_of(&out), contents(&[("a", "2"), ("b", "2"), ("c", "2")]));
    fs::write(out.join("a"), "1").unwrap();
    refusal(store, &first, &out, &other());
    assert_eq!(store.export(&first, &out, &polite()).unwrap().written, ["b", "c"], "the user has made it what it is");
}

#[test]
fn two_exporters_share_a_directory() {
    let Home { store, dir } = &home();
    let out = dir.path().join("out");
    let names = |to: &str| BTreeMap::from([("lora".to_owned(), to.to_owned())]);
    let n = ExportOptions { names: names("n.lora"), ..polite() };
    let m = ExportOptions { names: names("m.lora"), ..other() };
    let of_n = publish(store, "n", &[("lora", "N")]).artifact;
    let of_m = publish(store, "m", &[("lora", "M"), ("extra", "M")]).artifact;
    assert_eq!(store.export(&of_n, &out, &n).unwrap().written, ["n.lora"]);
    assert_eq!(store.export(&of_m, &out, &m).unwrap().removed, [""; 0]);
    assert_eq!(content_of(&out), contents(&[("n.lora", "N"), ("m.lora", "M"), ("extra", "M")]));

    let said = refusal(store, &of_n, &out, &ExportOptions { names: names("m.lora"), ..polite() });
    assert!(said.contains("`m.lora`, which was exported for `m`"), "{said}");

    let next = publish(store, "next", &[("lora", "M2")]).artifact;
    assert_eq!(store.export(&next, &out, &m).unwrap().removed, ["extra"]);
    assert_eq!(content_of(&out), contents(&[("n.lora", "N"), ("m.lora", "M2")]));
    let none = publish(store, "none", &[]).artifact;
    store.export(&none, &out, &n).unwrap();
    assert_eq!(content_of(&out), contents(&[("m.lora", "M2")]), "the other's stays");
}

#[test]
fn what_two_exporters_put_there_goes_with_the_last() {
    let Home { store, dir } = &home();
    let out = dir.path().join("out");
    let (same, none) = (publish(store, "n", &[("a", "same")]).artifact, publish(store, "none", &[]).artifact);
    store.export(&same, &out, &polite()).unwrap();
    assert_eq!(store.export(&same, &out, &other()).unwrap().unchanged, ["a"]);
    store.export(&none, &out, &polite()).unwrap();
    assert_eq!(content_of(&out), contents(&[("a", "same")]));
    assert_eq!(store.export(&none, &out, &other()).unwrap().removed, ["a"]);
}

#[test]
fn an_export_that_was_cut_off_is_finished_by_the_next() {
    let Home { store, dir } = &home();
    let out = dir.path().join("out");
    let first = publish(store, "one", &[("a", "1"), ("sub/b", "1"), ("old/c", "1")]).artifact;
    let second = publish(store, "two", &[("a", "2"), ("sub/b", "2")]).artifact;
    store.export(&first, &out, &polite()).unwrap();
    for round in 0..10 {
        let mut child = spawn_with("export::endless_exporter", store, &[("HYPER_FLOW_TEST_OUT", out.as_os_str())]);
        while fs::read(out.join("a")).is_ok_and(|found| found == b"1") {
            assert_eq!(child.try_wait().unwrap(), None, "it died before");
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(200 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        store.export(&first, &out, &polite()).unwrap();
    }
    // As a kill in the middle of a file leaves it.
    write_files(&out, &[(".export-aB3dE6", "half"), ("sub/.export-aB3dE7", "half"), (".export-plan", "mine")]);
    let leftovers = ["old/.export-aB3dE8"];
    write_files(&out, &leftovers.map(|name| (name, "half")));
    for artifact in [first, second] {
        store.export(&artifact, &out, &polite()).unwrap();
        let found: Vec<_> = content_of(&out).into_keys().filter(|name| name.contains(".export-")).collect();
        assert_eq!(found, [".export-plan"], "what is not named as ours stays");
    }
    assert_eq!(content_of(&out), contents(&[("a", "2"), ("sub/b", "2"), (".export-plan", "mine")]));
}

#[test]
#[ignore = "a process that `an_export_that_was_cut_off_is_finished_by_the_next` kills"]
fn endless_exporter() {
    let store = told_store();
    let out = std::env::var_os("HYPER_FLOW_TEST_OUT").unwrap();
    for name in ["two", "one"].iter().cycle() {
        let artifact = store.lookup(&key(name)).unwrap().unwrap().artifact;
        store.export(&artifact, Path::new(&out), &polite()).unwrap();
    }
}

#[test]
fn a_note_of_an_earlier_program_is_understood() {
    let Home { store, dir } = &home();
    let out = dir.path().join("out");
    write_files(&out, &[("a", "1"), ("gone", "1")]);
    let out = out.canonicalize().unwrap();
    let file = |path: &str| json!({"digest": Digest::of(b"1"), "size": 1, "exec": false, "path": path});
    let note = json!({"dest": out, "artifact": Digest::of(b"x"), "files": [file("a"), file("gone")]});
    let name = Digest::of(out.as_os_str().as_encoded_bytes());
    write_files(store.root(), &[(&format!("exports/{name}.json"), &note.to_string())]);
    let record = publish(store, "n", &[("a", "2")]);
    store.export(&record.artifact, &out, &polite()).unwrap();
    assert_eq!(content_of(&out), contents(&[("a", "2"), ("gone", "1")]), "whose the other is, nobody knows");
}

#[test]
fn empty_directories_are_exported_and_follow() {
    let Home { store, dir } = &home();
    let out = dir.path().join("out");
    let with = publish_with_empty(store, "one", &[("a", "1")], &["empty/deep", "b"]);
    let done = store.export(&with.artifact, &out, &polite()).unwrap();
    assert_eq!(done.written, ["a", "b/", "empty/deep/"]);
    assert!(out.join("empty/deep").is_dir() && out.join("b").is_dir());
    assert_eq!(store.export(&with.artifact, &out, &polite()).unwrap().unchanged, ["a", "b/", "empty/deep/"]);
    fs::write(out.join("b/mine"), "mine").unwrap();
    let without = publish(store, "two", &[("a", "1")]);
    assert_eq!(store.export(&without.artifact, &out, &polite()).unwrap().removed, ["empty/deep/"]);
    assert_eq!(content_of(&out), contents(&[("a", "1"), ("b/mine", "mine")]));
    assert!(!out.join("empty").exists());
}

#[test]
fn an_export_follows_its_node() {
    let Home { store, dir } = &home();
    let out = dir.path().join("out");
    let first = publish(store, "one", &[("a", "1"), ("old/gone", "1"), ("old/edited", "1")]);
    store.export(&first.artifact, &out, &polite()).unwrap();
    fs::write(out.join("old/edited"), "by me").unwrap();
    let second = publish(store, "two", &[("a", "2"), ("new/b", "2")]);
    let done = store.export(&second.artifact, &out, &polite()).unwrap();
    assert_eq!(done.removed, ["old/gone"]);
    let now = contents(&[("a", "2"), ("new/b", "2"), ("old/edited", "by me")]);
    assert_eq!(content_of(&out), now);
}

#[test]
fn somebodys_directory_is_left_alone() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    write_files(dir.path(), &[("out/a", "mine"), ("out/other", "mine")]);
    let out = dir.path().join("out");
    let said = refusal(store, &record.artifact, &out, &polite());
    assert!(said.ends_with("it would overwrite `a`, which is not from an export"), "{said}");

    store.export(&record.artifact, &out, &force()).unwrap();
    let mut now = contents(&PLAIN);
    now.insert("other".to_owned(), "mine".to_owned());
    assert_eq!(content_of(&out), now);
}

#[test]
fn a_directory_that_equals_is_no_stranger() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let out = dir.path().join("out");
    write_files(&out, &FILES);
    let done = store.export(&record.artifact, &out, &polite()).unwrap();
    assert_eq!((done.written.len(), done.unchanged.len()), (0, 3));
}

#[test]
fn nothing_is_written_through_a_symbolic_link() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let (out, far) = (dir.path().join("out"), dir.path().join("far"));
    write_files(&far, &[("b", "mine"), ("a", "mine")]);
    fs::create_dir(&out).unwrap();
    symlink(&far, out.join("sub")).unwrap();
    symlink(far.join("a"), out.join("a")).unwrap();
    let refused = store.export(&record.artifact, &out, &force());
    assert!(matches!(refused, Err(StoreError::Foreign { .. })), "{refused:?}");
    assert_eq!(content_of(&far), contents(&[("a", "mine"), ("b", "mine")]));
    fs::remove_file(out.join("sub")).unwrap();
    refusal(store, &record.artifact, &out, &polite());
    store.export(&record.artifact, &out, &force()).unwrap();
    assert!(fs::symlink_metadata(out.join("a")).unwrap().is_file(), "replaced, not followed");
    assert_eq!(content_of(&far), contents(&[("a", "mine"), ("b", "mine")]));
}

#[test]
fn two_destinations_do_not_mix() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let other = dir.path().join("other");
    store.export(&record.artifact, &dir.path().join("out"), &polite()).unwrap();
    write_files(&other, &[("a", "mine")]);
    assert!(store.export(&record.artifact, &other, &polite()).is_err());
}

#[test]
fn a_store_that_one_may_only_read_exports() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    let before = fs::metadata(store.root()).unwrap().permissions();
    fs::remove_dir_all(store.root().join("tmp")).unwrap();
    fs::set_permissions(store.root(), fs::Permissions::from_mode(0o555)).unwrap();
    let done = store.export(&record.artifact, &dir.path().join("out"), &polite());
    fs::set_permissions(store.root(), before).unwrap();
    assert_eq!(done.unwrap().written, ["a", "run", "sub/b"]);
    assert_eq!(content_of(&dir.path().join("out")), contents(&PLAIN));
}
