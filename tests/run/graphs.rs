//! Graphs of many shapes.

use crate::lab::{Lab, sh};

const COPY: &str = "cat $FLOW_IN_UP/n > $FLOW_OUT/n; echo x >> $FLOW_OUT/n";

fn chain(length: usize) -> Vec<(String, String)> {
    let node = |index: usize| match index {
        0 => sh("echo x > $FLOW_OUT/n", ""),
        _ => sh(COPY, &format!("inputs: {{\"up\": \"n{:05}\"}}", index - 1)),
    };
    (0..length).map(|index| (format!("n{index:05}"), node(index))).collect()
}

fn write(lab: &Lab, nodes: &[(String, String)]) {
    let nodes: Vec<(&str, String)> = nodes.iter().map(|(name, node)| (name.as_str(), node.clone())).collect();
    lab.pipeline(&nodes, "");
}

#[test]
fn a_chain_of_100_runs_and_runs_again_from_where_it_changed() {
    let lab = Lab::new();
    let mut nodes = chain(100);
    write(&lab, &nodes);
    assert_eq!(lab.run(&[]).ran().len(), 100);
    assert_eq!(lab.artifact("n00099", "n").lines().count(), 100);
    let again = lab.run(&[]);
    assert_eq!((again.ran().len(), again.list("cached").len()), (0, 100));
    nodes[60].1 = nodes[60].1.replace("echo x", "echo y");
    write(&lab, &nodes);
    let changed = lab.run(&[]);
    assert_eq!(changed.ran(), (60..100).map(|index| format!("n{index:05}")).collect::<Vec<_>>());
    assert_eq!(lab.artifact("n00099", "n").lines().filter(|line| *line == "y").count(), 1);
}

#[test]
fn a_fan_of_100_runs_and_runs_again_where_it_changed() {
    let lab = Lab::new();
    let leaf =
        |index: usize, word: &str| (format!("leaf{index:03}"), sh(&format!("echo {word}{index} > $FLOW_OUT/n"), ""));
    let mut nodes: Vec<(String, String)> = (0..100).map(|index| leaf(index, "")).collect();
    let inputs: Vec<String> = (0..100).map(|index| format!("\"p{index:03}\": \"leaf{index:03}\"")).collect();
    let gather = "for i in $(env | grep ^FLOW_IN_ | sort | cut -d= -f2); do cat $i/n; done > $FLOW_OUT/all";
    nodes.push(("gather".into(), sh(gather, &format!("inputs: {{{}}}", inputs.join(", ")))));
    write(&lab, &nodes);
    assert_eq!(lab.run(&["--threads", "4"]).ran().len(), 101);
    let all = lab.artifact("gather", "all");
    assert_eq!(all.lines().map(|line| line.parse().unwrap()).collect::<Vec<usize>>(), (0..100).collect::<Vec<_>>());
    lab.run(&[]).expect_ran(&[]);
    nodes[42] = leaf(42, "changed");
    write(&lab, &nodes);
    lab.run(&[]).expect_ran(&["leaf042", "gather"]);
    assert!(lab.artifact("gather", "all").contains("changed42"));
}

/// Deep enough to overflow the stack of anything that recurses along it.
#[test]
fn a_chain_of_10_000_plans_and_runs() {
    let lab = Lab::new();
    let mut nodes = chain(10_000);
    // Every node yields the same, so that the second is the last whose process runs: early cut-off, 9,998 times.
    nodes.iter_mut().skip(1).for_each(|(_, node)| *node = node.replace("echo x >>", "true >>"));
    write(&lab, &nodes);
    let plan = lab.flow(&["plan", "--json", "p.ron"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["nodes"].as_array().unwrap().len(), 10_000);
    let run = lab.run(&[]);
    run.expect_ran(&["n00000", "n00001"]);
    assert_eq!(run.list("cached").len(), 9_998);
    let again = lab.run(&[]);
    again.expect_ran(&[]);
    assert_eq!(again.list("cached").len(), 10_000);
}

#[test]
fn targets_run_what_they_need_and_nothing_else() {
    let lab = Lab::new();
    let mut nodes = chain(5);
    nodes.push(("aside".into(), sh("echo x > $FLOW_OUT/n", "env: [\"X\"]")));
    write(&lab, &nodes);
    let run = lab.run(&["n00002"]);
    run.expect_ran(&["n00000", "n00001", "n00002"]);
    assert_eq!(run.list("skipped").len(), 0);
    let run = lab.run(&["n00003", "aside"]);
    assert_eq!(run.list("cached"), ["n00000", "n00001", "n00002"]);
    assert_eq!(
        {
            let mut ran = run.ran();
            ran.sort_unstable();
            ran
        },
        ["aside", "n00003"]
    );
}

#[test]
fn nodes_with_equal_keys_run_once() {
    let lab = Lab::new();
    let twin = sh(&(lab.tally("runs") + "sleep 0.1; echo x > $FLOW_OUT/n"), "");
    // Many, so that they are looked up in some other order than theirs.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    lab.pipeline(&names.map(|name| (name, twin.clone())), "");
    let run = lab.run(&["--threads", "4"]);
    run.expect_ran(&["a"]);
    assert_eq!((run.list("cached"), lab.tallied("runs")), (names[1..].to_vec(), 1));
    let lab = Lab::new();
    let twin = sh(&(lab.tally("runs") + "exit 1"), "");
    lab.pipeline(&[("a", twin.clone()), ("b", twin)], "");
    let run = lab.run(&["--keep-going"]);
    assert_eq!(run.list("failed"), ["a", "b"]);
    assert!(run.failure("b").contains("`a` has the same key"));
    assert_eq!(lab.tallied("runs"), 1);
}

#[test]
fn nodes_start_in_order_of_name_among_equals() {
    let lab = Lab::new();
    let node = |name: &str| sh(&format!("echo {name} >> {}; echo {name} > $FLOW_OUT/n", lab.text_path("order")), "");
    let names = ["d", "b", "a", "e", "c"];
    lab.pipeline(&names.map(|name| (name, node(name))), "");
    lab.run(&["--threads", "1"]).expect_ran(&["a", "b", "c", "d", "e"]);
    assert_eq!(lab.read("order"), "a\nb\nc\nd\ne\n");
}

#[test]
fn threads_limit_what_runs_side_by_side() {
    let lab = Lab::new();
    let (mark, count) = (lab.text_path("running"), lab.text_path("most"));
    std::fs::create_dir(&mark).unwrap();
    let node = |name: &str| {
        let script = format!(
            "touch {mark}/{name}; sleep 0.1; ls {mark} | wc -l >> {count}; rm {mark}/{name}; echo {name} > $FLOW_OUT/n"
        );
        sh(&script, "")
    };
    let names = ["a", "b", "c", "d", "e", "f"];
    lab.pipeline(&names.map(|name| (name, node(name))), r#""c": (threads: 2)"#);
    lab.run(&["--threads", "2"]).expect_ran(&names);
    let most = lab.read("most").lines().map(|line| line.trim().parse::<usize>().unwrap()).max();
    assert!(most <= Some(2), "{most:?}");
    let started = std::fs::read_dir(&mark).unwrap().count();
    assert_eq!(started, 0);
}
