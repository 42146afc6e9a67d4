//! Every layer altered, truncated and deleted: never served, never an error, made anew.

use std::fs;
use std::path::Path;

use hyper_flow_cache::{Digest, ExportOptions, Reader, Store, StoreError};

use crate::common::*;

const FILES: [(&str, &str); 2] = [("a", "alpha"), ("b", "beta")];

#[test]
fn an_altered_object_is_a_miss_and_set_aside() {
    for content in ["ALPHA", "alp", "", "alpha and more"] {
        let Home { store, .. } = &home();
        publish(store, "n", &FILES);
        overwrite(&object(store, "alpha"), content.as_bytes());
        assert_eq!(store.lookup(&key("n")).unwrap(), None, "{content:?}");
        assert!(!object(store, "alpha").exists());
        assert_eq!(count(store, "damaged"), 1);
        assert_heals(store);
    }
}

#[test]
fn a_deleted_object_is_a_miss() {
    let Home { store, .. } = &home();
    publish(store, "n", &FILES);
    fs::remove_file(object(store, "beta")).unwrap();
    assert_eq!(store.lookup(&key("n")).unwrap(), None);
    assert!(store.record(&key("n")).unwrap().is_some(), "still there for an explanation");
    assert_heals(store);
}

#[test]
fn an_object_that_became_something_else_is_a_miss() {
    let Home { store, .. } = &home();
    publish(store, "n", &FILES);
    fs::remove_file(object(store, "beta")).unwrap();
    fs::create_dir(object(store, "beta")).unwrap();
    assert_eq!(store.lookup(&key("n")).unwrap(), None);
    assert_heals(store);
}

#[test]
fn a_slyly_altered_object_is_never_handed_out() {
    assert_refused(|store, artifact, to| store.link_into(artifact, to, Reader::Known).map(drop));
    assert_refused(|store, artifact, _| store.read(artifact, "a").map(drop));
    let options = ExportOptions::default();
    assert_refused(|store, artifact, to| store.export(artifact, to, &options).map(drop));
}

fn assert_refused(hand_out: impl Fn(&Store, &Digest, &Path) -> Result<(), StoreError>) {
    let Home { store, dir } = &home();
    let record = publish(store, "n", &FILES);
    overwrite_slyly(&object(store, "alpha"), b"ALPHA");
    assert!(store.lookup(&key("n")).unwrap().is_some(), "a stat cannot tell");
    let refused = hand_out(store, &record.artifact, &dir.path().join("to"));
    let Err(StoreError::Damaged { path, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(path, "a");
    assert_eq!(store.lookup(&key("n")).unwrap(), None, "a miss from now on");
    assert_heals(store);
}

#[test]
fn publishing_does_not_trust_an_altered_object() {
    let Home { store, .. } = &home();
    publish(store, "n", &FILES);
    overwrite_slyly(&object(store, "alpha"), b"ALPHA");
    let other = publish(store, "other", &[("z", "alpha")]);
    assert_eq!(store.read(&other.artifact, "z").unwrap(), b"alpha");
}

#[test]
fn changed_stamps_alone_are_repaired() {
    let Home { store, .. } = &home();
    let record = publish(store, "n", &FILES);
    let path = object(store, "alpha");
    let before = fs::metadata(&path).unwrap();
    overwrite(&path, b"alpha");
    assert_ne!(fs::metadata(&path).unwrap().modified().unwrap(), before.modified().unwrap());
    assert_eq!(store.lookup(&key("n")).unwrap(), Some(record));
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before.modified().unwrap());
    assert_eq!(count(store, "damaged"), 0);
}

#[test]
fn an_altered_manifest_is_a_miss() {
    for alter in alterations() {
        let Home { store, .. } = &home();
        let record = publish(store, "n", &FILES);
        alter(&filed(store, "trees", record.artifact));
        assert_eq!(store.lookup(&key("n")).unwrap(), None);
        assert!(matches!(store.tree(&record.artifact), Err(StoreError::Damaged { .. })));
        assert_heals(store);
    }
}

#[test]
fn an_altered_record_is_a_miss() {
    for alter in alterations() {
        let Home { store, .. } = &home();
        publish(store, "n", &FILES);
        alter(&filed(store, "records", key("n")));
        assert_eq!(store.lookup(&key("n")).unwrap(), None);
        assert_eq!(store.record(&key("n")).unwrap(), None);
        assert_heals(store);
    }
}

#[test]
fn a_record_is_only_its_own_keys() {
    let Home { store, .. } = &home();
    publish(store, "n", &FILES);
    publish(store, "m", &[("x", "y")]);
    let stolen = fs::read(filed(store, "records", key("m"))).unwrap();
    overwrite(&filed(store, "records", key("n")), &stolen);
    assert_eq!(store.lookup(&key("n")).unwrap(), None);
}

#[test]
fn a_record_that_points_elsewhere_is_not_believed() {
    let Home { store, .. } = &home();
    let here = publish(store, "n", &FILES).artifact.to_string();
    let there = publish(store, "m", &[("a", "alpha"), ("b", "atad")]).artifact.to_string();
    let path = filed(store, "records", key("n"));
    let text = fs::read_to_string(&path).unwrap().replace(&here, &there);
    overwrite(&path, text.as_bytes());
    assert_eq!(store.lookup(&key("n")).unwrap(), None);
}

#[test]
fn an_altered_preimage_is_no_preimage() {
    for alter in alterations() {
        let Home { store, .. } = &home();
        publish(store, "n", &FILES);
        alter(&filed(store, "preimages", key("n")));
        assert_eq!(store.preimage(&key("n")).unwrap(), None);
        assert!(store.lookup(&key("n")).unwrap().is_some(), "nothing depends on it");
    }
}

/// Ways to spoil a file.
fn alterations() -> [fn(&Path); 5] {
    [
        |path| fs::remove_file(path).unwrap(),
        |path| overwrite(path, b""),
        |path| overwrite(path, b"\xff\xfe{"),
        |path| {
            let bytes = fs::read(path).unwrap();
            overwrite(path, &bytes[..bytes.len() - 2]);
        },
        |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            overwrite(path, &bytes);
        },
    ]
}

/// Making the artifact again makes it a hit again.
fn assert_heals(store: &Store) {
    let record = publish(store, "n", &FILES);
    assert_eq!(store.lookup(&key("n")).unwrap(), Some(record.clone()));
    assert_eq!(store.read(&record.artifact, "a").unwrap(), b"alpha");
    assert_eq!(store.preimage(&key("n")).unwrap(), Some(preimage("n")));
    assert_eq!(store.verify(false).unwrap().problems, []);
}

#[test]
fn a_damaged_answer_is_asked_for_again() {
    let Home { store, .. } = &home();
    let question = Digest::of(b"what machine is this?");
    store.set_memo(&question, b"cpu:avx2\n").unwrap();
    assert_eq!(store.memo(&question).unwrap().unwrap(), b"cpu:avx2\n");
    let path = store.root().join("memos").join(question.to_string());
    let kept = fs::read(&path).unwrap();
    for at in 0..kept.len() {
        let mut damaged = kept.clone();
        damaged[at] ^= 1;
        overwrite(&path, &damaged);
        assert_eq!(store.memo(&question).unwrap(), None, "at {at}");
    }
}
