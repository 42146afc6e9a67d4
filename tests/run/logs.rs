//! `log`: which run it is of, over resumes, while it goes on.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::lab::{eventually, sh};
use crate::pty::Pty;
use crate::workers::Workshop;

/// A training of ten steps that goes on from its checkpoint. It is told in `pause` after which step to wait.
const TRAINS: &str = r#"
    first=1
    if [ -e "$scratch/checkpoint" ]; then
        first=$(($(cat "$scratch/checkpoint") + 1)); say resumed "\"step\":$((first - 1))"
    fi
    i=$first
    while [ $i -le 10 ]; do
        say step "\"step\":$i,\"of\":10,\"losses\":{\"mse\":$((100 - i)),\"kl\":0.5},\"speed\":60.5,\"lr\":{\"student\":0.001},\"memory\":{\"resident\":314572800}"
        [ $((i % 4)) = 0 ] && checkpoint $i
        touch PLACE/step-$i
        [ -e PLACE/pause-$i ] && while [ -e PLACE/pause-$i ]; do TICK; done
        i=$((i + 1))
    done
    echo x > $out/x
"#;

fn trains() -> Workshop {
    let shop = Workshop::new("");
    let does = TRAINS.replace("PLACE", &shop.lab.text_path("")).replace("TICK", crate::lab::TICK);
    shop.lab.write("does.sh", &does);
    shop.lab.pipeline(&[("a", "Digits(file: \"does.sh\")".to_owned())], r#""*": (threads: 1)"#);
    shop
}

fn log(shop: &Workshop, arguments: &[&str]) -> String {
    let all: Vec<&str> = ["log"].iter().chain(arguments).copied().collect();
    let output = shop.command(&all).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(shop: &Workshop, arguments: &[&str]) -> Value {
    serde_json::from_str(&log(shop, &[arguments, &["--json"]].concat())).unwrap()
}

fn steps(log: &Value) -> Vec<u64> {
    log["steps"].as_array().unwrap().iter().map(|step| step["step"].as_u64().unwrap()).collect()
}

/// Kills the engine after a step.
fn killed_after(shop: &Workshop, step: u32) {
    shop.lab.write(&format!("pause-{step}"), "");
    let run = shop.start();
    eventually("the step", || shop.lab.path(&format!("step-{step}")).exists());
    run.signal(Signal::KILL);
    run.end();
    std::fs::remove_file(shop.lab.path(&format!("pause-{step}"))).unwrap();
}

#[test]
fn an_interrupted_training_and_what_went_on_from_it_are_one_also_when_cached_and_renamed() {
    let shop = trains();
    killed_after(&shop, 6);
    killed_after(&shop, 9);
    shop.run(&[]).expect_ran(&["a"]);
    let whole = json(&shop, &["p.ron", "a"]);
    assert_eq!(steps(&whole), (1..=10).collect::<Vec<_>>());
    assert_eq!(whole["went_on_from"].as_array().unwrap().len(), 2, "{whole:#}");
    let said: Vec<&str> = whole["messages"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(said, ["resumed after step 4", "resumed after step 8"]);

    shop.run(&[]).expect_ran(&[]);
    assert_eq!(json(&shop, &["p.ron", "a"]), whole, "of the run that made it, not of the last");
    let text = shop.lab.read("p.ron").replace("\"a\"", "\"renamed\"");
    std::fs::remove_file(shop.lab.path("p.ron")).unwrap();
    shop.lab.write("q.ron", &text);
    let renamed = json(&shop, &["q.ron", "renamed"]);
    assert_eq!((steps(&renamed).len(), renamed["named"].as_str()), (10, Some("a")));
    shop.lab.write("does.sh", &format!("{}# another one", shop.lab.read("does.sh")));
    let other = shop.command(&["log", "q.ron", "renamed"]).output().unwrap();
    assert!(String::from_utf8(other.stderr).unwrap().contains("was not started in any run"));
}

#[test]
fn a_training_that_began_anew_is_not_what_went_before() {
    let shop = trains();
    shop.run(&[]).expect_ran(&["a"]);
    shop.run(&["--force", "a"]).expect_ran(&["a"]);
    let whole = json(&shop, &["p.ron", "a"]);
    assert_eq!((steps(&whole).len(), whole.get("went_on_from")), (10, None));
}

#[test]
fn all_numbers_of_a_step_are_told_in_their_order() {
    let shop = trains();
    shop.run(&[]).expect_ran(&["a"]);
    let step = &json(&shop, &["p.ron", "a"])["steps"][9];
    let numbers = serde_json::json!({"speed": 60.5, "lr": {"student": 0.001}, "memory": {"resident": 314_572_800}});
    assert_eq!(step["numbers"], numbers);
    let table = log(&shop, &["p.ron", "a"]);
    let lines: Vec<&str> = table.lines().filter(|line| line.contains("step") || line.contains("10/10")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
       step   loss      kl    mse        lr  speed     memory
      10/10  90.50  0.5000  90.00  0.001000  60.50  300.0 MiB
    ");
}

#[test]
fn curves_are_drawn_as_wide_as_the_terminal_and_in_ascii_where_it_knows_no_more() {
    let shop = trains();
    shop.run(&[]).expect_ran(&["a"]);
    let on = |columns: u16, term: &str| {
        let mut command = shop.command(&["log", "p.ron", "a", "--plot"]);
        let (code, text) = Pty::of_size(columns, 24).run(command.env("TERM", term).env("NO_COLOR", "1"));
        assert_eq!(code, Some(0), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
        text.replace("\r\n", "\n")
    };
    for columns in [30, 80, 200] {
        let text = on(columns, "xterm");
        let charts = text.lines().filter(|line| !line.starts_with("all of it") && !line.starts_with("a in run"));
        let widest = charts.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(columns), "{columns}: {text}");
        let heads = text.lines().find(|line| line.starts_with("loss  ")).unwrap();
        assert_eq!(heads.matches("  ").count() > 4, columns == 200, "side by side: {heads}");
        for name in ["loss  99.50 → 90.50", "mse", "kl", "learning rate", "samples/s", "memory"] {
            assert!(text.contains(name), "{name}: {text}");
        }
        assert!(text.chars().any(|char| ('\u{2801}'..='\u{28ff}').contains(&char)), "{text}");
    }
    let text = on(80, "dumb");
    let loss: String = text.lines().skip(1).take(9).map(|line| format!("{line}\n")).collect();
    assert!(loss.is_ascii(), "{loss}");
    insta::assert_snapshot!(loss, @r"
    loss  99.50 -> 90.50
    99.50|*****
         |     ****************
         |                     ****************
         |                                     *****************
         |                                                      ****************
    90.50|                                                                      ****
         +--------------------------------------------------------------------------
         1                                                                        10
    ");
}

#[test]
fn a_run_in_another_process_is_followed_until_the_node_ends() {
    let shop = trains();
    shop.lab.write("pause-3", "");
    let run = shop.start();
    eventually("the step", || shop.lab.path("step-3").exists());
    let mut follows = shop.command(&["log", "p.ron", "a", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follows.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.contains("3/10  loss 97.50")));
    let shown = shop.command(&["show", "p.ron", "a"]).output().unwrap();
    let said = String::from_utf8(shown.stderr).unwrap();
    assert!(said.contains("it is being made: `hyper-flow log p.ron a --follow` tells how far it is"), "{said}");
    std::fs::remove_file(shop.lab.path("pause-3")).unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(follows.wait().unwrap().code(), Some(0));
    assert_eq!(rest.last().map(String::as_str), Some("done"), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("10/10  loss 90.50")), "the last step is told: {rest:?}");
    assert_eq!(run.end().code, Some(0));
    assert!(log(&shop, &["p.ron", "a", "--follow"]).contains("done in"), "of one that is over, all at once");
}

#[test]
fn events_are_followed_as_lines_of_json() {
    let shop = trains();
    shop.lab.write("pause-3", "");
    let run = shop.start();
    eventually("the step", || shop.lab.path("step-3").exists());
    let follows = shop.command(&["log", "p.ron", "a", "--follow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    std::fs::remove_file(shop.lab.path("pause-3")).unwrap();
    let text = String::from_utf8(follows.wait_with_output().unwrap().stdout).unwrap();
    let followed: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ran = run.end();
    let of_node: Vec<&Value> = ran.events.iter().filter(|event| event["node"] == "a").collect();
    assert_eq!(followed.iter().collect::<Vec<_>>(), of_node);
}

#[test]
fn following_ends_with_a_killed_engine_and_with_ctrl_c() {
    let shop = trains();
    shop.lab.write("pause-3", "");
    let run = shop.start();
    eventually("the step", || shop.lab.path("step-3").exists());
    let follow = || shop.command(&["log", "p.ron", "a", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut left, mut stays) = (follow(), follow());
    let [_, told] = [&mut left, &mut stays].map(|follower| {
        let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().contains("3/10")).unwrap().unwrap();
        lines
    });
    kill_process(Pid::from_child(&left), Signal::INT).unwrap();
    assert!(!left.wait().unwrap().success());
    run.signal(Signal::KILL);
    run.end();
    let last = told.last().unwrap().unwrap();
    assert!(last.starts_with("it has not ended"), "{last}");
    stays.wait().unwrap();
}

#[test]
fn what_a_command_prints_is_followed() {
    let shop = Workshop::new("");
    let begun = format!("echo out; echo err >&2; touch {}; ", shop.lab.text_path("begun"));
    let script = format!("{begun}{}echo more; echo x > $FLOW_OUT/x", shop.lab.await_file("go"));
    shop.lab.pipeline(&[("a", sh(&script, ""))], "");
    let run = shop.start();
    shop.lab.await_here("begun");
    let mut follows = shop.command(&["log", "p.ron", "a", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follows.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line == "err"));
    shop.lab.write("go", "");
    let rest: Vec<String> = lines.collect();
    assert!(rest.contains(&"more".to_owned()) && rest.last().unwrap() == "done", "{rest:?}");
    assert_eq!((run.end().code, follows.wait().unwrap().code()), (Some(0), Some(0)));
}
