//! How many files the engine may have open, and so how many nodes it may run at once.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a node that runs takes: three pipes, two logs, the lock of its key, the handle of its process, and one to spare.
const EACH: u64 = 8;
/// The most artifacts that wait for the disk together.
const WAITING: u64 = 256;
/// Threads for work on files. They wait more than they compute.
pub(super) const FILE_THREADS: usize = 16;

/// What the rest of the engine takes besides what is open already: a directory and a file for each thread that works on
/// files, and what it takes for a moment to start a process.
const SPARE: u64 = 2 * FILE_THREADS as u64 + 8;

/// What is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Nodes that can run at once.
    pub(super) nodes: usize,
    /// Nodes that can wait until the disk has what they made; each has the lock of its key open.
    pub(super) waiting: usize,
}

/// How many of `wanted` nodes can run at once, and wait. The soft limit is raised towards the hard one as far as they need and no
/// further: programs inherit it, and some look at every number below it, or know no larger one than 1024.
pub(super) fn room_for(wanted: usize) -> Room {
    let limit = getrlimit(Resource::Nofile);
    let open = open() + SPARE;
    let needed = (wanted as u64).saturating_mul(EACH).saturating_add(WAITING + open);
    let enough = Room { nodes: wanted, waiting: WAITING as usize };
    if limit.current.is_none_or(|current| current >= needed) {
        return enough;
    }
    let raised = limit.maximum.map_or(needed, |most| most.min(needed));
    let set = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit });
    let current = set.map_or(limit.current, |()| Some(raised)).unwrap_or(needed);
    if current >= needed { enough } else { fitting(current.saturating_sub(open), wanted) }
}

/// Of the files that are free the nodes that run get theirs first. One at a time always has to go.
fn fitting(free: u64, wanted: usize) -> Room {
    let nodes = usize::try_from(free / EACH).unwrap_or(usize::MAX).clamp(1, wanted.max(1));
    let rest = free.saturating_sub((nodes as u64).saturating_mul(EACH));
    Room { nodes, waiting: rest.clamp(1, WAITING) as usize }
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
        let room = |nodes, waiting| Room { nodes, waiting };
        assert_eq!(
            [0, EACH - 1, EACH + 3, 10 * EACH].map(|free| fitting(free, 100)),
            [room(1, 1), room(1, 1), room(1, 3), room(10, 1)]
        );
        assert_eq!(fitting(1000, 5), room(5, WAITING as usize));
    }

    #[test]
    fn what_fits_is_what_is_wanted() {
        assert_eq!(room_for(1), Room { nodes: 1, waiting: WAITING as usize });
    }
}
