//! Random operations against a model: whatever happens to the files, a hit is whole and right.

use std::collections::BTreeMap;
use std::fs;

use hyper_flow_cache::{Digest, GcPolicy, Reader, Store, StoreError, Tree};
use proptest::prelude::*;

use crate::common::*;

/// Few names and contents, so that they meet.
const NODES: [&str; 4] = ["n0", "n1", "n2", "n3"];
const CONTENTS: [&str; 4] = ["", "alpha", "beta", "gamma"];

type Files = BTreeMap<&'static str, &'static str>;

#[derive(Debug, Clone)]
enum Op {
    Publish(usize, Files),
    Tamper(usize, bool),
    Delete(&'static str, prop::sample::Index),
    Collect(usize),
    Verify(bool),
    Reopen,
}

fn files() -> impl Strategy<Value = Files> {
    let path = prop::sample::select(vec!["a", "b", "d/a", "d/e/a"]);
    prop::collection::btree_map(path, prop::sample::select(CONTENTS.to_vec()), 0..4)
}

fn op() -> impl Strategy<Value = Op> {
    let area = prop::sample::select(vec!["objects", "trees", "records", "preimages"]);
    prop_oneof![
        4 => (0..NODES.len(), files()).prop_map(|(node, files)| Op::Publish(node, files)),
        2 => (0..CONTENTS.len(), any::<bool>()).prop_map(|(content, sly)| Op::Tamper(content, sly)),
        2 => (area, any::<prop::sample::Index>()).prop_map(|(area, which)| Op::Delete(area, which)),
        1 => (0..NODES.len()).prop_map(Op::Collect),
        1 => any::<bool>().prop_map(Op::Verify),
        1 => Just(Op::Reopen),
    ]
}

fn apply(store: &mut Store, op: &Op, model: &mut BTreeMap<usize, Files>) {
    match op {
        Op::Publish(node, files) => {
            let list: Vec<_> = files.iter().map(|(path, content)| (*path, *content)).collect();
            let record = publish(store, NODES[*node], &list);
            // Another record may stay: one that was whole, or that these very files made whole again.
            if shape(&store.tree(&record.artifact).unwrap()) == shape_of(files) {
                model.insert(*node, files.clone());
            }
        }
        Op::Tamper(content, sly) => {
            let path = object(store, CONTENTS[*content]);
            let spoilt = CONTENTS[*content].to_uppercase();
            match (path.exists(), sly) {
                (false, _) => {}
                (true, true) => overwrite_slyly(&path, spoilt.as_bytes()),
                (true, false) => overwrite(&path, spoilt.as_bytes()),
            }
        }
        Op::Delete(area, which) => {
            let all = all_filed(store, area);
            if !all.is_empty() {
                fs::remove_file(&all[which.index(all.len())]).unwrap();
            }
        }
        Op::Collect(node) => {
            let keep = [key(NODES[*node])].into();
            store.gc(&GcPolicy { keep, ..GcPolicy::default() }).unwrap();
            model.retain(|other, _| other == node);
        }
        Op::Verify(repair) => {
            store.verify(*repair).unwrap();
            if *repair {
                assert_eq!(store.verify(false).unwrap().problems, []);
            }
        }
        Op::Reopen => *store = Store::open(store.root()).unwrap(),
    }
}

fn shape(tree: &Tree) -> Vec<(String, Digest)> {
    tree.entries().iter().map(|e| (e.path.clone(), e.digest)).collect()
}

fn shape_of(files: &Files) -> Vec<(String, Digest)> {
    files.iter().map(|(path, content)| ((*path).to_owned(), Digest::of(content.as_bytes()))).collect()
}

fn all_filed(store: &Store, area: &str) -> Vec<std::path::PathBuf> {
    let shards = fs::read_dir(store.root().join(area)).into_iter().flatten();
    let files = shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
}

fn whole(store: &Store, node: usize) -> bool {
    store.lookup(&key(NODES[node])).unwrap().is_some()
}

/// A hit is what was published, or says that it is damaged and is a miss from then on.
fn check(store: &Store, node: usize, model: &BTreeMap<usize, Files>) {
    let Some(hit) = store.lookup(&key(NODES[node])).unwrap() else { return };
    let staging = store.staging().unwrap();
    let input = staging.path().join("in");
    match store.link_into(&hit.artifact, &input, Reader::Known) {
        Ok(linked) => {
            let files: Vec<_> = model[&node].iter().map(|(path, content)| (*path, *content)).collect();
            assert_eq!(content_of(&input), contents(&files));
            assert_eq!(store.check_linked(&linked).unwrap(), [""; 0]);
        }
        Err(StoreError::Damaged { .. }) => assert!(!whole(store, node)),
        Err(other) => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hit_is_whole_and_right(ops in prop::collection::vec(op(), 1..14)) {
        let Home { mut store, dir: _dir } = home();
        let mut model = BTreeMap::new();
        for op in &ops {
            apply(&mut store, op, &mut model);
            (0..NODES.len()).for_each(|node| check(&store, node, &model));
        }
        // And everything can be made anew.
        for (node, name) in NODES.iter().enumerate() {
            let fresh = publish(&store, name, &[("a", "alpha")]);
            prop_assert_eq!(store.lookup(&key(name)).unwrap(), Some(fresh));
            model.entry(node).or_insert_with(|| Files::from([("a", "alpha")]));
            prop_assert!(whole(&store, node));
        }
    }
}
