//! When to stop: on SIGTERM or SIGINT, or when the engine that started the worker is gone.

use std::io::Read;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, fstat};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Asked between two steps; once it says stop it never unsays it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Listens to signals, and to standard input if that is a pipe: its end means that the engine died.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let cancel = Self::default();
        for signal in [SIGTERM, SIGINT] {
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
