use std::fs;
use std::path::Path;

use crate::common::*;

#[test]
fn a_healthy_store_has_no_problems() {
    let Home { store, .. } = &home();
    publish(store, "n", &[("a", "alpha"), ("b", "beta")]);
    publish(store, "m", &[("a", "alpha")]);
    let report = store.verify(false).unwrap();
    assert_eq!((report.objects, report.trees, report.records, report.preimages), (2, 2, 2, 2));
    assert_eq!((report.bytes, report.problems.len()), (9, 0));
}

#[test]
fn each_problem_is_named_and_repaired() {
    let Home { store, .. } = &home();
    publish(store, "fine", &[("a", "fine")]);
    publish(store, "object", &[("a", "object")]);
    let tree = publish(store, "tree", &[("a", "tree")]).artifact;
    publish(store, "record", &[("a", "record")]);
    publish(store, "preimage", &[("a", "preimage")]);
    let spoiled = [
        object(store, "object"),
        filed(store, "trees", tree),
        filed(store, "records", key("record")),
        filed(store, "preimages", key("preimage")),
    ];
    for path in &spoiled {
        overwrite_slyly(path, b"spoilt");
    }
    fs::write(store.root().join("objects/stray"), "x").unwrap();
    write_files(store.root(), &[("objects/zz/stray", "x")]);

    let mut expected = spoiled.to_vec();
    expected.push(store.root().join("objects/zz/stray"));
    // And the records that stand on an altered object and an altered manifest.
    expected.push(filed(store, "records", key("object")));
    expected.push(filed(store, "records", key("tree")));
    expected.sort();
    let report = store.verify(false).unwrap();
    let named: Vec<_> = report.problems.iter().map(|p| store.root().join(&p.path)).collect();
    assert_eq!(named, expected);
    assert!(report.problems.iter().all(|p| p.path.is_relative() && !p.what.is_empty()));

    assert_eq!(store.verify(true).unwrap().problems.len(), expected.len());
    assert_eq!(store.verify(false).unwrap().problems, []);
    assert!(expected.iter().all(|path: &std::path::PathBuf| !Path::exists(path)));
    assert!(store.lookup(&key("fine")).unwrap().is_some());
    for name in ["object", "tree", "record"] {
        assert_eq!(store.lookup(&key(name)).unwrap(), None);
        publish(store, name, &[("a", name)]);
        assert!(store.lookup(&key(name)).unwrap().is_some());
    }
}

#[test]
fn looking_changes_nothing() {
    let Home { store, .. } = &home();
    publish(store, "n", &[("a", "alpha")]);
    overwrite(&object(store, "alpha"), b"ALPHA");
    assert_eq!(store.verify(false).unwrap().problems.len(), 2, "the object and its record");
    assert!(object(store, "alpha").exists());
    assert_eq!(count(store, "damaged"), 0);
}
