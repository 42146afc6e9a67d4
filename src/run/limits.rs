//! How many files the engine may have open, and so how many nodes it may run at once.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a node that runs takes: three pipes, two logs, the lock of its key, the handle of its process, and one to spare.
const EACH: u64 = 8;
/// Threads for work on files. They wait more than they compute.
pub(super) const FILE_THREADS: usize = 16;

/// What the rest of the engine takes besides what is open already: a directory and a file for each thread that works on
/// files, and what it takes for a moment to start a process.
const SPARE: u64 = 2 * FILE_THREADS as u64 + 8;

/// How many of `wanted` nodes can run at once. The soft limit is raised towards the hard one as far as they need and no
/// further: programs inherit it, and some look at every number below it, or know no larger one than 1024.
pub(super) fn room_for(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let needed = (wanted as u64).saturating_mul(EACH).saturating_add(SPARE + open());
    if limit.current.is_none_or(|current| current >= needed) {
        return wanted;
    }
    let raised = limit.maximum.map_or(needed, |most| most.min(needed));
    let set = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit });
    let current = set.map_or(limit.current, |()| Some(raised)).unwrap_or(needed);
    fitting(current.saturating_sub(SPARE + open())).min(wanted)
}

/// One at a time always has to go.
fn fitting(free: u64) -> usize {
    usize::try_from(free / EACH).unwrap_or(usize::MAX).max(1)
}

/// How many files are open now, where the system tells.
fn open() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(32, |open| open.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_at_a_time_always_fits() {
        assert_eq!([0, EACH - 1, EACH, 10 * EACH].map(fitting), [1, 1, 1, 10]);
    }

    #[test]
    fn what_fits_is_what_is_wanted() {
        assert_eq!(room_for(1), 1);
    }
}
