//! Two runs at once on one store.

use crate::lab::{Lab, eventually, sh};

#[test]
fn the_second_waits_says_for_whom_and_takes_what_the_first_made() {
    let lab = Lab::new();
    let script =
        format!("{}touch {}; {}echo x > $FLOW_OUT/n", lab.tally("runs"), lab.text_path("begun"), lab.await_file("go"));
    lab.pipeline(&[("a", sh(&script, "")), ("b", sh("cat $FLOW_IN_A/n > $FLOW_OUT/n", r#"inputs: {"a": "a"}"#))], "");
    let mut first = lab.start(&[], &[]);
    first.until("node_started");
    eventually("the first run begins", || lab.path("begun").exists());
    let mut second = lab.start(&[], &[]);
    let waiting = second.until("node_waiting");
    assert_eq!(waiting["node"], "a");
    assert!(waiting["holder"].as_str().unwrap().starts_with("run 2"), "{waiting}");
    lab.write("go", "");
    let (first, second) = (first.end(), second.end());
    assert_eq!((first.code, second.code), (Some(0), Some(0)));
    assert!(first.ran().contains(&"a"));
    assert!(second.list("cached").contains(&"a"));
    assert_eq!(lab.tallied("runs"), 1);
}

#[test]
fn many_runs_at_once_make_each_artifact_once() {
    let lab = Lab::new();
    let names = ["a", "b", "c", "d", "e", "f"];
    let node = |name: &str| sh(&(lab.tally(&format!("{name}-runs")) + &format!("echo {name} > $FLOW_OUT/n")), "");
    lab.pipeline(&names.map(|name| (name, node(name))), "");
    let runs: Vec<_> = (0..4).map(|_| lab.start(&["--threads", "4"], &[])).collect();
    let ended: Vec<_> = runs.into_iter().map(crate::lab::Running::end).collect();
    assert!(ended.iter().all(|run| run.code == Some(0)), "{ended:#?}");
    for name in names {
        assert_eq!(lab.tallied(&format!("{name}-runs")), 1, "{name}");
        assert_eq!(ended.iter().filter(|run| run.ran().contains(&name)).count(), 1);
    }
}
