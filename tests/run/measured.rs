//! The numbers of an `Eval`: one table at the end of a run, in `show` and in `log`, as wide as its window allows.

use serde_json::{Value, json};

use crate::lab::sh;
use crate::pty::Pty;
use crate::workers::Workshop;

/// What an `Eval` with a long way to go yields.
fn metrics() -> Value {
    let row = |candidate: &str, steps: Option<u32>, frechet: f64| {
        json!({"candidate": candidate, "steps": steps, "intervals": {"frechet": [frechet - 1.0, frechet + 1.0]},
            "frechet": frechet, "clip_score": 80.5, "reward": null, "diversity": 12.25, "precision": 0.5, "recall": 0.25,
            "coverage": 0.75, "accuracy": null, "trajectory_mse": if steps.is_some() { json!(0.0123) } else { Value::Null },
            "aesthetic": 5.5})
    };
    let compared = |number: &str, p: f64, verdict: &str| {
        json!({"candidate": "unified", "against": "tscd", "steps": 1, "number": number, "difference": -2.5,
            "interval": [-3.5, -1.5], "p": p, "verdict": verdict})
    };
    json!({
        "rows": [row("real, held out", None, 8.0), row("teacher", Some(1), 60.0), row("unified", Some(1), 12.0), row("unified", Some(2), 6.0)],
        "comparisons": [
            compared("recall", 0.6, "undecided"), compared("clip_score", 0.03, "worse"), compared("coverage", 0.4, "undecided"),
            compared("frechet", 0.001, "better"),
        ],
        "resamples": 1000, "samples": 100,
    })
}

/// `eval` is an `Eval`, and `gate` fails.
fn evaluated() -> Workshop {
    let mut shop = Workshop::new("");
    shop.lab.write("metrics.json", &metrics().to_string());
    let does = format!(
        "if grep -q '\"Gate\"' \"$2\"; then say message '\"level\":\"error\",\"text\":\"1 of 3 requirements are not met:\\u000aall of it\"'; \
         exit 1; fi; cp {} $out/metrics.json; echo of the worker > $out/table.txt; say show '\"path\":\"table.txt\"'\n",
        shop.lab.text_path("metrics.json")
    );
    let worker = shop.lab.read("worker").replace(". \"$(field file \"$2\")\"\n", &does);
    shop.lab.write("worker", &worker);
    let file = |output: &str| sh("echo x > $FLOW_OUT/x", &format!("output: {output}"));
    let gate = r#"Gate(metrics: "eval", require: [(candidate: "unified", number: "frechet", at_most: 1)])"#;
    shop.lab.pipeline(
        &[
            ("t", file("Model")),
            ("d", file("Dataset")),
            ("c", file("Clip")),
            ("l", file("Lora")),
            ("eval", r#"Eval(teacher: "t", data: "d", loras: {"unified": "l"}, clip: "c", steps: [1, 2])"#.to_owned()),
            ("gate", gate.to_owned()),
        ],
        "",
    );
    shop.lab = shop.lab.with("TERM", "dumb");
    shop
}

/// Standard output of a command on a terminal of so many columns, and nothing else of it.
fn results(shop: &Workshop, columns: u16, arguments: &[&str]) -> String {
    let mut run = shop.lab.shell("\"$0\" \"$@\" 2> /dev/null", arguments);
    run.env("HYPER_FLOW_WORKER", shop.lab.text_path("worker"));
    Pty::of_size(columns, 24).run(&mut run).1.replace("\r\n", "\n")
}

#[test]
fn an_eval_has_one_table_at_the_end_of_a_run_in_show_and_in_the_log() {
    let shop = evaluated();
    let ran = results(&shop, 80, &["run", "p.ron"]);
    insta::assert_snapshot!(ran, @r"
      candidate       steps      frechet  clip_score  diversity
      real, held out      -   8.00 ±1.00       80.50      12.25

      teacher             1  60.00 ±1.00       80.50      12.25

      unified             1  12.00 ±1.00       80.50      12.25
      unified             2   6.00 ±1.00       80.50      12.25

      Of frechet lower is better, of all else higher.
      ±: half of what holds 95 % of 1000 resamples of the pictures.
      There is no room for precision, recall, coverage, trajectory_mse, aesthetic.

      candidate  it is   against  steps  number         by   from     to      p
      unified    better  tscd         1  frechet     -2.50  -3.50  -1.50  0.001
      unified    worse   tscd         1  clip_score  -2.50  -3.50  -1.50  0.030

      Of 4 comparisons 2 are decided, of which chance alone decides about 0; 2 are
      not. p: how often resampling moves a difference so far.
      all of it: hyper-flow show p.ron eval --wide

    5 ran, 1 failed
    failed: gate: 1 of 3 requirements are not met
    ");
    let shown = results(&shop, 80, &["show", "p.ron", "eval"]);
    assert!(shown.contains("  all of it: hyper-flow show p.ron eval --wide\n"), "{shown}");
    let table = |text: &str| {
        let (from, to) = (text.find("  candidate").unwrap(), text.rfind("p: how often").unwrap());
        text[from..to].trim_end().to_owned()
    };
    assert_eq!(table(&ran), table(&shown));
    let logged = results(&shop, 80, &["log", "p.ron", "eval"]);
    assert!(logged.contains("  all of it: hyper-flow show p.ron eval --wide\n"), "{logged}");
    assert_eq!(table(&logged), table(&shown));
    let at = |columns| table(&results(&shop, columns, &["show", "p.ron", "eval"]));
    insta::assert_snapshot!(at(200), @r"
      candidate       steps      frechet  clip_score  diversity  precision  recall  coverage  trajectory_mse  aesthetic
      real, held out      -   8.00 ±1.00       80.50      12.25      0.500   0.250     0.750               -     5.5000

      teacher             1  60.00 ±1.00       80.50      12.25      0.500   0.250     0.750          0.0123     5.5000

      unified             1  12.00 ±1.00       80.50      12.25      0.500   0.250     0.750          0.0123     5.5000
      unified             2   6.00 ±1.00       80.50      12.25      0.500   0.250     0.750          0.0123     5.5000

      Of frechet and trajectory_mse lower is better, of all else higher.
      ±: half of what holds 95 % of 1000 resamples of the pictures.

      candidate  it is   against  steps  number         by   from     to      p
      unified    better  tscd         1  frechet     -2.50  -3.50  -1.50  0.001
      unified    worse   tscd         1  clip_score  -2.50  -3.50  -1.50  0.030

      Of 4 comparisons 2 are decided, of which chance alone decides about 0; 2 are not.
    ");
    insta::assert_snapshot!(at(60), @r"
      candidate       steps      frechet  clip_score  diversity
      real, held out      -   8.00 ±1.00       80.50      12.25

      teacher             1  60.00 ±1.00       80.50      12.25

      unified             1  12.00 ±1.00       80.50      12.25
      unified             2   6.00 ±1.00       80.50      12.25

      Of frechet lower is better, of all else higher.
      ±: half of what holds 95 % of 1000 resamples of the
      pictures.
      There is no room for precision, recall, coverage,
      trajectory_mse, aesthetic.

      candidate  it is   against  steps  number         by
      unified    better  tscd         1  frechet     -2.50
      unified    worse   tscd         1  clip_score  -2.50

      Of 4 comparisons 2 are decided, of which chance alone
      decides about 0; 2 are not.
    ");
    let wide = results(&shop, 80, &["show", "p.ron", "eval", "--wide"]);
    let piped = String::from_utf8(shop.lab.flow(&["show", "p.ron", "eval"]).stdout).unwrap();
    for text in [&wide, &piped] {
        assert!(text.contains("trajectory_mse  aesthetic\n"), "{text}");
    }
    assert!(wide.contains("undecided") && !piped.contains("undecided "), "{wide}");
}

#[test]
fn nothing_of_a_report_is_wider_than_its_window() {
    let shop = evaluated();
    results(&shop, 80, &["run", "p.ron"]);
    for columns in [60, 80, 200] {
        for node in ["eval", "l", "t"] {
            let text = results(&shop, columns, &["show", "p.ron", node]);
            // What is to be copied is whole, whatever the window.
            let copied =
                |line: &&str| line.contains("hyper-flow run ") || line.contains('/') || line.trim().len() >= 64;
            for line in text.lines().filter(|line| !copied(line)) {
                assert!(line.chars().count() <= columns.into(), "{columns}: {line}");
            }
        }
    }
}
