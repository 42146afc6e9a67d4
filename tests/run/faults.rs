//! An engine that dies at each place where it writes to the store.
#![cfg(debug_assertions)]

use crate::lab::{Lab, sh};

/// Two nodes whose keys no earlier round had.
fn pipeline(lab: &Lab, round: usize) {
    let first = sh(&format!("mkdir $FLOW_OUT/sub; echo first {round} > $FLOW_OUT/sub/out"), "");
    let second = "cat $FLOW_IN_FIRST/sub/out $FLOW_FILE_S > $FLOW_OUT/out";
    let second = sh(second, r#"inputs: {"first": "first"}, files: {"s": "source"}"#);
    lab.pipeline(&[("first", first), ("second", second)], "");
}

#[test]
fn an_engine_may_die_at_every_place_where_it_writes() {
    let lab = Lab::new();
    lab.write("source", "source\n");
    let mut died = 0;
    for round in 1.. {
        pipeline(&lab, round);
        let mut run = lab.command(&["run", "p.ron"]);
        let output = run.env("HYPER_FLOW_FAULT", format!("kill:{round}")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let after = lab.run(&[]);
        assert_eq!(after.code, Some(0), "{said}\n{:#?}\n{}", after.events, after.stderr);
        assert_eq!(lab.artifact("second", "out"), format!("first {round}\nsource\n"), "{said}");
        if output.status.code() == Some(0) {
            assert!(!said.contains("fault: "), "{said}");
            break;
        }
        assert!(said.contains("fault: "), "{said}");
        died += 1;
    }
    assert!(died > 20, "it died {died} times");
    assert!(lab.flow(&["cache", "verify"]).status.success());
    assert!(lab.flow(&["cache", "gc"]).status.success());
    assert_eq!(lab.stored("tmp").len(), 0);
}
