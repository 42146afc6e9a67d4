//! What the process does with signals, before any run.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::Signal;

/// The signals that were ignored when this was asked: by `nohup`, or by a shell that starts a program in the background.
/// Whoever started the engine wants it to go on, so that they have to stay ignored. Where the system does not tell,
/// there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ignored(u64);

impl Ignored {
    /// By this process, now. A handler that is installed later is none of it.
    pub(crate) fn now() -> Ignored {
        Ignored::told(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn told(status: &str) -> Ignored {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        Ignored(mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0))
    }

    /// Whether this one is.
    pub(crate) fn holds(self, signal: Signal) -> bool {
        self.0 & (1 << (signal.as_raw() - 1)) != 0
    }
}

/// Lets a write beyond `ulimit -f` fail, so that it is told what could not be written, where the system would end the
/// engine. A handler does that and is not inherited by other programs, as ignoring the signal would be.
pub(crate) fn survive_the_limit_of_files() -> io::Result<()> {
    if !Ignored::now().holds(Signal::XFSZ) {
        signal_hook::flag::register(Signal::XFSZ.as_raw(), Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_what_is_ignored() {
        let ignored = Ignored::told("Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\nSigCgt:\t0\n");
        let held = [Signal::HUP, Signal::INT, Signal::PIPE, Signal::TERM].map(|signal| ignored.holds(signal));
        assert_eq!(held, [true, false, true, false]);
        assert_eq!(Ignored::told(""), Ignored(0));
    }
}
