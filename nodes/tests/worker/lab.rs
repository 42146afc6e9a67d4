//! Jobs for the built worker: written, started, listened to, stopped, and what they leave behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use hyper_flow_spec::{Device, Event, Job, Kind, Level, Memory, PROTOCOL};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const WORKER: &str = env!("CARGO_BIN_EXE_hyper-flow-worker");

/// The files of an artifact by their paths. Two artifacts are the same when these are equal.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// One job and its directories.
pub(crate) struct Work {
    pub(crate) job: Job,
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Work {
    /// A job of a kind with these parameters. One thread: on two cores, tests run beside each other.
    pub(crate) fn new(kind: &str, params: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let job = Job {
            protocol: PROTOCOL,
            kind: Kind::from_json(kind, params).unwrap(),
            inputs: BTreeMap::new(),
            files: BTreeMap::new(),
            output: at("out"),
            scratch: at("scratch"),
            log: at("log"),
            device: Device::Cpu,
            threads: 1,
            seed: 7,
            exact: false,
            sample_every: 0,
            checkpoint_seconds: 1e9,
            course: None,
        };
        Self { job, folder, environment: Vec::new() }
    }

    /// Fills a port with an artifact.
    pub(crate) fn input(mut self, port: &str, artifact: &Path) -> Self {
        self.job.inputs.insert(port.to_owned(), artifact.to_owned());
        self
    }

    /// Fills a port with a file or folder.
    pub(crate) fn file(mut self, port: &str, path: &Path) -> Self {
        self.job.files.insert(port.to_owned(), path.to_owned());
        self
    }

    /// Sets a variable of the worker's environment.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Changes anything else.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Job)) -> Self {
        change(&mut self.job);
        self
    }

    /// A job file with other content than [`Job`] could have.
    pub(crate) fn raw(content: &str) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.json");
        fs::write(&path, content).unwrap();
        Worker::start(Command::new(WORKER), &path, folder.path(), &[]).end()
    }

    /// What would be in the job file.
    pub(crate) fn json(&self) -> Value {
        serde_json::to_value(&self.job).unwrap()
    }

    /// Starts the worker, with an empty output directory as the engine gives it. Whoever starts the tests may ignore signals,
    /// as a script does with what it ends in `&`: the worker would, too.
    pub(crate) fn start(&self) -> Worker {
        let mut worker = Command::new("env");
        worker.args(["--default-signal", WORKER]);
        self.start_by(worker)
    }

    /// Starts the worker in a shell that ignores signals, as `nohup` does.
    pub(crate) fn start_ignoring(&self, signals: &str) -> Worker {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("trap '' {signals}; exec \"$0\" \"$@\""), WORKER]);
        self.start_by(shell)
    }

    /// Starts the worker in a shell that forbids files of more than so many blocks of 512 bytes: the disk is full there.
    pub(crate) fn start_with_disk_of(&self, blocks: u64) -> Worker {
        let mut shell = Command::new("sh");
        // Ignored signals stay ignored: the write is an error, and no end.
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""), WORKER]);
        self.start_by(shell)
    }

    fn start_by(&self, worker: Command) -> Worker {
        if self.job.output.exists() {
            fs::remove_dir_all(&self.job.output).unwrap();
        }
        for directory in [&self.job.output, &self.job.scratch, &self.job.log] {
            fs::create_dir_all(directory).unwrap();
        }
        let path = self.folder.path().join("job.json");
        fs::write(&path, self.json().to_string()).unwrap();
        Worker::start(worker, &path, self.folder.path(), &self.environment)
    }

    /// Runs the job to its end.
    pub(crate) fn run(&self) -> Ended {
        self.start().end()
    }

    /// Runs the job, which must succeed, and reads its artifact.
    pub(crate) fn artifact(&self) -> Files {
        self.run().succeeded();
        self.files()
    }

    /// Runs the job, which must fail, and gives its one message. The paths of the job are replaced by words.
    pub(crate) fn failure(&self) -> String {
        let mut message = self.run().failed();
        for (port, path) in self.job.inputs.iter().chain(&self.job.files) {
            message = message.replace(&path.display().to_string(), &format!("<{port}>"));
        }
        message.replace(&self.folder.path().display().to_string(), "<job>")
    }

    /// The artifact as it is now.
    pub(crate) fn files(&self) -> Files {
        let mut files = Files::new();
        collect(&self.job.output, &self.job.output, &mut files);
        files
    }

    /// The files of the checkpoints, the newest last.
    pub(crate) fn checkpoints(&self) -> Vec<PathBuf> {
        let mut names = self.left_in_scratch();
        names.retain(|name| name.starts_with("checkpoint-") && name.ends_with(".safetensors"));
        names.iter().map(|name| self.job.scratch.join(name)).collect()
    }

    /// The newest checkpoint's file.
    #[track_caller]
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.checkpoints().pop().expect("there is a checkpoint")
    }

    /// The names of what is in the scratch directory, sorted.
    pub(crate) fn left_in_scratch(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.job.scratch).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A picture that was drawn after a step, as the bytes of its file.
    pub(crate) fn sample(&self, step: u64) -> Vec<u8> {
        fs::read(self.job.log.join(format!("step-{step:06}.png"))).unwrap()
    }

    /// Gives up the job but keeps its artifact, at a path that is good until the directory is dropped.
    pub(crate) fn into_artifact(self) -> (TempDir, PathBuf) {
        (self.folder, self.job.output)
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Panics unless two artifacts are the same, naming the files that differ.
#[track_caller]
pub(crate) fn assert_same(what: &str, left: &Files, right: &Files) {
    let differ: Vec<_> = left.keys().chain(right.keys()).filter(|name| left.get(*name) != right.get(*name)).collect();
    assert!(differ.is_empty() && !left.is_empty(), "{what}: {differ:?} differ");
}

/// A worker that runs. Killed when dropped.
pub(crate) struct Worker {
    child: Child,
    lines: BufReader<ChildStdout>,
    events: Vec<Event>,
}

impl Worker {
    fn start(mut worker: Command, job: &Path, cwd: &Path, environment: &[(&str, String)]) -> Self {
        let mut child = worker
            .arg("run")
            .arg(job)
            .current_dir(cwd)
            .env("OMP_NUM_THREADS", "1")
            .env_remove("RUST_BACKTRACE")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines, events: Vec::new() }
    }

    /// Listens until the end of this step, or of a later one.
    pub(crate) fn until_step(&mut self, wanted: u64) {
        self.until(|event| matches!(event, Event::Step { step, .. } if *step >= wanted));
    }

    /// Listens until it says this.
    pub(crate) fn until(&mut self, mut said: impl FnMut(&Event) -> bool) {
        while let Some(event) = self.next() {
            if said(&event) {
                return;
            }
        }
        panic!("the worker ended too early: {:?}", self.events);
    }

    fn next(&mut self) -> Option<Event> {
        let mut line = String::new();
        if self.lines.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        // A kill may cut the last line short.
        let event = serde_json::from_str::<Event>(&line).ok()?;
        self.events.push(event.clone());
        Some(event)
    }

    /// Sends a signal, and listens to the end.
    pub(crate) fn signal(self, signal: Signal) -> Ended {
        self.send(signal);
        self.end()
    }

    /// Sends a signal.
    pub(crate) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Closes standard input, as the engine's death does, and listens to the end.
    pub(crate) fn abandon(mut self) -> Ended {
        drop(self.child.stdin.take());
        self.end()
    }

    /// Listens to the end.
    pub(crate) fn end(mut self) -> Ended {
        let mut stderr = self.child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).map(|_| text)
        });
        while self.next().is_some() {}
        let status = self.child.wait().unwrap();
        Ended { events: std::mem::take(&mut self.events), status, stderr: errors.join().unwrap().unwrap() }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Ended already, or a test failed: nothing is to be said about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What became of a worker.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) events: Vec<Event>,
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn succeeded(&self) -> &Self {
        assert_eq!(self.status.code(), Some(0), "{self:#?}");
        self
    }

    /// Its one error message; it must have failed in the way that a user should see.
    #[track_caller]
    pub(crate) fn failed(&self) -> String {
        assert_eq!(self.status.code(), Some(1), "{self:#?}");
        let errors = self.messages(Level::Error);
        assert_eq!(errors.len(), 1, "{self:#?}");
        assert!(!errors[0].contains("panicked") && !self.stderr.contains("panicked"), "{self:#?}");
        errors[0].clone()
    }

    /// The messages of a level.
    pub(crate) fn messages(&self, wanted: Level) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Message { level, text } if *level == wanted => Some(text.clone()),
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }

    /// The steps that were done.
    pub(crate) fn steps(&self) -> Vec<u64> {
        let step = |event: &Event| if let Event::Step { step, .. } = event { Some(*step) } else { None };
        self.events.iter().filter_map(step).collect()
    }

    /// The losses of each step.
    pub(crate) fn losses(&self) -> Vec<BTreeMap<String, f64>> {
        let losses = |event: &Event| if let Event::Step { losses, .. } = event { Some(losses.clone()) } else { None };
        self.events.iter().filter_map(losses).collect()
    }

    /// The step that it went on from.
    pub(crate) fn resumed(&self) -> Option<u64> {
        self.events.iter().find_map(|event| if let Event::Resumed { step } = event { Some(*step) } else { None })
    }

    /// The step that it was interrupted after.
    pub(crate) fn interrupted(&self) -> Option<u64> {
        self.events.iter().find_map(|event| if let Event::Interrupted { step } = event { Some(*step) } else { None })
    }

    /// The most memory that it had.
    #[track_caller]
    pub(crate) fn memory(&self) -> Memory {
        let memory = |event: &Event| if let Event::Memory(memory) = event { Some(*memory) } else { None };
        self.events.iter().rev().find_map(memory).unwrap_or_else(|| panic!("no memory: {self:#?}"))
    }

    /// A number that it reported.
    #[track_caller]
    pub(crate) fn metric(&self, wanted: &str) -> f64 {
        let value = |event: &Event| match event {
            Event::Metric { name, value } if name == wanted => Some(*value),
            _ => None,
        };
        self.events.iter().find_map(value).unwrap_or_else(|| panic!("no metric {wanted}: {self:#?}"))
    }
}
