use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hyper_flow_cache::{GcPolicy, KeyLock, StoreError};

use crate::common::*;

fn holder_of<T: std::fmt::Debug>(refused: Result<T, StoreError>) -> String {
    match refused {
        Err(StoreError::Busy { holder, .. }) => holder,
        other => panic!("not busy but {other:?}"),
    }
}

#[test]
fn a_key_has_one_holder_who_is_named() {
    let Home { store, .. } = &home();
    let lock = store.try_lock_key(&key("n"), "run 7, pid 1").unwrap();
    assert_eq!(holder_of(store.try_lock_key(&key("n"), "run 8")), "run 7, pid 1");
    store.try_lock_key(&key("m"), "run 8").unwrap();
    drop(lock);
    store.try_lock_key(&key("n"), "run 8").unwrap();
    assert_eq!(count(store, "locks"), 1, "released locks leave no file but the store's");
}

#[test]
fn one_at_a_time() {
    let Home { store, .. } = &home();
    let inside = AtomicUsize::new(0);
    thread::scope(|scope| {
        for i in 0..8 {
            let inside = &inside;
            scope.spawn(move || {
                for _ in 0..50 {
                    let _lock = store.lock_key(&key("n"), &format!("thread {i}")).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
}

#[test]
#[ignore = "a process that `death_frees_locks` kills"]
fn holder() {
    let store = told_store();
    let _lock = store.lock_key(&key("n"), "the child").unwrap();
    let _run = store.lock_shared().unwrap();
    std::fs::write(store.root().join("runs"), "locked").unwrap();
    thread::sleep(Duration::from_secs(600));
}

#[test]
fn death_frees_locks() {
    let Home { store, .. } = &home();
    let mut child = spawn("lock::holder", store);
    while !store.root().join("runs").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it died before");
        thread::yield_now();
    }
    assert_eq!(holder_of(store.try_lock_key(&key("n"), "me")), "the child");
    assert!(holder_of(store.gc(&GcPolicy::default())).contains("run"));

    child.kill().unwrap();
    child.wait().unwrap();
    store.lock_key(&key("n"), "me").unwrap();
    store.gc(&GcPolicy::default()).unwrap();
}

/// A shell that has inherited the lock, and ends when there is `file`.
fn heir(lock: &KeyLock, file: &Path) -> Child {
    let wait = format!("until [ -e {} ]; do sleep 0.02; [ $((n += 1)) -lt 5000 ] || exit 1; done", file.display());
    let inherited = lock.inherited().unwrap();
    let child = Command::new("sh").args(["-c", &wait]).spawn().unwrap();
    drop(inherited);
    child
}

#[test]
#[ignore = "a process that `a_lock_stays_with_those_who_inherited_it` kills"]
fn parent() {
    let store = told_store();
    let lock = store.lock_key(&key("n"), "the parent").unwrap();
    let staging = store.staging_for(&key("n")).unwrap();
    write_files(&store.scratch(&key("n")).unwrap(), &[("checkpoint", "1")]);
    let mut heir = heir(&lock, &store.root().join("runs/go"));
    lock.tell("its child").unwrap();
    std::fs::create_dir(store.root().join("runs")).unwrap();
    heir.wait().unwrap();
    drop(staging);
}

#[test]
fn a_lock_stays_with_those_who_inherited_it() {
    let Home { store, .. } = &home();
    publish(store, "n", &[("a", "x")]);
    let mut parent = spawn("lock::parent", store);
    while !store.root().join("runs").exists() {
        assert_eq!(parent.try_wait().unwrap(), None, "it died before");
        thread::yield_now();
    }
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_eq!(holder_of(store.try_lock_key(&key("n"), "me")), "its child");
    assert_eq!(holder_of(store.forget(&key("n"), "me")), "its child");

    drop(store.staging().unwrap().keep());
    let nothing = GcPolicy { checkpoints_older_than: Duration::ZERO, ..GcPolicy::default() };
    let report = store.gc(&nothing).unwrap();
    assert_eq!((report.busy.as_slice(), report.kept), ([key("n")].as_slice(), 1), "what it works on stays");
    assert_eq!((count(store, "tmp"), count(store, "scratch")), (1, 1), "but nothing else");

    std::fs::write(store.root().join("runs/go"), "").unwrap();
    store.lock_key(&key("n"), "me").unwrap();
    let report = store.gc(&nothing).unwrap();
    assert_eq!((report.busy.as_slice(), report.kept), ([].as_slice(), 0));
    assert_eq!(["tmp", "scratch"].map(|area| count(store, area)), [0, 0]);
}

#[test]
fn who_lets_go_of_a_lock_takes_it_from_those_who_inherited_it() {
    let Home { store, dir } = &home();
    let lock = store.lock_key(&key("n"), "me").unwrap();
    let go = dir.path().join("go");
    let mut heir = heir(&lock, &go);
    drop(lock);
    store.try_lock_key(&key("n"), "another").unwrap();
    std::fs::write(go, "").unwrap();
    heir.wait().unwrap();
}

#[test]
fn runs_share_and_collection_is_alone() {
    let Home { store, .. } = &home();
    let runs = [store.lock_shared().unwrap(), store.try_lock_shared().unwrap()];
    holder_of(store.try_lock_exclusive());
    drop(runs);
    let collection = store.try_lock_exclusive().unwrap();
    assert!(holder_of(store.try_lock_shared()).contains("garbage collection"));
    drop(collection);
    store.lock_shared().unwrap();
}
