//! A process with all that it starts: waiting for it, and ending it.

use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::attempt::Attempt;
use super::guard::Guard;
use super::holder;
use super::stop::{self, Stop, Urgency};

/// How long to wait for the engine to get the signal that ended a process of it.
const SAME_SIGNAL: Duration = Duration::from_secs(2);

/// How long a process may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For its work.
    pub(super) timeout: Option<Duration>,
    /// From being asked to end to being killed.
    pub(super) grace: Duration,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, or by a signal that is not ours.
    Exited(ExitStatus),
    /// It ran longer than it may.
    TimedOut(Duration),
    /// The user stopped the run.
    Stopped(ExitStatus),
}

/// A process that leads a process group of its own, so that a Ctrl-C on the terminal reaches only the
/// engine, and a signal reaches everything that the process started.
#[derive(Debug)]
pub(super) struct Process<'a> {
    pub(super) child: Child,
    group: Option<Pid>,
    guard: &'a Guard,
}

impl<'a> Process<'a> {
    /// One that works on a node. It and what it starts inherit the key's lock, so that nobody else works on the key, and
    /// nothing of theirs is collected, while one of them outlives a killed engine.
    pub(super) fn spawn(command: &mut Command, attempt: &Attempt<'a>) -> io::Result<Process<'a>> {
        // Before there is something to inherit: what guards over the node outlives it, and must not hold its key.
        attempt.context.guard.watch();
        let inherited = attempt.lock.inherited()?;
        let process = Process::start(command, &attempt.context.guard)?;
        drop(inherited);
        if let Some(id) = process.child.id() {
            // If it cannot be written, those who wait are told of the engine's process in place of this one.
            let _ = attempt.lock.tell(&holder::name(&attempt.context.run, id));
        }
        Ok(process)
    }

    /// One that works on nothing.
    pub(super) fn start(command: &mut Command, guard: &'a Guard) -> io::Result<Process<'a>> {
        guard.watch();
        let child = command.process_group(0).spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // At once: until then nobody ends it if this engine is killed.
        group.into_iter().for_each(|group| guard.begin(group));
        Ok(Process { child, group, guard })
    }

    /// Waits until the process ends, by itself or because of `limits` or `stop`. What it leaves behind
    /// in its process group is killed, so that nothing writes to the artifact any more.
    pub(super) async fn wait(&mut self, limits: Limits, mut stop: Stop) -> io::Result<End> {
        let cause = tokio::select! {
            biased;
            status = self.child.wait() => return Ok(ended(status?, stop).await),
            () = stop.reaches(Urgency::Gracefully) => None,
            timeout = expired(limits.timeout) => Some(timeout),
        };
        let status = self.end(limits.grace, &mut stop).await?;
        Ok(cause.map_or(End::Stopped(status), End::TimedOut))
    }

    /// Asks the group to end, and kills it after `grace`, or sooner if the user is impatient.
    async fn end(&mut self, grace: Duration, stop: &mut Stop) -> io::Result<ExitStatus> {
        self.signal(Signal::TERM);
        let patience = async {
            tokio::select! {
                () = sleep(grace) => {}
                () = stop.reaches(Urgency::Now) => {}
            }
        };
        if let Some(status) = before(self.child.wait(), patience).await {
            return status;
        }
        self.signal(Signal::KILL);
        self.child.wait().await
    }

    /// A group that has no process any more needs no signal.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.group.into_iter().for_each(|group| self.guard.end(group));
    }
}

/// A signal may be sent to everything of a job, so that a process ends of it before the engine knows.
async fn ended(status: ExitStatus, mut stop: Stop) -> End {
    let asked = signal_of(status).is_some_and(stop::asks);
    match asked && at_most(SAME_SIGNAL, stop.reaches(Urgency::Gracefully)).await.is_some() {
        true => End::Stopped(status),
        false => End::Exited(status),
    }
}

/// What ended a process, or, by the exit code that shells then have, what ended a process of its own.
pub(super) fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal().or_else(|| status.code().filter(|code| (129..160).contains(code)).map(|code| code - 128))
}

async fn before<T>(work: impl Future<Output = T>, end: impl Future<Output = ()>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = end => None,
    }
}

async fn expired(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}

/// Waits for `work`, but not for long: a process that escaped its group may hold a pipe open for ever.
pub(super) async fn at_most<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    timeout(limit, work).await.ok()
}

/// `SIGKILL`, or the number of a signal that few have met.
pub(super) fn signal_name(signal: i32) -> String {
    const NAMES: [(Signal, &str); 18] = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    let known = NAMES.iter().find(|(known, _)| known.as_raw() == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}
