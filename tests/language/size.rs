//! Large pipelines.

use hyper_flow::pipeline::Overrides;
use miette::Diagnostic;

use crate::support::{Folder, good};

fn chain(length: usize, first: &str) -> String {
    let node = |i: usize| {
        let before = if i == 0 { first.to_owned() } else { format!("inputs: {{\"left\": \"n{}\"}}", i - 1) };
        format!("\"n{i}\": Command(program: [\"sh\", \"-c\", \"cat $FLOW_IN_LEFT/x > $FLOW_OUT/x\"], {before}),\n")
    };
    format!("Pipeline(name: \"chain\", nodes: {{\n{}}})", (0..length).map(node).collect::<String>())
}

#[test]
fn a_chain_of_ten_thousand_is_nothing_special() {
    let pipeline = good(&chain(10_000, ""));
    assert_eq!(pipeline.nodes["n9999"].inputs["inputs.left"], "n9998");
}

#[test]
fn a_long_cycle_is_told_once_and_shortly() {
    let folder = Folder::new();
    let errors = folder.parse(&chain(10_000, "inputs: {\"left\": \"n9999\"}"), &Overrides::default()).unwrap_err();
    assert_eq!(errors.findings.len(), 1);
    let message = &errors.findings[0].message;
    assert_eq!(
        message,
        "nodes take each other in a cycle: n0 → n9999 → n9998 → n9997 → n9996 → n9995 → … (9989 more) … → n5 → n4 → n3 → n2 → n1 → n0"
    );
}

#[test]
fn ten_thousand_mistakes_are_counted_and_the_first_are_shown() {
    let folder = Folder::new();
    let text = chain(10_000, "").replace("\"left\": \"n", "\"left\": \"m");
    let errors = folder.parse(&text, &Overrides::default()).unwrap_err();
    assert_eq!(errors.findings.len(), 9_999);
    assert_eq!(errors.related().unwrap().count(), 100);
    assert!(errors.to_string().starts_with("9999 mistakes in "));
}
