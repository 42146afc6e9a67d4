//! A machine that dies, and a disk that is full, at each place where the store writes.
#![cfg(debug_assertions)]

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use hyper_flow_cache::{Digest, ExportOptions, GcPolicy, Reader, Result, Store, fault};
use serde_json::json;

use crate::common::*;

const FILES: [(&str, &str); 3] = [("a", "alpha"), ("sub/b", "beta"), ("sub/run*", "#!/bin/sh")];
const PLAIN: [(&str, &str); 3] = [("a", "alpha"), ("sub/b", "beta"), ("sub/run", "#!/bin/sh")];

/// Something of everything that a run and those who look after a store do.
fn scenario(store: &Store) -> Result<()> {
    let lock = store.lock_shared()?;
    let held = store.lock_key(&key("n"), "the scenario")?;
    let staging = store.staging()?;
    let out = staging.path().join("out");
    write_files(&out, &FILES);
    let done = store.publish(&key("n"), &preimage("n"), &out, json!({"by": "n"}));
    if done.is_err() {
        assert_eq!(content_of(&out), contents(&PLAIN), "what could not be published is whole");
    }
    let record = done?;
    publish_together(store, &["p", "q"])?;
    store.touch(&[key("n")]);
    store.set_memo(&Digest::of(b"question"), b"answer")?;
    store.link_into(&record.artifact, &staging.path().join("in"), Reader::Known)?;
    store.export(&record.artifact, &store.root().with_file_name("exported"), &ExportOptions::default())?;
    write_files(&store.scratch(&key("n"))?, &[("checkpoint", "1")]);
    store.clear_scratch(&key("n"))?;
    drop((staging, held));
    if object(store, "beta").exists() {
        fs::write(store.root().with_file_name("altered"), "").unwrap();
        overwrite(&object(store, "beta"), b"BETA");
    }
    assert_eq!(store.lookup(&key("n"))?, None, "what is altered is no hit");
    let staging = store.staging()?;
    write_files(staging.path(), &FILES);
    store.publish(&key("n"), &preimage("n"), staging.path(), json!({"by": "n"}))?;
    drop((staging, lock));
    collect(store, GcPolicy::default().leftovers_older_than)
}

/// With so many files that all of the file system is synced for them.
fn publish_together(store: &Store, names: &[&str]) -> Result<()> {
    let stagings: Vec<_> = names.iter().map(|_| store.staging()).collect::<Result<_>>()?;
    let unfiled = names.iter().zip(&stagings).map(|(name, staging)| {
        (0..6).for_each(|at| write_files(staging.path(), &[(&format!("{name}{at}"), &format!("{name}{at}"))]));
        store.unfiled(&key(name), &preimage(name), staging.path(), json!({"by": name}))
    });
    let published = store.publish_all(unfiled.collect::<Result<_>>()?);
    for (name, staging) in names.iter().zip(&stagings).zip(&published).filter(|(_, one)| one.is_err()).map(|(it, _)| it)
    {
        assert_eq!(content_of(staging.path()).len(), 6, "what could not be published of {name} is whole");
    }
    published.into_iter().try_for_each(|one| one.map(drop))
}

fn collect(store: &Store, leftovers_older_than: Duration) -> Result<()> {
    let policy = GcPolicy { keep: BTreeSet::from([key("n")]), leftovers_older_than, ..GcPolicy::default() };
    store.gc(&policy).map(drop)
}

#[test]
#[ignore = "a process that the tests below let die"]
fn victim() -> ExitCode {
    match scenario(&told_store()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(7),
    }
}

/// What the scenario came to with a fault, and the name of the place if there was one.
fn suffer(store: &Store, fault: &str) -> (Option<i32>, Option<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "faults::victim", "--ignored", "--nocapture"]).env("HYPER_FLOW_TEST_STORE", store.root());
    let output = child.env("HYPER_FLOW_FAULT", fault).stdout(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{fault}: {said}");
    (output.status.code(), said.lines().find_map(|line| line.strip_prefix("fault: ")).map(str::to_owned))
}

/// Lets the scenario suffer at its first place, its second, and so on, each time in a store of its own, until there is no
/// more. Whatever happens, what is left is a store in which nothing is wrong, and in which the same can be done.
fn suffer_everywhere(kind: &str) {
    let mut places = BTreeSet::new();
    for at in 1.. {
        let Home { store, dir } = &home();
        let fault = format!("{kind}:{at}");
        let (code, place) = suffer(store, &fault);
        let Some(place) = place else {
            assert_eq!(code, Some(0));
            break;
        };
        // What the scenario alters itself is found; nothing else may be.
        let altered = dir.path().join("altered").exists();
        assert!(altered || store.verify(false).unwrap().problems.is_empty(), "{fault} at {place}");
        store.verify(true).unwrap();
        assert_eq!(store.verify(false).unwrap().problems, [], "{fault} at {place}");
        if let Some(hit) = store.lookup(&key("n")).unwrap() {
            let staging = store.staging().unwrap();
            store.link_into(&hit.artifact, &staging.path().join("in"), Reader::Known).unwrap();
            assert_eq!(content_of(&staging.path().join("in")), contents(&PLAIN), "{fault} at {place}");
        }
        scenario(store).unwrap_or_else(|error| panic!("{fault} at {place}, then {error}"));
        assert_eq!(content_of(&dir.path().join("exported")), contents(&PLAIN), "{fault} at {place}");
        collect(store, Duration::ZERO).unwrap();
        assert_eq!((count(store, "tmp"), count(store, "scratch")), (0, 0), "{fault} at {place}");
        let _ = fs::remove_dir_all(dir);
        places.insert(place);
    }
    assert_eq!(places, fault::PLACES.iter().map(|place| (*place).to_owned()).collect());
}

#[test]
fn a_process_may_die_anywhere() {
    suffer_everywhere("kill");
}

#[test]
fn any_write_may_fail() {
    suffer_everywhere("fail");
}

#[test]
fn a_disk_may_be_full_from_anywhere_on() {
    suffer_everywhere("fail-from");
}
