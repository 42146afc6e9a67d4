//! `pipelines/digits.ron`: only what changed runs.

use std::collections::BTreeMap;
use std::fs;

use crate::lab::Lab;

const SMALL: &[&str] = &[
    "tscd-8.steps=2",
    "tscd-4.steps=2",
    "tscd-2.steps=2",
    "tscd-1.steps=2",
    "reward.steps=2",
    "unified.steps=2",
    "unified.fake_warmup=1",
    "one-step.steps=2",
    "unified.adversarial=(weight: 0.1, warmup: 1)",
    "one-step.fake_warmup=1",
    "eval.samples=20",
    "eval.reference_steps=10",
    "gate.require=[(candidate: \"unified\", number: \"coverage\", at_least: 0)]",
];

/// What `plan` says of a node: its state and reason.
type Plan = BTreeMap<String, (String, String)>;

fn plan(lab: &Lab, set: &[&str]) -> Plan {
    let plan = lab.json("plan", &[], set);
    let text = |node: &serde_json::Value, field: &str| node[field].as_str().expect("text").to_owned();
    let nodes = plan["nodes"].as_array().expect("nodes").iter();
    nodes.map(|node| (text(node, "name"), (text(node, "state"), text(node, "reason")))).collect()
}

/// The names in this state.
fn in_state(plan: &Plan, state: &str) -> Vec<String> {
    plan.iter().filter(|(_, (found, _))| found == state).map(|(name, _)| name.clone()).collect()
}

const AFTER_REWARD: [&str; 6] = ["eval", "gate", "merged", "one-step", "reward", "unified"];

#[test]
fn only_what_changed_runs() {
    let mut lab = Lab::new("digits", SMALL);
    let nothing: [&str; 0] = [];
    assert_eq!(lab.run(&[]).len(), 15);
    assert_eq!(lab.run(&[]), nothing);

    // The reward's weight: it runs, what follows may.
    let heavier = ["reward.rewards=[Clip(model: \"clip\", weight: 2.0, threshold: 0.86)]"];
    let plan = plan(&lab, &heavier);
    assert_eq!(in_state(&plan, "run"), ["reward"]);
    assert_eq!(in_state(&plan, "maybe"), ["eval", "gate", "merged", "one-step", "unified"]);
    assert!(plan["reward"].1.contains("weight: 1.0 → 2.0"), "{}", plan["reward"].1);
    assert!(plan["merged"].1.contains("reward"), "{}", plan["merged"].1);
    assert_eq!(lab.run(&heavier), AFTER_REWARD);
    assert_eq!(lab.run(&[]), nothing, "changed back");

    // A gate that does not hold fails the run, says by how much, and loses nothing.
    let never = ["gate.require=[(candidate: \"unified\", steps: 1, number: \"coverage\", at_least: 2)]"];
    let output = lab.engine("run", &[], &never);
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("1 of 1 requirements are not met") && told.contains("required is at least 2"), "{told}");
    assert_eq!(lab.run(&[]), nothing, "what was measured is kept");

    // Another stage's steps: that stage and what follows, nothing before.
    let after_stage = ["eval", "gate", "merged", "one-step", "reward", "tscd-1", "tscd-2", "tscd-4", "unified"];
    assert_eq!(lab.run(&["tscd-4.steps=3"]), after_stage);

    // Names and places are not what a node is.
    lab.rename("tscd-8", "first stage");
    lab.rename("eval", "report");
    fs::create_dir(lab.path("elsewhere")).unwrap();
    fs::rename(lab.path("data/digits.csv.gz"), lab.path("elsewhere/copy.csv.gz")).unwrap();
    lab.edit("data/digits.csv.gz", "elsewhere/copy.csv.gz");
    assert_eq!(lab.run(&[]), nothing, "renamed and moved");
}
