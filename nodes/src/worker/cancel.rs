//! When to stop: on a signal, or when the engine that started the worker is gone.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::raw::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, fstat};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};

/// Checkpoint and stop: what users, terminals, batch systems and limits of CPU time send.
const SIGNALS: [c_int; 6] = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU];

/// Asked between two steps; once it says stop it never unsays it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Listens to signals, and to standard input if that is a pipe: its end means that the engine died.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let cancel = Self::default();
        let ignored = ignored();
        // Whoever had a signal ignored at the start, as `nohup` does, wants it to be.
        for signal in SIGNALS.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0) {
            signal_hook::flag::register(signal, cancel.0.clone())?;
        }
        let is_pipe = fstat(std::io::stdin().as_fd()).is_ok_and(|s| FileType::from_raw_mode(s.st_mode).is_fifo());
        if is_pipe {
            let flag = cancel.0.clone();
            std::thread::spawn(move || {
                let mut rest = Vec::new();
                // An error is as good as the end: nobody can be at the other side.
                let _ = std::io::stdin().read_to_end(&mut rest);
                flag.store(true, Ordering::Relaxed);
            });
        }
        Ok(cancel)
    }

    /// Asks to stop, as a signal would.
    #[cfg(test)]
    pub(crate) fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether to write a checkpoint and stop.
    pub(crate) fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The signals that this process ignores, a bit each from the lowest; none where the system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
