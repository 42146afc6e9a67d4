//! `Summary`: repeated measurements, put together.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::{Files, Work};

/// What an `Eval` of this seed might have measured.
fn metrics(seed: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let noise = [0.1, -0.2, 0.15][seed];
    let row = |candidate: &str, steps: Option<i64>, frechet: f64, trajectory: Option<f64>| {
        json!({"candidate": candidate, "steps": steps, "intervals": {}, "frechet": frechet, "reward": null,
            "diversity": 20.0 - frechet / 2.0, "trajectory_mse": trajectory, "mine": 0.5})
    };
    let mut rows = vec![row("real, held out", None, 8.66, None)];
    rows.extend(
        [(1, 59.6), (2, 26.2), (4, 14.4), (40, 7.6)].map(|(n, f)| row("teacher", Some(n), f, Some(0.1 / n as f64))),
    );
    let all = |name: &str, shift: f64| {
        let at = |(steps, frechet): (i64, f64)| {
            let trajectory = 0.05 / steps as f64 * (1.0 + noise * shift);
            row(name, Some(steps), frechet * shift + noise * 3.0, Some(trajectory))
        };
        [(1, 30.5), (2, 9.0), (4, 5.1)].map(at)
    };
    rows.extend(all("tcd", 1.2));
    rows.extend(all("tscd", 1.0));
    std::fs::write(folder.path().join("metrics.json"), json!({"rows": rows}).to_string()).unwrap();
    folder
}

fn run(params: &Value) -> Files {
    let folders: Vec<TempDir> = (0..3).map(metrics).collect();
    let fill = |work: Work, (i, folder): (usize, &TempDir)| work.input(&format!("metrics.{i}"), folder.path());
    folders.iter().enumerate().fold(Work::new("Summary", params.clone()), fill).artifact()
}

fn text(files: &Files, name: &str) -> String {
    String::from_utf8(files[name].clone()).unwrap()
}

const METRICS: [&str; 3] = ["metrics.0", "metrics.1", "metrics.2"];

#[test]
fn a_table_says_mean_spread_and_how_often() {
    let files = run(&json!({"metrics": METRICS, "compare": [["tscd", "tcd"]]}));
    insta::assert_snapshot!("summary_table", text(&files, "table.txt"));
    insta::assert_snapshot!("summary_report", text(&files, "report.md"));
}

#[test]
fn a_table_may_show_some_numbers_and_intervals() {
    let files = run(&json!({"metrics": METRICS, "numbers": ["mine", "frechet"], "spread": "Interval"}));
    insta::assert_snapshot!("summary_of_some", text(&files, "table.txt"));
}

#[test]
fn all_values_are_kept_for_programs() {
    let files = run(&json!({"metrics": METRICS, "compare": [["tscd", "tcd"]]}));
    let summary: Value = serde_json::from_str(&text(&files, "summary.json")).unwrap();
    let row =
        summary["rows"].as_array().unwrap().iter().find(|row| row["candidate"] == "tscd" && row["steps"] == 2).unwrap();
    let frechet = &row["numbers"]["frechet"];
    assert_eq!((&frechet["n"], &frechet["values"]), (&json!(3), &json!([9.3, 8.4, 9.45])));
    assert!((frechet["mean"].as_f64().unwrap() - 9.05).abs() < 1e-12);
    let pair = &summary["comparisons"][0];
    assert_eq!((&pair["candidate"], &pair["against"]), (&json!("tscd"), &json!("tcd")));
    assert!(pair["numbers"]["frechet"]["p"].as_f64().unwrap() < 1e-6);

    let csv = text(&files, "summary.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "candidate,against,steps,number,n,mean,deviation,low,high");
    assert_eq!(lines[2], "\"real, held out\",,,frechet,1,8.66,,,");
    assert!(lines.iter().any(|line| line.starts_with("tscd,tcd,1,frechet,3,-6.1")), "{csv}");
}

#[test]
fn the_plot_shows_every_number_and_candidate() {
    let files = run(&json!({"metrics": METRICS}));
    let svg = text(&files, "plot.svg");
    for shown in
        ["frechet (lower is better)", "trajectory_mse (lower is better)", "diversity", "mine", "tscd", "teacher"]
    {
        assert!(svg.contains(shown), "{shown}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    if let Some(folder) = std::env::var_os("KEEP_PLOT") {
        std::fs::write(Path::new(&folder).join("plot.svg"), svg).unwrap();
    }
}

#[test]
fn what_is_no_measurement_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("metrics.json"), "{\"rows\": 3}").unwrap();
    let work = Work::new("Summary", json!({"metrics": ["metrics.0"]})).input("metrics.0", folder.path());
    let told = work.failure();
    assert!(told.contains("<metrics.0>/metrics.json") && told.contains("expected a sequence"), "{told}");
}
