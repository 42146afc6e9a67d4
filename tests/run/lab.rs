//! A directory with a store and pipelines, and the binary to run there.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for any machine; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A piece of shell for the body of a loop: waits a little, and ends the shell when that was so often that
/// its test must be gone, however that was killed.
pub(crate) const TICK: &str = "sleep 0.02; [ $((ticks += 1)) -lt 5000 ] || exit 1";

/// A place to run pipelines in.
pub(crate) struct Lab {
    dir: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
}

/// A run that goes on. Dropped, as by a test that fails, it is killed, and with it what it runs.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    events: Vec<Value>,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        Lab { dir: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// With this variable from now on.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Lab {
        self.environment.push((name, value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An absolute path as a shell and RON take it: the names of temporary directories are plain.
    pub(crate) fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// How often a node whose program begins with [`Lab::tally`] was executed.
    pub(crate) fn tallied(&self, name: &str) -> usize {
        std::fs::read_to_string(self.path(name)).map_or(0, |text| text.lines().count())
    }

    /// A piece of shell that counts executions where no engine could.
    pub(crate) fn tally(&self, name: &str) -> String {
        format!("echo x >> {}; ", self.text_path(name))
    }

    /// A piece of shell that waits until the test has made a file.
    pub(crate) fn await_file(&self, name: &str) -> String {
        format!("until [ -e {} ]; do {TICK}; done; ", self.text_path(name))
    }

    /// Writes `p.ron` with these nodes.
    pub(crate) fn pipeline(&self, nodes: &[(&str, String)], settings: &str) {
        let mut text = String::from("Pipeline(\n    name: \"p\",\n    seed: 1,\n    nodes: {\n");
        for (name, node) in nodes {
            writeln!(text, "        \"{name}\": {node},").unwrap();
        }
        writeln!(text, "    }},\n    settings: {{{settings}}},\n)").unwrap();
        self.write("p.ron", &text);
    }

    /// The binary, with nothing of the caller's environment that it reads.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        self.program(&[OsStr::new(env!("CARGO_BIN_EXE_hyper-flow"))], arguments)
    }

    /// A script of a shell, in which `"$0" "$@"` is the binary with these arguments.
    pub(crate) fn shell(&self, script: &str, arguments: &[&str]) -> Command {
        self.program(&["sh", "-c", script, env!("CARGO_BIN_EXE_hyper-flow")], arguments)
    }

    fn program(&self, program: &[impl AsRef<OsStr>], arguments: &[impl AsRef<OsStr>]) -> Command {
        // Whoever starts the tests may ignore signals, as a script does with what it ends in `&`: the engine would, too.
        let mut command = Command::new("env");
        command.arg("--default-signal").args(program).args(arguments);
        command.current_dir(self.dir.path()).env("HOME", self.dir.path()).stdin(Stdio::null());
        for variable in ["HYPER_FLOW_STORE", "HYPER_FLOW_WORKER", "CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES"] {
            command.env_remove(variable);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Any subcommand, to its end.
    pub(crate) fn flow(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// `run --json p.ron`, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let output = self.run_command(arguments, environment).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        Ran {
            code: output.status.code(),
            events: stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `run --json p.ron`, going on.
    pub(crate) fn start(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Running {
        let mut child = self.run_command(arguments, environment).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout, events: Vec::new() }
    }

    fn run_command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let all: Vec<&str> = ["run", "--json", "p.ron"].iter().chain(arguments).copied().collect();
        let mut command = self.command(&all);
        command.envs(environment.iter().copied());
        command
    }

    /// Waits here until a program has made a file.
    #[track_caller]
    pub(crate) fn await_here(&self, name: &str) {
        eventually(name, || self.path(name).exists());
    }

    /// Writes over a file of the store in place, and puts its mode and mtime back.
    pub(crate) fn overwrite_slyly(&self, path: &Path, content: &str) {
        let before = std::fs::metadata(path).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        std::fs::write(path, content).unwrap();
        std::fs::set_permissions(path, before.permissions()).unwrap();
        std::fs::File::open(path).unwrap().set_modified(before.modified().unwrap()).unwrap();
    }

    /// The content of a file of a node's artifact, by exporting it.
    pub(crate) fn artifact(&self, node: &str, file: &str) -> String {
        let dest = self.text_path(&format!("exported/{node}"));
        let output = self.flow(&["export", "p.ron", node, &dest]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(Path::new(&dest).join(file)).unwrap()
    }

    /// The events that runs have logged.
    pub(crate) fn events(&self) -> String {
        let logs = self.stored("runs").into_iter().filter(|path| path.ends_with("events.jsonl"));
        logs.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    /// The files below a directory of the store.
    pub(crate) fn stored(&self, area: &str) -> Vec<PathBuf> {
        let mut open = vec![self.path(".hyper-flow").join(area)];
        let mut files = Vec::new();
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                if entry.path().is_dir() { open.push(entry.path()) } else { files.push(entry.path()) }
            }
        }
        files.sort();
        files
    }

    /// The object that holds this content.
    pub(crate) fn object(&self, content: &str) -> PathBuf {
        let found = self.stored("objects").into_iter().find(|path| std::fs::read(path).unwrap() == content.as_bytes());
        found.expect("no object has this content")
    }
}

/// `Command(program: ["sh", "-c", script], …)`.
pub(crate) fn sh(script: &str, more: &str) -> String {
    let script = script.replace('\\', "\\\\").replace('"', "\\\"");
    format!("Command(program: [\"sh\", \"-c\", \"{script}\"]{}{more})", if more.is_empty() { "" } else { ", " })
}

pub(crate) fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

impl Ran {
    pub(crate) fn summary(&self) -> &Value {
        let last = self.events.last().unwrap_or_else(|| panic!("nothing was printed: {}", self.stderr));
        assert_eq!(last["event"], "summary", "{}", self.stderr);
        last
    }

    pub(crate) fn list(&self, list: &str) -> Vec<&str> {
        names(&self.summary()[list])
    }

    pub(crate) fn ran(&self) -> Vec<&str> {
        self.list("ran")
    }

    /// All is well, and exactly these ran.
    #[track_caller]
    pub(crate) fn expect_ran(&self, expected: &[&str]) {
        assert_eq!(self.code, Some(0), "{:#?}\n{}", self.events, self.stderr);
        assert_eq!(self.ran(), expected);
    }

    pub(crate) fn find(&self, event: &str, node: &str) -> Option<&Value> {
        self.events.iter().find(|found| found["event"] == event && found["node"] == node)
    }

    /// The message with which a node failed.
    #[track_caller]
    pub(crate) fn failure(&self, node: &str) -> &str {
        assert_eq!(self.code, Some(1), "{:#?}\n{}", self.events, self.stderr);
        assert!(self.list("failed").contains(&node), "{:#?}", self.events);
        self.find("node_failed", node).unwrap()["message"].as_str().unwrap()
    }
}

impl Running {
    /// Reads events until one is `event`.
    pub(crate) fn until(&mut self, event: &str) -> &Value {
        while self.next() {
            if self.events.last().unwrap()["event"] == event {
                return self.events.last().unwrap();
            }
        }
        panic!("no {event}: {:#?}", self.events);
    }

    /// Reads one event; false at the end.
    fn next(&mut self) -> bool {
        let mut line = String::new();
        let more = self.stdout.read_line(&mut line).unwrap() > 0;
        if more {
            self.events.push(serde_json::from_str(&line).unwrap());
        }
        more
    }

    /// The engine's process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    pub(crate) fn end(mut self) -> Ran {
        while self.next() {}
        let code = self.child.wait().unwrap().code();
        Ran { code, events: std::mem::take(&mut self.events), stderr: String::new() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something that must come to hold.
#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process with this id lives; a zombie that nobody reaped does not.
pub(crate) fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let zombie = stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok() && !zombie
}
