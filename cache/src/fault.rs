//! Places where a machine may die or a disk may fail, for tests to try each. Nothing of it is in a release build.
//!
//! `HYPER_FLOW_FAULT=kill:17` kills the process at the 17th place that it comes to, `fail:17` makes that one fail as on a full
//! disk, and `fail-from:17` all from there on. At the first such place its name goes to standard error.

use std::io;

/// Every such place; a test sees each of them hit.
#[cfg(debug_assertions)]
pub const PLACES: [&str; 13] = [
    "make a directory",
    "write a file",
    "make a file durable",
    "make a directory durable",
    "seal a file",
    "rename into place",
    "file a record",
    "set aside",
    "link or copy an input",
    "export a file",
    "write the index",
    "hold a lock",
    "remove",
];

/// Comes to such a place.
#[cfg(debug_assertions)]
pub(crate) fn point(place: &str) -> io::Result<()> {
    told::point(place)
}

/// Comes to such a place, where none is in a release build.
#[cfg(not(debug_assertions))]
#[expect(clippy::unnecessary_wraps, reason = "in debug builds it may fail")]
pub(crate) fn point(_place: &str) -> io::Result<()> {
    Ok(())
}

#[cfg(debug_assertions)]
mod told {
    use std::io::{self, ErrorKind, Write};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// What is to happen at a place.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Fault {
        Kill,
        Fail,
        FailFrom,
    }

    static TOLD: LazyLock<Option<(Fault, usize)>> = LazyLock::new(|| parse(&std::env::var("HYPER_FLOW_FAULT").ok()?));
    static REACHED: AtomicUsize = AtomicUsize::new(0);

    fn parse(text: &str) -> Option<(Fault, usize)> {
        let (fault, at) = text.split_once(':')?;
        let fault = match fault {
            "kill" => Fault::Kill,
            "fail" => Fault::Fail,
            "fail-from" => Fault::FailFrom,
            _ => return None,
        };
        Some((fault, at.parse().ok()?))
    }

    pub(super) fn point(place: &str) -> io::Result<()> {
        debug_assert!(super::PLACES.contains(&place), "{place} is in no list");
        let Some((fault, at)) = *TOLD else { return Ok(()) };
        let reached = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
        if reached < at || (reached > at && fault != Fault::FailFrom) {
            return Ok(());
        }
        if reached == at {
            let _ = writeln!(io::stderr(), "fault: {place}");
        }
        if fault == Fault::Kill {
            let _ = kill_process(getpid(), Signal::KILL);
        }
        Err(ErrorKind::StorageFull.into())
    }
}
