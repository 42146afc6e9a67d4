//! What ends the processes of an engine that was killed.
//!
//! `PR_SET_PDEATHSIG` would have to be set in the child between fork and exec, and reaches only the first
//! process of a group. So a small shell is told of every process group, and acts when its standard input
//! ends: the system closes that when the engine dies, however it dies. Itself it ignores every signal that may be sent to
//! all processes of a job, a terminal or a service, since whatever the engine makes of it, somebody has to be there after it.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Pid;

const SCRIPT: &str = r#"
trap '' HUP INT QUIT USR1 USR2 PIPE ALRM TERM XCPU XFSZ
groups=' '
while read -r what group; do
    case $what in
        begin) groups="$groups$group " ;;
        end) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
    esac
done
[ "$groups" = ' ' ] && exit
for group in $groups; do kill -s TERM -- "-$group"; done
sleep "$1"
for group in $groups; do kill -s KILL -- "-$group"; done
"#;

/// Watches over process groups, from the first one on. Where there is no shell nothing is watched over,
/// and nothing fails.
#[derive(Debug)]
pub(crate) struct Guard {
    grace: Duration,
    shell: Mutex<Option<Child>>,
}

impl Guard {
    /// `grace`: from asking the processes to end to killing them.
    pub(crate) fn new(grace: Duration) -> Guard {
        Guard { grace, shell: Mutex::new(None) }
    }

    /// Starts watching, so that a group that is there soon is told of at once.
    pub(super) fn watch(&self) {
        drop(self.shell());
    }

    /// A group is there.
    pub(super) fn begin(&self, group: Pid) {
        self.tell("begin", group);
    }

    /// A group is gone.
    pub(super) fn end(&self, group: Pid) {
        self.tell("end", group);
    }

    fn tell(&self, what: &str, group: Pid) {
        if let Some(stdin) = self.shell().as_mut().and_then(|shell| shell.stdin.as_mut()) {
            let _ = stdin.write_all(format!("{what} {}\n", group.as_raw_nonzero()).as_bytes());
        }
    }

    /// The shell, started if there is none.
    fn shell(&self) -> MutexGuard<'_, Option<Child>> {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        if shell.is_none() {
            *shell = self.start().ok();
        }
        shell
    }

    /// In a process group of its own, so that a Ctrl-C on the terminal does not end it first.
    fn start(&self) -> std::io::Result<Child> {
        Command::new("/bin/sh")
            .args(["-c", SCRIPT, "guard", &self.grace.as_secs().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
    }
}

impl Drop for Guard {
    /// The end of its input ends the shell, which has nothing left to do.
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut shell) = shell.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}
