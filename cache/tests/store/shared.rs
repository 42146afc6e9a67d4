//! Two users of one store.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hyper_flow_cache::{Access, ExportOptions, GcPolicy, Reader, Store};

use crate::common::*;

const GROUP: u32 = 23_456;
const ANNA: User = User { uid: 65_534, gid: GROUP, umask: 0o077 };
const BERT: User = User { uid: 12_345, gid: GROUP, umask: 0o022 };

fn below(dir: &Path) -> Vec<PathBuf> {
    let mut paths = vec![dir.to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    paths
}

/// That the group may do what the owner may.
#[track_caller]
fn is_open(path: &Path, gid: u32) {
    let meta = fs::metadata(path).unwrap();
    let mode = meta.permissions().mode() & 0o7777;
    let (owner, group) = (mode >> 6 & 7, mode >> 3 & 7);
    assert_eq!((owner, meta.gid()), (group, gid), "{} has mode {mode:o}", path.display());
    if meta.is_dir() {
        assert_eq!(mode & 0o2070, 0o2070, "{} has mode {mode:o}", path.display());
    }
}

#[test]
fn a_private_store_is_turned_into_a_shared_one() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &[("a", "alpha")]);
    assert_eq!(store.access(), Access::Private);
    fs::set_permissions(store.root().join("records"), fs::Permissions::from_mode(0o700)).unwrap();
    let run = store.lock_shared().unwrap();
    assert!(store.share(None).is_err(), "not while a run goes on");
    drop(run);
    let (shared, changed) = store.share(None).unwrap();
    assert!(changed > 5);
    assert_eq!((shared.access(), Store::open(store.root()).unwrap().access()), (Access::Group, Access::Group));
    let gid = fs::metadata(store.root()).unwrap().gid();
    below(store.root()).iter().for_each(|path| is_open(path, gid));
    assert_eq!(shared.lookup(&key("n")).unwrap(), Some(record));
    let mode = fs::metadata(object(store, "alpha")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o444, "an object stays one");
    assert_eq!(shared.share(None).unwrap().1, 0, "again there is nothing to change");
}

#[test]
#[ignore = "the first user's process, for `two_users_of_a_group`"]
fn anna() {
    take_umask();
    let store = told_store();
    store.open_to_group();
    let _run = store.lock_shared().unwrap();
    publish(&store, "n", &[("a", "alpha"), ("run*", "beta")]);
    publish(&store, "altered", &[("a", "gamma")]);
    overwrite_slyly(&object(&store, "gamma"), b"GAMMA");
    publish(&store, "old", &[("a", "old")]);
    store.pin(&pin("hers", "n")).unwrap();
    store.touch(&[key("n")]);
    fs::write(store.scratch(&key("unfinished")).unwrap().join("checkpoint"), "step 7").unwrap();
    // As a killed one leaves them.
    fs::write(store.root().join("locks").join(key("unfinished").to_string()), "anna's run").unwrap();
    let staging = store.staging().unwrap();
    let artifact = store.lookup(&key("n")).unwrap().unwrap().artifact;
    store.link_into(&artifact, &staging.path().join("in"), Reader::Known).unwrap();
    staging.keep();
    let out = told_store().root().parent().unwrap().join("out");
    store.export(&artifact, &out.join("anna"), &ExportOptions::default()).unwrap();
    assert_eq!(fs::metadata(out.join("anna/a")).unwrap().permissions().mode() & 0o777, 0o600, "her own umask");
    assert_eq!(fs::metadata(out.join("anna")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
#[ignore = "the second user's process, for `two_users_of_a_group`"]
fn bert() {
    take_umask();
    let store = told_store();
    store.open_to_group();
    store.check_writable().unwrap();
    let run = store.lock_shared().unwrap();
    let record = store.lookup(&key("n")).unwrap().unwrap();
    assert_eq!(record.meta.value()["by"], "n");
    // Objects of hers, known by their content, and set aside when they are altered.
    assert!(store.read(&store.lookup(&key("altered")).unwrap().unwrap().artifact, "a").is_err());
    assert!(!object(&store, "gamma").exists());
    publish(&store, "altered", &[("a", "gamma")]);
    assert_eq!(publish(&store, "mine", &[("a", "alpha"), ("b", "bert's")]).files, 2);
    let _lock = store.try_lock_key(&key("unfinished"), "bert's run").unwrap();
    let scratch = store.scratch(&key("unfinished")).unwrap();
    assert_eq!(fs::read_to_string(scratch.join("checkpoint")).unwrap(), "step 7");
    fs::write(scratch.join("checkpoint.new"), "step 8").unwrap();
    fs::rename(scratch.join("checkpoint.new"), scratch.join("checkpoint")).unwrap();
    store.clear_scratch(&key("unfinished")).unwrap();
    let staging = store.staging().unwrap();
    store.link_into(&record.artifact, &staging.path().join("in"), Reader::Known).unwrap();
    drop(staging);
    store.touch(&[key("mine")]);
    assert_eq!(store.pins().unwrap(), [pin("hers", "n")]);
    store.pin(&pin("hers", "mine")).unwrap();
    store.unpin("hers").unwrap();
    drop(run);
    let keep = [key("n"), key("mine"), key("altered")].into();
    store.gc(&GcPolicy { keep, ..GcPolicy::default() }).unwrap();
    assert!(!object(&store, "old").exists() && object(&store, "alpha").exists());
    assert_eq!(store.verify(false).unwrap().problems, []);
    store.rebuild().unwrap();
}

#[test]
fn two_users_of_a_group() {
    if !can_be_others("two users of a group, with one store") {
        return;
    }
    let home = home();
    let (store, _) = home.store.share(Some(GROUP)).unwrap();
    let out = home.dir.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).unwrap();
    run_as(ANNA, "shared::anna", &home);
    let job = |path: &PathBuf| path.starts_with(store.root().join("tmp")) && path.parent() != Some(store.root());
    below(store.root()).iter().filter(|path| !job(path)).for_each(|path| is_open(path, GROUP));
    run_as(BERT, "shared::bert", &home);
    below(store.root()).iter().filter(|path| !job(path)).for_each(|path| is_open(path, GROUP));
    assert!(store.lookup(&key("mine")).unwrap().is_some());
    store.gc(&GcPolicy { keep: [key("mine")].into(), ..GcPolicy::default() }).unwrap();
    assert_eq!(count(&store, "tmp"), 0, "what only its owner or root may remove");
}
