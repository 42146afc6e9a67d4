//! Asking a worker what it is: a process that may hang or say too much, as any other.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;

use super::capture::{Capture, LogFile};
use super::gpus;
use super::guard::Guard;
use super::process::{End, Limits, Process, at_most};
use super::stop::Stop;
use crate::output::units::bytes;

/// Long enough to load libtorch from a slow disk and to wake GPUs.
const PATIENCE: Duration = Duration::from_secs(60);
/// From asking it to end to killing it.
pub(crate) const GRACE: Duration = Duration::from_secs(1);
/// No answer is longer.
const LONGEST: u64 = 1 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The user stopped the run.
    Interrupted,
    /// What happened, in words.
    Failed(String),
}

/// What `worker describe` prints.
pub(crate) async fn ask(worker: &Path, guard: &Guard, stop: Stop) -> Result<Vec<u8>, Unanswered> {
    ask_within(PATIENCE, worker, guard, stop).await
}

async fn ask_within(limit: Duration, worker: &Path, guard: &Guard, stop: Stop) -> Result<Vec<u8>, Unanswered> {
    let mut command = tokio::process::Command::new(worker);
    command.arg("describe").envs([gpus::order()]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::start(&mut command, guard).map_err(failed)?;
    let mut stdout = process.child.stdout.take().expect("it is a pipe");
    let complaint = process.child.stderr.take().map(|stream| Capture::of(stream, LogFile::none()));
    let mut answer = Vec::new();
    let limits = Limits { timeout: Some(limit), grace: GRACE };
    let end = tokio::select! {
        end = process.wait(limits, stop) => end.map_err(failed)?,
        () = floods(&mut stdout, &mut answer) => return Err(flooded()),
    };
    drop(process);
    let said = match complaint {
        Some(complaint) => complaint.end().await.map_or_else(String::new, |text| format!("\n{text}")),
        None => String::new(),
    };
    match end {
        End::Exited(status) if status.success() => rest(stdout, answer).await,
        End::Exited(status) => Err(Unanswered::Failed(format!("{status}{said}"))),
        End::TimedOut(limit) => Err(Unanswered::Failed(format!("no answer within {} s{said}", limit.as_secs_f64()))),
        End::Stopped(_) => Err(Unanswered::Interrupted),
    }
}

fn failed(error: std::io::Error) -> Unanswered {
    Unanswered::Failed(error.to_string())
}

fn flooded() -> Unanswered {
    Unanswered::Failed(format!("its answer is longer than {}", bytes(LONGEST)))
}

/// Listens, and comes back only if the answer gets too long.
async fn floods(stream: &mut ChildStdout, answer: &mut Vec<u8>) {
    while (answer.len() as u64) <= LONGEST {
        if !matches!(stream.read_buf(answer).await, Ok(1..)) {
            std::future::pending::<()>().await;
        }
    }
}

/// The answer with what was still on its way when the process ended.
async fn rest(stream: ChildStdout, mut answer: Vec<u8>) -> Result<Vec<u8>, Unanswered> {
    let more = LONGEST + 1 - answer.len() as u64;
    if let Some(read) = at_most(GRACE, stream.take(more).read_to_end(&mut answer)).await {
        read.map_err(failed)?;
    }
    if answer.len() as u64 > LONGEST { Err(flooded()) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// What comes of asking a worker that is this script.
    async fn asked(limit: Duration, script: &str) -> Result<Vec<u8>, Unanswered> {
        let dir = tempfile::tempdir().unwrap();
        let worker = dir.path().join("worker");
        std::fs::write(&worker, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&worker, PermissionsExt::from_mode(0o755)).unwrap();
        ask_within(limit, &worker, &Guard::new(GRACE), Stop::never()).await
    }

    #[tokio::test]
    async fn an_answer_is_whole() {
        let answer = asked(PATIENCE, "echo one; sleep 0.01; echo two").await;
        assert_eq!(answer.unwrap(), b"one\ntwo\n");
        let longest = asked(PATIENCE, &format!("head -c {LONGEST} /dev/zero")).await;
        assert_eq!(longest.unwrap().len() as u64, LONGEST);
    }

    #[tokio::test]
    async fn no_answer_is_told() {
        for (limit, script, expected) in [
            (Duration::from_millis(200), "sleep 600", "no answer within 0.2 s"),
            (PATIENCE, "echo why >&2; exit 3", "exit status: 3\nwhy"),
            (PATIENCE, "yes", "its answer is longer than 1.0 MiB"),
            (PATIENCE, "head -c 1048577 /dev/zero", "its answer is longer than 1.0 MiB"),
        ] {
            let Err(Unanswered::Failed(why)) = asked(limit, script).await else { panic!("{script}") };
            assert_eq!(why, expected);
        }
    }
}
