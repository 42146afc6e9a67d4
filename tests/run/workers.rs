//! Nodes that run in a worker. The worker here is a shell script that speaks the protocol and then does
//! what the node's data file, itself a piece of shell, says.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Lab, Ran, Running, TICK, eventually, lives};

const WORKER: &str = r#"#!/bin/sh
if [ "$1" = describe ]; then
    echo '{"worker":"VERSION","protocol":1,"kinds":{},"libtorch":"none","cpu":"cpu:none","gpus":[]}'
    exit
fi
field() { sed -n "s|^ *\"$1\": \"*\([^\",]*\)\"*,*$|\1|p" "$2" | grep -v '^file$' | head -1; }
out=$(field output "$2")
scratch=$(field scratch "$2")
log=$(field log "$2")
threads=$(field threads "$2")
say() { echo "{\"event\":\"$1\"${2:+,$2}}"; }
step() { say step "\"step\":$1,\"of\":10,\"losses\":{\"mse\":0.5}"; }
checkpoint() { echo "$1" > "$scratch/checkpoint"; say checkpoint "\"step\":$1"; }
say started '"device":"cpu:nonex1","libtorch":"none","worker":"VERSION"'
. "$(field file "$2")"
"#;

pub(crate) struct Workshop {
    pub(crate) lab: Lab,
    worker: String,
}

impl Workshop {
    /// A worker that does this for node `a`.
    pub(crate) fn new(does: &str) -> Workshop {
        let lab = Lab::new();
        lab.write("worker", &WORKER.replace("VERSION", env!("CARGO_PKG_VERSION")));
        std::fs::set_permissions(lab.path("worker"), PermissionsExt::from_mode(0o755)).unwrap();
        lab.write("does.sh", does);
        lab.pipeline(&[("a", "Digits(file: \"does.sh\")".to_owned())], "");
        let worker = lab.text_path("worker");
        Workshop { lab, worker }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.lab.run_with(arguments, &[("HYPER_FLOW_WORKER", &self.worker)])
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.lab.command(arguments);
        command.env("HYPER_FLOW_WORKER", &self.worker);
        command
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(&[])
    }

    fn start_with(&self, environment: &[(&str, &str)]) -> Running {
        self.lab.start(&[], &[environment, &[("HYPER_FLOW_WORKER", &self.worker)]].concat())
    }

    pub(crate) fn scratch(&self) -> usize {
        std::fs::read_dir(self.lab.path(".hyper-flow/scratch")).map_or(0, Iterator::count)
    }
}

#[test]
fn what_a_worker_says_is_told_and_what_it_shows_is_shown_again_when_cached() {
    let shop = Workshop::new(
        r#"
        step 1; say metric '"name":"accuracy","value":0.98'
        echo image > "$log/1.png"; say sample '"step":1,"path":"1.png"'
        mkdir $out/deep; echo 'a table' > $out/table.txt; echo picture > $out/deep/grid.png
        say show '"path":"table.txt"'; say show '"path":"deep/grid.png"'; say show '"path":"../../does-not-exist"'
        "#,
    );
    let run = shop.run(&[]);
    run.expect_ran(&["a"]);
    assert_eq!(run.find("started", "a").unwrap()["device"], "cpu:nonex1");
    assert_eq!(run.find("step", "a").unwrap()["losses"]["mse"], 0.5);
    assert_eq!(run.find("metric", "a").unwrap()["value"], 0.98);
    let again = shop.run(&[]);
    again.expect_ran(&[]);
    for run in [run, again] {
        let shown: Vec<_> = run.events.iter().filter(|event| event["event"] == "shown").collect();
        assert_eq!(shown.len(), 2);
        assert_eq!(shown[0]["text"], "a table\n");
        assert_eq!(std::fs::read_to_string(shown[1]["path"].as_str().unwrap()).unwrap(), "picture\n");
    }
    let kept = |name: &str| shop.lab.stored("runs").iter().any(|path| path.ends_with(name));
    assert!(kept("nodes/a/stdout.jsonl") && kept("nodes/a/samples/1.png"));
    assert_eq!(shop.scratch(), 0, "checkpoints go when the artifact is there");
    let people = shop.lab.command(&["run", "p.ron"]).env("HYPER_FLOW_WORKER", &shop.worker).output().unwrap();
    let people = String::from_utf8(people.stdout).unwrap();
    assert!(
        people.contains("\na table\n") && people.contains("grid.png") && people.contains("nothing ran"),
        "{people}"
    );
}

#[test]
fn the_most_memory_is_told_when_a_node_is_done_and_later() {
    let shop = Workshop::new(
        r#"
        say memory '"peak":1073741824'; step 1; say memory '"peak":1610612736,"gpu":2147483648'
        echo x > $out/x
        "#,
    );
    let said = |arguments: &[&str]| {
        let output = shop.lab.command(arguments).env("HYPER_FLOW_WORKER", &shop.worker).output().unwrap();
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat()
    };
    let had = "with 1.5 GiB of memory, 2.0 GiB of the GPU's";
    for arguments in [["run", "p.ron"].as_slice(), &["log", "p.ron", "a"], &["show", "p.ron", "a"]] {
        assert!(said(arguments).contains(had), "{arguments:?}: {}", said(arguments));
    }
    let record: serde_json::Value = serde_json::from_str(&said(&["show", "p.ron", "a", "--json"])).unwrap();
    assert_eq!(record["made"]["memory"], serde_json::json!({"peak": 1_610_612_736, "gpu": 2_147_483_648_u64}));
    assert_eq!(record["files"].as_array().unwrap().len(), 1, "it is in no artifact");
}

#[test]
fn what_a_worker_had_to_say_is_kept_beside_the_artifact() {
    let shop = Workshop::new(
        r#"
        say message '"level":"warning","text":"2 left out:\u000a2 damaged: a, b"'; say message '"level":"info","text":"all else is well"'
        echo 'a library says hello'; echo x > $out/x
        "#,
    );
    shop.run(&[]).expect_ran(&["a"]);
    let said = |arguments: &[&str]| String::from_utf8(shop.command(arguments).output().unwrap().stdout).unwrap();
    let shown = said(&["show", "p.ron", "a"]);
    assert!(shown.contains("told\n  2 left out:\n  2 damaged: a, b\n  all else is well\n"), "{shown}");
    let record: serde_json::Value = serde_json::from_str(&said(&["show", "p.ron", "a", "--json"])).unwrap();
    assert_eq!(record["made"]["told"], serde_json::json!(["2 left out:\n2 damaged: a, b", "all else is well"]));
    assert_eq!(record["files"].as_array().unwrap().len(), 1, "it is in no artifact");
}

#[test]
fn a_node_that_failed_had_memory_too() {
    let shop = Workshop::new(r#"say memory '"peak":1073741824'; step 1; exit 1"#);
    shop.run(&[]).failure("a");
    let log = shop.lab.flow(&["log", "p.ron", "a"]);
    let text = String::from_utf8(log.stdout).unwrap();
    assert!(text.contains("failed with 1.0 GiB of memory"), "{text}");
}

#[test]
fn a_killed_worker_fails_the_run_and_goes_on_from_its_checkpoint() {
    let shop = Workshop::new(
        r#"
        if [ -e $scratch/checkpoint ]; then
            say resumed "\"step\":$(cat $scratch/checkpoint)"; step 5; echo x > $out/x
        else
            for i in 1 2 3 4; do step $i; done; checkpoint 4; echo 'last words' >&2; kill -9 $$
        fi
        "#,
    );
    let run = shop.run(&[]);
    let message = run.failure("a");
    assert!(message.contains("SIGKILL") && message.contains("goes on after step 4"), "{message}");
    assert_eq!(run.find("node_failed", "a").unwrap()["output"], "last words");
    assert_eq!(shop.scratch(), 1);
    let again = shop.run(&[]);
    again.expect_ran(&["a"]);
    assert_eq!(again.find("resumed", "a").unwrap()["step"], 4);
    assert_eq!(again.find("step", "a").unwrap()["step"], 5);
    assert_eq!(shop.scratch(), 0);
}

#[test]
fn ctrl_c_lets_the_worker_write_a_checkpoint() {
    let does = r#"
        if [ -e $scratch/checkpoint ]; then echo x > $out/x; exit; fi
        trap 'checkpoint 2; say interrupted "\"step\":2"; exit 143' TERM
        step 1; step 2
        while :; do TICK; done
    "#;
    let shop = Workshop::new(&does.replace("TICK", TICK));
    let mut running = shop.start();
    running.until("step");
    running.signal(Signal::INT);
    let run = running.end();
    assert_eq!((run.code, run.list("interrupted")), (Some(130), vec!["a"]));
    assert_eq!(run.find("node_interrupted", "a").unwrap()["checkpoint"], 2);
    shop.run(&[]).expect_ran(&["a"]);
}

/// A training whose every step depends on all before, that waits in the middle to be interrupted.
const TRAINING: &str = r#"
    i=0; x=7
    [ -e $scratch/checkpoint ] && read -r i x < $scratch/checkpoint && say resumed "\"step\":$i"
    trap 'echo "$i $x" > $scratch/checkpoint; say interrupted "\"step\":$i"; exit 143' TERM
    while [ $i -lt 40 ]; do
        i=$((i + 1)) x=$(( (x * 1103515245 + 12345) % 2147483648 )); say step "\"step\":$i,\"of\":40,\"losses\":{}"
        while [ $i = 20 ] && [ -n "$WAITS" ]; do TICK; done
    done
    echo $x > $out/x
"#;

#[test]
fn what_ends_a_job_before_its_time_checkpoints_and_the_training_goes_on_as_if_nothing_was() {
    let does = TRAINING.replace("TICK", TICK);
    let shop = Workshop::new(&does);
    shop.run(&[]).expect_ran(&["a"]);
    let uninterrupted = shop.lab.artifact("a", "x");
    let ask = [Signal::USR1, Signal::USR2, Signal::XCPU, Signal::HUP, Signal::TERM];
    for signal in ask {
        let shop = Workshop::new(&does);
        let mut running = shop.start_with(&[("WAITS", "1")]);
        while running.until("step")["step"] != 20 {}
        running.signal(signal);
        let run = running.end();
        assert_eq!((run.code, run.list("interrupted")), (Some(130), vec!["a"]), "{signal:?}");
        assert_eq!(run.find("node_interrupted", "a").unwrap()["checkpoint"], 20, "{signal:?}");
        let again = shop.run(&[]);
        again.expect_ran(&["a"]);
        assert_eq!(again.find("resumed", "a").unwrap()["step"], 20);
        assert_eq!(shop.lab.artifact("a", "x"), uninterrupted, "{signal:?}");
    }
}

/// As from systemd, from a terminal that closes and from its shell, all at once.
#[test]
fn several_signals_at_once_are_one_request_to_stop() {
    let shop = Workshop::new(&TRAINING.replace("TICK", TICK).replace("trap 'echo", "trap 'sleep 0.5; echo"));
    let mut running = shop.start_with(&[("WAITS", "1")]);
    while running.until("step")["step"] != 20 {}
    for signal in [Signal::TERM, Signal::HUP, Signal::HUP, Signal::USR1, Signal::TERM] {
        running.signal(signal);
    }
    let run = running.end();
    assert_eq!((run.code, run.list("interrupted")), (Some(130), vec!["a"]));
    assert_eq!(run.find("node_interrupted", "a").unwrap()["checkpoint"], 20);
    assert!(!run.events.iter().any(|event| event["event"] == "stopping" && event["now"] == true));
}

/// A worker that never answers, whatever it is asked, and writes down its process.
fn hangs(lab: &Lab) -> String {
    format!("#!/bin/sh\necho $$ > {pid}.new; mv {pid}.new {pid}; while :; do {TICK}; done", pid = lab.text_path("pid"))
}

#[test]
fn a_worker_that_does_not_say_what_it_is_obeys_ctrl_c() {
    let shop = Workshop::new("");
    shop.lab.write("worker", &hangs(&shop.lab));
    let running = shop.start();
    eventually("it is asked", || shop.lab.path("pid").exists());
    running.signal(Signal::INT);
    let run = running.end();
    assert_eq!((run.code, run.list("interrupted")), (Some(130), vec!["a"]));
    let pid = shop.lab.read("pid").trim().parse().unwrap();
    eventually("it goes on", || !lives(pid));
}

/// Before a run there is nothing to stop but the engine itself.
#[test]
fn a_worker_that_does_not_answer_goes_with_the_plan_that_asks_it() {
    let shop = Workshop::new("");
    shop.lab.write("worker", &hangs(&shop.lab));
    let exact = r#"Pipeline(name: "p", reproducibility: Exact, nodes: {"a": Digits(file: "does.sh")})"#;
    shop.lab.write("p.ron", exact);
    let mut plan = shop.command(&["plan", "p.ron"]).spawn().unwrap();
    eventually("it is asked", || shop.lab.path("pid").exists());
    // It is there a moment before the engine can tell of it.
    std::thread::sleep(Duration::from_secs(1));
    kill_process(Pid::from_raw(plan.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    assert_eq!(plan.wait().unwrap().signal(), Some(Signal::INT.as_raw()));
    let pid = shop.lab.read("pid").trim().parse().unwrap();
    eventually("it goes on", || !lives(pid));
}

#[test]
fn a_worker_that_floods_is_cut() {
    let shop = Workshop::new("");
    shop.lab.write("worker", "#!/bin/sh\nyes");
    let run = shop.run(&[]);
    assert!(run.failure("a").contains("its answer is longer than 1.0 MiB"), "{}", run.failure("a"));
}

#[test]
fn a_worker_learns_of_the_death_of_its_engine() {
    let shop = Workshop::new(
        r#"
        trap '' TERM
        exec 3<&0
        (cat <&3 > /dev/null; touch $scratch/../../orphan) &
        step 1
        wait
        "#,
    );
    let mut running = shop.start();
    running.until("step");
    running.signal(Signal::KILL);
    running.end();
    eventually("the worker notices nothing", || shop.lab.path(".hyper-flow/orphan").exists());
}

#[test]
fn an_error_that_the_worker_tells_is_the_message() {
    let shop = Workshop::new(
        r#"
        say message '"level":"info","text":"all is well"'
        say message '"level":"error","text":"step 7: the loss term mse is not finite"'; echo trace >&2; exit 1
        "#,
    );
    let run = shop.run(&[]);
    assert_eq!(run.failure("a"), "step 7: the loss term mse is not finite");
    assert_eq!(run.find("node_failed", "a").unwrap()["output"], "trace");
}

#[test]
fn lines_that_are_no_events_are_messages() {
    let shop = Workshop::new(
        r#"
        echo 'a library says hello'; echo '{"event":"unknown"}'; printf '\377\376\n\n'
        head -c 3000000 /dev/zero | tr '\0' z; echo; for i in $(seq 500); do echo more; done
        step 1; echo x > $out/x
        "#,
    );
    let run = shop.run(&[]);
    run.expect_ran(&["a"]);
    assert_eq!(run.find("message", "a").unwrap()["text"], "a library says hello");
    assert!(run.find("step", "a").is_some());
    let messages = run.events.iter().filter(|event| event["event"] == "message").count();
    assert!((50..150).contains(&messages), "{messages}");
}

#[test]
fn a_worker_that_yields_nothing_or_stops_by_itself_is_no_success() {
    let run = Workshop::new("step 1").run(&[]);
    assert!(run.failure("a").contains("wrote nothing"), "{}", run.failure("a"));
    let run = Workshop::new(r#"echo x > $out/x; say interrupted '"step":3'"#).run(&[]);
    assert!(run.failure("a").contains("not by this run"), "{}", run.failure("a"));
}

#[test]
fn a_worker_of_another_version_or_none_is_not_used() {
    let shop = Workshop::new("echo x > $out/x");
    let other = shop.lab.read("worker").replace(env!("CARGO_PKG_VERSION"), "99.0.0");
    shop.lab.write("worker", &other);
    let run = shop.run(&[]);
    let message = run.failure("a");
    assert!(message.contains("version 99.0.0") && message.contains("cargo build --workspace"), "{message}");
    let run = shop.lab.run_with(&[], &[("HYPER_FLOW_WORKER", "/no/such/worker")]);
    assert!(run.failure("a").contains("HYPER_FLOW_WORKER"), "{}", run.failure("a"));
}

#[test]
fn a_node_gets_the_threads_that_it_asks_for() {
    let shop = Workshop::new(r#"echo "$threads $OMP_NUM_THREADS" > $out/x"#);
    shop.lab.pipeline(&[("a", "Digits(file: \"does.sh\")".to_owned())], r#""a": (threads: 3)"#);
    let run = shop.run(&["--threads", "1"]);
    run.expect_ran(&["a"]);
    assert_eq!(run.find("node_started", "a").unwrap()["threads"], 3);
    assert_eq!(shop.lab.artifact("a", "x"), "3 3\n");
}
