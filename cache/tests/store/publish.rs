use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use hyper_flow_cache::{Digest, Reader, Store, StoreError};
use serde_json::{Value, json};

use crate::common::*;

#[test]
fn what_is_published_is_found() {
    let Home { store, .. } = &home();
    let files = [("a.txt", "alpha"), ("sub/b.txt", "beta"), ("run.sh*", "#!/bin/sh\n")];
    assert_eq!(store.lookup(&key("n")).unwrap(), None);
    let record = publish(store, "n", &files);

    assert_eq!(store.lookup(&key("n")).unwrap(), Some(record.clone()));
    assert_eq!(store.record(&key("n")).unwrap(), Some(record.clone()));
    assert_eq!(store.preimage(&key("n")).unwrap(), Some(preimage("n")));
    assert_eq!((record.files, record.bytes), (3, 19));
    assert_eq!(record.meta.value(), json!({"by": "n"}));
    assert_eq!(store.read(&record.artifact, "sub/b.txt").unwrap(), b"beta");
    let tree = store.tree(&record.artifact).unwrap();
    let paths: Vec<_> = tree.entries().iter().map(|e| (e.path.as_str(), e.exec)).collect();
    assert_eq!(paths, [("a.txt", false), ("run.sh", true), ("sub/b.txt", false)]);
    assert_eq!(tree.digest(), record.artifact);
}

#[test]
fn the_files_can_be_read_without_this_program() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &[("a.txt", "alpha")]);

    let meta = fs::metadata(object(store, "alpha")).unwrap();
    assert_eq!(meta.permissions().mode() & 0o7777, 0o444);
    assert_eq!(meta.modified().unwrap(), UNIX_EPOCH + Duration::from_secs(946_684_800));
    let manifest = fs::read_to_string(filed(store, "trees", record.artifact)).unwrap();
    let line: Value = serde_json::from_str(manifest.trim_end()).unwrap();
    assert_eq!(line["path"], "a.txt");
    assert_eq!(line["digest"], Digest::of(b"alpha").to_string());
    let filed_record = fs::read(filed(store, "records", key("n"))).unwrap();
    let read: Value = serde_json::from_slice(&filed_record).unwrap();
    assert_eq!(read["record"]["artifact"], record.artifact.to_string());
    assert_eq!(fs::read(filed(store, "preimages", key("n"))).unwrap(), preimage("n"));
    assert_eq!(fs::read_to_string(store.root().join(".gitignore")).unwrap(), "*\n");
    let tag = fs::read_to_string(store.root().join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55"));
}

#[test]
fn the_first_writer_wins() {
    let Home { store, .. } = &home();
    let first = publish(store, "n", &[("a", "one")]);
    let second = publish(store, "n", &[("a", "two")]);
    assert_eq!(second, first);
    assert!(!object(store, "two").exists());
}

#[test]
fn what_is_published_anew_takes_the_place_of_what_was() {
    let Home { store, .. } = &home();
    let anew = |files: &[(&str, &str)]| {
        let staging = store.staging().unwrap();
        write_files(staging.path(), files);
        store.publish_anew(&key("n"), &preimage("n"), staging.path(), json!({"by": "me"})).unwrap()
    };
    let first = publish(store, "n", &[("a", "1")]);
    let second = anew(&[("a", "2")]);
    assert_ne!(first.artifact, second.artifact);
    assert_eq!(store.lookup(&key("n")).unwrap(), Some(second));
    let same = anew(&[("a", "1")]);
    assert_eq!((same.artifact, same.meta.value()), (first.artifact, json!({"by": "me"})));

    let record = filed(store, "records", key("n"));
    fs::remove_file(&record).unwrap();
    fs::create_dir(&record).unwrap();
    assert_eq!(store.lookup(&key("n")).unwrap(), None);
    let again = anew(&[("a", "3")]);
    assert_eq!(store.lookup(&key("n")).unwrap(), Some(again));
}

#[test]
fn what_is_forgotten_is_made_anew() {
    let Home { store, .. } = &home();
    let forget = || store.forget(&key("n"), "me").unwrap();
    forget();
    publish(store, "n", &[("a", "1")]);
    write_files(&store.scratch(&key("n")).unwrap(), &[("checkpoint", "1")]);
    assert!(store.has_scratch(&key("n")).unwrap());
    forget();
    assert!(store.record(&key("n")).unwrap().is_none() && !store.has_scratch(&key("n")).unwrap());
    publish(store, "n", &[("a", "2")]);
    let lock = store.lock_key(&key("n"), "somebody").unwrap();
    assert!(matches!(store.forget(&key("n"), "me"), Err(StoreError::Busy { .. })));
    drop(lock);
    assert_eq!(store.verify(false).unwrap().problems, []);
}

#[test]
fn equal_files_are_one_object_and_one_artifact() {
    let Home { store, .. } = &home();
    let one = publish(store, "one", &[("a", "same"), ("b", "same")]);
    let two = publish(store, "two", &[("b", "same"), ("a", "same")]);
    assert_eq!(one.artifact, two.artifact);
    assert_eq!(store.du().unwrap().objects.files, 1);
    let other = publish(store, "three", &[("a", "same"), ("b*", "same")]);
    assert_ne!(one.artifact, other.artifact, "the exec bit counts");
}

#[test]
fn empty_directories_are_kept() {
    let Home { store, dir } = &home();
    let with = publish_with_empty(store, "n", &[("a", "x"), ("sub/b", "y")], &["empty/deeper", "sub/c"]);
    let tree = store.tree(&with.artifact).unwrap();
    assert_eq!(tree.empty_directories().collect::<Vec<_>>(), ["empty/deeper", "sub/c"]);
    assert_eq!((with.files, store.lookup(&key("n")).unwrap()), (2, Some(with.clone())));
    let without = publish(store, "m", &[("a", "x"), ("sub/b", "y")]);
    assert_ne!(with.artifact, without.artifact);

    let to = dir.path().join("in");
    let linked = store.link_into(&with.artifact, &to, Reader::Known).unwrap();
    assert!(to.join("empty/deeper").is_dir() && to.join("sub/c").is_dir());
    assert_eq!(store.check_linked(&linked).unwrap(), [""; 0]);
    // As `cp -r` of an input leaves it.
    let again = store.publish(&key("again"), &preimage("again"), &to, Value::Null).unwrap();
    assert_eq!(again.artifact, with.artifact);
    fs::remove_dir(to.join("sub/c")).unwrap();
    assert_eq!(store.check_linked(&linked).unwrap(), ["sub/c/"]);

    assert_eq!(store.verify(false).unwrap().problems, []);
    let policy = hyper_flow_cache::GcPolicy { keep: [key("n")].into(), ..Default::default() };
    store.gc(&policy).unwrap();
    assert_eq!(store.lookup(&key("n")).unwrap(), Some(with));
}

#[test]
fn an_empty_directory_alone_is_an_artifact() {
    let Home { store, .. } = &home();
    let record = publish_with_empty(store, "n", &[], &["empty"]);
    assert_eq!((record.files, record.bytes), (0, 0));
    assert_eq!(store.tree(&record.artifact).unwrap().empty_directories().collect::<Vec<_>>(), ["empty"]);
}

#[test]
fn nothing_is_an_artifact_too() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &[]);
    assert_eq!((record.files, record.bytes), (0, 0));
    assert_eq!(store.lookup(&key("n")).unwrap(), Some(record.clone()));
    store.link_into(&record.artifact, &dir.path().join("in"), Reader::Known).unwrap();
    assert!(dir.path().join("in").is_dir());
}

/// What a publish of one odd thing says.
fn refusal(make: impl Fn(&Path)) -> String {
    let Home { store, .. } = &home();
    let staging = store.staging().unwrap();
    write_files(staging.path(), &[("fine", "x")]);
    make(staging.path());
    let refused = store.publish(&key("n"), &preimage("n"), staging.path(), Value::Null);
    assert_eq!(store.record(&key("n")).unwrap(), None);
    refused.unwrap_err().to_string()
}

#[test]
fn only_plain_files_and_directories_are_taken() {
    let said = refusal(|dir| symlink("fine", dir.join("alias")).unwrap());
    assert!(said.contains("alias` is a symbolic link"), "{said}");
    let said = refusal(|dir| drop(UnixListener::bind(dir.join("ear")).unwrap()));
    assert!(said.contains("ear` is a socket"), "{said}");
    let said = refusal(|dir| {
        let (mode, here) = (rustix::fs::Mode::RUSR, rustix::fs::CWD);
        rustix::fs::mkfifoat(here, dir.join("pipe"), mode).unwrap();
    });
    assert!(said.contains("pipe` is a fifo"), "{said}");
    let odd = std::ffi::OsStr::from_bytes(b"odd-\xff");
    let said = refusal(|dir| fs::write(dir.join(odd), "x").unwrap());
    assert!(said.contains("odd-") && said.contains("not UTF-8"), "{said}");
}

#[test]
fn a_preimage_must_derive_the_key() {
    let Home { store, .. } = &home();
    let staging = store.staging().unwrap();
    let refused = store.publish(&key("n"), b"something else", staging.path(), Value::Null);
    assert!(matches!(refused, Err(StoreError::WrongPreimage { .. })));
}

#[test]
fn odd_names_survive() {
    let Home { store, dir } = &home();
    let files = [("a\nb", "1"), ("ä \"q\"\\", "2"), ("-", "3"), ("a.b/c", "4"), ("a/c", "5")];
    let record = publish(store, "n", &files);
    let to = dir.path().join("in");
    store.link_into(&record.artifact, &to, Reader::Known).unwrap();
    assert_eq!(content_of(&to), contents(&files));
}

#[test]
fn a_file_with_another_name_outside_is_copied() {
    let Home { store, dir } = &home();
    let mine = dir.path().join("mine");
    fs::write(&mine, "shared").unwrap();
    let staging = store.staging().unwrap();
    fs::hard_link(&mine, staging.path().join("a")).unwrap();
    store.publish(&key("n"), &preimage("n"), staging.path(), Value::Null).unwrap();
    let (object, mine_meta) = (object(store, "shared"), fs::metadata(&mine).unwrap());
    assert_ne!(fs::metadata(&object).unwrap().ino(), mine_meta.ino());
    assert_ne!(mine_meta.permissions().mode() & 0o777, 0o444, "the user's file stays writable");
}

#[test]
fn an_input_copied_to_the_output_is_taken() {
    let Home { store, .. } = &home();
    let first = publish(store, "first", &[("sub/a", "x")]);
    let staging = store.staging().unwrap();
    let out = staging.path().join("out");
    // What `cp -rl` of an input leaves: read-only directories, and names of the object itself.
    store.link_into(&first.artifact, &out, Reader::Known).unwrap();
    let second = store.publish(&key("second"), &preimage("second"), &out, Value::Null).unwrap();
    assert_eq!(second.artifact, first.artifact);
    drop(staging);
    assert_eq!(count(store, "tmp"), 0);
    assert!(store.lookup(&key("first")).unwrap().is_some());
}

#[test]
fn a_directory_outside_the_store_is_copied_not_moved() {
    let Home { store, dir } = &home();
    let files = [("a", "one"), ("sub/b", "two")];
    let shm = elsewhere(store);
    let far = shm.as_ref().map(|shm| shm.path().join("out"));
    for (name, from) in [("near", Some(dir.path().join("out"))), ("far", far)] {
        let Some(from) = from else { continue };
        write_files(&from, &files);
        let record = store.publish(&key(name), &preimage(name), &from, Value::Null).unwrap();
        assert_eq!(content_of(&from), contents(&files));
        assert_eq!(store.read(&record.artifact, "sub/b").unwrap(), b"two");
    }
}

#[test]
fn many_threads_publish_one_key() {
    let Home { store, .. } = &home();
    let records = thread::scope(|scope| {
        let publish_one = |i: usize| publish(store, "n", &[("a", &format!("by {i}"))]);
        let workers: Vec<_> = (0..8).map(|i| scope.spawn(move || publish_one(i))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let kept = store.lookup(&key("n")).unwrap().unwrap();
    assert!(records.iter().all(|record| *record == kept), "all got what the first one wrote");
    assert_eq!(count(store, "tmp"), 0);
}

#[test]
#[ignore = "a process that `many_processes_publish_one_key` starts"]
fn publisher() {
    let store = told_store();
    let me = std::process::id().to_string();
    for i in 0..10 {
        publish(&store, &format!("n{i}"), &[("who", &me), ("same", "same")]);
    }
}

#[test]
fn many_processes_publish_one_key() {
    let Home { store, .. } = &home();
    let children: Vec<_> = (0..4).map(|_| spawn("publish::publisher", store)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    for i in 0..10 {
        assert!(store.lookup(&key(&format!("n{i}"))).unwrap().is_some());
    }
    assert_eq!(store.verify(false).unwrap().problems, []);
    assert_eq!(count(store, "tmp"), 0);
}

#[test]
#[ignore = "a process that `a_publisher_may_die_at_any_point` kills"]
fn endless_publisher() {
    let store = told_store();
    for i in 0.. {
        publish(&store, &format!("n{i}"), &[("a", &format!("{i}")), ("b", "same")]);
    }
}

#[test]
fn a_publisher_may_die_at_any_point() {
    let Home { store, .. } = &home();
    for round in 0..5 {
        let mut child = spawn("publish::endless_publisher", store);
        let goal = key(&format!("n{}", 3 * round));
        while store.record(&goal).unwrap().is_none() {
            assert_eq!(child.try_wait().unwrap(), None, "it died before");
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(store.verify(false).unwrap().problems, []);
    }
    let everything = hyper_flow_cache::GcPolicy::default();
    store.gc(&everything).unwrap();
    let left = store.du().unwrap();
    assert_eq!((left.objects.files, left.tmp.files, left.records.files), (0, 0, 0));
}

/// A directory where the record belongs, and which cannot be moved aside either, stops a publish at its last step.
#[test]
fn what_could_not_be_published_is_whole_again() {
    let Home { store, .. } = &home();
    publish(store, "other", &[("x", "known")]);
    let staging = store.staging().unwrap();
    let out = staging.path().join("out");
    let files = [("a", "alpha"), ("sub/run*", "#!/bin/sh"), ("twin", "known"), ("sub/empty", "")];
    write_files(&out, &files);
    let wall = store.root().join("damaged");
    fs::write(&wall, "a file where a directory is wanted").unwrap();
    fs::create_dir_all(filed(store, "records", key("n"))).unwrap();
    store.publish(&key("n"), &preimage("n"), &out, Value::Null).unwrap_err();
    assert_eq!(store.record(&key("n")).unwrap(), None);
    assert_eq!(content_of(&out), contents(&files.map(|(name, content)| (name.trim_end_matches('*'), content))));
    fs::remove_file(wall).unwrap();

    let record = store.publish(&key("n"), &preimage("n"), &out, Value::Null).unwrap();
    assert_eq!(record.artifact, publish(store, "again", &files).artifact, "exec bits and all");
    assert_eq!(store.verify(false).unwrap().problems, []);
}

#[test]
fn another_format_is_refused() {
    let Home { store, .. } = &home();
    let version = store.root().join("version");
    fs::set_permissions(&version, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&version, "hyper-flow store 99\n").unwrap();
    let said = Store::open(store.root()).unwrap_err().to_string();
    assert!(said.contains("`hyper-flow store 99`"), "{said}");
}

#[test]
fn somebodys_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), &[("tmp/precious", "x"), ("thesis.tex", "y")]);
    let said = Store::open(dir.path()).unwrap_err().to_string();
    assert!(said.contains("`thesis.tex`"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing was written");
}

#[test]
fn a_creation_that_was_cut_off_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), &[(".gitignore", ""), ("tmp/.tmpabc", "half")]);
    let store = Store::open(dir.path()).unwrap();
    publish(&store, "n", &[("a", "x")]);
    assert_eq!(fs::read_to_string(dir.path().join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn a_store_that_cannot_be_written_can_be_read() {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &[("a", "x")]);
    let set = |mode| fs::set_permissions(store.root(), fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    let again = Store::open(store.root()).unwrap();
    assert_eq!(again.lookup(&key("n")).unwrap(), Some(record.clone()));
    again.link_into(&record.artifact, &dir.path().join("in"), Reader::Known).unwrap();
    assert_eq!(again.last_used().unwrap().len(), 1);
    set(0o755);
}

#[test]
fn staging_and_scratch_come_and_go() {
    let Home { store, .. } = &home();
    let staging = store.staging().unwrap();
    let path = staging.path().to_owned();
    drop(staging);
    assert!(!path.exists());
    assert!(store.staging().unwrap().keep().exists());

    let scratch = store.scratch(&key("n")).unwrap();
    fs::write(scratch.join("checkpoint"), "step 3").unwrap();
    assert_eq!(store.scratch(&key("n")).unwrap(), scratch);
    assert_eq!(fs::read(scratch.join("checkpoint")).unwrap(), b"step 3");
    store.clear_scratch(&key("n")).unwrap();
    store.clear_scratch(&key("n")).unwrap();
    assert!(!scratch.exists());
}

#[test]
fn what_fails_of_many_that_are_published_together_stops_no_other() {
    let Home { store, .. } = &home();
    let names = ["a", "b", "c"];
    let stagings = names.map(|_| store.staging().unwrap());
    let unfiled = names.iter().zip(&stagings).map(|(name, staging)| {
        write_files(staging.path(), &[("file", name), ("same", "content")]);
        store.unfiled(&key(name), &preimage(name), staging.path(), json!({"by": name})).unwrap()
    });
    let unfiled: Vec<_> = unfiled.collect();
    assert_eq!(store.lookup(&key("a")).unwrap(), None, "nobody sees it yet");
    // A process that was left over removes what another node wrote.
    fs::remove_file(stagings[1].path().join("file")).unwrap();
    let published = store.publish_all(unfiled);
    assert!(published[0].is_ok() && published[1].is_err() && published[2].is_ok(), "{published:?}");
    for (name, published) in names.iter().zip(&published) {
        assert_eq!(store.lookup(&key(name)).unwrap().as_ref(), published.as_ref().ok());
    }
    assert_eq!(store.verify(false).unwrap().problems, []);
}

#[test]
fn what_was_published_meanwhile_counts() {
    let Home { store, .. } = &home();
    let staging = store.staging().unwrap();
    write_files(staging.path(), &[("file", "second")]);
    let unfiled = store.unfiled(&key("a"), &preimage("a"), staging.path(), json!({"by": "second"})).unwrap();
    let first = publish(store, "a", &[("file", "first")]);
    assert_eq!(store.publish_all(vec![unfiled]).remove(0).unwrap(), first);
}
