//! `Command` nodes: any program, run by the engine itself.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use hyper_flow_spec::Level;
use hyper_flow_spec::kinds::Command;
use rustix::process::Signal;

use super::attempt::{Attempt, Report};
use super::capture::{Capture, LogFile};
use super::error::NodeError;
use super::event::Event;
use super::gpus;
use super::process::{End, Process, signal_name, signal_of};
use crate::pipeline::{is_on_path, on_path};

/// Runs the program in the job's empty directory.
pub(super) async fn run(attempt: &Attempt<'_>, command: &Command) -> Result<Report, NodeError> {
    let mut process = start(attempt, command)?;
    let stdout = process.child.stdout.take().map(|stream| capture(attempt, stream, "stdout.log"));
    let stderr = process.child.stderr.take().map(|stream| capture(attempt, stream, "stderr.log"));
    let end = process.wait(attempt.limits(), attempt.context.stop.clone()).await;
    let end = end.map_err(|source| NodeError::System { doing: "wait for the program", source })?;
    drop(process);
    let printed = (ended(stdout).await, ended(stderr).await);
    // What a program complains about is on its standard error; some complain on the other.
    let output = printed.1.or(printed.0);
    warn_of_left_overs(attempt);
    match end {
        End::Exited(status) if status.success() => Ok(Report { output, ..Report::default() }),
        End::Exited(status) => Err(NodeError::Ended { what: how(status), output, checkpoint: None }),
        End::TimedOut(limit) => Err(NodeError::TimedOut { limit, output, checkpoint: None }),
        End::Stopped(_) => Err(NodeError::Interrupted { checkpoint: None }),
    }
}

/// By the path of the program, so that the system needs no copy of the engine's memory to look for it. Where it is not to be found
/// that way (it was just now removed, it is a script that does not say what reads it), the system looks.
fn start<'a>(attempt: &Attempt<'a>, command: &Command) -> Result<Process<'a>, NodeError> {
    let (program, arguments) = command.program.split_first().expect("a checked command has a program");
    let start = |path: &OsStr| {
        let mut process = tokio::process::Command::new(path);
        process
            .arg0(program)
            .args(arguments)
            .current_dir(attempt.job.work())
            .env_clear()
            .envs(environment(attempt, command))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Process::spawn(&mut process, attempt)
    };
    let found = on_path(program).and_then(|path| start(path.as_os_str()).ok());
    found.map_or_else(|| start(program.as_ref()), Ok).map_err(|source| refused(program, source))
}

/// `PATH`, `HOME`, what the node lists, and where its inputs and its output are.
fn environment(attempt: &Attempt<'_>, command: &Command) -> Vec<(String, std::ffi::OsString)> {
    let inherited = ["PATH", "HOME"].into_iter().chain(command.env.iter().map(|name| name.as_str()));
    let mut variables: Vec<(String, std::ffi::OsString)> =
        inherited.filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?))).collect();
    for (port, path) in attempt.job.inputs() {
        variables.push((variable("FLOW_IN_", port), path.into()));
    }
    for (port, path) in attempt.job.files() {
        variables.push((variable("FLOW_FILE_", port), path.into()));
    }
    if !attempt.gpus.is_empty() {
        variables.push(("CUDA_VISIBLE_DEVICES".into(), attempt.gpus.join(",").into()));
        let (name, order) = gpus::order();
        variables.push((name.into(), order));
    }
    variables.push(("FLOW_OUT".into(), attempt.job.out().into()));
    variables
}

/// The path of a port is `inputs.left` or `files.src`.
fn variable(prefix: &str, port: &str) -> String {
    let name = port.rsplit('.').next().unwrap_or(port);
    format!("{prefix}{}", name.to_ascii_uppercase())
}

fn refused(program: &str, source: io::Error) -> NodeError {
    let program = program.to_owned();
    match source.kind() {
        // A folder of PATH that may not be searched is told like a program that may not be executed.
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            if !program.contains('/') && !is_on_path(&program) =>
        {
            NodeError::NoProgram { program, why: "install it, or see that it is on PATH" }
        }
        io::ErrorKind::NotFound if program.starts_with('/') || !program.contains('/') => NodeError::NoProgram {
            program,
            why: "neither the file itself nor, if it is a script, its interpreter may be missing",
        },
        io::ErrorKind::NotFound => NodeError::NoProgram {
            program,
            why: "a relative path starts at the node's own empty directory. Put the script into `files` and call it \
                  through a shell: `[\"sh\", \"-c\", \"exec $FLOW_FILE_SCRIPT\"]`",
        },
        _ => NodeError::Start { program, source },
    }
}

fn capture(attempt: &Attempt<'_>, stream: impl tokio::io::AsyncRead + Unpin + Send + 'static, file: &str) -> Capture {
    Capture::of(stream, LogFile::new(attempt.log.join(file)))
}

async fn ended(capture: Option<Capture>) -> Option<String> {
    match capture {
        Some(capture) => capture.end().await,
        None => None,
    }
}

fn warn_of_left_overs(attempt: &Attempt<'_>) {
    if let Some(names) = attempt.job.left_over() {
        let text = format!("left outside of $FLOW_OUT, and discarded: {names}");
        attempt.context.emit(Event::message(&attempt.node.name, Level::Warning, text));
    }
}

/// How a process ended that was not asked to.
pub(super) fn how(status: std::process::ExitStatus) -> String {
    let meaning = signal_of(status).and_then(meaning);
    let what = match (status.code(), status.signal()) {
        (Some(127), _) => "it exited with code 127, by which shells say that a program was not found".to_owned(),
        (Some(code), _) if meaning.is_some() => {
            let signal = signal_name(code - 128);
            format!("it exited with code {code}, by which shells say that {signal} ended a program")
        }
        (Some(code), _) => format!("it exited with code {code}"),
        (_, Some(signal)) => format!("it was killed by {}", signal_name(signal)),
        _ => status.to_string(),
    };
    match meaning {
        Some(meaning) => format!("{what}: {meaning}"),
        None => what,
    }
}

/// What it means that a signal ended a process, where a limit is what sends it.
fn meaning(signal: i32) -> Option<&'static str> {
    match Signal::from_named_raw(signal)? {
        Signal::KILL => Some("that is how a machine out of memory ends processes (`dmesg` tells)"),
        Signal::XCPU => Some("it used more CPU time than the limit of `ulimit -t`"),
        Signal::XFSZ => Some("a file grew over the limit of `ulimit -f`"),
        _ => None,
    }
}
