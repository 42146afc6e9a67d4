use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hyper_flow_cache::{GcPolicy, StoreError};

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
