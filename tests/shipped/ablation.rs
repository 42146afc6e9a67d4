//! `pipelines/ablation.ron`: a matrix.

use crate::lab::Lab;

const SMALL: &[&str] = &[
    "matrix.regime={\"400-on-40\": (steps: 2, part: 1, points: 40)}",
    "{arm}-longer@{seed}.steps=1",
    "{arm}-delta@{seed}.steps=1",
    "dmd@{seed}.steps=1",
    "dmd@{seed}.fake_warmup=1",
    "{first}-dmd@{seed}.steps=1",
    "{first}-dmd@{seed}.fake_warmup=1",
    "{first}-much-longer@{seed}.steps=1",
    "eval@{seed}.samples=20",
    "eval@{seed}.reference_steps=10",
    "eval-{regime}@{seed}.samples=20",
    "eval-{regime}@{seed}.reference_steps=10",
    "eval-lcm@{seed}.samples=20",
    "eval-lcm@{seed}.reference_steps=10",
    "eval-one-step@{seed}.samples=20",
    "eval-one-step@{seed}.reference_steps=10",
];

#[test]
fn a_further_seed_runs_what_it_adds() {
    let lab = Lab::new("ablation", SMALL);
    let one = lab.run(&["matrix.seed=[1]"]);
    assert_eq!(one.len(), 36, "{one:?}");
    let two = lab.run(&["matrix.seed=[1, 2]"]);
    let added = |node: &&String| !node.ends_with("@2");
    assert_eq!(two.iter().filter(added).collect::<Vec<_>>(), ["400-on-40", "consistency", "one-step"]);
    assert_eq!(two.len(), 31, "{two:?}");

    let consistency = lab.json("show", &["consistency", "summary.json"], &["matrix.seed=[1, 2]"]);
    let rows = consistency["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["candidate"] == "tscd + feedback" && row["steps"] == 4).unwrap();
    assert_eq!(row["numbers"]["frechet"]["n"], 2);
    // The teacher drew for two evaluations of each seed from the same noise.
    let teacher = rows.iter().find(|row| row["candidate"] == "teacher" && row["steps"] == 4).unwrap();
    assert_eq!(teacher["numbers"]["frechet"]["n"], 2);
    let pairs = consistency["comparisons"].as_array().unwrap();
    assert!(pairs.iter().any(|pair| pair["candidate"] == "lcm + feedback" && pair["against"] == "lcm"));
}
